-- Jobs that run by the clock, and their runs. A job's lock is its `running`, `running_since` and `run_id`; a tick belongs to the host whose
-- transaction moved `next_run_at` on.
CREATE TABLE "daas_cron_jobs" (
    "id" uuid NOT NULL PRIMARY KEY,
    "name" varchar(255) COLLATE "C" NOT NULL UNIQUE,
    "description" text COLLATE "C",
    "schedule" varchar(255) COLLATE "C" NOT NULL,
    "timezone" varchar(255) COLLATE "C" NOT NULL DEFAULT 'UTC',
    "code" text COLLATE "C" NOT NULL,
    "status" varchar(255) COLLATE "C" NOT NULL DEFAULT 'active',
    "timeout_ms" integer NOT NULL DEFAULT 30000,
    "memory_limit_mb" integer NOT NULL DEFAULT 64,
    "running" boolean NOT NULL DEFAULT false,
    "running_since" timestamptz(3),
    "run_id" uuid,
    "last_tick_at" timestamptz(3),
    "last_run_at" timestamptz(3),
    "last_run_status" varchar(255) COLLATE "C",
    "next_run_at" timestamptz(3),
    "created_at" timestamptz(3) NOT NULL,
    "created_by" uuid,
    "updated_at" timestamptz(3),
    "updated_by" uuid
);
CREATE INDEX "daas_cron_jobs_next_run_at_index" ON "daas_cron_jobs" ("next_run_at");
CREATE TABLE "daas_cron_history" (
    "id" uuid NOT NULL PRIMARY KEY,
    "job_id" uuid NOT NULL,
    "job_name" varchar(255) COLLATE "C" NOT NULL,
    "triggered_by" varchar(255) COLLATE "C" NOT NULL,
    "triggered_at" timestamptz(3) NOT NULL,
    "scheduled_at" timestamptz(3),
    "started_at" timestamptz(3),
    "finished_at" timestamptz(3),
    "duration_ms" double precision,
    "status" varchar(255) COLLATE "C" NOT NULL,
    "error" text COLLATE "C",
    "logs" json,
    "request_id" varchar(255) COLLATE "C" NOT NULL,
    "host" varchar(255) COLLATE "C"
);
CREATE INDEX "daas_cron_history_job_id_triggered_at_index" ON "daas_cron_history" ("job_id", "triggered_at");
CREATE INDEX "daas_cron_history_triggered_at_index" ON "daas_cron_history" ("triggered_at");

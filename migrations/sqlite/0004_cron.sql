-- Jobs that run by the clock, and their runs. A job's lock is its `running`, `running_since` and `run_id`; a tick belongs to the host whose
-- transaction moved `next_run_at` on.
CREATE TABLE "daas_cron_jobs" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL UNIQUE,
    "description" TEXT,
    "schedule" TEXT NOT NULL,
    "timezone" TEXT NOT NULL DEFAULT 'UTC',
    "code" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "timeout_ms" INTEGER NOT NULL DEFAULT 30000,
    "memory_limit_mb" INTEGER NOT NULL DEFAULT 64,
    "running" INTEGER NOT NULL DEFAULT 0,
    "running_since" TEXT,
    "run_id" TEXT,
    "last_tick_at" TEXT,
    "last_run_at" TEXT,
    "last_run_status" TEXT,
    "next_run_at" TEXT,
    "created_at" TEXT NOT NULL,
    "created_by" TEXT,
    "updated_at" TEXT,
    "updated_by" TEXT
);
CREATE INDEX "daas_cron_jobs_next_run_at_index" ON "daas_cron_jobs" ("next_run_at");
CREATE TABLE "daas_cron_history" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "job_id" TEXT NOT NULL,
    "job_name" TEXT NOT NULL,
    "triggered_by" TEXT NOT NULL,
    "triggered_at" TEXT NOT NULL,
    "scheduled_at" TEXT,
    "started_at" TEXT,
    "finished_at" TEXT,
    "duration_ms" REAL,
    "status" TEXT NOT NULL,
    "error" TEXT,
    "logs" TEXT,
    "request_id" TEXT NOT NULL,
    "host" TEXT
);
CREATE INDEX "daas_cron_history_job_id_triggered_at_index" ON "daas_cron_history" ("job_id", "triggered_at");
CREATE INDEX "daas_cron_history_triggered_at_index" ON "daas_cron_history" ("triggered_at");

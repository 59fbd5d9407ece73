-- Failed runs of extensions, rows and folders alike: what went wrong, where, and what was done before. The last thousand of each, for seven
-- days.
CREATE TABLE "daas_extension_runs" (
    "id" uuid NOT NULL PRIMARY KEY,
    "extension" varchar(255) COLLATE "C" NOT NULL,
    "event" text COLLATE "C" NOT NULL,
    "code" varchar(255) COLLATE "C" NOT NULL,
    "name" text COLLATE "C" NOT NULL,
    "message" text COLLATE "C" NOT NULL,
    "file" text COLLATE "C",
    "line" integer,
    "column" integer,
    "frame" text COLLATE "C",
    "stack" text COLLATE "C",
    "cause" json NOT NULL,
    "fields" json NOT NULL,
    "calls" json NOT NULL,
    "calls_left_out" integer NOT NULL,
    "request_id" varchar(255) COLLATE "C" NOT NULL,
    "user" uuid,
    "host" varchar(255) COLLATE "C" NOT NULL,
    "at" timestamptz(3) NOT NULL,
    "elapsed_ms" double precision,
    "left_out" integer NOT NULL
);
CREATE INDEX "daas_extension_runs_extension_at_index" ON "daas_extension_runs" ("extension", "at");
CREATE INDEX "daas_extension_runs_at_index" ON "daas_extension_runs" ("at");

-- Failed runs of extensions, rows and folders alike: what went wrong, where, and what was done before. The last thousand of each, for seven
-- days.
CREATE TABLE "daas_extension_runs" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "extension" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "message" TEXT NOT NULL,
    "file" TEXT,
    "line" INTEGER,
    "column" INTEGER,
    "frame" TEXT,
    "stack" TEXT,
    "cause" TEXT NOT NULL,
    "fields" TEXT NOT NULL,
    "calls" TEXT NOT NULL,
    "calls_left_out" INTEGER NOT NULL,
    "request_id" TEXT NOT NULL,
    "user" TEXT,
    "host" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "elapsed_ms" REAL,
    "left_out" INTEGER NOT NULL
);
CREATE INDEX "daas_extension_runs_extension_at_index" ON "daas_extension_runs" ("extension", "at");
CREATE INDEX "daas_extension_runs_at_index" ON "daas_extension_runs" ("at");

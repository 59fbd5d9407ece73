-- Jobs that a folder registers: which extension has the handler, and under which name among its schedules. Their `code` is empty.
ALTER TABLE "daas_cron_jobs" ADD COLUMN "extension" uuid, ADD COLUMN "slot" varchar(255) COLLATE "C";
CREATE INDEX "daas_cron_jobs_extension_index" ON "daas_cron_jobs" ("extension");

-- Jobs that a folder registers: which extension has the handler, and under which name among its schedules. Their `code` is empty.
ALTER TABLE "daas_cron_jobs" ADD COLUMN "extension" TEXT;
ALTER TABLE "daas_cron_jobs" ADD COLUMN "slot" TEXT;
CREATE INDEX "daas_cron_jobs_extension_index" ON "daas_cron_jobs" ("extension");

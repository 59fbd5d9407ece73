-- What is known of the extensions that lie in folders: what they last registered, so that one that doesn't load still guards it, and
-- their counters.
CREATE TABLE "daas_extension_folders" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "registered" TEXT,
    "loaded_at" TEXT,
    "last_error" TEXT,
    "last_error_at" TEXT,
    "execution_count" INTEGER NOT NULL DEFAULT 0,
    "last_executed_at" TEXT,
    "avg_execution_time_ms" REAL NOT NULL DEFAULT 0,
    "created_at" TEXT NOT NULL
);
CREATE UNIQUE INDEX "daas_extension_folders_name_unique" ON "daas_extension_folders" ("name");

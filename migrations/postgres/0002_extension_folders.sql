-- What is known of the extensions that lie in folders: what they last registered, so that one that doesn't load still guards it, and
-- their counters.
CREATE TABLE "daas_extension_folders" (
    "id" uuid NOT NULL PRIMARY KEY,
    "name" varchar(255) COLLATE "C" NOT NULL,
    "registered" json,
    "loaded_at" timestamptz(3),
    "last_error" text COLLATE "C",
    "last_error_at" timestamptz(3),
    "execution_count" bigint NOT NULL DEFAULT 0,
    "last_executed_at" timestamptz(3),
    "avg_execution_time_ms" double precision NOT NULL DEFAULT 0,
    "created_at" timestamptz(3) NOT NULL
);
CREATE UNIQUE INDEX "daas_extension_folders_name_unique" ON "daas_extension_folders" ("name");

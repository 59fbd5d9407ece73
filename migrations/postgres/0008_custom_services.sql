-- Code that several extensions share.
CREATE TABLE "daas_custom_services" (
    "id" uuid NOT NULL PRIMARY KEY,
    "name" varchar(255) COLLATE "C" NOT NULL,
    "description" text COLLATE "C",
    "code" text COLLATE "C" NOT NULL,
    "tests" json,
    "last_test_run" json,
    "status" varchar(255) COLLATE "C" NOT NULL DEFAULT 'active',
    "dependencies" json,
    "timeout_ms" integer NOT NULL DEFAULT 5000,
    "version" integer NOT NULL DEFAULT 1,
    "created_at" timestamptz(3) NOT NULL,
    "created_by" uuid,
    "updated_at" timestamptz(3),
    "updated_by" uuid
);
CREATE UNIQUE INDEX "daas_custom_services_name_unique" ON "daas_custom_services" ("name");

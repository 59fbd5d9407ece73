-- Code that several extensions share.
CREATE TABLE "daas_custom_services" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "code" TEXT NOT NULL,
    "tests" TEXT,
    "last_test_run" TEXT,
    "status" TEXT NOT NULL DEFAULT 'active',
    "dependencies" TEXT,
    "timeout_ms" INTEGER NOT NULL DEFAULT 5000,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TEXT NOT NULL,
    "created_by" TEXT,
    "updated_at" TEXT,
    "updated_by" TEXT
);
CREATE UNIQUE INDEX "daas_custom_services_name_unique" ON "daas_custom_services" ("name");

-- Secrets of extensions, rows and folders alike, encrypted by the host.
CREATE TABLE "daas_extension_secrets" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "extension" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,
    "updated_at" TEXT NOT NULL,
    UNIQUE ("extension", "name")
);

-- Secrets of extensions, rows and folders alike, encrypted by the host.
CREATE TABLE "daas_extension_secrets" (
    "id" uuid NOT NULL PRIMARY KEY,
    "extension" varchar(255) COLLATE "C" NOT NULL,
    "name" varchar(255) COLLATE "C" NOT NULL,
    "value" text COLLATE "C" NOT NULL,
    "updated_at" timestamptz(3) NOT NULL,
    UNIQUE ("extension", "name")
);

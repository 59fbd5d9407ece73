-- What admins set while the host runs, by its part; and which messages were sent, so that none is sent again.
CREATE TABLE "daas_settings" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL,
    "updated_at" TEXT,
    "updated_by" TEXT
);
CREATE TABLE "daas_mail_sent" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "accepted" TEXT NOT NULL,
    "rejected" TEXT NOT NULL,
    "at" TEXT NOT NULL
);
CREATE INDEX "daas_mail_sent_at_index" ON "daas_mail_sent" ("at");

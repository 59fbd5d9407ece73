-- What admins set while the host runs, by its part; and which messages were sent, so that none is sent again.
CREATE TABLE "daas_settings" (
    "key" varchar(255) COLLATE "C" NOT NULL PRIMARY KEY,
    "value" json NOT NULL,
    "updated_at" timestamptz(3),
    "updated_by" uuid
);
CREATE TABLE "daas_mail_sent" (
    "id" uuid NOT NULL PRIMARY KEY,
    "accepted" json NOT NULL,
    "rejected" json NOT NULL,
    "at" timestamptz(3) NOT NULL
);
CREATE INDEX "daas_mail_sent_at_index" ON "daas_mail_sent" ("at");

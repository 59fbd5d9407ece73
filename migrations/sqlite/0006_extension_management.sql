-- Every saved version of a row of daas_extensions: what was set, by whom, when. The last hundred of each.
CREATE TABLE "daas_extension_versions" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "extension" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "change" TEXT NOT NULL,
    "of_version" INTEGER,
    "user" TEXT,
    "request_id" TEXT NOT NULL,
    "at" TEXT NOT NULL,
    "definition" TEXT NOT NULL
);
CREATE UNIQUE INDEX "daas_extension_versions_extension_version_unique" ON "daas_extension_versions" ("extension", "version");

-- What callers sent to operations that filter hooks heard, without concealed fields. The last thousand of each event, for seven days. What may
-- be large stands last: the columns before it are read without it.
CREATE TABLE "daas_event_samples" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "event" TEXT NOT NULL,
    "collection" TEXT NOT NULL,
    "user" TEXT,
    "request_id" TEXT NOT NULL,
    "depth" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL,
    "left_out" INTEGER NOT NULL,
    "at" TEXT NOT NULL,
    "payload" TEXT,
    "keys" TEXT
);
CREATE INDEX "daas_event_samples_event_at_index" ON "daas_event_samples" ("event", "at");
CREATE INDEX "daas_event_samples_at_index" ON "daas_event_samples" ("at");

-- The hosts that share this database, and what their extensions are on each. A row that isn't renewed belongs to a host that is gone.
CREATE TABLE "daas_hosts" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "version" TEXT NOT NULL,
    "started_at" TEXT NOT NULL,
    "seen_at" TEXT NOT NULL,
    "extensions" TEXT NOT NULL
);
CREATE INDEX "daas_hosts_seen_at_index" ON "daas_hosts" ("seen_at");

-- Every saved version of a row of daas_extensions: what was set, by whom, when. The last hundred of each.
CREATE TABLE "daas_extension_versions" (
    "id" uuid NOT NULL PRIMARY KEY,
    "extension" uuid NOT NULL,
    "version" integer NOT NULL,
    "change" varchar(255) COLLATE "C" NOT NULL,
    "of_version" integer,
    "user" uuid,
    "request_id" varchar(255) COLLATE "C" NOT NULL,
    "at" timestamptz(3) NOT NULL,
    "definition" json NOT NULL
);
CREATE UNIQUE INDEX "daas_extension_versions_extension_version_unique" ON "daas_extension_versions" ("extension", "version");

-- What callers sent to operations that filter hooks heard, without concealed fields. The last thousand of each event, for seven days. What may
-- be large stands last: the columns before it are read without it.
CREATE TABLE "daas_event_samples" (
    "id" uuid NOT NULL PRIMARY KEY,
    "event" text COLLATE "C" NOT NULL,
    "collection" text COLLATE "C" NOT NULL,
    "user" uuid,
    "request_id" varchar(255) COLLATE "C" NOT NULL,
    "depth" integer NOT NULL,
    "bytes" integer NOT NULL,
    "left_out" integer NOT NULL,
    "at" timestamptz(3) NOT NULL,
    "payload" json,
    "keys" json
);
CREATE INDEX "daas_event_samples_event_at_index" ON "daas_event_samples" ("event", "at");
CREATE INDEX "daas_event_samples_at_index" ON "daas_event_samples" ("at");

-- The hosts that share this database, and what their extensions are on each. A row that isn't renewed belongs to a host that is gone.
CREATE TABLE "daas_hosts" (
    "id" uuid NOT NULL PRIMARY KEY,
    "name" varchar(255) COLLATE "C" NOT NULL,
    "version" varchar(255) COLLATE "C" NOT NULL,
    "started_at" timestamptz(3) NOT NULL,
    "seen_at" timestamptz(3) NOT NULL,
    "extensions" json NOT NULL
);
CREATE INDEX "daas_hosts_seen_at_index" ON "daas_hosts" ("seen_at");

-- How often something of each kind has changed: a number that rises in the transaction of every change. What a host has taken over of each kind
-- stands in its row of daas_hosts.
CREATE TABLE "daas_changes" (
    "kind" varchar(255) COLLATE "C" NOT NULL PRIMARY KEY,
    "version" bigint NOT NULL
);
ALTER TABLE "daas_hosts" ADD COLUMN "live" json NOT NULL DEFAULT '{}';

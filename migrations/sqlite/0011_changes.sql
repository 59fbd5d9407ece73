-- How often something of each kind has changed: a number that rises in the transaction of every change. What a host has taken over of each kind
-- stands in its row of daas_hosts.
CREATE TABLE "daas_changes" (
    "kind" TEXT NOT NULL PRIMARY KEY,
    "version" INTEGER NOT NULL
);
ALTER TABLE "daas_hosts" ADD COLUMN "live" TEXT NOT NULL DEFAULT '{}';

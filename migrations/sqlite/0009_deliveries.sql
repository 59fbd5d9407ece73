-- Deliveries of one hook about one item stand in a line, across hosts: `seq` is their place in it. Given while the writing transaction holds
-- the item, so that the line has the order of the commits. `replayed`: somebody asked for it to be run once more.
ALTER TABLE "daas_delivery_meta" RENAME TO "daas_delivery_meta_before";
ALTER TABLE "daas_deliveries" RENAME TO "daas_deliveries_before";
CREATE TABLE "daas_deliveries" (
    "id" TEXT NOT NULL UNIQUE,
    "extension" TEXT NOT NULL,
    "hook" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "collection" TEXT,
    "item_key" TEXT,
    "caller" TEXT NOT NULL,
    "user_id" TEXT,
    "ip" TEXT,
    "user_agent" TEXT,
    "request_id" TEXT,
    "depth" INTEGER NOT NULL,
    "chain" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "attempt" INTEGER NOT NULL DEFAULT 0,
    "ordered" INTEGER NOT NULL,
    "next_at" TEXT NOT NULL,
    "lease_owner" TEXT,
    "lease_until" TEXT,
    "first_at" TEXT,
    "last_error" TEXT,
    "created_at" TEXT NOT NULL,
    "finished_at" TEXT,
    "seq" INTEGER NOT NULL PRIMARY KEY,
    "replayed" INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE "daas_delivery_meta" (
    "delivery" TEXT NOT NULL PRIMARY KEY REFERENCES "daas_deliveries" ("id") ON DELETE CASCADE,
    "meta" TEXT NOT NULL
);
INSERT INTO "daas_deliveries" ("id", "extension", "hook", "event", "collection", "item_key", "caller", "user_id", "ip", "user_agent", "request_id", "depth", "chain", "status", "attempt", "ordered", "next_at", "lease_owner", "lease_until", "first_at", "last_error", "created_at", "finished_at")
    SELECT "id", "extension", "hook", "event", "collection", "item_key", "caller", "user_id", "ip", "user_agent", "request_id", "depth", "chain", "status", "attempt", "ordered", "next_at", "lease_owner", "lease_until", "first_at", "last_error", "created_at", "finished_at" FROM "daas_deliveries_before" ORDER BY "created_at", "id";
INSERT INTO "daas_delivery_meta" ("delivery", "meta") SELECT "delivery", "meta" FROM "daas_delivery_meta_before";
DROP TABLE "daas_delivery_meta_before";
DROP TABLE "daas_deliveries_before";
CREATE INDEX "daas_deliveries_due_index" ON "daas_deliveries" ("status", "next_at", "seq");
CREATE INDEX "daas_deliveries_line_index" ON "daas_deliveries" ("extension", "hook", "collection", "item_key", "seq");

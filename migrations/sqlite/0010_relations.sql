-- What refers to what: a field of one collection that holds keys of another, and the alias that lists them there.
CREATE TABLE "daas_relations" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "many_collection" TEXT NOT NULL,
    "many_field" TEXT NOT NULL,
    "one_collection" TEXT,
    "one_field" TEXT,
    "one_collection_field" TEXT,
    "one_allowed_collections" TEXT,
    "junction_field" TEXT,
    "sort_field" TEXT,
    "one_deselect_action" TEXT NOT NULL DEFAULT 'nullify',
    "on_delete" TEXT,
    "meta" TEXT
);
CREATE UNIQUE INDEX "daas_relations_many_unique" ON "daas_relations" ("many_collection", "many_field");
CREATE INDEX "daas_relations_one_collection_index" ON "daas_relations" ("one_collection");

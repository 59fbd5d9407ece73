-- The tables of the system. Types as in db/ddl.rs; names are quoted because some are words of SQL.

-- Who can sign in.
CREATE TABLE "daas_users" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "first_name" TEXT,
    "last_name" TEXT,
    "email" TEXT,
    "password" TEXT,
    "status" TEXT NOT NULL DEFAULT 'active',
    "token" TEXT,
    "last_access" TEXT,
    "created_at" TEXT NOT NULL,
    "updated_at" TEXT
);
CREATE UNIQUE INDEX "daas_users_email_unique" ON "daas_users" ("email");
CREATE UNIQUE INDEX "daas_users_token_unique" ON "daas_users" ("token");

-- Groups of users; a role inherits from its parent.
CREATE TABLE "daas_roles" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "parent" TEXT REFERENCES "daas_roles" ON DELETE SET NULL
);
CREATE INDEX "daas_roles_parent_index" ON "daas_roles" ("parent");

-- Which user has which roles.
CREATE TABLE "daas_user_roles" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "user" TEXT NOT NULL REFERENCES "daas_users" ON DELETE CASCADE,
    "role" TEXT NOT NULL REFERENCES "daas_roles" ON DELETE CASCADE,
    "sort" INTEGER
);
CREATE INDEX "daas_user_roles_role_index" ON "daas_user_roles" ("role");
CREATE UNIQUE INDEX "daas_user_roles_user_role_unique" ON "daas_user_roles" ("user", "role");

-- Bundles of rights.
CREATE TABLE "daas_policies" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "admin_access" INTEGER NOT NULL DEFAULT 0,
    "app_access" INTEGER NOT NULL DEFAULT 0,
    "delegate_access" INTEGER NOT NULL DEFAULT 0,
    "module_access" TEXT,
    "ip_access" TEXT
);

-- What a policy allows in a collection.
CREATE TABLE "daas_permissions" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "policy" TEXT NOT NULL REFERENCES "daas_policies" ON DELETE CASCADE,
    "collection" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "permissions" TEXT,
    "validation" TEXT,
    "presets" TEXT,
    "fields" TEXT
);
CREATE INDEX "daas_permissions_policy_index" ON "daas_permissions" ("policy");

-- Who has which policy; neither role nor user: everybody.
CREATE TABLE "daas_access" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "role" TEXT REFERENCES "daas_roles" ON DELETE CASCADE,
    "user" TEXT REFERENCES "daas_users" ON DELETE CASCADE,
    "policy" TEXT NOT NULL REFERENCES "daas_policies" ON DELETE CASCADE,
    "sort" INTEGER
);
CREATE INDEX "daas_access_role_index" ON "daas_access" ("role");
CREATE INDEX "daas_access_user_index" ON "daas_access" ("user");
CREATE INDEX "daas_access_policy_index" ON "daas_access" ("policy");

-- Refresh tokens, by their hash; those of one login are a family.
CREATE TABLE "daas_sessions" (
    "token_hash" TEXT NOT NULL PRIMARY KEY,
    "family" TEXT NOT NULL,
    "user" TEXT NOT NULL REFERENCES "daas_users" ON DELETE CASCADE,
    "issued_at" TEXT NOT NULL,
    "expires_at" TEXT NOT NULL,
    "rotated_at" TEXT,
    "revoked_at" TEXT,
    "ip" TEXT,
    "user_agent" TEXT
);
CREATE INDEX "daas_sessions_family_index" ON "daas_sessions" ("family");
CREATE INDEX "daas_sessions_user_index" ON "daas_sessions" ("user");

-- The collections that users made.
CREATE TABLE "daas_collections" (
    "collection" TEXT NOT NULL PRIMARY KEY,
    "singleton" INTEGER NOT NULL DEFAULT 0,
    "note" TEXT,
    "meta" TEXT,
    "created_at" TEXT NOT NULL
);

-- Their fields.
CREATE TABLE "daas_fields" (
    "collection" TEXT NOT NULL,
    "field" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "num_precision" INTEGER,
    "num_scale" INTEGER,
    "max_length" INTEGER,
    "nullable" INTEGER NOT NULL,
    "is_unique" INTEGER NOT NULL,
    "indexed" INTEGER NOT NULL,
    "auto_increment" INTEGER NOT NULL,
    "required" INTEGER NOT NULL,
    "is_primary" INTEGER NOT NULL,
    "default_value" TEXT,
    "special" TEXT,
    "validation" TEXT,
    "note" TEXT,
    "meta" TEXT,
    "sort" INTEGER NOT NULL,
    PRIMARY KEY ("collection", "field")
);

-- User code.
CREATE TABLE "daas_extensions" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "event" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'active',
    "sort" INTEGER NOT NULL DEFAULT 0,
    "timeout_ms" INTEGER NOT NULL DEFAULT 5000,
    "memory_limit_mb" INTEGER NOT NULL DEFAULT 64,
    "last_error" TEXT,
    "last_error_at" TEXT,
    "execution_count" INTEGER NOT NULL DEFAULT 0,
    "last_executed_at" TEXT,
    "avg_execution_time_ms" REAL NOT NULL DEFAULT 0,
    "failure_mode" TEXT NOT NULL DEFAULT 'closed',
    "delivery" TEXT NOT NULL DEFAULT 'durable',
    "state" TEXT NOT NULL DEFAULT 'pristine',
    "capabilities" TEXT,
    "created_at" TEXT NOT NULL,
    "created_by" TEXT,
    "updated_at" TEXT,
    "updated_by" TEXT
);
CREATE UNIQUE INDEX "daas_extensions_name_unique" ON "daas_extensions" ("name");

-- The outbox: one row per action hook that is owed an event.
CREATE TABLE "daas_deliveries" (
    "id" TEXT NOT NULL PRIMARY KEY,
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
    "finished_at" TEXT
);
-- Apart, so that a change of a delivery's state never rewrites what may be megabytes.
CREATE TABLE "daas_delivery_meta" (
    "delivery" TEXT NOT NULL PRIMARY KEY REFERENCES "daas_deliveries" ("id") ON DELETE CASCADE,
    "meta" TEXT NOT NULL
);
CREATE INDEX "daas_deliveries_status_next_at_index" ON "daas_deliveries" ("status", "next_at");
CREATE INDEX "daas_deliveries_order_index" ON "daas_deliveries" ("extension", "hook", "collection", "item_key");

//! The system's own collections, as the migrations make them.
//!
//! Those that items can be read from are part of every schema ([`collections`]). The others are declared so that their statements come
//! from the same builders; nobody reads them as items. A test holds all of them against the tables.

use serde_json::{Map, Value, json};

use super::{Collection, Field, FieldType, Special, system_relations};
use FieldType::{BigInteger, Boolean, Float, Integer, Json, String as Str, Text, Timestamp, Uuid};

/// What can be said about a column in one line.
enum Is {
    Required,
    Unique,
    Indexed,
    Auto,
    Default(Value),
    Special(Special),
}
use Is::{Auto, Default, Indexed, Required, Unique};

fn field(name: &str, ty: FieldType, traits: Vec<Is>) -> Field {
    let mut field = Field::new(name, ty);
    for is in traits {
        match is {
            Required => field.nullable = false,
            Unique => field.unique = true,
            Indexed => field.indexed = true,
            Auto => field.auto_increment = true,
            Default(value) => field.default = Some(value),
            Is::Special(special) => field.special.push(special),
        }
    }
    field
}

/// The first field is the primary key.
fn collection(name: &str, mut fields: Vec<Field>) -> Collection {
    fields[0].nullable = false;
    for (at, field) in fields.iter_mut().enumerate() {
        field.sort = i32::try_from(at).unwrap_or(i32::MAX);
        field.required = !field.nullable && field.default.is_none() && field.special.is_empty() && !field.auto_increment;
    }
    Collection {
        aliases: system_relations::aliases(name, fields.len()),
        name: name.to_owned(),
        system: true,
        described: true,
        singleton: false,
        note: None,
        meta: Map::new(),
        primary: 0,
        fields,
    }
}

fn id() -> Field {
    field("id", Uuid, vec![Is::Special(Special::Uuid)])
}

fn created_at() -> Field {
    field("created_at", Timestamp, vec![Required, Is::Special(Special::DateCreated)])
}

fn updated_at() -> Field {
    field("updated_at", Timestamp, vec![Is::Special(Special::DateUpdated)])
}

fn no() -> Vec<Is> {
    vec![Required, Default(json!(false))]
}

/// The system collections that items can be read from.
pub fn collections() -> Vec<Collection> {
    let concealed = || Is::Special(Special::Conceal);
    vec![
        collection(
            "daas_users",
            vec![
                id(),
                field("first_name", Str, vec![]),
                field("last_name", Str, vec![]),
                field("email", Str, vec![Unique]),
                field("password", Str, vec![Is::Special(Special::Hash), concealed()]),
                field("status", Str, vec![Required, Default(json!("active"))]),
                field("token", Str, vec![Unique, concealed()]),
                field("last_access", Timestamp, vec![]),
                created_at(),
                updated_at(),
            ],
        ),
        collection(
            "daas_roles",
            vec![id(), field("name", Str, vec![Required]), field("description", Text, vec![]), field("parent", Uuid, vec![Indexed])],
        ),
        collection(
            "daas_user_roles",
            vec![id(), field("user", Uuid, vec![Required]), field("role", Uuid, vec![Required, Indexed]), field("sort", Integer, vec![])],
        ),
        collection(
            "daas_policies",
            vec![
                id(),
                field("name", Str, vec![Required]),
                field("description", Text, vec![]),
                field("admin_access", Boolean, no()),
                field("app_access", Boolean, no()),
                field("delegate_access", Boolean, no()),
                field("module_access", Json, vec![]),
                field("ip_access", Json, vec![]),
            ],
        ),
        collection(
            "daas_permissions",
            vec![
                field("id", Integer, vec![Auto]),
                field("policy", Uuid, vec![Required, Indexed]),
                field("collection", Str, vec![Required]),
                field("action", Str, vec![Required]),
                field("permissions", Json, vec![]),
                field("validation", Json, vec![]),
                field("presets", Json, vec![]),
                field("fields", Json, vec![]),
            ],
        ),
        collection(
            "daas_access",
            vec![
                id(),
                field("role", Uuid, vec![Indexed]),
                field("user", Uuid, vec![Indexed]),
                field("policy", Uuid, vec![Required, Indexed]),
                field("sort", Integer, vec![]),
            ],
        ),
        collection(
            "daas_custom_services",
            vec![
                id(),
                field("name", Str, vec![Required, Unique]),
                field("description", Text, vec![]),
                field("code", Text, vec![Required]),
                field("tests", Json, vec![]),
                field("last_test_run", Json, vec![]),
                field("status", Str, vec![Required, Default(json!("active"))]),
                field("dependencies", Json, vec![]),
                field("timeout_ms", Integer, vec![Required, Default(json!(5000))]),
                field("version", Integer, vec![Required, Default(json!(1))]),
                created_at(),
                field("created_by", Uuid, vec![Is::Special(Special::UserCreated)]),
                updated_at(),
                field("updated_by", Uuid, vec![Is::Special(Special::UserUpdated)]),
            ],
        ),
        collection(
            "daas_extensions",
            vec![
                id(),
                field("name", Str, vec![Required, Unique]),
                field("description", Text, vec![]),
                field("event", Str, vec![Required]),
                field("type", Str, vec![Required]),
                field("code", Text, vec![Required]),
                field("status", Str, vec![Required, Default(json!("active"))]),
                field("sort", Integer, vec![Required, Default(json!(0))]),
                field("timeout_ms", Integer, vec![Required, Default(json!(5000))]),
                field("memory_limit_mb", Integer, vec![Required, Default(json!(64))]),
                field("last_error", Text, vec![]),
                field("last_error_at", Timestamp, vec![]),
                field("execution_count", BigInteger, vec![Required, Default(json!(0))]),
                field("last_executed_at", Timestamp, vec![]),
                field("avg_execution_time_ms", Float, vec![Required, Default(json!(0))]),
                field("failure_mode", Str, vec![Required, Default(json!("closed"))]),
                field("delivery", Str, vec![Required, Default(json!("durable"))]),
                field("state", Str, vec![Required, Default(json!("pristine"))]),
                field("capabilities", Json, vec![]),
                created_at(),
                field("created_by", Uuid, vec![Is::Special(Special::UserCreated)]),
                updated_at(),
                field("updated_by", Uuid, vec![Is::Special(Special::UserUpdated)]),
                field("pending", Json, vec![]),
            ],
        ),
        cron_jobs_table(),
        cron_history_table(),
    ]
}

/// The jobs that run by the clock.
pub fn cron_jobs_table() -> Collection {
    collection(
        "daas_cron_jobs",
        vec![
            id(),
            field("name", Str, vec![Required, Unique]),
            field("description", Text, vec![]),
            field("schedule", Str, vec![Required]),
            field("timezone", Str, vec![Required, Default(json!("UTC"))]),
            field("code", Text, vec![Required]),
            field("status", Str, vec![Required, Default(json!("active"))]),
            field("timeout_ms", Integer, vec![Required, Default(json!(30_000))]),
            field("memory_limit_mb", Integer, vec![Required, Default(json!(64))]),
            field("running", Boolean, no()),
            field("running_since", Timestamp, vec![]),
            field("run_id", Uuid, vec![]),
            field("last_tick_at", Timestamp, vec![]),
            field("last_run_at", Timestamp, vec![]),
            field("last_run_status", Str, vec![]),
            field("next_run_at", Timestamp, vec![Indexed]),
            created_at(),
            field("created_by", Uuid, vec![Is::Special(Special::UserCreated)]),
            updated_at(),
            field("updated_by", Uuid, vec![Is::Special(Special::UserUpdated)]),
            field("extension", Uuid, vec![Indexed]),
            field("slot", Str, vec![]),
        ],
    )
}

/// The runs of those jobs.
pub fn cron_history_table() -> Collection {
    collection(
        "daas_cron_history",
        vec![
            field("id", Uuid, vec![]),
            field("job_id", Uuid, vec![Required, Indexed]),
            field("job_name", Str, vec![Required]),
            field("triggered_by", Str, vec![Required]),
            field("triggered_at", Timestamp, vec![Required, Indexed]),
            field("scheduled_at", Timestamp, vec![]),
            field("started_at", Timestamp, vec![]),
            field("finished_at", Timestamp, vec![]),
            field("duration_ms", Float, vec![]),
            field("status", Str, vec![Required]),
            field("error", Text, vec![]),
            field("logs", Json, vec![]),
            field("request_id", Str, vec![Required]),
            field("host", Str, vec![]),
        ],
    )
}

/// The table that stores the collections.
pub(super) fn collections_table() -> Collection {
    collection(
        "daas_collections",
        vec![
            field("collection", Str, vec![]),
            field("singleton", Boolean, no()),
            field("note", Text, vec![]),
            field("meta", Json, vec![]),
            field("created_at", Timestamp, vec![Required]),
        ],
    )
}

/// What refers to what.
pub(super) fn relations_table() -> Collection {
    collection(
        "daas_relations",
        vec![
            field("id", Integer, vec![Auto]),
            field("many_collection", Str, vec![Required]),
            field("many_field", Str, vec![Required]),
            field("one_collection", Str, vec![Indexed]),
            field("one_field", Str, vec![]),
            field("one_collection_field", Str, vec![]),
            field("one_allowed_collections", Json, vec![]),
            field("junction_field", Str, vec![]),
            field("sort_field", Str, vec![]),
            field("one_deselect_action", Str, vec![Required, Default(json!("nullify"))]),
            field("on_delete", Str, vec![]),
            field("meta", Json, vec![]),
        ],
    )
}

/// The table that stores the fields; its key is `collection` and `field` together.
pub(super) fn fields_table() -> Collection {
    collection(
        "daas_fields",
        vec![
            field("collection", Str, vec![]),
            field("field", Str, vec![Required]),
            field("type", Str, vec![Required]),
            field("num_precision", Integer, vec![]),
            field("num_scale", Integer, vec![]),
            field("max_length", Integer, vec![]),
            field("nullable", Boolean, vec![Required]),
            field("is_unique", Boolean, vec![Required]),
            field("indexed", Boolean, vec![Required]),
            field("auto_increment", Boolean, vec![Required]),
            field("required", Boolean, vec![Required]),
            field("is_primary", Boolean, vec![Required]),
            field("default_value", Json, vec![]),
            field("special", Json, vec![]),
            field("validation", Json, vec![]),
            field("note", Text, vec![]),
            field("meta", Json, vec![]),
            field("sort", Integer, vec![Required]),
        ],
    )
}

/// The table of the refresh tokens, by their hash.
pub fn sessions_table() -> Collection {
    collection(
        "daas_sessions",
        vec![
            field("token_hash", Str, vec![]),
            field("family", Uuid, vec![Required, Indexed]),
            field("user", Uuid, vec![Required, Indexed]),
            field("issued_at", Timestamp, vec![Required]),
            field("expires_at", Timestamp, vec![Required]),
            field("rotated_at", Timestamp, vec![]),
            field("revoked_at", Timestamp, vec![]),
            field("ip", Str, vec![]),
            field("user_agent", Text, vec![]),
            field("stamp", Str, vec![Required, Default(json!(""))]),
        ],
    )
}

/// The outbox.
pub fn deliveries_table() -> Collection {
    collection(
        "daas_deliveries",
        vec![
            field("id", Uuid, vec![]),
            field("extension", Str, vec![Required]),
            field("hook", Str, vec![Required]),
            field("event", Str, vec![Required]),
            field("collection", Str, vec![]),
            field("item_key", Str, vec![]),
            field("caller", Str, vec![Required]),
            field("user_id", Uuid, vec![]),
            field("ip", Str, vec![]),
            field("user_agent", Text, vec![]),
            field("request_id", Str, vec![]),
            field("depth", Integer, vec![Required]),
            field("chain", Json, vec![Required]),
            field("status", Str, vec![Required]),
            field("attempt", Integer, vec![Required, Default(json!(0))]),
            field("ordered", Boolean, vec![Required]),
            field("next_at", Timestamp, vec![Required]),
            field("lease_owner", Str, vec![]),
            field("lease_until", Timestamp, vec![]),
            field("first_at", Timestamp, vec![]),
            field("last_error", Text, vec![]),
            field("created_at", Timestamp, vec![Required]),
            field("finished_at", Timestamp, vec![]),
            field("seq", BigInteger, vec![Required]),
            field("replayed", Boolean, vec![Required, Default(json!(false))]),
        ],
    )
}

/// The extensions that lie in folders: what they registered at their last good load, and their counters.
pub fn extension_folders_table() -> Collection {
    collection(
        "daas_extension_folders",
        vec![
            field("id", Uuid, vec![]),
            field("name", Str, vec![Required, Unique]),
            field("registered", Json, vec![]),
            field("loaded_at", Timestamp, vec![]),
            field("last_error", Text, vec![]),
            field("last_error_at", Timestamp, vec![]),
            field("execution_count", BigInteger, vec![Required, Default(json!(0))]),
            field("last_executed_at", Timestamp, vec![]),
            field("avg_execution_time_ms", Float, vec![Required, Default(json!(0))]),
            field("created_at", Timestamp, vec![Required]),
        ],
    )
}

/// The failed runs of extensions.
pub fn extension_runs_table() -> Collection {
    collection(
        "daas_extension_runs",
        vec![
            field("id", Uuid, vec![]),
            field("extension", Str, vec![Required, Indexed]),
            field("event", Text, vec![Required]),
            field("code", Str, vec![Required]),
            field("name", Text, vec![Required]),
            field("message", Text, vec![Required]),
            field("file", Text, vec![]),
            field("line", Integer, vec![]),
            field("column", Integer, vec![]),
            field("frame", Text, vec![]),
            field("stack", Text, vec![]),
            field("cause", Json, vec![Required]),
            field("fields", Json, vec![Required]),
            field("calls", Json, vec![Required]),
            field("calls_left_out", Integer, vec![Required]),
            field("request_id", Str, vec![Required]),
            field("user", Uuid, vec![]),
            field("host", Str, vec![Required]),
            field("at", Timestamp, vec![Required, Indexed]),
            field("elapsed_ms", Float, vec![]),
            field("left_out", Integer, vec![Required]),
        ],
    )
}

/// The saved versions of the rows of `daas_extensions`.
pub fn extension_versions_table() -> Collection {
    collection(
        "daas_extension_versions",
        vec![
            field("id", Uuid, vec![]),
            field("extension", Uuid, vec![Required, Indexed]),
            field("version", Integer, vec![Required]),
            field("change", Str, vec![Required]),
            field("of_version", Integer, vec![]),
            field("user", Uuid, vec![]),
            field("request_id", Str, vec![Required]),
            field("at", Timestamp, vec![Required]),
            field("definition", Json, vec![Required]),
            field("proposed_by", Uuid, vec![]),
        ],
    )
}

/// What callers sent to operations that filter hooks heard.
pub fn event_samples_table() -> Collection {
    collection(
        "daas_event_samples",
        vec![
            field("id", Uuid, vec![]),
            field("event", Text, vec![Required, Indexed]),
            field("collection", Text, vec![Required]),
            field("user", Uuid, vec![]),
            field("request_id", Str, vec![Required]),
            field("depth", Integer, vec![Required]),
            field("bytes", Integer, vec![Required]),
            field("left_out", Integer, vec![Required]),
            field("at", Timestamp, vec![Required, Indexed]),
            field("payload", Json, vec![]),
            field("keys", Json, vec![]),
        ],
    )
}

/// The hosts that share the database.
pub fn hosts_table() -> Collection {
    collection(
        "daas_hosts",
        vec![
            field("id", Uuid, vec![]),
            field("name", Str, vec![Required]),
            field("version", Str, vec![Required]),
            field("started_at", Timestamp, vec![Required]),
            field("seen_at", Timestamp, vec![Required, Indexed]),
            field("extensions", Json, vec![Required]),
            field("live", Json, vec![Required, Default(json!({}))]),
        ],
    )
}

/// How often something of each kind has changed.
pub fn changes_table() -> Collection {
    collection("daas_changes", vec![field("kind", Str, vec![]), field("version", BigInteger, vec![Required])])
}

/// The secrets of extensions. `value` is encrypted.
pub fn extension_secrets_table() -> Collection {
    collection(
        "daas_extension_secrets",
        vec![
            field("id", Uuid, vec![]),
            field("extension", Str, vec![Required, Indexed]),
            field("name", Str, vec![Required]),
            field("value", Text, vec![Required]),
            field("updated_at", Timestamp, vec![Required]),
        ],
    )
}

/// What admins set while the host runs, by its part.
pub fn settings_table() -> Collection {
    collection(
        "daas_settings",
        vec![
            field("key", Str, vec![]),
            field("value", Json, vec![Required]),
            field("updated_at", Timestamp, vec![]),
            field("updated_by", Uuid, vec![]),
        ],
    )
}

/// The messages that were sent from the outbox or by a delivery.
pub fn mail_sent_table() -> Collection {
    collection(
        "daas_mail_sent",
        vec![
            field("id", Uuid, vec![]),
            field("accepted", Json, vec![Required]),
            field("rejected", Json, vec![Required]),
            field("at", Timestamp, vec![Required, Indexed]),
        ],
    )
}

/// What the deliveries of the outbox are about, apart from their state because it may be large.
pub fn delivery_meta_table() -> Collection {
    collection("daas_delivery_meta", vec![field("delivery", Uuid, vec![]), field("meta", Json, vec![Required])])
}

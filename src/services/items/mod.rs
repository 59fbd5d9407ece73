//! The items of one collection, with rights, hooks and the outbox: what every door and every hook goes through.
//!
//! A write reads like this, here and in the files beside:
//! 1. may they, here?  403/404 before any JavaScript runs
//! 2. collection, fields, types of the caller's input
//! 3. the matching filter hooks, in order; no transaction is open unless one of them writes
//! 4. the result again: shape, types, what is missing; special fields
//! 5. one job: the statements, and one outbox row per matching action hook
//! 6. commit; then the answer; then the hooks that are owed something

mod answer;
mod branches;
mod change;
mod event;
mod lookup;
mod nested;
mod plan;
mod read;
mod rules;
mod singleton;
mod special;
mod veil;
mod write;

use std::sync::Arc;

use serde_json::Value;

pub use answer::check_answer;
pub use branches::nested_needs;
pub use read::Listing;
pub(super) use read::resolved_for_caller;
pub use veil::is_concealed;
pub use write::as_item;

use super::changes::Kind;
use super::query::clip;
use super::{Ctx, Item};
use crate::auth::Action;
use crate::db::Collection;
use crate::error::{Error, ErrorCode, Result};

/// The items of one collection, for one caller.
#[derive(Clone)]
pub struct ItemsService<'a> {
    ctx: &'a Ctx,
    name: &'a str,
    /// Whether the collection's own service is calling, which has made its own checks.
    own_door: bool,
}

/// Collections whose rows have a service of their own: written past it they would be rows without meaning.
const OWN_DOORS: [(&str, &str); 4] = [
    ("daas_custom_services", "/api/services"),
    ("daas_extensions", "/api/extensions"),
    ("daas_cron_jobs", "/api/cron"),
    ("daas_cron_history", "/api/cron"),
];

/// Collections that an admin writes without asking any filter hook, so that no hook can lock an admin out.
const NEVER_FILTERED: [&str; 6] =
    ["daas_extensions", "daas_custom_services", "daas_policies", "daas_permissions", "daas_access", "daas_settings"];

/// Collections that decide what users may do.
const ACCESS: [&str; 6] = ["daas_users", "daas_roles", "daas_user_roles", "daas_policies", "daas_permissions", "daas_access"];

/// What of that which hosts keep in memory a collection decides.
fn kept_in_memory(collection: &str) -> Option<Kind> {
    match collection {
        "daas_extensions" | "daas_custom_services" => Some(Kind::Extensions),
        access if ACCESS.contains(&access) => Some(Kind::Access),
        _ => None,
    }
}

/// Those that say what is allowed, and to whom.
const ACCESS_RULES: [&str; 5] = ["daas_roles", "daas_user_roles", "daas_policies", "daas_permissions", "daas_access"];

impl<'a> ItemsService<'a> {
    /// The items of the collection called `name`. Whether it exists is found out, and told, by the first call.
    pub fn new(ctx: &'a Ctx, name: &'a str) -> Self {
        Self { ctx, name, own_door: false }
    }

    /// The same for the service that the collection belongs to.
    pub fn by_own_door(ctx: &'a Ctx, name: &'a str) -> Self {
        Self { ctx, name, own_door: true }
    }

    fn collection(&self, action: Action) -> Result<Arc<Collection>> {
        let collection = self.ctx.collection(self.name, action)?;
        // What decides rights is changed by those who have all of them: any smaller grant would be a way to all of them.
        if ACCESS_RULES.contains(&self.name) && action != Action::Read && !self.ctx.elevated && !self.ctx.who.is_admin() {
            return Err(Error::forbidden(format!("Only admins may change `{}`", self.name)));
        }
        let door = OWN_DOORS.iter().find(|(name, _)| *name == self.name && !self.own_door && action != Action::Read);
        match door {
            Some((name, door)) => Err(Error::forbidden(format!("`{name}` is written over {door} only, which checks what is written"))),
            None => Ok(collection),
        }
    }

    /// Whether filter hooks are asked at all.
    fn is_filtered(&self) -> bool {
        self.ctx.emit && !(NEVER_FILTERED.contains(&self.name) && self.ctx.who.is_admin())
    }

    /// A key as the collection keeps it, or 400.
    pub fn key(&self, collection: &Collection, key: &Value) -> Result<Value> {
        parse_key(collection, key)
    }
}

/// Reads a key: from a path it is always a text, so texts of digits are taken for numbers where the key is one.
pub fn parse_key(collection: &Collection, key: &Value) -> Result<Value> {
    let field = collection.primary_key();
    let bad = |reason: String| {
        Error::new(ErrorCode::InvalidId, format!("The key `{}` in `{}` {reason}", field.name, collection.name))
            .with_field(field.name.clone())
    };
    if key.is_null() {
        return Err(bad("must not be null".to_owned()));
    }
    field.ty.canonical(key).map_err(bad)
}

fn not_found(collection: &Collection, keys: &[Value]) -> Error {
    let shown = keys.first().map(|key| match key {
        Value::String(text) => clip(text).to_owned(),
        other => other.to_string(),
    });
    let message = match (keys.len(), shown) {
        (1, Some(key)) => format!("There is no item `{key}` in `{}`", collection.name),
        (_, _) => format!("Not all of the {} items are in `{}`", keys.len(), collection.name),
    };
    Error::new(ErrorCode::NotFound, message)
}

/// A row as an object, in the order of `fields`.
fn object<'f>(fields: impl IntoIterator<Item = &'f str>, row: Vec<Value>) -> Item {
    fields.into_iter().map(str::to_owned).zip(row).collect()
}

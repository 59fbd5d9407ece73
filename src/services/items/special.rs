//! Fields that the host fills in, and those that nobody gets to read.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::auth::{Action, token};
use crate::db::{Collection, Field, Special};
use crate::error::{Error, ErrorCode, Result};
use crate::services::{Ctx, Item, module_access};

/// What stands for a concealed value, in answers and in hooks.
pub const MASK: &str = "**********";

/// Whether a field's value is never shown.
pub fn is_concealed(field: &Field) -> bool {
    field.special.iter().any(|s| matches!(s, Special::Hash | Special::Conceal))
}

/// Replaces concealed values by the mask, where there is one.
pub fn mask(collection: &Collection, row: &mut Item) {
    for field in collection.fields.iter().filter(|f| is_concealed(f)) {
        if let Some(value) = row.get_mut(&field.name).filter(|v| !v.is_null()) {
            *value = json!(MASK);
        }
    }
}

/// Takes the concealed values out of what a caller sent, for [`unveil`] to put back; a mask that came back from a client is dropped.
pub fn veil(collection: &Collection, item: &mut Item) -> HashMap<String, Value> {
    let mut hidden = HashMap::new();
    for field in collection.fields.iter().filter(|f| is_concealed(f)) {
        if item.get(&field.name).is_some_and(|v| v == MASK) {
            item.shift_remove(&field.name);
        }
        if let Some(value) = item.get_mut(&field.name).filter(|v| !v.is_null()) {
            hidden.insert(field.name.clone(), std::mem::replace(value, json!(MASK)));
        }
    }
    hidden
}

/// The same for what a hook answered: a mask stands for what is hidden already.
pub fn veil_again(collection: &Collection, item: &mut Item, hidden: &mut HashMap<String, Value>) {
    for field in collection.fields.iter().filter(|f| is_concealed(f)) {
        match item.get_mut(&field.name) {
            Some(value) if value == MASK => {}
            Some(value) if !value.is_null() => {
                hidden.insert(field.name.clone(), std::mem::replace(value, json!(MASK)));
            }
            _ => {
                hidden.remove(&field.name);
            }
        }
    }
}

/// Puts concealed values back where a filter hook left the mask.
pub fn unveil(item: &mut Item, hidden: HashMap<String, Value>) {
    for (name, value) in hidden {
        if let Some(slot) = item.get_mut(&name).filter(|v| *v == MASK) {
            *slot = value;
        }
    }
}

/// Which kind of write the special fields are filled in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A new row.
    Create,
    /// Changes of rows.
    Update,
}

/// Fills in what the field's special roles ask for.
pub async fn fill(ctx: &Ctx, collection: &Collection, occasion: Occasion, item: &mut Item) -> Result<()> {
    let now = json!(ctx.core.clock.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
    for field in &collection.fields {
        for special in &field.special {
            let value = match (special, occasion) {
                (Special::Uuid, Occasion::Create) if item.get(&field.name).is_none_or(Value::is_null) => {
                    json!(uuid::Uuid::now_v7().to_string())
                }
                (Special::DateCreated, Occasion::Create) | (Special::DateUpdated, Occasion::Update) => now.clone(),
                (Special::UserCreated, Occasion::Create) | (Special::UserUpdated, Occasion::Update) => ctx.user_value(),
                (Special::RoleCreated, Occasion::Create) => ctx.who.role().map_or(Value::Null, Value::from),
                (Special::Hash, _) => match item.get(&field.name) {
                    Some(Value::String(secret)) => json!(ctx.core.passwords.hash(secret).await?),
                    _ => continue,
                },
                _ => continue,
            };
            item.insert(field.name.clone(), value);
        }
    }
    match collection.name.as_str() {
        "daas_users" => user_fields(item),
        "daas_permissions" => permission_fields(item),
        "daas_policies" => {
            let access = item.get("module_access").unwrap_or(&Value::Null);
            module_access::check(access).map_err(|why| invalid("daas_policies", "module_access", &why))?;
            unbuilt(item, "daas_policies", &["ip_access"])
        }
        _ => Ok(()),
    }
}

/// What restricts a permission and isn't acted on yet is refused: a rule that is stored and ignored would be worse than none.
fn permission_fields(item: &Item) -> Result<()> {
    if let Some(action) = item.get("action") {
        action.as_str().and_then(Action::parse).ok_or_else(|| {
            let names = Action::ALL.map(|a| format!("`{}`", a.name())).join(", ");
            invalid("daas_permissions", "action", &format!("must be one of {names}"))
        })?;
    }
    match item.get("fields") {
        None | Some(Value::Null) => {}
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {}
        Some(Value::String(_)) => {}
        Some(_) => return Err(invalid("daas_permissions", "fields", "must be an array of names; `*` is every field")),
    }
    unbuilt(item, "daas_permissions", &["permissions", "validation", "presets"])
}

fn unbuilt(item: &Item, collection: &str, names: &[&str]) -> Result<()> {
    let is_set = |value: &Value| match value {
        Value::Null => false,
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    match names.iter().find(|name| item.get(**name).is_some_and(is_set)) {
        Some(name) => Err(invalid(collection, name, "isn't supported yet: leave it out, or send null")),
        None => Ok(()),
    }
}

fn invalid(collection: &str, field: &str, why: &str) -> Error {
    Error::new(ErrorCode::FailedValidation, format!("`{field}` in `{collection}` {why}")).with_field(field)
}

/// What the status of a user may be. Only an active one can sign in.
const STATUSES: [&str; 6] = ["draft", "invited", "unverified", "active", "suspended", "archived"];

/// A user's e-mail is kept in lower case, so that signing in doesn't depend on it; a static token is kept as its fingerprint.
fn user_fields(item: &mut Item) -> Result<()> {
    if item.get("status").is_some_and(|status| !STATUSES.iter().any(|known| status == known)) {
        return Err(invalid("daas_users", "status", &format!("must be one of {}", STATUSES.map(|s| format!("`{s}`")).join(", "))));
    }
    if let Some(Value::String(email)) = item.get_mut("email") {
        *email = email.trim().to_lowercase();
        if !email.contains('@') {
            return Err(invalid("daas_users", "email", "must be an e-mail address"));
        }
    }
    if let Some(Value::String(secret)) = item.get_mut("token") {
        if secret.chars().count() < 16 {
            return Err(invalid("daas_users", "token", "must have at least 16 characters"));
        }
        *secret = token::fingerprint(secret);
    }
    Ok(())
}

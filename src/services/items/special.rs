//! Fields that the host fills in, and what rows of the system's own collections may hold.

use serde_json::{Value, json};

use crate::auth::policies::networks;
use crate::auth::{Action, token};
use crate::db::{Collection, Filter, Op, Query, Schema, Special};
use crate::error::{Error, ErrorCode, Result};
use crate::services::query::{Everything, Reader, clip, parse_filter};
use crate::services::{Ctx, Item, module_access, select};

/// Which kind of write the special fields are filled in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A new row.
    Create,
    /// Changes of rows.
    Update,
}

/// Fills in what the field's special roles ask for.
///
/// `keys` are those of the rows that a change is about.
pub async fn fill(ctx: &Ctx, collection: &Collection, occasion: Occasion, keys: &[Value], item: &mut Item) -> Result<()> {
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
        "daas_permissions" => {
            permission_fields(&ctx.op.schema, item)?;
            changed_permissions(ctx, collection, keys, item).await
        }
        "daas_policies" => policy_fields(item),
        _ => Ok(()),
    }
}

/// What a permission says about items, each an object or null.
const RULES: [&str; 3] = ["permissions", "validation", "presets"];

/// A permission says nothing that can't be held: a rule that is stored and ignored would be worse than none. Its collection may come later.
fn permission_fields(schema: &Schema, item: &Item) -> Result<()> {
    const TABLE: &str = "daas_permissions";
    if let Some(action) = item.get("action") {
        action.as_str().and_then(Action::parse).ok_or_else(|| {
            let names = Action::ALL.map(|a| format!("`{}`", a.name())).join(", ");
            invalid(TABLE, "action", &format!("must be one of {names}"))
        })?;
    }
    match item.get("fields") {
        None | Some(Value::Null) => {}
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => {}
        Some(Value::String(_)) => {}
        Some(_) => return Err(invalid(TABLE, "fields", "must be an array of names; `*` is every field")),
    }
    let collection = item.get("collection").and_then(Value::as_str).and_then(|name| schema.collection(name));
    for name in RULES {
        match (item.get(name), collection) {
            (None | Some(Value::Null), _) => {}
            (Some(Value::Object(_)), None) => {}
            (Some(filter @ Value::Object(_)), Some(collection)) if name != "presets" => {
                let why = |e: Error| invalid(TABLE, name, &format!("isn't a filter of `{}`: {}", collection.name, e.message()));
                let sight = Everything(schema);
                parse_filter(&Reader::of(&sight), collection, Some(filter)).map_err(why)?;
            }
            (Some(Value::Object(presets)), Some(collection)) => {
                if let Some(field) = presets.keys().find(|f| collection.field(f).is_none() && collection.alias(f).is_none()) {
                    return Err(invalid(TABLE, name, &format!("names `{}`, which is no field of `{}`", clip(field), collection.name)));
                }
            }
            (Some(_), _) => return Err(invalid(TABLE, name, "must be an object, or null")),
        }
    }
    Ok(())
}

/// Holds what is changed of permissions against what stays as it is: a rule against the collection, the rules against another collection.
async fn changed_permissions(ctx: &Ctx, table: &Collection, keys: &[Value], item: &Item) -> Result<()> {
    let moves = item.contains_key("collection");
    if keys.is_empty() || !(moves || RULES.iter().any(|name| item.contains_key(*name))) {
        return Ok(());
    }
    let fields = ["collection", "permissions", "validation", "presets"];
    let key = &table.primary_key().name;
    let query = Query { filter: Some(Filter::field(key, Op::In(keys.to_vec()))), ..Query::default() };
    for stored in select::select(ctx, table, &fields, &query).await? {
        let mut whole: Item = fields.iter().map(|name| (*name).to_owned()).zip(stored).collect();
        // Without another collection what isn't changed isn't looked at: it may have been there before its collection.
        whole.retain(|name, _| moves || name == "collection");
        whole.extend(item.iter().filter(|(name, _)| fields.contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())));
        permission_fields(&ctx.op.schema, &whole)?;
    }
    Ok(())
}

fn policy_fields(item: &Item) -> Result<()> {
    if let Some(Err(entry)) = item.get("ip_access").map(networks) {
        let why = format!(
            "must be an array of addresses (`10.0.0.1`), networks (`10.0.0.0/8`) and ranges (`10.0.0.1-10.0.0.9`), not: {}",
            clip(&entry)
        );
        return Err(invalid("daas_policies", "ip_access", &why));
    }
    let access = item.get("module_access").unwrap_or(&Value::Null);
    module_access::check(access).map_err(|why| invalid("daas_policies", "module_access", &why))
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

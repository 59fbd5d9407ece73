//! What callers are told about their own rights, in the shapes of Directus: for user interfaces, which show what may be done. Nothing is
//! decided by it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::items::{ItemsService, parse_key};
use super::{Ctx, Item};
use crate::auth::grants::United;
use crate::auth::{Action, FieldSet, Who};
use crate::db::{Collection, FieldType, Filter, rows};
use crate::error::{Error, ErrorCode, Result};

/// `{ collection: { action: { access: none | partial | full, fields, presets } } }` for every collection that anything is granted in.
pub fn everywhere(ctx: &Ctx) -> Value {
    let mut all: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    if ctx.who.is_admin() {
        for name in ctx.op.schema.names() {
            let full = Action::ALL.map(|action| (action.name().to_owned(), json!({ "access": "full", "fields": ["*"] })));
            all.insert(name, Map::from_iter(full));
        }
    }
    for name in ctx.who.grants.rights().map(|(name, ..)| name) {
        let Some(collection) = ctx.op.schema.collection(name) else { continue };
        if !all.contains_key(name) {
            let told = Action::ALL.map(|action| (action.name().to_owned(), ctx.united(action, collection).map_or_else(|_| none(), told)));
            all.insert(name, Map::from_iter(told));
        }
    }
    json!(all)
}

fn none() -> Value {
    json!({ "access": "none" })
}

fn told(united: &United) -> Value {
    let access = if united.items.is_none() { "full" } else { "partial" };
    let mut told = json!({ "access": access, "fields": fields(&united.fields) });
    if !united.presets.is_empty() {
        told["presets"] = json!(united.presets);
    }
    told
}

fn fields(set: &FieldSet) -> Value {
    match set {
        FieldSet::All => json!(["*"]),
        FieldSet::Some(names) => json!(names),
    }
}

/// `{ update: { access, fields, presets }, delete: { access }, share: { access } }` of one item; of the collection where there is no key.
///
/// # Errors
/// `Unauthorized` for who isn't signed in, `InvalidId` for what can't be a key. A collection that isn't there is one without rights.
pub async fn of_item(ctx: &Ctx, name: &str, key: Option<&Value>) -> Result<Value> {
    if matches!(ctx.who.who, Who::Anonymous) {
        return Err(Error::new(ErrorCode::Unauthorized, "Sign in first: there is nobody behind this request"));
    }
    let mut answer = json!({});
    let collection = ctx.op.schema.collection(name);
    for action in [Action::Update, Action::Delete, Action::Share] {
        let may = match collection {
            Some(collection) => one(ctx, collection, action, key).await?,
            None => None,
        };
        answer[action.name()] = match may {
            None => json!({ "access": false }),
            Some(may) if action == Action::Update => json!({ "access": true, "fields": may["fields"], "presets": may["presets"] }),
            Some(_) => json!({ "access": true }),
        };
    }
    Ok(answer)
}

async fn one(ctx: &Ctx, collection: &Collection, action: Action, key: Option<&Value>) -> Result<Option<Value>> {
    let mut key = key.map(|key| parse_key(collection, key)).transpose()?;
    let mut needed = action;
    if collection.singleton && key.is_none() {
        key = ItemsService::new(ctx, &collection.name).the_key().await?;
        // Its first change makes it.
        if action == Action::Update && key.is_none() {
            needed = Action::Create;
        }
    }
    let granted = if ctx.who.is_admin() {
        json!({ "fields": ["*"], "presets": {} })
    } else {
        match ctx.united(needed, collection) {
            Ok(united) => json!({ "fields": fields(&united.fields), "presets": united.presets }),
            Err(_) => return Ok(None),
        }
    };
    let Some(key) = key else { return Ok(Some(granted)) };
    let rule = ctx.row_rule(needed, collection).await?.unwrap_or(Filter::Const(true));
    let sql = std::sync::Arc::new(rows::look(ctx.core.db.dialect(), collection, &[key], &[rule])?);
    let ty = collection.primary_key().ty;
    let found = ctx
        .read(move |conn| {
            let sql = std::sync::Arc::clone(&sql);
            Box::pin(async move { conn.select(&sql, &[ty, FieldType::Boolean]).await })
        })
        .await?;
    Ok(found.first().is_some_and(|row| row[1] == true).then_some(granted))
}

/// What the caller's policies allow beside items.
pub fn globals(ctx: &Ctx) -> Value {
    let grants = &ctx.who.grants;
    json!({ "app_access": grants.app || grants.admin, "admin_access": grants.admin, "enforce_tfa": false })
}

/// The roles of the caller, which they may always know of.
pub async fn roles(ctx: &Ctx, query: &Item) -> Result<Vec<Item>> {
    let Who::User(user) = &ctx.who.who else {
        return Err(Error::new(ErrorCode::Unauthorized, "Sign in first: there is nobody behind this request"));
    };
    let shape = Item::from_iter(query.get("fields").map(|fields| ("fields".to_owned(), fields.clone())));
    let keys: Vec<Value> = user.roles.iter().map(|role| json!(role)).collect();
    let free = ctx.with(true, true);
    ItemsService::new(&free, "daas_roles").read_many(&keys, &shape, super::ctx::Hold::No).await
}

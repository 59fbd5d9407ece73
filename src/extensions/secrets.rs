//! The secrets of extensions: kept encrypted, written over the API and never read there, handed to the code of their extension only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::authors::Author;
use super::rows;
use super::store::Extensions;
use crate::bridge::Secrets;
use crate::config::Secret;
use crate::db::{Db, Filter, Op, Query, Sort, sql, system, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::services::Item;
use crate::services::changes::{self, Kind};
use crate::services::operation::Start;
use crate::services::query::clip;

/// Secrets of one extension.
const MAX_SECRETS: usize = 100;
/// Longest value, in bytes.
const MAX_VALUE: usize = 64 * 1024;
/// Longest name, in bytes.
const MAX_NAME: usize = 100;

/// A stored secret.
struct Row {
    id: String,
    extension: String,
    name: String,
    value: String,
    updated_at: Value,
}

impl Row {
    /// What the value was sealed for.
    fn owner(&self) -> String {
        owner(&self.extension, &self.name)
    }
}

fn owner(extension: &str, name: &str) -> String {
    format!("{extension}/{name}")
}

impl Extensions {
    /// The names of an extension's secrets, and when each was set.
    pub async fn secrets(&self, start: Start, id: &str) -> Result<Vec<Item>> {
        self.managed(&start, id).await?;
        let rows = stored(&self.shared.core.db, Some(id)).await?;
        let shown = |row: &Row| {
            let is_readable = self.shared.core.sealer.open(&row.owner(), &row.value).is_some();
            Item::from_iter([
                ("name".to_owned(), json!(row.name)),
                ("updated_at".to_owned(), row.updated_at.clone()),
                ("readable".to_owned(), json!(is_readable)),
            ])
        };
        Ok(rows.iter().map(shown).collect())
    }

    /// Sets a secret. The next call of the extension has it.
    ///
    /// # Errors
    /// 400 for a name or a value that can't be one, 404 where there is no such extension, 409 where a variable of the host has that name.
    pub async fn set_secret(&self, start: Start, id: &str, name: &str, body: &Item) -> Result<Item> {
        Author::of(&start.who)?;
        let is_name = name.len() <= MAX_NAME
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            let why = format!(
                "The name of a secret has up to {MAX_NAME} letters, digits and `_`, and begins with none of the digits, not: {}",
                clip(name)
            );
            return Err(Error::payload(why).with_field("name"));
        }
        if let Some(other) = body.keys().find(|member| *member != "value") {
            return Err(Error::payload(format!("A secret has the member `value`, not `{}`", clip(other))));
        }
        let value = match body.get("value") {
            Some(Value::String(value)) if (1..=MAX_VALUE).contains(&value.len()) && !value.contains('\0') => value,
            // What was sent is never shown: it may be the right value in the wrong shape.
            _ => return Err(Error::payload(format!("`value` must be a text of 1 to {MAX_VALUE} bytes without NUL")).with_field("value")),
        };
        self.managed(&start, id).await?;
        let lagging = start.lagging.clone();
        let core = &self.shared.core;
        if core.config.extension_env.contains_key(name) {
            let why = format!("The host gives every extension a variable `{name}`: choose another name for the secret");
            return Err(Error::new(ErrorCode::Conflict, why).with_field("name"));
        }
        let one = self.change.lock().await;
        let others = stored(&core.db, Some(id)).await?.iter().filter(|row| row.name != name).count();
        if others >= MAX_SECRETS {
            return Err(Error::new(ErrorCode::Conflict, format!("An extension has at most {MAX_SECRETS} secrets")));
        }
        let (dialect, table) = (core.db.dialect(), system::extension_secrets_table());
        let at = timestamp(core.clock.now());
        let row = Item::from_iter([
            ("id".to_owned(), json!(Uuid::now_v7().to_string())),
            ("extension".to_owned(), json!(id)),
            ("name".to_owned(), json!(name)),
            ("value".to_owned(), json!(self.shared.core.sealer.seal(&owner(id, name), value)?)),
            ("updated_at".to_owned(), json!(at)),
        ]);
        let (old, new) = (sql::delete_where(dialect, &table, &of(id, Some(name)))?, sql::insert(dialect, &table, &row, &[])?);
        core.db.write_all(vec![old, new, changes::noted(dialect, Kind::Extensions)]).await?;
        self.swap().await?;
        drop(one);
        self.settle(&lagging).await;
        Ok(Item::from_iter([("name".to_owned(), json!(name)), ("updated_at".to_owned(), json!(at)), ("readable".to_owned(), json!(true))]))
    }

    /// Takes a secret away.
    ///
    /// # Errors
    /// 404 where there is no such extension or no such secret.
    pub async fn delete_secret(&self, start: Start, id: &str, name: &str) -> Result<()> {
        self.managed(&start, id).await?;
        let lagging = start.lagging.clone();
        let core = &self.shared.core;
        let one = self.change.lock().await;
        if !stored(&core.db, Some(id)).await?.iter().any(|row| row.name == name) {
            return Err(Error::new(ErrorCode::NotFound, format!("The extension has no secret `{}`", clip(name))));
        }
        self.forget_secrets(id, Some(name)).await?;
        self.swap().await?;
        drop(one);
        self.settle(&lagging).await;
        Ok(())
    }

    /// Deletes the secrets of an extension, or one of them.
    pub(super) async fn forget_secrets(&self, id: &str, name: Option<&str>) -> Result<()> {
        let db = &self.shared.core.db;
        let gone = sql::delete_where(db.dialect(), &system::extension_secrets_table(), &of(id, name))?;
        db.write_all(vec![gone, changes::noted(db.dialect(), Kind::Extensions)]).await
    }

    /// The secrets of every extension that has some. Those that were sealed with the secret before are sealed anew.
    pub(super) async fn all_secrets(&self) -> Result<HashMap<String, Arc<Secrets>>> {
        let db = &self.shared.core.db;
        let (dialect, table) = (db.dialect(), system::extension_secrets_table());
        let mut by_extension: HashMap<String, BTreeMap<String, Secret>> = HashMap::new();
        let mut anew = Vec::new();
        for row in stored(db, None).await? {
            let Some(opened) = self.shared.core.sealer.open(&row.owner(), &row.value) else {
                tracing::error!(
                    extension = row.extension,
                    name = row.name,
                    "a secret can't be decrypted: was SECRET changed without SECRET_PREVIOUS?"
                );
                continue;
            };
            if opened.is_old {
                let changes = Item::from_iter([("value".to_owned(), json!(self.shared.core.sealer.seal(&row.owner(), &opened.text)?))]);
                let unchanged =
                    Filter::And(vec![Filter::field("id", Op::Eq(json!(row.id))), Filter::field("value", Op::Eq(json!(row.value)))]);
                anew.push(sql::update_where(dialect, &table, &unchanged, &changes)?);
            }
            by_extension.entry(row.extension).or_default().insert(row.name, Secret::new(opened.text));
        }
        if !anew.is_empty() {
            tracing::info!(secrets = anew.len(), "secrets are encrypted with SECRET now: SECRET_PREVIOUS is not needed for them any more");
            db.write_all(anew).await?;
        }
        Ok(by_extension.into_iter().map(|(id, values)| (id, Arc::new(Secrets::new(values)))).collect())
    }
}

fn of(extension: &str, name: Option<&str>) -> Filter {
    let extension = Filter::field("extension", Op::Eq(json!(extension)));
    match name {
        Some(name) => Filter::And(vec![extension, Filter::field("name", Op::Eq(json!(name)))]),
        None => extension,
    }
}

/// The stored secrets of one extension, or of all, by name.
async fn stored(db: &Db, extension: Option<&str>) -> Result<Vec<Row>> {
    let sort = vec![Sort::up("name")];
    let query = Query { filter: extension.map(|id| of(id, None)), sort, ..Query::default() };
    let text = |row: &Item, name: &str| {
        let value = row.get(name).and_then(Value::as_str).map(str::to_owned);
        value.ok_or_else(|| Error::internal(format!("a row of daas_extension_secrets has no `{name}`")))
    };
    let one = |row: Item| {
        let updated_at = row.get("updated_at").cloned().unwrap_or_default();
        Ok(Row {
            id: text(&row, "id")?,
            extension: text(&row, "extension")?,
            name: text(&row, "name")?,
            value: text(&row, "value")?,
            updated_at,
        })
    };
    rows::find(db, &system::extension_secrets_table(), &query).await?.into_iter().map(one).collect()
}

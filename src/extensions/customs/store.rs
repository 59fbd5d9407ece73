//! `/api/services`: the rows of custom services, checked before they are stored and live for the very next call.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::super::definition::TIMEOUT_MS;
use super::super::rows;
use super::super::store::{Extensions, admin, invalid_code};
use super::{Custom, Customs, TABLE, named_in};
use crate::db::{Query, Schema};
use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::{Source, Unit};
use crate::services::Item;
use crate::services::items::{ItemsService, Listing};
use crate::services::members::{choice, number, only, text, wrong};
use crate::services::operation::Start;
use crate::services::query::{clip, show};

/// What an author may set.
const WRITABLE: [&str; 7] = ["id", "name", "description", "code", "tests", "status", "timeout_ms"];
/// Longest name, in bytes.
const MAX_NAME: usize = 63;
/// Longest code, in bytes.
const MAX_CODE: usize = 1 << 20;
/// Tests of one service.
const MAX_TESTS: usize = 100;
/// Heap of the check and of the tests: what an extension has that says nothing.
pub(super) const MEMORY: usize = 64 << 20;

/// A custom service as its author defined it.
pub(super) struct Definition {
    pub(super) custom: Custom,
    pub(super) tests: Vec<(String, String)>,
    /// Limit of one test, in milliseconds.
    pub(super) timeout_ms: u64,
}

impl Definition {
    pub(super) fn from_row(row: &Item) -> Result<Self> {
        let name = text(row, "name")?;
        let is_name = (1..=MAX_NAME).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-');
        if !is_name {
            let why = format!("must be up to {MAX_NAME} small letters, digits, `_` and `-`, beginning with a letter, not: {}", clip(name));
            return Err(wrong("name", &why));
        }
        let code = text(row, "code")?;
        if code.len() > MAX_CODE {
            return Err(wrong("code", &format!("must have at most {MAX_CODE} bytes")));
        }
        let active = choice(row, "status", &[("active", true), ("inactive", false)])?;
        let timeout_ms = number(row, "timeout_ms", TIMEOUT_MS)?.unsigned_abs();
        let custom = Custom { name: name.to_owned(), needs: named_in(code), code: code.into(), active };
        Ok(Self { custom, tests: tests(row)?, timeout_ms })
    }
}

/// `[{ name, code }]`
fn tests(row: &Item) -> Result<Vec<(String, String)>> {
    let list = match row.get("tests") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) if list.len() <= MAX_TESTS => list,
        Some(Value::Array(_)) => return Err(wrong("tests", &format!("may have at most {MAX_TESTS} entries"))),
        Some(other) => return Err(wrong("tests", &format!("must be an array of {{ name, code }}, not: {}", show(other)))),
    };
    let mut names = BTreeSet::new();
    list.iter()
        .enumerate()
        .map(|(at, test)| {
            let member =
                |name: &str| test.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty() && text.len() <= MAX_CODE);
            let (Some(name), Some(code), Some(2)) = (member("name"), member("code"), test.as_object().map(serde_json::Map::len)) else {
                return Err(wrong("tests", &format!("entry {at} must be {{ name, code }} with two texts, not: {}", show(test))));
            };
            if !names.insert(name) {
                return Err(wrong("tests", &format!("there are two tests called `{}`", clip(name))));
            }
            Ok((name.to_owned(), code.to_owned()))
        })
        .collect()
}

impl Extensions {
    /// A page of custom services.
    pub async fn custom_services(&self, start: Start, query: &Item) -> Result<Listing> {
        admin(&start.who)?;
        self.shared.core.operate(start, |ctx| async move { ItemsService::by_own_door(&ctx, TABLE).list(query).await }).await
    }

    /// One custom service.
    pub async fn custom_service(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        admin(&start.who)?;
        let key = &json!(id);
        let read = |ctx| async move { ItemsService::by_own_door(&ctx, TABLE).read_one(key, query, crate::services::ctx::Hold::No).await };
        self.shared.core.operate(start, read).await
    }

    /// Makes one.
    ///
    /// # Errors
    /// 400 for what can't be one, with the place where the code doesn't compile; 409 for a cycle.
    pub async fn create_custom_service(&self, start: Start, mut item: Item) -> Result<Item> {
        admin(&start.who)?;
        only(&item, &WRITABLE)?;
        let definition = Definition::from_row(&item)?;
        self.check_custom(&definition, None).await?;
        item.insert("dependencies".to_owned(), json!(definition.custom.needs));
        item.insert("version".to_owned(), json!(1));
        let lagging = start.lagging.clone();
        let one = self.change.lock().await;
        let create = |ctx| {
            let item = item.clone();
            async move { ItemsService::by_own_door(&ctx, TABLE).create(vec![item]).await }
        };
        let rows = self.shared.core.operate(start, create).await?;
        self.swap().await?;
        drop(one);
        self.settle(&lagging).await;
        rows.into_iter().next().ok_or_else(|| Error::internal("a new custom service has no row"))
    }

    /// Changes one. What uses it has the new one from its next call on.
    pub async fn update_custom_service(&self, start: Start, id: &str, mut changes: Item) -> Result<Item> {
        admin(&start.who)?;
        only(&changes, &WRITABLE)?;
        if changes.shift_remove("id").is_some_and(|new| new != id) {
            return Err(wrong("id", "can't be changed"));
        }
        let old = self.custom_service(start.clone(), id, &Item::new()).await?;
        let mut merged = old.clone();
        merged.extend(changes.clone());
        let definition = Definition::from_row(&merged)?;
        let before = old.get("name").and_then(Value::as_str).unwrap_or_default();
        if definition.custom.name != before || !definition.custom.active {
            self.is_unused(before, if definition.custom.active { "renamed" } else { "switched off" })?;
        }
        self.check_custom(&definition, Some(before)).await?;
        changes.insert("dependencies".to_owned(), json!(definition.custom.needs));
        let version = old.get("version").and_then(Value::as_i64).unwrap_or(0);
        changes.insert("version".to_owned(), json!(version.saturating_add(1).min(i64::from(i32::MAX))));
        let lagging = start.lagging.clone();
        let one = self.change.lock().await;
        let key = json!(id);
        let update = |ctx| {
            let (key, changes) = (key.clone(), changes.clone());
            async move { ItemsService::by_own_door(&ctx, TABLE).update(vec![key], changes).await }
        };
        let rows = self.shared.core.operate(start, update).await?;
        self.swap().await?;
        drop(one);
        self.settle(&lagging).await;
        rows.into_iter().next().ok_or_else(|| Error::internal("a changed custom service has no row"))
    }

    /// Deletes one that nothing uses.
    pub async fn delete_custom_service(&self, start: Start, id: &str) -> Result<()> {
        admin(&start.who)?;
        let old = self.custom_service(start.clone(), id, &Item::new()).await?;
        self.is_unused(old.get("name").and_then(Value::as_str).unwrap_or_default(), "deleted")?;
        let lagging = start.lagging.clone();
        let one = self.change.lock().await;
        let key = json!(id);
        let delete = |ctx| {
            let key = key.clone();
            async move { ItemsService::by_own_door(&ctx, TABLE).delete(vec![key]).await }
        };
        self.shared.core.operate(start, delete).await?;
        self.swap().await?;
        drop(one);
        self.settle(&lagging).await;
        Ok(())
    }

    /// All of them as they are stored.
    pub(in super::super) async fn load_customs(&self) -> Result<Arc<Customs>> {
        let schema = Schema::system();
        let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_custom_services is not declared"))?;
        let rows = rows::find(&self.shared.core.db, table, &Query::default()).await?;
        Ok(Arc::new(Customs::of_rows(&rows)))
    }

    /// That what it needs is there, that nothing needs itself, and that its code and its tests compile.
    async fn check_custom(&self, definition: &Definition, before: Option<&str>) -> Result<()> {
        let Definition { custom, tests, .. } = definition;
        let set = self.current();
        let next = set.customs.with(custom.clone(), before);
        if let Some(missing) = custom.needs.iter().find(|name| next.get(name).is_none()) {
            return Err(wrong("code", &format!("there is no custom service `{}` to use", clip(missing))));
        }
        if let Some(cycle) = next.cycle(&custom.name) {
            return Err(
                Error::new(ErrorCode::Conflict, format!("Custom services that need each other can't be made: {cycle}")).with_field("code")
            );
        }
        let compile = async |name: &str, code: String, params: &[&str]| {
            let params = params.iter().map(|name| (*name).to_owned()).collect();
            let unit = Unit::new(name, Source::Body { code, params, answers: false }, MEMORY, false);
            let checked = self.shared.pool.check(&unit).await;
            self.shared.pool.retire(unit.id);
            checked.map(drop)
        };
        compile(&custom.name, custom.code.to_string(), &["context", "services"]).await.map_err(invalid_code)?;
        for (name, code) in tests {
            compile(name, super::check::wrapped(&custom.name, code), &["context", "services"]).await.map_err(|failure| {
                let why = failure.problems.into_iter().next().unwrap_or_default().message;
                wrong("tests", &format!("the code of `{}` doesn't compile: {why}", clip(name)))
            })?;
        }
        Ok(())
    }

    /// 409 if a custom service or an extension names it.
    fn is_unused(&self, name: &str, what: &str) -> Result<()> {
        let set = self.current();
        let mut users: Vec<String> = set.customs.users_of(name).into_iter().map(|user| format!("the custom service `{user}`")).collect();
        let uses = |source: &Source| match source {
            Source::Body { code, .. } => named_in(code).contains(name),
            Source::Modules { files, .. } => files.values().any(|text| named_in(text).contains(name)),
        };
        users.extend(
            set.by_id
                .values()
                .filter(|extension| uses(&extension.unit.source))
                .map(|extension| format!("the extension `{}`", extension.settings.name)),
        );
        users.sort();
        match users.is_empty() {
            true => Ok(()),
            false => Err(Error::new(ErrorCode::Conflict, format!("`{}` can't be {what}: it is used by {}", clip(name), users.join(", ")))),
        }
    }
}

//! Saving an extension: checked and compiled before it is stored, stored together with its version, live for the very next request.
//!
//! Every door that changes a row comes through here. Two who save at the same time don't undo each other's work unseen: the row is locked
//! and looked at again in the transaction of the save.

use serde_json::{Value, json};

use super::authors::Author;
use super::definition::{self, Definition, Status, check_members};
use super::history::{self, Change, definition_of, version_of};
use super::rows;
use super::set::Extension;
use super::store::{Extensions, TABLE, invalid_code};
use crate::db::{Filter, Op, Schema};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::outbox;
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::members::MAX_NAME;
use crate::services::operation::Start;
use crate::services::precondition::IfMatch;
use crate::services::query::clip;
use crate::services::{Ctx, Item};

/// How often a save is begun anew because somebody else's came between its check and its transaction.
pub(super) const MAX_ATTEMPTS: u32 = 5;
/// What waits at a new row, once it is known in which operation.
pub(super) type Waiting<'w> = dyn Fn(&Ctx) -> Value + Send + Sync + 'w;
/// Names that a copy is given before its author must choose one.
const MAX_NAMES: usize = 1_000;

impl Extensions {
    /// Stores a new extension: checked, compiled, live.
    pub async fn create(&self, start: Start, item: Item) -> Result<Item> {
        self.insert(start, item, Change::Create, None).await
    }

    /// Stores a new extension, with what waits there for a person, if anything.
    pub(super) async fn insert(&self, start: Start, item: Item, change: Change, waiting: Option<&Waiting<'_>>) -> Result<Item> {
        let author = Author::of(&start.who)?;
        check_members(&item)?;
        author.check(&item)?;
        self.check(&item, None).await?;
        let lagging = start.lagging.clone();
        let one = self.change.lock().await;
        let row = self
            .shared
            .core
            .operate(start, |ctx| {
                let (ctx, mut item) = (ctx.with(true, true).joining(), item.clone());
                async move {
                    if let Some(waiting) = waiting {
                        item.insert("pending".to_owned(), waiting(&ctx));
                    }
                    let made = ItemsService::by_own_door(&ctx, TABLE).create(vec![item]).await?;
                    let row = made.into_iter().next().ok_or_else(|| Error::internal("a new extension has no row"))?;
                    history::record(&ctx, &row, None, change).await?;
                    Ok(row)
                }
            })
            .await?;
        self.swap().await?;
        self.look_at_conflicting().await;
        drop(one);
        self.settle(&lagging).await;
        Ok(row)
    }

    /// Changes an extension: checked, compiled, live. Saving ends a cool-down, and mended code ends an `error`.
    ///
    /// # Errors
    /// 404 where there is no such extension, 412 where `expected` names another version, 409 where others change it all the time.
    pub async fn update(&self, start: Start, id: &str, mut changes: Item, change: Change, expected: &IfMatch) -> Result<Item> {
        Author::of(&start.who)?;
        self.is_row(id)?;
        check_changes(id, &mut changes)?;
        self.save(start, id, changes, change, expected).await
    }

    /// Saves changes whose members were looked at.
    pub(super) async fn save(&self, start: Start, id: &str, changes: Item, change: Change, expected: &IfMatch) -> Result<Item> {
        let author = Author::of(&start.who)?;
        for _ in 0..MAX_ATTEMPTS {
            let old = self.stored(start.clone(), id, &Item::new()).await?;
            author.check(&old)?;
            expected.check(&version_of(&old))?;
            let (mut merged, mut changes) = (old.clone(), changes.clone());
            merged.extend(changes.clone());
            let mends = ["code", "type", "memory_limit_mb"].iter().any(|member| changes.contains_key(*member));
            if mends && old.get("status") == Some(&json!("error")) && !changes.contains_key("status") {
                merged.insert("status".to_owned(), json!("active"));
                changes.insert("status".to_owned(), json!("active"));
            }
            author.check(&merged)?;
            self.check(&merged, Some(&old)).await?;
            let one = self.change.lock().await;
            if let Some(row) = self.store(start.clone(), &old, changes, change, expected).await? {
                self.swap().await?;
                self.look_at_conflicting().await;
                drop(one);
                self.settle(&start.lagging).await;
                return Ok(self.saved_row(id, row).await);
            }
        }
        Err(Error::new(ErrorCode::Conflict, "It is being changed by somebody else all the time: read it again, and try once more"))
    }

    /// Writes changes that were checked against `old`, and their version. `None`: somebody else's save came first.
    async fn store(&self, start: Start, old: &Item, changes: Item, change: Change, expected: &IfMatch) -> Result<Option<Item>> {
        let key = old.get("id").cloned().unwrap_or_default();
        self.shared
            .core
            .operate(start, |ctx| {
                let (ctx, key, changes) = (ctx.with(true, true).joining(), key.clone(), changes.clone());
                async move {
                    let items = ItemsService::by_own_door(&ctx, TABLE);
                    let now = items.read_one(&key, &Item::new(), Hold::Lock).await?;
                    expected.check(&version_of(&now))?;
                    if definition_of(&now) != definition_of(old) {
                        return Ok(None);
                    }
                    let row = items.update(vec![key], changes).await?;
                    let row = row.into_iter().next().ok_or_else(|| Error::internal("a changed extension has no row"))?;
                    history::record(&ctx, &row, Some(&now), change).await?;
                    Ok(Some(row))
                }
            })
            .await
    }

    /// A row that was saved, with what it is now.
    async fn saved_row(&self, id: &str, row: Item) -> Item {
        // Two saves may fall into one millisecond.
        if let Some(extension) = self.current().by_id.get(id) {
            extension.breaker.reset();
            extension.route_breaker.reset();
        }
        let mut row = [row];
        // The change is made, whatever comes of this.
        if let Err(error) = self.add_live(&mut row).await {
            tracing::warn!(%error, extension = id, "what an extension is now could not be told");
        }
        let [row] = row;
        row
    }

    /// Makes an extension what it was in one of its versions, its status included: checked and compiled as any other save.
    ///
    /// # Errors
    /// As [`Extensions::update`]; 404 for a version that isn't kept.
    pub async fn rollback(&self, start: Start, id: &str, body: &Item, expected: &IfMatch) -> Result<Item> {
        let (changes, number) = self.changes_back(&start, id, body).await?;
        self.update(start, id, changes, Change::Rollback(number), expected).await
    }

    /// What would make an extension what it was in the version that the body names, and that version's number.
    pub(super) async fn changes_back(&self, start: &Start, id: &str, body: &Item) -> Result<(Item, i64)> {
        let author = Author::of(&start.who)?;
        self.is_row(id)?;
        only(body, "A rollback", "version")?;
        let number = match body.get("version") {
            Some(Value::Number(number)) => number.as_i64().filter(|number| (1..=i64::from(i32::MAX)).contains(number)),
            _ => None,
        };
        let wrong = || Error::payload("`version` must be the number of a version, as the history shows it").with_field("version");
        let number = number.ok_or_else(wrong)?;
        let row = self.stored(start.clone(), id, &Item::new()).await?;
        author.check(&row)?;
        let mut changes = self.saved(row.get("id").unwrap_or(&Value::Null), number).await?;
        // The host's word about code that didn't load then: whether it does now is found out.
        if changes.get("status") == Some(&json!("error")) {
            changes.shift_remove("status");
        }
        Ok((changes, number))
    }

    /// Makes an inactive copy of an extension, under the name that the body asks for or one with a suffix.
    ///
    /// # Errors
    /// 404 where there is no such extension, 409 where the name that was asked for is taken, and as [`Extensions::create`].
    pub async fn duplicate(&self, start: Start, id: &str, body: &Item) -> Result<Item> {
        let author = Author::of(&start.who)?;
        self.is_row(id)?;
        only(body, "A copy", "name")?;
        let original = self.stored(start.clone(), id, &Item::new()).await?;
        author.check(&original)?;
        let mut copy = definition_of(&original);
        copy.insert("status".to_owned(), json!("inactive"));
        if let Some(name) = body.get("name").filter(|name| !name.is_null()) {
            copy.insert("name".to_owned(), name.clone());
            return self.insert(start, copy, Change::Clone, None).await;
        }
        let original = copy.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        for nth in 1..=MAX_NAMES {
            let name = copy_name(&original, nth);
            if !self.is_name_free(&name).await? {
                continue;
            }
            copy.insert("name".to_owned(), json!(name));
            match self.insert(start.clone(), copy.clone(), Change::Clone, None).await {
                // Somebody else took it meanwhile.
                Err(error) if error.code() == ErrorCode::RecordNotUnique => {}
                made => return made,
            }
        }
        Err(Error::new(ErrorCode::Conflict, "There are too many copies of it: choose a `name`").with_field("name"))
    }

    async fn is_name_free(&self, name: &str) -> Result<bool> {
        let schema = Schema::system();
        let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
        Ok(rows::count(&self.shared.core.db, table, Filter::field("name", Op::Eq(json!(name)))).await? == 0)
    }

    /// Deletes an extension, with its versions.
    ///
    /// # Errors
    /// 404 where there is no such extension, 412 where `expected` names another version.
    pub async fn delete(&self, start: Start, id: &str, expected: &IfMatch) -> Result<()> {
        let author = &Author::of(&start.who)?;
        self.is_row(id)?;
        let lagging = start.lagging.clone();
        let one = self.change.lock().await;
        let key = json!(id);
        self.shared
            .core
            .operate(start, |ctx| {
                let (ctx, key) = (ctx.with(true, true).joining(), key.clone());
                async move {
                    let items = ItemsService::by_own_door(&ctx, TABLE);
                    let now = items.read_one(&key, &Item::new(), Hold::Lock).await?;
                    author.check(&now)?;
                    expected.check(&version_of(&now))?;
                    let key = now.get("id").cloned().unwrap_or_default();
                    history::forget(&ctx, &key).await?;
                    items.delete(vec![key]).await
                }
            })
            .await?;
        self.swap().await?;
        self.look_at_conflicting().await;
        let core = &self.shared.core;
        self.forget_runs(id, true).await;
        self.forget_secrets(id, None).await?;
        self.write(outbox::give_up(core.db.dialect(), id, core.clock.now())?).await?;
        drop(one);
        self.settle(&lagging).await;
        Ok(())
    }

    /// Checks a row as it is about to be stored, and that its code compiles under its limits, in a worker.
    pub(super) async fn check(&self, row: &Item, old: Option<&Item>) -> Result<()> {
        let unchanged = |members: &[&str]| old.is_some_and(|old| members.iter().all(|member| old.get(*member) == row.get(*member)));
        // Switching off is always possible, whatever else is wrong with the row.
        if row.get("status") == Some(&json!("inactive")) && unchanged(&definition::CHECKED) {
            return Ok(());
        }
        let definition = Definition::from_row(row)?;
        if definition.status == Status::Error {
            return Err(Error::payload("`status`: must be `active` or `inactive`; the host sets `error`").with_field("status"));
        }
        let was_broken = old.is_some_and(|old| old.get("status") == Some(&json!("error")));
        if unchanged(&["code", "type", "name", "memory_limit_mb", "state"]) && !was_broken {
            return Ok(());
        }
        // A version of its own, which ends with this check: what is stored gets its workers when it is first called.
        let candidate = Extension::of_row(definition, &self.current().customs, &self.shared.pool, self.shared.core.clock.now());
        self.shared.pool.check(&candidate.unit).await.map_err(invalid_code).map(drop)
    }
}

/// Refuses members that no author may change.
pub(super) fn check_changes(id: &str, changes: &mut Item) -> Result<()> {
    check_members(changes)?;
    match changes.shift_remove("id") {
        Some(new) if new != id => Err(Error::payload("`id` can't be changed").with_field("id")),
        _ => Ok(()),
    }
}

/// Refuses members other than the one that there is.
fn only(body: &Item, what: &str, member: &str) -> Result<()> {
    match body.keys().find(|key| *key != member) {
        Some(key) => Err(Error::payload(format!("{what} has no member `{}`; it has `{member}`", clip(key))).with_field(clip(key))),
        None => Ok(()),
    }
}

/// The name of the `nth` copy, no longer than a name may be.
fn copy_name(original: &str, nth: usize) -> String {
    let suffix = if nth == 1 { " (copy)".to_owned() } else { format!(" (copy {nth})") };
    let room = MAX_NAME - suffix.chars().count();
    let kept: String = original.chars().take(room).collect();
    format!("{}{suffix}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_copy_is_a_name() {
        assert_eq!(copy_name("Slug", 1), "Slug (copy)");
        assert_eq!(copy_name("Slug", 12), "Slug (copy 12)");
        for nth in [1, 2, MAX_NAMES] {
            let name = copy_name(&"ä".repeat(MAX_NAME), nth);
            assert_eq!(name.chars().count(), MAX_NAME);
            assert!(name.ends_with(')'), "{name}");
        }
    }
}

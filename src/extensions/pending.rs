//! Changes that wait for a person. With `MCP_ACTIVATION=approve` an agent's change of an active extension, or one that would make an
//! extension active, is kept beside the row, which stays what it is and keeps running, until somebody confirms it over REST.
//!
//! What isn't active and doesn't become so is changed at once: nothing runs of it. A proposal is checked and compiled when it is made, and
//! again when it is confirmed, as it is then an ordinary save. `mcp` proposes, `http` confirms and declines.

use std::sync::Arc;

use serde_json::{Value, json};

use super::authors::Author;
use super::history::{Change, version_of};
use super::save::{MAX_ATTEMPTS, check_changes};
use super::store::{Extensions, TABLE};
use crate::db::{Schema, sql, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::services::ctx::Hold;
use crate::services::items::ItemsService;
use crate::services::operation::Start;
use crate::services::precondition::IfMatch;
use crate::services::{Ctx, Item};

/// Whether something waits at this row.
pub(super) fn waits(row: &Item) -> bool {
    row.get("pending").is_some_and(|pending| !pending.is_null())
}

/// Who proposed what waits at this row.
pub(super) fn author(row: &Item) -> Value {
    row.get("pending").and_then(|pending| pending.get("by")).cloned().unwrap_or_default()
}

/// What waits at this row would change.
fn changes_of(row: &Item) -> Item {
    row.get("pending").and_then(|pending| pending.get("changes")?.as_object()).cloned().unwrap_or_default()
}

/// Whether it runs, or would if its code loaded.
fn is_live(row: &Item) -> bool {
    row.get("status") != Some(&json!("inactive"))
}

/// As the row keeps it: `{ change, of_version, changes, by, at, request_id }`.
fn pending(ctx: &Ctx, changes: &Item, change: Change) -> Value {
    json!({
        "change": change.name(),
        "of_version": change.of_version(),
        "changes": changes,
        "by": ctx.user_value(),
        "at": timestamp(ctx.core.clock.now()),
        "request_id": &*ctx.op.request_id,
    })
}

/// How a confirmed change is written down.
fn confirmed(row: &Item, forced: bool) -> Change {
    let waiting = row.get("pending").unwrap_or(&Value::Null);
    match waiting["change"].as_str().unwrap_or_default() {
        "update" => Change::Update,
        "rollback" => Change::Rollback(waiting["of_version"].as_i64().unwrap_or_default()),
        "deactivate" if !forced => Change::Deactivate,
        _ => Change::Activate,
    }
}

impl Extensions {
    /// Stores a new extension as [`Extensions::create`] does, but inactive: where it was to be active, that waits.
    pub async fn propose_new(&self, start: Start, mut item: Item) -> Result<Item> {
        let wants = item.get("status").cloned().unwrap_or_default();
        // A status that isn't one is refused as it always is.
        let is_live = wants.is_null() || wants == "active";
        if !is_live {
            return self.create(start, item).await;
        }
        item.insert("status".to_owned(), json!("inactive"));
        let activate = Item::from_iter([("status".to_owned(), json!("active"))]);
        let row = self.insert(start, item, Change::Create, Some(&|ctx: &Ctx| pending(ctx, &activate, Change::Create))).await?;
        tell(&row);
        Ok(row)
    }

    /// Changes an extension as [`Extensions::update`] does where nothing runs of it before and after; else keeps the changes for a person,
    /// together with those that wait already.
    ///
    /// # Errors
    /// As [`Extensions::update`]: also a proposal must compile.
    pub async fn propose(&self, start: Start, id: &str, mut changes: Item, change: Change, expected: &IfMatch) -> Result<Item> {
        let author = Author::of(&start.who)?;
        self.is_row(id)?;
        check_changes(id, &mut changes)?;
        for _ in 0..MAX_ATTEMPTS {
            let old = self.stored(start.clone(), id, &Item::new()).await?;
            author.check(&old)?;
            expected.check(&version_of(&old))?;
            let mut wanted = changes_of(&old);
            wanted.extend(changes.clone());
            wanted.retain(|name, value| old.get(name) != Some(value));
            let mut merged = old.clone();
            merged.extend(wanted.clone());
            author.check(&merged)?;
            let done = if wanted.is_empty() || !(is_live(&old) || is_live(&merged)) {
                // Nothing is left to wait for.
                let old = if waits(&old) { self.set_pending(start.clone(), &old, None).await? } else { Some(old) };
                match old {
                    Some(old) if !wanted.is_empty() => {
                        let this = IfMatch::Versions(vec![version_of(&old)]);
                        self.update(start.clone(), id, wanted, change, &this).await.map(Some)
                    }
                    old => Ok(old),
                }
            } else {
                if old.get("status") == Some(&json!("error")) && !wanted.contains_key("status") {
                    // What it is once the mended code is saved.
                    merged.insert("status".to_owned(), json!("active"));
                }
                self.check(&merged, Some(&old)).await?;
                // Of several that wait together, what they are together is an update.
                let change = if changes_of(&old).is_empty() { change } else { Change::Update };
                self.set_pending(start.clone(), &old, Some((wanted, change))).await
            };
            match done {
                Ok(Some(row)) => {
                    if waits(&row) {
                        tell(&row);
                    }
                    return self.shown(row).await;
                }
                Ok(None) => {}
                Err(error) if error.code() == ErrorCode::PreconditionFailed && *expected == IfMatch::Unsaid => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorCode::Conflict, "It is being changed by somebody else all the time: read it again, and try once more"))
    }

    /// Proposes what [`Extensions::rollback`] does.
    pub async fn propose_rollback(&self, start: Start, id: &str, body: &Item, expected: &IfMatch) -> Result<Item> {
        let (changes, number) = self.changes_back(&start, id, body).await?;
        self.propose(start, id, changes, Change::Rollback(number), expected).await
    }

    /// Deletes an extension of which nothing runs.
    ///
    /// # Errors
    /// As [`Extensions::delete`]; 409 for one that is active.
    pub async fn delete_inactive(&self, start: Start, id: &str, expected: &IfMatch) -> Result<()> {
        let author = Author::of(&start.who)?;
        self.is_row(id)?;
        let row = self.stored(start.clone(), id, &Item::new()).await?;
        author.check(&row)?;
        expected.check(&version_of(&row))?;
        if is_live(&row) {
            return Err(Error::new(
                ErrorCode::Conflict,
                "It is active: propose to deactivate it, and delete it once a person has confirmed that",
            ));
        }
        self.delete(start, id, &IfMatch::Versions(vec![version_of(&row)])).await
    }

    /// Switches an extension on. What waits there is confirmed with it.
    ///
    /// # Errors
    /// As [`Extensions::update`].
    pub async fn activate(&self, start: Start, id: &str, expected: &IfMatch) -> Result<Item> {
        let active = Item::from_iter([("status".to_owned(), json!("active"))]);
        match self.waiting(&start, id, expected).await? {
            None => self.update(start, id, active, Change::Activate, expected).await,
            Some(row) => self.take_up(start, id, &row, active).await,
        }
    }

    /// Switches an extension off. What waits there is declined with it.
    ///
    /// # Errors
    /// As [`Extensions::update`].
    pub async fn deactivate(&self, start: Start, id: &str, expected: &IfMatch) -> Result<Item> {
        let inactive = Item::from_iter([("status".to_owned(), json!("inactive"))]);
        match self.waiting(&start, id, expected).await? {
            None => self.update(start, id, inactive, Change::Deactivate, expected).await,
            Some(row) => {
                self.drop_pending(start.clone(), &row).await?;
                self.update(start, id, inactive, Change::Deactivate, &IfMatch::Unsaid).await
            }
        }
    }

    /// Makes what waits at an extension hold.
    ///
    /// # Errors
    /// As [`Extensions::update`]; 409 where nothing waits.
    pub async fn confirm(&self, start: Start, id: &str, expected: &IfMatch) -> Result<Item> {
        let row = self.waiting(&start, id, expected).await?.ok_or_else(nothing_waits)?;
        self.take_up(start, id, &row, Item::new()).await
    }

    /// Takes what waits at an extension away.
    ///
    /// # Errors
    /// 404 where there is no such extension, 409 where nothing waits, 412 where `expected` names another version.
    pub async fn decline(&self, start: Start, id: &str, expected: &IfMatch) -> Result<Item> {
        let row = self.waiting(&start, id, expected).await?.ok_or_else(nothing_waits)?;
        let row = self.drop_pending(start, &row).await?;
        self.shown(row).await
    }

    /// The row, if something waits there.
    async fn waiting(&self, start: &Start, id: &str, expected: &IfMatch) -> Result<Option<Item>> {
        let author = Author::of(&start.who)?;
        self.is_row(id)?;
        let row = self.stored(start.clone(), id, &Item::new()).await?;
        author.check(&row)?;
        expected.check(&version_of(&row))?;
        Ok(Some(row).filter(waits))
    }

    /// Saves what waits at a row, with `more`, for exactly this version of it: nobody confirms what came after they were asked.
    async fn take_up(&self, start: Start, id: &str, row: &Item, more: Item) -> Result<Item> {
        let (mut changes, change) = (changes_of(row), confirmed(row, !more.is_empty()));
        let (by, confirmed_by) = (author(row), start.who.user_id().map(str::to_owned));
        changes.extend(more);
        changes.insert("pending".to_owned(), Value::Null);
        let row = self.save(start, id, changes, change, &IfMatch::Versions(vec![version_of(row)])).await?;
        tracing::info!(extension = id, %by, confirmed_by, "a change that waited was confirmed");
        Ok(row)
    }

    async fn drop_pending(&self, start: Start, row: &Item) -> Result<Item> {
        let changed = || Error::new(ErrorCode::Conflict, "What waits was changed meanwhile: read it again, and decide anew");
        self.set_pending(start, row, None).await?.ok_or_else(changed)
    }

    /// Writes what waits at a row, if that still is what it was. Nothing else of the row changes, and no hook hears of it.
    async fn set_pending(&self, start: Start, old: &Item, wanted: Option<(Item, Change)>) -> Result<Option<Item>> {
        let _one = self.change.lock().await;
        let key = old.get("id").cloned().unwrap_or_default();
        self.shared
            .core
            .operate(start, |ctx| {
                let (ctx, key, wanted) = (ctx.joining(), key.clone(), &wanted);
                async move {
                    let items = ItemsService::by_own_door(&ctx, TABLE);
                    let now = items.read_one(&key, &Item::new(), Hold::Lock).await?;
                    if version_of(&now) != version_of(old) {
                        return Ok(None);
                    }
                    let value = wanted.as_ref().map_or(Value::Null, |(changes, change)| pending(&ctx, changes, *change));
                    let changes = Item::from_iter([("pending".to_owned(), value)]);
                    let schema = Schema::system();
                    let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
                    let statement =
                        Arc::new(sql::update_by_keys(ctx.core.db.dialect(), table, std::slice::from_ref(&key), None, &changes, &[])?);
                    ctx.write(move |conn| {
                        let statement = Arc::clone(&statement);
                        Box::pin(async move { conn.execute(&statement).await.map(drop) })
                    })
                    .await?;
                    items.read_one(&key, &Item::new(), Hold::Lock).await.map(Some)
                }
            })
            .await
    }

    /// A row as those who manage extensions see it.
    async fn shown(&self, row: Item) -> Result<Item> {
        let mut row = [row];
        self.add_live(&mut row).await?;
        let [row] = row;
        Ok(row)
    }
}

/// Says that a person is asked.
fn tell(row: &Item) {
    let extension = row.get("name").and_then(Value::as_str).unwrap_or_default();
    tracing::warn!(extension, by = %author(row), "a change of an extension waits for a person: confirm or decline it over REST");
}

fn nothing_waits() -> Error {
    Error::new(ErrorCode::Conflict, "Nothing waits to be confirmed at this extension")
}

#[cfg(test)]
mod tests {
    use super::super::history::definition_of;
    use super::*;

    fn row(pending: Value) -> Item {
        Item::from_iter([("status".to_owned(), json!("active")), ("pending".to_owned(), pending)])
    }

    #[test]
    fn what_is_confirmed_is_written_down_as_what_it_was() {
        for (change, forced, expected) in [
            (json!({ "change": "update" }), false, Change::Update),
            (json!({ "change": "create" }), false, Change::Activate),
            (json!({ "change": "deactivate" }), false, Change::Deactivate),
            (json!({ "change": "deactivate" }), true, Change::Activate),
            (json!({ "change": "rollback", "of_version": 3 }), true, Change::Rollback(3)),
        ] {
            assert_eq!(confirmed(&row(change.clone()), forced), expected, "{change}");
        }
    }

    #[test]
    fn a_row_without_a_proposal_waits_for_nobody() {
        assert!(!waits(&Item::new()) && !waits(&row(Value::Null)) && waits(&row(json!({}))));
        assert!(changes_of(&row(json!({ "changes": 1 }))).is_empty());
        // Only what is switched off doesn't run: a row in error would, once it is mended.
        assert!(is_live(&row(Value::Null)) && is_live(&Item::from_iter([("status".to_owned(), json!("error"))])));
        assert!(!is_live(&Item::from_iter([("status".to_owned(), json!("inactive"))])));
        assert_eq!(definition_of(&row(Value::Null)).get("pending"), None);
    }
}

//! The saved versions of rows: each is written in the transaction of its save, so that none is missing and none too many.
//!
//! Called by `save` for writing, by `http` for reading. What the host itself sets (`status: error`) is no version.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::authors::Author;
use super::definition::WRITABLE;
use super::pending;
use super::rows::{self, Page};
use super::store::Extensions;
use crate::db::{Collection, Conn, Dialect, Filter, Op, Query, sql, system, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::services::items::Listing;
use crate::services::operation::Start;
use crate::services::{Ctx, Item, precondition};

/// Versions of one extension that are kept, the last ones.
const KEPT: i64 = 100;

/// What made a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// `POST /api/extensions`.
    Create,
    /// `PATCH`.
    Update,
    /// `POST …/activate`.
    Activate,
    /// `POST …/deactivate`.
    Deactivate,
    /// `POST …/rollback`, to the version with this number.
    Rollback(i64),
    /// `POST …/clone` made it out of another extension.
    Clone,
    /// It was there before versions were kept.
    Earlier,
}

impl Change {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Activate => "activate",
            Self::Deactivate => "deactivate",
            Self::Rollback(_) => "rollback",
            Self::Clone => "clone",
            Self::Earlier => "earlier",
        }
    }

    /// The version that it goes back to.
    pub(super) fn of_version(self) -> Option<i64> {
        match self {
            Self::Rollback(number) => Some(number),
            _ => None,
        }
    }
}

/// What an author set, of a row.
pub(super) fn definition_of(row: &Item) -> Item {
    let set = WRITABLE.iter().filter(|name| **name != "id");
    set.map(|name| ((*name).to_owned(), row.get(*name).cloned().unwrap_or_default())).collect()
}

/// The version of a row, for `ETag`: what was set, when it was saved, and what waits to be confirmed. Counters and errors are no part of it.
pub fn version_of(row: &Item) -> String {
    let members = WRITABLE.iter().chain(&["created_at", "updated_at", "updated_by", "pending"]);
    precondition::version(members.map(|name| (*name, row.get(*name).unwrap_or(&Value::Null))))
}

/// A version that is about to be written.
struct Version {
    extension: Value,
    change: Change,
    user: Value,
    at: Value,
    definition: Item,
    /// Who proposed it, where somebody else confirmed it.
    proposed_by: Value,
}

impl Version {
    fn row(&self, number: i64, request_id: &str) -> Item {
        Item::from_iter([
            ("id".to_owned(), json!(Uuid::now_v7().to_string())),
            ("extension".to_owned(), self.extension.clone()),
            ("version".to_owned(), json!(number)),
            ("change".to_owned(), json!(self.change.name())),
            ("of_version".to_owned(), json!(self.change.of_version())),
            ("user".to_owned(), self.user.clone()),
            ("request_id".to_owned(), json!(request_id)),
            ("at".to_owned(), self.at.clone()),
            ("definition".to_owned(), Value::Object(self.definition.clone())),
            ("proposed_by".to_owned(), self.proposed_by.clone()),
        ])
    }
}

/// The versions that one save writes.
struct Save {
    dialect: Dialect,
    table: Collection,
    new: Version,
    /// What was there before, for an extension of which no version is kept yet.
    before: Option<Version>,
    request_id: Arc<str>,
}

impl Save {
    async fn run(&self, conn: &mut Conn<'_>) -> Result<()> {
        let this = Filter::field("extension", Op::Eq(self.new.extension.clone()));
        let last = Query { filter: Some(this.clone()), sort: rows::descending(&["version"]), limit: Some(1), ..Query::default() };
        let last = sql::select_locked(self.dialect, &self.table, &["version"], &last, sql::Lock::None)?;
        let last = conn.select(&last, &sql::types(&self.table, &["version"])?).await?;
        let mut number = last.first().and_then(|row| row.first()?.as_i64()).unwrap_or(0);
        let before = self.before.as_ref().filter(|_| number == 0);
        for version in before.into_iter().chain([&self.new]) {
            number += 1;
            conn.execute(&sql::insert(self.dialect, &self.table, &version.row(number, &self.request_id), &[])?).await?;
        }
        if number > KEPT {
            let old = Filter::And(vec![this, Filter::field("version", Op::Lte(json!(number - KEPT)))]);
            conn.execute(&sql::delete_where(self.dialect, &self.table, &old)?).await?;
        }
        Ok(())
    }
}

/// Writes the version that `row` is now, in the transaction of `ctx`. `before` is the row as it was; what waited there and waits no more
/// was confirmed, so its author is the one who proposed this.
pub(super) async fn record(ctx: &Ctx, row: &Item, before: Option<&Item>, change: Change) -> Result<()> {
    let member = |row: &Item, name: &str| row.get(name).cloned().unwrap_or_default();
    let either = |row: &Item, one: &str, other: &str| row.get(one).filter(|value| !value.is_null()).unwrap_or(&member(row, other)).clone();
    let new = Version {
        extension: member(row, "id"),
        change,
        user: ctx.user_value(),
        at: json!(timestamp(ctx.core.clock.now())),
        definition: definition_of(row),
        proposed_by: before.filter(|_| !pending::waits(row)).map(pending::author).unwrap_or_default(),
    };
    let before = before.map(|row| Version {
        extension: member(row, "id"),
        change: Change::Earlier,
        user: either(row, "updated_by", "created_by"),
        at: either(row, "updated_at", "created_at"),
        definition: definition_of(row),
        proposed_by: Value::Null,
    });
    let (dialect, request_id) = (ctx.core.db.dialect(), Arc::clone(&ctx.op.request_id));
    let save = Arc::new(Save { dialect, table: system::extension_versions_table(), new, before, request_id });
    ctx.write(move |conn| {
        let save = Arc::clone(&save);
        Box::pin(async move { save.run(conn).await })
    })
    .await
}

/// Deletes the versions of a row, in the transaction of `ctx`.
pub(super) async fn forget(ctx: &Ctx, id: &Value) -> Result<()> {
    let these = Filter::field("extension", Op::Eq(id.clone()));
    let statement = Arc::new(sql::delete_where(ctx.core.db.dialect(), &system::extension_versions_table(), &these)?);
    ctx.write(move |conn| {
        let statement = Arc::clone(&statement);
        Box::pin(async move { conn.execute(&statement).await.map(drop) })
    })
    .await
}

impl Extensions {
    /// A page of the versions of an extension, the last first. The query has `limit` (1 to 100) and `page` (from 1).
    ///
    /// # Errors
    /// 400 for another parameter or value and for what lies in a folder, 404 where there is no such extension.
    pub async fn history(&self, start: Start, id: &str, query: &Item) -> Result<Listing> {
        let author = Author::of(&start.who)?;
        let page = Page::parse(query, "Versions")?;
        self.is_row(id)?;
        let row = self.stored(start, id, &Item::new()).await?;
        author.check(&row)?;
        let these = Filter::field("extension", Op::Eq(row.get("id").cloned().unwrap_or_default()));
        let table = system::extension_versions_table();
        let (mut items, total) = page.read(&self.shared.core.db, &table, these, rows::descending(&["version"])).await?;
        for version in &mut items {
            version.retain(|name, _| !["id", "extension"].contains(&name.as_str()));
            // One that did more than they may manage is known by its number only.
            let is_theirs = version.get("definition").and_then(Value::as_object).is_some_and(|definition| author.manages(definition));
            if !is_theirs {
                version.insert("definition".to_owned(), Value::Null);
            }
        }
        Ok(page.listing((items, total)))
    }

    /// What was set in a version of an extension that exists.
    pub(super) async fn saved(&self, id: &Value, number: i64) -> Result<Item> {
        let this = vec![Filter::field("extension", Op::Eq(id.clone())), Filter::field("version", Op::Eq(json!(number)))];
        let query = Query { filter: Some(Filter::And(this)), ..Query::default() };
        let found = rows::find(&self.shared.core.db, &system::extension_versions_table(), &query).await?;
        let definition = found.into_iter().next().and_then(|mut row| row.shift_remove("definition"));
        match definition {
            Some(Value::Object(definition)) => Ok(definition),
            _ => Err(Error::new(
                ErrorCode::NotFound,
                format!("There is no version {number} of this extension: `GET /api/extensions/:id/history` lists the last {KEPT}"),
            )),
        }
    }
}

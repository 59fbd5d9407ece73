//! The rows of `daas_extensions`: checked and compiled before they are stored, live for the very next request.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::definition::{self, Definition, Status};
use super::folders::{self, Folders};
use super::runs::Runs;
use super::set::{Extension, ExtensionSet, Origin, Shared};
use super::stats::{self, Stats};
use super::trouble::load_report;
use crate::auth::Accountability;
use crate::auth::seal::Sealer;
use crate::db::{Db, Filter, Op, Query, Schema, Sql, sql, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::dispatcher::{Execute, Verdict};
use crate::hooks::outbox::{self, Delivery};
use crate::sandbox::{LoadFailure, Pool};
use crate::services::items::{ItemsService, Listing};
use crate::services::operation::Start;
use crate::services::query::{clip, show};
use crate::services::runner::{Runner, Snapshot};
use crate::services::{Core, Item};

pub(super) const TABLE: &str = "daas_extensions";

/// Failed runs that an extension is shown with.
const LAST_RUNS: u64 = 10;

impl Execute for Extensions {
    /// By the extensions as they are when it runs.
    fn run(&self, delivery: Delivery) -> BoxFuture<'static, Verdict> {
        let set = self.current();
        Box::pin(async move { set.deliver(delivery).await })
    }

    fn can_run(&self, extension: &str) -> bool {
        self.current().by_id.get(extension).is_some_and(|extension| extension.broken().is_none())
    }
}

/// The extensions of this host.
pub struct Extensions {
    pub(super) shared: Arc<Shared>,
    current: ArcSwap<ExtensionSet>,
    /// One change at a time, from the check to the swap: held across awaits, so a tokio mutex.
    pub(super) change: Mutex<()>,
    /// The extensions in folders.
    pub(super) folders: Folders,
    pub(super) safe_mode: bool,
    /// When this host began.
    pub(super) started: DateTime<Utc>,
    /// Deliveries could not be let go on at the last change. Set by whoever saw that, taken by the flush.
    still_held: AtomicBool,
    /// Rows are being looked at, whether their code compiles: set and taken by whoever does.
    pub(super) inspecting: AtomicBool,
    /// Encrypts what extensions keep secret.
    pub(super) sealer: Sealer,
}

impl Runner for Extensions {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.current.load_full()
    }
}

impl Extensions {
    /// With no extension yet: [`Extensions::reload`] reads them.
    pub fn new(core: Arc<Core>, pool: Arc<Pool>, sealer: Sealer) -> Arc<Self> {
        let safe_mode = core.config.safe_mode;
        let stats = Stats::new(core.db.clone(), core.clock.clone());
        let (runs, started) = (Runs::new(core.db.clone(), core.clock.clone()), core.clock.now());
        let shared = Arc::new(Shared { core, pool, stats, runs });
        let empty = ExtensionSet::build(&shared, Vec::new(), Vec::new(), Arc::default(), None, safe_mode);
        Arc::new(Self {
            shared,
            current: ArcSwap::from_pointee(empty),
            change: Mutex::new(()),
            folders: Folders::default(),
            safe_mode,
            started,
            still_held: AtomicBool::new(false),
            inspecting: AtomicBool::new(false),
            sealer,
        })
    }

    /// The snapshot that an operation beginning now uses.
    pub fn current(&self) -> Arc<ExtensionSet> {
        self.current.load_full()
    }

    /// Reads all rows and swaps the snapshot.
    pub async fn reload(self: &Arc<Self>) -> Result<()> {
        let _one = self.change.lock().await;
        self.swap().await?;
        self.inspect();
        Ok(())
    }

    pub(super) async fn swap(&self) -> Result<()> {
        self.swap_in(self.folders.serving()).await
    }

    /// Builds the next snapshot of the rows and these versions of folders.
    pub(super) async fn swap_in(&self, folders: Vec<Arc<Extension>>) -> Result<()> {
        let rows = list(&self.shared.core.db).await?;
        let (secrets, customs) = (self.all_secrets().await?, self.load_customs().await?);
        let previous = self.current.load_full();
        let next = ExtensionSet::build(&self.shared, rows, folders, customs, Some(&previous), self.safe_mode);
        for (id, extension) in &next.by_id {
            extension.identity.secrets.store(secrets.get(id).cloned().unwrap_or_default());
        }
        let live: HashSet<u64> = next.by_id.values().map(|extension| extension.unit.id).collect();
        self.current.store(Arc::new(next));
        // Calls of versions that are not in use any more come to their end, in 30 s at most: also those that hold their snapshot for longer.
        for old in previous.by_id.values().filter(|old| !live.contains(&old.unit.id)) {
            self.shared.pool.retire(old.unit.id);
        }
        if let Err(error) = self.unhold().await {
            tracing::warn!(%error, "what was held back for extensions that can run again could not be let go on; it is tried again");
            self.still_held.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Writes the counters and the failed runs. Called once a second, and at the end.
    pub async fn flush(&self) {
        self.shared.stats.flush().await;
        self.shared.runs.flush().await;
        if self.still_held.swap(false, Ordering::Relaxed) && self.unhold().await.is_err() {
            self.still_held.store(true, Ordering::Relaxed);
        }
    }

    /// A page of rows with what is known of them beyond the row.
    pub async fn list(&self, start: Start, query: &Item) -> Result<Listing> {
        admin(&start.who)?;
        let mut listing =
            self.shared.core.operate(start, |ctx| async move { ItemsService::by_own_door(&ctx, TABLE).list(query).await }).await?;
        self.add_live(&mut listing.items).await?;
        // Folders aren't rows, so a filter can't be asked of them; without one they stand behind the last row, on its page and no other.
        let narrowed = ["filter", "search", "aggregate", "groupBy"].iter().any(|name| query.contains_key(*name));
        if !narrowed && ends_here(&listing, query, list(&self.shared.core.db).await?.len() as u64) {
            let mut folders = self.folder_rows().await?;
            for count in [&mut listing.total_count, &mut listing.filter_count].into_iter().flatten() {
                *count += folders.len() as u64;
            }
            folders.iter_mut().for_each(|row| keep_fields(row, query));
            listing.items.extend(folders);
        }
        Ok(listing)
    }

    /// One row with what is known of it beyond the row, and its last failed runs.
    pub async fn read(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        admin(&start.who)?;
        let mut row = match self.folder_of(id).await? {
            Some(mut row) => {
                keep_fields(&mut row, query);
                row
            }
            None => {
                let mut row = [self.stored(start, id, query).await?];
                self.add_live(&mut row).await?;
                let [row] = row;
                row
            }
        };
        let (runs, _) = self.shared.runs.page(id, 1, LAST_RUNS).await?;
        row.insert("runs".to_owned(), json!(runs));
        Ok(row)
    }

    /// A page of the failed runs of an extension, the last first. The query has `limit` (1 to 100) and `page` (from 1).
    ///
    /// # Errors
    /// 400 for another parameter or value, 404 where there is no such extension.
    pub async fn failed_runs(&self, start: Start, id: &str, query: &Item) -> Result<Listing> {
        admin(&start.who)?;
        if let Some(name) = query.keys().find(|name| !["limit", "page"].contains(&name.as_str())) {
            return Err(Error::query(format!("Failed runs are asked for with `limit` and `page`, not with `{}`", clip(name))));
        }
        let number = |name: &str, default: u64, max: u64| match query.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => value
                .as_u64()
                .or_else(|| value.as_str()?.parse().ok())
                .filter(|number| (1..=max).contains(number))
                .ok_or_else(|| Error::query(format!("`{name}` must be a whole number from 1 to {max}, not: {}", show(value)))),
        };
        let (limit, page) = (number("limit", 25, 100)?, number("page", 1, 1_000_000)?);
        if self.folder_of(id).await?.is_none() {
            self.stored(start, id, &Item::from_iter([("fields".to_owned(), json!(["id"]))])).await?;
        }
        let (items, total) = self.shared.runs.page(id, page, limit).await?;
        Ok(Listing { items, page, limit: i64::try_from(limit).unwrap_or(i64::MAX), total_count: Some(total), filter_count: None })
    }

    /// The row as it is stored.
    pub(super) async fn stored(&self, start: Start, id: &str, query: &Item) -> Result<Item> {
        let key = json!(id);
        self.shared
            .core
            .operate(start, |ctx| {
                let key = &key;
                async move { ItemsService::by_own_door(&ctx, TABLE).read_one(key, query, crate::services::ctx::Hold::No).await }
            })
            .await
    }

    /// The folder with this id, in the shape of a row.
    pub(super) async fn folder_of(&self, id: &str) -> Result<Option<Item>> {
        if !folders::is_folder_id(id) {
            return Ok(None);
        }
        Ok(self.folder_rows().await?.into_iter().find(|row| row.get("id") == Some(&json!(id))))
    }

    /// Stores a new extension: checked, compiled, live.
    pub async fn create(&self, start: Start, item: Item) -> Result<Item> {
        admin(&start.who)?;
        definition::check_members(&item)?;
        self.check(&item, None).await?;
        let _one = self.change.lock().await;
        let row = self
            .shared
            .core
            .operate(start, |ctx| {
                let item = item.clone();
                async move { ItemsService::by_own_door(&ctx, TABLE).create(vec![item]).await }
            })
            .await?;
        self.swap().await?;
        self.look_at_conflicting().await;
        row.into_iter().next().ok_or_else(|| Error::internal("a new extension has no row"))
    }

    /// Changes an extension: checked, compiled, live. Saving ends a cool-down, and mended code ends an `error`.
    pub async fn update(&self, start: Start, id: &str, mut changes: Item) -> Result<Item> {
        admin(&start.who)?;
        self.is_row(id)?;
        definition::check_members(&changes)?;
        if changes.shift_remove("id").is_some_and(|new| new != id) {
            return Err(Error::payload("`id` can't be changed").with_field("id"));
        }
        let old = self.stored(start.clone(), id, &Item::new()).await?;
        let mut merged = old.clone();
        merged.extend(changes.clone());
        let mends = ["code", "type", "memory_limit_mb"].iter().any(|member| changes.contains_key(*member));
        if mends && old.get("status") == Some(&json!("error")) && !changes.contains_key("status") {
            merged.insert("status".to_owned(), json!("active"));
            changes.insert("status".to_owned(), json!("active"));
        }
        self.check(&merged, Some(&old)).await?;
        let _one = self.change.lock().await;
        let key = json!(id);
        let row = self
            .shared
            .core
            .operate(start, |ctx| {
                let (key, changes) = (key.clone(), changes.clone());
                async move { ItemsService::by_own_door(&ctx, TABLE).update(vec![key], changes).await }
            })
            .await?;
        self.swap().await?;
        self.look_at_conflicting().await;
        if let Some(extension) = self.current().by_id.get(id) {
            extension.breaker.reset();
            extension.route_breaker.reset();
        }
        let mut row = [row.into_iter().next().ok_or_else(|| Error::internal("a changed extension has no row"))?];
        // The change is made, whatever comes of this.
        if let Err(error) = self.add_live(&mut row).await {
            tracing::warn!(%error, extension = id, "what an extension is now could not be told");
        }
        let [row] = row;
        Ok(row)
    }

    /// Deletes an extension.
    pub async fn delete(&self, start: Start, id: &str) -> Result<()> {
        admin(&start.who)?;
        self.is_row(id)?;
        let _one = self.change.lock().await;
        let key = json!(id);
        self.shared
            .core
            .operate(start, |ctx| {
                let key = key.clone();
                async move { ItemsService::by_own_door(&ctx, TABLE).delete(vec![key]).await }
            })
            .await?;
        self.swap().await?;
        self.look_at_conflicting().await;
        let core = &self.shared.core;
        self.forget_runs(id, true).await;
        self.forget_secrets(id, None).await?;
        self.write(outbox::give_up(core.db.dialect(), id, core.clock.now())?).await
    }

    /// The failed runs of an extension that is gone go as well; those that can't be deleted now go by their age.
    pub(super) async fn forget_runs(&self, id: &str, for_good: bool) {
        if let Err(error) = self.shared.runs.forget(id, for_good).await {
            tracing::warn!(%error, extension = id, "the failed runs of a deleted extension could not be deleted");
        }
    }

    /// What was held back while its extension couldn't run goes on where it can now.
    async fn unhold(&self) -> Result<()> {
        let core = &self.shared.core;
        if !core.db.read(|conn| Box::pin(outbox::anything_held(conn))).await? {
            return Ok(());
        }
        let able =
            self.current().by_id.iter().filter(|(_, extension)| extension.broken().is_none()).map(|(id, _)| id.clone()).collect::<Vec<_>>();
        self.write(outbox::unhold(core.db.dialect(), &able, core.clock.now())?).await?;
        core.dispatcher.nudge();
        Ok(())
    }

    pub(super) async fn write(&self, statement: Sql) -> Result<()> {
        let statement = Arc::new(statement);
        self.shared
            .core
            .db
            .write(move |conn| {
                let statement = Arc::clone(&statement);
                Box::pin(async move { conn.execute(&statement).await.map(drop) })
            })
            .await
    }

    /// Checks a row as it is about to be stored, and that its code compiles under its limits, in a worker.
    async fn check(&self, row: &Item, old: Option<&Item>) -> Result<()> {
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

/// Whether the page of a listing is the one on which `rows` rows end.
fn ends_here(listing: &Listing, query: &Item, rows: u64) -> bool {
    let offset = query.get("offset").and_then(|offset| offset.as_u64().or_else(|| offset.as_str()?.parse().ok()));
    let limit = u64::try_from(listing.limit).unwrap_or(u64::MAX);
    let start = offset.unwrap_or_else(|| listing.page.saturating_sub(1).saturating_mul(limit));
    start <= rows && rows < start.saturating_add(limit)
}

/// The members that a caller asked for. Those of a folder are few and flat: only plain names and `*` are looked at.
fn keep_fields(row: &mut Item, query: &Item) {
    let fields: Vec<&str> = match query.get("fields") {
        Some(Value::String(csv)) => csv.split(',').map(str::trim).collect(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    if !fields.contains(&"*") {
        row.retain(|name, _| fields.contains(&name.as_str()) || name == "live");
    }
}

impl ExtensionSet {
    /// Whether there still is such a row.
    pub(super) async fn exists(&self, id: &str) -> bool {
        let db = &self.shared.core.db;
        let found = if folders::is_folder_id(id) && folders::kept(db).await.is_ok_and(|kept| kept.contains_key(id)) {
            Ok(true)
        } else {
            find(db, Filter::field("id", Op::Eq(json!(id)))).await.map(|rows| !rows.is_empty())
        };
        // When in doubt nothing is given up.
        found.unwrap_or(true)
    }

    /// Writes down that a row's code can't be loaded, unless it was changed meanwhile. By itself: whoever found out may hold the writer.
    pub(super) fn mark_broken(&self, extension: &Extension, report: &str) {
        let Origin::Row(definition) = &extension.origin else { return };
        let (db, id, code) = (self.shared.core.db.clone(), definition.settings.id.clone(), definition.code.clone());
        // The reason goes with the status: whoever reads the row next must not find the error before this one as its reason.
        let changes = Item::from_iter([
            ("status".to_owned(), json!("error")),
            ("last_error".to_owned(), json!(stats::clean(report))),
            ("last_error_at".to_owned(), json!(timestamp(self.shared.core.clock.now()))),
        ]);
        tokio::spawn(async move {
            let this = Filter::And(vec![Filter::field("id", Op::Eq(json!(id))), Filter::field("code", Op::Eq(json!(code)))]);
            if let Err(error) = set(&db, &this, changes).await {
                tracing::warn!(extension = id, %error, "the status of a broken extension could not be written");
            }
        });
    }
}

/// Code that doesn't compile, with its place.
pub(super) fn invalid_code(load: LoadFailure) -> Error {
    let detail = load_report(&load);
    let first = load.problems.into_iter().next().unwrap_or_default();
    let mut error =
        Error::new(ErrorCode::InvalidCode, format!("The code doesn't compile: {}", first.message)).with_field("code").with_detail(detail);
    for (name, value) in [("line", first.line), ("column", first.column)] {
        if let Some(value) = value {
            error = error.with_extra(name, value);
        }
    }
    match first.frame {
        Some(frame) => error.with_extra("frame", frame),
        None => error,
    }
}

pub(super) fn admin(who: &Accountability) -> Result<()> {
    if who.is_admin() { Ok(()) } else { Err(Error::forbidden("Extensions are managed by admins")) }
}

/// Every row, also with the host down.
pub async fn list(db: &Db) -> Result<Vec<Item>> {
    find(db, Filter::Const(true)).await
}

/// Sets the extension called `name` to `inactive`, also with the host down. 404 where there is none.
pub async fn disable(db: &Db, name: &str) -> Result<()> {
    let found = find(db, Filter::field("name", Op::Eq(json!(name)))).await?;
    let id = found.first().and_then(|row| row.get("id")?.as_str());
    let id = id.ok_or_else(|| Error::new(ErrorCode::NotFound, format!("There is no extension `{name}` in the database; one in a folder is switched off by `\"enabled\": false` in its `extension.json`")))?;
    set_status(db, &Filter::field("id", Op::Eq(json!(id))), "inactive").await
}

async fn find(db: &Db, filter: Filter) -> Result<Vec<Item>> {
    let schema = Schema::system();
    let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
    let names: Vec<&str> = table.fields.iter().map(|f| f.name.as_str()).collect();
    let statement = db.sql(&sql::select(db.dialect(), table, &names, &Query { filter: Some(filter), ..Query::default() })?);
    let job: Arc<(Sql, _)> = Arc::new((statement, sql::types(table, &names)?));
    let rows = db
        .read(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move { conn.select(&job.0, &job.1).await })
        })
        .await?;
    Ok(rows.into_iter().map(|row| names.iter().map(|n| (*n).to_owned()).zip(row).collect()).collect())
}

async fn set_status(db: &Db, these: &Filter, status: &str) -> Result<()> {
    set(db, these, Item::from_iter([("status".to_owned(), json!(status))])).await
}

async fn set(db: &Db, these: &Filter, changes: Item) -> Result<()> {
    let schema = Schema::system();
    let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
    db.write_all(vec![sql::update_where(db.dialect(), table, these, &changes)?]).await
}

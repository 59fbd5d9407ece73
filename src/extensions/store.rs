//! The rows of `daas_extensions`: checked and compiled before they are stored, live for the very next request.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::authors::Author;
use super::folders::{self, Folders};
use super::history::version_of;
use super::logs::{Lines, Listening, Logs, Wanted};
use super::rows;
use super::rows::Page;
use super::runs::Runs;
use super::samples::Samples;
use super::set::{Extension, ExtensionSet, Origin, Shared};
use super::stats::{self, Stats};
use super::trouble::load_report;
use crate::auth::Accountability;
use crate::bridge::Secrets;
use crate::db::{Db, Filter, Op, Query, Schema, Sql, sql, timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::dispatcher::{Execute, Verdict};
use crate::hooks::outbox::{self, Delivery};
use crate::sandbox::{LoadFailure, Pool};
use crate::services::changes::{self, Kind, Lagging};
use crate::services::items::{ItemsService, Listing};
use crate::services::operation::Start;
use crate::services::runner::{Runner, Snapshot};
use crate::services::{Core, Ctx, Item, module_access};

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
    /// The secrets of every extension, also of those that don't run. Set with the snapshot.
    all_secrets: ArcSwap<Vec<Arc<Secrets>>>,
    /// Rows are being looked at, whether their code compiles: set and taken by whoever does.
    pub(super) inspecting: AtomicBool,
}

impl Runner for Extensions {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.current.load_full()
    }

    fn reload(&self, version: i64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let _one = self.change.lock().await;
            if !self.shared.core.changes.has(Kind::Extensions, version) {
                self.swap().await?;
                self.look_at_conflicting().await;
                self.describe_to_hosts();
            }
            Ok(())
        })
    }
}

impl Extensions {
    /// With no extension yet: [`Extensions::reload`] reads them.
    pub fn new(core: Arc<Core>, pool: Arc<Pool>) -> Arc<Self> {
        let safe_mode = core.config.safe_mode;
        let stats = Stats::new(core.db.clone(), core.clock.clone());
        let (runs, started) = (Runs::new(core.db.clone(), core.clock.clone()), core.clock.now());
        let logs = Arc::new(Logs::new(core.clock.clone()));
        let samples = Samples::new(core.db.clone(), core.clock.clone(), core.config.event_samples);
        let shared = Arc::new(Shared { core, pool, stats, runs, logs, samples });
        let empty = ExtensionSet::build(&shared, Vec::new(), Vec::new(), Arc::default(), None, safe_mode);
        Arc::new(Self {
            shared,
            current: ArcSwap::from_pointee(empty),
            change: Mutex::new(()),
            folders: Folders::default(),
            safe_mode,
            started,
            still_held: AtomicBool::new(false),
            all_secrets: ArcSwap::default(),
            inspecting: AtomicBool::new(false),
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
        // First: what is read after it is at least as new.
        let version = self.shared.core.changes.version(Kind::Extensions).await?;
        let rows = list(&self.shared.core.db).await?;
        let (secrets, customs) = (self.all_secrets().await?, self.load_customs().await?);
        let previous = self.current.load_full();
        let next = ExtensionSet::build(&self.shared, rows, folders, customs, Some(&previous), self.safe_mode);
        for (id, extension) in &next.by_id {
            extension.identity.secrets.store(secrets.get(id).cloned().unwrap_or_default());
        }
        self.all_secrets.store(Arc::new(secrets.into_values().collect()));
        // Saving an extension ends its cool-down, on whichever host it was saved.
        for (id, extension) in next.by_id.iter().filter(|(id, _)| previous.saved.get(*id) != next.saved.get(*id)) {
            tracing::debug!(extension = id, "it was saved: what cooled down may go on");
            extension.breaker.reset();
            extension.route_breaker.reset();
        }
        let live: HashSet<u64> = next.by_id.values().map(|extension| extension.unit.id).collect();
        self.current.store(Arc::new(next));
        self.shared.core.changes.took(Kind::Extensions, version);
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

    /// After a change is live here: waits until it is on the other hosts. Not to be called under the lock on changes.
    pub(super) async fn settle(&self, lagging: &Lagging) {
        self.describe_to_hosts();
        if let Err(error) = self.shared.core.settle(Kind::Extensions, lagging).await {
            tracing::warn!(%error, "whether a change of extensions is live on the other hosts is not known");
        }
    }

    /// Writes the counters, the failed runs and the samples, and tells the other hosts what the extensions are here. Called once a second, and at the end.
    pub async fn flush(&self) {
        self.shared.stats.flush().await;
        self.shared.runs.flush().await;
        self.shared.samples.flush().await;
        self.tell_hosts().await;
        if self.still_held.swap(false, Ordering::Relaxed) && self.unhold().await.is_err() {
            self.still_held.store(true, Ordering::Relaxed);
        }
    }

    /// A page of rows with what is known of them beyond the row.
    pub async fn list(&self, start: Start, query: &Item) -> Result<Listing> {
        let author = Author::of(&start.who)?;
        author.check_query(query)?;
        // What somebody may know of a row is told by all of it.
        let mut whole = query.clone();
        if !author.is_admin() {
            whole.shift_remove("fields");
        }
        let whole = &whole;
        let page = |ctx: Ctx| async move { ItemsService::by_own_door(&ctx.with(true, true), TABLE).list(whole).await };
        let mut listing = self.shared.core.operate(start, page).await?;
        self.add_live(&mut listing.items).await?;
        if !author.is_admin() {
            for row in &mut listing.items {
                author.veil(row);
                keep_fields(row, query);
            }
        }
        // Folders aren't rows, so a filter can't be asked of them; without one they stand behind the last row, on its page and no other.
        let narrowed = ["filter", "search", "aggregate", "groupBy"].iter().any(|name| query.contains_key(*name));
        if !narrowed && ends_here(&listing, query, list(&self.shared.core.db).await?.len() as u64) {
            let mut folders = self.folder_rows().await?;
            for count in [&mut listing.total_count, &mut listing.filter_count].into_iter().flatten() {
                *count += folders.len() as u64;
            }
            for row in &mut folders {
                author.veil(row);
                keep_fields(row, query);
            }
            listing.items.extend(folders);
        }
        Ok(listing)
    }

    /// One row with what is known of it beyond the row, and its last failed runs; and its version, which a folder has none of.
    pub async fn read(&self, start: Start, id: &str, query: &Item) -> Result<(Item, Option<String>)> {
        let author = Author::of(&start.who)?;
        let (mut row, version) = match self.folder_of(id).await? {
            Some(mut row) => {
                author.veil(&mut row);
                keep_fields(&mut row, query);
                if !author.is_admin() {
                    return Ok((row, None));
                }
                (row, None)
            }
            None => {
                // The version first: should the row change between the two, a write that builds on it is refused, not let through.
                let mut whole = self.stored(start.clone(), id, &Item::new()).await?;
                if !author.manages(&whole) {
                    author.veil(&mut whole);
                    keep_fields(&mut whole, query);
                    return Ok((whole, None));
                }
                let version = version_of(&whole);
                let mut row = [self.stored(start, id, query).await?];
                self.add_live(&mut row).await?;
                let [row] = row;
                (row, Some(version))
            }
        };
        let (runs, _) = self.shared.runs.page(id, Page { limit: LAST_RUNS, page: 1 }).await?;
        row.insert("runs".to_owned(), json!(runs));
        Ok((row, version))
    }

    /// A page of the failed runs of an extension, the last first. The query has `limit` (1 to 100) and `page` (from 1).
    ///
    /// # Errors
    /// 400 for another parameter or value, 404 where there is no such extension.
    pub async fn failed_runs(&self, start: Start, id: &str, query: &Item) -> Result<Listing> {
        Author::of(&start.who)?;
        let page = Page::parse(query, "Failed runs")?;
        self.managed(&start, id).await?;
        Ok(page.listing(self.shared.runs.page(id, page).await?))
    }

    /// Which lines of an extension a caller asks for, who may.
    ///
    /// # Errors
    /// 400 for another parameter or value, 404 where there is no such extension.
    pub async fn lines_wanted(&self, start: &Start, id: &str, query: &Item) -> Result<Wanted> {
        if start.who.grants.module(module_access::LOGS).is_none() {
            Author::of(&start.who)?;
        }
        let wanted = Wanted::parse(query)?;
        self.may_listen(start, id).await?;
        Ok(wanted)
    }

    /// The lines that an extension wrote on this host, and the host's name.
    pub fn lines(&self, id: &str, wanted: &Wanted) -> (Lines, &str) {
        (self.shared.logs.read(id, wanted), self.shared.runs.host())
    }

    /// The same, and those that come.
    ///
    /// # Errors
    /// 503 where too many listen already.
    pub fn listen(&self, id: &str, wanted: &Wanted) -> Result<(Lines, Listening)> {
        self.shared.logs.listen(id, wanted)
    }

    /// Takes the secrets of all extensions out of a value that leaves the host by a door where they have no business.
    pub fn redact(&self, value: &mut Value) {
        for secrets in self.all_secrets.load().iter() {
            secrets.redact_value(value);
        }
    }

    /// Ends every stream of lines: the host is ending.
    pub fn close_streams(&self) {
        self.shared.logs.close();
    }

    /// Whether there still is such an extension. When in doubt, yes.
    pub async fn is_there(&self, id: &str) -> bool {
        self.folders.find(id).is_some() || self.current().exists(id).await
    }

    /// The folder with this id, in the shape of a row.
    pub(super) async fn folder_of(&self, id: &str) -> Result<Option<Item>> {
        if !folders::is_folder_id(id) {
            return Ok(None);
        }
        Ok(self.folder_rows().await?.into_iter().find(|row| row.get("id") == Some(&json!(id))))
    }

    /// What is kept of an extension that is gone goes as well: its lines, its counts here, its failed runs; of these, those that can't be
    /// deleted now go by their age.
    pub(super) async fn forget_runs(&self, id: &str, for_good: bool) {
        if let Err(error) = self.shared.runs.forget(id, for_good).await {
            tracing::warn!(%error, extension = id, "the failed runs of a deleted extension could not be deleted");
        }
        self.shared.logs.forget(id);
        self.shared.stats.forget(id);
        self.shared.core.metrics.forget(id);
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
        self.shared.core.db.write_all(vec![statement]).await
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
pub fn invalid_code(load: LoadFailure) -> Error {
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
    let change = Item::from_iter([("status".to_owned(), json!("inactive"))]);
    let statement = update(db, &Filter::field("id", Op::Eq(json!(id))), &change)?;
    db.write_all(vec![statement, changes::noted(db.dialect(), Kind::Extensions)]).await
}

async fn find(db: &Db, filter: Filter) -> Result<Vec<Item>> {
    let schema = Schema::system();
    let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
    rows::find(db, table, &Query { filter: Some(filter), ..Query::default() }).await
}

async fn set(db: &Db, these: &Filter, changes: Item) -> Result<()> {
    db.write_all(vec![update(db, these, &changes)?]).await
}

fn update(db: &Db, these: &Filter, changes: &Item) -> Result<Sql> {
    let schema = Schema::system();
    let table = schema.collection(TABLE).ok_or_else(|| Error::internal("daas_extensions is not declared"))?;
    sql::update_where(db.dialect(), table, these, changes)
}

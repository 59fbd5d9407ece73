//! The extensions as they are at one moment: immutable, swapped as a whole.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use super::breaker::Breaker;
use super::customs::Customs;
use super::definition::{Definition, Settings, Status, Trigger};
use super::logs::Logs;
use super::registered::Registered;
use super::routes::{Access, Route, Table};
use super::runs::Runs;
use super::samples::Samples;
use super::stats::Stats;
use crate::bridge::{Capabilities, Identity};
use crate::hooks::{Hook, Registry};
use crate::sandbox::{Parts, Pool, Source, Unit};
use crate::services::cron::registered::Scheduled;
use crate::services::{Core, Item};

/// What all snapshots share.
pub struct Shared {
    /// The services.
    pub core: Arc<Core>,
    /// The workers.
    pub pool: Arc<Pool>,
    /// The counters.
    pub stats: Stats,
    /// The failed runs.
    pub runs: Runs,
    /// The lines that they wrote.
    pub logs: Arc<Logs>,
    /// What callers sent to what they guard.
    pub samples: Samples,
}

/// Where an extension comes from.
#[derive(Debug)]
pub enum Origin {
    /// A row of `daas_extensions`.
    Row(Definition),
    /// A folder.
    Folder,
}

/// One version of one extension that may run: what was set, what it hears and answers, and what workers load.
pub struct Extension {
    /// What was set.
    pub settings: Settings,
    /// Where it comes from.
    pub origin: Origin,
    /// What it hears.
    pub hooks: Vec<Hook>,
    /// What it answers.
    pub routes: Vec<Route>,
    /// What it does by the clock.
    pub schedules: Vec<Scheduled>,
    /// What workers load.
    pub unit: Arc<Unit>,
    /// Who its calls come from, and what they may ask.
    pub identity: Arc<Identity>,
    /// Whether its hooks are left alone for a while.
    pub breaker: Arc<Breaker>,
    /// Whether its routes are: anybody may ask for those, and what they ask must not take away what the hooks guard.
    pub route_breaker: Arc<Breaker>,
    /// Since when this version is live on this host.
    pub since: DateTime<Utc>,
    /// Why its code doesn't load, and since when that is known. Short sections only: a std mutex.
    broken: Mutex<Option<(String, DateTime<Utc>)>>,
    /// Whether its code was looked at without a call that needs it.
    pub(super) inspected: AtomicBool,
    /// Its last timeout, memory breach or crash. Short sections only: a std mutex.
    last_fault: Mutex<Option<LastFault>>,
    pool: Arc<Pool>,
}

/// The last time that an extension did what the breaker counts.
#[derive(Debug, Clone)]
pub struct LastFault {
    /// The code that the caller got.
    pub code: String,
    /// What happened, in a sentence.
    pub message: String,
    /// Where in the code, where that is known.
    pub place: Option<String>,
    /// On which event.
    pub event: String,
    /// In which request.
    pub request_id: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Extension {
    /// A version of its own of what a row defines.
    pub fn of_row(definition: Definition, customs: &Customs, pool: &Arc<Pool>, now: DateTime<Utc>) -> Arc<Self> {
        let Settings { id, name, memory_limit, warm, sort, .. } = &definition.settings;
        let parts = customs.parts(&definition.source(), &definition.settings.capabilities);
        let unit = Unit::with_parts(name.clone(), definition.source(), *memory_limit, *warm, parts);
        let route = match &definition.trigger {
            Trigger::Route(event) => Some(Route {
                extension: id.clone(),
                extension_name: name.clone(),
                sort: *sort,
                handler: 0,
                method: event.method.clone(),
                pattern: event.pattern.clone(),
                base: None,
                description: None,
                access: Access::SignedIn,
                rate_limit: None,
                parameters: None,
            }),
            Trigger::Filter(_) | Trigger::Action { .. } => None,
        };
        let settings = definition.settings.clone();
        let does =
            Registered { hooks: definition.hook().into_iter().collect(), routes: route.into_iter().collect(), schedules: Vec::new() };
        Self::new(settings, Origin::Row(definition), does, unit, pool, now)
    }

    /// A version of a folder.
    pub fn of_folder(settings: Settings, does: Registered, unit: Arc<Unit>, pool: &Arc<Pool>, now: DateTime<Utc>) -> Arc<Self> {
        Self::new(settings, Origin::Folder, does, unit, pool, now)
    }

    /// The same version of a folder with other parts to load.
    fn with_parts(&self, parts: Parts, now: DateTime<Utc>) -> Arc<Self> {
        let Unit { name, source, memory_limit, warm, .. } = &*self.unit;
        let unit = Unit::with_parts(name.clone(), source.clone(), *memory_limit, *warm, parts);
        let does = Registered { hooks: self.hooks.clone(), routes: self.routes.clone(), schedules: self.schedules.clone() };
        let extension = Self::new(self.settings.clone(), Origin::Folder, does, unit, &self.pool, now);
        if let Some((why, since)) = self.broken_since() {
            extension.set_broken(&why, since);
        }
        extension
    }

    fn new(
        settings: Settings,
        origin: Origin,
        Registered { hooks, routes, schedules }: Registered,
        unit: Arc<Unit>,
        pool: &Arc<Pool>,
        since: DateTime<Utc>,
    ) -> Arc<Self> {
        let pool = Arc::clone(pool);
        let identity =
            Arc::new(Identity { name: settings.name.clone(), capabilities: settings.capabilities.clone(), ..Identity::default() });
        Arc::new(Self {
            settings,
            identity,
            origin,
            hooks,
            routes,
            schedules,
            unit,
            breaker: Arc::default(),
            route_breaker: Arc::default(),
            since,
            broken: Mutex::default(),
            inspected: AtomicBool::new(false),
            last_fault: Mutex::default(),
            pool,
        })
    }

    /// Why it can't be loaded, if that is known.
    pub fn broken(&self) -> Option<String> {
        self.broken_since().map(|(why, _)| why)
    }

    /// The same, and since when.
    pub fn broken_since(&self) -> Option<(String, DateTime<Utc>)> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note that it can't be loaded, as is known since `since`. What was known before stays. Answers whether that is news.
    pub fn set_broken(&self, why: &str, since: DateTime<Utc>) -> bool {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = broken.is_none();
        broken.get_or_insert_with(|| (why.to_owned(), since));
        is_news
    }

    /// Its last fault on this host.
    pub fn last_fault(&self) -> Option<LastFault> {
        self.last_fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note of a fault.
    pub fn set_last_fault(&self, fault: LastFault) {
        *self.last_fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

impl Drop for Extension {
    /// The last snapshot that could call it is gone, so its workers may go.
    fn drop(&mut self) {
        // Outside the runtime the host is ending, and the pool ends every worker itself.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.pool.retire(self.unit.id);
        }
    }
}

/// A snapshot.
pub struct ExtensionSet {
    pub(super) shared: Arc<Shared>,
    pub(super) registry: Registry,
    /// Who answers which requests.
    pub(super) routes: Table,
    /// Extensions whose routes others have already, by id, and why: their routes answer nothing.
    pub(super) conflicts: HashMap<String, String>,
    /// Those that run, or that guard something although they can't.
    pub(super) by_id: HashMap<String, Arc<Extension>>,
    /// What extensions share.
    pub(super) customs: Arc<Customs>,
    /// Rows that can't be understood, by id, and why: they run nothing.
    pub(super) unreadable: HashMap<String, String>,
    /// When the rows that it was built of were saved, by id.
    pub(super) saved: HashMap<String, serde_json::Value>,
}

impl ExtensionSet {
    /// Builds the next snapshot. Versions of rows that haven't changed are kept, with their workers.
    pub fn build(
        shared: &Arc<Shared>,
        rows: Vec<Item>,
        folders: Vec<Arc<Extension>>,
        customs: Arc<Customs>,
        previous: Option<&Self>,
        safe_mode: bool,
    ) -> Self {
        let now = shared.core.clock.now();
        let (mut by_id, mut unreadable, mut saved) = (HashMap::new(), HashMap::new(), HashMap::new());
        for row in rows {
            let id = row.get("id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let at = ["updated_at", "created_at"].iter().find_map(|name| row.get(*name).filter(|at| !at.is_null()));
            saved.insert(id.clone(), at.cloned().unwrap_or_default());
            match Definition::from_row(&row) {
                Ok(definition) if definition.status == Status::Inactive || safe_mode => {}
                Ok(definition) => {
                    let kept = previous
                        .and_then(|set| set.by_id.get(&id))
                        .filter(|old| matches!(&old.origin, Origin::Row(before) if *before == definition))
                        .filter(|old| old.unit.parts == customs.parts(&old.unit.source, &old.settings.capabilities));
                    let is_broken = definition.status == Status::Error;
                    let extension = kept.map_or_else(|| Extension::of_row(definition, &customs, &shared.pool, now), Arc::clone);
                    if is_broken {
                        let (why, since) = known_error(&row);
                        extension.set_broken(&why, since.unwrap_or(now));
                    }
                    by_id.insert(id, extension);
                }
                Err(error) => {
                    tracing::warn!(extension = id, %error, "a row of daas_extensions can't be understood");
                    let is_off = safe_mode || row.get("status").is_some_and(|status| status == "inactive");
                    // What it guards can still be told, mostly: that stays guarded.
                    if let Some(definition) = Definition::guarding(&row).filter(|_| !is_off) {
                        let extension = Extension::of_row(definition, &customs, &shared.pool, now);
                        let known = previous.and_then(|set| set.by_id.get(&id)?.broken_since());
                        let since = known.filter(|(why, _)| why == error.message()).map_or(now, |(_, since)| since);
                        extension.set_broken(error.message(), since);
                        by_id.insert(id.clone(), extension);
                    }
                    unreadable.insert(id, error.message().to_owned());
                }
            }
        }
        if !safe_mode {
            for extension in folders {
                let parts = customs.parts(&extension.unit.source, &extension.settings.capabilities);
                let id = extension.settings.id.clone();
                let is_kept = |old: &&Arc<Extension>| {
                    old.unit.parts == parts && old.settings == extension.settings && old.unit.source.is_same_as(&extension.unit.source)
                };
                let kept = previous.and_then(|set| set.by_id.get(&id)).filter(is_kept).map(Arc::clone);
                let extension = match kept {
                    _ if extension.unit.parts == parts => extension,
                    Some(kept) => kept,
                    None => extension.with_parts(parts, now),
                };
                by_id.insert(id, extension);
            }
        }
        let hooks = by_id.values().flat_map(|extension| extension.hooks.iter().cloned());
        let registry = Registry::new(hooks);
        let (routes, conflicts) = Table::build(by_id.values().flat_map(|extension| extension.routes.iter().cloned()).collect());
        let conflicts = conflicts.into_iter().map(|conflict| (conflict.loser, conflict.message)).collect();
        Self { shared: Arc::clone(shared), registry, routes, conflicts, by_id, customs, unreadable, saved }
    }

    /// What a unit of the host's own, which may use all custom services, loads of them.
    pub fn parts(&self, source: &Source) -> Parts {
        self.customs.parts(source, &Capabilities::default())
    }

    /// The table of routes.
    pub fn routes(&self) -> &Table {
        &self.routes
    }
}

/// What a row whose status is `error` knows about that.
fn known_error(row: &Item) -> (String, Option<DateTime<Utc>>) {
    let text = |name: &str| row.get(name).and_then(serde_json::Value::as_str);
    let first_line = text("last_error").and_then(|error| error.lines().next());
    let why = first_line.map_or_else(|| "its code doesn't load".to_owned(), |line| format!("its code doesn't load: {line}"));
    let since = text("last_error_at").and_then(|at| DateTime::parse_from_rfc3339(at).ok()).map(|at| at.with_timezone(&Utc));
    (why, since)
}

//! The extensions that lie in folders: loaded aside, swapped in when they load, kept at work when the next version doesn't.
//!
//! A folder that exists and doesn't load still guards what its last good version guarded, also after a restart: what that registered is
//! kept in the database. [`Extensions`] calls in here at start and for each change that the watch reports.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::definition::Settings;
use super::files::{self, Folder};
use super::folder_settings::FolderSettings;
use super::registered;
use super::routes::Table;
use super::rows;
use super::set::{Extension, Origin, Shared};
use super::store::Extensions;
use super::trouble::load_report;
use crate::db::{Db, Filter, Op, Query, Sql, sql, system, timestamp};
use crate::error::{Error, Result};
use crate::hooks::outbox;
use crate::sandbox::{LoadFailure, LogLevel, Problem, Source, Unit};
use crate::services::Item;

/// The namespace of the ids that are made of folders' names.
const NAMESPACE: Uuid = Uuid::from_u128(0x7472_656c_6c69_735f_6578_7465_6e73_696f);

/// Folders that are read and loaded at once, per processor.
const PARALLEL: usize = 2;

/// Folders of one look whose workers stay, so that the first call of each finds one. Those of more would be ended for want of memory.
const KEPT_WORKERS: usize = 64;

/// The id of the extension in the folder called `name`: the same on every host and after every restart.
pub fn folder_id(name: &str) -> String {
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

/// Whether an id may be that of a folder.
pub fn is_folder_id(id: &str) -> bool {
    Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 5)
}

/// The folders of this host.
#[derive(Default)]
pub struct Folders {
    /// By name. Changed under the lock on changes only; short sections.
    states: Mutex<States>,
}

/// One folder.
#[derive(Clone)]
pub struct FolderState {
    /// What its settings say, or said when they could last be read.
    pub settings: Settings,
    /// For people.
    pub description: Option<String>,
    /// Whether it is to run.
    pub enabled: bool,
    /// The version that runs; or, if none ever loaded on this host, a stand-in that guards what the last good one registered.
    pub serving: Option<Arc<Extension>>,
    /// Why the version on disk isn't the one that runs; empty if it is.
    pub problems: Vec<Problem>,
    /// Of the version that was last looked at.
    fingerprint: Option<[u8; 32]>,
    /// Another extension has a route of it: worth another look when others change.
    conflicts: bool,
    /// When the version that runs was loaded on this host.
    pub loaded_at: Option<DateTime<Utc>>,
}

type States = BTreeMap<String, FolderState>;

/// What came of looking at a folder.
enum Looked {
    /// It is as it was.
    Same,
    /// It is switched off.
    Off { settings: Settings, description: Option<String>, fingerprint: Option<[u8; 32]> },
    /// A version that loads.
    Good(Box<Candidate>),
    /// One that doesn't.
    Bad(Failed),
}

/// A version that doesn't load, or whose routes others have.
struct Failed {
    /// With the description, as far as they could be read.
    settings: Option<(Settings, Option<String>)>,
    fingerprint: Option<[u8; 32]>,
    failure: LoadFailure,
    /// Whether it is for the routes of others.
    conflicts: bool,
}

/// A version that loads and isn't in the set yet.
struct Candidate {
    extension: Arc<Extension>,
    description: Option<String>,
    fingerprint: [u8; 32],
    folder: Arc<Folder>,
    registrations: Vec<Value>,
}

impl Folders {
    fn states(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What belongs in the set.
    pub fn serving(&self) -> Vec<Arc<Extension>> {
        self.states().values().filter_map(|state| state.serving.clone()).collect()
    }

    /// The folder with this id, and its name.
    pub fn find(&self, id: &str) -> Option<(String, FolderState)> {
        self.all().into_iter().find(|(_, state)| state.settings.id == id)
    }

    /// All of them, by name.
    pub fn all(&self) -> Vec<(String, FolderState)> {
        self.states().iter().map(|(name, state)| (name.clone(), state.clone())).collect()
    }

    /// Those that lost their routes to others.
    pub(super) fn conflicting(&self) -> BTreeSet<String> {
        self.states().iter().filter(|(_, state)| state.conflicts).map(|(name, _)| name.clone()).collect()
    }
}

impl Extensions {
    /// Looks at every folder on disk and in memory: at start, and when the watch can't tell which changed.
    pub async fn load_folders(&self) -> Result<()> {
        self.look_at(None).await
    }

    /// Looks at the folders with these names, which may have changed, come or gone.
    pub async fn reload_folders(&self, names: BTreeSet<String>) -> Result<()> {
        self.look_at(Some(names)).await
    }

    async fn look_at(&self, names: Option<BTreeSet<String>>) -> Result<()> {
        let _one = self.change.lock().await;
        self.look_at_locked(names).await
    }

    /// After a change of rows: folders that lost their routes to one may have them now. The caller holds the lock on changes, and its
    /// change is made, whatever comes of this.
    pub(super) async fn look_at_conflicting(&self) {
        let names = self.folders.conflicting();
        if !names.is_empty()
            && let Err(error) = self.look_at_locked(Some(names)).await
        {
            tracing::warn!(%error, "folders that lost their routes to others could not be looked at again");
        }
    }

    async fn look_at_locked(&self, names: Option<BTreeSet<String>>) -> Result<()> {
        if self.safe_mode {
            return Ok(());
        }
        let root = self.shared.core.config.extensions_path.clone();
        let kept = kept(&self.shared.core.db).await?;
        let mut known: BTreeSet<String> = self.folders.states().keys().cloned().collect();
        let on_disk = match list(&root).await {
            Ok(names) => names,
            // A directory that can't be read says nothing about what is in it, least of all that it is gone.
            Err(why) if known.is_empty() => return self.guard_all(&kept, &why).await,
            Err(why) => return Err(Error::internal(why)),
        };
        if names.is_none() {
            // Also those that went while the host was down.
            known.extend(kept.values().filter_map(|row| row.get("name")?.as_str().map(str::to_owned)));
        }
        let mut names = names.unwrap_or_else(|| on_disk.union(&known).cloned().collect());
        names.extend(self.folders.conflicting());
        let (here, gone): (Vec<String>, Vec<String>) = names.into_iter().partition(|name| on_disk.contains(name));
        let keeps_worker = here.len() <= KEPT_WORKERS;
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let looked: Vec<(String, Looked)> = futures_util::stream::iter(here)
            .map(|name| {
                let before = self.folders.states().get(&name).cloned();
                let (root, shared) = (root.clone(), Arc::clone(&self.shared));
                async move {
                    let looked = look(&root, &name, before, &shared).await;
                    if let Looked::Good(candidate) = &looked
                        && !keeps_worker
                    {
                        shared.pool.rest(candidate.extension.unit.id);
                    }
                    (name, looked)
                }
            })
            .buffer_unordered(processors * PARALLEL)
            .collect()
            .await;
        // What is told of a folder is told when it is so: the new states are shown after the swap.
        let mut states = self.folders.states().clone();
        let loaded = self.apply(looked, &kept, &mut states).await;
        let gone: Vec<String> =
            gone.into_iter().filter(|name| states.remove(name).is_some() || kept.contains_key(&folder_id(name))).collect();
        self.swap_in(states.values().filter_map(|state| state.serving.clone()).collect()).await?;
        *self.folders.states() = states;
        for (name, extension) in loaded {
            let (hooks, routes) = (extension.hooks.len(), extension.routes.len());
            tracing::info!(extension = extension.settings.name, folder = name, hooks, routes, "extension folder loaded");
        }
        for name in gone {
            self.forget_folder(&name).await?;
        }
        Ok(())
    }

    /// What was guarded stays guarded while nobody can say what lies in the directory.
    async fn guard_all(&self, kept: &HashMap<String, Item>, why: &str) -> Result<()> {
        tracing::error!(why, "`EXTENSIONS_PATH` can't be read: what its folders guarded answers 503");
        let mut states = States::new();
        for name in kept.values().filter_map(|row| row.get("name")?.as_str()) {
            let failure = LoadFailure::from(Problem::general(format!("`EXTENSIONS_PATH` can't be read: {why}")));
            let failed = Failed { settings: None, fingerprint: None, failure, conflicts: false };
            let state = self.failed_folder(name, failed, kept, None).await;
            states.insert(name.to_owned(), state);
        }
        self.swap_in(states.values().filter_map(|state| state.serving.clone()).collect()).await?;
        *self.folders.states() = states;
        Ok(())
    }

    /// Takes over what was found into the next states. Answers the versions that are new.
    async fn apply(
        &self,
        looked: Vec<(String, Looked)>,
        kept: &HashMap<String, Item>,
        states: &mut States,
    ) -> Vec<(String, Arc<Extension>)> {
        let mut good: BTreeMap<String, Box<Candidate>> = BTreeMap::new();
        let mut bad = Vec::new();
        for (name, looked) in looked {
            match looked {
                Looked::Same => {}
                Looked::Off { settings, description, fingerprint } => {
                    tracing::info!(extension = name, "extension folder is switched off");
                    self.note_folder(&name, None, kept).await;
                    self.stop_schedules(&settings.id).await;
                    let state = FolderState {
                        settings,
                        description,
                        enabled: false,
                        serving: None,
                        problems: Vec::new(),
                        fingerprint,
                        conflicts: false,
                        loaded_at: None,
                    };
                    states.insert(name, state);
                }
                Looked::Good(candidate) => drop(good.insert(name, candidate)),
                Looked::Bad(failed) => bad.push((name, failed)),
            }
        }
        // What can't have its routes beside the others isn't taken; what it would have replaced stays, which may get in another's way.
        loop {
            let losers = self.losers(&good, states);
            if losers.is_empty() {
                break;
            }
            for (name, message) in losers {
                if let Some(candidate) = good.remove(&name) {
                    let settings = Some((candidate.extension.settings.clone(), candidate.description));
                    let failure = LoadFailure::from(Problem::general(message));
                    bad.push((name, Failed { settings, fingerprint: Some(candidate.fingerprint), failure, conflicts: true }));
                }
            }
        }
        let mut loaded = Vec::new();
        for (name, candidate) in good {
            let Candidate { extension, description, fingerprint, folder, registrations } = *candidate;
            // From now on every worker of this version gets what the first got.
            folder.close();
            self.note_folder(&name, Some(&registrations), kept).await;
            self.keep_schedules(&extension).await;
            loaded.push((name.clone(), Arc::clone(&extension)));
            let state = FolderState {
                settings: extension.settings.clone(),
                description,
                enabled: true,
                serving: Some(extension),
                problems: Vec::new(),
                fingerprint: Some(fingerprint),
                conflicts: false,
                loaded_at: Some(self.shared.core.clock.now()),
            };
            states.insert(name, state);
        }
        for (name, failed) in bad {
            let state = self.failed_folder(&name, failed, kept, states.get(&name)).await;
            states.insert(name, state);
        }
        loaded
    }

    /// The candidates that lose a conflict of routes, with what is to be said about it.
    fn losers(&self, good: &BTreeMap<String, Box<Candidate>>, states: &States) -> Vec<(String, String)> {
        let set = self.current();
        let rows = set.by_id.values().filter(|extension| matches!(extension.origin, Origin::Row(_))).cloned();
        let staying = states.iter().filter(|(name, _)| !good.contains_key(*name)).filter_map(|(_, state)| state.serving.clone());
        let all = rows.chain(staying).chain(good.values().map(|candidate| Arc::clone(&candidate.extension)));
        let (_, conflicts) = Table::build(all.flat_map(|extension| extension.routes.clone()).collect());
        let named = |id: &str| good.iter().find(|(_, candidate)| candidate.extension.settings.id == id).map(|(name, _)| name.clone());
        conflicts.into_iter().filter_map(|conflict| Some((named(&conflict.loser)?, conflict.message))).collect()
    }

    /// The next state of a folder whose version on disk doesn't load.
    async fn failed_folder(&self, name: &str, failed: Failed, kept: &HashMap<String, Item>, before: Option<&FolderState>) -> FolderState {
        let Failed { settings, fingerprint, failure, conflicts } = failed;
        let (settings, description) = settings
            .or_else(|| before.map(|state| (state.settings.clone(), state.description.clone())))
            .unwrap_or_else(|| (settings_of(name, &FolderSettings::of(name)), None));
        let report = load_report(&failure);
        // With the version before this one it goes on as if nothing had happened; without one, what is known to be guarded stays so.
        let running = before.filter(|state| state.serving.as_ref().is_some_and(|extension| extension.broken().is_none()));
        let (serving, loaded_at) = match running {
            Some(state) => (state.serving.clone(), state.loaded_at),
            None => (kept.get(&settings.id).and_then(|row| guard(&settings, row, &report, &self.shared)), None),
        };
        let goes_on = running.is_some();
        tracing::warn!(extension = settings.name, folder = name, goes_on, report, "extension folder doesn't load");
        self.note_folder(name, None, kept).await;
        self.shared.stats.note_error(&settings.id, &report);
        let problems = failure.problems;
        FolderState { settings, description, enabled: true, serving, problems, fingerprint, conflicts, loaded_at }
    }

    /// Removing a folder is a decision: it guards nothing any more, and what is owed to it is given up.
    async fn forget_folder(&self, name: &str) -> Result<()> {
        tracing::info!(folder = name, "extension folder is gone");
        let (core, id) = (&self.shared.core, folder_id(name));
        let this = Filter::field("id", Op::Eq(json!(id)));
        self.write(sql::delete_where(core.db.dialect(), &system::extension_folders_table(), &this)?).await?;
        self.forget_runs(&id, false).await;
        self.forget_schedules(&id).await?;
        self.write(outbox::give_up(core.db.dialect(), &id, core.clock.now())?).await
    }

    /// Makes sure that there is a row for the folder, with what it registered if it loaded. What can't be written is missed at the next
    /// start only.
    async fn note_folder(&self, name: &str, registrations: Option<&[Value]>, kept: &HashMap<String, Item>) {
        let statement = match self.folder_statement(name, registrations, kept) {
            Ok(None) => return,
            Ok(Some(statement)) => self.write(statement).await,
            Err(error) => Err(error),
        };
        if let Err(error) = statement {
            tracing::warn!(folder = name, %error, "what an extension folder registered could not be kept");
        }
    }

    fn folder_statement(&self, name: &str, registrations: Option<&[Value]>, kept: &HashMap<String, Item>) -> Result<Option<Sql>> {
        let (core, table, id) = (&self.shared.core, system::extension_folders_table(), folder_id(name));
        let (dialect, now) = (core.db.dialect(), json!(timestamp(core.clock.now())));
        let mut row = Item::new();
        if let Some(list) = registrations {
            row.insert("registered".to_owned(), json!(list));
            row.insert("loaded_at".to_owned(), now.clone());
        }
        let Some(before) = kept.get(&id) else {
            row.extend([("id".to_owned(), json!(id)), ("name".to_owned(), json!(name)), ("created_at".to_owned(), now)]);
            return sql::insert(dialect, &table, &row, &[]).map(Some);
        };
        if row.get("registered").is_none_or(|registered| before.get("registered") == Some(registered)) {
            return Ok(None);
        }
        sql::update_by_keys(dialect, &table, &[json!(id)], None, &row, &[]).map(Some)
    }
}

/// The names of the folders on disk; none where the directory isn't there. An error says why that can't be told.
async fn list(root: &Path) -> std::result::Result<BTreeSet<String>, String> {
    let root = root.to_owned();
    let listed = tokio::task::spawn_blocking(move || files::names(&root)).await;
    match listed {
        Ok(Ok(names)) => {
            for name in names.refused {
                tracing::warn!(folder = name, "not an extension: its name must have letters, digits, `.`, `_` and `-` only");
            }
            Ok(names.extensions.into_iter().collect())
        }
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Ok(Err(error)) => Err(format!("extension folders can't be listed: {error}")),
        Err(error) => Err(format!("the task that lists extension folders ended badly: {error}")),
    }
}

/// Reads a folder and loads it into a worker, if it is another version than the one before.
async fn look(root: &Path, name: &str, before: Option<FolderState>, shared: &Shared) -> Looked {
    let (root, owned) = (root.to_owned(), name.to_owned());
    let read = tokio::task::spawn_blocking(move || (files::read(&root, &owned), files::is_switched_off(&root, &owned))).await;
    let (read, is_off) = match read {
        Ok(read) => read,
        Err(error) => (Err(vec![Problem::general(format!("The folder could not be read: {error}"))]), false),
    };
    let mut folder = match read {
        Ok(folder) => folder,
        // Switching off is always possible, whatever else is wrong.
        Err(_) if is_off => {
            let settings = settings_of(name, &FolderSettings::of(name));
            return Looked::Off { settings, description: None, fingerprint: None };
        }
        Err(problems) => {
            let failure = LoadFailure { problems };
            return Looked::Bad(Failed { settings: None, fingerprint: None, failure, conflicts: false });
        }
    };
    let fingerprint = folder.fingerprint;
    // What didn't load may load now, for reasons that lie outside of the folder.
    let is_well =
        |state: &FolderState| state.problems.is_empty() && state.serving.as_ref().is_none_or(|extension| extension.broken().is_none());
    if before.is_some_and(|state| state.fingerprint == Some(fingerprint) && is_well(&state)) {
        return Looked::Same;
    }
    let settings = settings_of(name, &folder.settings);
    let description = folder.settings.description.clone();
    if !folder.settings.enabled {
        return Looked::Off { settings, description, fingerprint: Some(fingerprint) };
    }
    let files = Arc::new(std::mem::take(&mut folder.files));
    let folder = Arc::new(folder);
    let source = Source::Modules { entry: folder.entry.clone(), files, packages: Arc::clone(&folder) as Arc<_> };
    let unit = Unit::new(name, source, settings.memory_limit, settings.warm);
    let failure = match shared.pool.check(&unit).await {
        Ok(loaded) => {
            for line in &loaded.lines {
                let message = &line.message;
                match line.level {
                    LogLevel::Debug => tracing::debug!(target: "trellis::extension", extension = name, "{message}"),
                    LogLevel::Info => tracing::info!(target: "trellis::extension", extension = name, "{message}"),
                    LogLevel::Warn | LogLevel::Error => tracing::warn!(target: "trellis::extension", extension = name, "{message}"),
                }
            }
            match registered::read(&settings, &loaded.registrations) {
                Ok(registered) => {
                    let extension = Extension::of_folder(settings, registered, unit, &shared.pool, shared.core.clock.now());
                    let registrations = loaded.registrations;
                    return Looked::Good(Box::new(Candidate { extension, description, fingerprint, folder, registrations }));
                }
                Err(problems) => LoadFailure { problems },
            }
        }
        Err(failure) => failure,
    };
    shared.pool.retire(unit.id);
    Looked::Bad(Failed { settings: Some((settings, description)), fingerprint: Some(fingerprint), failure, conflicts: false })
}

/// Guards what the last good version registered, and runs nothing.
fn guard(settings: &Settings, row: &Item, why: &str, shared: &Shared) -> Option<Arc<Extension>> {
    let registrations = row.get("registered")?.as_array()?;
    // What was good once is good still, unless a newer version of the host says otherwise: then the event isn't there to be guarded.
    let registered = registered::read(settings, registrations).ok()?;
    let nothing = Source::Body { code: String::new(), params: Vec::new(), answers: false };
    let unit = Unit::new(settings.name.clone(), nothing, settings.memory_limit, false);
    let now = shared.core.clock.now();
    let extension = Extension::of_folder(settings.clone(), registered, unit, &shared.pool, now);
    extension.set_broken(why, now);
    Some(extension)
}

fn settings_of(folder: &str, said: &FolderSettings) -> Settings {
    Settings {
        id: folder_id(folder),
        name: said.name.clone(),
        sort: said.sort,
        timeout: said.timeout,
        stream_timeout: said.stream_timeout,
        memory_limit: said.memory_limit,
        fail_open: said.fail_open,
        capabilities: said.capabilities.clone(),
        warm: said.warm,
    }
}

/// The names of the folders that the database knows, in order; also with the host down.
pub async fn folder_names(db: &Db) -> Result<Vec<String>> {
    let mut names: Vec<String> = kept(db).await?.values().filter_map(|row| row.get("name")?.as_str().map(str::to_owned)).collect();
    names.sort_unstable();
    Ok(names)
}

/// What the database knows of folders, by id.
pub(super) async fn kept(db: &Db) -> Result<HashMap<String, Item>> {
    let items = rows::find(db, &system::extension_folders_table(), &Query::default()).await?.into_iter();
    Ok(items.filter_map(|item| Some((item.get("id")?.as_str()?.to_owned(), item))).collect())
}

//! Which folders are watched for which extensions, and which of them a notice of the operating system is about.
//!
//! Watches are per folder and by real path, never recursive: what is under `node_modules` may be a hundred thousand folders, and a
//! recursive watch has no way to leave them out. All functions block. It knows no time: [`super`] decides when a change is complete.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use crate::extensions::files::{self, INSTALL_MARKERS, LOCK_FILES, MAX_DEPTH, PACKAGES};

/// What the operating system says.
pub type Notice = notify::Result<Event>;

/// Most notices that wait; beyond, everything is looked at anew.
const MAX_NOTICES: usize = 16_384;
/// Most folders of one extension that are watched: as many as it may have.
const MAX_FOLDERS: usize = 10_000;
/// How often a folder is walked anew because folders appeared while the ones found before were put under watch.
const MAX_ROUNDS: usize = 8;

/// The way of a notice from the thread that hears it.
#[derive(Debug, Clone)]
pub struct Feed {
    notices: mpsc::Sender<Notice>,
    /// Set by the hearing thread when there was no room, taken back by the tree.
    missed: Arc<AtomicBool>,
}

impl Feed {
    /// The two ends.
    pub fn new() -> (Self, mpsc::Receiver<Notice>) {
        let (notices, incoming) = mpsc::channel(MAX_NOTICES);
        (Self { notices, missed: Arc::default() }, incoming)
    }

    /// Runs on the thread that hears the operating system.
    fn pass_on(&self, notice: Notice) {
        if notice.as_ref().is_ok_and(is_reading) {
            return;
        }
        if self.notices.try_send(notice).is_err() {
            self.missed.store(true, Ordering::Release);
        }
    }
}

/// Whether nothing changed: the reading of extensions would otherwise be heard as well.
fn is_reading(event: &Event) -> bool {
    matches!(event.kind, EventKind::Access(kind) if kind != AccessKind::Close(AccessMode::Write)) && !event.need_rescan()
}

/// A device and a file on it: the same folder whatever its name.
type Id = (u64, u64);

fn id_of(path: &Path) -> Option<Id> {
    path.metadata().ok().filter(fs::Metadata::is_dir).map(|data| (data.dev(), data.ino()))
}

/// What a watched folder is to an extension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The folder of all extensions.
    Root,
    /// It holds files of this extension.
    Sources(String),
    /// It holds the installed packages of this extension.
    Packages(String),
}

/// The folders of one extension as they were found.
#[derive(Debug, Default)]
struct Place {
    /// Where it really is, and which folder that is.
    at: PathBuf,
    id: Option<Id>,
    sources: BTreeSet<PathBuf>,
    packages: Option<PathBuf>,
    /// The links among its entries that lead to folders, by their own path.
    links: HashSet<PathBuf>,
}

/// How changes are noticed.
enum Eyes {
    /// By notices; each folder under watch with what it was when it was put there.
    Notices { watcher: RecommendedWatcher, under: HashMap<PathBuf, Id> },
    /// By looking at sizes and times every other time, with what they hashed to.
    Looking { stamps: BTreeMap<String, u64>, turn: bool },
}

/// The extension folders below a root.
pub struct Tree {
    root: PathBuf,
    feed: Feed,
    eyes: Eyes,
    /// Where the root really is, while it exists.
    anchor: Option<(PathBuf, Id)>,
    places: BTreeMap<String, Place>,
    /// Whose a folder is; derived from `anchor` and `places`.
    roles: HashMap<PathBuf, BTreeSet<Role>>,
}

impl Tree {
    /// Puts everything below `root` under watch. Without `notices` it looks instead.
    pub fn new(root: PathBuf, feed: Feed, notices: bool) -> Self {
        let looking = || Eyes::Looking { stamps: BTreeMap::new(), turn: false };
        let ear = feed.clone();
        let eyes = match notices.then(|| notify::recommended_watcher(move |notice| ear.pass_on(notice))) {
            Some(Ok(watcher)) => Eyes::Notices { watcher, under: HashMap::new() },
            Some(Err(e)) => {
                tell_limit(&e);
                looking()
            }
            None => looking(),
        };
        let mut tree = Self { root, feed, eyes, anchor: None, places: BTreeMap::new(), roles: HashMap::new() };
        match tree.eyes {
            Eyes::Notices { .. } => drop(tree.renew_all()),
            Eyes::Looking { .. } => drop(tree.compare()),
        }
        tree
    }

    /// The extensions that these notices are about.
    pub fn absorb(&mut self, notices: Vec<Notice>) -> BTreeSet<String> {
        let mut touched = Touched::default();
        if matches!(self.eyes, Eyes::Notices { .. }) {
            for notice in notices {
                match notice {
                    Ok(event) if event.need_rescan() => touched.all = true,
                    Ok(event) => event.paths.iter().for_each(|path| self.note(path, event.kind, &mut touched)),
                    Err(e) => {
                        tracing::warn!(error = %e, "a notice about extension folders was lost; all are looked at anew");
                        touched.all = true;
                    }
                }
            }
        }
        self.settle(touched)
    }

    /// The extensions that changed without a notice. Called about once a second.
    pub fn look(&mut self) -> BTreeSet<String> {
        if let Eyes::Looking { turn, .. } = &mut self.eyes {
            *turn = !*turn;
            return if *turn { BTreeSet::new() } else { self.compare() };
        }
        let mut touched =
            Touched { all: self.feed.missed.swap(false, Ordering::AcqRel) || self.find_root() != self.anchor, ..Touched::default() };
        if let Some((root, _)) = &self.anchor {
            // Nothing is heard of the folder that a link's target lies in, nor of a target that doesn't exist.
            let linked = self.places.iter().filter(|(name, place)| place.at != root.join(name));
            let moved = linked.filter(|(name, place)| {
                let at = root.join(name).canonicalize().ok();
                at.as_deref().and_then(id_of) != place.id || at.is_none_or(|at| at != place.at)
            });
            touched.anew = moved.map(|(name, _)| name.clone()).collect();
            touched.anew.extend(self.names().into_iter().filter(|name| !self.places.contains_key(name)));
        }
        self.settle(touched)
    }

    fn find_root(&self) -> Option<(PathBuf, Id)> {
        let root = self.root.canonicalize().ok()?;
        let id = id_of(&root)?;
        Some((root, id))
    }

    /// What an event at `path` says about the extensions whose folders it happened in.
    fn note(&mut self, path: &Path, kind: EventKind, touched: &mut Touched) {
        // Folders aren't written to, and what is written to by name is a file.
        let of_entry = !matches!(kind, EventKind::Modify(ModifyKind::Data(_)) | EventKind::Access(_));
        let gone = match kind {
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => true,
            EventKind::Modify(ModifyKind::Name(RenameMode::Any)) => path.symlink_metadata().is_err(),
            _ => false,
        };
        if gone && self.roles.contains_key(path) {
            self.forget(path, touched);
        }
        for role in self.roles.get(path).into_iter().flatten() {
            match role {
                Role::Root => {}
                Role::Sources(name) | Role::Packages(name) => {
                    if of_entry {
                        touched.anew.insert(name.clone());
                    }
                }
            }
        }
        let (Some(parent), Some(entry)) = (path.parent(), path.file_name()) else { return };
        let entry = entry.to_string_lossy();
        for role in self.roles.get(parent).into_iter().flatten() {
            match role {
                Role::Root => {
                    if of_entry && files::is_name(&entry) && (self.places.contains_key(entry.as_ref()) || path.is_dir()) {
                        touched.anew.insert(entry.clone().into_owned());
                    }
                }
                Role::Sources(name) => {
                    if files::is_source(&entry) || LOCK_FILES.contains(&entry.as_ref()) {
                        touched.changed.insert(name.clone());
                    }
                    // Two dots: what Kubernetes switches a mounted volume by, all files at once.
                    let is_passed_over = files::is_skipped(&entry) && entry != PACKAGES && !entry.starts_with("..");
                    let is_link = || self.places.get(name).is_some_and(|place| place.links.contains(path));
                    if of_entry && !is_passed_over && (entry.starts_with("..") || is_link() || path.is_dir()) {
                        touched.anew.insert(name.clone());
                    }
                }
                Role::Packages(name) => {
                    if INSTALL_MARKERS.contains(&entry.as_ref()) {
                        touched.changed.insert(name.clone());
                    }
                }
            }
        }
    }

    /// Takes a folder that went away from under watch, with all below it: another may stand in its place already.
    fn forget(&mut self, path: &Path, touched: &mut Touched) {
        let below: Vec<PathBuf> = self.roles.keys().filter(|folder| folder.starts_with(path)).cloned().collect();
        for folder in below {
            if let Eyes::Notices { watcher, under } = &mut self.eyes
                && under.remove(&folder).is_some()
            {
                // The operating system may have taken it away itself.
                drop(watcher.unwatch(&folder));
            }
            for role in self.roles.get(&folder).into_iter().flatten() {
                match role {
                    Role::Root => touched.all = true,
                    Role::Sources(name) | Role::Packages(name) => {
                        touched.anew.insert(name.clone());
                    }
                }
            }
        }
    }

    /// Brings the watches up to date and names everything that was touched.
    fn settle(&mut self, touched: Touched) -> BTreeSet<String> {
        let Touched { all, anew, mut changed } = touched;
        if all {
            changed.append(&mut self.renew_all());
        } else if !anew.is_empty() {
            let fell_back = !self.renew(&anew);
            changed.extend(anew);
            if fell_back {
                changed.extend(self.known());
            }
        }
        changed
    }

    fn known(&self) -> BTreeSet<String> {
        match &self.eyes {
            Eyes::Notices { .. } => self.places.keys().cloned().collect(),
            Eyes::Looking { stamps, .. } => stamps.keys().cloned().collect(),
        }
    }

    fn names(&self) -> BTreeSet<String> {
        // What can't be listed has no extensions for now; `look` asks again.
        files::names(&self.root).unwrap_or_default().extensions.into_iter().collect()
    }

    /// Looks at everything anew; names all extensions that there were and are.
    fn renew_all(&mut self) -> BTreeSet<String> {
        self.anchor = self.find_root();
        let mut names = self.known();
        // The root first: what appears in it from now on is heard of.
        self.renew(&BTreeSet::new());
        names.append(&mut self.names());
        self.renew(&names);
        names.append(&mut self.known());
        names
    }

    /// Walks these extensions and puts under watch what is new. False if the operating system watches no more folders; then the tree
    /// has begun to look instead.
    fn renew(&mut self, names: &BTreeSet<String>) -> bool {
        for _ in 0..MAX_ROUNDS {
            for name in names {
                match Place::find(&self.root.join(name)) {
                    Some(place) => self.places.insert(name.clone(), place),
                    None => self.places.remove(name),
                };
            }
            self.assign_roles();
            match self.watch_roles() {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    tell_limit(&e);
                    self.eyes = Eyes::Looking { stamps: BTreeMap::new(), turn: false };
                    self.compare();
                    return false;
                }
            }
        }
        true
    }

    fn assign_roles(&mut self) {
        self.roles.clear();
        let mut assign = |folder: &Path, role| {
            self.roles.entry(folder.to_owned()).or_default().insert(role);
        };
        if let Some((root, _)) = &self.anchor {
            assign(root, Role::Root);
        }
        for (name, place) in &self.places {
            place.sources.iter().for_each(|folder| assign(folder, Role::Sources(name.clone())));
            place.packages.iter().for_each(|folder| assign(folder, Role::Packages(name.clone())));
        }
    }

    /// Makes the watches those of `roles`; true if one was added. Only the limit of the operating system is an error.
    fn watch_roles(&mut self) -> notify::Result<bool> {
        let Eyes::Notices { watcher, under } = &mut self.eyes else { return Ok(false) };
        let wanted: HashMap<&PathBuf, Id> = self.roles.keys().filter_map(|folder| Some((folder, id_of(folder)?))).collect();
        // Before any is added: a folder under two names has one watch, and taking one name away would end it.
        for (folder, _) in under.extract_if(|folder, id| wanted.get(folder) != Some(id)) {
            drop(watcher.unwatch(&folder));
        }
        let mut added = false;
        for (folder, id) in wanted {
            if under.contains_key(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    under.insert(folder.clone(), id);
                    added = true;
                }
                Err(e) if is_limit(&e) => return Err(e),
                // Gone again, which the folder above it tells, or closed to us, which whoever reads it tells.
                Err(e) => tracing::debug!(error = %e, "a folder of an extension can't be watched"),
            }
        }
        Ok(added)
    }

    /// The extensions whose sizes and times aren't what they were.
    fn compare(&mut self) -> BTreeSet<String> {
        let now: BTreeMap<String, u64> = self
            .names()
            .into_iter()
            .filter_map(|name| Some((Place::find(&self.root.join(&name))?.stamp(), name)))
            .map(|(s, n)| (n, s))
            .collect();
        let Eyes::Looking { stamps, .. } = &mut self.eyes else { return BTreeSet::new() };
        let before = std::mem::replace(stamps, now);
        let differ = |a: &BTreeMap<String, u64>, b: &BTreeMap<String, u64>| -> Vec<String> {
            a.iter().filter(|(name, stamp)| b.get(*name) != Some(*stamp)).map(|(name, _)| name.clone()).collect()
        };
        differ(&before, stamps).into_iter().chain(differ(stamps, &before)).collect()
    }
}

/// What a batch of notices is about.
#[derive(Default)]
struct Touched {
    /// Everything.
    all: bool,
    /// Extensions whose folders may be others than before.
    anew: BTreeSet<String>,
    /// Extensions with changed files.
    changed: BTreeSet<String>,
}

impl Place {
    /// Walks an extension's folder; `None` if there is none.
    fn find(path: &Path) -> Option<Self> {
        let at = path.canonicalize().ok()?;
        let mut place = Self { id: Some(id_of(&at)?), at: at.clone(), ..Self::default() };
        place.walk(at.clone(), 0);
        let packages = at.join(PACKAGES).canonicalize().ok();
        place.packages = packages.filter(|folder| folder.is_dir() && folder.starts_with(&at));
        Some(place)
    }

    fn walk(&mut self, folder: PathBuf, depth: usize) {
        if depth > MAX_DEPTH || self.sources.len() >= MAX_FOLDERS || self.sources.contains(&folder) {
            return;
        }
        let entries = fs::read_dir(&folder);
        self.sources.insert(folder);
        for entry in entries.into_iter().flatten().flatten() {
            if files::is_skipped(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                self.walk(entry.path(), depth + 1);
            } else if kind.is_symlink()
                && let Ok(target) = entry.path().canonicalize()
                && target.is_dir()
            {
                self.links.insert(entry.path());
                if target.starts_with(&self.at) {
                    self.walk(target, depth + 1);
                }
            }
        }
    }

    /// A hash of the names, sizes and times of everything that counts.
    fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.at, &self.packages).hash(&mut hasher);
        let mut add = |path: &Path| {
            if let Ok(data) = path.metadata() {
                (path, data.is_dir(), data.ino()).hash(&mut hasher);
                if !data.is_dir() {
                    (data.len(), data.mtime(), data.mtime_nsec()).hash(&mut hasher);
                }
            }
        };
        for folder in &self.sources {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let counts = |name: &str| files::is_source(name) || LOCK_FILES.contains(&name);
            let paths = entries.flatten().filter(|entry| counts(&entry.file_name().to_string_lossy())).map(|entry| entry.path());
            let sorted: BTreeSet<PathBuf> = paths.collect();
            add(folder);
            sorted.iter().for_each(|path| add(path));
        }
        if let Some(packages) = &self.packages {
            INSTALL_MARKERS.iter().for_each(|name| add(&packages.join(name)));
        }
        hasher.finish()
    }
}

fn is_limit(e: &notify::Error) -> bool {
    match &e.kind {
        ErrorKind::MaxFilesWatch => true,
        ErrorKind::Io(e) => is_used_up(e),
        _ => false,
    }
}

fn is_used_up(e: &io::Error) -> bool {
    matches!(e.raw_os_error(), Some(libc::ENOSPC | libc::EMFILE | libc::ENFILE | libc::ENOMEM))
}

/// Said once: afterwards there is nothing left to run out of.
fn tell_limit(e: &notify::Error) {
    tracing::warn!(
        error = %e,
        "the system watches no more folders, so extension folders are looked at every 2 seconds; \
         raise fs.inotify.max_user_watches or fs.inotify.max_user_instances (sysctl) and start again"
    );
}

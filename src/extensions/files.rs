//! One extension folder, read whole into memory: what workers get is this image, never the disk.
//!
//! It knows neither what the code says nor whether it loads; it decides which files belong to an extension, that they stay inside its
//! folder and within bounds, and which version they are. All functions block; they are called on blocking threads, at start and after
//! every change that `watch` reports.

mod packages;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packages::PackageFiles;
use sha2::{Digest, Sha256};

use super::folder_settings::{self, FolderSettings};
use crate::sandbox::{self, Packages, Problem, TEXT_ENDINGS};
use crate::services::query::clip;

/// Most source of one extension, its packages included, in bytes.
const MAX_SOURCE: u64 = sandbox::MAX_SOURCE as u64;
/// Most files and sub-folders of one extension, packages left out.
const MAX_FILES: usize = 10_000;
/// Largest file of a text that isn't code, in bytes: a larger one is data that happens to lie there.
const MAX_TEXT: u64 = 1 << 20;
/// Most files of texts that aren't code.
const MAX_TEXTS: usize = 1_000;
/// Begins the names of texts that are about the extension, not of it.
const ABOUT: [&str; 5] = ["README", "CHANGELOG", "CONTRIBUTING", "LICENSE", "NOTICE"];
/// Most names in the path of a file, below the extension's folder.
pub(super) const MAX_DEPTH: usize = 32;
/// Most problems that are told at once: beyond, they are of a kind.
const MAX_PROBLEMS: usize = 100;
/// How much of a lock file decides about the version, in bytes.
const MAX_LOCK: u64 = 64 << 20;

/// What an extension may begin in; the first that exists does.
const ENTRIES: [&str; 4] = ["index.mjs", "index.js", "index.ts", "index.mts"];
/// What is read.
const ENDINGS: [&str; 7] = [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json"];
/// What package managers write when they install, beside the code. Not source, but a change makes a new version.
pub(super) const LOCK_FILES: [&str; 5] = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];
/// What they write into [`PACKAGES`]: the same.
pub(super) const INSTALL_MARKERS: [&str; 3] = [".package-lock.json", ".modules.yaml", ".yarn-state.yml"];
/// The folder of installed packages.
pub(super) const PACKAGES: &str = "node_modules";

/// The sub-folders of the extensions folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Those that are extensions, in order.
    pub extensions: Vec<String>,
    /// Those that would be, but for their name, in order and fit to be shown.
    pub refused: Vec<String>,
}

/// Lists the extensions below `root`: folders, also linked ones, whose name doesn't begin with `.` or `_`.
///
/// # Errors
/// If `root` can't be listed.
pub fn names(root: &Path) -> io::Result<Names> {
    let mut names = Names::default();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What can't be looked at is taken for a folder: it is told as one that can't be read, and not as one that is gone.
        let is_folder = match fs::metadata(entry.path()) {
            Ok(found) => found.is_dir(),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if name.starts_with(['.', '_']) || name == PACKAGES || !is_folder {
            continue;
        }
        if is_name(&name) {
            names.extensions.push(name.into_owned());
        } else {
            names.refused.push(clip(&name).escape_debug().to_string());
        }
    }
    names.extensions.sort_unstable();
    names.refused.sort_unstable();
    Ok(names)
}

/// Whether a folder of this name can be an extension: 1 to 100 of `A-Z a-z 0-9 . _ -`, a letter or digit first.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 100
        && name != PACKAGES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// Whether a file of this name is read.
pub(super) fn is_source(name: &str) -> bool {
    is_code(name) || is_text(name)
}

/// Whether a file of this name is code or JSON, which must be readable.
fn is_code(name: &str) -> bool {
    !name.starts_with('.') && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file of this name is a text that code may import. One that can't be taken is left out: most folders hold such files for
/// other reasons.
fn is_text(name: &str) -> bool {
    let is_about = ABOUT.iter().any(|about| name.starts_with(about));
    !name.starts_with('.') && !is_about && TEXT_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether an entry of this name is passed over, with all that is in it.
pub(super) fn is_skipped(name: &str) -> bool {
    name.starts_with('.') || name == PACKAGES
}

/// One version of one extension folder. Its texts never change.
pub struct Folder {
    /// The folder's name: the extension's identity.
    pub name: String,
    /// The key of the module that it begins in.
    pub entry: String,
    /// The texts by their path in the folder, with `/`; without a byte order mark.
    pub files: BTreeMap<String, Arc<str>>,
    /// What `extension.json` says.
    pub settings: FolderSettings,
    /// Equal for equal files and equally installed packages.
    pub fingerprint: [u8; 32],
    packages: PackageFiles,
}

impl std::fmt::Debug for Folder {
    /// Without the texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder")
            .field("name", &self.name)
            .field("entry", &self.entry)
            .field("files", &self.files.len())
            .finish_non_exhaustive()
    }
}

impl Folder {
    /// The text of a file below `node_modules/`, read from disk the first time and remembered: all workers of this version see the
    /// same. `None` where there is no such regular file, which is remembered too.
    ///
    /// # Errors
    /// With a text for the author: it leads out of the folder, isn't UTF-8, or is too much.
    pub fn package_file(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        self.packages.file(path)
    }

    /// Ends the reading of packages: from now on only what is remembered exists. Called after the first good load.
    pub fn close(&self) {
        self.packages.close();
    }
}

impl Packages for Folder {
    fn file(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        self.package_file(path)
    }
}

/// Reads the folder `name` below `root`.
///
/// A folder that moves meanwhile is read once more, at most: whoever changes it is still at it, and `watch` reports the end.
///
/// # Errors
/// With everything that is wrong with it.
pub fn read(root: &Path, name: &str) -> Result<Folder, Vec<Problem>> {
    if !is_name(name) {
        return Err(vec![Problem::general(
            "The folder's name must have 1 to 100 letters, digits, `.`, `_` and `-`, a letter or digit first",
        )]);
    }
    let place = match root.join(name).canonicalize() {
        Ok(place) if place.is_dir() => place,
        Ok(_) => return Err(vec![Problem::general("It isn't a folder")]),
        Err(e) => return Err(vec![Problem::general(format!("The folder can't be read: {}", e.kind()))]),
    };
    let mut listing = Listing::of(&place);
    let mut image = Image::of(&listing);
    let again = Listing::of(&place);
    if !again.equals(&listing) {
        (listing, image) = (again, None);
    }
    let Image { files, mut problems, size, digest, .. } = image.unwrap_or_else(|| Image::read(&listing));
    problems.append(&mut listing.problems);
    let entry = entry(&listing, &mut problems);
    let settings = match files.get(folder_settings::FILE) {
        Some(text) => FolderSettings::parse(text, name).unwrap_or_else(|mut found| {
            problems.append(&mut found);
            FolderSettings::of(name)
        }),
        None => FolderSettings::of(name),
    };
    match entry {
        Some(entry) if problems.is_empty() => {
            let packages = PackageFiles::new(place, MAX_SOURCE - size);
            Ok(Folder { name: name.to_owned(), entry: entry.to_owned(), files, settings, fingerprint: digest, packages })
        }
        _ => {
            problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            problems.truncate(MAX_PROBLEMS);
            Err(problems)
        }
    }
}

/// Whether the folder's settings say that it isn't to run: asked of a folder that can't be read as a whole.
pub fn is_switched_off(root: &Path, name: &str) -> bool {
    let mut text = String::new();
    let read = File::open(root.join(name).join(folder_settings::FILE)).and_then(|file| file.take(MAX_SOURCE).read_to_string(&mut text));
    read.is_ok() && serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|settings| settings.get("enabled") == Some(&false.into()))
}

/// The file to begin in.
fn entry(listing: &Listing, problems: &mut Vec<Problem>) -> Option<&'static str> {
    let quoted = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let found: Vec<&str> = ENTRIES.into_iter().filter(|name| listing.files.contains_key(*name)).collect();
    match found.as_slice() {
        [] => problems.push(Problem::general(format!("The folder has no file to begin in: it needs one of {}", quoted(&ENTRIES)))),
        [_] => {}
        several => {
            problems.push(Problem::general(format!("The folder has {} files to begin in: keep one of {}", several.len(), quoted(several))))
        }
    }
    found.first().copied()
}

/// A file as it was listed.
struct Listed {
    path: PathBuf,
    size: u64,
    /// Differs as soon as the file was written or replaced.
    state: [i64; 6],
}

fn state(data: &Metadata) -> [i64; 6] {
    [data.ino().cast_signed(), data.size().cast_signed(), data.mtime(), data.mtime_nsec(), data.ctime(), data.ctime_nsec()]
}

/// What is there, before anything is read.
#[derive(Default)]
struct Listing {
    files: BTreeMap<String, Listed>,
    /// Texts that aren't code.
    texts: BTreeMap<String, Listed>,
    /// The lock files and install markers that exist.
    locks: BTreeMap<String, Listed>,
    /// Files and folders met, for the limit.
    met: usize,
    problems: Vec<Problem>,
}

impl Listing {
    fn of(place: &Path) -> Self {
        let mut listing = Self::default();
        listing.folder(place, place, "", &mut Vec::new());
        if listing.met > MAX_FILES {
            listing.problems.push(Problem::general(format!("It holds more than {MAX_FILES} files and sub-folders")));
        }
        let markers = INSTALL_MARKERS.iter().map(|name| format!("{PACKAGES}/{name}"));
        for name in LOCK_FILES.iter().map(|name| (*name).to_owned()).chain(markers) {
            let path = place.join(&name);
            if let Ok(data) = path.metadata()
                && data.is_file()
            {
                listing.locks.insert(name, Listed { path, size: data.len(), state: state(&data) });
            }
        }
        listing
    }

    /// Lists `folder`, whose files have keys that begin with `prefix`. `within` are the folders that it was come to through: a link to
    /// one of them would go round in circles.
    fn folder(&mut self, place: &Path, folder: &Path, prefix: &str, within: &mut Vec<(u64, u64)>) {
        let entries = folder.metadata().and_then(|data| Ok((data, fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?)));
        let (data, entries) = match entries {
            Ok(read) => read,
            Err(e) => {
                let named =
                    if prefix.is_empty() { "The folder".to_owned() } else { format!("The folder `{}`", prefix.trim_end_matches('/')) };
                self.problems.push(Problem::general(format!("{named} can't be read: {}", e.kind())));
                return;
            }
        };
        let id = (data.dev(), data.ino());
        if within.contains(&id) {
            return;
        }
        within.push(id);
        for entry in entries {
            if self.met > MAX_FILES {
                break;
            }
            let raw = entry.file_name();
            let name = raw.to_string_lossy();
            let key = format!("{prefix}{name}");
            if is_skipped(&name) || prefix.is_empty() && LOCK_FILES.contains(&name.as_ref()) {
                continue;
            }
            if raw.to_str().is_some() {
                self.entry(place, &entry.path(), &key, within);
            } else if is_code(&name) || entry.path().is_dir() {
                self.problems.push(Problem::in_file(&key, "Its name isn't UTF-8"));
            }
        }
        within.pop();
    }

    fn entry(&mut self, place: &Path, path: &Path, key: &str, within: &mut Vec<(u64, u64)>) {
        let name = key.rsplit('/').next().unwrap_or(key);
        let wanted = is_code(name);
        let (target, data) = match followed(path) {
            Ok(found) => found,
            Err(e) if wanted => return self.problems.push(Problem::in_file(key, format!("It can't be read: {}", e.kind()))),
            Err(_) => return,
        };
        if !data.is_dir() && !wanted {
            let stays = target.as_ref().is_none_or(|target| target.starts_with(place));
            let is_fit = data.is_file() && data.len() <= MAX_TEXT && key.split('/').count() <= MAX_DEPTH;
            if is_text(name) && stays && is_fit && self.texts.len() < MAX_TEXTS {
                let listed = Listed { path: target.unwrap_or_else(|| path.to_owned()), size: data.len(), state: state(&data) };
                self.texts.insert(key.to_owned(), listed);
            }
            return;
        }
        self.met += 1;
        if target.as_ref().is_some_and(|target| !target.starts_with(place)) {
            self.problems.push(Problem::in_file(key, "It is a link that leads out of the extension's folder: copy it there"));
        } else if key.split('/').count() > MAX_DEPTH {
            self.problems.push(Problem::in_file(key, format!("It lies deeper than {MAX_DEPTH} folders")));
        } else if data.is_dir() {
            self.folder(place, target.as_deref().unwrap_or(path), &format!("{key}/"), within);
        } else if !data.is_file() {
            self.problems.push(Problem::in_file(key, "It isn't a regular file"));
        } else {
            let listed = Listed { path: target.unwrap_or_else(|| path.to_owned()), size: data.len(), state: state(&data) };
            self.files.insert(key.to_owned(), listed);
        }
    }

    fn size(&self) -> u64 {
        self.files.values().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    fn equals(&self, other: &Self) -> bool {
        let same = |a: &BTreeMap<String, Listed>, b: &BTreeMap<String, Listed>| {
            a.len() == b.len() && a.iter().zip(b).all(|((a, x), (b, y))| a == b && x.state == y.state)
        };
        same(&self.files, &other.files) && same(&self.texts, &other.texts) && same(&self.locks, &other.locks)
    }
}

/// What `path` is, and where it really is if it is a link.
fn followed(path: &Path) -> io::Result<(Option<PathBuf>, Metadata)> {
    let data = path.symlink_metadata()?;
    if !data.is_symlink() {
        return Ok((None, data));
    }
    let target = path.canonicalize()?;
    let data = target.metadata()?;
    Ok((Some(target), data))
}

/// What was read.
struct Image {
    files: BTreeMap<String, Arc<str>>,
    problems: Vec<Problem>,
    /// Of all files, in bytes.
    size: u64,
    /// The part of it that isn't code.
    texts: u64,
    digest: [u8; 32],
}

impl Image {
    /// `None` if it isn't what was listed.
    fn of(listing: &Listing) -> Option<Self> {
        let image = Self::read(listing);
        let unread = listing.size() > MAX_SOURCE;
        (unread || image.size - image.texts == listing.size() || !image.problems.is_empty()).then_some(image)
    }

    fn read(listing: &Listing) -> Self {
        let mut image = Self { files: BTreeMap::new(), problems: Vec::new(), size: 0, texts: 0, digest: [0; 32] };
        if listing.size() > MAX_SOURCE {
            image.problems.push(too_large(listing));
            return image;
        }
        let mut digest = Sha256::new();
        let mut add = |name: &str, content: &[u8]| {
            for part in [name.as_bytes(), content] {
                // With the lengths in, no two lists of files spell the same bytes.
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        };
        for (key, file) in &listing.files {
            let room = MAX_SOURCE - image.size;
            match read_regular(&file.path, room) {
                Ok(Some(bytes)) if bytes.len() as u64 > room => {
                    image.problems.push(Problem::in_file(key, "It grew beyond the 16 MiB of source that an extension may hold"));
                }
                Ok(Some(bytes)) => {
                    image.size += bytes.len() as u64;
                    add(key, &bytes);
                    match text(bytes) {
                        Ok(text) => drop(image.files.insert(key.clone(), text)),
                        Err((line, column)) => image.problems.push(Problem {
                            line: Some(line),
                            column: Some(column),
                            ..Problem::in_file(key, "It isn't UTF-8: save it in that encoding")
                        }),
                    }
                }
                Ok(None) => image.problems.push(Problem::in_file(key, "It isn't a regular file")),
                Err(e) => image.problems.push(Problem::in_file(key, format!("It can't be read: {}", e.kind()))),
            }
        }
        for (key, file) in &listing.texts {
            let room = MAX_TEXT.min(MAX_SOURCE - image.size);
            let Ok(Some(bytes)) = read_regular(&file.path, room) else { continue };
            let size = bytes.len() as u64;
            if size <= room && std::str::from_utf8(&bytes).is_ok() {
                add(key, &bytes);
                if let Ok(text) = text(bytes) {
                    image.texts += size;
                    image.size += size;
                    image.files.insert(key.clone(), text);
                }
            }
        }
        for (name, file) in &listing.locks {
            // A lock file that can't be read says nothing about the version; the code is the same either way.
            let content = hash(&file.path).unwrap_or_default();
            add(name, &content);
        }
        image.digest = digest.finalize().into();
        image
    }
}

fn too_large(listing: &Listing) -> Problem {
    let mebibytes = |size: u64| format!("{}.{} MiB", size >> 20, ((size % (1 << 20)) * 10) >> 20);
    let mut files: Vec<_> = listing.files.iter().map(|(key, file)| (file.size, key)).collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    let largest: Vec<String> = files.iter().take(3).map(|(size, key)| format!("`{key}` ({})", mebibytes(*size))).collect();
    let size = mebibytes(listing.size());
    Problem::general(format!("It holds {size} of source, and 16 MiB is the most; its largest files: {}", largest.join(", ")))
}

/// Opens a file without waiting for whoever is at the other end of a pipe; `None` if it isn't regular.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The content of a file, or the first `room` + 1 bytes of it; `None` if it isn't regular.
fn read_regular(path: &Path, room: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(room.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The text without its byte order mark, or line and column where it stops being UTF-8.
fn text(bytes: Vec<u8>) -> Result<Arc<str>, (u32, u32)> {
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::from(text.strip_prefix('\u{feff}').unwrap_or(&text))),
        Err(e) => {
            let good = String::from_utf8_lossy(&e.as_bytes()[..e.utf8_error().valid_up_to()]);
            let last = good.rsplit('\n').next().unwrap_or_default();
            let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
            Err((count(good.matches('\n').count()), count(last.chars().count())))
        }
    }
}

/// The hash of a lock file's beginning.
fn hash(path: &Path) -> io::Result<Vec<u8>> {
    let Some(file) = open_regular(path)? else { return Ok(Vec::new()) };
    let mut file = file.take(MAX_LOCK);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(digest.finalize().to_vec()),
            Ok(n) => digest.update(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

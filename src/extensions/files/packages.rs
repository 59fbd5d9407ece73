//! The installed packages of one version of an extension folder: files below its `node_modules`, read as they are asked for.
//!
//! A `node_modules` is too large to be read whole and mostly never imported. What was answered once is answered for good, so that all
//! workers of a version agree; after the first good load the disk is out of the game. It doesn't resolve specifiers: whoever asks, by
//! way of [`super::Folder::package_file`], knows what a package's `exports` say. Who asks is not trusted.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{PACKAGES, read_regular, text};
use crate::services::query::clip;

/// Longest path that can be asked for, in bytes.
const MAX_PATH: usize = 1_024;
/// Most paths that are remembered: resolution asks for many that don't exist, each import for a few.
const MAX_ASKED: usize = 20_000;

/// What is known of the packages of one version.
pub struct PackageFiles {
    /// The extension's folder, canonical.
    place: PathBuf,
    /// Held while a file is read: every asker waits for the one answer that holds.
    state: Mutex<State>,
}

struct State {
    known: HashMap<String, Option<Arc<str>>>,
    /// Bytes of source that the extension may still hold.
    room: u64,
    /// Nothing is read any more.
    closed: bool,
}

impl PackageFiles {
    /// Of the extension at `place`, a canonical path, which may hold `room` more bytes of source.
    pub fn new(place: PathBuf, room: u64) -> Self {
        Self { place, state: Mutex::new(State { known: HashMap::new(), room, closed: false }) }
    }

    /// See [`super::Folder::package_file`].
    pub fn file(&self, path: &str) -> Result<Option<Arc<str>>, String> {
        if !is_package_path(path) {
            return Ok(None);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.known.get(path) {
            return Ok(known.clone());
        }
        if state.closed {
            return Ok(None);
        }
        if state.known.len() >= MAX_ASKED {
            return Err(format!("More than {MAX_ASKED} files of `{PACKAGES}` were asked for: bundle the packages into one file"));
        }
        let found = self.read(path, state.room)?;
        state.room -= found.as_ref().map_or(0, |text| text.len() as u64);
        state.known.insert(path.to_owned(), found.clone());
        Ok(found)
    }

    /// See [`super::Folder::close`].
    pub fn close(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }

    fn read(&self, path: &str, room: u64) -> Result<Option<Arc<str>>, String> {
        let unreadable = |e: std::io::Error| match e.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename | ErrorKind::IsADirectory => Ok(None),
            kind => Err(format!("`{}` can't be read: {kind}", shown(path))),
        };
        let target = match self.place.join(path).canonicalize() {
            Ok(target) => target,
            Err(e) => return unreadable(e),
        };
        if !target.starts_with(&self.place) {
            return Err(format!("`{}` is a link that leads out of the extension's folder: install the package there", shown(path)));
        }
        let bytes = match read_regular(&target, room) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(None),
            Err(e) => return unreadable(e),
        };
        if bytes.len() as u64 > room {
            return Err(format!("With `{}` the extension would hold more than 16 MiB of source: import less, or bundle it", shown(path)));
        }
        text(bytes).map(Some).map_err(|(line, column)| format!("`{}` isn't UTF-8 (line {line}, column {column})", shown(path)))
    }
}

/// The end of a path tells more than its beginning, but the beginning names the package.
fn shown(path: &str) -> String {
    let start = clip(path);
    if start.len() == path.len() {
        start.to_owned()
    } else {
        format!("{start}…/{}", clip(Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or_default()))
    }
}

/// Whether it is a plain path below `node_modules/`.
fn is_package_path(path: &str) -> bool {
    path.len() <= MAX_PATH
        && !path.contains(['\0', '\\'])
        && path
            .split_once('/')
            .is_some_and(|(first, rest)| first == PACKAGES && rest.split('/').all(|part| !matches!(part, "" | "." | "..")))
}

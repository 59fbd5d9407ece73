//! The host's side of a load: the unit goes to a worker, which asks for files of packages until it has what it needs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use super::compile::{LoadAnswer, LoadBody, LoadSource, LoadStep};
use super::link::Link;
use super::resolve::is_package_path;
use super::scheduler::Crew;
use super::{LoadFailure, Loaded, LogLevel, LogLine, Packages, Source, Unit};

/// Files of packages that one unit may ask for, those that aren't there included.
const MAX_FOUND: usize = 50_000;

/// Why a worker didn't load a unit.
pub(super) enum NotLoaded {
    Because(LoadFailure),
    Died,
}

/// Has a worker load the unit of a crew, handing it the files of packages that it asks for.
pub(super) async fn load_into(link: &Link, crew: &Crew, max_payload: usize) -> Result<Loaded, NotLoaded> {
    let unit = &crew.unit;
    let found = || crew.found.lock().unwrap_or_else(PoisonError::into_inner);
    let unreadable = || NotLoaded::Because(LoadFailure::general("The code could not be compiled: the worker gave no readable answer"));
    let known = found().clone();
    let mut step = LoadStep::Begin(load_body(unit, known, max_payload));
    loop {
        let body = serde_json::to_vec(&step).map_err(|_| unreadable())?;
        let answer = link.load(body).await.map_err(|_| NotLoaded::Died)?;
        match crate::json::from_bytes::<LoadAnswer>(&answer).map_err(|_| unreadable())? {
            LoadAnswer::Loaded { registrations, lines } => {
                let lines = lines.into_iter().map(|(level, message)| LogLine { level: LogLevel::from_wire(level), message }).collect();
                return Ok(Loaded { registrations, lines });
            }
            LoadAnswer::Failed(failure) => return Err(NotLoaded::Because(failure.said())),
            LoadAnswer::Need(paths) => {
                let Source::Modules { packages, .. } = &unit.source else {
                    return Err(NotLoaded::Because(LoadFailure::general("The worker asked for files that the code doesn't have")));
                };
                // What only a worker that isn't ours any more would ask for.
                if !paths.iter().all(|path| is_package_path(path)) || found().len() + paths.len() > MAX_FOUND {
                    return Err(NotLoaded::Because(LoadFailure::general("The imports ask for too many files of packages")));
                }
                let packages = Arc::clone(packages);
                let read = tokio::task::spawn_blocking(move || read_all(&*packages, paths)).await;
                let files = read.map_err(|_| NotLoaded::Died)?.map_err(|why| NotLoaded::Because(LoadFailure::general(why)))?;
                found().extend(files.clone());
                step = LoadStep::Files(files);
            }
        }
    }
}

/// What a worker is told of a unit, beside the files of packages that are `known` already.
pub(super) fn load_body(unit: &Unit, known: BTreeMap<String, Option<Arc<str>>>, max_payload: usize) -> LoadBody {
    let source = match &unit.source {
        Source::Body { code, params, answers } => LoadSource::Body { code: code.clone(), params: params.clone(), answers: *answers },
        Source::Modules { entry, files, .. } => {
            let mut all = known;
            all.extend(files.iter().map(|(path, text)| (path.clone(), Some(Arc::clone(text)))));
            LoadSource::Modules { entry: entry.clone(), files: all }
        }
    };
    let parts = (*unit.parts).clone();
    LoadBody { name: unit.name.clone(), source, memory_limit: unit.memory_limit, max_payload, warm: unit.warm, parts }
}

fn read_all(packages: &dyn Packages, paths: Vec<String>) -> Result<BTreeMap<String, Option<Arc<str>>>, String> {
    paths.into_iter().map(|path| packages.file(&path).map(|text| (path, text))).collect()
}

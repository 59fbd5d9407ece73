//! The extensions as they are at one moment: immutable, swapped as a whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::breaker::Breaker;
use super::definition::{Definition, Status};
use super::stats::Stats;
use crate::hooks::Registry;
use crate::sandbox::{Pool, Unit};
use crate::services::Core;

/// What all snapshots share.
pub struct Shared {
    /// The services.
    pub core: Arc<Core>,
    /// The workers.
    pub pool: Arc<Pool>,
    /// The counters.
    pub stats: Stats,
}

/// One extension that may run: what its author defined, and the version of it that workers load.
pub struct Extension {
    /// What its author defined.
    pub definition: Definition,
    /// What workers load.
    pub unit: Arc<Unit>,
    /// Whether it is left alone for a while.
    pub breaker: Arc<Breaker>,
    /// Why its code doesn't load, once that was found out. Short sections only: a std mutex.
    broken: Mutex<Option<String>>,
    pool: Arc<Pool>,
}

impl Extension {
    /// A version of its own.
    pub fn new(definition: Definition, pool: &Arc<Pool>) -> Arc<Self> {
        let unit = Unit::new(definition.name.clone(), definition.source(), definition.memory_limit, definition.warm);
        Arc::new(Self { definition, unit, breaker: Arc::default(), broken: Mutex::new(None), pool: Arc::clone(pool) })
    }

    /// Why it can't be loaded, if that is known.
    pub fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes note that it can't be loaded. Answers whether that is news.
    pub fn set_broken(&self, why: &str) -> bool {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).replace(why.to_owned()).is_none()
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
    /// Those that run, or that guard something although they can't.
    pub(super) by_id: HashMap<String, Arc<Extension>>,
    /// Rows that can't be understood, by id, and why: they run nothing.
    pub(super) unreadable: HashMap<String, String>,
}

impl ExtensionSet {
    /// Builds the next snapshot. Versions that haven't changed are kept, with their workers.
    pub fn build(shared: &Arc<Shared>, rows: Vec<crate::services::Item>, previous: Option<&Self>, safe_mode: bool) -> Self {
        let (mut by_id, mut unreadable) = (HashMap::new(), HashMap::new());
        let mut hooks = Vec::new();
        for row in rows {
            let id = row.get("id").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            match Definition::from_row(&row) {
                Ok(definition) if definition.status == Status::Inactive || safe_mode => {}
                Ok(definition) => {
                    hooks.push(definition.hook());
                    let kept = previous.and_then(|set| set.by_id.get(&id)).filter(|old| old.definition == definition);
                    let extension = match kept {
                        Some(old) => Arc::clone(old),
                        None => Extension::new(definition, &shared.pool),
                    };
                    if extension.definition.status == Status::Error {
                        extension.set_broken("its status is `error`: mend the code and save it");
                    }
                    by_id.insert(id, extension);
                }
                Err(error) => {
                    tracing::warn!(extension = id, %error, "a row of daas_extensions can't be understood");
                    let is_off = safe_mode || row.get("status").is_some_and(|status| status == "inactive");
                    // What it guards can still be told, mostly: that stays guarded.
                    if let Some(definition) = Definition::guarding(&row).filter(|_| !is_off) {
                        hooks.push(definition.hook());
                        let extension = Extension::new(definition, &shared.pool);
                        extension.set_broken(error.message());
                        by_id.insert(id.clone(), extension);
                    }
                    unreadable.insert(id, error.message().to_owned());
                }
            }
        }
        Self { shared: Arc::clone(shared), registry: Registry::new(hooks), by_id, unreadable }
    }
}

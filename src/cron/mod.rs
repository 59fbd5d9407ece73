//! The jobs at work: the ticker that finds what is due, the runs in the sandbox, and the management of jobs.
//!
//! What is due and who may run it is decided in [`crate::services::cron`], by the database; here it is run, in the same workers as
//! extensions and under the same limits. `app` starts the ticker with the server and with nothing else; `http` is the door to the rest.

mod manage;
mod run;
mod ticker;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, Semaphore};
use uuid::Uuid;

use crate::extensions::Extensions;
use crate::sandbox::Pool;
use crate::services::Core;

/// Runs of jobs on this host at once. A job that hangs holds one of them to its time limit.
const PARALLEL: usize = 32;

/// The jobs, as this host runs them.
pub struct Cron {
    core: Arc<Core>,
    pool: Arc<Pool>,
    /// Whose custom services jobs may use.
    extensions: Arc<Extensions>,
    /// What the history calls this host.
    host: String,
    slots: Arc<Semaphore>,
    /// What runs here. Short sections only: a std mutex.
    alive: Mutex<HashSet<Uuid>>,
    /// Something about the schedules changed on this host.
    changed: Notify,
}

impl Cron {
    /// Runs nothing by itself until [`Cron::run`] is called.
    pub fn new(core: Arc<Core>, pool: Arc<Pool>, extensions: Arc<Extensions>) -> Arc<Self> {
        let host = crate::extensions::host_name();
        let slots = Arc::new(Semaphore::new(PARALLEL));
        Arc::new(Self { core, pool, extensions, host, slots, alive: Mutex::default(), changed: Notify::new() })
    }

    /// The jobs of extensions that this host has the handlers of.
    fn able(&self) -> Arc<[String]> {
        self.extensions.current().jobs().into()
    }

    /// What runs here: its locks aren't stale, however far the wall clock has jumped meanwhile.
    fn alive(&self) -> Arc<[Uuid]> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

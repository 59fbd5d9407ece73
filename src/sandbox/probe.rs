//! Whether code compiles, without running any of it: many units, one worker.
//!
//! For rows that came to their table past every check. Nothing that an extension wrote is run here, so one worker may read them all; one
//! that dies of a unit is replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::timeout;

use super::compile::{LoadAnswer, LoadStep};
use super::limits::{LOAD_GRACE, LOAD_TIMEOUT};
use super::link::Link;
use super::load::load_body;
use super::pool::Pool;
use super::scheduler::Crew;
use super::{LoadFailure, Unit};

/// A worker that compiles one unit after the other.
pub struct Probe {
    pool: Arc<Pool>,
    worker: Option<Arc<Link>>,
}

impl Pool {
    /// Begins to look at units. The worker is started by the first.
    pub fn probe(self: &Arc<Self>) -> Probe {
        Probe { pool: Arc::clone(self), worker: None }
    }
}

impl Probe {
    /// Whether the code of a unit compiles. `None` if that can't be told now: no worker could be started, or it died.
    pub async fn look(&mut self, unit: &Arc<Unit>) -> Option<Result<(), LoadFailure>> {
        let link = match self.worker.take() {
            Some(link) if !link.is_dead() => link,
            _ => self.pool.blank(&Arc::new(Crew::new(Arc::clone(unit), 1, self.pool.share()))).await.ok()?,
        };
        let step = LoadStep::Probe(load_body(unit, BTreeMap::new(), self.pool.max_payload()));
        let body = serde_json::to_vec(&step).ok()?;
        let answer = timeout(LOAD_TIMEOUT + LOAD_GRACE, link.load(body)).await.ok().and_then(Result::ok);
        let Some(answer) = answer.and_then(|body| crate::json::from_bytes::<LoadAnswer>(&body).ok()) else {
            self.pool.end(&link);
            return None;
        };
        self.worker = Some(link);
        match answer {
            LoadAnswer::Failed(failure) => Some(Err(failure.said())),
            LoadAnswer::Loaded { .. } => Some(Ok(())),
            // Only its load can tell.
            LoadAnswer::Need(_) => None,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(link) = &self.worker {
            self.pool.end(link);
        }
    }
}

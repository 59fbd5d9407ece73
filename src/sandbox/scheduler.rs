//! The workers of one unit and the choice among them.
//!
//! A call goes to a worker that has yielded lately; where none has, the unit gets another one, up to its share; past that the call
//! waits. It knows nothing of processes: the pool starts and ends them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::limits::{CROWD, REPLACE_EVERY};
use super::link::{Link, Priority};
use super::room::Share;
use super::{Loaded, Unit};

/// One unit with its workers.
pub(super) struct Crew {
    pub(super) unit: Arc<Unit>,
    /// Changed by whoever starts, chooses or loses a worker; never held across an await.
    members: Mutex<Members>,
    /// Calls that answer no request: hooks. No client can keep them out by asking often or slowly.
    pub(super) hooks: Lane,
    /// Calls that answer a request.
    pub(super) requests: Lane,
    /// Answers that stream.
    pub(super) streams: Semaphore,
    /// Calls with a slot that have no worker yet.
    pub(super) asking: AtomicUsize,
    /// Room for what its host calls make the host hold.
    pub(super) room: Share,
    /// A worker yielded, came or went.
    pub(super) changed: Notify,
    /// Set once, when the unit is no longer used.
    retired: AtomicBool,
    /// What it said about itself at its first load; every later one must say the same.
    pub(super) loaded: OnceLock<Loaded>,
    /// The files of packages that its loads asked for, so that the next needs no asking. Short sections only.
    pub(super) found: Mutex<BTreeMap<String, Option<Arc<str>>>>,
}

/// Calls of one kind.
pub(super) struct Lane {
    /// Those in flight.
    pub(super) slots: Semaphore,
    /// Those that wait for a slot: only for the limit on them.
    pub(super) waiting: AtomicUsize,
}

impl Lane {
    fn new(max_in_flight: usize) -> Self {
        Self { slots: Semaphore::new(max_in_flight), waiting: AtomicUsize::new(0) }
    }
}

#[derive(Default)]
struct Members {
    links: Vec<Arc<Link>>,
    loading: usize,
    /// When a worker was last begun to be replaced.
    replaced: Option<Instant>,
}

/// What to do with a call.
pub(super) enum Choice {
    /// Give it to this worker.
    Use(Arc<Link>),
    /// Start another worker; [`Crew::loaded`] must follow.
    Start,
    /// Look again when something changed.
    Wait,
    /// The same, and only memory is missing.
    WaitForMemory,
}

/// What the choice is bound to.
pub(super) struct Terms {
    /// Workers that the unit may have.
    pub share: usize,
    /// A nested call never waits for a busy worker.
    pub nested: bool,
    /// Whether the memory budget lets another worker start.
    pub room: bool,
}

impl Crew {
    pub(super) fn new(unit: Arc<Unit>, max_in_flight: usize, room: Share) -> Self {
        Self {
            unit,
            members: Mutex::default(),
            hooks: Lane::new(max_in_flight),
            requests: Lane::new(max_in_flight),
            streams: Semaphore::new(max_in_flight),
            asking: AtomicUsize::new(0),
            room,
            changed: Notify::new(),
            retired: AtomicBool::new(false),
            loaded: OnceLock::new(),
            found: Mutex::default(),
        }
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chooses for one call.
    pub(super) fn choose(&self, terms: &Terms) -> Choice {
        let now = Instant::now();
        let mut members = self.members();
        let mut best: Option<((Priority, usize), &Arc<Link>)> = None;
        let mut usable = 0;
        for link in &members.links {
            let Some(load) = link.load_now(now) else { continue };
            usable += 1;
            let rank = (load.priority, load.calls);
            if !load.stale && best.is_none_or(|(least, _)| rank < least) {
                best = Some((rank, link));
            }
        }
        if let Some((_, link)) = best {
            return Choice::Use(link.clone());
        }
        // Those that come to their end count as well: whatever a unit does, its processes stay within reason.
        let is_crowd = members.links.len() >= terms.share * CROWD;
        let wants = members.loading == 0 && !is_crowd && (terms.nested || usable < terms.share);
        // What is nested holds up a call that has a worker already: it never waits for memory.
        let may_start = wants && (terms.nested || terms.room);
        if may_start {
            members.loading += 1;
            return Choice::Start;
        }
        if wants { Choice::WaitForMemory } else { Choice::Wait }
    }

    /// Takes note that a worker is being loaded without a call that asked for it.
    pub(super) fn begin_load(&self) {
        self.members().loading += 1;
    }

    /// The same, to replace workers of a lower priority. `false` if none has to be replaced, or if it isn't time yet.
    pub(super) fn begin_replacement(&self, now: Instant) -> bool {
        let mut members = self.members();
        let is_time = members.replaced.is_none_or(|last| now.saturating_duration_since(last) >= REPLACE_EVERY);
        // Not while the last one that was replaced is still at work.
        let is_time = is_time && !members.links.iter().any(|link| link.is_retiring());
        let wanted = is_time
            && members.loading == 0
            && members.links.iter().any(|link| link.load_now(now).is_some_and(|l| l.priority > Priority::Ordinary));
        if wanted {
            members.loading += 1;
            members.replaced = Some(now);
        }
        wanted
    }

    /// A load ended: with a worker, or without.
    pub(super) fn loaded(&self, link: Option<Arc<Link>>) {
        let mut members = self.members();
        members.loading -= 1;
        if let Some(link) = &link
            && self.is_retired()
        {
            // It ends with the one call that it was started for.
            link.retire();
        }
        members.links.extend(link);
        drop(members);
        self.changed.notify_waiters();
    }

    /// The unit is no longer used.
    pub(super) fn set_retired(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// Whether it is no longer used: what runs may come to its end.
    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    /// Whether it has workers, or is about to.
    pub(super) fn is_at_work(&self) -> bool {
        let members = self.members();
        members.loading > 0 || !members.links.is_empty()
    }

    /// A worker went.
    pub(super) fn remove(&self, link: &Arc<Link>) {
        self.members().links.retain(|l| !Arc::ptr_eq(l, link));
        self.changed.notify_waiters();
    }

    /// All its workers.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.members().links.clone()
    }

    /// A worker yielded: calls that wait may look again.
    pub(super) fn wake(&self) {
        if [&self.hooks, &self.requests].iter().any(|lane| lane.waiting.load(Ordering::Relaxed) > 0) {
            self.changed.notify_waiters();
        }
    }
}

/// Counts a waiting call for as long as it lives.
pub(super) struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    /// `None` if `max` calls wait already.
    pub(super) fn enter(counter: &'a AtomicUsize, max: usize) -> Option<Self> {
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < max).then_some(n + 1)).ok().map(|_| Self(counter))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

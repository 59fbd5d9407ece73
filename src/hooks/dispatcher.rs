//! Runs what is owed: newborn deliveries from memory, and those that a dead host or an earlier failure left behind.
//!
//! At least once: a row goes only after its run ended. The wake-up is registered before the look, and a poll catches what no wake-up told.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, watch};
use uuid::Uuid;

use super::outbox::{self, Delivery, LEASE, Lease, Settlement};
use crate::clock::Clock;
use crate::db::{Db, Dialect};
use crate::error::Result;

/// Deliveries that run at once on this host.
const PARALLEL: usize = 16;
/// Newborn deliveries kept in memory; beyond these a row is left for the poll.
const MAX_QUEUED: usize = 1_000;
/// How often the table is looked at without a reason.
const POLL: Duration = Duration::from_secs(1);
/// How often leases are renewed: several times within [`LEASE`].
const RENEW: Duration = Duration::from_secs(3);
/// Waits before the second to the sixth attempt, in seconds; each is moved by up to 20 % either way.
const RETRY_SECS: [u64; 5] = [5, 30, 120, 600, 3600];

/// What the runner says about one run.
#[derive(Debug)]
pub enum Verdict {
    /// It ran to its end.
    Done,
    /// It failed; the schedule decides when again.
    Failed(String),
    /// It couldn't be run, through no fault of its own; again after this long.
    Later(Duration, String),
    /// The hook can't run until somebody changes its extension.
    Hold(String),
    /// It can never run.
    Hopeless(String),
}

/// Runs the hook of one delivery. Never fails: what goes wrong is the verdict.
pub type Execute = Arc<dyn Fn(Delivery) -> BoxFuture<'static, Verdict> + Send + Sync>;

/// The owed deliveries of this host.
pub struct Dispatcher {
    db: Db,
    clock: Clock,
    owner: String,
    /// Short sections only, never across an await: a std mutex.
    queue: Mutex<Queue>,
    wake: Notify,
    slots: Arc<Semaphore>,
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Delivery>,
    /// What waits behind a running delivery of the same hook, collection and key.
    behind: HashMap<OrderKey, VecDeque<Delivery>>,
    running: usize,
}

type OrderKey = (String, String, String, String);

fn order_key(delivery: &Delivery) -> Option<OrderKey> {
    let key = delivery.item_key.clone().filter(|_| delivery.ordered)?;
    Some((delivery.extension.clone(), delivery.hook.clone(), delivery.collection.clone(), key))
}

impl Dispatcher {
    /// A dispatcher with an identity of its own.
    pub fn new(db: Db, clock: Clock) -> Arc<Self> {
        let owner = Uuid::new_v4().to_string();
        Arc::new(Self { db, clock, owner, queue: Mutex::default(), wake: Notify::new(), slots: Arc::new(Semaphore::new(PARALLEL)) })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lease to write into newborn rows, or `None` when this host has enough to do: then the row is anybody's.
    pub fn newborn_lease(&self) -> Option<Lease> {
        let room = self.queue().ready.len() < MAX_QUEUED;
        room.then(|| self.lease())
    }

    fn lease(&self) -> Lease {
        let life = TimeDelta::from_std(LEASE).expect("ten seconds fit a TimeDelta");
        Lease { owner: self.owner.clone(), until: self.clock.now() + life }
    }

    /// Takes over deliveries that were committed under [`Dispatcher::newborn_lease`].
    pub fn publish(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        self.queue().ready.extend(deliveries);
        self.wake.notify_one();
    }

    /// Says that rows became due without a lease of ours.
    pub fn nudge(&self) {
        self.wake.notify_one();
    }

    /// Deliveries in memory or running.
    pub fn in_hand(&self) -> usize {
        let queue = self.queue();
        queue.ready.len() + queue.running + queue.behind.values().map(VecDeque::len).sum::<usize>()
    }

    /// Runs until `stop` turns true, then lets what runs end and gives the rest back.
    pub async fn run(self: Arc<Self>, execute: Execute, mut stop: watch::Receiver<bool>) {
        if self.db.dialect() == Dialect::Sqlite {
            // Nobody else can hold anything: what an earlier life of this host held is free now.
            self.report("release", self.write(outbox::release(self.db.dialect(), None)).await);
        }
        let (mut poll, mut renew) = (tokio::time::interval(POLL), tokio::time::interval(RENEW));
        loop {
            let mut look = false;
            tokio::select! {
                _ = stop.changed() => break,
                _ = self.wake.notified() => {}
                _ = poll.tick() => look = true,
                _ = renew.tick() => {
                    if self.in_hand() > 0 {
                        self.report("renew", self.write(outbox::renew(self.db.dialect(), &self.lease())).await);
                    }
                }
            }
            if look && self.in_hand() < MAX_QUEUED {
                match self.claim().await {
                    Ok(claimed) => self.queue().ready.extend(claimed),
                    Err(error) => tracing::warn!(%error, "owed deliveries could not be claimed; tried again soon"),
                }
            }
            self.start_ready(&execute, &stop);
        }
        // Waits for what runs: each run is bounded by its extension's time limit.
        let _all = self.slots.acquire_many(PARALLEL as u32).await;
        self.report("release", self.write(outbox::release(self.db.dialect(), Some(&self.owner))).await);
    }

    async fn claim(&self) -> Result<Vec<Delivery>> {
        let (now, lease) = (self.clock.now(), self.lease());
        if !self.db.read(move |conn| Box::pin(outbox::anything_due(conn, now))).await? {
            return Ok(Vec::new());
        }
        self.db
            .write(move |conn| {
                let lease = lease.clone();
                Box::pin(async move { outbox::claim(conn, now, &lease, 100).await })
            })
            .await
    }

    /// Starts as many as there are slots; the others stay queued.
    fn start_ready(self: &Arc<Self>, execute: &Execute, stop: &watch::Receiver<bool>) {
        while !*stop.borrow() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            let next = {
                let mut queue = self.queue();
                loop {
                    let Some(delivery) = queue.ready.pop_front() else { break None };
                    if let Some(key) = order_key(&delivery) {
                        if let Some(waiting) = queue.behind.get_mut(&key) {
                            waiting.push_back(delivery);
                            continue;
                        }
                        queue.behind.insert(key, VecDeque::new());
                    }
                    queue.running += 1;
                    break Some(delivery);
                }
            };
            let Some(delivery) = next else { return };
            let (this, execute) = (Arc::clone(self), Arc::clone(execute));
            tokio::spawn(async move {
                let _slot = slot;
                let key = order_key(&delivery);
                this.deliver(delivery, &execute).await;
                let mut queue = this.queue();
                queue.running -= 1;
                if let Some(mut waiting) = key.and_then(|key| queue.behind.remove(&key)) {
                    // Back to the front, in their order: the first of them takes the key again.
                    while let Some(delivery) = waiting.pop_back() {
                        queue.ready.push_front(delivery);
                    }
                }
                drop(queue);
                this.wake.notify_one();
            });
        }
    }

    async fn deliver(&self, mut delivery: Delivery, execute: &Execute) {
        delivery.attempt += 1;
        delivery.first_at.get_or_insert(self.clock.now());
        let verdict = execute(delivery.clone()).await;
        let settlement = match verdict {
            Verdict::Done => Settlement::Done,
            Verdict::Failed(error) => match next_attempt(delivery.attempt, self.clock.now(), delivery.id) {
                Some(at) => Settlement::Retry { at, error },
                None => Settlement::Dead { error, at: self.clock.now() },
            },
            Verdict::Later(wait, error) => {
                delivery.attempt -= 1;
                Settlement::Retry { at: self.clock.now() + wait, error }
            }
            Verdict::Hold(error) => {
                delivery.attempt -= 1;
                Settlement::Held { error }
            }
            Verdict::Hopeless(error) => Settlement::Dead { error, at: self.clock.now() },
        };
        if let Settlement::Dead { error, .. } = &settlement {
            tracing::warn!(delivery = %delivery.id, extension = delivery.extension, event = delivery.event, attempt = delivery.attempt, error, "a delivery was given up");
        }
        // If this fails the lease runs out and the delivery runs again: at least once.
        self.report("settle", self.write(outbox::settle(self.db.dialect(), &delivery, &settlement)).await);
    }

    async fn write(&self, sql: Result<crate::db::Sql>) -> Result<()> {
        let sql = Arc::new(sql?);
        self.db
            .write(move |conn| {
                let sql = Arc::clone(&sql);
                Box::pin(async move { conn.execute(&sql).await.map(drop) })
            })
            .await
    }

    fn report(&self, what: &str, result: Result<()>) {
        if let Err(error) = result {
            tracing::warn!(%error, what, "the outbox could not be written; its leases will run out");
        }
    }
}

/// When the attempt after `attempt` is due; `None` after the last. The delivery's id decides the jitter.
fn next_attempt(attempt: u32, now: DateTime<Utc>, id: Uuid) -> Option<DateTime<Utc>> {
    let secs = *RETRY_SECS.get(attempt.checked_sub(1)? as usize)?;
    let spread = u64::from(id.as_bytes()[15]) * 400 / 255;
    let millis = secs * (800 + spread);
    Some(now + TimeDelta::milliseconds(i64::try_from(millis).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_attempts_within_a_fifth_of_the_schedule() {
        let now = DateTime::<Utc>::UNIX_EPOCH;
        for id in [Uuid::nil(), Uuid::max(), Uuid::from_u128(77)] {
            for (attempt, secs) in (1..).zip(RETRY_SECS) {
                let wait = (next_attempt(attempt, now, id).expect("scheduled") - now).num_milliseconds() as f64 / 1000.0;
                assert!((secs as f64 * 0.8..=secs as f64 * 1.2).contains(&wait), "attempt {attempt}: {wait}");
            }
            assert!(next_attempt(6, now, id).is_none());
        }
    }
}

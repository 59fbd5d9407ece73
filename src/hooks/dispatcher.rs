//! Runs what is owed: newborn deliveries from memory, and those that a dead host or an earlier failure left behind.
//!
//! At least once: a row goes only after its run ended. The wake-up is registered before the look, and a poll catches what no wake-up told.
//! Who may run before whom is the affair of `line`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::line;
use super::outbox::{self, Delivery, LEASE, Lease, Settlement};
use super::queue::Queue;
use crate::clock::Clock;
use crate::db::{Db, Dialect, Sql};
use crate::error::Result;

/// Deliveries that run at once on this host.
const PARALLEL: usize = 16;
/// How often the table is looked at without a reason.
const POLL: Duration = Duration::from_secs(1);
/// The least time between two looks that have a reason.
const LOOK: Duration = Duration::from_millis(20);
/// How often it is looked for what is too old.
const PRUNE: Duration = Duration::from_secs(60);
/// How long a delivery is held for an extension that can't run.
const HELD_FOR: TimeDelta = TimeDelta::days(7);
/// How often leases are renewed: several times within [`LEASE`].
const RENEW: Duration = Duration::from_secs(3);
/// Rows that one statement claims or renews, so that none holds the writer for long.
const CHUNK: usize = 100;
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

/// Runs hooks for the dispatcher.
pub trait Execute: Send + Sync {
    /// Runs the hook of one delivery. Never fails: what goes wrong is the verdict.
    fn run(&self, delivery: Delivery) -> BoxFuture<'static, Verdict>;

    /// Whether an extension could run now: asked after its delivery was held, in case that changed meanwhile.
    fn can_run(&self, extension: &str) -> bool;
}

/// The owed deliveries of this host.
pub struct Dispatcher {
    db: Db,
    clock: Clock,
    owner: String,
    /// Short sections only, never across an await: a std mutex.
    queue: Mutex<Queue>,
    wake: Notify,
    slots: Arc<Semaphore>,
    /// Whether anything is run here: not in safe mode, and not while the host ends.
    running: AtomicBool,
    /// Set by whoever knows of rows that this host may find; taken by the next look.
    look: AtomicBool,
    /// Whether the last look left rows behind for want of room.
    backlog: AtomicBool,
    /// How long what was given up is kept.
    keep_dead: TimeDelta,
}

/// Whose newborn deliveries are.
#[derive(Debug, Clone, Default)]
pub struct Nursery {
    /// This host's, if it has room for any.
    pub lease: Option<Lease>,
    /// For so many it has room; the others are anybody's.
    pub room: usize,
}

impl Dispatcher {
    /// A dispatcher with an identity of its own. Until [`Dispatcher::run`] is called, nothing is leased to it.
    /// What was given up is forgotten after `keep_dead`.
    pub fn new(db: Db, clock: Clock, keep_dead: Duration) -> Arc<Self> {
        Arc::new(Self {
            db,
            clock,
            owner: Uuid::new_v4().to_string(),
            queue: Mutex::default(),
            wake: Notify::new(),
            slots: Arc::new(Semaphore::new(PARALLEL)),
            running: AtomicBool::new(false),
            look: AtomicBool::new(false),
            backlog: AtomicBool::new(false),
            keep_dead: TimeDelta::from_std(keep_dead).unwrap_or(TimeDelta::MAX),
        })
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Into whose hands newborn rows come that are owed to `extensions`: this host's, as far as it has room for each of them.
    pub fn nursery<'e>(&self, extensions: impl Iterator<Item = &'e str>) -> Nursery {
        if !self.running.load(Ordering::Relaxed) {
            return Nursery::default();
        }
        let queue = self.queue();
        let room = extensions.map(|extension| queue.room(extension)).min().unwrap_or(0);
        drop(queue);
        Nursery { lease: (room > 0).then(|| self.lease()), room }
    }

    fn lease(&self) -> Lease {
        let life = TimeDelta::from_std(LEASE).expect("ten seconds fit a TimeDelta");
        Lease { owner: self.owner.clone(), until: self.clock.now() + life }
    }

    /// Takes over deliveries that were committed under the lease of [`Dispatcher::nursery`].
    pub fn publish(&self, deliveries: impl IntoIterator<Item = Delivery>) {
        let mut queue = self.queue();
        deliveries.into_iter().for_each(|delivery| queue.push(delivery));
        drop(queue);
        self.wake.notify_one();
    }

    /// Says that there are rows without a lease of ours.
    pub fn nudge(&self) {
        self.look.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Runs until `stop` turns true, then lets what runs end and gives the rest back.
    pub async fn run(self: Arc<Self>, execute: Arc<dyn Execute>, mut stop: watch::Receiver<bool>) {
        if self.db.dialect() == Dialect::Sqlite {
            // Nobody else can hold anything: what an earlier life of this host held is free now.
            self.report("release", self.write(outbox::release(self.db.dialect(), None)).await);
        }
        self.running.store(true, Ordering::Relaxed);
        let [mut poll, mut renew, mut prune] = [POLL, RENEW, PRUNE].map(tokio::time::interval);
        let mut looked = Instant::now();
        while !*stop.borrow() {
            tokio::select! {
                _ = stop.changed() => break,
                _ = self.wake.notified() => {}
                () = tokio::time::sleep_until(looked + LOOK), if self.look.load(Ordering::Relaxed) => {
                    self.claim().await;
                    looked = Instant::now();
                }
                _ = poll.tick() => self.claim().await,
                _ = renew.tick() => self.renew().await,
                _ = prune.tick() => self.prune(&*execute).await,
            }
            self.start_ready(&execute, &stop);
        }
        self.running.store(false, Ordering::Relaxed);
        // Waits for what runs, and keeps it ours meanwhile: each run is bounded by its extension's time limit.
        loop {
            tokio::select! {
                _ = self.slots.acquire_many(PARALLEL as u32) => break,
                _ = renew.tick() => self.renew().await,
            }
        }
        self.report("release", self.write(outbox::release(self.db.dialect(), Some(&self.owner))).await);
    }

    /// Takes over what is due and held by nobody. Rows whose transaction timed out are tried again in smaller numbers.
    async fn claim(&self) {
        // Before the look: what is told meanwhile asks for another one.
        self.look.store(false, Ordering::Relaxed);
        let full = {
            let queue = self.queue();
            if !queue.has_room_at_all() {
                self.backlog.store(true, Ordering::Relaxed);
                return;
            }
            Arc::new(queue.full())
        };
        let mut limit = CHUNK;
        loop {
            match self.claim_some(limit as u64, &full).await {
                Ok(claimed) => {
                    let more = claimed.len() == limit;
                    self.backlog.store(more || !full.is_empty(), Ordering::Relaxed);
                    self.look.fetch_or(more, Ordering::Relaxed);
                    return self.publish(claimed);
                }
                Err(error) if error.code() == crate::ErrorCode::TransactionTimeout && limit > 1 => limit /= 4,
                Err(error) => return tracing::warn!(%error, "owed deliveries could not be claimed; tried again soon"),
            }
        }
    }

    async fn claim_some(&self, limit: u64, but: &Arc<Vec<String>>) -> Result<Vec<Delivery>> {
        let (now, lease) = (self.clock.now(), self.lease());
        let full = Arc::clone(but);
        let due = self
            .db
            .read(move |conn| {
                let full = Arc::clone(&full);
                Box::pin(async move { line::anything_due(conn, now, &full).await })
            })
            .await?;
        if !due {
            return Ok(Vec::new());
        }
        let full = Arc::clone(but);
        self.db
            .write(move |conn| {
                let (lease, full) = (lease.clone(), Arc::clone(&full));
                Box::pin(async move { line::claim(conn, now, &lease, limit.max(1), &full).await })
            })
            .await
    }

    /// Gives up what was held for too long, forgets what was given up long ago, and lets go on what was born held while its extension came
    /// back.
    async fn prune(&self, execute: &dyn Execute) {
        let now = self.clock.now();
        match self.db.read(|conn| Box::pin(outbox::held_for(conn))).await {
            Ok(mut able) => {
                able.retain(|extension| execute.can_run(extension));
                if !able.is_empty() {
                    self.report("unhold", self.write(outbox::unhold(self.db.dialect(), &able, now)).await);
                }
            }
            Err(error) => self.report("read", Err(error)),
        }
        self.report("give up", self.write(outbox::give_up_held(self.db.dialect(), now - HELD_FOR, now)).await);
        let Some(since) = now.checked_sub_signed(self.keep_dead) else { return };
        loop {
            let forgotten = self.db.write(move |conn| Box::pin(outbox::forget_dead(conn, since, CHUNK as u64))).await;
            match forgotten {
                Ok(n) if n == CHUNK as u64 => {}
                forgotten => return self.report("forget", forgotten.map(drop)),
            }
        }
    }

    /// Keeps what is in hand, and nothing else: a row that this host wrote and then lost sight of must become free.
    async fn renew(&self) {
        let ids = self.queue().ids();
        for ids in ids.chunks(CHUNK) {
            self.report("renew", self.write(outbox::renew(self.db.dialect(), &self.lease(), ids.iter().copied())).await);
        }
    }

    /// Starts as many as there are slots; the others stay queued.
    fn start_ready(self: &Arc<Self>, execute: &Arc<dyn Execute>, stop: &watch::Receiver<bool>) {
        while !*stop.borrow() {
            let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else { return };
            let Some(delivery) = self.queue().start() else { return };
            let (this, execute) = (Arc::clone(self), Arc::clone(execute));
            tokio::spawn(async move {
                let _slot = slot;
                let done = (delivery.id, delivery.extension.clone());
                this.deliver(delivery, &*execute).await;
                let has_room = {
                    let mut queue = this.queue();
                    queue.end(done.0, &done.1);
                    queue.room(&done.1) >= CHUNK
                };
                if has_room && this.backlog.load(Ordering::Relaxed) {
                    this.look.store(true, Ordering::Relaxed);
                }
                this.wake.notify_one();
            });
        }
    }

    async fn deliver(&self, mut delivery: Delivery, execute: &dyn Execute) {
        if delivery.behind {
            match self.is_first(&delivery).await {
                Ok(true) => {}
                // Those before it failed, or another host has them: it waits in the table, behind them.
                Ok(false) => {
                    let back = outbox::give_back(self.db.dialect(), &self.owner, delivery.id);
                    return self.report("give back", self.write(back).await);
                }
                Err(error) => return tracing::warn!(%error, id = %delivery.id, "a line could not be read; its lease will run out"),
            }
        }
        if delivery.meta.is_null() {
            let id = delivery.id;
            match self.db.read(move |conn| Box::pin(outbox::meta(conn, id))).await {
                Ok(Some(meta)) => delivery.meta = meta,
                // Settled elsewhere meanwhile.
                Ok(None) => return,
                Err(error) => return tracing::warn!(%error, %id, "a delivery could not be read; its lease will run out"),
            }
        }
        delivery.attempt += 1;
        delivery.first_at.get_or_insert(self.clock.now());
        let verdict = execute.run(delivery.clone()).await;
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
                Settlement::Held { error, at: self.clock.now() }
            }
            Verdict::Hopeless(error) => Settlement::Dead { error, at: self.clock.now() },
        };
        if let Settlement::Dead { error, .. } = &settlement {
            tracing::warn!(
                delivery = %delivery.id, extension = delivery.extension, event = delivery.event, attempt = delivery.attempt, error,
                "a delivery was given up"
            );
        }
        // If this fails the lease runs out and the delivery runs again: at least once.
        match self.settle(&delivery, &settlement).await {
            Ok(next) if next.is_empty() => {}
            Ok(next) => self.publish(next),
            Err(error) => self.report("settle", Err(error)),
        }
        if matches!(settlement, Settlement::Held { .. }) && execute.can_run(&delivery.extension) {
            // It was activated while this was being held, and nobody would come by again.
            let unhold = outbox::unhold(self.db.dialect(), std::slice::from_ref(&delivery.extension), self.clock.now());
            self.report("unhold", self.write(unhold).await);
        }
    }

    async fn is_first(&self, delivery: &Delivery) -> Result<bool> {
        let delivery = Arc::new(Delivery { meta: serde_json::Value::Null, ..delivery.clone() });
        self.db
            .read(move |conn| {
                let delivery = Arc::clone(&delivery);
                Box::pin(async move { line::is_first(conn, &delivery).await })
            })
            .await
    }

    /// Writes down what became of a run. Where that lets the next ones of a line go on which this host took over, it takes them along.
    async fn settle(&self, delivery: &Delivery, settlement: &Settlement) -> Result<Vec<Delivery>> {
        let sql = outbox::settle(self.db.dialect(), delivery, &self.owner, settlement)?;
        let leaves = delivery.claimed && delivery.in_line() && matches!(settlement, Settlement::Done | Settlement::Dead { .. });
        let (now, lease) = (self.clock.now(), self.lease());
        let behind = line::wait_with(self.db.dialect(), delivery, settlement, now)?;
        let job = Arc::new((sql, behind, Delivery { meta: serde_json::Value::Null, ..delivery.clone() }, lease));
        let settled = self.db.write(move |conn| {
            let job = Arc::clone(&job);
            Box::pin(async move {
                let (sql, behind, delivery, lease) = &*job;
                if conn.execute(sql).await? == 0 {
                    // Somebody else has it by now, so it isn't ours to say what becomes of the line.
                    return Ok((false, Vec::new()));
                }
                if let Some(behind) = behind {
                    conn.execute(behind).await?;
                }
                Ok((true, if leaves { line::next_in_line(conn, delivery, now, lease).await? } else { Vec::new() }))
            })
        });
        let (was_ours, next) = settled.await?;
        if !was_ours {
            tracing::debug!(delivery = %delivery.id, "a delivery was taken over or discarded while it ran");
        }
        Ok(next)
    }

    async fn write(&self, sql: Result<Sql>) -> Result<()> {
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

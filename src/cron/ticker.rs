//! Finds what is due, and begins it.
//!
//! The wall clock decides and may jump: it is looked at several times a second, and the table once a second or when the clock says that
//! something is due. Nothing here waits for a moment of the wall clock.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Cron, PARALLEL};
use crate::db::Dialect;
use crate::error::Result;
use crate::hooks::dispatcher::Verdict;
use crate::hooks::outbox::Delivery;
use crate::services::cron::store::{self, Claimed, Run, Trigger};
use crate::services::cron::{Job, check_enabled};

/// How often the clock is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the table is, without a reason.
const POLL: Duration = Duration::from_secs(1);
/// How long runs may take to end once the host was asked to end.
const DRAIN: Duration = Duration::from_secs(20);

impl Cron {
    /// Runs jobs until `stop` turns true, then lets what runs end. Returns at once where no job runs.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if check_enabled(&self.core).is_err() {
            return;
        }
        if self.core.db.dialect() == Dialect::Sqlite {
            // Nobody else can run anything: what an earlier life of this host held is free now.
            let now = self.core.clock.now();
            match self.core.db.write(move |conn| Box::pin(store::free_all(conn, now))).await {
                Ok(freed) => freed.iter().for_each(|job| tracing::warn!(job, "a cron job was cut off when the host ended")),
                Err(error) => tracing::warn!(%error, "cron jobs could not be freed; their locks will run out"),
            }
        }
        let mut looks = tokio::time::interval(LOOK);
        let (mut next, mut looked): (Option<DateTime<Utc>>, Option<Instant>) = (None, None);
        while !*stop.borrow() {
            let changed = tokio::select! {
                _ = stop.changed() => break,
                () = self.changed.notified() => true,
                _ = looks.tick() => false,
            };
            let is_due = next.is_some_and(|next| next <= self.core.clock.now());
            if changed || is_due || looked.is_none_or(|at| at.elapsed() >= POLL) {
                looked = Some(Instant::now());
                match self.tick().await {
                    Ok(coming) => next = coming,
                    Err(error) => {
                        next = None;
                        tracing::warn!(%error, "cron jobs could not be looked at; it is tried again");
                    }
                }
            }
        }
        // What doesn't end in time is cut off with the workers, and its row says so to the next host.
        if tokio::time::timeout(DRAIN, self.slots.acquire_many(PARALLEL as u32)).await.is_err() {
            tracing::warn!("some cron jobs didn't end in time and are cut off");
            let (alive, now) = (self.alive(), self.core.clock.now());
            let freed = self.core.db.write(move |conn| {
                let alive = Arc::clone(&alive);
                Box::pin(async move { store::give_up(conn, &alive, now).await })
            });
            if let Err(error) = freed.await {
                tracing::warn!(%error, "cron jobs could not be freed; their locks will run out");
            }
        }
    }

    /// Begins what is due. Answers when something will be.
    async fn tick(self: &Arc<Self>) -> Result<Option<DateTime<Utc>>> {
        let (db, now, free) = (&self.core.db, self.core.clock.now(), self.slots.available_permits());
        let alive = self.alive();
        let (known, able) = (Arc::clone(&alive), self.able());
        let have = Arc::clone(&able);
        let look = db
            .read(move |conn| {
                let (alive, able) = (Arc::clone(&known), Arc::clone(&have));
                Box::pin(async move { store::look(conn, now, &alive, &able).await })
            })
            .await?;
        if !look.anything || free == 0 {
            // With no room here the ticks stay due, for any host.
            return Ok(look.next.filter(|_| free > 0));
        }
        let host = self.host.clone();
        let claimed = db
            .write(move |conn| {
                let (host, alive, able) = (host.clone(), Arc::clone(&alive), Arc::clone(&able));
                Box::pin(async move { store::claim(conn, now, free, &host, &alive, &able).await })
            })
            .await?;
        let Claimed { runs, skipped, abandoned, unreadable } = claimed;
        skipped.iter().for_each(|job| tracing::warn!(job, "a tick was left out: the cron job is still running"));
        abandoned.iter().for_each(|job| tracing::warn!(job, "a cron job was locked by a host that is gone"));
        unreadable
            .iter()
            .for_each(|(job, why)| tracing::warn!(job, why, "a cron job can't be understood and doesn't run until it is saved"));
        for run in runs {
            let this = Arc::clone(self);
            // More than there are slots for is never claimed; a run by hand may have come between, and then this one waits for it.
            tokio::spawn(async move {
                let _slot = this.slots.acquire().await;
                this.execute(run).await;
            });
        }
        // There may be more.
        Ok(Some(now))
    }

    /// Begins a run that code asked for. The delivery is done when the run has begun: a run that ends badly isn't repeated.
    pub async fn deliver(self: &Arc<Self>, delivery: Delivery) -> Verdict {
        if let Err(error) = check_enabled(&self.core) {
            // Another host may run it.
            return Verdict::Later(Duration::from_secs(1), error.to_string());
        }
        let (Some(job), Ok(slot)) = (delivery.item_key.clone(), Arc::clone(&self.slots).try_acquire_owned()) else {
            return Verdict::Later(Duration::from_secs(1), "as many cron jobs run on this host as may".to_owned());
        };
        let (id, now, host) = (delivery.id, self.core.clock.now(), self.host.clone());
        let begun = self.core.db.write(move |conn| {
            let (job, host) = (job.clone(), host.clone());
            Box::pin(async move { store::begin(conn, id, &job, now, &host).await })
        });
        match begun.await {
            // Deleted, or its lock ran out before its turn came: the history knows.
            Ok(None) => Verdict::Done,
            Ok(Some(row)) => match Job::from_row(&row) {
                Ok(job) => {
                    let chain = delivery.chain.into_iter().chain([format!("{} (cron.run)", job.name)]).collect();
                    let (depth, request_id) = (delivery.depth + 1, delivery.request_id);
                    let run = Run { id, job, trigger: Trigger::Extension, scheduled_at: now, request_id, depth, chain };
                    let this = Arc::clone(self);
                    tokio::spawn(async move {
                        let _slot = slot;
                        this.execute(run).await;
                    });
                    Verdict::Done
                }
                Err(error) => Verdict::Hopeless(error.to_string()),
            },
            Err(error) => Verdict::Later(Duration::from_secs(1), error.to_string()),
        }
    }
}

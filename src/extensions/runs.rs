//! The failed runs of every extension: kept in memory for a moment, written in batches, pruned by number and age.
//!
//! A storm of failures costs what a few cost: of one extension so many are kept between two writes, the last ones, and of all together
//! not more than fit in little memory. Nothing of this happens in the path of a request.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use tokio::time::Instant;

use super::failed_run::FailedRun;
use super::rows::{self, Page};
use crate::clock::Clock;
use crate::db::{Db, Filter, Op, Query, Sort, Sql, sql, system, timestamp};
use crate::error::{ErrorCode, Result};
use crate::services::Item;

/// Rows of one extension that are kept.
const KEPT: u64 = 1_000;
/// For so long.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Failed runs of one extension that wait to be written: of a storm, the last ones.
const WAITING: usize = 50;
/// Failed runs of all extensions that wait.
const WAITING_IN_ALL: usize = 1_000;
/// Deleted extensions that are remembered as such.
const FORGOTTEN: usize = 10_000;
/// Rows that one transaction writes or deletes.
const BATCH: usize = 100;
/// Rows that are written of one extension between two looks at how many there are.
const LOOK_AFTER: usize = 50;
/// How often old rows are looked for.
const AGE_LOOK: Duration = Duration::from_secs(60);

/// The failed runs.
pub struct Runs {
    db: Db,
    clock: Clock,
    /// The name of this process, for people who have several.
    host: String,
    /// Short sections only: a std mutex.
    waiting: Mutex<Waiting>,
    /// One writer at a time, across its awaits: who has this knows that what was added before is written.
    writing: tokio::sync::Mutex<Pruning>,
}

#[derive(Default)]
struct Waiting {
    by_extension: HashMap<String, Queue>,
    total: usize,
    /// Rows that were deleted: runs of theirs that end later leave nothing behind. Their ids are never used again.
    forgotten: HashSet<String>,
}

#[derive(Default)]
struct Queue {
    runs: VecDeque<FailedRun>,
    /// Runs that there was no room for.
    left_out: u64,
}

#[derive(Default)]
struct Pruning {
    /// Rows written by extension since its rows were counted. One that isn't in here was never looked at.
    written: HashMap<String, usize>,
    aged: Option<Instant>,
}

impl Waiting {
    fn add(&mut self, run: FailedRun) {
        if self.forgotten.contains(&run.extension) {
            return;
        }
        let queue = self.by_extension.entry(run.extension.clone()).or_default();
        let own = queue.runs.len();
        if own >= WAITING {
            self.make_room(&run.extension.clone());
        } else if self.total >= WAITING_IN_ALL {
            // Nobody's storm takes the place of somebody else's only failure: who has most makes room, if that is more than this has.
            let most = self.by_extension.iter().max_by_key(|(_, queue)| queue.runs.len());
            match most.filter(|(_, queue)| queue.runs.len() > own.max(1)).map(|(id, _)| id.clone()) {
                Some(most) => self.make_room(&most),
                None if own > 0 => self.make_room(&run.extension.clone()),
                None => {
                    self.by_extension.entry(run.extension).or_default().left_out += 1;
                    return;
                }
            }
        }
        self.by_extension.entry(run.extension.clone()).or_default().runs.push_back(run);
        self.total += 1;
    }

    /// Leaves the oldest run of an extension out.
    fn make_room(&mut self, extension: &str) {
        if let Some(queue) = self.by_extension.get_mut(extension)
            && queue.runs.pop_front().is_some()
        {
            queue.left_out += 1;
            self.total -= 1;
        }
    }

    /// Gives back what could not be written, before what came meanwhile.
    fn give_back(&mut self, extension: &str, runs: Vec<FailedRun>, left_out: u64) {
        let queue = self.by_extension.entry(extension.to_owned()).or_default();
        queue.left_out += left_out;
        for run in runs.into_iter().rev() {
            if queue.runs.len() >= WAITING || self.total >= WAITING_IN_ALL {
                queue.left_out += 1;
            } else {
                queue.runs.push_front(run);
                self.total += 1;
            }
        }
    }
}

impl Runs {
    /// None yet.
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, host: host_name(), waiting: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }

    /// The name of this host.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a failed run. It is written with the next batch.
    pub fn add(&self, run: FailedRun) {
        self.waiting().add(run);
    }

    /// Writes what waits, and deletes what is too much or too old. What can't be written now is kept for the next time.
    pub async fn flush(&self) {
        let mut pruning = self.writing.lock().await;
        self.write(&mut pruning).await;
        if let Err(error) = self.prune(&mut pruning).await {
            tracing::warn!(%error, "old failed runs could not be deleted; it is tried again");
        }
    }

    async fn write(&self, pruning: &mut Pruning) {
        let waiting = {
            let mut waiting = self.waiting();
            waiting.total = 0;
            std::mem::take(&mut waiting.by_extension)
        };
        for (extension, Queue { runs, mut left_out }) in waiting {
            let mut runs: Vec<FailedRun> = runs.into();
            if runs.is_empty() && left_out > 0 {
                self.waiting().give_back(&extension, runs, left_out);
                continue;
            }
            while !runs.is_empty() {
                let rest = runs.split_off(runs.len().min(BATCH));
                match self.insert(&runs, left_out).await {
                    Ok(()) => {
                        let written = pruning.written.entry(extension.clone()).or_insert(LOOK_AFTER);
                        *written += runs.len();
                    }
                    // The database is away or busy: that is no fault of these rows.
                    Err(error)
                        if matches!(
                            error.code(),
                            ErrorCode::ServiceUnavailable | ErrorCode::TransactionTimeout | ErrorCode::TransactionConflict
                        ) =>
                    {
                        tracing::warn!(%error, "failed runs could not be written; they are kept for the next time");
                        runs.extend(rest);
                        self.waiting().give_back(&extension, runs, left_out);
                        break;
                    }
                    Err(error) => tracing::warn!(%error, extension, runs = runs.len(), "failed runs could not be written and are lost"),
                }
                left_out = 0;
                runs = rest;
            }
        }
    }

    async fn insert(&self, runs: &[FailedRun], left_out: u64) -> Result<()> {
        let (dialect, table) = (self.db.dialect(), system::extension_runs_table());
        // The first says what isn't there before it.
        let statement =
            |(at, run): (usize, &FailedRun)| sql::insert(dialect, &table, &run.row(&self.host, if at == 0 { left_out } else { 0 }), &[]);
        self.db.write_all(runs.iter().enumerate().map(statement).collect::<Result<Vec<Sql>>>()?).await
    }

    /// At most one batch of each kind, so that no look takes long: what is left is found by the next.
    async fn prune(&self, pruning: &mut Pruning) -> Result<()> {
        let table = system::extension_runs_table();
        let grown: Vec<String> = pruning.written.iter().filter(|(_, written)| **written >= LOOK_AFTER).map(|(id, _)| id.clone()).collect();
        for extension in grown {
            let query =
                Query { filter: Some(of(&extension)), sort: newest_first(), limit: Some(BATCH as u64), offset: KEPT, ..Query::default() };
            if rows::delete_batch(&self.db, &table, &query).await? < BATCH {
                pruning.written.insert(extension, 0);
            }
        }
        if pruning.aged.is_none_or(|at| at.elapsed() >= AGE_LOOK) {
            let before = Filter::field("at", Op::Lt(json!(timestamp(self.clock.now() - KEPT_FOR))));
            let old = Query { filter: Some(before), limit: Some(BATCH as u64), ..Query::default() };
            if rows::delete_batch(&self.db, &table, &old).await? < BATCH {
                pruning.aged = Some(Instant::now());
            }
        }
        Ok(())
    }

    /// A page of the failed runs of an extension, the last first, and how many there are.
    pub(super) async fn page(&self, extension: &str, page: Page) -> Result<(Vec<Item>, u64)> {
        // What happened before this question is part of the answer.
        if self.waiting().by_extension.contains_key(extension) || self.writing.try_lock().is_err() {
            let mut pruning = self.writing.lock().await;
            self.write(&mut pruning).await;
        }
        page.read(&self.db, &system::extension_runs_table(), of(extension), newest_first()).await
    }

    /// The extension is gone: so are its failed runs. What was a folder may come again, a row never does.
    pub async fn forget(&self, extension: &str, for_good: bool) -> Result<()> {
        let mut pruning = self.writing.lock().await;
        pruning.written.remove(extension);
        {
            let mut waiting = self.waiting();
            let gone = waiting.by_extension.remove(extension).map_or(0, |queue| queue.runs.len());
            waiting.total -= gone;
            if waiting.forgotten.len() >= FORGOTTEN {
                waiting.forgotten.clear();
            }
            if for_good {
                waiting.forgotten.insert(extension.to_owned());
            }
        }
        self.db.write_all(vec![sql::delete_where(self.db.dialect(), &system::extension_runs_table(), &of(extension))?]).await
    }
}

fn of(extension: &str) -> Filter {
    Filter::field("extension", Op::Eq(json!(extension)))
}

fn newest_first() -> Vec<Sort> {
    rows::descending(&["at", "id"])
}

/// `web-1:4711`: the machine and the process.
pub fn host_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname")).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(100).collect();
    format!("{}:{}", if name.is_empty() { "host" } else { &name }, std::process::id())
}

#[cfg(test)]
mod tests {
    use super::super::trouble::Trouble;
    use super::*;

    fn run(extension: &str, n: usize) -> FailedRun {
        let trouble = Trouble::general(ErrorCode::ExtensionFailed, format!("number {n}"));
        FailedRun::new(extension, "a.items.create", "r", None, trouble, Clock::system().now())
    }

    #[test]
    fn a_storm_of_one_extension_keeps_its_last_runs_and_counts_the_others() {
        let mut waiting = Waiting::default();
        (0..1_000).for_each(|n| waiting.add(run("one", n)));
        let queue = &waiting.by_extension["one"];
        assert_eq!((queue.runs.len(), queue.left_out, waiting.total), (WAITING, 950, WAITING));
        assert_eq!(queue.runs.back().map(|run| run.trouble.message.as_str()), Some("number 999"));
    }

    #[test]
    fn a_storm_of_many_extensions_is_bounded_and_forgets_nobody_who_was_there_first() {
        let mut waiting = Waiting::default();
        for n in 0..WAITING_IN_ALL * 2 {
            waiting.add(run(&format!("extension {n}"), n));
        }
        assert_eq!(waiting.total, WAITING_IN_ALL);
        waiting.add(run("extension 0", 7));
        let first = &waiting.by_extension["extension 0"];
        assert_eq!((first.runs.len(), first.left_out, waiting.total), (1, 1, WAITING_IN_ALL));
        assert_eq!(first.runs[0].trouble.message, "number 7");
    }

    #[test]
    fn a_storm_does_not_crowd_out_the_only_failure_of_another() {
        let mut waiting = Waiting::default();
        for n in 0..WAITING_IN_ALL {
            waiting.add(run(&format!("storm {}", n % (WAITING_IN_ALL / WAITING)), n));
        }
        waiting.add(run("quiet", 7));
        assert_eq!((waiting.total, waiting.by_extension["quiet"].runs.len()), (WAITING_IN_ALL, 1));
        let (kept, left_out): (usize, u64) =
            waiting.by_extension.values().fold((0, 0), |(kept, left), queue| (kept + queue.runs.len(), left + queue.left_out));
        assert_eq!((kept, left_out), (WAITING_IN_ALL, 1));
    }

    #[test]
    fn what_ends_after_its_extension_was_deleted_leaves_nothing_behind() {
        let mut waiting = Waiting::default();
        waiting.forgotten.insert("gone".to_owned());
        waiting.add(run("gone", 1));
        assert_eq!((waiting.total, waiting.by_extension.len()), (0, 0));
    }

    #[test]
    fn what_comes_back_stands_before_what_came_meanwhile_and_displaces_nothing() {
        let mut waiting = Waiting::default();
        (100..100 + WAITING - 1).for_each(|n| waiting.add(run("one", n)));
        waiting.give_back("one", vec![run("one", 1), run("one", 2)], 5);
        let queue = &waiting.by_extension["one"];
        assert_eq!((queue.runs[0].trouble.message.as_str(), queue.runs.len(), queue.left_out), ("number 2", WAITING, 6));
    }
}

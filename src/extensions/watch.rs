//! Notices that extension folders changed, and says so once a change is complete.
//!
//! It says which folders, never what is in them: whoever loads extensions reads them (`files`) and compares fingerprints, so a report
//! too many costs a read and nothing else. Start the watch first and load then; what changes in between is reported.
//!
//! `tree` knows the disk and the operating system's notices, this file knows the time.

mod tree;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use tree::{Feed, Notice, Tree};

/// A folder that is written to without a pause is reported after this long all the same.
const LATEST: Duration = Duration::from_secs(2);
/// How often it is asked for what the operating system gives no notice of: a root that appears, a link that leads elsewhere.
const LOOK: Duration = Duration::from_secs(1);
/// Most notices that are handled in one go.
const BATCH: usize = 1_024;

/// Folders of extensions that changed, appeared or vanished, and have been quiet since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Their names.
    pub names: BTreeSet<String>,
}

/// A running watch; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    changes: mpsc::Receiver<Changed>,
    task: JoinHandle<()>,
}

impl Watch {
    /// The next change. Changes that happen while nobody waits are joined. `None` only if the runtime shuts down.
    pub async fn next(&mut self) -> Option<Changed> {
        self.changes.recv().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Watches the extension folders below `root`, which needn't exist yet, and reports each when it has been quiet for `quiet`.
///
/// When this returns, the watch is on. Where the operating system watches no more folders, they are looked at every other second.
///
/// # Errors
/// If the runtime shuts down.
pub async fn start(root: PathBuf, quiet: Duration) -> io::Result<Watch> {
    start_at(root, Pace { quiet, latest: LATEST, look: LOOK }, true).await
}

/// The times of a watch.
#[derive(Debug, Clone, Copy)]
struct Pace {
    quiet: Duration,
    latest: Duration,
    look: Duration,
}

/// `notices` is false where a test wants the operating system to give none.
async fn start_at(root: PathBuf, pace: Pace, notices: bool) -> io::Result<Watch> {
    let (feed, incoming) = Feed::new();
    let tree = spawn_blocking(move || Tree::new(root, feed, notices)).await.map_err(io::Error::other)?;
    // One message: what changes while it isn't taken is joined in `run`, so a slow reader costs no memory.
    let (sender, changes) = mpsc::channel(1);
    Ok(Watch { changes, task: tokio::spawn(run(tree, incoming, sender, pace)) })
}

/// A run of notices for one folder.
struct Burst {
    first: Instant,
    last: Instant,
}

impl Burst {
    fn ends(&self, pace: Pace) -> Instant {
        (self.last + pace.quiet).min(self.first + pace.latest)
    }
}

async fn run(mut tree: Tree, mut incoming: mpsc::Receiver<Notice>, changes: mpsc::Sender<Changed>, pace: Pace) {
    let mut bursts: BTreeMap<String, Burst> = BTreeMap::new();
    let mut due: BTreeSet<String> = BTreeSet::new();
    let mut look = interval(pace.look);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = Vec::new();
    loop {
        let now = Instant::now();
        due.extend(bursts.extract_if(.., |_, burst| burst.ends(pace) <= now).map(|(name, _)| name));
        let next = bursts.values().map(|burst| burst.ends(pace)).min();
        let looked = tokio::select! {
            permit = changes.reserve(), if !due.is_empty() => match permit {
                Ok(permit) => {
                    permit.send(Changed { names: std::mem::take(&mut due) });
                    continue;
                }
                Err(_) => return,
            },
            // The tree keeps a sender, so there is always one more to come.
            _ = incoming.recv_many(&mut batch, BATCH) => {
                let batch = std::mem::take(&mut batch);
                spawn_blocking(move || (tree.absorb(batch), tree)).await
            }
            () = sleep_until(next.unwrap_or(now)), if next.is_some() => continue,
            _ = look.tick() => spawn_blocking(move || (tree.look(), tree)).await,
            () = changes.closed() => return,
        };
        let touched;
        (touched, tree) = match looked {
            Ok(looked) => looked,
            Err(e) => {
                // Cancelled with the runtime; nothing in the tree panics.
                tracing::error!(error = %e, "the watch on extension folders ended");
                return;
            }
        };
        let now = Instant::now();
        for name in touched {
            bursts.entry(name).or_insert(Burst { first: now, last: now }).last = now;
        }
    }
}

//! A change that one host makes holds on every host that answers: extensions, the schema, and what users may do.
//!
//! Of each kind of thing there is a number in the database that rises in the transaction of every change ([`note`]). A host reads the number
//! before it reads the things, so what it has is at least as new as the number says. After the commit whoever changed something
//! takes it over here, tells the others and waits until they have it as well, or names those that don't ([`Core::settle`]). The others
//! hear of it at once where LISTEN works, and look at the numbers twice a second in any case ([`Core::follow`]). A host that couldn't look for
//! a while looks before it answers anybody ([`Core::up_to_date`]), so it is late rather than wrong.
//!
//! A new kind is one more [`Kind`], and how it is taken over in `Core::take_over`.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout_at};

use super::hosts::Hosts;
use super::{Core, Item};
use crate::db::{Conn, Db, Dialect, Sql, changes};
use crate::error::{Error, ErrorCode, Result};

/// The channel of NOTIFY.
const CHANNEL: &str = "trellis";
/// Said of a change, and of having taken one over.
const CHANGED: &str = "changed";
const TAKEN: &str = "taken over";

/// How often the numbers are looked at without a word.
const POLL: Duration = Duration::from_millis(500);
/// A host that hasn't looked for so long looks before it answers. No longer than [`PATIENCE`]: then whoever isn't waited for any more looks by itself.
const FRESH: Duration = Duration::from_secs(2);
/// How long such a look may take.
const LOOK: Duration = Duration::from_secs(5);
/// How long a change waits for the other hosts.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often their rows are looked at meanwhile, without a word.
const GLANCE: Duration = Duration::from_millis(50);
/// How long to wait before another connection that listens is tried.
const AGAIN: Duration = Duration::from_secs(5);

/// What changes as a whole and is kept in memory by every host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Users, roles, policies, permissions.
    Access,
    /// Collections, fields, relations.
    Schema,
    /// Extensions in rows, their secrets, custom services.
    Extensions,
}

impl Kind {
    /// Every one, in the order in which they are taken over.
    pub const ALL: [Kind; 3] = [Self::Access, Self::Schema, Self::Extensions];

    /// As in `daas_changes.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Schema => "schema",
            Self::Extensions => "extensions",
        }
    }
}

/// Notes, within the transaction of a change, that something of this kind changed. Best done last: other changes of the kind wait for its end.
///
/// # Errors
/// What the database refuses.
pub async fn note(conn: &mut Conn<'_>, kind: Kind) -> Result<()> {
    let statement = noted(conn.dialect(), kind);
    conn.execute(&statement).await.map(drop)
}

/// The statement of [`note`], for those who have a list of them.
pub fn noted(dialect: Dialect, kind: Kind) -> Sql {
    changes::rise(dialect, kind.name())
}

/// The hosts that didn't take over what one request changed, for its answer. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Lagging(Arc<Mutex<BTreeSet<String>>>);

impl Lagging {
    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn add(&self, names: Vec<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }
}

/// What this host knows of changes.
pub struct Changes {
    db: Db,
    /// This host among the others.
    pub hosts: Hosts,
    /// Whether to listen, and to say anything to those who do.
    listens: bool,
    /// What of each kind is live here; only ever rises. Set by whoever has loaded it.
    live: [AtomicI64; Kind::ALL.len()],
    /// When the numbers were looked at last, with everything taken over that they told of. Short sections only: a std mutex.
    looked: Mutex<Option<Instant>>,
    /// One look at a time, across its awaits: a tokio mutex. Nobody holds anything that taking over needs and waits for this.
    look: tokio::sync::Mutex<()>,
    /// Something changed on another host.
    changed: Notify,
    /// Another host has taken something over.
    taken: Notify,
    /// Hosts that were waited for in vain, and the heartbeat that they had then: until the next one they aren't waited for again. Short
    /// sections only: a std mutex.
    silent: Mutex<HashMap<String, Value>>,
}

impl Changes {
    /// Nothing is live yet.
    pub fn new(db: Db, hosts: Hosts, listens: bool) -> Self {
        Self {
            db,
            hosts,
            listens,
            live: Default::default(),
            looked: Mutex::default(),
            look: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            taken: Notify::new(),
            silent: Mutex::default(),
        }
    }

    /// The number of a kind as it is in the database: to be read before what it counts.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn version(&self, kind: Kind) -> Result<i64> {
        Ok(self.versions().await?[kind as usize])
    }

    async fn versions(&self) -> Result<[i64; Kind::ALL.len()]> {
        let versions = self.db.read(|conn| Box::pin(changes::versions(conn))).await?;
        Ok(Kind::ALL.map(|kind| versions.get(kind.name()).copied().unwrap_or(0)))
    }

    /// What is live here now is at least as new as `version` says.
    pub fn took(&self, kind: Kind, version: i64) {
        self.live[kind as usize].fetch_max(version, Ordering::AcqRel);
    }

    /// Whether what is live here is at least as new as `version` says.
    pub fn has(&self, kind: Kind, version: i64) -> bool {
        self.live[kind as usize].load(Ordering::Acquire) >= version
    }

    /// Tells the others that this host is there, and what it has taken over, if there is news or it is time to.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn say(&self) -> Result<()> {
        let live = || {
            Kind::ALL
                .iter()
                .map(|kind| (kind.name().to_owned(), json!(self.live[*kind as usize].load(Ordering::Acquire))))
                .collect::<Item>()
        };
        self.hosts.say(|| Value::Object(live())).await
    }

    /// A word that gets lost, or that this database doesn't know, costs others a look at most.
    async fn tell(&self, word: &str) {
        if self.listens
            && let Err(error) = self.db.notify(CHANNEL, word).await
        {
            tracing::debug!(%error, "the other hosts could not be told at once");
        }
    }

    /// The other hosts that are there and don't have this, by name, with their heartbeats.
    async fn behind(&self, kind: Kind, version: i64) -> Result<Vec<(String, Value)>> {
        let others = self.hosts.others(&["name", "seen_at", "live"]).await?;
        let behind = others.into_iter().filter(|host| {
            let has = host.get("live").and_then(|live| live.get(kind.name())?.as_i64());
            has.is_none_or(|has| has < version)
        });
        Ok(behind
            .filter_map(|mut host| Some((host.get("name")?.as_str()?.to_owned(), host.shift_remove("seen_at").unwrap_or_default())))
            .collect())
    }

    /// Waits until all other hosts have this. Answers the names of those that don't within [`PATIENCE`].
    async fn wait(&self, kind: Kind, version: i64) -> Result<Vec<String>> {
        let end = Instant::now() + PATIENCE;
        let mut told = false;
        loop {
            // Before the look, so that nothing that is said meanwhile is missed.
            let taken = self.taken.notified();
            tokio::pin!(taken);
            taken.as_mut().enable();
            let behind = self.behind(kind, version).await?;
            let may_come = {
                let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
                behind.iter().any(|(name, seen)| silent.get(name) != Some(seen))
            };
            if !may_come || Instant::now() >= end {
                let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
                *silent = behind.iter().cloned().collect();
                return Ok(behind.into_iter().map(|(name, _)| name).collect());
            }
            if !told {
                told = true;
                self.tell(CHANGED).await;
            }
            let _ = timeout_at(end.min(Instant::now() + GLANCE), taken).await;
        }
    }

    fn is_fresh(&self) -> bool {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < FRESH)
    }
}

impl Core {
    /// After the commit of a change of this kind: it holds here, and on every other host that is there; `lagging` gets those for which
    /// that isn't known after two seconds. Not to be called while holding anything that taking it over needs.
    ///
    /// # Errors
    /// The change is made, and couldn't be taken over here; that is tried again by itself.
    pub async fn settle(&self, kind: Kind, lagging: &Lagging) -> Result<()> {
        let version = self.changes.version(kind).await?;
        self.take_over(kind, version).await?;
        if !self.changes.hosts.is_shared() {
            return Ok(());
        }
        let waited = async {
            if !self.changes.hosts.others(&["id"]).await?.is_empty() {
                // They may wait for this host as well.
                self.changes.say().await?;
                lagging.add(self.changes.wait(kind, version).await?);
            }
            Ok::<_, Error>(())
        };
        if let Err(error) = waited.await {
            tracing::warn!(%error, kind = kind.name(), "whether the other hosts have taken over a change is not known");
        }
        Ok(())
    }

    /// Makes what is live here at least as new as `version` says.
    async fn take_over(&self, kind: Kind, version: i64) -> Result<()> {
        if self.changes.has(kind, version) {
            return Ok(());
        }
        match kind {
            Kind::Access => {
                self.directory.invalidate();
                self.changes.took(kind, version);
            }
            Kind::Schema => self.reload_schema().await?,
            Kind::Extensions => self.runner().reload(version).await?,
        }
        Ok(())
    }

    /// Takes over what other hosts changed, and tells them.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn catch_up(&self) -> Result<()> {
        let _one = self.changes.look.lock().await;
        self.look().await
    }

    /// The caller holds the lock on looks.
    async fn look(&self) -> Result<()> {
        let began = Instant::now();
        let versions = self.changes.versions().await?;
        let news = Kind::ALL.into_iter().filter(|kind| !self.changes.has(*kind, versions[*kind as usize])).collect::<Vec<_>>();
        for kind in &news {
            self.take_over(*kind, versions[*kind as usize]).await?;
            self.changes.say().await?;
        }
        if !news.is_empty() {
            self.changes.tell(TAKEN).await;
        }
        *self.changes.looked.lock().unwrap_or_else(PoisonError::into_inner) = Some(began);
        Ok(())
    }

    /// Looks at what changed if this host couldn't for a while: asked before anybody is answered. Costs nothing otherwise.
    ///
    /// # Errors
    /// `ServiceUnavailable` where that isn't known.
    pub async fn up_to_date(&self) -> Result<()> {
        if !self.changes.hosts.is_shared() || self.changes.is_fresh() {
            return Ok(());
        }
        let looked = async {
            let _one = self.changes.look.lock().await;
            if self.changes.is_fresh() { Ok(()) } else { self.look().await }
        };
        let unknown = |why: String| {
            Error::new(ErrorCode::ServiceUnavailable, "This server can't tell what has changed on others; try again")
                .with_retry_after(1)
                .with_detail(why)
        };
        match tokio::time::timeout(LOOK, looked).await {
            Ok(looked) => looked.map_err(|error| unknown(error.to_string())),
            Err(_) => Err(unknown("it takes too long".to_owned())),
        }
    }

    /// Follows what other hosts change, until `stop` turns true.
    pub async fn follow(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.poll() => {}
            () = self.listen() => {}
        }
    }

    async fn poll(&self) {
        let mut is_well = true;
        loop {
            let _ = tokio::time::timeout(POLL, self.changes.changed.notified()).await;
            let looked = self.catch_up().await;
            // Once, not twice a second.
            match &looked {
                Err(error) if is_well => tracing::warn!(%error, "what changed on other hosts can't be looked at; it is tried again"),
                Err(error) => tracing::debug!(%error, "what changed on other hosts can't be looked at"),
                Ok(()) if !is_well => tracing::info!("what changed on other hosts is known again"),
                Ok(()) => {}
            }
            is_well = looked.is_ok();
        }
    }

    async fn listen(&self) {
        let mut is_well = true;
        while self.changes.listens && self.changes.hosts.is_shared() {
            match self.hear().await {
                Ok(()) => is_well = true,
                Err(error) if is_well => {
                    is_well = false;
                    tracing::warn!(%error, "LISTEN doesn't work: this host looks twice a second instead. `DATABASE_LISTEN=false` says that this is so");
                }
                Err(error) => tracing::debug!(%error, "LISTEN doesn't work"),
            }
            tokio::time::sleep(AGAIN).await;
        }
        std::future::pending().await
    }

    /// Hears what others say until the connection is lost.
    async fn hear(&self) -> Result<()> {
        let Some(mut listener) = self.db.listen(CHANNEL).await? else { return Ok(()) };
        loop {
            match listener.next().await?.as_deref() {
                Some(TAKEN) => self.changes.taken.notify_waiters(),
                // A change; or the connection was lost and made anew, and nobody knows what was said meanwhile.
                _ => {
                    self.changes.taken.notify_waiters();
                    self.changes.changed.notify_one();
                }
            }
        }
    }
}

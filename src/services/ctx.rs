//! On whose behalf, how deep and in which operation a service works: handed to every call of one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::operation::{Intent, Start};
use super::{Core, Operation};
use crate::auth::grants::{United, refused};
use crate::auth::{Accountability, Action, FieldSet};
use crate::db::{Collection, Conn};
use crate::error::{Error, ErrorCode, Result};
use crate::hooks::{EventName, Hook, HookKind, ItemsEvent};

/// Hooks that triggered each other too deep. Who did is told to admins and to the log.
pub fn too_deep(max: u32, chain: &[String], who: &Accountability) -> Error {
    let message = format!("Hooks triggered each other more than {max} levels deep");
    let named = format!("{message}: {}", chain.join(" → "));
    Error::new(ErrorCode::ExtensionRecursion, if who.is_admin() { named.clone() } else { message }).with_detail(named)
}

/// How the rows of a read are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Just read.
    No,
    /// Read in the operation's transaction, and kept from others until it ends.
    Lock,
}

/// Says whether whoever calls may do that to items of a collection that its query or its nested items lead to, or why not.
pub type Reach = Arc<dyn Fn(&str, Action) -> Result<()> + Send + Sync>;

/// The circumstances of a service call. Cheap to clone.
#[derive(Clone)]
pub struct Ctx {
    /// The shared parts.
    pub core: Arc<Core>,
    /// The operation that this belongs to.
    pub op: Arc<Operation>,
    /// Who asks.
    pub who: Arc<Accountability>,
    /// Skips permission checks; the user stays for audit columns.
    pub elevated: bool,
    /// Whether hooks fire.
    pub emit: bool,
    /// How many hooks deep.
    pub depth: u32,
    /// Those hooks, outermost first: `name (event)`.
    pub chain: Arc<[String]>,
    /// Read hooks that are running: (extension, collection). A hook isn't fired by its own reads.
    pub reading: Arc<[(String, String)]>,
    /// The delivery of the outbox that is being run, in its own calls and not in those of hooks that they trigger.
    pub delivery: Option<uuid::Uuid>,
    /// What the code that calls may do through relations, besides what the caller may.
    reach: Option<Reach>,
    /// Whether this is a hook's call inside somebody's operation: what it writes joins that operation's transaction.
    joined: bool,
    /// The savepoint of the `transaction()` that this belongs to.
    savepoint: Option<u32>,
    /// Whether anything was written from here on down.
    wrote: Arc<Wrote>,
    /// Held by a writing call of one hook run, across its awaits, so that each can be undone by itself: a tokio mutex.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// Notes a write, here and in everything that this is part of.
#[derive(Default)]
struct Wrote {
    written: AtomicBool,
    part_of: Option<Arc<Wrote>>,
}

impl Wrote {
    fn part_of(whole: &Arc<Wrote>) -> Arc<Self> {
        Arc::new(Self { written: AtomicBool::new(false), part_of: Some(Arc::clone(whole)) })
    }

    fn note(&self) {
        self.written.store(true, Ordering::Relaxed);
        if let Some(whole) = &self.part_of {
            whole.note();
        }
    }
}

impl Ctx {
    pub(super) fn root(core: Arc<Core>, op: Arc<Operation>, start: &Start) -> Self {
        Self {
            core,
            who: Arc::clone(&start.who),
            elevated: false,
            emit: true,
            depth: start.depth,
            chain: Arc::clone(&start.chain),
            reading: Arc::from([]),
            delivery: start.delivery,
            reach: None,
            joined: op.intent == Intent::Discard,
            savepoint: None,
            wrote: Arc::default(),
            turn: Arc::default(),
            op,
        }
    }

    /// The circumstances of what a filter hook of this call does: one level deeper, in the same transaction.
    ///
    /// 508 where that is deeper than `EXTENSION_MAX_DEPTH`.
    pub fn inside_filter(&self, hook: &Hook, event: &str) -> Result<Self> {
        let (depth, chain) = self.deeper(hook, event)?;
        let mut reading = self.reading.to_vec();
        if matches!(hook.event, EventName::Items { event: ItemsEvent::Query | ItemsEvent::Read, .. }) {
            reading.push((hook.extension.clone(), event.rsplit_once(".items.").map_or(event, |(collection, _)| collection).to_owned()));
        }
        Ok(Self {
            elevated: false,
            emit: true,
            depth,
            chain,
            reading: reading.into(),
            delivery: None,
            reach: None,
            joined: true,
            wrote: Wrote::part_of(&self.wrote),
            turn: Arc::default(),
            ..self.clone()
        })
    }

    /// Depth and chain of what a hook of this call does.
    pub fn deeper(&self, hook: &Hook, event: &str) -> Result<(u32, Arc<[String]>)> {
        let chain: Arc<[String]> = self.chain.iter().cloned().chain([format!("{} ({event})", hook.name)]).collect();
        let max = self.core.config.extension_max_depth;
        if self.depth >= max {
            return Err(too_deep(max, &chain, &self.who));
        }
        Ok((self.depth + 1, chain))
    }

    /// The same circumstances with other options, as `services.items(name, { elevated, emitEvents })` asks for.
    pub fn with(&self, elevated: bool, emit: bool) -> Self {
        Self { elevated: self.elevated || elevated, emit: self.emit && emit, wrote: Wrote::part_of(&self.wrote), ..self.clone() }
    }

    /// The same circumstances for code that may lead its calls only where `reach` says.
    pub fn reaching(self, reach: Reach) -> Self {
        Self { reach: Some(reach), ..self }
    }

    /// Whether the code that calls may lead `action` to `collection`.
    ///
    /// # Errors
    /// What its limits say: `CapabilityDenied`.
    pub fn reaches(&self, collection: &str, action: Action) -> Result<()> {
        self.reach.as_ref().map_or(Ok(()), |reach| reach(collection, action))
    }

    /// The same circumstances, acting as the host itself.
    pub fn as_system(&self) -> Self {
        Self { who: Arc::new(Accountability::system()), ..self.clone() }
    }

    /// The same circumstances, inside a savepoint.
    pub fn in_savepoint(&self, id: u32) -> Self {
        Self { savepoint: Some(id), joined: true, turn: Arc::default(), ..self.clone() }
    }

    /// The savepoint that this belongs to.
    pub fn savepoint(&self) -> Option<u32> {
        self.savepoint
    }

    /// The same circumstances, with every write joined into one transaction that opens at the first.
    pub fn joining(&self) -> Self {
        Self { joined: true, ..self.clone() }
    }

    /// Waits until no other writing call of the same hook run is under way.
    pub async fn turn(&self) -> tokio::sync::OwnedMutexGuard<()> {
        Arc::clone(&self.turn).lock_owned().await
    }

    /// Whether any filter hook hears `collection`, or reads of what is related to it: then a call there, be it a read, may do more than its
    /// own statements.
    pub fn has_filters(&self, collection: &str) -> bool {
        let hooks = self.op.snapshot.hooks();
        let hears = |event, name: &str| !hooks.matching(HookKind::Filter, event, name).is_empty();
        // A read may lead through relations, to hooks of any collection that they connect.
        let reads = |name: &str| hears(ItemsEvent::Query, name) || hears(ItemsEvent::Read, name);
        ItemsEvent::ALL.into_iter().any(|event| hears(event, collection)) || self.op.schema.connected(collection).into_iter().any(reads)
    }

    /// Whether a filter hook hears reads of `collection`: then it has a say in what answers a write there.
    pub fn has_read_filters(&self, collection: &str) -> bool {
        self.emit && !self.op.snapshot.hooks().matching(HookKind::Filter, ItemsEvent::Read, collection).is_empty()
    }

    /// Whether anything was written in the open transaction through this.
    pub fn has_written(&self) -> bool {
        self.wrote.written.load(Ordering::Relaxed)
    }

    /// Whether what is written here joins a transaction that lasts beyond one call.
    pub fn joins(&self) -> bool {
        self.joined
    }

    /// Whether no permission is asked for: the caller has all rights, or the code that calls passes them by.
    pub fn is_free(&self) -> bool {
        self.elevated || self.who.is_admin()
    }

    /// The fields of `collection` that `action` may touch, or 403. Which items, [`Ctx::row_rule`] says.
    pub fn granted(&self, action: Action, collection: &Collection) -> Result<&FieldSet> {
        if self.is_free() { Ok(&FieldSet::All) } else { self.united(action, collection).map(|united| &united.fields) }
    }

    /// Everything that the caller's permissions say about `action` on `collection`, or 403.
    pub(super) fn united(&self, action: Action, collection: &Collection) -> Result<&United> {
        let right = self.who.grants.right(action, &collection.name)?;
        let united = right.united(|permission| super::access::is_sound(&self.op.schema, collection, permission));
        if united.grants { Ok(united) } else { Err(refused(action, &collection.name)) }
    }

    /// The collection, or 404; a caller who may not do anything there gets the same 403 as for one that exists.
    pub fn collection(&self, name: &str, action: Action) -> Result<Arc<Collection>> {
        match self.op.schema.collection(name) {
            Some(collection) => Ok(Arc::clone(collection)),
            None if self.elevated || self.who.is_admin() => self.core.collection(name),
            None => Err(self.who.grants.check(action, super::query::clip(name)).err().unwrap_or_else(|| {
                Error::new(ErrorCode::CollectionNotFound, format!("There is no collection `{}`", super::query::clip(name)))
            })),
        }
    }

    /// Reads: in the operation's transaction where one is open, so that it sees its writes, else on any reader.
    pub async fn read<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        let job = Arc::new(job);
        let same = Arc::clone(&job);
        match self.op.in_open_tx(self.savepoint, move |conn| same(conn)).await {
            Some(result) => result,
            None => self.core.db.read(move |conn| job(conn)).await,
        }
    }

    /// Writes: all statements of `job` or none.
    pub async fn write<T, F>(&self, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        if self.joined {
            let result = self.op.in_tx(&self.core, self.savepoint, job).await;
            if result.is_ok() {
                self.wrote.note();
            }
            return result;
        }
        let job = Arc::new(job);
        let same = Arc::clone(&job);
        match self.op.in_open_tx(self.savepoint, move |conn| same(conn)).await {
            Some(result) => result,
            None => self.core.db.write(move |conn| job(conn)).await,
        }
    }

    /// Reads as [`Ctx::read`] does, or opens the transaction and reads in it, so that locks last.
    pub async fn read_as<T, F>(&self, hold: Hold, job: F) -> Result<T>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Conn<'_>) -> BoxFuture<'c, Result<T>> + Send + Sync + 'static,
    {
        match hold {
            Hold::No => self.read(job).await,
            Hold::Lock => self.op.in_tx(&self.core, self.savepoint, job).await,
        }
    }

    /// Whether `hook` may hear a read of `collection` from here.
    pub fn hears_reads(&self, hook: &Hook, collection: &str) -> bool {
        !self.reading.iter().any(|(extension, name)| *extension == hook.extension && name == collection)
    }

    /// The user in audit fields.
    pub fn user_value(&self) -> Value {
        self.who.audited().map_or(Value::Null, Value::from)
    }
}

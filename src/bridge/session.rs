//! One invocation's calls: in whose name, in which transaction, and written down for who wants to know.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::fetch::{self, Around, Fetches, Mocks};
use super::{Call, Capabilities, Secrets, mail, meta, method, supabase, transaction};
use crate::auth::{Accountability, Action};
use crate::error::{Error, ErrorCode, Result};
use crate::sandbox::{CallError, Host, LogLevel, LogLine, Streamed, Upload};
use crate::services::ctx::Reach;
use crate::services::items::ItemsService;
use crate::services::operation::{Intent, Mark, Outcome, Start};
use crate::services::runner::Previous;
use crate::services::{Core, Ctx, Item};

/// Lines kept of one invocation.
const MAX_LINES: usize = 1_000;
/// Calls kept of one invocation, the last ones.
const MAX_CALLS: usize = 200;

/// Where the calls of an invocation belong.
enum Place {
    /// To the operation whose filter this is.
    Joined(Ctx),
    /// Each to an operation of its own.
    Separate(Arc<Core>, Start),
}

/// Who hears the lines of an invocation, as they come. Must not block.
pub type HearLine = Box<dyn Fn(LogLevel, &str) + Send + Sync>;

/// One call, as a report shows it.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// `items.createOne`
    pub method: String,
    /// The collection that it was about.
    pub collection: Option<String>,
    /// How long it took, or was under way when the invocation ended; in milliseconds.
    pub ms: f64,
    /// The code of the error that it was answered with.
    pub error: Option<String>,
    /// Whether it came to its end before the invocation did.
    pub ended: bool,
}

/// What an invocation did.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Its calls, in the order of their beginnings, the last ones.
    pub calls: VecDeque<CallRecord>,
    /// Calls before those.
    pub calls_left_out: u64,
    /// The capabilities that they needed, each once.
    pub capabilities: Vec<String>,
    /// What it wrote to console and log.
    pub lines: Vec<(LogLevel, String)>,
}

/// Which extension calls, and what it may.
#[derive(Debug, Default)]
pub struct Identity {
    /// Its name.
    pub name: String,
    /// What it may ask of its services.
    pub capabilities: Capabilities,
    /// What it knows and nobody else may. Swapped when they change: a call has those that it began with.
    pub secrets: ArcSwap<Secrets>,
}

/// The host's side of one invocation. Cheap to clone: clones are the same session.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    place: Place,
    previous: Option<Previous>,
    identity: Arc<Identity>,
    /// For log lines.
    request_id: Arc<str>,
    /// Open transactions by the id that JavaScript has for them. Short sections only.
    open: Mutex<HashMap<u32, Open>>,
    next_id: AtomicU32,
    /// Messages that it has sent.
    mails: AtomicU32,
    /// The nested write that is under way, with its hooks, and where it began. Short sections only.
    under_way: Mutex<Option<(Ctx, Mark)>>,
    /// Short sections only.
    record: Mutex<Record>,
    /// What it fetched.
    fetches: Fetches,
    /// Set once, before the code runs.
    hears: OnceLock<HearLine>,
    /// When the calls of the record began, in the same order. Locked after the record.
    begins: Mutex<VecDeque<Instant>>,
}

/// A `transaction()` that has begun.
struct Open {
    ctx: Ctx,
    /// The turn among the calls around it, which it keeps to its end.
    _turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Session {
    /// For a filter: its calls belong to the operation that it guards.
    pub fn joined(ctx: Ctx, identity: &Arc<Identity>, previous: Option<Previous>) -> Self {
        let request_id = Arc::clone(&ctx.op.request_id);
        Self::new(Place::Joined(ctx), previous, identity, request_id)
    }

    /// For an action hook: each call is an operation of its own, unless `transaction` joins them.
    pub fn separate(core: Arc<Core>, start: Start, identity: &Arc<Identity>) -> Self {
        let request_id = Arc::clone(&start.request_id);
        Self::new(Place::Separate(core, start), None, identity, request_id)
    }

    fn new(place: Place, previous: Option<Previous>, identity: &Arc<Identity>, request_id: Arc<str>) -> Self {
        Self(Arc::new(Inner {
            place,
            previous,
            identity: Arc::clone(identity),
            request_id,
            open: Mutex::default(),
            next_id: AtomicU32::new(1),
            mails: AtomicU32::new(0),
            under_way: Mutex::default(),
            record: Mutex::default(),
            fetches: Fetches::default(),
            hears: OnceLock::new(),
            begins: Mutex::default(),
        }))
    }

    /// Says whose connections its fetches use: those of the extension with that id. Before the code runs.
    pub fn belongs_to(&self, extension: &str) {
        self.0.fetches.owner.get_or_init(|| Arc::from(extension));
    }

    /// Says what its fetches are answered in a dry run. Before the code runs.
    pub fn with_mocks(self, mocks: Mocks) -> Self {
        self.0.fetches.mocks.get_or_init(|| mocks);
        self
    }

    /// Has every line told to `hears` as well. Before the code runs, and once.
    pub fn heard_by(&self, hears: HearLine) {
        self.0.hears.get_or_init(|| hears);
    }

    /// Ends the invocation: what it left open is undone. Answers what it did.
    pub async fn finish(&self) -> Record {
        // A write that the code didn't wait for is not half kept.
        let left = self.0.under_way().take();
        if let Some((ctx, mark)) = left {
            ctx.op.end_mark(mark, !ctx.has_written()).await;
        }
        let open: Vec<Open> = self.0.open().drain().map(|(_, open)| open).collect();
        for Open { ctx, .. } in open {
            if let Place::Separate(core, _) = &self.0.place
                && let Err(error) = core.close(&ctx.op, Outcome::Undo).await
            {
                tracing::warn!(%error, "a transaction that a call left open could not be undone");
            }
            if let (Place::Joined(_), Some(id)) = (&self.0.place, ctx.savepoint()) {
                // Innermost last isn't known here; what fails goes with the operation, which fails as well.
                let _ = ctx.op.end_savepoint(id, false).await;
            }
        }
        let mut record = std::mem::take(&mut *self.0.record());
        let begins = std::mem::take(&mut *self.0.begins());
        for (call, began) in record.calls.iter_mut().zip(begins).filter(|(call, _)| !call.ended) {
            call.ms = began.elapsed().as_secs_f64() * 1000.0;
        }
        record
    }
}

impl Inner {
    fn open(&self) -> MutexGuard<'_, HashMap<u32, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn under_way(&self) -> MutexGuard<'_, Option<(Ctx, Mark)>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begins(&self) -> MutexGuard<'_, VecDeque<Instant>> {
        self.begins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The open transaction that a call names.
    fn transaction(&self, id: u32) -> Result<Ctx> {
        let gone = || Error::new(ErrorCode::TransactionTimeout, "This `transaction()` has ended: its `services` can't be used any more");
        self.open().get(&id).map(|open| open.ctx.clone()).ok_or_else(gone)
    }

    /// A read that leads through relations, and a write with nested items, need the capability for each collection that they lead to.
    fn reach(self: &Arc<Self>, call: &Call, method: &str) -> Reach {
        let (inner, own, method) = (Arc::clone(self), call.scope.collection.clone(), method.to_owned());
        Arc::new(move |collection, action| {
            // What the call itself was asked for is known already, and so is that it may show what it reads.
            let is_own = own.as_deref() == Some(collection) && action == Action::Read;
            if is_own { Ok(()) } else { inner.need(format!("items:{collection}:{}", action.name()), &method) }
        })
    }

    async fn dispatch(self: &Arc<Self>, name: &str, call: Call) -> Result<Option<Value>> {
        match name {
            transaction::BEGIN => return self.begin(&call).await.map(Some),
            transaction::END => return self.end(&call).await.map(|()| None),
            meta::PREVIOUS => return self.previous().await.map(Some),
            _ => {}
        }
        let method =
            method(name).ok_or_else(|| Error::payload(format!("There is no service method `{}`", crate::services::query::clip(name))))?;
        let scope = [("elevated", call.scope.elevated), ("system", call.scope.system)];
        let scope = scope.into_iter().filter(|(_, is_asked)| *is_asked).map(|(name, _)| name.to_owned());
        for needed in (method.capability)(&call).into_iter().chain(scope) {
            self.need(needed, name)?;
        }
        let emit = call.scope.emit_events.unwrap_or(true);
        let reach = self.reach(&call, name);
        let joined = match (call.scope.tx, &self.place) {
            (Some(id), _) => self.transaction(id)?,
            (None, Place::Joined(ctx)) => ctx.clone(),
            (None, Place::Separate(core, start)) => {
                let (core, mut start, run) = (Arc::clone(core), start.clone(), method.run);
                if call.scope.system {
                    start.who = Arc::new(Accountability::system());
                }
                let call = Arc::new(call);
                let work = async move {
                    core.operate(start, |ctx| {
                        let (ctx, call) = (ctx.with(call.scope.elevated, emit).reaching(Arc::clone(&reach)), Arc::clone(&call));
                        async move { run(&ctx, &call).await }
                    })
                    .await
                };
                // Nothing follows such a read: it ends with the code that asked.
                if name == supabase::READ {
                    return work.await;
                }
                // On a task of its own: what is committed is followed up, also when the code ends without waiting for it.
                return tokio::spawn(work).await.map_err(|e| Error::internal(format!("a service call's task ended: {e}")))?;
            }
        };
        let joined = if call.scope.system { joined.as_system() } else { joined };
        let ctx = joined.with(call.scope.elevated, emit).reaching(reach);
        // Calls that may write, themselves or through their hooks, take turns within one hook run: one that is refused halfway can then be
        // undone without the others.
        let hooked = call.scope.collection.as_deref().is_some_and(|collection| ctx.has_filters(collection));
        let _turn = if method.writes || hooked { Some(ctx.turn().await) } else { None };
        if !hooked {
            return (method.run)(&ctx, &call).await;
        }
        let mark = ctx.op.mark(ctx.savepoint()).await?;
        *self.under_way() = Some((ctx.clone(), mark));
        let result = (method.run)(&ctx, &call).await;
        *self.under_way() = None;
        ctx.op.end_mark(mark, result.is_ok() || !ctx.has_written()).await;
        result
    }

    async fn begin(&self, call: &Call) -> Result<Value> {
        let mut turn = None;
        let ctx = match (call.scope.tx, &self.place) {
            (None, Place::Separate(core, start)) => core.open(start).joining(),
            (parent, place) => {
                let outer = match (parent, place) {
                    (Some(id), _) => self.transaction(id)?,
                    (None, Place::Joined(ctx)) => ctx.clone(),
                    (None, Place::Separate(..)) => return Err(Error::internal("a separate transaction is opened above")),
                };
                // Its turn lasts until its end: a call beside it must not undo it.
                turn = Some(outer.turn().await);
                let id = outer.op.savepoint(&outer.core, outer.savepoint()).await?;
                outer.in_savepoint(id)
            }
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.open().insert(id, Open { ctx, _turn: turn });
        Ok(json!(id))
    }

    async fn end(&self, call: &Call) -> Result<()> {
        let id = call.arg(0).as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or_default();
        let keep = call.arg(1) == &Value::Bool(true);
        let ctx = self.transaction(id)?;
        let _open = self.open().remove(&id);
        match (ctx.savepoint(), &self.place) {
            (Some(savepoint), _) => ctx.op.end_savepoint(savepoint, keep).await,
            (None, Place::Separate(core, _)) => core.close(&ctx.op, if keep { Outcome::Keep } else { Outcome::Undo }).await,
            (None, Place::Joined(_)) => Err(Error::internal("a filter's transaction is always a savepoint")),
        }
    }

    /// The rows before the write, with the caller's rights out of the way: a filter guards rows that its caller may not read.
    async fn previous(&self) -> Result<Value> {
        let (Some(previous), Place::Joined(ctx)) = (&self.previous, &self.place) else {
            return Err(Error::query("`meta.previous()` is there in filters of `items.update` and `items.delete`"));
        };
        self.need(format!("items:{}:read", previous.collection), meta::PREVIOUS)?;
        let ctx = ctx.with(true, false);
        let rows =
            ItemsService::new(&ctx, &previous.collection).read_many(&previous.keys, &Item::new(), crate::services::ctx::Hold::No).await?;
        Ok(json!(rows))
    }

    async fn fetch(self: &Arc<Self>, call: &Call, body: Upload, is_held: bool) -> Result<Streamed> {
        if call.method != fetch::OPEN {
            return Err(Error::payload(format!(
                "There is no service method `{}` with streams",
                crate::services::query::clip(&call.method)
            )));
        }
        let inner = Arc::clone(self);
        let guard = Box::new(move |url: &url::Url| inner.need(Fetches::capability(url), "fetch"));
        let around = match &self.place {
            Place::Joined(ctx) => Around { core: &ctx.core, joined: Some(ctx), is_held, is_dry_run: ctx.op.intent == Intent::Discard },
            Place::Separate(core, start) => Around { core, joined: None, is_held, is_dry_run: start.intent == Intent::Discard },
        };
        self.fetches.open(around, call, body, guard).await
    }

    /// Every line of `console` and `services.log` goes through here, and from here to all who get it: what must be kept out of all of them
    /// is kept out here.
    fn line(&self, level: LogLevel, mut message: String) {
        self.identity.secrets.load().redact(&mut message);
        let (extension, request) = (self.identity.name.as_str(), &*self.request_id);
        match level {
            LogLevel::Debug => tracing::debug!(target: "trellis::extension", extension, request, "{message}"),
            LogLevel::Info => tracing::info!(target: "trellis::extension", extension, request, "{message}"),
            LogLevel::Warn => tracing::warn!(target: "trellis::extension", extension, request, "{message}"),
            // The author's word for it; an error of the host is something else, so it isn't logged as one.
            LogLevel::Error => tracing::warn!(target: "trellis::extension", extension, request, level = "error", "{message}"),
        }
        if let Some(hears) = self.hears.get() {
            hears(level, &message);
        }
        let mut record = self.record();
        if record.lines.len() < MAX_LINES {
            record.lines.push((level, message));
        }
    }

    /// Takes note that a call needs a capability, and refuses it where the extension doesn't have that.
    fn need(&self, needed: String, method: &str) -> Result<()> {
        let refused = (!self.identity.capabilities.allows(&needed)).then(|| {
            let why =
                format!("`{method}` needs the capability `{}`, which the extension doesn't list", crate::services::query::clip(&needed));
            Error::new(ErrorCode::CapabilityDenied, why).with_extra("capability", needed.clone())
        });
        let mut record = self.record();
        if record.capabilities.len() < MAX_CALLS && !record.capabilities.contains(&needed) {
            record.capabilities.push(needed);
        }
        refused.map_or(Ok(()), Err)
    }

    /// Takes note of the beginning of a call. Answers its number.
    fn begin_call(&self, method: &str, collection: Option<String>, began: Instant) -> u64 {
        let (mut record, mut begins) = (self.record(), self.begins());
        if record.calls.len() >= MAX_CALLS {
            record.calls.pop_front();
            begins.pop_front();
            record.calls_left_out += 1;
        }
        let number = record.calls_left_out + record.calls.len() as u64;
        record.calls.push_back(CallRecord { method: method.to_owned(), collection, ms: 0.0, error: None, ended: false });
        begins.push_back(began);
        number
    }

    /// Takes note of its end, if it is still among those that are kept.
    fn end_call(&self, number: u64, began: Instant, error: Option<&Error>) {
        let mut record = self.record();
        let at = number.checked_sub(record.calls_left_out).and_then(|at| usize::try_from(at).ok());
        if let Some(call) = at.and_then(|at| record.calls.get_mut(at)) {
            call.ms = began.elapsed().as_secs_f64() * 1000.0;
            call.error = error.map(|error| error.wire_code().to_owned());
            call.ended = true;
        }
    }
}

impl Host for Session {
    fn call(&self, method: &str, args: Box<RawValue>) -> BoxFuture<'static, Result<Option<Box<RawValue>>, CallError>> {
        let (inner, method) = (Arc::clone(&self.0), method.to_owned());
        // Counted as they are asked for: another run of the same code asks in the same order.
        let nth = if method == mail::SEND { inner.mails.fetch_add(1, Ordering::Relaxed) } else { 0 };
        Box::pin(async move {
            let began = Instant::now();
            let call = Call::parse(&method, args.get()).map(|call| Call { nth, ..call });
            let collection = call.as_ref().ok().and_then(|call| call.scope.collection.clone());
            let number = inner.begin_call(&method, collection, began);
            let result = match call {
                Ok(call) => inner.dispatch(&method, call).await,
                Err(error) => Err(error),
            };
            inner.end_call(number, began, result.as_ref().err());
            match result {
                Ok(None) => Ok(None),
                Ok(Some(value)) => serde_json::value::to_raw_value(&value).map(Some).map_err(|e| call_error(&Error::internal(e))),
                Err(error) => {
                    if error.class() >= 500 {
                        let mut error = error.to_string();
                        inner.identity.secrets.load().redact(&mut error);
                        tracing::warn!(
                            extension = inner.identity.name,
                            request = &*inner.request_id,
                            error,
                            method,
                            "a service call failed"
                        );
                    }
                    Err(call_error(&error))
                }
            }
        })
    }

    fn stream(&self, method: &str, args: Box<RawValue>, body: Upload) -> BoxFuture<'static, Result<Streamed, CallError>> {
        let (session, method) = (self.clone(), method.to_owned());
        Box::pin(async move {
            let (inner, began) = (&session.0, Instant::now());
            let number = inner.begin_call(&method, None, began);
            let result = match Call::parse(&method, args.get()) {
                Ok(call) => inner.fetch(&call, body, session.deadline().is_some()).await,
                Err(error) => Err(error),
            };
            inner.end_call(number, began, result.as_ref().err());
            result.map_err(|error| {
                if let Some(detail) = error.detail() {
                    tracing::debug!(extension = inner.identity.name, request = &*inner.request_id, detail, "a fetch failed");
                }
                call_error(&error)
            })
        })
    }

    fn log(&self, line: LogLine) {
        self.0.line(line.level, line.message);
    }

    fn is_entangled(&self) -> bool {
        // Writes beside an open `transaction()` wait for its end, which comes when the calls inside it were answered.
        !self.0.open().is_empty()
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        let own = match &self.0.place {
            Place::Joined(ctx) => ctx.op.tx_deadline(),
            Place::Separate(..) => None,
        };
        self.0.open().values().filter_map(|open| open.ctx.op.tx_deadline()).chain(own).min()
    }
}

/// An error as JavaScript sees it: what the caller may know, and nothing for the log.
pub(super) fn call_error(error: &Error) -> CallError {
    let mut extra = error.extra().cloned().unwrap_or_else(Map::new);
    if let Some(field) = error.field() {
        extra.insert("field".to_owned(), json!(field));
    }
    CallError {
        name: "Error".to_owned(),
        message: error.message().to_owned(),
        code: error.wire_code().to_owned(),
        status: error.class(),
        extra: (!extra.is_empty()).then_some(extra),
    }
}

//! What one isolate and its native functions share: which call runs, until when, what it has asked for and what it has to send.
//!
//! It lives outside of the heap that is put back, so nothing in it points into that heap, except what is captured once when the isolate
//! is made.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::{c_int, c_void};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSRuntime, JSValue};

use super::alloc::Heap;
use super::codecs::Codecs;
use super::compile::{Code, Loaded, Program};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::{Cause, MAX_CAUSES, Report};
use super::limits::{Breach, LINE_COST, MAX_CONSOLE, MAX_FRAME, MAX_STACK_TEXT, OPEN_BYTES_FACTOR};
use super::modules::Modules;
use super::protocol::{CallBody, DONE_FAILURE, Kind, write_message};
use super::rejections::{Reason, Rejections, rejected, stack_getter, stack_of};
use super::trace::Spot;

/// The level of `console.warn`.
const WARN: u8 = 2;

/// Longer than any streaming answer may take: the host ends it before.
const STREAM_LONGEST: Duration = Duration::from_secs(86_400);

/// Timers for which room is kept between calls.
const FEW_TIMERS: usize = 64;

/// What one isolate and its native functions share. Its address is the context's opaque pointer.
pub(super) struct Shared {
    heap: *const Heap,
    pub(super) program: Rc<Program>,
    pub(super) unit: RefCell<Option<Rc<Loaded>>>,
    /// The invocation that runs, 0 for none.
    pub(super) id: Cell<u64>,
    pub(super) started: Cell<Instant>,
    pub(super) deadline: Cell<Instant>,
    breach: Cell<Option<Breach>>,
    /// Where a breach cut the code, in the engine's words.
    pub(super) cut_at: RefCell<Option<String>>,
    random: Cell<u64>,
    /// Frames to send.
    pub(super) out: RefCell<Vec<u8>>,
    /// Body of `Done`, once there is one.
    pub(super) outcome: RefCell<Option<Vec<u8>>>,
    pub(super) timers: RefCell<BinaryHeap<Reverse<(Instant, u32)>>>,
    console_left: Cell<usize>,
    /// While the unit is loaded: what it writes to its console.
    loading: RefCell<Option<Vec<(u8, String)>>>,
    /// Its limit without a streaming answer, and how long it may work without a yield with one.
    timeout: Cell<Duration>,
    streaming: Cell<bool>,
    /// While an answer streams: whether the code waits.
    parked: Cell<bool>,
    /// Promises of this call that were rejected while nothing listened.
    pub(super) rejections: RefCell<Rejections>,
    /// What led to the error of which the glue is about to tell.
    causes: RefCell<Vec<Cause>>,
    /// What compresses or decompresses for the call.
    pub(super) codecs: RefCell<Codecs>,
    /// Sizes of the arguments of open calls.
    open: RefCell<HashMap<u32, usize>>,
    /// Class of `{}`.
    pub(super) plain_class: qjs::JSClassID,
    pub(super) to_json_atom: qjs::JSAtom,
    date_to_iso: JSValue,
    pub(super) stack_getter: JSValue,
}

impl Shared {
    /// State for a new isolate; registers itself with the engine.
    pub(super) fn attach(engine: &Engine, program: &Rc<Program>) -> Result<Box<Self>, Exception> {
        let js = engine.js();
        let now = Instant::now();
        let plain = js.object()?;
        // SAFETY: a live object and context; the hold on the atom goes with the heap.
        let (plain_class, to_json_atom) = unsafe { (qjs::JS_GetClassID(plain.raw()), qjs::JS_NewAtom(js.raw(), c"toJSON".as_ptr())) };
        let shared = Box::new(Self {
            heap: engine.heap(),
            program: program.clone(),
            unit: RefCell::default(),
            id: Cell::new(0),
            started: Cell::new(now),
            // Until a call sets its own: making an isolate takes far less.
            deadline: Cell::new(now + Duration::from_secs(5)),
            breach: Cell::new(None),
            cut_at: RefCell::default(),
            random: Cell::new(0),
            out: RefCell::default(),
            outcome: RefCell::default(),
            timers: RefCell::default(),
            console_left: Cell::new(0),
            loading: RefCell::default(),
            timeout: Cell::new(Duration::ZERO),
            streaming: Cell::new(false),
            parked: Cell::new(false),
            rejections: RefCell::default(),
            causes: RefCell::default(),
            codecs: RefCell::default(),
            open: RefCell::default(),
            plain_class,
            to_json_atom,
            date_to_iso: date_to_iso(js)?.into_raw(),
            stack_getter: stack_getter(js)?.into_raw(),
        });
        let address = std::ptr::from_ref(&*shared).cast_mut().cast::<c_void>();
        // SAFETY: the box outlives every run of the engine: both belong to the isolate, and the engine runs no code when it goes. The
        // pointers are part of what is remembered when the heap is sealed.
        unsafe {
            qjs::JS_SetContextOpaque(js.raw(), address);
            qjs::JS_SetInterruptHandler(engine.runtime(), Some(interrupted), address);
            qjs::JS_SetHostPromiseRejectionTracker(engine.runtime(), Some(rejected), address);
        }
        Ok(shared)
    }

    /// Begins an invocation.
    pub(super) fn begin(&self, id: u64, timeout: Duration, seed: u64) {
        let now = Instant::now();
        self.id.set(id);
        self.started.set(now);
        self.deadline.set(now + timeout);
        self.timeout.set(timeout);
        self.streaming.set(false);
        self.parked.set(false);
        self.random.set(seed);
        self.console_left.set(MAX_CONSOLE);
        self.outcome.borrow_mut().take();
        self.timers.borrow_mut().clear();
        self.rejections.borrow_mut().clear();
        self.causes.borrow_mut().clear();
        self.codecs.borrow_mut().clear();
        self.open.borrow_mut().clear();
    }

    /// Begins the load of its unit.
    pub(super) fn begin_load(&self, until: Instant, seed: u64) {
        self.begin(0, until.saturating_duration_since(Instant::now()), seed);
        self.loading.replace(Some(Vec::new()));
    }

    /// Ends the load: timers are dropped. Answers what was written to the console.
    pub(super) fn end_load(&self) -> Vec<(u8, String)> {
        self.tell_rejections();
        self.timers.borrow_mut().clear();
        self.codecs.borrow_mut().clear();
        self.open.borrow_mut().clear();
        self.loading.take().unwrap_or_default()
    }

    /// The answer streams: from now on the host counts the time of the call, and here only that of work without a yield.
    pub(super) fn begin_streaming(&self) {
        self.streaming.set(true);
        self.deadline.set(Instant::now() + self.timeout.get());
    }

    /// Code is about to run, perhaps after a yield.
    pub(super) fn going_on(&self) {
        if self.parked.replace(false) {
            self.deadline.set(Instant::now() + self.timeout.get());
        }
    }

    /// Code has yielded.
    pub(super) fn yielded(&self) {
        if self.streaming.get() && self.breach.get().is_none() && !self.parked.replace(true) {
            self.deadline.set(Instant::now() + STREAM_LONGEST);
        }
    }

    /// The host says how long the call may still take. While an answer streams that isn't for here.
    pub(super) fn set_left(&self, left: Duration) {
        if !self.streaming.get() {
            self.deadline.set(Instant::now() + left);
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.deadline.get().saturating_duration_since(Instant::now())
    }

    /// The modules of its unit, if that is made of some.
    pub(super) fn with_modules<T>(&self, use_them: impl FnOnce(&Modules) -> T) -> Option<T> {
        let unit = self.unit.borrow().clone()?;
        match &unit.code {
            Code::Modules(modules) => Some(use_them(modules)),
            Code::Body(_) => None,
        }
    }

    /// A stack in the author's coordinates, and the innermost place of theirs.
    pub(super) fn author_stack(&self, raw: &str) -> (String, Option<Spot>) {
        let unit = self.unit.borrow().clone();
        unit.map_or_else(|| (raw.to_owned(), None), |unit| unit.sources.author_stack(raw))
    }

    /// Forgets all of the call that ended, its breach included: the heap is about to be what it was before the call.
    pub(super) fn reset(&self) {
        self.id.set(0);
        self.breach.set(None);
        self.cut_at.replace(None);
        self.random.set(0);
        self.console_left.set(0);
        self.outcome.replace(None);
        self.rejections.borrow_mut().clear();
        self.causes.borrow_mut().clear();
        self.codecs.borrow_mut().clear();
        // What a call made large doesn't stay large.
        let mut out = self.out.borrow_mut();
        out.clear();
        out.shrink_to(MAX_FRAME);
        let mut timers = self.timers.borrow_mut();
        timers.clear();
        timers.shrink_to(FEW_TIMERS);
        self.open.borrow_mut().clear();
    }

    /// Whether a limit was passed; once it was, it stays so until the heap is put back.
    pub(super) fn breach(&self) -> Option<Breach> {
        if self.breach.get().is_none() {
            // SAFETY: the heap belongs to the engine, which outlives this.
            let refused = unsafe { &*self.heap }.refused();
            if refused {
                self.breach.set(Some(Breach::Memory));
            } else if Instant::now() >= self.deadline.get() {
                self.breach.set(Some(Breach::Time));
            }
        }
        self.breach.get()
    }

    /// The answer to a call came: its arguments are no longer in the way.
    pub(super) fn answered(&self, call: u32) {
        self.open.borrow_mut().remove(&call);
    }

    /// The limit of the heap in bytes.
    pub(super) fn heap_limit(&self) -> usize {
        // SAFETY: the heap belongs to the engine, which outlives this.
        unsafe { &*self.heap }.limit()
    }

    pub(super) fn date_to_iso(&self) -> JSValue {
        self.date_to_iso
    }

    /// Says in the log of the call what nobody else hears.
    pub(super) fn log(&self, level: u8, text: &str) {
        let left = self.console_left.get();
        if let Some(lines) = self.loading.borrow_mut().as_mut() {
            if text.len() + LINE_COST <= left {
                self.console_left.set(left - text.len() - LINE_COST);
                lines.push((level, text.to_owned()));
            }
            return;
        }
        if left == 0 || self.id.get() == 0 {
            return;
        }
        let mut body = Vec::with_capacity(text.len().min(left) + 64);
        body.push(level);
        // A line costs the host more than its text: a record with a time and names.
        if text.len() + LINE_COST <= left {
            body.extend_from_slice(text.as_bytes());
            self.console_left.set(left - text.len() - LINE_COST);
        } else {
            let mut end = left.saturating_sub(1).min(text.len());
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            body.extend_from_slice(&text.as_bytes()[..end]);
            body.extend_from_slice(b" [console output is cut here: a call may write 64 KB]");
            self.console_left.set(0);
        }
        write_message(&mut self.out.borrow_mut(), Kind::Log, self.id.get(), &body);
    }

    /// The call has come to its end: what was rejected and is still not handled never will be. What happens while the unit is loaded is
    /// told when all of that is over.
    pub(super) fn ended(&self) {
        if !self.rejections.borrow().is_empty() && self.loading.borrow().is_none() {
            self.tell_rejections();
        }
    }

    fn tell_rejections(&self) {
        let (reasons, more) = self.rejections.borrow_mut().take();
        for Reason { text, stack } in reasons {
            let (stack, spot) = self.author_stack(&stack);
            let place = spot.map(|spot| format!(" ({})", spot.told())).unwrap_or_default();
            let stack = if stack.is_empty() { stack } else { format!("\n{stack}") };
            self.log(WARN, &format!("A promise was rejected and nothing handled it{place}: {text}{stack}"));
        }
        if more > 0 {
            self.log(WARN, &format!("{more} more promises were rejected and nothing handled them"));
        }
    }

    /// Says of a host call that it was still open when its invocation ended.
    pub(super) fn tell_forgotten(&self, method: &str, stack: &str, failed: bool) {
        let place = self.author_stack(stack).1.map(|spot| format!(" ({})", spot.told())).unwrap_or_default();
        let text = match failed {
            false => "was not awaited: the call ended before it was answered, so whether it was carried out is uncertain",
            true => "was still open when the call failed, so whether it was carried out is uncertain",
        };
        self.log(WARN, &format!("`{method}`{place} {text}"));
    }

    /// One more of what led to the error that is told next.
    pub(super) fn add_cause(&self, cause: Cause) {
        let mut causes = self.causes.borrow_mut();
        if causes.len() < MAX_CAUSES {
            causes.push(cause);
        }
    }

    pub(super) fn take_causes(&self) -> Vec<Cause> {
        self.causes.take()
    }

    /// The run ended with a failure.
    pub(super) fn fail(&self, report: &Report) {
        let mut body = vec![DONE_FAILURE];
        body.extend(report.to_json());
        self.outcome.replace(Some(body));
    }

    pub(super) fn max_payload(&self) -> usize {
        self.unit.borrow().as_ref().map_or(0, |u| u.max_payload)
    }

    pub(super) fn random(&self) -> f64 {
        // splitmix64: small, and every seed is as good as another.
        let state = self.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.random.set(state);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // 53 bits fill a float's fraction.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Records a host call and sends it; whether there was room for it.
    pub(super) fn send_call(&self, kind: Kind, call: u32, method: &str, args: &[u8]) -> bool {
        let mut open = self.open.borrow_mut();
        if open.values().sum::<usize>() + args.len() > self.max_payload().saturating_mul(OPEN_BYTES_FACTOR) {
            return false;
        }
        open.insert(call, args.len());
        let body = CallBody { call, method: method.as_bytes(), args }.encode();
        write_message(&mut self.out.borrow_mut(), kind, self.id.get(), &body);
        true
    }
}

/// `date => text`, made before any code of an extension could patch what it uses.
fn date_to_iso(js: Js) -> Result<Val, Exception> {
    // SAFETY: a live context.
    let global = js.own(unsafe { qjs::JS_GetGlobalObject(js.raw()) })?;
    let date = js.get(global.raw(), c"Date")?;
    let proto = js.get(date.raw(), c"prototype")?;
    js.get(proto.raw(), c"toISOString")
}

/// Asked by the engine every 10,000 steps.
unsafe extern "C" fn interrupted(_rt: *mut JSRuntime, opaque: *mut c_void) -> c_int {
    // SAFETY: the pointer that `attach` gave, alive as long as the engine runs code.
    let shared = unsafe { &*opaque.cast::<Shared>().cast_const() };
    c_int::from(shared.breach().is_some())
}

/// Remembers the stack of the error with which the engine cut the code, the first time.
pub(super) fn note_cut(js: Js, shared: &Shared, error: JSValue) {
    // SAFETY: asks about a live value.
    if shared.cut_at.borrow().is_some() || !unsafe { qjs::JS_IsError(error) } {
        return;
    }
    if let Some(text) = stack_of(js, shared, error, MAX_STACK_TEXT).filter(|text| !text.is_empty()) {
        shared.cut_at.replace(Some(text));
    }
}

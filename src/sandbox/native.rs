//! What the glue of an isolate can ask of Rust: plain C functions without data of their own.
//!
//! Each finds the [`Shared`] state of its isolate through the context. None of them holds a JS value past its own return, except what
//! is captured once when the isolate is made: a heap that is put back must not be pointed into. For the same reason no object is ever
//! made that Rust owns a part of: its finalizer would run, and the object would be there again.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::{CStr, c_int, c_void};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSContext, JSRuntime, JSValue};
use serde_json::{Map, Value};

use super::alloc::Heap;
use super::compile::{Code, Loaded, Program};
use super::convert::{Refusal, class_name, to_json};
use super::engine::{Engine, Exception, Js, Native, Val};
use super::failure::{Report, ThrownReport, cut};
use super::flow;
use super::limits::{Breach, LINE_COST, MAX_CONSOLE, MAX_FRAME, MAX_MESSAGE, MAX_METHOD, MAX_STACK_TEXT, MAX_TIMERS, OPEN_BYTES_FACTOR};
use super::modules::Modules;
use super::protocol::{CallBody, DONE_FAILURE, DONE_JSON, DONE_UNDEFINED, Kind, write_message};
use super::trace::Spot;

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
    /// Sizes of the arguments of open calls.
    open: RefCell<HashMap<u32, usize>>,
    /// Class of `{}`.
    pub(super) plain_class: qjs::JSClassID,
    pub(super) to_json_atom: qjs::JSAtom,
    date_to_iso: JSValue,
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
            open: RefCell::default(),
            plain_class,
            to_json_atom,
            date_to_iso: date_to_iso(js)?.into_raw(),
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
        self.open.borrow_mut().clear();
    }

    /// Begins the load of its unit.
    pub(super) fn begin_load(&self, until: Instant, seed: u64) {
        self.begin(0, until.saturating_duration_since(Instant::now()), seed);
        self.loading.replace(Some(Vec::new()));
    }

    /// Ends the load: timers are dropped. Answers what was written to the console.
    pub(super) fn end_load(&self) -> Vec<(u8, String)> {
        self.timers.borrow_mut().clear();
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

    /// The run ended with a failure.
    pub(super) fn fail(&self, report: &Report) {
        let mut body = vec![DONE_FAILURE];
        // Only strings, numbers and JSON values are in there.
        serde_json::to_writer(&mut body, report).expect("a report is plain data");
        self.outcome.replace(Some(body));
    }

    fn max_payload(&self) -> usize {
        self.unit.borrow().as_ref().map_or(0, |u| u.max_payload)
    }

    fn random(&self) -> f64 {
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
    fn send_call(&self, call: u32, method: &str, args: &[u8]) -> bool {
        let mut open = self.open.borrow_mut();
        if open.values().sum::<usize>() + args.len() > self.max_payload().saturating_mul(OPEN_BYTES_FACTOR) {
            return false;
        }
        open.insert(call, args.len());
        let body = CallBody { call, method: method.as_bytes(), args }.encode();
        write_message(&mut self.out.borrow_mut(), Kind::Call, self.id.get(), &body);
        true
    }
}

/// The object `native` of the glue.
pub(super) fn natives(js: Js) -> Result<Val, Exception> {
    const ALL: &[(&CStr, c_int, Native)] = &[
        (c"done", 1, done),
        (c"fail", 8, fail),
        (c"callJson", 3, call_json),
        (c"json", 3, json),
        (c"log", 2, log),
        (c"timer", 2, timer),
        (c"clearTimer", 1, clear_timer),
        (c"now", 0, now),
        (c"random", 0, random),
        (c"classOf", 1, class_of),
        (c"isName", 1, is_name),
        (c"stack", 1, stack),
        (c"service", 1, service),
        (c"script", 1, script),
        (c"isTypedArray", 1, is_typed_array),
        (c"answer", 2, flow::answer),
        (c"head", 1, flow::head),
        (c"piece", 3, flow::piece),
        (c"taken", 1, flow::taken),
        (c"isBytes", 1, flow::is_bytes),
        (c"toBytes", 1, flow::to_bytes),
        (c"isPromise", 1, flow::is_promise),
        (c"left", 0, flow::left),
        (c"place", 1, flow::place),
        (c"sdk", 0, flow::sdk),
        (c"web", 0, web),
    ];
    js.functions(ALL)
}

/// `date => text`, made before any code of an extension could patch what it uses.
fn date_to_iso(js: Js) -> Result<Val, Exception> {
    // SAFETY: a live context.
    let global = js.own(unsafe { qjs::JS_GetGlobalObject(js.raw()) })?;
    let date = js.get(global.raw(), c"Date")?;
    let proto = js.get(date.raw(), c"prototype")?;
    js.get(proto.raw(), c"toISOString")
}

/// Everything that a native function was called with.
pub(super) struct Ask<'a> {
    pub(super) js: Js,
    pub(super) shared: &'a Shared,
    args: &'a [JSValue],
}

impl Ask<'_> {
    pub(super) fn arg(&self, index: usize) -> JSValue {
        self.args.get(index).copied().unwrap_or(qjs::JS_UNDEFINED)
    }

    pub(super) fn text(&self, index: usize) -> Result<String, Exception> {
        self.js.text(self.arg(index))
    }

    /// The bytes of a text or of a `Uint8Array`; none of anything else.
    pub(super) fn bytes_or_text(&self, index: usize) -> Result<Vec<u8>, Exception> {
        let value = self.arg(index);
        // SAFETY: reads the tag.
        if unsafe { qjs::JS_IsString(value) } {
            return self.js.text(value).map(String::into_bytes);
        }
        Ok(self.js.with_bytes(value, <[u8]>::to_vec).unwrap_or_default())
    }

    /// The text of an argument that is a string, else nothing; runs no code.
    fn text_if_string(&self, index: usize, max: usize) -> Option<String> {
        let value = self.arg(index);
        // SAFETY: reads the tag.
        if !unsafe { qjs::JS_IsString(value) } {
            return None;
        }
        match self.js.text(value) {
            Ok(text) => Some(cut(text, max)),
            Err(Exception) => {
                drop(self.js.take_exception());
                None
            }
        }
    }

    pub(super) fn number(&self, index: usize) -> Option<f64> {
        let value = self.arg(index);
        // SAFETY: reads the tag and the number beside it.
        unsafe {
            match qjs::JS_VALUE_GET_TAG(value) {
                qjs::JS_TAG_INT => Some(f64::from(qjs::JS_VALUE_GET_INT(value))),
                qjs::JS_TAG_FLOAT64 => Some(qjs::JS_VALUE_GET_FLOAT64(value)),
                _ => None,
            }
        }
    }

    pub(super) fn integer(&self, index: usize) -> Option<u32> {
        self.number(index).filter(|n| n.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(n)).map(|n| n as u32)
    }

    /// Throws a `TypeError` of ours.
    pub(super) fn type_error(&self, message: &str) -> JSValue {
        let text = std::ffi::CString::new(message.replace('\0', " ")).unwrap_or_default();
        // SAFETY: a live context, a format that takes one text.
        unsafe { qjs::JS_ThrowTypeError(self.js.raw(), c"%s".as_ptr(), text.as_ptr()) }
    }

    /// Throws what a refused conversion deserves.
    fn refused(&self, refusal: Refusal, max: usize) -> JSValue {
        match refusal {
            Refusal::Thrown => qjs::JS_EXCEPTION,
            Refusal::Value(message) => self.type_error(&message),
            Refusal::TooLarge => {
                let text = std::ffi::CString::new(format!("The arguments are larger than {max} bytes")).unwrap_or_default();
                // SAFETY: a live context, a format that takes one text.
                unsafe { qjs::JS_ThrowRangeError(self.js.raw(), c"%s".as_ptr(), text.as_ptr()) }
            }
            Refusal::Breach => stop(self.js),
        }
    }
}

/// Throws what no code can catch: the run is over.
fn stop(js: Js) -> JSValue {
    // SAFETY: a live context; the thrown error is taken, marked, and thrown again.
    unsafe {
        qjs::JS_ThrowInternalError(js.raw(), c"interrupted".as_ptr());
        let error = qjs::JS_GetException(js.raw());
        qjs::JS_SetUncatchableError(js.raw(), error);
        qjs::JS_Throw(js.raw(), error)
    }
}

/// Unwraps the C calling convention. After a breach nothing that has an effect is done any more.
///
/// # Safety
/// Called by the engine with a live context whose opaque pointer is a `Shared`, and `argc` live arguments.
pub(super) unsafe fn ask(ctx: *mut JSContext, argc: c_int, argv: *mut JSValue, answer: impl FnOnce(&Ask<'_>) -> JSValue) -> JSValue {
    // SAFETY: see above.
    unsafe {
        let shared = qjs::JS_GetContextOpaque(ctx).cast::<Shared>().cast_const();
        let (Some(js), Some(shared)) = (Js::from_raw(ctx), shared.as_ref()) else { return qjs::JS_UNDEFINED };
        if shared.breach().is_some() {
            return stop(js);
        }
        let count = usize::try_from(argc).unwrap_or(0);
        let args = if count == 0 { &[] } else { std::slice::from_raw_parts(argv, count) };
        answer(&Ask { js, shared, args })
    }
}

/// Defines native functions, each by what it answers to an [`Ask`].
macro_rules! native {
    ($($(#[$doc:meta])* $name:ident($ask:ident) => $body:expr;)*) => {
        $($(#[$doc])*
        pub(super) unsafe extern "C" fn $name(
            ctx: *mut rquickjs::qjs::JSContext,
            _this: rquickjs::qjs::JSValue,
            argc: std::ffi::c_int,
            argv: *mut rquickjs::qjs::JSValue,
        ) -> rquickjs::qjs::JSValue {
            fn answer_it($ask: &$crate::sandbox::native::Ask<'_>) -> rquickjs::qjs::JSValue {
                $body
            }
            // SAFETY: registered by `natives` only, so called by the engine with a context of ours.
            unsafe { $crate::sandbox::native::ask(ctx, argc, argv, answer_it) }
        })*
    };
}
pub(super) use native;

native! {
    /// `done(value, name)`: the run ended with a value, which messages call `name`.
    done(ask) => {
        let shared = ask.shared;
        let Ok(root) = ask.text(1) else { return qjs::JS_EXCEPTION };
        let max = shared.max_payload();
        match to_json(ask.js, shared, ask.arg(0), &root, max) {
            Ok(None) => {
                shared.outcome.replace(Some(vec![DONE_UNDEFINED]));
            }
            Ok(Some(json)) => {
                let mut body = Vec::with_capacity(json.len() + 1);
                body.push(DONE_JSON);
                body.extend_from_slice(&json);
                shared.outcome.replace(Some(body));
            }
            Err(Refusal::Value(message)) => shared.fail(&Report::NotSerializable { message }),
            Err(Refusal::TooLarge) => {
                shared.fail(&Report::PayloadTooLarge { message: format!("{root} is larger than {max} bytes") });
            }
            Err(Refusal::Breach) => return stop(ask.js),
            Err(Refusal::Thrown) => {
                let error = ask.js.take_exception();
                let message = ask.js.get(error.raw(), c"message").and_then(|m| ask.js.text(m.raw())).unwrap_or_default();
                let message = format!("{root} could not be read: {}", cut(message, MAX_MESSAGE));
                shared.fail(&Report::NotSerializable { message });
            }
        }
        qjs::JS_UNDEFINED
    };

    /// `fail(bug, call, name, message, code, status, stack, fields)`: the run ended with something thrown.
    fail(ask) => {
        let shared = ask.shared;
        let mut report = ThrownReport {
            // SAFETY: reads the tag and the flag beside it.
            bug: unsafe { qjs::JS_IsBool(ask.arg(0)) && qjs::JS_VALUE_GET_BOOL(ask.arg(0)) },
            call: ask.integer(1),
            name: ask.text_if_string(2, 100).unwrap_or_else(|| "Error".into()),
            message: ask.text_if_string(3, MAX_MESSAGE).unwrap_or_default(),
            code: ask.text_if_string(4, 100),
            status: ask.integer(5).and_then(|s| u16::try_from(s).ok()),
            ..ThrownReport::default()
        };
        if let Some(raw) = ask.text_if_string(6, MAX_STACK_TEXT) {
            let (text, spot) = shared.author_stack(&raw);
            report.stack = (!text.is_empty()).then_some(text);
            if let Some(spot) = spot {
                report.file = spot.file;
                (report.line, report.column, report.frame) = (Some(spot.place.line), Some(spot.place.column), Some(spot.frame));
            }
        }
        if let Some(Ok(Value::Object(fields))) = ask.text_if_string(7, MAX_REPORT_FIELDS).map(|f| serde_json::from_str(&f)) {
            report.fields = fields;
        } else {
            report.fields = Map::new();
        }
        shared.fail(&Report::Thrown(report));
        qjs::JS_UNDEFINED
    };

    /// `callJson(id, method, json)`: sends a host call whose arguments `json` has made.
    call_json(ask) => {
        let (Some(id), Ok(method), Ok(args)) = (ask.integer(0), ask.text(1), ask.text(2)) else {
            return ask.type_error("A host call needs a method");
        };
        send(ask, id, &method, args.as_bytes())
    };

    /// `json(value, name, max)`: JSON text of a value, by the rules for values that cross.
    json(ask) => {
        let Ok(name) = ask.text(1) else { return qjs::JS_EXCEPTION };
        let max = ask.integer(2).map_or(ask.shared.max_payload(), |max| max as usize);
        match to_json(ask.js, ask.shared, ask.arg(0), &name, max) {
            Ok(None) => qjs::JS_UNDEFINED,
            Ok(Some(text)) => ask.js.string(&text).map_or(qjs::JS_EXCEPTION, Val::into_raw),
            Err(refusal) => ask.refused(refusal, max),
        }
    };

    /// `log(level, text)`: a console line.
    log(ask) => {
        if let (Some(level), Ok(text)) = (ask.integer(0), ask.text(1)) {
            ask.shared.log(u8::try_from(level).unwrap_or(u8::MAX), &text);
        }
        qjs::JS_UNDEFINED
    };

    /// `timer(id, ms)`: asks for `fire(id)` after that time.
    timer(ask) => {
        let (Some(id), Some(ms)) = (ask.integer(0), ask.number(1)) else { return ask.type_error("A timer needs a delay") };
        let mut timers = ask.shared.timers.borrow_mut();
        if timers.len() >= MAX_TIMERS {
            return ask.type_error("There are too many timers");
        }
        // A call never lives for a day, so a longer wait never fires either.
        let wait = Duration::from_micros((ms.clamp(0.0, 86_400_000.0) * 1_000.0) as u64);
        timers.push(Reverse((Instant::now() + wait, id)));
        qjs::JS_UNDEFINED
    };

    /// `clearTimer(id)`: `fire(id)` isn't wanted any more.
    clear_timer(ask) => {
        let Some(id) = ask.integer(0) else { return ask.type_error("A timer has a number") };
        ask.shared.timers.borrow_mut().retain(|Reverse((_, timer))| *timer != id);
        qjs::JS_UNDEFINED
    };

    /// `now()`: milliseconds since the call began.
    now(ask) => qjs::__JS_NewFloat64(ask.shared.started.get().elapsed().as_secs_f64() * 1_000.0);

    /// `random()`: from 0 to below 1.
    random(ask) => qjs::__JS_NewFloat64(ask.shared.random());

    /// `classOf(value)`: what the engine says an object is.
    class_of(ask) => {
        let value = ask.arg(0);
        // SAFETY: reads the tag, asks about a live object.
        let name = unsafe {
            if !qjs::JS_IsObject(value) {
                String::new()
            } else if qjs::JS_IsFunction(ask.js.raw(), value) && !qjs::JS_IsProxy(value) {
                "Function".into()
            } else {
                class_name(ask.js, value)
            }
        };
        ask.js.string(name.as_bytes()).map_or(qjs::JS_EXCEPTION, Val::into_raw)
    };

    /// `isName(text)`: whether a key can be shown without quotes.
    is_name(ask) => {
        let plain = ask.js.with_text(ask.arg(0), |bytes| {
            bytes.first().is_some_and(|b| !b.is_ascii_digit()) && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$'))
        });
        match plain {
            Ok(true) => qjs::JS_TRUE,
            Ok(false) => qjs::JS_FALSE,
            Err(Exception) => qjs::JS_EXCEPTION,
        }
    };

    /// `stack(text)`: a stack in the author's lines.
    stack(ask) => {
        let Ok(raw) = ask.text(0) else { return qjs::JS_EXCEPTION };
        let (text, _) = ask.shared.author_stack(&raw);
        ask.js.string(text.as_bytes()).map_or(qjs::JS_EXCEPTION, Val::into_raw)
    };

    /// `script(index)`: a part of the glue that is loaded when it is first needed.
    script(ask) => {
        let program = ask.shared.program.clone();
        match program.later(ask.integer(0).map_or(usize::MAX, |index| index as usize)) {
            Ok(code) => ask.js.load(code).map_or(qjs::JS_EXCEPTION, Val::into_raw),
            Err(message) => ask.type_error(&message),
        }
    };

    /// `isTypedArray(value)`: as the engine sees it.
    is_typed_array(ask) => {
        // SAFETY: asks about a live value.
        if unsafe { qjs::JS_GetTypedArrayType(ask.arg(0)) } >= 0 { qjs::JS_TRUE } else { qjs::JS_FALSE }
    };

    /// `web()`: the native half of the web platform, made when something of it is first used.
    web(ask) => super::web::natives(ask.js).map_or(qjs::JS_EXCEPTION, Val::into_raw);

    /// `service(index)`: the JS half of a service, evaluated when it is first used.
    service(ask) => {
        let program = ask.shared.program.clone();
        match ask.integer(0).and_then(|index| program.services.get(index as usize)) {
            Some((_, code)) => ask.js.load(code).map_or(qjs::JS_EXCEPTION, Val::into_raw),
            None => ask.type_error("There is no such service"),
        }
    };
}

/// Characters of the JSON of a thrown error's own fields; the glue cuts earlier.
const MAX_REPORT_FIELDS: usize = 16 * 1024;

fn send(ask: &Ask<'_>, id: u32, method: &str, args: &[u8]) -> JSValue {
    if method.len() > MAX_METHOD {
        return ask.type_error("The name of the method is too long");
    }
    if !ask.shared.send_call(id, method, args) {
        return ask.type_error("The calls that are still open hold too much data: await some of them first");
    }
    qjs::JS_UNDEFINED
}

/// Asked by the engine every 10,000 steps.
unsafe extern "C" fn interrupted(_rt: *mut JSRuntime, opaque: *mut c_void) -> c_int {
    // SAFETY: the pointer that `attach` gave, alive as long as the engine runs code.
    let shared = unsafe { &*opaque.cast::<Shared>().cast_const() };
    c_int::from(shared.breach().is_some())
}

/// Told by the engine about every rejection without a handler. Only where a breach cut the code is of interest: whatever code threw
/// and nobody awaits has no effect on the run.
unsafe extern "C" fn rejected(ctx: *mut JSContext, _promise: JSValue, reason: JSValue, handled: bool, opaque: *mut c_void) {
    // SAFETY: the pointer that `attach` gave, and a live context.
    let (shared, js) = unsafe { (&*opaque.cast::<Shared>().cast_const(), Js::from_raw(ctx)) };
    if let Some(js) = js
        && !handled
        && shared.breach.get().is_some()
    {
        note_cut(js, shared, reason);
    }
}

/// Remembers the stack of the error with which the engine cut the code, the first time.
pub(super) fn note_cut(js: Js, shared: &Shared, error: JSValue) {
    // SAFETY: asks about a live value.
    if shared.cut_at.borrow().is_some() || !unsafe { qjs::JS_IsError(error) } {
        return;
    }
    match js.get(error, c"stack").and_then(|s| js.text(s.raw())) {
        Ok(text) if !text.is_empty() => {
            shared.cut_at.replace(Some(text));
        }
        Ok(_) => {}
        Err(Exception) => drop(js.take_exception()),
    }
}

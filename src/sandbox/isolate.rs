//! One runtime with one context of one unit: made once, given one invocation at a time, driven in slices.
//!
//! Unless its unit is warm, its heap is sealed right after the unit was loaded into it and put back to that moment after each call:
//! that is what makes every call start pristine. What a call left is neither released nor looked at, so it makes no difference how the
//! call ended: by itself, thrown out in the middle of something, or at a limit.

use std::cmp::Reverse;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSContext, JSValue};

use super::compile::{Code, Loaded, Program, Wants, thrown_text};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::{Cut, Doing, LoadFailure, Report, ThrownReport};
use super::limits::{Breach, LOAD_TIMEOUT};
use super::modules::{Modules, answer_imports};
use super::native::natives;
use super::protocol::{DONE_FAILURE, DONE_JSON, InvokeBody, ReplyBody};
use super::shared::{Shared, note_cut};

/// How a list of registrations says that there are routes among them.
const ROUTES: &[u8] = b"\"kind\":\"routes\"";

/// An isolate. Its values are held by the heap: nothing is released one by one when either of them goes.
pub(super) struct Isolate {
    /// The promise of the run at hand, one hold on it ours.
    promise: Option<JSValue>,
    /// The function that a unit is the body of.
    body: Option<JSValue>,
    entry: Entry,
    /// Whether the heap can be put back.
    sealed: bool,
    idle_since: Instant,
    shared: Box<Shared>,
    engine: Engine,
}

/// The functions of the glue, held from the start to the end of the isolate.
struct Entry {
    run: JSValue,
    settle: JSValue,
    fire: JSValue,
    close: JSValue,
    feed: JSValue,
    load: JSValue,
    loaded: JSValue,
    waiting: JSValue,
}

/// What a unit said about itself while it was loaded.
pub(super) struct Registered {
    /// JSON text of the list of registrations.
    pub json: Vec<u8>,
    /// What it wrote to its console.
    pub lines: Vec<(u8, String)>,
}

/// Why there is no isolate.
#[derive(Debug)]
pub(super) enum NotMade {
    /// A mistake of ours, or the machine refused; for the log.
    Ours(String),
    /// The unit doesn't load.
    Unit(LoadFailure),
}

/// What an exchange, or a host call with streams, brings from the host.
pub(super) enum Feed<'a> {
    /// A piece of the request's body.
    Piece(&'a [u8]),
    /// The body came to its end.
    End,
    /// The body was cut off, and why.
    Error(&'a str),
    /// So many bytes more may be sent.
    Credit(u32),
    /// The client has gone.
    Gone,
}

/// What is left to do after a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is an outcome.
    Done,
    /// There is an outcome, and nothing of the isolate may run again before its heap was put back.
    Breached,
    /// The slice was too short.
    More,
    /// It waits for the host or for a timer.
    Waiting,
}

impl Isolate {
    /// An isolate with the glue and the unit in it, loaded by `until`.
    pub(super) fn new(program: &Rc<Program>, unit: &Rc<Loaded>, until: Instant) -> Result<(Self, Registered), NotMade> {
        let too_small = || NotMade::Unit(LoadFailure::general("The code could not be loaded within the memory limit of the extension"));
        let engine = Engine::new(unit.memory_limit, false).ok_or_else(too_small)?;
        let js = engine.js();
        let thrown = |Exception| NotMade::Ours(thrown_text(js));
        let shared = Shared::attach(&engine, program).map_err(thrown)?;
        shared.unit.replace(Some(unit.clone()));
        // Another seed each time: code that registers by chance should be found out.
        shared.begin_load(until, RandomState::new().hash_one(0_u8));
        let entry = Entry::make(js, program).map_err(thrown)?;
        #[cfg(feature = "test-hooks")]
        super::payload::plant(&engine).map_err(thrown)?;
        let mut isolate = Self { promise: None, body: None, entry, sealed: false, idle_since: Instant::now(), shared, engine };
        let json = match &unit.code {
            Code::Body(bytecode) => {
                answer_imports(&isolate.engine, &isolate.shared);
                isolate.body = Some(js.load(bytecode).map_err(thrown)?.into_raw());
                b"[]".to_vec()
            }
            Code::Modules(modules) => isolate.load(modules).map_err(NotMade::Unit)?,
        };
        let answers = json.windows(ROUTES.len()).any(|part| part == ROUTES);
        let wants = if answers { unit.wants.and(Wants::WEB) } else { unit.wants };
        js.call(isolate.entry.loaded, &[qjs::JS_MKVAL(qjs::JS_TAG_INT, wants.bits().cast_signed())]).map_err(thrown)?;
        if isolate.engine.heap().refused() {
            return Err(too_small());
        }
        // Collecting may queue what a finalization registry was told to do: it belongs to the load.
        isolate.engine.collect();
        while !matches!(isolate.drive(LOAD_TIMEOUT), Step::Waiting | Step::Breached) {
            isolate.take_outcome();
        }
        let lines = isolate.shared.end_load();
        // What waits to be run or fired would run in every call, but only the first would have asked for it.
        isolate.sealed = !unit.warm && !isolate.engine.has_jobs();
        if isolate.sealed && !isolate.engine.seal() {
            return Err(NotMade::Ours("the system refused an image of the heap".into()));
        }
        isolate.shared.reset();
        Ok((isolate, Registered { json, lines }))
    }

    /// Evaluates the modules and has `register` called, waiting for both. Answers the JSON text of what was registered.
    fn load(&self, modules: &Modules) -> Result<Vec<u8>, LoadFailure> {
        let begun = modules
            .evaluate(&self.engine, &self.shared)
            .and_then(|(promise, namespace)| self.js().call(self.entry.load, &[promise, namespace]).map(drop));
        if let Err(Exception) = begun {
            // What couldn't be joined: an import of something that isn't exported, for example.
            self.fail_to_start();
        }
        loop {
            match self.drive(LOAD_TIMEOUT) {
                Step::Done | Step::Breached => break,
                Step::More => {}
                Step::Waiting => {
                    let timer = self.shared.timers.borrow().peek().map(|Reverse((at, _))| *at);
                    let Some(at) = timer else {
                        return Err(LoadFailure::general(
                            "The code waits for something that never comes: while it is loaded there are no services and no requests",
                        ));
                    };
                    // Nothing else waits in a worker that loads: its first call comes after this.
                    let until = at.min(self.shared.deadline.get());
                    std::thread::sleep(until.saturating_duration_since(Instant::now()));
                }
            }
        }
        let outcome = self.take_outcome();
        let (Some(kind), body) = (outcome.first(), outcome.get(1..).unwrap_or_default()) else {
            return Err(LoadFailure::general("The code could not be loaded"));
        };
        if *kind == DONE_FAILURE {
            return Err(match serde_json::from_slice::<Report>(body) {
                Ok(report) => report.into_problem().into(),
                Err(_) => LoadFailure::general("The code could not be loaded"),
            });
        }
        // What is still on its way comes to its end now or never: no call may begin with it.
        self.shared.timers.borrow_mut().clear();
        while !matches!(self.drive(LOAD_TIMEOUT), Step::Waiting | Step::Breached) {
            self.take_outcome();
        }
        match self.shared.breach() {
            Some(breach) => Err(self.breach_report(breach, false).into_problem().into()),
            None => Ok(body.to_vec()),
        }
    }

    /// Puts the heap back to where it was before the first call, and forgets all of the call that ended or was given up. Whether that
    /// was possible: if not, the isolate must go.
    pub(super) fn restore(&mut self) -> bool {
        // Given up, not released: what it points to is about to be something else.
        self.promise = None;
        self.shared.reset();
        self.idle_since = Instant::now();
        // SAFETY: nothing runs in it. What is kept outside was made before the heap was sealed: the values of `entry` and `body`, and
        // what `shared` captured. No `Val` outlives the function that made it.
        self.sealed && unsafe { self.engine.heap().restore() }
    }

    /// Since when it has had no call.
    pub(super) fn idle_since(&self) -> Instant {
        self.idle_since
    }

    /// About how much memory it takes.
    pub(super) fn resident(&self) -> usize {
        self.engine.heap().resident()
    }

    /// How much of its heap is in use, in bytes.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.engine.heap().used()
    }

    fn js(&self) -> Js {
        self.engine.js()
    }

    /// Begins an invocation; [`Isolate::drive`] goes on with it.
    pub(super) fn start(&mut self, id: u64, body: &InvokeBody<'_>) {
        self.shared.begin(id, Duration::from_millis(body.timeout_ms.into()), body.seed);
        match self.try_start(body) {
            Ok(promise) => self.promise = Some(promise.into_raw()),
            Err(Exception) => self.fail_to_start(),
        }
    }

    fn try_start(&self, body: &InvokeBody<'_>) -> Result<Val, Exception> {
        let js = self.js();
        let args = js.array()?;
        for (index, text) in (0..).zip(&body.args) {
            js.set_index(&args, index, js.json(text)?)?;
        }
        let context = js.json(body.context)?;
        let int = |n: u32| qjs::JS_MKVAL(qjs::JS_TAG_INT, n.cast_signed());
        let function = self.body.unwrap_or(qjs::JS_UNDEFINED);
        js.call(self.entry.run, &[function, args.raw(), context.raw(), int(body.handler), int(body.exchange as u32)])
    }

    /// Hands in what an exchange or a host call with streams brings. The numbers are those of the glue.
    pub(super) fn feed(&self, stream: u32, feed: &Feed<'_>) {
        self.shared.going_on();
        let js = self.js();
        let int = |n: u32| qjs::JS_MKVAL(qjs::JS_TAG_INT, n.cast_signed());
        let nothing = || Ok(js.dup(qjs::JS_UNDEFINED));
        let (what, value) = match feed {
            Feed::Piece(bytes) => (0, js.bytes(bytes)),
            Feed::End => (1, nothing()),
            Feed::Error(why) => (2, js.string(why.as_bytes())),
            Feed::Credit(bytes) => (3, Ok(js.dup(int(*bytes)))),
            Feed::Gone => (4, nothing()),
        };
        if value.and_then(|value| js.call(self.entry.feed, &[int(what), value.raw(), int(stream)])).is_err() {
            self.report_exception();
        }
    }

    /// Hands in the answer to a host call.
    pub(super) fn reply(&self, reply: &ReplyBody<'_>) {
        self.shared.going_on();
        self.shared.set_left(Duration::from_millis(reply.left_ms.into()));
        self.shared.answered(reply.call);
        if self.try_reply(reply).is_err() {
            self.report_exception();
        }
    }

    fn try_reply(&self, reply: &ReplyBody<'_>) -> Result<(), Exception> {
        let js = self.js();
        let value = match reply.status {
            DONE_JSON | DONE_FAILURE => js.json(reply.json)?,
            _ => js.dup(qjs::JS_UNDEFINED),
        };
        let ok = if reply.status == DONE_FAILURE { qjs::JS_FALSE } else { qjs::JS_TRUE };
        let call = qjs::JS_MKVAL(qjs::JS_TAG_INT, reply.call.cast_signed());
        let held = if reply.held { qjs::JS_TRUE } else { qjs::JS_FALSE };
        js.call(self.entry.settle, &[call, ok, value.raw(), held]).map(drop)
    }

    /// Fires the timer that has been due for longest, if any is.
    fn fire_timer(&self) -> bool {
        let now = Instant::now();
        let due = {
            let mut timers = self.shared.timers.borrow_mut();
            match timers.peek() {
                Some(Reverse((at, _))) if *at <= now => timers.pop(),
                _ => None,
            }
        };
        let Some(Reverse((_, id))) = due else { return false };
        self.shared.going_on();
        let id = qjs::JS_MKVAL(qjs::JS_TAG_INT, id.cast_signed());
        if self.js().call(self.entry.fire, &[id]).is_err() {
            self.report_exception();
        }
        true
    }

    /// Runs what is pending, for at most `slice`.
    pub(super) fn drive(&self, slice: Duration) -> Step {
        let until = Instant::now() + slice;
        let mut has_worked = false;
        loop {
            if let Some(breach) = self.shared.breach() {
                self.shared.ended();
                self.shared.fail(&self.breach_report(breach, !has_worked && !self.engine.has_jobs()));
                return Step::Breached;
            }
            if self.shared.outcome.borrow().is_some() {
                self.shared.ended();
                return Step::Done;
            }
            has_worked = true;
            if !self.engine.has_jobs() {
                // One timer, then what it set in motion, then the next: as everywhere else.
                if !self.fire_timer() {
                    self.shared.yielded();
                    return Step::Waiting;
                }
                if Instant::now() >= until {
                    return Step::More;
                }
                continue;
            }
            if Instant::now() >= until {
                return Step::More;
            }
            let mut context: *mut JSContext = std::ptr::null_mut();
            // SAFETY: a live runtime; the context is only written.
            if unsafe { qjs::JS_ExecutePendingJob(self.engine.runtime(), &raw mut context) } < 0 {
                self.report_exception();
            }
        }
    }

    /// When there is something to do although nothing arrives.
    pub(super) fn next_wake(&self) -> Instant {
        let deadline = self.shared.deadline.get();
        self.shared.timers.borrow().peek().map_or(deadline, |Reverse((at, _))| deadline.min(*at))
    }

    /// Moves the frames that it wants to send.
    pub(super) fn take_frames(&self, out: &mut Vec<u8>) {
        out.append(&mut self.shared.out.borrow_mut());
    }

    /// The body of `Done`.
    pub(super) fn take_outcome(&self) -> Vec<u8> {
        self.shared.outcome.borrow_mut().take().unwrap_or_default()
    }

    /// Closes the context of the call that ended, so that a warm isolate can take the next one. Whether it can.
    pub(super) fn close(&mut self) -> bool {
        if let Some(promise) = self.promise.take() {
            // SAFETY: the hold that `start` took, released once.
            unsafe { qjs::JS_FreeValue(self.js().raw(), promise) };
        }
        self.idle_since = Instant::now();
        self.shared.reset();
        // Closing is ours and short: it may not fail for a deadline that has just passed.
        self.shared.deadline.set(Instant::now() + Duration::from_secs(1));
        self.js().call(self.entry.close, &[]).is_ok() && self.engine.heap().trim()
    }

    /// Something threw where no code of the extension listens: a breach, or a job that the glue doesn't guard.
    fn report_exception(&self) {
        let error = self.js().take_exception();
        if self.shared.breach().is_some() {
            note_cut(self.js(), &self.shared, error.raw());
            return;
        }
        let text = self.js().text(error.raw()).unwrap_or_default();
        self.shared.log(3, &format!("Uncaught: {text}"));
    }

    /// The glue itself threw: a limit was reached, or the code broke at load what every call needs.
    fn fail_to_start(&self) {
        let error = self.js().take_exception();
        if self.shared.breach().is_some() {
            note_cut(self.js(), &self.shared, error.raw());
            return;
        }
        let js = self.js();
        let member = |name| js.get(error.raw(), name).and_then(|value| js.text(value.raw())).unwrap_or_default();
        // SAFETY: asks about a live value.
        let is_error = unsafe { qjs::JS_IsError(error.raw()) };
        let (name, message) = if is_error {
            (member(c"name"), member(c"message"))
        } else {
            ("TypeError".to_owned(), js.text(error.raw()).unwrap_or_default())
        };
        let (stack, spot) = if is_error { self.shared.author_stack(&member(c"stack")) } else { Default::default() };
        let mut report = ThrownReport { bug: true, name, message, stack: Some(stack).filter(|s| !s.is_empty()), ..ThrownReport::default() };
        if let Some(spot) = spot {
            report.file = spot.file;
            (report.line, report.column, report.frame) = (Some(spot.place.line), Some(spot.place.column), Some(spot.frame));
        }
        self.shared.fail(&Report::Thrown(Box::new(report)));
    }

    /// What a breach cut. `is_idle` if no code ran: then it is of interest what it waited for.
    fn breach_report(&self, breach: Breach, is_idle: bool) -> Report {
        if let Some(promise) = self.promise {
            // SAFETY: a live promise, if anything; its result is held for the look at it.
            unsafe {
                if qjs::JS_PromiseState(self.js().raw(), promise) == qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED
                    && let Ok(reason) = self.js().own(qjs::JS_PromiseResult(self.js().raw(), promise))
                {
                    note_cut(self.js(), &self.shared, reason.raw());
                }
            }
        }
        let cut_at = self.shared.cut_at.borrow_mut().take();
        let cut = match (cut_at, breach) {
            (Some(raw), _) => Some(Cut::at(Doing::Running, self.shared.author_stack(&raw))),
            (None, Breach::Time) if is_idle => Some(self.waiting()),
            (None, _) => None,
        };
        let cut = cut.map(Box::new);
        match breach {
            Breach::Memory => Report::MemoryLimit { cut },
            Breach::Time => Report::Timeout { cut },
        }
    }

    /// What the call waits for: the glue knows the host calls that are open, and the lines that made them.
    fn waiting(&self) -> Cut {
        let js = self.js();
        let text = js.call(self.entry.waiting, &[]).and_then(|text| js.text(text.raw())).unwrap_or_else(|Exception| {
            drop(js.take_exception());
            String::new()
        });
        match text.split_once('\n') {
            Some((method, stack)) => Cut::at(Doing::Calling(method.to_owned()), self.shared.author_stack(stack)),
            None => Cut::at(Doing::Waiting, Default::default()),
        }
    }
}

impl Entry {
    fn make(js: Js, program: &Program) -> Result<Self, Exception> {
        let prelude = js.load(&program.prelude)?;
        let names = js.array()?;
        for (index, (name, _)) in (0..).zip(&program.services) {
            js.set_index(&names, index, js.string(name.as_bytes())?)?;
        }
        let native = natives(js)?;
        let entry = js.call(prelude.raw(), &[native.raw(), names.raw()])?;
        Ok(Self {
            run: js.get(entry.raw(), c"run")?.into_raw(),
            settle: js.get(entry.raw(), c"settle")?.into_raw(),
            fire: js.get(entry.raw(), c"fire")?.into_raw(),
            close: js.get(entry.raw(), c"close")?.into_raw(),
            feed: js.get(entry.raw(), c"feed")?.into_raw(),
            load: js.get(entry.raw(), c"load")?.into_raw(),
            loaded: js.get(entry.raw(), c"loaded")?.into_raw(),
            waiting: js.get(entry.raw(), c"waiting")?.into_raw(),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::compile::{Compiled, LoadBody, LoadSource, compile};
    use super::super::protocol::ExchangeKind;
    use super::*;

    pub fn unit(code: &str, params: &[&str], memory_limit: usize) -> Loaded {
        let params = params.iter().map(|name| (*name).to_owned()).collect();
        let source = LoadSource::Body { code: code.to_owned(), params, answers: false };
        match compile(LoadBody {
            name: "test".into(),
            source,
            memory_limit,
            max_payload: 1 << 20,
            warm: false,
            parts: std::collections::BTreeMap::new(),
        })
        .expect("it compiles")
        {
            Compiled::Whole(unit) => unit,
            Compiled::Lacks(..) => panic!("a body lacks nothing"),
        }
    }

    pub fn made(unit: Loaded) -> Result<Isolate, NotMade> {
        let program = Program::compile(&[], "() => ({})").expect("our own compiles");
        Isolate::new(&program, &Rc::new(unit), Instant::now() + LOAD_TIMEOUT).map(|(isolate, _)| isolate)
    }

    fn isolate(code: &str) -> Isolate {
        made(unit(code, &["payload", "context", "services"], 64 << 20)).expect("there is room")
    }

    fn call(isolate: &mut Isolate, payload: &str, timeout_ms: u32) -> String {
        isolate.start(
            1,
            &InvokeBody { timeout_ms, seed: 7, handler: 0, exchange: ExchangeKind::None, args: vec![payload.as_bytes()], context: b"{}" },
        );
        while isolate.drive(Duration::from_secs(10)) == Step::Waiting {}
        String::from_utf8_lossy(&isolate.take_outcome()[1..]).into_owned()
    }

    #[test]
    fn nothing_of_a_call_is_left_in_what_is_put_back() {
        let code = "const n = globalThis.n; globalThis.n = 1; if (payload.loop) while (true) {} if (payload.wait) await new Promise(() => {}); \
            if (payload.eat) { try { for (const a = []; ; ) a.push(new Uint8Array(1e6)) } catch {} } return [n ?? null, Math.random()]";
        let mut isolate = isolate(code);
        let size = isolate.resident();
        let first = call(&mut isolate, "{}", 1_000);
        assert!(first.starts_with("[null,0."), "{first}");
        for round in 0..3 {
            for (payload, what) in
                [("{}", "[null,0."), (r#"{"loop":1}"#, "timeout"), (r#"{"wait":1}"#, "timeout"), (r#"{"eat":1}"#, "memory_limit")]
            {
                assert!(isolate.restore());
                let outcome = call(&mut isolate, payload, 20);
                assert!(outcome.contains(what), "round {round}, {payload}: {outcome}");
                assert!(isolate.restore());
                assert_eq!(call(&mut isolate, "{}", 1_000), first, "the same seed gives the same again");
            }
            assert!(isolate.restore());
            assert!(isolate.resident() <= size + (2 << 20), "{} after {size}", isolate.resident());
        }
    }

    #[test]
    fn what_a_unit_needs_to_load_counts_against_its_limit() {
        let code = format!("return [{}]", (0..20_000).map(|i| format!("'some text {i}'")).collect::<Vec<_>>().join(","));
        let mut unit = unit(&code, &["payload"], 16 << 20);
        unit.memory_limit = 1 << 20;
        assert!(made(unit).is_err());
    }

    /// Not a check: prints what a call and putting the heap back cost without a process between. `cargo test --release --lib -- --ignored
    /// --nocapture what_putting_back_costs`
    #[test]
    #[ignore = "a measurement"]
    fn what_putting_back_costs() {
        let work = "return { ...payload, total: payload.lines.reduce((s, l) => s + l.quantity * l.price, 0) }";
        let table = |n: u32| {
            let functions: Vec<String> = (0..n).map(|i| format!("f{i}(x) {{ return x.p{} + {i}.5 + 'text {i}' }}", i % 300)).collect();
            format!("const table = () => ({{ {} }});\n{work}", functions.join(",\n"))
        };
        let line = r#"{"product":1,"quantity":2,"price":12.5,"note":"n"}"#;
        let payload = format!(r#"{{"title":"A title","lines":[{}]}}"#, [line; 16].join(","));
        for (name, code) in [("small", work.to_owned()), ("1 MB", table(2_400)), ("5 MB", table(12_000)), ("20 MB", table(48_000))] {
            let begun = Instant::now();
            let mut isolate = isolate(&code);
            let made = begun.elapsed();
            let (used, resident) = (isolate.engine.heap().used() / 1024, isolate.resident() / 1024);
            let (mut calls, mut restores, mut both) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..2_000 {
                let started = Instant::now();
                call(&mut isolate, &payload, 1_000);
                let called = Instant::now();
                assert!(isolate.restore());
                calls.push(called - started);
                restores.push(called.elapsed());
                both.push(started.elapsed());
            }
            [&mut calls, &mut restores, &mut both].iter_mut().for_each(|t| t.sort());
            println!(
                "{name}: heap {used} KiB, resident with image {resident} KiB, compiled and made in {made:?}; p50 of a call {:?}, of putting back {:?}, of both {:?}",
                calls[1_000], restores[1_000], both[1_000]
            );
        }
    }
}

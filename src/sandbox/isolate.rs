//! One runtime with one context of one unit: made once, given one invocation at a time, driven in slices.
//!
//! Unless its unit is warm, its heap is sealed right after the unit was loaded into it and put back to that moment after each call:
//! that is what makes every call start pristine. What a call left is neither released nor looked at, so it makes no difference how the
//! call ended: by itself, thrown out in the middle of something, or at a limit.

use std::cmp::Reverse;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSContext, JSValue};

use super::compile::{Loaded, Program, thrown_text};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::Report;
use super::limits::{Breach, LOAD_TIMEOUT, MAX_STACK_TEXT};
use super::native::{Shared, natives, note_cut};
use super::protocol::{DONE_FAILURE, DONE_JSON, InvokeBody, ReplyBody};
use super::trace;

/// An isolate. Its values are held by the heap: nothing is released one by one when either of them goes.
pub(super) struct Isolate {
    /// The promise of the run at hand, one hold on it ours.
    promise: Option<JSValue>,
    body: JSValue,
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
    /// An isolate with the glue and the unit in it. An error is a mistake of ours, or the memory limit is too small for the unit.
    pub(super) fn new(program: &Rc<Program>, unit: &Rc<Loaded>) -> Result<Self, String> {
        let engine = Engine::new(unit.memory_limit, false).ok_or("the memory limit is too small")?;
        let js = engine.js();
        let thrown = |Exception| thrown_text(js);
        let shared = Shared::attach(&engine, program).map_err(thrown)?;
        shared.unit.replace(Some(unit.clone()));
        shared.begin(0, LOAD_TIMEOUT, 0);
        let entry = Entry::make(js, program).map_err(thrown)?;
        let body = js.load(&unit.bytecode).map_err(thrown)?.into_raw();
        if engine.heap().refused() {
            return Err("the memory limit is too small for the unit".into());
        }
        // What waits to be run or fired would run in every call, but only the first would have asked for it.
        let settled = !engine.has_jobs() && shared.timers.borrow().is_empty();
        let sealed = !unit.warm && settled;
        if sealed && !engine.seal() {
            return Err("the system refused an image of the heap".into());
        }
        Ok(Self { promise: None, body, entry, sealed, idle_since: Instant::now(), shared, engine })
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

    fn js(&self) -> Js {
        self.engine.js()
    }

    /// Begins an invocation; [`Isolate::drive`] goes on with it.
    pub(super) fn start(&mut self, id: u64, body: &InvokeBody<'_>) {
        self.shared.begin(id, Duration::from_millis(body.timeout_ms.into()), body.seed);
        match self.try_start(body) {
            Ok(promise) => self.promise = Some(promise.into_raw()),
            Err(Exception) => self.report_exception(),
        }
    }

    fn try_start(&self, body: &InvokeBody<'_>) -> Result<Val, Exception> {
        let js = self.js();
        let args = js.array()?;
        for (index, text) in (0..).zip(&body.args) {
            js.set_index(&args, index, js.json(text)?)?;
        }
        let context = js.json(body.context)?;
        js.call(self.entry.run, &[self.body, args.raw(), context.raw()])
    }

    /// Hands in the answer to a host call.
    pub(super) fn reply(&self, reply: &ReplyBody<'_>) {
        let deadline = Instant::now() + Duration::from_millis(reply.left_ms.into());
        self.shared.deadline.set(deadline);
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

    /// Fires the timers that are due.
    pub(super) fn fire_timers(&self, now: Instant) {
        loop {
            let due = {
                let mut timers = self.shared.timers.borrow_mut();
                match timers.peek() {
                    Some(Reverse((at, _))) if *at <= now => timers.pop(),
                    _ => None,
                }
            };
            let Some(Reverse((_, id))) = due else { return };
            let id = qjs::JS_MKVAL(qjs::JS_TAG_INT, id.cast_signed());
            if self.js().call(self.entry.fire, &[id]).is_err() {
                self.report_exception();
            }
            if self.shared.breach().is_some() || self.shared.outcome.borrow().is_some() {
                return;
            }
        }
    }

    /// Runs what is pending, for at most `slice`.
    pub(super) fn drive(&self, slice: Duration) -> Step {
        let until = Instant::now() + slice;
        loop {
            if let Some(breach) = self.shared.breach() {
                self.shared.fail(&self.breach_report(breach));
                return Step::Breached;
            }
            if self.shared.outcome.borrow().is_some() {
                return Step::Done;
            }
            if !self.engine.has_jobs() {
                return Step::Waiting;
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

    fn breach_report(&self, breach: Breach) -> Report {
        if breach == Breach::Memory {
            return Report::OutOfMemory;
        }
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
        let unit = self.shared.unit.borrow().clone();
        let cut_at = self.shared.cut_at.borrow_mut().take();
        let stack = cut_at.zip(unit).map(|(raw, unit)| {
            let (mut text, _) = trace::author_stack(&raw, &unit.file, &unit.code);
            text.truncate(text.floor_char_boundary(MAX_STACK_TEXT));
            text
        });
        Report::Timeout { stack: stack.filter(|s| !s.is_empty()) }
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
        })
    }
}

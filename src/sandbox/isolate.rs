//! One runtime with one context of one unit: made ahead, given one invocation at a time, driven in slices.
//!
//! Unless its unit is warm, an isolate serves one call and is dropped: that is what makes every call start pristine. After a breach it
//! is never run again, and not even taken down: what the engine left half done is abandoned with the worker.

use std::cmp::Reverse;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSContext};

use super::compile::{Loaded, Program, thrown_text};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::Report;
use super::limits::{Breach, MAX_STACK_TEXT};
use super::native::{Shared, natives, note_cut};
use super::protocol::{DONE_FAILURE, DONE_JSON, InvokeBody, ReplyBody};
use super::trace;

/// An isolate. Fields are dropped in order: values, what the natives share, the engine.
pub(super) struct Isolate {
    /// The promise of the run at hand.
    promise: Option<Val>,
    body: Option<Val>,
    entry: Entry,
    shared: Box<Shared>,
    engine: Engine,
}

/// The functions of the glue, held from the start to the end of the isolate.
struct Entry {
    run: Val,
    settle: Val,
    fire: Val,
    close: Val,
}

/// What is left to do after a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is an outcome.
    Done,
    /// There is an outcome, and the isolate must not be used or taken down again.
    Breached,
    /// The slice was too short.
    More,
    /// It waits for the host or for a timer.
    Waiting,
}

impl Isolate {
    /// An isolate with the glue in it; the unit comes with [`Isolate::bind`]. An error is a mistake of ours.
    pub(super) fn new(program: &Rc<Program>, memory_limit: usize) -> Result<Self, String> {
        let engine = Engine::new(memory_limit, false).ok_or("the memory limit is too small")?;
        let js = engine.js();
        let shared = Shared::attach(&engine, program).map_err(|Exception| thrown_text(js))?;
        let entry = Entry::make(js, program).map_err(|Exception| thrown_text(js))?;
        Ok(Self { promise: None, body: None, entry, shared, engine })
    }

    /// Gives it the unit that it is for.
    pub(super) fn bind(&mut self, unit: &Rc<Loaded>) -> Result<(), String> {
        self.engine.heap().set_limit(unit.memory_limit);
        self.shared.unit.replace(Some(unit.clone()));
        // Its own compilation may not count against a deadline that was set long ago.
        self.shared.begin(0, Duration::from_secs(5), 0);
        self.body = Some(self.js().load(&unit.bytecode).map_err(|Exception| thrown_text(self.js()))?);
        Ok(())
    }

    fn js(&self) -> Js {
        self.engine.js()
    }

    /// Begins an invocation; [`Isolate::drive`] goes on with it.
    pub(super) fn start(&mut self, id: u64, body: &InvokeBody<'_>) {
        self.shared.begin(id, Duration::from_millis(body.timeout_ms.into()), body.seed);
        match self.try_start(body) {
            Ok(promise) => self.promise = Some(promise),
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
        let Some(code) = &self.body else { return Err(Exception) };
        js.call(&self.entry.run, &[code.raw(), args.raw(), context.raw()])
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
        js.call(&self.entry.settle, &[call, ok, value.raw(), held]).map(drop)
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
            if self.js().call(&self.entry.fire, &[id]).is_err() {
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
            // SAFETY: a live runtime.
            if !unsafe { qjs::JS_IsJobPending(self.engine.runtime()) } {
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
        self.promise = None;
        self.shared.id.set(0);
        self.shared.timers.borrow_mut().clear();
        // Closing is ours and short: it may not fail for a deadline that has just passed.
        self.shared.deadline.set(Instant::now() + Duration::from_secs(1));
        self.js().call(&self.entry.close, &[]).is_ok()
    }

    /// Leaves it as it is, without taking its heap down.
    pub(super) fn abandon(self) {
        let _ = ManuallyDrop::new(self);
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
        if let Some(promise) = &self.promise {
            // SAFETY: a live promise, if anything; its result is held for the look at it.
            unsafe {
                if qjs::JS_PromiseState(self.js().raw(), promise.raw()) == qjs::JSPromiseStateEnum_JS_PROMISE_REJECTED
                    && let Ok(reason) = self.js().own(qjs::JS_PromiseResult(self.js().raw(), promise.raw()))
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
        let entry = js.call(&prelude, &[native.raw(), names.raw()])?;
        Ok(Self {
            run: js.get(entry.raw(), c"run")?,
            settle: js.get(entry.raw(), c"settle")?,
            fire: js.get(entry.raw(), c"fire")?,
            close: js.get(entry.raw(), c"close")?,
        })
    }
}

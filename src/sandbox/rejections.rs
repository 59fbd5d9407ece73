//! Promises that were rejected while nothing listened: remembered as text until their call ends, and told as warnings then.
//!
//! The engine reports them from the middle of its work, so looking at one must run no code of the extension: only data properties are
//! read, and of objects that aren't errors nothing but their class. No value is held: what is kept is text and the promise's address,
//! which says whether a later handler belongs to it.

use std::ffi::CStr;

use rquickjs::qjs::{self, JSContext, JSValue};

use super::convert::class_name;
use super::engine::{Exception, Js, Val, well_formed};
use super::limits::MAX_MESSAGE;
use super::shared::Shared;

/// Rejections of one call that are told; of further ones only the number.
const MAX_TOLD: usize = 20;

/// Stack text of one, in bytes.
const MAX_STACK: usize = 2_000;

/// Steps from an error to the prototype that has its name.
const MAX_STEPS: usize = 20;

/// The rejections of one call that nothing has handled so far.
#[derive(Debug, Default)]
pub(super) struct Rejections {
    open: Vec<Rejection>,
    beyond: usize,
}

#[derive(Debug)]
struct Rejection {
    /// Where the promise is, or was: it may be gone, since nothing holds it.
    promise: usize,
    reason: Reason,
}

/// What a promise was rejected with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reason {
    /// Name and message.
    pub text: String,
    /// In the engine's words; empty if there is none.
    pub stack: String,
}

impl Rejections {
    /// A promise was rejected and nothing listens to it.
    fn add(&mut self, promise: usize, reason: Option<Reason>) {
        match reason {
            Some(reason) => self.open.push(Rejection { promise, reason }),
            None => self.beyond += 1,
        }
    }

    fn has_room(&self) -> bool {
        self.open.len() < MAX_TOLD
    }

    /// Something listens to it now. Of those that had this address the last is meant: the others are gone.
    fn remove(&mut self, promise: usize) {
        match self.open.iter().rposition(|one| one.promise == promise) {
            Some(at) => drop(self.open.remove(at)),
            None => self.beyond = self.beyond.saturating_sub(1),
        }
    }

    /// Those that are left, and how many more there were.
    pub(super) fn take(&mut self) -> (Vec<Reason>, usize) {
        (self.open.drain(..).map(|one| one.reason).collect(), std::mem::take(&mut self.beyond))
    }

    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.beyond = 0;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.beyond == 0
    }
}

/// Told by the engine about every rejection without a handler, and when one got its handler after all.
///
/// # Safety
/// Called by the engine with a live context and the `Shared` state of its isolate.
pub(super) unsafe extern "C" fn rejected(
    ctx: *mut JSContext,
    promise: JSValue,
    reason: JSValue,
    handled: bool,
    opaque: *mut std::ffi::c_void,
) {
    // SAFETY: the pointer that `Shared::attach` gave, and a live context.
    let (shared, js) = unsafe { (&*opaque.cast::<Shared>().cast_const(), Js::from_raw(ctx)) };
    let Some(js) = js else { return };
    if shared.breach().is_some() {
        // What a breach cut is no rejection of the author's; where it was cut is of interest.
        if !handled {
            super::shared::note_cut(js, shared, reason);
        }
        return;
    }
    // SAFETY: a promise is an object, whose value is a pointer.
    let address = unsafe { qjs::JS_VALUE_GET_PTR(promise) } as usize;
    if handled {
        shared.rejections.borrow_mut().remove(address);
        return;
    }
    let has_room = shared.rejections.borrow().has_room();
    let reason = has_room.then(|| describe(js, shared, reason));
    shared.rejections.borrow_mut().add(address, reason);
}

/// What a value says about itself without running any code.
fn describe(js: Js, shared: &Shared, value: JSValue) -> Reason {
    // SAFETY: asks about a live value.
    if unsafe { qjs::JS_IsError(value) } {
        let name = inherited(js, value, c"name", 100).unwrap_or_else(|| "Error".to_owned());
        let message = inherited(js, value, c"message", MAX_MESSAGE).unwrap_or_default();
        let stack = stack_of(js, shared, value, MAX_STACK).unwrap_or_default();
        return Reason { text: if message.is_empty() { name } else { format!("{name}: {message}") }, stack };
    }
    // SAFETY: reads the tag.
    let shown = match unsafe { qjs::JS_VALUE_GET_TAG(value) } {
        qjs::JS_TAG_OBJECT => format!("an object ({})", class_name(js, value)),
        qjs::JS_TAG_INT | qjs::JS_TAG_FLOAT64 | qjs::JS_TAG_BOOL | qjs::JS_TAG_NULL | qjs::JS_TAG_UNDEFINED => text_of(js, value, 100),
        qjs::JS_TAG_SYMBOL => "a symbol".to_owned(),
        _ => text(js, value, MAX_MESSAGE).unwrap_or_else(|| "a bigint".to_owned()),
    };
    Reason { text: format!("{shown} (not an Error, so it has no stack)"), stack: String::new() }
}

/// The text of a data property that an object has or inherits.
fn inherited(js: Js, object: JSValue, name: &CStr, max: usize) -> Option<String> {
    let mut at = js.dup(object);
    for _ in 0..MAX_STEPS {
        // SAFETY: asks about a live value. A proxy has traps, which are code.
        if unsafe { !qjs::JS_IsObject(at.raw()) || qjs::JS_IsProxy(at.raw()) } {
            return None;
        }
        if let Some(value) = own(js, at.raw(), name) {
            return text(js, value.raw(), max);
        }
        // SAFETY: a live object that isn't a proxy: its prototype is handed out with a hold of its own.
        at = js.own(unsafe { qjs::JS_GetPrototype(js.raw(), at.raw()) }).ok()?;
    }
    None
}

/// The stack of an error in the engine's words, by a property of its own or as the engine keeps it: its first `max` bytes. Runs no code of
/// the extension.
pub(super) fn stack_of(js: Js, shared: &Shared, error: JSValue, max: usize) -> Option<String> {
    let kept = || {
        // SAFETY: a live error as `this` of the engine's own accessor.
        let kept = js.own(unsafe { qjs::JS_Call(js.raw(), shared.stack_getter, error, 0, std::ptr::null_mut()) });
        kept.map_err(|Exception| drop(js.take_exception())).ok()
    };
    let value = own(js, error, c"stack").or_else(kept)?;
    text(js, value.raw(), max)
}

/// The engine's accessor `Error.prototype.stack`, taken before any code of an extension could replace it.
pub(super) fn stack_getter(js: Js) -> Result<Val, Exception> {
    // SAFETY: a live context.
    let global = js.own(unsafe { qjs::JS_GetGlobalObject(js.raw()) })?;
    let error = js.get(global.raw(), c"Error")?;
    let prototype = js.get(error.raw(), c"prototype")?;
    let [_, getter, _] = property(js, prototype.raw(), c"stack").ok_or(Exception)?;
    Ok(getter)
}

/// The value of a data property of an object that isn't a proxy; undefined of another property.
fn own(js: Js, object: JSValue, name: &CStr) -> Option<Val> {
    property(js, object, name).map(|[value, ..]| value)
}

/// Value, getter and setter of a property that an object, not a proxy, has itself.
fn property(js: Js, object: JSValue, name: &CStr) -> Option<[Val; 3]> {
    let mut found = qjs::JSPropertyDescriptor { flags: 0, value: qjs::JS_UNDEFINED, getter: qjs::JS_UNDEFINED, setter: qjs::JS_UNDEFINED };
    // SAFETY: a live object; the engine hands out holds on what it found, which the values take over.
    let there = unsafe {
        let atom = qjs::JS_NewAtom(js.raw(), name.as_ptr());
        let there = qjs::JS_GetOwnProperty(js.raw(), &raw mut found, object, atom);
        qjs::JS_FreeAtom(js.raw(), atom);
        there
    };
    match there {
        1.. => Some([js.own(found.value).ok()?, js.own(found.getter).ok()?, js.own(found.setter).ok()?]),
        0 => None,
        _ => {
            drop(js.take_exception());
            None
        }
    }
}

/// The first `max` bytes of a string; nothing of anything else.
fn text(js: Js, value: JSValue, max: usize) -> Option<String> {
    // SAFETY: reads the tag.
    unsafe { qjs::JS_IsString(value) }.then(|| text_of(js, value, max))
}

/// The first `max` bytes of what a primitive value is as a text. No more than that is copied: it may be as long as the heap is large.
fn text_of(js: Js, value: JSValue, max: usize) -> String {
    let bytes = js.with_text(value, |bytes| bytes[..bytes.len().min(max)].to_vec()).unwrap_or_else(|Exception| {
        drop(js.take_exception());
        Vec::new()
    });
    well_formed(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::isolate::tests::{made, unit};
    use super::super::isolate::{Isolate, Step};
    use super::super::protocol::{ExchangeKind, InvokeBody};

    /// What a call of `code` writes to its log, and its outcome.
    fn told(isolate: &mut Isolate) -> (String, String) {
        let args = vec![&b"{}"[..]];
        isolate.start(1, &InvokeBody { timeout_ms: 1_000, seed: 7, handler: 0, exchange: ExchangeKind::None, args, context: b"{}" });
        while isolate.drive(Duration::from_secs(10)) == Step::Waiting {}
        let mut frames = Vec::new();
        isolate.take_frames(&mut frames);
        let outcome = isolate.take_outcome();
        assert!(isolate.restore());
        (String::from_utf8_lossy(&frames).into_owned(), String::from_utf8_lossy(&outcome).into_owned())
    }

    fn isolate(code: &str) -> Isolate {
        made(unit(code, &["payload", "context", "services"], 32 << 20)).expect("it loads")
    }

    #[test]
    fn what_nobody_handled_is_told_with_its_line_when_the_call_ends() {
        let mut isolate = isolate("const a = 1;\nPromise.reject(new TypeError('nobody waits'));\nPromise.reject('a text');\nreturn a;");
        for _ in 0..2 {
            let (log, outcome) = told(&mut isolate);
            assert!(log.contains("TypeError: nobody waits") && log.contains("line 2, column"), "{log}");
            assert!(log.contains("a text (not an Error"), "{log}");
            assert_eq!(outcome.get(1..), Some("1"));
        }
    }

    #[test]
    fn what_is_handled_before_the_end_is_not_told() {
        let code = "const late = Promise.reject(new Error('late'));\nconst soon = (async () => { throw new Error('soon') })();\n\
            try { await soon } catch {}\nawait null; await null;\nlate.catch(() => {});\n\
            for (let i = 0; i < 100; i++) { try { await (async () => { throw new Error('in a loop') })() } catch {} }\nreturn 1;";
        let (log, outcome) = told(&mut isolate(code));
        assert_eq!((log.as_str(), outcome.get(1..)), ("", Some("1")));
    }

    #[test]
    fn looking_at_a_reason_runs_no_code() {
        let code = "let ran = 0;\nconst traps = new Proxy({}, { get() { ran++ }, getOwnPropertyDescriptor() { ran++ }, getPrototypeOf() { ran++; return null } });\n\
            const error = new Error('x');\nfor (const name of ['name', 'message', 'stack']) Object.defineProperty(error, name, { get() { ran++; return 'no' } });\n\
            const child = Object.setPrototypeOf(new Error('child'), traps);\n\
            Promise.reject(traps); Promise.reject(error); Promise.reject(child); Promise.reject({ toString() { ran++; return 'no' } }); Promise.reject(Symbol('s'));\n\
            return ran;";
        let (log, outcome) = told(&mut isolate(code));
        assert_eq!(outcome.get(1..), Some("0"), "{log}");
        assert!(log.contains("an object (Proxy)") && log.contains("Error: child") && log.contains("a symbol"), "{log}");
    }

    #[test]
    fn a_storm_of_them_is_told_in_few_lines() {
        let (log, _) = told(&mut isolate("for (let i = 0; i < 10000; i++) Promise.reject(new Error(`number ${i}`)); return 1;"));
        assert!(log.contains("number 0") && log.contains("number 19") && !log.contains("number 20"), "{log}");
        assert!(log.contains("9980 more"), "{log}");
    }
}

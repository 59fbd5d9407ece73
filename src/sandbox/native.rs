//! What the glue of an isolate can ask of Rust: plain C functions without data of their own.
//!
//! Each finds the [`Shared`] state of its isolate through the context. None of them holds a JS value past its own return, except what
//! is captured once when the isolate is made: a heap that is put back must not be pointed into. For the same reason no object is ever
//! made that Rust owns a part of: its finalizer would run, and the object would be there again.

use std::cmp::Reverse;
use std::ffi::{CStr, c_int};
use std::time::{Duration, Instant};

use rquickjs::qjs::{self, JSContext, JSValue};
use serde_json::{Map, Value};

use super::convert::{Refusal, class_name, to_json};
use super::engine::{Exception, Js, Native, Val};
use super::failure::{Cause, MAX_CAUSE_STACK, MAX_FIELDS, Report, ThrownReport, cut};
use super::flow;
use super::limits::{MAX_MESSAGE, MAX_METHOD, MAX_STACK_TEXT, MAX_TIMERS};
use super::protocol::{DONE_JSON, DONE_UNDEFINED, Kind};
use super::shared::Shared;

/// The object `native` of the glue.
pub(super) fn natives(js: Js) -> Result<Val, Exception> {
    const ALL: &[(&CStr, c_int, Native)] = &[
        (c"done", 1, done),
        (c"fail", 8, fail),
        (c"cause", 4, cause),
        (c"forgotten", 3, forgotten),
        (c"callJson", 3, call_json),
        (c"callStream", 3, call_stream),
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
        (c"part", 1, part),
        (c"isTypedArray", 1, is_typed_array),
        (c"answer", 2, flow::answer),
        (c"head", 1, flow::head),
        (c"piece", 4, flow::piece),
        (c"pieceEnd", 2, flow::piece_end),
        (c"cancel", 1, flow::cancel),
        (c"taken", 2, flow::taken),
        (c"isBytes", 1, flow::is_bytes),
        (c"toBytes", 1, flow::to_bytes),
        (c"isPromise", 1, flow::is_promise),
        (c"maxPayload", 0, flow::max_payload),
        (c"left", 0, flow::left),
        (c"place", 1, flow::place),
        (c"sdk", 0, flow::sdk),
        (c"web", 0, web),
        (c"crypto", 0, crypto),
    ];
    js.functions(ALL)
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

    /// Whether an argument is a string.
    pub(super) fn is_text(&self, index: usize) -> bool {
        // SAFETY: reads the tag.
        unsafe { qjs::JS_IsString(self.arg(index)) }
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
pub(super) fn stop(js: Js) -> JSValue {
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
                let member = |name| ask.js.get(error.raw(), name).and_then(|value| ask.js.text(value.raw()));
                let message = member(c"message").unwrap_or_default();
                let spot = member(c"stack").ok().and_then(|stack| shared.author_stack(&stack).1);
                let place = spot.map(|spot| format!(" ({})", spot.told())).unwrap_or_default();
                let message = format!("{root} could not be read{place}: {}", cut(message, MAX_MESSAGE / 2));
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
            causes: shared.take_causes(),
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
        if let Some(Ok(Value::Object(fields))) = ask.text_if_string(7, MAX_FIELDS).map(|f| serde_json::from_str(&f)) {
            report.fields = fields;
        } else {
            report.fields = Map::new();
        }
        shared.fail(&Report::Thrown(Box::new(report)));
        qjs::JS_UNDEFINED
    };

    /// `cause(name, message, code, stack)`: one more of what led to the error that `fail` tells next.
    cause(ask) => {
        let stack = ask.text_if_string(3, MAX_STACK_TEXT).map(|raw| cut(ask.shared.author_stack(&raw).0, MAX_CAUSE_STACK));
        ask.shared.add_cause(Cause {
            name: ask.text_if_string(0, 100).unwrap_or_default(),
            message: ask.text_if_string(1, MAX_MESSAGE).unwrap_or_default(),
            code: ask.text_if_string(2, 100),
            stack: stack.filter(|stack| !stack.is_empty()),
        });
        qjs::JS_UNDEFINED
    };

    /// `forgotten(method, stack, failed)`: this host call was still open when its invocation ended, or failed.
    forgotten(ask) => {
        let method = ask.text_if_string(0, MAX_METHOD).unwrap_or_default();
        let stack = ask.text_if_string(1, MAX_STACK_TEXT).unwrap_or_default();
        // SAFETY: reads the tag and the flag beside it.
        let failed = unsafe { qjs::JS_IsBool(ask.arg(2)) && qjs::JS_VALUE_GET_BOOL(ask.arg(2)) };
        ask.shared.tell_forgotten(&method, &stack, failed);
        qjs::JS_UNDEFINED
    };

    /// `callJson(id, method, json)`: sends a host call whose arguments `json` has made.
    call_json(ask) => {
        let (Some(id), Ok(method), Ok(args)) = (ask.integer(0), ask.text(1), ask.text(2)) else {
            return ask.type_error("A host call needs a method");
        };
        send(ask, Kind::Call, id, &method, args.as_bytes())
    };

    /// `callStream(id, method, json)`: the same for a call with streams.
    call_stream(ask) => {
        let (Some(id), Ok(method), Ok(args)) = (ask.integer(0), ask.text(1), ask.text(2)) else {
            return ask.type_error("A host call needs a method");
        };
        send(ask, Kind::CallStream, id, &method, args.as_bytes())
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

    /// `part(name)`: the function that a part of the unit is the body of; undefined where there is no such part.
    part(ask) => {
        let Ok(name) = ask.text(0) else { return qjs::JS_EXCEPTION };
        let unit = ask.shared.unit.borrow().clone();
        match unit.as_ref().and_then(|unit| unit.parts.get(&name)) {
            Some(code) => ask.js.load(code).map_or(qjs::JS_EXCEPTION, Val::into_raw),
            None => qjs::JS_UNDEFINED,
        }
    };

    /// `isTypedArray(value)`: as the engine sees it.
    is_typed_array(ask) => {
        // SAFETY: asks about a live value.
        if unsafe { qjs::JS_GetTypedArrayType(ask.arg(0)) } >= 0 { qjs::JS_TRUE } else { qjs::JS_FALSE }
    };

    /// `web()`: the native half of the web platform, made when something of it is first used.
    web(ask) => super::web::natives(ask.js).map_or(qjs::JS_EXCEPTION, Val::into_raw);

    /// `crypto()`: the native half of `crypto`, made when that is first used.
    crypto(ask) => super::crypto::natives(ask.js).map_or(qjs::JS_EXCEPTION, Val::into_raw);

    /// `service(index)`: the JS half of a service, evaluated when it is first used.
    service(ask) => {
        let program = ask.shared.program.clone();
        match ask.integer(0).and_then(|index| program.services.get(index as usize)) {
            Some((_, code)) => ask.js.load(code).map_or(qjs::JS_EXCEPTION, Val::into_raw),
            None => ask.type_error("There is no such service"),
        }
    };
}

fn send(ask: &Ask<'_>, kind: Kind, id: u32, method: &str, args: &[u8]) -> JSValue {
    if method.len() > MAX_METHOD {
        return ask.type_error("The name of the method is too long");
    }
    if !ask.shared.send_call(kind, id, method, args) {
        return ask.type_error("The calls that are still open hold too much data: await some of them first");
    }
    qjs::JS_UNDEFINED
}

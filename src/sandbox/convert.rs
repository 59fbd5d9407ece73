//! JS values to JSON text, walked here rather than by `JSON.stringify`, so that what can't cross is refused with its path.
//!
//! `Date` becomes its ISO string; `undefined` is absent, in arrays `null`; a BigInt is a number while that is exact, else a string;
//! `toJSON` is honoured. Functions, symbols, NaN, infinities, maps, sets, promises, binary data and cycles are refused. What an object
//! is, is asked of the engine and not of properties that code can forge. The walk runs under the deadline of the call: getters,
//! `toJSON` and proxies are the extension's code, and a small graph can be a huge text.

use std::fmt::Write as _;

use rquickjs::qjs::{self, JSAtom, JSValue};

use super::engine::{Exception, Js, Val, well_formed};
use super::limits::MAX_DEPTH;
use super::shared::Shared;

/// The largest integer that a JS number holds exactly, 2^53 - 1.
const MAX_SAFE: i64 = (1 << 53) - 1;

/// Values between two looks at the clock.
const CLOCK_EVERY: u32 = 256;

/// Why a value didn't become JSON.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Code that the walk ran threw; the exception waits in the context.
    Thrown,
    /// Something in it can't cross; the sentence names its path.
    Value(String),
    /// It is longer than allowed.
    TooLarge,
    /// The call has gone past a limit meanwhile.
    Breach,
}

impl From<Exception> for Refusal {
    fn from(_: Exception) -> Self {
        Self::Thrown
    }
}

/// JSON text of a value, `None` for `undefined`. `root` names it in refusals; the text is at most `max` bytes.
pub(super) fn to_json(js: Js, shared: &Shared, value: JSValue, root: &str, max: usize) -> Result<Option<Vec<u8>>, Refusal> {
    let mut walk = Walk { js, shared, root, max, out: Vec::with_capacity(256), path: Vec::new(), above: Vec::new(), nodes: 0 };
    let any = walk.value(value)?;
    if walk.out.len() > max {
        return Err(Refusal::TooLarge);
    }
    Ok(any.then_some(walk.out))
}

struct Walk<'a> {
    js: Js,
    shared: &'a Shared,
    root: &'a str,
    max: usize,
    out: Vec<u8>,
    /// From the root to the value at hand.
    path: Vec<Step>,
    /// The objects on that path, to tell a cycle.
    above: Vec<*mut std::ffi::c_void>,
    nodes: u32,
}

enum Step {
    /// Held by the property list of the object that is being walked.
    Key(JSAtom),
    Index(u32),
}

impl Walk<'_> {
    /// Writes a value; `false` if it is `undefined` and nothing was written.
    fn value(&mut self, value: JSValue) -> Result<bool, Refusal> {
        self.nodes += 1;
        if self.nodes.is_multiple_of(CLOCK_EVERY) && self.shared.breach().is_some() {
            return Err(Refusal::Breach);
        }
        if self.out.len() > self.max {
            return Err(Refusal::TooLarge);
        }
        // SAFETY: reads the tag and the number beside it.
        unsafe {
            match qjs::JS_VALUE_GET_TAG(value) {
                qjs::JS_TAG_UNDEFINED => return Ok(false),
                qjs::JS_TAG_NULL => self.out.extend_from_slice(b"null"),
                qjs::JS_TAG_BOOL if qjs::JS_VALUE_GET_BOOL(value) => self.out.extend_from_slice(b"true"),
                qjs::JS_TAG_BOOL => self.out.extend_from_slice(b"false"),
                qjs::JS_TAG_INT => self.push(format_args!("{}", qjs::JS_VALUE_GET_INT(value))),
                qjs::JS_TAG_FLOAT64 => self.number(qjs::JS_VALUE_GET_FLOAT64(value))?,
                qjs::JS_TAG_STRING | qjs::JS_TAG_STRING_ROPE => self.string(value)?,
                qjs::JS_TAG_BIG_INT | qjs::JS_TAG_SHORT_BIG_INT => self.bigint(value)?,
                qjs::JS_TAG_OBJECT => return self.object(value),
                qjs::JS_TAG_SYMBOL => return Err(self.refuse("a symbol")),
                _ => return Err(self.refuse("no JSON value")),
            }
        }
        Ok(true)
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        use std::io::Write as _;
        // Writing to memory doesn't fail.
        let _ = self.out.write_fmt(text);
    }

    fn number(&mut self, n: f64) -> Result<(), Refusal> {
        if !n.is_finite() {
            return Err(self.refuse(if n.is_nan() { "NaN" } else { "Infinity" }));
        }
        // As JS writes numbers: no fraction for whole ones, an exponent from 1e21 on, no negative zero.
        if n == 0.0 {
            self.out.push(b'0');
        } else if n.abs() >= 1e21 {
            self.push(format_args!("{n:e}"));
        } else {
            self.push(format_args!("{n}"));
        }
        Ok(())
    }

    fn bigint(&mut self, value: JSValue) -> Result<(), Refusal> {
        let digits = self.js.text(value)?;
        match digits.parse::<i64>() {
            Ok(n) if (-MAX_SAFE..=MAX_SAFE).contains(&n) => self.out.extend_from_slice(digits.as_bytes()),
            _ => self.push(format_args!("\"{digits}\"")),
        }
        Ok(())
    }

    fn string(&mut self, value: JSValue) -> Result<(), Refusal> {
        let before = self.out.len();
        let room = self.max.saturating_sub(before);
        let out = &mut self.out;
        let fits = self.js.with_text(value, |bytes| {
            // What is escaped grows up to sixfold, which is known only afterwards.
            let fits = bytes.len() <= room;
            if fits {
                quote(out, bytes);
            }
            fits && out.len() - before <= room
        })?;
        if fits { Ok(()) } else { Err(Refusal::TooLarge) }
    }

    fn object(&mut self, value: JSValue) -> Result<bool, Refusal> {
        let (js, ctx) = (self.js, self.js.raw());
        // SAFETY: questions about a live object.
        let (class, is_function, is_date) = unsafe { (qjs::JS_GetClassID(value), qjs::JS_IsFunction(ctx, value), qjs::JS_IsDate(value)) };
        if is_date {
            return self.date(value);
        }
        // SAFETY: the atom is the isolate's own and lives as long as it.
        let to_json = js.own(unsafe { qjs::JS_GetProperty(ctx, value, self.shared.to_json_atom) })?;
        // SAFETY: question about a live value.
        if unsafe { qjs::JS_IsFunction(ctx, to_json.raw()) } {
            let key = self.last_key()?;
            let mut args = [key.raw()];
            // SAFETY: all values are live; the arguments are only read.
            let replaced = js.own(unsafe { qjs::JS_Call(ctx, to_json.raw(), value, 1, args.as_mut_ptr()) })?;
            return self.replaced(replaced.raw());
        }
        if is_function {
            return Err(self.refuse("a function"));
        }
        if class == self.shared.plain_class {
            return self.nested(value, Self::members);
        }
        // SAFETY: question about a live object.
        if unsafe { qjs::JS_IsArray(value) } {
            return self.nested(value, Self::elements);
        }
        match class_name(js, value).as_str() {
            "Number" => {
                // SAFETY: a live value; the number is plain.
                let number = js.own(unsafe { qjs::JS_ToNumber(ctx, value) })?;
                self.value(number.raw())
            }
            "String" | "BigInt" => {
                // SAFETY: a live value.
                let text = js.own(unsafe { qjs::JS_ToString(ctx, value) })?;
                self.value(text.raw())
            }
            "Boolean" => {
                // Without a `toJSON`, the engine writes what is boxed.
                self.out.extend_from_slice(js.stringify(value)?.as_bytes());
                Ok(true)
            }
            "Proxy" if proxy_of_array(js, value)? => self.nested(value, Self::elements),
            "Object" | "Proxy" | "Error" | "Arguments" | "Module" => self.nested(value, Self::members),
            "Promise" => Err(self.refuse("a Promise: await it first")),
            "Map" => Err(self.refuse("a Map: use Object.fromEntries")),
            "Set" => Err(self.refuse("a Set: spread it into an array")),
            other => Err(self.refuse(&format!("of type {other}, which JSON can't carry"))),
        }
    }

    /// What a `toJSON` answered: it isn't asked again.
    fn replaced(&mut self, value: JSValue) -> Result<bool, Refusal> {
        // SAFETY: questions about a live value.
        unsafe {
            if !qjs::JS_IsObject(value) {
                return self.value(value);
            }
            if qjs::JS_IsDate(value) {
                return self.date(value);
            }
            if qjs::JS_IsFunction(self.js.raw(), value) {
                return Err(self.refuse("a function"));
            }
            if qjs::JS_IsArray(value) {
                return self.nested(value, Self::elements);
            }
        }
        match class_name(self.js, value).as_str() {
            "Object" | "Error" | "Arguments" => self.nested(value, Self::members),
            other => Err(self.refuse(&format!("of type {other}, which JSON can't carry"))),
        }
    }

    fn iso(&self, date: JSValue) -> Result<Val, Exception> {
        let to_iso = self.shared.date_to_iso();
        // SAFETY: a live function and a live date as its `this`.
        self.js.own(unsafe { qjs::JS_Call(self.js.raw(), to_iso, date, 0, std::ptr::null_mut()) })
    }

    fn date(&mut self, value: JSValue) -> Result<bool, Refusal> {
        match self.iso(value) {
            Ok(text) => self.value(text.raw()),
            Err(Exception) => {
                drop(self.js.take_exception());
                Err(self.refuse("an invalid Date"))
            }
        }
    }

    /// Walks into an object, having looked that it isn't one of those above.
    fn nested(&mut self, value: JSValue, walk: fn(&mut Self, JSValue) -> Result<(), Refusal>) -> Result<bool, Refusal> {
        // SAFETY: an object's value is a pointer.
        let pointer = unsafe { qjs::JS_VALUE_GET_PTR(value) };
        if self.above.contains(&pointer) {
            return Err(self.refuse("a cycle: it contains itself"));
        }
        if self.above.len() >= MAX_DEPTH {
            return Err(self.refuse(&format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.above.push(pointer);
        walk(self, value)?;
        self.above.pop();
        Ok(true)
    }

    fn elements(&mut self, value: JSValue) -> Result<(), Refusal> {
        let mut length = 0_i64;
        // SAFETY: a live object.
        if unsafe { qjs::JS_GetLength(self.js.raw(), value, &raw mut length) } < 0 {
            return Err(Refusal::Thrown);
        }
        self.out.push(b'[');
        for index in 0..u32::try_from(length).unwrap_or(u32::MAX) {
            if index > 0 {
                self.out.push(b',');
            }
            // SAFETY: a live object.
            let element = self.js.own(unsafe { qjs::JS_GetPropertyUint32(self.js.raw(), value, index) })?;
            self.path.push(Step::Index(index));
            if !self.value(element.raw())? {
                self.out.extend_from_slice(b"null");
            }
            self.path.pop();
        }
        self.out.push(b']');
        Ok(())
    }

    fn members(&mut self, value: JSValue) -> Result<(), Refusal> {
        let keys = Keys::of(self.js, value)?;
        self.out.push(b'{');
        let mut first = true;
        for &atom in keys.atoms() {
            // SAFETY: a live object and an atom that `keys` holds.
            let member = self.js.own(unsafe { qjs::JS_GetProperty(self.js.raw(), value, atom) })?;
            let before = self.out.len();
            if !first {
                self.out.push(b',');
            }
            self.key(atom)?;
            self.path.push(Step::Key(atom));
            if self.value(member.raw())? {
                first = false;
            } else {
                self.out.truncate(before);
            }
            self.path.pop();
        }
        self.out.push(b'}');
        Ok(())
    }

    fn key(&mut self, atom: JSAtom) -> Result<(), Refusal> {
        let out = &mut self.out;
        atom_text(self.js, atom, |bytes| quote(out, bytes))?;
        self.out.push(b':');
        Ok(())
    }

    /// The key of the value at hand as a JS value, for `toJSON`.
    fn last_key(&self) -> Result<Val, Exception> {
        match self.path.last() {
            // SAFETY: an atom that the list of the object above holds.
            Some(Step::Key(atom)) => self.js.own(unsafe { qjs::JS_AtomToString(self.js.raw(), *atom) }),
            Some(Step::Index(index)) => self.js.string(index.to_string().as_bytes()),
            None => self.js.string(b""),
        }
    }

    fn refuse(&self, what: &str) -> Refusal {
        let mut path = self.root.to_owned();
        for step in &self.path {
            match step {
                Step::Index(index) => {
                    // Writing to memory doesn't fail.
                    let _ = write!(path, "[{index}]");
                }
                Step::Key(atom) => {
                    let mut name = Vec::new();
                    // A name that can't be read is left out of the path.
                    let _ = atom_text(self.js, *atom, |bytes| name.extend_from_slice(bytes));
                    let name = well_formed(name);
                    let plain = !name.is_empty()
                        && !name.starts_with(|c: char| c.is_ascii_digit())
                        && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
                    let _ = if plain { write!(path, ".{name}") } else { write!(path, "[{name:?}]") };
                }
            }
        }
        Refusal::Value(format!("{path} is {what}"))
    }
}

/// The own enumerable text keys of an object.
struct Keys {
    js: Js,
    table: *mut qjs::JSPropertyEnum,
    count: u32,
    atoms: Vec<JSAtom>,
}

impl Keys {
    fn of(js: Js, value: JSValue) -> Result<Self, Refusal> {
        let (mut table, mut count) = (std::ptr::null_mut(), 0_u32);
        let flags = (qjs::JS_GPN_STRING_MASK | qjs::JS_GPN_ENUM_ONLY).cast_signed();
        // SAFETY: a live object; the table is released when this is dropped.
        if unsafe { qjs::JS_GetOwnPropertyNames(js.raw(), &raw mut table, &raw mut count, value, flags) } < 0 {
            return Err(Refusal::Thrown);
        }
        let entries = if table.is_null() {
            &[][..]
        } else {
            // SAFETY: the engine wrote `count` entries.
            unsafe { std::slice::from_raw_parts(table, count as usize) }
        };
        Ok(Self { js, table, count, atoms: entries.iter().map(|e| e.atom).collect() })
    }

    fn atoms(&self) -> &[JSAtom] {
        &self.atoms
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // SAFETY: from the engine, released once.
        unsafe { qjs::JS_FreePropertyEnum(self.js.raw(), self.table, self.count) };
    }
}

fn atom_text<T>(js: Js, atom: JSAtom, use_it: impl FnOnce(&[u8]) -> T) -> Result<T, Exception> {
    let mut len: qjs::size_t = 0;
    // SAFETY: the engine hands out `len` bytes that live until they are freed below.
    unsafe {
        let text = qjs::JS_AtomToCStringLen(js.raw(), &raw mut len, atom);
        if text.is_null() {
            return Err(Exception);
        }
        let result = use_it(std::slice::from_raw_parts(text.cast::<u8>(), len as usize));
        qjs::JS_FreeCString(js.raw(), text);
        Ok(result)
    }
}

/// What the engine says an object is, whatever its prototype says.
pub(super) fn class_name(js: Js, value: JSValue) -> String {
    // SAFETY: a live value; the name's atom is released again.
    unsafe {
        // The engine's own name for it is that of a plain object.
        if qjs::JS_IsProxy(value) {
            return "Proxy".into();
        }
        let class = qjs::JS_GetClassID(value);
        let atom = qjs::JS_GetClassName(qjs::JS_GetRuntime(js.raw()), class);
        let mut name = Vec::new();
        if atom_text(js, atom, |bytes| name.extend_from_slice(bytes)).is_err() {
            drop(js.take_exception());
        }
        qjs::JS_FreeAtom(js.raw(), atom);
        well_formed(name)
    }
}

fn proxy_of_array(js: Js, value: JSValue) -> Result<bool, Refusal> {
    let mut at = js.dup(value);
    // SAFETY: questions about live values.
    unsafe {
        while qjs::JS_IsProxy(at.raw()) {
            at = js.own(qjs::JS_GetProxyTarget(js.raw(), at.raw()))?;
        }
        Ok(qjs::JS_IsArray(at.raw()))
    }
}

/// Appends a JSON string. A lone surrogate, which the engine writes as three bytes, becomes U+FFFD.
fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut from = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let surrogate = byte == 0xED && bytes.get(at + 1).is_some_and(|b| *b >= 0xA0);
        if byte >= 0x20 && byte != b'"' && byte != b'\\' && !surrogate {
            at += 1;
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xED => {
                out.extend_from_slice("\u{FFFD}".as_bytes());
                at += 2;
            }
            _ => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        at += 1;
        from = at;
    }
    out.extend_from_slice(&bytes[from.min(bytes.len())..]);
    out.push(b'"');
}

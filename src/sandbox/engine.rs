//! The C engine, wrapped thinly: one runtime with one context on one heap, and values that free themselves.
//!
//! Only a worker comes here, on its one JS thread. [`Js`] and [`Val`] point into an [`Engine`] and must not outlive it, nor a moment
//! at which its heap is put back: they live on the stack of a call only. What an isolate keeps for longer is the bare value, whose
//! hold goes with the heap.

use std::ffi::{CStr, c_int};
use std::ptr::NonNull;

use rquickjs::qjs::{self, JSContext, JSRuntime, JSValue};

use super::alloc::Heap;
use super::limits::JS_STACK;

/// A runtime with its context. Dropping it gives the heap back as a whole, whatever state it is in: nothing in there owns anything
/// outside of it.
pub(super) struct Engine {
    rt: NonNull<JSRuntime>,
    ctx: NonNull<JSContext>,
    heap: Box<Heap>,
}

/// How much a call may allocate in a sealed heap before garbage is looked for. All that a call leaves goes when the heap is put back,
/// and looking means touching everything that was loaded, so it is worth it for calls that use much only.
const GARBAGE: usize = 1024 * 1024;

/// A native function as the engine calls it.
pub(super) type Native = unsafe extern "C" fn(*mut JSContext, JSValue, c_int, *mut JSValue) -> JSValue;

/// The engine threw; the exception waits in the context.
#[derive(Debug)]
pub(super) struct Exception;

/// A context to work in.
#[derive(Clone, Copy)]
pub(super) struct Js(NonNull<JSContext>);

/// A value that is held, and released when dropped.
pub(super) struct Val {
    js: Js,
    raw: JSValue,
}

impl Engine {
    /// An engine whose heap may grow to `limit` bytes. Without `compiler` it runs only what was compiled elsewhere: `eval` and the
    /// function constructors have nothing to work with. `None` if the limit is too small even for the built-ins.
    pub(super) fn new(limit: usize, compiler: bool) -> Option<Self> {
        let heap = Heap::new(limit)?;
        let functions = Heap::functions();
        // SAFETY: the functions and the heap's address belong together, and the heap outlives the runtime.
        let rt = NonNull::new(unsafe { qjs::JS_NewRuntime2(&functions, std::ptr::from_ref(&*heap).cast_mut().cast()) })?;
        // SAFETY: a fresh runtime; what can't be completed goes with the heap.
        unsafe {
            qjs::JS_SetMaxStackSize(rt.as_ptr(), JS_STACK as qjs::size_t);
            qjs::JS_SetCanBlock(rt.as_ptr(), false);
            let ctx = NonNull::new(qjs::JS_NewContextRaw(rt.as_ptr()))?;
            let engine = Self { rt, ctx, heap };
            let c = ctx.as_ptr();
            let ok = qjs::JS_AddIntrinsicBaseObjects(c) == 0
                && qjs::JS_AddIntrinsicDate(c) == 0
                && (!compiler || qjs::JS_AddIntrinsicEval(c) == 0)
                && qjs::JS_AddIntrinsicRegExp(c) == 0
                && qjs::JS_AddIntrinsicJSON(c) == 0
                && qjs::JS_AddIntrinsicProxy(c) == 0
                && qjs::JS_AddIntrinsicMapSet(c) == 0
                && qjs::JS_AddIntrinsicTypedArrays(c) == 0
                && qjs::JS_AddIntrinsicPromise(c) == 0
                && qjs::JS_AddIntrinsicWeakRef(c) == 0
                && qjs::JS_AddIntrinsicAToB(c) == 0;
            ok.then_some(engine)
        }
    }

    /// Its context.
    pub(super) fn js(&self) -> Js {
        Js(self.ctx)
    }

    /// Its runtime.
    pub(super) fn runtime(&self) -> *mut JSRuntime {
        self.rt.as_ptr()
    }

    /// Its heap.
    pub(super) fn heap(&self) -> &Heap {
        &self.heap
    }

    /// Whether jobs wait to be run.
    pub(super) fn has_jobs(&self) -> bool {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_IsJobPending(self.rt.as_ptr()) }
    }

    /// Looks for garbage. No code runs.
    pub(super) fn collect(&self) {
        // SAFETY: a live runtime in which no code runs.
        unsafe { qjs::JS_RunGC(self.rt.as_ptr()) };
    }

    /// Remembers the heap as it is; [`Heap::restore`] comes back to it. No job may be waiting. `false` if that was impossible, and then
    /// the engine must not be used again.
    pub(super) fn seal(&self) -> bool {
        // SAFETY: a live runtime in which no code runs.
        unsafe {
            // Garbage would be kept for ever.
            qjs::JS_RunGC(self.rt.as_ptr());
            let threshold = self.heap.used() + GARBAGE.min(self.heap.limit() / 4);
            qjs::JS_SetGCThreshold(self.rt.as_ptr(), threshold as qjs::size_t);
        }
        self.heap.seal()
    }
}

impl Js {
    /// The context that a native function was called in.
    ///
    /// # Safety
    /// `ctx` is live for as long as the result is used.
    pub(super) unsafe fn from_raw(ctx: *mut JSContext) -> Option<Self> {
        NonNull::new(ctx).map(Self)
    }

    pub(super) fn raw(self) -> *mut JSContext {
        self.0.as_ptr()
    }

    /// Takes over a value that the engine handed out, or its exception.
    pub(super) fn own(self, raw: JSValue) -> Result<Val, Exception> {
        // SAFETY: reads the tag.
        if unsafe { qjs::JS_IsException(raw) } { Err(Exception) } else { Ok(Val { js: self, raw }) }
    }

    /// Holds a value that someone else holds too.
    pub(super) fn dup(self, raw: JSValue) -> Val {
        // SAFETY: the value is live in this context.
        Val { js: self, raw: unsafe { qjs::JS_DupValue(self.raw(), raw) } }
    }

    /// Calls a function without `this`.
    pub(super) fn call(self, function: JSValue, args: &[JSValue]) -> Result<Val, Exception> {
        // SAFETY: the engine reads the arguments only, whatever the type of its pointer says.
        self.own(unsafe { qjs::JS_Call(self.raw(), function, qjs::JS_UNDEFINED, args.len() as i32, args.as_ptr().cast_mut()) })
    }

    /// A property.
    pub(super) fn get(self, object: JSValue, name: &CStr) -> Result<Val, Exception> {
        // SAFETY: both are live.
        self.own(unsafe { qjs::JS_GetPropertyStr(self.raw(), object, name.as_ptr()) })
    }

    /// Defines a property of an object that no extension code has seen yet.
    pub(super) fn set(self, object: &Val, name: &CStr, value: Val) -> Result<(), Exception> {
        const ALL: i32 = qjs::JS_PROP_C_W_E as i32;
        // SAFETY: both are live; the value's hold goes to the object.
        match unsafe { qjs::JS_DefinePropertyValueStr(self.raw(), object.raw, name.as_ptr(), value.into_raw(), ALL) } {
            -1 => Err(Exception),
            _ => Ok(()),
        }
    }

    /// Defines an element of an array that no extension code has seen yet.
    pub(super) fn set_index(self, array: &Val, index: u32, value: Val) -> Result<(), Exception> {
        const ALL: i32 = qjs::JS_PROP_C_W_E as i32;
        // SAFETY: as in `set`.
        match unsafe { qjs::JS_DefinePropertyValueUint32(self.raw(), array.raw, index, value.into_raw(), ALL) } {
            -1 => Err(Exception),
            _ => Ok(()),
        }
    }

    pub(super) fn object(self) -> Result<Val, Exception> {
        // SAFETY: a live context.
        self.own(unsafe { qjs::JS_NewObject(self.raw()) })
    }

    pub(super) fn array(self) -> Result<Val, Exception> {
        // SAFETY: a live context.
        self.own(unsafe { qjs::JS_NewArray(self.raw()) })
    }

    /// An object of native functions: names, numbers of arguments, functions.
    pub(super) fn functions(self, functions: &[(&CStr, c_int, Native)]) -> Result<Val, Exception> {
        let object = self.object()?;
        for (name, length, function) in functions {
            let kind = qjs::JSCFunctionEnum_JS_CFUNC_generic;
            // SAFETY: a live context, a name with a zero, a function of the generic shape.
            let function = unsafe { qjs::JS_NewCFunction2(self.raw(), Some(*function), name.as_ptr(), *length, kind, 0) };
            self.set(&object, name, self.own(function)?)?;
        }
        Ok(object)
    }

    pub(super) fn string(self, text: &[u8]) -> Result<Val, Exception> {
        // SAFETY: the engine copies `len` bytes.
        self.own(unsafe { qjs::JS_NewStringLen(self.raw(), text.as_ptr().cast(), text.len() as qjs::size_t) })
    }

    /// Reads a JSON text. `text` is used as a buffer.
    pub(super) fn json(self, text: &[u8]) -> Result<Val, Exception> {
        // The engine's reader wants a zero behind the text.
        let mut buffer = Vec::with_capacity(text.len() + 1);
        buffer.extend_from_slice(text);
        buffer.push(0);
        // SAFETY: the buffer holds `len` bytes and a zero.
        self.own(unsafe { qjs::JS_ParseJSON(self.raw(), buffer.as_ptr().cast(), text.len() as qjs::size_t, c"<json>".as_ptr()) })
    }

    /// The text of a string, or what the value becomes as one; lone surrogates become U+FFFD.
    pub(super) fn text(self, value: JSValue) -> Result<String, Exception> {
        let mut out = Vec::new();
        self.with_text(value, |bytes| out.extend_from_slice(bytes))?;
        Ok(well_formed(out))
    }

    /// Shows the bytes of a string, almost UTF-8: lone surrogates are three bytes of their own.
    pub(super) fn with_text<T>(self, value: JSValue, use_it: impl FnOnce(&[u8]) -> T) -> Result<T, Exception> {
        let mut len: qjs::size_t = 0;
        // SAFETY: the engine hands out `len` bytes that live until they are freed below.
        unsafe {
            let text = qjs::JS_ToCStringLen2(self.raw(), &raw mut len, value, false);
            if text.is_null() {
                return Err(Exception);
            }
            let result = use_it(std::slice::from_raw_parts(text.cast::<u8>(), len as usize));
            qjs::JS_FreeCString(self.raw(), text);
            Ok(result)
        }
    }

    /// The JSON text of a value, by its own `toJSON` if it has one.
    pub(super) fn stringify(self, value: JSValue) -> Result<String, Exception> {
        // SAFETY: a live value.
        let text = self.own(unsafe { qjs::JS_JSONStringify(self.raw(), value, qjs::JS_UNDEFINED, qjs::JS_UNDEFINED) })?;
        self.text(text.raw())
    }

    /// The exception that waits, taken.
    pub(super) fn take_exception(self) -> Val {
        // SAFETY: a live context; without an exception the value is uninitialised, which is a plain tag.
        Val { js: self, raw: unsafe { qjs::JS_GetException(self.raw()) } }
    }

    /// Compiles a script in strict mode to bytecode that another engine of this process can load.
    pub(super) fn compile(self, source: &str, file: &CStr) -> Result<Vec<u8>, Exception> {
        self.compile_as(source, file, qjs::JS_EVAL_TYPE_GLOBAL | qjs::JS_EVAL_FLAG_STRICT)
    }

    /// Compiles one module to bytecode. What it imports goes to the module functions of the runtime.
    pub(super) fn compile_module(self, source: &str, file: &CStr) -> Result<Vec<u8>, Exception> {
        self.compile_as(source, file, qjs::JS_EVAL_TYPE_MODULE)
    }

    fn compile_as(self, source: &str, file: &CStr, kind: u32) -> Result<Vec<u8>, Exception> {
        let mut buffer = Vec::with_capacity(source.len() + 1);
        buffer.extend_from_slice(source.as_bytes());
        buffer.push(0);
        let flags = (kind | qjs::JS_EVAL_FLAG_COMPILE_ONLY).cast_signed();
        let length = source.len() as qjs::size_t;
        // SAFETY: the buffer holds `length` bytes and a zero.
        let compiled = self.own(unsafe { qjs::JS_Eval(self.raw(), buffer.as_ptr().cast(), length, file.as_ptr(), flags) })?;
        let mut size: qjs::size_t = 0;
        let keep = qjs::JS_WRITE_OBJ_BYTECODE | qjs::JS_WRITE_OBJ_STRIP_SOURCE;
        // SAFETY: the engine hands out `size` bytes that live until they are freed below.
        unsafe {
            let bytes = qjs::JS_WriteObject(self.raw(), &raw mut size, compiled.raw, keep.cast_signed());
            if bytes.is_null() {
                return Err(Exception);
            }
            let code = std::slice::from_raw_parts(bytes, size as usize).to_vec();
            qjs::js_free(self.raw(), bytes.cast());
            Ok(code)
        }
    }

    /// Reads bytecode that was compiled in this process: a function, or a module that isn't joined with others yet.
    pub(super) fn read(self, code: &[u8]) -> Result<Val, Exception> {
        let flags = qjs::JS_READ_OBJ_BYTECODE.cast_signed();
        // SAFETY: the bytes came from `compile_as` in this very process, from no one else.
        self.own(unsafe { qjs::JS_ReadObject(self.raw(), code.as_ptr(), code.len() as qjs::size_t, flags) })
    }

    /// Runs what `read` gave. The value of a script; the promise of a module's evaluation.
    pub(super) fn eval(self, code: Val) -> Result<Val, Exception> {
        // SAFETY: the call takes the hold over.
        self.own(unsafe { qjs::JS_EvalFunction(self.raw(), code.into_raw()) })
    }

    /// A `Uint8Array` with these bytes.
    pub(super) fn bytes(self, bytes: &[u8]) -> Result<Val, Exception> {
        // SAFETY: the engine copies `len` bytes.
        self.own(unsafe { qjs::JS_NewUint8ArrayCopy(self.raw(), bytes.as_ptr(), bytes.len() as qjs::size_t) })
    }

    /// Shows the bytes of a `Uint8Array`; `None` if it isn't one. Nothing of the engine may run meanwhile.
    pub(super) fn with_bytes<T>(self, value: JSValue, use_it: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let mut size: qjs::size_t = 0;
        // SAFETY: asks about a live value; the bytes are looked at before anything else of the engine runs.
        unsafe {
            if qjs::JS_GetTypedArrayType(value) != qjs::JSTypedArrayEnum_JS_TYPED_ARRAY_UINT8 as i32 {
                return None;
            }
            let bytes = qjs::JS_GetUint8Array(self.raw(), &raw mut size, value);
            if bytes.is_null() {
                if size != 0 || qjs::JS_HasException(self.raw()) {
                    drop(self.take_exception());
                    return None;
                }
                return Some(use_it(&[]));
            }
            Some(use_it(std::slice::from_raw_parts(bytes, size as usize)))
        }
    }

    /// Runs bytecode that `compile` made in this process, and answers its value.
    pub(super) fn load(self, code: &[u8]) -> Result<Val, Exception> {
        self.eval(self.read(code)?)
    }
}

impl Val {
    /// The value, still held by this.
    pub(super) fn raw(&self) -> JSValue {
        self.raw
    }

    /// The value, its hold handed to whoever takes it, or to the heap for as long as there is one.
    pub(super) fn into_raw(self) -> JSValue {
        let raw = self.raw;
        std::mem::forget(self);
        raw
    }
}

impl Drop for Val {
    fn drop(&mut self) {
        // SAFETY: held, and released once.
        unsafe { qjs::JS_FreeValue(self.js.raw(), self.raw) };
    }
}

/// UTF-8 of the engine's text: a lone surrogate, which the engine writes as three bytes, becomes one U+FFFD.
pub(super) fn well_formed(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let mut bytes = error.into_bytes();
        let mut at = 0;
        while at + 2 < bytes.len() {
            if bytes[at] == 0xED && bytes[at + 1] >= 0xA0 {
                bytes[at..at + 3].copy_from_slice("\u{FFFD}".as_bytes());
                at += 3;
            } else {
                at += 1;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

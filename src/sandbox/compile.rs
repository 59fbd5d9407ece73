//! Source to bytecode, in the worker, once per unit: what can't be compiled is told with line, column and code frame.
//!
//! The engine that compiles is thrown away afterwards; the isolates that run have no compiler.

use std::cell::OnceCell;
use std::ffi::CString;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::ServiceSource;
use super::engine::{Engine, Exception, Js};
use super::failure::{LoadFailure, cut};
use super::limits::MAX_MESSAGE;
use super::trace::{self, OWN};

/// Heap for compiling our own scripts.
const OWN_HEAP: usize = 64 * 1024 * 1024;

/// What lets tests reach the glue from code that they run; nothing does otherwise.
#[cfg(test)]
macro_rules! seam {
    () => {
        "define(globalThis, 'glue', need);\n"
    };
}
#[cfg(not(test))]
macro_rules! seam {
    () => {
        ""
    };
}

/// The glue: one function of `native` and the names of the services.
const PRELUDE: &str = concat!(
    "(function (native, serviceNames) {\n",
    include_str!("prelude/primordials.js"),
    include_str!("prelude/disabled.js"),
    include_str!("prelude/console.js"),
    include_str!("prelude/timers.js"),
    include_str!("prelude/host.js"),
    include_str!("prelude/globals.js"),
    seam!(),
    include_str!("prelude/run.js"),
    "\n})"
);

/// Scripts of ours that most calls never need, in the order of their numbers in the glue: loading them would double the cost of an
/// isolate.
const LATER: &[(&str, &str)] = &[
    ("inspect", include_str!("prelude/inspect.js")),
    ("clone", include_str!("prelude/clone.js")),
    ("web/common", include_str!("prelude/web/common.js")),
    ("web/url", include_str!("prelude/web/url.js")),
    ("web/encoding", include_str!("prelude/web/encoding.js")),
    ("web/events", include_str!("prelude/web/events.js")),
    (
        "web/streams",
        concat!(
            include_str!("prelude/web/streams_readable.js"),
            include_str!("prelude/web/streams_writable.js"),
            include_str!("prelude/web/streams_transform.js")
        ),
    ),
    ("web/forms", include_str!("prelude/web/forms.js")),
    (
        "web/fetch",
        concat!(
            include_str!("prelude/web/fetch_headers.js"),
            include_str!("prelude/web/fetch_body.js"),
            include_str!("prelude/web/fetch.js")
        ),
    ),
];

/// Our own scripts, compiled.
pub(super) struct Program {
    pub prelude: Vec<u8>,
    /// What the glue loads when it is first needed: compiled then, because all of it takes several times as long as the rest of a
    /// worker's start.
    later: Vec<OnceCell<Vec<u8>>>,
    /// Names with bytecode, in the order of declaration.
    pub services: Vec<(String, Vec<u8>)>,
}

impl Program {
    /// Compiles the glue and the JS halves of the services; an error is a mistake of ours and names the script.
    pub(super) fn compile(services: &[ServiceSource]) -> Result<Rc<Self>, String> {
        let engine = Engine::new(OWN_HEAP, true).ok_or("no memory to start with")?;
        let own = |name: &str, source: &str| compile_own(&engine, name, source);
        let prelude = own("prelude", PRELUDE)?;
        let later = LATER.iter().map(|_| OnceCell::new()).collect();
        let services =
            services.iter().map(|s| Ok((s.name.to_owned(), own(s.name, &format!("(\n{}\n)", s.js))?))).collect::<Result<_, String>>()?;
        Ok(Rc::new(Self { prelude, later, services }))
    }

    /// A script that the glue loads later. An error is a mistake of ours, or the system has no memory.
    pub(super) fn later(&self, index: usize) -> Result<&[u8], String> {
        let (Some(cell), Some((name, js))) = (self.later.get(index), LATER.get(index)) else {
            return Err("There is no such script".into());
        };
        if let Some(code) = cell.get() {
            return Ok(code);
        }
        let engine = Engine::new(OWN_HEAP, true).ok_or("no memory to compile with")?;
        let code = compile_own(&engine, name, &format!("(\n{js}\n)"))?;
        Ok(cell.get_or_init(|| code))
    }
}

fn compile_own(engine: &Engine, name: &str, source: &str) -> Result<Vec<u8>, String> {
    let file = CString::new(format!("{OWN}{name}")).map_err(|_| "a name with a zero")?;
    engine.js().compile(source, &file).map_err(|Exception| format!("{name}: {}", thrown_text(engine.js())))
}

/// What a worker is told to load.
#[derive(Serialize, Deserialize)]
pub(super) struct LoadBody {
    pub name: String,
    pub code: String,
    pub params: Vec<String>,
    pub memory_limit: usize,
    pub max_payload: usize,
    pub warm: bool,
}

/// A unit, compiled.
pub(super) struct Loaded {
    /// The name of the script in stack texts.
    pub file: String,
    /// The author's text, for code frames.
    pub code: String,
    pub bytecode: Vec<u8>,
    pub memory_limit: usize,
    pub max_payload: usize,
    pub warm: bool,
    first_param: Option<String>,
}

impl Loaded {
    /// What the result of a run is called where it can't cross: a filter returns its payload.
    pub(super) fn root(&self) -> &str {
        match self.first_param.as_deref() {
            Some("payload") => "payload",
            _ => "result",
        }
    }
}

/// Compiles the body of an async function.
pub(super) fn compile(body: LoadBody) -> Result<Loaded, LoadFailure> {
    let LoadBody { name, code, params, memory_limit, max_payload, warm } = body;
    let file = trace::file_name(&name);
    let script = CString::new(file.clone()).map_err(|_| LoadFailure::general("The name holds a zero byte"))?;
    let engine = Engine::new(memory_limit, true)
        .ok_or_else(|| LoadFailure::general(format!("A memory limit of {memory_limit} bytes is too small to start with")))?;
    let js = engine.js();
    let names = params.join(",");
    // A block of its own, so that the body may declare a name that is also a parameter.
    let source = format!("(async function({names}){{{{\n{code}\n}}}})");
    let bytecode = js.compile(&source, &script).map_err(|Exception| syntax_error(&engine, &file, &code))?;
    // Compiled as something else as well: code that closes the function around it and opens another fits one wrapper, not both. The
    // brace that the code leaves open at its end would have to be a `do` here and can't be one above.
    let other = format!("(async function({names}){{do{{\n{code}\n}}while(0)}})");
    if js.compile(&other, &script).is_err() {
        drop(js.take_exception());
        return Err(LoadFailure::general("The code closes the function that it is the body of: it has a } too many before one too few"));
    }
    let first_param = params.into_iter().next();
    Ok(Loaded { file, code, bytecode, memory_limit, max_payload, warm, first_param })
}

fn syntax_error(engine: &Engine, file: &str, code: &str) -> LoadFailure {
    let js = engine.js();
    let error = js.take_exception();
    if engine.heap().refused() {
        return LoadFailure::general("The code could not be compiled within the memory limit of the extension");
    }
    // The parser's way to say that its stack ended; a mistake in the text is a SyntaxError.
    if js.get(error.raw(), c"name").and_then(|n| js.text(n.raw())).is_ok_and(|name| name == "RangeError") {
        return LoadFailure::general("The code is nested too deeply to be compiled");
    }
    let message = match js.get(error.raw(), c"message").and_then(|m| js.text(m.raw())) {
        Ok(message) => cut(message, MAX_MESSAGE),
        Err(Exception) => "The code could not be compiled".into(),
    };
    let stack = js.get(error.raw(), c"stack").and_then(|s| js.text(s.raw())).unwrap_or_default();
    let (_, place) = trace::author_stack(&stack, file, code);
    LoadFailure { message, line: place.map(|p| p.line), column: place.map(|p| p.column), frame: place.map(|p| trace::code_frame(code, p)) }
}

/// The exception that waits, as text.
pub(super) fn thrown_text(js: Js) -> String {
    let error = js.take_exception();
    let stack = js.get(error.raw(), c"stack").and_then(|s| js.text(s.raw())).unwrap_or_default();
    format!("{} {stack}", js.text(error.raw()).unwrap_or_default())
}

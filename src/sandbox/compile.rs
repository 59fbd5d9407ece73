//! Source to bytecode, in the worker, once per unit: what can't be compiled is told with line, column and code frame.
//!
//! The engine that compiles is thrown away afterwards; the isolates that run have no compiler.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::rc::Rc;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ServiceSource;
use super::engine::{Engine, Exception, Js};
use super::failure::{LoadFailure, Problem, cut};
use super::limits::MAX_MESSAGE;
use super::modules::{Graph, Modules};
use super::strip::strip_body;
use super::trace::{self, OWN, SourceText, Sources, Spot};

/// Heap for compiling our own scripts.
const OWN_HEAP: usize = 64 * 1024 * 1024;

/// What lets tests reach the glue from code that they run; nothing does otherwise.
#[cfg(test)]
macro_rules! seam {
    () => {
        "define(globalThis, 'glue', need);\ndefine(globalThis, 'shown', { inspect });\n"
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
    include_str!("prelude/register.js"),
    include_str!("prelude/exchange.js"),
    include_str!("prelude/flows.js"),
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
    ("web/compression", include_str!("prelude/web/compression.js")),
    (
        "web/crypto",
        concat!(
            include_str!("prelude/web/crypto_keys.js"),
            include_str!("prelude/web/crypto_algorithms.js"),
            include_str!("prelude/web/crypto.js")
        ),
    ),
    ("web/performance", include_str!("prelude/web/performance.js")),
    ("console", include_str!("prelude/console_more.js")),
];

/// Our own scripts, compiled.
pub(super) struct Program {
    pub prelude: Vec<u8>,
    /// What the glue loads when it is first needed: compiled then, because all of it takes several times as long as the rest of a
    /// worker's start.
    later: Vec<OnceCell<Vec<u8>>>,
    /// Names with bytecode, in the order of declaration.
    pub services: Vec<(String, Vec<u8>)>,
    /// What makes the object that `register` is given.
    pub sdk: Vec<u8>,
}

impl Program {
    /// Compiles the glue and the JS halves of the services; an error is a mistake of ours and names the script.
    pub(super) fn compile(services: &[ServiceSource], sdk: &str) -> Result<Rc<Self>, String> {
        let engine = Engine::new(OWN_HEAP, true).ok_or("no memory to start with")?;
        let own = |name: &str, source: &str| compile_own(&engine, name, source);
        let prelude = own("prelude", PRELUDE)?;
        let later = LATER.iter().map(|_| OnceCell::new()).collect();
        let services =
            services.iter().map(|s| Ok((s.name.to_owned(), own(s.name, &format!("(\n{}\n)", s.js))?))).collect::<Result<_, String>>()?;
        let sdk = own("sdk", &format!("(\n{sdk}\n)"))?;
        Ok(Rc::new(Self { prelude, later, services, sdk }))
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

/// A step of loading a unit, as the host sends it.
#[derive(Serialize, Deserialize)]
pub(super) enum LoadStep {
    /// What to load.
    Begin(LoadBody),
    /// What to compile and forget: whether that can be done is all that is asked.
    Probe(LoadBody),
    /// The files that [`LoadAnswer::Need`] asked for, with their texts; without one where there is no such file.
    Files(BTreeMap<String, Option<Arc<str>>>),
}

/// What a worker answers to a step.
#[derive(Serialize, Deserialize)]
pub(super) enum LoadAnswer {
    /// Files of packages, without which it can't go on.
    Need(Vec<String>),
    /// The unit doesn't load.
    Failed(LoadFailure),
    /// It is loaded.
    Loaded {
        /// What `register` registered.
        registrations: Vec<Value>,
        /// What it wrote to its console: level as in the frame of a log line, and text.
        lines: Vec<(u8, String)>,
    },
}

/// What a worker is told to load.
#[derive(Serialize, Deserialize)]
pub(super) struct LoadBody {
    pub name: String,
    pub source: LoadSource,
    pub memory_limit: usize,
    pub max_payload: usize,
    pub warm: bool,
    /// Name and code of its parts.
    pub parts: BTreeMap<String, Arc<str>>,
}

/// The source of a unit on its way.
#[derive(Serialize, Deserialize)]
pub(super) enum LoadSource {
    Body { code: String, params: Vec<String>, answers: bool },
    Modules { entry: String, files: BTreeMap<String, Option<Arc<str>>> },
}

/// A unit, compiled.
pub(super) struct Loaded {
    pub sources: Sources,
    pub code: Code,
    /// What of the web platform is part of what every call starts with: loading it takes longer than most calls.
    pub wants: Wants,
    pub memory_limit: usize,
    pub max_payload: usize,
    pub warm: bool,
    /// The bytecode of its parts, by name: async functions too.
    pub parts: BTreeMap<String, Vec<u8>>,
}

/// What a unit was compiled to.
pub(super) enum Code {
    /// The bytecode of an async function.
    Body(Vec<u8>),
    Modules(Modules),
}

/// How far compiling came.
pub(super) enum Compiled {
    Whole(Loaded),
    /// These files are needed to go on.
    Lacks(Box<Compiler>, Vec<String>),
}

/// A unit of modules that is being compiled.
pub(super) struct Compiler {
    graph: Graph,
    memory_limit: usize,
    max_payload: usize,
    warm: bool,
    parts: BTreeMap<String, Arc<str>>,
}

/// Begins to compile a unit. One that is a body is done at once.
pub(super) fn compile(body: LoadBody) -> Result<Compiled, LoadFailure> {
    let LoadBody { name, source, memory_limit, max_payload, warm, parts } = body;
    match source {
        LoadSource::Body { code, params, answers } => {
            let mut sources = Sources::default();
            let bytecode = compile_body(trace::script_name(&name, None), &code, &params, memory_limit, &mut sources)?;
            let mut wants = parts.values().fold(Wants::of(&code), |wants, code| wants.and(Wants::of(code)));
            if answers {
                wants = wants.and(Wants::WEB);
            }
            let parts = compile_parts(&parts, memory_limit, &mut sources)?;
            Ok(Compiled::Whole(Loaded { sources, code: Code::Body(bytecode), wants, memory_limit, max_payload, warm, parts }))
        }
        LoadSource::Modules { entry, files } => {
            let graph = Graph::new(&name, entry, memory_limit)?;
            Compiler { graph, memory_limit, max_payload, warm, parts }.with(files)
        }
    }
}

impl Compiler {
    /// Goes on with these files.
    pub(super) fn with(mut self, files: BTreeMap<String, Option<Arc<str>>>) -> Result<Compiled, LoadFailure> {
        let need = self.graph.go_on(files);
        if !need.is_empty() {
            return Ok(Compiled::Lacks(Box::new(self), need));
        }
        let Self { graph, memory_limit, max_payload, warm, parts } = self;
        let (modules, mut sources, wants) = graph.finish()?;
        let wants = parts.values().fold(wants, |wants, code| wants.and(Wants::of(code)));
        let parts = compile_parts(&parts, memory_limit, &mut sources)?;
        Ok(Compiled::Whole(Loaded { sources, code: Code::Modules(modules), wants, memory_limit, max_payload, warm, parts }))
    }
}

/// Parts of the web platform, as bits that `register.js` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wants(u32);

impl Wants {
    pub(super) const WEB: Self = Self(1);
    const CRYPTO: Self = Self(2);
    const COMPRESSION: Self = Self(4);

    /// What a text has words of. Finding one too many costs little.
    pub(super) fn of(text: &str) -> Self {
        const WORDS: [(&str, Wants); 12] = [
            ("URL", Wants::WEB),
            ("Request", Wants::WEB),
            ("Response", Wants::WEB),
            ("Headers", Wants::WEB),
            ("FormData", Wants::WEB),
            ("Blob", Wants::WEB),
            ("Stream", Wants::WEB),
            ("TextEncoder", Wants::WEB),
            ("TextDecoder", Wants::WEB),
            ("crypto.", Wants::CRYPTO),
            ("subtle", Wants::CRYPTO),
            ("ompressionStream", Wants::COMPRESSION),
        ];
        WORDS.iter().filter(|(word, _)| text.contains(word)).fold(Self::default(), |all, (_, wants)| all.and(*wants))
    }

    /// Both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn bits(self) -> u32 {
        self.0
    }
}

/// The names in scope of a part.
const PART_PARAMS: [&str; 2] = ["context", "services"];

fn compile_parts(
    parts: &BTreeMap<String, Arc<str>>,
    memory_limit: usize,
    sources: &mut Sources,
) -> Result<BTreeMap<String, Vec<u8>>, LoadFailure> {
    let params = PART_PARAMS.map(str::to_owned);
    let one =
        |(name, code): (&String, &Arc<str>)| Ok((name.clone(), compile_body(part_script(name), code, &params, memory_limit, sources)?));
    parts.iter().map(one).collect()
}

/// The name of a part in stacks. A part of the host's own is no more the author's than the glue is.
fn part_script(name: &str) -> String {
    if name.starts_with(OWN) { name.to_owned() } else { trace::script_name("service", Some(name)) }
}

/// JavaScript is compiled as it is; what isn't JavaScript may be TypeScript. The order matters: some texts are both and mean different
/// things, `a < b > (c)` for one.
fn compile_body(script: String, code: &str, params: &[String], memory_limit: usize, sources: &mut Sources) -> Result<Vec<u8>, LoadFailure> {
    let author = |places| SourceText { text: code.to_owned(), wrapper_lines: 1, places, ..SourceText::default() };
    sources.add(script.clone(), author(None));
    let problem = match compile_function(&script, code, params, memory_limit, sources)? {
        Ok(bytecode) => return Ok(bytecode),
        Err(problem) => problem,
    };
    // Where the engine gave up for want of stack or memory there is no place, and nothing to gain.
    if problem.line.is_none() {
        return Err(problem.into());
    }
    match strip_body(code) {
        Ok((stripped, places)) => {
            sources.add(script.clone(), author(Some(places)));
            compile_function(&script, &stripped, params, memory_limit, sources)?.map_err(LoadFailure::from)
        }
        // It is neither: the mistake is where the reading that came further stopped.
        Err(problems) => {
            let place = |problem: &Problem| (problem.line, problem.column);
            match problems.into_iter().next() {
                Some(other) if place(&other) > place(&problem) => Err(other.into()),
                _ => Err(problem.into()),
            }
        }
    }
}

/// The bytecode of an async function with this body, or what is wrong with its text.
fn compile_function(
    script: &str,
    code: &str,
    params: &[String],
    memory_limit: usize,
    sources: &Sources,
) -> Result<Result<Vec<u8>, Problem>, LoadFailure> {
    let file = CString::new(script).map_err(|_| LoadFailure::general("The name holds a zero byte"))?;
    let engine = Engine::new(memory_limit, true)
        .ok_or_else(|| LoadFailure::general(format!("A memory limit of {memory_limit} bytes is too small to start with")))?;
    let js = engine.js();
    let names = params.join(",");
    // A block of its own, so that the body may declare a name that is also a parameter.
    let source = format!("(async function({names}){{{{\n{code}\n}}}})");
    let bytecode = match js.compile(&source, &file) {
        Ok(bytecode) => bytecode,
        Err(Exception) => return Ok(Err(syntax_error(&engine, sources, None))),
    };
    // Compiled as something else as well: code that closes the function around it and opens another fits one wrapper, not both. The
    // brace that the code leaves open at its end would have to be a `do` here and can't be one above.
    let other = format!("(async function({names}){{do{{\n{code}\n}}while(0)}})");
    if js.compile(&other, &file).is_err() {
        drop(js.take_exception());
        return Err(LoadFailure::general("The code closes the function that it is the body of: it has a } too many before one too few"));
    }
    Ok(Ok(bytecode))
}

/// Why the engine refused to compile a text, which is the author's file `file` if it is one of several.
pub(super) fn syntax_error(engine: &Engine, sources: &Sources, file: Option<&str>) -> Problem {
    let js = engine.js();
    let error = js.take_exception();
    let general = |message: &str| Problem { file: file.map(str::to_owned), ..Problem::general(message) };
    if engine.heap().refused() {
        return general("The code could not be compiled within the memory limit of the extension");
    }
    // The parser's way to say that its stack ended; a mistake in the text is a SyntaxError.
    if js.get(error.raw(), c"name").and_then(|n| js.text(n.raw())).is_ok_and(|name| name == "RangeError") {
        return general("The code is nested too deeply to be compiled");
    }
    let message = match js.get(error.raw(), c"message").and_then(|m| js.text(m.raw())) {
        Ok(message) => cut(message, MAX_MESSAGE),
        Err(Exception) => "The code could not be compiled".into(),
    };
    let stack = js.get(error.raw(), c"stack").and_then(|s| js.text(s.raw())).unwrap_or_default();
    let problem = Spot::problem(sources.author_stack(&stack).1, message);
    Problem { file: file.map(str::to_owned), ..problem }
}

/// The exception that waits, as text.
pub(super) fn thrown_text(js: Js) -> String {
    let error = js.take_exception();
    let stack = js.get(error.raw(), c"stack").and_then(|s| js.text(s.raw())).unwrap_or_default();
    format!("{} {stack}", js.text(error.raw()).unwrap_or_default())
}

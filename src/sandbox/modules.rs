//! ES modules of one unit: found, stripped of types and compiled one by one, joined when an isolate is made.
//!
//! Each file is compiled by itself, with stand-ins for what it imports, so that every file's mistakes are told and no chain of imports
//! is followed by recursion. Which file an import means is decided here once, in the worker, and only looked up later.
//!
//! What is imported by statements is found first, and anything wrong with it is wrong with the unit. Then comes what only `import()` with
//! a text in it can reach: what is wrong there is what that `import()` will reject with, because programs ask in this way for what they
//! can do without.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;

use rquickjs::qjs::{self, JSContext, JSModuleDef, JSValue};
use serde::de::IgnoredAny;

use super::compile::{Wants, syntax_error};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::{LoadFailure, Problem};
use super::imports::{self, Kind, Request, StandIns};
use super::limits::{MAX_IMPORT_DEPTH, MAX_MODULES};
use super::resolve::{self, Known, TEXT_ENDINGS, Target, resolve};
use super::shared::Shared;
use super::strip::{place_at, strip};
use super::trace::{self, OWN, Place, SourceText, Sources};

/// Heap for compiling, at least: a unit's own limit is about what its calls need.
const COMPILE_HEAP: usize = 64 * 1024 * 1024;

/// What an `import()` in a row rejects with.
const NO_MODULES: &str = "a runtime extension is one text and imports nothing: make it a folder to import";

/// Problems of a load that are told.
const MAX_PROBLEMS: usize = 100;

/// One compiled module.
pub(super) struct Module {
    /// Or why there is none.
    bytecode: Result<Vec<u8>, String>,
    /// The names of the scripts that its imports mean, or why one means nothing.
    imports: HashMap<Request, Result<String, String>>,
    /// The same for what asks without attributes when it runs: calls that do, and all statements, whose attributes the engine doesn't keep.
    unattributed: HashMap<String, Result<String, String>>,
    /// Whether it may ask where it is.
    uses_meta: bool,
    /// Whether it looks like CommonJS that also runs elsewhere: it exports nothing.
    is_script: bool,
}

impl Module {
    fn of(bytecode: Result<Vec<u8>, String>) -> Self {
        Self { bytecode, imports: HashMap::new(), unattributed: HashMap::new(), uses_meta: false, is_script: false }
    }
}

/// What a file imports, each with whether it does so by a call.
type Imports = Vec<(Request, bool)>;

/// A file as one of its importers wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Wanted {
    path: String,
    kind: Kind,
    /// How many imports it is away from the entry.
    depth: usize,
}

/// An import that is to be looked up.
struct Open {
    /// The importing file as it is wanted, for its text and its distance.
    base: Wanted,
    request: Request,
    is_call: bool,
}

/// The modules of a unit by the names of their scripts.
pub(super) struct Modules {
    by_script: HashMap<String, Module>,
    entry: String,
}

/// A unit whose modules are being found and compiled.
pub(super) struct Graph {
    unit: String,
    entry: String,
    known: Known,
    engine: Engine,
    sources: Sources,
    modules: HashMap<String, Module>,
    queue: VecDeque<Wanted>,
    /// The scripts that are or were in the queue.
    seen: HashSet<String>,
    /// Imports that could not be looked up yet.
    open: Vec<Open>,
    /// What is imported by calls, which come after all that is imported by statements.
    later: Vec<Open>,
    /// Whether the statements are through.
    at_calls: bool,
    problems: Vec<Problem>,
    wants: Wants,
}

impl Graph {
    pub(super) fn new(unit: &str, entry: String, memory_limit: usize) -> Result<Self, LoadFailure> {
        let engine =
            Engine::new(memory_limit.max(COMPILE_HEAP), true).ok_or_else(|| LoadFailure::general("There is no memory to compile in"))?;
        Ok(Self {
            unit: unit.to_owned(),
            known: Known::default(),
            engine,
            sources: Sources::default(),
            modules: HashMap::new(),
            queue: VecDeque::from([Wanted { path: entry.clone(), kind: Kind::Named, depth: 0 }]),
            seen: HashSet::from([trace::script_name(unit, Some(&entry))]),
            open: Vec::new(),
            later: Vec::new(),
            at_calls: false,
            problems: Vec::new(),
            wants: Wants::default(),
            entry,
        })
    }

    /// Compiles as far as it gets with these files too. Answers the files without which it can't go on; none when it is through.
    pub(super) fn go_on(&mut self, files: BTreeMap<String, Option<Arc<str>>>) -> Vec<String> {
        self.known.add(files);
        loop {
            for open in std::mem::take(&mut self.open) {
                self.import(open);
            }
            if let Some(wanted) = self.queue.pop_front() {
                self.compile(&wanted);
                continue;
            }
            let need = self.known.take_need();
            // With mistakes found it will not load: what else there is need not be looked for.
            if !need.is_empty() || self.at_calls || !self.problems.is_empty() {
                return need;
            }
            self.at_calls = true;
            self.open = std::mem::take(&mut self.later);
        }
    }

    /// The compiled modules with their sources and whether they may use the web platform's classes; or everything that is wrong.
    pub(super) fn finish(mut self) -> Result<(Modules, Sources, Wants), LoadFailure> {
        if !self.problems.is_empty() {
            self.problems.truncate(MAX_PROBLEMS);
            return Err(LoadFailure { problems: self.problems });
        }
        let entry = trace::script_name(&self.unit, Some(&self.entry));
        Ok((Modules { by_script: self.modules, entry }, self.sources, self.wants))
    }

    fn compile(&mut self, wanted: &Wanted) {
        let script = self.script(&wanted.path, wanted.kind);
        match self.compiled(wanted, &script) {
            Ok((module, requests)) => {
                self.modules.insert(script, module);
                for (request, is_call) in requests {
                    let open = Open { base: wanted.clone(), request, is_call };
                    if is_call && !self.at_calls {
                        self.later.push(open);
                    } else {
                        self.import(open);
                    }
                }
            }
            Err(problems) if self.at_calls => {
                let told = problems.first().map_or_else(String::new, |problem| match (&problem.file, problem.line) {
                    (Some(file), Some(line)) => format!("{file}:{line}: {}", problem.message),
                    (Some(file), None) => format!("{file}: {}", problem.message),
                    (None, _) => problem.message.clone(),
                });
                self.modules.insert(script, Module::of(Err(told)));
            }
            Err(problems) => {
                for problem in problems {
                    if !self.problems.iter().any(|p| p.message == problem.message && p.file == problem.file && p.line == problem.line) {
                        self.problems.push(problem);
                    }
                }
            }
        }
    }

    /// A compiled file and what it imports.
    fn compiled(&mut self, wanted: &Wanted, script: &str) -> Result<(Module, Imports), Vec<Problem>> {
        let path = &wanted.path;
        let one = |message: String| vec![Problem::in_file(path, message)];
        let text = self.known.text(path).ok_or_else(|| one("There is no such file".to_owned()))?;
        if wanted.depth > MAX_IMPORT_DEPTH {
            let message = format!("The imports are nested too deeply: a file may be {MAX_IMPORT_DEPTH} imports away from the entry");
            return Err(vec![Problem::general(message)]);
        }
        if self.modules.len() >= MAX_MODULES {
            return Err(vec![Problem::general(format!("There are too many modules: an extension may have {MAX_MODULES}"))]);
        }
        let (code, places) = javascript(path, wanted.kind, &text)?;
        let is_code = wanted.kind == Kind::Named && !path.ends_with(".json");
        if is_code {
            self.wants = self.wants.and(Wants::of(&text));
        }
        let name = CString::new(script).map_err(|_| one("Its name holds a zero byte".to_owned()))?;
        self.sources
            .add(script.to_owned(), SourceText { file: Some(path.clone()), text: text.to_string(), places, ..SourceText::default() });
        let requests = RefCell::new(Vec::new());
        let compiled = {
            let _stand_ins = StandIns::new(&self.engine, &requests);
            self.engine.js().compile_module(&code, &name)
        };
        let mut module = match compiled {
            Ok(bytecode) => Module::of(Ok(bytecode)),
            Err(Exception) => return Err(vec![syntax_error(&self.engine, &self.sources, Some(path))]),
        };
        let mut requests: Imports = requests.into_inner().into_iter().map(|request| (request, false)).collect();
        if is_code {
            module.uses_meta = text.contains("import.meta");
            if requests.is_empty() && imports::may_be_common_js(&code) && imports::exports_nothing(&code) {
                if !imports::asks_where_it_is(&code) {
                    return Err(one(format!("It is CommonJS, and only ES modules can be imported: {}", instead_of_common_js(path))));
                }
                module.is_script = true;
            }
            requests.extend(imports::calls(&code).into_iter().map(|request| (request, true)));
        }
        Ok((module, requests))
    }

    fn script(&self, path: &str, kind: Kind) -> String {
        let script = trace::script_name(&self.unit, Some(path));
        match kind {
            Kind::Json if !path.ends_with(".json") => format!("{script}?json"),
            Kind::Text => format!("{script}?text"),
            Kind::Named | Kind::Json => script,
        }
    }

    /// Looks an import up, and has what it means compiled.
    fn import(&mut self, open: Open) {
        let Open { base, request, is_call } = &open;
        let others = self.known.take_need();
        let found = match request.kind {
            Ok(kind) => (resolve(&mut self.known, &base.path, &request.specifier), kind),
            Err(()) => (Target::Nothing(imports::UNKNOWN_ATTRIBUTES.to_owned()), Kind::Named),
        };
        let lacks = self.known.is_lacking();
        self.known.need_again(others);
        if lacks {
            self.open.push(open);
            return;
        }
        let script = match found {
            (Target::File(path), kind) => {
                let script = self.script(&path, kind);
                if self.seen.insert(script.clone()) {
                    // A `.json` file is the same however it is asked for.
                    let kind = if kind == Kind::Json && path.ends_with(".json") { Kind::Named } else { kind };
                    self.queue.push_back(Wanted { path, kind, depth: base.depth + 1 });
                }
                Ok(script)
            }
            (Target::Sdk, _) => {
                let script = format!("{OWN}sdk");
                if !self.modules.contains_key(&script)
                    && let Ok(bytecode) = self.engine.js().compile_module("export {};", c"trellis:sdk")
                {
                    self.modules.insert(script.clone(), Module::of(Ok(bytecode)));
                }
                Ok(script)
            }
            (Target::Nothing(why), _) => {
                let problem = self.bad_import(&base.path, &request.specifier, &why);
                if !self.at_calls {
                    return self.problems.push(problem);
                }
                Err(problem.message)
            }
        };
        let importer = self.script(&base.path, base.kind);
        let Some(module) = self.modules.get_mut(&importer) else { return };
        if !is_call || request.kind == Ok(Kind::Named) {
            let one = module.unattributed.entry(request.specifier.clone()).or_insert_with(|| script.clone());
            if *one != script {
                let problem =
                    self.bad_import(&base.path, &request.specifier, "this file already imports it as something else: do so in another");
                return self.problems.push(problem);
            }
        }
        module.imports.insert(open.request, script);
    }

    fn bad_import(&mut self, base: &str, specifier: &str, why: &str) -> Problem {
        let shown: String = specifier.chars().take(200).collect();
        let message = format!("`{shown}` can't be imported: {why}");
        let place = self.known.text(base).and_then(|text| {
            let at = ["'", "\""].iter().find_map(|quote| text.find(&format!("{quote}{specifier}{quote}")))?;
            let place = place_at(&text, at);
            Some((place, trace::code_frame(&text, place)))
        });
        match place {
            Some((Place { line, column }, frame)) => {
                Problem { message, file: Some(base.to_owned()), line: Some(line), column: Some(column), frame: Some(frame) }
            }
            None => Problem::in_file(base, message),
        }
    }
}

/// The JavaScript of a file.
fn javascript(path: &str, kind: Kind, text: &str) -> Result<(String, Option<super::strip::PlaceMap>), Vec<Problem>> {
    let unreadable = |_| vec![Problem::in_file(path, "It can't be read")];
    let ending = match kind {
        Kind::Text => {
            let literal = serde_json::to_string(text).map_err(unreadable)?;
            return Ok((format!("export default {literal};"), None));
        }
        Kind::Json => "json",
        Kind::Named => path.rsplit_once('.').map_or("", |(_, ending)| ending),
    };
    match ending {
        "ts" | "mts" => strip(path, text).map(|(code, places)| (code, Some(places))),
        "json" => {
            let at = |error: serde_json::Error| {
                let number = |n: usize| u32::try_from(n.max(1)).unwrap_or(u32::MAX);
                let place = Place { line: number(error.line()), column: number(error.column()) };
                let mut problem = Problem::in_file(path, format!("It isn't JSON: {error}"));
                (problem.line, problem.column) = (Some(place.line), Some(place.column));
                problem.frame = Some(trace::code_frame(text, place));
                vec![problem]
            };
            serde_json::from_str::<IgnoredAny>(text).map_err(at)?;
            let literal = serde_json::to_string(text).map_err(unreadable)?;
            Ok((format!("export default JSON.parse({literal});"), None))
        }
        "cjs" | "cts" => {
            Err(vec![Problem::in_file(path, "It is CommonJS by its name, and only ES modules can be imported: name it `.mjs` or `.mts`")])
        }
        _ if TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending)) => {
            Err(vec![Problem::in_file(path, "It isn't code: import it with { type: 'text' } to have its text")])
        }
        _ => Ok((text.to_owned(), None)),
    }
}

/// What to do about a file of CommonJS.
fn instead_of_common_js(path: &str) -> &'static str {
    if resolve::is_package_path(path) {
        "look for a version of the package that has ES modules, or bundle it into one (`esbuild --bundle --format=esm`)"
    } else {
        "write `export` and `import` in place of `module.exports` and `require`"
    }
}

impl Modules {
    /// Evaluates the entry with everything that it imports, in an isolate whose [`Shared`] knows the unit that this belongs to. Answers
    /// the promise of the evaluation and the namespace of the entry.
    pub(super) fn evaluate(&self, engine: &Engine, shared: &Shared) -> Result<(JSValue, JSValue), Exception> {
        let js = engine.js();
        answer_imports(engine, shared);
        let (definition, value) = self.read(js, &self.entry)?;
        // SAFETY: a live module.
        if unsafe { qjs::JS_ResolveModule(js.raw(), value.raw()) } < 0 {
            return Err(self.explained(js));
        }
        let promise = js.eval(value).map_err(|Exception| self.explained(js))?;
        // SAFETY: the module lives as long as its context.
        let namespace = js.own(unsafe { qjs::JS_GetModuleNamespace(js.raw(), definition) })?;
        Ok((promise.into_raw(), namespace.into_raw()))
    }

    /// The exception that waits, which says that something isn't exported, with the reason where that is CommonJS.
    fn explained(&self, js: Js) -> Exception {
        let error = js.take_exception();
        let message = js.get(error.raw(), c"message").and_then(|message| js.text(message.raw())).unwrap_or_default();
        // The engine cuts long names.
        let named = message.rsplit_once("in module '").map_or("", |(_, rest)| rest.trim_end_matches('\''));
        let script = self.by_script.iter().find(|(script, module)| module.is_script && !named.is_empty() && script.starts_with(named));
        if let Some((script, _)) = script {
            return throw_type_error(
                js.raw(),
                &format!("{message}: it is CommonJS, and only ES modules export something; {}", instead_of_common_js(script)),
            );
        }
        // SAFETY: the engine takes the hold over.
        unsafe { qjs::JS_Throw(js.raw(), error.into_raw()) };
        Exception
    }

    /// Reads a module into an engine, once for each time that it is asked for; the engine remembers by name.
    fn read(&self, js: Js, script: &str) -> Result<(*mut JSModuleDef, Val), Exception> {
        let Some(module) = self.by_script.get(script) else {
            // SAFETY: a live context, a format that takes no argument.
            unsafe { qjs::JS_ThrowReferenceError(js.raw(), c"there is no such module".as_ptr()) };
            return Err(Exception);
        };
        let bytecode = module.bytecode.as_ref().map_err(|why| throw_type_error(js.raw(), why))?;
        let value = js.read(bytecode)?;
        // SAFETY: `compile_module` made the bytes, so the value is a module.
        let definition = unsafe { qjs::JS_VALUE_GET_PTR(value.raw()) }.cast::<JSModuleDef>();
        if module.uses_meta {
            // SAFETY: the module just read.
            let meta = js.own(unsafe { qjs::JS_GetImportMeta(js.raw(), definition) })?;
            js.set(&meta, c"url", js.string(format!("file:///{script}").as_bytes())?)?;
        }
        Ok((definition, value))
    }
}

/// Has imports of an isolate answered by the modules of its unit, or refused where that has none.
pub(super) fn answer_imports(engine: &Engine, shared: &Shared) {
    let address = std::ptr::from_ref(shared).cast_mut().cast::<c_void>();
    // SAFETY: as for the other functions that are registered with this address: the box outlives every run of the engine. The pointers
    // are part of what is remembered when the heap is sealed.
    unsafe {
        qjs::JS_SetModuleLoaderFunc2(engine.runtime(), None, Some(read_module), None, address);
        qjs::JS_SetModuleNormalizeFunc2(engine.runtime(), Some(look_up));
    }
}

/// Throws a `TypeError` of ours.
fn throw_type_error(ctx: *mut JSContext, text: &str) -> Exception {
    let text: CString = CString::new(text.replace('\0', " ")).unwrap_or_default();
    // SAFETY: a live context and texts with zeros behind them.
    unsafe { qjs::JS_ThrowTypeError(ctx, c"%s".as_ptr(), text.as_ptr()) };
    Exception
}

impl Modules {
    /// The script that `request` means in the module `base`, or why it means none.
    fn find(&self, base: &str, request: &Request) -> Result<String, String> {
        let shown: String = request.specifier.chars().take(200).collect();
        let Some(module) = self.by_script.get(base) else {
            return Err(format!("import('{shown}') isn't possible here"));
        };
        let found = match request.kind {
            Err(()) => return Err(format!("import('{shown}') isn't possible: {}", imports::UNKNOWN_ATTRIBUTES)),
            Ok(Kind::Named) => module.unattributed.get(&request.specifier),
            _ => module.imports.get(request),
        };
        if let Some(found) = found {
            return found.clone();
        }
        // A path that was put together at run time is as good, if the module is there for another reason.
        let script = request.specifier.starts_with('.').then(|| resolve::join(resolve::parent(base), &request.specifier)).flatten();
        match script.filter(|script| request.kind == Ok(Kind::Named) && self.by_script.contains_key(script)) {
            Some(script) => Ok(script),
            None => Err(format!(
                "import('{shown}') isn't possible: modules are found before the code runs, so the name must stand in it as a plain text, or \
                 be the path of a file that is imported elsewhere"
            )),
        }
    }
}

/// Which module an import means, in an isolate.
unsafe extern "C" fn look_up(
    ctx: *mut JSContext,
    base: *const c_char,
    name: *const c_char,
    attributes: JSValue,
    shared: *mut c_void,
) -> *mut c_char {
    // SAFETY: the address that `evaluate` gave, a live context and texts of the engine's.
    unsafe {
        let shared = &*shared.cast::<Shared>().cast_const();
        let (base, specifier) = (CStr::from_ptr(base).to_string_lossy(), CStr::from_ptr(name).to_string_lossy());
        let Some(js) = Js::from_raw(ctx) else { return std::ptr::null_mut() };
        let request = Request { specifier: specifier.into_owned(), kind: imports::kind_of(js, attributes) };
        let found = shared.with_modules(|modules| modules.find(&base, &request)).unwrap_or_else(|| Err(NO_MODULES.to_owned()));
        match found {
            Ok(script) => {
                let script = CString::new(script).unwrap_or_default();
                qjs::js_strdup(ctx, script.as_ptr())
            }
            Err(why) => {
                throw_type_error(ctx, &why);
                std::ptr::null_mut()
            }
        }
    }
}

unsafe extern "C" fn read_module(ctx: *mut JSContext, name: *const c_char, shared: *mut c_void, _: JSValue) -> *mut JSModuleDef {
    // SAFETY: as in `look_up`. The engine holds every module that it has read, so the value need not be kept.
    unsafe {
        let shared = &*shared.cast::<Shared>().cast_const();
        let name = CStr::from_ptr(name).to_string_lossy();
        let Some(js) = Js::from_raw(ctx) else { return std::ptr::null_mut() };
        match shared.with_modules(|modules| modules.read(js, &name)) {
            Some(Ok((definition, _))) => definition,
            Some(Err(Exception)) | None => std::ptr::null_mut(),
        }
    }
}

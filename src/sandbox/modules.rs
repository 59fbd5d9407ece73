//! ES modules of one unit: found, stripped of types and compiled one by one, joined when an isolate is made.
//!
//! Each file is compiled by itself, with stand-ins for what it imports, so that every file's mistakes are told and no chain of imports
//! is followed by recursion. Which file an import means is decided here once, in the worker, and only looked up later.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::Arc;

use rquickjs::qjs::{self, JSContext, JSModuleDef, JSValue};
use serde::de::IgnoredAny;

use super::compile::{Wants, syntax_error};
use super::engine::{Engine, Exception, Js, Val};
use super::failure::{LoadFailure, Problem};
use super::limits::{MAX_IMPORT_DEPTH, MAX_MODULES};
use super::resolve::{Known, Target, resolve};
use super::shared::Shared;
use super::strip::{place_at, strip};
use super::trace::{self, OWN, Place, SourceText, Sources};

/// Heap for compiling, at least: a unit's own limit is about what its calls need.
const COMPILE_HEAP: usize = 64 * 1024 * 1024;

/// Problems of a load that are told.
const MAX_PROBLEMS: usize = 100;

/// One compiled module.
pub(super) struct Module {
    bytecode: Vec<u8>,
    /// By specifier, the names of the scripts that its imports mean.
    imports: HashMap<String, String>,
    /// Whether it may ask where it is.
    uses_meta: bool,
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
    /// Files to compile, with their distance from the entry.
    queue: VecDeque<(String, usize)>,
    seen: HashSet<String>,
    /// Imports that could not be looked up yet: the importing file with its distance, and the specifier.
    open: Vec<(String, usize, String)>,
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
            queue: VecDeque::from([(entry.clone(), 0)]),
            seen: HashSet::from([entry.clone()]),
            open: Vec::new(),
            problems: Vec::new(),
            wants: Wants::default(),
            entry,
        })
    }

    /// Compiles as far as it gets with these files too. Answers the files without which it can't go on; none when it is through.
    pub(super) fn go_on(&mut self, files: BTreeMap<String, Option<Arc<str>>>) -> Vec<String> {
        self.known.add(files);
        loop {
            for (base, depth, specifier) in std::mem::take(&mut self.open) {
                self.import(base, depth, specifier);
            }
            let Some((path, depth)) = self.queue.pop_front() else { return self.known.take_need() };
            self.compile(&path, depth);
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

    fn compile(&mut self, path: &str, depth: usize) {
        let Some(text) = self.known.text(path) else {
            self.problems.push(Problem::in_file(path, "There is no such file"));
            return;
        };
        if self.modules.len() >= MAX_MODULES || depth > MAX_IMPORT_DEPTH {
            let message = if depth > MAX_IMPORT_DEPTH {
                format!("The imports are nested too deeply: a file may be {MAX_IMPORT_DEPTH} imports away from the entry")
            } else {
                format!("There are too many modules: an extension may have {MAX_MODULES}")
            };
            if !self.problems.iter().any(|p| p.message == message) {
                self.problems.push(Problem::in_file(path, message));
            }
            return;
        }
        self.wants = self.wants.and(Wants::of(&text));
        let (code, places) = match javascript(path, &text) {
            Ok(made) => made,
            Err(problems) => return self.problems.extend(problems),
        };
        let script = trace::script_name(&self.unit, Some(path));
        let Ok(name) = CString::new(script.clone()) else {
            return self.problems.push(Problem::in_file(path, "Its name holds a zero byte"));
        };
        self.sources
            .add(script.clone(), SourceText { file: Some(path.to_owned()), text: text.to_string(), places, ..SourceText::default() });
        let requests = RefCell::new(Vec::new());
        let compiled = {
            let _stand_ins = StandIns::new(&self.engine, &requests);
            self.engine.js().compile_module(&code, &name)
        };
        let bytecode = match compiled {
            Ok(bytecode) => bytecode,
            Err(Exception) => return self.problems.push(syntax_error(&self.engine, &self.sources, Some(path))),
        };
        self.modules.insert(script, Module { bytecode, imports: HashMap::new(), uses_meta: text.contains("import.meta") });
        for specifier in requests.into_inner() {
            self.import(path.to_owned(), depth, specifier);
        }
    }

    /// Looks an import up, and has what it means compiled.
    fn import(&mut self, base: String, depth: usize, specifier: String) {
        let others = self.known.take_need();
        let target = resolve(&mut self.known, &base, &specifier);
        let lacks = self.known.is_lacking();
        self.known.need_again(others);
        if lacks {
            self.open.push((base, depth, specifier));
            return;
        }
        let script = match target {
            Target::File(path) => {
                let script = trace::script_name(&self.unit, Some(&path));
                if self.seen.insert(path.clone()) {
                    self.queue.push_back((path, depth + 1));
                }
                script
            }
            Target::Sdk => {
                let script = format!("{OWN}sdk");
                if !self.modules.contains_key(&script)
                    && let Ok(bytecode) = self.engine.js().compile_module("export {};", c"trellis:sdk")
                {
                    self.modules.insert(script.clone(), Module { bytecode, imports: HashMap::new(), uses_meta: false });
                }
                script
            }
            Target::Nothing(why) => {
                let problem = self.bad_import(&base, &specifier, &why);
                return self.problems.push(problem);
            }
        };
        let importer = trace::script_name(&self.unit, Some(&base));
        if let Some(module) = self.modules.get_mut(&importer) {
            module.imports.insert(specifier, script);
        }
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
fn javascript(path: &str, text: &str) -> Result<(String, Option<super::strip::PlaceMap>), Vec<Problem>> {
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
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
            let literal = serde_json::to_string(text).map_err(|_| vec![Problem::in_file(path, "It can't be read")])?;
            Ok((format!("export default JSON.parse({literal});"), None))
        }
        "cjs" | "cts" => {
            Err(vec![Problem::in_file(path, "It is CommonJS by its name, and only ES modules can be imported: name it `.mjs` or `.mts`")])
        }
        _ => Ok((text.to_owned(), None)),
    }
}

/// Lets a module be compiled without those that it imports: every import is written down and given the same empty module.
struct StandIns<'a>(&'a Engine);

impl<'a> StandIns<'a> {
    fn new(engine: &'a Engine, requests: &'a RefCell<Vec<String>>) -> Self {
        let address = std::ptr::from_ref(requests).cast_mut().cast::<c_void>();
        // SAFETY: the list outlives the stand-ins, which take themselves out of the runtime again.
        unsafe { qjs::JS_SetModuleLoaderFunc2(engine.runtime(), Some(note_import), Some(empty_module), None, address) };
        Self(engine)
    }
}

impl Drop for StandIns<'_> {
    fn drop(&mut self) {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_SetModuleLoaderFunc2(self.0.runtime(), None, None, None, std::ptr::null_mut()) };
    }
}

unsafe extern "C" fn note_import(ctx: *mut JSContext, _base: *const c_char, name: *const c_char, requests: *mut c_void) -> *mut c_char {
    // SAFETY: the list that `StandIns` gave, and a text of the engine's.
    unsafe {
        let requests = &*requests.cast::<RefCell<Vec<String>>>().cast_const();
        requests.borrow_mut().push(CStr::from_ptr(name).to_string_lossy().into_owned());
        qjs::js_strdup(ctx, c"trellis:import".as_ptr())
    }
}

unsafe extern "C" fn empty_module(ctx: *mut JSContext, name: *const c_char, _: *mut c_void, _: JSValue) -> *mut JSModuleDef {
    // SAFETY: a live context and a text of the engine's.
    unsafe { qjs::JS_NewCModule(ctx, name, None) }
}

impl Modules {
    /// Evaluates the entry with everything that it imports, in an isolate whose [`Shared`] knows the unit that this belongs to. Answers
    /// the promise of the evaluation and the namespace of the entry.
    pub(super) fn evaluate(&self, engine: &Engine, shared: &Shared) -> Result<(JSValue, JSValue), Exception> {
        let js = engine.js();
        let address = std::ptr::from_ref(shared).cast_mut().cast::<c_void>();
        // SAFETY: as for the other functions that are registered with this address: the box outlives every run of the engine. The
        // pointers are part of what is remembered when the heap is sealed.
        unsafe { qjs::JS_SetModuleLoaderFunc2(engine.runtime(), Some(look_up), Some(read_module), None, address) };
        let (definition, value) = self.read(js, &self.entry)?;
        // SAFETY: a live module.
        if unsafe { qjs::JS_ResolveModule(js.raw(), value.raw()) } < 0 {
            return Err(Exception);
        }
        let promise = js.eval(value)?;
        // SAFETY: the module lives as long as its context.
        let namespace = js.own(unsafe { qjs::JS_GetModuleNamespace(js.raw(), definition) })?;
        Ok((promise.into_raw(), namespace.into_raw()))
    }

    /// Reads a module into an engine, once for each time that it is asked for; the engine remembers by name.
    fn read(&self, js: Js, script: &str) -> Result<(*mut JSModuleDef, Val), Exception> {
        let Some(module) = self.by_script.get(script) else {
            // SAFETY: a live context, a format that takes no argument.
            unsafe { qjs::JS_ThrowReferenceError(js.raw(), c"there is no such module".as_ptr()) };
            return Err(Exception);
        };
        let value = js.read(&module.bytecode)?;
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

/// Which module an import means, in an isolate.
unsafe extern "C" fn look_up(ctx: *mut JSContext, base: *const c_char, name: *const c_char, shared: *mut c_void) -> *mut c_char {
    // SAFETY: the address that `evaluate` gave, a live context and texts of the engine's.
    unsafe {
        let shared = &*shared.cast::<Shared>().cast_const();
        let (base, specifier) = (CStr::from_ptr(base).to_string_lossy(), CStr::from_ptr(name).to_string_lossy());
        let found = shared.with_modules(|modules| modules.by_script.get(&*base)?.imports.get(&*specifier).cloned()).flatten();
        match found.and_then(|script| CString::new(script).ok()) {
            Some(script) => qjs::js_strdup(ctx, script.as_ptr()),
            None => {
                let shown: String = specifier.chars().take(200).collect();
                let text =
                    format!("import('{shown}') isn't possible: only what the same file also imports with an import statement can be had");
                let text = CString::new(text.replace('\0', " ")).unwrap_or_default();
                qjs::JS_ThrowTypeError(ctx, c"%s".as_ptr(), text.as_ptr());
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

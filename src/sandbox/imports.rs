//! What a module asks for: by statements, which the engine reports while it compiles, and by calls, which are looked for in the text.
//!
//! Knows texts only, no files; what a request means is decided by [`super::resolve`].

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};

use oxc::allocator::Allocator;
use oxc::parser::Parser;
use oxc::span::SourceType;
use rquickjs::qjs::{self, JSContext, JSModuleDef, JSValue};

use super::engine::{Engine, Js};

/// What is wrong with an import that says more than `type`, or another type.
pub(super) const UNKNOWN_ATTRIBUTES: &str = "of `with { … }` only `type: 'json'` and `type: 'text'` are known";

/// How a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// By the ending of its name.
    Named,
    /// `with { type: 'json' }`
    Json,
    /// `with { type: 'text' }`
    Text,
}

/// One import: what it names, and how it wants that taken if that is something we know.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Request {
    pub specifier: String,
    pub kind: Result<Kind, ()>,
}

/// What the attributes of an import ask for.
pub(super) fn kind_of(js: Js, attributes: JSValue) -> Result<Kind, ()> {
    // SAFETY: a live value.
    if !unsafe { qjs::JS_IsObject(attributes) } {
        return Ok(Kind::Named);
    }
    // The engine made the object, of texts and without a prototype: its JSON shows all there is.
    let Ok(json) = js.stringify(attributes) else {
        drop(js.take_exception());
        return Err(());
    };
    match json.as_str() {
        "{}" => Ok(Kind::Named),
        r#"{"type":"json"}"# => Ok(Kind::Json),
        r#"{"type":"text"}"# => Ok(Kind::Text),
        _ => Err(()),
    }
}

/// Lets a module be compiled without those that it imports: every import is written down and given the same empty module.
pub(super) struct StandIns<'a>(&'a Engine);

impl<'a> StandIns<'a> {
    pub(super) fn new(engine: &'a Engine, requests: &'a RefCell<Vec<Request>>) -> Self {
        let address = std::ptr::from_ref(requests).cast_mut().cast::<c_void>();
        // SAFETY: the list outlives the stand-ins, which take themselves out of the runtime again.
        unsafe {
            qjs::JS_SetModuleLoaderFunc2(engine.runtime(), None, Some(empty_module), None, address);
            qjs::JS_SetModuleNormalizeFunc2(engine.runtime(), Some(note_import));
        }
        Self(engine)
    }
}

impl Drop for StandIns<'_> {
    fn drop(&mut self) {
        // SAFETY: a live runtime.
        unsafe { qjs::JS_SetModuleLoaderFunc2(self.0.runtime(), None, None, None, std::ptr::null_mut()) };
    }
}

unsafe extern "C" fn note_import(
    ctx: *mut JSContext,
    _base: *const c_char,
    name: *const c_char,
    attributes: JSValue,
    requests: *mut c_void,
) -> *mut c_char {
    // SAFETY: the list that `StandIns` gave, and a text of the engine's.
    unsafe {
        let requests = &*requests.cast::<RefCell<Vec<Request>>>().cast_const();
        let Some(js) = Js::from_raw(ctx) else { return std::ptr::null_mut() };
        let specifier = CStr::from_ptr(name).to_string_lossy().into_owned();
        requests.borrow_mut().push(Request { specifier, kind: kind_of(js, attributes) });
        qjs::js_strdup(ctx, c"trellis:import".as_ptr())
    }
}

unsafe extern "C" fn empty_module(ctx: *mut JSContext, name: *const c_char, _: *mut c_void, _: JSValue) -> *mut JSModuleDef {
    // SAFETY: a live context and a text of the engine's.
    unsafe { qjs::JS_NewCModule(ctx, name, None) }
}

/// What the calls of `import()` in a JavaScript module ask for, where that is a plain text.
pub(super) fn calls(code: &str) -> Vec<Request> {
    let is_call = |(at, word): (usize, &str)| code[at + word.len()..].trim_start().starts_with('(');
    if !code.match_indices("import").any(is_call) {
        return Vec::new();
    }
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    let of = |from: u32, to: u32| code.get(from as usize..to as usize).unwrap_or_default();
    let request = |call: &oxc::syntax::module_record::DynamicImport| {
        let specifier = plain_text(of(call.module_request.start, call.module_request.end))?;
        let options: String = of(call.module_request.end, call.span.end).split_whitespace().collect();
        let options = options.replace('"', "'").replace("'type'", "type").replace(",}", "}");
        let kind = match options.trim_start_matches(',').trim_end_matches(')').trim_end_matches(',') {
            "" => Ok(Kind::Named),
            "{with:{type:'json'}}" => Ok(Kind::Json),
            "{with:{type:'text'}}" => Ok(Kind::Text),
            // What is computed is seen at run time.
            _ => return None,
        };
        Some(Request { specifier, kind })
    };
    parsed.module_record.dynamic_imports.iter().filter_map(request).collect()
}

/// What a literal without escapes and without insertions says.
fn plain_text(literal: &str) -> Option<String> {
    let quote = literal.chars().next().filter(|c| matches!(c, '\'' | '"' | '`'))?;
    let text = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    (!text.contains(['\\', '\n']) && !text.contains("${")).then(|| text.to_owned())
}

/// Whether a text has words of CommonJS.
pub(super) fn may_be_common_js(code: &str) -> bool {
    ["module.exports", "exports.", "Object.defineProperty(exports", "require("].iter().any(|word| code.contains(word))
}

/// Whether a JavaScript text has neither `import` nor `export`, so that importing it gives nothing.
pub(super) fn exports_nothing(code: &str) -> bool {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, code, SourceType::mjs()).parse();
    !parsed.panicked && !parsed.module_record.has_module_syntax
}

/// Whether CommonJS looks for its surroundings before it uses them: it may be imported for what it leaves on `globalThis`.
pub(super) fn asks_where_it_is(code: &str) -> bool {
    ["typeof exports", "typeof module", "typeof require", "typeof define"].iter().any(|question| code.contains(question))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_with_a_plain_text_are_found_and_others_are_not() {
        let code = "const a = await import('./a.mjs');\nimport b from './b.mjs';\nexport const c = () => import( `c` );\n\
            import(name); import('./d' + n); import(`./${e}`);\n// import('./f.mjs')\nconst g = \"import('./g.mjs')\";\n\
            import('./h.json', { with: { type: 'json' } }); import(\"./i.txt\", { \"with\": x });\n\
            import('./j.html', { with: { \"type\": \"text\", }, });";
        let found: Vec<(String, Result<Kind, ()>)> = calls(code).into_iter().map(|r| (r.specifier, r.kind)).collect();
        let expected = [("./a.mjs", Kind::Named), ("c", Kind::Named), ("./h.json", Kind::Json), ("./j.html", Kind::Text)];
        assert_eq!(found, expected.map(|(specifier, kind)| (specifier.to_owned(), Ok(kind))));
        assert!(calls("const important = (x) => x; import.meta.url").is_empty());
    }

    #[test]
    fn common_js_is_told_from_modules_and_from_what_runs_everywhere() {
        for (code, is_it, asks) in [
            ("module.exports = 1;", true, false),
            ("Object.defineProperty(exports, '__esModule', { value: true });", true, false),
            ("(function (g) { typeof exports === 'object' ? module.exports = 1 : g.x = 1 })(this)", true, true),
            ("const exports = {}; exports.a = 1; export { exports };", false, false),
            ("globalThis.polyfilled = true", false, false),
        ] {
            assert_eq!((may_be_common_js(code) && exports_nothing(code), asks_where_it_is(code)), (is_it, asks), "{code}");
        }
    }
}

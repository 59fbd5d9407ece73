//! Which file an import means: relative paths inside the folder, packages in its `node_modules`, and what the host brings itself.
//!
//! Pure: it asks for files by path and knows no disk. A path that isn't known yet is remembered as needed, and the import is looked at
//! again when it is. Nothing outside the folder can be named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

/// The specifiers of the module that stands for the SDK: its types are the package's, at run time there is nothing in it.
const SDK: [&str; 2] = ["@trellis/sdk", "@microbuild/sdk"];

/// Conditions of a package's `exports` and `imports` that hold here, beside `default`. Which of them counts is up to the package's own
/// order. `browser` is among them because what a package has for browsers runs here where its `default` is often for a server.
const CONDITIONS: [&str; 5] = ["trellis", "worker", "import", "module", "browser"];

/// Endings that an import may leave out.
const ENDINGS: [&str; 5] = [".mjs", ".js", ".ts", ".mts", ".json"];

/// Endings of files that are data: what asks for one wants its text.
pub const TEXT_ENDINGS: [&str; 14] =
    [".css", ".csv", ".ejs", ".gql", ".graphql", ".hbs", ".htm", ".html", ".liquid", ".md", ".sql", ".svg", ".txt", ".xml"];

/// Modules that a server-side JavaScript has built in and this one hasn't, and what to use instead.
const SERVER_BUILT_INS: &[(&str, &str)] = &[
    ("assert", "throw an Error"),
    ("async_hooks", "hand values on as arguments: every call has its own `context`"),
    ("buffer", "use the globals `Uint8Array`, `TextEncoder`, `TextDecoder`, `Blob`, and `atob` and `btoa` for base64"),
    ("child_process", NO_PROCESS),
    ("cluster", NO_PROCESS),
    ("console", "use the global `console`"),
    ("crypto", "use the global `crypto`: `crypto.randomUUID`, `crypto.getRandomValues`, and `crypto.subtle` for all else"),
    ("dgram", FETCH),
    ("diagnostics_channel", "use `console` or `context.services.log`"),
    ("dns", FETCH),
    ("events", "use the globals `EventTarget` and `CustomEvent`"),
    ("fs", NO_FILES),
    ("http", FETCH),
    ("http2", FETCH),
    ("https", FETCH),
    ("module", "use `import`"),
    ("net", FETCH),
    ("os", "an extension knows nothing of the machine: settings come from `context.services.env`"),
    ("path", "put paths together as texts, or with `new URL(relative, base)`"),
    ("perf_hooks", "use the global `performance`"),
    ("process", "use `context.services.env` for settings and `console` for output"),
    ("punycode", "use the global `URL`, which encodes hosts"),
    ("querystring", "use the global `URLSearchParams`"),
    ("readline", "there is no terminal"),
    ("stream", "use the globals `ReadableStream`, `WritableStream` and `TransformStream`"),
    ("string_decoder", "use the global `TextDecoder`, with `{ stream: true }`"),
    ("test", "test the extension from outside, over HTTP"),
    ("timers", "use the globals `setTimeout` and `setInterval`"),
    ("tls", FETCH),
    ("tty", "there is no terminal"),
    ("url", "use the globals `URL` and `URLSearchParams`"),
    ("util", "use the globals `TextEncoder`, `TextDecoder`, `structuredClone`, and promises in place of callbacks"),
    ("v8", "use `structuredClone` to copy values"),
    ("vm", "write the code out: no text is run as code"),
    ("worker_threads", NO_PROCESS),
    ("zlib", "use the globals `CompressionStream` and `DecompressionStream`"),
];

const NO_PROCESS: &str = "a call runs on one thread, in the sandbox: hand work on with `context.services.enqueue`";
const NO_FILES: &str =
    "an extension reads no files: import what lies in its folder, with `{ type: 'json' }` or `{ type: 'text' }` if it is data";
const FETCH: &str = "use `context.services.fetch`";

/// What an import means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A file of the folder.
    File(String),
    /// The module that stands for the SDK.
    Sdk,
    /// Nothing, and why.
    Nothing(String),
}

/// The files of a folder as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// By path; `None` is known to be absent. Paths outside of `node_modules` are absent unless they are here.
    files: BTreeMap<String, Option<Arc<str>>>,
    /// Asked for and not known.
    need: BTreeSet<String>,
}

impl Known {
    /// Takes note of files.
    pub(super) fn add(&mut self, files: impl IntoIterator<Item = (String, Option<Arc<str>>)>) {
        self.files.extend(files);
    }

    /// What was asked for and isn't known yet.
    pub(super) fn take_need(&mut self) -> Vec<String> {
        std::mem::take(&mut self.need).into_iter().collect()
    }

    /// Whether anything is asked for that isn't known yet.
    pub(super) fn is_lacking(&self) -> bool {
        !self.need.is_empty()
    }

    /// The text of a file, if there is one and it is known.
    pub(super) fn text(&mut self, path: &str) -> Option<Arc<str>> {
        match self.files.get(path) {
            Some(text) => text.clone(),
            None => {
                if is_package_path(path) {
                    self.need.insert(path.to_owned());
                }
                None
            }
        }
    }

    /// Takes note again of what was taken out.
    pub(super) fn need_again(&mut self, need: Vec<String>) {
        self.need.extend(need);
    }

    /// The first of `candidates` that is there. Those that aren't known are asked for together, unless the first has an ending of its own:
    /// then it will mostly be the one.
    fn first(&mut self, candidates: Vec<String>) -> Option<String> {
        let mut lacking = false;
        let has_ending =
            candidates.first().is_some_and(|path| ENDINGS.iter().any(|ending| path.ends_with(ending)) || path.ends_with(".cjs"));
        for path in candidates {
            match self.files.get(&path) {
                Some(Some(_)) if !lacking => return Some(path),
                Some(_) => {}
                None if is_package_path(&path) => {
                    self.need.insert(path);
                    lacking = true;
                    if has_ending {
                        break;
                    }
                }
                None => {}
            }
        }
        None
    }
}

/// Whether a path is that of a package's file, which is read when it is asked for.
pub(super) fn is_package_path(path: &str) -> bool {
    path.starts_with("node_modules/") || path.contains("/node_modules/")
}

/// What `specifier` means in the file `base`. The answer holds only if nothing became lacking meanwhile.
pub(super) fn resolve(known: &mut Known, base: &str, specifier: &str) -> Target {
    if let Some(why) = never(specifier) {
        return Target::Nothing(why.to_owned());
    }
    if specifier.starts_with("./") || specifier.starts_with("../") || specifier == "." || specifier == ".." {
        let Some(path) = join(parent(base), specifier) else {
            return Target::Nothing("it leads out of the extension's folder".to_owned());
        };
        return match known.first(spellings(&path)) {
            Some(file) => Target::File(file),
            None if TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending)) => Target::Nothing(
                "there is no such file in the extension's folder; of texts those are taken that are UTF-8 and no larger than 1 MiB"
                    .to_owned(),
            ),
            None => Target::Nothing("there is no such file in the extension's folder".to_owned()),
        };
    }
    if SDK.contains(&specifier) {
        return Target::Sdk;
    }
    if specifier.starts_with('/') {
        return Target::Nothing("absolute paths aren't possible: import by a path that begins with `./`".to_owned());
    }
    if specifier.starts_with('#') {
        return private(known, base, specifier);
    }
    if let Some((scheme, rest)) = specifier.split_once(':') {
        return Target::Nothing(match scheme {
            "node" => no_server(rest),
            _ => "modules come from the extension's folder only, not from an address".to_owned(),
        });
    }
    package(known, base, specifier)
}

/// Why a file of this name is none that could be imported, whoever has it.
fn never(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "node" => Some("it is a native module, and the sandbox runs JavaScript only: look for a package without native code"),
        "wasm" => Some("it is WebAssembly, and the sandbox runs JavaScript only: look for a package written in JavaScript"),
        "jsx" | "tsx" => Some("it is JSX, which isn't understood here: build it to JavaScript first"),
        _ => None,
    }
}

/// Why a built-in of Node.js can't be had.
fn no_server(name: &str) -> String {
    let first = name.split('/').next().unwrap_or(name);
    match SERVER_BUILT_INS.iter().find(|(built_in, _)| *built_in == first) {
        Some((_, instead)) => format!("the built-in `{name}` of Node.js isn't there: {instead}"),
        None => format!("`{name}` isn't there: it is for Node.js, and the sandbox has the web platform's classes and `context.services`"),
    }
}

/// The folder of the package that a file is part of, and its `package.json`. The extension itself is one if it has that file.
fn own_package(known: &mut Known, base: &str) -> Option<(String, Value)> {
    let mut at = parent(base);
    loop {
        if let Some(text) = known.text(&join_plain(at, "package.json")) {
            return Some((at.to_owned(), serde_json::from_str(&text).ok()?));
        }
        let up = parent(at);
        let is_top = at.is_empty() || up == "node_modules" || up.ends_with("/node_modules");
        if is_top || known.is_lacking() {
            return None;
        }
        at = up;
    }
}

/// What a private import (`#…`) means: a file of the importing package or another package, as its `imports` say.
fn private(known: &mut Known, base: &str, specifier: &str) -> Target {
    let Some((root, manifest)) = own_package(known, base) else {
        return Target::Nothing("there is no `package.json` whose `imports` could say what it means".to_owned());
    };
    let Some(target) = manifest.get("imports").and_then(|imports| in_map(imports, specifier)) else {
        return Target::Nothing(format!("the `imports` of `{}` don't say what it means here", join_plain(&root, "package.json")));
    };
    if target.starts_with('#') {
        return Target::Nothing(format!("the `imports` of `{}` lead from one private name to another", join_plain(&root, "package.json")));
    }
    match target.strip_prefix("./") {
        Some(relative) => match join(&root, relative).filter(|path| root.is_empty() || is_inside(&root, path)) {
            Some(path) => file_of_package(known, vec![path], specifier),
            None => Target::Nothing(format!("the `imports` of `{}` name a path that leads out of it", join_plain(&root, "package.json"))),
        },
        None if target.starts_with("node:") => Target::Nothing(no_server(&target["node:".len()..])),
        None => package(known, base, &target),
    }
}

fn package(known: &mut Known, base: &str, specifier: &str) -> Target {
    let parts = if specifier.starts_with('@') { 2 } else { 1 };
    let mut segments = specifier.split('/');
    let name = segments.by_ref().take(parts).collect::<Vec<_>>().join("/");
    let subpath = segments.collect::<Vec<_>>().join("/");
    if name.is_empty() || name.split('/').count() < parts || specifier.contains('\\') || !specifier.split('/').all(is_segment) {
        return Target::Nothing("it is neither a path that begins with `./` nor the name of a package".to_owned());
    }
    // A package may call itself by its name, as its `exports` show it to others.
    if let Some((root, manifest)) = own_package(known, base)
        && manifest.get("name").and_then(Value::as_str) == Some(name.as_str())
        && manifest.get("exports").is_some_and(|exports| !exports.is_null())
    {
        return in_package(known, &root, &name, &subpath, &manifest);
    }
    if known.is_lacking() {
        return Target::Nothing("it isn't known yet".to_owned());
    }
    // From the importing file upwards, as far as the folder reaches.
    let mut at = Some(parent(base));
    while let Some(directory) = at {
        let in_modules = directory == "node_modules" || directory.ends_with("/node_modules");
        if !in_modules {
            let root = join_plain(directory, &format!("node_modules/{name}"));
            if let Some(manifest) = known.text(&format!("{root}/package.json")) {
                return match serde_json::from_str(&manifest) {
                    Ok(manifest) => in_package(known, &root, &name, &subpath, &manifest),
                    Err(error) => Target::Nothing(format!("the `package.json` of `{name}` can't be read: {error}")),
                };
            }
            if known.is_lacking() {
                return Target::Nothing("it isn't known yet".to_owned());
            }
        }
        at = if directory.is_empty() { None } else { Some(parent(directory)) };
    }
    if SERVER_BUILT_INS.iter().any(|(built_in, _)| *built_in == name) {
        return Target::Nothing(no_server(specifier));
    }
    Target::Nothing(format!("there is no package `{name}` in the folder's `node_modules`: install it there"))
}

fn in_package(known: &mut Known, root: &str, name: &str, subpath: &str, manifest: &Value) -> Target {
    if let Some(exports) = manifest.get("exports").filter(|exports| !exports.is_null()) {
        let wanted = if subpath.is_empty() { ".".to_owned() } else { format!("./{subpath}") };
        let Some(relative) = exported(exports, &wanted) else {
            return Target::Nothing(format!(
                "the package `{name}` doesn't export `{wanted}` as an ES module: of the conditions of its `exports`, `default` and {} hold here",
                CONDITIONS.map(|condition| format!("`{condition}`")).join(", ")
            ));
        };
        let inside = |path: &String| root.is_empty() || is_inside(root, path);
        return match relative.strip_prefix("./").and_then(|relative| join(root, relative)).filter(inside) {
            Some(path) => file_of_package(known, vec![path], name),
            None => Target::Nothing(format!("the package `{name}` exports a path that leads out of it")),
        };
    }
    if !subpath.is_empty() {
        return file_of_package(known, spellings(&join_plain(root, subpath)), name);
    }
    let main = ["module", "main"].iter().find_map(|member| manifest.get(*member)?.as_str()).unwrap_or("index.js");
    match join(root, main).filter(|path| is_inside(root, path)) {
        Some(path) => file_of_package(known, spellings(&path), name),
        None => Target::Nothing(format!("the package `{name}` names a file that lies outside of it")),
    }
}

fn file_of_package(known: &mut Known, candidates: Vec<String>, name: &str) -> Target {
    if let Some(why) = candidates.first().and_then(|path| never(path)) {
        return Target::Nothing(format!("of the package `{name}`, {why}"));
    }
    match known.first(candidates) {
        Some(path) if path.ends_with(".cjs") => Target::Nothing(format!(
            "the package `{name}` has CommonJS there, and only ES modules can be imported: look for a version that has ES modules, or bundle it \
             into one"
        )),
        Some(path) => Target::File(path),
        None => Target::Nothing(format!("the package `{name}` has no such file")),
    }
}

/// The path that a package's `exports` give for `wanted` (`.` or `./sub/path`).
fn exported(exports: &Value, wanted: &str) -> Option<String> {
    let is_map = exports.as_object().is_some_and(|map| map.keys().any(|key| key.starts_with('.')));
    if !is_map {
        return if wanted == "." { condition(exports, None) } else { None };
    }
    in_map(exports, wanted)
}

/// What a map of `exports` or `imports` gives for a name.
fn in_map(map: &Value, wanted: &str) -> Option<String> {
    let map = map.as_object()?;
    if let Some(target) = map.get(wanted).filter(|_| !wanted.contains('*')) {
        return condition(target, None);
    }
    // The pattern with the longest part before its star wins.
    let patterns = map.iter().filter_map(|(pattern, target)| {
        let (before, after) = pattern.split_once('*')?;
        let inner = wanted.strip_prefix(before)?.strip_suffix(after)?;
        (!inner.is_empty()).then_some((before.len(), target, inner))
    });
    let (_, target, inner) = patterns.max_by_key(|(length, ..)| *length)?;
    condition(target, Some(inner))
}

/// What holds of a target of `exports`; `star` stands for its `*`.
fn condition(target: &Value, star: Option<&str>) -> Option<String> {
    match target {
        Value::String(path) => Some(star.map_or_else(|| path.clone(), |star| path.replace('*', star))),
        Value::Array(list) => list.iter().find_map(|target| condition(target, star)),
        Value::Object(map) => map
            .iter()
            .filter(|(name, _)| *name == "default" || CONDITIONS.contains(&name.as_str()))
            .find_map(|(_, target)| condition(target, star)),
        _ => None,
    }
}

/// The files that an import of `path` may mean, in the order of preference.
fn spellings(path: &str) -> Vec<String> {
    let mut all = vec![path.to_owned()];
    // TypeScript authors write the name that the compiled file would have.
    for (written, meant) in [(".js", ".ts"), (".mjs", ".mts")] {
        all.extend(path.strip_suffix(written).map(|stem| format!("{stem}{meant}")));
    }
    all.extend(ENDINGS.iter().map(|ending| format!("{path}{ending}")));
    all.extend(ENDINGS.iter().map(|ending| join_plain(path, &format!("index{ending}"))));
    all
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty() && segment != "." && segment != ".."
}

fn is_inside(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
}

/// The folder of a file or folder; the top is the empty text.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

fn join_plain(directory: &str, rest: &str) -> String {
    if directory.is_empty() { rest.to_owned() } else { format!("{directory}/{rest}") }
}

/// Follows `relative` from `directory`; `None` where it leads out of the top.
pub(super) fn join(directory: &str, relative: &str) -> Option<String> {
    let mut segments: Vec<&str> = directory.split('/').filter(|s| !s.is_empty()).collect();
    for segment in relative.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()?),
            name => segments.push(name),
        }
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known(files: &[(&str, &str)]) -> Known {
        let mut known = Known::default();
        known.add(files.iter().map(|(path, text)| ((*path).to_owned(), Some(Arc::from(*text)))));
        known
    }

    /// Resolves until nothing is lacking: what isn't among `files` is absent.
    fn settled(known: &mut Known, base: &str, specifier: &str) -> Target {
        loop {
            let target = resolve(known, base, specifier);
            let need = known.take_need();
            if need.is_empty() {
                return target;
            }
            known.add(need.into_iter().map(|path| (path, None)));
        }
    }

    fn file(path: &str) -> Target {
        Target::File(path.to_owned())
    }

    #[test]
    fn paths_stay_in_the_folder() {
        let mut k = known(&[("index.mjs", ""), ("lib/a.mjs", ""), ("lib/b.ts", ""), ("lib/index.js", ""), ("data.json", "{}")]);
        assert_eq!(resolve(&mut k, "index.mjs", "./lib/a.mjs"), file("lib/a.mjs"));
        assert_eq!(resolve(&mut k, "index.mjs", "./lib/b.js"), file("lib/b.ts"));
        assert_eq!(resolve(&mut k, "index.mjs", "./lib"), file("lib/index.js"));
        assert_eq!(resolve(&mut k, "lib/a.mjs", "../data.json"), file("data.json"));
        for out in
            ["../x.mjs", "./lib/../../x.mjs", "/etc/passwd", "file:///etc/passwd", "https://host/x.mjs", "#own", "..", "lib\\a", "", "@x"]
        {
            assert!(matches!(resolve(&mut k, "index.mjs", out), Target::Nothing(_)), "{out}");
        }
        assert!(!k.is_lacking());
    }

    #[test]
    fn packages_are_looked_for_upwards_and_read_by_their_exports() {
        let exports = json!({ "exports": { ".": { "types": "./t.d.ts", "require": "./c.cjs", "import": "./dist/i.js" }, "./sub/*": "./dist/*.js", "./no": null } });
        let mut k = known(&[
            ("index.mjs", ""),
            ("node_modules/p/package.json", &exports.to_string()),
            ("node_modules/p/dist/i.js", ""),
            ("node_modules/p/dist/q.js", ""),
            ("node_modules/p/node_modules/r/package.json", r#"{"main":"lib"}"#),
            ("node_modules/p/node_modules/r/lib/index.js", ""),
            ("node_modules/@s/t/package.json", r#"{"module":"./m.mjs","main":"./c.cjs"}"#),
            ("node_modules/@s/t/m.mjs", ""),
        ]);
        assert_eq!(settled(&mut k, "index.mjs", "p"), file("node_modules/p/dist/i.js"));
        assert_eq!(settled(&mut k, "index.mjs", "p/sub/q"), file("node_modules/p/dist/q.js"));
        assert_eq!(settled(&mut k, "node_modules/p/dist/i.js", "r"), file("node_modules/p/node_modules/r/lib/index.js"));
        assert_eq!(settled(&mut k, "a/b/c.mjs", "@s/t"), file("node_modules/@s/t/m.mjs"));
        for (specifier, why) in [
            ("p/no", "doesn't export"),
            ("r", "no package `r`"),
            ("fs", "Node.js"),
            ("node:fs/promises", "`{ type: 'text' }`"),
            ("node:buffer", "`Uint8Array`"),
            ("crypto", "`crypto.subtle`"),
            ("node:sea", "for Node.js"),
            ("./addon.node", "native module"),
            ("./code.wasm", "WebAssembly"),
            ("./view.tsx", "JSX"),
        ] {
            let Target::Nothing(told) = settled(&mut k, "index.mjs", specifier) else { panic!("{specifier}") };
            assert!(told.contains(why), "{specifier}: {told}");
        }
    }

    #[test]
    fn a_package_chooses_by_conditions_in_its_own_order() {
        for (target, file_name) in [
            (json!({ "node": "./n.js", "trellis": "./t.js", "default": "./d.js" }), "t.js"),
            (json!({ "worker": "./w.js", "browser": "./b.js", "default": "./d.js" }), "w.js"),
            (json!({ "browser": "./b.js", "default": "./d.js" }), "b.js"),
            (
                json!({ "deno": "./n.js", "default": { "require": "./c.cjs", "import": { "types": "./d.ts", "default": "./d.js" } } }),
                "d.js",
            ),
            (json!([{ "node": "./n.js" }, "./d.js"]), "d.js"),
        ] {
            let mut k = known(&[("node_modules/p/package.json", &json!({ "exports": { ".": target } }).to_string())]);
            k.add(["n.js", "t.js", "w.js", "b.js", "d.js"].map(|name| (format!("node_modules/p/{name}"), Some(Arc::from("")))));
            assert_eq!(settled(&mut k, "index.mjs", "p"), file(&format!("node_modules/p/{file_name}")), "{target}");
        }
        let mut k = known(&[("node_modules/p/package.json", r#"{ "exports": { "require": "./c.cjs", "node": "./n.mjs" } }"#)]);
        let Target::Nothing(told) = settled(&mut k, "index.mjs", "p") else { panic!("it has nothing for us") };
        assert!(told.contains("`default` and `trellis`, `worker`"), "{told}");
    }

    #[test]
    fn private_imports_and_a_packages_own_name_are_its_manifests() {
        let manifest = json!({
            "name": "p", "exports": { ".": "./i.js", "./x/*.js": "./lib/*.js", "./x/hidden/*": null },
            "imports": { "#dep": { "node": "./n.js", "default": "./lib/dep.js" }, "#lib/*": "./lib/*.js", "#q": "q", "#fs": "node:fs", "#out": "./../q/i.js", "#again": "#dep" },
        });
        let mut k = known(&[
            ("index.mjs", ""),
            ("package.json", r##"{ "imports": { "#util": "./src/util.mjs" } }"##),
            ("src/util.mjs", ""),
            ("node_modules/p/package.json", &manifest.to_string()),
            ("node_modules/p/i.js", ""),
            ("node_modules/p/lib/dep.js", ""),
            ("node_modules/q/package.json", r#"{ "exports": "./i.js" }"#),
            ("node_modules/q/i.js", ""),
        ]);
        assert_eq!(settled(&mut k, "src/deep/a.mjs", "#util"), file("src/util.mjs"));
        let inside = "node_modules/p/lib/a.js";
        assert_eq!(settled(&mut k, inside, "#dep"), file("node_modules/p/lib/dep.js"));
        assert_eq!(settled(&mut k, inside, "#lib/dep"), file("node_modules/p/lib/dep.js"));
        assert_eq!(settled(&mut k, inside, "#q"), file("node_modules/q/i.js"));
        assert_eq!(settled(&mut k, inside, "p"), file("node_modules/p/i.js"));
        assert_eq!(settled(&mut k, inside, "p/x/dep.js"), file("node_modules/p/lib/dep.js"));
        for (base, specifier, why) in [
            (inside, "#fs", "Node.js"),
            (inside, "#out", "leads out"),
            (inside, "#again", "one private name to another"),
            // The names of the extension itself aren't those of its packages.
            (inside, "#util", "don't say"),
            ("node_modules/q/i.js", "#dep", "don't say"),
            (inside, "p/x/hidden/dep.js", "doesn't export"),
        ] {
            let Target::Nothing(told) = settled(&mut k, base, specifier) else { panic!("{specifier}") };
            assert!(told.contains(why), "{specifier}: {told}");
        }
    }

    #[test]
    fn a_package_can_not_name_files_outside_of_it() {
        for manifest in [
            r#"{"main":"../../../etc/passwd"}"#,
            r#"{"exports":"./../../secret.js"}"#,
            r#"{"exports":"/etc/passwd"}"#,
            "[1",
            r#"{"main":"../q/index.js"}"#,
        ] {
            let mut k = known(&[("node_modules/p/package.json", manifest), ("node_modules/q/index.js", ""), ("secret.js", "")]);
            assert!(matches!(settled(&mut k, "index.mjs", "p"), Target::Nothing(_)), "{manifest}");
        }
    }
}

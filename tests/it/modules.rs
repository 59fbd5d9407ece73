//! What the files of an extension may import and how: packages, data, calls of `import()`; and what is said of what they may not.

use serde_json::{Value, json};

use crate::support::*;

/// A folder with a route whose handler is `handler`, after `head`.
fn answering(base_path: &str, head: &str, handler: &str) -> String {
    format!(
        "{head}\nexport function register({{ registerRoutes }}) {{\n  const handler = {handler};\n  \
         registerRoutes({{ basePath: '/{base_path}', routes: [{{ method: 'GET', path: '/', public: true, handler }}] }});\n}}\n"
    )
}

async fn answer(app: &TestApp, base_path: &str) -> Value {
    app.anonymous().get(&format!("/api/ext/{base_path}")).await.expect(200).json()
}

/// The one problem of a folder whose entry begins with `import`, and where it is.
async fn refused(app: &TestApp, name: &str, files: &[(&str, &str)]) -> (String, Value, Value) {
    let problems = app.break_folder(name, files).await;
    let [problem] = &problems[..] else { panic!("{name}: {problems:?}") };
    (problem["message"].as_str().unwrap().to_owned(), problem["file"].clone(), problem["line"].clone())
}

/// What the database is doesn't matter to any of this.
macro_rules! test {
    ($name:ident, $body:expr) => {
        #[test]
        fn $name() {
            run(Database::Sqlite, &[], false, $body);
        }
    };
}

test!(packages_are_found_by_the_conditions_of_their_exports, async |app| {
    let head = "import { name as worker } from 'chooses';
import { name as own } from 'chooses/own';
import deep from 'chooses/lib/deep.js';
import { dep } from 'chooses/private';
import plain from 'old';
import { util } from '#util/text.mjs';";
    let manifest = json!({
        "name": "chooses", "type": "module",
        "exports": {
            ".": { "node": "./server.js", "worker": "./worker.js", "default": "./server.js" },
            "./own": { "trellis": "./trellis.js", "worker": "./worker.js" },
            "./lib/*.js": "./lib/*.js",
            "./private": "./private.js",
        },
        "imports": { "#dep": { "node": "./server.js", "default": "./lib/dep.js" } },
    });
    app.load_folder(
        "chooses",
        &[
            ("index.mjs", &answering("chooses", head, "() => [worker, own, deep, dep, plain, util]")),
            ("package.json", r##"{ "imports": { "#util/*": "./src/*" } }"##),
            ("src/text.mjs", "export const util = 'util';"),
            ("node_modules/chooses/package.json", &manifest.to_string()),
            ("node_modules/chooses/server.js", "import 'node:fs';"),
            ("node_modules/chooses/worker.js", "export const name = 'worker';"),
            ("node_modules/chooses/trellis.js", "export const name = 'trellis';"),
            ("node_modules/chooses/lib/deep.js", "import { name } from 'chooses'; export default `deep ${name}`;"),
            ("node_modules/chooses/lib/dep.js", "export const dep = 'dep';"),
            ("node_modules/chooses/private.js", "export { dep } from '#dep';"),
            ("node_modules/old/package.json", r#"{ "main": "./main" }"#),
            ("node_modules/old/main.js", "export default 'main';"),
        ],
    )
    .await;
    assert_eq!(answer(app, "chooses").await, json!(["worker", "trellis", "deep worker", "dep", "main", "util"]));
});

test!(data_is_imported_by_what_it_is_wanted_as, async |app| {
    let head = "import page from './page.html' with { type: 'text' };
import words from './words.json' with { type: 'json' };
import same from './words.json';
import { source, text } from './texts.mjs';
import table from './table.csv' with { type: 'text' };
import note from 'notes/note.weird' with { type: 'text' };
import list from 'notes/list.weird' with { type: 'json' };
import code, { two } from './code.mjs';";
    let handler = "async () => {
    const late = await import('./words.json', { with: { type: 'json' } });
    return { page, words, same, source, table, note, list, code, two, text, late: late.default };
  }";
    app.load_folder(
        "data",
        &[
            ("index.mjs", &answering("data", head, handler)),
            ("page.html", "<p>`${x}` \u{2028} \\n</p>\n"),
            ("words.json", "{ \"a\": [1, \"\u{2028}\"] }"),
            (
                "texts.mjs",
                "export { default as source } from './words.json' with { type: 'text' }; export { default as text } from './code.mjs' with { type: 'text' };",
            ),
            ("table.csv", "a;b\r\n1;2\r\n"),
            ("code.mjs", "export default 1;\nexport const two = 2;"),
            ("node_modules/notes/package.json", "{}"),
            ("node_modules/notes/note.weird", "a note"),
            ("node_modules/notes/list.weird", "[1]"),
            // None of these is code, so none keeps the folder from loading.
            ("README.md", "about"),
            ("large.txt", &"x".repeat(2 << 20)),
        ],
    )
    .await;
    std::fs::write(app.folder_path("data").join("binary.txt"), [0xff, 0xfe, 0]).unwrap();
    let words = json!({ "a": [1, "\u{2028}"] });
    let expected = json!({
        "page": "<p>`${x}` \u{2028} \\n</p>\n", "words": words, "same": words, "source": "{ \"a\": [1, \"\u{2028}\"] }",
        "table": "a;b\r\n1;2\r\n", "note": "a note", "list": [1], "code": 1, "two": 2, "text": "export default 1;\nexport const two = 2;",
        "late": words,
    });
    assert_eq!(answer(app, "data").await, expected);
    // A change of the text alone is a new version.
    app.load_folder("data", &[("page.html", "new")]).await;
    assert_eq!(answer(app, "data").await["page"], "new");
    for (name, import, part) in [
        ("data-plain", "import page from './page.html';", "import it with { type: 'text' }"),
        ("data-unknown", "import page from './page.html' with { type: 'css' };", "only `type: 'json'` and `type: 'text'` are known"),
        (
            "data-both",
            "import page from './index.mjs' with { type: 'text' };\nimport * as other from './index.mjs';",
            "this file already imports it as something else",
        ),
        ("data-more", "import page from './page.html' with { type: 'text', lazy: 'yes' };", "only `type: 'json'`"),
        ("data-large", "import page from './large.txt' with { type: 'text' };", "no larger than 1 MiB"),
        ("data-binary", "import page from './binary.txt' with { type: 'text' };", "are UTF-8"),
        ("data-wrong", "import page from './page.html' with { type: 'json' };", "It isn't JSON"),
    ] {
        app.write_folder(name, &[("page.html", "<p>"), ("large.txt", &"x".repeat(2 << 20))]);
        std::fs::write(app.folder_path(name).join("binary.txt"), [0xff, 0xfe, 0]).unwrap();
        let (message, ..) = refused(app, name, &[("index.mjs", &answering(name, import, "() => page"))]).await;
        assert!(message.contains(part), "{name}: {message}");
    }
});

test!(import_can_be_called_for_what_is_named_in_the_text, async |app| {
    let handler = "async (request) => {
    const told = {};
    const attempt = async (name, promise) => { told[name] = await promise.then((m) => m.default, (e) => `${e.name}: ${e.message}`); };
    await attempt('own', import('./late/a.mjs'));
    await attempt('again', import(`./late/a.mjs`));
    await attempt('package', import('lazy'));
    const parts = ['a', 'nothing'];
    await attempt('computed', import('./late/' + parts[0] + '.mjs'));
    await attempt('unknown', import('./late/' + parts[1] + '.mjs'));
    await attempt('missing', import('./missing.mjs'));
    await attempt('builtIn', import('node:crypto'));
    await attempt('broken', import('./late/broken.mjs'));
    await attempt('needsBroken', import('./late/needs-broken.mjs'));
    await attempt('commonJs', import('./late/old.cjs'));
    await attempt('throws', import('./late/throws.mjs'));
    await attempt('text', import('./late/a.mjs', { with: { type: 'text' } }));
    await attempt('kind', import('./late/a.mjs', { with: { type: String('css') } }));
    await attempt('typed', import('./late/typed.ts'));
    await attempt('sdk', import('@trellis/sdk'));
    return told;
  }";
    app.load_folder(
        "calls",
        &[
            ("index.mjs", &answering("calls", "const { early } = await import('./early.mjs');\nif (early !== 1) throw early;", handler)),
            ("early.mjs", "export const early = await Promise.resolve(1);"),
            ("late/a.mjs", "import { b } from './b.mjs'; let times = 0; export default `a${b}${++times}`;"),
            ("late/b.mjs", "export const b = await (await import('./c.mjs')).default;"),
            ("late/c.mjs", "export default Promise.resolve('c');"),
            ("late/broken.mjs", "\nconst x = ;"),
            ("late/needs-broken.mjs", "import './broken.mjs'; export default 1;"),
            ("late/old.cjs", "module.exports = 1;"),
            ("late/throws.mjs", "throw new RangeError('not now');"),
            ("late/typed.ts", "const n: number = 1; export default n as number;"),
            ("node_modules/lazy/package.json", r#"{ "exports": "./i.js" }"#),
            ("node_modules/lazy/i.js", "export default import.meta.url;"),
        ],
    )
    .await;
    for _ in 0..3 {
        let told = answer(app, "calls").await;
        let same =
            json!({ "own": "ac1", "again": "ac1", "package": "file:///calls/node_modules/lazy/i.js", "computed": "ac1", "typed": 1 });
        for (name, expected) in same.as_object().unwrap() {
            assert_eq!(&told[name], expected, "{name}: {told}");
        }
        assert_eq!(told["text"], "import { b } from './b.mjs'; let times = 0; export default `a${b}${++times}`;");
        assert_eq!(told.get("sdk"), None, "{told}");
        for (name, part) in [
            ("unknown", "TypeError: import('./late/nothing.mjs') isn't possible: modules are found before the code runs"),
            ("missing", "TypeError: `./missing.mjs` can't be imported: there is no such file in the extension's folder"),
            ("builtIn", "`crypto.subtle`"),
            ("broken", "TypeError: late/broken.mjs:2: "),
            ("needsBroken", "late/broken.mjs:2: "),
            ("commonJs", "CommonJS"),
            ("throws", "RangeError: not now"),
            ("kind", "only `type: 'json'` and `type: 'text'` are known"),
        ] {
            assert!(told[name].as_str().is_some_and(|text| text.contains(part)), "{name}: {told}");
        }
    }
    // A row is one text.
    let code = "return import('./x.mjs').catch((e) => e.message);";
    extension(app, json!({ "event": "GET /row-imports", "type": "route", "code": code })).await;
    let told = app.get("/api/ext/row-imports").await.expect(200).body;
    assert!(told.contains("make it a folder to import"), "{told}");
});

test!(cycles_and_top_level_await_work_as_everywhere, async |app| {
    let head = "import { order } from './order.mjs';\nimport './slow.mjs';\nimport { isEven } from './even.mjs';\norder.push('index');";
    app.load_folder(
        "cycles",
        &[
            ("index.mjs", &answering("cycles", head, "() => ({ order, even: isEven(10), odd: isEven(7), url: import.meta.url })")),
            ("order.mjs", "export const order = [];"),
            (
                "slow.mjs",
                "import { order } from './order.mjs'; order.push('slow begins'); await new Promise((r) => setTimeout(r, 20)); order.push('slow ends');",
            ),
            (
                "even.mjs",
                "import { order } from './order.mjs'; import { isOdd } from './odd.mjs'; order.push('even'); export const isEven = (n) => n === 0 || isOdd(n - 1);",
            ),
            (
                "odd.mjs",
                "import { isEven } from './even.mjs'; import { order } from './order.mjs'; order.push('odd'); export function isOdd(n) { return n !== 0 && isEven(n - 1); }",
            ),
        ],
    )
    .await;
    let expected = json!({ "order": ["slow begins", "odd", "even", "slow ends", "index"], "even": true, "odd": false, "url": "file:///cycles/index.mjs" });
    assert_eq!(answer(app, "cycles").await, expected);
    let (message, file, line) = refused(
        app,
        "too-early",
        &[
            ("index.mjs", &answering("too-early", "import { a } from './a.mjs';", "() => a")),
            ("a.mjs", "import { b } from './b.mjs';\nexport const a = b;"),
            ("b.mjs", "import { a } from './a.mjs';\nexport const b = a;"),
        ],
    )
    .await;
    assert!(message.contains("ReferenceError") && file == "b.mjs" && line == 2, "{message} {file} {line}");
});

test!(what_can_not_be_imported_says_why_and_what_to_do, async |app| {
    let common = "'use strict';\nconst fs = require('fs');\nmodule.exports = fs;\n";
    let everywhere = "(function (g, f) { typeof exports === 'object' && typeof module !== 'undefined' ? module.exports = f() : g.umd = f(); })(globalThis, () => 1);\n";
    for (name, import, part) in [
        ("missing", "import './nothing.mjs';", "there is no such file in the extension's folder"),
        ("outside", "import '../missing/index.mjs';", "leads out of the extension's folder"),
        ("absolute", "import '/etc/hosts.mjs';", "absolute paths aren't possible"),
        ("address", "import 'https://esm.example/x.mjs';", "not from an address"),
        (
            "not-installed",
            "import 'nowhere-to-be-found';",
            "there is no package `nowhere-to-be-found` in the folder's `node_modules`: install it",
        ),
        ("buffer", "import { Buffer } from 'node:buffer';", "`Uint8Array`, `TextEncoder`"),
        ("crypto", "import { createHmac } from 'crypto';", "`crypto.subtle`"),
        ("fs", "import { readFile } from 'node:fs/promises';", "an extension reads no files: import what lies in its folder"),
        ("http", "import http from 'node:http';", "`context.services.fetch`"),
        ("unknown-built-in", "import x from 'node:sqlite';", "it is for Node.js"),
        ("native", "import addon from './addon.node';", "native module"),
        ("native-package", "import addon from 'native';", "of the package `native`, it is a native module"),
        ("wasm", "import x from './code.wasm';", "WebAssembly"),
        ("cjs-by-name", "import x from './old.cjs';", "CommonJS by its name"),
        ("cjs-own", "import x from './common.js';", "write `export` and `import`"),
        ("cjs-package", "import x from 'common';", "esbuild"),
        ("cjs-package-by-name", "import x from 'common-by-name';", "the package `common-by-name` has CommonJS there"),
        ("cjs-everywhere", "import x from 'everywhere';", "it is CommonJS, and only ES modules export something"),
        ("cjs-only", "import x from 'requires';", "doesn't export `.` as an ES module"),
        ("private", "import x from '#nothing';", "there is no `package.json` whose `imports`"),
    ] {
        let files = [
            ("index.mjs", &*format!("\n{import}\nexport function register() {{}}\n")),
            ("addon.node", "\u{7f}ELF"),
            ("common.js", common),
            ("old.cjs", common),
            ("node_modules/native/package.json", r#"{ "main": "./build/addon.node" }"#),
            ("node_modules/common/package.json", r#"{ "main": "./index.js" }"#),
            ("node_modules/common/index.js", common),
            ("node_modules/common-by-name/package.json", r#"{ "main": "./index.cjs" }"#),
            ("node_modules/common-by-name/index.cjs", common),
            ("node_modules/everywhere/package.json", "{}"),
            ("node_modules/everywhere/index.js", everywhere),
            ("node_modules/requires/package.json", r#"{ "exports": { "require": "./index.cjs" } }"#),
        ];
        let (message, file, line) = refused(app, name, &files).await;
        assert!(message.contains(part), "{name}: {message}");
        if message.contains("can't be imported") {
            assert_eq!((file, line), (json!("index.mjs"), json!(2)), "{name}: {message}");
        }
    }
    // What runs everywhere may be imported for what it leaves behind.
    let files = [
        ("index.mjs", &*answering("umd", "import 'everywhere';", "() => umd")),
        ("node_modules/everywhere/package.json", "{}"),
        ("node_modules/everywhere/index.js", everywhere),
    ];
    app.load_folder("umd", &files).await;
    assert_eq!(answer(app, "umd").await, 1);
    // A link that leads out is no way out, also not in a package.
    std::fs::write(app.dir().join("secret.mjs"), "export default 'secret'").unwrap();
    for (name, at, import) in [("link", "out.mjs", "./out.mjs"), ("link-package", "node_modules/p/index.js", "p")] {
        app.write_folder(name, &[("node_modules/p/package.json", "{}")]);
        std::os::unix::fs::symlink(app.dir().join("secret.mjs"), app.folder_path(name).join(at)).unwrap();
        let (message, ..) = refused(app, name, &[("index.mjs", &answering(name, &format!("import s from '{import}';"), "() => s"))]).await;
        assert!(message.contains("link that leads out of the extension's folder"), "{name}: {message}");
    }
    app.get("/api/server/ping").await.expect(200);
});

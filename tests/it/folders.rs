//! Extensions in folders: there when the folder is, gone with it, changed by a save, and guarding what they guarded when they don't load.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

const SLUG: &str = "import { slug } from './lib/slug.mjs';
import words from './words.json' with { type: 'json' };

export function register({ emitter }) {
  emitter.onFilter('articles.items.create', (payload) => ({ ...payload, slug: slug(payload.title), body: words.done }));
}
";
const SLUG_LIB: &str = "export const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, '-');\n";

async fn slug_of(app: &TestApp, title: &str) -> Value {
    create(app, "articles", json!({ "title": title })).await["slug"].clone()
}

/// A filter on new articles that writes `slug`.
fn writes(slug: &str) -> String {
    format!(
        "export function register({{ emitter }}) {{ emitter.onFilter('articles.items.create', (p) => ({{ ...p, slug: '{slug}' }})); }}\n"
    )
}

fn messages(problems: &[Value]) -> Vec<String> {
    problems.iter().map(|p| p["message"].as_str().unwrap_or_default().to_owned()).collect()
}

both!(a_folder_is_live_when_it_is_there_and_gone_when_it_is_gone, async |app| {
    articles(app).await;
    let files = [("index.mjs", SLUG), ("lib/slug.mjs", SLUG_LIB), ("words.json", r#"{ "done": "by folder" }"#)];
    let entry = app.load_folder("auto", &files).await;
    assert_eq!(entry["hooks"], json!([{ "type": "filter", "event": "articles.items.create", "sort": 0 }]));
    let made = create(app, "articles", json!({ "title": "Hello World" })).await;
    assert_eq!((&made["slug"], &made["body"]), (&json!("hello-world"), &json!("by folder")));
    // A change of any of its files is a new version.
    app.load_folder("auto", &[("lib/slug.mjs", "export const slug = (text) => text.length + '';\n")]).await;
    assert_eq!(slug_of(app, "Hello World").await, "11");
    app.remove_folder("auto");
    eventually("the folder is gone", Duration::from_secs(30), async || match app.folder("auto").await {
        None => Ok(()),
        Some(entry) => Err(entry.to_string()),
    })
    .await;
    assert_eq!(slug_of(app, "Hello World").await, Value::Null);
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_folders").await, 0);
});

both!(what_does_not_load_leaves_the_old_version_at_work, async |app| {
    articles(app).await;
    app.load_folder("auto", &[("index.mjs", &writes("one"))]).await;
    let problems = app.break_folder("auto", &[("index.mjs", "export function register( {\n  nonsense here\n}\n")]).await;
    assert_eq!((&problems[0]["file"], &problems[0]["line"]), (&json!("index.mjs"), &json!(2)), "{problems:?}");
    assert!(problems[0]["frame"].as_str().unwrap().contains("> 2 |   nonsense here"), "{problems:?}");
    assert_eq!(slug_of(app, "a").await, "one");
    let entry = app.folder("auto").await.unwrap();
    assert_eq!(entry["live"]["state"], "active");
    assert!(entry["last_error"].as_str().unwrap().contains("index.mjs:2"), "{entry}");
    app.load_folder("auto", &[("index.mjs", &writes("two"))]).await;
    assert_eq!(slug_of(app, "a").await, "two");
});

both!(a_folder_that_does_not_load_guards_what_it_guarded_after_a_restart, async |app| {
    articles(app).await;
    let routes = "export function register({ emitter, registerRoutes }) {
      emitter.onFilter('articles.items.create', (p) => p);
      registerRoutes({ basePath: '/guard', routes: [{ method: 'GET', path: '/', public: true, handler: () => 'here' }] });
    }";
    app.load_folder("guard", &[("index.mjs", routes)]).await;
    create(app, "articles", json!({})).await;
    app.stop().await;
    app.write_folder("guard", &[("index.mjs", "export function register( {")]);
    app.launch().await;
    let entry = app.folder("guard").await.unwrap();
    assert_eq!((&entry["status"], &entry["live"]["state"]), (&json!("error"), &json!("error")), "{entry}");
    app.post("/api/items/articles", json!({})).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    app.anonymous().get("/api/ext/guard").await.expect_error(503, "EXTENSION_UNAVAILABLE");
    app.patch("/api/items/articles/1", json!({ "title": "unguarded" })).await.expect(200);
    // Putting it right is enough.
    app.load_folder("guard", &[("index.mjs", routes)]).await;
    create(app, "articles", json!({})).await;
    // One that never loaded guards nothing.
    app.break_folder(
        "never",
        &[("index.mjs", "export function register({ emitter }) { emitter.onFilter('articles.items.create', () => {}")],
    )
    .await;
    create(app, "articles", json!({})).await;
});

both!(every_problem_of_a_load_is_told_with_its_place, async |app| {
    let problems = app
        .break_folder(
            "bad",
            &[
                ("index.mjs", "import './broken.mjs';\nimport x from './missing.mjs';\nimport { y } from 'nowhere';\nimport fs from 'node:fs';\nimport '../other/index.mjs';\nexport function register() {}\n"),
                ("broken.mjs", "const a = ;\n"),
                ("data.json", "{ \"a\": 1, }"),
                ("types.ts", "const a: = 1;\n"),
                ("extension.json", "{ \"timeout_ms\": 0, \"nme\": \"x\" }"),
            ],
        )
        .await;
    let told = messages(&problems).join("\n");
    for part in ["timeout_ms", "nme"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let problems = app
        .break_folder(
            "bad",
            &[
                ("extension.json", "{}"),
                ("index.mjs", "import './broken.mjs';\nimport x from './missing.mjs';\nimport { y } from 'nowhere';\nimport fs from 'node:fs';\nimport '../other/index.mjs';\nimport d from './data.json';\nimport './types.ts';\nimport './old.cjs';\nexport function register() {}\n"),
                ("old.cjs", "module.exports = 1;\n"),
            ],
        )
        .await;
    eventually("all problems are told", Duration::from_secs(30), async || {
        let problems = app.folder("bad").await.unwrap()["problems"].as_array().unwrap().clone();
        let told = messages(&problems).join("\n");
        let places: Vec<(Value, Value)> = problems.iter().map(|p| (p["file"].clone(), p["line"].clone())).collect();
        let expected =
            [("index.mjs", 2), ("index.mjs", 3), ("index.mjs", 4), ("index.mjs", 5), ("broken.mjs", 1), ("data.json", 1), ("types.ts", 1)];
        match expected.iter().find(|(file, line)| !places.contains(&(json!(file), json!(line)))) {
            None if told.contains("CommonJS") && told.contains("Node.js") && told.contains("`nowhere`") => Ok(()),
            missing => Err(format!("{missing:?} in {problems:?}")),
        }
    })
    .await;
    assert!(!problems.is_empty());
    // What register does wrong is told whole as well.
    let wrong = "export function register({ emitter, registerRoutes }) {
  emitter.onFilter('articles.items.creat', () => {});
  emitter.onAction('items.query', () => {});
  emitter.onFilter('articles.items.create', 'not a function');
  emitter.onFilter('articles.items.create', () => {}, { srt: 1 });
  registerRoutes({ basePath: '/', routes: [{ method: 'GET', path: '/:x/:x', handler() {} }, { method: 'GO GO', path: '/', handler() {} }] });
}
";
    app.break_folder("wrong", &[("index.mjs", wrong)]).await;
    let entry = app.folder("wrong").await.unwrap();
    let problems = entry["problems"].as_array().unwrap();
    let lines: Vec<i64> = problems.iter().filter_map(|p| p["line"].as_i64()).collect();
    assert!([2, 3, 4, 5, 6].iter().all(|line| lines.contains(line)), "{problems:?}");
    assert!(lines.iter().filter(|line| **line == 6).count() >= 3, "{problems:?}");
});

both!(typescript_is_stripped_and_stacks_name_its_lines, async |app| {
    articles(app).await;
    let code = "import type { RegisterSdk } from '@trellis/sdk';
import { type Kind, name } from './kind.js';

enum Mode { Off, On }

export function register(sdk: RegisterSdk): void {
  sdk.emitter.onFilter('articles.items.create', (payload: { title?: string }) => {
    const kind: Kind = 'a';
    if (payload.title === 'boom') return (payload as any).deep.deeper;
    return { ...payload, slug: `${name(kind)}-${Mode[Mode.On]}` };
  });
}
";
    let kind = "export type Kind = 'a' | 'b';\nexport function name<T extends Kind>(kind: T): string { return `kind-${kind}`; }\n";
    app.load_folder("typed", &[("index.ts", code), ("kind.ts", kind)]).await;
    assert_eq!(slug_of(app, "a").await, "kind-a-On");
    app.post("/api/items/articles", json!({ "title": "boom" })).await.expect_error(500, "EXTENSION_FAILED");
    let entry = app.folder("typed").await.unwrap();
    let report = entry["last_error"].as_str().unwrap();
    assert!(report.contains(">  9 |") && report.contains("typed/index.ts:9:"), "{report}");
});

both!(imports_stay_in_the_folder_and_packages_come_from_its_node_modules, async |app| {
    articles(app).await;
    app.write_folder("secret", &[("index.mjs", "export function register() {}\nexport const secret = 1;\n")]);
    std::fs::write(app.dir().join("outside.mjs"), "export default 'outside'").unwrap();
    for (name, import) in [
        ("dots", "import '../secret/index.mjs';"),
        ("absolute", "import '/etc/hosts';"),
        ("file", "import 'file:///etc/hosts';"),
        ("http", "import 'http://127.0.0.1/x.mjs';"),
        ("back", "import '..\\\\secret\\\\index.mjs';"),
        ("deep", "import './a/../../secret/index.mjs';"),
        ("package", "import 'evil';"),
        ("subpath", "import 'evil/../../secret/index.mjs';"),
    ] {
        app.write_folder(name, &[("node_modules/evil/package.json", r#"{ "exports": "./../../../secret/index.mjs" }"#)]);
        let problems = app.break_folder(name, &[("index.mjs", &format!("{import}\nexport function register() {{}}\n"))]).await;
        assert!(problems[0]["message"].as_str().unwrap().contains("can't be imported"), "{name}: {problems:?}");
    }
    std::fs::create_dir_all(app.folder_path("linked")).unwrap();
    std::os::unix::fs::symlink(app.dir().join("outside.mjs"), app.folder_path("linked").join("out.mjs")).unwrap();
    let problems = app.break_folder("linked", &[("index.mjs", "import out from './out.mjs';\nexport function register() {}\n")]).await;
    assert!(messages(&problems).join(" ").contains("leads out"), "{problems:?}");
    // Packages: exports with conditions, a package of a package, a scoped one by `module`, and circular imports.
    app.load_folder(
        "uses",
        &[
            ("node_modules/a/package.json", r#"{ "name": "a", "exports": { ".": { "require": "./no.cjs", "import": "./dist/a.js" }, "./sub/*": "./dist/*.js" } }"#),
            ("node_modules/a/dist/a.js", "import { b } from 'b'; import './cycle.js'; export const a = () => 'a' + b;"),
            ("node_modules/a/dist/cycle.js", "import { a } from './a.js'; export const later = () => a();"),
            ("node_modules/a/node_modules/b/package.json", r#"{ "name": "b", "main": "./b" }"#),
            ("node_modules/a/node_modules/b/b.js", "export const b = 'b';"),
            ("node_modules/@s/c/package.json", r#"{ "module": "./c.mjs", "main": "./c.cjs" }"#),
            ("node_modules/@s/c/c.mjs", "export default 'c';"),
            (
                "index.mjs",
                "import { a } from 'a';\nimport { later } from 'a/sub/cycle';\nimport c from '@s/c';\nimport '@trellis/sdk';\nexport function register({ emitter }) {
  emitter.onFilter('articles.items.create', (p) => ({ ...p, slug: a() + later() + c + import.meta.url }));
}\n",
            ),
        ],
    )
    .await;
    assert_eq!(slug_of(app, "x").await, "ababcfile:///uses/index.mjs");
});

both!(loading_is_bounded_and_has_no_services, async |app| {
    articles(app).await;
    for (name, code, part) in [
        ("loops", "while (true) {}\nexport function register() {}", "within 5 s"),
        ("registers-forever", "export function register() { for (;;); }", "within 5 s"),
        ("waits", "await new Promise(() => {});\nexport function register() {}", "never comes"),
        ("eats", "const a = []; for (;;) a.push(new Uint8Array(1e6));\nexport function register() {}", "memory"),
        ("none", "export const x = 1;", "export function register"),
        ("throws", "export function register() {\n  throw new Error('not today');\n}", "not today"),
        ("rejects", "export async function register() { await null; null.x; }", "TypeError"),
        (
            "calls",
            "export async function register({ createItemsService }) { await createItemsService('articles').readByQuery(); }",
            "none is running",
        ),
        ("missing-export", "import { nothing } from './lib.mjs';\nexport function register() { nothing(); }", "nothing"),
        ("fetches", "await fetch('http://127.0.0.1/');\nexport function register() {}", "fetch"),
        (
            "changes",
            "const at = Math.random();\nexport function register({ emitter }) { emitter.onFilter(`c${String(at).slice(2)}.items.read`, (p) => p); }",
            "differs",
        ),
    ] {
        app.write_folder(name, &[("lib.mjs", "export const something = 1;")]);
        let problems = app.break_folder(name, &[("index.mjs", code)]).await;
        assert!(messages(&problems).join("\n").contains(part), "{name}: {problems:?}");
    }
    // Waiting for what does come is fine, and what it left waiting is over before the first call.
    let waits = "let n = 0;
setInterval(() => n++, 1);
await new Promise((resolve) => setTimeout(resolve, 30));
const before = n;
export async function register({ emitter }) {
  await null;
  emitter.onFilter('articles.items.create', async (p) => {
    const first = n;
    await new Promise((resolve) => setTimeout(resolve, 20));
    return { ...p, slug: `${before > 0} ${n - first}` };
  });
}
";
    app.load_folder("patient", &[("index.mjs", waits)]).await;
    assert_eq!(slug_of(app, "x").await, "true 0");
});

both!(registering_ends_with_register, async |app| {
    articles(app).await;
    let code = "let kept;
export function register(sdk) {
  kept = sdk;
  const gone = () => { throw new Error('taken back'); };
  sdk.emitter.onFilter('articles.items.create', gone);
  sdk.emitter.offFilter('articles.items.create', gone);
  sdk.emitter.onAction('articles.items.create', gone);
  sdk.emitter.offAction('articles.items.create');
  sdk.emitter.onFilter('articles.items.create', (p) => {
    const codes = [];
    for (const late of [() => kept.emitter.onFilter('items.create', () => {}), () => kept.emitter.offFilter('articles.items.create'), () => kept.registerRoutes({})]) {
      try { late(); } catch (error) { codes.push(error.code); }
    }
    return { ...p, slug: codes.join() };
  });
}
";
    let entry = app.load_folder("late", &[("index.mjs", code)]).await;
    assert_eq!(entry["hooks"].as_array().unwrap().len(), 1);
    assert_eq!(slug_of(app, "x").await, ["REGISTRATION_CLOSED"; 3].join(","));
});

both!(services_of_the_sdk_act_for_the_system_in_the_running_operation, async |app| {
    articles(app).await;
    collection(app, "audit", &[("text", "string"), ("user", "string")]).await;
    let code = "export function register({ emitter, createItemsService }) {
  const audit = createItemsService('audit');
  emitter.onFilter('articles.items.create', async (payload, meta, context) => {
    await audit.createOne({ text: payload.title, user: context.accountability.user });
    if (payload.title === 'no') throw new Error('refused');
    const mine = await context.services.items('audit');
    const error = await mine.readByQuery().catch((e) => e);
    return { ...payload, slug: error.code };
  });
}
";
    app.load_folder("audits", &[("index.mjs", code)]).await;
    let user = person(app, &[may("create", "articles", &["*"]), may("read", "articles", &["*"])]).await.client;
    let made = create(&user, "articles", json!({ "title": "yes" })).await;
    assert_eq!(made["slug"], "FORBIDDEN");
    assert_eq!(column(app, "audit", "text").await, ["yes"]);
    // What it wrote belongs to the operation: refused with it, it is gone with it.
    user.post("/api/items/articles", json!({ "title": "no" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(column(app, "audit", "text").await, ["yes"]);
});

both!(several_handlers_of_one_event_are_each_run_and_each_owed, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "export function register({ emitter, createItemsService }) {
  const log = createItemsService('log');
  for (const name of ['a', 'b']) emitter.onAction('articles.items.create', async (meta) => { await log.createOne({ text: name + meta.key + meta.delivery.attempt }); });
  emitter.onAction('articles.items.create', async (meta) => { await log.createOne({ text: 'quick' + typeof meta.delivery }); }, { durable: false });
  emitter.onFilter('articles.items.create', (p) => ({ ...p, slug: (p.slug ?? '') + '2' }), { sort: 2 });
  emitter.onFilter('articles.items.create', (p) => ({ ...p, slug: (p.slug ?? '') + '1' }), { sort: 1 });
}
";
    app.load_folder("many", &[("index.mjs", code)]).await;
    assert_eq!(slug_of(app, "x").await, "12");
    eventually("all have run", Duration::from_secs(10), async || {
        let mut texts: Vec<String> = column(app, "log", "text").await.iter().map(|t| t.as_str().unwrap().to_owned()).collect();
        texts.sort();
        if texts == ["a11", "b11", "quickundefined"] { Ok(()) } else { Err(format!("{texts:?}")) }
    })
    .await;
});

both!(every_call_begins_as_the_modules_were_loaded, async |app| {
    articles(app).await;
    let code = |warm: &str| {
        format!(
            "let n = 0;\nexport function register({{ emitter }}) {{ emitter.onFilter('articles.items.create', (p) => ({{ ...p, slug: String(++n) }})); }}\n// {warm}\n"
        )
    };
    app.load_folder("counts", &[("index.mjs", &code("pristine"))]).await;
    for _ in 0..5 {
        assert_eq!(slug_of(app, "x").await, "1");
    }
    app.load_folder("counts", &[("index.mjs", &code("warm")), ("extension.json", r#"{ "state": "warm" }"#)]).await;
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(slug_of(app, "x").await.as_str().unwrap().parse::<u32>().unwrap());
    }
    assert!(seen.iter().max() > Some(&1), "{seen:?}");
});

both!(a_burst_of_changes_is_one_reload, async |app| {
    articles(app).await;
    app.load_folder("burst", &[("index.mjs", &writes("before"))]).await;
    let before = app.loads("burst");
    for n in 0..500 {
        app.write_folder("burst", &[(&format!("lib/{}/f{n}.mjs", n % 20), &format!("export const n = {n};\n"))]);
    }
    app.load_folder("burst", &[("index.mjs", &writes("after"))]).await;
    assert_eq!(slug_of(app, "x").await, "after");
    still("the burst stays one reload", Duration::from_millis(600), async || match app.loads("burst") - before {
        1 => Ok(()),
        loads => Err(format!("{loads} loads")),
    })
    .await;
});

both!(folders_are_read_only_over_rest, async |app| {
    let entry = app
        .load_folder(
            "mine",
            &[("index.mjs", &writes("x")), ("extension.json", r#"{ "name": "My own", "description": "d", "sort": 7, "timeout_ms": 100 }"#)],
        )
        .await;
    let id = entry["id"].as_str().unwrap();
    assert_eq!((&entry["name"], &entry["sort"], &entry["timeout_ms"]), (&json!("My own"), &json!(7), &json!(100)));
    let read = app.get(&format!("/api/extensions/{id}")).await.expect(200).data();
    assert_eq!(read["folder"], "mine");
    for answer in [
        app.patch(&format!("/api/extensions/{id}"), json!({ "status": "inactive" })).await,
        app.delete(&format!("/api/extensions/{id}")).await,
        app.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await,
    ] {
        assert!(answer.expect_error(400, "INVALID_PAYLOAD").message().contains("`mine`"));
    }
    app.anonymous().get(&format!("/api/extensions/{id}")).await.expect_error(403, "FORBIDDEN");
    app.write_folder("mine", &[("extension.json", r#"{ "enabled": false }"#)]);
    let entry = app.folder_is("mine", "off", |entry| entry["status"] == "inactive").await;
    assert_eq!(entry["live"]["state"], "inactive");
});

both!(folders_stand_behind_the_last_row_on_one_page_only, async |app| {
    for n in 0..4 {
        filter(app, "articles.items.create", &format!("return payload; // {n}")).await;
    }
    app.load_folder("behind", &[("index.mjs", &writes("x"))]).await;
    for (query, rows, folders) in [
        ("limit=-1", 4, 1),
        ("limit=10", 4, 1),
        ("limit=3", 3, 0),
        ("limit=3&page=2", 1, 1),
        ("limit=3&page=3", 0, 0),
        ("limit=2&page=2", 2, 0),
        ("limit=2&page=3", 0, 1),
        ("limit=2&page=4", 0, 0),
        ("limit=2&offset=3", 1, 1),
        ("limit=0", 0, 0),
    ] {
        let listed = app.get(&format!("/api/extensions?{query}")).await.expect(200).data();
        let (behind, before): (Vec<&Value>, Vec<&Value>) = listed.as_array().unwrap().iter().partition(|entry| entry["folder"] == "behind");
        assert_eq!((before.len(), behind.len()), (rows, folders), "{query}");
    }
});

both!(without_the_watch_folders_are_read_at_start_only, env: [("EXTENSIONS_WATCH", "false")], async |app| {
    articles(app).await;
    app.write_folder("later", &[("index.mjs", &writes("later"))]);
    still("nothing is loaded", Duration::from_millis(600), async || match app.folder("later").await {
        None => Ok(()),
        Some(entry) => Err(entry.to_string()),
    })
    .await;
    app.restart().await;
    assert_eq!(slug_of(app, "x").await, "later");
});

both!(in_safe_mode_no_folder_is_loaded, async |app| {
    articles(app).await;
    app.load_folder("safe", &[("index.mjs", &writes("x"))]).await;
    app.stop().await;
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "true")]);
    app.launch().await;
    assert_eq!(slug_of(app, "x").await, Value::Null);
    app.stop().await;
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "")]);
    app.launch().await;
    assert_eq!(slug_of(app, "x").await, "x");
});

both!(deliveries_owed_to_a_folder_that_does_not_load_are_held_for_it, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "export function register({ emitter, createItemsService }) {
  emitter.onAction('articles.items.create', async (meta) => { await createItemsService('log').createOne({ text: meta.payload.title }); });
}
";
    app.load_folder("owed", &[("index.mjs", code)]).await;
    app.stop().await;
    app.write_folder("owed", &[("index.mjs", "export function register( {")]);
    app.launch().await;
    create(app, "articles", json!({ "title": "held" })).await;
    eventually("it is held", Duration::from_secs(10), async || {
        match app.number("SELECT count(*) FROM daas_deliveries WHERE status = 'held'").await {
            1 => Ok(()),
            n => Err(n.to_string()),
        }
    })
    .await;
    app.load_folder("owed", &[("index.mjs", code)]).await;
    eventually("it is delivered", Duration::from_secs(10), async || match count(app, "log").await {
        1 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
});

/// One suite for both would take a minute: which database counts the runs makes no difference to the loads.
#[test]
fn a_thousand_folders_load_within_the_limits() {
    run(Database::Sqlite, &[("WORKER_MEMORY_MB", "512"), ("EXTENSIONS_WATCH", "false")], true, async |app| {
        articles(app).await;
        app.stop().await;
        for n in 0..1_000 {
            app.write_folder(
                &format!("e{n}"),
                &[(
                    "index.mjs",
                    &format!("export function register({{ emitter }}) {{ emitter.onFilter('c{n}.items.create', (p) => p); }}"),
                )],
            );
        }
        app.write_folder("last", &[("index.mjs", &writes("of a thousand"))]);
        app.launch().await;
        let listed = app.get("/api/extensions?limit=-1").await.expect(200).data();
        let active = listed.as_array().unwrap().iter().filter(|entry| entry["status"] == "active").count();
        assert_eq!(active, 1_001);
        assert_eq!(slug_of(app, "x").await, "of a thousand");
        let workers: u64 = app.workers().iter().map(|pid| process::resident(*pid)).sum();
        assert!(workers < 700 << 20, "{} MiB in workers", workers >> 20);
    });
}

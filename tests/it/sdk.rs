//! The package `@trellis/sdk`: its types fit the examples, and what they name is there, no more and no less.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::*;

fn members() -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("js-sdk/test/members.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().trim_end_matches('?').to_owned()).collect()
}

#[test]
fn the_types_hold_for_the_examples_and_for_tests_of_their_own() {
    if !npm::available() {
        return;
    }
    let folder = npm::installed("js-sdk");
    let output = Command::new("npm").args(["run", "check"]).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// A hook that is right about the collections of a server, and, by what it is given to say, wrong.
fn hook(line: &str) -> String {
    format!(
        "import type {{ RegisterSdk }} from '@trellis/sdk';

export function register({{ emitter, createItemsService }}: RegisterSdk): void {{
  emitter.onFilter('articles.items.create', async (payload, meta, {{ services }}) => {{
    const title: string | null | undefined = payload.title;
    const people = await services.items('people');
    const [first] = await people.readByQuery({{ filter: {{ name: {{ _eq: title }} }}, fields: ['id', 'name'], limit: 1 }});
    const written = first?.articles?.map((article) => (typeof article === 'object' ? article.title : article));
    {line}
    return {{ ...payload, title: first?.name ?? title ?? null, writer: first?.id ?? null }};
  }});
  emitter.onFilter('articles.items.update', async (payload, meta) => {{
    const [before] = await meta.previous();
    return {{ ...payload, title: before?.title ?? null }};
  }});
  emitter.onAction('articles.items.create', async (meta) => {{
    await createItemsService('articles').updateOne(meta.key, {{ tags: {{ any: 'thing' }}, price: '1.50', seen: meta.payload.seen ?? true }});
  }});
  emitter.onFilter('elsewhere.items.create', (payload) => ({{ ...payload, anything: payload.goes }}));
}}
"
    )
}

/// What TypeScript says of an extension beside these types.
fn checked(types: &str, hook: &str) -> Result<(), String> {
    let sdk = npm::installed("js-sdk");
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("collections.d.ts", types);
    write("index.ts", hook);
    let globals = sdk.join("globals.d.ts");
    let config = json!({ "extends": sdk.join("tsconfig.json"), "files": [globals, "collections.d.ts", "index.ts"] });
    write("tsconfig.json", &config.to_string());
    let output = Command::new(sdk.join("node_modules/.bin/tsc")).arg("-p").arg(folder.path()).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stdout).into_owned()) }
}

both!(the_collections_of_a_server_are_types_for_its_extensions, async |app| {
    let body = json!({ "collection": "people", "fields": [
        { "field": "id", "type": "uuid", "meta": { "special": ["uuid"] }, "schema": { "is_primary_key": true } }, { "field": "name", "type": "string" },
    ] });
    app.post("/api/collections", body).await.expect(201);
    let body = json!({ "collection": "articles", "meta": { "note": "What people write */ here" }, "fields": [
        { "field": "title", "type": "string", "meta": { "note": "Shown above it" } }, { "field": "writer", "type": "uuid" }, { "field": "tags", "type": "json" },
        { "field": "price", "type": "decimal" }, { "field": "seen", "type": "boolean", "schema": { "is_nullable": false, "default_value": false } },
    ] });
    app.post("/api/collections", body).await.expect(201);
    let relation =
        json!({ "collection": "articles", "field": "writer", "related_collection": "people", "meta": { "one_field": "articles" } });
    app.post("/api/relations", relation).await.expect(201);
    let list = json!({ "field": "articles", "type": "alias", "meta": { "special": ["o2m"] } });
    app.post("/api/fields/people", list).await.expect(201);
    let answer = app.get("/api/extensions/types.d.ts").await.expect(200);
    assert!(answer.header("content-type").starts_with("application/typescript"));
    let types = answer.body;
    for part in [
        "      /** Shown above it */\n      title: string | null;\n",
        "      writer: string | Partial<Collections[\"people\"]> | null;\n",
        "      seen: boolean;\n",
        "      articles?: (number | Partial<Collections[\"articles\"]>)[];\n",
        "    daas_users: {\n",
    ] {
        assert!(types.contains(part), "{part}: {types}");
    }
    // Who may not write extensions doesn't get it; who may, sees what they may read.
    app.anonymous().get("/api/extensions/types.d.ts").await.expect_error(403, "FORBIDDEN");
    let reader = person(app, &may_all("articles")).await;
    reader.client.get("/api/extensions/types.d.ts").await.expect_error(403, "FORBIDDEN");
    let author = person(app, &[may("read", "articles", &["title", "writer"])]).await;
    let body = json!({ "name": "authors", "module_access": { "system:extensions": ["items:articles"] } });
    let policy = app.post("/api/policies", body).await.expect(201).data()["id"].clone();
    app.post("/api/access", json!({ "policy": policy, "user": author.id })).await.expect(201);
    let part = author.client.get("/api/extensions/types.d.ts").await.expect(200).body;
    let begins = "  interface Collections {\n    /** What people write *\u{200b}/ here */\n    articles: {\n";
    let fields = "      /** Shown above it */\n      title: string | null;\n      writer: string | null;\n    };\n  }\n}\n";
    assert!(part.ends_with(&format!("{begins}{fields}")), "{part}");
    // The command prints the same.
    let printed = app.run(&["types"]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), types);
    if !npm::available() {
        return;
    }
    assert_eq!(checked(&types, &hook("")), Ok(()));
    for (line, part) in [
        ("payload.titel = 'x';", "Property 'titel' does not exist"),
        ("payload.title = 5;", "Type 'number' is not assignable"),
        ("await people.readByQuery({ filter: { nam: { _eq: 'x' } } });", "'nam' does not exist"),
        ("await people.createOne({ nam: 'x' });", "'nam' does not exist"),
        ("payload.seen = null;", "Type 'null' is not assignable"),
    ] {
        let told = checked(&types, &hook(line)).expect_err(line);
        assert!(told.contains(part), "{line}: {told}");
    }
});

/// What each interface has in a live isolate, as `look` tells it.
const LOOK: &str = "
const own = (value) => Object.keys(value);
export function register(sdk) {
  const { emitter, registerRoutes, createItemsService } = sdk;
  const seen = { RegisterSdk: own(sdk), Emitter: own(emitter) };
  registerRoutes({ basePath: '/look', routes: [{ method: 'GET', path: '/:x', public: true, handler: async (request, context) => {
    const services = context.services;
    Object.assign(seen, {
      RouteContext: own(context), Services: own(services), Accountability: own(context.accountability), ExtensionInfo: own(context.extension),
      ItemsService: own(await services.items('articles')), SystemItemsService: own(createItemsService('articles')),
      CollectionsService: own(await services.collections()), FieldsService: own(await services.fields()), RelationsService: own(await services.relations()), LogService: own(services.log),
      MailService: own(await services.mail()), CronService: own(services.cron),
      SupabaseClient: own(services.supabase), SupabaseTable: own(services.supabase.from('articles')), SupabaseFilter: own(services.supabase.from('articles').select()),
      SupabaseResult: own(await services.supabase.from('articles').select()), SupabaseError: own((await services.supabase.from('nothing').select()).error),
    });
    return seen;
  } }] });
  emitter.onFilter('articles.items.create', (payload, meta, context) => {
    throw Object.assign(new Error(JSON.stringify({ EventContext: own(context), FilterMeta: own(meta) })), { status: 418 });
  });
  emitter.onFilter('articles.items.update', (payload, meta) => { throw new Error(JSON.stringify({ WriteFilterMeta: own(meta) })); });
}
";

both!(what_the_types_name_is_there_and_nothing_else, async |app| {
    articles(app).await;
    create(app, "articles", json!({ "title": "one" })).await;
    app.load_folder("look", &[("index.mjs", LOOK)]).await;
    let told = members();
    let mut seen = app.anonymous().get("/api/ext/look/1").await.expect(200).json();
    for answer in [app.post("/api/items/articles", json!({})).await.expect(418), app.patch("/api/items/articles/1", json!({})).await] {
        let more: Value = serde_json::from_str(&answer.message()).unwrap();
        seen.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    }
    let seen = seen.as_object().unwrap();
    assert!(seen.len() >= 13, "{seen:?}");
    for (interface, live) in seen {
        let interface = if interface == "SystemItemsService" { "ItemsService" } else { interface };
        let mut named = names(&told["interfaces"][interface]);
        // There for nested items alone, which the tests of nested writes look at.
        named.remove("parent");
        assert_eq!(names(live), named, "{interface}");
    }
});

/// Every global of a live isolate that isn't the language's, with what its class and its instances have.
const GLOBALS: &str = "
const language = new Set(LANGUAGE);
const inherited = (prototype) => {
  const names = new Set();
  for (let at = prototype; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (name !== 'constructor') names.add(name);
  }
  return [...names];
};
const seen = {};
for (const name of Object.getOwnPropertyNames(globalThis)) {
  if (language.has(name)) continue;
  const value = globalThis[name];
  if (typeof value === 'function' && value.prototype !== undefined && Object.getOwnPropertyNames(value.prototype).length > 1) {
    const statics = [];
    for (let at = value; at !== Function.prototype; at = Object.getPrototypeOf(at)) {
      statics.push(...Object.getOwnPropertyNames(at).filter((own) => !['length', 'name', 'prototype'].includes(own)));
    }
    seen[name] = { static: statics, instance: inherited(value.prototype) };
  } else seen[name] = { static: typeof value === 'object' && name !== 'self' ? [...Object.keys(value), ...inherited(Object.getPrototypeOf(value))] : [] };
}
return seen;";

/// The globals of a live isolate as the table of docs/WEB.md: one row each, by name.
fn globals_table(seen: &Value) -> String {
    let row = |(name, value): (&String, &Value)| {
        let list = |side: &str| {
            let constant = |member: &String| member.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            let mut members: Vec<String> = value.get(side).map(names).unwrap_or_default().into_iter().collect();
            // The codes of old exceptions and the phases of events are many and say nothing.
            members.retain(|member| !constant(member));
            members.iter().map(|member| format!("`{member}`")).collect::<Vec<_>>().join(" ")
        };
        match value.get("instance") {
            Some(_) => format!("| `{name}` | {} | {} |\n", list("instance"), list("static")),
            None => format!("| `{name}` | | {} |\n", list("static")),
        }
    };
    let rows: std::collections::BTreeMap<&String, &Value> = seen.as_object().unwrap().iter().collect();
    let rows: String = rows.into_iter().map(row).collect();
    format!("| global | what its objects have | what it has itself |\n| --- | --- | --- |\n{rows}")
}

both!(every_global_of_the_sandbox_has_its_type_and_every_type_its_global, async |app| {
    let language = [
        "AggregateError",
        "Array",
        "ArrayBuffer",
        "Atomics",
        "BigInt",
        "BigInt64Array",
        "BigUint64Array",
        "Boolean",
        "DataView",
        "Date",
        "Error",
        "EvalError",
        "FinalizationRegistry",
        "Float16Array",
        "Float32Array",
        "Float64Array",
        "Function",
        "Infinity",
        "Int16Array",
        "Int32Array",
        "Int8Array",
        "InternalError",
        "Iterator",
        "JSON",
        "Map",
        "Math",
        "NaN",
        "Number",
        "Object",
        "Promise",
        "Proxy",
        "RangeError",
        "ReferenceError",
        "Reflect",
        "RegExp",
        "Set",
        "String",
        "SuppressedError",
        "DisposableStack",
        "AsyncDisposableStack",
        "Symbol",
        "SyntaxError",
        "TypeError",
        "URIError",
        "Uint16Array",
        "Uint32Array",
        "Uint8Array",
        "Uint8ClampedArray",
        "WeakMap",
        "WeakRef",
        "WeakSet",
        "decodeURI",
        "decodeURIComponent",
        "encodeURI",
        "encodeURIComponent",
        "escape",
        "eval",
        "globalThis",
        "isFinite",
        "isNaN",
        "parseFloat",
        "parseInt",
        "undefined",
        "unescape",
        // There to say what to use instead.
        "SharedArrayBuffer",
        "WebAssembly",
        "require",
        // Planted for the tests of the sandbox, by a feature that is never shipped.
        "__payload",
    ];
    let code = GLOBALS.replace("LANGUAGE", &serde_json::to_string(&language[..]).unwrap());
    extension(app, json!({ "event": "GET /globals", "type": "route", "code": code })).await;
    let seen = app.get("/api/ext/globals").await.expect(200).json();
    let table = globals_table(&seen);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/WEB.md");
    assert!(std::fs::read_to_string(path).unwrap().contains(&table), "docs/WEB.md should have:\n{table}");
    let told = members();
    let (seen, told) = (seen.as_object().unwrap(), told["globals"].as_object().unwrap());
    let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(seen), keys(told));
    for (name, typed) in told {
        for side in ["static", "instance"] {
            let Some(typed) = typed.get(side) else { continue };
            let missing: Vec<String> = names(typed).difference(&names(&seen[name][side])).cloned().collect();
            assert!(missing.is_empty(), "{name} has a type for {missing:?}, and they aren't there");
        }
    }
});

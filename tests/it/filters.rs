//! Filter hooks: which events they hear, what they get, what they may change, and what a call sees.

use serde_json::{Value, json};

use crate::support::*;

/// Puts what a hook sees into `title`, as JSON.
fn tell(expression: &str) -> String {
    format!("return {{ ...payload, body: JSON.stringify({expression}) }};")
}

fn told(item: &Value) -> Value {
    serde_json::from_str(item["body"].as_str().unwrap_or_else(|| panic!("nothing told: {item}"))).unwrap()
}

both!(a_global_and_a_specific_filter_both_hear_a_create, async |app| {
    articles(app).await;
    collection(app, "pages", &[("body", "text")]).await;
    filter(app, "items.create", &tell("meta")).await;
    let meta = told(&create(app, "articles", json!({ "title": "a" })).await);
    assert_eq!((&meta["event"], &meta["collection"]), (&json!("articles.items.create"), &json!("articles")));
    assert_eq!(told(&create(app, "pages", json!({})).await)["event"], "pages.items.create");
});

both!(a_bulk_create_runs_the_filter_once_per_item, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: payload.title + '!' };").await;
    let made = app.post("/api/items/articles", json!([{ "title": "a" }, { "title": "b" }])).await.expect(201).data();
    assert_eq!((&made[0]["slug"], &made[1]["slug"]), (&json!("a!"), &json!("b!")));
    app.restart().await;
    assert_eq!(read_extension(app, &id).await["execution_count"], 2);
});

both!(an_update_gets_the_changes_the_keys_and_the_rows_before, async |app| {
    articles(app).await;
    for title in ["a", "b"] {
        create(app, "articles", json!({ "title": title, "views": 1 })).await;
    }
    let code =
        tell("{ payload: { ...payload }, keys: meta.keys, key: meta.key ?? null, before: (await meta.previous()).map((r) => r.title) }");
    filter(app, "articles.items.update", &code).await;
    let changed = app.patch("/api/items/articles/1", json!({ "title": "A" })).await.expect(200).data();
    assert_eq!(told(&changed), json!({ "payload": { "title": "A" }, "keys": [1], "key": 1, "before": ["a"] }));
    app.patch("/api/items/articles", json!({ "keys": [1, 2], "data": { "views": 5 } })).await.expect(200);
    let after = app.get("/api/items/articles/2").await.expect(200).data();
    assert_eq!(told(&after), json!({ "payload": { "views": 5 }, "keys": [1, 2], "key": null, "before": ["A", "b"] }));
});

both!(a_delete_can_be_refused_or_narrowed, async |app| {
    articles(app).await;
    for title in ["keep", "go", "go"] {
        create(app, "articles", json!({ "title": title })).await;
    }
    let code = "const rows = await meta.previous(); if (rows.some((r) => r.title === 'keep')) throw new Error('`keep` stays: ' + payload.join()); return payload;";
    filter(app, "articles.items.delete", code).await;
    let answer = app.delete_with("/api/items/articles", json!([1, 2])).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(answer.message(), "`keep` stays: 1,2");
    app.delete_with("/api/items/articles", json!([2, 3])).await.expect(204);
    assert_eq!(column(app, "articles", "title").await, ["keep"]);
});

both!(undefined_keeps_the_payload_with_changes_made_in_place, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "payload.slug = 'in place';").await;
    let made = create(app, "articles", json!({ "title": "a" })).await;
    // "As it was, in-place changes included": what the code did to the object counts.
    assert_eq!((&made["title"], &made["slug"]), (&json!("a"), &json!("in place")));
});

both!(null_or_another_kind_is_an_error_that_names_the_extension, async |app| {
    articles(app).await;
    for returned in ["null", "1", "'text'", "true", "[]", "[payload]", "() => payload", "new Map()"] {
        let body = json!({ "name": "returns nonsense", "event": "articles.items.create", "code": format!("return {returned};") });
        let id = extension(app, body).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await;
        assert_eq!(answer.status, 500, "{returned}: {}", answer.body);
        assert_eq!(answer.code(), "EXTENSION_FAILED");
        assert!(answer.message().contains("returns nonsense"), "an admin is told the name: {}", answer.body);
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
    assert_eq!(count(app, "articles").await, 0);
});

both!(what_a_filter_returns_is_checked_like_any_input, async |app| {
    articles(app).await;
    for (returned, wanted) in [
        ("{ ...payload, nonsense: 1 }", 400..=500),
        ("{ ...payload, views: 'many' }", 400..=500),
        ("{ ...payload, views: NaN }", 500..=500),
        ("{ ...payload, body: new Map() }", 500..=500),
        ("{ ...payload, title: { a: { b: 1n } } }", 400..=500),
    ] {
        let id = filter(app, "articles.items.create", &format!("return {returned};")).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await;
        assert!(wanted.contains(&answer.status), "{returned}: {} {}", answer.status, answer.body);
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
    assert_eq!(count(app, "articles").await, 0);
});

both!(values_cross_as_the_contract_says, async |app| {
    collection(app, "every", &[("data", "json"), ("at", "timestamp"), ("big", "bigInteger")]).await;
    filter(
        app,
        "every.items.create",
        "return { at: new Date(0), big: 9223372036854775807n, data: { d: new Date(1), u: undefined, l: [undefined], b: 5n, ['__proto__x']: 1, o: JSON.parse('{\"__proto__\": {\"a\": 1}}') } };",
    )
    .await;
    let made = create(app, "every", json!({})).await;
    assert_eq!(made["at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(made["big"], "9223372036854775807");
    assert_eq!(made["data"].to_string(), r#"{"d":"1970-01-01T00:00:00.001Z","l":[null],"b":5,"__proto__x":1,"o":{"__proto__":{"a":1}}}"#);
});

both!(what_cannot_cross_is_named_by_its_path, async |app| {
    articles(app).await;
    for (code, path) in [
        ("return { ...payload, lines: [{ price: NaN }] };", "lines[0].price"),
        ("const a = {}; a.self = a; return { ...payload, body: a };", "body.self"),
        ("return { ...payload, body: { f() {} } };", "body.f"),
        ("return { ...payload, body: Symbol('s') };", "body"),
        ("return { ...payload, body: { m: new Set([1]) } };", "body.m"),
    ] {
        let id = filter(app, "articles.items.create", code).await;
        app.post("/api/items/articles", json!({ "title": "a" })).await.expect_error(500, "EXTENSION_FAILED");
        app.restart().await;
        let shown = read_extension(app, &id).await;
        assert!(shown["last_error"].as_str().unwrap_or_default().contains(path), "{path}: {}", shown["last_error"]);
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(a_call_sees_who_asks, async |app| {
    articles(app).await;
    public_may(app, &may_all("articles")).await;
    filter(app, "articles.items.create", &tell("{ ...context.accountability, id: context.requestId, ext: context.extension.name }")).await;
    let answer = Answer::of(
        app.request("POST", "/api/items/articles").header("x-request-id", "req-1").header("user-agent", "tests").json(&json!({})),
    );
    let admin = told(&answer.await.expect(201).data());
    assert_eq!((&admin["admin"], &admin["email"], &admin["id"]), (&json!(true), &json!("admin@example.com"), &json!("req-1")), "{admin}");
    assert_eq!((&admin["ip"], &admin["userAgent"]), (&json!("127.0.0.1"), &json!("tests")), "{admin}");
    let nobody = told(&create(&app.anonymous(), "articles", json!({})).await);
    assert_eq!((&nobody["user"], &nobody["roles"], &nobody["admin"]), (&Value::Null, &json!([]), &json!(false)), "{nobody}");
    let person = person(app, &may_all("articles")).await;
    let somebody = told(&create(&person.client, "articles", json!({})).await);
    assert_eq!((&somebody["user"], &somebody["admin"]), (&json!(person.id), &json!(false)), "{somebody}");
});

both!(the_context_cannot_be_tampered_with, async |app| {
    articles(app).await;
    let person = person(app, &[may("create", "articles", &["*"]), may("read", "articles", &["*"])]).await;
    let code = "for (const f of [() => { context.accountability.admin = true }, () => { context.accountability = { admin: true } },
                  () => { Object.defineProperty(context.accountability, 'admin', { value: true }) }, () => { services.items = null },
                  () => { context.accountability.roles.push('x') }]) { try { f() } catch {} }
                let seen = 'allowed';
                try { await (await services.items('daas_users')).readByQuery({}) } catch (e) { seen = e.code }
                return { ...payload, body: JSON.stringify([context.accountability.admin, context.accountability.roles, seen]) };";
    filter(app, "articles.items.create", code).await;
    let seen = told(&create(&person.client, "articles", json!({})).await);
    assert_eq!((&seen[0], &seen[1]), (&json!(false), &json!([])), "{seen}");
    assert_ne!(seen[2], "allowed");
});

both!(every_call_starts_pristine, async |app| {
    articles(app).await;
    let code = "const seen = [typeof globalThis.leak, typeof Array.prototype.leak, typeof ({}).leak, JSON.stringify({ a: 1 })];
                globalThis.leak = 1; Array.prototype.leak = 1; Object.prototype.leak = 1; JSON.stringify = () => 'patched';
                Promise.prototype.then = null; Object.defineProperty(Object.prototype, 'slug', { set() {}, get() { return 'stolen' } });
                return { title: seen.join(), body: payload.body };";
    filter(app, "articles.items.create", code).await;
    collection(app, "pages", &[("title", "string")]).await;
    filter(app, "pages.items.create", "return { title: [typeof globalThis.leak, typeof [].leak, JSON.stringify({ a: 1 })].join() };").await;
    for n in 0..10 {
        let made = create(app, "articles", json!({ "body": n.to_string() })).await;
        assert_eq!(made["title"], "undefined,undefined,undefined,{\"a\":1}");
        assert_eq!(create(app, "pages", json!({})).await["title"], "undefined,undefined,{\"a\":1}");
    }
});

both!(chance_is_fresh_in_every_call, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "return { ...payload, title: String(Math.random()) };").await;
    for _ in 0..10 {
        create(app, "articles", json!({})).await;
    }
    let mut numbers: Vec<String> = column(app, "articles", "title").await.iter().map(Value::to_string).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 10);
});

both!(what_a_sandbox_does_not_have_says_so, async |app| {
    let code = "const tries = {
        eval: () => eval('1'), function: () => new Function('return 1')(), async: () => (async () => {}).constructor('return 1')(),
        generator: () => (function* () {}).constructor('yield 1')(), process: () => process.exit(), require: () => require('fs'),
        wasm: () => new WebAssembly.Module(new Uint8Array()), shared: () => new SharedArrayBuffer(8), via: () => ({}).constructor.constructor('return globalThis')(),
        deno: () => Deno.exit(), std: () => std.open('/etc/passwd'), os: () => os.getcwd() };
      const out = {};
      for (const [name, run] of Object.entries(tries)) { try { await run(); out[name] = 'worked' } catch (e) { out[name] = e.message ? 'refused' : 'silent' } }
      try { await import('fs'); out.import = 'worked' } catch (e) { out.import = 'refused' }
      return out;";
    let out = result_of(app, code).await;
    let worked: Vec<_> = out.as_object().unwrap().iter().filter(|(_, v)| *v != "refused").collect();
    assert!(worked.is_empty(), "{worked:?}");
});

both!(timers_and_microtasks_work_and_end_with_the_call, async |app| {
    let code = "const out = [];
      setTimeout(() => out.push('late'), 20); queueMicrotask(() => out.push('micro'));
      const cancelled = setTimeout(() => out.push('never'), 1); clearTimeout(cancelled);
      await new Promise((r) => setTimeout(r, 40));
      let ticks = 0; await new Promise((r) => { const t = setInterval(() => { if (++ticks === 3) { clearInterval(t); r() } }, 1) });
      setInterval(() => {}, 1); setTimeout(() => { throw new Error('after the end') }, 5000);
      return { out, ticks, cloned: structuredClone({ a: [1] }), now: typeof performance.now() };";
    assert_eq!(result_of(app, code).await, json!({ "out": ["micro", "late"], "ticks": 3, "cloned": { "a": [1] }, "now": "number" }));
});

both!(console_goes_to_the_log_with_its_extension, async |app| {
    articles(app).await;
    let id = extension(
        app,
        json!({ "name": "talker", "event": "articles.items.create", "code": "console.log('a line', { n: 1 }, [2]); services.log.warn('structured', { k: 'v' }); return payload;" }),
    )
    .await;
    create(app, "articles", json!({})).await;
    eventually("both lines are in the log", std::time::Duration::from_secs(5), async || {
        let log = app.log();
        let line = log.lines().find(|l| l.contains("a line")).unwrap_or_default();
        if (line.contains(&id) || line.contains("talker")) && log.contains("structured") { Ok(()) } else { Err(line.to_owned()) }
    })
    .await;
});

both!(endless_console_output_is_cut, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "for (let i = 0; i < 20000; i++) console.log('x'.repeat(1000)); return payload;").await;
    create(app, "articles", json!({})).await;
    let written = app.log().matches("xxxxxxxxxx").count() * 10;
    assert!(written < 200_000, "{written} bytes of a call's output are in the log");
});

both!(env_has_only_what_is_listed, env: [
    ("RUNTIME_ENV_WHITELIST_GLOBAL", "SHOP_CURRENCY"),
    ("RUNTIME_ENV_WHITELIST_EXTENSION", "SHOP_NAME,NOT_SET"),
    ("SHOP_CURRENCY", "EUR"),
    ("SHOP_NAME", "Trellis & Co"),
    ("SHOP_KEY", "a secret"),
    ("EXTENSION_PUBLIC_COLOUR", "green"),
    ("RUNTIME_PUBLIC_SHAPE", "round"),
], async |app| {
    let out = result_of(app, "try { services.env.SHOP_NAME = 'x' } catch {} return { ...services.env };").await;
    assert_eq!(out, json!({ "SHOP_CURRENCY": "EUR", "SHOP_NAME": "Trellis & Co", "COLOUR": "green", "SHAPE": "round" }));
});

both!(a_filter_can_set_the_key, async |app| {
    collection(app, "pages", &[("path", "string pk"), ("title", "string")]).await;
    filter(app, "pages.items.create", "return { ...payload, path: payload.title.toLowerCase() };").await;
    assert_eq!(create(app, "pages", json!({ "title": "Home" })).await, json!({ "path": "home", "title": "Home" }));
});

both!(system_tables_emit_events_under_their_own_name, async |app| {
    articles(app).await;
    filter(app, "daas_users.items.update", "throw new Error('people stay as they are: ' + meta.event);").await;
    let person = person(app, &[]).await;
    let answer = app.patch(&format!("/api/users/{}", person.id), json!({ "first_name": "X" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(answer.message(), "people stay as they are: daas_users.items.update");
});

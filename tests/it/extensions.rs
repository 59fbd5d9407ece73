//! Extensions over REST: saved, checked, switched on and off for the very next request, tried without a trace.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

const AUTO_SLUG: &str = "if (!payload.slug && payload.title) {
  payload.slug = payload.title.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '');
}
return payload;";

both!(an_auto_slug_works_at_once_and_stops_at_once, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", AUTO_SLUG).await;
    let made = create(app, "articles", json!({ "title": "Hello World" })).await;
    assert_eq!(made["slug"], "hello-world");
    assert_eq!(app.get("/api/items/articles/1").await.expect(200).data()["slug"], "hello-world");
    deactivate(app, &id).await;
    assert_eq!(create(app, "articles", json!({ "title": "Hello World" })).await["slug"], Value::Null);
    activate(app, &id).await;
    assert_eq!(create(app, "articles", json!({ "title": "Good Bye" })).await["slug"], "good-bye");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    assert_eq!(create(app, "articles", json!({ "title": "Hello World" })).await["slug"], Value::Null);
});

both!(switching_is_effective_for_the_very_next_request_every_time, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'on' };").await;
    for _ in 0..15 {
        deactivate(app, &id).await;
        assert_eq!(create(app, "articles", json!({})).await["slug"], Value::Null);
        activate(app, &id).await;
        assert_eq!(create(app, "articles", json!({})).await["slug"], "on");
    }
});

both!(changed_code_is_effective_for_the_very_next_request, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'v0' };").await;
    for version in 1..10 {
        let code = format!("return {{ ...payload, slug: 'v{version}' }};");
        app.patch(&format!("/api/extensions/{id}"), json!({ "code": code })).await.expect(200);
        assert_eq!(create(app, "articles", json!({})).await["slug"], format!("v{version}"));
    }
});

both!(an_extension_has_the_columns_and_defaults_of_the_contract, async |app| {
    let answer = create_extension(app, json!({ "name": "Mine", "event": "articles.items.create", "code": "return payload;" })).await;
    let made = answer.expect(201).data();
    for (column, expected) in [
        ("name", json!("Mine")),
        ("description", Value::Null),
        ("event", json!("articles.items.create")),
        ("type", json!("filter")),
        ("code", json!("return payload;")),
        ("status", json!("active")),
        ("sort", json!(0)),
        ("timeout_ms", json!(5000)),
        ("memory_limit_mb", json!(64)),
        ("last_error", Value::Null),
        ("last_error_at", Value::Null),
        ("execution_count", json!(0)),
        ("last_executed_at", Value::Null),
        ("avg_execution_time_ms", json!(0)),
        ("failure_mode", json!("closed")),
        ("delivery", json!("durable")),
        ("state", json!("pristine")),
        ("capabilities", Value::Null),
        ("updated_at", Value::Null),
        ("updated_by", Value::Null),
    ] {
        let shown = made.get(column).unwrap_or_else(|| panic!("{column} is missing: {made}"));
        let equal = if expected.is_number() { shown.as_f64() == expected.as_f64() } else { *shown == expected };
        assert!(equal, "{column} is {shown}");
    }
    assert_eq!(made["created_by"], app.get("/api/users/me").await.expect(200).data()["id"]);
    assert!(made["created_at"].is_string());
    assert_eq!(read_extension(app, made["id"].as_str().unwrap()).await["id"], made["id"]);
    let listed = app.get("/api/extensions").await.expect(200).data();
    assert!(listed.as_array().unwrap().iter().any(|e| e["id"] == made["id"]), "{listed}");
});

both!(code_that_does_not_compile_is_refused_with_line_column_and_frame, async |app| {
    articles(app).await;
    for (code, line) in [
        ("const a = 1;\nconst b = ;\nreturn payload;", 2),
        ("return payload;\n}, function () {", 2),
        ("if (true) {\n  return payload;\n", 0),
        ("let a; let a;", 1),
        ("import x from 'y';\nreturn payload;", 1),
        ("return 'unterminated;", 1),
    ] {
        let answer =
            create_extension(app, json!({ "event": "articles.items.create", "code": code })).await.expect_error(400, "INVALID_CODE");
        let extensions = answer.json()["errors"][0]["extensions"].take();
        assert!(extensions["line"].is_u64() && extensions["column"].is_u64(), "{code}: {}", answer.body);
        if line > 0 {
            assert_eq!(extensions["line"], line, "{code}: {}", answer.body);
        }
        let frame = extensions["frame"].as_str().unwrap_or_else(|| panic!("no frame: {}", answer.body));
        assert!(frame.contains('^') && !frame.contains("async function"), "{frame}");
    }
    assert_eq!(app.get("/api/extensions").await.expect(200).data(), json!([]));
});

both!(a_patch_that_does_not_compile_leaves_the_old_code_at_work, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'old' };").await;
    app.patch(&format!("/api/extensions/{id}"), json!({ "code": "return {" })).await.expect_error(400, "INVALID_CODE");
    assert_eq!(create(app, "articles", json!({})).await["slug"], "old");
    assert_eq!(read_extension(app, &id).await["code"], "return { ...payload, slug: 'old' };");
});

both!(code_made_to_break_the_parser_is_answered, async |app| {
    articles(app).await;
    app.allow_errors();
    for code in ["(".repeat(10_000), "[".repeat(1_000_000), "a=>".repeat(100_000), "`${".repeat(50_000), "x".repeat(3_000_000) + "("] {
        let answer = create_extension(app, json!({ "event": "articles.items.create", "code": code })).await;
        assert_eq!(answer.status, 400, "{}…: {}", &answer.asked, answer.body);
        create(app, "articles", json!({})).await;
    }
});

both!(what_is_not_allowed_is_refused_when_it_is_saved, async |app| {
    articles(app).await;
    let good = json!({ "name": "x", "event": "articles.items.create", "type": "filter", "code": "return payload;", "status": "active" });
    let mut wrong = Vec::new();
    for (key, value) in [
        ("event", json!("articles.items.creates")),
        ("event", json!("items")),
        ("event", json!("")),
        ("event", json!("a b.items.create")),
        ("event", json!("__proto__")),
        ("event", Value::Null),
        ("type", json!("filters")),
        ("type", Value::Null),
        ("status", json!("on")),
        ("timeout_ms", json!(0)),
        ("timeout_ms", json!(60_001)),
        ("timeout_ms", json!("soon")),
        ("memory_limit_mb", json!(0)),
        ("memory_limit_mb", json!(513)),
        ("failure_mode", json!("ajar")),
        ("delivery", json!("pigeon")),
        ("state", json!("hot")),
        ("name", json!("")),
        ("code", json!(1)),
        ("execution_count", json!(5)),
        ("colour", json!("red")),
    ] {
        let mut body = good.clone();
        body[key] = value;
        let answer = app.post("/api/extensions", body.clone()).await;
        if answer.status != 400 {
            wrong.push(format!("{key}: {} answered {} {}", body[key], answer.status, answer.body));
            if answer.status == 201 {
                app.delete(&format!("/api/extensions/{}", answer.data()["id"].as_str().unwrap())).await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let mut action = good.clone();
    action["type"] = "action".into();
    action["event"] = "items.query".into();
    app.post("/api/extensions", action).await.expect(400);
    app.post("/api/extensions", good.clone()).await.expect(201);
    app.post("/api/extensions", good).await.expect(409);
});

both!(hooks_run_by_sort_then_by_name, async |app| {
    articles(app).await;
    for (name, sort, event, letter) in [
        ("b", 5, "articles.items.create", "c"),
        ("z", -1, "items.create", "a"),
        ("a", 5, "items.create", "b"),
        ("c", 7, "articles.items.create", "d"),
    ] {
        let code = format!("return {{ ...payload, title: (payload.title ?? '') + '{letter}' }};");
        extension(app, json!({ "name": name, "sort": sort, "event": event, "code": code })).await;
    }
    assert_eq!(create(app, "articles", json!({ "title": "" })).await["title"], "abcd");
});

both!(an_inactive_extension_does_nothing_when_it_is_saved, async |app| {
    articles(app).await;
    extension(app, json!({ "event": "articles.items.create", "code": "throw new Error('no');", "status": "inactive" })).await;
    create(app, "articles", json!({})).await;
});

both!(a_test_run_shows_everything_and_leaves_nothing, async |app| {
    articles(app).await;
    collection(app, "other", &[("title", "string")]).await;
    action(app, "other.items.create", "console.log('must never run');").await;
    let code = "console.log('hello', { a: 1 }); console.warn('careful');
                const other = await services.items('other');
                const key = await other.createOne({ title: 'written in a test' });
                const seen = await other.readOne(key);
                return { ...payload, slug: seen.title, body: context.accountability.user };";
    let body = json!({ "code": code, "type": "filter", "event": "articles.items.create", "testPayload": { "title": "T" } });
    let data = app.post("/api/extensions/test", body).await.expect(200).data();
    assert_eq!(data["success"], true, "{data}");
    assert_eq!((&data["result"]["title"], &data["result"]["slug"]), (&json!("T"), &json!("written in a test")));
    assert!(data["executionTime"].is_number(), "{data}");
    let logs = data["logs"].to_string();
    assert!(logs.contains("hello") && logs.contains("careful"), "{logs}");
    let used = data["capabilitiesUsed"].to_string();
    assert!(used.contains("items:other"), "{used}");
    assert!(data["calls"].as_array().unwrap().len() >= 2, "{data}");
    assert_eq!(count(app, "other").await, 0);
    assert_eq!(count(app, "articles").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM daas_extensions WHERE name <> ''").await, 1);
});

both!(a_test_run_counts_nothing_for_a_saved_extension, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return payload;").await;
    app.post(
        "/api/extensions/test",
        json!({ "code": "return payload;", "type": "filter", "event": "articles.items.create", "testPayload": {} }),
    )
    .await
    .expect(200);
    app.restart().await;
    let shown = read_extension(app, &id).await;
    assert_eq!((&shown["execution_count"], &shown["last_executed_at"]), (&json!(0), &Value::Null));
});

both!(a_failing_test_run_tells_the_author_where, async |app| {
    articles(app).await;
    let body = |code: &str| json!({ "code": code, "type": "filter", "event": "articles.items.create", "testPayload": {} });
    let data = app.post("/api/extensions/test", body("const a = 1;\nundefinedThing();\nreturn a;")).await.expect(200).data();
    assert_eq!(data["success"], false, "{data}");
    assert_eq!((&data["error"]["name"], &data["error"]["line"]), (&json!("ReferenceError"), &json!(2)), "{data}");
    assert!(data["error"]["message"].as_str().unwrap().contains("undefinedThing"));
    assert!(data["error"]["frame"].as_str().unwrap().contains("undefinedThing"));
    let data = app.post("/api/extensions/test", body("throw new Error('my words');")).await.expect(200).data();
    assert_eq!((&data["success"], &data["error"]["message"]), (&json!(false), &json!("my words")));
    let answer = app.post("/api/extensions/test", body("return {")).await;
    assert!(answer.body.contains("INVALID_CODE") || answer.data()["error"]["name"] == "SyntaxError", "{}", answer.body);
    let data = app
        .post(
            "/api/extensions/test",
            json!({ "code": "while(true){}", "type": "filter", "event": "articles.items.create", "timeout_ms": 300 }),
        )
        .await;
    assert!(data.status == 200 && data.data()["success"] == false || data.status == 400, "{data:?}");
});

both!(a_test_of_an_action_hook_gets_its_meta, async |app| {
    articles(app).await;
    let body = json!({ "code": "return [meta.event, meta.key, typeof payload];", "type": "action", "event": "articles.items.create", "testPayload": {}, "meta": { "key": 7 } });
    let data = app.post("/api/extensions/test", body).await.expect(200).data();
    assert_eq!(data["result"], json!(["articles.items.create", 7, "undefined"]), "{data}");
});

both!(a_test_may_speak_for_somebody_else, async |app| {
    articles(app).await;
    let body = json!({ "code": "return (await services.items('articles')).readByQuery({});", "type": "action", "event": "articles.items.create",
        "accountability": { "user": null, "role": null, "roles": [], "admin": false } });
    let data = app.post("/api/extensions/test", body).await.expect(200).data();
    assert_eq!((&data["success"], &data["error"]["code"]), (&json!(false), &json!("FORBIDDEN")), "{data}");
});

both!(every_run_counts_and_is_flushed_in_time, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "if (payload.title === 'bad') throw new Error('refused'); return payload;").await;
    for title in ["a", "b", "bad"] {
        app.post("/api/items/articles", json!({ "title": title })).await;
    }
    let shown = eventually("the counters are written", Duration::from_secs(5), async || {
        let shown = read_extension(app, &id).await;
        if shown["execution_count"] == 3 { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await;
    assert!(shown["avg_execution_time_ms"].is_number() && shown["last_executed_at"].is_string(), "{shown}");
    assert!(shown["last_error"].as_str().unwrap().contains("refused") && shown["last_error_at"].is_string(), "{shown}");
    assert_eq!(shown["status"], "active");
});

both!(extensions_survive_a_restart, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", AUTO_SLUG).await;
    let mut before = read_extension(app, &id).await;
    app.restart().await;
    let mut after = read_extension(app, &id).await;
    // The host is another process.
    before["live"]["hosts"].take();
    after["live"]["hosts"].take();
    assert_eq!(after, before);
    assert_eq!(create(app, "articles", json!({ "title": "After It" })).await["slug"], "after-it");
});

both!(an_unknown_extension_is_404, async |app| {
    let id = "00000000-0000-4000-8000-000000000000";
    app.get(&format!("/api/extensions/{id}")).await.expect(404);
    app.patch(&format!("/api/extensions/{id}"), json!({ "sort": 1 })).await.expect(404);
    app.post(&format!("/api/extensions/{id}/activate"), json!({})).await.expect(404);
    app.delete(&format!("/api/extensions/{id}")).await.expect(404);
    app.get("/api/extensions/nonsense").await.expect(400);
});

both!(a_filter_may_wait_for_a_collection_that_does_not_exist_yet, async |app| {
    filter(app, "articles.items.create", "return { ...payload, slug: 'ready' };").await;
    articles(app).await;
    assert_eq!(create(app, "articles", json!({})).await["slug"], "ready");
});

//! When a filter fails: what the caller learns, what the author learns, and that nothing is half done.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// The counters and the last error are written in batches.
async fn last_error(app: &Client, id: &str, part: &str) -> Value {
    eventually("the error is shown to its author", Duration::from_secs(5), async || {
        let shown = read_extension(app, id).await;
        if shown["last_error"].as_str().unwrap_or_default().contains(part) { Ok(shown) } else { Err(shown["last_error"].to_string()) }
    })
    .await
}

both!(a_decision_reaches_the_caller_word_for_word, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "if (!payload.title) throw new Error('Title is required'); return payload;").await;
    let answer = app.post("/api/items/articles", json!({ "slug": "x" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(answer.message(), "Title is required");
    assert_eq!(answer.json(), json!({ "errors": [{ "message": "Title is required", "extensions": { "code": "EXTENSION_ERROR" } }] }));
    assert_eq!(count(app, "articles").await, 0);
    create(app, "articles", json!({ "title": "a" })).await;
});

both!(a_decision_may_choose_status_and_code, async |app| {
    articles(app).await;
    for (thrown, status, code, message) in [
        ("Object.assign(new Error('Taken'), { status: 409, code: 'TITLE_TAKEN' })", 409, "TITLE_TAKEN", "Taken"),
        ("Object.assign(new Error('Pay first'), { status: 402 })", 402, "EXTENSION_ERROR", "Pay first"),
        ("Object.assign(new Error('Too high'), { status: 500 })", 400, "EXTENSION_ERROR", "Too high"),
        ("Object.assign(new Error('Too low'), { status: 200 })", 400, "EXTENSION_ERROR", "Too low"),
        ("Object.assign(new Error('Not a number'), { status: '404' })", 400, "EXTENSION_ERROR", "Not a number"),
        ("{ message: 'A plain object', code: 'PLAIN' }", 400, "PLAIN", "A plain object"),
        ("new (class Refused extends Error {})('A subclass')", 400, "EXTENSION_ERROR", "A subclass"),
    ] {
        let id = filter(app, "articles.items.create", &format!("throw {thrown};")).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await.expect_error(status, code);
        assert_eq!(answer.message(), message);
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(a_long_message_is_cut, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "throw new Error('ä'.repeat(5000));").await;
    let answer = app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    let length = answer.message().chars().count();
    assert!((900..=1_010).contains(&length), "{length}");
});

both!(a_bug_leaks_nothing_and_tells_the_author_everything, async |app| {
    articles(app).await;
    public_may(app, &may_all("articles")).await;
    for (code, name) in [
        ("const secretName = null;\nreturn secretName.deep.value;", "TypeError"),
        ("return secretName.value;", "ReferenceError"),
        ("return 'x'.repeat(-1);", "RangeError"),
        ("JSON.parse('{secretName'); return payload;", "SyntaxError"),
        ("throw new TypeError('secretName');", "TypeError"),
    ] {
        let id = extension(app, json!({ "name": "secretName ext", "event": "articles.items.create", "code": code })).await;
        let answer = app.anonymous().post("/api/items/articles", json!({ "title": "a" })).await.expect_error(500, "EXTENSION_FAILED");
        assert!(!answer.body.contains("secretName") && !answer.body.contains(name), "{}", answer.body);
        let request_id = answer.header("x-request-id").to_owned();
        assert!(!request_id.is_empty());
        let shown = last_error(app, &id, name).await;
        assert!(shown["last_error_at"].is_string() && shown["status"] == "active", "{shown}");
        assert!(app.log().contains(&request_id), "the log knows the request");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
    assert_eq!(count(app, "articles").await, 0);
});

both!(an_admin_is_told_which_extension_failed, async |app| {
    articles(app).await;
    extension(app, json!({ "name": "clumsy", "event": "articles.items.create", "code": "null.x;" })).await;
    let answer = app.post("/api/items/articles", json!({})).await.expect_error(500, "EXTENSION_FAILED");
    assert!(answer.message().contains("clumsy") && !answer.body.contains("null"), "{}", answer.body);
});

both!(what_is_thrown_strangely_is_still_an_answer, async |app| {
    articles(app).await;
    for thrown in [
        "null",
        "undefined",
        "1",
        "'text'",
        "Symbol('x')",
        "new Proxy({}, { get() { throw 1 } })",
        "{ get message() { throw new Error('x') } }",
        "[]",
        "Promise.reject(1)",
    ] {
        let id = filter(app, "articles.items.create", &format!("throw {thrown};")).await;
        let answer = app.post("/api/items/articles", json!({})).await;
        assert!(matches!(answer.status, 400 | 500), "{thrown}: {} {}", answer.status, answer.body);
        answer.code();
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(an_unhandled_rejection_elsewhere_does_not_hurt_the_host, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "Promise.reject(new Error('nobody waits')); (async () => { throw 1 })(); return payload;").await;
    let answer = app.post("/api/items/articles", json!({})).await;
    assert!(matches!(answer.status, 201 | 500), "{answer:?}");
    app.get("/api/health").await.expect(200);
});

both!(what_a_throwing_filter_wrote_is_undone, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "const log = await services.items('log'); await log.createOne({ text: '1' }); await log.createOne({ text: '2' });
                if (payload.title === 'bad') throw new Error('no'); return payload;";
    filter(app, "articles.items.create", code).await;
    app.post("/api/items/articles", json!({ "title": "bad" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!((count(app, "log").await, count(app, "articles").await), (0, 0));
    create(app, "articles", json!({ "title": "good" })).await;
    assert_eq!((count(app, "log").await, count(app, "articles").await), (2, 1));
});

both!(a_later_filter_undoes_what_an_earlier_one_wrote, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    extension(app, json!({ "sort": 1, "event": "articles.items.create", "code": "await (await services.items('log')).createOne({ text: 'x' }); return payload;" })).await;
    extension(app, json!({ "sort": 2, "event": "articles.items.create", "code": "throw new Error('no');" })).await;
    app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(count(app, "log").await, 0);
});

both!(one_refused_item_refuses_the_whole_array, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "if (payload.title === 'bad') throw new Error('no'); return payload;").await;
    app.post("/api/items/articles", json!([{ "title": "a" }, { "title": "bad" }, { "title": "b" }]))
        .await
        .expect_error(400, "EXTENSION_ERROR");
    assert_eq!(count(app, "articles").await, 0);
});

both!(a_service_error_passes_through_or_is_a_bug, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string required not_null")]).await;
    let person = person(app, &may_all("articles")).await.client;
    let id = filter(app, "articles.items.create", "await (await services.items('log')).readByQuery({}); return payload;").await;
    person.post("/api/items/articles", json!({})).await.expect_error(403, "FORBIDDEN");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    let id = filter(app, "articles.items.create", "await (await services.items('log')).createOne({}); return payload;").await;
    app.post("/api/items/articles", json!({})).await.expect_error(400, "FAILED_VALIDATION");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    filter(app, "articles.items.create", "await (await services.items('nothing_here')).readByQuery({}); return payload;").await;
    let answer = app.post("/api/items/articles", json!({})).await.expect_error(500, "EXTENSION_FAILED");
    assert!(!answer.body.contains("nothing_here"), "{}", answer.body);
});

both!(a_caught_service_error_lets_the_filter_go_on, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string unique")]).await;
    create(app, "log", json!({ "text": "taken" })).await;
    let code = "const log = await services.items('log'); await log.createOne({ text: 'before' }); let seen = null;
                try { await log.createOne({ text: 'taken' }) } catch (e) { seen = [e instanceof Error, e.code, e.status] }
                await log.createOne({ text: 'after' });
                return { ...payload, body: JSON.stringify(seen) };";
    filter(app, "articles.items.create", code).await;
    assert_eq!(create(app, "articles", json!({})).await["body"], "[true,\"RECORD_NOT_UNIQUE\",409]");
    assert_eq!(column(app, "log", "text").await, ["taken", "before", "after"]);
});

both!(five_faults_in_a_row_cool_the_extension_down, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "if (payload.title === 'hang') while (true) {} return payload;";
    let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 100, "code": code })).await;
    for _ in 0..5 {
        app.post("/api/items/articles", json!({ "title": "hang" })).await.expect_error(504, "EXTENSION_TIMEOUT");
    }
    let answer = app.post("/api/items/articles", json!({ "title": "fine" })).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| (1..=30).contains(&s)), "{answer:?}");
    eventually("a success ends the cooling down", Duration::from_secs(10), async || {
        match app.post("/api/items/articles", json!({ "title": "fine" })).await.status {
            201 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    create(app, "articles", json!({ "title": "fine" })).await;
    for _ in 0..5 {
        app.post("/api/items/articles", json!({ "title": "hang" })).await;
    }
    app.post("/api/items/articles", json!({ "title": "fine" })).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    activate(app, &id).await;
    create(app, "articles", json!({ "title": "activating it ends the cooling down too" })).await;
});

both!(throwing_often_cools_nothing_down, async |app| {
    articles(app).await;
    filter(app, "articles.items.create", "throw new Error('no');").await;
    for _ in 0..20 {
        app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    }
});

both!(an_open_filter_that_cannot_run_is_skipped, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "if (payload.title === 'hang') while (true) {} return { ...payload, slug: 'ran' };";
    let body = json!({ "event": "articles.items.create", "timeout_ms": 100, "code": code, "failure_mode": "open" });
    extension(app, body).await;
    for _ in 0..5 {
        app.post("/api/items/articles", json!({ "title": "hang" })).await;
    }
    let made = create(app, "articles", json!({ "title": "fine" })).await;
    assert_eq!(made["slug"], Value::Null);
});

both!(filters_that_wake_each_other_end_with_the_chain_of_names, async |app| {
    collection(app, "ping", &[("n", "integer")]).await;
    collection(app, "pong", &[("n", "integer")]).await;
    extension(app, json!({ "name": "to-pong", "event": "ping.items.create", "code": "await (await services.items('pong')).createOne({ n: 1 }); return payload;" })).await;
    extension(app, json!({ "name": "to-ping", "event": "pong.items.create", "code": "await (await services.items('ping')).createOne({ n: 1 }); return payload;" })).await;
    let answer = app.post("/api/items/ping", json!({})).await.expect_error(508, "EXTENSION_RECURSION");
    assert!(answer.body.contains("to-pong") && answer.body.contains("to-ping"), "the chain is named: {}", answer.body);
    assert_eq!((count(app, "ping").await, count(app, "pong").await), (0, 0));
    public_may(app, &[may_all("ping"), may_all("pong")].concat()).await;
    let answer = app.anonymous().post("/api/items/ping", json!({})).await.expect_error(508, "EXTENSION_RECURSION");
    assert!(!answer.body.contains("to-pong"), "names are for admins: {}", answer.body);
});

both!(a_filter_may_write_to_its_own_collection_without_waking_itself, async |app| {
    articles(app).await;
    let code =
        "if (!payload.slug) await (await services.items('articles', { emitEvents: false })).createOne({ title: 'copy' }); return payload;";
    filter(app, "articles.items.create", code).await;
    create(app, "articles", json!({ "title": "a" })).await;
    assert_eq!(count(app, "articles").await, 2);
});

both!(failing_global_filters_never_lock_an_admin_out, async |app| {
    app.allow_errors();
    articles(app).await;
    let hang = extension(app, json!({ "event": "items.update", "timeout_ms": 300, "code": "while (true) {}" })).await;
    let throws = extension(app, json!({ "event": "items.update", "code": "throw new Error('never')" })).await;
    let creates = extension(app, json!({ "event": "items.create", "code": "throw new Error('never')" })).await;
    let deletes = extension(app, json!({ "event": "items.delete", "code": "throw new Error('never')" })).await;
    app.post("/api/items/articles", json!({})).await.expect_error(400, "EXTENSION_ERROR");
    for id in [&hang, &throws, &creates] {
        deactivate(app, id).await;
    }
    create(app, "articles", json!({})).await;
    app.patch("/api/items/articles/1", json!({ "title": "x" })).await.expect(200);
    app.delete("/api/items/articles/1").await.expect_error(400, "EXTENSION_ERROR");
    app.delete(&format!("/api/extensions/{deletes}")).await.expect(204);
    app.delete("/api/items/articles/1").await.expect(204);
});

both!(no_text_of_an_extension_passes_for_a_line_of_the_log, env: [("LOG_FORMAT", "text")], async |app| {
    articles(app).await;
    let forged = "\\n2026-01-01T00:00:00.000000Z ERROR trellis: forged\\r\\x1b[2Jforged";
    let code = format!("console.error('told{forged}'); throw new TypeError('thrown{forged}');");
    filter(app, "articles.items.create", &code).await;
    app.post("/api/items/articles", json!({ "title": "a" })).await.expect(500);
    eventually("the failure to be logged", Duration::from_secs(10), async || {
        let log = app.log();
        if log.contains("thrown") && log.contains("told") { Ok(()) } else { Err(log) }
    })
    .await;
    let log = app.log();
    assert!(log.contains("forged"), "{log}");
    for line in log.lines() {
        assert!(!line.starts_with("2026-01-01") && !line.contains('\r') && !line.contains("\x1b[2J"), "{line:?}");
    }
});

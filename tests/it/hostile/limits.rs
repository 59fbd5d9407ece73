//! Each limit of a call has two values that behave differently: what is written down is what is enforced.

use std::time::Duration;

use serde_json::json;

use super::GRACE;
use crate::support::*;

both!(alone the_stack_limit_can_be_caught_in_javascript, async |app| {
    let code = "let depth = 0; const f = () => { depth++; f() }; try { f() } catch (e) { return [e instanceof RangeError, depth > 100] }";
    assert_eq!(result_of(app, code).await, json!([true, true]));
});

both!(alone two_memory_limits_give_two_outcomes, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "const a = new Uint8Array(20 << 20).fill(1); return { ...payload, views: a.length };";
    let id = extension(app, json!({ "event": "articles.items.create", "memory_limit_mb": 8, "code": code })).await;
    app.post("/api/items/articles", json!({})).await.expect_error(500, "EXTENSION_OUT_OF_MEMORY");
    app.patch(&format!("/api/extensions/{id}"), json!({ "memory_limit_mb": 64 })).await.expect(200);
    assert_eq!(create(app, "articles", json!({})).await["views"], 20 << 20);
});

both!(alone two_time_limits_give_two_outcomes, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "await new Promise((r) => setTimeout(r, 700)); return payload;";
    let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 300, "code": code })).await;
    let limit = Duration::from_millis(300) + GRACE;
    app.post("/api/items/articles", json!({})).await.expect_error(504, "EXTENSION_TIMEOUT").expect_within(limit);
    app.patch(&format!("/api/extensions/{id}"), json!({ "timeout_ms": 3000 })).await.expect(200);
    create(app, "articles", json!({})).await;
});

both!(alone an_operation_with_all_its_filters_has_an_end, env: [("REQUEST_TIMEOUT_MS", "600")], async |app| {
    app.allow_errors();
    articles(app).await;
    for sort in 0..5 {
        let code = "await new Promise((r) => setTimeout(r, 250)); return payload;";
        extension(app, json!({ "sort": sort, "event": "articles.items.create", "timeout_ms": 2000, "code": code })).await;
    }
    let answer = app.post("/api/items/articles", json!({})).await.expect(504).expect_within(Duration::from_millis(650));
    assert!(matches!(answer.code().as_str(), "REQUEST_TIMEOUT" | "EXTENSION_TIMEOUT"), "{}", answer.body);
    assert_eq!(count(app, "articles").await, 0);
    with(app, &[("REQUEST_TIMEOUT_MS", "10000")]).await;
    create(app, "articles", json!({})).await;
});

/// The same program under other settings.
async fn with(app: &mut TestApp, env: &[(&str, &str)]) {
    app.set_env(env);
    app.restart().await;
}

both!(output_of_the_console_up_to_its_limit_is_there_and_beyond_it_is_cut, async |app| {
    articles(app).await;
    for (lines, cut) in [(50, false), (100, true)] {
        let code = format!("for (let i = 0; i < {lines}; i++) console.log(`{lines} ${{i}} ` + '#'.repeat(1000)); return payload;");
        let id = filter(app, "articles.items.create", &code).await;
        create(app, "articles", json!({})).await;
        let note = |line: &str| line.contains("console output is cut here");
        eventually("the output is in the log", Duration::from_secs(5), async || {
            let log = app.log();
            let last = log.contains(&format!("{lines} {} ##", lines - 1));
            if last != cut && log.lines().any(note) == cut { Ok(()) } else { Err(format!("{lines} lines: the last is there: {last}")) }
        })
        .await;
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(two_largest_payloads_give_two_outcomes, env: [("EXTENSION_MAX_PAYLOAD", "4096")], async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "if (payload.title === 'returned') return { ...payload, body: 'x'.repeat(5000) };
                if (payload.title === 'asked') await (await services.items('articles')).readByQuery({ filter: { title: { _eq: 'x'.repeat(5000) } } });
                return payload;";
    filter(app, "articles.items.create", code).await;
    create(app, "articles", json!({ "title": "neither" })).await;
    let large = json!({ "title": "given", "body": "x".repeat(5000) });
    app.post("/api/items/articles", large.clone()).await.expect_error(413, "EXTENSION_PAYLOAD_TOO_LARGE");
    app.post("/api/items/articles", json!({ "title": "returned" })).await.expect_error(413, "EXTENSION_PAYLOAD_TOO_LARGE");
    app.post("/api/items/articles", json!({ "title": "asked" })).await.expect_error(500, "EXTENSION_FAILED");
    assert_eq!(count(app, "articles").await, 1);
    with(app, &[("EXTENSION_MAX_PAYLOAD", "8192")]).await;
    create(app, "articles", large).await;
    create(app, "articles", json!({ "title": "returned" })).await;
    create(app, "articles", json!({ "title": "asked" })).await;
});

both!(two_greatest_depths_give_two_outcomes, env: [("EXTENSION_MAX_DEPTH", "2")], async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "if (payload.views > 1) await (await services.items('articles')).createOne({ views: payload.views - 1 }); return payload;";
    filter(app, "articles.items.create", code).await;
    create(app, "articles", json!({ "views": 2 })).await;
    app.post("/api/items/articles", json!({ "views": 5 })).await.expect_error(508, "EXTENSION_RECURSION");
    assert_eq!(count(app, "articles").await, 2, "a refused operation writes nothing, on no level");
    with(app, &[("EXTENSION_MAX_DEPTH", "5")]).await;
    create(app, "articles", json!({ "views": 5 })).await;
    assert_eq!(count(app, "articles").await, 7);
});

both!(as_many_calls_run_and_wait_as_is_set, env: [("EXTENSION_MAX_IN_FLIGHT", "1"), ("EXTENSION_MAX_WAITING", "0")], async |app| {
    app.allow_errors();
    articles(app).await;
    filter(app, "articles.items.create", "await new Promise((r) => setTimeout(r, 400)); return payload;").await;
    create(app, "articles", json!({})).await;
    for (in_flight, waiting, ran) in [("1", "0", 1), ("2", "0", 2), ("1", "2", 3), ("3", "0", 3)] {
        with(app, &[("EXTENSION_MAX_IN_FLIGHT", in_flight), ("EXTENSION_MAX_WAITING", waiting)]).await;
        let calls = [(); 3].map(|()| {
            let client = Client::clone(app);
            tokio::spawn(async move { client.post("/api/items/articles", json!({})).await })
        });
        let mut good = 0;
        for call in calls {
            let answer = call.await.unwrap();
            if answer.status == 201 {
                good += 1;
            } else {
                answer.expect_error(503, "EXTENSION_BUSY");
            }
        }
        assert_eq!(good, ran, "of 3 calls, {in_flight} in flight and {waiting} waiting");
    }
});

const STREAM: &str = "export function register({ registerRoutes }) {
  let n = 0;
  const pull = async (c) => { await new Promise((r) => setTimeout(r, 100)); n++ < 16 ? c.enqueue('x') : c.close(); };
  const handler = () => new Response(new ReadableStream({ pull }).pipeThrough(new TextEncoderStream()));
  registerRoutes({ basePath: '/slow', routes: [{ method: 'GET', path: '/', public: true, handler }] });
}";

both!(alone two_limits_of_a_streaming_answer_give_two_outcomes, async |app| {
    app.allow_errors();
    let load = async |app: &TestApp, limit: u32| {
        let settings = json!({ "stream_timeout_ms": limit }).to_string();
        app.load_folder("slow", &[("index.mjs", STREAM), ("extension.json", &settings)]).await;
    };
    load(app, 1000).await;
    let cut = Answer::try_of(app.anonymous().request("GET", "/api/ext/slow")).await;
    assert!(cut.is_err(), "the whole of it came: {cut:?}");
    load(app, 10_000).await;
    assert_eq!(app.anonymous().get("/api/ext/slow").await.expect(200).body, "x".repeat(16));
});

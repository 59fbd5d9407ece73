//! Extensions in trouble: what counts as a fault, how they get out of it, and who can let them out.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::process;
use crate::support::*;

const HANGS: &str = "if (payload.title === 'hang') await new Promise(() => {}); return payload;";

async fn post(app: &Client, title: &str) -> Answer {
    app.post("/api/items/articles", json!({ "title": title })).await
}

#[track_caller]
fn cools_down(answer: Answer) {
    let answer = answer.expect_error(503, "EXTENSION_UNAVAILABLE");
    assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|s| (1..=30).contains(&s)), "{answer:?}");
}

both!(alone a_trial_whose_caller_goes_away_keeps_nobody_out, async |app| {
    app.allow_errors();
    articles(app).await;
    extension(app, json!({ "event": "articles.items.create", "timeout_ms": 300, "code": HANGS })).await;
    for _ in 0..5 {
        post(app, "hang").await.expect_error(504, "EXTENSION_TIMEOUT");
    }
    cools_down(post(app, "fine").await);
    // While it cools down the answer comes at once; a call that is let through hangs, and then its caller goes.
    eventually("a trial is let through", Duration::from_secs(10), async || {
        let request = app.request("POST", "/api/items/articles").json(&json!({ "title": "hang" }));
        match tokio::time::timeout(Duration::from_millis(100), request.send()).await {
            Err(_) => Ok(()),
            Ok(answer) => Err(format!("{answer:?}")),
        }
    })
    .await;
    eventually("it is good again", Duration::from_secs(3) + SLACK, async || {
        let answer = post(app, "fine").await;
        if answer.status == 201 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    post(app, "fine").await.expect(201);
});

both!(faults_between_successes_begin_a_cool_down_too, async |app| {
    app.allow_errors();
    articles(app).await;
    extension(app, json!({ "event": "articles.items.create", "timeout_ms": 100, "code": HANGS })).await;
    for fault in 1..=5 {
        post(app, "hang").await.expect_error(504, "EXTENSION_TIMEOUT");
        if fault < 5 {
            post(app, "fine").await.expect(201);
        }
    }
    cools_down(post(app, "fine").await);
});

/// Breaks the row of a filter on `articles` while the server is down, and gives its id.
async fn broken(app: &mut TestApp, change: &str) -> String {
    app.allow_errors();
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'ran' };").await;
    assert!(app.stop().await.success());
    app.sql(&format!("UPDATE daas_extensions SET {change} WHERE id = '{id}'")).await;
    app.launch().await;
    id
}

both!(a_filter_whose_code_is_broken_guards_until_it_is_deactivated, async |app| {
    let id = broken(app, "code = 'return {'").await;
    post(app, "a").await.expect_error(503, "EXTENSION_UNAVAILABLE");
    eventually("its status says so", Duration::from_secs(5), async || {
        let shown = read_extension(app, &id).await;
        if shown["status"] == "error" && shown["last_error"].is_string() { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    post(app, "a").await.expect_error(503, "EXTENSION_UNAVAILABLE");
    deactivate(app, &id).await;
    assert_eq!(post(app, "a").await.expect(201).data()["slug"], Value::Null);
    let mended = json!({ "code": "return { ...payload, slug: 'mended' };" });
    app.patch(&format!("/api/extensions/{id}"), mended).await.expect(200);
    activate(app, &id).await;
    assert_eq!(post(app, "a").await.expect(201).data()["slug"], "mended");
});

both!(a_filter_with_an_impossible_limit_guards_until_it_is_deactivated, async |app| {
    let id = broken(app, "timeout_ms = 0").await;
    for _ in 0..2 {
        post(app, "a").await.expect_error(503, "EXTENSION_UNAVAILABLE");
    }
    assert_eq!(count(app, "articles").await, 0);
    deactivate(app, &id).await;
    assert_eq!(post(app, "a").await.expect(201).data()["slug"], Value::Null);
});

both!(a_limit_below_what_the_code_needs_breaks_nothing, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = format!("const table = '{}'; return {{ ...payload, views: table.length }};", "日".repeat(1_000_000));
    let id = extension(app, json!({ "event": "articles.items.create", "code": code })).await;
    assert_eq!(post(app, "a").await.expect(201).data()["views"], 1_000_000);
    for limit in [1, 2] {
        let answer = app.patch(&format!("/api/extensions/{id}"), json!({ "memory_limit_mb": limit })).await;
        if answer.status != 200 {
            answer.expect_error(400, "INVALID_CODE");
        }
        for _ in 0..2 {
            assert_eq!(post(app, "a").await.expect(201).data()["views"], 1_000_000);
        }
        assert_eq!(read_extension(app, &id).await["status"], "active");
    }
});

both!(calls_that_found_no_place_are_no_runs, env: [("EXTENSION_MAX_IN_FLIGHT", "2"), ("EXTENSION_MAX_WAITING", "0")], async |app| {
    app.allow_errors();
    articles(app).await;
    let id = filter(app, "articles.items.create", "await new Promise((r) => setTimeout(r, 500)); return payload;").await;
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let client = Client::clone(app);
            tokio::spawn(async move { post(&client, "a").await })
        })
        .collect();
    let (mut ran, mut busy) = (0, 0);
    for call in calls {
        let answer = call.await.unwrap();
        if answer.status == 201 {
            ran += 1;
        } else {
            assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
            answer.expect_error(503, "EXTENSION_BUSY");
            busy += 1;
        }
    }
    assert!(ran >= 2 && busy > 0, "{ran} ran, {busy} were refused");
    app.restart().await;
    let shown = read_extension(app, &id).await;
    assert_eq!((&shown["execution_count"], &shown["last_error"]), (&json!(ran), &Value::Null));
});

both!(a_run_that_the_end_of_its_operation_cut_is_counted_and_shown, env: [("REQUEST_TIMEOUT_MS", "600")], async |app| {
    app.allow_errors();
    articles(app).await;
    let id = filter(app, "articles.items.create", "await new Promise((r) => setTimeout(r, 4000)); return payload;").await;
    post(app, "a").await.expect(504);
    eventually("the run is counted and shown", Duration::from_secs(5), async || {
        let shown = read_extension(app, &id).await;
        let text = shown["last_error"].as_str().unwrap_or_default();
        if shown["execution_count"] == 1 && !text.is_empty() { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!(count(app, "articles").await, 0);
});

both!(a_test_run_fails_where_a_real_run_would, async |app| {
    articles(app).await;
    for (code, succeeds) in [
        ("return null", false),
        ("return [1]", false),
        ("return 'text'", false),
        ("return { nosuch: 1 }", false),
        ("return { ...payload, views: 'many' }", false),
        ("return payload", true),
        ("payload.slug = 'in place'", true),
    ] {
        let body = json!({ "code": code, "type": "filter", "event": "articles.items.create", "testPayload": { "title": "T" } });
        let data = app.post("/api/extensions/test", body).await.expect(200).data();
        assert_eq!(data["success"], succeeds, "{code}: {data}");
        if !succeeds {
            assert!(data["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{code}: {data}");
        }
        let id = filter(app, "articles.items.create", code).await;
        assert_eq!(post(app, "T").await.status == 201, succeeds, "a real run of: {code}");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(ctrl_c_in_a_terminal_lets_a_running_call_end, async |app| {
    articles(app).await;
    let code = "await new Promise((r) => setTimeout(r, 1500)); return { ...payload, slug: 'finished' };";
    filter(app, "articles.items.create", code).await;
    let client = Client::clone(app);
    let running = tokio::spawn(async move { post(&client, "a").await });
    still("the call is at work", Duration::from_millis(400), async || match running.is_finished() {
        false => Ok(()),
        true => Err("it ended".to_owned()),
    })
    .await;
    process::signal_group(app.pid(), libc::SIGINT);
    let status = app.ended(Duration::from_secs(20)).await;
    assert!(status.success(), "{status}");
    assert_eq!(running.await.unwrap().expect(201).data()["slug"], "finished");
});

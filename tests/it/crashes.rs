//! Killing things on purpose: workers under load, the host between two steps, members of one commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::process;
use crate::support::*;

/// Creates items of a collection with `clients` callers until told to stop; gives the successes and what else was answered.
fn load(
    app: &Client,
    collection: &'static str,
    clients: usize,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<(u32, Vec<String>)>> {
    (0..clients)
        .map(|_| {
            let (client, stop) = (app.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut good, mut bad) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.post(&format!("/api/items/{collection}"), json!({ "title": "x" })).await;
                    if answer.status == 201 { good += 1 } else { bad.push(format!("{} {}", answer.status, answer.body)) }
                }
                (good, bad)
            })
        })
        .collect()
}

async fn sum(tasks: Vec<tokio::task::JoinHandle<(u32, Vec<String>)>>) -> (u32, Vec<String>) {
    let (mut good, mut bad) = (0, Vec::new());
    for task in tasks {
        let (g, b) = task.await.unwrap();
        good += g;
        bad.extend(b);
    }
    (good, bad)
}

both!(killing_workers_under_load_fails_no_call_that_had_done_nothing_outside, async |app| {
    app.allow_errors();
    collection(app, "computing", &[("title", "string")]).await;
    collection(app, "reading", &[("title", "string")]).await;
    collection(app, "plain", &[("title", "string")]).await;
    filter(app, "computing.items.create", "let n = 0; for (let i = 0; i < 20000; i++) n += i; return { ...payload, title: String(n) };")
        .await;
    filter(
        app,
        "reading.items.create",
        "const rows = await (await services.items('plain')).readByQuery({ limit: 1 }); return { ...payload, title: String(rows.length) };",
    )
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let (computing, reading, plain) = (load(app, "computing", 8, &stop), load(app, "reading", 4, &stop), load(app, "plain", 4, &stop));
    // One worker every 100 ms, each in turn: those at work and those in reserve.
    for round in 0..25 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let workers = app.workers();
        if let Some(pid) = workers.get(round % workers.len().max(1)) {
            process::signal(*pid, libc::SIGKILL);
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (good, bad) = sum(computing).await;
    assert!(good > 100 && bad.is_empty(), "computing: {good} good, bad: {bad:?}");
    let (good, bad) = sum(plain).await;
    assert!(good > 100 && bad.is_empty(), "plain: {good} good, bad: {bad:?}");
    let (good, bad) = sum(reading).await;
    assert!(good > 50, "reading: {good} good, bad: {bad:?}");
    assert!(bad.iter().all(|answer| answer.starts_with("503")), "a call that had read before is answered 503: {bad:?}");
    app.get("/api/health").await.expect(200);
});

both!(an_answered_write_survives_a_killed_host, async |app| {
    app.allow_errors();
    articles(app).await;
    filter(app, "articles.items.create", "return { ...payload, slug: 's' };").await;
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let client = Client::clone(app);
            tokio::spawn(async move {
                let mut answered = Vec::new();
                for i in 0..2000 {
                    let title = format!("{n}-{i}");
                    match Answer::try_of(client.request("POST", "/api/items/articles").json(&json!({ "title": title }))).await {
                        Ok(answer) if answer.status == 201 => answered.push(title),
                        Ok(answer) => panic!("{answer:?}"),
                        Err(_) => break,
                    }
                }
                answered
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(700)).await;
    app.kill9();
    let mut answered = Vec::new();
    for task in tasks {
        answered.extend(task.await.unwrap());
    }
    app.launch().await;
    let stored: std::collections::HashSet<String> =
        column(app, "articles", "title").await.iter().map(|t| t.as_str().unwrap().to_owned()).collect();
    let lost: Vec<_> = answered.iter().filter(|title| !stored.contains(*title)).collect();
    assert!(!answered.is_empty() && lost.is_empty(), "{} answered, lost: {lost:?}", answered.len());
    assert!(app.workers().len() <= 4, "workers of the dead host live on: {:?}", app.workers());
});

both!(workers_end_when_their_host_is_killed, async |app| {
    app.allow_errors();
    articles(app).await;
    filter(app, "articles.items.create", "if (payload.title === 'hang') await new Promise(() => {}); return payload;").await;
    create(app, "articles", json!({})).await;
    let client = Client::clone(app);
    let hanging = tokio::spawn(async move {
        Answer::try_of(client.request("POST", "/api/items/articles").json(&json!({ "title": "hang" }))).await.is_err()
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let workers = app.workers();
    assert!(!workers.is_empty());
    app.kill9();
    assert!(hanging.await.unwrap());
    eventually("no worker outlives its host", Duration::from_secs(5), async || {
        let left: Vec<_> = workers.iter().filter(|pid| process::alive(**pid)).collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
});

/// Gives `articles.parent` a foreign key that is checked at the commit, which the API can't make.
async fn deferred_parent(app: &mut TestApp) {
    collection(app, "parents", &[("name", "string")]).await;
    collection(app, "articles", &[("title", "string"), ("parent", "integer")]).await;
    let status = app.stop().await;
    assert!(status.success());
    app.sql(
        "ALTER TABLE articles DROP COLUMN parent;
         ALTER TABLE articles ADD COLUMN parent integer REFERENCES parents(id) DEFERRABLE INITIALLY DEFERRED;",
    )
    .await;
    app.launch().await;
    create(app, "parents", json!({ "name": "p" })).await;
}

both!(a_burst_with_bad_members_keeps_all_the_good_ones, async |app| {
    app.allow_errors();
    deferred_parent(app).await;
    extension(
        app,
        json!({ "event": "articles.items.create", "timeout_ms": 300, "code": "if (payload.title === 'slow') await new Promise(() => {}); return payload;" }),
    )
    .await;
    let mut expected = Vec::new();
    for round in 0..4 {
        let mut tasks = Vec::new();
        for n in 0..60 {
            let client = Client::clone(app);
            let title = format!("{round}-{n:02}");
            expected.push(title.clone());
            tasks.push(tokio::spawn(async move {
                client.post("/api/items/articles", json!({ "title": title, "parent": 1 })).await.expect(201);
            }));
            match n {
                20 => {
                    let client = Client::clone(app);
                    tasks.push(tokio::spawn(async move {
                        let bad = client.post("/api/items/articles", json!({ "title": "orphan", "parent": 999_999 })).await;
                        bad.expect_error(409, "INVALID_FOREIGN_KEY");
                    }));
                }
                30 => {
                    let client = Client::clone(app);
                    tasks.push(tokio::spawn(async move {
                        let request = client.request("POST", "/api/items/articles").json(&json!({ "title": "cancelled", "parent": 1 }));
                        let _ = tokio::time::timeout(Duration::from_millis(3), request.send()).await;
                    }));
                }
                40 => {
                    let client = Client::clone(app);
                    tasks.push(tokio::spawn(async move {
                        let slow = client.post("/api/items/articles", json!({ "title": "slow", "parent": 1 })).await;
                        slow.expect_error(504, "EXTENSION_TIMEOUT");
                    }));
                }
                _ => {}
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
    }
    let mut stored: Vec<String> = column(app, "articles", "title").await.iter().map(|t| t.as_str().unwrap().to_owned()).collect();
    stored.retain(|title| title != "cancelled");
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
});

both!(a_deferred_violation_inside_a_filters_transaction_undoes_it_all, async |app| {
    deferred_parent(app).await;
    collection(app, "log", &[("text", "string")]).await;
    filter(app, "articles.items.create", "await (await services.items('log')).createOne({ text: 'x' }); return payload;").await;
    app.post("/api/items/articles", json!({ "title": "orphan", "parent": 999_999 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    assert_eq!((count(app, "log").await, count(app, "articles").await), (0, 0));
    create(app, "articles", json!({ "title": "child", "parent": 1 })).await;
    assert_eq!(count(app, "log").await, 1);
});

both!(a_client_that_goes_away_costs_nothing, async |app| {
    app.allow_errors();
    articles(app).await;
    filter(app, "articles.items.create", "await new Promise((r) => setTimeout(r, 400)); return payload;").await;
    for _ in 0..30 {
        let request = app.request("POST", "/api/items/articles").json(&json!({ "title": "gone" }));
        let _ = tokio::time::timeout(Duration::from_millis(20), request.send()).await;
    }
    create(app, "articles", json!({ "title": "stays" })).await;
    app.get("/api/health").await.expect(200);
});

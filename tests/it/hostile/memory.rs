//! All workers together have one budget: who takes too much of it is ended, and nobody else.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::*;

/// Bytes of memory that the workers have of their own.
fn taken(app: &TestApp) -> u64 {
    let own = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let kib = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
        status.lines().filter(|line| line.starts_with("RssAnon:") || line.starts_with("RssShmem:")).filter_map(kib).sum::<u64>() << 10
    };
    app.workers().into_iter().map(own).sum()
}

const HUNGRY: &str = "const all = []; for (let i = 0; i < 40; i++) { all.push(new Uint8Array(1 << 20).fill(i)); if (i % 8 === 0) await null; } \
    await new Promise((done) => setTimeout(done, 1000)); return { ...payload, title: String(all.length) };";

/// Four calls of 40 MB each at once; how many succeeded, and the most that the workers took meanwhile.
async fn four_hungry_calls(app: &mut TestApp) -> (usize, u64) {
    app.allow_errors();
    articles(app).await;
    collection(app, "plain", &[("n", "integer")]).await;
    filter(app, "plain.items.create", "return { ...payload, n: payload.n + 1 };").await;
    extension(app, json!({ "event": "articles.items.create", "memory_limit_mb": 64, "timeout_ms": 20_000, "code": HUNGRY })).await;
    create(app, "plain", json!({ "n": 1 })).await;
    let calls: Vec<_> = (0..4)
        .map(|n| {
            let client = Client::clone(app);
            tokio::spawn(async move { client.post("/api/items/articles", json!({ "title": n.to_string() })).await })
        })
        .collect();
    let mut most = 0;
    while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
        most = most.max(taken(app));
        let begun = Instant::now();
        // A small extension goes on, whether its worker was ended for being idle or not.
        assert_eq!(create(app, "plain", json!({ "n": 1 })).await["n"], 2);
        assert!(begun.elapsed() < Duration::from_secs(2) + SLACK, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut good = 0;
    for call in calls {
        let answer = call.await.unwrap();
        match answer.status {
            201 => good += 1,
            503 => assert!(["EXTENSION_BUSY", "EXTENSION_UNAVAILABLE"].contains(&answer.code().as_str()), "{}", answer.body),
            _ => panic!("{}", answer.body),
        }
    }
    (good, most)
}

#[test]
fn a_small_budget_ends_the_hungry() {
    run(Database::Sqlite, &[("WORKER_MEMORY_MB", "64")], true, async |app| {
        let (good, most) = four_hungry_calls(app).await;
        // The keeper looks every 25 ms: in between, what runs may take more.
        assert!(good < 4 && most < 160 << 20, "{good} succeeded, the workers took {} MB", most >> 20);
        assert!(app.log().contains("WORKER_MEMORY_MB"), "{}", app.log());
    });
}

#[test]
fn a_large_budget_feeds_them() {
    run(Database::Sqlite, &[("WORKER_MEMORY_MB", "1024")], true, async |app| {
        let (good, most) = four_hungry_calls(app).await;
        assert!(good == 4 && most > 150 << 20, "{good} succeeded, the workers took {} MB", most >> 20);
    });
}

// A call that asks for far more than it takes: what is on its way to it is bounded, and so is what waits behind that.
both!(alone answers_that_nobody_takes_do_not_pile_up_in_the_host, async |app| {
        app.allow_errors();
        collection(app, "large", &[("body", "text")]).await;
        collection(app, "plain", &[("n", "integer")]).await;
        for _ in 0..10 {
            create(app, "large", json!({ "body": "x".repeat(950_000) })).await;
        }
        let code = "const large = await services.items('large'); const all = []; \
            for (let i = 0; i < 64; i++) all.push(large.readByQuery({}).catch(() => 0)); await all[0]; for (;;);";
        extension(app, json!({ "event": "plain.items.create", "timeout_ms": 2_000, "memory_limit_mb": 256, "code": code })).await;
        let before = process::resident(app.pid());
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let client = Client::clone(app);
                tokio::spawn(async move { client.post("/api/items/plain", json!({ "n": 1 })).await })
            })
            .collect();
        let mut most = 0;
        while !calls.iter().all(tokio::task::JoinHandle::is_finished) {
            most = most.max(process::resident(app.pid()).saturating_sub(before));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for call in calls {
            assert_eq!(call.await.unwrap().status, 504);
        }
        eprintln!("MOST {} MB", most >> 20);
        assert!(most < 400 << 20, "the host took {} MB more", most >> 20);
});

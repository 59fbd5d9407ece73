//! Programs written to hurt: each is answered in its time with the right code, hurts nobody else, and leaves no memory behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::*;

const TIMEOUT: (u16, &str) = (504, "EXTENSION_TIMEOUT");
const MEMORY: (u16, &str) = (500, "EXTENSION_OUT_OF_MEMORY");
const FAILED: (u16, &str) = (500, "EXTENSION_FAILED");

/// Statuses and codes, one of which must be answered.
type Allowed = &'static [(u16, &'static str)];

/// Name, program, and what the caller may be told. Where a program runs into memory or time depends on the machine, both stand.
const PROGRAMS: &[(&str, &str, Allowed)] = &[
    ("endless loop", "while (true) {}", &[TIMEOUT]),
    ("endless loop behind catch and finally", "for (;;) { try { while (true) {} } catch {} finally { continue } }", &[TIMEOUT]),
    ("promise that never settles", "await new Promise(() => {});", &[TIMEOUT]),
    ("a built-in that is not interrupted", "Array.prototype.join.call({ length: 1e12 });", &[TIMEOUT, MEMORY]),
    ("reverse of a huge array-like", "Array.prototype.reverse.call({ length: 2 ** 50 });", &[TIMEOUT]),
    (
        "microtask fan-out",
        "const f = () => { const p = Promise.resolve(); p.then(f); p.then(f); }; f(); await new Promise(() => {});",
        &[TIMEOUT, MEMORY],
    ),
    ("self-rescheduling promises", "const f = () => Promise.resolve().then(f); await f();", &[TIMEOUT, MEMORY]),
    ("endless awaits", "while (true) await null;", &[TIMEOUT, MEMORY]),
    ("endless timers", "const f = () => setTimeout(f, 0); f(); await new Promise(() => {});", &[TIMEOUT, MEMORY]),
    ("endless recursion", "const f = () => f() + 1; return f();", &[FAILED]),
    ("recursion through JSON", "const a = { toJSON() { return JSON.stringify(a) } }; JSON.stringify(a);", &[FAILED, TIMEOUT, MEMORY]),
    (
        "one gigabyte",
        "const all = []; for (let i = 0; i < 1024; i++) all.push(new Uint8Array(1 << 20).fill(i)); return { title: String(all.length) };",
        &[MEMORY],
    ),
    (
        "one gigabyte of text",
        "let s = 'x'; while (s.length < 2 ** 29) s += s; const all = []; for (;;) all.push(s.slice(1) + all.length);",
        &[MEMORY, FAILED, TIMEOUT],
    ),
    (
        "memory with a catch around it",
        "const all = []; for (;;) { try { all.push(new Array(100000).fill(1)) } catch { all.length = 0 } }",
        &[MEMORY, TIMEOUT],
    ),
    ("exponential regular expression", "/^(a+)+$/.test('a'.repeat(40) + 'b');", &[TIMEOUT]),
    ("shared graph as JSON", "let a = {}; for (let i = 0; i < 40; i++) a = { l: a, r: a }; JSON.stringify(a);", &[TIMEOUT, MEMORY]),
    ("growing number", "let n = 3n; for (;;) n *= n;", &[TIMEOUT, MEMORY, FAILED]),
    ("padding", "const s = 'x'.repeat(1 << 20); for (;;) s.padEnd(1 << 24);", &[TIMEOUT, MEMORY]),
    (
        "sort with a lying comparator",
        "const a = Array.from({ length: 1e6 }, (_, i) => i); for (;;) a.sort(() => Math.random() - 0.5);",
        &[TIMEOUT, MEMORY],
    ),
    ("endless generator", "function* g() { for (;;) yield 1 } for (const x of g()) {}", &[TIMEOUT]),
    ("endless console", "for (;;) console.log('x'.repeat(10000));", &[TIMEOUT]),
    ("huge return value", "return { title: 'x'.repeat(12 << 20) };", &[(413, "EXTENSION_PAYLOAD_TOO_LARGE")]),
];

const LIMIT: Duration = Duration::from_millis(300 + 50);
const MEMORY_SLACK: u64 = 32 << 20;

/// Creates items of `plain` until told to stop; gives the number of successes, the failures and the longest wait.
fn bystander(client: Client, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<(u32, Vec<String>, Duration)> {
    tokio::spawn(async move {
        let (mut good, mut bad, mut longest) = (0, Vec::new(), Duration::ZERO);
        while !stop.load(Ordering::Relaxed) {
            match Answer::try_of(client.request("POST", "/api/items/plain").json(&json!({ "n": good }))).await {
                Ok(answer) => {
                    longest = longest.max(answer.took);
                    if answer.status == 201 { good += 1 } else { bad.push(answer.body) }
                }
                Err(error) => bad.push(error.to_string()),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        (good, bad, longest)
    })
}

/// Runs every program of the table in a filter of its own, with `before` in front of it.
async fn run_all(app: &mut TestApp, before: &str, plain_within: Option<Duration>) {
    app.allow_errors();
    articles(app).await;
    collection(app, "plain", &[("n", "integer")]).await;
    collection(app, "log", &[("text", "string")]).await;
    // Memory is compared with that of a server that has done its first work.
    let warm = filter(app, "articles.items.create", &format!("{before}\nreturn payload;")).await;
    for n in 0..20 {
        create(app, "articles", json!({ "title": "warm" })).await;
        create(app, "plain", json!({ "n": n })).await;
    }
    app.delete(&format!("/api/extensions/{warm}")).await.expect(204);
    let (rows, logged) = (count(app, "articles").await, count(app, "log").await);

    let stop = Arc::new(AtomicBool::new(false));
    let plain = bystander(Client::clone(app), stop.clone());
    let mut wrong = Vec::new();
    for (name, program, allowed) in PROGRAMS {
        let idle = app.resident();
        let code = format!("{before}\n{program}\nreturn payload;");
        let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 300, "code": code })).await;
        let answer = app.post("/api/items/articles", json!({ "title": name })).await;
        let ended = Instant::now();
        // A timer is refused at once while a transaction is open.
        let refused = (*name == "endless timers" && !before.is_empty()).then_some(FAILED);
        let allowed = refused.as_ref().map_or(*allowed, std::slice::from_ref);
        if !allowed.contains(&(answer.status, answer.code().as_str())) {
            wrong.push(format!("{name}: {} {}", answer.status, answer.body));
        }
        if answer.took > LIMIT + SLACK {
            wrong.push(format!("{name}: answered after {:?}", answer.took));
        }
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
        let mut now = app.resident();
        while now > idle + MEMORY_SLACK && ended.elapsed() < Duration::from_secs(2) + SLACK {
            tokio::time::sleep(Duration::from_millis(20)).await;
            now = app.resident();
        }
        if now > idle + MEMORY_SLACK {
            wrong.push(format!("{name}: {} MB resident before, {} MB 2 s later", idle >> 20, now >> 20));
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (good, bad, longest) = plain.await.unwrap();
    if !bad.is_empty() || good == 0 {
        wrong.push(format!("of the bystander's writes {good} succeeded, these did not: {bad:?}"));
    }
    if plain_within.is_some_and(|limit| longest > limit + SLACK) {
        wrong.push(format!("a bystander waited {longest:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!((count(app, "articles").await, count(app, "log").await), (rows, logged), "something of a failed operation was written");
}

both!(alone hostile_programs_are_ended_in_time_and_hurt_nobody, async |app| run_all(app, "", None).await);

both!(alone hostile_programs_after_a_write_are_ended_in_time_and_hurt_nobody, async |app| {
    // Others wait for SQLite's one writer at most as long as a transaction may be open.
    let write = "await (await services.items('log')).createOne({ text: 'first' });";
    run_all(app, write, Some(Duration::from_millis(500 + 50))).await;
});

both!(alone many_hostile_calls_at_once_leave_the_others_alone, async |app| {
    app.allow_errors();
    articles(app).await;
    collection(app, "plain", &[("n", "integer")]).await;
    let stop = Arc::new(AtomicBool::new(false));
    for event in ["a", "b", "c"] {
        collection(app, event, &[("n", "integer")]).await;
        extension(app, json!({ "event": format!("{event}.items.create"), "timeout_ms": 300, "code": "while (true) {}" })).await;
    }
    let plain = bystander(Client::clone(app), stop.clone());
    let calls = (0..24).map(|n| {
        let client = Client::clone(app);
        tokio::spawn(async move { client.post(&format!("/api/items/{}", ["a", "b", "c"][n % 3]), json!({})).await })
    });
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await.unwrap();
        assert!(matches!(answer.status, 503 | 504), "{answer:?}");
    }
    stop.store(true, Ordering::Relaxed);
    let (good, bad, _) = plain.await.unwrap();
    assert!(good > 0 && bad.is_empty(), "{good} good, {bad:?}");
});

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
    app.post("/api/items/articles", json!({})).await.expect_error(504, "EXTENSION_TIMEOUT").expect_within(LIMIT);
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
});

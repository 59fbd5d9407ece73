//! The programs of `tests/hostile` against the whole server.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::program::Program;
use super::{GRACE, MEMORY_SLACK, bystander};
use crate::support::*;

/// Goes before each program: on demand it tells how the realm looks, from which a program may have taken or to which it may have added.
const PROBE: &str = "if (payload.slug === 'probe') {
  const parts = [];
  for (const o of [globalThis, Object, Object.prototype, Array.prototype, Function.prototype, Promise, Promise.prototype, String.prototype, Map.prototype,
    RegExp.prototype, Error, Error.prototype, Symbol.prototype, Uint8Array.prototype, JSON, Math, Reflect, console, context, services])
    parts.push(Reflect.ownKeys(o).map((k) => String(k) + typeof Object.getOwnPropertyDescriptor(o, k).value).join(), Object.isFrozen(o));
  parts.push([3, 1, 2].sort().join(), JSON.stringify({ a: [1] }), await Promise.resolve(1), `${[1, [2]].flat()}`, /(a)/.exec('ba').index, typeof URL);
  return { ...payload, body: parts.join('|') };
}
";

/// A write of the filter's own, which opens the operation's transaction.
const WRITE: &str = "await (await services.items('log')).createOne({ text: 'first' });";

/// The collections whose writes are guarded, one for each lane.
const LANES: [&str; 2] = ["articles", "more_articles"];

/// What the lanes share.
struct Batch {
    programs: Vec<Program>,
    /// Goes before each program.
    before: &'static str,
    next: AtomicUsize,
    /// Probes that created their row.
    probed: AtomicUsize,
    /// Programs that created their row.
    succeeded: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Batch {
    fn complain(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }

    /// Runs one program after the other, each in a filter of its own on `collection`.
    async fn lane(self: Arc<Self>, admin: Client, collection: &'static str) {
        while let Some(program) = self.programs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            self.run(&admin, collection, program).await;
        }
    }

    async fn run(&self, admin: &Client, collection: &str, program: &Program) {
        let body = json!({
            "event": format!("{collection}.items.create"),
            "timeout_ms": program.timeout.as_millis() as u64,
            "memory_limit_mb": program.memory_mb,
            "code": format!("{PROBE}{}\n{}", self.before, program.code),
        });
        let made = create_extension(admin, body).await;
        if made.status != 201 {
            return self.complain(format!("{}: it can't be saved: {}", program.name, made.body));
        }
        let id = made.data()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/items/{collection}");
        let probe = async || {
            let answer = admin.post(&path, json!({ "slug": "probe" })).await;
            self.probed.fetch_add(usize::from(answer.status == 201), Ordering::Relaxed);
            answer
        };
        let pristine = probe().await;
        let answer = admin.post(&path, json!({ "title": program.name })).await;
        self.succeeded.fetch_add(usize::from(answer.status == 201), Ordering::Relaxed);
        if let Some(what) = program.complaint(&answer, !self.before.is_empty()) {
            self.complain(format!("{}: {what}", program.name));
        }
        if answer.took > program.timeout + GRACE + SLACK {
            self.complain(format!("{}: answered after {:?}", program.name, answer.took));
        }
        let after = probe().await;
        if (pristine.status, after.status) != (201, 201) {
            self.complain(format!("{}: the probes before and after: {} {}", program.name, pristine.body, after.body));
        } else if pristine.data()["body"] != after.data()["body"] {
            self.complain(format!("{}: the next call finds another realm", program.name));
        }
        admin.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
}

/// The server's workers as they use the processor, in ticks of 10 ms.
fn ticks(app: &TestApp) -> HashMap<u32, u64> {
    app.workers().into_iter().map(|pid| (pid, process::processor_ticks(pid))).collect()
}

/// Waits until no worker computes, within the second that is promised.
async fn quiet(app: &TestApp) {
    let mut last = (Instant::now(), ticks(app));
    eventually("no worker computes any more", Duration::from_secs(1) + SLACK, async || {
        let time = last.0.elapsed();
        if time < Duration::from_millis(200) {
            return Err("not looked at for long enough".to_owned());
        }
        let now = ticks(app);
        let used = now.iter().map(|(pid, ticks)| ticks - last.1.get(pid).unwrap_or(ticks)).sum::<u64>() * 10;
        last = (Instant::now(), now);
        if u128::from(used) < time.as_millis() / 4 { Ok(()) } else { Err(format!("{used} ms of {time:?}")) }
    })
    .await;
}

/// Runs the programs, two at a time, with `before` in front of each.
async fn run_all(app: &mut TestApp, programs: Vec<Program>, before: &'static str, plain_within: Option<Duration>) {
    app.allow_errors();
    for lane in LANES {
        collection(app, lane, &[("title", "string"), ("slug", "string"), ("body", "text"), ("views", "integer")]).await;
    }
    collection(app, "plain", &[("n", "integer")]).await;
    collection(app, "log", &[("text", "string")]).await;
    // Memory is compared with that of a server that has done its first work.
    for lane in LANES {
        let warm = filter(app, &format!("{lane}.items.create"), &format!("{PROBE}{before}\nreturn payload;")).await;
        for n in 0..20 {
            create(app, lane, json!({ "title": "warm" })).await;
            create(app, "plain", json!({ "n": n })).await;
        }
        app.delete(&format!("/api/extensions/{warm}")).await.expect(204);
    }
    let rows = async |app: &TestApp| count(app, LANES[0]).await + count(app, LANES[1]).await;
    let (rows_before, logged, idle, host) = (rows(app).await, count(app, "log").await, app.resident(), app.pid());

    let stop = Arc::new(AtomicBool::new(false));
    let plain = bystander(Client::clone(app), stop.clone());
    let batch = Arc::new(Batch {
        programs,
        before,
        next: AtomicUsize::new(0),
        probed: AtomicUsize::new(0),
        succeeded: AtomicUsize::new(0),
        wrong: Mutex::new(Vec::new()),
    });
    let lanes = LANES.map(|lane| tokio::spawn(batch.clone().lane(Client::clone(app), lane)));
    for lane in lanes {
        lane.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    let (good, bad, longest) = plain.await.unwrap();
    let mut wrong = std::mem::take(&mut *batch.wrong.lock().unwrap());
    if !bad.is_empty() || good == 0 {
        wrong.push(format!("of the bystander's writes {good} succeeded, these did not: {bad:?}"));
    }
    if plain_within.is_some_and(|limit| longest > limit + SLACK) {
        wrong.push(format!("a bystander waited {longest:?}"));
    }
    for line in app.log_lines() {
        // A worker that dies by a bug of the engine's may have been replaced without anybody noticing.
        if line["level"] == "ERROR" && line["message"].as_str().is_some_and(|text| text.starts_with("a worker")) {
            wrong.push(format!("the log says: {line}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} programs:\n{}", wrong.len(), batch.programs.len(), wrong.join("\n"));
    assert!(process::alive(host) && app.pid() == host, "the host has ended");
    app.anonymous().get("/api/health").await.expect(200);
    quiet(app).await;
    eventually("memory is back", Duration::from_secs(2) + SLACK, async || {
        let now = app.resident();
        if now <= idle + MEMORY_SLACK { Ok(()) } else { Err(format!("{} MB before, {} MB now", idle >> 20, now >> 20)) }
    })
    .await;
    let (probed, succeeded) = (batch.probed.load(Ordering::Relaxed) as u64, batch.succeeded.load(Ordering::Relaxed) as u64);
    let written = if before.is_empty() { 0 } else { succeeded };
    let expected = (rows_before + probed + succeeded, logged + written);
    assert_eq!((rows(app).await, count(app, "log").await), expected, "something of a failed operation was written");
}

both!(alone hostile_programs_are_ended_in_time_and_hurt_nobody, async |app| {
    let all = Program::all();
    assert!(all.len() >= 300, "{} programs", all.len());
    // The engine and its limits don't know the database: there a sample shows that the rest doesn't, either.
    let step = if app.database == Database::Sqlite { 1 } else { 7 };
    run_all(app, all.into_iter().step_by(step).collect(), "", None).await;
});

both!(alone hostile_programs_after_a_write_are_ended_in_time_and_hurt_nobody, async |app| {
    // Others wait for SQLite's one writer at most as long as a transaction may be open.
    run_all(app, Program::of("basics"), WRITE, Some(Duration::from_millis(500 + 50))).await;
});

/// Memory that the heap of no isolate counts. The database plays no part in it.
#[test]
fn the_host_does_not_grow_whatever_it_is_told() {
    run(Database::Sqlite, &[], true, async |app| {
        app.allow_errors();
        articles(app).await;
        collection(app, "log", &[("text", "string")]).await;
        create(app, "articles", json!({ "title": "warm" })).await;
        let mut wrong = Vec::new();
        for program in Program::of("host-memory") {
            let body = json!({
                "event": "articles.items.create",
                "timeout_ms": program.timeout.as_millis() as u64,
                "memory_limit_mb": program.memory_mb,
                "code": program.code,
            });
            let id = extension(app, body).await;
            // From here on the kernel's highest mark begins at what is resident now.
            fs::write(format!("/proc/{}/clear_refs", app.pid()), "5").unwrap();
            let before = process::peak(app.pid());
            let answer = app.post("/api/items/articles", json!({ "title": "x" })).await;
            let grown = process::peak(app.pid()).saturating_sub(before) >> 20;
            if grown > program.host_memory_mb {
                wrong.push(format!("{}: it grew by {grown} MB until it answered {}", program.name, answer.status));
            }
            app.delete(&format!("/api/extensions/{id}")).await.expect(204);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

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

/// Without this a probe that always answers the same would prove nothing.
#[test]
fn the_probe_sees_what_a_program_leaves() {
    run(Database::Sqlite, &[], false, async |app| {
        articles(app).await;
        let code = format!("{PROBE}globalThis.left = 1; delete Array.prototype.flat; Array.prototype.flat = () => []; return payload;");
        extension(app, json!({ "event": "articles.items.create", "state": "warm", "code": code })).await;
        let probe = async || -> Value { create(app, "articles", json!({ "slug": "probe" })).await["body"].take() };
        let before = probe().await;
        create(app, "articles", json!({})).await;
        assert_ne!(probe().await, before);
    });
}

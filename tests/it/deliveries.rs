//! Jobs that code enqueues, and the outbox as admins see it: order, retries, replay, discard, on one host and on several.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// The file that tells the servers of a test what time it is; it lies in their working directory.
const CLOCK: (&str, &str) = ("TRELLIS_TEST_CLOCK", "clock");

/// How long what is due may take on a busy machine.
const SOON: Duration = Duration::from_secs(20);

const MINUTE: i64 = 60_000;

/// Moves the clock so many milliseconds past that of the machine.
fn move_clock(app: &TestApp, millis: i64) {
    write_clock(app, &format!("+{millis}"));
}

fn write_clock(app: &TestApp, text: &str) {
    fs::write(app.dir().join("clock.new"), text).unwrap();
    fs::rename(app.dir().join("clock.new"), app.dir().join("clock")).unwrap();
}

/// A clock that stands still, so that no attempt is made before the test wants it.
struct Stopped(i64);

impl Stopped {
    fn now(app: &TestApp) -> Self {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap();
        let stopped = Self(i64::try_from(since.as_millis()).unwrap());
        stopped.later(app, 0);
        stopped
    }

    /// So many minutes after it was stopped.
    fn later(&self, app: &TestApp, minutes: i64) {
        write_clock(app, &format!("={}", self.0 + minutes * MINUTE));
    }
}

async fn with_log(app: &Client) {
    articles(app).await;
    collection(app, "log", &[("text", "text")]).await;
}

/// A hook that writes down what it was told.
const TELL: &str = "await (await services.items('log')).createOne({ text: JSON.stringify(meta) });";

/// A hook that fails as long as the item `down` is there, and tells its payload after that.
const FLAKY: &str = "const flags = await services.items('flags');
if ((await flags.readByQuery({ limit: 1 })).length > 0) throw new Error('the endpoint is down');
await (await services.items('log')).createOne({ text: meta.key + ' ' + (meta.payload.views ?? meta.payload) });";

async fn told(app: &Client) -> Vec<String> {
    column(app, "log", "text").await.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

async fn eventually_told(app: &Client, n: usize) -> Vec<String> {
    eventually("the hooks tell", SOON, async || {
        let told = told(app).await;
        if told.len() == n { Ok(told) } else { Err(format!("{} of {n}: {told:?}", told.len())) }
    })
    .await
}

async fn deliveries(app: &Client, query: &str) -> Value {
    app.get(&format!("/api/deliveries?{query}")).await.expect(200).json()
}

/// Waits until there are so many in a state; gives them.
async fn in_state(app: &Client, state: &str, n: usize) -> Vec<Value> {
    eventually(&format!("{n} are {state}"), SOON, async || {
        let found = deliveries(app, "limit=100").await;
        let rows: Vec<Value> = found["data"].as_array().unwrap().iter().filter(|row| row["state"] == state).cloned().collect();
        if rows.len() == n { Ok(rows) } else { Err(found.to_string()) }
    })
    .await
}

async fn nothing_owed(app: &TestApp, within: Duration) {
    eventually("nothing is owed any more", within, async || match app.number("SELECT count(*) FROM daas_deliveries").await {
        0 => Ok(()),
        n => Err(format!("{n}: {}", deliveries(app, "limit=3").await)),
    })
    .await;
}

both!(a_job_runs_after_the_commit_for_everyone_who_hears_it, async |app| {
    with_log(app).await;
    action(app, "jobs.resize", TELL).await;
    let module = format!(
        "export function register({{ emitter }}) {{ emitter.onAction('jobs.resize', async (meta, {{ services }}) => {{ {TELL} }}); }}"
    );
    app.load_folder("resizer", &[("index.mjs", &module)]).await;
    action(app, "jobs.other", TELL).await;
    let code = "const made = await services.enqueue('resize', { file: payload.title }); return { ...payload, slug: [typeof services.enqueue, made.deliveries.length, Object.isFrozen(made) && Object.isFrozen(made.deliveries)].join() };";
    filter(app, "articles.items.create", code).await;
    assert_eq!(create(app, "articles", json!({ "title": "a.png" })).await["slug"], "function,2,true");
    for text in eventually_told(app, 2).await {
        let meta: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&meta["event"], &meta["payload"]), (&json!("jobs.resize"), &json!({ "file": "a.png" })));
        assert_eq!((&meta["delivery"]["attempt"], &meta["delivery"]["replayed"]), (&json!(1), &json!(false)));
        assert!(meta.get("collection").is_none() && meta.get("key").is_none(), "{meta}");
    }
    nothing_owed(app, SOON).await;
});

both!(a_job_that_is_undone_is_owed_to_nobody, async |app| {
    with_log(app).await;
    action(app, "jobs.mark", TELL).await;
    let code = "await services.enqueue('mark', 'undone');
                await services.enqueue('mark', 'undone', { delay: 1, key: 'a' });
                if (payload.title === 'bad') throw new Error('no');
                return payload;";
    let id = filter(app, "articles.items.create", code).await;
    app.post("/api/items/articles", json!({ "title": "bad" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, 0);
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    let code = "try { await services.transaction(async (s) => { await s.enqueue('mark', 'undone'); throw new Error('inside') }) } catch {}
                await services.transaction((s) => s.enqueue('mark', 'kept'));
                return payload;";
    filter(app, "articles.items.create", code).await;
    create(app, "articles", json!({})).await;
    assert_eq!(eventually_told(app, 1).await.len(), 1);
    nothing_owed(app, SOON).await;
    assert!(told(app).await[0].contains("\"kept\""));
    // A test of code leaves no job behind either.
    let test = json!({ "type": "action", "event": "jobs.mark", "code": "return services.enqueue('mark', meta.payload, { key: 1 })", "testPayload": 5 });
    let report = app.post("/api/extensions/test", test).await.expect(200).data();
    assert_eq!((&report["success"], &report["capabilitiesUsed"]), (&json!(true), &json!(["enqueue"])), "{report}");
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, 0);
});

both!(mistakes_of_enqueue_are_told_at_the_call, async |app| {
    with_log(app).await;
    action(app, "jobs.resize", TELL).await;
    let code = "const out = [];
      const calls = [
        () => services.enqueue('resise', 1), () => services.enqueue('constructor', 1), () => services.enqueue('__proto__', 1),
        () => services.enqueue(), () => services.enqueue('a.b'), () => services.enqueue('resize', 1, 'soon'),
        () => services.enqueue('resize', 1, { delay: -1 }), () => services.enqueue('resize', 1, { delay: 1, runAt: new Date() }),
        () => services.enqueue('resize', 1, { runAt: new Date(0) }), () => services.enqueue('resize', 1, { key: '' }),
        () => services.enqueue('resize', 1, { keys: 'a' }), () => services.enqueue('resize', 'x'.repeat(10485760 - 500)),
        () => services.enqueue('resize', () => 1), () => services.enqueue('resize', { a: NaN }),
      ];
      for (const call of calls) try { await call(); out.push('done') } catch (e) { out.push((e.code ?? e.name) + ': ' + e.message) }
      return out;";
    let out = result_of(app, code).await;
    let expected = [
        "JOB_NOT_FOUND: No active extension hears `jobs.resise`",
        "JOB_NOT_FOUND",
        "JOB_NOT_FOUND",
        "TypeError: enqueue: the first argument",
        "INVALID_PAYLOAD: enqueue: the name of a job must be",
        "TypeError: enqueue: the third argument",
        "INVALID_PAYLOAD: enqueue: `delay` must be milliseconds",
        "INVALID_PAYLOAD: enqueue: `delay` and `runAt` exclude",
        "INVALID_PAYLOAD: enqueue: `runAt` must be a date in the future",
        "INVALID_PAYLOAD: enqueue: `key` must be",
        "INVALID_PAYLOAD: enqueue: there is no option `keys`; did you mean `key`?",
        "EXTENSION_PAYLOAD_TOO_LARGE: enqueue: the data are too large",
        "TypeError",
        "TypeError",
    ];
    for (said, expected) in out.as_array().unwrap().iter().zip(expected) {
        assert!(said.as_str().unwrap().starts_with(expected), "{expected}: {said}");
    }
    assert!(out[0].as_str().unwrap().ends_with("did you mean `resize`?"), "{}", out[0]);
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, 0);

    let code = "try { await services.enqueue('resize', 1) } catch (e) { return { ...payload, title: `${e.code} ${e.message}` } }";
    extension(app, json!({ "event": "articles.items.create", "capabilities": ["items"], "code": code })).await;
    let said = create(app, "articles", json!({})).await["title"].as_str().unwrap().to_owned();
    assert!(said.starts_with("CAPABILITY_DENIED") && said.contains("`enqueue`"), "{said}");

    for (body, part) in [
        (json!({ "type": "filter", "event": "jobs.resize", "code": "" }), "as an action"),
        (json!({ "type": "action", "event": "jobs.resize", "code": "", "delivery": "best_effort" }), "must be `durable`"),
        (json!({ "type": "action", "event": "jobs.", "code": "" }), "letters, digits"),
        (json!({ "type": "action", "event": "jobs.a b", "code": "" }), "letters, digits"),
    ] {
        let refused = create_extension(app, body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{}", refused.message());
    }
});

both!(what_triggers_itself_ends_at_the_limit_with_its_chain_named, async |app| {
    with_log(app).await;
    collection(app, "pages", &[("title", "string")]).await;
    extension(
        app,
        json!({ "name": "again", "type": "action", "event": "jobs.again", "code": "await services.enqueue('again', null, { delay: 1 })" }),
    )
    .await;
    extension(app, json!({ "name": "ping", "type": "action", "event": "articles.items.create", "code": "await (await services.items('pages')).createOne({})" })).await;
    extension(app, json!({ "name": "pong", "type": "action", "event": "pages.items.create", "code": "await (await services.items('articles')).createOne({})" })).await;
    result_of(app, "await services.enqueue('again')").await;
    create(app, "articles", json!({})).await;
    let dead = in_state(app, "dead", 2).await;
    let reason = |event: &str| {
        let found = dead.iter().find(|row| row["event"] == event).unwrap_or_else(|| panic!("no {event}: {dead:?}"));
        (found["last_error"].as_str().unwrap().to_owned(), found["depth"].clone())
    };
    let (why, depth) = reason("jobs.again");
    assert!(why.contains("EXTENSION_RECURSION") || why.contains("more than 8 levels"), "{why}");
    assert!(why.contains("again (jobs.again) → again (jobs.again)") && depth == 8, "{why} {depth}");
    let other = dead.iter().find(|row| row["event"] != "jobs.again").unwrap();
    let why = other["last_error"].as_str().unwrap();
    assert!(why.contains("ping (articles.items.create) → pong (pages.items.create) → ping (articles.items.create)"), "{why}");
    assert_eq!(count(app, "articles").await + count(app, "pages").await, 9);
});

both!(a_job_waits_for_its_time_and_a_key_keeps_the_order_in_which_jobs_fall_due, env: [CLOCK], async |app| {
    with_log(app).await;
    action(app, "jobs.mark", "await new Promise((r) => setTimeout(r, meta.payload === 'first' ? 60 : 5)); await (await services.items('log')).createOne({ text: String(meta.payload) });").await;
    let code = "await services.enqueue('mark', 'in two hours', { delay: 2 * 3600000, key: 'k' });
                await services.enqueue('mark', 'in an hour', { runAt: new Date(Date.now() + 3600000), key: 'k' });
                await services.enqueue('mark', 'first', { key: 'k' });
                for (let i = 0; i < 8; i++) await services.enqueue('mark', i, { key: 'k' });";
    result_of(app, code).await;
    let first: Vec<String> = ["first".to_owned()].into_iter().chain((0..8).map(|n| n.to_string())).collect();
    assert_eq!(eventually_told(app, 9).await, first);
    let waiting = in_state(app, "pending", 2).await;
    assert!(waiting.iter().all(|row| row["key"] == "k" && row["next_attempt_at"].is_string() && row["first_at"].is_null()), "{waiting:?}");
    assert_eq!(waiting[0]["collection"], Value::Null);
    move_clock(app, 61 * MINUTE);
    assert_eq!(eventually_told(app, 10).await[9], "in an hour");
    move_clock(app, 121 * MINUTE);
    assert_eq!(eventually_told(app, 11).await[10], "in two hours");
    nothing_owed(app, SOON).await;
});

both!(an_endpoint_that_fails_for_ten_minutes_gets_everything_afterwards_in_order, env: [CLOCK], async |app| {
    let clock = Stopped::now(app);
    with_log(app).await;
    collection(app, "flags", &[("name", "string")]).await;
    create(app, "flags", json!({ "name": "down" })).await;
    action(app, "articles.items.update", FLAKY).await;
    app.post("/api/items/articles", json!([{ "views": 0 }, { "views": 0 }, { "views": 0 }])).await.expect(201);
    for views in 1..=4 {
        for key in 1..=3 {
            app.patch(&format!("/api/items/articles/{key}"), json!({ "views": views })).await.expect(200);
        }
    }
    // Only the first of each item is tried; the others stand behind it.
    let tried = in_state(app, "retrying", 3).await;
    assert!(tried.iter().all(|row| row["last_error"].as_str().unwrap().contains("the endpoint is down")), "{tried:?}");
    for (minutes, attempts) in [(1, 2), (2, 3), (6, 4)] {
        clock.later(app, minutes);
        eventually("the next attempt is made", SOON, async || {
            let rows = deliveries(app, "state=retrying&limit=100").await;
            let rows = rows["data"].as_array().unwrap();
            if rows.len() == 3 && rows.iter().all(|row| row["attempts"] == attempts) { Ok(()) } else { Err(format!("{rows:?}")) }
        })
        .await;
    }
    assert_eq!(count(app, "log").await, 0);
    assert_eq!(deliveries(app, "").await["meta"]["counts"], json!({ "pending": 9, "running": 0, "retrying": 3, "held": 0, "dead": 0 }));
    // Those behind wait with the first of their line.
    let rows = deliveries(app, "limit=100").await["data"].take();
    let heads: Vec<&Value> = rows.as_array().unwrap().iter().filter(|row| row["state"] == "retrying").collect();
    for row in rows.as_array().unwrap() {
        let head = heads.iter().find(|head| head["key"] == row["key"]).unwrap();
        assert_eq!(row["next_attempt_at"], head["next_attempt_at"], "{row}");
    }
    app.delete("/api/items/flags/1").await.expect(204);
    app.patch("/api/items/articles/1", json!({ "views": 5 })).await.expect(200);
    clock.later(app, 20);
    let told = eventually_told(app, 13).await;
    for key in 1..=3 {
        let views: Vec<&str> = told.iter().filter_map(|text| text.strip_prefix(&format!("{key} "))).collect();
        let expected: Vec<String> = (1..=if key == 1 { 5 } else { 4 }).map(|n: i32| n.to_string()).collect();
        assert_eq!(views, expected, "item {key}: {told:?}");
    }
    nothing_owed(app, SOON).await;
});

both!(those_behind_a_discarded_delivery_go_on, env: [CLOCK], async |app| {
    Stopped::now(app);
    with_log(app).await;
    collection(app, "flags", &[("name", "string")]).await;
    create(app, "flags", json!({ "name": "down" })).await;
    action(app, "articles.items.update", FLAKY).await;
    create(app, "articles", json!({})).await;
    app.patch("/api/items/articles/1", json!({ "views": 1 })).await.expect(200);
    in_state(app, "retrying", 1).await;
    for views in 2..=4 {
        app.patch("/api/items/articles/1", json!({ "views": views })).await.expect(200);
    }
    app.delete("/api/items/flags/1").await.expect(204);
    let waiting = in_state(app, "pending", 3).await;
    let first = in_state(app, "retrying", 1).await.remove(0);
    assert!(waiting.iter().all(|row| row["next_attempt_at"] == first["next_attempt_at"]), "{first} {waiting:?}");
    app.delete(&format!("/api/deliveries/{}", first["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(eventually_told(app, 3).await, ["1 2", "1 3", "1 4"]);
    nothing_owed(app, SOON).await;
});

both!(deliveries_are_listed_by_what_they_are_and_shown_to_admins_only, env: [CLOCK], async |app| {
    Stopped::now(app);
    with_log(app).await;
    let id = action(app, "jobs.wait", TELL).await;
    let failing = action(app, "articles.items.create", "throw new Error('no')").await;
    create(app, "articles", json!({ "title": "a" })).await;
    result_of(app, "for (let i = 0; i < 5; i++) await services.enqueue('wait', { n: i }, { delay: 3600000, key: i % 2 });").await;
    in_state(app, "retrying", 1).await;
    let ids = async |query: &str| -> usize { deliveries(app, query).await["data"].as_array().unwrap().len() };
    for (query, expected) in [
        ("", 6),
        (&*format!("extension={id}"), 5),
        ("event=jobs.wait", 5),
        ("event=jobs.wait&key=1", 2),
        ("collection=articles", 1),
        ("collection=articles&key=1", 1),
        ("state=pending", 5),
        ("state=retrying", 1),
        ("state=dead", 0),
        ("limit=4", 4),
        ("limit=4&page=2", 2),
        ("before=2020-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00Z", 6),
        ("key=x'%20OR%201=1--", 0),
    ] {
        assert_eq!(ids(query).await, expected, "{query}");
    }
    let all = deliveries(app, "state=pending&limit=1").await;
    assert_eq!(
        all["meta"],
        json!({ "page": 1, "limit": 1, "filter_count": 5, "counts": { "pending": 5, "running": 0, "retrying": 1, "held": 0, "dead": 0 } })
    );
    let one = all["data"][0]["id"].as_str().unwrap().to_owned();
    let shown = app.get(&format!("/api/deliveries/{one}")).await.expect(200).data();
    assert_eq!((&shown["meta"]["payload"], &shown["state"], &shown["attempts"]), (&json!({ "n": 0 }), &json!("pending"), &json!(0)));
    assert!(shown.get("lease_owner").is_none() && shown["request_id"].is_string(), "{shown}");
    let live = read_extension(app, &failing).await["live"]["deliveries"].clone();
    assert_eq!(live, json!({ "pending": 1, "held": 0, "dead": 0 }));

    for (query, part) in [
        ("state=lost", "`pending`, `running`, `retrying`, `held`, `dead`"),
        ("stat=dead", "did you mean `state`"),
        ("limit=101", "1 to 100"),
        ("page=0", "from 1"),
        ("before=now", "a moment"),
        ("filter[id][_eq]=1", "there are extension"),
    ] {
        let refused = app.get(&format!("/api/deliveries?{query}")).await.expect_error(400, "INVALID_QUERY");
        assert!(refused.message().contains(part), "{query}: {}", refused.message());
    }
    app.get("/api/deliveries/1").await.expect_error(404, "NOT_FOUND");
    app.get("/api/deliveries/00000000-0000-0000-0000-000000000000").await.expect_error(404, "NOT_FOUND");
    app.delete("/api/deliveries/00000000-0000-0000-0000-000000000000").await.expect_error(404, "NOT_FOUND");
    app.post("/api/deliveries/00000000-0000-0000-0000-000000000000/replay", json!({})).await.expect_error(404, "NOT_FOUND");

    let person = person(app, &may_all("articles")).await.client;
    for client in [&person, &app.anonymous()] {
        client.get("/api/deliveries").await.expect_error(403, "FORBIDDEN");
        client.get(&format!("/api/deliveries/{one}")).await.expect_error(403, "FORBIDDEN");
        client.delete(&format!("/api/deliveries/{one}")).await.expect_error(403, "FORBIDDEN");
        client.post(&format!("/api/deliveries/{one}/replay"), json!({})).await.expect_error(403, "FORBIDDEN");
        for bulk in ["replay", "discard"] {
            client.post(&format!("/api/deliveries/{bulk}"), json!({ "state": "dead" })).await.expect_error(403, "FORBIDDEN");
            client.raw("POST", &format!("/api/deliveries/{bulk}"), "nonsense").await.expect_error(403, "FORBIDDEN");
        }
    }
    assert_eq!(ids("").await, 6);
});

both!(what_was_given_up_is_replayed_or_discarded, env: [CLOCK], async |app| {
    Stopped::now(app);
    with_log(app).await;
    collection(app, "flags", &[("name", "string")]).await;
    create(app, "flags", json!({ "name": "down" })).await;
    let id = action(app, "articles.items.create", FLAKY).await;
    action(app, "jobs.told", TELL).await;
    app.post("/api/items/articles", (0..6).map(|n| json!({ "views": n })).collect()).await.expect(201);
    in_state(app, "retrying", 6).await;
    // The last attempt is asked for: replaying one that is retried makes it due.
    app.sql("UPDATE daas_deliveries SET attempt = 5").await;
    let answer = app.post("/api/deliveries/replay", json!({ "state": "retrying", "extension": id })).await.expect(200).data();
    assert_eq!(answer, json!({ "replayed": 6, "left": 0 }));
    let dead = in_state(app, "dead", 6).await;
    assert!(dead.iter().all(|row| row["attempts"] == 6 && row["given_up_at"].is_string() && row["next_attempt_at"].is_null()), "{dead:?}");
    assert_eq!(read_extension(app, &id).await["live"]["deliveries"]["dead"], 6);
    app.delete("/api/items/flags/1").await.expect(204);

    let one = dead[0]["id"].as_str().unwrap();
    let shown = app.post(&format!("/api/deliveries/{one}/replay"), json!({})).await.expect(200).data();
    assert_eq!(shown["id"], one);
    assert_eq!(eventually_told(app, 1).await.len(), 1);
    app.post(&format!("/api/deliveries/{one}/replay"), json!({})).await.expect_error(404, "NOT_FOUND");
    app.delete(&format!("/api/deliveries/{}", dead[1]["id"].as_str().unwrap())).await.expect(204);

    for (path, body, part) in [
        ("replay", json!({}), "at least one of"),
        ("replay", json!({ "state": "held" }), "`dead` and `retrying`"),
        ("discard", json!({ "extension": id }), "`state` is needed"),
        ("discard", json!({ "state": "running" }), "what runs can't be"),
        ("discard", json!({ "states": "dead" }), "did you mean `state`"),
        ("replay", json!({ "all": true }), "there are extension"),
    ] {
        let refused = app.post(&format!("/api/deliveries/{path}"), body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{}", refused.message());
    }
    let answer = app.post("/api/deliveries/discard", json!({ "state": "dead", "key": 3 })).await.expect(200).data();
    assert_eq!(answer, json!({ "discarded": 1, "left": 0 }));
    let answer = app.post("/api/deliveries/replay", json!({ "event": "articles.items.create" })).await.expect(200).data();
    assert_eq!(answer, json!({ "replayed": 3, "left": 0 }));
    assert_eq!(eventually_told(app, 4).await.iter().map(String::as_str).collect::<std::collections::BTreeSet<_>>().len(), 4);
    nothing_owed(app, SOON).await;

    // What isn't given up says so, and what waits for its extension can be discarded.
    result_of(app, "await services.enqueue('told', 1, { delay: 1000000 })").await;
    let waiting = in_state(app, "pending", 1).await[0]["id"].as_str().unwrap().to_owned();
    app.post(&format!("/api/deliveries/{waiting}/replay"), json!({})).await.expect_error(409, "CONFLICT");
    app.delete(&format!("/api/deliveries/{waiting}")).await.expect(204);
    assert_eq!(app.number("SELECT count(*) FROM daas_delivery_meta").await, 0);
});

both!(a_replayed_delivery_says_so_and_has_all_its_attempts, env: [CLOCK], async |app| {
    Stopped::now(app);
    with_log(app).await;
    let id = action(app, "articles.items.create", "throw new Error('no')").await;
    create(app, "articles", json!({})).await;
    let first = in_state(app, "retrying", 1).await.remove(0);
    app.sql("UPDATE daas_deliveries SET status = 'dead', attempt = 6, finished_at = created_at").await;
    app.patch(&format!("/api/extensions/{id}"), json!({ "code": TELL })).await.expect(200);
    app.post("/api/deliveries/replay", json!({ "state": "dead" })).await.expect(200);
    let meta: Value = serde_json::from_str(&eventually_told(app, 1).await[0]).unwrap();
    assert_eq!(meta["delivery"], json!({ "id": first["id"], "attempt": 1, "first_at": first["first_at"], "replayed": true }));
});

both!(what_runs_is_neither_discarded_nor_replayed, async |app| {
    with_log(app).await;
    action(app, "articles.items.create", &format!("await new Promise((r) => setTimeout(r, 2000));\n{TELL}")).await;
    create(app, "articles", json!({})).await;
    let running = in_state(app, "running", 1).await[0]["id"].as_str().unwrap().to_owned();
    app.delete(&format!("/api/deliveries/{running}")).await.expect_error(409, "CONFLICT");
    app.post(&format!("/api/deliveries/{running}/replay"), json!({})).await.expect_error(409, "CONFLICT");
    eventually_told(app, 1).await;
    nothing_owed(app, SOON).await;
});

both!(what_is_held_goes_on_in_order_and_what_is_too_old_goes, env: [CLOCK], async |app| {
    with_log(app).await;
    let id = action(app, "articles.items.update", &format!("await new Promise((r) => setTimeout(r, 30));\n{}", TELL.replace("meta)", "meta.payload.views)"))).await;
    create(app, "articles", json!({})).await;
    for views in 0..10 {
        app.patch("/api/items/articles/1", json!({ "views": views })).await.expect(200);
        if views == 3 {
            deactivate(app, &id).await;
            activate(app, &id).await;
        }
    }
    let expected: Vec<String> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(eventually_told(app, 10).await, expected);

    let failing = action(app, "articles.items.create", "throw new Error('no')").await;
    create(app, "articles", json!({})).await;
    in_state(app, "retrying", 1).await;
    deactivate(app, &failing).await;
    move_clock(app, MINUTE);
    in_state(app, "held", 1).await;
    // A start looks at once for what is too old.
    move_clock(app, 8 * 24 * 60 * MINUTE);
    app.restart().await;
    let dead = in_state(app, "dead", 1).await;
    assert_eq!(dead[0]["last_error"], "its extension could not run for seven days");
    move_clock(app, 40 * 24 * 60 * MINUTE);
    app.restart().await;
    nothing_owed(app, SOON).await;
});

// One transaction of Postgres takes its time for so many on a busy machine.
both!(a_bulk_write_owes_more_than_fits_in_memory, env: [("TX_MAX_MS", "20000")], async |app| {
    with_log(app).await;
    action(app, "articles.items.create", "await (await services.items('log')).createOne({ text: String(meta.key) });").await;
    app.post("/api/items/articles", (0..1_500).map(|_| json!({})).collect()).await.expect(201);
    eventually("every one is delivered", Duration::from_secs(40), async || match count(app, "log").await {
        1_500 => Ok(()),
        n => Err(format!("{n} of 1500")),
    })
    .await;
    let mut keys: Vec<u32> = told(app).await.iter().map(|key| key.parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (1..=1_500).collect::<Vec<_>>());
});

/// Two hosts write the same items; one of them is killed in between and comes back. Each item's deliveries run in the order of its writes, a
/// repeat is one of what was in flight, and none is lost.
#[test]
fn two_hosts_keep_the_order_of_each_item_also_when_one_is_killed() {
    run(Database::Postgres, &[], true, async |app| {
        app.allow_errors();
        hosts::order_collections(app).await;
        hosts::order_is_kept(app, 6, 60, 1).await;
    });
}

/// Transactions that hold one line, one after the other, keep back what waits for that line and nothing else.
#[test]
fn who_keeps_a_line_to_himself_keeps_back_nobody_else() {
    run(Database::Postgres, &[], false, async |app| {
        with_log(app).await;
        action(app, "jobs.hot", "").await;
        action(app, "jobs.other", TELL).await;
        let code = "await services.enqueue('hot', 1, { key: 'k' }); const end = Date.now() + 300; while (Date.now() < end); throw new Error('never mind');";
        filter(app, "articles.items.create", code).await;
        result_of(app, "await services.enqueue('hot', 0, { key: 'k', delay: 300 }); await services.enqueue('other', 0, { delay: 600 });")
            .await;
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let holders: Vec<_> = (0..3)
            .map(|_| {
                let (client, stop) = (Client::clone(app), stop.clone());
                tokio::spawn(async move {
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        client.post("/api/items/articles", json!({})).await;
                    }
                })
            })
            .collect();
        eventually_told(app, 1).await;
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        for holder in holders {
            holder.await.unwrap();
        }
        nothing_owed(app, SOON).await;
    });
}

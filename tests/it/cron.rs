//! Jobs that run by the clock: each tick once, whatever the clock, the hosts and the jobs do.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{ADMIN_TOKEN, free_port};
use crate::support::*;

/// The file that tells the servers of a test what time it is; it lies in their working directory.
pub const CLOCK: (&str, &str) = ("TRELLIS_TEST_CLOCK", "clock");

/// How long a job that is due may take to begin and end on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Stops the clock at a moment.
pub fn set_clock(dir: &Path, at: &str) {
    let millis = chrono::DateTime::parse_from_rfc3339(at).unwrap().timestamp_millis();
    fs::write(dir.join("clock.new"), format!("={millis}")).unwrap();
    fs::rename(dir.join("clock.new"), dir.join("clock")).unwrap();
}

fn sql_time(app: &TestApp, at: &str) -> String {
    match app.database {
        Database::Sqlite => chrono::DateTime::parse_from_rfc3339(at).unwrap().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Database::Postgres => at.to_owned(),
    }
}

/// Stops the clock at a moment and waits until everything that is due then has run to its end.
pub async fn settle(app: &TestApp, at: &str) {
    set_clock(app.dir(), at);
    let owed = format!(
        "SELECT count(*) FROM daas_cron_jobs WHERE status = 'active' AND (next_run_at IS NULL OR next_run_at <= '{}' OR running)",
        sql_time(app, at)
    );
    eventually(&format!("what is due at {at} has run"), SOON, async || match app.number(&owed).await {
        0 => Ok(()),
        left => Err(format!("{left} jobs are due or running")),
    })
    .await;
}

/// Makes a job; gives its id.
async fn job(admin: &Client, body: Value) -> String {
    let made = admin.post("/api/cron", body).await.expect(201).data();
    made["id"].as_str().unwrap().to_owned()
}

/// A job that notes its ticks in the collection `ticks`.
async fn ticking(admin: &Client, name: &str, schedule: &str, zone: &str) -> String {
    let code = "await (await services.items('ticks')).createOne({ job: context.jobName, at: context.scheduledAt });";
    job(admin, json!({ "name": name, "schedule": schedule, "timezone": zone, "code": code })).await
}

pub async fn ticks_of(admin: &Client, name: &str) -> Vec<String> {
    let parameters = [("limit", "-1"), ("sort", "id"), ("filter", &json!({ "job": { "_eq": name } }).to_string())];
    let rows = admin.query("/api/items/ticks", &parameters).await.expect(200).data();
    rows.as_array().unwrap().iter().map(|row| row["at"].as_str().unwrap().replace(".000", "")).collect()
}

pub async fn history(admin: &Client, job: &str) -> Vec<Value> {
    let rows = admin.get(&format!("/api/cron/{job}/history?limit=-1")).await.expect(200).data();
    rows.as_array().unwrap().clone()
}

both!(jobs_are_made_read_changed_and_deleted, async |app| {
    let made = app
        .post("/api/cron", json!({ "name": "nightly", "schedule": "0 3 * * *", "timezone": "Europe/Berlin", "code": "return 1" }))
        .await
        .expect(201)
        .data();
    let id = made["id"].as_str().unwrap().to_owned();
    assert_eq!(
        (&made["status"], &made["timeout_ms"], &made["memory_limit_mb"], &made["running"]),
        (&json!("active"), &json!(30000), &json!(64), &json!(false))
    );
    let next = chrono::DateTime::parse_from_rfc3339(made["next_run_at"].as_str().unwrap()).unwrap();
    assert!(["01:00", "02:00"].contains(&&*next.to_utc().format("%H:%M").to_string()), "{next}");
    let listed = app.get("/api/cron?fields=name&meta=total_count").await.expect(200).json();
    assert_eq!((&listed["data"], &listed["meta"]["total_count"]), (&json!([{ "name": "nightly" }]), &json!(1)));
    assert_eq!(app.get(&format!("/api/cron/{id}")).await.expect(200).data()["code"], "return 1");

    let off = app.patch(&format!("/api/cron/{id}"), json!({ "status": "inactive" })).await.expect(200).data();
    assert_eq!(off["next_run_at"], Value::Null);
    let on = app.patch(&format!("/api/cron/{id}"), json!({ "status": "active", "schedule": "@hourly" })).await.expect(200).data();
    assert!(on["next_run_at"].is_string());
    let kept = app.patch(&format!("/api/cron/{id}"), json!({ "description": "tidies up" })).await.expect(200).data();
    assert_eq!((&kept["next_run_at"], &kept["description"]), (&on["next_run_at"], &json!("tidies up")));

    let copy = app.post(&format!("/api/cron/{id}/clone"), json!({})).await.expect(201).data();
    assert_eq!(
        (&copy["name"], &copy["status"], &copy["code"], &copy["schedule"]),
        (&json!("nightly (copy)"), &json!("inactive"), &json!("return 1"), &json!("@hourly"))
    );
    app.post(&format!("/api/cron/{id}/clone"), json!({})).await.expect_error(409, "RECORD_NOT_UNIQUE");
    app.post(&format!("/api/cron/{id}/clone"), json!({ "name": "another" })).await.expect(201);

    app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect(200);
    assert_eq!(history(app, &id).await.len(), 1);
    app.delete(&format!("/api/cron/{id}")).await.expect(204);
    app.get(&format!("/api/cron/{id}")).await.expect_error(404, "NOT_FOUND");
    app.get(&format!("/api/cron/{id}/history")).await.expect_error(404, "NOT_FOUND");
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_history").await, 0);
});

both!(a_mistake_is_named_with_what_is_allowed, async |app| {
    let good = json!({ "name": "good", "schedule": "* * * * *", "code": "return 1", "status": "inactive" });
    let id = job(app, good.clone()).await;
    for (change, field, part) in [
        (json!({ "name": "" }), "name", "1 to 100"),
        (json!({ "schedule": "* * * *" }), "schedule", "five fields"),
        (json!({ "schedule": "0 0 31 2 *" }), "schedule", "never comes"),
        (json!({ "schedule": 5 }), "schedule", "a text"),
        (json!({ "timezone": "Europe/Berln" }), "timezone", "Europe/Berlin"),
        (json!({ "status": "paused" }), "status", "`active` or `inactive`"),
        (json!({ "timeout_ms": 0 }), "timeout_ms", "from 1 to 3600000"),
        (json!({ "memory_limit_mb": 1e9 }), "memory_limit_mb", "from 1 to 512"),
        (json!({ "description": [] }), "description", "a text"),
        (json!({ "next_run_at": null }), "next_run_at", "can't be set"),
        (json!({ "running": false }), "running", "can't be set"),
        (json!({ "tiemout_ms": 5 }), "tiemout_ms", "did you mean `timeout_ms`"),
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body["name"] = change.get("name").cloned().unwrap_or_else(|| json!("other"));
        for answer in [app.post("/api/cron", body).await, app.patch(&format!("/api/cron/{id}"), change.clone()).await] {
            let answer = answer.expect_error(400, "INVALID_PAYLOAD");
            assert_eq!(answer.field(), field, "{change}");
            assert!(answer.message().contains(part), "{change}: {}", answer.message());
        }
    }
    let broken =
        app.patch(&format!("/api/cron/{id}"), json!({ "code": "const a = 1;\nreturn a +;" })).await.expect_error(400, "INVALID_CODE");
    assert_eq!(broken.json()["errors"][0]["extensions"]["line"], 2);
    app.post("/api/cron", json!({ "name": "x" })).await.expect_error(400, "INVALID_PAYLOAD");
    app.post("/api/cron", good).await.expect_error(409, "RECORD_NOT_UNIQUE");
    for path in ["/api/cron/not-a-key/run", "/api/cron/00000000-0000-4000-8000-000000000000/run"] {
        app.post(path, json!({})).await.expect_error(404, "NOT_FOUND");
    }
    app.patch("/api/cron/not-a-key", json!({})).await.expect_error(400, "INVALID_ID");
});

both!(only_admins_see_and_change_jobs, async |app| {
    let id = job(app, json!({ "name": "mine", "schedule": "@daily", "code": "return 1" })).await;
    let nobody = person(app, &[]).await;
    for client in [&nobody.client, &app.anonymous()] {
        for (method, path, body) in [
            ("GET", "/api/cron".to_owned(), None),
            ("GET", "/api/cron/history".to_owned(), None),
            ("GET", format!("/api/cron/{id}"), None),
            ("GET", format!("/api/cron/{id}/history"), None),
            ("POST", "/api/cron".to_owned(), Some(json!({ "name": "y", "schedule": "@daily", "code": "" }))),
            ("PATCH", format!("/api/cron/{id}"), Some(json!({ "status": "inactive" }))),
            ("DELETE", format!("/api/cron/{id}"), None),
            ("POST", format!("/api/cron/{id}/run"), Some(json!({}))),
            ("POST", format!("/api/cron/{id}/clone"), Some(json!({}))),
        ] {
            let request = client.request(method, &path);
            let answer = Answer::of(if let Some(body) = body { request.json(&body) } else { request }).await;
            assert_eq!((answer.status, answer.code()), (403, "FORBIDDEN".to_owned()), "{method} {path}");
        }
    }
    // Not past the checks either.
    app.post("/api/items/daas_cron_jobs", json!({})).await.expect_error(403, "FORBIDDEN");
    app.get("/api/items/daas_cron_history").await.expect_error(403, "FORBIDDEN");
    collection(app, "notes", &[("text", "text")]).await;
    filter(
        app,
        "notes.items.create",
        "await (await services.items('daas_cron_jobs', { elevated: true })).createOne({ name: 'z', schedule: '@daily', code: '' })",
    )
    .await;
    app.post("/api/items/notes", json!({ "text": "x" })).await.expect_error(403, "FORBIDDEN");
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_jobs").await, 1);
});

both!(a_run_by_hand_answers_when_it_ended, async |app| {
    let code = "console.log('began', context.triggeredBy);\nconsole.warn({ a: 1 });\nawait (await services.items('ticks')).createOne({ \
                job: context.jobName, at: context.scheduledAt, context: { ...context, services: undefined, signal: undefined } });";
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp"), ("context", "json")]).await;
    let id = job(app, json!({ "name": "by hand", "schedule": "@yearly", "status": "inactive", "code": code })).await;
    let answer = app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect(200).data();
    let run = history(app, &id).await.remove(0);
    assert_eq!(
        (&run["id"], &run["status"], &run["triggered_by"], &run["error"]),
        (&answer["historyId"], &json!("success"), &json!("manual"), &Value::Null)
    );
    assert!(answer["message"].as_str().unwrap().contains("`by hand`"), "{answer}");
    assert_eq!(run["logs"], json!([{ "level": "info", "message": "began manual" }, { "level": "warn", "message": "{ a: 1 }" }]));
    for member in ["triggered_at", "started_at", "finished_at", "duration_ms", "host", "scheduled_at"] {
        assert!(!run[member].is_null(), "{member}: {run}");
    }
    let row = app.get("/api/items/ticks").await.expect(200).data()[0].clone();
    let context = &row["context"];
    assert_eq!(
        (&context["jobId"], &context["jobName"], &context["runId"], &context["triggeredBy"]),
        (&json!(id), &json!("by hand"), &answer["historyId"], &json!("manual"))
    );
    assert_eq!(
        (&context["accountability"]["admin"], &context["accountability"]["user"]),
        (&json!(true), &json!("00000000-0000-0000-0000-000000000000"))
    );
    assert!(context["scheduledAt"].is_string() && context["env"].is_null(), "{context}");

    let failing = job(app, json!({ "name": "failing", "schedule": "@yearly", "code": "console.log('so far');\nnull.x" })).await;
    let answer = app.post(&format!("/api/cron/{failing}/run"), json!({})).await.expect(200).data();
    assert!(answer["message"].as_str().unwrap().contains("failed"), "{answer}");
    let run = history(app, &failing).await.remove(0);
    assert_eq!((&run["status"], &run["logs"][0]["message"]), (&json!("error"), &json!("so far")));
    let error = run["error"].as_str().unwrap();
    assert!(error.starts_with("TypeError: ") && error.contains("line 2"), "{error}");
    let job = app.get(&format!("/api/cron/{failing}")).await.expect(200).data();
    assert_eq!((&job["last_run_status"], &job["running"]), (&json!("error"), &json!(false)));
    let all = app.get("/api/cron/history?filter[status][_eq]=error&fields=job_name").await.expect(200).data();
    assert_eq!(all, json!([{ "job_name": "failing" }]));
});

both!(a_job_that_hangs_is_cut_off_and_holds_up_nobody, env: [CLOCK], async |app| {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    set_clock(app.dir(), "2026-05-01T10:00:30Z");
    let hung = job(app, json!({ "name": "hung", "schedule": "* * * * *", "timeout_ms": 1500, "code": "for (;;) {}" })).await;
    let waits = job(app, json!({ "name": "waits", "schedule": "* * * * *", "timeout_ms": 1500, "code": "console.log('in'); await new Promise(() => {})" })).await;
    let hungry = job(app, json!({ "name": "hungry", "schedule": "* * * * *", "memory_limit_mb": 8, "code": "const a = []; for (;;) a.push(new Uint8Array(1 << 20))" })).await;
    ticking(app, "good", "* * * * *", "UTC").await;
    settle(app, "2026-05-01T10:01:00Z").await;
    settle(app, "2026-05-01T10:02:00Z").await;
    assert_eq!(ticks_of(app, "good").await, ["2026-05-01T10:01:00Z", "2026-05-01T10:02:00Z"]);
    for (job, status, part) in [(&hung, "timeout", "1500 ms"), (&waits, "timeout", "1500 ms"), (&hungry, "error", "memory limit")] {
        let runs = history(app, job).await;
        assert_eq!(runs.len(), 2, "{runs:?}");
        for run in runs {
            assert_eq!(run["status"], status, "{run}");
            assert!(run["error"].as_str().unwrap().contains(part), "{run}");
        }
    }
    assert_eq!(history(app, &waits).await[0]["logs"][0]["message"], "in");
});

both!(a_tick_is_left_out_while_the_job_runs, env: [CLOCK], async |app| {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    collection(app, "gate", &[("open", "boolean")]).await;
    set_clock(app.dir(), "2026-05-01T10:00:30Z");
    let code = "const gate = await services.items('gate');\nawait (await services.items('ticks')).createOne({ job: 'long', at: \
                context.scheduledAt });\nwhile ((await gate.readByQuery({ limit: 1 })).length === 0) await new Promise((r) => setTimeout(r, 20));";
    let id = job(app, json!({ "name": "long", "schedule": "* * * * *", "code": code })).await;
    let second = ticking(app, "short", "* * * * *", "UTC").await;
    set_clock(app.dir(), "2026-05-01T10:01:00Z");
    eventually("it runs", SOON, async || if ticks_of(app, "long").await.len() == 1 { Ok(()) } else { Err(String::new()) }).await;
    for (minute, count) in [("10:02", 2), ("10:03", 3)] {
        set_clock(app.dir(), &format!("2026-05-01T{minute}:00Z"));
        eventually("the other one ran", SOON, async || {
            let seen = ticks_of(app, "short").await;
            if seen.len() == count { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
    app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect_error(409, "CONFLICT");
    let running = app.get(&format!("/api/cron/{id}")).await.expect(200).data();
    assert_eq!((&running["running"], history(app, &id).await[0]["status"].clone()), (&json!(true), json!("running")));
    create(app, "gate", json!({ "open": true })).await;
    settle(app, "2026-05-01T10:04:00Z").await;
    assert_eq!(ticks_of(app, "long").await, ["2026-05-01T10:01:00Z", "2026-05-01T10:04:00Z"]);
    assert_eq!((history(app, &id).await.len(), history(app, &second).await.len()), (2, 4));
});

both!(the_history_keeps_so_many_runs_of_each_job, env: [("CRON_HISTORY_RETENTION", "3")], async |app| {
    let jobs = [
        job(app, json!({ "name": "a", "schedule": "@yearly", "code": "console.log(context.runId)" })).await,
        job(app, json!({ "name": "b", "schedule": "@yearly", "code": "" })).await,
    ];
    let mut last = Vec::new();
    for _ in 0..6 {
        last.push(app.post(&format!("/api/cron/{}/run", jobs[0]), json!({})).await.expect(200).data()["historyId"].clone());
    }
    app.post(&format!("/api/cron/{}/run", jobs[1]), json!({})).await.expect(200);
    let kept: Vec<Value> = history(app, &jobs[0]).await.into_iter().map(|run| run["id"].clone()).collect();
    last.reverse();
    assert_eq!(kept, last[..3]);
    assert_eq!(history(app, &jobs[1]).await.len(), 1);
});

both!(a_run_that_died_with_its_host_is_told_and_freed, env: [CLOCK], async |app| {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    set_clock(app.dir(), "2026-05-01T10:00:30Z");
    let code = "await (await services.items('ticks')).createOne({ job: 'cut', at: context.scheduledAt });\nif ((await (await \
                services.items('ticks')).readByQuery()).length === 1) await new Promise(() => {});";
    let id = job(app, json!({ "name": "cut", "schedule": "* * * * *", "timeout_ms": 20000, "code": code })).await;
    set_clock(app.dir(), "2026-05-01T10:01:00Z");
    eventually("it runs", SOON, async || if ticks_of(app, "cut").await.len() == 1 { Ok(()) } else { Err(String::new()) }).await;
    app.kill9();
    app.launch().await;
    if app.database == Database::Postgres {
        // Another host could still be running it: not before twice the time limit has passed.
        settle_locked(app, "2026-05-01T10:01:39Z").await;
        assert_eq!(ticks_of(app, "cut").await.len(), 1);
    }
    settle(app, "2026-05-01T10:02:00Z").await;
    assert_eq!(ticks_of(app, "cut").await, ["2026-05-01T10:01:00Z", "2026-05-01T10:02:00Z"]);
    let runs = history(app, &id).await;
    assert_eq!((&runs[0]["status"], &runs[1]["status"]), (&json!("success"), &json!("error")));
    assert!(runs[1]["error"].as_str().unwrap().contains("host"), "{}", runs[1]);
});

/// Stops the clock and checks for a while that the one job stays locked.
async fn settle_locked(app: &TestApp, at: &str) {
    set_clock(app.dir(), at);
    still("the job stays locked", Duration::from_millis(1500), async || {
        match app.number("SELECT count(*) FROM daas_cron_jobs WHERE running").await {
            1 => Ok(()),
            _ => Err("it was freed".to_owned()),
        }
    })
    .await;
}

both!(after_downtime_a_job_runs_once, env: [CLOCK], async |app| {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    set_clock(app.dir(), "2026-05-01T10:00:30Z");
    ticking(app, "minutely", "* * * * *", "UTC").await;
    ticking(app, "hourly", "@hourly", "UTC").await;
    ticking(app, "weekly", "@weekly", "UTC").await;
    app.stop().await;
    set_clock(app.dir(), "2026-05-02T10:30:30Z");
    app.launch().await;
    settle(app, "2026-05-02T10:30:30Z").await;
    settle(app, "2026-05-02T10:30:59Z").await;
    assert_eq!(ticks_of(app, "minutely").await, ["2026-05-02T10:30:00Z"]);
    assert_eq!(ticks_of(app, "hourly").await, ["2026-05-02T10:00:00Z"]);
    assert!(ticks_of(app, "weekly").await.is_empty());
    // A clock that was ten years ahead, and is right again.
    settle(app, "2036-05-02T10:30:30Z").await;
    set_clock(app.dir(), "2026-05-02T10:31:30Z");
    eventually("the jobs are back in time", SOON, async || {
        match app.number("SELECT count(*) FROM daas_cron_jobs WHERE next_run_at > '2030-01-01'").await {
            0 => Ok(()),
            ahead => Err(format!("{ahead} jobs")),
        }
    })
    .await;
    settle(app, "2026-05-02T10:32:00Z").await;
    assert_eq!(ticks_of(app, "minutely").await[1..], ["2036-05-02T10:30:00Z", "2026-05-02T10:32:00Z"]);
});

both!(nothing_runs_where_cron_is_off, env: [("CRON_ENABLED", "false"), CLOCK], async |app| {
    let id = job(app, json!({ "name": "off", "schedule": "* * * * *", "code": "" })).await;
    set_clock(app.dir(), "2036-05-01T10:00:30Z");
    app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect_error(503, "SERVICE_UNAVAILABLE");
    collection(app, "notes", &[("text", "text")]).await;
    filter(app, "notes.items.create", "try { await services.cron.trigger('off') } catch (error) { return { text: `${error.code}: ${error.message}` } }").await;
    let note = create(app, "notes", json!({ "text": "x" })).await;
    assert_eq!(note["text"], "SERVICE_UNAVAILABLE: No job runs here: `CRON_ENABLED` is `false`");
    // Other commands run nothing either, whatever they are told.
    for arguments in [&["migrate"][..], &["ext", "list"], &["config"]] {
        assert!(app.run(arguments).status.success(), "{arguments:?}");
    }
    app.stop().await;
    app.set_env(&[("CRON_ENABLED", "true"), ("EXTENSIONS_SAFE_MODE", "true")]);
    assert!(app.run(&["migrate"]).status.success());
    app.launch().await;
    app.post(&format!("/api/cron/{id}/run"), json!({})).await.expect_error(503, "SERVICE_UNAVAILABLE");
    still("nothing runs", Duration::from_millis(1500), async || match app.number("SELECT count(*) FROM daas_cron_history").await {
        0 => Ok(()),
        runs => Err(format!("{runs} runs")),
    })
    .await;
});

both!(code_triggers_jobs_and_never_reads_theirs, async |app| {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    collection(app, "notes", &[("text", "text"), ("out", "json")]).await;
    let id = ticking(app, "by code", "@yearly", "UTC").await;
    job(app, json!({ "name": "idle", "schedule": "@yearly", "status": "inactive", "code": "'secret of idle'" })).await;
    let code = "const { cron } = services;\nif (payload.text === 'list') return { ...payload, out: [await cron.list(), await cron.list('active'), \
                await cron.get('by code')] };\nif (payload.text === 'bad') return { ...payload, out: await cron.list('x') };\nif (payload.text \
                === 'none') return { ...payload, out: await cron.trigger('nowhere') };\nif (payload.text === 'type') return { ...payload, out: \
                await cron.get(5) };\nconst out = await cron.trigger('by code');\nconst again = await \
                cron.trigger(out.historyId === '' ? 'by code' : (await cron.get('by code')).id);\nif (payload.text === 'throw') throw new Error('no');\nreturn { ...payload, out: [out, again] };";
    filter(app, "notes.items.create", code).await;
    let out = create(app, "notes", json!({ "text": "list" })).await["out"].clone();
    let names = |list: &Value| list.as_array().unwrap().iter().map(|job| job["name"].clone()).collect::<Vec<_>>();
    assert_eq!((names(&out[0]), names(&out[1])), (vec![json!("by code"), json!("idle")], vec![json!("by code")]));
    assert_eq!((&out[2]["id"], &out[2]["schedule"]), (&json!(id), &json!("@yearly")));
    assert!(!out.to_string().contains("createOne") && !out.to_string().contains("secret"), "{out}");
    for (text, status, code) in [("bad", 500, "EXTENSION_FAILED"), ("none", 500, "EXTENSION_FAILED"), ("type", 500, "EXTENSION_FAILED")] {
        app.post("/api/items/notes", json!({ "text": text })).await.expect_error(status, code);
    }

    // What is undone triggers nothing.
    app.post("/api/items/notes", json!({ "text": "throw" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_history").await, 0);
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_jobs WHERE running").await, 0);

    let out = create(app, "notes", json!({ "text": "go" })).await["out"].clone();
    assert_eq!(out[1]["historyId"], "", "it was running already: {out}");
    eventually("it ran", SOON, async || match history(app, &id).await.first() {
        Some(run) if run["status"] == "success" => {
            assert_eq!((&run["id"], &run["triggered_by"]), (&out[0]["historyId"], &json!("extension")));
            Ok(())
        }
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(ticks_of(app, "by code").await.len(), 1);

    // Outside a transaction too, and from a job itself.
    let chain = job(app, json!({ "name": "chain", "schedule": "@yearly", "code": "return console.log(JSON.stringify(await services.cron.trigger('by code')))" })).await;
    app.post(&format!("/api/cron/{chain}/run"), json!({})).await.expect(200);
    eventually("it ran again", SOON, async || match ticks_of(app, "by code").await.len() {
        2 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries WHERE extension = 'cron'").await, 0);
});

both!(jobs_that_trigger_each_other_come_to_an_end, env: [("EXTENSION_MAX_DEPTH", "2")], async |app| {
    let mut ids = Vec::new();
    for n in 0..5 {
        let code = format!("await services.cron.trigger('{}')", if n == 4 { 0 } else { n + 1 });
        ids.push(job(app, json!({ "name": n.to_string(), "schedule": "@yearly", "code": code })).await);
    }
    app.post(&format!("/api/cron/{}/run", ids[0]), json!({})).await.expect(200);
    let last = eventually("the chain ends", SOON, async || match history(app, &ids[3]).await.first() {
        Some(run) if !run["finished_at"].is_null() => Ok(run.clone()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(last["status"], "error");
    assert!(last["error"].as_str().unwrap().contains("more than 2 levels deep"), "{last}");
    assert!(history(app, &ids[4]).await.is_empty());
});

/// One more host on the database of an app.
struct Host(Child);

impl Host {
    fn start(app: &TestApp) -> (Self, Client) {
        let port = free_port();
        let log = fs::File::create(app.dir().join(format!("host-{port}.log"))).unwrap();
        let mut command: Command = app.command(&["serve"]);
        command.env("PORT", port.to_string()).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let client = Client::new(&format!("http://127.0.0.1:{port}"), Some(ADMIN_TOKEN.to_owned()));
        (Self(command.spawn().unwrap()), client)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Five hosts on one database, and clocks that do what clocks do: no tick runs twice, none is lost.
#[test]
fn five_hosts_run_each_tick_once() {
    run(Database::Postgres, &[CLOCK], false, async |app| {
        collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
        set_clock(app.dir(), "2026-03-28T22:50:30Z");
        let mut hosts = Vec::new();
        for _ in 0..4 {
            let (host, client) = Host::start(app);
            eventually("the host is ready", Duration::from_secs(30), async || {
                match Answer::try_of(client.request("GET", "/api/health")).await {
                    Ok(answer) if answer.status == 200 => Ok(()),
                    Ok(answer) => Err(answer.body),
                    Err(error) => Err(error.to_string()),
                }
            })
            .await;
            hosts.push(host);
        }
        for (name, schedule, zone) in [
            ("berlin fixed", "30 2 * * *", "Europe/Berlin"),
            ("berlin hourly", "0 * * * *", "Europe/Berlin"),
            ("new york fixed", "30 1 * * *", "America/New_York"),
            ("new york half", "*/30 1 * * *", "America/New_York"),
            ("utc hourly", "@hourly", "UTC"),
        ] {
            ticking(app, name, schedule, zone).await;
        }
        // Spring in Berlin: 02:00 is 03:00.
        for at in ["28T23:00", "28T23:30", "29T00:00", "29T00:30", "29T01:00", "29T01:30", "29T02:00", "29T02:30"] {
            settle(app, &format!("2026-03-{at}:00Z")).await;
        }
        assert_eq!(ticks_of(app, "berlin fixed").await, ["2026-03-29T01:00:00Z"]);
        let hours = ["28T23", "29T00", "29T01", "29T02"].map(|hour| format!("2026-03-{hour}:00:00Z"));
        assert_eq!(ticks_of(app, "berlin hourly").await, hours);
        assert_eq!(ticks_of(app, "utc hourly").await, hours);
        assert!(ticks_of(app, "new york fixed").await.is_empty());

        // A suspend to the day before autumn in Berlin: what was missed is one tick each, the last.
        settle(app, "2026-10-24T23:30:00Z").await;
        assert_eq!(ticks_of(app, "berlin fixed").await[1..], ["2026-10-24T00:30:00Z"]);
        assert_eq!(ticks_of(app, "berlin hourly").await[4..], ["2026-10-24T23:00:00Z"]);
        assert_eq!(ticks_of(app, "new york half").await, ["2026-10-24T05:30:00Z"]);
        // 03:00 is 02:00 again.
        for at in ["00:00", "00:30", "01:00", "01:30", "02:00"] {
            settle(app, &format!("2026-10-25T{at}:00Z")).await;
        }
        assert_eq!(ticks_of(app, "berlin fixed").await[2..], ["2026-10-25T00:30:00Z"]);
        assert_eq!(ticks_of(app, "berlin hourly").await[5..], ["2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"]);

        // Autumn in New York: 02:00 is 01:00 again.
        settle(app, "2026-11-01T04:30:00Z").await;
        let before = ticks_of(app, "new york half").await.len();
        let fixed = ticks_of(app, "new york fixed").await.len();
        for at in ["05:00", "05:30", "06:00", "06:30", "07:00"] {
            settle(app, &format!("2026-11-01T{at}:00Z")).await;
        }
        let halves = ["05:00", "05:30", "06:00", "06:30"].map(|at| format!("2026-11-01T{at}:00Z"));
        assert_eq!(ticks_of(app, "new york half").await[before..], halves);
        assert_eq!(ticks_of(app, "new york fixed").await[fixed..], ["2026-11-01T05:30:00Z"]);

        // An hour ahead, an hour back, and the same hours again.
        let before = ticks_of(app, "utc hourly").await.len();
        for at in ["08:00", "07:00", "07:30", "08:00", "08:59", "09:00", "08:01", "09:00", "10:00"] {
            settle(app, &format!("2026-11-01T{at}:00Z")).await;
        }
        assert_eq!(ticks_of(app, "utc hourly").await[before..], ["08", "09", "10"].map(|hour| format!("2026-11-01T{hour}:00:00Z")));

        // The hosts shared the work, and no tick is in the history twice.
        let twice = "SELECT count(*) FROM (SELECT job_id, scheduled_at FROM daas_cron_history GROUP BY 1, 2 HAVING count(*) > 1) AS t";
        assert_eq!(app.number(twice).await, 0);
        assert_eq!(app.number("SELECT count(*) FROM daas_cron_history WHERE status <> 'success'").await, 0);
        assert!(app.number("SELECT count(DISTINCT host) FROM daas_cron_history").await > 1);
    });
}

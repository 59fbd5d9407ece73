//! What folders do by the clock: `schedule()` in `register`, kept as jobs that nobody else changes.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cron::{CLOCK, history, set_clock, settle, ticks_of};
use crate::support::hosts::Host;
use crate::support::*;

const TICKS: &str = "
const note = async (context) => {
  await (await context.services.items('ticks')).createOne({ job: context.jobName, at: context.scheduledAt });
  console.log(context.triggeredBy, context.accountability.user, context.accountability.admin, context.extension.name);
};
export function register({ schedule }) {
  schedule('0 3 * * *', note, { name: 'ticks', timezone: 'Europe/Berlin' });
  schedule('30 * * * *', () => { throw new Error('on purpose'); });
}";

async fn with_ticks(app: &TestApp, at: &str) {
    collection(app, "ticks", &[("job", "string"), ("at", "timestamp")]).await;
    set_clock(app.dir(), at);
}

/// The job with this name, as `/api/cron` tells it.
async fn job(app: &Client, name: &str) -> Value {
    let found = app.query("/api/cron", &[("filter", &*json!({ "name": name }).to_string())]).await.expect(200).data();
    assert_eq!(found.as_array().unwrap().len(), 1, "{name}: {found}");
    found[0].clone()
}

fn id(job: &Value) -> &str {
    job["id"].as_str().unwrap()
}

both!(a_schedule_of_a_folder_runs_by_the_clock_as_the_system, env: [CLOCK], async |app| {
    with_ticks(app, "2026-06-01T00:10:00Z").await;
    let folder = app.load_folder("nightly", &[("index.mjs", TICKS)]).await;
    let (named, other) = (job(app, "nightly: ticks").await, job(app, "nightly").await);
    assert_eq!(folder["schedules"].as_array().unwrap().len(), 2, "{folder}");
    assert_eq!((&folder["schedules"][0]["job"], &folder["schedules"][0]["name"]), (&named["id"], &named["name"]));
    assert_eq!((&named["extension"], &named["schedule"], &named["timezone"]), (&folder["id"], &json!("0 3 * * *"), &json!("Europe/Berlin")));
    assert_eq!((&named["next_run_at"], &named["timeout_ms"]), (&json!("2026-06-01T01:00:00.000Z"), &json!(30_000)));

    settle(app, "2026-06-01T01:00:00Z").await;
    assert_eq!(ticks_of(app, "nightly: ticks").await, ["2026-06-01T01:00:00Z"]);
    let runs = history(app, id(&named)).await;
    assert_eq!((&runs[0]["status"], &runs[0]["triggered_by"], runs.len()), (&json!("success"), &json!("schedule"), 1));
    assert_eq!(runs[0]["logs"][0]["message"], "schedule 00000000-0000-0000-0000-000000000000 true nightly");
    let failed = history(app, id(&other)).await;
    assert_eq!((&failed[0]["status"], failed.len()), (&json!("error"), 1));
    let error = failed[0]["error"].as_str().unwrap();
    assert!(error.contains("on purpose") && error.contains("index.mjs:8:"), "{error}");
    // It counts for the extension as any run does.
    let folder_id = folder["id"].as_str().unwrap();
    let row = eventually("its runs are counted", Duration::from_secs(10), async || {
        let row = read_extension(app, folder_id).await;
        if row["execution_count"] == 2 && row["runs"].as_array().is_some_and(|runs| runs.len() == 1) { Ok(row) } else { Err(row.to_string()) }
    })
    .await;
    assert_eq!((&row["runs"][0]["event"], &row["runs"][0]["line"]), (&json!("schedule 0"), &json!(8)));

    // By hand and from code, as any job; and changed by nobody.
    app.post(&format!("/api/cron/{}/run", id(&named)), json!({})).await.expect(200);
    let code = "return (await services.cron.trigger('nightly: ticks')).historyId.length";
    assert_eq!(result_of(app, code).await, 36);
    eventually("it ran for code", Duration::from_secs(20), async || match history(app, id(&named)).await {
        runs if runs.len() == 3 && runs.iter().all(|run| run["status"] == "success") => Ok(()),
        runs => Err(json!(runs).to_string()),
    })
    .await;
    let path = format!("/api/cron/{}", id(&named));
    for answer in [
        app.patch(&path, json!({ "status": "inactive" })).await,
        app.delete(&path).await,
        app.post(&format!("{path}/clone"), json!({ "name": "copy" })).await,
    ] {
        assert!(answer.clone().expect_error(403, "FORBIDDEN").message().contains("changed in its files"), "{}", answer.body);
    }
    app.post("/api/cron", json!({ "name": "x", "schedule": "@daily", "code": "", "extension": folder_id })).await.expect_error(400, "INVALID_PAYLOAD");

    // What was missed is made up for once, for the last tick; a version with the same schedule keeps its place.
    assert!(app.stop().await.success());
    set_clock(app.dir(), "2026-06-04T12:00:00Z");
    app.write_folder("nightly", &[("index.mjs", &format!("// a comment\n{TICKS}"))]);
    app.launch().await;
    settle(app, "2026-06-04T12:00:01Z").await;
    assert_eq!(ticks_of(app, "nightly: ticks").await.last().unwrap(), "2026-06-04T01:00:00Z");
    assert_eq!(history(app, id(&named)).await.len(), 4);
    let changed = TICKS.replace("0 3 * * *", "0 5 * * *").replace("30 * * * *", "@yearly");
    app.load_folder("nightly", &[("index.mjs", &changed)]).await;
    assert_eq!(job(app, "nightly: ticks").await["next_run_at"], "2026-06-05T03:00:00.000Z");
    assert_eq!(job(app, "nightly").await["id"], other["id"]);

    let off = json!({ "enabled": false }).to_string();
    app.write_folder("nightly", &[("extension.json", &off)]);
    app.folder_is("nightly", "off", |entry| entry["status"] == "inactive").await;
    let stopped = job(app, "nightly: ticks").await;
    assert_eq!((&stopped["status"], &stopped["next_run_at"]), (&json!("inactive"), &Value::Null));
    app.post(&format!("/api/cron/{}/run", id(&named)), json!({})).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    app.load_folder("nightly", &[("extension.json", "{}")]).await;
    assert_eq!(job(app, "nightly: ticks").await["next_run_at"], "2026-06-05T03:00:00.000Z");
    // One that isn't registered any more is gone with its history, and the folder takes the rest.
    app.load_folder("nightly", &[("index.mjs", "export function register({ schedule }) { schedule('@yearly', () => {}, { name: 'kept' }); }")]).await;
    assert_eq!(app.text("SELECT name FROM daas_cron_jobs").await, "nightly: kept");
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_history").await, 0);
    app.remove_folder("nightly");
    eventually("the job is gone", Duration::from_secs(20), async || match app.number("SELECT count(*) FROM daas_cron_jobs").await {
        0 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
});

both!(a_tick_waits_while_its_extension_does_not_load, env: [CLOCK], async |app| {
    with_ticks(app, "2026-06-01T00:10:00Z").await;
    app.load_folder("nightly", &[("index.mjs", TICKS)]).await;
    let named = job(app, "nightly: ticks").await;
    assert!(app.stop().await.success());
    app.write_folder("nightly", &[("index.mjs", "export function register( {")]);
    set_clock(app.dir(), "2026-06-01T01:00:30Z");
    app.launch().await;
    app.folder_is("nightly", "in error", |entry| entry["status"] == "error").await;
    app.post(&format!("/api/cron/{}/run", id(&named)), json!({})).await.expect_error(503, "EXTENSION_UNAVAILABLE");
    still("the tick waits", Duration::from_millis(1500), async || match app.number("SELECT count(*) FROM daas_cron_history").await {
        0 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
    app.load_folder("nightly", &[("index.mjs", TICKS)]).await;
    settle(app, "2026-06-01T01:00:31Z").await;
    assert_eq!(ticks_of(app, "nightly: ticks").await, ["2026-06-01T01:00:00Z"]);
});

both!(a_run_that_hangs_is_cut_off_and_one_that_lasts_leaves_out_the_next, env: [CLOCK], async |app| {
    with_ticks(app, "2026-06-01T00:00:30Z").await;
    let code = "
export function register({ schedule }) {
  schedule('0 * * * *', () => { while (true); }, { name: 'computes', timeout_ms: 200 });
  schedule('0 * * * *', () => new Promise(() => {}), { name: 'waits', timeout_ms: 200 });
  schedule('* * * * *', async ({ services }) => {
    const ticks = await services.items('ticks');
    while ((await ticks.readByQuery({ limit: 1 })).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }, { name: 'lasts' });
}";
    app.load_folder("slow", &[("index.mjs", code)]).await;
    let lasts = job(app, "slow: lasts").await;
    set_clock(app.dir(), "2026-06-01T00:01:00Z");
    let running = async |n: usize| {
        eventually("it runs", Duration::from_secs(20), async || match history(app, id(&lasts)).await {
            runs if runs.len() == n && runs[0]["status"] == "running" => Ok(()),
            runs => Err(json!(runs).to_string()),
        })
        .await;
    };
    running(1).await;
    set_clock(app.dir(), "2026-06-01T00:02:00Z");
    eventually("the next tick is left out", Duration::from_secs(20), async || match job(app, "slow: lasts").await["next_run_at"].as_str() {
        Some("2026-06-01T00:03:00.000Z") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    running(1).await;
    create(app, "ticks", json!({ "job": "done" })).await;
    settle(app, "2026-06-01T00:02:01Z").await;
    settle(app, "2026-06-01T01:00:00Z").await;
    for name in ["slow: computes", "slow: waits"] {
        let runs = history(app, id(&job(app, name).await)).await;
        assert_eq!((runs.len(), &runs[0]["status"]), (1, &json!("timeout")), "{name}: {runs:?}");
    }
});

both!(what_is_wrong_with_a_schedule_is_told_with_its_place, async |app| {
    let code = "export function register({ schedule }) {
  schedule('0 3 * *', () => {});
  schedule('0 0 30 2 *', () => {});
  schedule('@daily', () => {}, { timezone: 'Europe/Berln' });
  schedule('@daily', () => {}, { timezon: 'UTC' });
  schedule('@daily', () => {}, { timeout_ms: 3600001 });
  schedule('@daily', () => {}, { name: '' });
  schedule('@daily', () => {}, { name: 'twice' });
  schedule('@hourly', () => {}, { name: 'twice' });
  schedule('@hourly');
  schedule(5, () => {});
  schedule('@hourly', () => {}, 'UTC');
}";
    let problems = app.break_folder("wrong", &[("index.mjs", code)]).await;
    let parts = [
        (2, "five fields"),
        (3, "never comes"),
        (4, "Europe/Berlin"),
        (5, "timezone"),
        (6, "from 1 to 3600000"),
        (7, "1 to 40"),
        (9, "two schedules called `twice`"),
        (10, "the second argument is the handler"),
        (11, "the first argument is a schedule"),
        (12, "the options are an object"),
    ];
    assert_eq!(problems.len(), parts.len(), "{problems:?}");
    for (line, part) in parts {
        let told =
            problems.iter().find(|problem| problem["line"] == line).unwrap_or_else(|| panic!("no problem in line {line}: {problems:?}"));
        assert!(told["message"].as_str().unwrap().contains(part), "{line}: {told}");
    }
    assert_eq!(app.number("SELECT count(*) FROM daas_cron_jobs").await, 0);
    let code = "export function register({ schedule }) { schedule(`${Math.floor(Math.random() * 60)} ${Math.floor(Math.random() * 24)} * * *`, () => {}); }";
    app.break_folder("chance", &[("index.mjs", code)]).await;
    let code = "let later;
export function register({ schedule, registerRoutes }) {
  later = schedule;
  registerRoutes({ basePath: '/later', routes: [{ method: 'GET', path: '/now', public: true, handler: () => {
    try { later('@daily', () => {}); } catch (error) { return { code: error.code, message: error.message }; }
  } }] });
}";
    app.load_folder("later", &[("index.mjs", code)]).await;
    let told = app.get("/api/ext/later/now").await.expect(200).json();
    assert_eq!(told["code"], "REGISTRATION_CLOSED");
});

both!(a_schedule_is_held_to_the_capabilities_of_its_extension, env: [CLOCK], async |app| {
    with_ticks(app, "2026-06-01T00:10:00Z").await;
    let settings = json!({ "capabilities": ["items:ticks:read"] }).to_string();
    app.load_folder("nightly", &[("index.mjs", TICKS), ("extension.json", &settings)]).await;
    settle(app, "2026-06-01T01:00:00Z").await;
    let runs = history(app, id(&job(app, "nightly: ticks").await)).await;
    assert!(runs[0]["error"].as_str().unwrap().contains("items:ticks:create"), "{runs:?}");
    assert_eq!(count(app, "ticks").await, 0);
});

/// Three hosts have the same folder: each tick runs once. A host that doesn't have it takes none.
#[test]
fn hosts_share_the_ticks_of_a_folder() {
    run(Database::Postgres, &[CLOCK], false, async |app| {
        with_ticks(app, "2026-06-01T00:00:30Z").await;
        let code = TICKS.replace("0 3 * * *", "0 * * * *").replace("30 * * * *", "@yearly");
        app.load_folder("hourly", &[("index.mjs", &code)]).await;
        let _hosts = [Host::start(app).await, Host::start(app).await];
        let hours: Vec<String> = (1..=8).map(|hour| format!("2026-06-01T0{hour}:00:00Z")).collect();
        for hour in &hours {
            settle(app, hour).await;
        }
        assert_eq!(ticks_of(app, "hourly: ticks").await, hours);
        let twice = "SELECT count(*) FROM (SELECT job_id, scheduled_at FROM daas_cron_history GROUP BY 1, 2 HAVING count(*) > 1) AS t";
        assert_eq!(app.number(twice).await, 0);
        assert_eq!(app.number("SELECT count(*) FROM daas_cron_history WHERE status <> 'success'").await, 0);
    });
}

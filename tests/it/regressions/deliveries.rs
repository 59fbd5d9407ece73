//! What is owed to action hooks: never for what was undone, always for what was committed, whatever happens in between.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::process;
use crate::support::*;

/// Retries wait 5 s for their second attempt, a lease of a dead host has to run out: generous on purpose.
const OWED: Duration = Duration::from_secs(60);

/// Writes which item of which collection an action was run for.
const MARK: &str =
    "await (await services.items('log')).createOne({ text: meta.collection + ' ' + (meta.payload.title ?? '') + ' ' + meta.key });";

/// `a`, `b` and `side` with a title, and `log` for what actions tell.
async fn collections(app: &Client) {
    for name in ["a", "b", "side"] {
        collection(app, name, &[("title", "text")]).await;
    }
    collection(app, "log", &[("text", "text")]).await;
}

async fn pending(app: &TestApp) -> i64 {
    app.number("SELECT count(*) FROM daas_deliveries WHERE status = 'pending' AND finished_at IS NULL").await
}

/// What the log holds, sorted.
async fn told(app: &Client) -> Vec<String> {
    let mut texts: Vec<String> = column(app, "log", "text").await.iter().map(|t| t.as_str().unwrap().to_owned()).collect();
    texts.sort();
    texts
}

async fn eventually_told(app: &Client, expected: &[&str]) {
    eventually("the actions of what was kept run", OWED, async || {
        let seen = told(app).await;
        if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
    still("no other action runs", Duration::from_secs(1), async || {
        let seen = told(app).await;
        if seen == expected { Ok(()) } else { Err(format!("{seen:?}")) }
    })
    .await;
}

/// A durable and a best-effort action on creates of the collection.
async fn mark_both_ways(app: &Client, name: &str) {
    for delivery in ["durable", "best_effort"] {
        let event = format!("{name}.items.create");
        extension(app, json!({ "type": "action", "event": event, "code": MARK, "delivery": delivery })).await;
    }
}

both!(what_a_caught_transaction_undid_triggers_no_action_of_either_kind, async |app| {
    collections(app).await;
    mark_both_ways(app, "b").await;
    let code = "const b = await services.items('b'); await b.createOne({ title: 'kept' });
                try { await services.transaction(async (s) => { await (await s.items('b')).createOne({ title: 'undone' }); throw new Error('inside') }) } catch {}
                return payload;";
    filter(app, "a.items.create", code).await;
    create(app, "a", json!({ "title": "x" })).await;
    assert_eq!(column(app, "b", "title").await, ["kept"]);
    let kept = format!("b kept {}", column(app, "b", "id").await[0]);
    eventually_told(app, &[&kept, &kept]).await;
    assert_eq!(pending(app).await, 0);
});

both!(what_a_caught_refusal_halfway_undid_triggers_no_action_of_either_kind, async |app| {
    collections(app).await;
    for name in ["a", "b", "side"] {
        mark_both_ways(app, name).await;
    }
    let code = "await (await services.items('side')).createOne({ title: 'beside ' + payload.title }); if (payload.title === 'bad') throw new Error('no'); return payload;";
    filter(app, "b.items.create", code).await;
    let code = "let seen; try { await (await services.items('b')).createMany([{ title: 'half' }, { title: 'bad' }, { title: 'rest' }]) } catch (e) { seen = e.message }
                return { ...payload, title: seen };";
    filter(app, "a.items.create", code).await;
    assert_eq!(create(app, "a", json!({ "title": "x" })).await["title"], "no");
    assert_eq!((count(app, "b").await, count(app, "side").await), (0, 0));
    eventually_told(app, &["a no 1", "a no 1"]).await;
    assert_eq!(pending(app).await, 0);
});

both!(a_write_that_an_action_did_not_wait_for_has_its_own_actions_run, async |app| {
    app.allow_errors();
    collections(app).await;
    let code = "const b = await services.items('b'); b.createOne({ title: 'first' }).catch(() => {}); b.createOne({ title: 'second' }).catch(() => {});";
    action(app, "a.items.create", code).await;
    action(app, "b.items.create", "await (await services.items('log')).createOne({ text: String(meta.key) });").await;
    for n in 0..20 {
        create(app, "a", json!({ "title": n.to_string() })).await;
    }
    // A row may be committed a little later than the action that wrote it ended: what is seen has to hold for a while.
    let mut since = None;
    eventually("every committed row has its action run", Duration::from_secs(30), async || {
        let owed = pending(app).await;
        let rows: BTreeSet<String> = column(app, "b", "id").await.iter().map(Value::to_string).collect();
        let told: BTreeSet<String> = told(app).await.into_iter().collect();
        if owed > 0 || rows != told {
            since = None;
            return Err(format!("{owed} owed, rows {rows:?}, told {told:?}"));
        }
        let calm = since.get_or_insert_with(Instant::now).elapsed();
        if calm > Duration::from_secs(1) { Ok(()) } else { Err("not for long enough".to_owned()) }
    })
    .await;
});

/// An action on creates of `a` that is at work on `rows` items when the host dies; the next host finds code that tells at once.
async fn owed_to_a_dead_host(app: &mut TestApp, rows: usize, title: &str) {
    collections(app).await;
    let slow = json!({ "type": "action", "event": "a.items.create", "timeout_ms": 60_000, "code": "await new Promise((r) => setTimeout(r, 50000));" });
    let id = extension(app, slow).await;
    for _ in 0..rows {
        app.post("/api/items/a", json!({ "title": title })).await.expect(201);
    }
    app.kill9();
    let code = "await (await services.items('log')).createOne({ text: String(meta.key) + ' ' + meta.payload.title.length });";
    app.sql(&format!("UPDATE daas_extensions SET code = '{}' WHERE id = '{id}'", code.replace('\'', "''"))).await;
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, rows as i64);
}

async fn all_told(app: &TestApp, rows: usize, length: usize) {
    let expected: BTreeSet<String> = (1..=rows).map(|key| format!("{key} {length}")).collect();
    eventually("everything owed is delivered", OWED, async || {
        let seen: BTreeSet<String> = told(app).await.into_iter().collect();
        if seen == expected { Ok(()) } else { Err(format!("{} of {rows}", seen.len())) }
    })
    .await;
    eventually("nothing is owed any more", OWED, async || match pending(app).await {
        0 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
}

both!(alone many_large_deliveries_are_made_after_a_restart_in_little_memory, async |app| {
    app.allow_errors();
    owed_to_a_dead_host(app, 40, &"x".repeat(1 << 20)).await;
    app.launch().await;
    all_told(app, 40, 1 << 20).await;
    let peak = process::peak(app.pid());
    assert!(peak < 300 << 20, "the host had {} MB", peak >> 20);
});

both!(what_was_owed_before_a_start_in_safe_mode_is_delivered_after_it, async |app| {
    app.allow_errors();
    owed_to_a_dead_host(app, 10, "x").await;
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "true")]);
    app.launch().await;
    create(app, "b", json!({ "title": "written in safe mode" })).await;
    still("nothing runs in safe mode", Duration::from_secs(2), async || match count(app, "log").await {
        0 => Ok(()),
        n => Err(format!("{n} rows")),
    })
    .await;
    assert!(app.stop().await.success());
    app.set_env(&[("EXTENSIONS_SAFE_MODE", "")]);
    app.launch().await;
    all_told(app, 10, 1).await;
});

both!(alone a_slow_action_keeps_no_other_extension_waiting, async |app| {
    app.allow_errors();
    collections(app).await;
    let slow = json!({ "type": "action", "event": "a.items.create", "timeout_ms": 60_000, "code": "await new Promise((r) => setTimeout(r, 20000));" });
    extension(app, slow).await;
    action(app, "b.items.create", MARK).await;
    app.post("/api/items/a", (0..40).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    app.post("/api/items/b", (0..5).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    eventually("the other extension's actions run", Duration::from_secs(5) + SLACK, async || match count(app, "log").await {
        5 => Ok(()),
        n => Err(format!("{n} of 5")),
    })
    .await;
});

both!(a_repeated_delivery_is_known_by_its_id_and_first_time, async |app| {
    app.allow_errors();
    collections(app).await;
    let code = "const log = await services.items('log'); await log.createOne({ text: JSON.stringify(meta.delivery) });
                if ((await log.readByQuery({})).length === 1) await new Promise((r) => setTimeout(r, 30000));";
    extension(app, json!({ "type": "action", "event": "a.items.create", "timeout_ms": 60_000, "code": code })).await;
    create(app, "a", json!({ "title": "x" })).await;
    let reach = async |app: &TestApp, n: u64| {
        eventually("the action runs", OWED, async || match count(app, "log").await {
            seen if seen == n => Ok(()),
            seen => Err(format!("{seen} rows")),
        })
        .await;
    };
    reach(app, 1).await;
    app.kill9();
    app.launch().await;
    reach(app, 2).await;
    let texts = column(app, "log", "text").await;
    let runs: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap()).collect();
    assert!(runs[0]["id"].is_string() && runs[0]["first_at"].is_string(), "{runs:?}");
    assert_eq!((&runs[0]["id"], &runs[0]["first_at"]), (&runs[1]["id"], &runs[1]["first_at"]), "{runs:?}");
});

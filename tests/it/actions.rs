//! Action hooks: after the commit, never without one, and never forgotten.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// Retries wait 5 s for their second attempt, a lease of a dead host has to run out: generous on purpose.
const OWED: Duration = Duration::from_secs(60);

async fn with_log(app: &Client) {
    articles(app).await;
    collection(app, "log", &[("text", "text"), ("key", "string"), ("by", "uuid special=user-created")]).await;
}

const WRITE_LOG: &str = "const log = await context.services.items('log');
  await log.createOne({ key: String(meta.key), text: JSON.stringify({ event: meta.event, payload: meta.payload, keys: meta.keys ?? null, delivery: meta.delivery }) });";

async fn logged(app: &Client, n: u64) -> Vec<Value> {
    eventually("the action ran", OWED, async || match count(app, "log").await {
        seen if seen == n => Ok(()),
        seen => Err(format!("{seen} rows")),
    })
    .await;
    let texts = column(app, "log", "text").await;
    texts.iter().map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap()).collect()
}

both!(an_action_runs_after_the_commit_and_reads_its_row, async |app| {
    with_log(app).await;
    let code = "const row = await (await services.items('articles')).readOne(meta.key);
                await (await services.items('log')).createOne({ key: String(meta.key), text: JSON.stringify([row.title, meta.payload.title, meta.event, meta.collection]) });";
    action(app, "articles.items.create", code).await;
    create(app, "articles", json!({ "title": "seen" })).await;
    assert_eq!(logged(app, 1).await, [json!(["seen", "seen", "articles.items.create", "articles"])]);
});

both!(each_kind_of_write_fires_its_own_action_and_no_other, async |app| {
    with_log(app).await;
    for kind in ["create", "update", "delete"] {
        action(app, &format!("articles.items.{kind}"), WRITE_LOG).await;
    }
    create(app, "articles", json!({ "title": "a" })).await;
    let seen = logged(app, 1).await;
    assert_eq!((&seen[0]["event"], &seen[0]["payload"]["title"]), (&json!("articles.items.create"), &json!("a")));
    app.patch("/api/items/articles/1", json!({ "title": "b" })).await.expect(200);
    let seen = logged(app, 2).await;
    assert_eq!(seen[1]["event"], "articles.items.update");
    assert_eq!((&seen[1]["payload"], &seen[1]["keys"]), (&json!({ "title": "b" }), &json!([1])));
    app.delete("/api/items/articles/1").await.expect(204);
    let seen = logged(app, 3).await;
    assert_eq!((&seen[2]["event"], &seen[2]["keys"]), (&json!("articles.items.delete"), &json!([1])));
    still("no other action fires", Duration::from_millis(500), async || match count(app, "log").await {
        3 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
});

both!(a_delivery_says_what_it_is, async |app| {
    with_log(app).await;
    action(app, "items.create", &format!("if (meta.collection !== 'articles') return;\n{WRITE_LOG}")).await;
    create(app, "articles", json!({ "title": "a" })).await;
    let delivery = logged(app, 1).await[0]["delivery"].clone();
    assert!(delivery["id"].is_string() && delivery["attempt"].is_u64() && delivery["first_at"].is_string(), "{delivery}");
    assert_eq!(delivery["replayed"], false);
});

both!(many_items_fire_one_action_each, async |app| {
    with_log(app).await;
    action(app, "articles.items.create", WRITE_LOG).await;
    app.post("/api/items/articles", (0..30).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    logged(app, 30).await;
    let mut keys: Vec<u32> = column(app, "log", "key").await.iter().map(|k| k.as_str().unwrap().parse().unwrap()).collect();
    keys.sort_unstable();
    assert_eq!(keys, (1..=30).collect::<Vec<_>>());
});

both!(an_action_acts_for_the_caller, async |app| {
    with_log(app).await;
    action(app, "articles.items.create", WRITE_LOG).await;
    let person = person(app, &[may_all("articles"), may_all("log")].concat()).await;
    create(&person.client, "articles", json!({})).await;
    logged(app, 1).await;
    assert_eq!(column(app, "log", "by").await, [json!(person.id)]);
});

both!(an_action_never_delays_the_answer, async |app| {
    with_log(app).await;
    let code = format!("await new Promise((r) => setTimeout(r, 3000));\n{WRITE_LOG}");
    action(app, "articles.items.create", &code).await;
    let answer = app.post("/api/items/articles", json!({})).await.expect(201);
    assert!(answer.took < Duration::from_secs(2), "{:?}", answer.took);
    assert_eq!(count(app, "log").await, 0);
    logged(app, 1).await;
});

both!(a_throwing_action_changes_nothing_that_is_written, async |app| {
    with_log(app).await;
    let id = action(app, "articles.items.create", "throw new Error('too late');").await;
    create(app, "articles", json!({ "title": "stays" })).await;
    eventually("the author sees the error", OWED, async || {
        let shown = read_extension(app, &id).await;
        if shown["last_error"].as_str().unwrap_or_default().contains("too late") { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    assert_eq!(column(app, "articles", "title").await, ["stays"]);
});

both!(what_was_rolled_back_never_fires, async |app| {
    with_log(app).await;
    collection(app, "other", &[("title", "string unique")]).await;
    action(app, "other.items.create", WRITE_LOG).await;
    action(app, "articles.items.create", WRITE_LOG).await;
    // A filter that writes elsewhere and then refuses; an array of which one breaks a rule; a nested write that is undone.
    let code = "await (await services.items('other')).createOne({ title: 'from the filter' }); if (payload.title === 'bad') throw new Error('no'); return payload;";
    let id = filter(app, "articles.items.create", code).await;
    app.post("/api/items/articles", json!({ "title": "bad" })).await.expect_error(400, "EXTENSION_ERROR");
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    app.post("/api/items/other", json!([{ "title": "twice" }, { "title": "twice" }])).await.expect_error(409, "RECORD_NOT_UNIQUE");
    still("nothing fires", Duration::from_secs(1), async || match count(app, "log").await {
        0 => Ok(()),
        n => Err(format!("{n} rows")),
    })
    .await;
    assert_eq!(app.number("SELECT count(*) FROM daas_deliveries").await, 0);
    app.restart().await;
    create(app, "articles", json!({ "title": "good" })).await;
    logged(app, 1).await;
});

both!(writes_without_events_fire_nothing, async |app| {
    with_log(app).await;
    action(app, "articles.items.create", WRITE_LOG).await;
    result_of(app, "return (await services.items('articles', { emitEvents: false })).createOne({ title: 'quiet' });").await;
    result_of(app, "return (await services.items('articles')).createOne({ title: 'loud' });").await;
    assert_eq!(logged(app, 1).await[0]["payload"]["title"], "loud");
});

both!(a_killed_host_forgets_no_action, async |app| {
    app.allow_errors();
    with_log(app).await;
    action(app, "articles.items.create", &format!("await new Promise((r) => setTimeout(r, 50));\n{WRITE_LOG}")).await;
    for n in 0..40 {
        create(app, "articles", json!({ "title": n.to_string() })).await;
    }
    app.kill9();
    app.launch().await;
    assert_eq!(count(app, "articles").await, 40, "an answered write is there");
    eventually("every owed action runs", OWED, async || {
        let mut keys: Vec<u64> = column(app, "log", "key").await.iter().filter_map(|k| k.as_str()?.parse().ok()).collect();
        keys.sort_unstable();
        // At least once: a delivery that was in flight at the kill may have run twice.
        keys.dedup();
        if keys == (1..=40).collect::<Vec<_>>() { Ok(()) } else { Err(format!("{} of 40", keys.len())) }
    })
    .await;
    eventually("nothing is owed any more", OWED, async || {
        match app.number("SELECT count(*) FROM daas_deliveries WHERE status = 'pending' AND finished_at IS NULL").await {
            0 => Ok(()),
            n => Err(n.to_string()),
        }
    })
    .await;
});

both!(a_restart_in_good_order_forgets_no_action, async |app| {
    with_log(app).await;
    action(app, "articles.items.create", &format!("await new Promise((r) => setTimeout(r, 20));\n{WRITE_LOG}")).await;
    app.post("/api/items/articles", (0..50).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    app.restart().await;
    eventually("every owed action runs", OWED, async || {
        let mut keys = column(app, "log", "key").await.iter().map(Value::to_string).collect::<Vec<_>>();
        keys.sort();
        keys.dedup();
        if keys.len() == 50 { Ok(()) } else { Err(keys.len().to_string()) }
    })
    .await;
});

both!(deliveries_of_an_inactive_action_wait_for_it, async |app| {
    with_log(app).await;
    let id = action(app, "articles.items.create", &format!("await new Promise((r) => setTimeout(r, 300));\n{WRITE_LOG}")).await;
    app.post("/api/items/articles", (0..10).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    deactivate(app, &id).await;
    create(app, "articles", json!({ "title": "written while nobody listens" })).await;
    activate(app, &id).await;
    logged(app, 10).await;
});

both!(an_action_chain_ends_at_the_limit, async |app| {
    articles(app).await;
    let id = action(app, "articles.items.create", "await (await services.items('articles')).createOne({ title: 'again' });").await;
    create(app, "articles", json!({ "title": "first" })).await;
    eventually("the chain is cut", OWED, async || {
        let shown = read_extension(app, &id).await;
        if shown["last_error"].as_str().unwrap_or_default().contains("EXTENSION_RECURSION") { Ok(()) } else { Err(shown.to_string()) }
    })
    .await;
    assert!((3..=10).contains(&count(app, "articles").await));
});

both!(best_effort_actions_run_too, async |app| {
    with_log(app).await;
    extension(app, json!({ "type": "action", "event": "articles.items.create", "code": WRITE_LOG, "delivery": "best_effort" })).await;
    create(app, "articles", json!({ "title": "a" })).await;
    logged(app, 1).await;
});

//! `MCP_ACTIVATION=approve`: what an agent would make live waits for a person, and what runs goes on running.

use super::*;

const APPROVE: (&str, &str) = ("MCP_ACTIVATION", "approve");

async fn slug_of(app: &Client) -> Value {
    create(app, "articles", json!({ "title": "x" })).await["slug"].clone()
}

both!(a_change_of_what_runs_waits_until_a_person_confirms_it, env: [APPROVE], async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let writes = |slug: &str| format!("return {{ ...payload, slug: '{slug}' }};");
    let definition = json!({ "action": "create", "name": "Slug", "type": "filter", "event": "articles.items.create", "code": writes("one") });
    let made = agent.call("extensions", definition).await;
    let told = &made["structuredContent"];
    let id = told["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&told["data"]["status"], &told["meta"]["pending"]), (&json!("inactive"), &json!(true)), "{told}");
    assert!(told["note"].as_str().is_some_and(|note| note.contains("/confirm")), "{told}");
    assert!(made["content"][0]["text"].as_str().unwrap().contains("waits for a person"), "{made}");
    assert_eq!(slug_of(app).await, Value::Null, "nothing runs of it");
    let me = app.get("/api/users/me").await.expect(200).data()["id"].clone();
    let row = read_extension(app, &id).await;
    assert_eq!((&row["pending"]["changes"], &row["pending"]["by"]), (&json!({ "status": "active" }), &me), "{row}");
    let listed = agent.ok("extensions", json!({ "action": "list" })).await;
    assert_eq!(listed[0]["pending"]["change"], "create");
    // What comes after is joined to what waits already.
    agent.ok("extensions", json!({ "action": "update", "id": id, "code": writes("two") })).await;
    let row = read_extension(app, &id).await;
    assert_eq!(row["pending"]["changes"], json!({ "status": "active", "code": writes("two") }), "{row}");
    assert_eq!(row["code"], writes("one"));

    activate(app, &id).await;
    let row = read_extension(app, &id).await;
    assert_eq!((&row["status"], &row["pending"], &row["code"]), (&json!("active"), &Value::Null, &json!(writes("two"))));
    assert_eq!(slug_of(app).await, "two");
    let versions = app.get(&format!("/api/extensions/{id}/history")).await.expect(200).data();
    assert_eq!((&versions[0]["change"], &versions[0]["proposed_by"]), (&json!("update"), &me), "{versions}");

    // Now it runs, and goes on as it is.
    let error = agent.refused("extensions", json!({ "action": "update", "id": id, "code": "return {" }), "INVALID_CODE").await;
    assert!(error["line"].is_u64(), "{error}");
    assert_eq!(read_extension(app, &id).await["pending"], Value::Null);
    for change in [json!({ "action": "update", "code": writes("three") }), json!({ "action": "deactivate" }), json!({ "action": "rollback", "version": 1 })] {
        let mut asked = change.clone();
        asked["id"] = json!(id);
        let told = agent.call("extensions", asked).await;
        assert_eq!(told["structuredContent"]["meta"]["pending"], true, "{change}: {told}");
        assert_eq!(slug_of(app).await, "two", "{change}");
        app.post(&format!("/api/extensions/{id}/decline"), json!({})).await.expect(200);
        assert_eq!(read_extension(app, &id).await["pending"], Value::Null);
    }
    app.post(&format!("/api/extensions/{id}/decline"), json!({})).await.expect_error(409, "CONFLICT");
    app.post(&format!("/api/extensions/{id}/confirm"), json!({})).await.expect_error(409, "CONFLICT");

    // What nothing would change about asks nobody.
    let same = agent.call("extensions", json!({ "action": "update", "id": id, "code": writes("two"), "status": "active" })).await;
    assert_eq!(same["structuredContent"]["meta"]["pending"], false, "{same}");
    // It waits through a restart, with the version that runs.
    agent.ok("extensions", json!({ "action": "update", "id": id, "code": writes("four"), "sort": 3 })).await;
    app.restart().await;
    assert_eq!(slug_of(app).await, "two");
    let confirmed = app.post(&format!("/api/extensions/{id}/confirm"), json!({})).await.expect(200).data();
    assert_eq!((&confirmed["pending"], confirmed["sort"].as_i64()), (&Value::Null, Some(3)), "{confirmed}");
    assert_eq!(slug_of(app).await, "four");
});

both!(a_person_confirms_what_they_have_seen_and_nothing_else, env: [APPROVE], async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'old' };").await;
    let propose = async |slug: &str| {
        let code = format!("return {{ ...payload, slug: '{slug}' }};");
        agent.ok("extensions", json!({ "action": "update", "id": id, "code": code })).await
    };
    propose("seen").await;
    let seen = app.get(&format!("/api/extensions/{id}")).await.expect(200);
    propose("unseen").await;
    for path in ["confirm", "activate", "decline", "deactivate"] {
        let request = app.request("POST", &format!("/api/extensions/{id}/{path}")).header("if-match", seen.header("etag"));
        Answer::of(request).await.expect_error(412, "PRECONDITION_FAILED");
    }
    assert_eq!(slug_of(app).await, "old");
    let now = app.get(&format!("/api/extensions/{id}")).await.expect(200);
    let request = app.request("POST", &format!("/api/extensions/{id}/confirm")).header("if-match", now.header("etag"));
    Answer::of(request).await.expect(200);
    assert_eq!(slug_of(app).await, "unseen");

    // Switching it off by hand is a no to what waits.
    propose("late").await;
    deactivate(app, &id).await;
    let row = read_extension(app, &id).await;
    assert_eq!((&row["status"], &row["pending"]), (&json!("inactive"), &Value::Null));
    activate(app, &id).await;
    assert_eq!(slug_of(app).await, "unseen");
    // And on, a no to being switched off.
    agent.ok("extensions", json!({ "action": "deactivate", "id": id })).await;
    activate(app, &id).await;
    let row = read_extension(app, &id).await;
    assert_eq!((&row["status"], &row["pending"]), (&json!("active"), &Value::Null));
    // A person's own change stays theirs, and what waits goes on waiting.
    propose("later").await;
    app.patch(&format!("/api/extensions/{id}"), json!({ "sort": 9 })).await.expect(200);
    app.patch(&format!("/api/extensions/{id}"), json!({ "pending": null })).await.expect_error(400, "INVALID_PAYLOAD");
    assert_eq!(slug_of(app).await, "unseen");
    let confirmed = app.post(&format!("/api/extensions/{id}/confirm"), json!({})).await.expect(200).data();
    assert_eq!(confirmed["sort"].as_i64(), Some(9));
    assert_eq!(slug_of(app).await, "later");
    // Only who may manage extensions confirms.
    propose("last").await;
    let somebody = person(app, &[]).await;
    for path in ["confirm", "decline", "activate", "deactivate"] {
        somebody.client.post(&format!("/api/extensions/{id}/{path}"), json!({})).await.expect_error(403, "FORBIDDEN");
        app.anonymous().post(&format!("/api/extensions/{id}/{path}"), json!({})).await.expect_error(403, "FORBIDDEN");
    }
    assert_eq!(slug_of(app).await, "later");
});

both!(no_way_round_leads_to_code_that_nobody_has_seen, env: [APPROVE, ("MCP_ALLOW_DELETES", "true")], async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'guarded' };").await;
    agent.refused("extensions", json!({ "action": "delete", "id": id }), "CONFLICT").await;
    let copy = agent.call("extensions", json!({ "action": "clone", "id": id })).await;
    assert_eq!(copy["structuredContent"]["data"]["status"], "inactive");
    agent.ok("extensions", json!({ "action": "delete", "id": copy["structuredContent"]["data"]["id"] })).await;
    let fetch = json!({ "action": "test", "id": id, "allowFetch": true });
    agent.refused("extensions", fetch, "FORBIDDEN").await;
    agent.ok("extensions", json!({ "action": "test", "id": id, "testPayload": {} })).await;
    assert_eq!(slug_of(app).await, "guarded");
    // Rows past their own tools.
    for collection in ["daas_extensions", "daas_cron_jobs", "daas_custom_services"] {
        agent.refused("items", json!({ "action": "update", "collection": collection, "key": id, "data": { "code": "1" } }), "FORBIDDEN").await;
    }

    let job = |status: &str| json!({ "action": "create", "name": "j", "schedule": "@daily", "code": "return 1", "status": status });
    agent.refused("cron", job("active"), "FORBIDDEN").await;
    agent.refused("cron", json!({ "action": "create", "name": "j", "schedule": "@daily", "code": "return 1" }), "FORBIDDEN").await;
    let id = agent.ok("cron", job("inactive")).await["id"].clone();
    agent.refused("cron", json!({ "action": "update", "id": id, "status": "active" }), "FORBIDDEN").await;
    agent.refused("cron", json!({ "action": "run_now", "id": id }), "FORBIDDEN").await;
    agent.ok("cron", json!({ "action": "update", "id": id, "code": "return 2" })).await;
    app.patch(&format!("/api/cron/{}", id.as_str().unwrap()), json!({ "status": "active" })).await.expect(200);
    agent.refused("cron", json!({ "action": "update", "id": id, "code": "return 3" }), "FORBIDDEN").await;
    agent.ok("cron", json!({ "action": "run_now", "id": id })).await;

    let service = |status: &str| json!({ "action": "create", "name": "s", "code": "return {}", "status": status });
    agent.refused("services", service("active"), "FORBIDDEN").await;
    let id = agent.ok("services", service("inactive")).await["id"].clone();
    agent.refused("services", json!({ "action": "run_tests", "id": id }), "FORBIDDEN").await;
    agent.refused("services", json!({ "action": "update", "id": id, "status": "active" }), "FORBIDDEN").await;
    app.patch(&format!("/api/services/{}", id.as_str().unwrap()), json!({ "status": "active" })).await.expect(200);
    agent.refused("services", json!({ "action": "update", "id": id, "code": "return { a: 1 }" }), "FORBIDDEN").await;
    agent.ok("services", json!({ "action": "run_tests", "id": id })).await;
});

both!(without_it_nobody_is_asked, async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let definition = json!({ "action": "create", "name": "S", "type": "filter", "event": "articles.items.create", "code": "return { ...payload, slug: 'a' };" });
    let id = agent.ok("extensions", definition).await["id"].clone();
    assert_eq!(slug_of(app).await, "a");
    agent.ok("extensions", json!({ "action": "update", "id": id, "code": "return { ...payload, slug: 'b' };" })).await;
    assert_eq!(slug_of(app).await, "b");
});

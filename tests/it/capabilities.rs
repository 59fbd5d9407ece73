//! What an extension may ask of its services, where a list narrows it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

const ENV: [(&str, &str); 2] = [("RUNTIME_PUBLIC_SHAPE", "round"), ("RUNTIME_PUBLIC_COLOUR", "red")];

/// What code under a list of capabilities answers, as `title` of an article whose filter may change it.
async fn under(app: &Client, capabilities: Value, code: &str) -> Value {
    let code = format!("const tell = async () => {{ {code} }}; return {{ ...payload, title: JSON.stringify(await tell()) ?? null }};");
    let mut all = capabilities.as_array().unwrap().clone();
    all.push(json!("items:articles:create"));
    let id = extension(app, json!({ "event": "articles.items.create", "code": code, "capabilities": all })).await;
    let title = create(app, "articles", json!({})).await["title"].clone();
    app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    title.as_str().map_or(Value::Null, |title| serde_json::from_str(title).unwrap())
}

const REFUSED: &str =
    "try { return await attempt() } catch (error) { return [error.code, error.status, error.capability, error instanceof Error] }";

both!(a_call_outside_the_list_is_denied_and_names_what_is_missing, env: ENV, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    create(app, "log", json!({ "text": "first" })).await;
    for (capabilities, call, missing) in [
        (json!([]), "(await services.items('log')).readByQuery()", Some("items:log:read")),
        (json!(["items:log:read"]), "(await services.items('log')).readByQuery()", None),
        (json!(["items:log"]), "(await services.items('log')).createOne({ text: 'x' })", None),
        (json!(["items"]), "(await services.items('log')).deleteByQuery({ filter: { text: { _eq: 'none' } } })", None),
        (json!(["items:log:read"]), "(await services.items('log')).createOne({ text: 'x' })", Some("items:log:create")),
        (json!(["items:log:read"]), "(await services.items('log')).updateByQuery({}, { text: 'x' })", Some("items:log:update")),
        (json!(["items:log:read"]), "(await services.items('log')).deleteByQuery({})", Some("items:log:delete")),
        (json!(["items:lo"]), "(await services.items('log')).readByQuery()", Some("items:log:read")),
        (json!(["items:log:read"]), "(await services.items('log', { elevated: true })).readByQuery()", Some("elevated")),
        (json!(["items:log:read", "elevated"]), "(await services.items('log', { elevated: true })).readByQuery()", None),
        (json!(["items"]), "(await services.collections()).readByQuery()", Some("schema")),
        (json!(["schema"]), "(await services.collections()).readByQuery()", None),
        (json!(["items"]), "(await services.fields()).readAll('log')", Some("schema")),
        (json!([]), "services.transaction(async (inner) => (await inner.items('log')).readByQuery())", Some("items:log:read")),
    ] {
        let answer = under(app, capabilities.clone(), &format!("const attempt = async () => {{ await {call}; return 'done' }}; {REFUSED}")).await;
        let expected = missing.map_or(json!("done"), |missing| json!(["CAPABILITY_DENIED", 403, missing, true]));
        assert_eq!(answer, expected, "{capabilities}: {call}");
    }
    assert_eq!(column(app, "log", "text").await.iter().filter(|text| **text == "x").count(), 1, "what was denied was not done");
});

both!(the_environment_is_narrowed_to_what_is_listed, env: ENV, async |app| {
    articles(app).await;
    let told = "return Object.keys(services.env).sort()";
    assert_eq!(under(app, json!(["env:SHAPE"]), told).await, json!(["SHAPE"]));
    assert_eq!(under(app, json!([]), told).await, json!([]));
});

both!(a_denied_call_that_code_lets_pass_refuses_the_operation, async |app| {
    articles(app).await;
    let code = "await (await services.items('articles')).readByQuery(); return payload;";
    let id = extension(app, json!({ "event": "articles.items.create", "code": code, "capabilities": ["items:articles:create"] })).await;
    app.allow_errors();
    // Its author forgot something, which is not the caller's fault.
    app.post("/api/items/articles", json!({})).await.expect_error(500, "EXTENSION_FAILED");
    assert_eq!(count(app, "articles").await, 0);
    eventually("the author to be told", Duration::from_secs(10), async || {
        let row = read_extension(app, &id).await;
        if row["last_error"].as_str().is_some_and(|error| error.contains("`items:articles:read`")) { Ok(()) } else { Err(row.to_string()) }
    })
    .await;
});

both!(a_filter_changes_only_what_its_list_lets_it, async |app| {
    articles(app).await;
    app.allow_errors();
    let body = |capabilities: Value, code: &str| json!({ "event": "articles.items.create", "code": code, "capabilities": capabilities });
    for (capabilities, code, status) in [
        (json!([]), "return { ...payload, title: 'mine' };", 500),
        (json!(["items:articles:update"]), "payload.title = 'mine';", 500),
        (json!(["items:articles:create"]), "payload.title = 'mine';", 201),
        (json!([]), "if (!payload.title) throw new Error('A title is needed'); return payload;", 201),
        (json!([]), "return { ...payload };", 201),
    ] {
        let id = extension(app, body(capabilities.clone(), code)).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await;
        assert_eq!(answer.status, status, "{capabilities} {code}: {}", answer.body);
        if status == 500 {
            assert!(answer.message().contains("items:articles:create"), "{}", answer.body);
        }
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
    // What is read is answered in the filter's name as well.
    let code = "return payload.map((row) => ({ ...row, title: 'changed' }));";
    let id = extension(app, json!({ "event": "articles.items.read", "code": code, "capabilities": [] })).await;
    app.get("/api/items/articles").await.expect_error(500, "EXTENSION_FAILED");
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": ["items:articles:read"] })).await.expect(200);
    assert_eq!(app.get("/api/items/articles").await.expect(200).data()[0]["title"], "changed");
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": null })).await.expect(200);
    app.get("/api/items/articles").await.expect(200);
});

both!(what_a_test_says_was_used_is_enough_and_no_more_than_needed, env: ENV, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "const log = await services.items('log', { elevated: true }); await log.createOne({ text: services.env.SHAPE }); \
        await log.readByQuery(); return { ...payload, title: 'seen' };";
    let test = |capabilities: Value| json!({ "type": "filter", "event": "articles.items.create", "code": code, "testPayload": {}, "capabilities": capabilities });
    let data = app.post("/api/extensions/test", test(Value::Null)).await.expect(200).data();
    let mut used: Vec<Value> = data["capabilitiesUsed"].as_array().unwrap().clone();
    used.sort_by_key(ToString::to_string);
    assert_eq!(used, ["elevated", "env:SHAPE", "items:articles:create", "items:log:create", "items:log:read"].map(Value::from));
    assert_eq!(app.post("/api/extensions/test", test(json!(used))).await.expect(200).data()["success"], true);
    for missing in &used {
        let fewer: Vec<&Value> = used.iter().filter(|entry| *entry != missing).collect();
        let data = app.post("/api/extensions/test", test(json!(fewer))).await.expect(200).data();
        // A variable that isn't there is undefined, which is no error.
        assert!(data["success"] == (missing == "env:SHAPE"), "{missing}: {data}");
    }
    extension(app, json!({ "event": "articles.items.create", "code": code, "capabilities": used })).await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "seen");
    assert_eq!(column(app, "log", "text").await, ["round"]);
});

both!(a_list_that_says_nothing_sensible_is_refused, async |app| {
    articles(app).await;
    for (capabilities, part) in [
        (json!("items"), "array"),
        (json!({ "items": true }), "array"),
        (json!([["items"]]), "array of texts"),
        (json!(["itmes"]), "`items`"),
        (json!(["items:articles:write"]), "create, read, update, delete"),
        (json!(["constructor"]), "no capability"),
        (json!(["env:"]), "env:NAME"),
    ] {
        let body = json!({ "name": "x", "type": "filter", "event": "articles.items.create", "code": "return payload", "capabilities": capabilities });
        let answer = app.post("/api/extensions", body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(answer.message().contains(part) && answer.field() == "capabilities", "{}", answer.body);
    }
});

both!(a_folder_is_held_to_its_list, env: ENV, async |app| {
    articles(app).await;
    let code = "export function register({ emitter, createItemsService }) {
  emitter.onFilter('articles.items.create', async (payload, meta, { services }) => {
    const errors = [];
    for (const attempt of [() => createItemsService('articles').readByQuery(), async () => (await services.items('articles')).readByQuery()])
      await attempt().catch((error) => errors.push(error.capability));
    return { ...payload, title: errors.join() + Object.keys(services.env) };
  });
}";
    let settings = r#"{ "capabilities": ["items:articles:create", "items:articles:read", "env:COLOUR"] }"#;
    let row = app.load_folder("narrow", &[("index.mjs", code), ("extension.json", settings)]).await;
    assert_eq!(row["capabilities"], json!(["items:articles:create", "items:articles:read", "env:COLOUR"]));
    assert_eq!(create(app, "articles", json!({})).await["title"], "systemCOLOUR");
    app.load_folder("narrow", &[("extension.json", "{}")]).await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "COLOUR,SHAPE");
});

//! Who may do what: per collection, per action, per field, and no way round by asking cleverly.

use serde_json::json;

use crate::support::*;

async fn orders(app: &Client) {
    collection(app, "orders", &[("title", "string"), ("total", "integer"), ("secret", "string")]).await;
    create(app, "orders", json!({ "title": "a", "total": 1, "secret": "s1" })).await;
    create(app, "orders", json!({ "title": "b", "total": 2, "secret": "s2" })).await;
}

both!(nothing_granted_is_403_for_everybody, async |app| {
    orders(app).await;
    let person = person(app, &[]).await;
    for client in [person.client, app.anonymous()] {
        for answer in [
            client.get("/api/items/orders").await,
            client.get("/api/items/orders/1").await,
            client.post("/api/items/orders", json!({ "title": "x" })).await,
            client.patch("/api/items/orders/1", json!({ "title": "x" })).await,
            client.delete("/api/items/orders/1").await,
        ] {
            answer.expect_error(403, "FORBIDDEN");
        }
    }
    assert_eq!(count(app, "orders").await, 2);
});

both!(each_action_is_granted_by_itself, async |app| {
    orders(app).await;
    let reader = person(app, &[may("read", "orders", &["*"])]).await.client;
    reader.get("/api/items/orders/1").await.expect(200);
    reader.post("/api/items/orders", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    reader.patch("/api/items/orders/1", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    reader.delete("/api/items/orders/1").await.expect_error(403, "FORBIDDEN");
    let creator = person(app, &[may("create", "orders", &["*"])]).await.client;
    let made = creator.post("/api/items/orders", json!({ "title": "x" })).await;
    assert!(matches!(made.status, 201 | 204), "{made:?}");
    assert!(!made.body.contains("secret"), "a creator who may not read sees nothing: {}", made.body);
    creator.get("/api/items/orders").await.expect_error(403, "FORBIDDEN");
    let deleter = person(app, &[may("delete", "orders", &["*"])]).await.client;
    deleter.delete("/api/items/orders/1").await.expect(204);
    let updater = person(app, &[may("update", "orders", &["title"])]).await.client;
    let changed = updater.patch("/api/items/orders/2", json!({ "title": "changed" })).await;
    assert!(matches!(changed.status, 200 | 204), "{changed:?}");
    assert_eq!(app.get("/api/items/orders/2").await.expect(200).data()["title"], "changed");
});

both!(the_public_policy_holds_for_anonymous_and_for_signed_in_callers, async |app| {
    orders(app).await;
    app.anonymous().get("/api/items/orders").await.expect(403);
    public_may(app, &[may("read", "orders", &["id", "title"])]).await;
    let expected = json!({ "id": 1, "title": "a" });
    assert_eq!(app.anonymous().get("/api/items/orders/1").await.expect(200).data(), expected);
    let person = person(app, &[]).await;
    assert_eq!(person.client.get("/api/items/orders/1").await.expect(200).data(), expected);
});

both!(a_read_leaves_out_what_is_not_granted, async |app| {
    orders(app).await;
    let reader = person(app, &[may("read", "orders", &["id", "title"])]).await.client;
    assert_eq!(reader.get("/api/items/orders").await.expect(200).data(), json!([{ "id": 1, "title": "a" }, { "id": 2, "title": "b" }]));
    assert_eq!(reader.get("/api/items/orders/1?fields=*").await.expect(200).data(), json!({ "id": 1, "title": "a" }));
    let asked = reader.get("/api/items/orders/1?fields=title,secret").await;
    assert!(asked.status == 403 || asked.data() == json!({ "title": "a" }), "{asked:?}");
    assert!(!asked.body.contains("s1"));
});

both!(ungranted_fields_are_no_oracle, async |app| {
    orders(app).await;
    let reader = person(app, &[may("read", "orders", &["id", "title"])]).await.client;
    for answer in [
        reader.query("/api/items/orders", &[("filter", r#"{"secret":{"_starts_with":"s1"}}"#)]).await,
        reader.query("/api/items/orders", &[("filter", r#"{"_or":[{"title":"a"},{"_and":[{"secret":{"_nnull":true}}]}]}"#)]).await,
        reader.get("/api/items/orders?sort=secret").await,
        reader.get("/api/items/orders?sort=title,-secret").await,
    ] {
        answer.expect_error(403, "FORBIDDEN");
    }
    assert_eq!(reader.get("/api/items/orders?search=s1").await.expect(200).data(), json!([]));
});

both!(writing_an_ungranted_field_is_refused_in_these_words, async |app| {
    orders(app).await;
    let permissions = [may("create", "orders", &["title"]), may("update", "orders", &["title"]), may("read", "orders", &["*"])];
    let person = person(app, &permissions).await.client;
    for answer in [
        person.post("/api/items/orders", json!({ "title": "x", "total": 9 })).await,
        person.post("/api/items/orders", json!([{ "title": "x" }, { "total": 9 }])).await,
        person.patch("/api/items/orders/1", json!({ "total": 9 })).await,
        person.patch("/api/items/orders", json!({ "keys": [1], "data": { "total": 9 } })).await,
        person.patch("/api/items/orders", json!([{ "id": 1, "total": 9 }])).await,
    ] {
        let answer = answer.expect_error(403, "FORBIDDEN");
        assert_eq!(answer.message(), "You may not set `total` in `orders`");
    }
    assert_eq!(column(app, "orders", "total").await, [1, 2]);
    person.patch("/api/items/orders/1", json!({ "title": "x" })).await.expect(200);
});

both!(several_policies_are_united, async |app| {
    orders(app).await;
    public_may(app, &[may("read", "orders", &["id"])]).await;
    let person = person(app, &[may("read", "orders", &["title"])]).await;
    assert_eq!(person.client.get("/api/items/orders/1").await.expect(200).data(), json!({ "id": 1, "title": "a" }));
});

both!(a_granted_right_is_there_for_the_very_next_request, async |app| {
    orders(app).await;
    let person = person(app, &[]).await;
    person.client.get("/api/items/orders").await.expect(403);
    let id = policy(app, &[may("read", "orders", &["*"])]).await;
    let access = app.post("/api/access", json!({ "policy": id, "user": person.id })).await.expect(201).data();
    person.client.get("/api/items/orders").await.expect(200);
    app.delete(&format!("/api/access/{}", access["id"].as_str().unwrap())).await.expect(204);
    person.client.get("/api/items/orders").await.expect(403);
});

both!(what_may_not_be_done_runs_no_javascript, async |app| {
    orders(app).await;
    let id = filter(app, "orders.items.create", "throw new Error('ran');").await;
    let person = person(app, &[may("create", "orders", &["title"])]).await.client;
    app.anonymous().post("/api/items/orders", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    person.post("/api/items/orders", json!({ "total": 1 })).await.expect_error(403, "FORBIDDEN");
    app.post("/api/items/orders", json!({ "total": "many" })).await.expect_error(400, "INVALID_PAYLOAD");
    person.post("/api/items/orders", json!({ "title": "x" })).await.expect_error(400, "EXTENSION_ERROR");
    app.restart().await;
    assert_eq!(read_extension(app, &id).await["execution_count"], 1);
});

both!(hooks_act_with_the_rights_of_the_caller, async |app| {
    orders(app).await;
    collection(app, "notes", &[("text", "string")]).await;
    let code = "const s = await context.services.items('orders'); const rows = await s.readByQuery({});
                return { ...payload, text: JSON.stringify(rows.map((r) => Object.keys(r).sort().join())) };";
    filter(app, "notes.items.create", code).await;
    let person =
        person(app, &[may("create", "notes", &["*"]), may("read", "notes", &["*"]), may("read", "orders", &["id", "title"])]).await.client;
    assert_eq!(create(&person, "notes", json!({})).await["text"], "[\"id,title\",\"id,title\"]");
    assert_eq!(create(app, "notes", json!({})).await["text"], "[\"id,secret,title,total\",\"id,secret,title,total\"]");
});

both!(a_filter_may_set_a_field_that_its_caller_may_not, async |app| {
    orders(app).await;
    filter(app, "orders.items.create", "return { ...payload, total: 42 };").await;
    let person = person(app, &[may("create", "orders", &["title"]), may("read", "orders", &["*"])]).await.client;
    assert_eq!(create(&person, "orders", json!({ "title": "x" })).await["total"], 42);
});

both!(elevated_passes_the_check_and_keeps_the_user, async |app| {
    orders(app).await;
    collection(app, "log", &[("text", "string"), ("by", "uuid special=user-created")]).await;
    let person = person(app, &[may("create", "orders", &["title"]), may("read", "orders", &["*"])]).await;
    let plain = filter(app, "orders.items.create", "await (await services.items('log')).createOne({ text: 'x' }); return payload;").await;
    person.client.post("/api/items/orders", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    deactivate(app, &plain).await;
    filter(app, "orders.items.create", "await (await services.items('log', { elevated: true })).createOne({ text: 'x' }); return payload;")
        .await;
    create(&person.client, "orders", json!({ "title": "x" })).await;
    assert_eq!(column(app, "log", "by").await, [json!(person.id)]);
});

both!(extensions_and_access_are_for_admins, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return payload;").await;
    let person = person(app, &may_all("articles")).await;
    for client in [person.client.clone(), app.anonymous()] {
        for answer in [
            client.get("/api/extensions").await,
            create_extension(&client, json!({ "event": "articles.items.create", "code": "return payload;" })).await,
            client.patch(&format!("/api/extensions/{id}"), json!({ "code": "return {};" })).await,
            client.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await,
            client.delete(&format!("/api/extensions/{id}")).await,
            client.post("/api/extensions/test", json!({ "code": "return 1", "type": "filter", "event": "articles.items.create" })).await,
            client.post("/api/policies", json!({ "name": "mine", "admin_access": true })).await,
            client.post("/api/access", json!({ "user": person.id, "policy": id })).await,
            client.patch(&format!("/api/users/{}", person.id), json!({ "status": "active", "email": "x@example.com" })).await,
        ] {
            assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        }
    }
});

//! Items: created, read, changed and deleted, one and many.

use serde_json::{Value, json};

use crate::support::*;

async fn titles(client: &Client) -> Vec<Value> {
    column(client, "articles", "title").await
}

async fn with_titles(client: &Client, titles: &[&str]) {
    articles(client).await;
    for title in titles {
        create(client, "articles", json!({ "title": title })).await;
    }
}

both!(an_item_is_created_and_read_back, async |app| {
    articles(app).await;
    let made = create(app, "articles", json!({ "title": "Hello", "views": 3 })).await;
    let expected = json!({ "id": 1, "title": "Hello", "slug": null, "body": null, "views": 3 });
    assert_eq!(made, expected);
    let answer = app.get("/api/items/articles/1").await.expect(200);
    assert_eq!(answer.body, json!({ "data": expected }).to_string(), "in the order of the fields, byte for byte");
    assert!(answer.header("content-type").starts_with("application/json"));
});

both!(an_array_creates_many_or_none, async |app| {
    collection(app, "articles", &[("title", "string unique")]).await;
    let made = app.post("/api/items/articles", json!([{ "title": "a" }, { "title": "b" }])).await.expect(201).data();
    assert_eq!(made, json!([{ "id": 1, "title": "a" }, { "id": 2, "title": "b" }]));
    app.post("/api/items/articles", json!([{ "title": "c" }, { "title": "a" }])).await.expect_error(409, "RECORD_NOT_UNIQUE");
    assert_eq!(titles(app).await, ["a", "b"]);
    assert_eq!(app.post("/api/items/articles", json!([])).await.expect(201).data(), json!([]));
});

both!(generated_keys_stay_clear_of_given_ones, async |app| {
    articles(app).await;
    assert_eq!(create(app, "articles", json!({ "id": 5, "title": "five" })).await["id"], 5);
    let next = create(app, "articles", json!({ "title": "next" })).await;
    assert_eq!(next["id"], 6);
    app.post("/api/items/articles", json!({ "id": 5 })).await.expect_error(409, "RECORD_NOT_UNIQUE");
});

both!(one_item_is_changed, async |app| {
    with_titles(app, &["a", "b"]).await;
    let changed = app.patch("/api/items/articles/1", json!({ "title": "A", "views": 1 })).await.expect(200).data();
    assert_eq!(changed, json!({ "id": 1, "title": "A", "slug": null, "body": null, "views": 1 }));
    assert_eq!(titles(app).await, ["A", "b"]);
    app.patch("/api/items/articles/9", json!({ "title": "x" })).await.expect(404);
    app.patch("/api/items/articles/1", json!({})).await.expect(200);
    app.patch("/api/items/articles/1", json!({ "title": null })).await.expect(200);
    assert_eq!(titles(app).await, [Value::Null, "b".into()]);
});

both!(many_items_are_changed_by_keys_by_query_and_as_rows, async |app| {
    with_titles(app, &["a", "b", "c", "d"]).await;
    app.patch("/api/items/articles", json!({ "keys": [1, 2], "data": { "views": 1 } })).await.expect(200);
    app.patch("/api/items/articles", json!({ "query": { "filter": { "title": { "_eq": "c" } } }, "data": { "views": 2 } }))
        .await
        .expect(200);
    app.patch("/api/items/articles", json!([{ "id": 4, "views": 3 }, { "id": 1, "title": "A" }])).await.expect(200);
    assert_eq!(column(app, "articles", "views").await, [1, 1, 2, 3]);
    assert_eq!(titles(app).await, ["A", "b", "c", "d"]);
    app.patch("/api/items/articles", json!({ "keys": [1, 99], "data": { "views": 9 } })).await.expect(404);
    assert_eq!(column(app, "articles", "views").await, [1, 1, 2, 3], "all or nothing");
    app.patch("/api/items/articles", json!([{ "views": 9 }])).await.expect_error(400, "INVALID_PAYLOAD");
    app.patch("/api/items/articles", json!({ "views": 9 })).await.expect_error(400, "INVALID_PAYLOAD");
});

both!(items_are_deleted_one_many_and_by_query, async |app| {
    with_titles(app, &["a", "b", "c", "d", "e", "f"]).await;
    let answer = app.delete("/api/items/articles/1").await.expect(204);
    assert_eq!(answer.body, "");
    app.delete("/api/items/articles/1").await.expect(404);
    app.delete_with("/api/items/articles", json!([2])).await.expect(204);
    app.delete_with("/api/items/articles", json!({ "keys": [3] })).await.expect(204);
    app.delete_with("/api/items/articles", json!({ "query": { "filter": { "title": { "_eq": "d" } } } })).await.expect(204);
    app.delete("/api/items/articles?filter=%7B%22title%22%3A%7B%22_eq%22%3A%22e%22%7D%7D").await.expect(204);
    assert_eq!(titles(app).await, ["f"]);
});

both!(a_bare_delete_of_everything_is_refused, async |app| {
    with_titles(app, &["a"]).await;
    app.delete("/api/items/articles").await.expect(400);
    app.delete_with("/api/items/articles", json!({})).await.expect(400);
    app.delete_with("/api/items/articles", json!({ "query": {} })).await.expect(400);
    assert_eq!(titles(app).await, ["a"]);
});

both!(a_missing_or_repeated_value_names_its_field, async |app| {
    collection(app, "people", &[("name", "string required not_null"), ("mail", "string unique"), ("age", "integer not_null default=18")])
        .await;
    let missing = app.post("/api/items/people", json!({ "mail": "a" })).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(missing.field(), "name");
    create(app, "people", json!({ "name": "A", "mail": "a" })).await;
    let null = app.patch("/api/items/people/1", json!({ "name": null })).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(null.field(), "name");
    let null = app.post("/api/items/people", json!({ "name": "B", "age": null })).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(null.field(), "age");
    let twice = app.post("/api/items/people", json!({ "name": "B", "mail": "a" })).await.expect_error(409, "RECORD_NOT_UNIQUE");
    assert_eq!(twice.field(), "mail");
    create(app, "people", json!({ "name": "B", "mail": null })).await;
    create(app, "people", json!({ "name": "C", "mail": null })).await;
    assert_eq!(column(app, "people", "age").await, [18, 18, 18]);
});

both!(special_fields_fill_themselves, async |app| {
    collection(
        app,
        "notes",
        &[
            ("text", "string"),
            ("made", "timestamp special=date-created"),
            ("changed", "timestamp special=date-updated"),
            ("maker", "uuid special=user-created"),
            ("changer", "uuid special=user-updated"),
        ],
    )
    .await;
    let person = person(app, &may_all("notes")).await;
    let made = create(&person.client, "notes", json!({ "text": "a" })).await;
    assert_eq!(made["maker"], json!(person.id));
    assert!(made["made"].is_string() && made["changed"].is_null() && made["changer"].is_null(), "{made}");
    let changed = app.patch("/api/items/notes/1", json!({ "text": "b" })).await.expect(200).data();
    let admin = app.get("/api/users/me").await.expect(200).data();
    assert_eq!(changed["changer"], admin["id"]);
    assert_eq!((&changed["made"], &changed["maker"]), (&made["made"], &made["maker"]));
    assert!(changed["changed"].as_str().unwrap() >= made["made"].as_str().unwrap());
});

both!(an_unknown_item_is_404_in_every_method, async |app| {
    articles(app).await;
    for answer in [
        app.get("/api/items/articles/7").await,
        app.patch("/api/items/articles/7", json!({ "title": "x" })).await,
        app.delete("/api/items/articles/7").await,
    ] {
        answer.expect_error(404, "NOT_FOUND");
    }
});

both!(system_tables_are_not_reached_as_items_of_the_user, async |app| {
    for table in ["daas_sessions", "daas_deliveries", "daas_migrations", "daas_fields", "sqlite_master", "pg_user"] {
        app.get(&format!("/api/items/{table}")).await.expect_error(404, "COLLECTION_NOT_FOUND");
    }
    let answer = app.anonymous().get("/api/items/daas_users").await;
    assert!(matches!(answer.status, 401 | 403 | 404), "{answer:?}");
});

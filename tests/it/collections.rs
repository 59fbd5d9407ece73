//! The schema over REST: what is made is there for the very next request, and what isn't allowed is said.

use serde_json::json;

use crate::support::data::field;
use crate::support::*;

both!(a_collection_and_its_fields_are_made_in_one_call, async |app| {
    articles(app).await;
    let shown = app.get("/api/collections/articles").await.expect(200).data();
    assert_eq!(shown["collection"], "articles");
    let fields = app.get("/api/fields/articles").await.expect(200).data();
    let named: Vec<(&str, &str)> =
        fields.as_array().unwrap().iter().map(|f| (f["field"].as_str().unwrap(), f["type"].as_str().unwrap())).collect();
    assert_eq!(named, [("id", "integer"), ("title", "string"), ("slug", "string"), ("body", "text"), ("views", "integer")]);
    assert_eq!(create(app, "articles", json!({ "title": "A" })).await["id"], 1);
});

both!(collections_are_listed, async |app| {
    articles(app).await;
    let listed = app.get("/api/collections").await.expect(200).data();
    assert!(listed.as_array().unwrap().iter().any(|c| c["collection"] == "articles"), "{listed}");
});

both!(every_kind_of_key_works, async |app| {
    collection(app, "by_uuid", &[("id", "uuid pk special=uuid"), ("name", "string")]).await;
    collection(app, "by_text", &[("code", "string pk"), ("name", "string")]).await;
    collection(app, "by_big", &[("id", "bigInteger pk auto"), ("name", "string")]).await;
    let made = create(app, "by_uuid", json!({ "name": "a" })).await;
    let key = made["id"].as_str().unwrap().to_owned();
    assert_eq!(key.len(), 36);
    assert_eq!(app.get(&format!("/api/items/by_uuid/{}", key.to_uppercase())).await.expect(200).data()["name"], "a");
    create(app, "by_text", json!({ "code": "x y/z", "name": "b" })).await;
    assert_eq!(app.get("/api/items/by_text/x%20y%2Fz").await.expect(200).data()["name"], "b");
    app.post("/api/items/by_text", json!({ "name": "no key" })).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(create(app, "by_big", json!({ "name": "c" })).await["id"], 1);
    app.get("/api/items/by_uuid/not-a-uuid").await.expect_error(400, "INVALID_ID");
    app.get("/api/items/by_big/not-a-number").await.expect_error(400, "INVALID_ID");
});

both!(a_field_is_there_for_the_very_next_request, async |app| {
    articles(app).await;
    create(app, "articles", json!({ "title": "old" })).await;
    app.post("/api/fields/articles", field("rating", "integer default=3")).await.expect(201);
    assert_eq!(create(app, "articles", json!({ "title": "new" })).await["rating"], 3);
    app.patch("/api/fields/articles/rating", json!({ "schema": { "default_value": 4 } })).await.expect(200);
    assert_eq!(create(app, "articles", json!({ "title": "newer" })).await["rating"], 4);
    app.delete("/api/fields/articles/rating").await.expect(204);
    app.post("/api/items/articles", json!({ "rating": 1 })).await.expect(400);
    assert!(create(app, "articles", json!({ "title": "newest" })).await.get("rating").is_none());
    app.get("/api/fields/articles/rating").await.expect(404);
});

both!(a_field_can_become_unique_and_the_data_must_agree, async |app| {
    articles(app).await;
    create(app, "articles", json!({ "slug": "a" })).await;
    app.patch("/api/fields/articles/slug", json!({ "schema": { "is_unique": true } })).await.expect(200);
    let twice = app.post("/api/items/articles", json!({ "slug": "a" })).await.expect_error(409, "RECORD_NOT_UNIQUE");
    assert_eq!(twice.field(), "slug");
    create(app, "articles", json!({ "title": "x", "slug": "b" })).await;
    create(app, "articles", json!({ "title": "x", "slug": "c" })).await;
    let refused = app.patch("/api/fields/articles/title", json!({ "schema": { "is_unique": true } })).await;
    assert!(matches!(refused.status, 400 | 409), "{refused:?}");
    create(app, "articles", json!({ "title": "x", "slug": "d" })).await;
});

both!(a_dropped_collection_is_gone, async |app| {
    articles(app).await;
    app.delete("/api/collections/articles").await.expect(204);
    app.get("/api/items/articles").await.expect_error(404, "COLLECTION_NOT_FOUND");
    app.delete("/api/collections/articles").await.expect_error(404, "COLLECTION_NOT_FOUND");
    articles(app).await;
    assert_eq!(count(app, "articles").await, 0);
});

both!(names_are_checked_before_anything_is_made, async |app| {
    let long = "x".repeat(300);
    for name in ["daas_mine", "", "a b", "1a", "a\"b", "a'; DROP TABLE daas_users; --", "a\u{0}b", "ünï", long.as_str()] {
        create_collection(app, name, &[("title", "string")]).await.expect(400);
    }
    for name in ["", "a b", "a\"b", "a\u{0}b", long.as_str()] {
        create_collection(app, "fine", &[(name, "string")]).await.expect(400);
        app.get("/api/collections/fine").await.expect(404);
    }
    articles(app).await;
    create_collection(app, "articles", &[("title", "string")]).await.expect(409);
    app.post("/api/fields/articles", field("title", "string")).await.expect(409);
    create_collection(app, "twice", &[("a", "string"), ("a", "text")]).await.expect(400);
    create_collection(app, "unknown_type", &[("a", "stringg")]).await.expect(400);
    create_collection(app, "two_keys", &[("a", "integer pk"), ("b", "integer pk")]).await.expect(400);
    assert!(app.number("SELECT count(*) FROM daas_users").await >= 1);
});

both!(words_of_sql_are_names_like_any_other, async |app| {
    collection(app, "order", &[("select", "string unique"), ("group", "integer index"), ("user", "string"), ("constructor", "string")])
        .await;
    let made = create(app, "order", json!({ "select": "a", "group": 2, "user": "u", "constructor": "c" })).await;
    assert_eq!(made, json!({ "id": 1, "select": "a", "group": 2, "user": "u", "constructor": "c" }));
    let found = app.query("/api/items/order", &[("filter", r#"{"group":{"_eq":2}}"#), ("sort", "-select,user")]).await.expect(200).data();
    assert_eq!(found.as_array().unwrap().len(), 1);
    app.patch("/api/items/order/1", json!({ "constructor": "d" })).await.expect(200);
    app.delete("/api/items/order/1").await.expect(204);
});

both!(a_default_must_fit_its_type, async |app| {
    create_collection(app, "a", &[("n", "integer default=\"x\"")]).await.expect(400);
    create_collection(app, "b", &[("n", "decimal(30,2)")]).await.expect(if app.database == Database::Sqlite { 400 } else { 201 });
    create_collection(app, "c", &[("n", "decimal(4,6)")]).await.expect(400);
});

both!(only_admins_change_the_schema, async |app| {
    articles(app).await;
    let person = person(app, &may_all("articles")).await;
    for client in [person.client, app.anonymous()] {
        for answer in [
            create_collection(&client, "mine", &[("title", "string")]).await,
            client.delete("/api/collections/articles").await,
            client.post("/api/fields/articles", field("more", "string")).await,
            client.patch("/api/fields/articles/title", json!({ "schema": { "is_unique": true } })).await,
            client.delete("/api/fields/articles/title").await,
        ] {
            assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        }
    }
    create(app, "articles", json!({ "title": "still here" })).await;
});

both!(the_schema_survives_a_restart, async |app| {
    collection(app, "things", &[("price", "decimal(8,3) not_null default=\"1.5\""), ("code", "string unique")]).await;
    let before = app.get("/api/fields/things").await.expect(200).data();
    app.restart().await;
    assert_eq!(app.get("/api/fields/things").await.expect(200).data(), before);
    assert_eq!(create(app, "things", json!({})).await["price"], "1.500");
});

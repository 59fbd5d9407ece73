//! Relations over REST: fields without a column, foreign keys on both databases, and what goes along when something is dropped.

use serde_json::{Value, json};

use crate::support::data::field;
use crate::support::*;

/// `articles` with a field `author`, and `authors` without anything that refers to them yet.
async fn articles_and_authors(app: &Client) {
    collection(app, "authors", &[("name", "string")]).await;
    collection(app, "articles", &[("title", "string"), ("author", "integer special=m2o"), ("place", "integer")]).await;
}

async fn relate(app: &Client, more: Value) -> Answer {
    let mut body = json!({ "collection": "articles", "field": "author", "related_collection": "authors" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    app.post("/api/relations", body).await
}

fn alias(name: &str, special: &str) -> Value {
    json!({ "field": name, "type": "alias", "schema": null, "meta": { "special": [special], "interface": "list-o2m" } })
}

both!(a_relation_is_shown_as_it_was_made, async |app| {
    articles_and_authors(app).await;
    app.post("/api/fields/authors", alias("articles", "o2m")).await.expect(201);
    let more = json!({ "meta": { "one_field": "articles", "sort_field": "place", "icon": "pen" }, "schema": { "on_delete": "CASCADE" } });
    let made = relate(app, more).await.expect(201).data();
    let id = made["meta"]["id"].as_u64().unwrap();
    assert_eq!(
        made,
        json!({
            "collection": "articles", "field": "author", "related_collection": "authors",
            "schema": {
                "table": "articles", "column": "author", "foreign_key_table": "authors", "foreign_key_column": "id",
                "constraint_name": "articles_author_foreign", "on_update": "NO ACTION", "on_delete": "CASCADE",
            },
            "meta": {
                "icon": "pen", "id": id, "many_collection": "articles", "many_field": "author", "one_collection": "authors",
                "one_field": "articles", "one_collection_field": null, "one_allowed_collections": null, "junction_field": null,
                "sort_field": "place", "one_deselect_action": "nullify",
            },
        })
    );
    assert_eq!(app.get("/api/relations/articles/author").await.expect(200).data(), made);
    assert_eq!(app.get("/api/relations/articles").await.expect(200).data(), json!([made]));
    assert!(app.get("/api/relations").await.expect(200).data().as_array().unwrap().contains(&made));
    let shown = app.get("/api/fields/articles/author").await.expect(200).data();
    assert_eq!((&shown["schema"]["foreign_key_table"], &shown["schema"]["foreign_key_column"]), (&json!("authors"), &json!("id")));
    app.restart().await;
    assert_eq!(app.get("/api/relations/articles/author").await.expect(200).data(), made);
});

both!(the_database_holds_the_foreign_key, async |app| {
    articles_and_authors(app).await;
    relate(app, json!({})).await.expect(201);
    assert_eq!(app.get("/api/relations/articles/author").await.expect(200).data()["schema"]["on_delete"], "SET NULL");
    create(app, "authors", json!({ "name": "Ann" })).await;
    create(app, "articles", json!({ "title": "one", "author": 1 })).await;
    app.post("/api/items/articles", json!({ "author": 9 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    app.patch("/api/items/articles/1", json!({ "author": 9 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    // Other changes of the table keep it.
    app.post("/api/fields/articles", field("rating", "integer not_null default=3")).await.expect(201);
    app.patch("/api/fields/articles/title", json!({ "schema": { "is_nullable": false } })).await.expect(200);
    app.delete("/api/fields/articles/place").await.expect(204);
    app.post("/api/items/articles", json!({ "title": "two", "author": 9 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    app.delete("/api/items/authors/1").await.expect(204);
    assert_eq!(column(app, "articles", "author").await, [Value::Null]);

    let strict = app.patch("/api/relations/articles/author", json!({ "schema": { "on_delete": "RESTRICT" } })).await.expect(200).data();
    assert_eq!(strict["schema"]["on_delete"], "RESTRICT");
    create(app, "authors", json!({ "name": "Bob" })).await;
    app.patch("/api/items/articles/1", json!({ "author": 2 })).await.expect(200);
    app.delete("/api/items/authors/2").await.expect_error(409, "INVALID_FOREIGN_KEY");

    app.patch("/api/relations/articles/author", json!({ "schema": { "on_delete": "CASCADE" } })).await.expect(200);
    app.delete("/api/items/authors/2").await.expect(204);
    assert_eq!(count(app, "articles").await, 0);

    app.delete("/api/relations/articles/author").await.expect(204);
    app.get("/api/relations/articles/author").await.expect_error(404, "NOT_FOUND");
    create(app, "articles", json!({ "title": "three", "author": 9 })).await;
});

both!(what_is_there_already_must_fit, async |app| {
    articles_and_authors(app).await;
    create(app, "articles", json!({ "title": "lost", "author": 7 })).await;
    let refused = relate(app, json!({ "schema": { "on_delete": "CASCADE" } })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    assert!(refused.message().contains("item 1 in `articles`") && refused.field() == "author", "{refused:?}");
    app.get("/api/relations/articles/author").await.expect(404);
    // Without a foreign key nobody checks.
    let loose = relate(app, json!({ "schema": null })).await.expect(201).data();
    assert_eq!(loose["schema"], Value::Null);
    app.patch("/api/relations/articles/author", json!({ "schema": { "on_delete": "SET NULL" } }))
        .await
        .expect_error(409, "INVALID_FOREIGN_KEY");
    app.patch("/api/items/articles/1", json!({ "author": null })).await.expect(200);
    app.patch("/api/relations/articles/author", json!({ "schema": { "on_delete": "SET NULL" } })).await.expect(200);
    app.post("/api/items/articles", json!({ "author": 7 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
});

both!(what_cannot_be_related_is_refused_by_name, async |app| {
    articles_and_authors(app).await;
    collection(app, "tags", &[("id", "uuid pk"), ("word", "string not_null")]).await;
    let long = "x".repeat(65_536);
    for (more, code, part) in [
        (json!({ "related_collection": "author" }), "INVALID_PAYLOAD", "did you mean `authors`"),
        (json!({ "related_collection": "tags" }), "INVALID_PAYLOAD", "of type uuid"),
        (json!({ "related_collection": "daas_users" }), "INVALID_PAYLOAD", "of type uuid"),
        (json!({ "related_collection": "__proto__" }), "INVALID_PAYLOAD", "no collection `__proto__`"),
        (json!({ "related_collection": long }), "INVALID_PAYLOAD", "no collection"),
        (json!({ "related_collection": 5 }), "INVALID_PAYLOAD", "must be a text or null"),
        (json!({ "related_collection": null }), "INVALID_PAYLOAD", "one_collection_field"),
        (json!({ "collection": "constructor" }), "INVALID_PAYLOAD", "no collection `constructor`"),
        (json!({ "collection": "a\u{0}\"; DROP TABLE articles; --" }), "INVALID_PAYLOAD", "no collection"),
        (json!({ "collection": null }), "INVALID_PAYLOAD", "`collection`"),
        (json!({ "field": "id" }), "INVALID_PAYLOAD", "primary key"),
        (json!({ "field": "nothing" }), "INVALID_PAYLOAD", "`nothing` isn't there"),
        (json!({ "field": "ünï" }), "INVALID_PAYLOAD", "`ünï` isn't there"),
        (json!({ "wat": 1 }), "INVALID_PAYLOAD", "no member `wat`"),
        (json!({ "meta": { "sort_field": "nowhere" } }), "INVALID_PAYLOAD", "`sort_field`"),
        (json!({ "meta": { "junction_field": "nowhere" } }), "INVALID_PAYLOAD", "`junction_field`"),
        (json!({ "meta": { "one_field": "name" } }), "INVALID_PAYLOAD", "type alias"),
        (json!({ "meta": { "one_field": [] } }), "INVALID_PAYLOAD", "must be a text or null"),
        (json!({ "meta": { "many_field": "title" } }), "INVALID_PAYLOAD", "can't be changed"),
        (json!({ "meta": { "one_deselect_action": "burn" } }), "INVALID_PAYLOAD", "`nullify` or `delete`"),
        (json!({ "meta": { "one_allowed_collections": ["authors"] } }), "INVALID_PAYLOAD", "without a `related_collection`"),
        (json!({ "schema": { "on_delete": "EXPLODE; DROP TABLE articles" } }), "INVALID_PAYLOAD", "NO ACTION, RESTRICT"),
        (json!({ "schema": { "on_update": "CASCADE" } }), "INVALID_PAYLOAD", "`on_update`"),
        (json!({ "schema": 1 }), "INVALID_PAYLOAD", "must be an object"),
        (json!({ "collection": "daas_permissions", "field": "policy" }), "FORBIDDEN", "belongs to the system"),
    ] {
        let refused = relate(app, more.clone()).await;
        let fits = refused.code() == code && refused.message().contains(part) && refused.body.len() < 2_000;
        assert!(fits, "{}: {refused:?}", more.to_string().chars().take(200).collect::<String>());
    }
    let refused = app
        .post("/api/relations", json!({ "collection": "tags", "field": "word", "related_collection": "tags" }))
        .await
        .expect_error(400, "INVALID_PAYLOAD");
    assert!(refused.message().contains("`word`"), "{refused:?}");
    relate(app, json!({})).await.expect(201);
    relate(app, json!({})).await.expect_error(409, "CONFLICT");
    app.patch("/api/fields/articles/author", json!({ "type": "string" })).await.expect_error(409, "CONFLICT");
    app.patch("/api/fields/articles/author", json!({ "schema": { "is_nullable": false } })).await.expect_error(409, "CONFLICT");
    app.patch("/api/relations/articles/author", json!({ "related_collection": "articles" })).await.expect_error(400, "INVALID_PAYLOAD");
    app.patch("/api/relations/articles/title", json!({})).await.expect_error(404, "NOT_FOUND");
    app.patch("/api/relations/daas_permissions/policy", json!({ "schema": null })).await.expect_error(403, "FORBIDDEN");
    app.delete("/api/relations/daas_permissions/policy").await.expect_error(403, "FORBIDDEN");
    assert_eq!(app.get("/api/relations/articles").await.expect(200).data().as_array().unwrap().len(), 1);
});

both!(fields_without_a_column_come_and_go, async |app| {
    let fields = json!([field("name", "string"), alias("divider", "no-data"), { "field": "articles", "type": "alias" }]);
    app.post("/api/collections", json!({ "collection": "authors", "schema": {}, "fields": fields })).await.expect(201);
    let shown = app.get("/api/fields/authors").await.expect(200).data();
    let named: Vec<(&str, &str)> =
        shown.as_array().unwrap().iter().map(|f| (f["field"].as_str().unwrap(), f["type"].as_str().unwrap())).collect();
    assert_eq!(named, [("id", "integer"), ("name", "string"), ("divider", "alias"), ("articles", "alias")]);
    let divider = app.get("/api/fields/authors/divider").await.expect(200).data();
    assert_eq!((&divider["schema"], &divider["meta"]["special"]), (&Value::Null, &json!(["no-data"])));
    assert_eq!(divider["meta"]["interface"], "list-o2m");
    let changed = app.patch("/api/fields/authors/divider", json!({ "meta": { "note": "a line", "sort": 1 } })).await.expect(200).data();
    assert_eq!((&changed["meta"]["note"], &changed["meta"]["sort"]), (&json!("a line"), &json!(1)));
    assert_eq!(changed["meta"]["interface"], "list-o2m");
    for (body, part) in [
        (json!({ "field": "a", "type": "alias", "meta": { "special": ["uuid"] } }), "isn't for fields of type `alias`"),
        (json!({ "field": "a", "type": "integer", "meta": { "special": ["o2m"] } }), "is for fields of type `alias`"),
        (json!({ "field": "a", "type": "alias", "schema": { "is_unique": true } }), "has no column"),
        (json!({ "field": "a b", "type": "alias" }), "letters, digits"),
        (json!({ "field": "a", "type": "alias", "meta": { "special": ["__proto__"] } }), "no special `__proto__`"),
    ] {
        let refused = app.post("/api/fields/authors", body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{refused:?}");
    }
    app.post("/api/fields/authors", alias("Divider", "no-data")).await.expect(400);
    app.post("/api/fields/authors", field("divider", "string")).await.expect_error(409, "CONFLICT");
    app.patch("/api/fields/authors/divider", json!({ "type": "string" })).await.expect(400);
    // Items have none of it.
    assert_eq!(app.get("/api/items/authors?fields=id,name").await.expect(200).data(), json!([]));
    create(app, "authors", json!({ "name": "Ann" })).await;
    app.delete("/api/fields/authors/divider").await.expect(204);
    app.get("/api/fields/authors/divider").await.expect(404);
    // Also beside the system's own.
    app.post("/api/fields/daas_users", alias("articles", "o2m")).await.expect(201);
    app.post("/api/fields/daas_users", field("age", "integer")).await.expect_error(403, "FORBIDDEN");
    app.delete("/api/fields/daas_users/roles").await.expect_error(403, "FORBIDDEN");
    app.delete("/api/fields/daas_users/articles").await.expect(204);
});

both!(users_can_be_referred_to, async |app| {
    collection(app, "notes", &[("owner", "uuid"), ("text", "string")]).await;
    app.post("/api/fields/daas_users", alias("notes", "o2m")).await.expect(201);
    let body = json!({ "collection": "notes", "field": "owner", "related_collection": "daas_users", "meta": { "one_field": "notes" } });
    app.post("/api/relations", body).await.expect(201);
    let person = person(app, &[]).await;
    let note = create(app, "notes", json!({ "owner": person.id })).await;
    app.post("/api/items/notes", json!({ "owner": "0190f3c4-8b7a-7c3e-9d2f-1a2b3c4d5e6f" })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    app.delete(&format!("/api/users/{}", person.id)).await.expect(204);
    assert_eq!(app.get(&format!("/api/items/notes/{}?fields=owner", note["id"])).await.expect(200).data()["owner"], Value::Null);
    app.delete("/api/collections/notes").await.expect(204);
    app.get("/api/fields/daas_users/notes").await.expect(404);
});

both!(items_of_several_collections_can_be_referred_to, async |app| {
    articles_and_authors(app).await;
    collection(app, "blocks", &[("item", "string"), ("kind", "string"), ("number", "integer")]).await;
    let any = |meta: Value| json!({ "collection": "blocks", "field": "item", "related_collection": null, "meta": meta });
    for (meta, part) in [
        (json!({ "one_collection_field": "kind" }), "one_allowed_collections"),
        (json!({ "one_allowed_collections": ["articles"] }), "one_collection_field"),
        (json!({ "one_collection_field": "number", "one_allowed_collections": ["articles"] }), "type string"),
        (json!({ "one_collection_field": "kind", "one_allowed_collections": ["article"] }), "did you mean `articles`"),
        (json!({ "one_collection_field": "kind", "one_allowed_collections": [1] }), "array of names"),
    ] {
        let refused = app.post("/api/relations", any(meta)).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{refused:?}");
    }
    let meta = json!({ "one_collection_field": "kind", "one_allowed_collections": ["articles", "authors"] });
    let made = app.post("/api/relations", any(meta)).await.expect(201).data();
    assert_eq!((&made["schema"], &made["meta"]["one_allowed_collections"]), (&Value::Null, &json!(["articles", "authors"])));
    app.delete("/api/collections/authors").await.expect(204);
    let left = app.get("/api/relations/blocks/item").await.expect(200).data();
    assert_eq!(left["meta"]["one_allowed_collections"], json!(["articles"]));
    app.delete("/api/fields/blocks/kind").await.expect(204);
    app.get("/api/relations/blocks/item").await.expect(404);
});

both!(what_is_dropped_takes_its_relations_along, async |app| {
    articles_and_authors(app).await;
    app.post("/api/fields/authors", alias("articles", "o2m")).await.expect(201);
    relate(app, json!({ "meta": { "one_field": "articles" } })).await.expect(201);
    create(app, "authors", json!({ "name": "Ann" })).await;
    create(app, "articles", json!({ "title": "kept", "author": 1 })).await;
    // The list: the relation stays, without it.
    app.delete("/api/fields/authors/articles").await.expect(204);
    assert_eq!(app.get("/api/relations/articles/author").await.expect(200).data()["meta"]["one_field"], Value::Null);
    // The field: its relation and the list.
    app.post("/api/fields/authors", alias("articles", "o2m")).await.expect(201);
    app.patch("/api/relations/articles/author", json!({ "meta": { "one_field": "articles" } })).await.expect(200);
    app.delete("/api/fields/articles/author").await.expect(204);
    app.get("/api/relations/articles/author").await.expect(404);
    app.get("/api/fields/authors/articles").await.expect(404);
    // The collection that is referred to: the field that refers.
    app.post("/api/fields/articles", field("author", "integer")).await.expect(201);
    relate(app, json!({ "schema": { "on_delete": "RESTRICT" } })).await.expect(201);
    app.patch("/api/items/articles/1", json!({ "author": 1 })).await.expect(200);
    app.delete("/api/collections/authors").await.expect(204);
    app.get("/api/fields/articles/author").await.expect(404);
    assert_eq!(column(app, "articles", "title").await, [json!("kept")]);
    assert!(!app.get("/api/relations").await.expect(200).body.contains("articles"));
    // A collection that refers to itself.
    app.post("/api/fields/articles", field("parent", "integer")).await.expect(201);
    let itself =
        json!({ "collection": "articles", "field": "parent", "related_collection": "articles", "schema": { "on_delete": "RESTRICT" } });
    app.post("/api/relations", itself).await.expect(201);
    create(app, "articles", json!({ "title": "child", "parent": 1 })).await;
    app.delete("/api/collections/articles").await.expect(204);
    app.get("/api/relations/articles").await.expect(404);
});

both!(nobody_keeps_rights_to_a_collection_that_is_gone, async |app| {
    articles(app).await;
    let person = person(app, &may_all("articles")).await;
    person.client.get("/api/items/articles").await.expect(200);
    app.delete("/api/collections/articles").await.expect(204);
    articles(app).await;
    person.client.get("/api/items/articles").await.expect_error(403, "FORBIDDEN");
});

both!(only_what_may_be_read_is_told_of_relations, async |app| {
    articles_and_authors(app).await;
    relate(app, json!({ "schema": { "on_delete": "CASCADE" } })).await.expect(201);
    let reads = [may("read", "articles", &["id", "author"]), may("read", "authors", &["id"])];
    let full = person(app, &reads).await;
    assert_eq!(full.client.get("/api/relations").await.expect(200).data().as_array().unwrap().len(), 1);
    for permissions in [vec![may("read", "articles", &["*"])], vec![may("read", "articles", &["title"]), may("read", "authors", &["*"])]] {
        let some = person(app, &permissions).await;
        assert_eq!(some.client.get("/api/relations").await.expect(200).data(), json!([]));
        some.client.get("/api/relations/articles/author").await.expect_error(404, "NOT_FOUND");
        let body = json!({ "collection": "articles", "field": "place", "related_collection": "authors" });
        some.client.post("/api/relations", body).await.expect_error(403, "FORBIDDEN");
        some.client.patch("/api/relations/articles/author", json!({ "schema": null })).await.expect_error(403, "FORBIDDEN");
        some.client.delete("/api/relations/articles/author").await.expect_error(403, "FORBIDDEN");
    }
    assert!(matches!(app.anonymous().post("/api/relations", json!({})).await.status, 401 | 403));
    assert_eq!(app.anonymous().get("/api/relations").await.expect(200).data(), json!([]));
});

both!(changes_at_the_same_time_are_all_made_or_refused, async |app| {
    articles_and_authors(app).await;
    let names = ["a", "b", "c", "d"];
    let fields = names.map(|name| app.post("/api/fields/articles", field(name, "integer")));
    let twice = (relate(app, json!({})), relate(app, json!({})));
    let tables = (create_collection(app, "same", &[("a", "string")]), create_collection(app, "same", &[("a", "string")]));
    let (made, one, other, first, second) = tokio::join!(futures_util::future::join_all(fields), twice.0, twice.1, tables.0, tables.1);
    for answer in made {
        answer.expect(201);
    }
    for (one, other) in [(one, other), (first, second)] {
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{one:?} {other:?}");
    }
    let made = create(app, "articles", json!({ "a": 1, "b": 2, "c": 3, "d": 4 })).await;
    assert_eq!(made["d"], 4);
    app.post("/api/items/articles", json!({ "author": 5 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
});

both!(collections_are_changed, async |app| {
    articles(app).await;
    let changed = app.patch("/api/collections/articles", json!({ "meta": { "note": "what we print", "icon": "pen" } })).await.expect(200);
    assert_eq!(changed.data()["meta"]["note"], "what we print");
    let changed = app.patch("/api/collections/articles", json!({ "meta": { "note": null, "singleton": true } })).await.expect(200).data();
    let meta = &changed["meta"];
    assert_eq!((&meta["note"], &meta["singleton"], &meta["icon"]), (&Value::Null, &json!(true), &json!("pen")));
    let both = json!([{ "collection": "articles", "meta": { "icon": "a" } }, { "collection": "nowhere", "meta": {} }]);
    app.patch("/api/collections", both).await.expect_error(404, "COLLECTION_NOT_FOUND");
    assert_eq!(app.get("/api/collections/articles").await.expect(200).data()["meta"]["icon"], "pen");
    for (body, part) in [
        (json!({ "fields": [] }), "/api/fields/articles"),
        (json!({ "meta": 1 }), "must be an object"),
        (json!({ "meta": { "singleton": "yes" } }), "true or false"),
        (json!({ "collection": "books" }), "can't be renamed"),
    ] {
        let refused = app.patch("/api/collections/articles", body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{refused:?}");
    }
    app.patch("/api/collections/daas_users", json!({ "meta": { "note": "x" } })).await.expect_error(403, "FORBIDDEN");
    let sorted = json!([{ "field": "title", "meta": { "sort": 9 } }, { "field": "body", "meta": { "sort": 1 } }]);
    app.patch("/api/fields/articles", sorted).await.expect(200);
    assert_eq!(app.get("/api/fields/articles/title").await.expect(200).data()["meta"]["sort"], 9);
});

both!(code_changes_relations_outside_filters, async |app| {
    articles_and_authors(app).await;
    let code = "
        const relations = await context.services.relations();
        const made = await relations.createOne({ collection: 'articles', field: 'author', related_collection: 'authors' });
        const changed = await relations.updateOne('articles', 'author', { schema: { on_delete: 'CASCADE' } });
        await (await context.services.collections()).updateOne('articles', { meta: { note: 'by code' } });
        await (await context.services.fields()).createField('authors', { field: 'articles', type: 'alias', meta: { special: ['o2m'] } });
        const all = await relations.readAll('articles');
        const one = await relations.readOne('articles', 'author');
        const gone = await relations.deleteOne('articles', 'author');
        return [made.schema.on_delete, changed.schema.on_delete, all.length, one.field, gone, (await relations.readAll('articles')).length];";
    app.load_folder("ddl", &[("index.mjs", &format!(
        "export function register({{ registerRoutes }}) {{ registerRoutes({{ basePath: '/ddl', routes: [{{ method: 'POST', path: '/', handler: async (request, context) => {{ {code} }} }}] }}); }}"
    ))])
    .await;
    let told = app.post("/api/ext/ddl", json!({})).await.expect(200).json();
    assert_eq!(told, json!(["SET NULL", "CASCADE", 1, "author", "author", 0]));
    assert_eq!(app.get("/api/collections/articles").await.expect(200).data()["meta"]["note"], "by code");
});

both!(relations_of_the_system_are_listed, async |app| {
    let relation = app.get("/api/relations/daas_permissions/policy").await.expect(200).data();
    assert_eq!((&relation["meta"]["one_field"], &relation["meta"]["system"]), (&json!("permissions"), &json!(true)));
    assert_eq!(relation["schema"]["on_delete"], "CASCADE");
    let policies = app.get("/api/fields/daas_policies").await.expect(200).data();
    let lists: Vec<&str> =
        policies.as_array().unwrap().iter().filter(|f| f["type"] == "alias").map(|f| f["field"].as_str().unwrap()).collect();
    assert_eq!(lists, ["permissions", "roles", "users"]);
});

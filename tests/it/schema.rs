//! The schema as one document: taken, compared and applied, and what it can't be applied to.

use serde_json::{Value, json};

use crate::support::data::field;
use crate::support::*;

async fn snapshot(app: &Client) -> Value {
    app.get("/api/schema/snapshot").await.expect(200).data()
}

async fn diff(app: &Client, wanted: &Value) -> Answer {
    app.post("/api/schema/diff", wanted.clone()).await
}

/// Makes the schema what `wanted` says, and checks that nothing is left to do.
async fn become_(app: &Client, wanted: &Value) {
    let found = diff(app, wanted).await.expect(200).data();
    app.post("/api/schema/apply", found).await.expect(204);
    diff(app, wanted).await.expect(204);
}

async fn shop(app: &Client) {
    collection(app, "shops", &[("name", "string unique"), ("opened", "date"), ("tags", "csv")]).await;
    let fields = [
        ("sku", "string pk"),
        ("price", "decimal(8,2) not_null default=\"1.50\""),
        ("shop", "integer index special=m2o"),
        ("place", "integer"),
    ];
    collection(app, "products", &fields).await;
    let list = json!({ "field": "products", "type": "alias", "meta": { "special": ["o2m"], "interface": "list-o2m" } });
    app.post("/api/fields/shops", list).await.expect(201);
    let relation = json!({ "collection": "products", "field": "shop", "related_collection": "shops",
        "meta": { "one_field": "products", "sort_field": "place" }, "schema": { "on_delete": "CASCADE" } });
    app.post("/api/relations", relation).await.expect(201);
    app.post("/api/fields/daas_users", json!({ "field": "shops", "type": "alias", "meta": { "special": ["no-data"] } })).await.expect(201);
}

both!(a_snapshot_makes_an_empty_database_the_same, async |app| {
    let empty = snapshot(app).await;
    assert_eq!((&empty["version"], &empty["collections"], &empty["fields"]), (&json!(1), &json!([]), &json!([])));
    shop(app).await;
    let full = snapshot(app).await;
    let names: Vec<&str> = full["collections"].as_array().unwrap().iter().map(|c| c["collection"].as_str().unwrap()).collect();
    assert_eq!(names, ["products", "shops"]);
    assert!(full["relations"][0]["meta"].get("id").is_none(), "{full}");
    diff(app, &full).await.expect(204);
    become_(app, &empty).await;
    assert_eq!(snapshot(app).await, empty);
    app.get("/api/items/products").await.expect_error(404, "COLLECTION_NOT_FOUND");
    become_(app, &full).await;
    assert_eq!(snapshot(app).await, full);
    create(app, "shops", json!({ "name": "corner", "opened": "2026-01-31", "tags": ["a", "b"] })).await;
    create(app, "products", json!({ "sku": "x", "shop": 1 })).await;
    app.post("/api/items/products", json!({ "sku": "y", "shop": 9 })).await.expect_error(409, "INVALID_FOREIGN_KEY");
    app.delete("/api/items/shops/1").await.expect(204);
    assert_eq!(count(app, "products").await, 0);
});

both!(a_difference_names_what_is_new_gone_and_different, async |app| {
    shop(app).await;
    let before = snapshot(app).await;
    app.patch("/api/collections/shops", json!({ "meta": { "note": "where it is sold" } })).await.expect(200);
    app.delete("/api/fields/shops/opened").await.expect(204);
    app.post("/api/fields/products", field("colour", "string")).await.expect(201);
    app.patch("/api/fields/products/price", json!({ "schema": { "default_value": "2.00" } })).await.expect(200);
    app.patch("/api/relations/products/shop", json!({ "schema": { "on_delete": "SET NULL" } })).await.expect(200);
    let found = diff(app, &before).await.expect(200).data();
    assert_eq!(found["hash"].as_str().unwrap().len(), 64);
    let told = &found["diff"];
    assert_eq!(
        told["collections"],
        json!([{ "collection": "shops", "diff": [{ "kind": "E", "path": ["meta", "note"], "lhs": "where it is sold", "rhs": null }] }])
    );
    let fields: Vec<(String, String)> = told["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["field"].as_str().unwrap().to_owned(), f["diff"][0]["kind"].as_str().unwrap().to_owned()))
        .collect();
    let named = [("colour", "D"), ("price", "E"), ("opened", "N")].map(|(name, kind)| (name.to_owned(), kind.to_owned()));
    assert_eq!(fields, named);
    assert_eq!(told["relations"][0]["diff"][0]["path"], json!(["schema", "on_delete"]));
    app.post("/api/schema/apply", found.clone()).await.expect(204);
    assert_eq!(snapshot(app).await, before);
    // Once more, and it is for another state.
    let again = app.post("/api/schema/apply", found).await.expect_error(409, "CONFLICT");
    assert!(again.message().contains("/api/schema/diff"), "{again:?}");
});

both!(what_fails_halfway_leaves_nothing_done, async |app| {
    collection(app, "things", &[("name", "string")]).await;
    create(app, "things", json!({ "name": null })).await;
    let before = snapshot(app).await;
    let mut wanted = before.clone();
    let fields = wanted["fields"].as_array_mut().unwrap();
    // An item has no value: this comes last, after a new field and a new collection.
    fields.iter_mut().find(|f| f["field"] == "name").unwrap()["schema"]["is_nullable"] = false.into();
    fields.push(json!({ "collection": "things", "field": "extra", "type": "integer" }));
    fields.push(json!({ "collection": "others", "field": "id", "type": "integer", "schema": { "is_primary_key": true, "has_auto_increment": true } }));
    wanted["collections"].as_array_mut().unwrap().push(json!({ "collection": "others", "meta": null, "schema": {} }));
    let found = diff(app, &wanted).await.expect(200).data();
    let refused = app.post("/api/schema/apply", found).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(refused.field(), "name");
    assert_eq!(snapshot(app).await, before);
    app.get("/api/items/others").await.expect_error(404, "COLLECTION_NOT_FOUND");
    collection(app, "others", &[("name", "string")]).await;
});

both!(documents_come_as_yaml_and_as_files_too, async |app| {
    shop(app).await;
    let full = snapshot(app).await;
    let yaml = app.get("/api/schema/snapshot?export=yaml").await.expect(200);
    assert!(yaml.header("content-type").contains("yaml") && yaml.header("content-disposition").contains("snapshot.yaml"));
    let asked = Answer::of(app.request("GET", "/api/schema/snapshot").header("accept", "application/yaml")).await.expect(200);
    assert_eq!(asked.body, yaml.body);
    assert_eq!(app.get("/api/schema/snapshot?export=json").await.expect(200).json(), full);
    app.get("/api/schema/snapshot?export=xml").await.expect_error(400, "INVALID_QUERY");
    app.delete("/api/fields/shops/opened").await.expect(204);
    let send = |kind: &str, body: String| Answer::of(app.request("POST", "/api/schema/diff").header("content-type", kind).body(body));
    let expected = diff(app, &full).await.expect(200).data();
    for kind in ["application/yaml", "text/yaml", "text/plain"] {
        assert_eq!(send(kind, yaml.body.clone()).await.expect(200).data(), expected, "{kind}");
    }
    assert_eq!(send("text/plain", full.to_string()).await.expect(200).data(), expected);
    let form = |text: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"s.yaml\"\r\nContent-Type: text/yaml\r\n\r\n{text}\r\n--x--\r\n"
        )
    };
    assert_eq!(send("multipart/form-data; boundary=x", form(&yaml.body)).await.expect(200).data(), expected);
    for (kind, body, status) in [
        ("text/yaml", "a: [".to_owned(), 400),
        ("text/yaml", "[".repeat(100_000), 400),
        ("text/yaml", format!("a: &a [x, x]\n{}", (0..40).fold(String::new(), |all, n| format!("{all}b{n}: &b{n} [*a, *a]\n"))), 400),
        ("text/plain", "\u{0}".to_owned(), 400),
        ("application/json", "{".to_owned(), 400),
        ("multipart/form-data", "x".to_owned(), 400),
        ("multipart/form-data; boundary=x", "--x--".to_owned(), 400),
        ("image/png", "x".to_owned(), 415),
    ] {
        let refused = send(kind, body).await;
        assert!(refused.status == status && refused.body.len() < 1_000, "{kind}: {refused:?}");
    }
});

both!(documents_that_cannot_be_are_refused_by_name, async |app| {
    shop(app).await;
    let full = snapshot(app).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = full.clone();
        change(&mut changed);
        changed
    };
    for (document, part) in [
        (json!([]), "must be an object"),
        (json!({}), "`version`"),
        (with(&|d| d["version"] = 2.into()), "`version`"),
        (with(&|d| d["vendor"] = "mysql".into()), "force=true"),
        (with(&|d| d["directus"] = "10.1.0".into()), "force=true"),
        (with(&|d| d["collections"] = json!({})), "`collections` must be an array"),
        (with(&|d| d["fields"] = json!([1])), "`fields` must hold objects"),
        (with(&|d| d["fields"][1]["type"] = "geometry.Point".into()), "no type `geometry.Point`"),
        (with(&|d| d["fields"][0]["field"] = Value::Null), "`field`"),
        (with(&|d| d["fields"][1] = d["fields"][0].clone()), "twice"),
        (with(&|d| d["collections"][1] = d["collections"][0].clone()), "twice"),
        (with(&|d| d["collections"][0]["schema"] = Value::Null), "folder"),
        (with(&|d| d["relations"][0]["schema"]["on_delete"] = "BOOM".into()), "`on_delete`"),
    ] {
        let refused = diff(app, &document).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(refused.message().contains(part), "{part}: {refused:?}");
    }
    let other = with(&|d| d["vendor"] = "mysql".into());
    app.post("/api/schema/diff?force=true", other).await.expect(204);
    let new = |name: &str| {
        let field = json!({ "collection": name, "field": "id", "type": "integer", "schema": { "is_primary_key": true } });
        with(&|d| {
            d["collections"].as_array_mut().unwrap().push(json!({ "collection": name, "schema": {} }));
            d["fields"].as_array_mut().unwrap().push(field.clone());
        })
    };
    for name in ["daas_mine", "a b", "a\"; DROP TABLE daas_users; --", "ünï"] {
        let found = diff(app, &new(name)).await.expect(200).data();
        app.post("/api/schema/apply", found).await.expect_error(400, "INVALID_PAYLOAD");
    }
    for name in ["__proto__", "constructor", "select"] {
        become_(app, &new(name)).await;
        become_(app, &full).await;
    }
    let hash = diff(app, &new("more")).await.expect(200).data()["hash"].clone();
    let entry = |entry: Value| json!({ "hash": hash, "diff": { "collections": [entry], "fields": [], "relations": [] } });
    for body in [
        json!([]),
        json!({ "hash": hash }),
        json!({ "diff": {} }),
        entry(json!({ "collection": "shops" })),
        entry(json!({ "collection": "shops", "diff": [{}] })),
        entry(json!({ "collection": "shops", "diff": [{ "kind": "X", "path": ["meta"], "rhs": 1 }] })),
        entry(json!({ "collection": "shops", "diff": [{ "kind": "E", "path": ["meta", "a", "b"], "rhs": 1 }] })),
        entry(json!({ "collection": "shops", "diff": [{ "kind": "E", "path": ["meta", "singleton"], "rhs": "yes" }] })),
        entry(json!({ "collection": "nowhere", "diff": [{ "kind": "E", "path": ["meta", "note"], "rhs": "x" }] })),
    ] {
        app.post("/api/schema/apply", body).await.expect_error(400, "INVALID_PAYLOAD");
    }
    assert_eq!(snapshot(app).await, full);
    app.post("/api/schema/apply", json!({ "hash": "x", "diff": { "collections": [], "fields": [], "relations": [] } })).await.expect(204);
    let person = person(app, &may_all("shops")).await;
    for client in [person.client, app.anonymous()] {
        for answer in [
            client.get("/api/schema/snapshot").await,
            client.post("/api/schema/diff", full.clone()).await,
            client.post("/api/schema/apply", json!({ "hash": "x", "diff": {} })).await,
        ] {
            assert!(matches!(answer.status, 401 | 403), "{answer:?}");
        }
    }
});

both!(the_validation_of_a_field_is_a_filter_that_is_checked_and_held, async |app| {
    let with = |rule: Value| json!({ "field": "n", "type": "integer", "schema": {}, "meta": { "validation": rule, "validation_message": "Too much" } });
    collection(app, "things", &[("name", "string")]).await;
    for rule in [json!("n"), json!([]), json!({ "m": { "_lt": 1 } }), json!({ "n": { "_below": 1 } }), json!({ "_and": {} })] {
        assert_eq!(app.post("/api/fields/things", with(rule.clone())).await.expect_error(400, "INVALID_PAYLOAD").field(), "n", "{rule}");
    }
    app.get("/api/fields/things/n").await.expect(404);
    let rule = json!({ "_and": [{ "n": { "_lt": 10 } }] });
    let made = app.post("/api/fields/things", with(rule.clone())).await.expect(201).data();
    assert_eq!(made["meta"]["validation"], rule);
    create(app, "things", json!({ "n": 9 })).await;
    for answer in [
        app.post("/api/items/things", json!({ "n": 10 })).await,
        app.post("/api/items/things", json!([{ "n": 1 }, { "n": 10 }])).await,
        app.patch("/api/items/things/1", json!({ "n": 10 })).await,
    ] {
        let refused = answer.expect_error(400, "FAILED_VALIDATION");
        assert_eq!((refused.field(), refused.message()), ("n".to_owned(), "Too much".to_owned()));
    }
    // What isn't written isn't looked at, nor is what was there before the rule.
    app.patch("/api/items/things/1", json!({ "name": "x" })).await.expect(200);
    app.patch("/api/fields/things/n", json!({ "meta": { "validation": { "n": { "_lt": 5 } } } })).await.expect(200);
    app.patch("/api/items/things/1", json!({ "name": "y" })).await.expect(200);
    app.patch("/api/items/things/1", json!({ "n": 9 })).await.expect_error(400, "FAILED_VALIDATION");
    app.patch("/api/fields/things/n", json!({ "meta": { "validation": { "nn": 1 } } })).await.expect_error(400, "INVALID_PAYLOAD");
    app.patch("/api/fields/things/n", json!({ "meta": { "validation": null } })).await.expect(200);
    app.patch("/api/items/things/1", json!({ "n": 99 })).await.expect(200);
    let fields = json!([{ "field": "a", "type": "integer", "schema": {}, "meta": { "validation": { "b": { "_gt": 0 } } } }]);
    app.post("/api/collections", json!({ "collection": "more", "meta": {}, "schema": {}, "fields": fields }))
        .await
        .expect_error(400, "INVALID_PAYLOAD");
    app.get("/api/collections/more").await.expect(404);
});

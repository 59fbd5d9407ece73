//! Items inside items: one write, all levels, each with its own rights and hooks, all or nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// `many.field` refers to an item of `one`, which lists those that do in `list`.
async fn relation(app: &Client, many: &str, field: &str, one: &str, list: &str, meta: Value) {
    let alias = json!({ "field": list, "type": "alias", "schema": null, "meta": { "special": ["o2m"] } });
    app.post(&format!("/api/fields/{one}"), alias).await.expect(201);
    let mut all = json!({ "one_field": list });
    all.as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    let body = json!({ "collection": many, "field": field, "related_collection": one, "meta": all, "schema": { "on_delete": "CASCADE" } });
    app.post("/api/relations", body).await.expect(201);
}

/// Orders of customers, with lines, and labels by a junction.
async fn shop(app: &Client) {
    collection(app, "customers", &[("name", "string required"), ("pin", "string special=conceal")]).await;
    collection(app, "orders", &[("title", "string"), ("customer", "integer"), ("total", "integer")]).await;
    collection(
        app,
        "lines",
        &[
            ("product", "string required"),
            ("quantity", "integer"),
            ("place", "integer"),
            ("order", "integer"),
            ("code", "string special=conceal"),
        ],
    )
    .await;
    collection(app, "labels", &[("name", "string")]).await;
    collection(app, "orders_labels", &[("order", "integer"), ("label", "integer")]).await;
    relation(app, "orders", "customer", "customers", "orders", json!({})).await;
    relation(app, "lines", "order", "orders", "lines", json!({ "sort_field": "place", "one_deselect_action": "delete" })).await;
    relation(app, "orders_labels", "order", "orders", "labels", json!({ "junction_field": "label" })).await;
    relation(app, "orders_labels", "label", "labels", "orders", json!({ "junction_field": "order" })).await;
}

async fn rows(app: &Client, collection: &str, fields: &str) -> Value {
    app.get(&format!("/api/items/{collection}?limit=-1&sort=id&fields={fields}")).await.expect(200).data()
}

/// Statements that the server ran so far.
fn statements(app: &TestApp) -> usize {
    app.log_lines().iter().filter(|line| line.to_string().contains("a statement")).count()
}

both!(one_write_makes_and_changes_what_hangs_on_it, async |app| {
    shop(app).await;
    let order = json!({
        "title": "first",
        "customer": { "name": "Ada" },
        "lines": [{ "product": "a", "quantity": 1 }, { "product": "b" }],
        "labels": [{ "label": { "name": "new" } }],
    });
    let made = create(app, "orders", order).await;
    assert_eq!((&made["id"], &made["customer"]), (&json!(1), &json!(1)));
    assert_eq!(
        rows(app, "lines", "product,place,order").await,
        json!([
            { "product": "a", "place": 1, "order": 1 }, { "product": "b", "place": 2, "order": 1 }
        ])
    );
    assert_eq!(rows(app, "orders_labels", "order,label").await, json!([{ "order": 1, "label": 1 }]));
    // An item that is there is referred to, changed where something is said of it, and never made twice.
    app.patch("/api/items/orders/1", json!({ "customer": { "id": 1, "name": "Lovelace" } })).await.expect(200);
    create(app, "orders", json!({ "title": "second", "customer": { "id": 1 } })).await;
    create(app, "orders", json!({ "title": "third", "customer": { "id": 7, "name": "Babbage" } })).await;
    assert_eq!(rows(app, "customers", "id,name").await, json!([{ "id": 1, "name": "Lovelace" }, { "id": 7, "name": "Babbage" }]));
    assert_eq!(rows(app, "orders", "customer").await, json!([{ "customer": 1 }, { "customer": 1 }, { "customer": 7 }]));
    // Both directions of one relation.
    create(app, "customers", json!({ "name": "Hopper", "orders": [{ "title": "fourth" }, 2] })).await;
    assert_eq!(rows(app, "orders", "title,customer").await[3], json!({ "title": "fourth", "customer": 8 }));
    assert_eq!(rows(app, "orders", "customer").await[1], json!({ "customer": 8 }));
});

both!(a_list_is_replaced_or_changed_in_parts, async |app| {
    shop(app).await;
    create(app, "orders", json!({ "lines": [{ "product": "a" }, { "product": "b" }, { "product": "c" }] })).await;
    create(app, "orders", json!({ "lines": [{ "product": "other" }] })).await;
    let products = async |of: i64| {
        let filter = format!("{{\"order\":{of}}}");
        let found = app.query("/api/items/lines", &[("filter", &filter), ("sort", "id"), ("fields", "product")]).await;
        found.expect(200).data().as_array().unwrap().iter().map(|row| row["product"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // The list that is sent is the list: what isn't in it leaves by the relation's deselect action.
    app.patch("/api/items/orders/1", json!({ "lines": [1, { "id": 2, "product": "B" }, { "product": "d" }] })).await.expect(200);
    assert_eq!(products(1).await, ["a", "B", "d"]);
    assert_eq!(count(app, "lines").await, 4, "deleted: c");
    let parts = json!({ "create": [{ "product": "e" }], "update": [{ "id": 1, "quantity": 9 }], "delete": [2, 4] });
    app.patch("/api/items/orders/1", json!({ "lines": parts })).await.expect(200);
    assert_eq!(products(1).await, ["a", "d", "e"]);
    assert_eq!(products(2).await, ["other"], "a key that isn't in the list isn't taken out of another");
    // Without a deselect action they only let go.
    create(app, "customers", json!({ "name": "Ada", "orders": [1, 2] })).await;
    app.patch("/api/items/customers/1", json!({ "orders": [2] })).await.expect(200);
    assert_eq!(rows(app, "orders", "customer").await, json!([{ "customer": null }, { "customer": 1 }]));
    app.patch("/api/items/customers/1", json!({ "orders": null })).await.expect(200);
    assert_eq!(rows(app, "orders", "customer").await, json!([{ "customer": null }, { "customer": null }]));
    app.patch("/api/items/orders", json!({ "keys": [1, 2], "data": { "lines": { "create": [{ "product": "both" }] } } })).await.expect(200);
    assert!(products(1).await.contains(&"both".to_owned()) && products(2).await.contains(&"both".to_owned()));
});

both!(what_joins_a_list_stands_behind_what_is_in_it, async |app| {
    shop(app).await;
    create(app, "orders", json!({ "lines": [{ "product": "a" }, { "product": "b", "place": 7 }] })).await;
    create(app, "orders", json!({ "title": "empty" })).await;
    let places = async |of: i64| {
        let filter = format!("{{\"order\":{of}}}");
        let found = app.query("/api/items/lines", &[("filter", &filter), ("sort", "place"), ("fields", "product,place")]).await;
        found.expect(200).data()
    };
    let parts = json!({ "create": [{ "product": "c" }, { "product": "d", "place": 3 }, { "product": "e" }], "update": [{ "id": 1, "quantity": 2 }] });
    app.patch("/api/items/orders/1", json!({ "lines": parts })).await.expect(200);
    app.patch("/api/items/orders/2", json!({ "lines": { "create": [{ "product": "f" }, { "product": "g" }] } })).await.expect(200);
    assert_eq!(
        places(1).await,
        json!([
            { "product": "a", "place": 1 }, { "product": "d", "place": 3 }, { "product": "b", "place": 7 }, { "product": "c", "place": 8 },
            { "product": "e", "place": 10 }
        ])
    );
    assert_eq!(places(2).await, json!([{ "product": "f", "place": 1 }, { "product": "g", "place": 2 }]));
    app.patch("/api/items/orders", json!({ "keys": [1, 2], "data": { "lines": { "create": [{ "product": "h" }] } } })).await.expect(200);
    assert_eq!(places(1).await[5], json!({ "product": "h", "place": 11 }));
    assert_eq!(places(2).await[2], json!({ "product": "h", "place": 3 }));
});

both!(each_level_has_its_own_rights, async |app| {
    shop(app).await;
    create(app, "customers", json!({ "name": "hidden" })).await;
    let permissions = |more: Value| {
        let mut all = vec![may("create", "orders", &["*"]), may("update", "orders", &["*"]), may("read", "orders", &["*"])];
        all.extend(more.as_array().unwrap().clone());
        all
    };
    let with = async |more: Value| person(app, &permissions(more)).await.client;
    let lines = |item: Value| json!({ "title": "x", "lines": [item] });
    with(json!([])).await.post("/api/items/orders", lines(json!({ "product": "a" }))).await.expect_error(403, "FORBIDDEN");
    let some = with(json!([may("create", "lines", &["product", "order"])])).await;
    some.post("/api/items/orders", lines(json!({ "product": "a" }))).await.expect(201);
    let refused = some.post("/api/items/orders", lines(json!({ "product": "a", "quantity": 1 }))).await.expect_error(403, "FORBIDDEN");
    assert_eq!(refused.message(), "You may not set `quantity` in `lines`");
    let unbound = with(json!([may("create", "lines", &["product"])])).await;
    unbound.post("/api/items/orders", lines(json!({ "product": "a" }))).await.expect_error(403, "FORBIDDEN");
    // Rules, validation and presets of the inner level.
    let mut ruled = may("create", "lines", &["product", "order", "quantity"]);
    ruled["validation"] = json!({ "quantity": { "_lt": 10 } });
    ruled["permissions"] = json!({ "product": { "_neq": "forbidden" } });
    ruled["presets"] = json!({ "quantity": 3 });
    let ruled = with(json!([ruled])).await;
    ruled.post("/api/items/orders", lines(json!({ "product": "a", "quantity": 10 }))).await.expect_error(400, "FAILED_VALIDATION");
    ruled.post("/api/items/orders", lines(json!({ "product": "forbidden" }))).await.expect_error(403, "FORBIDDEN");
    ruled.post("/api/items/orders", lines(json!({ "product": "preset" }))).await.expect(201);
    assert_eq!(rows(app, "lines", "quantity").await, json!([{ "quantity": null }, { "quantity": 3 }]));
    assert_eq!(count(app, "orders").await, 2, "all or nothing");
    // An item outside the filter is one that isn't there, from inside another item too.
    let mut other = may("update", "customers", &["*"]);
    other["permissions"] = json!({ "name": { "_neq": "hidden" } });
    let other = with(json!([other])).await;
    other.post("/api/items/orders", json!({ "customer": { "id": 1, "name": "mine" } })).await.expect_error(404, "NOT_FOUND");
    assert_eq!(rows(app, "customers", "name").await, json!([{ "name": "hidden" }]));
    // Nor does anything lead past the rules of the system's own tables.
    let climb = json!({ "title": "x", "lines": { "create": [{ "product": "a", "daas_permissions": [{}] }] } });
    app.post("/api/items/orders", climb).await.expect_error(400, "INVALID_PAYLOAD");
});

both!(filters_run_from_the_outside_in_once_per_row_and_see_their_parent, async |app| {
    shop(app).await;
    collection(app, "seen", &[("what", "string")]).await;
    let notes = |what: &str| {
        format!(
            "const seen = await services.items('seen', {{ elevated: true, emitEvents: false }});
             await seen.createOne({{ what: {what} + '<' + (meta.parent ? meta.parent.collection + '.' + meta.parent.field : '-') }}); return payload;"
        )
    };
    filter(app, "orders.items.create", &notes("payload.title")).await;
    filter(app, "lines.items.create", &notes("payload.product")).await;
    filter(app, "customers.items.create", &notes("payload.name")).await;
    filter(app, "orders_labels.items.create", &notes("'junction'")).await;
    filter(app, "labels.items.create", &notes("payload.name")).await;
    let order = json!({ "title": "o", "customer": { "name": "c" }, "lines": [{ "product": "1" }, { "product": "2" }], "labels": [{ "label": { "name": "l" } }] });
    create(app, "orders", order).await;
    let seen: Vec<String> = column(app, "seen", "what").await.iter().map(|what| what.as_str().unwrap().to_owned()).collect();
    assert_eq!(seen, ["o<-", "c<orders.customer", "1<orders.lines", "2<orders.lines", "junction<orders.labels", "l<orders_labels.label"]);
});

both!(a_refusal_at_any_level_writes_nothing_and_triggers_nothing, async |app| {
    shop(app).await;
    collection(app, "heard", &[("event", "string"), ("found", "boolean")]).await;
    for event in ["orders", "lines", "customers"] {
        let code = format!(
            "const rows = await (await services.items('{event}', {{ elevated: true }})).readMany(meta.keys);
             await (await services.items('heard', {{ elevated: true, emitEvents: false }})).createOne({{ event: meta.event, found: rows.length === meta.keys.length }});"
        );
        action(app, &format!("{event}.items.create"), &code).await;
    }
    let order = |last: Value| json!({ "title": "o", "customer": { "name": "c" }, "lines": [{ "product": "1" }, last] });
    let hook = filter(app, "lines.items.create", "if (payload.product === 'bad') throw new Error('no'); return payload;").await;
    app.post("/api/items/orders", order(json!({ "product": "bad" }))).await.expect_error(400, "EXTENSION_ERROR");
    app.post("/api/items/orders", order(json!({ "quantity": 1 }))).await.expect_error(400, "FAILED_VALIDATION");
    app.post("/api/items/orders", order(json!({ "id": "x", "product": "p" }))).await.expect_error(400, "INVALID_ID");
    app.post("/api/items/orders", order(json!(99))).await.expect_error(404, "NOT_FOUND");
    deactivate(app, &hook).await;
    for table in ["orders", "lines", "customers"] {
        assert_eq!(count(app, table).await, 0, "{table}");
    }
    create(app, "orders", order(json!({ "product": "2" }))).await;
    eventually("all actions", Duration::from_secs(10), async || match count(app, "heard").await {
        4 => Ok(()),
        heard => Err(format!("{heard} actions")),
    })
    .await;
    assert_eq!(count(app, "heard").await, 4, "one per row, none of what was refused");
    assert!(column(app, "heard", "found").await.iter().all(|found| *found == json!(true)), "an action finds its row");
});

both!(what_a_filter_nests_needs_the_extensions_capability_and_no_field_of_the_caller, async |app| {
    shop(app).await;
    let permissions = [may("create", "orders", &["title"]), may("read", "orders", &["*"]), may("create", "lines", &["product"])];
    let caller = person(app, &permissions).await.client;
    let adds = "return { ...payload, lines: [{ product: 'gift', quantity: 1 }] };";
    let hook = |capabilities: Value| json!({ "event": "orders.items.create", "code": adds, "capabilities": capabilities });
    let id = extension(app, hook(json!(["items:orders:create"]))).await;
    caller.post("/api/items/orders", json!({ "title": "x" })).await.expect_error(500, "EXTENSION_FAILED");
    app.allow_errors();
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": ["items:orders", "items:lines:create"] })).await.expect(200);
    caller.post("/api/items/orders", json!({ "title": "x" })).await.expect(201);
    assert_eq!(rows(app, "lines", "product,quantity").await, json!([{ "product": "gift", "quantity": 1 }]));
    // The caller's right to the collection is still needed.
    let stranger = person(app, &permissions[..2]).await.client;
    stranger.post("/api/items/orders", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    deactivate(app, &id).await;
    // And so it is for what its own calls nest.
    let call =
        "const orders = await services.items('orders'); await orders.createOne({ title: 'y', lines: [{ product: 'z' }] }); return payload;";
    let body = json!({ "event": "labels.items.create", "code": call, "capabilities": ["items:orders:create"] });
    let id = extension(app, body).await;
    let refused = app.post("/api/items/labels", json!({ "name": "x" })).await;
    assert!(refused.body.contains("CAPABILITY_DENIED") || refused.status == 500, "{refused:?}");
    assert_eq!(count(app, "orders").await, 1);
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": ["items:orders:create", "items:lines:create"] })).await.expect(200);
    app.post("/api/items/labels", json!({ "name": "x" })).await.expect(201);
    assert_eq!((count(app, "orders").await, count(app, "lines").await), (2, 2));
});

both!(concealed_values_of_nested_items_stay_out_of_hooks_and_with_their_items, async |app| {
    shop(app).await;
    collection(app, "seen", &[("what", "text")]).await;
    let code = "const seen = await services.items('seen', { elevated: true, emitEvents: false });
        await seen.createOne({ what: JSON.stringify(payload) });
        return { ...payload, lines: [...payload.lines].reverse().concat({ product: 'own', code: 'of the hook' }) };";
    filter(app, "orders.items.create", code).await;
    filter(app, "lines.items.create", "if (payload.code !== '**********') throw new Error(payload.code); return payload;").await;
    let order = json!({
        "customer": { "name": "c", "pin": "pin-of-c" },
        "lines": [{ "product": "a", "code": "code-of-a" }, { "product": "b", "code": "code-of-b" }],
    });
    let made = app.post("/api/items/orders", order).await.expect(201);
    let seen = column(app, "seen", "what").await;
    for secret in ["pin-of-c", "code-of-a", "code-of-b"] {
        assert!(!seen[0].to_string().contains(secret) && !made.body.contains(secret) && !app.log().contains(secret), "{secret}: {seen:?}");
    }
    for (table, field, value, column, secret) in [
        ("customers", "name", "c", "pin", "pin-of-c"),
        ("lines", "product", "a", "code", "code-of-a"),
        ("lines", "product", "b", "code", "code-of-b"),
        ("lines", "product", "own", "code", "of the hook"),
    ] {
        let sql = format!("SELECT count(*) FROM {table} WHERE {field} = '{value}' AND {column} = '{secret}'");
        assert_eq!(app.number(&sql).await, 1, "{sql}");
    }
    // A mask that comes back from a client is no value.
    app.patch("/api/items/orders/1", json!({ "lines": { "update": [{ "id": 1, "code": "**********" }] } })).await.expect(200);
    assert_eq!(app.number("SELECT count(*) FROM lines WHERE code LIKE '%**%'").await, 0);
});

both!(services_nest_as_callers_do, async |app| {
    shop(app).await;
    let code = "const orders = await services.items('orders');
        const one = await orders.createOne({ title: 'a', lines: [{ product: 'p' }] });
        const [two] = await orders.createMany([{ title: 'b', customer: { name: 'c' } }]);
        const up = await orders.upsertMany([{ id: one, title: 'A', lines: { create: [{ product: 'q' }] } }, { title: 'n' }]);
        await orders.updateBatch([{ id: one, total: 1 }, { id: two, total: 2 }]);
        const found = await orders.updateByQuery({ filter: { total: { _gt: 0 } } }, { lines: { create: [{ product: 'r' }] } });
        const gone = await orders.deleteByQuery({ filter: { title: 'n' } });
        return { one, two, up, found, gone, lines: (await (await services.items('lines')).readByQuery({ sort: ['id'] })).map((l) => l.product + l.order) };";
    let out = result_of(app, code).await;
    assert_eq!(out, json!({ "one": 1, "two": 2, "up": [1, 3], "found": [1, 2], "gone": [3], "lines": ["p1", "q1", "r1", "r2"] }));
});

both!(ten_levels_and_a_thousand_items_in_a_few_statements, env: [("LOG_LEVEL", "info,trellis::db=trace"), ("TX_MAX_MS", "20000")], async |app| {
    collection(app, "nodes", &[("name", "string required"), ("parent", "integer")]).await;
    relation(app, "nodes", "parent", "nodes", "children", json!({})).await;
    let level = |inner: Option<Value>, levels: usize| {
        let mut children: Vec<Value> = (0..100).map(|n| json!({ "name": format!("{levels}.{n}") })).collect();
        if let Some(inner) = inner {
            children[0]["children"] = inner;
        }
        json!(children)
    };
    let tree = |last: &str| {
        let mut inner = None;
        for levels in (0..10).rev() {
            inner = Some(level(inner, levels));
        }
        let mut tree = json!({ "name": "root", "children": inner.unwrap() });
        let mut at = &mut tree;
        for _ in 0..9 {
            at = &mut at["children"][0];
        }
        at["children"][99]["name"] = json!(last);
        tree
    };
    app.post("/api/items/nodes", tree("")).await;
    let before = statements(app);
    app.post("/api/items/nodes", tree("last")).await.expect(201);
    let spent = statements(app) - before;
    assert!((11..=33).contains(&spent), "{spent} statements for 11 levels");
    let made = count(app, "nodes").await;
    assert!(made >= 1_001, "{made}");
    let mut broken = tree("x");
    broken["children"][0]["children"][0]["children"][5] = json!({ "parent": 1 });
    app.post("/api/items/nodes", broken).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(count(app, "nodes").await, made, "all or nothing");
});

both!(nonsense_inside_items_is_told_apart_and_never_a_failure_of_the_server, async |app| {
    shop(app).await;
    let mut deep = json!([]);
    for _ in 0..30 {
        deep = json!([{ "product": "x", "order": { "lines": deep } }]);
    }
    for (body, code) in [
        (json!({ "lines": "all" }), "INVALID_PAYLOAD"),
        (json!({ "lines": 1 }), "INVALID_PAYLOAD"),
        (json!({ "lines": [null] }), "INVALID_PAYLOAD"),
        (json!({ "lines": [[]] }), "INVALID_PAYLOAD"),
        (json!({ "lines": [true] }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "make": [] } }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "__proto__": [] } }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "create": {} } }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "create": [1] } }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "update": [{ "product": "x" }] } }), "INVALID_PAYLOAD"),
        (json!({ "lines": { "delete": [{}] } }), "INVALID_PAYLOAD"),
        (json!({ "lines": ["' OR 1=1 --"] }), "INVALID_ID"),
        (json!({ "lines": [{ "product": "x", "constructor": { "prototype": 1 } }] }), "INVALID_PAYLOAD"),
        (json!({ "lines": [{ "product": "a\u{0}b" }] }), "INVALID_PAYLOAD"),
        (json!({ "lines": [{ "product": { "$raw": "now()" } }] }), "INVALID_PAYLOAD"),
        (json!({ "customer": { "name": ["x"] } }), "INVALID_PAYLOAD"),
        (json!({ "customer": [] }), "INVALID_PAYLOAD"),
        (json!({ "customer": { "id": {}, "name": "x" } }), "INVALID_ID"),
        (json!({ "customer": { "id": "1; DROP TABLE orders", "name": "x" } }), "INVALID_ID"),
        (json!({ "lines": deep }), "INVALID_PAYLOAD"),
    ] {
        let answer = app.post("/api/items/orders", body.clone()).await;
        assert_eq!(
            (answer.status, answer.json()["errors"][0]["extensions"]["code"].as_str()),
            (400, Some(code)),
            "{body}: {}",
            answer.body
        );
    }
    let twice = r#"{"title":"a","lines":[{"product":"x","product":"y"}],"title":"b"}"#;
    let twice = app.raw("POST", "/api/items/orders", twice).await;
    assert!(matches!(twice.status, 201 | 400), "{twice:?}");
    let thousand = format!("{}1{}", "{\"lines\":[".repeat(1_000), "]}".repeat(1_000));
    app.raw("POST", "/api/items/orders", thousand).await.expect_error(400, "INVALID_PAYLOAD");
    app.post("/api/items/orders", json!({ "lines": [7, 7] })).await.expect_error(404, "NOT_FOUND");
    assert!(count(app, "customers").await == 0);
});

both!(a_hook_that_writes_where_it_stands_comes_to_an_end, env: [("DATABASE_POOL_SIZE", "1")], async |app| {
    shop(app).await;
    let writes = "if (payload.title === 'inner') return payload;
        const orders = await services.items('orders');
        await orders.createOne({ title: 'inner', lines: [{ product: 'p' }] });
        if (meta.keys) await orders.updateMany(meta.keys, { title: 'inner' });
        return payload;";
    filter(app, "orders.items.create", writes).await;
    filter(app, "orders.items.update", writes).await;
    let made = create(app, "orders", json!({ "title": "outer", "lines": [{ "product": "q" }] })).await;
    let changed = app.patch(&format!("/api/items/orders/{}", made["id"]), json!({ "title": "outer", "lines": [{ "product": "r" }] })).await.expect(200);
    assert!(changed.took.as_millis() < 5_000, "{:?}", changed.took);
    // A → A, and A → B → A.
    filter(app, "lines.items.create", "await (await services.items('labels')).createOne({ name: 'x' }); return payload;").await;
    filter(app, "labels.items.create", "await (await services.items('lines')).createOne({ product: 'x' }); return payload;").await;
    let refused = app.post("/api/items/orders", json!({ "title": "inner", "lines": [{ "product": "s" }] })).await;
    refused.expect_error(508, "EXTENSION_RECURSION");
    app.allow_errors();
});

//! What code can ask of the host: every method of `items`, reading of the schema, and the errors they give.

use serde_json::{Value, json};

use crate::support::*;

/// Five items with titles a to e and views 1 to 5.
async fn five(app: &Client) {
    articles(app).await;
    for (n, title) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        create(app, "articles", json!({ "title": title, "views": n + 1 })).await;
    }
}

/// Runs code that has `a`, the items service of `articles`.
async fn with_items(app: &Client, code: &str) -> Value {
    result_of(app, &format!("const a = await context.services.items('articles');\n{code}")).await
}

both!(items_are_read_by_query, async |app| {
    five(app).await;
    let rows = with_items(app, "return a.readByQuery({ filter: { views: { _gt: 3 } }, fields: ['id', 'title'], sort: ['-views'] });").await;
    assert_eq!(rows, json!([{ "id": 5, "title": "e" }, { "id": 4, "title": "d" }]));
    assert_eq!(with_items(app, "return (await a.readByQuery()).length;").await, 5);
    assert_eq!(
        with_items(app, "return (await a.readByQuery({ limit: 2, page: 2, fields: ['id'] })).map((r) => r.id);").await,
        json!([3, 4])
    );
    assert_eq!(
        with_items(app, "return (await a.readByQuery({ limit: 2, offset: 3, fields: 'id' })).map((r) => r.id);").await,
        json!([4, 5])
    );
    assert_eq!(with_items(app, "return (await a.readByQuery({ search: 'C' })).length;").await, 1);
});

both!(no_limit_means_all_in_code, async |app| {
    articles(app).await;
    app.post("/api/items/articles", (0..60).map(|n| json!({ "views": n })).collect()).await.expect(201);
    assert_eq!(with_items(app, "return (await a.readByQuery({})).length;").await, 60);
});

both!(items_are_read_with_a_count, async |app| {
    five(app).await;
    let found = with_items(app, "const r = await a.readByQueryWithCount({ filter: { views: { _gt: 1 } }, limit: 2, sort: ['id'] }); return [r.items.map((i) => i.id), r.count];").await;
    assert_eq!(found, json!([[2, 3], 4]));
});

both!(items_are_read_by_key, async |app| {
    five(app).await;
    assert_eq!(with_items(app, "return a.readOne(2, { fields: ['title'] });").await, json!({ "title": "b" }));
    let rows = with_items(app, "return (await a.readMany([3, 1])).map((r) => r.id).sort();").await;
    assert_eq!(rows, json!([1, 3]));
    assert_eq!(
        with_items(app, "try { await a.readOne(99); return 'found' } catch (e) { return [e.code, e.status] }").await,
        json!(["NOT_FOUND", 404])
    );
    assert_eq!(with_items(app, "return (await a.readOne(1, {}, { lock: true })).title;").await, "a");
    assert_eq!(with_items(app, "return (await a.readMany([1, 2], { lock: true })).length;").await, 2);
});

both!(keys_are_found_by_query, async |app| {
    five(app).await;
    assert_eq!(with_items(app, "return a.getKeysByQuery({ filter: { views: { _lte: 2 } }, sort: ['-id'] });").await, json!([2, 1]));
});

both!(items_are_aggregated, async |app| {
    five(app).await;
    let found = with_items(
        app,
        "return a.readAggregate({ aggregate: { count: ['*'], sum: ['views'], min: ['views'], max: ['views'], avg: ['views'] } });",
    )
    .await;
    let row = &found[0];
    assert_eq!((&row["sum"]["views"], &row["min"]["views"], &row["max"]["views"]), (&json!(15), &json!(1), &json!(5)), "{found}");
    assert_eq!(row["avg"]["views"].as_f64(), Some(3.0));
});

both!(items_are_created, async |app| {
    five(app).await;
    assert_eq!(with_items(app, "return a.createOne({ title: 'f' });").await, 6);
    assert_eq!(with_items(app, "return a.createMany([{ title: 'g' }, { title: 'h' }]);").await, json!([7, 8]));
    assert_eq!(column(app, "articles", "title").await, ["a", "b", "c", "d", "e", "f", "g", "h"]);
});

both!(items_are_updated, async |app| {
    five(app).await;
    assert_eq!(with_items(app, "return a.updateOne(1, { title: 'A' });").await, 1);
    assert_eq!(with_items(app, "return a.updateMany([2, 3], { slug: 's' });").await, json!([2, 3]));
    let keys = with_items(app, "return a.updateByQuery({ filter: { views: { _gte: 4 } }, sort: ['id'] }, { slug: 'q' });").await;
    assert_eq!(keys, json!([4, 5]));
    assert_eq!(with_items(app, "return a.updateBatch([{ id: 1, slug: 'x' }, { id: 2, title: 'B' }]);").await, json!([1, 2]));
    assert_eq!(column(app, "articles", "slug").await, ["x", "s", "s", "q", "q"]);
    assert_eq!(column(app, "articles", "title").await, ["A", "B", "c", "d", "e"]);
    assert_eq!(
        with_items(app, "try { await a.updateOne(99, { title: 'x' }); return 'done' } catch (e) { return e.code }").await,
        "NOT_FOUND"
    );
});

both!(items_are_upserted, async |app| {
    five(app).await;
    assert_eq!(with_items(app, "return a.upsertOne({ id: 1, title: 'A' });").await, 1);
    assert_eq!(with_items(app, "return a.upsertOne({ title: 'new' });").await, 6);
    assert_eq!(
        with_items(app, "return a.upsertMany([{ id: 2, title: 'B' }, { title: 'newer' }, { id: 50, title: 'fifty' }]);").await,
        json!([2, 7, 50])
    );
    assert_eq!(column(app, "articles", "title").await, ["A", "B", "c", "d", "e", "new", "newer", "fifty"]);
});

both!(items_are_deleted, async |app| {
    five(app).await;
    with_items(app, "await a.deleteOne(1); await a.deleteMany([2, 3]); await a.deleteByQuery({ filter: { title: { _eq: 'd' } } });").await;
    assert_eq!(column(app, "articles", "title").await, ["e"]);
    assert_eq!(with_items(app, "try { await a.deleteOne(99); return 'done' } catch (e) { return e.code }").await, "NOT_FOUND");
});

both!(a_hundred_thousand_values_fit_one_filter, async |app| {
    five(app).await;
    let code = "const keys = Array.from({ length: 100000 }, (_, i) => i + 4); return (await a.readByQuery({ filter: { id: { _in: keys } }, sort: ['id'] })).map((r) => r.id);";
    assert_eq!(with_items(app, code).await, json!([4, 5]));
});

both!(wrong_arguments_are_refused_kindly, async |app| {
    five(app).await;
    let code = "const out = {};
      const tries = { unknown: () => a.readByQuery({ filter: { titel: 1 } }), field: () => a.createOne({ titel: 'x' }), type: () => a.createOne({ views: 'many' }),
        none: () => a.createOne(), key: () => a.readOne(), keys: () => a.readMany('x'), rows: () => a.updateBatch([{ title: 'no key' }]), func: () => a.createOne({ title: () => 1 }),
        everything: () => a.deleteByQuery({}), id: () => a.readOne('x') };
      for (const [name, run] of Object.entries(tries)) { try { await run(); out[name] = 'worked' } catch (e) { out[name] = e instanceof Error && (e.code ?? e.name) } }
      try { await services.items('nothing').then((s) => s.readByQuery({})); out.collection = 'worked' } catch (e) { out.collection = e.code }
      try { await services.items(); out.nameless = 'worked' } catch (e) { out.nameless = 'refused' }
      return out;";
    let out = with_items(app, code).await;
    assert_eq!(out["unknown"], "INVALID_QUERY", "{out}");
    assert_eq!((&out["field"], &out["type"]), (&json!("INVALID_PAYLOAD"), &json!("INVALID_PAYLOAD")), "{out}");
    assert_eq!((&out["collection"], &out["nameless"]), (&json!("COLLECTION_NOT_FOUND"), &json!("refused")), "{out}");
    assert!(out.as_object().unwrap().values().all(|v| v.is_string() && v != "worked"), "{out}");
    assert_eq!(count(app, "articles").await, 5);
});

both!(many_calls_at_once_are_answered_each_to_its_caller, async |app| {
    five(app).await;
    let code = "const rows = await Promise.all(Array.from({ length: 300 }, (_, i) => a.readOne(1 + (i % 5)))); return rows.every((r, i) => r.id === 1 + (i % 5));";
    assert_eq!(with_items(app, code).await, true);
});

both!(a_forgotten_promise_has_nobodys_rights, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "(async () => { await services.items('articles'); for (let i = 0; i < 50; i++) { await (await services.items('log')).readByQuery({}); } await (await services.items('log')).createOne({ text: 'late' }) })();
                globalThis.kept = services; return payload;";
    filter(app, "articles.items.create", code).await;
    filter(app, "articles.items.create", "return { ...payload, slug: typeof globalThis.kept };").await;
    for _ in 0..10 {
        assert_eq!(create(app, "articles", json!({})).await["slug"], "undefined");
    }
    still("nothing arrives late", std::time::Duration::from_millis(500), async || match count(app, "log").await {
        0 => Ok(()),
        n => Err(n.to_string()),
    })
    .await;
});

both!(writes_in_code_fire_hooks_unless_told_not_to, async |app| {
    five(app).await;
    filter(app, "articles.items.create", "return { ...payload, slug: 'hooked' };").await;
    with_items(app, "await a.createOne({ title: 'f' }); const quiet = await context.services.items('articles', { emitEvents: false }); await quiet.createOne({ title: 'g' });").await;
    let slugs = column(app, "articles", "slug").await;
    assert_eq!(slugs[5..], [json!("hooked"), Value::Null]);
});

both!(the_schema_can_be_read, async |app| {
    five(app).await;
    let person =
        person(app, &[may_all("articles"), vec![may("create", "inside", &["*"]), may("read", "inside", &["*"])]].concat()).await.client;
    let code = "const c = await services.collections(); const f = await services.fields();
                const names = (await c.readByQuery({})).map((x) => x.collection); const all = await f.readAll('articles');
                return [names.includes('articles'), (await c.readOne('articles')).collection, all.map((x) => x.field), (await f.readOne('articles', 'views')).type, (await f.readAll()).length > 5];";
    let expected = json!([true, "articles", ["id", "title", "slug", "body", "views"], "integer", true]);
    assert_eq!(result_of(app, code).await, expected);
    let answer =
        inside_a_filter(app, &person, "return (await (await services.collections()).readByQuery({})).map((x) => x.collection).sort();")
            .await;
    let names = answer.expect(201).data()["out"].clone();
    assert!(!names.to_string().contains("daas_users"), "a caller's own reach: {names}");
});

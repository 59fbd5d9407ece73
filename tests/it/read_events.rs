//! `items.query` and `items.read`: hooks on reading, by whatever door.

use serde_json::{Value, json};

use crate::support::*;

async fn three(app: &Client) {
    articles(app).await;
    for (title, views) in [("a", 1), ("b", 2), ("c", 3)] {
        create(app, "articles", json!({ "title": title, "views": views })).await;
    }
}

both!(a_query_filter_narrows_every_read, async |app| {
    three(app).await;
    filter(app, "articles.items.query", "return { ...payload, filter: { _and: [payload.filter ?? {}, { views: { _gt: 1 } }] } };").await;
    assert_eq!(column(app, "articles", "title").await, ["b", "c"]);
    app.get("/api/items/articles/1").await.expect(404);
    app.get("/api/items/articles/2").await.expect(200);
    let meta = app.get("/api/items/articles?meta=filter_count").await.expect(200).json()["meta"].take();
    assert_eq!(meta["filter_count"], 2);
    app.patch("/api/items/articles", json!({ "query": { "filter": { "title": { "_in": ["a", "b"] } } }, "data": { "slug": "hit" } }))
        .await
        .expect(200);
    assert_eq!(app.number("SELECT count(*) FROM articles WHERE slug = 'hit'").await, 1);
    let rows = result_of(app, "return (await (await services.items('articles')).readByQuery({})).length;").await;
    assert_eq!(rows, 2);
});

both!(a_query_filter_may_use_any_field_but_the_caller_may_not, async |app| {
    three(app).await;
    filter(app, "articles.items.query", "return { ...payload, filter: { _and: [payload.filter ?? {}, { views: { _lt: 3 } }] } };").await;
    let reader = person(app, &[may("read", "articles", &["id", "title"])]).await.client;
    let rows = reader.get("/api/items/articles?sort=id").await.expect(200).data();
    assert_eq!(rows, json!([{ "id": 1, "title": "a" }, { "id": 2, "title": "b" }]));
    reader.query("/api/items/articles", &[("filter", r#"{"views":1}"#)]).await.expect(403);
});

both!(a_query_filter_that_returns_nonsense_is_a_failure_not_a_leak, async |app| {
    three(app).await;
    for returned in
        ["{ ...payload, filter: { nothing: 1 } }", "{ ...payload, limit: 'all' }", "null", "[]", "{ ...payload, sort: ['nothing'] }"]
    {
        let id = filter(app, "articles.items.query", &format!("return {returned};")).await;
        let answer = app.get("/api/items/articles").await;
        assert!(answer.status >= 400, "{returned}: {answer:?}");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(a_read_filter_changes_what_is_answered, async |app| {
    three(app).await;
    let code = "return payload.filter((r) => r.title !== 'b').map((r) => { const { slug, ...rest } = r; return { ...rest, title: r.title.toUpperCase(), extra: r.id * 10 } });";
    filter(app, "articles.items.read", code).await;
    let rows = app.get("/api/items/articles?sort=id&fields=id,title,slug").await.expect(200).data();
    assert_eq!(rows, json!([{ "id": 1, "title": "A", "extra": 10 }, { "id": 3, "title": "C", "extra": 30 }]));
    app.get("/api/items/articles/2").await.expect(404);
    assert_eq!(app.get("/api/items/articles/1?fields=title").await.expect(200).data()["title"], "A");
});

both!(a_read_filter_adds_no_rows_and_moves_no_keys, async |app| {
    three(app).await;
    for code in [
        "return [...payload, { id: 99, title: 'new' }];",
        "return payload.map((r) => ({ ...r, id: r.id + 1 }));",
        "return {};",
        "return payload.map(() => 1);",
    ] {
        let id = filter(app, "articles.items.read", code).await;
        app.get("/api/items/articles").await.expect_error(500, "EXTENSION_FAILED");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(a_read_filter_runs_on_the_row_that_answers_a_write, async |app| {
    three(app).await;
    filter(app, "articles.items.read", "return payload.map((r) => ({ ...r, title: r.title + '!' }));").await;
    assert_eq!(create(app, "articles", json!({ "title": "new" })).await["title"], "new!");
    assert_eq!(app.patch("/api/items/articles/1", json!({ "title": "A" })).await.expect(200).data()["title"], "A!");
});

both!(a_read_hook_is_not_woken_by_its_own_reads, async |app| {
    three(app).await;
    let code = "const n = (await (await services.items('articles')).readByQuery({ limit: -1 })).length; return payload.map((r) => ({ ...r, slug: String(n) }));";
    filter(app, "articles.items.read", code).await;
    filter(app, "articles.items.query", "await (await services.items('articles')).readByQuery({ limit: 1 }); return payload;").await;
    assert_eq!(app.get("/api/items/articles/1").await.expect(200).data()["slug"], "3");
});

both!(a_read_filter_sees_masked_secrets_only, async |app| {
    let code = "return payload.map((r) => ({ ...r, first_name: JSON.stringify([r.password ?? null, r.token ?? null]) }));";
    filter(app, "daas_users.items.read", code).await;
    let person = person(app, &[]).await;
    let shown = app.get(&format!("/api/users/{}", person.id)).await.expect(200);
    assert!(!shown.body.contains("argon2") && !shown.body.contains("static-token"), "{}", shown.body);
});

both!(long_lists_come_in_slices_of_a_thousand, async |app| {
    articles(app).await;
    for _ in 0..5 {
        app.post("/api/items/articles", (0..500).map(|n| json!({ "views": n })).collect()).await.expect(201);
    }
    filter(app, "articles.items.read", "return payload.map((r) => ({ ...r, views: payload.length }));").await;
    let rows = app.get("/api/items/articles?limit=-1&fields=id,views").await.expect(200).data();
    let sizes: Vec<u64> = rows.as_array().unwrap().iter().map(|r| r["views"].as_u64().unwrap()).collect();
    assert_eq!((sizes.len(), sizes.iter().max()), (2500, Some(&1000)));
});

both!(a_read_action_hears_what_was_answered, async |app| {
    three(app).await;
    collection(app, "log", &[("text", "text")]).await;
    action(
        app,
        "articles.items.read",
        "await (await services.items('log')).createOne({ text: JSON.stringify([meta.keys, meta.payload.length]) });",
    )
    .await;
    app.get("/api/items/articles?sort=id").await.expect(200);
    eventually("the action ran", std::time::Duration::from_secs(20), async || {
        let texts = column(app, "log", "text").await;
        if texts.contains(&Value::from("[[1,2,3],3]")) { Ok(()) } else { Err(format!("{texts:?}")) }
    })
    .await;
});

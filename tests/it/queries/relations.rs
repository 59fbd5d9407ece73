//! Reading through relations: fields, filters, orders and lists of lists, with the expected answer beside each query.

use serde_json::{Value, json};

use super::library::library;
use crate::support::*;

async fn data(app: &Client, path: &str, parameters: &[(&str, &str)]) -> Value {
    app.query(path, parameters).await.expect(200).data()
}

fn keys(rows: &Value) -> Vec<u64> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

both!(fields_lead_through_every_kind_of_relation, async |app| {
    library(app).await;
    let one = async |fields: &str| data(app, "/api/items/articles/1", &[("fields", fields)]).await;
    assert_eq!(one("title,author").await, json!({ "title": "one", "author": 1 }));
    assert_eq!(one("title,author.name").await, json!({ "title": "one", "author": { "name": "Ann" } }));
    assert_eq!(one("author.staff.name,author.name").await, json!({ "author": { "staff": [{ "name": "Bo" }], "name": "Ann" } }));
    assert_eq!(one("tags.tag.name").await, json!({ "tags": [{ "tag": { "name": "red" } }, { "tag": { "name": "green" } }] }));
    assert_eq!(one("tags").await, json!({ "tags": [1, 2] }));
    assert_eq!(
        one("blocks.collection,blocks.item:headings.text,blocks.item:images.url").await,
        json!({ "blocks": [
            { "collection": "headings", "item": { "text": "Hello" } },
            { "collection": "images", "item": { "url": "a.png" } }
        ] })
    );
    // Of a collection that isn't asked for: the key. Of one that leads nowhere: null.
    assert_eq!(
        data(app, "/api/items/articles/2", &[("fields", "blocks.item:headings.text")]).await,
        json!({ "blocks": [{ "item": { "text": "World" } }, { "item": null }] })
    );
    assert_eq!(one("blocks.item:headings.id").await, json!({ "blocks": [{ "item": { "id": 1 } }, { "item": "1" }] }));
    assert_eq!(
        one("year(at),author.year(born),count(tags)").await,
        json!({ "at_year": 2025, "author": { "born_year": 1980 }, "tags_count": 2 })
    );

    let all = one("*").await;
    assert_eq!((&all["author"], &all["tags"], &all["blocks"]), (&json!(1), &json!([1, 2]), &json!([1, 2])));
    let more = one("*.*").await;
    assert_eq!((&more["author"]["secret"], &more["author"]["staff"], &more["tags"][1]["tag"]), (&json!("s1"), &json!([2]), &json!(2)));
    let most = one("*.*.*").await;
    assert_eq!((&most["tags"][1]["tag"]["name"], &most["blocks"][1]["item"]["url"]), (&json!("green"), &json!("a.png")));

    assert_eq!(
        data(app, "/api/items/articles/4", &[("fields", "author.name,tags.tag.name")]).await,
        json!({ "author": null, "tags": [{ "tag": { "name": "blue" } }] })
    );
    let renamed = [("fields", "heading,writer.name"), ("alias", r#"{"heading":"title","writer":"author"}"#)];
    assert_eq!(data(app, "/api/items/articles/1", &renamed).await, json!({ "heading": "one", "writer": { "name": "Ann" } }));
    // What answers a write is read alike.
    let made = app.post("/api/items/articles?fields=title,author.name", json!({ "title": "six", "author": 2 })).await.expect(201).data();
    assert_eq!(made, json!({ "title": "six", "author": { "name": "Bo" } }));
});

both!(filters_lead_through_every_kind_of_relation, async |app| {
    library(app).await;
    let mut wrong = Vec::new();
    for (filter, expected) in [
        (json!({ "author": { "name": { "_eq": "Ann" } } }), &[1, 2][..]),
        (json!({ "author.name": { "_in": ["Bo", "Cy"] } }), &[3, 5]),
        (json!({ "author.name": "Ann" }), &[1, 2]),
        (json!({ "author": { "boss": { "boss": { "name": "Ann" } } } }), &[5]),
        (json!({ "author": 1 }), &[1, 2]),
        (json!({ "author": { "_null": true } }), &[4]),
        (json!({ "author": { "_nnull": true, "name": { "_neq": "Ann" } } }), &[3, 5]),
        (json!({ "author": { "_or": [{ "name": "Bo" }, { "name": "Cy" }] } }), &[3, 5]),
        // What isn't there has no values.
        (json!({ "author": { "id": { "_null": true } } }), &[4]),
        (json!({ "author": { "born": { "_null": true } } }), &[4, 5]),
        (json!({ "author.boss.name": { "_empty": true } }), &[1, 2, 4]),
        (json!({ "author": { "born": { "_null": true }, "name": "Cy" } }), &[5]),
        (json!({ "author": { "_or": [{ "boss": { "name": { "_null": true } } }, { "name": "Bo" }] } }), &[1, 2, 3, 4]),
        (json!({ "author": { "name": { "_neq": "Ann" } } }), &[3, 5]),
        (json!({ "tags": { "tag": { "name": "green" } } }), &[1, 2]),
        (json!({ "tags": { "_some": { "tag": { "name": "red" } } } }), &[1]),
        (json!({ "tags": { "_none": { "tag": { "name": "red" } } } }), &[2, 3, 4, 5]),
        (json!({ "tags": { "_has": true } }), &[1, 2, 4]),
        (json!({ "tags": { "_null": true } }), &[3, 5]),
        (json!({ "_and": [{ "tags.tag.name": "red" }, { "tags.tag.name": "green" }] }), &[1]),
        (json!({ "tags": { "tag": { "name": { "_in": ["red"] } }, "id": 2 } }), &[]),
        (json!({ "blocks": { "item:headings": { "text": "World" } } }), &[2]),
        (json!({ "blocks": { "item:images": {} } }), &[1]),
        (json!({ "blocks.item:headings.text": { "_starts_with": "He" } }), &[1]),
        (json!({ "count(tags)": { "_gte": 2 } }), &[1]),
        (json!({ "count(tags)": 0 }), &[3, 5]),
        (json!({ "year(at)": 2025 }), &[1, 2]),
        (json!({ "month(at)": { "_in": [1, 2] } }), &[1, 3, 4]),
        (json!({ "day(at)": { "_neq": 15 } }), &[5]),
        (json!({ "hour(at)": { "_between": [9, 10] } }), &[2, 3, 4]),
        (json!({ "author": { "year(born)": 1990 } }), &[3]),
        (json!({ "author.year(born)": { "_lt": 1985 } }), &[1, 2]),
        (json!({ "author": { "articles": { "title": "two" } } }), &[1, 2]),
        (json!({ "author": { "count(articles)": 2 } }), &[1, 2]),
        (json!({ "at": { "_lt": "$NOW(-1 day)" } }), &[1, 2, 3, 4]),
        (json!({ "title": "$CURRENT_USER" }), &[]),
    ] {
        let answer = app.query("/api/items/articles", &[("fields", "id"), ("sort", "id"), ("filter", &filter.to_string())]).await;
        if answer.status != 200 || keys(&answer.data()) != expected {
            wrong.push(format!("{filter}: expected {expected:?}, got {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

both!(orders_lead_through_relations, async |app| {
    library(app).await;
    for (sort, expected) in [
        ("author.name", [4, 1, 2, 3, 5]),
        ("-author.name", [5, 3, 1, 2, 4]),
        ("-author.name,-views", [5, 3, 2, 1, 4]),
        ("author.boss.name", [1, 2, 4, 3, 5]),
        ("-year(at),views", [3, 4, 1, 2, 5]),
        ("-count(tags)", [1, 2, 4, 3, 5]),
        ("author.count(articles),-id", [4, 5, 3, 2, 1]),
    ] {
        assert_eq!(keys(&data(app, "/api/items/articles", &[("fields", "id"), ("sort", sort)]).await), expected, "{sort}");
    }
    let blocks = data(app, "/api/items/blocks", &[("fields", "id"), ("sort", "-item:headings.text")]).await;
    assert_eq!(keys(&blocks), [3, 1, 2, 4]);
});

both!(deep_is_a_query_for_each_list, async |app| {
    library(app).await;
    let by = async |fields: &str, deep: Value| {
        data(app, "/api/items/authors", &[("fields", fields), ("sort", "id"), ("deep", &deep.to_string())]).await
    };
    let titles = |rows: &Value| -> Vec<Vec<String>> {
        let list = |row: &Value| row["articles"].as_array().unwrap().iter().map(|a| a["title"].as_str().unwrap().to_owned()).collect();
        rows.as_array().unwrap().iter().map(list).collect()
    };
    let fields = "articles.title";
    assert_eq!(titles(&by(fields, json!({ "articles": { "_sort": "-id" } })).await), [vec!["two", "one"], vec!["three"], vec!["five"]]);
    assert_eq!(titles(&by(fields, json!({ "articles": { "_limit": 1, "_sort": "-views" } })).await), [["two"], ["three"], ["five"]]);
    assert_eq!(titles(&by(fields, json!({ "articles": { "_limit": 1, "_page": 2 } })).await), [vec!["two"], vec![], vec![]]);
    assert_eq!(titles(&by(fields, json!({ "articles": { "_offset": 1 } })).await), [vec!["two"], vec![], vec![]]);
    assert_eq!(
        titles(&by(fields, json!({ "articles": { "_filter": { "tags": { "_has": true } } } })).await),
        [vec!["one", "two"], vec![], vec![]]
    );
    assert_eq!(titles(&by(fields, json!({ "articles": { "_search": "THR" } })).await), [vec![], vec!["three"], vec![]]);
    let below = by(
        "articles.tags.tag.name",
        json!({ "articles": { "tags": { "_limit": 1, "_sort": "-id", "tag": { "_filter": { "name": { "_neq": "red" } } } } } }),
    )
    .await;
    assert_eq!(below[0]["articles"], json!([{ "tags": [{ "tag": { "name": "green" } }] }, { "tags": [{ "tag": { "name": "green" } }] }]));
    let brackets =
        app.get("/api/items/authors/1?fields=articles.title&deep[articles][_limit]=1&deep[articles][_sort]=-id").await.expect(200).data();
    assert_eq!(brackets, json!({ "articles": [{ "title": "two" }] }));
    // One list under two names, each with its own query.
    let twice = [
        ("fields", "old.title,new.title"),
        ("alias", r#"{"old":"articles","new":"articles"}"#),
        ("deep", r#"{"old":{"_filter":{"views":{"_lt":15}}},"new":{"_filter":{"views":{"_gt":15}}}}"#),
    ];
    let twice = data(app, "/api/items/authors/1", &twice).await;
    assert_eq!(twice, json!({ "old": [{ "title": "one" }], "new": [{ "title": "two" }] }));
});

/// Statements about items that the server ran so far; it looks at tables of its own by itself.
fn statements(app: &TestApp) -> usize {
    app.log_lines().iter().map(|line| line.to_string()).filter(|line| line.contains("a statement") && !line.contains("daas_")).count()
}

both!(a_read_costs_a_statement_per_relation_and_level, env: [("LOG_LEVEL", "info,trellis::db=trace")], async |app| {
    library(app).await;
    let rows: Vec<Value> = (0..500).map(|n| json!({ "title": format!("t{n}"), "author": n % 3 + 1 })).collect();
    app.post("/api/items/articles", json!(rows)).await.expect(201);
    let tags: Vec<Value> = (6..500).map(|n| json!({ "article": n, "tag": n % 3 + 1 })).collect();
    app.post("/api/items/articles_tags", json!(tags)).await.expect(201);
    app.get("/api/items/articles/1").await.expect(200);
    for (path, most) in [
        ("/api/items/articles?limit=-1&fields=title", 1),
        ("/api/items/articles?limit=-1&fields=title,author.name", 2),
        ("/api/items/articles?limit=-1&fields=title,author.boss.boss.name,tags.tag.name,blocks.item:headings.text,blocks.item:images.url", 9),
        ("/api/items/authors?fields=articles.title&deep[articles][_limit]=2", 2),
        ("/api/items/authors?fields=name&filter[articles][tags][tag][name]=red&sort=boss.name&meta=*", 3),
    ] {
        let before = statements(app);
        app.get(path).await.expect(200);
        let spent = statements(app) - before;
        assert!(spent >= 1 && spent <= most, "{path}: {spent} statements");
    }
});

both!(nested_rows_are_never_cut_silently, env: [("QUERY_LIMIT_MAX", "20")], async |app| {
    library(app).await;
    let more: Vec<Value> = (0..30).map(|n| json!({ "title": format!("t{n}"), "author": 3 })).collect();
    app.post("/api/items/articles", json!(more[..15])).await.expect(201);
    app.post("/api/items/articles", json!(more[15..])).await.expect(201);
    app.get("/api/items/authors?fields=articles.title").await.expect_error(400, "QUERY_TOO_LARGE");
    let few = app.get("/api/items/authors?fields=articles.title&deep[articles][_limit]=3").await.expect(200).data();
    assert_eq!(few[2]["articles"].as_array().unwrap().len(), 3);
    // The same author under each of 20 articles, each time with a list: 20 × 20 rows.
    let path = "/api/items/articles?filter[author]=3&limit=20&fields=author.articles.id&deep[author][articles][_limit]=19";
    app.get(path).await.expect_error(400, "QUERY_TOO_LARGE");
});

both!(hooks_hear_nested_reads_with_their_part_of_the_query, async |app| {
    library(app).await;
    // What hooks hear, in the order in which they hear it.
    collection(app, "heard", &[("what", "text")]).await;
    let note = |what: &str| {
        format!("const h = await services.items('heard', {{ elevated: true, emitEvents: false }}); await h.createOne({{ what: {what} }});")
    };
    filter(
        app,
        "articles.items.query",
        &format!("{} return payload;", note("'query ' + JSON.stringify([payload.fields, payload.filter ?? null, payload.limit ?? null])")),
    )
    .await;
    filter(
        app,
        "articles.items.read",
        &format!("{} return payload.filter((a) => a.title !== 'two');", note("'read ' + payload.map((a) => a.title)")),
    )
    .await;
    filter(app, "tags.items.query", "return { ...payload, filter: { _and: [payload.filter ?? {}, { name: { _neq: 'red' } }] } };").await;
    let deep = json!({ "articles": { "_limit": 5, "_filter": { "views": { "_gt": 1 } } } }).to_string();
    let rows =
        data(app, "/api/items/authors", &[("fields", "articles.title,articles.tags.tag.name"), ("sort", "id"), ("deep", &deep)]).await;
    assert_eq!(
        rows,
        json!([
            { "articles": [{ "title": "one", "tags": [{ "tag": null }, { "tag": { "name": "green" } }] }] },
            { "articles": [{ "title": "three", "tags": [] }] },
            { "articles": [] }
        ])
    );
    assert_eq!(
        column(app, "heard", "what").await,
        [json!(r#"query [["title","tags.tag.name"],{"views":{"_gt":1}},5]"#), json!("read one,two,three")]
    );
    // A condition that a hook adds may lead anywhere.
    filter(app, "authors.items.query", "return { ...payload, filter: { articles: { tags: { tag: { name: 'blue' } } } } };").await;
    assert_eq!(data(app, "/api/items/authors", &[]).await, json!([]));
});

both!(a_search_reads_like_a_get, async |app| {
    library(app).await;
    let search = async |body: Value| Answer::of(app.request("SEARCH", "/api/items/articles").json(&body)).await;
    let query = json!({ "query": { "fields": ["title", "author.name"], "filter": { "author": { "name": "Bo" } }, "sort": ["-id"], "meta": "filter_count" } });
    let answer = search(query).await.expect(200).json();
    assert_eq!(answer["data"], json!([{ "title": "three", "author": { "name": "Bo" } }]));
    assert_eq!(answer["meta"]["filter_count"], 1);
    assert_eq!(
        search(json!({ "keys": [3, 1, 99], "query": { "fields": ["id"] } })).await.expect(200).data(),
        json!([{ "id": 3 }, { "id": 1 }])
    );
    let many: Vec<u64> = (1..=100_000).collect();
    let answer = search(json!({ "query": { "fields": ["id"], "filter": { "id": { "_in": many } } } })).await.expect(200);
    assert_eq!(keys(&answer.data()), [1, 2, 3, 4, 5]);
    let groups = search(json!({ "query": { "aggregate": { "count": ["*"] } } })).await.expect(200).data();
    assert_eq!(groups, json!([{ "count": 5 }]));
    search(json!({ "query": [] })).await.expect_error(400, "INVALID_PAYLOAD");
    let refused = Answer::of(app.request("PURGE", "/api/items/articles")).await.expect_error(405, "METHOD_NOT_ALLOWED");
    assert!(refused.header("allow").contains("SEARCH"));
});

both!(a_page_of_what_is_found_through_lists_begins_where_it_should, async |app| {
    library(app).await;
    for (path, filter, all) in [
        ("authors", json!({ "articles": { "id": { "_gt": 0 } } }), &[1, 2, 3][..]),
        ("authors", json!({ "articles": { "tags": { "_has": true } } }), &[1]),
        ("articles", json!({ "author": { "articles": { "views": { "_gt": 5 } } } }), &[1, 2, 3]),
        ("articles", json!({ "author": { "articles": { "tags": { "_has": true } } } }), &[1, 2]),
        ("tags", json!({ "articles": { "article": { "tags": { "_has": true } } } }), &[1, 2, 3]),
    ] {
        for offset in 0..=all.len() {
            let (filter, offset_text) = (filter.to_string(), offset.to_string());
            let page = [("fields", "id"), ("sort", "id"), ("limit", "2"), ("offset", offset_text.as_str()), ("filter", filter.as_str())];
            let answer = app.query(&format!("/api/items/{path}"), &page).await.expect(200);
            assert_eq!(keys(&answer.data()), all.iter().copied().skip(offset).take(2).collect::<Vec<_>>(), "{filter} from {offset}");
        }
    }
});

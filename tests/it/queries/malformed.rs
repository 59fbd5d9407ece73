//! The worst that anybody can send as a query: the right answer, or a 4xx that says what and where.

use serde_json::{Value, json};

use super::library::library;
use crate::support::*;

fn nested(levels: usize, wrap: impl Fn(Value) -> Value, inner: Value) -> Value {
    (0..levels).fold(inner, |inner, _| wrap(inner))
}

both!(no_query_is_answered_by_a_failure_of_the_server, async |app| {
    library(app).await;
    let sql = "x'; DROP TABLE articles; --\" OR 1=1";
    let names =
        ["__proto__", "constructor", "", ".", "..", "a.", "title\u{0}", "titel", "\u{202e}", sql, "*.", "a(b", "year()", ":", "item:"];
    let mut queries = Vec::new();
    for name in names {
        queries.extend([
            json!({ "fields": [name] }),
            json!({ "fields": [format!("author.{name}")] }),
            json!({ "filter": { name: { "_eq": 1 } } }),
            json!({ "filter": { "author": { name: 1 } } }),
            json!({ "filter": { "title": { name: 1 } } }),
            json!({ "filter": { "title": { "_eq": name } } }),
            json!({ "filter": { "title": { "_regex": name } } }),
            json!({ "sort": [name] }),
            json!({ "sort": [format!("-author.{name}")] }),
            json!({ "search": name }),
            json!({ "alias": { name: name } }),
            json!({ "deep": { name: { name: 1 } } }),
            json!({ "fields": ["author.name"], "deep": { "author": { "_filter": { name: 1 } } } }),
            json!({ "groupBy": [name] }),
            json!({ "aggregate": { name: name } }),
            json!({ "aggregate": { "count": [name] }, "sort": [name] }),
            json!({ "meta": name }),
            json!({ name: name }),
        ]);
    }
    let huge = json!(1e308);
    queries.extend([
        json!({ "filter": { "views": { "_eq": huge } } }),
        json!({ "filter": { "views": { "_in": [huge, "9".repeat(400)] } } }),
        json!({ "filter": { "year(at)": "9".repeat(40) } }),
        json!({ "filter": { "count(tags)": huge } }),
        json!({ "filter": { "at": "$NOW(+99999999 years)" } }),
        json!({ "filter": { "at": "$NOW(" } }),
        json!({ "filter": { "title": "$CURRENT_NOBODY" } }),
        json!({ "filter": { "title": "$CURRENT_USER.a.b.c.d.e.f.g" } }),
        json!({ "filter": { "author": { "_some": { "id": 1 } } } }),
        json!({ "filter": nested(100, |f| json!({ "_and": [f] }), json!({})) }),
        json!({ "filter": nested(100, |f| json!({ "author": { "articles": f } }), json!({})) }),
        json!({ "filter": { "_or": (0..1000).map(|n| json!({ "author": { "id": n } })).collect::<Vec<_>>() } }),
        json!({ "fields": [vec!["author.articles"; 50].join(".")] }),
        json!({ "fields": [vec!["*"; 30].join(".")] }),
        json!({ "fields": (0..20_000).map(|n| format!("f{n}")).collect::<Vec<_>>() }),
        json!({ "sort": (0..1000).map(|_| "author.name").collect::<Vec<_>>() }),
        json!({ "limit": huge, "offset": "1e9" }),
        json!({ "page": "9".repeat(30) }),
        json!({ "offset": u64::MAX }),
        json!({ "page": i64::MAX, "limit": 10_000 }),
        json!({ "deep": nested(100, |d| json!({ "articles": d }), json!({})) }),
        json!({ "fields": [{ "author": ["name"] }] }),
        json!({ "fields": null, "filter": null, "sort": null, "limit": null, "deep": null, "alias": null }),
    ]);
    let mut wrong = Vec::new();
    for query in queries {
        let answer = Answer::of(app.request("SEARCH", "/api/items/articles").json(&json!({ "query": query }))).await;
        if !(answer.status == 200 || (400..500).contains(&answer.status) && !answer.message().is_empty()) {
            wrong.push(format!("{query}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for body in [
        "{".to_owned(),
        "[]".to_owned(),
        format!("{{\"query\":{}1{}}}", "{\"filter\":".repeat(1000), "}".repeat(1000)),
        "{\"query\":{\"filter\":{\"id\":1},\"filter\":{\"id\":2}}}".to_owned(),
        format!("{{\"query\":{{\"filter\":{{\"id\":{}}}}}}}", "9".repeat(5000)),
    ] {
        let answer = app.raw("SEARCH", "/api/items/articles", body.clone()).await;
        assert!(answer.status == 200 || answer.status == 400, "{body:.60}: {} {}", answer.status, answer.body);
    }
    for query in [
        "filter=%00",
        "filter[a][b",
        "filter[",
        "fields[][]=a",
        "deep[author]=x",
        "alias[]=x",
        "sort[a]=b",
        "fields[0]=id&fields[1]=title",
        "aggregate[]=count",
        "%ff=1",
    ] {
        let answer = app.get(&format!("/api/items/articles?{query}")).await;
        assert!(answer.status < 500, "{query}: {} {}", answer.status, answer.body);
    }
    assert_eq!(count(app, "articles").await, 5);
});

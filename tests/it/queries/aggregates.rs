//! `aggregate` and `groupBy` over REST, in the shape that Directus answers.

use serde_json::{Value, json};

use super::library::library;
use crate::support::*;

both!(groups_are_counted_and_summed, async |app| {
    library(app).await;
    let by = async |query: &str| app.get(&format!("/api/items/articles?{query}")).await.expect(200).data();
    assert_eq!(by("aggregate[count]=*").await, json!([{ "count": 5 }]));
    assert_eq!(by("aggregate[count]=id,views").await, json!([{ "count": { "id": 5, "views": 4 } }]));
    assert_eq!(
        by("aggregate[countAll]=*&aggregate[countDistinct]=author").await,
        json!([{ "countAll": 5, "countDistinct": { "author": 3 } }])
    );
    assert_eq!(
        by("aggregate[sum]=views&aggregate[avg]=views&aggregate[min]=views&aggregate[max]=title").await,
        json!([{ "sum": { "views": 100 }, "avg": { "views": 25 }, "min": { "views": 10 }, "max": { "title": "two" } }])
    );
    assert_eq!(
        by("aggregate[count]=*&groupBy=year(at)&filter[at][_nnull]=true").await,
        json!([{ "at_year": 2025, "count": 2 }, { "at_year": 2026, "count": 2 }])
    );
    assert_eq!(
        by("aggregate[sum]=views&groupBy[]=author&sort=-sum.views&limit=2").await,
        json!([{ "author": null, "sum": { "views": 40 } }, { "author": 1, "sum": { "views": 30 } }])
    );
    assert_eq!(by("groupBy=author&filter[author][name]=Ann").await, json!([{ "author": 1 }]));
    assert_eq!(by("aggregate[count]=*&filter[author][name]=Ann&search=ONE").await, json!([{ "count": 1 }]));
    // As the SDK sends it.
    let sent = app
        .query("/api/items/articles", &[("aggregate", r#"{"count":"*"}"#), ("groupBy", "month(at),author"), ("sort", "-month(at),author")])
        .await;
    assert_eq!(sent.expect(200).data()[0], json!({ "at_month": 6, "author": 1, "count": 1 }));
    for bad in [
        "aggregate[count]=nothing",
        "aggregate[median]=views",
        "aggregate[sum]=title",
        "aggregate[sum]=*",
        "aggregate[count]=*,id",
        "aggregate=5",
        "aggregate={",
        "aggregate[count]=*&groupBy=year(title)",
        "aggregate[count]=*&groupBy=author.name",
        "aggregate[count]=*&groupBy=count(tags)",
        "aggregate[count]=*&sort=title",
        "aggregate[count]=*&fields=id",
        "aggregate[count]=*&deep[tags][_limit]=1",
    ] {
        app.get(&format!("/api/items/articles?{bad}")).await.expect_error(400, "INVALID_QUERY");
    }
});

both!(query_hooks_narrow_what_is_counted, async |app| {
    library(app).await;
    filter(app, "articles.items.query", "return { ...payload, filter: { _and: [payload.filter ?? {}, { author: { name: 'Ann' } }] } };")
        .await;
    let count = app.get("/api/items/articles?aggregate[count]=*").await.expect(200).data();
    assert_eq!(count, json!([{ "count": 2 }]));
    let from_js = result_of(
        app,
        "return (await services.items('articles')).readAggregate({ aggregate: { sum: ['views'] }, groupBy: ['year(at)'] });",
    )
    .await;
    assert_eq!(from_js, json!([{ "at_year": 2025, "sum": { "views": 30 } }]));
});

both!(groups_hold_only_what_the_caller_may_read, async |app| {
    library(app).await;
    let reader = person(app, &[may("read", "articles", &["id", "title"])]).await.client;
    assert_eq!(reader.get("/api/items/articles?aggregate[count]=*").await.expect(200).data(), json!([{ "count": 5 }]));
    let refused: [Value; 4] = [
        json!("aggregate[sum]=views"),
        json!("aggregate[count]=views"),
        json!("aggregate[count]=*&groupBy=author"),
        json!("aggregate[count]=*&groupBy=year(at)"),
    ];
    for query in refused {
        reader.get(&format!("/api/items/articles?{}", query.as_str().unwrap())).await.expect_error(403, "FORBIDDEN");
    }
});

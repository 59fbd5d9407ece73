//! Reading lists: operators, order, pages, search, counts and fields, with the expected rows beside each query.

mod aggregates;
mod agreement;
mod library;
mod malformed;
mod plans;
mod relations;
mod rights;

use serde_json::{Value, json};

use crate::support::*;

/// Eight rows, keys 1 to 8, with nulls, cases, wildcards and letters beyond ASCII.
async fn rows(app: &Client) {
    collection(
        app,
        "things",
        &[
            ("name", "string"),
            ("n", "integer"),
            ("big", "bigInteger"),
            ("price", "decimal(10,2)"),
            ("f", "float"),
            ("on", "boolean"),
            ("tag", "uuid"),
            ("at", "timestamp"),
            ("local", "dateTime"),
            ("note", "text"),
            ("data", "json"),
        ],
    )
    .await;
    let tag = |n: u8| format!("00000000-0000-4000-8000-00000000000{n}");
    let rows = json!([
        { "name": "Apple", "n": 1, "big": "9007199254740993", "price": "1.50", "f": 0.5, "on": true, "tag": tag(1), "at": "2026-01-01T00:00:00Z", "local": "2026-01-01T00:00:00", "note": "red fruit" },
        { "name": "apple", "n": 2, "big": 2, "price": "10.00", "f": -1.0, "on": false, "tag": tag(2), "at": "2026-01-02T00:00:00Z", "local": "2026-01-02T00:00:00", "note": "" },
        { "name": "Banana", "n": 3, "big": 3, "price": "2.00", "f": 1e10, "on": true, "tag": tag(3), "at": "2026-01-03T12:00:00.500Z", "local": "2026-01-03T12:00:00.500", "note": "100% yellow" },
        { "name": "ÄPFEL", "n": 4, "big": 4, "price": "0.01", "f": 2.5, "on": false, "tag": tag(4), "at": "2026-02-01T00:00:00Z", "local": "2026-02-01T00:00:00", "note": "a_b" },
        { "name": "äpfel", "n": 5, "big": -5, "price": "-3.00", "f": 2.25, "on": true, "tag": tag(5), "at": "2025-12-31T23:59:59.999Z", "local": "2025-12-31T23:59:59.999", "note": "axb" },
        { "name": "Zebra", "n": -6, "big": 6, "price": "99.99", "f": 0.0, "on": null, "tag": null, "at": null, "local": null, "note": "100 yellow", "data": { "a": 1 } },
        { "name": "", "n": 7, "big": null, "price": null, "f": null, "on": true, "tag": tag(7), "at": "2027-01-01T00:00:00Z", "local": "2027-01-01T00:00:00", "note": "back\\slash" },
        { "name": null, "n": null, "big": null, "price": null, "f": null, "on": null, "tag": null, "at": null, "local": null, "note": null }
    ]);
    app.post("/api/items/things", rows).await.expect(201);
}

/// Keys in the order of the answer.
fn keys(answer: &Answer) -> Vec<u64> {
    answer.data().as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

async fn found(app: &Client, filter: &Value) -> Answer {
    app.query("/api/items/things", &[("fields", "id"), ("sort", "id"), ("filter", &filter.to_string())]).await
}

/// Every scalar operator. A negation matches rows without a value too.
fn operators() -> Vec<(Value, &'static [u64])> {
    vec![
        (json!({ "name": { "_eq": "apple" } }), &[2]),
        (json!({ "name": "apple" }), &[2]),
        (json!({ "name": { "_eq": null } }), &[8]),
        (json!({ "name": { "_neq": "apple" } }), &[1, 3, 4, 5, 6, 7, 8]),
        (json!({ "n": { "_eq": 3 } }), &[3]),
        (json!({ "n": { "_eq": "3" } }), &[3]),
        (json!({ "n": 3 }), &[3]),
        (json!({ "n": { "_lt": 2 } }), &[1, 6]),
        (json!({ "n": { "_lte": 2 } }), &[1, 2, 6]),
        (json!({ "n": { "_gt": 4 } }), &[5, 7]),
        (json!({ "n": { "_gte": 4 } }), &[4, 5, 7]),
        (json!({ "name": { "_lt": "Banana" } }), &[1, 7]),
        (json!({ "name": { "_gt": "Zebra" } }), &[2, 4, 5]),
        (json!({ "big": { "_eq": "9007199254740993" } }), &[1]),
        (json!({ "big": { "_gt": "9007199254740992" } }), &[1]),
        (json!({ "price": { "_gt": 2 } }), &[2, 6]),
        (json!({ "price": { "_lt": "0" } }), &[5]),
        (json!({ "price": { "_eq": "1.5" } }), &[1]),
        (json!({ "f": { "_gte": 2.5 } }), &[3, 4]),
        (json!({ "on": { "_eq": true } }), &[1, 3, 5, 7]),
        (json!({ "on": { "_neq": true } }), &[2, 4, 6, 8]),
        (json!({ "tag": { "_eq": "00000000-0000-4000-8000-000000000003" } }), &[3]),
        (json!({ "tag": { "_in": ["00000000-0000-4000-8000-000000000003", "00000000-0000-4000-8000-000000000004"] } }), &[3, 4]),
        (json!({ "at": { "_lt": "2026-01-01T00:00:00Z" } }), &[5]),
        (json!({ "at": { "_gte": "2026-01-03T13:00:00.500+01:00" } }), &[3, 4, 7]),
        (json!({ "local": { "_between": ["2026-01-02", "2026-01-31"] } }), &[2, 3]),
        (json!({ "n": { "_in": [1, 3, 99] } }), &[1, 3]),
        (json!({ "n": { "_in": [] } }), &[]),
        (json!({ "n": { "_nin": [1, 3] } }), &[2, 4, 5, 6, 7, 8]),
        (json!({ "n": { "_nin": [] } }), &[1, 2, 3, 4, 5, 6, 7, 8]),
        (json!({ "name": { "_in": ["Apple", "äpfel"] } }), &[1, 5]),
        (json!({ "name": { "_null": true } }), &[8]),
        (json!({ "name": { "_null": false } }), &[1, 2, 3, 4, 5, 6, 7]),
        (json!({ "name": { "_nnull": true } }), &[1, 2, 3, 4, 5, 6, 7]),
        (json!({ "data": { "_nnull": true } }), &[6]),
        (json!({ "name": { "_contains": "pp" } }), &[1, 2]),
        (json!({ "name": { "_contains": "AP" } }), &[]),
        (json!({ "name": { "_ncontains": "pp" } }), &[3, 4, 5, 6, 7, 8]),
        (json!({ "name": { "_icontains": "APP" } }), &[1, 2]),
        (json!({ "name": { "_icontains": "Äpf" } }), &[4, 5]),
        (json!({ "name": { "_nicontains": "äP" } }), &[1, 2, 3, 6, 7, 8]),
        (json!({ "name": { "_starts_with": "A" } }), &[1]),
        (json!({ "name": { "_nstarts_with": "A" } }), &[2, 3, 4, 5, 6, 7, 8]),
        (json!({ "name": { "_istarts_with": "ä" } }), &[4, 5]),
        (json!({ "name": { "_nistarts_with": "a" } }), &[3, 4, 5, 6, 7, 8]),
        (json!({ "name": { "_ends_with": "a" } }), &[3, 6]),
        (json!({ "name": { "_nends_with": "a" } }), &[1, 2, 4, 5, 7, 8]),
        (json!({ "name": { "_iends_with": "FEL" } }), &[4, 5]),
        (json!({ "name": { "_niends_with": "E" } }), &[3, 4, 5, 6, 7, 8]),
        (json!({ "note": { "_contains": "100%" } }), &[3]),
        (json!({ "note": { "_contains": "a_b" } }), &[4]),
        (json!({ "note": { "_contains": "k\\s" } }), &[7]),
        (json!({ "note": { "_icontains": "A_B" } }), &[4]),
        (json!({ "note": { "_starts_with": "%" } }), &[]),
        (json!({ "n": { "_between": [2, 4] } }), &[2, 3, 4]),
        (json!({ "n": { "_nbetween": [2, 4] } }), &[1, 5, 6, 7, 8]),
        (json!({ "name": { "_empty": true } }), &[7, 8]),
        (json!({ "name": { "_nempty": true } }), &[1, 2, 3, 4, 5, 6]),
        (json!({ "name": { "_regex": "^[Aa]pp" } }), &[1, 2]),
        (json!({ "name": { "_regex": "a$" } }), &[3, 6]),
        (json!({ "name": { "_regex": "^.{5}$" } }), &[1, 2, 4, 5, 6]),
        (json!({ "name": { "_regex": "(an){2}|Z" } }), &[3, 6]),
        (json!({ "note": { "_regex": "\\d+%" } }), &[3]),
        (json!({ "note": { "_regex": "^a[^_]b$" } }), &[5]),
        (json!({ "_and": [{ "n": { "_gt": 1 } }, { "n": { "_lt": 4 } }] }), &[2, 3]),
        (json!({ "_or": [{ "n": { "_eq": 1 } }, { "name": { "_null": true } }] }), &[1, 8]),
        (json!({ "_and": [] }), &[1, 2, 3, 4, 5, 6, 7, 8]),
        (json!({ "n": { "_gt": 1, "_lt": 4 } }), &[2, 3]),
        (json!({ "n": { "_gt": 1 }, "on": { "_eq": true } }), &[3, 5, 7]),
        (json!({ "_or": [{ "_and": [{ "n": 1 }, { "on": true }] }, { "n": { "_eq": 4 }, "on": { "_eq": false } }] }), &[1, 4]),
        (json!({}), &[1, 2, 3, 4, 5, 6, 7, 8]),
    ]
}

both!(every_operator_finds_what_the_table_says, async |app| {
    rows(app).await;
    let mut wrong = Vec::new();
    for (filter, expected) in operators() {
        let answer = found(app, &filter).await;
        if answer.status != 200 || keys(&answer) != expected {
            wrong.push(format!("{filter}: expected {expected:?}, got {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

both!(a_filter_that_makes_no_sense_is_refused_with_its_place, async |app| {
    rows(app).await;
    let mut wrong = Vec::new();
    for filter in [
        json!({ "n": { "_eq": "x" } }),
        json!({ "n": { "_between": [1] } }),
        json!({ "n": { "_between": 1 } }),
        json!({ "n": { "_in": {} } }),
        json!({ "n": { "_contains": "1" } }),
        json!({ "n": { "_equals": 1 } }),
        json!({ "name": { "_contains": 1 } }),
        json!({ "name": { "_null": "perhaps" } }),
        json!({ "name": { "_regex": "(" } }),
        json!({ "name": { "_regex": "(?=a)" } }),
        json!({ "name": { "_regex": "\\bword" } }),
        json!({ "name": { "_regex": "(a)\\1" } }),
        json!({ "tag": { "_eq": "not a uuid" } }),
        json!({ "at": { "_gt": "tomorrow" } }),
        json!({ "data": { "_eq": 1 } }),
        json!({ "_and": {} }),
        json!({ "_or": [1] }),
        json!([]),
        json!("x"),
        json!({ "name": { "_eq": "a\u{0}" } }),
    ] {
        let answer = found(app, &filter).await;
        if answer.status != 400 || answer.code() != "INVALID_QUERY" {
            wrong.push(format!("{filter}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    app.query("/api/items/things", &[("filter", "{\"n\":")]).await.expect_error(400, "INVALID_QUERY");
});

both!(brackets_say_the_same_as_json, async |app| {
    rows(app).await;
    let by = async |path: &str| keys(&app.get(&format!("/api/items/things?fields=id&sort=id&{path}")).await.expect(200));
    assert_eq!(by("filter[name][_eq]=apple").await, [2]);
    assert_eq!(by("filter[n][_in]=1,3").await, [1, 3]);
    assert_eq!(by("filter[n][_gt]=1&filter[n][_lt]=4").await, [2, 3]);
    assert_eq!(by("filter[_or][0][n][_eq]=1&filter[_or][1][n][_eq]=2").await, [1, 2]);
    assert_eq!(by("filter%5Bname%5D%5B_null%5D=true").await, [8]);
});

both!(rows_are_sorted_alike_everywhere, async |app| {
    rows(app).await;
    let by = async |sort: &str| keys(&app.query("/api/items/things", &[("sort", sort)]).await.expect(200));
    // By code point; without a value first upwards and last downwards; equals by key.
    assert_eq!(by("name").await, [8, 7, 1, 3, 6, 2, 4, 5]);
    assert_eq!(by("-name").await, [5, 4, 2, 6, 3, 1, 7, 8]);
    assert_eq!(by("price").await, [7, 8, 5, 4, 1, 3, 2, 6]);
    assert_eq!(by("-n").await, [7, 5, 4, 3, 2, 1, 6, 8]);
    assert_eq!(by("on,-n").await, [6, 8, 4, 2, 7, 5, 3, 1]);
    assert_eq!(by("-big").await, [1, 6, 4, 3, 2, 5, 7, 8]);
    assert_eq!(by("").await, [1, 2, 3, 4, 5, 6, 7, 8]);
});

both!(pages_are_cut_as_asked, async |app| {
    rows(app).await;
    let by = async |parameters: &str| keys(&app.get(&format!("/api/items/things?{parameters}")).await.expect(200));
    assert_eq!(by("limit=3").await, [1, 2, 3]);
    assert_eq!(by("limit=3&page=2").await, [4, 5, 6]);
    assert_eq!(by("limit=3&page=3").await, [7, 8]);
    assert_eq!(by("limit=3&page=9").await, [0_u64; 0]);
    assert_eq!(by("limit=2&offset=5").await, [6, 7]);
    assert_eq!(by("limit=-1").await.len(), 8);
    assert_eq!(by("limit=0").await.len(), 0);
    for bad in ["limit=x", "limit=-2", "page=0", "page=-1", "offset=-1", "limit=1.5", "limit=99999999999999999999"] {
        app.get(&format!("/api/items/things?{bad}")).await.expect_error(400, "INVALID_QUERY");
    }
});

both!(a_list_has_25_rows_unless_asked_otherwise, async |app| {
    articles(app).await;
    app.post("/api/items/articles", (0..30).map(|n| json!({ "views": n })).collect()).await.expect(201);
    assert_eq!(app.get("/api/items/articles").await.expect(200).data().as_array().unwrap().len(), 25);
});

both!(more_rows_than_the_maximum_are_never_cut_silently, env: [("QUERY_LIMIT_MAX", "10")], async |app| {
    articles(app).await;
    app.post("/api/items/articles", (0..11).map(|n| json!({ "views": n })).collect()).await.expect(201);
    let all = app.get("/api/items/articles?limit=-1").await;
    assert!(all.status == 400 || all.data().as_array().unwrap().len() == 10, "{all:?}");
    let refused = result_of(app, "const a = await services.items('articles'); try { await a.readByQuery({}); return 'all' } catch (e) { return e.code }");
    assert_eq!(refused.await, "QUERY_TOO_LARGE");
});

both!(counts_are_given_when_asked_for, async |app| {
    rows(app).await;
    let meta = async |parameters: &str| app.get(&format!("/api/items/things?limit=2&{parameters}")).await.expect(200).json()["meta"].take();
    let plain = meta("").await;
    assert_eq!((&plain["page"], &plain["limit"]), (&json!(1), &json!(2)));
    assert!(plain.get("total_count").is_none() && plain.get("filter_count").is_none(), "{plain}");
    let all = meta("meta=*&filter[n][_gt]=3").await;
    assert_eq!((&all["total_count"], &all["filter_count"]), (&json!(8), &json!(3)), "{all}");
    assert_eq!(meta("meta=filter_count&search=apple").await["filter_count"], 2);
    app.get("/api/items/things?meta=everything").await.expect_error(400, "INVALID_QUERY");
});

both!(search_looks_into_texts_without_case, async |app| {
    rows(app).await;
    let by = async |term: &str| keys(&app.query("/api/items/things", &[("search", term), ("sort", "id")]).await.expect(200));
    assert_eq!(by("APPLE").await, [1, 2]);
    assert_eq!(by("äPFEL").await, [4, 5]);
    assert_eq!(by("100%").await, [3]);
    assert_eq!(by("yellow").await, [3, 6]);
    assert_eq!(by("00000000-0000-4000-8000-000000000004").await, [4]);
    assert_eq!(by("nothing of the kind").await, [0_u64; 0]);
    assert_eq!(by("'; --").await, [0_u64; 0]);
});

both!(only_the_fields_asked_for_are_answered, async |app| {
    rows(app).await;
    let one = async |fields: &str| app.query("/api/items/things/1", &[("fields", fields)]).await.expect(200).data();
    assert_eq!(one("name").await, json!({ "name": "Apple" }));
    assert_eq!(one("n,name").await.as_object().unwrap().len(), 2);
    assert_eq!(one("*").await.as_object().unwrap().len(), 12);
    assert_eq!(app.get("/api/items/things?limit=1&fields[]=id&fields[]=n").await.expect(200).data(), json!([{ "id": 1, "n": 1 }]));
});

both!(the_same_query_as_text_and_with_repeats_is_stable, async |app| {
    rows(app).await;
    let first = app.get("/api/items/things?limit=-1&sort=-on,price").await.expect(200).body;
    for _ in 0..3 {
        assert_eq!(app.get("/api/items/things?limit=-1&sort=-on,price").await.expect(200).body, first);
    }
});

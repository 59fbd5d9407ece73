//! Values keep every digit, answers keep the order that was asked for, and an empty condition means nothing rather than everything.

use serde_json::{Value, json};

use crate::support::*;

/// Finite doubles of every size, the same in each run.
fn doubles(n: usize) -> Vec<f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from_bits(state)
    })
    .filter(|x| x.is_finite())
    .take(n)
    .collect()
}

both!(doubles_come_back_bit_by_bit, async |app| {
    collection(app, "numbers", &[("f", "float"), ("j", "json")]).await;
    let sent = doubles(200);
    let rows: Value = sent.iter().map(|x| json!({ "f": x, "j": { "x": [x] } })).collect();
    let made = app.post("/api/items/numbers", rows).await.expect(201).data();
    let read = app.get("/api/items/numbers?limit=-1&sort=id").await.expect(200).data();
    let mut wrong = Vec::new();
    for (n, x) in sent.iter().enumerate() {
        for (what, row) in [("created", &made[n]), ("read", &read[n])] {
            for (field, shown) in [("float", &row["f"]), ("json", &row["j"]["x"][0])] {
                if shown.as_f64().map(f64::to_bits) != Some(x.to_bits()) {
                    wrong.push(format!("{field} {x:e} {what} as {shown}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

both!(a_decimal_with_more_digits_than_a_number_holds_must_be_text, async |app| {
    collection(app, "money", &[("amount", "decimal(18,2)")]).await;
    for text in ["1234567890123456.78", "-9876543210987654.32", "123456789012345678e-2"] {
        let answer = app.raw("POST", "/api/items/money", format!(r#"{{"amount":{text}}}"#)).await.expect(400);
        assert_eq!(answer.field(), "amount", "{}", answer.body);
    }
    assert_eq!(count(app, "money").await, 0);
    for text in ["1234567890123456.78", "-9876543210987654.32"] {
        assert_eq!(create(app, "money", json!({ "amount": text })).await["amount"], text);
    }
    assert_eq!(create(app, "money", json!({ "amount": 12.5 })).await["amount"], "12.50");
    assert_eq!(column(app, "money", "amount").await, ["1234567890123456.78", "-9876543210987654.32", "12.50"]);
});

async fn three(app: &Client) {
    articles(app).await;
    for title in ["a", "b", "c"] {
        create(app, "articles", json!({ "title": title, "slug": "old" })).await;
    }
}

/// Queries that name no row in particular.
fn everything() -> Vec<Value> {
    vec![
        json!({}),
        json!({ "filter": null }),
        json!({ "filter": {} }),
        json!({ "filter": { "_and": [] } }),
        json!({ "filter": { "_and": [{}] } }),
        json!({ "filter": { "_and": [{ "_and": [] }] } }),
        json!({ "filter": { "_or": [{}] } }),
        json!({ "search": "" }),
        json!({ "search": " " }),
        json!({ "limit": -1 }),
        json!({ "filter": {}, "search": " ", "limit": -1 }),
        json!({ "sort": ["id"] }),
        json!({ "fields": ["id"] }),
    ]
}

both!(an_empty_query_deletes_nothing, async |app| {
    three(app).await;
    for path in [
        "",
        "?filter=",
        "?filter=%7B%7D",
        "?filter=%7B%22_and%22%3A%5B%5D%7D",
        "?filter=null",
        "?search=",
        "?search=%20",
        "?limit=-1",
        "?sort=id",
    ] {
        app.delete(&format!("/api/items/articles{path}")).await.expect(400);
    }
    for query in everything() {
        app.delete_with("/api/items/articles", json!({ "query": query })).await.expect(400);
    }
    assert_eq!(column(app, "articles", "title").await, ["a", "b", "c"]);
    app.delete_with("/api/items/articles", json!({ "query": { "filter": { "title": "b" } } })).await.expect(204);
    assert_eq!(column(app, "articles", "title").await, ["a", "c"]);
});

both!(an_empty_query_changes_nothing, async |app| {
    three(app).await;
    for query in everything() {
        app.patch("/api/items/articles", json!({ "query": query, "data": { "slug": "new" } })).await.expect(400);
    }
    assert_eq!(column(app, "articles", "slug").await, ["old", "old", "old"]);
    app.patch("/api/items/articles", json!({ "query": { "filter": { "title": "b" } }, "data": { "slug": "new" } })).await.expect(200);
    assert_eq!(column(app, "articles", "slug").await, ["old", "new", "old"]);
});

fn ids(rows: &Value) -> Vec<u64> {
    rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect()
}

both!(changed_rows_are_answered_in_the_order_of_the_keys, async |app| {
    articles(app).await;
    app.post("/api/items/articles", (0..9).map(|n| json!({ "title": n.to_string() })).collect()).await.expect(201);
    for keys in [vec![3, 1, 2], vec![9, 8, 1, 5], vec![1, 2, 3]] {
        let changed = app.patch("/api/items/articles", json!({ "keys": keys, "data": { "slug": "s" } })).await.expect(200).data();
        assert_eq!(ids(&changed), keys);
        let rows: Value = keys.iter().map(|key| json!({ "id": key, "slug": format!("of {key}") })).collect();
        let changed = app.patch("/api/items/articles", rows).await.expect(200).data();
        assert_eq!(ids(&changed), keys);
        assert!(changed.as_array().unwrap().iter().all(|row| row["slug"] == format!("of {}", row["id"])), "{changed}");
    }
});

both!(the_answer_to_a_write_has_the_fields_that_were_asked_for, async |app| {
    articles(app).await;
    let item = json!({ "title": "a", "slug": "s", "views": 1 });
    let made = app.post("/api/items/articles?fields=title", item.clone()).await.expect(201).data();
    assert_eq!(made, json!({ "title": "a" }));
    let made = app.post("/api/items/articles?fields=id,slug", json!([item, item])).await.expect(201).data();
    assert_eq!(made, json!([{ "id": 2, "slug": "s" }, { "id": 3, "slug": "s" }]));
    let changed = app.patch("/api/items/articles/1?fields=views", json!({ "views": 2 })).await.expect(200).data();
    assert_eq!(changed, json!({ "views": 2 }));
    let changed =
        app.patch("/api/items/articles?fields=title", json!({ "keys": [2, 1], "data": { "title": "b" } })).await.expect(200).data();
    assert_eq!(changed, json!([{ "title": "b" }, { "title": "b" }]));
    app.post("/api/items/articles?fields=titel", json!({ "title": "a" })).await.expect(400);
});

//! A small library: articles of authors, with tags through a junction and blocks of several kinds.

use serde_json::{Value, json};

use crate::support::*;

/// A field that refers to items of `related`, and the list on the other side.
pub async fn link(app: &Client, collection: &str, field: &str, related: &str, list: Option<&str>) {
    if let Some(list) = list {
        let alias = json!({ "field": list, "type": "alias", "meta": { "special": ["o2m"] }, "schema": null });
        app.post(&format!("/api/fields/{related}"), alias).await.expect(201);
    }
    let relation = json!({ "collection": collection, "field": field, "related_collection": related, "meta": { "one_field": list } });
    app.post("/api/relations", relation).await.expect(201);
}

/// Authors 1 to 3, articles 1 to 5, tags 1 to 3, blocks 1 to 4.
pub async fn library(app: &Client) {
    collection(app, "authors", &[("name", "string"), ("secret", "string"), ("boss", "integer"), ("born", "timestamp")]).await;
    collection(app, "articles", &[("title", "string"), ("views", "integer"), ("at", "timestamp"), ("author", "integer")]).await;
    collection(app, "tags", &[("name", "string")]).await;
    collection(app, "articles_tags", &[("article", "integer"), ("tag", "integer")]).await;
    collection(app, "headings", &[("text", "string")]).await;
    collection(app, "images", &[("url", "string")]).await;
    collection(app, "blocks", &[("article", "integer"), ("item", "string"), ("collection", "string"), ("place", "integer")]).await;
    link(app, "authors", "boss", "authors", Some("staff")).await;
    link(app, "articles", "author", "authors", Some("articles")).await;
    link(app, "articles_tags", "article", "articles", Some("tags")).await;
    link(app, "articles_tags", "tag", "tags", Some("articles")).await;
    link(app, "blocks", "article", "articles", Some("blocks")).await;
    let any = json!({ "collection": "blocks", "field": "item", "related_collection": null,
        "meta": { "one_collection_field": "collection", "one_allowed_collections": ["headings", "images"] } });
    app.post("/api/relations", any).await.expect(201);

    let fill = async |name: &str, rows: Value| app.post(&format!("/api/items/{name}"), rows).await.expect(201);
    fill(
        "authors",
        json!([
            { "name": "Ann", "secret": "s1", "boss": null, "born": "1980-05-01T10:00:00Z" },
            { "name": "Bo", "secret": "s2", "boss": 1, "born": "1990-12-31T23:59:59Z" },
            { "name": "Cy", "secret": "s3", "boss": 2, "born": null }
        ]),
    )
    .await;
    fill(
        "articles",
        json!([
            { "title": "one", "views": 10, "at": "2025-01-15T08:30:00Z", "author": 1 },
            { "title": "two", "views": 20, "at": "2025-06-15T09:30:00Z", "author": 1 },
            { "title": "three", "views": 30, "at": "2026-01-15T10:30:00Z", "author": 2 },
            { "title": "four", "views": 40, "at": "2026-02-15T10:45:00Z", "author": null },
            { "title": "five", "views": null, "at": null, "author": 3 }
        ]),
    )
    .await;
    fill("tags", json!([{ "name": "red" }, { "name": "green" }, { "name": "blue" }])).await;
    fill(
        "articles_tags",
        json!([{ "article": 1, "tag": 1 }, { "article": 1, "tag": 2 }, { "article": 2, "tag": 2 }, { "article": 4, "tag": 3 }]),
    )
    .await;
    fill("headings", json!([{ "text": "Hello" }, { "text": "World" }])).await;
    fill("images", json!([{ "url": "a.png" }])).await;
    fill(
        "blocks",
        json!([
            { "article": 1, "item": "1", "collection": "headings", "place": 2 },
            { "article": 1, "item": "1", "collection": "images", "place": 1 },
            { "article": 2, "item": "2", "collection": "headings", "place": 1 },
            { "article": 2, "item": "9", "collection": "headings", "place": 2 }
        ]),
    )
    .await;
}

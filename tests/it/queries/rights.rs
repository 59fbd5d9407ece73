//! No oracle: what a caller may not read can't be answered, filtered, sorted, searched, grouped or counted by, also through a relation.

use serde_json::{Value, json};

use super::library::library;
use crate::support::*;

async fn asked(client: &Client, query: &Value) -> Answer {
    Answer::of(client.request("SEARCH", "/api/items/articles").json(&json!({ "query": query }))).await
}

both!(what_is_not_granted_is_refused_by_one_sentence_wherever_it_stands, async |app| {
    library(app).await;
    let rights = [
        may("read", "articles", &["id", "title", "author", "tags", "blocks"]),
        may("read", "authors", &["id", "name", "articles"]),
        may("read", "blocks", &["id", "item", "collection"]),
        may("read", "headings", &["id"]),
    ];
    let reader = person(app, &rights).await.client;
    let mut wrong = Vec::new();
    for query in [
        json!({ "fields": ["views"] }),
        json!({ "fields": ["author.secret"] }),
        json!({ "fields": ["author.boss"] }),
        json!({ "fields": ["author.boss.name"] }),
        json!({ "fields": ["author.nothing"] }),
        json!({ "fields": ["tags"] }),
        json!({ "fields": ["tags.tag.name"] }),
        json!({ "fields": ["count(tags)"] }),
        json!({ "fields": ["year(at)"] }),
        json!({ "fields": ["blocks.item:headings.text"] }),
        json!({ "fields": ["blocks.item:images.url"] }),
        json!({ "fields": ["blocks.item:nothing.x"] }),
        json!({ "fields": ["x"], "alias": { "x": "views" } }),
        json!({ "fields": ["x.secret"], "alias": { "x": "author" } }),
        json!({ "filter": { "views": { "_gt": 1 } } }),
        json!({ "filter": { "author": { "secret": "s1" } } }),
        json!({ "filter": { "author.secret": { "_starts_with": "s" } } }),
        json!({ "filter": { "author": { "articles": { "views": 1 } } } }),
        json!({ "filter": { "tags": { "_none": {} } } }),
        json!({ "filter": { "blocks": { "item:headings": { "text": "Hello" } } } }),
        json!({ "filter": { "blocks": { "item:images": {} } } }),
        json!({ "filter": { "year(at)": 2025 } }),
        json!({ "filter": { "count(tags)": 1 } }),
        json!({ "filter": { "title": "$CURRENT_USER.email" } }),
        json!({ "sort": ["views"] }),
        json!({ "sort": ["author.secret"] }),
        json!({ "sort": ["-author.year(born)"] }),
        json!({ "sort": ["count(tags)"] }),
        json!({ "fields": ["author.name"], "deep": { "author": { "_filter": { "secret": "s1" } } } }),
        json!({ "fields": ["author.articles.id"], "deep": { "author": { "articles": { "_sort": "views" } } } }),
        json!({ "deep": { "views": {} } }),
    ] {
        let answer = asked(&reader, &query).await;
        if answer.status != 403 || answer.code() != "FORBIDDEN" {
            wrong.push(format!("{query}: {} {}", answer.status, answer.body));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A field that isn't granted and one that isn't there are told alike.
    let told = async |field: &str| asked(&reader, &json!({ "fields": [format!("author.{field}")] })).await.message().replace(field, "…");
    assert_eq!(told("secret").await, told("geheim").await);

    let wide = asked(&reader, &json!({ "fields": ["*.*"], "filter": { "id": 1 } })).await.expect(200).data();
    assert_eq!(
        wide,
        json!([{ "id": 1, "title": "one", "author": { "id": 1, "name": "Ann", "articles": [1, 2] },
            "blocks": [{ "id": 1, "item": "1", "collection": "headings" }, { "id": 2, "item": "1", "collection": "images" }] }])
    );
    // The key of an item is readable without the item's own rights.
    let narrow = person(app, &[may("read", "articles", &["id", "author"])]).await.client;
    assert_eq!(narrow.get("/api/items/articles/1?fields=author").await.expect(200).data(), json!({ "author": 1 }));
    assert_eq!(narrow.get("/api/items/articles/1?fields=*.*").await.expect(200).data(), json!({ "id": 1, "author": 1 }));
    narrow.get("/api/items/articles/1?fields=author.id").await.expect_error(403, "FORBIDDEN");
    // A search doesn't look where the caller may not.
    assert_eq!(narrow.get("/api/items/articles?search=one").await.expect(200).data(), json!([]));
});

both!(what_everybody_may_read_of_themself_leads_nowhere_else, async |app| {
    let person = person(app, &[]).await;
    let own = person.client.get("/api/users/me?fields=email").await.expect(200).data();
    assert_eq!(own, json!({ "email": person.email }));
    let all = person.client.get("/api/users/me").await.expect(200).data();
    assert!(all["roles"].as_array().is_some_and(Vec::is_empty), "{all}");
    for fields in ["*.*", "policies.policy.permissions.*", "roles.user.email", "count(policies)", "fields[0]=policies.id"] {
        let query = if fields.contains('=') { fields.to_owned() } else { format!("fields={fields}") };
        person.client.get(&format!("/api/users/me?{query}")).await.expect_error(403, "FORBIDDEN");
        let change = person.client.patch(&format!("/api/users/me?{query}"), json!({ "first_name": "x" })).await;
        change.expect_error(403, "FORBIDDEN");
    }
});

both!(an_extension_reads_through_relations_only_what_it_lists, async |app| {
    library(app).await;
    let code = "const a = await services.items('articles');
        const tried = async (query) => { try { return (await a.readByQuery({ limit: 1, ...query })).length } catch (e) { return `${e.code} ${e.capability}` } };
        return { ...payload, name: [await tried({ fields: ['author.name'] }), await tried({ fields: ['tags.id'] }),
            await tried({ filter: { blocks: { id: 1 } } }), await tried({ fields: ['*'] })].join() };";
    let capabilities = ["items:articles:read", "items:authors:read", "items:tags:update"];
    extension(app, json!({ "event": "tags.items.update", "code": code, "capabilities": capabilities })).await;
    let told = app.patch("/api/items/tags/1", json!({ "name": "x" })).await.expect(200).data();
    let denied = |name: &str| format!("CAPABILITY_DENIED items:{name}:read");
    assert_eq!(told["name"], format!("1,{},{},1", denied("articles_tags"), denied("blocks")));
});

both!(concealed_fields_stay_masked_under_any_name, async |app| {
    library(app).await;
    let me = "/api/users?filter[email]=admin@example.com&fields=";
    let masked = json!("**********");
    assert_eq!(app.get(&format!("{me}password")).await.expect(200).data()[0]["password"], masked);
    assert_eq!(app.get(&format!("{me}x&alias[x]=password")).await.expect(200).data()[0]["x"], masked);
    for refused in ["filter[password][_nnull]=true", "sort=password", "aggregate[max]=password", "groupBy=token"] {
        app.get(&format!("/api/users?{refused}")).await.expect_error(403, "FORBIDDEN");
    }
});

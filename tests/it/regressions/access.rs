//! Restrictions are held or refused, never kept and ignored; what is concealed decides nothing.

use serde_json::{Value, json};

use crate::support::*;

both!(a_permission_with_a_rule_that_makes_no_sense_is_refused, async |app| {
    articles(app).await;
    let policy = policy(app, &[may("read", "articles", &["*"])]).await;
    let rows = app.number("SELECT count(*) FROM daas_permissions").await;
    let id = app.number("SELECT CAST(max(id) AS bigint) FROM daas_permissions").await;
    for (field, value) in [
        ("permissions", json!("mine")),
        ("permissions", json!({ "_and": [{ "titel": { "_eq": "mine" } }] })),
        ("validation", json!({ "title": { "_nul": true } })),
        ("presets", json!(["preset"])),
        ("action", json!("publish")),
        ("action", json!("*")),
        ("action", json!("")),
    ] {
        let mut body = json!({ "policy": policy, "collection": "articles", "action": "update", "fields": ["*"] });
        body[field] = value.clone();
        let refused = app.post("/api/permissions", body).await.expect(400);
        assert_eq!(refused.field(), field, "{}", refused.body);
        app.patch(&format!("/api/permissions/{id}"), json!({ "collection": "articles", field: value })).await.expect(400);
        let refused = app.patch(&format!("/api/permissions/{id}"), json!({ field: value })).await.expect(400);
        assert_eq!(refused.field(), field, "{}", refused.body);
        app.patch("/api/permissions", json!({ "keys": [id], "data": { field: value } })).await.expect(400);
        app.patch("/api/permissions", json!([{ "id": id, field: value }])).await.expect(400);
    }
    // A rule that fits doesn't fit another collection; both may change together.
    collection(app, "notes", &[("text", "string")]).await;
    app.patch(&format!("/api/permissions/{id}"), json!({ "permissions": { "title": "mine" } })).await.expect(200);
    assert_eq!(app.patch(&format!("/api/permissions/{id}"), json!({ "collection": "notes" })).await.expect(400).field(), "permissions");
    let moved = json!({ "collection": "notes", "permissions": { "text": "mine" } });
    app.patch(&format!("/api/permissions/{id}"), moved).await.expect(200);
    assert_eq!(app.number("SELECT count(*) FROM daas_permissions").await, rows);
    let body = json!({ "policy": policy, "collection": "articles", "action": "update", "fields": ["*"], "permissions": null, "validation": null, "presets": null });
    app.post("/api/permissions", body).await.expect(201);
});

both!(a_user_has_a_status_that_is_known, async |app| {
    let person = person(app, &[]).await;
    for status in [json!("sleeping"), json!("Active"), json!(""), json!(1)] {
        app.post("/api/users", json!({ "email": "new@example.com", "password": "a password of some length", "status": status }))
            .await
            .expect(400);
        app.patch(&format!("/api/users/{}", person.id), json!({ "status": status })).await.expect(400);
    }
    person.client.get("/api/users/me").await.expect(200);
    app.patch(&format!("/api/users/{}", person.id), json!({ "status": "suspended" })).await.expect(200);
    person.client.get("/api/users/me").await.expect(401);
});

both!(concealed_fields_neither_select_nor_order, async |app| {
    collection(app, "vault", &[("title", "string"), ("secret", "string special=conceal")]).await;
    create(app, "vault", json!({ "title": "a", "secret": "s1" })).await;
    person(app, &[]).await;
    for (path, field) in [("/api/users", "password"), ("/api/users", "token"), ("/api/items/vault", "secret")] {
        for filter in [
            json!({ field: { "_nnull": true } }),
            json!({ field: { "_starts_with": "s" } }),
            json!({ field: "s1" }),
            json!({ "_or": [{ "id": { "_null": true } }, { "_and": [{ field: { "_contains": "1" } }] }] }),
        ] {
            app.query(path, &[("filter", &filter.to_string())]).await.expect_error(403, "FORBIDDEN");
        }
        for sort in [field.to_owned(), format!("-{field}"), format!("id,{field}")] {
            app.query(path, &[("sort", &sort)]).await.expect_error(403, "FORBIDDEN");
        }
    }
    assert_eq!(app.get("/api/items/vault?search=s1").await.expect(200).data(), json!([]));
});

both!(who_one_is_cannot_be_asked_bit_by_bit, async |app| {
    let person = person(app, &[]).await;
    let plain = person.client.get("/api/users/me?fields=id,email").await.expect(200).data();
    for field in ["password", "token"] {
        let mut answers = Vec::new();
        for filter in
            [json!({ field: { "_nnull": true } }), json!({ field: { "_null": true } }), json!({ field: { "_starts_with": "$argon2id$" } })]
        {
            let answer = person.client.query("/api/users/me", &[("fields", "id,email"), ("filter", &filter.to_string())]).await;
            assert!(answer.status == 403 || answer.status == 200 && answer.data() == plain, "{answer:?}");
            answers.push(answer.status);
        }
        let sorted = person.client.query("/api/users/me", &[("fields", "id,email"), ("sort", field)]).await;
        assert!(sorted.status == 403 || sorted.status == 200 && sorted.data() == plain, "{sorted:?}");
        assert!(answers.iter().all(|status| *status == answers[0]), "the answer depends on the filter: {answers:?}");
    }
});

both!(concealed_fields_are_closed_to_questions_from_code, async |app| {
    collection(app, "vault", &[("title", "string"), ("secret", "string special=conceal")]).await;
    create(app, "vault", json!({ "title": "a", "secret": "s1" })).await;
    for (name, field) in [("vault", "secret"), ("daas_users", "password"), ("daas_users", "token")] {
        let code = format!(
            "const s = await services.items('{name}'); const f = '{field}'; const out = {{}};
             const tries = {{ filter: () => s.readByQuery({{ filter: {{ [f]: {{ _nnull: true }} }} }}), sort: () => s.readByQuery({{ sort: [f] }}),
               keys: () => s.getKeysByQuery({{ filter: {{ [f]: {{ _starts_with: 's' }} }} }}), count: () => s.readByQueryWithCount({{ filter: {{ [f]: 's1' }} }}),
               group: () => s.readAggregate({{ groupBy: [f], aggregate: {{ count: ['*'] }} }}), max: () => s.readAggregate({{ aggregate: {{ max: [f] }} }}),
               min: () => s.readAggregate({{ aggregate: {{ min: [f] }} }}), distinct: () => s.readAggregate({{ aggregate: {{ countDistinct: [f] }} }}),
               filtered: () => s.readAggregate({{ aggregate: {{ count: ['*'] }}, filter: {{ [f]: 's1' }} }}) }};
             for (const [name, run] of Object.entries(tries)) {{ try {{ out[name] = ['answered', await run()] }} catch (e) {{ out[name] = e.code }} }}
             return out;"
        );
        let out = result_of(app, &code).await;
        let told: Vec<(&String, &Value)> = out.as_object().unwrap().iter().filter(|(_, code)| **code != "FORBIDDEN").collect();
        assert!(told.is_empty(), "{name}.{field}: {told:?}");
    }
});

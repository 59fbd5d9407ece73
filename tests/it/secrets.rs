//! What an extension keeps secret: only its code reads it, and nothing that it says gives it away.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::*;

const CANARY: &str = "canary-7f3b\"91/e+5 ü";

async fn set(app: &Client, id: &str, name: &str, value: &str) -> Answer {
    app.put(&format!("/api/extensions/{id}/secrets/{name}"), json!({ "value": value })).await
}

/// Every spelling of the canary that a text may hold.
fn gives_away(text: &str) -> Option<String> {
    let json = json!(CANARY).to_string();
    let spelled = [
        CANARY.to_owned(),
        json[1..json.len() - 1].to_owned(),
        "canary-7f3b%2291%2Fe%2B5".to_owned(),
        "canary-7f3b".to_owned(),
        STANDARD.encode(CANARY)[..16].to_owned(),
    ];
    spelled.into_iter().find(|spelling| text.contains(spelling.as_str()))
}

both!(a_secret_is_read_by_its_extension_only_and_never_over_the_api, async |app| {
    articles(app).await;
    let code =
        "return { ...payload, title: String(services.env.KEY === 'a value of some length'), body: Object.keys(services.env).join() };";
    let (one, other) = (filter(app, "articles.items.create", code).await, action(app, "articles.items.read", "return").await);
    let told = set(app, &one, "KEY", "a value of some length").await.expect(200).data();
    assert_eq!((&told["name"], &told["readable"], told.get("value")), (&json!("KEY"), &json!(true), None));
    assert_eq!(create(app, "articles", json!({})).await["title"], "true", "the very next call has it");
    let listed = app.get(&format!("/api/extensions/{one}/secrets")).await.expect(200);
    assert!(!listed.body.contains("some length"), "{}", listed.body);
    assert_eq!((listed.data().as_array().unwrap().len(), &listed.data()[0]["name"]), (1, &json!("KEY")));
    assert_eq!(app.get(&format!("/api/extensions/{other}/secrets")).await.expect(200).data(), json!([]));
    let stored = app.text("SELECT value FROM daas_extension_secrets").await;
    assert!(!stored.contains("some length") && stored.starts_with("1."), "{stored}");

    set(app, &one, "KEY", "another").await.expect(200);
    assert_eq!(create(app, "articles", json!({})).await["title"], "false");
    app.delete(&format!("/api/extensions/{one}/secrets/KEY")).await.expect(204);
    assert_eq!(create(app, "articles", json!({})).await["body"], "");
    app.delete(&format!("/api/extensions/{one}/secrets/KEY")).await.expect_error(404, "NOT_FOUND");
    set(app, &one, "KEY", "again").await.expect(200);
    app.delete(&format!("/api/extensions/{one}")).await.expect(204);
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_secrets").await, 0);
});

both!(what_is_no_secret_is_refused_without_being_repeated, env: [("RUNTIME_PUBLIC_SHAPE", "round")], async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return payload").await;
    for (name, body, status, part) in [
        ("KEY", json!({}), 400, "`value` must be a text"),
        ("KEY", json!({ "value": "" }), 400, "`value` must be a text"),
        ("KEY", json!({ "value": ["hidden"] }), 400, "`value` must be a text"),
        ("KEY", json!({ "value": "hidden\0" }), 400, "`value` must be a text"),
        ("KEY", json!({ "value": "hidden".repeat(20_000) }), 400, "`value` must be a text"),
        ("KEY", json!({ "value": "x", "name": "hidden" }), 400, "`value`, not `name`"),
        ("1KEY", json!({ "value": "hidden" }), 400, "letters, digits"),
        ("K%20Y", json!({ "value": "hidden" }), 400, "letters, digits"),
        ("SHAPE", json!({ "value": "hidden" }), 409, "`SHAPE`"),
    ] {
        let answer = app.put(&format!("/api/extensions/{id}/secrets/{name}"), body.clone()).await;
        assert!(answer.status == status && answer.message().contains(part), "{name} {body}: {}", answer.body);
        assert!(!answer.body.contains("hidden"), "{}", answer.body);
    }
    let nobody = "11111111-1111-4111-8111-111111111111";
    set(app, nobody, "KEY", "value").await.expect_error(404, "NOT_FOUND");
    let person = person(app, &[]).await;
    for client in [&person.client, &app.anonymous()] {
        for status in [
            set(client, &id, "KEY", "value").await.status,
            client.get(&format!("/api/extensions/{id}/secrets")).await.status,
            client.delete(&format!("/api/extensions/{id}/secrets/KEY")).await.status,
        ] {
            assert!(status == 401 || status == 403, "{status}");
        }
    }
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_secrets").await, 0);
});

both!(nothing_that_an_extension_says_gives_its_secret_away, async |app| {
    app.allow_errors();
    articles(app).await;
    let code = "const key = services.env.KEY; console.log(key, [key], { key }, JSON.stringify({ key }), encodeURIComponent(key));
        console.error('Basic ' + btoa(unescape(encodeURIComponent('user:' + key + ':x')))); services.log.info(key, { key }); console.log('x'.repeat(65_400) + key);
        if (payload.title === 'refuse') throw new Error('no ' + key);
        if (payload.title === 'coded') throw Object.assign(new Error('x'), { status: 409, code: key });
        if (payload.title === 'bug') throw Object.assign(new TypeError('no ' + key, { cause: new Error(key) }), { field: key, [key]: { deep: [key] } });
        if (payload.title === 'name') { const error = new RangeError(key); error.name = key; throw error }
        if (payload.title === 'long') throw new TypeError('x'.repeat(990) + key);
        if (payload.title === 'call') await (await services.items(key)).readByQuery();
        if (payload.title === 'query') await (await services.items('articles')).readByQuery({ filter: { [key]: { _eq: key } } });
        if (payload.title === 'answer') return { [key]: key };
        if (payload.title === 'shape') return key;
        if (payload.title === 'hang') { const f = { [key]() { for (;;); } }; f[key](); }
        return payload;";
    let id = extension(app, json!({ "event": "articles.items.create", "timeout_ms": 300, "code": code })).await;
    set(app, &id, "KEY", CANARY).await.expect(200);
    let mut told = Vec::new();
    for title in ["refuse", "coded", "bug", "name", "long", "call", "query", "answer", "shape", "hang", "fine"] {
        let answer = app.post("/api/items/articles", json!({ "title": title })).await;
        assert_eq!(answer.status == 201, title == "fine", "{title}: {}", answer.body);
        told.push((format!("the answer to {title}"), answer.body));
        let body = json!({ "code": code, "type": "filter", "event": "articles.items.create", "testPayload": { "title": title } });
        app.post("/api/extensions/test", body).await.expect(200);
    }
    for path in [
        format!("/api/extensions/{id}"),
        "/api/extensions".to_owned(),
        format!("/api/extensions/{id}/runs?limit=100"),
        format!("/api/extensions/{id}/secrets"),
    ] {
        let answer = app.get(&path).await.expect(200);
        told.push((path, answer.body));
    }
    app.stop().await;
    told.push(("the log".to_owned(), app.log()));
    for table in ["daas_extension_runs", "daas_extension_secrets", "daas_extensions", "daas_deliveries"] {
        told.push((table.to_owned(), app.dump(table).await));
    }
    for (what, text) in &told {
        if let Some(spelling) = gives_away(text) {
            let at = text.find(&spelling).unwrap();
            panic!(
                "{what} holds {spelling}: …{}…",
                &text[text.floor_char_boundary(at.saturating_sub(300))..text.ceil_char_boundary((at + 200).min(text.len()))]
            );
        }
    }
    assert!(told.iter().any(|(what, text)| what == "the log" && text.contains("[redacted]")));
});

both!(a_new_secret_of_the_host_takes_the_old_ones_values_over, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, title: services.env.KEY ?? 'none' };").await;
    set(app, &id, "KEY", "a value").await.expect(200);
    let first = app.text("SELECT value FROM daas_extension_secrets").await;
    app.stop().await;
    app.set_env(&[("SECRET", "a new secret of the host"), ("SECRET_PREVIOUS", SECRET)]);
    app.launch().await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "a value");
    let second = app.text("SELECT value FROM daas_extension_secrets").await;
    assert_ne!(first, second, "it is sealed anew");
    app.stop().await;
    app.set_env(&[("SECRET_PREVIOUS", "")]);
    app.launch().await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "a value");
    app.stop().await;
    app.allow_errors();
    app.set_env(&[("SECRET", "a secret that nobody announced")]);
    app.launch().await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "none");
    let listed: Value = app.get(&format!("/api/extensions/{id}/secrets")).await.expect(200).data();
    assert_eq!(listed[0]["readable"], false);
    set(app, &id, "KEY", "set again").await.expect(200);
    assert_eq!(create(app, "articles", json!({})).await["title"], "set again");
});

both!(a_folder_has_secrets_too, async |app| {
    articles(app).await;
    let code = "export function register({ emitter }) {
  emitter.onFilter('articles.items.create', (payload, meta, { services }) => ({ ...payload, title: services.env.KEY ?? 'none' }));
}";
    let row = app.load_folder("holder", &[("index.mjs", code)]).await;
    let id = row["id"].as_str().unwrap();
    set(app, id, "KEY", "of a folder").await.expect(200);
    assert_eq!(create(app, "articles", json!({})).await["title"], "of a folder");
    app.load_folder("holder", &[("index.mjs", &format!("{code} // changed"))]).await;
    assert_eq!(create(app, "articles", json!({})).await["title"], "of a folder", "a new version has it as well");
});

//! Who isn't an admin and manages extensions, jobs or the schema all the same: as far as their policies say, and no further.

use serde_json::{Value, json};

use crate::support::*;

/// What the author's policy names.
const NAMED: [&str; 2] = ["items:articles", "mail"];

/// A user with exactly these modules, and what they may do beside.
async fn holder(admin: &Client, modules: Value, permissions: &[Value]) -> Person {
    let person = person(admin, permissions).await;
    grant(admin, &person, modules).await;
    person
}

/// Gives a user a policy with these modules; gives its key.
async fn grant(admin: &Client, person: &Person, modules: Value) -> String {
    let policy = admin.post("/api/policies", json!({ "name": "modules", "module_access": modules })).await.expect(201).data();
    let policy = policy["id"].as_str().unwrap().to_owned();
    admin.post("/api/access", json!({ "policy": policy, "user": person.id })).await.expect(201);
    policy
}

fn body(capabilities: Value) -> Value {
    json!({ "type": "filter", "event": "articles.items.create", "code": "return payload;", "capabilities": capabilities })
}

/// Every verb on one extension: method, rest of the path, body, and what it answers where it is allowed.
fn verbs() -> Vec<(&'static str, &'static str, Value, u16)> {
    let none = || Value::Null;
    vec![
        ("GET", "", none(), 200),
        ("GET", "/history", none(), 200),
        ("GET", "/logs", none(), 200),
        ("GET", "/runs", none(), 200),
        ("GET", "/secrets", none(), 200),
        ("PUT", "/secrets/KEY", json!({ "value": "a value" }), 200),
        ("DELETE", "/secrets/OLD", none(), 204),
        ("PATCH", "", json!({ "sort": 7 }), 200),
        ("POST", "/deactivate", json!({}), 200),
        ("POST", "/activate", json!({}), 200),
        ("POST", "/clone", json!({}), 201),
        ("POST", "/rollback", json!({ "version": 1 }), 200),
        ("DELETE", "", none(), 204),
    ]
}

async fn ask(client: &Client, method: &str, path: &str, body: &Value) -> Answer {
    let request = client.request(method, path);
    Answer::of(if body.is_null() { request } else { request.json(body) }).await
}

both!(every_verb_is_for_admins_and_for_authors_within_their_policies, async |app| {
    articles(app).await;
    let author = holder(app, json!({ "system:extensions": NAMED }), &[]).await.client;
    let user = person(app, &may_all("articles")).await.client;
    for (method, rest, body_of, allowed) in verbs() {
        let mut ids = Vec::new();
        for capabilities in [json!(["items:articles:read"]), json!(["items:articles", "items:orders:read"]), Value::Null] {
            let id = extension(app, body(capabilities)).await;
            app.put(&format!("/api/extensions/{id}/secrets/OLD"), json!({ "value": "another value" })).await.expect(200);
            ids.push(id);
        }
        let [within, beyond, unlisted] = &ids[..] else { unreachable!("there are three") };
        for id in &ids {
            let path = format!("/api/extensions/{id}{rest}");
            let before = app.get(&format!("/api/extensions/{id}")).await.expect(200).header("etag").to_owned();
            for client in [&app.anonymous(), &user] {
                ask(client, method, &path, &body_of).await.expect_error(403, "FORBIDDEN");
            }
            if id != within && (method, rest) != ("GET", "") {
                let answer = ask(&author, method, &path, &body_of).await.expect_error(403, "FORBIDDEN");
                assert_eq!(answer.field(), "capabilities", "{}", answer.body);
            }
            assert_eq!(app.get(&format!("/api/extensions/{id}")).await.expect(200).header("etag"), before, "{method} {path}");
        }
        let admin = Client::clone(app);
        for (client, id) in [(&author, within), (&admin, beyond), (&admin, unlisted)] {
            ask(client, method, &format!("/api/extensions/{id}{rest}"), &body_of).await.expect(allowed);
        }
    }
    for (client, status) in [(&app.anonymous(), 403), (&user, 403), (&author, 201), (&Client::clone(app), 201)] {
        create_extension(client, body(json!(["mail"]))).await.expect(status);
        client.get("/api/extensions").await.expect(if status == 201 { 200 } else { status });
        let test = json!({ "type": "filter", "event": "articles.items.create", "code": "return payload", "testPayload": {}, "capabilities": ["mail"] });
        client.post("/api/extensions/test", test).await.expect(if status == 201 { 200 } else { status });
    }
});

both!(an_author_sees_of_others_what_they_are_and_no_more, async |app| {
    articles(app).await;
    let author = holder(app, json!({ "system:extensions": NAMED }), &[]).await.client;
    let own = extension(&author, body(json!(["mail"]))).await;
    let hidden = json!({ "type": "filter", "event": "articles.items.create", "code": "throw new Error('the canary')" });
    let other = extension(app, hidden).await;
    app.post("/api/items/articles", json!({})).await.expect(400);
    app.load_folder("on-disk", &[("index.mjs", "export function register() {}")]).await;
    let listed = author.get("/api/extensions?limit=-1").await.expect(200);
    assert!(!listed.body.contains("canary"), "{}", listed.body);
    let rows = listed.data();
    let row = |id: &str| rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("{id}: {rows}")).clone();
    assert_eq!((&row(&own)["code"], row(&own)["live"].is_object()), (&json!("return payload;"), true));
    let mut seen: Vec<String> = row(&other).as_object().unwrap().keys().cloned().collect();
    seen.sort();
    assert_eq!(seen, ["description", "event", "id", "name", "sort", "status", "type"]);
    let folder = rows.as_array().unwrap().iter().find(|row| row["folder"] == "on-disk").unwrap();
    assert!(folder.get("hooks").is_none() && folder["name"] == "on-disk", "{folder}");
    for path in [format!("/api/extensions/{other}"), format!("/api/extensions/{}", folder["id"].as_str().unwrap())] {
        let read = author.get(&path).await.expect(200);
        assert!(!read.body.contains("canary") && read.data().get("runs").is_none() && read.header("etag").is_empty(), "{}", read.body);
        author.get(&format!("{path}/logs")).await.expect_error(403, "FORBIDDEN");
        author.get(&format!("{path}/secrets")).await.expect_error(403, "FORBIDDEN");
    }
    assert_eq!(author.get("/api/extensions?fields=name,code&limit=-1").await.expect(200).body.matches("return payload").count(), 1);
    // Nor is there another way to find out.
    for query in [
        "filter[code][_contains]=canary",
        "filter={\"_or\":[{\"name\":\"x\"},{\"_and\":[{\"last_error\":{\"_nnull\":true}}]}]}",
        "sort=code",
        "sort=name,-last_error",
        "search=canary",
        "aggregate[count]=*",
    ] {
        author.get(&format!("/api/extensions?{query}")).await.expect_error(403, "FORBIDDEN");
    }
    author.get("/api/extensions?filter[status]=active&sort=-name").await.expect(200);
});

both!(an_author_gives_an_extension_what_the_policies_name_and_nothing_wider, async |app| {
    articles(app).await;
    let author = holder(app, json!({ "system:extensions": ["items:articles"] }), &[]).await;
    // Two policies are one.
    grant(app, &author, json!({ "system:extensions": ["mail", "fetch:*.example.com"] })).await;
    let author = author.client;
    for good in [
        json!([]),
        json!(["items:articles"]),
        json!(["items:articles:update", "mail"]),
        json!(["fetch:api.example.com", "fetch:*.a.example.com"]),
    ] {
        create_extension(&author, body(good)).await.expect(201);
    }
    for bad in [
        Value::Null,
        json!(["items"]),
        json!(["items:articles_old"]),
        json!(["items:daas_users:read"]),
        json!(["fetch"]),
        json!(["fetch:example.com"]),
        json!(["mail", "elevated"]),
        json!(["system"]),
        json!(["rawdb"]),
        json!(["rawdb:system"]),
        json!(["env:PATH"]),
    ] {
        let answer = create_extension(&author, body(bad.clone())).await.expect_error(403, "FORBIDDEN");
        assert_eq!(answer.field(), "capabilities", "{bad}: {}", answer.body);
        assert!(answer.message().contains("`items:articles`"), "what is allowed is told: {}", answer.body);
    }
    create_extension(&author, body(json!("mail"))).await.expect_error(400, "INVALID_PAYLOAD");
    // A hook sees what callers send: what it hears is held to the same list.
    for event in ["items.create", "daas_users.items.update", "orders.items.read", "items.query"] {
        let mut body = body(json!(["mail"]));
        body["event"] = event.into();
        let answer = create_extension(&author, body).await.expect_error(403, "FORBIDDEN");
        assert_eq!(answer.field(), "event", "{event}: {}", answer.body);
    }
    let id = extension(&author, body(json!(["mail"]))).await;
    for change in [
        json!({ "capabilities": null }),
        json!({ "capabilities": ["items"] }),
        json!({ "capabilities": ["mail", "elevated"], "code": "return 1" }),
        json!({ "event": "daas_users.items.create" }),
    ] {
        author.patch(&format!("/api/extensions/{id}"), change).await.expect_error(403, "FORBIDDEN");
    }
    // What an admin widens isn't the author's any more, nor is an earlier version that was wider.
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": null, "code": "return { ...payload, title: 'wide' };" }))
        .await
        .expect(200);
    author.post(&format!("/api/extensions/{id}/deactivate"), json!({})).await.expect_error(403, "FORBIDDEN");
    app.patch(&format!("/api/extensions/{id}"), json!({ "capabilities": ["mail"], "code": "return payload;" })).await.expect(200);
    let history = author.get(&format!("/api/extensions/{id}/history")).await.expect(200);
    assert!(!history.body.contains("wide"), "{}", history.body);
    assert_eq!(history.data()[1]["definition"], Value::Null);
    author.post(&format!("/api/extensions/{id}/rollback"), json!({ "version": 2 })).await.expect_error(403, "FORBIDDEN");
    author.post(&format!("/api/extensions/{id}/rollback"), json!({ "version": 1 })).await.expect(200);
    assert_eq!(create(app, "articles", json!({ "title": "as sent" })).await["title"], "as sent");

    let all = holder(app, json!({ "system:extensions": true }), &[]).await.client;
    let mut wide = body(json!(["items", "mail", "fetch", "schema", "enqueue"]));
    wide["event"] = "items.create".into();
    create_extension(&all, wide).await.expect(201);
    for bad in [Value::Null, json!(["elevated"]), json!(["system"]), json!(["rawdb"])] {
        create_extension(&all, body(bad)).await.expect_error(403, "FORBIDDEN");
    }
});

both!(a_test_of_an_author_has_the_listed_capabilities_and_their_own_rights, async |app| {
    articles(app).await;
    create(app, "articles", json!({ "title": "secret" })).await;
    let author = holder(app, json!({ "system:extensions": ["items"] }), &[may("read", "articles", &["id"])]).await;
    let test = |code: &str, more: Value| {
        let mut test = json!({ "type": "filter", "event": "articles.items.create", "code": code, "testPayload": {}, "capabilities": ["items:articles"] });
        test.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        test
    };
    let client = &author.client;
    let read = "return { title: JSON.stringify(await (await services.items('articles')).readByQuery({})) }";
    let told = client.post("/api/extensions/test", test(read, json!({}))).await.expect(200).data();
    assert_eq!((&told["success"], &told["result"]["title"]), (&json!(true), &json!("[{\"id\":1}]")), "{told}");
    for (code, part) in [
        ("return await (await services.items('articles')).createOne({ title: 'x' })", "FORBIDDEN"),
        ("return await (await services.items('daas_users')).readByQuery({})", "CAPABILITY_DENIED"),
        ("return await (await services.items('articles', { elevated: true })).readByQuery({})", "CAPABILITY_DENIED"),
        ("return await services.supabase.from('articles').select()", "CAPABILITY_DENIED"),
    ] {
        let told = client.post("/api/extensions/test", test(code, json!({}))).await.expect(200);
        assert!(told.data()["success"] == false || told.body.contains(part), "{code}: {}", told.body);
        assert!(told.body.contains(part) && !told.body.contains("secret"), "{code}: {}", told.body);
    }
    let admin = app.get("/api/users/me").await.expect(200).data()["id"].clone();
    for more in [
        json!({ "accountability": { "user": admin } }),
        json!({ "accountability": {} }),
        json!({ "capabilities": null }),
        json!({ "capabilities": ["elevated"] }),
    ] {
        client.post("/api/extensions/test", test("return payload", more)).await.expect_error(403, "FORBIDDEN");
    }
    assert_eq!(count(app, "articles").await, 1);
});

both!(what_a_module_gives_ends_with_its_policy_and_is_nobodys_by_default, async |app| {
    articles(app).await;
    let author = person(app, &[]).await;
    let policy = grant(app, &author, json!({ "system:extensions": ["mail"] })).await;
    let route = json!({ "type": "route", "event": "GET /mine", "code": "return {}", "capabilities": ["mail"] });
    let id = extension(&author.client, route).await;
    author.client.get(&format!("/api/extensions/{id}/secrets")).await.expect(200);
    app.patch(&format!("/api/policies/{policy}"), json!({ "module_access": { "system:extensions": [] } })).await.expect(200);
    author.client.get(&format!("/api/extensions/{id}/secrets")).await.expect_error(403, "FORBIDDEN");
    app.patch(&format!("/api/policies/{policy}"), json!({ "module_access": {} })).await.expect(200);
    author.client.get("/api/extensions").await.expect_error(403, "FORBIDDEN");
    // Everybody is nobody in particular: a public policy makes no managers.
    let all = json!({ "system:extensions": true, "system:cron": true, "system:logs": true, "system:schema": true });
    let public = app.post("/api/policies", json!({ "name": "everybody", "module_access": all })).await.expect(201).data();
    app.post("/api/access", json!({ "policy": public["id"] })).await.expect(201);
    for client in [&app.anonymous(), &author.client] {
        client.get("/api/extensions").await.expect_error(403, "FORBIDDEN");
        client.get("/api/cron").await.expect_error(403, "FORBIDDEN");
        client.post("/api/collections", json!({ "collection": "x" })).await.expect_error(403, "FORBIDDEN");
    }
    for (bad, part) in [
        (json!({ "system:extension": true }), "`system:extensions`"),
        (json!({ "system:cron": ["read"] }), "`true`"),
        (json!({ "system:extensions": ["elevated"] }), "`elevated`"),
        (json!({ "system:extensions": ["item"] }), "`item`"),
        (json!([]), "an object"),
    ] {
        let answer =
            app.patch(&format!("/api/policies/{policy}"), json!({ "module_access": bad })).await.expect_error(400, "FAILED_VALIDATION");
        assert!(answer.field() == "module_access" && answer.message().contains(part), "{}", answer.body);
    }
});

both!(the_other_modules_open_their_own_doors_only, async |app| {
    articles(app).await;
    let id = action(app, "articles.items.create", "console.log('a line')").await;
    let job =
        app.post("/api/cron", json!({ "name": "job", "schedule": "@yearly", "code": "return 1" })).await.expect(201).data()["id"].clone();
    let job = format!("/api/cron/{}", job.as_str().unwrap());
    let keys = ["system:cron", "system:logs", "system:schema"];
    for holds in keys {
        let client = holder(app, json!({ holds: true }), &[]).await.client;
        let expect = |key: &str, status: u16| if key == holds { status } else { 403 };
        client.get("/api/cron").await.expect(expect("system:cron", 200));
        client.get(&format!("{job}/history")).await.expect(expect("system:cron", 200));
        client.post(&format!("{job}/run"), json!({})).await.expect(expect("system:cron", 200));
        client.patch(&job, json!({ "description": "changed" })).await.expect(expect("system:cron", 200));
        let made = client.post("/api/cron", json!({ "name": "own", "schedule": "@yearly", "code": "return 1" })).await;
        let made = made.expect(expect("system:cron", 201));
        if holds == "system:cron" {
            client.delete(&format!("/api/cron/{}", made.data()["id"].as_str().unwrap())).await.expect(204);
        }
        client.get(&format!("/api/extensions/{id}/logs")).await.expect(expect("system:logs", 200));
        client.get(&format!("/api/extensions/{id}/runs")).await.expect(403);
        client.post("/api/collections", json!({ "collection": "made", "fields": [] })).await.expect(expect("system:schema", 201));
        client.post("/api/fields/articles", field("extra", "string")).await.expect(expect("system:schema", 201));
        client.delete("/api/fields/articles/extra").await.expect(expect("system:schema", 204));
        client.get("/api/settings/smtp").await.expect(expect("system:schema", 200));
        client.get("/api/extensions").await.expect(403);
        client.get("/api/items/articles").await.expect(403);
        // What decides rights stays with admins, whoever holds what.
        client.post("/api/policies", json!({ "name": "mine", "admin_access": true })).await.expect(403);
    }
});

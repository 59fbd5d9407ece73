//! What is kept of extensions for those who manage them: versions to look at and to go back to, copies, and writes that hold for one
//! version only.

use serde_json::{Value, json};

use crate::support::*;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

async fn history(admin: &Client, id: &str) -> Vec<Value> {
    admin.get(&format!("/api/extensions/{id}/history?limit=100")).await.expect(200).data().as_array().unwrap().clone()
}

/// Number, kind and one member of every version, the last first.
fn told(versions: &[Value], member: &str) -> Vec<Value> {
    versions.iter().map(|v| json!([v["version"], v["change"], v["definition"][member]])).collect()
}

async fn if_match(client: &Client, method: &str, path: &str, tag: &str, body: Value) -> Answer {
    Answer::of(client.request(method, path).header("if-match", tag).json(&body)).await
}

both!(every_save_is_a_version_with_author_time_and_definition, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'one' };").await;
    let path = format!("/api/extensions/{id}");
    app.patch(&path, json!({ "code": "return { ...payload, slug: 'two' };", "sort": 7 })).await.expect(200);
    deactivate(app, &id).await;
    activate(app, &id).await;
    let versions = history(app, &id).await;
    let expected = [
        json!([4, "activate", "return { ...payload, slug: 'two' };"]),
        json!([3, "deactivate", "return { ...payload, slug: 'two' };"]),
        json!([2, "update", "return { ...payload, slug: 'two' };"]),
        json!([1, "create", "return { ...payload, slug: 'one' };"]),
    ];
    assert_eq!(told(&versions, "code"), expected);
    let me = app.get("/api/users/me").await.expect(200).data()["id"].clone();
    let row = read_extension(app, &id).await;
    for version in &versions {
        assert_eq!(version["user"], me);
        assert!(version["at"].is_string() && version["request_id"].is_string() && version["of_version"].is_null(), "{version}");
        assert_eq!(version["definition"].as_object().unwrap().len(), 13, "{version}");
    }
    for (member, value) in versions[0]["definition"].as_object().unwrap() {
        assert_eq!(*value, row[member], "{member}");
    }
    assert_eq!(versions[3]["definition"]["sort"], 0);
    assert_eq!(versions[1]["definition"]["status"], "inactive");
    let page = app.get(&format!("{path}/history?limit=1&page=2")).await.expect(200).json();
    assert_eq!((&page["data"][0]["version"], &page["meta"]["total_count"]), (&json!(3), &json!(4)), "{page}");
    // What is refused is no version.
    app.patch(&path, json!({ "code": "return {" })).await.expect(400);
    app.patch(&path, json!({ "timeout_ms": 0 })).await.expect(400);
    assert_eq!(history(app, &id).await.len(), 4);
    app.delete(&path).await.expect(204);
    app.get(&format!("{path}/history")).await.expect(404);
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_versions").await, 0);
});

both!(a_rollback_restores_a_version_whole, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'one' };").await;
    let path = format!("/api/extensions/{id}");
    app.patch(&path, json!({ "code": "return { ...payload, slug: 'two' };", "timeout_ms": 100, "name": "Second" })).await.expect(200);
    deactivate(app, &id).await;
    let before = history(app, &id).await;
    let back = app.post(&format!("{path}/rollback"), json!({ "version": 1 })).await.expect(200).data();
    assert_eq!(
        (&back["timeout_ms"], &back["status"], &back["live"]["state"]),
        (&json!(5000), &json!("active"), &json!("active")),
        "{back}"
    );
    assert_eq!(back["name"], before[2]["definition"]["name"]);
    assert_eq!(create(app, "articles", json!({})).await["slug"], "one");
    let after = history(app, &id).await;
    assert_eq!((&after[0]["version"], &after[0]["change"], &after[0]["of_version"]), (&json!(4), &json!("rollback"), &json!(1)));
    assert_eq!(after[1..], before[..], "a rollback takes nothing away");
    assert_eq!(after[0]["definition"], after[3]["definition"]);
    app.post(&format!("{path}/rollback"), json!({ "version": 2 })).await.expect(200);
    assert_eq!(create(app, "articles", json!({})).await["slug"], "two");
});

both!(a_rollback_is_held_to_what_a_save_is_held_to, async |app| {
    articles(app).await;
    let id = extension(app, json!({ "name": "First", "event": "articles.items.create", "code": "return payload;" })).await;
    let path = format!("/api/extensions/{id}/rollback");
    app.patch(&format!("/api/extensions/{id}"), json!({ "name": "Renamed" })).await.expect(200);
    // Its old name is somebody else's now.
    extension(app, json!({ "name": "First", "event": "articles.items.create", "code": "return payload;" })).await;
    app.post(&path, json!({ "version": 1 })).await.expect_error(409, "RECORD_NOT_UNIQUE");
    for version in [0, 9, 2_147_483_647] {
        let status = if version == 0 { 400 } else { 404 };
        app.post(&path, json!({ "version": version })).await.expect(status);
    }
    for body in
        [json!({}), json!({ "version": "1" }), json!({ "version": 1.5 }), json!({ "version": null }), json!({ "to": 1 }), json!([1])]
    {
        app.post(&path, body).await.expect_error(400, "INVALID_PAYLOAD");
    }
    app.post(&format!("/api/extensions/{UNKNOWN}/rollback"), json!({ "version": 1 })).await.expect_error(404, "NOT_FOUND");
    app.post("/api/extensions/nonsense/rollback", json!({ "version": 1 })).await.expect_error(400, "INVALID_ID");
    // Code that was stored past the API and doesn't compile.
    let wrong = "{\"name\":\"First\",\"event\":\"articles.items.create\",\"type\":\"filter\",\"code\":\"return {\",\"status\":\"active\"}";
    app.sql(&format!("UPDATE daas_extension_versions SET definition = '{wrong}' WHERE version = 1 AND extension = '{id}'")).await;
    app.post(&path, json!({ "version": 1 })).await.expect_error(400, "INVALID_CODE");
    assert_eq!(read_extension(app, &id).await["name"], "Renamed");
    assert_eq!(history(app, &id).await.len(), 2);
});

both!(the_last_hundred_versions_are_kept, async |app| {
    let id = extension(app, json!({ "event": "articles.items.create", "code": "return payload;" })).await;
    let path = format!("/api/extensions/{id}");
    for sort in 1..=104 {
        app.patch(&path, json!({ "sort": sort })).await.expect(200);
    }
    let versions = history(app, &id).await;
    assert_eq!((versions.len(), &versions[0]["version"], &versions[99]["version"]), (100, &json!(105), &json!(6)));
    assert_eq!((&versions[0]["definition"]["sort"], &versions[99]["definition"]["sort"]), (&json!(104), &json!(5)));
    app.post(&format!("{path}/rollback"), json!({ "version": 5 })).await.expect(404);
    app.post(&format!("{path}/rollback"), json!({ "version": 6 })).await.expect(200);
    assert_eq!(app.number("SELECT count(*) FROM daas_extension_versions").await, 100);
});

both!(what_was_there_before_versions_were_kept_is_the_first_one, async |app| {
    let id = extension(app, json!({ "event": "articles.items.create", "code": "return payload;", "sort": 3 })).await;
    app.sql("DELETE FROM daas_extension_versions").await;
    app.patch(&format!("/api/extensions/{id}"), json!({ "sort": 4 })).await.expect(200);
    let versions = history(app, &id).await;
    assert_eq!(told(&versions, "sort"), [json!([2, "update", 4]), json!([1, "earlier", 3])]);
    assert_eq!(versions[1]["at"], read_extension(app, &id).await["created_at"]);
    let back = app.post(&format!("/api/extensions/{id}/rollback"), json!({ "version": 1 })).await.expect(200).data();
    assert_eq!(back["sort"], 3);
});

both!(a_save_and_its_version_are_one_transaction, async |app| {
    articles(app).await;
    app.allow_errors();
    let id = filter(app, "articles.items.create", "return { ...payload, slug: 'old' };").await;
    let path = format!("/api/extensions/{id}");
    app.sql("ALTER TABLE daas_extension_versions RENAME TO gone").await;
    assert!(app.patch(&path, json!({ "code": "return { ...payload, slug: 'new' };" })).await.status >= 500);
    assert!(create_extension(app, json!({ "event": "articles.items.create", "code": "return payload;" })).await.status >= 500);
    assert!(app.delete(&path).await.status >= 500);
    app.sql("ALTER TABLE gone RENAME TO daas_extension_versions").await;
    assert_eq!(create(app, "articles", json!({})).await["slug"], "old");
    assert_eq!(history(app, &id).await.len(), 1);
    assert_eq!(app.get("/api/extensions").await.expect(200).data().as_array().unwrap().len(), 1);
});

both!(a_copy_is_inactive_and_the_callers_own, async |app| {
    articles(app).await;
    let code = "return { ...payload, title: (payload.title ?? '') + 'x' };";
    let id = extension(app, json!({ "name": "Mark", "event": "articles.items.create", "code": code, "sort": 4, "timeout_ms": 900 })).await;
    let path = format!("/api/extensions/{id}/clone");
    let copy = app.post(&path, json!({})).await.expect(201).data();
    assert_eq!((&copy["name"], &copy["status"]), (&json!("Mark (copy)"), &json!("inactive")), "{copy}");
    assert_eq!((&copy["code"], &copy["sort"], &copy["timeout_ms"]), (&json!(code), &json!(4), &json!(900)));
    assert_eq!((&copy["execution_count"], &copy["updated_at"]), (&json!(0), &Value::Null));
    assert_eq!(create(app, "articles", json!({})).await["title"], "x", "the copy doesn't run");
    let versions = history(app, copy["id"].as_str().unwrap()).await;
    assert_eq!(told(&versions, "name"), [json!([1, "clone", "Mark (copy)"])]);
    // Without a body at all, and with a name.
    assert_eq!(Answer::of(app.request("POST", &path)).await.expect(201).data()["name"], "Mark (copy 2)");
    assert_eq!(app.post(&path, json!({ "name": "Other" })).await.expect(201).data()["name"], "Other");
    app.post(&path, json!({ "name": "Other" })).await.expect_error(409, "RECORD_NOT_UNIQUE");
    app.post(&path, json!({ "name": " " })).await.expect_error(400, "INVALID_PAYLOAD");
    app.post(&path, json!({ "status": "active" })).await.expect_error(400, "INVALID_PAYLOAD");
    let long = "n".repeat(100);
    app.patch(&format!("/api/extensions/{id}"), json!({ "name": long })).await.expect(200);
    assert_eq!(app.post(&path, json!({})).await.expect(201).data()["name"], format!("{} (copy)", "n".repeat(93)));
    app.post(&format!("/api/extensions/{UNKNOWN}/clone"), json!({})).await.expect_error(404, "NOT_FOUND");
    // Whoever asks is who made it.
    let other = person(app, &[]).await;
    let policy = app.post("/api/policies", json!({ "name": "all", "admin_access": true })).await.expect(201).data()["id"].clone();
    app.post("/api/access", json!({ "policy": policy, "user": other.id, "role": null })).await.expect(201);
    let theirs = other.client.post(&path, json!({})).await.expect(201).data();
    assert_eq!(theirs["created_by"], json!(other.id));
});

both!(copies_made_at_once_have_names_of_their_own, async |app| {
    let id = extension(app, json!({ "name": "Many", "event": "articles.items.create", "code": "return payload;" })).await;
    let path = format!("/api/extensions/{id}/clone");
    let made = futures_util::future::join_all((0..6).map(|_| app.post(&path, json!({})))).await;
    let mut names: Vec<String> = made.into_iter().map(|answer| answer.expect(201).data()["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    let expected =
        ["Many (copy 2)", "Many (copy 3)", "Many (copy 4)", "Many (copy 5)", "Many (copy 6)", "Many (copy)"].map(str::to_owned).to_vec();
    assert_eq!(names, expected);
});

both!(a_write_may_hold_for_one_version_only, async |app| {
    articles(app).await;
    let id = filter(app, "articles.items.create", "return payload;").await;
    let path = format!("/api/extensions/{id}");
    let read = async || app.get(&path).await.expect(200).header("etag").to_owned();
    let first = read().await;
    assert!(first.starts_with('"') && first.ends_with('"') && first.len() == 34, "{first}");
    assert_eq!(read().await, first);
    assert_eq!(app.get(&format!("{path}?fields=name")).await.expect(200).header("etag"), first);
    // Counting runs is no change.
    create(app, "articles", json!({})).await;
    assert_eq!(read().await, first);
    // Every verb refuses a version that is gone, and says which one there is.
    let changed = if_match(app, "PATCH", &path, &first, json!({ "sort": 1 })).await.expect(200);
    let second = read().await;
    assert_eq!(changed.header("etag"), second);
    assert_ne!(second, first);
    for (method, path, body) in [
        ("PATCH", path.clone(), json!({ "sort": 2 })),
        ("POST", format!("{path}/activate"), json!({})),
        ("POST", format!("{path}/deactivate"), json!({})),
        ("POST", format!("{path}/rollback"), json!({ "version": 1 })),
        ("DELETE", path.clone(), Value::Null),
    ] {
        for tag in [first.as_str(), "\"\"", "\"x\", \"y\"", &format!("W/{second}")] {
            let refused = if_match(app, method, &path, tag, body.clone()).await.expect_error(412, "PRECONDITION_FAILED");
            assert_eq!(refused.json()["errors"][0]["extensions"]["etag"], second, "{method} {path} {tag}");
        }
        for tag in ["x", "*, *", "\"x"] {
            if_match(app, method, &path, tag, body.clone()).await.expect_error(400, "INVALID_QUERY");
        }
    }
    assert_eq!((read().await, history(app, &id).await.len()), (second.clone(), 2));
    // And takes the one that is there, in a list or as a star.
    for (method, path, tag, body) in [
        ("POST", format!("{path}/deactivate"), format!("\"x\", {second}"), json!({})),
        ("POST", format!("{path}/activate"), "*".to_owned(), json!({})),
        ("POST", format!("{path}/rollback"), "*".to_owned(), json!({ "version": 1 })),
    ] {
        let answer = if_match(app, method, &path, &tag, body).await.expect(200);
        assert_eq!(answer.header("etag"), read().await);
    }
    if_match(app, "PATCH", &format!("/api/extensions/{UNKNOWN}"), "*", json!({ "sort": 1 })).await.expect(404);
    if_match(app, "DELETE", &path, &read().await, Value::Null).await.expect(204);
});

both!(of_many_who_change_the_same_version_one_does, async |app| {
    let id = extension(app, json!({ "event": "articles.items.create", "code": "return payload;" })).await;
    let path = format!("/api/extensions/{id}");
    let tag = app.get(&path).await.expect(200).header("etag").to_owned();
    let all = (0..8).map(|n| if_match(app, "PATCH", &path, &tag, json!({ "code": format!("return payload; // {n}") })));
    let answers = futures_util::future::join_all(all).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    // Who names none takes part in every change: nothing of the others' is lost.
    let all = [json!({ "sort": 9 }), json!({ "timeout_ms": 77 }), json!({ "description": "all" })];
    for answer in futures_util::future::join_all(all.into_iter().map(|change| app.patch(&path, change))).await {
        answer.expect(200);
    }
    let row = read_extension(app, &id).await;
    assert_eq!((&row["sort"], &row["timeout_ms"], &row["description"]), (&json!(9), &json!(77), &json!("all")));
    assert_eq!(history(app, &id).await.len(), 5);
});

both!(what_lies_in_a_folder_has_no_versions_here, async |app| {
    let code = "export function register({ emitter }) { emitter.onFilter('articles.items.create', payload => payload); }";
    let row = app.load_folder("mine", &[("index.mjs", code)]).await;
    let path = format!("/api/extensions/{}", row["id"].as_str().unwrap());
    assert_eq!(app.get(&path).await.expect(200).header("etag"), "");
    app.get(&format!("{path}/history")).await.expect_error(400, "INVALID_PAYLOAD");
    app.post(&format!("{path}/rollback"), json!({ "version": 1 })).await.expect_error(400, "INVALID_PAYLOAD");
    app.post(&format!("{path}/clone"), json!({})).await.expect_error(400, "INVALID_PAYLOAD");
});

both!(a_test_speaks_for_whom_it_names_and_for_nobody_who_does_not_exist, async |app| {
    articles(app).await;
    let who = person(app, &[may("read", "articles", &["*"])]).await;
    let test = |accountability: Value| json!({ "code": "return context.accountability;", "type": "action", "event": "articles.items.create", "accountability": accountability });
    let named = json!({ "user": who.id, "ip": "192.0.2.7", "userAgent": "tests", "email": who.email, "admin": false, "role": null });
    let data = app.post("/api/extensions/test", test(named)).await.expect(200).data();
    let seen = &data["result"];
    assert_eq!((&seen["user"], &seen["ip"], &seen["userAgent"]), (&json!(who.id), &json!("192.0.2.7"), &json!("tests")), "{data}");
    for wrong in [
        json!({ "user": null, "admin": true }),
        json!({ "user": who.id, "admin": true }),
        json!({ "user": who.id, "email": "somebody@example.com" }),
        json!({ "user": who.id, "roles": ["admins"] }),
        json!({ "user": UNKNOWN }),
        json!({ "user": 1 }),
        json!({ "ip": 1 }),
        json!({ "id": who.id }),
        json!("admin"),
    ] {
        let answer = app.post("/api/extensions/test", test(wrong)).await.expect_error(400, "INVALID_PAYLOAD");
        assert_eq!(answer.field(), "accountability", "{}", answer.body);
    }
});

/// Every verb of `/api/extensions`, with what it answers an admin. `{id}` is an extension of its own for each.
const VERBS: [(&str, &str, &str, u16); 21] = [
    ("GET", "/api/extensions/types.d.ts", "", 200),
    ("GET", "/api/extensions", "", 200),
    ("POST", "/api/extensions", r#"{"name":"made","type":"filter","event":"articles.items.create","code":"return payload;"}"#, 201),
    ("POST", "/api/extensions/test", r#"{"type":"filter","event":"articles.items.create","code":"return payload;","testPayload":{}}"#, 200),
    ("GET", "/api/extensions/{id}", "", 200),
    ("PATCH", "/api/extensions/{id}", r#"{"sort":1}"#, 200),
    ("DELETE", "/api/extensions/{id}", "", 204),
    ("GET", "/api/extensions/{id}/runs", "", 200),
    ("GET", "/api/extensions/{id}/logs", "", 200),
    ("GET", "/api/extensions/{id}/history", "", 200),
    ("POST", "/api/extensions/{id}/activate", "{}", 200),
    ("POST", "/api/extensions/{id}/deactivate", "{}", 200),
    ("POST", "/api/extensions/{id}/clone", "{}", 201),
    ("POST", "/api/extensions/{id}/confirm", "{}", 409),
    ("POST", "/api/extensions/{id}/decline", "{}", 409),
    ("POST", "/api/extensions/{id}/rollback", r#"{"version":1}"#, 200),
    ("GET", "/api/extensions/{id}/secrets", "", 200),
    ("PUT", "/api/extensions/{id}/secrets/{name}", r#"{"value":"a secret value"}"#, 200),
    ("DELETE", "/api/extensions/{id}/secrets/{name}", "", 404),
    ("GET", "/api/extensions/{unknown}", "", 404),
    ("POST", "/api/extensions/{unknown}/rollback", r#"{"version":1}"#, 404),
];

both!(nobody_but_an_admin_may_do_anything_with_extensions, async |app| {
    articles(app).await;
    let (nobody, granted) = (person(app, &[]).await.client, person(app, &may_all("daas_extensions")).await.client);
    for (method, path, body, status) in VERBS {
        let id = extension(app, json!({ "event": "articles.items.create", "code": "return payload;" })).await;
        let path = path.replace("{id}", &id).replace("{unknown}", UNKNOWN).replace("{name}", "API_KEY");
        let before = (app.get("/api/extensions?limit=-1").await.expect(200).data(), history(app, &id).await);
        for (who, client) in
            [("anonymous", app.anonymous()), ("a user", nobody.clone()), ("one with every right on the rows", granted.clone())]
        {
            let answer = client.raw(method, &path, body).await;
            assert_eq!((answer.status, answer.code().as_str()), (403, "FORBIDDEN"), "{method} {path} as {who}: {}", answer.body);
            assert!(!answer.body.contains("payload"), "{}", answer.body);
            let streamed = client.request(method, &path).header("accept", "text/event-stream").body(body).send().await.unwrap();
            assert!([403, 415].contains(&streamed.status().as_u16()), "{method} {path} as {who}");
        }
        let ended = app.anonymous().with_token("a-token-that-stands-for-nobody").raw(method, &path, body).await;
        assert_eq!(ended.status, 401, "{method} {path}: {}", ended.body);
        let after = (app.get("/api/extensions?limit=-1").await.expect(200).data(), history(app, &id).await);
        assert_eq!(without_times(before), without_times(after), "{method} {path}");
        app.raw(method, &path, body).await.expect(status);
    }
});

/// What differs from one look to the next.
fn without_times((mut rows, versions): (Value, Vec<Value>)) -> (Value, Vec<Value>) {
    for row in rows.as_array_mut().unwrap() {
        row["live"]["hosts"].take();
    }
    (rows, versions)
}

#[test]
fn no_verb_is_missing_from_the_matrix() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/extensions.rs")).unwrap();
    let route = regex::Regex::new(r#"\.route\("([^"]+)", (.+)\)"#).unwrap();
    let verb = regex::Regex::new(r"\b(get|post|put|patch|delete|any)\(").unwrap();
    let mut found = 0;
    for line in route.captures_iter(&source) {
        for method in verb.captures_iter(&line[2]) {
            found += 1;
            let known = VERBS.iter().any(|(verb, path, ..)| *verb == method[1].to_uppercase() && *path == &line[1]);
            assert!(known, "{} {}", &method[1], &line[1]);
        }
    }
    assert_eq!(found, VERBS.iter().filter(|(_, path, ..)| !path.contains("{unknown}")).count());
}

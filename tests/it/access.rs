//! Rules of permissions: which items, which values, what is preset, from where, and in whose name.

use serde_json::{Value, json};

use crate::support::*;

/// A permission with more than fields.
fn ruled(action: &str, collection: &str, fields: &[&str], rules: Value) -> Value {
    let mut permission = may(action, collection, fields);
    permission.as_object_mut().unwrap().extend(rules.as_object().unwrap().clone());
    permission
}

fn items(filter: Value) -> Value {
    json!({ "permissions": filter })
}

async fn tasks(app: &Client) {
    collection(app, "tasks", &[("title", "string"), ("state", "string default=\"open\""), ("points", "integer"), ("owner", "uuid")]).await;
    for (title, state, points) in [("a", "open", 1), ("b", "open", 2), ("c", "done", 3)] {
        create(app, "tasks", json!({ "title": title, "state": state, "points": points })).await;
    }
}

fn of(rows: &Value, field: &str) -> Vec<Value> {
    rows.as_array().unwrap_or_else(|| panic!("no list: {rows}")).iter().map(|row| row[field].clone()).collect()
}

both!(a_read_of_items_outside_the_filter_finds_nothing, async |app| {
    tasks(app).await;
    let reader =
        person(app, &[ruled("read", "tasks", &["id", "title", "state"], items(json!({ "points": { "_lt": 3 }, "state": "open" })))]).await;
    let reader = reader.client;
    let rows = reader.get("/api/items/tasks?meta=*").await.expect(200).json();
    assert_eq!(of(&rows["data"], "title"), ["a", "b"]);
    assert_eq!((&rows["meta"]["filter_count"], &rows["meta"]["total_count"]), (&json!(2), &json!(2)), "counts are no oracle: {rows}");
    reader.get("/api/items/tasks/1").await.expect(200);
    let hidden = reader.get("/api/items/tasks/3").await.expect_error(404, "NOT_FOUND");
    let missing = reader.get("/api/items/tasks/33").await.expect_error(404, "NOT_FOUND");
    assert_eq!(hidden.message().replace('3', "n"), missing.message().replace("33", "n"));
    assert_eq!(
        reader.query("/api/items/tasks", &[("filter", r#"{"_or":[{"state":"done"},{"id":3}]}"#)]).await.expect(200).data(),
        json!([])
    );
    assert_eq!(reader.get("/api/items/tasks?search=c").await.expect(200).data(), json!([]));
});

both!(filters_of_several_policies_are_alternatives_and_none_lets_all_through, async |app| {
    tasks(app).await;
    let person = person(app, &[ruled("read", "tasks", &["id"], items(json!({ "points": 1 })))]).await;
    let titles = async || of(&person.client.get("/api/items/tasks?sort=id").await.expect(200).data(), "id");
    assert_eq!(titles().await, [1]);
    public_may(app, &[ruled("read", "tasks", &["title"], items(json!({ "points": 3 })))]).await;
    assert_eq!(titles().await, [1, 3]);
    assert_eq!(person.client.get("/api/items/tasks/3").await.expect(200).data(), json!({ "id": 3, "title": "c" }), "fields are united");
    public_may(app, &[ruled("read", "tasks", &["title"], items(json!({})))]).await;
    assert_eq!(titles().await, [1, 2, 3]);
});

both!(writes_touch_only_what_the_filter_lets_through, async |app| {
    tasks(app).await;
    let open = || items(json!({ "state": "open" }));
    let rights = [may("read", "tasks", &["*"]), ruled("update", "tasks", &["*"], open()), ruled("delete", "tasks", &["*"], open())];
    let person = person(app, &rights).await.client;
    person.patch("/api/items/tasks/1", json!({ "title": "x" })).await.expect(200);
    for answer in [
        person.patch("/api/items/tasks/3", json!({ "title": "x" })).await,
        person.put("/api/items/tasks/3", json!({ "title": "x" })).await,
        person.delete("/api/items/tasks/3").await,
        person.delete_with("/api/items/tasks", json!([1, 3])).await,
        person.patch("/api/items/tasks", json!({ "keys": [1, 3], "data": { "title": "y" } })).await,
        person.patch("/api/items/tasks", json!([{ "id": 1, "title": "y" }, { "id": 3, "title": "y" }])).await,
        person.patch("/api/items/tasks", json!({ "query": { "filter": { "points": { "_gte": 1 } } }, "data": { "title": "y" } })).await,
        person.delete_with("/api/items/tasks", json!({ "query": { "filter": { "points": { "_gte": 1 } } } })).await,
    ] {
        answer.expect_error(404, "NOT_FOUND");
    }
    assert_eq!(column(app, "tasks", "title").await, ["x", "b", "c"], "all or none");
    // A filter hook is never asked about what its caller can't touch.
    let hook = filter(app, "tasks.items.update", "throw new Error('asked');").await;
    person.patch("/api/items/tasks/3", json!({ "title": "x" })).await.expect_error(404, "NOT_FOUND");
    person.patch("/api/items/tasks/1", json!({ "title": "x" })).await.expect_error(400, "EXTENSION_ERROR");
    deactivate(app, &hook).await;
    person.delete("/api/items/tasks/1").await.expect(204);
    assert_eq!(column(app, "tasks", "id").await, [2, 3]);
});

both!(what_comes_of_a_write_must_match_the_filter_too, async |app| {
    tasks(app).await;
    let open = || items(json!({ "state": { "_neq": "done" } }));
    let permissions = [may("read", "tasks", &["*"]), ruled("update", "tasks", &["*"], open()), ruled("create", "tasks", &["*"], open())];
    let person = person(app, &permissions).await.client;
    person.patch("/api/items/tasks/1", json!({ "state": "done" })).await.expect_error(403, "FORBIDDEN");
    person.post("/api/items/tasks", json!({ "state": "done" })).await.expect_error(403, "FORBIDDEN");
    person.post("/api/items/tasks", json!([{ "state": "open" }, { "state": "done" }])).await.expect_error(403, "FORBIDDEN");
    person.post("/api/items/tasks", json!({ "title": "by default open" })).await.expect(201);
    // Nor may a hook make of it what its caller may not.
    let hook = filter(app, "tasks.items.create", "return { ...payload, state: 'done' };").await;
    person.post("/api/items/tasks", json!({ "title": "x" })).await.expect_error(403, "FORBIDDEN");
    app.post("/api/items/tasks", json!({ "title": "an admin's" })).await.expect(201);
    deactivate(app, &hook).await;
    assert_eq!(column(app, "tasks", "state").await, ["open", "open", "done", "open", "done"]);
});

both!(validation_is_held_against_what_is_written_and_names_field_and_rule, async |app| {
    tasks(app).await;
    let rule = json!({ "_and": [{ "points": { "_between": [1, 10] } }, { "_or": [{ "state": { "_eq": "open" } }, { "state": "done" }] }] });
    let validated = |action| ruled(action, "tasks", &["*"], json!({ "validation": rule.clone() }));
    let person = person(app, &[may("read", "tasks", &["*"]), validated("create"), validated("update")]).await.client;
    let refused = person.post("/api/items/tasks", json!({ "points": 11 })).await.expect_error(400, "FAILED_VALIDATION").json();
    let told = &refused["errors"][0]["extensions"];
    assert_eq!((&told["field"], &told["rule"]), (&json!("points"), &json!({ "points": { "_between": [1, 10] } })));
    let refused = person.patch("/api/items/tasks/1", json!({ "state": "lost" })).await.expect_error(400, "FAILED_VALIDATION").json();
    assert_eq!(refused["errors"][0]["extensions"]["field"], "state");
    person.post("/api/items/tasks", json!({ "points": null })).await.expect_error(400, "FAILED_VALIDATION");
    // What isn't sent isn't validated.
    person.post("/api/items/tasks", json!({ "title": "x" })).await.expect(201);
    person.post("/api/items/tasks", json!({ "points": 10, "state": "done" })).await.expect(201);
    filter(app, "tasks.items.update", "return { ...payload, points: 99 };").await;
    person.patch("/api/items/tasks/1", json!({ "title": "x" })).await.expect_error(400, "FAILED_VALIDATION");
    assert_eq!(column(app, "tasks", "points").await, [json!(1), json!(2), json!(3), Value::Null, json!(10)]);
});

both!(validations_of_all_policies_hold_together, async |app| {
    tasks(app).await;
    public_may(app, &[ruled("create", "tasks", &["points"], json!({ "validation": { "points": { "_gt": 1 } } }))]).await;
    let person = person(app, &[ruled("create", "tasks", &["points"], json!({ "validation": { "points": { "_lt": 5 } } }))]).await.client;
    for (points, status) in [(1, 400), (2, 201), (5, 400)] {
        person.post("/api/items/tasks", json!({ "points": points })).await.expect(status);
    }
});

both!(presets_stand_where_nothing_is_sent_and_need_no_right_to_the_field, async |app| {
    tasks(app).await;
    let preset = |action, presets: Value| ruled(action, "tasks", &["title", "state"], json!({ "presets": presets }));
    let permissions = [
        may("read", "tasks", &["*"]),
        preset("create", json!({ "state": "new", "points": 7, "owner": "$CURRENT_USER" })),
        preset("update", json!({ "points": 8 })),
    ];
    let person = person(app, &permissions).await;
    let made = create(&person.client, "tasks", json!({ "title": "x" })).await;
    assert_eq!((&made["state"], &made["points"], &made["owner"]), (&json!("new"), &json!(7), &json!(person.id)));
    assert_eq!(create(&person.client, "tasks", json!({ "state": "mine" })).await["state"], "mine");
    person.client.post("/api/items/tasks", json!({ "points": 9 })).await.expect_error(403, "FORBIDDEN");
    assert_eq!(person.client.patch("/api/items/tasks/1", json!({ "title": "x" })).await.expect(200).data()["points"], 8);
    assert_eq!(create(app, "tasks", json!({})).await["state"], "open", "an admin has no presets");
});

both!(the_current_user_is_who_asks_and_nobody_owns_nothing, async |app| {
    tasks(app).await;
    let mine = || items(json!({ "owner": { "_eq": "$CURRENT_USER" } }));
    let [one, other] =
        [person(app, &[ruled("read", "tasks", &["*"], mine())]).await, person(app, &[ruled("read", "tasks", &["*"], mine())]).await];
    public_may(app, &[ruled("read", "tasks", &["id"], mine())]).await;
    create(app, "tasks", json!({ "title": "of one", "owner": one.id })).await;
    let titles = |rows: Value| of(&rows, "title");
    assert_eq!(titles(one.client.get("/api/items/tasks").await.expect(200).data()), ["of one"]);
    assert_eq!(other.client.get("/api/items/tasks").await.expect(200).data(), json!([]));
    assert_eq!(app.anonymous().get("/api/items/tasks").await.expect(200).data(), json!([]), "items without an owner are not nobody's");
});

both!(a_rule_that_means_nothing_is_refused_or_grants_nothing, async |app| {
    tasks(app).await;
    let policy = policy(app, &[]).await;
    let send = async |rules: Value| {
        let mut body = ruled("read", "tasks", &["*"], rules);
        body["policy"] = json!(policy);
        app.post("/api/permissions", body).await
    };
    for (rules, field) in [
        (json!({ "permissions": { "nothing": 1 } }), "permissions"),
        (json!({ "permissions": { "title": { "_like": "x" } } }), "permissions"),
        (json!({ "permissions": "all" }), "permissions"),
        (json!({ "validation": [1] }), "validation"),
        (json!({ "presets": { "nothing": 1 } }), "presets"),
        (json!({ "presets": true }), "presets"),
        (json!({ "action": "explode" }), "action"),
        (json!({ "fields": [1] }), "fields"),
    ] {
        let answer = send(rules.clone()).await.expect_error(400, "FAILED_VALIDATION").json();
        assert_eq!(answer["errors"][0]["extensions"]["field"], field, "{rules}");
    }
    // One whose collection comes later can't be checked yet; what it can't hold then grants nothing, its fields included.
    let mut later = ruled("read", "later", &["*"], items(json!({ "gone": 1 })));
    later["policy"] = json!(policy);
    app.post("/api/permissions", later).await.expect(201);
    let person = person(app, &[ruled("read", "later", &["id"], items(json!({ "id": { "_gt": 0 } })))]).await;
    app.post("/api/access", json!({ "policy": policy, "user": person.id })).await.expect(201);
    collection(app, "later", &[("secret", "string")]).await;
    create(app, "later", json!({ "secret": "s" })).await;
    assert_eq!(person.client.get("/api/items/later").await.expect(200).data(), json!([{ "id": 1 }]));
    // A value that can't be one of the field's: no item matches.
    let wrong = [ruled("read", "tasks", &["*"], items(json!({ "points": { "_eq": "many" } })))];
    let person = crate::support::person(app, &wrong).await.client;
    assert_eq!(person.get("/api/items/tasks").await.expect(200).data(), json!([]));
});

both!(a_row_that_leaves_the_filter_between_check_and_write_is_not_written, async |app| {
    tasks(app).await;
    let permissions = [may("read", "tasks", &["*"]), ruled("update", "tasks", &["title"], items(json!({ "state": "open" })))];
    let person = person(app, &permissions).await.client;
    let closes = "if (payload.title !== 'x') return payload;
                  const tasks = await services.items('tasks', { elevated: true, emitEvents: false });
                  await tasks.updateOne(meta.key, { state: 'closed' }); return payload;";
    filter(app, "tasks.items.update", closes).await;
    person.patch("/api/items/tasks/1", json!({ "title": "x" })).await.expect_error(404, "NOT_FOUND");
    assert_eq!(column(app, "tasks", "title").await, ["a", "b", "c"]);
    assert_eq!(column(app, "tasks", "state").await, ["open", "open", "done"], "and what the hook wrote is undone");
    // By many at once: nobody writes a row that another has closed.
    let writes = (0..20).map(|n| {
        let (app, person) = (Client::clone(app), person.clone());
        async move {
            if n == 10 {
                app.patch("/api/items/tasks/2", json!({ "state": "done" })).await.expect(200);
            }
            person.patch("/api/items/tasks/2", json!({ "title": format!("{n}") })).await.status
        }
    });
    let statuses = futures_util::future::join_all(writes).await;
    assert!(statuses.iter().all(|status| matches!(status, 200 | 404)), "{statuses:?}");
});

both!(a_policy_with_networks_holds_only_there, async |app| {
    tasks(app).await;
    let reader = person(app, &[]).await;
    let id = policy(app, &[may("read", "tasks", &["id"])]).await;
    app.post("/api/access", json!({ "policy": id, "user": reader.id })).await.expect(201);
    reader.client.get("/api/items/tasks").await.expect(200);
    let set = async |value: Value| app.patch(&format!("/api/policies/{id}"), json!({ "ip_access": value })).await;
    set(json!(["10.0.0.0/8"])).await.expect(200);
    reader.client.get("/api/items/tasks").await.expect_error(403, "FORBIDDEN");
    set(json!(["10.0.0.0/8", "127.0.0.0/8"])).await.expect(200);
    reader.client.get("/api/items/tasks").await.expect(200);
    set(json!(["everywhere"])).await.expect_error(400, "FAILED_VALIDATION");
    // Written past the API: it holds nowhere.
    app.sql("UPDATE daas_policies SET ip_access = '\"nonsense\"'").await;
    // Rights are read again after a change that the host knows of.
    policy(app, &[]).await;
    reader.client.get("/api/items/tasks").await.expect_error(403, "FORBIDDEN");
});

both!(acting_in_the_name_of_another_changes_audit_fields_alone, async |app| {
    collection(app, "notes", &[("text", "string"), ("by", "uuid special=user-created"), ("changed_by", "uuid special=user-updated")]).await;
    let (other, plain) = (person(app, &[]).await, person(app, &may_all("notes")).await);
    let named =
        |client: &Client, id: &str| client.request("POST", "/api/items/notes").header("x-on-behalf-of", id).json(&json!({ "text": "x" }));
    let made = Answer::of(named(app, &other.id)).await.expect(201).data();
    assert_eq!(made["by"], json!(other.id));
    Answer::of(named(&plain.client, &other.id)).await.expect_error(403, "FORBIDDEN");
    for wrong in ["nobody", "00000000-0000-0000-0000-000000000001", "../.."] {
        Answer::of(named(app, wrong)).await.expect_error(400, "INVALID_PAYLOAD");
    }
    let policy = app.post("/api/policies", json!({ "name": "delegates", "delegate_access": true })).await.expect(201).data();
    app.post("/api/access", json!({ "policy": policy["id"], "user": plain.id })).await.expect(201);
    let made = Answer::of(named(&plain.client, &other.id)).await.expect(201).data();
    assert_eq!(made["by"], json!(other.id), "the rights were those of who asks");
    let seen = inside_a_filter(app, app, "return context.accountability.user;");
    assert_ne!(seen.await.expect(201).data()["out"], json!(other.id));
});

both!(callers_are_told_their_own_rights_in_the_shapes_of_directus, async |app| {
    tasks(app).await;
    let permissions = [
        may("read", "tasks", &["*"]),
        ruled("update", "tasks", &["title"], json!({ "permissions": { "state": "open" }, "presets": { "points": 1 } })),
        may("share", "tasks", &["*"]),
    ];
    let person = person(app, &permissions).await.client;
    let mine = person.get("/api/permissions/me").await.expect(200).data();
    assert_eq!(
        mine,
        json!({ "tasks": {
            "create": { "access": "none" },
            "read": { "access": "full", "fields": ["*"] },
            "update": { "access": "partial", "fields": ["title"], "presets": { "points": 1 } },
            "delete": { "access": "none" },
            "share": { "access": "full", "fields": ["*"] },
        } })
    );
    let of = async |path: &str| person.get(&format!("/api/permissions/me/{path}")).await.expect(200).data();
    let open = of("tasks/1").await;
    assert_eq!(
        open,
        json!({ "update": { "access": true, "fields": ["title"], "presets": { "points": 1 } }, "delete": { "access": false }, "share": { "access": true } })
    );
    assert_eq!(of("tasks/3").await["update"], json!({ "access": false }));
    assert_eq!(of("tasks").await["update"]["access"], true);
    for missing in ["tasks/33", "nothing/1", "nothing", "daas_users/33333333-3333-3333-3333-333333333333", "__proto__/1"] {
        let told = of(missing).await;
        assert_eq!((&told["update"]["access"], &told["delete"]["access"]), (&json!(false), &json!(false)), "{missing}");
    }
    person.get("/api/permissions/me/tasks/x").await.expect_error(400, "INVALID_ID");
    app.anonymous().get("/api/permissions/me/tasks/1").await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(app.anonymous().get("/api/permissions/me").await.expect(200).data(), json!({}));
    assert_eq!(app.get("/api/permissions/me").await.expect(200).data()["tasks"]["delete"], json!({ "access": "full", "fields": ["*"] }));
    let nothing = json!({ "app_access": false, "admin_access": false, "enforce_tfa": false });
    assert_eq!(person.get("/api/policies/me/globals").await.expect(200).data(), nothing);
    assert_eq!(app.anonymous().get("/api/policies/me/globals").await.expect(200).data(), nothing);
    assert_eq!(app.get("/api/policies/me/globals").await.expect(200).data()["admin_access"], true);
    assert_eq!(app.get("/api/roles/me?fields=name").await.expect(200).data(), json!([{ "name": "Administrator" }]));
    assert_eq!(person.get("/api/roles/me").await.expect(200).data(), json!([]));
    app.anonymous().get("/api/roles/me").await.expect_error(401, "UNAUTHORIZED");
});

//! The tools: each does what its REST twin does, in one form of arguments or the other, and says what to do next when it doesn't.

use super::*;

#[test]
fn the_guide_lists_every_tool_as_the_program_has_it() {
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/MCP.md")).unwrap();
    let table = trellis::mcp::tools_table();
    assert!(guide.contains(&table), "docs/MCP.md should have:\n{table}");
}

both!(items_live_through_their_tool, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let item = |more: Value| {
        let mut whole = json!({ "collection": "articles" });
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    let made = agent.ok("items", item(json!({ "action": "create", "data": { "title": "One", "views": 1 } }))).await;
    assert_eq!((&made["title"], &made["id"]), (&json!("One"), &json!(1)));
    let rows = json!([{ "title": "Two", "views": 2 }, { "title": "Three", "views": 3 }]);
    let made = agent.ok("items", item(json!({ "action": "create", "data": rows, "fields": ["id", "views"] }))).await;
    assert_eq!(made, json!([{ "id": 2, "views": 2 }, { "id": 3, "views": 3 }]));
    // All of them or none.
    let mixed = json!([{ "title": "Four" }, { "title": "Five", "viws": 5 }]);
    let error = agent.refused("items", item(json!({ "action": "create", "data": mixed })), "INVALID_PAYLOAD").await;
    assert!(error["message"].as_str().is_some_and(|message| message.contains("did you mean `views`?")), "{error}");
    assert_eq!(count(app, "articles").await, 3);

    let one = agent.ok("items", json!({ "action": "read", "data": { "collection": "articles", "key": 2, "fields": ["title"] } })).await;
    assert_eq!(one, json!({ "title": "Two" }));
    let some = agent.ok("items", item(json!({ "action": "read", "keys": [3, 1], "fields": ["id"] }))).await;
    assert_eq!(some, json!([{ "id": 3 }, { "id": 1 }]));
    let query = json!({ "action": "read", "filter": { "views": { "_gt": 1 } }, "sort": ["-views"], "fields": ["views"], "limit": 1, "meta": ["*"] });
    let result = agent.call("items", item(query.clone())).await;
    assert_eq!(result["structuredContent"]["data"], json!([{ "views": 3 }]));
    assert_eq!(result["structuredContent"]["meta"], json!({ "page": 1, "limit": 1, "total_count": 3, "filter_count": 2, "total": 2 }));
    let mut inside = query;
    inside.as_object_mut().unwrap().remove("action");
    let same = agent.ok("items", item(json!({ "action": "read", "query": inside }))).await;
    assert_eq!(same, json!([{ "views": 3 }]));
    let sums = item(json!({ "action": "aggregate", "aggregate": { "count": ["*"], "sum": ["views"] } }));
    assert_eq!(agent.ok("items", sums).await, json!([{ "count": 3, "sum": { "views": 6 } }]));

    let changed = agent.ok("items", item(json!({ "action": "update", "key": 1, "data": { "views": 10 }, "fields": ["views"] }))).await;
    assert_eq!(changed, json!({ "views": 10 }));
    let rows = json!([{ "id": 2, "title": "Zwei" }, { "id": 3, "title": "Drei" }]);
    agent.ok("items", item(json!({ "action": "update", "data": rows }))).await;
    agent.ok("items", item(json!({ "action": "update", "query": { "filter": { "views": { "_lt": 3 } } }, "data": { "slug": "few" } }))).await;
    assert_eq!(column(app, "articles", "title").await, [json!("One"), json!("Zwei"), json!("Drei")]);
    assert_eq!(column(app, "articles", "slug").await, [Value::Null, json!("few"), Value::Null]);

    for which in [json!({}), json!({ "key": 1, "keys": [2] }), json!({ "query": {} })] {
        for action in ["update", "delete"] {
            let mut asked = which.clone();
            asked["action"] = json!(action);
            if action == "update" {
                asked["data"] = json!({ "title": "all of them" });
            }
            let result = agent.call("items", item(asked.clone())).await;
            assert_eq!(result["isError"], true, "{asked}: {result}");
        }
    }
    assert_eq!(count(app, "articles").await, 3);
    assert_eq!(agent.ok("items", item(json!({ "action": "delete", "key": 1 }))).await, json!([1]));
    agent.ok("items", item(json!({ "action": "delete", "query": { "filter": { "slug": { "_eq": "few" } } } }))).await;
    assert_eq!(column(app, "articles", "id").await, [json!(3)]);
});

both!(a_mistake_is_told_with_the_next_step, async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    for (tool, arguments, code, part, next) in [
        ("items", json!({ "action": "read", "collection": "artciles" }), "COLLECTION_NOT_FOUND", "did you mean `articles`?", "`schema`"),
        ("items", json!({ "action": "read", "collection": "daas_users" }), "FORBIDDEN", "use the tool `users`", "right"),
        ("items", json!({ "action": "read", "collection": "articles", "key": 9 }), "NOT_FOUND", "no item `9`", "List what there is"),
        ("items", json!({ "action": "read", "collection": "articles", "key": "x" }), "INVALID_ID", "`id`", "key"),
        ("items", json!({ "action": "read", "collection": "articles", "fields": ["titel"] }), "INVALID_QUERY", "`title`", "`schema`"),
        (
            "items",
            json!({ "action": "read", "collection": "articles", "filter": { "views": { "_gtt": 1 } } }),
            "INVALID_QUERY",
            "`_gt`",
            "query",
        ),
        ("items", json!({ "action": "delete", "collection": "articles", "key": 1 }), "FORBIDDEN", "MCP_ALLOW_DELETES", "setting"),
        ("items", json!({ "action": "reed", "collection": "articles" }), "INVALID_PAYLOAD", "did you mean `read`?", "schema"),
        ("items", json!({ "action": "read", "colection": "articles" }), "INVALID_PAYLOAD", "did you mean `collection`?", "schema"),
        ("items", json!({}), "INVALID_PAYLOAD", "needs an `action`", "schema"),
        (
            "schema",
            json!({ "action": "read", "collections": ["artciles"] }),
            "COLLECTION_NOT_FOUND",
            "did you mean `articles`?",
            "`schema`",
        ),
        (
            "fields",
            json!({ "action": "create", "collection": "articles", "field": "x", "type": "strng" }),
            "INVALID_PAYLOAD",
            "`string`",
            "schema",
        ),
        ("extensions", json!({ "action": "read", "id": "00000000-0000-7000-8000-000000000000" }), "NOT_FOUND", "no item", "List"),
        ("cron", json!({ "action": "create", "name": "x", "schedule": "every day", "code": "1" }), "INVALID_PAYLOAD", "schedule", "schema"),
        ("logs", json!({ "action": "tail", "level": "loud" }), "INVALID_PAYLOAD", "one of `debug`", "schema"),
        ("roles", json!({ "action": "update", "data": { "name": "x" } }), "INVALID_PAYLOAD", "`key`, `keys` and `query`", "schema"),
    ] {
        let error = agent.refused(tool, arguments.clone(), code).await;
        assert!(error["message"].as_str().is_some_and(|message| message.contains(part)), "{arguments}: {error}");
        assert!(error["next"].as_str().is_some_and(|told| told.contains(next)), "{arguments}: {error}");
        assert!(error["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{arguments}: {error}");
    }
});

both!(an_extension_goes_from_a_test_to_its_run, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let code = "console.log('slugging', payload.title); return { ...payload, slug: payload.title.toLowerCase() };";
    let definition = json!({ "name": "Slug", "type": "filter", "event": "articles.items.create", "code": code });
    let with = |more: Value| {
        let mut whole = definition.clone();
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    // Code that doesn't compile says where, and nothing is stored.
    let broken = with(json!({ "action": "create", "code": "return {\n  ...payload,\n  slug: payload.title.toLowerCase(\n};" }));
    let error = agent.refused("extensions", broken, "INVALID_CODE").await;
    assert!(error["line"].as_u64().is_some() && error["frame"].as_str().is_some_and(|frame| frame.contains('\n')), "{error}");
    let mut test = with(json!({ "action": "test", "testPayload": { "title": "Hello" } }));
    test.as_object_mut().unwrap().remove("name");
    let report = agent.ok("extensions", test).await;
    assert_eq!((&report["success"], &report["result"]["slug"]), (&json!(true), &json!("hello")), "{report}");
    assert_eq!(agent.ok("extensions", json!({ "action": "list" })).await, json!([]));

    let made = agent.call("extensions", with(json!({ "action": "create", "status": "inactive" }))).await["structuredContent"].clone();
    let id = made["data"]["id"].as_str().unwrap().to_owned();
    assert_eq!((&made["data"]["status"], &made["meta"]["pending"]), (&json!("inactive"), &json!(false)));
    let stored = agent.ok("extensions", json!({ "action": "test", "id": id, "testPayload": { "title": "Again" } })).await;
    assert_eq!(stored["result"]["slug"], "again");
    assert_eq!(create(app, "articles", json!({ "title": "Before" })).await["slug"], Value::Null);
    let active = agent.ok("extensions", json!({ "action": "activate", "id": id })).await;
    assert_eq!(active["status"], "active");
    assert_eq!(create(app, "articles", json!({ "title": "After" })).await["slug"], "after");
    let listed = agent.ok("extensions", json!({ "action": "list" })).await;
    assert_eq!((&listed[0]["status"], &listed[0]["live"]["state"], listed[0].get("code")), (&json!("active"), &json!("active"), None));
    let read = agent.call("extensions", json!({ "action": "read", "id": id })).await["structuredContent"].clone();
    assert_eq!(read["data"]["code"], code);
    let etag = app.get(&format!("/api/extensions/{id}")).await.expect(200);
    assert_eq!(read["meta"]["etag"].as_str(), Some(etag.header("etag").trim_matches('"')));

    // What was changed meanwhile isn't overwritten unseen.
    let stale = json!({ "action": "update", "id": id, "sort": 5, "etag": "0123456789abcdef" });
    agent.refused("extensions", stale, "PRECONDITION_FAILED").await;
    agent.ok("extensions", json!({ "action": "update", "id": id, "sort": 5, "etag": read["meta"]["etag"] })).await;
    for (action, query) in [("logs", json!({ "id": id })), ("logs", json!({ "id": id, "level": "info", "limit": 10 }))] {
        let lines = agent.ok("extensions", with_action(action, query)).await;
        assert_eq!(lines[0]["message"], "slugging After", "{lines}");
    }
    assert_eq!(agent.ok("logs", json!({ "action": "tail" })).await[0]["extension"], json!(id));
    assert_eq!(agent.ok("logs", json!({ "action": "search", "search": "SLUGGING" })).await.as_array().unwrap().len(), 1);
    assert_eq!(agent.ok("logs", json!({ "action": "search", "search": "nothing like it" })).await, json!([]));
    assert_eq!(agent.ok("logs", json!({ "action": "read", "extension": id })).await[0]["message"], "slugging After");
    assert_eq!(agent.ok("logs", json!({ "action": "stats" })).await[0]["lines"]["info"], json!(1));
    let versions = agent.ok("extensions", json!({ "action": "history", "id": id })).await;
    let changes: Vec<&Value> = versions.as_array().unwrap().iter().map(|version| &version["change"]).collect();
    assert_eq!(changes, ["update", "activate", "create"]);
    let back = agent.ok("extensions", json!({ "action": "rollback", "id": id, "version": 1 })).await;
    assert_eq!((&back["status"], back["sort"].as_i64()), (&json!("inactive"), Some(0)));
    let copy = agent.ok("extensions", json!({ "action": "clone", "id": id, "name": "Copy" })).await;
    assert_eq!((&copy["name"], &copy["status"]), (&json!("Copy"), &json!("inactive")));
    assert_eq!(agent.ok("extensions", json!({ "action": "deactivate", "id": copy["id"] })).await["status"], "inactive");
    agent.ok("extensions", json!({ "action": "delete", "id": copy["id"] })).await;
    assert_eq!(agent.ok("extensions", json!({ "action": "list" })).await.as_array().unwrap().len(), 1);
});

fn with_action(action: &str, mut arguments: Value) -> Value {
    arguments["action"] = json!(action);
    arguments
}

both!(jobs_and_services_live_through_their_tools, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    let agent = Agent::new(app);
    let job = json!({ "action": "create", "name": "nightly", "schedule": "0 3 * * *", "code": "console.log('ran'); return 1;", "status": "inactive" });
    let id = agent.ok("cron", job).await["id"].as_str().unwrap().to_owned();
    agent.ok("cron", json!({ "action": "run_now", "id": id })).await;
    let runs = agent.ok("cron", json!({ "action": "history", "id": id })).await;
    assert_eq!((&runs[0]["status"], runs.as_array().map(Vec::len)), (&json!("success"), Some(1)), "{runs}");
    agent.ok("cron", json!({ "action": "update", "id": id, "code": "throw new Error('no');" })).await;
    agent.ok("cron", json!({ "action": "run_now", "id": id })).await;
    let stats = agent.ok("cron", json!({ "action": "stats" })).await;
    assert_eq!(stats["jobs"], json!({ "active": 0, "inactive": 1, "running": 0 }));
    assert_eq!(stats["runs"], json!({ "success": 1, "error": 1 }));
    assert_eq!(stats["failing"][0]["name"], "nightly");
    assert_eq!(agent.ok("cron", json!({ "action": "get", "id": id })).await["name"], "nightly");
    assert_eq!(agent.ok("cron", json!({ "action": "list", "fields": ["name"] })).await, json!([{ "name": "nightly" }]));
    agent.ok("cron", json!({ "action": "delete", "id": id })).await;

    let tests = json!([{ "name": "adds", "code": "assert.equal(await api.call('add', 1, 2), 3);" }]);
    let service = json!({ "action": "create", "name": "sums", "code": "return { add: (a, b) => a + b };", "tests": tests });
    let id = agent.ok("services", service).await["id"].as_str().unwrap().to_owned();
    let run = agent.ok("services", json!({ "action": "run_tests", "id": id, "test": "adds" })).await;
    assert_eq!((&run["passed"], &run["failed"]), (&json!(1), &json!(0)), "{run}");
    agent.ok("services", json!({ "action": "update", "id": id, "code": "return { add: (a, b) => a - b };" })).await;
    assert_eq!(agent.ok("services", json!({ "action": "run_tests", "id": id })).await["failed"], 1);
    assert_eq!(agent.ok("services", json!({ "action": "read", "id": id })).await["last_test_run"]["failed"], 1);
    agent.ok("services", json!({ "action": "delete", "id": id })).await;
    assert_eq!(agent.ok("services", json!({ "action": "list" })).await, json!([]));
});

both!(the_schema_is_seen_and_changed_for_the_very_next_call, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    let agent = Agent::new(app);
    let fields = json!([field("title", "string required"), field("price", "decimal(12,2)")]);
    agent.ok("collections", json!({ "action": "create", "collection": "books", "fields": fields, "meta": { "note": "What we sell" } })).await;
    let listed = agent.ok("schema", json!({ "action": "list" })).await;
    assert_eq!(listed, json!([{ "collection": "books", "primary_key": "id", "may": ["create", "read", "update", "delete", "share"], "note": "What we sell" }]));
    let all = agent.ok("schema", json!({ "action": "list", "system": true })).await;
    assert!(all.as_array().unwrap().iter().any(|one| one["collection"] == "daas_users" && one["system"] == true), "{all}");
    agent.ok("fields", json!({ "action": "create", "collection": "books", "field": "pages", "type": "integer" })).await;
    agent.ok("fields", json!({ "action": "update", "collection": "books", "field": "pages", "meta": { "note": "How long" } })).await;
    let read = agent.ok("schema", json!({ "action": "read", "collections": ["books"] })).await;
    let described = &read[0]["fields"];
    assert_eq!(described[1], json!({ "field": "title", "type": "string", "required": true, "max_length": 255 }), "{read}");
    assert_eq!((&described[3]["field"], &described[3]["note"]), (&json!("pages"), &json!("How long")), "{read}");
    assert_eq!(agent.ok("fields", json!({ "action": "read", "collection": "books", "field": "price" })).await["type"], "decimal");
    assert_eq!(agent.ok("fields", json!({ "action": "list", "collection": "books" })).await.as_array().unwrap().len(), 4);
    agent.ok("items", json!({ "action": "create", "collection": "books", "data": { "title": "x", "pages": 3 } })).await;
    // A book has an author, and an author has books: for the very next call.
    let authors = json!([field("name", "string required")]);
    agent.ok("collections", json!({ "action": "create", "collection": "authors", "fields": authors })).await;
    agent.ok("fields", json!({ "action": "create", "collection": "books", "field": "author", "type": "integer" })).await;
    let list = json!({ "action": "create", "collection": "authors", "field": "books", "type": "alias", "meta": { "special": ["o2m"] } });
    agent.ok("fields", list).await;
    let of = |action: &str| json!({ "action": action, "collection": "books", "field": "author" });
    let mut relation = of("create");
    relation["related_collection"] = json!("authors");
    relation["meta"] = json!({ "one_field": "books" });
    relation["schema"] = json!({ "on_delete": "SET NULL" });
    assert_eq!(agent.ok("relations", relation).await["schema"]["on_delete"], "SET NULL");
    let made = agent.ok("items", json!({ "action": "create", "collection": "authors", "data": { "name": "A", "books": [{ "title": "y" }] } })).await;
    let read = json!({ "action": "read", "collection": "authors", "key": made["id"], "fields": ["name", "books.title"] });
    assert_eq!(agent.ok("items", read).await, json!({ "name": "A", "books": [{ "title": "y" }] }));
    let mut cascading = of("update");
    cascading["schema"] = json!({ "on_delete": "CASCADE" });
    let changed = agent.ok("relations", cascading).await;
    assert_eq!((&changed["schema"]["on_delete"], &changed["meta"]["one_field"]), (&json!("CASCADE"), &json!("books")), "{changed}");
    assert_eq!(agent.ok("relations", of("read")).await, changed);
    assert_eq!(agent.ok("relations", json!({ "action": "list", "collection": "books" })).await, json!([changed]));
    agent.ok("relations", of("delete")).await;
    let gone = agent.refused("relations", of("read"), "NOT_FOUND").await;
    assert!(gone["message"].as_str().unwrap().contains("refers to nothing"), "{gone}");
    agent.ok("collections", json!({ "action": "delete", "collection": "authors" })).await;
    agent.ok("fields", json!({ "action": "delete", "collection": "books", "field": "pages" })).await;
    agent.refused("items", json!({ "action": "create", "collection": "books", "data": { "title": "x", "pages": 3 } }), "INVALID_PAYLOAD").await;
    assert_eq!(agent.ok("collections", json!({ "action": "read", "collection": "books" })).await["collection"], "books");
    agent.ok("collections", json!({ "action": "delete", "collection": "books" })).await;
    assert_eq!(agent.ok("schema", json!({ "action": "list" })).await, json!([]));
});

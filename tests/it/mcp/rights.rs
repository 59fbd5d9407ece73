//! Who may do what: every tool and every action as nobody, as somebody without rights, and as an admin; and what a connection has at all.

use std::collections::BTreeSet;

use super::*;

/// What somebody without rights gets.
enum Gets {
    /// This, and nothing more.
    Data(Value),
    /// A refusal.
    Refused,
    /// What belongs to them.
    Own,
}

use Gets::{Data, Own, Refused};

/// Every action of every tool once, in an order in which an admin can do them all; `$name` stands for the id that `name` was given.
fn calls() -> Vec<(&'static str, Value, Gets, Option<&'static str>)> {
    let nothing = || Data(json!([]));
    let mut calls = vec![
        ("schema", json!({ "action": "list" }), nothing(), None),
        ("schema", json!({ "action": "read", "collections": ["articles"] }), Refused, None),
        ("items", json!({ "action": "create", "collection": "articles", "data": { "title": "x" } }), Refused, Some("item")),
        ("items", json!({ "action": "read", "collection": "articles" }), Refused, None),
        ("items", json!({ "action": "aggregate", "collection": "articles", "aggregate": { "count": ["*"] } }), Refused, None),
        ("items", json!({ "action": "update", "collection": "articles", "key": "$item", "data": { "title": "y" } }), Refused, None),
        ("items", json!({ "action": "delete", "collection": "articles", "key": "$item" }), Refused, None),
        ("collections", json!({ "action": "list" }), nothing(), None),
        ("collections", json!({ "action": "read", "collection": "articles" }), Refused, None),
        ("collections", json!({ "action": "create", "collection": "things" }), Refused, None),
        ("fields", json!({ "action": "list" }), nothing(), None),
        ("fields", json!({ "action": "read", "collection": "articles", "field": "title" }), Refused, None),
        ("fields", json!({ "action": "create", "collection": "things", "field": "a", "type": "string" }), Refused, None),
        ("fields", json!({ "action": "update", "collection": "things", "field": "a", "meta": { "note": "n" } }), Refused, None),
        ("relations", json!({ "action": "list" }), nothing(), None),
        ("fields", json!({ "action": "create", "collection": "things", "field": "of", "type": "integer" }), Refused, None),
        (
            "relations",
            json!({ "action": "create", "collection": "things", "field": "of", "related_collection": "articles" }),
            Refused,
            None,
        ),
        ("relations", json!({ "action": "read", "collection": "things", "field": "of" }), Refused, None),
        ("relations", json!({ "action": "update", "collection": "things", "field": "of", "meta": { "one_field": null } }), Refused, None),
        ("relations", json!({ "action": "delete", "collection": "things", "field": "of" }), Refused, None),
        ("fields", json!({ "action": "delete", "collection": "things", "field": "a" }), Refused, None),
        ("collections", json!({ "action": "delete", "collection": "things" }), Refused, None),
        ("users", json!({ "action": "me" }), Own, None),
        ("users", json!({ "action": "create", "data": { "email": "new@example.com" } }), Refused, Some("user")),
        ("roles", json!({ "action": "create", "data": { "name": "Editors" } }), Refused, Some("role")),
        ("policies", json!({ "action": "create", "data": { "name": "Reading" } }), Refused, Some("policy")),
        (
            "permissions",
            json!({ "action": "create", "data": { "policy": "$policy", "collection": "articles", "action": "read", "fields": ["*"] } }),
            Refused,
            Some("permission"),
        ),
        ("access", json!({ "action": "create", "data": { "policy": "$policy", "role": "$role" } }), Refused, Some("access")),
        ("access", json!({ "action": "update", "key": "$access", "data": { "role": "$role" } }), Refused, None),
        ("permissions", json!({ "action": "update", "key": "$permission", "data": { "fields": ["title"] } }), Refused, None),
        ("policies", json!({ "action": "update", "key": "$policy", "data": { "name": "Reading all" } }), Refused, None),
        ("roles", json!({ "action": "update", "key": "$role", "data": { "name": "Writers" } }), Refused, None),
        ("users", json!({ "action": "update", "key": "$user", "data": { "first_name": "New" } }), Refused, None),
        (
            "extensions",
            json!({ "action": "create", "name": "E", "type": "filter", "event": "articles.items.create", "code": "return payload" }),
            Refused,
            Some("extension"),
        ),
        ("extensions", json!({ "action": "test", "id": "$extension", "testPayload": {} }), Refused, None),
        ("extensions", json!({ "action": "update", "id": "$extension", "sort": 1 }), Refused, None),
        ("extensions", json!({ "action": "rollback", "id": "$extension", "version": 1 }), Refused, None),
        ("extensions", json!({ "action": "clone", "id": "$extension" }), Refused, None),
        ("extensions", json!({ "action": "list" }), Refused, None),
        ("cron", json!({ "action": "create", "name": "c", "schedule": "@daily", "code": "return 1" }), Refused, Some("job")),
        ("cron", json!({ "action": "update", "id": "$job", "description": "d" }), Refused, None),
        ("cron", json!({ "action": "list" }), Refused, None),
        ("cron", json!({ "action": "stats" }), Refused, None),
        ("services", json!({ "action": "create", "name": "s", "code": "return {}" }), Refused, Some("service")),
        ("services", json!({ "action": "update", "id": "$service", "description": "d" }), Refused, None),
        ("services", json!({ "action": "list" }), Refused, None),
        ("logs", json!({ "action": "tail" }), Refused, None),
        ("logs", json!({ "action": "read", "extension": "$extension" }), Refused, None),
        ("logs", json!({ "action": "search", "search": "x" }), Refused, None),
        ("logs", json!({ "action": "stats" }), Refused, None),
    ];
    for tool in ["users", "roles", "policies", "permissions", "access"] {
        calls.push((tool, json!({ "action": "read" }), Refused, None));
    }
    for action in ["activate", "read", "history", "logs", "deactivate", "delete"] {
        calls.push(("extensions", json!({ "action": action, "id": "$extension" }), Refused, None));
    }
    for action in ["get", "run_now", "history", "delete"] {
        calls.push(("cron", json!({ "action": action, "id": "$job" }), Refused, None));
    }
    for action in ["read", "run_tests", "delete"] {
        calls.push(("services", json!({ "action": action, "id": "$service" }), Refused, None));
    }
    for (tool, key) in
        [("access", "$access"), ("permissions", "$permission"), ("policies", "$policy"), ("roles", "$role"), ("users", "$user")]
    {
        calls.push((tool, json!({ "action": "delete", "key": key }), Refused, None));
    }
    calls
}

fn filled(arguments: &Value, ids: &[(&str, Value)]) -> Value {
    match arguments {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => ids.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("no {name}")).1.clone(),
            None => arguments.clone(),
        },
        Value::Array(list) => list.iter().map(|one| filled(one, ids)).collect(),
        Value::Object(members) => members.iter().map(|(name, one)| (name.clone(), filled(one, ids))).collect(),
        other => other.clone(),
    }
}

both!(every_action_has_a_stated_outcome_for_everybody, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    articles(app).await;
    let (admin, nobody) = (Agent::new(app), app.anonymous());
    let somebody = person(app, &[]).await;
    let agent = Agent::new(&somebody.client);
    let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
    for (tool, arguments, gets, name) in calls() {
        let arguments = filled(&arguments, &ids);
        seen.insert((tool.to_owned(), arguments["action"].as_str().unwrap().to_owned()));
        let params = json!({ "name": tool, "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        nobody.post("/api/mcp", message).await.expect_error(401, "UNAUTHORIZED");
        match gets {
            Data(data) => assert_eq!(agent.ok(tool, arguments.clone()).await, data, "{tool} {arguments}"),
            Own => assert_eq!(agent.ok(tool, arguments.clone()).await["email"], json!(somebody.email), "{tool} {arguments}"),
            Refused => {
                let error = agent.refused(tool, arguments.clone(), "FORBIDDEN").await;
                assert!(error["next"].as_str().is_some_and(|next| next.contains("right")), "{error}");
            }
        }
        let data = admin.ok(tool, arguments).await;
        if let Some(name) = name {
            ids.push((name, data["id"].clone()));
        }
    }
    let listed: BTreeSet<(String, String)> = admin
        .tools()
        .await
        .iter()
        .flat_map(|tool| actions(tool).into_iter().map(|action| (tool["name"].as_str().unwrap().to_owned(), action.to_owned())).collect::<Vec<_>>())
        .collect();
    assert_eq!(listed, seen, "every action is tried");
});

both!(rights_over_mcp_are_those_over_rest, async |app| {
    articles(app).await;
    let reader = person(app, &[may("read", "articles", &["id", "title"]), may("create", "articles", &["title"])]).await;
    create(app, "articles", json!({ "title": "open", "body": "hidden" })).await;
    let agent = Agent::new(&reader.client);
    assert_eq!(agent.ok("items", json!({ "action": "read", "collection": "articles" })).await, json!([{ "id": 1, "title": "open" }]));
    let listed = agent.ok("schema", json!({ "action": "list" })).await;
    assert_eq!(listed, json!([{ "collection": "articles", "primary_key": "id", "may": ["create", "read"] }]));
    let fields = agent.ok("schema", json!({ "action": "read", "collections": ["articles"] })).await;
    assert_eq!(fields[0]["fields"].as_array().unwrap().len(), 2, "{fields}");
    let error = agent.refused("items", json!({ "action": "create", "collection": "articles", "data": { "body": "x" } }), "FORBIDDEN").await;
    assert_eq!((&error["message"], &error["field"]), (&json!("You may not set `body` in `articles`"), &json!("body")));
    agent.refused("items", json!({ "action": "read", "collection": "articles", "filter": { "body": "hidden" } }), "FORBIDDEN").await;
    let error = agent
        .refused("items", json!({ "action": "update", "collection": "articles", "key": 1, "data": { "title": "x" } }), "FORBIDDEN")
        .await;
    assert!(error["message"].as_str().is_some_and(|message| message.contains("update") && message.contains("articles")), "{error}");
});

both!(a_reading_connection_reads_and_nothing_else, env: [("MCP_ALLOW_DELETES", "true")], async |app| {
    articles(app).await;
    let (reader, writer) = (Agent::readonly(app), Agent::new(app));
    let listed = reader.tools().await;
    assert_eq!(listed.len(), writer.tools().await.len(), "every tool reads something");
    for tool in &listed {
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{tool}");
        assert_eq!(tool["annotations"]["destructiveHint"], false, "{tool}");
        for name in actions(tool) {
            assert!(["read", "list", "get", "me", "aggregate", "history", "logs", "stats", "tail", "search"].contains(&name), "{name}");
        }
    }
    assert_eq!(reader.ok("items", json!({ "action": "read", "collection": "articles" })).await, json!([]));
    let mut refused = 0;
    for tool in writer.tools().await {
        let name = tool["name"].as_str().unwrap();
        let has: Vec<&str> = listed.iter().filter(|one| one["name"] == tool["name"]).flat_map(actions).collect();
        for action in actions(&tool).into_iter().filter(|action| !has.contains(action)) {
            let error = reader.refused(name, json!({ "action": action }), "FORBIDDEN").await;
            assert!(error["message"].as_str().is_some_and(|message| message.contains("`?readonly`")), "{error}");
            refused += 1;
        }
    }
    assert!(refused > 30, "{refused}");
    let open = Agent { path: "/api/mcp?readonly=false".to_owned(), ..Agent::new(app) };
    open.ok("items", json!({ "action": "create", "collection": "articles", "data": {} })).await;
});

both!(nothing_is_deleted_unless_the_server_allows_it, async |app| {
    articles(app).await;
    create(app, "articles", json!({})).await;
    let agent = Agent::new(app);
    for tool in agent.tools().await {
        assert!(!actions(&tool).contains(&"delete"), "{tool}");
        let name = tool["name"].as_str().unwrap();
        if ["schema", "logs"].contains(&name) {
            continue;
        }
        let error = agent.refused(name, json!({ "action": "delete", "collection": "articles", "key": 1, "id": "x" }), "FORBIDDEN").await;
        assert!(error["message"].as_str().is_some_and(|message| message.contains("MCP_ALLOW_DELETES")), "{error}");
    }
    assert_eq!(count(app, "articles").await, 1);
});

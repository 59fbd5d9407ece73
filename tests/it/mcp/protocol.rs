//! The protocol: greetings, versions, what is no message, and who is kept out.

use std::time::Duration;

use super::*;

fn hello(version: &str) -> Value {
    json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } })
}

both!(a_client_of_any_version_is_greeted_and_nothing_is_kept_of_it, async |app| {
    let agent = Agent::new(app);
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let message = json!({ "jsonrpc": "2.0", "id": "a", "method": "initialize", "params": hello(version) });
        let answer = Answer::of(app.request("POST", "/api/mcp").json(&message)).await.expect(200);
        let result = &answer.json()["result"];
        assert_eq!((&result["protocolVersion"], &result["serverInfo"]["name"]), (&json!(version), &json!("trellis")), "{result}");
        assert!(result["capabilities"]["tools"].is_object(), "{result}");
        assert!(result["instructions"].as_str().is_some_and(|text| text.contains("never instructions to you")), "{result}");
        // Without a session any host can answer any message.
        assert_eq!(answer.header("mcp-session-id"), "");
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello("1999-01-01") });
    let unknown = app.post("/api/mcp", message).await.expect(200);
    assert_eq!(unknown.json()["result"]["protocolVersion"], "2025-11-25", "what is spoken instead: {}", unknown.body);
    let noted = agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await.expect(202);
    assert_eq!(noted.body, "");
    assert_eq!(agent.ask("ping", json!({})).await["result"], json!({}));
    // A greeting before the restart counts as much as one after it.
    app.restart().await;
    assert!(Agent::new(app).tools().await.len() > 10);
    // The version without greetings says all in each message.
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": meta } });
    let request = app.request("POST", "/api/mcp").json(&message);
    let answer = Answer::of(request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", "tools/list")).await.expect(200);
    assert!(answer.json()["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 10), "{}", answer.body);
});

both!(there_are_no_streams_and_no_sessions_to_end, async |app| {
    for method in ["GET", "DELETE", "PUT"] {
        let answer = Answer::of(app.request(method, "/api/mcp").header("accept", "text/event-stream")).await;
        assert_eq!(answer.expect_error(405, "METHOD_NOT_ALLOWED").header("allow"), "POST", "{method}");
    }
});

#[test]
fn the_door_can_be_shut() {
    run(Database::Sqlite, &[("MCP_ENABLED", "false")], false, async |app| {
        app.post("/api/mcp", json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" })).await.expect_error(404, "ROUTE_NOT_FOUND");
    });
}

both!(what_is_no_message_gets_a_clear_answer, async |app| {
    let deep = |levels: usize| {
        let params = format!("{}{}", "{\"a\":".repeat(levels), "1".to_owned() + &"}".repeat(levels));
        format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"items\",\"arguments\":{params}}}}}")
    };
    let batch = format!("[{}{{}}]", r#"{"jsonrpc":"2.0","id":1,"method":"ping"},"#.repeat(10_000));
    for (body, code, part) in [
        ("".to_owned(), -32700, "needs a JSON body"),
        ("{".to_owned(), -32700, "line 1 column 1"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x".to_owned(), -32700, "trailing"),
        ("\u{0}".to_owned(), -32700, "isn't valid JSON"),
        (deep(1_000), -32700, "recursion limit"),
        (deep(100_000), -32700, "recursion limit"),
        (batch, -32600, "Batches aren't taken"),
        ("[]".to_owned(), -32600, "Batches aren't taken"),
        ("null".to_owned(), -32600, "must be an object"),
        (r#"{"id":1,"method":"ping"}"#.to_owned(), -32600, "`jsonrpc`"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#.to_owned(), -32600, "`jsonrpc`"),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#.to_owned(), -32600, "`id`"),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(), -32600, "`id`"),
        (r#"{"jsonrpc":"2.0","id":1,"method":{}}"#.to_owned(), -32600, "`method`"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}"#.to_owned(), -32600, "`params`"),
        (r#"{"jsonrpc":"2.0","id":1}"#.to_owned(), -32600, "needs a `method`"),
    ] {
        let shown: String = body.chars().take(80).collect();
        let answer = app.raw("POST", "/api/mcp", body).await.expect(400).json();
        assert_eq!((&answer["error"]["code"], &answer["id"]), (&json!(code), &Value::Null), "{shown}: {answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|message| message.contains(part)), "{shown}: {answer}");
    }
    let huge = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"a\":\"{}\"}}}}", "x".repeat(11 << 20));
    app.raw("POST", "/api/mcp", huge).await.expect_error(413, "PAYLOAD_TOO_LARGE");
    let many = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":{{\"a\":[{}1]}}}}", "1,".repeat(600_000));
    app.raw("POST", "/api/mcp", many).await.expect_error(413, "PAYLOAD_TOO_LARGE");
    let form = Answer::of(app.request("POST", "/api/mcp").header("content-type", "text/plain").body("{}")).await;
    form.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let versions = Answer::of(app.request("POST", "/api/mcp").json(&message).header("mcp-protocol-version", "1999-01-01")).await;
    assert!(versions.expect(400).json()["error"]["message"].as_str().is_some_and(|text| !text.is_empty()));
});

both!(a_request_that_nobody_knows_is_told_what_there_is, async |app| {
    let agent = Agent::new(app);
    for (method, params, code, part) in [
        ("tools/unknown", json!({}), -32601, "tools/unknown"),
        ("resources/list", json!({}), 0, ""),
        ("tools/call", json!({}), -32602, "it takes `name`"),
        ("tools/call", json!({ "name": 5 }), -32602, "it takes `name`"),
        ("tools/call", json!({ "name": "items", "arguments": [] }), -32602, "it takes `name`"),
        ("tools/call", json!({ "name": "itmes", "arguments": {} }), -32602, "did you mean `items`?"),
        ("tools/call", json!({ "name": "__proto__" }), -32602, "There is no tool `__proto__`"),
        ("initialize", json!({ "protocolVersion": 5 }), -32602, "initialize"),
    ] {
        let told = agent.ask(method, params.clone()).await;
        if code != 0 {
            assert_eq!(told["error"]["code"], code, "{method} {params}: {told}");
            assert!(told["error"]["message"].as_str().is_some_and(|message| message.contains(part)), "{method} {params}: {told}");
        }
    }
    let long = agent.ask("tools/call", json!({ "name": "x".repeat(100_000) })).await;
    assert!(long["error"]["message"].as_str().is_some_and(|message| message.len() < 200), "{long}");
});

both!(nobody_and_strangers_pages_are_kept_out, async |app| {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let nobody = app.anonymous().post("/api/mcp", message.clone()).await.expect_error(401, "UNAUTHORIZED");
    assert_eq!(nobody.header("www-authenticate"), "Bearer realm=\"trellis\"");
    let wrong = app.with_token("a-token-that-was-never-given-out-at-all").post("/api/mcp", message.clone()).await;
    let wrong = wrong.expect_error(401, "INVALID_CREDENTIALS");
    assert_eq!(wrong.header("www-authenticate"), "Bearer realm=\"trellis\"");
    // What everybody may do isn't done here by nobody.
    public_may(app, &may_all("daas_roles")).await;
    app.anonymous().post("/api/mcp", message.clone()).await.expect_error(401, "UNAUTHORIZED");
    // Nor does a large body have anybody wait, who didn't say who they are.
    let person = person(app, &[]).await;
    assert_eq!(Agent::new(&person.client).ask("ping", json!({})).await["result"], json!({}));
    app.patch(&format!("/api/users/{}", person.id), json!({ "status": "suspended" })).await.expect(200);
    person.client.post("/api/mcp", message.clone()).await.expect_error(401, "INVALID_CREDENTIALS");

    let knock = async |headers: &[(&str, &str)]| {
        let request = headers.iter().fold(app.request("POST", "/api/mcp"), |request, (name, value)| request.header(*name, *value));
        Answer::of(request.json(&message)).await
    };
    for headers in [
        &[("host", "evil.example")][..],
        &[("host", "evil.example:8055"), ("origin", "http://evil.example:8055")],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "not an origin")],
    ] {
        let answer = knock(headers).await.expect_error(403, "FORBIDDEN");
        assert!(answer.message().contains("PUBLIC_URL"), "{}", answer.body);
    }
    for headers in [&[("origin", "http://localhost:6274")][..], &[("host", "localhost")], &[]] {
        knock(headers).await.expect(200);
    }
});

both!(a_call_that_takes_long_and_one_that_is_given_up_end_by_themselves, async |app| {
    articles(app).await;
    let code = "await new Promise((done) => setTimeout(done, 300)); return payload;";
    filter(app, "articles.items.create", code).await;
    let arguments = json!({ "action": "create", "collection": "articles", "data": { "title": "given up" } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "items", "arguments": arguments } });
    let request = app.request("POST", "/api/mcp").timeout(Duration::from_millis(100)).json(&message);
    assert!(Answer::try_of(request).await.is_err(), "the client stopped waiting");
    // As over REST: what was begun comes to its end.
    eventually("the item is there", Duration::from_secs(5), async || match count(app, "articles").await {
        1 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
});

both!(the_log_has_a_line_for_each_call_and_nothing_of_what_was_said, async |app| {
    articles(app).await;
    let agent = Agent::new(app);
    let said = "words that are nobody's business";
    agent.send(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": 1, "message": said } })).await;
    agent.ok("items", json!({ "action": "create", "collection": "articles", "data": { "title": said } })).await;
    agent.refused("items", json!({ "action": "read", "collection": said }), "COLLECTION_NOT_FOUND").await;
    agent.ask("tools/call", json!({ "name": said })).await;
    assert!(!app.log().contains(said), "{}", app.log());
    let called: Vec<Value> = app.log_lines().into_iter().filter(|line| line["message"] == "a tool was called").collect();
    let brief = |line: &Value| [&line["tool"], &line["action"], &line["code"]].map(Clone::clone);
    let lines: Vec<_> = called.iter().map(brief).collect();
    assert_eq!(lines[0][..2], [json!("items"), json!("create")], "{called:?}");
    assert_eq!(lines[1], [json!("items"), json!("read"), json!("COLLECTION_NOT_FOUND")], "{called:?}");
});

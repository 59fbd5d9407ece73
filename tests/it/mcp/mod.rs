//! MCP from outside: what clients send over HTTP, and real clients.

mod approval;
mod clients;
mod data;
mod protocol;
mod rights;
mod tools;

use serde_json::{Value, json};

use crate::support::*;

/// The protocol version that most tests speak.
const VERSION: &str = "2025-11-25";

/// A client of MCP, message by message.
struct Agent {
    client: Client,
    path: String,
}

impl Agent {
    fn new(client: &Client) -> Self {
        Self { client: client.clone(), path: "/api/mcp".to_owned() }
    }

    fn readonly(client: &Client) -> Self {
        Self { client: client.clone(), path: "/api/mcp?readonly".to_owned() }
    }

    /// Sends one message as clients do.
    async fn send(&self, message: &Value) -> Answer {
        let request = self.client.request("POST", &self.path).json(message);
        Answer::of(request.header("accept", "application/json, text/event-stream").header("mcp-protocol-version", VERSION)).await
    }

    /// The answer to a request.
    async fn ask(&self, method: &str, params: Value) -> Value {
        let answer = self.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params })).await.expect(200);
        assert!(answer.header("content-type").starts_with("application/json"), "{:?}", answer.headers);
        let told = answer.json();
        assert_eq!((&told["jsonrpc"], &told["id"]), (&json!("2.0"), &json!(7)), "{told}");
        told
    }

    /// The result of a call of a tool, error or not. What holds for every result is looked at here.
    #[track_caller]
    fn call(&self, tool: &str, arguments: Value) -> impl Future<Output = Value> {
        let asked = format!("{tool} {arguments}");
        let params = json!({ "name": tool, "arguments": arguments });
        async move {
            let told = self.ask("tools/call", params).await;
            let result = told.get("result").unwrap_or_else(|| panic!("{asked}: {told}")).clone();
            let content = result["content"].as_array().unwrap();
            let texts: Vec<&str> = content.iter().map(|block| block["text"].as_str().unwrap()).collect();
            let [before, data, after] = texts[..] else { panic!("{asked}: {result}") };
            assert!(after.starts_with("end of data ") && before.contains(after), "{asked}: {result}");
            let data: Value = serde_json::from_str(data).unwrap_or_else(|e| panic!("{asked}: {e}: {data}"));
            let structured = &result["structuredContent"];
            match result["isError"] == true {
                true => {
                    let error = &structured["error"];
                    assert_eq!((&data["code"], &data["message"]), (&error["code"], &error["message"]), "{asked}: {result}");
                    let next = error["next"].as_str().unwrap_or_else(|| panic!("{asked}: {result}"));
                    assert!(next.len() > 10 && before.contains(next), "{asked}: {result}");
                    assert!(error["status"].as_u64().is_some_and(|status| status < 500), "{asked}: {result}");
                }
                false => assert_eq!(data["data"], structured["data"], "{asked}: {result}"),
            }
            result
        }
    }

    /// The data of a call that goes well.
    async fn ok(&self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
        result["structuredContent"]["data"].clone()
    }

    /// The error of a call that doesn't.
    async fn refused(&self, tool: &str, arguments: Value, code: &str) -> Value {
        let result = self.call(tool, arguments.clone()).await;
        let error = &result["structuredContent"]["error"];
        assert_eq!((&result["isError"], &error["code"]), (&json!(true), &json!(code)), "{tool} {arguments}: {result}");
        error.clone()
    }

    /// The tools as they are listed.
    async fn tools(&self) -> Vec<Value> {
        self.ask("tools/list", json!({})).await["result"]["tools"].as_array().unwrap().clone()
    }
}

/// The names in `action` of a listed tool.
fn actions(tool: &Value) -> Vec<&str> {
    tool["inputSchema"]["properties"]["action"]["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

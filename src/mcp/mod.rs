//! The door for agents: `POST /api/mcp`, the Model Context Protocol over Streamable HTTP, on the official SDK.
//!
//! A caller is who their bearer token says, as over REST, and what tools do goes through the same services. Nothing is kept of a client
//! between two requests: any host answers any of them, and no caller makes the host remember anything. `tools/` has one file per tool, and
//! one row each in its table, from which schemas, checks and the documents follow. Rules live in the services; what is a matter of this door
//! alone is what a connection may do at all (`View`), how answers mark what is data (`answer`), and what to try next (`advice`).

mod advice;
mod answer;
mod arguments;
mod door;
mod guard;
mod schema;
mod tool;
mod tools;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};

use crate::auth::Who;
use crate::config::Config;
use crate::error::{Error, ErrorCode};
use crate::http::Api;
use crate::http::error::ApiError;
use crate::http::request::{Call, Credentials};
use crate::services::changes::Lagging;
use crate::services::operation::Start;
use crate::services::query::{clip, show};
use door::Door;
use guard::Guarded;
use tool::View;

pub use tools::markdown as tools_table;

/// Longest answer of the SDK that isn't JSON, in bytes: a sentence.
const MAX_SENTENCE: usize = 4096;

/// The route of this door, unless it is shut.
pub fn routes(config: &Config) -> Router<Arc<Api>> {
    match config.mcp_enabled {
        true => Router::new().route("/api/mcp", post(answer)),
        false => Router::new(),
    }
}

/// One message, and the answer to it.
async fn answer(State(api): State<Arc<Api>>, _: Guarded, uri: Uri, headers: HeaderMap, call: Call) -> Result<Response, ApiError> {
    // Agents aren't browsers: what a cookie says doesn't count here.
    if matches!(call.who().who, Who::Anonymous) || matches!(call.credentials, Credentials::Cookie(_)) {
        let message = "MCP needs a signed-in caller: send `Authorization: Bearer` and a token";
        return Err(Error::new(ErrorCode::Unauthorized, message).into());
    }
    let view = View::of(&api.core.config, &call.query);
    let message: Value = match call.json() {
        Ok(message) => message,
        Err(error) if error.code() == ErrorCode::InvalidPayload => return Ok(refused(PARSE_ERROR, error.message())),
        Err(error) => return Err(error.into()),
    };
    if let Err(why) = envelope(&message) {
        return Ok(refused(INVALID_REQUEST, &why));
    }
    drop(message);
    // Hosts that are behind are told of inside the answer, which is a message of the protocol and takes nothing beside it.
    let start = Start { lagging: Lagging::default(), ..call.start.clone() };
    let door = Door { api, start, view };
    // Clients that forgot one of these are understood all the same: the answer is JSON, whatever else they would take.
    let mut asked = http::Request::post(uri).body(Body::from(call.into_body())).map_err(|e| Error::internal(e.to_string()))?;
    *asked.headers_mut() = headers;
    asked.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    asked.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let service = StreamableHttpService::new(move || Ok(door.clone()), Arc::new(NeverSessionManager::default()), config());
    Ok(in_json(service.handle(asked).await.map(Body::new)).await)
}

/// Nothing is kept between requests, and each is answered with one JSON document. Names and sizes were looked at before.
fn config() -> StreamableHttpServerConfig {
    let mut config = StreamableHttpServerConfig::default().disable_allowed_hosts();
    config.legacy_session_mode = false;
    config.json_response = true;
    config.sse_keep_alive = None;
    config.sse_retry = None;
    config.max_request_body_bytes = usize::MAX;
    config
}

const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;

/// A refusal of something that isn't a message, as JSON-RPC has it: to nobody's request.
fn refused(code: i32, message: &str) -> Response {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } });
    (StatusCode::BAD_REQUEST, axum::Json(body)).into_response()
}

/// Why this isn't one JSON-RPC message, if it isn't.
fn envelope(message: &Value) -> Result<(), String> {
    let message = match message {
        Value::Object(message) => message,
        Value::Array(_) => return Err("Batches aren't taken: send each message in a request of its own".to_owned()),
        other => return Err(format!("A message must be an object, not: {}", show(other))),
    };
    if message.get("jsonrpc") != Some(&json!("2.0")) {
        return Err("`jsonrpc` must be \"2.0\"".to_owned());
    }
    match message.get("id") {
        None | Some(Value::String(_)) => {}
        Some(Value::Number(id)) if id.is_i64() || id.is_u64() => {}
        Some(other) => return Err(format!("`id` must be a text or a whole number, not: {}", show(other))),
    }
    match (message.get("method"), message.get("params")) {
        (Some(Value::String(_)), None | Some(Value::Object(_))) => Ok(()),
        (Some(Value::String(method)), Some(other)) => {
            Err(format!("`params` of `{}` must be an object, not: {}", clip(method), show(other)))
        }
        (Some(other), _) => Err(format!("`method` must be a text, not: {}", show(other))),
        (None, _) if message.contains_key("result") || message.contains_key("error") => Ok(()),
        (None, _) => Err("A message needs a `method`".to_owned()),
    }
}

/// What the SDK says in a bare sentence, said in JSON.
async fn in_json(response: Response) -> Response {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let status = response.status();
    if status.is_success() || is_json {
        return response;
    }
    let text = to_bytes(response.into_body(), MAX_SENTENCE).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    if status.is_server_error() {
        return ApiError::from(Error::internal(format!("the MCP library answered {status}: {text}"))).into_response();
    }
    tracing::debug!(%status, text, "a message was refused by the MCP library");
    match status {
        // Well-formed JSON-RPC, and yet no message of the protocol.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            refused(INVALID_REQUEST, "This isn't a message of the protocol: look at its `method` and `params`")
        }
        _ => (status, refused(INVALID_REQUEST, &text)).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_told_why() {
        for good in [
            json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
            json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/list", "params": {} }),
            json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
            json!({ "jsonrpc": "2.0", "id": 1, "result": {} }),
        ] {
            assert_eq!(envelope(&good), Ok(()), "{good}");
        }
        for (bad, part) in [
            (json!([]), "Batches"),
            (json!(5), "an object, not: 5"),
            (json!({ "id": 1, "method": "ping" }), "`jsonrpc`"),
            (json!({ "jsonrpc": "2.0", "id": null, "method": "ping" }), "`id`"),
            (json!({ "jsonrpc": "2.0", "id": 1.5, "method": "ping" }), "`id`"),
            (json!({ "jsonrpc": "2.0", "id": 1, "method": 1 }), "`method`"),
            (json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": [] }), "`params`"),
            (json!({ "jsonrpc": "2.0", "id": 1 }), "needs a `method`"),
        ] {
            let why = envelope(&bad).expect_err("no message");
            assert!(why.contains(part), "{bad}: {why}");
        }
    }
}

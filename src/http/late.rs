//! `meta.lagging`: the hosts that don't know yet of the change that an answer is about.
//!
//! Added here to whatever a handler answered, so that no handler needs to know of it.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

/// Longest answer that is looked into, in bytes: that of a change is what was changed.
const MAX_BODY: usize = 64 << 20;

/// Names them in a good answer. One without a body gets one: 204 becomes 200 with `{ "meta": { "lagging": […] } }`.
pub async fn tell(response: Response, hosts: &[String]) -> Response {
    if !response.status().is_success() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, MAX_BODY).await else {
        // The handlers of changes answer from memory, in one piece.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        return response;
    };
    let mut told = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(answer)) => answer,
        _ if bytes.is_empty() => serde_json::Map::new(),
        _ => return Response::from_parts(parts, Body::from(bytes)),
    };
    match told.get_mut("meta") {
        Some(Value::Object(meta)) => drop(meta.insert("lagging".to_owned(), json!(hosts))),
        _ => drop(told.insert("meta".to_owned(), json!({ "lagging": hosts }))),
    }
    if parts.status == StatusCode::NO_CONTENT {
        parts.status = StatusCode::OK;
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(Value::Object(told).to_string()))
}

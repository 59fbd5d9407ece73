//! `/api/schema`: the whole schema as one document, in JSON or YAML, compared and applied.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use serde_json::Value;

use super::collections::change;
use super::error::ApiError;
use super::request::{Call, Upload, data, essence};
use super::{Api, App};
use crate::error::{Error, ErrorCode, Result};
use crate::services::collections;
use crate::services::query::{clip, show};
use crate::services::snapshot::{self, apply::Applied};

type Answer = Result<Response, ApiError>;

/// The routes of the schema as a whole.
pub fn routes() -> Router<Arc<Api>> {
    Router::new().route("/api/schema/snapshot", get(take)).route("/api/schema/diff", post(diff)).route("/api/schema/apply", post(apply))
}

async fn take(State(api): App, headers: HeaderMap, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let taken = snapshot::take(&api.core);
    let export = match call.query.get("export") {
        None => None,
        Some(Value::String(kind)) if kind == "json" || kind == "yaml" => Some(kind.as_str()),
        Some(other) => return Err(Error::query(format!("`export` must be `json` or `yaml`, not: {}", show(other))).into()),
    };
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match export {
        Some("yaml") => yaml(&taken, true),
        Some(_) => {
            let file = [(header::CONTENT_DISPOSITION, "attachment; filename=\"snapshot.json\"")];
            Ok((file, axum::Json(taken)).into_response())
        }
        None if accepted.contains("yaml") => yaml(&taken, false),
        None => Ok(data(taken)),
    }
}

fn yaml(document: &Value, as_file: bool) -> Answer {
    let text = serde_saphyr::to_string(document).map_err(|e| Error::internal(format!("a snapshot as YAML: {e}")))?;
    let kind = [(header::CONTENT_TYPE, "application/yaml")];
    let file = as_file.then_some([(header::CONTENT_DISPOSITION, "attachment; filename=\"snapshot.yaml\"")]);
    Ok(match file {
        Some(file) => (kind, file, text).into_response(),
        None => (kind, text).into_response(),
    })
}

async fn diff(State(api): App, upload: Upload) -> Answer {
    collections::may_change(upload.call.who())?;
    let force = match upload.call.query.get("force") {
        None => false,
        Some(Value::Bool(force)) => *force,
        Some(Value::String(text)) if text.is_empty() || text == "true" || text == "1" => true,
        Some(Value::String(text)) if text == "false" || text == "0" => false,
        Some(other) => return Err(Error::query(format!("`force` must be true or false, not: {}", show(other))).into()),
    };
    let document = document(&upload).await?;
    // A caller may send what the answer of the snapshot holds, or the answer.
    let document = document.get("data").filter(|inner| inner.is_object() && document.get("version").is_none()).unwrap_or(&document);
    match snapshot::diff(&api.core, document, force)? {
        Some(found) => Ok(data(found)),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

async fn apply(State(api): App, call: Call) -> Answer {
    collections::may_change(call.who())?;
    let body = call.json()?;
    let inner = body.get("data").filter(|inner| inner.is_object() && body.get("hash").is_none()).cloned();
    let body = inner.unwrap_or(body);
    match change(&api, &call, move |core| async move { snapshot::apply(&core, &body).await }).await? {
        Applied::Changed | Applied::Nothing => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The document of a body: JSON, YAML, or the first file of a form, which is either.
async fn document(upload: &Upload) -> Result<Value> {
    let kind = essence(&upload.media);
    match kind.as_str() {
        "multipart/form-data" => {
            let boundary = multer::parse_boundary(&upload.media).map_err(|e| Error::payload(format!("The form can't be read: {e}")))?;
            let body = Bytes::copy_from_slice(upload.call.body());
            let body = futures_util::stream::once(async move { Ok::<_, Infallible>(body) });
            let mut form = multer::Multipart::new(body, boundary);
            let bad = |e: multer::Error| Error::payload(format!("The form can't be read: {e}"));
            while let Some(field) = form.next_field().await.map_err(bad)? {
                if field.file_name().is_some() {
                    return from_text(&field.bytes().await.map_err(bad)?);
                }
            }
            Err(Error::payload("The form has no file: send the snapshot as one"))
        }
        "" | "application/json" => upload.call.json(),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" | "text/plain" => from_text(upload.call.body()),
        _ => {
            let message =
                "The body must be JSON (`application/json`), YAML (`application/yaml`) or a form with a file (`multipart/form-data`)";
            Err(Error::new(ErrorCode::UnsupportedMediaType, message))
        }
    }
}

fn from_text(bytes: &[u8]) -> Result<Value> {
    let text = std::str::from_utf8(bytes).map_err(|_| Error::payload("The document isn't UTF-8"))?;
    if text.trim_start().starts_with('{') {
        return crate::json::from_bytes(bytes);
    }
    // Bounded by default: levels, aliases and what they come to.
    serde_saphyr::from_str(text).map_err(|e| {
        let why = e.to_string();
        Error::payload(format!("The YAML can't be read: {}", clip(why.lines().next().unwrap_or_default())))
    })
}

//! Errors as HTTP answers: `{ "errors": [ { "message", "extensions": { "code", … } } ] }`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::error::Error;

/// An error on its way out. The outermost layer turns it into an answer, because only that knows the request's id.
#[derive(Debug, Clone)]
pub struct ApiError(Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl ApiError {
    /// Writes down what the caller isn't told. What is the caller's own doing is not worth a line.
    pub fn log(&self, request: &str) {
        let error = &self.0;
        match error.class() {
            500 if error.code() == crate::ErrorCode::Internal => tracing::error!(request, %error, "a request failed"),
            // The run that failed is in the log already, with its stack.
            500.. if error.is_of_extension() => {
                tracing::warn!(request, code = error.wire_code(), message = error.message(), "a request failed");
            }
            500.. => tracing::warn!(request, %error, "a request failed"),
            _ => tracing::debug!(request, %error, "a request was refused"),
        }
    }

    /// What the caller is told besides the message: the code, the field, and more where there is more. `full` as in [`ApiError::answer`].
    pub fn told(&self, full: bool) -> Map<String, Value> {
        let error = &self.0;
        let mut told = Map::new();
        told.insert("code".to_owned(), json!(error.wire_code()));
        if let Some(field) = error.field() {
            told.insert("field".to_owned(), json!(field));
        }
        if let Some(extra) = error.extra() {
            told.extend(extra.clone());
        }
        if let Some(detail) = error.detail().filter(|_| full) {
            told.insert("detail".to_owned(), json!(detail));
        }
        told
    }

    /// The answer. `full` tells the caller what only the log should know: for development.
    pub fn answer(&self, full: bool) -> Response {
        let error = &self.0;
        let body = json!({ "errors": [{ "message": error.message(), "extensions": self.told(full) }] });
        let status = StatusCode::from_u16(error.class()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(body)).into_response();
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            // The rest of the body was not read, so this connection can't carry another request.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"trellis\""));
        }
        if let Some(secs) = error.retry_after_secs() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::from_u16(self.0.class()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

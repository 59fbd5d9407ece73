//! The page at `/`.

use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};

/// A page that says what this is and where to go.
pub async fn home() -> Response {
    let mut response = Html(include_str!("home.html")).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'"));
    response
}

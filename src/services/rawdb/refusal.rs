//! Refusals of the request itself, in the form that clients of PostgREST know.

use crate::error::{Error, ErrorCode, Report};

/// A refusal with its code, message and details.
pub(super) fn refuse(state: &str, message: impl Into<String>, details: Option<String>) -> Error {
    let message = message.into();
    let report = Report { state: state.to_owned(), message: message.clone(), details, hint: None };
    Error::new(ErrorCode::InvalidQuery, message).with_report(report)
}

/// A text for a message, cut to a length that can be read.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The status that PostgREST answers for a code.
pub(super) fn status(state: &str) -> u16 {
    match state {
        "PGRST116" | "PGRST107" => 406,
        "PGRST103" => 416,
        "PGRST105" | "PGRST117" => 405,
        "PGRST200" | "PGRST124" | "PGRST127" => 400,
        "PGRST201" | "PGRST203" => 300,
        "PGRST202" | "PGRST205" | "42P01" | "42883" => 404,
        "23503" | "23505" => 409,
        "25006" => 405,
        "21000" => 400,
        "42501" => 403,
        "42P17" => 500,
        "54000" => 413,
        "57014" | "40001" | "40P01" => 500,
        state => match state.get(..2) {
            Some("08" | "53" | "57") => 503,
            Some("09" | "0L" | "0P" | "25" | "2D" | "38" | "39" | "3B" | "40" | "58" | "F0" | "HV" | "XX") => 500,
            Some("28") => 403,
            _ => 400,
        },
    }
}

/// The words of a status line.
pub(super) fn status_text(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        409 => "Conflict",
        413 => "Payload Too Large",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Bad Request",
    }
}

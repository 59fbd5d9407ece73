//! What came of a request, as it is answered: status, rows as JSON or CSV, counts.

use serde_json::{Value, json};

use super::refusal::{self, refuse};
use super::request::{Asked, Kind, Request, What};
use crate::db::postgrest::plan::Action;
use crate::db::postgrest::{Outcome, Shape};
use crate::error::{Error, Report, Result};
use crate::json as read_json;

/// The answer for an outcome.
pub(super) fn answer(request: &Request, asked: &Asked, outcome: Outcome) -> Result<Value> {
    let count = outcome.total;
    let offset = asked.node.offset;
    let is_read = matches!(asked.what, What::Table(Action::Read) | What::Function(_));
    if is_read && let Some(total) = count.filter(|total| offset > *total) {
        let details = format!("An offset of {offset} was requested, but there are only {total} rows.");
        return Err(refuse("PGRST103", "Requested range not satisfiable", Some(details)));
    }
    let number = outcome.rows.len() as u64;
    let mut status = match &asked.what {
        What::Table(Action::Insert(_)) => 201,
        What::Table(Action::Read) if request.method == "GET" && count.is_some_and(|total| number < total) => 206,
        What::Table(Action::Read) => 200,
        What::Table(_) if asked.prefer.representation => 200,
        What::Table(_) => 204,
        What::Function(_) => 200,
    };
    let is_silent = request.method == "HEAD" || (!is_read && !asked.prefer.representation) || outcome.shape == Shape::Nothing;
    if outcome.shape == Shape::Nothing {
        status = 204;
    }
    let body = if is_silent { Value::Null } else { body(asked, outcome)? };
    Ok(json!({ "status": status, "statusText": refusal::status_text(status), "count": count, "body": body }))
}

fn body(asked: &Asked, outcome: Outcome) -> Result<Value> {
    let first_only = outcome.shape == Shape::Value || asked.form.kind == Kind::One;
    let text = match (first_only && asked.form.kind != Kind::Csv, outcome.rows.first()) {
        (true, first) => first.cloned().unwrap_or_else(|| "null".to_owned()),
        (false, _) => format!("[{}]", outcome.rows.join(",")),
    };
    let mut value: Value = read_json::from_text(&text)?;
    if asked.form.without_nulls {
        strip(&mut value);
    }
    Ok(if asked.form.kind == Kind::Csv { Value::String(csv(&value)) } else { value })
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(strip);
        }
        _ => {}
    }
}

/// A line of names, then one for each row. NULL is nothing, an empty text a pair of quotes.
fn csv(rows: &Value) -> String {
    let rows = rows.as_array().map_or(&[][..], Vec::as_slice);
    let Some(first) = rows.first().and_then(Value::as_object) else { return String::new() };
    let names: Vec<&String> = first.keys().collect();
    let mut lines = vec![names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(",")];
    for row in rows {
        let cells = names.iter().map(|name| match row.get(name.as_str()) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
            Some(Value::String(text)) => quoted(text),
            Some(Value::Bool(flag)) => if *flag { "t" } else { "f" }.to_owned(),
            Some(other) => quoted(&other.to_string()),
        });
        lines.push(cells.collect::<Vec<_>>().join(","));
    }
    lines.join("\n")
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) || text.starts_with(' ') || text.ends_with(' ') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The answer for a failure.
pub(super) fn failure(error: &Error) -> Value {
    let ours = || Report { state: error.wire_code().to_owned(), message: error.message().to_owned(), details: None, hint: None };
    let report = error.report().cloned().unwrap_or_else(ours);
    let status = match (error.report().is_some(), error.class()) {
        (_, 403) => 403,
        (true, _) => refusal::status(&report.state),
        (false, class) => class,
    };
    let Report { state, message, details, hint } = report;
    json!({ "status": status, "statusText": refusal::status_text(status), "count": null,
            "error": { "code": state, "message": message, "details": details, "hint": hint } })
}

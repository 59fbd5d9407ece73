//! A run that failed, with its circumstances: as text for the log and `last_error`, as a row of `daas_extension_runs`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::trouble::{Trouble, told};
use crate::bridge::{CallRecord, Record};
use crate::db::timestamp;
use crate::services::Item;

/// Calls that are kept of one run, the last ones.
const MAX_CALLS: usize = 50;
/// Calls that its text names, the last ones.
const MAX_NAMED: usize = 20;
/// Longest event and request id, in characters.
const MAX_NAME: usize = 255;

/// Bytes of the report of one failed run.
const MAX_TEXT: usize = 16 * 1024;

/// One failed run.
#[derive(Debug, Clone)]
pub struct FailedRun {
    /// Time-ordered (UUID version 7).
    pub id: Uuid,
    /// The extension's id.
    pub extension: String,
    /// The qualified event, or method and path of a route.
    pub event: String,
    /// What went wrong.
    pub trouble: Trouble,
    /// The services called, in the order of their beginnings, the last ones.
    pub calls: Vec<CallRecord>,
    /// Calls before those.
    pub calls_left_out: u64,
    /// The request that set it off.
    pub request_id: String,
    /// The key of the user in whose name it ran.
    pub user: Option<String>,
    /// When it ended.
    pub at: DateTime<Utc>,
    /// How long it took, where that is known.
    pub elapsed: Option<Duration>,
}

impl FailedRun {
    /// A failed run of which nothing is known but what went wrong.
    pub fn new(extension: &str, event: &str, request_id: &str, user: Option<&str>, trouble: Trouble, at: DateTime<Utc>) -> Self {
        let name = |text: &str| told(text).chars().take(MAX_NAME).collect();
        Self {
            id: Uuid::now_v7(),
            extension: extension.to_owned(),
            event: name(event),
            trouble,
            calls: Vec::new(),
            calls_left_out: 0,
            request_id: name(request_id),
            user: user.map(str::to_owned),
            at,
            elapsed: None,
        }
    }

    /// The same with what it did before it failed.
    #[must_use]
    pub fn after(mut self, record: Record, elapsed: Duration) -> Self {
        let over = record.calls.len().saturating_sub(MAX_CALLS);
        self.calls_left_out = record.calls_left_out + over as u64;
        self.calls = record.calls.into_iter().skip(over).map(|call| CallRecord { method: told(&call.method), ..call }).collect();
        self.elapsed = Some(elapsed);
        self
    }

    /// Everything, for the log and `last_error`.
    ///
    /// No longer than [`MAX_TEXT`]: it goes to the log, where one failure after the other must not fill the disk.
    pub fn text(&self) -> String {
        let took = self.elapsed.map(|elapsed| format!(" after {:.1} ms", millis(elapsed))).unwrap_or_default();
        let mut around = vec![format!("on {} in request {}{took}", self.event, self.request_id)];
        if !self.calls.is_empty() {
            let before = self.calls_left_out + self.calls.len().saturating_sub(MAX_NAMED) as u64;
            let before = if before > 0 { format!("{before} before, ") } else { String::new() };
            let named = self.calls.iter().skip(self.calls.len().saturating_sub(MAX_NAMED)).map(named).collect::<Vec<_>>();
            around.push(format!("services called: {before}{}", named.join(", ")));
        }
        let mut text = self.trouble.text(&around);
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text
    }

    /// As a row; `left_out` failed runs before it weren't kept.
    pub fn row(&self, host: &str, left_out: u64) -> Item {
        let mut row = self.trouble.to_json();
        row.extend([
            ("id".to_owned(), json!(self.id.to_string())),
            ("extension".to_owned(), json!(self.extension)),
            ("event".to_owned(), json!(self.event)),
            ("calls".to_owned(), calls_json(&self.calls)),
            ("calls_left_out".to_owned(), json!(i32::try_from(self.calls_left_out).unwrap_or(i32::MAX))),
            ("request_id".to_owned(), json!(self.request_id)),
            ("user".to_owned(), json!(self.user)),
            ("host".to_owned(), json!(host)),
            ("at".to_owned(), json!(timestamp(self.at))),
            ("elapsed_ms".to_owned(), json!(self.elapsed.map(millis))),
            ("left_out".to_owned(), json!(i32::try_from(left_out).unwrap_or(i32::MAX))),
        ]);
        row
    }
}

/// Calls as every answer shows them.
pub fn calls_json<'c>(calls: impl IntoIterator<Item = &'c CallRecord>) -> Value {
    let one = |call: &CallRecord| {
        let ms = (call.ms * 1000.0).round() / 1000.0;
        json!({ "method": call.method, "collection": call.collection, "ms": ms, "error": call.error, "ended": call.ended })
    };
    calls.into_iter().map(one).collect()
}

fn named(call: &CallRecord) -> String {
    let collection = call.collection.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let end = match (&call.error, call.ended) {
        (Some(error), _) => format!(" {error}"),
        (None, false) => " (not ended)".to_owned(),
        (None, true) => String::new(),
    };
    format!("{}{collection} {:.1} ms{end}", call.method, call.ms)
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    #[test]
    fn of_many_calls_the_last_are_kept_and_named_and_the_others_counted() {
        let trouble = Trouble::general(ErrorCode::ExtensionTimeout, "It took longer than its 100 ms");
        let call = |n: usize| CallRecord {
            method: "items.readOne".into(),
            collection: Some(format!("c{n}")),
            ms: 1.0,
            error: (n == 198).then(|| "NOT_FOUND".into()),
            ended: n < 199,
        };
        let record = Record { calls: (0..200).map(call).collect(), calls_left_out: 7, ..Record::default() };
        let run =
            FailedRun::new("e", "a.items.create", "r-1", None, trouble, DateTime::UNIX_EPOCH).after(record, Duration::from_millis(100));
        assert_eq!((run.calls.len(), run.calls_left_out), (MAX_CALLS, 157));
        let text = run.text();
        assert!(
            text.contains("on a.items.create in request r-1 after 100.0 ms\nservices called: 187 before, items.readOne c180 1.0 ms"),
            "{text}"
        );
        assert!(text.ends_with("items.readOne c198 1.0 ms NOT_FOUND, items.readOne c199 1.0 ms (not ended)"), "{text}");
        let row = run.row("host", 3);
        assert_eq!((&row["elapsed_ms"], &row["left_out"], &row["calls"][49]["ended"]), (&json!(100.0), &json!(3), &json!(false)));
    }
}

//! Every limit of an extension's call in one table, made from the numbers that hold: a document shows it and a test compares.

use crate::config::SETTINGS;
use crate::sandbox::fixed_limits;

use super::breaker;
use super::definition::{MEMORY_LIMIT_MB, Range, STREAM_TIMEOUT_MS, TIMEOUT_MS};

/// The table as Markdown, its head included.
pub fn limits_table() -> String {
    let range = |range: Range, unit: &str| (format!("{} {unit}", range.default), format!("{} to {}", range.min, range.max));
    let (time, times) = range(TIMEOUT_MS, "ms");
    let (memory, memories) = range(MEMORY_LIMIT_MB, "MiB");
    let (stream, streams) = range(STREAM_TIMEOUT_MS, "ms");
    let mut rows = vec![
        ("a call, all its awaits included", time, format!("`timeout_ms`, {times}"), "504 `EXTENSION_TIMEOUT`"),
        ("heap of a call, buffers included", memory, format!("`memory_limit_mb`, {memories}"), "500 `EXTENSION_OUT_OF_MEMORY`"),
        ("a streaming answer in all", stream, format!("`stream_timeout_ms`, {streams}"), "cut"),
    ];
    for (name, what, unit, beyond) in [
        (
            "WORKER_MEMORY_MB",
            "memory of all workers together",
            "MiB",
            "idle ones end, then calls wait, then 503 `EXTENSION_BUSY`; the largest is killed",
        ),
        ("EXTENSION_MAX_PAYLOAD", "an argument or a result", "bytes", "413 `EXTENSION_PAYLOAD_TOO_LARGE`"),
        ("EXTENSION_MAX_DEPTH", "hooks that trigger hooks", "levels", "508 `EXTENSION_RECURSION`"),
        ("EXTENSION_MAX_IN_FLIGHT", "calls of one extension at once; hooks, routes and streams each", "calls", "more wait"),
        ("EXTENSION_MAX_WAITING", "calls of one extension that wait, 2 s at most", "calls", "503 `EXTENSION_BUSY`"),
        ("EXTENSION_FETCH_MAX", "requests that a call makes with `fetch`", "requests", "`FETCH_REFUSED` in JS"),
        ("EXTENSION_FETCH_MAX_BODY", "body of such a request, and of its answer once unpacked", "bytes", "`FETCH_TOO_LARGE` in JS"),
        ("EXTENSION_FETCH_TIMEOUT_MS", "such a request, to the last byte of its answer", "ms", "`FETCH_TIMEOUT` in JS"),
        ("REQUEST_TIMEOUT_MS", "an operation with all its hooks", "ms", "504 `REQUEST_TIMEOUT`"),
        ("TX_MAX_MS", "a filter's transaction", "ms", "503 `TRANSACTION_TIMEOUT`"),
    ] {
        let default = SETTINGS.iter().find(|setting| setting.name == name).map_or("", |setting| setting.default);
        let value = if default.is_empty() { "a quarter of the machine's".to_owned() } else { format!("{default} {unit}") };
        rows.push((what, value, format!("`{name}`"), beyond));
    }
    rows.push(("faults before an extension cools down", breaker::rule(), "the host".to_owned(), "503 `EXTENSION_UNAVAILABLE`"));
    rows.extend(fixed_limits().into_iter().map(|(what, value, beyond)| (what, value, "the host".to_owned(), beyond)));
    let mut table = "| limit | value | set by | beyond it |\n| --- | --- | --- | --- |\n".to_owned();
    for (what, value, set_by, beyond) in rows {
        table.push_str(&format!("| {what} | {value} | {set_by} | {beyond} |\n"));
    }
    table
}

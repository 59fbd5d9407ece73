//! Values that cross: JSON into the engine and out again, and whatever a script can build on its way out.

use serde_json::{Map, Value};

use super::super::failure::Report;
use super::super::limits::MAX_DEPTH;
use super::super::protocol::{DONE_FAILURE, DONE_JSON, DONE_UNDEFINED};
use super::js;

const ECHO: &str = "return payload;";
const BUILD: &str = include_str!("values.js");
const PARAMS: [&str; 3] = ["payload", "context", "services"];

/// Gives the bytes to the engine as a JSON text and takes the value back. What is JSON comes back equal; nothing else matters but that it ends.
///
/// # Panics
/// Where a value changes, or is refused without a reason.
pub(crate) fn json(data: &[u8]) {
    let outcome = js::call(ECHO, &PARAMS, &[data]);
    // What the host sends is JSON that it has read itself.
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    match read(&outcome) {
        Read::Json(back) => assert!(equal(&value, &back), "{value} came back as {back}"),
        Read::Report(Report::NotSerializable { message }) => assert!(depth(&value) > MAX_DEPTH, "{message}"),
        Read::Report(Report::PayloadTooLarge { .. }) => assert!(data.len() > js::MAX_RESULT / 6),
        other => panic!("{value}: {other:?}"),
    }
}

/// Builds a value as the bytes say, and has it cross.
///
/// # Panics
/// Where that gives neither JSON nor a refusal, or JSON that doesn't come back equal.
pub(crate) fn values(data: &[u8]) {
    let bytes = serde_json::to_vec(&data.iter().take(2_000).collect::<Vec<_>>()).expect("numbers");
    match read(&js::call(BUILD, &PARAMS, &[&bytes])) {
        Read::Json(value) => {
            assert!(depth(&value) <= MAX_DEPTH);
            json(&serde_json::to_vec(&value).expect("it was JSON"));
        }
        Read::Report(Report::NotLoaded(failure)) => panic!("{failure:?}"),
        Read::Undefined | Read::Report(_) | Read::Nothing => {}
    }
    // Whatever it was, the next call finds nothing of it.
    assert!(matches!(read(&js::call(BUILD, &PARAMS, &[b"[]"])), Read::Json(Value::Null)));
}

/// What a script answered.
#[derive(Debug)]
enum Read {
    Undefined,
    Json(Value),
    Report(Report),
    /// It waits for something that never comes.
    Nothing,
}

fn read(outcome: &[u8]) -> Read {
    match outcome.split_first() {
        None => Read::Nothing,
        Some((&DONE_UNDEFINED, [])) => Read::Undefined,
        Some((&DONE_JSON, text)) => Read::Json(serde_json::from_slice(text).expect("what crosses is JSON")),
        Some((&DONE_FAILURE, text)) => Read::Report(serde_json::from_slice(text).expect("a report can be read")),
        Some((kind, rest)) => panic!("kind {kind} with {} bytes", rest.len()),
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Equal as JavaScript sees it: numbers are doubles, and minus zero is written as zero.
fn equal(a: &Value, b: &Value) -> bool {
    let members = |a: &Map<String, Value>, b: &Map<String, Value>| {
        a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| equal(value, other)))
    };
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => members(a, b),
        _ => a == b,
    }
}

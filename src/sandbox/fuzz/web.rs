//! What the web platform of the sandbox reads, against the libraries that it is made of and against itself.

use serde_json::{Value, json};
use url::{Url, form_urlencoded, quirks};

use super::super::multipart::{self, Part};
use super::super::protocol::{DONE_FAILURE, DONE_JSON};
use super::super::web::{change, content_type};
use super::{Input, js};

const CODE: &str = include_str!("web.js");
const PARAMS: [&str; 3] = ["payload", "context", "services"];

/// Longest input: the parsers are linear, or quadratic in what few bytes there are.
const MAX_INPUT: usize = 4_096;

/// One byte for what is read, then texts with `0xFF` between them.
///
/// # Panics
/// Where a class of the web platform says something else than what it is made of, or contradicts itself.
pub(crate) fn web(data: &[u8]) {
    let mut input = Input(&data[..data.len().min(MAX_INPUT)]);
    let what = input.byte();
    match what % 8 {
        0 => url(&mut input),
        1 => {
            let texts = input.texts();
            let text = texts.first().map_or("", String::as_str);
            let [pairs, again] = script("params", &json!([text])).map(|value| pairs(&value));
            // A `?` in front is no part of it.
            let expected: Vec<(String, String)> =
                form_urlencoded::parse(text.strip_prefix('?').unwrap_or(text).as_bytes()).into_owned().collect();
            assert_eq!(pairs, expected);
            assert_eq!(again, expected);
        }
        2 => {
            const LABELS: [&str; 12] = [
                "utf-8",
                "utf-16le",
                "utf-16be",
                "latin1",
                "gb18030",
                "big5",
                "euc-jp",
                "shift_jis",
                "euc-kr",
                "iso-2022-jp",
                "koi8-r",
                "gbk",
            ];
            let label = LABELS[usize::from(input.byte()) % LABELS.len()];
            let (step, options) = (usize::from(input.byte()) + 1, input.byte());
            let bytes = input.0.to_vec();
            let [whole, pieces] = script("decode", &json!([label, bytes, step, options & 1 == 1, options & 2 == 2]));
            assert_eq!(whole, pieces, "{label} in steps of {step}");
            if label == "utf-8" && options & 3 == 2 {
                assert_eq!(whole, json!(String::from_utf8_lossy(&bytes)));
            }
        }
        3 => {
            let texts = input.texts();
            let [first, second] = script("headers", &json!([texts]));
            assert_eq!(first, second);
        }
        4 => {
            let texts = input.texts();
            let [first, second] = script("form", &json!([texts]));
            assert_eq!(first, second);
        }
        5 => {
            let [first, second] = script("bytes", &json!([input.0]));
            assert_eq!(first, second);
        }
        6 => {
            let [first, second] = script("keys", &json!([input.byte(), input.0]));
            assert_eq!(first, second, "what was exported is exported again");
        }
        _ => {
            let (format, step) = (input.byte(), usize::from(input.byte()) + 1);
            let [whole, pieces] = script("inflate", &json!([format, input.0, step]));
            assert_eq!(whole, pieces, "in steps of {step}");
        }
    }
}

/// The two things that the script answers.
fn script(what: &str, given: &Value) -> [Value; 2] {
    let payload = json!({ "what": what, "given": given }).to_string();
    let outcome = js::call(CODE, &PARAMS, &[payload.as_bytes()]);
    match outcome.split_first() {
        Some((&DONE_JSON, text)) => serde_json::from_slice(text).expect("two values"),
        Some((&DONE_FAILURE, text)) => panic!("{what}: {}", String::from_utf8_lossy(text)),
        _ => panic!("{what} gave nothing"),
    }
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    serde_json::from_value(value.clone()).expect("names and values")
}

fn url(input: &mut Input<'_>) {
    let how = input.byte();
    let texts = input.texts();
    let text = |at: usize| texts.get(at).map(String::as_str);
    let (address, base) = (text(0).unwrap_or_default(), text(1).filter(|_| how & 1 == 1));
    let (part, value) = (u32::from(how >> 1) % 9 + 2, text(2).unwrap_or_default());
    let parsed = match base {
        None => Url::parse(address).ok(),
        Some(base) => Url::parse(base).ok().and_then(|base| base.join(address).ok()),
    };
    let [found, changed] = script("url", &json!([address, base, part, value]));
    assert_eq!(found, parsed.as_ref().map_or(Value::Null, parts), "{address:?} {base:?}");
    if let Some(mut url) = parsed {
        // A part that is refused stays as it was.
        let expected = match change(&mut url, part, value) {
            Some(()) => parts(&url),
            None => found,
        };
        assert_eq!(changed, expected, "part {part} of {address:?} {base:?} set to {value:?}");
    }
}

fn parts(url: &Url) -> Value {
    json!([
        quirks::href(url),
        quirks::origin(url),
        quirks::protocol(url),
        quirks::username(url),
        quirks::password(url),
        quirks::host(url),
        quirks::hostname(url),
        quirks::port(url),
        quirks::pathname(url),
        quirks::search(url),
        quirks::hash(url)
    ])
}

/// A content type up to the first `0xFF`, then a body: read by its boundary, and once it was written again always the same.
///
/// # Panics
/// Where it isn't.
pub(crate) fn multipart(data: &[u8]) {
    let data = &data[..data.len().min(MAX_INPUT)];
    let cut = data.iter().position(|b| *b == 0xFF).unwrap_or(data.len());
    let (essence, boundary) = content_type(&String::from_utf8_lossy(&data[..cut]));
    assert!(!essence.bytes().any(|b| b.is_ascii_uppercase()));
    let boundary = boundary.unwrap_or_else(|| "b".to_owned());
    let Some(parts) = multipart::read(data.get(cut + 1..).unwrap_or_default(), &boundary) else { return };
    let first = written(&parts, &boundary);
    // Line breaks in a text are made those of the wire, which can make a boundary of what was none.
    let mark = format!("\r\n--{boundary}");
    let marks = [b"\r\n", &first[..]].concat().windows(mark.len()).filter(|window| *window == mark.as_bytes()).count();
    if marks == parts.len() + 1 {
        let again = multipart::read(&first, &boundary).expect("it was written here");
        assert!(again.len() == parts.len() && again.iter().zip(&parts).all(|(a, b)| a.filename == b.filename));
        assert_eq!(written(&again, &boundary), first);
    }
}

fn written(parts: &[Part<'_>], boundary: &str) -> Vec<u8> {
    let mut out = Vec::new();
    parts.iter().for_each(|part| multipart::write(&mut out, boundary, part));
    multipart::finish(&mut out, boundary);
    out
}

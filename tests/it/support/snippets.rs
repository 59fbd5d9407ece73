//! Runs the shell snippets of a document against a started program and compares what they print with what the document says.
//!
//! All `sh` blocks of a document run in one bash, in order, so that a later one may use a variable of an earlier one. What a block must
//! print stands in the `json` or `text` block that follows it, or in its own comments `# => text`. In a `json` block an object may leave
//! members out, and the string "…" stands for any value; in a `text` block each line must be found in order, and `…` stands for anything.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::TestApp;
use super::app::ADMIN_PASSWORD;

struct Snippet {
    line: usize,
    code: String,
    expected: Vec<Expected>,
}

enum Expected {
    Json(Value),
    Lines(Vec<String>),
}

/// Commands that can't run inside the tests: they start the program or the tests. CI runs them as printed.
pub const OUTER_COMMANDS: [&str; 2] = ["cargo run --release", "cargo test --release"];

/// Runs every `sh` block of `document`; panics at the first that fails or prints something else.
pub fn run(app: &TestApp, name: &str, document: &str) {
    let snippets = parse(name, document);
    assert!(!snippets.is_empty(), "{name}: no snippets");
    let mut script = String::from("set -euo pipefail\n");
    for (n, snippet) in snippets.iter().enumerate() {
        let code = snippet.code.replace("http://127.0.0.1:8055", app.base());
        let _ = write!(script, "printf '\\036%s\\n' {n}\n{code}\n");
    }
    let file = app.dir().join("snippets.sh");
    std::fs::write(&file, script).unwrap();
    let output =
        Command::new("bash").arg(&file).current_dir(app.dir()).env("PASSWORD", ADMIN_PASSWORD).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let outputs: Vec<&str> = stdout.split('\u{1e}').skip(1).map(|part| part.split_once('\n').map_or("", |(_, rest)| rest)).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    for (n, snippet) in snippets.iter().enumerate() {
        let Some(printed) = outputs.get(n) else { panic!("{name}: a snippet before line {} failed: {errors}", snippet.line) };
        for expected in &snippet.expected {
            if let Err(why) = expected.check(printed) {
                panic!("{name}:{}: {why}\nit printed:\n{printed}\n{errors}", snippet.line);
            }
        }
    }
    assert!(output.status.success(), "{name}: the last snippet failed: {errors}\n{stdout}");
}

fn parse(name: &str, document: &str) -> Vec<Snippet> {
    let mut snippets: Vec<Snippet> = Vec::new();
    let mut block: Option<(usize, &str, String)> = None;
    // What follows a block in between: an expectation belongs to the block right above it.
    let mut follows_snippet = false;
    for (number, line) in document.lines().enumerate() {
        match (&mut block, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => block = Some((number + 1, language.trim(), String::new())),
            (Some((_, _, text)), None) => {
                text.push_str(line);
                text.push('\n');
            }
            (Some(_), Some(_)) => {
                let Some((line, language, text)) = block.take() else { unreachable!() };
                match language {
                    "sh" if OUTER_COMMANDS.contains(&text.trim()) => follows_snippet = false,
                    "sh" => {
                        let comments: Vec<String> = text.lines().filter_map(|l| Some(l.split_once("# => ")?.1.trim().to_owned())).collect();
                        let expected = if comments.is_empty() { Vec::new() } else { vec![Expected::Lines(comments)] };
                        snippets.push(Snippet { line, code: text, expected });
                        follows_snippet = true;
                    }
                    "json" | "text" if follows_snippet => {
                        let expected = if language == "json" {
                            Expected::Json(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}:{line}: {e}")))
                        } else {
                            Expected::Lines(text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect())
                        };
                        snippets.last_mut().unwrap().expected.push(expected);
                        follows_snippet = false;
                    }
                    "json" | "text" | "js" | "toml" => follows_snippet = false,
                    other => panic!("{name}:{line}: a block in a language that no test knows: {other:?}"),
                }
            }
            (None, None) => {}
        }
    }
    snippets
}

impl Expected {
    fn check(&self, printed: &str) -> Result<(), String> {
        match self {
            Expected::Json(expected) => {
                let actual: Value = serde_json::from_str(printed.trim()).map_err(|e| format!("not one JSON value: {e}"))?;
                contains(&actual, expected, "$")
            }
            Expected::Lines(lines) => {
                let mut rest = printed;
                for line in lines {
                    for piece in line.split('…').map(str::trim).filter(|piece| !piece.is_empty()) {
                        let at = rest.find(piece).ok_or_else(|| format!("not printed (in this order): {piece}"))?;
                        rest = &rest[at + piece.len()..];
                    }
                }
                Ok(())
            }
        }
    }
}

/// Whether `actual` has everything that `expected` has.
fn contains(actual: &Value, expected: &Value, path: &str) -> Result<(), String> {
    match (actual, expected) {
        (_, Value::String(any)) if any == "…" => Ok(()),
        (Value::Object(actual), Value::Object(expected)) => expected.iter().try_for_each(|(key, value)| {
            contains(actual.get(key).ok_or_else(|| format!("{path}.{key} is missing"))?, value, &format!("{path}.{key}"))
        }),
        (Value::Array(actual), Value::Array(expected)) if actual.len() == expected.len() => {
            actual.iter().zip(expected).enumerate().try_for_each(|(n, (a, e))| contains(a, e, &format!("{path}[{n}]")))
        }
        (actual, expected) if actual == expected => Ok(()),
        (actual, expected) => Err(format!("{path} is {actual}, the document says {expected}")),
    }
}

#[test]
fn a_document_is_cut_into_snippets_and_expectations() {
    let document = "```sh\necho 1\n```\ntext\n```json\n1\n```\n```js\nlet a;\n```\n```json\n2\n```\n```sh\ncargo run --release\n```\n```sh\necho b # => b\n```\n";
    let snippets = parse("test", document);
    assert_eq!(snippets.len(), 2);
    assert!(matches!(&snippets[0].expected[..], [Expected::Json(v)] if *v == 1));
    assert!(snippets[1].expected[0].check("a\nb\n").is_ok() && snippets[1].expected[0].check("a\n").is_err());
    let expected = serde_json::json!({ "a": [1, "…"] });
    assert!(contains(&serde_json::json!({ "a": [1, 2], "b": 3 }), &expected, "$").is_ok());
    assert!(contains(&serde_json::json!({ "a": [2, 2] }), &expected, "$").is_err());
}

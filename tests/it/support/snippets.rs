//! Runs the shell snippets of a document against a started program and compares what they print with what the document says.
//!
//! All `sh` blocks of a document run in one bash, in order, so that a later one may use a variable of an earlier one. What a block must
//! print stands in the `json` or `text` block that follows it, or in its own comments `# => text`. In a `json` block an object may leave
//! members out, and the string "…" stands for any value; in a `text` block each line must be found in order, and `…` stands for anything.
//!
//! A `js`, `ts` or `jsonc` block whose first line is `// extensions/…` is that file: it is written there, and what comes after waits until the
//! program has loaded the extension, or said why it can't. Other such blocks illustrate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::app::{ADMIN_PASSWORD, ADMIN_TOKEN};
use super::{TestApp, eventually};

enum Step {
    Run(Snippet),
    Write(Vec<SourceFile>),
}

struct Snippet {
    line: usize,
    code: String,
    expected: Vec<Expected>,
}

struct SourceFile {
    /// Below the server's working directory.
    path: String,
    text: String,
}

enum Expected {
    Json(Value),
    Lines(Vec<String>),
}

/// Commands that can't run inside the tests: they start the program or the tests. CI runs them as printed.
pub const OUTER_COMMANDS: [&str; 2] = ["cargo run --release", "cargo test --release --features test-hooks"];

/// Before each step bash prints one of these and the step's number: `RUNS` and goes on, or `WAITS` until it gets a line.
const RUNS: char = '\u{1e}';
const WAITS: char = '\u{1d}';

/// Runs every step of `document`; panics at the first that fails or prints something else. `TOKEN` is the admin's, `PASSWORD` too.
pub async fn run(app: &TestApp, name: &str, document: &str) {
    let steps = parse(name, document);
    assert!(steps.iter().any(|step| matches!(step, Step::Run(_))), "{name}: no snippets");
    let mut script = String::from("set -euo pipefail\nexec 3<&0 </dev/null\n");
    for (n, step) in steps.iter().enumerate() {
        let _ = match step {
            Step::Run(snippet) => {
                let code = snippet.code.replace("http://127.0.0.1:8055", app.base());
                write!(script, "printf '\\036%s\\n' {n}\n{code}\n")
            }
            Step::Write(_) => write!(script, "printf '\\035%s\\n' {n}\nread -r _ <&3\n"),
        };
    }
    let file = app.dir().join("snippets.sh");
    std::fs::write(&file, script).unwrap();
    let mut command = Command::new("bash");
    command.arg(&file).current_dir(app.dir()).env("PASSWORD", ADMIN_PASSWORD).env("TOKEN", ADMIN_TOKEN);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut bash = command.spawn().unwrap();
    let mut orders = bash.stdin.take().unwrap();
    let mut printed = lines(bash.stdout.take().unwrap());
    let mut complaints = lines(bash.stderr.take().unwrap());

    let mut outputs: BTreeMap<usize, String> = BTreeMap::new();
    let mut current = None;
    while let Some(line) = printed.recv().await {
        // What a step printed need not end its last line.
        let (rest, mark) = match line.find([RUNS, WAITS]) {
            Some(at) => line.split_at(at),
            None => (line.as_str(), ""),
        };
        if let Some(n) = current {
            outputs.entry(n).or_default().push_str(rest);
        }
        let Some(number) = mark.strip_prefix([RUNS, WAITS]) else { continue };
        let n: usize = number.trim().parse().unwrap();
        current = Some(n);
        outputs.insert(n, String::new());
        if let Step::Write(files) = &steps[n] {
            put(app, files).await;
            orders.write_all(b"\n").unwrap();
        }
    }
    let mut errors = String::new();
    while let Some(line) = complaints.recv().await {
        errors.push_str(&line);
    }
    let status = bash.wait().unwrap();

    for (n, step) in steps.iter().enumerate() {
        let Step::Run(snippet) = step else { continue };
        let Some(printed) = outputs.get(&n) else { panic!("{name}: a snippet before line {} failed: {errors}", snippet.line) };
        for expected in &snippet.expected {
            if let Err(why) = expected.check(printed) {
                panic!("{name}:{}: {why}\nit printed:\n{printed}\n{errors}", snippet.line);
            }
        }
    }
    assert!(status.success(), "{name}: the last snippet failed: {errors}\n{outputs:?}");
}

/// What a pipe says, line by line, read on a thread of its own.
fn lines(pipe: impl std::io::Read + Send + 'static) -> tokio::sync::mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });
    receiver
}

/// Writes files of extensions and waits until the program has taken note of each folder.
async fn put(app: &TestApp, files: &[SourceFile]) {
    let folders: BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').nth(1)).collect();
    let before = loads(app).await;
    for file in files {
        let path = app.dir().join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &file.text).unwrap();
    }
    for folder in folders {
        loaded(app, folder, before.get(folder)).await;
    }
}

/// Copies an example of the repository to where the program looks for extensions, and waits until it is loaded.
pub async fn install(app: &TestApp, example: &Path) {
    let folder = example.file_name().unwrap().to_str().unwrap();
    let into = app.dir().join("extensions").join(folder);
    std::fs::create_dir_all(&into).unwrap();
    for entry in std::fs::read_dir(example).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), into.join(entry.file_name())).unwrap();
    }
    loaded(app, folder, None).await;
    let state = loads(app).await.remove(folder).unwrap_or_default();
    assert!(state.starts_with("\"active\""), "{folder}: {state}");
}

/// What the program last made of each folder: it changes when another version was looked at.
async fn loads(app: &TestApp) -> BTreeMap<String, String> {
    let listed = app.get("/api/extensions?limit=-1").await.expect(200).data();
    let rows = listed.as_array().cloned().unwrap_or_default();
    let state = |row: &Value| ["status", "problems", "loaded_at"].map(|member| row[member].to_string()).join(" ");
    rows.iter().filter_map(|row| Some((row["folder"].as_str()?.to_owned(), state(row)))).collect()
}

async fn loaded(app: &TestApp, folder: &str, before: Option<&String>) {
    eventually(&format!("`{folder}` is looked at"), Duration::from_secs(20), async || match loads(app).await.get(folder) {
        Some(now) if Some(now) != before => Ok(()),
        seen => Err(format!("{seen:?}")),
    })
    .await;
}

fn parse(name: &str, document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
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
                        steps.push(Step::Run(Snippet { line, code: text, expected }));
                        follows_snippet = true;
                    }
                    "json" | "text" if follows_snippet => {
                        let expected = if language == "json" {
                            Expected::Json(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{name}:{line}: {e}")))
                        } else {
                            Expected::Lines(text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect())
                        };
                        let Some(Step::Run(snippet)) = steps.last_mut() else { unreachable!() };
                        snippet.expected.push(expected);
                        follows_snippet = false;
                    }
                    "js" | "ts" | "jsonc" => {
                        if let Some(file) = source_file(language, &text) {
                            match steps.last_mut() {
                                // Files that follow one another are one change: one may need the other.
                                Some(Step::Write(files)) => files.push(file),
                                _ => steps.push(Step::Write(vec![file])),
                            }
                        }
                        follows_snippet = false;
                    }
                    "json" | "text" | "toml" => follows_snippet = false,
                    other => panic!("{name}:{line}: a block in a language that no test knows: {other:?}"),
                }
            }
            (None, None) => {}
        }
    }
    steps
}

/// The file that a block is, if its first line names one. JSON knows no comments, so there the line isn't part of it.
fn source_file(language: &str, text: &str) -> Option<SourceFile> {
    let (first, rest) = text.split_once('\n')?;
    let path = first.strip_prefix("// ").filter(|path| path.starts_with("extensions/") && !path.contains([' ', '…']))?;
    let text = if language == "jsonc" { rest } else { text };
    Some(SourceFile { path: path.to_owned(), text: text.to_owned() })
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
    let steps = parse("test", document);
    let [Step::Run(first), Step::Run(second)] = &steps[..] else { panic!("{} steps", steps.len()) };
    assert!(matches!(&first.expected[..], [Expected::Json(v)] if *v == 1));
    assert!(second.expected[0].check("a\nb\n").is_ok() && second.expected[0].check("a\n").is_err());
    let expected = serde_json::json!({ "a": [1, "…"] });
    assert!(contains(&serde_json::json!({ "a": [1, 2], "b": 3 }), &expected, "$").is_ok());
    assert!(contains(&serde_json::json!({ "a": [2, 2] }), &expected, "$").is_err());
}

#[test]
fn files_of_extensions_are_written_together_before_what_follows() {
    let document = "```js\n// extensions/a/index.mjs\nx;\n```\n```jsonc\n// extensions/a/extension.json\n{}\n```\n```sh\ntrue\n```\n```ts\n// extensions/…/index.ts\n```\n";
    let steps = parse("test", document);
    let [Step::Write(files), Step::Run(_)] = &steps[..] else { panic!("{} steps", steps.len()) };
    let written: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
    assert_eq!(written, [("extensions/a/index.mjs", "// extensions/a/index.mjs\nx;\n"), ("extensions/a/extension.json", "{}\n")]);
}

//! `extension.json`: what the author of an extension folder sets beside its code, checked.
//!
//! The members that rows of `daas_extensions` have too are held to the same bounds by the same functions. It knows no disk: `files`
//! hands it the text. Every mistake is reported, not the first only, because each costs the author a save.

use std::time::Duration;

use serde_json::Value;

use super::definition::{self, FAILURE_MODE, MEMORY_LIMIT_MB, Range, SORT, STATE, STREAM_TIMEOUT_MS, TIMEOUT_MS};
use crate::bridge::Capabilities;
use crate::error::{Error, Result};
use crate::sandbox::Problem;
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// The file's name, in the extension's folder.
pub const FILE: &str = "extension.json";

/// Longest description, in characters.
const MAX_DESCRIPTION: usize = 2_000;

/// What may be set. `$schema` is for editors.
const MEMBERS: &[&str] = &[
    "$schema",
    "name",
    "description",
    "timeout_ms",
    "memory_limit_mb",
    "sort",
    "enabled",
    "state",
    "failure_mode",
    "capabilities",
    "stream_timeout_ms",
];

/// What holds for all hooks and routes of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// For people.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Limit of a call.
    pub timeout: Duration,
    /// Limit of a streaming answer, in all.
    pub stream_timeout: Duration,
    /// Limit of the heap of an isolate, in bytes.
    pub memory_limit: usize,
    /// Lower runs first; a hook may have its own.
    pub sort: i64,
    /// Whether it runs.
    pub enabled: bool,
    /// Whether module state lives on between calls.
    pub warm: bool,
    /// Whether what it guards goes on when it can't run.
    pub fail_open: bool,
    /// What it may ask of its services.
    pub capabilities: Capabilities,
}

impl FolderSettings {
    /// What holds for a folder that says nothing.
    pub fn of(folder: &str) -> Self {
        Self {
            name: folder.to_owned(),
            description: None,
            timeout: Duration::from_millis(TIMEOUT_MS.default.unsigned_abs()),
            stream_timeout: Duration::from_millis(STREAM_TIMEOUT_MS.default.unsigned_abs()),
            memory_limit: mebibytes(MEMORY_LIMIT_MB.default),
            sort: SORT.default,
            enabled: true,
            warm: STATE[0].1,
            fail_open: FAILURE_MODE[0].1,
            capabilities: Capabilities::default(),
        }
    }

    /// Reads the file's text. The problems stand in the order of the file where they have a place.
    pub fn parse(text: &str, folder: &str) -> std::result::Result<Self, Vec<Problem>> {
        let members = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => members,
            Ok(other) => return Err(vec![problem(format!("It must be an object, not: {}", show(&other)), Some((1, 1)))]),
            Err(e) => {
                let place = (u32::try_from(e.line()).unwrap_or(u32::MAX).max(1), u32::try_from(e.column()).unwrap_or(u32::MAX).max(1));
                // The parser appends the place, which the problem carries beside the message.
                let message = e.to_string();
                let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
                return Err(vec![problem(format!("It isn't JSON: {message}"), Some(place))]);
            }
        };
        let mut problems = Vec::new();
        for member in members.keys().filter(|member| !MEMBERS.contains(&member.as_str())) {
            let near = nearest(member, MEMBERS.iter().copied());
            problems.push(problem(format!("`{}` isn't a setting{near}", clip(member)), place_of(text, member)));
        }
        let mut mistake = |e: Error| problems.push(problem(e.message().to_owned(), e.field().and_then(|field| place_of(text, field))));
        let settings = Self::from_members(&members, folder, &mut mistake);
        if problems.is_empty() {
            return Ok(settings);
        }
        problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(problems)
    }

    /// The settings, with the default wherever one is wrong; each that is wrong is told to `mistake`.
    fn from_members(members: &Item, folder: &str, mistake: &mut impl FnMut(Error)) -> Self {
        let mut checked = Checked { members, mistake };
        let default = Self::of(folder);
        Self {
            name: if is_set(members, "name") { checked.of(definition::name(members), default.name) } else { default.name },
            description: checked.of(description(members), None),
            timeout: Duration::from_millis(checked.number("timeout_ms", TIMEOUT_MS).unsigned_abs()),
            stream_timeout: Duration::from_millis(checked.number("stream_timeout_ms", STREAM_TIMEOUT_MS).unsigned_abs()),
            memory_limit: mebibytes(checked.number("memory_limit_mb", MEMORY_LIMIT_MB)),
            sort: checked.number("sort", SORT),
            enabled: checked.of(enabled(members), true),
            warm: checked.of(definition::choice(members, "state", &STATE), default.warm),
            fail_open: checked.of(definition::choice(members, "failure_mode", &FAILURE_MODE), default.fail_open),
            capabilities: checked.of(definition::capabilities(members), default.capabilities),
        }
    }
}

/// Goes on after a mistake, so that all of them are found.
struct Checked<'m, F> {
    members: &'m Item,
    mistake: &'m mut F,
}

impl<F: FnMut(Error)> Checked<'_, F> {
    fn of<T>(&mut self, result: Result<T>, otherwise: T) -> T {
        result.unwrap_or_else(|e| {
            (self.mistake)(e);
            otherwise
        })
    }

    fn number(&mut self, field: &str, range: Range) -> i64 {
        self.of(definition::number(self.members, field, range), range.default)
    }
}

fn is_set(members: &Item, field: &str) -> bool {
    members.get(field).is_some_and(|value| !value.is_null())
}

fn description(members: &Item) -> Result<Option<String>> {
    if !is_set(members, "description") {
        return Ok(None);
    }
    let text = definition::text(members, "description")?;
    if text.chars().count() > MAX_DESCRIPTION {
        return Err(definition::wrong("description", &format!("must have at most {MAX_DESCRIPTION} characters")));
    }
    Ok(Some(text.to_owned()))
}

fn enabled(members: &Item) -> Result<bool> {
    match members.get("enabled") {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(enabled)) => Ok(*enabled),
        Some(other) => Err(definition::wrong("enabled", &format!("must be `true` or `false`, not: {}", show(other)))),
    }
}

/// Bounded by the range it comes from, far below what a `usize` holds.
fn mebibytes(count: i64) -> usize {
    usize::try_from(count).unwrap_or(0) << 20
}

fn problem(message: String, place: Option<(u32, u32)>) -> Problem {
    let (line, column) = place.unzip();
    Problem { message, file: Some(FILE.to_owned()), line, column, frame: None }
}

/// Line and column, from 1, where a member of the outermost object is set. `None` for a name that the file spells with escapes.
fn place_of(text: &str, member: &str) -> Option<(u32, u32)> {
    let (mut line, mut column, mut depth) = (1_u32, 0_u32, 0_u32);
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        column += 1;
        match c {
            '\n' => (line, column) = (line + 1, 0),
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            '"' => {
                let start = column;
                let mut end = at + 1;
                while let Some((here, c)) = chars.next() {
                    column += 1;
                    end = here;
                    match c {
                        '"' => break,
                        '\\' => {
                            chars.next();
                            column += 1;
                        }
                        _ => {}
                    }
                }
                let is_key = text[end..].trim_start_matches('"').trim_start().starts_with(':');
                if depth == 1 && is_key && text.get(at + 1..end) == Some(member) {
                    return Some((line, start));
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(text: &str) -> Vec<(String, Option<u32>, Option<u32>)> {
        let found = FolderSettings::parse(text, "stock").expect_err("a mistake");
        assert!(found.iter().all(|problem| problem.file.as_deref() == Some(FILE)));
        found.into_iter().map(|problem| (problem.message, problem.line, problem.column)).collect()
    }

    #[test]
    fn a_file_that_says_nothing_leaves_the_defaults_and_the_folders_name() {
        let settings = FolderSettings::parse(r#"{ "$schema": "x", "sort": null, "capabilities": null }"#, "stock").expect("valid");
        assert_eq!(settings, FolderSettings::of("stock"));
        assert_eq!((settings.timeout, settings.memory_limit), (Duration::from_secs(5), 64 << 20));
        assert_eq!((settings.stream_timeout, settings.sort), (Duration::from_secs(300), 0));
        assert!(settings.enabled && !settings.warm && !settings.fail_open);
    }

    #[test]
    fn every_member_is_read() {
        let text = r#"{ "name": " Stock ", "description": "levels", "timeout_ms": 60000, "memory_limit_mb": 512, "sort": -7, "enabled": false,
            "state": "warm", "failure_mode": "open", "stream_timeout_ms": 3600000, "capabilities": ["items:a:read", "mail"] }"#;
        let settings = FolderSettings::parse(text, "folder").expect("valid");
        let expected = FolderSettings {
            name: "Stock".to_owned(),
            description: Some("levels".to_owned()),
            timeout: Duration::from_secs(60),
            stream_timeout: Duration::from_secs(3600),
            memory_limit: 512 << 20,
            sort: -7,
            enabled: false,
            warm: true,
            fail_open: true,
            capabilities: Capabilities::read(Some(&json!(["items:a:read", "mail"]))).expect("valid"),
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn every_mistake_is_reported_with_its_place() {
        let text = "{\n  \"timeout\": 5,\n  \"memory_limit_mb\": 513,\n  \"sort\": 1.5, \"enabled\": \"no\",\n  \"capabilities\": { \"state\": [] },\n  \
                    \"state\": \"hot\",\n  \"failure_mode\": 1,\n  \"timeout_ms\": 0, \"stream_timeout_ms\": 999, \"name\": \"\", \"description\": 4\n}";
        let found = problems(text);
        let place_and_part = [
            (2, 3, "isn't a setting; did you mean `timeout_ms`?"),
            (3, 3, "from 1 to 512"),
            (4, 3, "whole number"),
            (4, 16, "`true` or `false`, not: \"no\""),
            (5, 3, "an array of texts"),
            (6, 3, "`pristine` or `warm`"),
            (7, 3, "`closed` or `open`"),
            (8, 3, "from 1 to 60000"),
            (8, 20, "from 1000 to 3600000"),
            (8, 46, "1 to 100"),
            (8, 58, "must be a text"),
        ];
        assert_eq!(found.len(), place_and_part.len(), "{found:?}");
        for ((message, line, column), (at_line, at_column, part)) in found.iter().zip(place_and_part) {
            assert!(message.contains(part), "{message} has no {part}");
            assert_eq!((*line, *column), (Some(at_line), Some(at_column)), "{message}");
        }
    }

    #[test]
    fn what_is_not_json_says_where() {
        let found = problems("{\n  \"sort\": 1,\n  sort: 2\n}");
        assert_eq!((found[0].1, found[0].2), (Some(3), Some(3)), "{found:?}");
        assert!(found[0].0.starts_with("It isn't JSON: ") && !found[0].0.contains("line"), "{found:?}");
        assert!(problems("[]")[0].0.contains("must be an object, not: an array"));
        assert!(!problems("").is_empty());
    }

    #[test]
    fn names_with_escapes_and_nested_names_do_not_mislead() {
        assert_eq!(place_of(r#"{ "a\"sort": 1, "b": { "sort": 2 }, "x": "sort", "sort" : 3 }"#, "sort"), Some((1, 50)));
        assert_eq!(place_of(r#"{ "s\u006frt": 3 }"#, "sort"), None);
        assert_eq!(place_of("\"sort", "sort"), None);
    }
}

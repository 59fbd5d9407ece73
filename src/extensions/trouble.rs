//! What went wrong in a run, in one shape for everybody who tells it: the log, `last_error`, the answer of a test, the rows of failed runs.
//!
//! It knows nothing of callers: what those get to read is the error beside it in [`super::failure::Told`].

use serde_json::{Map, Value, json};

use crate::error::ErrorCode;
use crate::sandbox::{Cause, Cut, Doing, LoadFailure, Problem, Thrown};

/// Longest text of one member, in characters: as much as the sandbox tells of a stack.
const MAX_TEXT: usize = 8_192;

/// Bytes of JSON that are kept of an error's own members.
const MAX_FIELDS: usize = 16 * 1024;

/// Levels of an error's own members that are kept.
const MAX_LEVELS: usize = 20;

/// What went wrong.
#[derive(Debug, Clone, Default)]
pub struct Trouble {
    /// The code that the caller got.
    pub code: String,
    /// `error.name`, or the code where it wasn't the author's code that threw.
    pub name: String,
    /// For the author.
    pub message: String,
    /// The file, if the extension has several.
    pub file: Option<String>,
    /// The author's line, from 1.
    pub line: Option<u32>,
    /// The column in that line, from 1.
    pub column: Option<u32>,
    /// The lines around it with a caret below the column.
    pub frame: Option<String>,
    /// The stack in the author's lines.
    pub stack: Option<String>,
    /// What led to it, the nearest first.
    pub causes: Vec<Cause>,
    /// The error's own further members.
    pub fields: Map<String, Value>,
}

impl Trouble {
    /// Something without a place in the code.
    pub fn general(code: ErrorCode, message: impl Into<String>) -> Self {
        let code = code.name().to_owned();
        Self { name: code.clone(), code, message: told(&message.into()), ..Self::default() }
    }

    /// Something thrown, for which the caller got `code`.
    pub fn thrown(thrown: Thrown, code: &str) -> Self {
        let Thrown { name, message, code: own, stack, causes, file, line, column, frame, mut fields, .. } = thrown;
        // Its own code is lost where the caller got another.
        if let Some(own) = own.filter(|own| own != code) {
            fields.shift_insert(0, "code".to_owned(), json!(own));
        }
        let causes = causes.into_iter().map(|cause| Cause {
            name: told(&cause.name),
            message: told(&cause.message),
            code: cause.code.as_deref().map(told),
            stack: cause.stack.as_deref().map(told),
        });
        Self {
            code: code.to_owned(),
            name: told(&name),
            message: told(&message),
            file: file.as_deref().map(told),
            line,
            column,
            frame: frame.as_deref().map(told),
            stack: stack.as_deref().map(told),
            causes: causes.collect(),
            fields: told_fields(fields),
        }
    }

    /// A run that a limit cut.
    pub fn cut(code: ErrorCode, message: &str, cut: Option<Box<Cut>>) -> Self {
        let Cut { doing, stack, file, line, column, frame } = cut.map(|cut| *cut).unwrap_or_default();
        let message = match doing {
            Doing::Running => message.to_owned(),
            Doing::Calling(method) => format!("{message}: it waited for `{method}`"),
            Doing::Waiting => {
                format!("{message}: it waited for something that is no host call, like a timer or a promise that nothing settles")
            }
        };
        let stack = stack.as_deref().map(told);
        Self { file: file.as_deref().map(told), line, column, frame: frame.as_deref().map(told), stack, ..Self::general(code, message) }
    }

    /// Code that doesn't load: the place of the first problem, and every problem in words.
    pub fn load(code: ErrorCode, load: &LoadFailure) -> Self {
        let Problem { file, line, column, frame, .. } = load.problems.first().cloned().unwrap_or_default();
        // One problem has its frame as a member; of several each has it in the message.
        let (message, frame) = match &load.problems[..] {
            [one] => (place_and(one), frame),
            _ => (load_report(load), None),
        };
        Self { file: file.as_deref().map(told), line, column, frame: frame.as_deref().map(told), ..Self::general(code, message) }
    }

    /// In one line: `TypeError: x is not a function`.
    pub fn headline(&self) -> String {
        let code = if self.code == self.name { String::new() } else { format!(" [{}]", self.code) };
        format!("{}: {}{code}", self.name, self.message)
    }

    /// Everything. `around` are lines about the run that stand before the long parts, so that no cut takes them away.
    pub fn text(&self, around: &[String]) -> String {
        let mut text = self.headline();
        let mut line = |part: &str| {
            text.push('\n');
            text.push_str(part.trim_end());
        };
        if let Some(place) = self.place() {
            line(&format!("at {place}"));
        }
        if let Some(frame) = &self.frame {
            line(frame);
        }
        around.iter().for_each(|part| line(part));
        if let Some(stack) = &self.stack {
            line(stack);
        }
        for cause in &self.causes {
            let code = cause.code.as_ref().map(|code| format!(" [{code}]")).unwrap_or_default();
            line(&format!("caused by {}: {}{code}", cause.name, cause.message));
            cause.stack.iter().for_each(|stack| line(stack));
        }
        if !self.fields.is_empty() {
            line(&Value::Object(self.fields.clone()).to_string());
        }
        text
    }

    /// `file.js:3:7`, or `line 3, column 7` where there is one file only.
    pub fn place(&self) -> Option<String> {
        match (&self.file, self.line, self.column) {
            (Some(file), Some(line), Some(column)) => Some(format!("{file}:{line}:{column}")),
            (Some(file), _, _) => Some(file.clone()),
            (None, Some(line), Some(column)) => Some(format!("line {line}, column {column}")),
            (None, Some(line), None) => Some(format!("line {line}")),
            (None, None, _) => None,
        }
    }

    /// Its members, as every answer shows them.
    pub fn to_json(&self) -> Map<String, Value> {
        let members = json!({
            "code": self.code,
            "name": self.name,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "frame": self.frame,
            "stack": self.stack,
            "cause": self.causes,
            "fields": self.fields,
        });
        match members {
            Value::Object(members) => members,
            // The macro above writes an object.
            _ => Map::new(),
        }
    }
}

/// A text as it may be kept and shown: bounded, and without what a text column can't hold. Everything that is told of a failure goes
/// through here, so this is where values that nobody may read are to be taken out.
pub fn told(text: &str) -> String {
    text.chars().filter(|c| *c != '\0').take(MAX_TEXT).collect()
}

/// An error's own members, as many as fit.
fn told_fields(fields: Map<String, Value>) -> Map<String, Value> {
    let all = fields.len();
    let mut room = MAX_FIELDS;
    let mut kept = Map::new();
    for (name, value) in fields {
        let (name, value) = (told(&name), told_value(value, MAX_LEVELS));
        let size = name.len() + value.to_string().len();
        if size <= room {
            room -= size;
            kept.insert(name, value);
        }
    }
    if kept.len() < all {
        let left_out = all - kept.len();
        kept.insert("…".to_owned(), json!(format!("{left_out} more, too large to be kept")));
    }
    kept
}

/// The same of every text in a value.
fn told_value(value: Value, levels: usize) -> Value {
    match value {
        Value::String(text) => json!(told(&text)),
        Value::Array(_) | Value::Object(_) if levels == 0 => json!("…"),
        Value::Array(items) => items.into_iter().map(|item| told_value(item, levels - 1)).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (told(&name), told_value(value, levels - 1))).collect(),
        other => other,
    }
}

/// Why code doesn't load, for its author: every problem with its place.
pub fn load_report(load: &LoadFailure) -> String {
    let one = |problem: &Problem| {
        let frame = problem.frame.as_ref().map(|frame| format!("\n{frame}")).unwrap_or_default();
        format!("{}{frame}", place_and(problem))
    };
    load.problems.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn place_and(problem: &Problem) -> String {
    let Problem { message, file, line, column, .. } = problem;
    let at = Trouble { file: file.clone(), line: *line, column: *column, ..Trouble::default() };
    let place = at.place().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("{message}{place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_matters_first_and_nothing_twice() {
        let trouble = Trouble {
            code: "EXTENSION_FAILED".into(),
            name: "TypeError".into(),
            message: "x is not a function".into(),
            file: Some("index.mjs".into()),
            line: Some(3),
            column: Some(7),
            frame: Some("> 3 | x()\n    |  ^".into()),
            stack: Some("    at <anonymous> (x/index.mjs:3:7)".into()),
            causes: vec![Cause { name: "Error".into(), message: "why".into(), code: Some("FORBIDDEN".into()), stack: None }],
            fields: Map::from_iter([("tries".to_owned(), json!(2))]),
        };
        let lines = "TypeError: x is not a function [EXTENSION_FAILED]\nat index.mjs:3:7\n> 3 | x()\n    |  ^\nrequest r-1\n    \
            at <anonymous> (x/index.mjs:3:7)\ncaused by Error: why [FORBIDDEN]\n{\"tries\":2}";
        assert_eq!(trouble.text(&["request r-1".to_owned()]), lines);
    }

    #[test]
    fn what_a_text_column_cannot_hold_is_left_out_wherever_it_stands() {
        let deep = (0..100).fold(json!("bottom"), |inner, _| json!([inner]));
        let value = told_value(json!({ "a\0": ["b\0c", 1, { "d": "\0" }], "deep": deep }), MAX_LEVELS);
        assert_eq!((&value["a"][0], &value["a"][2]["d"]), (&json!("bc"), &json!("")));
        assert!(value.to_string().contains('…') && !value.to_string().contains("bottom"), "{value}");
    }

    #[test]
    fn members_that_are_too_large_are_left_out_and_counted() {
        let fields =
            Map::from_iter([("a".to_owned(), json!(1)), ("b".to_owned(), json!(vec!["x"; MAX_FIELDS])), ("c".to_owned(), json!(2))]);
        let kept = told_fields(fields);
        assert_eq!(Value::Object(kept), json!({ "a": 1, "c": 2, "…": "1 more, too large to be kept" }));
    }

    #[test]
    fn a_run_that_waited_says_what_for() {
        let cut = Cut { doing: Doing::Calling("items.readOne".into()), line: Some(2), column: Some(3), ..Cut::default() };
        let trouble = Trouble::cut(ErrorCode::ExtensionTimeout, "It took longer than its 100 ms", Some(Box::new(cut)));
        assert_eq!(trouble.message, "It took longer than its 100 ms: it waited for `items.readOne`");
        assert_eq!(trouble.place().as_deref(), Some("line 2, column 3"));
    }
}

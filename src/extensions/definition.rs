//! What a row of `daas_extensions` says, checked: from here on everything about an extension has a type.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::hooks::{EventName, Hook, HookKind};
use crate::sandbox::Source;
use crate::services::Item;
use crate::services::query::{clip, nearest, show};

/// Largest code of a row, in characters.
const MAX_CODE: usize = 1 << 20;
/// Longest name, in characters.
const MAX_NAME: usize = 100;

/// The whole numbers that a setting takes, and what holds where it isn't set.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Where nothing is said.
    pub default: i64,
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
}

/// Limit of a call, in milliseconds.
pub const TIMEOUT_MS: Range = Range { default: 5_000, min: 1, max: 60_000 };
/// Limit of the heap of an isolate, in MiB.
pub const MEMORY_LIMIT_MB: Range = Range { default: 64, min: 1, max: 512 };
/// Place in the order: lower runs first.
pub const SORT: Range = Range { default: 0, min: i32::MIN as i64, max: i32::MAX as i64 };
/// Limit of a streaming answer in all, in milliseconds.
pub const STREAM_TIMEOUT_MS: Range = Range { default: 300_000, min: 1_000, max: 3_600_000 };
/// `failure_mode`: whether what it guards goes on when it can't run. The first is the default, here and below.
pub const FAILURE_MODE: [(&str, bool); 2] = [("closed", false), ("open", true)];
/// `state`: whether module state lives on between calls.
pub const STATE: [(&str, bool); 2] = [("pristine", false), ("warm", true)];

/// What an author may set. Everything else in the row is the host's.
const WRITABLE: &[&str] = &[
    "id",
    "name",
    "description",
    "event",
    "type",
    "code",
    "status",
    "sort",
    "timeout_ms",
    "memory_limit_mb",
    "failure_mode",
    "delivery",
    "state",
    "capabilities",
];

/// What decides whether a row can be understood.
pub const CHECKED: [&str; 11] =
    ["name", "event", "type", "code", "sort", "timeout_ms", "memory_limit_mb", "failure_mode", "delivery", "state", "capabilities"];

/// Whether an extension runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Active,
    /// It doesn't, by somebody's decision.
    Inactive,
    /// It doesn't, because its code can't be loaded.
    Error,
}

/// What an extension is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Runs before, may change or refuse.
    Filter,
    /// Runs after the commit.
    Action,
}

impl Kind {
    /// The names in scope of the body.
    pub fn params(self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Filter => &["payload", "meta", "context", "services"],
            Self::Action => &["meta", "context", "services"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn hook(self) -> HookKind {
        match self {
            Self::Filter => HookKind::Filter,
            Self::Action => HookKind::Action,
        }
    }
}

/// One extension as its author defined it.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The row's key.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it hears.
    pub event: EventName,
    /// What it is.
    pub kind: Kind,
    /// The body of an async function.
    pub code: String,
    /// Whether it runs.
    pub status: Status,
    /// Lower runs first.
    pub sort: i64,
    /// Limit of a call.
    pub timeout: Duration,
    /// Limit of its heap, in bytes.
    pub memory_limit: usize,
    /// Whether what it guards goes on when it can't run.
    pub fail_open: bool,
    /// Whether its deliveries go through the outbox.
    pub durable: bool,
    /// Whether module state lives on between calls.
    pub warm: bool,
}

impl Definition {
    /// Reads a stored row, or one that is about to be stored. The error says which member is wrong and what it may be.
    pub fn from_row(row: &Item) -> Result<Self> {
        let name = name(row)?;
        let kind = match text(row, "type")? {
            "filter" => Kind::Filter,
            "action" => Kind::Action,
            "route" => return Err(wrong("type", "`route` isn't supported yet: use `filter` or `action`")),
            other => return Err(wrong("type", &format!("must be `filter` or `action`, not: {}", clip(other)))),
        };
        let event: EventName = text(row, "event")?.parse().map_err(|e: String| wrong("event", &e))?;
        event.admits(kind.hook()).map_err(|e| wrong("event", &e))?;
        let code = text(row, "code")?.to_owned();
        if code.chars().count() > MAX_CODE {
            return Err(wrong("code", &format!("must have at most {MAX_CODE} characters")));
        }
        capabilities(row)?;
        Ok(Self {
            id: row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
            name,
            event,
            kind,
            code,
            status: choice(row, "status", &[("active", Status::Active), ("inactive", Status::Inactive), ("error", Status::Error)])?,
            sort: number(row, "sort", SORT)?,
            timeout: Duration::from_millis(number(row, "timeout_ms", TIMEOUT_MS)? as u64),
            memory_limit: (number(row, "memory_limit_mb", MEMORY_LIMIT_MB)? as usize) << 20,
            fail_open: choice(row, "failure_mode", &FAILURE_MODE)?,
            durable: choice(row, "delivery", &[("durable", true), ("best_effort", false)])?,
            warm: choice(row, "state", &STATE)?,
        })
    }

    /// What can be understood of a row that as a whole can't be: enough to keep guarding what it guards, if anything.
    pub fn guarding(row: &Item) -> Option<Self> {
        let rest = ["timeout_ms", "memory_limit_mb", "failure_mode", "delivery", "state", "capabilities", "status", "sort"];
        let mut plain = row.clone();
        plain.retain(|name, _| !rest.contains(&name.as_str()));
        plain.insert("code".to_owned(), Value::from(""));
        Self::from_row(&plain).ok()
    }

    /// The hook that it is.
    pub fn hook(&self) -> Hook {
        Hook {
            extension: self.id.clone(),
            name: self.name.clone(),
            handler: 0,
            kind: self.kind.hook(),
            event: self.event.clone(),
            sort: self.sort,
            durable: self.durable,
        }
    }

    /// What the workers load.
    pub fn source(&self) -> Source {
        Source::Body { code: self.code.clone(), params: self.kind.params() }
    }

    /// Whether `other` runs the same code under the same limits, so that its workers and its record can be kept.
    pub fn runs_like(&self, other: &Self) -> bool {
        let limits = |d: &Self| (d.timeout, d.memory_limit, d.warm, d.kind, d.name.clone());
        self.code == other.code && limits(self) == limits(other)
    }
}

/// Refuses members that no author may set.
pub fn check_members(changes: &Item) -> Result<()> {
    match changes.keys().find(|key| !WRITABLE.contains(&key.as_str())) {
        Some(key) => {
            let near = nearest(key, WRITABLE.iter().copied());
            Err(Error::payload(format!("`{}` can't be set{near}", clip(key))).with_field(clip(key)))
        }
        None => Ok(()),
    }
}

/// The name, which is needed and has a length.
pub fn name(row: &Item) -> Result<String> {
    let name = text(row, "name")?.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME {
        return Err(wrong("name", &format!("must have 1 to {MAX_NAME} characters")));
    }
    Ok(name.to_owned())
}

/// Refuses capabilities: they can't be narrowed, so a list would promise what isn't kept.
pub fn capabilities(row: &Item) -> Result<()> {
    match row.get("capabilities") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(wrong("capabilities", "can't be narrowed yet: leave it out, or send null")),
    }
}

/// A mistake in a member.
pub fn wrong(field: &str, why: &str) -> Error {
    Error::payload(format!("`{field}`: {why}")).with_field(field)
}

/// A text that is needed.
pub fn text<'r>(row: &'r Item, field: &str) -> Result<&'r str> {
    match row.get(field) {
        Some(Value::String(text)) => Ok(text),
        None | Some(Value::Null) => Err(wrong(field, "is needed")),
        Some(other) => Err(wrong(field, &format!("must be a text, not: {}", show(other)))),
    }
}

/// One of the named choices. The first of `allowed` is the default.
pub fn choice<T: Copy>(row: &Item, field: &str, allowed: &[(&str, T)]) -> Result<T> {
    let list = || allowed.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    match row.get(field) {
        None | Some(Value::Null) => Ok(allowed[0].1),
        Some(value) => {
            let found = value.as_str().and_then(|text| allowed.iter().find(|(name, _)| *name == text));
            found.map(|(_, choice)| *choice).ok_or_else(|| wrong(field, &format!("must be {}, not: {}", list(), show(value))))
        }
    }
}

/// A whole number in its range.
pub fn number(row: &Item, field: &str, Range { default, min, max }: Range) -> Result<i64> {
    match row.get(field) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_i64()
            .filter(|n| (min..=max).contains(n))
            .ok_or_else(|| wrong(field, &format!("must be a whole number from {min} to {max}, not: {}", show(value)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(changes: Value) -> Item {
        let mut row = json!({ "id": "1", "name": "Slug", "event": "articles.items.create", "type": "filter", "code": "return payload" });
        row.as_object_mut().expect("an object").extend(changes.as_object().expect("an object").clone());
        row.as_object().expect("an object").clone()
    }

    #[test]
    fn what_is_not_said_has_the_documented_default() {
        let definition = Definition::from_row(&row(json!({}))).expect("valid");
        assert_eq!((definition.timeout, definition.memory_limit), (Duration::from_millis(5000), 64 << 20));
        assert!(definition.durable && !definition.fail_open && !definition.warm);
        assert_eq!(definition.status, Status::Active);
    }

    #[test]
    fn each_mistake_names_its_member_and_what_is_allowed() {
        for (change, part) in [
            (json!({ "type": "route" }), "isn't supported yet"),
            (json!({ "type": "filters" }), "`filter` or `action`"),
            (json!({ "event": "items.query", "type": "action" }), "items.read"),
            (json!({ "timeout_ms": 0 }), "from 1 to 60000"),
            (json!({ "memory_limit_mb": 513 }), "from 1 to 512"),
            (json!({ "memory_limit_mb": "64" }), "from 1 to 512"),
            (json!({ "failure_mode": "ajar" }), "`closed` or `open`"),
            (json!({ "capabilities": ["mail"] }), "leave it out"),
            (json!({ "name": " " }), "1 to 100"),
            (json!({ "code": null }), "is needed"),
        ] {
            let error = Definition::from_row(&row(change.clone())).expect_err("a mistake");
            assert!(error.message().contains(part), "{change}: {}", error.message());
            assert!(change.get(error.field().unwrap_or_default()).is_some(), "{change}: {:?}", error.field());
        }
    }
}

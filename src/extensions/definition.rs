//! What a row of `daas_extensions` says, checked: from here on everything about an extension has a type.

use std::time::Duration;

use serde_json::Value;

use super::routes::RouteEvent;
use crate::bridge::Capabilities;
use crate::error::Result;
use crate::hooks::{EventName, Hook, HookKind};
use crate::sandbox::Source;
use crate::services::Item;
use crate::services::members::only;
pub use crate::services::members::{Range, choice, name, number, text, wrong};
use crate::services::query::clip;

/// Largest code of a row, in characters.
const MAX_CODE: usize = 1 << 20;

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
pub(super) const WRITABLE: &[&str] = &[
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

/// What sets a row off.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Runs before an event, may change or refuse.
    Filter(EventName),
    /// Runs after the commit.
    Action {
        /// What it hears.
        event: EventName,
        /// Whether its deliveries go through the outbox.
        durable: bool,
    },
    /// Answers requests to `/api/ext`.
    Route(RouteEvent),
}

impl Trigger {
    /// The names in scope of the body.
    fn params(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Filter(_) => &["payload", "meta", "context", "services"],
            Self::Action { .. } => &["meta", "context", "services"],
            Self::Route(_) => &["request", "context", "services"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// What is set for every extension, wherever it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A row's key, or made from a folder's name.
    pub id: String,
    /// For people.
    pub name: String,
    /// Lower runs first.
    pub sort: i64,
    /// Limit of a call.
    pub timeout: Duration,
    /// Limit of a streaming answer, from its head to its end.
    pub stream_timeout: Duration,
    /// Limit of its heap, in bytes.
    pub memory_limit: usize,
    /// Whether what it guards goes on when it can't run.
    pub fail_open: bool,
    /// Whether module state lives on between calls.
    pub warm: bool,
    /// What it may ask of its services.
    pub capabilities: Capabilities,
}

/// One row as its author defined it.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// What is set for every extension.
    pub settings: Settings,
    /// What sets it off.
    pub trigger: Trigger,
    /// The body of an async function.
    pub code: String,
    /// Whether it runs.
    pub status: Status,
}

impl Definition {
    /// Reads a stored row, or one that is about to be stored. The error says which member is wrong and what it may be.
    pub fn from_row(row: &Item) -> Result<Self> {
        let name = name(row)?;
        let durable = choice(row, "delivery", &[("durable", true), ("best_effort", false)])?;
        let event = text(row, "event");
        let hears = |kind: HookKind| -> Result<EventName> {
            let event: EventName = event.clone()?.parse().map_err(|e: String| wrong("event", &e))?;
            event.admits(kind).map_err(|e| wrong("event", &e))?;
            Ok(event)
        };
        let trigger = match text(row, "type")? {
            "filter" => Trigger::Filter(hears(HookKind::Filter)?),
            "action" => {
                let event = hears(HookKind::Action)?;
                if let (EventName::Job(_), false) = (&event, durable) {
                    return Err(wrong("delivery", "must be `durable`: a job that was put into the outbox can't be run past it"));
                }
                Trigger::Action { event, durable }
            }
            "route" => Trigger::Route(RouteEvent::parse(event?).map_err(|e| wrong("event", &e))?),
            other => return Err(wrong("type", &format!("must be `filter`, `action` or `route`, not: {}", clip(other)))),
        };
        let code = text(row, "code")?.to_owned();
        if code.chars().count() > MAX_CODE {
            return Err(wrong("code", &format!("must have at most {MAX_CODE} characters")));
        }
        Ok(Self {
            settings: Settings {
                id: row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
                name,
                sort: number(row, "sort", SORT)?,
                timeout: Duration::from_millis(number(row, "timeout_ms", TIMEOUT_MS)? as u64),
                stream_timeout: Duration::from_millis(STREAM_TIMEOUT_MS.default.unsigned_abs()),
                memory_limit: (number(row, "memory_limit_mb", MEMORY_LIMIT_MB)? as usize) << 20,
                fail_open: choice(row, "failure_mode", &FAILURE_MODE)?,
                warm: choice(row, "state", &STATE)?,
                capabilities: capabilities(row)?,
            },
            trigger,
            code,
            status: choice(row, "status", &[("active", Status::Active), ("inactive", Status::Inactive), ("error", Status::Error)])?,
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

    /// The hook that it is, unless it is a route.
    pub fn hook(&self) -> Option<Hook> {
        let (kind, event, durable) = match &self.trigger {
            Trigger::Filter(event) => (HookKind::Filter, event, true),
            Trigger::Action { event, durable } => (HookKind::Action, event, *durable),
            Trigger::Route(_) => return None,
        };
        Some(Hook {
            extension: self.settings.id.clone(),
            name: self.settings.name.clone(),
            handler: 0,
            nth: 0,
            kind,
            event: event.clone(),
            sort: self.settings.sort,
            durable,
            ordered: true,
        })
    }

    /// What the workers load.
    pub fn source(&self) -> Source {
        Source::Body { code: self.code.clone(), params: self.trigger.params(), answers: matches!(self.trigger, Trigger::Route(_)) }
    }
}

/// Refuses members that no author may set.
pub fn check_members(changes: &Item) -> Result<()> {
    only(changes, WRITABLE)
}

/// What it may ask of its services.
pub fn capabilities(row: &Item) -> Result<Capabilities> {
    Capabilities::read(row.get("capabilities")).map_err(|why| wrong("capabilities", &why))
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
        let settings = &definition.settings;
        assert_eq!((settings.timeout, settings.memory_limit), (Duration::from_millis(5000), 64 << 20));
        assert!(!settings.fail_open && !settings.warm);
        assert_eq!(definition.status, Status::Active);
    }

    #[test]
    fn each_mistake_names_its_member_and_what_is_allowed() {
        for (change, part) in [
            (json!({ "type": "filters" }), "`filter`, `action` or `route`"),
            (json!({ "event": "items.query", "type": "action" }), "items.read"),
            (json!({ "event": "jobs.resize" }), "as an action"),
            (json!({ "delivery": "best_effort", "event": "jobs.resize", "type": "action" }), "must be `durable`"),
            (json!({ "timeout_ms": 0 }), "from 1 to 60000"),
            (json!({ "memory_limit_mb": 513 }), "from 1 to 512"),
            (json!({ "memory_limit_mb": "64" }), "from 1 to 512"),
            (json!({ "failure_mode": "ajar" }), "`closed` or `open`"),
            (json!({ "capabilities": ["mails"] }), "`mail`"),
            (json!({ "name": " " }), "1 to 100"),
            (json!({ "code": null }), "is needed"),
        ] {
            let error = Definition::from_row(&row(change.clone())).expect_err("a mistake");
            assert!(error.message().contains(part), "{change}: {}", error.message());
            assert!(change.get(error.field().unwrap_or_default()).is_some(), "{change}: {:?}", error.field());
        }
    }
}

//! Event names: what can happen, who may subscribe to it, and how a subscription is written.

use std::fmt;
use std::str::FromStr;

/// What can happen to the items of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ItemsEvent {
    /// A read is about to be turned into SQL.
    Query,
    /// Rows are about to be answered.
    Read,
    /// A row is about to be, or was, inserted.
    Create,
    /// Rows are about to be, or were, changed.
    Update,
    /// Rows are about to be, or were, removed.
    Delete,
}

impl ItemsEvent {
    /// Every one, in the order of declaration.
    pub const ALL: [ItemsEvent; 5] = [Self::Query, Self::Read, Self::Create, Self::Update, Self::Delete];

    /// The unqualified name, as in a global subscription.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "items.query",
            Self::Read => "items.read",
            Self::Create => "items.create",
            Self::Update => "items.update",
            Self::Delete => "items.delete",
        }
    }

    /// The name of what happened, as in `meta.event`: `articles.items.create`.
    pub fn qualified(self, collection: &str) -> String {
        format!("{collection}.{}", self.name())
    }
}

/// Whether a hook runs before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HookKind {
    /// Before: may change or refuse.
    Filter,
    /// After the commit: may only react.
    Action,
}

impl fmt::Display for HookKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Filter => "filter",
            Self::Action => "action",
        })
    }
}

/// A subscription: one event of one collection, or of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventName {
    /// `None` hears every collection.
    pub collection: Option<String>,
    /// What it hears.
    pub event: ItemsEvent,
}

impl EventName {
    /// Refuses what the table of events says no to.
    pub fn admits(&self, kind: HookKind) -> Result<(), String> {
        if kind == HookKind::Action && self.event == ItemsEvent::Query {
            return Err("`items.query` happens before a read, so it has filter hooks only; use `items.read` for an action hook".to_owned());
        }
        Ok(())
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            Some(collection) => write!(f, "{collection}.{}", self.event.name()),
            None => f.write_str(self.event.name()),
        }
    }
}

impl FromStr for EventName {
    type Err = String;

    /// Parses `items.create` or `articles.items.create`. The error says what is allowed.
    fn from_str(text: &str) -> Result<Self, String> {
        for event in ItemsEvent::ALL {
            if text == event.name() {
                return Ok(Self { collection: None, event });
            }
            let collection = text.strip_suffix(event.name()).and_then(|rest| rest.strip_suffix('.'));
            if let Some(collection) = collection.filter(|c| is_collection_name(c)) {
                return Ok(Self { collection: Some(collection.to_owned()), event });
            }
        }
        let names = ItemsEvent::ALL.map(|e| format!("`{}`", e.name())).join(", ");
        Err(format!(
            "the event must be {names}, or one of these behind a collection and a dot, as in `articles.items.create`, not: {}",
            shorten(text)
        ))
    }
}

/// Whether `name` may name a collection or a field: a letter or `_`, then letters, digits and `_`, 63 bytes at most (what Postgres keeps).
pub fn is_collection_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.len() <= 63
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(80).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_global_or_of_one_collection() {
        let global: EventName = "items.create".parse().expect("global");
        assert_eq!(global, EventName { collection: None, event: ItemsEvent::Create });
        let own: EventName = "daas_users.items.update".parse().expect("specific");
        assert_eq!(own.to_string(), "daas_users.items.update");
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for bad in ["", "create", ".items.create", "a b.items.create", "items.items.create.x", "jobs.x", "x\0.items.read", "é.items.read"]
        {
            let message = bad.parse::<EventName>().expect_err(bad);
            assert!(message.contains("`items.query`"), "{message}");
        }
        let long = format!("{}.items.create", "a".repeat(70_000));
        assert!(long.parse::<EventName>().expect_err("long").len() < 500);
    }

    #[test]
    fn prototype_names_are_plain_names() {
        for name in ["__proto__", "constructor", "toString"] {
            assert_eq!(format!("{name}.items.read").parse::<EventName>().expect(name).collection.as_deref(), Some(name));
        }
    }

    #[test]
    fn a_query_has_no_action() {
        let query: EventName = "items.query".parse().expect("query");
        assert!(query.admits(HookKind::Action).is_err());
        assert!(query.admits(HookKind::Filter).is_ok());
    }
}

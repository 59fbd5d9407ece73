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

/// What happens when somebody signs in or out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuthEvent {
    /// Somebody signs in, or tries to.
    Login,
    /// A sign-in ends, because somebody asked for it.
    Logout,
}

impl AuthEvent {
    /// Every one, in the order of declaration.
    pub const ALL: [AuthEvent; 2] = [Self::Login, Self::Logout];

    /// The name, as in a subscription and in `meta.event`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "auth.login",
            Self::Logout => "auth.logout",
        }
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

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EventName {
    /// One event of the items of one collection, or of all of them.
    Items {
        /// `None` hears every collection.
        collection: Option<String>,
        /// What it hears.
        event: ItemsEvent,
    },
    /// Signing in or out.
    Auth(AuthEvent),
    /// Jobs of one name, which code puts into the outbox by `services.enqueue`.
    Job(JobName),
}

impl EventName {
    /// Refuses what the table of events says no to.
    pub fn admits(&self, kind: HookKind) -> Result<(), String> {
        match (self, kind) {
            (Self::Items { event: ItemsEvent::Query, .. }, HookKind::Action) => {
                Err("`items.query` happens before a read, so it has filter hooks only; use `items.read` for an action hook".to_owned())
            }
            (Self::Auth(AuthEvent::Logout), HookKind::Filter) => {
                Err("nobody can be kept from signing out, so `auth.logout` has action hooks only: subscribe to it as an action".to_owned())
            }
            (Self::Job(name), HookKind::Filter) => {
                Err(format!("`jobs.{name}` runs after the commit, so it has action hooks only: subscribe to it as an action"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Items { collection: Some(collection), event } => write!(f, "{collection}.{}", event.name()),
            Self::Items { collection: None, event } => f.write_str(event.name()),
            Self::Auth(event) => f.write_str(event.name()),
            Self::Job(name) => write!(f, "{}{name}", JobName::PREFIX),
        }
    }
}

impl FromStr for EventName {
    type Err = String;

    /// Parses `items.create`, `articles.items.create` or `jobs.resize`. The error says what is allowed.
    fn from_str(text: &str) -> Result<Self, String> {
        for event in ItemsEvent::ALL {
            if text == event.name() {
                return Ok(Self::Items { collection: None, event });
            }
            let collection = text.strip_suffix(event.name()).and_then(|rest| rest.strip_suffix('.'));
            if let Some(collection) = collection.filter(|c| is_collection_name(c)) {
                return Ok(Self::Items { collection: Some(collection.to_owned()), event });
            }
        }
        if let Some(event) = AuthEvent::ALL.into_iter().find(|event| event.name() == text) {
            return Ok(Self::Auth(event));
        }
        if let Some(name) = text.strip_prefix(JobName::PREFIX) {
            return name.parse().map(Self::Job);
        }
        let names = ItemsEvent::ALL.map(|e| format!("`{}`", e.name())).join(", ");
        Err(format!(
            "the event must be {names}, or one of these behind a collection and a dot, as in `articles.items.create`, or `auth.login`, \
             `auth.logout`, or `jobs.` and the name of a job, as in `jobs.resize`, not: {}",
            shorten(text)
        ))
    }
}

/// The name of a job: a letter, a digit or `_`, then letters, digits, `_`, `-` and `:`; 100 bytes at most. Without a dot, so that
/// `jobs.items.create` can only be what happens in a collection called `jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JobName(String);

impl JobName {
    /// What stands before it in an event.
    pub const PREFIX: &'static str = "jobs.";
    const MAX: usize = 100;

    /// The name alone.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of what happens, as in `meta.event`: `jobs.resize`.
    pub fn event(&self) -> String {
        format!("{}{}", Self::PREFIX, self.0)
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for JobName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = text.bytes();
        let fits = text.len() <= Self::MAX
            && bytes.next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_')
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b':'));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        let max = Self::MAX;
        Err(format!(
            "the name of a job must be letters, digits, `_`, `-` and `:`, {max} at most and first a letter, a digit or `_`, not: {}",
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
        assert_eq!(global, EventName::Items { collection: None, event: ItemsEvent::Create });
        let own: EventName = "daas_users.items.update".parse().expect("specific");
        assert_eq!(own.to_string(), "daas_users.items.update");
    }

    #[test]
    fn anything_else_is_refused_with_what_is_allowed() {
        for bad in ["", "create", ".items.create", "a b.items.create", "items.items.create.x", "job.x", "x\0.items.read", "é.items.read"] {
            let message = bad.parse::<EventName>().expect_err(bad);
            assert!(message.contains("`items.query`"), "{message}");
        }
        let long = format!("{}.items.create", "a".repeat(70_000));
        assert!(long.parse::<EventName>().expect_err("long").len() < 500);
    }

    #[test]
    fn prototype_names_are_plain_names() {
        for name in ["__proto__", "constructor", "toString"] {
            let own = EventName::Items { collection: Some(name.to_owned()), event: ItemsEvent::Read };
            assert_eq!(format!("{name}.items.read").parse::<EventName>().expect(name), own);
            assert_eq!(format!("jobs.{name}").parse::<EventName>().expect(name).to_string(), format!("jobs.{name}"));
        }
    }

    #[test]
    fn jobs_have_plain_names_and_no_filters() {
        let job: EventName = "jobs.resize-image:2".parse().expect("a job");
        assert!(job.admits(HookKind::Action).is_ok());
        assert!(job.admits(HookKind::Filter).expect_err("a filter").contains("as an action"));
        // What happens in a collection called `jobs` is no job.
        let items = EventName::Items { collection: Some("jobs".to_owned()), event: ItemsEvent::Create };
        assert_eq!("jobs.items.create".parse::<EventName>().expect("items"), items);
        for bad in ["", "a.b", "-a", "a b", "ä", "a\0", &"a".repeat(101)] {
            let message = format!("jobs.{bad}").parse::<EventName>().expect_err(bad);
            assert!(message.contains("letters, digits"), "{message}");
        }
    }

    #[test]
    fn signing_in_has_filters_and_signing_out_has_none() {
        let login: EventName = "auth.login".parse().expect("login");
        assert!(login.admits(HookKind::Filter).is_ok() && login.admits(HookKind::Action).is_ok());
        let logout: EventName = "auth.logout".parse().expect("logout");
        assert!(logout.admits(HookKind::Filter).expect_err("a filter").contains("as an action"));
        assert!(logout.admits(HookKind::Action).is_ok());
        assert_eq!(logout.to_string(), "auth.logout");
        assert!("auth.refresh".parse::<EventName>().is_err() && "articles.auth.login".parse::<EventName>().is_err());
    }

    #[test]
    fn a_query_has_no_action() {
        let query: EventName = "items.query".parse().expect("query");
        assert!(query.admits(HookKind::Action).is_err());
        assert!(query.admits(HookKind::Filter).is_ok());
    }
}

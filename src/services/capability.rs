//! What an extension may ask of its services, where that was narrowed.
//!
//! A list of names; without one everything is allowed but the raw access to the platform's own tables. The names are those that a test
//! run answers as `capabilitiesUsed`. Enforced by the session on every host call, whoever's rights the call has besides.

use std::sync::Arc;

use serde_json::Value;

use super::query::{clip, nearest, show};

/// Entries that one list may have.
const MAX_ENTRIES: usize = 200;
/// Longest entry, in bytes.
const MAX_ENTRY: usize = 300;

/// What only a list gives: raw access to the platform's own tables.
pub const RAW_SYSTEM: &str = "rawdb:system";

/// What only admins may give to an extension: each is a way past the rights of whoever calls it.
const FOR_ADMINS: [&str; 3] = ["elevated", "system", "rawdb"];

/// Whether only admins may give this entry to an extension.
pub fn is_for_admins(entry: &str) -> bool {
    FOR_ADMINS.contains(&entry.split(':').next().unwrap_or_default())
}

/// What may follow the first part of an entry.
enum Rest {
    Nothing,
    /// A collection, and an action on it.
    Collection,
    /// A name that must be there.
    Name,
    /// A host, as in the list of allowed domains.
    Host,
    /// One word.
    Word(&'static str),
}

const ENTRIES: &[(&str, Rest)] = &[
    ("items", Rest::Collection),
    ("schema", Rest::Nothing),
    ("files", Rest::Nothing),
    ("versions", Rest::Nothing),
    ("mail", Rest::Nothing),
    ("cron", Rest::Nothing),
    ("fetch", Rest::Host),
    ("env", Rest::Name),
    ("custom", Rest::Name),
    ("enqueue", Rest::Nothing),
    ("elevated", Rest::Nothing),
    ("system", Rest::Nothing),
    ("rawdb", Rest::Word("system")),
];

const ACTIONS: [&str; 4] = ["create", "read", "update", "delete"];

/// What an extension may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities(Option<Arc<[String]>>);

impl Capabilities {
    /// Reads a stored or sent list; null is no list.
    ///
    /// # Errors
    /// A sentence that names the entry and says what is allowed.
    pub fn read(value: Option<&Value>) -> Result<Self, String> {
        let entries = match value {
            None | Some(Value::Null) => return Ok(Self(None)),
            Some(Value::Array(entries)) if entries.len() <= MAX_ENTRIES => entries,
            Some(Value::Array(_)) => return Err(format!("may have at most {MAX_ENTRIES} entries")),
            Some(other) => return Err(format!("must be an array of texts such as `items:orders:read`, or null, not: {}", show(other))),
        };
        let one = |entry: &Value| match entry {
            Value::String(text) => check(text).map(|()| text.clone()),
            other => Err(format!("must be an array of texts such as `items:orders:read`, not of: {}", show(other))),
        };
        Ok(Self(Some(entries.iter().map(one).collect::<Result<_, _>>()?)))
    }

    /// A list with nothing on it.
    pub fn none() -> Self {
        Self(Some(Arc::from([])))
    }

    /// Whether there is a list.
    pub fn is_listed(&self) -> bool {
        self.0.is_some()
    }

    /// The list, if there is one.
    pub fn list(&self) -> Option<&[String]> {
        self.0.as_deref()
    }

    /// Whether what needs `needed`, an entry without patterns, may be done.
    pub fn allows(&self, needed: &str) -> bool {
        match &self.0 {
            None => needed != RAW_SYSTEM,
            Some(entries) => entries.iter().any(|entry| covers(entry, needed)),
        }
    }
}

/// Whether an entry is one that exists.
fn check(entry: &str) -> Result<(), String> {
    if entry.len() > MAX_ENTRY {
        return Err(format!("an entry has at most {MAX_ENTRY} bytes, not: {}", clip(entry)));
    }
    let (first, rest) = entry.split_once(':').map_or((entry, None), |(first, rest)| (first, Some(rest)));
    let Some((_, shape)) = ENTRIES.iter().find(|(name, _)| *name == first) else {
        return Err(format!("there is no capability `{}`{}", clip(entry), nearest(first, ENTRIES.iter().map(|(name, _)| *name))));
    };
    let wrong = |wanted: &str| Err(format!("`{}` is not a capability: {wanted}", clip(entry)));
    match (shape, rest) {
        (Rest::Nothing | Rest::Collection | Rest::Host | Rest::Word(_), None) => Ok(()),
        (Rest::Nothing, Some(_)) => wrong(&format!("write `{first}`")),
        (Rest::Collection, Some(rest)) => match rest.split(':').collect::<Vec<_>>()[..] {
            [collection] if !collection.is_empty() => Ok(()),
            [collection, action] if !collection.is_empty() && ACTIONS.contains(&action) => Ok(()),
            _ => wrong(&format!("write `{first}`, `{first}:collection` or `{first}:collection:action` with one of {}", ACTIONS.join(", "))),
        },
        (Rest::Name, Some(name)) if !name.is_empty() && !name.contains(':') => Ok(()),
        (Rest::Name, _) => wrong(&format!("write `{first}:NAME`")),
        (Rest::Host, Some(host)) => {
            let name = host.strip_prefix("*.").unwrap_or(host);
            if name.is_empty() || name.contains(['*', '/', '@', ' ']) {
                wrong("write a host such as `fetch:api.example.com` or `fetch:*.example.com`")
            } else {
                Ok(())
            }
        }
        (Rest::Word(word), Some(rest)) if rest == *word => Ok(()),
        (Rest::Word(word), Some(_)) => wrong(&format!("write `{first}` or `{first}:{word}`")),
    }
}

fn covers(entry: &str, needed: &str) -> bool {
    if let (Some(pattern), Some(host)) = (entry.strip_prefix("fetch:*."), needed.strip_prefix("fetch:")) {
        // Whole labels only, and never the bare domain.
        let host = if pattern.contains(':') { host } else { host.split(':').next().unwrap_or(host) };
        return host.to_ascii_lowercase().strip_suffix(&pattern.to_ascii_lowercase()).is_some_and(|before| before.ends_with('.'));
    }
    // `items:orders` covers `items:orders:read`, not `items:orders_archive`. What is system needs its own word.
    let is_prefix = || needed.strip_prefix(entry).is_some_and(|rest| rest.starts_with(':')) && needed != RAW_SYSTEM;
    entry == needed || is_prefix() || (entry == RAW_SYSTEM && needed == "rawdb")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(entries: Value) -> Capabilities {
        Capabilities::read(Some(&entries)).expect("valid")
    }

    #[test]
    fn without_a_list_all_but_the_own_tables_is_allowed() {
        let all = Capabilities::read(None).expect("valid");
        assert!(all.allows("items:a:create") && all.allows("rawdb") && all.allows("elevated") && !all.allows(RAW_SYSTEM));
        assert!(!of(json!([])).allows("items:a:read"));
    }

    #[test]
    fn an_entry_covers_what_it_begins_and_nothing_that_only_looks_like_it() {
        for (entry, needed, allowed) in [
            ("items", "items:orders:read", true),
            ("items:orders", "items:orders:read", true),
            ("items:orders:read", "items:orders:read", true),
            ("items:orders:read", "items:orders:create", false),
            ("items:orders", "items:orders_archive:read", false),
            ("items:orders:read", "items:orders", false),
            ("env:KEY", "env:KEY2", false),
            ("rawdb", "rawdb", true),
            ("rawdb", RAW_SYSTEM, false),
            (RAW_SYSTEM, "rawdb", true),
            ("fetch", "fetch:a.example.com", true),
            ("fetch:example.com", "fetch:example.com:8080", true),
            ("fetch:example.com:80", "fetch:example.com:8080", false),
            ("fetch:example.com", "fetch:a.example.com", false),
            ("fetch:*.example.com", "fetch:a.b.example.com", true),
            ("fetch:*.example.com", "fetch:example.com", false),
            ("fetch:*.example.com", "fetch:badexample.com", false),
            ("fetch:*.example.com", "fetch:a.example.com:8080", true),
        ] {
            assert_eq!(of(json!([entry])).allows(needed), allowed, "{entry} and {needed}");
        }
    }

    #[test]
    fn what_is_no_capability_is_named_with_what_is() {
        for (entries, part) in [
            (json!("items"), "an array of texts"),
            (json!([1]), "not of: 1"),
            (json!(["item:a"]), "items"),
            (json!(["items:"]), "`items:collection`"),
            (json!(["items:a:write"]), "create, read, update, delete"),
            (json!(["items:a:read:b"]), "`items:collection`"),
            (json!(["mail:a"]), "write `mail`"),
            (json!(["env"]), "`env:NAME`"),
            (json!(["env:"]), "`env:NAME`"),
            (json!(["rawdb:own"]), "`rawdb:system`"),
            (json!(["fetch:http://x"]), "fetch:api.example.com"),
            (json!(["fetch:"]), "fetch:api.example.com"),
            (json!(["fetch:a.*.b"]), "fetch:api.example.com"),
            (json!(["__proto__"]), "no capability"),
            (json!(["x".repeat(1_000)]), "at most 300 bytes"),
            (json!(vec!["mail"; 1_000]), "at most 200"),
        ] {
            let why = Capabilities::read(Some(&entries)).expect_err("a mistake");
            assert!(why.contains(part), "{entries}: {why}");
        }
    }
}

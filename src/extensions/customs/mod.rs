//! Custom services: code that several extensions share, as rows of `daas_custom_services`.
//!
//! A custom service is no process and has no rights of its own: `services.custom(name)` runs its body in the caller's worker, with the
//! caller's services. Here is which of them a unit gets to load; the rows are `store.rs`, their tests `check.rs`.

mod check;
mod store;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use regex::Regex;
use serde_json::Value;

use crate::bridge::Capabilities;
use crate::sandbox::{Parts, Source};
use crate::services::Item;

pub(super) const TABLE: &str = "daas_custom_services";

/// One custom service.
#[derive(Debug, Clone)]
pub struct Custom {
    /// What `services.custom` takes.
    pub name: String,
    /// The body of an async function.
    pub code: Arc<str>,
    /// Those that its code names.
    pub needs: BTreeSet<String>,
    /// Whether it can be used.
    pub active: bool,
}

/// All of them at one moment, by name.
#[derive(Debug, Clone, Default)]
pub struct Customs(BTreeMap<String, Custom>);

impl Customs {
    /// Those of stored rows.
    pub fn of_rows(rows: &[Item]) -> Self {
        let text = |row: &Item, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
        let one = |row: &Item| {
            let (name, code) = (text(row, "name")?, text(row, "code")?);
            let active = text(row, "status").as_deref() == Some("active");
            Some((name.clone(), Custom { name, needs: named_in(&code), code: code.into(), active }))
        };
        Self(rows.iter().filter_map(one).collect())
    }

    /// The same with one more, or another of that name, or without `before` where it was renamed.
    #[must_use]
    pub fn with(&self, custom: Custom, before: Option<&str>) -> Self {
        let mut all = self.0.clone();
        before.map(|name| all.remove(name));
        all.insert(custom.name.clone(), custom);
        Self(all)
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Option<&Custom> {
        self.0.get(name)
    }

    /// Who among them names `name`.
    pub fn users_of(&self, name: &str) -> Vec<&str> {
        self.0.values().filter(|custom| custom.needs.contains(name)).map(|custom| custom.name.as_str()).collect()
    }

    /// A way from `name` back to it, if there is one: `a → b → a`.
    pub fn cycle(&self, name: &str) -> Option<String> {
        let mut path = vec![name.to_owned()];
        let mut seen = HashSet::new();
        self.walk(name, name, &mut path, &mut seen).then(|| path.join(" → "))
    }

    fn walk(&self, at: &str, goal: &str, path: &mut Vec<String>, seen: &mut HashSet<String>) -> bool {
        for next in self.0.get(at).into_iter().flat_map(|custom| &custom.needs) {
            path.push(next.clone());
            if next == goal || (seen.insert(next.clone()) && self.walk(next, goal, path, seen)) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// What the workers of a unit with this source and these capabilities load besides: what it may use, and what that needs.
    pub fn parts(&self, source: &Source, capabilities: &Capabilities) -> Parts {
        // Names may be put together at run time, so a unit that uses one may use any.
        let mentions = |text: &str| text.contains("custom");
        let is_user = match source {
            Source::Body { code, .. } => mentions(code),
            Source::Modules { files, .. } => files.values().any(|text| mentions(text)),
        };
        if !is_user {
            return Parts::default();
        }
        let mut parts = BTreeMap::new();
        let allowed = self.0.values().filter(|custom| capabilities.allows(&format!("custom:{}", custom.name)));
        let mut left: Vec<&Custom> = allowed.filter(|custom| custom.active).collect();
        while let Some(custom) = left.pop() {
            if parts.insert(custom.name.clone(), Arc::clone(&custom.code)).is_none() {
                left.extend(custom.needs.iter().filter_map(|name| self.0.get(name)).filter(|custom| custom.active));
            }
        }
        Arc::new(parts)
    }
}

/// The custom services that code names: `custom('name')`.
pub fn named_in(code: &str) -> BTreeSet<String> {
    let call = Regex::new(r#"\bcustom\s*\(\s*(?:'([^'\\\n]+)'|"([^"\\\n]+)"|`([^`\\$\n]+)`)\s*\)"#).expect("the pattern is well formed");
    let name = |found: regex::Captures<'_>| found.iter().skip(1).flatten().next().map(|name| name.as_str().to_owned());
    call.captures_iter(code).filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customs(list: &[(&str, &str)]) -> Customs {
        let one = |(name, code): &(&str, &str)| Custom { name: (*name).into(), code: (*code).into(), needs: named_in(code), active: true };
        Customs(list.iter().map(|entry| (entry.0.to_owned(), one(entry))).collect())
    }

    #[test]
    fn names_are_found_however_they_are_quoted() {
        let code = "await services.custom('a'); custom(\"b\"); custom( `c` ); customs('d'); custom(e); custom('f' + g); custom(`h${i}`)";
        assert_eq!(named_in(code), ["a", "b", "c"].map(str::to_owned).into());
    }

    #[test]
    fn a_cycle_is_told_by_its_way() {
        let all =
            customs(&[("a", "custom('b')"), ("b", "custom('c'); custom('d')"), ("c", ""), ("d", "custom('a')"), ("e", "custom('a')")]);
        assert_eq!(all.cycle("a").as_deref(), Some("a → b → d → a"));
        assert_eq!((all.cycle("c"), all.cycle("e")), (None, None));
        assert_eq!(customs(&[("a", "custom('a')")]).cycle("a").as_deref(), Some("a → a"));
        assert_eq!(all.users_of("a"), ["d", "e"]);
    }

    #[test]
    fn a_unit_loads_what_it_may_use_and_what_that_needs() {
        let all = customs(&[("a", "custom('b')"), ("b", ""), ("c", "")]);
        let body = |code: &str| Source::Body { code: code.into(), params: Vec::new(), answers: false };
        let names = |parts: Parts| parts.keys().cloned().collect::<Vec<_>>();
        assert!(names(all.parts(&body("return 1"), &Capabilities::default())).is_empty());
        assert_eq!(names(all.parts(&body("custom(x)"), &Capabilities::default())), ["a", "b", "c"]);
        let only = Capabilities::read(Some(&serde_json::json!(["custom:a"]))).expect("valid");
        assert_eq!(names(all.parts(&body("custom('a')"), &only)), ["a", "b"]);
    }
}

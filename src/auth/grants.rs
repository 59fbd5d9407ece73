//! What a caller may do: the union of all their policies.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::error::{Error, Result};

/// What can be done with the items of a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Insert.
    Create,
    /// Select.
    Read,
    /// Change.
    Update,
    /// Remove.
    Delete,
}

impl Action {
    /// Every one, in the order of declaration.
    pub const ALL: [Action; 4] = [Self::Create, Self::Read, Self::Update, Self::Delete];

    /// As in `daas_permissions.action`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The inverse of [`Action::name`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// The fields that an action may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSet {
    /// Every field, also those made later.
    All,
    /// These.
    Some(BTreeSet<String>),
}

impl FieldSet {
    /// Whether `field` may be touched.
    pub fn has(&self, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.contains(field),
        }
    }

    /// Reads `daas_permissions.fields`: an array of names, or a comma-separated text; `*` is every field.
    pub fn parse(fields: &Value) -> Self {
        let names: BTreeSet<String> = match fields {
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(|n| n.trim().to_owned()).collect(),
            Value::String(csv) => csv.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect(),
            _ => BTreeSet::new(),
        };
        if names.contains("*") { Self::All } else { Self::Some(names) }
    }

    fn unite(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::All, _) => {}
            (_, Self::All) => *self = Self::All,
            (Self::Some(mine), Self::Some(theirs)) => mine.extend(theirs),
        }
    }
}

/// How much of a module somebody may manage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// All of it.
    All,
    /// What these entries name.
    Only(BTreeSet<String>),
}

/// The rights of one caller.
#[derive(Debug, Default)]
pub struct Grants {
    /// Passes every check.
    pub admin: bool,
    /// May use the app.
    pub app: bool,
    by_collection: HashMap<String, [Option<FieldSet>; Action::ALL.len()]>,
    modules: HashMap<String, Module>,
}

impl Grants {
    /// Every right.
    pub fn everything() -> Self {
        Self { admin: true, app: true, ..Self::default() }
    }

    /// Adds one permission to what is allowed already: fields are united.
    pub fn add(&mut self, collection: &str, action: Action, fields: FieldSet) {
        let slot = &mut self.by_collection.entry(collection.to_owned()).or_default()[action as usize];
        match slot {
            Some(set) => set.unite(fields),
            None => *slot = Some(fields),
        }
    }

    /// Adds what one policy's `module_access` gives: lists are united, and `true` is all.
    pub fn add_modules(&mut self, access: &Value) {
        for (key, value) in access.as_object().into_iter().flatten() {
            let more = match value {
                Value::Bool(true) => Module::All,
                Value::Array(entries) => Module::Only(entries.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
                // Nothing that the API stores.
                _ => continue,
            };
            match (self.modules.get_mut(key), more) {
                (Some(Module::All), _) => {}
                (Some(Module::Only(entries)), Module::Only(more)) => entries.extend(more),
                (_, more) => drop(self.modules.insert(key.clone(), more)),
            }
        }
    }

    /// How much of the module with this key may be managed; `None` where nothing may. Admins manage all of every module.
    pub fn module(&self, key: &str) -> Option<&Module> {
        if self.admin { Some(&Module::All) } else { self.modules.get(key) }
    }

    /// The fields that `action` may touch in `collection`, or 403.
    ///
    /// The same sentence answers for a collection that doesn't exist, so that a caller without rights can't find out which do.
    pub fn check(&self, action: Action, collection: &str) -> Result<&FieldSet> {
        if self.admin {
            return Ok(&FieldSet::All);
        }
        self.by_collection
            .get(collection)
            .and_then(|actions| actions[action as usize].as_ref())
            .ok_or_else(|| Error::forbidden(format!("You may not {} items of `{collection}`, or it doesn't exist", action.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_is_granted_by_default_and_fields_are_united() {
        let mut grants = Grants::default();
        assert!(grants.check(Action::Read, "articles").is_err());
        grants.add("articles", Action::Read, FieldSet::parse(&json!(["id"])));
        grants.add("articles", Action::Read, FieldSet::parse(&json!("title, slug")));
        let fields = grants.check(Action::Read, "articles").expect("granted");
        assert!(fields.has("id") && fields.has("slug") && !fields.has("body"));
        assert!(grants.check(Action::Update, "articles").is_err());
        grants.add("articles", Action::Read, FieldSet::parse(&json!(["*"])));
        assert!(grants.check(Action::Read, "articles").expect("granted").has("body"));
    }

    #[test]
    fn modules_are_united_and_true_is_all() {
        let mut grants = Grants::default();
        assert_eq!(grants.module("system:cron"), None);
        grants.add_modules(&json!({ "system:extensions": ["mail"], "system:cron": false }));
        grants.add_modules(&json!({ "system:extensions": ["items:a", "mail"] }));
        let both = Module::Only(["items:a", "mail"].map(str::to_owned).into());
        assert_eq!((grants.module("system:extensions"), grants.module("system:cron")), (Some(&both), None));
        grants.add_modules(&json!({ "system:extensions": true }));
        grants.add_modules(&json!({ "system:extensions": ["mail"] }));
        assert_eq!(grants.module("system:extensions"), Some(&Module::All));
        assert_eq!(Grants::everything().module("system:logs"), Some(&Module::All));
    }

    #[test]
    fn a_permission_without_fields_grants_no_field() {
        let mut grants = Grants::default();
        grants.add("articles", Action::Create, FieldSet::parse(&Value::Null));
        assert!(!grants.check(Action::Create, "articles").expect("granted").has("title"));
    }
}

//! What a caller may do: the union of all their policies.
//!
//! Filters and presets are kept as they were written: what they mean for a collection is found out by the services, which know the schema
//! and the caller. A permission that they can't make sense of grants nothing, its fields included ([`Right::united`]).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

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
    /// Let others see.
    Share,
}

impl Action {
    /// Every one, in the order of declaration.
    pub const ALL: [Action; 5] = [Self::Create, Self::Read, Self::Update, Self::Delete, Self::Share];

    /// As in `daas_permissions.action`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Share => "share",
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

/// One row of `daas_permissions`: what it adds to the rights of who has it.
#[derive(Debug, Clone)]
pub struct Permission {
    /// The fields that may be touched.
    pub fields: FieldSet,
    /// The items that it is about, as a filter; `None` is every item.
    pub items: Option<Value>,
    /// A filter that what is written must match.
    pub validation: Option<Value>,
    /// What is written where the caller leaves a field out.
    pub presets: Map<String, Value>,
}

impl Permission {
    /// Every item, with these fields.
    pub fn of_fields(fields: FieldSet) -> Self {
        Self { fields, items: None, validation: None, presets: Map::new() }
    }

    /// Reads the columns of a row; `None` where one of them isn't what it should be, so that the row grants nothing.
    pub fn read(fields: &Value, items: &Value, validation: &Value, presets: &Value) -> Option<Self> {
        Some(Self {
            fields: FieldSet::parse(fields),
            items: object(items)?.map(Value::Object),
            validation: object(validation)?.map(Value::Object),
            presets: object(presets)?.unwrap_or_default(),
        })
    }
}

/// An object that says something; `Some(None)` for nothing, `None` for what is no object.
fn object(value: &Value) -> Option<Option<Map<String, Value>>> {
    match value {
        Value::Null => Some(None),
        Value::Object(members) => Some(Some(members.clone()).filter(|members| !members.is_empty())),
        _ => None,
    }
}

/// Everything that a caller's permissions say about one action on one collection.
#[derive(Debug, Default)]
pub struct Right {
    permissions: Vec<Arc<Permission>>,
    united: OnceLock<United>,
}

/// Those of the permissions that make sense, as one.
#[derive(Debug)]
pub struct United {
    /// Whether there is any.
    pub grants: bool,
    /// All their fields.
    pub fields: FieldSet,
    /// The items: one of these filters must match; `None` is every item.
    pub items: Option<Vec<Value>>,
    /// Filters all of which must match what is written.
    pub validations: Vec<Value>,
    /// What is written where the caller leaves a field out. Of two permissions the later one has its way.
    pub presets: Map<String, Value>,
}

impl Right {
    /// The permissions as one, without those that aren't `sound`. Found out once: rights are forgotten when the schema changes.
    pub fn united(&self, sound: impl Fn(&Permission) -> bool) -> &United {
        self.united.get_or_init(|| {
            let mut united = United {
                grants: false,
                fields: FieldSet::Some(BTreeSet::new()),
                items: Some(Vec::new()),
                validations: Vec::new(),
                presets: Map::new(),
            };
            for permission in self.permissions.iter().filter(|permission| sound(permission)) {
                united.grants = true;
                united.fields.unite(permission.fields.clone());
                match (&mut united.items, &permission.items) {
                    (Some(filters), Some(filter)) => filters.push(filter.clone()),
                    (items, None) => *items = None,
                    (None, Some(_)) => {}
                }
                united.validations.extend(permission.validation.clone());
                united.presets.extend(permission.presets.clone());
            }
            united
        })
    }

    /// Each by itself, as written.
    pub fn permissions(&self) -> impl Iterator<Item = &Permission> {
        self.permissions.iter().map(|permission| &**permission)
    }
}

/// The rights of one caller.
#[derive(Debug, Default)]
pub struct Grants {
    /// Passes every check.
    pub admin: bool,
    /// May use the app.
    pub app: bool,
    /// May act in the name of others.
    pub delegate: bool,
    /// The policies that say all this.
    pub policies: Vec<String>,
    by_collection: HashMap<String, [Right; Action::ALL.len()]>,
    modules: HashMap<String, Module>,
}

impl Grants {
    /// Every right.
    pub fn everything() -> Self {
        Self { admin: true, app: true, delegate: true, ..Self::default() }
    }

    /// Adds one permission to what is allowed already.
    pub fn add(&mut self, collection: &str, action: Action, permission: Arc<Permission>) {
        self.by_collection.entry(collection.to_owned()).or_default()[action as usize].permissions.push(permission);
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

    /// What the permissions say about `action` on `collection`, or 403 where there is none. An admin has none and needs none.
    ///
    /// The same sentence answers for a collection that doesn't exist, so that a caller without rights can't find out which do.
    pub fn right(&self, action: Action, collection: &str) -> Result<&Right> {
        self.by_collection
            .get(collection)
            .map(|actions| &actions[action as usize])
            .filter(|right| !right.permissions.is_empty())
            .ok_or_else(|| refused(action, collection))
    }

    /// Whether there is any permission for `action` on `collection`, else 403.
    pub fn check(&self, action: Action, collection: &str) -> Result<()> {
        if self.admin { Ok(()) } else { self.right(action, collection).map(drop) }
    }

    /// Every right that there is a permission for.
    pub fn rights(&self) -> impl Iterator<Item = (&str, Action, &Right)> {
        self.by_collection.iter().flat_map(|(collection, actions)| {
            Action::ALL.into_iter().map(move |action| (collection.as_str(), action, &actions[action as usize]))
        })
    }
}

/// The 403 of who has no permission.
pub fn refused(action: Action, collection: &str) -> Error {
    Error::forbidden(format!("You may not {} items of `{collection}`, or it doesn't exist", action.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn add(grants: &mut Grants, action: Action, columns: [Value; 4]) {
        let [fields, items, validation, presets] = columns;
        if let Some(permission) = Permission::read(&fields, &items, &validation, &presets) {
            grants.add("articles", action, Arc::new(permission));
        }
    }

    #[test]
    fn nothing_is_granted_by_default_and_fields_are_united() {
        let mut grants = Grants::default();
        assert!(grants.check(Action::Read, "articles").is_err());
        add(&mut grants, Action::Read, [json!(["id"]), json!(null), json!(null), json!(null)]);
        add(&mut grants, Action::Read, [json!("title, slug"), json!({}), json!({}), json!({})]);
        let right = grants.right(Action::Read, "articles").expect("granted").united(|_| true);
        assert!(right.fields.has("id") && right.fields.has("slug") && !right.fields.has("body") && right.items.is_none());
        assert!(grants.check(Action::Update, "articles").is_err());
        add(&mut grants, Action::Update, [json!(["*"]), json!(null), json!(null), json!(null)]);
        assert!(grants.right(Action::Update, "articles").expect("granted").united(|_| true).fields.has("body"));
    }

    #[test]
    fn item_filters_are_alternatives_and_none_lets_every_item_through() {
        let mut grants = Grants::default();
        let filter = |n: i64| json!({ "n": { "_eq": n } });
        add(&mut grants, Action::Read, [json!(["a"]), filter(1), filter(3), json!({ "x": 1, "y": 1 })]);
        add(&mut grants, Action::Read, [json!(["b"]), filter(2), filter(4), json!({ "x": 2 })]);
        add(&mut grants, Action::Update, [json!(["a"]), filter(1), json!(null), json!(null)]);
        add(&mut grants, Action::Update, [json!(["b"]), json!({}), json!(null), json!(null)]);
        let read = grants.right(Action::Read, "articles").expect("granted").united(|_| true);
        assert_eq!(read.items, Some(vec![filter(1), filter(2)]));
        assert_eq!(read.validations, [filter(3), filter(4)]);
        assert_eq!(Value::Object(read.presets.clone()), json!({ "x": 2, "y": 1 }));
        assert_eq!(grants.right(Action::Update, "articles").expect("granted").united(|_| true).items, None);
    }

    #[test]
    fn what_makes_no_sense_grants_nothing_not_even_its_fields() {
        let mut grants = Grants::default();
        add(&mut grants, Action::Read, [json!(["*"]), json!("all"), json!(null), json!(null)]);
        add(&mut grants, Action::Read, [json!(["*"]), json!(null), json!([1]), json!(null)]);
        add(&mut grants, Action::Read, [json!(["*"]), json!(null), json!(null), json!(true)]);
        assert!(grants.check(Action::Read, "articles").is_err());
        add(&mut grants, Action::Read, [json!(["id"]), json!({ "a": 1 }), json!(null), json!(null)]);
        add(&mut grants, Action::Read, [json!(["*"]), json!({ "nonsense": 1 }), json!(null), json!(null)]);
        let sound = |p: &Permission| p.items.as_ref().is_some_and(|items| items.get("a").is_some());
        let right = grants.right(Action::Read, "articles").expect("granted").united(sound);
        assert!(right.grants && !right.fields.has("title") && right.items.as_ref().is_some_and(|items| items.len() == 1));
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
        add(&mut grants, Action::Create, [json!(null), json!(null), json!(null), json!(null)]);
        assert!(!grants.right(Action::Create, "articles").expect("granted").united(|_| true).fields.has("title"));
    }
}

//! Relations as data: which field of which collection refers to what, and what the other side calls it.
//!
//! Part of the schema that `schema.rs` reads whole. Knows no query and no permission; those who read and write through relations ask a
//! [`Schema`](super::Schema) for the [`Link`] behind a field.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// What happens to the items that refer to one that is deleted: the `ON DELETE` of the foreign key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    /// The delete is refused at the end of the statement.
    NoAction,
    /// The delete is refused at once.
    Restrict,
    /// They are deleted too.
    Cascade,
    /// They refer to nothing.
    SetNull,
    /// They refer to their field's default.
    SetDefault,
}

impl OnDelete {
    /// Every one, in the order of declaration.
    pub const ALL: [Self; 5] = [Self::NoAction, Self::Restrict, Self::Cascade, Self::SetNull, Self::SetDefault];

    /// As in `schema.on_delete` of a relation, and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }

    /// The inverse of [`OnDelete::name`], whatever the case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name().eq_ignore_ascii_case(name))
    }
}

/// What a nested write does to items that it takes out of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deselect {
    /// They refer to nothing any more.
    Nullify,
    /// They are deleted.
    Delete,
}

impl Deselect {
    /// As in `meta.one_deselect_action` of a relation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nullify => "nullify",
            Self::Delete => "delete",
        }
    }

    /// The inverse of [`Deselect::name`].
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Nullify, Self::Delete].into_iter().find(|action| action.name() == name)
    }
}

/// A field that refers to items: the "many" side, and what the "one" side makes of it. Two of them with `junction_field` are a
/// many-to-many relation.
#[derive(Debug, Clone, PartialEq)]
pub struct Relation {
    /// The number of the row that stores it; `None` where the host declares it, or before it is stored.
    pub id: Option<i64>,
    /// The collection whose items refer.
    pub collection: String,
    /// The field that holds the key of what is referred to.
    pub field: String,
    /// The collection that is referred to; `None` where `one_collection_field` tells it per item (many-to-any).
    pub related: Option<String>,
    /// The alias field of the other side that lists the items which refer to it.
    pub one_field: Option<String>,
    /// Many-to-any: the field beside `field` that holds the name of the collection.
    pub one_collection_field: Option<String>,
    /// Many-to-any: the collections that may be referred to.
    pub one_allowed: Vec<String>,
    /// In a junction: the field that leads on to the far side.
    pub junction_field: Option<String>,
    /// The field of the many side that orders the list of `one_field`.
    pub sort_field: Option<String>,
    /// What taking an item out of the list does to it.
    pub deselect: Deselect,
    /// The foreign key's action; `None` where the database holds no foreign key.
    pub on_delete: Option<OnDelete>,
    /// Declared by the host, not by a user.
    pub system: bool,
    /// What else its maker sent.
    pub meta: Map<String, Value>,
}

impl Relation {
    /// Whether the host keeps a description of it, or declares it; else only the database knows of it.
    pub fn is_described(&self) -> bool {
        self.system || self.id.is_some()
    }
}

/// What stands behind a field that leads to other items.
#[derive(Debug, Clone)]
pub enum Link {
    /// The field holds the key of one item of `related`.
    ManyToOne(Arc<Relation>),
    /// The alias lists the items of `collection` that refer here; with a `junction_field` they are rows of a junction.
    OneToMany(Arc<Relation>),
    /// The field holds the key of one item of whichever collection `one_collection_field` names.
    ManyToAny(Arc<Relation>),
}

/// A relation as the row that stores it.
pub(super) fn relation_row(relation: &Relation) -> Map<String, Value> {
    let some = |value: Value| if value.as_object().is_some_and(Map::is_empty) || value == json!([]) { Value::Null } else { value };
    let cells = [
        ("many_collection", json!(relation.collection)),
        ("many_field", json!(relation.field)),
        ("one_collection", json!(relation.related)),
        ("one_field", json!(relation.one_field)),
        ("one_collection_field", json!(relation.one_collection_field)),
        ("one_allowed_collections", some(json!(relation.one_allowed))),
        ("junction_field", json!(relation.junction_field)),
        ("sort_field", json!(relation.sort_field)),
        ("one_deselect_action", json!(relation.deselect.name())),
        ("on_delete", json!(relation.on_delete.map(OnDelete::name))),
        ("meta", some(Value::Object(relation.meta.clone()))),
    ];
    cells.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The other way.
pub(super) fn stored_relation(mut row: Map<String, Value>) -> Result<Relation> {
    let text = |row: &Map<String, Value>, name: &str| row.get(name).and_then(Value::as_str).map(str::to_owned);
    let (Some(collection), Some(field)) = (text(&row, "many_collection"), text(&row, "many_field")) else {
        return Err(Error::internal("a relation is stored without its field"));
    };
    let allowed = row.get("one_allowed_collections").and_then(Value::as_array).into_iter().flatten();
    Ok(Relation {
        id: row.get("id").and_then(Value::as_i64),
        related: text(&row, "one_collection"),
        one_field: text(&row, "one_field"),
        one_collection_field: text(&row, "one_collection_field"),
        one_allowed: allowed.filter_map(Value::as_str).map(str::to_owned).collect(),
        junction_field: text(&row, "junction_field"),
        sort_field: text(&row, "sort_field"),
        deselect: text(&row, "one_deselect_action").and_then(|name| Deselect::parse(&name)).unwrap_or(Deselect::Nullify),
        on_delete: text(&row, "on_delete").and_then(|name| OnDelete::parse(&name)),
        system: false,
        meta: match row.remove("meta") {
            Some(Value::Object(meta)) => meta,
            _ => Map::new(),
        },
        collection,
        field,
    })
}

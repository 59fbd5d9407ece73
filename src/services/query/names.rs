//! Names in a query: which field, list or step through a relation they mean, and whether the caller may use it.
//!
//! The one place where a caller's word becomes a name of the schema. Whatever isn't granted is answered like what doesn't exist, so that
//! nobody finds out which fields, lists and collections there are.

use std::sync::Arc;

use super::words::{clip, nearest};
use crate::auth::{Action, FieldSet};
use crate::db::{AliasField, Collection, DatePart, Field, Hop, Link, Relation, Schema, Special};
use crate::error::{Error, ErrorCode, Result};
use crate::services::Ctx;

/// What a caller sees of the schema.
pub trait Sight: Sync {
    /// The schema.
    fn schema(&self) -> &Schema;

    /// The fields of `collection` that may be read, or 403.
    fn readable(&self, collection: &Collection) -> Result<&FieldSet>;
}

impl Sight for Ctx {
    fn schema(&self) -> &Schema {
        &self.op.schema
    }

    fn readable(&self, collection: &Collection) -> Result<&FieldSet> {
        self.reaches(&collection.name, Action::Read)?;
        self.granted(Action::Read, collection)
    }
}

/// All of it: for rules of permissions, and for conditions that hooks add.
pub struct Everything<'a>(pub &'a Schema);

impl Sight for Everything<'_> {
    fn schema(&self) -> &Schema {
        self.0
    }

    fn readable(&self, _collection: &Collection) -> Result<&FieldSet> {
        Ok(&FieldSet::All)
    }
}

/// How a query is read: by whose sight, and how far it is trusted.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// What the caller sees.
    pub sight: &'a dyn Sight,
    /// Whether a hook has had its hands in it: conditions may use any field, and fields that the caller may not see are left out
    /// instead of refused.
    pub trusted: bool,
}

impl<'a> Reader<'a> {
    /// The caller's own words.
    pub fn of(sight: &'a dyn Sight) -> Self {
        Self { sight, trusted: false }
    }

    /// What a hook made of them.
    pub fn after_hooks(sight: &'a dyn Sight) -> Self {
        Self { sight, trusted: true }
    }

    /// The fields that conditions and orders may use.
    pub(super) fn usable(&self, collection: &Collection) -> Result<&'a FieldSet> {
        if self.trusted { Ok(&FieldSet::All) } else { self.sight.readable(collection) }
    }

    /// The step that `name` means in `collection`.
    pub(super) fn hop(&self, collection: &Collection, name: &str) -> Result<(Hop, Reach)> {
        let (field, scope) = name.split_once(':').map_or((name, None), |(field, scope)| (field, Some(scope)));
        known(collection, self.usable(collection)?, field)?;
        let step = self.step(collection, field, scope)?;
        self.usable(&step.0.to)?;
        Ok(step)
    }

    /// The same, whatever is granted here and there.
    pub(super) fn step(&self, collection: &Collection, field: &str, scope: Option<&str>) -> Result<(Hop, Reach)> {
        let none = || not_a_relation(collection, field);
        let to = |name: &str| self.sight.schema().collection(name).cloned();
        match (self.sight.schema().link(&collection.name, field).ok_or_else(none)?, scope) {
            (Link::ManyToOne(relation), None) => {
                let related = relation.related.as_deref().and_then(to).ok_or_else(none)?;
                Ok((Hop::to_one(&relation, related), Reach::One))
            }
            (Link::OneToMany(relation), None) => {
                Ok((Hop::to_many(&relation, collection, to(&relation.collection).ok_or_else(none)?), Reach::Many))
            }
            (Link::ManyToAny(relation), Some(scope)) => Ok((self.any(collection, &relation, scope)?, Reach::One)),
            (Link::ManyToAny(relation), None) => {
                let names: Vec<String> = self.scopes(&relation).map(|c| format!("`{field}:{}`", c.name)).collect();
                let message = format!(
                    "`{field}` in `{}` leads to items of several collections: name one, as in {}",
                    collection.name,
                    if names.is_empty() { format!("`{field}:collection`") } else { names.join(", ") }
                );
                Err(Error::query(message).with_field(field))
            }
            (_, Some(scope)) => {
                let message =
                    format!("`{field}:{}`: `{field}` in `{}` leads to items of one collection only", clip(scope), collection.name);
                Err(Error::query(message).with_field(field))
            }
        }
    }

    fn any(&self, collection: &Collection, relation: &Relation, scope: &str) -> Result<Hop> {
        match self.scopes(relation).find(|to| to.name == scope) {
            Some(to) => Ok(Hop::to_one(relation, Arc::clone(to))),
            None => {
                let near = nearest(scope, self.scopes(relation).map(|to| to.name.as_str()));
                let message =
                    format!("`{}` in `{}` can't lead to `{}`, or it doesn't exist{near}", relation.field, collection.name, clip(scope));
                Err(Error::forbidden(message).with_field(&relation.field))
            }
        }
    }

    /// The collections that a many-to-any field may refer to and the caller may read.
    pub(super) fn scopes<'r>(&self, relation: &'r Relation) -> impl Iterator<Item = &'a Arc<Collection>> + use<'r, 'a> {
        let reader = *self;
        let all = relation.one_allowed.iter().filter_map(move |name| reader.sight.schema().collection(name));
        all.filter(move |to| reader.usable(to).is_ok())
    }
}

/// To how many items a step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One, or none.
    One,
    /// Any number.
    Many,
}

/// A field with a column, or one without.
pub enum Known<'c> {
    /// With a column.
    Column(&'c Field),
    /// Without.
    Alias(&'c AliasField),
}

/// The field that a query names, if the caller may read it.
///
/// For a field that isn't granted and one that doesn't exist the answer is of the same kind: no oracle.
pub fn known<'c>(collection: &'c Collection, fields: &FieldSet, name: &str) -> Result<Known<'c>> {
    let found = match collection.field(name) {
        Some(field) => Some(Known::Column(field)),
        None => collection.alias(name).map(Known::Alias),
    };
    match found.filter(|_| fields.has(name)) {
        Some(found) => Ok(found),
        None => Err(unknown(collection, fields, name)),
    }
}

fn unknown(collection: &Collection, fields: &FieldSet, name: &str) -> Error {
    let names = collection.fields.iter().map(|f| f.name.as_str()).chain(collection.aliases.iter().map(|a| a.name.as_str()));
    let near = nearest(name, names.filter(|name| fields.has(name)));
    let name = clip(name);
    let error = if *fields == FieldSet::All {
        Error::query(format!("There is no field `{name}` in `{}`{near}", collection.name))
    } else {
        Error::forbidden(format!("You may not {} `{name}` in `{}`, or it doesn't exist{near}", Action::Read.name(), collection.name))
    };
    error.with_field(name)
}

/// The column that a query names, if the caller may read it.
pub fn readable<'c>(collection: &'c Collection, fields: &FieldSet, name: &str) -> Result<&'c Field> {
    match known(collection, fields, name)? {
        Known::Column(field) => Ok(field),
        Known::Alias(alias) => {
            let message = format!("`{}` in `{}` has no value of its own: it stands for other items", alias.name, collection.name);
            Err(Error::query(message).with_field(&alias.name))
        }
    }
}

/// A field that may decide which rows are answered, or in which order: one that is masked would be told bit by bit that way.
pub fn open_field<'c>(collection: &'c Collection, fields: &FieldSet, name: &str) -> Result<&'c Field> {
    let field = readable(collection, fields, name)?;
    if field.is(Special::Hash) || field.is(Special::Conceal) {
        let message = format!("`{name}` in `{}` is concealed: it can't be filtered, sorted or grouped by", collection.name);
        return Err(Error::new(ErrorCode::Forbidden, message).with_field(name));
    }
    Ok(field)
}

pub(super) fn not_a_relation(collection: &Collection, field: &str) -> Error {
    Error::query(format!("`{}` in `{}` isn't a relation", clip(field), collection.name)).with_field(clip(field))
}

/// A function of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// A part of a date.
    Part(DatePart),
    /// How many items a list has.
    Count,
}

impl Function {
    fn parse(name: &str) -> Result<Self> {
        if name == "count" {
            return Ok(Self::Count);
        }
        DatePart::ALL.iter().find(|part| part.name() == name).map(|part| Self::Part(*part)).ok_or_else(|| {
            let names = || DatePart::ALL.iter().map(|part| part.name()).chain(["count"]);
            let all: Vec<String> = names().map(|name| format!("`{name}`")).collect();
            Error::query(format!("There is no function `{}`{}; there are {}", clip(name), nearest(name, names()), all.join(", ")))
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Part(part) => part.name(),
            Self::Count => "count",
        }
    }
}

/// A path as callers write it: `a.b.c`, `a.b.year(c)` or `year(a.b.c)`.
#[derive(Debug, PartialEq, Eq)]
pub struct Path<'n> {
    /// The relations on the way.
    pub steps: Vec<&'n str>,
    /// What is done with the value at the end.
    pub function: Option<Function>,
    /// The field at the end.
    pub field: &'n str,
}

impl<'n> Path<'n> {
    /// Reads a path.
    ///
    /// # Errors
    /// `InvalidQuery` for brackets that don't fit, a function that doesn't exist, a step without a name.
    pub fn parse(text: &'n str) -> Result<Self> {
        let (mut steps, function, field): (Vec<&str>, _, _) = match text.split_once('(') {
            None => (Vec::new(), None, text),
            Some((before, inside)) => {
                let inside = inside.strip_suffix(')').filter(|inside| !inside.contains(['(', ')']));
                let inside = inside.ok_or_else(|| {
                    Error::query(format!("`{}` can't be read: a function is written as in `year(field)`", clip(text)))
                        .with_field(clip(text))
                })?;
                let (way, function) = before.rsplit_once('.').map_or((None, before), |(way, function)| (Some(way), function));
                if function == "$FOLLOW" {
                    return Err(Error::query("`$FOLLOW` isn't possible here: name the relation's own list instead"));
                }
                (way.map(|way| way.split('.').collect()).unwrap_or_default(), Some(Function::parse(function)?), inside)
            }
        };
        let mut parts: Vec<&str> = field.split('.').collect();
        let field = parts.pop().unwrap_or_default();
        steps.extend(parts);
        if field.is_empty() || steps.iter().any(|step| step.is_empty()) {
            return Err(Error::query(format!("`{}` isn't a name of a field", clip(text))).with_field(clip(text)));
        }
        Ok(Self { steps, function, field })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_may_stand_before_its_field_or_around_the_whole_path() {
        let year = Some(Function::Part(DatePart::Year));
        let path = |text| Path::parse(text).expect(text);
        assert_eq!(path("title"), Path { steps: vec![], function: None, field: "title" });
        assert_eq!(path("a.b.c"), Path { steps: vec!["a", "b"], function: None, field: "c" });
        assert_eq!(path("year(at)"), Path { steps: vec![], function: year, field: "at" });
        assert_eq!(path("a.year(at)"), Path { steps: vec!["a"], function: year, field: "at" });
        assert_eq!(path("year(a.at)"), path("a.year(at)"));
        for bad in
            ["", ".", "a.", ".a", "a..b", "year(", "year()", "year(at", "year(at))", "year(year(at))", "yaer(at)", "$FOLLOW(a,b)", "(a)"]
        {
            assert!(Path::parse(bad).is_err(), "{bad}");
        }
        assert!(Path::parse("yaer(at)").expect_err("no such function").message().contains("did you mean `year`?"));
    }
}

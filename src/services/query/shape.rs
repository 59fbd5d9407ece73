//! `fields`, `alias` and `deep`: what a read answers of each item, and what it reads along with it.
//!
//! Names with dots become a tree: each relation in it is a read of its own, with its own query object, as a caller would write it for
//! that collection alone. So hooks on nested collections hear the query that they would hear from any other door.

use std::sync::Arc;

use serde_json::{Value, json};

use super::names::{Function, Known, Path, Reach, Reader, known};
use super::words::{self, clip, nearest, texts};
use super::{MAX_STEPS, Parsed, Unlimited};
use crate::auth::FieldSet;
use crate::db::{Collection, Hop, Link, Operand};
use crate::error::{Error, Result};
use crate::services::Item;

/// Reads of related items in one query, all levels together.
const MAX_NESTED: usize = 100;
/// Names that `fields` may hold, with what its wildcards stand for.
const MAX_OUTPUTS: usize = 5_000;

/// What a read answers of each item, in this order.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Each under its own name, once.
    pub outputs: Vec<Output>,
}

/// One member of an answered item.
#[derive(Debug, Clone)]
pub struct Output {
    /// Its name in the answer.
    pub key: String,
    /// Where it comes from.
    pub content: Content,
}

/// Where a member of an answered item comes from.
#[derive(Debug, Clone)]
pub enum Content {
    /// A value of the item itself.
    Value(Operand),
    /// The item that a field refers to.
    One(Box<Nested>),
    /// The items of a list.
    Many(Box<Nested>),
    /// The keys of the items of a list.
    Keys(Box<Nested>),
    /// The item that a field refers to in whichever collection; one read for each that was named.
    Any {
        /// The field.
        field: String,
        /// The field beside it that names the collection.
        tag: String,
        /// The reads.
        reads: Vec<Nested>,
    },
}

/// A read of related items.
#[derive(Debug, Clone)]
pub struct Nested {
    /// How they are reached.
    pub hop: Hop,
    /// The query, as a caller would write it.
    pub raw: Item,
    /// The query, as the caller meant it.
    pub parsed: Parsed,
    /// The field that orders a list where the query names no order.
    pub order: Option<String>,
    /// How many relations further down it may go.
    pub depth: usize,
}

impl Shape {
    /// Whether every member is a plain field under its own name.
    pub fn is_plain(&self) -> bool {
        self.outputs.iter().all(|output| matches!(&output.content, Content::Value(Operand::Field(name)) if *name == output.key))
    }

    fn has(&self, key: &str) -> bool {
        self.outputs.iter().any(|output| output.key == key)
    }
}

/// What the parameters of one level hold beside each other.
pub(super) struct Level<'p> {
    pub collection: &'p Arc<Collection>,
    pub raw: &'p Item,
    /// Rows that one list may have.
    pub max: u64,
    /// How many relations further down it may go.
    pub depth: usize,
}

/// Counts what all levels of a query hold together.
#[derive(Default)]
pub(super) struct Tally {
    nested: usize,
    outputs: usize,
}

impl Tally {
    fn output(&mut self) -> Result<()> {
        self.outputs += 1;
        if self.outputs > MAX_OUTPUTS {
            return Err(Error::query(format!("`fields` names more than {MAX_OUTPUTS} fields, all relations together")));
        }
        Ok(())
    }

    fn nested(&mut self) -> Result<()> {
        self.nested += 1;
        if self.nested > MAX_NESTED {
            return Err(Error::query(format!(
                "`fields` leads through relations in more than {MAX_NESTED} places: name those that are needed instead of `*`"
            )));
        }
        Ok(())
    }
}

/// Names below one key: for each collection that was named, or for none.
struct Group {
    key: String,
    below: Vec<(Option<String>, String)>,
}

struct Builder<'a, 'p> {
    reader: &'a Reader<'a>,
    level: &'a Level<'p>,
    fields: &'a FieldSet,
    alias: Item,
    deep: Item,
    shape: Shape,
    groups: Vec<Group>,
}

/// Reads `fields`, `alias` and `deep` of one level and, with them, all levels below.
pub(super) fn parse_shape(reader: &Reader<'_>, level: &Level<'_>, tally: &mut Tally) -> Result<Shape> {
    let fields = reader.sight.readable(level.collection)?;
    let asked = match level.raw.get("fields") {
        None | Some(Value::Null) => Vec::new(),
        Some(value) => texts(value, "fields")?,
    };
    let alias = words::object(level.raw.get("alias"), "alias")?.unwrap_or_default();
    let deep = words::object(level.raw.get("deep"), "deep")?.unwrap_or_default();
    let mut builder = Builder { reader, level, fields, alias, deep, shape: Shape::default(), groups: Vec::new() };
    builder.check_alias()?;
    // No names at all are all of them, as Directus has it.
    for name in if asked.is_empty() { vec!["*".to_owned()] } else { asked } {
        builder.name(&name, tally)?;
    }
    builder.check_deep()?;
    builder.finish(tally)
}

impl Builder<'_, '_> {
    fn check_alias(&self) -> Result<()> {
        for (name, field) in &self.alias {
            if !field.is_string() {
                return Err(Error::query(format!("`alias.{}` must be the name of a field, not: {}", clip(name), words::show(field))));
            }
            if name.is_empty() || name.contains(['.', ':', '(', ')', '*', ',']) || name.starts_with('_') {
                return Err(Error::query(format!("`{}` can't be an alias", clip(name))));
            }
            let collection = self.level.collection;
            if *name == collection.primary_key().name || known(collection, self.fields, name).is_ok() {
                return Err(Error::query(format!("`{}` can't be an alias: it is a field of `{}`", clip(name), collection.name)));
            }
        }
        Ok(())
    }

    /// What `deep` is about must be there. What isn't asked for is left alone.
    fn check_deep(&self) -> Result<()> {
        for (key, value) in &self.deep {
            if key.starts_with('_') {
                return Err(Error::query(format!("`deep.{}` stands inside the relation that it is about", clip(key))));
            }
            if !value.is_object() {
                return Err(Error::query(format!("`deep.{}` must be an object, not: {}", clip(key), words::show(value))));
            }
            let field = self.real(key.split(':').next().unwrap_or_default());
            known(self.level.collection, self.fields, field)?;
            if self.reader.sight.schema().link(&self.level.collection.name, field).is_none() {
                return Err(super::names::not_a_relation(self.level.collection, field));
            }
        }
        Ok(())
    }

    /// The field behind a key of the answer.
    fn real<'k>(&'k self, key: &'k str) -> &'k str {
        self.alias.get(key).and_then(Value::as_str).unwrap_or(key)
    }

    fn value(&mut self, key: String, of: Operand, tally: &mut Tally) -> Result<()> {
        if !self.shape.has(&key) {
            tally.output()?;
            self.shape.outputs.push(Output { key, content: Content::Value(of) });
        }
        Ok(())
    }

    /// One name of `fields`.
    fn name(&mut self, name: &str, tally: &mut Tally) -> Result<()> {
        if name == "*" {
            return self.everything(tally);
        }
        if let Some(below) = name.strip_prefix("*.") {
            self.everything(tally)?;
            return self.every_relation(below);
        }
        if let Some((first, below)) = name.split_once('.').filter(|(first, _)| !first.contains('(')) {
            let (key, scope) = first.split_once(':').map_or((first, None), |(key, scope)| (key, Some(scope.to_owned())));
            return self.below(key, scope, below);
        }
        let path = Path::parse(name)?;
        if let Some((first, rest)) = path.steps.split_first() {
            // `year(a.b.c)` is `a.b.year(c)`.
            let function = path.function.map_or("", Function::name);
            let below = rest.iter().chain([&format!("{function}({})", path.field).as_str()]).copied().collect::<Vec<_>>().join(".");
            let (key, scope) = first.split_once(':').map_or((*first, None), |(key, scope)| (key, Some(scope.to_owned())));
            return self.below(key, scope, &below);
        }
        let field = self.real(path.field).to_owned();
        match path.function {
            Some(Function::Part(part)) => {
                let field = super::names::open_field(self.level.collection, self.fields, &field)?;
                if !part.fits(field.ty) {
                    let message = format!("`{}` isn't possible: the type of `{}` is {}", clip(name), field.name, field.ty.name());
                    return Err(Error::query(message).with_field(&field.name));
                }
                self.value(format!("{}_{}", path.field, part.name()), Operand::Part(part, field.name.clone()), tally)
            }
            Some(Function::Count) => {
                let (hop, reach) = self.own_hop(&field, None)?;
                if reach == Reach::One {
                    return Err(Error::query(format!("`{}` isn't possible: `{field}` isn't a list", clip(name))).with_field(&field));
                }
                self.value(format!("{}_count", path.field), Operand::Count(hop), tally)
            }
            None => match self.known(&field).map(|known| matches!(known, Known::Column(_))) {
                Ok(true) => self.value(path.field.to_owned(), Operand::Field(field), tally),
                Ok(false) => self.list(path.field, false),
                Err(error) => self.skip(error),
            },
        }
    }

    /// What a hook names and the caller may not see is left out; a caller is told.
    fn skip(&self, error: Error) -> Result<()> {
        if self.reader.trusted && error.code() == crate::error::ErrorCode::Forbidden { Ok(()) } else { Err(error) }
    }

    fn known(&self, field: &str) -> Result<Known<'_>> {
        known(self.level.collection, self.fields, field)
    }

    /// A step by the rights of the caller, who sees what is answered.
    fn own_hop(&self, field: &str, scope: Option<&str>) -> Result<(Hop, Reach)> {
        known(self.level.collection, self.fields, field)?;
        let reader = Reader::of(self.reader.sight);
        let step = reader.step(self.level.collection, field, scope)?;
        reader.sight.readable(&step.0.to)?;
        Ok(step)
    }

    /// Every column, and the keys of every list.
    fn everything(&mut self, tally: &mut Tally) -> Result<()> {
        let (collection, fields) = (Arc::clone(self.level.collection), self.fields);
        for field in collection.fields.iter().filter(|field| fields.has(&field.name)) {
            self.value(field.name.clone(), Operand::Field(field.name.clone()), tally)?;
        }
        for alias in collection.aliases.iter().filter(|alias| fields.has(&alias.name)) {
            self.list(&alias.name, true)?;
        }
        Ok(())
    }

    /// `below` under every relation that the caller may follow.
    fn every_relation(&mut self, below: &str) -> Result<()> {
        let collection = Arc::clone(self.level.collection);
        let names = collection.fields.iter().map(|f| &f.name).chain(collection.aliases.iter().map(|a| &a.name));
        for name in names.filter(|name| self.fields.has(name)).collect::<Vec<_>>() {
            match self.reader.sight.schema().link(&collection.name, name) {
                Some(Link::ManyToAny(_)) => self.below(name, None, below)?,
                Some(_) if self.own_hop(name, None).is_ok() => self.below(name, None, below)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A list that is asked for without a word of what is in it: the keys.
    fn list(&mut self, key: &str, by_wildcard: bool) -> Result<()> {
        let field = self.real(key).to_owned();
        if !matches!(self.reader.sight.schema().link(&self.level.collection.name, &field), Some(Link::OneToMany(_))) {
            return if by_wildcard {
                Ok(())
            } else {
                let message = format!("`{}` in `{}` is there for show: it has no value", clip(&field), self.level.collection.name);
                Err(Error::query(message).with_field(field))
            };
        }
        let readable = self.own_hop(&field, None).and_then(|(hop, _)| {
            known(&hop.to, self.reader.sight.readable(&hop.to)?, &hop.to.primary_key().name)?;
            Ok(())
        });
        match readable {
            Ok(()) => {
                self.group(key);
            }
            Err(_) if by_wildcard => {}
            Err(error) => return self.skip(error),
        }
        Ok(())
    }

    fn group(&mut self, key: &str) -> &mut Group {
        let at = self.groups.iter().position(|group| group.key == key).unwrap_or_else(|| {
            self.groups.push(Group { key: key.to_owned(), below: Vec::new() });
            self.groups.len() - 1
        });
        &mut self.groups[at]
    }

    fn below(&mut self, key: &str, scope: Option<String>, name: &str) -> Result<()> {
        if name.is_empty() {
            return Err(Error::query(format!("`{}.` isn't a name of a field", clip(key))));
        }
        self.group(key).below.push((scope, name.to_owned()));
        Ok(())
    }

    fn finish(mut self, tally: &mut Tally) -> Result<Shape> {
        for group in std::mem::take(&mut self.groups) {
            match self.nested(&group, tally) {
                Ok(content) => {
                    tally.output()?;
                    let output = Output { key: group.key, content };
                    // A relation that is followed stands where its key would have stood.
                    match self.shape.outputs.iter_mut().find(|known| known.key == output.key) {
                        Some(place) => *place = output,
                        None => self.shape.outputs.push(output),
                    }
                }
                Err(error) => self.skip(error)?,
            }
        }
        Ok(self.shape)
    }

    fn nested(&self, group: &Group, tally: &mut Tally) -> Result<Content> {
        let field = self.real(&group.key).to_owned();
        // The step is looked at by the rights of the caller, also where a hook names it.
        self.known(&field)?;
        if let Some(Link::ManyToAny(relation)) = self.reader.sight.schema().link(&self.level.collection.name, &field) {
            let tag = relation.one_collection_field.clone().ok_or_else(|| Error::internal("a many-to-any relation has no tag"))?;
            return Ok(Content::Any { reads: self.any(group, &field, &relation, tally)?, field, tag });
        }
        if let Some((Some(scope), _)) = group.below.iter().find(|(scope, _)| scope.is_some()) {
            self.own_hop(&field, Some(scope))?;
        }
        let (hop, reach) = self.own_hop(&field, None)?;
        if group.below.is_empty() {
            let key = hop.to.primary_key().name.clone();
            let nested = self.read(&group.key, hop, reach, vec![key], tally)?;
            return Ok(Content::Keys(Box::new(nested)));
        }
        let below = group.below.iter().map(|(_, name)| name.clone()).collect();
        let nested = Box::new(self.read(&group.key, hop, reach, below, tally)?);
        Ok(match reach {
            Reach::One => Content::One(nested),
            Reach::Many => Content::Many(nested),
        })
    }

    fn any(&self, group: &Group, field: &str, relation: &crate::db::Relation, tally: &mut Tally) -> Result<Vec<Nested>> {
        let reader = Reader::of(self.reader.sight);
        let mut reads: Vec<(Arc<Collection>, Vec<String>)> = Vec::new();
        let mut add = |to: &Arc<Collection>, name: &str| match reads.iter_mut().find(|(known, _)| known.name == to.name) {
            Some((_, names)) => names.push(name.to_owned()),
            None => reads.push((Arc::clone(to), vec![name.to_owned()])),
        };
        for (scope, name) in &group.below {
            match scope {
                Some(scope) => add(&self.own_hop(field, Some(scope))?.0.to, name),
                // Without a collection only what every collection has can be meant.
                None if name.starts_with('*') => reader.scopes(relation).for_each(|to| add(to, name)),
                None => {
                    return Err(reader
                        .step(self.level.collection, field, None)
                        .err()
                        .unwrap_or_else(|| Error::internal("a step without its collection")));
                }
            }
        }
        reads
            .into_iter()
            .map(|(to, names)| {
                let (hop, reach) = self.own_hop(field, Some(&to.name))?;
                self.read(&format!("{}:{}", group.key, to.name), hop, reach, names, tally)
            })
            .collect()
    }

    /// The read of one relation: its fields, and what `deep` says about it.
    fn read(&self, key: &str, hop: Hop, reach: Reach, mut names: Vec<String>, tally: &mut Tally) -> Result<Nested> {
        const KNOWN: [&str; 7] = ["_filter", "_sort", "_limit", "_offset", "_page", "_search", "_fields"];
        tally.nested()?;
        let Some(depth) = self.level.depth.checked_sub(1) else {
            return Err(Error::query(format!("`fields` leads through more than {MAX_STEPS} relations")).with_field(clip(key)));
        };
        let mut raw = Item::new();
        let mut below = Item::new();
        for (name, value) in self.deep.get(key).and_then(Value::as_object).into_iter().flatten() {
            let Some(parameter) = name.strip_prefix('_') else {
                below.insert(name.clone(), value.clone());
                continue;
            };
            if !KNOWN.contains(&name.as_str()) {
                let near = nearest(name, KNOWN);
                let known = KNOWN.map(|name| format!("`{name}`")).join(", ");
                return Err(Error::query(format!("`deep.{}` takes {known}, not: {}{near}", clip(key), clip(name))));
            }
            if reach == Reach::One && matches!(parameter, "sort" | "limit" | "offset" | "page") {
                return Err(Error::query(format!("`deep.{}.{name}` isn't possible: `{}` leads to one item", clip(key), clip(key))));
            }
            if parameter == "fields" {
                names.extend(texts(value, "fields")?);
            } else {
                raw.insert(parameter.to_owned(), value.clone());
            }
        }
        raw.insert("fields".to_owned(), json!(names));
        if !below.is_empty() {
            raw.insert("deep".to_owned(), Value::Object(below));
        }
        let level = Level { collection: &hop.to, raw: &raw, max: self.level.max, depth };
        let parsed = super::parse_level(self.reader, &level, Unlimited::All, tally)?;
        let order = match self.reader.sight.schema().link(&self.level.collection.name, self.real(key)) {
            Some(Link::OneToMany(relation)) => relation.sort_field.clone().filter(|name| hop.to.field(name).is_some()),
            _ => None,
        };
        Ok(Nested { parsed, raw, hop, order, depth })
    }
}

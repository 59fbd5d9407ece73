//! Filters: the JSON that callers, permissions and hooks write → [`Filter`].
//!
//! Steps through relations are held against the rights of whoever reads here; which items beyond them count is added afterwards, by
//! `rules.rs`, and for filters of permissions not at all.

use serde_json::Value;

use super::names::{Function, Path, Reach, Reader, open_field};
use super::operator::{OPERATORS, equal, operator_of};
use super::words::{clip, is_list, nearest, show};
use super::{MAX_DEPTH, MAX_STEPS};
use crate::db::{Collection, Filter, Hop, Op, Operand};
use crate::error::{Error, Result};
use crate::services::Item;

/// Conditions in one filter, steps through relations included: SQLite refuses expressions deeper than 1,000.
const MAX_CONDITIONS: usize = 400;

/// Reads a filter over the items of `collection`: an object, or JSON in a text. `None` where it says nothing.
///
/// # Errors
/// `InvalidQuery` with the place of what can't be read or doesn't exist; `Forbidden` for what isn't granted.
pub fn parse_filter(reader: &Reader<'_>, collection: &Collection, value: Option<&Value>) -> Result<Option<Filter>> {
    let decoded;
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::String(text)) => {
            decoded = serde_json::from_str::<Value>(text).map_err(|e| Error::query(format!("`filter` isn't valid JSON: {e}")))?;
            &decoded
        }
        Some(value) => value,
    };
    let mut parser = Parser { reader, conditions: 0 };
    parser.object(collection, value, Depth { levels: MAX_DEPTH, steps: MAX_STEPS }).map(Some)
}

/// What is left of the depth that a filter may have.
#[derive(Clone, Copy)]
struct Depth {
    levels: usize,
    steps: usize,
}

impl Depth {
    fn inside(self) -> Result<Self> {
        let levels =
            self.levels.checked_sub(1).ok_or_else(|| Error::query(format!("`filter` is nested deeper than {MAX_DEPTH} levels")))?;
        Ok(Self { levels, ..self })
    }

    fn beyond(self) -> Result<Self> {
        let too_far = || Error::query(format!("`filter` leads through more than {MAX_STEPS} relations"));
        Ok(Self { steps: self.steps.checked_sub(1).ok_or_else(too_far)?, ..self.inside()? })
    }
}

struct Parser<'a> {
    reader: &'a Reader<'a>,
    conditions: usize,
}

impl Parser<'_> {
    fn object(&mut self, collection: &Collection, value: &Value, depth: Depth) -> Result<Filter> {
        let depth = depth.inside()?;
        let object = value.as_object().ok_or_else(|| Error::query(format!("`filter` must be an object, not: {}", show(value))))?;
        let parts = object.iter().map(|(name, value)| self.member(collection, name, value, depth)).collect::<Result<Vec<_>>>()?;
        Ok(all(parts))
    }

    fn member(&mut self, collection: &Collection, name: &str, value: &Value, depth: Depth) -> Result<Filter> {
        match name {
            "_and" => Ok(Filter::And(self.list(collection, value, "_and", depth)?)),
            "_or" => Ok(Filter::Or(self.list(collection, value, "_or", depth)?)),
            name if name.starts_with('_') && collection.field(name).is_none() && collection.alias(name).is_none() => {
                Err(Error::query(format!(
                    "`{}` isn't a filter operator here: `_and` and `_or` take arrays of filters, the others stand inside a field",
                    clip(name)
                )))
            }
            name => {
                let path = Path::parse(name)?;
                self.path(collection, name, &path, value, depth)
            }
        }
    }

    fn list(&mut self, collection: &Collection, value: &Value, name: &str, depth: Depth) -> Result<Vec<Filter>> {
        // A query string writes lists as objects with the keys 0, 1, 2 …
        let items: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(map) if is_list(map) => map.values().collect(),
            other => return Err(Error::query(format!("`{name}` must be an array of filters, not: {}", show(other)))),
        };
        items.into_iter().map(|item| self.object(collection, item, depth)).collect()
    }

    fn path(&mut self, collection: &Collection, name: &str, path: &Path<'_>, value: &Value, depth: Depth) -> Result<Filter> {
        let Some((step, rest)) = path.steps.split_first() else { return self.end(collection, name, path, value, depth) };
        let (hop, reach) = self.reader.hop(collection, step)?;
        let rest = Path { steps: rest.to_vec(), function: path.function, field: path.field };
        self.count(1)?;
        let inner = self.path(&hop.to, name, &rest, value, depth.beyond()?)?;
        Ok(through(hop, reach, inner))
    }

    /// The end of a path: a field, a function, or a relation with what stands inside it.
    fn end(&mut self, collection: &Collection, name: &str, path: &Path<'_>, value: &Value, depth: Depth) -> Result<Filter> {
        match path.function {
            Some(Function::Part(part)) => {
                let field = open_field(collection, self.reader.usable(collection)?, path.field)?;
                if !part.fits(field.ty) {
                    let message = format!("`{}` isn't possible: the type of `{}` is {}", clip(name), field.name, field.ty.name());
                    return Err(Error::query(message).with_field(&field.name));
                }
                let of = Operand::Part(part, field.name.clone());
                let made = self.operators(name, value)?.into_iter().map(|op| Filter::Made { of: of.clone(), op });
                Ok(all(made.collect()))
            }
            Some(Function::Count) => {
                let (hop, reach) = self.reader.hop(collection, path.field)?;
                if reach == Reach::One {
                    return Err(
                        Error::query(format!("`{}` isn't possible: `{}` isn't a list", clip(name), path.field)).with_field(path.field)
                    );
                }
                let of = Operand::Count(hop);
                let made = self.operators(name, value)?.into_iter().map(|op| Filter::Made { of: of.clone(), op });
                Ok(all(made.collect()))
            }
            None if path.field.contains(':') => self.related(collection, path.field, value, depth),
            None if collection.field(path.field).is_none() => {
                super::names::known(collection, self.reader.usable(collection)?, path.field)?;
                self.related(collection, path.field, value, depth)
            }
            None => self.column(collection, name, path.field, value, depth),
        }
    }

    /// A column, whose object may also hold conditions on the item that it refers to.
    fn column(&mut self, collection: &Collection, name: &str, field: &str, value: &Value, depth: Depth) -> Result<Filter> {
        let field = open_field(collection, self.reader.usable(collection)?, field)?;
        let is_own = |operator: &str| operator.starts_with('_') && !matches!(operator, "_and" | "_or");
        let leads_on = self.reader.sight.schema().link(&collection.name, &field.name).is_some();
        let (own, beyond): (Item, Item) = match value {
            Value::Object(members) if leads_on && !is_list(members) => {
                members.iter().map(|(name, value)| (name.clone(), value.clone())).partition(|(name, _)| is_own(name))
            }
            _ => {
                let operators = self.operators(name, value)?.into_iter().map(|op| Filter::field(&field.name, op));
                return Ok(all(operators.collect()));
            }
        };
        let mut parts = Vec::new();
        if !own.is_empty() || beyond.is_empty() {
            if let Some(list) = ["_some", "_none", "_has"].into_iter().find(|list| own.contains_key(*list)) {
                let message = format!("`{list}` isn't possible on `{}`: it refers to one item, not to a list", clip(name));
                return Err(Error::query(message).with_field(&field.name));
            }
            let operators = self.operators(name, &Value::Object(own))?;
            parts.extend(operators.into_iter().map(|op| Filter::field(&field.name, op)));
        }
        if !beyond.is_empty() {
            parts.push(self.related(collection, &field.name, &Value::Object(beyond), depth)?);
        }
        Ok(all(parts))
    }

    /// Conditions on what a relation leads to.
    fn related(&mut self, collection: &Collection, name: &str, value: &Value, depth: Depth) -> Result<Filter> {
        let (hop, reach) = self.reader.hop(collection, name)?;
        let members = value.as_object().ok_or_else(|| {
            let message = format!("`filter.{}` must be an object of conditions on `{}`, not: {}", clip(name), hop.to.name, show(value));
            Error::query(message).with_field(clip(name))
        })?;
        let mut bare = Item::new();
        let mut parts = Vec::new();
        for (operator, operand) in members {
            self.count(1)?;
            let exists = |inner: Filter| Filter::Some(hop.clone(), Box::new(inner));
            let any = exists(Filter::Const(true));
            let none = || Filter::Not(Box::new(exists(Filter::Const(true))));
            parts.push(match operator.as_str() {
                "_some" | "_has" if operand.is_object() => exists(self.object(&hop.to, operand, depth.beyond()?)?),
                "_none" if operand.is_object() => Filter::Not(Box::new(exists(self.object(&hop.to, operand, depth.beyond()?)?))),
                "_some" | "_none" => {
                    return Err(Error::query(format!("`filter.{}`: `{operator}` takes a filter, not: {}", clip(name), show(operand)))
                        .with_field(clip(name)));
                }
                "_has" | "_null" | "_nnull" | "_empty" | "_nempty" => {
                    // Said of a list: whether anything is in it.
                    let as_flag = if operator == "_has" { "_nnull" } else { operator.as_str() };
                    let op = operator_of(as_flag, operand).map_err(|why| {
                        let why = if operator == "_has" { "`_has` takes true, false or a filter".to_owned() } else { why };
                        Error::query(format!("`filter.{}`: {why}", clip(name))).with_field(clip(name))
                    })?;
                    if matches!(op, Op::NotNull | Op::NotEmpty) { any } else { none() }
                }
                "_and" | "_or" => {
                    bare.insert(operator.clone(), operand.clone());
                    continue;
                }
                other if other.starts_with('_') && hop.to.field(other).is_none() && hop.to.alias(other).is_none() => {
                    let message = if OPERATORS.contains(&other) {
                        let key = &hop.to.primary_key().name;
                        format!("`filter.{}`: `{other}` compares a field: name one of `{}`, say `{key}`", clip(name), hop.to.name)
                    } else {
                        let known = ["_some", "_none", "_has", "_null", "_nnull", "_and", "_or"];
                        format!("`filter.{}`: there is no operator `{}`{}", clip(name), clip(other), nearest(other, known))
                    };
                    return Err(Error::query(message).with_field(clip(name)));
                }
                _ => {
                    bare.insert(operator.clone(), operand.clone());
                    continue;
                }
            });
        }
        // Bare conditions are about one and the same item.
        if !bare.is_empty() || members.is_empty() {
            let inner = self.object(&hop.to, &Value::Object(bare), depth.beyond()?)?;
            parts.push(through(hop, reach, inner));
        }
        Ok(all(parts))
    }

    /// The comparisons that stand inside a field, or the one that a bare value means.
    fn operators(&mut self, name: &str, value: &Value) -> Result<Vec<Op>> {
        let mut ops = Vec::new();
        match value {
            Value::Object(operators) => {
                for (operator, operand) in operators {
                    let op = operator_of(operator, operand)
                        .map_err(|reason| Error::query(format!("`filter.{}`: {reason}", clip(name))).with_field(clip(name)))?;
                    ops.push(op);
                }
            }
            Value::Array(_) => {
                let message = format!("`filter.{}` must be an object of operators or a value, as in {{\"_in\": [1, 2]}}", clip(name));
                return Err(Error::query(message).with_field(clip(name)));
            }
            scalar => ops.push(equal(scalar)),
        }
        self.count(ops.len().max(1))?;
        Ok(ops)
    }

    fn count(&mut self, conditions: usize) -> Result<()> {
        self.conditions += conditions;
        if self.conditions > MAX_CONDITIONS {
            return Err(Error::query(format!(
                "`filter` has more than {MAX_CONDITIONS} conditions; `_in` takes any number of values in one"
            )));
        }
        Ok(())
    }
}

/// There is an item beyond `hop` that matches. Where that is one item at most, one that isn't there has no values, as Directus has it: it
/// matches what asks for nothing else than that.
fn through(hop: Hop, reach: Reach, inner: Filter) -> Filter {
    let missing = (reach == Reach::One && hop.tag.is_none() && asks_for_nothing(&inner))
        .then(|| Filter::Not(Box::new(Filter::Some(hop.clone(), Box::new(Filter::Const(true))))));
    let there = Filter::Some(hop, Box::new(inner));
    match missing {
        Some(missing) => Filter::Or(vec![missing, there]),
        None => there,
    }
}

/// Whether an item without any value matches because of that.
fn asks_for_nothing(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) => !parts.is_empty() && parts.iter().all(asks_for_nothing),
        Filter::Or(parts) => parts.iter().any(asks_for_nothing),
        Filter::Field { op, .. } | Filter::Made { of: Operand::Field(_) | Operand::Part(..), op } => match op {
            Op::Eq(value) => value.is_null(),
            op => matches!(op, Op::Null | Op::Empty),
        },
        // What `through` made of a step further on.
        Filter::Not(inner) => {
            matches!(&**inner, Filter::Some(hop, any) if **any == Filter::Const(true) && hop.there == hop.to.primary_key().name)
        }
        _ => false,
    }
}

fn all(mut parts: Vec<Filter>) -> Filter {
    if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) }
}

//! The plain model: collections as lists of rows in memory, and what queries mean, written down once more without any SQL.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

pub type Row = Map<String, Value>;

/// The type of a field, as far as values of it compare differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Text,
    Integer,
    Big,
    Float,
    Decimal,
    Bool,
    Uuid,
    Moment,
    /// The key of an item of the collection at this place.
    Refers(usize),
}

#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub ty: Ty,
}

/// The items of `of` whose `field` holds this item's key.
#[derive(Debug, Clone)]
pub struct List {
    pub name: String,
    pub of: usize,
    pub field: String,
}

#[derive(Debug, Clone, Default)]
pub struct Collection {
    pub name: String,
    /// The key, `id`, comes first.
    pub fields: Vec<Field>,
    pub lists: Vec<List>,
    /// In the order of their keys.
    pub rows: Vec<Row>,
}

/// What somebody may read of one collection.
#[derive(Debug, Clone)]
pub struct Right {
    pub items: Option<Filter>,
    pub fields: BTreeSet<String>,
}

/// By collection; `None` grants nothing.
pub type Rights = Vec<Option<Right>>;

#[derive(Debug, Clone)]
pub struct World {
    pub collections: Vec<Collection>,
}

/// The world as somebody sees it; without rights, all of it.
#[derive(Clone, Copy)]
pub struct Sight<'w> {
    pub world: &'w World,
    pub rights: Option<&'w Rights>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    Bare,
    Some,
    None,
}

#[derive(Debug, Clone)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    /// A value of the item itself, compared.
    Value(Made, Op),
    /// The item that a field refers to.
    One(String, usize, Box<Filter>),
    Many(List, Quantity, Box<Filter>),
    /// Whether a list has anything in it.
    Has(List, bool),
}

/// A value that a query makes of an item.
#[derive(Debug, Clone)]
pub enum Made {
    Field(Field),
    /// A part of a moment.
    Part(&'static str, String),
    Count(List),
    /// The same of the item that a field refers to.
    Beyond(String, usize, Box<Made>),
}

#[derive(Debug, Clone)]
pub struct Op {
    pub name: &'static str,
    pub operand: Value,
}

/// What is read of each item.
#[derive(Debug, Clone)]
pub enum Select {
    Star,
    Value(Made),
    Keys(List),
    One(String, usize, Level),
    Many(List, Level),
}

/// What is read, and of which items in which order.
#[derive(Debug, Clone, Default)]
pub struct Level {
    pub select: Vec<Select>,
    pub filter: Option<Filter>,
    pub search: Option<String>,
    pub sort: Vec<(Made, bool)>,
    pub limit: Option<usize>,
    pub offset: usize,
}

/// Counts and sums by group.
#[derive(Debug, Clone)]
pub struct Groups {
    pub by: Vec<Made>,
    pub wanted: Vec<(&'static str, Option<Field>)>,
    pub filter: Option<Filter>,
}

impl Made {
    pub fn ty(&self) -> Ty {
        match self {
            Self::Field(field) => field.ty,
            Self::Part(..) | Self::Count(_) => Ty::Integer,
            Self::Beyond(_, _, value) => value.ty(),
        }
    }

    /// As in `sort`, `fields` and filters.
    pub fn path(&self) -> String {
        match self {
            Self::Field(field) => field.name.clone(),
            Self::Part(part, field) => format!("{part}({field})"),
            Self::Count(list) => format!("count({})", list.name),
            Self::Beyond(field, _, value) => format!("{field}.{}", value.path()),
        }
    }

    /// As in the answer.
    pub fn key(&self) -> String {
        match self {
            Self::Part(part, field) => format!("{field}_{part}"),
            Self::Count(list) => format!("{}_count", list.name),
            other => other.path(),
        }
    }
}

/// How two values of a type compare; neither is null.
pub fn compare(ty: Ty, a: &Value, b: &Value) -> Ordering {
    let whole = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap();
    match ty {
        Ty::Integer | Ty::Big | Ty::Refers(_) => whole(a).cmp(&whole(b)),
        Ty::Float => a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()),
        Ty::Decimal => hundredths(a).cmp(&hundredths(b)),
        Ty::Bool => a.as_bool().cmp(&b.as_bool()),
        Ty::Text | Ty::Uuid | Ty::Moment => a.as_str().unwrap().cmp(b.as_str().unwrap()),
    }
}

fn hundredths(value: &Value) -> i64 {
    value.as_str().unwrap().replace('.', "").parse().unwrap()
}

/// Null is before everything upwards, and after everything downwards.
fn order(ty: Ty, a: &Value, b: &Value) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => compare(ty, a, b),
    }
}

fn fold(text: &str) -> String {
    text.chars().map(|c| if c == 'ς' { 'σ' } else { c.to_lowercase().next().unwrap() }).collect()
}

impl Op {
    pub fn holds(&self, ty: Ty, cell: &Value) -> bool {
        let equals = |value: &Value| match (cell.is_null(), value.is_null()) {
            (false, false) => compare(ty, cell, value) == Ordering::Equal,
            (a, b) => a && b,
        };
        let against = |value: &Value| (!cell.is_null()).then(|| compare(ty, cell, value));
        let flag = || self.operand == true;
        let among = || self.operand.as_array().unwrap().iter().any(equals);
        let between = || against(&self.operand[0]).is_some_and(Ordering::is_ge) && against(&self.operand[1]).is_some_and(Ordering::is_le);
        let empty = cell.is_null() || cell == "";
        match self.name {
            "_eq" => equals(&self.operand),
            "_neq" => !equals(&self.operand),
            "_lt" => against(&self.operand).is_some_and(Ordering::is_lt),
            "_lte" => against(&self.operand).is_some_and(Ordering::is_le),
            "_gt" => against(&self.operand).is_some_and(Ordering::is_gt),
            "_gte" => against(&self.operand).is_some_and(Ordering::is_ge),
            "_in" => among(),
            "_nin" => !among(),
            "_between" => between(),
            "_nbetween" => !between(),
            "_null" => cell.is_null() == flag(),
            "_nnull" => cell.is_null() != flag(),
            "_empty" => empty == flag(),
            "_nempty" => empty != flag(),
            "_regex" => cell.as_str().is_some_and(|text| regex::Regex::new(self.operand.as_str().unwrap()).unwrap().is_match(text)),
            text => self.holds_text(&text[1..], cell.as_str()),
        }
    }

    fn holds_text(&self, mut name: &str, cell: Option<&str>) -> bool {
        let negated = name.starts_with('n');
        name = name.strip_prefix('n').unwrap_or(name);
        let folded = name.starts_with('i');
        name = name.strip_prefix('i').unwrap_or(name);
        let part = self.operand.as_str().unwrap();
        let (part, cell) = if folded { (fold(part), cell.map(fold)) } else { (part.to_owned(), cell.map(str::to_owned)) };
        let found = cell.is_some_and(|cell| match name {
            "contains" => cell.contains(&part),
            "starts_with" => cell.starts_with(&part),
            "ends_with" => cell.ends_with(&part),
            other => panic!("no such operator: {other}"),
        });
        found != negated
    }

    /// Whether a value that isn't there matches because it isn't.
    fn asks_for_nothing(&self) -> bool {
        match self.name {
            "_null" | "_empty" => self.operand == true,
            "_nnull" | "_nempty" => self.operand == false,
            "_eq" => self.operand.is_null(),
            _ => false,
        }
    }
}

impl Filter {
    fn asks_for_nothing(&self) -> bool {
        match self {
            Self::And(parts) => !parts.is_empty() && parts.iter().all(Self::asks_for_nothing),
            Self::Or(parts) => parts.iter().any(Self::asks_for_nothing),
            Self::Value(Made::Count(_), _) => false,
            Self::Value(_, op) => op.asks_for_nothing(),
            Self::One(_, _, inner) => inner.asks_for_nothing(),
            Self::Many(..) | Self::Has(..) => false,
        }
    }

    /// As callers write it. `dotted` writes what leads to a value as one name.
    pub fn to_json(&self, dotted: bool) -> Value {
        let all = |parts: &[Self]| parts.iter().map(|part| part.to_json(dotted)).collect::<Vec<_>>();
        match self {
            Self::And(parts) => json!({ "_and": all(parts) }),
            Self::Or(parts) => json!({ "_or": all(parts) }),
            Self::Value(value, op) => json!({ value.path(): { op.name: op.operand } }),
            Self::One(field, _, inner) => match (&**inner, dotted) {
                (Self::Value(value, op), true) => json!({ format!("{field}.{}", value.path()): { op.name: op.operand } }),
                _ => json!({ field.clone(): inner.to_json(dotted) }),
            },
            Self::Many(list, Quantity::Bare, inner) => json!({ list.name.clone(): inner.to_json(dotted) }),
            Self::Many(list, Quantity::Some, inner) => json!({ list.name.clone(): { "_some": inner.to_json(dotted) } }),
            Self::Many(list, Quantity::None, inner) => json!({ list.name.clone(): { "_none": inner.to_json(dotted) } }),
            Self::Has(list, any) => json!({ list.name.clone(): { "_has": any } }),
        }
    }
}

impl<'w> Sight<'w> {
    pub fn collection(&self, at: usize) -> &'w Collection {
        &self.world.collections[at]
    }

    pub fn may_read(&self, at: usize) -> bool {
        self.rights.is_none_or(|rights| rights[at].is_some())
    }

    pub fn may_name(&self, at: usize, name: &str) -> bool {
        self.rights.is_none_or(|rights| rights[at].as_ref().is_some_and(|right| right.fields.contains(name)))
    }

    /// The items that are there for who looks.
    fn rows(&self, at: usize) -> impl Iterator<Item = &'w Row> {
        let everything = Sight { world: self.world, rights: None };
        let rule = self.rights.and_then(|rights| rights[at].as_ref()).and_then(|right| right.items.as_ref());
        let (sight, open) = (*self, self.may_read(at));
        sight.collection(at).rows.iter().filter(move |row| open && rule.is_none_or(|rule| everything.holds(row, rule)))
    }

    fn one(&self, to: usize, key: &Value) -> Option<&'w Row> {
        self.rows(to).find(|row| !key.is_null() && row["id"] == *key)
    }

    fn listed(&self, list: &List, row: &Row) -> Vec<&'w Row> {
        self.rows(list.of).filter(|other| other[&list.field] == row["id"]).collect()
    }

    fn value(&self, row: &Row, value: &Made) -> Value {
        match value {
            Made::Field(field) => row[&field.name].clone(),
            Made::Part(part, field) => row[field].as_str().map_or(Value::Null, |moment| {
                let place = match *part {
                    "year" => 0..4,
                    "month" => 5..7,
                    "day" => 8..10,
                    "hour" => 11..13,
                    "minute" => 14..16,
                    "second" => 17..19,
                    other => panic!("no such part: {other}"),
                };
                json!(moment[place].parse::<i64>().unwrap())
            }),
            Made::Count(list) => json!(self.listed(list, row).len()),
            Made::Beyond(field, to, value) => self.one(*to, &row[field]).map_or(Value::Null, |row| self.value(row, value)),
        }
    }

    pub fn holds(&self, row: &Row, filter: &Filter) -> bool {
        match filter {
            Filter::And(parts) => parts.iter().all(|part| self.holds(row, part)),
            Filter::Or(parts) => parts.iter().any(|part| self.holds(row, part)),
            Filter::Value(value, op) => op.holds(value.ty(), &self.value(row, value)),
            Filter::One(field, to, inner) => match self.one(*to, &row[field]) {
                Some(row) => self.holds(row, inner),
                None => inner.asks_for_nothing(),
            },
            Filter::Many(list, quantity, inner) => {
                let any = self.listed(list, row).into_iter().any(|row| self.holds(row, inner));
                any != (*quantity == Quantity::None)
            }
            Filter::Has(list, any) => self.listed(list, row).is_empty() != *any,
        }
    }

    fn is_found(&self, at: usize, row: &Row, term: &str) -> bool {
        self.collection(at).fields.iter().filter(|field| self.may_name(at, &field.name)).any(|field| {
            let cell = &row[&field.name];
            let number = || cell.as_i64().or_else(|| cell.as_str()?.parse().ok());
            match field.ty {
                Ty::Text => cell.as_str().is_some_and(|text| fold(text).contains(&fold(term))),
                Ty::Uuid => cell == term,
                Ty::Integer | Ty::Big | Ty::Refers(_) => number().is_some() && number() == term.parse::<i64>().ok(),
                _ => false,
            }
        })
    }

    /// The rows that a level of a query is about, out of those.
    pub fn select(&self, at: usize, level: &Level, of: Vec<&'w Row>) -> Vec<Value> {
        let mut rows = of;
        rows.retain(|row| level.filter.as_ref().is_none_or(|filter| self.holds(row, filter)));
        rows.retain(|row| level.search.as_ref().is_none_or(|term| self.is_found(at, row, term)));
        // Rows stand in the order of their keys, and a stable sort keeps that.
        rows.sort_by(|a, b| {
            let steps = level.sort.iter().map(|(value, down)| {
                let order = order(value.ty(), &self.value(a, value), &self.value(b, value));
                if *down { order.reverse() } else { order }
            });
            steps.fold(Ordering::Equal, Ordering::then)
        });
        let rows = rows.into_iter().skip(level.offset).take(level.limit.unwrap_or(usize::MAX));
        rows.map(|row| self.shown(at, level, row)).collect()
    }

    pub fn list(&self, at: usize, level: &Level) -> Vec<Value> {
        self.select(at, level, self.rows(at).collect())
    }

    fn shown(&self, at: usize, level: &Level, row: &Row) -> Value {
        let mut out = Row::new();
        let keys = |list: &List| Value::Array(self.listed(list, row).into_iter().map(|row| row["id"].clone()).collect());
        for select in &level.select {
            match select {
                Select::Star => {
                    for field in self.collection(at).fields.iter().filter(|field| self.may_name(at, &field.name)) {
                        out.entry(field.name.clone()).or_insert(row[&field.name].clone());
                    }
                    let lists = self.collection(at).lists.iter();
                    for list in lists.filter(|list| self.may_name(at, &list.name) && self.may_read(list.of)) {
                        out.entry(list.name.clone()).or_insert(keys(list));
                    }
                }
                Select::Value(value) => drop(out.insert(value.key(), self.value(row, value))),
                Select::Keys(list) => drop(out.insert(list.name.clone(), keys(list))),
                Select::One(field, to, level) => {
                    let found = self.one(*to, &row[field]).into_iter().collect();
                    out.insert(field.clone(), self.select(*to, level, found).pop().unwrap_or_default());
                }
                Select::Many(list, level) => {
                    out.insert(list.name.clone(), Value::Array(self.select(list.of, level, self.listed(list, row))));
                }
            }
        }
        Value::Object(out)
    }

    pub fn groups(&self, at: usize, groups: &Groups) -> Vec<Value> {
        let mut found: Vec<(Vec<Value>, Vec<&Row>)> = Vec::new();
        for row in self.rows(at).filter(|row| groups.filter.as_ref().is_none_or(|filter| self.holds(row, filter))) {
            let by: Vec<Value> = groups.by.iter().map(|value| self.value(row, value)).collect();
            match found.iter_mut().find(|(known, _)| *known == by) {
                Some((_, rows)) => rows.push(row),
                None => found.push((by, vec![row])),
            }
        }
        if groups.by.is_empty() && found.is_empty() {
            found.push((Vec::new(), Vec::new()));
        }
        found.sort_by(|(a, _), (b, _)| {
            let steps = groups.by.iter().zip(a.iter().zip(b)).map(|(value, (a, b))| order(value.ty(), a, b));
            steps.fold(Ordering::Equal, Ordering::then)
        });
        found.into_iter().map(|(by, rows)| group(groups, by, &rows)).collect()
    }
}

fn group(groups: &Groups, by: Vec<Value>, rows: &[&Row]) -> Value {
    let mut out: Row = groups.by.iter().map(Made::key).zip(by).collect();
    for (function, field) in &groups.wanted {
        let Some(field) = field else {
            out.insert((*function).to_owned(), json!(rows.len()));
            continue;
        };
        let mut values: Vec<&Value> = rows.iter().map(|row| &row[&field.name]).filter(|value| !value.is_null()).collect();
        values.sort_by(|a, b| compare(field.ty, a, b));
        let count = values.len();
        if function.ends_with("Distinct") {
            values.dedup();
        }
        let number = |value: &&Value| value.as_f64().or_else(|| value.as_str()?.parse::<f64>().ok()).unwrap();
        let sum = || values.iter().map(number).sum::<f64>();
        let made = match *function {
            "count" => json!(count),
            "countDistinct" => json!(values.len()),
            _ if values.is_empty() => Value::Null,
            "min" => values[0].clone(),
            "max" => values[values.len() - 1].clone(),
            "sum" | "sumDistinct" => json!(sum()),
            "avg" | "avgDistinct" => json!(sum() / values.len() as f64),
            other => panic!("no such aggregate: {other}"),
        };
        out.entry(*function).or_insert(json!({}))[&field.name] = made;
    }
    Value::Object(out)
}

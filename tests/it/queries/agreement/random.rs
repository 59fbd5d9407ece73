//! Random schemas, items, rights and queries, each from one number.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::model::{Collection, Field, Filter, Groups, Level, List, Made, Op, Quantity, Right, Rights, Row, Select, Sight, Ty, World};

/// SplitMix64: enough for tests, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end` - 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }
}

const TEXTS: [&str; 14] = ["", "a", "A", "b", "ab", "aB c", "Äpfel", "äPFEL", "100%", "a_b", "x\\y", "ΣΟΦΟΣ", "σοφος", "7"];
const UUIDS: [&str; 3] =
    ["00000000-0000-4000-8000-000000000001", "0a000000-0000-4000-8000-00000000000f", "f0000000-0000-4000-8000-000000000000"];
const MOMENTS: [&str; 6] = [
    "1969-12-31T23:59:59.999Z",
    "2024-02-29T00:00:00.000Z",
    "2025-01-01T08:30:00.000Z",
    "2025-12-31T23:59:59.500Z",
    "2026-01-01T00:00:00.000Z",
    "2026-01-01T08:05:07.001Z",
];
const PARTS: [&str; 6] = ["year", "month", "day", "hour", "minute", "second"];
const PATTERNS: [&str; 6] = ["^a", "[bB]$", "^.$", "[0-9]+", "(a|Ä)", "^$"];

/// A value of the type, never null.
fn value(random: &mut Random, ty: Ty) -> Value {
    match ty {
        Ty::Text => json!(*random.pick(&TEXTS)),
        Ty::Integer | Ty::Refers(_) => json!(random.below(9) as i64 - 2),
        Ty::Big => random.pick(&[json!(0), json!(-5), json!(7), json!("9007199254740993"), json!("-9007199254740993")]).clone(),
        Ty::Float => json!(*random.pick(&[-1.5, 0.0, 0.25, 2.0, 1e10])),
        Ty::Decimal => json!(*random.pick(&["-3.00", "0.00", "0.01", "2.50", "10.00", "99.99"])),
        Ty::Bool => json!(random.chance(50)),
        Ty::Uuid => json!(*random.pick(&UUIDS)),
        Ty::Moment => json!(*random.pick(&MOMENTS)),
    }
}

/// As in `type` of a field.
pub fn spec(ty: Ty) -> &'static str {
    match ty {
        Ty::Text => "string",
        Ty::Integer | Ty::Refers(_) => "integer",
        Ty::Big => "bigInteger",
        Ty::Float => "float",
        Ty::Decimal => "decimal(10,2)",
        Ty::Bool => "boolean",
        Ty::Uuid => "uuid",
        Ty::Moment => "timestamp",
    }
}

/// Two or three collections that refer to each other, and themselves; their names end with `mark`.
pub fn world(random: &mut Random, mark: usize) -> World {
    const TYPES: [Ty; 8] = [Ty::Text, Ty::Integer, Ty::Big, Ty::Float, Ty::Decimal, Ty::Bool, Ty::Uuid, Ty::Moment];
    let many = 2 + random.below(2);
    let mut collections: Vec<Collection> = (0..many)
        .map(|at| {
            let name = format!("{}{mark}", ["alpha", "beta", "gamma"][at]);
            let mut fields = vec![Field { name: "id".to_owned(), ty: Ty::Integer }, Field { name: "t".to_owned(), ty: Ty::Text }];
            fields.extend((0..1 + random.below(4)).map(|n| Field { name: format!("f{n}"), ty: *random.pick(&TYPES) }));
            Collection { name, fields, ..Collection::default() }
        })
        .collect();
    for at in 0..many {
        for n in 0..1 + random.below(2) {
            let to = random.below(many);
            let field = format!("r{n}");
            let list = List { name: format!("l{at}{n}"), of: at, field: field.clone() };
            collections[at].fields.push(Field { name: field, ty: Ty::Refers(to) });
            collections[to].lists.push(list);
        }
    }
    for at in 0..many {
        let sizes: Vec<usize> = (0..many).map(|to| if to <= at { collections[to].rows.len() } else { 0 }).collect();
        for n in 0..random.below(11) {
            let mut row = Row::from_iter([("id".to_owned(), json!(n + 1))]);
            for field in collections[at].fields[1..].iter().cloned() {
                let there = match field.ty {
                    // Only what is there already, or the rows of this very collection up to this one.
                    Ty::Refers(to) if to == at => n + 1,
                    Ty::Refers(to) => sizes[to],
                    _ => 1,
                };
                let cell = match field.ty {
                    _ if there == 0 || random.chance(20) => Value::Null,
                    Ty::Refers(_) => json!(1 + random.below(there)),
                    ty => value(random, ty),
                };
                row.insert(field.name, cell);
            }
            collections[at].rows.push(row);
        }
    }
    World { collections }
}

/// What somebody may read: the first collection always, and the key of each.
pub fn rights(random: &mut Random, world: &World) -> Rights {
    let everything = Sight { world, rights: None };
    (0..world.collections.len())
        .map(|at| {
            if at > 0 && random.chance(15) {
                return None;
            }
            let items = random.chance(60).then(|| filter(random, everything, at, 2));
            let collection = &world.collections[at];
            let names = collection.fields.iter().map(|f| &f.name).chain(collection.lists.iter().map(|l| &l.name));
            let mut fields: BTreeSet<String> = names.filter(|_| random.chance(75)).cloned().collect();
            fields.insert("id".to_owned());
            Some(Right { items, fields })
        })
        .collect()
}

fn columns(sight: Sight<'_>, at: usize) -> Vec<Field> {
    sight.collection(at).fields.iter().filter(|field| sight.may_name(at, &field.name)).cloned().collect()
}

/// Fields that lead to one item, and where to.
fn steps(sight: Sight<'_>, at: usize) -> Vec<(String, usize)> {
    let to = |field: Field| match field.ty {
        Ty::Refers(to) if sight.may_read(to) => Some((field.name, to)),
        _ => None,
    };
    columns(sight, at).into_iter().filter_map(to).collect()
}

fn lists(sight: Sight<'_>, at: usize) -> Vec<List> {
    sight.collection(at).lists.iter().filter(|list| sight.may_name(at, &list.name) && sight.may_read(list.of)).cloned().collect()
}

fn operator(random: &mut Random, ty: Ty) -> Op {
    let ordered = !matches!(ty, Ty::Bool | Ty::Uuid);
    let mut names = vec!["_eq", "_neq", "_in", "_nin", "_null", "_nnull", "_empty", "_nempty"];
    if ordered {
        names.extend(["_lt", "_lte", "_gt", "_gte", "_between", "_nbetween"]);
    }
    if ty == Ty::Text {
        names.extend(["_contains", "_ncontains", "_icontains", "_nicontains", "_starts_with", "_nstarts_with", "_istarts_with"]);
        names.extend(["_nistarts_with", "_ends_with", "_nends_with", "_iends_with", "_niends_with", "_regex"]);
    }
    let name = *random.pick(&names);
    let operand = match name {
        "_null" | "_nnull" | "_empty" | "_nempty" => json!(random.chance(75)),
        "_in" | "_nin" => {
            (0..random.below(4)).map(|_| if random.chance(10) { Value::Null } else { value(random, ty) }).collect::<Vec<_>>().into()
        }
        "_between" | "_nbetween" => json!([value(random, ty), value(random, ty)]),
        "_eq" | "_neq" if random.chance(8) => Value::Null,
        "_regex" => json!(*random.pick(&PATTERNS)),
        _ => value(random, ty),
    };
    Op { name, operand }
}

/// A value of the item itself.
fn own_value(random: &mut Random, sight: Sight<'_>, at: usize) -> Made {
    let (columns, lists) = (columns(sight, at), lists(sight, at));
    let moments: Vec<&Field> = columns.iter().filter(|field| field.ty == Ty::Moment).collect();
    if !moments.is_empty() && random.chance(25) {
        return Made::Part(random.pick::<&str>(&PARTS), random.pick(&moments).name.clone());
    }
    if !lists.is_empty() && random.chance(15) {
        return Made::Count(random.pick(&lists).clone());
    }
    Made::Field(random.pick(&columns).clone())
}

pub fn filter(random: &mut Random, sight: Sight<'_>, at: usize, depth: usize) -> Filter {
    let (steps, lists) = (steps(sight, at), lists(sight, at));
    match random.below(10) {
        0 | 1 if depth > 0 => Filter::And((0..1 + random.below(3)).map(|_| filter(random, sight, at, depth - 1)).collect()),
        2 | 3 if depth > 0 => Filter::Or((0..1 + random.below(3)).map(|_| filter(random, sight, at, depth - 1)).collect()),
        4 | 5 if depth > 0 && !steps.is_empty() => {
            let (field, to) = random.pick(&steps).clone();
            Filter::One(field, to, Box::new(filter(random, sight, to, depth - 1)))
        }
        6 | 7 if depth > 0 && !lists.is_empty() => {
            let list = random.pick(&lists).clone();
            if random.chance(20) {
                return Filter::Has(list, random.chance(50));
            }
            let quantity = *random.pick(&[Quantity::Bare, Quantity::Some, Quantity::None]);
            let inner = filter(random, sight, list.of, depth - 1);
            Filter::Many(list, quantity, Box::new(inner))
        }
        _ => {
            let value = own_value(random, sight, at);
            let op = operator(random, value.ty());
            Filter::Value(value, op)
        }
    }
}

fn sort(random: &mut Random, sight: Sight<'_>, at: usize) -> Vec<(Made, bool)> {
    let steps = steps(sight, at);
    (0..random.below(3))
        .map(|_| {
            let value = if !steps.is_empty() && random.chance(30) {
                let (field, to) = random.pick(&steps).clone();
                Made::Beyond(field, to, Box::new(own_value(random, sight, to)))
            } else {
                own_value(random, sight, at)
            };
            (value, random.chance(50))
        })
        .collect()
}

/// A read of items. Lists in lists go down to `depth`; `single` has neither order nor window.
pub fn level(random: &mut Random, sight: Sight<'_>, at: usize, depth: usize, single: bool) -> Level {
    let mut select = Vec::new();
    let mut named = BTreeSet::new();
    if random.chance(30) {
        select.push(Select::Star);
    }
    for (field, to) in steps(sight, at) {
        if depth > 0 && random.chance(40) {
            named.insert(field.clone());
            select.push(Select::One(field, to, level(random, sight, to, depth - 1, true)));
        }
    }
    for list in lists(sight, at) {
        if depth > 0 && random.chance(40) {
            named.insert(list.name.clone());
            let below = level(random, sight, list.of, depth - 1, false);
            select.push(Select::Many(list, below));
        } else if random.chance(15) {
            named.insert(list.name.clone());
            select.push(Select::Keys(list));
        }
    }
    for _ in 0..1 + random.below(4) {
        let value = own_value(random, sight, at);
        if named.insert(value.key()) {
            select.push(Select::Value(value));
        }
    }
    if select.is_empty() {
        select.push(Select::Star);
    }
    let mut level = Level { select, ..Level::default() };
    level.filter = random.chance(if depth == 2 { 80 } else { 40 }).then(|| filter(random, sight, at, 3));
    level.search = random.chance(12).then(|| (*random.pick(&["a", "äP", "Σ", "7", "1", "100%", "-2", UUIDS[1]])).to_owned());
    if !single {
        level.sort = sort(random, sight, at);
        level.limit = random.chance(40).then(|| 1 + random.below(4));
        level.offset = if level.limit.is_some() && random.chance(40) { random.below(4) } else { 0 };
    }
    level
}

pub fn groups(random: &mut Random, sight: Sight<'_>, at: usize) -> Groups {
    let columns = columns(sight, at);
    let mut groups = Groups { by: Vec::new(), wanted: Vec::new(), filter: random.chance(50).then(|| filter(random, sight, at, 2)) };
    for _ in 0..random.below(3) {
        let value = own_value(random, sight, at);
        let fits = !matches!(value, Made::Count(_)) && value.ty() != Ty::Float;
        if fits && !groups.by.iter().any(|known| known.key() == value.key()) {
            groups.by.push(value);
        }
    }
    let names = ["count", "countDistinct", "sum", "sumDistinct", "avg", "avgDistinct", "min", "max"];
    for name in names.into_iter().filter(|_| random.chance(35)).collect::<Vec<_>>() {
        let fits = |field: &&Field| match name {
            "count" | "countDistinct" => true,
            "min" | "max" => !matches!(field.ty, Ty::Bool | Ty::Uuid),
            // Sums of big numbers depend on their order: doubles lose digits there.
            _ => matches!(field.ty, Ty::Integer | Ty::Float | Ty::Decimal | Ty::Refers(_)),
        };
        let fitting: Vec<&Field> = columns.iter().filter(fits).collect();
        if !fitting.is_empty() {
            groups.wanted.push((name, Some((*random.pick(&fitting)).clone())));
        }
    }
    if groups.wanted.is_empty() {
        groups.wanted.push((*random.pick(&["count", "countAll"]), None));
    }
    groups
}

/// Values for a change of items: any field but the key.
pub fn changes(random: &mut Random, world: &World, at: usize) -> Row {
    let mut changes = Map::new();
    for field in world.collections[at].fields[1..].iter().filter(|_| random.chance(40)).collect::<Vec<_>>() {
        let keys: Vec<&Value> = match field.ty {
            Ty::Refers(to) => world.collections[to].rows.iter().map(|row| &row["id"]).collect(),
            _ => Vec::new(),
        };
        let cell = match field.ty {
            _ if random.chance(20) => Value::Null,
            Ty::Refers(_) if keys.is_empty() => Value::Null,
            Ty::Refers(_) => (*random.pick(&keys)).clone(),
            ty => value(random, ty),
        };
        changes.insert(field.name.clone(), cell);
    }
    changes
}

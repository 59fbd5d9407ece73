//! Queries and changes of items → statements, with the same meaning on both databases.
//!
//! The one place that knows how each operator is written in each dialect. Values are always parameters; names come from the schema and
//! are quoted. Called by the services, with filters that they have parsed and permissions have been added to.

use sea_query::{
    Alias, ArrayType, BinOper, Cond, DeleteStatement, Expr, ExprTrait, Func, InsertStatement, LockBehavior, LockType, NullOrdering, Order,
    Query as Build, SelectStatement, UpdateStatement, Value as Bind,
};
use serde_json::{Map, Value};

use super::query::{Filter, Op, Query, TextMatch, TextPlace};
use super::{Collection, Dialect, Field, FieldType, Special, Sql, fold, pattern};
use crate::error::{Error, ErrorCode, Result};

/// Comparisons in one filter at most: SQLite nests expressions no deeper than 1000.
const CONDITIONS: usize = 500;

/// The statement that reads `fields` of the rows that `query` selects.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there, can't be sorted by or can't be compared so.
pub fn select(dialect: Dialect, collection: &Collection, fields: &[&str], query: &Query) -> Result<SelectStatement> {
    let mut statement = Build::select();
    for name in fields {
        statement.column(column_ref(collection, collection.known_field(name, ErrorCode::InvalidQuery)?));
    }
    narrow(&mut statement, dialect, collection, query)?;
    let mut keyed = false;
    for sort in &query.sort {
        let field = collection.known_field(&sort.field, ErrorCode::InvalidQuery)?;
        if field.ty == FieldType::Json {
            return Err(Error::query(format!("`{}` can't be sorted by: its type is json", field.name)).with_field(&field.name));
        }
        order(&mut statement, dialect, collection, field, sort.descending);
        keyed |= field.name == collection.primary_key().name;
    }
    if !keyed {
        order(&mut statement, dialect, collection, collection.primary_key(), false);
    }
    if let Some(limit) = query.limit {
        statement.limit(limit);
    } else if query.offset > 0 {
        // SQLite takes no offset without a limit.
        statement.limit(i64::MAX.unsigned_abs());
    }
    if query.offset > 0 {
        statement.offset(query.offset);
    }
    Ok(statement)
}

/// What a read does with the rows that it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    None,
    /// Keeps them from others until the transaction ends; waits for those that others keep.
    Wait,
    /// The same, but leaves out those that others keep.
    Skip,
}

/// As [`select`], with locks. On SQLite the transaction itself is the lock: it has the one writer.
///
/// # Errors
/// As [`select`].
pub fn select_locked(dialect: Dialect, collection: &Collection, fields: &[&str], query: &Query, lock: Lock) -> Result<Sql> {
    let mut statement = select(dialect, collection, fields, query)?;
    match (dialect, lock) {
        (Dialect::Sqlite, _) | (_, Lock::None) => {}
        (Dialect::Postgres, Lock::Wait) => {
            statement.lock(LockType::Update);
        }
        (Dialect::Postgres, Lock::Skip) => {
            statement.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that counts the rows that `query` selects, whatever its limit; one column, a bigInteger.
///
/// # Errors
/// As [`select`].
pub fn count(dialect: Dialect, collection: &Collection, query: &Query) -> Result<SelectStatement> {
    let mut statement = Build::select();
    statement.expr(Expr::cust("count(*)"));
    narrow(&mut statement, dialect, collection, query)?;
    Ok(statement)
}

/// The statement that reads the primary keys of the rows that `query` selects.
///
/// # Errors
/// As [`select`].
pub fn keys(dialect: Dialect, collection: &Collection, query: &Query) -> Result<SelectStatement> {
    select(dialect, collection, &[&collection.primary_key().name], query)
}

/// The types of `fields`, to read a [`select`] with.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there.
pub fn types(collection: &Collection, fields: &[&str]) -> Result<Vec<FieldType>> {
    fields.iter().map(|name| Ok(collection.known_field(name, ErrorCode::InvalidQuery)?.ty)).collect()
}

/// The statement that makes an item and answers `returning` of it. Fields that `row` doesn't name get their default.
///
/// # Errors
/// `InvalidPayload` for a field that isn't there or a value that doesn't fit.
pub fn insert(dialect: Dialect, collection: &Collection, row: &Map<String, Value>, returning: &[&str]) -> Result<Sql> {
    let mut statement = InsertStatement::new();
    statement.into_table(table(collection));
    let mut columns = Vec::with_capacity(row.len());
    let mut values = Vec::with_capacity(row.len());
    for (name, value) in row {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        columns.push(Alias::new(&field.name));
        values.push(Expr::val(written(dialect, field, value)?));
    }
    if columns.is_empty() {
        statement.or_default_values();
    } else {
        statement.columns(columns).values(values).map_err(|e| Error::internal(format!("an insert can't be built: {e}")))?;
    }
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that changes the items with these keys, as far as `rule` is true for them, and answers `returning` of those changed.
///
/// # Errors
/// `InvalidPayload` for a field that isn't there or a value that doesn't fit, `InvalidId` for a key that can't be one.
pub fn update_by_keys(
    dialect: Dialect,
    collection: &Collection,
    keys: &[Value],
    rule: Option<&Filter>,
    changes: &Map<String, Value>,
    returning: &[&str],
) -> Result<Sql> {
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    if changes.is_empty() {
        // Nothing to change: answer the rows as they are.
        let key = Alias::new(&collection.primary_key().name);
        statement.value(key.clone(), Expr::col(key));
    }
    statement.cond_where(addressed(dialect, collection, keys, rule)?);
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that deletes the items with these keys, as far as `rule` is true for them, and answers `returning` of those deleted.
///
/// # Errors
/// `InvalidId` for a key that can't be one.
pub fn delete_by_keys(dialect: Dialect, collection: &Collection, keys: &[Value], rule: Option<&Filter>, returning: &[&str]) -> Result<Sql> {
    let mut statement = DeleteStatement::new();
    statement.from_table(table(collection));
    statement.cond_where(addressed(dialect, collection, keys, rule)?);
    if !returning.is_empty() {
        statement.returning(returned(collection, returning)?);
    }
    Ok(Sql::build(dialect, &statement))
}

/// The statement that changes the rows for which `filter` is true.
///
/// # Errors
/// As [`select`]; `InvalidPayload` for a value that doesn't fit.
pub fn update_where(dialect: Dialect, collection: &Collection, filter: &Filter, changes: &Map<String, Value>) -> Result<Sql> {
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    statement.cond_where(Cond::all().add(condition(dialect, collection, filter)?));
    Ok(Sql::build(dialect, &statement))
}

/// The statement that adds `runs` of `millis` together to a row that counts runs and keeps their mean, and sets `changes`.
///
/// The sums are made by the database, so that hosts which count the same row don't overwrite each other.
///
/// # Errors
/// As [`update_by_keys`].
pub fn count_runs(
    dialect: Dialect,
    collection: &Collection,
    key: &Value,
    runs: u64,
    millis: f64,
    changes: &Map<String, Value>,
) -> Result<Sql> {
    const COUNT: &str = "execution_count";
    const MEAN: &str = "avg_execution_time_ms";
    let mut statement = UpdateStatement::new();
    statement.table(table(collection));
    for (name, value) in changes {
        let field = collection.known_field(name, ErrorCode::InvalidPayload)?;
        statement.value(Alias::new(&field.name), Expr::val(written(dialect, field, value)?));
    }
    if runs > 0 {
        let double = if dialect == Dialect::Sqlite { "real" } else { "double precision" };
        let before = || Expr::col(COUNT).cast_as(double);
        let mean = Expr::col(MEAN).mul(before()).add(millis).div(before().add(runs as f64));
        statement.value(MEAN, mean).value(COUNT, Expr::col(COUNT).add(i64::try_from(runs).unwrap_or(i64::MAX)));
    }
    statement.cond_where(addressed(dialect, collection, std::slice::from_ref(key), None)?);
    Ok(Sql::build(dialect, &statement))
}

/// The statement that deletes the rows for which `filter` is true.
///
/// # Errors
/// As [`select`].
pub fn delete_where(dialect: Dialect, collection: &Collection, filter: &Filter) -> Result<Sql> {
    let mut statement = DeleteStatement::new();
    statement.from_table(table(collection)).cond_where(Cond::all().add(condition(dialect, collection, filter)?));
    Ok(Sql::build(dialect, &statement))
}

/// A filter as an expression that is true or not true for a row.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there, a value that doesn't fit it, an operator that it doesn't have.
pub fn condition(dialect: Dialect, collection: &Collection, filter: &Filter) -> Result<Expr> {
    let mut left = CONDITIONS;
    Conditions { dialect, collection }.filter(filter, &mut left)
}

fn table(collection: &Collection) -> Alias {
    Alias::new(&collection.name)
}

fn column_ref(collection: &Collection, field: &Field) -> (Alias, Alias) {
    (table(collection), Alias::new(&field.name))
}

pub(super) fn narrow(statement: &mut SelectStatement, dialect: Dialect, collection: &Collection, query: &Query) -> Result<()> {
    statement.from(table(collection));
    if let Some(filter) = &query.filter {
        statement.and_where(condition(dialect, collection, filter)?);
    }
    if let Some(term) = query.search.as_deref().filter(|t| !t.is_empty()) {
        statement.and_where(condition(dialect, collection, &search(dialect, collection, term, query.search_fields.as_deref()))?);
    }
    Ok(())
}

pub(super) fn order(statement: &mut SelectStatement, dialect: Dialect, collection: &Collection, field: &Field, descending: bool) {
    let order = if descending { Order::Desc } else { Order::Asc };
    let column = Expr::col(column_ref(collection, field));
    // SQLite sorts NULL lowest by itself.
    if dialect == Dialect::Postgres && field.nullable {
        let nulls = if descending { NullOrdering::Last } else { NullOrdering::First };
        statement.order_by_expr_with_nulls(column, order, nulls);
    } else {
        statement.order_by_expr(column, order);
    }
}

fn returned(collection: &Collection, fields: &[&str]) -> Result<sea_query::ReturningClause> {
    let known = fields.iter().map(|name| Ok(Alias::new(&collection.known_field(name, ErrorCode::InvalidQuery)?.name)));
    Ok(Build::returning().columns(known.collect::<Result<Vec<_>>>()?))
}

fn written(dialect: Dialect, field: &Field, value: &Value) -> Result<Bind> {
    field.encode(dialect, value).map_err(|what| Error::payload(format!("`{}` {what}", field.name)).with_field(&field.name))
}

fn addressed(dialect: Dialect, collection: &Collection, keys: &[Value], rule: Option<&Filter>) -> Result<Cond> {
    let key = collection.primary_key();
    let conditions = Conditions { dialect, collection };
    let column = || Expr::col(column_ref(collection, key));
    let bind = |value| {
        key.encode(dialect, value).map_err(|what| Error::new(ErrorCode::InvalidId, format!("`{}` {what}", key.name)).with_field(&key.name))
    };
    // One key, the usual case, is a plain comparison.
    let among = match keys {
        [one] => column().eq(Expr::val(bind(one)?)),
        many => conditions.any_of(key, many.iter().map(bind).collect::<Result<_>>()?),
    };
    let mut all = Cond::all().add(among);
    if let Some(rule) = rule {
        all = all.add(condition(dialect, collection, rule)?);
    }
    Ok(all)
}

/// What `search` means: folded text in a text field, an exact match where the term can be a value of the type. Fields that are masked
/// when read are not looked at.
fn search(dialect: Dialect, collection: &Collection, term: &str, among: Option<&[String]>) -> Filter {
    let open = collection.fields.iter().filter(|f| !f.is(Special::Conceal) && !f.is(Special::Hash));
    let open = open.filter(|f| among.is_none_or(|names| names.contains(&f.name)));
    let parts = open.filter_map(|field| {
        let op = match field.ty {
            FieldType::String | FieldType::Text if !term.contains('\0') => {
                Op::Text(TextMatch { text: term.to_owned(), place: TextPlace::Anywhere, fold: true, negate: false })
            }
            FieldType::Uuid | FieldType::Integer | FieldType::BigInteger => {
                let value = Value::from(term.trim());
                field.ty.encode(dialect, &value).ok()?;
                Op::Eq(value)
            }
            _ => return None,
        };
        Some(Filter::field(&field.name, op))
    });
    Filter::Or(parts.collect())
}

struct Conditions<'a> {
    dialect: Dialect,
    collection: &'a Collection,
}

impl Conditions<'_> {
    fn filter(&self, filter: &Filter, left: &mut usize) -> Result<Expr> {
        *left = left.checked_sub(1).ok_or_else(|| Error::query(format!("A filter can have at most {CONDITIONS} conditions")))?;
        match filter {
            Filter::And(parts) => self.join(parts, BinOper::And, true, left),
            Filter::Or(parts) => self.join(parts, BinOper::Or, false, left),
            Filter::Not(inner) => Ok(untrue(self.filter(inner, left)?)),
            Filter::Const(value) => Ok(constant(*value)),
            Filter::Field { field, op } => {
                let field = self.collection.known_field(field, ErrorCode::InvalidQuery)?;
                self.compare(field, op)
            }
        }
    }

    fn join(&self, parts: &[Filter], by: BinOper, empty: bool, left: &mut usize) -> Result<Expr> {
        let mut parts = parts.iter();
        let Some(first) = parts.next() else {
            return Ok(constant(empty));
        };
        let mut all = self.filter(first, left)?;
        for part in parts {
            all = all.binary(by, self.filter(part, left)?);
        }
        Ok(all)
    }

    fn compare(&self, field: &Field, op: &Op) -> Result<Expr> {
        let column = || Expr::col(column_ref(self.collection, field));
        let refuse = |what: &str| Error::query(format!("`{}` of `{}` {what}", op.name(), field.name)).with_field(&field.name);
        let json = field.ty == FieldType::Json;
        if json && !matches!(op, Op::Null | Op::NotNull | Op::Empty | Op::NotEmpty) {
            return Err(refuse("isn't possible: a json field can only be tested with _null, _nnull, _empty and _nempty"));
        }
        if field.ty == FieldType::Binary && !matches!(op, Op::Null | Op::NotNull | Op::Empty | Op::NotEmpty | Op::Eq(_) | Op::Neq(_)) {
            return Err(refuse("isn't possible: bytes can only be tested with _eq, _neq, _null, _nnull, _empty and _nempty"));
        }
        if matches!(op, Op::Text(_) | Op::Regex(_)) && !field.ty.holds_text() {
            return Err(refuse(&format!("isn't possible: its type is {}, not string or text", field.ty.name())));
        }
        if field.ty == FieldType::Uuid
            && matches!(op, Op::Lt(_) | Op::Lte(_) | Op::Gt(_) | Op::Gte(_) | Op::Between(..) | Op::NotBetween(..))
        {
            return Err(refuse("isn't possible: uuids have no order"));
        }
        // A value longer than the field's limit is no mistake here: nothing equals it.
        let bind = |value: &Value| field.ty.encode(self.dialect, value).map_err(|what| refuse(&what));
        let valued = |value: &Value| {
            if value.is_null() { Err(refuse("needs a value")) } else { Ok(Expr::val(bind(value)?)) }
        };
        // The negation of a comparison takes NULL along.
        let or_null = |negated: Expr| if field.nullable { negated.or(column().is_null()) } else { negated };
        Ok(match op {
            Op::Null | Op::Eq(Value::Null) => column().is_null(),
            Op::NotNull | Op::Neq(Value::Null) => column().is_not_null(),
            Op::Eq(value) => column().eq(valued(value)?),
            Op::Neq(value) => or_null(column().ne(valued(value)?)),
            Op::Lt(value) => column().lt(valued(value)?),
            Op::Lte(value) => column().lte(valued(value)?),
            Op::Gt(value) => column().gt(valued(value)?),
            Op::Gte(value) => column().gte(valued(value)?),
            Op::Between(from, to) => column().gte(valued(from)?).and(column().lte(valued(to)?)),
            Op::NotBetween(from, to) => or_null(column().lt(valued(from)?).or(column().gt(valued(to)?))),
            Op::In(values) | Op::Nin(values) => {
                let given = values.iter().filter(|v| !v.is_null()).map(bind).collect::<Result<Vec<_>>>()?;
                let with_null = given.len() < values.len();
                let mut among = self.any_of(field, given);
                if with_null {
                    among = among.or(column().is_null());
                }
                if matches!(op, Op::In(_)) { among } else { untrue(among) }
            }
            Op::Empty => self.empty(field, column()),
            Op::NotEmpty => untrue(self.empty(field, column())),
            Op::Text(wanted) => {
                let found = self.text(column(), wanted, &refuse)?;
                if wanted.negate { untrue(found) } else { found }
            }
            Op::Regex(text) => {
                let pattern = pattern::translate(text).map_err(|what| refuse(&what))?;
                match self.dialect {
                    Dialect::Sqlite => Func::cust("trellis_regexp").arg(pattern.rust).arg(column()).into(),
                    Dialect::Postgres => column().binary(BinOper::Custom("~"), Expr::val(pattern.postgres)),
                }
            }
        })
    }

    /// Equal to one of many, as one parameter.
    fn any_of(&self, field: &Field, values: Vec<Bind>) -> Expr {
        let column = Expr::col(column_ref(self.collection, field));
        if values.is_empty() {
            return constant(false);
        }
        match self.dialect {
            Dialect::Sqlite => {
                let list: Vec<Value> = values.into_iter().map(plain).collect();
                Expr::cust_with_exprs("? IN (SELECT value FROM json_each(?))", [column, Expr::val(Value::Array(list).to_string())])
            }
            Dialect::Postgres => {
                Expr::cust_with_exprs("$1 = ANY($2)", [column, Expr::val(Bind::Array(array_type(field.ty), Some(Box::new(values))))])
            }
        }
    }

    fn empty(&self, field: &Field, column: Expr) -> Expr {
        let null = column.clone().is_null();
        if field.ty.holds_text() {
            null.or(column.eq(""))
        } else if field.ty == FieldType::Json {
            let text = if self.dialect == Dialect::Postgres { column.cast_as("text") } else { column };
            null.or(text.is_in(["\"\"", "[]", "{}"]))
        } else {
            null
        }
    }

    /// No LIKE: its wildcards and its idea of case differ between the two.
    fn text(&self, column: Expr, wanted: &TextMatch, refuse: &impl Fn(&str) -> Error) -> Result<Expr> {
        if wanted.text.contains('\0') {
            return Err(refuse("must not contain the character U+0000"));
        }
        if wanted.text.is_empty() {
            return Ok(column.is_not_null());
        }
        let (column, text) =
            if wanted.fold { (Func::cust("trellis_fold").arg(column).into(), fold(&wanted.text)) } else { (column, wanted.text.clone()) };
        let length = i32::try_from(text.chars().count()).map_err(|_| refuse("is too long"))?;
        let call = |name: &'static str, args: Vec<Expr>| -> Expr { Func::cust(name).args(args).into() };
        let needle = Expr::val(text);
        Ok(match (self.dialect, wanted.place) {
            (Dialect::Sqlite, TextPlace::Anywhere) => call("instr", vec![column, needle]).gt(0),
            (Dialect::Sqlite, TextPlace::Start) => call("substr", vec![column, 1.into(), length.into()]).eq(needle),
            (Dialect::Sqlite, TextPlace::End) => call("substr", vec![column, (-length).into()]).eq(needle),
            (Dialect::Postgres, TextPlace::Anywhere) => call("strpos", vec![column, needle]).gt(0),
            (Dialect::Postgres, TextPlace::Start) => call("starts_with", vec![column, needle]),
            (Dialect::Postgres, TextPlace::End) => call("right", vec![column, length.into()]).eq(needle),
        })
    }
}

fn constant(value: bool) -> Expr {
    Expr::cust(if value { "1 = 1" } else { "1 = 0" })
}

/// True for false and for unknown.
fn untrue(expr: Expr) -> Expr {
    expr.binary(BinOper::IsNot, Expr::custom_keyword("TRUE"))
}

/// A bound value of SQLite as JSON, to travel in a list.
fn plain(value: Bind) -> Value {
    match value {
        Bind::Bool(Some(v)) => Value::from(i64::from(v)),
        Bind::Int(Some(v)) => Value::from(v),
        Bind::BigInt(Some(v)) => Value::from(v),
        Bind::Double(Some(v)) => Value::from(v),
        Bind::String(Some(v)) => Value::from(v),
        _ => Value::Null,
    }
}

fn array_type(ty: FieldType) -> ArrayType {
    match ty {
        FieldType::String | FieldType::Text | FieldType::Json | FieldType::Csv | FieldType::Hash => ArrayType::String,
        FieldType::Integer => ArrayType::Int,
        FieldType::BigInteger => ArrayType::BigInt,
        FieldType::Float => ArrayType::Double,
        FieldType::Decimal { .. } => ArrayType::BigDecimal,
        FieldType::Boolean => ArrayType::Bool,
        FieldType::Uuid => ArrayType::Uuid,
        FieldType::DateTime => ArrayType::ChronoDateTime,
        FieldType::Timestamp => ArrayType::ChronoDateTimeUtc,
        FieldType::Date => ArrayType::ChronoDate,
        FieldType::Time => ArrayType::ChronoTime,
        FieldType::Binary => ArrayType::Bytes,
    }
}

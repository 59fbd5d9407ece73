//! Filters → SQL expressions that are true or not true for a row, with the same meaning on both databases.
//!
//! The one place that knows how each operator, each step through a relation and each function is written in each dialect. A step becomes an
//! EXISTS over the other table under a name of its own; `daas_` is reserved, so that no collection can have that name. Used by `sql.rs`
//! and its neighbours, which build the statements around.

use std::cell::Cell;

use sea_query::{Alias, ArrayType, BinOper, Expr, ExprTrait, Func, Query as Build, SelectStatement, Value as Bind};
use serde_json::Value;

use super::query::{DatePart, Filter, Hop, Op, Operand, TextMatch, TextPlace};
use super::{Collection, Dialect, Field, FieldType, Special, fold, pattern};
use crate::error::{Error, ErrorCode, Result};

/// Conditions of one filter at most, with the rules of permissions in it: SQLite nests expressions no deeper than 1000.
const CONDITIONS: usize = 800;

/// A filter as an expression that is true or not true for a row.
///
/// # Errors
/// `InvalidQuery` for a field that isn't there, a value that doesn't fit it, an operator that it doesn't have.
pub fn condition(dialect: Dialect, collection: &Collection, filter: &Filter) -> Result<Expr> {
    Site::top(dialect, collection, &Cell::new(0)).condition(filter)
}

/// What `search` means: folded text in a text field, an exact match where the term can be a value of the type. Fields that are masked
/// when read are not looked at.
pub(super) fn search(dialect: Dialect, collection: &Collection, term: &str, among: Option<&[String]>) -> Filter {
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

/// A table in a statement, under the name that its columns go by there.
pub(super) struct Site<'a> {
    dialect: Dialect,
    collection: &'a Collection,
    name: Alias,
    /// How many tables of the statement have got a name.
    named: &'a Cell<u32>,
}

/// A value of a row in SQL, with what is known about it.
struct Made<'a> {
    expr: Expr,
    ty: FieldType,
    nullable: bool,
    /// The field that is told to the caller.
    name: &'a str,
}

impl<'a> Site<'a> {
    /// The table that the statement is about, under its own name.
    pub(super) fn top(dialect: Dialect, collection: &'a Collection, named: &'a Cell<u32>) -> Self {
        Self { dialect, collection, name: Alias::new(&collection.name), named }
    }

    /// Where a step leads to.
    fn beyond(&self, hop: &'a Hop) -> Self {
        self.named.set(self.named.get() + 1);
        let name = Alias::new(format!("daas_{}", self.named.get()));
        Self { dialect: self.dialect, collection: &hop.to, name, named: self.named }
    }

    pub(super) fn column(&self, field: &Field) -> Expr {
        Expr::col((self.name.clone(), Alias::new(&field.name)))
    }

    pub(super) fn condition(&self, filter: &'a Filter) -> Result<Expr> {
        let mut left = CONDITIONS;
        self.filter(filter, &mut left)
    }

    /// The value as an expression.
    pub(super) fn value(&self, of: &'a Operand) -> Result<Expr> {
        Ok(self.made(of)?.expr)
    }

    /// The value at the end of a path of steps to one item each; NULL where one of them leads nowhere.
    pub(super) fn value_beyond(&self, path: &'a [Hop], of: &'a Operand) -> Result<Expr> {
        let Some((hop, rest)) = path.split_first() else { return self.value(of) };
        let there = self.beyond(hop);
        let mut statement = self.step(hop, &there)?;
        statement.expr(there.value_beyond(rest, of)?);
        Ok(Expr::SubQuery(None, Box::new(statement.into())))
    }

    fn known(&self, name: &str) -> Result<&'a Field> {
        self.collection.known_field(name, ErrorCode::InvalidQuery)
    }

    fn made(&self, of: &'a Operand) -> Result<Made<'a>> {
        Ok(match of {
            Operand::Field(name) => {
                let field = self.known(name)?;
                Made { expr: self.column(field), ty: field.ty, nullable: field.nullable, name: &field.name }
            }
            Operand::Part(part, name) => {
                let field = self.known(name)?;
                if !part.fits(field.ty) {
                    let message = format!("`{}` isn't possible on `{name}`: its type is {}", part.name(), field.ty.name());
                    return Err(Error::query(message).with_field(name));
                }
                let expr = date_part(self.dialect, *part, field.ty, self.column(field));
                Made { expr, ty: FieldType::Integer, nullable: field.nullable, name: &field.name }
            }
            Operand::Count(hop) => {
                let there = self.beyond(hop);
                let mut statement = self.step(hop, &there)?;
                statement.expr(Expr::cust("count(*)"));
                let expr = Expr::SubQuery(None, Box::new(statement.into()));
                Made { expr, ty: FieldType::BigInteger, nullable: false, name: &hop.there }
            }
        })
    }

    /// FROM and WHERE of a step: what it leads to, as far as the caller may see it.
    fn step(&self, hop: &'a Hop, there: &Site<'a>) -> Result<SelectStatement> {
        let mut statement = Build::select();
        statement.from_as(Alias::new(&hop.to.name), there.name.clone());
        let (here, beyond) = (self.known(&hop.here)?, there.known(&hop.there)?);
        statement.and_where(refers(self.dialect, (self.column(here), here.ty), (there.column(beyond), beyond.ty)));
        if let Some(tag) = &hop.tag {
            statement.and_where(self.column(self.known(tag)?).eq(hop.to.name.as_str()));
        }
        if let Some(rule) = &hop.rule {
            statement.and_where(there.condition(rule)?);
        }
        Ok(statement)
    }

    fn filter(&self, filter: &'a Filter, left: &mut usize) -> Result<Expr> {
        *left = left.checked_sub(1).ok_or_else(|| Error::query(format!("A filter can have at most {CONDITIONS} conditions")))?;
        match filter {
            Filter::And(parts) => self.join(parts, BinOper::And, true, left),
            Filter::Or(parts) => self.join(parts, BinOper::Or, false, left),
            Filter::Not(inner) => Ok(untrue(self.filter(inner, left)?)),
            Filter::Const(value) => Ok(constant(*value)),
            Filter::Field { field, op } => {
                let field = self.known(field)?;
                self.compare(&Made { expr: self.column(field), ty: field.ty, nullable: field.nullable, name: &field.name }, op)
            }
            Filter::Made { of, op } => self.compare(&self.made(of)?, op),
            Filter::Some(hop, inner) => {
                let there = self.beyond(hop);
                let mut statement = self.step(hop, &there)?;
                statement.expr(Expr::cust("1")).and_where(there.filter(inner, left)?);
                if self.dialect == Dialect::Sqlite {
                    // SQLite 3.51 makes a join of an EXISTS without a limit, and then OFFSET counts each row that is joined.
                    statement.limit(1);
                }
                Ok(Expr::exists(statement))
            }
        }
    }

    fn join(&self, parts: &'a [Filter], by: BinOper, empty: bool, left: &mut usize) -> Result<Expr> {
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

    fn compare(&self, field: &Made<'_>, op: &Op) -> Result<Expr> {
        let column = || field.expr.clone();
        let refuse = |what: &str| Error::query(format!("`{}` of `{}` {what}", op.name(), field.name)).with_field(field.name);
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
                let mut among = self.any_of(column(), field.ty, given);
                if with_null {
                    among = among.or(column().is_null());
                }
                if matches!(op, Op::In(_)) { among } else { untrue(among) }
            }
            Op::Empty => self.empty(field.ty, column()),
            Op::NotEmpty => untrue(self.empty(field.ty, column())),
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
    pub(super) fn any_of(&self, column: Expr, ty: FieldType, values: Vec<Bind>) -> Expr {
        if values.is_empty() {
            return constant(false);
        }
        match self.dialect {
            Dialect::Sqlite => {
                let list: Vec<Value> = values.into_iter().map(plain).collect();
                Expr::cust_with_exprs("? IN (SELECT value FROM json_each(?))", [column, Expr::val(Value::Array(list).to_string())])
            }
            Dialect::Postgres => {
                Expr::cust_with_exprs("$1 = ANY($2)", [column, Expr::val(Bind::Array(array_type(ty), Some(Box::new(values))))])
            }
        }
    }

    fn empty(&self, ty: FieldType, column: Expr) -> Expr {
        let null = column.clone().is_null();
        if ty.holds_text() {
            null.or(column.eq(""))
        } else if ty == FieldType::Json {
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

/// Whether a reference and a key are the same value. A field that refers to several collections holds their keys as text; each is turned
/// into the key's type, so that the key's index can be used, and what can't be one is nobody's key.
fn refers(dialect: Dialect, (here, ty): (Expr, FieldType), (key, key_ty): (Expr, FieldType)) -> Expr {
    /// Spelled as the databases spell a number of at most 18 digits.
    const WHOLE: &str = "^(0|-?[1-9][0-9]{0,17})$";
    const UUID: &str = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$";
    let typed = |pattern: &str, to: &str| {
        Expr::cust_with_exprs(format!("CASE WHEN $1 ~ $2 THEN CAST($3 AS {to}) END"), [here.clone(), Expr::val(pattern), here.clone()])
    };
    match (dialect, ty.is_text(), key_ty) {
        (Dialect::Sqlite, true, FieldType::Integer | FieldType::BigInteger) => {
            key.clone().eq(here.clone().cast_as("integer")).and(here.eq(key.cast_as("text")))
        }
        (Dialect::Postgres, true, FieldType::Integer | FieldType::BigInteger) => key.eq(typed(WHOLE, "bigint")),
        (Dialect::Postgres, true, FieldType::Uuid) => key.eq(typed(UUID, "uuid")),
        _ => key.eq(here),
    }
}

/// A part of a date, in UTC.
fn date_part(dialect: Dialect, part: DatePart, ty: FieldType, column: Expr) -> Expr {
    let (sqlite, postgres) = match part {
        DatePart::Year => ("%Y", "YEAR"),
        DatePart::Month => ("%m", "MONTH"),
        DatePart::Week => ("%V", "WEEK"),
        DatePart::Day => ("%d", "DAY"),
        DatePart::Weekday => ("%w", "DOW"),
        DatePart::Hour => ("%H", "HOUR"),
        DatePart::Minute => ("%M", "MINUTE"),
        DatePart::Second => ("%S", "SECOND"),
    };
    match dialect {
        Dialect::Sqlite => Expr::cust_with_exprs(format!("CAST(strftime('{sqlite}', ?) AS INTEGER)"), [column]),
        Dialect::Postgres => {
            let zone = if ty == FieldType::Timestamp { " AT TIME ZONE 'UTC'" } else { "" };
            Expr::cust_with_exprs(format!("CAST(FLOOR(EXTRACT({postgres} FROM $1{zone})) AS integer)"), [column])
        }
    }
}

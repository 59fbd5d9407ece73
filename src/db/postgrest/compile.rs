//! Rows of a relation with what is embedded in them, as one JSON text each.
//!
//! Each embed is a subquery of its row: an object for one row, an array for many. The two databases differ in how an object is made and
//! in little else.

use super::catalog::{Catalog, Kind, Table};
use super::plan::{Aggregate, Embed, Item, Node, Order, Path, Selected};
use super::refusal::{self, clip, refuse};
use super::relation::Relation;
use super::text::Text;
use super::value::{self, Expr};
use crate::db::{Dialect, FieldType};
use crate::error::Result;

/// Embeds in one request at most, all levels together.
const MAX_EMBEDS: usize = 50;
/// Levels of embeds at most.
const MAX_DEPTH: usize = 8;
/// Members of one row at most: SQLite takes a thousand arguments.
const MAX_MEMBERS: usize = 400;
/// Bytes of a name at most, as Postgres has it.
const MAX_NAME: usize = 63;

/// What statements are made from.
pub(super) struct Compiler<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) dialect: Dialect,
    /// Whether the host's own tables may be touched.
    pub(super) system: bool,
    pub(super) conditions: usize,
    embeds: usize,
    aliases: usize,
}

/// A relation in a statement, under the name that it has there.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) table: &'a Table,
    pub(super) alias: String,
    pub(super) depth: usize,
}

/// One member of a row: its name, and what it is made of, as JSON.
struct Member {
    name: String,
    value: Text,
    is_aggregate: bool,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(catalog: &'a Catalog, system: bool) -> Self {
        Self { catalog, dialect: catalog.dialect, system, conditions: 0, embeds: 0, aliases: 0 }
    }

    /// The table of that name, if the caller may touch it.
    pub(super) fn table(&self, name: &str) -> Result<&'a Table> {
        let known = || self.catalog.tables.keys().map(String::as_str).filter(|n| !super::catalog::is_system(n));
        let table = self.catalog.tables.get(name);
        if table.is_some() || super::catalog::is_system(name) {
            self.admit(name)?;
        }
        table.ok_or_else(|| refusal::no_table(name, known()))
    }

    pub(super) fn scope(&mut self, table: &'a Table, depth: usize) -> Scope<'a> {
        self.aliases += 1;
        Scope { table, alias: format!("t{}", self.aliases), depth }
    }

    /// A column, or a place in its JSON.
    pub(super) fn path(&self, scope: &Scope<'a>, path: &Path) -> Result<Expr> {
        let known = || scope.table.columns.iter().map(|c| c.name.as_str());
        let column = scope.table.column(&path.name).ok_or_else(|| refusal::no_column(&scope.table.name, &path.name, known()))?;
        let expr = Expr::of(column, &scope.alias);
        if path.steps.is_empty() { Ok(expr) } else { super::filter::arrows(self.dialect, expr, &path.steps) }
    }

    /// The rows of `node` from `from`, as a query with one column `j`: a JSON object for each.
    pub(super) fn rows(&mut self, node: &Node, scope: &Scope<'a>, from: Text, mut wheres: Vec<Text>) -> Result<Text> {
        let members = self.members(node, scope)?;
        self.narrow(node, scope, &mut wheres)?;
        let tail = self.tail(node, scope)?;
        self.objects(members, from, wheres, tail)
    }

    /// Adds the conditions of a node, those of its inner embeds included.
    pub(super) fn narrow(&mut self, node: &Node, scope: &Scope<'a>, wheres: &mut Vec<Text>) -> Result<()> {
        for cond in &node.filters {
            wheres.push(self.cond(node, scope, cond)?);
        }
        for item in &node.select {
            if let Item::Embed(embed) = item
                && embed.inner
            {
                wheres.push(self.exists(scope, embed)?);
            }
        }
        Ok(())
    }

    /// Whether the row has anything to embed.
    pub(super) fn exists(&mut self, scope: &Scope<'a>, embed: &Embed) -> Result<Text> {
        let (relation, inside) = self.enter(scope, embed)?;
        let (from, on) = relation.join(&scope.alias, &inside.alias);
        let mut wheres = vec![on];
        self.narrow(&embed.node, &inside, &mut wheres)?;
        let mut text = Text::of("EXISTS (SELECT 1 FROM ");
        text.part(from).wheres(wheres);
        if self.dialect == Dialect::Sqlite {
            // Without a limit SQLite 3.51 makes a join of it, and then OFFSET counts each row that is joined.
            text.raw(" LIMIT 1");
        }
        text.raw(")");
        Ok(text)
    }

    fn enter(&mut self, scope: &Scope<'a>, embed: &Embed) -> Result<(Relation<'a>, Scope<'a>)> {
        self.embeds += 1;
        if self.embeds > MAX_EMBEDS {
            return Err(refusal::too_many("embeds", MAX_EMBEDS));
        }
        if scope.depth >= MAX_DEPTH {
            return Err(refusal::too_many("levels of embeds", MAX_DEPTH));
        }
        let relation = self.relation(&scope.table.name, embed)?;
        let inside = self.scope(relation.target, scope.depth + 1);
        Ok((relation, inside))
    }

    /// ` ORDER BY … LIMIT … OFFSET …`
    fn tail(&mut self, node: &Node, scope: &Scope<'a>) -> Result<Text> {
        let mut text = self.order(node, scope)?;
        match (node.limit, node.offset) {
            (None, 0) => {}
            (limit, offset) => {
                text.raw(" LIMIT ").number(limit.unwrap_or(i64::MAX.unsigned_abs()).min(i64::MAX.unsigned_abs()));
                text.raw(" OFFSET ").number(offset.min(i64::MAX.unsigned_abs()));
            }
        }
        Ok(text)
    }

    pub(super) fn order(&mut self, node: &Node, scope: &Scope<'a>) -> Result<Text> {
        let mut text = Text::default();
        for (at, order) in node.order.iter().enumerate() {
            let expr = self.ordered_by(node, scope, order)?;
            text.raw(if at == 0 { " ORDER BY " } else { ", " }).part(expr);
            text.raw(if order.descending { " DESC" } else { " ASC" });
            text.raw(if order.nulls_first.unwrap_or(order.descending) { " NULLS FIRST" } else { " NULLS LAST" });
        }
        Ok(text)
    }

    fn ordered_by(&mut self, node: &Node, scope: &Scope<'a>, order: &Order) -> Result<Text> {
        let Some(name) = &order.embed else { return Ok(self.path(scope, &order.column)?.text) };
        let embed = find_embed(node, name).ok_or_else(|| not_embedded(name))?;
        let (relation, inside) = self.enter(scope, embed)?;
        if relation.many {
            let message = format!("A related order on '{}' is not possible", clip(name));
            let details = format!("'{}' and '{}' do not form a many-to-one or one-to-one relationship", scope.table.name, clip(name));
            return Err(refuse("PGRST118", message, Some(details), None));
        }
        let (from, on) = relation.join(&scope.alias, &inside.alias);
        let mut text = Text::of("(SELECT ");
        text.part(self.path(&inside, &order.column)?.text).raw(" FROM ").part(from).wheres(vec![on]).raw(" LIMIT 1)");
        Ok(text)
    }

    fn members(&mut self, node: &Node, scope: &Scope<'a>) -> Result<Vec<Member>> {
        let mut members = Vec::new();
        for item in &node.select {
            match item {
                Item::Star => {
                    for column in &scope.table.columns {
                        let value = value::output(self.dialect, Expr::of(column, &scope.alias));
                        members.push(Member { name: column.name.clone(), value, is_aggregate: false });
                    }
                }
                Item::Column(selected) => members.push(self.selected(scope, selected)?),
                Item::Embed(embed) => self.embedded(scope, embed, &mut members)?,
            }
            if members.len() > MAX_MEMBERS {
                return Err(refusal::too_many("members of a row", MAX_MEMBERS));
            }
        }
        if members.iter().any(|m| m.is_aggregate) && node.select.iter().any(|item| matches!(item, Item::Embed(_))) {
            return Err(refuse("PGRST127", "Aggregates can't stand beside embedded resources of the same level", None, None));
        }
        match members.iter().find(|m| m.name.len() > MAX_NAME || m.name.contains('\0')) {
            Some(bad) => Err(refuse(
                "42622",
                format!("identifier \"{}\" is too long or has a zero byte", clip(&bad.name.replace('\0', "?"))),
                None,
                None,
            )),
            None => Ok(members),
        }
    }

    fn selected(&mut self, scope: &Scope<'a>, selected: &Selected) -> Result<Member> {
        let mut aggregate = selected.aggregate;
        let column = selected.column.as_ref().filter(|path| {
            // `count` alone counts the rows, where no column is called so.
            let counts = aggregate.is_none() && path.steps.is_empty() && path.name == "count" && scope.table.column("count").is_none();
            if counts {
                aggregate = Some(Aggregate::Count);
            }
            !counts
        });
        let mut expr = match column {
            Some(path) => self.path(scope, path)?,
            None => Expr { text: Text::of("*"), kind: Kind::Native, sql_type: String::new() },
        };
        if let Some(function) = aggregate {
            expr = self.aggregated(expr, function)?;
        }
        if let Some(cast) = selected.cast {
            expr = value::cast(self.dialect, expr, cast)?;
        }
        let own = match (aggregate, column) {
            (Some(function), _) => function.name().to_owned(),
            (None, Some(path)) => path
                .steps
                .iter()
                .rev()
                .find_map(|s| match &s.key {
                    super::plan::Key::Name(name) => Some(name.clone()),
                    super::plan::Key::Index(_) => None,
                })
                .unwrap_or_else(|| path.name.clone()),
            (None, None) => String::new(),
        };
        let name = selected.alias.clone().unwrap_or(own);
        Ok(Member { name, value: value::output(self.dialect, expr), is_aggregate: aggregate.is_some() })
    }

    fn aggregated(&self, expr: Expr, function: Aggregate) -> Result<Expr> {
        let mut text = Text::default();
        text.raw(function.name()).raw("(").part(expr.text).raw(")");
        let is_decimal = matches!(expr.kind, Kind::Field(FieldType::Decimal { .. }));
        let is_whole = matches!(expr.kind, Kind::Field(FieldType::Integer | FieldType::BigInteger));
        let kind = match function {
            Aggregate::Count => Kind::Field(FieldType::BigInteger),
            Aggregate::Sum if is_whole => Kind::Field(FieldType::BigInteger),
            Aggregate::Avg => Kind::Field(FieldType::Float),
            _ => expr.kind,
        };
        if self.dialect == Dialect::Postgres {
            let ty = match (function, is_whole) {
                (Aggregate::Sum, true) => "bigint",
                (Aggregate::Avg, _) => "double precision",
                _ => return Ok(Expr { text, kind, sql_type: expr.sql_type }),
            };
            text.raw("::").raw(ty);
            return Ok(Expr { text, kind, sql_type: ty.to_owned() });
        }
        if let (Aggregate::Avg, true, Kind::Field(FieldType::Decimal { scale, .. })) = (function, is_decimal, expr.kind) {
            text.raw(" / ").raw(&format!("{:.1}", 10_f64.powi(i32::from(scale))));
        }
        if !matches!(function, Aggregate::Count | Aggregate::Max | Aggregate::Min)
            && !is_whole
            && !is_decimal
            && expr.kind != Kind::Field(FieldType::Float)
        {
            return Err(refuse("42883", format!("function {}({}) does not exist", function.name(), expr.kind.name()), None, None));
        }
        Ok(Expr { text, kind, sql_type: String::new() })
    }

    fn embedded(&mut self, scope: &Scope<'a>, embed: &Embed, members: &mut Vec<Member>) -> Result<()> {
        let (relation, inside) = self.enter(scope, embed)?;
        let (from, on) = relation.join(&scope.alias, &inside.alias);
        if embed.spread {
            // Each member by itself: a row can't be taken apart in the middle of another.
            for member in self.members(&embed.node, &inside)? {
                let mut wheres = vec![on.clone()];
                self.narrow(&embed.node, &inside, &mut wheres)?;
                let tail = self.tail(&embed.node, &inside)?;
                let mut rows = Text::of("SELECT ");
                rows.part(member.value).raw(" AS j FROM ").part(from.clone()).wheres(wheres).part(tail);
                members.push(Member { value: self.gathered(rows, relation.many, &embed.node), ..member });
            }
            return Ok(());
        }
        if embed.node.select.is_empty() {
            return Ok(());
        }
        let rows = self.rows(&embed.node, &inside, from, vec![on])?;
        let value = self.gathered(rows, relation.many, &embed.node);
        members.push(Member { name: embed.name().to_owned(), value, is_aggregate: false });
        Ok(())
    }

    /// A query of one JSON column `j` as one value: an array of all rows, or the first.
    fn gathered(&self, rows: Text, many: bool, node: &Node) -> Text {
        // Without a limit of its own a query in brackets is thought to need no order.
        let ends = node.limit.is_some() || node.offset > 0;
        let (before, after) = match (self.dialect, many) {
            (Dialect::Postgres, true) => ("(SELECT coalesce(json_agg(j), '[]'::json) FROM (", ") AS q)"),
            (Dialect::Postgres, false) if ends => ("(", ")"),
            (Dialect::Postgres, false) => ("(", " LIMIT 1)"),
            (Dialect::Sqlite, true) if ends => ("json((SELECT json_group_array(json(j)) FROM (", ") AS q))"),
            (Dialect::Sqlite, true) => ("json((SELECT json_group_array(json(j)) FROM (", " LIMIT -1) AS q))"),
            (Dialect::Sqlite, false) if ends => ("json((", "))"),
            (Dialect::Sqlite, false) => ("json((", " LIMIT 1))"),
        };
        let mut text = Text::of(before);
        text.part(rows).raw(after);
        text
    }

    fn objects(&self, members: Vec<Member>, from: Text, wheres: Vec<Text>, tail: Text) -> Result<Text> {
        let grouped = members.iter().any(|m| m.is_aggregate);
        let plain: Vec<String> =
            members.iter().enumerate().filter(|(_, m)| grouped && !m.is_aggregate).map(|(at, _)| (at + 1).to_string()).collect();
        let mut inner = Text::default();
        inner.raw(" FROM ").part(from).wheres(wheres);
        if !plain.is_empty() {
            inner.raw(" GROUP BY ").raw(&plain.join(", "));
        }
        inner.part(tail);
        let mut text = Text::default();
        match (self.dialect, grouped) {
            (Dialect::Postgres, _) => {
                text.raw("SELECT row_to_json(r) AS j FROM (SELECT ");
                let columns = members.into_iter().map(|member| {
                    let mut column = member.value;
                    column.raw(" AS ").name(&member.name);
                    column
                });
                text.parts(columns, ", ").part(inner).raw(") AS r");
            }
            (Dialect::Sqlite, false) => {
                let pairs = members.into_iter().map(|member| {
                    let mut pair = Text::default();
                    pair.value(member.name).raw(", ").part(member.value);
                    pair
                });
                text.raw("SELECT json_object(").parts(pairs, ", ").raw(") AS j").part(inner);
            }
            (Dialect::Sqlite, true) => {
                let pairs = members.iter().enumerate().map(|(at, member)| {
                    let mut pair = Text::default();
                    pair.value(member.name.as_str()).raw(&format!(", json(v{at})"));
                    pair
                });
                text.raw("SELECT json_object(").parts(pairs, ", ").raw(") AS j FROM (SELECT ");
                let columns = members.into_iter().enumerate().map(|(at, member)| {
                    let mut column = member.value;
                    column.raw(&format!(" AS v{at}"));
                    column
                });
                text.parts(columns, ", ").part(inner).raw(") AS g");
            }
        }
        Ok(text)
    }
}

pub(super) fn find_embed<'n>(node: &'n Node, name: &str) -> Option<&'n Embed> {
    node.select.iter().find_map(|item| match item {
        Item::Embed(embed) if embed.name() == name => Some(embed),
        _ => None,
    })
}

pub(super) fn not_embedded(name: &str) -> crate::error::Error {
    let message = format!("'{}' is not an embedded resource in this request", clip(name));
    refuse("PGRST108", message, None, Some("Verify that it is included in the 'select' query parameter.".to_owned()))
}

//! Calls of functions of Postgres.

use serde_json::Value;

use super::catalog::{Arg, Column, Function, Returns, Table};
use super::compile::Compiler;
use super::plan::{Call, Node};
use super::refusal::{self, refuse};
use super::text::Text;
use super::value::{self, Expr};
use super::{Ask, Outcome, Shape};
use crate::db::{Conn, Dialect};
use crate::error::Result;

/// Calls the function that `ask` names; the filters and the order of `ask` hold for the rows that it answers.
pub(super) async fn call(conn: &mut Conn<'_>, compiler: &mut Compiler<'_>, ask: &Ask, call: &Call) -> Result<Outcome> {
    if compiler.dialect == Dialect::Sqlite {
        return Err(refusal::postgres_only("`rpc`"));
    }
    let function = chosen(compiler, &ask.target, call)?;
    let given: Vec<&Arg> = function.args.iter().filter(|arg| call.args.contains_key(&arg.name)).collect();
    let invoked = |text: &mut Text| {
        let args = given.iter().map(|arg| {
            let mut part = Text::default();
            part.name(&arg.name).raw(" => a.").name(&arg.name);
            part
        });
        text.name(&function.name).raw("(").parts(args, ", ").raw(")");
    };
    let mut from = Text::default();
    if !given.is_empty() {
        let args = given.iter().map(|arg| (arg.name.clone(), call.args.get(&arg.name).cloned().unwrap_or_default()));
        let columns = given.iter().map(|arg| {
            let mut part = Text::default();
            part.name(&arg.name).raw(" ").raw(&arg.sql_type);
            part
        });
        from.raw("json_to_record(")
            .value(Value::Object(args.collect()).to_string())
            .raw("::text::json) AS a(")
            .parts(columns, ", ")
            .raw("), LATERAL ");
    }
    match &function.returns {
        Returns::Nothing => {
            let mut text = Text::of("SELECT 'null' FROM ");
            text.part(from);
            invoked(&mut text);
            conn.texts(&text.finish(compiler.dialect), ask.max_bytes).await?;
            Ok(Outcome { shape: Shape::Nothing, ..Outcome::default() })
        }
        Returns::Value(column) => values(conn, compiler, ask, function, column, from, invoked).await,
        Returns::Row(columns, table) => {
            invoked(&mut from);
            rows(conn, compiler, ask, function, (columns, table.as_deref()), from).await
        }
    }
}

/// The one function that takes these arguments.
fn chosen<'a>(compiler: &Compiler<'a>, name: &str, call: &Call) -> Result<&'a Function> {
    let known = compiler.catalog.functions.get(name).map_or(&[][..], Vec::as_slice);
    let fits = |f: &&Function| {
        call.args.keys().all(|given| f.args.iter().any(|arg| arg.name == *given))
            && f.args.iter().all(|arg| arg.optional || call.args.contains_key(&arg.name))
    };
    let mut fitting = known.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(function), None) => Ok(function),
        (Some(_), Some(_)) => {
            let message = format!("Could not choose the best candidate function between several public.{name}");
            let hint = Some("Give functions with the same number of parameters other names, or their parameters".to_owned());
            Err(refuse("PGRST203", message, None, hint))
        }
        _ => Err(refusal::no_function(name, &call.args.keys().map(String::as_str).collect::<Vec<_>>(), !known.is_empty())),
    }
}

async fn values(
    conn: &mut Conn<'_>,
    compiler: &mut Compiler<'_>,
    ask: &Ask,
    function: &Function,
    column: &Column,
    mut from: Text,
    invoked: impl Fn(&mut Text),
) -> Result<Outcome> {
    if !ask.node.filters.is_empty() || !ask.node.order.is_empty() {
        return Err(refuse(
            "42703",
            format!("function {} answers values, which have no columns to filter or order by", function.name),
            None,
            None,
        ));
    }
    invoked(&mut from);
    let mut value = Text::default();
    value.raw("t.v");
    let expr = Expr { text: value, kind: column.kind, sql_type: column.sql_type.clone() };
    let mut rows = Text::of("SELECT coalesce(to_json(");
    rows.part(value::output(compiler.dialect, expr)).raw("), 'null'::json) AS j FROM (SELECT f.v FROM ").part(from).raw(" AS f(v)) AS t");
    rows.raw(" LIMIT ").number(ask.node.limit.unwrap_or(u64::MAX).min(ask.max_rows.saturating_add(1)));
    rows.raw(" OFFSET ").number(ask.node.offset.min(i64::MAX.unsigned_abs()));
    let text = super::bounded(compiler.dialect, rows, ask.max_bytes);
    let rows = conn.texts(&text.finish(compiler.dialect), ask.max_bytes).await?;
    super::check_rows(&rows, ask)?;
    let shape = if function.is_set { Shape::Rows } else { Shape::Value };
    Ok(Outcome { affected: rows.len() as u64, rows, shape, ..Outcome::default() })
}

async fn rows(
    conn: &mut Conn<'_>,
    compiler: &mut Compiler<'_>,
    ask: &Ask,
    function: &Function,
    (columns, table): (&[Column], Option<&str>),
    from: Text,
) -> Result<Outcome> {
    // What a function answers of a table is embedded as from the table itself.
    let own = Table {
        name: table.unwrap_or(&function.name).to_owned(),
        columns: columns.to_vec(),
        primary: Vec::new(),
        uniques: Vec::new(),
        is_view: true,
        row_key: None,
        counts: false,
    };
    if let Some(table) = table {
        compiler.admit(table)?;
    }
    let mut compiler = Compiler::new(compiler.catalog, compiler.system);
    let scope = compiler.scope(&own, 0);
    let mut from = from;
    from.raw(" AS ").raw(&scope.alias);
    let node = Node { limit: Some(ask.node.limit.unwrap_or(u64::MAX).min(ask.max_rows.saturating_add(1))), ..ask.node.clone() };
    let rows = compiler.rows(&node, &scope, from, Vec::new())?;
    let text = super::bounded(compiler.dialect, rows, ask.max_bytes);
    let rows = conn.texts(&text.finish(compiler.dialect), ask.max_bytes).await?;
    super::check_rows(&rows, ask)?;
    let shape = if function.is_set { Shape::Rows } else { Shape::Value };
    Ok(Outcome { affected: rows.len() as u64, rows, shape, ..Outcome::default() })
}

//! Reading the [`Catalog`]: one job of a few statements, on either database.

use sea_query::Value as Bind;
use serde_json::Value;

use super::catalog::{Arg, Catalog, Column, ForeignKey, Function, Kind, Returns};
use crate::db::{Conn, Dialect, FieldType, Schema, Sql};
use crate::error::Result;

/// Reads what there is.
///
/// # Errors
/// What the database refuses.
pub async fn load(conn: &mut Conn<'_>, schema: &Schema) -> Result<Catalog> {
    let mut catalog = Catalog::empty(conn.dialect());
    match conn.dialect() {
        Dialect::Sqlite => sqlite(conn, schema, &mut catalog).await?,
        Dialect::Postgres => postgres(conn, schema, &mut catalog).await?,
    }
    Ok(catalog)
}

type Row = Vec<Value>;

async fn rows(conn: &mut Conn<'_>, text: &str, columns: &[FieldType]) -> Result<Vec<Row>> {
    conn.select(&Sql::raw(text, Vec::new()), columns).await
}

fn text(row: &Row, at: usize) -> String {
    row.get(at).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(row: &Row, at: usize) -> i64 {
    row.get(at).and_then(Value::as_i64).unwrap_or_default()
}

fn flag(row: &Row, at: usize) -> bool {
    row.get(at) == Some(&Value::Bool(true))
}

/// A list of names that came as JSON; `None` where one of them is missing.
fn names(value: Option<&Value>) -> Option<Vec<String>> {
    value?.as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

async fn sqlite(conn: &mut Conn<'_>, schema: &Schema, catalog: &mut Catalog) -> Result<()> {
    use FieldType::{Boolean, Integer, String as Str};
    const TABLES: &str =
        "FROM pragma_table_list AS t WHERE t.schema = 'main' AND t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let listed = rows(conn, &format!("SELECT t.name, t.type = 'view', t.wr {TABLES}"), &[Str, Boolean, Boolean]).await?;
    for view in listed.iter().filter(|t| flag(t, 1)) {
        catalog.unread_views.push(text(view, 0));
    }
    // Of tables alone: a view of what is gone would fail the whole.
    let columns = format!(
        "SELECT t.name, c.name, c.type, c.pk, c.hidden FROM (SELECT name {TABLES} AND t.type = 'table') AS t, pragma_table_xinfo(t.name) AS c \
         WHERE c.hidden <> 1 ORDER BY t.name, c.cid"
    );
    let columns = rows(conn, &columns, &[Str, Str, Str, Integer, Integer]).await?;
    let mut keys: Vec<(String, i64, String)> = Vec::new();
    for row in &columns {
        let (table, name) = (text(row, 0), text(row, 1));
        if number(row, 3) > 0 {
            keys.push((table.clone(), number(row, 3), name.clone()));
        }
        let column = Column {
            kind: Kind::Field(declared(&text(row, 2))),
            sql_type: String::new(),
            max_length: None,
            generated: number(row, 4) > 1,
            name,
        };
        catalog.add_column(schema, &table, false, column);
    }
    keys.sort();
    for (table, _, name) in keys {
        if let Some(table) = catalog.tables.get_mut(&table) {
            table.primary.push(name);
        }
    }
    let indexes = format!(
        "SELECT t.name, i.name, c.name FROM (SELECT name {TABLES}) AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c \
         WHERE i.\"unique\" = 1 AND i.partial = 0 ORDER BY t.name, i.seq, c.seqno"
    );
    let mut sets: Vec<(String, String, Vec<Value>)> = Vec::new();
    for row in rows(conn, &indexes, &[Str, Str, Str]).await? {
        let (table, index, column) = (text(&row, 0), text(&row, 1), row.get(2).cloned().unwrap_or_default());
        match sets.last_mut() {
            Some((t, i, columns)) if *t == table && *i == index => columns.push(column),
            _ => sets.push((table, index, vec![column])),
        }
    }
    for (table, _, columns) in sets {
        if let (Some(table), Some(columns)) = (catalog.tables.get_mut(&table), names(Some(&Value::Array(columns)))) {
            table.uniques.push(columns);
        }
    }
    for listed in &listed {
        let Some(table) = catalog.tables.get_mut(&text(listed, 0)) else { continue };
        if !table.primary.is_empty() {
            table.uniques.push(table.primary.clone());
        }
        table.row_key = match (flag(listed, 2), &table.primary[..]) {
            (true, [key]) => Some(key.clone()),
            (true, _) => None,
            // A column of that name hides the row id.
            (false, _) => ["rowid", "_rowid_", "oid"]
                .iter()
                .find(|n| !table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(n)))
                .map(|n| (*n).to_owned()),
        };
    }
    let found = format!(
        "SELECT t.name, f.id, f.\"table\", f.\"from\", f.\"to\" FROM (SELECT name {TABLES}) AS t, pragma_foreign_key_list(t.name) AS f \
         ORDER BY t.name, f.id, f.seq"
    );
    let mut last = (String::new(), -1);
    for row in rows(conn, &found, &[Str, Integer, Str, Str, Str]).await? {
        let (table, id, target, from) = (text(&row, 0), number(&row, 1), text(&row, 2), text(&row, 3));
        // SQLite takes the name in any case.
        let target = catalog.tables.keys().find(|t| t.eq_ignore_ascii_case(&target)).cloned().unwrap_or(target);
        if last != (table.clone(), id) {
            last = (table.clone(), id);
            catalog.keys.push(ForeignKey { name: String::new(), table, columns: Vec::new(), target, target_columns: Vec::new() });
        }
        if let Some(key) = catalog.keys.last_mut() {
            key.columns.push(from);
            key.target_columns.extend(row.get(4).and_then(Value::as_str).map(str::to_owned));
        }
    }
    for key in &mut catalog.keys {
        // SQLite keeps no names of them; these are the ones that Postgres gives.
        key.name = format!("{}_{}_fkey", key.table, key.columns.join("_"));
        if key.target_columns.len() != key.columns.len() {
            key.target_columns = catalog.tables.get(&key.target).map(|t| t.primary.clone()).unwrap_or_default();
        }
    }
    catalog.keys.retain(|key| key.target_columns.len() == key.columns.len());
    Ok(())
}

/// The columns of a view of SQLite, whose name is one of the catalog's.
///
/// # Errors
/// What the database refuses: a view can be of what is gone.
pub async fn load_view(conn: &mut Conn<'_>, view: &str) -> Result<Vec<(String, String)>> {
    let columns = Sql::raw("SELECT name, type FROM pragma_table_info(?) ORDER BY cid", vec![Bind::from(view)]);
    let columns = conn.select(&columns, &[FieldType::String, FieldType::String]).await?;
    Ok(columns.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

impl Catalog {
    /// Views whose columns are to be read one by one: [`load_view`].
    pub fn take_unread_views(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unread_views)
    }

    /// Adds a view with the names and declared types of its columns.
    pub fn add_view(&mut self, schema: &Schema, view: &str, columns: Vec<(String, String)>) {
        for (name, ty) in columns {
            let column = Column { name, kind: Kind::Field(declared(&ty)), sql_type: String::new(), max_length: None, generated: false };
            self.add_column(schema, view, true, column);
        }
    }
}

/// What a column of a table that isn't a collection is read as, by the rules that SQLite has for declared types.
fn declared(ty: &str) -> FieldType {
    let ty = ty.to_ascii_uppercase();
    let has = |word: &str| ty.contains(word);
    if has("BOOL") {
        FieldType::Boolean
    } else if has("INT") {
        FieldType::BigInteger
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        FieldType::Float
    } else if has("JSON") {
        FieldType::Json
    } else {
        FieldType::Text
    }
}

async fn postgres(conn: &mut Conn<'_>, schema: &Schema, catalog: &mut Catalog) -> Result<()> {
    use FieldType::{Boolean, Integer, Json, String as Str};
    const COLUMNS: &str = "SELECT c.relname::text, c.relkind IN ('v', 'm'), a.attname::text, format_type(a.atttypid, -1), t.typname::text, \
         a.atttypmod::int4, a.attgenerated <> '' OR a.attidentity = 'a', a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid), '') LIKE 'nextval(%' \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum \
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY c.relname, a.attnum";
    let mut counting = Vec::new();
    for row in rows(conn, COLUMNS, &[Str, Boolean, Str, Str, Str, Integer, Boolean, Boolean]).await? {
        let (table, name) = (text(&row, 0), text(&row, 2));
        if flag(&row, 7) {
            counting.push((table.clone(), name.clone()));
        }
        let column = column(name, text(&row, 3), &text(&row, 4), number(&row, 5), flag(&row, 6));
        catalog.add_column(schema, &table, flag(&row, 1), column);
    }
    const UNIQUES: &str = "SELECT c.relname::text, i.indisprimary, array_to_json(ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) \
         WITH ORDINALITY AS k(n, at) JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.n WHERE k.at <= i.indnkeyatts ORDER BY k.at)) \
         FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid \
         WHERE c.relnamespace = current_schema()::regnamespace AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL";
    for row in rows(conn, UNIQUES, &[Str, Boolean, Json]).await? {
        let (Some(table), Some(columns)) = (catalog.tables.get_mut(&text(&row, 0)), names(row.get(2))) else { continue };
        if flag(&row, 1) {
            table.counts = matches!(&columns[..], [key] if counting.contains(&(table.name.clone(), key.clone())));
            table.primary = columns.clone();
        }
        table.uniques.push(columns);
    }
    const KEYS: &str = "SELECT k.conname::text, c.relname::text, f.relname::text, \
         array_to_json(ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(n, at) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = u.n ORDER BY u.at)), \
         array_to_json(ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(n, at) \
             JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.oid AND a.attnum = u.n ORDER BY u.at)) \
         FROM pg_catalog.pg_constraint AS k JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid JOIN pg_catalog.pg_class AS f ON f.oid = k.confrelid \
         WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = current_schema()::regnamespace \
         AND f.relnamespace = current_schema()::regnamespace ORDER BY 2, 1";
    for row in rows(conn, KEYS, &[Str, Str, Str, Json, Json]).await? {
        let (Some(columns), Some(target_columns)) = (names(row.get(3)), names(row.get(4))) else { continue };
        catalog.keys.push(ForeignKey { name: text(&row, 0), table: text(&row, 1), target: text(&row, 2), columns, target_columns });
    }
    functions(conn, catalog).await
}

/// Functions that somebody made, with names for all their arguments. Those of installed extensions are left out: some of them reach
/// files and other servers.
async fn functions(conn: &mut Conn<'_>, catalog: &mut Catalog) -> Result<()> {
    use FieldType::{Boolean, Integer, Json, String as Str};
    const FUNCTIONS: &str = "SELECT p.proname::text, to_json(p.proargnames), to_json(p.proargmodes::text[]), \
         array_to_json(ARRAY(SELECT json_build_array(format_type(u.ty, -1), t.typname::text) \
             FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS u(ty, at) \
             JOIN pg_catalog.pg_type AS t ON t.oid = u.ty ORDER BY u.at)), \
         p.pronargdefaults::int4, p.proretset, r.typname::text, r.typtype::text, format_type(p.prorettype, -1), c.relname::text, \
         array_to_json(ARRAY(SELECT json_build_array(a.attname::text, format_type(a.atttypid, -1), t.typname::text, a.atttypmod) \
             FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid \
             WHERE a.attrelid = r.typrelid AND r.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum)) \
         FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_type AS r ON r.oid = p.prorettype LEFT JOIN pg_catalog.pg_class AS c ON c.oid = r.typrelid \
         WHERE p.pronamespace = current_schema()::regnamespace AND p.prokind = 'f' \
         AND (r.typtype <> 'p' OR r.typname IN ('void', 'record')) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') \
         ORDER BY p.proname, p.oid";
    let types = [Str, Json, Json, Json, Integer, Boolean, Str, Str, Str, Str, Json];
    for row in rows(conn, FUNCTIONS, &types).await? {
        if let Some(function) = function(&row) {
            catalog.functions.entry(function.name.clone()).or_default().push(function);
        }
    }
    Ok(())
}

fn function(row: &Row) -> Option<Function> {
    let list = |at: usize| row.get(at).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let (named, modes, types) = (list(1), list(2), list(3));
    let part = |value: &Value, at: usize| value.get(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (mut args, mut out) = (Vec::new(), Vec::new());
    for (at, ty) in types.iter().enumerate() {
        let name = named.get(at).and_then(Value::as_str).unwrap_or_default();
        let mode = modes.get(at).and_then(Value::as_str).unwrap_or("i");
        if matches!(mode, "i" | "b") {
            if name.is_empty() {
                return None;
            }
            args.push(Arg { name: name.to_owned(), sql_type: part(ty, 0), optional: false });
        } else if mode == "v" {
            return None;
        }
        if matches!(mode, "o" | "b" | "t") {
            out.push(column(name.to_owned(), part(ty, 0), &part(ty, 1), -1, false));
        }
    }
    let optional = usize::try_from(number(row, 4)).unwrap_or_default();
    let required = args.len().saturating_sub(optional);
    args.iter_mut().skip(required).for_each(|arg| arg.optional = true);
    let (name, is_set, returned, kind) = (text(row, 0), flag(row, 5), text(row, 6), text(row, 7));
    let returns = match (&returned[..], &kind[..]) {
        ("void", _) => Returns::Nothing,
        (_, "c") => {
            let columns = list(10).iter();
            let columns =
                columns.map(|c| column(part(c, 0), part(c, 1), &part(c, 2), c.get(3).and_then(Value::as_i64).unwrap_or(-1), false));
            Returns::Row(columns.collect(), row.get(9).and_then(Value::as_str).map(str::to_owned))
        }
        ("record", _) if out.is_empty() => return None,
        ("record", _) => Returns::Row(out, None),
        _ => Returns::Value(column("value".to_owned(), text(row, 8), &returned, -1, false)),
    };
    Some(Function { name, args, returns, is_set })
}

/// A column of Postgres by its type.
fn column(name: String, sql_type: String, type_name: &str, modifier: i64, generated: bool) -> Column {
    let kind = match type_name {
        "text" | "varchar" | "bpchar" | "name" => Kind::TEXT,
        "int2" | "int4" => Kind::Field(FieldType::Integer),
        "int8" => Kind::Field(FieldType::BigInteger),
        "float4" | "float8" => Kind::Field(FieldType::Float),
        "numeric" => Kind::Field(FieldType::Decimal { precision: 100, scale: u8::try_from((modifier - 4) & 0x7ff).unwrap_or_default() }),
        "bool" => Kind::Field(FieldType::Boolean),
        "uuid" => Kind::Field(FieldType::Uuid),
        "timestamp" => Kind::Field(FieldType::DateTime),
        "timestamptz" => Kind::Field(FieldType::Timestamp),
        "json" | "jsonb" => Kind::JSON,
        _ => Kind::Native,
    };
    Column { name, kind, sql_type, max_length: None, generated }
}

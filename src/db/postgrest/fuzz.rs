//! What statements may be made of: for fuzzing, and for the test that replays it. Compiled for these only.

use super::catalog::{Catalog, Column, ForeignKey, Kind};
use super::compile::Compiler;
use super::text::Text;
use super::{Ask, Node};
use crate::db::{Dialect, FieldType, Schema};
use crate::error::Result;

/// Every word that a statement may have outside of quotes, besides `t1`, `t1_j`, `v1`, numbers and parameters.
const WORDS: &str = " SELECT FROM WHERE AND OR NOT AS ON JOIN EXISTS CASE WHEN THEN ELSE END BETWEEN IS NULL TRUE FALSE UNKNOWN DISTINCT IN ANY LIKE \
    GROUP ORDER BY ASC DESC NULLS FIRST LAST LIMIT OFFSET CAST AT TIME ZONE INTEGER REAL TEXT \
    json jsonb text integer bigint numeric boolean uuid date timestamp timestamptz double precision regconfig int4 \
    json_object json_group_array json_valid json_each row_to_json json_agg to_json to_jsonb to_char replace coalesce octet_length \
    trellis_json trellis_text trellis_fold trellis_regexp to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery \
    count sum avg max min value j r q g a excluded ";

/// Every text in single quotes.
const TEXTS: &str = " '[]' 'text' 'integer' 'bigInteger' 'float' 'decimal' 'boolean' 'uuid' 'timestamp' 'dateTime' 'json' 'UTC' '' '.000' \
    'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"' 'YYYY-MM-DD\"T\"HH24:MI:SS.MS' ";

/// A catalog of a few tables that are joined in every way.
pub(crate) fn sample(dialect: Dialect) -> Catalog {
    let mut catalog = Catalog::empty(dialect);
    let column = |name: &str, ty: FieldType| Column {
        name: name.to_owned(),
        kind: Kind::Field(ty),
        sql_type: if dialect == Dialect::Postgres { "int4".to_owned() } else { String::new() },
        max_length: None,
        generated: false,
    };
    for (table, columns) in
        [("a", &["id", "b_id", "a_id", "x"][..]), ("b", &["id", "x"][..]), ("c", &["id", "x"][..]), ("j", &["a_id", "c_id"][..])]
    {
        for name in columns {
            let ty = match (*name, table) {
                ("x", "a") => FieldType::Text,
                ("x", "b") => FieldType::Json,
                ("x", _) => FieldType::Decimal { precision: 10, scale: 2 },
                _ => FieldType::Integer,
            };
            catalog.add_column(&Schema::default(), table, false, column(name, ty));
        }
    }
    for (table, from, target) in [("a", "b_id", "b"), ("a", "a_id", "a"), ("j", "a_id", "a"), ("j", "c_id", "c")] {
        let name = format!("{table}_{from}_fkey");
        catalog.keys.push(ForeignKey {
            name,
            table: table.into(),
            columns: vec![from.into()],
            target: target.into(),
            target_columns: vec!["id".into()],
        });
    }
    catalog
}

/// Makes the statement of a read and looks at every word of it.
///
/// # Panics
/// Where something stands in it that isn't ours and is no parameter.
pub(crate) fn check(catalog: &Catalog, ask: &Ask) -> Result<()> {
    let mut compiler = Compiler::new(catalog, false);
    let table = compiler.table(&ask.target)?;
    let scope = compiler.scope(table, 0);
    let mut from = Text::default();
    from.name(&table.name).raw(" AS ").raw(&scope.alias);
    let node: &Node = &ask.node;
    let sql = compiler.rows(node, &scope, from, Vec::new())?.finish(catalog.dialect);
    let mut aliases = Vec::new();
    names_of(node, &mut aliases);
    let known = |name: &str| {
        catalog.tables.contains_key(name)
            || catalog.tables.values().any(|t| t.column(name).is_some())
            || aliases.iter().any(|alias| alias == name)
    };
    let numbered = |word: &str| {
        let digits = word.trim_start_matches(['t', 'v']).trim_end_matches("_j");
        word.len() > digits.len() && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let text = sql.text();
    let (mut rest, mut parameters) = (text, 0);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let mut end = 1;
                while let Some(at) = rest[end..].find('"') {
                    end += at + 1;
                    if !rest[end..].starts_with('"') {
                        break;
                    }
                    end += 1;
                }
                let name = rest[1..end - 1].replace("\"\"", "\"");
                assert!(known(&name), "{name:?} in {text}");
                end
            }
            '\'' => {
                let end = rest[1..].find('\'').expect("it is closed") + 2;
                assert!(TEXTS.contains(&format!(" {} ", &rest[..end])), "{} in {text}", &rest[..end]);
                end
            }
            '?' | '$' => {
                parameters += 1;
                1 + rest[1..].bytes().take_while(u8::is_ascii_digit).count()
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                let word = &rest[..end];
                assert!(WORDS.contains(&format!(" {word} ")) || numbered(word), "{word} in {text}");
                end
            }
            c => {
                assert!(c.is_ascii_digit() || " ().,:=<>*-/~@&|[]".contains(c), "{c:?} in {text}");
                1
            }
        };
        rest = &rest[length..];
    }
    assert_eq!(parameters, sql.values.len(), "{text}");
    Ok(())
}

/// The names that the answer's members have: those of Postgres are names of columns.
fn names_of(node: &Node, names: &mut Vec<String>) {
    use super::plan::{Item, Key};
    for item in &node.select {
        match item {
            Item::Star => {}
            Item::Column(selected) => {
                names.extend(selected.alias.clone());
                names.extend(selected.aggregate.map(|a| a.name().to_owned()));
                names.push("count".to_owned());
                for step in selected.column.iter().flat_map(|path| &path.steps) {
                    if let Key::Name(name) = &step.key {
                        names.push(name.clone());
                    }
                }
            }
            Item::Embed(embed) => {
                names.push(embed.name().to_owned());
                names_of(&embed.node, names);
            }
        }
    }
}

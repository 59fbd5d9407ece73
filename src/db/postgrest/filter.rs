//! Conditions → SQL, with the same meaning on both databases where both have one.

use super::catalog::Kind;
use super::compile::{Compiler, Scope, find_embed};
use super::plan::{Compare, Cond, Container, Is, Key, Node, Op, Quantifier, Search, Step};
use super::refusal::{self, refuse};
use super::text::Text;
use super::value::{self, Expr};
use crate::db::{Dialect, FieldType, fold};
use crate::error::Result;

/// Comparisons in one request at most: SQLite nests expressions no deeper than 1000.
const MAX_CONDITIONS: usize = 500;

impl<'a> Compiler<'a> {
    /// A condition on a row of `scope`. `node` has the embeds that it may name.
    pub(super) fn cond(&mut self, node: &Node, scope: &Scope<'a>, cond: &Cond) -> Result<Text> {
        self.conditions += 1;
        if self.conditions > MAX_CONDITIONS {
            return Err(refusal::too_many("conditions", MAX_CONDITIONS));
        }
        let mut text = Text::default();
        match cond {
            Cond::And(parts) | Cond::Or(parts) => {
                let (word, empty) = if matches!(cond, Cond::And(_)) { (" AND ", "(1 = 1)") } else { (" OR ", "(1 = 0)") };
                let parts = parts.iter().map(|part| self.cond(node, scope, part)).collect::<Result<Vec<_>>>()?;
                if parts.is_empty() {
                    text.raw(empty);
                } else {
                    text.raw("(").parts(parts, word).raw(")");
                }
            }
            Cond::Not(inner) => {
                text.raw("NOT (").part(self.cond(node, scope, inner)?).raw(")");
            }
            Cond::Test(path, op) => {
                if let (Op::Is(is @ (Is::Null | Is::NotNull)), true, None) = (op, path.steps.is_empty(), scope.table.column(&path.name))
                    && let Some(embed) = find_embed(node, &path.name)
                {
                    text.raw(if *is == Is::Null { "NOT " } else { "" }).part(self.exists(scope, embed)?);
                } else {
                    let expr = self.path(scope, path)?;
                    text.raw("(").part(self.test(expr, op)?).raw(")");
                }
            }
        }
        Ok(text)
    }

    fn test(&mut self, expr: Expr, op: &Op) -> Result<Text> {
        match op {
            Op::Compare(compare, given) => self.compare(expr, *compare, given),
            Op::Quantified(compare, quantifier, given) => {
                self.conditions += given.len();
                if self.conditions > MAX_CONDITIONS {
                    return Err(refusal::too_many("conditions", MAX_CONDITIONS));
                }
                let (word, empty) = if *quantifier == Quantifier::All { (" AND ", "1 = 1") } else { (" OR ", "1 = 0") };
                if given.is_empty() {
                    return Ok(Text::of(empty));
                }
                let parts = given.iter().map(|one| self.compare(expr.clone(), *compare, one)).collect::<Result<Vec<_>>>()?;
                let mut text = Text::default();
                text.parts(parts, word);
                Ok(text)
            }
            Op::In(given) => {
                let expr = self.comparable(expr)?;
                let list = value::one_of(self.dialect, expr.kind, &expr.sql_type, given)?;
                Ok(between(expr.text, " ", list))
            }
            Op::Is(is) => {
                let mut text = expr.text;
                text.raw(match (is, self.dialect) {
                    (Is::Null, _) => " IS NULL",
                    (Is::NotNull, _) => " IS NOT NULL",
                    (Is::True, _) => " IS TRUE",
                    (Is::False, _) => " IS FALSE",
                    (Is::Unknown, Dialect::Postgres) => " IS UNKNOWN",
                    (Is::Unknown, Dialect::Sqlite) => " IS NULL",
                });
                Ok(text)
            }
            Op::Search(search, config, query) => self.search(expr, *search, config.as_deref(), query),
            Op::Container(container, given) => self.container(expr, *container, given),
        }
    }

    fn compare(&self, expr: Expr, compare: Compare, given: &str) -> Result<Text> {
        let sqlite = self.dialect == Dialect::Sqlite;
        let operator = match compare {
            Compare::Eq => " = ",
            Compare::Neq => " <> ",
            Compare::Gt => " > ",
            Compare::Gte => " >= ",
            Compare::Lt => " < ",
            Compare::Lte => " <= ",
            Compare::Distinct if sqlite => " IS NOT ",
            Compare::Distinct => " IS DISTINCT FROM ",
            Compare::Like | Compare::Ilike => return self.like(expr, given, compare == Compare::Ilike),
            Compare::Match | Compare::Imatch => return self.matches(expr, given, compare == Compare::Imatch),
        };
        let expr = self.comparable(expr)?;
        let operand = value::operand(self.dialect, expr.kind, &expr.sql_type, given)?;
        Ok(between(expr.text, operator, operand))
    }

    /// JSON columns are compared by what they hold, not by how it is written. SQLite has nothing that could.
    fn comparable(&self, expr: Expr) -> Result<Expr> {
        match (self.dialect, expr.kind) {
            (Dialect::Postgres, Kind::JSON) => Ok(Expr { text: around("(", expr.text, ")::jsonb"), sql_type: "jsonb".to_owned(), ..expr }),
            _ => Ok(expr),
        }
    }

    /// Patterns with `%` or `*` for any text and `_` for any character. Case is left out of account as Unicode has it, on both databases.
    fn like(&self, expr: Expr, given: &str, folded: bool) -> Result<Text> {
        if given.contains('\0') {
            return Err(refusal::zero_byte());
        }
        let given = if folded { fold(given) } else { given.to_owned() };
        if self.dialect == Dialect::Postgres {
            let mut text = if folded { around("trellis_fold(", expr.text, ")") } else { expr.text };
            text.raw(" LIKE ").value(given.replace('*', "%"));
            return Ok(text);
        }
        let operator = if folded { "~~*" } else { "~~" };
        let subject = textual(expr, operator)?;
        let subject = if folded { around("trellis_fold(", subject, ")") } else { subject };
        let mut text = Text::of("trellis_regexp(");
        text.value(pattern(&given)?).raw(", ").part(subject).raw(")");
        Ok(text)
    }

    fn matches(&self, expr: Expr, given: &str, folded: bool) -> Result<Text> {
        if given.contains('\0') {
            return Err(refusal::zero_byte());
        }
        if self.dialect == Dialect::Postgres {
            let mut text = expr.text;
            text.raw(if folded { " ~* " } else { " ~ " }).value(given);
            return Ok(text);
        }
        let given = if folded { format!("(?i){given}") } else { given.to_owned() };
        if regex::Regex::new(&given).is_err() {
            return Err(refuse("2201B", "invalid regular expression", None, None));
        }
        let mut text = Text::of("trellis_regexp(");
        text.value(given).raw(", ").part(textual(expr, if folded { "~*" } else { "~" })?).raw(")");
        Ok(text)
    }

    fn search(&self, expr: Expr, search: Search, config: Option<&str>, query: &str) -> Result<Text> {
        if self.dialect == Dialect::Sqlite {
            return Err(refusal::postgres_only(&format!("the operator `{}`", search.name())));
        }
        if query.contains('\0') || config.is_some_and(|c| c.contains('\0')) {
            return Err(refusal::zero_byte());
        }
        let function = match search {
            Search::Raw => "to_tsquery(",
            Search::Plain => "plainto_tsquery(",
            Search::Phrase => "phraseto_tsquery(",
            Search::Web => "websearch_to_tsquery(",
        };
        let configured = |text: &mut Text| {
            if let Some(config) = config {
                text.value(config).raw("::text::regconfig, ");
            }
        };
        let mut text = Text::default();
        if expr.sql_type == "tsvector" {
            text.part(expr.text);
        } else {
            text.raw("to_tsvector(");
            configured(&mut text);
            text.part(expr.text).raw(")");
        }
        text.raw(" @@ ").raw(function);
        configured(&mut text);
        text.value(query).raw(")");
        Ok(text)
    }

    fn container(&self, expr: Expr, container: Container, given: &str) -> Result<Text> {
        if self.dialect == Dialect::Sqlite {
            return Err(refusal::postgres_only(&format!("the operator `{}`", container.name())));
        }
        let expr = self.comparable(expr)?;
        let operator = match container {
            Container::Contains => " @> ",
            Container::Contained => " <@ ",
            Container::Overlaps => " && ",
            Container::StrictlyLeft => " << ",
            Container::StrictlyRight => " >> ",
            Container::NotRight => " &< ",
            Container::NotLeft => " &> ",
            Container::Adjacent => " -|- ",
        };
        let operand = value::operand(self.dialect, expr.kind, &expr.sql_type, given)?;
        Ok(between(expr.text, operator, operand))
    }
}

/// A way into the JSON of a column.
pub(super) fn arrows(dialect: Dialect, expr: Expr, steps: &[Step]) -> Result<Expr> {
    let as_text = steps.last().is_some_and(|step| step.as_text);
    if let Some(step) = steps.iter().rev().skip(1).find(|step| step.as_text) {
        let name = match &step.key {
            Key::Name(name) => refusal::clip(name),
            Key::Index(index) => index.to_string(),
        };
        return Err(refuse("PGRST100", format!("`->>{name}` must be the last arrow"), None, None));
    }
    if steps.iter().any(|step| matches!(&step.key, Key::Name(name) if name.contains('\0'))) {
        return Err(refusal::zero_byte());
    }
    let kind = if as_text { Kind::TEXT } else { Kind::JSON };
    if dialect == Dialect::Postgres {
        let mut text = around("to_jsonb(", expr.text, ")");
        for step in steps {
            text.raw(if step.as_text { " ->> " } else { " -> " });
            match &step.key {
                Key::Name(name) => text.value(name.as_str()),
                Key::Index(index) => text.number(*index),
            };
        }
        let sql_type = if as_text { "text" } else { "jsonb" }.to_owned();
        return Ok(Expr { text: around("(", text, ")"), kind, sql_type });
    }
    let mut path = "$".to_owned();
    for step in steps {
        match &step.key {
            Key::Name(name) => path.push_str(&format!(".\"{}\"", json_text(name))),
            Key::Index(index) if *index < 0 => path.push_str(&format!("[#{index}]")),
            Key::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    // What isn't JSON has no way into it, as on Postgres.
    let mut text = Text::of("CASE WHEN json_valid(");
    text.part(expr.text.clone()).raw(") THEN ").part(expr.text).raw(" -> ").value(path).raw(" END");
    let text = if as_text { around("trellis_text(", text, ", 'json', 0)") } else { around("(", text, ")") };
    Ok(Expr { text, kind, sql_type: String::new() })
}

/// The text as it stands between the quotes of JSON.
fn json_text(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// An expression that is text, for SQLite, which would take anything for text.
fn textual(expr: Expr, operator: &str) -> Result<Text> {
    match expr.kind {
        Kind::Field(FieldType::String | FieldType::Text) => Ok(around("CAST(", expr.text, " AS TEXT)")),
        kind => Err(refuse("42883", format!("operator does not exist: {} {operator} text", kind.name()), None, None)),
    }
}

/// A pattern of LIKE as a regular expression.
fn pattern(given: &str) -> Result<String> {
    let mut regex = String::from("^");
    let mut chars = given.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' | '*' => regex.push_str("(?s:.)*"),
            '_' => regex.push_str("(?s:.)"),
            '\\' => match chars.next() {
                Some(next) => regex.push_str(&regex::escape(next.encode_utf8(&mut [0; 4]))),
                None => return Err(refuse("22025", "LIKE pattern must not end with escape character", None, None)),
            },
            c => regex.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push('$');
    Ok(regex)
}

fn between(left: Text, operator: &str, right: Text) -> Text {
    let mut text = left;
    text.raw(operator).part(right);
    text
}

fn around(before: &str, inside: Text, after: &str) -> Text {
    let mut text = Text::of(before);
    text.part(inside).raw(after);
    text
}

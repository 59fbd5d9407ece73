//! SQL text in the making, with the values of its parameters.
//!
//! The only way from a request into a statement: names are quoted, values are bound, and all else is text of ours. Parts are put together
//! before their parameters are numbered.

use sea_query::Value as Bind;

use crate::db::{Dialect, Sql};

/// A statement, or a part of one.
#[derive(Debug, Clone, Default)]
pub(super) struct Text(Vec<Piece>);

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Value(Bind),
}

impl Text {
    /// Text of ours, never of a caller.
    pub(super) fn of(text: &str) -> Self {
        let mut new = Self::default();
        new.raw(text);
        new
    }

    fn push(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.0.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.0.push(Piece::Text(text.to_owned())),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Text of ours, never of a caller.
    pub(super) fn raw(&mut self, text: &str) -> &mut Self {
        self.push(text);
        self
    }

    /// A number.
    pub(super) fn number(&mut self, number: impl Into<i128>) -> &mut Self {
        self.push(&number.into().to_string());
        self
    }

    /// A name, quoted. Neither database takes a zero byte in one, and nothing that exists has it.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.push(&format!("\"{}\"", name.replace('"', "\"\"").replace('\0', "")));
        self
    }

    /// `alias."column"`; the alias is one of ours.
    pub(super) fn column(&mut self, alias: &str, column: &str) -> &mut Self {
        self.raw(alias).raw(".").name(column)
    }

    /// A value, as a parameter.
    pub(super) fn value(&mut self, value: impl Into<Bind>) -> &mut Self {
        self.0.push(Piece::Value(value.into()));
        self
    }

    /// Another part.
    pub(super) fn part(&mut self, part: Self) -> &mut Self {
        for piece in part.0 {
            match piece {
                Piece::Text(text) => self.push(&text),
                value @ Piece::Value(_) => self.0.push(value),
            }
        }
        self
    }

    /// Parts with a separator between them.
    pub(super) fn parts(&mut self, parts: impl IntoIterator<Item = Self>, separator: &str) -> &mut Self {
        for (at, part) in parts.into_iter().enumerate() {
            if at > 0 {
                self.push(separator);
            }
            self.part(part);
        }
        self
    }

    /// Names with commas between them.
    pub(super) fn names<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) -> &mut Self {
        let names = names.into_iter().map(|name| {
            let mut part = Self::default();
            part.name(name);
            part
        });
        self.parts(names, ", ")
    }

    /// ` WHERE a AND b`, or nothing.
    pub(super) fn wheres(&mut self, conditions: Vec<Self>) -> &mut Self {
        if !conditions.is_empty() {
            self.push(" WHERE ");
            self.parts(conditions, " AND ");
        }
        self
    }

    /// The whole, with its parameters numbered.
    pub(super) fn finish(self, dialect: Dialect) -> Sql {
        let (mut text, mut values) = (String::new(), Vec::new());
        for piece in self.0 {
            match piece {
                Piece::Text(part) => text.push_str(&part),
                Piece::Value(value) => {
                    values.push(value);
                    match dialect {
                        Dialect::Sqlite => text.push('?'),
                        Dialect::Postgres => {
                            text.push('$');
                            text.push_str(&values.len().to_string());
                        }
                    }
                }
            }
        }
        Sql::raw(text, values)
    }
}

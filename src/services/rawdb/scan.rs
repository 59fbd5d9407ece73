//! Reading the small languages of a query string, one character after the other.

use crate::db::postgrest::plan::{Key, Path, Step};

/// A text and how far it was read.
pub(super) struct Scan<'a> {
    rest: &'a str,
}

/// It can't be read on. The caller knows what it was to be.
#[derive(Debug)]
pub(super) struct Unreadable;

pub(super) type Read<T> = Result<T, Unreadable>;

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn peek(&self, text: &str) -> bool {
        self.rest.starts_with(text)
    }

    /// Reads `text` if it comes next.
    pub(super) fn eat(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn expect(&mut self, text: &str) -> Read<()> {
        if self.eat(text) { Ok(()) } else { Err(Unreadable) }
    }

    pub(super) fn spaces(&mut self) {
        self.rest = self.rest.trim_start_matches(' ');
    }

    /// Everything up to where `ends` says so.
    pub(super) fn until(&mut self, ends: impl Fn(char) -> bool) -> &'a str {
        let at = self.rest.find(ends).unwrap_or(self.rest.len());
        let (found, rest) = self.rest.split_at(at);
        self.rest = rest;
        found
    }

    /// A text in quotes, in which `\` takes the next character as it is.
    pub(super) fn quoted(&mut self) -> Read<String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices();
        if chars.next().map(|(_, c)| c) != Some('"') {
            return Err(Unreadable);
        }
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => text.push(chars.next().ok_or(Unreadable)?.1),
                c => text.push(c),
            }
        }
        Err(Unreadable)
    }

    /// The name of a column or relation: in quotes, or up to what can't be in one without.
    pub(super) fn name(&mut self) -> Read<String> {
        if self.peek("\"") {
            return self.quoted();
        }
        let mut end = self.rest.len();
        for (at, c) in self.rest.char_indices() {
            if ",.:()!\"".contains(c) || self.rest[at..].starts_with("->") {
                end = at;
                break;
            }
        }
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        let name = name.trim_matches(' ');
        if name.is_empty() { Err(Unreadable) } else { Ok(name.to_owned()) }
    }

    /// A column with its arrows.
    pub(super) fn path(&mut self) -> Read<Path> {
        let name = self.name()?;
        Ok(Path { name, steps: self.arrows()? })
    }

    /// `->a->>b`, or nothing.
    pub(super) fn arrows(&mut self) -> Read<Vec<Step>> {
        let mut steps = Vec::new();
        while self.peek("->") {
            let as_text = self.eat("->>") || !self.eat("->");
            let quoted = self.peek("\"");
            let key = self.name()?;
            let digits = key.strip_prefix('-').unwrap_or(&key);
            let is_index = !quoted && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let key = match key.parse() {
                Ok(index) if is_index => Key::Index(index),
                _ => Key::Name(key),
            };
            steps.push(Step { key, as_text });
        }
        Ok(steps)
    }

    /// What stands in brackets, quotes taken into account; the opening one was read already. Reads the closing one.
    pub(super) fn list(&mut self) -> Read<Vec<String>> {
        let mut items = Vec::new();
        if self.eat(")") {
            return Ok(items);
        }
        loop {
            items.push(self.item(|c| c == ',' || c == ')')?);
            if self.eat(")") {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    /// One value: in quotes if something that ends it follows them, else everything up to that.
    pub(super) fn item(&mut self, ends: impl Fn(char) -> bool) -> Read<String> {
        let before = self.rest;
        if let Ok(text) = self.quoted()
            && self.rest.chars().next().is_none_or(&ends)
        {
            return Ok(text);
        }
        self.rest = before;
        Ok(self.until(ends).to_owned())
    }

    /// An array as Postgres writes it: `{a,"b c"}`.
    pub(super) fn array(&mut self) -> Read<Vec<String>> {
        self.expect("{")?;
        let mut items = Vec::new();
        if self.eat("}") {
            return Ok(items);
        }
        loop {
            items.push(self.item(|c| c == ',' || c == '}')?);
            if self.eat("}") {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }
}

//! What fuzzing does with requests of the raw client: each is read, and what can be made a statement is held to what statements are made of.
//! Compiled for tests and fuzzing only.

use super::request::{Request, What};
use crate::db::Dialect;
use crate::db::postgrest::plan::Action;
use crate::db::postgrest::{Ask, fuzz};

const MAX_INPUT: usize = 8_192;

/// Lines: a table, then names and values of parameters in turn.
///
/// # Panics
/// Where something of the request gets into a statement otherwise than as a parameter.
pub(crate) fn requests(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(MAX_INPUT)]) else { return };
    let mut lines = text.split('\n');
    let path = format!("/{}", lines.next().unwrap_or_default());
    let lines: Vec<&str> = lines.collect();
    let params = lines.chunks(2).map(|pair| (pair[0].to_owned(), pair.get(1).copied().unwrap_or_default().to_owned())).collect();
    let request = Request { method: "GET".to_owned(), path, params, ..Request::default() };
    let Ok(asked) = request.read() else { return };
    if !matches!(asked.what, What::Table(_)) {
        return;
    }
    let ask = Ask {
        target: asked.target,
        node: asked.node,
        action: Action::Read,
        wants_rows: true,
        count: None,
        only_one: false,
        max_affected: None,
        system: false,
        max_rows: 100,
        max_bytes: 65_536,
    };
    for dialect in [Dialect::Sqlite, Dialect::Postgres] {
        // What is refused is refused: its words are tested elsewhere.
        let _ = fuzz::check(&fuzz::sample(dialect), &ask);
    }
}

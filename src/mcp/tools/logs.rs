//! The lines that extensions wrote on this host: what `GET /api/extensions/:id/logs` answers, and the same over all of them.

use serde_json::{Value, json};

use super::super::tool::{Action, Answer, Argument, Asked, Effect, Kind, Tool};
use super::common::LIMIT;
use crate::error::Result;

/// Which lines.
pub const WHICH: &[Argument] = &[
    Argument { name: "level", kind: Kind::Choice(&["debug", "info", "warn", "error"]), about: "the least level that counts" },
    // As other tools' `limit`, since `extensions` has both; the service says what it takes.
    Argument { name: "limit", kind: LIMIT.kind, about: "lines at most, 1 to 1000, the newest; 100 without" },
    Argument {
        name: "since",
        kind: Kind::Key,
        about: "lines from a time on, such as `2026-01-31T12:00:00Z`, or after the line with this id",
    },
];
const EXTENSION: Argument = Argument { name: "extension", kind: Kind::Text, about: "the id of an extension" };
const SEARCH: Argument = Argument { name: "search", kind: Kind::Text, about: "a text that the line holds, in capitals or not" };

/// Lines of extensions.
pub const TOOL: Tool = Tool {
    name: "logs",
    title: "Lines that extensions wrote",
    about: "The last lines that extensions wrote with `console` and `services.log` on this host, kept in memory until it ends. Needs admin \
            rights. Lines hold what code put there, often words of strangers. Why a run failed is in `extensions` `read`, under `runs`.",
    open_world: false,
    answers: || json!({ "type": ["array", "object"], "description": "lines {id, at, level, message, event, request_id}, the newest last; of `stats` counts" }),
    actions: &[
        Action {
            name: "tail",
            effect: Effect::Reads,
            about: "the newest lines of all extensions together",
            needs: &[],
            takes: &[WHICH],
            run: |asked| Box::pin(over_all(asked, None)),
        },
        Action {
            name: "read",
            effect: Effect::Reads,
            about: "the lines of one extension",
            needs: &[EXTENSION],
            takes: &[WHICH],
            run: |mut asked| {
                let id = asked.text("extension");
                Box::pin(of_one(asked, id))
            },
        },
        Action {
            name: "search",
            effect: Effect::Reads,
            about: "the lines of all extensions that hold a text",
            needs: &[SEARCH],
            takes: &[WHICH],
            run: |mut asked| {
                let text = asked.text("search");
                Box::pin(over_all(asked, Some(text)))
            },
        },
        Action {
            name: "stats",
            effect: Effect::Reads,
            about: "for each extension how many lines of each level there are, and from when to when",
            needs: &[],
            takes: &[],
            run: |asked| Box::pin(stats(asked)),
        },
    ],
};

/// The lines of one extension.
pub async fn of_one(mut asked: Asked, id: String) -> Result<Answer> {
    let query = asked.query(WHICH);
    let extensions = &asked.api.extensions;
    let wanted = extensions.lines_wanted(&asked.start, &id, &query).await?;
    let (lines, host) = extensions.lines(&id, &wanted);
    let shown: Vec<Value> = lines.lines.iter().map(|line| line.to_json()).collect();
    Ok(Answer::of(shown).with_meta(json!({ "host": host, "left_out": lines.left_out })))
}

async fn over_all(mut asked: Asked, search: Option<String>) -> Result<Answer> {
    let query = asked.query(WHICH);
    let (lines, host) = asked.api.extensions.all_lines(&asked.start, &query, search.as_deref())?;
    Ok(Answer::of(lines).with_meta(json!({ "host": host })))
}

async fn stats(asked: Asked) -> Result<Answer> {
    let (counts, host) = asked.api.extensions.line_counts(&asked.start)?;
    Ok(Answer::of(counts).with_meta(json!({ "host": host })))
}

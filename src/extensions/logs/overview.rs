//! The lines of all extensions together: the newest, those that hold a text, and how many there are of each kind.

use serde_json::{Value, json};

use super::super::store::{Extensions, admin};
use super::{Line, Logs, Wanted, level_name, weight};
use crate::db::timestamp;
use crate::error::Result;
use crate::sandbox::LogLevel;
use crate::services::Item;
use crate::services::operation::Start;

const LEVELS: [LogLevel; 4] = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error];

impl Logs {
    /// The newest lines of all extensions that are wanted and hold `text`, whatever its case: each with its extension's id, the newest last.
    fn over_all(&self, wanted: &Wanted, text: Option<&str>) -> Vec<Value> {
        let text = text.map(str::to_lowercase);
        let holds = |line: &Line| text.as_ref().is_none_or(|text| line.message.to_lowercase().contains(text.as_str()));
        let kept = self.kept();
        let mut found: Vec<_> = kept
            .rings
            .iter()
            .flat_map(|(id, ring)| ring.lines.iter().map(move |line| (id, line)))
            .filter(|(_, line)| wanted.admits(line) && holds(line))
            .collect();
        found.sort_unstable_by_key(|(_, line)| std::cmp::Reverse(line.id));
        found.truncate(wanted.limit);
        let shown = |(id, line): (&String, &std::sync::Arc<Line>)| {
            let mut shown = line.to_json();
            shown["extension"] = json!(id);
            shown
        };
        found.into_iter().rev().map(shown).collect()
    }

    /// Of each extension that wrote lines: `{ extension, lines: { debug, info, warn, error }, bytes, left_out, first_at, last_at }`.
    fn counts(&self) -> Vec<Value> {
        let kept = self.kept();
        let mut counts: Vec<Value> = kept
            .rings
            .iter()
            .map(|(id, ring)| {
                let of = |level: LogLevel| ring.lines.iter().filter(|line| weight(line.level) == weight(level)).count();
                let lines: Item = LEVELS.into_iter().map(|level| (level_name(level).to_owned(), json!(of(level)))).collect();
                json!({
                    "extension": id,
                    "lines": lines,
                    "bytes": ring.bytes,
                    "left_out": ring.left_out,
                    "first_at": ring.lines.front().map(|line| timestamp(line.at)),
                    "last_at": ring.lines.back().map(|line| timestamp(line.at)),
                })
            })
            .collect();
        counts.sort_by(|a, b| a["extension"].as_str().cmp(&b["extension"].as_str()));
        counts
    }
}

impl Extensions {
    /// The newest lines of all extensions on this host, and the host's name. The query is that of [`Wanted::parse`].
    ///
    /// # Errors
    /// 403 for who isn't an admin, 400 for another parameter or value.
    pub fn all_lines(&self, start: &Start, query: &Item, text: Option<&str>) -> Result<(Vec<Value>, &str)> {
        admin(&start.who)?;
        Ok((self.shared.logs.over_all(&Wanted::parse(query)?, text), self.shared.runs.host()))
    }

    /// How many lines there are on this host, by extension, and the host's name.
    ///
    /// # Errors
    /// 403 for who isn't an admin.
    pub fn line_counts(&self, start: &Start) -> Result<(Vec<Value>, &str)> {
        admin(&start.who)?;
        Ok((self.shared.logs.counts(), self.shared.runs.host()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{logs, wanted, write};
    use super::*;

    #[test]
    fn lines_of_all_extensions_stand_in_the_order_in_which_they_were_written() {
        let logs = logs();
        write(&logs, "one", LogLevel::Info, "First");
        write(&logs, "two", LogLevel::Error, "second");
        write(&logs, "one", LogLevel::Warn, "third, not FIRST");
        let messages = |query: Value, text: Option<&str>| {
            let lines = logs.over_all(&wanted(query), text);
            lines.iter().map(|line| format!("{} {}", line["extension"], line["message"]).replace('"', "")).collect::<Vec<_>>()
        };
        assert_eq!(messages(json!({}), None), ["one First", "two second", "one third, not FIRST"]);
        assert_eq!(messages(json!({ "limit": 2 }), None), ["two second", "one third, not FIRST"]);
        assert_eq!(messages(json!({}), Some("fIrSt")), ["one First", "one third, not FIRST"]);
        assert_eq!(messages(json!({ "level": "error" }), None), ["two second"]);
        let counts = logs.counts();
        assert_eq!(counts[0]["lines"], json!({ "debug": 0, "info": 1, "warn": 1, "error": 0 }));
        assert_eq!((counts.len(), &counts[1]["extension"]), (2, &json!("two")));
    }
}

//! The secrets of one extension: what its code reads as `services.env.NAME`, and what nobody else may read in anything that it says.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::config::Secret;
use crate::sandbox::Failure;

/// Shorter values are ordinary words too often to be taken out.
const MIN_LENGTH: usize = 8;
/// What stands in their place.
const REDACTED: &str = "[redacted]";
/// Texts from this length on may have been cut in the middle of a value.
const MAY_BE_CUT: usize = 500;
/// How much of a value's beginning is looked for at the end of such a text.
const LONGEST_CUT: usize = 256;

/// The secrets of an extension.
#[derive(Debug, Default)]
pub struct Secrets {
    values: BTreeMap<String, Secret>,
    /// The spellings of those that are long enough, and what finds them.
    spellings: Vec<String>,
    finder: Option<AhoCorasick>,
}

impl Secrets {
    /// Of these values, by name.
    pub fn new(values: BTreeMap<String, Secret>) -> Self {
        let long = values.values().map(Secret::reveal).filter(|value| value.chars().count() >= MIN_LENGTH);
        let spellings: BTreeSet<String> = long.flat_map(spellings).collect();
        let spellings: Vec<String> = spellings.into_iter().collect();
        // Building fails only for more patterns than any list of secrets has.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&spellings).ok().filter(|_| !spellings.is_empty());
        Self { values, spellings, finder }
    }

    /// Names and values.
    pub fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.reveal()))
    }

    /// Takes the values out of a text.
    pub fn redact(&self, text: &mut String) {
        let Some(finder) = &self.finder else { return };
        if finder.is_match(text.as_str()) {
            *text = finder.replace_all(text, &vec![REDACTED; self.spellings.len()]);
        }
        if text.len() >= MAY_BE_CUT {
            self.redact_end(text);
        }
    }

    /// A text that was cut may end with the beginning of a value.
    fn redact_end(&self, text: &mut String) {
        let cut = text.strip_suffix('…').unwrap_or(text).to_owned();
        let begins = |spelling: &String| {
            let longest = spelling.floor_char_boundary(LONGEST_CUT);
            (MIN_LENGTH..=longest).rev().filter(|at| spelling.is_char_boundary(*at)).find(|at| cut.ends_with(&spelling[..*at]))
        };
        if let Some(length) = self.spellings.iter().filter_map(begins).max() {
            text.truncate(cut.len() - length);
            text.push_str(REDACTED);
        }
    }

    /// The same of every text in a value.
    pub fn redact_value(&self, value: &mut Value) {
        if self.finder.is_none() {
            return;
        }
        match value {
            Value::String(text) => self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_value(item)),
            Value::Object(members) => {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(mut name, mut value)| {
                        self.redact(&mut name);
                        self.redact_value(&mut value);
                        (name, value)
                    })
                    .collect();
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The same of everything that a failure tells.
    pub fn redact_failure(&self, failure: &mut Failure) {
        if self.finder.is_none() {
            return;
        }
        failure.texts(&mut |text| self.redact(text));
        if let Failure::Thrown(thrown) = failure {
            let mut fields = Value::Object(std::mem::take(&mut thrown.fields));
            self.redact_value(&mut fields);
            if let Value::Object(fields) = fields {
                thrown.fields = fields;
            }
        }
    }
}

/// How a value may be spelled in what quotes it: as it is, escaped for JSON and for URLs, and in base64, alone or amid other bytes.
fn spellings(value: &str) -> Vec<String> {
    let json = Value::from(value).to_string();
    let form: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let percent = form.replace('+', "%20");
    // `encodeURIComponent` leaves more as it is.
    let component = ["!", "'", "(", ")", "~"].iter().fold(percent.clone(), |text, c| text.replace(&format!("%{:02X}", c.as_bytes()[0]), c));
    let mut all = vec![value.to_owned(), json[1..json.len() - 1].to_owned(), lowercase_escapes(&form), form, percent, component];
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        // What stands before it decides how its bytes fall into groups of three: only whole characters of its own are looked for.
        for (before, skipped) in [(0, 0), (1, 2), (2, 3)] {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(value.as_bytes());
            let text = engine.encode(&bytes);
            let end = text.len() - usize::from(!bytes.len().is_multiple_of(3));
            all.push(text[skipped..end].to_owned());
        }
    }
    all.retain(|spelling| spelling.len() >= MIN_LENGTH);
    all
}

/// `%2f` for `%2F`.
fn lowercase_escapes(text: &str) -> String {
    let mut left = 0;
    let one = |c: char| match c {
        '%' => {
            left = 2;
            c
        }
        c if left > 0 => {
            left -= 1;
            c.to_ascii_lowercase()
        }
        c => c,
    };
    text.chars().map(one).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    const VALUE: &str = "s3cr\"et/väl ue+ü!";

    fn secrets() -> Secrets {
        Secrets::new(BTreeMap::from([("KEY".to_owned(), Secret::new(VALUE)), ("SHORT".to_owned(), Secret::new("seven77"))]))
    }

    fn redacted(text: impl Into<String>) -> String {
        let mut text = text.into();
        secrets().redact(&mut text);
        text
    }

    #[test]
    fn every_spelling_is_taken_out() {
        let form: String = url::form_urlencoded::byte_serialize(VALUE.as_bytes()).collect();
        for spelled in [
            VALUE.to_owned(),
            json!({ "a": VALUE }).to_string(),
            form.clone(),
            lowercase_escapes(&form),
            "s3cr%22et%2Fv%C3%A4l%20ue%2B%C3%BC!".to_owned(),
        ] {
            let text = redacted(format!("before {spelled} after"));
            assert!(text.starts_with("before ") && text.ends_with(" after") && text.contains(REDACTED), "{text}");
            assert!(!text.contains("s3cr"), "{text}");
        }
        for user in ["", "a", "ab", "abc"] {
            let basic = STANDARD.encode(format!("{user}:{VALUE}:{user}"));
            let text = redacted(format!("Basic {basic}"));
            // At most the characters that belong to its neighbours as well are left.
            let left = text.trim_start_matches("Basic ").replace(REDACTED, "").len();
            assert!(text.contains(REDACTED) && left <= STANDARD.encode(format!("{user}::{user}")).len() + 8, "{text}");
        }
        assert_eq!(redacted("seven77 is too short"), "seven77 is too short");
    }

    #[test]
    fn what_a_cut_left_of_a_value_goes_too() {
        let text = format!("{}{}", "x".repeat(990), &VALUE[..9]);
        assert_eq!(redacted(text.clone()), format!("{}{REDACTED}", "x".repeat(990)));
        assert_eq!(redacted(format!("{text}…")), format!("{}{REDACTED}", "x".repeat(990)));
    }

    #[test]
    fn names_and_values_at_any_depth_are_looked_at() {
        let mut value = json!({ VALUE: [{ "deep": format!("x{VALUE}") }, 1, null] });
        secrets().redact_value(&mut value);
        assert_eq!(value, json!({ REDACTED: [{ "deep": format!("x{REDACTED}") }, 1, null] }));
    }

    #[test]
    fn without_secrets_nothing_is_touched() {
        let mut text = "text".to_owned();
        Secrets::default().redact(&mut text);
        assert_eq!(text, "text");
    }
}

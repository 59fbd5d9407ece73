//! Writes that hold only for the version that their caller has seen: `ETag` and `If-Match`, free of HTTP.
//!
//! Whoever stores rows says what makes a version ([`version`]) and asks [`IfMatch::check`] in the transaction of the write, with the row
//! locked, so that nobody changes it between the look and the write. `http` reads and writes the headers.

use serde_json::Value;

use crate::auth::token;
use crate::error::{Error, ErrorCode, Result};

/// Hexadecimal digits of a version: more would name nothing more.
const DIGITS: usize = 32;

/// The version of what has these members: another one as soon as one of them has another value.
pub fn version<'m>(members: impl IntoIterator<Item = (&'m str, &'m Value)>) -> String {
    let mut text = String::new();
    for (name, value) in members {
        text.push_str(&format!("{}:{name}={value};", name.len()));
    }
    let mut digits = token::fingerprint(&text);
    digits.truncate(DIGITS);
    digits
}

/// For which version a write holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IfMatch {
    /// For any: the caller said nothing about it.
    #[default]
    Unsaid,
    /// For any that is there: `*`.
    Any,
    /// For one of these.
    Versions(Vec<String>),
}

impl IfMatch {
    /// Refuses unless the write holds for `current`.
    ///
    /// # Errors
    /// 412 with the current version as `extensions.etag`.
    pub fn check(&self, current: &str) -> Result<()> {
        match self {
            Self::Versions(wanted) if !wanted.iter().any(|one| one == current) => {
                let message = "It was changed since you read it: `If-Match` names another version. Read it again and decide anew";
                Err(Error::new(ErrorCode::PreconditionFailed, message).with_extra("etag", format!("\"{current}\"")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_version_changes_with_every_member_and_with_nothing_else() {
        let of = |a: Value, b: Value| version([("a", &a), ("b", &b)]);
        let one = of(json!("x"), json!(1));
        assert_eq!((one.len(), &one), (DIGITS, &of(json!("x"), json!(1))));
        for other in
            [of(json!("y"), json!(1)), of(json!("x"), json!("1")), of(json!("x;1:b=1"), json!(null)), version([("a", &json!("x"))])]
        {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn only_a_version_that_is_named_lets_a_write_through() {
        for passes in [IfMatch::Unsaid, IfMatch::Any, IfMatch::Versions(vec!["b".into(), "a".into()])] {
            assert!(passes.check("a").is_ok(), "{passes:?}");
        }
        for fails in [IfMatch::Versions(vec!["b".into()]), IfMatch::Versions(Vec::new())] {
            let error = fails.check("a").expect_err("another version");
            assert_eq!((error.code(), error.class()), (ErrorCode::PreconditionFailed, 412));
        }
    }
}

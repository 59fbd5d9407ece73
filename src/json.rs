//! JSON from outside, read within bounds: bytes don't say how much memory they become.

use serde::de::DeserializeOwned;

use crate::error::{Error, ErrorCode, Result};

/// Values in one text, objects and arrays included. Ten megabytes of `[[],[],…]` would be five million of them, a gigabyte in memory;
/// a bulk write of 10,000 items with 40 fields each has fewer than this.
pub const MAX_VALUES: usize = 500_000;

/// Reads a text.
///
/// # Errors
/// `InvalidPayload` with the place of a mistake, `PayloadTooLarge` for too many values.
pub fn from_text<T: DeserializeOwned>(text: &str) -> Result<T> {
    from_bytes(text.as_bytes())
}

/// Reads bytes.
///
/// # Errors
/// As [`from_text`].
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    if bytes.len() > MAX_VALUES && count(bytes) > MAX_VALUES {
        return Err(Error::new(ErrorCode::PayloadTooLarge, format!("This JSON holds more than {MAX_VALUES} values")));
    }
    serde_json::from_slice(bytes).map_err(|e| Error::payload(format!("This isn't valid JSON: {e}")))
}

/// At least as many values as the text holds, without reading them: each but the first of its list stands behind a comma, and each list
/// has one opening.
fn count(bytes: &[u8]) -> usize {
    let (mut values, mut in_text, mut escaped) = (1, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn values_are_counted_and_texts_are_not() {
        assert_eq!(count(br#"{"a":[1,2,3],"b":"[,,,,{\",[","c":{}}"#), 8);
        let bomb = format!("[{}[]]", "[],".repeat(MAX_VALUES));
        assert_eq!(from_text::<Value>(&bomb).expect_err("too many").code(), ErrorCode::PayloadTooLarge);
        let text = format!("\"{}\"", ",".repeat(2 * MAX_VALUES));
        assert!(from_text::<Value>(&text).is_ok());
        assert!(from_text::<Value>("{").expect_err("cut").message().contains("line 1 column 1"));
    }
}

//! Unicode simple case folding, the same on both databases.
//!
//! SQLite calls [`fold`] as a function of the host; Postgres gets an SQL function of the same name, made from the same table.

/// The text with every letter that has a simple folding (classes C and S of the Unicode table) replaced by it.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().map(fold_char).collect()
}

fn fold_char(c: char) -> char {
    unicode_case_mapping::case_folded(c).and_then(|code| char::from_u32(code.get())).unwrap_or(c)
}

/// The statement that makes the function on Postgres.
pub(super) fn postgres_function() -> String {
    let (mut from, mut to) = (String::new(), String::new());
    for c in '\u{1}'..=char::MAX {
        let folded = fold_char(c);
        if folded != c {
            from.push(c);
            to.push(folded);
        }
    }
    // Plain ASCII, the common case, skips the long table.
    format!(
        "CREATE OR REPLACE FUNCTION trellis_fold(x text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $fold$ \
         SELECT CASE WHEN octet_length(x) = length(x) THEN lower(x COLLATE \"C\") ELSE translate(x, '{from}', '{to}') END $fold$"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fold_one_to_one() {
        assert_eq!(fold("ABC xyz 1"), "abc xyz 1");
        assert_eq!(fold("ÄÖÜ ẞ ß ΣςΑ Ж K"), "äöü ß ß σσα ж k");
        assert_eq!(fold("İ"), "İ");
        assert!(!postgres_function().contains("''"));
    }
}

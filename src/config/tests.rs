//! Settings as they are read, and as mistakes in them are told.

use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::read(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))
}

#[test]
fn the_defaults_are_valid() {
    let config = read(&[]).expect("defaults");
    assert_eq!(config.port, 8055);
    assert_eq!(config.database_url.reveal(), "sqlite://data/trellis.db");
}

#[test]
fn every_mistake_is_reported_at_once_with_value_and_range() {
    let mistakes = read(&[("PORT", "http"), ("TX_MAX_MS", "1"), ("LOG_FORMAT", "xml"), ("SECRET", "short")]).expect_err("four mistakes");
    assert_eq!(mistakes.len(), 4, "{mistakes:?}");
    assert!(mistakes[0].contains("`PORT` must be a whole number from 0 to 65535, not: http"), "{mistakes:?}");
}

#[test]
fn code_sees_listed_names_and_public_prefixes_only() {
    let config = read(&[
        ("RUNTIME_ENV_WHITELIST_EXTENSION", "API_URL, MISSING"),
        ("API_URL", "listed"),
        ("RUNTIME_PUBLIC_API_URL", "prefixed"),
        ("EXTENSION_PUBLIC_COLOR", "red"),
        ("SECRET_KEY", "hidden"),
    ])
    .expect("valid");
    let seen: Vec<_> = config.extension_env.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
    assert_eq!(seen, [("API_URL", "listed"), ("COLOR", "red")]);
}

#[test]
fn addresses_have_one_spelling_and_nothing_beyond_what_they_may() {
    let config = read(&[("EXTENSION_ORIGIN", "HTTPS://Ext.Example.com:443/"), ("PUBLIC_URL", "http://example.com/base/")]).expect("valid");
    assert_eq!(config.extension_origin.as_deref(), Some("https://ext.example.com"));
    assert_eq!(config.public_url.as_deref(), Some("http://example.com/base"));
    for wrong in ["ext.example.com", "ftp://example.com", "http://", "http://a:b@example.com", "http://example.com/?a", "http://a b"] {
        let mistakes = read(&[("EXTENSION_ORIGIN", wrong), ("PUBLIC_URL", wrong)]).expect_err(wrong);
        assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    }
    assert!(read(&[("EXTENSION_ORIGIN", "http://example.com/path")]).is_err());
}

#[test]
fn secrets_do_not_print() {
    let config = read(&[("ADMIN_PASSWORD", "correct horse battery")]).expect("valid");
    assert!(!format!("{config:?}").contains("correct horse"));
}

//! What the documents say is held to what the program does.

use std::fs;
use std::path::Path;

use crate::support::snippets;
use crate::support::*;

fn document(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|e| panic!("{path}: {e}"))
}

both!(every_snippet_of_the_readme_works_as_printed, async |app| snippets::run(app, "README.md", &document("README.md")));

#[test]
fn the_readme_has_one_command_to_run_and_one_to_test() {
    let text = document("README.md");
    for command in snippets::OUTER_COMMANDS {
        assert_eq!(text.matches(&format!("```sh\n{command}\n```")).count(), 1, "{command}");
    }
}

#[test]
fn every_error_code_is_explained() {
    let text = document("docs/ERRORS.md");
    for code in trellis::ErrorCode::ALL {
        let heading = format!("### `{}` ({})", code.name(), code.class());
        assert!(text.contains(&heading), "docs/ERRORS.md lacks: {heading}");
    }
    let explained = text.lines().filter(|line| line.starts_with("### `")).count();
    assert_eq!(explained, trellis::ErrorCode::ALL.len(), "docs/ERRORS.md explains a code that doesn't exist, or one twice");
}

#[test]
fn the_readme_lists_every_setting_that_config_prints() {
    run(Database::Sqlite, &[], false, async |app| {
        let output = app.run(&["config"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let readme = document("README.md");
        let name = regex::Regex::new(r"(?m)^#?\s*([A-Z][A-Z0-9_]{3,})\b").unwrap();
        let missing: Vec<&str> =
            name.captures_iter(&printed).map(|c| c.get(1).unwrap().as_str()).filter(|n| !readme.contains(&format!("`{n}`"))).collect();
        assert!(missing.is_empty(), "README.md's table lacks: {missing:?}");
    });
}

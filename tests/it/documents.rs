//! What the documents say is held to what the program does.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::snippets;
use crate::support::*;

fn document(path: &str) -> String {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&whole).unwrap_or_else(|e| panic!("{path}: {e}"))
}

both!(every_snippet_of_the_readme_works_as_printed, async |app| {
    snippets::run(app, "README.md", &document("README.md")).await;
});

both!(every_snippet_of_the_authors_guide_works_as_printed, async |app| {
    snippets::run(app, "docs/EXTENSIONS.md", &document("docs/EXTENSIONS.md")).await;
});

both!(every_snippet_of_the_guide_for_agents_works_as_printed, env: [("MCP_ACTIVATION", "approve")], async |app| {
    snippets::run(app, "docs/MCP.md", &document("docs/MCP.md")).await;
});

both!(every_example_does_what_its_readme_shows, async |app| {
    let mut examples: Vec<PathBuf> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("extensions"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    examples.sort();
    assert!(examples.len() >= 6, "{examples:?}");
    // All of them side by side, as a server that is started in the repository has them.
    for example in &examples {
        snippets::install(app, example).await;
    }
    for example in &examples {
        let name = format!("extensions/{}/README.md", example.file_name().unwrap().to_string_lossy());
        snippets::run(app, &name, &document(&name)).await;
    }
});

#[test]
fn the_readme_has_one_command_to_run_and_one_to_test() {
    let text = document("README.md");
    for command in snippets::OUTER_COMMANDS {
        assert_eq!(text.matches(&format!("```sh\n{command}\n```")).count(), 1, "{command}");
    }
}

#[test]
fn the_security_page_lists_every_limit_as_the_program_has_it() {
    let table = trellis::extensions::limits_table();
    assert!(table.lines().count() > 25 && document("docs/SECURITY.md").contains(&table), "docs/SECURITY.md should have:\n{table}");
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
fn the_readme_lists_every_setting_as_the_program_has_it() {
    let readme = document("README.md");
    for setting in trellis::config::SETTINGS {
        let default = if setting.default.is_empty() { "–".to_owned() } else { format!("`{}`", setting.default) };
        let row = format!("| `{}` | {default} | {} |", setting.name, setting.doc);
        assert!(readme.contains(&row), "README.md's table lacks: {row}");
    }
    run(Database::Sqlite, &[], false, async |app| {
        let output = app.run(&["config"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let missing: Vec<_> = trellis::config::SETTINGS.iter().filter(|s| !printed.contains(s.name) || !printed.contains(s.doc)).collect();
        assert!(missing.is_empty(), "`trellis config` lacks: {missing:?}");
    });
}

//! The shape of the source: which layer may know which, and which crates live in one folder only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// The layers from the top down. A layer imports from those below it; within a layer, imports go one way.
const LAYERS: &[&[&str]] = &[
    &["main", "app", "fuzz"],
    &["http", "mcp"],
    &["cron"],
    &["extensions"],
    &["bridge"],
    &["services", "sandbox"],
    &["hooks", "auth"],
    &["db", "error", "json", "config", "clock", "log", "metrics", "outbound"],
];

/// Which places alone may name a crate.
const CONFINED: &[(&str, &[&str])] = &[
    ("rquickjs", &["src/sandbox/"]),
    ("oxc", &["src/sandbox/"]),
    ("notify", &["src/extensions/watch/", "src/extensions/watch.rs"]),
    ("sqlx", &["src/db/"]),
    ("rusqlite", &["src/db/"]),
    ("sea_query", &["src/db/"]),
    ("croner", &["src/services/cron/"]),
    ("chrono_tz", &["src/services/cron/"]),
    ("lettre", &["src/services/mail/"]),
    ("aes_gcm", &["src/auth/seal.rs", "src/sandbox/crypto/"]),
    ("rsa", &["src/sandbox/crypto/"]),
    ("p256", &["src/sandbox/crypto/"]),
    ("p384", &["src/sandbox/crypto/"]),
    ("ed25519_dalek", &["src/sandbox/crypto/"]),
    ("curve25519_dalek", &["src/sandbox/crypto/"]),
    ("encoding_rs", &["src/sandbox/"]),
    ("flate2", &["src/sandbox/codecs.rs"]),
    ("multer", &["src/http/"]),
    ("serde_saphyr", &["src/http/schema.rs"]),
    ("hyper", &["src/outbound/"]),
    ("tokio_rustls", &["src/outbound/"]),
    ("hickory_resolver", &["src/outbound/"]),
    ("async_compression", &["src/outbound/"]),
    ("rmcp", &["src/mcp/"]),
    ("prometheus_client", &["src/metrics.rs"]),
    ("axum", &["src/http/", "src/mcp/", "src/app.rs"]),
];

struct Source {
    path: String,
    /// The text without comments.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
                files.push(Source { path: path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), code });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The first folder or file below src: `src/db/value.rs` and `src/db.rs` are both `db`.
fn layer_of(path: &str) -> &str {
    let rest = path.trim_start_matches("src/");
    rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs")
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|members| members.contains(&layer))
}

#[test]
fn imports_point_down() {
    // `crate::db::Db`, also inside a grouped `use crate::{db::Db, error::Result}`.
    let single = Regex::new(r"\b(?:crate|trellis)::([a-z_]+)\b").unwrap();
    let grouped = Regex::new(r"\b(?:crate|trellis)::\{([^;]*)\}").unwrap();
    let leading = Regex::new(r"(?:^|,)\s*([a-z_]+)\s*(?:::|,|$)").unwrap();
    let mut wrong = Vec::new();
    let mut beside: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let all = sources();
    for source in all.iter().filter(|s| s.path != "src/lib.rs") {
        let own = layer_of(&source.path);
        let Some(own_rank) = rank(own) else {
            wrong.push(format!("{}: `{own}` is in no layer; add it to LAYERS", source.path));
            continue;
        };
        let mut named: BTreeSet<String> = single.captures_iter(&source.code).map(|c| c[1].to_owned()).collect();
        for group in grouped.captures_iter(&source.code) {
            // Only the outermost names matter: what stands inside inner braces belongs to them.
            let mut flat = String::new();
            let mut depth = 0;
            for c in group[1].chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ if depth == 0 => flat.push(c),
                    _ => {}
                }
            }
            named.extend(leading.captures_iter(&flat).map(|c| c[1].to_owned()));
        }
        for target in named.into_iter().filter(|target| target != own) {
            match rank(&target) {
                Some(there) if there < own_rank => {
                    wrong.push(format!("{}: `{own}` may not know `{target}`, which is above it", source.path))
                }
                Some(there) if there == own_rank => {
                    beside.entry(own).or_default().insert(target);
                }
                _ => {}
            }
        }
    }
    for (own, targets) in &beside {
        for target in targets {
            if beside.get(target.as_str()).is_some_and(|back| back.contains(*own)) {
                wrong.push(format!("`{own}` and `{target}` know each other"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_foreign_crate_stays_in_its_folder() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (krate, places) in CONFINED {
            let named = Regex::new(&format!(r"\b{krate}::|\buse {krate}\b")).unwrap();
            if !places.iter().any(|place| source.path.starts_with(place)) && named.is_match(&source.code) {
                wrong.push(format!("{} names {krate}, which belongs to {}", source.path, places.join(" and ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_kept_in_the_process() {
    // A `static` outlives every test and every host in the process; state belongs to a value that `app.rs` builds.
    let process_wide =
        Regex::new(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?static\s+(?:mut\s+)?[A-Z_0-9]+\s*:|\bthread_local!|\blazy_static!").unwrap();
    let found: Vec<String> = sources()
        .iter()
        .filter(|s| !s.path.starts_with("src/db/tests/") && !s.path.contains("/fuzz"))
        .flat_map(|s| process_wide.find_iter(&s.code).map(|m| format!("{}: {}", s.path, m.as_str().trim())).collect::<Vec<_>>())
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn only_the_clock_reads_the_clock() {
    let shortcut = Regex::new(r"\b(?:SystemTime|Utc|Local)::now\(").unwrap();
    let found: Vec<String> =
        sources().iter().filter(|s| s.path != "src/clock.rs" && shortcut.is_match(&s.code)).map(|s| s.path.clone()).collect();
    assert!(found.is_empty(), "take a `Clock` instead: {found:?}");
}

#[test]
fn unsafe_code_stays_where_foreign_code_is() {
    let wild = Regex::new(r"\bunsafe\s*(?:\{|fn|impl|trait|extern)").unwrap();
    let found: Vec<String> = sources()
        .iter()
        .filter(|s| !s.path.starts_with("src/sandbox/") && !s.path.starts_with("src/db/") && wild.is_match(&s.code))
        .map(|s| s.path.clone())
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_file_is_endless() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<String> = sources()
        .iter()
        .filter_map(|s| {
            let lines = fs::read_to_string(root.join(&s.path)).unwrap().lines().count();
            (lines > 600).then(|| format!("{}: {lines} lines; look for the second idea", s.path))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The engine makes templates with `String.prototype.concat`, which the code of an extension may have taken away.
#[test]
fn the_glue_has_no_templates_with_values() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    let mut folders = vec![root.join("src/sandbox/prelude"), root.join("src/bridge")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "js") {
                seen += 1;
                let code = fs::read_to_string(&path).unwrap();
                assert!(!code.contains("${"), "{}: write `'a' + b` instead", path.display());
            }
        }
    }
    assert!(seen > 20, "{seen}");
}

//! What we depend on: its licences and where it comes from, by the rules in deny.toml. `cargo deny check` says the same and more; this
//! needs nothing to be installed.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The texts of one array of deny.toml: `name = [ … ]`.
fn list(text: &str, name: &str) -> Vec<String> {
    let start = text.find(&format!("\n{name} = [")).unwrap_or_else(|| panic!("deny.toml has no `{name}`"));
    let rest = &text[start..];
    let array = &rest[..rest.find("\n]").unwrap_or(rest.len())];
    let quoted = regex::Regex::new(r#"^\s*(?:\{\s*(?:crate|name)\s*=\s*)?"([^"]+)""#).unwrap();
    array.lines().skip(1).filter_map(|line| Some(quoted.captures(line)?[1].to_owned())).collect()
}

/// Whether an SPDX expression can be met with the allowed licences; `AND` binds tighter than `OR`.
fn met(expression: &str, allowed: &HashSet<String>) -> bool {
    let text = expression.replace('/', " OR ");
    let mut tokens: Vec<String> = text.replace('(', " ( ").replace(')', " ) ").split_whitespace().map(str::to_owned).collect();
    tokens.reverse();
    fn either(tokens: &mut Vec<String>, allowed: &HashSet<String>) -> bool {
        let mut value = both(tokens, allowed);
        while tokens.last().is_some_and(|t| t == "OR") {
            tokens.pop();
            value |= both(tokens, allowed);
        }
        value
    }
    fn both(tokens: &mut Vec<String>, allowed: &HashSet<String>) -> bool {
        let mut value = one(tokens, allowed);
        while tokens.last().is_some_and(|t| t == "AND") {
            tokens.pop();
            value &= one(tokens, allowed);
        }
        value
    }
    fn one(tokens: &mut Vec<String>, allowed: &HashSet<String>) -> bool {
        let token = tokens.pop().unwrap_or_default();
        if token == "(" {
            let value = either(tokens, allowed);
            tokens.pop();
            return value;
        }
        let mut licence = token;
        if tokens.last().is_some_and(|t| t == "WITH") {
            tokens.pop();
            licence = format!("{licence} WITH {}", tokens.pop().unwrap_or_default());
        }
        allowed.contains(&licence)
    }
    either(&mut tokens, allowed)
}

#[test]
fn every_dependency_has_an_allowed_licence_and_comes_from_the_registry() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = fs::read_to_string(root.join("deny.toml")).unwrap();
    let allowed: HashSet<String> = list(&rules, "allow").into_iter().collect();
    let banned: HashSet<String> = list(&rules, "deny").into_iter().collect();
    assert!(allowed.contains("MIT") && !banned.is_empty(), "deny.toml wasn't understood");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built: HashSet<&str> = metadata["resolve"]["nodes"].as_array().unwrap().iter().filter_map(|n| n["id"].as_str()).collect();
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().unwrap() {
        if !package["id"].as_str().is_some_and(|id| built.contains(id)) || package["name"] == "trellis" {
            continue;
        }
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or("none given"));
        if !met(licence, &allowed) {
            wrong.push(format!("{name}: licence {licence}"));
        }
        if banned.contains(name) {
            wrong.push(format!("{name} is banned by deny.toml"));
        }
        if !package["source"].as_str().is_some_and(|source| source.starts_with("registry+")) {
            wrong.push(format!("{name} comes from {}", package["source"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn licence_expressions_are_read_as_spdx_says() {
    let allowed: HashSet<String> = ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned).into();
    for expression in ["MIT", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0", "GPL-3.0 OR MIT", "Apache-2.0 WITH LLVM-exception"] {
        assert!(met(expression, &allowed), "{expression}");
    }
    for expression in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR GPL-3.0) AND ISC", ""] {
        assert!(!met(expression, &allowed), "{expression}");
    }
}

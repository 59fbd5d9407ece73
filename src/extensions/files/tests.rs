//! Real folders, good and bad.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use super::*;

/// A root with an extension `a` of these files.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a")).unwrap();
    for (path, text) in files {
        write(root.path(), path, text);
    }
    root
}

/// Writes a file of the extension `a`.
fn write(root: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = root.join("a").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn problems(root: &Path) -> Vec<(String, Option<String>)> {
    read(root, "a").expect_err("a problem").into_iter().map(|problem| (problem.message, problem.file)).collect()
}

#[test]
fn folders_with_fit_names_are_extensions() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b", "a.b-c_1", "_shared", ".git", "node_modules", "with space", "-x", "é"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    fs::create_dir(root.path().join("x".repeat(101))).unwrap();
    fs::write(root.path().join("README.md"), "").unwrap();
    symlink(root.path().join("_shared"), root.path().join("linked")).unwrap();
    symlink(root.path().join("README.md"), root.path().join("file")).unwrap();
    symlink("nowhere", root.path().join("dangling")).unwrap();
    let names = names(root.path()).unwrap();
    assert_eq!(names.extensions, ["a.b-c_1", "b", "linked"]);
    assert_eq!(names.refused, ["-x".to_owned(), "with space".to_owned(), "x".repeat(64), "é".to_owned()]);
    assert!(super::names(&root.path().join("nowhere")).is_err());
}

#[test]
fn a_folder_is_read_whole_and_nothing_else_is() {
    let root = root(&[
        ("index.mjs", "\u{feff}import './lib/x.ts'"),
        ("lib/x.ts", "1"),
        ("lib/deep/data.json", "{}"),
        ("lib/node_modules/p/index.js", "no"),
        ("node_modules/p/index.js", "no"),
        (".git/x.js", "no"),
        ("lib/.hidden.js", "no"),
        ("README.md", "no"),
        ("package-lock.json", "no"),
        ("extension.json", r#"{ "name": "A", "sort": 3 }"#),
    ]);
    symlink("lib/x.ts", root.path().join("a/alias.ts")).unwrap();
    symlink("lib", root.path().join("a/dir")).unwrap();
    let folder = read(root.path(), "a").unwrap();
    let keys: Vec<&str> = folder.files.keys().map(String::as_str).collect();
    assert_eq!(keys, ["alias.ts", "dir/deep/data.json", "dir/x.ts", "extension.json", "index.mjs", "lib/deep/data.json", "lib/x.ts"]);
    assert_eq!(&*folder.files["index.mjs"], "import './lib/x.ts'");
    assert_eq!((folder.entry.as_str(), folder.settings.name.as_str(), folder.settings.sort), ("index.mjs", "A", 3));
}

#[test]
fn a_linked_folder_is_read_at_its_target() {
    let elsewhere = root(&[("index.ts", "1"), ("lib/x.js", "2")]);
    symlink("lib/x.js", elsewhere.path().join("a/y.js")).unwrap();
    let root = tempfile::tempdir().unwrap();
    symlink(elsewhere.path().join("a"), root.path().join("b")).unwrap();
    let folder = read(root.path(), "b").unwrap();
    assert_eq!((folder.name.as_str(), folder.entry.as_str(), folder.files.len()), ("b", "index.ts", 3));
    assert_eq!(folder.settings, FolderSettings::of("b"));
}

#[test]
fn all_problems_are_told_each_with_its_file() {
    let root = root(&[("outside.js", ""), ("extension.json", "{\n\"sorts\": 1 }"), ("good.js", "")]);
    write(root.path(), "lib/bad.js", b"a\nb\xff");
    fs::write(root.path().join("secret.js"), "").unwrap();
    fs::create_dir(root.path().join("elsewhere")).unwrap();
    fs::remove_file(root.path().join("a/outside.js")).unwrap();
    symlink(root.path().join("secret.js"), root.path().join("a/outside.js")).unwrap();
    symlink("../elsewhere", root.path().join("a/folder")).unwrap();
    symlink("nowhere", root.path().join("a/dangling.mjs")).unwrap();
    symlink("nowhere", root.path().join("a/dangling.md")).unwrap();
    let found = read(root.path(), "a").expect_err("problems");
    let told: Vec<(&str, Option<u32>, Option<u32>, &str)> =
        found.iter().map(|p| (p.file.as_deref().unwrap_or("-"), p.line, p.column, p.message.as_str())).collect();
    let expected = [
        ("-", None, None, "index.mjs"),
        ("dangling.mjs", None, None, "can't be read"),
        ("extension.json", Some(2), Some(1), "did you mean `sort`?"),
        ("folder", None, None, "leads out of"),
        ("lib/bad.js", Some(2), Some(2), "isn't UTF-8"),
        ("outside.js", None, None, "leads out of"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!((told.0, told.1, told.2), (expected.0, expected.1, expected.2));
        assert!(told.3.contains(expected.3), "{told:?}");
        assert!(!told.3.contains(root.path().to_str().unwrap()), "{told:?}");
    }
}

#[test]
fn there_must_be_one_entry() {
    let root = root(&[("lib/index.js", "")]);
    let (message, file) = problems(root.path()).remove(0);
    assert!(file.is_none() && message.contains("`index.mjs`, `index.js`, `index.ts`, `index.mts`"), "{message}");
    write(root.path(), "index.ts", "");
    assert_eq!(read(root.path(), "a").unwrap().entry, "index.ts");
    write(root.path(), "index.js", "");
    let (message, _) = problems(root.path()).remove(0);
    assert!(message.contains("2 files") && message.ends_with("`index.js`, `index.ts`"), "{message}");
}

#[test]
fn what_is_no_folder_is_a_problem() {
    let root = root(&[]);
    fs::write(root.path().join("file"), "").unwrap();
    for (name, part) in
        [("file", "isn't a folder"), ("gone", "can't be read"), ("..", "1 to 100"), ("a/../a", "1 to 100"), ("", "1 to 100")]
    {
        let found = read(root.path(), name).expect_err("a problem");
        assert!(found.len() == 1 && found[0].message.contains(part), "{name}: {found:?}");
    }
}

#[test]
fn circles_of_links_and_deep_folders_end() {
    let root = root(&[("index.js", ""), ("x/y/z.js", "")]);
    symlink("..", root.path().join("a/x/up")).unwrap();
    symlink(".", root.path().join("a/self")).unwrap();
    symlink("loop.js", root.path().join("a/loop.js")).unwrap();
    let found = problems(root.path());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].1.as_deref(), Some("loop.js"));
    fs::remove_file(root.path().join("a/loop.js")).unwrap();
    let keys: Vec<String> = read(root.path(), "a").unwrap().files.into_keys().collect();
    assert_eq!(keys, ["index.js", "x/y/z.js"]);

    write(root.path(), &format!("{}deep.js", "d/".repeat(MAX_DEPTH - 1)), "");
    assert!(read(root.path(), "a").is_ok());
    write(root.path(), &format!("{}deep.js", "d/".repeat(MAX_DEPTH)), "");
    assert!(problems(root.path())[0].0.contains("deeper than 32"));
}

#[test]
fn links_to_links_do_not_multiply_without_end() {
    let root = root(&[("index.js", "")]);
    for i in 0..MAX_DEPTH {
        fs::create_dir(root.path().join(format!("a/l{i}"))).unwrap();
        for name in ["p", "q"] {
            symlink(format!("../l{}", i + 1), root.path().join(format!("a/l{i}/{name}"))).unwrap();
        }
    }
    fs::create_dir(root.path().join(format!("a/l{MAX_DEPTH}"))).unwrap();
    let found = problems(root.path());
    assert!(found.iter().any(|(message, _)| message.contains("more than 10000 files")), "{found:?}");
    assert!(found.len() <= MAX_PROBLEMS);
}

#[test]
fn pipes_are_no_source_and_stop_nobody() {
    let root = root(&[("index.js", "")]);
    let made =
        std::process::Command::new("mkfifo").arg(root.path().join("a/pipe.js")).arg(root.path().join("a/yarn.lock")).status().unwrap();
    assert!(made.success());
    fs::create_dir_all(root.path().join("a/node_modules")).unwrap();
    fs::rename(root.path().join("a/pipe.js"), root.path().join("a/node_modules/pipe.js")).unwrap();
    let folder = read(root.path(), "a").unwrap();
    assert_eq!(folder.package_file("node_modules/pipe.js"), Ok(None));
    fs::rename(root.path().join("a/node_modules/pipe.js"), root.path().join("a/pipe.js")).unwrap();
    assert_eq!(problems(root.path()), [("It isn't a regular file".to_owned(), Some("pipe.js".to_owned()))]);
}

#[test]
fn source_has_a_limit_that_packages_share() {
    let root = root(&[("index.js", "")]);
    let mebibytes = |n: u64| " ".repeat(usize::try_from(n << 20).unwrap());
    write(root.path(), "big.json", mebibytes(15));
    write(root.path(), "node_modules/p/half.js", mebibytes(1) + " ");
    write(root.path(), "node_modules/p/fits.js", mebibytes(1));
    let folder = read(root.path(), "a").unwrap();
    assert!(folder.package_file("node_modules/p/half.js").unwrap_err().contains("16 MiB"));
    assert_eq!(folder.package_file("node_modules/p/fits.js").unwrap().map(|text| text.len()), Some(1 << 20));
    write(root.path(), "more.json", mebibytes(1) + " ");
    let (message, _) = problems(root.path()).remove(0);
    assert!(message.contains("`big.json` (15.0 MiB), `more.json` (1.0 MiB)"), "{message}");
}

#[test]
fn the_fingerprint_follows_files_and_installs_and_nothing_else() {
    let root = root(&[("index.js", "1")]);
    let print = || read(root.path(), "a").unwrap().fingerprint;
    let mut seen = vec![print()];
    assert_eq!(seen[0], print());
    for (path, text) in [
        ("index.js", "2"),
        ("x.js", ""),
        ("package-lock.json", "1"),
        ("package-lock.json", "2"),
        ("yarn.lock", "1"),
        ("node_modules/.package-lock.json", "1"),
        ("node_modules/.modules.yaml", "1"),
        ("extension.json", "{}"),
    ] {
        write(root.path(), path, text);
        let now = print();
        assert!(!seen.contains(&now), "{path} {text}");
        seen.push(now);
    }
    fs::rename(root.path().join("a/x.js"), root.path().join("a/y.js")).unwrap();
    assert!(!seen.contains(&print()));
    fs::rename(root.path().join("a/y.js"), root.path().join("a/x.js")).unwrap();
    for path in ["README.md", "node_modules/p/index.js", ".env"] {
        write(root.path(), path, "x");
        assert_eq!(seen.last(), Some(&print()), "{path}");
    }
}

#[test]
fn a_folder_that_moves_is_read_once_more() {
    let root = root(&[("index.js", "old")]);
    let place = root.path().join("a");
    let listing = Listing::of(&place);
    assert!(Listing::of(&place).equals(&listing));
    assert!(Image::of(&listing).is_some());
    write(root.path(), "index.js", "longer");
    assert!(Image::of(&listing).is_none() && !Listing::of(&place).equals(&listing));
    let listing = Listing::of(&place);
    write(root.path(), "lib/new.js", "");
    assert!(!Listing::of(&place).equals(&listing));
    let listing = Listing::of(&place);
    let file = File::options().write(true).open(place.join("index.js")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    assert!(!Listing::of(&place).equals(&listing));
}

#[test]
fn packages_are_remembered_as_they_were_first_seen() {
    let root = root(&[("index.js", ""), ("node_modules/p/index.js", "1"), ("node_modules/p/later.js", "1")]);
    let folder = read(root.path(), "a").unwrap();
    let ask = |path: &str| folder.package_file(path).unwrap();
    assert_eq!(ask("node_modules/p/index.js").as_deref(), Some("1"));
    assert_eq!((ask("node_modules/p"), ask("node_modules/q/index.js"), ask("node_modules/p/index.js/x")), (None, None, None));
    write(root.path(), "node_modules/p/index.js", "2");
    write(root.path(), "node_modules/q/index.js", "2");
    assert_eq!((ask("node_modules/p/index.js").as_deref(), ask("node_modules/q/index.js")), (Some("1"), None));
    folder.close();
    assert_eq!((ask("node_modules/p/index.js").as_deref(), ask("node_modules/p/later.js")), (Some("1"), None));
}

#[test]
fn packages_stay_inside_the_folder() {
    let root = root(&[("index.js", "own"), ("node_modules/.pnpm/p@1/node_modules/p/index.js", "1")]);
    fs::create_dir(root.path().join("outside")).unwrap();
    fs::write(root.path().join("outside/index.js"), "secret").unwrap();
    write(root.path(), "node_modules/bad.js", b"\xff");
    symlink(".pnpm/p@1/node_modules/p", root.path().join("a/node_modules/p")).unwrap();
    symlink(root.path().join("outside"), root.path().join("a/node_modules/out")).unwrap();
    let folder = read(root.path(), "a").unwrap();
    assert_eq!(folder.package_file("node_modules/p/index.js").unwrap().as_deref(), Some("1"));
    assert!(folder.package_file("node_modules/out/index.js").unwrap_err().contains("leads out"));
    assert!(folder.package_file("node_modules/bad.js").unwrap_err().contains("isn't UTF-8"));
    let absolute = root.path().join("outside/index.js");
    let long = format!("node_modules/{}", "x/".repeat(600));
    for path in [
        "index.js",
        "node_modules",
        "node_modules/",
        "node_modules/../index.js",
        "node_modules/p/../../index.js",
        "node_modules/./p/index.js",
        "node_modules//p/index.js",
        "node_modules\\p\\index.js",
        "node_modules/p/index.js\0",
        "/etc/passwd",
        "../node_modules/p/index.js",
        absolute.to_str().unwrap(),
        &long,
    ] {
        assert_eq!(folder.package_file(path), Ok(None), "{path}");
    }
}

#[test]
fn asking_for_packages_has_an_end() {
    let root = root(&[("index.js", "")]);
    let folder = read(root.path(), "a").unwrap();
    let last = (0..=20_000).map(|i| folder.package_file(&format!("node_modules/{i}"))).find_map(Result::err);
    assert!(last.is_some_and(|message| message.contains("20000 files")));
    assert_eq!(folder.package_file("node_modules/0"), Ok(None));
}

//! Real folders and real notices. A test waits for what must come; that something doesn't come is seen by what comes after it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tokio::time::timeout;

use super::*;

/// Longer than a test pauses between two steps that are to be one change, also on a busy machine.
const QUIET: Duration = Duration::from_millis(300);
/// Longer than any machine takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Fixture {
    root: tempfile::TempDir,
    watch: Watch,
    sentinels: u32,
}

impl Fixture {
    /// A watch on a root in which these files exist.
    async fn of(files: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        files.iter().for_each(|path| write(root.path(), path));
        let watch = start(root.path().to_owned(), QUIET).await.unwrap();
        Self { root, watch, sentinels: 0 }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn write(&self, path: &str) {
        write(self.root.path(), path);
    }

    async fn next(&mut self) -> Vec<String> {
        next(&mut self.watch).await
    }

    /// Nothing is under way that the test hasn't seen: an extension that comes now is the next. What had been noticed before would be
    /// reported before it, or with it.
    async fn nothing_more(&mut self) {
        self.sentinels += 1;
        let name = format!("sentinel{}", self.sentinels);
        fs::create_dir(self.path(&name)).unwrap();
        assert_eq!(self.next().await, [name]);
    }
}

async fn next(watch: &mut Watch) -> Vec<String> {
    timeout(PATIENCE, watch.next()).await.expect("a change").expect("a running watch").names.into_iter().collect()
}

/// Waits until these have been reported, together or one after the other, and nothing else.
async fn all_of(watch: &mut Watch, names: &[&str]) {
    let mut seen = BTreeSet::new();
    while seen.len() < names.len() {
        seen.extend(next(watch).await);
    }
    assert!(seen.iter().eq(names), "{seen:?}");
}

fn write(root: &Path, path: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

#[tokio::test]
async fn a_saved_file_is_one_change() {
    let mut fixture = Fixture::of(&["a/index.js", "b/index.js"]).await;
    fixture.write("a/index.js");
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
    fs::remove_file(fixture.path("b/index.js")).unwrap();
    assert_eq!(fixture.next().await, ["b"]);
    fixture.nothing_more().await;
}

#[tokio::test]
async fn a_burst_is_one_change() {
    let mut fixture = Fixture::of(&["a/index.js"]).await;
    for i in 0..500 {
        fixture.write(&format!("a/lib/{}/file{i}.js", i % 10));
    }
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
    fixture.write("a/lib/9/file9.js");
    assert_eq!(fixture.next().await, ["a"]);
}

#[tokio::test]
async fn a_file_saved_by_renaming_is_a_change() {
    let mut fixture = Fixture::of(&["a/index.js"]).await;
    fixture.write("a/.index.js.swp");
    fixture.write("a/4913");
    fs::remove_file(fixture.path("a/4913")).unwrap();
    fixture.nothing_more().await;
    fixture.write("a/index.js.tmp");
    fs::rename(fixture.path("a/index.js.tmp"), fixture.path("a/index.js")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
}

#[tokio::test]
async fn folders_come_and_go() {
    let mut fixture = Fixture::of(&["a/index.js"]).await;
    fixture.write("b/index.js");
    assert_eq!(fixture.next().await, ["b"]);
    fixture.write("b/lib/x.js");
    assert_eq!(fixture.next().await, ["b"]);
    fs::remove_dir_all(fixture.path("b")).unwrap();
    assert_eq!(fixture.next().await, ["b"]);
    fixture.write("_b/index.js");
    fixture.write(".b/index.js");
    fixture.write("node_modules/index.js");
    fixture.write("index.js");
    fixture.nothing_more().await;
    fixture.write("b/index.js");
    assert_eq!(fixture.next().await, ["b"]);
    fixture.write("b/index.js");
    assert_eq!(fixture.next().await, ["b"]);
}

#[tokio::test]
async fn folders_are_renamed() {
    let mut fixture = Fixture::of(&["a/index.js", "a/lib/x.js", "c/index.js"]).await;
    fs::rename(fixture.path("a"), fixture.path("b")).unwrap();
    all_of(&mut fixture.watch, &["a", "b"]).await;
    fixture.write("b/lib/x.js");
    assert_eq!(fixture.next().await, ["b"]);
    fs::rename(fixture.path("b/lib"), fixture.path("b/src")).unwrap();
    assert_eq!(fixture.next().await, ["b"]);
    fixture.write("b/src/x.js");
    assert_eq!(fixture.next().await, ["b"]);
    fs::rename(fixture.path("b/src"), fixture.path("c/src")).unwrap();
    all_of(&mut fixture.watch, &["b", "c"]).await;
    fixture.write("c/src/x.js");
    assert_eq!(fixture.next().await, ["c"]);
    fs::rename(fixture.path("c"), fixture.path("_c")).unwrap();
    assert_eq!(fixture.next().await, ["c"]);
    fixture.write("_c/src/x.js");
    fixture.nothing_more().await;
    fs::rename(fixture.path("_c"), fixture.path("c")).unwrap();
    assert_eq!(fixture.next().await, ["c"]);
    fixture.write("c/src/x.js");
    assert_eq!(fixture.next().await, ["c"]);
}

#[tokio::test]
async fn nested_folders_are_watched_as_they_appear() {
    let mut fixture = Fixture::of(&["a/index.js"]).await;
    fs::create_dir_all(fixture.path("a/x/y")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/x/y/z.js");
    assert_eq!(fixture.next().await, ["a"]);
    // Gone and there again: another folder of the same name, maybe with the same number.
    for _ in 0..20 {
        fs::remove_dir_all(fixture.path("a/x")).unwrap();
        fs::create_dir_all(fixture.path("a/x/y")).unwrap();
    }
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/x/y/z.js");
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
}

#[tokio::test]
async fn only_what_counts_is_a_change() {
    let mut fixture = Fixture::of(&["a/index.js", "a/node_modules/p/index.js", "a/.git/HEAD", "a/run.log", "a/lib/x.js"]).await;
    fixture.write("a/node_modules/p/index.js");
    fixture.write("a/node_modules/p/lib/new.js");
    fixture.write("a/node_modules/q/index.js");
    fixture.write("a/.git/index.js");
    fixture.write("a/.env");
    fixture.write("a/run.log");
    fixture.write("a/lib/README.md");
    fs::remove_file(fixture.path("a/lib/README.md")).unwrap();
    fs::read(fixture.path("a/index.js")).unwrap();
    fixture.nothing_more().await;
    for path in ["a/node_modules/.package-lock.json", "a/node_modules/.modules.yaml", "a/yarn.lock", "a/extension.json"] {
        fixture.write(path);
        assert_eq!(fixture.next().await, ["a"], "{path}");
    }
    fs::remove_dir_all(fixture.path("a/node_modules")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/node_modules/p/index.js");
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/node_modules/.package-lock.json");
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
}

#[tokio::test]
async fn a_folder_without_rest_is_reported_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/index.js");
    let pace = Pace { quiet: Duration::from_secs(3600), latest: Duration::from_millis(100), look: LOOK };
    let mut watch = start_at(root.path().to_owned(), pace, true).await.unwrap();
    write(root.path(), "a/index.js");
    assert_eq!(next(&mut watch).await, ["a"]);
}

#[tokio::test]
async fn a_linked_folder_is_watched_at_its_target() {
    let elsewhere = tempfile::tempdir().unwrap();
    write(elsewhere.path(), "one/index.js");
    write(elsewhere.path(), "two/lib/x.js");
    let mut fixture = Fixture::of(&["b/index.js"]).await;
    symlink(elsewhere.path().join("one"), fixture.path("a")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    write(elsewhere.path(), "one/index.js");
    assert_eq!(fixture.next().await, ["a"]);
    symlink(elsewhere.path().join("two"), fixture.path("a2")).unwrap();
    fs::rename(fixture.path("a2"), fixture.path("a")).unwrap();
    assert!(fixture.next().await.contains(&"a".to_owned()));
    write(elsewhere.path(), "two/lib/x.js");
    assert_eq!(fixture.next().await, ["a"]);
    // The folder that the link leads to is exchanged: told by nobody but the look.
    fs::rename(elsewhere.path().join("two"), elsewhere.path().join("three")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    write(elsewhere.path(), "two/index.js");
    assert_eq!(fixture.next().await, ["a"]);
    write(elsewhere.path(), "three/lib/x.js");
    fixture.nothing_more().await;
}

#[tokio::test]
async fn links_inside_a_folder_are_followed() {
    let mut fixture = Fixture::of(&["a/index.js", "a/.versions/1/x.js", "a/.versions/2/x.js"]).await;
    symlink(".versions/1", fixture.path("a/current")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/.versions/1/x.js");
    assert_eq!(fixture.next().await, ["a"]);
    symlink(".versions/2", fixture.path("a/next")).unwrap();
    fs::rename(fixture.path("a/next"), fixture.path("a/current")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/.versions/2/x.js");
    assert_eq!(fixture.next().await, ["a"]);
    fs::remove_file(fixture.path("a/current")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.write("a/.versions/2/x.js");
    fixture.nothing_more().await;
}

#[tokio::test]
async fn a_mounted_volume_that_is_switched_is_a_change() {
    let mut fixture = Fixture::of(&["a/..1/index.js", "a/..2/index.js"]).await;
    symlink("..1", fixture.path("a/..data")).unwrap();
    symlink("..data/index.js", fixture.path("a/index.js")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    symlink("..2", fixture.path("a/..data_tmp")).unwrap();
    fs::rename(fixture.path("a/..data_tmp"), fixture.path("a/..data")).unwrap();
    assert_eq!(fixture.next().await, ["a"]);
    fixture.nothing_more().await;
}

#[tokio::test]
async fn the_root_may_come_and_go() {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("extensions");
    let pace = Pace { quiet: QUIET, latest: LATEST, look: Duration::from_millis(50) };
    let mut watch = start_at(root.clone(), pace, true).await.unwrap();
    write(home.path(), "new/a/index.js");
    write(home.path(), "new/b/index.js");
    fs::rename(home.path().join("new"), &root).unwrap();
    all_of(&mut watch, &["a", "b"]).await;
    write(&root, "a/index.js");
    assert_eq!(next(&mut watch).await, ["a"]);
    write(home.path(), "newer/c/index.js");
    fs::rename(&root, home.path().join("old")).unwrap();
    fs::rename(home.path().join("newer"), &root).unwrap();
    all_of(&mut watch, &["a", "b", "c"]).await;
    write(&root, "c/index.js");
    assert_eq!(next(&mut watch).await, ["c"]);
    fs::remove_dir_all(&root).unwrap();
    assert_eq!(next(&mut watch).await, ["c"]);
}

#[tokio::test]
async fn without_notices_the_folders_are_looked_at() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/index.js");
    write(root.path(), "b/lib/x.js");
    let pace = Pace { quiet: Duration::from_millis(1), latest: LATEST, look: Duration::from_millis(10) };
    let mut watch = start_at(root.path().to_owned(), pace, false).await.unwrap();
    write(root.path(), "a/run.log");
    write(root.path(), "b/lib/y.js");
    assert_eq!(next(&mut watch).await, ["b"]);
    fs::write(root.path().join("a/index.js"), "longer").unwrap();
    assert_eq!(next(&mut watch).await, ["a"]);
    fs::rename(root.path().join("a"), root.path().join("_a")).unwrap();
    assert_eq!(next(&mut watch).await, ["a"]);
    fs::rename(root.path().join("_a"), root.path().join("c")).unwrap();
    assert_eq!(next(&mut watch).await, ["c"]);
    fs::create_dir(root.path().join("c/node_modules")).unwrap();
    assert_eq!(next(&mut watch).await, ["c"]);
    write(root.path(), "c/node_modules/p/index.js");
    write(root.path(), "c/node_modules/.package-lock.json");
    assert_eq!(next(&mut watch).await, ["c"]);
    fs::create_dir_all(root.path().join("c/x/y")).unwrap();
    assert_eq!(next(&mut watch).await, ["c"]);
}

#[tokio::test]
async fn a_lost_notice_reports_everything() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a/index.js");
    write(root.path(), "b/index.js");
    let (feed, _incoming) = Feed::new();
    let mut tree = Tree::new(root.path().to_owned(), feed, true);
    let lost = notify::Event::new(notify::EventKind::Other).set_flag(notify::event::Flag::Rescan);
    let all = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert_eq!(tree.absorb(vec![Ok(lost)]), all);
    assert_eq!(tree.absorb(vec![Err(notify::Error::generic("lost"))]), all);
    assert!(tree.absorb(Vec::new()).is_empty() && tree.look().is_empty());
}

//! Packages of the npm registry, for what is tested with code that we did not write.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// One installation at a time: two tests may want the same folder.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Whether npm is there. Without it that is said aloud; in CI it is a failure.
pub fn available() -> bool {
    if Command::new("npm").arg("--version").output().is_ok_and(|output| output.status.success()) {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|v| v.is_empty() || v == "false"), "npm is needed in CI");
    eprintln!("*** SKIPPED: there is no npm, so what is tested with packages of others isn't tested ***");
    false
}

/// The folder `path` of the repository with what its lock file names installed.
pub fn installed(path: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let _one = INSTALLING.lock().unwrap_or_else(|e| e.into_inner());
    // npm writes this last.
    if !folder.join("node_modules/.package-lock.json").is_file() {
        let output = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "npm ci in {path}: {}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}

/// Copies a folder with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

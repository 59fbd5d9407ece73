//! The fuzz targets: what reads bytes that others have a say in, with what must hold of it.
//!
//! `fuzz/fuzz_targets` hands libFuzzer's inputs to these; the test below hands them what is kept in `fuzz/corpus` and
//! `fuzz/regressions`, so that every test run replays what was ever found. Compiled for tests and fuzzing only.

use crate::services::rawdb;
use crate::{extensions, http, sandbox};

/// A name, which is that of the target's folders as well, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 14] = [
    ("arena", sandbox::fuzz::arena),
    ("frames_from_worker", sandbox::fuzz::frames_from_worker),
    ("frames_from_host", sandbox::fuzz::frames_from_host),
    ("json", sandbox::fuzz::json),
    ("values", sandbox::fuzz::values),
    ("web", sandbox::fuzz::web),
    ("multipart", sandbox::fuzz::multipart),
    ("strip", sandbox::fuzz::strip),
    ("names", extensions::fuzz::names),
    ("routes", extensions::fuzz::routes),
    ("registrations", extensions::fuzz::registrations),
    ("targets", http::fuzz::targets),
    ("headers", http::fuzz::headers),
    ("raw_requests", rawdb::fuzz::requests),
];

/// Gives an input to a target.
///
/// # Panics
/// Where something doesn't hold, or if there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a known target");
    target(data);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    #[test]
    fn each_target_holds_for_what_was_found_before() {
        std::thread::scope(|threads| {
            for (name, target) in TARGETS {
                let replay = move || {
                    let seeds = files(&root().join("corpus").join(name));
                    assert!(!seeds.is_empty(), "fuzz/corpus/{name} holds what fuzzing begins with");
                    for file in seeds.into_iter().chain(files(&root().join("regressions").join(name))) {
                        let data = fs::read(&file).expect("it can be read");
                        if let Err(panic) = std::panic::catch_unwind(|| target(&data)) {
                            eprintln!("that was {}", file.display());
                            std::panic::resume_unwind(panic);
                        }
                    }
                };
                // No less stack than the thread of a worker has.
                std::thread::Builder::new().name(name.to_owned()).stack_size(8 << 20).spawn_scoped(threads, replay).expect("a thread");
            }
        });
    }

    #[test]
    fn each_target_has_its_program() {
        let programs: BTreeSet<String> =
            files(&root().join("fuzz_targets")).iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
        assert_eq!(programs, TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect());
        let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        }
    }
}

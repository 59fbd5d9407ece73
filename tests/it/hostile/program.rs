//! One file of `tests/hostile`: the body of a filter, and in its head what it stands for and what its caller may be told.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::Answer;

/// A program. Its head is comment lines at its very beginning: first one for people, then `name: value` with the names of [`Program::read`].
pub struct Program {
    /// `folder/file` without its ending.
    pub name: String,
    /// The whole file.
    pub code: String,
    /// `expect`: what may be answered, any of it.
    expected: Vec<Expected>,
    /// `expect after a write`: the same where a write of the filter's own came first.
    expected_after_write: Vec<Expected>,
    /// `returns`: members that the created row has.
    returns: Option<Value>,
    /// `timeout`, in ms.
    pub timeout: Duration,
    /// `memory`, in MiB.
    pub memory_mb: u64,
    /// `host memory`, in MiB: by how much the host may grow meanwhile.
    pub host_memory_mb: u64,
}

/// A status, and the code that errors have.
struct Expected {
    status: u16,
    code: String,
}

impl Program {
    /// Every program below `tests/hostile`, by name.
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
        let mut files: Vec<PathBuf> = entries(&root).iter().flat_map(|folder| entries(folder)).collect();
        files.sort();
        files.iter().map(|file| Self::read(file.strip_prefix(&root).unwrap(), &fs::read_to_string(file).unwrap())).collect()
    }

    /// The programs of one folder.
    pub fn of(folder: &str) -> Vec<Self> {
        Self::all().into_iter().filter(|program| program.name.split('/').next() == Some(folder)).collect()
    }

    fn read(path: &Path, text: &str) -> Self {
        let name = path.with_extension("").to_string_lossy().into_owned();
        let mut program = Self {
            code: text.to_owned(),
            expected: Vec::new(),
            expected_after_write: Vec::new(),
            returns: None,
            timeout: Duration::from_millis(300),
            memory_mb: 16,
            host_memory_mb: 32,
            name,
        };
        let mut head = text.lines().map_while(|line| line.strip_prefix("// "));
        assert!(head.next().is_some_and(|line| !line.starts_with("expect")), "{}: the first line says what it stands for", program.name);
        for line in head {
            let (key, value) = line.split_once(": ").unwrap_or((line, ""));
            let number = || value.parse::<u64>().unwrap_or_else(|e| panic!("{path:?}: {line}: {e}"));
            match key {
                "expect" => program.expected = expectations(value),
                "expect after a write" => program.expected_after_write = expectations(value),
                "returns" => program.returns = Some(serde_json::from_str(value).unwrap_or_else(|e| panic!("{path:?}: {line}: {e}"))),
                "timeout" => program.timeout = Duration::from_millis(number()),
                "memory" => program.memory_mb = number(),
                "host memory" => program.host_memory_mb = number(),
                _ => panic!("{path:?}: no head of a program has this line: {line}"),
            }
        }
        assert!(!program.expected.is_empty(), "{}: it must say what is expected", program.name);
        program
    }

    /// What is wrong with the answer to the write that it guarded, if anything is.
    pub fn complaint(&self, answer: &Answer, after_write: bool) -> Option<String> {
        let expected = if after_write && !self.expected_after_write.is_empty() { &self.expected_after_write } else { &self.expected };
        let code = if answer.status < 300 { String::new() } else { answer.code() };
        if !expected.iter().any(|e| e.status == answer.status && e.code == code) {
            return Some(format!("{} {}", answer.status, answer.body));
        }
        let returns = self.returns.as_ref().filter(|_| answer.status == 201)?.as_object().unwrap();
        let row = answer.data();
        let differing = returns.iter().find(|(member, value)| row[*member] != **value)?;
        Some(format!("`{}` of the created row is {}", differing.0, row[differing.0]))
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// `504 EXTENSION_TIMEOUT | 201`
fn expectations(text: &str) -> Vec<Expected> {
    let one = |part: &str| {
        let (status, code) = part.trim().split_once(' ').unwrap_or((part.trim(), ""));
        Expected { status: status.parse().unwrap_or_else(|e| panic!("{text}: {e}")), code: code.to_owned() }
    };
    text.split('|').map(one).collect()
}

//! Extension folders of a program under test: written, changed and taken away as an author would, and waited for.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{TestApp, eventually};

/// How long a change of a folder may take to be noticed and loaded on a busy machine.
const LOADED: Duration = Duration::from_secs(30);

impl TestApp {
    /// The path of an extension's folder.
    pub fn folder_path(&self, name: &str) -> PathBuf {
        self.dir().join("extensions").join(name)
    }

    /// Writes files of an extension's folder.
    pub fn write_folder(&self, name: &str, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.folder_path(name).join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    /// Takes an extension's folder away.
    pub fn remove_folder(&self, name: &str) {
        std::fs::remove_dir_all(self.folder_path(name)).unwrap();
    }

    /// What the list of extensions says about a folder, if it is there.
    pub async fn folder(&self, name: &str) -> Option<Value> {
        let listed = self.get("/api/extensions?limit=-1").await.expect(200).data();
        listed.as_array().unwrap().iter().find(|entry| entry["folder"] == name).cloned()
    }

    /// Waits until the list says what `is_so` wants of a folder.
    pub async fn folder_is(&self, name: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("folder {name} is {what}"), LOADED, async || match self.folder(name).await {
            Some(entry) if is_so(&entry) => Ok(entry),
            other => Err(format!("{other:?}")),
        })
        .await
    }

    /// Writes a folder and waits until it is loaded.
    pub async fn load_folder(&self, name: &str, files: &[(&str, &str)]) -> Value {
        let before = self.loads(name);
        self.write_folder(name, files);
        eventually(&format!("folder {name} is loaded"), LOADED, async || match self.loads(name) > before {
            true => Ok(()),
            false => Err(format!("{:?}", self.folder(name).await)),
        })
        .await;
        self.folder_is(name, "active", |entry| entry["status"] == "active").await
    }

    /// Writes a folder and waits until it is known why it doesn't load. Gives the problems.
    pub async fn break_folder(&self, name: &str, files: &[(&str, &str)]) -> Vec<Value> {
        self.write_folder(name, files);
        let entry = self.folder_is(name, "in error", |entry| entry["status"] == "error").await;
        entry["problems"].as_array().unwrap().clone()
    }

    /// How often a version of a folder was loaded, by the log.
    pub fn loads(&self, name: &str) -> usize {
        let is_load = |line: &Value| line["message"] == "extension folder loaded" && line["folder"] == name;
        self.log_lines().iter().filter(|line| is_load(line)).count()
    }
}

//! Folders in the list of extensions: read-only, in the shape of rows as far as they have the same members.

use serde_json::{Value, json};

use super::folders::{FolderState, folder_id, kept};
use super::store::Extensions;
use crate::db::timestamp;
use crate::error::{Error, Result};
use crate::hooks::HookKind;
use crate::services::Item;

/// What the database counts for a folder.
const COUNTED: [&str; 6] = ["execution_count", "avg_execution_time_ms", "last_executed_at", "last_error", "last_error_at", "loaded_at"];

impl Extensions {
    /// Every folder, by name.
    pub(super) async fn folder_rows(&self) -> Result<Vec<Item>> {
        let kept = kept(&self.shared.core.db).await?;
        Ok(self.folders.all().iter().map(|(name, state)| self.folder_row(name, state, kept.get(&folder_id(name)))).collect())
    }

    fn folder_row(&self, name: &str, state: &FolderState, kept: Option<&Item>) -> Item {
        let settings = &state.settings;
        let status = match (state.enabled, &state.problems[..]) {
            (false, _) => "inactive",
            (true, []) => "active",
            (true, _) => "error",
        };
        let choice = |yes, when: &str, otherwise: &str| if yes { when.to_owned() } else { otherwise.to_owned() };
        let mut row = Item::from_iter([
            ("id".to_owned(), json!(settings.id)),
            ("name".to_owned(), json!(settings.name)),
            ("description".to_owned(), json!(state.description)),
            ("folder".to_owned(), json!(name)),
            ("status".to_owned(), json!(status)),
            ("sort".to_owned(), json!(settings.sort)),
            ("timeout_ms".to_owned(), json!(settings.timeout.as_millis() as u64)),
            ("memory_limit_mb".to_owned(), json!(settings.memory_limit >> 20)),
            ("failure_mode".to_owned(), json!(choice(settings.fail_open, "open", "closed"))),
            ("state".to_owned(), json!(choice(settings.warm, "warm", "pristine"))),
            ("hooks".to_owned(), hooks(state)),
            ("routes".to_owned(), routes(state)),
            ("problems".to_owned(), json!(state.problems)),
        ]);
        for member in COUNTED {
            row.insert(member.to_owned(), kept.and_then(|kept| kept.get(member)).cloned().unwrap_or_default());
        }
        if let Some(at) = state.loaded_at {
            row.insert("loaded_at".to_owned(), json!(timestamp(at)));
        }
        self.shared.stats.add_to(&mut row);
        let set = self.current();
        let live = match &state.serving {
            Some(extension) => set.live(extension),
            None if state.problems.is_empty() => json!({ "state": "inactive" }),
            None => json!({ "state": "error", "reason": "it has never loaded, so it guards nothing" }),
        };
        row.insert("live".to_owned(), live);
        row
    }

    /// Refuses to change what lies in a folder.
    pub(super) fn is_row(&self, id: &str) -> Result<()> {
        match self.folders.find(id) {
            None => Ok(()),
            Some((name, _)) => Err(Error::payload(format!(
                "This extension lies in the folder `{name}` and is changed there: `\"enabled\": false` in its `extension.json` switches it off"
            ))),
        }
    }
}

fn hooks(state: &FolderState) -> Value {
    let all = state.serving.iter().flat_map(|extension| &extension.hooks);
    all.map(|hook| {
        let mut told = json!({ "type": hook.kind.to_string(), "event": hook.event.to_string(), "sort": hook.sort });
        if hook.kind == HookKind::Action {
            told["durable"] = json!(hook.durable);
            told["ordered"] = json!(hook.ordered);
        }
        told
    })
    .collect()
}

fn routes(state: &FolderState) -> Value {
    let all = state.serving.iter().flat_map(|extension| &extension.routes);
    all.map(|route| json!({ "method": route.method.to_string(), "path": route.pattern.to_string(), "description": route.description }))
        .collect()
}

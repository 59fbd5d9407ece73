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
        let mut rows: Vec<(Item, Option<FolderState>)> = if self.safe_mode {
            // Nothing is read from disk, but what was there is worth seeing.
            kept.values().map(|kept| (unread_row(kept), None)).collect()
        } else {
            let row = |(name, state): (String, FolderState)| (folder_row(&name, &state, kept.get(&folder_id(&name))), Some(state));
            self.folders.all().into_iter().map(row).collect()
        };
        rows.sort_by(|(a, _), (b, _)| a.get("folder").and_then(Value::as_str).cmp(&b.get("folder").and_then(Value::as_str)));
        self.add_live_of_folders(&mut rows).await?;
        Ok(rows.into_iter().map(|(row, _)| row).collect())
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

/// What the database knows of a folder that isn't read.
fn unread_row(kept: &Item) -> Item {
    let mut row = Item::new();
    for (name, from) in [("id", "id"), ("name", "name"), ("folder", "name")] {
        row.insert(name.to_owned(), kept.get(from).cloned().unwrap_or_default());
    }
    row.insert("status".to_owned(), json!("inactive"));
    for member in COUNTED {
        row.insert(member.to_owned(), kept.get(member).cloned().unwrap_or_default());
    }
    row
}

fn folder_row(name: &str, state: &FolderState, kept: Option<&Item>) -> Item {
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
        ("capabilities".to_owned(), json!(settings.capabilities.list())),
        ("hooks".to_owned(), hooks(state)),
        ("routes".to_owned(), routes(state)),
        ("schedules".to_owned(), schedules(state)),
        ("problems".to_owned(), json!(state.problems)),
    ]);
    for member in COUNTED {
        row.insert(member.to_owned(), kept.and_then(|kept| kept.get(member)).cloned().unwrap_or_default());
    }
    if let Some(at) = state.loaded_at {
        row.insert("loaded_at".to_owned(), json!(timestamp(at)));
    }
    row
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

fn schedules(state: &FolderState) -> Value {
    let all = state.serving.iter().flat_map(|extension| &extension.schedules);
    all.map(|scheduled| {
        let (schedule, timezone) = (&scheduled.schedule, &scheduled.timezone);
        json!({ "job": scheduled.job, "name": scheduled.name, "schedule": schedule, "timezone": timezone })
    })
    .collect()
}

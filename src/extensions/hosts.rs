//! What extensions are on each of the hosts that share a database: for those who manage extensions on several.
//!
//! What a host knows of the others is for show: nothing is decided by it. How hosts know of each other at all is `services::hosts`.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::store::Extensions;
use crate::db::timestamp;
use crate::error::Result;
use crate::services::Item;

/// What of the states is worth telling at once: counts wait for the next heartbeat.
fn news(extensions: &Value) -> Value {
    let mut news = extensions.clone();
    for state in news.as_object_mut().into_iter().flat_map(|states| states.values_mut()).filter_map(Value::as_object_mut) {
        state.retain(|name, _| !["runs", "failed"].contains(&name.as_str()));
    }
    news
}

impl Extensions {
    /// Has the other hosts told what the extensions are here when they are told anything next.
    pub(super) fn describe_to_hosts(&self) {
        let hosts = &self.shared.core.changes.hosts;
        if hosts.is_shared() {
            let states = Value::Object(self.states_here());
            let news = news(&states);
            hosts.describe(states, news);
        }
    }

    /// Tells the other hosts what the extensions are here.
    pub(super) async fn tell_hosts(&self) {
        self.describe_to_hosts();
        if let Err(error) = self.shared.core.changes.say().await {
            tracing::warn!(%error, "what the extensions are here could not be told to the other hosts; it is tried again");
        }
    }

    /// What an extension is on every host, this one first: `{ host, state, since, reason, saved_at, runs, failed, seen_at }`.
    pub(super) async fn by_host(&self) -> Result<ByHost> {
        let (mut here, core) = (self.states_here(), &self.shared.core);
        let (name, now) = (json!(core.changes.hosts.name()), json!(timestamp(core.clock.now())));
        for state in here.values_mut() {
            state["host"] = name.clone();
            state["seen_at"] = now.clone();
        }
        let mut others: HashMap<String, Vec<Value>> = HashMap::new();
        for mut host in core.changes.hosts.others(&["name", "seen_at", "extensions"]).await? {
            let Some(Value::Object(extensions)) = host.shift_remove("extensions") else { continue };
            for (id, state) in extensions {
                let Value::Object(mut state) = state else { continue };
                for (name, member) in [("host", "name"), ("seen_at", "seen_at")] {
                    state.insert(name.to_owned(), host.get(member).cloned().unwrap_or_default());
                }
                others.entry(id).or_default().push(Value::Object(state));
            }
        }
        Ok(ByHost { here, others })
    }
}

/// What extensions are on every host.
pub(super) struct ByHost {
    here: Item,
    others: HashMap<String, Vec<Value>>,
}

impl ByHost {
    /// Of one extension. A host on which it is switched off doesn't mention it.
    pub fn of(&self, id: &str) -> Value {
        self.here.get(id).into_iter().chain(self.others.get(id).into_iter().flatten()).cloned().collect()
    }
}

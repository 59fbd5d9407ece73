//! What an extension is at this moment, beyond what was set: whether it runs, since when, why not, what to do about it, and what is owed
//! to it. For those who manage extensions; nothing else asks.

use std::collections::HashMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::breaker::CoolDown;
use super::folders::FolderState;
use super::set::{Extension, ExtensionSet, LastFault, Origin};
use super::store::Extensions;
use crate::clock::Clock;
use crate::db::timestamp;
use crate::error::Result;
use crate::hooks::outbox::{self, Owed};
use crate::sandbox::PoolStats;
use crate::services::Item;

/// What it is now.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// `active`, `inactive`, `error`, `cooling_down`, `safe_mode` or `unreadable`.
    state: &'static str,
    since: Option<DateTime<Utc>>,
    reason: Option<String>,
    /// What to do about it, in a sentence.
    advice: Option<String>,
    last_fault: Option<LastFault>,
    cool_down: Option<NextTrial>,
}

#[derive(Debug)]
struct NextTrial {
    at: DateTime<Utc>,
    seconds_left: u64,
}

impl Live {
    fn is(state: &'static str) -> Self {
        Self { state, ..Self::default() }
    }

    fn since(self, since: Option<DateTime<Utc>>) -> Self {
        Self { since, ..self }
    }

    fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    /// As other hosts are told of it.
    fn brief(&self, saved: Option<&Value>, (runs, failed): (u64, u64)) -> Value {
        json!({
            "state": self.state,
            "since": self.since.map(timestamp),
            "reason": self.reason,
            "saved_at": saved,
            "runs": runs,
            "failed": failed,
        })
    }

    fn to_json(&self, owed: Owed, hosts: Value) -> Value {
        let fault = self.last_fault.as_ref().map(|fault| {
            json!({
                "code": fault.code,
                "message": fault.message,
                "place": fault.place,
                "event": fault.event,
                "request_id": fault.request_id,
                "at": timestamp(fault.at),
            })
        });
        json!({
            "state": self.state,
            "since": self.since.map(timestamp),
            "reason": self.reason,
            "advice": self.advice,
            "last_fault": fault,
            "next_trial_at": self.cool_down.as_ref().map(|next| timestamp(next.at)),
            "seconds_left": self.cool_down.as_ref().map(|next| next.seconds_left),
            "deliveries": { "pending": owed.pending, "held": owed.held, "dead": owed.dead },
            "hosts": hosts,
        })
    }
}

impl Extensions {
    /// The workers now. Reads the memory of each.
    pub fn pool_stats(&self) -> PoolStats {
        self.shared.pool.stats()
    }

    /// Adds to rows what they don't hold: counts since the last flush, and what they are now.
    pub(super) async fn add_live(&self, rows: &mut [Item]) -> Result<()> {
        let (owed, hosts) = (self.owed(rows).await?, self.by_host().await?);
        for row in rows {
            self.shared.stats.add_to(row);
            let Some(id) = row.get("id").and_then(Value::as_str) else { continue };
            let live = self.live_of_row(id, row).to_json(owed.get(id).copied().unwrap_or_default(), hosts.of(id));
            row.insert("live".to_owned(), live);
        }
        Ok(())
    }

    fn live_of_row(&self, id: &str, row: &Item) -> Live {
        let set = self.current();
        let time = |name: &str| row.get(name).and_then(Value::as_str).and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let changed = || time("updated_at").or_else(|| time("created_at")).map(|at| at.with_timezone(&Utc));
        match (set.by_id.get(id), set.unreadable.get(id)) {
            _ if self.safe_mode => self.live_in_safe_mode(),
            (_, Some(why)) => Live::is("unreadable")
                .since(set.by_id.get(id).map(|extension| extension.since))
                .because(why)
                .advise("Send the member that is named here again, with a value that is allowed"),
            (None, None) => Live::is("inactive")
                .since(changed())
                .because("It was switched off, or never switched on")
                .advise("To have it run, and get what was held for it, send `POST /api/extensions/:id/activate`"),
            (Some(extension), None) => match set.live(extension, &self.shared.core.clock) {
                // As long as it is set so, on every host and whatever restarts.
                live if live.state == "active" => Live { since: changed().or(live.since), ..live },
                live => live,
            },
        }
    }

    /// The same of folders, whose rows come from their states.
    pub(super) async fn add_live_of_folders(&self, rows: &mut [(Item, Option<FolderState>)]) -> Result<()> {
        let ids: Vec<Item> = rows.iter().map(|(row, _)| Item::from_iter(row.get("id").map(|id| ("id".to_owned(), id.clone())))).collect();
        let (all_owed, hosts) = (self.owed(&ids).await?, self.by_host().await?);
        for (row, state) in rows {
            self.shared.stats.add_to(row);
            let id = row.get("id").and_then(Value::as_str).unwrap_or_default();
            let owed = all_owed.get(id).copied().unwrap_or_default();
            let hosts = hosts.of(id);
            let live = match state {
                Some(state) => self.live_of_folder(state),
                None => self.live_in_safe_mode(),
            };
            row.insert("live".to_owned(), live.to_json(owed, hosts));
        }
        Ok(())
    }

    fn live_of_folder(&self, state: &FolderState) -> Live {
        let live = match &state.serving {
            Some(extension) => self.current().live(extension, &self.shared.core.clock),
            None if state.problems.is_empty() => Live::is("inactive")
                .because("Its `extension.json` switches it off")
                .advise("To have it run, take `\"enabled\": false` out of its `extension.json`"),
            None => Live::is("error")
                .because("It has never loaded, so it guards nothing")
                .advise("Mend what its `problems` name: it is loaded again when its files change"),
        };
        match state.problems.is_empty() || live.state != "active" {
            true => live,
            false => live
                .because("An earlier version runs: the one on disk doesn't load")
                .advise("Mend what its `problems` name: it is loaded again when its files change"),
        }
    }

    fn live_in_safe_mode(&self) -> Live {
        Live::is("safe_mode")
            .since(Some(self.started))
            .because("EXTENSIONS_SAFE_MODE is on: nothing runs")
            .advise("Deactivate or mend what is at fault, then start without `EXTENSIONS_SAFE_MODE`: what is owed meanwhile waits")
    }

    /// What every extension is on this host, by id. One that is switched off isn't mentioned.
    pub(super) fn states_here(&self) -> Item {
        if self.safe_mode {
            return Item::new();
        }
        let set = self.current();
        let counted = |id: &str| self.shared.stats.here(id);
        let mut states = Item::new();
        for (id, extension) in &set.by_id {
            if let Origin::Row(_) = extension.origin {
                let live = match set.unreadable.get(id) {
                    Some(why) => Live::is("unreadable").since(Some(extension.since)).because(why),
                    None => set.live(extension, &self.shared.core.clock),
                };
                states.insert(id.clone(), live.brief(set.saved.get(id), counted(id)));
            }
        }
        for (id, why) in set.unreadable.iter().filter(|(id, _)| !set.by_id.contains_key(*id)) {
            states.insert(id.clone(), Live::is("unreadable").because(why).brief(set.saved.get(id), counted(id)));
        }
        for (_, state) in self.folders.all() {
            let id = &state.settings.id;
            states.insert(id.clone(), self.live_of_folder(&state).brief(None, counted(id)));
        }
        states
    }

    async fn owed(&self, rows: &[Item]) -> Result<HashMap<String, Owed>> {
        let ids: Vec<Value> = rows.iter().filter_map(|row| row.get("id").cloned()).collect();
        let core = &self.shared.core;
        core.db
            .read(move |conn| {
                let ids = ids.clone();
                Box::pin(async move { outbox::owed(conn, ids).await })
            })
            .await
    }
}

impl ExtensionSet {
    /// What an extension of this snapshot is now.
    fn live(&self, extension: &Extension, clock: &Clock) -> Live {
        let is_row = matches!(extension.origin, Origin::Row(_));
        let guarded = if extension.settings.fail_open { "is done without it" } else { "answers 503" };
        if let Some((why, since)) = extension.broken_since() {
            let how = if is_row { "correct the code and save it" } else { "correct its files" };
            let advice = format!("Look at `last_error`, then {how}; until then what it guards {guarded} and its deliveries are held");
            return Live::is("error").since(Some(since)).because(why).advise(advice);
        }
        if let Some(conflict) = self.conflicts.get(&extension.settings.id) {
            let advice = "Give its route another path or method, or the other one: its routes answer nothing until then";
            return Live::is("error").since(Some(extension.since)).because(conflict).advise(advice);
        }
        let both = [("hooks", &extension.breaker), ("routes", &extension.route_breaker)];
        let cooling =
            both.into_iter().filter_map(|(what, breaker)| Some((what, breaker.cooling()?))).min_by_key(|(_, cooling)| cooling.until);
        let last_fault = extension.last_fault();
        match cooling {
            Some((what, cooling)) => Live { last_fault, ..cooling_down(what, cooling, guarded, clock) },
            None => Live { last_fault, ..Live::is("active").since(Some(extension.since)) },
        }
    }
}

fn cooling_down(what: &str, CoolDown { since, until, on_trial }: CoolDown, guarded: &str, clock: &Clock) -> Live {
    let (instant, now) = (Instant::now(), clock.now());
    let left = until.saturating_duration_since(instant);
    let ago = TimeDelta::from_std(instant.saturating_duration_since(since)).unwrap_or_default();
    let at = now + TimeDelta::from_std(left).unwrap_or_default();
    let trial = match (on_trial, left.is_zero()) {
        (true, _) => "; a trial call is on its way",
        (false, true) => "; the next call is the trial",
        (false, false) => "",
    };
    let cool_down = Some(NextTrial { at, seconds_left: left.as_secs() });
    let advice = format!(
        "Mend what `last_fault` names and save it, or activate it, which ends this at once; otherwise the first call that goes well ends \
         it. Until then what it guards {guarded}"
    );
    let reason = format!("Five faults of its {what} within ten seconds{trial}");
    Live { cool_down, ..Live::is("cooling_down").since(Some(now - ago)).because(reason).advise(advice) }
}

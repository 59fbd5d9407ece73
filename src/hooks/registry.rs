//! Which hooks hear which event: immutable, ordered, built whole for each snapshot.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::event::{AuthEvent, EventName, HookKind, ItemsEvent};

/// One handler on one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The extension's stable id: a row's key.
    pub extension: String,
    /// The extension's name, for people.
    pub name: String,
    /// Which handler of the extension; a row has only number 0.
    pub handler: u32,
    /// Which of the extension's hooks of this kind on this event.
    pub nth: u32,
    /// Before or after.
    pub kind: HookKind,
    /// What it hears.
    pub event: EventName,
    /// Lower runs first.
    pub sort: i64,
    /// Whether its deliveries go through the outbox. Only of meaning for action hooks.
    pub durable: bool,
    /// Whether its deliveries about one item wait for each other. Only of meaning for durable action hooks.
    pub ordered: bool,
}

impl Hook {
    /// Names the hook within its extension: what a delivery is owed to. Stable over restarts, and over changes of the source that leave
    /// the hooks on this event as they are.
    pub fn slot(&self) -> String {
        format!("{}:{}#{}", self.kind, self.event, self.nth)
    }
}

/// All hooks of a snapshot. A look-up costs one hash and no allocation.
#[derive(Debug, Default)]
pub struct Registry {
    global: Lists,
    /// Merged with the global ones, for every collection that any hook names.
    by_collection: HashMap<String, Lists>,
    by_job: HashMap<String, Vec<Arc<Hook>>>,
    by_sign_in: HashMap<(HookKind, AuthEvent), Vec<Arc<Hook>>>,
}

#[derive(Debug, Default, Clone)]
struct Lists {
    filters: [Vec<Arc<Hook>>; ItemsEvent::ALL.len()],
    actions: [Vec<Arc<Hook>>; ItemsEvent::ALL.len()],
}

impl Lists {
    fn of_hooks<'a>(hooks: impl IntoIterator<Item = &'a Arc<Hook>>) -> Self {
        let mut sorted: Vec<&Arc<Hook>> = hooks.into_iter().collect();
        sorted.sort_by(|a, b| in_order(a, b));
        let mut lists = Lists::default();
        for hook in sorted {
            let EventName::Items { event, .. } = hook.event else { continue };
            let side = match hook.kind {
                HookKind::Filter => &mut lists.filters,
                HookKind::Action => &mut lists.actions,
            };
            side[event as usize].push(Arc::clone(hook));
        }
        lists
    }

    fn of(&self, kind: HookKind, event: ItemsEvent) -> &[Arc<Hook>] {
        match kind {
            HookKind::Filter => &self.filters[event as usize],
            HookKind::Action => &self.actions[event as usize],
        }
    }
}

fn in_order(a: &Hook, b: &Hook) -> Ordering {
    (a.sort, &a.name, &a.extension, a.handler).cmp(&(b.sort, &b.name, &b.extension, b.handler))
}

impl Registry {
    /// Puts all hooks into ONE sequence per event: by sort, then name, then id, then handler.
    pub fn new(hooks: impl IntoIterator<Item = Hook>) -> Self {
        let (mut global, mut specific) = (Vec::new(), HashMap::<String, Vec<Arc<Hook>>>::new());
        let mut by_job = HashMap::<String, Vec<Arc<Hook>>>::new();
        let mut by_sign_in = HashMap::<_, Vec<Arc<Hook>>>::new();
        for hook in hooks.into_iter().map(Arc::new) {
            match hook.event.clone() {
                EventName::Items { collection: None, .. } => global.push(hook),
                EventName::Items { collection: Some(collection), .. } => specific.entry(collection).or_default().push(hook),
                EventName::Auth(event) => by_sign_in.entry((hook.kind, event)).or_default().push(hook),
                EventName::Job(name) => by_job.entry(name.as_str().to_owned()).or_default().push(hook),
            }
        }
        by_job.values_mut().chain(by_sign_in.values_mut()).for_each(|hooks| hooks.sort_by(|a, b| in_order(a, b)));
        let by_collection = specific.into_iter().map(|(name, own)| (name, Lists::of_hooks(own.iter().chain(&global)))).collect();
        Self { global: Lists::of_hooks(&global), by_collection, by_job, by_sign_in }
    }

    /// The hooks that hear who signs in or out, in their order.
    pub fn sign_in(&self, kind: HookKind, event: AuthEvent) -> &[Arc<Hook>] {
        self.by_sign_in.get(&(kind, event)).map_or(&[], Vec::as_slice)
    }

    /// The action hooks that hear jobs of this name, in their order.
    pub fn job(&self, name: &str) -> &[Arc<Hook>] {
        self.by_job.get(name).map_or(&[], Vec::as_slice)
    }

    /// The names of the jobs that any hook hears.
    pub fn job_names(&self) -> impl Iterator<Item = &str> {
        self.by_job.keys().map(String::as_str)
    }

    /// The hooks that hear `event` of `collection`, in the order in which they run.
    pub fn matching(&self, kind: HookKind, event: ItemsEvent, collection: &str) -> &[Arc<Hook>] {
        self.by_collection.get(collection).unwrap_or(&self.global).of(kind, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, event: &str, sort: i64) -> Hook {
        Hook {
            extension: format!("id-{name}"),
            name: name.to_owned(),
            handler: 0,
            nth: 0,
            kind: HookKind::Filter,
            event: event.parse().expect("an event"),
            sort,
            durable: true,
            ordered: true,
        }
    }

    #[test]
    fn global_and_specific_hooks_form_one_sequence() {
        let registry = Registry::new([
            hook("late", "items.create", 9),
            hook("b", "articles.items.create", 0),
            hook("a", "items.create", 0),
            hook("other", "pages.items.create", 0),
            hook("update", "articles.items.update", 0),
        ]);
        let names = |collection| -> Vec<String> {
            registry.matching(HookKind::Filter, ItemsEvent::Create, collection).iter().map(|h| h.name.clone()).collect()
        };
        assert_eq!(names("articles"), ["a", "b", "late"]);
        assert_eq!(names("pages"), ["a", "other", "late"]);
        assert_eq!(names("unheard"), ["a", "late"]);
        assert!(registry.matching(HookKind::Action, ItemsEvent::Create, "articles").is_empty());
    }

    #[test]
    fn jobs_are_heard_by_name_and_by_nothing_else() {
        let registry = Registry::new([hook("late", "jobs.resize", 9), hook("b", "jobs.resize", 0), hook("items", "items.create", 0)]);
        assert_eq!(registry.job("resize").iter().map(|h| h.name.as_str()).collect::<Vec<_>>(), ["b", "late"]);
        assert!(registry.job("Resize").is_empty() && registry.job("items.create").is_empty());
        assert_eq!(registry.job_names().collect::<Vec<_>>(), ["resize"]);
        assert_eq!(registry.matching(HookKind::Filter, ItemsEvent::Create, "jobs").len(), 1);
    }
}

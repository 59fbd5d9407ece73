//! Deliveries in the hands of this host: by extension, so that none waits behind another's, and by key, so that those stay in order.

use std::collections::{HashMap, HashSet, VecDeque};

use serde_json::Value;
use uuid::Uuid;

use super::outbox::Delivery;

/// Deliveries of one extension that run at once, so that slow ones leave slots for others.
const SHARE: usize = 4;
/// Deliveries of one extension in memory; beyond these a row is left for the poll.
const MAX_OF_ONE: usize = 200;
/// Deliveries in memory in all.
const MAX: usize = 2_000;
/// What `meta` of all together may weigh in memory, in bytes; beyond that it is read again when its run begins.
const MAX_BYTES: usize = 16 << 20;

type OrderKey = (String, String, String, String);

fn order_key(delivery: &Delivery) -> Option<OrderKey> {
    let key = delivery.item_key.clone().filter(|_| delivery.in_line())?;
    Some((delivery.extension.clone(), delivery.hook.clone(), delivery.collection.clone(), key))
}

/// What is ready, what waits and what runs.
#[derive(Default)]
pub struct Queue {
    by_extension: HashMap<String, Lane>,
    /// Extensions with something ready, in the order of their turns.
    turns: VecDeque<String>,
    ids: HashSet<Uuid>,
    bytes: usize,
}

/// The deliveries of one extension.
#[derive(Default)]
struct Lane {
    ready: VecDeque<(Delivery, usize)>,
    /// What waits behind a running delivery of the same hook, collection and key.
    behind: HashMap<OrderKey, VecDeque<(Delivery, usize)>>,
    /// The keys of what runs.
    running: HashMap<Uuid, Option<OrderKey>>,
    /// What was claimed anew between the end of a run and the moment at which this queue hears of it.
    again: HashMap<Uuid, Delivery>,
}

impl Lane {
    fn len(&self) -> usize {
        self.ready.len() + self.running.len() + self.behind.values().map(VecDeque::len).sum::<usize>()
    }
}

impl Queue {
    /// How many more deliveries of `extension` may be kept in memory.
    pub fn room(&self, extension: &str) -> usize {
        let has = self.by_extension.get(extension).map_or(0, Lane::len);
        MAX_OF_ONE.saturating_sub(has).min(MAX.saturating_sub(self.ids.len()))
    }

    /// Whether another delivery of any extension may be kept in memory.
    pub fn has_room_at_all(&self) -> bool {
        self.ids.len() < MAX
    }

    /// The extensions that have as many in memory as one may have.
    pub fn full(&self) -> Vec<String> {
        self.by_extension.iter().filter(|(_, lane)| lane.len() >= MAX_OF_ONE).map(|(id, _)| id.clone()).collect()
    }

    /// Everything in hand.
    pub fn ids(&self) -> Vec<Uuid> {
        self.ids.iter().copied().collect()
    }

    /// Takes a delivery in hand. One that is there already is not taken twice; one whose run is ending is taken after that.
    pub fn push(&mut self, mut delivery: Delivery) {
        if !self.ids.insert(delivery.id) {
            if let Some(lane) = self.by_extension.get_mut(&delivery.extension)
                && delivery.claimed
                && lane.running.contains_key(&delivery.id)
            {
                lane.again.insert(delivery.id, delivery);
            }
            return;
        }
        let mut weight = weigh(&delivery.meta);
        if self.bytes + weight > MAX_BYTES {
            (delivery.meta, weight) = (Value::Null, 0);
        }
        self.bytes += weight;
        let extension = delivery.extension.clone();
        let lane = self.by_extension.entry(extension.clone()).or_default();
        lane.ready.push_back((delivery, weight));
        if !self.turns.contains(&extension) {
            self.turns.push_back(extension);
        }
    }

    /// The next delivery to run, if one may: extensions take turns, keys keep their order.
    pub fn start(&mut self) -> Option<Delivery> {
        for _ in 0..self.turns.len() {
            let extension = self.turns.pop_front()?;
            let Some(lane) = self.by_extension.get_mut(&extension) else { continue };
            let started = if lane.running.len() < SHARE { next(lane) } else { None };
            if !lane.ready.is_empty() {
                self.turns.push_back(extension);
            }
            if let Some((delivery, weight)) = started {
                self.bytes -= weight;
                return Some(delivery);
            }
        }
        None
    }

    /// A run ended: what waited behind it is ready.
    pub fn end(&mut self, id: Uuid, extension: &str) {
        self.ids.remove(&id);
        let Some(lane) = self.by_extension.get_mut(extension) else { return };
        let again = lane.again.remove(&id);
        if let Some(Some(key)) = lane.running.remove(&id)
            && let Some(mut waiting) = lane.behind.remove(&key)
        {
            // Back to the front, in their order: the first of them takes the key again.
            while let Some(delivery) = waiting.pop_back() {
                lane.ready.push_front(delivery);
            }
        }
        if lane.len() == 0 {
            self.by_extension.remove(extension);
        } else if !lane.ready.is_empty() && !self.turns.iter().any(|turn| turn == extension) {
            self.turns.push_back(extension.to_owned());
        }
        if let Some(delivery) = again {
            self.push(delivery);
        }
    }
}

/// The first ready delivery whose key is free; those before it wait behind their key.
fn next(lane: &mut Lane) -> Option<(Delivery, usize)> {
    while let Some((delivery, weight)) = lane.ready.pop_front() {
        let key = order_key(&delivery);
        if let Some(key) = &key {
            if let Some(waiting) = lane.behind.get_mut(key) {
                waiting.push_back((delivery, weight));
                continue;
            }
            lane.behind.insert(key.clone(), VecDeque::new());
        }
        lane.running.insert(delivery.id, key);
        return Some((delivery, weight));
    }
    None
}

/// About how many bytes a value takes in memory.
fn weigh(value: &Value) -> usize {
    const EACH: usize = 72;
    match value {
        Value::String(text) => EACH + text.len(),
        Value::Array(items) => EACH + items.iter().map(weigh).sum::<usize>(),
        Value::Object(members) => EACH + members.iter().map(|(name, member)| EACH + name.len() + weigh(member)).sum::<usize>(),
        _ => EACH,
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::Caller;
    use super::*;
    use serde_json::json;

    fn delivery(n: u128, extension: &str, key: &str) -> Delivery {
        Delivery {
            id: Uuid::from_u128(n),
            extension: extension.to_owned(),
            hook: "action:items.create#0".to_owned(),
            event: "a.items.create".to_owned(),
            collection: "a".to_owned(),
            item_key: Some(key.to_owned()),
            meta: json!({ "n": n.to_string() }),
            caller: Caller::System,
            ip: None,
            user_agent: None,
            request_id: String::new(),
            depth: 0,
            chain: Vec::new(),
            attempt: 0,
            ordered: true,
            first_at: None,
            replayed: false,
            claimed: false,
            behind: false,
        }
    }

    fn started(queue: &mut Queue) -> Vec<u128> {
        std::iter::from_fn(|| queue.start()).map(|d| d.id.as_u128()).collect()
    }

    #[test]
    fn extensions_take_turns_and_none_has_all_slots() {
        let mut queue = Queue::default();
        (0..10).for_each(|n| queue.push(delivery(n, "slow", &n.to_string())));
        queue.push(delivery(100, "quick", "x"));
        assert_eq!(started(&mut queue), [0, 100, 1, 2, 3]);
        queue.end(Uuid::from_u128(1), "slow");
        assert_eq!(started(&mut queue), [4]);
    }

    #[test]
    fn deliveries_of_one_key_wait_for_each_other() {
        let mut queue = Queue::default();
        for (n, key) in [(1, "k"), (2, "k"), (3, "k"), (4, "other")] {
            queue.push(delivery(n, "e", key));
        }
        assert_eq!(started(&mut queue), [1, 4]);
        queue.end(Uuid::from_u128(1), "e");
        assert_eq!(started(&mut queue), [2]);
        queue.end(Uuid::from_u128(2), "e");
        assert_eq!(started(&mut queue), [3]);
        [3, 4].into_iter().for_each(|n| queue.end(Uuid::from_u128(n), "e"));
        assert!(queue.ids().is_empty() && queue.by_extension.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn what_is_claimed_anew_while_its_run_ends_runs_again() {
        let mut queue = Queue::default();
        queue.push(delivery(1, "e", "k"));
        queue.push(Delivery { claimed: true, ..delivery(1, "e", "k") });
        assert_eq!(started(&mut queue), [1]);
        queue.push(Delivery { claimed: true, attempt: 1, ..delivery(1, "e", "k") });
        assert!(started(&mut queue).is_empty());
        queue.end(Uuid::from_u128(1), "e");
        assert_eq!(queue.start().map(|again| again.attempt), Some(1));
        queue.end(Uuid::from_u128(1), "e");
        assert!(queue.ids().is_empty() && queue.by_extension.is_empty());
    }

    #[test]
    fn what_is_too_heavy_to_keep_is_kept_by_name() {
        let mut queue = Queue::default();
        for n in 0..20 {
            queue.push(Delivery { meta: json!("x".repeat(1 << 20)), ..delivery(n, "e", &n.to_string()) });
            queue.push(delivery(n, "e", "twice"));
        }
        assert!(queue.bytes <= MAX_BYTES && queue.ids().len() == 20);
        assert!(!queue.start().expect("the first").meta.is_null());
    }
}

//! Every call starts as the unit was after it was loaded, whatever the calls before it did to what they could reach.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use trellis::sandbox::{Failure, Pool, PoolOptions, Unit};

use crate::sandbox::{MB, TestHost, call, invocation, options, unit, unit_with, value};

/// Walks all that code can reach: `text` describes it, `found` are the objects. What it needs is captured first: it goes on working on
/// what was just broken.
pub const WALK: &str = r#"
const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf, setPrototypeOf, isExtensible, defineProperty, deleteProperty, apply } = Reflect;
const { freeze, is } = Object;
const bound = (f) => f.call.bind(f);
const [get, set, push, toText] = [Map.prototype.get, Map.prototype.set, Array.prototype.push, Symbol.prototype.toString].map(bound);
const toString = String;
const pause = setTimeout, Wait = Promise, later = queueMicrotask, every = setInterval;
const ids = new Map();
const found = [];
let text = '';
const say = (s) => { text += s; };
const name = (v) => {
  if (typeof v === 'symbol') return toText(v);
  if ((typeof v !== 'object' && typeof v !== 'function') || v === null) return `${typeof v} ${is(v, -0) ? '-0' : toString(v)}`;
  let id = get(ids, v);
  if (id === undefined) { id = found.length; set(ids, v, id); push(found, v); }
  return `#${id}`;
};
const iterators = [[][Symbol.iterator](), new Map().entries(), new Set().values(), ''[Symbol.iterator](), ''.matchAll(/x/g), Iterator.from({ next() {} }), [].values().map(x => x)];
for (const root of [globalThis, context, services, ...iterators, function () {}, () => {}, async () => {}, function* () {}, async function* () {},
  (function* () {})(), (async function* () {})(), (function () { return arguments })(), class A {}, /x/g, new Error('e'), new Date(0), new Uint8Array(1), new Proxy({}, {})]) say(name(root));
for (let at = 0; at < found.length; at++) {
  const object = found[at];
  if (object === found || object === ids) continue;
  say(` ${name(getPrototypeOf(object))} ${isExtensible(object)}`);
  const keys = ownKeys(object);
  for (let k = 0; k < keys.length; k++) {
    if (keys[k] === 'stack') continue;
    const d = getOwnPropertyDescriptor(object, keys[k]);
    say(` ${name(keys[k])} ${d.enumerable} ${d.configurable} ${d.writable} ${name(d.value)} ${name(d.get)} ${name(d.set)}`);
  }
}
"#;

/// Behind [`WALK`]: either tells what was found, or does harm to it.
const ACTS: &str = r#"
if (payload.act === 'look') {
  const regexp = /a/g;
  const behaviour = [[3, 1, 2].sort().join(), 'a-b'.replace(/-/, '+'), JSON.stringify({ a: [1] }), await Promise.resolve(1), `${new Date(0)}`, regexp.lastIndex, regexp.test('a'),
    Object.keys({ b: 1, a: 2 }), typeof structuredClone({ a: 1 }).a, [...new Set([1, 1])], Symbol.keyFor(Symbol.for('kept')), Error.stackTraceLimit, `${Error.prepareStackTrace}`,
    Math.max(1, 2), new Intl0().x, typeof performance.now(), await new Promise(d => setTimeout(d, 0, 'fired')), globalThis.kept, `${1n << 70n}`, [1, [2]].flat().length];
  function Intl0() { this.x = 1 }
  const reached = [[].map, Math.max, new Date().setUTCHours, DataView.prototype.getInt8, console.log, performance.now, setTimeout, Object.getPrototypeOf(/x/[Symbol.matchAll]('')).next,
    Object.getPrototypeOf(async function* () {}).prototype.next, Object.getPrototypeOf(Int8Array).from, (async () => {}).constructor, Promise.prototype.then,
    Object.getOwnPropertyDescriptor(Map.prototype, 'size').get, context.accountability.roles, services].map(o => get(ids, o) !== undefined);
  return { text, objects: found.length, behaviour, reached };
}
if (payload.act === 'raze') {
  const all = found.length;
  for (let i = all - 1; i >= 0; i--) {
    const keys = ownKeys(found[i]);
    for (let k = 0; k < keys.length; k++) {
      try { found[i][keys[k]] = 1; } catch {}
      try { deleteProperty(found[i], keys[k]); } catch {}
    }
    try { setPrototypeOf(found[i], null); } catch {}
  }
  return 1;
}
let state = payload.seed | 0;
const below = (n) => { state = state + 0x9E3779B9 | 0; let z = state ^ state >>> 16; z = z * 0x21f0aaad | 0; z = z ^ z >>> 15; z = z * 0x735a2d97 | 0; return ((z ^ z >>> 15) >>> 0) % n; };
const any = () => found[below(found.length)];
const some = () => { const n = below(8); return n < 3 ? any() : n === 3 ? undefined : n === 4 ? null : n === 5 ? below(1e9) : n === 6 ? 'text' : () => { throw 1 }; };
const key = (object) => { const keys = ownKeys(object); return keys.length ? keys[below(keys.length)] : 'none'; };
for (let n = 20 + below(60); n > 0; n--) {
  const object = any();
  try {
    switch (below(16)) {
      case 0: case 1: case 2: deleteProperty(object, key(object)); break;
      case 3: case 4: case 5: object[key(object)] = some(); break;
      case 6: defineProperty(object, key(object), { __proto__: null, configurable: true, get() { return some() }, set() {} }); break;
      case 7: setPrototypeOf(object, below(2) ? null : any()); break;
      case 8: freeze(object); break;
      case 9: globalThis['leak' + below(1000)] = some(); object['own' + below(1000)] = object; break;
      case 10: { const g = (function* () { yield globalThis.kept = g; yield 2; })(); g.next(); break; }
      case 11: globalThis.kept = new Wait(() => {}); (async () => { await globalThis.kept; })(); Symbol.for('kept'); break;
      case 12: pause(() => { globalThis.late = 1; }, below(3)); every(() => {}, 1); later(() => { object.late = 1; }); break;
      case 13: globalThis.kept = [new WeakRef(object), new FinalizationRegistry(() => {})]; globalThis.kept[1].register({}, 1); new WeakMap().set(object, 1); break;
      case 14: Error.prepareStackTrace = some(); Error.stackTraceLimit = below(3); object.now?.(); break;
      case 15: globalThis.big = new Array(below(20000)).fill({}); globalThis.buffer = new ArrayBuffer(below(100000)).transfer(10); console.log(object); break;
    }
  } catch {}
}
switch (payload.seed % 8) {
  case 0: throw any();
  case 1: await new Wait((done) => pause(done, 1)); break;
  case 2: (async () => { for (;;) await 1; })(); break;
  case 3: return any();
}
if (payload.seed % 100 === 42) while (true) {}
if (payload.seed % 100 === 43) { const a = []; while (true) a[a.length] = new Uint8Array(100000); }
if (payload.seed % 100 === 44) await new Wait(() => {});
return 1
"#;

fn reach() -> String {
    format!("{WALK}{ACTS}")
}

/// One worker, so that a call gets the isolate of the call before.
pub fn one_worker() -> Arc<Pool> {
    Pool::start(PoolOptions { workers_per_unit: 1, ..options() })
}

pub async fn look(pool: &Pool, unit: &Arc<Unit>) -> Value {
    value(&call(pool, unit, json!({ "act": "look" }), 5_000).await)
}

/// Code that takes megabytes of heap once it is loaded, in front of other code.
pub fn with_a_large_heap(code: &str) -> String {
    let functions: Vec<String> = (0..12_000).map(|i| format!("f{i}(x) {{ return x.p{} + {i}.5 + 'text {i}' }}", i % 300)).collect();
    format!("const table = () => ({{ {} }});\n{code}", functions.join(",\n"))
}

#[tokio::test]
async fn whatever_a_call_breaks_the_next_finds_everything_in_its_place() {
    for (code, pairs) in [(reach(), 1_000), (with_a_large_heap(&reach()), 40)] {
        let pool = one_worker();
        let unit = unit_with(&code, 24 * MB, false);
        let pristine = look(&pool, &unit).await;
        assert_eq!(pristine["reached"], Value::from(vec![true; 15]), "the walk comes everywhere");
        let mut ends = [0; 2];
        for seed in 0..pairs {
            let outcome = call(&pool, &unit, json!({ "act": "harm", "seed": seed }), 150).await;
            ends[usize::from(outcome.result.is_ok())] += 1;
            assert!(look(&pool, &unit).await == pristine, "something is left after {seed}, which gave {outcome:?}");
        }
        assert!(ends[0] > pairs / 10 && ends[1] > pairs / 10, "{ends:?}");
    }
}

/// Where nothing is put back the same walk must see the harm, or it would prove nothing above.
#[tokio::test]
async fn in_a_warm_isolate_the_harm_is_seen() {
    let pool = one_worker();
    for seed in 0..10 {
        let unit = unit_with(&reach(), 24 * MB, true);
        let before = look(&pool, &unit).await;
        let _ = call(&pool, &unit, json!({ "act": "harm", "seed": seed }), 1_000).await;
        let after = call(&pool, &unit, json!({ "act": "look" }), 1_000).await;
        assert!(after.result.is_err() || value(&after) != before, "{seed}");
        pool.retire(unit.id);
    }
}

#[tokio::test]
async fn everything_can_be_overwritten_and_deleted_again_and_again() {
    for code in [reach(), with_a_large_heap(&reach())] {
        let pool = one_worker();
        let unit = unit(&code);
        let pristine = look(&pool, &unit).await;
        for _ in 0..5 {
            let _ = call(&pool, &unit, json!({ "act": "raze" }), 2_000).await;
            let _ = call(&pool, &unit, json!({ "act": "raze" }), 2_000).await;
            assert!(look(&pool, &unit).await == pristine);
        }
    }
}

#[tokio::test]
async fn a_call_after_a_breach_is_served_by_the_same_worker() {
    let pool = one_worker();
    let code = "if (globalThis.x) return 'seen'; globalThis.x = 1; const a = []; \
        if (payload.eat) while (true) a.push(new Uint8Array(1e5)); if (payload.grow) for (let s = 'x'; ; ) s = s.repeat(2); \
        if (payload.wait) await new Promise(() => {}); if (payload.spin) while (true) {} return 'fine'";
    let unit = unit_with(code, 8 * MB, false);
    pool.check(&unit).await.expect("it compiles");
    let pid = pool.stats().workers[0].pid;
    for _ in 0..20 {
        for how in ["eat", "grow"] {
            let eaten = call(&pool, &unit, json!({ how: 1 }), 2_000).await;
            assert!(matches!(eaten.result, Err(Failure::OutOfMemory { .. })), "{eaten:?}");
            assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!("fine"));
        }
    }
    for _ in 0..5 {
        let waited = call(&pool, &unit, json!({ "wait": 1 }), 20).await;
        assert!(matches!(waited.result, Err(Failure::Timeout { .. })), "{waited:?}");
        assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!("fine"));
    }
    assert_eq!(pool.stats().workers[0].pid, pid);
    // Spinning costs processor time, for which the pool may replace the worker: only the next call counts.
    for _ in 0..5 {
        let spun = call(&pool, &unit, json!({ "spin": 1 }), 20).await;
        assert!(matches!(spun.result, Err(Failure::Timeout { .. })), "{spun:?}");
        assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!("fine"));
    }
}

#[tokio::test]
async fn ten_thousand_calls_leave_a_worker_as_large_as_it_was() {
    let pool = one_worker();
    let code = "globalThis.kept = new Array(1000).fill(0).map((_, i) => ({ i })); console.log(payload); setTimeout(() => {}, 1000); \
        if (payload.n % 3 === 0) throw new Error('no'); if (payload.n % 5 === 0) await call('echo', payload); \
        if (payload.n % 500 === 0) globalThis.big = new Uint8Array(2e7).fill(1); return payload";
    let unit = unit_with(code, 64 * MB, false);
    pool.check(&unit).await.expect("it compiles");
    let pid = pool.stats().workers[0].pid;
    let mut sizes = Vec::new();
    for n in 0..10_000 {
        let _ = call(&pool, &unit, json!({ "n": n }), 2_000).await;
        if n == 2_000 || n == 9_999 {
            let workers = pool.stats().workers;
            assert_eq!(workers.iter().map(|w| w.pid).collect::<Vec<_>>(), [pid], "no call cost its worker");
            sizes.push(workers[0].resident_bytes);
        }
    }
    assert!(sizes[1] <= sizes[0] + MB as u64, "{sizes:?}");
    assert!(sizes[1] < 24 * MB as u64, "what a call used is given back: {sizes:?}");
}

#[tokio::test]
async fn calls_that_overlap_in_one_worker_share_nothing() {
    let pool = one_worker();
    let unit = unit(
        "const before = globalThis.mine; globalThis.mine = payload.n; Array.prototype.mine = payload.n; await call('slow'); \
        await call('echo'); return [before ?? null, globalThis.mine, [].mine]",
    );
    pool.check(&unit).await.expect("it compiles");
    for round in 0..3 {
        let calls: Vec<_> = (0..48)
            .map(|n| {
                let (pool, unit) = (pool.clone(), unit.clone());
                tokio::spawn(async move { (n, call(&pool, &unit, json!({ "n": n }), 4_000).await) })
            })
            .collect();
        for c in calls {
            let (n, outcome) = c.await.expect("no panic");
            assert_eq!(value(&outcome), json!([null, n, n]), "round {round}");
        }
    }
    assert_eq!(pool.stats().workers.len(), 1);
}

#[tokio::test]
async fn what_a_call_left_undone_stays_undone() {
    let pool = one_worker();
    let unit = unit(
        "if (payload.leave) { setTimeout(() => call('echo'), 1); setInterval(() => call('echo'), 1); call('slow').then(() => call('echo')); return 'left' } \
        await new Promise(done => setTimeout(done, 80)); return 'done'",
    );
    for _ in 0..3 {
        let left = call(&pool, &unit, json!({ "leave": true }), 1_000).await;
        assert_eq!((value(&left), left.host_calls), (json!("left"), 1));
        let next = call(&pool, &unit, json!({}), 1_000).await;
        assert_eq!((value(&next), next.host_calls), (json!("done"), 0));
    }
    // One that is given up by its caller leaves as little.
    let host = Arc::new(TestHost::default());
    let waiting = pool.invoke(invocation(&unit, &json!({}), 5_000, host), None);
    assert!(tokio::time::timeout(Duration::from_millis(20), waiting).await.is_err());
    let next = call(&pool, &unit, json!({}), 1_000).await;
    assert_eq!((value(&next), next.host_calls), (json!("done"), 0));
    assert_eq!(pool.stats().workers.len(), 1);
}

//! One call patches by name what hosts have been taken over by; the next, and another extension, find everything in its place.
//!
//! The walk of `pristine.rs` breaks whatever it comes by. Here it is the built-ins, the web platform and the services that the glue and
//! honest code go by, also in the moment in which a part of the platform is loaded.

use serde_json::{Value, json};

use super::Dice;
use crate::pristine::{WALK, look, one_worker};
use crate::sandbox::{MB, call, unit_with};

/// Does what `payload.changes` says, uses what may have been changed, and ends as `payload.end` says; or looks.
const CODE: &str = r#"
const web = () => [URL, URLSearchParams, Headers, Request, Response, Blob, File, FormData, ReadableStream, TransformStream, WritableStream, AbortController, EventTarget, TextEncoder, TextDecoder];
if (payload.act === 'harm') {
  const { defineProperty, deleteProperty, setPrototypeOf, apply, construct, getOwnPropertyDescriptor } = Reflect;
  const { freeze } = Object;
  if (payload.loaded) web();
  const roots = { __proto__: null, global: globalThis, context, services, fields: await services.fields() };
  for (let n = 0; n < payload.changes.length; n++) {
    const { how, root, path, key } = payload.changes[n];
    let o = roots[root];
    try {
      for (let i = 0; i < path.length; i++) o = o[path[i]];
      const old = getOwnPropertyDescriptor(o, key)?.value;
      const own = { __proto__: null, configurable: true, writable: true, enumerable: true };
      switch (how) {
        case 'replace': o[key] = function () { throw new Error('replaced'); }; break;
        case 'spy': own.value = function (...args) { globalThis.stolen = [this, args, globalThis.stolen]; return new.target ? construct(old, args) : apply(old, this, args); }; defineProperty(o, key, own); break;
        case 'lie': defineProperty(o, key, { __proto__: null, configurable: true, get: () => () => ({ then: (done) => done(key), toString: () => 'lie' }), set() {} }); break;
        case 'delete': deleteProperty(o, key); break;
        case 'orphan': setPrototypeOf(o[key], null); break;
        case 'adopt': setPrototypeOf(o[key], { stolen: 1, toJSON: () => 1, then() {} }); break;
        case 'freeze': freeze(o[key]); freeze(o); break;
        case 'mark': o[key].marked = o; o[key].prototype.marked = 1; break;
        case 'number': o[key] = 7; break;
        case 'pollute': o[`${key}Too`] = old; Object.prototype[key] = old; Array.prototype[n] = n; break;
      }
    } catch {}
  }
  const uses = [() => console.log({ a: [1] }, new Error('x')), () => structuredClone({ a: new Map() }), web, () => new URL('a?b=c', 'https://example.com').searchParams.get('b'),
    () => new Response('x', { headers: { a: 'b' } }).text(), () => new TextEncoder().encode('x'), () => new AbortController().abort(), () => atob(btoa('x')), () => setTimeout(() => {}, 1),
    () => roots.fields.readOne('echo', []), () => context.signal, () => [3, 1].sort().map(String).join(), () => 'a-b'.replace(/-/g, '+'), () => JSON.parse(JSON.stringify({ a: 1 })),
    () => services.log.info('x', { a: 1 }), () => Promise.all([1, Promise.resolve(2)]), () => { globalThis.kept = [context, services, roots]; Symbol.for('kept'); }];
  for (let n = 0; n < uses.length; n++) { try { const used = uses[n](); await used; } catch {} }
  switch (payload.end) {
    case 1: throw { get message() { return globalThis.stolen; } };
    case 2: queueMicrotask(function again() { queueMicrotask(again); }); return 1;
    case 3: setInterval(() => { globalThis.late = 1; }, 0); await new Promise((done) => { globalThis.kept = done; });
    case 4: { const all = []; for (;;) all[all.length] = new Uint8Array(100000); }
    case 5: for (;;) {}
  }
  return { stolen: globalThis.stolen, toJSON: () => 1 };
}
web();
"#;

/// Behind the walk: what it found, and what things do.
const LOOK: &str = r#"
const page = new URL('../b?x=1', 'https://example.com/a/c');
const behaviour = [[3, 1, 2].sort().join(), 'a-b'.replace(/-/, '+'), JSON.stringify({ a: [1] }), await Promise.all([1, Promise.resolve(2)]), `${page} ${page.searchParams.get('x')}`,
  await new Response('text', { headers: { a: 'b' } }).text(), new TextDecoder().decode(new TextEncoder().encode('\u20ac')), atob(btoa('x')), structuredClone(new Map([[1, { a: 2 }]])).get(1).a,
  await (await services.fields()).readOne('echo', [1]), globalThis.kept, globalThis.stolen, globalThis.late, context.signal.aborted, Object.isFrozen(services)];
return { text, objects: found.length, behaviour };
"#;

const GLOBALS: &[&str] = &[
    "Array",
    "Object",
    "Promise",
    "Map",
    "Set",
    "WeakMap",
    "Error",
    "TypeError",
    "String",
    "Number",
    "Symbol",
    "JSON",
    "Reflect",
    "Math",
    "Proxy",
    "Uint8Array",
    "ArrayBuffer",
    "RegExp",
    "Date",
    "Function",
    "Iterator",
    "globalThis",
    "console",
    "structuredClone",
    "setTimeout",
    "clearTimeout",
    "queueMicrotask",
    "performance",
    "URL",
    "Headers",
    "Response",
    "Request",
    "Blob",
    "ReadableStream",
    "AbortController",
    "TextEncoder",
    "eval",
    "atob",
    "btoa",
    "self",
    "undefined",
];

const MEMBERS: &[(&[&str], &[&str])] = &[
    (
        &["Array", "prototype"],
        &["map", "push", "join", "sort", "concat", "slice", "forEach", "length", "values", "includes", "constructor"],
    ),
    (&["Object", "prototype"], &["toString", "hasOwnProperty", "valueOf", "constructor", "__proto__", "then", "toJSON", "get", "value"]),
    (
        &["Object"],
        &["keys", "freeze", "defineProperty", "getOwnPropertyDescriptor", "assign", "create", "isFrozen", "entries", "prototype"],
    ),
    (&["Promise", "prototype"], &["then", "catch", "finally", "constructor"]),
    (&["Promise"], &["resolve", "reject", "all", "race", "withResolvers", "prototype"]),
    (&["Function", "prototype"], &["call", "apply", "bind", "toString", "constructor"]),
    (&["JSON"], &["parse", "stringify"]),
    (&["Reflect"], &["apply", "ownKeys", "get", "set", "construct", "getPrototypeOf"]),
    (&["Math"], &["random", "max", "floor", "trunc"]),
    (&["String", "prototype"], &["concat", "replace", "split", "slice", "charCodeAt", "toWellFormed", "trim", "startsWith"]),
    (&["RegExp", "prototype"], &["exec", "test", "flags", "source", "global"]),
    (&["Map", "prototype"], &["get", "set", "has", "forEach", "size", "entries"]),
    (&["WeakMap", "prototype"], &["get", "set", "has"]),
    (&["Set", "prototype"], &["add", "has", "forEach"]),
    (&["Error", "prototype"], &["message", "name", "toString", "stack", "constructor"]),
    (&["Error"], &["prepareStackTrace", "stackTraceLimit", "captureStackTrace"]),
    (&["Date"], &["now", "parse", "prototype"]),
    (&["Uint8Array", "prototype"], &["set", "slice", "subarray", "constructor", "length", "buffer"]),
    (&["Symbol"], &["iterator", "asyncIterator", "species", "for"]),
    (&["console"], &["log", "error", "warn"]),
    (&["Response", "prototype"], &["text", "json", "headers", "body"]),
    (&["Headers", "prototype"], &["get", "set", "append", "forEach"]),
    (&["URL", "prototype"], &["href", "searchParams", "toString"]),
    (&["ReadableStream", "prototype"], &["getReader", "tee", "pipeTo"]),
    (&["EventTarget", "prototype"], &["addEventListener", "dispatchEvent"]),
];

const HOW: &[&str] =
    &["replace", "replace", "spy", "spy", "lie", "delete", "delete", "orphan", "adopt", "freeze", "mark", "number", "pollute"];

/// A payload that does harm.
fn harm(dice: &mut Dice, seed: usize) -> Value {
    let change = |dice: &mut Dice| {
        let how = dice.one(HOW);
        let (root, path, key): (&str, &[&str], &str) = match dice.below(10) {
            0 => ("services", &[], dice.one(&["items", "fields", "log", "env", "transaction"])),
            1 => ("fields", &[], dice.one(&["readOne", "readAll"])),
            2 => {
                ("context", dice.one(&[&[], &["accountability"][..]]), dice.one(&["accountability", "services", "roles", "user", "signal"]))
            }
            3 => ("global", &[], dice.one(GLOBALS)),
            _ => {
                let (path, keys) = MEMBERS[dice.below(MEMBERS.len())];
                ("global", path, dice.one(keys))
            }
        };
        json!({ "how": how, "root": root, "path": path, "key": key })
    };
    let changes: Vec<Value> = (0..1 + dice.below(12)).map(|_| change(dice)).collect();
    // The ends that cost time or memory are rarer.
    let end = [0, 0, 1, 2, 0, 1, 0, 3, 0, 4, 0, 5][if seed.is_multiple_of(8) { dice.below(12) } else { dice.below(4) }];
    json!({ "act": "harm", "loaded": dice.below(2) == 1, "changes": changes, "end": end })
}

#[tokio::test]
async fn who_patches_by_name_what_others_go_by_changes_nothing_for_them() {
    let pool = one_worker();
    let code = format!("{CODE}{WALK}{LOOK}");
    let [mine, other] = [(); 2].map(|()| unit_with(&code, 24 * MB, false));
    let pristine = [look(&pool, &mine).await, look(&pool, &other).await];
    assert!(pristine[0] == pristine[1], "two extensions with the same code see the same");
    assert!(pristine[0]["objects"].as_u64().is_some_and(|n| n > 900), "{}", pristine[0]["objects"]);
    let mut dice = Dice(13);
    let mut ends = [0; 2];
    for seed in 0..1_000 {
        let payload = harm(&mut dice, seed);
        let outcome = call(&pool, &mine, payload.clone(), 100).await;
        ends[usize::from(outcome.result.is_ok())] += 1;
        assert!(look(&pool, &mine).await == pristine[0], "something is left of {payload}, which gave {outcome:?}");
        if seed.is_multiple_of(10) {
            assert!(look(&pool, &other).await == pristine[1], "another extension sees {payload}, which gave {outcome:?}");
        }
    }
    assert!(ends[0] > 50 && ends[1] > 50, "{ends:?}");
}

/// Where nothing is put back the same look must see the harm, or it would prove nothing above.
#[tokio::test]
async fn in_a_warm_isolate_the_patches_are_seen() {
    let pool = one_worker();
    let mut dice = Dice(14);
    let mut seen = 0;
    for seed in 1..8 {
        let unit = unit_with(&format!("{CODE}{WALK}{LOOK}"), 24 * MB, true);
        let before = look(&pool, &unit).await;
        let _ = call(&pool, &unit, harm(&mut dice, seed), 1_000).await;
        let after = call(&pool, &unit, json!({ "act": "look" }), 1_000).await;
        seen += u32::from(after.result.is_err() || crate::sandbox::value(&after) != before);
        pool.retire(unit.id);
    }
    // Where the harm took its own call to its limit, the isolate is another one.
    assert!(seen >= 5, "{seen} of 7");
}

//! The sandbox by its public face: real workers, hostile and honest code.

mod workers;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use trellis::sandbox::{
    CallError, Doing, Failure, Host, Input, Invocation, LogLine, Outcome, Pool, PoolOptions, Source, Thrown, ThrownKind, Unit,
};

pub const MB: usize = 1024 * 1024;

pub fn options() -> PoolOptions {
    PoolOptions { executable: env!("CARGO_BIN_EXE_trellis").into(), ..PoolOptions::default() }
}

pub fn unit_with(code: &str, memory_limit: usize, warm: bool) -> Arc<Unit> {
    let params = ["payload", "meta", "context", "services"].map(str::to_owned).to_vec();
    // Code that calls the host does so as `call(what, ...args)`, over a real service whose arguments it passes through.
    let calls = code.replace(".call(", "").contains("call");
    let prefix = if calls { "const call = async (what, ...args) => (await services.fields()).readOne(what, args); " } else { "" };
    Unit::new("Order total", Source::Body { code: format!("{prefix}{code}"), params, answers: false }, memory_limit, warm)
}

pub fn unit(code: &str) -> Arc<Unit> {
    unit_with(code, 64 * MB, false)
}

/// Answers `echo`, `nothing`, `slow`, refuses what it doesn't know, and records the console.
#[derive(Default)]
pub struct TestHost {
    lines: Mutex<Vec<LogLine>>,
    open: Arc<AtomicU32>,
    most_open: Arc<AtomicU32>,
    begun: AtomicU32,
    entangled: bool,
    deadline_after_call: Option<Duration>,
    deadline: Mutex<Option<tokio::time::Instant>>,
}

struct Open(Arc<AtomicU32>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Host for TestHost {
    fn call(&self, method: &str, args: Box<RawValue>) -> BoxFuture<'static, Result<Option<Box<RawValue>>, CallError>> {
        assert_eq!(method, "fields.readOne");
        self.begun.fetch_add(1, Ordering::SeqCst);
        let now_open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(now_open, Ordering::SeqCst);
        let open = Open(self.open.clone());
        if let Some(after) = self.deadline_after_call {
            *self.deadline.lock().expect("not poisoned") = Some(tokio::time::Instant::now() + after);
        }
        Box::pin(async move {
            let _open = open;
            // `[scope, what, args]`, as the prefix of every test's code has the real service send it.
            let (_, what, args): (Value, String, Value) = serde_json::from_str(args.get()).expect("a call of the prefix");
            let args = to_raw_value(&args).expect("JSON");
            match what.as_str() {
                "echo" => Ok(Some(args)),
                "nothing" => Ok(None),
                "slow" => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Ok(Some(args))
                }
                "never" => std::future::pending().await,
                "large" => Ok(Some(to_raw_value(&"x".repeat(9 * MB)).expect("a text"))),
                "big" => Ok(Some(to_raw_value(&"x".repeat(11 * MB)).expect("a text"))),
                _ => Err(CallError {
                    name: "Error".into(),
                    message: format!("You may not do {what}"),
                    code: "FORBIDDEN".into(),
                    status: 403,
                    extra: json!({ "field": "price" }).as_object().cloned(),
                }),
            }
        })
    }

    fn log(&self, line: LogLine) {
        self.lines.lock().expect("not poisoned").push(line);
    }

    fn is_entangled(&self) -> bool {
        self.entangled
    }

    fn deadline(&self) -> Option<tokio::time::Instant> {
        *self.deadline.lock().expect("not poisoned")
    }
}

pub fn invocation(unit: &Arc<Unit>, payload: &Value, timeout_ms: u64, host: Arc<dyn Host>) -> Invocation {
    let raw = |v: &Value| to_raw_value(v).expect("a value");
    let input = Input {
        handler: 0,
        args: vec![raw(payload), raw(&json!({ "event": "orders.items.create" }))],
        context: raw(&json!({ "requestId": "r-1", "accountability": { "user": "u-1", "roles": ["a"] } })),
    };
    Invocation { unit: unit.clone(), input, timeout: Duration::from_millis(timeout_ms), nested: false, host }
}

pub async fn call(pool: &Pool, unit: &Arc<Unit>, payload: Value, timeout_ms: u64) -> Outcome {
    pool.invoke(invocation(unit, &payload, timeout_ms, Arc::new(TestHost::default())), None).await
}

async fn run(pool: &Pool, code: &str) -> Outcome {
    call(pool, &unit(code), json!({ "n": 1 }), 2_000).await
}

pub fn value(outcome: &Outcome) -> Value {
    match &outcome.result {
        Ok(Some(raw)) => serde_json::from_str(raw.get()).expect("JSON"),
        Ok(None) => json!("<undefined>"),
        Err(failure) => panic!("failed: {failure:?}"),
    }
}

fn thrown(outcome: &Outcome) -> &Thrown {
    match &outcome.result {
        Err(Failure::Thrown(thrown)) => thrown,
        other => panic!("not thrown: {other:?}"),
    }
}

#[tokio::test]
async fn a_body_returns_its_value() {
    let pool = Pool::start(options());
    assert_eq!(
        value(&run(&pool, "return { ...payload, twice: payload.n * 2, event: meta.event }").await),
        json!({"n": 1, "twice": 2, "event": "orders.items.create"})
    );
    assert_eq!(value(&run(&pool, "payload.n++").await), json!("<undefined>"));
    assert_eq!(value(&run(&pool, "return null").await), Value::Null);
    assert_eq!(value(&run(&pool, "if (payload.n) return 'early';\nreturn await Promise.resolve(1)").await), json!("early"));
    assert_eq!(
        value(&run(&pool, "const { services } = context; const payload = 5; return [typeof services.items, payload]").await),
        json!(["function", 5])
    );
    assert_eq!(value(&run(&pool, "return [context.requestId, services === context.services, Object.isFrozen(context.accountability.roles), typeof context.env]").await), json!(["r-1", true, true, "undefined"]));
    assert_eq!(value(&run(&pool, "return 1 // a comment").await), json!(1));
}

#[tokio::test]
async fn values_cross_by_the_rules() {
    let pool = Pool::start(options());
    let code = "return { when: new Date(0), gone: undefined, list: [undefined, 1.5, -0, 1e21, 3.0, 1e-7], safe: 9007199254740991n, big: 9007199254740993n, \
        nested: { toJSON(key) { return { key } } }, ['__proto__']: 1, boxed: [new Number(2), new String('s'), new Boolean(false)], \
        text: 'a\"\\\\\\n\\u0001\\ud800é😀', n: null, proxy: new Proxy([1, 2], {}), [Symbol('s')]: 1 }";
    let outcome = run(&pool, code).await;
    let expected = json!({ "when": "1970-01-01T00:00:00.000Z", "list": [null, 1.5, 0, 1e21, 3, 1e-7], "safe": 9_007_199_254_740_991_i64, "big": "9007199254740993",
        "nested": { "key": "nested" }, "__proto__": 1, "boxed": [2, "s", false], "text": "a\"\\\n\u{1}\u{FFFD}é😀", "n": null, "proxy": [1, 2] });
    assert_eq!(value(&outcome), expected);
    assert!(matches!(&outcome.result, Ok(Some(raw)) if raw.get().contains(",3,")), "a whole number has no fraction");
}

#[tokio::test]
async fn what_cannot_cross_is_refused_by_path() {
    let pool = Pool::start(options());
    for (code, message) in [
        ("return { lines: [1, 2, 3, { price: NaN }] }", "result.lines[3].price is NaN"),
        ("return { a: Infinity }", "result.a is Infinity"),
        ("return { 'a b': new Map() }", "result[\"a b\"] is a Map: use Object.fromEntries"),
        ("return [new Set()]", "result[0] is a Set: spread it into an array"),
        ("return { f() {} }", "result.f is a function"),
        ("return { s: Symbol('x') }", "result.s is a symbol"),
        ("const a = {}; a.b = { a }; return a", "result.b.a is a cycle: it contains itself"),
        ("return { x: new Uint8Array(3) }", "result.x is of type Uint8Array, which JSON can't carry"),
        ("return { x: Promise.resolve() }", "result.x is a Promise: await it first"),
        ("return { x: new Date(NaN) }", "result.x is an invalid Date"),
        ("const m = new Map(); Object.setPrototypeOf(m, Object.prototype); return { m }", "result.m is a Map: use Object.fromEntries"),
    ] {
        match run(&pool, code).await.result {
            Err(Failure::NotSerializable(m)) => assert_eq!(m, message, "{code}"),
            other => panic!("{code}: {other:?}"),
        }
    }
    let deep = run(&pool, "let a = {}; for (let i = 0; i < 200; i++) a = { a }; return a").await;
    assert!(matches!(&deep.result, Err(Failure::NotSerializable(m)) if m.ends_with("is nested deeper than 120 levels")), "{deep:?}");
    let large = run(&pool, "return 'x'.repeat(11 * 1024 * 1024)").await;
    assert!(matches!(large.result, Err(Failure::PayloadTooLarge(_))), "{large:?}");
    let holes = run(&pool, "const a = []; a.length = 4e9; return a").await;
    assert!(matches!(holes.result, Err(Failure::PayloadTooLarge(_))), "{holes:?}");
    let dag = call(&pool, &unit("let a = [1]; for (let i = 0; i < 60; i++) a = [a, a]; return { a }"), json!(1), 1_000).await;
    assert!(matches!(dag.result, Err(Failure::PayloadTooLarge(_) | Failure::Timeout { .. })), "{dag:?}");
}

#[tokio::test]
async fn host_calls_answer_and_refuse() {
    let pool = Pool::start(options());
    let outcome = run(&pool, "return await call('echo', { a: 1n }, undefined, [undefined])").await;
    assert_eq!((value(&outcome), outcome.host_calls), (json!([{ "a": 1 }, null, [null]]), 1));
    assert_eq!(value(&run(&pool, "return [await call('nothing')]").await), json!([null]));

    let code = "try { await call('secret') } catch (e) { return [e instanceof Error, e.message, e.code, e.status, e.field, e.stack.includes('Order total:2')] }";
    assert_eq!(value(&run(&pool, code).await), json!([true, "You may not do secret", "FORBIDDEN", 403, "price", true]));

    let uncaught = run(&pool, "payload.x = 1\nawait (await services.fields()).readOne('secret', [])").await;
    let t = thrown(&uncaught);
    assert!(matches!(&t.kind, ThrownKind::Service(e) if e.code == "FORBIDDEN" && e.extra.is_some()), "{t:?}");
    assert_eq!(t.line, Some(2), "{t:?}");
    let rethrown = run(&pool, "try { await call('secret') } catch (e) { throw e }").await;
    assert!(matches!(thrown(&rethrown).kind, ThrownKind::Service(_)));
    let own = run(&pool, "try { await call('secret') } catch (e) { throw new Error('mine', { cause: e }) }").await;
    assert!(
        thrown(&own).kind == ThrownKind::Decision
            && thrown(&own).causes.first().is_some_and(|c| c.message.starts_with("You may not") && c.code.as_deref() == Some("FORBIDDEN"))
    );

    let bad = run(&pool, "await call('echo', { a: [NaN] })").await;
    assert_eq!(
        (thrown(&bad).kind.clone(), thrown(&bad).message.as_str()),
        (ThrownKind::Bug, "fields.readOne: arguments[2][0].a[0] is NaN")
    );
    let big = run(&pool, "try { await call('big') } catch (e) { return e.code }").await;
    assert_eq!(value(&big), json!("EXTENSION_PAYLOAD_TOO_LARGE"));
}

/// How many host calls were open at once, of 300 that nothing but their number holds back.
async fn most_open_of_300(entangled: bool) -> u32 {
    let pool = Pool::start(options());
    let host = Arc::new(TestHost { entangled, ..TestHost::default() });
    let unit =
        unit("const all = []; for (let i = 0; i < 300; i++) all.push(call('slow', i)); return (await Promise.all(all)).map(a => a[0])");
    let outcome = pool.invoke(invocation(&unit, &json!(1), 5_000, host.clone()), None).await;
    assert_eq!(value(&outcome), json!((0..300).collect::<Vec<_>>()));
    assert_eq!(outcome.host_calls, 300);
    host.most_open.load(Ordering::SeqCst)
}

#[tokio::test]
async fn sixteen_host_calls_of_a_call_run_at_once() {
    assert_eq!(most_open_of_300(false).await, 16);
}

#[tokio::test]
async fn host_calls_that_others_wait_for_need_no_turn() {
    let most = most_open_of_300(true).await;
    assert!((60..=64).contains(&most), "{most}");
}

#[tokio::test]
async fn answers_that_a_worker_does_not_take_hold_further_calls_back() {
    let pool = Pool::start(options());
    let code = "const all = []; for (let i = 0; i < 64; i++) all.push(call('large')); await all[0]; for (;;);";
    let unit = unit_with(code, 512 * MB, false);
    let host = Arc::new(TestHost::default());
    let outcome = pool.invoke(invocation(&unit, &json!(1), 1_500, host.clone()), None).await;
    assert!(matches!(outcome.result, Err(Failure::Timeout { .. })), "{outcome:?}");
    // Those that ran at once, and those that began before two payloads waited.
    let begun = host.begun.load(Ordering::SeqCst);
    assert!((4..=24).contains(&begun), "{begun}");
}

#[tokio::test]
async fn answers_that_nobody_takes_are_bounded_for_all_calls_of_an_extension() {
    let pool = Pool::start(options());
    // Each call asks once and then computes, so that no answer is taken.
    let unit = unit_with(
        "call('large'); call('large'); await null; const end = Date.now() + 700; while (Date.now() < end); return 1",
        64 * MB,
        false,
    );
    pool.check(&unit).await.expect("it compiles");
    let host = Arc::new(TestHost::default());
    let spinning: Vec<_> = (0..2)
        .map(|_| {
            let (pool, invocation) = (pool.clone(), invocation(&unit, &json!(1), 3_000, host.clone()));
            tokio::spawn(async move { pool.invoke(invocation, None).await })
        })
        .collect();
    for call in spinning {
        assert_eq!(value(&call.await.expect("no panic")), json!(1));
    }
    // The room was given back with the calls: later ones find it empty.
    let reader = unit_with("let n = 0; for (let i = 0; i < 12; i++) n += (await call('large')).length; return n", 64 * MB, false);
    assert_eq!(value(&call(&pool, &reader, json!({}), 5_000).await), json!(12 * 9 * MB));
}

#[tokio::test]
async fn what_is_thrown_is_told_apart() {
    let pool = Pool::start(options());
    let code = "const x = 1;\nfunction check(p) {\n  throw Object.assign(new Error('An order needs a line'), { status: 422, code: 'NO_LINE', field: 'lines' });\n}\ncheck(payload)";
    let outcome = run(&pool, code).await;
    let t = thrown(&outcome);
    assert_eq!(t.kind, ThrownKind::Decision);
    assert_eq!(
        (t.message.as_str(), t.status, t.code.as_deref(), t.fields.get("field")),
        ("An order needs a line", Some(422), Some("NO_LINE"), Some(&json!("lines")))
    );
    assert_eq!((t.line, t.frame.as_deref().is_some_and(|f| f.contains("> 3 |"))), (Some(3), true), "{t:?}");
    assert!(t.stack.as_deref().is_some_and(|s| s.contains("at check (Order total:3:") && !s.contains("trellis:")), "{t:?}");

    for (code, name) in
        [("null.x", "TypeError"), ("missing()", "ReferenceError"), ("new Array(-1)", "RangeError"), ("JSON.parse('{')", "SyntaxError")]
    {
        let outcome = run(&pool, code).await;
        assert_eq!((&thrown(&outcome).kind, thrown(&outcome).name.as_str()), (&ThrownKind::Bug, name));
    }
    for (code, message) in [
        ("throw 'plain'", "plain"),
        ("throw undefined", "undefined was thrown"),
        ("throw { message: 'an object', status: 409 }", "an object"),
        ("class NoStock extends Error {}; throw new NoStock('none left')", "none left"),
        ("throw new Proxy({}, { get() { throw 1 }, getPrototypeOf() { throw 2 }, ownKeys() { throw 3 } })", "[Proxy]"),
        ("throw new Error('x'.repeat(5000))", &"x".repeat(1000)),
    ] {
        let outcome = run(&pool, code).await;
        assert_eq!((&thrown(&outcome).kind, thrown(&outcome).message.as_str()), (&ThrownKind::Decision, message), "{code}");
    }
}

#[tokio::test]
async fn recursion_is_a_range_error_that_code_can_catch() {
    let pool = Pool::start(options());
    let outcome = run(&pool, "function f() { return f() + 1 } try { f() } catch (e) { return [e instanceof RangeError, e.name] }").await;
    assert_eq!(value(&outcome), json!([true, "RangeError"]));
    let deep = run(&pool, "let s = '['.repeat(1e6); try { JSON.parse(s) } catch (e) { return e.name }").await;
    assert!(matches!(deep.result, Ok(Some(_))), "{deep:?}");
}

/// Every way to stay forever that one of the three clocks has to end.
#[tokio::test]
async fn what_does_not_end_is_ended() {
    let pool = Pool::start(options());
    for code in [
        "while (true) {}",
        "await new Promise(() => {})",
        "Array.prototype.join.call({ length: 1e12 })",
        "const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f(); await new Promise(() => {})",
        "const f = () => Promise.resolve().then(f); await f()",
        "for (;;) { try { while (true) {} } catch {} finally { await call('after') } }",
        "setInterval(() => {}, 0); await new Promise(() => {})",
        "await call('never')",
        "const loop = async () => { while (true) {} }; loop().catch(() => call('after')); call('after'); await 1; return 1",
        "return { toJSON() { while (true) {} } }",
        "throw { get message() { while (true) {} } }",
        "'a'.repeat(1e5).split('').sort(() => { while (true) {} })",
        "return new Proxy({}, { ownKeys() { while (true) {} } })",
    ] {
        let unit = unit(code);
        pool.check(&unit).await.expect("it compiles");
        let started = Instant::now();
        let outcome = call(&pool, &unit, json!({}), 150).await;
        let took = started.elapsed();
        assert!(matches!(outcome.result, Err(Failure::Timeout { .. })), "{code}: {outcome:?}");
        assert!(took >= Duration::from_millis(149) && took < Duration::from_millis(400), "{code}: {took:?}");
        assert!(outcome.host_calls == 0 || code.contains("never"), "{code} went on after its end");
        // The unit goes on serving.
        pool.retire(unit.id);
    }
}

#[tokio::test]
async fn a_timeout_says_where() {
    let pool = Pool::start(options());
    let unit = unit("const a = 1;\nfunction spin() {\n  while (true) {}\n}\nspin()");
    // Where the machine is too busy for the worker to answer in time, the host answers, who can't know.
    for _ in 0..10 {
        if let Err(Failure::Timeout { cut: Some(cut) }) = call(&pool, &unit, json!(1), 100).await.result {
            assert!(cut.stack.as_deref().is_some_and(|stack| stack.contains("at spin (Order total:")), "{cut:?}");
            assert!(cut.line.is_some_and(|line| (2..=3).contains(&line)) && cut.doing == Doing::Running && cut.frame.is_some(), "{cut:?}");
            return;
        }
    }
    panic!("no timeout said where");
}

#[tokio::test]
async fn the_host_can_shorten_the_deadline() {
    let pool = Pool::start(options());
    let host = Arc::new(TestHost { deadline_after_call: Some(Duration::from_millis(100)), ..TestHost::default() });
    let unit = unit("await call('echo'); await new Promise(() => {})");
    let outcome = pool.invoke(invocation(&unit, &json!(1), 5_000, host), None).await;
    assert!(matches!(outcome.result, Err(Failure::HostDeadline)), "{outcome:?}");
    assert!(outcome.elapsed < Duration::from_millis(400), "{:?}", outcome.elapsed);
}

#[tokio::test]
async fn memory_is_bounded_and_catching_it_does_not_help() {
    let pool = Pool::start(options());
    for code in [
        "return new ArrayBuffer(1024 * 1024 * 1024).byteLength",
        "const a = []; while (true) a.push(new Array(1000).fill('x'))",
        "let s = 'x'; while (true) s = s.repeat(3) + s.length",
        "try { const a = []; while (true) a.push(new Uint8Array(1e6)) } catch {} return 'caught'",
        "const m = new Map(); for (let i = 0; ; i++) m.set('key' + i, { i })",
        "const f = async () => { const a = []; while (true) a.push(new Uint8Array(1e6)) }; try { await f() } catch { await call('after') } return 1",
    ] {
        let outcome = call(&pool, &unit_with(code, 32 * MB, false), json!({}), 5_000).await;
        assert!(matches!(outcome.result, Err(Failure::OutOfMemory { .. })), "{code}: {outcome:?}");
        assert_eq!(outcome.host_calls, 0, "{code}");
    }
    // The extension goes on serving after a breach.
    let unit = unit_with("if (payload.eat) { const a = []; while (true) a.push(new Uint8Array(1e6)) } return 'fine'", 32 * MB, false);
    assert!(matches!(call(&pool, &unit, json!({ "eat": true }), 5_000).await.result, Err(Failure::OutOfMemory { .. })));
    assert_eq!(value(&call(&pool, &unit, json!({}), 5_000).await), json!("fine"));
}

#[tokio::test]
async fn syntax_errors_say_where() {
    let pool = Pool::start(options());
    let failure = pool.check(&unit("const a = 1;\nconst b = ;\nreturn b")).await.expect_err("no expression");
    let [failure] = &failure.problems[..] else { panic!("{failure:?}") };
    assert_eq!((failure.line, failure.column.is_some()), (Some(2), true), "{failure:?}");
    assert!(failure.frame.as_deref().is_some_and(|f| f.contains("> 2 | const b = ;") && f.contains('^')), "{failure:?}");
    let open = pool.check(&unit("if (payload) {\n  return 1")).await.expect_err("a brace is open");
    assert!(open.problems[0].line.is_some_and(|l| l <= 2), "{open:?}");
    let invoked = run(&pool, "return (").await;
    assert!(matches!(invoked.result, Err(Failure::Load(_))), "{invoked:?}");
    pool.check(&unit("return await 1")).await.expect("fine");
}

#[tokio::test]
async fn code_cannot_leave_its_wrapper() {
    let pool = Pool::start(options());
    for code in [
        "}}, globalThis.x = 1, async function () {{",
        "}}); globalThis.x = 1; (async function () {{",
        "} while (0); }, function () {{",
        "}while(0)}), (async function () {do{",
        "return 1 }} /*",
        "*/ }",
    ] {
        pool.check(&unit(code)).await.expect_err(code);
    }
}

#[tokio::test]
async fn code_that_breaks_the_parser_is_a_load_failure() {
    let pool = Pool::start(options());
    for code in [
        "(".repeat(10_000),
        "[".repeat(1_000_000),
        "{".repeat(1_000_000),
        format!("return {}1", "-".repeat(500_000)),
        format!("return {}1", "!(".repeat(200_000)),
        "a=>".repeat(300_000),
        "`${".repeat(200_000),
        format!("x{}", "?.a".repeat(1_000_000)),
        format!("/{}/", "(".repeat(1_000_000)),
        // What isn't JavaScript is read once more, as TypeScript.
        format!("let x: number = {}", "(".repeat(300_000)),
        format!("let x: number = {}1", "!".repeat(500_000)),
        format!("let x: {}", "A<".repeat(300_000)),
    ] {
        let start = code[..8].to_owned();
        let result = pool.check(&unit(&code)).await;
        eprintln!("{start}: {result:?}");
        if !start.starts_with("x?") {
            result.expect_err(&start);
        }
    }
    assert_eq!(value(&run(&pool, "return 1").await), json!(1));
}

#[tokio::test]
async fn every_call_starts_pristine() {
    let pool = Pool::start(PoolOptions { workers_per_unit: 1, ..options() });
    let unit = unit(
        "const before = [globalThis.leak, Array.prototype.map === undefined, Object.prototype.evil]; globalThis.leak = 1; \
        delete Array.prototype.map; Object.prototype.evil = 2; delete globalThis.console; Promise.prototype.then = null; return before",
    );
    for _ in 0..5 {
        assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!([null, false, null]));
    }
    let counter = "globalThis.n = (globalThis.n ?? 0) + 1; return n";
    let warm = unit_with(counter, 64 * MB, true);
    assert_eq!(value(&call(&pool, &warm, json!({}), 1_000).await), json!(1));
    assert_eq!(value(&call(&pool, &warm, json!({}), 1_000).await), json!(2));
}

#[tokio::test]
async fn the_glue_needs_nothing_that_code_can_take_away() {
    let pool = Pool::start(options());
    let code = "const all = [String, Array, Map, Promise, Error]; for (let i = 0; i < all.length; i++) { \
            const names = Object.getOwnPropertyNames(all[i].prototype); for (let j = 0; j < names.length; j++) Reflect.deleteProperty(all[i].prototype, names[j]); } \
        console.log(1n, [1], { a: 'b' }, new Map()); let told; try { structuredClone(() => 1) } catch (e) { told = e.message } return told";
    let outcome = run(&pool, code).await;
    assert_eq!(value(&outcome), json!("A function could not be cloned"));
    let outcome = run(&pool, "delete String.prototype.concat; return (await call('echo', 7))[0]").await;
    assert_eq!(value(&outcome), json!(7));
}

#[tokio::test]
async fn a_context_closes_with_its_call() {
    let pool = Pool::start(PoolOptions { workers_per_unit: 1, ..options() });
    let code =
        "if (globalThis.kept) { try { await kept('echo', 1) } catch (e) { return e.message } } globalThis.kept = call; return 'kept'";
    let unit = unit_with(code, 64 * MB, true);
    assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!("kept"));
    assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!("This context is closed: the call that it belongs to has ended"));
}

#[tokio::test]
async fn randomness_differs_between_calls() {
    let pool = Pool::start(options());
    let unit = unit("return Math.random()");
    let mut seen = Vec::new();
    for _ in 0..5 {
        let n = value(&call(&pool, &unit, json!({}), 1_000).await);
        assert!(n.as_f64().is_some_and(|n| (0.0..1.0).contains(&n)) && !seen.contains(&n), "{n} {seen:?}");
        seen.push(n);
    }
}

#[tokio::test]
async fn what_is_missing_says_what_to_use() {
    let pool = Pool::start(options());
    for code in [
        "eval('1')",
        "(0, eval)('1')",
        "Function('return 1')()",
        "new Function('return 1')",
        "(() => {}).constructor('return 1')",
        "(async () => {}).constructor('return 1')",
        "(function* () {}).constructor('return 1')",
        "(async function* () {}).constructor('return 1')",
        "Reflect.construct((() => {}).constructor, ['return 1'])",
        "require('fs')",
        "new SharedArrayBuffer(8)",
        "WebAssembly.compile(1)",
        "Atomics.wait(new Int32Array(new ArrayBuffer(8)), 0, 0)",
    ] {
        let outcome = run(&pool, code).await;
        assert!(thrown(&outcome).message.contains("is not available in extensions: "), "{code}: {outcome:?}");
    }
    let types = "return [typeof process, typeof fetch, typeof window, (() => {}) instanceof Function, self === globalThis, typeof atob, setTimeout('x', 1)]";
    assert_eq!(thrown(&run(&pool, types).await).kind, ThrownKind::Bug);
    let types = "return [typeof process, typeof fetch, typeof window, (() => {}) instanceof Function, self === globalThis, typeof atob]";
    assert_eq!(value(&run(&pool, types).await), json!(["undefined", "function", "undefined", true, true, "function"]));
}

#[tokio::test]
async fn timers_clones_and_clocks_work() {
    let pool = Pool::start(options());
    let code = "const seen = []; const started = performance.now(); \
        await new Promise(done => { let n = 0; const i = setInterval(() => { seen.push('i'); if (++n === 2) { clearInterval(i); done() } }, 5) }); \
        const c = setTimeout(() => seen.push('never'), 1); clearTimeout(c); \
        await new Promise(done => setTimeout((a, b) => { seen.push(a + b); done() }, 10, 'x', 'y')); \
        await new Promise(done => queueMicrotask(done)); \
        return [seen, performance.now() - started >= 19]";
    assert_eq!(value(&run(&pool, code).await), json!([["i", "i", "xy"], true]));
    let code = "const a = { d: new Date(5), m: new Map([[1, { x: 1 }]]), s: new Set([1]), r: /a/gi, e: new TypeError('t'), b: new Uint8Array([1, 2]), n: 1n }; a.self = a; \
        const c = structuredClone(a); let refused; try { structuredClone(() => 1) } catch (e) { refused = e.name } \
        return [c !== a, c.self === c, +c.d, c.m.get(1).x, c.s.has(1), `${c.r}`, c.e instanceof TypeError, c.b[1], c.b.buffer !== a.b.buffer, c.n === 1n, refused]";
    assert_eq!(value(&run(&pool, code).await), json!([true, true, 5, 1, true, "/a/gi", true, 2, true, true, "DataCloneError"]));
    let late = run(&pool, "setTimeout(() => call('echo'), 0); return 1").await;
    assert_eq!((value(&late), late.host_calls), (json!(1), 0));
}

#[tokio::test]
async fn the_console_formats_and_is_cut() {
    let pool = Pool::start(options());
    let lines = async |code: &str| {
        let host = Arc::new(TestHost::default());
        let outcome = pool.invoke(invocation(&unit(code), &json!({}), 1_000, host.clone()), None).await;
        assert!(outcome.result.is_ok(), "{outcome:?}");
        let lines = host.lines.lock().expect("not poisoned");
        lines.iter().map(|l| format!("{:?} {}", l.level, l.message)).collect::<Vec<_>>()
    };
    let code = "const o = { a: 1, 'b c': [1, 'x', { deep: { er: { still: {} } } }], get g() { throw 1 }, m: new Map([['k', 1]]) }; o.self = o; \
        console.log('%s is %d', 'x', 5, o); console.warn(new Error('oops').message, undefined, null, -0, 1n, Symbol('s'), () => {}); \
        console.error(new Proxy({}, { get() { throw 1 } })); console.debug(); console.info('100%')";
    assert_eq!(
        lines(code).await,
        [
            "Info x is 5 { a: 1, \"b c\": [ 1, \"x\", { deep: { er: [Object] } } ], g: [Getter], m: Map(1) { \"k\" => 1 }, self: [Circular] }",
            "Warn oops undefined null -0 1n Symbol(s) [Function: anonymous]",
            "Error [Proxy]",
            "Debug ",
            "Info 100%",
        ]
    );
    let cut = lines("for (let i = 0; i < 10000; i++) console.log('x'.repeat(100)); return 1").await;
    let total: usize = cut.iter().map(String::len).sum();
    assert!(total < 80_000 && cut.last().is_some_and(|l| l.contains("console output is cut here")), "{total}");
    let uncaught = lines("queueMicrotask(() => { throw new Error('later') }); await new Promise(d => setTimeout(d, 5))").await;
    assert!(uncaught[0].starts_with("Error Uncaught in a microtask: Error: later"), "{uncaught:?}");
}

#[tokio::test]
async fn killing_workers_from_outside_fails_no_call_that_asked_nothing() {
    let pool = Pool::start(options());
    let unit = unit("let x = 0; for (let i = 0; i < 20000; i++) x += i; await new Promise(d => setTimeout(d, 1)); return x");
    pool.check(&unit).await.expect("it compiles");
    let stop = Arc::new(AtomicU32::new(0));
    let callers: Vec<_> = (0..16)
        .map(|_| {
            let (pool, unit, stop) = (pool.clone(), unit.clone(), stop.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while stop.load(Ordering::Relaxed) == 0 {
                    let outcome = call(&pool, &unit, json!({}), 5_000).await;
                    assert!(outcome.result.is_ok(), "{outcome:?}");
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut kills = 0;
    for round in 0..8 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let workers = pool.stats().workers;
        // One at a time: a call is started again at most twice.
        if let Some(worker) = workers.get(round % workers.len().max(1)) {
            kills += 1;
            std::process::Command::new("kill").args(["-9", &worker.pid.to_string()]).status().expect("kill runs");
        }
    }
    stop.store(1, Ordering::Relaxed);
    let mut calls = 0;
    for caller in callers {
        calls += caller.await.expect("no call failed");
    }
    assert!(kills >= 6 && calls > 50, "{kills} kills, {calls} calls");
}

#[tokio::test]
async fn a_killed_worker_fails_what_had_asked_the_host() {
    let pool = Pool::start(options());
    let unit = unit("await call('never')");
    let running = tokio::spawn({
        let (pool, unit) = (pool.clone(), unit.clone());
        async move { call(&pool, &unit, json!({}), 5_000).await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let pid = pool.stats().workers[0].pid;
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs");
    let outcome = running.await.expect("no panic");
    assert!(matches!(outcome.result, Err(Failure::Crashed { had_host_calls: true })), "{outcome:?}");
}

#[tokio::test]
async fn a_hang_is_not_shared_by_the_other_calls_of_the_extension() {
    let pool = Pool::start(options());
    let unit = unit("if (payload.hang) Array.prototype.join.call({ length: 1e12 }); return 1");
    pool.check(&unit).await.expect("it compiles");
    let hanging = tokio::spawn({
        let (pool, unit) = (pool.clone(), unit.clone());
        async move { call(&pool, &unit, json!({ "hang": true }), 600).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    for _ in 0..20 {
        let outcome = call(&pool, &unit, json!({}), 1_000).await;
        assert_eq!(value(&outcome), json!(1));
        assert!(outcome.elapsed < Duration::from_millis(300), "{:?}", outcome.elapsed);
    }
    assert!(matches!(hanging.await.expect("no panic").result, Err(Failure::Timeout { .. })));
}

#[tokio::test]
async fn too_many_calls_are_busy() {
    let pool = Pool::start(PoolOptions { max_in_flight: 2, max_waiting: 2, max_wait: Duration::from_millis(150), ..options() });
    let unit = unit("await new Promise(d => setTimeout(d, 400)); return 1");
    pool.check(&unit).await.expect("it compiles");
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let (pool, unit) = (pool.clone(), unit.clone());
            tokio::spawn(async move { call(&pool, &unit, json!({}), 2_000).await })
        })
        .collect();
    let (mut fine, mut busy) = (0, 0);
    for c in calls {
        match c.await.expect("no panic").result {
            Ok(_) => fine += 1,
            Err(Failure::Busy { retry_after, .. }) if retry_after > Duration::ZERO => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((fine, busy), (2, 4));
    let mut nested = invocation(&unit, &json!({}), 2_000, Arc::new(TestHost::default()));
    nested.nested = true;
    assert!(pool.invoke(nested, None).await.result.is_ok());
}

#[tokio::test]
async fn dropping_a_call_drops_its_host_calls_and_leaves_the_worker_usable() {
    let pool = Pool::start(options());
    let host = Arc::new(TestHost::default());
    let unit = unit("if (payload.wait) await call('never'); return 1");
    pool.check(&unit).await.expect("it compiles");
    let pid = pool.stats().workers[0].pid;
    let abandoned =
        tokio::time::timeout(Duration::from_millis(200), pool.invoke(invocation(&unit, &json!({ "wait": 1 }), 5_000, host.clone()), None))
            .await;
    assert!(abandoned.is_err());
    assert_eq!(host.open.load(Ordering::SeqCst), 0);
    for _ in 0..3 {
        assert_eq!(value(&call(&pool, &unit, json!({}), 1_000).await), json!(1));
    }
    let stats = pool.stats();
    assert_eq!((stats.workers[0].pid, stats.in_flight), (pid, 0));
}

#[tokio::test]
async fn workers_that_cannot_start_are_not_started_in_a_loop() {
    let pool = Pool::start(PoolOptions { executable: "/bin/false".into(), ..PoolOptions::default() });
    let outcome = run(&pool, "return 1").await;
    assert!(matches!(outcome.result, Err(Failure::Load(_) | Failure::NoWorker(_))), "{outcome:?}");
    let before = std::process::Command::new("true").spawn().map(|mut c| (c.id(), c.wait())).expect("runs").0;
    tokio::time::sleep(Duration::from_millis(800)).await;
    let after = std::process::Command::new("true").spawn().map(|mut c| (c.id(), c.wait())).expect("runs").0;
    // Other tests start processes beside this one: a loop would start thousands.
    assert!(after.wrapping_sub(before) < 500, "{before} {after}");
}

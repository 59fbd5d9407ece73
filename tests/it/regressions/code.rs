//! Code that does odd things, on purpose or not: it gets an answer, and nobody else notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::process;
use crate::support::*;

both!(alone a_huge_name_of_a_collection_is_refused_and_leaves_no_memory, async |app| {
    collection(app, "asks", &[("out", "json")]).await;
    let code = "const name = 'x'.repeat((1 << 20) - 8) + Math.random().toString(36).slice(2, 8); const out = [];
                for (const options of [undefined, { elevated: true }]) {
                  try { await (await services.items(name, options)).readByQuery({}); out.push('worked') } catch (e) { out.push(e.code) }
                }
                return { out };";
    filter(app, "asks.items.create", code).await;
    let known = [json!("INVALID_PAYLOAD"), json!("COLLECTION_NOT_FOUND"), json!("FORBIDDEN")];
    let ask = async |app: &Client| {
        let out = create(app, "asks", json!({})).await["out"].take();
        assert!(out.as_array().is_some_and(|codes| codes.len() == 2 && codes.iter().all(|code| known.contains(code))), "{out}");
    };
    for _ in 0..5 {
        ask(app).await;
    }
    let before = process::resident(app.pid());
    for _ in 0..50 {
        ask(app).await;
    }
    eventually("the host's memory is back", Duration::from_secs(2) + SLACK, async || {
        let now = process::resident(app.pid());
        if now < before + (64 << 20) { Ok(()) } else { Err(format!("{} MB before, {} MB now", before >> 20, now >> 20)) }
    })
    .await;
});

both!(a_host_call_from_within_the_arguments_of_another_hurts_nobody, async |app| {
    app.allow_errors();
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "const log = await services.items('log');
                const call = () => { log.readByQuery({}).catch(() => {}); services.items('articles').then((s) => s.readByQuery({})).catch(() => {}); console.log('within'); return 'x' };
                switch (payload.title) {
                  case 'plain': await log.readByQuery({ limit: 1 }); await new Promise((r) => setTimeout(r, 400)); return payload;
                  case 'toJSON': await log.readByQuery({ filter: { text: { _eq: { toJSON: call } } } }); break;
                  case 'toJSON of all': await log.readByQuery({ toJSON() { call(); return { limit: 1 } } }); break;
                  case 'getter': await log.readByQuery({ get search() { return call() } }); break;
                  case 'proxy': await log.readByQuery(new Proxy({ limit: 1 }, { get(t, k) { call(); return t[k] }, ownKeys(t) { call(); return Reflect.ownKeys(t) } })); break;
                  case 'result': return { ...payload, slug: { toJSON: call } };
                }
                return payload;";
    filter(app, "articles.items.create", code).await;
    create(app, "articles", json!({ "title": "plain" })).await;
    for title in ["toJSON", "toJSON of all", "getter", "proxy", "result"] {
        let plain: Vec<_> = (0..6)
            .map(|_| {
                let client = Client::clone(app);
                tokio::spawn(async move { client.post("/api/items/articles", json!({ "title": "plain" })).await })
            })
            .collect();
        for _ in 0..5 {
            let answer = app.post("/api/items/articles", json!({ "title": title })).await;
            assert!(matches!(answer.status, 201 | 400 | 500), "{title}: {answer:?}");
        }
        for call in plain {
            call.await.unwrap().expect(201);
        }
    }
});

both!(empty_lines_of_the_console_do_not_fill_the_log, async |app| {
    app.allow_errors();
    articles(app).await;
    for line in ["console.log('')", "console.log()", "services.log.info('')"] {
        let before = app.log().len();
        let body = json!({ "event": "articles.items.create", "timeout_ms": 20_000, "code": format!("for (let i = 0; i < 100000; i++) {line}; return payload;") });
        let id = extension(app, body).await;
        create(app, "articles", json!({})).await;
        still("the log stays small", Duration::from_millis(500), async || {
            let grown = app.log().len() - before;
            if grown < 1 << 20 { Ok(()) } else { Err(format!("{line}: it grew by {grown} bytes")) }
        })
        .await;
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

/// Gathers every function that call sites of the stack give away, also of frames between the author's code and the host.
const CALL_SITES: &str = "const found = [];
  const gather = (error, sites) => { for (const site of Array.isArray(sites) ? sites : []) for (const ask of ['getFunction', 'getThis']) {
    try { const value = site[ask](); if (typeof value === 'function' || (typeof value === 'object' && value !== null)) found.push(value) } catch {} } return '' };
  const look = () => { try { void new Error('x').stack } catch {} try { const o = {}; Error.captureStackTrace?.(o); void o.stack } catch {} return 1 };
  try { Error.prepareStackTrace = gather } catch {}
  look(); [1].map(look); await Promise.resolve().then(look); await new Promise((r) => setTimeout(() => { look(); r() }, 0));
  try { await (await services.items('log')).readByQuery({ toJSON() { look(); return {} } }) } catch {}
  try { await (await services.items('log')).readByQuery({ get limit() { look(); return 1 } }) } catch {}
  console.log({ get x() { return look() }, toString: look });";

both!(a_stack_gives_no_functions_away, async |app| {
    collection(app, "log", &[("text", "string")]).await;
    assert_eq!(result_of(app, &format!("{CALL_SITES}\nreturn found.length;")).await, 0);
});

both!(a_warm_extension_cannot_use_what_it_kept_from_another_caller, async |app| {
    app.allow_errors();
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    collection(app, "vault", &[("text", "string")]).await;
    create(app, "vault", json!({ "text": "treasure" })).await;
    let code = format!(
        "{CALL_SITES}
         if (payload.title === 'keep') {{ globalThis.kept = {{ services, vault: await services.items('vault'), found }}; await kept.vault.readByQuery({{}}); return payload }}
         const out = [];
         const attempt = async (run) => {{ try {{ out.push(await run()) }} catch (e) {{ out.push(String(e && e.code)) }} }};
         if (globalThis.kept) {{
           await attempt(() => kept.vault.readByQuery({{}}));
           await attempt(async () => (await kept.services.items('vault')).readByQuery({{}}));
           await attempt(async () => (await kept.services.items('vault', {{ elevated: false }})).readOne(1));
           for (const f of [...kept.found, ...found]) if (typeof f === 'function') for (const args of [[], ['items'], ['items', 'vault'], ['items', ['vault', 'readByQuery', {{}}]]]) await attempt(() => f(...args));
         }}
         return {{ ...payload, body: JSON.stringify([typeof globalThis.kept, out.map((o) => {{ try {{ return JSON.stringify(o) }} catch {{ return null }} }})]) }};"
    );
    let body = json!({ "event": "articles.items.create", "state": "warm", "code": code });
    let made = create_extension(app, body).await;
    if made.status == 400 {
        // Nothing is kept where nothing is warm.
        assert_eq!(made.field(), "state", "{}", made.body);
        return;
    }
    made.expect(201);
    let rights = [may_all("articles"), vec![may("read", "log", &["*"])]].concat();
    let person = person(app, &rights).await.client;
    for _ in 0..10 {
        app.post("/api/items/articles", json!({ "title": "keep" })).await.expect(201);
        let answer = person.post("/api/items/articles", json!({ "title": "use" })).await.expect(201);
        assert!(!answer.body.contains("treasure"), "{}", answer.body);
    }
});

both!(microtasks_run_between_two_due_timers, async |app| {
    let code = "const order = [];
                setTimeout(() => { order.push('t1'); Promise.resolve().then(() => order.push('m')) }, 0); setTimeout(() => order.push('t2'), 0);
                const end = performance.now() + 20; while (performance.now() < end) {}
                await new Promise((r) => setTimeout(r, 20)); return order;";
    assert_eq!(result_of(app, code).await, json!(["t1", "m", "t2"]));
    let code = "const order = [];
                for (const n of [1, 2, 3]) setTimeout(async () => { order.push(n); await null; order.push('a' + n); await null; order.push('b' + n) }, 0);
                const end = performance.now() + 20; while (performance.now() < end) {}
                await new Promise((r) => setTimeout(r, 20)); return order;";
    assert_eq!(result_of(app, code).await, json!([1, "a1", "b1", 2, "a2", "b2", 3, "a3", "b3"]));
});

both!(timers_that_are_taken_back_cost_nothing, async |app| {
    let code = "let fired = 0; for (let i = 0; i < 20000; i++) clearTimeout(setTimeout(() => fired++, 1));
                await new Promise((r) => setTimeout(r, 20)); return fired;";
    assert_eq!(result_of(app, code).await, 0);
});

both!(alone a_broken_promise_constructor_is_answered_at_once, async |app| {
    app.allow_errors();
    articles(app).await;
    for before in ["Promise.prototype.constructor = null;", "Promise.prototype.constructor = { [Symbol.species]: 1 };", "await null; Promise.prototype.constructor = null;"] {
        let id = filter(app, "articles.items.create", &format!("{before} return payload")).await;
        let answer = app.post("/api/items/articles", json!({ "title": "a" })).await.expect_within(Duration::from_secs(1));
        assert!(matches!(answer.status, 201 | 500), "{before}: {answer:?}");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(alone millions_of_small_values_are_refused_without_harm, async |app| {
    app.allow_errors();
    collection(app, "big", &[("j", "json")]).await;
    collection(app, "plain", &[("n", "integer")]).await;
    for n in 0..20 {
        create(app, "plain", json!({ "n": n })).await;
    }
    for small in ["[[]]", "[{}]", "i % 2 ? [[]] : [{}]"] {
        // About 9 MB of text and 3.5 million values; the same few are named again and again, so that the code's own heap is small.
        let code = format!("const two = [0, 1].map((i) => ({small})); return {{ j: Array.from({{ length: 1750000 }}, (_, i) => two[i % 2]) }};");
        let id = extension(app, json!({ "event": "big.items.create", "timeout_ms": 20_000, "memory_limit_mb": 256, "code": code })).await;
        let before = process::resident(app.pid());
        let stop = Arc::new(AtomicBool::new(false));
        let (client, stopped) = (Client::clone(app), stop.clone());
        let bystander = tokio::spawn(async move {
            let mut longest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                longest = longest.max(client.post("/api/items/plain", json!({ "n": 1 })).await.expect(201).took);
            }
            longest
        });
        let answer = app.post("/api/items/big", json!({})).await;
        let ended = Instant::now();
        stop.store(true, Ordering::Relaxed);
        let longest = bystander.await.unwrap();
        assert!(answer.status >= 400, "{small}: {}", answer.status);
        assert!(longest < Duration::from_secs(1) + SLACK, "{small}: a plain write took {longest:?}");
        eventually("the host's memory is back", (Duration::from_secs(2) + SLACK).saturating_sub(ended.elapsed()), async || {
            let now = process::resident(app.pid());
            if now < before + (64 << 20) { Ok(()) } else { Err(format!("{small}: {} MB before, {} MB now", before >> 20, now >> 20)) }
        })
        .await;
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
        assert_eq!(count(app, "big").await, 0);
    }
});

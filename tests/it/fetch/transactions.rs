//! A fetch and the transaction of a filter: one after the other, never one inside the other.

use std::sync::atomic::Ordering;

use super::*;

fn on_both(body: impl AsyncFn(&mut TestApp, &Upstream)) {
    for database in [Database::Sqlite, Database::Postgres] {
        fetching_on(database, LOCAL, &[], &body);
    }
}

#[test]
fn a_fetch_comes_before_the_first_write() {
    on_both(async |app, upstream| {
        collection(app, "stock", &[("name", "string")]).await;
        let seen = code(
            app,
            upstream,
            "const first = (await fetch('BASE/')).status; const late = await fetch('BASE/drip/20'); const small = await fetch('BASE/cookies');
             const reader = late.body.getReader(); await reader.read();
             await (await services.items('stock')).createOne({ name: 'one' });
             const second = await attempt(() => fetch('BASE/')); const text = await attempt(() => small.text());
             const more = await attempt(async () => { for (;;) await reader.read() });
             return [first, second.code, second.status, second.message, more.code, text.code ?? text];",
        )
        .await;
        assert_eq!((&seen[0], &seen[1], &seen[2]), (&json!(200), &json!("TRANSACTION_OPEN"), &json!(400)));
        assert!(seen[3].as_str().unwrap().contains("do this before the first write"), "{seen}");
        assert_eq!(seen[4], "TRANSACTION_OPEN");
        // What had come whole need not be waited for.
        assert!(seen[5] == "baked" || seen[5] == "TRANSACTION_OPEN", "{seen}");
        assert_eq!(count(app, "stock").await, 1);
    });
}

#[test]
fn a_fetch_inside_transaction_is_refused_by_either_services() {
    on_both(async |app, upstream| {
        collection(app, "stock", &[("name", "string")]).await;
        let text = format!(
            "{ATTEMPT} const out = [];
             await services.transaction(async (inner) => {{
               out.push((await inner.fetch('{0}')).status);
               await (await inner.items('stock')).createOne({{ name: 'one' }});
               out.push((await attempt(() => inner.fetch('{0}'))).code, (await attempt(() => services.fetch('{0}'))).code, (await attempt(() => fetch('{0}'))).code);
             }});
             out.push((await fetch('{0}')).status); return out;",
            upstream.url("/")
        );
        extension(app, json!({ "event": "GET /tx", "type": "route", "code": text })).await;
        let open = "TRANSACTION_OPEN";
        assert_eq!(app.get("/api/ext/tx").await.expect(200).json(), json!([200, open, open, open, 200]));
    });
}

/// Two operations that lock two rows in opposite orders: one of them loses, and what becomes of it depends on whether it reached out.
#[test]
fn an_operation_that_fetched_is_not_run_again_after_a_conflict() {
    fetching_on(Database::Postgres, LOCAL, &[("TX_MAX_MS", "10000")], async |app, upstream| {
        collection(app, "rows", &[("name", "string")]).await;
        collection(app, "pairs", &[("first", "integer"), ("second", "integer"), ("reach", "boolean")]).await;
        for name in ["one", "two"] {
            create(app, "rows", json!({ "name": name })).await;
        }
        let text = format!(
            "if (payload.reach) await (await fetch('{}')).text();
             const rows = await services.items('rows'); await rows.readOne(payload.first, {{}}, {{ lock: true }});
             const until = performance.now() + 700; while (performance.now() < until);
             await rows.readOne(payload.second, {{}}, {{ lock: true }});",
            upstream.url("/")
        );
        extension(app, json!({ "event": "pairs.items.create", "code": text, "timeout_ms": 10_000 })).await;
        let both = async |reach: bool| {
            let write = async |first: u32, second: u32| {
                app.post("/api/items/pairs", json!({ "first": first, "second": second, "reach": reach })).await
            };
            let (one, other) = tokio::join!(write(1, 2), write(2, 1));
            let mut codes = [one.status, other.status];
            codes.sort_unstable();
            codes
        };
        assert_eq!(both(false).await, [201, 201]);
        assert_eq!(both(true).await, [201, 409]);
        assert_eq!(upstream.seen.requests.load(Ordering::SeqCst), 2);
        assert_eq!(count(app, "pairs").await, 3);
    });
}

//! A filter's writes and the write that it guards are one transaction: what that promises, and what it forbids.

use std::time::Duration;

use serde_json::json;

use crate::support::*;

async fn stock(app: &Client) {
    collection(app, "orders", &[("title", "string"), ("out", "text")]).await;
    collection(app, "stock", &[("name", "string unique"), ("left", "integer")]).await;
    create(app, "stock", json!({ "name": "pen", "left": 10 })).await;
}

both!(both_are_written_or_none, async |app| {
    stock(app).await;
    let code = "const stock = await services.items('stock'); const [pen] = await stock.readByQuery({ filter: { name: { _eq: 'pen' } } });
                await stock.updateOne(pen.id, { left: pen.left - 1 }); return payload.title === 'nonsense' ? { title: 5 } : payload;";
    filter(app, "orders.items.create", code).await;
    create(app, "orders", json!({ "title": "one" })).await;
    assert_eq!(column(app, "stock", "left").await, [9]);
    // The guarded write fails after the filter's own succeeded.
    let answer = app.post("/api/items/orders", json!({ "title": "nonsense" })).await;
    assert!(answer.status >= 400, "{answer:?}");
    assert_eq!((column(app, "stock", "left").await, count(app, "orders").await), (vec![json!(9)], 1));
});

both!(reads_inside_see_what_was_written_and_others_do_not, async |app| {
    stock(app).await;
    let code = "const stock = await services.items('stock'); const key = await stock.createOne({ name: 'ink', left: 1 });
                const seen = await stock.readOne(key); const all = (await stock.readByQuery({ sort: ['id'] })).map((r) => r.name);
                await stock.updateOne(key, { left: 2 }); const again = await stock.readOne(key);
                return { ...payload, out: JSON.stringify([seen.left, all, again.left]) };";
    filter(app, "orders.items.create", code).await;
    assert_eq!(create(app, "orders", json!({})).await["out"], "[1,[\"pen\",\"ink\"],2]");
});

both!(hooks_of_nested_writes_belong_to_the_transaction, async |app| {
    stock(app).await;
    collection(app, "log", &[("text", "string")]).await;
    filter(app, "orders.items.create", "await (await services.items('stock')).createOne({ name: payload.title, left: 1 }); if (payload.title === 'bad') throw new Error('no'); return payload;").await;
    filter(
        app,
        "stock.items.create",
        "await (await services.items('log')).createOne({ text: payload.name }); return { ...payload, left: 7 };",
    )
    .await;
    app.post("/api/items/orders", json!({ "title": "bad" })).await.expect_error(400, "EXTENSION_ERROR");
    assert_eq!((count(app, "stock").await, count(app, "log").await), (1, 0));
    create(app, "orders", json!({ "title": "good" })).await;
    assert_eq!((column(app, "stock", "left").await, column(app, "log", "text").await), (vec![json!(10), json!(7)], vec![json!("good")]));
});

both!(a_nested_refusal_undoes_only_its_own_part_when_it_is_caught, async |app| {
    stock(app).await;
    collection(app, "log", &[("text", "string")]).await;
    filter(
        app,
        "stock.items.create",
        "await (await services.items('log')).createOne({ text: 'inner' }); throw new Error('inner refusal');",
    )
    .await;
    let code = "await (await services.items('log')).createOne({ text: 'outer' }); let seen;
                try { await (await services.items('stock')).createOne({ name: 'x', left: 1 }) } catch (e) { seen = e.message }
                return { ...payload, out: seen };";
    filter(app, "orders.items.create", code).await;
    assert_eq!(create(app, "orders", json!({})).await["out"], "inner refusal");
    assert_eq!((column(app, "log", "text").await, count(app, "stock").await), (vec![json!("outer")], 1));
});

both!(nothing_may_wait_for_the_world_while_a_transaction_is_open, async |app| {
    stock(app).await;
    let code = "await new Promise((r) => setTimeout(r, 5)); const out = ['waited before'];
                await (await services.items('stock')).createOne({ name: 'ink', left: 1 });
                try { await new Promise((r) => setTimeout(r, 5)); out.push('waited') } catch (e) { out.push(e.code) }
                return { ...payload, out: JSON.stringify(out) };";
    filter(app, "orders.items.create", code).await;
    assert_eq!(create(app, "orders", json!({})).await["out"], "[\"waited before\",\"TRANSACTION_OPEN\"]");
    assert_eq!(count(app, "stock").await, 2);
});

both!(alone a_transaction_is_open_only_so_long, async |app| {
    app.allow_errors();
    stock(app).await;
    let code = "await (await services.items('stock')).createOne({ name: 'ink', left: 1 }); if (payload.title === 'hang') await new Promise(() => {}); while (true) {}";
    filter(app, "orders.items.create", code).await;
    for title in ["loop", "hang"] {
        let answer = app.post("/api/items/orders", json!({ "title": title })).await;
        answer.expect_error(503, "TRANSACTION_TIMEOUT").expect_within(Duration::from_millis(500 + 50));
        assert_eq!((count(app, "stock").await, count(app, "orders").await), (1, 0));
    }
});

both!(alone the_length_of_a_transaction_is_a_setting, env: [("TX_MAX_MS", "1500")], async |app| {
    app.allow_errors();
    stock(app).await;
    let code = "await (await services.items('stock')).createOne({ name: 'ink', left: 1 });
                const end = performance.now() + (payload.title === 'short' ? 700 : 4000); while (performance.now() < end) {} return payload;";
    filter(app, "orders.items.create", code).await;
    create(app, "orders", json!({ "title": "short" })).await;
    app.sql("DELETE FROM stock WHERE name = 'ink'").await;
    let answer = app.post("/api/items/orders", json!({ "title": "long" })).await.expect_error(503, "TRANSACTION_TIMEOUT");
    answer.expect_within(Duration::from_millis(1500 + 50));
});

both!(others_write_on_while_a_filter_only_computes, async |app| {
    stock(app).await;
    filter(app, "orders.items.create", "await new Promise((r) => setTimeout(r, 1500)); return payload;").await;
    let client = Client::clone(app);
    let slow = tokio::spawn(async move { client.post("/api/items/orders", json!({})).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    for n in 0..5 {
        let answer = app.post("/api/items/stock", json!({ "name": n.to_string() })).await.expect(201);
        assert!(answer.took < Duration::from_secs(1), "waited behind a filter that holds nothing: {:?}", answer.took);
    }
    assert!(!slow.is_finished());
    slow.await.unwrap().expect(201);
});

both!(concurrent_filters_that_read_lock_and_write_lose_no_update, async |app| {
    stock(app).await;
    let code = "const stock = await services.items('stock'); const pen = await stock.readOne(1, { lock: true });
                if (pen.left < 1) throw new Error('sold out'); await stock.updateOne(1, { left: pen.left - 1 }); return payload;";
    filter(app, "orders.items.create", code).await;
    let tasks: Vec<_> = (0..16)
        .map(|n| {
            let client = Client::clone(app);
            tokio::spawn(async move { client.post("/api/items/orders", json!({ "title": n.to_string() })).await })
        })
        .collect();
    let mut sold = 0;
    for task in tasks {
        let answer = task.await.unwrap();
        match answer.status {
            201 => sold += 1,
            400 => assert_eq!(answer.message(), "sold out"),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((sold, column(app, "stock", "left").await), (10, vec![json!(0)]));
    assert_eq!(count(app, "orders").await, 10);
});

both!(transaction_joins_calls_of_an_action_hook, async |app| {
    stock(app).await;
    let code = "const attempt = async (last) => services.transaction(async (s) => {
                  const stock = await s.items('stock'); await stock.createOne({ name: 'a' + last, left: 1 }); await stock.createOne({ name: last, left: 1 }); });
                let seen; try { await attempt('pen') } catch (e) { seen = e.code }
                await attempt('ink'); await (await services.items('stock')).createOne({ name: 'seen ' + seen, left: 0 });";
    action(app, "orders.items.create", code).await;
    create(app, "orders", json!({})).await;
    eventually("the action ran", Duration::from_secs(20), async || {
        let names = column(app, "stock", "name").await;
        if names == ["pen", "aink", "ink", "seen RECORD_NOT_UNIQUE"] { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
});

both!(transaction_in_a_filter_is_a_savepoint, async |app| {
    stock(app).await;
    let code = "const stock = await services.items('stock'); await stock.createOne({ name: 'kept', left: 1 });
                try { await services.transaction(async (s) => { await (await s.items('stock')).createOne({ name: 'undone', left: 1 }); throw new Error('inside') }) } catch {}
                return payload;";
    filter(app, "orders.items.create", code).await;
    create(app, "orders", json!({})).await;
    assert_eq!(column(app, "stock", "name").await, ["pen", "kept"]);
});

both!(the_schema_cannot_be_changed_in_a_filter, async |app| {
    let code = "const out = []; const c = await services.collections(); const f = await services.fields(); const r = await services.relations();
                for (const run of [() => c.createOne({ collection: 'x', fields: [] }), () => c.deleteOne('inside'), () => f.createField('inside', { field: 'x', type: 'string' }),
                  () => f.updateField('inside', 'out', {}), () => f.deleteField('inside', 'out'), () => c.updateOne('inside', {}),
                  () => r.createOne({}), () => r.updateOne('inside', 'out', {}), () => r.deleteOne('inside', 'out')]) { try { await run(); out.push('worked') } catch (e) { out.push(e.code) } }
                return out;";
    let out = result_of(app, code).await;
    assert_eq!(out, json!(vec!["DDL_IN_FILTER"; 9]));
});

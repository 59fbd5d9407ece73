//! Custom services: code that extensions share, live for all of them at once, checked before it is stored and tested where it runs.

use serde_json::{Value, json};

use crate::support::*;

async fn service(app: &Client, body: Value) -> String {
    app.post("/api/services", body).await.expect(201).data()["id"].as_str().unwrap().to_owned()
}

async fn title(app: &Client) -> Value {
    create(app, "articles", json!({})).await["title"].clone()
}

const USER: &str = "const greeter = await services.custom('greeter'); return { ...payload, title: await greeter.greet('you') };";

both!(what_it_returns_is_shared_and_a_change_is_live_for_the_very_next_call, async |app| {
    articles(app).await;
    let id = service(app, json!({ "name": "greeter", "code": "return { greet: async (who) => 'hello ' + who };" })).await;
    let filter_id = filter(app, "articles.items.create", USER).await;
    assert_eq!(title(app).await, "hello you");
    let told = app
        .patch(&format!("/api/services/{id}"), json!({ "code": "return { greet: (who) => 'good day ' + who };" }))
        .await
        .expect(200)
        .data();
    assert_eq!((&told["version"], &told["dependencies"]), (&json!(2), &json!([])));
    assert_eq!(title(app).await, "good day you");
    app.delete(&format!("/api/extensions/{filter_id}")).await.expect(204);

    let code = "import { name } from './name.mjs';
export function register({ emitter }) {
  emitter.onFilter('articles.items.create', async (payload, meta, { services }) =>
    ({ ...payload, title: await (await services.custom('greeter')).greet(name) }));
}";
    app.load_folder("guest", &[("index.mjs", code), ("name.mjs", "export const name = 'folder';")]).await;
    assert_eq!(title(app).await, "good day folder");
    app.patch(&format!("/api/services/{id}"), json!({ "code": "return { greet: (who) => 'bye ' + who };" })).await.expect(200);
    assert_eq!(title(app).await, "bye folder");
    app.restart().await;
    assert_eq!(title(app).await, "bye folder");
});

both!(it_runs_with_the_rights_and_in_the_transaction_of_who_uses_it, async |app| {
    articles(app).await;
    collection(app, "log", &[("text", "string")]).await;
    let code = "let begun = 0; return { init: (context) => { begun = context.accountability.admin ? 1 : 2 }, begun: () => begun,
        write: async (text) => (await context.services.items('log')).createOne({ text }) };";
    service(app, json!({ "name": "logger", "code": code })).await;
    let code = "const logger = await services.custom('logger'); await logger.write(payload.title);
        if (payload.title === 'refuse') throw new Error('no'); return { ...payload, body: String(logger.begun()) + ((await services.custom('logger')) === logger) };";
    filter(app, "articles.items.create", code).await;
    assert_eq!(create(app, "articles", json!({ "title": "a" })).await["body"], "1true");
    app.post("/api/items/articles", json!({ "title": "refuse" })).await.expect(400);
    assert_eq!(column(app, "log", "text").await, ["a"], "what a refused operation wrote is gone");
    let person = person(app, &may_all("articles")).await;
    person.client.post("/api/items/articles", json!({ "title": "b" })).await.expect(403);
    assert_eq!(count(app, "articles").await, 1);
});

both!(services_use_each_other_and_a_cycle_is_refused, async |app| {
    articles(app).await;
    app.post("/api/services", json!({ "name": "b", "code": "return { v: (await services.custom('a')).v + 1 }" }))
        .await
        .expect_error(400, "INVALID_PAYLOAD");
    let a = service(app, json!({ "name": "a", "code": "return { v: 1 }" })).await;
    let b = service(app, json!({ "name": "b", "code": "return { v: (await services.custom('a')).v + 1 }" })).await;
    assert_eq!(app.get(&format!("/api/services/{b}")).await.expect(200).data()["dependencies"], json!(["a"]));
    filter(app, "articles.items.create", "return { ...payload, title: String((await services.custom('b')).v) };").await;
    assert_eq!(title(app).await, "2");
    let refused = app.patch(&format!("/api/services/{a}"), json!({ "code": "return { v: (await services.custom('b')).v }" })).await;
    let refused = refused.expect_error(409, "CONFLICT");
    assert!(refused.message().contains("a → b → a"), "{}", refused.body);
    app.patch(&format!("/api/services/{a}"), json!({ "code": "return { v: 10 }" })).await.expect(200);
    assert_eq!(title(app).await, "11");
    // Names that are put together can't be seen before: the call says so instead of waiting for itself.
    app.patch(&format!("/api/services/{a}"), json!({ "code": "const name = 'b'; return { v: (await services.custom(name)).v }" }))
        .await
        .expect(200);
    app.allow_errors();
    let looped = app.post("/api/items/articles", json!({})).await;
    assert!(looped.status >= 400 && looped.body.contains("b → a → b"), "{}", looped.body);
});

both!(what_is_used_is_not_taken_away, async |app| {
    articles(app).await;
    let id = service(app, json!({ "name": "greeter", "code": "return { greet: () => 'x' }" })).await;
    let path = format!("/api/services/{id}");
    let user = filter(app, "articles.items.create", USER).await;
    for answer in [
        app.delete(&path).await,
        app.patch(&path, json!({ "status": "inactive" })).await,
        app.patch(&path, json!({ "name": "other" })).await,
    ] {
        let message = answer.expect_error(409, "CONFLICT").message();
        assert!(message.contains("used by the extension"), "{message}");
    }
    app.delete(&format!("/api/extensions/{user}")).await.expect(204);
    app.patch(&path, json!({ "status": "inactive" })).await.expect(200);
    filter(app, "articles.items.create", &USER.replace("return {", "return await Promise.resolve(),{")).await;
    app.delete(&path).await.expect_error(409, "CONFLICT");
});

both!(what_is_not_there_or_not_allowed_says_so, async |app| {
    articles(app).await;
    service(app, json!({ "name": "one", "code": "return { v: 1 }" })).await;
    service(app, json!({ "name": "off", "code": "return { v: 1 }", "status": "inactive" })).await;
    service(app, json!({ "name": "bad", "code": "return 7" })).await;
    let tell = "const tell = async (name) => { try { return (await services.custom(name)).v } catch (error) { return [error.code ?? error.name, error.message] } };";
    for (capabilities, name, part) in [
        (json!(null), "'one'", "1"),
        (json!(null), "'none'", "no active custom service 'none'"),
        (json!(null), "'off'", "no active custom service 'off'"),
        (json!(null), "'__proto__'", "no active custom service"),
        (json!(null), "'trellis:test'", "no active custom service"),
        (json!(null), "7", "a text"),
        (json!(null), "'bad'", "must return an object of functions"),
        (json!(["items:articles:create", "custom:one"]), "'one'", "1"),
        (json!(["items:articles:create", "custom:other"]), "'one'", "no active custom service 'one'"),
        (json!(["items:articles:create"]), "'one'", "no active custom service 'one'"),
    ] {
        let code = format!("{tell} return {{ ...payload, title: JSON.stringify(await tell({name})) }};");
        let id = extension(app, json!({ "event": "articles.items.create", "code": code, "capabilities": capabilities })).await;
        let told = title(app).await;
        assert!(told.as_str().unwrap().contains(part), "{capabilities} {name}: {told}");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    }
});

both!(what_cannot_be_a_service_is_refused_with_its_place, async |app| {
    for (body, status, part) in [
        (json!({ "name": "Upper", "code": "return {}" }), 400, "small letters"),
        (json!({ "name": "1a", "code": "return {}" }), 400, "beginning with a letter"),
        (json!({ "name": "x".repeat(64), "code": "return {}" }), 400, "up to 63"),
        (json!({ "code": "return {}" }), 400, "is needed"),
        (json!({ "name": "a" }), 400, "is needed"),
        (json!({ "name": "a", "code": "return {" }), 400, "doesn't compile"),
        (json!({ "name": "a", "code": "} {" }), 400, "doesn't compile"),
        (json!({ "name": "a", "code": "return {}", "status": "error" }), 400, "`active` or `inactive`"),
        (json!({ "name": "a", "code": "return {}", "version": 7 }), 400, "can't be set"),
        (json!({ "name": "a", "code": "return {}", "tests": {} }), 400, "an array of { name, code }"),
        (json!({ "name": "a", "code": "return {}", "tests": [{ "name": "t" }] }), 400, "entry 0"),
        (json!({ "name": "a", "code": "return {}", "tests": [{ "name": "t", "code": "x", "more": 1 }] }), 400, "entry 0"),
        (
            json!({ "name": "a", "code": "return {}", "tests": [{ "name": "t", "code": "1" }, { "name": "t", "code": "2" }] }),
            400,
            "two tests called",
        ),
        (json!({ "name": "a", "code": "return {}", "tests": [{ "name": "t", "code": "(" }] }), 400, "`t` doesn't compile"),
        (json!({ "name": "a", "code": "await services.custom('a'); return {}" }), 409, "a → a"),
    ] {
        let answer = app.post("/api/services", body.clone()).await;
        assert!(answer.status == status && answer.message().contains(part), "{body}: {} {}", answer.status, answer.body);
    }
    let person = person(app, &[]).await;
    for client in [&person.client, &app.anonymous()] {
        for answer in [
            client.get("/api/services").await,
            client.post("/api/services", json!({ "name": "a", "code": "return {}" })).await,
            client.post("/api/items/daas_custom_services", json!({ "name": "a", "code": "return {}" })).await,
        ] {
            assert!([401, 403, 404].contains(&answer.status), "{} {}", answer.status, answer.body);
        }
    }
    assert_eq!(app.number("SELECT count(*) FROM daas_custom_services").await, 0);
    app.post("/api/items/daas_custom_services", json!({ "name": "a", "code": "return {" })).await.expect_error(403, "FORBIDDEN");
});

both!(its_tests_run_for_real_and_leave_nothing_behind, async |app| {
    articles(app).await;
    let code = "return { add: (a, b) => a + b, write: async () => (await services.items('articles')).createOne({ title: 'written' }),
        count: async () => (await services.items('articles')).readAggregate({ aggregate: { count: '*' } }), fails: async () => { throw new Error('on purpose') } };";
    let tests = json!([
        { "name": "adds", "code": "assert.equal(await api.call('add', 1, 2), 3); assert(api.instance.add(0, 1)); console.log('added');" },
        { "name": "writes", "code": "await api.call('write'); const rows = await (await api.services.items('articles')).readByQuery();\nassert.deepEqual(rows.map((row) => row.title), ['written']); api.cleanup(() => console.log('cleaned'));" },
        { "name": "sees nothing of another", "code": "assert.deepEqual(await (await api.services.items('articles')).readByQuery(), []);" },
        { "name": "refuses", "code": "await assert.rejects(api.call('fails'), 'on purpose'); await assert.rejects(() => api.call('none'), TypeError);\nassert.throws(() => { throw new RangeError('r') }, RangeError);" },
        { "name": "wrong", "code": "\nassert.deepEqual({ a: [1] }, { a: [2] }, 'the lists');" },
        { "name": "throws", "code": "await api.call('fails');" },
        { "name": "hangs", "code": "for (;;);" },
    ]);
    let id = service(app, json!({ "name": "maths", "code": code, "tests": tests, "timeout_ms": 300 })).await;
    let run = app.post(&format!("/api/services/{id}/tests"), json!({})).await.expect(200).data();
    let outcomes: Vec<_> = run["results"].as_array().unwrap().iter().map(|result| result["success"].as_bool().unwrap()).collect();
    assert_eq!(outcomes, [true, true, true, true, false, false, false], "{run}");
    assert_eq!((&run["passed"], &run["failed"]), (&json!(4), &json!(3)));
    assert_eq!(run["results"][0]["logs"][0]["message"], "added");
    assert_eq!(run["results"][1]["logs"][0]["message"], "cleaned");
    let wrong = &run["results"][4]["error"];
    assert_eq!((&wrong["name"], &wrong["line"]), (&json!("AssertionError"), &json!(2)), "{wrong}");
    assert!(wrong["message"].as_str().unwrap().starts_with("the lists: ") && wrong["fields"]["expected"] == "{\"a\":[2]}", "{wrong}");
    assert!(run["results"][5]["error"]["stack"].as_str().unwrap().contains("maths"), "the service's own line is named: {run}");
    assert_eq!(run["results"][6]["error"]["code"], "EXTENSION_TIMEOUT");
    assert_eq!(count(app, "articles").await, 0);
    let kept = app.get(&format!("/api/services/{id}")).await.expect(200).data();
    assert_eq!(kept["last_test_run"]["passed"], 4);
    let one = app.post(&format!("/api/services/{id}/tests?test=adds"), json!({})).await.expect(200).data();
    assert_eq!((one["results"].as_array().unwrap().len(), &one["passed"]), (1, &json!(1)));
    app.post(&format!("/api/services/{id}/tests?test=none"), json!({})).await.expect_error(404, "NOT_FOUND");
});

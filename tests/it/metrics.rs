//! `/metrics`: what Prometheus reads, and who else.

use serde_json::json;

use crate::support::*;

const TOKEN: &str = "a token of Prometheus";

/// The value of a series.
fn value(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

/// The value of a series that must be there.
#[track_caller]
fn is(text: &str, series: &str, expected: f64) {
    assert_eq!(value(text, series), Some(expected), "{series} in\n{text}");
}

both!(requests_calls_workers_and_deliveries_are_counted, env: [("METRICS_TOKEN", TOKEN)], async |app| {
    articles(app).await;
    let code = "if (payload.title === 'no') null.x; return payload";
    let guard = extension(app, json!({ "name": "guard", "event": "articles.items.create", "code": code })).await;
    extension(app, json!({ "name": "late", "type": "action", "event": "articles.items.create", "code": "" })).await;
    for _ in 0..3 {
        create(app, "articles", json!({ "title": "yes" })).await;
    }
    app.post("/api/items/articles", json!({ "title": "no" })).await.expect_error(500, "EXTENSION_FAILED");
    app.get("/api/nowhere").await.expect_error(404, "ROUTE_NOT_FOUND");
    let prometheus = app.with_token(TOKEN);
    let answer = prometheus.get("/metrics").await.expect(200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = &answer.body;
    let created = |status: u16| format!("trellis_http_requests_total{{method=\"POST\",route=\"/api/items/{{collection}}\",status=\"{status}\"}}");
    is(text, &created(201), 3.0);
    is(text, &created(500), 1.0);
    is(text, "trellis_http_request_seconds_count{method=\"POST\",route=\"/api/items/{collection}\"}", 4.0);
    is(text, "trellis_http_requests_total{method=\"GET\",route=\"none\",status=\"404\"}", 1.0);
    // This one.
    is(text, "trellis_http_requests_under_way", 1.0);
    is(text, &format!("trellis_extension_calls_total{{extension=\"{guard}\",outcome=\"ok\"}}"), 3.0);
    is(text, &format!("trellis_extension_calls_total{{extension=\"{guard}\",outcome=\"EXTENSION_FAILED\"}}"), 1.0);
    is(text, &format!("trellis_extension_call_seconds_count{{extension=\"{guard}\"}}"), 4.0);
    is(text, &format!("trellis_extension_name{{extension=\"{guard}\",name=\"guard\"}}"), 1.0);
    is(text, "trellis_database_up", 1.0);
    for positive in ["process_resident_memory_bytes", "process_cpu_seconds", "trellis_workers_memory_bytes"] {
        assert!(value(text, positive).is_some_and(|value| value > 0.0), "{positive} in\n{text}");
    }
    let workers = |state: &str| value(text, &format!("trellis_workers{{state=\"{state}\"}}")).unwrap();
    assert!(workers("busy") + workers("idle") >= 1.0, "{text}");
    assert!(value(text, "trellis_deliveries{state=\"pending\"}").is_some() && text.ends_with("# EOF\n"), "{text}");
    let server = app.database == Database::Postgres;
    assert_eq!(value(text, "trellis_database_connections{state=\"open\"}").is_some_and(|open| open >= 1.0), server, "{text}");
    // With the extension go its series.
    app.delete(&format!("/api/extensions/{guard}")).await.expect(204);
    let text = prometheus.get("/metrics").await.expect(200).body;
    assert!(!text.contains(&guard), "{text}");
});

both!(counters_are_for_those_who_may_see_them, env: [("METRICS_TOKEN", TOKEN)], async |app| {
    let nobody = app.anonymous();
    nobody.get("/metrics").await.expect_error(403, "FORBIDDEN");
    for wrong in ["a token of Prometheu", "a token of Prometheus!", "x"] {
        nobody.with_token(wrong).get("/metrics").await.expect_error(401, "INVALID_CREDENTIALS");
    }
    // It opens nothing else, and not from a query string, which logs of proxies keep.
    nobody.with_token(TOKEN).get("/api/users/me").await.expect_error(401, "INVALID_CREDENTIALS");
    nobody.get(&format!("/metrics?access_token={}", TOKEN.replace(' ', "%20"))).await.expect_error(401, "INVALID_CREDENTIALS");
    let person = person(app, &[]).await;
    person.client.get("/metrics").await.expect_error(403, "FORBIDDEN");
    let policy = app.post("/api/policies", json!({ "name": "watching", "module_access": { "system:logs": true } })).await.expect(201).data();
    app.post("/api/access", json!({ "policy": policy["id"], "user": person.id })).await.expect(201);
    person.client.get("/metrics").await.expect(200);
    app.get("/metrics").await.expect(200);
});

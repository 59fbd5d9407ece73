//! Malformed requests: each is a 400 (or its own code) that says what and where, and none shows what lies beneath.

use serde_json::json;

use crate::support::*;

/// Nothing of SQL, of the file system or of a stack may be in an answer.
#[track_caller]
fn shows_nothing(answer: &Answer) {
    let text = answer.body.to_lowercase();
    for word in ["select ", "insert into", "sqlite", "postgres", "src/", ".rs:", "panicked", "/home", "/tmp", "   at "] {
        assert!(!text.contains(word), "{} shows {word:?}: {}", answer.asked, answer.body);
    }
}

both!(an_unknown_field_is_answered_with_the_nearest_that_exists, async |app| {
    articles(app).await;
    for answer in [
        app.get("/api/items/articles?fields=titel").await,
        app.get("/api/items/articles?sort=-titel").await,
        app.query("/api/items/articles", &[("filter", r#"{"titel":{"_eq":"a"}}"#)]).await,
        app.query("/api/items/articles", &[("filter", r#"{"_or":[{"_and":[{"titel":"a"}]}]}"#)]).await,
        app.get("/api/items/articles/1?fields=titel").await,
    ] {
        let answer = answer.expect_error(400, "INVALID_QUERY");
        assert!(answer.message().contains("`titel`") && answer.message().contains("`title`"), "{}", answer.body);
        assert_eq!(answer.field(), "titel");
        shows_nothing(&answer);
    }
    let answer = app.post("/api/items/articles", json!({ "titel": "a" })).await.expect_error(400, "INVALID_PAYLOAD");
    assert!(answer.message().contains("`titel`") && answer.message().contains("`title`"), "{}", answer.body);
    assert_eq!(answer.field(), "titel");
});

both!(an_unknown_parameter_is_not_ignored_when_it_looks_like_ours, async |app| {
    articles(app).await;
    for path in ["filter[title]=", "fields=", "sort=--title", "sort=title,,slug", "fields=title.deeper"] {
        let answer = app.get(&format!("/api/items/articles?{path}")).await;
        assert!(answer.status == 200 || answer.code() == "INVALID_QUERY", "{answer:?}");
        shows_nothing(&answer);
    }
});

both!(malformed_json_says_where, async |app| {
    articles(app).await;
    for body in ["{\"title\": \"a\",}", "{\"title\": \"a\"\n\"slug\": 1}", "{", "nul", "{\"a\":1}}", "'x'"] {
        let answer = app.raw("POST", "/api/items/articles", body).await.expect_error(400, "INVALID_PAYLOAD");
        assert!(answer.message().contains("line") && answer.message().contains("column"), "{body}: {}", answer.body);
        shows_nothing(&answer);
    }
    app.raw("POST", "/api/items/articles", "").await.expect_error(400, "INVALID_PAYLOAD");
    app.raw("POST", "/api/items/articles", b"{\"title\":\"\xff\xfe\"}".to_vec()).await.expect_error(400, "INVALID_PAYLOAD");
    app.raw("POST", "/api/items/articles", b"{\"title\":\"\\ud800\"}".to_vec()).await.expect_error(400, "INVALID_PAYLOAD");
});

both!(bodies_of_the_wrong_kind_are_refused, async |app| {
    articles(app).await;
    for body in ["1", "\"x\"", "null", "true", "[1]", "[[]]", "[null]"] {
        app.raw("POST", "/api/items/articles", body).await.expect_error(400, "INVALID_PAYLOAD");
    }
    let request = app.request("POST", "/api/items/articles").header("content-type", "text/plain").body("{}");
    Answer::of(request).await.expect_error(415, "UNSUPPORTED_MEDIA_TYPE");
});

both!(nesting_has_an_end, async |app| {
    collection(app, "docs", &[("data", "json")]).await;
    let nested = |depth: usize| format!("{{\"data\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    app.raw("POST", "/api/items/docs", nested(100)).await.expect(201);
    app.raw("POST", "/api/items/docs", nested(200)).await.expect_error(400, "INVALID_PAYLOAD");
    app.raw("POST", "/api/items/docs", nested(200_000)).await.expect_error(400, "INVALID_PAYLOAD");
    app.raw("POST", "/api/items/docs", "{\"data\":".repeat(100_000)).await.expect_error(400, "INVALID_PAYLOAD");
    let deep = format!("{}{{\"data\":{{\"_null\":true}}}}{}", "{\"_and\":[".repeat(1_000), "]}".repeat(1_000));
    let answer = app.query("/api/items/docs", &[("filter", &deep)]).await;
    assert!(matches!(answer.status, 400 | 414 | 431), "{} {}", answer.status, answer.body);
});

both!(a_body_has_a_largest_size, async |app| {
    collection(app, "docs", &[("text", "text")]).await;
    app.post("/api/items/docs", json!({ "text": "x".repeat(9 << 20) })).await.expect(201);
    let answer = Answer::try_of(app.request("POST", "/api/items/docs").json(&json!({ "text": "x".repeat(11 << 20) }))).await;
    // The server may answer and close before it has read everything: then there is nothing to look at.
    if let Ok(answer) = answer {
        answer.expect_error(413, "PAYLOAD_TOO_LARGE");
    }
    assert_eq!(count(app, "docs").await, 1);
});

both!(names_that_mean_something_elsewhere_are_plain_names, async |app| {
    articles(app).await;
    for name in ["__proto__", "constructor", "toString", "prototype", "hasOwnProperty"] {
        app.get(&format!("/api/items/{name}")).await.expect_error(404, "COLLECTION_NOT_FOUND");
        app.raw("POST", "/api/items/articles", format!("{{\"{name}\": {{\"title\": 1}}}}")).await.expect_error(400, "INVALID_PAYLOAD");
        app.get(&format!("/api/items/articles?fields={name}")).await.expect_error(400, "INVALID_QUERY");
        app.get(&format!("/api/items/articles?filter[{name}][_eq]=1")).await.expect_error(400, "INVALID_QUERY");
    }
    create(app, "articles", json!({ "title": "__proto__" })).await;
});

both!(sql_in_a_value_is_a_value, async |app| {
    articles(app).await;
    let nasty = "x'); DROP TABLE articles; --";
    create(app, "articles", json!({ "title": nasty })).await;
    let found = app.query("/api/items/articles", &[("filter", &json!({ "title": { "_eq": nasty } }).to_string())]).await.expect(200).data();
    assert_eq!(found[0]["title"], nasty);
    for (key, value) in [("sort", nasty), ("fields", nasty), ("limit", nasty), ("page", nasty)] {
        let answer = app.query("/api/items/articles", &[(key, value)]).await.expect_error(400, "INVALID_QUERY");
        shows_nothing(&answer);
    }
    app.query("/api/items/articles", &[("search", nasty)]).await.expect(200);
    app.get("/api/items/articles/1%27%20OR%201=1").await.expect_error(400, "INVALID_ID");
    app.get("/api/items/articles%27").await.expect_error(404, "COLLECTION_NOT_FOUND");
    assert_eq!(count(app, "articles").await, 1);
});

both!(nul_is_refused_wherever_it_comes_in, async |app| {
    articles(app).await;
    app.post("/api/items/articles", json!({ "title": "a\u{0}" })).await.expect(400);
    app.post("/api/items/articles", json!({ "ti\u{0}tle": "a" })).await.expect(400);
    for path in
        ["/api/items/a%00b", "/api/items/articles/1%00", "/api/items/articles?search=%00", "/api/items/articles?filter[title][_eq]=%00"]
    {
        let answer = app.get(path).await;
        assert!(matches!(answer.status, 400 | 404), "{answer:?}");
        shows_nothing(&answer);
    }
});

both!(an_unknown_collection_or_route_is_404, async |app| {
    articles(app).await;
    app.get("/api/items/nothing").await.expect_error(404, "COLLECTION_NOT_FOUND");
    app.post("/api/items/nothing", json!({})).await.expect_error(404, "COLLECTION_NOT_FOUND");
    app.get("/api/nothing").await.expect_error(404, "ROUTE_NOT_FOUND");
    app.get("/nothing/at/all").await.expect_error(404, "ROUTE_NOT_FOUND");
    let answer = app.raw("DELETE", "/api/health", "").await.expect_error(405, "METHOD_NOT_ALLOWED");
    assert!(answer.header("allow").contains("GET"), "{answer:?}");
});

both!(every_answer_has_a_request_id, async |app| {
    let answer = app.get("/api/health").await.expect(200);
    assert!(!answer.header("x-request-id").is_empty());
    let answer = Answer::of(app.request("GET", "/api/nothing").header("x-request-id", "given-by-the-caller-1")).await;
    assert_eq!(answer.header("x-request-id"), "given-by-the-caller-1");
    let strange = Answer::of(app.request("GET", "/api/health").header("x-request-id", "x".repeat(5_000))).await;
    assert!(strange.header("x-request-id").len() < 300, "an endless id is taken over");
});

//! Lists that filter by a field with an index find their rows by it: what the databases say of the very statements that the server runs.

use serde_json::{Value, json};

use crate::support::*;

/// The text of the statement that the server ran last on `entries`.
fn last_statement(app: &TestApp) -> String {
    let lines = app.log_lines();
    let texts = lines.iter().rev().filter(|line| line["message"] == "a statement").filter_map(|line| line["sql"].as_str());
    texts.into_iter().find(|text| text.contains("FROM \"entries\"")).expect("a statement in the log").to_owned()
}

both!(a_page_of_many_rows_is_found_by_an_index, env: [("LOG_LEVEL", "info,trellis::db=trace")], async |app| {
    collection(app, "entries", &[("code", "string index"), ("n", "integer index"), ("at", "timestamp index"), ("plain", "integer")]).await;
    let moment = match app.database {
        Database::Sqlite => "strftime('%Y-%m-%dT%H:%M:%f', x * 60, 'unixepoch') || 'Z'",
        Database::Postgres => "to_timestamp(x * 60)",
    };
    app.sql(&format!(
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) \
         INSERT INTO entries (id, code, n, at, plain) SELECT x, 'c' || (x % 10000), x % 20000, {moment}, x FROM c; ANALYZE entries;"
    ))
    .await;
    for (filter, arguments, found) in [
        (json!({ "code": "c77" }), "'c77'", 10),
        (json!({ "code": { "_in": ["c1", "c2"] } }), "'{c1,c2}'", 20),
        (json!({ "n": 5 }), "5", 5),
        (json!({ "n": { "_between": [5, 8] } }), "5, 8", 20),
        (json!({ "n": { "_in": [1, 2, 3] } }), "'{1,2,3}'", 15),
        (
            json!({ "at": { "_between": ["1970-01-01T00:00:00Z", "1970-01-01T00:20:30Z"] } }),
            "'1970-01-01T00:00:00Z', '1970-01-01T00:20:30Z'",
            20,
        ),
        (json!({ "_and": [{ "code": "c77" }, { "plain": { "_gt": 0 } }] }), "'c77', 0", 10),
    ] {
        let answer = app.query("/api/items/entries", &[("filter", &filter.to_string()), ("limit", "25")]).await.expect(200);
        assert_eq!(answer.data().as_array().map(Vec::len), Some(found), "{filter}");
        let statement = last_statement(app);
        let plan = app.explain(&statement, &format!("{arguments}, 25")).await;
        let whole = plan.contains("SCAN entries") || plan.contains("Seq Scan");
        assert!(plan.to_lowercase().contains("index") && !whole, "{filter}\n{statement}\n{plan}");
    }
    // Where there is none the plan says so: the look at it can tell.
    app.query("/api/items/entries", &[("filter", &json!({ "plain": 7 }).to_string()), ("sort", "plain")]).await.expect(200);
    let plan = app.explain(&last_statement(app), "7, 25").await;
    assert!(plan.contains("SCAN entries") || plan.contains("Seq Scan"), "{plan}");
    let by_key = app.get("/api/items/entries/77777").await.expect(200).data();
    assert_eq!(by_key["n"], Value::from(77777 % 20000));
});

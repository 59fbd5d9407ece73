//! Rows of `daas_extensions` that no door of the program let in: the host starts, what is sound runs, and of the rest it is told why not.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Dice;
use crate::support::*;

/// How many rows are written.
const ROWS: usize = 10_000;

/// How long a start may take with that many rows.
const START: Duration = Duration::from_secs(10);

/// Bytes as an SQL expression; `CAST` makes a text of any bytes, of NUL and of what is no UTF-8 too.
fn text(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to memory doesn't fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!("CAST(X'{hex}' AS TEXT)")
}

/// Source that doesn't compile, or does.
fn code(dice: &mut Dice, row: usize) -> String {
    // A few are huge: there need not be a gigabyte of rows.
    let length = if row.is_multiple_of(2_000) { 1 << 20 } else { 1 + dice.below(3_000) };
    match dice.below(12) {
        0 => "(".repeat(length),
        1 => "[".repeat(length),
        2 => "`${".repeat(length),
        3 => format!("return {}1", "!".repeat(length)),
        4 => "{".repeat(length),
        5 => "return \0payload".to_owned(),
        6 => String::new(),
        7 => "import x from 'y'; export default 1".to_owned(),
        8 => "const a = 1; const a = 2;".to_owned(),
        9 => (0..length % 300)
            .map(|_| dice.one(&["(", ")", "{", "}", ";", "=>", "`", "/*", "'", "\\", "\n", "a", "0", "\u{202e}", "\0"]))
            .collect(),
        10 => "return payload".to_owned(),
        _ => "throw new Error('x')".to_owned(),
    }
}

/// What only this module writes: columns with SQL expressions.
fn row(dice: &mut Dice, n: usize) -> BTreeMap<&'static str, String> {
    const EVENTS: &[&str] = &[
        "other.items.create",
        "other.items.create",
        "other.items.create",
        "items.nosuch",
        "",
        ".",
        "..items.create",
        "*.items.create",
        "other.items.create\0",
        "__proto__",
        "constructor.items.create",
        "GET /x",
        "GET x",
        "a.b.c.d",
        "xtr..",
        "jobs.",
        "\u{202e}.items.create",
    ];
    let quoted = |value: &str| text(value.as_bytes());
    let mut columns = BTreeMap::from([
        ("id", format!("'{:08x}-0000-4000-8000-000000000000'", n + 1)),
        ("name", quoted(&format!("row {n}"))),
        ("event", quoted(dice.one(EVENTS))),
        ("type", quoted(dice.one(&["filter", "filter", "filter", "action", "route", "cron", "FILTER", "", "\0"]))),
        ("code", quoted(&code(dice, n))),
        ("status", quoted(dice.one(&["active", "active", "active", "inactive", "error", "ACTIVE", ""]))),
        ("sort", "0".to_owned()),
        ("timeout_ms", "1000".to_owned()),
        ("memory_limit_mb", "16".to_owned()),
        ("created_at", "'2026-01-01T00:00:00.000Z'".to_owned()),
    ]);
    let odd_numbers = ["0", "-1", "2147483648", "4611686018427387904", "-9223372036854775808"];
    for _ in 0..dice.below(4) {
        let column = dice.one(&[
            "sort",
            "timeout_ms",
            "memory_limit_mb",
            "execution_count",
            "failure_mode",
            "delivery",
            "state",
            "description",
            "last_error",
        ]);
        let value = match column {
            "sort" | "timeout_ms" | "memory_limit_mb" | "execution_count" => dice.one(&odd_numbers).to_owned(),
            _ => quoted(dice.one(&["", "\0", "x", "null", "{\"a\":1}", "\u{202e}"])),
        };
        columns.insert(column, value);
    }
    columns
}

/// A value of a kind that its column doesn't have, which SQLite keeps as it is.
fn wrong(dice: &mut Dice, columns: &mut BTreeMap<&'static str, String>) {
    for _ in 0..1 + dice.below(3) {
        let column = dice.one(&[
            "event",
            "type",
            "code",
            "status",
            "sort",
            "timeout_ms",
            "memory_limit_mb",
            "execution_count",
            "avg_execution_time_ms",
            "failure_mode",
            "delivery",
            "state",
            "capabilities",
            "description",
            "last_error",
            "last_error_at",
            "last_executed_at",
            "created_at",
            "updated_at",
        ]);
        let value =
            dice.one(&["''", "'x'", "X'ff00fe'", "X''", "1.5", "1e308", "9e999", "-1", "CAST(X'ff' AS TEXT)", "'[]'", "'NaN'", "'{'"]);
        columns.insert(column, value.to_owned());
    }
}

fn insert(columns: &BTreeMap<&'static str, String>) -> String {
    let names: Vec<_> = columns.keys().copied().collect();
    let values: Vec<_> = columns.values().map(String::as_str).collect();
    format!("INSERT INTO daas_extensions ({}) VALUES ({});\n", names.join(", "), values.join(", "))
}

/// Three filters that honest people saved, among which the rows are put.
async fn healthy(app: &mut TestApp) {
    app.allow_errors();
    articles(app).await;
    collection(app, "other", &[("n", "integer")]).await;
    for n in 0..3 {
        let code = format!("return {{ ...payload, slug: (payload.slug ?? '') + '{n}' }};");
        extension(app, json!({ "name": format!("healthy {n}"), "sort": n, "event": "articles.items.create", "code": code })).await;
    }
    assert!(app.stop().await.success());
}

/// Starts it on what was written; gives all rows as the API shows them.
async fn start(app: &mut TestApp) -> Vec<Value> {
    let begun = Instant::now();
    app.launch().await;
    let took = begun.elapsed();
    assert!(took < START + SLACK, "the start took {took:?}");
    for _ in 0..3 {
        assert_eq!(create(app, "articles", json!({})).await["slug"], "012");
    }
    let mut shown = Vec::new();
    for page in 1.. {
        let rows = app.get(&format!("/api/extensions?limit=1000&page={page}&sort=id")).await.expect(200).data();
        let rows = rows.as_array().unwrap();
        if rows.is_empty() {
            break;
        }
        shown.extend(rows.iter().cloned());
    }
    shown
}

/// Waits until a row is told to be in trouble: by its status with a last error, or by what `live` says of the status that it claims.
async fn is_in_trouble(app: &TestApp, name: &str) {
    eventually("its row says why it can't run", Duration::from_secs(30), async || {
        let filter = json!({ "name": { "_eq": name } }).to_string();
        let rows = app.query("/api/extensions", &[("filter", &filter)]).await.expect(200).data();
        let told = [&rows[0]["live"]["reason"], &rows[0]["last_error"]].iter().any(|why| why.as_str().is_some_and(|why| !why.is_empty()));
        if told && (rows[0]["status"] == "error" || rows[0]["live"]["state"] != "active") { Ok(()) } else { Err(rows.to_string()) }
    })
    .await;
}

/// SQLite keeps in a column what it is given.
#[test]
fn ten_thousand_rows_of_nonsense_keep_nobody_from_starting() {
    run(Database::Sqlite, &[], true, async |app| {
        healthy(app).await;
        let mut dice = Dice(12);
        let mut sql = "BEGIN;\n".to_owned();
        for n in 0..ROWS {
            sql.push_str(&insert(&row(&mut dice, n)));
        }
        let mut broken = row(&mut dice, ROWS);
        for (column, value) in [("name", "'broken'"), ("event", "'articles.items.update'"), ("type", "'filter'"), ("status", "'active'")] {
            broken.insert(column, value.to_owned());
        }
        for (column, value) in [("code", "'return {'"), ("timeout_ms", "1000"), ("memory_limit_mb", "16"), ("failure_mode", "'closed'")] {
            broken.insert(column, value.to_owned());
        }
        for column in ["delivery", "state", "sort"] {
            broken.remove(column);
        }
        sql.push_str(&insert(&broken));
        sql.push_str("COMMIT;");
        app.sql(&sql).await;
        let shown = start(app).await;
        assert_eq!(shown.len(), ROWS + 4);
        for row in &shown {
            let unreadable = row["live"]["state"] == "unreadable";
            assert!(!unreadable || row["live"]["reason"].as_str().is_some_and(|why| !why.is_empty()), "{row}");
            let is_sane = matches!(row["status"].as_str(), Some("active" | "inactive" | "error"))
                && matches!(row["type"].as_str(), Some("filter" | "action" | "route"));
            assert!(is_sane || unreadable, "{row}");
        }
        // What guards this is broken in one way or another, so it is closed, and who closes it is told to be in trouble.
        let closed = app.post("/api/items/other", json!({ "n": 1 })).await.expect_error(503, "EXTENSION_UNAVAILABLE").message();
        let name = closed.split('`').nth(1).unwrap_or_else(|| panic!("it names no extension: {closed}"));
        is_in_trouble(app, name).await;
        // Code that doesn't compile is found without anybody needing it.
        is_in_trouble(app, "broken").await;
        app.patch("/api/items/articles/1", json!({ "title": "x" })).await.expect_error(503, "EXTENSION_UNAVAILABLE");
        // And new ones can be made.
        let id = filter(app, "articles.items.create", "return { ...payload, title: 'new' };").await;
        assert_eq!(create(app, "articles", json!({})).await["title"], "new");
        app.delete(&format!("/api/extensions/{id}")).await.expect(204);
    });
}

/// A value that can't be read makes its own row unreadable, not the table.
#[test]
fn values_of_the_wrong_kind_keep_nobody_from_starting() {
    run(Database::Sqlite, &[], true, async |app| {
        healthy(app).await;
        let mut dice = Dice(21);
        let mut sql = "BEGIN;\n".to_owned();
        for n in 0..1_000 {
            let mut columns = row(&mut dice, n);
            wrong(&mut dice, &mut columns);
            sql.push_str(&insert(&columns));
        }
        sql.push_str("COMMIT;");
        app.sql(&sql).await;
        let shown = start(app).await;
        assert!(shown.iter().filter(|row| row["name"].as_str().is_some_and(|name| name.starts_with("healthy"))).count() == 3);
    });
}

//! Every type, in and out: one table, which both databases must follow to the byte.

use serde_json::{Value, json};

use crate::support::*;

const TYPES: [(&str, &str); 15] = [
    ("string", "string"),
    ("text", "text"),
    ("integer", "integer"),
    ("big", "bigInteger"),
    ("float", "float"),
    ("decimal", "decimal(10,2)"),
    ("boolean", "boolean"),
    ("uuid", "uuid"),
    ("date_time", "dateTime"),
    ("timestamp", "timestamp"),
    ("date", "date"),
    ("time", "time"),
    ("json", "json"),
    ("csv", "csv"),
    ("binary", "binary"),
];

/// Field, what is sent, what every answer shows from then on.
fn accepted() -> Vec<(&'static str, Value, Value)> {
    let same = |field, value: Value| (field, value.clone(), value);
    let long = "ä".repeat(200);
    let text = "x".repeat(100_000);
    vec![
        same("string", json!("")),
        same("string", json!("Grüße 日本 🦀 \" ' \\ \n\t\u{1}\u{7f} </script> %_")),
        same("string", json!(" a ")),
        same("string", json!(long)),
        same("string", json!("NULL")),
        same("string", json!("'; DROP TABLE every; --")),
        same("text", json!(text)),
        same("text", json!("e\u{301} is not é")),
        same("integer", json!(0)),
        same("integer", json!(-2147483648)),
        same("integer", json!(2147483647)),
        ("integer", json!("12"), json!(12)),
        same("big", json!(9007199254740991_i64)),
        same("big", json!(-9007199254740991_i64)),
        ("big", json!(9007199254740992_i64), json!("9007199254740992")),
        ("big", json!("9223372036854775807"), json!("9223372036854775807")),
        ("big", json!(-9223372036854775808_i64), json!("-9223372036854775808")),
        ("big", json!("42"), json!(42)),
        same("float", json!(1.5)),
        same("float", json!(0.1)),
        same("float", json!(-1e-7)),
        same("float", json!(1.7976931348623157e308)),
        same("float", json!(5e-324)),
        ("float", json!("2.25"), json!(2.25)),
        ("decimal", json!("10"), json!("10.00")),
        ("decimal", json!(10), json!("10.00")),
        ("decimal", json!(1.1), json!("1.10")),
        ("decimal", json!("-0.01"), json!("-0.01")),
        same("decimal", json!("99999999.99")),
        ("decimal", json!("0"), json!("0.00")),
        same("boolean", json!(true)),
        same("boolean", json!(false)),
        same("uuid", json!("0190f3c4-8b7a-7c3e-9d2f-1a2b3c4d5e6f")),
        ("uuid", json!("0190F3C4-8B7A-7C3E-9D2F-1A2B3C4D5E6F"), json!("0190f3c4-8b7a-7c3e-9d2f-1a2b3c4d5e6f")),
        same("date_time", json!("2026-01-02T03:04:05")),
        ("date_time", json!("2026-01-02 03:04:05"), json!("2026-01-02T03:04:05")),
        same("date_time", json!("2026-01-02T03:04:05.120")),
        ("date_time", json!("2026-01-02T03:04:05.123999"), json!("2026-01-02T03:04:05.123")),
        ("date_time", json!("2026-01-02"), json!("2026-01-02T00:00:00")),
        ("date_time", json!("2026-01-02T03:04:05+02:00"), json!("2026-01-02T01:04:05")),
        same("date_time", json!("0001-01-01T00:00:00")),
        same("date_time", json!("9999-12-31T23:59:59.999")),
        ("timestamp", json!("2026-01-02T03:04:05Z"), json!("2026-01-02T03:04:05.000Z")),
        ("timestamp", json!("2026-01-02T03:04:05"), json!("2026-01-02T03:04:05.000Z")),
        ("timestamp", json!("2026-07-02T03:04:05.5+05:30"), json!("2026-07-01T21:34:05.500Z")),
        ("timestamp", json!("1969-12-31T23:59:59.999Z"), json!("1969-12-31T23:59:59.999Z")),
        same("json", json!({ "b": 1, "a": [1, 2.5, "x", null, true, {}], "": { "__proto__": 1, "constructor": 2 } })),
        same("date", json!("2026-01-31")),
        ("date", json!("2026-01-31T23:30:00-02:00"), json!("2026-02-01")),
        same("date", json!("0001-01-01")),
        same("date", json!("9999-12-31")),
        same("time", json!("23:59:59")),
        same("time", json!("00:00:00.007")),
        ("time", json!("12:30"), json!("12:30:00")),
        ("time", json!("12:30:01.5009"), json!("12:30:01.500")),
        same("csv", json!([])),
        same("csv", json!(["a", "", "Grüße 🦀", "__proto__", "'; DROP TABLE every; --"])),
        ("csv", json!("a,b"), json!(["a", "b"])),
        same("binary", json!("AAECgP8=")),
        same("binary", json!("")),
        same("json", json!([])),
        same("json", json!("text")),
        same("json", json!(12345678901234567_i64)),
        same("json", json!("Grüße 🦀 \u{2028}")),
    ]
}

/// Field and what no database may take.
fn refused() -> Vec<(&'static str, Value)> {
    vec![
        ("string", json!(1)),
        ("string", json!(true)),
        ("string", json!({})),
        ("string", json!(["a"])),
        ("string", json!("a\u{0}b")),
        ("text", json!("\u{0}")),
        ("integer", json!(1.5)),
        ("integer", json!(2147483648_i64)),
        ("integer", json!(-2147483649_i64)),
        ("integer", json!("twelve")),
        ("integer", json!("")),
        ("integer", json!(true)),
        ("integer", json!([1])),
        ("big", json!("9223372036854775808")),
        ("big", json!(1e30)),
        ("big", json!(0.5)),
        ("float", json!("x")),
        ("float", json!("NaN")),
        ("float", json!("Infinity")),
        ("float", json!({})),
        ("decimal", json!("1.005")),
        ("decimal", json!("100000000.00")),
        ("decimal", json!("1e400")),
        ("decimal", json!("ten")),
        ("decimal", json!("NaN")),
        ("boolean", json!("yes")),
        ("boolean", json!(2)),
        ("uuid", json!("0190f3c4")),
        ("uuid", json!("0190f3c4-8b7a-7c3e-9d2f-1a2b3c4d5e6g")),
        ("uuid", json!(1)),
        ("date_time", json!("2026-02-30")),
        ("date_time", json!("yesterday")),
        ("date_time", json!("10000-01-01T00:00:00")),
        ("date_time", json!(0)),
        ("timestamp", json!("2026-13-01T00:00:00Z")),
        ("timestamp", json!("2026-01-01T25:00:00Z")),
        ("timestamp", json!("0000-01-01T00:00:00Z")),
        ("timestamp", json!({})),
        ("date", json!("2026-02-30")),
        ("date", json!("31.1.2026")),
        ("date", json!(20260131)),
        ("time", json!("24:00:00")),
        ("time", json!("12")),
        ("time", json!("12:30:61")),
        ("time", json!("2026-01-31")),
        ("csv", json!(["a,b"])),
        ("csv", json!([1])),
        ("csv", json!([""])),
        ("csv", json!({})),
        ("csv", json!(["a\u{0}"])),
        ("binary", json!("not base64")),
        ("binary", json!([1, 2])),
        ("json", json!({ "a": "b\u{0}" })),
        ("json", json!({ "a\u{0}": 1 })),
    ]
}

both!(every_value_comes_back_as_the_table_says, async |app| {
    collection(app, "every", &TYPES).await;
    let mut wrong = Vec::new();
    for (field, sent, expected) in accepted() {
        let answer = app.post("/api/items/every", json!({ field: sent })).await;
        if answer.status != 201 {
            wrong.push(format!("{field} {}: {}", short(&sent), answer.body));
            continue;
        }
        let made = answer.data();
        let path = format!("/api/items/every/{}?fields={field}", made["id"]);
        let read = app.get(&path).await.expect(200).body;
        let (shown, wanted) = (made[field].to_string(), expected.to_string());
        let whole = json!({ "data": { field: expected } }).to_string();
        if shown != wanted || read != whole {
            wrong.push(format!("{field} {}: created as {}, read as {}", short(&sent), short(&made[field]), short(&json!(read))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

both!(a_value_that_does_not_fit_is_refused_by_name, async |app| {
    collection(app, "every", &TYPES).await;
    create(app, "every", json!({})).await;
    let mut wrong = Vec::new();
    for (field, sent) in refused() {
        for answer in
            [app.post("/api/items/every", json!({ field: sent })).await, app.patch("/api/items/every/1", json!({ field: sent })).await]
        {
            let fits = answer.status == 400
                && matches!(answer.code().as_str(), "INVALID_PAYLOAD" | "FAILED_VALIDATION")
                && answer.field() == field;
            if !fits {
                wrong.push(format!("{field} {}: {} {}", short(&sent), answer.status, answer.body));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(count(app, "every").await, 1);
});

both!(null_is_null_in_every_type, async |app| {
    collection(app, "every", &TYPES).await;
    let nulls: Value = TYPES.iter().map(|(name, _)| ((*name).to_owned(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    let made = create(app, "every", nulls).await;
    assert!(TYPES.iter().all(|(name, _)| made[name].is_null()), "{made}");
});

both!(the_newer_types_are_found_sorted_and_converted, async |app| {
    collection(app, "every", &TYPES).await;
    create(app, "every", json!({ "date": "2026-03-01", "time": "09:00:00", "csv": ["red", "green"], "binary": "AAE=" })).await;
    create(app, "every", json!({ "date": "2025-12-31", "time": "18:30:00.250", "csv": [] })).await;
    let found = async |filter: &str| {
        let rows = app.query("/api/items/every", &[("filter", filter), ("fields", "id"), ("sort", "-date")]).await.expect(200).data();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(found(r#"{"date":{"_gt":"2025-01-01"}}"#).await, [1, 2]);
    assert_eq!(found(r#"{"date":{"_in":["2025-12-31","2020-01-01"]}}"#).await, [2]);
    assert_eq!(found(r#"{"time":{"_between":["18:00","19:00"]}}"#).await, [2]);
    assert_eq!(found(r#"{"time":{"_in":["09:00"]}}"#).await, [1]);
    assert_eq!(found(r#"{"csv":{"_contains":"green"}}"#).await, [1]);
    assert_eq!(found(r#"{"csv":{"_empty":true}}"#).await, [2]);
    assert_eq!(found(r#"{"binary":{"_eq":"AAE="}}"#).await, [1]);
    assert_eq!(found(r#"{"binary":{"_null":true}}"#).await, [2]);
    app.query("/api/items/every", &[("filter", r#"{"binary":{"_gt":"AAE="}}"#)]).await.expect_error(400, "INVALID_QUERY");
    app.patch("/api/fields/every/csv", json!({ "type": "text" })).await.expect(200);
    assert_eq!(column(app, "every", "csv").await, [json!("red,green"), json!("")]);
    app.patch("/api/fields/every/csv", json!({ "type": "csv" })).await.expect(200);
    assert_eq!(column(app, "every", "csv").await, [json!(["red", "green"]), json!([])]);
    app.patch("/api/fields/every/date", json!({ "type": "timestamp" })).await.expect(200);
    assert_eq!(column(app, "every", "date").await, [json!("2026-03-01T00:00:00.000Z"), json!("2025-12-31T00:00:00.000Z")]);
    app.patch("/api/fields/every/time", json!({ "schema": { "default_value": "07:00" } })).await.expect(200);
    assert_eq!(create(app, "every", json!({})).await["time"], "07:00:00");
    for (name, spec) in [("a", "text special=cast-json"), ("b", "integer special=date-created"), ("c", "string special=cast-csv")] {
        app.post("/api/fields/every", field(name, spec)).await.expect_error(400, "INVALID_PAYLOAD");
    }
});

both!(a_hash_is_kept_and_never_shown, async |app| {
    collection(app, "locks", &[("secret", "hash"), ("name", "string")]).await;
    let made = create(app, "locks", json!({ "secret": "open sesame", "name": "door" })).await;
    assert_eq!(made["secret"], "**********");
    let stored = app.text("SELECT secret FROM locks").await;
    assert!(stored.starts_with("$argon2id$") && !stored.contains("sesame"), "{stored}");
    app.query("/api/items/locks", &[("filter", r#"{"secret":{"_starts_with":"$argon"}}"#)]).await.expect_error(403, "FORBIDDEN");
});

both!(float_and_json_keep_whole_numbers_alike, async |app| {
    collection(app, "every", &TYPES).await;
    let made = create(app, "every", json!({ "float": 3, "json": { "n": 1.0 } })).await;
    assert_eq!(made["float"].as_f64(), Some(3.0));
    let read = app.get("/api/items/every/1?fields=float,json").await.expect(200).body;
    let made = create(app, "every", json!({ "float": 3.0, "json": { "n": 1.0 } })).await;
    assert_eq!(app.get(&format!("/api/items/every/{}?fields=float,json", made["id"])).await.expect(200).body, read);
});

both!(values_cross_to_javascript_and_back_unharmed, async |app| {
    collection(app, "every", &TYPES).await;
    filter(app, "every.items.create", "return { ...payload };").await;
    let mut wrong = Vec::new();
    for (field, sent, expected) in accepted() {
        let answer = app.post("/api/items/every", json!({ field: sent })).await;
        // A number beyond 2^53 in the caller's own JSON becomes what a JavaScript number can hold, as in every JavaScript host.
        let beyond = matches!((field, &sent), ("big" | "json", Value::Number(n)) if n.as_i64().is_some_and(|n| n.unsigned_abs() > 1 << 53));
        if !beyond && (answer.status != 201 || answer.data()[field] != expected) {
            wrong.push(format!("{field} {}: {} {}", short(&sent), answer.status, short(&json!(answer.body))));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
});

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}

//! One table of cases: every operator finds the same rows on both databases.

use serde_json::json;

use super::*;

fn text(text: &str, place: TextPlace, fold: bool, negate: bool) -> Op {
    Op::Text(TextMatch { text: text.to_owned(), place, fold, negate })
}

/// Eight items; the last has nothing but its key.
async fn items(db: &Db) -> Arc<Collection> {
    let fields = vec![
        Field::new("id", FieldType::Integer),
        Field::new("name", FieldType::String),
        Field::new("n", FieldType::Integer),
        Field::new("big", FieldType::BigInteger),
        Field::new("price", FieldType::Decimal { precision: 12, scale: 2 }),
        Field::new("f", FieldType::Float),
        Field::new("ok", FieldType::Boolean),
        Field::new("ref", FieldType::Uuid),
        Field::new("at", FieldType::Timestamp),
        Field::new("data", FieldType::Json),
    ];
    let c = make(db, "items", fields).await;
    let uuid = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    for item in [
        json!({"name": "Apple", "n": 1, "big": "9007199254740993", "price": "1.10", "f": 1.5, "ok": true, "ref": uuid, "at": "2026-01-01", "data": {"a": 1}}),
        json!({"name": "apple pie", "n": 2, "big": 2, "price": "10.00", "f": 2, "ok": false, "at": "2026-06-01T12:00:00Z", "data": []}),
        json!({"name": "Äpfel ẞ", "n": 3, "price": "2.00", "data": {}}),
        json!({"name": "100%_sure", "n": -1, "price": "-5.25", "data": ""}),
        json!({"name": "", "n": 5}),
        json!({"name": "zebra\nline", "n": 5, "ok": true}),
        json!({"name": "Zoo [*] $", "n": 7}),
        json!({}),
    ] {
        insert(db, &c, item).await.unwrap();
    }
    c
}

#[tokio::test]
async fn every_operator_finds_the_same_rows_on_both_databases() {
    use TextPlace::{Anywhere, End, Start};
    let uuid = json!("6F9619FF-8B86-D011-B42D-00CF4FC964FF");
    let cases: Vec<(&str, Op, &[i64])> = vec![
        ("n", Op::Eq(json!(5)), &[5, 6]),
        ("n", Op::Eq(json!("5")), &[5, 6]),
        ("n", Op::Eq(Value::Null), &[8]),
        ("n", Op::Neq(json!(5)), &[1, 2, 3, 4, 7, 8]),
        ("n", Op::Neq(Value::Null), &[1, 2, 3, 4, 5, 6, 7]),
        ("n", Op::Lt(json!(2)), &[1, 4]),
        ("n", Op::Lte(json!(2)), &[1, 2, 4]),
        ("n", Op::Gt(json!(5)), &[7]),
        ("n", Op::Gte(json!(5)), &[5, 6, 7]),
        ("n", Op::In(vec![json!(1), json!(7), json!(99)]), &[1, 7]),
        ("n", Op::In(vec![json!(1), Value::Null]), &[1, 8]),
        ("n", Op::In(vec![]), &[]),
        ("n", Op::Nin(vec![]), &[1, 2, 3, 4, 5, 6, 7, 8]),
        ("n", Op::Nin(vec![json!(5)]), &[1, 2, 3, 4, 7, 8]),
        ("n", Op::Nin(vec![json!(5), Value::Null]), &[1, 2, 3, 4, 7]),
        ("n", Op::Between(json!(2), json!(5)), &[2, 3, 5, 6]),
        ("n", Op::NotBetween(json!(2), json!(5)), &[1, 4, 7, 8]),
        ("n", Op::Null, &[8]),
        ("n", Op::NotNull, &[1, 2, 3, 4, 5, 6, 7]),
        ("n", Op::Empty, &[8]),
        ("n", Op::NotEmpty, &[1, 2, 3, 4, 5, 6, 7]),
        ("big", Op::Eq(json!("9007199254740993")), &[1]),
        ("big", Op::In(vec![json!("9007199254740993"), json!(2)]), &[1, 2]),
        ("price", Op::Gt(json!("2")), &[2]),
        ("price", Op::Lt(json!(0)), &[4]),
        ("price", Op::In(vec![json!("1.1"), json!(10)]), &[1, 2]),
        ("f", Op::In(vec![json!(1.5), json!(2)]), &[1, 2]),
        ("ok", Op::Eq(json!(true)), &[1, 6]),
        ("ok", Op::Neq(json!(true)), &[2, 3, 4, 5, 7, 8]),
        ("ok", Op::In(vec![json!(false)]), &[2]),
        ("ref", Op::Eq(uuid.clone()), &[1]),
        ("ref", Op::In(vec![uuid.clone()]), &[1]),
        ("ref", Op::Neq(uuid.clone()), &[2, 3, 4, 5, 6, 7, 8]),
        ("at", Op::Lt(json!("2026-06-01T14:00:00+02:00")), &[1]),
        ("at", Op::Lte(json!("2026-06-01T14:00:00+02:00")), &[1, 2]),
        ("at", Op::In(vec![json!("2026-01-01T00:00:00Z")]), &[1]),
        ("name", Op::Eq(json!("Apple")), &[1]),
        ("name", Op::Gt(json!("Zoo")), &[2, 3, 6, 7]),
        ("name", Op::In(vec![json!("Apple"), json!("")]), &[1, 5]),
        ("name", Op::Empty, &[5, 8]),
        ("name", Op::NotEmpty, &[1, 2, 3, 4, 6, 7]),
        ("name", text("pp", Anywhere, false, false), &[1, 2]),
        ("name", text("APP", Anywhere, false, false), &[]),
        ("name", text("APP", Anywhere, true, false), &[1, 2]),
        ("name", text("äP", Anywhere, true, false), &[3]),
        ("name", text("ß", End, true, false), &[3]),
        ("name", text("pp", Anywhere, false, true), &[3, 4, 5, 6, 7, 8]),
        ("name", text("APP", Anywhere, true, true), &[3, 4, 5, 6, 7, 8]),
        ("name", text("%_", Anywhere, false, false), &[4]),
        ("name", text("a_p", Anywhere, false, false), &[]),
        ("name", text("App", Start, false, false), &[1]),
        ("name", text("aPP", Start, true, false), &[1, 2]),
        ("name", text("App", Start, false, true), &[2, 3, 4, 5, 6, 7, 8]),
        ("name", text("ie", End, false, false), &[2]),
        ("name", text("IE", End, true, true), &[1, 3, 4, 5, 6, 7, 8]),
        ("name", text("a very long needle indeed", End, false, false), &[]),
        ("name", text("", Start, false, false), &[1, 2, 3, 4, 5, 6, 7]),
        ("name", text("", Anywhere, true, true), &[8]),
        ("name", Op::Regex("^[Aa]pple".to_owned()), &[1, 2]),
        ("name", Op::Regex("zebra.line$".to_owned()), &[6]),
        ("name", Op::Regex(r"\[\*\] \$".to_owned()), &[7]),
        ("name", Op::Regex(r"^\d{3}%".to_owned()), &[4]),
        ("name", Op::Regex(r"^[^a-zA-Z0-9]".to_owned()), &[3]),
        ("name", Op::Regex(r"^\W".to_owned()), &[3]),
        ("name", Op::Regex("(e|x)$|^$".to_owned()), &[1, 2, 4, 5, 6]),
        ("name", Op::Regex(String::new()), &[1, 2, 3, 4, 5, 6, 7]),
        ("name", Op::Regex("pl*e( pie)?$|o{2}".to_owned()), &[1, 2, 7]),
        ("name", Op::Regex("[Ā-￿ẞ]".to_owned()), &[3]),
        ("data", Op::Null, &[5, 6, 7, 8]),
        ("data", Op::Empty, &[2, 3, 4, 5, 6, 7, 8]),
        ("data", Op::NotEmpty, &[1]),
    ];
    for db in databases().await {
        let c = items(&db).await;
        for (field, op, expected) in &cases {
            let query = Query { filter: Some(Filter::field(*field, op.clone())), ..Query::default() };
            let found = rows(&db, &c, &["id"], &query).await.unwrap_or_else(|e| panic!("{field} {op:?}: {e}"));
            let found: Vec<i64> = found.iter().filter_map(|r| r[0].as_i64()).collect();
            assert_eq!(&found, expected, "{field} {op:?} on {:?}", db.dialect());
            // What a filter doesn't find, its negation does.
            let query = Query { filter: Some(Filter::Not(Box::new(Filter::field(*field, op.clone())))), ..Query::default() };
            let others = rows(&db, &c, &["id"], &query).await.unwrap().len();
            assert_eq!(others + expected.len(), 8, "not {field} {op:?} on {:?}", db.dialect());
        }
    }
}

#[tokio::test]
async fn filters_combine_and_searches_look_everywhere() {
    let n = |op| Filter::field("n", op);
    let cases: Vec<(Query, &[i64])> = vec![
        (Query { filter: Some(Filter::And(vec![])), ..Query::default() }, &[1, 2, 3, 4, 5, 6, 7, 8]),
        (Query { filter: Some(Filter::Or(vec![])), ..Query::default() }, &[]),
        (Query { filter: Some(Filter::Const(false)), ..Query::default() }, &[]),
        (
            Query {
                filter: Some(Filter::And(vec![
                    Filter::Or(vec![n(Op::Eq(json!(1))), n(Op::Gt(json!(4)))]),
                    Filter::Not(Box::new(n(Op::Eq(json!(7))))),
                ])),
                ..Query::default()
            },
            &[1, 5, 6],
        ),
        (Query { filter: Some(Filter::Or((0..400).map(|i| n(Op::Eq(json!(i)))).collect())), ..Query::default() }, &[1, 2, 3, 5, 6, 7]),
        (Query { search: Some("APPLE".to_owned()), ..Query::default() }, &[1, 2]),
        (Query { search: Some("5".to_owned()), ..Query::default() }, &[5, 6]),
        (Query { search: Some("6F9619FF-8B86-D011-B42D-00CF4FC964FF".to_owned()), ..Query::default() }, &[1]),
        (Query { search: Some("nowhere".to_owned()), ..Query::default() }, &[]),
        (
            Query { sort: vec![Sort::up("name")], ..Query::default() },
            // NULL, then by code point: "" < "100" < "A" < "Z" < "a" < "z" < "Ä".
            &[8, 5, 4, 1, 7, 2, 6, 3],
        ),
        (Query { sort: vec![Sort::down("n")], ..Query::default() }, &[7, 5, 6, 3, 2, 1, 4, 8]),
        (Query { limit: Some(2), offset: 3, ..Query::default() }, &[4, 5]),
        (Query { offset: 6, ..Query::default() }, &[7, 8]),
        (Query { limit: Some(0), ..Query::default() }, &[]),
    ];
    for db in databases().await {
        let c = items(&db).await;
        for (query, expected) in &cases {
            let found = rows(&db, &c, &["id"], query).await.unwrap_or_else(|e| panic!("{query:?}: {e}"));
            let found: Vec<i64> = found.iter().filter_map(|r| r[0].as_i64()).collect();
            assert_eq!(&found, expected, "{query:?} on {:?}", db.dialect());
        }
    }
}

#[tokio::test]
async fn a_hundred_thousand_elements_are_one_parameter() {
    for db in databases().await {
        let c = items(&db).await;
        let many = (3..100_003).map(Value::from).collect();
        let query = Query { filter: Some(Filter::field("id", Op::In(many))), ..Query::default() };
        assert_eq!(rows(&db, &c, &["id"], &query).await.unwrap().len(), 6);
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_a_400_with_a_reason() {
    let cases = [
        ("nmae", Op::Null, "There is no field `nmae` in `items`; did you mean `name`?"),
        ("n", Op::Eq(json!("x")), "`_eq` of `n` must be a whole number between -2147483648 and 2147483647, got: \"x\""),
        ("n", Op::Lt(Value::Null), "`_lt` of `n` needs a value"),
        ("n", text("1", TextPlace::Start, true, false), "`_istarts_with` of `n` isn't possible: its type is integer, not string or text"),
        ("ref", Op::Gt(json!("6f9619ff-8b86-d011-b42d-00cf4fc964ff")), "`_gt` of `ref` isn't possible: uuids have no order"),
        (
            "data",
            Op::Eq(json!(1)),
            "`_eq` of `data` isn't possible: a json field can only be tested with _null, _nnull, _empty and _nempty",
        ),
        (
            "name",
            Op::Regex(r"\bx".to_owned()),
            "`_regex` of `name` can't use an assertion other than ^ and $: only what Rust and Postgres understand alike",
        ),
    ];
    for db in databases().await {
        let c = items(&db).await;
        for (field, op, message) in &cases {
            let query = Query { filter: Some(Filter::field(*field, op.clone())), ..Query::default() };
            let error = rows(&db, &c, &["id"], &query).await.unwrap_err();
            assert_eq!((error.code(), error.message()), (ErrorCode::InvalidQuery, *message));
        }
        let wide = Filter::Or((0..900).map(|_| Filter::Const(true)).collect());
        let query = Query { filter: Some(wide), ..Query::default() };
        assert_eq!(rows(&db, &c, &["id"], &query).await.unwrap_err().code(), ErrorCode::InvalidQuery);
    }
}

#[tokio::test]
async fn changes_reach_the_rows_they_name_as_far_as_the_rule_goes() {
    for db in databases().await {
        let c = items(&db).await;
        let d = db.dialect();
        let rule = Filter::field("n", Op::Gt(json!(1)));
        let keys = [json!(1), json!(2), json!("3")];
        let statement =
            sql::update_by_keys(d, &c, &keys, Some(&rule), &row(json!({"name": "new", "data": {"z": 1, "a": 2}})), &["id", "name", "data"])
                .unwrap();
        let run = |statement: Sql, types: Vec<FieldType>| {
            let db = db.db.clone();
            async move {
                db.write(move |conn| {
                    let (statement, types) = (statement.clone(), types.clone());
                    Box::pin(async move { conn.select(&statement, &types).await })
                })
                .await
                .unwrap()
            }
        };
        let mut changed = run(statement, vec![FieldType::Integer, FieldType::String, FieldType::Json]).await;
        changed.sort_by_key(|r| r[0].as_i64());
        assert_eq!(json!(changed).to_string(), r#"[[2,"new",{"z":1,"a":2}],[3,"new",{"z":1,"a":2}]]"#);
        let statement = sql::update_by_keys(d, &c, &[json!(4)], None, &Map::new(), &["id"]).unwrap();
        assert_eq!(run(statement, vec![FieldType::Integer]).await, [[json!(4)]]);
        let statement = sql::delete_by_keys(d, &c, &keys, Some(&rule), &["id"]).unwrap();
        assert_eq!(run(statement, vec![FieldType::Integer]).await.len(), 2);
        assert_eq!(total(&db, &c).await, json!(6));
        assert_eq!(sql::delete_by_keys(d, &c, &[json!("x")], None, &[]).unwrap_err().code(), ErrorCode::InvalidId);
    }
}

#[tokio::test]
async fn both_databases_fold_every_letter_as_we_do() {
    let all: String = ('\u{1}'..=char::MAX).filter(|c| fold(&c.to_string()) != c.to_string() || *c < '\u{250}').collect();
    for db in databases().await {
        for sample in [all.as_str(), "ASCII Only_09", ""] {
            let text = if db.dialect() == Dialect::Sqlite { "SELECT trellis_fold(?)" } else { "SELECT trellis_fold($1)" };
            let statement = Sql::raw(text, vec![sample.into()]);
            let folded = db.read(move |conn| {
                let statement = statement.clone();
                Box::pin(async move { conn.select(&statement, &[FieldType::Text]).await })
            });
            assert_eq!(folded.await.unwrap(), [[json!(fold(sample))]]);
        }
    }
}

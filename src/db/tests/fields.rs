//! What goes into a field and what comes out, byte for byte the same on both.

use serde_json::json;

use super::*;

#[tokio::test]
async fn every_type_gives_back_the_same_json_on_both_databases() {
    let cases = [
        ("string", json!("Grüße, 🦀"), json!("Grüße, 🦀")),
        ("text", json!("a\nb"), json!("a\nb")),
        ("integer", json!("-7"), json!(-7)),
        ("bigInteger", json!(9_007_199_254_740_991_i64), json!(9_007_199_254_740_991_i64)),
        ("bigInteger", json!("9007199254740993"), json!("9007199254740993")),
        ("bigInteger", json!(i64::MIN), json!("-9223372036854775808")),
        ("float", json!(1.0), json!(1)),
        ("float", json!(-0.0), json!(0)),
        ("float", json!(0.1), json!(0.1)),
        ("float", json!(1e300), json!(1e300)),
        ("float", json!(5e-324), json!(5e-324)),
        ("decimal", json!("12.5"), json!("12.50000")),
        ("decimal", json!(-0.1), json!("-0.10000")),
        ("decimal", json!(0), json!("0.00000")),
        ("boolean", json!("true"), json!(true)),
        ("boolean", json!(false), json!(false)),
        ("uuid", json!("6F9619FF-8B86-D011-B42D-00CF4FC964FF"), json!("6f9619ff-8b86-d011-b42d-00cf4fc964ff")),
        ("dateTime", json!("2026-01-02 03:04:05"), json!("2026-01-02T03:04:05")),
        ("dateTime", json!("2026-01-02T03:04:05.1239+01:00"), json!("2026-01-02T02:04:05.123")),
        ("timestamp", json!("2026-01-02"), json!("2026-01-02T00:00:00.000Z")),
        ("timestamp", json!("0001-01-01T00:00:00Z"), json!("0001-01-01T00:00:00.000Z")),
        ("timestamp", json!("9999-12-31T23:59:59.999Z"), json!("9999-12-31T23:59:59.999Z")),
        ("json", json!({"b": [1, 2.5, "x"], "a": null}), json!({"b": [1, 2.5, "x"], "a": null})),
        ("json", json!("text"), json!("text")),
        ("json", json!(false), json!(false)),
    ];
    for db in databases().await {
        let fields = FieldType::NAMES.iter().map(|name| Field::new(format!("f_{name}"), FieldType::parse(name, None, None).unwrap()));
        let c = make(&db, "things", [Field::new("id", FieldType::Integer)].into_iter().chain(fields).collect()).await;
        for (ty, sent, answered) in &cases {
            let field = format!("f_{ty}");
            let id = insert(&db, &c, json!({ field.clone(): sent })).await.unwrap();
            let query = Query { filter: Some(Filter::field("id", Op::Eq(id))), ..Query::default() };
            let got = rows(&db, &c, &[&field], &query).await.unwrap();
            assert_eq!(got[0][0].to_string(), answered.to_string(), "{ty} {sent} on {:?}", db.dialect());
        }
        // NULL everywhere, named and left out.
        let nulls: Map<String, Value> = FieldType::NAMES.iter().map(|name| (format!("f_{name}"), Value::Null)).collect();
        for item in [Value::Object(nulls), json!({})] {
            let id = insert(&db, &c, item).await.unwrap();
            let query = Query { filter: Some(Filter::field("id", Op::Eq(id))), ..Query::default() };
            let names: Vec<&str> = c.fields.iter().skip(1).map(|f| f.name.as_str()).collect();
            let got = rows(&db, &c, &names, &query).await.unwrap();
            assert!(got[0].iter().all(Value::is_null));
        }
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_before_the_database_sees_it() {
    for db in databases().await {
        let mut short = Field::new("short", FieldType::String);
        short.max_length = Some(3);
        let c = make(&db, "things", vec![Field::new("id", FieldType::Integer), short, Field::new("n", FieldType::Integer)]).await;
        for (item, message) in [
            (json!({"short": "abcd"}), "`short` must have at most 3 characters, got: 4"),
            (json!({"n": 1.5}), "`n` must be a whole number between -2147483648 and 2147483647, got: 1.5"),
            (json!({"shrot": "a"}), "There is no field `shrot` in `things`; did you mean `short`?"),
        ] {
            let error = insert(&db, &c, item).await.unwrap_err();
            assert_eq!((error.code(), error.message()), (ErrorCode::InvalidPayload, message));
        }
        insert(&db, &c, json!({"short": "äöü"})).await.unwrap();
        assert_eq!(total(&db, &c).await, json!(1));
    }
}

#[tokio::test]
async fn constraints_are_told_by_their_meaning() {
    for db in databases().await {
        let mut slug = Field::new("slug", FieldType::String);
        slug.unique = true;
        let mut title = Field::new("title", FieldType::String);
        title.nullable = false;
        let c = make(&db, "articles", vec![Field::new("id", FieldType::Uuid), slug, title]).await;
        let id = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
        insert(&db, &c, json!({"id": id, "slug": "a", "title": "A"})).await.unwrap();
        let error = insert(&db, &c, json!({"id": uuid::Uuid::nil(), "slug": "a", "title": "A"})).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (ErrorCode::RecordNotUnique, "`slug` in `articles` must be unique"));
        assert_eq!(error.field(), Some("slug"));
        let error = insert(&db, &c, json!({"id": id, "slug": "b", "title": "A"})).await.unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::RecordNotUnique, Some("id")));
        let error = insert(&db, &c, json!({"id": uuid::Uuid::nil(), "slug": "b"})).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (ErrorCode::FailedValidation, "`title` in `articles` needs a value"));

        let schema = db.read(|conn| Box::pin(schema::load(conn))).await.unwrap();
        let roles = schema.collection("daas_user_roles").unwrap();
        let nobody = json!({"id": id, "user": id, "role": id});
        let error = insert(&db, roles, nobody).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidForeignKey);
        assert!(!error.message().to_lowercase().contains("constraint"), "{}", error.message());
    }
}

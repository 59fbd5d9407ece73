//! Making, changing and dropping collections; what the migrations made against what is declared.

use serde_json::json;

use super::*;

async fn ddl_job<F>(db: &Db, job: F) -> Result<()>
where
    F: JobFn<()>,
{
    db.write(job).await
}

/// Runs `ddl::alter_field` with the collection as it now is.
async fn alter(db: &Db, name: &str, field: Field) -> Result<()> {
    let c = reload(db, name).await;
    ddl_job(db, move |conn| {
        let (c, field) = (c.clone(), field.clone());
        Box::pin(async move { ddl::alter_field(conn, &c, &field).await })
    })
    .await
}

async fn add(db: &Db, name: &str, field: Field) -> Result<()> {
    let c = reload(db, name).await;
    ddl_job(db, move |conn| {
        let (c, field) = (c.clone(), field.clone());
        Box::pin(async move { ddl::add_field(conn, &c, &field).await })
    })
    .await
}

async fn column(db: &Db, name: &str, field: &str) -> Value {
    let c = reload(db, name).await;
    rows(db, &c, &[field], &Query::default()).await.unwrap().into_iter().map(|mut r| r.remove(0)).collect()
}

#[tokio::test]
async fn system_collections_are_as_the_migrations_made_them() {
    for db in databases().await {
        assert!(db.migrate(&Clock::system()).await.unwrap().is_empty(), "a second run finds nothing to do");
        let schema = db.read(|conn| Box::pin(schema::load(conn))).await.unwrap();
        let all = schema.collections().map(|c| (**c).clone()).chain([
            system::collections_table(),
            system::fields_table(),
            system::relations_table(),
            system::sessions_table(),
            system::deliveries_table(),
            system::delivery_meta_table(),
            system::extension_folders_table(),
            system::extension_runs_table(),
            system::extension_versions_table(),
            system::event_samples_table(),
            system::hosts_table(),
            system::changes_table(),
            system::settings_table(),
            system::mail_sent_table(),
        ]);
        for c in all {
            assert!(c.system);
            let text = match db.dialect() {
                Dialect::Sqlite => "SELECT name, \"notnull\" = 0 AND pk = 0, dflt_value IS NOT NULL FROM pragma_table_info(?) ORDER BY cid",
                Dialect::Postgres => {
                    "SELECT column_name::text, is_nullable = 'YES', column_default IS NOT NULL FROM information_schema.columns \
                     WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
                }
            };
            let statement = Sql::raw(text, vec![c.name.as_str().into()]);
            let stored = db
                .read(move |conn| {
                    let statement = statement.clone();
                    Box::pin(async move { conn.select(&statement, &[FieldType::Text, FieldType::Boolean, FieldType::Boolean]).await })
                })
                .await
                .unwrap();
            let declared: Vec<Vec<Value>> =
                c.fields.iter().map(|f| vec![json!(f.name), json!(f.nullable), json!(f.default.is_some())]).collect();
            assert_eq!(json!(stored), json!(declared), "{} on {:?}", c.name, db.dialect());
            let names: Vec<&str> = c.fields.iter().map(|f| f.name.as_str()).collect();
            assert_eq!(rows(&db, &c, &names, &Query::default()).await.unwrap().len(), 0);
        }
    }
}

#[tokio::test]
async fn hosts_that_start_together_migrate_once() {
    for db in databases_with(|_| {}).await {
        let mut others = Vec::new();
        for _ in 0..4 {
            let options = db.options.clone();
            others.push(tokio::spawn(async move {
                let other = Db::open(options).await?;
                let applied = other.migrate(&Clock::system()).await?;
                other.close().await;
                Ok::<_, Error>(applied)
            }));
        }
        for other in others {
            assert!(other.await.unwrap().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_collection_comes_back_as_it_was_made() {
    for db in databases().await {
        let mut title = Field::new("title", FieldType::String);
        (title.nullable, title.required, title.max_length, title.note) = (false, true, Some(40), Some("Heading".to_owned()));
        title.special = vec![Special::CastCsv];
        title.validation = Some(json!({"title": {"_nnull": true}}));
        title.meta = row(json!({"interface": "input", "width": "half"}));
        let mut status = Field::new("status", FieldType::String);
        (status.default, status.indexed) = (Some(json!("it's a draft")), true);
        let mut price = Field::new("price", FieldType::Decimal { precision: 8, scale: 2 });
        price.default = Some(json!("-1.5"));
        let mut data = Field::new("data", FieldType::Json);
        data.default = Some(json!({"a": [1]}));
        let mut on = Field::new("on", FieldType::Boolean);
        (on.default, on.nullable) = (Some(json!(true)), false);
        let mut order = Field::new("order", FieldType::BigInteger);
        order.unique = true;
        let made = make(&db, "select", vec![Field::new("id", FieldType::Integer), title.clone(), status, price, data, on, order]).await;
        assert_eq!((made.note.as_deref(), made.meta["icon"].as_str(), made.system), (Some("a note"), Some("box"), false));
        assert_eq!(made.primary_key().name, "id");
        let names: Vec<&str> = made.fields.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["id", "title", "status", "price", "data", "on", "order"]);
        let stored = made.field("title").unwrap();
        assert_eq!(format!("{stored:?}"), format!("{:?}", Field { sort: 1, ..title }));
        assert!(made.field("order").unwrap().unique && made.field("status").unwrap().indexed && made.primary_key().auto_increment);

        insert(&db, &made, json!({"title": "T"})).await.unwrap();
        let got = rows(&db, &made, &["id", "status", "price", "data", "on", "order"], &Query::default()).await.unwrap();
        assert_eq!(json!(got).to_string(), r#"[[1,"it's a draft","-1.50",{"a":[1]},true,null]]"#);

        ddl_job(&db, |conn| Box::pin(ddl::drop_collection(conn, "select"))).await.unwrap();
        let error = ddl_job(&db, |conn| Box::pin(ddl::drop_collection(conn, "select"))).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::CollectionNotFound);
        make(&db, "select", vec![Field::new("key", FieldType::String)]).await;
    }
}

#[tokio::test]
async fn names_and_types_that_cannot_be_are_refused() {
    for db in databases().await {
        make(&db, "Things", vec![Field::new("id", FieldType::Integer)]).await;
        let id = || Field::new("id", FieldType::Integer);
        let wide = Field::new("d", FieldType::Decimal { precision: 19, scale: 2 });
        let mut bad_default = Field::new("n", FieldType::Integer);
        bad_default.default = Some(json!("x"));
        let cases = vec![
            ("things", vec![id()], Some(ErrorCode::Conflict)),
            ("daas_things", vec![id()], Some(ErrorCode::InvalidPayload)),
            ("sqlite_x", vec![id()], Some(ErrorCode::InvalidPayload)),
            ("a b", vec![id()], Some(ErrorCode::InvalidPayload)),
            ("1a", vec![id()], Some(ErrorCode::InvalidPayload)),
            ("x", vec![id(), Field::new("ID", FieldType::Text)], Some(ErrorCode::InvalidPayload)),
            ("x", vec![id(), Field::new("xmin", FieldType::Text)], Some(ErrorCode::InvalidPayload)),
            ("x", vec![Field::new("id", FieldType::Json)], Some(ErrorCode::InvalidPayload)),
            ("x", vec![id(), bad_default], Some(ErrorCode::InvalidPayload)),
            ("x", vec![id(), wide], (db.dialect() == Dialect::Sqlite).then_some(ErrorCode::InvalidPayload)),
        ];
        for (name, fields, expected) in cases {
            let new = NewCollection {
                name: name.to_owned(),
                singleton: false,
                note: None,
                meta: Map::new(),
                primary: 0,
                fields,
                aliases: Vec::new(),
                created_at: Clock::system().now(),
            };
            let made = ddl_job(&db, move |conn| {
                let new = new.clone();
                Box::pin(async move { ddl::create_collection(conn, &new).await })
            });
            assert_eq!(made.await.err().map(|e| e.code()), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn fields_are_added_changed_and_dropped_with_their_items_in_place() {
    for db in databases().await {
        let c = make(&db, "t", vec![Field::new("id", FieldType::Integer), Field::new("a", FieldType::String)]).await;
        for text in ["1", "2", "3"] {
            insert(&db, &c, json!({"a": text})).await.unwrap();
        }
        // Added, empty and with a default.
        let mut b = Field::new("b", FieldType::Integer);
        b.nullable = false;
        assert_eq!(add(&db, "t", b.clone()).await.unwrap_err().code(), ErrorCode::FailedValidation);
        b.default = Some(json!(7));
        add(&db, "t", b.clone()).await.unwrap();
        assert_eq!(column(&db, "t", "b").await, json!([7, 7, 7]));

        // Without its default and NOT NULL, items must name it; made nullable, not.
        b.default = None;
        alter(&db, "t", b.clone()).await.unwrap();
        let c = reload(&db, "t").await;
        let error = insert(&db, &c, json!({"a": "4"})).await.unwrap_err();
        assert_eq!((error.code(), error.field()), (ErrorCode::FailedValidation, Some("b")));
        b.nullable = true;
        alter(&db, "t", b.clone()).await.unwrap();
        insert(&db, &c, json!({"a": "4"})).await.unwrap();
        b.nullable = false;
        assert_eq!(alter(&db, "t", b.clone()).await.unwrap_err().code(), ErrorCode::FailedValidation);
        assert!(reload(&db, "t").await.field("b").unwrap().nullable, "a refused change leaves no trace");

        // Unique only while it is.
        let mut a = Field::new("a", FieldType::String);
        (a.unique, a.indexed) = (true, true);
        alter(&db, "t", a.clone()).await.unwrap();
        assert_eq!(insert(&db, &c, json!({"a": "1"})).await.unwrap_err().code(), ErrorCode::RecordNotUnique);

        // Text to number and back, constraints kept; what doesn't convert leaves everything as it was.
        a.ty = FieldType::Integer;
        alter(&db, "t", a.clone()).await.unwrap();
        assert_eq!(column(&db, "t", "a").await, json!([1, 2, 3, 4]));
        let c = reload(&db, "t").await;
        let error = insert(&db, &c, json!({"a": 1})).await.unwrap_err();
        assert_eq!((error.code(), error.message()), (ErrorCode::RecordNotUnique, "`a` in `t` must be unique"));
        (a.ty, a.unique, a.indexed) = (FieldType::Text, false, false);
        alter(&db, "t", a.clone()).await.unwrap();
        let c = reload(&db, "t").await;
        insert(&db, &c, json!({"a": "word"})).await.unwrap();
        a.ty = FieldType::Integer;
        let error = alter(&db, "t", a).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::FailedValidation);
        assert!(error.message().contains("in `t` doesn't convert: it must be a whole number"), "{}", error.message());
        assert_eq!(column(&db, "t", "a").await, json!(["1", "2", "3", "4", "word"]));

        let c = reload(&db, "t").await;
        ddl_job(&db, move |conn| {
            let c = c.clone();
            Box::pin(async move { ddl::drop_field(conn, &c, "b").await })
        })
        .await
        .unwrap();
        assert!(reload(&db, "t").await.field("b").is_none());
        // The file is sound after all that.
        if db.dialect() == Dialect::Sqlite {
            let check = Sql::raw("PRAGMA integrity_check", Vec::new());
            let answer = db.write(move |conn| {
                let check = check.clone();
                Box::pin(async move { conn.select(&check, &[FieldType::Text]).await })
            });
            assert_eq!(answer.await.unwrap(), [[json!("ok")]]);
        }
    }
}

#[tokio::test]
async fn a_field_that_must_have_a_value_can_join_an_empty_collection() {
    for db in databases().await {
        make(&db, "t", vec![Field::new("id", FieldType::Integer)]).await;
        let mut name = Field::new("name", FieldType::String);
        name.nullable = false;
        add(&db, "t", name).await.unwrap();
        let c = reload(&db, "t").await;
        assert_eq!(insert(&db, &c, json!({})).await.unwrap_err().code(), ErrorCode::FailedValidation);
        insert(&db, &c, json!({"name": "x"})).await.unwrap();
    }
}

#[tokio::test]
async fn the_next_number_is_above_any_that_was_named() {
    for db in databases().await {
        let c = make(&db, "t", vec![Field::new("id", FieldType::Integer)]).await;
        assert_eq!(insert(&db, &c, json!({})).await.unwrap(), json!(1));
        for key in [json!(10), json!(4)] {
            insert(&db, &c, json!({"id": key})).await.unwrap();
            let c = c.clone();
            change(&db, move |conn| {
                let (c, key) = (c.clone(), key.clone());
                Box::pin(async move { ddl::after_explicit_key(conn, &c, &key).await })
            })
            .await
            .unwrap();
        }
        assert_eq!(insert(&db, &c, json!({})).await.unwrap(), json!(11));
    }
}

#[tokio::test]
async fn a_statement_prepared_before_a_change_of_type_still_works() {
    for db in databases_with(|o| o.pool_size = 1).await {
        let c = make(&db, "t", vec![Field::new("id", FieldType::Integer), Field::new("a", FieldType::String)]).await;
        insert(&db, &c, json!({"a": "5"})).await.unwrap();
        for ty in [FieldType::Integer, FieldType::Text, FieldType::BigInteger] {
            assert_eq!(rows(&db, &*reload(&db, "t").await, &["a"], &Query::default()).await.unwrap().len(), 1);
            alter(&db, "t", Field::new("a", ty)).await.unwrap();
            let c = reload(&db, "t").await;
            let query = Query { filter: Some(Filter::field("a", Op::Eq(json!("5")))), ..Query::default() };
            assert_eq!(rows(&db, &c, &["a"], &query).await.unwrap().len(), 1, "{ty:?}");
        }
    }
}

#[tokio::test]
async fn a_change_of_the_schema_that_is_undone_leaves_no_trace() {
    for db in databases().await {
        let mut a = Field::new("a", FieldType::Integer);
        a.nullable = false;
        let c = make(&db, "t", vec![Field::new("id", FieldType::Integer), a.clone()]).await;
        (a.nullable, a.default, a.unique) = (true, Some(json!(3)), true);
        let (table, field) = (c.clone(), a.clone());
        let undone = ddl_job(&db, move |conn| {
            let (table, field) = (table.clone(), field.clone());
            Box::pin(async move {
                ddl::alter_field(conn, &table, &field).await?;
                ddl::drop_field(conn, &table, "a").await?;
                Err(Error::forbidden("on second thoughts"))
            })
        });
        assert_eq!(undone.await.unwrap_err().code(), ErrorCode::Forbidden);
        assert_eq!(insert(&db, &c, json!({})).await.unwrap_err().code(), ErrorCode::FailedValidation);
        for _ in 0..2 {
            insert(&db, &c, json!({"a": 1})).await.unwrap();
        }
        a.unique = false;
        alter(&db, "t", a).await.unwrap();
        insert(&db, &c, json!({})).await.unwrap();
        assert_eq!(column(&db, "t", "a").await, json!([1, 1, 3]));
    }
}

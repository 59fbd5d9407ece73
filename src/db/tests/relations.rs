//! Steps through relations, functions and lists in statements, on real tables; and whether the indexes that are there are used.

use serde_json::json;

use super::*;
use crate::db::nested::{Slice, lists};
use crate::db::query::{DatePart, Hop, Operand};

struct Tables {
    authors: Arc<Collection>,
    articles: Arc<Collection>,
    blocks: Arc<Collection>,
    to_author: Hop,
    to_articles: Hop,
}

/// Three authors, five articles, and blocks that refer to either, by text.
async fn tables(db: &Db) -> Tables {
    let text = |name: &str| Field::new(name, FieldType::String);
    let id = || Field { nullable: false, ..Field::new("id", FieldType::Integer) };
    let authors = make(db, "authors", vec![id(), text("name"), Field::new("born", FieldType::Timestamp)]).await;
    let uuid = Field { nullable: false, ..Field::new("id", FieldType::Uuid) };
    let indexed = Field { indexed: true, ..Field::new("author", FieldType::Integer) };
    let articles = make(db, "articles", vec![uuid, text("title"), indexed, Field::new("at", FieldType::DateTime)]).await;
    let blocks = make(db, "blocks", vec![id(), text("item"), text("collection")]).await;
    for (name, born) in [("Ann", Some("2000-12-31T23:59:59.500Z")), ("Bo", Some("1999-01-01T00:00:00Z")), ("Cy", None)] {
        insert(db, &authors, json!({ "name": name, "born": born })).await.unwrap();
    }
    for (n, (title, author)) in [("a", Some(1)), ("b", Some(1)), ("c", Some(2)), ("d", None), ("e", Some(1))].into_iter().enumerate() {
        let id = format!("00000000-0000-4000-8000-00000000000{n}");
        insert(db, &articles, json!({ "id": id, "title": title, "author": author, "at": format!("2026-0{}-28T10:20:30.999", n + 1) }))
            .await
            .unwrap();
    }
    for (item, collection) in [
        ("1", "authors"),
        ("00000000-0000-4000-8000-000000000002", "articles"),
        ("nothing", "authors"),
        ("9999999999999999999999", "authors"),
        ("01", "authors"),
        ("2", "articles"),
    ] {
        insert(db, &blocks, json!({ "item": item, "collection": collection })).await.unwrap();
    }
    let hop = |to: &Arc<Collection>, here: &str, there: &str| Hop {
        to: Arc::clone(to),
        here: here.to_owned(),
        there: there.to_owned(),
        tag: None,
        rule: None,
    };
    let (to_author, to_articles) = (hop(&authors, "author", "id"), hop(&articles, "id", "author"));
    Tables { authors, articles, blocks, to_author, to_articles }
}

/// Titles, names and the like of the rows that a query finds, in its order.
async fn found(db: &Db, collection: &Collection, field: &str, query: &Query) -> Vec<String> {
    let rows = rows(db, collection, &[field], query).await.unwrap();
    rows.into_iter().map(|row| row[0].as_str().map_or_else(|| row[0].to_string(), str::to_owned)).collect()
}

fn filtered(filter: Filter) -> Query {
    Query { filter: Some(filter), ..Query::default() }
}

#[tokio::test]
async fn steps_and_functions_mean_the_same_on_both() {
    for db in databases().await {
        let t = tables(&db).await;
        let some = |hop: &Hop, inner: Filter| Filter::Some(hop.clone(), Box::new(inner));
        let named = |name: &str| Filter::field("name", Op::Eq(json!(name)));
        let titled = |title: &str| Filter::field("title", Op::Eq(json!(title)));
        let not = |filter: Filter| Filter::Not(Box::new(filter));
        let made = |of: Operand, op: Op| Filter::Made { of, op };
        let part = |part: DatePart, field: &str, n: i64| made(Operand::Part(part, field.to_owned()), Op::Eq(json!(n)));

        for (filter, expected) in [
            (some(&t.to_author, named("Ann")), &["a", "b", "e"][..]),
            (not(some(&t.to_author, named("Ann"))), &["c", "d"]),
            (some(&t.to_author, some(&t.to_articles, titled("b"))), &["a", "b", "e"]),
            (some(&Hop { rule: Some(Box::new(named("Bo"))), ..t.to_author.clone() }, Filter::Const(true)), &["c"]),
            (part(DatePart::Month, "at", 3), &["c"]),
            (part(DatePart::Second, "at", 30), &["a", "b", "c", "d", "e"]),
            // 2026-03-28 is a Saturday in ISO week 13.
            (Filter::And(vec![part(DatePart::Weekday, "at", 6), part(DatePart::Week, "at", 13)]), &["c"]),
            (some(&t.to_author, part(DatePart::Year, "born", 2000)), &["a", "b", "e"]),
        ] {
            let query = Query { sort: vec![Sort::up("title")], ..filtered(filter.clone()) };
            assert_eq!(found(&db, &t.articles, "title", &query).await, expected, "{filter:?}");
        }
        for (filter, expected) in [
            (some(&t.to_articles, titled("c")), &["Bo"][..]),
            (not(some(&t.to_articles, Filter::Const(true))), &["Cy"]),
            (made(Operand::Count(t.to_articles.clone()), Op::Gte(json!(2))), &["Ann"]),
            (made(Operand::Count(t.to_articles.clone()), Op::Eq(json!(0))), &["Cy"]),
            (part(DatePart::Hour, "born", 23), &["Ann"]),
            (made(Operand::Part(DatePart::Day, "born".to_owned()), Op::Neq(json!(31))), &["Bo", "Cy"]),
        ] {
            assert_eq!(found(&db, &t.authors, "name", &filtered(filter.clone())).await, expected, "{filter:?}");
        }

        let any = |to: &Arc<Collection>| Hop {
            to: Arc::clone(to),
            here: "item".to_owned(),
            there: "id".to_owned(),
            tag: Some("collection".to_owned()),
            rule: None,
        };
        assert_eq!(found(&db, &t.blocks, "id", &filtered(some(&any(&t.authors), Filter::Const(true)))).await, ["1"]);
        assert_eq!(found(&db, &t.blocks, "id", &filtered(some(&any(&t.articles), titled("c")))).await, ["2"]);

        let by = |path: Vec<Hop>, by: Operand, descending| Query { sort: vec![Sort { path, by, descending }], ..Query::default() };
        let name = || Operand::Field("name".to_owned());
        assert_eq!(found(&db, &t.articles, "title", &by(vec![t.to_author.clone()], name(), true)).await, ["c", "a", "b", "e", "d"]);
        assert_eq!(found(&db, &t.articles, "title", &by(vec![t.to_author.clone()], name(), false)).await, ["d", "a", "b", "e", "c"]);
        let hidden = Hop { rule: Some(Box::new(named("Ann"))), ..t.to_author.clone() };
        assert_eq!(found(&db, &t.articles, "title", &by(vec![hidden], name(), true)).await, ["a", "b", "e", "c", "d"]);
        assert_eq!(found(&db, &t.authors, "name", &by(vec![], Operand::Count(t.to_articles.clone()), true)).await, ["Ann", "Bo", "Cy"]);
    }
}

#[tokio::test]
async fn each_list_has_a_limit_of_its_own() {
    for db in databases().await {
        let t = tables(&db).await;
        let columns = ["title", "author"].map(|name| Operand::Field(name.to_owned()));
        for (each, sort, expected) in [
            (Slice { offset: 0, limit: None }, Sort::up("title"), "a1 b1 c2 e1"),
            (Slice { offset: 0, limit: Some(2) }, Sort::down("title"), "e1 b1 c2"),
            (Slice { offset: 1, limit: Some(1) }, Sort::up("title"), "b1"),
            (Slice { offset: 2, limit: None }, Sort::up("title"), "e1"),
            (Slice { offset: 0, limit: Some(0) }, Sort::up("title"), ""),
        ] {
            let query = Query { sort: vec![sort], limit: Some(100), ..Query::default() };
            let parents = [json!(1), json!(2), json!(3)];
            let statement = lists(db.dialect(), &t.articles, &columns, "author", &parents, each, &query).unwrap();
            let rows = db
                .read(move |conn| {
                    let statement = statement.clone();
                    Box::pin(async move { conn.select(&statement, &[FieldType::String, FieldType::Integer]).await })
                })
                .await
                .unwrap();
            let shown: Vec<String> = rows.iter().map(|row| format!("{}{}", row[0].as_str().unwrap(), row[1])).collect();
            assert_eq!(shown.join(" "), expected, "{each:?}");
        }
    }
}

/// What the database means to do, as one text.
async fn plan(db: &Db, statement: Sql) -> String {
    let (explain, columns) = match db.dialect() {
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN ", vec![FieldType::Integer, FieldType::Integer, FieldType::Integer, FieldType::Text]),
        Dialect::Postgres => ("EXPLAIN ", vec![FieldType::Text]),
    };
    let explained = Sql::raw(format!("{explain}{}", statement.text()), statement.values.clone());
    let rows = db.read(move |conn| {
        let (explained, columns) = (explained.clone(), columns.clone());
        Box::pin(async move { conn.select(&explained, &columns).await })
    });
    rows.await.unwrap().iter().filter_map(|row| row.last()?.as_str().map(str::to_owned)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn a_page_out_of_many_rows_is_found_by_an_index() {
    for db in databases().await {
        let t = tables(&db).await;
        let (many, analyze) = match db.dialect() {
            Dialect::Sqlite => (
                "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 100009) \
                 INSERT INTO articles (id, title, author) SELECT printf('%08d-0000-4000-8000-000000000000', i), 't' || i, i % 5000 + 10 FROM n; \
                 WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5009) INSERT INTO authors (id, name) SELECT i, 'n' || i FROM n",
                "ANALYZE",
            ),
            Dialect::Postgres => (
                "INSERT INTO articles (id, title, author) SELECT (lpad(i::text, 8, '0') || '-0000-4000-8000-000000000000')::uuid, 't' || i, i % 5000 + 10 \
                 FROM generate_series(10, 100009) AS i; \
                 INSERT INTO authors (id, name) SELECT i, 'n' || i FROM generate_series(10, 5009) AS i",
                "ANALYZE articles; ANALYZE authors",
            ),
        };
        for text in [many, analyze] {
            change(&db, move |conn| Box::pin(async move { conn.batch(text).await })).await.unwrap();
        }
        let page = |filter: Filter| Query { limit: Some(25), ..filtered(filter) };
        let listed = |filter: Filter| db.sql(&sql::select(db.dialect(), &t.articles, &["id", "title"], &page(filter)).unwrap());
        let own = plan(&db, listed(Filter::field("author", Op::Eq(json!(20))))).await;
        assert!(own.contains("articles_author_index"), "{own}");
        // Behind a relation the key of the other side is looked up, or all of the few that match are hashed.
        let named = Filter::field("name", Op::Eq(json!("n20")));
        let beyond = plan(&db, listed(Filter::Some(t.to_author.clone(), Box::new(named)))).await;
        let is_lookup = ["PRIMARY KEY", "authors_pkey", "Hash", "articles_author_index"].into_iter().any(|way| beyond.contains(way));
        assert!(is_lookup, "{beyond}");
        let columns = ["title", "author"].map(|name| Operand::Field(name.to_owned()));
        let parents: Vec<Value> = (10..35).map(Value::from).collect();
        for each in [Slice { offset: 0, limit: None }, Slice { offset: 0, limit: Some(3) }] {
            let statement = lists(db.dialect(), &t.articles, &columns, "author", &parents, each, &Query::default()).unwrap();
            let of_lists = plan(&db, statement).await;
            assert!(of_lists.contains("articles_author_index"), "{each:?}: {of_lists}");
        }
    }
}

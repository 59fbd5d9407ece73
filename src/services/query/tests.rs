//! What a query may name, whoever asks: held against a schema with every kind of relation, without a database.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::*;
use crate::db::relation::Deselect;
use crate::db::{AliasField, Field, Relation, Schema, Special};
use crate::error::ErrorCode;

fn collection(name: &str, fields: &[(&str, FieldType)], lists: &[&str]) -> Collection {
    let alias =
        |name: &&str| AliasField { name: (*name).to_owned(), special: vec![Special::OneToMany], note: None, meta: Item::new(), sort: 0 };
    let mut columns = vec![Field { nullable: false, ..Field::new("id", FieldType::Integer) }];
    columns.extend(fields.iter().map(|(name, ty)| Field::new(*name, *ty)));
    Collection {
        name: name.to_owned(),
        system: false,
        singleton: false,
        note: None,
        meta: Item::new(),
        primary: 0,
        fields: columns,
        aliases: lists.iter().map(alias).collect(),
        described: true,
    }
}

fn relation(collection: &str, field: &str, related: Option<&str>, one_field: Option<&str>) -> Relation {
    Relation {
        id: None,
        collection: collection.to_owned(),
        field: field.to_owned(),
        related: related.map(str::to_owned),
        one_field: one_field.map(str::to_owned),
        one_collection_field: related.is_none().then(|| "collection".to_owned()),
        one_allowed: if related.is_none() { vec!["articles".to_owned(), "authors".to_owned()] } else { Vec::new() },
        junction_field: None,
        sort_field: None,
        deselect: Deselect::Nullify,
        on_delete: None,
        system: false,
        meta: Item::new(),
    }
}

fn schema() -> Schema {
    use FieldType::{Integer, Json, String as Text, Timestamp};
    let authors = collection("authors", &[("name", Text), ("secret", Text), ("boss", Integer)], &["articles"]);
    let articles =
        collection("articles", &[("title", Text), ("at", Timestamp), ("data", Json), ("author", Integer)], &["tags", "blocks", "divider"]);
    let blocks = collection("blocks", &[("article", Integer), ("item", Text), ("collection", Text)], &[]);
    let tags = collection("tags", &[("name", Text)], &[]);
    let junction = collection("articles_tags", &[("article", Integer), ("tag", Integer)], &[]);
    Schema::of(
        [authors, articles, blocks, tags, junction],
        [
            relation("articles", "author", Some("authors"), Some("articles")),
            relation("authors", "boss", Some("authors"), None),
            relation("articles_tags", "article", Some("articles"), Some("tags")),
            relation("articles_tags", "tag", Some("tags"), None),
            relation("blocks", "article", Some("articles"), Some("blocks")),
            relation("blocks", "item", None, None),
        ],
    )
}

/// A caller with these fields of these collections, or with everything.
struct Caller<'s> {
    schema: &'s Schema,
    fields: Option<HashMap<&'static str, FieldSet>>,
}

impl Sight for Caller<'_> {
    fn schema(&self) -> &Schema {
        self.schema
    }

    fn readable(&self, collection: &Collection) -> Result<&FieldSet> {
        match &self.fields {
            None => Ok(&FieldSet::All),
            Some(granted) => granted.get(collection.name.as_str()).ok_or_else(|| Error::forbidden("You may not")),
        }
    }
}

fn parsed(caller: &Caller<'_>, raw: &Value) -> Result<Parsed> {
    let articles = caller.schema.collection("articles").expect("declared above");
    let raw = decoded(raw.as_object().expect("an object"))?;
    parse(&Reader::of(caller), articles, &raw, 10_000, Unlimited::Page)
}

fn keys(shape: &Shape) -> Vec<&str> {
    shape.outputs.iter().map(|output| output.key.as_str()).collect()
}

fn below<'s>(shape: &'s Shape, key: &str) -> &'s Nested {
    match &shape.outputs.iter().find(|output| output.key == key).expect(key).content {
        Content::One(nested) | Content::Many(nested) | Content::Keys(nested) => nested,
        Content::Any { reads, .. } => &reads[0],
        Content::Value(_) => panic!("{key} is a value"),
    }
}

#[test]
fn fields_become_a_tree_with_one_read_for_each_relation() {
    let schema = schema();
    let admin = Caller { schema: &schema, fields: None };
    let shape = |fields: Value| parsed(&admin, &json!({ "fields": fields })).map(|parsed| parsed.shape);

    let plain = shape(json!("title,id")).expect("plain");
    assert!(plain.is_plain() && keys(&plain) == ["title", "id"]);
    // Lists are answered as keys; what is there for show isn't answered.
    let all = shape(json!("*")).expect("a wildcard");
    assert_eq!(keys(&all), ["id", "title", "at", "data", "author", "tags", "blocks"]);
    assert!(matches!(all.outputs[5].content, Content::Keys(_)));
    assert_eq!(keys(&shape(json!([])).expect("no names")), keys(&all));

    let tree =
        shape(json!(["id", "author.name,author.articles.title", "tags.tag.name", "blocks.item:authors.name", "year(at)"])).expect("a tree");
    assert_eq!(keys(&tree), ["id", "at_year", "author", "tags", "blocks"]);
    let author = below(&tree, "author");
    assert_eq!((author.hop.to.name.as_str(), keys(&author.parsed.shape)), ("authors", vec!["name", "articles"]));
    assert_eq!(author.raw["fields"], json!(["name", "articles.title"]));
    assert_eq!(below(&below(&tree, "tags").parsed.shape, "tag").hop.to.name, "tags");
    assert_eq!(below(&below(&tree, "blocks").parsed.shape, "item").hop.tag.as_deref(), Some("collection"));

    let deeper = shape(json!("*.*")).expect("a wildcard of wildcards");
    assert_eq!(keys(&below(&deeper, "author").parsed.shape), ["id", "name", "secret", "boss", "articles"]);
    let any = shape(json!("blocks.item.*")).expect("every collection");
    assert!(matches!(&below(&any, "blocks").parsed.shape.outputs[0].content, Content::Any { reads, .. } if reads.len() == 2));
    assert_eq!(keys(&shape(json!("count(tags),author.count(articles)")).expect("counts")), ["tags_count", "author"]);

    let renamed = parsed(
        &admin,
        &json!({ "fields": "writer.name,heading", "alias": { "writer": "author", "heading": "title" },
        "deep": { "writer": { "_filter": { "name": "x" } } } }),
    )
    .expect("aliases");
    assert_eq!(keys(&renamed.shape), ["heading", "writer"]);
    assert!(below(&renamed.shape, "writer").parsed.query.filter.is_some());
}

#[test]
fn nothing_that_is_not_granted_can_be_named_anywhere() {
    let schema = schema();
    let some = |names: &[&str]| FieldSet::Some(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    let granted = HashMap::from([
        ("articles", some(&["id", "title", "author", "tags", "blocks"])),
        ("authors", some(&["id", "name"])),
        ("blocks", some(&["id", "item", "collection"])),
    ]);
    let caller = Caller { schema: &schema, fields: Some(granted) };
    for refused in [
        json!({ "fields": "at" }),
        json!({ "fields": "author.secret" }),
        json!({ "fields": "author.articles.title" }),
        json!({ "fields": "tags" }),
        json!({ "fields": "tags.tag" }),
        json!({ "fields": "count(tags)" }),
        json!({ "fields": "year(at)" }),
        json!({ "fields": "blocks.item:tags.name" }),
        json!({ "fields": "blocks.item:nothing.name" }),
        json!({ "fields": "x", "alias": { "x": "at" } }),
        json!({ "filter": { "at": { "_null": true } } }),
        json!({ "filter": { "author": { "secret": "x" } } }),
        json!({ "filter": { "author.secret": "x" } }),
        json!({ "filter": { "author": { "_or": [{ "secret": "x" }] } } }),
        json!({ "filter": { "author": { "boss": { "name": "x" } } } }),
        json!({ "filter": { "tags": { "_some": { "tag": 1 } } } }),
        json!({ "filter": { "tags": { "_has": true } } }),
        json!({ "filter": { "count(tags)": { "_gt": 1 } } }),
        json!({ "filter": { "year(at)": 2026 } }),
        json!({ "filter": { "blocks": { "item:tags": { "name": "x" } } } }),
        json!({ "filter": { "nothing": 1 } }),
        json!({ "sort": "at" }),
        json!({ "sort": "-author.secret" }),
        json!({ "sort": "author.year(born)" }),
        json!({ "sort": "count(tags)" }),
        json!({ "deep": { "author": { "_filter": { "secret": "x" } } }, "fields": "author.name" }),
        json!({ "deep": { "at": {} } }),
    ] {
        let error = parsed(&caller, &refused).expect_err(&refused.to_string());
        assert_eq!(error.code(), ErrorCode::Forbidden, "{refused}: {}", error.message());
    }
    // Wildcards hold what is granted, and follow what may be followed.
    let shape = parsed(&caller, &json!({ "fields": "*.*" })).expect("a wildcard").shape;
    assert_eq!(keys(&shape), ["id", "title", "author", "blocks"]);
    assert_eq!(keys(&below(&shape, "author").parsed.shape), ["id", "name"]);
    // A hook's conditions may use any field; what it adds to the answer and isn't granted is left out.
    let articles = schema.collection("articles").expect("declared above");
    let raw = json!({ "fields": ["title", "at", "author.name", "author.secret", "tags.id"], "filter": { "author": { "secret": "x" } } });
    let changed = parse(&Reader::after_hooks(&caller), articles, raw.as_object().expect("an object"), 10, Unlimited::All);
    let changed = changed.expect("a hook's query");
    assert_eq!(keys(&changed.shape), ["title", "author"]);
    assert_eq!(keys(&below(&changed.shape, "author").parsed.shape), ["name"]);
}

#[test]
fn what_makes_no_sense_is_told_with_its_place() {
    let schema = schema();
    let admin = Caller { schema: &schema, fields: None };
    let deep_filter = (0..40).fold(json!({ "title": "x" }), |inner, _| json!({ "_and": [inner] }));
    let far_filter = (0..11).fold(json!({ "name": "x" }), |inner, _| json!({ "boss": inner }));
    let many: Vec<Value> = (0..500).map(|n| json!({ "title": n.to_string() })).collect();
    for (raw, told) in [
        (json!({ "fields": "titel" }), "did you mean `title`"),
        (json!({ "fields": "author.nmae" }), "did you mean `name`"),
        (json!({ "fields": "title.x" }), "isn't a relation"),
        (json!({ "fields": "divider" }), "there for show"),
        (json!({ "fields": "blocks.item.name" }), "`item:articles`"),
        (json!({ "fields": "author:authors.name" }), "one collection only"),
        (json!({ "fields": "yaer(at)" }), "did you mean `year`"),
        (json!({ "fields": "year(title)" }), "the type of `title`"),
        (json!({ "fields": "count(author)" }), "isn't a list"),
        (json!({ "fields": "author.boss.boss.boss.boss.boss.boss.boss.boss.boss.boss.boss.name" }), "more than 10 relations"),
        (json!({ "fields": "__proto__" }), "no field `__proto__`"),
        (json!({ "fields": "constructor.prototype" }), "no field `constructor`"),
        (json!({ "fields": 1 }), "must be an array of names"),
        (json!({ "filter": { "author": { "_some": { "name": "x" } } } }), "not to a list"),
        (json!({ "filter": { "tags": { "_eq": 1 } } }), "compares a field"),
        (json!({ "filter": { "tags": { "_smoe": {} } } }), "did you mean `_some`"),
        (json!({ "filter": { "tags": { "_some": 1 } } }), "takes a filter"),
        (json!({ "filter": { "tags": 1 } }), "an object of conditions"),
        (json!({ "filter": { "title": { "x": 1 } } }), "there is no operator `x`"),
        (json!({ "filter": { "title.x": 1 } }), "isn't a relation"),
        (json!({ "filter": { "$FOLLOW(articles,author)": {} } }), "$FOLLOW"),
        (json!({ "filter": { "__proto__": { "_eq": 1 } } }), "`__proto__`"),
        (json!({ "filter": deep_filter }), "nested deeper than 32"),
        (json!({ "filter": { "author": far_filter } }), "more than 10 relations"),
        (json!({ "filter": { "_or": many } }), "more than 400 conditions"),
        (json!({ "sort": "tags.tag" }), "is a list"),
        (json!({ "sort": "data" }), "type is json"),
        (json!({ "sort": "blocks" }), "no value of its own"),
        (json!({ "alias": { "a.b": "title" } }), "can't be an alias"),
        (json!({ "alias": { "author": "title" } }), "is a field"),
        (json!({ "alias": "{" }), "isn't valid JSON"),
        (json!({ "deep": { "author": { "_limit": 1 } }, "fields": "author.name" }), "leads to one item"),
        (json!({ "deep": { "tags": { "_aggregate": {} } }, "fields": "tags.id" }), "not: _aggregate"),
        (json!({ "deep": { "title": {} } }), "isn't a relation"),
        (json!({ "deep": { "_limit": 1 } }), "stands inside"),
        (json!({ "version": "draft" }), "`version`"),
        (json!({ "aggregate": { "count": "*" } }), "groups instead of items"),
        (json!({ "fitler": {} }), "did you mean `filter`"),
    ] {
        let error = parsed(&admin, &raw).expect_err(&raw.to_string());
        assert!(matches!(error.code(), ErrorCode::InvalidQuery), "{raw}: {} {}", error.code().name(), error.message());
        assert!(error.message().contains(told), "{raw}: {}", error.message());
    }
    // Wildcards of wildcards stay within bounds.
    let wide = parsed(&admin, &json!({ "fields": "*.*.*.*.*.*.*.*.*" }));
    assert_eq!(wide.expect_err("too many reads").code(), ErrorCode::InvalidQuery);
}

#[test]
fn lists_may_be_asked_about_in_every_way() {
    let schema = schema();
    let admin = Caller { schema: &schema, fields: None };
    let filter = |filter: Value| parsed(&admin, &json!({ "filter": filter })).expect("a filter").query.filter.expect("said something");
    let step = |negated: bool, filter: &Filter| match filter {
        Filter::Not(inner) => negated && matches!(**inner, Filter::Some(..)),
        Filter::Some(..) => !negated,
        _ => false,
    };
    for (raw, negated) in [
        (json!({ "tags": { "tag": { "name": "x" } } }), false),
        (json!({ "tags.tag.name": { "_eq": "x" } }), false),
        (json!({ "tags": { "_some": { "tag": 1 } } }), false),
        (json!({ "tags": { "_none": { "tag": 1 } } }), true),
        (json!({ "tags": { "_has": true } }), false),
        (json!({ "tags": { "_has": "false" } }), true),
        (json!({ "tags": { "_null": true } }), true),
        (json!({ "tags": {} }), false),
        (json!({ "author": { "name": "x" } }), false),
        (json!({ "author": { "_and": [{ "name": "x" }] } }), false),
    ] {
        assert!(step(negated, &filter(raw.clone())), "{raw}");
    }
    // A key and what it leads to may stand beside each other.
    assert!(matches!(filter(json!({ "author": { "_nnull": true, "name": "x" } })), Filter::And(parts) if parts.len() == 2));
    assert_eq!(filter(json!({ "tags.tag.name": "x" })), filter(json!({ "tags": { "tag": { "name": { "_eq": "x" } } } })));
}

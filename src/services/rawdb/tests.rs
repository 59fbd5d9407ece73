//! What the grammar makes of requests, well-formed and not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{filter, names_system, request::Request, select};
use crate::db::postgrest::plan::{Action, Aggregate, Cast, Compare, Cond, Conflict, Is, Item, Key, Op, Path, Quantifier};

#[test]
fn what_is_selected_is_read() {
    let items =
        select::parse("*,name:title::text,data->a->>\"b c\",data->0->-1,...author!fk!inner(*,books(count())),sum:price.sum()").unwrap();
    assert_eq!(items.len(), 6);
    let Item::Column(second) = &items[1] else { panic!("{items:?}") };
    assert_eq!(
        (second.alias.as_deref(), second.cast, second.column.as_ref().unwrap().name.as_str()),
        (Some("name"), Some(Cast::Text), "title")
    );
    let Item::Column(third) = &items[2] else { panic!("{items:?}") };
    let steps = &third.column.as_ref().unwrap().steps;
    assert_eq!((&steps[0].key, steps[0].as_text), (&Key::Name("a".into()), false));
    assert_eq!((&steps[1].key, steps[1].as_text), (&Key::Name("b c".into()), true));
    let Item::Column(fourth) = &items[3] else { panic!("{items:?}") };
    assert_eq!(fourth.column.as_ref().unwrap().steps.iter().map(|s| s.key.clone()).collect::<Vec<_>>(), [Key::Index(0), Key::Index(-1)]);
    let Item::Embed(author) = &items[4] else { panic!("{items:?}") };
    assert_eq!((author.spread, author.inner, author.hint.as_deref(), author.node.select.len()), (true, true, Some("fk"), 2));
    let Item::Column(sixth) = &items[5] else { panic!("{items:?}") };
    assert_eq!((sixth.alias.as_deref(), sixth.aggregate), (Some("sum"), Some(Aggregate::Sum)));
    for bad in ["a,", ",a", "a(", "a)", "a::nothing", "a:b:c", "a->", "\"a", "...a", "a!fk", "a.b", "a->>b->c("] {
        assert!(select::parse(bad).is_err(), "{bad}");
    }
    assert!(select::parse(&"a(".repeat(100_000)).is_err(), "brackets without end don't end the stack");
    assert!(filter::logic(true, &"(and".repeat(100_000)).is_err());
}

#[test]
fn filters_are_read() {
    let test = |text: &str| match filter::parse(Path::column("a"), text) {
        Ok(Cond::Test(_, op)) => op,
        Ok(Cond::Not(inner)) => match *inner {
            Cond::Test(_, op) => op,
            other => panic!("{other:?}"),
        },
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(test("eq.a.b,(c)\"d"), Op::Compare(Compare::Eq, "a.b,(c)\"d".into()));
    assert_eq!(test("not.eq."), Op::Compare(Compare::Eq, String::new()));
    assert_eq!(test("in.(a,\"b,c\",d\"e,\"f\\\"g\",\"h\"i)"), Op::In(["a", "b,c", "d\"e", "f\"g", "\"h\"i"].map(String::from).to_vec()));
    assert_eq!(test("in.()"), Op::In(vec![]));
    assert_eq!(test("like(any).{a*,\"b,c\"}"), Op::Quantified(Compare::Like, Quantifier::Any, vec!["a*".into(), "b,c".into()]));
    assert_eq!(test("is.NULL"), Op::Is(Is::Null));
    for bad in ["", "eq", "a", "eq(any)", "is.5", "in.a", "in.(a", "fts", "neq(all).{1}", "like(some).{1}", "like(any).a"] {
        assert!(filter::parse(Path::column("a"), bad).is_err(), "{bad}");
    }
    let tree = filter::logic(true, "(a.eq.1,not.and(b.not.is.null,c->>d.in.(1,2)),e.eq.\"x,y)\",f.cs.{1,2})").unwrap();
    let Cond::Or(parts) = tree else { panic!("{tree:?}") };
    assert_eq!(parts.len(), 4);
    assert!(matches!(&parts[1], Cond::Not(inner) if matches!(&**inner, Cond::And(two) if two.len() == 2)));
    assert!(matches!(&parts[2], Cond::Test(_, Op::Compare(_, text)) if text == "x,y)"));
}

#[test]
fn no_text_makes_the_reader_panic() {
    // Every prefix and every cut of texts that use all of the grammar.
    let seeds = [
        "...a:b!c!inner(*,\"d\\\"e\"->f->>-1::text,g.sum()::int,count())",
        "(a.eq.1,not.and(b->>c.in.(1,\"2\",3)),d.like(any).{x,\"y\"},é.cs.{\"a\":{}})",
        "not.fts(english).ä|b",
        "a(b).desc.nullsfirst,c->d.asc",
    ];
    for seed in seeds {
        let chars: Vec<char> = seed.chars().collect();
        for from in 0..chars.len() {
            for to in from..=chars.len() {
                let text: String = chars[from..to].iter().collect();
                let _ = (select::parse(&text), select::order(&text), filter::logic(false, &text), filter::parse(Path::column("a"), &text));
                for name in [text.as_str(), "select", "columns", "a.order", "a.or", "limit"] {
                    let request = Request {
                        method: "GET".into(),
                        path: "/t".into(),
                        params: vec![(name.into(), text.clone())],
                        ..Request::default()
                    };
                    let _ = (request.read().is_ok(), names_system(&text, [text.as_str()].into_iter()));
                }
            }
        }
    }
}

#[test]
fn tables_of_the_host_are_told_by_their_names() {
    let named = |path: &str, select: &str| names_system(path, [select].into_iter());
    assert!(named("/daas_users", "*") && named("/DAAS_Users", "*") && named("/a", "b(c:daas_roles(*))") && named("/a", "b!daas_x(*)"));
    assert!(!named("/a", "daas_users,b(*)") && !named("/rpc/daas", "*"));
}

#[test]
fn a_range_narrows_what_is_read() {
    let node = |range: &str| {
        let params = vec![("limit".to_owned(), "8".to_owned()), ("offset".to_owned(), "2".to_owned())];
        let request = Request { method: "GET".into(), path: "/t".into(), range: range.into(), params, ..Request::default() };
        request.read().map(|asked| (asked.node.offset, asked.node.limit))
    };
    assert_eq!(node("").unwrap(), (2, Some(8)));
    assert_eq!(node("5-9").unwrap(), (7, Some(5)));
    assert_eq!(node("items=5-").unwrap(), (7, Some(8)));
    assert_eq!(node("0-18446744073709551615").unwrap(), (2, Some(8)));
    for bad in ["x", "5", "-5", "9-5", "5-x", "99999999999999999999-"] {
        assert_eq!(node(bad).unwrap_err().report().unwrap().state, "PGRST103", "{bad}");
    }
}

#[test]
fn writes_say_what_they_do_with_what_is_there() {
    let read = |method: &str, prefer: &str, params: &[(&str, &str)], body: &str| {
        let params = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Request {
            method: method.into(),
            path: "/t".into(),
            prefer: prefer.into(),
            params,
            body: Some(body.into()),
            ..Request::default()
        };
        request.read().map(|asked| match asked.what {
            super::What::Table(action) => action,
            super::What::Function(_) => panic!("a table"),
        })
    };
    let Action::Insert(insert) =
        read("POST", "resolution=ignore-duplicates, missing=default", &[("columns", "\"a\"b\",c"), ("on_conflict", "c")], "[{\"c\":1}]")
            .unwrap()
    else {
        panic!("an insert")
    };
    assert_eq!(insert.columns.unwrap(), ["a\"b", "c"]);
    assert_eq!((insert.missing_is_default, insert.conflict.unwrap()), (true, Conflict { columns: Some(vec!["c".into()]), ignore: true }));
    let Action::Update(changes) = read("PATCH", "return=headers-only", &[("columns", "a"), ("a", "eq.1")], "{\"a\":1,\"b\":2}").unwrap()
    else {
        panic!("an update")
    };
    assert_eq!(changes.len(), 1, "the others aren't among the columns");
    for (method, prefer, params, body) in [
        ("POST", "", &[][..], ""),
        ("POST", "", &[][..], "5"),
        ("POST", "", &[][..], "[5]"),
        ("POST", "tx=rollback", &[][..], "{}"),
        ("PATCH", "", &[("limit", "1")][..], "{}"),
        ("DELETE", "", &[("offset", "1")][..], ""),
        ("PATCH", "", &[("on_conflict", "a")][..], "{}"),
        ("PUT", "", &[][..], "{}"),
    ] {
        assert!(read(method, prefer, params, body).is_err(), "{method} {prefer} {params:?} {body}");
    }
}

/// Pieces of well-formed requests put together at random: what comes of them is parameters, names of the catalog and words of ours.
#[test]
fn nothing_of_a_request_gets_into_a_statement_but_as_a_parameter() {
    const PIECES: &[&str] = &[
        "id",
        "x",
        "b_id",
        "*",
        "b(",
        ")",
        "c(",
        "(",
        ",",
        ",",
        ".",
        ".",
        ":",
        "::",
        "!",
        "->",
        "->>",
        "\"",
        "'",
        ";",
        "--",
        "/*",
        "\\",
        "a",
        "b",
        "c",
        "j",
        "a_id",
        "!inner",
        "!left",
        "...",
        "text",
        "int",
        "count()",
        ".sum()",
        "eq.",
        "gt.",
        "not.",
        "in.(",
        "like.",
        "match.",
        "is.null",
        "is.not_null",
        "or(",
        "and(",
        "like(any).{",
        "}",
        "fts(",
        "cs.{",
        ".desc",
        ".nullslast",
        "1",
        "-1",
        " DROP TABLE a",
        "\"\"",
        "é",
        "0",
        "$1",
    ];
    const NAMES: &[&str] =
        &["select", "select", "select", "or", "and", "not.or", "order", "limit", "offset", "x", "id", "x->p->>q", "b.x", "c.order"];
    let mut seed = 0x2545_f491_u32;
    let mut next = move |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize % below
    };
    for _ in 0..30_000 {
        let mut text = ["a", "b", "c", "j"][next(4)].to_owned();
        for _ in 0..1 + next(3) {
            let name = NAMES[next(NAMES.len())];
            text.push_str(&format!("\n{name}\n"));
            text.push_str(match name {
                "or" | "and" | "not.or" => "(",
                _ => "",
            });
            for _ in 0..next(9) {
                text.push_str(PIECES[next(PIECES.len())]);
            }
        }
        super::fuzz::requests(text.as_bytes());
    }
}

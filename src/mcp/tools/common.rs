//! Arguments that several tools take, and schemas that several answer.

use serde_json::{Value, json};

use super::super::tool::{Argument, Kind};

/// The collection that it is about.
pub const COLLECTION: Argument = Argument { name: "collection", kind: Kind::Text, about: "the collection's name" };
/// One row.
pub const KEY: Argument = Argument { name: "key", kind: Kind::Key, about: "the key of one row" };
/// Several rows.
pub const KEYS: Argument = Argument { name: "keys", kind: Kind::Keys, about: "the keys of several rows" };
/// What is written.
pub const DATA: Argument = Argument { name: "data", kind: Kind::Rows, about: "what is written: field → value, or an array of such rows" };
/// Which fields are answered.
pub const FIELDS: Argument = Argument { name: "fields", kind: Kind::Names, about: "the fields to answer; all that may be read without" };
/// Which rows.
pub const FILTER: Argument = Argument {
    name: "filter",
    kind: Kind::Filter,
    about: "conditions such as {\"status\": {\"_eq\": \"open\"}}, with _and and _or, and operators such as _neq, _lt, _gte, _in, _null, \
            _contains, _icontains, _starts_with, _between",
};
/// A query as one object.
pub const QUERY: Argument = Argument {
    name: "query",
    kind: Kind::Object,
    about: "the query as one object: {fields, filter, sort, limit, page, search}; where rows are written or deleted, which ones",
};
/// Text that is looked for.
pub const SEARCH: Argument = Argument { name: "search", kind: Kind::Text, about: "a text that one of the fields holds" };
/// How many rows at most.
pub const LIMIT: Argument =
    Argument { name: "limit", kind: Kind::Whole(-1, 1_000_000), about: "rows at most; 25 without, -1 for all that one read answers" };
/// One name means one kind of thing in a tool that has both sorts of pages.
const PAGE_NUMBER: Kind = Kind::Whole(1, 1_000_000);
/// What reads take beside each other.
pub const READ: &[Argument] = &[
    FIELDS,
    FILTER,
    LIMIT,
    Argument { name: "page", kind: PAGE_NUMBER, about: "the page, from 1" },
    Argument { name: "offset", kind: Kind::Whole(0, i64::MAX), about: "rows to leave out, in place of `page`" },
    SEARCH,
    QUERY,
    Argument { name: "sort", kind: Kind::Names, about: "fields to sort by; `-` before a name turns its order round" },
    Argument { name: "meta", kind: Kind::Names, about: "counts to answer: `total_count`, `filter_count`, or `*`" },
];
/// The same for a tool in which `sort` and `meta` are something else: both stand in `query` there.
pub const READ_BY_QUERY: &[Argument] = READ.split_at(READ.len() - 2).0;
/// The key of what has rows of its own.
pub const ID: Argument = Argument { name: "id", kind: Kind::Text, about: "its id" };
/// For which version a change holds.
pub const ETAG: Argument = Argument {
    name: "etag",
    kind: Kind::Text,
    about: "the version that the change builds on, from `meta` of `read`: it is refused if somebody else changed it meanwhile",
};
/// A page of what is kept by time.
pub const PAGE: &[Argument] = &[
    Argument { name: "limit", kind: Kind::Whole(-1, 1_000_000), about: "entries at most, 25 without" },
    Argument { name: "page", kind: PAGE_NUMBER, about: "the page, from 1; the last first" },
];

/// A row, or an array of them.
pub fn rows() -> Value {
    json!({
        "type": ["object", "array", "null"],
        "items": { "type": ["object", "string", "integer"] },
        "description": "a row where `key` or `id` names one, else an array of rows; of a delete, the keys that went",
    })
}

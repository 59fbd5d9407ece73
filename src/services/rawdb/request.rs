//! One request of the raw client, read: method, path, parameters and headers → what the database is asked.

use serde_json::{Map, Value};

use super::refusal::{clip, refuse};
use super::scan::{Scan, Unreadable};
use super::{filter, select};
use crate::db::postgrest::plan::{Action, Call, Cond, Conflict, Embed, Insert, Item, Node, Path};
use crate::db::postgrest::{Count, is_system};
use crate::error::Result;
use crate::json;

/// Embeds that a filter's name leads through at most.
const MAX_LEVELS: usize = 32;

/// A request as it was sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`, `PATCH` or `DELETE`.
    pub method: String,
    /// `/articles` or `/rpc/name`, not escaped.
    pub path: String,
    /// Names and values in order, not escaped.
    pub params: Vec<(String, String)>,
    /// `Prefer`.
    pub prefer: String,
    /// `Accept`.
    pub accept: String,
    /// `Range`.
    pub range: String,
    /// The body, JSON.
    pub body: Option<String>,
}

/// What was asked for.
pub(super) struct Asked {
    pub target: String,
    pub node: Node,
    pub what: What,
    pub prefer: Prefer,
    pub form: Form,
}

/// With what.
pub(super) enum What {
    Table(Action),
    Function(Call),
}

/// What the header `Prefer` says.
#[derive(Debug, Default)]
pub(super) struct Prefer {
    pub count: Option<Count>,
    pub representation: bool,
    pub max_affected: Option<u64>,
    ignore_duplicates: Option<bool>,
    missing_is_default: bool,
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Form {
    pub kind: Kind,
    /// Members that are null are left out.
    pub without_nulls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Rows,
    One,
    Csv,
}

impl Request {
    /// Whether it only reads.
    pub fn only_reads(&self) -> bool {
        matches!(&self.method[..], "GET" | "HEAD")
    }

    /// The table or function, for the log.
    pub fn target(&self) -> &str {
        target(&self.path)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What can't be read, in the words of PostgREST.
    pub(super) fn read(&self) -> Result<Asked> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        let prefer = prefer(&self.prefer)?;
        let form = accept(&self.accept)?;
        let (function, target) = match path.strip_prefix("rpc/") {
            Some(name) => (true, name),
            None => (false, path),
        };
        if target.is_empty() {
            return Err(refuse("PGRST125", "Invalid path specified in request URL", None));
        }
        let mut params = Params::default();
        for (name, value) in &self.params {
            params.take(name, value, function && self.only_reads())?;
        }
        let what = if function { What::Function(self.call(&mut params)?) } else { What::Table(self.action(&params, &prefer)?) };
        if !matches!(what, What::Table(Action::Insert(_))) && params.on_conflict.is_some() {
            return Err(refuse("PGRST100", "`on_conflict` is for inserts", None));
        }
        let mut node = params.finish()?;
        if let What::Table(Action::Insert(_) | Action::Update(_) | Action::Delete) = &what
            && (node.limit.is_some() || node.offset > 0)
        {
            let details = "Which rows are written is what filters say".to_owned();
            return Err(refuse("PGRST109", "A write can't be limited by `limit` and `offset`", Some(details)));
        }
        self.narrow(&mut node)?;
        Ok(Asked { target: target.to_owned(), node, what, prefer, form })
    }

    /// `Range: 0-9` narrows what the parameters leave.
    fn narrow(&self, node: &mut Node) -> Result<()> {
        let text = self.range.trim();
        if text.is_empty() || self.method != "GET" {
            return Ok(());
        }
        let wrong = || {
            refuse("PGRST103", "Requested range not satisfiable", Some(format!("The header Range is not of the form 0-9: {}", clip(text))))
        };
        let (from, to) = text.strip_prefix("items=").unwrap_or(text).split_once('-').ok_or_else(wrong)?;
        let from: u64 = from.parse().map_err(|_| wrong())?;
        node.offset = node.offset.saturating_add(from);
        if !to.is_empty() {
            let to: u64 = to.parse().map_err(|_| wrong())?;
            let rows = to.saturating_add(1).checked_sub(from).filter(|rows| *rows > 0).ok_or_else(wrong)?;
            node.limit = Some(node.limit.unwrap_or(u64::MAX).min(rows));
        }
        Ok(())
    }

    fn action(&self, params: &Params, prefer: &Prefer) -> Result<Action> {
        match &self.method[..] {
            "GET" | "HEAD" => Ok(Action::Read),
            "DELETE" => Ok(Action::Delete),
            "POST" => {
                let rows = match self.body()? {
                    Value::Object(row) => vec![row],
                    Value::Array(rows) => rows.into_iter().map(object).collect::<Result<_>>()?,
                    _ => return Err(not_rows()),
                };
                let by_column = params.on_conflict.clone();
                let conflict = match (prefer.ignore_duplicates, by_column) {
                    (Some(ignore), columns) => Some(Conflict { columns, ignore }),
                    (None, _) => None,
                };
                Ok(Action::Insert(Insert {
                    columns: params.columns.clone(),
                    rows,
                    missing_is_default: prefer.missing_is_default,
                    conflict,
                }))
            }
            "PATCH" => {
                let mut changes = match self.body()? {
                    Value::Array(mut rows) if rows.len() == 1 => object(rows.remove(0))?,
                    other => object(other)?,
                };
                if let Some(columns) = &params.columns {
                    changes.retain(|name, _| columns.contains(name));
                }
                Ok(Action::Update(changes))
            }
            _ => Err(refuse("PGRST117", format!("Unsupported HTTP method: {}", clip(&self.method)), None)),
        }
    }

    fn call(&self, params: &mut Params) -> Result<Call> {
        match &self.method[..] {
            "GET" | "HEAD" => Ok(Call { args: std::mem::take(&mut params.args), may_write: false }),
            "POST" => match self.body()? {
                Value::Object(args) => Ok(Call { args, may_write: true }),
                _ => Err(refuse("PGRST102", "The arguments of a function are a JSON object", None)),
            },
            _ => Err(refuse("PGRST101", "Functions are called by GET, HEAD or POST", None)),
        }
    }

    fn body(&self) -> Result<Value> {
        match self.body.as_deref() {
            Some(text) if !text.is_empty() => {
                json::from_text(text).map_err(|e| if e.class() == 413 { e } else { refuse("PGRST102", "Empty or invalid json", None) })
            }
            _ if self.path.starts_with("/rpc/") => Ok(Value::Object(Map::new())),
            _ => Err(refuse("PGRST102", "Empty or invalid json", None)),
        }
    }
}

fn target(path: &str) -> &str {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_prefix("rpc/").unwrap_or(path)
}

/// Whether a request to `path` that selects `selects` names a table of the host: then it needs a capability of its own. What foreign keys
/// lead there by other names is refused when it is known.
pub fn names_system<'a>(path: &str, mut selects: impl Iterator<Item = &'a str>) -> bool {
    fn named(items: &[Item]) -> bool {
        items.iter().any(|item| match item {
            Item::Embed(Embed { target, hint, node, .. }) => {
                [Some(target), hint.as_ref()].into_iter().flatten().any(|name| is_system(name)) || named(&node.select)
            }
            _ => false,
        })
    }
    is_system(target(path)) || selects.any(|text| select::parse(text).is_ok_and(|items| named(&items)))
}

fn not_rows() -> crate::error::Error {
    refuse("PGRST102", "The rows are a JSON object, or an array of them", None)
}

fn object(value: Value) -> Result<Map<String, Value>> {
    match value {
        Value::Object(row) => Ok(row),
        _ => Err(not_rows()),
    }
}

/// What the parameters say, taken one after the other.
#[derive(Default)]
struct Params {
    node: Node,
    has_select: bool,
    columns: Option<Vec<String>>,
    on_conflict: Option<Vec<String>>,
    args: Map<String, Value>,
    /// What is said of embeds, by the way to them.
    inside: Vec<(Vec<String>, Part)>,
}

/// One thing said of a node.
enum Part {
    Filter(Cond),
    Order(Vec<crate::db::postgrest::plan::Order>),
    Limit(u64),
    Offset(u64),
}

impl Params {
    fn take(&mut self, name: &str, value: &str, has_args: bool) -> Result<()> {
        match name {
            "select" => {
                self.node.select = select::parse(value)?;
                self.has_select = true;
                return Ok(());
            }
            "columns" => {
                self.columns = Some(names(value)?);
                return Ok(());
            }
            "on_conflict" => {
                self.on_conflict = Some(names(value)?);
                return Ok(());
            }
            _ => {}
        }
        let (mut way, last) = key(name)?;
        let part = match last {
            Last::Word("order") => Part::Order(select::order(value)?),
            Last::Word("limit") => Part::Limit(number(name, value)?),
            Last::Word("offset") => Part::Offset(number(name, value)?),
            Last::Word(word) => {
                let negated = word == "not" || way.last().is_some_and(|w| w == "not");
                if way.last().is_some_and(|w| w == "not") {
                    way.pop();
                }
                let cond = filter::logic(word == "or", value)?;
                Part::Filter(if negated { Cond::Not(Box::new(cond)) } else { cond })
            }
            Last::Column(path) => {
                if has_args && way.is_empty() && path.steps.is_empty() && !filter::is_filter(value) {
                    self.args.insert(path.name, Value::from(value));
                    return Ok(());
                }
                Part::Filter(filter::parse(path, value)?)
            }
        };
        self.inside.push((way, part));
        Ok(())
    }

    fn finish(self) -> Result<Node> {
        let mut node = self.node;
        if !self.has_select {
            node.select = vec![Item::Star];
        }
        for (way, part) in self.inside {
            let mut at = &mut node;
            for name in &way {
                at = embed(at, name)?;
            }
            match part {
                Part::Filter(cond) => at.filters.push(cond),
                Part::Order(steps) => at.order = steps,
                Part::Limit(limit) => at.limit = Some(limit),
                Part::Offset(offset) => at.offset = offset,
            }
        }
        Ok(node)
    }
}

/// The embed of that name; by its target's name also where it has an alias.
fn embed<'n>(node: &'n mut Node, name: &str) -> Result<&'n mut Node> {
    let named = |by_alias: bool| {
        move |item: &Item| match item {
            Item::Embed(embed) => {
                if by_alias {
                    embed.name() == name
                } else {
                    embed.target == name
                }
            }
            _ => false,
        }
    };
    let at = node.select.iter().position(named(true)).or_else(|| node.select.iter().position(named(false)));
    match at.and_then(|at| node.select.get_mut(at)) {
        Some(Item::Embed(embed)) => Ok(&mut embed.node),
        _ => Err(refuse("PGRST108", format!("'{}' is not an embedded resource in this request", clip(name)), None)),
    }
}

/// The last part of a parameter's name.
enum Last<'a> {
    Word(&'a str),
    Column(Path),
}

/// `author.books.title` → the way through embeds, and what is there.
fn key(name: &str) -> Result<(Vec<String>, Last<'_>)> {
    let wrong = |_: Unreadable| refuse("PGRST100", format!("\"failed to parse tree path ({})\"", clip(name)), None);
    let mut scan = Scan::new(name);
    let mut way = Vec::new();
    loop {
        let rest = scan.rest();
        if let Some(word) = ["order", "limit", "offset", "or", "and"].into_iter().find(|word| *word == rest) {
            return Ok((way, Last::Word(word)));
        }
        let path = scan.path().map_err(wrong)?;
        if scan.is_done() {
            return Ok((way, Last::Column(path)));
        }
        if !path.steps.is_empty() || !scan.eat(".") || way.len() >= MAX_LEVELS {
            return Err(wrong(Unreadable));
        }
        way.push(path.name);
    }
}

fn number(name: &str, value: &str) -> Result<u64> {
    value
        .parse()
        .map_err(|_| refuse("PGRST100", format!("`{}` is a whole number that isn't negative, not: {}", clip(name), clip(value)), None))
}

/// Names with commas between them.
fn names(text: &str) -> Result<Vec<String>> {
    let wrong = |_: Unreadable| refuse("PGRST100", format!("\"failed to parse columns parameter ({})\"", clip(text)), None);
    let mut scan = Scan::new(text);
    let mut names = Vec::new();
    while !scan.is_done() {
        names.push(if scan.peek("\"") {
            column_in_quotes(&mut scan).map_err(wrong)?
        } else {
            scan.until(|c| c == ',').trim_matches(' ').to_owned()
        });
        if !scan.is_done() {
            scan.expect(",").map_err(wrong)?;
        }
    }
    Ok(names)
}

/// The client puts names into quotes as they are: the quote that ends one is followed by a comma or nothing.
fn column_in_quotes(scan: &mut Scan<'_>) -> super::scan::Read<String> {
    let rest = scan.rest().get(1..).ok_or(Unreadable)?;
    let end = rest.find("\",").or_else(|| rest.strip_suffix('"').map(str::len)).ok_or(Unreadable)?;
    let name = rest[..end].to_owned();
    scan.eat(&format!("\"{name}\""));
    Ok(name)
}

fn prefer(text: &str) -> Result<Prefer> {
    let mut prefer = Prefer::default();
    let (mut strict, mut most) = (false, None);
    for token in text.split(',').map(str::trim).filter(|token| !token.is_empty()) {
        match token.split_once('=').unwrap_or((token, "")) {
            ("count", "exact") => prefer.count = Some(Count::Exact),
            ("count", "planned") => prefer.count = Some(Count::Planned),
            ("count", "estimated") => prefer.count = Some(Count::Estimated),
            ("return", "representation") => prefer.representation = true,
            ("return", "minimal" | "headers-only") => prefer.representation = false,
            ("resolution", "merge-duplicates") => prefer.ignore_duplicates = Some(false),
            ("resolution", "ignore-duplicates") => prefer.ignore_duplicates = Some(true),
            ("missing", "default") => prefer.missing_is_default = true,
            ("handling", "strict") => strict = true,
            ("max-affected", number) => most = number.parse().ok(),
            ("tx", "rollback") => {
                return Err(refuse("PGRST122", "`tx=rollback` is not supported: throw inside services.transaction() instead", None));
            }
            _ => {}
        }
    }
    // As PostgREST has it: without strictness it is a wish.
    prefer.max_affected = most.filter(|_| strict);
    Ok(prefer)
}

fn accept(text: &str) -> Result<Form> {
    let mut parts = text.split(';').map(str::trim);
    let kind = match parts.next().unwrap_or_default() {
        "" | "*/*" | "application/json" | "application/vnd.pgrst.array+json" => Kind::Rows,
        "application/vnd.pgrst.object+json" | "application/vnd.pgrst.object" => Kind::One,
        "text/csv" => Kind::Csv,
        other => return Err(refuse("PGRST107", format!("None of these media types are available: {}", clip(other)), None)),
    };
    Ok(Form { kind, without_nulls: parts.any(|part| part == "nulls=stripped") })
}

//! `select=id,title,author:users!author_id(name)` and `order=…`.

use super::refusal::refuse;
use super::scan::{Read, Scan, Unreadable};
use crate::db::postgrest::plan::{Aggregate, Cast, Embed, Item, Node, Order, Selected};
use crate::error::Result;

/// Levels of brackets at most; the statements have a smaller limit of their own.
const MAX_DEPTH: usize = 32;

/// Reads what is selected.
///
/// # Errors
/// `PGRST100`.
pub(super) fn parse(text: &str) -> Result<Vec<Item>> {
    let mut scan = Scan::new(text);
    let items = items(&mut scan, 0);
    match items {
        Ok(items) if scan.is_done() => Ok(items),
        _ => {
            let at = text.chars().count() - scan.rest().chars().count() + 1;
            let message = format!("\"failed to parse select parameter ({})\" (line 1, column {at})", super::refusal::clip(text));
            Err(refuse("PGRST100", message, None))
        }
    }
}

fn items(scan: &mut Scan<'_>, depth: usize) -> Read<Vec<Item>> {
    let mut items = Vec::new();
    scan.spaces();
    if depth > MAX_DEPTH || scan.is_done() || scan.peek(")") {
        return if depth > MAX_DEPTH { Err(Unreadable) } else { Ok(items) };
    }
    loop {
        scan.spaces();
        items.push(item(scan, depth)?);
        scan.spaces();
        if !scan.eat(",") {
            return Ok(items);
        }
    }
}

fn item(scan: &mut Scan<'_>, depth: usize) -> Read<Item> {
    if scan.eat("...") {
        let Item::Embed(embed) = named(scan, depth, None)? else { return Err(Unreadable) };
        return Ok(Item::Embed(Embed { spread: true, ..embed }));
    }
    if scan.eat("*") {
        return Ok(Item::Star);
    }
    if scan.eat("count()") {
        return Ok(Item::Column(Selected { column: None, alias: None, cast: cast(scan)?, aggregate: Some(Aggregate::Count) }));
    }
    named(scan, depth, None)
}

fn named(scan: &mut Scan<'_>, depth: usize, alias: Option<String>) -> Read<Item> {
    if alias.is_some() && scan.eat("count()") {
        return Ok(Item::Column(Selected { column: None, alias, cast: cast(scan)?, aggregate: Some(Aggregate::Count) }));
    }
    let path = scan.path()?;
    scan.spaces();
    if alias.is_none() && path.steps.is_empty() && scan.peek(":") && !scan.peek("::") {
        scan.eat(":");
        scan.spaces();
        return named(scan, depth, Some(path.name));
    }
    if path.steps.is_empty() && (scan.peek("!") || scan.peek("(")) {
        let mut embed = Embed { target: path.name, alias, ..Embed::default() };
        while scan.eat("!") {
            match scan.name()? {
                word if word == "inner" => embed.inner = true,
                word if word == "left" => {}
                hint => embed.hint = Some(hint),
            }
        }
        scan.expect("(")?;
        embed.node = Node { select: items(scan, depth + 1)?, ..Node::default() };
        scan.expect(")")?;
        return Ok(Item::Embed(embed));
    }
    let mut aggregate = None;
    for function in [Aggregate::Count, Aggregate::Sum, Aggregate::Avg, Aggregate::Max, Aggregate::Min] {
        if scan.eat(&format!(".{}()", function.name())) {
            aggregate = Some(function);
            break;
        }
    }
    let cast = cast(scan)?;
    Ok(Item::Column(Selected { column: Some(path), alias, cast, aggregate }))
}

fn cast(scan: &mut Scan<'_>) -> Read<Option<Cast>> {
    if !scan.eat("::") {
        return Ok(None);
    }
    let name = scan.name()?.to_ascii_lowercase();
    Cast::NAMES.iter().find(|(known, _)| *known == name).map(|(_, cast)| Some(*cast)).ok_or(Unreadable)
}

/// Reads `title.desc.nullslast,author(name)`.
///
/// # Errors
/// `PGRST100`.
pub(super) fn order(text: &str) -> Result<Vec<Order>> {
    let mut scan = Scan::new(text);
    let wrong = || refuse("PGRST100", format!("\"failed to parse order ({})\"", super::refusal::clip(text)), None);
    let mut steps = Vec::new();
    loop {
        scan.spaces();
        steps.push(step(&mut scan).map_err(|_| wrong())?);
        scan.spaces();
        if scan.is_done() {
            return Ok(steps);
        }
        scan.expect(",").map_err(|_| wrong())?;
    }
}

fn step(scan: &mut Scan<'_>) -> Read<Order> {
    let mut column = scan.path()?;
    let mut embed = None;
    if column.steps.is_empty() && scan.eat("(") {
        embed = Some(column.name);
        column = scan.path()?;
        scan.expect(")")?;
    }
    let mut order = Order { column, embed, descending: false, nulls_first: None };
    if scan.eat(".desc") {
        order.descending = true;
    } else {
        scan.eat(".asc");
    }
    if scan.eat(".nullsfirst") {
        order.nulls_first = Some(true);
    } else if scan.eat(".nullslast") {
        order.nulls_first = Some(false);
    }
    Ok(order)
}

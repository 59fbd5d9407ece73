//! `title=eq.a`, `or=(views.gt.5,and(a.is.null,b.not.in.(1,2)))` and their kin.

use super::refusal::{clip, refuse};
use super::scan::{Read, Scan, Unreadable};
use crate::db::postgrest::plan::{Compare, Cond, Container, Is, Op, Path, Quantifier, Search};
use crate::error::Result;

/// Levels of brackets at most.
const MAX_DEPTH: usize = 32;

/// Reads the value of a parameter whose name is a column.
///
/// # Errors
/// `PGRST100`.
pub(super) fn parse(path: Path, text: &str) -> Result<Cond> {
    let mut scan = Scan::new(text);
    match test(&mut scan, path, Ends::AtTheEnd) {
        Ok(cond) if scan.is_done() => Ok(cond),
        _ => {
            let details = "unexpected text; expected \"not\" or an operator (eq, neq, gt, gte, lt, lte, like, ilike, match, imatch, is, isdistinct, \
                           in, fts, plfts, phfts, wfts, cs, cd, ov, sl, sr, nxr, nxl, adj) with a dot and its value";
            Err(refuse("PGRST100", format!("\"failed to parse filter ({})\"", clip(text)), Some(details.to_owned())))
        }
    }
}

/// Whether a value is that of a filter, and not the argument of a function.
pub(super) fn is_filter(text: &str) -> bool {
    parse(Path::column("x"), text).is_ok()
}

/// Reads `(a.eq.1,b.eq.2)`.
///
/// # Errors
/// `PGRST100`.
pub(super) fn logic(any: bool, text: &str) -> Result<Cond> {
    let mut scan = Scan::new(text);
    match group(&mut scan, any, 0) {
        Ok(cond) if scan.is_done() => Ok(cond),
        _ => Err(refuse("PGRST100", format!("\"failed to parse logic tree ({})\"", clip(text)), None)),
    }
}

fn group(scan: &mut Scan<'_>, any: bool, depth: usize) -> Read<Cond> {
    if depth > MAX_DEPTH {
        return Err(Unreadable);
    }
    scan.expect("(")?;
    let mut parts = Vec::new();
    loop {
        scan.spaces();
        parts.push(member(scan, depth)?);
        scan.spaces();
        if scan.eat(")") {
            return Ok(if any { Cond::Or(parts) } else { Cond::And(parts) });
        }
        scan.expect(",")?;
    }
}

fn member(scan: &mut Scan<'_>, depth: usize) -> Read<Cond> {
    for (word, negated, any) in [("not.and(", true, false), ("not.or(", true, true), ("and(", false, false), ("or(", false, true)] {
        if scan.peek(word) {
            scan.eat(&word[..word.len() - 1]);
            let inner = group(scan, any, depth + 1)?;
            return Ok(if negated { Cond::Not(Box::new(inner)) } else { inner });
        }
    }
    let path = scan.path()?;
    scan.expect(".")?;
    test(scan, path, Ends::AtComma)
}

/// Where a value ends.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    /// It is all that is left.
    AtTheEnd,
    /// At a comma or a closing bracket.
    AtComma,
}

fn test(scan: &mut Scan<'_>, path: Path, ends: Ends) -> Read<Cond> {
    let negated = scan.eat("not.");
    let op = operation(scan, ends)?;
    let cond = Cond::Test(path, op);
    Ok(if negated { Cond::Not(Box::new(cond)) } else { cond })
}

fn operation(scan: &mut Scan<'_>, ends: Ends) -> Read<Op> {
    let word = scan.until(|c| c == '.' || c == '(').to_owned();
    let option = if scan.eat("(") {
        let option = scan.until(|c| c == ')').to_owned();
        scan.expect(")")?;
        Some(option)
    } else {
        None
    };
    scan.expect(".")?;
    if let Some(search) = Search::parse(&word) {
        return Ok(Op::Search(search, option, value(scan, ends)?));
    }
    match (&word[..], option.as_deref()) {
        ("in", None) => {
            scan.expect("(")?;
            if ends == Ends::AtTheEnd && !scan.rest().ends_with(')') {
                return Err(Unreadable);
            }
            return Ok(Op::In(scan.list()?));
        }
        ("is", None) => {
            let value = value(scan, ends)?;
            return Is::parse(&value.to_ascii_lowercase()).map(Op::Is).ok_or(Unreadable);
        }
        _ => {}
    }
    if let (Some(container), None) = (Container::parse(&word), &option) {
        return Ok(Op::Container(container, value(scan, ends)?));
    }
    let compare = Compare::parse(&word).ok_or(Unreadable)?;
    let quantifier = match option.as_deref() {
        None => return Ok(Op::Compare(compare, value(scan, ends)?)),
        Some("any") => Quantifier::Any,
        Some("all") => Quantifier::All,
        Some(_) => return Err(Unreadable),
    };
    let has_no_several = matches!(compare, Compare::Neq | Compare::Distinct);
    if has_no_several { Err(Unreadable) } else { Ok(Op::Quantified(compare, quantifier, scan.array()?)) }
}

fn value(scan: &mut Scan<'_>, ends: Ends) -> Read<String> {
    if ends == Ends::AtTheEnd {
        return Ok(scan.until(|_| false).to_owned());
    }
    if scan.peek("{") {
        // An array, or an object of JSON: up to the bracket that closes it.
        return braces(scan);
    }
    scan.item(|c| c == ',' || c == ')')
}

fn braces(scan: &mut Scan<'_>) -> Read<String> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, c) in scan.rest().char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => depth += 1,
            '}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    let found = scan.rest()[..=at].to_owned();
                    scan.eat(&found);
                    return Ok(found);
                }
            }
            _ => {}
        }
    }
    Err(Unreadable)
}

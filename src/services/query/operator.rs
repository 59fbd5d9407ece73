//! Operators of filters, as callers write them.

use serde_json::Value;

use super::words::{clip, nearest, show, values};
use crate::db::{Op, TextMatch, TextPlace};

pub(super) fn equal(value: &Value) -> Op {
    if value.is_null() { Op::Null } else { Op::Eq(value.clone()) }
}

/// Every operator that a field has.
pub(super) const OPERATORS: &[&str] = &[
    "_eq",
    "_neq",
    "_lt",
    "_lte",
    "_gt",
    "_gte",
    "_in",
    "_nin",
    "_null",
    "_nnull",
    "_contains",
    "_ncontains",
    "_icontains",
    "_nicontains",
    "_starts_with",
    "_nstarts_with",
    "_istarts_with",
    "_nistarts_with",
    "_ends_with",
    "_nends_with",
    "_iends_with",
    "_niends_with",
    "_between",
    "_nbetween",
    "_empty",
    "_nempty",
    "_regex",
];

/// The operator of that name with its operand, or a fragment that says why not.
pub(super) fn operator_of(operator: &str, operand: &Value) -> Result<Op, String> {
    if let Some(matching) = text_match(operator) {
        let needle = match operand {
            Value::String(text) => text.clone(),
            other => return Err(format!("`{operator}` takes a text, not: {}", show(other))),
        };
        if needle.contains('\0') {
            return Err(format!("`{operator}` must not contain the character U+0000"));
        }
        let (place, fold, negate) = matching;
        return Ok(Op::Text(TextMatch { text: needle, place, fold, negate }));
    }
    let flag = |yes: Op, no: Op| match operand {
        Value::Bool(true) | Value::Null => Ok(yes),
        Value::Bool(false) => Ok(no),
        Value::String(text) if matches!(text.as_str(), "true" | "1" | "") => Ok(yes),
        Value::String(text) if matches!(text.as_str(), "false" | "0") => Ok(no),
        other => Err(format!("`{operator}` takes true or false, not: {}", show(other))),
    };
    let scalar = || match operand {
        Value::Array(_) | Value::Object(_) => Err(format!("`{operator}` takes one value, not: {}", show(operand))),
        value => Ok(value.clone()),
    };
    let present = || match scalar()? {
        Value::Null => Err(format!("`{operator}` takes a value, not null; use `_null` or `_nnull`")),
        value => Ok(value),
    };
    let pair = || match values(operand)?.as_slice() {
        [low, high] if !low.is_null() && !high.is_null() => Ok((low.clone(), high.clone())),
        _ => Err(format!("`{operator}` takes two values, as in [1, 5], not: {}", show(operand))),
    };
    Ok(match operator {
        "_eq" => equal(&scalar()?),
        "_neq" if operand.is_null() => Op::NotNull,
        "_neq" => Op::Neq(scalar()?),
        "_lt" => Op::Lt(present()?),
        "_lte" => Op::Lte(present()?),
        "_gt" => Op::Gt(present()?),
        "_gte" => Op::Gte(present()?),
        "_in" => Op::In(values(operand)?),
        "_nin" => Op::Nin(values(operand)?),
        "_null" => flag(Op::Null, Op::NotNull)?,
        "_nnull" => flag(Op::NotNull, Op::Null)?,
        "_empty" => flag(Op::Empty, Op::NotEmpty)?,
        "_nempty" => flag(Op::NotEmpty, Op::Empty)?,
        "_between" => pair().map(|(low, high)| Op::Between(low, high))?,
        "_nbetween" => pair().map(|(low, high)| Op::NotBetween(low, high))?,
        "_regex" => match operand {
            Value::String(pattern) => Op::Regex(pattern.clone()),
            other => return Err(format!("`_regex` takes a text, not: {}", show(other))),
        },
        other => return Err(format!("there is no operator `{}`{}", clip(other), nearest(other, OPERATORS.iter().copied()))),
    })
}

fn text_match(operator: &str) -> Option<(TextPlace, bool, bool)> {
    let name = operator.strip_prefix('_')?;
    let place = |name: &str| match name {
        "contains" => Some(TextPlace::Anywhere),
        "starts_with" => Some(TextPlace::Start),
        "ends_with" => Some(TextPlace::End),
        _ => None,
    };
    [("", false, false), ("n", false, true), ("i", true, false), ("ni", true, true)]
        .into_iter()
        .find_map(|(prefix, fold, negate)| Some((place(name.strip_prefix(prefix)?)?, fold, negate)))
}

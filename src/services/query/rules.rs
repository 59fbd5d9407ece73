//! Which items count: the row rules of the caller's permissions, put into every place of a query where items are looked at.
//!
//! A step through a relation finds only items that the caller may see; one that is hidden behaves as missing. Called between the parser
//! and the database, for the caller's words and for what hooks made of them alike.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::auth::Action;
use crate::db::{Collection, Filter, Hop, Operand, Query};
use crate::error::Result;
use crate::services::Ctx;

/// Puts the rules into a query over the items of `collection`: for the items themselves and for all that the query reaches.
///
/// # Errors
/// What [`Ctx::row_rule`] says.
pub async fn hold_query(ctx: &Ctx, collection: &Arc<Collection>, query: &mut Query) -> Result<()> {
    let mut hops = Vec::new();
    query.filter.iter_mut().for_each(|filter| in_filter(filter, &mut hops));
    for sort in &mut query.sort {
        hops.extend(sort.path.iter_mut());
        in_operand(&mut sort.by, &mut hops);
    }
    hold_hops(ctx, hops).await?;
    let rule = ctx.row_rule(Action::Read, collection).await?;
    query.filter = Filter::both(query.filter.take(), rule);
    Ok(())
}

/// Puts the rules into values that count items.
///
/// # Errors
/// As [`hold_query`].
pub async fn hold<'q>(ctx: &Ctx, values: impl IntoIterator<Item = &'q mut Operand>) -> Result<()> {
    let mut hops = Vec::new();
    values.into_iter().for_each(|value| in_operand(value, &mut hops));
    hold_hops(ctx, hops).await
}

async fn hold_hops(ctx: &Ctx, hops: Vec<&mut Hop>) -> Result<()> {
    let reached: BTreeMap<String, Arc<Collection>> = hops.iter().map(|hop| (hop.to.name.clone(), Arc::clone(&hop.to))).collect();
    let mut rules: HashMap<String, Filter> = HashMap::new();
    for (name, collection) in reached {
        // Where the caller has no rights at all only a hook can have led: its conditions may use any field.
        if ctx.granted(Action::Read, &collection).is_ok()
            && let Some(rule) = ctx.row_rule(Action::Read, &collection).await?
        {
            rules.insert(name, rule);
        }
    }
    for hop in hops {
        hop.rule = rules.get(&hop.to.name).map(|rule| Box::new(rule.clone()));
    }
    Ok(())
}

fn in_operand<'q>(value: &'q mut Operand, hops: &mut Vec<&'q mut Hop>) {
    if let Operand::Count(hop) = value {
        hops.push(hop);
    }
}

fn in_filter<'q>(filter: &'q mut Filter, hops: &mut Vec<&'q mut Hop>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(|part| in_filter(part, hops)),
        Filter::Not(inner) => in_filter(inner, hops),
        Filter::Made { of, .. } => in_operand(of, hops),
        Filter::Some(hop, inner) => {
            hops.push(hop);
            in_filter(inner, hops);
        }
        Filter::Field { .. } | Filter::Const(_) => {}
    }
}

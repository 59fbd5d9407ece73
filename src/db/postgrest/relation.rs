//! How one relation leads to another: the foreign key or the junction that an embed means.

use super::catalog::{Catalog, ForeignKey, Table, is_system};
use super::compile::Compiler;
use super::plan::Embed;
use super::refusal::{self, clip, refuse};
use super::text::Text;
use crate::error::Result;

/// A way from a row to rows of another relation.
#[derive(Debug, Clone)]
pub(super) struct Relation<'a> {
    pub(super) target: &'a Table,
    /// Any number of rows, instead of one at most.
    pub(super) many: bool,
    via: Via<'a>,
}

#[derive(Debug, Clone)]
enum Via<'a> {
    /// The row refers to the target.
    Out(&'a ForeignKey),
    /// The target refers to the row.
    In(&'a ForeignKey),
    /// Rows of a third table refer to both.
    Junction { to_row: &'a ForeignKey, to_target: &'a ForeignKey },
}

impl<'a> Compiler<'a> {
    /// The one way from `parent` that `embed` means.
    ///
    /// # Errors
    /// `PGRST200` for none, `PGRST201` for several.
    pub(super) fn relation(&self, parent: &str, embed: &Embed) -> Result<Relation<'a>> {
        let catalog = self.catalog;
        let mut found = direct(catalog, parent, embed);
        if found.is_empty() {
            found = junctions(catalog, parent, embed);
        }
        // A table that refers to itself: the column's own name leads out, as a hint it leads back.
        if found.len() > 1
            && let Some(at) = found.iter().position(|r| embed.hint.is_some() && r.target.name == parent && matches!(r.via, Via::In(_)))
        {
            found = vec![found.swap_remove(at)];
        }
        match found.len() {
            1 => {
                let relation = found.swap_remove(0);
                self.admit(&relation.target.name)?;
                if let Via::Junction { to_row, .. } = &relation.via {
                    self.admit(&to_row.table)?;
                }
                Ok(relation)
            }
            0 => Err(no_relation(catalog, parent, embed)),
            _ => {
                let ways: Vec<String> = found.iter().map(Relation::describe).collect();
                let details = Some(ways.join("; "));
                let hint =
                    Some(format!("Try changing '{0}' to one that names the way, such as '{0}!{1}'", clip(&embed.target), found[0].hint()));
                let message =
                    format!("Could not embed because more than one relationship was found for '{parent}' and '{}'", clip(&embed.target));
                Err(refuse("PGRST201", message, details, hint))
            }
        }
    }

    /// Refuses the host's own tables to those who weren't granted them.
    pub(super) fn admit(&self, table: &str) -> Result<()> {
        if is_system(table) && !self.system { Err(refusal::not_granted(table)) } else { Ok(()) }
    }
}

fn direct<'a>(catalog: &'a Catalog, parent: &str, embed: &Embed) -> Vec<Relation<'a>> {
    let mut found = Vec::new();
    for key in &catalog.keys {
        let named = |table: &str, is_out: bool| {
            let by_column = is_out && matches!(&key.columns[..], [column] if *column == embed.target);
            table == embed.target || key.name == embed.target || by_column
        };
        let hinted = |hint: &String| key.name == *hint || key.columns == [hint.as_str()];
        if !embed.hint.as_ref().is_none_or(hinted) {
            continue;
        }
        if key.table == parent
            && named(&key.target, true)
            && let Some(target) = catalog.tables.get(&key.target)
        {
            found.push(Relation { target, many: false, via: Via::Out(key) });
        }
        if key.target == parent
            && named(&key.table, false)
            && let Some(target) = catalog.tables.get(&key.table)
        {
            found.push(Relation { target, many: !catalog.is_unique(&key.table, &key.columns), via: Via::In(key) });
        }
    }
    found
}

/// Ways through a table whose rows refer to both. Those whose key is the two references come first.
fn junctions<'a>(catalog: &'a Catalog, parent: &str, embed: &Embed) -> Vec<Relation<'a>> {
    let (mut proper, mut others) = (Vec::new(), Vec::new());
    for to_row in catalog.keys.iter().filter(|key| key.target == parent) {
        for to_target in catalog.keys.iter().filter(|key| key.table == to_row.table && key.target == embed.target) {
            let same = to_row.columns == to_target.columns;
            let hinted = embed.hint.as_ref().is_none_or(|hint| [&to_row.table, &to_row.name, &to_target.name].contains(&hint));
            let (Some(target), Some(junction)) = (catalog.tables.get(&to_target.target), catalog.tables.get(&to_row.table)) else {
                continue;
            };
            if same || !hinted {
                continue;
            }
            let covered = to_row.columns.iter().chain(&to_target.columns).all(|c| junction.primary.contains(c));
            let relation = Relation { target, many: true, via: Via::Junction { to_row, to_target } };
            if covered { proper.push(relation) } else { others.push(relation) }
        }
    }
    if proper.is_empty() { others } else { proper }
}

fn no_relation(catalog: &Catalog, parent: &str, embed: &Embed) -> crate::error::Error {
    let message = format!("Could not find a relationship between '{parent}' and '{}' in the schema cache", clip(&embed.target));
    let hinted = embed.hint.as_ref().map(|hint| format!(" using the hint '{}'", clip(hint))).unwrap_or_default();
    let details = format!(
        "Searched for a foreign key relationship between '{parent}' and '{}'{hinted}, but no matches were found.",
        clip(&embed.target)
    );
    let known = catalog.keys.iter().filter(|k| k.table == parent || k.target == parent);
    let known = known.map(|k| if k.table == parent { k.target.as_str() } else { k.table.as_str() });
    let near = known.map(|k| (strsim::damerau_levenshtein(k, &clip(&embed.target)), k)).filter(|(distance, _)| *distance <= 3).min();
    refuse(
        "PGRST200",
        message,
        Some(details),
        near.map(|(_, near)| format!("Perhaps you meant '{near}' instead of '{}'.", clip(&embed.target))),
    )
}

impl Relation<'_> {
    /// `FROM`'s tables, and what joins them to the row that is called `parent`. The target is called `alias`.
    pub(super) fn join(&self, parent: &str, alias: &str) -> (Text, Text) {
        let (mut from, mut on) = (Text::default(), Text::default());
        from.name(&self.target.name).raw(" AS ").raw(alias);
        let equal = |on: &mut Text, pairs: (&str, &[String], &str, &[String])| {
            for (left, right) in pairs.1.iter().zip(pairs.3) {
                on.raw(if on.is_empty() { "" } else { " AND " }).column(pairs.0, left).raw(" = ").column(pairs.2, right);
            }
        };
        match &self.via {
            Via::Out(key) => equal(&mut on, (parent, &key.columns, alias, &key.target_columns)),
            Via::In(key) => equal(&mut on, (alias, &key.columns, parent, &key.target_columns)),
            Via::Junction { to_row, to_target } => {
                let junction = format!("{alias}_j");
                from.raw(", ").name(&to_row.table).raw(" AS ").raw(&junction);
                equal(&mut on, (&junction, &to_row.columns, parent, &to_row.target_columns));
                equal(&mut on, (&junction, &to_target.columns, alias, &to_target.target_columns));
            }
        }
        (from, on)
    }

    fn describe(&self) -> String {
        match &self.via {
            Via::Out(key) => format!("many-to-one using {} of {}({}) to {}", key.name, key.table, key.columns.join(", "), key.target),
            Via::In(key) => format!("one-to-many using {} of {}({}) to {}", key.name, key.table, key.columns.join(", "), key.target),
            Via::Junction { to_row, to_target } => {
                format!("many-to-many using {} with {} and {}", to_row.table, to_row.name, to_target.name)
            }
        }
    }

    fn hint(&self) -> &str {
        match &self.via {
            Via::Out(key) | Via::In(key) => &key.name,
            Via::Junction { to_row, .. } => &to_row.table,
        }
    }
}

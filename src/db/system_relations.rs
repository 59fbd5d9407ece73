//! How the system's own collections refer to each other, and the fields without a column that list what refers to them.
//!
//! Part of every schema, beside the collections of `system.rs`. The foreign keys are those that the migrations make.

use serde_json::Map;

use super::relation::{Deselect, OnDelete, Relation};
use super::{AliasField, Special};

/// Many collection, many field, one collection, one field, junction field, foreign key.
type Row = (&'static str, &'static str, &'static str, Option<&'static str>, Option<&'static str>, Option<OnDelete>);

const CASCADE: Option<OnDelete> = Some(OnDelete::Cascade);

const RELATIONS: &[Row] = &[
    ("daas_roles", "parent", "daas_roles", Some("children"), None, Some(OnDelete::SetNull)),
    ("daas_user_roles", "user", "daas_users", Some("roles"), Some("role"), CASCADE),
    ("daas_user_roles", "role", "daas_roles", Some("users"), Some("user"), CASCADE),
    ("daas_permissions", "policy", "daas_policies", Some("permissions"), None, CASCADE),
    ("daas_access", "role", "daas_roles", Some("policies"), Some("policy"), CASCADE),
    ("daas_access", "user", "daas_users", Some("policies"), Some("policy"), CASCADE),
    ("daas_access", "policy", "daas_policies", Some("roles"), Some("role"), CASCADE),
    // The same rows under another name: whom the policy is given to besides.
    ("daas_access", "policy", "daas_policies", Some("users"), Some("user"), CASCADE),
    ("daas_custom_services", "created_by", "daas_users", None, None, None),
    ("daas_custom_services", "updated_by", "daas_users", None, None, None),
    ("daas_extensions", "created_by", "daas_users", None, None, None),
    ("daas_extensions", "updated_by", "daas_users", None, None, None),
    ("daas_cron_jobs", "created_by", "daas_users", None, None, None),
    ("daas_cron_jobs", "updated_by", "daas_users", None, None, None),
];

/// The relations.
pub(super) fn all() -> impl Iterator<Item = Relation> {
    RELATIONS.iter().map(|(collection, field, related, one_field, junction_field, on_delete)| Relation {
        id: None,
        collection: (*collection).to_owned(),
        field: (*field).to_owned(),
        related: Some((*related).to_owned()),
        one_field: one_field.map(str::to_owned),
        one_collection_field: None,
        one_allowed: Vec::new(),
        junction_field: junction_field.map(str::to_owned),
        // Users, roles and policies have an order where a table has a column for it.
        sort_field: matches!(*collection, "daas_user_roles" | "daas_access").then(|| "sort".to_owned()),
        // A permission, or a policy's being given to somebody, is nothing by itself.
        deselect: if *on_delete == CASCADE { Deselect::Delete } else { Deselect::Nullify },
        on_delete: *on_delete,
        system: true,
        meta: Map::new(),
    })
}

/// The fields of `collection` that list what refers to it; they come after its `columns` columns.
pub(super) fn aliases(collection: &str, columns: usize) -> Vec<AliasField> {
    let listed = RELATIONS.iter().filter(|(_, _, related, ..)| *related == collection);
    let named = listed.filter_map(|(_, _, _, one_field, junction, _)| Some(((*one_field)?, junction.is_some())));
    let sorts = i32::try_from(columns).unwrap_or(i32::MAX)..;
    sorts
        .zip(named)
        .map(|(sort, (name, is_junction))| AliasField {
            name: name.to_owned(),
            special: vec![Special::Alias, if is_junction { Special::ManyToMany } else { Special::OneToMany }],
            note: None,
            meta: Map::new(),
            sort,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Link, Schema};

    #[test]
    fn every_relation_of_the_system_leads_from_a_column_to_a_key_of_its_type() {
        let schema = Schema::system();
        for relation in all() {
            let many = schema.collection(&relation.collection).expect("the many side");
            let related = relation.related.as_deref().expect("the one side");
            let one = schema.collection(related).expect("the one side");
            let field = many.field(&relation.field).expect("a column");
            assert_eq!(field.ty, one.primary_key().ty, "{relation:?}");
            for name in [&relation.junction_field, &relation.sort_field].into_iter().flatten() {
                assert!(many.field(name).is_some(), "{relation:?}");
            }
            if let Some(name) = &relation.one_field {
                assert!(
                    matches!(schema.link(related, name), Some(Link::OneToMany(found)) if found.junction_field == relation.junction_field)
                );
            }
        }
    }
}

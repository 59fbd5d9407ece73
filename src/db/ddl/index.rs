//! The indexes of fields, found again by their names.

use sha2::{Digest, Sha256};

use super::{MAX_NAME, quoted};
use crate::db::{Conn, Field};
use crate::error::Result;

/// The name of a field's index, from which an error finds back to the field. Names that would be too long end in a hash.
pub(super) fn index_name(table: &str, field: &str, kind: &str) -> String {
    let name = format!("{table}_{field}_{kind}");
    if name.len() <= MAX_NAME {
        return name;
    }
    let hash = Sha256::digest(format!("{table}.{field}"));
    let hash: String = hash.iter().take(5).map(|b| format!("{b:02x}")).collect();
    let room = MAX_NAME - hash.len() - kind.len() - 2;
    format!("{}_{hash}_{kind}", &name[..room])
}

pub(super) async fn make_index(conn: &mut Conn<'_>, table: &str, field: &str, kind: &str) -> Result<()> {
    let unique = if kind == "unique" { "UNIQUE " } else { "" };
    let name = quoted(&index_name(table, field, kind));
    conn.batch(&format!("CREATE {unique}INDEX {name} ON {} ({})", quoted(table), quoted(field))).await
}

pub(super) async fn drop_index(conn: &mut Conn<'_>, table: &str, field: &str, kind: &str) -> Result<()> {
    conn.batch(&format!("DROP INDEX IF EXISTS {}", quoted(&index_name(table, field, kind)))).await
}

pub(super) async fn make_indexes(conn: &mut Conn<'_>, table: &str, field: &Field) -> Result<()> {
    if field.unique {
        make_index(conn, table, &field.name, "unique").await?;
    }
    if field.indexed {
        make_index(conn, table, &field.name, "index").await?;
    }
    Ok(())
}

pub(super) async fn drop_indexes(conn: &mut Conn<'_>, table: &str, field: &Field) -> Result<()> {
    drop_index(conn, table, &field.name, "unique").await?;
    drop_index(conn, table, &field.name, "index").await
}

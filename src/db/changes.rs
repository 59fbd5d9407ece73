//! What hosts that share a database tell each other: a number per kind of thing, which rises in the transaction of every change of it,
//! and a word that reaches them at once where the way to the database lets it through.
//!
//! The number can't be lost, the word can: whoever relies on it looks at the numbers now and then. Knows no kind and no host; the services
//! do (`services::changes`).

use std::collections::HashMap;
use std::time::Duration;

use sea_query::Value as Bind;
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Conn, Db, Dialect, FieldType, Side, Sql, failure};
use crate::error::Result;

/// How long a connection that listens may take to be made.
const PATIENCE: Duration = Duration::from_secs(10);

/// The statement that says, within the transaction of a change, that something of this kind changed.
///
/// It holds the number until the transaction ends: best run last.
pub fn rise(dialect: Dialect, kind: &str) -> Sql {
    let place = match dialect {
        Dialect::Sqlite => "?",
        Dialect::Postgres => "$1",
    };
    let text = format!(
        "INSERT INTO daas_changes (kind, version) VALUES ({place}, 1) ON CONFLICT (kind) DO UPDATE SET version = daas_changes.version + 1"
    );
    Sql::raw(text, vec![Bind::from(kind)])
}

/// The numbers as they are. A kind of which nothing ever changed has none.
///
/// # Errors
/// What the database refuses.
pub async fn versions(conn: &mut Conn<'_>) -> Result<HashMap<String, i64>> {
    let all = Sql::raw("SELECT kind, version FROM daas_changes", Vec::new());
    let rows = conn.select(&all, &[FieldType::String, FieldType::BigInteger]).await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_i64()?))).collect())
}

/// Hears what other hosts say, on a connection of its own.
pub struct Listener(PgListener);

impl Listener {
    /// The next word; `None` after the connection was lost and made again: words may have been missed.
    ///
    /// # Errors
    /// The connection is lost.
    pub async fn next(&mut self) -> Result<Option<String>> {
        Ok(self.0.try_recv().await.map_err(failure::postgres)?.map(|word| word.payload().to_owned()))
    }
}

impl Db {
    /// Listens on a channel. `None` on SQLite, where nobody else is.
    ///
    /// # Errors
    /// The database can't be reached, or doesn't know LISTEN.
    pub async fn listen(&self, channel: &str) -> Result<Option<Listener>> {
        let Side::Postgres(pool) = &self.0.side else { return Ok(None) };
        let own = PgPoolOptions::new().max_connections(1).max_lifetime(None).idle_timeout(None).acquire_timeout(PATIENCE);
        let own = own.connect_with(pool.connections.connect_options().as_ref().clone()).await.map_err(failure::postgres)?;
        let mut listener = PgListener::connect_with(&own).await.map_err(failure::postgres)?;
        listener.listen(channel).await.map_err(failure::postgres)?;
        Ok(Some(Listener(listener)))
    }

    /// Says a word to all who listen on a channel. Nothing on SQLite.
    ///
    /// # Errors
    /// The database can't be reached, or doesn't know NOTIFY.
    pub async fn notify(&self, channel: &str, word: &str) -> Result<()> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        self.write_all(vec![Sql::raw("SELECT pg_notify($1, $2)", vec![Bind::from(channel), Bind::from(word)])]).await
    }
}

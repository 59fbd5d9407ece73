//! The one clock. Everything that asks for the time is handed it; SQL gets times as parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the wall time. Durations and deadlines use `tokio::time::Instant` instead, which no clock adjustment moves.
#[derive(Debug, Clone, Default)]
pub struct Clock {}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self {}
    }

    /// Now, in UTC, to the millisecond: the precision of every stored timestamp.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(SystemTime::now()).trunc_subsecs(3)
    }

    /// Now, as whole seconds since 1970: the unit of token claims.
    pub fn unix_secs(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }
}

//! The one clock. Everything that asks for the time is handed it; SQL gets times as parameters.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the wall time. Durations and deadlines use `tokio::time::Instant` instead, which no clock adjustment moves.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    /// The file in which a test says what time it is.
    #[cfg(feature = "test-hooks")]
    hand: Option<std::sync::Arc<std::path::Path>>,
}

impl Clock {
    /// The clock of the machine.
    ///
    /// With the feature `test-hooks`, the file that `TRELLIS_TEST_CLOCK` names moves it: `+3600000` and `-3600000` by so many milliseconds,
    /// `=1774746000000` stops it at a moment. Several processes may share the file, which is replaced as a whole.
    pub fn system() -> Self {
        Self {
            #[cfg(feature = "test-hooks")]
            hand: std::env::var_os("TRELLIS_TEST_CLOCK").map(|path| std::path::PathBuf::from(path).into()),
        }
    }

    /// Now, in UTC, to the millisecond: the precision of every stored timestamp.
    pub fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(self.time()).trunc_subsecs(3)
    }

    /// Now, as whole seconds since 1970: the unit of token claims.
    pub fn unix_secs(&self) -> u64 {
        self.time().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
    }

    #[cfg(not(feature = "test-hooks"))]
    fn time(&self) -> SystemTime {
        SystemTime::now()
    }

    #[cfg(feature = "test-hooks")]
    fn time(&self) -> SystemTime {
        self.moved().unwrap_or_else(SystemTime::now)
    }

    /// The time that the test's file says, if there is one that can be read.
    #[cfg(feature = "test-hooks")]
    fn moved(&self) -> Option<SystemTime> {
        use std::time::Duration;
        let text = std::fs::read_to_string(self.hand.as_deref()?).ok()?;
        let (how, millis) = text.trim().split_at_checked(1)?;
        let millis = Duration::from_millis(millis.parse().ok()?);
        match how {
            "+" => SystemTime::now().checked_add(millis),
            "-" => SystemTime::now().checked_sub(millis),
            "=" => UNIX_EPOCH.checked_add(millis),
            _ => None,
        }
    }
}

//! Extensions: the rows that hold them, the snapshot that runs them, and what becomes of their failures.
//!
//! Sits above services, bridge and sandbox and joins them: [`set::ExtensionSet`] is the [`crate::services::runner::Snapshot`] that
//! services run hooks through. `http` manages extensions through [`Extensions`]; `app` starts it.

mod authors;
mod breaker;
mod customs;
mod definition;
mod dry_run;
mod failed_run;
mod failure;
pub mod files;
mod folder_rows;
pub mod folder_settings;
mod folders;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod history;
mod hosts;
mod inspect;
mod limits_table;
mod live;
mod logs;
pub mod pattern;
mod pending;
pub mod rate_limit;
mod registered;
pub mod route_path;
pub mod route_registration;
pub mod routes;
mod rows;
mod run;
mod runs;
mod samples;
mod save;
mod schedules;
mod secrets;
mod serve;
mod set;
mod stats;
mod store;
mod trouble;
mod types;
pub mod watch;

pub use definition::{Definition, Settings, Status, Trigger};
pub use dry_run::TestRequest;
pub use failure::report;
pub use folders::folder_names;
pub use history::{Change, version_of};
pub use limits_table::limits_table;
pub use logs::{Heard, Line, Lines, Listening, Wanted};
pub use runs::host_name;
pub use serve::RouteRequest;
pub use set::{Extension, ExtensionSet};
pub use store::{Extensions, disable, invalid_code, list};
pub use types::types;

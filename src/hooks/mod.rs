//! Hooks: which events exist, who hears them, in which order filters run, and what is owed to actions after a commit.
//!
//! Knows nothing of JavaScript: whoever runs a hook is handed in. Called by `services` (before and in a write) and by `app` (the dispatcher).

pub mod dispatcher;
pub mod event;
pub mod filter;
pub mod ledger;
pub mod line;
pub mod outbox;
mod queue;
pub mod registry;

pub use event::{AuthEvent, EventName, HookKind, ItemsEvent, JobName};
pub use registry::{Hook, Registry};

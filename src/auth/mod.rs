//! Who asks, and what they may do.
//!
//! Knows tokens, passwords and policies; knows no HTTP and no hook. `http` turns a request's credentials into an [`Accountability`],
//! `services` ask it before anything else happens.

pub mod accountability;
pub mod directory;
pub mod grants;
pub mod password;
pub mod policies;
pub mod seal;
pub mod token;

pub use accountability::{Accountability, User, Who};
pub use directory::Directory;
pub use grants::{Action, FieldSet, Grants, Module, Permission};
pub use policies::Policies;

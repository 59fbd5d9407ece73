//! The caller of an operation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::grants::Grants;

/// The id of the system user: what the host does on its own account.
pub const SYSTEM_USER: &str = "00000000-0000-0000-0000-000000000000";

/// Who asks. There is no "nobody" that would mean "anybody".
#[derive(Debug, Clone)]
pub enum Who {
    /// The host itself: cron, and extensions that act for the system.
    System,
    /// A signed-in, active user.
    User(Arc<User>),
    /// A caller without credentials: the public policy holds.
    Anonymous,
}

/// A user as the directory resolved it: only active users exist here.
#[derive(Debug)]
pub struct User {
    /// The key in `daas_users`.
    pub id: String,
    /// The address, in lower case.
    pub email: String,
    /// All roles, parents included; the first is the primary one.
    pub roles: Vec<String>,
    /// What all policies together allow.
    pub grants: Arc<Grants>,
}

/// Who asks, from where, with which rights.
#[derive(Debug, Clone)]
pub struct Accountability {
    /// Who.
    pub who: Who,
    /// What they may do.
    pub grants: Arc<Grants>,
    /// The address of the HTTP caller.
    pub ip: Option<Arc<str>>,
    /// What the HTTP caller says it is.
    pub user_agent: Option<Arc<str>>,
}

impl Accountability {
    /// The host itself, with every right.
    pub fn system() -> Self {
        Self { who: Who::System, grants: Arc::new(Grants::everything()), ip: None, user_agent: None }
    }

    /// A caller without credentials.
    pub fn anonymous(public: Arc<Grants>) -> Self {
        Self { who: Who::Anonymous, grants: public, ip: None, user_agent: None }
    }

    /// A signed-in caller.
    pub fn user(user: Arc<User>) -> Self {
        Self { grants: Arc::clone(&user.grants), who: Who::User(user), ip: None, user_agent: None }
    }

    /// Whether every permission check passes.
    pub fn is_admin(&self) -> bool {
        self.grants.admin
    }

    /// The key in `daas_users`; the system and anonymous callers have none there.
    pub fn user_id(&self) -> Option<&str> {
        match &self.who {
            Who::User(user) => Some(&user.id),
            Who::System | Who::Anonymous => None,
        }
    }

    /// The first role.
    pub fn role(&self) -> Option<&str> {
        match &self.who {
            Who::User(user) => user.roles.first().map(String::as_str),
            Who::System | Who::Anonymous => None,
        }
    }

    /// `context.accountability`: `{ user, role, roles, admin, app, ip, userAgent, email }`, never null.
    pub fn to_json(&self) -> Value {
        let (user, email, roles) = match &self.who {
            Who::System => (Some(SYSTEM_USER), None, &[][..]),
            Who::User(user) => (Some(user.id.as_str()), Some(user.email.as_str()), user.roles.as_slice()),
            Who::Anonymous => (None, None, &[][..]),
        };
        json!({
            "user": user,
            "role": roles.first(),
            "roles": roles,
            "admin": self.grants.admin,
            "app": self.grants.app,
            "ip": self.ip.as_deref(),
            "userAgent": self.user_agent.as_deref(),
            "email": email,
        })
    }
}

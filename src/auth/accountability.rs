//! The caller of an operation.

use std::sync::Arc;

use serde_json::{Value, json};

use super::grants::Grants;
use super::policies::Policies;

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
    /// What their sign-ins are bound to: it changes with their password.
    pub stamp: String,
    /// What decides what they may do.
    pub policies: Arc<Policies>,
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
    /// The user in whose name they act: what they write has that one in its audit fields, and nothing else follows from it.
    pub on_behalf_of: Option<Arc<str>>,
    /// What `grants` is made of; the host's own rights are made of nothing.
    policies: Option<Arc<Policies>>,
}

impl Accountability {
    /// The host itself, with every right.
    pub fn system() -> Self {
        Self { who: Who::System, grants: Arc::new(Grants::everything()), ip: None, user_agent: None, on_behalf_of: None, policies: None }
    }

    /// A caller without credentials, nowhere yet.
    pub fn anonymous(public: Arc<Policies>) -> Self {
        Self { who: Who::Anonymous, grants: public.grants(None), policies: Some(public), ..Self::system() }
    }

    /// A signed-in caller, nowhere yet.
    pub fn user(user: Arc<User>) -> Self {
        let policies = Arc::clone(&user.policies);
        Self { who: Who::User(user), ..Self::anonymous(policies) }
    }

    /// The same caller at an address: a policy may hold only for some.
    pub fn located(mut self, ip: Option<&str>, user_agent: Option<&str>) -> Self {
        if let Some(policies) = &self.policies {
            self.grants = policies.grants(ip);
        }
        self.ip = ip.map(Arc::from);
        self.user_agent = user_agent.map(Arc::from);
        self
    }

    /// Who stands in audit fields.
    pub fn audited(&self) -> Option<&str> {
        self.on_behalf_of.as_deref().or_else(|| self.user_id())
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

    /// All roles, the first one first.
    pub fn roles(&self) -> &[String] {
        match &self.who {
            Who::User(user) => &user.roles,
            Who::System | Who::Anonymous => &[],
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

//! The policies that somebody has, before it is known from where they ask: some hold only for callers from certain networks.
//!
//! Read by the directory; [`Policies::grants`] makes of them what a caller at an address may do.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde_json::Value;

use super::grants::{Action, Grants, Permission};

/// One policy with its permissions.
#[derive(Debug, Default)]
pub struct Policy {
    /// The key in `daas_policies`.
    pub id: String,
    /// Passes every check.
    pub admin: bool,
    /// May use the app.
    pub app: bool,
    /// May act in the name of others.
    pub delegate: bool,
    /// The parts of the host that it lets manage, as in `daas_policies.module_access`.
    pub modules: Value,
    /// From where; `None` is anywhere.
    pub networks: Option<Vec<Network>>,
    /// Collection, action, and what is allowed there.
    pub permissions: Vec<(String, Action, Arc<Permission>)>,
}

/// All policies of one caller.
#[derive(Debug, Default)]
pub struct Policies {
    list: Vec<Policy>,
    /// What those without networks allow: the whole, for most callers.
    anywhere: Arc<Grants>,
    is_bound: bool,
}

impl Policies {
    /// These, in the order in which they have their way.
    pub fn new(list: Vec<Policy>) -> Self {
        let anywhere = Arc::new(unite(list.iter().filter(|policy| policy.networks.is_none())));
        let is_bound = list.iter().any(|policy| policy.networks.is_some());
        Self { list, anywhere, is_bound }
    }

    /// What they allow a caller at `ip`. Without an address no policy holds that names networks.
    pub fn grants(&self, ip: Option<&str>) -> Arc<Grants> {
        match ip.and_then(|ip| ip.parse::<IpAddr>().ok()).filter(|_| self.is_bound) {
            Some(ip) => {
                // An IPv4 caller of a socket that takes both.
                let ip = ip.to_canonical();
                let holds = |policy: &&Policy| policy.networks.as_ref().is_none_or(|nets| nets.iter().any(|net| net.contains(ip)));
                Arc::new(unite(self.list.iter().filter(holds)))
            }
            None => Arc::clone(&self.anywhere),
        }
    }
}

fn unite<'p>(policies: impl Iterator<Item = &'p Policy>) -> Grants {
    let mut grants = Grants::default();
    for policy in policies {
        grants.admin |= policy.admin;
        grants.app |= policy.app;
        grants.delegate |= policy.delegate;
        grants.add_modules(&policy.modules);
        grants.policies.push(policy.id.clone());
        for (collection, action, permission) in &policy.permissions {
            grants.add(collection, *action, Arc::clone(permission));
        }
    }
    grants
}

/// Addresses: one, those of a network, or from one to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Network {
    /// `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`.
    Net(IpNet),
    /// `10.0.0.1-10.0.0.9`.
    Range(IpAddr, IpAddr),
}

impl Network {
    /// Reads one entry of `daas_policies.ip_access`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once('-') {
            let (from, to) = (from.trim().parse::<IpAddr>().ok()?, to.trim().parse::<IpAddr>().ok()?);
            return (from.is_ipv4() == to.is_ipv4() && from <= to).then_some(Self::Range(from, to));
        }
        text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(Self::Net)
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&ip),
            Self::Range(from, to) => from.is_ipv4() == ip.is_ipv4() && (*from..=*to).contains(&ip),
        }
    }
}

/// Reads `daas_policies.ip_access`: an array of entries, or texts between commas. `Ok(None)` is anywhere.
///
/// # Errors
/// The entry that isn't one. A policy with such an entry must hold nowhere.
pub fn networks(value: &Value) -> Result<Option<Vec<Network>>, String> {
    let entries: Vec<&str> = match value {
        Value::Null => return Ok(None),
        Value::Array(entries) => entries.iter().map(|entry| entry.as_str().ok_or_else(|| entry.to_string())).collect::<Result<_, _>>()?,
        Value::String(csv) => csv.split(',').collect(),
        other => return Err(other.to_string()),
    };
    let entries: Vec<&str> = entries.into_iter().map(str::trim).filter(|entry| !entry.is_empty()).collect();
    if entries.is_empty() {
        return Ok(None);
    }
    entries.into_iter().map(|entry| Network::parse(entry).ok_or_else(|| entry.to_owned())).collect::<Result<_, _>>().map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(value: Value, ip: Option<&str>) -> bool {
        let networks = networks(&value).expect("valid");
        Policies::new(vec![Policy { app: true, networks, ..Policy::default() }]).grants(ip).app
    }

    #[test]
    fn a_policy_with_networks_holds_only_there() {
        for (value, ip, expected) in [
            (json!(null), None, true),
            (json!([]), None, true),
            (json!(""), Some("1.2.3.4"), true),
            (json!(["1.2.3.4"]), Some("1.2.3.4"), true),
            (json!(["1.2.3.4"]), Some("::ffff:1.2.3.4"), true),
            (json!(["1.2.3.4"]), Some("1.2.3.5"), false),
            (json!(["1.2.3.4"]), None, false),
            (json!(["1.2.3.4"]), Some("nonsense"), false),
            (json!("9.9.9.9, 10.0.0.0/8"), Some("10.200.0.1"), true),
            (json!(["10.0.0.1 - 10.0.0.9"]), Some("10.0.0.9"), true),
            (json!(["10.0.0.1-10.0.0.9"]), Some("10.0.0.10"), false),
            (json!(["2001:db8::/32"]), Some("2001:db8::1"), true),
            (json!(["2001:db8::/32"]), Some("10.0.0.1"), false),
        ] {
            assert_eq!(holds(value.clone(), ip), expected, "{value} {ip:?}");
        }
        for wrong in
            [json!(["1.2.3"]), json!([1]), json!({}), json!(true), json!(["10.0.0.9-10.0.0.1"]), json!("a-b"), json!(["10.0.0.0/64"])]
        {
            assert!(networks(&wrong).is_err(), "{wrong}");
        }
    }
}

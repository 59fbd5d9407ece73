//! Where extensions may reach out to: the entries of `EXTENSION_ALLOWED_DOMAINS`, and what they make of a URL and of an address.
//!
//! A URL is looked at as the URL standard parses it, never as a text: the host that is compared is the host that is connected to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use url::{Host, Url};

use super::network::{embedded, parse_network, special};
use crate::error::{Error, ErrorCode, Result};

/// The setting, for messages.
const SETTING: &str = "EXTENSION_ALLOWED_DOMAINS";

/// Longest name of a host, in bytes, with a dot at its end.
pub const MAX_HOST: usize = 254;

/// Ports of protocols that can be spoken to by HTTP to bad ends, as the fetch standard lists them: open only to an entry that names the port.
const BAD_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110, 111, 113, 115,
    117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601,
    636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697,
    10080,
];

/// The entries of the setting.
#[derive(Debug, Clone, Default)]
pub struct AllowList(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    host: Pattern,
    port: Option<u16>,
    /// Where beyond the public Internet the name may lead.
    network: Option<IpNet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// `api.example.com`
    Name(String),
    /// `*.example.com`, kept as `.example.com`.
    Below(String),
    /// `localhost`
    Localhost,
    /// `10.0.0.5`, `[::1]`
    Address(IpAddr),
}

/// Where a URL that was let pass leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub tls: bool,
    /// What to connect to.
    pub host: TargetHost,
    /// At which port.
    pub port: u16,
    /// Networks that are open to this name besides the public Internet.
    networks: Vec<IpNet>,
}

/// The host of a [`Target`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetHost {
    /// To be resolved; what it resolves to is to be checked with [`Target::check`].
    Name(String),
    /// This address and no other.
    Address(IpAddr),
    /// This machine.
    Localhost,
}

impl fmt::Display for TargetHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V6(v6)) => write!(f, "[{v6}]"),
            Self::Address(v4) => write!(f, "{v4}"),
            Self::Localhost => f.write_str("localhost"),
        }
    }
}

/// What keeps a request from leaving: whose rule it is, and why.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::FetchRefused, message)
}

impl AllowList {
    /// Reads comma-separated entries. Every one that can't be read is a sentence of the error.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let (mut entries, mut mistakes) = (Vec::new(), Vec::new());
        for text in text.split(',').map(str::trim).filter(|text| !text.is_empty()) {
            match Entry::parse(text) {
                Ok(entry) => entries.push(entry),
                Err(why) => mistakes.push(format!("`{SETTING}`: `{text}` {why}")),
            }
        }
        if mistakes.is_empty() { Ok(Self(entries)) } else { Err(mistakes) }
    }

    /// Whether there is anywhere to go.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where `url` leads, or which rule keeps it from there. A dot at the end of its host is taken off.
    pub fn check(&self, url: &mut Url) -> Result<Target> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(refused(format!("`{}:` can't be fetched: only `http:` and `https:` can", cut(other)))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("The URL holds a user or a password: send them as an `authorization` header"));
        }
        let port = url.port_or_known_default().unwrap_or(0);
        if let Some(Host::Domain(name)) = url.host()
            && let Some(stripped) = name.strip_suffix('.').map(str::to_owned)
        {
            url.set_host(Some(&stripped)).map_err(|_| refused(format!("`{}` is no host", cut(&stripped))))?;
        }
        let (host, shown) = match url.host() {
            Some(Host::Domain(name)) if name.split('.').any(str::is_empty) => {
                return Err(refused(format!("`{}` is no host: a part between its dots is empty", cut(name))));
            }
            Some(Host::Domain(name)) if name.len() > MAX_HOST => {
                return Err(refused(format!("The host of the URL has more than {MAX_HOST} characters")));
            }
            Some(Host::Domain("localhost")) => (TargetHost::Localhost, "localhost".to_owned()),
            Some(Host::Domain(name)) => (TargetHost::Name(name.to_owned()), cut(name)),
            Some(Host::Ipv4(v4)) => (TargetHost::Address(v4.into()), v4.to_string()),
            Some(Host::Ipv6(v6)) => (TargetHost::Address(v6.into()), v6.to_string()),
            None => return Err(refused("The URL has no host")),
        };
        let named: Vec<&Entry> = self.0.iter().filter(|entry| entry.host.matches(&host)).collect();
        if named.is_empty() {
            let list = if self.is_empty() { format!("{SETTING}, which is empty") } else { SETTING.to_owned() };
            let is = match &host {
                TargetHost::Address(address) => special(*address).map(|what| format!("is {what} and ")).unwrap_or_default(),
                _ => String::new(),
            };
            return Err(refused(format!("`{shown}` {is}is not in {list}")));
        }
        let open: Vec<&Entry> = named.into_iter().filter(|entry| entry.port.is_none_or(|own| own == port)).collect();
        if open.is_empty() {
            return Err(refused(format!("`{shown}` is in {SETTING} with another port than {port}")));
        }
        if BAD_PORTS.contains(&port) && open.iter().all(|entry| entry.port.is_none()) {
            return Err(refused(format!("Port {port} belongs to another protocol: it is open to an entry of {SETTING} that names it")));
        }
        Ok(Target { tls, host, port, networks: open.iter().filter_map(|entry| entry.network).collect() })
    }
}

impl Target {
    /// Whether the name may lead to `address`, or why not.
    pub fn check(&self, address: IpAddr) -> Result<()> {
        let is_open = |address: IpAddr| self.networks.iter().any(|net| net.contains(&address));
        let what = match special(address) {
            None => return Ok(()),
            // What an address leads to by a detour must be open as well.
            Some(_) if is_open(address) => match embedded(address).map(IpAddr::V4) {
                Some(inner) if !is_open(inner) && special(inner).is_some() => special(inner).unwrap_or_default(),
                _ => return Ok(()),
            },
            Some(what) => what,
        };
        let host = cut(&self.host.to_string());
        Err(refused(format!("`{host}` resolves to `{address}`, which is {what}: an entry `{host}@{address}` of {SETTING} would open it")))
    }

    /// What this machine itself listens on.
    pub(super) fn loopback() -> [IpAddr; 2] {
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
    }
}

impl Pattern {
    fn matches(&self, host: &TargetHost) -> bool {
        match (self, host) {
            (Self::Name(name), TargetHost::Name(host)) => name == host,
            (Self::Below(suffix), TargetHost::Name(host)) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            (Self::Localhost, TargetHost::Localhost) => true,
            (Self::Address(one), TargetHost::Address(other)) => one == other,
            _ => false,
        }
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self, String> {
        let forms = "is none of: `api.example.com`, `*.example.com`, `host:port`, `name@10.0.0.0/8`, `localhost`, an IP address";
        if text.contains("://") || text.contains(['?', '#', ' ', '\\']) {
            return Err("is a URL: write its host alone, with a port if there is one".to_owned());
        }
        let (place, network) = match text.split_once('@') {
            Some((place, network)) => {
                let parsed = parse_network(network);
                (place, Some(parsed.ok_or_else(|| format!("names a network that can't be read: `{network}`; write `10.0.0.0/8`"))?))
            }
            None if text.contains('/') && parse_network(text).is_some() => {
                return Err(format!("is a network: write which name may lead into it, `name.internal@{text}`"));
            }
            None => (text, None),
        };
        if place.contains('/') {
            return Err("holds a path: write the host alone".to_owned());
        }
        let (host, port) = split_port(place).ok_or(forms)?;
        let host = match host.strip_prefix("*.") {
            Some(below) if !below.contains('*') => match parse_host(below)? {
                Host::Domain(name) => Pattern::Below(format!(".{name}")),
                _ => return Err("puts a `*` before an address".to_owned()),
            },
            _ if host.contains('*') => return Err("has a `*` elsewhere than in `*.` at its beginning".to_owned()),
            _ => match parse_host(host)? {
                Host::Domain(name) if name == "localhost" => Pattern::Localhost,
                Host::Domain(name) => Pattern::Name(name),
                Host::Ipv4(v4) => Pattern::Address(v4.into()),
                Host::Ipv6(v6) => Pattern::Address(v6.into()),
            },
        };
        match (&host, network) {
            (Pattern::Localhost | Pattern::Address(_), Some(_)) => Err("needs no network: it opens just what it says".to_owned()),
            _ => Ok(Self { host, port, network }),
        }
    }
}

/// `host`, `host:port`, `[::1]`, `[::1]:port` or `::1`.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port = match port {
        // As Rust reads numbers, "+1" would be one.
        Some(port) => Some(port.parse::<u16>().ok().filter(|n| *n > 0 && port.bytes().all(|b| b.is_ascii_digit()))?),
        None => None,
    };
    (!host.is_empty()).then_some((host, port))
}

fn parse_host(text: &str) -> Result<Host<String>, String> {
    if let Ok(v6) = text.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>() {
        return Ok(Host::Ipv6(v6));
    }
    let host = Host::parse(text.strip_suffix('.').unwrap_or(text)).map_err(|_| "holds no host that a URL could have".to_owned())?;
    match &host {
        Host::Ipv4(v4) if v4.to_string() != text => Err(format!("is an address in an unusual form: write `{v4}`")),
        Host::Domain(name) if name.split('.').any(str::is_empty) => Err("has an empty part between its dots".to_owned()),
        _ => Ok(host),
    }
}

/// A text of a caller's, short enough for a message.
fn cut(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
#[path = "allow_tests.rs"]
mod tests;

//! From a name to addresses: as the machine does it, or by asking the servers of `EXTENSION_DNS_SERVERS`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::Semaphore;

use crate::error::{Error, ErrorCode, Result};

/// Names that the machine resolves at once: each takes a thread until the system answers, also when nobody waits any more.
const AT_ONCE: usize = 32;
/// Addresses of one name that are looked at.
const MAX_ADDRESSES: usize = 16;

/// Resolves names.
pub(super) enum Resolver {
    /// With files, services and search rules of the machine.
    System(Arc<Semaphore>),
    /// By these servers alone.
    Servers(Box<TokioResolver>),
}

impl Resolver {
    /// Asks `servers`, or the machine where there are none.
    pub(super) fn new(servers: &[SocketAddr]) -> Result<Self> {
        if servers.is_empty() {
            return Ok(Self::System(Arc::new(Semaphore::new(AT_ONCE))));
        }
        let servers = servers
            .iter()
            .map(|server| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = server.port();
                    connection
                });
                NameServerConfig::new(server.ip(), true, connections.into())
            })
            .collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // The file of the machine has no say here, and what was answered is not believed for longer than its servers say.
        options.use_hosts_file = hickory_resolver::config::ResolveHosts::Never;
        options.ndots = 0;
        let resolver = builder.build().map_err(|e| Error::internal(format!("the resolver: {e}")))?;
        Ok(Self::Servers(Box::new(resolver)))
    }

    /// The addresses of `name`, at least one.
    pub(super) async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>> {
        let unknown = || Error::new(ErrorCode::FetchFailed, format!("`{name}` could not be resolved to an address"));
        let mut found: Vec<IpAddr> = match self {
            Self::System(threads) => {
                let permit = Arc::clone(threads).acquire_owned().await.map_err(Error::internal)?;
                let asked = name.to_owned();
                let lookup = tokio::task::spawn_blocking(move || {
                    let _permit = permit;
                    (asked.as_str(), 0).to_socket_addrs().map(|all| all.map(|address| address.ip()).collect::<Vec<_>>())
                });
                lookup.await.map_err(|e| Error::internal(format!("resolving: {e}")))?.map_err(|e| unknown().with_detail(e.to_string()))?
            }
            Self::Servers(resolver) => {
                // With the dot at its end a name is whole: nothing is tried behind it.
                let answer = resolver.lookup_ip(format!("{name}.")).await.map_err(|e| unknown().with_detail(e.to_string()))?;
                answer.iter().collect()
            }
        };
        found.truncate(MAX_ADDRESSES);
        if found.is_empty() { Err(unknown()) } else { Ok(found) }
    }
}

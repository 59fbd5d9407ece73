//! Opens connections: to an address that was checked and to no other, with TLS where the URL says so.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::resolve::Resolver;
use super::{Proxy, Target, TargetHost, failed};
use crate::error::{Error, ErrorCode, Result};

/// How long all attempts to connect may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one of several addresses is given before the next is tried.
const ONE_ADDRESS: Duration = Duration::from_millis(1_500);

/// Opens connections.
pub(super) struct Connector {
    proxy: Option<Proxy>,
    resolver: Resolver,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(proxy: Option<Proxy>, dns_servers: &[SocketAddr], ca_file: Option<&Path>) -> Result<Self> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = ca_file {
            let wrong = |why: String| Error::new(ErrorCode::Internal, format!("`EXTENSION_CA_FILE`: {} {why}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path).map_err(|e| wrong(format!("can't be read: {e}")))?;
            let mut count = 0;
            for certificate in certificates {
                let certificate = certificate.map_err(|e| wrong(format!("isn't a file of PEM certificates: {e}")))?;
                roots.add(certificate).map_err(|e| wrong(format!("holds a certificate that can't be used: {e}")))?;
                count += 1;
            }
            if count == 0 {
                return Err(wrong("holds no certificate in PEM form".to_owned()));
            }
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::internal(format!("TLS: {e}")))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A session that is taken up again would tell a server that two extensions are of one house.
        config.resumption = Resumption::disabled();
        Ok(Self { proxy, resolver: Resolver::new(dns_servers)?, tls: TlsConnector::from(Arc::new(config)) })
    }

    /// The proxy that a request to `target` goes to with its whole URL; one with TLS goes through a tunnel and knows nothing of it.
    pub(super) fn absolute_form(&self, target: &Target) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|_| !target.tls)
    }

    /// A connection over which requests to `target` can go.
    pub(super) async fn connect(&self, target: &Target) -> Result<Connection> {
        let connecting = async {
            let stream = match &self.proxy {
                Some(proxy) if target.tls => proxy.tunnel(target).await?,
                Some(proxy) => proxy.connect().await?,
                None => self.direct(target).await?,
            };
            // A request is written in few pieces; the last one must not wait for an answer to the first. Without this it is only slower.
            let _ = stream.set_nodelay(true);
            if !target.tls {
                return Ok(Connection::Plain(stream));
            }
            let name = match &target.host {
                TargetHost::Name(name) => {
                    ServerName::try_from(name.clone()).map_err(|e| failed(format!("`{name}` has no certificate"), e))?
                }
                TargetHost::Localhost => ServerName::try_from("localhost").map_err(Error::internal)?,
                TargetHost::Address(address) => ServerName::from(*address),
            };
            let stream = self.tls.connect(name, stream).await;
            Ok(Connection::Tls(Box::new(stream.map_err(|e| failed(format!("No secure connection to `{}`: {e}", target.host), "TLS"))?)))
        };
        let slow =
            |_| Error::new(ErrorCode::FetchTimeout, format!("`{}` could not be reached within {} s", target.host, CONNECT.as_secs()));
        timeout(CONNECT, connecting).await.unwrap_or_else(|e| Err(slow(e)))
    }

    /// To an address that the rules let pass: what was checked is what is connected to.
    async fn direct(&self, target: &Target) -> Result<TcpStream> {
        let addresses: Vec<IpAddr> = match &target.host {
            TargetHost::Address(address) => vec![*address],
            TargetHost::Localhost => Target::loopback().into(),
            TargetHost::Name(name) => {
                let found = self.resolver.addresses(name).await?;
                let mut open = Vec::new();
                let mut refusal = None;
                for address in found {
                    match target.check(address) {
                        Ok(()) => open.push(address),
                        Err(error) => drop(refusal.get_or_insert(error)),
                    }
                }
                match refusal {
                    Some(refusal) if open.is_empty() => return Err(refusal),
                    _ => open,
                }
            }
        };
        let mut last = None;
        for (at, address) in addresses.iter().enumerate() {
            let attempt = TcpStream::connect(SocketAddr::new(*address, target.port));
            let is_last = at + 1 == addresses.len();
            // The last has what is left of the whole time, whose end has an error of its own.
            let outcome = if is_last {
                attempt.await
            } else {
                timeout(ONE_ADDRESS, attempt).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match outcome {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
        }
        let why = last.map(|e| e.to_string()).unwrap_or_default();
        Err(failed(format!("`{}` at port {} could not be reached", target.host, target.port), why))
    }
}

/// One connection.
pub(super) enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

//! Ways to a server: through a proxy, and behind a certificate.

use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::*;

#[test]
fn proxies_of_the_environment_are_not_used() {
    fetching(LOCAL, &[], async |app, upstream| {
        let proxy = Upstream::start("127.0.0.1").await;
        let url = proxy.url("");
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            app.set_env(&[(name, &url)]);
        }
        app.restart().await;
        assert_eq!(code(app, upstream, "return (await (await fetch('BASE/x')).json()).target").await, "/x");
        assert_eq!(proxy.seen.connections(), 0);
    });
}

#[test]
fn the_proxy_of_the_setting_is_used_for_everything() {
    fetching("outside.test, 127.0.0.1:PORT", &[], async |app, upstream| {
        let proxy = Upstream::start("127.0.0.1").await;
        app.set_env(&[("EXTENSION_HTTP_PROXY", &format!("http://user:p%40ss@{}", proxy.address))]);
        app.restart().await;
        let seen = code(
            app,
            upstream,
            "const r = await fetch('http://outside.test:8080/a?b#c', { headers: { 'proxy-authorization': 'Basic forged' } });
             return [await r.json(), r.url, (await (await fetch('BASE/x')).json()).target, await attempt(() => fetch('http://10.0.0.5/')), await attempt(() => fetch('http://else.test/'))]",
        )
        .await;
        assert_eq!((&seen[0]["target"], &seen[1]), (&json!("http://outside.test:8080/a?b"), &json!("http://outside.test:8080/a?b")));
        assert_eq!(
            (header(&seen[0], "host"), header(&seen[0], "proxy-authorization")),
            (Some("outside.test:8080"), Some("Basic dXNlcjpwQHNz"))
        );
        assert_eq!(seen[2], json!(upstream.url("/x")));
        assert!(seen[3]["message"].as_str().unwrap().contains("private address"), "{seen}");
        assert_eq!(seen[4]["code"], "FETCH_REFUSED");
        assert_eq!((upstream.seen.connections(), proxy.seen.connections() > 0), (0, true));
    });
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A server with a certificate for `names` that answers each request with `secure`. Gives its port.
    async fn serve(&self, names: &[&str], answered: std::sync::Arc<AtomicUsize>) -> u16 {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let chain = vec![CertificateDer::from(certificate.der().to_vec())];
        let config = ServerConfig::builder_with_provider(std::sync::Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        let (acceptor, listener) = (TlsAcceptor::from(std::sync::Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, answered) = (acceptor.clone(), std::sync::Arc::clone(&answered));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap_or_default());
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecure").await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        port
    }
}

#[test]
fn certificates_are_checked_and_private_authorities_can_be_believed() {
    fetching("localhost, 127.0.0.1", &[], async |app, upstream| {
        let (authority, answered) = (Authority::new(), std::sync::Arc::new(AtomicUsize::new(0)));
        let right = authority.serve(&["localhost", "127.0.0.1"], std::sync::Arc::clone(&answered)).await;
        let wrong = authority.serve(&["other.example"], std::sync::Arc::clone(&answered)).await;
        let (code_, message) = failure(app, upstream, &format!("'https://localhost:{right}/'")).await;
        assert!(code_ == "FETCH_FAILED" && message.contains("No secure connection to `localhost`"), "{code_} {message}");
        std::fs::write(app.dir().join("ca.pem"), &authority.pem).unwrap();
        app.set_env(&[("EXTENSION_CA_FILE", "ca.pem")]);
        app.restart().await;
        let text = format!(
            "return [await (await fetch('https://localhost:{right}/')).text(), await (await fetch('https://127.0.0.1:{right}/')).text()]"
        );
        assert_eq!(code(app, upstream, &text).await, json!(["secure", "secure"]));
        let (code_, message) = failure(app, upstream, &format!("'https://localhost:{wrong}/'")).await;
        assert!(code_ == "FETCH_FAILED" && message.contains("No secure connection"), "{code_} {message}");
        // Spoken to in plain words it answers nothing, and the other way round.
        assert_eq!(failure(app, upstream, &format!("'http://localhost:{right}/'")).await.0, "FETCH_FAILED");
        assert_eq!(failure(app, upstream, &format!("'https://127.0.0.1:{}/'", upstream.port())).await.0, "FETCH_FAILED");
        assert_eq!(answered.load(Ordering::SeqCst), 2);
    });
}

/// A proxy that opens tunnels to 127.0.0.1, whatever is asked for. Gives its port; `asked` gets the heads.
async fn tunnels(port_of_server: u16, asked: std::sync::Arc<std::sync::Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let asked = std::sync::Arc::clone(&asked);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap_or_default());
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let refuse = head.contains("refused.test");
                asked.lock().unwrap().push(head);
                if refuse {
                    let _ = client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
                    return;
                }
                let mut server = TcpStream::connect(("127.0.0.1", port_of_server)).await.unwrap();
                client.write_all(b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    port
}

#[test]
fn a_secure_request_goes_through_a_tunnel_of_the_proxy() {
    fetching("secure.test, refused.test", &[], async |app, upstream| {
        let (authority, asked) = (Authority::new(), std::sync::Arc::default());
        let server = authority.serve(&["secure.test"], std::sync::Arc::default()).await;
        let proxy = tunnels(server, std::sync::Arc::clone(&asked)).await;
        std::fs::write(app.dir().join("ca.pem"), &authority.pem).unwrap();
        app.set_env(&[("EXTENSION_CA_FILE", "ca.pem"), ("EXTENSION_HTTP_PROXY", &format!("http://user:pass@127.0.0.1:{proxy}"))]);
        app.restart().await;
        let text = "return (await fetch('https://secure.test/path', { headers: { authorization: 'Bearer secret' } })).text()";
        assert_eq!(code(app, upstream, text).await, "secure");
        let heads = asked.lock().unwrap().clone();
        assert!(heads.len() == 1 && heads[0].starts_with("CONNECT secure.test:443 HTTP/1.1\r\n"), "{heads:?}");
        assert!(heads[0].contains("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n") && !heads[0].contains("secret"), "{heads:?}");
        let (code, message) = failure(app, upstream, "'https://refused.test/'").await;
        assert!(code == "FETCH_FAILED" && message.contains("refused a tunnel with the status 407"), "{code} {message}");
    });
}

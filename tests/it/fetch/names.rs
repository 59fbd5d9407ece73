//! Names, and what they resolve to: a DNS server that says one thing now and another next time.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;

use super::*;

/// A DNS server: for each name a list of answers, given one after the other, the last one for ever.
struct Dns {
    place: String,
    answers: Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>>,
}

impl Dns {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let place = socket.local_addr().unwrap().to_string();
        let answers: Arc<Mutex<HashMap<String, Vec<Vec<IpAddr>>>>> = Arc::default();
        let known = Arc::clone(&answers);
        tokio::spawn(async move {
            let mut query = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut query).await {
                let answer = respond(&query[..length], &known);
                let _ = socket.send_to(&answer, from).await;
            }
        });
        Self { place, answers }
    }

    fn say(&self, name: &str, answers: &[&[&str]]) {
        let answers = answers.iter().map(|list| list.iter().map(|a| a.parse().unwrap()).collect()).collect();
        self.answers.lock().unwrap().insert(name.to_owned(), answers);
    }
}

fn respond(query: &[u8], known: &Mutex<HashMap<String, Vec<Vec<IpAddr>>>>) -> Vec<u8> {
    let mut at = 12;
    let mut labels = Vec::new();
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + length]).to_lowercase());
        at += length + 1;
    }
    let end = at + 5;
    let kind = u16::from_be_bytes([query[at + 1], query[at + 2]]);
    let mut known = known.lock().unwrap();
    let found: Option<Vec<IpAddr>> = known.get_mut(&labels.join(".")).map(|answers| {
        // Each question comes twice, for IPv4 and for IPv6: the second moves on.
        let now = answers[0].clone();
        if kind == 28 && answers.len() > 1 {
            answers.remove(0);
        }
        now
    });
    let records: Vec<Vec<u8>> = found
        .iter()
        .flatten()
        .filter_map(|address| match (address, kind) {
            (IpAddr::V4(v4), 1) => Some(v4.octets().to_vec()),
            (IpAddr::V6(v6), 28) => Some(v6.octets().to_vec()),
            _ => None,
        })
        .collect();
    let mut out = query[..2].to_vec();
    out.extend([0x84, if found.is_some() { 0x80 } else { 0x83 }, 0, 1, 0, records.len() as u8, 0, 0, 0, 0]);
    out.extend(&query[12..end]);
    for data in records {
        out.extend([0xC0, 12, 0, kind as u8, 0, 1, 0, 0, 0, 0, 0, data.len() as u8]);
        out.extend(data);
    }
    out
}

/// Runs a test with a DNS server, a server at 127.0.0.2 that may be reached by `name.test`, and one at 127.0.0.1 that may not.
fn resolving(places: &str, body: impl AsyncFnOnce(&mut TestApp, &Dns, &Upstream, &Upstream)) {
    run(Database::Sqlite, &[], false, async |app| {
        let dns = Dns::start().await;
        let inner = Upstream::start("127.0.0.1").await;
        let outer = Upstream::start_at(&format!("127.0.0.2:{}", inner.port())).await;
        app.set_env(&[("EXTENSION_ALLOWED_DOMAINS", places), ("EXTENSION_DNS_SERVERS", &dns.place)]);
        app.restart().await;
        body(app, &dns, &outer, &inner).await;
    });
}

#[test]
fn a_name_that_is_bound_anew_leads_nowhere_else() {
    resolving("name.test@127.0.0.2/32", async |app, dns, outer, inner| {
        let url = format!("'http://name.test:{}/'", inner.port());
        dns.say("name.test", &[&["127.0.0.2"], &["127.0.0.1"]]);
        assert_eq!(code(app, outer, &format!("return (await fetch({url})).status")).await, 200);
        // Another extension, so that no connection waits: the name is asked for again.
        let (code_, message) = failure(app, outer, &url).await;
        assert_eq!(code_, "FETCH_REFUSED");
        assert!(message.contains("`name.test` resolves to `127.0.0.1`, which is a loopback address (RFC 1122)"), "{message}");
        // Between the check and the connection nobody is asked a second time.
        for _ in 0..5 {
            dns.say("name.test", &[&["127.0.0.2"], &["127.0.0.1"]]);
            assert_eq!(code(app, outer, &format!("return (await fetch({url})).status")).await, 200);
        }
        assert_eq!(inner.seen.connections(), 0);
        assert_eq!(outer.seen.connections(), 6);
    });
}

#[test]
fn of_several_addresses_only_those_are_tried_that_are_open() {
    resolving("name.test@127.0.0.2/32, plain.test, *.test@127.0.0.2", async |app, dns, outer, inner| {
        let port = inner.port();
        dns.say("name.test", &[&["127.0.0.1", "::1", "10.0.0.1", "127.0.0.2"]]);
        dns.say("plain.test", &[&["127.0.0.2"]]);
        dns.say("sub.test", &[&["127.0.0.2"]]);
        assert_eq!(code(app, outer, &format!("return (await fetch('http://name.test:{port}/')).status")).await, 200);
        assert_eq!(code(app, outer, &format!("return (await fetch('http://sub.test.:{port}/')).status")).await, 200);
        for (address, what) in [
            (Ipv4Addr::LOCALHOST.to_string(), "loopback"),
            ("10.0.0.5".to_owned(), "private address (RFC 1918)"),
            ("169.254.169.254".to_owned(), "metadata"),
            ("0.0.0.0".to_owned(), "this host"),
            (Ipv6Addr::LOCALHOST.to_string(), "loopback"),
            ("::ffff:127.0.0.1".to_owned(), "IPv4-mapped"),
            ("64:ff9b::7f00:1".to_owned(), "NAT64"),
            ("fd00:ec2::254".to_owned(), "metadata"),
        ] {
            dns.say("plain.example", &[&[&address]]);
            dns.say("bad.test", &[&[&address]]);
            let (code, message) = failure(app, outer, &format!("'http://bad.test:{port}/'")).await;
            assert!(code == "FETCH_REFUSED" && message.contains(what), "{address}: {code} {message}");
        }
        let (code, message) = failure(app, outer, &format!("'http://unknown.test:{port}/'")).await;
        assert!(code == "FETCH_FAILED" && message.contains("could not be resolved"), "{code} {message}");
        assert_eq!(inner.seen.connections(), 0);
    });
}

#[test]
fn a_redirect_to_a_name_is_resolved_and_checked_like_any_other() {
    resolving("name.test@127.0.0.2/32, inner.test", async |app, dns, outer, inner| {
        let port = inner.port();
        dns.say("name.test", &[&["127.0.0.2"]]);
        dns.say("inner.test", &[&["127.0.0.1"]]);
        let url = format!("'http://name.test:{port}/redirect/302?to=http://inner.test:{port}/'");
        let (code, message) = failure(app, outer, &url).await;
        assert!(code == "FETCH_REFUSED" && message.contains("`inner.test` resolves to `127.0.0.1`"), "{code} {message}");
        assert_eq!(inner.seen.connections(), 0);
    });
}

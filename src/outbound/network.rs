//! Addresses that no name from outside may lead to: every special-purpose range of the IANA registries, each with its reason, and
//! addresses that carry another one inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// One range: its first address, the length of its prefix, and what it is, to stand after "is a" or "is an".
type Range<A> = (A, u8, &'static str);

/// The IANA IPv4 special-purpose registry, multicast, and what clouds keep elsewhere. The narrower range stands first.
const V4: &[Range<Ipv4Addr>] = &[
    (Ipv4Addr::new(169, 254, 169, 254), 32, "metadata address of cloud machines (RFC 3927)"),
    (Ipv4Addr::new(169, 254, 170, 2), 32, "metadata address of cloud containers (RFC 3927)"),
    (Ipv4Addr::new(100, 100, 100, 200), 32, "metadata address of cloud machines (RFC 6598)"),
    (Ipv4Addr::new(192, 0, 0, 192), 32, "metadata address of cloud machines (RFC 6890)"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "metadata address of cloud machines"),
    (Ipv4Addr::new(0, 0, 0, 0), 8, "address of this host on this network (RFC 791)"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private address (RFC 1918)"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared address of carriers (RFC 6598)"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback address (RFC 1122)"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local address (RFC 3927)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private address (RFC 1918)"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "address of protocol assignments (RFC 6890)"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation address (RFC 5737)"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112 address (RFC 7535)"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "multicast tunnel address (RFC 7450)"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay address (RFC 7526)"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private address (RFC 1918)"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112 address (RFC 7534)"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking address (RFC 2544)"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation address (RFC 5737)"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation address (RFC 5737)"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast address (RFC 5771)"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast address (RFC 8190)"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved address (RFC 1112)"),
];

/// The IANA IPv6 special-purpose registry, multicast, and what is deprecated. The narrower range stands first.
const V6: &[Range<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified address (RFC 4291)"),
    (Ipv6Addr::LOCALHOST, 128, "loopback address (RFC 4291)"),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0xFFFF, 0, 0), 96, "IPv4-mapped address (RFC 4291)"),
    (Ipv6Addr::UNSPECIFIED, 96, "IPv4-compatible address (RFC 4291)"),
    (Ipv6Addr::new(0, 0, 0, 0, 0xFFFF, 0, 0, 0), 96, "IPv4-translated address (RFC 2765)"),
    (Ipv6Addr::new(0x64, 0xFF9B, 0, 0, 0, 0, 0, 0), 96, "NAT64 address (RFC 6052)"),
    (Ipv6Addr::new(0x64, 0xFF9B, 1, 0, 0, 0, 0, 0), 48, "local NAT64 address (RFC 8215)"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard-only address (RFC 6666)"),
    (Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0), 64, "dummy address (RFC 9780)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo address (RFC 4380)"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "benchmarking address (RFC 5180)"),
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, "ORCHID address (RFC 4843)"),
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, "ORCHID address (RFC 7343)"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "address of protocol assignments (RFC 2928)"),
    (Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 0), 32, "documentation address (RFC 3849)"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4 address (RFC 3056)"),
    (Ipv6Addr::new(0x2620, 0x4F, 0x8000, 0, 0, 0, 0, 0), 48, "AS112 address (RFC 7534)"),
    (Ipv6Addr::new(0x3FFF, 0, 0, 0, 0, 0, 0, 0), 20, "documentation address (RFC 9637)"),
    (Ipv6Addr::new(0x5F00, 0, 0, 0, 0, 0, 0, 0), 16, "segment routing address (RFC 9602)"),
    (Ipv6Addr::new(0xFD00, 0xEC2, 0, 0, 0, 0, 0, 0x254), 128, "metadata address of cloud machines (RFC 4193)"),
    (Ipv6Addr::new(0xFC00, 0, 0, 0, 0, 0, 0, 0), 7, "unique-local address (RFC 4193)"),
    (Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local address (RFC 4291)"),
    (Ipv6Addr::new(0xFEC0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local address (RFC 3879)"),
    (Ipv6Addr::new(0xFF00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast address (RFC 4291)"),
];

/// What of IPv6 is handed out for the public Internet at all.
const GLOBAL_V6: (Ipv6Addr, u8) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Why an address isn't a public one, as the end of a sentence: "a private address (RFC 1918)". `None` for a public address.
pub(super) fn special(address: IpAddr) -> Option<String> {
    let what = match address {
        IpAddr::V4(v4) => V4.iter().find(|(first, prefix, _)| v4_net(*first, *prefix).contains(&v4)).map(|(_, _, what)| *what),
        IpAddr::V6(v6) => V6
            .iter()
            .find(|(first, prefix, _)| v6_net(*first, *prefix).contains(&v6))
            .map(|(_, _, what)| *what)
            .or_else(|| is_isatap(v6).then_some("ISATAP address (RFC 5214)"))
            .or_else(|| (!v6_net(GLOBAL_V6.0, GLOBAL_V6.1).contains(&v6)).then_some("address outside the public Internet (RFC 4291)")),
    }?;
    let article = if what.starts_with(['I', 'O', 'A', 'a', 'u']) && !what.starts_with("unique") { "an" } else { "a" };
    let inside = embedded(address).map(|inner| format!(" that leads to {inner}")).unwrap_or_default();
    Some(format!("{article} {what}{inside}"))
}

/// The IPv4 address that an IPv6 address carries and that its packets end up at.
pub(super) fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    let s = v6.segments();
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match s {
        // Not the unspecified address and not loopback.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xFFFF, high, low] | [0, 0, 0, 0, 0xFFFF, 0, high, low] | [0x64, 0xFF9B, .., high, low] => {
            Some(from(high, low))
        }
        [0x2002, high, low, ..] => Some(from(high, low)),
        // Teredo writes the client's address with all bits turned.
        [0x2001, 0, .., high, low] => Some(from(!high, !low)),
        [.., high, low] if is_isatap(v6) => Some(from(high, low)),
        _ => None,
    }
}

/// An interface identifier that stands for an IPv4 tunnel, below any prefix.
fn is_isatap(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [_, _, _, _, 0 | 0x200, 0x5EFE, _, _])
}

fn v4_net(first: Ipv4Addr, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(first, prefix)
}

fn v6_net(first: Ipv6Addr, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(first, prefix)
}

/// A network of an allow-list entry: `10.0.0.0/8`, or one address.
pub(super) fn parse_network(text: &str) -> Option<IpNet> {
    let text = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    // With bits behind the prefix it is more likely a mistake than a network.
    (net.addr() == net.network()).then_some(net)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> Option<String> {
        special(text.parse().expect("an address"))
    }

    #[test]
    fn every_range_is_found_by_its_first_and_last_address_and_left_by_the_next() {
        for (first, prefix, what) in V4 {
            let net = v4_net(*first, *prefix);
            for address in [net.network(), net.broadcast()] {
                assert!(special(address.into()).is_some(), "{address}: {what}");
            }
        }
        for (first, prefix, what) in V6 {
            let net = v6_net(*first, *prefix);
            for address in [net.network(), net.broadcast()] {
                assert!(special(address.into()).is_some(), "{address}: {what}");
            }
        }
    }

    #[test]
    fn public_addresses_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
            "2003::1",
            "2400::1",
        ] {
            assert_eq!(why(text), None, "{text}");
        }
    }

    #[test]
    fn the_reason_names_the_range_and_what_is_inside() {
        for (text, reason) in [
            ("10.0.0.5", "a private address (RFC 1918)"),
            ("0.0.0.0", "an address of this host on this network (RFC 791)"),
            ("169.254.169.254", "a metadata address of cloud machines (RFC 3927)"),
            ("255.255.255.255", "a broadcast address (RFC 8190)"),
            ("::1", "a loopback address (RFC 4291)"),
            ("::", "an unspecified address (RFC 4291)"),
            ("::ffff:127.0.0.1", "an IPv4-mapped address (RFC 4291) that leads to 127.0.0.1"),
            ("::ffff:8.8.8.8", "an IPv4-mapped address (RFC 4291) that leads to 8.8.8.8"),
            ("::7f00:1", "an IPv4-compatible address (RFC 4291) that leads to 127.0.0.1"),
            ("::ffff:0:7f00:1", "an IPv4-translated address (RFC 2765) that leads to 127.0.0.1"),
            ("64:ff9b::a00:5", "a NAT64 address (RFC 6052) that leads to 10.0.0.5"),
            ("64:ff9b:1::a00:5", "a local NAT64 address (RFC 8215) that leads to 10.0.0.5"),
            ("2002:7f00:1::1", "a 6to4 address (RFC 3056) that leads to 127.0.0.1"),
            ("2001:0:4136:e378:8000:63bf:80ff:fffe", "a Teredo address (RFC 4380) that leads to 127.0.0.1"),
            ("2a00:1450::5efe:7f00:1", "an ISATAP address (RFC 5214) that leads to 127.0.0.1"),
            ("fd00:ec2::254", "a metadata address of cloud machines (RFC 4193)"),
            ("fd12::1", "a unique-local address (RFC 4193)"),
            ("fe80::1", "a link-local address (RFC 4291)"),
            ("fec0::1", "a site-local address (RFC 3879)"),
            ("ff02::1", "a multicast address (RFC 4291)"),
            ("4000::1", "an address outside the public Internet (RFC 4291)"),
        ] {
            assert_eq!(why(text).as_deref(), Some(reason), "{text}");
        }
    }

    #[test]
    fn networks_are_written_as_networks() {
        for good in ["10.0.0.0/8", "127.0.0.2/32", "10.1.2.3", "fd00::/8", "::1", "[::1]", "0.0.0.0/0"] {
            assert!(parse_network(good).is_some(), "{good}");
        }
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0/8", "name", "", "fd00::1/8", "10.0.0.0/"] {
            assert!(parse_network(bad).is_none(), "{bad}");
        }
    }
}

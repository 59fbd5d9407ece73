//! What the allow-list makes of entries and URLs.

use super::*;

fn list(text: &str) -> AllowList {
    AllowList::parse(text).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

fn check(list: &AllowList, url: &str) -> Result<Target, String> {
    let mut url = Url::parse(url).map_err(|e| format!("no URL: {e}"))?;
    list.check(&mut url).map_err(|error| error.message().to_owned())
}

#[test]
fn every_form_of_an_entry_is_read() {
    for good in [
        "api.example.com",
        "API.Example.COM.",
        "*.example.com",
        "*.example.com:8443",
        "api.example.com:8080",
        "erp.internal@10.0.0.0/8",
        "erp.internal:8443@10.0.0.0/8",
        "erp.internal@fd00::/8",
        "erp.internal@10.1.2.3",
        "*.svc.cluster.local@10.96.0.0/12",
        "localhost",
        "localhost:3000",
        "127.0.0.1",
        "10.1.2.3:8080",
        "::1",
        "[::1]",
        "[::1]:8080",
        "bücher.example",
        "my_service",
        "a, b ,, c",
        "",
    ] {
        assert!(AllowList::parse(good).is_ok(), "{good}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_says_what_is_wrong() {
    for (bad, why) in [
        ("https://api.example.com", "is a URL"),
        ("api.example.com/v1", "holds a path"),
        ("*", "has a `*`"),
        ("*example.com", "has a `*`"),
        ("api.*.com", "has a `*`"),
        ("*.*.com", "has a `*`"),
        ("*.10.0.0.1", "before an address"),
        ("a..b", "empty part"),
        (".example.com", "empty part"),
        ("api.example.com:0", "is none of"),
        ("api.example.com:65536", "is none of"),
        ("api.example.com:+80", "is none of"),
        ("api.example.com:", "is none of"),
        (":80", "is none of"),
        ("10.0.0.0/8", "is a network"),
        ("erp@10.0.0.1/8", "network that can't be read"),
        ("erp@", "network that can't be read"),
        ("erp@10.0.0.0/8@x", "network that can't be read"),
        ("localhost@127.0.0.0/8", "needs no network"),
        ("10.0.0.1@10.0.0.0/8", "needs no network"),
        ("2130706433", "write `127.0.0.1`"),
        ("0x7f.1", "write `127.0.0.1`"),
        ("a b", "is a URL"),
        ("a%zz", "no host"),
        ("a<b", "no host"),
    ] {
        let mistakes = AllowList::parse(bad).err().unwrap_or_else(|| panic!("{bad} was taken"));
        assert!(mistakes.len() == 1 && mistakes[0].contains(why), "{bad}: {mistakes:?}");
    }
    assert_eq!(AllowList::parse("a/b, good.example, *").map_err(|mistakes| mistakes.len()).err(), Some(2));
}

#[test]
fn a_target_checks_what_its_name_resolves_to() {
    let allowed = list(
        "erp.internal@10.0.0.0/8, erp.internal@fd00::/8, v6.internal@64:ff9b::/96, both.internal@64:ff9b::/96, both.internal@10.0.0.0/8, plain.example",
    );
    let leads = |url: &str, address: &str| {
        let target = check(&allowed, url).unwrap_or_else(|e| panic!("{e}"));
        target.check(address.parse().unwrap_or_else(|_| panic!("{address}"))).map_err(|error| error.message().to_owned())
    };
    for address in ["10.0.0.5", "10.255.255.255", "fd12::1", "8.8.8.8", "2606:4700::1"] {
        assert_eq!(leads("http://erp.internal/", address), Ok(()), "{address}");
    }
    for address in ["127.0.0.1", "192.168.0.1", "::ffff:10.0.0.5", "::1", "fe80::1", "64:ff9b::a00:5"] {
        assert!(leads("http://erp.internal/", address).is_err(), "{address}");
    }
    for address in ["10.0.0.5", "127.0.0.1", "169.254.169.254", "::ffff:8.8.8.8", "2002:7f00:1::", "0.0.0.0"] {
        assert!(leads("http://plain.example/", address).is_err(), "{address}");
    }
    // An address that leads on must lead to where it is allowed.
    assert_eq!(leads("http://v6.internal/", "64:ff9b::808:808"), Ok(()));
    assert!(leads("http://v6.internal/", "64:ff9b::a00:5").is_err());
    assert_eq!(leads("http://both.internal/", "64:ff9b::a00:5"), Ok(()));
    assert!(leads("http://both.internal/", "64:ff9b::7f00:1").is_err());
    let why = leads("http://plain.example/", "10.0.0.5").unwrap_err();
    assert!(why.contains("`10.0.0.5`, which is a private address (RFC 1918)") && why.contains("`plain.example@10.0.0.5`"), "{why}");
}

const LIST: &str = "api.example.com, *.wild.example, pinned.example:8443, ssh.example:22, erp.internal@10.0.0.0/8, localhost:3000, 127.0.0.1:4000, \
    10.1.2.3, [::1]:5000, [2606:4700::1111], bücher.example, xn--strae-oqa.example, my_service, 8.8.8.8, localhost:22";

/// Any of these in a message tells the rule.
const NOT_LISTED: &str = "is not in EXTENSION_ALLOWED_DOMAINS";
const PORT: &str = "with another port";
const SCHEME: &str = "only `http:` and `https:` can";
const USER: &str = "holds a user or a password";
const EMPTY: &str = "a part between its dots is empty";
const BAD_PORT: &str = "belongs to another protocol";
const NO_URL: &str = "no URL";
const OPEN: &str = "";

/// URLs, and the rule that keeps each from being fetched; `OPEN` where none does.
const VECTORS: &[(&str, &str)] = &[
    // The name itself, however it is written.
    ("https://api.example.com/", OPEN),
    ("http://api.example.com/", OPEN),
    ("https://api.example.com:8080/path?query#part", OPEN),
    ("HTTPS://API.EXAMPLE.COM/", OPEN),
    ("https://api.example.com./", OPEN),
    ("https://api%2Eexample%2Ecom/", OPEN),
    ("https://%61pi.example.com/", OPEN),
    ("https://api.example.com:443/", OPEN),
    ("https://api.example.com:/", OPEN),
    ("https:api.example.com/", OPEN),
    ("https:/api.example.com/", OPEN),
    ("https:\\\\api.example.com\\path", OPEN),
    ("https://///api.example.com/", OPEN),
    (" https://api.example.com/ ", OPEN),
    ("ht\ntps://api.exam\tple.com/", OPEN),
    ("https://api\u{3002}example\u{3002}com/", OPEN),
    ("https://ａｐｉ.example.com/", OPEN),
    ("https://api.e\u{ad}xample.com/", OPEN),
    ("https://ⓐⓟⓘ.example.com/", OPEN),
    // Names that only look like it.
    ("https://example.com/", NOT_LISTED),
    ("https://www.api.example.com/", NOT_LISTED),
    ("https://api.example.com.evil.example/", NOT_LISTED),
    ("https://evilapi.example.com/", NOT_LISTED),
    ("https://api-example.com/", NOT_LISTED),
    ("https://api.example.co/", NOT_LISTED),
    ("https://api.example.comm/", NOT_LISTED),
    ("https://apiXexample.com/", NOT_LISTED),
    ("https://evil.example/api.example.com", NOT_LISTED),
    ("https://evil.example/?https://api.example.com", NOT_LISTED),
    ("https://evil.example#api.example.com", NOT_LISTED),
    ("https://evil.example#@api.example.com/", NOT_LISTED),
    ("https://evil.example?@api.example.com/", NOT_LISTED),
    ("https://evil.example/@api.example.com/", NOT_LISTED),
    ("https://evil.example\\@api.example.com/", NOT_LISTED),
    ("https://evil.example\\.api.example.com/", NOT_LISTED),
    ("https://evil.example:80\\@api.example.com/", NOT_LISTED),
    ("https://аpi.example.com/", NOT_LISTED),
    ("https://api.ехample.com/", NOT_LISTED),
    ("https://api.exampIe.com/", NOT_LISTED),
    ("https://api.example.com-evil.example/", NOT_LISTED),
    ("https://api_example_com/", NOT_LISTED),
    ("https://com/", NOT_LISTED),
    ("https://a/", NOT_LISTED),
    // Users and passwords.
    ("https://api.example.com@evil.example/", USER),
    ("https://user@api.example.com/", USER),
    ("https://user:password@api.example.com/", USER),
    ("https://:password@api.example.com/", USER),
    ("https://user:@api.example.com/", USER),
    ("https://evil.example%2F@api.example.com/", USER),
    ("https://evil.example%23@api.example.com/", USER),
    ("https://api.example.com%00@evil.example/", USER),
    ("https://api.example.com:443@evil.example/", USER),
    ("https://api.example.com:x@127.0.0.1:4000/", USER),
    ("https://a@b@api.example.com/", USER),
    ("https://@api.example.com/", OPEN),
    ("https://:@api.example.com/", OPEN),
    // Empty parts and what is no host.
    ("https://api.example.com../", EMPTY),
    ("https://api..example.com/", EMPTY),
    ("https://.api.example.com/", EMPTY),
    ("https://../", EMPTY),
    ("https://./", "is no host"),
    ("https://", NO_URL),
    ("https://:80/", NO_URL),
    ("https:// /", NO_URL),
    ("https://api example.com/", NO_URL),
    ("https://api.example.com%00/", NO_URL),
    ("https://api.example.com%0d%0a/", NO_URL),
    ("https://api.example.com%20/", NO_URL),
    ("https://api.example.com%2F/", NO_URL),
    ("https://api.example.com%40evil.example/", NO_URL),
    ("https://api.example.com%3A80/", NO_URL),
    ("https://api.example.com%5C/", NO_URL),
    ("https://api<example.com/", NO_URL),
    ("https://api^example.com/", NO_URL),
    ("https://api|example.com/", NO_URL),
    ("https://[api.example.com]/", NO_URL),
    ("https://api.example.com:99999/", NO_URL),
    ("https://api.example.com:-1/", NO_URL),
    ("https://api.example.com:8a/", NO_URL),
    ("https://xn--/", NO_URL),
    ("https://\u{ad}/", NO_URL),
    ("//api.example.com/", NO_URL),
    ("api.example.com", NO_URL),
    ("/api.example.com", NO_URL),
    ("", NO_URL),
    // Schemes.
    ("ftp://api.example.com/", SCHEME),
    ("file:///etc/passwd", SCHEME),
    ("file://api.example.com/etc/passwd", SCHEME),
    ("gopher://api.example.com/", SCHEME),
    ("ws://api.example.com/", SCHEME),
    ("wss://api.example.com/", SCHEME),
    ("data:text/plain,x", SCHEME),
    ("javascript:alert(1)", SCHEME),
    ("blob:https://api.example.com/x", SCHEME),
    ("about:blank", SCHEME),
    ("dict://api.example.com/", SCHEME),
    ("ldap://api.example.com/", SCHEME),
    ("unix:/var/run/docker.sock", SCHEME),
    ("http+unix://api.example.com/", SCHEME),
    ("httpss://api.example.com/", SCHEME),
    ("jar:https://api.example.com!/", SCHEME),
    ("view-source:https://api.example.com/", SCHEME),
    ("localhost:3000", SCHEME),
    // Wildcards.
    ("https://a.wild.example/", OPEN),
    ("https://a.b.wild.example/", OPEN),
    ("https://A.WILD.example./", OPEN),
    ("https://wild.example/", NOT_LISTED),
    ("https://wild.example./", NOT_LISTED),
    ("https://awild.example/", NOT_LISTED),
    ("https://.wild.example/", EMPTY),
    ("https://a..wild.example/", EMPTY),
    ("https://a.wild.example.evil.example/", NOT_LISTED),
    ("https://*.wild.example/", OPEN),
    ("https://127.0.0.1.wild.example/", OPEN),
    // Ports.
    ("https://pinned.example:8443/", OPEN),
    ("http://pinned.example:8443/", OPEN),
    ("https://pinned.example:08443/", OPEN),
    ("https://pinned.example/", PORT),
    ("https://pinned.example:443/", PORT),
    ("http://pinned.example:80/", PORT),
    ("https://pinned.example:8444/", PORT),
    ("https://pinned.example:84430/", NO_URL),
    ("http://api.example.com:22/", BAD_PORT),
    ("http://api.example.com:25/", BAD_PORT),
    ("http://api.example.com:6000/", BAD_PORT),
    ("http://api.example.com:6667/", BAD_PORT),
    ("http://api.example.com:0/", BAD_PORT),
    ("http://api.example.com:10080/", BAD_PORT),
    ("http://10.1.2.3:25/", BAD_PORT),
    ("http://ssh.example:22/", OPEN),
    ("http://localhost:22/", OPEN),
    // Names of international letters.
    ("https://bücher.example/", OPEN),
    ("https://BÜCHER.example/", OPEN),
    ("https://xn--bcher-kva.example/", OPEN),
    ("https://b%C3%BCcher.example/", OPEN),
    ("https://bu\u{308}cher.example/", OPEN),
    ("https://bucher.example/", NOT_LISTED),
    ("https://straße.example/", OPEN),
    ("https://strasse.example/", NOT_LISTED),
    ("https://my_service/", OPEN),
    // This machine by name.
    ("http://localhost:3000/", OPEN),
    ("http://LOCALHOST:3000/", OPEN),
    ("http://localhost.:3000/", OPEN),
    ("http://loc%61lhost:3000/", OPEN),
    ("http://localhost/", PORT),
    ("http://localhost:4000/", PORT),
    ("http://a.localhost:3000/", NOT_LISTED),
    ("http://localhost.localdomain:3000/", NOT_LISTED),
    ("http://ip6-localhost:3000/", NOT_LISTED),
    ("http://localhos:3000/", NOT_LISTED),
    ("http://localhost.example.com:3000/", NOT_LISTED),
    // The address that is listed, in every form that a URL may have.
    ("http://127.0.0.1:4000/", OPEN),
    ("http://127.1:4000/", OPEN),
    ("http://127.0.1:4000/", OPEN),
    ("http://2130706433:4000/", OPEN),
    ("http://0x7f000001:4000/", OPEN),
    ("http://0x7F.0x0.0x0.0x1:4000/", OPEN),
    ("http://0177.0.0.1:4000/", OPEN),
    ("http://017700000001:4000/", OPEN),
    ("http://0x7f.1:4000/", OPEN),
    ("http://127.0.0.1.:4000/", OPEN),
    ("http://127。0。0。1:4000/", OPEN),
    ("http://１２７.0.0.1:4000/", OPEN),
    ("http://127.0.0.1%2e:4000/", OPEN),
    ("http://127.0.0.1/", PORT),
    ("http://127.0.0.1:3000/", PORT),
    ("http://10.1.2.3/", OPEN),
    ("http://167838211/", OPEN),
    ("http://012.1.2.3/", OPEN),
    ("http://8.8.8.8/", OPEN),
    ("http://[::1]:5000/", OPEN),
    ("http://[0:0:0:0:0:0:0:1]:5000/", OPEN),
    ("http://[::0001]:5000/", OPEN),
    ("http://[::0.0.0.1]:5000/", OPEN),
    ("http://[2606:4700::1111]/", OPEN),
    ("http://[2606:4700:0:0::1111]/", OPEN),
    // Other addresses of this machine and of others.
    ("http://127.0.0.2:4000/", "is a loopback address (RFC 1122) and is not in"),
    ("http://127.255.255.255/", "loopback address"),
    ("http://127.2/", "loopback address"),
    ("http://0/", "address of this host on this network"),
    ("http://0.0.0.0:4000/", "address of this host on this network"),
    ("http://0x0/", "address of this host on this network"),
    ("http://10.1.2.4/", "private address"),
    ("http://10.0.0.1/", "private address"),
    ("http://012.0.0.1/", "private address"),
    ("http://0xa.0.0.1/", "private address"),
    ("http://167772161/", "private address"),
    ("http://172.16.0.1/", "private address"),
    ("http://172.31.255.255/", "private address"),
    ("http://192.168.1.1/", "private address"),
    ("http://192.168.257/", "private address"),
    ("http://0300.0250.1.1/", "private address"),
    ("http://100.64.0.1/", "shared address"),
    ("http://169.254.169.254/latest/meta-data/", "metadata address"),
    ("http://2852039166/", "metadata address"),
    ("http://0xa9fea9fe/", "metadata address"),
    ("http://0251.0376.0251.0376/", "metadata address"),
    ("http://169.254.43518/", "metadata address"),
    ("http://0xA9.0xFE.0xA9.0xFE/", "metadata address"),
    ("http://100.100.100.200/", "metadata address"),
    ("http://168.63.129.16/", "metadata address"),
    ("http://169.254.1.1/", "link-local address"),
    ("http://192.0.0.1/", "protocol assignments"),
    ("http://192.0.2.1/", "documentation address"),
    ("http://192.88.99.1/", "6to4 relay"),
    ("http://198.18.0.1/", "benchmarking address"),
    ("http://198.51.100.1/", "documentation address"),
    ("http://203.0.113.1/", "documentation address"),
    ("http://224.0.0.1/", "multicast address"),
    ("http://239.255.255.250/", "multicast address"),
    ("http://240.0.0.1/", "reserved address"),
    ("http://255.255.255.255/", "broadcast address"),
    ("http://4294967295/", "broadcast address"),
    ("http://1.1.1.1/", NOT_LISTED),
    ("http://8.8.8.9/", NOT_LISTED),
    ("http://256.0.0.1/", NO_URL),
    ("http://127.0.0.256/", NO_URL),
    ("http://4294967296/", NO_URL),
    ("http://0x100000000/", NO_URL),
    ("http://1.2.3.4.5/", NO_URL),
    ("http://08.0.0.1/", NO_URL),
    ("http://127.0.0.0x/", "loopback address"),
    ("http://foo.127/", NO_URL),
    ("http://127..0.1/", NO_URL),
    // IPv6, with and without another address inside.
    ("http://[::1]/", PORT),
    ("http://[::1]:4000/", PORT),
    ("http://[::]/", "unspecified address"),
    ("http://[::2]/", "IPv4-compatible address"),
    ("http://[::ffff:127.0.0.1]:4000/", "IPv4-mapped address (RFC 4291) that leads to 127.0.0.1"),
    ("http://[::ffff:7f00:1]:4000/", "IPv4-mapped address"),
    ("http://[0:0:0:0:0:ffff:127.0.0.1]:4000/", "IPv4-mapped address"),
    ("http://[::ffff:a9fe:a9fe]/", "that leads to 169.254.169.254"),
    ("http://[::ffff:8.8.8.8]/", "IPv4-mapped address"),
    ("http://[::127.0.0.1]:4000/", "IPv4-compatible address"),
    ("http://[::ffff:0:127.0.0.1]/", "IPv4-translated address"),
    ("http://[64:ff9b::127.0.0.1]/", "NAT64 address"),
    ("http://[64:ff9b::a9fe:a9fe]/", "that leads to 169.254.169.254"),
    ("http://[64:ff9b:1::1]/", "local NAT64 address"),
    ("http://[100::1]/", "discard-only address"),
    ("http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/", "Teredo address"),
    ("http://[2001:db8::1]/", "documentation address"),
    ("http://[2002:7f00:1::]/", "6to4 address"),
    ("http://[2002:a00:1::1]/", "that leads to 10.0.0.1"),
    ("http://[3fff::1]/", "documentation address"),
    ("http://[5f00::1]/", "segment routing address"),
    ("http://[fc00::1]/", "unique-local address"),
    ("http://[fd00:ec2::254]/", "metadata address"),
    ("http://[fe80::1]/", "link-local address"),
    ("http://[fec0::1]/", "site-local address"),
    ("http://[ff02::1]/", "multicast address"),
    ("http://[4000::1]/", "outside the public Internet"),
    ("http://[2606:4700::1112]/", NOT_LISTED),
    ("http://[fe80::1%25eth0]/", NO_URL),
    ("http://[::1%25]/", NO_URL),
    ("http://[::1]evil.example/", NO_URL),
    ("http://[::1/", NO_URL),
    ("http://::1/", NO_URL),
    ("http://[1::2::3]/", NO_URL),
    ("http://[v1.x]/", NO_URL),
    // Names that may lead into a network are names still.
    ("http://erp.internal/", OPEN),
    ("http://erp.internal:9999/", OPEN),
    ("http://10.0.0.5/", "private address"),
    ("http://x.erp.internal/", NOT_LISTED),
];

#[test]
fn urls_are_judged_by_their_parsed_host() {
    assert!(VECTORS.len() >= 200, "{}", VECTORS.len());
    let allowed = list(LIST);
    let mut wrong = Vec::new();
    for (url, rule) in VECTORS {
        match (check(&allowed, url), *rule) {
            (Ok(_), OPEN) => {}
            (Err(why), rule) if rule != OPEN && why.contains(rule) => {}
            (result, _) => wrong.push(format!("{url:?} should be {rule:?}: {result:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_empty_list_opens_nothing() {
    for (url, rule) in VECTORS {
        assert!(check(&AllowList::default(), url).is_err(), "{url} ({rule})");
    }
    let why = check(&AllowList::default(), "https://api.example.com/").unwrap_err();
    assert_eq!(why, "`api.example.com` is not in EXTENSION_ALLOWED_DOMAINS, which is empty");
}

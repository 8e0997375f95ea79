//! Which addresses a message may go to. A URL comes from a configuration that may have been written by somebody who
//! should not reach the inside of a network, so every address that it stands for is looked at before anything is sent,
//! and the connection goes to the very address that was looked at.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use async_trait::async_trait;
use url::{Host, Url};

/// What a receiver's configuration allows beyond public addresses over HTTPS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Plain HTTP.
    pub http: bool,
    /// Loopback and private networks.
    pub private: bool,
    /// Link-local addresses, those of cloud metadata among them.
    pub link_local: bool,
}

/// A URL that was taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Over TLS.
    pub tls: bool,
    /// Host name or address, for TLS and the Host header.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query: may hold a secret.
    path: String,
}

impl Target {
    /// Path and query, for whoever sends.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The Host header.
    pub fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// The path of a webhook is a secret: only the host is shown.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", if self.tls { "https" } else { "http" }, self.authority())
    }
}

/// A URL that nothing is sent to. Never repeats the URL, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is no URL.
    #[error("the address is no URL: {0}")]
    NoUrl(String),
    /// Another scheme.
    #[error("the scheme {0} is not allowed; use https (or set allow_http for a receiver inside your own network)")]
    Scheme(String),
    /// A user or a password in it.
    #[error("the address has a user name or a password in it; name a secret instead")]
    UserInfo,
    /// A name that does not resolve.
    #[error("{host} could not be resolved: {why}")]
    Unresolved {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// An address that must not be reached.
    #[error("{host} is {kind} ({address}); {remedy}")]
    Address {
        /// The name.
        host: String,
        /// What kind of address it is.
        kind: &'static str,
        /// The address.
        address: IpAddr,
        /// What to do where it is meant.
        remedy: &'static str,
    },
}

/// Who turns names into addresses.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses of a name.
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String>;
}

/// The system's own resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        tokio::net::lookup_host((host, port)).await.map(Iterator::collect).map_err(|error| error.to_string())
    }
}

/// Takes a URL apart. Numbers in any spelling that a browser would take for an address are addresses here too.
///
/// # Errors
/// When it is no URL, or one that is not allowed whatever it resolves to.
pub fn parse(url: &str, allowed: Allowed) -> Result<Target, Forbidden> {
    let url = Url::parse(url.trim()).map_err(|error| Forbidden::NoUrl(error.to_string()))?;
    let tls = match url.scheme() {
        "https" => true,
        "http" if allowed.http => false,
        other => return Err(Forbidden::Scheme(other.to_owned())),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Forbidden::UserInfo);
    }
    let host = url.host().ok_or_else(|| Forbidden::NoUrl("it names no host".to_owned()))?;
    let literal = match host {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    };
    let host = host.to_string();
    if let Some(address) = literal {
        check(&host, address, allowed)?;
    }
    let port = url.port_or_known_default().unwrap_or(if tls { 443 } else { 80 });
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok(Target { tls, host, port, path })
}

/// Resolves a host, once, to the addresses that a connection may go to; there is at least one. One forbidden address
/// among several forbids them all: which one would be taken is chance.
///
/// # Errors
/// When it does not resolve, or to an address that is not allowed.
pub async fn addresses(
    host: &str,
    port: u16,
    allowed: Allowed,
    resolver: &dyn Resolver,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let unresolved = |why: String| Forbidden::Unresolved { host: host.to_owned(), why };
    let addresses = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => resolver.resolve(host, port).await.map_err(unresolved)?,
    };
    if addresses.is_empty() {
        return Err(unresolved("it has no address".to_owned()));
    }
    for address in &addresses {
        check(host, address.ip(), allowed)?;
    }
    Ok(addresses)
}

fn check(host: &str, address: IpAddr, allowed: Allowed) -> Result<(), Forbidden> {
    const PRIVATE: &str = "set allow_private for a receiver inside your own network";
    const LINK_LOCAL: &str = "credentials are served there; set allow_link_local only if you know what answers";
    const NEVER: &str = "nothing can be sent there";
    let (kind, remedy) = match class(address) {
        Class::Public => return Ok(()),
        Class::Private(_) if allowed.private => return Ok(()),
        Class::LinkLocal(_) if allowed.link_local => return Ok(()),
        Class::Private(kind) => (kind, PRIVATE),
        Class::LinkLocal(kind) => (kind, LINK_LOCAL),
        Class::Never(kind) => (kind, NEVER),
    };
    Err(Forbidden::Address { host: host.to_owned(), kind, address, remedy })
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Public,
    Private(&'static str),
    LinkLocal(&'static str),
    Never(&'static str),
}

fn class(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(address) => class_v4(address),
        IpAddr::V6(address) => class_v6(address),
    }
}

fn class_v4(address: Ipv4Addr) -> Class {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        // What other clouds serve their metadata at: Azure, Alibaba, Oracle.
        (168, 63, 129, 16) | (100, 100, 100, 200) | (192, 0, 0, 192) => {
            Class::LinkLocal("an address of cloud metadata")
        }
        (169, 254, ..) => Class::LinkLocal("a link-local address, as cloud metadata has"),
        (0, ..) => Class::Never("an address of this very network"),
        (127, ..) => Class::Private("loopback"),
        (10, ..) | (192, 168, ..) | (172, 16..=31, ..) => Class::Private("a private address"),
        (100, 64..=127, ..) => Class::Private("an address of a carrier's own network"),
        (192, 0, 0, _) => Class::Private("an address for protocols"),
        (198, 18..=19, ..) => Class::Private("an address for measurements"),
        (192, 0, 2, _) | (198, 51, 100, _) | (203, 0, 113, _) => Class::Never("an address for examples"),
        (192, 88, 99, _) => Class::Never("a relay of 6to4"),
        (224..=239, ..) => Class::Never("a multicast address"),
        (240..=255, ..) => Class::Never("a reserved address"),
        _ => Class::Public,
    }
}

fn class_v6(address: Ipv6Addr) -> Class {
    let segments = address.segments();
    if address.is_unspecified() {
        return Class::Never("no address");
    }
    if address.is_loopback() {
        return Class::Private("loopback");
    }
    let within = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        class_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // EC2's metadata, time and name services (fd00:ec2::254 and its like), and Google's metadata.
        [0xfd00, 0x0ec2, ..] | [0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254] => {
            Class::LinkLocal("an address of cloud metadata")
        }
        [0xfc00..=0xfdff, ..] => Class::Private("a private address"),
        [0xfe80..=0xfebf, ..] => Class::LinkLocal("a link-local address"),
        [0xfec0..=0xfeff, ..] => Class::Private("a private address"),
        [0xff00..=0xffff, ..] => Class::Never("a multicast address"),
        // Mapped (::ffff:0:0/96), compatible (::/96), and translated (::ffff:0:0:0/96, 64:ff9b::/96).
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        // Translated within a network of one's own (64:ff9b:1::/48, RFC 8215): at the end, or where RFC 6052 puts it.
        [0x64, 0xff9b, 1, first, second, third, high, low] => {
            let split = within(first, (second & 0xff) << 8 | third >> 8);
            match (within(high, low), split) {
                (Class::LinkLocal(kind), _) | (_, Class::LinkLocal(kind)) => Class::LinkLocal(kind),
                _ => Class::Private("an address of a translator's own"),
            }
        }
        // 6to4 and Teredo carry an address of IPv4 within.
        [0x2002, high, low, ..] => within(high, low),
        [0x2001, 0, .., high, low] => within(!high, !low),
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Class::Never("an address for examples"),
        // ISATAP carries one as well.
        [0x2000..=0x3fff, _, _, _, 0 | 0x0200, 0x5efe, high, low] => within(high, low),
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Never("an address that nobody was given"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Says(Vec<&'static str>);

    #[async_trait]
    impl Resolver for Says {
        async fn resolve(&self, _: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
            Ok(self.0.iter().map(|address| SocketAddr::new(address.parse().unwrap(), port)).collect())
        }
    }

    /// What a URL comes to when every name resolves to a public address.
    async fn outcome(url: &str, allowed: Allowed) -> Result<SocketAddr, Forbidden> {
        let target = parse(url, allowed)?;
        let found = addresses(&target.host, target.port, allowed, &Says(vec!["93.184.216.34"])).await?;
        Ok(found[0])
    }

    const INSIDE: &[&str] = &[
        "https://127.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.0.0.1/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://0177.0.0.0x1/",
        "https://127.0.0.1./",
        "https://127.255.255.254/",
        "https://[::1]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[::127.0.0.1]/",
        "https://[::ffff:0:127.0.0.1]/",
        "https://[64:ff9b::127.0.0.1]/",
        "https://[64:ff9b:1::10.0.0.1]/",
        "https://[2002:7f00:1::]/",
        "https://[2002:a00:1::1]/",
        "https://[2001:0:1:1:1:1:80ff:fffe]/",
        "https://10.0.0.1/",
        "https://10.1/",
        "https://0xa.1/",
        "https://167772161/",
        "https://172.16.0.1/",
        "https://172.31.255.255/",
        "https://192.168.0.1/",
        "https://192.168.1/",
        "https://0300.0250.0.1/",
        "https://0xc0a80001/",
        "https://3232235521/",
        "https://100.64.0.1/",
        "https://100.127.255.255/",
        "https://198.18.0.1/",
        "https://192.0.0.1/",
        "https://[64:ff9b:1:a00:0:100::]/",
        "https://[2606:4700::200:5efe:10.0.0.1]/",
        "https://[fc00::1]/",
        "https://[fdab::1]/",
        "https://[fec0::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[::ffff:a00:1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://①②⑦.⓪.⓪.①/",
        "https://127。0。0。1/",
        "https://%31%32%37.0.0.1/",
        "https:\\\\127.0.0.1/",
        "https:127.0.0.1",
        "https://///127.0.0.1/",
        "\thttps://127.0.0.1/",
        "https://127.0.0.1:443/",
        "https://127.0.0.1:8443/#@example.com",
        "https://127.0.0.1?@example.com/",
    ];

    const METADATA: &[&str] = &[
        "https://169.254.169.254/latest/meta-data/",
        "https://169.254.170.2/v2/credentials",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://0xa9.0xfe.0xa9.0xfe/",
        "https://0251.0376.0251.0376/",
        "https://025177524776/",
        "https://169.254.43518/",
        "https://169.16689662/",
        "https://169.254.169.254./",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:a9fe:a9fe::]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://[fd00:0ec2:0:0:0:0:0:254]/",
        "https://[fd20:ce::254]/",
        "https://[64:ff9b:1:a9fe:a9:fe00::]/",
        "https://[2001:db9::5efe:169.254.169.254]/",
        "https://168.63.129.16/",
        "https://100.100.100.200/",
        "https://192.0.0.192/",
    ];

    const NOWHERE: &[&str] = &[
        "https://0.0.0.0/",
        "https://0/",
        "https://0x0/",
        "https://[::]/",
        "https://224.0.0.1/",
        "https://255.255.255.255/",
        "https://4294967295/",
        "https://[ff02::1]/",
        "https://192.0.2.1/",
        "https://[2001:db8::1]/",
        "https://[3fff::1]/",
        "https://[100::1]/",
        "https://[4000::1]/",
        "https://[2002:e000:1::]/",
        "https://192.88.99.1/",
    ];

    #[tokio::test]
    async fn no_spelling_of_an_inner_address_is_sent_to() {
        for url in INSIDE.iter().chain(METADATA).chain(NOWHERE) {
            let found = outcome(url, Allowed::default()).await;
            assert!(matches!(found, Err(Forbidden::Address { .. })), "{url}: {found:?}");
        }
        assert!(INSIDE.len() + METADATA.len() + NOWHERE.len() >= 60);
    }

    #[tokio::test]
    async fn allowing_the_own_network_does_not_allow_metadata() {
        let private = Allowed { private: true, ..Allowed::default() };
        for url in INSIDE {
            assert!(outcome(url, private).await.is_ok(), "{url}");
        }
        for url in METADATA.iter().chain(NOWHERE) {
            assert!(outcome(url, private).await.is_err(), "{url}");
        }
        let link_local = Allowed { link_local: true, ..private };
        for url in METADATA {
            assert!(outcome(url, link_local).await.is_ok(), "{url}");
        }
        for url in NOWHERE {
            assert!(outcome(url, link_local).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn schemes_users_and_broken_urls_are_refused() {
        for url in [
            "http://example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "//example.com/",
            "example.com",
            "https://",
            "https://[fe80::1%25eth0]/",
            "https://[::1%25lo]/",
            "https://exa mple.com/",
            "https://example.com:99999/",
            "https://user@example.com/",
            "https://user:secret@example.com/",
            "https://example.com@127.0.0.1/",
        ] {
            assert!(outcome(url, Allowed::default()).await.is_err(), "{url}");
        }
        assert!(outcome("http://example.com/", Allowed { http: true, ..Allowed::default() }).await.is_ok());
        assert!(outcome("https://example.com/hook?x=1", Allowed::default()).await.is_ok());
    }

    #[tokio::test]
    async fn a_name_is_judged_by_all_the_addresses_it_has() {
        let target = parse("https://hooks.example.com/a", Allowed::default()).unwrap();
        let of = async |answers: Vec<&'static str>| {
            addresses(&target.host, target.port, Allowed::default(), &Says(answers)).await
        };
        for answers in [vec!["127.0.0.1"], vec!["93.184.216.34", "10.0.0.1"], vec!["169.254.169.254"], vec!["::1"]] {
            let found = of(answers.clone()).await;
            assert!(matches!(found, Err(Forbidden::Address { .. })), "{answers:?}: {found:?}");
        }
        let found = of(Vec::new()).await;
        assert!(matches!(found, Err(Forbidden::Unresolved { .. })), "{found:?}");
        let found = of(vec!["93.184.216.34", "2606:4700::1111"]).await.unwrap();
        assert_eq!(found, ["93.184.216.34:443".parse().unwrap(), "[2606:4700::1111]:443".parse().unwrap()]);
    }

    #[test]
    fn neither_path_nor_query_is_shown() {
        let target = parse("https://hooks.example.com/services/canary?sig=canary", Allowed::default()).unwrap();
        assert_eq!(format!("{target:?}"), "https://hooks.example.com/…");
        assert_eq!(target.path(), "/services/canary?sig=canary");
        let error = parse("canary canary", Allowed::default()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

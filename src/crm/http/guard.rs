//! Where a client may send anything at all.
//!
//! Tokens and people's data go only to the configured hosts. A name that resolves to a private address is refused, so
//! that neither a configuration nor a vendor's answer (Salesforce's `instance_url`) can point the client inside a network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Origin, Url};

/// The allow-list of one client.
#[derive(Debug)]
pub(super) struct Guard {
    origins: RwLock<Vec<Origin>>,
    /// The configured host is this machine, so loopback addresses are meant.
    loopback: bool,
    /// Private addresses are meant.
    private: bool,
}

impl Guard {
    /// Starts from the configured base URL; says in words why it cannot be used.
    pub(super) fn new(base: &Url, private: bool) -> Result<Self, String> {
        let guard = Self { origins: RwLock::default(), loopback: is_loopback(base), private };
        guard.admit(base)?;
        Ok(guard)
    }

    /// Adds the host of a URL to the allow-list.
    pub(super) fn admit(&self, url: &Url) -> Result<(), String> {
        let local = is_loopback(url);
        let plain = url.scheme() == "http" && (local || self.private);
        if url.scheme() != "https" && !plain {
            return Err(format!("`{}` must begin with `https://`", shown(url)));
        }
        if url.host().is_none() {
            return Err(format!("`{}` names no host", shown(url)));
        }
        if local && !self.loopback && !self.private {
            return Err(format!("`{}` is this machine, which is not what was configured", shown(url)));
        }
        self.check_literal(url)?;
        let mut origins = self.origins.write().unwrap_or_else(PoisonError::into_inner);
        if !origins.contains(&url.origin()) {
            origins.push(url.origin());
        }
        Ok(())
    }

    /// Whether a call to this URL may be made; says in words why not.
    pub(super) fn check(&self, url: &Url) -> Result<(), String> {
        let origins = self.origins.read().unwrap_or_else(PoisonError::into_inner);
        if origins.contains(&url.origin()) {
            Ok(())
        } else {
            Err(format!("`{}` is not one of the configured hosts", shown(url)))
        }
    }

    /// An address written out as the host never reaches the resolver, so it is looked at here.
    fn check_literal(&self, url: &Url) -> Result<(), String> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            _ => return Ok(()),
        };
        if self.permits(address) { Ok(()) } else { Err(format!("`{}` is a private address", shown(url))) }
    }

    fn permits(&self, address: IpAddr) -> bool {
        self.private || is_public(address) || (self.loopback && address.is_loopback())
    }
}

/// The URL without what may be secret or personal: user, path and query.
pub(super) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Resolves names and drops the addresses that the guard does not permit.
pub(super) struct GuardedResolver(pub(super) Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let permitted: Vec<SocketAddr> =
                found.into_iter().filter(|address| guard.permits(address.ip())).collect();
            if permitted.is_empty() {
                return Err(PrivateAddress { host: name.as_str().to_owned() }.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

/// A host has only addresses that are not permitted.
#[derive(Debug, thiserror::Error)]
#[error("`{host}` has only private addresses, which are refused unless the configuration allows them")]
pub(super) struct PrivateAddress {
    host: String,
}

/// Whether an address is one of the public internet, by IANA's registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // carrier-grade NAT
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 198 && (b == 18 || b == 19))) // benchmarks
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = embedded_v4(address) {
        return is_public_v4(inner);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is given out to the public; of it, documentation and Teredo are not.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0x0db8 || second == 0))
}

/// The IPv4 address inside a mapped, NAT64 or 6to4 address: these reach the inner address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn only_the_configured_hosts_are_allowed() {
        let guard = Guard::new(&url("https://api.hubapi.com"), false).unwrap();
        assert!(guard.check(&url("https://api.hubapi.com/crm/v3/objects")).is_ok());
        for other in [
            "https://api.hubapi.com:8443/",
            "http://api.hubapi.com/",
            "https://evil.test/",
            "https://api.hubapi.com.evil.test",
        ] {
            assert!(guard.check(&url(other)).is_err(), "{other}");
        }
        guard.admit(&url("https://acme.my.salesforce.com")).unwrap();
        assert!(guard.check(&url("https://acme.my.salesforce.com/services")).is_ok());
    }

    #[test]
    fn plain_text_and_private_hosts_are_refused() {
        for text in [
            "http://api.hubapi.com",
            "ftp://api.hubapi.com",
            "https://10.0.0.1",
            "https://[fd00::1]",
            "https://169.254.169.254",
        ] {
            assert!(Guard::new(&url(text), false).is_err(), "{text}");
        }
        assert!(Guard::new(&url("http://10.0.0.1:8080"), true).is_ok());
    }

    #[test]
    fn loopback_is_allowed_only_where_the_configuration_is_loopback() {
        let local = Guard::new(&url("http://127.0.0.1:9000"), false).unwrap();
        assert!(local.admit(&url("http://localhost:9001")).is_ok());
        let public = Guard::new(&url("https://login.salesforce.com"), false).unwrap();
        assert!(public.admit(&url("http://127.0.0.1:9000")).is_err());
        assert!(public.admit(&url("https://localhost")).is_err());
    }

    #[test]
    fn messages_show_neither_user_nor_path() {
        let error = Guard::new(&url("http://user:secret@host.test/token?q=1"), false).unwrap_err();
        assert!(!error.contains("secret") && !error.contains("token"), "{error}");
    }

    #[test]
    fn special_addresses_are_not_public() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "192.0.0.8",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        for text in ["104.16.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:104.16.1.1"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}

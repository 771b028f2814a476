//! Where a request comes from, and how often requests may come from there.
//!
//! The address is that of the connection, unless a proxy that the keeper trusts has made it: then it is the last address in
//! `X-Forwarded-For` that is none of a trusted proxy's. What anyone else writes there is not believed. Addresses are counted
//! for a minute, and never logged.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Site;
use super::problem::Rejection;

/// Where a connection comes from, among a request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Addresses with the same beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

/// A text that names no network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no address such as 127.0.0.1, and no network such as 10.0.0.0/8")]
pub(crate) struct NoNetwork(String);

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                u128::from(one.to_bits() ^ other.to_bits()) << 96
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
            _ => return false,
        };
        differing.leading_zeros() >= u32::from(self.bits)
    }
}

/// Returns where a request comes from.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    for address in forwarded.into_iter().rev() {
        let Ok(address) = address.parse::<IpAddr>() else {
            break;
        };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Returns what is counted as one: an IPv6 address's first half, since who has one address has all of those.
fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Answers 429 where too many requests come from one address. Health checks and the description are not counted.
pub(super) async fn limit(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if let Some(Peer(peer)) = peer
        && request.uri().path().starts_with(protocol::api::JOURNALS)
    {
        let address = counted(client(peer, request.headers(), &site.proxies));
        if let Err(wait) = site.relay.check_address(address) {
            let limit = site.relay.limits().requests_per_address;
            return Rejection::too_many_of_address(limit, wait).into_response();
        }
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Vec<Network> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        client(peer.parse().unwrap(), &headers, &networks(trusted)).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(from("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(from("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(from("10.1.2.3", &["1.1.1.1"], &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(from("10.1.2.3", &[], &["10.0.0.0/8"]), "10.1.2.3");
        // Only the last that no trusted proxy has: what is before it, the client may have made up.
        let chain = ["6.6.6.6, 1.1.1.1", "10.9.9.9"];
        assert_eq!(from("10.1.2.3", &chain, &["10.0.0.0/8"]), "1.1.1.1");
        assert_eq!(
            from("10.1.2.3", &["1.1.1.1, nonsense"], &["10.0.0.0/8"]),
            "10.1.2.3"
        );
        assert_eq!(
            from("::ffff:10.1.2.3", &["2001:db8::1"], &["10.0.0.0/8"]),
            "2001:db8::1"
        );
        assert_eq!(from("::1", &["1.1.1.1"], &["::1"]), "1.1.1.1");
    }

    #[test]
    fn networks_are_read_and_bounded() {
        for wrong in [
            "",
            "example.org",
            "10.0.0.0/33",
            "::/129",
            "10.0.0.0/x",
            "10.0.0/8",
        ] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("200.1.1.1".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        let half: Network = "2001:db8::/32".parse().unwrap();
        assert!(half.contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(!half.contains("2001:db9::1".parse().unwrap()));
    }

    #[test]
    fn half_an_ipv6_address_counts() {
        let count = |text: &str| counted(text.parse().unwrap()).to_string();
        assert_eq!(count("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(count("10.1.2.3"), "10.1.2.3");
    }
}

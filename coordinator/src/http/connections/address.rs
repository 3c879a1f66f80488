//! Whose request it is: the peer's address, or behind a trusted proxy the one that the proxy names. Pure.

use std::net::IpAddr;

use axum::http::HeaderMap;

use crate::config;

/// What counts as one address: all of a site's, which has at least a /64 of IPv6.
pub(crate) fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

/// Whose request it is: what the nearest proxy that we do not know says of its peer. Entries further left in
/// `X-Forwarded-For` are anybody's words.
pub(crate) fn client(limits: &config::Connections, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let named = lines.filter_map(|line| line.to_str().ok());
    for name in named.flat_map(|line| line.rsplit(',')) {
        if !limits.is_proxy(address) {
            break;
        }
        let name = name.trim();
        let parsed = name
            .parse()
            .or_else(|_| name.parse().map(|socket: std::net::SocketAddr| socket.ip()));
        match parsed {
            Ok(named) => address = named.to_canonical(),
            Err(_) => break,
        }
    }
    group(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxy_says_who_is_behind_it() {
        let limits = config::Connections {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            ..config::Connections::default()
        };
        let of = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            client(&limits, peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(of("203.0.113.9", &["192.0.2.1"]), "203.0.113.9", "a stranger's word");
        assert_eq!(of("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(
            of("10.0.0.1", &["6.6.6.6, 192.0.2.1, 10.0.0.2"]),
            "192.0.2.1",
            "the stranger's own entry is no use"
        );
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(of("10.0.0.1", &["unknown"]), "10.0.0.1");
        assert_eq!(of("::ffff:10.0.0.1", &["2001:db8::7"]), "2001:db8::");
    }
}

//! The addresses that belong to the agent's machine, or to who runs it: what the engine and its builder fetch, they
//! fetch from the host's position, so a job must not choose such an address. Asked before the engine is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use super::connect::Engine;
use super::error::EngineError;
use super::login::registry_of;
use super::policy::{LocalAccess, split_port};

/// Services of clouds for their machines outside of the link-local range.
pub(crate) const METADATA: [&str; 4] = ["100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254"];

impl Engine {
    /// Whether a job may have the engine ask that registry.
    ///
    /// # Errors
    /// `NotAllowed`: it is on this machine, and the machine's owner did not say that jobs may reach it.
    pub(crate) async fn may_ask_registry(&self, reference: &str) -> Result<(), EngineError> {
        let (host, port) = split_port(registry_of(reference));
        let ports = match port.map(str::parse) {
            Some(Ok(port)) => vec![port],
            _ => vec![443, 80],
        };
        self.may_reach(host, &ports, &format!("the registry of `{reference}`"))
            .await
    }

    /// Whether a job may have the builder fetch that URL.
    ///
    /// # Errors
    /// As [`Engine::may_ask_registry`].
    pub(crate) async fn may_fetch(&self, url: &str) -> Result<(), EngineError> {
        let refused = |why: &str| EngineError::NotAllowed {
            detail: format!("`{url}` {why}"),
        };
        let parsed = reqwest::Url::parse(url).map_err(|_| refused("is not a URL"))?;
        let host = parsed.host_str().ok_or_else(|| refused("names no host"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = parsed.port_or_known_default().unwrap_or(80);
        self.may_reach(host, &[port], &format!("`{url}`")).await
    }

    async fn may_reach(&self, host: &str, ports: &[u16], what: &str) -> Result<(), EngineError> {
        let LocalAccess::Only(addresses) = &self.inner.config.policy.local else {
            return Ok(());
        };
        let is_named = |port: &u16| addresses.iter().any(|address| address.covers(host, *port));
        if ports.iter().any(is_named) || !is_local(host, ports).await {
            return Ok(());
        }
        Err(EngineError::NotAllowed {
            detail: format!(
                "{what} is at an address of the agent's own machine or network, which jobs do not reach; whoever runs \
                 the agent can allow it with `--allow-local {host}:{}`",
                ports.first().copied().unwrap_or_default()
            ),
        })
    }
}

/// One of the addresses behind the name is local. A name that nobody knows is not: whoever asks for it will find out.
async fn is_local(host: &str, ports: &[u16]) -> bool {
    let bare = host.trim_end_matches('.').to_ascii_lowercase();
    if bare == "localhost" || bare.ends_with(".localhost") {
        return true;
    }
    if let Ok(address) = bare.parse() {
        return is_local_address(address);
    }
    let port = ports.first().copied().unwrap_or_default();
    match tokio::net::lookup_host((bare.as_str(), port)).await {
        Ok(found) => found.map(|found| found.ip()).any(is_local_address),
        Err(_) => false,
    }
}

/// Loopback, link-local, a cloud's metadata, or an address that this machine itself has.
pub(crate) fn is_local_address(address: IpAddr) -> bool {
    let address = address.to_canonical();
    let never_elsewhere = match address {
        IpAddr::V4(v4) => is_never_elsewhere(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local() || is_embedded(v6),
    };
    never_elsewhere
        || METADATA.iter().any(|known| known.parse() == Ok(address))
        // only an address of this machine can be bound
        || UdpSocket::bind((address, 0)).is_ok()
}

fn is_never_elsewhere(address: Ipv4Addr) -> bool {
    let this_network = address.octets()[0] == 0;
    address.is_loopback() || address.is_link_local() || this_network || address.is_broadcast()
}

/// `::127.0.0.1`, `64:ff9b::127.0.0.1`
fn is_embedded(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let [.., a, b, c, d] = address.octets();
    let compatible = segments[..6] == [0; 6] && segments[6..] != [0, 0];
    let translated = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    (compatible || translated) && is_never_elsewhere(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_machine_is_known_by_all_its_names() {
        for host in [
            "127.0.0.1",
            "127.9.9.9",
            "localhost",
            "LOCALHOST.",
            "registry.localhost",
            "0.0.0.0",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "169.254.169.254",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
        ] {
            assert!(is_local(host, &[443]).await, "{host}");
        }
        for host in ["192.0.2.77", "2001:db8::1", "nobody.invalid"] {
            assert!(!is_local(host, &[443]).await, "{host}");
        }
    }
}

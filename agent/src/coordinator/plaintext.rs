//! To whom an agent speaks without TLS, pure: its token and the secrets of jobs go over that line.

use std::net::IpAddr;

/// Where HTTP without TLS is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// On this machine.
    LoopbackOnly,
    /// Everywhere: somebody said that nobody listens.
    Allowed,
}

/// Everybody on the way could read the token and the secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is on another machine and not https: the agent's token and the secrets of jobs could be read on the way")]
pub struct PlaintextRefused(String);

impl Plaintext {
    /// Whether an agent may speak to that address.
    ///
    /// # Errors
    /// When others could listen and nobody allowed it.
    pub fn check(self, url: &str) -> Result<(), PlaintextRefused> {
        let url = url.trim();
        let parsed = reqwest::Url::parse(url);
        let is_safe = parsed.is_ok_and(|url| url.scheme() == "https" || url.host_str().is_some_and(is_loopback));
        if is_safe || self == Plaintext::Allowed {
            return Ok(());
        }
        Err(PlaintextRefused(url.to_owned()))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for safe in [
            "https://ci.example",
            "http://127.0.0.1:7878",
            "http://127.8.8.8",
            "http://[::1]:7878/",
            "http://localhost:7878",
        ] {
            assert_eq!(Plaintext::LoopbackOnly.check(safe), Ok(()), "{safe}");
        }
        for open in [
            "http://ci.example",
            "HTTP://10.0.0.7:7878",
            "http://coordinator:7878",
            "http://localhost.example",
            "http://127.0.0.1.example",
            "http://127.0.0.1@ci.example",
            "http://[2001:db8::1]",
            "ci.example",
        ] {
            assert!(Plaintext::LoopbackOnly.check(open).is_err(), "{open}");
            assert_eq!(Plaintext::Allowed.check(open), Ok(()));
        }
    }
}

//! What jobs may do on an agent's machine, as its owner decides: which local addresses can be reached, whose images may
//! run, what one container may use at most. Plain data with its parsing, so that the command line and tests share it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::plan::Limits;

/// The decisions of the machine's owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which addresses of the machine itself pulls, pushes, builds and jobs may reach.
    pub local: LocalAccess,
    /// Who may use images that Drover did not fetch.
    pub host_images: HostImages,
    /// Whether jobs are kept from the machine's own addresses by rules of its firewall.
    pub firewall: Firewall,
    /// What a container gets at most, whatever its job asks for.
    pub most: Limits,
}

impl Policy {
    /// For the user's own jobs on the user's own machine.
    pub fn own_machine() -> Policy {
        Policy {
            local: LocalAccess::All,
            most: Limits::most_of_this_machine(),
            ..Policy::default()
        }
    }
}

/// Loopback, link-local, metadata and the machine's own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalAccess {
    /// All of them can be reached.
    All,
    /// These alone.
    Only(Vec<LocalAddress>),
}

impl Default for LocalAccess {
    fn default() -> Self {
        LocalAccess::Only(Vec::new())
    }
}

/// A host, perhaps with a port: `127.0.0.1:5000`, `registry.local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalAddress {
    /// Name or address, without brackets.
    pub host: String,
    /// `None`: all of them.
    pub port: Option<u16>,
}

/// Who may use an image that the machine's owner put there: imported, built or pulled by hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HostImages {
    /// Every job.
    #[default]
    All,
    /// Trusted jobs.
    Trusted,
    /// None: every image comes from a registry.
    Nobody,
}

/// What is done with the firewall of the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Firewall {
    /// Nothing.
    #[default]
    Off,
    /// Its rules are set where that is possible; else the agent warns.
    Auto,
    /// Without its rules no untrusted job is run.
    Required,
}

impl LocalAddress {
    /// It is that place.
    pub fn covers(&self, host: &str, port: u16) -> bool {
        self.host.eq_ignore_ascii_case(host) && self.port.is_none_or(|own| own == port)
    }
}

impl FromStr for LocalAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<LocalAddress, String> {
        let (host, port) = split_port(text);
        let port = port.map(str::parse).transpose();
        let port = port.map_err(|_| format!("`{text}` is not `HOST` or `HOST:PORT`"))?;
        let fine = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if host.is_empty() || !host.chars().all(fine) {
            return Err(format!("`{text}` is not `HOST` or `HOST:PORT`"));
        }
        Ok(LocalAddress {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// `host`, `host:port`, `[address]:port`; a bare IPv6 address has no port.
pub(crate) fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some((host, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return (host, rest.strip_prefix(':'));
    }
    if text.parse::<IpAddr>().is_ok() {
        return (text, None);
    }
    match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_host_with_or_without_a_port() {
        for text in ["127.0.0.1:5000", "registry.local", "[::1]:80", "::1", "10.0.0.1"] {
            let address: LocalAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        for text in ["", ":80", "a:b", "a b", "http://x/"] {
            assert!(text.parse::<LocalAddress>().is_err(), "{text}");
        }
        let all: LocalAddress = "localhost".parse().unwrap();
        assert!(all.covers("LOCALHOST", 1) && all.covers("localhost", 2) && !all.covers("x", 1));
        let one: LocalAddress = "127.0.0.1:5000".parse().unwrap();
        assert!(one.covers("127.0.0.1", 5000) && !one.covers("127.0.0.1", 5001));
    }
}

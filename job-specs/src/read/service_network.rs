//! How a service is reached and what it reaches: ports, names, hosts, name servers.

use core::net::IpAddr;
use std::ops::RangeInclusive;

use crate::codes;
use crate::keys::{CONTAINER_NAME, NETWORK, PORT};
use crate::model::Dns;
use crate::placed::Link;
use crate::placed::PlacedService;
use crate::problems::Problem;
use crate::read::Around;
use crate::read::service::is_host;
use crate::reader::{Fields, Reader, Slot};
use crate::yaml::{Entry, Value};

/// Ports that one range may have.
const MAX_RANGE: u16 = 1000;

impl Reader<'_> {
    /// Ports, names and hosts.
    pub(crate) fn service_network(
        &mut self,
        fields: &Fields<'_>,
        owner: &str,
        around: Around<'_>,
        service: &mut PlacedService,
    ) {
        if let Some(slot) = fields.get("networks") {
            self.networks(slot, owner, around, service);
        }
        if let Some(slot) = fields.get("hostname")
            && let Some(name) = self.host(slot)
        {
            if name != service.spec.name {
                service.hosts.push((name.clone(), slot.place()));
            }
            service.spec.hostname = Some(name);
        }
        for item in fields
            .get("expose")
            .and_then(|slot| self.items(slot, "a list of ports"))
            .into_iter()
            .flatten()
        {
            self.exposed(item, service);
        }
        for item in fields
            .get("ports")
            .and_then(|slot| self.items(slot, "a list of ports"))
            .into_iter()
            .flatten()
        {
            match Self::is_map(item) {
                true => self.long_port(item, owner, service),
                false => self.short_port(item, service),
            };
        }
        self.container_name(fields, service);
        for item in fields
            .get("links")
            .and_then(|slot| self.items(slot, "a list of services"))
            .into_iter()
            .flatten()
        {
            self.link(item, service);
        }
        let spec = &mut service.spec;
        spec.expose.sort_unstable();
        spec.expose.dedup();
        spec.extra_hosts = self.take(fields, "extra_hosts", Self::extra_hosts).unwrap_or_default();
        spec.dns = Dns {
            servers: self.take(fields, "dns", Self::addresses).unwrap_or_default(),
            search: self.take(fields, "dns_search", Self::texts).unwrap_or_default(),
            options: self.take(fields, "dns_opt", Self::texts).unwrap_or_default(),
        };
    }

    fn addresses(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        let mut addresses = Vec::new();
        for item in self.one_or_many(slot) {
            let Some(text) = self.text(item) else { continue };
            if text.parse::<IpAddr>().is_err() {
                let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{text}` is not an address"));
                self.add(problem.label("expected 10.0.0.53, …"));
            }
            addresses.push(text);
        }
        Some(addresses)
    }

    /// A host name.
    fn host(&mut self, slot: Slot<'_>) -> Option<String> {
        let name = self.given_text(slot)?;
        if is_host(&name) && name != "localhost" {
            return Some(name);
        }
        let problem = self.bad_value(slot, &codes::BAD_NAME, format!("`{name}` is not a host name"));
        self.add(problem.label("letters, digits, `-`, `_` and `.`, at most 63"));
        None
    }

    fn networks(&mut self, slot: Slot<'_>, owner: &str, around: Around<'_>, service: &mut PlacedService) {
        match &slot.node.value {
            Value::List(items) => {
                for item in items {
                    let item = slot.inside(item);
                    if let Some(name) = self.literal(item) {
                        around.definitions.check_network(self, &name, item.place());
                    }
                }
            }
            Value::Map(entries) => entries
                .iter()
                .for_each(|entry| self.network(entry, owner, around, service)),
            Value::Scalar(_) => self.wrong_type(slot, "a list of names, or a map"),
        }
    }

    fn network(&mut self, entry: &Entry, owner: &str, around: Around<'_>, service: &mut PlacedService) {
        around.definitions.check_network(self, &entry.key.text, entry.key.place);
        if entry.node.is_null() {
            return;
        }
        let slot = Slot::of("networks", &entry.node);
        let Some(fields) = self.fields(slot, &NETWORK, &format!("`networks` of {owner}")) else {
            return;
        };
        let aliases = fields
            .get("aliases")
            .and_then(|slot| self.items(slot, "a list of host names"));
        for item in aliases.into_iter().flatten() {
            if let Some(alias) = self.host(item) {
                service.answers_to(alias, item.place());
            }
        }
    }

    /// Its container cannot be called so, but other services find it by that name.
    fn container_name(&mut self, fields: &Fields<'_>, service: &mut PlacedService) {
        let mut others = fields.others();
        if let Some(entry) = others.find(|entry| &*entry.key.text == CONTAINER_NAME && self.in_compose(entry.key.place))
            && let Some(name) = self.given_text(Slot::of(CONTAINER_NAME, &entry.node))
            && is_host(&name)
        {
            service.answers_to(name, entry.node.place);
        }
    }

    /// `service`, or `service:alias`
    fn link(&mut self, item: Slot<'_>, service: &mut PlacedService) -> Option<()> {
        let text = self.literal(item)?;
        let (target, alias) = match text.split_once(':') {
            Some((target, alias)) => (target, Some(alias)),
            None => (text.as_str(), None),
        };
        if let Some(alias) = alias.filter(|alias| !is_host(alias)) {
            let problem = self.bad_value(item, &codes::BAD_NAME, format!("`{alias}` is not a host name"));
            self.add(problem.label("expected db or db:database"));
            return None;
        }
        service.links.push(Link {
            target: target.to_owned(),
            alias: alias.map(str::to_owned),
            place: item.place(),
        });
        Some(())
    }

    /// `3000`, `8000-8010`, `53/udp`
    fn exposed(&mut self, item: Slot<'_>, service: &mut PlacedService) -> Option<()> {
        let text = self.text(item)?;
        match container_ports(&text) {
            Some(ports) => serve(service, ports),
            None => self.no_port(item, &text, "expected 3000, 8000-8010 or 53/udp"),
        }
        Some(())
    }

    /// `[[host ip:]host port:]container port[/protocol]`
    fn short_port(&mut self, item: Slot<'_>, service: &mut PlacedService) -> Option<()> {
        let text = self.text(item)?;
        let (host, container) = text
            .rsplit_once(':')
            .map_or((None, text.as_str()), |(host, port)| (Some(host), port));
        let Some(ports) = container_ports(container).filter(|_| host.is_none_or(is_host_side)) else {
            self.no_port(item, &text, "expected 5432, 8080:80 or 127.0.0.1:8080:80");
            return None;
        };
        if host.is_some() && service.published.is_none() {
            let port = ports.clone().next().unwrap_or_else(|| first_port(container));
            service.published = Some((port, item.place()));
        }
        serve(service, ports);
        Some(())
    }

    fn long_port(&mut self, item: Slot<'_>, owner: &str, service: &mut PlacedService) -> Option<()> {
        let owner = format!("`ports` of {owner}");
        let fields = self.fields(item, &PORT, &owner)?;
        let target = self.require(&fields, "target", &owner, item.place())?;
        let port = self.port(target)?;
        let protocol = fields
            .get("protocol")
            .and_then(|slot| self.choice(slot, &["tcp", "udp", "sctp"]));
        let is_tcp = protocol.is_none_or(|protocol| protocol == "tcp");
        self.read_over(&fields, &["published", "host_ip", "app_protocol", "mode", "name"]);
        if is_tcp {
            service.spec.expose.push(port);
        }
        if let Some(published) = fields.get("published")
            && service.published.is_none()
        {
            service.published = Some((port, published.place()));
        }
        Some(())
    }

    fn no_port(&mut self, item: Slot<'_>, text: &str, expected: &str) {
        let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{text}` is not a port"));
        self.add(problem.label(expected.to_owned()));
    }

    /// Compose's two forms, as `host:address` lines.
    fn extra_hosts(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        match &slot.node.value {
            Value::Map(entries) => {
                for entry in entries {
                    let value = Slot::of("extra_hosts", &entry.node);
                    for item in self.one_or_many(value) {
                        let Some(address) = self.text(item) else { continue };
                        lines.extend(self.host_line(item, &entry.key.text, &address));
                    }
                }
            }
            Value::List(items) => {
                for item in items {
                    let item = slot.inside(item);
                    let Some(text) = self.text(item).filter(|text| !text.is_empty()) else {
                        continue;
                    };
                    let Some((host, address)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                        let problem = self.bad_value(item, &codes::BAD_VALUE, format!("`{text}` has no address"));
                        self.add(problem.label("expected name=address"));
                        continue;
                    };
                    lines.extend(self.host_line(item, host, address));
                }
            }
            Value::Scalar(scalar) if scalar.text.is_empty() => {}
            Value::Scalar(_) => {
                self.wrong_type(slot, "a map, or a list of name=address");
                return None;
            }
        }
        Some(lines)
    }

    fn host_line(&mut self, item: Slot<'_>, host: &str, address: &str) -> Option<String> {
        if address == "host-gateway" {
            let message = format!("`{host}` is left out of `extra_hosts`");
            let problem = Problem::at(&codes::IGNORED, item.place(), message);
            self.add(problem.note("a job does not reach its agent's host: run what is needed there as a service"));
            return None;
        }
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() && is_host(host) {
            return Some(format!("{host}:{bare}"));
        }
        let message = format!("`{host}` with `{address}` is not a host and its address");
        let problem = self.bad_value(item, &codes::BAD_VALUE, message);
        self.add(problem.label("expected name=10.0.0.5"));
        None
    }
}

/// A service with more ports than this says nothing with them.
const MAX_PORTS: usize = 2000;

fn serve(service: &mut PlacedService, ports: RangeInclusive<u16>) {
    if service.spec.expose.len() < MAX_PORTS {
        service.spec.expose.extend(ports);
    }
}

/// The TCP ports of `3000`, `8000-8010`, `80/tcp`; none for UDP. `None` when it is no port.
fn container_ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let (first, last): (u16, u16) = (number(first)?, number(last)?);
    if first > last || last - first >= MAX_RANGE {
        return None;
    }
    match protocol {
        "tcp" => Some(first..=last),
        #[expect(clippy::reversed_empty_ranges, reason = "no port at all")]
        "udp" | "sctp" => Some(1..=0),
        _ => None,
    }
}

fn first_port(text: &str) -> u16 {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0)
}

/// `8080`, `8000-8010`, `127.0.0.1:8080`, `[::1]:80`, `127.0.0.1:`
fn is_host_side(text: &str) -> bool {
    let (address, ports) = text
        .rsplit_once(':')
        .map_or((None, text), |(address, ports)| (Some(address), ports));
    let is_address = address.is_none_or(|address| {
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok() || bare == "localhost"
    });
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    is_address && (ports.is_empty() || (number(first).is_some() && number(last).is_some()))
}

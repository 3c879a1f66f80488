//! How a service is reached and what it reaches: ports, names, hosts, name servers.

use core::net::IpAddr;
use std::ops::RangeInclusive;

use crate::codes;
use crate::located::{Link, LocatedService};
use crate::read::service_entry::{Making, is_host};
use crate::reader::keys::Foreign::{Ignored, Means};
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind, required};
use crate::reader::kinds::{self, SCALAR, TEXT, choice};
use crate::reader::{CONTAINER_NAME, Fields, Reader, Slot};
use crate::source::Location;
use crate::yaml::{Entry, Value};

/// `networks` of a service: only its further names count.
pub(crate) const NETWORKS: With<Making> = (
    Shape::AnyOf(&[
        Shape::List(&Shape::Name),
        Shape::Map(&Shape::AnyOf(&[Shape::Empty, Shape::Object(&NETWORK)])),
    ]),
    |reader, slot, making| reader.networks(slot, making),
);
/// Its own host name.
pub(crate) const HOSTNAME: With<Making> = (Shape::Text, |reader, slot, making| {
    if let Some(name) = reader.host(slot) {
        let service = &mut making.service;
        if name != service.spec.name {
            service.hosts.push((name.clone(), slot.location()));
        }
        service.spec.hostname = Some(name);
    }
});
/// `expose`.
pub(crate) const EXPOSE: With<Making> = (Shape::List(&Shape::Scalar), |reader, slot, making| {
    for item in reader.items(slot, "a list of ports").into_iter().flatten() {
        reader.exposed(item, &mut making.service);
    }
});
/// `ports`.
pub(crate) const PORTS: With<Making> = (
    Shape::List(&Shape::AnyOf(&[Shape::Scalar, Shape::Object(&PORT)])),
    |reader, slot, making| {
        for item in reader.items(slot, "a list of ports").into_iter().flatten() {
            match Reader::is_map(item) {
                true => reader.long_port(item, &mut making.service),
                false => reader.short_port(item, &mut making.service),
            };
        }
    },
);
/// `links`.
pub(crate) const LINKS: With<Making> = (Shape::List(&Shape::Text), |reader, slot, making| {
    for item in reader.items(slot, "a list of services").into_iter().flatten() {
        reader.link(item, &mut making.service);
    }
});
/// Lines of `/etc/hosts`.
pub(crate) const EXTRA_HOSTS: Kind<Vec<String>> = kind(
    Shape::AnyOf(&[Shape::List(&Shape::Text), Shape::Map(&Shape::OneOrMany(&Shape::Text))]),
    |reader, slot, _| reader.extra_hosts(slot),
);
/// Addresses of name servers.
pub(crate) const ADDRESSES: Kind<Vec<String>> =
    kind(Shape::OneOrMany(&Shape::Text), |reader, slot, _| reader.addresses(slot));

/// The map form of `networks` of a service.
static NETWORK: Table<Making> = Table {
    what: "`networks`",
    about: "How a service takes part in a network.",
    keys: &[key("aliases").about("Further host names of the service.").with(&(
        Shape::List(&Shape::Text),
        |reader, slot, making| {
            for item in reader.items(slot, "a list of host names").into_iter().flatten() {
                if let Some(alias) = reader.host(item) {
                    making.service.answers_to(alias, item.location());
                }
            }
        },
    ))],
    foreign: &[
        Ignored(NO_ADDRESSES).answers(&["ipv4_address", "ipv6_address", "link_local_ips", "mac_address"]),
        Ignored(ONE_NETWORK).answers(&["interface_name", "priority", "gw_priority", "driver_opts"]),
        Means("aliases").answers(&["alias"]),
    ],
    others: Others::Extensions,
};

const NO_ADDRESSES: &str = "addresses are the engine's choice; a service is found by its name";
const ONE_NETWORK: &str = "all services of a job share one network";

/// A port in its long form.
#[derive(Default)]
struct Long {
    target: Option<u16>,
    protocol: Option<&'static str>,
}

/// The long form of `ports`.
static PORT: Table<Long> = Table {
    what: "`ports`",
    about: "A port of a service.",
    keys: &[
        required("target")
            .about("The port in the container.")
            .set(&(kinds::PORT, |port, target| port.target = Some(target))),
        key("published")
            .about("Not published: steps reach the service by its name.")
            .read_over(&SCALAR),
        key("host_ip").about("Read over.").read_over(&TEXT),
        key("protocol")
            .about("Default: tcp.")
            .set(&(choice(&["tcp", "udp", "sctp"]), |port, protocol| {
                port.protocol = Some(protocol)
            })),
        key("app_protocol").about("Read over.").read_over(&TEXT),
        key("mode").about("Read over.").read_over(&TEXT),
        key("name").about("Read over.").read_over(&TEXT),
    ],
    foreign: &[Means("target").answers(&["port"])],
    others: Others::Extensions,
};

/// Ports that one range may have.
const MAX_RANGE: u16 = 1000;

impl Reader<'_> {
    fn networks(&mut self, slot: Slot<'_>, making: &mut Making) {
        match &slot.node.value {
            Value::List(_) => {
                for item in self.one_or_many(slot) {
                    if let Some(name) = self.literal(item) {
                        making.around.definitions.check_network(self, &name, item.location());
                    }
                }
            }
            Value::Map(entries) => entries.iter().for_each(|entry| self.network(entry, making)),
            Value::Scalar(_) => _ = self.wrong_type::<()>(slot, "a list of names, or a map"),
        }
    }

    fn network(&mut self, entry: &Entry, making: &mut Making) {
        let (name, location): (&str, Location) = (&entry.key.text, entry.key.location);
        making.around.definitions.check_network(self, name, location);
        if !entry.node.is_null() {
            let slot = Slot::of("networks", &entry.node);
            self.level(slot, &NETWORK, self.part("networks"), making);
        }
    }

    /// Its container cannot be called so, but other services find it by that name.
    pub(crate) fn container_name(&mut self, fields: &Fields<'_>, service: &mut LocatedService) {
        let mut others = fields.others();
        if let Some(entry) =
            others.find(|entry| &*entry.key.text == CONTAINER_NAME && self.in_compose(entry.key.location))
            && let Some(name) = self.given_text(Slot::of(CONTAINER_NAME, &entry.node))
            && is_host(&name)
        {
            service.answers_to(name, entry.node.location);
        }
    }

    fn long_port(&mut self, item: Slot<'_>, service: &mut LocatedService) -> Option<()> {
        let (long, fields) = self.map(item, &PORT)?;
        let port = long.target?;
        if long.protocol.is_none_or(|protocol| protocol == "tcp") {
            service.spec.expose.push(port);
        }
        if let Some(published) = fields.get("published")
            && service.published.is_none()
        {
            service.published = Some((port, published.location()));
        }
        Some(())
    }

    fn addresses(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        let mut addresses = Vec::new();
        for item in self.one_or_many(slot) {
            let Some(text) = self.text(item) else { continue };
            if text.parse::<IpAddr>().is_err() {
                let problem = self.not_allowed(item, format!("`{text}` is not an address"));
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
        self.reject(problem.label("letters, digits, `-`, `_` and `.`, at most 63"))
    }

    /// `service`, or `service:alias`
    fn link(&mut self, item: Slot<'_>, service: &mut LocatedService) -> Option<()> {
        let text = self.literal(item)?;
        let divided = text.split_once(':');
        let (target, alias) = (
            divided.map_or(&*text, |divided| divided.0),
            divided.map(|divided| divided.1),
        );
        if let Some(alias) = alias.filter(|alias| !is_host(alias)) {
            let problem = self.bad_value(item, &codes::BAD_NAME, format!("`{alias}` is not a host name"));
            return self.reject(problem.label("expected db or db:database"));
        }
        service.links.push(Link {
            target: target.to_owned(),
            alias: alias.map(str::to_owned),
            location: item.location(),
        });
        Some(())
    }

    /// `3000`, `8000-8010`, `53/udp`
    fn exposed(&mut self, item: Slot<'_>, service: &mut LocatedService) -> Option<()> {
        let text = self.text(item)?;
        match container_ports(&text) {
            Some(ports) => serve(service, ports),
            None => return self.no_port(item, &text, "expected 3000, 8000-8010 or 53/udp"),
        }
        Some(())
    }

    /// `[[host ip:]host port:]container port[/protocol]`
    fn short_port(&mut self, item: Slot<'_>, service: &mut LocatedService) -> Option<()> {
        let text = self.text(item)?;
        let (host, container) = text
            .rsplit_once(':')
            .map_or((None, text.as_str()), |(host, port)| (Some(host), port));
        let Some(ports) = container_ports(container).filter(|_| host.is_none_or(is_host_side)) else {
            return self.no_port(item, &text, "expected 5432, 8080:80 or 127.0.0.1:8080:80");
        };
        if host.is_some() && service.published.is_none() {
            let port = ports.clone().next().unwrap_or_else(|| first_port(container));
            service.published = Some((port, item.location()));
        }
        serve(service, ports);
        Some(())
    }

    fn no_port(&mut self, item: Slot<'_>, text: &str, expected: &str) -> Option<()> {
        let problem = self.not_allowed(item, format!("`{text}` is not a port"));
        self.reject(problem.label(expected))
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
            Value::List(_) => {
                for item in self.one_or_many(slot) {
                    let Some(text) = self.text(item).filter(|text| !text.is_empty()) else {
                        continue;
                    };
                    let Some((host, address)) = text.split_once('=').or_else(|| text.split_once(':')) else {
                        let problem = self.not_allowed(item, format!("`{text}` has no address"));
                        self.add(problem.label("expected name=address"));
                        continue;
                    };
                    lines.extend(self.host_line(item, host, address));
                }
            }
            Value::Scalar(scalar) if scalar.text.is_empty() => {}
            Value::Scalar(_) => return self.wrong_type(slot, "a map, or a list of name=address"),
        }
        Some(lines)
    }

    fn host_line(&mut self, item: Slot<'_>, host: &str, address: &str) -> Option<String> {
        if address == "host-gateway" {
            let problem = codes::IGNORED.at(item.location(), format!("`{host}` is left out of `extra_hosts`"));
            let note = "a job does not reach its agent's host: run what is needed there as a service";
            return self.reject(problem.note(note));
        }
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_ok() && is_host(host) {
            return Some(format!("{host}:{bare}"));
        }
        let message = format!("`{host}` with `{address}` is not a host and its address");
        let problem = self.not_allowed(item, message);
        self.reject(problem.label("expected name=10.0.0.5"))
    }
}

/// A service with more ports than this says nothing with them.
const MAX_PORTS: usize = 2000;

fn serve(service: &mut LocatedService, ports: RangeInclusive<u16>) {
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

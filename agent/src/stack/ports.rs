//! What is known of well-known ports: how to ask the server that is expected there whether it still starts, and which
//! ports say nothing of it. Pure. Separate from `ready` because it is knowledge of other programs, not of waiting.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::gate::ProbeTarget;

/// At most so many ports are tried.
pub(super) const MAX_PORTS: usize = 16;
/// PostgreSQL's registered port.
const POSTGRES: u16 = 5432;
/// Version 3.0 of PostgreSQL's messages, as its protocol documentation (Message Formats, `StartupMessage`) writes it.
const POSTGRES_3_0: u32 = 196_608;
/// The field of an `ErrorResponse` with the SQLSTATE `cannot_connect_now`: it starts, recovers or shuts down.
const POSTGRES_STARTS: &[u8] = b"C57P03\0";
/// Redis' registered port, and Valkey's.
const REDIS: u16 = 6379;

/// Ports of images that open before the server serves its clients, by the servers' own documentation: of RabbitMQ the
/// port mapper, metrics, management and the traffic between nodes; between nodes of Elasticsearch, Cassandra (and its
/// JMX), ZooKeeper, etcd, NATS and Consul.
const NOT_FOR_CLIENTS: [u16; 17] = [
    4369, 15671, 15672, 15691, 15692, 25672, // RabbitMQ
    9300,  // Elasticsearch
    7000, 7001, 7199, // Cassandra
    2888, 3888, // ZooKeeper
    2380, // etcd
    6222, // NATS
    8300, 8301, 8302, // Consul
];

/// The TCP ports that tell whether a service serves: its own first. One of the image that is not for clients counts
/// only when there is no other.
pub(super) fn client_ports(own: &[u16], of_image: &[u16]) -> Vec<u16> {
    let only_those = own.is_empty() && of_image.iter().all(|port| NOT_FOR_CLIENTS.contains(port));
    let of_image = of_image
        .iter()
        .filter(|port| only_those || !NOT_FOR_CLIENTS.contains(port));
    let mut ports: Vec<u16> = Vec::new();
    for port in own.iter().chain(of_image) {
        if ports.len() < MAX_PORTS && !ports.contains(port) {
            ports.push(*port);
        }
    }
    ports
}

/// How to try a service's port. PostgreSQL and Redis accept connections some time before they serve them.
/// `env`: the service's environment, for the names that PostgreSQL is asked by.
pub(super) fn target(addr: SocketAddr, env: &BTreeMap<String, String>) -> ProbeTarget {
    match addr.port() {
        POSTGRES => ProbeTarget::Ask {
            addr,
            question: postgres_start(env),
            starting: POSTGRES_STARTS.to_vec(),
        },
        REDIS => ProbeTarget::Ask {
            addr,
            question: b"PING\r\n".to_vec(),
            starting: b"-LOADING".to_vec(),
        },
        _ => ProbeTarget::Tcp(addr),
    }
}

/// The first message of a client, by the names that the official image makes: others would stand in the server's log as
/// errors.
fn postgres_start(env: &BTreeMap<String, String>) -> Vec<u8> {
    let set = |name: &str| env.get(name).filter(|value| !value.is_empty()).map(String::as_str);
    let user = set("POSTGRES_USER").unwrap_or("postgres");
    let database = set("POSTGRES_DB").unwrap_or(user);
    let names = format!("user\0{user}\0database\0{database}\0\0");
    let length = u32::try_from(names.len() + 8).unwrap_or(u32::MAX);
    let head = [length.to_be_bytes(), POSTGRES_3_0.to_be_bytes()].concat();
    [head.as_slice(), names.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_are_not_for_clients_say_nothing_unless_they_are_all_there_is() {
        let rabbit = [4369, 5671, 5672, 15691, 15692, 25672];
        assert_eq!(client_ports(&[], &rabbit), [5671, 5672]);
        assert_eq!(client_ports(&[15672], &rabbit), [15672, 5671, 5672]);
        assert_eq!(client_ports(&[], &[9300, 9200, 9200]), [9200]);
        assert_eq!(client_ports(&[], &[4369]), [4369]);
        assert_eq!(client_ports(&[80], &[4369]), [80]);
        assert_eq!(client_ports(&[], &[]), [0; 0]);
    }

    #[test]
    fn postgres_is_asked_by_the_names_that_its_image_makes() {
        let env = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            pairs.collect::<BTreeMap<String, String>>()
        };
        let plain = postgres_start(&env(&[("POSTGRES_DB", "")]));
        assert_eq!(plain, b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0");
        let own = postgres_start(&env(&[("POSTGRES_USER", "app"), ("POSTGRES_DB", "shop")]));
        assert_eq!(own, b"\0\0\0\x20\0\x03\0\0user\0app\0database\0shop\0\0");
        let named = postgres_start(&env(&[("POSTGRES_USER", "app")]));
        assert!(named.ends_with(b"database\0app\0\0"));
    }
}

//! Warns of the most common mistake of people who come from a shared network: a step that looks for a service on
//! localhost.

use crate::codes;
use crate::model::{ReadyProbe, ServiceSpec};
use crate::problems::{Problem, Problems};
use crate::source::Location;
use crate::sources::Sources;
use crate::yaml::{Node, Value};

/// Parts of image names, and the ports that they are known for.
const KNOWN_PORTS: &[(&str, u16)] = &[
    ("postgres", 5432),
    ("postgis", 5432),
    ("timescaledb", 5432),
    ("pgvector", 5432),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("percona", 3306),
    ("redis", 6379),
    ("valkey", 6379),
    ("mongo", 27017),
    ("rabbitmq", 5672),
    ("kafka", 9092),
    ("memcached", 11211),
    ("elasticsearch", 9200),
    ("opensearch", 9200),
    ("nats", 4222),
    ("minio", 9000),
    ("clickhouse", 8123),
    ("clickhouse", 9000),
    ("cassandra", 9042),
    ("etcd", 2379),
    ("consul", 8500),
    ("vault", 8200),
    ("zookeeper", 2181),
    ("mailpit", 1025),
    ("mailhog", 1025),
    ("neo4j", 7687),
    ("influxdb", 8086),
    ("cockroach", 26257),
];

/// Clients that are told a host by `-h` or `--host`, and the port that they then use.
const CLIENTS: &[(&str, u16)] = &[
    ("psql", 5432),
    ("pg_isready", 5432),
    ("pg_dump", 5432),
    ("pg_restore", 5432),
    ("createdb", 5432),
    ("redis-cli", 6379),
    ("valkey-cli", 6379),
    ("mysql", 3306),
    ("mysqladmin", 3306),
    ("mariadb", 3306),
    ("mongosh", 27017),
];

/// Looks at every script and every variable of a job's steps.
pub(crate) fn localhost(job: &Node, services: &[ServiceSpec], sources: &Sources, problems: &mut Problems) {
    if services.is_empty() {
        return;
    }
    let mut look = |node: &Node| {
        let Value::Scalar(scalar) = &node.value else { return };
        for (nth, (at, host)) in hosts(&scalar.text).into_iter().enumerate() {
            if let Some(meant) = meant(&scalar.text, at, host, services) {
                let nth = nth_of(&scalar.text, host, nth);
                problems.add(warning(node.location, sources, (host, nth), meant));
            }
        }
    };
    let Some(Value::List(steps)) = job.get("steps").map(|steps| &steps.value) else {
        return;
    };
    for step in steps {
        look(step.get("run").unwrap_or(step));
        values(step).for_each(&mut look);
    }
    values(job).for_each(look);
}

/// The values of the `env` of a job or a step.
fn values(owner: &Node) -> impl Iterator<Item = &Node> {
    owner.entries_of("env").iter().map(|entry| &*entry.node)
}

fn warning(location: Location, sources: &Sources, host: (&str, usize), meant: (u16, &ServiceSpec)) -> Problem {
    let ((host, nth), (port, service)) = (host, meant);
    let name = &service.name;
    let message = format!("a step looks for `{host}:{port}`, but that port is the one of service `{name}`");
    codes::LOCALHOST
        .at(sources.within(location, host, nth), message)
        .label(format!("use `{name}:{port}`"))
        .note("a service has its own host name on the job's network, which is its key under `services:`")
}

/// Every mention of the own host, in order.
fn hosts(text: &str) -> Vec<(usize, &'static str)> {
    let find = |host: &'static str| text.match_indices(host).map(move |(at, _)| (at, host));
    let mut found: Vec<_> = find("localhost").chain(find("127.0.0.1")).collect();
    found.sort_unstable();
    found.retain(|(at, _)| !text[..*at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.'));
    found.truncate(20);
    found
}

/// Which occurrence of `host` in the text the `nth` mention is.
fn nth_of(text: &str, host: &str, nth: usize) -> usize {
    let at = hosts(text)[nth].0;
    text.match_indices(host).position(|(found, _)| found == at).unwrap_or(0)
}

fn meant<'s>(text: &str, at: usize, host: &str, services: &'s [ServiceSpec]) -> Option<(u16, &'s ServiceSpec)> {
    let after = &text[at + host.len()..];
    let port = match after.strip_prefix(':') {
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()?
        }
        None => client_port(&text[..at])?,
    };
    let service = services.iter().find(|service| owns(service, port))?;
    Some((port, service))
}

/// The port of the client whose `-h` or `--host` comes right before.
fn client_port(before: &str) -> Option<u16> {
    let line = before.rsplit(['\n', ';', '|', '&']).next().unwrap_or_default();
    let option = line.trim_end_matches([' ', '=', '"', '\'']).rsplit(' ').next();
    if !matches!(option, Some("-h" | "--host")) {
        return None;
    }
    let mut words = line.split_whitespace();
    let client = words.find_map(|word| CLIENTS.iter().find(|(client, _)| *client == word))?;
    Some(client.1)
}

fn owns(service: &ServiceSpec, port: u16) -> bool {
    let probed = match service.ready.as_ref().map(|ready| &ready.probe) {
        Some(ReadyProbe::Tcp(probed) | ReadyProbe::Http { port: probed, .. }) => *probed == port,
        _ => false,
    };
    let image = service.image.rsplit('/').next().unwrap_or_default();
    let image = image.split([':', '@']).next().unwrap_or_default();
    let is_known = |(name, known): &(&str, u16)| *known == port && image.contains(name);
    probed || KNOWN_PORTS.iter().any(is_known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_host_is_a_mention() {
        let text = "curl localhost:1 my-localhost:2 127.0.0.1:3 localhost";
        assert_eq!(hosts(text).len(), 3);
    }

    #[test]
    fn a_client_is_known_by_its_host_option() {
        assert_eq!(client_port("sleep 1; psql -U app -h "), Some(5432));
        assert_eq!(client_port("redis-cli --host="), Some(6379));
        assert_eq!(client_port("curl -h "), None);
        assert_eq!(client_port("psql\necho -h "), None);
    }
}

//! `ready`: the one probe that says that a service is ready, and how long that may take.

use crate::codes;
use crate::model::{DEFAULT_READY_TIMEOUT_MS, HealthTest, Ready, ReadyProbe};
use crate::read::healthcheck::WORDS;
use crate::reader::keys::Foreign::Means;
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind, required};
use crate::reader::kinds::{DURATION, PORT};
use crate::reader::{Reader, Slot};

/// Our `ready`.
pub(crate) const READY: Kind<Ready> = Kind {
    shape: Shape::Object(&READY_KEYS),
    read: |reader, slot, _| reader.ready(slot),
};

/// A probe, as far as it is read.
#[derive(Default)]
struct Given {
    probe: Option<ReadyProbe>,
    timeout_ms: Option<u64>,
}

static READY_KEYS: Table<Given> = Table {
    what: "`ready`",
    about: "How to see that a service is ready: one of tcp, http, log, cmd and docker.",
    keys: &[
        key("tcp")
            .about("A connection to this port is taken.")
            .set(&(PORT, |given, port| given.probe = Some(ReadyProbe::Tcp(port)))),
        key("http")
            .about("A GET answers 200 to 399: 8080, 8080/health, or a map of port and path.")
            .set(&(HTTP, |it, probe| it.probe = Some(probe))),
        key("log")
            .about("A line of its log matches this regular expression.")
            .set(&(PATTERN, |given, pattern| given.probe = Some(ReadyProbe::Log(pattern)))),
        key("cmd")
            .about("This command exits with 0 inside the service.")
            .set(&(COMMAND, |given, command| given.probe = Some(ReadyProbe::Cmd(command)))),
        key("docker")
            .about("true: the health check says healthy.")
            .set(&(DOCKER, |it, probe| it.probe = Some(probe))),
        key("timeout")
            .about("The job fails when it is not ready by then. Default: 60s.")
            .set(&(DURATION, |it, ms| it.timeout_ms = Some(ms))),
    ],
    foreign: &[
        Means("tcp").answers(&["port"]),
        Means("http").answers(&["url"]),
        Means("cmd").answers(&["command", "test"]),
        Means("log").answers(&["regex"]),
        Means("docker").answers(&["healthcheck"]),
    ],
    others: Others::Refused,
};

/// The keys of which one is written.
const PROBES: [&str; 5] = ["tcp", "http", "log", "cmd", "docker"];

const HTTP: Kind<ReadyProbe> = Kind {
    shape: Shape::AnyOf(&[Shape::Whole(1, 65_535), Shape::Text, Shape::Object(&HTTP_KEYS)]),
    read: |reader, slot, _| reader.http(slot),
};
const PATTERN: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.log_pattern(slot));
const COMMAND: Kind<HealthTest> = kind(WORDS, |reader, slot, _| reader.probe_command(slot));
const DOCKER: Kind<ReadyProbe> = kind(Shape::Flag, |reader, slot, _| reader.docker(slot));

/// The map form of `ready.http`.
static HTTP_KEYS: Table<Http> = Table {
    what: "`http`",
    about: "A GET inside the job's network.",
    keys: &[
        required("port")
            .about("The port.")
            .set(&(PORT, |http, port| http.port = Some(port))),
        key("path")
            .about("The path. Default: /.")
            .set(&(PATH, |http, path| http.path = Some(path))),
    ],
    foreign: &[],
    others: Others::Refused,
};

/// A GET, as far as it is read.
#[derive(Default)]
struct Http {
    port: Option<u16>,
    path: Option<String>,
}

const PATH: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.http_path(slot));

impl Reader<'_> {
    fn ready(&mut self, slot: Slot<'_>) -> Option<Ready> {
        let owner = self.part("ready");
        let (given, fields) = self.map(slot, &READY_KEYS)?;
        let probes: Vec<&str> = PROBES.into_iter().filter(|probe| fields.get(probe).is_some()).collect();
        if probes.len() != 1 {
            let message = match probes.len() {
                0 => format!("{owner} says nothing to look at"),
                _ => format!("{owner} has {}; only one is allowed", probes.join(" and ")),
            };
            let help = "write one of `tcp`, `http`, `log`, `cmd` and `docker: true`";
            return self.reject(codes::BAD_VALUE.at(slot.location(), message).help(help));
        }
        Some(Ready {
            probe: given.probe?,
            timeout_ms: given.timeout_ms.unwrap_or(DEFAULT_READY_TIMEOUT_MS),
            own_timeout: given.timeout_ms.is_some(),
        })
    }

    fn http(&mut self, slot: Slot<'_>) -> Option<ReadyProbe> {
        if Self::is_map(slot) {
            let mut http = Http::default();
            self.level(slot, &HTTP_KEYS, "`http`".to_owned(), &mut http)?;
            return Some(ReadyProbe::Http {
                port: http.port?,
                path: http.path.unwrap_or_else(|| "/".to_owned()),
            });
        }
        let text = self.scalar(slot, "a port, `8080/path`, or a map")?.text;
        parse_http(&text).or_else(|| {
            let problem = self.not_allowed(slot, format!("`{text}` is not a port with a path"));
            self.reject(problem.label("expected 8080, 8080/health or {port: 8080, path: /health}"))
        })
    }

    fn docker(&mut self, slot: Slot<'_>) -> Option<ReadyProbe> {
        if self.flag(slot)? {
            return Some(ReadyProbe::Docker);
        }
        let problem = codes::BAD_VALUE.at(slot.location(), "`docker: false` says nothing to look at");
        self.reject(problem.help("remove `ready`, or write `docker: true`"))
    }

    fn log_pattern(&mut self, slot: Slot<'_>) -> Option<String> {
        let pattern = self.text(slot)?;
        if let Err(fault) = regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build() {
            let words = fault.to_string();
            let last = words.lines().last().unwrap_or_default();
            let problem = self.bad_value(slot, &codes::BAD_PATTERN, "`log` is not a regular expression");
            return self.reject(problem.label(last.trim_start_matches("error: ")));
        }
        Some(pattern)
    }

    fn http_path(&mut self, slot: Slot<'_>) -> Option<String> {
        let path = self.text(slot)?;
        if is_path(&path) {
            return Some(path);
        }
        let problem = self.not_allowed(slot, format!("`{path}` is not a path"));
        self.reject(problem.label("expected a path that begins with `/`, without spaces"))
    }
}

/// `8080`, `8080/health`, `:8080/health`, `http://any-host:8080/health`.
fn parse_http(text: &str) -> Option<ReadyProbe> {
    let text = match text.strip_prefix("http://") {
        Some(rest) => &rest[rest.find(':')?..],
        None => text,
    };
    let text = text.strip_prefix(':').unwrap_or(text);
    let (port, path) = text.split_at(text.find('/').unwrap_or(text.len()));
    let path = if path.is_empty() { "/" } else { path };
    let port = port.parse::<u16>().ok().filter(|port| *port > 0)?;
    is_path(path).then(|| ReadyProbe::Http {
        port,
        path: path.to_owned(),
    })
}

/// What can stand in the first line of a request.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| !c.is_whitespace() && !c.is_control())
}

//! `ready`: the one probe that says that a service is ready, and how long that may take.

use crate::codes;
use crate::keys::{HTTP, READY};
use crate::model::{DEFAULT_READY_TIMEOUT_MS, Ready, ReadyProbe};
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::yaml::Value;

const PROBES: [&str; 5] = ["tcp", "http", "log", "cmd", "docker"];

impl Reader<'_> {
    /// `None` when it cannot be read.
    pub(crate) fn ready(&mut self, slot: Slot<'_>, owner: &str) -> Option<Ready> {
        let fields = self.fields(slot, &READY, &format!("`ready` of {owner}"))?;
        let timeout_ms = fields.get("timeout").and_then(|slot| self.duration_ms(slot));
        let given: Vec<&'static str> = PROBES.into_iter().filter(|probe| fields.get(probe).is_some()).collect();
        let [probe] = given[..] else {
            let message = match given.len() {
                0 => format!("`ready` of {owner} says nothing to look at"),
                _ => format!("`ready` of {owner} has {}; only one is allowed", given.join(" and ")),
            };
            let help = "write one of `tcp`, `http`, `log`, `cmd` and `docker: true`";
            self.add(Problem::at(&codes::BAD_VALUE, slot.place(), message).help(help));
            return None;
        };
        Some(Ready {
            probe: self.probe(&fields, probe)?,
            timeout_ms: timeout_ms.unwrap_or(DEFAULT_READY_TIMEOUT_MS),
            own_timeout: timeout_ms.is_some(),
        })
    }

    fn probe(&mut self, fields: &Fields<'_>, probe: &'static str) -> Option<ReadyProbe> {
        let slot = fields.get(probe)?;
        match probe {
            "tcp" => self.port(slot).map(ReadyProbe::Tcp),
            "http" => self.http(slot),
            "log" => self.log_pattern(slot).map(ReadyProbe::Log),
            "cmd" => self.probe_command(slot).map(ReadyProbe::Cmd),
            _ => self.docker(slot),
        }
    }

    fn docker(&mut self, slot: Slot<'_>) -> Option<ReadyProbe> {
        if self.flag(slot)? {
            return Some(ReadyProbe::Docker);
        }
        let problem = Problem::at(
            &codes::BAD_VALUE,
            slot.place(),
            "`docker: false` says nothing to look at",
        );
        self.add(problem.help("remove `ready`, or write `docker: true`"));
        None
    }

    fn log_pattern(&mut self, slot: Slot<'_>) -> Option<String> {
        let pattern = self.text(slot)?;
        if let Err(fault) = regex::RegexBuilder::new(&pattern).size_limit(1 << 20).build() {
            let words = fault.to_string();
            let fault = words
                .lines()
                .last()
                .unwrap_or_default()
                .trim_start_matches("error: ")
                .to_owned();
            let problem = self.bad_value(
                slot,
                &codes::BAD_PATTERN,
                "`log` is not a regular expression".to_owned(),
            );
            self.add(problem.label(fault));
            return None;
        }
        Some(pattern)
    }

    fn http(&mut self, slot: Slot<'_>) -> Option<ReadyProbe> {
        if matches!(slot.node.value, Value::Map(_)) {
            let fields = self.fields(slot, &HTTP, "`http`")?;
            let port = self
                .require(&fields, "port", "`http`", slot.place())
                .and_then(|slot| self.port(slot));
            let path = fields
                .get("path")
                .map_or(Some("/".to_owned()), |slot| self.http_path(slot));
            return Some(ReadyProbe::Http {
                port: port?,
                path: path?,
            });
        }
        let text = self.scalar(slot, "a port, `8080/path`, or a map")?.text;
        let parsed = parse_http(&text);
        if parsed.is_none() {
            let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{text}` is not a port with a path"));
            self.add(problem.label("expected 8080, 8080/health or {port: 8080, path: /health}"));
        }
        parsed
    }

    fn http_path(&mut self, slot: Slot<'_>) -> Option<String> {
        let path = self.text(slot)?;
        if is_path(&path) {
            return Some(path);
        }
        let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{path}` is not a path"));
        self.add(problem.label("expected a path that begins with `/`, without spaces"));
        None
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

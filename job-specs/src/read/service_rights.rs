//! What a service may do: capabilities, kernel settings, its protection. What reaches past the container is refused.

use std::collections::BTreeMap;

use crate::codes;
use crate::read::service_env::PAIRS;
use crate::reader::keys::{Kind, Shape, kind};
use crate::reader::{Reader, Slot};
use crate::suggest::listed;

/// Kernel settings.
pub(crate) const SYSCTLS: Kind<BTreeMap<String, String>> = kind(PAIRS, |reader, slot, _| reader.sysctls(slot));
/// Capabilities that a service may have.
pub(crate) const CAP_ADD: Kind<Vec<String>> = Kind {
    read: |reader, slot, _| {
        let names = reader.capabilities(slot);
        Some(reader.without_strong(slot, names))
    },
    ..CAP_DROP
};
/// Capabilities.
pub(crate) const CAP_DROP: Kind<Vec<String>> = kind(Shape::List(&Shape::Text), |reader, slot, _| {
    Some(reader.capabilities(slot))
});
/// The seccomp profile of `security_opt`.
pub(crate) const SECURITY_OPT: Kind<String> =
    kind(Shape::List(&Shape::Text), |reader, slot, _| reader.security_opt(slot));

/// Every capability of Linux, without `CAP_`.
const CAPABILITIES: &[&str] = &[
    "ALL",
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "SYSLOG",
    "WAKE_ALARM",
];

/// Those that reach past the container.
const TOO_STRONG: &[&str] = &[
    "ALL",
    "BPF",
    "DAC_READ_SEARCH",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "PERFMON",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYSLOG",
];

/// Kernel settings that a container has of its own begin with these.
const OWN_SYSCTLS: &[&str] = &["net.", "kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue."];

impl Reader<'_> {
    fn sysctls(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, String>> {
        let pairs = self.pairs(slot, "a map, or a list of name=value")?;
        for (name, _, location) in &pairs {
            if !OWN_SYSCTLS.iter().any(|own| name.starts_with(own)) {
                let message = format!("the kernel setting `{name}` is refused");
                let problem = codes::REFUSED.at(*location, message);
                let note = "a container has no such setting of its own: it would change the agent's host";
                self.add(
                    problem
                        .note(note)
                        .help("remove it; an agent's host is set up by who runs it"),
                );
            }
        }
        Some(pairs.into_iter().map(|(name, value, _)| (name, value)).collect())
    }

    fn capabilities(&mut self, slot: Slot<'_>) -> Vec<String> {
        let mut names = Vec::new();
        for item in self.items(slot, "a list of capabilities").into_iter().flatten() {
            let Some(text) = self.text(item) else { continue };
            let upper = text.to_ascii_uppercase();
            let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
            if CAPABILITIES.contains(&name) {
                names.push(name.to_owned());
                continue;
            }
            let problem = self.not_allowed(item, format!("there is no capability `{text}`"));
            let problem = problem.nearest(name, CAPABILITIES.iter().copied());
            self.add(problem.or_help("names are as in capabilities(7): NET_ADMIN, SYS_PTRACE, …"));
        }
        names
    }

    fn without_strong(&mut self, slot: Slot<'_>, names: Vec<String>) -> Vec<String> {
        let (strong, others): (Vec<String>, _) =
            names.into_iter().partition(|name| TOO_STRONG.contains(&name.as_str()));
        if !strong.is_empty() {
            let strong = TOO_STRONG
                .iter()
                .copied()
                .filter(|name| strong.iter().any(|found| found == name));
            let message = format!("`cap_add` of {} is refused", listed(strong));
            let problem = self.bad_value(slot, &codes::REFUSED, message);
            let note = "it reaches past the container, into the agent's host";
            self.add(problem.note(note).help("remove it"));
        }
        others
    }

    /// The seccomp profile, when there is one. Nothing ever gets new privileges, so that option says nothing new.
    fn security_opt(&mut self, slot: Slot<'_>) -> Option<String> {
        let mut profile = None;
        for item in self.items(slot, "a list of options")? {
            let Some(text) = self.text(item) else { continue };
            let (name, value) = text.split_once(['=', ':']).unwrap_or((&text, ""));
            match (name, value) {
                ("no-new-privileges", "" | "true") => {}
                ("seccomp", value) if !matches!(value, "" | "unconfined" | "builtin") => {
                    profile = self.profile(item, value).or(profile);
                }
                ("seccomp", "builtin") => {}
                _ => {
                    let message = format!("`{text}` is refused in `security_opt`");
                    let problem = self.bad_value(item, &codes::REFUSED, message);
                    let note = "a service keeps the protection that every container has";
                    let help = "allowed: `no-new-privileges`, and `seccomp=FILE` with a profile of the repository";
                    self.add(problem.note(note).help(help));
                }
            }
        }
        profile
    }

    fn profile(&mut self, item: Slot<'_>, path: &str) -> Option<String> {
        let path = self.inside(item, path)?;
        let file = self.repository_file(&path, item.location())?;
        let text = self.sources[file].text.clone();
        if !serde_json::from_str::<serde_json::Value>(&text).is_ok_and(|profile| profile.is_object()) {
            let message = format!("`{path}` is not a seccomp profile");
            let problem = self.not_allowed(item, message);
            return self.reject(problem.label("expected a file with a JSON object"));
        }
        let Some(fault) = crate::seccomp::fault(&text) else {
            return Some(text);
        };
        let message = format!("the seccomp profile `{path}` is refused: {fault}");
        let problem = self.bad_value(item, &codes::REFUSED, message);
        let note = "a service keeps the protection that every container has; its own profile may only add to it";
        let help = "begin with `defaultAction: SCMP_ACT_ERRNO`, and allow only what the engine's own profile allows";
        self.reject(problem.note(note).help(help))
    }
}

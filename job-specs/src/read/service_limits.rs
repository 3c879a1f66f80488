//! How much a service may use, how many of it there are, and how it is fetched and ends.

use std::collections::BTreeMap;

use crate::codes;
use crate::keys::{DEPLOY, DEPLOY_RESOURCES, LIMITS, MAX_SCALE, ULIMIT};
use crate::model::{PullPolicy, Restart, ServiceSpec, Ulimit};
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};
use crate::sizes;
use crate::suggest::did_you_mean;
use crate::yaml::Plain;

/// The names of `ulimits`.
const ULIMITS: &[&str] = &[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

impl Reader<'_> {
    /// Limits.
    pub(crate) fn service_limits(&mut self, fields: &Fields<'_>, owner: &str, spec: &mut ServiceSpec) {
        spec.mem_limit_bytes = self.take(fields, "mem_limit", Self::size_bytes);
        spec.cpu_millis = self.take(fields, "cpus", Self::cpu_millis);
        spec.pids_limit = self.take(fields, "pids_limit", Self::pids);
        spec.shm_size_bytes = self.take(fields, "shm_size", Self::any_size);
        spec.scale = self.take(fields, "scale", Self::scale).unwrap_or(1);
        if let Some(slot) = fields.get("deploy") {
            self.deploy(slot, owner, spec);
        }
        spec.ulimits = self.take(fields, "ulimits", Self::ulimits).unwrap_or_default();
    }

    fn scale(&mut self, slot: Slot<'_>) -> Option<u32> {
        self.whole(slot, 0..=MAX_SCALE)
            .and_then(|scale| u32::try_from(scale).ok())
    }

    /// Processes; -1 is no limit.
    fn pids(&mut self, slot: Slot<'_>) -> Option<u64> {
        let pids = self.whole(slot, -1..=4_194_304)?;
        u64::try_from(pids).ok().filter(|pids| *pids > 0)
    }

    /// A size in bytes, however small.
    pub(crate) fn any_size(&mut self, slot: Slot<'_>) -> Option<u64> {
        let text = self.given_text(slot)?;
        let size = sizes::parse_bytes(&text);
        if size == Some(0) && self.in_compose(slot.place()) {
            return None; // the engine's own
        }
        let size = size.filter(|bytes| *bytes > 0);
        if size.is_none() {
            let problem = self.bad_value(slot, &codes::BAD_SIZE, format!("`{text}` is not a size"));
            self.add(problem.label("expected 64m, 1g, …"));
        }
        size
    }

    fn deploy(&mut self, slot: Slot<'_>, owner: &str, spec: &mut ServiceSpec) -> Option<()> {
        let fields = self.fields(slot, &DEPLOY, &format!("`deploy` of {owner}"))?;
        if let Some(scale) = self.take(&fields, "replicas", Self::scale) {
            spec.scale = scale;
        }
        let resources = self.fields(
            fields.get("resources")?,
            &DEPLOY_RESOURCES,
            &format!("`resources` of {owner}"),
        )?;
        let limits = self.fields(resources.get("limits")?, &LIMITS, &format!("`limits` of {owner}"))?;
        let memory = self.take(&limits, "memory", Self::size_bytes);
        let cpus = self.take(&limits, "cpus", Self::cpu_millis);
        let pids = self.take(&limits, "pids", Self::pids);
        self.same(
            "memory",
            limits.get("memory"),
            memory,
            spec.mem_limit_bytes,
            "mem_limit",
        );
        self.same("cpus", limits.get("cpus"), cpus, spec.cpu_millis, "cpus");
        self.same("pids", limits.get("pids"), pids, spec.pids_limit, "pids_limit");
        spec.mem_limit_bytes = memory.or(spec.mem_limit_bytes);
        spec.cpu_millis = cpus.or(spec.cpu_millis);
        spec.pids_limit = pids.or(spec.pids_limit);
        Some(())
    }

    /// Compose refuses two different limits of one thing.
    fn same(&mut self, key: &str, slot: Option<Slot<'_>>, limit: Option<u64>, other: Option<u64>, other_key: &str) {
        let (Some(slot), Some(limit), Some(other)) = (slot, limit, other) else {
            return;
        };
        if limit != other {
            let message = format!("`deploy.resources.limits.{key}` and `{other_key}` of one service differ");
            let problem = self.bad_value(slot, &codes::BAD_VALUE, message);
            self.add(problem.help("write one of the two"));
        }
    }

    fn ulimits(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, Ulimit>> {
        let Some(entries) = slot.node.entries() else {
            self.wrong_type(slot, "a map from names to limits");
            return None;
        };
        let mut ulimits = BTreeMap::new();
        for entry in entries {
            let name = entry.key.text.to_string();
            if !ULIMITS.contains(&name.as_str()) {
                let problem = Problem::at(
                    &codes::BAD_VALUE,
                    entry.key.place,
                    format!("there is no limit `{name}`"),
                );
                let problem = problem.note(format!("limits: {}", ULIMITS.join(", ")));
                self.add(match did_you_mean(&name, ULIMITS.iter().copied()) {
                    Some(label) => problem.label(label),
                    None => problem,
                });
            }
            let slot = Slot::of(&entry.key.text, &entry.node);
            ulimits.extend(self.ulimit(slot).map(|ulimit| (name, ulimit)));
        }
        Some(ulimits)
    }

    fn ulimit(&mut self, slot: Slot<'_>) -> Option<Ulimit> {
        let range = -1..=i64::MAX;
        if slot.node.entries().is_none() {
            let both = self.whole(slot, range)?;
            return Some(Ulimit { soft: both, hard: both });
        }
        let owner = slot.name();
        let fields = self.fields(slot, &ULIMIT, &owner)?;
        let soft = self.require(&fields, "soft", &owner, slot.place());
        let hard = self.require(&fields, "hard", &owner, slot.place());
        let soft_value = self.whole(soft?, range.clone())?;
        let hard_value = self.whole(hard?, range)?;
        if hard_value != -1 && (soft_value == -1 || soft_value > hard_value) {
            let message = format!("the soft limit of {owner} is above the hard one");
            let problem = self.bad_value(soft?, &codes::BAD_VALUE, message);
            self.add(problem.label(format!("at most {hard_value}")));
        }
        Some(Ulimit {
            soft: soft_value,
            hard: hard_value,
        })
    }

    /// A signal's name or number.
    pub(crate) fn signal(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.given_text(slot)?;
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        let is_number = name.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
        let known = [
            "HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CONT", "WINCH", "PWR",
        ];
        if is_number || known.contains(&name) || name.starts_with("RTMIN") || name.starts_with("RTMAX") {
            return Some(text);
        }
        let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{text}` is not a signal"));
        self.add(problem.label("expected SIGTERM, SIGINT, SIGQUIT, …"));
        None
    }

    /// Compose's `restart`. `no` is a text in YAML 1.2 and false in 1.1.
    pub(crate) fn restart(&mut self, slot: Slot<'_>) -> Option<Restart> {
        let scalar = self.given(slot, "a text")?;
        if scalar.plain == Plain::Bool(false) {
            return Some(Restart::No);
        }
        let (word, times) = scalar
            .text
            .split_once(':')
            .map_or((scalar.text.as_str(), None), |(word, times)| (word, Some(times)));
        match (word, times) {
            ("no", None) => return Some(Restart::No),
            ("always" | "unless-stopped", None) => return Some(Restart::Always),
            ("on-failure", None) => return Some(Restart::OnFailure(None)),
            ("on-failure", Some(times)) if times.parse::<u32>().is_ok() => {
                return Some(Restart::OnFailure(times.parse().ok().filter(|times| *times > 0)));
            }
            _ => {}
        }
        let message = format!("`{}` is not allowed for `restart`", scalar.text);
        let problem = self.bad_value(slot, &codes::BAD_VALUE, message);
        self.add(problem.note("allowed: no, always, unless-stopped, on-failure, on-failure:3"));
        None
    }

    /// Compose's `pull_policy`.
    pub(crate) fn pull_policy(&mut self, slot: Slot<'_>) -> Option<PullPolicy> {
        let text = self.given_text(slot)?;
        match text.as_str() {
            "missing" | "if_not_present" => return Some(PullPolicy::Missing),
            "always" => return Some(PullPolicy::Always),
            "never" => return Some(PullPolicy::Never),
            "build" => return Some(PullPolicy::Build),
            _ => {}
        }
        if matches!(text.as_str(), "daily" | "weekly" | "refresh") || text.starts_with("every_") {
            let problem = Problem::at(
                &codes::IGNORED,
                slot.place(),
                format!("`pull_policy: {text}` is read as `missing`"),
            );
            self.add(problem.note("agents keep no record of when they fetched an image"));
            return Some(PullPolicy::Missing);
        }
        let problem = self.bad_value(
            slot,
            &codes::BAD_VALUE,
            format!("`{text}` is not allowed for `pull_policy`"),
        );
        self.add(problem.note("allowed: missing, always, never, build"));
        None
    }

    /// `os/arch`, `os/arch/variant`.
    pub(crate) fn platform(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.given_text(slot)?;
        let parts: Vec<&str> = text.split('/').collect();
        let fine = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        };
        if (1..=3).contains(&parts.len()) && parts.iter().all(fine) {
            return Some(text);
        }
        let problem = self.bad_value(slot, &codes::BAD_VALUE, format!("`{text}` is not a platform"));
        self.add(problem.label("expected linux/amd64, linux/arm64/v8, …"));
        None
    }

    /// An absolute path inside the container.
    pub(crate) fn folder(&mut self, slot: Slot<'_>) -> Option<String> {
        let path = self.given_text(slot)?;
        if path.starts_with('/') {
            return Some(path);
        }
        let problem = self.bad_value(
            slot,
            &codes::BAD_VALUE,
            format!("`{path}` is not a path inside the container"),
        );
        self.add(problem.label("expected an absolute path: /app"));
        None
    }
}

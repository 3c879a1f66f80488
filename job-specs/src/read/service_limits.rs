//! How much a service may use, how many of it there are, and how it is fetched and ends.

use std::collections::BTreeMap;

use crate::codes;
use crate::model::{PullPolicy, Restart, ServiceSpec, Ulimit};
use crate::names::is_made_of;
use crate::read::service_entry::Making;
use crate::reader::keys::Foreign::{Ignored, Refused};
use crate::reader::keys::{Kind, Others, Shape, Table, With, key, kind, required};
use crate::reader::kinds::{CPUS, MEMORY, whole};
use crate::reader::{Fields, Reader, Slot};
use crate::yaml::Plain;

/// Containers of one service.
const MAX_SCALE: i64 = 30;

/// How many containers.
pub(crate) const SCALE: Kind<u32> = kind(Shape::Whole(0, MAX_SCALE), |reader, slot, _| {
    u32::try_from(reader.whole(slot, 0..=MAX_SCALE)?).ok()
});
/// Processes; -1 is no limit.
pub(crate) const PIDS: Kind<u64> = kind(Shape::Whole(-1, 4_194_304), |reader, slot, _| {
    u64::try_from(reader.whole(slot, -1..=4_194_304)?)
        .ok()
        .filter(|pids| *pids > 0)
});
/// Limits of processes by name.
pub(crate) const ULIMITS: Kind<BTreeMap<String, Ulimit>> = Kind {
    shape: Shape::Map(&Shape::AnyOf(&[Shape::Whole(-1, i64::MAX), Shape::Object(&ULIMIT)])),
    read: |reader, slot, _| reader.ulimits(slot),
};
/// A signal's name or number.
pub(crate) const SIGNAL: Kind<String> = kind(Shape::Scalar, |reader, slot, _| reader.signal(slot));
/// Compose's `restart`.
pub(crate) const RESTART: Kind<Restart> = kind(Shape::Scalar, |reader, slot, _| reader.restart(slot));
/// Compose's `pull_policy`.
pub(crate) const PULL_POLICY: Kind<PullPolicy> = kind(Shape::Text, |reader, slot, _| reader.pull_policy(slot));
/// `os/arch`.
pub(crate) const PLATFORM: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.platform(slot));
/// An absolute path inside the container.
pub(crate) const FOLDER: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.folder(slot));
/// Compose's `deploy`, over the keys of the service that say the same.
pub(crate) const DEPLOY: With<Making> = (Shape::Object(&DEPLOY_KEYS), |reader, slot, making| {
    reader.level(slot, &DEPLOY_KEYS, reader.part("deploy"), making);
});

/// One of `ulimits`, as far as it is read.
#[derive(Default)]
struct UlimitKeys {
    soft: Option<i64>,
    hard: Option<i64>,
}

/// The map form of one of `ulimits`.
static ULIMIT: Table<UlimitKeys> = Table {
    what: "`ulimits`",
    about: "The two values of a limit; -1 is unlimited.",
    keys: &[
        required("soft")
            .about("Where the kernel begins to refuse.")
            .set(&(whole(-1, i64::MAX), |limit, soft| limit.soft = Some(soft))),
        required("hard")
            .about("What the process may raise it to.")
            .set(&(whole(-1, i64::MAX), |limit, hard| limit.hard = Some(hard))),
    ],
    foreign: &[],
    others: Others::Extensions,
};

/// The part of `deploy` that is read.
static DEPLOY_KEYS: Table<Making> = Table {
    what: "`deploy`",
    about: "Compose's `deploy`: only limits and the number of containers.",
    keys: &[
        key("resources")
            .about("Its limits.")
            .with(&(Shape::Object(&RESOURCES), |reader, slot, making| {
                reader.level(slot, &RESOURCES, format!("`resources` of {}", making.owner), making);
            })),
        key("replicas")
            .about("How many containers, as `scale`.")
            .set(&(SCALE, |making, scale| making.service.spec.scale = scale)),
    ],
    foreign: &[
        Ignored(NO_CLUSTER).answers(&["mode", "placement", "endpoint_mode", "update_config", "rollback_config"]),
        Ignored("write `restart:` beside `image:`").answers(&["restart_policy"]),
        Ignored("write `labels:` beside `image:`").answers(&["labels"]),
    ],
    others: Others::Extensions,
};

const NO_CLUSTER: &str = "a service runs beside its job, on one agent";

/// `deploy.resources`.
static RESOURCES: Table<Making> = Table {
    what: "`resources`",
    about: "Limits of the service.",
    keys: &[key("limits")
        .about("What it may use at most.")
        .with(&(Shape::Object(&LIMITS), |reader, slot, making| {
            let owner = format!("`limits` of {}", making.owner);
            reader.limits(slot, owner, &mut making.service.spec);
        }))],
    foreign: &[Ignored("an agent has slots; it does not divide its processors").answers(&["reservations"])],
    others: Others::Extensions,
};

/// Limits under `deploy`.
#[derive(Default)]
struct Limits {
    cpus: Option<u64>,
    memory: Option<u64>,
    pids: Option<u64>,
}

/// `deploy.resources.limits`.
static LIMITS: Table<Limits> = Table {
    what: "`limits`",
    about: "What the service may use at most.",
    keys: &[
        key("cpus")
            .about("Processors, also fractions: \"0.5\".")
            .set(&(CPUS, |limits, cpus| limits.cpus = Some(cpus))),
        key("memory")
            .about("Memory: 512m, 2g.")
            .set(&(MEMORY, |limits, memory| limits.memory = Some(memory))),
        key("pids")
            .about("Processes and threads.")
            .set(&(PIDS, |limits, pids| limits.pids = Some(pids))),
    ],
    foreign: &[Refused("a job gets no device of the agent's host").answers(&["devices"])],
    others: Others::Extensions,
};

/// The names of `ulimits`.
const ULIMIT_NAMES: &[&str] = &[
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
    fn limits(&mut self, slot: Slot<'_>, owner: String, spec: &mut ServiceSpec) -> Option<()> {
        let mut limits = Limits::default();
        let fields = self.level(slot, &LIMITS, owner, &mut limits)?;
        self.same(
            &fields,
            limits.memory,
            &mut spec.mem_limit_bytes,
            ("memory", "mem_limit"),
        );
        self.same(&fields, limits.cpus, &mut spec.cpu_millis, ("cpus", "cpus"));
        self.same(&fields, limits.pids, &mut spec.pids_limit, ("pids", "pids_limit"));
        Some(())
    }

    /// Compose refuses two different limits of one thing.
    fn same(
        &mut self,
        fields: &Fields<'_>,
        limit: Option<u64>,
        other: &mut Option<u64>,
        (key, other_key): (&'static str, &str),
    ) {
        if let (Some(slot), Some(limit), Some(other)) = (fields.get(key), limit, *other)
            && limit != other
        {
            let message = format!("`deploy.resources.limits.{key}` and `{other_key}` of one service differ");
            let problem = self.not_allowed(slot, message);
            self.add(problem.help("write one of the two"));
        }
        *other = limit.or(*other);
    }

    fn ulimit(&mut self, slot: Slot<'_>) -> Option<Ulimit> {
        if slot.node.entries().is_none() {
            let both = self.whole(slot, -1..=i64::MAX)?;
            return Some(Ulimit { soft: both, hard: both });
        }
        let mut keys = UlimitKeys::default();
        let fields = self.level(slot, &ULIMIT, slot.name(), &mut keys)?;
        let limit = Ulimit {
            soft: keys.soft?,
            hard: keys.hard?,
        };
        if limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard) {
            let message = format!("the soft limit of {} is above the hard one", slot.name());
            let problem = self.not_allowed(fields.get("soft")?, message);
            self.add(problem.label(format!("at most {}", limit.hard)));
        }
        Some(limit)
    }

    fn ulimits(&mut self, slot: Slot<'_>) -> Option<BTreeMap<String, Ulimit>> {
        let entries = self.entries(slot, "a map from names to limits")?;
        let mut ulimits = BTreeMap::new();
        for entry in entries {
            let name = entry.key.text.to_string();
            if !ULIMIT_NAMES.contains(&name.as_str()) {
                let problem = codes::BAD_VALUE.at(entry.key.location, format!("there is no limit `{name}`"));
                let problem = problem.note(format!("limits: {}", ULIMIT_NAMES.join(", ")));
                self.add(problem.nearest(&name, ULIMIT_NAMES.iter().copied()));
            }
            let slot = Slot::of(&entry.key.text, &entry.node);
            ulimits.extend(self.ulimit(slot).map(|ulimit| (name, ulimit)));
        }
        Some(ulimits)
    }

    /// A signal's name or number.
    fn signal(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.given_text(slot)?;
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        let is_number = name.parse::<u8>().is_ok_and(|number| (1..=64).contains(&number));
        let known = [
            "HUP", "INT", "QUIT", "ABRT", "KILL", "USR1", "USR2", "PIPE", "ALRM", "TERM", "CONT", "WINCH", "PWR",
        ];
        if is_number || known.contains(&name) || name.starts_with("RTMIN") || name.starts_with("RTMAX") {
            return Some(text);
        }
        let problem = self.not_allowed(slot, format!("`{text}` is not a signal"));
        self.reject(problem.label("expected SIGTERM, SIGINT, SIGQUIT, …"))
    }

    /// Compose's `restart`. `no` is a text in YAML 1.2 and false in 1.1.
    fn restart(&mut self, slot: Slot<'_>) -> Option<Restart> {
        let scalar = self.given(slot, "a text")?;
        if scalar.plain == Plain::Bool(false) {
            return Some(Restart::No);
        }
        let times = scalar.text.strip_prefix("on-failure:").map(str::parse::<u32>);
        match (scalar.text.as_str(), times) {
            ("no", _) => return Some(Restart::No),
            ("always" | "unless-stopped", _) => return Some(Restart::Always),
            ("on-failure", _) => return Some(Restart::OnFailure(None)),
            (_, Some(Ok(times))) => return Some(Restart::OnFailure(Some(times).filter(|times| *times > 0))),
            _ => {}
        }
        let message = format!("`{}` is not allowed for `restart`", scalar.text);
        let problem = self.not_allowed(slot, message);
        self.reject(problem.note("allowed: no, always, unless-stopped, on-failure, on-failure:3"))
    }

    /// Compose's `pull_policy`.
    fn pull_policy(&mut self, slot: Slot<'_>) -> Option<PullPolicy> {
        let text = self.given_text(slot)?;
        match text.as_str() {
            "missing" | "if_not_present" => return Some(PullPolicy::Missing),
            "always" => return Some(PullPolicy::Always),
            "never" => return Some(PullPolicy::Never),
            "build" => return Some(PullPolicy::Build),
            _ => {}
        }
        if matches!(text.as_str(), "daily" | "weekly" | "refresh") || text.starts_with("every_") {
            let problem = codes::IGNORED.at(slot.location(), format!("`pull_policy: {text}` is read as `missing`"));
            self.add(problem.note("agents keep no record of when they fetched an image"));
            return Some(PullPolicy::Missing);
        }
        let problem = self.not_allowed(slot, format!("`{text}` is not allowed for `pull_policy`"));
        self.reject(problem.note("allowed: missing, always, never, build"))
    }

    /// `os/arch`, `os/arch/variant`.
    pub(crate) fn platform(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.given_text(slot)?;
        let parts: Vec<&str> = text.split('/').collect();
        if (1..=3).contains(&parts.len()) && parts.iter().all(|part| is_made_of(part, "_.-")) {
            return Some(text);
        }
        let problem = self.not_allowed(slot, format!("`{text}` is not a platform"));
        self.reject(problem.label("expected linux/amd64, linux/arm64/v8, …"))
    }

    /// An absolute path inside the container.
    fn folder(&mut self, slot: Slot<'_>) -> Option<String> {
        let path = self.given_text(slot)?;
        if path.starts_with('/') {
            return Some(path);
        }
        let problem = self.not_allowed(slot, format!("`{path}` is not a path inside the container"));
        self.reject(problem.label("expected an absolute path: /app"))
    }
}

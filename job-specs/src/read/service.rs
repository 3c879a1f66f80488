//! The keys of a service, in Compose's words. What each does to a container is decided in
//! `agent/src/stack/container.rs`.

use crate::read::build::BUILD;
use crate::read::depends_on::DEPENDS_ON;
use crate::read::foreign;
use crate::read::healthcheck::{HEALTHCHECK, WORDS};
use crate::read::job::USER;
use crate::read::ready::READY;
use crate::read::service_entry::Making;
use crate::read::service_env::{ENV_FILES, ENVIRONMENT, LABELS};
use crate::read::service_files::{CONFIGS, SECRETS};
use crate::read::service_limits::{DEPLOY, FOLDER, PIDS, PLATFORM, PULL_POLICY, RESTART, SCALE, SIGNAL, ULIMITS};
use crate::read::service_mounts::{TMPFS, VOLUMES};
use crate::read::service_network::{ADDRESSES, EXPOSE, EXTRA_HOSTS, HOSTNAME, LINKS, NETWORKS, PORTS};
use crate::read::service_rights::{CAP_ADD, CAP_DROP, SECURITY_OPT, SYSCTLS};
use crate::reader::keys::{Foreign, Kind, Level, Others, ReadOver, Set, Shape, Table, With, key, kind};
use crate::reader::kinds::{CPUS, DURATION_OR_ZERO, FLAG, MEMORY, ONE_OR_MORE_TEXTS, SIZE, SWITCH, TEXTS};
use crate::reader::{CONTAINER_NAME, Reader, Slot};
use crate::yaml::{Plain, Value};

/// In the table `s` is the service, and `v` the value that has been read for it.
type S = Making;

/// A service.
pub(crate) static SERVICE: Table<S> = Table {
    what: "service",
    about: "A container beside the steps, reached by its name.",
    keys: &[
        key(
            "image",
            &With(Shape::Text, |reader, slot, making: &mut Making| {
                making.service.spec.image = reader.image(slot).unwrap_or_default()
            }),
            "The image; with `build`, the name that it gets.",
        ),
        key(
            "build",
            &Set(BUILD, |s: &mut S, v| s.service.spec.build = Some(v)),
            "Makes the image from a Dockerfile: a folder of the repository, or a map.",
        ),
        key(
            "environment",
            &Set(ENVIRONMENT, |s: &mut S, v| s.environment = v),
            "Its environment: a map, or a list of NAME=value.",
        ),
        key(
            "env_file",
            &ENV_FILES,
            "Files of the repository with NAME=value lines; `environment` goes over them.",
        ),
        key(
            "command",
            &Set(COMMAND, |s: &mut S, v| s.service.spec.command = Some(v)),
            "Replaces the image's CMD. A text is split into words as a shell would.",
        ),
        key(
            "entrypoint",
            &Set(COMMAND, |s: &mut S, v| s.service.spec.entrypoint = Some(v)),
            "Replaces the image's ENTRYPOINT, and drops its CMD.",
        ),
        key(
            "healthcheck",
            &Set(HEALTHCHECK, |s: &mut S, v| s.service.spec.healthcheck = Some(v)),
            "How to see that it works.",
        ),
        key(
            "depends_on",
            &Set(DEPENDS_ON, |s: &mut S, v| s.service.depends_on = v),
            "Services that must run, be healthy or have ended before this one starts.",
        ),
        key(
            "tmpfs",
            &Set(TMPFS, |s: &mut S, v| s.service.spec.tmpfs = v),
            "Folders in memory: /tmp, or /data:size=64m.",
        ),
        key(
            "user",
            &Set(USER, |s: &mut S, v| s.service.spec.user = Some(v)),
            "`user`, `uid` or `uid:gid`. Default: the image's.",
        ),
        key(
            "mem_limit",
            &Set(MEMORY, |s: &mut S, v| s.service.spec.mem_limit_bytes = Some(v)),
            "Memory: 512m, 2g.",
        ),
        key(
            "ready",
            &Set(READY, |s: &mut S, v| s.service.spec.ready = Some(v)),
            "How to see that it is ready. Default: its healthcheck or its image's once a port is open, any port, running.",
        ),
        key(
            "run_once",
            &Set(FLAG, |s: &mut S, v| s.service.spec.run_once = v),
            "It is a task: ready when it has ended with exit code 0.",
        ),
        key(
            "allow_failure",
            &Set(FLAG, |s: &mut S, v| s.service.spec.allow_failure = v),
            "Its death does not fail the job.",
        ),
        key(
            "gate",
            &Set(SWITCH, |s: &mut S, v| s.service.spec.gate = v),
            "off: run it as the container's first process. Default: on.",
        ),
        key(
            "networks",
            &NETWORKS,
            "All services of a job share one network; only `aliases` count.",
        ),
        key(
            "hostname",
            &HOSTNAME,
            "What the container calls itself. Default: its key.",
        ),
        key("expose", &EXPOSE, "Ports that it serves."),
        key(
            "ports",
            &PORTS,
            "Ports that it serves. Nothing is published on the host: steps reach `db:5432`.",
        ),
        key(
            "volumes",
            &VOLUMES,
            "Volumes by name, nameless ones, and paths of the repository: data:/data, ./conf:/etc/app:ro.",
        ),
        key("configs", &CONFIGS, "Files that are there when it starts."),
        key("secrets", &SECRETS, "Secrets as files under /run/secrets."),
        key(
            "cap_add",
            &Set(CAP_ADD, |s: &mut S, v| s.service.spec.cap_add = v),
            "Capabilities beyond the usual ones.",
        ),
        key(
            "cap_drop",
            &Set(CAP_DROP, |s: &mut S, v| s.service.spec.cap_drop = v),
            "Capabilities less than the usual ones; ALL for all.",
        ),
        key(
            "security_opt",
            &Set(SECURITY_OPT, |s: &mut S, v| s.service.spec.seccomp = Some(v)),
            "no-new-privileges, or seccomp=FILE with a file of the repository.",
        ),
        key(
            "read_only",
            &Set(FLAG, |s: &mut S, v| s.service.spec.read_only = v),
            "Its root file system cannot be written.",
        ),
        key(
            "working_dir",
            &Set(FOLDER, |s: &mut S, v| s.service.spec.working_dir = Some(v)),
            "Its working folder. Default: the image's.",
        ),
        key("init", &ReadOver(FLAG), "Read over: the gate does what an init does."),
        key(
            "labels",
            &Set(LABELS, |s: &mut S, v| s.service.spec.labels = v),
            "Labels of its container.",
        ),
        key(
            "links",
            &LINKS,
            "Services that must run before it starts; `service:alias` gives one a further host name.",
        ),
        key(
            "profiles",
            &ReadOver(PROFILES),
            "It runs only when one of these is chosen by the job's `compose.profiles`.",
        ),
        key(
            "scale",
            &Set(SCALE, |s: &mut S, v| s.service.spec.scale = v),
            "How many containers. Default: 1.",
        ),
        key(
            "stop_signal",
            &Set(SIGNAL, |s: &mut S, v| s.service.spec.stop_signal = Some(v)),
            "The signal that asks it to end. Default: SIGTERM.",
        ),
        key(
            "stop_grace_period",
            &Set(DURATION_OR_ZERO, |s: &mut S, v| {
                s.service.spec.stop_grace_period_ms = Some(v)
            }),
            "Time from that signal to its end by force.",
        ),
        key(
            "ulimits",
            &Set(ULIMITS, |s: &mut S, v| s.service.spec.ulimits = v),
            "Limits of its processes: nofile, memlock, ….",
        ),
        key(
            "cpus",
            &Set(CPUS, |s: &mut S, v| s.service.spec.cpu_millis = Some(v)),
            "Processors, also fractions: 0.5.",
        ),
        key(
            "pids_limit",
            &Set(PIDS, |s: &mut S, v| s.service.spec.pids_limit = Some(v)),
            "Processes and threads; -1: no limit of its own.",
        ),
        key(
            "shm_size",
            &Set(SIZE, |s: &mut S, v| s.service.spec.shm_size_bytes = Some(v)),
            "Size of /dev/shm: 256m.",
        ),
        key(
            "sysctls",
            &Set(SYSCTLS, |s: &mut S, v| s.service.spec.sysctls = v),
            "Kernel settings of its own network and IPC.",
        ),
        key(
            "extra_hosts",
            &Set(EXTRA_HOSTS, |s: &mut S, v| s.service.spec.extra_hosts = v),
            "Further lines of its /etc/hosts: name=address.",
        ),
        key(
            "dns",
            &Set(ADDRESSES, |s: &mut S, v| s.service.spec.dns.servers = v),
            "Addresses of its name servers.",
        ),
        key(
            "dns_search",
            &Set(ONE_OR_MORE_TEXTS, |s: &mut S, v| s.service.spec.dns.search = v),
            "Domains that are tried.",
        ),
        key(
            "dns_opt",
            &Set(TEXTS, |s: &mut S, v| s.service.spec.dns.options = v),
            "Options of its resolver.",
        ),
        key(
            "platform",
            &Set(PLATFORM, |s: &mut S, v| s.service.spec.platform = Some(v)),
            "The image's platform: linux/amd64.",
        ),
        key(
            "pull_policy",
            &Set(PULL_POLICY, |s: &mut S, v| s.service.spec.pull_policy = v),
            "When its image is fetched: missing (default), always, never or build.",
        ),
        key(
            "restart",
            &Set(RESTART, |s: &mut S, v| s.service.spec.restart = v),
            "What happens when it ends: no (default), always, unless-stopped, on-failure[:times].",
        ),
        key("deploy", &DEPLOY, "Only `resources.limits` and `replicas` are read."),
    ],
    foreign: foreign::IN_A_SERVICE,
    others: Others::Extensions,
};

/// A command line; nothing at all means the image's own.
const COMMAND: Kind<Vec<String>> = kind(WORDS, |reader, slot, _| reader.service_command(slot));

/// Names of profiles, which `compose` has read before: they say whether the service is there at all.
const PROFILES: Kind<Vec<String>> = kind(Shape::List(&Shape::Text), |reader, slot, _| {
    let items = reader.items(slot, "a list of names")?.into_iter();
    Some(items.filter_map(|item| reader.text(item)).collect())
});

/// Why a service may not have a key of Compose's; `None`: it may, or a job file reads over the key.
pub fn refused_in_service(key: &str) -> Option<&'static str> {
    let level: &dyn Level = &SERVICE;
    match level.foreign(key) {
        Some(Foreign::Refused(reason)) if key != CONTAINER_NAME => Some(reason),
        _ => None,
    }
}

impl Reader<'_> {
    /// A command; nothing at all means the image's own.
    fn service_command(&mut self, slot: Slot<'_>) -> Option<Vec<String>> {
        if self.in_compose(slot.location())
            && let Value::Scalar(scalar) = &slot.node.value
            && scalar.plain == Plain::Null
        {
            return None;
        }
        for item in self.one_or_many(slot) {
            self.warn_of_escape(item);
        }
        self.command_line(slot)
    }
}

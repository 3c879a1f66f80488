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
use crate::reader::keys::{Foreign, Kind, Level, Others, Shape, Table, key, kind};
use crate::reader::kinds::{CPUS, DURATION_OR_ZERO, FLAG, MEMORY, ONE_OR_MORE_TEXTS, SIZE, SWITCH, TEXTS};
use crate::reader::{CONTAINER_NAME, Reader, Slot};
use crate::yaml::{Plain, Value};

/// A service. In the table `s` is it, and `v` the value that has been read for it.
pub(crate) static SERVICE: Table<Making> = Table {
    what: "service",
    about: "A container beside the steps, reached by its name.",
    keys: &[
        key("image")
            .about("The image; with `build`, the name that it gets.")
            .with(&(Shape::Text, |reader, slot, making| {
                making.service.spec.image = reader.image(slot).unwrap_or_default()
            })),
        key("build")
            .about("Makes the image from a Dockerfile: a folder of the repository, or a map.")
            .set(&(BUILD, |s, v| s.service.spec.build = Some(v))),
        key("environment")
            .about("Its environment: a map, or a list of NAME=value.")
            .set(&(ENVIRONMENT, |s, v| s.environment = v)),
        key("env_file")
            .about("Files of the repository with NAME=value lines; `environment` goes over them.")
            .with(&ENV_FILES),
        key("command")
            .about("Replaces the image's CMD. A text is split into words as a shell would.")
            .set(&(COMMAND, |s, v| s.service.spec.command = Some(v))),
        key("entrypoint")
            .about("Replaces the image's ENTRYPOINT, and drops its CMD.")
            .set(&(COMMAND, |s, v| s.service.spec.entrypoint = Some(v))),
        key("healthcheck")
            .about("How to see that it works.")
            .set(&(HEALTHCHECK, |s, v| s.service.spec.healthcheck = Some(v))),
        key("depends_on")
            .about("Services that must run, be healthy or have ended before this one starts.")
            .set(&(DEPENDS_ON, |s, v| s.service.depends_on = v)),
        key("tmpfs")
            .about("Folders in memory: /tmp, or /data:size=64m.")
            .set(&(TMPFS, |s, v| s.service.spec.tmpfs = v)),
        key("user")
            .about("`user`, `uid` or `uid:gid`. Default: the image's.")
            .set(&(USER, |s, v| s.service.spec.user = Some(v))),
        key("mem_limit")
            .about("Memory: 512m, 2g.")
            .set(&(MEMORY, |s, v| s.service.spec.mem_limit_bytes = Some(v))),
        key("ready")
            .about(
                "How to see that it is ready. Default: its healthcheck or its image's once a port is open, \
                 any port, running.",
            )
            .set(&(READY, |s, v| s.service.spec.ready = Some(v))),
        key("run_once")
            .about("It is a task: ready when it has ended with exit code 0.")
            .set(&(FLAG, |s, v| s.service.spec.run_once = v)),
        key("allow_failure")
            .about("Its death does not fail the job.")
            .set(&(FLAG, |s, v| s.service.spec.allow_failure = v)),
        key("gate")
            .about("off: run it as the container's first process. Default: on.")
            .set(&(SWITCH, |s, v| s.service.spec.gate = v)),
        key("networks")
            .about("All services of a job share one network; only `aliases` count.")
            .with(&NETWORKS),
        key("hostname")
            .about("What the container calls itself. Default: its key.")
            .with(&HOSTNAME),
        key("expose").about("Ports that it serves.").with(&EXPOSE),
        key("ports")
            .about("Ports that it serves. Nothing is published on the host: steps reach `db:5432`.")
            .with(&PORTS),
        key("volumes")
            .about("Volumes by name, nameless ones, and paths of the repository: data:/data, ./conf:/etc/app:ro.")
            .with(&VOLUMES),
        key("configs")
            .about("Files that are there when it starts.")
            .with(&CONFIGS),
        key("secrets")
            .about("Secrets as files under /run/secrets.")
            .with(&SECRETS),
        key("cap_add")
            .about("Capabilities beyond the usual ones.")
            .set(&(CAP_ADD, |s, v| s.service.spec.cap_add = v)),
        key("cap_drop")
            .about("Capabilities less than the usual ones; ALL for all.")
            .set(&(CAP_DROP, |s, v| s.service.spec.cap_drop = v)),
        key("security_opt")
            .about("no-new-privileges, or seccomp=FILE with a file of the repository.")
            .set(&(SECURITY_OPT, |s, v| s.service.spec.seccomp = Some(v))),
        key("read_only")
            .about("Its root file system cannot be written.")
            .set(&(FLAG, |s, v| s.service.spec.read_only = v)),
        key("working_dir")
            .about("Its working folder. Default: the image's.")
            .set(&(FOLDER, |s, v| s.service.spec.working_dir = Some(v))),
        key("init")
            .about("Read over: the gate does what an init does.")
            .read_over(&FLAG),
        key("labels")
            .about("Labels of its container.")
            .set(&(LABELS, |s, v| s.service.spec.labels = v)),
        key("links")
            .about("Services that must run before it starts; `service:alias` gives one a further host name.")
            .with(&LINKS),
        key("profiles")
            .about("It runs only when one of these is chosen by the job's `compose.profiles`.")
            .read_over(&PROFILES),
        key("scale")
            .about("How many containers. Default: 1.")
            .set(&(SCALE, |s, v| s.service.spec.scale = v)),
        key("stop_signal")
            .about("The signal that asks it to end. Default: SIGTERM.")
            .set(&(SIGNAL, |s, v| s.service.spec.stop_signal = Some(v))),
        key("stop_grace_period")
            .about("Time from that signal to its end by force.")
            .set(&(DURATION_OR_ZERO, |s, v| s.service.spec.stop_grace_period_ms = Some(v))),
        key("ulimits")
            .about("Limits of its processes: nofile, memlock, ….")
            .set(&(ULIMITS, |s, v| s.service.spec.ulimits = v)),
        key("cpus")
            .about("Processors, also fractions: 0.5.")
            .set(&(CPUS, |s, v| s.service.spec.cpu_millis = Some(v))),
        key("pids_limit")
            .about("Processes and threads; -1: no limit of its own.")
            .set(&(PIDS, |s, v| s.service.spec.pids_limit = Some(v))),
        key("shm_size")
            .about("Size of /dev/shm: 256m.")
            .set(&(SIZE, |s, v| s.service.spec.shm_size_bytes = Some(v))),
        key("sysctls")
            .about("Kernel settings of its own network and IPC.")
            .set(&(SYSCTLS, |s, v| s.service.spec.sysctls = v)),
        key("extra_hosts")
            .about("Further lines of its /etc/hosts: name=address.")
            .set(&(EXTRA_HOSTS, |s, v| s.service.spec.extra_hosts = v)),
        key("dns")
            .about("Addresses of its name servers.")
            .set(&(ADDRESSES, |s, v| s.service.spec.dns.servers = v)),
        key("dns_search")
            .about("Domains that are tried.")
            .set(&(ONE_OR_MORE_TEXTS, |s, v| s.service.spec.dns.search = v)),
        key("dns_opt")
            .about("Options of its resolver.")
            .set(&(TEXTS, |s, v| s.service.spec.dns.options = v)),
        key("platform")
            .about("The image's platform: linux/amd64.")
            .set(&(PLATFORM, |s, v| s.service.spec.platform = Some(v))),
        key("pull_policy")
            .about("When its image is fetched: missing (default), always, never or build.")
            .set(&(PULL_POLICY, |s, v| s.service.spec.pull_policy = v)),
        key("restart")
            .about("What happens when it ends: no (default), always, unless-stopped, on-failure[:times].")
            .set(&(RESTART, |s, v| s.service.spec.restart = v)),
        key("deploy")
            .about("Only `resources.limits` and `replicas` are read.")
            .with(&DEPLOY),
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

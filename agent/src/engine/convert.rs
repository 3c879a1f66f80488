//! Plan to request, pure: every default that keeps containers apart from each other and from the host is set here
//! and nowhere else.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    NetworkCreateRequest, NetworkingConfig, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
    VolumeCreateRequest,
};

use super::labels::{self, Labels};
use super::plan::{Access, Bind, ContainerPlan, EngineHealth, Hardening, Limits, LogDriver, Network, VolumeUse};

/// Capabilities that a job has no use for: raw sockets (it could forge packets on its bridge) and device nodes.
const DROPPED: [&str; 2] = ["NET_RAW", "MKNOD"];
/// Processes and threads of a container when nobody says: ends a fork bomb, allows any build.
pub const DEFAULT_PIDS: u64 = 4096;
/// Size of one log file of a container without a gate; the engine keeps two.
const LOG_FILE_SIZE: &str = "16m";

/// Who makes a container, and what it may use when its plan does not say.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// The value of `drover.agent`.
    pub agent: &'a str,
    /// The defaults.
    pub limits: Limits,
}

/// The request that makes the container of `plan`.
pub fn container_body(plan: &ContainerPlan, maker: Maker<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        hostname: match &plan.network {
            Network::On { alias, .. } => Some(plan.hostname.clone().unwrap_or_else(|| alias.clone())),
            Network::Join(_) => None, // whose network it joins has one already
            Network::None => plan.hostname.clone(),
        },
        exposed_ports: some(plan.expose.iter().map(|port| format!("{port}/tcp")).collect()),
        user: plan.user.clone(),
        working_dir: plan.workdir.clone(),
        entrypoint: plan.entrypoint.clone(),
        cmd: plan.cmd.clone(),
        env: Some(plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(with_agent(&plan.labels, maker.agent)),
        stop_signal: plan.stop_signal.clone(),
        healthcheck: Some(health_config(plan.engine_health.as_ref())),
        host_config: Some(host_config(plan, plan.limits.or(maker.limits))),
        networking_config: networking(plan),
        ..ContainerCreateBody::default()
    }
}

/// The request that makes a volume, or finds the one of that name.
pub fn volume_body(name: &str, labels: &Labels, agent: &str) -> VolumeCreateRequest {
    VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(with_agent(labels, agent)),
        ..VolumeCreateRequest::default()
    }
}

/// The option that names a network's bridge.
const BRIDGE_NAME: &str = "com.docker.network.bridge.name";

/// The request that makes a bridge network; `bridge` is how the machine calls it.
pub fn network_body(name: &str, labels: &Labels, agent: &str, bridge: Option<&str>) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
        options: bridge.map(|bridge| HashMap::from([(BRIDGE_NAME.to_owned(), bridge.to_owned())])),
        labels: Some(with_agent(labels, agent)),
        ..NetworkCreateRequest::default()
    }
}

fn host_config(plan: &ContainerPlan, limits: Limits) -> HostConfig {
    let memory = limits.memory_bytes.map(signed);
    let full = plan.hardening == Hardening::Full;
    HostConfig {
        memory,
        memory_swap: memory, // the sum of both: no swap
        nano_cpus: limits.cpu_millis.map(|millis| signed(millis.saturating_mul(1_000_000))),
        pids_limit: Some(signed(limits.pids.unwrap_or(DEFAULT_PIDS))),
        shm_size: plan.shm_bytes.map(signed),
        ulimits: some(plan.ulimits.iter().map(ulimit).collect()),
        sysctls: Some(sorted_out(&plan.sysctls)).filter(|sysctls| !sysctls.is_empty()),
        mounts: Some(
            plan.binds
                .iter()
                .map(mount)
                .chain(plan.volumes.iter().map(volume))
                .collect(),
        ),
        tmpfs: Some(sorted_out(&plan.tmpfs)),
        network_mode: Some(match &plan.network {
            Network::Join(id) => format!("container:{}", id.0),
            Network::On { network, .. } => network.0.clone(),
            Network::None => "none".into(),
        }),
        extra_hosts: some(plan.extra_hosts.clone()),
        dns: some(plan.dns.servers.clone()),
        dns_search: some(plan.dns.search.clone()),
        dns_options: some(plan.dns.options.clone()),
        log_config: Some(log_config(plan.logs)),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        cap_add: some(plan.cap_add.clone()),
        cap_drop: Some(if full { vec!["ALL".into()] } else { dropped(plan) }),
        security_opt: Some(security_options(plan)),
        readonly_rootfs: Some(full || plan.read_only),
        privileged: Some(false),
        ..HostConfig::default()
    }
}

/// The usual ones, without what the plan asks for, and what it wants to be rid of.
fn dropped(plan: &ContainerPlan) -> Vec<String> {
    let asked = |name: &str| plan.cap_add.iter().any(|asked| same_capability(asked, name));
    let mut dropped = plan.cap_drop.clone();
    let known = |dropped: &[String], name: &str| dropped.iter().any(|one| same_capability(one, name));
    for usual in DROPPED {
        if !asked(usual) && !known(&dropped, usual) {
            dropped.push(usual.into());
        }
    }
    dropped
}

/// `NET_RAW`, `net_raw` and `CAP_NET_RAW` are one.
fn same_capability(one: &str, other: &str) -> bool {
    let bare = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("CAP_").map(String::from).unwrap_or(name)
    };
    bare(one) == bare(other)
}

/// No program gets more rights than its parent has, whatever else is asked for.
fn security_options(plan: &ContainerPlan) -> Vec<String> {
    let seccomp = plan.seccomp.iter().map(|profile| format!("seccomp={profile}"));
    std::iter::once("no-new-privileges".to_owned()).chain(seccomp).collect()
}

fn ulimit((name, (soft, hard)): (&String, &(i64, i64))) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.clone()),
        soft: Some(*soft),
        hard: Some(*hard),
    }
}

fn volume(volume: &VolumeUse) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: volume.name.clone(),
        target: Some(volume.container.clone()),
        read_only: Some(volume.access == Access::ReadOnly),
        ..Mount::default()
    }
}

fn mount(bind: &Bind) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(bind.host.to_string_lossy().into_owned()),
        target: Some(bind.container.clone()),
        read_only: Some(bind.access == Access::ReadOnly),
        ..Mount::default()
    }
}

fn log_config(logs: LogDriver) -> HostConfigLogConfig {
    match logs {
        LogDriver::None => HostConfigLogConfig {
            typ: Some("none".into()),
            config: None,
        },
        LogDriver::Bounded => HostConfigLogConfig {
            typ: Some("json-file".into()),
            config: Some(HashMap::from([
                ("max-size".into(), LOG_FILE_SIZE.into()),
                ("max-file".into(), "2".into()),
            ])),
        },
    }
}

/// An image's own HEALTHCHECK is always replaced: under the gate the engine must not run it as well.
fn health_config(health: Option<&EngineHealth>) -> HealthConfig {
    let nanos = |millis: u64| Some(signed(millis.saturating_mul(1_000_000)));
    match health {
        None => HealthConfig {
            test: Some(vec!["NONE".into()]),
            ..HealthConfig::default()
        },
        Some(health) => HealthConfig {
            test: Some(health.test.clone()),
            interval: nanos(health.interval_ms),
            timeout: nanos(health.timeout_ms),
            retries: Some(i64::from(health.retries)),
            start_period: nanos(health.start_period_ms),
            start_interval: None,
        },
    }
}

fn networking(plan: &ContainerPlan) -> Option<NetworkingConfig> {
    let Network::On { network, alias } = &plan.network else {
        return None;
    };
    let mut aliases = vec![alias.clone()];
    aliases.extend(plan.aliases.iter().filter(|further| *further != alias).cloned());
    let endpoint = EndpointSettings {
        aliases: Some(aliases),
        ..EndpointSettings::default()
    };
    Some(NetworkingConfig {
        endpoints_config: Some(HashMap::from([(network.0.clone(), endpoint)])),
    })
}

fn with_agent(labels: &Labels, agent: &str) -> HashMap<String, String> {
    let mut all = sorted_out(labels);
    all.insert(labels::AGENT.into(), agent.into());
    all
}

/// Nothing at all rather than an empty list: the engine's own default.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    Some(list).filter(|list| !list.is_empty())
}

fn sorted_out(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.clone().into_iter().collect()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

//! Plan to request, pure: every default that keeps containers apart from each other and from the host is set here
//! and nowhere else.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType,
    NetworkCreateRequest, NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};

use super::labels::{self, Labels};
use super::plan::{Access, Bind, ContainerPlan, EngineHealth, Hardening, Limits, LogDriver, Network};

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
            Network::On { alias, .. } => Some(alias.clone()),
            Network::Join(_) | Network::None => None,
        },
        user: plan.user.clone(),
        working_dir: plan.workdir.clone(),
        entrypoint: plan.entrypoint.clone(),
        cmd: plan.cmd.clone(),
        env: Some(plan.env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(with_agent(&plan.labels, maker.agent)),
        stop_signal: plan.stop_signal.clone(),
        healthcheck: Some(health_config(plan.engine_health.as_ref())),
        host_config: Some(host_config(plan, plan.limits.or(maker.limits))),
        networking_config: networking(&plan.network),
        ..ContainerCreateBody::default()
    }
}

/// The request that makes a bridge network.
pub fn network_body(name: &str, labels: &Labels, agent: &str) -> NetworkCreateRequest {
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".into()),
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
        mounts: Some(plan.binds.iter().map(mount).collect()),
        tmpfs: Some(sorted_out(&plan.tmpfs)),
        network_mode: Some(match &plan.network {
            Network::Join(id) => format!("container:{}", id.0),
            Network::On { network, .. } => network.0.clone(),
            Network::None => "none".into(),
        }),
        log_config: Some(log_config(plan.logs)),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        cap_drop: Some(if full {
            vec!["ALL".into()]
        } else {
            DROPPED.map(String::from).to_vec()
        }),
        security_opt: Some(vec!["no-new-privileges".into()]),
        readonly_rootfs: Some(full),
        privileged: Some(false),
        ..HostConfig::default()
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

fn networking(network: &Network) -> Option<NetworkingConfig> {
    let Network::On { network, alias } = network else {
        return None;
    };
    let endpoint = EndpointSettings {
        aliases: Some(vec![alias.clone()]),
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

fn sorted_out(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.clone().into_iter().collect()
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

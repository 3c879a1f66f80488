//! A service to the container that is made for it. Pure: every key of a service that the engine itself must know has
//! its line here.

use std::path::Path;

use job_specs::model::{ServiceSpec, VolumeSource};

use super::launch::Launch;
use crate::engine::labels::{self, Labels};
use crate::engine::plan::{Access, Bind, VolumeUse};
use crate::engine::{ContainerPlan, Limits, LogDriver, Network, NetworkId};
use crate::gate;

/// What of the container its service does not say.
pub(super) struct ContainerContext<'a> {
    /// The stack's id, for the names of its volumes.
    pub(super) stack: &'a str,
    /// The stack's network.
    pub(super) network: &'a NetworkId,
    /// The stack's labels, with the sandbox's.
    pub(super) labels: &'a Labels,
    /// The gate program on the host.
    pub(super) gate: &'a Path,
    /// The service's folder.
    pub(super) folder: &'a Path,
    /// Folders of the workspace, and its files.
    pub(super) binds: Vec<Bind>,
}

/// What the service may use.
pub(super) fn limits(service: &ServiceSpec) -> Limits {
    Limits {
        memory_bytes: service.mem_limit_bytes,
        cpu_millis: service.cpu_millis,
        pids: service.pids_limit,
        ..Limits::default()
    }
}

/// The name of a stack's volume in the engine.
pub(super) fn volume_name(stack: &str, volume: &str) -> String {
    format!("drover-{stack}-{volume}")
}

/// The container of `service`; `image` is the id of an image that is here.
pub(super) fn plan(
    service: &ServiceSpec,
    image: &str,
    launch: &Launch,
    context: ContainerContext<'_>,
) -> ContainerPlan {
    let plan = ContainerPlan {
        user: service.user.clone(),
        workdir: service.working_dir.clone(),
        tmpfs: service.tmpfs.clone(),
        volumes: volumes(service, context.stack),
        network: Network::named(context.network, &service.name),
        hostname: service.hostname.clone(),
        aliases: service.aliases.clone(),
        expose: service.expose.clone(),
        extra_hosts: service.extra_hosts.clone(),
        dns: service.dns.clone(),
        limits: limits(service),
        stop_signal: service.stop_signal.clone(),
        cap_add: service.cap_add.clone(),
        cap_drop: service.cap_drop.clone(),
        seccomp: service.seccomp.clone(),
        read_only: service.read_only,
        ulimits: service
            .ulimits
            .iter()
            .map(|(name, limit)| (name.clone(), (limit.soft, limit.hard)))
            .collect(),
        shm_bytes: service.shm_size_bytes,
        sysctls: service.sysctls.clone(),
        platform: service.platform.clone(),
        labels: own_labels(service, context.labels),
        ..ContainerPlan::of(image)
    };
    if service.gate {
        under_the_gate(plan, context)
    } else {
        by_itself(plan, launch, context.binds)
    }
}

/// The gate is PID 1 and an init; it writes to its folder alone, also when the root file system is read-only.
fn under_the_gate(plan: ContainerPlan, context: ContainerContext<'_>) -> ContainerPlan {
    let mut binds = vec![
        Bind::read_only(context.gate, "/.drover/gate"),
        Bind::writable(context.folder, gate::FOLDER),
    ];
    binds.extend(context.binds);
    ContainerPlan {
        entrypoint: Some(vec!["/.drover/gate".into(), "service".into()]),
        binds,
        ..plan
    }
}

/// The image's own program is PID 1.
fn by_itself(plan: ContainerPlan, launch: &Launch, binds: Vec<Bind>) -> ContainerPlan {
    let (entrypoint, cmd) = launch.argv.split_at(1);
    ContainerPlan {
        entrypoint: Some(entrypoint.to_vec()),
        cmd: Some(cmd.to_vec()),
        env: launch.env.clone(),
        engine_health: launch.engine_health(),
        logs: LogDriver::Bounded,
        binds,
        ..plan
    }
}

fn volumes(service: &ServiceSpec, stack: &str) -> Vec<VolumeUse> {
    let volume = |mount: &job_specs::model::VolumeMount| {
        let name = match &mount.source {
            VolumeSource::Named(name) => Some(volume_name(stack, name)),
            VolumeSource::Nameless => None,
            VolumeSource::Workspace(_) => return None,
        };
        Some(VolumeUse {
            name,
            container: mount.target.clone(),
            access: access(mount.read_only),
        })
    };
    service.volumes.iter().filter_map(volume).collect()
}

/// Who may write.
pub(super) fn access(read_only: bool) -> Access {
    if read_only { Access::ReadOnly } else { Access::ReadWrite }
}

/// Nobody but us says `drover.*`.
fn own_labels(service: &ServiceSpec, stack: &Labels) -> Labels {
    let theirs = service.labels.iter().filter(|(name, _)| !name.starts_with("drover."));
    let mut own: Labels = theirs.map(|(name, value)| (name.clone(), value.clone())).collect();
    own.extend(stack.clone());
    own.insert(labels::ROLE.into(), labels::ROLE_SERVICE.into());
    own.insert(labels::SERVICE.into(), service.name.clone());
    own
}

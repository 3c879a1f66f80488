//! Every key of a service that the engine itself must know: what the engine then has in its configuration. What the
//! others do is shown by the tests that carry their mark.

use std::collections::BTreeMap;

use agent::stack::StackSpec;
use futures_util::FutureExt;
use job_specs::model::{
    Dns, FileContent, FileMount, HealthTest, PullPolicy, Restart, ServiceSpec, Ulimit, VolumeMount, VolumeSource,
};
use serde_json::{Value, json};

use super::{Running, healthcheck, shell, start_in};
use crate::layers::docker;
use crate::world::{World, text};

/// A key, where `docker inspect` shows it, and what.
type Row = (&'static str, &'static str, Value);

/// One service with every key that goes together with the others.
fn everything() -> (ServiceSpec, Vec<Row>) {
    let labels = BTreeMap::from([
        ("team".into(), "blue".into()),
        ("drover.agent".into(), "mallory".into()),
    ]);
    let spec = ServiceSpec {
        user: Some("0:0".into()),
        tmpfs: BTreeMap::from([("/scratch".into(), "size=64m".into())]),
        mem_limit_bytes: Some(64 << 20),
        cpu_millis: Some(500),
        pids_limit: Some(100),
        shm_size_bytes: Some(16 << 20),
        ulimits: BTreeMap::from([("nofile".into(), Ulimit { soft: 123, hard: 456 })]),
        sysctls: BTreeMap::from([("net.core.somaxconn".into(), "321".into())]),
        hostname: Some("box".into()),
        aliases: vec!["shop".into()],
        expose: vec![8080],
        extra_hosts: vec!["legacy:10.1.2.3".into()],
        dns: Dns {
            servers: vec!["10.9.9.9".into()],
            search: vec!["corp.example".into()],
            options: vec!["ndots:3".into()],
        },
        cap_add: vec!["NET_RAW".into(), "SYS_NICE".into()],
        cap_drop: vec!["CHOWN".into()],
        seccomp: Some(r#"{"defaultAction":"SCMP_ACT_ALLOW"}"#.into()),
        read_only: true,
        working_dir: Some("/tmp".into()),
        labels,
        stop_signal: Some("SIGUSR1".into()),
        platform: Some("linux/amd64".into()),
        pull_policy: PullPolicy::Never,
        restart: Restart::OnFailure(Some(3)),
        volumes: vec![
            mount(VolumeSource::Named("data".into()), "/data", true),
            mount(VolumeSource::Nameless, "/own", false),
            mount(VolumeSource::Workspace("conf".into()), "/conf", true),
        ],
        files: vec![file("/etc/app.conf", FileContent::Text("port = 1\n".into()))],
        ready: super::ready(job_specs::model::ReadyProbe::Log("up".into()), 60_000),
        ..shell("web", "echo up; sleep 1000")
    };
    let rows = vec![
        ("user", "/Config/User", json!("0:0")),
        ("tmpfs", "/HostConfig/Tmpfs", json!({"/scratch": "size=64m"})),
        ("mem_limit", "/HostConfig/Memory", json!(64 << 20)),
        ("cpus", "/HostConfig/NanoCpus", json!(500_000_000)),
        ("pids_limit", "/HostConfig/PidsLimit", json!(100)),
        ("shm_size", "/HostConfig/ShmSize", json!(16 << 20)),
        (
            "ulimits",
            "/HostConfig/Ulimits",
            json!([{"Name": "nofile", "Soft": 123, "Hard": 456}]),
        ),
        ("sysctls", "/HostConfig/Sysctls", json!({"net.core.somaxconn": "321"})),
        ("hostname", "/Config/Hostname", json!("box")),
        ("expose", "/Config/ExposedPorts", json!({"8080/tcp": {}})),
        ("extra_hosts", "/HostConfig/ExtraHosts", json!(["legacy:10.1.2.3"])),
        ("dns", "/HostConfig/Dns", json!(["10.9.9.9"])),
        ("dns_search", "/HostConfig/DnsSearch", json!(["corp.example"])),
        ("dns_opt", "/HostConfig/DnsOptions", json!(["ndots:3"])),
        ("cap_add", "/HostConfig/CapAdd", json!(["NET_RAW", "SYS_NICE"])),
        ("cap_drop", "/HostConfig/CapDrop", json!(["CHOWN", "MKNOD"])),
        ("security_opt", "/HostConfig/SecurityOpt/0", json!("no-new-privileges")),
        (
            "seccomp",
            "/HostConfig/SecurityOpt/1",
            json!(r#"seccomp={"defaultAction":"SCMP_ACT_ALLOW"}"#),
        ),
        ("read_only", "/HostConfig/ReadonlyRootfs", json!(true)),
        ("working_dir", "/Config/WorkingDir", json!("/tmp")),
        ("labels", "/Config/Labels/team", json!("blue")),
        ("stop_signal", "/Config/StopSignal", json!("SIGUSR1")),
        ("restart is ours", "/HostConfig/RestartPolicy/Name", json!("no")),
        ("never", "/HostConfig/Privileged", json!(false)),
    ];
    (spec, rows)
}

fn mount(source: VolumeSource, target: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        source,
        target: target.into(),
        read_only,
        create: true,
    }
}

fn file(target: &str, content: FileContent) -> FileMount {
    FileMount {
        target: target.into(),
        content,
        mode: 0o444,
        uid: 0,
        gid: 0,
    }
}

/// A stack with a workspace that has `conf/app`.
async fn with_workspace(services: Vec<ServiceSpec>) -> Running {
    let world = World::new().await;
    let workspace = world.data().join("workspace");
    std::fs::create_dir_all(workspace.join("conf")).unwrap();
    std::fs::write(workspace.join("conf/app"), "from the code\n").unwrap();
    let mut spec = StackSpec::new(world.agent.clone(), services, world.data().join("stack"));
    spec.workspace = Some(std::future::ready(Some(workspace)).boxed().shared());
    start_in(world, spec).await
}

/// What the engine says of the service's container.
fn inspect(running: &Running, service: &str) -> Value {
    let filter = format!("label=drover.stack={}", running.world.agent);
    let name = format!("label=drover.service={service}");
    let found = docker(&["ps", "-aq", "--filter", &filter, "--filter", &name]);
    let all: Value = serde_json::from_str(&docker(&["inspect", found.trim()])).unwrap();
    all[0].clone()
}

// key: services.ulimits, services.security_opt, services.platform, services.user, services.tmpfs
// key: services.mem_limit, services.cpus, services.pids_limit, services.shm_size, services.sysctls
// key: services.hostname, services.expose, services.extra_hosts, services.dns, services.dns_search
// key: services.dns_opt, services.cap_add, services.cap_drop, services.read_only, services.working_dir
// key: services.labels, services.stop_signal, services.networks, services.volumes, services.configs
#[tokio::test(flavor = "multi_thread")]
async fn each_key_stands_in_the_engine_s_configuration() {
    let (web, rows) = everything();
    let running = with_workspace(vec![web]).await;
    running.ready().await;
    let is = inspect(&running, "web");
    let wrong: Vec<String> = rows
        .iter()
        .filter(|(_, path, expected)| is.pointer(path).map(bare).as_ref() != Some(expected))
        .map(|(key, path, expected)| format!("{key}: {path} is {:?}, not {expected}", is.pointer(path)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(is["Config"]["Labels"]["drover.agent"], json!(running.world.agent));

    let network = is["NetworkSettings"]["Networks"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    let aliases = network["Aliases"].as_array().unwrap();
    assert!(
        aliases.contains(&json!("shop")) && aliases.contains(&json!("web")),
        "{aliases:?}"
    );

    let mounts: Vec<String> = is["Mounts"].as_array().unwrap().iter().map(shown).collect();
    let id = &running.world.agent;
    let named = format!("volume drover-{id}-data /data ro");
    assert!(mounts.contains(&named), "{mounts:#?}");
    assert!(
        mounts
            .iter()
            .any(|mount| mount.starts_with("volume ") && mount.ends_with(" /own rw")),
        "{mounts:#?}"
    );
    assert!(mounts.contains(&"bind /conf ro".into()), "{mounts:#?}");
    assert!(mounts.contains(&"bind /etc/app.conf ro".into()), "{mounts:#?}");
    running.close().await;
}

/// Newer engines write `CAP_NET_RAW` where older ones keep `NET_RAW`.
fn bare(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(bare).collect(),
        Value::String(text) => json!(text.strip_prefix("CAP_").unwrap_or(text)),
        other => other.clone(),
    }
}

fn shown(mount: &Value) -> String {
    let word = |key: &str| mount[key].as_str().unwrap_or_default().to_owned();
    let access = if mount["RW"] == json!(true) { "rw" } else { "ro" };
    match word("Type").as_str() {
        "bind" => format!("bind {} {access}", word("Destination")),
        kind => format!("{kind} {} {} {access}", word("Name"), word("Destination")),
    }
}

// key: services.init, services.gate, services.environment, services.entrypoint, services.command
// key: services.healthcheck
#[tokio::test(flavor = "multi_thread")]
async fn without_a_gate_the_rest_stands_there_too() {
    let plain = ServiceSpec {
        gate: false,
        environment: BTreeMap::from([("WHO".into(), "me".into())]),
        entrypoint: Some(text(&["sleep"])),
        command: Some(text(&["1000"])),
        healthcheck: healthcheck(HealthTest::Shell("true".into())),
        cap_drop: vec!["ALL".into()],
        ..super::service("plain", "busybox")
    };
    let running = with_workspace(vec![plain]).await;
    running.ready().await;
    let is = inspect(&running, "plain");
    let rows: [Row; 5] = [
        ("environment", "/Config/Env/0", json!("WHO=me")),
        ("entrypoint", "/Config/Entrypoint", json!(["sleep"])),
        ("command", "/Config/Cmd", json!(["1000"])),
        ("healthcheck", "/Config/Healthcheck/Test", json!(["CMD-SHELL", "true"])),
        // PID 1 is the image's own program here, and the gate everywhere else.
        ("init", "/HostConfig/Init", Value::Null),
    ];
    for (key, path, expected) in rows {
        let found = is.pointer(path).cloned().unwrap_or_default();
        assert_eq!(found, expected, "{key}");
    }
    assert!(is["HostConfig"]["CapDrop"].as_array().unwrap().contains(&json!("ALL")));
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_has_is_what_the_service_sees() {
    let script = "
        ulimit -n; ulimit -Hn; hostname; cat /proc/sys/net/core/somaxconn; pwd
        grep legacy /etc/hosts | tr '\\t' ' '; cat /conf/app /etc/app.conf
        grep -c 'corp.example' /etc/resolv.conf
        touch /root-file 2>/dev/null || echo read-only; touch /scratch/x /own/x && echo writable
        touch /conf/x 2>/dev/null || echo the code cannot be written
        echo up; sleep 1000";
    let web = ServiceSpec {
        entrypoint: Some(text(&["sh", "-c", script])),
        ready: super::ready(job_specs::model::ReadyProbe::Log("^up$".into()), 60_000),
        ..everything().0
    };
    let running = with_workspace(vec![web]).await;
    running.ready().await;
    insta::assert_snapshot!(running.log("web").join("\n"), @"
    123
    456
    box
    321
    /tmp
    10.1.2.3 legacy
    from the code
    port = 1
    1
    read-only
    writable
    the code cannot be written
    up
    ");
    running.close().await;
}

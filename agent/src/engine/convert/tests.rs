//! Whole requests, as the engine would read them.

use super::*;
use crate::engine::plan::{ContainerId, NetworkId};

const MAKER: Maker<'_> = Maker {
    agent: "a1",
    limits: Limits {
        memory_bytes: Some(1 << 30),
        cpu_millis: None,
        pids: None,
        log_bytes: None,
        disk_bytes: None,
    },
};

/// What the engine would read, without nulls and with sorted keys.
fn shown(body: &ContainerCreateBody) -> String {
    serde_json::to_string_pretty(&sorted(serde_json::to_value(body).unwrap())).unwrap()
}

/// With sorted keys, whatever the JSON library's features are in this build.
fn sorted(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(map) => {
            let keys: std::collections::BTreeMap<String, Value> = map.into_iter().collect();
            Value::Object(keys.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[test]
fn a_step_joins_its_sandbox_and_keeps_nothing_in_the_engine() {
    let plan = ContainerPlan {
        entrypoint: Some(vec!["/.drover/gate".into(), "step".into()]),
        workdir: Some("/workspace".into()),
        binds: vec![
            Bind {
                host: "/data/gate-1".into(),
                container: "/.drover/gate".into(),
                access: Access::ReadOnly,
            },
            Bind {
                host: "/data/a:b".into(),
                container: "/workspace".into(),
                access: Access::ReadWrite,
            },
        ],
        network: Network::Join(ContainerId("anchor".into())),
        limits: Limits {
            cpu_millis: Some(1500),
            ..Limits::default()
        },
        labels: Labels::from([(labels::ATTEMPT.into(), "t1".into())]),
        ..ContainerPlan::of("sha256:1")
    };
    insta::assert_snapshot!(shown(&container_body(&plan, MAKER)), @r#"
    {
      "Entrypoint": [
        "/.drover/gate",
        "step"
      ],
      "Env": [],
      "Healthcheck": {
        "Test": [
          "NONE"
        ]
      },
      "HostConfig": {
        "CapDrop": [
          "NET_RAW",
          "MKNOD"
        ],
        "LogConfig": {
          "Type": "none"
        },
        "Memory": 1073741824,
        "MemorySwap": 1073741824,
        "Mounts": [
          {
            "ReadOnly": true,
            "Source": "/data/gate-1",
            "Target": "/.drover/gate",
            "Type": "bind"
          },
          {
            "ReadOnly": false,
            "Source": "/data/a:b",
            "Target": "/workspace",
            "Type": "bind"
          }
        ],
        "NanoCpus": 1500000000,
        "NetworkMode": "container:anchor",
        "PidsLimit": 4096,
        "Privileged": false,
        "ReadonlyRootfs": false,
        "RestartPolicy": {
          "Name": "no"
        },
        "SecurityOpt": [
          "no-new-privileges"
        ],
        "Tmpfs": {}
      },
      "Image": "sha256:1",
      "Labels": {
        "drover.agent": "a1",
        "drover.attempt": "t1"
      },
      "WorkingDir": "/workspace"
    }
    "#);
}

#[test]
fn a_service_without_a_gate_stands_on_the_network_under_its_name() {
    let plan = ContainerPlan {
        env: BTreeMap::from([("A".into(), "1".into())]),
        user: Some("70:70".into()),
        tmpfs: BTreeMap::from([("/tmp".into(), "size=64m".into())]),
        network: Network::On {
            network: NetworkId("n1".into()),
            alias: "db".into(),
        },
        limits: Limits {
            memory_bytes: Some(16 << 20),
            pids: Some(64),
            ..Limits::default()
        },
        logs: LogDriver::Bounded,
        engine_health: Some(EngineHealth {
            test: vec!["CMD".into(), "pg_isready".into()],
            interval_ms: 500,
            timeout_ms: 1000,
            retries: 3,
            start_period_ms: 0,
            start_interval_ms: 5_000,
        }),
        stop_signal: Some("SIGINT".into()),
        ..ContainerPlan::of("postgres:15")
    };
    insta::assert_snapshot!(shown(&container_body(&plan, MAKER)), @r#"
    {
      "Env": [
        "A=1"
      ],
      "Healthcheck": {
        "Interval": 500000000,
        "Retries": 3,
        "StartPeriod": 0,
        "Test": [
          "CMD",
          "pg_isready"
        ],
        "Timeout": 1000000000
      },
      "HostConfig": {
        "CapDrop": [
          "NET_RAW",
          "MKNOD"
        ],
        "LogConfig": {
          "Config": {
            "max-file": "2",
            "max-size": "16m"
          },
          "Type": "json-file"
        },
        "Memory": 16777216,
        "MemorySwap": 16777216,
        "Mounts": [],
        "NetworkMode": "n1",
        "PidsLimit": 64,
        "Privileged": false,
        "ReadonlyRootfs": false,
        "RestartPolicy": {
          "Name": "no"
        },
        "SecurityOpt": [
          "no-new-privileges"
        ],
        "Tmpfs": {
          "/tmp": "size=64m"
        }
      },
      "Hostname": "db",
      "Image": "postgres:15",
      "Labels": {
        "drover.agent": "a1"
      },
      "NetworkingConfig": {
        "EndpointsConfig": {
          "n1": {
            "Aliases": [
              "db"
            ]
          }
        }
      },
      "StopSignal": "SIGINT",
      "User": "70:70"
    }
    "#);
}

#[test]
fn an_anchor_can_do_nothing_but_stand() {
    let plan = ContainerPlan {
        hardening: Hardening::Full,
        ..ContainerPlan::of("drover/anchor:1")
    };
    insta::assert_snapshot!(shown(&container_body(&plan, MAKER)), @r#"
    {
      "Env": [],
      "Healthcheck": {
        "Test": [
          "NONE"
        ]
      },
      "HostConfig": {
        "CapDrop": [
          "ALL"
        ],
        "LogConfig": {
          "Type": "none"
        },
        "Memory": 1073741824,
        "MemorySwap": 1073741824,
        "Mounts": [],
        "NetworkMode": "none",
        "PidsLimit": 4096,
        "Privileged": false,
        "ReadonlyRootfs": true,
        "RestartPolicy": {
          "Name": "no"
        },
        "SecurityOpt": [
          "no-new-privileges"
        ],
        "Tmpfs": {}
      },
      "Image": "drover/anchor:1",
      "Labels": {
        "drover.agent": "a1"
      }
    }
    "#);
}

#[test]
fn a_network_is_a_bridge_with_our_labels() {
    let labels = Labels::from([(labels::SANDBOX.into(), "s1".into())]);
    let body = serde_json::to_value(network_body("drover-s1", &labels, "a1", None)).unwrap();
    insta::assert_snapshot!(sorted(body).to_string(), @r#"{"Driver":"bridge","Labels":{"drover.agent":"a1","drover.sandbox":"s1"},"Name":"drover-s1"}"#);
}

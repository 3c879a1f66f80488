//! Memory, processors and processes: what nobody asked for, and who asks for too much.

use agent::engine::{Limits, Policy};
use job_specs::model::ServiceSpec;
use protocol::ids::StreamId;

use super::{building, fork, run, trusted};
use crate::stage::{Stage, job, service, step};

const MIB: u64 = 1 << 20;
/// The memory limit of the cgroup, of either version.
const LIMIT: &str = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";

#[tokio::test(flavor = "multi_thread")]
async fn every_container_and_build_has_limits_and_nobody_gets_more_than_the_most() {
    let policy = Policy {
        most: Limits {
            memory_bytes: Some(256 * MIB),
            cpu_millis: None,
            pids: Some(200),
            log_bytes: None,
        },
        ..Policy::default()
    };
    let stage = Stage::under(1, policy).await;
    let build = format!("FROM busybox\nRUN {LIMIT} # {}\n", uuid::Uuid::now_v7().simple());
    let mut spec = job(vec![
        step(LIMIT),
        step("cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max"),
        building(&build, &["drover-test/limits:1"], false),
    ]);
    spec.resources.memory_bytes = Some(512 << 30);
    spec.services = vec![ServiceSpec {
        run_once: true,
        mem_limit_bytes: Some(500 << 30),
        command: Some(vec!["sh".into(), "-c".into(), LIMIT.into()]),
        ..service("greedy", "busybox")
    }];
    let story = run(&stage, fork(&stage, "app", spec)).await;
    assert_eq!(story.told(), "Passed", "{:?}", story.log(&StreamId::job()));
    let most = (256 * MIB).to_string();
    assert_eq!(story.step(0), [most.as_str()]);
    assert_eq!(story.step(1), ["200"]);
    assert!(story.step(2).contains(&most.as_str()), "{:?}", story.step(2));
    assert_eq!(story.log(&StreamId::service("greedy")), [most.as_str()]);
    let said = story.log(&StreamId::job()).join("\n");
    assert!(
        said.contains("service `greedy` asks for 500 GiB of memory and gets 256 MiB"),
        "{said}"
    );
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_all_memory_ends_alone() {
    let policy = Policy {
        most: Limits {
            memory_bytes: Some(64 * MIB),
            ..Limits::default()
        },
        ..Policy::default()
    };
    let stage = Stage::under(1, policy).await;
    let story = run(&stage, trusted(&stage, "app", job(vec![step("tail /dev/zero")]))).await;
    assert!(story.told().contains("ran out of memory"), "{}", story.told());
    stage.close().await;
}

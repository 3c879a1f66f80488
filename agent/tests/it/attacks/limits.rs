//! Memory, processors and processes: what nobody asked for, and who asks for too much.

use agent::engine::{Limits, Policy};
use job_specs::model::{JobSpec, ServiceSpec, VolumeMount, VolumeSource};
use protocol::ids::StreamId;

use super::{building, fork, run, trusted};
use crate::stage::{Stage, job, service, step};

const MIB: u64 = 1 << 20;
/// The memory limit of the cgroup, of either version.
const LIMIT: &str = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max";

/// An agent whose owner gives jobs no more than that.
async fn at_most(most: Limits) -> Stage {
    let policy = Policy {
        most,
        ..Policy::default()
    };
    Stage::under(1, policy).await
}

/// How many control groups of builds of this agent there are.
fn groups(stage: &Stage) -> usize {
    let agent = &stage.context.engine.config().agent;
    let root = std::path::Path::new("/sys/fs/cgroup");
    let builds = ["drover-builds", "pids/drover-builds"].map(|folder| std::fs::read_dir(root.join(folder)));
    let groups = builds.into_iter().flatten().flatten().flatten();
    groups
        .filter(|group| group.file_name().to_string_lossy().starts_with(agent.as_str()))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_container_and_build_has_limits_and_nobody_gets_more_than_the_most() {
    let stage = at_most(Limits {
        memory_bytes: Some(256 * MIB),
        pids: Some(200),
        ..Limits::default()
    })
    .await;
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
    assert_eq!(story.message(), "Passed", "{:?}", story.log(&StreamId::job()));
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

/// The builder knows no such limit; without one, a build takes every process that the machine can have.
#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_starts_processes_without_end_is_stopped() {
    let stage = at_most(Limits {
        pids: Some(60),
        ..Limits::default()
    })
    .await;
    let build = format!(
        "FROM busybox\nRUN for n in $(seq 200); do sleep 3 & done; echo all 200 run # {}\n",
        uuid::Uuid::now_v7().simple()
    );
    for input in [trusted, fork] {
        let spec = job(vec![building(&build, &["drover-test/processes:1"], false)]);
        let story = run(&stage, input(&stage, "app", spec)).await;
        let said = story.step(0).join("\n");
        assert!(story.message().starts_with("Failed "), "{}: {said}", story.message());
        assert!(said.contains("can't fork") && !said.contains("\nall 200 run"), "{said}");
    }
    stage.close().await;
}

/// Wherever a job writes, it is its own end and nobody else's.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_takes_too_much_of_the_disk_is_stopped() {
    let stage = at_most(Limits {
        disk_bytes: Some(48 * MIB),
        ..Limits::default()
    })
    .await;
    let fill = |folder: &str| format!("head -c 100000000 /dev/urandom > {folder}/big; sleep 600");
    let filled_by_a_service = ServiceSpec {
        command: Some(vec!["sh".into(), "-c".into(), fill("/data")]),
        volumes: vec![VolumeMount {
            source: VolumeSource::Nameless,
            target: "/data".into(),
            read_only: false,
            create: true,
        }],
        ..service("db", "busybox")
    };
    let of_a_service = JobSpec {
        services: vec![filled_by_a_service],
        ..job(vec![step("sleep 600")])
    };
    let build = format!("FROM busybox\nRUN {} # {}\n", fill("/"), uuid::Uuid::now_v7().simple());
    let jobs = [
        ("workspace ", job(vec![step(&fill("."))])),
        ("other files of its containers ", job(vec![step(&fill("/tmp"))])),
        ("volumes ", of_a_service),
        (
            "other files of its containers ",
            job(vec![building(&build, &["drover-test/disk:1"], false)]),
        ),
    ];
    for (what, spec) in jobs {
        for input in [trusted(&stage, "app", spec.clone()), fork(&stage, "app", spec)] {
            let message = run(&stage, input).await.message();
            assert!(
                message.starts_with("Failed DiskLimit: the job was stopped in step `"),
                "{message}"
            );
            assert!(
                message.contains(" and may take 48 MiB (") && message.contains(what),
                "{message}"
            );
        }
    }
    let story = run(&stage, trusted(&stage, "app", job(vec![step("echo others go on")]))).await;
    assert_eq!(story.message(), "Passed");
    let mut looks = 0..100;
    while groups(&stage) > 0 && looks.next().is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(groups(&stage), 0, "control groups of builds that were stopped");
    // What a build that was stopped half-way leaves has no owner any more.
    assert_eq!(stage.context.engine.sweep().await.unwrap().left, 0);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_all_memory_ends_alone() {
    let stage = at_most(Limits {
        memory_bytes: Some(64 * MIB),
        ..Limits::default()
    })
    .await;
    let story = run(&stage, trusted(&stage, "app", job(vec![step("tail /dev/zero")]))).await;
    assert!(story.message().contains("ran out of memory"), "{}", story.message());
    stage.close().await;
}

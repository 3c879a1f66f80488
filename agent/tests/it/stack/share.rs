//! What services share and find: volumes, secrets as files, folders of the workspace. And that nothing of it is left.

use std::collections::BTreeMap;

use agent::attempt::report::reasons::code_of;
use agent::stack::StackSpec;
use futures_util::FutureExt;
use job_specs::model::{
    DependencyCondition, FileContent, FileMount, ReadyProbe, Restart, ServiceSpec, VolumeMount, VolumeSource,
};
use protocol::attempt::{ReasonCode, ServiceState};
use protocol::work::SecretValue;

use super::{after, shell, start, start_in};
use crate::layers::docker;
use crate::world::World;

fn volume(source: VolumeSource, target: &str) -> Vec<VolumeMount> {
    vec![VolumeMount {
        source,
        target: target.into(),
        read_only: false,
        create: true,
    }]
}

/// One that is not made when it is not there.
fn kept(path: &str, target: &str) -> Vec<VolumeMount> {
    let mut volumes = volume(VolumeSource::Workspace(path.into()), target);
    volumes[0].create = false;
    volumes
}

fn task(name: &str, script: &str) -> ServiceSpec {
    ServiceSpec {
        run_once: true,
        ..shell(name, script)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_volume_is_shared_by_its_stack_and_gone_with_it() {
    let data = || VolumeSource::Named("data".into());
    let seed = ServiceSpec {
        volumes: volume(data(), "/seed"),
        ..task("seed", "echo rows > /seed/table")
    };
    let reader = ServiceSpec {
        volumes: volume(data(), "/var/data"),
        depends_on: vec![after("seed", DependencyCondition::ServiceCompletedSuccessfully)],
        ..task("reader", "cat /var/data/table")
    };
    let running = start(vec![seed, reader]).await;
    running.ready().await;
    assert_eq!(running.log("reader"), ["rows"]);
    let filter = format!("label=drover.stack={}", running.world.agent);
    let volumes = docker(&["volume", "ls", "-q", "--filter", &filter]);
    assert_eq!(volumes.trim(), format!("drover-{}-data", running.world.agent));
    running.close().await; // and finds nothing left
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_a_crash_left_is_swept() {
    let named = ServiceSpec {
        volumes: volume(VolumeSource::Named("data".into()), "/data"),
        files: vec![secret_file("TOKEN", 0o400, 0)],
        ..shell("db", "sleep 1000")
    };
    let world = World::new().await;
    let mut spec = StackSpec::new(world.agent.clone(), vec![named], world.data().join("stack"));
    spec.secrets = secrets();
    let running = start_in(world, spec).await;
    running.ready().await;
    let super::Running {
        world,
        stack,
        pool,
        sandbox,
        ..
    } = running;
    let (agent, data) = world.crash().await;
    drop((stack, pool, sandbox));
    let world = World::again(agent, data).await;
    let swept = world.engine.sweep().await.unwrap();
    assert_eq!((swept.volumes, swept.left), (1, 0));
    assert!(
        !world
            .engine
            .private_folder("x", "y")
            .unwrap()
            .parent()
            .unwrap()
            .with_file_name(&world.agent)
            .exists()
    );
    world.engine.remove_private("x");
    world.close().await;
}

fn secret_file(secret: &str, mode: u32, uid: u32) -> FileMount {
    FileMount {
        target: "/run/secrets/token".into(),
        content: FileContent::Secret(secret.into()),
        mode,
        uid,
        gid: 0,
    }
}

fn secrets() -> BTreeMap<String, SecretValue> {
    BTreeMap::from([("TOKEN".into(), SecretValue("s3cr3t-value".into()))])
}

// key: services.secrets
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_a_file_and_stands_in_no_configuration() {
    let reader = ServiceSpec {
        files: vec![secret_file("TOKEN", 0o440, 7)],
        ..task(
            "reader",
            "exec 2>&1; stat -c '%a %u %g' /run/secrets/token; wc -c < /run/secrets/token; echo x >> /run/secrets/token || true",
        )
    };
    let world = World::new().await;
    let mut spec = StackSpec::new(world.agent.clone(), vec![reader], world.data().join("stack"));
    spec.secrets = secrets();
    assert!(!format!("{:?}", spec.secrets).contains("s3cr3t"));
    let running = start_in(world, spec).await;
    running.ready().await;
    let log = running.log("reader");
    assert_eq!(log[..2], ["440 7 0", "12"]);
    assert!(log[2].contains("Read-only file system"), "{log:?}");
    let filter = format!("label=drover.stack={}", running.world.agent);
    let container = docker(&["ps", "-aq", "--filter", &filter]);
    assert!(!docker(&["inspect", container.trim()]).contains("s3cr3t"));
    running.close().await;

    let lost = ServiceSpec {
        files: vec![secret_file("GONE", 0o400, 0)],
        ..shell("db", "sleep 1000")
    };
    let running = start(vec![lost]).await;
    let failure = running.failed().await;
    assert_eq!(code_of(&failure), ReasonCode::SecretMissing);
    insta::assert_snapshot!(failure.sentence(), @"service `db` cannot be started: the secret `GONE` for its file `/run/secrets/token` does not exist; set it with `drover secret set`");
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_the_workspace_is_waited_for_and_others_are_not_held_up() {
    let mounts = |path: &str| volume(VolumeSource::Workspace(path.into()), "/conf");
    let web = ServiceSpec {
        volumes: mounts("conf"),
        ..task("web", "cat /conf/app")
    };
    let world = World::new().await;
    let workspace = world.data().join("workspace");
    std::fs::create_dir_all(workspace.join("conf")).unwrap();
    std::fs::write(workspace.join("conf/app"), "from the code\n").unwrap();
    let (checked_out, waiting) = tokio::sync::oneshot::channel::<()>();
    let there = workspace.clone();
    let code = async move {
        waiting.await.ok()?;
        Some(there)
    };
    let services = vec![web, task("early", "echo early")];
    let mut spec = StackSpec::new(world.agent.clone(), services, world.data().join("stack"));
    spec.workspace = Some(code.boxed().shared());
    let mut running = start_in(world, spec).await;
    running
        .until("early", |state| matches!(state, ServiceState::Exited { .. }))
        .await;
    checked_out.send(()).unwrap();
    running.ready().await;
    assert_eq!(running.log("web"), ["from the code"]);
    running.close().await;

    let mut message = Vec::new();
    for path in ["nowhere", "out"] {
        let lost = ServiceSpec {
            volumes: kept(path, "/conf"),
            ..shell("web", "sleep 1000")
        };
        let world = World::new().await;
        let workspace = world.data().join("workspace");
        std::fs::create_dir_all(&workspace).unwrap();
        std::os::unix::fs::symlink("/etc", workspace.join("out")).unwrap();
        let mut spec = StackSpec::new(world.agent.clone(), vec![lost], world.data().join("stack"));
        spec.workspace = Some(std::future::ready(Some(workspace)).boxed().shared());
        let running = start_in(world, spec).await;
        message.push(running.failed().await.sentence());
        running.close().await;
    }
    insta::assert_snapshot!(message.join("\n"), @"
    service `web` cannot be started: `nowhere`, which it mounts, is not in the workspace; add it to the repository, correct the path in `volumes`, or let it be made by `create_host_path: true`
    service `web` cannot be started: `out`, which it mounts, leads out of the workspace by a link
    ");
}

// key: bind.create_host_path
#[tokio::test(flavor = "multi_thread")]
async fn folders_that_are_not_in_the_repository_are_made_and_said() {
    let mount = |path: &str| volume(VolumeSource::Workspace(path.into()), "/var/lib/db");
    let db = ServiceSpec {
        volumes: mount("data/db"),
        ..task(
            "db",
            "ls -a /var/lib/db | wc -l; echo row > /var/lib/db/table; stat -c %u /var/lib/db",
        )
    };
    let reader = ServiceSpec {
        volumes: mount("data/db"),
        depends_on: vec![after("db", DependencyCondition::ServiceCompletedSuccessfully)],
        ..task("reader", "cat /var/lib/db/table")
    };
    let world = World::new().await;
    let workspace = world.data().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    let mut spec = StackSpec::new(world.agent.clone(), vec![db, reader], world.data().join("stack"));
    spec.workspace = Some(std::future::ready(Some(workspace.clone())).boxed().shared());
    let running = start_in(world, spec).await;
    running.ready().await;
    let both = [running.log("db"), running.log("reader")].concat();
    let said = "`data/db` is not in the repository: an empty folder is mounted, as Compose does";
    assert!(both.contains(&said.to_owned()), "{both:?}");
    let output: Vec<&String> = both.iter().filter(|line| *line != said).collect();
    assert_eq!(output, ["2", "0", "row"]);
    assert!(workspace.join("data/db/table").is_file());
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_exchanged_for_a_link_is_not_mounted_again() {
    for exchanged in [false, true] {
        let web = ServiceSpec {
            volumes: volume(VolumeSource::Workspace("conf".into()), "/conf"),
            restart: Restart::Always,
            ready: super::ready(ReadyProbe::Log("here".into()), 60_000),
            ..shell(
                "web",
                "echo here; until test -e /conf/go; do usleep 10000; done; rm /conf/go; exit 3",
            )
        };
        let world = World::new().await;
        let workspace = world.data().join("workspace");
        std::fs::create_dir_all(workspace.join("conf")).unwrap();
        let outside = world.data().join("outside");
        std::fs::create_dir(&outside).unwrap();
        let mut spec = StackSpec::new(world.agent.clone(), vec![web], world.data().join("stack"));
        spec.workspace = Some(std::future::ready(Some(workspace.clone())).boxed().shared());
        let mut running = start_in(world, spec).await;
        running.ready().await;
        let mounted = if exchanged {
            std::fs::rename(workspace.join("conf"), workspace.join("old")).unwrap();
            std::os::unix::fs::symlink(&outside, workspace.join("conf")).unwrap();
            "old"
        } else {
            "conf"
        };
        std::fs::write(workspace.join(mounted).join("go"), "").unwrap();
        running
            .until("web", |state| matches!(state, ServiceState::Exited { .. }))
            .await;
        if exchanged {
            let failure = crate::world::soon(running.stack.death()).await;
            insta::assert_snapshot!(failure.sentence(), @"service `web` cannot be started: it ended, and cannot be started again because what it mounts of the workspace at `/conf` cannot be checked or was exchanged");
        } else {
            running
                .until("web", |state| matches!(state, ServiceState::Ready { .. }))
                .await;
        }
        running.close().await;
    }
}

//! A gate as PID 1 of real containers: other users, images without a shell, memory limits, an engine's stop.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use agent::gate::{BINARY, GateClient, Go, HealthCheck, HealthState, ProbeTarget};
use tempfile::TempDir;

use crate::gates::{Follower, PATIENCE, command, end_of, printed, program, until};

/// A container with a gate in it.
struct Container {
    name: String,
    folder: PathBuf,
    _parent: TempDir,
}

impl Container {
    /// Starts one with a gate of this mode; `options` are the engine's.
    fn start(mode: &str, image: &str, options: &[&str]) -> Container {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("run");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
        let name = format!("drover-gate-test-{}", uuid::Uuid::now_v7());
        let label = format!("drover.test={name}");
        docker(
            &[
                &[
                    "run",
                    "--detach",
                    "--name",
                    &name,
                    "--label",
                    &label,
                    "--entrypoint",
                    "/.drover/gate",
                    "--log-driver",
                    "none",
                ],
                &["--volume", &format!("{}:/.drover/gate:ro", program().display())][..],
                &["--volume", &format!("{}:/.drover/run", folder.display())],
                options,
                &[image, mode],
            ]
            .concat(),
        );
        Container {
            name,
            folder,
            _parent: parent,
        }
    }

    async fn client(&self) -> GateClient {
        GateClient::connect(&self.folder, PATIENCE).await.unwrap()
    }

    /// The container's exit code, once it has ended.
    fn wait(&self) -> String {
        docker(&["wait", &self.name])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rm", "--force", &self.name])
            .stdout(Stdio::null())
            .status();
    }
}

fn docker(args: &[&str]) -> String {
    let done = Command::new("docker").args(args).output().unwrap();
    assert!(
        done.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn script(text: &str) -> Go {
    Go {
        script: Some(text.as_bytes().to_vec()),
        ..command(&["sh", "-e", "/.drover/run/script"])
    }
}

const ALONE: [&str; 2] = ["--network", "none"];

#[tokio::test]
async fn another_user_with_fewer_rights_runs_a_step_like_root() {
    let options = [
        "--user",
        "1000:1000",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--read-only",
    ];
    let container = Container::start("step", "busybox", &[&ALONE[..], &options].concat());
    let client = container.client().await;
    let go = Go {
        env: vec![
            ("TOKEN".into(), "t0ken".into()),
            ("DROVER_OUTPUT".into(), "/.drover/run/outputs".into()),
        ],
        ..script("id -u; echo $$ $TOKEN >&2; echo made=it > $DROVER_OUTPUT; exit 3\n")
    };
    client.go(go).await.unwrap();
    let status = end_of(&client).await;
    let (out, err) = printed(&container.folder);
    assert_eq!(out, "1000\n");
    assert!(
        err.ends_with(" t0ken\n") && !err.starts_with("1 "),
        "{err}: the gate is PID 1, not the script"
    );
    assert_eq!(
        fs::read_to_string(container.folder.join("outputs")).unwrap(),
        "made=it\n"
    );
    assert_eq!(status.exit_code, Some(3));
    assert!(status.peak_memory_bytes > 0 && status.cpu_us > 0, "{status:?}");
    assert_eq!(container.wait(), "3");
    assert!(
        !docker(&["inspect", &container.name]).contains("t0ken"),
        "the engine never saw the secret"
    );
}

/// An image with one static program, `/tool`, and nothing else; removed at the end.
struct BareImage(String);

impl BareImage {
    fn new() -> BareImage {
        let name = format!("drover-gate-test:{}", uuid::Uuid::now_v7());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image.tar");
        let mut archive = tar::Builder::new(fs::File::create(&path).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_size(BINARY.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, "tool", BINARY).unwrap();
        archive.finish().unwrap();
        docker(&["import", path.to_str().unwrap(), &name]);
        BareImage(name)
    }
}

impl Drop for BareImage {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["rmi", "--force", &self.0])
            .stdout(Stdio::null())
            .status();
    }
}

#[tokio::test]
async fn an_image_without_a_shell_runs_its_program_and_names_what_is_missing() {
    let image = BareImage::new();
    let container = Container::start("step", &image.0, &ALONE);
    let client = container.client().await;
    client.go(script("echo hi\n")).await.unwrap();
    let status = end_of(&client).await;
    assert_eq!(status.exit_code, Some(127));
    insta::assert_snapshot!(status.error.unwrap(), @"`sh` was not found in the image (PATH is /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)");

    let container = Container::start("step", &image.0, &ALONE);
    let client = container.client().await;
    client.go(command(&["/tool", "--help"])).await.unwrap();
    assert_eq!(end_of(&client).await.exit_code, Some(2));
    assert_eq!(
        printed(&container.folder).1,
        "usage: gate step|service|anchor [--folder DIR]\n"
    );
}

#[tokio::test]
async fn too_much_memory_ends_the_step_and_not_its_gate() {
    let container = Container::start("step", "busybox", &[&ALONE[..], &["--memory", "32m"]].concat());
    let client = container.client().await;
    client
        .go(script("echo begin; awk 'BEGIN { while (1) s = s s \"xxxxxxxx\" }'\n"))
        .await
        .unwrap();
    let status = end_of(&client).await;
    assert!(status.oom && !status.is_success(), "{status:?}");
    assert_eq!(status.peak_memory_bytes, 32 << 20);
    assert_eq!(printed(&container.folder).0, "begin\n");
    assert_eq!(container.wait(), status.code().to_string());
}

#[tokio::test]
async fn an_engines_stop_reaches_the_service_as_its_own_signal() {
    let container = Container::start("service", "busybox", &ALONE);
    let client = container.client().await;
    let mut follower = Follower::new(&container.folder);
    let text = "trap 'echo saved; exit 0' QUIT; echo up; while :; do sleep 1000 & wait $!; done\n";
    client
        .go(Go {
            stop_signal: 3,
            ..script(text)
        })
        .await
        .unwrap();
    assert!(follower.next().await);
    docker(&["stop", "--time", "60", &container.name]);
    assert!(follower.finish(&client).await.is_success());
    assert_eq!(printed(&container.folder).0, "up\nsaved\n");
    assert_eq!(container.wait(), "0");

    let idle = Container::start("step", "busybox", &ALONE);
    idle.client().await;
    docker(&["stop", "--time", "60", &idle.name]);
    assert_eq!(idle.wait(), "143", "one that still waits goes at once");
}

#[tokio::test]
async fn kill_ends_even_what_has_left_the_group_and_zombies_do_not_stay() {
    let container = Container::start("step", "busybox", &ALONE);
    let client = container.client().await;
    let mut follower = Follower::new(&container.folder);
    let text = "
        i=0; while [ $i -lt 20 ]; do (setsid true &); i=$((i+1)); done
        while cat /proc/[0-9]*/stat 2>/dev/null | grep -q ' Z '; do :; done
        (setsid sleep 1000 &); echo clean; sleep 1000\n";
    client.go(script(text)).await.unwrap();
    assert!(follower.next().await, "no zombie is left");
    client.kill().await.unwrap();
    assert_eq!(follower.finish(&client).await.signal, Some(9));
    assert_eq!(container.wait(), "137");
}

#[tokio::test]
async fn a_killed_container_is_lost_with_its_log_as_far_as_it_came() {
    let container = Container::start("step", "busybox", &ALONE);
    let client = container.client().await;
    let mut follower = Follower::new(&container.folder);
    client.go(script("echo first words; sleep 1000\n")).await.unwrap();
    assert!(follower.next().await);
    docker(&["kill", &container.name]);
    assert!(client.exited().await.is_err());
    assert_eq!(printed(&container.folder).0, "first words\n");
}

#[tokio::test]
async fn an_anchor_keeps_the_network_and_sees_a_service_come_up() {
    let anchor = Container::start("anchor", "busybox", &ALONE);
    let prober = anchor.client().await;
    let joined = format!("container:{}", anchor.name);
    let service = Container::start("service", "busybox", &["--network", &joined]);
    let client = service.client().await;
    let target = ProbeTarget::Http {
        addr: "127.0.0.1:8080".parse().unwrap(),
        path: "/index.html".into(),
    };
    let probe = prober.probe(target, Duration::from_millis(5), PATIENCE);
    let health = HealthCheck {
        argv: ["wget", "-q", "-O", "-", "http://127.0.0.1:8080/index.html"]
            .map(str::to_owned)
            .to_vec(),
        starting_interval_ms: 1,
        ..HealthCheck::default()
    };
    let go = Go {
        health: Some(health),
        ..script("echo ready > /index.html; exec httpd -f -p 8080 -h /\n")
    };
    client.go(go).await.unwrap();
    assert_eq!(probe.await.unwrap(), Ok(()));
    let is_healthy =
        |state: &agent::gate::GateState| state.health.as_ref().is_some_and(|h| h.state == HealthState::Healthy);
    assert_eq!(until(&client, is_healthy).await.health.unwrap().output, "ready");
    client.kill().await.unwrap();
    prober.quit().await.unwrap();
    assert_eq!(anchor.wait(), "0");
}

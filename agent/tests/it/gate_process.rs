//! A gate as a plain process: what its child gets, what is kept of it, and who may disturb.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agent::gate::{GateClient, GateError, GatePhase, Go, read_status};

use crate::gates::{Follower, Gate, PATIENCE, command, end_of, run, script, until_lost};

#[tokio::test]
async fn a_script_gets_its_environment_and_its_end_is_reported_everywhere() {
    let (gate, status) = run(|folder| Go {
        env: vec![
            ("GREETING".into(), "hello there".into()),
            ("HOME".into(), "/overlaid".into()),
        ],
        cwd: Some("/usr".into()),
        ..script(
            folder,
            "pwd; echo $GREETING $HOME >&2; ps -o sid= -p $$ | grep -qw $$; exit 7\n",
        )
    })
    .await;
    assert_eq!(
        gate.printed(),
        ("/usr\n".to_owned(), "hello there /overlaid\n".to_owned())
    );
    assert_eq!((status.exit_code, status.signal, status.oom), (Some(7), None, false));
    assert!(
        status.ended_us > status.started_us && status.peak_memory_bytes > 0,
        "{status:?}"
    );
    assert_eq!(read_status(gate.folder.path()), Some(status.clone()));
    let late = gate.client().await;
    assert_eq!(end_of(&late).await, status, "who comes after the end hears of it too");
    assert!(matches!(late.go(Go::default()).await, Err(GateError::Gone)));
}

#[tokio::test]
async fn a_child_starts_with_signals_as_if_nobody_had_touched_them() {
    let (gate, status) = run(|folder| script(folder, "exec cat /proc/self/status\n")).await;
    assert!(status.is_success());
    let (seen, _) = gate.printed();
    let signals: Vec<&str> = seen
        .lines()
        .filter(|line| line.starts_with("Sig") && !line.starts_with("SigQ"))
        .collect();
    assert_eq!(signals.len(), 4);
    assert!(
        signals.iter().all(|line| line.ends_with("\t0000000000000000")),
        "{signals:?}"
    );
}

async fn why_not(go: impl FnOnce(&Path) -> Go) -> String {
    let (gate, status) = run(go).await;
    assert_eq!(
        read_status(gate.folder.path()),
        Some(status.clone()),
        "the status is in the gate's folder, wherever the command was to run"
    );
    let sentence = status
        .error
        .unwrap_or_default()
        .replace(gate.folder.path().to_str().unwrap(), "FOLDER");
    format!("{} {sentence}", status.exit_code.unwrap())
}

/// Puts a file with this text and mode into the folder and runs it.
fn file(folder: &Path, text: &str, mode: u32) -> Go {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("file");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    command(&[path.to_str().unwrap()])
}

#[tokio::test]
async fn a_command_that_cannot_be_run_says_why() {
    let path = ("PATH".to_owned(), "/nowhere:/bin".to_owned());
    let missing = |_: &Path| Go {
        env: vec![path],
        ..command(&["no-such-tool"])
    };
    insta::assert_snapshot!(why_not(missing).await, @"127 `no-such-tool` was not found in the image (PATH is /nowhere:/bin)");
    insta::assert_snapshot!(why_not(|_| command(&["/bin/no-such-tool"])).await, @"127 `/bin/no-such-tool` does not exist in the image");
    insta::assert_snapshot!(why_not(|f| file(f, "#!/no/bash -e\n", 0o755)).await, @"127 `FOLDER/file` is there, but not what runs it: `/no/bash` is missing from the image");
    insta::assert_snapshot!(why_not(|f| file(f, "#!/bin/sh\r\n", 0o755)).await, @"127 `FOLDER/file` is there, but not what runs it: `/bin/sh` (its first line ends with a carriage return) is missing from the image");
    insta::assert_snapshot!(why_not(|f| file(f, "#!/bin/sh\n", 0o644)).await, @"126 `FOLDER/file` is not executable by the container's user");
    insta::assert_snapshot!(why_not(|f| file(f, "hello", 0o755)).await, @"126 `FOLDER/file` is not a program for this machine, nor a script with a `#!` line");
    insta::assert_snapshot!(why_not(|_| command(&["/usr"])).await, @"126 `/usr` is a folder, not a program");
    insta::assert_snapshot!(why_not(|_| command(&["sh", "-c", &"x".repeat(1 << 20)])).await, @"126 the arguments and the environment of `sh` are longer than the system allows");
    let lost = |_: &Path| Go {
        cwd: Some("/no/such".into()),
        ..command(&["true"])
    };
    insta::assert_snapshot!(why_not(lost).await, @"126 the working directory `/no/such` does not exist in the image");
    insta::assert_snapshot!(why_not(|_| Go::default()).await, @"125 no command was given");
}

#[tokio::test]
async fn every_line_of_a_flood_arrives_once_and_in_order() {
    let mut gate = Gate::start("step");
    let client = gate.client().await;
    let mut follower = Follower::new(gate.folder.path());
    let text = "awk 'BEGIN { for (i = 0; i < 100000; i++) printf \"%79d\\n\", i }'\n";
    client.go(script(gate.folder.path(), text)).await.unwrap();
    let status = follower.finish(&client).await;
    assert!(status.is_success());
    let mut expected = 0;
    for record in protocol::record::records(&follower.records) {
        assert_eq!(record.unwrap().bytes, format!("{expected:>79}").as_bytes());
        expected += 1;
    }
    assert_eq!(expected, 100_000);
    gate.wait();
}

#[tokio::test]
async fn many_small_writes_to_both_streams_lose_nothing() {
    let text = "i=0; while [ $i -lt 5000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; printf end\n";
    let (gate, status) = run(|folder| script(folder, text)).await;
    assert!(status.is_success());
    let expected = |mark: &str| (0..5000).map(|n| format!("{mark}{n}\n")).collect::<String>();
    assert!(gate.printed() == (expected("o") + "end", expected("e")));
}

#[tokio::test]
async fn a_background_process_does_not_hold_the_step() {
    let (gate, status) = run(|folder| script(folder, "sleep 1000 & yes & echo over\n")).await;
    assert!(status.is_success());
    assert!(gate.printed().0.contains("over\n"));
}

#[tokio::test]
async fn a_filter_that_outlives_the_shell_passes_on_all_it_was_given() {
    // Each ends with a shell that is gone before what it writes through is done.
    let filters = [
        "exec > >(tee copy) 2>&1",
        "exec > >(sed s/x/y/ | tee copy) 2> >(tee errors >&2)",
        "exec > >(while read line; do echo \"$line\"; done)",
        "exec > >(sort -k2n)",
        "mkfifo pipe; tee copy < pipe & exec > pipe",
        "sleep 1000 & exec > >(tee copy)",
    ];
    for filter in filters {
        let text = format!("{filter}\nfor n in {{1..2000}}; do echo line $n; done; exit 3\n");
        let (gate, status) = run(|folder| Go {
            cwd: Some(folder.to_str().unwrap().to_owned()),
            ..command(&["bash", "-c", &text])
        })
        .await;
        assert_eq!((status.exit_code, &status.error), (Some(3), &None), "{filter}");
        let expected: String = (1..=2000).map(|n| format!("line {n}\n")).collect();
        assert!(
            gate.printed().0 == expected,
            "{filter}: {} bytes",
            gate.printed().0.len()
        );
    }
}

#[tokio::test]
async fn the_wait_for_a_filter_ends_when_the_step_is_to_stop() {
    let mut gate = Gate::start("step");
    let client = gate.client().await;
    let mut follower = Follower::new(gate.folder.path());
    let text = "exec > >(echo begun; cat > rest; while :; do :; done); echo x; exit 4";
    let go = Go {
        cwd: Some(gate.folder.path().to_str().unwrap().to_owned()),
        ..command(&["bash", "-c", text])
    };
    client.go(go).await.unwrap();
    assert!(follower.next().await, "the filter runs");
    while !gate.folder.path().join("rest").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.signal(15).await.unwrap();
    let status = follower.finish(&client).await;
    assert!(matches!(
        (status.exit_code, status.signal),
        (Some(4), None) | (None, Some(15))
    ));
    gate.wait();
}

#[tokio::test]
async fn a_log_over_its_limit_keeps_its_beginning_and_its_end() {
    let text = "i=0; while [ $i -lt 3000 ]; do echo \"line $i of many\"; i=$((i+1)); done; echo the end; exit 5\n";
    let (gate, status) = run(|folder| Go {
        log_limit: 16 * 1024,
        ..script(folder, text)
    })
    .await;
    assert_eq!(status.exit_code, Some(5), "it went on");
    let log = gate.printed().0;
    assert!(
        log.starts_with("line 0 of many\n") && log.ends_with("line 2999 of many\nthe end\n"),
        "{log}"
    );
    let said = ["the limit of this log is 16 KiB", "of output are missing here\n"];
    assert!(said.iter().all(|said| log.contains(said)), "{log}");
    let len = fs::metadata(gate.folder.path().join("log")).unwrap().len();
    assert!(len < 16 * 1024 + 500, "{len}");
}

#[tokio::test]
async fn the_end_of_a_full_log_can_be_had_while_the_child_runs() {
    let mut gate = Gate::start("service");
    let client = gate.client().await;
    let text =
        "i=0; while [ $i -lt 3000 ]; do echo \"line $i of many\"; i=$((i+1)); done; echo up; echo > up; sleep 1000\n";
    let go = Go {
        log_limit: 16 * 1024,
        cwd: Some(gate.folder.path().to_str().unwrap().to_owned()),
        ..script(gate.folder.path(), text)
    };
    client.go(go).await.unwrap();
    while !gate.folder.path().join("up").exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client.end_log().await.unwrap();
    let log = gate.printed().0;
    assert!(log.contains("missing here") && log.ends_with("many\nup\n"), "{log}");
    client.kill().await.unwrap();
    gate.wait();
}

#[tokio::test]
async fn the_last_words_of_a_process_that_crashes_are_kept() {
    let (gate, status) = run(|folder| script(folder, "head -c 200000 /dev/zero | tr '\\0' x; kill -SEGV $$\n")).await;
    assert_eq!((status.signal, status.code()), (Some(11), 139));
    assert_eq!(gate.printed().0.len(), 200_000);
}

#[tokio::test]
async fn signals_reach_the_whole_group_and_sigterm_becomes_the_stop_signal() {
    let mut gate = Gate::start("service");
    let client = gate.client().await;
    let text =
        "trap 'echo asked; exit 3' INT; trap 'echo usr' USR1; echo up; while :; do sleep 1000 & wait || :; done\n";
    let go = Go {
        stop_signal: 2,
        ..script(gate.folder.path(), text)
    };
    let mut follower = Follower::new(gate.folder.path());
    client.go(go).await.unwrap();
    assert!(follower.next().await, "it is up");
    client.signal(10).await.unwrap();
    assert!(follower.next().await, "it has heard");
    rustix::process::kill_process(pid(&gate), rustix::process::Signal::TERM).unwrap();
    let status = follower.finish(&client).await;
    assert_eq!(status.exit_code, Some(3));
    assert_eq!(gate.printed().0, "up\nusr\nasked\n");
    gate.wait();
}

fn pid(gate: &Gate) -> rustix::process::Pid {
    rustix::process::Pid::from_child(&gate.process)
}

#[tokio::test]
async fn kill_and_quit_mean_what_they_say() {
    let mut gate = Gate::start("step");
    let client = gate.client().await;
    client.go(command(&["sleep", "1000"])).await.unwrap();
    client.started().await.unwrap();
    client.quit().await.unwrap();
    client.kill().await.unwrap();
    assert_eq!(end_of(&client).await.signal, Some(9));
    assert_eq!(gate.wait(), 137);

    let mut idle = Gate::start("step");
    let client = idle.client().await;
    client.quit().await.unwrap();
    assert_eq!(idle.wait(), 0);
    until_lost(&client).await;
    assert!(matches!(client.exited().await, Err(GateError::Gone)));

    let mut idle = Gate::start("step");
    idle.client().await.kill().await.unwrap();
    assert_eq!(idle.wait(), 137);
}

#[tokio::test]
async fn an_agent_that_vanishes_and_one_that_comes_late_change_nothing() {
    let mut gate = Gate::start("step");
    let first = gate.client().await;
    let go = script(
        gate.folder.path(),
        "head -c 3000000 /dev/zero | tr '\\0' x; read line < go; echo; echo $line\n",
    );
    let go = Go {
        cwd: Some(gate.folder.path().to_str().unwrap().to_owned()),
        ..go
    };
    rustix::fs::mkfifoat(rustix::fs::CWD, gate.folder.path().join("go"), 0o600.into()).unwrap();
    first.go(go.clone()).await.unwrap();
    first.started().await.unwrap();
    drop(first);
    let second = gate.client().await;
    assert_eq!(second.state().borrow().phase, GatePhase::Running);
    assert!(second.started().await.is_ok());
    second.go(go).await.unwrap();
    fs::write(gate.folder.path().join("go"), "on we go\n").unwrap();
    assert!(end_of(&second).await.is_success());
    gate.wait();
    let (out, _) = gate.printed();
    assert_eq!(out.len(), 3_000_000 + "\non we go\n".len(), "it ran once, and whole");
}

#[tokio::test]
async fn a_gate_that_is_killed_is_lost_and_not_waited_for() {
    let mut gate = Gate::start("step");
    let client = gate.client().await;
    client
        .go(script(gate.folder.path(), "echo before; exec sleep 1000\n"))
        .await
        .unwrap();
    client.started().await.unwrap();
    gate.process.kill().unwrap();
    gate.process.wait().unwrap();
    until_lost(&client).await;
    let again = GateClient::connect(gate.folder.path(), PATIENCE).await.unwrap();
    assert_eq!(again.state().borrow().phase, GatePhase::Lost);
    assert_eq!(read_status(gate.folder.path()), None);
}

#[tokio::test]
async fn a_gate_that_never_comes_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(1);
    let outcome = GateClient::connect(folder.path(), patience).await;
    assert!(matches!(outcome, Err(GateError::Timeout { waited, .. }) if waited == patience));
}

#[tokio::test]
async fn a_full_disk_stops_the_child_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // The limit on the size of files stands for the disk: it can be lifted from outside.
    let limited = format!(
        "ulimit -S -f 64; exec {} step --folder {}",
        crate::gates::program().display(),
        folder.path().display()
    );
    let process = std::process::Command::new("sh").args(["-c", &limited]).spawn().unwrap();
    let mut gate = Gate { folder, process };
    let client = gate.client().await;
    let text = "awk 'BEGIN { for (i = 0; i < 20000; i++) printf \"%79d\\n\", i }'\n";
    client.go(script(gate.folder.path(), text)).await.unwrap();
    let log = gate.folder.path().join("log");
    while fs::metadata(&log).unwrap().len() < 32 * 1024 {
        tokio::task::yield_now().await;
    }
    let unlimited = rustix::process::Rlimit {
        current: None,
        maximum: None,
    };
    rustix::process::prlimit(Some(pid(&gate)), rustix::process::Resource::Fsize, unlimited).unwrap();
    let status = end_of(&client).await;
    assert!(status.is_success(), "{status:?}");
    gate.wait();
    let expected: String = (0..20_000).map(|n| format!("{n:>79}\n")).collect();
    assert!(gate.printed().0 == expected);
}

#[tokio::test]
async fn orphans_do_not_stay_as_zombies() {
    let text = "i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done; sleep 1000 &
        until [ \"$(ps -o stat= --ppid $PPID | grep -c Z)\" = 0 ]; do :; done; echo none left\n";
    let (gate, status) = run(|folder| script(folder, text)).await;
    assert!(status.is_success());
    assert_eq!(gate.printed().0, "none left\n");
}

#[tokio::test]
async fn a_deep_folder_is_no_obstacle() {
    let parent = tempfile::tempdir().unwrap();
    let deep = parent.path().join("d".repeat(200));
    fs::create_dir(&deep).unwrap();
    let folder = tempfile::tempdir_in(&deep).unwrap();
    let process = std::process::Command::new(crate::gates::program())
        .args(["step", "--folder"])
        .arg(folder.path())
        .spawn();
    let mut gate = Gate {
        folder,
        process: process.unwrap(),
    };
    let client = gate.client().await;
    client.go(command(&["true"])).await.unwrap();
    assert!(end_of(&client).await.is_success());
    gate.wait();
}

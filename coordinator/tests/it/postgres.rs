//! A PostgreSQL server for tests: the one that `DROVER_TEST_POSTGRES` names, else a throw-away cluster that lives as
//! long as this process and leaves nothing behind.

use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The URL of a server where databases may be made, without a database name.
pub fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| match std::env::var("DROVER_TEST_POSTGRES") {
        Ok(url) => url,
        Err(_) => start(),
    })
}

/// The same server with a database name in its URL.
pub fn with_database(name: &str) -> String {
    let (address, options) = server().split_once('?').unwrap_or((server(), ""));
    let base = address.trim_end_matches('/');
    let base = match base.rsplit_once('/') {
        Some((host, _)) if host.contains("://") && !host.ends_with('/') => host,
        _ => base,
    };
    format!("{base}/{name}?{options}")
}

fn start() -> String {
    let Some(binaries) = binaries() else {
        panic!(
            "these tests need a PostgreSQL server: install Debian's package `postgresql`, or name a server where \
             databases may be made in DROVER_TEST_POSTGRES"
        );
    };
    let folder = tempfile::Builder::new()
        .prefix("drover-pg-")
        .tempdir()
        .expect("a temporary folder")
        .keep();
    let owner = unprivileged();
    if let Some((user, group)) = owner {
        chown(&folder, Some(user), Some(group)).expect("give the folder to an unprivileged user");
    }
    remove_at_exit(&folder, &binaries);
    let data = folder.join("data");
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(binaries.join(program));
        command
            .args(arguments)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .env("LC_ALL", "C.UTF-8");
        if let Some((user, group)) = owner {
            command.uid(user).gid(group);
        }
        let output = command
            .stderr(Stdio::inherit())
            .stdout(Stdio::null())
            .status()
            .expect("run it");
        assert!(output.success(), "{program} {arguments:?}");
    };
    let data_text = data.to_str().expect("UTF-8");
    run(
        "initdb",
        &[
            "-D",
            data_text,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--no-instructions",
        ],
    );
    let socket = folder.to_str().expect("UTF-8");
    let options = format!("-F -k {socket} -c listen_addresses='' -c max_connections=200 -c full_page_writes=off");
    run(
        "pg_ctl",
        &[
            "-D",
            data_text,
            "-w",
            "-s",
            "-l",
            &format!("{socket}/log"),
            "-o",
            &options,
            "start",
        ],
    );
    format!("postgres://postgres@localhost/?host={socket}")
}

/// The newest server on this machine.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    found.sort();
    found
        .into_iter()
        .rev()
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`.
fn unprivileged() -> Option<(u32, u32)> {
    let me = Command::new("id").arg("-u").output().expect("id");
    if me.stdout.trim_ascii() != b"0" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let ids = |name: &str| {
        let fields: Vec<&str> = users
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|f| f[0] == name)?;
        Some((fields[2].parse().ok()?, fields[3].parse().ok()?))
    };
    Some(
        ids("postgres")
            .or_else(|| ids("nobody"))
            .expect("a user `postgres` or `nobody`"),
    )
}

/// A shell that outlives this process, whatever way it ends: its standard input closes, it stops the server and
/// removes the folder.
#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn remove_at_exit(folder: &Path, binaries: &Path) {
    let script = "cat; kill -INT \"$(head -n 1 \"$1/data/postmaster.pid\")\"; \
                  while kill -0 \"$(head -n 1 \"$1/data/postmaster.pid\")\"; do sleep 0.1; done; rm -rf \"$1\"";
    let mut reaper = Command::new("sh")
        .args(["-c", script, "sh"])
        .args([folder, binaries])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("start a shell");
    let mut stdin = reaper.stdin.take().expect("it is piped");
    stdin.flush().expect("it is open");
    // Open until the process ends.
    std::mem::forget(stdin);
}

//! A throw-away PostgreSQL cluster for the tests: on a free loopback port, run by an unprivileged user, without any
//! waiting for the disk; stopped and deleted when we are.

use crate::keeper::Keeper;
use crate::{process, say};
use anyhow::Context;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The running cluster.
pub struct Cluster {
    port: u16,
    _server: Keeper,
}

/// The folder of the newest server's programs, if there is one.
pub fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    versions
        .map(|entry| entry.path())
        .filter(|folder| folder.join("bin/initdb").exists() && folder.join("bin/postgres").exists())
        .max_by_key(number)
        .map(|folder| folder.join("bin"))
        .or_else(|| {
            process::find("initdb")?
                .canonicalize()
                .ok()?
                .parent()
                .map(Path::to_owned)
        })
}

impl Cluster {
    /// Makes and starts it.
    ///
    /// # Errors
    /// When the programs are missing or the server does not answer in 30 s.
    pub fn start() -> anyhow::Result<Cluster> {
        let begin = Instant::now();
        let programs = programs().context("find the PostgreSQL server")?;
        let folder = tempfile::Builder::new().prefix("drover-postgres-").tempdir()?.keep();
        let user = unprivileged(&folder)?;
        let data = folder.join("data");
        let mut initdb = user.command(&programs.join("initdb"));
        initdb.args([
            "--no-sync",
            "--auth=trust",
            "--username=drover",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "-D",
        ]);
        process::output(initdb.arg(&data)).context("make a PostgreSQL cluster")?;
        let port = free_port()?;
        let mut server = user.command(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=300",
        ] {
            server.args(["-c", setting]);
        }
        server
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.display()));
        let log = process::scratch()?.join("postgres.log");
        let server = Keeper::start(&folder, &log, "INT", &server)?;
        server.wait_until(Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let took = say::duration(begin.elapsed());
        say::line(format_args!(
            "started a throw-away PostgreSQL cluster on port {port} ({took})"
        ));
        Ok(Cluster { port, _server: server })
    }

    /// Where it is: the user is a superuser, so that each test can make its own database.
    pub fn url(&self) -> String {
        format!("postgres://drover@127.0.0.1:{}/postgres", self.port)
    }
}

/// Who runs the server: PostgreSQL refuses root.
enum User {
    Ourselves,
    Postgres,
}

impl User {
    fn command(&self, program: &Path) -> Command {
        match self {
            User::Ourselves => Command::new(program),
            User::Postgres => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]);
                command.arg(program);
                command
            }
        }
    }
}

/// Root gives the folder to the user that Debian's package made.
fn unprivileged(folder: &Path) -> anyhow::Result<User> {
    if !process::is_root() {
        return Ok(User::Ourselves);
    }
    process::run(Command::new("chown").arg("postgres:postgres").arg(folder))?;
    Ok(User::Postgres)
}

/// A loopback port that was free a moment ago.
///
/// # Errors
/// When there is none.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("read the port")?.port())
}

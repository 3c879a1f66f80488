//! Ways out of a job's network: the machine, what is only next to it, and the rest of the world.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use agent::engine::{Firewall, LocalAccess, Policy, firewall};
use job_specs::model::StepSpec;
use sha2::{Digest, Sha256};

use super::{Victim, fork, run};
use crate::stage::{Stage, job, service, step};

/// A network namespace of the test's own: the world outside, reached by a route of this machine.
struct Outside {
    name: String,
    /// An address like any on the internet.
    address: String,
    /// One that only neighbours have.
    link_local: String,
    server: std::process::Child,
}

/// With this variable the test binary is the server of an [`Outside`].
const OUTSIDE: &str = "DROVER_TEST_IS_OUTSIDE";

/// Not a test of its own: what an [`Outside`] starts in its network namespace.
#[test]
fn the_outside() {
    if std::env::var_os(OUTSIDE).is_some() {
        let listener = TcpListener::bind("0.0.0.0:80").unwrap();
        for stream in listener.incoming() {
            stream.unwrap().write_all(b"outside\n").unwrap();
        }
    }
}

impl Outside {
    fn new() -> Outside {
        let unique = uuid::Uuid::now_v7().simple().to_string();
        let tail = &unique[unique.len() - 6..];
        let name = format!("drt{tail}");
        let number = u32::from_str_radix(tail, 16).unwrap();
        let (a, b) = (number % 200 + 20, number / 200 % 60 * 4);
        let (near, address, link_local) = (
            format!("198.18.{a}.{}", b + 1),
            format!("198.18.{a}.{}", b + 2),
            format!("169.254.{a}.{}", b + 2),
        );
        let inside = ["netns", "exec", &name, "ip"];
        ip(&["netns", "add", &name]);
        ip(&[
            "link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &name,
        ]);
        ip(&["addr", "add", &format!("{near}/30"), "dev", &name]);
        ip(&["link", "set", &name, "up"]);
        ip(&["route", "add", &format!("{link_local}/32"), "dev", &name]);
        for words in [
            vec!["addr", "add", &format!("{address}/30"), "dev", "eth0"],
            vec!["addr", "add", &format!("{link_local}/32"), "dev", "eth0"],
            vec!["link", "set", "eth0", "up"],
            vec!["link", "set", "lo", "up"],
            vec!["route", "add", "default", "via", &near],
        ] {
            ip(&[&inside[..], &words].concat());
        }
        let server = Command::new("ip")
            .args(["netns", "exec", &name])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "attacks::network::the_outside"])
            .env(OUTSIDE, "")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Outside {
            name,
            address,
            link_local,
            server,
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
        let _ = Command::new("ip").args(["link", "del", &self.name]).output();
    }
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {done:?}");
}

/// The rules of an agent; a test that fails leaves none behind.
struct Rules {
    chain: String,
    bridges: String,
}

impl Rules {
    fn of(agent: &str) -> Rules {
        let digits = hex::encode(Sha256::digest(agent));
        Rules {
            chain: format!("DROVER-{}", &digits[..6]),
            bridges: format!("dr{}-+", &digits[..6]),
        }
    }

    fn stand(&self) -> bool {
        let listed = Command::new("iptables").args(["-w", "-S"]).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).contains(&self.chain)
    }
}

impl Drop for Rules {
    fn drop(&mut self) {
        if !self.stand() {
            return;
        }
        let (input, forward) = (format!("{}-IN", self.chain), format!("{}-FWD", self.chain));
        for program in ["iptables", "ip6tables"] {
            for (from, to) in [("INPUT", &input), ("DOCKER-USER", &forward), ("FORWARD", &forward)] {
                let words = ["-w", "-D", from, "-i", &self.bridges, "-j", to];
                let _ = Command::new(program).args(words).output();
            }
            for chain in [&input, &forward] {
                let _ = Command::new(program).args(["-w", "-F", chain]).output();
                let _ = Command::new(program).args(["-w", "-X", chain]).output();
            }
        }
    }
}

fn asks(address: &str, port: u16) -> StepSpec {
    StepSpec {
        allow_failure: true,
        ..step(&format!("echo hello | nc -w 3 {address} {port} 2>/dev/null || echo no"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_reaches_the_world_and_its_services_but_not_the_machine() {
    let policy = |open: &[&str]| Policy {
        firewall: Firewall::Required,
        local: LocalAccess::Only(open.iter().map(|place| place.parse().unwrap()).collect()),
        ..Policy::default()
    };
    let outside = Outside::new();
    let victim = Victim::listen("0.0.0.0");
    let open = Victim::listen("0.0.0.0");
    let (bridge, own) = (address_of("docker0"), own_address());
    let stage = Stage::under(0, policy(&[&format!("{own}:{}", open.port)])).await;
    let rules_of = Rules::of(&stage.context.engine.config().agent);
    stage.context.engine.raise_firewall().await;
    assert_eq!(stage.context.engine.firewall(), firewall::FirewallState::Set);
    let gateway = "$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p')";
    let mut spec = job(vec![
        asks(&bridge, victim.port),
        asks(gateway, victim.port),
        asks(&own, victim.port),
        asks(&outside.link_local, 80),
        asks(&outside.address, 80),
        step("nc -w 3 web 80"),
        asks(&own, open.port),
    ]);
    let mut web = service("web", "busybox");
    web.command = Some(
        ["nc", "-ll", "-p", "80", "-e", "echo", "web"]
            .map(String::from)
            .to_vec(),
    );
    web.expose = vec![80];
    spec.services = vec![web];
    let story = run(&stage, fork(&stage, "app", spec)).await;
    assert_eq!(story.message(), "Passed");
    assert_eq!(victim.visits(), 0);
    let said: Vec<Vec<&str>> = (0..6).map(|step| story.step(step)).collect();
    assert_eq!(said, [["no"], ["no"], ["no"], ["no"], ["outside"], ["web"]]);
    assert_eq!(open.visits(), 1, "what the machine's owner opens is open");

    assert!(rules_of.stand());
    stage.context.pool.stop().await;
    stage.context.engine.lower_firewall().await;
    assert!(!rules_of.stand());
    stage.close().await;
}

/// An address of this machine towards the world.
fn own_address() -> String {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").unwrap();
    socket.local_addr().unwrap().ip().to_string()
}

/// The address of one of this machine's interfaces.
fn address_of(interface: &str) -> String {
    let message = Command::new("ip")
        .args(["-4", "-o", "addr", "show", interface])
        .output()
        .unwrap();
    let message = String::from_utf8(message.stdout).unwrap();
    let address = message.split_whitespace().skip_while(|word| *word != "inet").nth(1);
    address
        .and_then(|address| address.split('/').next())
        .unwrap()
        .to_owned()
}

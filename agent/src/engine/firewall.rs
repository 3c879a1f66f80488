//! Rules in the machine's firewall that keep jobs from the machine's own addresses and from a cloud's metadata: what a
//! job is to reach it reaches by the internet or by its own network. They match the bridges of this agent's networks by
//! the beginning of their names, so they are set once, whatever the number of networks, and cost a job nothing.
//!
//! The rules stand in chains of this agent's own; of others' chains only two are touched, by one jump each. They are
//! looked at every minute, because other programs set rules too.

use std::io;
use std::net::IpAddr;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::connect::Engine;
use super::local::METADATA;
use super::policy::{Firewall, LocalAccess};
use crate::lock::lock;

const EVERY: Duration = Duration::from_secs(60);
/// Hexadecimal digits that tell the agents of a machine apart; a bridge's name has 15 characters.
const AGENT_DIGITS: usize = 6;
/// The chain that engines leave to others.
const USERS_CHAIN: &str = "DOCKER-USER";
/// Why rules of ours do not count, for people.
const ELSEWHERE: &str =
    "the agent is not in the network namespace of the engine (run its container with `network_mode: host`)";
/// Addresses that are on no network but this one.
const LINK_LOCAL: [&str; 2] = ["169.254.0.0/16", "fe80::/10"];

/// Whether the rules stand.
#[derive(Debug, Default)]
pub(crate) struct FirewallRules(Mutex<FirewallState>);

/// How the rules stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FirewallState {
    /// Nobody asked for them.
    #[default]
    Off,
    /// They are set.
    Set,
    /// They cannot be set, for this reason.
    Missing(String),
}

/// One of the two firewalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// The rules of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rules {
    /// Six digits of the agent's own.
    agent: String,
    /// What can be reached all the same.
    open: Vec<(IpAddr, Option<u16>)>,
    /// Name servers that the machine itself uses.
    name_servers: Vec<IpAddr>,
}

impl Engine {
    /// Sets the rules if the policy wants them, and sees to it that they stay.
    pub async fn raise_firewall(&self) {
        let policy = &self.inner.config.policy;
        let LocalAccess::Only(_) = &policy.local else { return };
        if policy.firewall == Firewall::Off {
            return;
        }
        self.set_rules().await;
        let engine = self.clone();
        self.spawn(async move {
            let stop = engine.stopping();
            let keep = async {
                loop {
                    tokio::time::sleep(EVERY).await;
                    engine.set_rules().await;
                }
            };
            stop.run_until_cancelled(keep).await;
        });
    }

    /// Takes the rules away when nothing of this agent is left that they are for.
    pub async fn lower_firewall(&self) {
        if self.firewall() != FirewallState::Set || bridges(&agent_digits(&self.inner.config.agent)) {
            return;
        }
        let rules = self.rules().await;
        for family in [Family::V4, Family::V6] {
            if let Err(error) = rules.remove(family).await {
                tracing::debug!(?family, %error, "the rules of the firewall cannot be removed");
            }
        }
    }

    /// How the rules stand.
    pub fn firewall(&self) -> FirewallState {
        self.inner.firewall.get()
    }

    /// The name of a new network's bridge, when the rules are to find it.
    pub(crate) fn bridge_name(&self) -> Option<String> {
        if self.firewall() == FirewallState::Off {
            return None;
        }
        let random = uuid::Uuid::now_v7().simple().to_string();
        let random = &random[random.len() - AGENT_DIGITS..]; // the part without the time
        Some(format!(
            "{}{}",
            bridge_prefix(&agent_digits(&self.inner.config.agent)),
            random
        ))
    }

    /// A network was made: where its bridge is not to be seen the rules do not count. Each network tells anew.
    pub(crate) fn look_for_bridge(&self, bridge: &str) {
        let is_here = std::fs::symlink_metadata(format!("/sys/class/net/{bridge}")).is_ok();
        match self.firewall() {
            FirewallState::Set if !is_here => self.note_state(FirewallState::Missing(ELSEWHERE.into())),
            // they stand all the time
            FirewallState::Missing(why) if is_here && why == ELSEWHERE => self.note_state(FirewallState::Set),
            _ => {}
        }
    }

    async fn set_rules(&self) {
        let elsewhere = FirewallState::Missing(ELSEWHERE.into());
        let rules = self.rules().await;
        let state = match rules.set(Family::V4).await {
            Ok(()) if self.firewall() == elsewhere => elsewhere,
            Ok(()) => FirewallState::Set,
            Err(error) => FirewallState::Missing(error.to_string()),
        };
        if has_ipv6()
            && let Err(error) = rules.set(Family::V6).await
        {
            tracing::debug!(%error, "the firewall has no rules for IPv6; networks of jobs have none either");
        }
        self.note_state(state);
    }

    fn note_state(&self, state: FirewallState) {
        let before = self.inner.firewall.replace(state.clone());
        if before == state {
            return;
        }
        match state {
            FirewallState::Set => tracing::info!("the firewall keeps jobs from this machine's own addresses"),
            FirewallState::Off => {}
            FirewallState::Missing(why) => tracing::warn!(
                why,
                "jobs can reach this machine's own addresses and a cloud's metadata: the firewall has no rules for them"
            ),
        }
    }

    async fn rules(&self) -> Rules {
        let mut open = Vec::new();
        if let LocalAccess::Only(addresses) = &self.inner.config.policy.local {
            for address in addresses {
                let found = tokio::net::lookup_host((address.host.as_str(), address.port.unwrap_or(0))).await;
                open.extend(found.into_iter().flatten().map(|found| (found.ip(), address.port)));
            }
        }
        open.retain(|(address, _)| !address.is_loopback());
        open.sort_unstable();
        open.dedup();
        Rules {
            agent: agent_digits(&self.inner.config.agent),
            open,
            name_servers: name_servers(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()),
        }
    }
}

impl FirewallRules {
    fn get(&self) -> FirewallState {
        lock(&self.0).clone()
    }

    fn replace(&self, state: FirewallState) -> FirewallState {
        std::mem::replace(&mut *lock(&self.0), state)
    }
}

/// Whether somebody with the rights of this process could set rules.
///
/// # Errors
/// Why not.
pub async fn look() -> Result<(), String> {
    let listed = run(Family::V4, "", &["-w", "-S", "INPUT"], None).await;
    listed.map_err(|error| error.to_string())
}

impl Rules {
    fn input(&self) -> String {
        format!("DROVER-{}-IN", self.agent)
    }

    fn forward(&self) -> String {
        format!("DROVER-{}-FWD", self.agent)
    }

    /// Writes both chains whole, and jumps to them from where packets come by.
    async fn set(&self, family: Family) -> io::Result<()> {
        run(family, "-restore", &["-w", "--noflush"], Some(&self.text(family))).await?;
        let bridges = format!("{}+", bridge_prefix(&self.agent));
        let users = run(family, "", &["-w", "-S", USERS_CHAIN], None).await.is_ok();
        let from = if users { USERS_CHAIN } else { "FORWARD" };
        for (chain, to) in [("INPUT", self.input()), (from, self.forward())] {
            let jump = ["-i", &bridges, "-j", &to];
            let is_there = run(family, "", &[&["-w", "-C", chain], &jump[..]].concat(), None).await;
            if is_there.is_err() {
                run(family, "", &[&["-w", "-I", chain, "1"], &jump[..]].concat(), None).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, family: Family) -> io::Result<()> {
        let bridges = format!("{}+", bridge_prefix(&self.agent));
        for (chain, to) in [
            ("INPUT", self.input()),
            (USERS_CHAIN, self.forward()),
            ("FORWARD", self.forward()),
        ] {
            let _ = run(family, "", &["-w", "-D", chain, "-i", &bridges, "-j", &to], None).await; // one is not there
        }
        for chain in [self.input(), self.forward()] {
            run(family, "", &["-w", "-F", &chain], None).await?;
            run(family, "", &["-w", "-X", &chain], None).await?;
        }
        Ok(())
    }

    /// Both chains, as `iptables-restore` reads them.
    fn text(&self, family: Family) -> String {
        let (input, forward) = (self.input(), self.forward());
        let mut lines = vec![
            "*filter".to_owned(),
            format!(":{input} - [0:0]"),
            format!(":{forward} - [0:0]"),
        ];
        for chain in [&input, &forward] {
            lines.push(format!(
                "-A {chain} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN"
            ));
            for server in self.name_servers.iter().filter(|server| family.has(server)) {
                for protocol in ["udp", "tcp"] {
                    lines.push(format!("-A {chain} -d {server} -p {protocol} --dport 53 -j RETURN"));
                }
            }
            for (address, port) in self.open.iter().filter(|(address, _)| family.has(address)) {
                // the address that was asked for, also when the engine sends it on to a container
                let port = port.map_or(String::new(), |port| {
                    format!(" -p tcp -m conntrack --ctorigdstport {port}")
                });
                lines.push(format!("-A {chain}{port} -m conntrack --ctorigdst {address} -j RETURN"));
            }
        }
        if family == Family::V6 {
            lines.push(format!("-A {input} -p ipv6-icmp -j RETURN")); // finding neighbours
        }
        lines.push(format!("-A {input} -p tcp -j REJECT --reject-with tcp-reset"));
        lines.push(format!("-A {input} -j REJECT"));
        let far = LINK_LOCAL
            .iter()
            .chain(&METADATA)
            .filter(|far| far.contains(':') == (family == Family::V6));
        lines.extend(far.map(|far| format!("-A {forward} -d {far} -j REJECT")));
        // a published port of this machine
        lines.push(format!("-A {forward} -m conntrack --ctstate DNAT -j REJECT"));
        lines.push("COMMIT\n".to_owned());
        lines.join("\n")
    }
}

impl Family {
    fn program(self) -> &'static str {
        match self {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        }
    }

    fn has(self, address: &IpAddr) -> bool {
        address.is_ipv6() == (self == Family::V6)
    }
}

async fn run(family: Family, suffix: &str, arguments: &[&str], input: Option<&str>) -> io::Result<()> {
    let program = format!("{}{suffix}", family.program());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut child = Command::new(&program)
        .args(arguments)
        .env("PATH", format!("{path}:/usr/sbin:/sbin"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{program} does not run: {error}")))?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        stdin.write_all(input.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or_default();
    Err(io::Error::other(format!("{program}: {said}")))
}

fn agent_digits(agent: &str) -> String {
    let mut digits = hex::encode(Sha256::digest(agent));
    digits.truncate(AGENT_DIGITS);
    digits
}

fn bridge_prefix(agent: &str) -> String {
    format!("dr{agent}-")
}

/// There is a bridge of that agent.
fn bridges(agent: &str) -> bool {
    let prefix = bridge_prefix(agent);
    let mut all = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    all.any(|one| one.file_name().to_string_lossy().starts_with(&prefix))
}

fn has_ipv6() -> bool {
    std::fs::metadata("/proc/net/if_inet6").is_ok()
}

fn name_servers(resolv_conf: &str) -> Vec<IpAddr> {
    let lines = resolv_conf.lines().map(str::trim);
    let named = lines.filter_map(|line| line.strip_prefix("nameserver"));
    let addresses = named.filter_map(|rest| rest.trim().parse::<IpAddr>().ok());
    addresses.filter(|address| !address.is_loopback()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_let_through_names_replies_and_what_is_open_and_nothing_else_of_the_machine() {
        let rules = Rules {
            agent: "0a1b2c".into(),
            open: vec![
                ("10.1.1.1".parse().unwrap(), Some(3128)),
                ("10.1.1.2".parse().unwrap(), None),
            ],
            name_servers: name_servers("# x\nnameserver 10.9.9.9\nnameserver 127.0.0.53\nsearch x\nnameserver ::2\n"),
        };
        insta::assert_snapshot!(rules.text(Family::V4), @r"
        *filter
        :DROVER-0a1b2c-IN - [0:0]
        :DROVER-0a1b2c-FWD - [0:0]
        -A DROVER-0a1b2c-IN -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
        -A DROVER-0a1b2c-IN -d 10.9.9.9 -p udp --dport 53 -j RETURN
        -A DROVER-0a1b2c-IN -d 10.9.9.9 -p tcp --dport 53 -j RETURN
        -A DROVER-0a1b2c-IN -p tcp -m conntrack --ctorigdstport 3128 -m conntrack --ctorigdst 10.1.1.1 -j RETURN
        -A DROVER-0a1b2c-IN -m conntrack --ctorigdst 10.1.1.2 -j RETURN
        -A DROVER-0a1b2c-FWD -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
        -A DROVER-0a1b2c-FWD -d 10.9.9.9 -p udp --dport 53 -j RETURN
        -A DROVER-0a1b2c-FWD -d 10.9.9.9 -p tcp --dport 53 -j RETURN
        -A DROVER-0a1b2c-FWD -p tcp -m conntrack --ctorigdstport 3128 -m conntrack --ctorigdst 10.1.1.1 -j RETURN
        -A DROVER-0a1b2c-FWD -m conntrack --ctorigdst 10.1.1.2 -j RETURN
        -A DROVER-0a1b2c-IN -p tcp -j REJECT --reject-with tcp-reset
        -A DROVER-0a1b2c-IN -j REJECT
        -A DROVER-0a1b2c-FWD -d 169.254.0.0/16 -j REJECT
        -A DROVER-0a1b2c-FWD -d 100.100.100.200 -j REJECT
        -A DROVER-0a1b2c-FWD -d 168.63.129.16 -j REJECT
        -A DROVER-0a1b2c-FWD -d 192.0.0.192 -j REJECT
        -A DROVER-0a1b2c-FWD -m conntrack --ctstate DNAT -j REJECT
        COMMIT
        ");
        let v6 = rules.text(Family::V6);
        assert!(
            v6.contains("-d ::2 ") && v6.contains("-d fe80::/10 ") && !v6.contains("10."),
            "{v6}"
        );
        assert_eq!(
            bridge_prefix("0a1b2c").len() + AGENT_DIGITS,
            15,
            "what the kernel takes"
        );
    }
}

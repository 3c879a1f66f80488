//! What a job may not do although its file says so: because its code is not trusted, or because the machine has no more.
//! Pure; whoever asks for it says it.

use job_specs::model::{JobSpec, ServiceSpec};

use crate::attempt::AttemptInput;
use crate::engine::firewall::FirewallState;
use crate::engine::{Firewall, Limits};

/// Capabilities that every container has, less those that we take away: a service may name them.
const USUAL: [&str; 12] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Why the job is not run, in a sentence; whose fault it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The job asks for what its code is not trusted with.
    Job(String),
    /// This agent cannot keep it in its bounds.
    Agent(String),
}

/// Why the job is not run here.
pub fn refusal(input: &AttemptInput, firewall: Firewall, state: &FirewallState) -> Option<Refusal> {
    if input.trusted {
        return None;
    }
    if let (Firewall::Required, FirewallState::Missing(why)) = (firewall, state) {
        return Some(Refusal::Agent(format!(
            "this agent runs no code that is not trusted, because it cannot keep jobs from its machine's own addresses: {why}"
        )));
    }
    input.spec.services.iter().find_map(of_service).map(Refusal::Job)
}

fn of_service(service: &ServiceSpec) -> Option<String> {
    let name = &service.name;
    let strong: Vec<&str> = service
        .cap_add
        .iter()
        .map(String::as_str)
        .filter(|cap| !USUAL.contains(cap))
        .collect();
    if !strong.is_empty() {
        return Some(format!(
            "service `{name}` asks for `cap_add: [{}]`, which code that is not trusted (a pull request from a fork) does not \
             get",
            strong.join(", ")
        ));
    }
    service.seccomp.as_ref()?;
    Some(format!(
        "service `{name}` brings a seccomp profile of its own, which code that is not trusted (a pull request from a fork) may \
         not"
    ))
}

/// What the job asks for and does not get, a line each.
pub fn cut(spec: &JobSpec, most: Limits) -> Vec<String> {
    let asked = |what: &str, memory: Option<u64>, pids: Option<u64>| {
        let over = |asked: Option<u64>, most: Option<u64>| asked.zip(most).filter(|(asked, most)| asked > most);
        let memory = over(memory, most.memory_bytes).map(|(asked, most)| {
            let (asked, most) = (job_specs::units::size(asked), job_specs::units::size(most));
            format!("{what} asks for {asked} of memory and gets {most}: a container of this agent has no more")
        });
        let pids = over(pids, most.pids).map(|(asked, most)| {
            format!("{what} asks for {asked} processes and gets {most}: a container of this agent has no more")
        });
        memory.into_iter().chain(pids)
    };
    let job = asked("the job", spec.resources.memory_bytes, spec.resources.pids);
    let services = spec.services.iter().flat_map(|service| {
        let what = format!("service `{}`", service.name);
        asked(&what, service.mem_limit_bytes, service.pids_limit).collect::<Vec<_>>()
    });
    job.chain(services).collect()
}

#[cfg(test)]
mod tests {
    use protocol::ids::AttemptId;

    use super::*;
    use crate::attempt::Code;
    use crate::blobs::{Blobs, Folder};

    fn input(trusted: bool) -> AttemptInput {
        let spec = JobSpec::default();
        let folder = std::path::Path::new("/data");
        AttemptInput {
            attempt: AttemptId("a".into()),
            number: 1,
            repository: "r".into(),
            code: Code::Tree("/src".into()),
            blobs: Blobs::Folder(Folder::new(folder, folder, "r", &spec)),
            spec,
            env: Default::default(),
            secrets: Default::default(),
            trusted,
        }
    }

    #[test]
    fn without_rules_no_code_runs_that_is_not_trusted_where_they_are_required() {
        let missing = FirewallState::Missing("there is no iptables".into());
        let message = refusal(&input(false), Firewall::Required, &missing);
        assert!(matches!(message, Some(Refusal::Agent(why)) if why.contains("no iptables")));
        assert_eq!(refusal(&input(true), Firewall::Required, &missing), None);
        assert_eq!(refusal(&input(false), Firewall::Auto, &missing), None);
        assert_eq!(refusal(&input(false), Firewall::Required, &FirewallState::Set), None);
    }
}

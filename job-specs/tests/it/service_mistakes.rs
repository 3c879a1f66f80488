//! What is said about services that cannot be: one case for each key and each reason.

use crate::service_keys::field;

const CASES: &[(&str, &str)] = &[
    ("build: ../x", "DRV0322 `../x` is outside of the repository"),
    (
        "build: {context: a, dockerfile: ../b/Dockerfile}",
        "DRV0322 the Dockerfile `../b/Dockerfile` is outside of its context `a`",
    ),
    (
        "build: {privileged: true}",
        "DRV0118 `privileged` is refused in `build` of service `s` of job `t`",
    ),
    (
        "build: {additional_contexts: {}}",
        "DRV0117 `additional_contexts` in `build` of service `s` of job `t` is not supported yet",
    ),
    (
        "env_file: none.env",
        "DRV0321 there is no file `none.env` in the repository",
    ),
    ("env_file: /etc/env", "DRV0322 `/etc/env` is a path of the agent's host"),
    ("hostname: \"-x\"", "DRV0123 `-x` is not a host name"),
    ("expose: [web]", "DRV0112 `web` is not a port"),
    ("ports: [\"1:2:3:4\"]", "DRV0112 `1:2:3:4` is not a port"),
    ("ports: [\"80:70000\"]", "DRV0112 `80:70000` is not a port"),
    ("ports: [\"9-3\"]", "DRV0112 `9-3` is not a port"),
    ("volumes: [\"/etc:/x\"]", "DRV0322 `/etc` is a path of the agent's host"),
    ("volumes: [\"~/x:/x\"]", "DRV0322 `~/x` is a path of the agent's host"),
    ("volumes: [\"../x:/x\"]", "DRV0322 `../x` is outside of the repository"),
    ("volumes: [\"a/b:/x\"]", "DRV0123 `a/b` is not a name for a volume"),
    ("volumes: [\"v:x\"]", "DRV0112 nothing can be mounted on `x`"),
    (
        "volumes: [\"v:/.drover\"]",
        "DRV0112 nothing can be mounted on `/.drover`",
    ),
    ("volumes: [\"v:/x:maybe\"]", "DRV0112 `maybe` is not a mode of a volume"),
    (
        "volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]",
        "DRV0118 `/var/run/docker.sock` is refused in `volumes`",
    ),
    (
        "volumes: [{type: bind, source: /etc, target: /x}]",
        "DRV0322 `/etc` is a path of the agent's host",
    ),
    (
        "volumes: [{type: bind, target: /x}]",
        "DRV0113 `volumes` of service `s` of job `t` has no `source`",
    ),
    (
        "volumes: [{type: npipe, source: a, target: /x}]",
        "DRV0112 `npipe` is not allowed for `type`",
    ),
    (
        "volumes: [{source: v, target: /x, volume: {subpath: a}}]",
        "DRV0117 `subpath` in `volumes` of service `s` of job `t` is not supported yet",
    ),
    ("configs: [nope]", "DRV0334 the config `nope` is not defined"),
    (
        "secrets: [a-b]",
        "DRV0123 `a-b` is not a name for a secret of the repository",
    ),
    ("cap_add: [ALL]", "DRV0118 `cap_add` of ALL is refused"),
    (
        "cap_add: [CAP_SYS_ADMIN, SYS_TIME]",
        "DRV0118 `cap_add` of SYS_ADMIN, SYS_TIME is refused",
    ),
    ("cap_add: [NET_ADMN]", "DRV0112 there is no capability `NET_ADMN`"),
    (
        "security_opt: [\"seccomp:unconfined\"]",
        "DRV0118 `seccomp:unconfined` is refused in `security_opt`",
    ),
    (
        "security_opt: [\"apparmor:unconfined\"]",
        "DRV0118 `apparmor:unconfined` is refused in `security_opt`",
    ),
    (
        "security_opt: [\"no-new-privileges:false\"]",
        "DRV0118 `no-new-privileges:false` is refused in `security_opt`",
    ),
    (
        "security_opt: [\"seccomp=not.json\"]",
        "DRV0112 `not.json` is not a seccomp profile",
    ),
    (
        "security_opt: [\"seccomp=open.json\"]",
        "DRV0118 the seccomp profile `open.json` is refused: its `defaultAction` is `SCMP_ACT_ALLOW`: what it does not \
         name would be allowed",
    ),
    (
        "security_opt: [\"seccomp=mount.json\"]",
        "DRV0118 the seccomp profile `mount.json` is refused: it says `SCMP_ACT_ALLOW` to `mount`, which the engine's \
         own profile does not allow so",
    ),
    ("working_dir: srv", "DRV0112 `srv` is not a path inside the container"),
    (
        "labels: {drover.job: x}",
        "DRV0123 the label `drover.job` is set by Drover itself",
    ),
    ("scale: 31", "DRV0112 `scale` is from 0 to 30, found 31"),
    ("stop_signal: SIGNOPE", "DRV0112 `SIGNOPE` is not a signal"),
    ("ulimits: {nofiles: 1}", "DRV0112 there is no limit `nofiles`"),
    (
        "ulimits: {nofile: {soft: 2, hard: 1}}",
        "DRV0112 the soft limit of `nofile` is above the hard one",
    ),
    ("ulimits: {nofile: {soft: 2}}", "DRV0113 `nofile` has no `hard`"),
    (
        "deploy: {resources: {limits: {memory: 64M}}}, mem_limit: 65m",
        "DRV0112 `deploy.resources.limits.memory` and `mem_limit` of one service differ",
    ),
    ("shm_size: big", "DRV0125 `big` is not a size"),
    (
        "sysctls: {vm.max_map_count: 1}",
        "DRV0118 the kernel setting `vm.max_map_count` is refused",
    ),
    ("extra_hosts: [a]", "DRV0112 `a` has no address"),
    (
        "extra_hosts: [a=b]",
        "DRV0112 `a` with `b` is not a host and its address",
    ),
    ("dns: here", "DRV0112 `here` is not an address"),
    ("platform: \"linux/\"", "DRV0112 `linux/` is not a platform"),
    (
        "pull_policy: sometimes",
        "DRV0112 `sometimes` is not allowed for `pull_policy`",
    ),
    ("restart: sometimes", "DRV0112 `sometimes` is not allowed for `restart`"),
    (
        "depends_on: [nope]",
        "DRV0120 service `s` depends on `nope`, which does not exist",
    ),
    (
        "privileged: true",
        "DRV0118 `privileged` is refused in service `s` of job `t`",
    ),
    (
        "network_mode: host",
        "DRV0118 `network_mode` is refused in service `s` of job `t`",
    ),
    ("pid: host", "DRV0118 `pid` is refused in service `s` of job `t`"),
    ("ipc: host", "DRV0118 `ipc` is refused in service `s` of job `t`"),
    (
        "devices: [/dev/kvm]",
        "DRV0118 `devices` is refused in service `s` of job `t`",
    ),
    (
        "container_name: x",
        "DRV0118 `container_name` is refused in service `s` of job `t`",
    ),
    (
        "cgroup_parent: x",
        "DRV0118 `cgroup_parent` is refused in service `s` of job `t`",
    ),
    (
        "userns_mode: host",
        "DRV0118 `userns_mode` is refused in service `s` of job `t`",
    ),
    (
        "runtime: nvidia",
        "DRV0118 `runtime` is refused in service `s` of job `t`",
    ),
    ("gpus: all", "DRV0118 `gpus` is refused in service `s` of job `t`"),
    (
        "volumes_from: [other]",
        "DRV0118 `volumes_from` is refused in service `s` of job `t`",
    ),
    (
        "credential_spec: {file: x}",
        "DRV0118 `credential_spec` is refused in service `s` of job `t`",
    ),
];

#[test]
fn what_is_wrong_with_a_key_is_said() {
    for (keys, expected) in CASES {
        let found = field(keys, "name");
        assert!(
            found.split(" | ").any(|found| found == *expected),
            "{keys}\n found {found}"
        );
    }
}

#[test]
fn names_of_the_agents_own_images_are_refused_everywhere() {
    let own = "docker.io/drover/anchor:1";
    for job in [
        format!("image: {own}, steps: [x]"),
        format!("image: i, steps: [{{run: x, image: {own}}}]"),
        format!("image: i, steps: [{{image: {{build: ., tags: [i, {own}]}}}}]"),
        format!("image: i, steps: [x], services: {{s: {{image: {own}}}}}"),
        format!("image: i, steps: [x], services: {{s: {{image: {own}, build: .}}}}"),
    ] {
        let text = format!("jobs: {{t: {{{job}}}}}\n");
        let parsed = crate::compose::read(&text, &crate::compose::Files::new([]));
        let found = parsed.diagnostics.iter();
        let found: Vec<String> = found.map(|found| format!("{} {}", found.code, found.message)).collect();
        assert_eq!(
            found,
            [format!("DRV0130 `{own}` is a name of the agents' own")],
            "{job}"
        );
    }
}

//! Every key of a service: what it becomes. One case for each form.

use job_specs::model::ServiceSpec;
use serde_json::Value;

use crate::compose::{Files, read};
use crate::story::push;

const FILES: &[(&str, &str)] = &[
    ("app.env", "A=1\n# no\nexport B=\"two words\"\nC='$x'\nD=${A}0\n"),
    ("conf/app.conf", "listen 80\n"),
    ("profile.json", "{\"defaultAction\": \"SCMP_ACT_ERRNO\"}"),
    ("not.json", "no"),
    ("open.json", "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}"),
    (
        "mount.json",
        "{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": [{\"names\": [\"mount\"], \"action\": \"SCMP_ACT_ALLOW\"}]}",
    ),
];

fn job(keys: &str) -> String {
    format!("jobs: {{t: {{image: i, steps: [x], services: {{s: {{image: i, {keys}}}, other: {{image: i}}}}}}}}\n")
}

pub fn field(keys: &str, name: &str) -> String {
    let parsed = read(&job(keys), &Files::new(FILES.iter().copied()));
    let found: Vec<String> = parsed
        .diagnostics
        .iter()
        .map(|found| format!("{} {}", found.code, found.message))
        .collect();
    let Some(file) = parsed.file else {
        return found.join(" | ");
    };
    let service = job_specs::expand(&file, &push())
        .unwrap()
        .jobs
        .remove(0)
        .services
        .remove(0);
    let mut value = serde_json::to_value(&service).unwrap();
    value.sort_all_objects();
    let value = name.split('.').fold(value, |value, part| value[part].clone());
    let warnings: Vec<String> = found.iter().map(|found| format!(" ({found})")).collect();
    format!("{value}{}", warnings.concat())
}

const CASES: &[(&str, &str, &str)] = &[
    ("build: .", "build.context", "\".\""),
    (
        "build: {context: ./api, dockerfile: ci/Dockerfile, target: dev}",
        "build.dockerfile",
        "\"ci/Dockerfile\"",
    ),
    (
        "build: {context: api, dockerfile: ../api/x}",
        "build.dockerfile",
        "\"x\"",
    ),
    ("build: {args: {A: 1, B: two}}", "build.args", r#"{"A":"1","B":"two"}"#),
    (
        "build: {args: [A=1, \"B=x=y\"]}",
        "build.args",
        r#"{"A":"1","B":"x=y"}"#,
    ),
    (
        "build: {dockerfile_inline: FROM busybox}",
        "build.dockerfile_inline",
        "\"FROM busybox\"",
    ),
    ("build: {platforms: [linux/arm64]}", "build.platform", "\"linux/arm64\""),
    (
        "env_file: app.env",
        "environment",
        r#"{"A":"1","B":"two words","C":"$x","D":"10"}"#,
    ),
    (
        "env_file: [app.env, ./app.env], environment: {A: 2}",
        "environment.A",
        "\"2\"",
    ),
    ("env_file: {path: app.env, required: true}", "environment.A", "\"1\""),
    ("env_file: [{path: none.env, required: false}]", "environment", "{}"),
    ("env_file: [{path: app.env, format: raw}]", "environment.D", "\"${A}0\""),
    ("networks: [a, b]", "aliases", "[]"),
    (
        "networks: {a: , b: {aliases: [x, y]}, c: {aliases: [x]}}",
        "aliases",
        r#"["x","y"]"#,
    ),
    (
        "networks: {a: {ipv4_address: 10.0.0.1}}",
        "aliases",
        "[] (DRV0119 `ipv4_address` is ignored in `networks` of service `s` of job `t`)",
    ),
    ("hostname: db.local", "hostname", "\"db.local\""),
    (
        "expose: [3000, \"8000-8002\", 53/udp, 80/tcp]",
        "expose",
        "[80,3000,8000,8001,8002]",
    ),
    ("ports: [3000, \"3001-3002\", \"7/udp\"]", "expose", "[3000,3001,3002]"),
    (
        "ports: [\"8080:80\"]",
        "expose",
        "[80] (DRV0320 ports of services are not published on the host)",
    ),
    (
        "ports: [\"127.0.0.1:80:80/tcp\", \"[::1]:81:81\", \"127.0.0.1::82\"]",
        "expose",
        "[80,81,82] (DRV0320 ports of services are not published on the host)",
    ),
    ("ports: [{target: 80}, {target: 53, protocol: udp}]", "expose", "[80]"),
    (
        "ports: [{target: 80, published: \"8080-8090\", mode: host}]",
        "expose",
        "[80] (DRV0320 ports of services are not published on the host)",
    ),
    ("tmpfs: /run", "tmpfs", r#"{"/run":""}"#),
    (
        "tmpfs: [/run, \"/tmp:size=64m,mode=1777\"]",
        "tmpfs",
        r#"{"/run":"","/tmp":"size=64m,mode=1777"}"#,
    ),
    (
        "volumes: [{type: tmpfs, target: /x, tmpfs: {size: 1m, mode: \"1777\"}}]",
        "tmpfs",
        r#"{"/x":"size=1048576,mode=1777"}"#,
    ),
    (
        "volumes: [/x]",
        "volumes",
        r#"[{"read_only":false,"source":"nameless","target":"/x"}]"#,
    ),
    (
        "volumes: [\"v:/x\", \"v:/x/:ro\"]",
        "volumes",
        r#"[{"read_only":true,"source":{"named":"v"},"target":"/x"}]"#,
    ),
    (
        "volumes: [\".:/x:rw,z\"]",
        "volumes",
        r#"[{"read_only":false,"source":{"workspace":"."},"target":"/x"}]"#,
    ),
    (
        "volumes: [\"./a/../b:/x:ro,cached\"]",
        "volumes",
        r#"[{"read_only":true,"source":{"workspace":"b"},"target":"/x"}]"#,
    ),
    (
        "volumes: [{type: bind, source: a/b, target: /x, read_only: true, bind: {create_host_path: true}}]",
        "volumes",
        r#"[{"read_only":true,"source":{"workspace":"a/b"},"target":"/x"}]"#,
    ),
    (
        "volumes: [{type: volume, source: v, target: /x, volume: {nocopy: true}}]",
        "volumes",
        r#"[{"read_only":false,"source":{"named":"v"},"target":"/x"}]"#,
    ),
    (
        "volumes: [{type: volume, target: /x}]",
        "volumes",
        r#"[{"read_only":false,"source":"nameless","target":"/x"}]"#,
    ),
    (
        "secrets: [API_KEY]",
        "files",
        r#"[{"content":{"secret":"API_KEY"},"gid":0,"mode":292,"target":"/run/secrets/API_KEY","uid":0}]"#,
    ),
    (
        "secrets: [{source: API_KEY, target: key, uid: \"1\", gid: 2, mode: 0400}]",
        "files",
        r#"[{"content":{"secret":"API_KEY"},"gid":2,"mode":256,"target":"/run/secrets/key","uid":1}]"#,
    ),
    (
        "cap_add: [NET_ADMIN, CAP_IPC_LOCK, sys_nice]",
        "cap_add",
        r#"["NET_ADMIN","IPC_LOCK","SYS_NICE"]"#,
    ),
    ("cap_drop: [ALL]", "cap_drop", r#"["ALL"]"#),
    (
        "security_opt: [no-new-privileges, \"no-new-privileges:true\"]",
        "seccomp",
        "null",
    ),
    (
        "security_opt: [\"seccomp=./profile.json\"]",
        "seccomp",
        r#""{\"defaultAction\": \"SCMP_ACT_ERRNO\"}""#,
    ),
    ("read_only: true", "read_only", "true"),
    ("working_dir: /srv", "working_dir", "\"/srv\""),
    ("init: true", "gate", "true"),
    ("labels: {a: b, n: 1}", "labels", r#"{"a":"b","n":"1"}"#),
    ("labels: [a=b, \"c=d=e\", f]", "labels", r#"{"a":"b","c":"d=e","f":""}"#),
    ("scale: 3", "scale", "3"),
    ("scale: 0", "scale", "0"),
    (
        "deploy: {replicas: 2, resources: {limits: {cpus: \"0.5\", memory: 64M, pids: 9}}}",
        "scale",
        "2",
    ),
    (
        "deploy: {resources: {limits: {cpus: \"0.5\", memory: 64M, pids: 9}}}",
        "cpu_millis",
        "500",
    ),
    (
        "deploy: {resources: {limits: {memory: 64M}}}, mem_limit: 64m",
        "mem_limit_bytes",
        "67108864",
    ),
    ("deploy: {resources: {limits: {pids: 9}}}", "pids_limit", "9"),
    ("stop_signal: SIGINT", "stop_signal", "\"SIGINT\""),
    ("stop_signal: 15", "stop_signal", "\"15\""),
    ("stop_grace_period: 1m30s", "stop_grace_period_ms", "90000"),
    (
        "ulimits: {nproc: 65535, nofile: {soft: 1, hard: -1}}",
        "ulimits",
        r#"{"nofile":{"hard":-1,"soft":1},"nproc":{"hard":65535,"soft":65535}}"#,
    ),
    ("mem_limit: 1.5g", "mem_limit_bytes", "1610612736"),
    ("cpus: 1.5", "cpu_millis", "1500"),
    ("pids_limit: 100", "pids_limit", "100"),
    ("pids_limit: -1", "pids_limit", "null"),
    ("shm_size: 64m", "shm_size_bytes", "67108864"),
    ("shm_size: 128", "shm_size_bytes", "128"),
    (
        "sysctls: {net.core.somaxconn: 1024}",
        "sysctls",
        r#"{"net.core.somaxconn":"1024"}"#,
    ),
    ("sysctls: [kernel.shmmax=1]", "sysctls", r#"{"kernel.shmmax":"1"}"#),
    (
        "extra_hosts: [\"a=10.0.0.1\", \"b:10.0.0.2\", \"c=[::1]\"]",
        "extra_hosts",
        r#"["a:10.0.0.1","b:10.0.0.2","c:::1"]"#,
    ),
    (
        "extra_hosts: {a: 10.0.0.1, b: [10.0.0.2, 10.0.0.3]}",
        "extra_hosts",
        r#"["a:10.0.0.1","b:10.0.0.2","b:10.0.0.3"]"#,
    ),
    (
        "extra_hosts: [\"h:host-gateway\"]",
        "extra_hosts",
        "[] (DRV0119 `h` is left out of `extra_hosts`)",
    ),
    ("dns: 1.1.1.1", "dns.servers", r#"["1.1.1.1"]"#),
    (
        "dns: [1.1.1.1], dns_search: a.b, dns_opt: [ndots:1]",
        "dns",
        r#"{"options":["ndots:1"],"search":["a.b"],"servers":["1.1.1.1"]}"#,
    ),
    ("platform: linux/arm64/v8", "platform", "\"linux/arm64/v8\""),
    ("pull_policy: always", "pull_policy", "\"always\""),
    ("pull_policy: if_not_present", "pull_policy", "\"missing\""),
    (
        "pull_policy: daily",
        "pull_policy",
        "\"missing\" (DRV0119 `pull_policy: daily` is read as `missing`)",
    ),
    ("restart: \"no\"", "restart", "\"no\""),
    ("restart: no", "restart", "\"no\""),
    ("restart: always", "restart", "\"always\""),
    ("restart: unless-stopped", "restart", "\"always\""),
    ("restart: on-failure", "restart", r#"{"on_failure":null}"#),
    ("restart: \"on-failure:3\"", "restart", r#"{"on_failure":3}"#),
    (
        "depends_on: [other]",
        "depends_on",
        r#"[{"condition":"service_started","required":true,"service":"other"}]"#,
    ),
    (
        "depends_on: {other: {condition: service_healthy, required: false}}",
        "depends_on",
        r#"[{"condition":"service_healthy","required":false,"service":"other"}]"#,
    ),
    (
        "depends_on: {gone: {condition: service_healthy, required: false}}",
        "depends_on",
        "[]",
    ),
    (
        "healthcheck: {test: x, start_interval: 1s}", // key: healthcheck.start_interval
        "healthcheck.start_interval_ms",
        "1000",
    ),
    (
        "hostname: other",
        "hostname",
        "\"other\" (DRV0324 service `s` answers to `other` as service `other` does)",
    ),
    (
        "networks: {a: {aliases: [other]}}",
        "aliases",
        "[\"other\"] (DRV0324 service `s` answers to `other` as service `other` does)",
    ),
    ("healthcheck: {test: [NONE]}", "healthcheck.test", "null"),
    ("healthcheck: {disable: true}", "healthcheck.test", "null"),
    ("privileged: false, network_mode: bridge, ipc: private", "name", "\"s\""),
    (
        "links: [\"other:database\"]", // key: services.links
        "depends_on",
        r#"[{"condition":"service_started","required":true,"service":"other"}]"#,
    ),
    (
        "logging: {driver: none}, tty: true",
        "name",
        "\"s\" (DRV0119 `logging` is ignored in service `s` of job `t`) (DRV0119 `tty` is ignored in service `s` of job `t`)",
    ),
    (
        "deploy: {placement: {}, resources: {reservations: {}}}",
        "scale",
        "1 (DRV0119 `placement` is ignored in `deploy` of service `s` of job `t`) (DRV0119 `reservations` is ignored in `resources` of service `s` of job `t`)",
    ),
];

#[test]
fn every_form_of_every_key_has_its_meaning() {
    for (keys, name, expected) in CASES {
        assert_eq!(field(keys, name), *expected, "{keys}");
    }
}

/// Every key of the model's service is set by some key of the language.
#[test]
fn no_part_of_a_service_is_forgotten() {
    let Value::Object(fields) = serde_json::to_value(ServiceSpec::default()).unwrap() else {
        panic!()
    };
    let all = "
build: ., command: [a], entrypoint: [b], environment: {A: b}, healthcheck: {test: x}, depends_on: [other], tmpfs: /t,
user: u, mem_limit: 64m, ready: {tcp: 1}, run_once: true, allow_failure: true, gate: off, networks: {n: {aliases: [x]}},
hostname: h, expose: [1], volumes: [/v], secrets: [S], cap_add: [CHOWN], cap_drop: [CHOWN],
security_opt: [seccomp=profile.json], read_only: true, working_dir: /w, labels: [a=b], scale: 2, stop_signal: SIGINT,
stop_grace_period: 1s, ulimits: {nofile: 1}, cpus: 1, pids_limit: 1, shm_size: 1m, sysctls: [net.a=1],
extra_hosts: [a=1.1.1.1], dns: 1.1.1.1, platform: linux, pull_policy: never, restart: always";
    for (name, plain) in fields {
        let found = field(&all.replace('\n', " "), &name);
        assert_ne!(found, plain.to_string(), "{name}");
        assert!(!found.starts_with("DRV"), "{found}");
    }
}

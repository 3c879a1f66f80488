//! Keys of services in Compose files, by Compose's own rules where those are wider than a job file's: empty values, texts
//! for numbers and for true and false, names that come from `links` and `container_name`.

use job_specs::Parsed;
use job_specs::model::ServiceSpec;
use serde_json::Value;

use crate::compose::{Files, read};
use crate::story::push;

/// The service `s` of a Compose file as JSON, and every finding; `keys` are lines of it.
fn service(keys: &str) -> (Value, Vec<String>) {
    let compose = format!(
        "services:\n  s:\n    image: i\n    {}\n  other: {{image: i}}\n",
        keys.trim_end().replace('\n', "\n    ")
    );
    let job = "jobs:\n  t:\n    image: i\n    steps: [x]\n    env: {EMPTY: \"\"}\n    compose: compose.yml\n";
    let parsed = read(job, &Files::new([("compose.yml", compose.as_str())]));
    let found = parsed.diagnostics.iter();
    let found = found.map(|found| format!("{} {}", found.code, found.message)).collect();
    if parsed.file.is_none() {
        return (Value::Null, found);
    }
    (serde_json::to_value(services_of(&parsed).remove(0)).unwrap(), found)
}

fn services_of(parsed: &Parsed) -> Vec<ServiceSpec> {
    let file = parsed.file.as_ref().unwrap();
    job_specs::expand(file, &push()).unwrap().jobs.remove(0).services
}

fn field(value: &Value, path: &str) -> Value {
    path.split('.')
        .fold(value.clone(), |value, part| match part.parse::<usize>() {
            Ok(at) => value[at].clone(),
            Err(_) => value[part].clone(),
        })
}

/// Each of the keys gives, at the path, what is expected as JSON.
fn all_become(cases: &[(&str, &str, &str)]) {
    for (keys, path, expected) in cases {
        let (found, findings) = service(keys);
        assert_eq!(field(&found, path).to_string(), *expected, "{keys} {findings:?}");
    }
}

#[test]
fn what_is_empty_is_not_set() {
    let plain = service("x-nothing: 1").0;
    for keys in [
        "platform: ${EMPTY:-}",
        "platform: \"\"",
        "user: \"${EMPTY:-}\"",
        "user: \"${EMPTY:-}:${EMPTY:-}\"",
        "restart: ${EMPTY:-}",
        "hostname: ${EMPTY:-}",
        "working_dir: ${EMPTY:-}",
        "mem_limit: ${EMPTY:-}",
        "mem_limit: 0",
        "cpus: ${EMPTY:-}",
        "cpus: 0.0",
        "pids_limit: ${EMPTY:-}",
        "pids_limit: 0",
        "shm_size: ${EMPTY:-}",
        "shm_size: 0",
        "stop_signal: ${EMPTY:-}",
        "stop_grace_period: ${EMPTY:-}",
        "pull_policy: ${EMPTY:-}",
        "scale: ${EMPTY:-}",
        "read_only: ${EMPTY:-}",
        "init: ${EMPTY:-}",
        "privileged: ${EMPTY:-}",
        "network_mode: ${EMPTY:-}",
        "command:",
        "entrypoint: null",
        "environment:",
        "environment: {NOT_SET: }",
        "environment: [NOT_SET]",
        "env_file: ${EMPTY:-}",
        "env_file: [\"${EMPTY:-}\"]",
        "ports: [\"${EMPTY:-}\"]",
        "expose: [\"${EMPTY:-}\"]",
        "volumes: [\"${EMPTY:-}\"]",
        "tmpfs: ${EMPTY:-}",
        "dns: ${EMPTY:-}",
        "dns_search: [\"${EMPTY:-}\"]",
        "profiles: [\"${EMPTY:-}\"]",
        "networks:",
        "networks: {default: }",
        "networks: {default: {aliases: [\"\"]}}",
        "healthcheck:",
        "deploy: {replicas: \"${EMPTY:-}\", resources: {limits: {cpus: \"${EMPTY:-}\", memory: \"\"}}}",
        "ulimits: {nofile: }",
        "cap_add: [\"${EMPTY:-}\"]",
        "labels:",
        "depends_on:",
        "logging:",
        "privileged: no",
        "privileged: \"off\"",
        "devices: []",
        "group_add: []",
        "group_add: [\"${EMPTY:-}\"]",
        "external_links: []",
        "post_start:",
        "links: [\"${EMPTY:-}\"]",
        "container_name: \"${EMPTY:-}\"",
        "extends:",
    ] {
        let (mut found, mut findings) = service(&format!("{keys}\nx-nothing: 1"));
        // a variable of the agent's host would be one that is not there
        findings.retain(|finding| !finding.starts_with("DRV0326"));
        if found["healthcheck"]["of_image"] == Value::Bool(true) {
            found["healthcheck"] = Value::Null;
        }
        assert_eq!((found, findings), (plain.clone(), Vec::new()), "{keys}");
    }
    all_become(&[
        (
            "healthcheck: {test: x, interval: \"${EMPTY:-}\"}",
            "healthcheck.interval_ms",
            "30000",
        ),
        (
            "healthcheck: {test: x, retries: \"${EMPTY:-}\"}",
            "healthcheck.own_retries",
            "null",
        ),
        (
            "healthcheck: {test: x, start_period: \"\"}",
            "healthcheck.start_period_ms",
            "0",
        ),
        ("environment: {A: \"\"}", "environment.A", "\"\""),
        ("environment: [A=]", "environment.A", "\"\""),
        ("labels: {a: }", "labels.a", "\"\""),
        ("command: \"\"", "command", "[]"),
        ("command: []", "command", "[]"),
        ("command: [sh, -c, \"\"]", "command.2", "\"\""),
        ("entrypoint: \"\"", "entrypoint", "[]"),
        (
            "depends_on: {other: {condition: \"${EMPTY:-}\"}}",
            "depends_on.0.condition",
            "\"service_started\"",
        ),
    ]);
}

#[test]
fn texts_are_taken_for_what_compose_takes_them() {
    all_become(&[
        ("read_only: \"true\"", "read_only", "true"),
        ("read_only: yes", "read_only", "true"),
        ("read_only: On", "read_only", "true"),
        ("read_only: \"no\"", "read_only", "false"),
        ("init: \"true\"", "read_only", "false"),
        ("privileged: \"false\"", "name", "\"s\""),
        ("pids_limit: \"100\"", "pids_limit", "100"),
        ("scale: \"2\"", "scale", "2"),
        ("deploy: {replicas: \"3\"}", "scale", "3"),
        ("ulimits: {nofile: \"1024\"}", "ulimits.nofile.hard", "1024"),
        (
            "ulimits: {nofile: {soft: \"1\", hard: \"2\", x-why: y}}",
            "ulimits.nofile.soft",
            "1",
        ),
        ("ports: [{target: \"80\", published: \"8080\"}]", "expose.0", "80"),
        ("ports: [{target: 53, protocol: sctp}]", "expose", "[]"),
        (
            "ports: [\"9090-9091:8080-8081\", \"6060:6060/udp\"]",
            "expose",
            "[8080,8081]",
        ),
        (
            "ports: [\"127.0.0.1:5000-5001:5000-5001\", \":7000\"]",
            "expose",
            "[5000,5001,7000]",
        ),
        ("expose: [\"3000-3001\", 8000, 53/udp]", "expose", "[3000,3001,8000]"),
        ("user: \"1000:\"", "user", "\"1000\""),
        (
            "healthcheck: {test: x, retries: \"5\", x-why: slow}",
            "healthcheck.retries",
            "5",
        ),
        ("healthcheck: {test: x, retries: 5}", "healthcheck.own_retries", "true"),
        ("healthcheck: {test: x, retries: 0}", "healthcheck.retries", "3"),
        (
            "healthcheck: {test: x, interval: 0s}",
            "healthcheck.interval_ms",
            "30000",
        ),
        (
            "healthcheck: {test: x, start_interval: 1s}",
            "healthcheck.start_interval_ms",
            "1000",
        ),
        ("healthcheck: {test: x, disable: \"true\"}", "healthcheck.test", "null"),
        ("healthcheck: {disable: true}", "healthcheck.of_image", "null"),
        ("healthcheck: {interval: 2s}", "healthcheck.of_image", "true"),
        ("healthcheck: {test: [NONE]}", "healthcheck.of_image", "null"),
        (
            "depends_on: {other: {condition: service_started, required: \"false\", x-a: 1}}",
            "depends_on.0.required",
            "false",
        ),
        (
            "volumes: [{type: bind, source: ./a, target: /a}]",
            "volumes.0.create",
            "null",
        ),
        (
            "volumes: [{type: bind, source: ./a, target: /a, bind: {create_host_path: false}}]",
            "volumes.0.create",
            "false",
        ),
        ("volumes: [\"./a:/a\"]", "volumes.0.create", "null"),
        (
            "extra_hosts: [\"v6=::1\", \"v6b:[::1]\", \"v4:10.0.0.1\"]",
            "extra_hosts",
            "[\"v6:::1\",\"v6b:::1\",\"v4:10.0.0.1\"]",
        ),
        ("links: [other]", "depends_on.0.service", "\"other\""),
        ("container_name: my-db", "aliases", "[\"my-db\"]"),
    ]);
}

#[test]
fn names_are_shared_as_compose_shares_them() {
    let compose = "
services:
  one: {image: i, networks: {default: {aliases: [api]}}}
  two: {image: i, networks: {default: {aliases: [api, one]}}}
  web: {image: i, links: [\"one:database\", two]}
";
    let job = "jobs: {t: {image: i, steps: [x], compose: {file: compose.yml, services: web}}}\n";
    let parsed = read(job, &Files::new([("compose.yml", compose)]));
    let found: Vec<String> = parsed.diagnostics.iter().map(|found| found.message.clone()).collect();
    assert_eq!(
        found,
        ["service `two` answers to `one` as service `one` does"],
        "a warning"
    );
    let reported: Vec<String> = services_of(&parsed)
        .iter()
        .map(|service| {
            let needs: Vec<&str> = service.depends_on.iter().map(|edge| edge.service.as_str()).collect();
            format!(
                "{} {:?} needs {needs:?}, may end: {}",
                service.name, service.aliases, service.may_end
            )
        })
        .collect();
    insta::assert_snapshot!(reported.join("\n"), @r#"
    one ["api", "database"] needs [], may end: true
    two ["api", "one"] needs [], may end: true
    web [] needs ["one", "two"], may end: true
    "#);
}

#[test]
fn only_services_of_compose_files_may_end_without_saying_so() {
    let job = "
jobs:
  t:
    image: i
    steps: [x]
    compose: compose.yml
    services:
      own: {image: i}
      once: {ready: {tcp: 1}}
";
    let parsed = read(
        job,
        &Files::new([("compose.yml", "services: {once: {image: i}, waited: {image: i}}")]),
    );
    let reported: Vec<String> = services_of(&parsed)
        .iter()
        .map(|s| format!("{} {}", s.name, s.may_end))
        .collect();
    assert_eq!(reported, ["once true", "waited true", "own false"]);
}

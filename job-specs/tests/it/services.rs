//! Services, in Compose's words.

use job_specs::model::{DependencyCondition, HealthTest, ReadyProbe};

use crate::story::{findings, job, texts};

// key: job.services, step.entrypoint, services.environment, services.command, services.healthcheck
// key: services.depends_on, services.tmpfs, services.mem_limit, services.ready, services.run_once
// key: services.gate, healthcheck.interval, healthcheck.retries, healthcheck.start_period
// key: healthcheck.disable, ready.http, ready.cmd
#[test]
fn services_are_read_as_compose_reads_them() {
    let job = job("\
jobs:
  t:
    image: i
    services:
      db:
        image: postgres:17
        environment: [A=b=c, \"EMPTY=\"]
        command: postgres -c 'log_statement=all'
        entrypoint: [\"/bin/entry\", \"-x\"]
        tmpfs: [/tmp, \"/data:size=64m\"]
        user: 70:70
        mem_limit: 512m
        x-note: kept for nobody
        healthcheck:
          test: [CMD, pg_isready]
          interval: 1m30s
          timeout: 5s
          retries: 7
          start_period: 0s
      web:
        image: busybox
        environment: {A: 1, B: true, C: 1e3}
        depends_on: [db]
        healthcheck: {test: \"wget -q localhost || exit 1\"}
        ready: {http: 8080/health, timeout: 5s}
        gate: off
      seed:
        image: busybox
        depends_on: {db: {condition: service_healthy}}
        healthcheck: {test: [NONE]}
        run_once: true
      last:
        image: busybox
        depends_on: {seed: {condition: service_completed_successfully}}
        healthcheck: {disable: true}
        ready: {cmd: [test, -f, /ready]}
        allow_failure: true
    steps: [x]
");
    let [db, web, seed, last] = &job.services[..] else {
        panic!()
    };
    assert_eq!(
        db.environment
            .iter()
            .map(|(k, v)| format!("{k}:{v}"))
            .collect::<Vec<_>>(),
        ["A:b=c", "EMPTY:"]
    );
    assert_eq!(db.command, Some(texts(&["postgres", "-c", "log_statement=all"])));
    assert_eq!(db.entrypoint, Some(texts(&["/bin/entry", "-x"])));
    assert_eq!(
        (db.tmpfs["/tmp"].as_str(), db.tmpfs["/data"].as_str()),
        ("", "size=64m")
    );
    assert_eq!(
        (db.user.as_deref(), db.mem_limit_bytes),
        (Some("70:70"), Some(512 << 20))
    );
    let check = db.healthcheck.as_ref().unwrap();
    assert_eq!(check.test, Some(HealthTest::Exec(texts(&["pg_isready"]))));
    assert_eq!(
        (
            check.interval_ms,
            check.timeout_ms,
            check.retries,
            check.start_period_ms
        ),
        (90_000, 5_000, 7, 0)
    );
    assert_eq!(web.environment["C"], "1e3");
    assert_eq!(web.depends_on[0].condition, DependencyCondition::ServiceStarted);
    let check = web.healthcheck.as_ref().unwrap();
    assert_eq!(
        check.test,
        Some(HealthTest::Shell("wget -q localhost || exit 1".into()))
    );
    assert_eq!((check.interval_ms, check.retries), (30_000, 3));
    let ready = web.ready.as_ref().unwrap();
    let health = ReadyProbe::Http {
        port: 8080,
        path: "/health".into(),
    };
    assert_eq!((&ready.probe, ready.timeout_ms), (&health, 5_000));
    assert!(!web.gate && db.gate);
    assert_eq!(seed.healthcheck.as_ref().unwrap().test, None);
    assert!(seed.run_once);
    assert_eq!(last.healthcheck.as_ref().unwrap().test, None);
    assert_eq!(
        last.ready.as_ref().unwrap().probe,
        ReadyProbe::Cmd(HealthTest::Exec(texts(&["test", "-f", "/ready"])))
    );
    assert_eq!(
        last.depends_on[0].condition,
        DependencyCondition::ServiceCompletedSuccessfully
    );
}

// key: ready.tcp, ready.http, ready.log, ready.cmd, ready.docker
#[test]
fn readiness_has_five_forms() {
    let probe = |ready: &str| {
        let text =
            format!("jobs: {{t: {{image: i, services: {{s: {{image: i, ready: {{{ready}}}}}}}, steps: [x]}}}}\n");
        job(&text).services[0].ready.clone().unwrap()
    };
    let http = |port, path: &str| ReadyProbe::Http {
        port,
        path: path.into(),
    };
    assert_eq!(probe("tcp: 9092, timeout: 60s").probe, ReadyProbe::Tcp(9092));
    assert_eq!(probe("tcp: 9092").timeout_ms, 60_000);
    assert_eq!(probe("http: 80").probe, http(80, "/"));
    assert_eq!(probe("http: \":80/x?y=1\"").probe, http(80, "/x?y=1"));
    assert_eq!(probe("http: \"http://localhost:80/x\"").probe, http(80, "/x"));
    assert_eq!(probe("http: {port: 80, path: /y}").probe, http(80, "/y"));
    assert_eq!(
        probe("log: 'ready to (accept|serve)'").probe,
        ReadyProbe::Log("ready to (accept|serve)".into())
    );
    assert_eq!(
        probe("cmd: \"test -f /x\"").probe,
        ReadyProbe::Cmd(HealthTest::Shell("test -f /x".into()))
    );
    assert_eq!(probe("docker: true").probe, ReadyProbe::Docker);
}

#[test]
fn wrong_readiness_is_said() {
    let found = |ready: &str| {
        let text = format!("jobs: {{t: {{image: i, services: {{s: {{image: i, ready: {ready}}}}}, steps: [x]}}}}\n");
        findings(&text)
            .iter()
            .map(|finding| finding.split_once(' ').unwrap().0.to_owned())
            .collect::<Vec<_>>()
    };
    for (ready, code) in [
        ("{}", "DRV0112"),
        ("{tcp: 1, log: x}", "DRV0112"),
        ("{tcp: 70000}", "DRV0112"),
        ("{http: x}", "DRV0112"),
        ("{http: \"80/a b\"}", "DRV0112"),
        ("{log: '('}", "DRV0134"),
        ("{docker: false}", "DRV0112"),
        ("{tcp: 1, timeout: 0s}", "DRV0124"),
        ("{port: 1}", "DRV0101"),
        ("9092", "DRV0111"),
    ] {
        assert!(found(ready).contains(&code.to_owned()), "{ready}: {:?}", found(ready));
    }
}

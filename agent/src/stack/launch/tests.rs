//! The rules of Compose and of readiness, case by case.

use std::time::Duration;

use super::super::ports::MAX_PORTS;
use super::*;
use job_specs::model::{Dependency, DependencyCondition, Ready};

fn service() -> ServiceSpec {
    ServiceSpec {
        name: "db".into(),
        image: "x".into(),
        ..ServiceSpec::default()
    }
}

fn image() -> ImageInfo {
    ImageInfo {
        id: "sha256:1".into(),
        entrypoint: vec!["entry.sh".into()],
        cmd: vec!["serve".into()],
        env: Vec::new(),
        user: String::new(),
        workdir: String::new(),
        tcp_ports: Vec::new(),
        stop_signal: Some("SIGINT".into()),
        health: None,
        platform: "linux/amd64".into(),
        on_build: Vec::new(),
    }
}

fn check(test: Option<HealthTest>) -> Healthcheck {
    Healthcheck {
        test,
        interval_ms: 500,
        timeout_ms: 1000,
        start_period_ms: 2000,
        ..Healthcheck::default()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(String::from).collect()
}

#[test]
fn entrypoint_and_command_replace_as_compose_does() {
    let argv = |entrypoint: Option<&str>, command: Option<&str>| {
        let service = ServiceSpec {
            entrypoint: entrypoint.map(words),
            command: command.map(words),
            ..service()
        };
        Launch::of(&service, &image(), Role::Server).map(|launch| launch.argv.join(" "))
    };
    assert_eq!(argv(None, None).unwrap(), "entry.sh serve");
    assert_eq!(argv(None, Some("migrate now")).unwrap(), "entry.sh migrate now");
    assert_eq!(argv(Some("sh -c"), None).unwrap(), "sh -c");
    assert_eq!(argv(Some("sh -c"), Some("true")).unwrap(), "sh -c true");
    assert!(matches!(argv(Some(""), None), Err(FailureKind::CannotStart { .. })));
}

#[test]
fn readiness_is_looked_for_in_the_order_of_the_design() {
    let mut service = service();
    let mut image = image();
    let probe = |service: &ServiceSpec, image: &ImageInfo| {
        Launch::of(service, image, Role::Server).map(|launch| (launch.probe.name(), launch.ready_timeout.timeout))
    };
    let secs = |secs| Some(Duration::from_secs(secs));
    assert_eq!(probe(&service, &image).unwrap(), ("running".into(), secs(60)));
    image.tcp_ports = vec![5432, 8008];
    assert_eq!(probe(&service, &image).unwrap(), ("tcp 5432, 8008".into(), secs(60)));
    image.health = Some(EngineHealth {
        test: words("CMD-SHELL true"),
        interval_ms: 30_000,
        timeout_ms: 30_000,
        retries: 3,
        start_period_ms: 0,
        start_interval_ms: 5_000,
    });
    assert_eq!(probe(&service, &image).unwrap(), ("healthcheck".into(), secs(180)));
    service.healthcheck = Some(Healthcheck {
        of_image: true,
        ..check(None)
    });
    assert_eq!(
        probe(&service, &image).unwrap(),
        ("healthcheck".into(), secs(60)),
        "the image's, at other times"
    );
    service.healthcheck = Some(check(None));
    assert_eq!(
        probe(&service, &image).unwrap(),
        ("tcp 5432, 8008".into(), secs(60)),
        "switched off"
    );
    service.healthcheck = Some(check(Some(HealthTest::Shell("pg_isready".into()))));
    assert_eq!(probe(&service, &image).unwrap(), ("healthcheck".into(), secs(60)));
    service.ready = ready(ReadyProbe::Log("ready to accept".into()));
    assert_eq!(probe(&service, &image).unwrap(), ("log".into(), secs(5)));
    service.ready = ready(ReadyProbe::Log("(".into()));
    assert!(probe(&service, &image).is_err());
}

fn ready(probe: ReadyProbe) -> Option<Ready> {
    Some(Ready {
        probe,
        timeout_ms: 5000,
        own_timeout: true,
    })
}

#[test]
fn a_healthcheck_is_looked_at_together_with_the_ports_of_the_service() {
    let mut image = image();
    image.tcp_ports = vec![443, 8080];
    let mut service = ServiceSpec {
        expose: vec![8080, 9000],
        healthcheck: Some(check(Some(HealthTest::Shell("true".into())))),
        ..service()
    };
    let probe = |service: &ServiceSpec| format!("{:?}", Launch::of(service, &image, Role::Server).unwrap().probe);
    assert_eq!(probe(&service), r#"Health("healthcheck", [8080, 9000, 443])"#);
    service.ready = ready(ReadyProbe::Docker);
    assert_eq!(probe(&service), r#"Health("healthcheck", [])"#, "its author's word");
    service.ready = ready(ReadyProbe::Cmd(HealthTest::Shell("pg_isready".into())));
    assert!(probe(&service).ends_with(", [8080, 9000, 443])"));
    service.ready = None;
    service.healthcheck = None;
    assert_eq!(probe(&service), "AnyPort([8080, 9000, 443])");
    service.expose = (1..=1000).collect();
    assert_eq!(probe(&service).matches(',').count() + 1, MAX_PORTS);
}

#[test]
fn a_health_command_is_tried_as_often_as_its_author_wants() {
    let mut service = ServiceSpec {
        healthcheck: Some(check(Some(HealthTest::Shell("pg_isready -q".into())))),
        ..service()
    };
    let launch = |service: &ServiceSpec| Launch::of(service, &image(), Role::Server).unwrap();
    let intervals = |service: &ServiceSpec| {
        let health = launch(service).go(0).health.unwrap();
        (health.starting_interval_ms, health.interval_ms)
    };
    assert_eq!(
        launch(&service).go(0).health.unwrap().argv,
        ["/bin/sh", "-c", "pg_isready -q"]
    );
    assert_eq!(
        intervals(&service),
        (500, 500),
        "no more often, or it would be more hopeful than Compose is"
    );
    let every = |interval_ms, start_interval_ms| {
        Some(Healthcheck {
            interval_ms,
            start_interval_ms,
            retries: 10,
            ..check(Some(HealthTest::Shell("pg_isready -q".into())))
        })
    };
    service.healthcheck = every(30_000, None);
    assert_eq!(
        intervals(&service),
        (5_000, 30_000),
        "as an engine looks at what starts"
    );
    let by_engine = launch(&service).engine_health().unwrap();
    assert_eq!(
        (by_engine.interval_ms, by_engine.retries),
        (500, 600),
        "the same time until it is given up"
    );
    service.healthcheck = every(30_000, Some(100));
    assert_eq!(intervals(&service), (100, 30_000));
    service.ready = ready(ReadyProbe::Tcp(1));
    assert_eq!(intervals(&service), (30_000, 30_000), "nobody waits for it");
    service.ready = ready(ReadyProbe::Cmd(HealthTest::Exec(words("redis-cli ping"))));
    assert_eq!(launch(&service).go(0).health.unwrap().argv, ["redis-cli", "ping"]);
    assert_eq!(intervals(&service), (50, 1_000));
}

#[test]
fn a_service_whose_end_others_wait_for_is_a_task() {
    let seed = service();
    let web = ServiceSpec {
        name: "web".into(),
        depends_on: vec![Dependency {
            service: "db".into(),
            condition: DependencyCondition::ServiceCompletedSuccessfully,
            required: true,
        }],
        ..service()
    };
    let all = [seed, web];
    assert_eq!(
        (Role::of(&all[0], &all), Role::of(&all[1], &all)),
        (Role::Task, Role::Server)
    );
    let launch = Launch::of(&all[0], &image(), Role::Task).unwrap();
    assert_eq!(
        (launch.probe.name().as_str(), launch.ready_timeout.timeout),
        ("exited 0", None)
    );
}

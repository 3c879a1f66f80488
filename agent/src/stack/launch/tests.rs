//! The rules of Compose and of readiness, case by case.

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
    }
}

fn check(test: Option<HealthTest>) -> Healthcheck {
    Healthcheck {
        test,
        interval_ms: 500,
        timeout_ms: 1000,
        retries: 3,
        start_period_ms: 2000,
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
        Launch::of(service, image, Role::Server).map(|launch| (launch.probe.name(), launch.timeout))
    };
    let secs = |secs| Some(Duration::from_secs(secs));
    assert_eq!(probe(&service, &image).unwrap(), ("running".into(), secs(60)));
    image.tcp_ports = vec![5432, 8008];
    assert_eq!(probe(&service, &image).unwrap(), ("tcp 5432".into(), secs(60)));
    image.health = Some(EngineHealth {
        test: words("CMD-SHELL true"),
        interval_ms: 30_000,
        timeout_ms: 30_000,
        retries: 3,
        start_period_ms: 0,
    });
    assert_eq!(probe(&service, &image).unwrap(), ("healthcheck".into(), secs(60)));
    service.healthcheck = Some(check(None));
    assert_eq!(
        probe(&service, &image).unwrap(),
        ("tcp 5432".into(), secs(60)),
        "switched off"
    );
    service.healthcheck = Some(check(Some(HealthTest::Shell("pg_isready".into()))));
    assert_eq!(probe(&service, &image).unwrap(), ("healthcheck".into(), secs(62)));
    service.ready = Some(Ready {
        probe: ReadyProbe::Log("ready to accept".into()),
        timeout_ms: 5000,
    });
    assert_eq!(probe(&service, &image).unwrap(), ("log".into(), secs(5)));
    service.ready = Some(Ready {
        probe: ReadyProbe::Log("(".into()),
        timeout_ms: 5000,
    });
    assert!(probe(&service, &image).is_err());
}

#[test]
fn a_health_command_is_tried_often_only_while_somebody_waits_for_it() {
    let mut service = ServiceSpec {
        healthcheck: Some(check(Some(HealthTest::Shell("pg_isready -q".into())))),
        ..service()
    };
    let health = |service: &ServiceSpec| {
        Launch::of(service, &image(), Role::Server)
            .unwrap()
            .go()
            .health
            .unwrap()
    };
    assert_eq!(health(&service).argv, ["/bin/sh", "-c", "pg_isready -q"]);
    assert_eq!(
        (health(&service).starting_interval_ms, health(&service).interval_ms),
        (50, 500)
    );
    service.ready = Some(Ready {
        probe: ReadyProbe::Tcp(1),
        timeout_ms: 1,
    });
    assert_eq!(health(&service).starting_interval_ms, 500);
    service.ready = Some(Ready {
        probe: ReadyProbe::Cmd(HealthTest::Exec(words("redis-cli ping"))),
        timeout_ms: 1,
    });
    assert_eq!(health(&service).argv, ["redis-cli", "ping"]);
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
    assert_eq!((launch.probe.name().as_str(), launch.timeout), ("exited 0", None));
}

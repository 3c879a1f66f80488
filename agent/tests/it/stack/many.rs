//! Many services: replicas, graphs, and services that are started again.

use std::collections::BTreeMap;

use job_specs::model::{DependencyCondition as Condition, ReadyProbe, Restart, ServiceSpec};
use protocol::attempt::ServiceState;

use super::{after, ready, shell, start};
use crate::world::soon;

// key: services.scale, services.ports
#[tokio::test(flavor = "multi_thread")]
async fn replicas_answer_to_their_own_names_and_to_their_service_s() {
    let web = ServiceSpec {
        scale: 2,
        expose: vec![81],
        ..shell("web", "nc -ll -p 81 -e hostname")
    };
    let off = ServiceSpec {
        scale: 0,
        ..shell("off", "exit 1")
    };
    let client = ServiceSpec {
        depends_on: vec![
            after("web", Condition::ServiceHealthy),
            after("off", Condition::ServiceHealthy),
        ],
        run_once: true,
        ..shell(
            "client",
            "nc web-1 81 </dev/null; nc web-2 81 </dev/null; nslookup web | grep -c '^Address.*172\\|^Address.*10\\|^Address.*192'",
        )
    };
    let running = start(vec![web, off, client]).await;
    running.ready().await;
    running.knock("web").await;
    assert_eq!(
        running.log("client")[..2],
        ["web-1", "web-2"],
        "{:?}",
        running.log("client")
    );
    let message = running.close().await;
    let names: Vec<&str> = message.keys().map(String::as_str).collect();
    assert_eq!(names, ["client", "web-1", "web-2"]);
    assert_eq!(message["web-2"], "starting running ready(tcp 81) stopped");
}

// key: services.depends_on
#[tokio::test(flavor = "multi_thread")]
async fn eleven_services_start_in_the_order_of_their_graph() {
    let graph: [(&str, &[&str]); 11] = [
        ("zoo", &[]),
        ("db", &[]),
        ("cache", &[]),
        ("kafka", &["zoo"]),
        ("registry", &["kafka"]),
        ("topics", &["kafka"]),
        ("schema", &["db"]),
        ("api", &["schema", "cache", "registry"]),
        ("worker", &["topics", "db"]),
        ("web", &["api"]),
        ("proxy", &["web", "worker"]),
    ];
    let service = |(name, needs): &(&str, &[&str])| ServiceSpec {
        depends_on: needs
            .iter()
            .map(|other| after(other, Condition::ServiceHealthy))
            .collect(),
        ready: ready(ReadyProbe::Log("up".into()), 60_000),
        ..shell(name, "echo up; sleep 1000")
    };
    let mut running = start(graph.iter().map(service).collect()).await;
    running.ready().await;
    let mut place = BTreeMap::new();
    while let Ok(event) = running.events.try_recv() {
        let word = match event.state {
            ServiceState::Running => "running",
            ServiceState::Ready { .. } => "ready",
            _ => continue,
        };
        place.insert((event.service, word), place.len());
    }
    let at = |name: &str, word: &'static str| place[&(name.to_owned(), word)];
    for (name, needs) in graph {
        for other in needs {
            assert!(
                at(other, "ready") < at(name, "running"),
                "{name} ran before {other} was ready"
            );
        }
    }
    // side by side: no branch waits for another
    let first = ["zoo", "db", "cache"].map(|name| at(name, "running"));
    assert!(first.iter().all(|place| *place < at("api", "running")));
    running.close().await;
}

// key: services.depends_on
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_required_may_be_missing_or_fail() {
    let optional = |name: &str| job_specs::model::Dependency {
        required: false,
        ..after(name, Condition::ServiceHealthy)
    };
    let broken = ServiceSpec {
        allow_failure: true,
        ..shell("broken", "exit 1")
    };
    let broken = ServiceSpec {
        ready: ready(ReadyProbe::Log("never".into()), 60_000),
        ..broken
    };
    let app = ServiceSpec {
        depends_on: vec![optional("broken"), optional("not-there")],
        ..shell("app", "sleep 1000")
    };
    let running = start(vec![broken, app]).await;
    running.ready().await;
    assert_eq!(running.close().await["app"], "starting running ready(running) stopped");
}

// key: services.restart
#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_started_again_as_often_as_it_says_and_no_line_is_lost() {
    for gate in [true, false] {
        let script = "n=$(cat /count 2>/dev/null || echo 0); echo life $n; echo $((n+1)) > /count; test $n -ge 2 && echo up && sleep 1000; exit 3";
        let flaky = |most| ServiceSpec {
            gate,
            restart: Restart::OnFailure(Some(most)),
            ready: ready(ReadyProbe::Log("up".into()), 60_000),
            ..shell("flaky", script)
        };
        let running = start(vec![flaky(2)]).await;
        running.ready().await;
        assert_eq!(running.log("flaky"), ["life 0", "life 1", "life 2", "up"]);
        assert_eq!(
            running.close().await["flaky"],
            "starting running exited(Some(3)) starting running exited(Some(3)) starting running ready(log) stopped",
            "gate: {gate}"
        );

        let running = start(vec![flaky(1)]).await;
        let failure = running.failed().await;
        assert_eq!(
            failure.sentence(),
            "service `flaky` exited with 3 before it was ready, also after it was started again"
        );
        assert_eq!(failure.last_lines, ["life 0", "life 1"]);
        running.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_always_comes_back_is_no_death() {
    let always = ServiceSpec {
        restart: Restart::Always,
        ..shell("db", "nc -l -p 81 -e true")
    };
    let mut running = start(vec![always]).await;
    running.ready().await;
    for _ in 0..2 {
        running.knock("db").await;
        running
            .until("db", |state| matches!(state, ServiceState::Exited { .. }))
            .await;
        running
            .until("db", |state| matches!(state, ServiceState::Ready { .. }))
            .await;
    }
    let death = tokio::time::timeout(std::time::Duration::from_millis(1), running.stack.death()).await;
    assert!(death.is_err());
    running.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_earlier_run_said_makes_no_later_one_ready() {
    let script = "test -e /again && sleep 1000; touch /again; echo up; nc -l -p 81 -e true";
    let forgetful = ServiceSpec {
        restart: Restart::Always,
        ready: ready(ReadyProbe::Log("up".into()), 1_500),
        ..shell("db", script)
    };
    let running = start(vec![forgetful]).await;
    running.ready().await;
    running.knock("db").await;
    let failure = soon(running.stack.death()).await;
    assert_eq!(
        failure.sentence(),
        "service `db` was not ready within 1.5s (log): no line matched `up`"
    );
    running.close().await;
}

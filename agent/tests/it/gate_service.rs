//! A gate as a plain process that runs a service's health command, or probes as an anchor.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use agent::gate::{GateError, GateState, Go, HealthCheck, HealthState, ProbeTarget};

use crate::gates::{Gate, PATIENCE, command, end_of, script, until};

fn health(argv: &[&str]) -> Option<HealthCheck> {
    Some(HealthCheck {
        argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
        starting_interval_ms: 1,
        interval_ms: 1,
        timeout_ms: 60_000,
        retries: 2,
        start_period_ms: 3_600_000,
    })
}

#[tokio::test]
async fn a_service_is_starting_then_healthy_then_unhealthy() {
    let mut gate = Gate::start("service");
    let client = gate.client().await;
    let cwd = gate.folder.path().to_str().unwrap().to_owned();
    let go = Go {
        cwd: Some(cwd),
        health: health(&["sh", "-c", "echo looking >&2; cat well"]),
        ..script(gate.folder.path(), "echo serving; exec sleep 1000\n")
    };
    client.go(go).await.unwrap();
    let state = until(&client, |state| state.health.is_some()).await.health.unwrap();
    assert_eq!((state.state, state.exit_code), (HealthState::Starting, Some(1)));
    assert!(state.output.starts_with("looking\ncat: "), "{}", state.output);

    let is = |expected| move |state: &GateState| state.health.as_ref().is_some_and(|h| h.state == expected);
    fs::write(gate.folder.path().join("well"), "fine").unwrap();
    let healthy = until(&client, is(HealthState::Healthy)).await.health.unwrap();
    assert_eq!((healthy.exit_code, healthy.output.as_str()), (Some(0), "looking\nfine"));
    let late = gate.client().await;
    until(&late, is(HealthState::Healthy)).await;

    fs::remove_file(gate.folder.path().join("well")).unwrap();
    until(&client, is(HealthState::Unhealthy)).await;
    client.kill().await.unwrap();
    end_of(&client).await;
    assert_eq!(
        gate.printed(),
        ("serving\n".to_owned(), String::new()),
        "health output is not the service's"
    );
    gate.wait();
}

#[tokio::test]
async fn what_a_health_command_said_before_does_not_count_when_its_agent_looks_again() {
    let mut gate = Gate::start("service");
    let client = gate.client().await;
    let cwd = gate.folder.path().to_str().unwrap().to_owned();
    // the third time it fails, as it does when a server that initialises an image makes way for the real one
    let count = "n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; [ $n -ne 3 ]";
    let check = HealthCheck {
        interval_ms: 3_600_000,
        ..health(&["sh", "-c", count]).unwrap()
    };
    let go = Go {
        cwd: Some(cwd),
        health: Some(check),
        ..command(&["sleep", "1000"])
    };
    client.go(go).await.unwrap();
    let is_healthy = |state: &GateState| state.health.as_ref().is_some_and(|h| h.state == HealthState::Healthy);
    until(&client, is_healthy).await;
    let tries = || fs::read_to_string(gate.folder.path().join("n")).unwrap();
    assert_eq!(tries(), "1\n");
    client.healthy_from_now().await.unwrap();
    assert_eq!(tries(), "5\n", "one success, a failure, and two in a row");
    client.kill().await.unwrap();
    assert!(matches!(client.healthy_from_now().await, Err(GateError::Gone)));
    gate.wait();
}

#[tokio::test]
async fn a_health_command_that_hangs_or_is_missing_has_failed() {
    for (argv, timeout_ms, says) in [
        (&["sleep", "1000"][..], 20, "(killed: it took longer than 20ms)"),
        (
            &["pg_isready_not"],
            60_000,
            "`pg_isready_not` was not found in the image",
        ),
        (&["sh", "-c", "echo hm; kill -9 $$"], 60_000, "hm\n(ended by signal 9)"),
    ] {
        let mut gate = Gate::start("service");
        let client = gate.client().await;
        let check = HealthCheck {
            timeout_ms,
            start_period_ms: 0,
            ..health(argv).unwrap()
        };
        client
            .go(Go {
                health: Some(check),
                ..command(&["sleep", "1000"])
            })
            .await
            .unwrap();
        let ill = |state: &GateState| state.health.as_ref().is_some_and(|h| h.state == HealthState::Unhealthy);
        let state = until(&client, ill).await.health.unwrap();
        assert!(state.output.starts_with(says), "{state:?}");
        client.kill().await.unwrap();
        gate.wait();
    }
}

#[tokio::test]
async fn an_anchor_probes_several_things_at_once() {
    let mut gate = Gate::start("anchor");
    let client = gate.client().await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap();
    let answers = std::thread::spawn(move || {
        for answer in ["HTTP/1.1 500 No\r\n\r\n", "HTTP/1.1 204 Yes\r\n\r\n"] {
            let (mut stream, _) = server.accept().unwrap();
            let mut request = [0; 256];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let interval = Duration::from_millis(1);
    let never = client.probe(ProbeTarget::Tcp(closed), interval, PATIENCE);
    let soon = client.probe(ProbeTarget::Tcp(closed), interval, Duration::from_millis(5));
    let http = client.probe(ProbeTarget::Http { addr, path: "/".into() }, interval, PATIENCE);
    let both = async { tokio::join!(soon, http) };
    tokio::select! {
        outcome = never => panic!("nobody listens there: {outcome:?}"),
        (soon, http) = both => {
            assert_eq!(soon.unwrap(), Err("connection refused".to_owned()));
            assert_eq!(http.unwrap(), Ok(()));
        }
    }
    answers.join().unwrap();
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = ProbeTarget::Tcp(open.local_addr().unwrap());
    assert_eq!(client.probe(target, interval, PATIENCE).await.unwrap(), Ok(()));
    client.quit().await.unwrap();
    assert_eq!(gate.wait(), 0);
    let target = ProbeTarget::Tcp(open.local_addr().unwrap());
    assert!(matches!(
        client.probe(target, interval, PATIENCE).await,
        Err(GateError::Gone)
    ));
}

//! Messages survive the way, and nothing else gets through.

use super::*;

fn requests() -> Vec<Request> {
    let health = HealthCheck {
        argv: vec!["redis-cli".into(), "ping".into()],
        ..HealthCheck::default()
    };
    vec![
        Request::Go(Go {
            argv: vec!["sh".into(), String::new(), "é".into()],
            env: vec![("A".into(), "b=c\n".into())],
            cwd: Some("/workspace".into()),
            script: Some(vec![0, 255, 10]),
            health: Some(health),
            stop_signal: 15,
            files: Vec::new(),
            log_limit: 0,
        }),
        Request::Go(Go::default()),
        Request::Signal(-3),
        Request::Kill,
        Request::Quit,
        Request::WhatRuns,
        Request::EndSession("s1".into()),
        Request::LookAgain(u64::MAX),
        Request::EndLog,
        Request::Probe(Probe {
            id: u64::MAX,
            target: ProbeTarget::Http {
                addr: "[::1]:80".parse().unwrap(),
                path: "/healthz".into(),
            },
            interval_ms: 50,
            timeout_ms: 1000,
        }),
        Request::Probe(Probe {
            id: 0,
            target: ProbeTarget::Ask {
                addr: "10.0.0.2:5432".parse().unwrap(),
                question: b"PING\r\n".to_vec(),
                starting: b"-LOADING".to_vec(),
            },
            interval_ms: 20,
            timeout_ms: 1000,
        }),
    ]
}

fn events() -> Vec<Event> {
    let exited = ExitStatus {
        exit_code: Some(3),
        error: Some("é".into()),
        ..ExitStatus::default()
    };
    vec![
        Event::Hello {
            version: 1,
            state: State::Running,
        },
        Event::Started { at: -1 },
        Event::Exited(exited),
        Event::Health(Health {
            state: HealthState::Unhealthy,
            exit_code: None,
            output: "no\n".into(),
            round: 0,
        }),
        Event::Health(Health {
            state: HealthState::Healthy,
            exit_code: Some(0),
            output: String::new(),
            round: u64::MAX,
        }),
        Event::Busy {
            pid: 12,
            command: "sleep 1000".into(),
        },
        Event::LogEnded,
        Event::ProbeDone {
            id: 7,
            ok: false,
            message: "connection refused".into(),
        },
    ]
}

#[test]
fn messages_arrive_as_they_were_sent_and_one_at_a_time() {
    let mut buffer = Vec::new();
    requests().iter().for_each(|request| request.encode(&mut buffer));
    let whole = buffer.clone();
    for request in requests() {
        let message = take_message(&mut buffer).unwrap().unwrap();
        assert!(Request::decode(&message) == Ok(request));
    }
    assert_eq!(take_message(&mut buffer), Ok(None));
    let mut half = whole[..whole.len() - 1].to_vec();
    while take_message(&mut half).unwrap().is_some() {}
    assert!(!half.is_empty(), "the last message is still to come");

    events().iter().for_each(|event| event.encode(&mut buffer));
    for event in events() {
        let message = take_message(&mut buffer).unwrap().unwrap();
        assert_eq!(Event::decode(&message), Ok(event));
    }
}

#[test]
fn cut_or_padded_messages_are_refused_and_nothing_panics() {
    let mut buffer = Vec::new();
    requests().iter().for_each(|request| request.encode(&mut buffer));
    while let Some(message) = take_message(&mut buffer).unwrap() {
        for cut in 0..message.len() {
            assert!(Request::decode(&message[..cut]) == Err(Malformed), "cut at {cut}");
            let _ = Event::decode(&message[..cut]);
        }
        let padded = [message.as_slice(), &[0]].concat();
        assert!(Request::decode(&padded) == Err(Malformed));
    }
    assert_eq!(take_message(&mut vec![255; 8]), Err(Malformed));
}

#[test]
fn files_travel_with_go_and_an_older_gate_hears_of_none() {
    let go = Go {
        files: vec![("/.drover/secrets/0".into(), b"s3cr3t".to_vec())],
        ..Go::default()
    };
    let encoded = |go: &Go| {
        let mut bytes = Vec::new();
        Request::Go(go.clone()).encode(&mut bytes);
        bytes
    };
    let bytes = encoded(&go);
    assert!(Request::decode(&bytes[4..]) == Ok(Request::Go(go)));
    let without = encoded(&Go::default());
    assert_eq!(without[without.len() - 4..], [0; 4], "it ends with the stop signal");
    let limited = Go {
        log_limit: 1 << 40,
        ..Go::default()
    };
    assert!(Request::decode(&encoded(&limited)[4..]) == Ok(Request::Go(limited)));
}

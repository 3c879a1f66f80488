//! An agent that speaks the protocol and runs nothing.

use std::collections::BTreeMap;

use protocol::attempt::{AttemptEvent, AttemptResult, EventKind, ReasonCode, StepOutcome, StepStatus, Verdict};
use protocol::ids::StackId;
use protocol::lease::{Enrolled, Events, Finish, Finished, Lease, LeaseRef, Poll, PollAnswer};
use protocol::record::{Record, Source};
use protocol::work::{AttemptWork, StackReport, Work};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, TestApp};

/// An agent with as many slots as it likes.
pub struct SimAgent {
    pub token: String,
    pub held: Vec<LeaseRef>,
    pub stacks: Vec<StackReport>,
}

/// The lease of an attempt.
#[derive(Clone)]
pub struct Leased {
    pub epoch: i64,
    pub work: AttemptWork,
}

impl From<Lease> for Leased {
    fn from(lease: Lease) -> Leased {
        match lease.work {
            Work::Attempt(work) => Leased {
                epoch: lease.epoch,
                work: *work,
            },
            Work::Stack(stack) => panic!("not an attempt: {stack:?}"),
        }
    }
}

impl std::ops::Deref for Leased {
    type Target = AttemptWork;

    fn deref(&self) -> &AttemptWork {
        &self.work
    }
}

impl SimAgent {
    pub async fn enrol(app: &TestApp) -> SimAgent {
        SimAgent::enrol_with(app, json!({}), json!(null)).await
    }

    /// With labels of the code, and those that it asks for.
    pub async fn enrol_with(app: &TestApp, code: Value, labels: Value) -> SimAgent {
        let code = app
            .post("/api/v1/agents/enrolment-codes", code)
            .await
            .expect(201)
            .json();
        let body = json!({"code": code["code"], "name": "sim", "labels": labels});
        let answer = app
            .send(app.anonymous(Method::POST, "/agent/v1/enrol").json(&body))
            .await
            .expect(200);
        let enrolled: Enrolled = serde_json::from_str(&answer.text).unwrap();
        SimAgent {
            token: enrolled.token,
            held: Vec::new(),
            stacks: Vec::new(),
        }
    }

    pub fn poll_body(&self, free_slots: u32) -> Poll {
        Poll {
            version: protocol::VERSION,
            capabilities: Vec::new(),
            slots: 2,
            free_slots,
            labels: BTreeMap::new(),
            held: self.held.clone(),
            software: "test".into(),
            hold_secs: None,
            resources: None,
            stacks: self.stacks.clone(),
        }
    }

    pub async fn poll_with(&self, app: &TestApp, poll: &Poll) -> Answer {
        let request = app
            .anonymous(Method::POST, "/agent/v1/poll")
            .bearer_auth(&self.token)
            .json(poll);
        app.send(request).await
    }

    /// A poll that is answered whether or not there is news.
    pub async fn poll_at_once(&self, app: &TestApp) -> Answer {
        let mut poll = self.poll_body(0);
        poll.hold_secs = Some(0);
        self.poll_with(app, &poll).await
    }

    pub async fn poll(&self, app: &TestApp, free_slots: u32) -> PollAnswer {
        let answer = self.poll_with(app, &self.poll_body(free_slots)).await.expect(200);
        serde_json::from_str(&answer.text).unwrap()
    }

    /// Polls until it has a lease, and holds it.
    pub async fn take(&mut self, app: &TestApp) -> Leased {
        let mut answer = self.poll(app, 1).await;
        let lease = Leased::from(answer.leases.pop().expect("a lease"));
        self.held.push(LeaseRef {
            attempt: lease.attempt.clone(),
            epoch: lease.epoch,
            resume: false,
        });
        lease
    }

    pub async fn report_events(&self, app: &TestApp, lease: &Leased, events: Vec<(u64, EventKind)>) -> Answer {
        let events = events.into_iter().map(|(seq, kind)| AttemptEvent {
            seq,
            at: 1_000_000 + seq as i64,
            kind,
        });
        let body = Events {
            epoch: lease.epoch,
            events: events.collect(),
        };
        let path = format!("/agent/v1/attempts/{}/events", lease.attempt);
        app.send(app.anonymous(Method::POST, &path).bearer_auth(&self.token).json(&body))
            .await
    }

    pub async fn started(&self, app: &TestApp, lease: &Leased) {
        self.report_events(app, lease, vec![(0, EventKind::Started)])
            .await
            .expect(204);
    }

    /// Uploads a log as it is on the wire.
    pub async fn upload(&self, app: &TestApp, lease: &Leased, (stream, query): (&str, &str), raw: &[u8]) -> Answer {
        let path = format!(
            "/agent/v1/attempts/{}/logs/{stream}?epoch={}&{query}",
            lease.attempt, lease.epoch
        );
        let body = zstd::encode_all(raw, 1).unwrap();
        app.send(app.anonymous(Method::PATCH, &path).bearer_auth(&self.token).body(body))
            .await
    }

    /// Adds lines at the end of a log that has `offset` bytes; gives the new end.
    pub async fn log(&self, app: &TestApp, lease: &Leased, (stream, offset): (&str, u64), lines: &[&str]) -> u64 {
        let raw = records(offset as i64, lines);
        let answer = self
            .upload(app, lease, (stream, &format!("offset={offset}")), &raw)
            .await
            .expect(200);
        answer.json()["next_offset"].as_u64().unwrap()
    }

    pub async fn finish(&mut self, app: &TestApp, lease: &Leased, result: AttemptResult) -> Answer {
        self.finish_with(app, lease, result, &[]).await
    }

    pub async fn finish_with(
        &mut self,
        app: &TestApp,
        lease: &Leased,
        result: AttemptResult,
        outputs: &[(&str, &str)],
    ) -> Answer {
        let body = Finish {
            epoch: lease.epoch,
            events: Vec::new(),
            result,
            outputs: outputs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect(),
            retain_secs: None,
            held_until: None,
        };
        self.tell_end(app, lease, &body).await
    }

    pub async fn pass(&mut self, app: &TestApp, lease: &Leased) {
        self.finish(app, lease, AttemptResult::passed()).await.expect(200);
    }

    /// Ends an attempt as one that failed and whose containers are to stay; the stack that they are.
    pub async fn fail_and_retain(&mut self, app: &TestApp, lease: &Leased, secs: u64) -> StackId {
        let body = Finish {
            epoch: lease.epoch,
            events: Vec::new(),
            result: AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "step `test` exited with 1"),
            outputs: BTreeMap::new(),
            retain_secs: Some(secs),
            held_until: None,
        };
        let answer = self.tell_end(app, lease, &body).await.expect(200);
        let finished: Finished = serde_json::from_str(&answer.text).unwrap();
        let lease = finished.stack.expect("a stack");
        let Work::Stack(work) = lease.work else {
            panic!("not a stack");
        };
        self.stacks.push(StackReport {
            stack: work.stack.clone(),
            epoch: lease.epoch,
        });
        work.stack
    }

    async fn tell_end(&mut self, app: &TestApp, lease: &Leased, body: &Finish) -> Answer {
        self.finish_as(app, lease, serde_json::to_value(body).unwrap()).await
    }

    /// Ends an attempt in these words.
    pub async fn finish_as(&mut self, app: &TestApp, lease: &Leased, body: Value) -> Answer {
        self.held.retain(|held| held.attempt != lease.attempt);
        let path = format!("/agent/v1/attempts/{}/finish", lease.attempt);
        app.send(app.anonymous(Method::POST, &path).bearer_auth(&self.token).json(&body))
            .await
    }

    /// Ends an attempt as a step that exited with 1 does.
    pub async fn fail(&mut self, app: &TestApp, lease: &Leased) {
        let outcome = StepOutcome {
            status: StepStatus::Failed,
            exit_code: Some(1),
            signal: None,
            oom: false,
            reason: Some("step `test` exited with 1".into()),
            duration_us: 10,
            peak_memory_bytes: 0,
            cpu_us: 0,
            tries: 1,
        };
        let events = vec![
            (1, EventKind::StepStarted { step: 0 }),
            (2, EventKind::StepFinished { step: 0, outcome }),
        ];
        self.report_events(app, lease, events).await.expect(204);
        let result = AttemptResult::because(Verdict::Failed, ReasonCode::StepFailed, "step `test` exited with 1");
        self.finish(app, lease, result).await.expect(200);
    }
}

/// Lines as records; their times grow.
pub fn records(at: i64, lines: &[&str]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let record = Record {
            source: Source::Stdout,
            at: at + place as i64,
            continues: false,
            bytes: line.as_bytes(),
        };
        record.encode(&mut raw);
    }
    raw
}

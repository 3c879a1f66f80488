//! A coordinator for tests: it speaks the agent protocol over HTTP, keeps what it is told, checks that nothing is told
//! twice differently, and breaks when it is asked to.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post, put};
use axum::{Json, Router};
use protocol::attempt::{AttemptEvent, AttemptResult, EventKind};
use protocol::ids::{AttemptId, StackId, StreamId};
use protocol::lease::{ErrorBody, Events, Finish, Finished, Lease, LogAnswer, Poll, PollAnswer};
use protocol::reports::TestUpload;
use protocol::work::{AttemptWork, Work};
use serde::Deserialize;
use tokio::sync::watch;

use crate::retained::stack_of;
use crate::stage::texts;

/// The token that it takes.
pub const TOKEN: &str = "agent-token";

/// The coordinator. Clones share it.
#[derive(Clone)]
pub struct Coordinator {
    pub url: String,
    state: Arc<Mutex<Truth>>,
    changed: watch::Sender<u64>,
}

/// All it knows.
#[derive(Default)]
pub struct Truth {
    queue: VecDeque<Lease>,
    leased: BTreeMap<AttemptId, Lease>,
    pub events: BTreeMap<AttemptId, BTreeMap<u64, AttemptEvent>>,
    logs: BTreeMap<(AttemptId, StreamId), Log>,
    /// What test reports said, part by part.
    pub tests: BTreeMap<AttemptId, Vec<TestUpload>>,
    finished: BTreeMap<AttemptId, AttemptResult>,
    cancel: BTreeSet<AttemptId>,
    /// Stacks to remove.
    pub release: BTreeSet<StackId>,
    /// Leases that were given to somebody else.
    taken: BTreeSet<AttemptId>,
    away: bool,
    /// What happens to the next parts of logs.
    faults: VecDeque<Fault>,
    /// Archives by their address: `artifacts/binary`, `caches/cargo-1`.
    pub archives: BTreeMap<String, Vec<u8>>,
    /// So many uploads are broken off.
    pub broken_uploads: u32,
    /// How large an artifact may be; 0: very.
    pub artifact_bytes: u64,
    /// Polls that came in.
    pub polls: Vec<Poll>,
}

#[derive(Default)]
struct Log {
    records: Vec<u8>,
    eof: bool,
}

/// How a part of a log can go wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// 500, and nothing is kept.
    Broken,
    /// The answer is lost, the part is kept.
    AnswerLost,
    /// A crash took the last half of what was there.
    Forgot,
}

impl Coordinator {
    /// Listens on a port of its own, on the test's runtime.
    pub async fn new() -> Coordinator {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let coordinator = Coordinator {
            url: format!("http://{}", listener.local_addr().unwrap()),
            state: Arc::default(),
            changed: watch::channel(0).0,
        };
        let router = Router::new()
            .route("/agent/v1/poll", post(poll))
            .route("/agent/v1/attempts/{attempt}/events", post(events))
            .route("/agent/v1/attempts/{attempt}/logs/{stream}", patch(log))
            .route("/agent/v1/attempts/{attempt}/tests", put(tests))
            .route("/agent/v1/attempts/{attempt}/finish", post(finish))
            .merge(crate::keeper::routes())
            .layer(middleware::from_fn_with_state(coordinator.clone(), admit))
            .with_state(coordinator.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        coordinator
    }

    /// What it knows now.
    pub fn truth(&self) -> MutexGuard<'_, Truth> {
        self.state.lock().unwrap()
    }

    /// Changes what it knows.
    pub fn change(&self, change: impl FnOnce(&mut Truth)) {
        change(&mut self.truth());
        self.changed.send_modify(|count| *count += 1);
    }

    /// Queues a job.
    pub fn queue_attempt(&self, work: AttemptWork) -> AttemptId {
        let attempt = work.attempt.clone();
        let lease = Lease {
            epoch: 3,
            work: Work::Attempt(Box::new(work)),
        };
        self.change(|truth| truth.queue.push_back(lease));
        attempt
    }

    /// Somebody cancels it.
    pub fn cancel(&self, attempt: &AttemptId) {
        self.change(|truth| truth.cancel.extend([attempt.clone()]));
    }

    /// Its lease ran out and was given to another agent.
    pub fn give_away(&self, attempt: &AttemptId) {
        self.change(|truth| truth.taken.extend([attempt.clone()]));
    }

    /// It does not answer any more, or does again.
    pub fn set_away(&self, away: bool) {
        self.change(|truth| truth.away = away);
    }

    /// The next parts of logs go wrong like that.
    pub fn break_logs(&self, faults: impl IntoIterator<Item = Fault>) {
        self.change(|truth| truth.faults.extend(faults));
    }

    /// Waits until something is so.
    pub async fn until(&self, so: impl Fn(&Truth) -> bool) {
        let mut changed = self.changed.subscribe();
        while !so(&self.truth()) {
            changed.changed().await.unwrap();
        }
    }

    /// Waits for the end of an attempt.
    pub async fn finished(&self, attempt: &AttemptId) -> AttemptResult {
        self.until(|truth| truth.finished.contains_key(attempt)).await;
        self.truth().finished[attempt].clone()
    }

    /// Waits until that step has begun.
    pub async fn step_started(&self, attempt: &AttemptId, step: usize) {
        let begun = |event: &AttemptEvent| event.kind == EventKind::StepStarted { step };
        self.until(|truth| {
            truth
                .events
                .get(attempt)
                .is_some_and(|events| events.values().any(begun))
        })
        .await;
    }

    /// Waits until a log has a line.
    pub async fn said(&self, attempt: &AttemptId, stream: &StreamId, line: &str) {
        self.until(|truth| truth.lines(attempt, stream).iter().any(|said| said == line))
            .await;
    }
}

impl Truth {
    /// The lines of a log.
    pub fn lines(&self, attempt: &AttemptId, stream: &StreamId) -> Vec<String> {
        let log = self.logs.get(&(attempt.clone(), stream.clone()));
        log.map(|log| texts(&log.records)).unwrap_or_default()
    }

    /// The end of an attempt, if it has one.
    pub fn result(&self, attempt: &AttemptId) -> Option<&AttemptResult> {
        self.finished.get(attempt)
    }

    /// Logs that are not complete.
    fn open_logs(&self, attempt: &AttemptId) -> Vec<&StreamId> {
        let logs = self.logs.iter().filter(|((of, _), log)| of == attempt && !log.eof);
        logs.map(|((_, stream), _)| stream).collect()
    }

    fn answer(&mut self, poll: &Poll) -> PollAnswer {
        let mut answer = PollAnswer::default();
        for held in &poll.held {
            let ours = self.leased.get(&held.attempt).filter(|lease| lease.epoch == held.epoch);
            match ours {
                Some(lease) if !self.is_over(&held.attempt) => {
                    if held.resume {
                        answer.leases.push(lease.clone());
                    }
                    if self.cancel.contains(&held.attempt) {
                        answer.cancel.push(held.attempt.clone());
                    }
                }
                _ => answer.lost.push(held.attempt.clone()),
            }
        }
        let stacks = poll.stacks.iter().map(|report| report.stack.clone());
        answer.release = stacks.filter(|stack| self.release.contains(stack)).collect();
        for _ in 0..poll.free_slots {
            let Some(lease) = self.queue.pop_front() else {
                break;
            };
            if let Work::Attempt(work) = &lease.work {
                self.leased.insert(work.attempt.clone(), lease.clone());
            }
            answer.leases.push(lease);
        }
        answer
    }

    fn is_over(&self, attempt: &AttemptId) -> bool {
        self.taken.contains(attempt) || self.finished.contains_key(attempt)
    }

    /// Whether the lease is still in force.
    fn is_leased(&self, attempt: &AttemptId, epoch: i64) -> bool {
        let lease = self.leased.get(attempt);
        lease.is_some_and(|lease| lease.epoch == epoch) && !self.taken.contains(attempt)
    }
}

fn refuse(status: StatusCode, code: &str) -> Response {
    let body = ErrorBody {
        code: code.into(),
        message: format!("no: {code}"),
    };
    (status, Json(body)).into_response()
}

async fn admit(State(coordinator): State<Coordinator>, request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get("authorization")
        .and_then(|token| token.to_str().ok());
    if token != Some(&format!("Bearer {TOKEN}")) {
        return refuse(StatusCode::UNAUTHORIZED, "unauthorized");
    }
    if coordinator.truth().away {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "away");
    }
    let answer = next.run(request).await;
    coordinator.changed.send_modify(|count| *count += 1);
    answer
}

async fn poll(State(coordinator): State<Coordinator>, Json(poll): Json<Poll>) -> Response {
    coordinator.change(|truth| truth.polls.push(poll.clone()));
    let mut changed = coordinator.changed.subscribe();
    let held = async {
        loop {
            let answer = coordinator.truth().answer(&poll);
            let work = !answer.leases.is_empty() || !answer.release.is_empty();
            if work || !(answer.cancel.is_empty() && answer.lost.is_empty()) {
                return answer;
            }
            changed.changed().await.unwrap();
        }
    };
    let hold = Duration::from_secs(poll.hold_secs.unwrap());
    Json(tokio::time::timeout(hold, held).await.unwrap_or_default()).into_response()
}

async fn events(
    State(coordinator): State<Coordinator>,
    Path(attempt): Path<AttemptId>,
    Json(message): Json<Events>,
) -> Response {
    let mut truth = coordinator.truth();
    if !truth.is_leased(&attempt, message.epoch) {
        return refuse(StatusCode::CONFLICT, "stale_epoch");
    }
    note(&mut truth, &attempt, message.events);
    StatusCode::NO_CONTENT.into_response()
}

/// One number, one event; numbers have no gap.
fn note(truth: &mut Truth, attempt: &AttemptId, message: Vec<AttemptEvent>) {
    let known = truth.events.entry(attempt.clone()).or_default();
    for event in message {
        assert!(event.seq <= known.len() as u64, "a gap before {event:?}");
        let first = known.entry(event.seq).or_insert_with(|| event.clone());
        assert_eq!(*first, event, "told twice, differently");
    }
}

#[derive(Deserialize)]
struct Part {
    offset: usize,
    epoch: i64,
    eof: u8,
}

async fn log(
    State(coordinator): State<Coordinator>,
    Path((attempt, stream)): Path<(AttemptId, StreamId)>,
    Query(part): Query<Part>,
    body: Bytes,
) -> Response {
    let mut truth = coordinator.truth();
    if !truth.is_leased(&attempt, part.epoch) {
        return refuse(StatusCode::CONFLICT, "stale_epoch");
    }
    let fault = truth.faults.pop_front();
    let log = truth.logs.entry((attempt, stream)).or_default();
    if let Some(Fault::Forgot) = fault {
        log.records.truncate(first_half(&log.records));
    }
    let answer = |log: &Log| {
        Json(LogAnswer {
            next_offset: log.records.len() as u64,
        })
    };
    if let Some(Fault::Broken) = fault {
        return refuse(StatusCode::INTERNAL_SERVER_ERROR, "broken");
    }
    if part.offset != log.records.len() {
        return (StatusCode::CONFLICT, answer(log)).into_response();
    }
    let records = zstd::stream::decode_all(body.as_ref()).unwrap();
    assert!(records.len() <= (1 << 20) + 65_536, "a part of {} bytes", records.len());
    let mut whole = protocol::record::records(&records);
    assert!(whole.by_ref().all(|record| record.is_ok()) && whole.offset() == records.len());
    log.records.extend(records);
    log.eof |= part.eof == 1;
    if let Some(Fault::AnswerLost) = fault {
        return refuse(StatusCode::BAD_GATEWAY, "lost");
    }
    answer(log).into_response()
}

/// The end of a record about half-way.
fn first_half(records: &[u8]) -> usize {
    let mut len = 0;
    while let Ok(Some((_, record))) = protocol::record::decode(&records[len..]) {
        if len + record > records.len() / 2 {
            break;
        }
        len += record;
    }
    len
}

#[derive(Deserialize)]
struct Epoch {
    epoch: i64,
}

async fn tests(
    State(coordinator): State<Coordinator>,
    Path(attempt): Path<AttemptId>,
    Query(message): Query<Epoch>,
    body: Bytes,
) -> Response {
    let mut truth = coordinator.truth();
    if !truth.is_leased(&attempt, message.epoch) {
        return refuse(StatusCode::CONFLICT, "stale_epoch");
    }
    assert!(truth.result(&attempt).is_none(), "tests are told before the end");
    let part: TestUpload = serde_json::from_slice(&zstd::stream::decode_all(body.as_ref()).unwrap()).unwrap();
    truth.tests.entry(attempt).or_default().push(part);
    StatusCode::NO_CONTENT.into_response()
}

async fn finish(
    State(coordinator): State<Coordinator>,
    Path(attempt): Path<AttemptId>,
    Json(message): Json<Finish>,
) -> Response {
    let mut truth = coordinator.truth();
    if !truth.is_leased(&attempt, message.epoch) {
        return refuse(StatusCode::CONFLICT, "stale_epoch");
    }
    assert_eq!(
        truth.open_logs(&attempt),
        Vec::<&StreamId>::new(),
        "logs are complete before the end is told"
    );
    note(&mut truth, &attempt, message.events);
    let stack = message.retain_secs.map(|_| stack_of(&attempt));
    truth.finished.insert(attempt, message.result);
    Json(Finished { stack }).into_response()
}

//! The logs of a whole build as one stream of JSON lines, with job, step or service and time on each: what `drover
//! logs` prints, also while the build runs.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use job_specs::model::JobSpec;
use protocol::api::BuildLogLine;
use protocol::ids::{AttemptId, JobId, StreamId};
use protocol::record::Source;
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::logs::{send, streamed};
use crate::app::App;
use crate::http::access::{self, Reader};
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::follow::{Behind, Follower, Positions, wire};
use crate::logs::{Line, LogError};
use crate::store::{Change, StoreError, builds, jobs};

/// A piece of the answer, in bytes.
const PIECE_BYTES: usize = 64 * 1024;
/// While following, lines that come within this time come together.
const PACE: Duration = Duration::from_millis(30);

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(build_logs))
}

/// Which lines of a build.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    /// `1`: goes on until the build is over.
    follow: Option<u8>,
    /// Of this job only: its id, its name (all cells) or its title.
    job: Option<String>,
    /// Of this step only: its name, or its place from 1.
    step: Option<String>,
    /// Of this service only.
    service: Option<String>,
    /// `1`: no JSON, but the bytes that steps and services wrote, one for one; of a whole job, Drover's lines too.
    raw: Option<u8>,
}

/// Every job's lines in order, one JSON object per line: `{job, job_id, attempt, stream, step, service, n, t, s,
/// text}`. With `follow=1` jobs come as they run, and the answer ends when the build is over.
#[utoipa::path(get, path = "/api/v1/builds/{number}/logs", params(("number", description = "The build"), LogsQuery),
    responses((status = 200, body = BuildLogLine, content_type = "application/x-ndjson")))]
async fn build_logs(
    State(app): State<App>,
    Reader(user): Reader,
    Path(number): Path<i64>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, ApiError> {
    // Before anything is read, so that nothing happens unseen in between.
    let changes = app.store.changes();
    builds::show(&app.store, number).await?;
    let (out, body) = mpsc::channel(16);
    let content_type = match query.raw {
        Some(1) => "application/octet-stream",
        _ => "application/x-ndjson",
    };
    let stream_of_build = BuildLogStream {
        app: app.clone(),
        number,
        mid_line: None,
        follows: query.follow == Some(1),
        query,
        out,
        known: HashMap::new(),
        sent: HashMap::new(),
    };
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = app.stop.cancelled() => {}
            () = access::revoked(&app, user.as_ref()) => {}
            streamed = stream_of_build.run(changes) => if let Err(error) = streamed {
                tracing::warn!(build = number, %error, "the logs were not sent to their end");
            }
        }
    });
    Ok(streamed(content_type, body))
}

/// What a job is called, and what its steps are.
struct Known {
    title: String,
    spec: JobSpec,
}

struct BuildLogStream {
    app: App,
    number: i64,
    query: LogsQuery,
    follows: bool,
    out: mpsc::Sender<Bytes>,
    known: HashMap<JobId, Known>,
    /// In raw bytes: whose line has no end yet.
    mid_line: Option<(AttemptId, StreamId)>,
    /// How far each attempt was sent.
    sent: HashMap<AttemptId, Positions>,
}

/// Why telling ended early.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the reader is gone")]
    ReaderGone,
}

impl BuildLogStream {
    async fn run(mut self, mut changes: broadcast::Receiver<Change>) -> Result<(), Ended> {
        loop {
            let build = builds::show(&self.app.store, self.number).await?;
            let jobs: Vec<_> = build.jobs.iter().filter(|job| self.wants_job(job)).collect();
            let mut growing = Vec::new();
            for job in jobs {
                let Some(attempt) = job.attempt.clone() else {
                    continue;
                };
                let number = u32::try_from(job.attempts).unwrap_or(0);
                if let Some(follower) = self.tell_attempt(&job.id, attempt, number).await? {
                    growing.push(follower);
                }
            }
            if !self.follows || build.build.status.is_final() {
                return Ok(());
            }
            tokio::select! {
                () = self.out.closed() => return Err(Ended::ReaderGone),
                () = concerns(&mut changes, self.number) => {}
                () = any_grows(growing) => {}
            }
            tokio::time::sleep(PACE).await;
        }
    }

    fn wants_job(&self, job: &jobs::Job) -> bool {
        let wanted = self.query.job.as_deref();
        wanted.is_none_or(|wanted| [job.id.as_str(), &job.name, &job.title].contains(&wanted))
    }

    /// Tells what is new of an attempt; gives its follower unless it has ended.
    async fn tell_attempt(&mut self, job: &JobId, attempt: AttemptId, number: u32) -> Result<Option<Follower>, Ended> {
        if !self.known.contains_key(job) {
            let found = jobs::show(&self.app.store, job).await?;
            let known = Known {
                title: found.job.title,
                spec: found.spec,
            };
            self.known.insert(job.clone(), known);
        }
        let positions = self.sent.remove(&attempt).unwrap_or_default();
        let mut follower = match Follower::start(&self.app.logs, &attempt, positions).await {
            Err(LogError::Removed | LogError::NotFound) => return Ok(None),
            other => other?,
        };
        let mut heads = Heads::new();
        loop {
            self.fill(&mut heads, &mut follower, job).await?;
            let Some(text) = self.text(&mut heads, &mut follower, (job, number)) else {
                break;
            };
            if !text.is_empty() && !send(&self.out, text).await {
                return Err(Ended::ReaderGone);
            }
        }
        self.sent.insert(attempt, follower.positions().clone());
        Ok((!follower.is_at_end()).then_some(follower))
    }

    /// Gives every stream that somebody wants its next lines, unless it still has some.
    async fn fill(&self, heads: &mut Heads, follower: &mut Follower, job: &JobId) -> Result<(), LogError> {
        for (stream, behind) in follower.streams() {
            if !self.wants_stream(&stream, &self.known[job].spec) {
                follower.skip(&stream);
            } else if behind == Behind::Yes && heads.get(&stream).is_none_or(VecDeque::is_empty) {
                let lines = follower.take(&stream).await?;
                heads.insert(stream, lines.into());
            }
        }
        Ok(())
    }

    /// Lines by time across the streams, until one of them must be filled again, or a piece is full. `None`: there are
    /// none.
    fn text(&mut self, heads: &mut Heads, follower: &mut Follower, (job, attempt): (&JobId, u32)) -> Option<Vec<u8>> {
        let (mut text, mut is_any) = (Vec::new(), false);
        while let Some((stream, line)) = next_by_time(heads) {
            is_any = true;
            if self.query.raw == Some(1) {
                self.put_raw(&mut text, (follower.attempt(), &stream), &line);
            } else {
                self.put_json(&mut text, (job, attempt), &stream, &line);
            }
            let is_empty = heads.get(&stream).is_none_or(VecDeque::is_empty);
            let must_fill = is_empty && follower.streams().contains(&(stream, Behind::Yes));
            if must_fill || text.len() > PIECE_BYTES {
                break;
            }
        }
        is_any.then_some(text)
    }

    fn put_json(&self, text: &mut Vec<u8>, (job, attempt): (&JobId, u32), stream: &StreamId, line: &Line) {
        let known = &self.known[job];
        let step = stream.step_index().and_then(|index| known.spec.steps.get(index));
        let shown = wire(line);
        let line = BuildLogLine {
            job: known.title.as_str().into(),
            job_id: job.as_str().into(),
            attempt,
            stream: stream.as_str().into(),
            step: step.map(|step| step.name.as_str().into()),
            service: stream.service_name().map(Into::into),
            n: shown.n,
            t: shown.t,
            s: shown.s.letter().into(),
            text: shown.text.into(),
        };
        serde_json::to_writer(&mut *text, &line).expect("strings and numbers");
        text.push(b'\n');
    }

    /// Only between two streams is a line end put where none was.
    fn put_raw(&mut self, text: &mut Vec<u8>, of: (&AttemptId, &StreamId), line: &Line) {
        if line.source == Source::System {
            return; // ours: nobody wrote that
        }
        let is_of_another = |(attempt, stream): &(AttemptId, StreamId)| (attempt, stream) != of;
        if self.mid_line.take().is_some_and(|open| is_of_another(&open)) {
            text.push(b'\n');
        }
        text.extend_from_slice(&line.bytes);
        if line.continues {
            self.mid_line = Some((of.0.clone(), of.1.clone()));
        } else {
            text.push(b'\n');
        }
    }

    fn wants_stream(&self, stream: &StreamId, spec: &JobSpec) -> bool {
        if self.query.step.is_none() && self.query.service.is_none() {
            return true;
        }
        let is_step = self.query.step.as_deref().is_some_and(|wanted| {
            stream.step_index().is_some_and(|index| {
                wanted == (index + 1).to_string() || spec.steps.get(index).is_some_and(|step| step.name == wanted)
            })
        });
        is_step
            || self
                .query
                .service
                .as_deref()
                .is_some_and(|wanted| stream.service_name() == Some(wanted))
    }
}

/// The next lines of each stream.
type Heads = BTreeMap<StreamId, VecDeque<Line>>;

/// Takes the line with the earliest time among the first of each stream.
fn next_by_time(heads: &mut Heads) -> Option<(StreamId, Line)> {
    let firsts = heads
        .iter()
        .filter_map(|(stream, lines)| Some((lines.front()?.at, stream)));
    let stream = firsts.min().map(|(_, stream)| stream.clone())?;
    let line = heads.get_mut(&stream)?.pop_front()?;
    Some((stream, line))
}

/// Waits for a change of that build.
async fn concerns(changes: &mut broadcast::Receiver<Change>, number: i64) {
    loop {
        match changes.recv().await {
            Ok(Change::Build(changed)) if changed == number => return,
            Ok(Change::All) | Err(broadcast::error::RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// Waits until one of the logs grows.
async fn any_grows(followers: Vec<Follower>) {
    if followers.is_empty() {
        std::future::pending::<()>().await;
    }
    let grown = followers
        .into_iter()
        .map(|mut follower| Box::pin(async move { follower.grown().await }));
    futures_util::future::select_all(grown).await;
}

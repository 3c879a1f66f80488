//! The logs of an attempt: what there is, pages of lines, search, and the text. Lines are numbered from 1.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use protocol::ids::{AttemptId, StreamId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use web::views::LogLine;

use crate::app::App;
use crate::http::access::Reader;
use crate::http::error::ApiError;
use crate::http::extract::{Path, Query};
use crate::http::follow::wire;
use crate::logs::{Case, Find, LogError, LogKey, Meta, Syntax};
use crate::store::Micros;

/// Lines in one answer, at most.
const MAX_LINES: usize = 5_000;
/// Hits that are listed, at most; further ones are only counted.
const MAX_HITS: u64 = 10_000;
/// A reader who takes nothing for so long is gone.
const READER_PATIENCE: Duration = Duration::from_secs(60);

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(streams))
        .routes(routes!(meta))
        .routes(routes!(lines))
        .routes(routes!(find))
        .routes(routes!(raw))
}

/// What is known of a log without reading it.
#[derive(Debug, Serialize, ToSchema)]
struct Stream {
    /// `job`, `step-0`…, `service-db`.
    stream: String,
    /// Lines so far.
    lines: u64,
    /// Bytes so far.
    bytes: u64,
    /// No more will come.
    eof: bool,
    /// Time of the first line.
    first_at: Option<Micros>,
    /// Time of the last line.
    last_at: Option<Micros>,
    /// Groups of lines; none are made yet.
    groups: Vec<Mark>,
    /// Lines that look like errors.
    marks: Vec<Mark>,
}

/// A line worth jumping to.
#[derive(Debug, Serialize, ToSchema)]
struct Mark {
    /// Its number.
    line: u64,
    /// `error`
    kind: &'static str,
}

impl Stream {
    fn new(stream: &StreamId, meta: Meta) -> Stream {
        let marks = meta.marks.iter().map(|mark| Mark {
            line: mark.line + 1,
            kind: "error",
        });
        Stream {
            stream: stream.to_string(),
            marks: marks.collect(),
            lines: meta.lines,
            bytes: meta.bytes,
            eof: meta.eof,
            first_at: meta.first_at,
            last_at: meta.last_at,
            groups: Vec::new(),
        }
    }
}

/// Some lines of a log.
#[derive(Debug, Serialize, ToSchema)]
struct Lines {
    /// `job`, `step-0`…, `service-db`.
    stream: String,
    /// Number of the first line.
    from: u64,
    /// `{n, t, s, text}`: number, time, `o` `e` or `s`, and the text.
    #[schema(value_type = Vec<Object>)]
    lines: Vec<LogLine>,
    /// Lines that the log has now.
    total: u64,
    /// No more will come.
    eof: bool,
}

/// Which lines.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LinesQuery {
    /// The first line's number, 1 by default.
    from: Option<u64>,
    /// At most so many, 500 by default, 5,000 at most.
    n: Option<usize>,
}

/// What to look for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct FindQuery {
    /// Text, or a regular expression.
    q: String,
    /// `1`: `q` is a regular expression.
    re: Option<u8>,
    /// `1`: `a` does not find `A`.
    case: Option<u8>,
    /// From this line on.
    from: Option<u64>,
}

/// How the text should look.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RawQuery {
    /// `1`: each line begins with its time.
    ts: Option<u8>,
    /// `0`: without terminal colours.
    ansi: Option<u8>,
}

fn key(attempt: String, stream: &str) -> Result<LogKey, ApiError> {
    Ok(LogKey {
        attempt: AttemptId(attempt),
        stream: StreamId::parse(stream).ok_or(ApiError::NotFound("log"))?,
    })
}

/// The logs of an attempt.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/logs", params(("attempt", description = "Its id")),
    responses((status = 200, body = Vec<Stream>)))]
async fn streams(
    State(app): State<App>,
    _: Reader,
    Path(attempt): Path<String>,
) -> Result<Json<Vec<Stream>>, ApiError> {
    let attempt = AttemptId(attempt);
    let mut all = Vec::new();
    for stream in app.logs.streams(&attempt).await? {
        let key = LogKey {
            attempt: attempt.clone(),
            stream,
        };
        let meta = app.logs.meta(&key).await?;
        all.push(Stream::new(&key.stream, meta));
    }
    Ok(Json(all))
}

/// What is known of a log without reading it.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/logs/{stream}/meta",
    params(("attempt", description = "The attempt"), ("stream", description = "`job`, `step-0`…, `service-db`")),
    responses((status = 200, body = Stream)))]
async fn meta(
    State(app): State<App>,
    _: Reader,
    Path((attempt, stream)): Path<(String, String)>,
) -> Result<Json<Stream>, ApiError> {
    let key = key(attempt, &stream)?;
    let meta = app.logs.meta(&key).await?;
    Ok(Json(Stream::new(&key.stream, meta)))
}

/// Some lines of a log.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/logs/{stream}/lines",
    params(("attempt", description = "The attempt"), ("stream", description = "`job`, `step-0`…, `service-db`"),
        LinesQuery),
    responses((status = 200, body = Lines)))]
async fn lines(
    State(app): State<App>,
    _: Reader,
    Path((attempt, stream)): Path<(String, String)>,
    Query(query): Query<LinesQuery>,
) -> Result<Response, ApiError> {
    let key = key(attempt, &stream)?;
    let meta = app.logs.meta(&key).await?;
    let from = query.from.unwrap_or(1).max(1);
    let count = query.n.unwrap_or(500).min(MAX_LINES);
    let found: Vec<LogLine> = app.logs.lines(&key, from - 1, count).await?.iter().map(wire).collect();
    let is_whole = found.len() == count || meta.eof;
    let answer = Lines {
        stream,
        from,
        lines: found,
        total: meta.lines,
        eof: meta.eof,
    };
    let mut response = Json(answer).into_response();
    if is_whole && count > 0 {
        // A log only grows, so these lines are the same for ever; `total` and `eof` are asked by `meta`.
        let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
        response.headers_mut().insert(header::CACHE_CONTROL, forever);
    }
    Ok(response)
}

/// Searches a log: one JSON object `{line, col, len}` per line as hits are found, then `{total}`.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/logs/{stream}/find",
    params(("attempt", description = "The attempt"), ("stream", description = "`job`, `step-0`…, `service-db`"),
        FindQuery),
    responses((status = 200, content_type = "application/x-ndjson")))]
async fn find(
    State(app): State<App>,
    _: Reader,
    Path((attempt, stream)): Path<(String, String)>,
    Query(query): Query<FindQuery>,
) -> Result<Response, ApiError> {
    let key = key(attempt, &stream)?;
    let find = Find {
        query: query.q,
        syntax: if query.re == Some(1) {
            Syntax::Regex
        } else {
            Syntax::Text
        },
        case: if query.case == Some(1) {
            Case::Kept
        } else {
            Case::Ignored
        },
    };
    let from = query.from.unwrap_or(1).max(1) - 1;
    let mut hits = app.logs.find(&key, find, from).await?;
    let (out, body) = mpsc::channel(16);
    app.tasks.spawn(async move {
        let mut total = 0_u64;
        while let Some(Ok(hit)) = hits.recv().await {
            total += 1;
            let line = serde_json::json!({"line": hit.line + 1, "col": hit.column, "len": hit.len});
            if total <= MAX_HITS && !send(&out, format!("{line}\n")).await {
                return;
            }
        }
        send(&out, format!("{{\"total\":{total}}}\n")).await;
    });
    Ok(streamed("application/x-ndjson", body))
}

/// The bytes that a step or service wrote, one for one, its secrets masked; of `job`, Drover's own lines. With `ts` or
/// `ansi`: its lines as text.
#[utoipa::path(get, path = "/api/v1/attempts/{attempt}/logs/{stream}/raw",
    params(("attempt", description = "The attempt"), ("stream", description = "`job`, `step-0`…, `service-db`"),
        RawQuery),
    responses((status = 200, content_type = "text/plain")))]
async fn raw(
    State(app): State<App>,
    _: Reader,
    Path((attempt, stream)): Path<(String, String)>,
    Query(query): Query<RawQuery>,
) -> Result<Response, ApiError> {
    let key = key(attempt, &stream)?;
    let (out, body) = mpsc::channel(16);
    if query.ts == Some(1) || query.ansi == Some(0) {
        app.logs.meta(&key).await?;
        app.tasks.spawn(write_lines(app.clone(), key, query, out));
    } else {
        let mut pieces = app.logs.raw(&key).await?;
        app.tasks.spawn(async move {
            while let Some(Ok(piece)) = pieces.recv().await {
                if !send(&out, piece).await {
                    return;
                }
            }
        });
    }
    Ok(streamed("text/plain; charset=utf-8", body))
}

async fn write_lines(app: App, key: LogKey, query: RawQuery, out: mpsc::Sender<Bytes>) {
    let mut from = 0;
    loop {
        let found = match app.logs.lines(&key, from, MAX_LINES).await {
            Ok(found) if found.is_empty() => return,
            Ok(found) => found,
            Err(error) => return tracing::warn!(%error, "a log cannot be read to its end"),
        };
        from += found.len() as u64;
        let mut text = String::new();
        for line in found {
            if query.ts == Some(1) {
                let at = jiff::Timestamp::from_microsecond(line.at).unwrap_or_default();
                text.push_str(&format!("{at:.6} "));
            }
            match query.ansi {
                Some(0) => text.push_str(&web::ansi::plain(&line.text())),
                _ => text.push_str(&line.text()),
            }
            text.push('\n');
        }
        if !send(&out, text).await {
            return;
        }
    }
}

/// Hands a piece to the reader; false when the reader is gone.
pub(super) async fn send(out: &mpsc::Sender<Bytes>, piece: impl Into<Bytes>) -> bool {
    let sent = out.send_timeout(piece.into(), READER_PATIENCE);
    sent.await.is_ok()
}

/// An answer whose body comes piece by piece.
pub(super) fn streamed(content_type: &'static str, body: mpsc::Receiver<Bytes>) -> Response {
    let pieces = stream::unfold(body, async |mut body| {
        let piece = body.recv().await?;
        Some((Ok::<Bytes, LogError>(piece), body))
    });
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    // Whoever compresses it asks once more behind its end.
    (headers, Body::from_stream(pieces.fuse())).into_response()
}

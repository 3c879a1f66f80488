//! The task behind one stream of events: it waits for wake-ups of the store and growth of logs, and tells them in
//! batches. It ends when the browser is gone, its session is revoked, or the coordinator stops.

use std::time::Duration;

use axum::response::sse::Event;
use protocol::ids::AttemptId;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use web::views::LogLine;

use super::topic::WatchedJob;
use super::{Cursor, Topic};
use crate::app::App;
use crate::http::access::{self, User};
use crate::http::follow::{Follower, Piece, Positions};
use crate::logs::LogError;
use crate::store::attempts::Attempt;
use crate::store::{Change, StoreError, jobs};

/// What comes within this time is sent together.
const FLUSH: Duration = Duration::from_millis(40);

/// The browser closed its stream.
struct Gone;

/// The data of a `lines` event.
#[derive(Serialize)]
struct LinesData<'a> {
    attempt: &'a str,
    stream: &'a str,
    from: u64,
    lines: &'a [LogLine],
}

/// Sends everything about `topic`, until the browser is gone, its session is revoked, or the coordinator stops.
pub(super) async fn watch(app: App, user: Option<User>, topic: Topic, out: mpsc::Sender<Event>) {
    let stop = app.stop.clone();
    let watching = async {
        match topic {
            Topic::Job(watched) => watch_job(&app, watched, &out).await,
            topic => watch_page(&app, &topic, &out).await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = out.closed() => {}
        () = access::revoked(&app, user.as_ref()) => {}
        Gone = watching => {}
    }
}

async fn watch_page(app: &App, topic: &Topic, out: &mpsc::Sender<Event>) -> Gone {
    let mut changes = app.store.changes();
    // What happened between the page and this stream is not known: one look settles it.
    let mut changed = true;
    loop {
        if changed {
            if tell_change(out).await.is_err() {
                return Gone;
            }
            tokio::time::sleep(FLUSH).await;
        }
        changed = concerns(topic, &next(&mut changes).await);
        while let Ok(change) = changes.try_recv() {
            changed |= concerns(topic, &change);
        }
    }
}

fn concerns(topic: &Topic, change: &Change) -> bool {
    match (topic, change) {
        (_, Change::All) => true,
        (Topic::Builds, Change::Build(_) | Change::Agents) => true,
        (Topic::Queue, Change::Queue | Change::Agents | Change::Build(_)) => true,
        (Topic::Build(number), Change::Build(changed)) => number == changed,
        _ => false,
    }
}

async fn next(changes: &mut broadcast::Receiver<Change>) -> Change {
    match changes.recv().await {
        Ok(change) => change,
        Err(RecvError::Lagged(_)) => Change::All,
        Err(RecvError::Closed) => std::future::pending().await,
    }
}

async fn tell_change(out: &mpsc::Sender<Event>) -> Result<(), Gone> {
    let event = Event::default().event("change").data(r#"{"fragment":"live"}"#);
    out.send(event).await.map_err(|_| Gone)
}

/// A job as it is watched now.
struct Watched {
    build: i64,
    shown: Option<Shown>,
}

/// The attempt whose logs are sent.
struct Shown {
    number: u32,
    follower: Follower,
}

async fn watch_job(app: &App, wanted: WatchedJob, out: &mpsc::Sender<Event>) -> Gone {
    let mut changes = app.store.changes();
    let mut watched: Option<Watched> = None;
    let mut changed = true;
    loop {
        if changed {
            match look(app, &wanted, watched).await {
                Ok(found) => watched = Some(found),
                Err(error) => {
                    tracing::warn!(job.id = %wanted.job, %error, "a job cannot be watched any longer");
                    return Gone;
                }
            }
            if tell_change(out).await.is_err() {
                return Gone;
            }
        }
        let shown = watched.as_mut().and_then(|watched| watched.shown.as_mut());
        match tell_lines(shown, out).await {
            // There may be more: soon, but the browser's pace rules.
            Ok(Declared::Something) => {
                tokio::time::sleep(FLUSH).await;
                changed = has_changed(&mut changes, watched.as_ref());
            }
            Ok(Declared::Nothing) => changed = wait(&mut changes, watched.as_mut()).await,
            Err(Gone) => return Gone,
        }
    }
}

/// Waits for growth (no change) or for a change of the job.
async fn wait(changes: &mut broadcast::Receiver<Change>, watched: Option<&mut Watched>) -> bool {
    let about = watched.as_ref().map(|watched| About::of(watched));
    let grown = async {
        match watched.and_then(|watched| watched.shown.as_mut()) {
            Some(shown) => shown.follower.grown().await,
            None => std::future::pending().await,
        }
    };
    let changed = async {
        loop {
            let change = next(changes).await;
            if about.as_ref().is_none_or(|about| about.is(&change)) {
                return;
            }
        }
    };
    tokio::select! {
        () = grown => false,
        () = changed => true,
    }
}

fn has_changed(changes: &mut broadcast::Receiver<Change>, watched: Option<&Watched>) -> bool {
    let about = watched.map(About::of);
    let mut changed = false;
    loop {
        match changes.try_recv() {
            Ok(change) => changed |= about.as_ref().is_none_or(|about| about.is(&change)),
            Err(broadcast::error::TryRecvError::Lagged(_)) => changed = true,
            Err(_) => return changed,
        }
    }
}

/// What a change must name to be about the job.
struct About {
    build: i64,
    attempt: Option<AttemptId>,
}

impl About {
    fn of(watched: &Watched) -> About {
        About {
            build: watched.build,
            attempt: watched.shown.as_ref().map(|shown| shown.follower.attempt().clone()),
        }
    }

    fn is(&self, change: &Change) -> bool {
        match change {
            Change::All => true,
            Change::Build(number) => *number == self.build,
            Change::Attempt(changed) => self.attempt.as_ref() == Some(changed),
            Change::Queue | Change::Agents | Change::Access | Change::Outbox => false,
        }
    }
}

/// Keeps the attempt that is shown, or turns to the newest, or to the one that was asked for.
async fn look(app: &App, wanted: &WatchedJob, before: Option<Watched>) -> Result<Watched, StoreError> {
    let job = jobs::show(&app.store, &wanted.job).await?;
    let attempt = match wanted.attempt {
        Some(number) => job.attempts.into_iter().find(|attempt| attempt.number == number),
        None => job.attempts.into_iter().next_back(),
    };
    let shown = match (attempt, before.and_then(|before| before.shown)) {
        (None, _) => None,
        (Some(attempt), Some(shown)) if *shown.follower.attempt() == attempt.id => Some(shown),
        (Some(attempt), Some(_)) => start(app, &attempt, Positions::new()).await,
        (Some(attempt), None) => start(app, &attempt, begin_at(wanted, &attempt)).await,
    };
    Ok(Watched {
        build: job.job.build,
        shown,
    })
}

/// A cursor counts for the attempt that it was made for.
fn begin_at(watched: &WatchedJob, attempt: &Attempt) -> Positions {
    match &watched.cursor {
        Some(cursor) if cursor.attempt.is_none_or(|number| number == attempt.number) => cursor.positions.clone(),
        _ => Positions::new(),
    }
}

async fn start(app: &App, attempt: &Attempt, positions: Positions) -> Option<Shown> {
    match Follower::start(&app.logs, &attempt.id, positions).await {
        Ok(follower) => Some(Shown {
            number: attempt.number,
            follower,
        }),
        Err(LogError::Removed | LogError::NotFound) => None,
        Err(error) => {
            tracing::warn!(attempt.id = %attempt.id, %error, "logs cannot be followed");
            None
        }
    }
}

/// Whether there was something to tell.
enum Declared {
    Something,
    Nothing,
}

async fn tell_lines(shown: Option<&mut Shown>, out: &mpsc::Sender<Event>) -> Result<Declared, Gone> {
    let Some(shown) = shown else {
        return Ok(Declared::Nothing);
    };
    let mut cursor = Cursor {
        positions: shown.follower.positions().clone(),
        attempt: Some(shown.number),
    };
    let pieces = match shown.follower.read().await {
        Ok(pieces) if pieces.is_empty() => return Ok(Declared::Nothing),
        Ok(pieces) => pieces,
        Err(error) => {
            tracing::warn!(attempt.id = %shown.follower.attempt(), %error, "a log cannot be read");
            return Ok(Declared::Nothing);
        }
    };
    for piece in pieces {
        tell_piece(&mut cursor, shown.follower.attempt(), piece, out).await?;
    }
    Ok(Declared::Something)
}

/// One event per stream; its id says what the browser has once it has this one.
async fn tell_piece(
    cursor: &mut Cursor,
    attempt: &AttemptId,
    piece: Piece,
    out: &mpsc::Sender<Event>,
) -> Result<(), Gone> {
    let (Some(first), Some(last)) = (piece.lines.first(), piece.lines.last()) else {
        return Ok(());
    };
    cursor.positions.insert(piece.stream.clone(), last.n);
    let data = LinesData {
        attempt: attempt.as_str(),
        stream: piece.stream.as_str(),
        from: first.n,
        lines: &piece.lines,
    };
    let data = serde_json::to_string(&data).expect("strings and numbers");
    let event = Event::default().event("lines").id(cursor.to_string()).data(data);
    out.send(event).await.map_err(|_| Gone)
}

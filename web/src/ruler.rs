//! The time ruler: what happened when, on one thin horizontal axis. It is on every page that shows something run, and
//! it is computed here as percentages, so that the browser only draws it.

use job_specs::status::rollup;

use crate::format;
use crate::look;
use crate::views::{AttemptView, JobRow, Micros, ServicePhase, ServiceView, StepState, StepView};

/// A begin and an end that percentages refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Axis {
    from: Micros,
    to: Micros,
}

/// A mark on the axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tick {
    /// Percent from the left: `12.5` of 100.
    pub x: String,
    /// `30s`
    pub label: String,
}

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Begin, of 100.
    pub x: String,
    /// Length, of 100.
    pub width: String,
    /// Class of the style sheet: `queue`, `pull`, `start`, `ok`, `fail`, …
    pub class: &'static str,
    /// What it is and how long it took; the tooltip and the text alternative.
    pub title: String,
}

/// One row of the ruler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// What it is: `agent`, a service's name, `steps`.
    pub name: String,
    /// Its stretches, in order.
    pub segments: Vec<Segment>,
}

/// The ruler of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruler {
    /// Marks of the axis.
    pub ticks: Vec<Tick>,
    /// Rows.
    pub lanes: Vec<Lane>,
    /// The whole in words, for those who do not see it.
    pub summary: String,
}

impl Axis {
    /// At least a millisecond long, so that everything has a place.
    pub fn new(from: Micros, to: Micros) -> Axis {
        Axis {
            from,
            to: to.max(from + 1000),
        }
    }

    fn percent(&self, micros: Micros) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
        let share = micros as f64 / (self.to - self.from) as f64;
        (share * 100.0).clamp(0.0, 100.0)
    }

    /// The stretch of time as a stretch of the axis; never thinner than can be seen.
    pub fn segment(&self, (from, to): (Micros, Micros), class: &'static str, title: String) -> Segment {
        let x = self.percent(from - self.from);
        let width = self.percent(to - from).max(0.3).min(100.0 - x.min(99.7));
        Segment {
            x: format!("{:.2}", x.min(99.7)),
            width: format!("{width:.2}"),
            class,
            title,
        }
    }

    /// Three to seven round marks.
    pub fn ticks(&self) -> Vec<Tick> {
        const STEPS: [i64; 19] = [
            1, 5, 10, 50, 100, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
            900_000, 1_800_000, 3_600_000,
        ];
        let millis = (self.to - self.from) / 1000;
        let step = STEPS.into_iter().find(|step| millis / step <= 6).unwrap_or(millis / 6);
        (0..=millis / step)
            .map(|i| Tick {
                x: format!("{:.2}", self.percent(i * step * 1000)),
                label: tick_label(i * step),
            })
            .filter(|tick| tick.x.parse::<f64>().is_ok_and(|x| x < 96.0))
            .collect()
    }
}

/// `0`, `500ms`, `45s`, `1m`, `1m 30s`, `2h`
fn tick_label(millis: i64) -> String {
    match millis {
        0 => "0".into(),
        _ => format::micros(millis * 1000),
    }
}

/// The stretches of a job on its build's axis: queue, then run.
pub fn job(axis: Axis, job: &JobRow, now: Micros) -> Vec<Segment> {
    let Some(queued) = job.queued_at else {
        return Vec::new();
    };
    let end = job
        .finished_at
        .unwrap_or(if job.status.is_final() { queued } else { now });
    let begun = job.started_at.unwrap_or(end);
    let mut segments = vec![axis.segment((queued, begun), "queue", span_title("queued", begun - queued))];
    if let Some(started) = job.started_at {
        let look = look::job(job.status);
        segments.push(axis.segment((started, end), look.tone, span_title(look.word, end - started)));
    }
    segments
}

/// The stretches of all cells of a job on their build's axis: from the first that was queued to the first that ran,
/// then until the last that ended.
pub fn jobs(axis: Axis, jobs: &[&JobRow], now: Micros) -> Vec<Segment> {
    let Some(queued) = jobs.iter().filter_map(|job| job.queued_at).min() else {
        return Vec::new();
    };
    let is_over = jobs.iter().all(|job| job.status.is_final());
    let last = jobs.iter().filter_map(|job| job.finished_at).max();
    let end = last.filter(|_| is_over).unwrap_or(now);
    let started = jobs.iter().filter_map(|job| job.started_at).min();
    let begun = started.unwrap_or(end);
    let mut segments = vec![axis.segment((queued, begun), "queue", span_title("queued", begun - queued))];
    if let Some(started) = started {
        let look = look::job(rollup(jobs.iter().map(|job| (job.status, job.allow_failure))));
        segments.push(axis.segment((started, end), look.tone, span_title(look.word, end - started)));
    }
    segments
}

impl Ruler {
    /// What the stretches mean: class and word, of those that are there.
    pub fn legend(&self) -> Vec<(&'static str, &'static str)> {
        const WORDS: [(&str, &str); 8] = [
            ("queue", "queue"),
            ("prepare", "sandbox, checkout"),
            ("pull", "image pull"),
            ("start", "services start"),
            ("ok", "ready, passed"),
            ("run", "running"),
            ("bad", "unhealthy"),
            ("fail", "failed"),
        ];
        let is_there = |class: &str| {
            self.lanes
                .iter()
                .flat_map(|lane| &lane.segments)
                .any(|segment| segment.class == class)
        };
        WORDS.into_iter().filter(|(class, _)| is_there(class)).collect()
    }
}

/// The ruler of an attempt: the agent's phases, a lane per service, the steps.
pub fn attempt(view: &AttemptView, now: Micros) -> Ruler {
    let end = view.finished_at.unwrap_or(now);
    let axis = Axis::new(view.queued_at, end);
    let mut lanes = vec![Lane {
        name: "agent".into(),
        segments: phases(axis, view, end),
    }];
    lanes.extend(view.services.iter().map(|service| lane(axis, service, end)));
    lanes.push(Lane {
        name: "steps".into(),
        segments: steps(axis, &view.steps, end),
    });
    let ready = view
        .services
        .iter()
        .filter(|service| service.ready_after_ms.is_some())
        .count();
    let summary = format!(
        "{} from queue to {}: {} of {} ready, {}",
        format::micros(end - view.queued_at),
        if view.finished_at.is_some() { "end" } else { "now" },
        ready,
        format::count(view.services.len(), "service"),
        format::count(view.steps.len(), "step"),
    );
    Ruler {
        ticks: axis.ticks(),
        lanes,
        summary,
    }
}

fn phases(axis: Axis, view: &AttemptView, end: Micros) -> Vec<Segment> {
    let taken = view.assigned_at.or(view.started_at).unwrap_or(end);
    let queue = axis.segment(
        (view.queued_at, taken),
        "queue",
        span_title("queue", taken - view.queued_at),
    );
    let phases = view.phases.iter().filter(|phase| phase.name != "steps").map(|phase| {
        let to = phase.to.unwrap_or(end);
        let class = match phase.name.as_str() {
            "pull" => "pull",
            "services" => "start",
            _ => "prepare",
        };
        axis.segment((phase.from, to), class, span_title(&phase.name, to - phase.from))
    });
    std::iter::once(queue).chain(phases).collect()
}

/// From each moment of a service to the next.
fn lane(axis: Axis, service: &ServiceView, end: Micros) -> Lane {
    let mut segments = Vec::new();
    for (i, moment) in service.moments.iter().enumerate() {
        let class = match moment.phase {
            ServicePhase::Pulling => "pull",
            ServicePhase::Starting | ServicePhase::Running => "start",
            ServicePhase::Ready | ServicePhase::Completed => "ok",
            ServicePhase::Unhealthy => "bad",
            ServicePhase::Exited => "fail",
            ServicePhase::Stopped => continue,
        };
        let to = service.moments.get(i + 1).map_or(end, |next| next.at);
        let lasts = !matches!(moment.phase, ServicePhase::Completed | ServicePhase::Exited);
        let to = if lasts { to } else { moment.at };
        let mut title = span_title(look::service(Some(moment.phase)).word, to - moment.at);
        if !moment.detail.is_empty() {
            title = format!("{title}: {}", moment.detail);
        }
        segments.push(axis.segment((moment.at, to), class, title));
    }
    Lane {
        name: service.name.clone(),
        segments,
    }
}

fn steps(axis: Axis, steps: &[StepView], end: Micros) -> Vec<Segment> {
    let begun = steps.iter().filter_map(|step| step.started_at.map(|from| (step, from)));
    begun
        .map(|(step, from)| {
            let took = step.duration_us.and_then(|us| i64::try_from(us).ok());
            let to = took.map_or(end, |us| from + us);
            let class = match step.state {
                StepState::Failed if step.allow_failure => "warn",
                state => look::step(state).tone,
            };
            axis.segment((from, to), class, span_title(&step.name, to - from))
        })
        .collect()
}

fn span_title(what: &str, micros: Micros) -> String {
    format!("{what} {}", format::micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        let labels = |seconds: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "small numbers of a test")]
            let ticks = Axis::new(0, (seconds * 1e6) as i64).ticks();
            ticks.into_iter().map(|tick| tick.label).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(labels(0.42), "0 100ms 200ms 300ms 400ms");
        assert_eq!(labels(4.0), "0 1s 2s 3s");
        assert_eq!(labels(58.0), "0 10s 20s 30s 40s 50s");
        assert_eq!(labels(134.0), "0 30s 1m 1m 30s 2m");
        assert_eq!(labels(9000.0), "0 30m 1h 1h 30m 2h");
        assert_eq!(labels(0.0), "0");
    }

    #[test]
    fn a_stretch_stays_on_the_axis() {
        let axis = Axis::new(1_000_000, 2_000_000);
        let whole = axis.segment((0, 9_000_000), "ok", String::new());
        assert_eq!((whole.x.as_str(), whole.width.as_str()), ("0.00", "100.00"));
        let late = axis.segment((5_000_000, 6_000_000), "ok", String::new());
        assert_eq!((late.x.as_str(), late.width.as_str()), ("99.70", "0.30"));
    }
}

//! The list of builds and the page of one build.

use askama::Template;
use job_specs::status::{JobStatus, rollup};

use super::frame::{Head, Section, icon_of};
use crate::matrix::{self, Group, Table, TableCell};
use crate::ruler::{self, Axis, Tick};
use crate::source::{self, Row, SourceView};
use crate::views::{BuildList, BuildPage, Failure, Filter, Frame, TestState};
use crate::{format, look, routes, ui};

/// A table with more columns shows shapes alone.
const DENSE_COLUMNS: usize = 12;
/// A table with more places shows shapes alone.
const DENSE_PLACES: usize = 200;

/// `/`
#[derive(Template)]
#[template(path = "build_list.html", blocks = ["live"])]
pub struct List<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a BuildList,
    statuses: [JobStatus; 10],
    source: String,
}

impl<'a> List<'a> {
    pub fn new(frame: &'a Frame, view: &'a BuildList) -> List<'a> {
        let head = Head::new("Builds", Section::Builds).live("/events?page=builds");
        let source = format!("/?{}live=1", query(&view.filter));
        List {
            frame,
            head,
            view,
            statuses: JobStatus::ALL,
            source,
        }
    }

    fn is_chosen(&self, status: JobStatus) -> bool {
        self.view.filter.status == Some(status)
    }

    fn older(&self, before: i64) -> String {
        format!("/?{}before={before}", query(&self.view.filter))
    }
}

/// The filter as a query, each part with `&` behind it.
fn query(filter: &Filter) -> String {
    let parts = [
        ("repository", filter.repository.as_deref()),
        ("branch", filter.branch.as_deref()),
        ("status", filter.status.map(JobStatus::name)),
    ];
    let given = parts
        .iter()
        .filter_map(|(key, value)| value.map(|value| format!("{key}={}&", routes::encode(value))));
    given.collect()
}

/// `/builds/{number}`
#[derive(Template)]
#[template(path = "build.html", blocks = ["live"])]
pub struct Build<'a> {
    frame: &'a Frame,
    head: Head,
    view: &'a BuildPage,
    title: String,
    icon: String,
    source: String,
    sources: Vec<SourceView<'a>>,
    groups: Vec<Group<'a>>,
    axis: Axis,
    ticks: Vec<Tick>,
}

impl<'a> Build<'a> {
    pub fn new(frame: &'a Frame, view: &'a BuildPage) -> Build<'a> {
        let build = &view.build;
        let look = look::job(build.status);
        let title = format!("{} #{} · {}", look.word, build.number, build.repository);
        let icon = icon_of(look);
        let path = routes::build(build.number);
        let axis = Axis::new(build.created_at, build.finished_at.unwrap_or(frame.now));
        let head = Head::new(title.clone(), Section::Builds)
            .under(&build.repository, routes::repository(&build.repository))
            .here(format!("#{}", build.number))
            .live(format!("/events?build={}", build.number))
            .icon(icon.clone());
        Build {
            frame,
            head,
            view,
            title,
            icon,
            source: format!("{path}?live=1"),
            sources: source::views(&view.diagnosis),
            groups: matrix::groups(&view.jobs, &view.exclusions),
            axis,
            ticks: axis.ticks(),
        }
    }

    fn action(&self, name: &str) -> String {
        format!("{}/{name}", routes::build(self.view.build.number))
    }

    fn failure_href(&self, failure: &Failure) -> String {
        match failure.lines.last() {
            Some(line) => format!("{}#{}-L{}", routes::job(&failure.job), failure.stream, line.n),
            None => routes::job(&failure.job),
        }
    }

    /// The status of all cells together.
    fn status_of(&self, group: &Group) -> JobStatus {
        rollup(group.jobs.iter().map(|job| (job.status, job.allow_failure)))
    }

    /// From the first begin of a cell to the last end.
    fn took(&self, group: &Group) -> ui::Took<'_> {
        let is_over = group.jobs.iter().all(|job| job.status.is_final());
        let end = group
            .jobs
            .iter()
            .filter_map(|job| job.finished_at)
            .max()
            .filter(|_| is_over);
        ui::took(
            group.jobs.iter().filter_map(|job| job.started_at).min(),
            end,
            self.frame.now,
        )
    }

    fn is_dense(&self, table: &Table) -> bool {
        table.columns.len() > DENSE_COLUMNS || table.columns.len() * table.rows.len() >= DENSE_PLACES
    }
}

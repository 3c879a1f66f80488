//! What each page shows, as plain data: filled by the coordinator, turned to HTML by [`crate::pages`]. Designed from
//! what a page must say, not from tables; nothing here is optional because a query is lazy, only because the fact may
//! not exist (yet).
//!
//! Times are microseconds since 1970 ([`Micros`]); text is raw, escaping is the templates' work.

mod access;
mod agents;
mod artifacts;
mod builds;
mod jobs;
mod logs;
mod reports;
mod repositories;
mod shell;

pub use access::{ErrorPage, LoginPage, LoginState, SessionRow, TokenRow, TokensPage};
pub use agents::{AgentRow, AgentsPage, JobLink, QueueRow};
pub use artifacts::{ArtifactEntry, ArtifactEntryKind, ArtifactPage, ArtifactRow};
pub use builds::{
    BuildActions, BuildList, BuildPage, BuildSummary, Diagnosis, Exclusion, Failure, Filter, JobRow, SourceText,
};
pub use jobs::{
    AttemptLink, AttemptView, JobActions, JobPage, PhaseSpan, Retained, ServiceMoment, ServicePhase, ServiceView,
    StepState, StepView,
};
pub use logs::{LogLine, LogSource, LogView};
pub use reports::{FlakyRow, SlowRow, TestGrid, TestGridRow, TestRow, TestSection, TestState};
pub use repositories::{
    Connection, DeliveryPage, DeliveryRow, DeliveryState, Hook, OutboxRow, Polling, RepositoryList, RepositoryPage,
    RepositoryRow, ScheduleRow, SecretRow,
};
pub use shell::ShellPage;

use serde::Serialize;

/// Microseconds since 1970, UTC.
pub type Micros = i64;

/// What is around every page: who looks, when, and what was just done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// Who is logged in; `None`: a visitor of a public repository. Actions are shown to users only.
    pub user: Option<String>,
    /// The token that every POST form carries as the field `csrf`.
    pub csrf: String,
    /// The time of rendering; relative times ("3 minutes ago") are counted from it.
    pub now: Micros,
    /// What the request before this one did, said once: "Build 42 is being cancelled."
    pub notice: Option<String>,
    /// The coordinator's own URL without a trailing slash, for the commands that pages show.
    pub url: String,
    /// Version of Drover, for the foot of the page.
    pub version: String,
}

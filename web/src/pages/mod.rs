//! One function per page, and one per live fragment. A full page contains its own fragment, so the two cannot differ:
//! the browser refetches the page's address with `?live=1` when `/events` says `change`, and the coordinator answers
//! with the `…_live` function of the same view.

use crate::views::{
    AgentsPage, BuildList, BuildPage, ErrorPage, Frame, JobPage, LoginPage, RepositoryList, RepositoryPage, TokensPage,
};

/// `/`: the builds, newest first. Live by `/events?page=builds`.
pub fn build_list(frame: &Frame, view: &BuildList) -> String {
    format!("{frame:?}{view:?}")
}

/// The live part of [`build_list`]: `/?live=1`.
pub fn build_list_live(frame: &Frame, view: &BuildList) -> String {
    format!("{frame:?}{view:?}")
}

/// `/builds/{number}`. Live by `/events?build={number}`.
pub fn build(frame: &Frame, view: &BuildPage) -> String {
    format!("{frame:?}{view:?}")
}

/// The live part of [`build`].
pub fn build_live(frame: &Frame, view: &BuildPage) -> String {
    format!("{frame:?}{view:?}")
}

/// `/jobs/{id}` and `/jobs/{id}/attempts/{number}`. Live by `/events?job={id}&cursor={cursor}`.
pub fn job(frame: &Frame, view: &JobPage) -> String {
    format!("{frame:?}{view:?}")
}

/// The live part of [`job`]; lines of logs may be left out of the view, the browser keeps what it has.
pub fn job_live(frame: &Frame, view: &JobPage) -> String {
    format!("{frame:?}{view:?}")
}

/// `/agents`: agents and queue. Live by `/events?page=queue`.
pub fn agents(frame: &Frame, view: &AgentsPage) -> String {
    format!("{frame:?}{view:?}")
}

/// The live part of [`agents`].
pub fn agents_live(frame: &Frame, view: &AgentsPage) -> String {
    format!("{frame:?}{view:?}")
}

/// `/repositories`.
pub fn repository_list(frame: &Frame, view: &RepositoryList) -> String {
    format!("{frame:?}{view:?}")
}

/// `/repositories/{name}`.
pub fn repository(frame: &Frame, view: &RepositoryPage) -> String {
    format!("{frame:?}{view:?}")
}

/// `/login`.
pub fn login(frame: &Frame, view: &LoginPage) -> String {
    format!("{frame:?}{view:?}")
}

/// Any error. Serve it with its own status.
pub fn error(frame: &Frame, view: &ErrorPage) -> String {
    format!("{frame:?}{view:?}")
}

/// `/tokens`.
pub fn tokens(frame: &Frame, view: &TokensPage) -> String {
    format!("{frame:?}{view:?}")
}

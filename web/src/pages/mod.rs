//! One function per page, and one per live fragment. A full page contains its own fragment, so the two cannot differ:
//! the browser refetches the page's address with `live=1` when `/events` says `change`, and the coordinator answers
//! with the `…_live` function of the same view.

mod agents;
mod artifacts;
mod builds;
mod frame;
mod jobs;
mod plain;
mod shell;

use askama::Template;

use crate::views::{
    AgentsPage, ArtifactPage, BuildList, BuildPage, DeliveryPage, ErrorPage, Frame, JobPage, LoginPage, RepositoryList,
    RepositoryPage, ShellPage, TokensPage,
};

/// `/`: the builds, newest first. Live by `/events?page=builds`.
pub fn build_list(frame: &Frame, view: &BuildList) -> String {
    html(&builds::List::new(frame, view))
}

/// The live part of [`build_list`]: `/?live=1`.
pub fn build_list_live(frame: &Frame, view: &BuildList) -> String {
    html(&builds::List::new(frame, view).as_live())
}

/// `/builds/{number}`. Live by `/events?build={number}`.
pub fn build(frame: &Frame, view: &BuildPage) -> String {
    html(&builds::Build::new(frame, view))
}

/// The live part of [`build`].
pub fn build_live(frame: &Frame, view: &BuildPage) -> String {
    html(&builds::Build::new(frame, view).as_live())
}

/// `/jobs/{id}` and `/jobs/{id}/attempts/{number}`. Live by `/events?job={id}&cursor={cursor}`.
pub fn job(frame: &Frame, view: &JobPage) -> String {
    html(&jobs::Job::new(frame, view))
}

/// The live part of [`job`]; lines of logs may be left out of the view, the browser keeps what it has.
pub fn job_live(frame: &Frame, view: &JobPage) -> String {
    html(&jobs::Job::new(frame, view).as_live())
}

/// `/artifacts/{id}?at={folder}`.
pub fn artifact(frame: &Frame, view: &ArtifactPage) -> String {
    html(&artifacts::Artifact::new(frame, view))
}

/// `/jobs/{id}/shell`: a terminal.
pub fn shell(frame: &Frame, view: &ShellPage) -> String {
    html(&shell::Shell::new(frame, view))
}

/// `/agents`: agents and queue. Live by `/events?page=queue`.
pub fn agents(frame: &Frame, view: &AgentsPage) -> String {
    html(&agents::Agents::new(frame, view))
}

/// The live part of [`agents`].
pub fn agents_live(frame: &Frame, view: &AgentsPage) -> String {
    html(&agents::Agents::new(frame, view).as_live())
}

/// `/repositories`.
pub fn repository_list(frame: &Frame, view: &RepositoryList) -> String {
    html(&plain::Repositories::new(frame, view))
}

/// `/repositories/{name}`.
pub fn repository(frame: &Frame, view: &RepositoryPage) -> String {
    html(&plain::Repository::new(frame, view))
}

/// `/repositories/{name}/deliveries/{id}`.
pub fn delivery(frame: &Frame, view: &DeliveryPage) -> String {
    html(&plain::Delivery::new(frame, view))
}

/// `/login`.
pub fn login(frame: &Frame, view: &LoginPage) -> String {
    html(&plain::Login::new(frame, view))
}

/// Any error. Serve it with its own status.
pub fn error(frame: &Frame, view: &ErrorPage) -> String {
    html(&plain::Error::new(frame, view))
}

/// `/tokens`.
pub fn tokens(frame: &Frame, view: &TokensPage) -> String {
    html(&plain::Tokens::new(frame, view))
}

fn html(template: &impl Template) -> String {
    template
        .render()
        .expect("templates write to memory and use no filter that fails")
}

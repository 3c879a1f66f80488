//! `/`: the builds, newest first.

use axum::extract::State;
use axum::response::Response;
use job_specs::status::JobStatus;
use serde::Deserialize;
use web::views::{BuildList, Filter};

use super::frame::Framed;
use super::{PageError, Part, rows};
use crate::app::App;
use crate::http::access::Reader;
use crate::http::extract::Query;
use crate::store::{agents, builds, repositories};

/// Builds on one page.
const PAGE: u32 = 50;

/// What the list is narrowed to; an empty field of the form narrows nothing.
#[derive(Deserialize)]
pub(super) struct ListQuery {
    repository: Option<String>,
    branch: Option<String>,
    status: Option<String>,
    before: Option<i64>,
    live: Option<u8>,
}

impl ListQuery {
    fn filter(&self) -> Filter {
        let given = |field: &Option<String>| field.clone().filter(|text| !text.is_empty());
        Filter {
            repository: given(&self.repository),
            branch: given(&self.branch),
            status: self.status.as_deref().and_then(JobStatus::from_name),
        }
    }
}

/// The list of builds. A visitor comes here only for one public repository, and sees no other.
pub(super) async fn page(
    State(app): State<App>,
    Reader(user): Reader,
    framed: Framed,
    Query(query): Query<ListQuery>,
) -> Result<Response, PageError> {
    let filter = query.filter();
    let repository = match &filter.repository {
        Some(name) => Some(repositories::by_name(&app.store, name).await?.id),
        None => None,
    };
    let wanted = builds::Filter {
        repository,
        branch: filter.branch.clone(),
        status: filter.status,
        public_only: user.is_none(),
        before: query.before,
        limit: PAGE + 1,
        ..builds::Filter::default()
    };
    let mut found = builds::list(&app.store, &wanted).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let visible = |repository: &repositories::Repository| user.is_some() || repository.public;
    let known = repositories::list(&app.store).await?.into_iter().filter(visible);
    let online = agents::list(&app.store)
        .await?
        .iter()
        .filter(|agent| agent.connected)
        .count();
    let view = BuildList {
        older_than: found.last().map(|build| build.number).filter(|_| more),
        builds: found.into_iter().map(rows::build).collect(),
        filter,
        repositories: known.map(|repository| repository.name).collect(),
        agents_online: u32::try_from(online).unwrap_or(u32::MAX),
    };
    let part = Part { live: query.live };
    Ok(framed.render_part(part, &view, (web::pages::build_list, web::pages::build_list_live)))
}

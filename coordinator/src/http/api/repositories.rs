//! Repositories: add, list, show, mark public, poll, remove, and build one by hand.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::api::{AddedRepository, MadeBuild, NewRepository, Repository, RepositoryChange, Schedule, Trigger};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{forges, hooks, shapes};
use crate::app::App;
use crate::builds;
use crate::forges::Forge;
use crate::git::Address;
use crate::http::access::{By, User};
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, OptionalJson, Path};
use crate::store::polling::{self, Interval, Polling};
use crate::store::repositories::{self, Visibility};
use crate::store::{StoreError, approvals, schedules};

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, change, remove))
        .routes(routes!(trigger))
        .routes(routes!(scheduled))
}

fn shape(repository: repositories::Repository, polling: Option<Polling>) -> Repository {
    Repository {
        name: repository.name,
        git: repository.git,
        forge: repository.forge.word().to_owned(),
        public: repository.public,
        approval: repository.approval,
        created_at: repository.created_at,
        poll_secs: polling.as_ref().map(|polling| polling.interval.secs()),
        polled_at: polling.as_ref().and_then(|polling| polling.polled_at),
        next_poll_at: polling.as_ref().map(|polling| polling.next_at),
        poll_problem: polling.and_then(|polling| polling.problem),
    }
}

async fn shown(app: &App, repository: repositories::Repository) -> Result<Repository, StoreError> {
    let polling = polling::of(&app.store, &repository.id).await?;
    Ok(shape(repository, polling))
}

/// How often a repository is to be polled, if at all.
fn interval(secs: u32) -> Result<Option<Interval>, StoreError> {
    match secs {
        0 => Ok(None),
        secs => Interval::from_secs(secs).map(Some),
    }
}

/// All repositories, by name.
#[utoipa::path(get, path = "/api/v1/repositories", responses((status = 200, body = Vec<Repository>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Repository>>, ApiError> {
    let mut polled = polling::all(&app.store).await?;
    let all = repositories::list(&app.store).await?.into_iter().map(|repository| {
        let polling = polled.remove(&repository.id);
        shape(repository, polling)
    });
    Ok(Json(all.collect()))
}

/// Adds a repository and makes its webhook secret.
#[utoipa::path(post, path = "/api/v1/repositories", request_body = NewRepository, responses((status = 201, body = AddedRepository)))]
async fn add(
    State(app): State<App>,
    By(actor): By,
    Body(new): Body<NewRepository>,
) -> Result<(StatusCode, Json<AddedRepository>), ApiError> {
    let refused = |error: &dyn std::fmt::Display| ApiError::Unprocessable("refused", error.to_string());
    let address = Address::parse(&new.git, &app.config.git.protocols).map_err(|error| refused(&error))?;
    let forge = match &new.forge {
        None => Forge::at(address.as_str()),
        Some(word) => word.parse().map_err(|error| refused(&error))?,
    };
    let connection = match new.connection {
        None => None,
        Some(wanted) => Some((forges::location((forge, address.as_str()), &wanted)?, wanted.token)),
    };
    let new_repository = repositories::NewRepository {
        name: new.name,
        git: address.as_str().to_owned(),
        forge,
        connection,
    };
    let poll = interval(new.poll_secs.unwrap_or_default())?;
    let mut repository = repositories::add(&app.store, &actor, new_repository).await?;
    if new.public {
        repositories::set_public(&app.store, &actor, &repository.id, Visibility::Public).await?;
        repository.public = true;
    }
    if poll.is_some() {
        polling::set(&app.store, &actor, &repository.id, poll).await?;
    }
    builds::look_at(&app, &repository);
    let hook = hooks::hook(&app, &repository).await?;
    let added = AddedRepository {
        repository: shown(&app, repository).await?,
        hook,
    };
    Ok((StatusCode::CREATED, Json(added)))
}

/// One repository.
#[utoipa::path(get, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    responses((status = 200, body = Repository)))]
async fn show(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Repository>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    Ok(Json(shown(&app, repository).await?))
}

/// Says who may read it, how often it is polled, and whose pull requests wait for approval.
#[utoipa::path(patch, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    request_body = RepositoryChange, responses((status = 200, body = Repository), (status = 422)))]
async fn change(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    Body(change): Body<RepositoryChange>,
) -> Result<Json<Repository>, ApiError> {
    let mut repository = repositories::by_name(&app.store, &name).await?;
    if change.public.is_none() && change.poll_secs.is_none() && change.approval.is_none() {
        let why = "nothing is to be changed: give `public`, `poll_secs` or `approval`";
        return Err(ApiError::BadRequest(why.into()));
    }
    let poll = change.poll_secs.map(interval).transpose()?;
    if let Some(public) = change.public {
        let to = match public {
            true => Visibility::Public,
            false => Visibility::Private,
        };
        repositories::set_public(&app.store, &actor, &repository.id, to).await?;
        repository.public = public;
    }
    if let Some(to) = change.approval {
        approvals::set_policy(&app.store, &actor, &repository.id, to).await?;
        repository.approval = to;
    }
    if let Some(to) = poll {
        polling::set(&app.store, &actor, &repository.id, to).await?;
    }
    Ok(Json(shown(&app, repository).await?))
}

/// Removes a repository: its jobs are cancelled, its secrets destroyed; its builds stay readable.
#[utoipa::path(delete, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    responses((status = 204)))]
async fn remove(State(app): State<App>, By(actor): By, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    repositories::remove(&app.store, &actor, &repository.id).await?;
    if let Err(error) = app.mirrors.remove(repository.id.as_str()).await {
        tracing::warn!(repository.name = name, %error, "cannot delete the mirror");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The schedules of a repository, as the job file of its default branch says.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/schedules", params(("name", description = "Its name")),
    responses((status = 200, body = Vec<Schedule>)))]
async fn scheduled(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Vec<Schedule>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let all = schedules::list(&app.store, &repository.id).await?.into_iter();
    let all = all.map(|found| Schedule {
        cron: found.schedule.cron,
        timezone: found.schedule.timezone,
        missed: found.schedule.missed,
        inputs: found.schedule.inputs,
        next_at: found.next_at,
        build: found.build,
        message: found.message,
    });
    Ok(Json(all.collect()))
}

/// Builds a branch, tag or commit now. Answers when the build is made.
#[utoipa::path(post, path = "/api/v1/repositories/{name}/trigger", params(("name", description = "Its name")),
    request_body = Trigger, responses((status = 201, body = MadeBuild), (status = 422), (status = 502)))]
async fn trigger(
    State(app): State<App>,
    By(actor): By,
    Path(name): Path<String>,
    OptionalJson(body): OptionalJson<Trigger>,
) -> Result<(StatusCode, Json<MadeBuild>), ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let number = builds::trigger(&app, &actor, &repository, (body.reference.as_deref(), body.inputs)).await?;
    Ok((StatusCode::CREATED, Json(shapes::made_build(number, &app.url))))
}

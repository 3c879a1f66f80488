//! Repositories: add, list, show, mark public, remove, and build one by hand.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use job_specs::triggers::Missed;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::hooks::Hook;
use super::shapes::Made;
use crate::app::App;
use crate::builds;
use crate::git::Address;
use crate::http::access::User;
use crate::http::error::ApiError;
use crate::http::extract::{Json as Body, OptionalJson, Path};
use crate::store::repositories::{self, Forge, NewRepository, Visibility};
use crate::store::{Micros, schedules};
use crate::webhooks;

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(show, change, remove))
        .routes(routes!(trigger))
        .routes(routes!(scheduled))
}

/// One repository.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Repository {
    /// Its name.
    name: String,
    /// URL or path.
    git: String,
    /// `generic`, `github`, `gitea` or `forgejo`.
    #[schema(value_type = String)]
    forge: Forge,
    /// Anybody may read its builds.
    public: bool,
    /// When it was added.
    created_at: Micros,
}

impl From<repositories::Repository> for Repository {
    fn from(repository: repositories::Repository) -> Self {
        Repository {
            name: repository.name,
            git: repository.git,
            forge: repository.forge,
            public: repository.public,
            created_at: repository.created_at,
        }
    }
}

/// A repository that was just added, with what its forge must know.
#[derive(Debug, Serialize, ToSchema)]
struct Added {
    #[serde(flatten)]
    repository: Repository,
    /// Where its forge sends pushes, and the secret that signs them.
    hook: Hook,
}

/// A repository to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBody {
    /// 1 to 100 letters, digits, `.`, `_`, `-`.
    name: String,
    /// URL, `user@host:path`, or an absolute path on the coordinator's machine.
    git: String,
    /// `generic` by default.
    #[serde(default)]
    forge: Option<String>,
    /// Anybody may read its builds; no by default.
    #[serde(default)]
    public: bool,
}

/// What can be changed about a repository.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    /// Anybody may read its builds.
    public: bool,
}

/// What to build by hand.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct TriggerBody {
    /// A branch (`main`), a full reference, or a full commit id; the repository's default branch when left out.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Values of the job file's inputs; those that are left out have their defaults.
    inputs: BTreeMap<String, String>,
}

/// All repositories, by name.
#[utoipa::path(get, path = "/api/v1/repositories", responses((status = 200, body = Vec<Repository>)))]
async fn list(State(app): State<App>, _: User) -> Result<Json<Vec<Repository>>, ApiError> {
    let all = repositories::list(&app.store).await?;
    Ok(Json(all.into_iter().map(Repository::from).collect()))
}

/// Adds a repository and makes its webhook secret.
#[utoipa::path(post, path = "/api/v1/repositories", request_body = NewBody, responses((status = 201, body = Added)))]
async fn add(State(app): State<App>, _: User, Body(new): Body<NewBody>) -> Result<(StatusCode, Json<Added>), ApiError> {
    let refused = |error: &dyn std::fmt::Display| ApiError::Unprocessable("refused", error.to_string());
    let address = Address::parse(&new.git, &app.config.git.protocols).map_err(|error| refused(&error))?;
    let new_repository = NewRepository {
        name: new.name,
        git: address.as_str().to_owned(),
        forge: webhooks::forge(new.forge.as_deref().unwrap_or("generic")).map_err(|error| refused(&error))?,
    };
    let mut repository = repositories::add(&app.store, new_repository).await?;
    if new.public {
        repositories::set_public(&app.store, &repository.id, Visibility::Public).await?;
        repository.public = true;
    }
    builds::look_at(&app, &repository);
    let hook = Hook::of(&app, &repository).await?;
    let added = Added {
        repository: repository.into(),
        hook,
    };
    Ok((StatusCode::CREATED, Json(added)))
}

/// One repository.
#[utoipa::path(get, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    responses((status = 200, body = Repository)))]
async fn show(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<Json<Repository>, ApiError> {
    Ok(Json(repositories::by_name(&app.store, &name).await?.into()))
}

/// Says who may read it.
#[utoipa::path(patch, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    request_body = ChangeBody, responses((status = 200, body = Repository)))]
async fn change(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    Body(change): Body<ChangeBody>,
) -> Result<Json<Repository>, ApiError> {
    let mut repository = repositories::by_name(&app.store, &name).await?;
    let to = if change.public {
        Visibility::Public
    } else {
        Visibility::Private
    };
    repositories::set_public(&app.store, &repository.id, to).await?;
    repository.public = change.public;
    Ok(Json(repository.into()))
}

/// Removes a repository: its jobs are cancelled, its secrets destroyed; its builds stay readable.
#[utoipa::path(delete, path = "/api/v1/repositories/{name}", params(("name", description = "Its name")),
    responses((status = 204)))]
async fn remove(State(app): State<App>, _: User, Path(name): Path<String>) -> Result<StatusCode, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    repositories::remove(&app.store, &repository.id).await?;
    if let Err(error) = app.mirrors.remove(repository.id.as_str()).await {
        tracing::warn!(repository.name = name, %error, "cannot delete the mirror");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A schedule of a repository.
#[derive(Debug, Serialize, ToSchema)]
struct Scheduled {
    /// Five fields, as in the job file.
    cron: String,
    /// Whose clock.
    timezone: String,
    /// What happens to times that passed while nobody was there: `run_once` or `skip`.
    #[schema(value_type = String)]
    missed: Missed,
    /// Values of inputs for its builds.
    inputs: BTreeMap<String, String>,
    /// When it is due next; null: never again.
    next_at: Option<Micros>,
    /// The build that it made last.
    build: Option<i64>,
    /// What came of the last time, when there is something to say.
    message: Option<String>,
}

/// The schedules of a repository, as the job file of its default branch says.
#[utoipa::path(get, path = "/api/v1/repositories/{name}/schedules", params(("name", description = "Its name")),
    responses((status = 200, body = Vec<Scheduled>)))]
async fn scheduled(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
) -> Result<Json<Vec<Scheduled>>, ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let all = schedules::list(&app.store, &repository.id).await?.into_iter();
    let all = all.map(|found| Scheduled {
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
    request_body = TriggerBody, responses((status = 201, body = Made), (status = 422), (status = 502)))]
async fn trigger(
    State(app): State<App>,
    _: User,
    Path(name): Path<String>,
    OptionalJson(body): OptionalJson<TriggerBody>,
) -> Result<(StatusCode, Json<Made>), ApiError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let number = builds::trigger(&app, &repository, body.reference.as_deref(), body.inputs).await?;
    Ok((StatusCode::CREATED, Json(Made::new(number, &app.url))))
}

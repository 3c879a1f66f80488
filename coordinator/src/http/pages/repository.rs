//! `/repositories` and `/repositories/{name}`: a repository, what came in for it, its secrets by name.

use axum::extract::State;
use axum::response::Response;
use web::views::{Hook, Polling, RepositoryList, RepositoryPage, RepositoryRow, ScheduleRow, SecretRow};

use super::frame::Framed;
use super::{PageError, rows, test_reports};
use crate::app::App;
use crate::http::access::{Reader, User};
use crate::http::api::forges;
use crate::http::extract::Path;
use crate::store::builds::{self, Build, Filter};
use crate::store::repositories::{self, Repository};
use crate::store::{StoreError, deliveries, polling, schedules, secrets};

/// Builds on a repository's page.
const BUILDS: u32 = 10;
/// Deliveries on a repository's page.
const DELIVERIES: u32 = 50;

/// All repositories.
pub(super) async fn list(State(app): State<App>, _: User, framed: Framed) -> Result<Response, PageError> {
    let mut found = Vec::new();
    for repository in repositories::list(&app.store).await? {
        let latest = newest(&app, &repository, 1).await?.pop();
        found.push(RepositoryRow {
            latest: latest.map(rows::build),
            name: repository.name,
            public: repository.public,
        });
    }
    let view = RepositoryList { repositories: found };
    Ok(framed.render(&view, web::pages::repository_list))
}

/// One repository. Visitors see its builds and nothing of how it is run.
pub(super) async fn page(
    State(app): State<App>,
    _: Reader,
    framed: Framed,
    Path(name): Path<String>,
) -> Result<Response, PageError> {
    let repository = repositories::by_name(&app.store, &name).await?;
    let found = newest(&app, &repository, BUILDS).await?;
    let (flaky, slowest) = test_reports::of_repository(&app, &repository).await?;
    let mut view = RepositoryPage {
        flaky,
        slowest,
        trigger_reference: found
            .iter()
            .find_map(|build| build.facts.branch.clone())
            .unwrap_or_else(|| "main".into()),
        builds: found.into_iter().map(rows::build).collect(),
        forge: repository.forge.word().to_owned(),
        name: repository.name.clone(),
        git: repository.git.clone(),
        public: repository.public,
        polling: None,
        hook: None,
        connection: None,
        deliveries: Vec::new(),
        secrets: Vec::new(),
        schedules: Vec::new(),
        inputs: Vec::new(),
    };
    if framed.has_user() {
        fill_private(&app, &repository, &mut view).await?;
    } else {
        // Where the code is may be a path of this machine.
        view.git.clear();
    }
    Ok(framed.render(&view, web::pages::repository))
}

async fn fill_private(app: &App, repository: &Repository, view: &mut RepositoryPage) -> Result<(), StoreError> {
    let refused = app.refusals.of(&app.store, &repository.id).await?;
    view.hook = Some(Hook {
        url: app.hook_url(repository),
        refused: u64::try_from(refused).unwrap_or(0),
    });
    let connection = forges::connection(app, repository).await?;
    view.connection = connection.map(rows::connection);
    view.polling = polling::of(&app.store, &repository.id).await?.map(|found| Polling {
        interval_secs: found.interval.secs(),
        polled_at: found.polled_at,
        next_at: found.next_at,
        problem: found.problem,
    });
    let newest = deliveries::list(&app.store, Some(&repository.id), DELIVERIES).await?;
    view.deliveries = newest.into_iter().map(rows::delivery).collect();
    view.inputs = schedules::inputs(&app.store, &repository.id).await?;
    let scheduled = schedules::list(&app.store, &repository.id).await?.into_iter();
    let row = |found: schedules::Scheduled| ScheduleRow {
        cron: found.schedule.cron,
        timezone: found.schedule.timezone,
        next_at: found.next_at,
        build: found.build,
        sentence: found.message,
    };
    view.schedules = scheduled.map(row).collect();
    let known = secrets::list(&app.store, &repository.id)
        .await?
        .into_iter()
        .map(|secret| SecretRow {
            name: secret.name,
            updated_at: secret.updated_at,
        });
    view.secrets = known.collect();
    Ok(())
}

async fn newest(app: &App, repository: &Repository, limit: u32) -> Result<Vec<Build>, StoreError> {
    let filter = Filter {
        repository: Some(repository.id.clone()),
        limit,
        ..Filter::default()
    };
    builds::list(&app.store, &filter).await
}

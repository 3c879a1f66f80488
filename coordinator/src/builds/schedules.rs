//! Builds by the clock. What is due stands in the store; one coordinator at a time makes its builds, and the store
//! makes one build at most for each time, so a coordinator that dies in the middle costs a second and no build.

use anyhow::Context;
use job_specs::file::JobFile;
use job_specs::triggers::Missed;

use super::target::default_branch;
use super::{NoBuild, Target, build, times};
use crate::app::App;
use crate::git::Reference;
use crate::store::repositories::Repository;
use crate::store::schedules::{self, Came, Declared, Scheduled};
use crate::store::{Micros, StoreError, repositories};

/// Who is later than this has missed the time, in microseconds: 5 minutes.
const GRACE_US: i64 = 300_000_000;
/// Before the next try when the repository cannot be read, in microseconds: 1 minute.
const PAUSE_US: i64 = 60_000_000;
/// The lock of the one coordinator that makes these builds.
const LOCK: &str = "schedules";

/// Builds what is due by now.
pub(crate) async fn tick(app: App) -> anyhow::Result<()> {
    let now = app.store.now();
    if schedules::due(&app.store, now)
        .await
        .context("look for schedules")?
        .is_empty()
    {
        return Ok(());
    }
    let Some(_only_one) = app.store.try_lock(LOCK).await.context("take the lock of schedules")? else {
        return Ok(());
    };
    // Again: another coordinator may have had the lock until now.
    for due in schedules::due(&app.store, now).await.context("look for schedules")? {
        one(&app, &due, now).await.context("build on schedule")?;
    }
    Ok(())
}

async fn one(app: &App, due: &Scheduled, now: Micros) -> Result<(), StoreError> {
    let Some(at) = due.next_at else {
        return Ok(());
    };
    let repository = match repositories::by_id(&app.store, &due.repository).await {
        Err(StoreError::NotFound(_)) => return Ok(()),
        found => found?,
    };
    let mut came = Came {
        next_at: times::next(&due.schedule.cron, &due.schedule.timezone, now),
        ..Came::default()
    };
    if due.schedule.missed == Missed::Skip && now - at > GRACE_US {
        came.message = Some("the time passed while drover was not there (missed: skip)".into());
        return schedules::done(&app.store, due, came).await;
    }
    match start(app, &repository, (due, at)).await {
        Ok(number) => came.build = Some(number),
        Err(NoBuild::Git(error)) if error.is_passing() => {
            return schedules::retry_later(&app.store, due, now + PAUSE_US, error.to_string()).await;
        }
        Err(NoBuild::Store(error)) => return Err(error),
        Err(never) => came.message = Some(never.to_string()),
    }
    schedules::done(&app.store, due, came).await
}

async fn start(app: &App, repository: &Repository, (due, at): (&Scheduled, Micros)) -> Result<i64, NoBuild> {
    let branch = default_branch(app, repository).await?;
    let schedule = &due.schedule;
    let target = Target {
        inputs: schedule.inputs.clone(),
        due: Some(format!(
            "{} {} {} {at}",
            repository.id, schedule.cron, schedule.timezone
        )),
        ..Target::new("schedule", branch, app.store.now())
    };
    build(app, repository, target).await
}

/// Takes over the schedules and inputs of a job file, when its branch is the default one.
pub(super) async fn refresh(
    app: &App,
    (repository, reference): (&Repository, &Reference),
    file: &JobFile,
) -> Result<(), NoBuild> {
    let now = app.store.now();
    let declared = Declared {
        inputs: file.inputs(),
        schedules: file
            .schedules()
            .into_iter()
            .map(|schedule| {
                let next_at = times::next(&schedule.cron, &schedule.timezone, now);
                (schedule, next_at)
            })
            .collect(),
    };
    let says_nothing = declared.schedules.is_empty() && declared.inputs.is_empty();
    let knew_nothing = says_nothing
        && schedules::list(&app.store, &repository.id).await?.is_empty()
        && schedules::inputs(&app.store, &repository.id).await?.is_empty();
    // Mostly there are none: then the repository need not be asked.
    if knew_nothing || reference.branch().is_none() || default_branch(app, repository).await? != *reference {
        return Ok(());
    }
    Ok(schedules::refresh(&app.store, &repository.id, declared).await?)
}

/// Reads the job file of a repository that was just added, so that its schedules run without a push. Nothing comes of
/// it when there is none yet: the first push does the same.
pub(crate) fn look_at(app: &App, repository: &Repository) {
    let (app, repository) = (app.clone(), repository.clone());
    app.tasks.clone().spawn(async move {
        let stop = app.stop.clone();
        let looked = async {
            let branch = default_branch(&app, &repository).await?;
            super::make::look(&app, &repository, branch).await
        };
        tokio::select! {
            () = stop.cancelled() => {}
            looked = looked => if let Err(error) = looked {
                tracing::debug!(repository.name, %error, "a new repository has no job file yet");
            }
        }
    });
}

//! Commands in comments: whether their author may write to the repository is asked of its forge, by the author's id, each
//! time; then they do what anybody could do on a page.

use super::NoBuild;
use crate::app::App;
use crate::forges::{Author, Command, Wanted};
use crate::store::audit::Person;
use crate::store::builds::Rerun;
use crate::store::outbox::Outcome;
use crate::store::repositories::Repository;
use crate::store::{Actor, StoreError, approvals, builds, connections};

/// What came of a command.
pub(super) enum CommandEnd {
    /// Done, or refused: what to say, and the build that it made.
    Said(String, Option<i64>),
    /// The forge does not answer now: why.
    NotNow(String),
}

/// Does what a command wants.
pub(super) async fn run(app: &App, repository: &Repository, command: Command) -> Result<CommandEnd, NoBuild> {
    let said = |sentence: String| Ok(CommandEnd::Said(sentence, None));
    if let Wanted::Unknown(what) = command.wanted {
        return said(what);
    }
    match may_write(app, repository, &command.author).await? {
        Permission::Write => {}
        Permission::Unknown(Outcome::NotNow { why, .. }) => return Ok(CommandEnd::NotNow(why)),
        Permission::Unknown(Outcome::Failed(why)) => return said(format!("{}: {why}", may_not(&command.author))),
        Permission::Unknown(Outcome::Sent) | Permission::Less => return said(may_not(&command.author)),
        Permission::NotConnected => {
            let name = &repository.name;
            return said(format!(
                "nobody says who may do that: connect the repository with its forge (drover repo connect {name})"
            ));
        }
    }
    let actor = Actor::Forge(Person {
        id: format!("{} {}", repository.forge.word(), command.author.id),
        name: command.author.name.clone(),
    });
    match &command.wanted {
        Wanted::Approve(commit) => approve(app, &actor, (repository, command.number), commit).await,
        Wanted::Rerun => rerun(app, &actor, (repository, command.number)).await,
        Wanted::Unknown(what) => said(what.clone()),
    }
}

fn may_not(author: &Author) -> String {
    let name = &author.name;
    format!("`{name}` may not do that: the forge does not say that they may write to the repository")
}

/// What a forge says of an author.
enum Permission {
    Write,
    Less,
    NotConnected,
    Unknown(Outcome),
}

async fn may_write(app: &App, repository: &Repository, author: &Author) -> Result<Permission, StoreError> {
    let connection = connections::get(&app.store, &repository.id).await?;
    let (Some(api), Some(connection)) = (repository.forge.api(), connection) else {
        return Ok(Permission::NotConnected);
    };
    let request = api.permission(&connection.location.project, author);
    Ok(match app.forges.call((api, &connection), request).await {
        Ok(answer) if api.may_write(&answer, author) => Permission::Write,
        Ok(_) => Permission::Less,
        Err(outcome) => Permission::Unknown(outcome),
    })
}

async fn approve(
    app: &App,
    actor: &Actor,
    (repository, number): (&Repository, i64),
    commit: &str,
) -> Result<CommandEnd, NoBuild> {
    let waiting = approvals::waiting(&app.store, &repository.id, number).await?;
    let Some((build, sha)) = waiting.iter().find(|(_, sha)| sha.starts_with(commit)) else {
        let sentence = format!("no build of pull request {number} at {commit} waits for approval");
        return Ok(CommandEnd::Said(sentence, None));
    };
    approvals::approve(&app.store, actor, *build).await?;
    Ok(CommandEnd::Said(
        format!("commit {sha} is approved: build {build} may run"),
        None,
    ))
}

async fn rerun(app: &App, actor: &Actor, (repository, number): (&Repository, i64)) -> Result<CommandEnd, NoBuild> {
    let Some((build, status)) = builds::newest_of_request(&app.store, &repository.id, number).await? else {
        return Ok(CommandEnd::Said(format!("pull request {number} has no build"), None));
    };
    let which = match status.did_not_pass() {
        true => Rerun::Failed,
        false => Rerun::All,
    };
    match super::rerun(app, actor, build, which).await {
        Ok(made) => Ok(CommandEnd::Said(format!("runs build {build} again"), Some(made))),
        Err(NoBuild::Store(StoreError::Refused(why))) => Ok(CommandEnd::Said(why, None)),
        Err(error) => Err(error),
    }
}

//! Who changed what: a row for each write that a person causes, in the transaction of that write. Separate from the nouns
//! so that none of them can have a row of another form, and so that rows are only ever added here and removed by age.

use futures_util::future::BoxFuture;
use protocol::ids::{JobId, RepositoryId};
use serde::{Deserialize, Serialize};

use super::{Micros, Store, StoreError, from_word, jobs, to_word};
use crate::db::{DbError, Row, Tx, args};

/// Who causes a write. What the coordinator does by itself, and what agents and forges tell it, has no actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody in a browser.
    Session(Person),
    /// Somebody, or a program, with an API token.
    Token(Person),
    /// Somebody by a comment at a forge, which says that they may write to the repository.
    Forge(Person),
    /// Whoever starts the coordinator on its own machine.
    Console,
}

/// Somebody whose session or token was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Id of the session or token; of somebody at a forge, its word and their id there.
    pub id: String,
    /// The token's name, or `administrator`.
    pub name: String,
}

impl Actor {
    /// The person; `None`: the console.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Actor::Session(person) | Actor::Token(person) | Actor::Forge(person) => Some(person),
            Actor::Console => None,
        }
    }

    /// How people call them.
    pub fn name(&self) -> &str {
        self.person().map_or("console", |person| &person.name)
    }

    /// `session`, `token`, `forge` or `console`.
    pub fn kind(&self) -> &'static str {
        match self {
            Actor::Session(_) => "session",
            Actor::Token(_) => "token",
            Actor::Forge(_) => "forge",
            Actor::Console => "console",
        }
    }
}

/// What a person did, in one word: `secret.set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// A repository was added.
    #[serde(rename = "repository.add")]
    AddRepository,
    /// Everybody may read a repository.
    #[serde(rename = "repository.publish")]
    PublishRepository,
    /// Only users may read a repository.
    #[serde(rename = "repository.unpublish")]
    UnpublishRepository,
    /// A repository is asked for its references every so often.
    #[serde(rename = "repository.poll")]
    PollRepository,
    /// A repository is not asked any more.
    #[serde(rename = "repository.unpoll")]
    UnpollRepository,
    /// A repository was removed.
    #[serde(rename = "repository.remove")]
    RemoveRepository,
    /// A repository was connected with its forge, or otherwise than before.
    #[serde(rename = "repository.connect")]
    ConnectRepository,
    /// A repository's forge is told nothing more.
    #[serde(rename = "repository.disconnect")]
    DisconnectRepository,
    /// A repository's webhook secret was made anew.
    #[serde(rename = "hook.rotate")]
    RotateHook,
    /// A delivery is processed again.
    #[serde(rename = "delivery.redeliver")]
    Redeliver,
    /// A secret was set.
    #[serde(rename = "secret.set")]
    SetSecret,
    /// A secret was destroyed.
    #[serde(rename = "secret.remove")]
    RemoveSecret,
    /// Caches of a repository were removed.
    #[serde(rename = "cache.prune")]
    PruneCaches,
    /// An artifact was removed.
    #[serde(rename = "artifact.remove")]
    RemoveArtifact,
    /// A build was asked for by hand.
    #[serde(rename = "build.trigger")]
    TriggerBuild,
    /// A build was repeated, all of it or some of its jobs.
    #[serde(rename = "build.rerun")]
    RerunBuild,
    /// Somebody has looked at the commit of a stranger's pull request: its build may run.
    #[serde(rename = "build.approve")]
    ApproveBuild,
    /// Whose pull requests wait for approval was changed.
    #[serde(rename = "repository.approval")]
    SetApprovalPolicy,
    /// A build was stopped.
    #[serde(rename = "build.cancel")]
    CancelBuild,
    /// A job was stopped.
    #[serde(rename = "job.cancel")]
    CancelJob,
    /// Somebody entered a step or service of a job.
    #[serde(rename = "shell.open")]
    OpenShell,
    /// A stack has its full time again.
    #[serde(rename = "stack.extend")]
    ExtendStack,
    /// A stack is to go.
    #[serde(rename = "stack.remove")]
    RemoveStack,
    /// An enrolment code was made.
    #[serde(rename = "enrolment_code.create")]
    CreateEnrolmentCode,
    /// An agent takes nothing new.
    #[serde(rename = "agent.drain")]
    DrainAgent,
    /// An agent takes work again.
    #[serde(rename = "agent.undrain")]
    UndrainAgent,
    /// An agent has other labels.
    #[serde(rename = "agent.label")]
    LabelAgent,
    /// An agent was removed.
    #[serde(rename = "agent.remove")]
    RemoveAgent,
    /// An API token was made.
    #[serde(rename = "token.create")]
    CreateToken,
    /// An API token was revoked.
    #[serde(rename = "token.revoke")]
    RevokeToken,
    /// A login link was made.
    #[serde(rename = "login_link.create")]
    CreateLoginLink,
    /// A browser was logged in.
    #[serde(rename = "session.open")]
    OpenSession,
    /// A browser logged itself out.
    #[serde(rename = "session.close")]
    CloseSession,
    /// A browser was logged out from elsewhere.
    #[serde(rename = "session.revoke")]
    RevokeSession,
}

impl Action {
    /// The word of the API and of the store: `secret.set`.
    pub fn word(self) -> String {
        to_word(&self)
    }
}

/// What was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    name: String,
    id: Option<String>,
    repository: Option<RepositoryId>,
    build: Option<i64>,
}

impl Subject {
    /// Something that people call `name`.
    pub(super) fn named(name: impl Into<String>) -> Subject {
        Subject {
            name: name.into(),
            id: None,
            repository: None,
            build: None,
        }
    }

    /// With an id beside its name.
    pub(super) fn id(self, id: impl Into<String>) -> Subject {
        Subject {
            id: Some(id.into()),
            ..self
        }
    }

    /// In a repository.
    pub(super) fn of(self, repository: &RepositoryId) -> Subject {
        Subject {
            repository: Some(repository.clone()),
            ..self
        }
    }

    /// A build, by its number.
    pub(super) fn build(number: i64) -> Subject {
        Subject::named(number.to_string()).in_build(number)
    }

    /// In a build, and so in its repository.
    pub(super) fn in_build(self, number: i64) -> Subject {
        Subject {
            build: Some(number),
            ..self
        }
    }
}

impl Store {
    /// Does `work` in one transaction, as [`Store::write`] does, and writes down in it that `actor` did `action` to the
    /// subject that the work gives.
    pub(super) async fn act<T, F>(&self, actor: &Actor, action: Action, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(T, Subject), StoreError>> + Send + 'static,
    {
        let (actor, now) = (actor.clone(), self.now());
        self.write(move |tx| {
            Box::pin(async move {
                let (value, subject) = work(tx).await?;
                record(tx, (&actor, action), &subject, now).await?;
                Ok(value)
            })
        })
        .await
    }
}

/// Writes down who did what, for a write that has several subjects, or an actor only at times.
pub(super) async fn record(
    tx: &mut Tx,
    (actor, action): (&Actor, Action),
    subject: &Subject,
    at: Micros,
) -> Result<(), DbError> {
    let sql =
        "insert into audit (id, at, actor_kind, actor_id, actor_name, action, subject, subject_id, build, repository)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, (select name from repositories where id = coalesce($10,
               (select repository from builds where number = $9))))";
    let values = args![
        uuid::Uuid::now_v7().simple().to_string(),
        at,
        actor.kind(),
        actor.person().map(|person| person.id.as_str()),
        actor.name(),
        to_word(&action),
        &subject.name,
        &subject.id,
        subject.build,
        subject.repository.as_ref().map(RepositoryId::as_str)
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// Writes down that somebody enters a job: nothing changes here by that, but anything may on its agent.
///
/// # Errors
/// `NotFound`: the job.
pub async fn enter(store: &Store, actor: &Actor, job: &JobId) -> Result<(), StoreError> {
    let id = job.clone();
    store
        .act(actor, Action::OpenShell, move |tx| {
            Box::pin(async move {
                let job = jobs::lock(tx, &id).await?;
                Ok(((), Subject::named(job.title).id(id.0).in_build(job.build)))
            })
        })
        .await
}

/// One change that a person made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id; those of later changes are greater.
    pub id: String,
    /// When.
    pub at: Micros,
    /// Who.
    pub actor: Actor,
    /// What they did.
    pub action: Action,
    /// To what, as people call it: the name of a secret, the title of a job, the number of a build.
    pub subject: String,
    /// The id of that, when it has one beside its name.
    pub subject_id: Option<String>,
    /// Name of its repository, at that time.
    pub repository: Option<String>,
    /// Its build.
    pub build: Option<i64>,
}

fn from_row(row: &Row) -> Result<Entry, DbError> {
    let id: Option<String> = row.get("actor_id")?;
    let person = Person {
        id: id.unwrap_or_default(),
        name: row.get("actor_name")?,
    };
    Ok(Entry {
        id: row.get("id")?,
        at: row.get("at")?,
        actor: match row.get::<String>("actor_kind")?.as_str() {
            "session" => Actor::Session(person),
            "token" => Actor::Token(person),
            "forge" => Actor::Forge(person),
            _ => Actor::Console,
        },
        action: from_word("action", &row.get::<String>("action")?)?,
        subject: row.get("subject")?,
        subject_id: row.get("subject_id")?,
        repository: row.get("repository")?,
        build: row.get("build")?,
    })
}

/// At most `limit` changes, newest first; with `before` only those that are older than the change of that id.
///
/// # Errors
/// The database.
pub async fn list(store: &Store, before: Option<&str>, limit: u32) -> Result<Vec<Entry>, StoreError> {
    let sql =
        "select id, at, actor_kind, actor_id, actor_name, action, subject, subject_id, repository, build from audit
               where $1 is null or id < $1 order by id desc limit $2";
    let rows = store.db.all(sql, args![before, limit]).await?;
    Ok(rows.iter().map(from_row).collect::<Result<_, _>>()?)
}

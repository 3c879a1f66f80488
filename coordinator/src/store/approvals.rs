//! Approvals: a build of a stranger's pull request waits until somebody has looked at exactly its commit. Separate from the
//! builds because an approval is of a commit: another build of the same one needs none, and a new commit needs another.

use protocol::api::{Approval, ApprovalPolicy};
use protocol::ids::RepositoryId;

use super::audit::{Action, Subject};
use super::builds::NewBuild;
use super::{Actor, Change, Store, StoreError, ended, from_word, outbox, repositories, to_word};
use crate::db::{DbError, Row, Tx, args};

/// Where a build stands, and who approved of its commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// Whether it still waits.
    pub state: Approval,
    /// Who has looked at it.
    pub by: Option<String>,
}

/// The row's `approval` and `approved_by`; `None`: it needs none.
pub(super) fn from_row(row: &Row) -> Result<Option<Approved>, DbError> {
    let word: Option<String> = row.get("approval")?;
    let by = row.get("approved_by")?;
    let state = word.map(|word| from_word("approval", &word)).transpose()?;
    Ok(state.map(|state| Approved { state, by }))
}

/// What a new build needs, of a repository that is there.
pub(super) async fn of_new(tx: &mut Tx, new: &NewBuild) -> Result<Option<Approved>, StoreError> {
    let Some(pull_request) = new.facts.pull_request else {
        return Ok(None);
    };
    if new.trust.is_trusted() || new.jobs.is_empty() {
        return Ok(None);
    }
    let policy = "select approval from repositories where id = $1 and approval = $2";
    let waits = to_word(&ApprovalPolicy::Untrusted);
    if tx.first(policy, args![&new.repository, waits]).await?.is_none() {
        return Ok(None);
    }
    let known = "select by_name from approvals where repository = $1 and pull_request = $2 and sha = $3";
    let found = tx
        .first(known, args![&new.repository, pull_request, &new.facts.sha])
        .await?;
    Ok(Some(match found {
        None => Approved {
            state: Approval::Needed,
            by: None,
        },
        Some(row) => Approved {
            state: Approval::Approved,
            by: Some(row.get("by_name")?),
        },
    }))
}

/// Approves of the commit of a build: this one and others of the same pull request and commit wait no longer.
///
/// # Errors
/// `NotFound`; `Refused` when it does not wait for that.
pub async fn approve(store: &Store, actor: &Actor, number: i64) -> Result<(), StoreError> {
    let (by, now) = (actor.name().to_owned(), store.now());
    store
        .act(actor, Action::ApproveBuild, move |tx| {
            Box::pin(async move {
                let sql = "select b.repository, b.pull_request, b.sha, b.approval, s.status from builds b
                           join build_status s on s.build = b.number where b.number = $1";
                let row = tx.one(sql, args![number], "build").await?;
                let (repository, sha): (String, String) = (row.get("repository")?, row.get("sha")?);
                let pull_request: Option<i64> = row.get("pull_request")?;
                if row.get::<Option<String>>("approval")?.as_deref() != Some("needed") {
                    return Err(StoreError::Refused(format!(
                        "build {number} does not wait for approval"
                    )));
                }
                let keep =
                    "insert into approvals (repository, pull_request, sha, by_name, at) values ($1, $2, $3, $4, $5)
                            on conflict (repository, pull_request, sha) do nothing";
                tx.run(keep, args![&repository, pull_request, &sha, &by, now]).await?;
                let waiting = "select number from builds where repository = $1 and pull_request = $2 and sha = $3
                               and approval = 'needed' order by number";
                let mut numbers = Vec::new();
                for row in tx.all(waiting, args![&repository, pull_request, &sha]).await? {
                    numbers.push(row.get("number")?);
                }
                for build in &numbers {
                    release(tx, *build, &by).await?;
                }
                outbox::builds_changed(tx, &numbers, now).await?;
                Ok(((), Subject::named(sha).in_build(number)))
            })
        })
        .await
}

async fn release(tx: &mut Tx, build: i64, by: &str) -> Result<(), StoreError> {
    ended::lock_build(tx, build).await?;
    let approved = "update builds set approval = 'approved', approved_by = $2 where number = $1";
    tx.run(approved, args![build, by]).await?;
    let unblock = "update jobs set blocked_by_approval = 0 where build = $1 and blocked_by_approval = 1";
    tx.run(unblock, args![build]).await?;
    tx.notify(Change::Build(build));
    tx.notify(Change::Queue);
    Ok(())
}

/// Builds of a pull request that wait for approval, and their commits; the newest first.
///
/// # Errors
/// The database.
pub async fn waiting(
    store: &Store,
    repository: &RepositoryId,
    pull_request: i64,
) -> Result<Vec<(i64, String)>, StoreError> {
    let sql = "select b.number, b.sha from builds b join build_status s on s.build = b.number
               where b.repository = $1 and b.pull_request = $2 and b.approval = 'needed' and s.status = 'queued'
               order by b.number desc";
    let rows = store.db.all(sql, args![repository, pull_request]).await?;
    let build = |row: &Row| Ok::<_, DbError>((row.get("number")?, row.get("sha")?));
    Ok(rows.iter().map(build).collect::<Result<_, _>>()?)
}

/// Builds of the same pull request that wait for approval of another commit: nobody need look at that any more.
///
/// # Errors
/// The database.
pub async fn cancel_older(store: &Store, number: i64) -> Result<(), StoreError> {
    let now = store.now();
    store
        .write(move |tx| {
            Box::pin(async move {
                let older = "select o.number from builds b join builds o on o.repository = b.repository
                             and o.pull_request = b.pull_request and o.sha <> b.sha and o.number < b.number
                             where b.number = $1 and b.approval is not null and o.approval = 'needed' order by o.number";
                for row in tx.all(older, args![number]).await? {
                    let why = format!("superseded by #{number}");
                    ended::cancel_build(tx, row.get("number")?, &why, now).await?;
                }
                Ok(())
            })
        })
        .await
}

/// Says whose pull requests wait for approval from now on.
///
/// # Errors
/// `NotFound`.
pub async fn set_policy(store: &Store, actor: &Actor, id: &RepositoryId, to: ApprovalPolicy) -> Result<(), StoreError> {
    let sql = "update repositories set approval = $2 where id = $1 and removed_at is null returning name";
    let (id, values) = (id.clone(), [id.into(), to_word(&to).into()]);
    store
        .act(actor, Action::SetApprovalPolicy, move |tx| {
            Box::pin(async move { Ok(((), repositories::change(tx, sql, (&id, &values)).await?)) })
        })
        .await
}

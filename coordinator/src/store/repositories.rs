//! Repositories: what Drover builds, where their code is, and the secret that signs their webhooks.

use protocol::api::ApprovalPolicy;
use protocol::ids::RepositoryId;
use protocol::work::SecretValue;
use serde::Serialize;

use super::audit::{Action, Subject};
use super::{Actor, Micros, Store, StoreError, connections, ended, from_word, keys, outbox, polling, secrets, to_word};
use crate::db::{DbError, Row, Tx, Value, args};
use crate::forges::{Forge, Location};

/// One repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repository {
    /// Its id, for ever.
    pub id: RepositoryId,
    /// Its name; unique.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// Whose webhooks it gets.
    pub forge: Forge,
    /// Anybody may read its builds.
    pub public: bool,
    /// Whose pull requests wait for approval.
    pub approval: ApprovalPolicy,
    /// When it was added.
    pub created_at: Micros,
}

/// A repository to add.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// 1 to 100 letters, digits, `.`, `_`, `-`; unique.
    pub name: String,
    /// URL or path.
    pub git: String,
    /// Whose webhooks it gets.
    pub forge: Forge,
    /// How it is reached at its forge.
    pub connection: Option<(Location, SecretValue)>,
}

/// Who may read a repository's builds without a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Nobody.
    Private,
    /// Everybody.
    Public,
}

const COLUMNS: &str =
    "select id, name, git, forge, public, approval, created_at from repositories where removed_at is null";

fn from_row(row: &Row) -> Result<Repository, DbError> {
    Ok(Repository {
        id: RepositoryId(row.get("id")?),
        name: row.get("name")?,
        git: row.get("git")?,
        forge: from_word("forge", &row.get::<String>("forge")?)?,
        public: row.flag("public")?,
        approval: from_word("approval", &row.get::<String>("approval")?)?,
        created_at: row.get("created_at")?,
    })
}

/// What the sealed webhook secret is bound to.
fn place(id: &RepositoryId) -> String {
    format!("{id}|webhook")
}

/// Adds one, with a new webhook secret.
///
/// # Errors
/// `Refused`: the name is taken or malformed, or the token of its connection cannot be one.
pub async fn add(store: &Store, actor: &Actor, new: NewRepository) -> Result<Repository, StoreError> {
    let well_formed = (1..=100).contains(&new.name.len())
        && new
            .name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !new.name.starts_with(['.', '-']);
    if !well_formed {
        let why =
            "a repository's name has 1 to 100 letters, digits, `.`, `_` or `-`, and begins with a letter or digit";
        return Err(StoreError::Refused(why.into()));
    }
    let repository = Repository {
        id: RepositoryId::generate(),
        name: new.name,
        git: new.git,
        forge: new.forge,
        public: false,
        approval: ApprovalPolicy::Untrusted,
        created_at: store.now(),
    };
    let hook_secret = store
        .key
        .seal(&place(&repository.id), &hex::encode(keys::random::<32>()));
    let seal = |(location, token)| {
        let sealed = connections::seal(store, &repository.id, &token)?;
        Ok::<_, StoreError>((location, sealed))
    };
    let connection = new.connection.map(seal).transpose()?;
    let row = repository.clone();
    let added = store
        .act(actor, Action::AddRepository, move |tx| {
            Box::pin(async move {
                let inserted = insert(tx, &row, hook_secret).await?;
                if let Some((location, token)) = &connection {
                    connections::set(tx, &row.id, (location, token), row.created_at).await?;
                }
                Ok(inserted)
            })
        })
        .await;
    match added {
        Err(StoreError::Database(error)) if error.is_duplicate() => Err(StoreError::Refused(format!(
            "there is a repository `{}` already",
            repository.name
        ))),
        other => other.map(|()| repository),
    }
}

async fn insert(tx: &mut Tx, repository: &Repository, hook_secret: String) -> Result<((), Subject), StoreError> {
    tx.run(
        "insert into repositories (id, name, git, forge, public, hook_secret, created_at)
         values ($1, $2, $3, $4, 0, $5, $6)",
        args![
            &repository.id,
            &repository.name,
            &repository.git,
            to_word(&repository.forge),
            hook_secret,
            repository.created_at
        ],
    )
    .await?;
    Ok(((), subject(&repository.id, &repository.name)))
}

fn subject(id: &RepositoryId, name: &str) -> Subject {
    Subject::named(name).id(id.as_str()).of(id)
}

/// Runs a statement that changes one repository and returns its name.
pub(super) async fn change(
    tx: &mut Tx,
    sql: &'static str,
    (id, values): (&RepositoryId, &[Value]),
) -> Result<Subject, StoreError> {
    let row = tx.one(sql, values, "repository").await?;
    Ok(subject(id, &row.get::<String>("name")?))
}

/// All, by name.
///
/// # Errors
/// The database.
pub async fn list(store: &Store) -> Result<Vec<Repository>, StoreError> {
    let rows = store.db.all(COLUMNS, args![]).await?;
    let mut repositories = rows.iter().map(from_row).collect::<Result<Vec<_>, _>>()?;
    repositories.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(repositories)
}

/// The one of that name.
///
/// # Errors
/// `NotFound`.
pub async fn by_name(store: &Store, name: &str) -> Result<Repository, StoreError> {
    let sql = "select id, name, git, forge, public, approval, created_at from repositories where removed_at is null
               and name = $1";
    let row = store.one(sql, args![name], "repository").await?;
    Ok(from_row(&row)?)
}

/// The one of that id.
///
/// # Errors
/// `NotFound`.
pub async fn by_id(store: &Store, id: &RepositoryId) -> Result<Repository, StoreError> {
    let sql = "select id, name, git, forge, public, approval, created_at from repositories where removed_at is null
               and id = $1";
    let row = store.one(sql, args![id], "repository").await?;
    Ok(from_row(&row)?)
}

/// How long the secret before counts after a new one was made, in microseconds: 7 days, for people who have hooks in many
/// places.
const HOOK_OVERLAP_US: i64 = 7 * 86_400_000_000;

/// What becomes of the secret before when a new one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldSecret {
    /// It counts for 7 days more.
    Overlaps,
    /// It is worth nothing from now on.
    Ends,
}

/// The secrets of a webhook.
#[derive(Debug, Clone)]
pub struct HookSecrets {
    /// What a forge is told.
    pub current: SecretValue,
    /// Until when the one before counts; `None`: there is none that does.
    pub before_until: Option<Micros>,
}

/// The one of that name with the secrets that sign its webhooks, in one look; `None`: there is none.
///
/// # Errors
/// `Key` when a secret was sealed with another key.
pub async fn hook(store: &Store, name: &str) -> Result<Option<(Repository, Vec<SecretValue>)>, StoreError> {
    let sql = "select id, name, git, forge, public, approval, created_at, hook_secret,
               case when hook_before_until > $2 then hook_secret_before end as before
               from repositories where removed_at is null and name = $1";
    let Some(row) = store.db.first(sql, args![name, store.now()]).await? else {
        return Ok(None);
    };
    let repository = from_row(&row)?;
    let current: String = row.get("hook_secret")?;
    let before: Option<String> = row.get("before")?;
    let open = |sealed: String| store.key.open(&place(&repository.id), &sealed).map(SecretValue);
    let secrets = [Some(current), before]
        .into_iter()
        .flatten()
        .map(open)
        .collect::<Result<_, _>>()?;
    Ok(Some((repository, secrets)))
}

/// The secret that its webhooks are signed with, and until when the one before counts.
///
/// # Errors
/// `NotFound`; `Key` when it was sealed with another key.
pub async fn hook_secrets(store: &Store, id: &RepositoryId) -> Result<HookSecrets, StoreError> {
    let sql = "select hook_secret, case when hook_before_until > $2 then hook_before_until end as until
               from repositories where id = $1 and removed_at is null";
    let row = store.one(sql, args![id, store.now()], "repository").await?;
    Ok(HookSecrets {
        current: SecretValue(store.key.open(&place(id), &row.get::<String>("hook_secret")?)?),
        before_until: row.get("until")?,
    })
}

/// Makes a new secret for its webhooks.
///
/// # Errors
/// `NotFound`.
pub async fn rotate_hook(store: &Store, actor: &Actor, id: &RepositoryId, old: OldSecret) -> Result<(), StoreError> {
    let sealed = store.key.seal(&place(id), &hex::encode(keys::random::<32>()));
    let until = match old {
        OldSecret::Overlaps => Some(store.now() + HOOK_OVERLAP_US),
        OldSecret::Ends => None,
    };
    let sql = "update repositories set hook_secret_before = case when $3 > 0 then hook_secret end, hook_before_until = $3, hook_secret = $2
               where id = $1 and removed_at is null returning name";
    let (id, values, now) = (id.clone(), [id.into(), sealed.into(), until.into()], store.now());
    store
        .act(actor, Action::RotateHook, move |tx| {
            Box::pin(async move {
                let changed = change(tx, sql, (&id, &values)).await?;
                outbox::webhook_changed(tx, &id, now).await?;
                Ok(((), changed))
            })
        })
        .await
}

/// Takes it away: its jobs are cancelled, its secrets destroyed, its name is free again; its builds stay readable.
///
/// # Errors
/// `NotFound`.
pub async fn remove(store: &Store, actor: &Actor, id: &RepositoryId) -> Result<(), StoreError> {
    let (id, now) = (id.clone(), store.now());
    store
        .act(actor, Action::RemoveRepository, move |tx| {
            Box::pin(async move {
                let sql = "update repositories set removed_at = $2, forge_token = null
                           where id = $1 and removed_at is null returning name";
                let removed = change(tx, sql, (&id, args![&id, now])).await?;
                secrets::remove_all(tx, &id).await?;
                outbox::remove_all(tx, &id).await?;
                polling::end(tx, &id).await?;
                let open = "select distinct b.number from builds b join jobs j on j.build = b.number
                            where b.repository = $1 and j.status in ('waiting', 'queued', 'assigned', 'running')
                            order by b.number";
                for row in tx.all(open, args![&id]).await? {
                    ended::cancel_build(tx, row.get("number")?, "its repository was removed", now).await?;
                }
                Ok(((), removed))
            })
        })
        .await
}

/// Says who may read it.
///
/// # Errors
/// `NotFound`.
pub async fn set_public(store: &Store, actor: &Actor, id: &RepositoryId, to: Visibility) -> Result<(), StoreError> {
    let (action, public) = match to {
        Visibility::Public => (Action::PublishRepository, 1_i64),
        Visibility::Private => (Action::UnpublishRepository, 0),
    };
    let sql = "update repositories set public = $2 where id = $1 and removed_at is null returning name";
    let (id, values) = (id.clone(), [id.into(), public.into()]);
    store
        .act(actor, action, move |tx| {
            Box::pin(async move { Ok(((), change(tx, sql, (&id, &values)).await?)) })
        })
        .await
}

/// Nothing is added to a repository that is not there.
pub(super) async fn must_exist(tx: &mut Tx, id: &RepositoryId) -> Result<(), StoreError> {
    let sql = "select id from repositories where id = $1 and removed_at is null";
    tx.first(sql, args![id])
        .await?
        .map(drop)
        .ok_or(StoreError::NotFound("repository"))
}

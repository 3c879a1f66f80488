//! Who may read and write which cache. A cache belongs to the reference whose builds wrote it; a build whose commit is
//! not on the reference that it names has caches of its own (`builds/commit_check.rs`). A build reads those of its own,
//! then of the branch that it is to be merged into, then of the default branch; it writes those of its own only, and
//! only when its code is trusted. So nothing that a fork or a side branch writes is ever read by a build of the default
//! branch.

use std::time::Duration;

use protocol::api::Cache;
use protocol::blobs::CacheFound;

use crate::app::App;
use crate::blobs::BlobError;
use crate::git::Address;
use crate::store::blobs::Asker;
use crate::store::caches;

/// A repository that does not say its default branch within this time has none for now.
const ASK_TAKES: Duration = Duration::from_secs(10);

/// The scope that a build may write. `None`: its code is not trusted.
pub(crate) fn writable(asker: &Asker) -> Option<&str> {
    asker.trusted.then_some(asker.scope.as_str())
}

/// The scopes that a build may read, its own first.
fn readable(asker: &Asker, default_branch: Option<String>) -> Vec<String> {
    let base = asker.base.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let mut scopes = vec![asker.scope.clone()];
    for scope in base.into_iter().chain(default_branch) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    scopes
}

/// The scopes that a build may read; asks the repository for its default branch.
pub(crate) async fn readable_by(app: &App, asker: &Asker) -> Vec<String> {
    let repository = asker.repository.as_str();
    if let Some(known) = app.default_branches.known(repository) {
        return readable(asker, known);
    }
    let asked = async {
        let address = Address::parse(&asker.git, &app.config.git.protocols).ok()?;
        let asked = app.mirrors.default_branch(repository, &address);
        let branch = tokio::time::timeout(ASK_TAKES, asked).await.ok()?.ok()?;
        Some(branch.as_str().to_owned())
    };
    let reference = asked.await;
    app.default_branches.learn(repository, reference.clone());
    readable(asker, reference)
}

/// The best cache for a key: the very key in any scope, then the newest that begins with a fallback.
///
/// # Errors
/// The database.
pub(crate) async fn find(
    app: &App,
    asker: &Asker,
    key: &str,
    fallback: &[String],
) -> Result<Option<CacheFound>, BlobError> {
    let Some(cache) = find_cache(app, asker, key, fallback).await? else {
        return Ok(None);
    };
    caches::used(&app.store, &asker.repository, &cache).await?;
    Ok(Some(CacheFound {
        key: cache.key,
        sha256: cache.sha256,
        bytes: cache.bytes,
    }))
}

async fn find_cache(app: &App, asker: &Asker, key: &str, fallback: &[String]) -> Result<Option<Cache>, BlobError> {
    let (store, repository) = (&app.store, &asker.repository);
    // Mostly there is no need to ask for the default branch.
    if let Some(own) = caches::exact(store, repository, &asker.scope, key).await? {
        return Ok(Some(own));
    }
    let scopes = readable_by(app, asker).await;
    for scope in scopes.iter().skip(1) {
        if let Some(cache) = caches::exact(store, repository, scope, key).await? {
            return Ok(Some(cache));
        }
    }
    for beginning in fallback {
        for scope in &scopes {
            if let Some(cache) = caches::newest(store, repository, scope, beginning).await? {
                return Ok(Some(cache));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use job_specs::model::JobSpec;
    use protocol::ids::{JobId, RepositoryId};

    use super::*;

    fn asker(scope: &str, base: Option<&str>, trusted: bool) -> Asker {
        Asker {
            repository: RepositoryId("r".into()),
            git: String::new(),
            build: 1,
            job: JobId("j".into()),
            spec: JobSpec::default(),
            scope: scope.into(),
            base: base.map(str::to_owned),
            trusted,
        }
    }

    #[test]
    fn a_build_reads_upwards_and_writes_only_its_own() {
        let main = || Some("refs/heads/main".to_owned());
        let pull = asker("refs/pull/7/head", Some("release"), false);
        assert_eq!(
            readable(&pull, main()),
            ["refs/pull/7/head", "refs/heads/release", "refs/heads/main"]
        );
        assert_eq!(writable(&pull), None);
        let on_main = asker("refs/heads/main", None, true);
        assert_eq!(readable(&on_main, main()), ["refs/heads/main"]);
        assert_eq!(writable(&on_main), Some("refs/heads/main"));
        let tag = asker("refs/tags/v1", None, true);
        assert_eq!(readable(&tag, main()), ["refs/tags/v1", "refs/heads/main"]);
        assert_eq!(readable(&tag, None), ["refs/tags/v1"]);
    }
}

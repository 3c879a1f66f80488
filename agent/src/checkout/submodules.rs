//! The submodules of a commit. Their objects go into the mirror of the repository, so that a step finds all of them in
//! one place. What `.gitmodules` says is whatever a stranger wrote: addresses go through the policy of the repository's
//! own, paths must be real folders of the checkout, and there is an end to their number. One that cannot be had stays
//! empty, and the log says why.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use git_cli::{Address, Exit, Git, without_credentials};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::fetch::git;
use super::mirrors::{Mirror, Mirrors, Wanted};
use super::workspace::{self, Filled};
use super::{CheckoutError, Progress, blocking, lfs, shell};

/// More submodules of one commit, nested ones included, are not checked out.
const MOST: usize = 250;
/// Submodules in submodules, so deep.
const DEEPEST: usize = 10;

/// What a checkout of submodules needs.
pub struct Checkout<'a> {
    /// Who locks mirrors.
    pub mirrors: &'a Mirrors,
    /// The mirror of the repository.
    pub mirror: &'a Mirror,
    /// The folder of the repository's own files.
    pub workspace: &'a Path,
    /// Hears what is done, and what cannot be.
    pub progress: &'a Progress,
    /// Stops it.
    pub cancel: &'a CancellationToken,
}

/// A repository in the workspace, whose submodules are wanted.
struct Parent {
    /// Its folder beneath the workspace.
    folder: PathBuf,
    address: Address,
    commit: String,
    links: Vec<(PathBuf, git2::Oid)>,
    depth: usize,
}

/// What `.gitmodules` says of one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Described {
    name: Vec<u8>,
    url: Option<String>,
    not_wanted: bool,
}

impl Checkout<'_> {
    /// Checks out all that can be had.
    pub async fn all(&self, commit: &str, filled: Filled) -> Result<(), CheckoutError> {
        let mut parents = vec![Parent {
            folder: PathBuf::new(),
            address: self.mirror.address.clone(),
            commit: commit.to_owned(),
            links: filled.submodules,
            depth: 0,
        }];
        let mut left = MOST;
        while let Some(parent) = parents.pop() {
            if parent.links.is_empty() {
                continue;
            }
            let described = self.describe(&parent.commit).await?;
            for (path, id) in &parent.links {
                let shown = parent.folder.join(path).display().to_string();
                if left == 0 {
                    (self.progress)(format!(
                        "submodule {shown} and those behind it stay empty: there are more than {MOST}"
                    ));
                    return Ok(());
                }
                left -= 1;
                match self.one(&parent, path, *id, described.get(path)).await {
                    Ok(child) => {
                        let commit = id.to_string();
                        (self.progress)(format!("submodule {shown}: checked out {}", &commit[..12]));
                        parents.push(child);
                    }
                    Err(error @ (CheckoutError::Cancelled | CheckoutError::Io { .. } | CheckoutError::Broken(_))) => {
                        return Err(error);
                    }
                    Err(error) if error.is_of_mirror() => return Err(error),
                    Err(error) => (self.progress)(format!("submodule {shown} stays empty: {error}")),
                }
            }
        }
        Ok(())
    }

    async fn one(
        &self,
        parent: &Parent,
        path: &Path,
        id: git2::Oid,
        described: Option<&Described>,
    ) -> Result<Parent, CheckoutError> {
        let bad = |why: &str| CheckoutError::BadSource(why.to_owned());
        let described = described.ok_or_else(|| bad(".gitmodules does not describe it"))?;
        if described.not_wanted {
            return Err(bad(".gitmodules says update = none"));
        }
        if parent.depth == DEEPEST {
            return Err(bad("it is too deep in other submodules"));
        }
        let url = described
            .url
            .as_deref()
            .ok_or_else(|| bad(".gitmodules has no url for it"))?;
        let (address, git) = self.allowed(&parent.address, url)?;
        let folder = parent.folder.join(path);
        if !is_real(self.workspace, &folder) {
            return Err(bad("its path leads through a link"));
        }
        let commit = id.to_string();
        let space = space(&address);
        let wanted = Wanted {
            address: &address,
            git: &git,
            commit: &commit,
            reference: "",
            space: &space,
        };
        let brought = self
            .mirrors
            .bring(&self.mirror.folder, &wanted, self.progress, self.cancel)
            .await;
        brought.map_err(|error| match error {
            CheckoutError::UnknownCommit { commit, url, .. } => bad(&format!("commit {commit} is not in {url}")),
            other => other,
        })?;
        let filled = self.fill(&wanted, &folder).await?;
        shell::add_submodule(&self.workspace.join(&parent.folder), &described.name, &address)?;
        let content = lfs::Content {
            mirror: &self.mirror.folder,
            git: &git,
            address: &address,
            trusted: self.mirror.trusted,
            commit: &commit,
            folder: &self.workspace.join(&folder),
        };
        content.bring(filled.pointers, self.progress, self.cancel).await?;
        Ok(Parent {
            folder,
            address,
            commit,
            links: filled.submodules,
            depth: parent.depth + 1,
        })
    }

    async fn fill(&self, wanted: &Wanted<'_>, folder: &Path) -> Result<Filled, CheckoutError> {
        let (mirror, folder) = (self.mirror.folder.clone(), self.workspace.join(folder));
        let (address, commit, space) = (
            wanted.address.clone(),
            wanted.commit.to_owned(),
            wanted.space.to_owned(),
        );
        blocking(move || {
            let origin = workspace::Origin {
                mirror: &mirror,
                address: &address,
                commit: &commit,
                reference: None,
                space: &space,
            };
            workspace::fill(&origin, &folder)
        })
        .await
    }

    /// Where a submodule is, and how git may be called for it. Code that is not trusted must not make use of our
    /// credentials, nor of what only this machine reaches.
    fn allowed(&self, parent: &Address, url: &str) -> Result<(Address, Git), CheckoutError> {
        let git = &self.mirror.git;
        let address = parent.of_submodule(url, git.protocols());
        let address = address.map_err(|error| CheckoutError::BadSource(error.to_string()))?;
        if self.mirror.trusted {
            return Ok((address, git.clone()));
        }
        if !address.is_web_beside(&self.mirror.address) {
            let shown = without_credentials(address.as_str());
            return Err(CheckoutError::BadSource(format!(
                "the build is not trusted, so only what the repository's own web server gives to everybody is fetched, \
                 and {shown} is not there"
            )));
        }
        Ok((address, git.anonymous()))
    }

    /// What `.gitmodules` of the commit says, by path.
    async fn describe(&self, commit: &str) -> Result<HashMap<PathBuf, Described>, CheckoutError> {
        let blob = format!("{commit}:.gitmodules");
        let ask = ["config", "--no-includes", "--null", "--list", "--blob", &blob];
        let (caller, mirror) = (&self.mirror.git, &self.mirror.folder);
        let reading = ("reading .gitmodules", self.progress);
        match git(caller, mirror, &ask, reading, self.cancel).await? {
            Exit::Success(said) => Ok(by_path(&said)),
            // There is none, or it is no configuration: then each submodule says that it is not described.
            Exit::Failure(_) => Ok(HashMap::new()),
        }
    }
}

/// Under which name the mirror keeps branches and tags of a submodule.
fn space(address: &Address) -> String {
    let digest = hex::encode(&Sha256::digest(address.as_str())[..12]);
    format!("refs/drover/modules/{digest}")
}

/// Reads `git config --null --list`.
fn by_path(said: &[u8]) -> HashMap<PathBuf, Described> {
    let mut sections: HashMap<&[u8], (Option<PathBuf>, Described)> = HashMap::new();
    for record in said.split(|byte| *byte == 0) {
        let end = record.iter().position(|byte| *byte == b'\n').unwrap_or(record.len());
        let (key, value) = (&record[..end], record.get(end + 1..).unwrap_or_default());
        let Some(rest) = key.strip_prefix(b"submodule.") else {
            continue;
        };
        let Some(dot) = rest.iter().rposition(|byte| *byte == b'.') else {
            continue;
        };
        let (name, key) = (&rest[..dot], &rest[dot + 1..]);
        let (path, described) = sections.entry(name).or_default();
        name.clone_into(&mut described.name);
        match key {
            b"path" => *path = Some(PathBuf::from(OsStr::from_bytes(value))),
            b"url" => described.url = Some(String::from_utf8_lossy(value).into_owned()),
            b"update" => described.not_wanted = value == b"none",
            _ => {}
        }
    }
    let described = sections.into_values();
    described
        .filter_map(|(path, described)| Some((path?, described)))
        .collect()
}

/// Every part of the path is a folder and no link, and none of them is a repository's own folder.
fn is_real(workspace: &Path, path: &Path) -> bool {
    let plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.eq_ignore_ascii_case(".git"),
        _ => false,
    };
    let mut folder = workspace.to_owned();
    path.components().next().is_some()
        && path.components().all(|part| {
            folder.push(part);
            plain(part) && folder.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_through_a_link_is_not_real() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::fs::create_dir_all(folder.path().join(".GIT/x")).unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        let real = |path: &str| is_real(folder.path(), Path::new(path));
        assert!(real("a") && real("a/b"));
        for path in ["", "link", "link/b", "a/../a", "/a", ".GIT", ".GIT/x", "none"] {
            assert!(!real(path), "{path}");
        }
    }

    #[test]
    fn modules_are_read_by_path_whatever_their_names_are() {
        let said = b"submodule.a.b.path\nlibs/\xe9\0submodule.a.b.url\n../x\0submodule.a.b.update\nnone\0core.x\ny\0\
                     submodule.n.url\nz\0novalue\0";
        let found = by_path(said);
        let path = PathBuf::from(OsStr::from_bytes(b"libs/\xe9"));
        let expected = Described {
            name: b"a.b".to_vec(),
            url: Some("../x".into()),
            not_wanted: true,
        };
        assert_eq!(found, HashMap::from([(path, expected)]));
    }
}

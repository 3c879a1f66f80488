//! Where the caches of a job are: beneath its workspace, or in folders of the attempt that are mounted at absolute paths.
//! Separate because what restores them, what saves them, and every step's container have to agree.

use std::io;
use std::path::{Path, PathBuf};

use job_specs::model::{CacheSpec, JobSpec};

use super::folder::AttemptFolder;
use super::plan::WORKSPACE;
use crate::blobs::archive::PackSource;
use crate::engine::plan::Bind;
use crate::sandbox::open_folder;

/// A path of a cache.
#[derive(Debug, Clone, PartialEq, Eq)]
enum CachePath {
    /// Under the workspace; clean.
    Workspace(PathBuf),
    /// In every step's container; clean, without the slash before it.
    Absolute(PathBuf),
}

/// Reads a path of a cache. `Err`: why it cannot be one, for people.
fn cache_path(path: &str) -> Result<CachePath, String> {
    let clean = |path: &str| -> Result<PathBuf, String> {
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return Err(format!("`{path}` has `..`"));
        }
        Ok(parts.iter().collect())
    };
    let Some(absolute) = path.strip_prefix('/') else {
        return match clean(path)? {
            all if all.as_os_str().is_empty() => Err("the whole workspace is no cache".into()),
            path => Ok(CachePath::Workspace(path)),
        };
    };
    let absolute = clean(absolute)?;
    if let Ok(inside) = absolute.strip_prefix(WORKSPACE.trim_start_matches('/')) {
        return cache_path(&inside.to_string_lossy());
    }
    let is_systems = ["proc", "sys", "dev", ".drover"]
        .iter()
        .any(|folder| absolute.starts_with(folder));
    if absolute.as_os_str().is_empty() || is_systems {
        return Err(format!("`{path}` cannot be a cache"));
    }
    Ok(CachePath::Absolute(absolute))
}

/// The absolute paths of a job's caches: (cache, path in it, where).
fn absolute_paths(spec: &JobSpec) -> impl Iterator<Item = (usize, usize, PathBuf)> {
    let caches = spec.caches.iter().enumerate();
    caches.flat_map(|(cache, of)| {
        let paths = of.paths.iter().enumerate();
        paths.filter_map(move |(index, path)| match cache_path(path) {
            Ok(CachePath::Absolute(path)) => Some((cache, index, path)),
            Ok(CachePath::Workspace(_)) | Err(_) => None,
        })
    })
}

/// Makes the folders that are mounted at absolute paths.
pub fn make_folders(folder: &AttemptFolder, spec: &JobSpec) -> io::Result<()> {
    absolute_paths(spec).try_for_each(|(cache, path, _)| open_folder(&folder.cache(cache, path)))
}

/// Those folders as every step sees them; of two at one path the first counts.
pub fn binds(folder: &AttemptFolder, spec: &JobSpec) -> Vec<Bind> {
    let mut binds: Vec<Bind> = Vec::new();
    for (cache, path, at) in absolute_paths(spec) {
        let container = format!("/{}", at.display());
        if binds.iter().all(|bind| bind.container != container) {
            binds.push(Bind::writable(folder.cache(cache, path), container));
        }
    }
    binds
}

/// A cache's paths on this machine, each with its name in the archive. `Err`: a sentence.
pub fn cache_sources(folder: &AttemptFolder, cache: usize, spec: &CacheSpec) -> Result<Vec<PackSource>, String> {
    let paths = spec.paths.iter().enumerate().map(|(index, path)| {
        Ok(match cache_path(path)? {
            CachePath::Workspace(at) => PackSource::Path {
                root: folder.workspace(),
                name: Path::new("workspace").join(&at),
                at,
            },
            CachePath::Absolute(path) => PackSource::Path {
                root: folder.cache(cache, index),
                name: Path::new("root").join(path),
                at: PathBuf::new(),
            },
        })
    });
    paths.collect()
}

/// Whether nothing of a cache goes into the workspace.
pub fn is_outside(spec: &JobSpec, cache: usize) -> bool {
    let paths = &spec.caches[cache].paths;
    paths
        .iter()
        .all(|path| matches!(cache_path(path), Ok(CachePath::Absolute(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_a_place_of_its_own() {
        let path = |path: &str| cache_path(path);
        assert_eq!(path("./target/"), Ok(CachePath::Workspace("target".into())));
        assert_eq!(path("/workspace/target"), Ok(CachePath::Workspace("target".into())));
        assert_eq!(path("/root/.cargo"), Ok(CachePath::Absolute("root/.cargo".into())));
        assert_eq!(path("a/../../b"), Err("`a/../../b` has `..`".into()));
        assert_eq!(path("/proc/self"), Err("`/proc/self` cannot be a cache".into()));
        assert_eq!(path("/"), Err("`/` cannot be a cache".into()));
        assert_eq!(path("."), Err("the whole workspace is no cache".into()));
    }
}

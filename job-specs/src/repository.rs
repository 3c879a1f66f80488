//! The files of the repository that a job file may refer to (`compose`, `env_file`, `extends`, `hash`): a reader that
//! the caller gives, so that the language itself does no I/O.

use std::sync::Arc;

/// The tree of one commit, or a working folder. Paths are relative to its root, with `/`, without `.` and `..`.
pub trait Repository {
    /// The text of a file. `None`: there is no such file.
    ///
    /// # Errors
    /// Why it cannot be read: it is no text, too big, not a file.
    fn read(&self, path: &str) -> Result<Option<Arc<str>>, String>;

    /// Every file with the hex id of its Git blob, in any order.
    ///
    /// # Errors
    /// Why they cannot be listed.
    fn list(&self) -> Result<Vec<(String, String)>, String>;
}

/// The repository, while it can be read: when a job file is checked, not when a build is made of it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Reach<'a>(pub(crate) Option<&'a dyn Repository>);

impl std::fmt::Debug for Reach<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Reach(..)" } else { "Reach(None)" })
    }
}

/// A repository without files.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRepository;

impl Repository for NoRepository {
    fn read(&self, _: &str) -> Result<Option<Arc<str>>, String> {
        Ok(None)
    }

    fn list(&self) -> Result<Vec<(String, String)>, String> {
        Ok(Vec::new())
    }
}

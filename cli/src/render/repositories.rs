//! Repositories as people read them.

use protocol::api::Repository;

use super::table::table;

/// One line a repository.
pub fn list(repositories: &[Repository]) -> String {
    let rows = repositories.iter().map(|repository| {
        let readers = if repository.public { "everyone" } else { "logged in" };
        vec![
            repository.name.clone(),
            repository.forge.clone(),
            readers.to_owned(),
            repository.git.clone(),
        ]
    });
    table(&["name", "forge", "readers", "git"], rows)
}

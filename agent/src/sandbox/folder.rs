//! The folders that gates work in: a container of any user writes to them, no other user of the host reaches them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::files::make_private;

/// Makes the folder that a gate works in: open to any user of a container, reached by nobody else because the folder
/// around it (made with it when missing) is the agent's alone.
pub fn open_folder(run: &Path) -> std::io::Result<()> {
    let around = run.parent().unwrap_or(Path::new("."));
    make_private(around)?;
    std::fs::create_dir_all(run)?;
    std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o777))
}

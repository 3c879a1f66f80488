//! The `.git` of a workspace: a whole small repository without objects of its own. They are the mirror's, found
//! through `alternates` at [`super::OBJECTS_MOUNT`], mounted read-only. Hard links would let a step that is root spoil
//! the mirror for the next job, and a copy would cost time by the size of the history.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{CheckoutError, OBJECTS_MOUNT, io};

/// Any user of any step may write here: the folder above is closed to others on this machine.
pub const FOLDER_MODE: u32 = 0o777;

/// What stands in the repository beside the commit.
pub struct Shell<'a> {
    /// What `HEAD` says.
    pub head: git2::Oid,
    /// References by their names.
    pub references: Vec<(String, git2::Oid)>,
    /// `remote.origin.url`, without credentials.
    pub origin: Option<&'a str>,
}

impl Shell<'_> {
    /// Writes it; `workspace` has no `.git` yet.
    pub fn write(&self, workspace: &Path) -> Result<(), CheckoutError> {
        let git = workspace.join(".git");
        for folder in ["", "objects/info", "objects/pack", "refs/heads", "refs/tags", "info"] {
            let folder = git.join(folder);
            fs::create_dir_all(&folder).map_err(io("make", &folder))?;
        }
        for folder in [
            "",
            "objects",
            "objects/info",
            "objects/pack",
            "refs",
            "refs/heads",
            "refs/tags",
            "info",
        ] {
            chmod(&git.join(folder), FOLDER_MODE)?;
        }
        let mut packed = String::new();
        let mut references: Vec<_> = self.references.iter().collect();
        references.sort();
        for (name, id) in references {
            writeln!(packed, "{id} {name}").expect("a String takes all");
        }
        put(&git.join("packed-refs"), &packed)?;
        put(&git.join("config"), &self.config())?;
        put(&git.join("objects/info/alternates"), &format!("{OBJECTS_MOUNT}\n"))?;
        put(&git.join("HEAD"), &format!("{}\n", self.head))
    }

    /// Files get new inodes and times on their way into the workspace, so only size and modification time count.
    fn config(&self) -> String {
        let mut config =
            "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tsharedRepository = \
                          0666\n\ttrustctime = false\n\tcheckStat = minimal\n[gc]\n\tauto = 0\n"
                .to_owned();
        if let Some(origin) = self.origin {
            let origin = origin.replace('\\', "\\\\").replace('"', "\\\"");
            writeln!(
                config,
                "[remote \"origin\"]\n\turl = \"{origin}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*"
            )
            .expect("a String takes all");
        }
        config
    }
}

/// Writes a file that every user may write.
fn put(path: &Path, text: &str) -> Result<(), CheckoutError> {
    fs::write(path, text).map_err(io("write", path))?;
    chmod(path, 0o666)
}

/// Sets a mode whatever the umask is.
pub fn chmod(path: &Path, mode: u32) -> Result<(), CheckoutError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(io("change the mode of", path))
}

/// Empties a folder and keeps it: containers may have it mounted already.
pub fn empty(folder: &Path) -> Result<(), CheckoutError> {
    for entry in fs::read_dir(folder).map_err(io("read", folder))? {
        let entry = entry.map_err(io("read", folder))?;
        let path = entry.path();
        let is_folder = entry.file_type().map_err(io("read", &path))?.is_dir();
        if is_folder {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        }
        .map_err(io("remove", &path))?;
    }
    Ok(())
}

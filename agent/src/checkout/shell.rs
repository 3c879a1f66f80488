//! The `.git` of a workspace: a whole small repository without objects of its own. They are the mirror's, found
//! through `alternates` at [`super::OBJECTS_MOUNT`], mounted read-only. Hard links would let a step that is root spoil
//! the mirror for the next job, and a copy would cost time by the size of the history.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use git_cli::{Address, without_credentials};

use super::{CheckoutError, OBJECTS_MOUNT, io};
use crate::files::remove_any;

/// Any user of any step may write here: the folder above is closed to others on this machine.
pub const FOLDER_MODE: u32 = 0o777;

/// What stands in the repository beside the commit.
pub struct Shell {
    /// What the file `HEAD` says.
    pub head: Vec<u8>,
    /// References by their names, which may have any bytes.
    pub references: Vec<(Vec<u8>, git2::Oid)>,
    /// Its configuration, behind what every workspace has.
    pub config: String,
    /// Its ids are made by SHA-256.
    pub long_ids: bool,
    /// So many folders of objects are mounted; see [`objects_mount`].
    pub stores: usize,
}

/// Where the folder of objects with this number is mounted, from 0.
pub fn objects_mount(number: usize) -> String {
    match number {
        0 => OBJECTS_MOUNT.to_owned(),
        number => format!("{OBJECTS_MOUNT}-{number}"),
    }
}

impl Shell {
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
        let mut packed = Vec::new();
        let mut references: Vec<_> = self.references.iter().collect();
        references.sort();
        for (name, id) in references {
            packed.extend_from_slice(format!("{id} ").as_bytes());
            packed.extend_from_slice(name);
            packed.push(b'\n');
        }
        put(&git.join("packed-refs"), &packed)?;
        put(&git.join("config"), self.config().as_bytes())?;
        let stores: String = (0..self.stores).map(|number| objects_mount(number) + "\n").collect();
        put(&git.join("objects/info/alternates"), stores.as_bytes())?;
        put(&git.join("HEAD"), &self.head)
    }

    /// Files get new inodes and times on their way into the workspace, so only size and modification time count.
    fn config(&self) -> String {
        let (version, extensions) = match self.long_ids {
            true => (1, "[extensions]\n\tobjectFormat = sha256\n"),
            false => (0, ""),
        };
        format!(
            "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = false\n\tsharedRepository = \
             0666\n\ttrustctime = false\n\tcheckStat = minimal\n{extensions}[gc]\n\tauto = 0\n{}",
            self.config
        )
    }
}

/// A value of a configuration file.
pub fn quoted(value: &str) -> String {
    format!("\"{}\"", escaped(value))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Says in the repository of `folder` that a submodule is there, as `git submodule init` would.
pub fn add_submodule(folder: &Path, name: &[u8], address: &Address) -> Result<(), CheckoutError> {
    let path = folder.join(".git/config");
    let mut config = fs::read(&path).map_err(io("read", &path))?;
    let name = String::from_utf8_lossy(name);
    let url = quoted(&without_credentials(address.as_str()));
    let section = format!("[submodule \"{}\"]\n\tactive = true\n\turl = {url}\n", escaped(&name));
    config.extend_from_slice(section.as_bytes());
    put(&path, &config)
}

/// Writes a file that every user may write.
pub fn put(path: &Path, text: &[u8]) -> Result<(), CheckoutError> {
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
        let path = entry.map_err(io("read", folder))?.path();
        remove_any(&path).map_err(io("remove", &path))?;
    }
    Ok(())
}

//! The repository of a working tree, as the git program sees it: libgit2 does not know every kind that git makes
//! (references as tables, a repository of another owner). Only questions are asked; nothing is written and nothing of
//! the repository's own programs is run.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use git_cli::without_credentials;

use super::mirrors::oid;
use super::shell::quoted;

/// Variables that lead git elsewhere: `drover run` may be started from a hook.
const LEADING: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_CONFIG_PARAMETERS",
];

/// Settings that decide what git says of files and branches, by the end of their name; in sections with a name of
/// their own, whatever that is.
const SETTINGS: [(&str, &[&str]); 10] = [
    (
        "core",
        &[
            "filemode",
            "autocrlf",
            "eol",
            "safecrlf",
            "ignorecase",
            "symlinks",
            "quotepath",
            "abbrev",
            "precomposeunicode",
            "sparsecheckout",
            "sparsecheckoutcone",
        ],
    ),
    ("index", &["sparse"]),
    (
        "status",
        &["showuntrackedfiles", "renames", "submodulesummary", "relativepaths"],
    ),
    ("diff", &["ignoresubmodules", "renames"]),
    ("i18n", &["commitencoding", "logoutputencoding"]),
    ("log", &["date", "follow", "showsignature"]),
    ("branch", &["remote", "merge"]),
    ("remote", &["url", "fetch", "promisor", "partialclonefilter"]),
    ("submodule", &["active", "ignore", "url"]),
    ("extensions", &["partialclone"]),
];

/// A repository with a working tree.
#[derive(Debug, Clone)]
pub struct LocalRepository {
    /// The top folder of the working tree.
    pub root: PathBuf,
    /// What belongs to this working tree alone: `HEAD`, the index.
    pub own: PathBuf,
    /// What all working trees share: objects, references.
    pub common: PathBuf,
    /// Its ids are made by SHA-256.
    pub long_ids: bool,
}

/// What the head of a working tree is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The branch; `None`: the head is a commit.
    pub branch: Option<String>,
    /// The commit; `None`: the branch has none yet.
    pub commit: Option<String>,
}

/// References: those that name a commit, and those that name another reference.
#[derive(Debug, Default)]
pub struct References {
    /// Name and id.
    pub direct: Vec<(Vec<u8>, git2::Oid)>,
    /// Name and the other's name.
    pub symbolic: Vec<(Vec<u8>, Vec<u8>)>,
}

impl LocalRepository {
    /// The repository that a folder is in. `None`: there is none, or no program to ask.
    pub fn around(folder: &Path) -> Option<LocalRepository> {
        let ask = [
            "rev-parse",
            "--show-toplevel",
            "--absolute-git-dir",
            "--git-common-dir",
            "--show-object-format",
        ];
        let said = git(folder, &ask)?;
        let mut lines = said
            .split(|byte| *byte == b'\n')
            .map(|line| folder.join(OsStr::from_bytes(line)));
        Some(LocalRepository {
            root: lines.next()?,
            own: lines.next()?,
            common: lines.next()?,
            long_ids: lines.next()?.ends_with("sha256"),
        })
    }

    /// The repository whose top folder that is.
    pub fn of(folder: &Path) -> Option<LocalRepository> {
        let same = |found: &LocalRepository| {
            let (one, other) = (found.root.canonicalize(), folder.canonicalize());
            one.is_ok_and(|one| other.is_ok_and(|other| one == other))
        };
        LocalRepository::around(folder).filter(same)
    }

    /// Branch and commit.
    pub fn head(&self) -> Head {
        let line = |said: Vec<u8>| String::from_utf8_lossy(said.trim_ascii_end()).into_owned();
        let branch = git(&self.root, &["symbolic-ref", "-q", "HEAD"]).map(line);
        Head {
            branch: branch.and_then(|name| name.strip_prefix("refs/heads/").map(str::to_owned)),
            commit: git(&self.root, &["rev-parse", "-q", "--verify", "HEAD^{commit}"]).map(line),
        }
    }

    /// The content of the file `HEAD`.
    pub fn head_file(&self) -> Option<Vec<u8>> {
        let content = fs::read(self.own.join("HEAD")).ok()?;
        // Where references are a table, the file says nothing.
        if !content.starts_with(b"ref: refs/heads/.invalid") {
            return Some(content);
        }
        match git(&self.root, &["symbolic-ref", "-q", "HEAD"]) {
            Some(name) => Some([b"ref: ", &name[..]].concat()),
            None => git(&self.root, &["rev-parse", "-q", "--verify", "HEAD"]),
        }
    }

    /// Every reference that can be read.
    pub fn references(&self) -> References {
        let format = "--format=%(objectname)%00%(symref)%00%(refname)";
        let mut found = References::default();
        for line in git(&self.root, &["for-each-ref", format])
            .unwrap_or_default()
            .split(|byte| *byte == b'\n')
        {
            let mut parts = line.splitn(3, |byte| *byte == 0);
            let (Some(id), Some(target), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            if !target.is_empty() {
                found.symbolic.push((name.to_vec(), target.to_vec()));
            } else if let Some(id) = str::from_utf8(id).ok().and_then(|id| oid(id).ok()) {
                found.direct.push((name.to_vec(), id));
            }
        }
        found
    }

    /// The settings that matter, from wherever they are, as text of a configuration file; no credentials in it.
    pub fn settings(&self) -> String {
        let said = git(&self.root, &["config", "--null", "--list"]).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        said.split('\0').filter_map(setting).collect()
    }

    /// Tracked files, and untracked ones that are not ignored.
    pub fn files(&self) -> Option<Vec<PathBuf>> {
        let said = git(&self.root, &["ls-files", "-co", "--exclude-standard", "-z"])?;
        let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let mut files: Vec<PathBuf> = names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect();
        // A path with a conflict is there once for each side.
        files.dedup();
        Some(files)
    }

    /// The folders with its objects, its own first, then those that it borrows from.
    pub fn stores(&self) -> Vec<PathBuf> {
        let mut stores = Vec::new();
        let mut wanted = vec![self.common.join("objects")];
        while let Some(store) = wanted.pop() {
            let Some(store) = store.canonicalize().ok().filter(|store| !stores.contains(store)) else {
                continue;
            };
            let listed = fs::read(store.join("info/alternates")).unwrap_or_default();
            let lines = listed.split(|byte| *byte == b'\n');
            let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
            wanted.extend(lines.map(|line| store.join(OsStr::from_bytes(line))));
            stores.push(store);
        }
        stores
    }

    /// Its submodules that are checked out, nested ones included.
    pub fn submodules(&self) -> Vec<LocalRepository> {
        if !self.root.join(".gitmodules").is_file() {
            return Vec::new();
        }
        let ask = [
            "config",
            "--no-includes",
            "--null",
            "--file",
            ".gitmodules",
            "--get-regexp",
            r"\.path$",
        ];
        let said = git(&self.root, &ask).unwrap_or_default();
        let records = said.split(|byte| *byte == 0);
        let paths = records.filter_map(|record| record.splitn(2, |byte| *byte == b'\n').nth(1));
        let folders = paths.map(|path| self.root.join(OsStr::from_bytes(path)));
        let inside = |folder: &PathBuf| folder.starts_with(&self.root) && folder.join(".git").exists();
        let found = folders.filter(inside).filter_map(|folder| LocalRepository::of(&folder));
        found
            .flat_map(|found| [vec![found.clone()], found.submodules()].concat())
            .collect()
    }
}

/// One record of `git config --null --list`, if it matters.
fn setting(record: &str) -> Option<String> {
    let (key, value) = record.split_once('\n').unwrap_or((record, "true"));
    let (section, rest) = key.split_once('.')?;
    let (named, name) = rest
        .rsplit_once('.')
        .map_or((None, rest), |(named, name)| (Some(named), name));
    let (_, names) = SETTINGS.iter().find(|(known, _)| *known == section)?;
    if !names.contains(&name) {
        return None;
    }
    let value = if name == "url" {
        without_credentials(value)
    } else {
        value.to_owned()
    };
    let named = named.map_or(String::new(), |named| format!(" {}", quoted(named)));
    Some(format!("[{section}{named}]\n\t{name} = {}\n", quoted(&value)))
}

/// What git prints; `None` when it says no or is not there. Not closed in as [`git_cli`] is: it is the user's own git in the
/// user's own repository, and the user's settings (ignored files, ends of lines) are what is asked for.
fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let mut command = Command::new("git");
    command
        .args(["-c", "core.fsmonitor=false"])
        .args(arguments)
        .current_dir(folder);
    for name in LEADING {
        command.env_remove(name);
    }
    let output = command
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_matter_are_copied_and_credentials_are_not() {
        let message: String = [
            "core.autocrlf\ntrue",
            "core.hookspath\n/x",
            "core.ignorecase",
            "branch.a.b \"c\".merge\nrefs/heads/a",
            "remote.origin.url\nhttps://me:word@git.example/a",
            "http.https://git.example/.extraheader\nAuthorization: x",
            "filter.lfs.smudge\ngit-lfs smudge",
            "alias.x\n!sh",
        ]
        .iter()
        .filter_map(|record| setting(record))
        .collect();
        let expected = "[core]\n\tautocrlf = \"true\"\n[core]\n\tignorecase = \"true\"\n[branch \"a.b \\\"c\\\"\"]\n\t\
                        merge = \"refs/heads/a\"\n[remote \"origin\"]\n\turl = \"https://git.example/a\"\n";
        assert_eq!(message, expected);
    }
}

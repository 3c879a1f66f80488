//! Files and folders of the repository that a job file names: paths that must stay inside of it, and texts that are
//! read while it is checked.

use crate::codes;
use crate::reader::{Reader, Slot};
use crate::source::Location;
use crate::sources::LookUp;

/// Why a path is none of the repository's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    /// `/etc`, `~/x`, `C:\x`
    Absolute,
    /// `../x`
    Above,
}

/// A path from a folder of the repository as one from its root, without `.` and `..`; `.` is the root itself.
pub(crate) fn joined(folder: &str, path: &str) -> Result<String, Outside> {
    let drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes().get(2) == Some(&b'\\');
    if path.starts_with(['/', '~', '\\']) || drive {
        return Err(Outside::Absolute);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(Outside::Above)?;
            }
            part => parts.push(part),
        }
    }
    Ok(if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    })
}

/// The folder that a file is in; empty for the root.
pub(crate) fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Reader<'_> {
    /// A path of the repository, from its root.
    pub(crate) fn inside(&mut self, slot: Slot<'_>, path: &str) -> Option<String> {
        match joined("", path) {
            Ok(path) => Some(path),
            Err(why) => {
                let message = match why {
                    Outside::Absolute => format!("`{path}` is a path of the agent's host"),
                    Outside::Above => format!("`{path}` is outside of the repository"),
                };
                let problem = self.bad_value(slot, &codes::OUTSIDE, message);
                self.reject(problem.help("paths are relative and stay inside of the repository: `./data`"))
            }
        }
    }

    /// A path that must be known when the job file is checked.
    pub(crate) fn known_path(&mut self, slot: Slot<'_>) -> Option<String> {
        let before = self.problems.errors();
        let path = self.text(slot);
        if path.is_none() && self.problems.errors() == before && !self.scope.axes_unknown {
            let message = format!("{} must be known before there is a build", slot.name());
            let problem = codes::PATH_NOT_KNOWN.at(slot.location(), message);
            self.add(problem.help("write the path out, or use values of the matrix"));
        }
        self.inside(slot, &path?)
    }

    /// The number of a file of the repository, read if that has not been done. Its absence is a problem at `location`.
    pub(crate) fn repository_file(&mut self, path: &str, location: Location) -> Option<usize> {
        let (message, help) = match self.sources.look_up(path, self.scope.repository) {
            LookUp::File(file) => return Some(file),
            LookUp::Missing => (
                format!("there is no file `{path}` in the repository"),
                "is it committed, and is the path right? a job sees nothing else",
            ),
            LookUp::Unreadable(why) => (
                format!("the file `{path}` cannot be read: {why}"),
                "it must be a text of at most 256 KiB",
            ),
            LookUp::TooLate => (
                format!("the file `{path}` was not known when the job file was checked"),
                "write the path out; a path cannot depend on outputs of other jobs",
            ),
        };
        self.reject(codes::NO_SUCH_FILE.at(location, message).help(help))
    }

    /// The same; a file that is not there is no problem.
    pub(crate) fn optional_file(&mut self, path: &str, location: Location) -> Option<usize> {
        match self.sources.look_up(path, self.scope.repository) {
            LookUp::Missing => None,
            _ => self.repository_file(path, location),
        }
    }

    /// Whether Compose's own rules hold at this place.
    pub(crate) fn in_compose(&self, location: Location) -> bool {
        self.sources.is_imported(location.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_of_the_repository() {
        let cases = [
            ("", "./data", Ok("data")),
            ("deploy", "./data", Ok("deploy/data")),
            ("deploy/ci", "../.env", Ok("deploy/.env")),
            ("deploy", "..", Ok(".")),
            ("", ".", Ok(".")),
            ("", "a/./b//c/", Ok("a/b/c")),
            ("", "..", Err(Outside::Above)),
            ("a", "../../b", Err(Outside::Above)),
            ("", "a/../../b", Err(Outside::Above)),
            ("a", "/etc", Err(Outside::Absolute)),
            ("a", "~/x", Err(Outside::Absolute)),
            ("a", "C:\\x", Err(Outside::Absolute)),
        ];
        for (folder, path, expected) in cases {
            assert_eq!(joined(folder, path), expected.map(str::to_owned), "{folder} {path}");
        }
    }
}

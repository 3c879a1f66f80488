//! Starting programs for the child: its environment, the lookup in *its* `PATH`, and, when that fails, a sentence that
//! tells a person what is missing from the image.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CString, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use gate::exit::{GATE_BROKE, NOT_FOUND, NOT_RUNNABLE};

use crate::sys;

/// What an image without `PATH` gets, as engines do.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything that the child and its health command have in common.
pub struct Launcher {
    env: Vec<CString>,
    path: String,
    /// Where the child works; `None` is where the gate was started.
    cwd: Option<String>,
    home: File,
    own: File,
    null: Option<File>,
}

/// Why a command could not be started.
#[derive(Debug)]
pub struct LaunchError {
    /// The exit code that stands for it.
    pub code: i32,
    /// For people.
    pub sentence: String,
}

/// The gate's two folders: where it was started (the container's working directory) and its own.
pub struct Folders {
    /// Where it was started.
    pub home: File,
    /// Its own; also its working directory.
    pub own: File,
}

impl Launcher {
    /// For a child with this environment laid over the gate's own.
    pub fn new(env: &[(String, String)], cwd: Option<String>, folders: &Folders) -> io::Result<Launcher> {
        let mut all: BTreeMap<OsString, OsString> = env::vars_os().collect();
        all.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
        let path = all
            .get("PATH".as_ref() as &std::ffi::OsStr)
            .and_then(|path| path.to_str());
        let path = path.unwrap_or(DEFAULT_PATH).to_owned();
        let entry = |(name, value): (OsString, OsString)| {
            let mut entry = name.into_vec();
            entry.push(b'=');
            entry.extend_from_slice(value.as_bytes());
            CString::new(entry).ok() // a zero byte cannot stand in an environment
        };
        Ok(Launcher {
            env: all.into_iter().filter_map(entry).collect(),
            path,
            cwd,
            home: folders.home.try_clone()?,
            own: folders.own.try_clone()?,
            null: File::open("/dev/null").ok(),
        })
    }

    /// Starts a command with these as its standard output and error; its process id.
    pub fn start(&self, argv: &[String], out: BorrowedFd<'_>, err: BorrowedFd<'_>) -> Result<i32, LaunchError> {
        let name = argv.first().ok_or_else(|| LaunchError::broke("no command was given"))?;
        // Also when it cannot be entered: the gate writes its files into its working directory.
        let started = self.enter_cwd().and_then(|()| self.start_here(name, argv, [out, err]));
        set_current_dir(&self.own)
            .map_err(|error| LaunchError::broke(&format!("return to the gate's folder: {error}")))?;
        started
    }

    fn enter_cwd(&self) -> Result<(), LaunchError> {
        set_current_dir(&self.home)
            .map_err(|error| LaunchError::broke(&format!("enter the working directory: {error}")))?;
        let Some(cwd) = &self.cwd else { return Ok(()) };
        env::set_current_dir(cwd).map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "does not exist in the image".to_owned(),
                io::ErrorKind::PermissionDenied => "may not be entered by the container's user".to_owned(),
                io::ErrorKind::NotADirectory => "is not a folder".to_owned(),
                _ => format!("cannot be entered: {error}"),
            };
            LaunchError::new(NOT_RUNNABLE, format!("the working directory `{cwd}` {why}"))
        })
    }

    /// Tries every place the command may be in, like a shell does.
    fn start_here(&self, name: &str, argv: &[String], output: [BorrowedFd<'_>; 2]) -> Result<i32, LaunchError> {
        let args: Result<Vec<CString>, _> = argv.iter().map(|arg| CString::new(arg.as_str())).collect();
        let args =
            args.map_err(|_| LaunchError::new(NOT_RUNNABLE, format!("an argument of `{name}` has a zero byte")))?;
        let empty = io::pipe()
            .map_err(|error| LaunchError::broke(&format!("make a pipe: {error}")))?
            .0;
        let stdin = self.null.as_ref().map_or(empty.as_fd(), AsFd::as_fd);
        let mut refused: Option<(String, io::Error)> = None;
        for file in candidates(name, &self.path) {
            // Asked first because it costs far less than a fork.
            if !Path::new(&file).exists() {
                continue;
            }
            let Ok(path) = CString::new(file.as_str()) else {
                continue;
            };
            let program = sys::Program {
                file: &path,
                argv: &args,
                env: &self.env,
                stdio: [stdin, output[0], output[1]],
            };
            match sys::spawn(&program) {
                Ok(pid) => return Ok(pid),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => refused = Some((file, error)),
                Err(error) => return Err(explain(name, &file, &error)),
            }
        }
        Err(refused.map_or_else(
            || not_found(name, &self.path),
            |(file, error)| explain(name, &file, &error),
        ))
    }
}

impl LaunchError {
    fn new(code: i32, sentence: String) -> LaunchError {
        LaunchError { code, sentence }
    }

    /// Our fault, not the user's.
    pub fn broke(sentence: &str) -> LaunchError {
        LaunchError::new(GATE_BROKE, sentence.to_owned())
    }
}

/// Writes the script into the gate's folder, in place of any that is there.
pub fn write_script(name: &str, text: &[u8]) -> Result<(), LaunchError> {
    let write = || {
        if let Err(error) = fs::remove_file(name)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::write(name, text)?;
        fs::set_permissions(name, Permissions::from_mode(0o755))
    };
    write().map_err(|error| LaunchError::broke(&format!("the script could not be written: {error}")))
}

/// Writes files that only the container's user may read, each with its content from its first moment.
pub fn write_files(files: &[(String, Vec<u8>)]) -> Result<(), LaunchError> {
    let write = |path: &str, content: &[u8]| {
        let mut file = File::options().write(true).create_new(true).mode(0o400).open(path)?;
        file.write_all(content)
    };
    for (path, content) in files {
        write(path, content).map_err(|error| LaunchError::broke(&format!("{path} could not be written: {error}")))?;
    }
    Ok(())
}

fn set_current_dir(folder: &File) -> io::Result<()> {
    sys::change_dir(folder.as_fd())
}

/// A name with a slash is a path; others are looked for in `PATH`, where an empty entry is the working directory.
fn candidates(name: &str, path: &str) -> Vec<String> {
    if name.contains('/') {
        return vec![name.to_owned()];
    }
    if name.is_empty() {
        return Vec::new();
    }
    let place = |folder: &str| match folder {
        "" => format!("./{name}"),
        folder => format!("{folder}/{name}"),
    };
    path.split(':').map(place).collect()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn not_found(name: &str, path: &str) -> LaunchError {
    let sentence = if name.contains('/') {
        format!("`{name}` does not exist in the image")
    } else {
        format!("`{name}` was not found in the image (PATH is {path})")
    };
    LaunchError::new(NOT_FOUND, sentence)
}

/// The file is there and yet could not be run: why.
fn explain(name: &str, file: &str, error: &io::Error) -> LaunchError {
    match error.kind() {
        _ if is_absent(error) || error.raw_os_error() == Some(libc::ELOOP) => {
            let interpreter = interpreter(file).unwrap_or_else(|| "the loader it was linked for".to_owned());
            let sentence = format!("`{file}` is there, but not what runs it: {interpreter} is missing from the image");
            LaunchError::new(NOT_FOUND, sentence)
        }
        io::ErrorKind::PermissionDenied if Path::new(file).is_dir() => {
            LaunchError::new(NOT_RUNNABLE, format!("`{file}` is a folder, not a program"))
        }
        io::ErrorKind::PermissionDenied => LaunchError::new(
            NOT_RUNNABLE,
            format!("`{file}` is not executable by the container's user"),
        ),
        io::ErrorKind::ArgumentListTooLong => LaunchError::new(
            NOT_RUNNABLE,
            format!("the arguments and the environment of `{name}` are longer than the system allows"),
        ),
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => LaunchError::new(
            NOT_RUNNABLE,
            format!("`{file}` is not a program for this machine, nor a script with a `#!` line"),
        ),
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => LaunchError::new(
            NOT_RUNNABLE,
            format!("`{name}` could not be started within the container's limits: {error}"),
        ),
        _ => LaunchError::new(NOT_RUNNABLE, format!("`{file}` could not be started: {error}")),
    }
}

/// What the `#!` line of a script names.
fn interpreter(file: &str) -> Option<String> {
    let mut start = Vec::new();
    File::open(file).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let program = line.split_whitespace().next()?;
    // A script from Windows: the carriage return is part of the name that the kernel looks for.
    let note = if line.ends_with('\r') {
        " (its first line ends with a carriage return)"
    } else {
        ""
    };
    Some(format!("`{program}`{note}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_looked_for_where_a_shell_would() {
        assert_eq!(candidates("sh", "/bin::/x"), ["/bin/sh", "./sh", "/x/sh"]);
        assert_eq!(candidates("./a", "/bin"), ["./a"]);
        assert_eq!(candidates("", "/bin"), Vec::<String>::new());
    }
}

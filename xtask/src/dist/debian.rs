//! The Debian package: a folder laid out as it is installed, given to `dpkg-deb` with times, rights and owners that do not
//! depend on who makes it.

use super::files::{DOCUMENTS, UNITS};
use super::{Product, VERSION};
use crate::process;
use anyhow::Context;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

const ARCHITECTURE: &str = "amd64";
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

/// Writes it into `folder`; gives its path.
///
/// # Errors
/// When a file cannot be read or written, or `dpkg-deb` says no.
pub fn write(product: &Product, folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("drover_{VERSION}_{ARCHITECTURE}.deb"));
    let stage = tempfile::tempdir().context("make a folder for the package")?;
    let layout = Layout {
        root: stage.path().join("drover"),
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(product.epoch),
    };
    layout.install(product)?;
    layout.describe(product)?;
    layout.date(&layout.root)?;
    let mut pack = Command::new("dpkg-deb");
    pack.args(["--root-owner-group", "-Zxz", "--build"])
        .arg(&layout.root)
        .arg(&path)
        .env("SOURCE_DATE_EPOCH", product.epoch.to_string())
        // How xz divides its input depends on how many work on it.
        .env("DPKG_DEB_THREADS_MAX", "1");
    process::output(&mut pack)?;
    Ok(path)
}

/// A folder with the package's files as they are installed.
struct Layout {
    root: PathBuf,
    time: SystemTime,
}

impl Layout {
    fn install(&self, product: &Product) -> anyhow::Result<()> {
        self.file("usr/bin/drover", 0o755, &product.program)?;
        for unit in UNITS {
            self.file(&format!("usr/lib/systemd/system/{unit}"), 0o644, &product.ours(unit)?)?;
        }
        self.file("etc/drover/coordinator.toml", 0o644, &product.ours("coordinator.toml")?)?;
        self.file(
            "etc/default/drover-agent",
            0o644,
            &product.ours("drover-agent.default")?,
        )?;
        for (source, installed) in DOCUMENTS {
            self.file(
                &format!("usr/share/doc/drover/{installed}"),
                0o644,
                &product.read(source)?,
            )?;
        }
        self.file(
            "usr/share/doc/drover/copyright",
            0o644,
            &product.ours("debian/copyright")?,
        )
    }

    /// What dpkg reads: the description, the sums, the files that belong to the administrator, the scripts.
    fn describe(&self, product: &Product) -> anyhow::Result<()> {
        let mut files = Vec::new();
        list(&self.root, &mut files)?;
        files.sort();
        let mut kib = 0;
        let mut sums = Command::new("md5sum");
        sums.current_dir(&self.root);
        for file in &files {
            kib += file
                .metadata()
                .with_context(|| format!("measure {}", file.display()))?
                .len()
                .div_ceil(1024);
            let installed = file.strip_prefix(&self.root).context("find a file's place")?;
            // What the administrator changes has no sum.
            if !installed.starts_with("etc") {
                sums.arg(installed);
            }
        }
        let sums = process::output(&mut sums)?;
        let control = String::from_utf8(product.ours("debian/control")?).context("read debian/control")?;
        let control = control
            .replace("@VERSION@", VERSION)
            .replace("@ARCHITECTURE@", ARCHITECTURE)
            .replace("@SIZE@", &kib.to_string());
        self.file("DEBIAN/control", 0o644, control.as_bytes())?;
        self.file("DEBIAN/md5sums", 0o644, sums.as_bytes())?;
        self.file("DEBIAN/conffiles", 0o644, &product.ours("debian/conffiles")?)?;
        for script in SCRIPTS {
            self.file(
                &format!("DEBIAN/{script}"),
                0o755,
                &product.ours(&format!("debian/{script}"))?,
            )?;
        }
        Ok(())
    }

    /// Writes a file with its folders, whatever the umask is.
    fn file(&self, installed: &str, mode: u32, content: &[u8]) -> anyhow::Result<()> {
        let path = self.root.join(installed);
        let folders = path
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with(&self.root));
        for folder in folders.collect::<Vec<_>>().into_iter().rev() {
            std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
            set_mode(folder, 0o755)?;
        }
        std::fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        set_mode(&path, mode)
    }

    /// Gives everything the one time, folders after what is in them.
    fn date(&self, folder: &Path) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry.context("list a folder")?.path();
            if path.is_dir() {
                self.date(&path)?;
            } else {
                set_time(&path, self.time)?;
            }
        }
        set_time(folder, self.time)
    }
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(mode))
        .with_context(|| format!("set the rights of {}", path.display()))
}

fn set_time(path: &Path, time: SystemTime) -> anyhow::Result<()> {
    File::open(path)
        .and_then(|file| file.set_modified(time))
        .with_context(|| format!("set the time of {}", path.display()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.context("list a folder")?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

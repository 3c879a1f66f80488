//! What reads what others wrote, one module for each kind of input: its examples, and everything that is done with such
//! bytes. A target panics when what it reads breaks a promise.

mod archive;
mod compose;
mod frame;
mod job;
mod message;
mod report;
mod webhook;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::mutate::Examples;

/// Makes the nastiest inputs, each with what it is.
type Worst = dyn Fn() -> anyhow::Result<Vec<(&'static str, Vec<u8>)>>;
/// Reads an input.
type Read = dyn Fn(&[u8]);

/// One kind of input.
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What inputs are made of.
    pub examples: Examples,
    /// Makes the nastiest that still look like such an input, each with what it is.
    pub worst: Box<Worst>,
    /// Does everything that is done with such bytes.
    pub read: Box<Read>,
}

/// What they are called.
const NAMES: [&str; 7] = ["job", "compose", "webhook", "report", "archive", "frame", "message"];

/// The target of that name, or all of them in turn. They work in `scratch`.
///
/// # Errors
/// When there is none, examples cannot be read, or nothing can be made in `scratch`.
pub fn chosen(name: &str, scratch: &Path) -> anyhow::Result<Vec<Target>> {
    let names: Vec<&str> = NAMES
        .into_iter()
        .filter(|known| name == "all" || *known == name)
        .collect();
    if names.is_empty() {
        bail!("no target is called `{name}`; there are all, {}", NAMES.join(", "));
    }
    let made = names.into_iter().map(|name| match name {
        "job" => job::target(),
        "compose" => compose::target(),
        "webhook" => webhook::target(),
        "report" => report::target(),
        "archive" => archive::target(&folder(scratch, name)?),
        "frame" => frame::target(&folder(scratch, name)?),
        _ => message::target(),
    });
    made.collect()
}

fn folder(scratch: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let folder = scratch.join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The files below folders of the workspace, by name; those in folders of a folder too.
fn files(folders: &[&str]) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for folder in folders {
        walk(&root.join(folder), &mut files).with_context(|| format!("read the examples in {folder}"))?;
    }
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push((path.clone(), std::fs::read(path)?));
        }
    }
    Ok(())
}

/// `head`, then `one(0)`, `one(1)`, …, then `tail`: as many as `size` bytes have room for.
fn filled(size: usize, head: &str, one: &dyn Fn(usize) -> String, tail: &str) -> Vec<u8> {
    let mut text = head.to_owned();
    for at in 0.. {
        let next = one(at);
        if text.len() + next.len() + tail.len() > size {
            break;
        }
        text.push_str(&next);
    }
    (text + tail).into_bytes()
}

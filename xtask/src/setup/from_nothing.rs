//! Makes the machine one that has never seen this project: what it made in the engine and in the target folder goes,
//! so that a run cannot live on what an earlier one left. Installed packages stay.

use super::images::{self, LABEL, names};
use super::recipes::RECIPES;
use crate::{leftovers, process, say};
use anyhow::{Context, bail};
use std::fs::TryLockError;

/// The repository of the agent's own image, which jobs cannot name.
const ANCHORS: &str = "drover/anchor";
/// What tasks make in the target folder.
const SCRATCH: &[&str] = &["xtask", "s3-server", "kafka-broker"];

/// What a task begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// What is here.
    AsItIs,
    /// Nothing: containers, networks, volumes, images and files of ours go.
    FromNothing,
    /// Nothing, when an image is of an older recipe and no agent is at work: nobody said that it may lose its jobs.
    FromNothingWhenStale,
}

/// Clears the machine when `begin` asks for it.
///
/// # Errors
/// When another run uses the engine, or something cannot be removed.
pub fn clear(begin: Begin) -> anyhow::Result<()> {
    let clears = match begin {
        Begin::AsItIs => false,
        Begin::FromNothing => true,
        Begin::FromNothingWhenStale => names::any_is_stale()? && !something_runs()?,
    };
    if !clears {
        return Ok(());
    }
    say::line("starting from nothing");
    let lock = images::lock()?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!("another run of the tests uses this engine: wait until it has ended"),
        Err(TryLockError::Error(error)) => return Err(error).context("ask whether the engine is used"),
    }
    remove_things()?;
    remove_images()?;
    for folder in SCRATCH.iter().map(|name| process::target().join(name)) {
        if folder.exists() {
            std::fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
            say::line(format_args!("removed {}", folder.display()));
        }
    }
    Ok(())
}

/// Whether an agent may be at work on this engine.
fn something_runs() -> anyhow::Result<bool> {
    let running = process::output(&mut process::docker(&["ps", "-q", "--filter", "label=drover.agent"]))?;
    Ok(!running.trim().is_empty())
}

fn remove_things() -> anyhow::Result<()> {
    // Sorted: containers go before what they use.
    for thing in leftovers::look()?.iter().filter(|thing| thing.has_our_label()) {
        thing.remove()?;
        say::line(format_args!("removed {thing}"));
    }
    Ok(())
}

/// Ours under every name, those that lost their name, and the agents' own. An image that somebody built on ours stays,
/// and so does what it stands on.
fn remove_images() -> anyhow::Result<()> {
    for recipe in RECIPES {
        let of_recipe = names::Names::of(recipe);
        for name in [&of_recipe.name, &of_recipe.home] {
            if matches!(names::whose(name, recipe)?, names::Whose::Ours | names::Whose::Stale) {
                remove_name(name)?;
            }
        }
    }
    let list = ["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter"];
    for pattern in [format!("{}*", names::OURS), ANCHORS.to_owned()] {
        let filter = format!("reference={pattern}");
        let listed = process::output(process::docker(&list).arg(filter))?;
        listed.lines().try_for_each(remove_name)?;
    }
    for label in [LABEL, "drover.agent"] {
        let filter = format!("label={label}");
        let list = [
            "image",
            "ls",
            "--quiet",
            "--filter",
            "dangling=true",
            "--filter",
            &filter,
        ];
        let listed = process::output(&mut process::docker(&list))?;
        listed.lines().for_each(names::remove_nameless);
    }
    Ok(())
}

fn remove_name(name: &str) -> anyhow::Result<()> {
    names::untag(name).with_context(|| format!("remove the image {name}; `docker ps --all` shows who uses it"))?;
    say::line(format_args!("removed the image {name}"));
    Ok(())
}

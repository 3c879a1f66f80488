//! Makes images from Debian packages: mmdebstrap's tar goes straight into the engine, and the image has its name only
//! when everything said yes. Apart from the rest because it knows nothing of who uses the image under which name.

use super::names::{Names, id_of, remove_nameless, tag};
use super::{LABEL, packages};
use crate::setup::broker;
use crate::setup::recipes::{EXCLUDED, KAFKA, Recipe};
use crate::{process, say};
use anyhow::{Context, bail};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Makes them, as many at a time as there are processors.
///
/// # Errors
/// When one cannot be made; the others are made all the same.
pub fn make_all(recipes: Vec<&'static Recipe>) -> anyhow::Result<()> {
    if recipes.is_empty() {
        return Ok(());
    }
    if !packages::MMDEBSTRAP.is_installed() {
        packages::install(&[&packages::MMDEBSTRAP])?;
    }
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(recipes.len());
    let queue = Mutex::new(recipes.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> anyhow::Result<()> {
        while let Some(recipe) = next() {
            make(recipe).with_context(|| format!("make the image {}", recipe.name))?;
        }
        Ok(())
    };
    say::line(format_args!("making {} images from Debian packages", recipes.len()));
    say::timed(format!("made {} images", recipes.len()), || {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            let done = workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")));
            // Every worker is waited for; the first error is the one to tell.
            done.fold(Ok(()), anyhow::Result::and)
        })
    })
}

fn make(recipe: &Recipe) -> anyhow::Result<()> {
    let begin = Instant::now();
    let log = process::scratch()?.join(format!("image-{}.log", recipe.name.replace(':', "-")));
    let mut mmdebstrap = mmdebstrap(recipe);
    if recipe.name == KAFKA.name {
        mmdebstrap.env("BROKER", broker::program()?);
    }
    let output = File::create(&log).with_context(|| format!("make {}", log.display()))?;
    mmdebstrap.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output);
    let mut mmdebstrap = mmdebstrap.spawn().context("start mmdebstrap")?;
    let import = import(recipe, &mut mmdebstrap);
    // when nobody takes its tar any more, it ends by itself
    let made = mmdebstrap.wait().context("wait for mmdebstrap")?;
    let import = import?;
    let image = String::from_utf8_lossy(&import.stdout).trim().to_owned();
    if !made.success() {
        if import.status.success() {
            process::run(&mut process::docker(&["rmi", &image]))?;
        }
        bail!(
            "mmdebstrap ended with {made}; the end of {}:\n{}",
            log.display(),
            process::tail(&log, 15)
        );
    }
    if !import.status.success() {
        bail!("docker import: {}", String::from_utf8_lossy(&import.stderr).trim());
    }
    let mut proof = process::docker(&["run", "--rm", "--network", "none", &image]);
    if let Err(error) = process::output(proof.args(recipe.proof)) {
        remove_nameless(&image);
        return Err(error.context("the image was made, but does not work"));
    }
    let home = Names::of(recipe).home;
    let before = id_of(&home);
    tag(&image, &home)?;
    before.iter().for_each(|id| remove_nameless(id));
    let took = say::duration(begin.elapsed());
    say::line(format_args!(
        "made {} from Debian {} ({took})",
        recipe.name, recipe.suite
    ));
    Ok(())
}

/// Takes the tar into the engine; prints the image's id.
fn import(recipe: &Recipe, mmdebstrap: &mut Child) -> anyhow::Result<Output> {
    let tar = mmdebstrap.stdout.take().context("read mmdebstrap's tar")?;
    let mut import = process::docker(&["import", "-c", &format!("LABEL {LABEL}={}", recipe.hash()?)]);
    for line in recipe.config {
        import.args(["-c", line]);
    }
    import
        .arg("-")
        .stdin(tar)
        .stderr(Stdio::piped())
        .output()
        .context("start `docker import`")
}

fn mmdebstrap(recipe: &Recipe) -> Command {
    let mut command = Command::new("mmdebstrap");
    command
        .arg(format!("--variant={}", recipe.variant))
        .arg("--aptopt=Acquire::Retries=3");
    // Of an image that is only unpacked, the script keeps nothing that could be cleaned up.
    let (customize, kept) = match recipe.variant {
        "extract" => ("--extract-hook", "--skip=cleanup"),
        _ => ("--customize-hook", "--skip=cleanup/run"),
    };
    command.arg(kept);
    if !recipe.packages.is_empty() {
        command.arg(format!("--include={}", recipe.packages.join(",")));
    }
    for pattern in EXCLUDED {
        command.arg(format!("--dpkgopt=path-exclude={pattern}"));
    }
    if let Some(script) = recipe.script("prepare.sh") {
        command.arg(format!("--essential-hook=sh {} \"$1\"", quoted(&script)));
    }
    if let Some(script) = recipe.script("customize.sh") {
        command.arg(format!("{customize}=sh {} \"$1\" {}", quoted(&script), recipe.argument));
    }
    command.args([recipe.suite, "-"]);
    command
}

/// The path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

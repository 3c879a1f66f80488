//! The images that tests and demo use: pulled when a registry answers, else made from Debian packages by mmdebstrap.
//! An image carries the hash of its recipe as a label, so a second run makes nothing; an image without the label was
//! put there by somebody and is used as it is.

use super::recipes::{EXCLUDED, KAFKA, RECIPES, Recipe};
use super::{broker, packages};
use crate::{process, say};
use anyhow::{Context, bail};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const LABEL: &str = "test-image.recipe";
/// How long the first pull may say nothing before we take it that there is no registry.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// Make the images that tests and demo use.
#[derive(clap::Args)]
pub struct Arguments {
    /// Every image there is a recipe for.
    #[arg(long)]
    all: bool,
    /// These (default: what the tests use).
    names: Vec<String>,
}

/// `cargo xtask images`.
///
/// # Errors
/// When an image cannot be made.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    say::heading("images");
    packages::install(&packages::missing(super::Servers::No))?;
    super::engine::start()?;
    let names: Vec<&str> = match arguments {
        Arguments { all: true, .. } => RECIPES.iter().map(|recipe| recipe.name).collect(),
        Arguments { names, .. } if names.is_empty() => crate::test::IMAGES.to_vec(),
        Arguments { names, .. } => names.iter().map(String::as_str).collect(),
    };
    provide(&names)?;
    Ok(ExitCode::SUCCESS)
}

/// Sees to it that the engine has these images.
///
/// # Errors
/// When one has no recipe, or cannot be made.
pub fn provide(names: &[&str]) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for name in names {
        let recipe = Recipe::named(name)?;
        if !is_here(recipe)? {
            missing.push(recipe);
        }
    }
    say::line(format_args!(
        "images: {} are here, {} are missing",
        names.len() - missing.len(),
        missing.len()
    ));
    let missing = pull(missing)?;
    if missing.is_empty() {
        return Ok(());
    }
    let mmdebstrap = [&packages::MMDEBSTRAP];
    packages::install(
        &mmdebstrap
            .into_iter()
            .filter(|package| !package.is_installed())
            .collect::<Vec<_>>(),
    )?;
    let mut missing = missing;
    // What takes longest begins first, beside the others.
    missing.sort_by_key(|recipe| recipe.name != KAFKA.name);
    make_all(&missing)
}

/// True when the image exists and is not an older one of ours.
fn is_here(recipe: &Recipe) -> anyhow::Result<bool> {
    let format = format!("{{{{index .Config.Labels \"{LABEL}\"}}}}");
    let label = process::output(&mut process::docker(&[
        "image",
        "inspect",
        "--format",
        &format,
        recipe.name,
    ]));
    Ok(match label.as_deref().map(str::trim) {
        Ok("") => true,
        Ok(label) => label == recipe.hash()?,
        Err(_) => false,
    })
}

/// Pulls what a registry has, and gives back what is still missing.
fn pull(recipes: Vec<&'static Recipe>) -> anyhow::Result<Vec<&'static Recipe>> {
    let mut missing = Vec::new();
    let mut registry_answers = true;
    for recipe in recipes {
        let begin = Instant::now();
        registry_answers = registry_answers && pull_one(recipe.name)?;
        if registry_answers {
            say::line(format_args!(
                "pulled {} ({})",
                recipe.name,
                say::duration(begin.elapsed())
            ));
        } else {
            missing.push(recipe);
        }
    }
    Ok(missing)
}

/// False when no registry answered in time or it did not give the image.
fn pull_one(name: &str) -> anyhow::Result<bool> {
    let mut pull = process::docker(&["pull", name]);
    pull.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut pull = pull.spawn().context("start `docker pull`")?;
    let lines = BufReader::new(pull.stdout.take().context("read what `docker pull` prints")?).lines();
    let (said, hears) = channel();
    let reader = std::thread::spawn(move || {
        for _ in lines.map_while(Result::ok) {
            // Nobody listens after the first line.
            let _ = said.send(());
        }
    });
    let answered = hears.recv_timeout(FIRST_ANSWER) != Err(RecvTimeoutError::Timeout);
    if !answered {
        pull.kill().context("stop `docker pull`")?;
    }
    let pulled = pull.wait().context("wait for `docker pull`")?.success();
    // The reader ends with the program's output.
    let _ = reader.join();
    Ok(answered && pulled)
}

/// Makes them, as many at a time as there are processors.
fn make_all(recipes: &[&'static Recipe]) -> anyhow::Result<()> {
    let begin = Instant::now();
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(recipes.len());
    say::line(format_args!(
        "no registry answers: making {} images from Debian packages",
        recipes.len()
    ));
    let queue = Mutex::new(recipes.iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> anyhow::Result<()> {
        while let Some(recipe) = next() {
            make(recipe).with_context(|| format!("make the image {}", recipe.name))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let done = workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| bail!("a worker panicked")));
        // Every worker is waited for; the first error is the one to tell.
        done.fold(Ok(()), anyhow::Result::and)
    })?;
    say::line(format_args!(
        "made {} images ({})",
        recipes.len(),
        say::duration(begin.elapsed())
    ));
    Ok(())
}

/// mmdebstrap's tar goes straight into the engine; the name is given only when both said yes.
fn make(recipe: &Recipe) -> anyhow::Result<()> {
    let begin = Instant::now();
    let log = process::scratch()?.join(format!("image-{}.log", recipe.name.replace(':', "-")));
    let output = File::create(&log).with_context(|| format!("make {}", log.display()))?;
    let mut mmdebstrap = mmdebstrap(recipe);
    if recipe.name == KAFKA.name {
        mmdebstrap.env("BROKER", broker::program()?);
    }
    mmdebstrap.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output);
    let mut mmdebstrap = mmdebstrap.spawn().context("start mmdebstrap")?;
    let tar = mmdebstrap.stdout.take().context("read mmdebstrap's tar")?;
    let mut import = process::docker(&["import", "-c", &format!("LABEL {LABEL}={}", recipe.hash()?)]);
    for line in recipe.config {
        import.args(["-c", line]);
    }
    let import = import
        .arg("-")
        .stdin(tar)
        .stderr(Stdio::piped())
        .output()
        .context("start `docker import`")?;
    let made = mmdebstrap.wait().context("wait for mmdebstrap")?;
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
    process::output(proof.args(recipe.proof)).context("the image was made, but does not work")?;
    let before = process::output(&mut process::docker(&[
        "image",
        "inspect",
        "--format",
        "{{.Id}}",
        recipe.name,
    ]));
    process::run(&mut process::docker(&["tag", &image, recipe.name]))?;
    if let Ok(before) = before {
        // It stays when a container still uses it.
        process::says_yes(&mut process::docker(&["rmi", before.trim()]));
    }
    let took = say::duration(begin.elapsed());
    say::line(format_args!(
        "made {} from Debian {} ({took})",
        recipe.name, recipe.suite
    ));
    Ok(())
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

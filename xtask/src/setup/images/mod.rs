//! The images that tests and demo use. For the demo they are pulled when a registry answers, else made from Debian
//! packages; for tests and bench they are always ours, see [`names`]. An image carries the hash of its recipe as a
//! label, so a second run makes nothing.

use super::packages;
use super::recipes::{RECIPES, Recipe};
use crate::{process, say};
use anyhow::Context;
use names::{Change, Names, Policy, Whose, whose};
use std::fs::{File, TryLockError};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

mod make;
pub mod names;

/// The label with the hash of the recipe.
pub const LABEL: &str = "test-image.recipe";
/// How long the first pull may say nothing before we take it that there is no registry.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// Make the images that tests and demo use.
#[derive(clap::Args)]
pub struct Arguments {
    /// Put back the images that a killed test run set aside, and make nothing.
    #[arg(long)]
    put_back: bool,
    /// Wait for the end of the input first: how a test run has this done when it ends, however it ends.
    #[arg(long, hide = true, requires = "put_back")]
    after_input: bool,
    /// These (default: all there is a recipe for).
    names: Vec<String>,
}

/// `cargo xtask images`: makes ours, and gives them the official names where nobody else's image has them.
///
/// # Errors
/// When an image cannot be made.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.put_back {
        if arguments.after_input {
            std::io::stdin().read_to_end(&mut Vec::new()).context("wait")?;
        }
        put_back()?;
        return Ok(ExitCode::SUCCESS);
    }
    say::heading("images");
    packages::install(&packages::missing(super::Servers::No))?;
    super::engine::start()?;
    let names: Vec<&str> = match &arguments.names[..] {
        [] => all(),
        names => names.iter().map(String::as_str).collect(),
    };
    let recipes = named(&names)?;
    make_missing(&recipes)?;
    for recipe in recipes {
        let names = Names::of(recipe);
        let there = whose(&names.name, recipe)?;
        names.point(Policy::Anybody.change(there))?;
        if there == Whose::Somebodys {
            let Names { name, home, .. } = names;
            say::line(format_args!("{name} is somebody's image and stays; ours is {home}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The names of every image that we make: what the tests use.
pub fn all() -> Vec<&'static str> {
    RECIPES.iter().map(|recipe| recipe.name).collect()
}

/// The official names while somebody uses our images under them; what was set aside for it is put back when this goes,
/// by a process of its own, which also sees us being killed.
#[derive(Default)]
pub struct Pointed {
    in_use: Option<File>,
    put_back: Option<Child>,
}

impl Drop for Pointed {
    fn drop(&mut self) {
        drop(self.in_use.take());
        if let Some(mut child) = self.put_back.take() {
            drop(child.stdin.take());
            // It ends by itself; what it could not do, `cargo xtask images --put-back` does.
            let _ = child.wait();
        }
    }
}

/// Sees to it that these names mean what the policy asks for, until the answer goes.
///
/// # Errors
/// When one has no recipe, or cannot be made.
pub fn provide(names: &[&str], policy: Policy) -> anyhow::Result<Pointed> {
    let recipes = named(names)?;
    put_back()?;
    match policy {
        Policy::Anybody => {
            let mut wanted = Vec::new();
            for recipe in recipes {
                if policy.change(whose(&Names::of(recipe).name, recipe)?) != Change::Nothing {
                    wanted.push(recipe);
                }
            }
            say_missing(names.len(), wanted.len());
            let wanted = pull(wanted)?;
            make_missing(&wanted)?;
            point(&wanted, policy)?;
            Ok(Pointed::default())
        }
        Policy::OursAlone => {
            let lock = lock()?;
            lock.lock_shared().context("say that the images are used")?;
            make_missing(&recipes)?;
            let mut pointed = Pointed {
                in_use: Some(lock),
                put_back: None,
            };
            if needs_putting_back(&recipes)? {
                pointed.put_back = Some(start_put_back()?);
            }
            point(&recipes, policy)?;
            Ok(pointed)
        }
    }
}

/// Whether something will have to be put back: what this run sets aside, or what one that goes on beside it did, for
/// the last of them does it.
fn needs_putting_back(recipes: &[&Recipe]) -> anyhow::Result<bool> {
    for recipe in recipes {
        let names = Names::of(recipe);
        if names.has_set_aside() || whose(&names.name, recipe)? == Whose::Somebodys {
            return Ok(true);
        }
    }
    Ok(false)
}

fn point(recipes: &[&Recipe], policy: Policy) -> anyhow::Result<()> {
    for recipe in recipes {
        let names = Names::of(recipe);
        let change = policy.change(whose(&names.name, recipe)?);
        names.point(change)?;
        if change == Change::SetAside {
            say::line(format_args!(
                "set aside somebody's {}; it is put back at the end",
                names.name
            ));
        }
    }
    Ok(())
}

/// Puts back everything that was set aside, unless a run goes on that needs the names; its end does it then.
fn put_back() -> anyhow::Result<()> {
    let lock = lock()?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(error)) => return Err(error).context("ask whether the images are used"),
    }
    for recipe in RECIPES {
        let names = Names::of(recipe);
        if names.put_back(recipe)? {
            say::line(format_args!("put back {}", names.name));
        }
    }
    Ok(())
}

/// The file whose lock says that a run uses our images under the official names, or that nobody may begin to.
///
/// # Errors
/// When it cannot be made.
pub fn lock() -> anyhow::Result<File> {
    let path = std::env::temp_dir().join("drover-test-images.lock");
    // Another user's file can be locked, too, but not written.
    File::open(&path)
        .or_else(|_| File::create(&path))
        .with_context(|| format!("make {}", path.display()))
}

/// In a session of its own, so that a Ctrl-C does not reach it.
fn start_put_back() -> anyhow::Result<Child> {
    let mut command = Command::new("setsid");
    command.arg(std::env::current_exe().context("find this program")?);
    command.args(["images", "--put-back", "--after-input"]);
    command
        .stdin(Stdio::piped())
        .spawn()
        .context("start what puts images back")
}

fn named(names: &[&str]) -> anyhow::Result<Vec<&'static Recipe>> {
    names.iter().map(|name| Recipe::named(name)).collect()
}

fn say_missing(all: usize, missing: usize) {
    say::line(format_args!(
        "images: {} are here, {missing} are missing",
        all - missing
    ));
}

/// Makes those that are not here under their own name by the recipe as it is.
fn make_missing(recipes: &[&'static Recipe]) -> anyhow::Result<()> {
    let mut missing = Vec::new();
    for recipe in recipes {
        let names = Names::of(recipe);
        if whose(&names.home, recipe)? == Whose::Ours {
            continue;
        }
        if whose(&names.name, recipe)? == Whose::Ours {
            names::tag(&names.name, &names.home)?;
        } else {
            missing.push(*recipe);
        }
    }
    say_missing(recipes.len(), missing.len());
    make::make_all(missing)
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

//! Which image stands under which name. What we make has names of its own (`drover-test/postgres:17`), whose label says
//! by which recipe it was made. Jobs of the tests write the official names (`postgres:17`), as people do: those are
//! pointed at our images while tests run, and what somebody else had under them is set aside and put back. So neither
//! an image from a registry nor an old one of ours changes a result, and nobody's image is lost.

use super::LABEL;
use crate::process;
use crate::setup::recipes::{RECIPES, Recipe};
use std::process::Command;

/// The repository of what we make.
pub const OURS: &str = "drover-test/";
/// The repository of what others had under the names that tests use.
const ASIDE: &str = "drover-set-aside/";

/// The names of one recipe's image.
pub struct Names {
    /// The official one, with its tag.
    pub name: String,
    /// Ours: always what we made.
    pub home: String,
    /// Where somebody's image waits.
    aside: String,
}

/// An image that the engine has.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    id: String,
    /// The recipe's hash, when it was made by a recipe; what somebody built on it has inherited it and is not.
    recipe: Option<String>,
}

/// Whose image stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// There is none.
    Nobodys,
    /// Made by the recipe as it is now.
    Ours,
    /// Made by the recipe as it was.
    Stale,
    /// Pulled or built by somebody.
    Somebodys,
}

/// Who may stand under an official name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Whoever is there: the demo shows what people have.
    Anybody,
    /// We alone: what tests and measurements find must not depend on the machine.
    OursAlone,
}

/// What is to be done with an official name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is right.
    Nothing,
    /// Point it at our image.
    Point,
    /// The same, when what is there was set aside.
    SetAside,
}

impl Policy {
    /// What this policy makes of a name.
    pub fn change(self, there: Whose) -> Change {
        match (self, there) {
            (_, Whose::Ours) | (Policy::Anybody, Whose::Somebodys) => Change::Nothing,
            (_, Whose::Nobodys | Whose::Stale) => Change::Point,
            (Policy::OursAlone, Whose::Somebodys) => Change::SetAside,
        }
    }
}

impl Names {
    /// Of a recipe.
    pub fn of(recipe: &Recipe) -> Names {
        let name = with_tag(recipe.name);
        Names {
            home: format!("{OURS}{name}"),
            aside: format!("{ASIDE}{name}"),
            name,
        }
    }

    /// Points the official name at our image. An image that waits aside since a run was killed loses that name to the one
    /// that somebody has put in its place since, as it then lost the official one.
    ///
    /// # Errors
    /// When the engine does not.
    pub fn point(&self, change: Change) -> anyhow::Result<()> {
        let before = id_of(&self.name);
        match change {
            Change::Nothing => return Ok(()),
            Change::SetAside => tag(&self.name, &self.aside)?,
            Change::Point => {}
        }
        tag(&self.home, &self.name)?;
        before.iter().for_each(|id| remove_nameless(id));
        Ok(())
    }

    /// True while somebody's image waits aside.
    pub fn has_set_aside(&self) -> bool {
        id_of(&self.aside).is_some()
    }

    /// Puts back what was set aside; true when there was something. It stays aside when somebody has meanwhile put
    /// another image under the name.
    ///
    /// # Errors
    /// When the engine does not.
    pub fn put_back(&self, recipe: &Recipe) -> anyhow::Result<bool> {
        let aside = id_of(&self.aside);
        let is_free = whose(&self.name, recipe)? != Whose::Somebodys || id_of(&self.name) == aside;
        if aside.is_none() || !is_free {
            return Ok(false);
        }
        tag(&self.aside, &self.name)?;
        untag(&self.aside)?;
        Ok(true)
    }
}

/// Whose image stands under `name`, which is one of the recipe's.
///
/// # Errors
/// When the recipe cannot be read.
pub fn whose(name: &str, recipe: &Recipe) -> anyhow::Result<Whose> {
    Ok(judge(find(name).as_ref(), &recipe.hash()?))
}

fn judge(found: Option<&Found>, hash: &str) -> Whose {
    match found.map(|found| found.recipe.as_deref()) {
        None => Whose::Nobodys,
        Some(None) => Whose::Somebodys,
        Some(Some(recipe)) if recipe == hash => Whose::Ours,
        Some(Some(_)) => Whose::Stale,
    }
}

/// True when an image that we made is of an older recipe.
///
/// # Errors
/// When a recipe cannot be read.
pub fn any_is_stale() -> anyhow::Result<bool> {
    for recipe in RECIPES {
        let names = Names::of(recipe);
        if whose(&names.home, recipe)? == Whose::Stale || whose(&names.name, recipe)? == Whose::Stale {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The id of the image under this name, if there is one.
pub fn id_of(name: &str) -> Option<String> {
    find(name).map(|found| found.id)
}

/// Gives the image one more name.
///
/// # Errors
/// When the engine does not.
pub fn tag(image: &str, name: &str) -> anyhow::Result<()> {
    process::run(&mut process::docker(&["tag", image, name]))
}

/// Takes a name away, and with its last name the image.
///
/// # Errors
/// When the engine does not.
pub fn untag(name: &str) -> anyhow::Result<()> {
    process::output(&mut process::docker(&["rmi", name])).map(drop)
}

/// Removes an image that has no name any more; it stays while something was built on it or a container uses it.
pub fn remove_nameless(id: &str) {
    let names = process::output(&mut inspect(id, "{{len .RepoTags}}"));
    if names.is_ok_and(|names| names.trim() == "0") {
        process::says_yes(&mut process::docker(&["rmi", id]));
    }
}

fn find(name: &str) -> Option<Found> {
    let format =
        format!("{{{{.Id}}}} {{{{len .RootFS.Layers}}}}{{{{.Parent}}}} {{{{index .Config.Labels \"{LABEL}\"}}}}");
    let said = process::output(&mut inspect(name, &format)).ok()?;
    read(&said)
}

/// An id, the number of layers together with the image that it was built on, and our label.
fn read(said: &str) -> Option<Found> {
    let mut words = said.split_whitespace();
    let id = words.next()?.to_owned();
    // What is imported has one layer and stands on nothing.
    let is_imported = words.next()? == "1";
    let recipe = words.next().filter(|_| is_imported).map(str::to_owned);
    Some(Found { id, recipe })
}

fn inspect(image: &str, format: &str) -> Command {
    process::docker(&["image", "inspect", "--format", format, image])
}

/// An image's name with its tag.
pub fn with_tag(name: &str) -> String {
    if name.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELLED: &str = "sha256:1 1 abc\n";

    #[test]
    fn an_image_is_ours_by_its_recipe_and_not_by_its_name() {
        let whose = |said: Option<&str>| judge(said.and_then(read).as_ref(), "abc");
        assert_eq!(whose(None), Whose::Nobodys);
        assert_eq!(whose(Some(LABELLED)), Whose::Ours);
        assert_eq!(whose(Some("sha256:1 1 abd\n")), Whose::Stale);
        assert_eq!(whose(Some("sha256:1 1 \n")), Whose::Somebodys, "pulled: no label");
        assert_eq!(
            whose(Some("sha256:1 2 abc\n")),
            Whose::Somebodys,
            "a layer on top of ours"
        );
        assert_eq!(
            whose(Some("sha256:1 1sha256:2 abc\n")),
            Whose::Somebodys,
            "built on ours without a layer"
        );
    }

    #[test]
    fn tests_use_ours_alone_and_the_demo_what_is_there() {
        let all = [Whose::Nobodys, Whose::Ours, Whose::Stale, Whose::Somebodys];
        assert_eq!(
            all.map(|there| Policy::OursAlone.change(there)),
            [Change::Point, Change::Nothing, Change::Point, Change::SetAside]
        );
        assert_eq!(
            all.map(|there| Policy::Anybody.change(there)),
            [Change::Point, Change::Nothing, Change::Point, Change::Nothing]
        );
    }

    #[test]
    fn our_names_are_nobody_elses() {
        let names = Names::of(Recipe::named("busybox").unwrap());
        assert_eq!(
            [names.name, names.home, names.aside],
            [
                "busybox:latest",
                "drover-test/busybox:latest",
                "drover-set-aside/busybox:latest"
            ]
        );
    }
}

//! A step that builds an image: `image` is a map, and nothing runs in a container of the step's own.

use std::collections::BTreeMap;

use crate::codes;
use crate::keys::{IMAGE, LOGIN};
use crate::model::{ImageBuild, RegistryLogin};
use crate::problems::Problem;
use crate::reader::{Fields, Reader, Slot};

/// Names of one image.
const MAX_TAGS: usize = 50;
/// Keys of a step that need a container.
const NEED_A_CONTAINER: [&str; 7] = ["run", "entrypoint", "shell", "env", "workdir", "user", "secrets"];

impl Reader<'_> {
    /// The map of such a step, whose fields are `step`.
    pub(crate) fn image_step(&mut self, step: &Fields<'_>, slot: Slot<'_>, owner: &str) -> ImageBuild {
        for key in NEED_A_CONTAINER {
            if let Some(place) = step.key_place(key) {
                let message = format!("{owner} builds an image, so it has no `{key}`");
                let problem = Problem::at(&codes::IMAGE_STEP, place, message);
                self.add(problem.help("move it into a step of its own, after this one"));
            }
        }
        let mut image = ImageBuild::default();
        let owner = format!("`image` of {owner}");
        let Some(fields) = self.fields(slot, &IMAGE, &owner) else {
            return image;
        };
        if let Some(build) = self.require(&fields, "build", &owner, slot.place()) {
            image.build = self.build(build, &owner).unwrap_or_default();
        }
        if let Some(tags) = self.require(&fields, "tags", &owner, slot.place()) {
            self.some(tags);
            for item in self.at_most(tags, MAX_TAGS) {
                let tag = self.image(item);
                image.tags.extend(tag.filter(|tag| !image.tags.contains(tag)));
            }
        }
        image.push = fields.get("push").and_then(|slot| self.flag(slot)).unwrap_or(false);
        image.login = fields.get("login").and_then(|slot| self.login(slot, &owner));
        image
    }

    fn login(&mut self, slot: Slot<'_>, owner: &str) -> Option<RegistryLogin> {
        let owner = format!("`login` of {owner}");
        let fields = self.fields(slot, &LOGIN, &owner)?;
        let user = self.require(&fields, "user", &owner, slot.place());
        let user = user.and_then(|slot| self.line(slot, 256));
        let secret = self.require(&fields, "secret", &owner, slot.place());
        let secret = secret.and_then(|slot| self.secret_name(slot));
        Some(RegistryLogin {
            user: user?,
            secret: secret?,
        })
    }

    /// The labels of an agent.
    pub(crate) fn agent_labels(&mut self, slot: Slot<'_>) -> BTreeMap<String, String> {
        let Some(entries) = slot.node.entries() else {
            self.wrong_type(slot, "a map from names to values");
            return BTreeMap::new();
        };
        let mut labels = BTreeMap::new();
        for entry in entries {
            let name = &*entry.key.text;
            let fine = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
            if name.is_empty() || name.len() > 128 || !name.chars().all(fine) {
                let message = format!("`{name}` is not a name for a label");
                let problem = Problem::at(&codes::BAD_NAME, entry.key.place, message);
                self.add(problem.label("letters, digits and `._-/` only"));
                continue;
            }
            let value = self.scalar(Slot::of(name, &entry.node), "a text, a number or true/false");
            labels.extend(value.map(|value| (name.to_owned(), value.text)));
        }
        labels
    }
}

//! A step that builds an image: `image` is a map, and nothing runs in a container of the step's own.

use std::collections::BTreeMap;

use crate::codes;
use crate::keys::{BUILD, IMAGE, LOGIN};
use crate::model::{BuildSpec, ImageBuild, RegistryLogin};
use crate::problems::Problem;
use crate::read::globs::Reach;
use crate::read::{Fields, Reader, Slot};
use crate::yaml::Value;

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
            image.build = self.image_source(build, &owner);
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

    /// A folder, or a map in Compose's words.
    fn image_source(&mut self, slot: Slot<'_>, owner: &str) -> BuildSpec {
        let mut build = BuildSpec {
            context: ".".to_owned(),
            ..BuildSpec::default()
        };
        if matches!(slot.node.value, Value::Scalar(_)) {
            build.context = self.path(slot, Reach::Workspace).unwrap_or_default();
            return build;
        }
        let Some(fields) = self.fields(slot, &BUILD, &format!("`build` of {owner}")) else {
            return build;
        };
        if let Some(context) = fields.get("context") {
            build.context = self.path(context, Reach::Workspace).unwrap_or_default();
        }
        build.dockerfile = fields
            .get("dockerfile")
            .and_then(|slot| self.path(slot, Reach::Workspace));
        build.dockerfile_inline = fields.get("dockerfile_inline").and_then(|slot| self.shell_text(slot));
        if let (Some(_), Some(inline)) = (fields.get("dockerfile"), fields.key_place("dockerfile_inline")) {
            let message = "`dockerfile` and `dockerfile_inline` are both given";
            self.add(Problem::at(&codes::BAD_VALUE, inline, message).help("keep one of them"));
        }
        if let Some(args) = fields.get("args") {
            let args = self.env_map(args).into_iter();
            build.args = args.filter_map(|(name, value)| Some((name, value?))).collect();
        }
        build.target = fields.get("target").and_then(|slot| self.line(slot, 128));
        build.labels = fields.get("labels").map(|slot| self.labels(slot)).unwrap_or_default();
        build.no_cache = fields.get("no_cache").and_then(|slot| self.flag(slot)).unwrap_or(false);
        build.pull = fields.get("pull").and_then(|slot| self.flag(slot)).unwrap_or(false);
        build.platform = fields.get("platform").and_then(|slot| self.line(slot, 64));
        build
    }

    /// A map from names to texts, of an image or an agent.
    pub(crate) fn labels(&mut self, slot: Slot<'_>) -> BTreeMap<String, String> {
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

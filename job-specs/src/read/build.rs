//! Compose's `build`: how an image is made from a folder of the repository.

use crate::codes;
use crate::keys::BUILD;
use crate::model::{BuildSpec, Env};
use crate::problems::Problem;
use crate::reader::joined;
use crate::reader::{Reader, Slot};

impl Reader<'_> {
    /// A folder, or a map. `None` when it cannot be read.
    pub(crate) fn build(&mut self, slot: Slot<'_>, owner: &str) -> Option<BuildSpec> {
        if !Self::is_map(slot) {
            return Some(BuildSpec {
                context: self.context(slot)?,
                ..BuildSpec::default()
            });
        }
        let fields = self.fields(slot, &BUILD, &format!("`build` of {owner}"))?;
        let context = match fields.get("context") {
            Some(slot) => self.context(slot)?,
            None => ".".to_owned(),
        };
        let dockerfile = self.take(&fields, "dockerfile", |reader, slot| reader.dockerfile(slot, &context));
        let dockerfile_inline = self.take(&fields, "dockerfile_inline", Self::shell_text);
        if let (Some(_), Some(place)) = (&dockerfile_inline, fields.key_place("dockerfile")) {
            let message = "`build` has both `dockerfile` and `dockerfile_inline`";
            self.add(Problem::at(&codes::BAD_VALUE, place, message).help("keep one of them"));
        }
        Some(BuildSpec {
            context,
            dockerfile,
            dockerfile_inline,
            args: self.take(&fields, "args", Self::build_args).unwrap_or_default(),
            target: self.take(&fields, "target", Self::text),
            labels: self.take(&fields, "labels", Self::labels).unwrap_or_default(),
            no_cache: self.take(&fields, "no_cache", Self::flag).unwrap_or(false),
            pull: self.take(&fields, "pull", Self::flag).unwrap_or(false),
            platform: self.take(&fields, "platforms", Self::one_platform),
        })
    }

    fn context(&mut self, slot: Slot<'_>) -> Option<String> {
        let text = self.text(slot)?;
        let is_remote =
            text.contains("://") || text.starts_with("git@") || text.ends_with(".git") || text.contains(".git#");
        if !is_remote {
            return self.inside(slot, &text);
        }
        let problem = self.bad_value(
            slot,
            &codes::REFUSED,
            format!("`{text}` is refused as a context of `build`"),
        );
        let note = "an image is built from the commit that is tested, and from nothing that can change behind it";
        self.add(
            problem
                .note(note)
                .help("take a folder of the repository: `context: ./service`"),
        );
        None
    }

    /// Inside the context: nothing else is sent to the engine.
    fn dockerfile(&mut self, slot: Slot<'_>, context: &str) -> Option<String> {
        let text = self.text(slot)?;
        let path = match joined("", &text) {
            Ok(path) => Some(path),
            // `../x/Dockerfile` from the context `x` is inside of it after all.
            Err(_) => joined(context, &text).ok().and_then(|path| {
                let inside = path.strip_prefix(context)?.strip_prefix('/')?;
                Some(inside.to_owned())
            }),
        };
        if path.is_none() {
            let message = format!("the Dockerfile `{text}` is outside of its context `{context}`");
            let problem = self.bad_value(slot, &codes::OUTSIDE, message);
            self.add(problem.help("take a wider context: `build: {context: ., dockerfile: x/Dockerfile}`"));
        }
        path
    }

    /// A map, or a list of NAME=value; in a Compose file a name alone is the variable's value.
    fn build_args(&mut self, slot: Slot<'_>) -> Option<Env> {
        let pairs = self.pairs(slot, "a map, or a list of NAME=value")?;
        Some(pairs.into_iter().map(|(name, value, _)| (name, value)).collect())
    }

    fn one_platform(&mut self, slot: Slot<'_>) -> Option<String> {
        let items = self.items(slot, "a list with one platform")?;
        match items.as_slice() {
            [one] => self.platform(*one),
            [] => None,
            [_, second, ..] => {
                let problem = Problem::at(
                    &codes::BAD_VALUE,
                    second.place(),
                    "an image is built for one platform here",
                );
                self.add(problem.help("keep the platform of the agents"));
                None
            }
        }
    }
}

//! Compose's `build`: how an image is made from a folder of the repository.

use crate::codes;
use crate::model::{BuildSpec, Env};
use crate::problems::Problem;
use crate::read::service_env::{LABELS, PAIRS};
use crate::reader::keys::Foreign::{Ignored, Later, Means, Refused};
use crate::reader::keys::{Kind, Others, Set, Shape, Table, With, key, kind};
use crate::reader::kinds::{FLAG, SHELL_TEXT, TEXT};
use crate::reader::{Reader, Slot, joined};

/// Compose's `build`: a folder, or a map.
pub(crate) const BUILD: Kind<BuildSpec> = Kind {
    shape: Shape::AnyOf(&[Shape::Text, Shape::Object(&BUILD_KEYS)]),
    read: |reader, slot, _| reader.build(slot),
};

static BUILD_KEYS: Table<BuildSpec> = Table {
    what: "`build`",
    about: "How an image is made from a Dockerfile of the repository.",
    keys: &[
        key(
            "context",
            &Set(CONTEXT, |build: &mut BuildSpec, context| build.context = context),
            "A folder of the repository. Default: all of it.",
        ),
        key(
            "dockerfile",
            &With(Shape::Text, |reader, slot, build: &mut BuildSpec| {
                build.dockerfile = reader.dockerfile(slot, &build.context)
            }),
            "From the context. Default: Dockerfile.",
        ),
        key(
            "dockerfile_inline",
            &Set(SHELL_TEXT, |build: &mut BuildSpec, text| {
                build.dockerfile_inline = Some(text)
            }),
            "The Dockerfile's text itself.",
        ),
        key(
            "args",
            &Set(ARGS, |build: &mut BuildSpec, args| build.args = args),
            "Build arguments; the image's history shows them, so never secrets.",
        ),
        key(
            "target",
            &Set(TEXT, |build: &mut BuildSpec, target| build.target = Some(target)),
            "The stage to stop at.",
        ),
        key(
            "labels",
            &Set(LABELS, |build: &mut BuildSpec, labels| build.labels = labels),
            "Labels of the image.",
        ),
        key(
            "no_cache",
            &Set(FLAG, |build: &mut BuildSpec, no_cache| build.no_cache = no_cache),
            "Nothing of an earlier build is used.",
        ),
        key(
            "pull",
            &Set(FLAG, |build: &mut BuildSpec, pull| build.pull = pull),
            "Base images are asked for anew.",
        ),
        key(
            "platforms",
            &Set(ONE_PLATFORM, |build: &mut BuildSpec, platform| {
                build.platform = Some(platform)
            }),
            "The one platform to build for: linux/amd64.",
        ),
    ],
    foreign: &[
        ("cache_from", Ignored("the agent's own build cache is used")),
        ("cache_to", Ignored("the agent's own build cache is used")),
        (
            "tags",
            Ignored("the image lives as long as the job; write a step with `image:` to keep one"),
        ),
        ("network", Ignored("a build has a network of its own")),
        ("shm_size", Ignored("the engine's default is used")),
        ("ulimits", Ignored("the engine's default is used")),
        ("extra_hosts", Ignored("a build reaches no service")),
        ("isolation", Ignored("it is for Windows")),
        ("provenance", Ignored("the image lives as long as the job")),
        ("sbom", Ignored("the image lives as long as the job")),
        ("additional_contexts", Later),
        ("secrets", Later),
        ("ssh", Later),
        (
            "privileged",
            Refused("a privileged build could take over the agent's host"),
        ),
        (
            "entitlements",
            Refused("a privileged build could take over the agent's host"),
        ),
        ("file", Means("dockerfile")),
        ("path", Means("context")),
    ],
    others: Others::Extensions,
};

/// A folder of the repository.
const CONTEXT: Kind<String> = kind(Shape::Text, |reader, slot, _| reader.context(slot));
/// Build arguments; in a Compose file a name alone is the variable's value.
const ARGS: Kind<Env> = kind(PAIRS, |reader, slot, _| {
    let pairs = reader.pairs(slot, "a map, or a list of NAME=value")?;
    Some(pairs.into_iter().map(|(name, value, _)| (name, value)).collect())
});
/// A list of one platform.
const ONE_PLATFORM: Kind<String> = kind(Shape::List(&Shape::Text), |reader, slot, _| reader.one_platform(slot));

impl Reader<'_> {
    fn build(&mut self, slot: Slot<'_>) -> Option<BuildSpec> {
        let mut build = BuildSpec {
            context: ".".to_owned(),
            ..BuildSpec::default()
        };
        if !Self::is_map(slot) {
            build.context = self.context(slot)?;
            return Some(build);
        }
        let fields = self.level(slot, &BUILD_KEYS, self.part("build"), &mut build)?;
        if let (Some(_), Some(location)) = (&build.dockerfile_inline, fields.key_location("dockerfile")) {
            let message = "`build` has both `dockerfile` and `dockerfile_inline`";
            self.add(Problem::at(&codes::BAD_VALUE, location, message).help("keep one of them"));
        }
        Some(build)
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

    fn one_platform(&mut self, slot: Slot<'_>) -> Option<String> {
        let items = self.items(slot, "a list with one platform")?;
        match items.as_slice() {
            [one] => self.platform(*one),
            [] => None,
            [_, second, ..] => {
                let problem = Problem::at(
                    &codes::BAD_VALUE,
                    second.location(),
                    "an image is built for one platform here",
                );
                self.add(problem.help("keep the platform of the agents"));
                None
            }
        }
    }
}

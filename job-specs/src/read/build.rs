//! Compose's `build`: how an image is made from a folder of the repository.

use crate::codes;
use crate::model::{BuildSpec, Env};
use crate::read::service_env::{LABELS, PAIRS};
use crate::reader::keys::Foreign::{Ignored, Later, Means, Refused};
use crate::reader::keys::{Kind, Others, Shape, Table, key, kind};
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
        key("context")
            .about("A folder of the repository. Default: all of it.")
            .set(&(CONTEXT, |build, context| build.context = context)),
        key("dockerfile")
            .about("From the context. Default: Dockerfile.")
            .with(&(Shape::Text, |reader, slot, build| {
                build.dockerfile = reader.dockerfile(slot, &build.context)
            })),
        key("dockerfile_inline")
            .about("The Dockerfile's text itself.")
            .set(&(SHELL_TEXT, |build, text| build.dockerfile_inline = Some(text))),
        key("args")
            .about("Build arguments; the image's history shows them, so never secrets.")
            .set(&(ARGS, |build, args| build.args = args)),
        key("target")
            .about("The stage to stop at.")
            .set(&(TEXT, |build, target| build.target = Some(target))),
        key("labels")
            .about("Labels of the image.")
            .set(&(LABELS, |build, labels| build.labels = labels)),
        key("no_cache")
            .about("Nothing of an earlier build is used.")
            .set(&(FLAG, |build, no_cache| build.no_cache = no_cache)),
        key("pull")
            .about("Base images are asked for anew.")
            .set(&(FLAG, |build, pull| build.pull = pull)),
        key("platforms")
            .about("The one platform to build for: linux/amd64.")
            .set(&(ONE_PLATFORM, |build, platform| build.platform = Some(platform))),
    ],
    foreign: &[
        Ignored("the agent's own build cache is used").answers(&["cache_from", "cache_to"]),
        Ignored("the image lives as long as the job; write a step with `image:` to keep one").answers(&["tags"]),
        Ignored("a build has a network of its own").answers(&["network"]),
        Ignored("the engine's default is used").answers(&["shm_size", "ulimits"]),
        Ignored("a build reaches no service").answers(&["extra_hosts"]),
        Ignored("it is for Windows").answers(&["isolation"]),
        Ignored("the image lives as long as the job").answers(&["provenance", "sbom"]),
        Later.answers(&["additional_contexts", "secrets", "ssh"]),
        Refused("a privileged build could take over the agent's host").answers(&["privileged", "entitlements"]),
        Means("dockerfile").answers(&["file"]),
        Means("context").answers(&["path"]),
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
            self.add(codes::BAD_VALUE.at(location, message).help("keep one of them"));
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
        let message = format!("`{text}` is refused as a context of `build`");
        let problem = self.bad_value(slot, &codes::REFUSED, message);
        let note = "an image is built from the commit that is tested, and from nothing that can change behind it";
        self.reject(
            problem
                .note(note)
                .help("take a folder of the repository: `context: ./service`"),
        )
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
                let problem = codes::BAD_VALUE.at(second.location(), "an image is built for one platform here");
                self.reject(problem.help("keep the platform of the agents"))
            }
        }
    }
}

//! Actions: those of a checkout are dropped, tool chains become the job's image, caches and artifacts their keys.

use std::sync::Arc;

use job_specs::yaml::Node;

use super::job::Around;
use crate::detect::cache as cache_item;
use crate::notes::{Answer, about, answer};
use crate::out::{Map, Out};

/// Actions that choose a tool chain: the input with its version, the image, the tag when no version is named.
const TOOLS: &[(&str, &str, &str, &str)] = &[
    ("actions/setup-node", "node-version", "node", "22"),
    ("actions/setup-python", "python-version", "python", "3.13"),
    ("actions/setup-go", "go-version", "golang", "1"),
    ("actions/setup-java", "java-version", "eclipse-temurin", "21"),
    (
        "actions/setup-dotnet",
        "dotnet-version",
        "mcr.microsoft.com/dotnet/sdk",
        "9.0",
    ),
    ("ruby/setup-ruby", "ruby-version", "ruby", "3"),
    ("shivammathur/setup-php", "php-version", "php", "8"),
    ("oven-sh/setup-bun", "bun-version", "oven/bun", "1"),
    ("denoland/setup-deno", "deno-version", "denoland/deno", "2"),
    (
        "astral-sh/setup-uv",
        "python-version",
        "ghcr.io/astral-sh/uv",
        "bookworm",
    ),
    ("dtolnay/rust-toolchain", "toolchain", "rust", "1"),
    ("actions-rs/toolchain", "toolchain", "rust", "1"),
    ("actions-rust-lang/setup-rust-toolchain", "toolchain", "rust", "1"),
];

/// Answers to actions that have no counterpart but a known way.
const ANSWERS: &[Answer] = &[
    about("docker/build-push-action").say("builds an image: write a step `image: {build: ., tags: […], push: true}`"),
    about("docker/login-action").say("logs in to a registry: see `login` of a step with `image`"),
    about("docker/setup-buildx-action").say("is not needed"),
    about("docker/setup-qemu-action").say("has no counterpart: choose an agent by `runs_on: {arch: …}`"),
    about("actions/github-script").say("has no counterpart: call your forge's API from a script"),
    about("codecov/codecov-action").say("has no counterpart: call the uploader from a script"),
    about("pnpm/action-setup").say("has no counterpart: begin the script with `corepack enable`"),
];

pub(super) fn action(around: &mut Around<'_>, node: &Arc<Node>, action: &Node) {
    let whole = action.text().unwrap_or_default();
    let (name, at) = whole.split_once('@').unwrap_or((whole, ""));
    let with = node.get("with");
    match name {
        "actions/checkout" => checkout(around, with),
        "actions/cache" | "actions/cache/restore" | "actions/cache/save" => cache(around, action, with),
        "Swatinem/rust-cache" => {
            let paths = ["/usr/local/cargo/registry", "target"];
            let item = cache_item("cargo", "${{ hash('Cargo.lock') }}", paths);
            around.job.cache.push(item);
        }
        "actions/upload-artifact" => artifact(around, action, with),
        "actions/download-artifact" => around.job.takes = around.job.needs.clone(),
        _ => match TOOLS.iter().find(|(tool, ..)| *tool == name) {
            Some((_, input, image, default)) => {
                let given = with.and_then(|with| with.get(input));
                let version = given.and_then(|node| around.field(node.text()?, node));
                let version =
                    version.or_else(|| (name.contains("rust-toolchain") && is_version(at)).then(|| at.to_owned()));
                tool(around, action, image, &version.unwrap_or_else(|| (*default).to_owned()));
            }
            None => {
                let answer = answer(ANSWERS, name).unwrap_or("is an action: write what it does as a script");
                around.notes.add(action.location, format!("`{name}` {answer}"));
            }
        },
    }
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
}

fn checkout(around: &mut Around<'_>, with: Option<&Arc<Node>>) {
    let Some(with) = with else { return };
    for entry in with.entries().unwrap_or_default() {
        let text = match &*entry.key.text {
            "repository" | "ref" | "path" => "the workspace holds the build's own commit; fetch others from a script",
            "submodules" => "submodules are not fetched: begin with `git submodule update --init`",
            "lfs" => "LFS files are not fetched",
            _ => continue,
        };
        let text = format!("`{}` of the checkout: {text}", entry.key.text);
        around.notes.add(entry.key.location, text);
    }
}

fn tool(around: &mut Around<'_>, action: &Node, image: &str, version: &str) {
    let tag = match version {
        "stable" | "latest" | "node" => "latest".to_owned(),
        version if version.starts_with("lts/") => "lts".to_owned(),
        "nightly" | "beta" => {
            let text = format!("`{version}` has no official image: choose one");
            around.notes.add(action.location, text);
            "latest".to_owned()
        }
        other => self::version(other),
    };
    let tag = match image.ends_with("/uv") && is_version(&tag) {
        true => format!("python{tag}-bookworm"),
        false => tag,
    };
    if image == "rust" && tag.contains("${{ matrix.") {
        let text = "`stable`, `beta` and `nightly` are no tags of the image `rust`: write versions in the matrix";
        around.notes.add(action.location, text);
    }
    let image = format!("{image}:{tag}");
    match &around.job.image {
        None => around.job.image = Some(image),
        Some(other) if *other == image => {}
        Some(other) => {
            let what = format!("a job has one image, and it is `{other}`");
            let text = format!("{what}: give the steps that need `{image}` their own `image`");
            around.notes.add(action.location, text);
        }
    }
}

/// `18.x` is the image's tag `18`.
pub(super) fn version(text: &str) -> String {
    let digits = text.trim_end_matches(".x");
    let is_version = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_version { digits } else { text }.to_owned()
}

/// Lines of an input of several.
fn lines(with: Option<&Arc<Node>>, key: &str) -> Vec<String> {
    let text = with.and_then(|with| with.text_of(key)).unwrap_or_default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

fn cache(around: &mut Around<'_>, action: &Node, with: Option<&Arc<Node>>) {
    let absolute = |path: &String| {
        let at_home = path.strip_prefix("~/").map(|rest| format!("/root/{rest}"));
        at_home.as_ref().unwrap_or(path).trim_end_matches('/').to_owned()
    };
    let paths: Vec<String> = lines(with, "path").iter().map(absolute).collect();
    let key = with.and_then(|with| around.field(with.text_of("key")?, action));
    let (Some(key), false) = (key, paths.is_empty()) else {
        let text = "this cache cannot be carried over: write it under `cache`";
        around.notes.add(action.location, text);
        return;
    };
    let restore = lines(with, "restore-keys");
    let mut map = Map::default().with("key", Out::text(key));
    map.put_texts("fallback", restore.iter().filter_map(|key| around.field(key, action)));
    around.job.cache.push(Out::Map(map.with("paths", Out::texts(paths))));
}

fn artifact(around: &mut Around<'_>, action: &Node, with: Option<&Arc<Node>>) {
    let mut paths = Vec::new();
    for path in lines(with, "path") {
        paths.extend(around.field(path.trim_end_matches('/'), action));
    }
    let name = with.and_then(|with| with.text_of("name")).unwrap_or("artifact");
    let Some(name) = around.field(name, action).filter(|_| !paths.is_empty()) else {
        return;
    };
    let mut map = Map::default().with("name", Out::text(name));
    map.put("paths", Out::texts(paths));
    let days = with.and_then(|with| with.text_of("retention-days"));
    let days = days.filter(|days| is_version(days));
    map.put_some("expires", days.map(|days| Out::text(format!("{days}d"))));
    around.job.artifacts.push(Out::Map(map));
}

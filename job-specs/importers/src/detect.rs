//! What kind of project a folder holds, by the names of its files, and a first job file for it.

use crate::draft::{Draft, Job, Step};
use crate::out::{Map, Out};

/// A job file for a project with these files in its folder.
pub(crate) fn job_file(names: &[String], schema: &str) -> String {
    let mut jobs = jobs(names);
    let about = match jobs.is_empty() {
        true => "A first job: put your own image and commands here.".to_owned(),
        false => format!("Found here: {}.", found(names).join(", ")),
    };
    if jobs.is_empty() {
        jobs.push(hello());
    }
    let draft = Draft {
        jobs,
        ..Draft::default()
    };
    draft.write(schema, &about)
}

/// One kind of project.
struct Kind {
    /// The files that tell it; one is enough.
    files: &'static [&'static str],
    /// What its job is called.
    job: &'static str,
    make: fn(&[String]) -> Job,
}

/// Every kind; a Makefile counts only when nothing else does.
const KINDS: &[Kind] = &[
    kind(&["Cargo.toml"], "rust", rust),
    kind(&["package.json"], "node", node),
    kind(&["go.mod"], "go", go),
    kind(&["pyproject.toml", "requirements.txt", "setup.py"], "python", python),
    kind(&["pom.xml"], "maven", maven),
    kind(&["build.gradle", "build.gradle.kts"], "gradle", gradle),
];
const MAKE: Kind = kind(&["Makefile", "makefile", "GNUmakefile"], "make", make);

const fn kind(files: &'static [&'static str], job: &'static str, make: fn(&[String]) -> Job) -> Kind {
    Kind { files, job, make }
}

fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|given| given == name)
}

fn kinds(names: &[String]) -> Vec<&'static Kind> {
    let is_here = |kind: &&Kind| kind.files.iter().any(|file| has(names, file));
    let found: Vec<&Kind> = KINDS.iter().filter(is_here).collect();
    match found.is_empty() {
        true => Some(&MAKE).into_iter().filter(is_here).collect(),
        false => found,
    }
}

fn found(names: &[String]) -> Vec<&'static str> {
    let files = kinds(names).into_iter().flat_map(|kind| kind.files);
    files.copied().filter(|file| has(names, file)).collect()
}

/// The jobs for what is found; a single one is called `test`.
pub(crate) fn jobs(names: &[String]) -> Vec<Job> {
    let kinds = kinds(names);
    let alone = kinds.len() == 1;
    let job = |kind: &Kind| Job {
        name: if alone { "test" } else { kind.job }.to_owned(),
        ..(kind.make)(names)
    };
    kinds.into_iter().map(job).collect()
}

fn job(image: &str, steps: &[&str]) -> Job {
    Job {
        image: Some(image.to_owned()),
        steps: steps.iter().map(|step| Step::run(*step)).collect(),
        ..Job::default()
    }
}

/// A cache that follows a lock file, when that is here.
fn cached(job: &mut Job, names: &[String], kind: &str, lock: &str, paths: &[&str]) {
    if has(names, lock) {
        let hash = format!("${{{{ hash('{lock}') }}}}");
        job.cache.push(cache(kind, &hash, paths.iter().copied()));
    }
}

/// One item of `cache`.
pub(crate) fn cache<'a>(kind: &str, lock: &str, paths: impl IntoIterator<Item = &'a str>) -> Out {
    let map = Map::default().with("key", Out::text(format!("{kind}-{lock}")));
    let map = map.with("fallback", Out::texts([format!("{kind}-")]));
    Out::Map(map.with("paths", Out::texts(paths)))
}

fn hello() -> Job {
    Job {
        name: "test".to_owned(),
        ..job("debian:bookworm", &["echo \"hello from $DROVER_REPOSITORY\""])
    }
}

fn rust(names: &[String]) -> Job {
    let mut job = job("rust:1", &["cargo build --all-targets", "cargo test"]);
    let paths = ["/usr/local/cargo/registry", "target"];
    cached(&mut job, names, "cargo", "Cargo.lock", &paths);
    job
}

fn node(names: &[String]) -> Job {
    let (install, test, lock, cache) = if has(names, "pnpm-lock.yaml") {
        (
            "corepack enable && pnpm install --frozen-lockfile",
            "corepack enable && pnpm test",
            "pnpm-lock.yaml",
            "/root/.local/share/pnpm/store",
        )
    } else if has(names, "yarn.lock") {
        (
            "yarn install --frozen-lockfile",
            "yarn test",
            "yarn.lock",
            "/usr/local/share/.cache/yarn",
        )
    } else if has(names, "package-lock.json") {
        ("npm ci", "npm test", "package-lock.json", "/root/.npm")
    } else {
        ("npm install", "npm test", "package-lock.json", "/root/.npm")
    };
    let mut job = job("node:22", &[install, test]);
    cached(&mut job, names, "node", lock, &[cache]);
    job
}

fn go(names: &[String]) -> Job {
    let mut job = job("golang:1", &["go vet ./...", "go test ./..."]);
    let paths = ["/go/pkg/mod", "/root/.cache/go-build"];
    cached(&mut job, names, "go", "go.sum", &paths);
    job
}

fn python(names: &[String]) -> Job {
    if has(names, "uv.lock") {
        let steps = ["uv sync --locked", "uv run pytest"];
        let mut job = job("ghcr.io/astral-sh/uv:python3.13-bookworm", &steps);
        cached(&mut job, names, "uv", "uv.lock", &["/root/.cache/uv"]);
        return job;
    }
    // One step: what pip installs is in the step's own container and gone after it.
    let (install, lock) = if has(names, "poetry.lock") {
        let install = "pip install poetry\npoetry install\npoetry run pytest\n";
        (install, "poetry.lock")
    } else if has(names, "requirements.txt") {
        let install = "pip install -r requirements.txt pytest\npytest\n";
        (install, "requirements.txt")
    } else {
        ("pip install . pytest\npytest\n", "requirements.txt")
    };
    let mut job = job("python:3.13", &[install]);
    cached(&mut job, names, "pip", lock, &["/root/.cache/pip"]);
    job
}

fn maven(names: &[String]) -> Job {
    let mut job = job("maven:3-eclipse-temurin-21", &["mvn -B verify"]);
    cached(&mut job, names, "maven", "pom.xml", &["/root/.m2/repository"]);
    job.junit.push("**/target/surefire-reports/*.xml".to_owned());
    job
}

fn gradle(names: &[String]) -> Job {
    let (image, command) = match has(names, "gradlew") {
        true => ("eclipse-temurin:21", "./gradlew --no-daemon check"),
        false => ("gradle:8-jdk21", "gradle --no-daemon check"),
    };
    let mut job = job(image, &[command]);
    for file in ["build.gradle", "build.gradle.kts"] {
        cached(&mut job, names, "gradle", file, &["/root/.gradle/caches"]);
    }
    job.junit.push("**/build/test-results/test/*.xml".to_owned());
    job
}

fn make(_: &[String]) -> Job {
    Job {
        comments: vec!["An image with a C toolchain; choose one that has what the Makefile needs.".to_owned()],
        ..job("gcc:14", &["make", "make test"])
    }
}

//! Names of images: enough of the grammar to catch a typing error before an agent tries to pull it, and what two names
//! have in common.

use crate::names::{begins_well, is_made_of};

/// The registry of names without a host.
const HUB: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];
/// Names under these are the agents' own.
const RESERVED: &str = "drover";

/// The same text for two names of one image: `redis`, `docker.io/library/redis:latest`. A digest counts, a tag before it
/// does not.
pub fn familiar(name: &str) -> String {
    let (rest, digest) = name_and_digest(name);
    let (path, tag) = path_and_tag(rest);
    let path = match path.split_once('/') {
        Some((host, below)) if HUB.contains(&host) => below.strip_prefix("library/").unwrap_or(below),
        Some(("library", below)) if !below.contains('/') => below,
        _ => path,
    };
    match digest {
        Some(digest) => format!("{path}@{digest}"),
        None => format!("{path}:{}", tag.unwrap_or("latest")),
    }
}

/// The name is one of those that agents give: nobody may build, fetch or run an image under it.
pub fn is_reserved(name: &str) -> bool {
    let name = familiar(name);
    name.split_once('/').is_some_and(|(first, _)| first == RESERVED)
}

fn name_and_digest(name: &str) -> (&str, Option<&str>) {
    match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (name, None),
    }
}

fn path_and_tag(rest: &str) -> (&str, Option<&str>) {
    match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    }
}

/// What is wrong with the name, in a few words; `None` when it can be one.
pub(crate) fn fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.contains('$') {
        return Some("it contains a `$`; values are written `${{ matrix.x }}` or `${{ env.X }}`");
    }
    if name.contains(char::is_whitespace) {
        return Some("it contains a space");
    }
    let (rest, digest) = name_and_digest(name);
    if digest.is_some_and(|digest| !is_digest(digest)) {
        return Some("after `@` comes a digest: sha256 and 64 hex digits");
    }
    let (path, tag) = path_and_tag(rest);
    if tag.is_some_and(|tag| !is_tag(tag)) {
        return Some("after `:` comes a tag: letters, digits, `_`, `.` and `-`");
    }
    let repository = match path.split_once('/') {
        Some((host, repository)) if is_host(host) => repository,
        _ => path,
    };
    path_fault(repository)
}

fn path_fault(repository: &str) -> Option<&'static str> {
    if repository.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("names of images are in small letters");
    }
    let fine = |part: &str| begins_well(part, "._-") && part.ends_with(|c: char| c.is_ascii_alphanumeric());
    (!repository.split('/').all(fine)).then_some("the form is `[registry/]name[:tag][@digest]`")
}

fn is_host(part: &str) -> bool {
    match part.split_once(':') {
        Some((_, port)) => !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()),
        None => part.contains('.') || part == "localhost",
    }
}

fn is_tag(tag: &str) -> bool {
    tag.len() <= 128 && is_made_of(tag, "_.-") && !tag.starts_with(['.', '-'])
}

fn is_digest(digest: &str) -> bool {
    let hex = digest.strip_prefix("sha256:");
    hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_engines_take_are_taken() {
        let digest = format!("redis@sha256:{}", "a".repeat(64));
        for name in [
            "busybox",
            "postgres:15",
            "ghcr.io/Owner-less/x:1.2",
            "localhost:5000/a/b:latest",
            "registry.example:443/x",
            "library/redis",
            "rust:1.90-slim_x",
            "team/drover:abc",
            &digest,
        ] {
            let expected = name.contains("Owner").then_some("names of images are in small letters");
            assert_eq!(fault(name), expected, "{name}");
        }
    }

    #[test]
    fn the_agents_own_names_are_reserved_however_they_are_written() {
        for name in [
            "drover/anchor:1",
            "docker.io/drover/anchor",
            "drover/a@sha256:0",
            "index.docker.io/drover/a/b",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in [
            "drover",
            "drover-test/x",
            "r.example/drover/x",
            "team/drover",
            "localhost:5000/drover/x",
        ] {
            assert!(!is_reserved(name), "{name}");
        }
    }

    #[test]
    fn names_of_one_image_are_the_same() {
        for name in [
            "redis",
            "redis:latest",
            "library/redis",
            "docker.io/redis",
            "docker.io/library/redis:latest",
        ] {
            assert_eq!(familiar(name), "redis:latest", "{name}");
        }
        assert_eq!(familiar("localhost:5000/a/b"), "localhost:5000/a/b:latest");
        assert_eq!(familiar("r.example/library/x:2"), "r.example/library/x:2");
        assert_eq!(familiar("redis:7@sha256:ab"), "redis@sha256:ab");
    }

    #[test]
    fn typing_errors_are_found() {
        for name in [
            "",
            "postgres:",
            "postgres:15:3",
            "a b",
            "Postgres",
            "postgres:${PG}",
            "app:fix/it",
            "x@sha256:12",
            "/x",
            "x/",
        ] {
            assert!(fault(name).is_some(), "{name}");
        }
    }
}

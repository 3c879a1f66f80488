//! What a name in an archive may be, pure: it never leaves the folder that it is unpacked into.

use std::path::{Component, Path, PathBuf};

/// The name as plain components under a folder; empty for the folder itself. `Err`: what is wrong with it, for people.
pub fn inside(name: &Path) -> Result<PathBuf, &'static str> {
    let mut clean = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err("its name has `..`"),
            Component::RootDir | Component::Prefix(_) => return Err("its name is absolute"),
        }
    }
    if name.as_os_str().as_encoded_bytes().contains(&0) {
        return Err("its name has a zero byte");
    }
    Ok(clean)
}

/// Whether a link at `link` (clean, under the folder) with that target stays in the folder at every step of the way.
pub fn link_stays_inside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    !target.as_os_str().is_empty()
}

/// The target of a link at `link` (clean, under the folder) that leads to `target` under the same folder.
pub fn link_to(link: &Path, target: &Path) -> PathBuf {
    let up = link.components().skip(1).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(target.components()).collect();
    if relative.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    relative
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_taken() {
        let of = |name: &str| inside(Path::new(name)).map(|clean| clean.display().to_string());
        assert_eq!(of("./a//b/"), Ok("a/b".into()));
        assert_eq!(of("."), Ok(String::new()));
        assert_eq!(of("a/../../b"), Err("its name has `..`"));
        assert_eq!(of("/etc/passwd"), Err("its name is absolute"));
        assert_eq!(of("a\0b"), Err("its name has a zero byte"));
    }

    #[test]
    fn a_link_leads_to_the_same_file_from_where_it_is() {
        let to = |link: &str, target: &str| link_to(Path::new(link), Path::new(target)).display().to_string();
        assert_eq!(to("out/abs", "out/sub/f"), "../out/sub/f");
        assert_eq!((to("abs", "f"), to("abs", "")), ("f".into(), ".".into()));
        assert!(!link_stays_inside(
            Path::new("a"),
            &link_to(Path::new("a"), Path::new("../x"))
        ));
    }

    #[test]
    fn a_link_may_go_up_as_far_as_it_is_deep() {
        let stays = |link: &str, target: &str| link_stays_inside(Path::new(link), Path::new(target));
        assert!(stays("a/b/link", "../../c") && stays("link", "a/./b") && stays("a/link", "../b"));
        assert!(!stays("link", "../c") && !stays("a/link", "../../c") && !stays("link", "/c"));
        assert!(!stays("a/link", "../../a/b"), "not even on the way");
        assert!(!stays("link", ""));
    }
}

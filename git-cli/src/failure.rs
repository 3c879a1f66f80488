//! What the git program says when it fails, in the C locale: the part that is for people, and whether our own mirror
//! is at fault rather than the repository.

/// What a failure of git comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The repository, or the way to it.
    Remote,
    /// Lock files or broken references of the mirror; its objects are good.
    References,
    /// The mirror, which is to be made anew.
    Mirror,
}

/// Signs of lock files that a killed git left, and of references that cannot be read or replaced.
const OF_REFERENCES: [&str; 5] = [
    "cannot lock ref",
    ".lock': File exists",
    "unable to resolve reference",
    "reference broken",
    "ignoring broken ref",
];

/// Signs of a mirror that cannot be used as it is.
const OF_MIRROR: [&str; 18] = [
    "mismatched algorithms",
    "not a git repository",
    "bad config",
    "bad object",
    "bad tree object",
    "is corrupt",
    "is empty",
    "is far too short",
    "cannot be accessed",
    "does not match index",
    "index file corrupt",
    "missing object",
    "missing blob",
    "unable to read",
    "could not parse",
    "unable to parse",
    "bad shallow line",
    "in packed-refs",
];

/// Tells what a failure comes from. Lines of the other side (`remote: …`, `fatal: remote error: …`) never speak of our
/// mirror; what it says by itself over SSH, or from a path, cannot be told from what our git says.
pub fn fault(said: &str) -> Fault {
    let is_theirs = |line: &&str| line.starts_with("remote:") || line.contains("remote error:");
    let ours = |signs: &[&str]| {
        let mut lines = said.split(['\r', '\n']).filter(|line| !is_theirs(line));
        lines.any(|line| signs.iter().any(|sign| line.contains(sign)))
    };
    if ours(&OF_MIRROR) {
        return Fault::Mirror;
    }
    match ours(&OF_REFERENCES) {
        true => Fault::References,
        false => Fault::Remote,
    }
}

/// What git says is wrong, for people: what comes behind `fatal:`, or `error:`, or what the other side says.
pub fn reason(said: &str) -> String {
    let lines = || {
        let lines = said.split(['\r', '\n']);
        lines.map(str::trim).filter(|line| !line.is_empty())
    };
    let chosen = ["fatal:", "error:", "ERROR:", "remote:"]
        .iter()
        .find_map(|prefix| lines().find_map(|line| line.strip_prefix(prefix)))
        .or(lines().next_back());
    let text = chosen.unwrap_or("git gave no reason").trim();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fault_is_distinguished_from_the_words() {
        for (said, expected) in [
            (
                "fatal: unable to access 'https://git.example/': Could not resolve host: git.example",
                Fault::Remote,
            ),
            (
                "remote: error: object file x is empty\nfatal: the remote end hung up",
                Fault::Remote,
            ),
            ("fatal: remote error: the repository is empty", Fault::Remote),
            (
                "error: cannot lock ref 'refs/heads/a': is at 1 but expected 2",
                Fault::References,
            ),
            (
                "fatal: Unable to create '/m/shallow.lock': File exists.",
                Fault::References,
            ),
            (
                "fatal: mismatched algorithms: client sha1; server sha256",
                Fault::Mirror,
            ),
            (
                "error: file /m/objects/pack/pack-1.pack is far too short to be a packfile",
                Fault::Mirror,
            ),
            ("fatal: not a git repository: '/m'", Fault::Mirror),
            ("", Fault::Remote),
        ] {
            assert_eq!(fault(said), expected, "{said}");
        }
    }

    #[test]
    fn people_hear_what_is_fatal() {
        let said = "remote: hello\rerror: RPC failed\nfatal: early EOF\nfatal: second\n";
        assert_eq!(reason(said), "early EOF");
        assert_eq!(reason("Receiving objects: 10%\nodd words\n"), "odd words");
        assert_eq!(reason("\n"), "git gave no reason");
    }
}

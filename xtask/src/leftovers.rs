//! What is left in the engine: containers, networks and volumes that carry a label of ours, and volumes without a name
//! (a database image declares one, and whoever removes its container must remove it too).

use crate::process;
use std::collections::BTreeSet;

/// Everything of ours in the engine, one line each.
///
/// # Errors
/// When the engine does not answer.
pub fn look() -> anyhow::Result<BTreeSet<String>> {
    let kinds = [
        ("container", &["ps", "--all", "--format", "{{.Names}}\t{{.Labels}}"][..]),
        ("network", &["network", "ls", "--format", "{{.Name}}\t{{.Labels}}"]),
        ("volume", &["volume", "ls", "--format", "{{.Name}}\t{{.Labels}}"]),
    ];
    let mut found = BTreeSet::new();
    for (kind, arguments) in kinds {
        let listed = process::output(&mut process::docker(arguments))?;
        found.extend(
            listed
                .lines()
                .filter(|line| is_ours(kind, line))
                .map(|line| format!("{kind} {line}")),
        );
    }
    Ok(found)
}

/// What is there now and was not `before`.
///
/// # Errors
/// When the engine does not answer.
pub fn since(before: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
    let known: BTreeSet<&str> = before.iter().map(|line| name_of(line)).collect();
    Ok(look()?
        .into_iter()
        .filter(|line| !known.contains(name_of(line)))
        .collect())
}

/// `network drover-1` of its line: the engine tells labels in another order at every look.
fn name_of(line: &str) -> &str {
    line.split_once('\t').map_or(line, |(name, _)| name)
}

fn is_ours(kind: &str, line: &str) -> bool {
    let (name, labels) = line.split_once('\t').unwrap_or((line, ""));
    let is_nameless = kind == "volume" && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_nameless || labels.split(',').any(|label| label.starts_with("drover."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_labels_and_nameless_volumes_are_ours() {
        assert!(is_ours("container", "eager_bell\tmaintainer=ada,drover.agent=a1"));
        assert!(!is_ours("container", "drover.agent\tmaintainer=ada"));
        assert!(is_ours("volume", &format!("{}\t", "ab".repeat(32))));
        assert!(!is_ours("volume", "database\t"));
    }
}

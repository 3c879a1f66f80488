//! The program's libraries have the features that they have in the tests. Cargo adds the features that libraries of tests
//! turn on only when it builds tests: what is shipped would not be what was tested, and all that stands on such a library
//! would be compiled once for the tests and once for the program.

use crate::process;
use std::collections::{BTreeMap, BTreeSet};

/// What differs; the program is `drover`, built alone.
pub fn differing() -> Vec<String> {
    match (
        tree(&["--package", "drover"], "normal,build"),
        tree(&["--workspace"], "normal,build,dev"),
    ) {
        (Ok(alone), Ok(tested)) => compare(&alone, &tested),
        (Err(error), _) | (_, Err(error)) => vec![format!("cannot ask Cargo: {error:#}")],
    }
}

/// The libraries with their features, one on a line: `serde v1.0.229 default,derive`.
fn tree(packages: &[&str], edges: &str) -> anyhow::Result<String> {
    let mut tree = process::cargo();
    tree.args([
        "tree",
        "--quiet",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}\t{f}",
    ])
    .args(["--edges", edges])
    .args(packages);
    process::output(&mut tree)
}

fn compare(alone: &str, tested: &str) -> Vec<String> {
    let tested = read(tested);
    let mut found = Vec::new();
    for (library, kinds) in read(alone) {
        let with_tests = tested.get(library).cloned().unwrap_or_default();
        // A library may be there twice, for the program and for what runs while it is compiled.
        for features in kinds.difference(&with_tests) {
            let with_tests: Vec<&str> = with_tests.iter().copied().collect();
            found.push(format!(
                "{library} has the features [{features}], in tests [{}]: name what is missing in Cargo.toml",
                with_tests.join("] and [")
            ));
        }
    }
    found
}

fn read(tree: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut read: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (library, features) in tree.lines().filter_map(|line| line.split_once('\t')) {
        read.entry(library)
            .or_default()
            .insert(features.trim_end_matches(" (*)"));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_that_only_tests_turn_on_is_found() {
        let alone = "drover v0.1.0\t\nserde v1.0.0\tderive\nserde_json v1.0.0\tstd\n";
        let tested = "drover v0.1.0\t\ninsta v1.0.0\t\nserde v1.0.0\tderive\nserde_json v1.0.0\tpreserve_order,std\n";
        let expected = "serde_json v1.0.0 has the features [std], in tests [preserve_order,std]: \
                        name what is missing in Cargo.toml";
        assert_eq!(compare(alone, tested), [expected]);
    }

    #[test]
    fn the_same_library_for_a_program_and_for_a_macro_counts_once_each() {
        let alone = "syn v2.0.0\tfull\n";
        let tested = "syn v2.0.0\tfull\nsyn v2.0.0\tfull,visit\n";
        assert_eq!(compare(alone, tested), Vec::<String>::new());
    }
}

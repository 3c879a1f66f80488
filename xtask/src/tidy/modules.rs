//! Edges between the modules of one crate: no circle of imports, and libraries that only one folder knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Source, Sources};

/// Crates whose modules import no circle.
const WITHOUT_CIRCLES: &[&str] = &[
    "agent",
    "cli",
    "coordinator",
    "job-specs",
    "job-specs/importers",
    "protocol",
    "web",
    "xtask",
];
/// Who alone may name a library: crate, word, folders.
const KNOWN_IN: &[(&str, &str, &[&str])] = &[
    ("agent", "bollard::", &["agent/src/engine"]),
    ("agent", "ReasonCode", &["agent/src/attempt", "agent/src/disk.rs"]),
    (
        "coordinator",
        "sqlx::",
        &["coordinator/src/db", "coordinator/src/store"],
    ),
    (
        "coordinator",
        "crate::db",
        &["coordinator/src/db", "coordinator/src/store"],
    ),
];

type Graph = BTreeMap<String, BTreeSet<String>>;

/// The modules of a crate that import each other, as `a -> b -> a`.
pub fn circles(sources: &Sources) -> Vec<String> {
    let found = WITHOUT_CIRCLES.iter().flat_map(|name| {
        let graph = imports(sources, &Path::new(name).join("src"));
        let circle = circle(&graph);
        circle.map(|path| format!("{name}: {}", path.join(" -> ")))
    });
    found.collect()
}

/// Libraries that are named outside the folder that owns them.
pub fn owned_libraries(sources: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    for (name, word, folders) in KNOWN_IN {
        let of_crate = Path::new(name).join("src");
        let outside = |source: &&Source| {
            source.path.starts_with(&of_crate) && !folders.iter().any(|folder| source.path.starts_with(folder))
        };
        for source in sources.rust().filter(outside) {
            let named = source
                .production()
                .filter(|(_, line)| is_code(line) && line.contains(word));
            found.extend(named.map(|(number, _)| source.at(number, &format!("`{word}` is only for {folders:?}"))));
        }
    }
    found
}

/// Which top module of the crate imports which. A name that the crate's own file exports again is its module's.
fn imports(sources: &Sources, root: &Path) -> Graph {
    let mut graph = Graph::new();
    let of_crate = || sources.rust().filter(|source| source.path.starts_with(root));
    let modules: BTreeSet<String> = of_crate().filter_map(|source| module_of(source, root)).collect();
    let exported: BTreeMap<String, String> = of_crate()
        .filter(|source| module_of(source, root).is_none())
        .flat_map(|source| exported(&code(source)))
        .collect();
    for source in of_crate() {
        let Some(module) = module_of(source, root) else {
            continue;
        };
        let mut code = code(source);
        if is_at_the_top(source, root) {
            code = code.replace("super::", "crate::");
        }
        let used = named(&code).into_iter();
        let used = used.map(|name| exported.get(&name).cloned().unwrap_or(name));
        let used = used.filter(|other| *other != module && modules.contains(other));
        graph.entry(module.clone()).or_default().extend(used);
    }
    graph
}

/// The lines of a file that are neither tests nor comments.
fn code(source: &Source) -> String {
    let lines = source.production().map(|(_, line)| line);
    let lines: Vec<&str> = lines.filter(|line| is_code(line)).collect();
    lines.join("\n")
}

/// Names of `pub use module::{…};` with their modules.
fn exported(code: &str) -> Vec<(String, String)> {
    let statements = code.split("pub use ").skip(1).filter_map(|rest| rest.split(';').next());
    let pairs = statements.filter_map(|statement| {
        let (module, names) = statement.split_once("::")?;
        let names = names.trim_matches(['{', '}']).split(',');
        let name = |name: &str| name.rsplit(" as ").next().map(|name| name.trim().to_owned());
        Some(
            names
                .filter_map(name)
                .map(|name| (name, module.to_owned()))
                .collect::<Vec<_>>(),
        )
    });
    pairs.flatten().collect()
}

/// Whether `super` is the crate in this file.
fn is_at_the_top(source: &Source, root: &Path) -> bool {
    let parts = source.path.strip_prefix(root).into_iter().flatten();
    let parts: Vec<_> = parts.collect();
    parts.len() == 1 || (parts.len() == 2 && parts[1] == "mod.rs")
}

/// The module at the top of its crate that a file is of; none for the crate's own file.
fn module_of(source: &Source, root: &Path) -> Option<String> {
    let inside = source.path.strip_prefix(root).ok()?;
    let top = Path::new(inside.components().next()?.as_os_str());
    let name = top.file_stem()?.to_str()?.to_owned();
    (!matches!(name.as_str(), "lib" | "main")).then_some(name)
}

/// What follows each `crate::`: a name, or the names of a list in braces.
fn named(code: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let first = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| is_name(*c))
            .collect::<String>()
    };
    let mut names = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((list, _)) => names.extend(list.split(',').map(first)),
            None => drop(names.insert(first(rest))),
        }
    }
    names
}

fn is_code(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}

/// A circle, if there is one.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    graph
        .keys()
        .find_map(|start| follow(graph, start, &mut Vec::new(), &mut done))
}

fn follow(graph: &Graph, at: &str, path: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
    if let Some(begin) = path.iter().position(|module| module == at) {
        let mut circle = path[begin..].to_vec();
        circle.push(at.to_owned());
        return Some(circle);
    }
    if !done.insert(at.to_owned()) {
        return None;
    }
    path.push(at.to_owned());
    let found = graph
        .get(at)
        .and_then(|next| next.iter().find_map(|next| follow(graph, next, path, done)));
    path.pop();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Sources {
        let source = |(path, text): &(&str, &str)| Source {
            path: path.into(),
            text: (*text).to_owned(),
        };
        Sources {
            root: "/nowhere".into(),
            files: files.iter().map(source).collect(),
        }
    }

    #[test]
    fn a_circle_is_told_with_its_way() {
        let files = [
            ("agent/src/lib.rs", "use crate::a;"),
            (
                "agent/src/a/mod.rs",
                "//! crate::c\nuse crate::{\n    b::X,\n    d,\n};\n",
            ),
            (
                "agent/src/b.rs",
                "let x = crate::c::y();\n#[cfg(test)]\nuse crate::a;\n",
            ),
            ("agent/src/c.rs", "fn f() {}"),
            ("agent/src/d.rs", "fn f() {}"),
        ];
        assert_eq!(circles(&sources(&files)), [""; 0]);
        let mut round = files;
        for import in ["use crate::a::Y;", "use super::a::Y;", "use crate::{\n    Y,\n};"] {
            round[0].1 = "pub use a::{X, Y};";
            round[3].1 = import;
            assert_eq!(circles(&sources(&round)), ["agent: a -> b -> c -> a"], "{import}");
        }
    }

    #[test]
    fn a_library_stays_with_its_owner() {
        let files = [
            ("agent/src/engine/x.rs", "use bollard::Docker;"),
            ("agent/src/stack/x.rs", "// bollard::Docker\n\nuse bollard::Docker;"),
        ];
        let found = owned_libraries(&sources(&files));
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("agent/src/stack/x.rs:3: `bollard::`"), "{found:?}");
    }
}

//! Edges between the modules of one crate, or of one folder of it: no circle of imports, phases that import only those
//! before them, and libraries and programs that only one folder knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Source, Sources};

/// Folders whose modules import no circle: crates, and a module that is large enough to have parts of its own.
const WITHOUT_CIRCLES: &[&str] = &[
    "agent/src",
    "agent/src/attempt",
    "cli/src",
    "coordinator/src",
    "job-specs/src",
    "job-specs/importers/src",
    "git-cli/src",
    "protocol/src",
    "web/src",
    "xtask/src",
];
/// Modules of a folder in their order: each may import those before it, and none behind it.
const IN_ORDER: &[(&str, &[&str])] = &[("agent/src/attempt", &["report", "prepare", "run", "keep", "phases"])];
/// Who alone may name a library, or start a program: crate, word, folders.
const KNOWN_IN: &[(&str, &str, &[&str])] = &[
    ("agent", "Command::new(\"git\")", &["agent/src/checkout/local.rs"]),
    ("coordinator", "Command::new(\"git\")", &[]),
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

/// Modules that import each other, or one that stands behind them.
pub fn wrong_ways(sources: &Sources) -> Vec<String> {
    [circles(sources), out_of_order(sources)].concat()
}

/// The modules of a folder that import each other, as `a -> b -> a`.
fn circles(sources: &Sources) -> Vec<String> {
    let found = WITHOUT_CIRCLES.iter().flat_map(|root| {
        let graph = imports(sources, Path::new(root));
        let circle = circle(&graph);
        circle.map(|path| format!("{root}: {}", path.join(" -> ")))
    });
    found.collect()
}

/// The modules that import one that stands behind them.
fn out_of_order(sources: &Sources) -> Vec<String> {
    let mut found = Vec::new();
    for (root, modules) in IN_ORDER {
        let graph = imports(sources, Path::new(root));
        for (place, module) in modules.iter().enumerate() {
            let behind = modules[place..].iter();
            let imported = behind.filter(|other| graph.get(*module).is_some_and(|used| used.contains(**other)));
            found.extend(imported.map(|other| format!("{root}: {module} imports {other}, which stands behind it")));
        }
    }
    found
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

/// Which module directly beneath the folder imports which. A name that the folder's own file imports is its module's.
fn imports(sources: &Sources, root: &Path) -> Graph {
    let mut graph = Graph::new();
    let of_crate = || sources.rust().filter(|source| source.path.starts_with(root));
    let modules: BTreeSet<String> = of_crate().filter_map(|source| module_of(source, root)).collect();
    let names: BTreeMap<String, String> = of_crate()
        .filter(|source| module_of(source, root).is_none())
        .flat_map(|source| imported(&code(source)))
        .collect();
    for source in of_crate() {
        let Some(module) = module_of(source, root) else {
            continue;
        };
        let way = way_to(root);
        let code = code(source).replace(&"super::".repeat(depth(source, root)), &way);
        let used = named(&code, &way).into_iter();
        let used = used.map(|name| names.get(&name).cloned().unwrap_or(name));
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

/// Names of `use module::{…};` with their modules.
fn imported(code: &str) -> Vec<(String, String)> {
    let statements = code.split("use ").skip(1).filter_map(|rest| rest.split(';').next());
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

/// How a folder is named in code: `crate::`, `crate::attempt::`.
fn way_to(root: &Path) -> String {
    let inside = root.iter().skip_while(|part| *part != "src").skip(1);
    let parts = inside.map(|part| format!("{}::", part.to_string_lossy()));
    ["crate::".to_owned()].into_iter().chain(parts).collect()
}

/// How many `super::` lead from a file to the folder.
fn depth(source: &Source, root: &Path) -> usize {
    let parts = source.path.strip_prefix(root).into_iter().flatten();
    parts.filter(|part| *part != "mod.rs").count()
}

/// The module directly beneath the folder that a file is of; none for the folder's own file.
fn module_of(source: &Source, root: &Path) -> Option<String> {
    let inside = source.path.strip_prefix(root).ok()?;
    let top = Path::new(inside.components().next()?.as_os_str());
    let name = top.file_stem()?.to_str()?.to_owned();
    (!matches!(name.as_str(), "lib" | "main" | "mod")).then_some(name)
}

/// What follows the way to a folder each time: a name, or the names of a list in braces.
fn named(code: &str, way: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let first = |text: &str| {
        text.trim_start()
            .chars()
            .take_while(|c| is_name(*c))
            .collect::<String>()
    };
    let mut names = BTreeSet::new();
    for rest in code.split(way).skip(1) {
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
    fn a_circle_is_reported_with_its_way() {
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
            assert_eq!(circles(&sources(&round)), ["agent/src: a -> b -> c -> a"], "{import}");
        }
    }

    #[test]
    fn the_phases_of_an_attempt_import_only_those_before_them() {
        let mut files = [
            ("agent/src/attempt/mod.rs", "use keep::Kept;"),
            ("agent/src/attempt/job.rs", "use super::report::Journal;"),
            ("agent/src/attempt/report/mod.rs", "use crate::engine;"),
            (
                "agent/src/attempt/run/step.rs",
                "use super::outputs;\nuse crate::attempt::job::Job;",
            ),
            ("agent/src/attempt/keep/archive.rs", "use crate::attempt::run::State;"),
        ];
        assert_eq!(out_of_order(&sources(&files)), [""; 0]);
        assert_eq!(circles(&sources(&files)), [""; 0]);
        for import in [
            "use crate::attempt::keep::Kept;",
            "use super::super::keep::Kept;",
            "use crate::attempt::{Kept, job};",
        ] {
            files[3].1 = import;
            let found = out_of_order(&sources(&files));
            assert_eq!(
                found,
                ["agent/src/attempt: run imports keep, which stands behind it"],
                "{import}"
            );
        }
        files[2].1 = "use super::job::Job;";
        assert_eq!(circles(&sources(&files)).len(), 1);
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

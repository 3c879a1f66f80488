//! Every image that an example, a test, the demo or the tutorial names is one of `RECIPES`, or is listed here as one that
//! nothing runs. Without this a new example is green on the machine of its author, who has the image, and nowhere else.

use crate::setup::recipes::{RECIPES, Recipe};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where images are named that something runs, a test or the reader: all of these must be made.
const RUN: &[&str] = &[
    "README.md",
    "docs/tutorial.md",
    "xtask/demo",
    "xtask/src/bench",
    "xtask/tests",
    "cli/tests",
    "agent/tests",
];
/// Where images are named that may only be read: these may name [`ONLY_READ`], too. Of the corpus, the files that
/// begin with `run-` are run.
const READ: &[&str] = &[
    "job-specs/examples",
    "job-specs/tests/corpus/run-",
    "docs/how-to",
    "docs/explanation",
    "docker/compose.yaml",
    "coordinator/tests",
    "web/tests",
];
/// Images that cannot be made here, by their names or repositories: what names them is parsed and checked, and never run.
const ONLY_READ: &[&str] = &[
    "alpine",
    "apache/kafka",
    "axllent/mailpit",
    "drover",
    "eclipse-temurin",
    "golang",
    "node",
    "opensearchproject/opensearch",
    "postgres:18",
    "python",
    "rabbitmq",
    "rust",
    "valkey/valkey",
];

/// An image's name in a text; `${{ … }}` stands for parts that are not known yet.
const NAME: &str = r"((?:[\w./:-]|\$\{\{?[^}\n]*\}\}?)+)";

/// The lines that name an image that is not made, and the recipes that nothing names.
pub fn strangers(root: &Path) -> Vec<String> {
    let reader = Reader::new();
    let mut found = Vec::new();
    let mut run = BTreeSet::new();
    for (names, allowed) in [(RUN, &[][..]), (READ, ONLY_READ)] {
        for path in names.iter().flat_map(|name| files(root, name)) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let path = path.strip_prefix(root).unwrap_or(&path);
            for (line, name) in reader.names(path, &text) {
                let may_be_named = [name.as_str(), repository(&name)]
                    .iter()
                    .any(|name| allowed.contains(name));
                if !is_made(&name) && !may_be_named {
                    found.push(format!(
                        "{}:{line}: nothing makes the image `{name}`: add it to RECIPES in xtask/src/setup/recipes.rs, or, if \
                         nothing runs it, to ONLY_READ in xtask/src/tidy/images.rs",
                        path.display()
                    ));
                }
                run.insert(name);
            }
        }
    }
    let idle = RECIPES.iter().filter(|recipe| !run.contains(recipe.name));
    found.extend(idle.map(|recipe| format!("xtask/src/setup/recipes.rs: nothing uses the image `{}`", recipe.name)));
    found
}

/// The file, those in the folder, or those whose paths begin so.
fn files(root: &Path, name: &str) -> Vec<PathBuf> {
    let path = root.join(name);
    if path.is_file() {
        return vec![path];
    }
    let (folder, prefix) = match path.is_dir() {
        true => (path.as_path(), None),
        false => (
            path.parent().unwrap_or(root),
            path.file_name().map(|name| name.as_encoded_bytes()),
        ),
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| prefix.is_none_or(|prefix| entry.file_name().as_encoded_bytes().starts_with(prefix)))
        .flat_map(|entry| files(root, &entry.path().to_string_lossy()))
        .collect();
    found.sort();
    found
}

/// Of a name whose tag is not known, the repository counts.
fn is_made(name: &str) -> bool {
    if name.contains("${") {
        return RECIPES.iter().any(|recipe| repository(recipe.name) == repository(name));
    }
    Recipe::named(name.strip_suffix(":latest").unwrap_or(name)).is_ok()
}

/// `postgres` of `postgres:17`.
fn repository(name: &str) -> &str {
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    name[slash..].find(':').map_or(name, |at| &name[..slash + at])
}

/// Finds names in texts.
struct Reader {
    /// In YAML.
    yaml: Regex,
    /// In Rust: as YAML in strings, in fields and in calls.
    rust: Vec<Regex>,
    /// In both: Dockerfiles, and our repositories with a tag.
    anywhere: Vec<Regex>,
    stages: Regex,
    template: Regex,
}

impl Reader {
    fn new() -> Reader {
        let regex = |pattern: &str| Regex::new(&pattern.replace("NAME", NAME)).expect("a pattern of ours");
        let ours: BTreeSet<&str> = RECIPES.iter().map(|recipe| repository(recipe.name)).collect();
        let ours = ours.into_iter().collect::<Vec<_>>().join("|");
        Reader {
            yaml: regex(r#"(?m)\bimage["']?:[ \t]+["']?NAME"#),
            rust: [
                r#"(?m)(?:^[ \t]*|\\n[ \t]*)image: ["']?NAME["']?(?:$|\\n)"#,
                r#"\{(?:\w[^\n{}]*?\b)?image: \\?["']?NAME"#,
                r#"\bimage: "NAME""#,
                r#"(?:ContainerPlan::of\(|service\([^,()]+, |Container::start\([^,()]+, |ensure_image\()"NAME""#,
            ]
            .map(regex)
            .into(),
            anywhere: vec![
                regex(r"\bFROM[ \t]+(?:--platform=\S+[ \t]+)?NAME"),
                regex(&format!(r"\b((?:{ours}):[\w.][\w.-]*)")),
            ],
            stages: regex(r"(?i)\bFROM[ \t]+\S+[ \t]+AS[ \t]+(\w+)"),
            template: regex(r"\$\{\{?\s*([\w.-]+?)(?::?-([^}]*))?\s*\}\}?"),
        }
    }

    /// Every image that the text names, with the line of its first place.
    fn names(&self, path: &Path, text: &str) -> Vec<(usize, String)> {
        let is_rust = path.extension().is_some_and(|end| end == "rs");
        let is_markdown = path.extension().is_some_and(|end| end == "md");
        let text = if is_markdown { only_code(text) } else { text.to_owned() };
        let patterns = if is_rust {
            &self.rust[..]
        } else {
            std::slice::from_ref(&self.yaml)
        };
        let stages: BTreeSet<&str> = self
            .stages
            .captures_iter(&text)
            .map(|found| found.extract::<1>().1[0])
            .collect();
        let mut found = BTreeMap::new();
        for pattern in patterns.iter().chain(&self.anywhere) {
            for name in pattern.captures_iter(&text).filter_map(|captures| captures.get(1)) {
                let line = text[..name.start()].matches('\n').count() + 1;
                for whole in self.without_templates(name.as_str(), &text) {
                    if !stages.contains(whole.as_str()) && !is_address(&whole) {
                        found.entry(whole).or_insert(line);
                    }
                }
            }
        }
        found.into_iter().map(|(name, line)| (line, name)).collect()
    }

    /// The name with every value that the text gives its template. Of several, only the first one: which values go
    /// together is not known here.
    fn without_templates(&self, name: &str, text: &str) -> Vec<String> {
        let Some(captures) = self.template.captures(name) else {
            return vec![name.to_owned()];
        };
        let (whole, key) = (&captures[0], captures[1].rsplit('.').next().unwrap_or_default());
        let values = match captures.get(2) {
            Some(default) => vec![default.as_str().to_owned()],
            None => values_of(key, text),
        };
        values.iter().map(|value| name.replacen(whole, value, 1)).collect()
    }
}

/// `KEY: [a, b]`, `"KEY": "a"` and `KEY=a` in a text: what a matrix or an output can be.
fn values_of(key: &str, text: &str) -> Vec<String> {
    let pattern = format!(
        r#"\b{}\\?["']?[:=][ \t]*(\[[^\]]*\]|\\?["']?[\w.:-]+)"#,
        regex::escape(key)
    );
    let pattern = Regex::new(&pattern).expect("a pattern of ours");
    let lists = pattern.captures_iter(text).filter_map(|captures| captures.get(1));
    let is_part = |letter: char| letter.is_alphanumeric() || ".:-_".contains(letter);
    lists
        .flat_map(|list| list.as_str().split(move |letter| !is_part(letter)))
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .collect()
}

/// `kafka:9092` and `127.0.0.1:9/x` are where something listens, and no image.
fn is_address(name: &str) -> bool {
    let port = name.rsplit_once(':').and_then(|(_, tag)| tag.parse::<u32>().ok());
    name.starts_with("127.0.0.1:") || port.is_some_and(|port| port > 1023)
}

/// The same lines, empty where they are prose.
fn only_code(text: &str) -> String {
    let mut is_code = false;
    let mut code = String::with_capacity(text.len());
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            code.push_str(line);
        }
        code.push('\n');
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, text: &str) -> Vec<String> {
        let found = Reader::new().names(Path::new(path), text);
        found.into_iter().map(|(line, name)| format!("{line} {name}")).collect()
    }

    #[test]
    fn the_project_names_only_images_that_are_made() {
        let none: Vec<String> = Vec::new();
        assert_eq!(strangers(crate::process::workspace()), none);
    }

    #[test]
    fn names_are_found_in_yaml_however_they_are_written() {
        let text = "image: a\nx: {image: \"b:1\", y: 2}\nz: {'image': 'c/d:e'}\n# FROM f:2 AS g\n# FROM g\n";
        assert_eq!(names("x.yml", text), ["1 a", "2 b:1", "3 c/d:e", "4 f:2"]);
        assert_eq!(names("x.yml", "image:\n  build: .\nurl: redis:6379\n"), [""; 0]);
    }

    #[test]
    fn templates_become_what_the_text_says_of_them() {
        let text = "matrix: {v: [\"1\", \"2\"]}\nimage: a:${{ matrix.v }}-x\n";
        assert_eq!(names("x.yml", text), ["2 a:1-x", "2 a:2-x"]);
        let text = "run: echo 'axes={\"v\": [\"8\"]}'\nimage: redis:${{ matrix.v }}\n";
        assert_eq!(names("x.yml", text), ["2 redis:8"]);
        assert_eq!(
            names("x.yml", "echo v=7\nimage: a:${{ needs.b.outputs.v }}\n"),
            ["2 a:7"]
        );
        assert_eq!(names("x.yml", "image: a:${V:-3}\n"), ["1 a:3"]);
        let text = "matrix: {d: [a, b], v: [1]}\nimage: ${{ matrix.d }}:${{ matrix.v }}\n";
        let found = names("x.yml", text);
        assert_eq!(found.len(), 2);
        assert!(is_made("postgres:${{ matrix.v }}") && !is_made("oracle:${{ matrix.v }}"));
    }

    #[test]
    fn rust_is_distinguished_from_the_job_files_in_it() {
        let code = "image: image.clone(),\nContainer { image: other }\npub image: String,\nimage,\n";
        assert_eq!(names("x.rs", code), [""; 0]);
        let files = "\"jobs:\\n  a:\\n    image: a:1\\n\"\n\"a: {image: b, steps: [x]}\"\n\"a: {needs: x, image: c}\"\n    image: d\n";
        assert_eq!(names("x.rs", files), ["1 a:1", "2 b", "3 c", "4 d"]);
        let calls = "service(\"db\", \"e:1\")\nContainerPlan::of(\"f\")\nimage: \"g\".into(),\nlet x = \"redis:9\";\n";
        assert_eq!(names("x.rs", calls), ["1 e:1", "2 f", "3 g", "4 redis:9"]);
    }

    #[test]
    fn prose_names_no_image() {
        let text = "the image: never\n```yaml\nimage: a\n```\nimage: b\n";
        assert_eq!(names("x.md", text), ["3 a"]);
    }
}

//! YAML that is written: a tree with comments, and the text of it. Only as much of YAML as a job file needs: texts are
//! quoted when they would be read as something else, scripts are blocks, short lists stay on one line.

use std::fmt::Write;

use job_specs::yaml::{Plain, Scalar};

/// Lists and maps on one line are at most this long.
const MAX_LINE: usize = 96;

/// A value to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Out {
    /// A text; quoted when it has to be.
    Text(String),
    /// Written as it is: `true`, `3`.
    Bare(String),
    /// A list; on one line when it is short.
    List(Vec<Out>),
    /// A list, one item a line.
    Lines(Vec<Out>),
    /// A map, one key a line.
    Map(Map),
    /// A map on one line when it is short.
    Flow(Map),
}

/// Keys in the order of writing.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Map {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    comments: Vec<String>,
    key: String,
    value: Out,
}

impl Map {
    /// A map of texts.
    pub(crate) fn of(pairs: &[(String, String)]) -> Map {
        pairs
            .iter()
            .fold(Map::default(), |map, (name, value)| map.with(name, Out::text(value)))
    }

    /// Adds a key.
    pub(crate) fn put(&mut self, key: &str, value: Out) {
        self.put_with(key, value, &[]);
    }

    /// Adds a key with lines of comment above it.
    pub(crate) fn put_with(&mut self, key: &str, value: Out, comments: &[String]) {
        self.entries.push(Entry {
            comments: comments.to_vec(),
            key: key.to_owned(),
            value,
        });
    }

    /// Adds a key when there is a value.
    pub(crate) fn put_some(&mut self, key: &str, value: Option<Out>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Adds a list of texts when there are some.
    pub(crate) fn put_texts<T: Into<String>>(&mut self, key: &str, texts: impl IntoIterator<Item = T>) {
        match Out::texts(texts) {
            Out::List(texts) if texts.is_empty() => {}
            texts => self.put(key, texts),
        }
    }

    /// Adds texts when there are some, one alone without a list.
    pub(crate) fn put_one_or_many(&mut self, key: &str, texts: &[String]) {
        match texts {
            [one] => self.put(key, Out::text(one)),
            many => self.put_texts(key, many),
        }
    }

    /// Adds a key that is `true`.
    pub(crate) fn put_true(&mut self, key: &str) {
        self.put(key, Out::Bare("true".to_owned()));
    }

    /// Adds a map when it has a key.
    pub(crate) fn put_flow(&mut self, key: &str, map: Map) {
        if !map.is_empty() {
            self.put(key, Out::Flow(map));
        }
    }

    /// Adds a list when it has an item.
    pub(crate) fn put_list(&mut self, key: &str, items: Vec<Out>) {
        if !items.is_empty() {
            self.put(key, Out::List(items));
        }
    }

    /// With one key more.
    pub(crate) fn with(mut self, key: &str, value: Out) -> Map {
        self.put(key, value);
        self
    }

    /// How many keys it has.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// With lines of comment above its first key.
    pub(crate) fn commented(mut self, comments: &[String]) -> Map {
        if let Some(first) = self.entries.first_mut() {
            first.comments = [comments, &first.comments].concat();
        }
        self
    }

    /// Whether it has no key.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Out {
    /// A text.
    pub(crate) fn text(text: impl Into<String>) -> Out {
        Out::Text(text.into())
    }

    /// A list of texts.
    pub(crate) fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Out {
        Out::List(texts.into_iter().map(Out::text).collect())
    }

    /// A map of texts; `None` when it is empty.
    pub(crate) fn env(pairs: &[(String, String)]) -> Option<Out> {
        (!pairs.is_empty()).then(|| Out::Map(Map::of(pairs)))
    }
}

/// The text of a map that is a whole file.
pub(crate) fn write(map: &Map) -> String {
    let mut text = String::new();
    for (at, entry) in map.entries.iter().enumerate() {
        if at > 0 && matches!(entry.value, Out::Map(_)) {
            text.push('\n');
        }
        write_entry(&mut text, entry, 0);
    }
    text
}

fn write_entry(text: &mut String, entry: &Entry, indent: usize) {
    for comment in &entry.comments {
        line(text, indent, &format!("# {comment}"));
    }
    let _ = write!(text, "{:indent$}{}:", "", quoted(&entry.key, true));
    write_value(text, &entry.value, indent);
}

/// The value of a key, or of a `-`, whose own column is `indent`.
fn write_value(text: &mut String, value: &Out, indent: usize) {
    if let Some(flow) = flow(value).filter(|flow| indent + flow.len() < MAX_LINE || is_scalar(value)) {
        let _ = writeln!(text, " {flow}");
        return;
    }
    match value {
        Out::Text(block) => write_block(text, block, indent),
        Out::Bare(_) => text.push('\n'),
        Out::List(items) | Out::Lines(items) => {
            text.push('\n');
            items.iter().for_each(|item| write_item(text, item, indent + 2));
        }
        Out::Map(map) | Out::Flow(map) => {
            text.push('\n');
            map.entries
                .iter()
                .for_each(|entry| write_entry(text, entry, indent + 2));
        }
    }
}

fn write_item(text: &mut String, item: &Out, indent: usize) {
    match item {
        Out::Map(map) | Out::Flow(map) if flow(item).is_none_or(|flow| indent + flow.len() >= MAX_LINE) => {
            for (at, entry) in map.entries.iter().enumerate() {
                if at > 0 {
                    write_entry(text, entry, indent + 2);
                    continue;
                }
                entry
                    .comments
                    .iter()
                    .for_each(|comment| line(text, indent, &format!("# {comment}")));
                let _ = write!(text, "{:indent$}- {}:", "", quoted(&entry.key, true));
                write_value(text, &entry.value, indent + 2);
            }
        }
        _ => {
            let _ = write!(text, "{:indent$}-", "");
            write_value(text, item, indent);
        }
    }
}

fn write_block(text: &mut String, block: &str, indent: usize) {
    text.push_str(if block.ends_with('\n') { " |\n" } else { " |-\n" });
    for content in block.trim_end_matches('\n').split('\n') {
        line(text, indent + 2, content.trim_end_matches('\r'));
    }
}

fn line(text: &mut String, indent: usize, content: &str) {
    let _ = match content {
        "" => writeln!(text),
        content => writeln!(text, "{:indent$}{content}", ""),
    };
}

fn is_scalar(value: &Out) -> bool {
    matches!(value, Out::Text(_) | Out::Bare(_))
}

/// The value on one line; `None` when it cannot or should not be.
fn flow(value: &Out) -> Option<String> {
    match value {
        Out::Text(text) if can_be_block(text) => None,
        Out::Text(text) => Some(quoted(text, false)),
        Out::Bare(bare) => Some(bare.clone()),
        Out::List(items) => flow_list(items),
        Out::Lines(items) => items.is_empty().then(|| "[]".to_owned()),
        Out::Map(map) => map.is_empty().then(|| "{}".to_owned()),
        Out::Flow(map) => flow_map(map),
    }
}

fn inside(value: &Out) -> Option<String> {
    match value {
        Out::Text(text) if can_be_block(text) => None,
        Out::Text(text) => Some(quoted(text, true)),
        Out::Map(_) | Out::Lines(_) => None,
        other => flow(other),
    }
}

fn flow_list(items: &[Out]) -> Option<String> {
    let items: Option<Vec<String>> = items.iter().map(inside).collect();
    Some(format!("[{}]", items?.join(", ")))
}

fn flow_map(map: &Map) -> Option<String> {
    let entry = |entry: &Entry| {
        let value = inside(&entry.value).filter(|_| entry.comments.is_empty())?;
        Some(format!("{}: {value}", quoted(&entry.key, true)))
    };
    let entries: Option<Vec<String>> = map.entries.iter().map(entry).collect();
    Some(format!("{{{}}}", entries?.join(", ")))
}

/// Whether a text of several lines can be written as a block.
fn can_be_block(text: &str) -> bool {
    let trimmed = text.trim_end_matches('\n');
    let fine = |c: char| !c.is_control() || c == '\n' || c == '\t' || c == '\r';
    trimmed.contains('\n')
        && text.len() - trimmed.len() <= 1
        && !text.starts_with([' ', '\n'])
        && text.chars().all(fine)
}

/// A text on one line, quoted when it would be read as something else.
fn quoted(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) {
        return text.to_owned();
    }
    let needs_escapes = text.chars().any(char::is_control);
    if !needs_escapes && text.contains(['"', '\\']) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str, in_flow: bool) -> bool {
    let means_text = Scalar::unquoted(text.to_owned()).plain == Plain::Text;
    let yaml_1_1 = matches!(
        text.to_ascii_lowercase().as_str(),
        "yes" | "no" | "off" | "y" | "n" | "<<" | "---" | "..."
    );
    let begins = text.starts_with([
        '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ', '=',
    ]);
    let begins = begins && !(text.starts_with('-') && text[1..].starts_with(|c: char| c.is_alphanumeric()) && !in_flow);
    let inner = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']) || text.contains(['\t', '*']);
    let braces = in_flow && text.contains([',', '[', ']', '{', '}', ':']);
    means_text && !yaml_1_1 && !begins && !inner && !braces && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use job_specs::{SourceFile, yaml};

    use super::*;

    #[test]
    fn every_text_is_read_back_as_it_was() {
        let texts = [
            "",
            "a",
            "3.10",
            "yes",
            "true",
            "- x",
            "-x",
            "a: b",
            "a #b",
            "#",
            "${{ matrix.a }}",
            "it's",
            "say \"hi\"",
            "a\\b",
            "tab\there",
            "a\nb\n",
            "a\nb",
            "\n",
            " lead",
            "trail ",
            "é ü",
            "[x]",
            "{a}",
            "*.rs",
            "!docs/**",
            "a\n\n\nb\n",
            "a,b",
            "\u{7}",
            "one\n two\n",
            "@x",
            "null",
            "<<",
            "a:",
            "=",
        ];
        let mut map = Map::default();
        map.put("list", Out::texts(texts));
        map.put("flow", Out::Flow(Map::default().with("x", Out::texts(texts))));
        for (at, text) in texts.iter().enumerate() {
            map.put(&format!("k{at}"), Out::text(*text));
            map.put(
                &format!("m{at}"),
                Out::Map(Map::default().with(&format!("{text}_"), Out::text(*text))),
            );
        }
        let text = write(&map);
        let file = SourceFile {
            name: "f".into(),
            text: text.clone(),
        };
        let documents = yaml::documents(&file).unwrap_or_else(|found| panic!("{text}\n{found:?}"));
        let root = &documents[0];
        let of = |node: &yaml::Node| match &node.value {
            yaml::Value::Scalar(scalar) if scalar.plain == Plain::Text => scalar.text.clone(),
            other => panic!("{other:?}"),
        };
        let yaml::Value::List(items) = &root.get("list").unwrap().value else {
            panic!("no list")
        };
        assert_eq!(items.iter().map(|item| of(item)).collect::<Vec<_>>(), texts);
        for (at, text) in texts.iter().enumerate() {
            assert_eq!(of(root.get(&format!("k{at}")).unwrap()), *text);
            assert_eq!(
                of(root.get(&format!("m{at}")).unwrap().get(&format!("{text}_")).unwrap()),
                *text
            );
        }
    }
}

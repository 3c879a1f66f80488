//! Builds the tree from the parser's events in one pass. Errors that leave the structure sound (a key twice, an
//! unknown alias) are collected and the pass goes on; a syntax error or a broken limit ends it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use serde_yaml::granit_parser::{Event, Options, Parser, ScalarStyle, Span as YamlSpan, Tag, options};

use super::node::{Entry, Key, Merge, Node, Value, Weight};
use super::scalar::Scalar;
use super::syntax;
use crate::codes;
use crate::problems::{Problem, Problems};
use crate::source::{Location, Source};

/// Maps and lists inside each other, aliases written out.
pub(crate) const MAX_DEPTH: usize = 32;
/// Nodes of a file, aliases written out.
pub(crate) const MAX_NODES: usize = 50_000;
/// Bytes of text of a file, aliases written out.
pub(crate) const MAX_TEXT: usize = 1024 * 1024;

/// The document of a file. `None` when it is empty, or when a problem ended the reading.
pub(crate) fn read(file: usize, source: &Source, problems: &mut Problems) -> Option<Arc<Node>> {
    read_with(file, source, problems, Tags::None)
}

/// The same of a Compose file, where `!reset` and `!override` mean something.
pub(crate) fn read_compose(file: usize, source: &Source, problems: &mut Problems) -> Option<Arc<Node>> {
    read_with(file, source, problems, Tags::Compose)
}

/// Which tags of its own a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tags {
    None,
    Compose,
}

fn read_with(file: usize, source: &Source, problems: &mut Problems, tags: Tags) -> Option<Arc<Node>> {
    let mut builder = Builder {
        tags,
        file,
        source,
        problems,
        open: Vec::new(),
        anchors: HashMap::new(),
        seen: Weight::default(),
        root: None,
    };
    for next in Parser::new_from_str_with_options(&source.text, parser_options()) {
        match next {
            Ok((event, span)) => builder.take(event, span).ok()?,
            Err(error) => {
                builder.problems.add(syntax::explain(file, source, &error));
                return None;
            }
        }
    }
    builder.root
}

fn parser_options() -> Options {
    options! { emit_comments: false, emit_unresolved_aliases: true }
}

/// The problem has been added; the reading ends.
struct Stop;

/// A map or list whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    content: Content,
    merge: Merge,
}

enum Content {
    List(Vec<Arc<Node>>),
    Map {
        entries: Vec<Entry>,
        seen: HashMap<Arc<str>, Location>,
        key: Option<Key>,
    },
}

struct Builder<'a> {
    tags: Tags,
    file: usize,
    source: &'a Source,
    problems: &'a mut Problems,
    open: Vec<Open>,
    anchors: HashMap<usize, Arc<Node>>,
    seen: Weight,
    root: Option<Arc<Node>>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, span: YamlSpan) -> Result<(), Stop> {
        let bytes = span.byte_range().unwrap_or_default();
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(self.second_document(bytes)),
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain || self.tag_of(tag.as_deref(), &span);
                let text = self.without_nul(text.into_owned(), bytes.clone());
                let scalar = match quoted {
                    true => Scalar::quoted(text),
                    false => Scalar::unquoted(text),
                };
                let mut node = Node::scalar(self.location(bytes), scalar);
                node.merge = self.merge_of(tag.as_deref());
                self.value(node, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.tag_of(tag.as_deref(), &span);
                self.begin(bytes, anchor, Content::List(Vec::new()), self.merge_of(tag.as_deref()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.tag_of(tag.as_deref(), &span);
                let content = Content::Map {
                    entries: Vec::new(),
                    seen: HashMap::new(),
                    key: None,
                };
                self.begin(bytes, anchor, content, self.merge_of(tag.as_deref()))
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(bytes),
            Event::Alias(id) => self.alias(id, bytes),
            Event::UnresolvedAlias(name) => self.unknown_alias(&name, bytes),
            _ => Ok(()),
        }
    }

    fn location(&self, bytes: Range<usize>) -> Location {
        Location {
            file: self.file,
            span: self.source.span(bytes),
        }
    }

    /// Refuses tags other than YAML's own; whether the tag says that the value is a text.
    fn tag_of(&mut self, tag: Option<&Tag>, span: &YamlSpan) -> bool {
        let Some(tag) = tag else { return false };
        if self.merge_of(Some(tag)) != Merge::Usual {
            return false;
        }
        if tag.core_suffix().is_none() && tag.original() != "!" {
            let bytes = span.tag_span().and_then(|tag| tag.byte_range()).unwrap_or_default();
            let message = format!("the tag `{}` means nothing here", tag.original());
            let help = "remove it, or quote the whole value if it is meant as text";
            let problem = codes::TAG_OR_ALIAS.at(self.location(bytes), message);
            self.problems.add(problem.help(help));
        }
        tag.core_suffix().is_none_or(|suffix| suffix == "str")
    }

    fn merge_of(&self, tag: Option<&Tag>) -> Merge {
        match tag.map(Tag::original).as_deref() {
            Some("!override") if self.tags == Tags::Compose => Merge::Override,
            Some("!reset") if self.tags == Tags::Compose => Merge::Reset,
            _ => Merge::Usual,
        }
    }

    /// No argument, variable or name of a process can hold a NUL.
    fn without_nul(&mut self, text: String, bytes: Range<usize>) -> String {
        if !text.contains('\0') {
            return text;
        }
        let problem = codes::BAD_VALUE.at(self.location(bytes), "a text holds a NUL character");
        self.problems.add_last_word(problem);
        text.replace('\0', "")
    }

    fn begin(&mut self, bytes: Range<usize>, anchor: usize, content: Content, merge: Merge) -> Result<(), Stop> {
        if self.open.len() >= MAX_DEPTH {
            return Err(self.too_deep(bytes));
        }
        self.open.push(Open {
            start: bytes.start,
            anchor,
            content,
            merge,
        });
        Ok(())
    }

    fn end(&mut self, bytes: Range<usize>) -> Result<(), Stop> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let location = self.location(open.start..bytes.end);
        let mut node = match open.content {
            Content::List(items) => Node::list(location, items),
            Content::Map { entries, .. } => Node::map(location, self.merged(entries)),
        };
        node.merge = open.merge;
        self.value(node, open.anchor)
    }

    fn alias(&mut self, id: usize, bytes: Range<usize>) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            let location = self.location(bytes);
            let message = "the alias stands inside the value that it names";
            return self.wrong_alias(location, codes::TAG_OR_ALIAS.at(location, message));
        };
        if self.open.len() + node.weight.height > MAX_DEPTH {
            return Err(self.too_deep(bytes));
        }
        self.count(node.weight, bytes.clone())?;
        let location = self.location(bytes);
        self.put(node, location)
    }

    fn unknown_alias(&mut self, name: &str, bytes: Range<usize>) -> Result<(), Stop> {
        let location = self.location(bytes);
        let message = format!("no anchor `&{name}` stands before this alias");
        let help = format!("write `&{name}` before the value that is meant, or quote a text that begins with `*`");
        self.wrong_alias(location, codes::TAG_OR_ALIAS.at(location, message).help(help))
    }

    /// Nothing stands where an alias means nothing.
    fn wrong_alias(&mut self, location: Location, problem: Problem) -> Result<(), Stop> {
        self.problems.add_last_word(problem);
        let nothing = Node::scalar(location, Scalar::unquoted(String::new()));
        self.put(Arc::new(nothing), location)
    }

    /// A value that stands in the file itself.
    fn value(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let own = Weight {
            nodes: 1,
            bytes: if node.weight.height == 0 { node.weight.bytes } else { 0 },
            height: 0,
        };
        let location = node.location;
        self.count(own, location.span.start..location.span.end)?;
        let node = Arc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Arc::clone(&node));
        }
        self.put(node, location)
    }

    fn count(&mut self, weight: Weight, bytes: Range<usize>) -> Result<(), Stop> {
        self.seen.nodes += weight.nodes;
        self.seen.bytes += weight.bytes;
        if self.seen.nodes <= MAX_NODES && self.seen.bytes <= MAX_TEXT {
            return Ok(());
        }
        let what = match self.seen.nodes > MAX_NODES {
            true => format!("{MAX_NODES} values"),
            false => "1 MiB of text".to_owned(),
        };
        let message = format!("the file has more than {what} once its aliases are written out");
        let problem = codes::TOO_MUCH_EXPANSION.at(self.location(bytes), message);
        self.problems.add(problem.label("reached here"));
        Err(Stop)
    }

    fn put(&mut self, node: Arc<Node>, used_at: Location) -> Result<(), Stop> {
        let path: Option<Arc<str>> = self.parent_key();
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, key } => match key.take() {
                None => *key = Some(key_of(&node, used_at, self.problems)),
                Some(new) => match seen.get(&new.text) {
                    Some(first) => self.problems.add(twice(path.as_deref(), &new, *first)),
                    None => {
                        seen.insert(Arc::clone(&new.text), new.location);
                        let node = at_its_key(node, &new);
                        entries.push(Entry { key: new, node });
                    }
                },
            },
        }
        Ok(())
    }

    /// The key whose value is the map or list that is open now.
    fn parent_key(&self) -> Option<Arc<str>> {
        match &self.open.get(self.open.len().checked_sub(2)?)?.content {
            Content::Map { key, .. } => key.as_ref().map(|key| Arc::clone(&key.text)),
            Content::List(_) => None,
        }
    }

    /// The entries with `<<: *other` replaced by what the other map has and this one has not.
    fn merged(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        if !entries.iter().any(|entry| &*entry.key.text == "<<") {
            return entries;
        }
        let (merges, mut own): (Vec<Entry>, Vec<Entry>) =
            entries.into_iter().partition(|entry| &*entry.key.text == "<<");
        let mut names: HashSet<Arc<str>> = own.iter().map(|entry| Arc::clone(&entry.key.text)).collect();
        for merge in merges {
            let sources = match &merge.node.value {
                Value::List(items) => items.as_slice(),
                Value::Map(_) | Value::Scalar(_) => std::slice::from_ref(&merge.node),
            };
            for source in sources {
                let Some(entries) = source.entries() else {
                    let message = format!("`<<` merges a map or a list of maps, found {}", source.found());
                    self.problems.add(codes::WRONG_TYPE.at(source.location, message));
                    continue;
                };
                let new = entries.iter().filter(|entry| names.insert(Arc::clone(&entry.key.text)));
                own.extend(new.cloned());
            }
        }
        own
    }

    fn too_deep(&mut self, bytes: Range<usize>) -> Stop {
        self.problems.add(syntax::too_deep(self.location(bytes)));
        Stop
    }

    fn second_document(&mut self, bytes: Range<usize>) -> Stop {
        let message = "a second YAML document begins here";
        let help = "keep one document, and put further job files into the folder `.drover/`";
        let problem = codes::SEVERAL_DOCUMENTS.at(self.location(bytes), message);
        self.problems.add(problem.help(help));
        Stop
    }
}

fn key_of(node: &Node, used_at: Location, problems: &mut Problems) -> Key {
    if node.text().is_none() {
        let message = format!("a key must be a text, found {}", node.found());
        let help = "quote the whole value if braces or brackets are meant as text: `\"{{ x }}\"`";
        problems.add(codes::WRONG_TYPE.at(used_at, message).help(help));
    }
    Key {
        text: node.text().unwrap_or_default().into(),
        location: used_at,
    }
}

/// A value that is not written at all (`image:`) is found at its key.
fn at_its_key(node: Arc<Node>, key: &Key) -> Arc<Node> {
    match &node.value {
        Value::Scalar(scalar) if node.location.span.start == node.location.span.end => {
            let mut moved = Node::scalar(key.location, scalar.clone());
            moved.merge = node.merge;
            Arc::new(moved)
        }
        _ => node,
    }
}

fn twice(parent: Option<&str>, key: &Key, first: Location) -> Problem {
    let name = &key.text;
    let problem = codes::DUPLICATE.at(
        key.location,
        match parent {
            Some("services") => format!("service `{name}` is declared twice"),
            Some("jobs") => format!("job `{name}` is declared twice"),
            _ => format!("key `{name}` stands twice in one map"),
        },
    );
    let label = match parent {
        Some("services") => "again; the name is the host name, so it must be unique",
        _ => "again",
    };
    problem.label(label).related(first, "first here")
}

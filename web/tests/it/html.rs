//! A reader of our own HTML, just strict enough to find what was not closed and to ask for elements.

/// One start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
}

impl Tag {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "!doctype"];

/// Every start tag of a page or fragment. Panics when an element is not closed, or closed twice.
pub fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = tag_end(&rest[at..]).unwrap_or_else(|| panic!("a tag has no end: {:.80}", &rest[at..])) + at;
        let inner = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inner.strip_prefix('/') {
            let name = name.to_ascii_lowercase();
            assert_eq!(open.pop(), Some(name), "before {rest:.80}");
            continue;
        }
        let tag = tag(inner.trim_end_matches('/'));
        if !inner.ends_with('/') && !VOID.contains(&tag.name.as_str()) {
            open.push(tag.name.clone());
        }
        tags.push(tag);
    }
    assert_eq!(open, Vec::<String>::new(), "elements that are not closed");
    tags
}

/// The place of the `>` that ends the tag at the begin of `html`, outside quotes.
fn tag_end(html: &str) -> Option<usize> {
    let mut is_quoted = false;
    html.char_indices().find_map(|(at, c)| {
        is_quoted ^= c == '"';
        (c == '>' && !is_quoted).then_some(at)
    })
}

fn tag(inner: &str) -> Tag {
    let (name, mut rest) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
    let mut attributes = Vec::new();
    while !rest.trim_start().is_empty() {
        rest = rest.trim_start();
        let end = rest.find([' ', '=', '\n']).unwrap_or(rest.len());
        let (key, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(after) => after.split_once('"').expect("a value ends with a quote"),
            None => ("", after),
        };
        assert!(
            key.chars().all(|c| c.is_ascii_alphanumeric() || "-_:".contains(c)),
            "an attribute is called {key:?} in <{inner}>"
        );
        attributes.push((key.to_owned(), value.to_owned()));
        rest = after;
    }
    Tag {
        name: name.to_ascii_lowercase(),
        attributes,
    }
}

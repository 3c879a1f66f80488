//! Terminal output to styled spans: the server's half of a reading that `assets/ansi.js` does too, so that the first
//! screen and every later line look alike. `tests/ansi.json` holds the vectors that both must pass.
//!
//! Understood: SGR (16, 256 and 24-bit colours; bold, dim, italic, underline, strike, inverse), OSC 8 links to http
//! and https, and `\r`, of which the last state is kept. Everything else that is not text is dropped, direction
//! overrides too. A line begins without style, whatever the line before it left.

use serde::Serialize;

/// A line is cut into at most so many spans; what follows keeps the last one's style. It bounds the page, whatever a
/// log holds.
const MAX_SPANS: usize = 200;

/// A piece of a line with one style.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Plain text, never markup.
    pub text: String,
    /// Classes of the style sheet, in a fixed order; may be empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// `#rrggbb`: a text colour beyond the first sixteen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fg: Option<String>,
    /// `#rrggbb`: a background colour beyond the first sixteen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bg: Option<String>,
    /// An http or https address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub href: Option<String>,
}

/// The spans of one line.
pub fn parse(text: &str) -> Vec<Span> {
    let mut reader = Reader::default();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\x1b' => reader.escape(&rest[1..]),
            '\r' => {
                reader.returned = true;
                &rest[1..]
            }
            _ => {
                let end = rest.find(['\x1b', '\r']).unwrap_or(rest.len());
                reader.text(&rest[..end]);
                &rest[end..]
            }
        };
    }
    reader.spans
}

/// The text alone.
pub fn plain(text: &str) -> String {
    parse(text).into_iter().map(|span| span.text).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    Sixteen(u8),
    Rgb(u8, u8, u8),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Style {
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    strike: bool,
    inverse: bool,
    fg: Option<Colour>,
    bg: Option<Colour>,
}

#[derive(Default)]
struct Reader {
    spans: Vec<Span>,
    /// The style and link of the last span, to know whether text goes on in it.
    last: Option<(Style, Option<String>)>,
    style: Style,
    href: Option<String>,
    /// `\r` was seen: the next text replaces the line.
    returned: bool,
}

impl Reader {
    fn text(&mut self, text: &str) {
        let text: String = text.chars().filter(|c| !is_dropped(*c)).collect();
        if text.is_empty() {
            return;
        }
        if self.returned {
            self.spans.clear();
            self.last = None;
            self.returned = false;
        }
        let same = self
            .last
            .as_ref()
            .is_some_and(|(style, href)| *style == self.style && *href == self.href);
        let full = self.spans.len() >= MAX_SPANS;
        match self.spans.last_mut() {
            Some(span) if same || full => span.text.push_str(&text),
            _ => {
                self.spans.push(self.style.span(text, self.href.clone()));
                self.last = Some((self.style.clone(), self.href.clone()));
            }
        }
    }

    /// Reads what follows ESC; returns the rest.
    fn escape<'a>(&mut self, rest: &'a str) -> &'a str {
        match rest.chars().next() {
            Some('[') => self.control_sequence(&rest[1..]),
            Some(']') => {
                let (body, rest) = control_string(&rest[1..]);
                self.link(body);
                rest
            }
            Some('P' | 'X' | '^' | '_') => control_string(&rest[1..]).1,
            Some(' '..='/') => {
                let rest = rest.trim_start_matches(|c| (' '..='/').contains(&c));
                rest.strip_prefix(|c| ('0'..='~').contains(&c)).unwrap_or(rest)
            }
            Some('0'..='~') => &rest[1..],
            _ => rest,
        }
    }

    fn control_sequence<'a>(&mut self, rest: &'a str) -> &'a str {
        let end = rest.find(|c| !('0'..='?').contains(&c)).unwrap_or(rest.len());
        let (parameters, rest) = rest.split_at(end);
        let after = rest.trim_start_matches(|c| (' '..='/').contains(&c));
        match after.chars().next() {
            Some('m') if after.len() == rest.len() && !parameters.contains(['<', '=', '>', '?']) => {
                self.style.apply(parameters);
                &after[1..]
            }
            Some('@'..='~') => &after[1..],
            _ => after,
        }
    }

    /// OSC 8: `8;parameters;address`; any other command is nothing to us.
    fn link(&mut self, body: &str) {
        if let Some((_, address)) = body.strip_prefix("8;").and_then(|body| body.split_once(';')) {
            let is_web = address.starts_with("http://") || address.starts_with("https://");
            self.href = is_web.then(|| address.chars().filter(|c| !is_dropped(*c)).collect());
        }
    }
}

/// The body of an OSC, DCS, … and what follows its end (BEL or ESC \); without an end the rest of the line is body.
fn control_string(rest: &str) -> (&str, &str) {
    match rest.find(['\x07', '\x1b']) {
        None => (rest, ""),
        Some(end) => {
            let after = &rest[end + 1..];
            (
                &rest[..end],
                after
                    .strip_prefix('\\')
                    .filter(|_| rest.as_bytes()[end] == 0x1b)
                    .unwrap_or(after),
            )
        }
    }
}

/// Control characters other than tab, and the marks that reorder text.
fn is_dropped(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl Style {
    fn apply(&mut self, parameters: &str) {
        let mut groups = parameters.split(';');
        while let Some(group) = groups.next() {
            let mut parts = group.split(':').map(number);
            let code = parts.next().flatten();
            let details: Vec<Option<u16>> = parts.collect();
            match code {
                Some(38) => self.fg = colour(&details, &mut groups).or(self.fg),
                Some(48) => self.bg = colour(&details, &mut groups).or(self.bg),
                Some(4) => self.underline = details.first() != Some(&Some(0)),
                Some(code) => self.simple(code),
                None => {}
            }
        }
    }

    fn simple(&mut self, code: u16) {
        let index = |base: u16| Some(Colour::Sixteen(u8::try_from(code - base).expect("codes are below 108")));
        match code {
            0 => *self = Style::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            7 => self.inverse = true,
            9 => self.strike = true,
            21 => self.underline = true,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underline = false,
            27 => self.inverse = false,
            29 => self.strike = false,
            30..=37 => self.fg = index(30),
            39 => self.fg = None,
            40..=47 => self.bg = index(40),
            49 => self.bg = None,
            90..=97 => self.fg = index(82),
            100..=107 => self.bg = index(92),
            _ => {}
        }
    }

    fn span(&self, text: String, href: Option<String>) -> Span {
        let flags = [
            (self.bold, "ab"),
            (self.dim, "ad"),
            (self.italic, "ai"),
            (self.underline, "au"),
            (self.strike, "as"),
            (self.inverse, "av"),
        ];
        let mut classes: Vec<String> = flags
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, class)| String::from(*class))
            .collect();
        if let Some(Colour::Sixteen(n)) = self.fg {
            classes.push(format!("f{n}"));
        }
        if let Some(Colour::Sixteen(n)) = self.bg {
            classes.push(format!("b{n}"));
        }
        let lifts = self.bg.is_none() && !self.inverse;
        Span {
            text,
            class: classes.join(" "),
            fg: self
                .fg
                .and_then(|colour| hex(if lifts { lifted(colour) } else { colour })),
            bg: self.bg.and_then(hex),
            href,
        }
    }
}

/// `""` is 0; what is no small number is nothing.
fn number(text: &str) -> Option<u16> {
    if text.is_empty() {
        Some(0)
    } else {
        text.parse().ok().filter(|_| text.len() <= 5)
    }
}

/// The colour after 38 or 48: in the same group (`38:2::r:g:b`) or in those that follow (`38;2;r;g;b`).
fn colour<'a>(details: &[Option<u16>], groups: &mut impl Iterator<Item = &'a str>) -> Option<Colour> {
    let mut next = || groups.next().and_then(number);
    let (kind, parts): (_, Vec<Option<u16>>) = match details.first() {
        Some(kind) => (*kind, details[1..].to_vec()),
        None => match next() {
            Some(5) => (Some(5), vec![next()]),
            Some(2) => (Some(2), vec![next(), next(), next()]),
            _ => return None,
        },
    };
    let byte = |part: Option<&Option<u16>>| part.copied().flatten().and_then(|n| u8::try_from(n).ok());
    match kind {
        Some(5) => Some(indexed(byte(parts.first())?)),
        Some(2) => {
            let rgb = &parts[parts.len().min(4).saturating_sub(3)..];
            Some(Colour::Rgb(byte(rgb.first())?, byte(rgb.get(1))?, byte(rgb.get(2))?))
        }
        _ => None,
    }
}

/// A colour of the 256: the sixteen, a cube of six steps, 24 greys.
fn indexed(n: u8) -> Colour {
    let step = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
    match n {
        0..=15 => Colour::Sixteen(n),
        16..=231 => Colour::Rgb(step((n - 16) / 36), step((n - 16) / 6 % 6), step((n - 16) % 6)),
        232.. => {
            let grey = 8 + 10 * (n - 232);
            Colour::Rgb(grey, grey, grey)
        }
    }
}

/// The colour, light enough to be read on the dark log (about 3:1); whole numbers only, so that both halves agree.
fn lifted(colour: Colour) -> Colour {
    const LEAST: u32 = 96;
    let Colour::Rgb(r, g, b) = colour else {
        return colour;
    };
    let light = (2126 * u32::from(r) + 7152 * u32::from(g) + 722 * u32::from(b)) / 10_000;
    if light >= LEAST {
        return colour;
    }
    let share = (255 * (LEAST - light)).div_ceil(255 - light);
    let mix = |c: u8| u8::try_from(u32::from(c) + (255 - u32::from(c)) * share / 255).expect("share is at most 255");
    Colour::Rgb(mix(r), mix(g), mix(b))
}

fn hex(colour: Colour) -> Option<String> {
    match colour {
        Colour::Sixteen(_) => None,
        Colour::Rgb(r, g, b) => Some(format!("#{r:02x}{g:02x}{b:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_read_the_same_vectors() {
        let vectors: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../tests/ansi.json")).expect("the vectors are JSON");
        assert!(vectors.len() > 20);
        for vector in vectors {
            let text = vector["text"].as_str().expect("each vector has a text");
            let spans = serde_json::to_value(parse(text)).expect("spans are JSON");
            assert_eq!(spans, vector["spans"], "{}", vector["name"]);
        }
    }

    #[test]
    fn a_hostile_line_stays_small() {
        let line: String = (0..10_000).map(|n| format!("\x1b[3{}mx", n % 8)).collect();
        let spans = parse(&line);
        assert_eq!(spans.len(), MAX_SPANS);
        assert_eq!(plain(&line).len(), 10_000, "no text is lost");
    }

    #[test]
    fn any_bytes_are_read_to_their_end() {
        for text in [
            "\x1b",
            "\x1b[",
            "\x1b[38",
            "\x1b[38;5",
            "\x1b]8;;http://x",
            "\x1b\u{e9}",
            "\x1b[1\u{e9}",
            "\x1b(",
            "\x1bP",
        ] {
            parse(text);
        }
    }
}

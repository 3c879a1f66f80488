//! JUnit's XML as the common tools write it: Surefire, Gradle, pytest, jest-junit, nextest, go-junit-report, GoogleTest
//! and what copies them. Counts in attributes are ignored: they are often wrong, and the cases are there. A document
//! type is refused, because only entity bombs need one.

mod values;

use std::borrow::Cow;

use protocol::reports::{TestCase, TestStatus};
use quick_xml::errors::{Error, SyntaxError};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::text::gather;
use super::{Cases, Parsed, Problem};
use values::{Attributes, referenced, seconds};

/// Elements in each other; real reports have six.
const MAX_DEPTH: usize = 100;

/// Reads one file.
pub fn parse(bytes: &[u8]) -> Parsed {
    let text = decode(bytes);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.expand_empty_elements = true;
    config.allow_dangling_amp = true;
    let mut report = Report::default();
    let problem = loop {
        let before = reader.buffer_position();
        let at = |offset: u64, what: String| {
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            Some(Problem::at(text.as_bytes(), offset, what))
        };
        match reader.read_event() {
            Ok(Event::Eof) => {
                let place = if report.has_root { reader.buffer_position() } else { 0 };
                break report.at_end().and_then(|what| at(place, what));
            }
            Ok(event) => {
                if let Err(what) = report.take(event) {
                    break at(before, what);
                }
            }
            Err(error) => break at(reader.error_position(), not_xml(&error)),
        }
    };
    report.cases.parsed(problem)
}

fn not_xml(error: &Error) -> String {
    match error {
        Error::Syntax(SyntaxError::InvalidBangMarkup) => format!("is not XML: {error}"),
        Error::Syntax(_) => format!("is cut off: {error}"),
        _ => format!("is not XML: {error}"),
    }
}

/// The text of a file: UTF-8, UTF-16 by its mark, or Latin-1 when it says so. What fits none is replaced.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    let units = |pair: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|unit| pair([unit[0], unit[1]]))
            .collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, ..] => return units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => return units(u16::from_be_bytes),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).to_ascii_lowercase();
    let declaration = head.split("?>").next().unwrap_or_default();
    let says_latin = ["iso-8859-1", "latin1", "windows-1252"]
        .iter()
        .any(|name| declaration.contains(name));
    if says_latin && std::str::from_utf8(bytes).is_err() {
        return Cow::Owned(bytes.iter().copied().map(char::from).collect());
    }
    String::from_utf8_lossy(bytes)
}

/// What an element means to us.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    Suites,
    /// With its name.
    Suite(String),
    Case,
    /// `failure`, `error`, `skipped`, `rerunFailure`, `flakyFailure`, …: its text is a message.
    Outcome,
    /// Its text is nobody's: `system-out`, `properties`, what we do not know.
    Other,
}

/// The case whose element is open.
#[derive(Debug, Default)]
struct OpenCase {
    suite: String,
    name: String,
    file: Option<String>,
    duration_us: u64,
    failed: bool,
    skipped: bool,
    flaky: bool,
    message: String,
}

/// What has been read.
#[derive(Default)]
struct Report {
    cases: Cases,
    open: Vec<Element>,
    case: Option<OpenCase>,
    has_root: bool,
}

impl Report {
    /// Takes the next event. Errors: why nothing more is read.
    fn take(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Start(element) => self.start(&element)?,
            Event::End(_) => self.end(),
            Event::Text(text) => self.text(&String::from_utf8_lossy(&text)),
            Event::CData(text) => self.text(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) => {
                let name = String::from_utf8_lossy(&name).into_owned();
                let text = referenced(&name).map_or_else(|| format!("&{name};"), String::from);
                self.text(&text);
            }
            Event::DocType(_) => {
                return Err("has a document type of its own, which is refused: no test report needs entities".into());
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Eof => {}
        }
        Ok(())
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("has more than {MAX_DEPTH} elements in each other"));
        }
        let name = String::from_utf8_lossy(tag.local_name().into_inner()).into_owned();
        if !self.has_root && !matches!(name.as_str(), "testsuites" | "testsuite") {
            return Err(format!(
                "is XML but not JUnit's: it begins with <{}>, not with <testsuites> or <testsuite>",
                super::text::cut(&name, 40)
            ));
        }
        self.has_root = true;
        let attributes = Attributes::of(tag);
        let element = match (name.as_str(), self.case.is_some()) {
            ("testsuites", false) => Element::Suites,
            ("testsuite", false) => Element::Suite(attributes.get("name").to_owned()),
            ("testcase", false) => {
                self.case = Some(self.case_of(&attributes));
                Element::Case
            }
            (outcome, _) => self.outcome(outcome, &attributes),
        };
        self.open.push(element);
        Ok(())
    }

    fn case_of(&self, attributes: &Attributes) -> OpenCase {
        if self.cases.is_full() {
            return OpenCase::default(); // a long name of a suite is not copied a million times
        }
        let (name, class) = (attributes.get("name"), attributes.get("classname"));
        let suite = self.suite();
        // jest-junit gives a case's own name as its class.
        let suite = if class.is_empty() || class == name && !suite.is_empty() {
            suite
        } else {
            class
        };
        OpenCase {
            suite: suite.to_owned(),
            name: name.to_owned(),
            file: Some(attributes.get("file").to_owned()).filter(|file| !file.is_empty()),
            duration_us: super::lines::micros(seconds(attributes.get("time"))),
            skipped: matches!(attributes.get("status"), "notrun" | "skipped" | "disabled" | "ignored")
                || matches!(attributes.get("result"), "skipped" | "suppressed"),
            ..OpenCase::default()
        }
    }

    /// The innermost suite that has a name.
    fn suite(&self) -> &str {
        let names = self.open.iter().rev().filter_map(|element| match element {
            Element::Suite(name) if !name.is_empty() => Some(name.as_str()),
            _ => None,
        });
        names.into_iter().next().unwrap_or_default()
    }

    /// What an element in a case says about it. A suite that broke as a whole is a case too.
    fn outcome(&mut self, name: &str, attributes: &Attributes) -> Element {
        let is_outcome = matches!(
            name,
            "failure" | "error" | "skipped" | "rerunFailure" | "rerunError" | "flakyFailure" | "flakyError"
        );
        let is_nested = self.open.last() == Some(&Element::Outcome);
        if !is_outcome {
            let has_text = is_nested && !name.starts_with("system-");
            return if has_text { Element::Outcome } else { Element::Other };
        }
        if self.case.is_none() {
            if !matches!(self.open.last(), Some(Element::Suite(_))) || name == "skipped" {
                return Element::Other;
            }
            self.case = Some(OpenCase {
                suite: self.suite().to_owned(),
                name: "(the suite itself)".to_owned(),
                ..OpenCase::default()
            });
        }
        if let Some(case) = &mut self.case {
            case.failed |= matches!(name, "failure" | "error");
            case.skipped |= name == "skipped";
            case.flaky |= matches!(name, "flakyFailure" | "flakyError");
            if !case.message.is_empty() {
                case.message.push('\n');
            }
            let message = match attributes.get("message") {
                "" => attributes.get("type"),
                message => message,
            };
            gather(&mut case.message, message.trim());
            case.message.push('\n');
        }
        Element::Outcome
    }

    fn text(&mut self, text: &str) {
        if self.open.last() == Some(&Element::Outcome)
            && let Some(case) = &mut self.case
        {
            gather(&mut case.message, text);
        }
    }

    fn end(&mut self) {
        let Some(ended) = self.open.pop() else { return };
        let of_suite =
            ended == Element::Outcome && !self.open.contains(&Element::Case) && !self.open.contains(&Element::Outcome);
        if ended == Element::Case || of_suite {
            self.case
                .take()
                .into_iter()
                .for_each(|case| self.cases.push(case.close()));
        }
    }

    /// What is wrong at the end of the file.
    fn at_end(&self) -> Option<String> {
        match self.open.last() {
            _ if !self.has_root => Some("is not XML: it has no element".into()),
            None => None,
            Some(Element::Suites) => Some("is cut off: <testsuites> is not closed".into()),
            Some(Element::Suite(_)) => Some("is cut off: <testsuite> is not closed".into()),
            Some(_) => Some("is cut off in a <testcase>".into()),
        }
    }
}

impl OpenCase {
    fn close(self) -> TestCase {
        let status = match self {
            OpenCase { failed: true, .. } => TestStatus::Failed,
            OpenCase { flaky: true, .. } => TestStatus::Flaky,
            OpenCase { skipped: true, .. } => TestStatus::Skipped,
            _ => TestStatus::Passed,
        };
        TestCase {
            suite: self.suite,
            name: self.name,
            status,
            duration_us: self.duration_us,
            message: Some(once(&self.message)).filter(|message| !message.is_empty()),
            file: self.file,
        }
    }
}

/// Tools repeat the message at the beginning of the text: once is enough.
fn once(message: &str) -> String {
    let message = message.trim();
    match message.split_once('\n') {
        Some((first, rest)) if rest.trim_start().starts_with(first.trim()) => rest.trim().to_owned(),
        Some((first, rest)) if rest.trim().is_empty() => first.to_owned(),
        _ => message.to_owned(),
    }
}

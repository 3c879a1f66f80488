//! `$NAME` and `${NAME}` in fields that are no scripts: other systems replace them, here they are templates.

use job_specs::source::Location;

use crate::notes::Notes;
use crate::system::System;
use crate::variables;

/// Which names a field may use.
pub(crate) struct Names<'a> {
    pub(crate) system: System,
    /// Axes of the job's matrix.
    pub(crate) axes: &'a [String],
    /// Names of `env` of the file and the job.
    pub(crate) env: &'a [String],
}

impl Names<'_> {
    /// The text with its variables as templates; what is not known is noted and stays as it is.
    pub(crate) fn field(&self, text: &str, location: Location, notes: &mut Notes) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            out.push_str(&rest[..at]);
            let (name, after) = variable(&rest[at..]);
            match name.and_then(|name| Some((name, self.template(name)?))) {
                Some((_, template)) => out.push_str(&template),
                None => {
                    out.push_str(&rest[at..rest.len() - after.len()]);
                    if let Some(name) = name {
                        let text = format!("`${name}` is not known here: write the value, or set it in `env`");
                        notes.add(location, text);
                    }
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn template(&self, name: &str) -> Option<String> {
        if self.axes.iter().any(|axis| axis == name) {
            return Some(format!("${{{{ matrix.{name} }}}}"));
        }
        if self.env.iter().any(|known| known == name) {
            return Some(format!("${{{{ env.{name} }}}}"));
        }
        variables::value_of(self.system, name).map(str::to_owned)
    }
}

/// The name of the variable that a text begins with, and what is behind it.
fn variable(text: &str) -> (Option<&str>, &str) {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let body = &text[1..];
    if let Some(inner) = body.strip_prefix('{') {
        let end = inner.find(|c| !is_name(c)).unwrap_or(inner.len());
        if end > 0 && inner[end..].starts_with('}') {
            return (Some(&inner[..end]), &inner[end + 1..]);
        }
        return (None, body);
    }
    let end = body.find(|c| !is_name(c)).unwrap_or(body.len());
    (Some(&body[..end]).filter(|name| !name.is_empty()), &body[end..])
}

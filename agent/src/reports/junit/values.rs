//! Values in JUnit's XML: attributes, references, times in any language.

use quick_xml::events::BytesStart;

use crate::reports::text::gather;

/// The attributes that matter, without references. What is no attribute is passed over.
pub struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// Those of a tag.
    pub fn of(tag: &BytesStart<'_>) -> Attributes {
        let wanted = [
            "name",
            "classname",
            "file",
            "time",
            "status",
            "result",
            "message",
            "type",
        ];
        let mut given = tag.attributes();
        let known = given.with_checks(false).flatten().filter_map(|attribute| {
            let key = String::from_utf8_lossy(attribute.key.local_name().into_inner()).into_owned();
            let value = || resolved(&String::from_utf8_lossy(&attribute.value));
            wanted.contains(&key.as_str()).then(|| (key, value()))
        });
        // A tag of nothing but attributes is no reason to keep them all.
        Attributes(known.take(64).collect())
    }

    /// The value; empty when there is none.
    pub fn get(&self, key: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// A value with its references resolved; those that nobody knows stay as they are.
fn resolved(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find('&') {
        gather(&mut out, &rest[..start]);
        rest = &rest[start..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((referenced(&rest[1..end])?, end))) {
            Some((character, end)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    gather(&mut out, rest);
    out
}

/// The character of `lt`, `#10` or `#xA`.
pub fn referenced(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

/// `1.5`, `1,234.5`, `0,5` and `1.234,5`: whatever the language of the machine was.
pub fn seconds(text: &str) -> Option<f64> {
    let text: String = text.trim().chars().filter(|c| !c.is_whitespace()).collect();
    let number = match (text.rfind(','), text.rfind('.')) {
        (Some(comma), Some(dot)) if comma > dot => text.replace('.', "").replace(',', "."),
        (Some(_), Some(_)) => text.replace(',', ""),
        (Some(_), None) if text.matches(',').count() > 1 => text.replace(',', ""),
        (Some(_), None) => text.replace(',', "."),
        (None, _) => text,
    };
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_every_language_are_read() {
        let read = [
            "1.5",
            "0,5",
            "1,234.5",
            "1.234,5",
            "1,234,567",
            "2e-3",
            " 7 ",
            "",
            "NaN",
            "fast",
        ]
        .map(seconds);
        let expected = [
            Some(1.5),
            Some(0.5),
            Some(1234.5),
            Some(1234.5),
            Some(1_234_567.0),
            Some(0.002),
            Some(7.0),
            None,
        ];
        assert_eq!(read[..8], expected);
        assert!(read[8].is_some_and(f64::is_nan) && read[9].is_none());
        assert_eq!(crate::reports::lines::micros(Some(f64::NAN)), 0);
    }

    #[test]
    fn references_are_resolved_once() {
        assert_eq!(
            resolved("&lt;a&gt; &amp;lt; &#65;&#x42; &nbsp; & &#xD800;"),
            "<a> &lt; AB &nbsp; & &#xD800;"
        );
    }
}

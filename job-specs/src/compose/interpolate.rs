//! Compose's interpolation of one text: `$NAME`, `${NAME}`, `${NAME:-default}` and its kin, nested, and `$$` for one
//! `$`. Values of the build become `${{ env.NAME }}`, which the reader of fields fills in by its own rules.

use super::variables::Variable;

/// Braces inside each other.
const MAX_NESTED: usize = 16;

/// A text whose variables have their values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filled {
    pub(crate) text: String,
    /// Names that had no value and no default, in order.
    pub(crate) unset: Vec<String>,
    /// How many `${{ }}` of ours are in the text.
    templates: usize,
}

/// Why a text cannot be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something after a `$` that Compose does not know, as written.
    Unknown(String),
    /// `${{`, as written or made.
    Template,
    /// `${NAME:?message}`
    Required { name: String, message: String },
    /// The values make more bytes than are left.
    TooMuch,
}

/// The text with its variables replaced by what `look_up` says, with at most `room` bytes.
pub(crate) fn interpolate(text: &str, room: usize, look_up: &dyn Fn(&str) -> Variable) -> Result<Filled, Fault> {
    let mut filled = Filled::default();
    fill(text, 0, room, look_up, &mut filled)?;
    if filled.text.matches("${{").count() != filled.templates {
        return Err(Fault::Template);
    }
    Ok(filled)
}

fn fill(
    text: &str,
    depth: usize,
    room: usize,
    look_up: &dyn Fn(&str) -> Variable,
    filled: &mut Filled,
) -> Result<(), Fault> {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        push(filled, &rest[..at], room)?;
        let after = &rest[at + 1..];
        rest = if let Some(after) = after.strip_prefix('$') {
            push(filled, "$", room)?;
            after
        } else if after.starts_with("{{") {
            return Err(Fault::Template);
        } else if let Some(inner) = after.strip_prefix('{') {
            let end = closing_brace(inner).ok_or_else(|| Fault::Unknown(line(&rest[at..])))?;
            let expression = Expression::of(&inner[..end]);
            let expression = expression.ok_or_else(|| Fault::Unknown(line(&rest[at..at + end + 3])))?;
            expression.fill(depth, room, look_up, filled)?;
            &inner[end + 1..]
        } else {
            let length = name_length(after);
            if length == 0 {
                let next = after.chars().next().map_or(0, char::len_utf8);
                return Err(Fault::Unknown(line(&rest[at..at + 1 + next])));
            }
            let expression = Expression {
                name: &after[..length],
                operator: "",
                word: "",
            };
            expression.fill(depth, room, look_up, filled)?;
            &after[length..]
        };
    }
    push(filled, rest, room)
}

fn push(filled: &mut Filled, text: &str, room: usize) -> Result<(), Fault> {
    if filled.text.len() + text.len() > room {
        return Err(Fault::TooMuch);
    }
    filled.text.push_str(text);
    Ok(())
}

/// `NAME`, `NAME:-word`, …
struct Expression<'a> {
    name: &'a str,
    operator: &'a str,
    word: &'a str,
}

impl<'a> Expression<'a> {
    fn of(inner: &'a str) -> Option<Expression<'a>> {
        let (name, rest) = inner.split_at(name_length(inner));
        let operators = ["", ":-", ":?", ":+", "-", "?", "+"];
        let operator = operators[1..].iter().find(|operator| rest.starts_with(**operator));
        let operator = operator.unwrap_or(&operators[0]);
        let word = &rest[operator.len()..];
        let fits = !name.is_empty() && (!operator.is_empty() || word.is_empty());
        fits.then_some(Expression { name, operator, word })
    }

    fn fill(
        &self,
        depth: usize,
        room: usize,
        look_up: &dyn Fn(&str) -> Variable,
        filled: &mut Filled,
    ) -> Result<(), Fault> {
        if depth >= MAX_NESTED {
            return Err(Fault::Unknown(format!("${{{}{}…}}", self.name, self.operator)));
        }
        let variable = look_up(self.name);
        let is_empty = match &variable {
            Variable::Is(value) => value.is_empty(),
            Variable::OfBuild { is_empty, .. } => *is_empty,
            Variable::Unset => true,
        };
        let is_missing = variable == Variable::Unset || (is_empty && self.operator.starts_with(':'));
        match (self.operator.trim_start_matches(':'), is_missing) {
            ("-", true) | ("+", false) => fill(self.word, depth + 1, room, look_up, filled),
            ("+", true) => Ok(()),
            ("?", true) => Err(self.required(depth, look_up)?),
            ("", true) => {
                filled.unset.push(self.name.to_owned());
                Ok(())
            }
            _ => match variable {
                Variable::Is(value) => push(filled, &value, room),
                Variable::OfBuild { text, .. } => {
                    filled.templates += text.matches("${{").count();
                    push(filled, &text, room)
                }
                Variable::Unset => Ok(()),
            },
        }
    }

    fn required(&self, depth: usize, look_up: &dyn Fn(&str) -> Variable) -> Result<Fault, Fault> {
        let mut message = Filled::default();
        fill(self.word, depth + 1, 1000, look_up, &mut message)?;
        Ok(Fault::Required {
            name: self.name.to_owned(),
            message: message.text,
        })
    }
}

/// Where the brace that is open ends.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn name_length(text: &str) -> usize {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    match text.bytes().next() {
        Some(first) if letter(first) => text
            .bytes()
            .position(|byte| !letter(byte) && !byte.is_ascii_digit())
            .unwrap_or(text.len()),
        _ => 0,
    }
}

/// The beginning of a text, for a message.
fn line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(name: &str) -> Variable {
        match name {
            "SET" => Variable::Is("set".into()),
            "OTHER" => Variable::Is("other".into()),
            "EMPTY" => Variable::Is(String::new()),
            "DOLLAR" => Variable::Is("$SET".into()),
            "BRANCH" => of_build("BRANCH", false),
            "NO_TAG" => of_build("NO_TAG", true),
            _ => Variable::Unset,
        }
    }

    fn of_build(name: &str, is_empty: bool) -> Variable {
        Variable::OfBuild {
            text: format!("${{{{ env.{name} }}}}"),
            is_empty,
        }
    }

    fn filled(text: &str) -> Result<String, Fault> {
        interpolate(text, 10_000, &look_up).map(|filled| filled.text)
    }

    #[test]
    fn every_form_of_the_specification_has_its_value() {
        let cases = [
            ("plain", "plain"),
            ("$SET", "set"),
            ("${SET}", "set"),
            ("a-$SET-b", "a-set-b"),
            ("${SET}${OTHER}$SET", "setotherset"),
            ("$UNSET!", "!"),
            ("${UNSET}!", "!"),
            ("$EMPTY!", "!"),
            ("${SET:-default}", "set"),
            ("${EMPTY:-default}", "default"),
            ("${UNSET:-default}", "default"),
            ("${SET-default}", "set"),
            ("${EMPTY-default}", ""),
            ("${UNSET-default}", "default"),
            ("${UNSET:-}", ""),
            ("${UNSET-}", ""),
            ("${SET:?needed}", "set"),
            ("${SET?needed}", "set"),
            ("${EMPTY?needed}", ""),
            ("${SET:+replaced}", "replaced"),
            ("${EMPTY:+replaced}", ""),
            ("${UNSET:+replaced}", ""),
            ("${SET+replaced}", "replaced"),
            ("${EMPTY+replaced}", "replaced"),
            ("${UNSET+replaced}", ""),
            ("${UNSET:-${SET}}", "set"),
            ("${UNSET:-$SET}", "set"),
            ("${UNSET:-${EMPTY:-${OTHER}}}", "other"),
            ("${SET:+${OTHER}}", "other"),
            ("${UNSET:-a:b/c?d}", "a:b/c?d"),
            ("${UNSET:-{\"a\": {}}}", "{\"a\": {}}"),
            ("${UNSET:-with spaces}", "with spaces"),
            ("postgres:${PG:-15}-alpine", "postgres:15-alpine"),
            ("$$SET", "$SET"),
            ("$${SET}", "${SET}"),
            ("$$$SET", "$set"),
            ("$$$$", "$$"),
            ("${UNSET:-$$5}", "$5"),
            ("$SET_", ""),
            ("$SET-1", "set-1"),
            ("$DOLLAR", "$SET"),
            ("é$SET€", "éset€"),
            ("$BRANCH", "${{ env.BRANCH }}"),
            ("${BRANCH:-main}", "${{ env.BRANCH }}"),
            ("${NO_TAG:-none}", "none"),
            ("${NO_TAG-none}", "${{ env.NO_TAG }}"),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_compose_does_not_know_is_said() {
        let unknown = |text: &str| Err(Fault::Unknown(text.to_owned()));
        let cases = [
            ("awk '{print $1}'", unknown("$1")),
            ("costs 5$", unknown("$")),
            ("$ {SET}", unknown("$ ")),
            ("${}", unknown("${}")),
            ("${1}", unknown("${1}")),
            ("${SET", unknown("${SET")),
            ("${SET/a/b}", unknown("${SET/a/b}")),
            ("${ SET }", unknown("${ SET }")),
            ("${SET:=x}", unknown("${SET:=x}")),
            ("$(date)", unknown("$(")),
            ("${{ matrix.x }}", Err(Fault::Template)),
            ("$${{ matrix.x }}", Err(Fault::Template)),
            ("$${UNSET:-${{}}", Err(Fault::Template)),
        ];
        for (text, expected) in cases {
            assert_eq!(filled(text), expected, "{text}");
        }
        let required = |name: &str, message: &str| {
            Err(Fault::Required {
                name: name.into(),
                message: message.into(),
            })
        };
        assert_eq!(filled("${UNSET:?set me}"), required("UNSET", "set me"));
        assert_eq!(filled("${EMPTY:?}"), required("EMPTY", ""));
        assert_eq!(filled("${UNSET?$SET it}"), required("UNSET", "set it"));
        assert!(interpolate("$SET$SET", 5, &look_up).is_err());
        assert!(filled(&("${A:-".repeat(100) + &"}".repeat(100))).is_err());
    }

    #[test]
    fn names_without_a_value_are_reported() {
        let found = interpolate("$A ${B} ${C:-$D} $SET", 100, &look_up);
        assert_eq!(
            found.map(|filled| filled.unset),
            Ok(vec!["A".into(), "B".into(), "D".into()])
        );
    }
}

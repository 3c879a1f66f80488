//! What an unquoted text means: YAML 1.2's core schema. `yes`, `on` and `010` are what they look like here, not what
//! YAML 1.1 made of them.

/// A text as read, and what it means if it was not quoted.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The text after YAML's escapes, as written otherwise: `3.10` stays `3.10`.
    pub text: String,
    /// What it means.
    pub plain: Plain,
}

/// The meaning of a scalar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plain {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or an exponent.
    Float(f64),
    /// Any other text; also every quoted one.
    Text,
}

impl Scalar {
    /// A quoted text or a block.
    pub(crate) fn quoted(text: String) -> Scalar {
        Scalar {
            text,
            plain: Plain::Text,
        }
    }

    /// A text without quotes.
    pub fn unquoted(text: String) -> Scalar {
        let plain = meaning(&text);
        Scalar { text, plain }
    }

    /// How YAML would write the value back: `3.10` is `3.1`, `0x10` is `16`, `True` is `true`.
    pub(crate) fn canonical(&self) -> String {
        match self.plain {
            Plain::Null => String::new(),
            Plain::Bool(value) => value.to_string(),
            Plain::Int(value) => value.to_string(),
            Plain::Float(value) => value.to_string(),
            Plain::Text => self.text.clone(),
        }
    }

    /// What stands here, for "expected …, found …".
    pub(crate) fn found(&self) -> String {
        match self.plain {
            Plain::Null => "nothing".to_owned(),
            Plain::Bool(_) => format!("`{}`", self.text),
            Plain::Int(_) | Plain::Float(_) => format!("the number {}", self.text),
            Plain::Text => "a text".to_owned(),
        }
    }
}

fn meaning(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Plain::Null,
        "true" | "True" | "TRUE" => Plain::Bool(true),
        "false" | "False" | "FALSE" => Plain::Bool(false),
        _ => whole(text)
            .map(Plain::Int)
            .or_else(|| fraction(text).map(Plain::Float))
            .unwrap_or(Plain::Text),
    }
}

fn whole(text: &str) -> Option<i64> {
    if let Some(octal) = text.strip_prefix("0o") {
        return digits(octal, 8);
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return digits(hex, 16);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all_digits = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
    if all_digits { text.parse().ok() } else { None }
}

fn digits(text: &str, radix: u32) -> Option<i64> {
    let valid = !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    if valid {
        i64::from_str_radix(text, radix).ok()
    } else {
        None
    }
}

fn fraction(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits_only = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(
        |power| matches!(power.strip_prefix(['-', '+']).unwrap_or(power), p if !p.is_empty() && digits_only(p)),
    );
    let is_number = digits_only(before) && digits_only(after) && !(before.is_empty() && after.is_empty());
    if is_number && exponent_fits {
        text.parse().ok().filter(|value: &f64| value.is_finite())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unquoted_texts_mean_what_yaml_1_2_says() {
        let cases = [
            ("3.10", Plain::Float(3.1)),
            ("15", Plain::Int(15)),
            ("010", Plain::Int(10)),
            ("0x1F", Plain::Int(31)),
            ("0o17", Plain::Int(15)),
            ("1e3", Plain::Float(1000.0)),
            (".5", Plain::Float(0.5)),
            ("yes", Plain::Text),
            ("on", Plain::Text),
            ("~", Plain::Null),
            ("TRUE", Plain::Bool(true)),
            ("1.2.3", Plain::Text),
            ("1e", Plain::Text),
            ("-", Plain::Text),
            (".", Plain::Text),
            ("0x", Plain::Text),
            ("10m", Plain::Text),
        ];
        for (text, expected) in cases {
            assert_eq!(Scalar::unquoted(text.into()).plain, expected, "{text}");
        }
    }

    #[test]
    fn a_quoted_text_is_a_text() {
        assert_eq!(Scalar::quoted("3.10".into()).canonical(), "3.10");
        assert_eq!(Scalar::unquoted("3.10".into()).canonical(), "3.1");
        assert_eq!(Scalar::unquoted("1e3".into()).canonical(), "1000");
    }
}

//! The shapes in which a secret turns up in logs: as it is, line by line, in base64 within something longer, in hexadecimal, and escaped
//! as tools escape (URLs, JSON, shells). Pure; what is done with them is [`super::mask`]'s.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Longer values are looked for as they are, line by line; all their shapes would take too much memory.
const MAX_ESCAPED: usize = 16 * 1024;
/// A line of a longer secret is looked for in base64 from this length on, bytes.
const MIN_CODED_LINE: usize = 16;
/// At what width `base64` and `openssl` break lines.
const LINE_WIDTHS: [usize; 2] = [76, 64];

/// Everything to look for, with repetitions. No shape holds a line end.
pub fn of(value: &str) -> Vec<Vec<u8>> {
    let whole = value.trim_end_matches(['\n', '\r']);
    let lines: Vec<&str> = value
        .lines()
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let mut shapes: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
    if value.len() <= MAX_ESCAPED {
        for text in [value, whole] {
            shapes.extend(base64_of(text));
            shapes.extend(base64_lines(text));
        }
        // Short lines would hide innocent words.
        for line in lines.iter().filter(|line| line.len() >= MIN_CODED_LINE) {
            shapes.extend(base64_of(line));
        }
        for &text in [value, whole].iter().chain(&lines) {
            shapes.extend([hex::encode(text), hex::encode_upper(text)]);
            shapes.extend(url_escaped(text));
            shapes.extend(json_escaped(text));
            shapes.extend(shell_escaped(text));
        }
    }
    shapes.retain(|shape| !shape.contains('\n') && !shape.trim().is_empty());
    shapes.into_iter().map(String::into_bytes).collect()
}

/// What base64 makes of `text` wherever it stands in a longer text: once without the characters that its neighbours
/// have a part in, and once as it is at the very end, with and without padding.
fn base64_of(text: &str) -> Vec<String> {
    let mut shapes = Vec::new();
    for before in 0..3_usize {
        let padded = [&vec![0; before], text.as_bytes()].concat();
        // Characters in which bits of what stands before have a part; those of what stands after are at the end.
        let from = (before * 8).div_ceil(6);
        let until = padded.len() * 8 / 6;
        for coded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            if from < until {
                shapes.push(coded[from..until].to_owned());
            }
            if from < coded.len() {
                let padding = "=".repeat(coded.len().next_multiple_of(4) - coded.len());
                shapes.push(coded[from..].to_owned());
                shapes.push(format!("{}{padding}", &coded[from..]));
            }
        }
    }
    shapes
}

/// The lines that tools make of it in base64, when it is too long for one.
fn base64_lines(text: &str) -> Vec<String> {
    let coded = STANDARD.encode(text);
    let lines = |width: usize| {
        let starts = (0..coded.len()).step_by(width);
        let line = |start: usize| coded[start..coded.len().min(start + width)].to_owned();
        // A last line of a few characters would hide innocent words.
        starts.map(line).filter(|line| line.len() >= 8).collect::<Vec<_>>()
    };
    LINE_WIDTHS
        .into_iter()
        .filter(|&width| coded.len() > width)
        .flat_map(lines)
        .collect()
}

/// Percent signs as URL libraries put them: which characters stay, how hexadecimal digits and spaces look.
fn url_escaped(text: &str) -> Vec<String> {
    let strict = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let component = |byte: u8| strict(byte) || b"!'()*".contains(&byte);
    let path = |byte: u8| strict(byte) || byte == b'/';
    let mut shapes = Vec::new();
    for stays in [&strict as &dyn Fn(u8) -> bool, &component, &path] {
        let upper = percent(text, stays);
        let lower = lower_hex(&upper);
        shapes.extend([upper.replace("%20", "+"), lower.replace("%20", "+"), upper, lower]);
    }
    shapes
}

fn percent(text: &str, stays: &dyn Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if stays(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}"); // a String takes everything
        }
    }
    out
}

/// The same with small hexadecimal digits.
fn lower_hex(escaped: &str) -> String {
    let mut parts = escaped.split('%');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        out.push('%');
        out.push_str(&digits.to_ascii_lowercase());
        out.push_str(rest);
    }
    out
}

/// As the inside of a JSON string; some writers escape the slash, some everything beyond ASCII.
fn json_escaped(text: &str) -> Vec<String> {
    let json = serde_json::to_string(text).expect("a string is JSON");
    let json = json[1..json.len() - 1].to_owned();
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}"); // a String takes everything
            }
        }
    }
    let slashes = [json.replace('/', "\\/"), ascii.replace('/', "\\/")];
    slashes.into_iter().chain([json, ascii]).collect()
}

/// As shells print it (`set -x`, `printf %q`): in single quotes, as bash and as dash write a quote in them, or with
/// backslashes.
fn shell_escaped(text: &str) -> Vec<String> {
    let plain = |character: char| character.is_alphanumeric() || "_-./:=@%+,".contains(character);
    let mut backslashes = String::with_capacity(text.len());
    for character in text.chars() {
        if !plain(character) {
            backslashes.push('\\');
        }
        backslashes.push(character);
    }
    vec![text.replace('\'', r"'\''"), text.replace('\'', r#"'"'"'"#), backslashes]
}

//! Reports that are lines of JSON, as test tools print them: mixed with other output, and cut off when a tool dies.

use serde::de::DeserializeOwned;

use super::Problem;

/// The records of such a report, and what is wrong with it. Lines that do not begin with `{` are other output.
pub fn records<T: DeserializeOwned>(bytes: &[u8], mut each: impl FnMut(T)) -> Option<Problem> {
    let mut problem = None;
    let (mut offset, mut seen) = (0, 0_usize);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let begin = line.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let text = line.trim_ascii();
        if text.first() == Some(&b'{') {
            // Tools print whatever bytes a test printed.
            let lossy = String::from_utf8_lossy(text);
            match serde_json::from_str(&lossy) {
                Ok(record) => {
                    seen += 1;
                    each(record);
                }
                Err(error) => {
                    let place = offset + begin + error.column().saturating_sub(1).min(text.len());
                    let what = if error.is_eof() { "is cut off" } else { "is not JSON" };
                    problem.get_or_insert_with(|| Problem::at(bytes, place, format!("{what}: {}", said(&error))));
                }
            }
        }
        offset += line.len();
    }
    if seen == 0 && problem.is_none() {
        return Some(Problem::new("has no line of JSON: was the tool told to print JSON?"));
    }
    problem
}

/// What the parser says, without the place, which is told otherwise.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

/// Seconds as microseconds; what is no time is 0.
pub fn micros(seconds: Option<f64>) -> u64 {
    let micros = seconds.unwrap_or(0.0) * 1e6;
    if micros.is_finite() && micros > 0.0 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked, and it saturates"
        )]
        return micros.round() as u64;
    }
    0
}

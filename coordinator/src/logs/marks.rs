//! Lines worth jumping to, found when they come in: what compilers, test runners and panics print when it went wrong.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// Colours may stand between `error` and what follows it.
static ERRORS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"error(?:\x1b\[[0-9;]*m)*(?::|\[E)|panicked at|FAILED|::error";
    Regex::new(pattern).expect("a constant that a test compiles")
});

/// Whether the line looks like an error.
pub(super) fn looks_like_an_error(line: &[u8]) -> bool {
    ERRORS.is_match(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_common_tools_are_seen() {
        let errors = [
            "error: could not compile `x`",
            "error[E0308]: mismatched types",
            "\x1b[1m\x1b[31merror\x1b[0m\x1b[1m: aborting",
            "thread 'main' panicked at src/main.rs:1:1",
            "test it_works ... FAILED",
            "::error file=a.js::bad",
            "main.c:3:5: error: expected ';'",
        ];
        assert!(errors.iter().all(|line| looks_like_an_error(line.as_bytes())));
        assert!(
            ["no errors", "error", "failed = 0", ""]
                .iter()
                .all(|line| !looks_like_an_error(line.as_bytes()))
        );
    }
}

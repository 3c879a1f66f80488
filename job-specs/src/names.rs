//! What names are made of.

/// Whether a text is letters, digits and these signs, and not empty.
pub(crate) fn is_made_of(text: &str, signs: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || signs.contains(c);
    !text.is_empty() && text.chars().all(is_fine)
}

/// Whether it is so and begins with a letter or a digit.
pub(crate) fn begins_well(text: &str, signs: &str) -> bool {
    is_made_of(text, signs) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Whether a shell could set a variable of that name.
pub(crate) fn is_variable(name: &str) -> bool {
    is_made_of(name, "_") && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether an axis or an input can have that name: it becomes a part of a variable's.
pub(crate) fn is_word(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    begins && name.len() <= 64 && is_made_of(name, "-_")
}

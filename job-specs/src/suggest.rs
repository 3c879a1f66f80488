//! "Did you mean": the nearest known name, and how a list of known names is written in a sentence.

/// Names longer than this are not compared; no key of ours is.
const MAX_COMPARED: usize = 64;
/// At most this many names stand in a sentence.
const MAX_LISTED: usize = 12;

/// The known name nearest to `given`: at most two edits away, and fewer than half of its characters.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if given.len() > MAX_COMPARED {
        return None;
    }
    let given = given.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| (strsim::osa_distance(&given, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 2 && *distance * 2 < name.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Whether no other known name is as near to `given` as `found` is: then it can be put there unasked.
pub(crate) fn is_only<'a>(given: &str, found: &str, known: impl IntoIterator<Item = &'a str>) -> bool {
    let others = known.into_iter().filter(|name| *name != found);
    let given = given.to_lowercase().replace('-', "_");
    let distance = |name: &str| strsim::osa_distance(&given, &name.to_lowercase());
    nearest(&given, others).is_none_or(|other| distance(other) > distance(found))
}

/// `a, b, c`; `a, b, … and 9 more`; `none` for an empty list.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    match names.len() {
        0 => "none".to_owned(),
        all if all <= MAX_LISTED => names.join(", "),
        all => format!("{}, … and {} more", names[..MAX_LISTED].join(", "), all - MAX_LISTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_key() {
        let keys = ["image", "needs", "matrix", "env", "on"];
        assert_eq!(nearest("imgae", keys), Some("image"));
        assert_eq!(nearest("Needs", keys), Some("needs"));
        assert_eq!(nearest("need", keys), Some("needs"));
        assert_eq!(nearest("enviro", keys), None);
        assert_eq!(nearest("if", keys), None);
        assert_eq!(nearest(&"x".repeat(100_000), keys), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let names: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let text = listed(names.iter().map(String::as_str));
        assert!(text.ends_with("11, … and 8 more"), "{text}");
    }
}

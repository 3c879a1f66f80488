//! Names of files, jobs and services as this language takes them.

/// `.github/workflows/ci.yml` is `ci`, `.drone.yml` is `drone`.
pub(crate) fn stem(file: &str) -> &str {
    let last = file.rsplit('/').next().unwrap_or_default();
    last.split('.').find(|part| !part.is_empty()).unwrap_or("ci")
}

/// A name for a job: letters, digits, `-` and `_`.
pub(crate) fn job_name(name: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
    let name: String = name.chars().map(letter).take(60).collect();
    let name = name.trim_matches('-').to_owned();
    if name.is_empty() { "job".to_owned() } else { name }
}

/// A name for a service: a host name.
pub(crate) fn host_name(name: &str) -> String {
    let letter = |c: char| match c.is_ascii_alphanumeric() || c == '.' || c == '_' {
        true => c.to_ascii_lowercase(),
        false => '-',
    };
    let name: String = name.chars().map(letter).take(60).collect();
    name.trim_matches(['-', '.']).to_owned()
}

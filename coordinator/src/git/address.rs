//! Where a repository is. An administrator gives it, and still it is checked: only transports on the list, nothing
//! that git would run (`ext::`) or take for an option, no password inside.

use std::fmt;

/// A URL, `user@host:path`, or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

/// Why an address is refused, with the way out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// Nothing, or with control characters, or like an option.
    #[error("`{0}` is no address of a repository; give a URL or an absolute path")]
    Malformed(String),
    /// A path that depends on where the coordinator was started.
    #[error("`{0}` is a relative path; give an absolute one")]
    Relative(String),
    /// A transport that is not allowed.
    #[error("`{0}` is not among the allowed transports: {1}")]
    Transport(String, String),
    /// `https://user:password@host/…`
    #[error("the address contains a password, which would end up in logs; use ssh, or leave the password out")]
    Password,
}

impl Address {
    /// Takes an address whose transport is one of `protocols` (`file` allows paths).
    ///
    /// # Errors
    /// See [`BadAddress`].
    pub fn parse(text: &str, protocols: &[String]) -> Result<Address, BadAddress> {
        let bad = text.is_empty() || text.len() > 2_000 || text.starts_with('-') || text.contains(char::is_control);
        if bad || text.contains("::") {
            let shown = text.chars().filter(|c| !c.is_control()).take(100).collect();
            return Err(BadAddress::Malformed(shown));
        }
        let transport = transport(text)?;
        if !protocols.iter().any(|allowed| allowed == transport) {
            return Err(BadAddress::Transport(transport.to_owned(), protocols.join(", ")));
        }
        if has_password(text) {
            return Err(BadAddress::Password);
        }
        Ok(Address(text.to_owned()))
    }

    /// The text, as git takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn transport(text: &str) -> Result<&str, BadAddress> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Ok(scheme);
    }
    if text.starts_with('/') {
        return Ok("file");
    }
    match text.split_once(':') {
        Some((host, path)) if !host.contains('/') && !host.is_empty() && !path.is_empty() => Ok("ssh"),
        _ => Err(BadAddress::Relative(text.to_owned())),
    }
}

/// `https://token@host` counts too: there the user is the password.
fn has_password(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        None => false,
        Some((user, _)) => user.contains(':') || scheme != "ssh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Address, BadAddress> {
        let protocols = ["file", "https", "ssh"].map(str::to_owned);
        Address::parse(text, &protocols)
    }

    #[test]
    fn urls_paths_and_the_short_form_of_ssh_are_addresses() {
        for good in [
            "/srv/git/app.git",
            "file:///srv/git/app.git",
            "https://git.example/app.git",
            "ssh://git@git.example:2222/app.git",
            "git@git.example:team/app.git",
        ] {
            assert_eq!(parse(good).unwrap().as_str(), good);
        }
    }

    #[test]
    fn what_could_run_or_leak_is_refused_with_a_reason() {
        let refusals: Vec<String> = [
            "",
            "--upload-pack=touch /tmp/x",
            "ext::sh -c id",
            "./app.git",
            "http://git.example/app.git",
            "https://user:word@git.example/app.git",
            "https://token@git.example/app.git",
        ]
        .iter()
        .map(|address| parse(address).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(refusals.join("\n"), @r"
        `` is no address of a repository; give a URL or an absolute path
        `--upload-pack=touch /tmp/x` is no address of a repository; give a URL or an absolute path
        `ext::sh -c id` is no address of a repository; give a URL or an absolute path
        `./app.git` is a relative path; give an absolute one
        `http` is not among the allowed transports: file, https, ssh
        the address contains a password, which would end up in logs; use ssh, or leave the password out
        the address contains a password, which would end up in logs; use ssh, or leave the password out
        ");
    }
}

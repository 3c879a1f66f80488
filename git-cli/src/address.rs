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
    /// A path of this machine, asked for by a repository that is elsewhere.
    #[error("`{0}` is a path of this machine, and the repository itself is not on it")]
    Local(String),
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
        if bad || names_a_program(text) {
            let shown = text.chars().filter(|c| !c.is_control()).take(100).collect();
            return Err(BadAddress::Malformed(shown));
        }
        let transport = transport(text)?;
        if host(text).starts_with('-') {
            return Err(BadAddress::Malformed(text.chars().take(100).collect()));
        }
        if !protocols.iter().any(|allowed| allowed == transport) {
            return Err(BadAddress::Transport(transport.to_owned(), protocols.join(", ")));
        }
        if has_password(text) {
            return Err(BadAddress::Password);
        }
        Ok(Address(text.to_owned()))
    }

    /// The address of a submodule, as `.gitmodules` says it: `./` and `../` are relative to this address. A user or a
    /// password in a URL of the web is left out. On the host of a repository of the web, SSH is the web too: one
    /// credential is for both.
    ///
    /// # Errors
    /// As [`Address::parse`]; and a repository that is elsewhere cannot have submodules on this machine.
    pub fn of_submodule(&self, text: &str, protocols: &[String]) -> Result<Address, BadAddress> {
        let whole = match text.starts_with("./") || text.starts_with("../") {
            true => relative(&self.0, text).ok_or_else(|| BadAddress::Relative(text.to_owned()))?,
            false => text.to_owned(),
        };
        let whole = self.by_web(&whole).unwrap_or(whole);
        let whole = match whole.starts_with("http://") || whole.starts_with("https://") {
            true => without_credentials(&whole),
            false => whole,
        };
        let address = Address::parse(&whole, protocols)?;
        if address.is_local() && !self.is_local() {
            return Err(BadAddress::Local(whole));
        }
        Ok(address)
    }

    /// An address of SSH on the host of this one, which is of the web, as an address of the web.
    fn by_web(&self, text: &str) -> Option<String> {
        let (scheme, _) = self
            .0
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
        let path = match text.strip_prefix("ssh://") {
            Some(rest) => rest.split_once('/')?.1,
            None if transport(text) == Ok("ssh") => text.split_once(':')?.1.trim_start_matches('/'),
            None => return None,
        };
        let is_same = without_port(host(text)).eq_ignore_ascii_case(without_port(host(&self.0)));
        is_same.then(|| format!("{scheme}://{}/{path}", host(&self.0)))
    }

    /// The text, as git takes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It is a path of this machine.
    pub fn is_local(&self) -> bool {
        transport(&self.0).is_ok_and(|transport| transport == "file")
    }

    /// It is read over HTTP from the same scheme, host and port as `other`.
    pub fn is_web_beside(&self, other: &Address) -> bool {
        let web = matches!(transport(&self.0), Ok("http" | "https"));
        web && transport(&self.0) == transport(&other.0) && host(&self.0).eq_ignore_ascii_case(host(&other.0))
    }
}

/// An address as it may be shown: `https://user:token@host/x` is `https://host/x`.
pub fn without_credentials(address: &str) -> String {
    match address.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => address.to_owned(),
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

/// `ext::sh -c …`: git would start the program `git-remote-ext`.
fn names_a_program(text: &str) -> bool {
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    text.split_once("::")
        .is_some_and(|(helper, _)| !helper.is_empty() && plain(helper))
}

/// Host and port, without a user; empty for a path.
fn host(text: &str) -> &str {
    let authority = match text.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None if text.starts_with('/') => "",
        None => text.split(':').next().unwrap_or_default(),
    };
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

/// The host alone; an address of IPv6 has colons of its own, in brackets.
fn without_port(host: &str) -> &str {
    let address = host.find(']').map_or(0, |at| at + 1);
    let end = host[address..].find(':').map_or(host.len(), |at| address + at);
    &host[..end]
}

/// As git resolves a submodule's address; `None`: it leads above everything.
fn relative(base: &str, text: &str) -> Option<String> {
    let (mut base, mut text, mut separator) = (base.trim_end_matches('/'), text, '/');
    loop {
        if let Some(rest) = text.strip_prefix("../") {
            let at = base.rfind('/').or_else(|| base.rfind(':'))?;
            separator = if base[at..].starts_with(':') { ':' } else { '/' };
            (base, text) = (&base[..at], rest);
        } else if let Some(rest) = text.strip_prefix("./") {
            text = rest;
        } else {
            return Some(format!("{base}{separator}{}", text.trim_end_matches('/')));
        }
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
            "https://[::1]:3000/app.git",
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
            "ssh://-oProxyCommand=id/app.git",
            "git@-oProxyCommand=id:app.git",
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
        `ssh://-oProxyCommand=id/app.git` is no address of a repository; give a URL or an absolute path
        `git@-oProxyCommand=id:app.git` is no address of a repository; give a URL or an absolute path
        `./app.git` is a relative path; give an absolute one
        `http` is not among the allowed transports: file, https, ssh
        the address contains a password, which would end up in logs; use ssh, or leave the password out
        the address contains a password, which would end up in logs; use ssh, or leave the password out
        ");
    }

    #[test]
    fn a_submodule_is_found_beside_its_repository_and_never_on_our_disk_from_elsewhere() {
        let protocols = ["file", "https", "ssh"].map(str::to_owned);
        let of = |base: &str, text: &str| match parse(base).unwrap().of_submodule(text, &protocols) {
            Ok(address) => address.as_str().to_owned(),
            Err(error) => error.to_string(),
        };
        let reported: Vec<String> = [
            ("https://git.example/a/app.git", "../lib.git"),
            ("https://git.example/a/app.git/", "./lib/"),
            ("https://git.example/a/app.git", "../../../other.example/x"),
            ("git@git.example:app.git", "../lib.git"),
            ("git@git.example:a/app.git", "../../b/lib.git"),
            ("/srv/git/app.git", "../lib.git"),
            ("/srv/git/app.git", "file:///srv/lib.git"),
            ("https://git.example/a/app.git", "https://me:word@git.example/lib"),
            ("https://git.example:444/a/app.git", "git@git.example:b/lib.git"),
            ("https://git.example/a/app.git", "ssh://git@git.example:22/b/lib.git"),
            ("https://git.example/a/app.git", "git@other.example:b/lib.git"),
            (
                "https://[2001:db8::1]:444/a/app.git",
                "ssh://git@[2001:db8::1]/b/lib.git",
            ),
            (
                "https://[2001:db8::1]:444/a/app.git",
                "ssh://git@[2001:db8::2]/b/lib.git",
            ),
            ("https://git.example/a/app.git", "/srv/lib.git"),
            ("https://git.example/a/app.git", "file:///srv/lib.git"),
            ("https://git.example/a/app.git", "ext::sh -c id"),
            ("https://git.example/a/app.git", "-u./x"),
            ("https://git.example/a/app.git", "lib.git"),
            ("/app.git", "../../lib.git"),
        ]
        .iter()
        .map(|(base, text)| of(base, text))
        .collect();
        insta::assert_snapshot!(reported.join("\n"), @r"
        https://git.example/a/lib.git
        https://git.example/a/app.git/lib
        https://other.example/x
        git@git.example:lib.git
        git@git.example:b/lib.git
        /srv/git/lib.git
        file:///srv/lib.git
        https://git.example/lib
        https://git.example:444/b/lib.git
        https://git.example/b/lib.git
        git@other.example:b/lib.git
        https://[2001:db8::1]:444/b/lib.git
        ssh://git@[2001:db8::2]/b/lib.git
        `/srv/lib.git` is a path of this machine, and the repository itself is not on it
        `file:///srv/lib.git` is a path of this machine, and the repository itself is not on it
        `ext::sh -c id` is no address of a repository; give a URL or an absolute path
        `-u./x` is no address of a repository; give a URL or an absolute path
        `lib.git` is a relative path; give an absolute one
        `../../lib.git` is a relative path; give an absolute one
        ");
    }

    #[test]
    fn only_the_same_site_of_the_web_is_beside() {
        let beside = |one: &str, other: &str| parse(one).unwrap().is_web_beside(&parse(other).unwrap());
        assert!(beside("https://git.example/a", "https://GIT.example/b/c"));
        assert!(!beside("https://git.example/a", "https://git.example:444/a"));
        assert!(!beside("https://git.example/a", "ssh://git.example/a"));
        assert!(!beside("git@git.example:a", "git@git.example:b") && !beside("/srv/a", "/srv/b"));
        assert_eq!(
            without_credentials("https://bot:s3cret@git.example/a/b.git"),
            "https://git.example/a/b.git"
        );
        assert_eq!(
            without_credentials("git@git.example:a/b.git"),
            "git@git.example:a/b.git"
        );
    }
}

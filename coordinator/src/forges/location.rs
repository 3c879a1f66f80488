//! Where a repository is at its forge, as its address in Git says: the API's URL and the project. Separate from the requests,
//! which need no address.

use reqwest::Url;

use super::Forge;

/// Which segments of a repository's path name its project.
pub(super) enum Segments {
    /// The last two: `owner/name`.
    LastTwo,
    /// All: GitLab's groups have groups.
    All,
}

/// Where a repository is at its forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The API's URL, without a trailing slash.
    pub api: String,
    /// `owner/name`.
    pub project: String,
}

/// The parts of a repository's address that say where its forge is.
pub(super) struct WebAddress {
    /// `http` or `https`.
    pub(super) scheme: String,
    /// With the port, if it has one that is not the scheme's.
    pub(super) host: String,
    /// The path's segments, without `.git`.
    pub(super) path: Vec<String>,
}

/// Why a repository cannot be connected with its forge; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLocation {
    /// Nobody is there to be told anything.
    #[error("a `generic` repository has no forge to connect with; add it with --forge github, gitlab, …")]
    Generic,
    /// It is no address in the web.
    #[error("`{0}` does not say where the forge is; give the URL of its API and the project")]
    Unknown(String),
    /// The API's URL is no URL that can be used.
    #[error("`{0}` is no URL of an API; write it as https://git.example/api/v1")]
    Api(String),
    /// The project's name cannot be one.
    #[error("`{0}` is no project; write it as owner/name")]
    Project(String),
}

impl Location {
    /// Where the repository of that address is. `api` and `project` are believed where they are given.
    ///
    /// # Errors
    /// See [`BadLocation`].
    pub fn of(forge: Forge, git: &str, (api, project): (Option<&str>, Option<&str>)) -> Result<Location, BadLocation> {
        let known = forge.api().ok_or(BadLocation::Generic)?;
        let address = WebAddress::parse(git);
        let unknown = || BadLocation::Unknown(git.to_owned());
        let api = match api {
            Some(given) => checked_api(given)?,
            None => (known.base)(address.as_ref().ok_or_else(unknown)?),
        };
        let project = match project {
            Some(given) => given.trim_matches('/').to_owned(),
            None => known.project.of(&address.ok_or_else(unknown)?, &api),
        };
        let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(char::is_control);
        match project.contains('/') && project.split('/').all(is_segment) {
            true => Ok(Location { api, project }),
            false => Err(BadLocation::Project(project)),
        }
    }
}

impl Segments {
    fn of(&self, address: &WebAddress, api: &str) -> String {
        let path = &address.path;
        match self {
            Segments::LastTwo => path[path.len().saturating_sub(2)..].join("/"),
            // A GitLab below a path has its API there, too.
            Segments::All => {
                let below = Url::parse(api).ok();
                let below = below.as_ref().and_then(|url| url.path().strip_suffix("/api/v4"));
                let whole = path.join("/");
                let prefix = below.map_or("", |below| below.trim_start_matches('/'));
                let rest = whole.strip_prefix(prefix).filter(|_| !prefix.is_empty());
                rest.map_or(whole.clone(), |rest| rest.trim_start_matches('/').to_owned())
            }
        }
    }
}

impl WebAddress {
    /// `https://host/path`, `ssh://user@host/path` or `user@host:path`; over SSH, the web is taken to be at the same host.
    fn parse(git: &str) -> Option<WebAddress> {
        if git.starts_with('/') {
            return None;
        }
        let (scheme, host, path) = match git.split_once("://") {
            Some(("http" | "https", _)) => {
                let url = Url::parse(git).ok()?;
                let port = url.port().map_or(String::new(), |port| format!(":{port}"));
                (
                    url.scheme().to_owned(),
                    format!("{}{port}", url.host_str()?),
                    url.path().to_owned(),
                )
            }
            Some(("ssh", _)) => {
                let url = Url::parse(git).ok()?;
                ("https".to_owned(), url.host_str()?.to_owned(), url.path().to_owned())
            }
            Some(_) => return None,
            None => {
                let (host, path) = git.split_once(':')?;
                let host = host.rsplit('@').next()?;
                ("https".to_owned(), host.to_owned(), path.to_owned())
            }
        };
        let path = path.trim_matches('/').trim_end_matches(".git");
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        Some(WebAddress {
            scheme,
            host,
            path: segments.map(str::to_owned).collect(),
        })
    }

    /// The forge that everybody knows at that host.
    fn forge(&self) -> Option<Forge> {
        match self.host.as_str() {
            "github.com" | "ssh.github.com" => Some(Forge::Github),
            "gitlab.com" => Some(Forge::Gitlab),
            "bitbucket.org" => Some(Forge::Bitbucket),
            "codeberg.org" => Some(Forge::Forgejo),
            "gitea.com" => Some(Forge::Gitea),
            _ => None,
        }
    }

    /// The root of a forge whose projects are `owner/name`, which may be below a path.
    pub(super) fn root(&self) -> String {
        self.below(self.path.len().saturating_sub(2))
    }

    /// The address of the first `count` segments of the path.
    pub(super) fn below(&self, count: usize) -> String {
        let prefix = self.path[..count].iter().map(|segment| format!("/{segment}"));
        format!("{}://{}{}", self.scheme, self.host, prefix.collect::<String>())
    }
}

fn checked_api(given: &str) -> Result<String, BadLocation> {
    let bad = || BadLocation::Api(given.chars().filter(|c| !c.is_control()).take(200).collect());
    let url = Url::parse(given).map_err(|_| bad())?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    match is_plain {
        true => Ok(url.as_str().trim_end_matches('/').to_owned()),
        false => Err(bad()),
    }
}

impl Forge {
    /// The forge of a repository at that address, as far as its host is known; else `Generic`.
    pub fn at(git: &str) -> Forge {
        let known = WebAddress::parse(git).and_then(|address| address.forge());
        known.unwrap_or(Forge::Generic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(forge: Forge, git: &str) -> String {
        match Location::of(forge, git, (None, None)) {
            Ok(found) => format!("{} {}", found.api, found.project),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn an_address_says_where_the_api_is() {
        use Forge as F;
        let cases = [
            (
                F::Github,
                "https://github.com/acme/app.git",
                "https://api.github.com acme/app",
            ),
            (
                F::Github,
                "git@github.com:acme/app.git",
                "https://api.github.com acme/app",
            ),
            (
                F::Github,
                "ssh://git@ssh.github.com:443/acme/app",
                "https://api.github.com acme/app",
            ),
            (
                F::Github,
                "https://ghe.example/acme/app/",
                "https://ghe.example/api/v3 acme/app",
            ),
            (
                F::Gitea,
                "http://git.example:3000/acme/app",
                "http://git.example:3000/api/v1 acme/app",
            ),
            (
                F::Forgejo,
                "https://example.org/git/acme/app.git",
                "https://example.org/git/api/v1 acme/app",
            ),
            (
                F::Gitea,
                "ssh://git@git.example:2222/acme/app.git",
                "https://git.example/api/v1 acme/app",
            ),
            (
                F::Gitlab,
                "https://gitlab.com/acme/web/app.git",
                "https://gitlab.com/api/v4 acme/web/app",
            ),
            (
                F::Gitlab,
                "git@gitlab.example:acme/web/app.git",
                "https://gitlab.example/api/v4 acme/web/app",
            ),
            (
                F::Bitbucket,
                "git@bitbucket.org:acme/app.git",
                "https://api.bitbucket.org/2.0 acme/app",
            ),
            (
                F::BitbucketDc,
                "https://bb.example/scm/ACME/app.git",
                "https://bb.example/rest ACME/app",
            ),
            (
                F::BitbucketDc,
                "https://bb.example/git/scm/~ann/app.git",
                "https://bb.example/git/rest ~ann/app",
            ),
            (
                F::BitbucketDc,
                "ssh://git@bb.example:7999/ACME/app.git",
                "https://bb.example/rest ACME/app",
            ),
        ];
        for (forge, git, expected) in cases {
            assert_eq!(of(forge, git), expected, "{git}");
        }
        for git in ["/srv/git/app.git", "git://git.example/acme/app", "file:///srv/app"] {
            assert!(of(F::Github, git).contains("does not say where the forge is"), "{git}");
        }
        assert_eq!(
            of(F::Github, "https://github.com/app"),
            "`app` is no project; write it as owner/name"
        );
    }

    #[test]
    fn some_hosts_are_known() {
        assert_eq!(Forge::at("git@github.com:acme/app.git"), Forge::Github);
        assert_eq!(Forge::at("https://codeberg.org/acme/app"), Forge::Forgejo);
        for other in [
            "https://git.example/acme/app",
            "/srv/github.com/app",
            "https://github.com.evil.example/acme/app",
        ] {
            assert_eq!(Forge::at(other), Forge::Generic, "{other}");
        }
    }

    #[test]
    fn what_is_given_is_believed() {
        let given = |api: &str, project: Option<&str>| {
            let found = Location::of(
                Forge::Gitlab,
                "https://example.org/gitlab/acme/app",
                (Some(api), project),
            );
            found.map(|found| format!("{} {}", found.api, found.project))
        };
        let below = "https://example.org/gitlab/api/v4";
        assert_eq!(given(&format!("{below}/"), None).unwrap(), format!("{below} acme/app"));
        assert_eq!(
            given("http://127.0.0.1:1/api/v4", Some("a/b")).unwrap(),
            "http://127.0.0.1:1/api/v4 a/b"
        );
        for api in [
            "git.example",
            "file:///etc",
            "https://x/?y",
            "https://user@x/",
            "https://x/#y",
        ] {
            assert_eq!(given(api, None), Err(BadLocation::Api(api.into())));
        }
        for project in ["", "app", "a//b", "../b", "a/\n"] {
            assert!(
                matches!(given(below, Some(project)), Err(BadLocation::Project(_))),
                "{project:?}"
            );
        }
    }
}

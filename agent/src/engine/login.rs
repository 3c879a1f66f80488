//! Who asks a registry: users and passwords by the registry's host, as the engine wants them.

use std::collections::{BTreeMap, HashMap};

use bollard::auth::DockerCredentials;
use protocol::work::SecretValue;

/// The registry of names without a host.
const HUB: &str = "docker.io";
/// What engines call it among credentials.
const HUB_KEY: &str = "https://index.docker.io/v1/";

/// A user of a registry. `Debug` never shows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// Password or token.
    pub password: SecretValue,
}

/// Users by registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Logins(BTreeMap<String, Login>);

impl Logins {
    /// That user asks the registry of `reference` (`registry.example/app:1`) from now on.
    pub fn add(&mut self, reference: &str, login: Login) {
        self.0.insert(registry_of(reference).to_owned(), login);
    }

    /// Who asks for that image; `None`: nobody in particular.
    pub fn of(&self, reference: &str) -> Option<&Login> {
        self.0.get(registry_of(reference))
    }

    pub(crate) fn credentials(&self) -> Option<HashMap<String, DockerCredentials>> {
        let all = self.0.iter().map(|(host, login)| {
            let key = if host == HUB { HUB_KEY } else { host };
            (key.to_owned(), login.credentials(key))
        });
        Some(all.collect()).filter(|all: &HashMap<_, _>| !all.is_empty())
    }
}

impl Login {
    pub(crate) fn credentials(&self, registry: &str) -> DockerCredentials {
        DockerCredentials {
            username: Some(self.user.clone()),
            password: Some(self.password.0.clone()),
            serveraddress: Some(registry.to_owned()),
            ..DockerCredentials::default()
        }
    }
}

/// The registry that a reference names: what stands before the first slash when it looks like a host.
pub fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_its_registry_or_means_the_usual_one() {
        let registries = ["localhost:5000/app:1", "r.example/team/app", "team/app:2", "redis"].map(registry_of);
        assert_eq!(registries, ["localhost:5000", "r.example", HUB, HUB]);
    }

    #[test]
    fn a_password_is_not_shown() {
        let mut logins = Logins::default();
        let login = Login {
            user: "ci".into(),
            password: SecretValue("hunter2".into()),
        };
        logins.add("r.example/app", login.clone());
        assert_eq!(logins.of("r.example/other:3"), Some(&login));
        assert_eq!(logins.of("redis"), None);
        assert!(!format!("{logins:?}").contains("hunter2"));
    }
}

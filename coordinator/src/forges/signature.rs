//! A delivery's signature: HMAC-SHA256 over the raw bytes, compared in constant time, before anything is parsed.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::{Forge, first};

/// Bytes of a signature.
const SIGNATURE: usize = 32;

/// The signature is wrong or missing. It never says which, and neither does the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong or missing signature")]
pub struct Refused;

/// A delivery's signature and what it is checked with, while the body comes in. Without a secret, as for a repository
/// that does not exist, it takes as long and says no.
pub struct Check {
    given: Vec<u8>,
    macs: Vec<Hmac<Sha256>>,
    is_known: bool,
}

impl Check {
    /// Of a delivery with these headers, against each of the repository's secrets (two while one is being rotated).
    ///
    /// # Errors
    /// When there is no signature, or what is there cannot be one: the body need not be read.
    pub fn new(forge: Forge, secrets: &[SecretString], headers: &HeaderMap) -> Result<Check, Refused> {
        let given = given(forge, headers)
            .filter(|given| given.len() == SIGNATURE)
            .ok_or(Refused)?;
        let none = [SecretString::from("")];
        let (secrets, is_known) = match secrets {
            [] => (&none[..], false),
            some => (some, true),
        };
        Ok(Check {
            given,
            macs: secrets.iter().map(mac).collect(),
            is_known,
        })
    }

    /// The next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        self.macs.iter_mut().for_each(|mac| mac.update(part));
    }

    /// The body is whole.
    ///
    /// # Errors
    /// When no secret signs these bytes.
    pub fn finish(self) -> Result<(), Refused> {
        let mut is_right = false;
        for mac in self.macs {
            is_right |= mac.verify_slice(&self.given).is_ok();
        }
        if is_right && self.is_known {
            Ok(())
        } else {
            Err(Refused)
        }
    }
}

/// The digits that sign `body`, in hexadecimal.
pub(super) fn digits(secret: &SecretString, body: &[u8]) -> String {
    hex::encode(mac(secret).chain_update(body).finalize().into_bytes())
}

fn given(forge: Forge, headers: &HeaderMap) -> Option<Vec<u8>> {
    let webhooks = forge.webhooks();
    let digits = first(headers, webhooks.signature)?.strip_prefix(webhooks.signature_prefix)?;
    hex::decode(digits).ok()
}

fn mac(secret: &SecretString) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes any key length")
}

#[cfg(test)]
mod tests {
    use super::super::sign;
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    fn secrets(values: &[&str]) -> Vec<SecretString> {
        values.iter().map(|value| SecretString::from(*value)).collect()
    }

    /// In two parts, as a body may come.
    fn verify(forge: Forge, secrets: &[SecretString], headers: &HeaderMap, body: &[u8]) -> Result<(), Refused> {
        let mut check = Check::new(forge, secrets, headers)?;
        let (first, rest) = body.split_at(body.len() / 2);
        check.update(first);
        check.update(rest);
        check.finish()
    }

    /// The example of GitHub's own documentation.
    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    #[test]
    fn each_forge_signs_in_its_own_header() {
        let prefixed = format!("sha256={HEX}");
        for (forge, name, value) in [
            (Forge::Generic, "x-drover-signature-256", prefixed.as_str()),
            (Forge::Github, "x-hub-signature-256", prefixed.as_str()),
            (Forge::Gitea, "x-gitea-signature", HEX),
            (Forge::Forgejo, "x-forgejo-signature", HEX),
            (Forge::Forgejo, "x-gitea-signature", HEX),
        ] {
            let headers = headers(name, value);
            assert_eq!(verify(forge, &secrets(&[SECRET]), &headers, BODY), Ok(()), "{name}");
            assert_eq!(
                verify(forge, &secrets(&["old", SECRET]), &headers, BODY),
                Ok(()),
                "{name}"
            );
            assert_eq!(
                verify(forge, &secrets(&["other"]), &headers, BODY),
                Err(Refused),
                "{name}"
            );
            assert_eq!(
                verify(forge, &secrets(&[SECRET]), &headers, b"Hello, World?"),
                Err(Refused),
                "{name}"
            );
            assert_eq!(
                verify(forge, &[], &headers, BODY),
                Err(Refused),
                "no such repository: {name}"
            );
        }
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let secrets = secrets(&[SECRET]);
        for value in [
            "",
            "sha256=",
            "sha256=zz",
            HEX,
            &format!("sha1={HEX}"),
            &format!("sha256={}", &HEX[..62]),
        ] {
            let headers = headers("x-hub-signature-256", value);
            assert_eq!(
                verify(Forge::Github, &secrets, &headers, BODY),
                Err(Refused),
                "{value:?}"
            );
        }
        assert_eq!(verify(Forge::Github, &secrets, &HeaderMap::new(), BODY), Err(Refused));
        let elsewhere = headers("x-gitea-signature", HEX);
        assert_eq!(verify(Forge::Github, &secrets, &elsewhere, BODY), Err(Refused));
    }

    #[test]
    fn the_empty_secret_of_nobody_opens_nothing() {
        let empty = SecretString::from("");
        let signature = sign(&empty, BODY);
        let headers = headers("x-drover-signature-256", &signature);
        assert_eq!(verify(Forge::Generic, &[], &headers, BODY), Err(Refused));
    }
}

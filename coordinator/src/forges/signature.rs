//! A delivery's signature, compared in constant time before anything is parsed: HMAC-SHA256 over the raw bytes, or what
//! GitLab has.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{Forge, first};

/// Bytes of a signature.
const SIGNATURE: usize = 32;
/// Signatures of one delivery that are looked at; while a sender exchanges its keys there are two.
const MOST: usize = 4;

/// How a forge signs. Of several headers the first that is there counts.
pub(super) enum Scheme {
    /// HMAC-SHA256 over the body, in hexadecimal digits behind the prefix.
    Hmac {
        headers: &'static [&'static str],
        prefix: &'static str,
    },
    /// Standard Webhooks (`webhook-signature: v1,…` over `{webhook-id}.{webhook-timestamp}.{body}`), or, without that
    /// header, the secret itself in the one that is named: all that GitLab before 19 has.
    TokenOrStandard { token: &'static str },
}

/// The signature is wrong or missing. It never says which, and neither does the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("wrong or missing signature")]
pub struct Refused;

/// A delivery's signature and what it is checked with, while the body comes in. Without a secret, as for a repository
/// that does not exist, it takes as long and says no.
pub struct Check {
    proof: Proof,
    is_known: bool,
}

enum Proof {
    /// One of these signatures must be that of one of the keys.
    Macs {
        given: Vec<Vec<u8>>,
        macs: Vec<Hmac<Sha256>>,
    },
    /// The secret itself was sent, and is one of ours.
    Token(bool),
}

impl Check {
    /// Of a delivery with these headers, against each of the repository's secrets (two while one is being rotated).
    ///
    /// # Errors
    /// When there is no signature, or what is there cannot be one: the body need not be read.
    pub fn new(forge: Forge, secrets: &[SecretString], headers: &HeaderMap) -> Result<Check, Refused> {
        let none = [SecretString::from("")];
        let (secrets, is_known) = match secrets {
            [] => (&none[..], false),
            some => (some, true),
        };
        let proof = match &forge.webhooks().scheme {
            Scheme::Hmac { headers: names, prefix } => hmac_proof(secrets, (headers, names, prefix)),
            Scheme::TokenOrStandard { token } => match headers.contains_key("webhook-signature") {
                true => standard_proof(secrets, headers),
                false => token_proof(secrets, (headers, token)),
            },
        };
        Ok(Check {
            proof: proof.ok_or(Refused)?,
            is_known,
        })
    }

    /// The next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        if let Proof::Macs { macs, .. } = &mut self.proof {
            macs.iter_mut().for_each(|mac| mac.update(part));
        }
    }

    /// The body is whole.
    ///
    /// # Errors
    /// When no secret signs these bytes.
    pub fn finish(self) -> Result<(), Refused> {
        let is_right = match self.proof {
            Proof::Token(is_right) => is_right,
            Proof::Macs { given, macs } => {
                let mut is_right = false;
                for mac in macs {
                    for given in &given {
                        is_right |= mac.clone().verify_slice(given).is_ok();
                    }
                }
                is_right
            }
        };
        match is_right && self.is_known {
            true => Ok(()),
            false => Err(Refused),
        }
    }
}

fn hmac_proof(secrets: &[SecretString], (headers, names, prefix): (&HeaderMap, &[&str], &str)) -> Option<Proof> {
    let given = hex::decode(first(headers, names)?.strip_prefix(prefix)?).ok()?;
    (given.len() == SIGNATURE).then(|| Proof::Macs {
        given: vec![given],
        macs: secrets.iter().map(mac).collect(),
    })
}

/// As <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md> has it. The id is
/// signed, and one delivery is taken once: an old one that is sent again is known as long as its row is kept.
fn standard_proof(secrets: &[SecretString], headers: &HeaderMap) -> Option<Proof> {
    let header = |name: &str| first(headers, &[name]);
    let digests = header("webhook-signature")?
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"));
    let given: Vec<_> = digests
        .filter_map(|digest| BASE64.decode(digest).ok())
        .filter(|given| given.len() == SIGNATURE)
        .take(MOST)
        .collect();
    let begin = format!("{}.{}.", header("webhook-id")?, header("webhook-timestamp")?);
    let macs = secrets.iter().map(|secret| {
        let key = hex::decode(secret.expose_secret()).unwrap_or_default();
        new_mac(&key).chain_update(&begin)
    });
    (!given.is_empty()).then(|| Proof::Macs {
        given,
        macs: macs.collect(),
    })
}

fn token_proof(secrets: &[SecretString], (headers, name): (&HeaderMap, &str)) -> Option<Proof> {
    let given = first(headers, &[name])?.as_bytes();
    let mut is_right = false;
    for secret in secrets {
        is_right |= bool::from(given.ct_eq(secret.expose_secret().as_bytes()));
    }
    Some(Proof::Token(is_right))
}

/// The key of Standard Webhooks that is the same as one of our secrets, which are hexadecimal digits.
pub(super) fn standard_key(secret: &str) -> Option<String> {
    Some(format!("whsec_{}", BASE64.encode(hex::decode(secret).ok()?)))
}

/// The digits that sign `body`, in hexadecimal.
pub(super) fn digits(secret: &SecretString, body: &[u8]) -> String {
    hex::encode(mac(secret).chain_update(body).finalize().into_bytes())
}

fn mac(secret: &SecretString) -> Hmac<Sha256> {
    new_mac(secret.expose_secret().as_bytes())
}

fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key length")
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
            (Forge::Bitbucket, "x-hub-signature", prefixed.as_str()),
            (Forge::BitbucketDc, "x-hub-signature", prefixed.as_str()),
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

    /// A secret as the store makes them.
    const OURS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[test]
    fn gitlab_sends_the_secret_itself() {
        let sent = headers("x-gitlab-token", OURS);
        let known = secrets(&["old", OURS]);
        assert_eq!(verify(Forge::Gitlab, &known, &sent, BODY), Ok(()));
        assert_eq!(verify(Forge::Gitlab, &secrets(&["old"]), &sent, BODY), Err(Refused));
        assert_eq!(verify(Forge::Gitlab, &[], &sent, BODY), Err(Refused));
        let empty = headers("x-gitlab-token", "");
        assert_eq!(verify(Forge::Gitlab, &[], &empty, BODY), Err(Refused));
        assert_eq!(verify(Forge::Gitlab, &known, &HeaderMap::new(), BODY), Err(Refused));
    }

    /// The signature was made by Python's `hmac` over `msg_1.1700000000.Hello, World!`.
    #[test]
    fn gitlab_signs_as_standard_webhooks_do_when_it_has_a_signing_token() {
        assert_eq!(
            standard_key(OURS).as_deref(),
            Some("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        );
        let signed = |id: &str, signature: &str| {
            let mut sent = headers("webhook-signature", signature);
            sent.insert("webhook-id", id.parse().unwrap());
            sent.insert("webhook-timestamp", "1700000000".parse().unwrap());
            // Not looked at: what is signed must be signed right.
            sent.insert("x-gitlab-token", OURS.parse().unwrap());
            verify(Forge::Gitlab, &secrets(&[OURS]), &sent, BODY)
        };
        let right = "v1,dD7CFv+6bYwnW1suSYUoRyTgssLovNaUvgW7Pkj4UQQ=";
        assert_eq!(signed("msg_1", right), Ok(()));
        assert_eq!(signed("msg_1", &format!("v1,AAAA v1a,x {right}")), Ok(()));
        assert_eq!(signed("msg_2", right), Err(Refused));
        assert_eq!(signed("msg_1", "v1,AAAA"), Err(Refused));
    }
}

//! The key that signs, and its public half. RSA with SHA-256, because every cloud takes it, and because the same words
//! always have the same signature.

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::RSA_PKCS1_SHA256;
use rsa::pkcs8::EncodePrivateKey;
use rsa::traits::PublicKeyParts;
use rsa::{Generate, PrivateKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Claims;
use crate::store::Store;
use crate::store::signing_keys::{self, SigningKey};

/// As `alg` calls it.
pub(crate) const ALGORITHM: &str = "RS256";

/// A key that signs.
pub(super) struct Signer {
    id: String,
    pair: KeyPair,
}

impl Signer {
    /// The database's key; a new one when it has none.
    pub(super) async fn load(store: &Store) -> anyhow::Result<Signer> {
        if signing_keys::current(store).await?.is_none() {
            let (key, public) = tokio::task::spawn_blocking(generate).await??;
            signing_keys::add(store, &key, &public).await?;
            tracing::info!(key = key.id, "a key that signs ID tokens was made");
        }
        let found = signing_keys::current(store).await?.context("there is no key")?;
        let pair = KeyPair::from_pkcs8(&found.private).map_err(|why| anyhow!("it is no RSA key: {why}"))?;
        Ok(Signer { id: found.id, pair })
    }

    pub(super) fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let header = json!({"alg": ALGORITHM, "typ": "JWT", "kid": self.id});
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&serde_json::to_value(claims)?));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| anyhow!("the key cannot sign"))?;
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

/// A new key, called by its thumbprint (RFC 7638), and its public half as a JSON Web Key.
fn generate() -> anyhow::Result<(SigningKey, Value)> {
    let key = PrivateKey::try_generate().context("make an RSA key")?;
    let number = |bytes: &[u8]| BASE64.encode(bytes);
    let (n, e) = (number(&key.n_bytes()), number(&key.e_bytes()));
    let thumbprint = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    let id = BASE64.encode(Sha256::digest(thumbprint));
    let private = key.to_pkcs8_der().context("write the key")?.as_bytes().to_vec();
    let public = json!({"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": id, "n": n, "e": e});
    Ok((SigningKey { id, private }, public))
}

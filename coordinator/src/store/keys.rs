//! The key that secrets are sealed with: 32 random bytes in a file that only its owner may read. What is sealed is
//! bound to its place (repository and name), so a row that is copied to another place does not open there.

use std::io::{ErrorKind, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::zeroize::Zeroize;

use super::StoreError;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

/// Seals and opens.
pub(super) struct SealingKey {
    cipher: XChaCha20Poly1305,
}

impl SealingKey {
    /// Reads the key; makes a new one when the file does not exist.
    pub(super) fn load(file: &Path) -> Result<SealingKey, StoreError> {
        let wrong = |why: &str| StoreError::Key(format!("key file {}: {why}", file.display()));
        let mut text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                make(file).map_err(|error| wrong(&error.to_string()))?;
                std::fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?
            }
            Err(error) => return Err(wrong(&error.to_string())),
        };
        let mut key = BASE64
            .decode(text.trim())
            .map_err(|_| wrong("it is not a key of drover"))?;
        text.zeroize();
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| wrong("it is not a key of drover"));
        key.zeroize();
        Ok(SealingKey { cipher: cipher? })
    }

    /// Seals `plain` for its place.
    pub(super) fn seal(&self, place: &str, plain: &str) -> String {
        let nonce: [u8; NONCE_LEN] = random();
        let payload = Payload {
            msg: plain.as_bytes(),
            aad: place.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("it is far shorter than 256 GiB");
        BASE64.encode([&nonce[..], &sealed].concat())
    }

    /// Opens what was sealed for that place.
    pub(super) fn open(&self, place: &str, sealed: &str) -> Result<String, StoreError> {
        let wrong = || StoreError::Key("a secret was sealed with another key: is the key file the right one?".into());
        let bytes = BASE64.decode(sealed).map_err(|_| wrong())?;
        let (nonce, message) = bytes.split_first_chunk::<NONCE_LEN>().ok_or_else(wrong)?;
        let payload = Payload {
            msg: message,
            aad: place.as_bytes(),
        };
        let plain = self
            .cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| wrong())?;
        String::from_utf8(plain).map_err(|_| wrong())
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has a random source");
    bytes
}

/// Whole or not at all, mode 0600; of two who make it at once, one wins.
fn make(file: &Path) -> std::io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut new = tempfile::Builder::new().prefix(".key").tempfile_in(folder)?;
    new.write_all(BASE64.encode(random::<KEY_LEN>()).as_bytes())?;
    new.as_file().sync_all()?;
    match new.persist_noclobber(file) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_only_in_its_place_and_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = SealingKey::load(&folder.path().join("key")).unwrap();
        let sealed = key.seal("repo|NAME", "hunter2");
        assert_ne!(sealed, key.seal("repo|NAME", "hunter2"), "the nonce is random");
        assert_eq!(key.open("repo|NAME", &sealed).unwrap(), "hunter2");
        assert!(key.open("repo|OTHER", &sealed).is_err());
        let other = SealingKey::load(&folder.path().join("other")).unwrap();
        assert!(other.open("repo|NAME", &sealed).is_err());
        let again = SealingKey::load(&folder.path().join("key")).unwrap();
        assert_eq!(again.open("repo|NAME", &sealed).unwrap(), "hunter2");
    }

    #[test]
    fn the_key_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/key");
        SealingKey::load(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "not a key").unwrap();
        assert!(matches!(SealingKey::load(&file), Err(StoreError::Key(_))));
    }
}

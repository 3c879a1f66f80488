//! ID tokens: what a job shows to a cloud or a signing service to say which build of which commit it is, instead of a secret.
//! Signed here, never by an agent; checked by others with the keys at `/.well-known/jwks.json`. Separate from secrets, which
//! somebody has set.

mod claims;
mod key;

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::OnceCell;

pub(crate) use claims::Claims;
pub(crate) use key::ALGORITHM;

use crate::store::Store;
use key::Signer;

/// Signs; makes a key when there is none. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct IdTokens(Arc<OnceCell<Signer>>);

impl IdTokens {
    /// The token. The same claims give the same token, so an agent that was restarted masks what it gave out before.
    ///
    /// # Errors
    /// The database, or a key that cannot be read.
    pub(crate) async fn sign(&self, store: &Store, claims: &Claims) -> anyhow::Result<String> {
        let signer = self.0.get_or_try_init(|| Signer::load(store)).await;
        signer.context("load the key that signs ID tokens")?.sign(claims)
    }
}

//! Values that lie encrypted in the database: AES-256 in GCM, with a key derived from the host's secret.
//!
//! What a value belongs to is part of what is authenticated, so that a sealed value moved to another row doesn't open there.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Key, KeyInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hkdf::Hkdf;
use sha2::Sha256;

use crate::config::Secret;
use crate::error::{Error, Result};

/// Before every sealed value: how it was sealed.
const VERSION: &str = "1.";
/// Bytes of a nonce, which is random: 96 bits, as GCM wants.
const NONCE: usize = 12;

/// Seals and opens.
#[derive(Clone)]
pub struct Sealer {
    current: Aes256Gcm,
    previous: Option<Aes256Gcm>,
}

/// A value that was opened.
pub struct Opened {
    /// What was sealed.
    pub text: String,
    /// It was sealed with the secret before: it should be sealed again.
    pub is_old: bool,
}

impl Sealer {
    /// With the host's secret, and the one before it while that is being replaced.
    pub fn new(secret: &Secret, previous: Option<&Secret>) -> Self {
        Self { current: cipher(secret), previous: previous.map(cipher) }
    }

    /// Seals a text that belongs to `owner`.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn seal(&self, owner: &str, text: &str) -> Result<String> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|e| Error::internal(format!("no randomness: {e}")))?;
        let payload = Payload { msg: text.as_bytes(), aad: owner.as_bytes() };
        let text = self.current.encrypt(&nonce.into(), payload).map_err(|_| Error::internal("a value could not be encrypted"))?;
        let sealed = [&nonce[..], &text].concat();
        Ok(format!("{VERSION}{}", STANDARD_NO_PAD.encode(sealed)))
    }

    /// Opens what was sealed for `owner`. `None` if it was sealed with neither secret, for another owner, or not at all.
    pub fn open(&self, owner: &str, sealed: &str) -> Option<Opened> {
        let bytes = STANDARD_NO_PAD.decode(sealed.strip_prefix(VERSION)?).ok()?;
        let (nonce, text) = bytes.split_first_chunk::<NONCE>()?;
        let open = |cipher: &Aes256Gcm| {
            let payload = Payload { msg: text, aad: owner.as_bytes() };
            String::from_utf8(cipher.decrypt(&(*nonce).into(), payload).ok()?).ok()
        };
        match open(&self.current) {
            Some(text) => Some(Opened { text, is_old: false }),
            None => Some(Opened { text: open(self.previous.as_ref()?)?, is_old: true }),
        }
    }
}

/// The secret signs tokens too, so what encrypts is derived from it and not it.
fn cipher(secret: &Secret) -> Aes256Gcm {
    let mut key = Key::<Aes256Gcm>::default();
    Hkdf::<Sha256>::new(None, secret.reveal().as_bytes())
        .expand(b"trellis: values at rest", &mut key)
        .expect("the hash gives far more than the bytes of one key");
    Aes256Gcm::new(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_for_its_owner_with_its_secret_or_the_one_before() {
        let (old, new) = (Secret::new("the secret of last year"), Secret::new("the secret of this year"));
        let sealed = Sealer::new(&old, None).seal("a", "hidden").expect("there is randomness");
        assert!(!sealed.contains("hidden"));
        assert_ne!(sealed, Sealer::new(&old, None).seal("a", "hidden").expect("there is randomness"));
        let opened = Sealer::new(&old, None).open("a", &sealed).expect("it opens");
        assert_eq!((opened.text.as_str(), opened.is_old), ("hidden", false));
        let opened = Sealer::new(&new, Some(&old)).open("a", &sealed).expect("it opens");
        assert_eq!((opened.text.as_str(), opened.is_old), ("hidden", true));
        assert!(Sealer::new(&old, None).open("b", &sealed).is_none(), "another owner");
        assert!(Sealer::new(&new, None).open("a", &sealed).is_none(), "another secret");
        for broken in ["", "1.", "2.AAAA", "1.!!", &sealed[..sealed.len() - 2], "hidden"] {
            assert!(Sealer::new(&old, None).open("a", broken).is_none(), "{broken}");
        }
    }
}

//! Secrets at rest: sealed by an authenticated cipher before they reach the database.
//!
//! ChaCha20-Poly1305 with a nonce of 96 random bits for each sealing; a key seals a token now and then, which is far from
//! the 2^32 messages after which random nonces would become a risk. The row's pair, side and purpose are authenticated
//! with the cipher text, so that a row that is copied to another place does not open there. A row names the key that sealed
//! it by a digest, so that a wrong key is told from a row that was changed, and keys can be replaced one after the other.
//!
//! Keys and randomness are handed in. Nothing here prints, logs or formats a secret.

use std::fmt;

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::AccountKey;

/// The length of a key: 256 bits.
const KEY_BYTES: usize = 32;

/// Digits of a key's digest that name it: enough to tell a handful of keys apart, too few to say anything about one.
const NAME_DIGITS: usize = 8;

/// Fills a slice with random bytes that nobody can guess.
pub type Entropy = fn(&mut [u8]);

/// The keys that seal secrets: the newest seals, all of them open.
pub struct Keys {
    keys: Vec<Key>,
    entropy: Entropy,
}

struct Key {
    name: String,
    cipher: LessSafeKey,
}

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The name of the key.
    pub key: String,
    /// The nonce.
    pub nonce: Vec<u8>,
    /// The cipher text with its tag.
    pub bytes: Vec<u8>,
}

/// Why a secret can be neither sealed nor opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Text that is no key; counted from 1.
    #[error("key {0} is not 32 bytes in base64; `mapwright auth key` prints a fresh one")]
    NotAKey(usize),
    /// There is none.
    #[error("there is no key; `mapwright auth key` prints a fresh one")]
    None,
    /// It was sealed with another key.
    #[error(
        "it was sealed with the key `{sealed}`, and this is {held}; add the old key behind the new one, or log in again"
    )]
    Unknown {
        /// The name of the key that sealed it.
        sealed: String,
        /// The names of the keys at hand.
        held: String,
    },
    /// It was changed, or belongs to another pair, side or purpose.
    #[error(
        "it was changed in the store since it was sealed, or was sealed for something else; log in again"
    )]
    Changed,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("names", &self.names()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads keys in base64, the newest first.
    pub fn read(texts: &[SecretString], entropy: Entropy) -> Result<Self, KeyError> {
        let key = |(index, text): (usize, &SecretString)| {
            let bytes =
                STANDARD.decode(text.expose_secret().trim()).map_err(|_| KeyError::NotAKey(index + 1))?;
            if bytes.len() != KEY_BYTES {
                return Err(KeyError::NotAKey(index + 1));
            }
            let name = name(&bytes);
            let unbound =
                UnboundKey::new(&CHACHA20_POLY1305, &bytes).map_err(|_| KeyError::NotAKey(index + 1))?;
            Ok(Key { name, cipher: LessSafeKey::new(unbound) })
        };
        let keys: Vec<Key> = texts.iter().enumerate().map(key).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(KeyError::None) } else { Ok(Self { keys, entropy }) }
    }

    /// A fresh key in base64.
    pub fn fresh(entropy: Entropy) -> SecretString {
        let mut bytes = [0; KEY_BYTES];
        entropy(&mut bytes);
        STANDARD.encode(bytes).into()
    }

    /// The names of the keys, the newest first.
    pub fn names(&self) -> Vec<&str> {
        self.keys.iter().map(|key| key.name.as_str()).collect()
    }

    /// Whether a secret is sealed with the newest key.
    pub fn is_newest(&self, sealed: &Sealed) -> bool {
        self.keys.first().is_some_and(|key| key.name == sealed.key)
    }

    /// Seals a secret for one place.
    pub fn seal(&self, place: &AccountKey, secret: &SecretString) -> Result<Sealed, KeyError> {
        let newest = self.keys.first().ok_or(KeyError::None)?;
        let mut nonce = [0; NONCE_LEN];
        (self.entropy)(&mut nonce);
        let mut bytes = secret.expose_secret().as_bytes().to_vec();
        let sealed = newest.cipher.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            bound(place),
            &mut bytes,
        );
        // Fails for a text beyond 256 GiB alone.
        sealed.map_err(|_| KeyError::Changed)?;
        Ok(Sealed { key: newest.name.clone(), nonce: nonce.to_vec(), bytes })
    }

    /// Opens a secret that was sealed for this place.
    pub fn open(&self, place: &AccountKey, sealed: &Sealed) -> Result<SecretString, KeyError> {
        let key = self.keys.iter().find(|key| key.name == sealed.key).ok_or_else(|| {
            let held: Vec<String> = self.keys.iter().map(|key| format!("`{}`", key.name)).collect();
            KeyError::Unknown { sealed: sealed.key.clone(), held: held.join(", ") }
        })?;
        let nonce = Nonce::try_assume_unique_for_key(&sealed.nonce).map_err(|_| KeyError::Changed)?;
        let mut bytes = sealed.bytes.clone();
        let opened =
            key.cipher.open_in_place(nonce, bound(place), &mut bytes).map_err(|_| KeyError::Changed)?;
        String::from_utf8(opened.to_vec()).map(SecretString::from).map_err(|_| KeyError::Changed)
    }
}

/// What is authenticated beside the secret: JSON, so that no two places have the same text.
fn bound(place: &AccountKey) -> Aad<Vec<u8>> {
    let text = serde_json::json!(["mapwright", 1, place.pair, place.side.word(), place.purpose.word()]);
    Aad::from(text.to_string().into_bytes())
}

/// The digest that names a key.
fn name(key: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"mapwright key\0").chain_update(key).finalize();
    let mut name = hex::encode(digest);
    name.truncate(NAME_DIGITS);
    name
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::super::Purpose;
    use super::*;
    use crate::source::Side;

    /// Bytes that differ with each call, as randomness does.
    fn counting(bytes: &mut [u8]) {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
    }

    fn keys(texts: &[&str]) -> Keys {
        let texts: Vec<SecretString> = texts.iter().map(|text| (*text).into()).collect();
        Keys::read(&texts, counting).expect("keys")
    }

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; 32])
    }

    fn place() -> AccountKey {
        AccountKey {
            pair: "main".to_owned(),
            side: Side::Hubspot,
            purpose: Purpose::Login,
            seed: String::new(),
        }
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_for_the_same_place_alone() {
        let keys = keys(&[&key(7)]);
        let secret = SecretString::from("refresh-1");
        let sealed = keys.seal(&place(), &secret).expect("sealed");
        assert!(!sealed.bytes.windows(7).any(|bytes| bytes == b"refresh"));
        assert_eq!(keys.open(&place(), &sealed).expect("opened").expose_secret(), "refresh-1");
        for other in [
            AccountKey { pair: "other".to_owned(), ..place() },
            AccountKey { side: Side::Salesforce, ..place() },
            AccountKey { purpose: Purpose::Replacement, ..place() },
        ] {
            assert_eq!(keys.open(&other, &sealed).unwrap_err(), KeyError::Changed, "{other:?}");
        }
        for at in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[at] ^= 1;
            assert_eq!(keys.open(&place(), &changed).unwrap_err(), KeyError::Changed);
        }
        let mut changed = sealed.clone();
        changed.nonce[0] ^= 1;
        assert_eq!(keys.open(&place(), &changed).unwrap_err(), KeyError::Changed);
        changed.nonce.pop();
        assert_eq!(keys.open(&place(), &changed).unwrap_err(), KeyError::Changed);
    }

    #[test]
    fn no_two_sealings_are_alike() {
        let keys = keys(&[&key(7)]);
        let seal = || keys.seal(&place(), &"refresh-1".into()).expect("sealed");
        let (one, two) = (seal(), seal());
        assert_ne!((&one.nonce, &one.bytes), (&two.nonce, &two.bytes));
    }

    #[test]
    fn keys_are_replaced_one_after_the_other() {
        let old = keys(&[&key(1)]).seal(&place(), &"refresh-1".into()).expect("sealed");
        let both = keys(&[&key(2), &key(1)]);
        assert!(!both.is_newest(&old));
        assert_eq!(both.open(&place(), &old).expect("opened").expose_secret(), "refresh-1");
        let new = both.seal(&place(), &"refresh-1".into()).expect("sealed");
        assert!(both.is_newest(&new));
        let only_new = keys(&[&key(2)]);
        assert!(only_new.open(&place(), &new).is_ok());
        let error = only_new.open(&place(), &old).unwrap_err().to_string();
        assert!(error.contains(&old.key) && error.contains(&new.key), "{error}");
        assert!(!error.contains(&key(1)) && !error.contains(&key(2)), "{error}");
    }

    #[test]
    fn what_is_no_key_is_told_by_its_place_and_not_by_its_text() {
        for bad in ["", "short", "%%%%", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            let texts = [SecretString::from(key(1)), SecretString::from(bad.to_owned())];
            let error = Keys::read(&texts, counting).expect_err(bad);
            assert_eq!(error, KeyError::NotAKey(2));
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
        assert_eq!(Keys::read(&[], counting).unwrap_err(), KeyError::None);
        let fresh = Keys::fresh(counting);
        let keys = Keys::read(std::slice::from_ref(&fresh), counting).expect("a fresh key is one");
        assert!(!format!("{keys:?}").contains(fresh.expose_secret()));
    }
}

//! Digests, and what is made of them: HMAC, HKDF, PBKDF2.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha384, Sha512};

use super::{Fault, Pulse};

/// Bytes that are digested before the clock is looked at: a tenth of a millisecond, or two where the processor doesn't help.
const PIECE: usize = 64 * 1024;

/// Iterations of PBKDF2 before the clock is looked at.
const ROUNDS: usize = 256;

/// The digests that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "SHA-1" => Self::Sha1,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => return None,
        })
    }

    /// The length of what it makes, in bytes.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// Calls a function that is generic over the digest.
macro_rules! with_digest {
    ($hash:expr, $function:ident($($arg:expr),*)) => {
        match $hash {
            Hash::Sha1 => $function::<Sha1>($($arg),*),
            Hash::Sha256 => $function::<Sha256>($($arg),*),
            Hash::Sha384 => $function::<Sha384>($($arg),*),
            Hash::Sha512 => $function::<Sha512>($($arg),*),
        }
    };
}

pub(super) fn digest(hash: Hash, data: &[u8], pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    fn of<D: Digest>(data: &[u8], pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
        let mut digest = D::new();
        for piece in data.chunks(PIECE) {
            digest.update(piece);
            pulse.check()?;
        }
        Ok(digest.finalize().to_vec())
    }
    with_digest!(hash, of(data, pulse))
}

pub(super) fn hmac(hash: Hash, key: &[u8], data: &[u8], pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    fn of<M: Mac>(mac: Option<M>, data: &[u8], pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
        let mut mac = mac.ok_or("the key can not be used")?;
        for piece in data.chunks(PIECE) {
            mac.update(piece);
            pulse.check()?;
        }
        Ok(mac.finalize().into_bytes().to_vec())
    }
    match hash {
        Hash::Sha1 => of(Hmac::<Sha1>::new_from_slice(key).ok(), data, pulse),
        Hash::Sha256 => of(Hmac::<Sha256>::new_from_slice(key).ok(), data, pulse),
        Hash::Sha384 => of(Hmac::<Sha384>::new_from_slice(key).ok(), data, pulse),
        Hash::Sha512 => of(Hmac::<Sha512>::new_from_slice(key).ok(), data, pulse),
    }
}

pub(super) fn hkdf(hash: Hash, key: &[u8], salt: &[u8], info: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    // Before the memory is taken, not after.
    if length > 255 * hash.size() {
        return Err("HKDF makes at most 255 times the length of its digest".into());
    }
    let mut out = vec![0; length];
    match hash {
        Hash::Sha1 => hkdf::Hkdf::<Sha1>::new(Some(salt), key).expand(info, &mut out),
        Hash::Sha256 => hkdf::Hkdf::<Sha256>::new(Some(salt), key).expand(info, &mut out),
        Hash::Sha384 => hkdf::Hkdf::<Sha384>::new(Some(salt), key).expand(info, &mut out),
        Hash::Sha512 => hkdf::Hkdf::<Sha512>::new(Some(salt), key).expand(info, &mut out),
    }
    .map_err(|_| "HKDF makes at most 255 times the length of its digest")?;
    Ok(out)
}

/// RFC 8018, section 5.2, written out here because a library's loop can't be told to stop.
pub(super) fn pbkdf2(
    hash: Hash,
    password: &[u8],
    salt: &[u8],
    iterations: usize,
    length: usize,
    pulse: Pulse<'_>,
) -> Result<Vec<u8>, Fault> {
    fn of<M: Mac + Clone>(keyed: Option<M>, salt: &[u8], iterations: usize, length: usize, pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
        let keyed = keyed.ok_or("the password can not be used")?;
        let mut out = Vec::with_capacity(length);
        for block in 1_u32.. {
            let mut last = keyed.clone().chain_update(salt).chain_update(block.to_be_bytes()).finalize().into_bytes();
            let mut sum = last.clone();
            for round in 1..iterations {
                last = keyed.clone().chain_update(&last).finalize().into_bytes();
                sum.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
                if round % ROUNDS == 0 {
                    pulse.check()?;
                }
            }
            pulse.check()?;
            let left = length - out.len();
            out.extend_from_slice(&sum[..left.min(sum.len())]);
            if out.len() == length {
                break;
            }
        }
        Ok(out)
    }
    match hash {
        Hash::Sha1 => of(Hmac::<Sha1>::new_from_slice(password).ok(), salt, iterations, length, pulse),
        Hash::Sha256 => of(Hmac::<Sha256>::new_from_slice(password).ok(), salt, iterations, length, pulse),
        Hash::Sha384 => of(Hmac::<Sha384>::new_from_slice(password).ok(), salt, iterations, length, pulse),
        Hash::Sha512 => of(Hmac::<Sha512>::new_from_slice(password).ok(), salt, iterations, length, pulse),
    }
}

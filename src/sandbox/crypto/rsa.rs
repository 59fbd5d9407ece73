//! RSA: signatures by PKCS#1 1.5 and PSS, encryption by OAEP. Keys are in the encoding of PKCS#1.
//!
//! The arithmetic takes a time that depends on its numbers (RUSTSEC-2023-0071). What uses a private key is blinded with random numbers, and
//! the padding that the known attack needs, PKCS#1 1.5 for encryption, isn't offered; docs/SECURITY.md says what remains.

use rsa::pkcs1::der::Decode;
use rsa::pkcs1::{self, DecodeRsaPrivateKey, DecodeRsaPublicKey, EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, PrivateKeyInfo};
use rsa::rand_core::OsRng;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BigUint, Oaep, Pkcs1v15Sign, Pss, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use super::hash::Hash;
use super::{Fault, Format, Pulse, fresh};

/// The lengths of a modulus in bits. One operation with the longest takes some 50 ms, and nothing can interrupt it.
const BITS: std::ops::RangeInclusive<usize> = 1_024..=4_096;

const ENCODING: Fault = Fault::Refused("this is not the encoding of an RSA key");
const SIZE: Fault = Fault::Refused("the modulus of an RSA key has 1024 to 4096 bits");
const PARTS: Fault = Fault::Refused("the numbers of the RSA key don't belong together");

fn checked(bits: usize) -> Result<(), Fault> {
    if BITS.contains(&bits) { Ok(()) } else { Err(SIZE) }
}

/// The longest encoding that a key of ours may have: eight numbers, the two longest of the modulus's length.
const MAX_DER: usize = 8 * 4_096 / 8;

fn public_key(der: &[u8]) -> Result<RsaPublicKey, Fault> {
    if der.len() > MAX_DER {
        return Err(SIZE);
    }
    let key = RsaPublicKey::from_pkcs1_der(der).map_err(|_| ENCODING)?;
    checked(key.n().bits())?;
    Ok(key)
}

fn private_key(der: &[u8]) -> Result<RsaPrivateKey, Fault> {
    // Before anything is computed with them.
    let numbers = pkcs1::RsaPrivateKey::from_der(der).map_err(|_| ENCODING)?;
    checked(BigUint::from_bytes_be(numbers.modulus.as_bytes()).bits())?;
    if der.len() > MAX_DER || numbers.other_prime_infos.is_some() {
        return Err(SIZE);
    }
    RsaPrivateKey::from_pkcs1_der(der).map_err(|_| PARTS)
}

fn private_der(key: &RsaPrivateKey) -> Result<Vec<u8>, Fault> {
    Ok(key.to_pkcs1_der().map_err(|_| ENCODING)?.as_bytes().to_vec())
}

fn public_der(key: &RsaPublicKey) -> Result<Vec<u8>, Fault> {
    Ok(key.to_pkcs1_der().map_err(|_| ENCODING)?.as_bytes().to_vec())
}

/// A prime of that many bits, the upper two set, so that the product of two has twice as many.
fn prime(bits: usize, pulse: Pulse<'_>) -> Result<BigUint, Fault> {
    loop {
        let mut bytes = fresh(bits / 8)?;
        if let [first, .., last] = bytes.as_mut_slice() {
            *first |= 0xC0;
            *last |= 1;
        }
        let candidate = BigUint::from_bytes_be(&bytes);
        // Twenty rounds: a number that was chosen by chance and isn't prime gets through with less than 2^-100.
        if num_bigint_dig::prime::probably_prime(&candidate, 20) {
            return Ok(candidate);
        }
        pulse.check()?;
    }
}

/// The crate's own way can't be told to stop.
pub(super) fn generate(bits: usize, exponent: &[u8], pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    checked(bits)?;
    if !bits.is_multiple_of(16) {
        return Err("the modulus of a new RSA key has a multiple of 16 bits".into());
    }
    let exponent = BigUint::from_bytes_be(exponent);
    if exponent != BigUint::from(65_537_u32) && exponent != BigUint::from(3_u8) {
        return Err("the public exponent of a new RSA key is 65537, or 3".into());
    }
    loop {
        let (p, q) = (prime(bits / 2, pulse)?, prime(bits / 2, pulse)?);
        // Refused where the exponent has no inverse: three times out of four with 3, almost never with the other.
        if p == q {
            continue;
        }
        if let Ok(key) = RsaPrivateKey::from_p_q(p, q, exponent.clone())
            && key.validate().is_ok()
        {
            return private_der(&key);
        }
        pulse.check()?;
    }
}

pub(super) fn public(private: &[u8]) -> Result<Vec<u8>, Fault> {
    public_der(&private_key(private)?.to_public_key())
}

pub(super) fn import(format: Format, der: &[u8]) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Spki if der.len() > MAX_DER => Err(SIZE),
        Format::Spki => {
            let key = RsaPublicKey::from_public_key_der(der).map_err(|_| ENCODING)?;
            checked(key.n().bits())?;
            public_der(&key)
        }
        Format::Pkcs8 => {
            let info = PrivateKeyInfo::from_der(der).map_err(|_| ENCODING)?;
            private_key(info.private_key)?;
            private_der(&RsaPrivateKey::from_pkcs8_der(der).map_err(|_| ENCODING)?)
        }
    }
}

pub(super) fn export(format: Format, key: &[u8]) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Spki => Ok(public_key(key)?.to_public_key_der().map_err(|_| ENCODING)?.as_bytes().to_vec()),
        Format::Pkcs8 => Ok(private_key(key)?.to_pkcs8_der().map_err(|_| ENCODING)?.as_bytes().to_vec()),
    }
}

pub(super) fn parts(is_private: bool, key: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    if !is_private {
        let key = public_key(key)?;
        return Ok(vec![key.n().to_bytes_be(), key.e().to_bytes_be()]);
    }
    private_key(key)?;
    let numbers = pkcs1::RsaPrivateKey::from_der(key).map_err(|_| ENCODING)?;
    let all = [
        numbers.modulus,
        numbers.public_exponent,
        numbers.private_exponent,
        numbers.prime1,
        numbers.prime2,
        numbers.exponent1,
        numbers.exponent2,
        numbers.coefficient,
    ];
    Ok(all.iter().map(|number| number.as_bytes().to_vec()).collect())
}

pub(super) fn join(parts: &[Vec<u8>]) -> Result<Vec<u8>, Fault> {
    if parts.iter().any(|part| part.len() > 4_096 / 8 + 1) {
        return Err(SIZE);
    }
    let number = |at: usize| parts.get(at).map(|part| BigUint::from_bytes_be(part)).ok_or(PARTS);
    checked(number(0)?.bits())?;
    if parts.len() == 2 {
        return public_der(&RsaPublicKey::new(number(0)?, number(1)?).map_err(|_| PARTS)?);
    }
    let primes = if parts.len() > 4 { vec![number(3)?, number(4)?] } else { Vec::new() };
    let key = RsaPrivateKey::from_components(number(0)?, number(1)?, number(2)?, primes).map_err(|_| PARTS)?;
    if key.primes().len() != 2 {
        return Err(PARTS);
    }
    private_der(&key)
}

fn pkcs1(hash: Hash) -> Pkcs1v15Sign {
    match hash {
        Hash::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
        Hash::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
        Hash::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
        Hash::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
    }
}

fn pss(hash: Hash, salt: usize) -> Pss {
    match hash {
        Hash::Sha1 => Pss::new_blinded_with_salt::<Sha1>(salt),
        Hash::Sha256 => Pss::new_blinded_with_salt::<Sha256>(salt),
        Hash::Sha384 => Pss::new_blinded_with_salt::<Sha384>(salt),
        Hash::Sha512 => Pss::new_blinded_with_salt::<Sha512>(salt),
    }
}

fn oaep(hash: Hash, label: Vec<u8>) -> Result<Oaep, Fault> {
    let label = String::from_utf8(label).map_err(|_| "the label of RSA-OAEP is text in UTF-8")?;
    let mut padding = match hash {
        Hash::Sha1 => Oaep::new::<Sha1>(),
        Hash::Sha256 => Oaep::new::<Sha256>(),
        Hash::Sha384 => Oaep::new::<Sha384>(),
        Hash::Sha512 => Oaep::new::<Sha512>(),
    };
    padding.label = (!label.is_empty()).then_some(label);
    Ok(padding)
}

/// How long a salt of PSS can be with a key and a digest.
fn fits(salt: usize, hash: Hash, key: &impl PublicKeyParts) -> bool {
    (key.n().bits() - 1).div_ceil(8) >= hash.size() + salt + 2
}

pub(super) fn sign(hash: Hash, salt: Option<usize>, key: &[u8], digest: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = private_key(key)?;
    match salt {
        None => key.sign_with_rng(&mut OsRng, pkcs1(hash), digest),
        Some(salt) if fits(salt, hash, &key) => key.sign_with_rng(&mut OsRng, pss(hash, salt), digest),
        Some(_) => return Err("the salt is too long for the key".into()),
    }
    .map_err(|_| "the key is too short for the digest".into())
}

pub(super) fn verify(hash: Hash, salt: Option<usize>, key: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, Fault> {
    let key = public_key(key)?;
    Ok(match salt {
        None => key.verify(pkcs1(hash), digest, signature).is_ok(),
        Some(salt) => fits(salt, hash, &key) && key.verify(pss(hash, salt), digest, signature).is_ok(),
    })
}

pub(super) fn encrypt(hash: Hash, key: &[u8], label: Vec<u8>, data: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = public_key(key)?;
    if data.len() + 2 * hash.size() + 2 > key.size() {
        return Err("the data is too long for the key: encrypt it with AES, and the key of that with RSA".into());
    }
    key.encrypt(&mut OsRng, oaep(hash, label)?, data).map_err(|_| "the data can not be encrypted".into())
}

pub(super) fn decrypt(hash: Hash, key: &[u8], label: Vec<u8>, data: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = private_key(key)?;
    key.decrypt_blinded(&mut OsRng, oaep(hash, label)?, data).map_err(|_| "the data was not encrypted for this key, or was changed".into())
}

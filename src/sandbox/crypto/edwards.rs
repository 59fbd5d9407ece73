//! Ed25519 and X25519. A key of either is 32 bytes, private or public.

use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use p256::pkcs8::der::Decode;
use p256::pkcs8::{ObjectIdentifier, PrivateKeyInfo, SubjectPublicKeyInfoRef};

use super::{Fault, Format};

/// What names the algorithm in the encoding of a key: the last byte of 1.3.101.n.
pub(super) const ED25519: u8 = 112;
pub(super) const X25519: u8 = 110;

const LENGTH: Fault = Fault::Refused("a key of this curve has 32 bytes");
const ENCODING: Fault = Fault::Refused("this is not the encoding of a key on the curve");

fn whole(key: &[u8]) -> Result<[u8; 32], Fault> {
    key.try_into().map_err(|_| LENGTH)
}

/// Any 32 bytes are kept as a public key: those that stand for no point verify nothing.
pub(super) fn point(bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    if bytes.len() == 32 { Ok(bytes) } else { Err(LENGTH) }
}

pub(super) fn signing_public(seed: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(SigningKey::from_bytes(&whole(seed)?).verifying_key().to_bytes().to_vec())
}

pub(super) fn agreement_public(secret: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(MontgomeryPoint::mul_base_clamped(whole(secret)?).to_bytes().to_vec())
}

pub(super) fn sign(seed: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
    Ok(SigningKey::from_bytes(&whole(seed)?).sign(data).to_bytes().to_vec())
}

/// Refuses keys and signatures of small order too: with those one signature fits many messages.
pub(super) fn verify(key: &[u8], data: &[u8], signature: &[u8]) -> Result<bool, Fault> {
    let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(&whole(key)?), Signature::from_slice(signature)) else { return Ok(false) };
    Ok(key.verify_strict(data, &signature).is_ok())
}

pub(super) fn derive(secret: &[u8], public: &[u8]) -> Result<Vec<u8>, Fault> {
    let shared = MontgomeryPoint(whole(public)?).mul_clamped(whole(secret)?).to_bytes();
    // A point of small order leaves nothing of the secret.
    if shared == [0; 32] { Err("the public key is of small order".into()) } else { Ok(shared.to_vec()) }
}

fn oid(arc: u8) -> Result<ObjectIdentifier, Fault> {
    ObjectIdentifier::from_arcs([1, 3, 101, u32::from(arc)]).map_err(|_| ENCODING)
}

pub(super) fn import(arc: u8, format: Format, der: &[u8]) -> Result<Vec<u8>, Fault> {
    let fits =
        |algorithm: &p256::pkcs8::AlgorithmIdentifierRef<'_>| Ok::<_, Fault>(algorithm.oid == oid(arc)? && algorithm.parameters.is_none());
    match format {
        Format::Spki => {
            let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| ENCODING)?;
            let key = info.subject_public_key.as_bytes().filter(|key| key.len() == 32).ok_or(ENCODING)?;
            if fits(&info.algorithm)? { Ok(key.to_vec()) } else { Err(ENCODING) }
        }
        Format::Pkcs8 => {
            let info = PrivateKeyInfo::from_der(der).map_err(|_| ENCODING)?;
            // An octet string in an octet string.
            let key = info.private_key.strip_prefix(&[0x04, 0x20]).filter(|key| key.len() == 32).ok_or(ENCODING)?;
            if fits(&info.algorithm)? { Ok(key.to_vec()) } else { Err(ENCODING) }
        }
    }
}

/// RFC 8410: all lengths are known, so the encoding is a prefix.
pub(super) fn export(arc: u8, format: Format, key: &[u8]) -> Result<Vec<u8>, Fault> {
    let key = whole(key)?;
    let mut der = match format {
        Format::Spki => vec![0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, arc, 0x03, 0x21, 0x00],
        Format::Pkcs8 => vec![0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, arc, 0x04, 0x22, 0x04, 0x20],
    };
    der.extend_from_slice(&key);
    Ok(der)
}

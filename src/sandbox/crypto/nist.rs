//! Keys on the curves P-256 and P-384: ECDSA and ECDH. A private key is its scalar, a public one its point, uncompressed.

/// The functions for one curve. Two crates, one interface.
macro_rules! curve {
    ($name:ident, $size:literal) => {
        pub(in super::super) mod $name {
            use ::$name::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
            use ::$name::ecdsa::{Signature, SigningKey, VerifyingKey};
            use ::$name::elliptic_curve::sec1::ToEncodedPoint;
            use ::$name::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
            use ::$name::{PublicKey, SecretKey, ecdh};

            use super::super::{Fault, Format, fresh};

            fn private(scalar: &[u8]) -> Result<SecretKey, Fault> {
                SecretKey::from_slice(scalar).map_err(|_| Fault::Refused("this is no private key of the curve"))
            }

            fn parsed(point: &[u8]) -> Result<PublicKey, Fault> {
                PublicKey::from_sec1_bytes(point).map_err(|_| Fault::Refused("this is no point of the curve"))
            }

            fn bytes(key: &PublicKey) -> Vec<u8> {
                key.to_encoded_point(false).as_bytes().to_vec()
            }

            pub(in super::super) fn generate() -> Result<Vec<u8>, Fault> {
                // All but very few numbers of this length are scalars.
                for _ in 0..64 {
                    let scalar = fresh($size)?;
                    if SecretKey::from_slice(&scalar).is_ok() {
                        return Ok(scalar);
                    }
                }
                Err("the system gives no random bytes".into())
            }

            pub(in super::super) fn public(scalar: &[u8]) -> Result<Vec<u8>, Fault> {
                Ok(bytes(&private(scalar)?.public_key()))
            }

            pub(in super::super) fn point(given: &[u8]) -> Result<Vec<u8>, Fault> {
                Ok(bytes(&parsed(given)?))
            }

            pub(in super::super) fn import(format: Format, der: &[u8]) -> Result<Vec<u8>, Fault> {
                match format {
                    Format::Spki => PublicKey::from_public_key_der(der).map(|key| bytes(&key)).map_err(drop),
                    Format::Pkcs8 => SecretKey::from_pkcs8_der(der).map(|key| key.to_bytes().to_vec()).map_err(drop),
                }
                .map_err(|()| Fault::Refused("this is not the encoding of a key on the curve"))
            }

            pub(in super::super) fn export(format: Format, key: &[u8]) -> Result<Vec<u8>, Fault> {
                match format {
                    Format::Spki => parsed(key)?.to_public_key_der().map(|der| der.as_bytes().to_vec()).map_err(drop),
                    Format::Pkcs8 => private(key)?.to_pkcs8_der().map(|der| der.as_bytes().to_vec()).map_err(drop),
                }
                .map_err(|()| Fault::Refused("the key can not be encoded"))
            }

            /// A digest that is shorter than the curve's numbers stands for a number all the same.
            fn widened(digest: &[u8]) -> Vec<u8> {
                let mut wide = vec![0; ($size as usize).saturating_sub(digest.len())];
                wide.extend_from_slice(digest);
                wide
            }

            pub(in super::super) fn sign(scalar: &[u8], digest: &[u8]) -> Result<Vec<u8>, Fault> {
                let key = SigningKey::from(private(scalar)?);
                let signature: Signature = key.sign_prehash(&widened(digest)).map_err(|_| "the digest can not be signed")?;
                Ok(signature.to_bytes().to_vec())
            }

            pub(in super::super) fn verify(point: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, Fault> {
                let key = VerifyingKey::from(parsed(point)?);
                let Ok(signature) = Signature::from_slice(signature) else { return Ok(false) };
                Ok(key.verify_prehash(&widened(digest), &signature).is_ok())
            }

            pub(in super::super) fn derive(scalar: &[u8], point: &[u8]) -> Result<Vec<u8>, Fault> {
                let secret = ecdh::diffie_hellman(private(scalar)?.to_nonzero_scalar(), parsed(point)?.as_affine());
                Ok(secret.raw_secret_bytes().to_vec())
            }
        }
    };
}

curve!(p256, 32);
curve!(p384, 48);

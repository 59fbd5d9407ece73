//! AES in the modes GCM, CBC and CTR, and the wrapping of keys.

use aes::cipher::{BlockDecryptMut, BlockEncrypt, BlockEncryptMut, KeyInit, KeyIvInit};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::{AeadInPlace, AesGcm};
use subtle::ConstantTimeEq;

use super::{Fault, Pulse};

const BLOCK: usize = 16;

/// The length of a whole tag.
const TAG: usize = 16;

/// Blocks that are worked on before the clock is looked at.
const BLOCKS: usize = 2_048;

const KEY: Fault = Fault::Refused("a key for AES has 128, 192 or 256 bits");
const FALSE: Fault = Fault::Refused("the data was not encrypted with this key, or was changed");

/// Calls a function that is generic over the cipher with the one that the key's length asks for.
macro_rules! with_cipher {
    ($key:expr, $function:ident($($arg:expr),*)) => {
        match $key.len() {
            16 => $function::<Aes128>($key, $($arg),*),
            24 => $function::<Aes192>($key, $($arg),*),
            32 => $function::<Aes256>($key, $($arg),*),
            _ => Err(KEY),
        }
    };
}

/// Encrypts in place; the tag.
fn seal(key: &[u8], iv: &[u8], data: &mut [u8], extra: &[u8]) -> Result<[u8; TAG], Fault> {
    fn by<C: KeyInit + AeadInPlace<TagSize = U16>>(key: &[u8], iv: &[u8], data: &mut [u8], extra: &[u8]) -> Result<[u8; TAG], Fault> {
        let cipher = C::new_from_slice(key).map_err(|_| KEY)?;
        let tag = cipher.encrypt_in_place_detached(iv.into(), extra, data).map_err(|_| "the data is too long")?;
        Ok(tag.into())
    }
    match (key.len(), iv.len()) {
        (16, 12) => by::<AesGcm<Aes128, U12>>(key, iv, data, extra),
        (24, 12) => by::<AesGcm<Aes192, U12>>(key, iv, data, extra),
        (32, 12) => by::<AesGcm<Aes256, U12>>(key, iv, data, extra),
        (16, 16) => by::<AesGcm<Aes128, U16>>(key, iv, data, extra),
        (24, 16) => by::<AesGcm<Aes192, U16>>(key, iv, data, extra),
        (32, 16) => by::<AesGcm<Aes256, U16>>(key, iv, data, extra),
        (16 | 24 | 32, _) => Err("AES-GCM takes an iv of 12 bytes, or of 16".into()),
        _ => Err(KEY),
    }
}

pub(super) fn gcm_seal(key: &[u8], iv: &[u8], mut data: Vec<u8>, extra: &[u8], tag_size: usize) -> Result<Vec<u8>, Fault> {
    let tag = seal(key, iv, &mut data, extra)?;
    data.extend_from_slice(&tag[..tag_size.min(TAG)]);
    Ok(data)
}

/// Its cipher is its own inverse, so sealing the other way round gives the text, and sealing that gives the tag that should have come with
/// it, of which any part can be compared.
pub(super) fn gcm_open(key: &[u8], iv: &[u8], mut data: Vec<u8>, extra: &[u8], tag_size: usize) -> Result<Vec<u8>, Fault> {
    let end = data.len().checked_sub(tag_size).ok_or("the data is shorter than its tag")?;
    let given = data.split_off(end);
    seal(key, iv, &mut data, extra)?;
    let tag = seal(key, iv, &mut data.clone(), extra)?;
    if bool::from(tag[..tag_size.min(TAG)].ct_eq(&given)) { Ok(data) } else { Err(FALSE) }
}

pub(super) fn cbc_encrypt(key: &[u8], iv: &[u8], mut data: Vec<u8>, pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    fn by<C: aes::cipher::BlockCipher + BlockEncryptMut + KeyInit>(
        key: &[u8],
        iv: &[u8],
        data: &mut [u8],
        pulse: Pulse<'_>,
    ) -> Result<(), Fault>
    where
        cbc::Encryptor<C>: KeyIvInit + BlockEncryptMut,
    {
        let mut cipher = cbc::Encryptor::<C>::new_from_slices(key, iv).map_err(|_| KEY)?;
        for (at, block) in data.chunks_exact_mut(BLOCK).enumerate() {
            cipher.encrypt_block_mut(block.into());
            if at % BLOCKS == 0 {
                pulse.check()?;
            }
        }
        Ok(())
    }
    // PKCS#7: as many bytes as are missing to a block, each with that number; a whole block where none is missing.
    let missing = BLOCK - data.len() % BLOCK;
    data.resize(data.len() + missing, missing as u8);
    with_cipher!(key, by(iv, &mut data, pulse))?;
    Ok(data)
}

pub(super) fn cbc_decrypt(key: &[u8], iv: &[u8], mut data: Vec<u8>, pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    fn by<C: aes::cipher::BlockCipher + BlockDecryptMut + KeyInit>(
        key: &[u8],
        iv: &[u8],
        data: &mut [u8],
        pulse: Pulse<'_>,
    ) -> Result<(), Fault>
    where
        cbc::Decryptor<C>: KeyIvInit + BlockDecryptMut,
    {
        let mut cipher = cbc::Decryptor::<C>::new_from_slices(key, iv).map_err(|_| KEY)?;
        for (at, block) in data.chunks_exact_mut(BLOCK).enumerate() {
            cipher.decrypt_block_mut(block.into());
            if at % BLOCKS == 0 {
                pulse.check()?;
            }
        }
        Ok(())
    }
    if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return Err(FALSE);
    }
    with_cipher!(key, by(iv, &mut data, pulse))?;
    let missing = usize::from(*data.last().ok_or(FALSE)?);
    let whole = (1..=BLOCK).contains(&missing) && data.iter().rev().take(missing).all(|byte| usize::from(*byte) == missing);
    if !whole {
        return Err(FALSE);
    }
    data.truncate(data.len() - missing);
    Ok(data)
}

/// The last `bits` of the first block count, the others stay.
pub(super) fn ctr(key: &[u8], counter: &[u8], mut data: Vec<u8>, bits: usize, pulse: Pulse<'_>) -> Result<Vec<u8>, Fault> {
    fn by<C: BlockEncrypt<BlockSize = U16> + KeyInit>(
        key: &[u8],
        start: u128,
        mask: u128,
        data: &mut [u8],
        pulse: Pulse<'_>,
    ) -> Result<(), Fault> {
        let cipher = C::new_from_slice(key).map_err(|_| KEY)?;
        for (at, piece) in (0_u128..).zip(data.chunks_mut(BLOCK)) {
            let counter = (start & !mask) | (start.wrapping_add(at) & mask);
            let mut block = counter.to_be_bytes().into();
            cipher.encrypt_block(&mut block);
            piece.iter_mut().zip(block).for_each(|(byte, key)| *byte ^= key);
            if at % BLOCKS as u128 == 0 {
                pulse.check()?;
            }
        }
        Ok(())
    }
    let start = u128::from_be_bytes(counter.try_into().map_err(|_| "the counter of AES-CTR has 16 bytes")?);
    let mask = match bits {
        1..=127 => (1 << bits) - 1,
        128 => u128::MAX,
        _ => return Err("the counter of AES-CTR counts with 1 to 128 bits".into()),
    };
    if bits < 64 && data.len().div_ceil(BLOCK) as u64 > 1 << bits {
        return Err("the data is longer than the counter counts".into());
    }
    with_cipher!(key, by(start, mask, &mut data, pulse))?;
    Ok(data)
}

/// RFC 3394.
pub(super) fn wrap(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
    // The algorithm goes through the data six times for each eight bytes of it: it is for keys.
    if data.len() > 64 * 1024 {
        return Err("AES-KW wraps keys, and this is longer than any".into());
    }
    match key.len() {
        16 => aes_kw::KekAes128::new(key.into()).wrap_vec(data),
        24 => aes_kw::KekAes192::new(key.into()).wrap_vec(data),
        32 => aes_kw::KekAes256::new(key.into()).wrap_vec(data),
        _ => return Err(KEY),
    }
    .map_err(|_| "AES-KW wraps multiples of 8 bytes: wrap this key with AES-GCM".into())
}

pub(super) fn unwrap(key: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
    if data.len() > 64 * 1024 + 8 {
        return Err(FALSE);
    }
    match key.len() {
        16 => aes_kw::KekAes128::new(key.into()).unwrap_vec(data),
        24 => aes_kw::KekAes192::new(key.into()).unwrap_vec(data),
        32 => aes_kw::KekAes256::new(key.into()).unwrap_vec(data),
        _ => return Err(KEY),
    }
    .map_err(|_| FALSE)
}

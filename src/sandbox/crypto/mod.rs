//! The native half of `crypto`: digests, keys, signatures and ciphers over bytes, for `prelude/web/crypto*.js`.
//!
//! It knows nothing of the objects that code sees. A key comes in as bytes and goes out as bytes, in one form for each kind (a secret as
//! it is, an RSA key in the encoding of PKCS#1, a key on a curve as its scalar or its point): a heap that is put back must not be pointed
//! into, so nothing of a key stays here between two calls. What may be done with a key is decided in JS, by the key's object.
//!
//! No code can be interrupted in here, so whatever takes long looks at the clock itself, see [`Pulse`].

mod aes;
mod edwards;
mod hash;
mod nist;
mod rsa;

use std::ffi::{CStr, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rquickjs::qjs::{self, JSValue};
use subtle::ConstantTimeEq;

use super::engine::{Exception, Js, Native, Val};
use super::native::{Ask, native, stop};
use super::shared::Shared;
use hash::Hash;

/// The object that `crypto` is made with.
pub(super) fn natives(js: Js) -> Result<Val, Exception> {
    const ALL: &[(&CStr, c_int, Native)] = &[
        (c"random", 1, random),
        (c"uuid", 0, uuid),
        (c"equal", 2, equal),
        (c"toBase64Url", 1, to_base64_url),
        (c"fromBase64Url", 1, from_base64_url),
        (c"digest", 2, digest),
        (c"hmac", 3, hmac),
        (c"hkdf", 5, hkdf),
        (c"pbkdf2", 5, pbkdf2),
        (c"aes", 7, aes_run),
        (c"rsaGenerate", 2, rsa_generate),
        (c"rsaPublic", 1, rsa_public),
        (c"rsaImport", 2, rsa_import),
        (c"rsaExport", 2, rsa_export),
        (c"rsaParts", 2, rsa_parts),
        (c"rsaJoin", 1, rsa_join),
        (c"rsaSign", 5, rsa_sign),
        (c"rsaVerify", 6, rsa_verify),
        (c"rsaEncrypt", 4, rsa_encrypt),
        (c"rsaDecrypt", 4, rsa_decrypt),
        (c"curvePublic", 2, curve_public),
        (c"curvePoint", 2, curve_point),
        (c"curveGenerate", 1, curve_generate),
        (c"curveImport", 3, curve_import),
        (c"curveExport", 3, curve_export),
        (c"curveSign", 4, curve_sign),
        (c"curveVerify", 5, curve_verify),
        (c"curveDerive", 3, curve_derive),
    ];
    js.functions(ALL)
}

/// Bytes that one call of `getRandomValues` may ask for.
const MAX_RANDOM: usize = 65_536;

/// Why there is no result.
enum Fault {
    /// What the code is told.
    Refused(&'static str),
    /// The time of the call is over.
    Late,
    /// An exception waits in the engine.
    Thrown,
}

impl From<&'static str> for Fault {
    fn from(text: &'static str) -> Self {
        Self::Refused(text)
    }
}

impl From<Exception> for Fault {
    fn from(Exception: Exception) -> Self {
        Self::Thrown
    }
}

/// The clock of the call, for what computes long. Asked about every fraction of a millisecond of work.
#[derive(Clone, Copy)]
struct Pulse<'a>(&'a Shared);

impl Pulse<'_> {
    fn check(self) -> Result<(), Fault> {
        if self.0.breach().is_some() { Err(Fault::Late) } else { Ok(()) }
    }
}

/// Random bytes of the system's: fresh in each call, because nothing of a generator is part of a heap that is put back.
fn fresh(length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Refused("the system gives no random bytes"))?;
    Ok(bytes)
}

/// What is handed to JS.
enum Out {
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Vec<u8>>),
    Flag(bool),
    Nothing,
}

/// Hands over what was computed: a refusal is a text, which no result that can be refused is. A panic in a library ends the operation and
/// not the process: keys are input, and so are numbers in them that nobody thought of.
fn answer(ask: &Ask<'_>, work: impl FnOnce() -> Result<Out, Fault>) -> JSValue {
    let out = catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(Fault::Refused("the key or the data can not be used")));
    let made = match out {
        Ok(Out::Bytes(bytes)) => ask.new_bytes(&bytes),
        Ok(Out::Text(text)) => ask.new_text(&text),
        Ok(Out::List(list)) => (|| {
            let array = ask.js.array()?;
            for (index, bytes) in (0..).zip(&list) {
                ask.js.set_index(&array, index, ask.js.bytes(bytes)?)?;
            }
            Ok(array.into_raw())
        })(),
        Ok(Out::Flag(true)) => Ok(qjs::JS_TRUE),
        Ok(Out::Flag(false)) => Ok(qjs::JS_FALSE),
        Ok(Out::Nothing) => Ok(qjs::JS_UNDEFINED),
        Err(Fault::Refused(text)) => ask.new_text(text),
        Err(Fault::Late) => Ok(stop(ask.js)),
        Err(Fault::Thrown) => Err(Exception),
    };
    made.unwrap_or(qjs::JS_EXCEPTION)
}

/// The arguments as the functions below read them. What isn't what it has to be is a mistake of the glue's.
impl Ask<'_> {
    fn pulse(&self) -> Pulse<'_> {
        Pulse(self.shared)
    }

    /// Bytes of a view, copied: at most as many as the heap holds.
    fn input(&self, index: usize) -> Result<Vec<u8>, Fault> {
        Ok(self.with_bytes(self.arg(index), <[u8]>::to_vec)?)
    }

    fn hash(&self, index: usize) -> Result<Hash, Fault> {
        Hash::named(&self.text(index)?).ok_or(Fault::Refused("there is no such digest"))
    }

    fn size(&self, index: usize) -> Result<usize, Fault> {
        self.integer(index).map(|n| n as usize).ok_or(Fault::Refused("a length is missing"))
    }
}

/// The curves that keys lie on.
#[derive(Clone, Copy)]
enum Curve {
    P256,
    P384,
    Ed25519,
    X25519,
}

fn curve(ask: &Ask<'_>) -> Result<Curve, Fault> {
    Ok(match ask.text(0)?.as_str() {
        "P-256" => Curve::P256,
        "P-384" => Curve::P384,
        "Ed25519" => Curve::Ed25519,
        "X25519" => Curve::X25519,
        _ => return Err(Fault::Refused("there is no such curve")),
    })
}

/// The encodings of whole keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Spki,
    Pkcs8,
}

fn format(ask: &Ask<'_>, index: usize) -> Result<Format, Fault> {
    Ok(if ask.text(index)? == "spki" { Format::Spki } else { Format::Pkcs8 })
}

native! {
    /// `random(length)`
    random(ask) => answer(ask, || {
        let length = ask.size(0)?;
        if length > MAX_RANDOM {
            return Err("more than 65,536 bytes at once".into());
        }
        fresh(length).map(Out::Bytes)
    });

    /// `uuid()`: a random one, as text.
    uuid(ask) => answer(ask, || {
        let bytes = fresh(16)?;
        let bytes = <[u8; 16]>::try_from(bytes).map_err(|_| "sixteen bytes are sixteen")?;
        Ok(Out::Text(::uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()))
    });

    /// `equal(a, b)`: in a time that depends on the lengths only.
    equal(ask) => answer(ask, || Ok(Out::Flag(bool::from(ask.input(0)?.ct_eq(&ask.input(1)?)))));

    /// `toBase64Url(bytes)`: without padding.
    to_base64_url(ask) => answer(ask, || Ok(Out::Text(BASE64_URL_SAFE_NO_PAD.encode(ask.input(0)?))));

    /// `fromBase64Url(text)`: the bytes, `undefined` if it isn't base64url without padding.
    from_base64_url(ask) => answer(ask, || {
        Ok(BASE64_URL_SAFE_NO_PAD.decode(ask.text(0)?).map_or(Out::Nothing, Out::Bytes))
    });

    /// `digest(hash, data)`
    digest(ask) => answer(ask, || hash::digest(ask.hash(0)?, &ask.input(1)?, ask.pulse()).map(Out::Bytes));

    /// `hmac(hash, key, data)`
    hmac(ask) => answer(ask, || hash::hmac(ask.hash(0)?, &ask.input(1)?, &ask.input(2)?, ask.pulse()).map(Out::Bytes));

    /// `hkdf(hash, key, salt, info, length)`
    hkdf(ask) => answer(ask, || {
        hash::hkdf(ask.hash(0)?, &ask.input(1)?, &ask.input(2)?, &ask.input(3)?, ask.size(4)?).map(Out::Bytes)
    });

    /// `pbkdf2(hash, password, salt, iterations, length)`
    pbkdf2(ask) => answer(ask, || {
        let (iterations, length) = (ask.size(3)?, ask.size(4)?);
        ask.within_limit(length)?;
        hash::pbkdf2(ask.hash(0)?, &ask.input(1)?, &ask.input(2)?, iterations, length, ask.pulse()).map(Out::Bytes)
    });

    /// `aes(mode, encrypts, key, iv, data, extra, size)`: `extra` is what GCM authenticates besides, `size` its tag's length in bytes or
    /// the length of CTR's counter in bits.
    aes_run(ask) => answer(ask, || {
        let (mode, key, iv, data) = (ask.text(0)?, ask.input(2)?, ask.input(3)?, ask.input(4)?);
        let size = || ask.size(6);
        let out = match (mode.as_str(), ask.flag(1)) {
            ("gcm", true) => aes::gcm_seal(&key, &iv, data, &ask.input(5)?, size()?),
            ("gcm", false) => aes::gcm_open(&key, &iv, data, &ask.input(5)?, size()?),
            ("cbc", true) => aes::cbc_encrypt(&key, &iv, data, ask.pulse()),
            ("cbc", false) => aes::cbc_decrypt(&key, &iv, data, ask.pulse()),
            ("ctr", _) => aes::ctr(&key, &iv, data, size()?, ask.pulse()),
            ("kw", true) => aes::wrap(&key, &data),
            ("kw", false) => aes::unwrap(&key, &data),
            _ => Err("there is no such mode".into()),
        };
        out.map(Out::Bytes)
    });

    /// `rsaGenerate(bits, exponent)`: a private key.
    rsa_generate(ask) => answer(ask, || rsa::generate(ask.size(0)?, &ask.input(1)?, ask.pulse()).map(Out::Bytes));

    /// `rsaPublic(private)`
    rsa_public(ask) => answer(ask, || rsa::public(&ask.input(0)?).map(Out::Bytes));

    /// `rsaImport(format, der)`
    rsa_import(ask) => answer(ask, || rsa::import(format(ask, 0)?, &ask.input(1)?).map(Out::Bytes));

    /// `rsaExport(format, key)`
    rsa_export(ask) => answer(ask, || rsa::export(format(ask, 0)?, &ask.input(1)?).map(Out::Bytes));

    /// `rsaParts(isPrivate, key)`: n and e, and of a private key d, p, q, dp, dq, qi.
    rsa_parts(ask) => answer(ask, || rsa::parts(ask.flag(0), &ask.input(1)?).map(Out::List));

    /// `rsaJoin(list)`: the key of n and e, or of n, e, d and perhaps p and q.
    rsa_join(ask) => answer(ask, || {
        let mut parts = Vec::new();
        for part in ask.elements(ask.arg(0))? {
            parts.push(ask.with_bytes(part.raw(), <[u8]>::to_vec)?);
        }
        rsa::join(&parts).map(Out::Bytes)
    });

    /// `rsaSign(hash, salt, key, data)`: by PSS with a salt of that length, by PKCS#1 1.5 without one.
    rsa_sign(ask) => answer(ask, || {
        let digest = hash::digest(ask.hash(0)?, &ask.input(3)?, ask.pulse())?;
        rsa::sign(ask.hash(0)?, ask.integer(1).map(|n| n as usize), &ask.input(2)?, &digest).map(Out::Bytes)
    });

    /// `rsaVerify(hash, salt, key, data, signature)`
    rsa_verify(ask) => answer(ask, || {
        let digest = hash::digest(ask.hash(0)?, &ask.input(3)?, ask.pulse())?;
        rsa::verify(ask.hash(0)?, ask.integer(1).map(|n| n as usize), &ask.input(2)?, &digest, &ask.input(4)?).map(Out::Flag)
    });

    /// `rsaEncrypt(hash, key, label, data)`: by OAEP.
    rsa_encrypt(ask) => answer(ask, || rsa::encrypt(ask.hash(0)?, &ask.input(1)?, ask.input(2)?, &ask.input(3)?).map(Out::Bytes));

    /// `rsaDecrypt(hash, key, label, data)`
    rsa_decrypt(ask) => answer(ask, || rsa::decrypt(ask.hash(0)?, &ask.input(1)?, ask.input(2)?, &ask.input(3)?).map(Out::Bytes));

    /// `curvePublic(curve, private)`
    curve_public(ask) => answer(ask, || {
        let key = ask.input(1)?;
        match curve(ask)? {
            Curve::P256 => nist::p256::public(&key),
            Curve::P384 => nist::p384::public(&key),
            Curve::Ed25519 => edwards::signing_public(&key),
            Curve::X25519 => edwards::agreement_public(&key),
        }.map(Out::Bytes)
    });

    /// `curvePoint(curve, bytes)`: the form in which public keys are kept, if that is one.
    curve_point(ask) => answer(ask, || {
        let bytes = ask.input(1)?;
        match curve(ask)? {
            Curve::P256 => nist::p256::point(&bytes),
            Curve::P384 => nist::p384::point(&bytes),
            Curve::Ed25519 | Curve::X25519 => edwards::point(bytes),
        }.map(Out::Bytes)
    });

    /// `curveGenerate(curve)`: a private key.
    curve_generate(ask) => answer(ask, || match curve(ask)? {
        Curve::P256 => nist::p256::generate(),
        Curve::P384 => nist::p384::generate(),
        Curve::Ed25519 | Curve::X25519 => fresh(32),
    }.map(Out::Bytes));

    /// `curveImport(curve, format, der)`
    curve_import(ask) => answer(ask, || {
        let (format, der) = (format(ask, 1)?, ask.input(2)?);
        match curve(ask)? {
            Curve::P256 => nist::p256::import(format, &der),
            Curve::P384 => nist::p384::import(format, &der),
            Curve::Ed25519 => edwards::import(edwards::ED25519, format, &der),
            Curve::X25519 => edwards::import(edwards::X25519, format, &der),
        }.map(Out::Bytes)
    });

    /// `curveExport(curve, format, key)`
    curve_export(ask) => answer(ask, || {
        let (format, key) = (format(ask, 1)?, ask.input(2)?);
        match curve(ask)? {
            Curve::P256 => nist::p256::export(format, &key),
            Curve::P384 => nist::p384::export(format, &key),
            Curve::Ed25519 => edwards::export(edwards::ED25519, format, &key),
            Curve::X25519 => edwards::export(edwards::X25519, format, &key),
        }.map(Out::Bytes)
    });

    /// `curveSign(curve, hash, key, data)`: Ed25519 has its own digest.
    curve_sign(ask) => answer(ask, || {
        let (key, data) = (ask.input(2)?, ask.input(3)?);
        match curve(ask)? {
            Curve::P256 => nist::p256::sign(&key, &hash::digest(ask.hash(1)?, &data, ask.pulse())?),
            Curve::P384 => nist::p384::sign(&key, &hash::digest(ask.hash(1)?, &data, ask.pulse())?),
            Curve::Ed25519 => edwards::sign(&key, &data),
            Curve::X25519 => Err("a key of X25519 signs nothing".into()),
        }.map(Out::Bytes)
    });

    /// `curveVerify(curve, hash, key, data, signature)`
    curve_verify(ask) => answer(ask, || {
        let (key, data, signature) = (ask.input(2)?, ask.input(3)?, ask.input(4)?);
        match curve(ask)? {
            Curve::P256 => nist::p256::verify(&key, &hash::digest(ask.hash(1)?, &data, ask.pulse())?, &signature),
            Curve::P384 => nist::p384::verify(&key, &hash::digest(ask.hash(1)?, &data, ask.pulse())?, &signature),
            Curve::Ed25519 => edwards::verify(&key, &data, &signature),
            Curve::X25519 => Err("a key of X25519 verifies nothing".into()),
        }.map(Out::Flag)
    });

    /// `curveDerive(curve, private, public)`: the secret that both have.
    curve_derive(ask) => answer(ask, || {
        let (private, public) = (ask.input(1)?, ask.input(2)?);
        match curve(ask)? {
            Curve::P256 => nist::p256::derive(&private, &public),
            Curve::P384 => nist::p384::derive(&private, &public),
            Curve::X25519 => edwards::derive(&private, &public),
            Curve::Ed25519 => Err("a key of Ed25519 agrees on nothing".into()),
        }.map(Out::Bytes)
    });
}

//! Tokens: short-lived signed ones for access, random ones (stored hashed) for refresh and for machines.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::config::Secret;
use crate::error::{Error, ErrorCode, Result};

const ISSUER: &str = "trellis";
/// Of tokens that go out by mail: none of them is good for access, and no access token is good for what they are.
const MAIL_ISSUER: &str = "trellis mail";

/// What a token that goes out by mail is good for, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A new password for somebody who forgot theirs.
    Reset,
    /// The first password of somebody who was invited.
    Invite,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "password-reset",
            Self::Invite => "invite",
        }
    }
}

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The key in `daas_users`.
    pub id: String,
    /// When it was issued, seconds since 1970.
    pub iat: u64,
    /// When it runs out, seconds since 1970.
    pub exp: u64,
    /// The [`stamp`] of the user when it was issued: it is good for as long as that stays.
    #[serde(default)]
    pub stamp: String,
    iss: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
}

/// Signs and checks access tokens.
#[derive(Clone)]
pub struct Signer {
    encoding: EncodingKey,
    decoding: DecodingKey,
    clock: Clock,
}

impl Signer {
    /// A signer with the host's secret.
    pub fn new(secret: &Secret, clock: Clock) -> Self {
        let bytes = secret.reveal().as_bytes();
        Self { encoding: EncodingKey::from_secret(bytes), decoding: DecodingKey::from_secret(bytes), clock }
    }

    /// An access token for `user` that lives `ttl_secs`.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn sign(&self, user: &str, stamp: &str, ttl_secs: u64) -> Result<String> {
        self.encode(user, stamp, ttl_secs, ISSUER, None)
    }

    /// A token for `user` to be sent by mail, that lives `ttl_secs` at most.
    ///
    /// # Errors
    /// None that a caller could mend.
    pub fn sign_mail(&self, purpose: Purpose, user: &str, stamp: &str, ttl_secs: u64) -> Result<String> {
        self.encode(user, stamp, ttl_secs, MAIL_ISSUER, Some(purpose))
    }

    fn encode(&self, user: &str, stamp: &str, ttl_secs: u64, issuer: &str, purpose: Option<Purpose>) -> Result<String> {
        let iat = self.clock.unix_secs();
        let claims = Claims {
            id: user.to_owned(),
            iat,
            exp: iat + ttl_secs,
            stamp: stamp.to_owned(),
            iss: issuer.to_owned(),
            aud: purpose.map(|purpose| purpose.name().to_owned()),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding).map_err(|e| Error::internal(format!("jwt: {e}")))
    }

    /// What a token says, or `TOKEN_EXPIRED`, or `INVALID_CREDENTIALS`.
    pub fn check(&self, token: &str) -> Result<Claims> {
        let claims = self.decode(token, ISSUER, None);
        let claims = claims.ok_or_else(|| Error::new(ErrorCode::InvalidCredentials, "The access token isn't valid"))?;
        if claims.exp <= self.clock.unix_secs() {
            return Err(Error::new(ErrorCode::TokenExpired, "The access token has expired: refresh it or sign in again"));
        }
        Ok(claims)
    }

    /// What a token from a mail says, if it is one for this and hasn't run out.
    pub fn check_mail(&self, purpose: Purpose, token: &str) -> Option<Claims> {
        self.decode(token, MAIL_ISSUER, Some(purpose)).filter(|claims| claims.exp > self.clock.unix_secs())
    }

    fn decode(&self, token: &str, issuer: &str, purpose: Option<Purpose>) -> Option<Claims> {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        if let Some(purpose) = purpose {
            validation.set_audience(&[purpose.name()]);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        }
        // The expiry is held against our own clock.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation).ok().map(|token| token.claims)
    }
}

/// What sign-ins of a user are bound to, made of what is stored of the password: another password is another stamp.
pub fn stamp(password_hash: Option<&str>) -> String {
    let mut stamp = fingerprint(&format!("stamp {}", password_hash.unwrap_or_default()));
    stamp.truncate(16);
    stamp
}

/// Whether a bearer token has the form of a signed one; anything else is taken for a static token.
pub fn looks_signed(token: &str) -> bool {
    token.bytes().filter(|b| *b == b'.').count() == 2 && token.starts_with("ey")
}

/// `bytes` random bytes as URL-safe text.
pub fn random(bytes: usize) -> Result<String> {
    let mut buffer = vec![0u8; bytes];
    getrandom::fill(&mut buffer).map_err(|e| Error::internal(format!("random: {e}")))?;
    Ok(URL_SAFE_NO_PAD.encode(buffer))
}

/// What is stored of a static or refresh token: SHA-256 in hexadecimal. The tokens are random, so no salt is needed.
pub fn fingerprint(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        use std::fmt::Write;
        write!(hex, "{byte:02x}").expect("writing to a String can't fail");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_signer_only() {
        let signer = Signer::new(&Secret::new("a secret of some length"), Clock::system());
        let token = signer.sign("u1", "s", 60).expect("signs");
        assert!(looks_signed(&token));
        assert_eq!(signer.check(&token).expect("valid").id, "u1");
        let other = Signer::new(&Secret::new("another secret of length"), Clock::system());
        assert_eq!(other.check(&token).expect_err("foreign").code(), ErrorCode::InvalidCredentials);
        let old = signer.sign("u1", "s", 0).expect("signs");
        assert_eq!(signer.check(&old).expect_err("old").code(), ErrorCode::TokenExpired);
    }

    #[test]
    fn a_token_is_good_for_one_purpose_only() {
        let signer = Signer::new(&Secret::new("a secret of some length"), Clock::system());
        let access = signer.sign("u1", "s", 60).expect("signs");
        let reset = signer.sign_mail(Purpose::Reset, "u1", "s", 60).expect("signs");
        assert_eq!(signer.check_mail(Purpose::Reset, &reset).expect("valid").stamp, "s");
        assert!(signer.check_mail(Purpose::Invite, &reset).is_none() && signer.check_mail(Purpose::Reset, &access).is_none());
        assert_eq!(signer.check(&reset).expect_err("no access").code(), ErrorCode::InvalidCredentials);
        let old = signer.sign_mail(Purpose::Reset, "u1", "s", 0).expect("signs");
        assert!(signer.check_mail(Purpose::Reset, &old).is_none());
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let signer = Signer::new(&Secret::new("a secret of some length"), Clock::system());
        let body = URL_SAFE_NO_PAD.encode(r#"{"id":"u1","iat":1,"exp":99999999999,"iss":"trellis"}"#);
        let token = format!("{}.{body}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#));
        assert!(signer.check(&token).is_err());
    }

    #[test]
    fn the_fingerprint_is_sha256() {
        assert_eq!(fingerprint("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

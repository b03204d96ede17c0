//! Logging in as a person: what an authorization request says, and what comes of it (OAuth 2.0 authorization code with
//! PKCE, RFC 6749 and RFC 7636).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// What stands in an authorization request.
#[derive(Debug, Clone)]
pub struct Authorization {
    /// Where the browser is sent back to.
    pub redirect_uri: String,
    /// What the app asks to be allowed.
    pub scopes: Vec<String>,
    /// Comes back with the answer, so that an answer to another request is not taken for one to this.
    pub state: String,
    /// The digest of the verifier.
    pub challenge: String,
}

/// The secret that proves that whoever redeems a code is the one who asked for it.
#[derive(Debug, Clone)]
pub struct Verifier(SecretString);

impl Verifier {
    /// Makes one of 32 random bytes: 43 characters, the fewest that RFC 7636 permits, and all its entropy.
    pub fn new(random: [u8; 32]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random).into())
    }

    /// Its S256 challenge.
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.expose_secret()))
    }

    /// The verifier itself, for the token request.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// A login that went well.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The refresh token.
    pub refresh_token: SecretString,
    /// The portal's or the organisation's id.
    pub account: String,
    /// Who logged in, where the vendor says it.
    pub user: Option<String>,
    /// What was granted, where the vendor says it.
    pub scopes: Option<Vec<String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105,
            214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = Verifier::new(octets);
        assert_eq!(verifier.secret().expose_secret(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}

//! HubSpot's request signatures, as pure functions.
//!
//! HubSpot's docs, "Validating requests":
//! - v1: hex SHA-256 of secret and body, in `X-HubSpot-Signature`;
//! - v2: hex SHA-256 of secret, method, URI and body, in the same header, with `X-HubSpot-Signature-Version: v2`;
//! - v3: base64 HMAC-SHA-256, keyed by the secret, of method, URI, body and timestamp, in `X-HubSpot-Signature-v3`, with
//!   `X-HubSpot-Request-Timestamp` in milliseconds; older than five minutes is to be refused.
//!
//! A request that carries a v3 signature is judged by it alone: an attacker cannot fall back on a weaker one by
//! breaking the stronger. Comparisons take the same time wherever the texts differ.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// HubSpot's docs: reject when the timestamp is older than five minutes. Here also when it is further in the future.
pub(super) const MAX_SKEW: Duration = Duration::from_mins(5);

/// The only escapes that v3 decodes in the URI (HubSpot's docs, "Validate the v3 request signature").
const DECODED: [(&str, char); 12] = [
    ("3A", ':'),
    ("2F", '/'),
    ("3F", '?'),
    ("40", '@'),
    ("21", '!'),
    ("24", '$'),
    ("27", '\''),
    ("28", '('),
    ("29", ')'),
    ("2A", '*'),
    ("2C", ','),
    ("3B", ';'),
];

/// A request as far as its signature is concerned.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// The public URI with its query.
    pub uri: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// `X-HubSpot-Signature-v3`.
    pub v3: Option<&'a str>,
    /// `X-HubSpot-Request-Timestamp`.
    pub timestamp: Option<&'a str>,
    /// `X-HubSpot-Signature`.
    pub older: Option<&'a str>,
    /// `X-HubSpot-Signature-Version`.
    pub version: Option<&'a str>,
}

/// Which signature held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Of secret and body.
    V1,
    /// Of secret, method, URI and body.
    V2,
    /// Keyed, with a timestamp.
    V3,
}

/// Why a request is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// It has no signature.
    #[error("the request is not signed")]
    Missing,
    /// It is signed in a way that is switched off.
    #[error("only v3 signatures are accepted")]
    V3Required,
    /// A v3 signature needs a timestamp in milliseconds.
    #[error("the request has no timestamp")]
    NoTimestamp,
    /// It is too old, or too far in the future.
    #[error("the request's timestamp is too far from the present")]
    Skewed,
    /// The signature is not that of the request under any secret.
    #[error("the signature does not match")]
    Wrong,
}

/// Checks a request against the secrets in use.
pub fn verify(
    request: &SignedRequest<'_>,
    secrets: &[SecretString],
    require_v3: bool,
    now: DateTime<Utc>,
    skew: Duration,
) -> Result<Scheme, Mismatch> {
    if let Some(given) = request.v3 {
        return verify_v3(request, given, secrets, now, skew);
    }
    let given = request.older.ok_or(Mismatch::Missing)?;
    if require_v3 {
        return Err(Mismatch::V3Required);
    }
    // A sender that does not say which version it means is given either.
    let schemes: &[Scheme] = match request.version {
        Some("v1") => &[Scheme::V1],
        Some("v2") => &[Scheme::V2],
        None => &[Scheme::V1, Scheme::V2],
        Some(_) => return Err(Mismatch::Wrong),
    };
    let mut held = None;
    for secret in secrets {
        for scheme in schemes {
            let expected = older_signature(*scheme, secret, request);
            if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
                held = Some(*scheme);
            }
        }
    }
    held.ok_or(Mismatch::Wrong)
}

/// Signs a request the v3 way, as HubSpot does; for senders that stand in for it.
pub fn sign_v3(secret: &SecretString, method: &str, uri: &str, body: &[u8], timestamp: i64) -> String {
    STANDARD.encode(keyed(secret, method, uri, body, &timestamp.to_string()).finalize().into_bytes())
}

fn verify_v3(
    request: &SignedRequest<'_>,
    given: &str,
    secrets: &[SecretString],
    now: DateTime<Utc>,
    skew: Duration,
) -> Result<Scheme, Mismatch> {
    let stamp = request.timestamp.ok_or(Mismatch::NoTimestamp)?;
    let millis: i64 = stamp.parse().map_err(|_| Mismatch::NoTimestamp)?;
    if u128::from(now.timestamp_millis().abs_diff(millis)) > skew.as_millis() {
        return Err(Mismatch::Skewed);
    }
    let given = STANDARD.decode(given).map_err(|_| Mismatch::Wrong)?;
    let mut held = false;
    for secret in secrets {
        // `verify_slice` compares in constant time.
        held |= keyed(secret, request.method, request.uri, request.body, stamp).verify_slice(&given).is_ok();
    }
    if held { Ok(Scheme::V3) } else { Err(Mismatch::Wrong) }
}

fn keyed(secret: &SecretString, method: &str, uri: &str, body: &[u8], timestamp: &str) -> Hmac<Sha256> {
    // INVARIANT: HMAC takes keys of any length.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("a key of any length");
    mac.update(method.as_bytes());
    mac.update(decoded(uri).as_bytes());
    mac.update(body);
    mac.update(timestamp.as_bytes());
    mac
}

fn older_signature(scheme: Scheme, secret: &SecretString, request: &SignedRequest<'_>) -> String {
    let mut hash = Sha256::new();
    hash.update(secret.expose_secret().as_bytes());
    if scheme == Scheme::V2 {
        hash.update(request.method.as_bytes());
        hash.update(request.uri.as_bytes());
    }
    hash.update(request.body);
    hex::encode(hash.finalize())
}

/// Decodes the listed escapes once, in one pass, and leaves every other as it is.
fn decoded(uri: &str) -> String {
    let mut text = String::with_capacity(uri.len());
    let mut rest = uri;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 3).unwrap_or_default();
        if let Some((_, plain)) = DECODED.iter().find(|(known, _)| known.eq_ignore_ascii_case(code)) {
            text.push(*plain);
            rest = &rest[at + 3..];
        } else {
            text.push('%');
            rest = &rest[at + 1..];
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://www.example.com/webhook_uri";
    const PYTHON: &[u8] = b"{'example_field':'example_value'}";

    fn secrets() -> Vec<SecretString> {
        vec!["yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy".into()]
    }

    fn request<'a>(method: &'a str, body: &'a [u8]) -> SignedRequest<'a> {
        SignedRequest { method, uri: URI, body, v3: None, timestamp: None, older: None, version: None }
    }

    fn time(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).expect("a time")
    }

    fn check(request: &SignedRequest<'_>, now: i64) -> Result<Scheme, Mismatch> {
        verify(request, &secrets(), false, time(now), MAX_SKEW)
    }

    /// The values of HubSpot's docs and of the tests of its official clients.
    #[test]
    fn v1_vectors() {
        let created = br#"[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]"#;
        for (body, signature) in [
            (created.as_slice(), "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"),
            (PYTHON, "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750"),
        ] {
            for version in [Some("v1"), None] {
                let signed = SignedRequest { older: Some(signature), version, ..request("POST", body) };
                assert_eq!(check(&signed, 0), Ok(Scheme::V1));
            }
            let named_wrong =
                SignedRequest { older: Some(signature), version: Some("v2"), ..request("POST", body) };
            assert_eq!(check(&named_wrong, 0), Err(Mismatch::Wrong));
        }
    }

    #[test]
    fn v2_vectors() {
        for (method, body, signature) in [
            ("GET", b"".as_slice(), "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e"),
            (
                "POST",
                br#"{"example_field":"example_value"}"#,
                "9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900",
            ),
            ("POST", PYTHON, "4fe4e3a7d3cf09db53be39d0a58130e2aaba074ec123a9e355b876a689a1c383"),
        ] {
            let signed =
                SignedRequest { older: Some(signature), version: Some("v2"), ..request(method, body) };
            assert_eq!(check(&signed, 0), Ok(Scheme::V2), "{method}");
            let elsewhere = SignedRequest { uri: "https://www.example.com/other", ..signed };
            assert_eq!(check(&elsewhere, 0), Err(Mismatch::Wrong));
        }
    }

    const V3: [(&str, i64); 2] = [
        ("K36dawei4A+QBNolUOqo7s91KQDWQ5MXZ/QufNYuk/Y=", 1_693_657_560_000),
        ("RnbPH7+UMKVkbV32P8bz450N4M56aPmcru1+D3kSDtw=", 1_700_000_300_000),
    ];

    #[test]
    fn v3_vectors_and_both_directions_of_skew() {
        for (signature, millis) in V3 {
            let stamp = millis.to_string();
            let signed =
                SignedRequest { v3: Some(signature), timestamp: Some(&stamp), ..request("POST", PYTHON) };
            for (offset, expected) in [
                (0, Ok(Scheme::V3)),
                (300_000, Ok(Scheme::V3)),
                (-300_000, Ok(Scheme::V3)),
                (300_001, Err(Mismatch::Skewed)),
                (-300_001, Err(Mismatch::Skewed)),
            ] {
                assert_eq!(check(&signed, millis + offset), expected, "{offset}");
            }
            assert_eq!(sign_v3(&secrets()[0], "POST", URI, PYTHON, millis), signature);
        }
    }

    #[test]
    fn either_secret_holds_while_one_is_rotated() {
        let (signature, millis) = V3[0];
        let stamp = millis.to_string();
        let signed =
            SignedRequest { v3: Some(signature), timestamp: Some(&stamp), ..request("POST", PYTHON) };
        let both = [SecretString::from("new"), secrets().remove(0)];
        assert_eq!(verify(&signed, &both, true, time(millis), MAX_SKEW), Ok(Scheme::V3));
        assert_eq!(verify(&signed, &both[..1], true, time(millis), MAX_SKEW), Err(Mismatch::Wrong));
        assert_eq!(verify(&signed, &[], true, time(millis), MAX_SKEW), Err(Mismatch::Wrong));
    }

    #[test]
    fn a_broken_v3_signature_is_not_saved_by_a_good_v1() {
        let good = "69fc6631a867edd4f9e9e627fc5c1148e3fbdd8b21837b6d2b8901c1fa57f750";
        let mut signed = SignedRequest {
            v3: Some("AAAA"),
            timestamp: Some("1693657560000"),
            older: Some(good),
            version: Some("v1"),
            ..request("POST", PYTHON)
        };
        assert_eq!(check(&signed, 1_693_657_560_000), Err(Mismatch::Wrong));
        signed.v3 = None;
        assert_eq!(check(&signed, 0), Ok(Scheme::V1));
        assert_eq!(verify(&signed, &secrets(), true, time(0), MAX_SKEW), Err(Mismatch::V3Required));
    }

    #[test]
    fn what_is_missing_or_malformed_is_told_apart() {
        let plain = request("POST", PYTHON);
        assert_eq!(check(&plain, 0), Err(Mismatch::Missing));
        for timestamp in [None, Some(""), Some("yesterday"), Some("99999999999999999999")] {
            let signed = SignedRequest { v3: Some(V3[0].0), timestamp, ..plain };
            assert_eq!(check(&signed, 0), Err(Mismatch::NoTimestamp), "{timestamp:?}");
        }
        let odd = SignedRequest { v3: Some("not base64!"), timestamp: Some("0"), ..plain };
        assert_eq!(check(&odd, 0), Err(Mismatch::Wrong));
        let extreme = SignedRequest { v3: Some(V3[0].0), timestamp: Some("-9223372036854775808"), ..plain };
        assert_eq!(check(&extreme, 0), Err(Mismatch::Skewed));
    }

    #[test]
    fn v3_decodes_the_listed_escapes_only() {
        assert_eq!(decoded("/a%3Ab%2fc%20d%25%3"), "/a:b/c%20d%25%3");
        assert_eq!(decoded("%253A%é"), "%253A%é");
        assert_eq!(decoded("%3F%40%21%24%27%28%29%2A%2C%3B"), "?@!$'()*,;");
    }
}

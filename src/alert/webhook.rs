//! By POST to a web address.

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use sha2::Sha256;

use crate::crm::http::Outbound;

use super::Webhook;

/// Sends the body once. `X-Mapwright-Signature` is `sha256=` and the hexadecimal HMAC-SHA256 of the time stamp, a full stop
/// and the body, keyed by the secret.
pub(super) async fn post(
    hook: &Webhook,
    outbound: &Outbound,
    body: &str,
    now: DateTime<Utc>,
) -> Result<(), String> {
    let timestamp = now.timestamp().to_string();
    let mut headers = hook.headers.clone();
    headers.push(("X-Mapwright-Timestamp".to_owned(), timestamp.clone().into()));
    if let Some(secret) = &hook.secret {
        let signature = sign(secret.expose_secret(), &timestamp, body);
        headers.push(("X-Mapwright-Signature".to_owned(), format!("sha256={signature}").into()));
    }
    let status = outbound.post_json(&hook.url, &headers, body).await?;
    if (200..300).contains(&status) { Ok(()) } else { Err(format!("it answered {status}")) }
}

pub(super) fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    // INVARIANT: HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in [timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    hex::encode(mac.finalize().into_bytes())
}

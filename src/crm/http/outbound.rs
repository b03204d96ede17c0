//! Messages to an address that is no CRM, under the same guard: only the configured host, no redirect, no private address
//! unless that is meant.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::guard::{Guard, PrivateAddress};
use super::{HttpOptions, SetupError, build_client, build_client_without_roots, chain, find_source};

/// A client for one address.
#[derive(Debug)]
pub struct Outbound {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

impl Outbound {
    /// Makes a client that may reach the host of `base`.
    pub fn new(base: &Url, options: HttpOptions) -> Result<Self, SetupError> {
        let guard = Arc::new(Guard::new(base, options.allow_private).map_err(SetupError::Url)?);
        let client = build_client(&guard, &options).or_else(|error| match base.scheme() {
            "http" => build_client_without_roots(&guard, &options),
            _ => Err(error),
        })?;
        Ok(Self { client, guard })
    }

    /// Sends JSON once; the status of the answer, whose body is not read, or in words why there is none.
    pub async fn post_json(
        &self,
        url: &Url,
        headers: &[(String, SecretString)],
        body: &str,
    ) -> Result<u16, String> {
        self.guard.check(url)?;
        let mut request = self.client.post(url.clone()).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            let name =
                HeaderName::try_from(name.as_str()).map_err(|_| format!("`{name}` cannot name a header"))?;
            let mut value = HeaderValue::try_from(value.expose_secret()).map_err(|_| {
                format!("the value of the header `{name}` has characters that no header can carry")
            })?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let response = request.body(body.to_owned()).send().await.map_err(words)?;
        Ok(response.status().as_u16())
    }

    /// Reads a resource whole, up to a bound: its status and body, or in words why there is none.
    pub async fn get(&self, url: &Url, at_most: usize) -> Result<(u16, Vec<u8>), String> {
        self.guard.check(url)?;
        let mut response = self.client.get(url.clone()).send().await.map_err(words)?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(words)? {
            if body.len() + chunk.len() > at_most {
                return Err(format!("the answer is larger than {at_most} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

/// Why there is no answer; without the address, whose path may be a secret.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    match find_source::<PrivateAddress>(&error) {
        Some(refused) => refused.to_string(),
        None => chain(&error),
    }
}

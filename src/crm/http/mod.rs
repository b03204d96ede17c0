//! The one place that sends anything to a CRM.
//!
//! Guarantees: only configured hosts are reached and redirects are never followed; every call ends (time-outs, a cap
//! on the size of an answer); tokens reach neither logs nor errors; a write that may have been applied is never sent
//! again here — it fails with [`CrmError::maybe_applied`], and whoever asked for it looks the record up first.
//!
//! Cancellation: dropping a call closes its connection; a write may still have been applied.

mod guard;
mod outbound;
mod retry;
#[cfg(test)]
mod tests;

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::source::Side;
use crate::types::{CrmError, CrmErrorKind};

use super::Limits;
use super::answers::{self, BROKEN_OFF, GARBLED, Meaning, NO_CONNECTION, REDIRECTED, TIMED_OUT};
use guard::{Guard, GuardedResolver, PrivateAddress};
pub use outbound::Outbound;
pub use retry::RetryPolicy;

/// How a client behaves on the network, and the clock and the randomness that it is handed.
#[derive(Debug, Clone, Copy)]
pub struct HttpOptions {
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for a whole answer, the connection included. Salesforce ends a request after 10 minutes and a
    /// query after 2; a call of ours is small.
    pub request_timeout: Duration,
    /// Largest answer in bytes.
    pub max_body: usize,
    /// Whether private addresses, and plain HTTP to them, are meant.
    pub allow_private: bool,
    /// The back-off inside a call.
    pub retry: RetryPolicy,
    /// The clock.
    pub now: fn() -> DateTime<Utc>,
    /// A random number from 0 to 1.
    pub jitter: fn() -> f64,
}

impl HttpOptions {
    /// The defaults of production, with this clock and this randomness.
    pub fn new(now: fn() -> DateTime<Utc>, jitter: fn() -> f64) -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            // A page of 2,000 records with all their fields stays well below.
            max_body: 32 << 20,
            allow_private: false,
            retry: RetryPolicy::default(),
            now,
            jitter,
        }
    }
}

/// Why a client could not be made from its configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// A base URL cannot be used.
    #[error("{0}")]
    Url(String),
    /// A name, version or key in the configuration cannot be used.
    #[error("{0}")]
    Setting(String),
    /// The TLS roots or the client itself could not be set up.
    #[error("the HTTP client cannot start: {0}")]
    Client(String),
}

/// What the transport must know of a vendor.
pub(super) struct Vendor {
    /// Which CRM.
    pub(super) side: Side,
    /// What an answer that is not a success means. `maybe_applied` is told as for a write.
    pub(super) explain: fn(&Answer) -> CrmError,
    /// Reads the allowances off an answer.
    pub(super) limits: fn(&HeaderMap, &mut Limits),
}

/// One call.
#[derive(Clone)]
pub(super) struct Call {
    /// The method.
    pub(super) method: Method,
    /// The address.
    pub(super) url: Url,
    /// Headers besides the token and the content type.
    pub(super) headers: Vec<(&'static str, String)>,
    /// The body.
    pub(super) body: Body,
    /// Whether making it twice does no harm: reads, searches, queries, associations.
    pub(super) safe: bool,
}

/// A call's body.
#[derive(Clone)]
pub(super) enum Body {
    /// None.
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// A file of rows.
    Csv(Bytes),
    /// A form, already encoded; it may hold a secret.
    Form(SecretString),
    /// A SOAP envelope, which holds the session's token.
    Xml(SecretString),
}

impl Call {
    /// A call that only reads.
    pub(super) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: Vec::new(), body: Body::Empty, safe: true }
    }

    /// A call that only reads, with its question in the body.
    pub(super) fn ask(url: Url, body: serde_json::Value) -> Self {
        Self { method: Method::POST, url, headers: Vec::new(), body: Body::Json(body), safe: true }
    }

    /// A call that writes.
    pub(super) fn write(method: Method, url: Url, body: serde_json::Value) -> Self {
        Self { method, url, headers: Vec::new(), body: Body::Json(body), safe: false }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Bytes,
}

impl Answer {
    /// Whether the status is 2xx.
    pub(super) fn success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The beginning of the body, for an error about a body that is not understood.
    pub(super) fn excerpt(&self) -> String {
        // Four bytes a character at most.
        let head = &self.body[..self.body.len().min(EXCERPT * 4)];
        String::from_utf8_lossy(head).trim().chars().take(EXCERPT).collect()
    }
}

/// So many characters of a garbled answer are kept: enough to recognise a proxy's page.
const EXCERPT: usize = 200;

/// The transport of one client.
pub(super) struct Http {
    client: reqwest::Client,
    guard: Arc<Guard>,
    vendor: &'static Vendor,
    options: HttpOptions,
    calls: AtomicU64,
    limits: Mutex<Limits>,
    skew: Mutex<Option<TimeDelta>>,
}

impl Http {
    /// Makes a transport that may reach the host of `base`.
    pub(super) fn new(vendor: &'static Vendor, base: &Url, options: HttpOptions) -> Result<Self, SetupError> {
        let guard = Arc::new(Guard::new(base, options.allow_private).map_err(SetupError::Url)?);
        let client = build_client(&guard, &options).or_else(|error| match base.scheme() {
            // A machine without root certificates can still talk plain HTTP to itself.
            "http" => build_client_without_roots(&guard, &options),
            _ => Err(error),
        })?;
        Ok(Self {
            client,
            guard,
            vendor,
            options,
            calls: AtomicU64::new(0),
            limits: Mutex::default(),
            skew: Mutex::default(),
        })
    }

    /// Adds a host that the vendor itself named to the allow-list; says in words why it is refused.
    pub(super) fn admit(&self, url: &Url) -> Result<(), String> {
        self.guard.admit(url)
    }

    /// How many calls were sent.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The allowances as last told.
    pub(super) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the CRM's clock is ahead of this machine's, by its latest answer; to about a second.
    pub(super) fn skew(&self) -> Option<TimeDelta> {
        *self.skew.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The clock.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.options.now)()
    }

    /// Makes a call, again where that is safe and may help.
    ///
    /// `Ok` is an answer that decides something: a success, or a refusal whose body says what was wrong with the
    /// request. Everything else (time-outs, limits, tokens, servers that are down) is an error.
    pub(super) async fn send(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, CrmError> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(call, token).await {
                Ok(answer) if answer.success() => return Ok(answer),
                Ok(answer) => {
                    let error = self.explain(&answer, call.safe);
                    if matches!(error.kind, CrmErrorKind::Refused | CrmErrorKind::Garbled) {
                        return Ok(answer);
                    }
                    error
                }
                Err(error) => error,
            };
            if error.kind != CrmErrorKind::Retry || error.maybe_applied {
                return Err(error);
            }
            let Some(wait) = self.options.retry.wait(attempt, error.retry_after, (self.options.jitter)())
            else {
                return Err(error);
            };
            tracing::debug!(side = %self.vendor.side, attempt, ?wait, status = error.status, "calling again");
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// Makes a call whose success is JSON.
    pub(super) async fn json(
        &self,
        call: &Call,
        token: Option<&SecretString>,
    ) -> Result<serde_json::Value, CrmError> {
        let answer = self.send(call, token).await?;
        self.read(&answer, call.safe)
    }

    /// The JSON of a success, or what the answer means.
    pub(super) fn read(&self, answer: &Answer, safe: bool) -> Result<serde_json::Value, CrmError> {
        if !answer.success() {
            return Err(self.explain(answer, safe));
        }
        answer.json().ok_or_else(|| self.garbled(answer, safe))
    }

    /// What an answer that is no success means.
    pub(super) fn explain(&self, answer: &Answer, safe: bool) -> CrmError {
        let mut error = (self.vendor.explain)(answer);
        error.retry_after = error.retry_after.or_else(|| retry::retry_after(&answer.headers, self.now()));
        error.maybe_applied &= !safe;
        error
    }

    /// A success that is not understood.
    pub(super) fn garbled(&self, answer: &Answer, safe: bool) -> CrmError {
        CrmError {
            status: Some(answer.status),
            maybe_applied: !safe,
            ..self.error(
                GARBLED.meaning.kind().0,
                format!("the answer is not understood: {}", answer.excerpt()),
            )
        }
    }

    /// An error of this CRM without an answer.
    pub(super) fn error(&self, kind: CrmErrorKind, message: impl Into<String>) -> CrmError {
        error(self.vendor.side, kind, message)
    }

    async fn attempt(&self, call: &Call, token: Option<&SecretString>) -> Result<Answer, CrmError> {
        self.guard.check(&call.url).map_err(|why| self.error(CrmErrorKind::Refused, why))?;
        let mut request = self.client.request(call.method.clone(), call.url.clone());
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, self.bearer(token)?);
        }
        request = match &call.body {
            Body::Empty => request,
            Body::Json(json) => request.json(json),
            Body::Csv(rows) => request.header(CONTENT_TYPE, "text/csv; charset=UTF-8").body(rows.clone()),
            Body::Xml(envelope) => request
                .header(CONTENT_TYPE, "text/xml; charset=utf-8")
                .body(envelope.expose_secret().to_owned()),
            Body::Form(form) => request
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(form.expose_secret().to_owned()),
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        let response = request.send().await.map_err(|error| self.broken(error, call.safe))?;
        if let Some(theirs) = date(response.headers()) {
            *self.skew.lock().unwrap_or_else(PoisonError::into_inner) = Some(theirs - self.now());
        }
        self.refuse_redirect(&response)?;
        let answer = self.collect(response, call.safe).await?;
        (self.vendor.limits)(
            &answer.headers,
            &mut self.limits.lock().unwrap_or_else(PoisonError::into_inner),
        );
        Ok(answer)
    }

    fn bearer(&self, token: &SecretString) -> Result<HeaderValue, CrmError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| {
            self.error(CrmErrorKind::Unauthorised, "the token has characters that no header can carry")
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn refuse_redirect(&self, response: &Response) -> Result<(), CrmError> {
        let status = response.status();
        // 300 is Salesforce's "several records have this external ID": an answer, not a redirect.
        if !status.is_redirection() || status.as_u16() == 300 {
            return Ok(());
        }
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let target = target.and_then(|text| response.url().join(text).ok());
        let place = target.map_or_else(|| "nowhere".to_owned(), |url| format!("`{}`", guard::shown(&url)));
        Err(CrmError {
            status: Some(status.as_u16()),
            ..self.error(
                REDIRECTED.meaning.kind().0,
                format!("redirects to {place}; redirects are not followed, configure the final address"),
            )
        })
    }

    async fn collect(&self, mut response: Response, safe: bool) -> Result<Answer, CrmError> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error, safe))? {
            if body.len() + chunk.len() > self.options.max_body {
                return Err(CrmError {
                    status: Some(status),
                    maybe_applied: !safe,
                    ..self.error(
                        CrmErrorKind::Garbled,
                        format!("the answer is larger than {} bytes", self.options.max_body),
                    )
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body: body.freeze() })
    }

    /// A call without a whole answer. Before the connection stood, nothing was sent; afterwards nobody knows.
    fn broken(&self, error: reqwest::Error, safe: bool) -> CrmError {
        // The rest of the URL can hold a person's e-mail address.
        let place = error
            .url()
            .map_or_else(String::new, |url| format!(" to `{}`", url.origin().ascii_serialization()));
        let error = error.without_url();
        if let Some(refused) = find_source::<PrivateAddress>(&error) {
            return self.error(CrmErrorKind::Refused, refused.to_string());
        }
        if error.is_builder() {
            return self.error(CrmErrorKind::Refused, format!("the call cannot be built: {}", chain(&error)));
        }
        let unsent = error.is_connect();
        let message = match (error.is_timeout(), unsent) {
            (true, true) => format!("no connection{place} within {:?}", self.options.connect_timeout),
            (true, false) => format!(
                "no answer from{} within {:?}",
                place.trim_start_matches(" to"),
                self.options.request_timeout
            ),
            (false, true) => format!("no connection{place}: {}", chain(&error)),
            (false, false) => format!("the connection{place} broke off: {}", chain(&error)),
        };
        let broken = match (unsent, error.is_timeout()) {
            (true, _) => &NO_CONNECTION,
            (false, true) => &TIMED_OUT,
            (false, false) => &BROKEN_OFF,
        };
        let (kind, perhaps) = broken.meaning.kind();
        CrmError { maybe_applied: perhaps && !safe, ..self.error(kind, message) }
    }
}

/// An error of a CRM without an answer.
pub(super) fn error(side: Side, kind: CrmErrorKind, message: impl Into<String>) -> CrmError {
    CrmError {
        side,
        kind,
        status: None,
        code: None,
        message: message.into(),
        retry_after: None,
        maybe_applied: false,
    }
}

/// What the status of an answer means by itself: kind, and whether a write may have been applied. `None` where the body
/// must be read.
pub(super) fn by_status(side: Side, answer: &Answer) -> Option<(CrmErrorKind, bool)> {
    let retry_after = answer.headers.contains_key(reqwest::header::RETRY_AFTER);
    answers::of_status(side, answer.status, retry_after).map(Meaning::kind)
}

/// The server's clock, to the second, as its answer tells it (RFC 9110, `Date`).
pub(super) fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    retry::http_date(headers.get(DATE)?.to_str().ok()?)
}

/// Appends path segments to a base URL, each percent-encoded.
pub(super) fn join(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    // INVARIANT: the guard admitted only http(s) URLs, and these can always have path segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

fn client_builder(guard: &Arc<Guard>, options: &HttpOptions) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(concat!("mapwright/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(options.connect_timeout)
        .timeout(options.request_timeout)
        .redirect(redirect::Policy::none())
        // A proxy from the environment would go around the guard.
        .no_proxy()
        .retry(reqwest::retry::never())
        .dns_resolver(GuardedResolver(Arc::clone(guard)))
}

fn build_client(guard: &Arc<Guard>, options: &HttpOptions) -> Result<reqwest::Client, SetupError> {
    client_builder(guard, options).build().map_err(|error| SetupError::Client(chain(&error)))
}

fn build_client_without_roots(
    guard: &Arc<Guard>,
    options: &HttpOptions,
) -> Result<reqwest::Client, SetupError> {
    client_builder(guard, options)
        .tls_certs_only(std::iter::empty())
        .build()
        .map_err(|error| SetupError::Client(chain(&error)))
}

/// The innermost reason, which is the one that helps.
fn chain(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

fn find_source<E: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref::<E>() {
            return Some(found);
        }
        next = source.source();
    }
    None
}

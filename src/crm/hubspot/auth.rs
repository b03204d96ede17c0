//! HubSpot's tokens: a private app's, which does not expire, or an OAuth app's, which is refreshed before it does.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::crm::http::{Call, Http, HttpOptions, SetupError, join};
use crate::crm::login::{Authorization, LoggedIn, Verifier};
use crate::crm::shared::{Shared, ask_for_token};
use crate::crm::tokens::{Asked, Granted, TokenKeeper, Unkept, refresh};
use crate::types::{CrmError, CrmErrorKind};

use super::answers;

/// How the integration proves who it is.
#[derive(Debug, Clone)]
pub enum HubspotAuth {
    /// A private app's token.
    Token(SecretString),
    /// A person installed an OAuth app, and its refresh token is kept.
    OAuth {
        /// The app's client id.
        client_id: String,
        /// The app's client secret.
        client_secret: SecretString,
        /// Where the refresh token is.
        keeper: Arc<dyn TokenKeeper>,
    },
}

/// An access token.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) token: SecretString,
    /// When it is renewed: before its end, so that no call meets it.
    renew_at: Option<DateTime<Utc>>,
}

impl Access {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.renew_at.is_none_or(|at| now < at)
    }
}

/// The tokens of one client.
pub(super) struct Sessions {
    endpoint: Url,
    auth: HubspotAuth,
    shared: Shared<Access>,
}

/// An access token is renewed this long before its end, or at nine tenths of a short life. HubSpot's last 30 minutes.
const MARGIN: i64 = 60;

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    expires_in: Option<i64>,
}

impl Sessions {
    pub(super) fn new(base: &Url, version: &str, auth: HubspotAuth) -> Self {
        Self { endpoint: endpoint(base, version, "token"), auth, shared: Shared::new(Access::is_good) }
    }

    /// Whether the tokens are an OAuth app's.
    pub(super) fn is_oauth(&self) -> bool {
        matches!(self.auth, HubspotAuth::OAuth { .. })
    }

    /// A token for the next call. Callers that come while one is fetched wait for the same.
    pub(super) async fn current(&self, http: &Arc<Http>) -> Result<Arc<Access>, CrmError> {
        let keeper = match &self.auth {
            HubspotAuth::Token(token) => {
                return Ok(Arc::new(Access { token: token.clone(), renew_at: None }));
            }
            HubspotAuth::OAuth { keeper, .. } => keeper,
        };
        match self.shared.held(http.now(), Some(keeper.as_ref())).await {
            Some(access) => Ok(access),
            None => self.fetch(http, None).await,
        }
    }

    /// A token other than the one that was just refused; `None` where there can be no other.
    pub(super) async fn renew(
        &self,
        http: &Arc<Http>,
        refused: &Arc<Access>,
    ) -> Option<Result<Arc<Access>, CrmError>> {
        match &self.auth {
            // It does not expire, so a refusal is final: it was rotated.
            HubspotAuth::Token(_) => None,
            HubspotAuth::OAuth { .. } => Some(self.fetch(http, Some(Arc::clone(refused))).await),
        }
    }

    /// Whether somebody has logged in since a login was refused.
    pub(super) async fn logged_in_anew(&self) -> bool {
        match &self.auth {
            HubspotAuth::Token(_) => false,
            HubspotAuth::OAuth { keeper, .. } => self.shared.logged_in_anew(keeper.as_ref()).await,
        }
    }

    async fn fetch(&self, http: &Arc<Http>, refused: Option<Arc<Access>>) -> Result<Arc<Access>, CrmError> {
        let (endpoint, auth) = (self.endpoint.clone(), self.auth.clone());
        let keeper = match &self.auth {
            HubspotAuth::Token(_) => None,
            HubspotAuth::OAuth { keeper, .. } => Some(Arc::clone(keeper)),
        };
        let fetch = self.shared.fetch(http, refused, keeper, |http, unkept| {
            Box::pin(async move { granted(&http, &endpoint, &auth, unkept).await })
        });
        fetch.await
    }
}

async fn granted(
    http: &Http,
    endpoint: &Url,
    auth: &HubspotAuth,
    unkept: &mut Unkept,
) -> Result<(Access, i64), CrmError> {
    let HubspotAuth::OAuth { client_id, client_secret, keeper } = auth else {
        return Err(http.error(CrmErrorKind::Unauthorised, "a private app's token is not refreshed"));
    };
    let error = |kind, message: String| http.error(kind, message);
    let ask = |token: SecretString| -> Asked<'_, Access> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "refresh_token");
        form.append_pair("client_id", client_id);
        form.append_pair("client_secret", client_secret.expose_secret());
        form.append_pair("refresh_token", token.expose_secret());
        let form: SecretString = form.finish().into();
        Box::pin(async move {
            let answer: TokenAnswer = ask_for_token(http, endpoint, form).await?;
            let lasts = |seconds: i64| TimeDelta::seconds(seconds - MARGIN.min(seconds / 10).max(0));
            let renew_at = answer.expires_in.map(|seconds| http.now() + lasts(seconds));
            let access = Access { token: answer.access_token.into(), renew_at };
            Ok(Granted { access, refresh_token: answer.refresh_token.map(SecretString::from) })
        })
    };
    refresh(keeper.as_ref(), unkept, &error, &ask).await
}

/// `/oauth/v1/…`, or `/oauth/2026-03/…` where the paths go by date.
fn endpoint(base: &Url, version: &str, name: &str) -> Url {
    let version = if version.starts_with('v') { "v1" } else { version };
    join(base, &["oauth", version, name])
}

/// Logs a person in: the authorization request, and the redemption of the code that answers it.
pub struct HubspotLogin {
    http: Http,
    base: Url,
    page: Url,
    version: String,
    client_id: String,
    client_secret: SecretString,
}

#[derive(Deserialize)]
struct AboutToken {
    hub_id: u64,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
}

impl HubspotLogin {
    /// Prepares a login; `page` is the host on which people consent.
    pub fn new(
        base: Url,
        page: Url,
        version: &str,
        client: (String, SecretString),
        options: HttpOptions,
    ) -> Result<Self, SetupError> {
        let http = Http::new(&answers::VENDOR, &base, options)?;
        let (client_id, client_secret) = client;
        Ok(Self { http, base, page, version: version.to_owned(), client_id, client_secret })
    }

    /// Where the person is sent.
    pub fn authorize(&self, request: &Authorization) -> Url {
        let mut url = join(&self.page, &["oauth", "authorize"]);
        url.query_pairs_mut()
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &request.redirect_uri)
            .append_pair("scope", &request.scopes.join(" "))
            .append_pair("state", &request.state)
            .append_pair("code_challenge", &request.challenge)
            .append_pair("code_challenge_method", "S256");
        url
    }

    /// Redeems a code, and asks whose tokens they are.
    pub async fn redeem(
        &self,
        code: &SecretString,
        verifier: &Verifier,
        redirect_uri: &str,
    ) -> Result<LoggedIn, CrmError> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code");
        form.append_pair("client_id", &self.client_id);
        form.append_pair("client_secret", self.client_secret.expose_secret());
        form.append_pair("redirect_uri", redirect_uri);
        form.append_pair("code", code.expose_secret());
        form.append_pair("code_verifier", verifier.secret().expose_secret());
        let url = endpoint(&self.base, &self.version, "token");
        let answer: TokenAnswer = ask_for_token(&self.http, &url, form.finish().into()).await?;
        let Some(refresh_token) = answer.refresh_token else {
            return Err(self.http.error(CrmErrorKind::Garbled, "the token answer holds no refresh token"));
        };
        // The token stands in the path, so errors of this call are told without their address.
        let url = join(&self.base, &["oauth", "v1", "access-tokens", &answer.access_token]);
        let about = self.http.json(&Call::get(url), None).await?;
        let about: AboutToken = serde_json::from_value(about).map_err(|_| {
            self.http.error(CrmErrorKind::Garbled, "the answer about the token is not understood")
        })?;
        Ok(LoggedIn {
            refresh_token: refresh_token.into(),
            account: about.hub_id.to_string(),
            user: about.user,
            scopes: about.scopes,
        })
    }

    /// Tells HubSpot to forget a refresh token.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), CrmError> {
        let mut call = Call::get(join(&self.base, &["oauth", "v1", "refresh-tokens", token.expose_secret()]));
        call.method = reqwest::Method::DELETE;
        let answer = self.http.send(&call, None).await?;
        if answer.success() { Ok(()) } else { Err(self.http.explain(&answer, true)) }
    }
}

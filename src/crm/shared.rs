//! What calls need of a login (a token, a session), shared by all callers: fetched when first needed, and once when it is refused.
//!
//! Cancellation: it is fetched in a task of its own, so that a caller that is dropped loses no refresh token which the answer
//! replaces.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use crate::types::{CrmError, CrmErrorKind};

use super::http::{Body, Call, Http};
use super::tokens::{TokenKeeper, Unkept};

/// How often the keeper is asked whether somebody has logged in anew or out.
const LOOK: TimeDelta = TimeDelta::seconds(5);

/// What is fetched, with the login that it belongs to.
pub(super) type Fetched<'u, T> = BoxFuture<'u, Result<(T, i64), CrmError>>;

/// Tells whether it can still be used at a time.
pub(super) type Usable<T> = fn(&T, DateTime<Utc>) -> bool;

/// What all callers share.
pub(super) struct Shared<T> {
    usable: Usable<T>,
    state: Arc<Mutex<State<T>>>,
}

struct State<T> {
    held: Option<Arc<T>>,
    /// The login that it belongs to.
    login: i64,
    /// When the keeper was last asked whether somebody logged in anew.
    looked_at: Option<DateTime<Utc>>,
    /// What was refused last, if nothing was fetched since.
    refused: Option<Refused>,
    unkept: Unkept,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    /// Nobody had logged in.
    Nobody,
    /// This login.
    Login(i64),
}

impl Refused {
    fn of(login: Option<i64>) -> Self {
        login.map_or(Refused::Nobody, Refused::Login)
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// Nothing yet.
    pub(super) fn new(usable: Usable<T>) -> Self {
        let state = State { held: None, login: 0, looked_at: None, refused: None, unkept: None };
        Self { usable, state: Arc::new(Mutex::new(state)) }
    }

    /// What is there and can be used. Callers that come while it is fetched wait for that.
    pub(super) async fn held(&self, now: DateTime<Utc>, keeper: Option<&dyn TokenKeeper>) -> Option<Arc<T>> {
        let mut state = self.state.lock().await;
        if let Some(keeper) = keeper
            && state.looked_at.is_none_or(|looked| now - looked >= LOOK || now < looked)
            // Where that cannot be known now, what is there goes on.
            && let Ok(login) = keeper.login().await
        {
            state.looked_at = Some(now);
            if login != Some(state.login) {
                state.held = None;
            }
        }
        state.held.clone().filter(|held| (self.usable)(held, now))
    }

    /// Whether somebody has logged in since a login was refused. While it is being fetched nobody knows yet.
    pub(super) async fn logged_in_anew(&self, keeper: &dyn TokenKeeper) -> bool {
        let refused = self.state.try_lock().ok().and_then(|state| state.refused);
        let Some(refused) = refused else { return false };
        keeper.login().await.is_ok_and(|login| login.is_some() && Refused::of(login) != refused)
    }

    /// Fetches it, unless somebody else has done so meanwhile: something other than what was refused.
    pub(super) async fn fetch(
        &self,
        http: &Arc<Http>,
        refused: Option<Arc<T>>,
        keeper: Option<Arc<dyn TokenKeeper>>,
        fetch: impl for<'u> FnOnce(Arc<Http>, &'u mut Unkept) -> Fetched<'u, T> + Send + 'static,
    ) -> Result<Arc<T>, CrmError> {
        let (state, usable, http) = (Arc::clone(&self.state), self.usable, Arc::clone(http));
        let lost = http.error(CrmErrorKind::Retry, "the request for a token broke off");
        let task = tokio::spawn(async move {
            let mut state = state.lock().await;
            let now = http.now();
            let other = |held: &Arc<T>| refused.as_ref().is_none_or(|refused| !Arc::ptr_eq(held, refused));
            if let Some(held) = state.held.take().filter(|held| usable(held, now) && other(held)) {
                state.held = Some(Arc::clone(&held));
                return Ok(held);
            }
            // Known before it is used: whoever logs in while it is on its way is told from it.
            let before = match &keeper {
                Some(keeper) => keeper.login().await.ok().map(Refused::of),
                None => None,
            };
            let (fetched, login) = fetch(http, &mut state.unkept).await.inspect_err(|error| {
                if error.kind == CrmErrorKind::Unauthorised {
                    state.refused = before;
                }
            })?;
            let fetched = Arc::new(fetched);
            (state.held, state.login, state.refused) = (Some(Arc::clone(&fetched)), login, None);
            Ok(fetched)
        });
        task.await.unwrap_or(Err(lost))
    }
}

/// Posts a form to a token endpoint. Whatever it refuses, calls cannot go on without a person.
pub(super) async fn ask_for_token<T: DeserializeOwned>(
    http: &Http,
    endpoint: &Url,
    form: SecretString,
) -> Result<T, CrmError> {
    let mut call = Call::get(endpoint.clone());
    call.method = reqwest::Method::POST;
    call.body = Body::Form(form);
    let answer = http.send(&call, None).await?;
    if !answer.success() {
        let mut error = http.explain(&answer, true);
        if error.kind == CrmErrorKind::Refused {
            error.kind = CrmErrorKind::Unauthorised;
        }
        return Err(error);
    }
    // The body holds a token, so no part of it may go into an error.
    serde_json::from_slice(&answer.body)
        .map_err(|_| http.error(CrmErrorKind::Garbled, "the token answer is not understood"))
}

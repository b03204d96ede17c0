//! Refresh tokens: where they are kept, and how they are used once for many.
//!
//! A vendor may answer a refresh with another refresh token and refuse the old one from then on. So the order is fixed: the
//! turn is taken, the token is read, used, and a new one is kept durably before the access token that came with it is used.
//! One that could not be kept stays in memory, and nothing is called until it is.
//!
//! Cancellation: a refresh that is dropped may have replaced the token at the vendor without anybody knowing the new one; so
//! whoever refreshes does so in a task of its own ([`refresh`] is called inside one).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::types::{CrmError, CrmErrorKind};

/// A refresh token as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The token.
    pub token: SecretString,
    /// Tells one login from the next.
    pub login: i64,
    /// Tells one token of a login from the one that replaced it.
    pub revision: i64,
}

/// Why a token can be neither read nor kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeepError {
    /// What is wrong, and what to do.
    pub message: String,
    /// Whether only a person can mend it.
    pub lasting: bool,
}

/// Where a refresh token is kept.
#[async_trait]
pub trait TokenKeeper: Send + Sync + fmt::Debug {
    /// The token as it is now; `None` where nobody has logged in.
    async fn load(&self) -> Result<Option<Kept>, KeepError>;

    /// Which login is the present one, without its token.
    async fn login(&self) -> Result<Option<i64>, KeepError>;

    /// Keeps a token in place of the one that was read; `None` where another one stands there by now.
    async fn replace(&self, was: &Kept, with: SecretString) -> Result<Option<Kept>, KeepError>;

    /// Takes the turn to use the token; `false` while somebody else has it.
    async fn take_turn(&self) -> Result<bool, KeepError>;

    /// Gives the turn back.
    async fn end_turn(&self);

    /// What to do where there is no token, or it is refused.
    fn advice(&self) -> String;
}

/// Keeps a token in memory: for a project without a key, and for tests.
#[derive(Debug)]
pub struct InMemory(Mutex<Kept>);

impl InMemory {
    /// Begins with a token.
    pub fn new(token: SecretString) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Kept { token, login: 0, revision: 0 })))
    }

    fn kept(&self) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl TokenKeeper for InMemory {
    async fn load(&self) -> Result<Option<Kept>, KeepError> {
        Ok(Some(self.kept()))
    }

    async fn login(&self) -> Result<Option<i64>, KeepError> {
        Ok(Some(self.kept().login))
    }

    async fn replace(&self, was: &Kept, with: SecretString) -> Result<Option<Kept>, KeepError> {
        let kept = Kept { token: with, login: was.login, revision: was.revision + 1 };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = kept.clone();
        tracing::warn!(
            "the refresh token was replaced, and without `store: keys:` the new one is lost when this process ends"
        );
        Ok(Some(kept))
    }

    async fn take_turn(&self) -> Result<bool, KeepError> {
        Ok(true)
    }

    async fn end_turn(&self) {}

    fn advice(&self) -> String {
        "the configured refresh token is refused: configure another one".to_owned()
    }
}

/// What a refresh gave.
pub(super) struct Granted<T> {
    /// What calls need.
    pub(super) access: T,
    /// The refresh token that takes the place of the one that was used.
    pub(super) refresh_token: Option<SecretString>,
}

/// The vendor is asked with a refresh token.
pub(super) type Asked<'a, T> = BoxFuture<'a, Result<Granted<T>, CrmError>>;

/// A token that the vendor gave and that could not be kept so far, with the one that it replaces.
pub(super) type Unkept = Option<(Kept, SecretString)>;

/// How long to wait for the turn in all, and between two looks.
const PATIENCE: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// Uses the refresh token; gives what calls need, and the login that it belongs to. `error` makes an error of this CRM.
pub(super) async fn refresh<'a, T: Send>(
    keeper: &dyn TokenKeeper,
    unkept: &mut Unkept,
    error: &(dyn Fn(CrmErrorKind, String) -> CrmError + Send + Sync),
    ask: &(dyn Fn(SecretString) -> Asked<'a, T> + Send + Sync),
) -> Result<(T, i64), CrmError> {
    let failed = |failure: KeepError| {
        let kind = if failure.lasting { CrmErrorKind::Unauthorised } else { CrmErrorKind::Retry };
        error(kind, failure.message)
    };
    let mut waited = 0;
    while !keeper.take_turn().await.map_err(failed)? {
        waited += 1;
        if waited > PATIENCE {
            return Err(error(CrmErrorKind::Retry, "another process is using the refresh token".to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
    let done = in_turn(keeper, unkept, error, &failed, ask).await;
    keeper.end_turn().await;
    done
}

async fn in_turn<'a, T: Send>(
    keeper: &dyn TokenKeeper,
    unkept: &mut Unkept,
    error: &(dyn Fn(CrmErrorKind, String) -> CrmError + Send + Sync),
    failed: &(dyn Fn(KeepError) -> CrmError + Send + Sync),
    ask: &(dyn Fn(SecretString) -> Asked<'a, T> + Send + Sync),
) -> Result<(T, i64), CrmError> {
    // Where the place was taken by another login meanwhile, the token that could not be kept is of no use any more.
    if let Some((was, with)) = unkept.as_ref() {
        keeper.replace(was, with.clone()).await.map_err(failed)?;
        *unkept = None;
    }
    let Some(kept) = keeper.load().await.map_err(failed)? else {
        return Err(error(CrmErrorKind::Unauthorised, format!("nobody has logged in: {}", keeper.advice())));
    };
    let (kept, granted) = match ask(kept.token.clone()).await {
        Ok(granted) => (kept, granted),
        Err(refused) if refused.kind == CrmErrorKind::Unauthorised => {
            // Somebody may have logged in, or have replaced the token, while it was on its way.
            let now = keeper.load().await.map_err(failed)?;
            let another = now.filter(|now| (now.login, now.revision) != (kept.login, kept.revision));
            let Some(now) = another else {
                let message = format!("{}; {}", refused.message, keeper.advice());
                return Err(CrmError { message, ..refused });
            };
            let granted = ask(now.token.clone()).await?;
            (now, granted)
        }
        Err(other) => return Err(other),
    };
    let login = kept.login;
    let new = granted.refresh_token.filter(|new| new.expose_secret() != kept.token.expose_secret());
    if let Some(new) = new {
        match keeper.replace(&kept, new.clone()).await {
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(error(CrmErrorKind::Retry, "somebody logged in anew meanwhile".to_owned()));
            }
            Err(failure) => {
                *unkept = Some((kept, new));
                return Err(failed(failure));
            }
        }
    }
    Ok((granted.access, login))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Side;

    /// A keeper whose failures a test sets.
    #[derive(Debug, Default)]
    struct Fragile {
        kept: Mutex<Option<Kept>>,
        broken: Mutex<bool>,
        turns: Mutex<Vec<&'static str>>,
    }

    impl Fragile {
        fn with(token: &str) -> Self {
            let kept = Kept { token: token.into(), login: 1, revision: 1 };
            Self { kept: Mutex::new(Some(kept)), ..Self::default() }
        }

        fn set(&self, token: &str, login: i64) {
            *self.kept.lock().expect("no panic") = Some(Kept { token: token.into(), login, revision: 1 });
        }

        fn token(&self) -> String {
            let kept = self.kept.lock().expect("no panic");
            kept.as_ref().map_or_else(String::new, |kept| kept.token.expose_secret().to_owned())
        }
    }

    #[async_trait]
    impl TokenKeeper for Fragile {
        async fn load(&self) -> Result<Option<Kept>, KeepError> {
            Ok(self.kept.lock().expect("no panic").clone())
        }

        async fn login(&self) -> Result<Option<i64>, KeepError> {
            Ok(self.kept.lock().expect("no panic").as_ref().map(|kept| kept.login))
        }

        async fn replace(&self, was: &Kept, with: SecretString) -> Result<Option<Kept>, KeepError> {
            if *self.broken.lock().expect("no panic") {
                return Err(KeepError { message: "the disk is full".to_owned(), lasting: false });
            }
            let mut kept = self.kept.lock().expect("no panic");
            let stands =
                kept.as_ref().is_some_and(|kept| (kept.login, kept.revision) == (was.login, was.revision));
            if !stands {
                return Ok(None);
            }
            *kept = Some(Kept { token: with, login: was.login, revision: was.revision + 1 });
            Ok(kept.clone())
        }

        async fn take_turn(&self) -> Result<bool, KeepError> {
            self.turns.lock().expect("no panic").push("taken");
            Ok(true)
        }

        async fn end_turn(&self) {
            self.turns.lock().expect("no panic").push("ended");
        }

        fn advice(&self) -> String {
            "log in".to_owned()
        }
    }

    fn error(kind: CrmErrorKind, message: String) -> CrmError {
        crate::crm::http::error(Side::Hubspot, kind, message)
    }

    fn granted(access: &str, refresh: Option<&str>) -> Granted<String> {
        Granted { access: access.to_owned(), refresh_token: refresh.map(SecretString::from) }
    }

    #[tokio::test]
    async fn a_replaced_token_is_kept_before_the_access_token_is_given_out() {
        let keeper = Fragile::with("r1");
        let mut unkept = None;
        let ask = |token: SecretString| -> Asked<'_, String> {
            assert_eq!(token.expose_secret(), "r1");
            Box::pin(async { Ok(granted("a1", Some("r2"))) })
        };
        let (access, login) = refresh(&keeper, &mut unkept, &error, &ask).await.expect("granted");
        assert_eq!((access.as_str(), login, keeper.token().as_str()), ("a1", 1, "r2"));
        assert_eq!(*keeper.turns.lock().expect("no panic"), ["taken", "ended"]);
    }

    #[tokio::test]
    async fn what_cannot_be_kept_is_not_used_and_not_lost() {
        let keeper = Fragile::with("r1");
        let mut unkept = None;
        *keeper.broken.lock().expect("no panic") = true;
        let first = |_| -> Asked<'_, String> { Box::pin(async { Ok(granted("a1", Some("r2"))) }) };
        let refused = refresh(&keeper, &mut unkept, &error, &first).await.expect_err("not kept");
        assert_eq!((refused.kind, keeper.token().as_str()), (CrmErrorKind::Retry, "r1"));
        // The old one is dead at the vendor: it must not be asked with.
        let never = |_| -> Asked<'_, String> { panic!("nothing is called") };
        refresh(&keeper, &mut unkept, &error, &never).await.expect_err("still not kept");
        *keeper.broken.lock().expect("no panic") = false;
        let second = |token: SecretString| -> Asked<'_, String> {
            assert_eq!(token.expose_secret(), "r2");
            Box::pin(async { Ok(granted("a2", None)) })
        };
        let (access, _) = refresh(&keeper, &mut unkept, &error, &second).await.expect("granted");
        assert_eq!((access.as_str(), keeper.token().as_str(), unkept.is_none()), ("a2", "r2", true));
    }

    #[tokio::test]
    async fn a_login_that_came_meanwhile_is_used_and_never_overwritten() {
        let keeper = Fragile::with("r1");
        let mut unkept = None;
        let ask = |token: SecretString| -> Asked<'_, String> {
            let answer = if token.expose_secret() == "r1" {
                keeper.set("new", 2);
                Err(error(CrmErrorKind::Unauthorised, "invalid_grant".to_owned()))
            } else {
                Ok(granted("a2", None))
            };
            Box::pin(async { answer })
        };
        let (access, login) = refresh(&keeper, &mut unkept, &error, &ask).await.expect("granted");
        assert_eq!((access.as_str(), login), ("a2", 2));
        let ask = |_| -> Asked<'_, String> {
            keeper.set("newer", 3);
            Box::pin(async { Ok(granted("a3", Some("r3"))) })
        };
        let lost = refresh(&keeper, &mut unkept, &error, &ask).await.expect_err("another login stands there");
        assert_eq!((lost.kind, keeper.token().as_str()), (CrmErrorKind::Retry, "newer"));
    }

    #[tokio::test]
    async fn without_a_login_or_with_a_refused_one_the_advice_is_told() {
        let keeper = Fragile::default();
        let mut unkept = None;
        let ask = |_| -> Asked<'_, String> {
            Box::pin(async { Err(error(CrmErrorKind::Unauthorised, "invalid_grant".to_owned())) })
        };
        let none = refresh(&keeper, &mut unkept, &error, &ask).await.expect_err("nobody");
        assert_eq!(
            (none.kind, none.message.as_str()),
            (CrmErrorKind::Unauthorised, "nobody has logged in: log in")
        );
        keeper.set("r1", 1);
        let refused = refresh(&keeper, &mut unkept, &error, &ask).await.expect_err("refused");
        assert_eq!(refused.message, "invalid_grant; log in");
        assert_eq!(keeper.turns.lock().expect("no panic").last(), Some(&"ended"));
    }
}

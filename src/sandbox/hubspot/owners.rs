//! `/crm/v3/owners`: the people who own records. Archived ones are listed only when asked for.

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::catalog::instant;
use super::error::ApiError;
use super::request::{Call, Outcome, no_content, ok};
use super::store::Portal;

/// An owner.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) id: String,
    pub(super) user_id: u64,
    pub(super) email: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) archived: bool,
    pub(super) created_at: DateTime<Utc>,
}

impl Owner {
    fn body(&self) -> Value {
        let user = if self.archived { Value::Null } else { self.user_id.into() };
        json!({
            "id": self.id,
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": user,
            "userIdIncludingInactive": self.user_id,
            "createdAt": instant(self.created_at),
            "updatedAt": instant(self.created_at),
            "archived": self.archived,
        })
    }
}

/// `/crm/v3/owners…`
pub(super) fn route(portal: &Portal, call: &Call, rest: &[&str]) -> Outcome {
    if call.method != Method::GET {
        return Err(ApiError::method());
    }
    let archived = call.query.flag("archived")?;
    let mut owners = portal.owners.iter().filter(|owner| owner.archived == archived);
    match rest {
        [] => {
            let limit = call.query.limit(100, 500)?;
            let after: usize = call.query.one("after").and_then(|after| after.parse().ok()).unwrap_or(0);
            let email = call.query.one("email");
            let fits = |owner: &&Owner| email.is_none_or(|email| owner.email.eq_ignore_ascii_case(email));
            let found: Vec<Value> = owners.filter(fits).map(Owner::body).collect();
            let page: Vec<Value> = found.iter().skip(after).take(limit).cloned().collect();
            let next = after + page.len();
            let mut body = json!({"results": page});
            if next < found.len() {
                body["paging"] = json!({"next": {"after": next.to_string()}});
            }
            ok(body)
        }
        [id] => {
            let by_user =
                call.query.one("idProperty").is_some_and(|name| name.eq_ignore_ascii_case("userId"));
            let found =
                owners.find(|owner| if by_user { owner.user_id.to_string() == *id } else { owner.id == *id });
            ok(found.ok_or_else(ApiError::not_found)?.body())
        }
        _ => Err(ApiError::no_route(&call.path)),
    }
}

/// What an administrator changes of an owner.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    email: Option<String>,
    archived: Option<bool>,
}

/// `/_sandbox/owners/{id}`: an owner joins or is changed (`PATCH`), or is gone for good.
pub(super) fn change(portal: &mut Portal, call: &Call, id: &str) -> Outcome {
    let at = portal.owners.iter().position(|owner| owner.id == id);
    match (&call.method, at) {
        (&Method::DELETE, Some(at)) => {
            portal.owners.remove(at);
            no_content()
        }
        (&Method::DELETE, None) => Err(ApiError::not_found()),
        (&Method::PATCH, at) => {
            let Change { email, archived } = call.json()?;
            let at = at.unwrap_or_else(|| {
                portal.owners.push(joined(id, portal.owners.len(), portal.clock.now()));
                portal.owners.len() - 1
            });
            let owner = &mut portal.owners[at];
            if let Some(email) = email {
                owner.email = email;
            }
            owner.archived = archived.unwrap_or(owner.archived);
            ok(owner.body())
        }
        _ => Err(ApiError::method()),
    }
}

/// Somebody whom the portal does not know yet.
fn joined(id: &str, others: usize, now: DateTime<Utc>) -> Owner {
    Owner {
        id: id.to_owned(),
        user_id: 1_000 + others as u64,
        email: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        archived: false,
        created_at: now,
    }
}

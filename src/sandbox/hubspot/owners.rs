//! `/crm/v3/owners`: the people who own records. Archived ones are listed only when asked for.

use axum::http::Method;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::catalog::instant;
use super::error::ApiError;
use super::request::{Call, Outcome, ok};
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

//! What a CRM can answer, and what that means: the one table that both clients decide by, and that `docs/operations.md`
//! shows.
//!
//! A row is recognised by a code first and by a status only where no code is known: a lock, for one, comes with different
//! statuses. What is in no row is a refusal with the vendor's own words.

use crate::source::Side;
use crate::types::CrmErrorKind;

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Nothing was done; the same call may succeed later.
    Again,
    /// The same, but a write may have been applied.
    Perhaps,
    /// The allowance of a day is used up.
    Window,
    /// The token or session is refused.
    Token,
    /// A scope or permission is missing.
    Permission,
    /// The API version is not offered.
    Version,
    /// A duplicate rule blocked the write.
    Duplicate,
    /// A unique value is on another record.
    Taken,
    /// The Lead is converted.
    Converted,
    /// The record is gone.
    Gone,
    /// Several records share what should be unique.
    Several,
    /// A value, or the record as a whole, is not valid.
    Invalid,
    /// The answer cannot be read, or comes from somebody else.
    Unreadable,
    /// The call is sent to another address.
    Elsewhere,
}

impl Meaning {
    /// All of them.
    pub const ALL: [Meaning; 14] = [
        Meaning::Again,
        Meaning::Perhaps,
        Meaning::Window,
        Meaning::Token,
        Meaning::Permission,
        Meaning::Version,
        Meaning::Duplicate,
        Meaning::Taken,
        Meaning::Converted,
        Meaning::Gone,
        Meaning::Several,
        Meaning::Invalid,
        Meaning::Unreadable,
        Meaning::Elsewhere,
    ];

    /// What a whole call with this answer has failed of, and whether a write may have been applied.
    pub(super) fn kind(self) -> (CrmErrorKind, bool) {
        match self {
            Meaning::Again => (CrmErrorKind::Retry, false),
            Meaning::Perhaps => (CrmErrorKind::Retry, true),
            Meaning::Window => (CrmErrorKind::Window, false),
            Meaning::Token => (CrmErrorKind::Unauthorised, false),
            Meaning::Permission => (CrmErrorKind::Forbidden, false),
            Meaning::Version => (CrmErrorKind::Version, false),
            Meaning::Unreadable => (CrmErrorKind::Garbled, false),
            Meaning::Duplicate
            | Meaning::Taken
            | Meaning::Converted
            | Meaning::Gone
            | Meaning::Several
            | Meaning::Invalid
            | Meaning::Elsewhere => (CrmErrorKind::Refused, false),
        }
    }

    /// What follows, for an operator.
    pub fn policy(self) -> &'static str {
        match self {
            Meaning::Again => {
                "Calls again after a short wait, or after `Retry-After`. Then the record is tried again with growing \
                 pauses, and parked after `limits: max_attempts`."
            }
            Meaning::Perhaps => {
                "A read is made again. A write is not: it may have taken place. The record runs anew after a pause, and looks \
                 first."
            }
            Meaning::Window => {
                "Leaves this CRM alone until its window opens, a quarter of an hour where it does not say. Webhooks are still \
                 taken, and no record loses an attempt."
            }
            Meaning::Token => {
                "Fetches a new session once (Salesforce). Then pauses this CRM, says so in the log and in `/healthz`, and \
                 tries one record a minute: when the token works again, work goes on by itself. No record loses an attempt."
            }
            Meaning::Permission => {
                "Pauses this CRM, says so in the log and in `/healthz`, and tries one record a minute: when the permission is \
                 granted, work goes on by itself. No record loses an attempt."
            }
            Meaning::Version => {
                "Pauses this CRM, says so in the log and in `/healthz`, and tries one record a minute; `backfill` stops. No \
                 record loses an attempt. Correct `api_version:` (Salesforce) or `api_path:` (HubSpot) and start again."
            }
            Meaning::Duplicate => "The mapping's `on duplicate` decides.",
            Meaning::Taken => {
                "Looks again, since somebody else may just have made the record; then the mapping's `on taken` decides."
            }
            Meaning::Converted => "The mapping's `on converted` decides.",
            Meaning::Gone => {
                "Looks again; a record that was linked has ended, and the mapping's `on target …` decides."
            }
            Meaning::Several => "Parks the record: the key field is not unique.",
            Meaning::Invalid => {
                "The mapping's `on rejected` decides; parked, it names the field, the value and the rule's line."
            }
            Meaning::Unreadable => {
                "The record runs anew after growing pauses, and looks first; after `limits: max_attempts` it is parked with the \
                 beginning of the answer."
            }
            Meaning::Elsewhere => {
                "Parks the record. Redirects are never followed: configure the final address."
            }
        }
    }
}

/// One row of the table.
#[derive(Debug)]
pub struct Known {
    /// Its name, which is also that of its test.
    pub name: &'static str,
    /// Whose answer it is; `None` for both.
    pub side: Option<Side>,
    /// Its statuses, from and to; empty where the code decides.
    pub statuses: &'static [(u16, u16)],
    /// Its codes; empty where the status decides.
    pub codes: &'static [&'static str],
    /// A part of the message, in lower case, without which it is not meant.
    pub words: &'static str,
    /// Whether it is meant only with `Retry-After`.
    pub retry_after: bool,
    /// What it means.
    pub meaning: Meaning,
    /// What it is, for an operator.
    pub what: &'static str,
}

const fn by_code(
    side: Side,
    name: &'static str,
    codes: &'static [&'static str],
    meaning: Meaning,
    what: &'static str,
) -> Known {
    Known { name, side: Some(side), statuses: &[], codes, words: "", retry_after: false, meaning, what }
}

const fn by_status(
    name: &'static str,
    statuses: &'static [(u16, u16)],
    meaning: Meaning,
    what: &'static str,
) -> Known {
    Known { name, side: None, statuses, codes: &[], words: "", retry_after: false, meaning, what }
}

const HUBSPOT: Side = Side::Hubspot;
const SALESFORCE: Side = Side::Salesforce;

/// The table. The first row that fits counts.
pub static KNOWN: &[Known] = &[
    // HubSpot's error bodies have a category, or the policy of a limit, or the code of a property's error.
    by_code(HUBSPOT, "hubspot.daily_limit", &["DAILY"], Meaning::Window, "the day's calls are used up"),
    by_code(
        HUBSPOT,
        "hubspot.contact_exists",
        &["CONFLICT", "CONFLICTING_UNIQUE_VALUE"],
        Meaning::Taken,
        "another record has this e-mail address, domain or unique value",
    ),
    by_code(
        HUBSPOT,
        "hubspot.gone",
        &["OBJECT_NOT_FOUND", "NOT_FOUND", "RESOURCE_NOT_FOUND"],
        Meaning::Gone,
        "the record was archived, merged or never there",
    ),
    by_code(
        HUBSPOT,
        "hubspot.row_later",
        &["RATE_LIMITS", "RATE_LIMIT", "LOCKED"],
        Meaning::Again,
        "one row of a batch came too soon",
    ),
    by_code(
        HUBSPOT,
        "hubspot.row_failed",
        &["INTERNAL_ERROR"],
        Meaning::Perhaps,
        "one row of a batch failed in HubSpot",
    ),
    by_code(
        HUBSPOT,
        "hubspot.invalid",
        &["PROPERTY_DOESNT_EXIST", "INVALID_OPTION", "INVALID_EMAIL", "INVALID_DATE", "VALIDATION_ERROR"],
        Meaning::Invalid,
        "a property does not exist (any more), or does not take the value",
    ),
    // Salesforce says an `errorCode`, in rows of a collection a `statusCode`, and at its token endpoint an `error`.
    by_code(
        SALESFORCE,
        "salesforce.locked",
        &["UNABLE_TO_LOCK_ROW"],
        Meaning::Again,
        "somebody else is writing the record or its parent",
    ),
    by_code(
        SALESFORCE,
        "salesforce.unavailable",
        &["SERVER_UNAVAILABLE"],
        Meaning::Again,
        "its servers are busy",
    ),
    by_code(
        SALESFORCE,
        "salesforce.slow",
        &["QUERY_TIMEOUT", "REQUEST_RUNNING_TOO_LONG", "UNKNOWN_EXCEPTION"],
        Meaning::Perhaps,
        "it gave up on the request, or failed in it",
    ),
    Known {
        words: "concurrent",
        ..by_code(
            SALESFORCE,
            "salesforce.concurrent",
            &["REQUEST_LIMIT_EXCEEDED"],
            Meaning::Again,
            "too many long requests at the same time",
        )
    },
    by_code(
        SALESFORCE,
        "salesforce.daily_limit",
        &["REQUEST_LIMIT_EXCEEDED"],
        Meaning::Window,
        "the calls of the last 24 hours are used up",
    ),
    by_code(
        SALESFORCE,
        "salesforce.session",
        &["INVALID_SESSION_ID", "INVALID_AUTH_HEADER"],
        Meaning::Token,
        "the session has ended",
    ),
    by_code(
        SALESFORCE,
        "salesforce.grant",
        &[
            "invalid_grant",
            "invalid_client",
            "invalid_client_id",
            "inactive_user",
            "inactive_org",
            "unauthorized_client",
        ],
        Meaning::Token,
        "no new session is given: the secret, key or user is not accepted",
    ),
    by_code(
        SALESFORCE,
        "salesforce.permission",
        &[
            "API_CURRENTLY_DISABLED",
            "API_DISABLED_FOR_ORG",
            "INSUFFICIENT_ACCESS",
            "FUNCTIONALITY_NOT_ENABLED",
        ],
        Meaning::Permission,
        "the integration user may not do this",
    ),
    by_code(
        SALESFORCE,
        "salesforce.version_retired",
        &["UNSUPPORTED_API_VERSION"],
        Meaning::Version,
        "the API version was retired",
    ),
    by_code(
        SALESFORCE,
        "salesforce.duplicate",
        &["DUPLICATES_DETECTED"],
        Meaning::Duplicate,
        "a duplicate rule found other records, of this object or of another one",
    ),
    by_code(
        SALESFORCE,
        "salesforce.taken",
        &["DUPLICATE_VALUE", "DUPLICATE_EXTERNAL_ID"],
        Meaning::Taken,
        "another record has this unique value",
    ),
    by_code(
        SALESFORCE,
        "salesforce.converted",
        &["CANNOT_UPDATE_CONVERTED_LEAD"],
        Meaning::Converted,
        "the Lead was converted into a Contact",
    ),
    Known {
        words: "external id field",
        ..by_code(
            SALESFORCE,
            "salesforce.no_such_key",
            &["NOT_FOUND"],
            Meaning::Invalid,
            "the key is no external ID field (any more)",
        )
    },
    by_code(
        SALESFORCE,
        "salesforce.gone",
        &["ENTITY_IS_DELETED", "NOT_FOUND"],
        Meaning::Gone,
        "the record was deleted or merged",
    ),
    Known {
        words: "invalid cross reference id",
        ..by_code(
            SALESFORCE,
            "salesforce.gone_by_id",
            &["INVALID_CROSS_REFERENCE_KEY"],
            Meaning::Gone,
            "there is no record of this id",
        )
    },
    by_code(
        SALESFORCE,
        "salesforce.invalid",
        &[
            "STRING_TOO_LONG",
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "REQUIRED_FIELD_MISSING",
            "FIELD_CUSTOM_VALIDATION_EXCEPTION",
            "INVALID_EMAIL_ADDRESS",
            "FIELD_INTEGRITY_EXCEPTION",
            "INVALID_CROSS_REFERENCE_KEY",
        ],
        Meaning::Invalid,
        "a value is refused, or a validation rule says no",
    ),
    by_code(
        SALESFORCE,
        "salesforce.not_shared",
        &["INSUFFICIENT_ACCESS_OR_READONLY", "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY"],
        Meaning::Invalid,
        "the integration user may not change this record, or not refer to that one",
    ),
    by_code(
        SALESFORCE,
        "salesforce.schema_changed",
        &["INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", "INVALID_TYPE"],
        Meaning::Invalid,
        "a field or object is not there (any more), or may not be written: the snapshot is out of date",
    ),
    Known {
        side: Some(SALESFORCE),
        ..by_status(
            "salesforce.several",
            &[(300, 300)],
            Meaning::Several,
            "several records have this external ID",
        )
    },
    Known {
        side: Some(SALESFORCE),
        ..by_status("salesforce.version_gone", &[(410, 410)], Meaning::Version, "the API version was retired")
    },
    // What statuses say by themselves.
    by_status(
        "line.unauthorised",
        &[(401, 401)],
        Meaning::Token,
        "the token is refused: it was rotated, or has expired",
    ),
    by_status("line.forbidden", &[(403, 403)], Meaning::Permission, "a scope or permission is missing"),
    by_status(
        "line.too_many",
        &[(429, 429)],
        Meaning::Again,
        "too many calls in a short time, or searches in a second",
    ),
    by_status("line.locked", &[(423, 423)], Meaning::Again, "the record is locked for a moment"),
    by_status("line.migrating", &[(477, 477)], Meaning::Again, "the account is being moved (HubSpot)"),
    Known {
        retry_after: true,
        ..by_status(
            "line.busy",
            &[(503, 503)],
            Meaning::Again,
            "the server says when to come back, so it has not begun",
        )
    },
    by_status(
        "line.server_error",
        &[(408, 408), (500, 599)],
        Meaning::Perhaps,
        "the server failed, or a proxy before it; 521 to 524 too",
    ),
];

/// What can happen to a call without an answer that means something.
#[derive(Debug)]
pub struct Broken {
    /// Its name, which is also that of its test.
    pub name: &'static str,
    /// What it means for a write; a read that may have been applied does no harm.
    pub meaning: Meaning,
    /// What it is, for an operator.
    pub what: &'static str,
}

pub(super) static NO_CONNECTION: Broken =
    Broken { name: "line.no_connection", meaning: Meaning::Again, what: "no connection: nothing was sent" };
pub(super) static BROKEN_OFF: Broken = Broken {
    name: "line.broken_off",
    meaning: Meaning::Perhaps,
    what: "the connection broke off, before or after the call was carried out",
};
pub(super) static TIMED_OUT: Broken = Broken {
    name: "line.timed_out",
    meaning: Meaning::Perhaps,
    what: "no answer within `limits: http_timeout_seconds`, whether or not the call was carried out",
};
pub(super) static GARBLED: Broken = Broken {
    name: "line.garbled",
    meaning: Meaning::Unreadable,
    what: "a body that is not the JSON that belongs there",
};
pub(super) static REDIRECTED: Broken =
    Broken { name: "line.redirected", meaning: Meaning::Elsewhere, what: "a redirect" };
pub(super) static NOT_OFFERED: Broken = Broken {
    name: "line.version",
    meaning: Meaning::Version,
    what: "nothing is there (404), and the version is not among those that Salesforce offers, or HubSpot knows no such address",
};

/// The second part of the table.
pub static BROKEN: [&Broken; 6] =
    [&NO_CONNECTION, &BROKEN_OFF, &TIMED_OUT, &GARBLED, &REDIRECTED, &NOT_OFFERED];

/// What a code means, where a row knows it.
pub(super) fn coded(side: Side, code: &str, message: &str) -> Option<Meaning> {
    let message = message.to_lowercase();
    let fits =
        |row: &&Known| row.side == Some(side) && row.codes.contains(&code) && message.contains(row.words);
    KNOWN.iter().find(fits).map(|row| row.meaning)
}

/// What a status means by itself, where a row knows it.
pub(super) fn of_status(side: Side, status: u16, retry_after: bool) -> Option<Meaning> {
    let fits = |row: &&Known| {
        row.codes.is_empty()
            && row.side.is_none_or(|of| of == side)
            && row.statuses.iter().any(|(from, to)| (*from..=*to).contains(&status))
            && (retry_after || !row.retry_after)
    };
    KNOWN.iter().find(fits).map(|row| row.meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_can_be_reached() {
        let names: HashSet<&str> = KNOWN.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), KNOWN.len());
        for row in KNOWN {
            assert!(!row.codes.is_empty() || !row.statuses.is_empty(), "{}", row.name);
            let side = row.side.unwrap_or(Side::Hubspot);
            for code in row.codes {
                assert_eq!(coded(side, code, row.words), Some(row.meaning), "{} {code}", row.name);
            }
            for (from, _) in row.statuses.iter().filter(|_| row.codes.is_empty()) {
                assert_eq!(of_status(side, *from, row.retry_after), Some(row.meaning), "{} {from}", row.name);
            }
        }
    }

    #[test]
    fn the_words_tell_answers_of_one_code_apart() {
        let limit = |message| coded(Side::Salesforce, "REQUEST_LIMIT_EXCEEDED", message);
        assert_eq!(limit("TotalRequests Limit exceeded."), Some(Meaning::Window));
        assert_eq!(limit("ConcurrentPerOrgLongTxn Limit exceeded."), Some(Meaning::Again));
        let missing = |message| coded(Side::Salesforce, "NOT_FOUND", message);
        assert_eq!(missing("The requested resource does not exist"), Some(Meaning::Gone));
        assert_eq!(missing("Provided external ID field does not exist"), Some(Meaning::Invalid));
        assert_eq!(coded(Side::Hubspot, "REQUEST_LIMIT_EXCEEDED", ""), None, "it is not HubSpot's");
        assert_eq!(coded(Side::Salesforce, "SOMETHING_NEW", ""), None);
        assert_eq!(of_status(Side::Salesforce, 503, false), Some(Meaning::Perhaps));
        assert_eq!(of_status(Side::Salesforce, 503, true), Some(Meaning::Again));
        assert_eq!(of_status(Side::Hubspot, 300, false), None);
        assert_eq!(of_status(Side::Hubspot, 400, false), None);
    }
}

//! Prepared failures: answers given instead of the real one, and errors for single records.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ApiError;
use super::http::{Answer, Body};

/// A prepared failure.
///
/// With `record`, it fails single records inside of any request that writes them; without, whole requests.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The method it waits for; any where there is none.
    #[serde(default)]
    pub method: Option<String>,
    /// A part of the path it waits for.
    #[serde(default)]
    pub path: String,
    /// The status of the answer.
    #[serde(default = "default_status")]
    pub status: u16,
    /// The body of the answer: JSON, or a text that is sent as it stands.
    #[serde(default)]
    pub body: Value,
    /// Headers to add (`Retry-After`).
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How often it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the request is carried out before the failure is answered, like a lost answer.
    #[serde(default, alias = "afterApplied")]
    pub after_applied: bool,
    /// The same in a word; `after` is `after_applied`.
    #[serde(default)]
    pub moment: FaultMoment,
    /// Milliseconds before the answer.
    #[serde(default, alias = "delayMs")]
    pub delay_ms: u64,
    /// The records that fail.
    #[serde(default)]
    pub record: Option<RecordFault>,
}

/// When a failure strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultMoment {
    /// Nothing was done.
    #[default]
    Before,
    /// The work was done and only the answer is lost.
    After,
}

/// A failure of single records.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordFault {
    /// The object.
    pub object: String,
    /// A text that the written values must contain.
    #[serde(default)]
    pub contains: String,
    /// The error's code.
    #[serde(default = "lock_code")]
    pub code: String,
    /// The error's message.
    #[serde(default = "lock_message")]
    pub message: String,
}

fn default_status() -> u16 {
    503
}

fn once() -> u32 {
    1
}

fn lock_code() -> String {
    "UNABLE_TO_LOCK_ROW".to_owned()
}

fn lock_message() -> String {
    "unable to obtain exclusive access to this record or 1 records".to_owned()
}

/// The failures that still wait.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(super) fn list(&self) -> &[Fault] {
        &self.waiting
    }

    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The failure for a whole request, used up by one.
    pub(super) fn for_request(&mut self, method: &str, path: &str) -> Option<Fault> {
        self.take(|fault| {
            fault.record.is_none()
                && fault.method.as_deref().is_none_or(|known| known.eq_ignore_ascii_case(method))
                && path.contains(&fault.path)
        })
    }

    /// The error for one record about to be written.
    pub(super) fn for_record(&mut self, object: &str, body: &Map<String, Value>) -> Option<ApiError> {
        if self.waiting.is_empty() {
            return None;
        }
        let text = serde_json::to_string(body).unwrap_or_default();
        let fault = self.take(|fault| {
            fault.record.as_ref().is_some_and(|record| {
                record.object.eq_ignore_ascii_case(object) && text.contains(&record.contains)
            })
        })?;
        let record = fault.record?;
        let mut error = ApiError::on_fields("UNKNOWN_EXCEPTION", record.message, &[]).with_status(400);
        error.code = record.code.into();
        Some(error)
    }

    fn take(&mut self, matches: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let at = self.waiting.iter().position(matches)?;
        self.waiting[at].times = self.waiting[at].times.saturating_sub(1);
        let fault = self.waiting[at].clone();
        if fault.times == 0 {
            self.waiting.remove(at);
        }
        Some(fault)
    }
}

impl Fault {
    pub(super) fn answer(&self) -> Answer {
        let body = match &self.body {
            Value::Null => Body::Empty,
            Value::String(text) => Body::Text("text/plain;charset=UTF-8", text.clone()),
            body => Body::Json(body.clone()),
        };
        let headers = self.headers.iter().map(|(name, value)| (name.clone().into(), value.clone())).collect();
        Answer { status: self.status, headers, body }
    }

    /// Whether the request is carried out all the same.
    pub(super) fn strikes_after(&self) -> bool {
        self.after_applied || self.moment == FaultMoment::After
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_told() {
        let mut faults = Faults::default();
        faults.add(
            serde_json::from_value(json!({"method": "POST", "path": "/sobjects/Lead", "times": 2})).unwrap(),
        );
        assert!(faults.for_request("GET", "/services/data/v58.0/sobjects/Lead").is_none());
        assert!(faults.for_request("POST", "/services/data/v58.0/sobjects/Lead").is_some());
        assert!(faults.for_request("POST", "/services/data/v58.0/sobjects/Lead").is_some());
        assert!(faults.for_request("POST", "/services/data/v58.0/sobjects/Lead").is_none());
    }

    #[test]
    fn a_record_fault_leaves_other_records_alone() {
        let mut faults = Faults::default();
        faults.add(serde_json::from_value(json!({"record": {"object": "Lead", "contains": "Doe"}})).unwrap());
        let roe = json!({"LastName": "Roe"});
        let doe = json!({"LastName": "Doe"});
        assert!(faults.for_record("Lead", roe.as_object().unwrap()).is_none());
        let error = faults.for_record("Lead", doe.as_object().unwrap()).unwrap();
        assert_eq!(error.code, "UNABLE_TO_LOCK_ROW");
    }
}

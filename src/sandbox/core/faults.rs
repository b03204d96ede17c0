//! Faults that a test injects: an answer that a real CRM gives on a bad day, before or after the work was done.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer to give instead of the real one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Only for this method; any method where it is absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Only for paths that contain this; any path where it is empty.
    #[serde(default)]
    pub path: String,
    /// The status to answer with.
    pub status: u16,
    /// The body to answer with; a vendor-like error where it is absent.
    #[serde(default)]
    pub body: Option<Value>,
    /// Headers to add (`Retry-After`).
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Milliseconds to wait before the answer.
    #[serde(default)]
    pub delay_ms: u64,
    /// How many calls it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// Whether the work is done before the answer is lost.
    #[serde(default)]
    pub moment: FaultMoment,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultMoment {
    /// Nothing was done.
    #[default]
    Before,
    /// The work was done and only the answer is lost.
    After,
}

fn once() -> u32 {
    1
}

/// The faults that wait to strike.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault that strikes this call, if one does; it is used up once.
    pub fn strike(&self, method: &str, path: &str) -> Option<Fault> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|fault| fault.times > 0);
        let fault = waiting.iter_mut().find(|fault| {
            fault.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path.contains(&fault.path)
        })?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_as_often_as_it_says_and_only_where_it_says() {
        let faults = Faults::default();
        let fault = serde_json::json!({"method": "post", "path": "/batch/", "status": 503, "times": 2});
        faults.add(serde_json::from_value(fault).expect("a fault"));
        assert!(faults.strike("GET", "/crm/v3/objects/contacts/batch/read").is_none());
        assert!(faults.strike("POST", "/crm/v3/objects/contacts").is_none());
        assert_eq!(faults.strike("POST", "/x/batch/read").map(|fault| fault.status), Some(503));
        assert!(faults.strike("POST", "/x/batch/read").is_some());
        assert!(faults.strike("POST", "/x/batch/read").is_none());
    }
}

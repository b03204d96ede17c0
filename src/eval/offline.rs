//! The target fields of a record without any CRM: no match, no related records, no look-ups.

use crate::plan::{Guard, Mapping, Plan, RuleElse};
use crate::source::Location;
use crate::types::{Failure, Raw, Value};

use super::expression::Frame;

/// What a mapping makes of a record when it is looked at alone.
#[derive(Debug, Clone, PartialEq)]
pub enum Offline<'p> {
    /// The fields of a new target record, in rule order, the key first. Blank values are left out.
    Fields(Vec<(&'p str, Value)>),
    /// A guard does not let it through.
    Refused {
        /// The guard as written.
        guard: &'p str,
        /// Its line.
        at: &'p Location,
    },
    /// A step failed and the mapping parks the record.
    Failed {
        /// The field, where a rule failed.
        field: Option<&'p str>,
        /// Why.
        failure: Failure,
        /// The line to mend.
        at: Location,
    },
}

/// Evaluates a mapping for a new target record. `slots` holds the raw values by slot; look-ups and records that are not
/// there are blank.
pub fn fields<'p>(plan: &'p Plan, mapping: &'p Mapping, slots: &[Raw<'_>]) -> Offline<'p> {
    let frame = Frame { plan, mapping, slots, lookups: &[], trace: None };
    let failed = |field: Option<&'p str>, failure: Failure, at: &Location| {
        let at = failure.at.clone().unwrap_or_else(|| at.clone());
        Offline::Failed { field, failure, at }
    };
    for Guard { condition, text, at, .. } in &mapping.guards {
        match frame.holds(condition) {
            Ok(true) => {}
            Ok(false) => return Offline::Refused { guard: text, at },
            Err(failure) => return failed(None, failure, at),
        }
    }
    let mut fields = Vec::with_capacity(mapping.rules.len() + 1);
    if let Some(key) = &mapping.key {
        match frame.value(&key.value) {
            Ok(value) => fields.push((key.field.as_str(), value)),
            Err(failure) => return failed(Some(&key.field), failure, &key.at),
        }
    }
    for rule in mapping.rules.iter().filter(|rule| rule.when != crate::plan::WhenWritten::OnUpdate) {
        match (frame.value(&rule.value), &rule.otherwise) {
            (Ok(value), _) => fields.push((rule.field.as_str(), value)),
            (Err(_), Some(RuleElse::Keep)) => {}
            (Err(_), Some(RuleElse::Literal(value))) => fields.push((rule.field.as_str(), value.clone())),
            (Err(failure), _) => return failed(Some(&rule.field), failure, &rule.at),
        }
    }
    fields.retain(|(_, value)| !value.is_blank());
    Offline::Fields(fields)
}

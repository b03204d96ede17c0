//! Where work comes from: the id that follows it, and the version of the project that did it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::RecordKey;

/// Follows a record from the event that was received to each write and parking: in the log, in parked records and in
/// provenance. Sixteen hexadecimal digits to whoever reads it; all zeros stand for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CorrelationId(pub u64);

impl CorrelationId {
    /// Nothing is known.
    pub const NONE: CorrelationId = CorrelationId(0);

    /// Of an event, by what tells it from all others.
    pub fn of_event(pair: &str, dedupe: &str) -> Self {
        Self::of(&["event", pair, dedupe])
    }

    /// Of work that was asked for without an event.
    pub fn of_request(key: &RecordKey, mapping: &str, now: DateTime<Utc>) -> Self {
        Self::of(&["request", &key.to_string(), mapping, &now.timestamp_micros().to_string()])
    }

    /// This one, or that of a request where nothing is known.
    #[must_use]
    pub(super) fn or_of(self, key: &RecordKey, mapping: &str, now: DateTime<Utc>) -> Self {
        if self == Self::NONE { Self::of_request(key, mapping, now) } else { self }
    }

    fn of(facts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for fact in facts {
            hash.update(fact.len().to_le_bytes());
            hash.update(fact);
        }
        let head = hash.finalize().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
        Self(head.max(1))
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CorrelationId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for CorrelationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CorrelationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Identifies a version of the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProjectId(pub i64);

/// A version of the project on its way into the store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// The commit that is checked out, where the project is in a repository.
    pub revision: Option<String>,
    /// Its mappings: the name of each file and its text.
    pub files: Vec<(String, String)>,
}

impl Project {
    /// Equal for equal files, whatever the commit says: a commit does not tell what was changed since.
    pub fn fingerprint(&self) -> String {
        let mut files: Vec<&(String, String)> = self.files.iter().collect();
        files.sort();
        let mut hash = Sha256::new();
        for (name, text) in files {
            for part in [name, text] {
                hash.update(part.len().to_le_bytes());
                hash.update(part);
            }
        }
        hex::encode(&hash.finalize()[..6])
    }
}

/// A version of the project that worked on records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectVersion {
    /// The commit that was checked out.
    pub revision: Option<String>,
    /// Equal for equal files.
    pub fingerprint: String,
    /// Since when it is known.
    pub since: DateTime<Utc>,
}

/// Where work outside of any lease comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Origin {
    /// The id that its log carries.
    pub correlation: CorrelationId,
    /// The version of the project that did it.
    pub project: Option<ProjectId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown() {
        let id = CorrelationId::of_event("main", "a");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 16);
        assert_ne!(id, CorrelationId::of_event("mai", "na"), "the parts are kept apart");
        assert!("a webhook".parse::<CorrelationId>().is_err());
    }

    #[test]
    fn a_fingerprint_is_of_the_files_alone() {
        let project = |files: &[(&str, &str)], revision: Option<&str>| Project {
            revision: revision.map(str::to_owned),
            files: files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        };
        let one = project(&[("a.map", "x"), ("b.map", "y")], None).fingerprint();
        assert_eq!(one, project(&[("b.map", "y"), ("a.map", "x")], Some("abc")).fingerprint());
        assert_ne!(one, project(&[("a.map", "x"), ("b.map", "z")], None).fingerprint());
    }
}

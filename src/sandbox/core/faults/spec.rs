//! How a fault is written, in a file of faults and at the side door.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// An answer to give instead of the real one, and to which requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// What lists call it; its number where it has no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The server that it is for. Needed in a file where neither `operation` nor `answer` begins with the server's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<Side>,
    /// Only for this method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only for paths that contain this; with a `*`, only for paths that it matches whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Only for this operation (`hubspot.batch_read`); a `*` stands for any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only for requests about this type of object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Only for requests whose body contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Only the request of this number, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u64>,
    /// How many requests it lets pass first.
    #[serde(skip_serializing_if = "is_zero")]
    pub after: u64,
    /// How many requests it strikes: one, unless a probability or this says otherwise.
    #[serde(alias = "count", skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
    /// How likely it strikes each request, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probability: Option<f64>,
    /// Where the dice of `probability` begin, so that a run can be repeated.
    #[serde(skip_serializing_if = "is_zero")]
    pub seed: u64,
    /// The name of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// What the named answer says in detail.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub with: Map<String, Value>,
    /// The status to answer with; 503 where neither this nor a name is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The body to answer with: JSON, or a text that is sent as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The media type of the body.
    #[serde(alias = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Headers to add (`Retry-After`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Milliseconds to wait before the answer.
    #[serde(alias = "delayMs", skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Whether the request is carried out before the answer is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moment: Option<FaultMoment>,
    /// Only single records of a request fail, not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordFault>,
}

/// One of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The HubSpot server.
    Hubspot,
    /// The Salesforce server.
    Salesforce,
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

/// How often a fault strikes: a number, or `always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// As often as this.
    Count(u64),
    /// Until it is cleared.
    Always,
}

/// Which records of a request fail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordFault {
    /// The type of object.
    pub object: String,
    /// A text that the record's written values must contain.
    pub contains: String,
    /// The error's code, where the fault names no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The error's message, where the fault names no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Side {
    /// `hubspot` or `salesforce`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hubspot => "hubspot",
            Self::Salesforce => "salesforce",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Hubspot, Self::Salesforce]
            .into_iter()
            .find(|side| name.strip_prefix(side.name()).is_some_and(|rest| rest.starts_with('.')))
    }
}

impl Fault {
    /// The side that it names, or that its operation or answer belongs to.
    pub(in crate::sandbox) fn side(&self) -> Option<Side> {
        let named = [&self.operation, &self.answer].into_iter().flatten().find_map(|name| Side::of(name));
        self.side.or(named)
    }

    /// How often it strikes.
    pub(in crate::sandbox) fn most(&self) -> Option<u64> {
        match self.times {
            Some(Times::Count(count)) => Some(count),
            Some(Times::Always) => None,
            None if self.probability.is_some() => None,
            None => Some(1),
        }
    }

    /// Whether the request is carried out.
    pub(in crate::sandbox) fn is_after(&self) -> bool {
        self.moment == Some(FaultMoment::After)
    }

    /// What any fault must keep, whichever server it is for: the key at fault, and what is wrong with it.
    pub(in crate::sandbox) fn check(&self, side: Side) -> Result<(), (&'static str, String)> {
        let named = |key, name: &Option<String>| (key, name.as_deref().and_then(Side::of));
        let sides = [("side", self.side), named("operation", &self.operation), named("answer", &self.answer)];
        for (key, own) in sides {
            if let Some(own) = own.filter(|own| *own != side) {
                return Err((key, format!("this is for {}, not for {}", own.name(), side.name())));
            }
        }
        if self.nth == Some(0) {
            return Err(("nth", "requests are counted from 1".to_owned()));
        }
        if self.nth.is_some() && self.after > 0 {
            return Err(("nth", "`nth` already says which request; take away `after`".to_owned()));
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(("probability", "write a number from 0 to 1, such as 0.2".to_owned()));
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Err(("status", format!("{status} is no status of an answer; write one from 200 to 599")));
        }
        if self.answer.is_some() && self.body.is_some() {
            return Err(("body", "a named answer has its own body; take away `answer` or `body`".to_owned()));
        }
        if self.answer.is_none() && !self.with.is_empty() {
            return Err(("with", "`with` belongs to a named answer; add `answer: NAME`".to_owned()));
        }
        Ok(())
    }
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Always => serializer.serialize_str("always"),
        }
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(word) if word == "always" => Ok(Self::Always),
            value => value.as_u64().map(Self::Count).ok_or_else(|| {
                D::Error::custom(format!("{value} is no number of times; write 1, 2 … or `always`"))
            }),
        }
    }
}

/// The details of a named answer, read key by key; what no key asks for is an error.
#[derive(Debug)]
pub(in crate::sandbox) struct Parameters<'a> {
    given: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Parameters<'a> {
    pub(in crate::sandbox) fn new(given: &'a Map<String, Value>) -> Self {
        Self { given, known: Vec::new() }
    }

    /// A text, or a number as text.
    pub(in crate::sandbox) fn text(&mut self, key: &'static str, default: &str) -> String {
        match self.value(key) {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => default.to_owned(),
        }
    }

    /// A list of texts; one text is a list of one.
    pub(in crate::sandbox) fn texts(&mut self, key: &'static str) -> Vec<String> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match self.value(key) {
            Some(Value::Array(values)) => values.iter().map(text).collect(),
            Some(value) => vec![text(value)],
            None => Vec::new(),
        }
    }

    /// A switch.
    pub(in crate::sandbox) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.value(key).and_then(Value::as_bool).unwrap_or(default)
    }

    /// A whole number.
    pub(in crate::sandbox) fn number(&mut self, key: &'static str, default: u64) -> u64 {
        self.value(key).and_then(Value::as_u64).unwrap_or(default)
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.given.get(key)
    }

    /// Refuses a key that was not asked for.
    pub(in crate::sandbox) fn finish(self, answer: &str) -> Result<(), String> {
        let Some(key) = self.given.keys().find(|key| !self.known.contains(&key.as_str())) else {
            return Ok(());
        };
        Err(if self.known.is_empty() {
            format!("the answer `{answer}` takes no `{key}`, nor anything else under `with`")
        } else {
            format!("the answer `{answer}` takes no `{key}`; it takes {}", self.known.join(", "))
        })
    }
}

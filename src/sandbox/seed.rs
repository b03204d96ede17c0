//! The seed: a YAML file that fills both CRMs with records and additions to their schemas.
//!
//! ```yaml
//! hubspot:
//!   portal: 4556789
//!   token: pat-na1-example            # the private app's token
//!   app: {id: 1234567, secret: example-secret}
//!   properties:                       # added to the standard schema; `type/fieldType`, the second half may be left out
//!     contact:
//!       renewal_date: {type: date, label: Renewal date}
//!       plan: {type: enumeration/select, options: [free, [pro, Professional]]}
//!       crm_key: {type: string, flags: [unique]}
//!   schemas:                          # custom objects
//!     project: {id: 2-345, properties: {title: {type: string}, budget: {type: number}}}
//!   owners:
//!     - {id: "11", email: rep@example.com, first_name: Robin, last_name: Rep, user_id: 501, archived: false}
//!   pipelines:                        # replace the standard ones of the type
//!     deal:
//!       - id: default
//!         label: Sales Pipeline
//!         stages:
//!           - {id: open, label: Open, probability: "0.2"}
//!           - {id: won, label: Won, probability: "1.0", closed: true}
//!   labels:                           # the portal's own labels of associations, from one type to another
//!     contact:
//!       company: [Decision maker, {label: Employee, inverse: Employer}]
//!   objects:                          # by singular, plural or type id; `id` may be left out
//!     company:
//!       - {id: "9001", properties: {name: Acme Corp, domain: acme.example}}
//!     contact:
//!       - id: "5501"
//!         properties: {email: jane@acme.example, lifecyclestage: lead, hubscore: 87}
//!         associations: {company: ["9001"]}
//!   webhooks:
//!     target_url: http://127.0.0.1:8080/webhooks/hubspot
//!     subscriptions:
//!       - {event: contact.creation}
//!       - {event: contact.propertyChange, property: lifecyclestage}
//! salesforce:                         # what each section holds is the Salesforce server's affair
//!   objects: {Lead: [{Email: jane@acme.example, LastName: Doe, Company: Acme Corp}]}
//!   fields: {}
//!   duplicate_rules: []
//! ```
//!
//! Values are checked as HubSpot would check them, except that read-only properties may be set. An unknown key is an error
//! that names its place.

use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::sandbox::hubspot::{CustomSpec, PropertySpec, Subscription};

/// A seed that is larger than this is refused, in bytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A parsed seed file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// The part for HubSpot.
    #[serde(default)]
    pub hubspot: HubspotSeed,
    /// The part for Salesforce.
    #[serde(default)]
    pub salesforce: SalesforceSeed,
}

/// What a HubSpot portal starts with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubspotSeed {
    pub(crate) portal: Option<u64>,
    pub(crate) token: Option<String>,
    pub(crate) app: Option<AppSeed>,
    #[serde(default)]
    pub(crate) properties: IndexMap<String, IndexMap<String, PropertySpec>>,
    #[serde(default)]
    pub(crate) schemas: IndexMap<String, CustomSpec>,
    #[serde(default)]
    pub(crate) owners: Vec<OwnerSeed>,
    #[serde(default)]
    pub(crate) labels: IndexMap<String, IndexMap<String, Vec<LabelSeed>>>,
    #[serde(default)]
    pub(crate) pipelines: IndexMap<String, Vec<PipelineSeed>>,
    #[serde(default)]
    pub(crate) objects: IndexMap<String, Vec<RecordSeed>>,
    pub(crate) webhooks: Option<WebhookSeed>,
}

/// The app whose token and secret are used.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AppSeed {
    pub(crate) id: Option<u64>,
    pub(crate) secret: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) refresh_token: Option<String>,
}

/// An owner.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnerSeed {
    pub(crate) id: String,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) first_name: String,
    #[serde(default)]
    pub(crate) last_name: String,
    pub(crate) user_id: Option<u64>,
    #[serde(default)]
    pub(crate) archived: bool,
}

/// A label of associations: one text for both directions, or one for each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(crate) enum LabelSeed {
    One(String),
    Two { label: String, inverse: String },
}

/// A pipeline.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PipelineSeed {
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) stages: Vec<StageSeed>,
}

/// A stage.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StageSeed {
    pub(crate) id: String,
    pub(crate) label: String,
    #[serde(default)]
    pub(crate) probability: String,
    #[serde(default)]
    pub(crate) closed: bool,
}

/// A record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecordSeed {
    pub(crate) id: Option<Value>,
    #[serde(default)]
    pub(crate) properties: IndexMap<String, Value>,
    #[serde(default)]
    pub(crate) associations: IndexMap<String, Vec<Value>>,
}

/// Where webhooks go, and which.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSeed {
    pub(crate) target_url: Option<String>,
    #[serde(default)]
    pub(crate) subscriptions: Vec<Subscription>,
}

/// What a Salesforce organisation starts with, section by section as the file has it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SalesforceSeed {
    /// Users, in order.
    pub users: Vec<Value>,
    /// Records by object, or the definition of an object of the organisation's own.
    pub objects: IndexMap<String, Value>,
    /// More records by object.
    pub records: IndexMap<String, Value>,
    /// Fields that are added to an object's standard ones.
    pub fields: IndexMap<String, Value>,
    /// Record types by object.
    pub record_types: IndexMap<String, Value>,
    /// Duplicate rules.
    pub duplicate_rules: Vec<Value>,
}

impl HubspotSeed {
    /// The names of the objects that it defines, however a path may write them.
    pub(crate) fn own_objects(&self) -> Vec<String> {
        let named =
            |(name, spec): (&String, &CustomSpec)| [name.clone(), format!("p_{name}"), spec.id.clone()];
        self.schemas.iter().flat_map(named).collect()
    }
}

impl SalesforceSeed {
    /// The names of the objects that it defines or fills.
    pub(crate) fn own_objects(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    /// The sections as one map, without those that are empty.
    pub fn to_value(&self) -> Value {
        let map =
            |section: &IndexMap<String, Value>| section.clone().into_iter().collect::<Map<_, _>>().into();
        let sections: [(&str, Value); 6] = [
            ("users", self.users.clone().into()),
            ("objects", map(&self.objects)),
            ("records", map(&self.records)),
            ("fields", map(&self.fields)),
            ("record_types", map(&self.record_types)),
            ("duplicate_rules", self.duplicate_rules.clone().into()),
        ];
        let empty = |value: &Value| {
            value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
        };
        let filled = sections.into_iter().filter(|(_, value)| !empty(value));
        Value::Object(filled.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// Why a seed cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeedError {
    /// The place: `seed.yaml:12` or the path of keys, or both.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for SeedError {}

impl Seed {
    /// Parses a seed; `name` is the file's name in errors.
    pub fn parse(text: &str, name: &str) -> Result<Self, SeedError> {
        if text.len() > LARGEST {
            let message = format!("the seed is larger than {LARGEST} bytes");
            return Err(SeedError { place: name.to_owned(), message });
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let parser = serde_yaml::Deserializer::from_str(text);
        serde_path_to_error::deserialize(parser).map_err(|error| {
            let path = error.path().to_string();
            let inner = error.into_inner();
            let line = inner.location().map_or(String::new(), |at| format!(":{}", at.line()));
            let path = if path == "." { String::new() } else { format!(" ({path})") };
            SeedError { place: format!("{name}{line}{path}"), message: inner.to_string() }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read() {
        let text = "
hubspot:
  portal: 4556789
  properties: {contact: {plan: {type: enumeration/select, options: [free, [pro, Professional]]}}}
  objects: {contact: [{id: 5501, properties: {email: jane@acme.example, hubscore: 87}}]}
salesforce:
  objects: {Lead: [{LastName: Doe}]}
  duplicate_rules: [{object: Lead}]
";
        let seed = Seed::parse(text, "seed.yaml").expect("a seed");
        assert_eq!(seed.hubspot.portal, Some(4_556_789));
        assert_eq!(seed.hubspot.objects["contact"][0].properties["hubscore"], 87);
        assert_eq!(seed.salesforce.objects["Lead"][0]["LastName"], "Doe");
        let sections = serde_json::json!({"objects": {"Lead": [{"LastName": "Doe"}]}, "duplicate_rules": [{"object": "Lead"}]});
        assert_eq!(seed.salesforce.to_value(), sections);
        assert!(Seed::parse(" \n", "seed.yaml").is_ok());
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_place() {
        let text = "hubspot:\n  objects:\n    contact:\n      - {id: 1, propertys: {}}\n";
        let error = Seed::parse(text, "seed.yaml").expect_err("an unknown key");
        assert!(error.place.starts_with("seed.yaml:4"), "{error}");
        assert!(error.place.contains("hubspot.objects.contact[0]"), "{error}");
        assert!(error.message.contains("propertys"), "{error}");
        let error = Seed::parse("hubspot: {portal: many}", "seed.yaml").expect_err("not a number");
        assert!(error.place.contains("hubspot.portal"), "{error}");
    }
}

//! What Salesforce fills in by itself: defaults, names, addresses, and what follows from an opportunity's stage.

use std::str::FromStr;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::clock;
use super::schema::{ObjectFacts, Schema};
use super::store::{Record, Store};
use super::validate::number_value;

/// The standard stages: name, probability, forecast category and its label.
const STAGES: [(&str, u32, &str, &str); 10] = [
    ("Prospecting", 10, "Pipeline", "Pipeline"),
    ("Qualification", 10, "Pipeline", "Pipeline"),
    ("Needs Analysis", 20, "Pipeline", "Pipeline"),
    ("Value Proposition", 50, "Pipeline", "Pipeline"),
    ("Id. Decision Makers", 60, "Pipeline", "Pipeline"),
    ("Perception Analysis", 70, "Pipeline", "Pipeline"),
    ("Proposal/Price Quote", 75, "Pipeline", "Pipeline"),
    ("Negotiation/Review", 90, "Pipeline", "Pipeline"),
    ("Closed Won", 100, "Closed", "Closed"),
    ("Closed Lost", 0, "Omitted", "Omitted"),
];

/// The Lead status that means "converted", as in a new organisation.
pub(super) const CONVERTED_STATUS: &str = "Closed - Converted";

/// Fills what a new record gets without being told: field defaults, owner, and the audit fields.
pub(super) fn fill_defaults(object: &ObjectFacts, record: &mut Record, user_id: &str, now: DateTime<Utc>) {
    for field in &object.fields {
        if record.get(&field.name).is_null()
            && let Some(value) = field.default_value()
        {
            record.set(&field.name, value);
        }
    }
    if object.field("OwnerId").is_some() && record.get("OwnerId").is_null() {
        record.set("OwnerId", user_id.into());
    }
    for (field, value) in [
        ("CreatedDate", clock::stamp(now)),
        ("CreatedById", user_id.to_owned()),
        ("LastModifiedDate", clock::stamp(now)),
        ("LastModifiedById", user_id.to_owned()),
        ("SystemModstamp", clock::stamp(now)),
    ] {
        if object.field(field).is_some() {
            record.set(field, value.into());
        }
    }
}

/// Computes what follows from other fields; called after every change.
pub(super) fn refresh(object: &ObjectFacts, store: &Store, record: &mut Record) {
    if object.field("LastName").is_some() && object.field("Name").is_some() {
        let parts: Vec<&str> =
            ["FirstName", "LastName"].iter().filter_map(|field| record.text(field)).collect();
        let name = parts.join(" ");
        record.set("Name", if name.is_empty() { Value::Null } else { name.into() });
    }
    if object.name == "Opportunity" {
        refresh_opportunity(object, store, record);
    }
    if object.name == "Event" {
        refresh_event(record);
    }
    if object.name == "Task" {
        let closed = record.text("Status") == Some("Completed");
        record.set("IsClosed", closed.into());
    }
}

/// What a changed stage brings along, unless the same write says otherwise.
pub(super) fn stage_defaults(object: &ObjectFacts, record: &mut Record, given: &dyn Fn(&str) -> bool) {
    if object.name != "Opportunity" || !given("StageName") {
        return;
    }
    let Some((_, probability, category, label)) = stage(record) else { return };
    if !given("Probability")
        && let Some(field) = object.field("Probability")
    {
        record.set("Probability", number_value(field, Decimal::from(probability)));
    }
    if !given("ForecastCategoryName") {
        record.set("ForecastCategoryName", label.into());
    }
    record.set("ForecastCategory", category.into());
}

/// The compound value of an address field, or null where nothing of it is filled.
pub(super) fn address(record: &Record, field: &str) -> Value {
    let prefix = field.trim_end_matches("Address");
    let part = |name: &str| record.get(&format!("{prefix}{name}")).clone();
    let address = json!({
        "city": part("City"),
        "country": part("Country"),
        "geocodeAccuracy": part("GeocodeAccuracy"),
        "latitude": part("Latitude"),
        "longitude": part("Longitude"),
        "postalCode": part("PostalCode"),
        "state": part("State"),
        "street": part("Street"),
    });
    let blank = address.as_object().is_some_and(|parts| parts.values().all(Value::is_null));
    if blank { Value::Null } else { address }
}

/// The records of `LeadStatus` and `OpportunityStage`, which follow from the picklists.
pub(super) fn status_records(schema: &Schema) -> Vec<(&'static str, Value)> {
    let mut records = Vec::new();
    if let Some(status) = schema.object("Lead").and_then(|lead| lead.field("Status")) {
        for (index, option) in status.values.iter().filter(|option| option.active).enumerate() {
            records.push((
                "LeadStatus",
                json!({
                    "MasterLabel": option.value, "ApiName": option.value, "SortOrder": index + 1,
                    "IsDefault": status.default.as_ref().and_then(Value::as_str) == Some(&option.value),
                    "IsConverted": option.value == CONVERTED_STATUS,
                }),
            ));
        }
    }
    if let Some(stage) = schema.object("Opportunity").and_then(|object| object.field("StageName")) {
        for (index, option) in stage.values.iter().enumerate() {
            let known = STAGES.iter().find(|(name, ..)| *name == option.value);
            let (probability, category, label) = known
                .map_or((0, "Pipeline", "Pipeline"), |(_, probability, category, label)| {
                    (*probability, *category, *label)
                });
            records.push((
                "OpportunityStage",
                json!({
                    "MasterLabel": option.value, "ApiName": option.value, "SortOrder": index + 1,
                    "IsActive": option.active, "IsClosed": option.value.starts_with("Closed "),
                    "IsWon": option.value == "Closed Won", "DefaultProbability": probability,
                    "ForecastCategory": category, "ForecastCategoryName": label,
                }),
            ));
        }
    }
    records
}

fn stage(record: &Record) -> Option<(&'static str, u32, &'static str, &'static str)> {
    let name = record.text("StageName")?;
    STAGES.iter().copied().find(|(stage, ..)| *stage == name)
}

fn refresh_opportunity(object: &ObjectFacts, store: &Store, record: &mut Record) {
    let stage_name = record.text("StageName").unwrap_or_default().to_owned();
    let closed = store
        .records("OpportunityStage")
        .find(|known| known.text("ApiName") == Some(&stage_name))
        .map_or((false, false), |known| {
            (known.get("IsClosed") == &Value::Bool(true), known.get("IsWon") == &Value::Bool(true))
        });
    record.set("IsClosed", closed.0.into());
    record.set("IsWon", closed.1.into());
    if let (Some(amount), Some(probability), Some(field)) =
        (decimal(record.get("Amount")), decimal(record.get("Probability")), object.field("ExpectedRevenue"))
        && let Some(expected) = amount.checked_mul(probability)
    {
        record.set("ExpectedRevenue", number_value(field, expected / Decimal::ONE_HUNDRED));
    }
    if let Some(date) = record.text("CloseDate").and_then(clock::parse_date) {
        let quarter = quarter(date);
        record.set("FiscalYear", date.year().into());
        record.set("FiscalQuarter", quarter.into());
        record.set("Fiscal", format!("{} {quarter}", date.year()).into());
    }
}

/// An event's start stands in two fields, and its end follows from its length.
fn refresh_event(record: &mut Record) {
    let start = record.text("StartDateTime").or_else(|| record.text("ActivityDateTime")).map(str::to_owned);
    let Some(at) = start.as_deref().and_then(clock::parse_instant) else { return };
    for field in ["StartDateTime", "ActivityDateTime"] {
        record.set(field, clock::stamp(at).into());
    }
    record.set("ActivityDate", at.format("%Y-%m-%d").to_string().into());
    if let Some(minutes) = record.get("DurationInMinutes").as_i64().and_then(TimeDelta::try_minutes) {
        record.set("EndDateTime", clock::stamp(at + minutes).into());
    }
}

fn quarter(date: NaiveDate) -> u32 {
    (date.month() - 1) / 3 + 1
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => Decimal::from_str(&number.to_string()).ok(),
        _ => None,
    }
}

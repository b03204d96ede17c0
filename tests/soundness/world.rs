//! Generated schemas: a snapshot of each CRM for the checker, and the same facts for the sandbox.

use mapwright::schema::{Field, FieldType, Schema, Schemas, load};
use mapwright::source::{Side, Sources};
use serde_json::{Map, Value as Json, json};

use super::Dice;

/// Options of generated picklists. Both sides take some of them, so that copies have a chance.
const OPTIONS: &[&str] = &["Alpha", "Beta", "beta", "Gamma ray", "Ünïcode", "it's", "7", "true", "a,b", "Ω"];

/// The objects that generated projects carry records between.
pub(super) const HUBSPOT: &str = "company";
/// The other one.
pub(super) const SALESFORCE: &str = "Account";

/// What both CRMs are started with, and what the checker reads.
pub(super) struct World {
    pub(super) schemas: Schemas,
    pub(super) sources: Sources,
    /// The seeds of both sandboxes.
    pub(super) hubspot: Json,
    pub(super) salesforce: Json,
    /// The snapshots as text, for a reproduction.
    pub(super) text: String,
}

/// One side's fields while they are made.
#[derive(Default)]
struct Facts {
    /// The lines of the snapshot.
    lines: Vec<String>,
    /// The sandbox's facts.
    seed: Vec<(String, Json)>,
    /// Picklists with their active options.
    picklists: Vec<(String, Vec<String>)>,
}

impl Facts {
    fn add(&mut self, name: String, snapshot: &Json, seed: Json) {
        self.lines.push(format!("      {name}: {snapshot}"));
        self.seed.push((name, seed));
    }
}

/// Makes the schemas of both CRMs.
pub(super) fn world(dice: &mut Dice) -> World {
    let portal = portal(dice);
    let org = org(dice);
    let record_types = record_types(dice, &org);
    let hubspot_text = format!(
        "crm: hubspot\napi_version: v3\nobjects:\n  company:\n    label: Company\n    plural: companies\n    type_id: \"0-2\"\n    \
         fields:\n{}\n",
        portal.lines.join("\n")
    );
    let mut salesforce_text = format!(
        "crm: salesforce\napi_version: \"58.0\"\nobjects:\n  Account:\n    label: Account\n    key_prefix: \"001\"\n    \
         fields:\n{}\n",
        org.lines.join("\n")
    );
    if !record_types.is_empty() {
        let lines: Vec<String> = record_types.iter().map(|one| format!("      - {one}")).collect();
        salesforce_text = format!("{salesforce_text}    record_types:\n{}\n", lines.join("\n"));
    }
    let mut sources = Sources::new();
    let mut read = |name: &str, text: &str| -> Schema {
        let (schema, findings) = load(&mut sources, name, text);
        assert!(findings.is_empty(), "{findings:#?}\n{text}");
        schema.expect("a schema")
    };
    let schemas = Schemas {
        hubspot: read("schema/hubspot.yaml", &hubspot_text),
        salesforce: read("schema/salesforce.yaml", &salesforce_text),
    };
    let own = |facts: Facts| facts.seed.into_iter().filter(|(_, seed)| !seed.is_null());
    let properties: Map<String, Json> = own(portal).collect();
    let fields: Vec<Json> = own(org).map(|(_, seed)| seed).collect();
    let seeded: Vec<Json> = record_types.into_iter().map(without_default).collect();
    World {
        schemas,
        sources,
        hubspot: json!({"hubspot": {"properties": {HUBSPOT: properties}}}),
        salesforce: json!({"fields": {SALESFORCE: fields}, "record_types": {SALESFORCE: seeded}}),
        text: format!("{hubspot_text}\n{salesforce_text}"),
    }
}

/// The sandbox gives no default record type; the checker's rule for it is stricter.
fn without_default(mut record_type: Json) -> Json {
    record_type.as_object_mut().expect("a map").remove("default");
    record_type
}

fn portal(dice: &mut Dice) -> Facts {
    let mut facts = Facts::default();
    facts.add("name".to_owned(), &json!({"type": "string"}), Json::Null);
    facts.add("domain".to_owned(), &json!({"type": "string"}), Json::Null);
    facts.add("country".to_owned(), &json!({"type": "string"}), Json::Null);
    facts.add(
        "salesforce_account_id".to_owned(),
        &json!({"type": "string", "max_length": 18, "unique": true}),
        json!({"type": "string", "flags": ["unique"]}),
    );
    for number in 0..18 + dice.roll(8) {
        let (mut snapshot, mut seed) = property(dice);
        if dice.roll(12) == 0 {
            snapshot["read_only"] = true.into();
            seed["flags"] = json!(["read_only"]);
        }
        facts.add(format!("g{number}"), &snapshot, seed);
    }
    facts
}

/// A property: what the snapshot says about it, and the sandbox's facts.
fn property(dice: &mut Dice) -> (Json, Json) {
    let text = |dice: &mut Dice| match dice.roll(3) {
        0 => json!({"type": "string"}),
        // What a property rule of the portal allows; the records keep to it, as those of the portal do.
        _ => json!({"type": "string", "max_length": 1 + dice.roll(300)}),
    };
    match dice.roll(13) {
        0..3 => (text(dice), json!({"type": "string"})),
        3 => (json!({"type": "phone_number"}), json!({"type": "phone_number"})),
        4 => (json!({"type": "string", "format": "url"}), json!({"type": "string"})),
        5 => (json!({"type": "number"}), json!({"type": "number"})),
        6 => {
            let (precision, scale) = digits(dice);
            (json!({"type": "number", "precision": precision, "scale": scale}), json!({"type": "number"}))
        }
        7 => (json!({"type": "bool"}), json!({"type": "bool"})),
        8 => (json!({"type": "date"}), json!({"type": "date"})),
        9 => (json!({"type": "datetime"}), json!({"type": "datetime"})),
        10 => {
            let options = options(dice);
            (
                json!({"type": "enumeration", "field_type": "checkbox", "options": options}),
                json!({"type": "enumeration/checkbox", "options": options}),
            )
        }
        _ => {
            let options = options(dice);
            (
                json!({"type": "enumeration", "field_type": "select", "options": options}),
                json!({"type": "enumeration/select", "options": options}),
            )
        }
    }
}

fn digits(dice: &mut Dice) -> (usize, usize) {
    let precision = 1 + dice.roll(18);
    (precision, dice.roll(precision + 1).min(10))
}

fn options(dice: &mut Dice) -> Vec<&'static str> {
    let first = dice.roll(OPTIONS.len());
    let count = 2 + dice.roll(4);
    (first..first + count).map(|at| OPTIONS[at % OPTIONS.len()]).collect()
}

fn org(dice: &mut Dice) -> Facts {
    let mut facts = Facts::default();
    facts.add("Id".to_owned(), &json!({"type": "id"}), Json::Null);
    facts.add("Name".to_owned(), &json!({"type": "string", "length": 255, "required": true}), Json::Null);
    facts.add("Website".to_owned(), &json!({"type": "url", "length": 255}), Json::Null);
    facts.add(
        "ParentId".to_owned(),
        &json!({"type": "reference", "references": [SALESFORCE], "relationship": "Parent"}),
        Json::Null,
    );
    facts.add(
        "RecordTypeId".to_owned(),
        &json!({"type": "reference", "references": ["RecordType"], "relationship": "RecordType"}),
        Json::Null,
    );
    facts.add(
        "HubSpot_Company_ID__c".to_owned(),
        &json!({"type": "string", "length": 20, "external_id": true, "unique": true}),
        Json::Null,
    );
    for number in 0..18 + dice.roll(8) {
        let name = format!("G{number}__c");
        let (mut snapshot, mut seed) = field(dice, &name, &mut facts.picklists);
        let is_boolean = snapshot["type"] == "boolean";
        match dice.roll(14) {
            0 if !is_boolean => {
                snapshot["required"] = true.into();
                seed["required"] = true.into();
            }
            1 => {
                snapshot["create_only"] = true.into();
                seed["access"] = "create".into();
            }
            2 => {
                snapshot["update_only"] = true.into();
                seed["access"] = "update".into();
            }
            3 => {
                snapshot["read_only"] = true.into();
                seed["access"] = "read".into();
            }
            _ => {}
        }
        seed["name"] = name.clone().into();
        facts.add(name, &snapshot, seed);
    }
    facts
}

/// A field: what the snapshot says about it, and the sandbox's facts.
fn field(dice: &mut Dice, name: &str, picklists: &mut Vec<(String, Vec<String>)>) -> (Json, Json) {
    let same = |facts: Json| (facts.clone(), facts);
    match dice.roll(16) {
        0..3 => same(json!({"type": "string", "length": 1 + dice.roll(255)})),
        3 => same(json!({"type": "textarea", "length": 256 + dice.roll(40_000)})),
        4..6 => {
            let (precision, scale) = digits(dice);
            let kind = *dice.pick(&["double", "currency", "percent"]);
            same(json!({"type": kind, "precision": precision, "scale": scale}))
        }
        6 => same(json!({"type": "int", "digits": 1 + dice.roll(8)})),
        7 => same(json!({"type": "boolean"})),
        8 => same(json!({"type": "date"})),
        9 => same(json!({"type": "datetime"})),
        10 => same(json!({"type": "phone"})),
        11 => same(json!({"type": "url"})),
        kind => {
            let options = options(dice);
            let kind = if kind == 12 { "multipicklist" } else { "picklist" };
            let restricted = dice.roll(3) > 0;
            let mut listed: Vec<Json> = options.iter().map(|option| json!(option)).collect();
            listed.push(json!({"value": "Old", "active": false}));
            let active = options.into_iter().map(str::to_owned).collect();
            picklists.push((name.to_owned(), active));
            (
                json!({"type": kind, "restricted": restricted, "options": listed}),
                json!({"type": kind, "restricted": restricted, "values": listed}),
            )
        }
    }
}

fn record_types(dice: &mut Dice, org: &Facts) -> Vec<Json> {
    if dice.roll(2) == 0 {
        return Vec::new();
    }
    let mut one = |name: &str, default: bool| {
        let mut picklists = Map::new();
        for (field, options) in &org.picklists {
            if dice.roll(2) == 0 {
                let allowed: Vec<&String> = options.iter().filter(|_| dice.roll(3) > 0).collect();
                let allowed = if allowed.is_empty() { options.iter().collect() } else { allowed };
                picklists.insert(field.clone(), json!(allowed));
            }
        }
        json!({"name": name, "developer_name": name, "default": default, "picklists": picklists})
    };
    vec![one("Partner", true), one("Customer", false)]
}

/// Whether a value is one that people and workflows can have put into a field.
pub(super) fn held(dice: &mut Dice, field: &Field, side: Side) -> Json {
    let blank = field.nillable && dice.roll(6) == 0;
    if blank {
        return if side == Side::Hubspot { json!("") } else { Json::Null };
    }
    let text = match &field.kind {
        FieldType::Text { max } => words(dice, *max as usize),
        FieldType::Phone { max } => words(dice, (*max as usize).min(40)),
        FieldType::Url { max } => {
            let url =
                *dice.pick(&["https://acme.example/a?b=c", "acme.example", "http://münchen.example", "x y"]);
            url.chars().take(*max as usize).collect()
        }
        FieldType::Integer { digits } => super::number(dice, (*digits).min(18), 0),
        FieldType::Decimal { precision, scale } => super::number(dice, (precision - scale).min(18), *scale),
        FieldType::Picklist { .. } => option(dice, field),
        FieldType::MultiPicklist { .. } => {
            let (first, more) = (option(dice, field), option(dice, field));
            if first == more { first } else { format!("{first};{more}") }
        }
        FieldType::Date => (*dice.pick(&["2024-02-29", "1970-01-01", "2099-12-31"])).to_owned(),
        FieldType::DateTime => {
            (*dice.pick(&["2024-09-30T23:59:59.999Z", "1970-01-01T00:00:00.000Z"])).to_owned()
        }
        FieldType::Boolean => (*dice.pick(&["true", "false"])).to_owned(),
        _ => return Json::Null,
    };
    if side == Side::Hubspot {
        return json!(text);
    }
    // Salesforce trims, and a required field holds something.
    let text = if !field.nillable && text.trim().is_empty() { "N".to_owned() } else { text };
    typed(&field.kind, &text)
}

/// A value as Salesforce's JSON has it.
fn typed(kind: &FieldType, text: &str) -> Json {
    match kind {
        FieldType::Boolean => json!(text == "true"),
        FieldType::Integer { .. } | FieldType::Decimal { .. } => {
            serde_json::from_str(text.trim_start_matches('0')).unwrap_or_else(|_| json!(0))
        }
        _ => json!(text),
    }
}

fn option(dice: &mut Dice, field: &Field) -> String {
    let active: Vec<&str> =
        field.options.iter().filter(|option| option.active).map(|option| option.value.as_str()).collect();
    let free = matches!(field.kind, FieldType::Picklist { restricted: false, .. });
    if free && dice.roll(4) == 0 { "Something else".to_owned() } else { (*dice.pick(&active)).to_owned() }
}

/// Words of up to a length, now and then of exactly that length.
fn words(dice: &mut Dice, max: usize) -> String {
    let max = max.min(45_000);
    let full = dice.roll(4) == 0;
    let pieces =
        ["Jane", " ", "Ünï", "👩‍👩‍👧", "\"q\"", "O'N\\", "\n", "+1 415 555 0100", "US", "12.5", "ß", "x"];
    if dice.roll(25) == 0 {
        return " ".to_owned();
    }
    let mut text = String::new();
    let wanted = if full { max } else { 1 + dice.roll(max.min(60)) };
    let mut count = 0;
    while count < wanted {
        let piece = *dice.pick(&pieces);
        count += piece.chars().count();
        text.push_str(piece);
    }
    // Lengths count UTF-16 code units, as the language's do.
    let mut units = 0;
    text.chars()
        .take_while(|character| {
            units += character.len_utf16();
            units <= wanted
        })
        .collect()
}

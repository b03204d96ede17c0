//! The projects that are measured: the one of the contacts, and a large one without findings, of many mappings of fifty
//! fields between two objects of eight hundred.

use std::fmt::Write as _;

/// Fields of each of the two objects.
pub(crate) const SCHEMA_FIELDS: usize = 800;
/// Fields that one mapping writes, its key included.
pub(crate) const MAPPING_FIELDS: usize = 50;

/// The files of a project of so many mappings.
///
/// The mappings have no `when`: they run when somebody asks. Two that ran by themselves could not write one field, and
/// eight hundred fields are enough for sixteen mappings only.
pub(crate) fn files(mappings: usize) -> Vec<(String, String)> {
    let mut files = vec![
        ("mapwright.yaml".to_owned(), include_str!("../contacts/mapwright.yaml").to_owned()),
        ("schema/hubspot.yaml".to_owned(), hubspot()),
        ("schema/salesforce.yaml".to_owned(), salesforce()),
        ("mappings/picklists.map".to_owned(), picklists()),
    ];
    files.extend((0..mappings).map(|index| (format!("mappings/mapping_{index:04}.map"), mapping(index))));
    files
}

/// The options of every picklist.
const OPTIONS: [(&str, &str); 6] = [
    ("ALPHA", "First"),
    ("BETA", "Second"),
    ("GAMMA", "Third"),
    ("DELTA", "Fourth"),
    ("EPSILON", "Fifth"),
    ("ZETA", "Sixth"),
];

fn hubspot() -> String {
    let mut text =
        "crm: hubspot\napi_version: v3\nobjects:\n  contact:\n    label: Contact\n    plural: contacts\n    \
                    type_id: \"0-1\"\n    fields:\n"
            .to_owned();
    let options = OPTIONS.map(|(from, _)| from).join(", ");
    for field in 0..SCHEMA_FIELDS {
        let ty = match field % 8 {
            0..=3 => "type: string".to_owned(),
            4 => "type: number, precision: 18, scale: 2".to_owned(),
            5 => "type: date".to_owned(),
            6 => format!("type: enumeration, field_type: select, options: [{options}]"),
            _ => "type: string, format: phone".to_owned(),
        };
        let _ = writeln!(text, "      property_{field:03}: {{ label: Property {field}, {ty} }}");
    }
    text
}

fn salesforce() -> String {
    let mut text = "crm: salesforce\napi_version: \"58.0\"\nobjects:\n  Target__c:\n    label: Target\n    key_prefix: \"a00\"\n    \
                    fields:\n      Id: { label: Id, type: id }\n      HubSpot_Id__c: { label: HubSpot Id, type: string, length: 20, \
                    external_id: true, unique: true }\n"
        .to_owned();
    let options = OPTIONS.map(|(_, to)| to).join(", ");
    for field in 0..SCHEMA_FIELDS - 2 {
        let ty = match field % 8 {
            0..=3 => "type: string, length: 100".to_owned(),
            4 => "type: double, precision: 18, scale: 2".to_owned(),
            5 => "type: date".to_owned(),
            6 => format!("type: picklist, length: 255, restricted: true, options: [{options}]"),
            _ => "type: phone, length: 40".to_owned(),
        };
        let _ = writeln!(text, "      Field_{field:03}__c: {{ label: Field {field}, {ty} }}");
    }
    text
}

/// One picklist for each field that needs one.
fn picklists() -> String {
    let mut text = String::new();
    for field in (6..SCHEMA_FIELDS - 2).step_by(8) {
        let _ = write!(
            text,
            "picklist options_{field:03} {{\n  from hubspot.contact.property_{field:03}\n  to   salesforce.Target__c.Field_{field:03}__c\n\n"
        );
        for (from, to) in OPTIONS {
            let _ = writeln!(text, "  \"{from}\" -> \"{to}\"");
        }
        text += "}\n\n";
    }
    text
}

fn mapping(index: usize) -> String {
    let mut text = format!(
        "# What part {index} of the sales team wants to know.\nmapping mapping_{index:04} {{\n  from hubspot.contact\n  to   \
         salesforce.Target__c\n\n  only if property_000 is present otherwise skip\n\n  match {{\n    key HubSpot_Id__c = id\n  \
         }}\n  on none       create\n  on duplicate  park\n  on rejected   park\n\n  fields {{\n"
    );
    for place in 0..MAPPING_FIELDS - 1 {
        // Neighbours have different fields, so that none is found in a cache of the last one.
        let field = (index * 37 + place) % (SCHEMA_FIELDS - 2);
        let value = match field % 8 {
            0 => format!("property_{field:03} | trim | truncate(100)"),
            1 => format!("first_present(property_{field:03} | trim, \"Unknown\") | truncate(100)"),
            2 => format!("property_{field:03} | lowercase | truncate(100)"),
            3 => format!("\"{{property_{field:03} | trim}} of {{property_000}}\" | truncate(100)"),
            6 => format!("property_{field:03} | options_{field:03}"),
            7 => format!("property_{field:03} | digits | truncate(40)"),
            _ => format!("property_{field:03}"),
        };
        let _ = writeln!(text, "    Field_{field:03}__c <- {value}");
    }
    text += "  }\n}\n";
    text
}

/// The project that the benchmarks of `eval` use.
pub(crate) fn contacts() -> Vec<(String, String)> {
    [
        ("mapwright.yaml", include_str!("../contacts/mapwright.yaml")),
        ("contact_to_lead.map", include_str!("../contacts/contact_to_lead.map")),
        ("schema/hubspot.yaml", include_str!("../contacts/schema/hubspot.yaml")),
        ("schema/salesforce.yaml", include_str!("../contacts/schema/salesforce.yaml")),
    ]
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .to_vec()
}

//! Tests of the reader, and of the shipped snapshots.

use crate::diagnostic::Code;
use crate::source::{Side, Sources};

use super::{Field, FieldType, Schema, load};

fn shipped(side: Side) -> Schema {
    let text = match side {
        Side::Hubspot => include_str!("../../mappings/schema/hubspot.yaml"),
        Side::Salesforce => include_str!("../../mappings/schema/salesforce.yaml"),
    };
    let (schema, findings) = load(&mut Sources::new(), "schema.yaml", text);
    assert_eq!(findings, []);
    schema.unwrap()
}

fn field<'s>(schema: &'s Schema, object: &str, name: &str) -> &'s Field {
    schema.objects[object].field(name).unwrap_or_else(|| panic!("{object}.{name}"))
}

#[test]
fn the_shipped_salesforce_snapshot_tells_the_facts() {
    let schema = shipped(Side::Salesforce);
    assert_eq!((schema.side, schema.api_version.as_str()), (Side::Salesforce, "58.0"));
    let lead = &schema.objects["Lead"];
    assert_eq!((lead.key_prefix.as_deref(), lead.convertible), (Some("00Q"), true));
    assert!(!schema.objects["Contact"].convertible);
    let last_name = field(&schema, "Lead", "LastName");
    assert_eq!(last_name.kind, FieldType::Text { max: 80 });
    assert!(last_name.required_on_create());
    let status = field(&schema, "Lead", "Status");
    assert!(!status.nillable && status.defaulted_on_create && !status.required_on_create());
    assert!(status.options.iter().any(|option| option.value == "MQL - Pending Review"));
    let source = field(&schema, "Lead", "LeadSource");
    assert_eq!(source.kind, FieldType::Picklist { restricted: true, max: 255 });
    assert_eq!(source.options.len(), 13);
    let key = field(&schema, "Lead", "HubSpot_Contact_ID__c");
    assert!(key.external_id && key.unique);
    assert_eq!(
        field(&schema, "Lead", "HubSpot_Lead_Score__c").kind,
        FieldType::Decimal { precision: 18, scale: 0 }
    );
    assert_eq!(field(&schema, "Lead", "Contract_Date__c").kind, FieldType::Date);
    let owner = field(&schema, "Lead", "OwnerId");
    assert_eq!(owner.kind, FieldType::Reference { to: vec!["User".into(), "Group".into()] });
    assert_eq!(owner.relationship.as_deref(), Some("Owner"));
    let converted = field(&schema, "Lead", "IsConverted");
    assert!(converted.createable && !converted.updateable && converted.defaulted_on_create);
    assert!(field(&schema, "Lead", "HasOptedOutOfEmail").consent);
    assert!(field(&schema, "Lead", "Id").read_only());
    assert!(field(&schema, "Lead", "Address").read_only());
    assert_eq!(field(&schema, "Account", "NumberOfEmployees").kind, FieldType::Integer { digits: 8 });
    assert!(field(&schema, "Opportunity", "Amount").currency);
    assert!(!field(&schema, "Account", "NumberOfEmployees").currency);
    assert_eq!(field(&schema, "Opportunity", "Amount").kind, FieldType::Decimal { precision: 18, scale: 2 });
    assert!(field(&schema, "Opportunity", "CloseDate").required_on_create());
    assert!(field(&schema, "Account", "HubSpot_Company_ID__c").external_id);
    assert!(field(&schema, "Opportunity", "HubSpot_Deal_ID__c").unique);
    assert_eq!(field(&schema, "User", "Email").kind, FieldType::Email { max: 128 });
    assert!(schema.objects["Group"].field("DeveloperName").is_some());
}

#[test]
fn the_shipped_hubspot_snapshot_tells_the_facts() {
    let schema = shipped(Side::Hubspot);
    assert_eq!((schema.side, schema.api_version.as_str()), (Side::Hubspot, "v3"));
    let contact = &schema.objects["contact"];
    assert_eq!((contact.type_id.as_deref(), contact.plural.as_deref()), (Some("0-1"), Some("contacts")));
    assert!(contact.fields.len() > 320);
    assert_eq!(field(&schema, "contact", "firstname").kind, FieldType::Text { max: 65_536 });
    assert_eq!(field(&schema, "contact", "email").kind, FieldType::Email { max: 65_536 });
    assert_eq!(field(&schema, "contact", "phone").kind, FieldType::Phone { max: 65_536 });
    let source = field(&schema, "contact", "hs_analytics_source");
    assert_eq!(source.kind, FieldType::Picklist { restricted: true, max: 65_536 });
    assert_eq!((source.options.len(), source.options[3].label.as_str()), (9, "Organic Social"));
    assert!(!source.external_options);
    let owner = field(&schema, "contact", "hubspot_owner_id");
    assert!(owner.external_options && owner.options.is_empty());
    let stage = field(&schema, "contact", "lifecyclestage");
    assert!(stage.options.iter().any(|option| option.value == "marketingqualifiedlead"));
    let opt_out = field(&schema, "contact", "hs_email_optout");
    assert!(opt_out.consent && opt_out.read_only());
    assert_eq!(opt_out.kind, FieldType::Boolean);
    assert!(field(&schema, "contact", "hs_buying_role").options.len() == 9);
    assert!(matches!(
        field(&schema, "contact", "hs_buying_role").kind,
        FieldType::MultiPicklist { restricted: true }
    ));
    assert_eq!(field(&schema, "contact", "hubscore").kind, FieldType::Integer { digits: 18 });
    assert_eq!(field(&schema, "contact", "contract_date").kind, FieldType::Date);
    assert_eq!(field(&schema, "deal", "closedate").kind, FieldType::DateTime);
    assert_eq!(field(&schema, "deal", "dealstage").options.len(), 11, "of two pipelines");
    assert!(field(&schema, "company", "industry").options.len() > 140);
    assert!(field(&schema, "contact", "num_unique_conversion_events").calculated);
}

/// The findings of a snapshot as code and source text of each place.
fn findings(text: &str) -> Vec<(Code, String)> {
    let mut sources = Sources::new();
    let (_, findings) = load(&mut sources, "schema.yaml", text);
    findings.iter().map(|finding| (finding.code, sources.slice(finding.span()).to_owned())).collect()
}

fn salesforce(fields: &str) -> String {
    format!("crm: salesforce\napi_version: \"58.0\"\nobjects:\n  Lead:\n    fields:\n{fields}")
}

fn hubspot(fields: &str) -> String {
    format!("crm: hubspot\napi_version: v3\nobjects:\n  contact:\n    fields:\n{fields}")
}

fn kind(text: &str, object: &str) -> Field {
    let (schema, findings) = load(&mut Sources::new(), "schema.yaml", text);
    assert_eq!(findings, [], "{text}");
    field(&schema.unwrap(), object, "X").clone()
}

#[test]
fn every_salesforce_type_is_read() {
    let picklist = |restricted, max| FieldType::Picklist { restricted, max };
    let cases = [
        ("type: string, length: 80", FieldType::Text { max: 80 }),
        ("type: textarea, length: 32000", FieldType::Text { max: 32_000 }),
        ("type: encryptedstring, length: 175", FieldType::Text { max: 175 }),
        ("type: picklist", picklist(false, 255)),
        ("type: picklist, restricted: true, length: 40", picklist(true, 40)),
        ("type: combobox", picklist(false, 255)),
        ("type: multipicklist, restricted: true", FieldType::MultiPicklist { restricted: true }),
        ("type: double, precision: 18, scale: 0", FieldType::Decimal { precision: 18, scale: 0 }),
        ("type: currency, precision: 18, scale: 2", FieldType::Decimal { precision: 18, scale: 2 }),
        ("type: percent, precision: 3, scale: 0", FieldType::Decimal { precision: 3, scale: 0 }),
        ("type: int", FieldType::Integer { digits: 8 }),
        ("type: boolean", FieldType::Boolean),
        ("type: date", FieldType::Date),
        ("type: datetime", FieldType::DateTime),
        ("type: time", FieldType::Time),
        ("type: email", FieldType::Email { max: 80 }),
        ("type: phone", FieldType::Phone { max: 40 }),
        ("type: url", FieldType::Url { max: 255 }),
        (
            "type: reference, references: [User, Group]",
            FieldType::Reference { to: vec!["User".into(), "Group".into()] },
        ),
        ("type: id", FieldType::Id),
        ("type: address", FieldType::Other("address".into())),
        ("type: location", FieldType::Other("location".into())),
        ("type: base64", FieldType::Other("base64".into())),
        ("type: anyType", FieldType::Other("anyType".into())),
    ];
    for (text, expected) in cases {
        assert_eq!(kind(&salesforce(&format!("      X: {{ {text} }}\n")), "Lead").kind, expected, "{text}");
    }
}

#[test]
fn every_hubspot_type_is_read() {
    let picklist = |restricted| FieldType::Picklist { restricted, max: 65_536 };
    let cases = [
        ("type: string", FieldType::Text { max: 65_536 }),
        ("type: string, max_length: 10", FieldType::Text { max: 10 }),
        ("type: string, format: email", FieldType::Email { max: 65_536 }),
        ("type: string, format: url", FieldType::Url { max: 65_536 }),
        ("type: string, field_type: phonenumber", FieldType::Phone { max: 65_536 }),
        ("type: phone_number", FieldType::Phone { max: 65_536 }),
        ("type: number", FieldType::Decimal { precision: 28, scale: 10 }),
        ("type: number, precision: 18, scale: 0", FieldType::Integer { digits: 18 }),
        ("type: bool", FieldType::Boolean),
        ("type: enumeration, field_type: booleancheckbox", FieldType::Boolean),
        ("type: enumeration, options: [a]", picklist(true)),
        ("type: enumeration", picklist(false)),
        (
            "type: enumeration, field_type: checkbox, options: [a]",
            FieldType::MultiPicklist { restricted: true },
        ),
        ("type: date", FieldType::Date),
        ("type: datetime", FieldType::DateTime),
        ("type: json", FieldType::Other("json".into())),
        ("type: object_coordinates", FieldType::Other("object_coordinates".into())),
    ];
    for (text, expected) in cases {
        assert_eq!(kind(&hubspot(&format!("      X: {{ {text} }}\n")), "contact").kind, expected, "{text}");
    }
    assert!(kind(&hubspot("      X: { type: enumeration }\n"), "contact").external_options);
}

#[test]
fn flags_say_who_writes_a_field() {
    let flags = |text: &str| {
        let field = kind(&salesforce(&format!("      X: {{ {text} }}\n")), "Lead");
        (field.nillable, field.createable, field.updateable, field.defaulted_on_create)
    };
    assert_eq!(flags("type: date"), (true, true, true, false));
    assert_eq!(flags("type: date, required: true"), (false, true, true, false));
    assert_eq!(flags("type: date, required: true, defaulted_on_create: true"), (false, true, true, true));
    assert_eq!(flags("type: date, create_only: true"), (true, true, false, false));
    assert_eq!(flags("type: date, update_only: true"), (true, false, true, false));
    assert_eq!(flags("type: date, read_only: true"), (true, false, false, false));
    assert_eq!(flags("type: date, calculated: true"), (true, false, false, false));
    assert_eq!(flags("type: boolean"), (false, true, true, true));
    assert_eq!(flags("type: id"), (false, false, false, true));
    assert_eq!(flags("type: address"), (true, false, false, false));
}

#[test]
fn every_part_points_into_the_file() {
    let text = "crm: salesforce\napi_version: \"58.0\"\nobjects:\n  Thing:\n    api_name: Thing__c\n    fields:\n      \
                Colour__c:\n        type: picklist\n        options:\n          - Red\n          - { value: Blue, label: \
                Deep Blue, active: false }\n    record_types:\n      - { name: Big Thing, developer_name: Big, \
                picklists: { Colour__c: [Red] } }\n";
    let mut sources = Sources::new();
    let (schema, findings) = load(&mut sources, "schema.yaml", text);
    assert_eq!(findings, []);
    let schema = schema.unwrap();
    let object = &schema.objects["Thing"];
    assert_eq!((object.api_name.as_str(), object.label.as_str()), ("Thing__c", "Thing"));
    assert_eq!(sources.slice(object.span), "Thing");
    let field = object.field("Colour__c").unwrap();
    assert_eq!(sources.slice(field.span), "Colour__c");
    let [red, blue] = &field.options[..] else { panic!("{field:?}") };
    assert_eq!((sources.slice(red.span), red.label.as_str(), red.active), ("Red", "Red", true));
    assert_eq!((sources.slice(blue.span), blue.label.as_str(), blue.active), ("Blue", "Deep Blue", false));
    let record_type = &object.record_types[0];
    assert_eq!((sources.slice(record_type.span), record_type.developer_name.as_str()), ("Big Thing", "Big"));
    assert_eq!(record_type.picklists["Colour__c"], ["Red"]);
}

#[test]
fn a_hubspot_alias_and_a_hidden_option_are_read() {
    let text = "crm: hubspot\napi_version: v3\nobjects:\n  subscription:\n    api_name: \"2-345\"\n    type_id: \"2-345\"\n    \
                fields:\n      tier: { type: enumeration, options: [{ value: gold, hidden: true }, silver] }\n";
    let (schema, findings) = load(&mut Sources::new(), "schema.yaml", text);
    assert_eq!(findings, []);
    let schema = schema.unwrap();
    let object = &schema.objects["subscription"];
    assert_eq!((object.name.as_str(), object.api_name.as_str()), ("subscription", "2-345"));
    assert_eq!(
        object.fields["tier"].options.iter().map(|option| option.active).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn one_mistake_hides_no_other() {
    let text = salesforce(
        "      A: { type: strin, length: 1 }\n      B: { type: string }\n      C: { type: string, lenght: 1, length: 2 }\n      \
         D: { type: string, length: long }\n      E: 5\n      F: { type: int, digits: 3, length: 4 }\n      A: { type: int }\n      \
         G: { type: picklist, options: [a, b, a, { label: x }, { value: b }] }\n      H: { type: int, options: [a] }\n      \
         I: { type: double, precision: 2, scale: 3 }\n      J: { type: reference }\n      \
         K: { type: int, read_only: true, create_only: true }\n      L: { length: 3 }\n      good: { type: int }\n",
    );
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    let missing = |text: &str| (Code::YAML_MISSING_KEY, text.to_owned());
    let unknown = |text: &str| (Code::YAML_UNKNOWN_KEY, text.to_owned());
    let expected = [
        (Code::SCHEMA_TYPE, "strin".to_owned()),
        missing("B"),
        unknown("lenght"),
        bad("long"),
        bad("5"),
        unknown("length"),
        bad("A"),
        bad("a"),
        missing("{ label: x }"),
        bad("b"),
        bad("options"),
        bad("I"),
        missing("J"),
        bad("K"),
        missing("L"),
    ];
    assert_eq!(findings(&text), expected);
    let (schema, _) = load(&mut Sources::new(), "schema.yaml", &text);
    assert!(schema.unwrap().objects["Lead"].field("good").is_some());
}

#[test]
fn a_vendor_s_keys_and_types_are_its_own() {
    assert_eq!(
        findings(&hubspot("      X: { type: picklist }\n")),
        [(Code::SCHEMA_TYPE, "picklist".to_owned())]
    );
    let unknown = |text: &str| (Code::YAML_UNKNOWN_KEY, text.to_owned());
    assert_eq!(findings(&hubspot("      X: { type: string, length: 5 }\n")), [unknown("length")]);
    assert_eq!(findings(&salesforce("      X: { type: int, field_type: text }\n")), [unknown("field_type")]);
    let text =
        hubspot("      X: { type: bool }\n").replace("    fields:", "    key_prefix: abc\n    fields:");
    assert_eq!(findings(&text), [unknown("key_prefix")]);
}

#[test]
fn the_head_of_a_file_is_checked() {
    let bad = |text: &str| (Code::YAML_BAD_VALUE, text.to_owned());
    let missing = (Code::YAML_MISSING_KEY, String::new());
    assert_eq!(findings(""), [bad("")]);
    assert_eq!(findings("{}"), [missing.clone(), missing.clone(), missing.clone()]);
    assert_eq!(findings("crm: pipedrive\napi_version: v1\nobjects: {}\n"), [bad("pipedrive")]);
    assert_eq!(findings("crm: hubspot\napi_version: 58.0\nobjects: {}\n"), [bad("58.0")]);
    assert_eq!(findings("crm: hubspot\napi_version: v3\nobjects: []\n"), [bad("[]")]);
    assert_eq!(findings("- a\n"), [bad("- a")]);
    assert_eq!(findings("crm: [\n")[0].0, Code::YAML_SYNTAX);
    let mut sources = Sources::new();
    let (schema, found) = load(&mut sources, "schema.yaml", &" ".repeat((16 << 20) + 1));
    assert!(schema.is_none());
    assert_eq!(found[0].code, Code::FILE_TOO_LARGE);
}

#[test]
fn record_types_name_fields_and_options_that_exist() {
    let record = "    record_types:\n      - { name: A, developer_name: A, picklists: { Colr: [x], Colour: [Rde, Red] } }\n";
    let text = salesforce("      Colour: { type: picklist, options: [Red] }\n") + record;
    let expected = [(Code::UNKNOWN_FIELD, "Colr".to_owned()), (Code::OPTION_UNKNOWN, "Rde".to_owned())];
    assert_eq!(findings(&text), expected);
}

#[test]
fn a_report_names_the_nearest_key_and_type() {
    let text = salesforce("      X: { type: strng, length: 1, requird: true }\n");
    let (_, findings) = load(&mut Sources::new(), "schema.yaml", &text);
    let helps: Vec<_> = findings.iter().map(|finding| finding.help.as_deref()).collect();
    assert_eq!(helps, [Some("did you mean `string`?"), Some("did you mean `required`?")]);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig {
        failure_persistence: None,
        ..proptest::prelude::ProptestConfig::default()
    })]

    /// Whatever a file holds, reading it and showing the findings ends without a panic.
    #[test]
    fn any_text_is_read_and_reported(text in "(crm: (hubspot|salesforce)\n)?(api_version: v3\n)?[a-e0:,\\[\\]{}&*!|>'\"#% \t\r\n\\-\u{e9}\u{1f600}?.~]{0,60}") {
        let mut sources = Sources::new();
        let (_, mut findings) = load(&mut sources, "schema.yaml", &text);
        findings.extend(crate::config::parse(&mut sources, "mapwright.yaml", &text).1);
        for label in findings.iter().flat_map(|finding| &finding.labels) {
            let source = sources.file(label.span.file).text();
            proptest::prop_assert!(source.get(label.span.range()).is_some(), "{:?} of {source:?}", label.span);
        }
        crate::diagnostic::human(&sources, &findings, false, 80);
        crate::diagnostic::sarif(&sources, &findings, &[]);
    }
}

#[test]
fn a_property_can_be_marked_as_money() {
    let text = "crm: hubspot\napi_version: v3\nobjects:\n  deal:\n    fields:\n      deposit: { type: number, currency: true }\n      \
                seats: { type: number }\n";
    let mut sources = Sources::new();
    let (schema, findings) = load(&mut sources, "schema/hubspot.yaml", text);
    assert!(findings.is_empty(), "{findings:?}");
    let schema = schema.unwrap();
    assert!(field(&schema, "deal", "deposit").currency && !field(&schema, "deal", "seats").currency);
}

#[test]
fn owners_are_people_and_queues() {
    let loaded = |text: &str| load(&mut Sources::new(), "schema.yaml", text);
    let fields = "      hubspot_owner_id: { type: enumeration, field_type: select }\n      \
                  manager: { type: enumeration, field_type: select, owner: true }\n      \
                  team: { type: enumeration, field_type: select }\n";
    let people = "owners:\n  - { id: \"11\", email: a@x.example }\n  - { id: \"9\", archived: true }\n";
    let (schema, findings) = loaded(&(hubspot(fields) + people));
    assert_eq!(findings, []);
    let schema = schema.unwrap();
    let holds = ["hubspot_owner_id", "manager", "team"].map(|name| field(&schema, "contact", name).owner);
    assert_eq!(holds, [true, true, false]);
    let words = |schema: &Schema| -> Vec<(String, bool)> {
        let owners = schema.owners.as_deref().unwrap_or_default();
        owners.iter().map(|owner| (owner.is.in_words(), owner.is.active)).collect()
    };
    assert_eq!(words(&schema), [("11 (a@x.example)".to_owned(), true), ("9".to_owned(), false)]);

    let fields = "      OwnerId: { type: reference, references: [Group, User] }\n      \
                  AccountId: { type: reference, references: [Account] }\n";
    let (schema, findings) = loaded(
        &(salesforce(fields)
            + "owners:\n  - { id: \"005000000000001AAA\", username: a@x.example.dev, email: a@x.example, active: false }\n  \
               - { id: \"00G000000000001AAA\", queue: Inbound }\n"),
    );
    assert_eq!(findings, []);
    let schema = schema.unwrap();
    assert!(field(&schema, "Lead", "OwnerId").owner && !field(&schema, "Lead", "AccountId").owner);
    assert_eq!(
        words(&schema),
        [
            ("005000000000001AAA (a@x.example)".to_owned(), false),
            ("00G000000000001AAA (Inbound)".to_owned(), true)
        ]
    );
    let (schema, _) = loaded(&salesforce(fields));
    assert_eq!(schema.unwrap().owners, None, "what is not said is not known");
}

#[test]
fn a_mistake_among_owners_is_reported() {
    let codes = |text: &str| -> Vec<Code> {
        let (_, findings) = load(&mut Sources::new(), "schema.yaml", text);
        findings.iter().map(|finding| finding.code).collect()
    };
    let people = |owners: &str| hubspot("      X: { type: bool }\n") + "owners:\n" + owners;
    assert_eq!(
        codes(&people("  - { id: \"1\" }\n  - { id: \"1\", archived: true }\n")),
        [Code::YAML_BAD_VALUE]
    );
    assert_eq!(codes(&people("  - { email: a@x.example }\n")), [Code::YAML_MISSING_KEY]);
    assert_eq!(codes(&people("  - { id: 1 }\n")), [Code::YAML_BAD_VALUE]);
    assert_eq!(codes(&people("  - { id: \"1\", queue: X }\n")), [Code::YAML_UNKNOWN_KEY]);
    let org = |owner: &str| salesforce("      X: { type: boolean }\n") + "owners:\n  - " + owner + "\n";
    // 15 characters and 18 are one id.
    let twice = "{ id: \"005000000000001\", username: a }\n  - { id: \"005000000000001AAA\", username: b }";
    assert_eq!(codes(&org(twice)), [Code::YAML_BAD_VALUE]);
    for neither in ["{ id: \"005000000000001AAA\" }", "{ id: \"005000000000001AAA\", username: a, queue: b }"]
    {
        assert_eq!(codes(&org(neither)), [Code::YAML_BAD_VALUE], "{neither}");
    }
}

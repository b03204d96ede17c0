//! A snapshot after what its CRM says: what changes, and what stays as it was written.

use proptest::prelude::*;

use super::*;
use crate::source::{Side, Sources};

fn text_field(name: &str) -> DescribedField {
    DescribedField {
        name: name.to_owned(),
        label: name.to_owned(),
        kind: "string".to_owned(),
        length: Some(40),
        createable: true,
        updateable: true,
        ..DescribedField::default()
    }
}

fn lead(fields: Vec<DescribedField>) -> DescribedObject {
    let name = "Lead".to_owned();
    DescribedObject {
        api_name: name.clone(),
        label: name.clone(),
        name,
        fields,
        ..DescribedObject::default()
    }
}

fn taken(objects: Vec<DescribedObject>) -> Taken {
    Taken {
        side: Side::Salesforce,
        api_version: "58.0".to_owned(),
        objects,
        gone: Vec::new(),
        owners: Section::AsItIs,
    }
}

fn loaded(text: &str) -> Schema {
    let (schema, findings) = load(&mut Sources::new(), "schema/salesforce.yaml", text);
    assert_eq!(findings, [], "{text}");
    schema.expect("a schema")
}

const WRITTEN: &str = "\
# Ours.
crm: salesforce
api_version: \"58.0\"
objects:
  # People who may buy.
  Lead:
    label: Lead
    fields:
      # The key.
      B: { type: string, length: 40 } # kept
      A:   { length: 40, type: string }
      C: { type: string, length: 40 }
  # Nothing of HubSpot's.
  Task:
    label: Task
    fields:
      Id: { type: id }
";

#[test]
fn a_file_that_says_the_same_is_not_touched() {
    let now = taken(vec![lead(["C", "A", "B"].map(text_field).to_vec())]);
    assert_eq!(update(Some(WRITTEN), &now), Ok(WRITTEN.to_owned()));
}

#[test]
fn only_what_changed_is_written() {
    let mut longer = text_field("A");
    longer.length = Some(80);
    let mut now = taken(vec![lead(vec![longer, text_field("Z"), text_field("B"), text_field("W")])]);
    now.gone = vec!["Task".to_owned()];
    let expected = WRITTEN
        .replace("A:   { length: 40, type: string }", "A: { type: string, length: 80 }")
        .replace(
            "      C: { type: string, length: 40 }\n",
            "      W: { type: string, length: 40 }\n      Z: { type: string, length: 40 }\n",
        )
        .replace("  Task:\n    label: Task\n    fields:\n      Id: { type: id }\n", "");
    assert_eq!(update(Some(WRITTEN), &now), Ok(expected));
}

#[test]
fn new_objects_stand_at_the_end_by_name() {
    let named = |name: &str| DescribedObject {
        name: name.to_owned(),
        api_name: name.to_owned(),
        ..lead(vec![text_field("X")])
    };
    let now = taken(vec![named("Zeta"), lead(["C", "A", "B", "D"].map(text_field).to_vec()), named("Case")]);
    let text = update(Some(WRITTEN), &now).expect("a text");
    let (head, tail) = text.split_at(text.find("  Case:").expect("the new object"));
    assert!(
        tail.contains("  Zeta:\n    label: Lead\n    fields:\n      X: { type: string, length: 40 }\n"),
        "{text}"
    );
    assert!(head.ends_with("      Id: { type: id }\n") && head.contains("      D: {"), "{text}");
}

#[test]
fn a_file_on_one_line_is_written_anew() {
    let text = "# Ours.\n{crm: salesforce, api_version: \"58.0\", objects: {Lead: {label: Lead, fields: {A: {type: string, length: 40}}}}}\n";
    let now = taken(vec![lead(vec![text_field("B"), text_field("A")])]);
    let expected = "# Ours.\ncrm: salesforce\napi_version: \"58.0\"\nobjects:\n  Lead:\n    label: Lead\n    fields:\n      \
                    A: { type: string, length: 40 }\n      B: { type: string, length: 40 }\n";
    assert_eq!(update(Some(text), &now), Ok(expected.to_owned()));
    assert_eq!(update(Some(expected), &now), Ok(expected.to_owned()));
}

#[test]
fn the_keys_of_an_object_come_and_go() {
    let mut object = lead(["A", "B", "C"].map(text_field).to_vec());
    object.label = "Prospect: new".to_owned();
    object.key_prefix = Some("00Q".to_owned());
    object.record_types = vec![DescribedRecordType {
        name: "One".to_owned(),
        developer_name: "One".to_owned(),
        active: true,
        default: true,
        picklists: Vec::new(),
    }];
    let more = update(Some(WRITTEN), &taken(vec![object])).expect("a text");
    let head = "    label: \"Prospect: new\"\n    key_prefix: \"00Q\"\n    record_types:\n      - { name: One, developer_name: One, default: true }\n    fields:\n";
    assert!(more.contains(head), "{more}");
    let less = update(Some(&more), &taken(vec![lead(["A", "B", "C"].map(text_field).to_vec())]));
    assert_eq!(less, Ok(WRITTEN.to_owned()));
}

#[test]
fn a_snapshot_with_an_error_is_refused() {
    let wrong = WRITTEN.replace("type: id", "type: ident");
    assert!(update(Some(&wrong), &taken(Vec::new())).is_err());
}

#[test]
fn a_field_that_changes_keeps_what_a_person_wrote() {
    let old = "crm: hubspot\napi_version: v3\nobjects:\n  contact:\n    label: contact\n    fields:\n      mail: { type: string, \
               format: email, max_length: 80, consent: true }\n      size: { type: number, precision: 8, scale: 0 }\n";
    let field = |name: &str, kind: &str| DescribedField {
        kind: kind.to_owned(),
        length: None,
        createable: false,
        updateable: false,
        ..text_field(name)
    };
    let object = DescribedObject {
        name: "contact".to_owned(),
        api_name: "contact".to_owned(),
        label: "contact".to_owned(),
        fields: vec![field("mail", "string"), field("size", "number")],
        ..DescribedObject::default()
    };
    let now =
        Taken { side: Side::Hubspot, api_version: "v3".to_owned(), ..taken(vec![object]) };
    let text = update(Some(old), &now).expect("a text");
    assert!(
        text.contains(
            "mail: { type: string, format: email, max_length: 80, read_only: true, consent: true }"
        ),
        "{text}"
    );
    assert!(text.contains("size: { type: number, precision: 8, scale: 0, read_only: true }"), "{text}");
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,12}",
        "\\PC{1,12}",
        "[\\t\\n:#{}\\[\\],&*!|>'\"%@`?-]{1,6}",
        Just("true".to_owned()),
        Just("0x1F".to_owned())
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever people call their fields and options, a snapshot holds it, and a second pull changes nothing.
    #[test]
    fn what_a_crm_says_is_read_back(
        label in any_text(),
        options in proptest::collection::hash_set((any_text(), any_text(), any::<bool>()), 0..12),
    ) {
        let mut seen = std::collections::HashSet::new();
        let options: Vec<DescribedOption> = options
            .into_iter()
            .filter(|(value, ..)| seen.insert(value.clone()))
            .map(|(value, label, active)| DescribedOption { value, label, active, converted: false })
            .collect();
        let field = DescribedField {
            label: label.clone(), kind: "picklist".to_owned(), length: None, options: options.clone(), ..text_field("X")
        };
        let now = taken(vec![lead(vec![field])]);
        let text = update(None, &now).expect("a text");
        let schema = loaded(&text);
        let field = &schema.objects["Lead"].fields["X"];
        prop_assert_eq!(&field.label, &label);
        let read: Vec<_> = field.options.iter().map(|o| (&o.value, &o.label, o.active)).collect();
        let said: Vec<_> = options.iter().map(|o| (&o.value, &o.label, o.active)).collect();
        prop_assert_eq!(read, said);
        prop_assert_eq!(update(Some(&text), &now), Ok(text.clone()));
    }
}

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
    let now = Taken { side: Side::Hubspot, api_version: "v3".to_owned(), ..taken(vec![object]) };
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

fn user(id: &str, username: &str) -> DescribedOwner {
    let (email, username) = (Some(username.to_owned()), Some(username.to_owned()));
    DescribedOwner { id: id.to_owned(), who: Who::Person { email, username }, active: true }
}

fn with_owners(owners: Vec<DescribedOwner>) -> Taken {
    let objects = vec![lead(["C", "A", "B"].map(text_field).to_vec())];
    Taken { owners: Section::Taken(owners), ..taken(objects) }
}

const LISTED: &str = "\
owners:
  # The queue of marketing.
  - { id: \"00G000000000001AAA\", queue: Inbound }
  - { username: a@x.example,  id: \"005000000000003AAA\" } # kept
  - { id: \"005000000000007AAA\", username: c@x.example }
";

#[test]
fn owners_are_added_where_a_snapshot_has_none_and_by_id() {
    let queue = Who::Queue { developer_name: "Inbound".to_owned(), name: "Inbound: leads".to_owned() };
    let mut owners = vec![
        DescribedOwner { id: "00G000000000001AAA".to_owned(), who: queue, active: true },
        user("005000000000007AAA", "c@x.example"),
        DescribedOwner { active: false, ..user("005000000000003AAA", "a@x.example") },
    ];
    let expected = format!(
        "{WRITTEN}owners:\n  - {{ id: \"005000000000003AAA\", username: a@x.example, active: false }}\n  \
         - {{ id: \"005000000000007AAA\", username: c@x.example }}\n  \
         - {{ id: \"00G000000000001AAA\", queue: Inbound, name: \"Inbound: leads\" }}\n"
    );
    assert_eq!(update(Some(WRITTEN), &with_owners(owners.clone())), Ok(expected.clone()));
    owners.reverse();
    assert_eq!(
        update(Some(&expected), &with_owners(owners)),
        Ok(expected),
        "the order of the answer is none"
    );
}

#[test]
fn owners_that_mean_the_same_keep_their_text() {
    let queue = Who::Queue { developer_name: "Inbound".to_owned(), name: "Inbound".to_owned() };
    let queue = DescribedOwner { id: "00G000000000001AAA".to_owned(), who: queue, active: true };
    let owners =
        vec![user("005000000000003AAA", "a@x.example"), queue, user("005000000000007AAA", "c@x.example")];
    let text = format!("{WRITTEN}{LISTED}");
    assert_eq!(update(Some(&text), &with_owners(owners.clone())), Ok(text.clone()));

    // One is new, one has left, one is gone.
    let mut now = owners;
    now[0].active = false;
    now[2] = user("005000000000005AAA", "b@x.example");
    let expected = text
        .replace(
            "{ username: a@x.example,  id: \"005000000000003AAA\" } # kept\n",
            "{ id: \"005000000000003AAA\", username: a@x.example, active: false } # kept\n  \
             - { id: \"005000000000005AAA\", username: b@x.example }\n",
        )
        .replace("  - { id: \"005000000000007AAA\", username: c@x.example }\n", "");
    assert_eq!(update(Some(&text), &with_owners(now)), Ok(expected.clone()));
    let none = expected.split("owners:").next().expect("a head").to_owned() + "owners: []\n";
    assert_eq!(update(Some(&expected), &with_owners(Vec::new())), Ok(none.clone()));
    assert_eq!(update(Some(&none), &with_owners(Vec::new())), Ok(none));
}

#[test]
fn owners_are_left_out_or_left_alone() {
    let text = format!("{WRITTEN}{LISTED}");
    let asked = |owners: Section<Vec<DescribedOwner>>| Taken { owners, ..with_owners(Vec::new()) };
    assert_eq!(update(Some(&text), &asked(Section::LeftOut)), Ok(WRITTEN.to_owned()));
    assert_eq!(update(Some(&text), &asked(Section::AsItIs)), Ok(text.clone()));
    assert_eq!(update(Some(WRITTEN), &asked(Section::LeftOut)), Ok(WRITTEN.to_owned()));
    // A file that is written anew keeps them too.
    let flow = text.replace(
        "    fields:\n      # The key.\n      B: { type: string, length: 40 } # kept\n",
        "    fields: { B: { type: string, length: 40 },\n",
    );
    assert_ne!(flow, text);
    let flow = flow
        .replace("      C: { type: string, length: 40 }\n", "      C: { type: string, length: 40 } }\n")
        .replace("length: 40, type: string }\n", "length: 40, type: string },\n");
    let now =
        Taken { owners: Section::AsItIs, ..taken(vec![lead(["C", "A", "B", "D"].map(text_field).to_vec())]) };
    let anew = loaded(&update(Some(&flow), &now).expect("a text"));
    assert_eq!(anew.owners.map(|owners| owners.len()), Some(3));
}

#[test]
fn what_changed_among_owners_is_told() {
    let with = |owners: &str| loaded(&format!("{WRITTEN}{owners}"));
    let old = with(LISTED);
    let new = with(
        "owners:\n  - { id: \"005000000000003\", username: a@x.example, active: false }\n  \
         - { id: \"005000000000007AAA\", username: d@x.example }\n  - { id: \"005000000000009AAA\", username: e@x.example }\n",
    );
    let told = |old: &Schema, new: &Schema| -> Vec<String> {
        compare(old, new).iter().map(|change| format!("{} {}", change.object, change.what)).collect()
    };
    assert_eq!(
        told(&old, &new),
        [
            "owners have one less: 00G000000000001AAA (Inbound)",
            "owners have one who has left: 005000000000003AAA (a@x.example)",
            "owners have one who was 005000000000007AAA (c@x.example) and is 005000000000007AAA (d@x.example)",
            "owners have a new one: 005000000000009AAA (e@x.example)",
        ]
    );
    assert_eq!(told(&loaded(WRITTEN), &old), ["owners are in the snapshot now: 3"]);
    assert_eq!(told(&old, &loaded(WRITTEN)), ["owners are left out of the snapshot now"]);
    assert!(compare(&old, &new).iter().all(|change| matches!(change.what, What::Owners(_))));
}

fn labelled(associations: &[(&str, &[&str])]) -> Taken {
    let texts = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
    let object = DescribedObject {
        name: "contact".to_owned(),
        api_name: "contact".to_owned(),
        label: "contact".to_owned(),
        fields: vec![DescribedField { length: None, ..text_field("mail") }],
        associations: associations.iter().map(|(to, labels)| ((*to).to_owned(), texts(labels))).collect(),
        ..DescribedObject::default()
    };
    Taken { side: Side::Hubspot, api_version: "v3".to_owned(), ..taken(vec![object]) }
}

const UNLABELLED: &str = "crm: hubspot\napi_version: v3\nobjects:\n  contact:\n    label: contact\n    fields:\n      mail: { type: string }\n";

#[test]
fn labels_come_and_go_and_keep_their_text() {
    let asked = labelled(&[("deal", &[]), ("company", &["Primary", "Decision: maker"])]);
    let listed =
        "    associations:\n      company: [\"Decision: maker\", Primary]\n      deal: []\n    fields:\n";
    let with = UNLABELLED.replace("    fields:\n", listed);
    assert_eq!(update(Some(UNLABELLED), &asked), Ok(with.clone()));
    assert_eq!(update(Some(&with), &asked), Ok(with.clone()));
    // Of pairs that nobody asked for, nothing is said.
    assert_eq!(update(Some(&with), &labelled(&[])), Ok(with.clone()));

    let own = with.replace("[\"Decision: maker\", Primary]", "[ Primary,  \"Decision: maker\" ] # ours");
    assert_eq!(update(Some(&own), &asked), Ok(own.clone()));
    let now = labelled(&[("company", &["Primary"]), ("ticket", &["Payer"])]);
    let expected = with
        .replace("[\"Decision: maker\", Primary]", "[Primary]")
        .replace("      deal: []\n", "      deal: []\n      ticket: [Payer]\n");
    assert_eq!(update(Some(&with), &now), Ok(expected));
    let flow = UNLABELLED
        .replace("    fields:\n", "    associations: { company: [Primary], deal: [] }\n    fields:\n");
    let anew = UNLABELLED.replace(
        "    fields:\n",
        "    associations:\n      company: [Primary]\n      deal: []\n      ticket: [Payer]\n    fields:\n",
    );
    assert_eq!(update(Some(&flow), &now), Ok(anew));
}

#[test]
fn what_changed_among_labels_is_told() {
    let with = |text: &str| {
        loaded(&UNLABELLED.replace("    fields:\n", &format!("    associations: {text}\n    fields:\n")))
    };
    let old = with("{ company: [Primary, Boss], deal: [] }");
    let new = with("{ company: [primary, Payer], ticket: [Owner] }");
    let told: Vec<(String, Weight)> =
        compare(&old, &new).iter().map(|change| (change.what.to_string(), change.what.weight())).collect();
    let expected = [
        ("has no label `Boss` of associations with `company` any more", Weight::Removed),
        ("has a new label `Payer` of associations with `company`", Weight::Added),
        ("labels its associations with `ticket`: Owner", Weight::Added),
    ];
    assert_eq!(told, expected.map(|(text, weight)| (text.to_owned(), weight)));
}

//! Whatever a record holds and whatever the CRMs answer: no panic, an end, and no wrong write.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::testing::name;
use super::{Answer, Effect, Finished, PlannedWrite, Run, Verdict};
use crate::plan::testing::{LEAD, Lead};
use crate::plan::{Mapping, Plan};
use crate::source::Side;
use crate::types::{
    ConvertAnswer, ConvertRequest, CrmError, CrmErrorKind, FieldError, LinkRequest, LinkedPair,
    MatchedRecord, Record, Value, WriteAnswer, WriteTarget,
};

/// More than any run needs; a loop would go on for ever.
const BOUND: usize = 120;

/// The same numbers every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (below as u64)).expect("small")
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> &'p T {
        &from[self.roll(from.len())]
    }
}

fn plans() -> Vec<Arc<Plan>> {
    let fields = "Email <- mail | fits(80) otherwise park \"too long\"\n \
         Score__c <- hubscore / seats | max(-9999) | min(9999) | round(2) otherwise 1\n \
         Title <- if source = \"SEARCH\" then employer.name | truncate(100) else \"{firstname} {revenue}\" | truncate(100) on blank clear\n \
         LeadSource <- source | sources\n Status <- \"Working\" advance only along funnel\n \
         HasOptedOutOfEmail <- opted_out once true stays true\n Phone <- phone | e164(country) otherwise wait\n \
         Contract_Date__c <- contract_date on update\n Last_Seen__c <- last_seen if target is blank\n \
         Website <- website | capture(\"^https://([a-z.]+)\") | truncate(255) otherwise keep\n \
         Description <- lookup salesforce.User.Username where Email = (lookup salesforce.User.Email where Username = nickname) otherwise park\n \
         OwnerId <- lookup salesforce.User.Id where Email = owner.email otherwise keep on create";
    let one = |outcomes: &'static str| {
        let lead = Lead {
            head: "with employer = primary hubspot.company\n let mail = email | trim | lowercase\n only if mail is present otherwise wait",
            rungs: "key HubSpot_Contact_ID__c = id\n or Email = mail where IsConverted = false\n \
                    or salesforce.Contact where Email = mail then known",
            outcomes,
            fields,
            beside: "picklist sources {\n from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \"SEARCH\" -> \"Web\"\n \
                     \"SOCIAL\" -> nothing\n \"OFFLINE\" -> \"Other\"\n}\norder funnel of salesforce.Lead.Status { \"New\" then \"Working\" }\n\
                     mapping known {\n from hubspot.contact\n to salesforce.Contact\n match {\n key HubSpot_Contact_ID__c = id\n or Email = email\n }\n \
                     on none create\n on many oldest\n on taken skip\n on duplicate allow\n on rejected drop field\n \
                     fields {\n FirstName <- firstname | truncate(40)\n LastName <- first_present(lastname, \"Unknown\") }\n}",
        };
        Arc::new(lead.plan())
    };
    let keyless = Lead {
        rungs: "Email = email",
        outcomes: "on none create\n on many newest\n on converted park\n on duplicate allow\n on rejected drop field",
        ..LEAD
    };
    vec![
        one(
            "on none create\n on many park\n on taken adopt\n on converted then known\n on duplicate adopt\n on rejected drop field",
        ),
        one(
            "on none create\n on many newest\n on taken park\n on converted then known\n on duplicate allow\n on rejected drop field",
        ),
        Arc::new(keyless.plan()),
        associating(),
        converting(),
    ]
}

/// A mapping that converts its Lead, with everything that it can ask for.
fn converting() -> Arc<Plan> {
    let lead = Lead {
        head: "with employer = primary hubspot.company\n when lifecyclestage becomes \"customer\"",
        outcomes: "on none create\n on many oldest\n on taken park\n on converted then known\n on duplicate adopt\n on rejected drop field\n \
                   convert to \"Qualified\" {\n account linked salesforce.Account of employer otherwise wait\n \
                   opportunity first_present(lastname, \"x\") | truncate(120)\n \
                   owner lookup salesforce.User.Id where Email = owner.email otherwise keep }",
        rungs: "key HubSpot_Contact_ID__c = id\n or Email = email",
        beside: "mapping known {\n from hubspot.contact\n to salesforce.Contact\n match { key HubSpot_Contact_ID__c = id }\n \
                 on none skip\n on taken adopt\n on rejected drop field\n fields { FirstName <- firstname | truncate(40) }\n}",
        ..LEAD
    };
    Arc::new(lead.plan())
}

/// A mapping the other way, with rows, associations of every kind and a counterpart's id.
fn associating() -> Arc<Plan> {
    let text = "mapping lead {\n from salesforce.Opportunity\n to hubspot.deal\n \
         with each role = salesforce.OpportunityContactRole where OpportunityId = Id\n when created\n \
         match {\n key salesforce_opportunity_id = Id\n or dealname = Name\n }\n \
         on none create\n on many oldest\n on taken adopt\n on rejected drop field\n \
         associate primary linked hubspot.company of AccountId otherwise wait\n \
         associate exactly linked hubspot.contact of role.ContactId otherwise park\n \
         associate exactly \"Buyer\" linked hubspot.contact of role.ContactId otherwise skip\n \
         fields {\n dealname <- Name\n description <- linked hubspot.company of AccountId otherwise wait }\n}";
    Arc::new(crate::plan::testing::plan(text))
}

/// Counterparts of these records, some twice, some gone, some of records that nobody asked about.
fn pairs(dice: &mut Dice, request: &LinkRequest) -> Vec<LinkedPair> {
    let mut pairs = Vec::new();
    for id in &request.ids {
        for _ in 0..dice.roll(3) {
            let id = if dice.roll(9) == 0 { "another".to_owned() } else { id.clone() };
            let to = (*dice.pick(&["9", "77", "78", ""])).to_owned();
            let gone = dice.roll(5) == 0;
            pairs.push(LinkedPair {
                id,
                to,
                gone,
                merged_into: None,
                became: (gone && dice.roll(2) == 0).then(|| "003".to_owned()),
                inherited: false,
                synced: BTreeMap::new(),
            });
        }
    }
    pairs
}

fn raw(dice: &mut Dice) -> Json {
    match dice.roll(12) {
        0 => Json::Null,
        1 => json!(""),
        2 => json!([1, "a", null]),
        3 => json!({"a": {"b": []}}),
        4 => json!(dice.roll(2) == 0),
        5 => serde_json::from_str("123456789012345678901234567890123456789e300").expect("JSON"),
        6 => json!("x".repeat(dice.roll(70_000))),
        7 => json!("👩‍👩‍👧‍👦".repeat(dice.roll(60))),
        8 => json!(-1.5),
        _ => {
            let texts = [
                "a@b.example",
                "SEARCH",
                "0",
                "-0",
                "1e9",
                "99999999999999999999999999999",
                "true",
                "1727654400000",
                "2024-09-30T12:00:00Z",
                "9999999999999999999",
                " ",
                "\u{0}\u{202e}",
                "SEARCH;SOCIAL",
                "+1 415 555 0100",
                "1",
                "New",
                "C1",
            ];
            json!(*dice.pick(&texts))
        }
    }
}

fn record(dice: &mut Dice, object: crate::source::ObjectName, fields: &[&str]) -> Record {
    let mut values = serde_json::Map::new();
    for field in fields {
        if dice.roll(4) > 0 {
            let value = match *field {
                "email" if dice.roll(3) > 0 => json!("a@b.example"),
                "IsConverted" => json!(dice.roll(4) == 0),
                _ => raw(dice),
            };
            values.insert((*field).to_owned(), value);
        }
    }
    Record { object, id: (*dice.pick(&["1", "2", "L1", "C1", ""])).to_owned(), values }
}

const SOURCE: &[&str] = &[
    "email",
    "firstname",
    "lastname",
    "source",
    "hubscore",
    "seats",
    "revenue",
    "phone",
    "country",
    "website",
    "opted_out",
    "contract_date",
    "last_seen",
    "hubspot_owner_id",
    "name",
];
const TARGET: &[&str] = &[
    "HubSpot_Contact_ID__c",
    "IsConverted",
    "ConvertedContactId",
    "Email",
    "Title",
    "Status",
    "HasOptedOutOfEmail",
    "LastName",
    "Last_Seen__c",
    "Id",
];

fn records(dice: &mut Dice, object: &crate::source::ObjectName, most: usize) -> Vec<Record> {
    let fields = if object.side == Side::Hubspot { SOURCE } else { TARGET };
    (0..dice.roll(most + 1)).map(|_| record(dice, object.clone(), fields)).collect()
}

fn written(dice: &mut Dice) -> WriteAnswer {
    let fields = |dice: &mut Dice| (0..dice.roll(4)).map(|_| (*dice.pick(TARGET)).to_owned()).collect();
    let message = "no".to_owned();
    match dice.roll(8) {
        0 => {
            let objects = ["salesforce.Lead", "salesforce.Contact", "salesforce.Account"];
            let one = |dice: &mut Dice| MatchedRecord {
                object: name(dice.pick::<&str>(&objects)),
                id: "L1".to_owned(),
            };
            let matches = (0..dice.roll(3)).map(|_| one(dice)).collect();
            WriteAnswer::Duplicate { rule: String::new(), message, matches, allow_save: dice.roll(2) == 0 }
        }
        1 => WriteAnswer::Taken {
            field: (dice.roll(2) == 0).then(|| TARGET[0].to_owned()),
            existing: None,
            message,
        },
        2 => WriteAnswer::Converted { message },
        3 => WriteAnswer::Gone { message },
        4 | 5 => WriteAnswer::Rejected {
            errors: vec![FieldError { code: String::new(), message, fields: fields(dice) }],
        },
        6 => WriteAnswer::Failed(CrmError {
            side: Side::Salesforce,
            kind: CrmErrorKind::Garbled,
            status: None,
            code: None,
            message,
            retry_after: None,
            maybe_applied: true,
        }),
        _ => WriteAnswer::Written { id: "new".to_owned(), created: true },
    }
}

/// What may answer an effect; now and then something else.
fn answer(dice: &mut Dice, effect: &Effect) -> Answer {
    let kind = if dice.roll(40) == 0 { dice.roll(4) } else { usize::MAX };
    match (kind, effect) {
        (0, _) => Answer::Records(Vec::new()),
        (1, _) => Answer::Associated(HashMap::new()),
        (2, _) => Answer::Found((0..dice.roll(4)).map(|_| Vec::new()).collect()),
        (3, _) | (_, Effect::Write(_) | Effect::Finish(_)) => Answer::Written(written(dice)),
        (_, Effect::Read(request)) => {
            let most = if request.object.name == "contact" { 2 } else { 1 };
            Answer::Records(records(dice, &request.object, most))
        }
        (_, Effect::Associated(request)) => {
            Answer::Associated(request.ids.iter().map(|id| (id.clone(), vec!["9".to_owned()])).collect())
        }
        (_, Effect::Find(requests)) => {
            Answer::Found(requests.iter().map(|find| records(dice, &find.object, 2)).collect())
        }
        (_, Effect::Convert(planned)) => Answer::Converted(converted(dice, &planned.request)),
        (_, Effect::Links(request)) => Answer::Links(pairs(dice, request)),
        (_, Effect::Survivor { .. }) => Answer::Survivor(None),
        (_, Effect::Changed(_)) => Answer::Changed(BTreeMap::new()),
        (_, Effect::Associate { add, remove }) => {
            let mut both = add.iter().chain(remove).collect::<Vec<_>>();
            assert!(!both.is_empty() && both.iter().all(|one| one.from.side == Side::Hubspot));
            both.sort_by_key(|one| format!("{one:?}"));
            let all = both.len();
            both.dedup();
            assert_eq!(both.len(), all, "an association twice: {add:?} {remove:?}");
            let said = |_| (dice.roll(9) == 0).then(|| "no".to_owned());
            Answer::Associations((0..all).map(said).collect())
        }
    }
}

fn converted(dice: &mut Dice, request: &ConvertRequest) -> ConvertAnswer {
    assert!(request.account.as_ref().is_none_or(|id| !id.is_empty()), "{request:?}");
    assert!(request.opportunity.as_ref().is_none_or(|name| !name.is_empty()), "{request:?}");
    let message = "no".to_owned();
    match dice.roll(5) {
        0 => ConvertAnswer::Already { message },
        1 => ConvertAnswer::Gone { message },
        2 => ConvertAnswer::Rejected {
            errors: vec![FieldError { code: "BAD".to_owned(), message, fields: Vec::new() }],
        },
        _ => ConvertAnswer::Converted(crate::eval::would_become(request, "new")),
    }
}

/// What holds of every write.
fn fair(planned: &PlannedWrite, mapping: &Mapping) {
    let request = &planned.request;
    let mut names = HashSet::new();
    assert!(request.fields.iter().all(|(field, _)| names.insert(field)), "a field twice: {request:?}");
    assert_eq!(request.object, mapping.target);
    let creates = !matches!(request.target, WriteTarget::Update { .. });
    assert!(
        !creates || request.fields.iter().all(|(_, value)| *value != Value::Blank),
        "a blank on create: {request:?}"
    );
    if let WriteTarget::Upsert { key, value } = &request.target {
        assert!(!names.contains(key), "the key in the body: {request:?}");
        assert!(!value.is_empty());
    }
    if let WriteTarget::Update { .. } = &request.target {
        assert!(!request.fields.is_empty(), "nothing to say: {request:?}");
        assert!(request.assignment_rule.is_none());
    }
    let known = |field: &String| {
        mapping.rules.iter().any(|rule| rule.field == *field)
            || mapping.key.as_ref().is_some_and(|key| key.field == *field)
    };
    assert!(request.fields.iter().all(|(field, _)| known(field)), "nobody's field: {request:?}");
    let changes: HashSet<_> = planned.changes.iter().map(|change| &change.field).collect();
    assert_eq!(changes.len(), planned.changes.len(), "a change twice: {planned:?}");
}

fn run(plan: &Arc<Plan>, dice: &mut Dice) -> Finished {
    let mut run =
        Run::start(Arc::clone(plan), "lead", "1").expect("the mapping").if_became(dice.roll(9) == 0);
    let mut effect = run.next(None);
    for _ in 0..BOUND {
        if let Effect::Write(planned) = &effect {
            fair(planned, plan.mapping(run.mapping()).expect("its mapping"));
        }
        effect = match effect {
            Effect::Finish(finished) => return finished,
            effect => {
                let answer = answer(dice, &effect);
                run.next(Some(answer))
            }
        };
    }
    panic!("no end")
}

#[test]
fn every_run_ends_and_writes_nothing_wrong() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let mut verdicts: HashMap<&str, usize> = HashMap::new();
    for plan in plans() {
        for _ in 0..3_000 {
            let word = match run(&plan, &mut dice).verdict {
                Verdict::Written { .. } => "written",
                Verdict::Unchanged { .. } => "unchanged",
                Verdict::Synced(_) => "synced",
                Verdict::Skipped { .. } => "skipped",
                Verdict::Waiting { .. } => "waiting",
                Verdict::Parked(_) => "parked",
                Verdict::Relinked { .. } => "relinked",
                Verdict::SourceGone => "gone",
            };
            *verdicts.entry(word).or_default() += 1;
        }
    }
    for word in ["written", "skipped", "waiting", "parked", "gone"] {
        assert!(
            verdicts.get(word).is_some_and(|count| *count > 20),
            "the dice reach everything: {verdicts:?}"
        );
    }
}

//! The first promise, tried out: what the checker accepts, Salesforce does not refuse for a reason that the schemas tell.
//!
//! Random rules over the shipped schemas go through the real checker; those that it accepts are put into mappings and run
//! for random contacts against the Salesforce sandbox over HTTP, first as new Leads and then as updates. A contact holds
//! whatever HubSpot lets it hold. Nothing may be refused, and no rule may fail that the checker let pass without an
//! `otherwise`. The dice are the same every time.

#[path = "soundness/campaign.rs"]
mod campaign;
#[path = "soundness/live.rs"]
mod live;
#[path = "soundness/projects.rs"]
mod projects;
#[path = "soundness/world.rs"]
mod world;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mapwright::check::check;
use mapwright::crm::Crm;
use mapwright::crm::http::HttpOptions;
use mapwright::crm::salesforce::{SalesforceAuth, SalesforceClient, SalesforceConfig};
use mapwright::eval::Verdict;
use mapwright::plan::{Plan, compile};
use mapwright::runtime::{Clock, Crms, SystemClock, run_once};
use mapwright::sandbox::salesforce as sandbox;
use mapwright::schema::{Field, FieldType, Schemas, load};
use mapwright::source::{ObjectName, Side, Sources};
use mapwright::syntax;
use mapwright::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, CrmError, FindRequest, ReadRequest, Record,
    WriteAnswer, WriteRequest,
};
use serde_json::{Map, Value as Json, json};

/// Rules that are tried on the checker.
const CANDIDATES: usize = 3_500;

/// Contacts for each mapping.
const CONTACTS: usize = 6;

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

/// A portal with the contacts that it is given.
#[derive(Default)]
struct Portal(Mutex<HashMap<String, Map<String, Json>>>);

#[async_trait]
impl Crm for Portal {
    fn side(&self) -> Side {
        Side::Hubspot
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        let contacts = self.0.lock().expect("no panic");
        let read = |id: &String| {
            let values = contacts.get(id)?.clone();
            Some(Record { object: request.object.clone(), id: id.clone(), values })
        };
        Ok(request.ids.iter().filter_map(read).collect())
    }

    async fn find(&self, _: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        Vec::new()
    }

    async fn write(&self, _: &[WriteRequest]) -> Vec<WriteAnswer> {
        Vec::new()
    }

    async fn associated(&self, _: &AssociatedRequest) -> Result<HashMap<String, Vec<String>>, CrmError> {
        Ok(HashMap::new())
    }

    async fn changed(&self, _: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        unreachable!("no mapping of these tests asks for times")
    }

    async fn survivor(&self, _: &ObjectName, _: &str) -> Result<Option<String>, CrmError> {
        unreachable!("no mapping of these tests follows a merge")
    }

    async fn associate(&self, _: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        Vec::new()
    }

    async fn dissociate(&self, _: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        Vec::new()
    }

    fn calls(&self) -> u64 {
        0
    }
}

fn schemas(sources: &mut Sources) -> Schemas {
    let mut read = |name: &str, text: &str| load(sources, name, text).0.expect("a schema");
    Schemas {
        hubspot: read("schema/hubspot.yaml", include_str!("../mappings/schema/hubspot.yaml")),
        salesforce: read("schema/salesforce.yaml", include_str!("../mappings/schema/salesforce.yaml")),
    }
}

/// The plan of a mapping with these rules, if the checker accepts it.
fn accepted(rules: &[String], schemas: &Schemas, sources: &mut Sources) -> Option<Plan> {
    let written: HashSet<&str> = rules.iter().filter_map(|rule| rule.split_whitespace().next()).collect();
    let needed = [("LastName", "\"Doe\""), ("Company", "\"Acme\"")];
    let needed = needed.iter().filter(|(field, _)| !written.contains(field));
    let needed: Vec<String> = needed.map(|(field, value)| format!("{field} <- {value}")).collect();
    let text = format!(
        "mapping lead {{\n from hubspot.contact\n to salesforce.Lead\n match {{ key HubSpot_Contact_ID__c = id }}\n on none create\n \
         on converted park\n on duplicate allow\n on rejected park\n fields {{\n {}\n {}\n }}\n}}\n",
        needed.join("\n "),
        rules.join("\n ")
    );
    let file = sources.add("lead.map", text.clone());
    let (tree, findings) = syntax::parse(file, &text);
    let (project, more) = check(&[tree], schemas, sources);
    if findings.iter().chain(&more).any(mapwright::diagnostic::Diagnostic::is_error) {
        return None;
    }
    Some(compile(&project?, schemas, sources))
}

fn max(field: &Field) -> usize {
    match field.kind {
        FieldType::Text { max }
        | FieldType::Email { max }
        | FieldType::Phone { max }
        | FieldType::Url { max }
        | FieldType::Picklist { max, .. } => max as usize,
        _ => 40,
    }
}

const STEPS: &[&str] = &[
    "trim",
    "lowercase",
    "uppercase",
    "title_case",
    "digits",
    "domain_of",
    "registrable_domain",
    "normalize_url",
    "e164",
    "e164(country)",
    "country_code",
    "country_name",
    "number",
    "integer",
    "round(0)",
    "round(2)",
    "abs",
    "max(0) | min(9999)",
    "max(-99) | min(99)",
    "default(\"-\")",
    "replace(\"a\", \"aaaa\")",
    "from_epoch_ms",
    "date(\"UTC\")",
    "start_of_day(\"UTC\")",
    "add_days(3)",
    "split(\",\")",
    "matches(\"^a\")",
    "to_epoch_ms",
    "capture(\"^(.{0,9})\")",
    "text",
];

const POLICIES: &[&str] = &[
    "",
    "",
    "otherwise keep",
    "otherwise nothing",
    "on create",
    "on update",
    "if target is blank",
    "on blank clear",
    "otherwise keep on blank clear",
    "once true stays true",
];

fn step(dice: &mut Dice, field: &Field) -> String {
    match dice.roll(4) {
        0 => format!("truncate({})", max(field).saturating_sub(1) + dice.roll(3)),
        1 => format!("fits({})", max(field)),
        _ => (*dice.pick(STEPS)).to_owned(),
    }
}

/// A source that has a chance to go into a field.
fn source(dice: &mut Dice, field: &Field, sources: &[&Field]) -> String {
    let alike: Vec<&&Field> = sources
        .iter()
        .filter(|source| std::mem::discriminant(&source.kind) == std::mem::discriminant(&field.kind))
        .collect();
    let alike = if alike.is_empty() || dice.roll(3) == 0 { None } else { Some(*dice.pick(&alike)) };
    alike.unwrap_or(dice.pick(sources)).name.clone()
}

fn literal(dice: &mut Dice, field: &Field) -> String {
    match (field.options.is_empty(), dice.roll(4)) {
        (false, 0..3) => format!("\"{}\"", dice.pick(&field.options).value),
        (_, 0) => "\"Unknown\"".to_owned(),
        (_, 1) => "7.25".to_owned(),
        (_, 2) => "true".to_owned(),
        // Not as long as an id, which could be one.
        _ => format!("\"{}\"", "x ".repeat(dice.roll(45))),
    }
}

fn value(dice: &mut Dice, field: &Field, sources: &[&Field]) -> String {
    // Text may hold an id or an address, and no schema tells whether it does; the contacts here hold none.
    if matches!(field.kind, FieldType::Reference { .. } | FieldType::Email { .. }) {
        let one = source(dice, field, sources);
        return match dice.roll(3) {
            0 if one == "lifecyclestage" => one,
            0 if one.ends_with("email") => format!("{one} | fits({})", max(field)),
            1 => format!("lookup salesforce.User.Id where Email = {one}"),
            _ => literal(dice, field),
        };
    }
    let one = source(dice, field, sources);
    let two = source(dice, field, sources);
    match dice.roll(8) {
        0 => one,
        1 => literal(dice, field),
        2 => format!("first_present({one}, {two}, {})", literal(dice, field)),
        3 => format!("(if {one} is present then {two} else {})", literal(dice, field)),
        4 => format!("\"{{{one}}} 👋 {{{two}}}\" | truncate({})", max(field)),
        5 => format!("({one} * {two} + 1)"),
        _ => format!("{one} | {}", step(dice, field)),
    }
}

fn rule(dice: &mut Dice, field: &Field, sources: &[&Field]) -> String {
    let mut value = value(dice, field, sources);
    let steps =
        if matches!(field.kind, FieldType::Reference { .. } | FieldType::Email { .. }) { 1 } else { 3 };
    for _ in 0..dice.roll(steps) {
        value = format!("{value} | {}", step(dice, field));
    }
    format!("{} <- {value} {}", field.name, dice.pick(POLICIES))
}

/// What HubSpot lets a property hold.
fn property(dice: &mut Dice, field: &Field) -> Json {
    if dice.roll(6) == 0 {
        return if dice.roll(2) == 0 { Json::Null } else { json!("") };
    }
    let text = match &field.kind {
        FieldType::Boolean => (*dice.pick(&["true", "false"])).to_owned(),
        FieldType::Integer { digits } => number(dice, (*digits).min(18), 0),
        FieldType::Decimal { precision, scale } => number(dice, (precision - scale).min(18), *scale),
        FieldType::Date => {
            (*dice.pick(&["1727654400000", "2024-02-29", "1900-01-01", "3999-12-31"])).to_owned()
        }
        FieldType::DateTime => {
            (*dice.pick(&["2024-09-30T23:59:59.999Z", "1727695845123", "1970-01-01T00:00:00Z"])).to_owned()
        }
        FieldType::Email { .. } => {
            (*dice.pick(&["jane@acme.example", "J.D+x@sub.acme.example", LONG_EMAIL])).to_owned()
        }
        FieldType::Url { .. } => {
            (*dice.pick(&["https://acme.example/a?b=c", "acme.example", "http://münchen.example"])).to_owned()
        }
        FieldType::Picklist { .. } | FieldType::MultiPicklist { .. } if !field.options.is_empty() => {
            let first = dice.pick(&field.options).value.clone();
            let more = &dice.pick(&field.options).value;
            let several = matches!(field.kind, FieldType::MultiPicklist { .. }) && *more != first;
            if several { format!("{first};{more}") } else { first }
        }
        FieldType::Text { max } => words(dice, (*max as usize).min(40_000)),
        _ => words(dice, 60),
    };
    json!(text)
}

const LONG_EMAIL: &str = "a.very.long.local.part.of.an.address.that.people.do.have@a-rather-long-company-name.subsidiary.group.acme.example";

fn number(dice: &mut Dice, whole: u32, scale: u32) -> String {
    let digits = |dice: &mut Dice, most: u32| -> String {
        let count = 1 + dice.roll(most.max(1) as usize);
        (0..count).map(|_| char::from(b'0' + u8::try_from(dice.roll(10)).expect("a digit"))).collect()
    };
    let sign = if dice.roll(4) == 0 { "-" } else { "" };
    let whole = digits(dice, whole);
    if scale == 0 || dice.roll(2) == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{}", digits(dice, scale))
    }
}

fn words(dice: &mut Dice, max: usize) -> String {
    let pieces = [
        "Jane",
        " ",
        "Ünïcode",
        "👩‍👩‍👧‍👦",
        "\"quoted\"",
        "<b>",
        "O'Neil\\",
        "\n",
        "\t",
        "+1 415 555 0100",
        "Germany",
        "US",
        "12.5",
        "日本",
        "\u{202e}",
        "https://acme.example",
        "ß",
    ];
    let count = match dice.roll(10) {
        0 => 12_000,
        1 => 300,
        _ => 1 + dice.roll(12),
    };
    let text: String = (0..count).map(|_| *dice.pick(&pieces)).collect();
    text.chars().take(max / 2).collect()
}

/// Mappings of accepted rules, each field once in a mapping.
fn mappings(dice: &mut Dice, schemas: &Schemas, sources: &mut Sources) -> Vec<(Vec<String>, Plan)> {
    let contact: Vec<&Field> = schemas.hubspot.objects["contact"]
        .fields
        .values()
        .filter(|field| !matches!(field.kind, FieldType::Other(_)))
        .collect();
    let lead: Vec<&Field> = schemas.salesforce.objects["Lead"]
        .fields
        .values()
        .filter(|field| {
            !field.read_only() && field.name != "HubSpot_Contact_ID__c" && field.name != "IsConverted"
        })
        .collect();
    let mut groups: Vec<BTreeMap<String, String>> = Vec::new();
    for _ in 0..CANDIDATES {
        let field = *dice.pick(&lead);
        let rule = rule(dice, field, &contact);
        if accepted(std::slice::from_ref(&rule), schemas, sources).is_none() {
            continue;
        }
        match groups.iter_mut().find(|group| !group.contains_key(&field.name)) {
            Some(group) => {
                group.insert(field.name.clone(), rule);
            }
            None => groups.push([(field.name.clone(), rule)].into()),
        }
    }
    let rules = groups.into_iter().map(|group| group.into_values().collect::<Vec<_>>());
    let plan = |rules: Vec<String>| {
        let plan = accepted(&rules, schemas, sources).expect("rules that pass alone pass together");
        (rules, plan)
    };
    rules.map(plan).collect()
}

fn now() -> DateTime<Utc> {
    SystemClock.now()
}

fn client(org: &sandbox::SalesforceHandle) -> SalesforceClient {
    let app = &sandbox::SalesforceConfig::default().connected_apps[0];
    let config = SalesforceConfig {
        login_url: org.base_url().parse().expect("a URL"),
        api_version: "58.0".to_owned(),
        auth: SalesforceAuth::ClientCredentials {
            client_id: app.client_id.clone(),
            client_secret: app.client_secret.clone().expect("a secret").into(),
        },
        aliases: HashMap::new(),
    };
    let http = HttpOptions { allow_private: true, ..HttpOptions::new(now, || 0.5) };
    SalesforceClient::new(config, http).expect("a client")
}

#[tokio::test]
async fn what_the_checker_accepts_is_not_refused() {
    let mut dice = Dice(0x5DEE_CE66_D1CE_4E5B);
    let mut sources = Sources::new();
    let schemas = schemas(&mut sources);
    let mappings = mappings(&mut dice, &schemas, &mut sources);
    let rules: usize = mappings.iter().map(|(rules, _)| rules.len()).sum();
    assert!(rules > 150, "only {rules} rules were accepted");

    let config = sandbox::SalesforceConfig { daily_api_requests: 1_000_000, ..Default::default() };
    let org = sandbox::SalesforceServer::start(config).await.expect("a server");
    let portal = Arc::new(Portal::default());
    let crms = Crms { hubspot: portal.clone(), salesforce: Arc::new(client(&org)) };
    let (mut written, mut refused) = (0, BTreeMap::new());
    for (number, (rules, plan)) in mappings.into_iter().enumerate() {
        let plan = Arc::new(plan);
        for run in 0..CONTACTS * 2 {
            // Each contact runs twice with other values: a new Lead, then an update.
            let id = format!("{number}-{}", run / 2);
            let fields = schemas.hubspot.objects["contact"].fields.values();
            let wanted: HashSet<&String> = plan.mappings[0].reads.iter().collect();
            let values = fields
                .filter(|field| wanted.contains(&field.name))
                .map(|field| (field.name.clone(), property(&mut dice, field)));
            let values: Map<String, Json> = values.collect();
            portal.0.lock().expect("no panic").insert(id.clone(), values.clone());
            match run_once(plan.clone(), "lead", &id, &crms, None).await.map(|end| end.verdict) {
                Ok(Verdict::Written { .. } | Verdict::Unchanged { .. }) => written += 1,
                // Documented: a number beyond 28 digits parks and needs no `otherwise`.
                Ok(Verdict::Parked(park)) if park.reason.contains("more digits than a number") => {}
                other => {
                    let (what, field) = match &other {
                        Ok(Verdict::Parked(park)) => (
                            format!("{} {:?}", park.reason, park.answer),
                            park.field.clone().unwrap_or_default(),
                        ),
                        other => (format!("{other:?}"), String::new()),
                    };
                    let rule = rules.iter().find(|rule| rule.starts_with(&format!("{field} "))).cloned();
                    let what: String = what.chars().take(300).collect();
                    refused.entry(rule.unwrap_or_else(|| rules.join("\n    "))).or_insert(what);
                }
            }
        }
    }
    org.shutdown().await;
    let refused: Vec<String> = refused.iter().map(|(rule, why)| format!("{rule}\n    {why}")).collect();
    println!("{rules} rules, {written} records written or already so");
    assert!(refused.is_empty(), "{} rules of {rules}:\n{}", refused.len(), refused.join("\n"));
    assert!(written > 200, "{written} records were written");
}

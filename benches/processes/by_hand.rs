//! The mapping `benches/contacts/contact_to_lead.map` as two programs that a Rust programmer might write instead: one over
//! `serde_json::Value`, one over structs that borrow from the line. Both give the same bytes as `mapwright eval`.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// What both read and write through.
const BUFFER: usize = 128 * 1024;

/// Runs `one` for each line of a file.
fn each_line(path: &str, mut one: impl FnMut(&[u8], &mut BufWriter<std::io::StdoutLock<'static>>)) {
    let mut input = BufReader::with_capacity(BUFFER, File::open(path).expect("the file can be read"));
    let mut out = BufWriter::with_capacity(BUFFER, std::io::stdout().lock());
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).expect("the file can be read") > 0 {
        one(&line, &mut out);
        out.write_all(b"\n").expect("the output can be written");
        line.clear();
    }
    out.flush().expect("the output can be written");
}

/// The program over `serde_json::Value`.
pub(crate) fn over_value(path: &str) {
    each_line(path, |line, out| {
        let record: Value = serde_json::from_slice(line).expect("JSON");
        let properties = &record["properties"];
        let text = |name: &str| properties[name].as_str().filter(|text| !text.is_empty());
        let trimmed = |name: &str| text(name).map(str::trim).filter(|text| !text.is_empty());
        let mut lead = Map::new();
        let mut set = |name: &str, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                lead.insert(name.to_owned(), Value::String(value));
            }
        };
        set("HubSpot_Contact_ID__c", record["id"].as_str().map(str::to_owned));
        set("FirstName", trimmed("firstname").map(|text| cut(text, 40).to_owned()));
        set("LastName", Some(cut(trimmed("lastname").unwrap_or("Unknown"), 80).to_owned()));
        let mail = trimmed("email").map(str::to_lowercase);
        set("Email", mail.filter(|mail| mail.encode_utf16().count() <= 80));
        set("Company", Some(cut(trimmed("company").unwrap_or("Unknown"), 255).to_owned()));
        set("Title", trimmed("jobtitle").map(|text| cut(text, 128).to_owned()));
        set("Phone", text("phone").map(|text| cut(&digits(text), 40).to_owned()));
        set("City", trimmed("city").map(|text| cut(text, 40).to_owned()));
        set("LeadSource", text("hs_analytics_source").and_then(lead_source).map(str::to_owned));
        set("Industry", text("industry").map(lead_industry).map(str::to_owned));
        let score: Option<Decimal> = text("hubscore").map(|score| score.parse().expect("a number"));
        if let Some(score) = score {
            lead.insert("HubSpot_Lead_Score__c".to_owned(), Value::Number(number(score)));
        }
        if let Some(day) = text("contract_date") {
            lead.insert("Contract_Date__c".to_owned(), Value::String(date(day)));
        }
        let parts =
            Parts { company: trimmed("company"), title: trimmed("jobtitle"), city: trimmed("city"), score };
        if let Some(text) = parts.description() {
            lead.insert("Description".to_owned(), Value::String(text));
        }
        serde_json::to_writer(out, &lead).expect("the output can be written");
    });
}

/// A contact, as far as the mapping uses it.
#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    properties: Properties<'a>,
}

/// The properties that the mapping uses; serde skips the rest.
#[derive(Deserialize)]
struct Properties<'a> {
    #[serde(borrow)]
    firstname: Option<Text<'a>>,
    #[serde(borrow)]
    lastname: Option<Text<'a>>,
    #[serde(borrow)]
    email: Option<Text<'a>>,
    #[serde(borrow)]
    company: Option<Text<'a>>,
    #[serde(borrow)]
    jobtitle: Option<Text<'a>>,
    #[serde(borrow)]
    phone: Option<Text<'a>>,
    #[serde(borrow)]
    city: Option<Text<'a>>,
    #[serde(borrow)]
    hs_analytics_source: Option<Text<'a>>,
    #[serde(borrow)]
    industry: Option<Text<'a>>,
    #[serde(borrow)]
    hubscore: Option<Text<'a>>,
    #[serde(borrow)]
    contract_date: Option<Text<'a>>,
}

/// Text of the line, copied only where it holds escapes. (An `Option<Cow<str>>` would always be copied.)
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A lead; what is blank is left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Lead<'a> {
    #[serde(rename = "HubSpot_Contact_ID__c")]
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<&'a str>,
    last_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<Cow<'a, str>>,
    company: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(rename = "LeadSource", skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    industry: Option<&'a str>,
    #[serde(rename = "HubSpot_Lead_Score__c", skip_serializing_if = "Option::is_none")]
    score: Option<Number>,
    #[serde(rename = "Contract_Date__c", skip_serializing_if = "Option::is_none")]
    contract_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// The program over structs.
pub(crate) fn over_structs(path: &str) {
    each_line(path, |line, out| {
        let Contact { id, properties: contact } = serde_json::from_slice(line).expect("a contact");
        let score: Option<Decimal> =
            text(contact.hubscore.as_ref()).map(|score| score.parse().expect("a number"));
        let phone = text(contact.phone.as_ref()).map(digits).filter(|phone| !phone.is_empty());
        let parts = Parts {
            company: trimmed(contact.company.as_ref()),
            title: trimmed(contact.jobtitle.as_ref()),
            city: trimmed(contact.city.as_ref()),
            score,
        };
        let lead = Lead {
            id: &id,
            first_name: trimmed(contact.firstname.as_ref()).map(|text| cut(text, 40)),
            last_name: cut(trimmed(contact.lastname.as_ref()).unwrap_or("Unknown"), 80),
            email: trimmed(contact.email.as_ref())
                .map(lowercase)
                .filter(|mail| mail.len() <= 80 || mail.encode_utf16().count() <= 80),
            company: cut(trimmed(contact.company.as_ref()).unwrap_or("Unknown"), 255),
            title: trimmed(contact.jobtitle.as_ref()).map(|text| cut(text, 128)),
            phone: phone.as_deref().map(|phone| cut(phone, 40)),
            city: trimmed(contact.city.as_ref()).map(|text| cut(text, 40)),
            source: text(contact.hs_analytics_source.as_ref()).and_then(lead_source),
            industry: text(contact.industry.as_ref()).map(lead_industry),
            score: score.map(number),
            contract_date: text(contact.contract_date.as_ref()).map(date),
            description: parts.description(),
        };
        serde_json::to_writer(out, &lead).expect("the output can be written");
    });
}

fn text<'t>(text: Option<&'t Text<'_>>) -> Option<&'t str> {
    text.map(|text| text.0.as_ref()).filter(|text| !text.is_empty())
}

fn trimmed<'t>(value: Option<&'t Text<'_>>) -> Option<&'t str> {
    text(value).map(str::trim).filter(|text| !text.is_empty())
}

/// What the description is made of.
struct Parts<'a> {
    company: Option<&'a str>,
    title: Option<&'a str>,
    city: Option<&'a str>,
    score: Option<Decimal>,
}

impl Parts<'_> {
    fn description(&self) -> Option<String> {
        let mut text = match (self.company, self.title, self.score) {
            (Some(company), Some(title), Some(score)) if score >= Decimal::from(50) => {
                format!("{title} at {company}, {}", self.city?)
            }
            (Some(company), ..) => format!("Works at {company}"),
            _ => "No company".to_owned(),
        };
        text.truncate(cut(&text, 500).len());
        Some(text)
    }
}

/// At most so many UTF-16 units.
fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > max {
            return &text[..at];
        }
    }
    text
}

fn lowercase(text: &str) -> Cow<'_, str> {
    if text.is_ascii() && !text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn digits(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

fn number(number: Decimal) -> Number {
    number.normalize().to_string().parse().expect("a number")
}

/// HubSpot's milliseconds at midnight UTC.
fn date(text: &str) -> String {
    let milliseconds = text.parse().expect("milliseconds");
    let instant = chrono::DateTime::from_timestamp_millis(milliseconds).expect("a date");
    instant.date_naive().to_string()
}

fn lead_source(source: &str) -> Option<&'static str> {
    Some(match source {
        "ORGANIC_SEARCH" => "Inbound - Organic Search",
        "PAID_SEARCH" => "Inbound - Paid Search",
        "EMAIL_MARKETING" => "Inbound - Email",
        "SOCIAL_MEDIA" => "Inbound - Organic Social",
        "REFERRALS" => "Inbound - Referral",
        "DIRECT_TRAFFIC" => "Inbound - Direct",
        "OFFLINE" => return None,
        other => panic!("no translation of {other}"),
    })
}

fn lead_industry(industry: &str) -> &'static str {
    match industry {
        "COMPUTER_SOFTWARE" | "INTERNET" => "Technology",
        "BANKING" => "Banking",
        "HOSPITAL_HEALTH_CARE" => "Healthcare",
        "RETAIL" => "Retail",
        _ => "Other",
    }
}

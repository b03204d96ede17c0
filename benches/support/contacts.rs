//! Contacts as HubSpot answers them, made up from a seed: the same bytes on every machine.

use std::fmt::Write as _;
use std::io;

/// The mapping that the benchmarks of `eval` use, in this project.
pub(crate) const MAPPING: &str = "contact_to_lead";

/// A small generator of numbers (`SplitMix64`), so that no version of a crate can change the data.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Starts at a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// A number below this.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.draw() % bound as u64).unwrap_or(0)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }
}

const FIRST: &[&str] =
    &["Jane", "Ana", "Søren", "José", "美咲", "Zoë", "Piotr", "Ngọc", "小明", "Olga", "Liam", "Ayşe"];
const LAST: &[&str] =
    &["Doe", "O'Brien", "Müller", "田中", "García", "van der Berg", "Nowak", "王", "Smith", "İnce"];
const COMPANIES: &[&str] = &[
    "Acme Corp",
    "Café Zürich GmbH",
    "株式会社サンプル",
    "Rocket 🚀 Labs",
    "Smith & Sons",
    "\"Quoted\" Ltd",
    "Northwind Traders",
    "Ångström AB",
];
const TITLES: &[&str] = &[
    "VP Engineering",
    "Head of Sales",
    "Büroleiter",
    "CTO 👩‍💻",
    "Account Executive",
    "営業部長",
    "Director\tof Marketing",
];
const CITIES: &[&str] = &["San Francisco", "München", "東京", "São Paulo", "Kraków", "Leeds", "Nairobi"];
const SOURCES: &[&str] = &[
    "ORGANIC_SEARCH",
    "PAID_SEARCH",
    "EMAIL_MARKETING",
    "SOCIAL_MEDIA",
    "REFERRALS",
    "DIRECT_TRAFFIC",
    "OFFLINE",
];
const INDUSTRIES: &[&str] = &[
    "COMPUTER_SOFTWARE",
    "INTERNET",
    "BANKING",
    "HOSPITAL_HEALTH_CARE",
    "RETAIL",
    "FARMING",
    "MINING",
    "TEXTILES",
];
/// Properties that never hold only white space.
const CODED: [&str; 4] = ["hubscore", "contract_date", "hs_analytics_source", "industry"];
/// Properties that the mapping does not use: most of what a real answer holds.
const OTHERS: [&str; 22] = [
    "hs_analytics_first_url",
    "hs_analytics_last_url",
    "hs_analytics_num_page_views",
    "hs_analytics_num_visits",
    "hs_email_domain",
    "hs_email_last_open_date",
    "hs_lead_status",
    "hs_persona",
    "hs_time_zone",
    "hubspot_owner_id",
    "lifecyclestage",
    "message",
    "mobilephone",
    "notes_last_contacted",
    "num_associated_deals",
    "num_notes",
    "recent_conversion_event_name",
    "state",
    "twitterhandle",
    "website",
    "zip",
    "country",
];

/// Writes so many contacts, a line each: 35 properties, 1.2 KB.
pub(crate) fn write(count: usize, seed: u64, out: &mut impl io::Write) -> io::Result<()> {
    let mut numbers = Numbers::new(seed);
    let mut line = String::new();
    for id in 0..count {
        line.clear();
        contact(1_000_000 + id, &mut numbers, &mut line);
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(())
}

fn contact(id: usize, numbers: &mut Numbers, out: &mut String) {
    let _ = write!(out, "{{\"id\":\"{id}\",\"properties\":{{");
    used(id, numbers, out);
    for (index, name) in OTHERS.iter().enumerate() {
        let value = other(index, numbers);
        property(name, value.as_deref(), numbers, out);
    }
    *out += "\"createdate\":\"2024-09-01T10:00:00.000Z\",\"lastmodifieddate\":\"2024-09-30T10:00:00.000Z\"},";
    *out += "\"createdAt\":\"2024-09-01T10:00:00.000Z\",\"updatedAt\":\"2024-09-30T10:00:00.000Z\",\"archived\":false}";
}

/// The eleven properties that the mapping uses.
fn used(id: usize, numbers: &mut Numbers, out: &mut String) {
    let first = numbers.of(FIRST);
    let last = numbers.of(LAST);
    let padded = |text: &str, numbers: &mut Numbers| match numbers.below(8) {
        0 => format!("  {text} "),
        1 => format!("{text} "),
        _ => text.to_owned(),
    };
    let mail = format!("{}.{id}@Example{}.test", if first.is_ascii() { first } else { "contact" }, id % 97);
    let company = padded(numbers.of(COMPANIES), numbers);
    let title = if numbers.one_in(20) {
        format!("{} {}", numbers.of(TITLES), "of everything and more ".repeat(7))
    } else {
        padded(numbers.of(TITLES), numbers)
    };
    let phone = format!("+1 ({}) {:03}-{:04}", 200 + id % 700, id % 1000, id % 10_000);
    let score = match numbers.below(4) {
        0 => format!("{}.50", numbers.below(100)),
        1 => format!("{}.0", numbers.below(100)),
        _ => numbers.below(100).to_string(),
    };
    let day = 1_600_000_000_000_u64 / 86_400_000 + numbers.below(2000) as u64;
    let first = padded(first, numbers);
    let last = padded(last, numbers);
    let all = [
        ("firstname", first),
        ("lastname", last),
        ("email", mail),
        ("company", company),
        ("jobtitle", title),
        ("phone", phone),
        ("city", padded(numbers.of(CITIES), numbers)),
        ("hs_analytics_source", numbers.of(SOURCES).to_owned()),
        ("industry", numbers.of(INDUSTRIES).to_owned()),
        ("hubscore", score),
        ("contract_date", (day * 86_400_000).to_string()),
    ];
    for (name, value) in &all {
        let missing = numbers.below(16);
        let value = match missing {
            0 => None,
            1 => Some(""),
            2 if !CODED.contains(name) => Some("   "),
            _ => Some(value.as_str()),
        };
        property(name, value, numbers, out);
    }
}

fn other(index: usize, numbers: &mut Numbers) -> Option<String> {
    match index {
        _ if numbers.one_in(3) => None,
        0 | 1 => {
            Some(format!("https://www.example.test/landing/page-{}?utm_source=news", numbers.below(1000)))
        }
        2 | 3 | 14 | 15 => Some(numbers.below(500).to_string()),
        5 | 13 => Some(format!("2024-09-{:02}T12:00:00Z", 1 + numbers.below(28))),
        11 => Some(format!("Hello 👋 from {}, {}", numbers.of(CITIES), numbers.of(COMPANIES))),
        16 => Some("Request a demo: /demo".to_owned()),
        19 => Some(format!("https://{}.example.test/", numbers.below(5000))),
        _ => Some(format!("{} {}", numbers.of(TITLES), numbers.below(100))),
    }
}

/// Writes a property; now and then with `\u` escapes for everything that is not ASCII, as some serialisers do.
fn property(name: &str, value: Option<&str>, numbers: &mut Numbers, out: &mut String) {
    let _ = write!(out, "\"{name}\":");
    match value {
        None => *out += "null",
        Some(value) => {
            let ascii = numbers.one_in(8);
            out.push('"');
            for character in value.chars() {
                match character {
                    '"' => *out += "\\\"",
                    '\\' => *out += "\\\\",
                    '\t' => *out += "\\t",
                    '/' if ascii => *out += "\\/",
                    character if ascii && !character.is_ascii() => {
                        for unit in character.encode_utf16(&mut [0; 2]) {
                            let _ = write!(out, "\\u{unit:04x}");
                        }
                    }
                    character => out.push(character),
                }
            }
            out.push('"');
        }
    }
    out.push(',');
}

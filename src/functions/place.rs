//! Countries, by ISO 3166-1.

use rust_iso3166::{ALL, CountryCode, from_alpha2, from_alpha3};

use crate::types::{Failure, Type, Value, quoted};

use super::arguments::{text, wants_text};
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "country_code",
        signature: "country_code(text) -> text",
        check: |arguments| check(arguments, 2),
        call: |values, _| country(text(values, 0)?).map(|country| Value::text(country.alpha2)),
        failure: Some("the text is not a country's English name or ISO code"),
        idempotent: true,
        doc: "The two-letter ISO 3166 code of a country. It reads English names, common short forms (`USA`, `UK`) and codes of \
              two or three letters; capitals, full stops and white space around it do not count.",
        examples: &[
            Example { expression: r#""United States" | country_code"#, result: r#""US""# },
            Example { expression: r#""U.K." | country_code"#, result: r#""GB""# },
            Example { expression: r#""Atlantis" | country_code"#, result: "failure" },
        ],
        ..PLACE
    },
    Function {
        name: "country_name",
        signature: "country_name(text) -> text",
        check: |arguments| check(arguments, NAME_MAX),
        call: |values, _| country(text(values, 0)?).map(|country| Value::text(name_of(country))),
        failure: Some("the text is not a country's English name or ISO code"),
        idempotent: true,
        doc: "The English name of a country in everyday use (`United States`, `South Korea`), from all that `country_code` \
              reads.",
        examples: &[
            Example { expression: r#""US" | country_name"#, result: r#""United States""# },
            Example { expression: r#""DEU" | country_name"#, result: r#""Germany""# },
            Example { expression: r#""Atlantis" | country_name"#, result: "failure" },
        ],
        ..PLACE
    },
];

const PLACE: Function = Function { family: Family::Place, ..BASE };

/// Longer than every name in the table, which a test holds.
const NAME_MAX: u32 = 50;

fn check(arguments: &[Argument<'_>], max: u32) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    let fine = matches!(arguments[0].literal, Some(Value::Text(text)) if country(text).is_ok());
    Ok(Signature::of(arguments, Type::Text(Some(max)), !fine))
}

/// The country that a name or code means.
pub(super) fn country(text: &str) -> Result<CountryCode, Failure> {
    find(text)
        .ok_or_else(|| Failure::new(format!("{} is not a country's English name or ISO code", quoted(text))))
}

fn find(text: &str) -> Option<CountryCode> {
    /// Longer than any name of a country.
    const LONGEST: usize = 100;
    if text.len() > LONGEST {
        return None;
    }
    let upper: String = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    let code = match upper.len() {
        // `UK` is reserved in ISO 3166 for the United Kingdom and belongs to no other country.
        2 if upper == "UK" => from_alpha2("GB"),
        2 => from_alpha2(&upper),
        3 => from_alpha3(&upper),
        _ => None,
    };
    let named = |names: &[(&'static str, &str)]| {
        names.iter().find(|(_, name)| alike(name, text)).and_then(|(code, _)| from_alpha2(code))
    };
    code.or_else(|| named(EVERYDAY))
        .or_else(|| named(OTHER_NAMES))
        .or_else(|| ALL.iter().find(|country| alike(country.name, text)).copied())
}

/// Whether two names are the same but for capitals, punctuation and white space.
fn alike(a: &str, b: &str) -> bool {
    letters(a).eq(letters(b))
}

fn letters(name: &str) -> impl Iterator<Item = char> {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

fn name_of(country: CountryCode) -> &'static str {
    EVERYDAY.iter().find(|(code, _)| *code == country.alpha2).map_or(country.name, |(_, name)| name)
}

/// Everyday names where the ISO short name is a formal one.
const EVERYDAY: &[(&str, &str)] = &[
    ("BN", "Brunei"),
    ("BO", "Bolivia"),
    ("BQ", "Caribbean Netherlands"),
    ("CC", "Cocos Islands"),
    ("CD", "Democratic Republic of the Congo"),
    ("CG", "Republic of the Congo"),
    ("CV", "Cape Verde"),
    ("FK", "Falkland Islands"),
    ("FM", "Micronesia"),
    ("GB", "United Kingdom"),
    ("IR", "Iran"),
    ("KP", "North Korea"),
    ("KR", "South Korea"),
    ("LA", "Laos"),
    ("MD", "Moldova"),
    ("MF", "Saint Martin"),
    ("NL", "Netherlands"),
    ("PS", "Palestine"),
    ("RU", "Russia"),
    ("SH", "Saint Helena"),
    ("SX", "Sint Maarten"),
    ("SY", "Syria"),
    ("TR", "Turkey"),
    ("TW", "Taiwan"),
    ("TZ", "Tanzania"),
    ("US", "United States"),
    ("VA", "Vatican City"),
    ("VE", "Venezuela"),
    ("VG", "British Virgin Islands"),
    ("VI", "U.S. Virgin Islands"),
    ("VN", "Vietnam"),
];

/// More names that people and CRMs write.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("AE", "UAE"),
    ("AG", "Antigua & Barbuda"),
    ("BA", "Bosnia"),
    ("BA", "Bosnia & Herzegovina"),
    ("BO", "Bolivia, Plurinational State of"),
    ("CD", "Congo, the Democratic Republic of the"),
    ("CD", "DR Congo"),
    ("CI", "Cote d'Ivoire"),
    ("CI", "Ivory Coast"),
    ("CN", "People's Republic of China"),
    ("CN", "Mainland China"),
    ("CW", "Curacao"),
    ("CZ", "Czech Republic"),
    ("GB", "Great Britain"),
    ("GB", "Britain"),
    ("GB", "England"),
    ("GB", "Scotland"),
    ("GB", "Wales"),
    ("GB", "Northern Ireland"),
    ("GM", "The Gambia"),
    ("HK", "Hong Kong SAR"),
    ("IE", "Republic of Ireland"),
    ("IR", "Iran, Islamic Republic of"),
    ("KR", "Korea"),
    ("KR", "Korea, Republic of"),
    ("KR", "Republic of Korea"),
    ("KP", "Korea, Democratic People's Republic of"),
    ("MK", "Macedonia"),
    ("MM", "Burma"),
    ("MO", "Macau"),
    ("MD", "Moldova, Republic of"),
    ("NL", "Holland"),
    ("NL", "The Netherlands"),
    ("PS", "Palestinian Territory"),
    ("RE", "Reunion"),
    ("SZ", "Swaziland"),
    ("BS", "The Bahamas"),
    ("BL", "Saint Barthelemy"),
    ("KN", "Saint Kitts & Nevis"),
    ("ST", "Sao Tome & Principe"),
    ("ST", "São Tomé and Príncipe"),
    ("TL", "East Timor"),
    ("TR", "Turkiye"),
    ("TT", "Trinidad & Tobago"),
    ("TW", "Taiwan, Province of China"),
    ("TZ", "Tanzania, United Republic of"),
    ("US", "United States of America"),
    ("US", "The United States"),
    ("US", "America"),
    ("VA", "Vatican"),
    ("VA", "Holy See (Vatican City State)"),
    ("VE", "Venezuela, Bolivarian Republic of"),
    ("AX", "Aland Islands"),
];

#[cfg(test)]
mod tests {
    use rust_iso3166::{ALL, from_alpha2};

    use super::{EVERYDAY, NAME_MAX, OTHER_NAMES, alike, name_of};
    use crate::functions::tests::{call, check_literals, check_typed, text};
    use crate::types::{Type, Typed, Value, text_length};

    #[test]
    fn countries_are_known_by_many_names() {
        for (name, code) in [
            ("USA", "US"),
            ("U.S.A.", "US"),
            ("us", "US"),
            ("United States", "US"),
            ("united states of america", "US"),
            ("UK", "GB"),
            ("United Kingdom", "GB"),
            ("England", "GB"),
            ("GBR", "GB"),
            ("Germany", "DE"),
            (" deu ", "DE"),
            ("South Korea", "KR"),
            ("Korea, Republic of", "KR"),
            ("Viet Nam", "VN"),
            ("Vietnam", "VN"),
            ("Côte d'Ivoire", "CI"),
            ("Cote d’Ivoire", "CI"),
            ("Russian Federation", "RU"),
            ("Czech Republic", "CZ"),
            ("The Netherlands", "NL"),
            ("Türkiye", "TR"),
            ("Turkey", "TR"),
            ("Congo", "CG"),
            ("Hong Kong", "HK"),
            ("Guinea", "GN"),
            ("Niger", "NE"),
        ] {
            assert_eq!(call("country_code", &[text(name)]), Ok(text(code)), "{name}");
        }
        for unknown in ["Atlantis", "XX", "ZZZ", "EU", "Europe", "-", "Unit", &"a".repeat(1_000)] {
            assert!(call("country_code", &[text(unknown)]).is_err(), "{unknown}");
        }
        assert_eq!(call("country_code", &[Value::Blank]), Ok(Value::Blank));
    }

    #[test]
    fn every_country_comes_back_from_its_names() {
        for country in ALL {
            let name = name_of(*country);
            assert!(text_length(name) <= NAME_MAX as usize, "{name}");
            for spelling in [name, country.name, country.alpha2, country.alpha3] {
                assert_eq!(call("country_code", &[text(spelling)]), Ok(text(country.alpha2)), "{spelling}");
                assert_eq!(call("country_name", &[text(spelling)]), Ok(text(name)), "{spelling}");
            }
        }
    }

    #[test]
    fn no_name_means_two_countries() {
        let names = EVERYDAY.iter().chain(OTHER_NAMES);
        for (code, name) in names.clone() {
            assert!(from_alpha2(code).is_some(), "{code}");
            assert!(names.clone().all(|(other, same)| code == other || !alike(name, same)), "{name}");
            // The ISO name `Congo` is one republic's; the other's is longer.
            assert!(
                ALL.iter().all(|country| country.alpha2 == *code || !alike(country.name, name)),
                "{name}"
            );
        }
    }

    #[test]
    fn a_known_literal_cannot_fail() {
        assert!(!check_literals("country_code", &[text("Germany")]).unwrap().can_fail);
        let signature = check_typed("country_code", &Typed::maybe(Type::Text(None)), &[]).unwrap();
        assert_eq!((signature.result, signature.can_fail), (Typed::maybe(Type::Text(Some(2))), true));
    }
}

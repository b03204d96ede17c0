//! Inputs made to be slow: 64 KiB of everything that could cost more than its length.
//!
//! What is counted is the parser's own steps, not seconds: a test that reads a clock fails on a busy machine.
//! `docs/testing.md` has the command that times these inputs.

use std::num::NonZeroUsize;

use mapwright::syntax::parse;

use super::run::mapping;

/// The longest that a stage may take for an input of that size, in release.
const PROMISED: std::time::Duration = std::time::Duration::from_secs(1);

/// The size that the language promises to answer quickly.
const SIZE: usize = 64 * 1024;

/// The size of what is checked in every run of the tests, which are not optimised.
const SMALL: usize = SIZE / 16;

/// Calls of grammar rules for each byte of a statement, at most.
const STEPS_PER_BYTE: usize = 100;

/// An input of about this many bytes for each way to be slow.
pub(crate) fn inputs(size: usize) -> Vec<(&'static str, String)> {
    let mut inputs = pieces(size);
    inputs.extend(in_rules(size));
    inputs.extend(files(size));
    inputs.extend(super::projects::projects(size));
    inputs
}

pub(crate) fn filled(size: usize, piece: &str) -> String {
    piece.repeat(size / piece.len())
}

/// `count` pieces, made from their number, up to the size.
pub(crate) fn numbered(size: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(size);
    for number in 0.. {
        let next = piece(number);
        if text.len() + next.len() > size {
            break;
        }
        text.push_str(&next);
    }
    text
}

/// The same short text again and again.
fn pieces(size: usize) -> Vec<(&'static str, String)> {
    [
        ("braces", "{"),
        ("closing braces", "}"),
        ("pairs of braces", "{}"),
        ("brackets", "("),
        ("comments", "#\n"),
        ("one comment", "#"),
        ("bars", "|"),
        ("quotes", "\""),
        ("back-quotes", "`"),
        ("single quotes", "'"),
        ("smart quotes", "“"),
        ("control characters", "\u{1}"),
        ("invisible characters", "\u{200b}"),
        ("line ends", "\n"),
        ("carriage returns", "\r"),
        ("backslashes", "\\"),
        ("question marks", "a ?? b ? "),
        ("foreign operators", "a && "),
        ("comments of other languages", "// a\n"),
        ("one word", "a"),
        ("words", "a "),
        ("lines", "a\n"),
        ("heads", "mapping m {\n"),
        ("heads of tests", "test \"\n"),
        ("empty items", "mapping m {\n}\n"),
        ("holes", "\"{"),
        ("foreign letters", "é"),
        ("digits", "9"),
        ("minus signs", "-"),
    ]
    .into_iter()
    .map(|(name, piece)| (name, filled(size, piece)))
    .collect()
}

/// One statement that is long.
fn in_rules(size: usize) -> Vec<(&'static str, String)> {
    let rule = |value: String| {
        format!(
            "mapping m {{\n  from hubspot.contact\n  to salesforce.Lead\n  fields {{\n    Title <- {value}\n  }}\n}}\n"
        )
    };
    let repeated = |piece: &str| rule(filled(size, piece));
    vec![
        ("deep parentheses", rule(format!("{}1{}", filled(size / 2, "("), filled(size / 2, ")")))),
        ("deep lists", rule(format!("{}1{}", filled(size / 2, "["), filled(size / 2, "]")))),
        ("deep calls", repeated("f(")),
        ("deep templates", rule(format!("{}1{}", filled(size / 2, "\"{"), filled(size / 2, "}\"")))),
        ("deep conditions", repeated("if a then ")),
        ("deep else", repeated("if a then b else ")),
        ("deep look-ups", repeated("lookup salesforce.User.Id where Email = ")),
        ("deep not", rule(format!("(({}a))", filled(size, "not ")))),
        ("many steps", rule(format!("jobtitle{}", filled(size, " | trim")))),
        ("many operators", rule(format!("1{}", filled(size, " + 1")))),
        ("many arguments", rule(format!("first_present({}company)", filled(size, "jobtitle, ")))),
        (
            "many unknown arguments",
            rule(format!("first_present({}a)", numbered(size, |n| format!("jobtitel{n}, ")))),
        ),
        (
            "many unknown steps",
            rule(format!("first_present({}a)", numbered(size, |n| format!("jobtitle | trimm{n}, ")))),
        ),
        ("many conditions", rule(format!("if {}a then b else c", filled(size, "jobtitle is blank and ")))),
        ("one template", rule(format!("\"{}\"", filled(size, "{jobtitle} ")))),
        ("one text", rule(format!("\"{}\"", filled(size, "text ")))),
        ("one list", rule(format!("[{}]", filled(size, "\"a\", ")))),
        ("an enormous number", rule(filled(size, "9"))),
        ("an enormous name", rule(filled(size, "a"))),
        ("a long path", rule(format!("a{}", filled(size, ".a")))),
        ("unclosed calls", repeated("(b | c(d, \"e\" f\n")),
        (
            "many tests of a look-up",
            rule(format!(
                "lookup salesforce.User.Id where {}Email = email",
                filled(size, "Email = email and ")
            )),
        ),
        ("escapes", rule(format!("\"{}\"", filled(size, "\\{")))),
        ("many policies", rule(format!("jobtitle{}", filled(size, " on create")))),
    ]
}

/// Whole files that parse, for the checker.
fn files(size: usize) -> Vec<(&'static str, String)> {
    let head = "mapping m {\n  from hubspot.contact\n  to salesforce.Lead\n  when created\n";
    let match_ = "  match { key HubSpot_Contact_ID__c = id }\n";
    let fields = |body: String| format!("{head}{match_}  fields {{\n{body}  }}\n}}\n");
    let lets = |first: &str, next: fn(usize) -> String, uses: &str| {
        let chain = numbered(size, |n| format!("  let v{} = {}\n", n + 1, next(n)));
        format!("{head}  let v0 = {first}\n{chain}{match_}  fields {{ Title <- {uses} }}\n}}\n")
    };
    let shared = numbered(size / 2, |n| format!("  F{n} <- jobtitel{n}\n"));
    vec![
        ("many rules of one field", fields(filled(size, "Title <- jobtitle\n"))),
        ("many unknown fields", fields(numbered(size, |n| format!("Titel{n} <- jobtitel{n}\n")))),
        (
            "many long unknown fields",
            fields(numbered(size, |n| format!("{}{n} <- {}\n", "Titel".repeat(40), "a".repeat(200)))),
        ),
        ("many functions", fields(numbered(size, |n| format!("Title <- first_presnt{n}(a)\n")))),
        (
            "lets that double a text",
            lets("jobtitle", |n| format!("\"{{v{n}}}{{v{n}}}\""), "v9 | truncate(128)"),
        ),
        (
            "lets that double a number",
            lets("hubscore", |n| format!("v{n} * v{n}"), "\"{v9}\" | truncate(128)"),
        ),
        (
            "lets that double a condition",
            lets("jobtitle", |n| format!("if v{n} is blank then v{n} else v{n}"), "v9"),
        ),
        ("lets in a long chain", lets("jobtitle", |n| format!("v{n} | trim"), "v9")),
        ("lets backwards", lets("jobtitle", |n| format!("v{} | trim", n + 2), "v9")),
        ("lets that nobody knows", lets("jobtitle", |n| format!("w{n}"), "v9")),
        ("many outcomes", format!("{head}{}{match_}}}\n", filled(size, "  on none create\n"))),
        ("many triggers", format!("{head}{}{match_}}}\n", filled(size, "  when email changes\n"))),
        ("many guards", format!("{head}{}{match_}}}\n", filled(size, "  only if email is present\n"))),
        (
            "many rungs",
            format!(
                "{head}  match {{\n    key HubSpot_Contact_ID__c = id\n{}  }}\n}}\n",
                filled(size, "    or Email = email\n")
            ),
        ),
        (
            "many mappings of one name",
            filled(size, "mapping m {\n  from hubspot.contact\n  to salesforce.Lead\n}\n"),
        ),
        (
            "many mappings",
            numbered(size, |n| {
                format!(
                    "mapping m{n} {{\n  from hubspot.contact\n  to salesforce.Lead\n  fields {{ Title <- jobtitle }}\n}}\n"
                )
            }),
        ),
        (
            "many mappings that hand over",
            numbered(size, |n| {
                format!(
                    "mapping m{n} {{\n  from hubspot.contact\n  to salesforce.Lead\n  on none then m{}\n}}\n",
                    n + 1
                )
            }),
        ),
        (
            "many mappings with shared fields",
            format!(
                "fields all from hubspot.contact {{\n{shared}}}\n{}",
                numbered(size / 2, |n| format!(
                    "mapping m{n} {{\n  from hubspot.contact\n  to salesforce.Lead\n  fields {{ use all }}\n}}\n"
                ))
            ),
        ),
        (
            "many uses",
            format!(
                "fields all from hubspot.contact {{\n{shared}}}\n{}",
                fields(filled(size / 2, "use all\n"))
            ),
        ),
        (
            "many lines of a picklist",
            format!(
                "picklist p {{\n  from hubspot.contact.lifecyclestage\n  to salesforce.Lead.Status\n{}}}\n",
                numbered(size, |n| format!("  \"lead{n}\" -> \"Open{n}\"\n"))
            ),
        ),
        (
            "many same lines of a picklist",
            format!(
                "picklist p {{\n  from hubspot.contact.lifecyclestage\n  to salesforce.Lead.Status\n{}}}\n",
                filled(size, "  \"lead\" -> \"Open\"\n")
            ),
        ),
        (
            "many picklists",
            numbered(size, |n| {
                format!(
                    "picklist p{n} {{\n  from hubspot.contact.lifecyclestage\n  to salesforce.Lead.Status\n  otherwise -> nothing\n}}\n"
                )
            }),
        ),
        (
            "many stages",
            format!(
                "order o of salesforce.Lead.Status {{\n  \"a\"{}\n}}\n",
                numbered(size, |n| format!(" then \"s{n}\""))
            ),
        ),
        ("many tests", filled(size, "test \"t\" {\n  mapping m\n  expect skip\n}\n")),
        (
            "many entries of a record",
            format!(
                "test \"t\" {{\n  mapping m\n  given hubspot.contact {{ {} }}\n}}\n",
                numbered(size, |n| format!("emial{n}: \"x\", "))
            ),
        ),
        (
            "many rules of a sync",
            format!(
                "sync s {{\n  between hubspot.company and salesforce.Account\n  fields {{\n{}  }}\n}}\n",
                numbered(size, |n| format!("    nam{n} <-> Nam{n}\n"))
            ),
        ),
    ]
}

#[test]
fn nothing_panics_on_odd_input() {
    for (name, text) in inputs(SMALL) {
        let findings = mapping(&text);
        // The syntax family stops at 200; the checker answers for each name, and for each use of a shared rule.
        assert!(findings.len() <= SMALL, "{name}: {} findings", findings.len());
    }
}

#[test]
fn the_parser_takes_steps_in_proportion_to_the_length() {
    pest::set_call_limit(NonZeroUsize::new(SIZE * STEPS_PER_BYTE));
    for (name, text) in inputs(SIZE) {
        let (_, findings) = parse(mapwright::source::FileId(0), &text);
        // This is what a parser says that gave up.
        let gave_up = findings
            .iter()
            .find(|finding| finding.help.as_deref() == Some("give the inner part a name with `let`"));
        assert!(gave_up.is_none(), "{name}: more than {STEPS_PER_BYTE} steps for each byte");
    }
}

/// Prints what each input costs, the slowest last: processor time of all that reads an author's text.
#[test]
#[ignore = "reads the clock: run it by hand, in release"]
fn seconds() {
    super::stages::stages("");
    let mut times: Vec<_> = inputs(SIZE)
        .into_iter()
        .map(|(name, text)| {
            let stages = super::stages::stages(&text);
            let slowest = stages.iter().map(|(_, time)| *time).max().unwrap_or_default();
            (slowest, name, text.len(), stages)
        })
        .collect();
    times.sort_by_key(|(slowest, ..)| *slowest);
    for (_, name, bytes, stages) in &times {
        print!("{bytes:>6} bytes");
        for (stage, time) in stages {
            print!("  {stage} {:>6.1}", time.as_secs_f64() * 1e3);
        }
        println!("  {name}");
    }
    let slow: Vec<_> =
        times.iter().filter(|(slowest, ..)| *slowest > PROMISED).map(|(_, name, ..)| name).collect();
    assert!(slow.is_empty(), "more than {PROMISED:?}: {slow:?}");
}

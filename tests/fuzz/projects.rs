//! Whole projects of about 64 KiB that an attacker would write: much of what is compared with much else.
//!
//! Most of them check without an error, since what has one is not compiled and its tests do not run.

use super::growth::{filled, numbered};

/// A mapping that checks: its name, what stands above its ladder, its further rules.
fn mapping(name: &str, more: &str, fields: &str) -> String {
    format!(
        "mapping {name} {{\n from hubspot.contact\n to salesforce.Contact\n{more} match {{ key HubSpot_Contact_ID__c = id }}\n \
         on none skip\n on rejected park\n fields {{\n{fields} }}\n}}\n"
    )
}

/// A project for each way to make the checker, the compiler or the tests slow.
pub(crate) fn projects(size: usize) -> Vec<(&'static str, String)> {
    [
        names(size),
        options(size),
        shared(size),
        loops(size),
        graphs(size),
        two_way(size),
        tests(size),
        comments(size),
    ]
    .concat()
}

/// Long names that are alike, and many of them.
fn names(size: usize) -> Vec<(&'static str, String)> {
    let long = |length: usize, mark: &str| format!("{}{mark}", "ab".repeat(length / 2));
    let lets = |length: usize| {
        let count = size / 2 / (length + 20);
        let line = |before: &str, mark: &str, after: &str| format!("{before}{}{after}\n", long(length, mark));
        let defined: Vec<_> = (0..count).map(|n| line(" let ", &format!("x{n}"), " = jobtitle")).collect();
        let used: Vec<_> = (0..count).map(|n| line("  Title <- ", &format!("{n}y"), "")).collect();
        mapping("m", &defined.concat(), &used.concat())
    };
    vec![
        (
            "two enormous names that are alike",
            format!(
                "{}{}",
                mapping(&long(size / 2, "x"), " when created\n", "  Title <- \"a\"\n"),
                mapping(
                    "m",
                    &format!(
                        " when created\n only if email is present otherwise then {}\n",
                        long(size / 2 - 600, "y")
                    ),
                    ""
                )
            ),
        ),
        ("long unknown names that are like long lets", lets(1_000)),
        ("unknown names that are like lets", lets(60)),
        ("short unknown names that are like lets", lets(12)),
        (
            "many unknown shared fields",
            format!(
                "{}{}",
                numbered(size / 2, |n| format!("fields shared_name_{n} from hubspot.contact {{\n}}\n")),
                mapping("m", "", &numbered(size / 2, |n| format!("use {n}_shared_name\n")))
            ),
        ),
        (
            "many unknown mappings",
            format!(
                "{}{}",
                numbered(size / 2, |n| format!("mapping a_long_name_{n} {{ from hubspot.contact }}\n")),
                mapping(
                    "m",
                    &numbered(size / 2, |n| format!(
                        " only if email is present otherwise then {n}_a_long_name\n"
                    )),
                    ""
                )
            ),
        ),
        (
            "many unknown options",
            format!(
                "picklist p {{\n from hubspot.company.industry\n to salesforce.Account.Industry\n{}}}\n",
                numbered(size, |n| format!(" \"HOSPITAL_HEALTH_CARD_{n}\" -> \"Telecommunicatoins {n}\"\n"))
            ),
        ),
        (
            "many unknown relationships",
            mapping("m", "", &numbered(size, |n| format!("  Title <- owner_{n}.email\n"))),
        ),
    ]
}

/// Types that are long, and types made of types.
fn options(size: usize) -> Vec<(&'static str, String)> {
    let texts = |size: usize| numbered(size, |n| format!("\"x{n}\", "));
    let value = |value: String| mapping("m", "", &format!("  Title <- {value}\n"));
    vec![
        (
            "many literals of one value",
            value(format!("first_present(jobtitle, {}\"a\") | truncate(9)", texts(size))),
        ),
        ("many literals of one list", value(format!("[{}\"a\"] | join(\",\") | truncate(9)", texts(size)))),
        (
            "many literals of one test",
            mapping("m", &format!(" only if jobtitle in [{}\"a\"]\n", texts(size)), "  Title <- \"a\"\n"),
        ),
        (
            "a long type in many lets",
            mapping(
                "m",
                &format!(
                    " let v0 = first_present(jobtitle, {}\"a\")\n{}",
                    texts(size / 2),
                    numbered(size / 2, |n| format!(
                        " let v{} = if email is present then v{n} else v0\n",
                        n + 1
                    ))
                ),
                "  Title <- v9 | truncate(9)\n",
            ),
        ),
        (
            "a long type in many rules",
            mapping(
                "m",
                &format!(" let v = first_present(jobtitle, {}\"a\")\n", texts(size / 2)),
                &filled(size / 2, "  LeadSource <- v\n"),
            ),
        ),
        (
            "a long picklist in many rules",
            format!(
                "picklist p {{\n from hubspot.contact.hs_analytics_source\n to salesforce.Contact.Title\n{}}}\n{}",
                numbered(size / 2, |n| format!(" \"x{n}\" -> \"y{n}\"\n")),
                mapping("m", "", &filled(size / 2, "  LeadSource <- hs_analytics_source | p\n"))
            ),
        ),
        (
            "a long picklist in many lets",
            format!(
                "picklist p {{\n from hubspot.contact.hs_analytics_source\n to salesforce.Contact.LeadSource\n{} otherwise -> nothing\n}}\n{}",
                numbered(size / 2, |n| format!(" \"x{n}\" -> \"y{n}\"\n")),
                mapping(
                    "m",
                    &numbered(size / 2, |n| format!(" let v{n} = hs_analytics_source | p\n")),
                    "  LeadSource <- v0\n"
                )
            ),
        ),
        (
            "many guards that read a long chain",
            mapping(
                "m",
                &format!(
                    " let v0 = jobtitle\n{}{}",
                    numbered(size / 2, |n| format!(" let v{} = v{n} | trim\n", n + 1)),
                    filled(size / 2, &format!(" only if v{} is present\n", size / 2 / 26)),
                ),
                "  Title <- \"a\"\n",
            ),
        ),
        (
            "many guards",
            mapping(
                "m",
                &numbered(size, |n| format!(" only if jobtitle != \"x{n}\"\n")),
                "  Title <- \"a\"\n",
            ),
        ),
        (
            "many different rungs",
            mapping("m", "", "  Title <- \"a\"\n").replace(
                "match { key HubSpot_Contact_ID__c = id }",
                &format!(
                    "match {{\n key HubSpot_Contact_ID__c = id\n{} }}\n on many park\n on taken park\n",
                    numbered(size, |n| format!(" or Email = \"a{n}@b.example\"\n"))
                ),
            ),
        ),
        (
            "many tests of a rung",
            mapping("m", "", "  Title <- \"a\"\n").replace(
                "match { key HubSpot_Contact_ID__c = id }",
                &format!(
                    "match {{\n key HubSpot_Contact_ID__c = id\n{} }}\n on many park\n on taken park\n",
                    numbered(size, |n| format!(
                        " or Email = email where {}Title = \"x{n}\"\n",
                        numbered(500, |m| format!("Title = \"{n}x{m}\" and "))
                    ))
                ),
            ),
        ),
        (
            "many related records",
            mapping(
                "m",
                &numbered(size / 2, |n| format!(" with w{n} = \"Label {n}\" hubspot.company\n")),
                &numbered(size / 2, |n| format!("  Title <- w{n}.name | truncate(9)\n")),
            ),
        ),
        (
            "many look-ups",
            mapping(
                "m",
                &numbered(size, |n| {
                    format!(
                        " let l{n} = first_present(lookup salesforce.User.Id where Email = email, jobtitle)\n"
                    )
                }),
                "  Title <- \"a\"\n",
            ),
        ),
        (
            "a long order in many rules",
            format!(
                "order o of salesforce.Lead.Status {{\n \"a\"{}\n}}\n{}",
                numbered(size / 2, |n| format!(" then \"s{n}\"")),
                mapping("m", "", &filled(size / 2, "  Title <- jobtitle advance only along o\n"))
            ),
        ),
    ]
}

/// Shared rules that many mappings use, each in a context of its own.
fn shared(size: usize) -> Vec<(&'static str, String)> {
    let block = |rule: fn(usize) -> String| {
        format!("fields all from hubspot.contact {{\n{}}}\n", numbered(size / 2, rule))
    };
    let users = |more: fn(usize) -> String| {
        numbered(size / 2, |n| {
            format!(
                "mapping m{n} {{\n from hubspot.contact\n to salesforce.Contact\n{} fields {{ use all }}\n}}\n",
                more(n)
            )
        })
    };
    let project = |rule: fn(usize) -> String, more: fn(usize) -> String| block(rule) + &users(more);
    let nothing: fn(usize) -> String = |_| String::new();
    // Every mapping knows something else to be present.
    let guards: fn(usize) -> String = |n| {
        let fields = ["firstname", "lastname", "email", "phone", "city", "state", "country", "jobtitle"];
        let known = (0..8)
            .filter(|bit| n >> bit & 1 == 1)
            .map(|bit| format!(" only if {} is present\n", fields[bit]));
        known.collect()
    };
    vec![
        ("shared rules of unknown fields", project(|n| format!(" F{n} <- jobtitel{n}\n"), nothing)),
        ("shared rules of an unknown target", project(|n| format!(" F{n} <- jobtitle\n"), nothing)),
        (
            "shared rules that do not fit",
            project(|n| format!(" Title <- jobtitle{}\n", " ".repeat(n % 2)), nothing),
        ),
        (
            "shared rules that do not fit, in many contexts",
            project(|_| " Title <- jobtitle\n".to_owned(), guards),
        ),
        (
            "shared rules of unknown targets, in many contexts",
            project(
                |n| {
                    format!(
                        " F{n} <- \"{{firstname}}{{lastname}}{{email}}{{phone}}{{city}}{{state}}{{country}}\"\n"
                    )
                },
                guards,
            ),
        ),
        ("shared rules that fit", project(|_| " Title <- \"a\"\n".to_owned(), nothing)),
        (
            "many shared fields, each used once",
            format!(
                "{}{}",
                numbered(size * 3 / 4, |n| format!(
                    "fields s{n} from hubspot.contact {{ Title <- jobtitle }}\n"
                )),
                mapping("m", "", &numbered(size / 4, |n| format!("use s{n}\n")))
            ),
        ),
        (
            "many uses of shared fields",
            block(|n| format!(" F{n} <- jobtitel{n}\n")) + &mapping("m", "", &filled(size / 2, "use all\n")),
        ),
        (
            "many uses of shared fields that fit",
            block(|_| " Title <- \"a\"\n".to_owned()) + &mapping("m", "", &filled(size / 2, "use all\n")),
        ),
    ]
}

/// Mappings that start one another.
fn loops(size: usize) -> Vec<(&'static str, String)> {
    let to = |n: usize, when: &str, fields: &str| {
        format!(
            "mapping a{n} {{\n from hubspot.contact\n to salesforce.Contact\n{when} match {{ key HubSpot_Contact_ID__c = id }}\n \
             on none skip\n on rejected park\n fields {{\n{fields} }}\n}}\n"
        )
    };
    let back = |n: usize, when: &str, fields: &str| {
        format!(
            "mapping b{n} {{\n from salesforce.Contact\n to hubspot.contact\n{when} match {{ key salesforce_contact_id = Id }}\n \
             on none skip\n on rejected park\n fields {{\n{fields} }}\n}}\n"
        )
    };
    let both = |there: &str, here: &str| {
        numbered(size, |n| {
            if n % 2 == 0 {
                to(n, " when jobtitle changes\n", there)
            } else {
                back(n, " when Title changes\n", here)
            }
        })
    };
    let many_fields = numbered(size / 4, |n| format!(", f{n}"));
    vec![
        ("many mappings that start one another", both("  Title <- \"a\"\n", "  jobtitle <- \"a\"\n")),
        ("many mappings that start others and no loop", both("  Title <- \"a\"\n", "  city <- \"a\"\n")),
        (
            "many mappings with many triggers",
            numbered(size / 2, |n| to(n, " when jobtitle changes\n", "  Title <- \"a\"\n"))
                + &numbered(size / 4, |n| back(n, " when Title changes\n", "  city <- \"a\"\n"))
                + &back(9_999, &format!(" when any of (Title{many_fields}) changes\n"), "  city <- \"a\"\n"),
        ),
        (
            "many authorities of one field",
            numbered(size, |n| to(n, " when created\n", "  Title <- \"a\"\n  Email <- email\n")),
        ),
        (
            "a long loop of triggers",
            numbered(size, |n| {
                let fields = ["firstname", "lastname", "city", "state"];
                let targets = ["FirstName", "LastName", "MailingCity", "MailingState"];
                let at = n / 2 % 4;
                if n % 2 == 0 {
                    to(
                        n,
                        &format!(" when {} changes\n", fields[at]),
                        &format!("  {} <- \"a\"\n", targets[at]),
                    )
                } else {
                    back(
                        n,
                        &format!(" when {} changes\n", targets[at]),
                        &format!("  {} <- \"a\"\n", fields[(at + 1) % 4]),
                    )
                }
            }),
        ),
        (
            "long values that a trigger waits for",
            format!(
                "picklist p {{\n from salesforce.Contact.LeadSource\n to hubspot.contact.hs_analytics_source\n{} otherwise -> nothing\n}}\n{}{}",
                numbered(size / 4, |n| format!(" \"x{n}\" -> \"y{n}\"\n")),
                to(
                    0,
                    &format!(
                        " when hs_analytics_source becomes [{}\"a\"]\n",
                        numbered(size / 4, |n| format!("\"z{n}\", "))
                    ),
                    "  Title <- \"a\"\n"
                ),
                numbered(size / 2, |n| back(n, "", "  hs_analytics_source <- LeadSource | p\n")),
            ),
        ),
    ]
}

/// Mappings that hand over to one another.
fn graphs(size: usize) -> Vec<(&'static str, String)> {
    let over = |n: usize, next: usize| {
        mapping(
            &format!("m{n}"),
            &format!(" only if jobtitle is present otherwise then m{next}\n"),
            "  Title <- \"a\"\n",
        )
    };
    vec![
        ("a long chain of hand-overs", numbered(size, |n| over(n, n + 1)) + &over(9_999, 0)),
        (
            "a long chain of hand-overs, backwards",
            over(0, 0).replace("only if jobtitle is present otherwise then m0", "when created")
                + &numbered(size, |n| over(n + 1, n)),
        ),
        (
            "many circles of hand-overs",
            numbered(size / 2, |n| over(n, n + 1))
                + &mapping(
                    &format!("m{}", numbered(size / 2, |n| over(n, n + 1)).matches("mapping").count()),
                    &numbered(size / 2, |n| format!(" only if city != \"{n}\" otherwise then m0\n")),
                    "  Title <- \"a\"\n",
                ),
        ),
        (
            "many mappings that check",
            numbered(size, |n| mapping(&format!("m{n}"), " when created\n", "  Title <- \"a\"  on create\n")),
        ),
        (
            "many associations",
            mapping(
                "m",
                &numbered(size, |n| format!(" with each e{n} = hubspot.deal where dealname = jobtitle\n")),
                "  Title <- \"a\"\n",
            ),
        ),
    ]
}

fn two_way(size: usize) -> Vec<(&'static str, String)> {
    let sync = |name: &str, guards: &str, fields: &str| {
        format!(
            "sync {name} {{\n between hubspot.company and salesforce.Account\n{guards} match {{ key hubspot.company.salesforce_account_id = Id }}\n \
             on none in hubspot create\n on none in salesforce skip\n on taken park\n on rejected park\n on deleted skip\n on merged follow\n \
             fields {{\n name <- Name\n{fields} }}\n}}\n"
        )
    };
    let steps = " | trim".repeat(100);
    vec![
        ("many syncs", numbered(size, |n| sync(&format!("s{n}"), "", ""))),
        (
            "many steps both ways",
            sync(
                "s",
                "",
                &filled(size, &format!(" phone <-> Phone via truncate(40){steps}  on conflict salesforce\n")),
            ),
        ),
        (
            "many guards of a sync",
            sync("s", &numbered(size, |n| format!(" only if hubspot.city != \"{n}\"\n")), ""),
        ),
        (
            "many guards of a sync that name no side",
            sync("s", &numbered(size, |n| format!(" only if city{n} = \"a\"\n")), ""),
        ),
        ("many outcomes of a sync", sync("s", &filled(size, " on duplicate in hubspot park\n"), "")),
    ]
}

/// Tests that run.
fn tests(size: usize) -> Vec<(&'static str, String)> {
    let test = |n: usize, given: &str| {
        format!("test \"t{n}\" {{\n mapping m\n given hubspot.contact {{ {given} }}\n expect skip\n}}\n")
    };
    let lets = |first: &str, next: fn(usize) -> String| {
        format!(" let v0 = {first}\n{}", numbered(size / 2, |n| format!(" let v{} = {}\n", n + 1, next(n))))
    };
    let running = |more: String| {
        let last = more.matches(" let ").count().saturating_sub(1);
        mapping(
            "m",
            &more,
            &format!("  Title <- v{last} | truncate(9)\n  Description <- v{last} | truncate(9)\n"),
        )
    };
    vec![
        (
            "many tests that run",
            mapping("m", "", "  Title <- jobtitle | truncate(128)\n")
                + &numbered(size, |n| test(n, "jobtitle: \"a\"")),
        ),
        (
            "many tests of a long chain",
            running(lets("jobtitle", |n| format!("v{n} | trim")))
                + &numbered(size / 2, |n| test(n, "jobtitle: \"a\"")),
        ),
        (
            "many tests of a text that doubles",
            running(lets("jobtitle", |n| format!("\"{{v{n}}}{{v{n}}}\" | truncate(60000)")))
                + &numbered(size / 2, |n| test(n, "jobtitle: \"a\"")),
        ),
        (
            "one test of a text that doubles",
            running(lets("jobtitle", |n| format!("\"{{v{n}}}{{v{n}}}\""))) + &test(0, "jobtitle: \"a\""),
        ),
        (
            "one test of a text that is searched",
            running(lets("jobtitle", |n| {
                format!("\"{{v{n}}}{{v{n}}}\" | truncate(60000) | replace(\"a\", \"aaaaaaaaaaaaaaaa\")")
            })) + &test(0, "jobtitle: \"a\""),
        ),
        (
            "many guards of many tests",
            mapping(
                "m",
                &numbered(size / 2, |n| format!(" only if jobtitle != \"x{n}\"\n")),
                "  Title <- \"a\"\n",
            ) + &numbered(size / 2, |n| test(n, "jobtitle: \"a\"")),
        ),
        (
            "many records of one test",
            mapping("m", "", "  Title <- jobtitle | truncate(128)\n")
                + "test \"t\" {\n mapping m\n given hubspot.contact { id: \"1\" }\n"
                + &numbered(size, |n| format!(" given salesforce.Contact {{ Id: \"003A{n}\" }}\n"))
                + " expect skip\n}\n",
        ),
        (
            "many look-ups among many records",
            mapping(
                "m",
                "",
                &format!(
                    "  Title <- first_present({}jobtitle) | truncate(9) otherwise keep\n",
                    numbered(size / 2, |n| format!(
                        "lookup salesforce.Contact.Title where Email = \"{n}@b.c\", "
                    ))
                ),
            ) + "test \"t\" {\n mapping m\n given hubspot.contact { id: \"1\" }\n"
                + &numbered(size / 2, |n| format!(" given salesforce.Contact {{ Email: \"a{n}@b.c\" }}\n"))
                + " expect skip\n}\n",
        ),
        (
            "many expectations",
            mapping("m", "", "  Title <- jobtitle | truncate(128)\n")
                + "test \"t\" {\n mapping m\n given hubspot.contact { id: \"1\" }\n"
                + &filled(size, " expect then m\n")
                + "}\n",
        ),
        (
            "many links of one test",
            mapping("m", "", "  Title <- jobtitle | truncate(128)\n")
                + "test \"t\" {\n mapping m\n"
                + &numbered(size / 2, |n| {
                    format!(" given link hubspot.contact \"{n}\" = salesforce.Contact \"003A{n}\"\n")
                })
                + &numbered(size / 2, |n| format!(" given salesforce.Contact \"003B{n}\" deleted\n"))
                + " expect skip\n}\n",
        ),
    ]
}

/// Comments that allow, and lines that are long.
fn comments(size: usize) -> Vec<(&'static str, String)> {
    vec![
        (
            "many comments that allow",
            mapping("m", "", &filled(size, "  # allow W0004: because\n  Title <- jobtitle | truncate(9)\n")),
        ),
        (
            "many comments above one statement",
            mapping(
                "m",
                "",
                &(filled(size, "  # allow W0004: because\n") + "  Title <- jobtitle | truncate(9)\n"),
            ),
        ),
        (
            "many codes of one comment",
            mapping(
                "m",
                "",
                &format!(
                    "  # allow {}W0004: {}\n  Title <- jobtitle | truncate(9)\n",
                    filled(size / 2, "W0004, "),
                    "reason ".repeat(size / 2 / 7)
                ),
            ),
        ),
        (
            "many warnings that one comment allows",
            format!(
                "picklist p {{\n from hubspot.contact.lifecyclestage\n to salesforce.Lead.Status\n # allow W0004: {}\n{}}}\n",
                "reason ".repeat(size / 2 / 7),
                filled(size / 2, " \"\" -> nothing\n")
            ),
        ),
        (
            "one line of unknown names",
            mapping(
                "m",
                "",
                &format!("  Title <- first_present({}jobtitle)\n", numbered(size, |n| format!("a{n}, "))),
            ),
        ),
        (
            "one long line that checks",
            mapping(
                "m",
                "",
                &format!("  Title <- first_present({}jobtitle) | truncate(9)\n", filled(size, "jobtitle, ")),
            ),
        ),
        (
            "one long text",
            mapping("m", "", &format!("  Title <- \"{}\" | truncate(9)\n", filled(size, "{jobtitle} é "))),
        ),
        (
            "many columns",
            mapping(
                "m",
                "",
                &numbered(size, |n| {
                    format!("  Title{} <- jobtitle  otherwise keep  # {n}\n", "e".repeat(n % 50))
                }),
            ),
        ),
    ]
}

//! Every mistake that has words of its own: the place, the code, the message and the help.

use super::shown;

/// What a frame says about each text put into it.
fn check(frame: &str, cases: &[(&str, &[&str])]) {
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, expected)| (text, shown(&frame.replace("%s", text)), expected))
        .filter(|(_, found, expected)| found != *expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn statements_of_a_mapping() {
    check(
        "mapping m {\n  %s\n}\n",
        &[
            (
                "form hubspot.contact",
                &["2:3 E0101 `form` does not begin a statement of a `mapping` | did you mean `from`?"],
            ),
            (
                "fnord x",
                &[
                    "2:3 E0101 `fnord` does not begin a statement of a `mapping` | its statements begin with `from`, `to`, `with`, `let`, `when`, `only if`, `match`, `on`, `assignment rule`, `record type`, `associate`, `convert to` or `fields`",
                ],
            ),
            (
                "Email <- mail",
                &[
                    "2:3 E0101 `Email` does not begin a statement of a `mapping` | rules stand in a block: `fields { … }`",
                ],
            ),
            (
                "if a = 1",
                &[
                    "2:3 E0101 `if` does not begin a statement of a `mapping` | a condition for the whole mapping is written `only if …`",
                ],
            ),
            (
                "key A = b",
                &[
                    "2:3 E0101 `key` does not begin a statement of a `mapping` | rungs stand in a block: `match { … }`",
                ],
            ),
            (
                "when email is present",
                &[
                    "2:14 E0101 `when` names an event, and this is a condition | write `only if email is present`, and an event such as `email changes` after `when`",
                ],
            ),
            (
                r#"when stage = "x""#,
                &[
                    r#"2:14 E0101 `when` names an event, and this is a condition | write `when stage becomes "x"` for the event, or `only if stage = "x"`"#,
                ],
            ),
            (
                "when stage becomes customer",
                &[
                    r#"2:22 E0101 `customer` is not in quotes | a text stands in double quotes: write `"customer"`"#,
                ],
            ),
            ("when stage", &["2:13 E0101 expected `becomes` or `changes`, found the end of the line | "]),
            (
                "when",
                &[
                    "2:7 E0101 expected a field, an association such as `primary hubspot.company`, `any` or `created`, found the end of the line | ",
                ],
            ),
            ("only if a == b", &["2:13 E0101 `==` is not an operator | write `=`"]),
            ("only if a && b", &["2:13 E0101 `&&` is not an operator | write `and`"]),
            ("only if a || b", &["2:13 E0101 `||` is not an operator | write `or`"]),
            ("only if !a", &["2:11 E0101 `!` is not an operator | write `not`"]),
            ("only if a <> b", &["2:13 E0101 `<>` is not an operator | write `!=`"]),
            (
                "only if a = null",
                &[
                    "2:15 E0101 there is no `null` | write `nothing` for no value, and ask `is blank` or `is present` in a condition",
                ],
            ),
            ("only if a = 'x'", &[r#"2:15 E0101 a text stands in double quotes | write `"x"`"#]),
            (
                "only if a is presnt",
                &["2:16 E0101 expected `blank` or `present`, found `presnt` | did you mean `present`?"],
            ),
            (
                "only if a AND b",
                &[
                    "2:13 E0101 expected `and`, `in`, `is`, `not`, `or`, `otherwise`, `|`, a comparison such as `=`, an operator or the end of the line, found `AND` | did you mean `and`?",
                ],
            ),
            (
                "let where = 3",
                &[
                    "2:7 E0105 `where` is a reserved word, and a name was expected | if it is a name, put it in back-quotes",
                ],
            ),
            ("let x 3", &["2:9 E0101 expected `=`, found `3` | "]),
            ("let x = -", &["2:11 E0101 expected a value, found `-` | "]),
            ("let x = 12a", &["2:11 E0101 expected a value, found `12a` | "]),
            (
                "let x = 12345678901234567890123456789012",
                &[
                    "2:11 E0101 this number has more digits than can be kept | a number has at most 28 digits; write a text if it is an identifier",
                ],
            ),
            ("let x = a.", &["2:13 E0101 expected a name after the dot, found the end of the line | "]),
            (
                r#"let x = "a"#,
                &[
                    r#"2:11 E0102 this text is not closed before the line ends | close it with `"`; a line end in a text is written `\n`"#,
                ],
            ),
            (
                r#"let x = "a {b""#,
                &[
                    r#"2:11 E0102 this text is not closed before the line ends | close it with `}` and `"`; a brace that is only text is written `\{`"#,
                ],
            ),
            (
                r#"let x = "a }""#,
                &[r"2:14 E0101 this `}` closes nothing | a brace in a text is written `\}`"],
            ),
            (
                r#"let x = "a \q""#,
                &[r#"2:14 E0101 `\q` is not an escape | the escapes are `\"`, `\\`, `\n`, `\{` and `\}`"#],
            ),
            (
                "let x = `a",
                &[
                    "2:11 E0102 this back-quote has no partner | write the name between two back-quotes, on one line",
                ],
            ),
            (
                "let x = a // not",
                &[
                    "2:13 E0101 `//` does not begin a comment | a comment begins with `#` and ends with the line",
                ],
            ),
            (
                "let x = a;",
                &["2:12 E0101 `;` is not needed | a statement ends with its line; delete the `;`"],
            ),
            (
                "let x = “a”",
                &[
                    r#"2:11 E0101 `“` is not a quotation mark here | write `"a"` with the straight quotation mark, which no word processor changes"#,
                ],
            ),
            (
                "let x = a\u{a0}| trim",
                &["2:12 E0101 a non-breaking space stands here | write an ordinary space"],
            ),
            (
                "let x = é",
                &[
                    "2:11 E0101 `é` is not a name | a name holds the letters A to Z, digits and `_`; anything else goes in back-quotes",
                ],
            ),
            ("let x = a – b", &["2:13 E0101 `–` is a dash, not a minus | write `-`"]),
            (
                "let x = €",
                &[
                    "2:11 E0101 `€` means nothing here | it can stand in a text between double quotes or in a comment",
                ],
            ),
            (
                "on none craete",
                &["2:11 E0101 expected `create`, `skip` or `park`, found `craete` | did you mean `create`?"],
            ),
            (
                "on nome create",
                &["2:6 E0101 expected a situation such as `none`, found `nome` | did you mean `none`?"],
            ),
            (
                "on many",
                &[
                    "2:10 E0101 expected `park`, `newest` or `oldest`, found the end of the line | write `on many park`, or another action",
                ],
            ),
            (
                "on many newset",
                &[
                    "2:11 E0101 expected `park`, `newest` or `oldest`, found `newset` | did you mean `newest`?",
                ],
            ),
            (
                "on none in hubspt create",
                &["2:14 E0101 expected `hubspot` or `salesforce`, found `hubspt` | did you mean `hubspot`?"],
            ),
            (
                "assignment rule maybe",
                &["2:19 E0101 expected a text in double quotes, `off` or `on`, found `maybe` | "],
            ),
            ("record type", &["2:14 E0101 expected a value, found the end of the line | "]),
            (
                "with x = hubspot.company",
                &[
                    "2:12 E0101 expected an association such as `primary hubspot.company`, found `hubspot.company` | write `primary hubspot.company`, or the label of the association in double quotes before it",
                ],
            ),
            (
                "with x = primary company",
                &[
                    "2:20 E0101 expected `hubspot` or `salesforce`, found `company` | name its CRM, as in `hubspot.company`",
                ],
            ),
            ("with each x = salesforce.Role", &["2:32 E0101 expected `where`, found the end of the line | "]),
            (
                "associate linked salesforce.Account",
                &["2:38 E0101 expected `of`, found the end of the line | "],
            ),
            (
                "from contact",
                &[
                    "2:8 E0101 expected `hubspot` or `salesforce`, found `contact` | name its CRM, as in `hubspot.contact`",
                ],
            ),
            ("from hubspot", &["2:8 E0101 expected an object such as `hubspot.contact`, found `hubspot` | "]),
            (
                "to salesforce.Lead salesforce.Contact",
                &[
                    "2:22 E0101 expected the end of the line, found `salesforce.Contact` | each statement stands on a line of its own",
                ],
            ),
            ("from hubspot.contact {\n  }", &["2:24 E0101 expected the end of the line, found `{` | "]),
            (
                "only if a otherwise drop",
                &["2:23 E0101 expected `park`, `skip`, `then` or `wait`, found `drop` | "],
            ),
            ("on none then", &["2:15 E0101 expected the name of a mapping, found the end of the line | "]),
            ("fields", &["2:9 E0103 expected `{` | write `fields {` and close it with `}`"]),
            ("match", &["2:8 E0103 expected `{` | write `match {` and close it with `}`"]),
            ("convert", &["2:10 E0103 expected `{` | write `convert to \"STATUS\" {` and close it with `}`"]),
            (
                "convert to {\n  }",
                &[
                    "2:13 E0101 expected a text in double quotes, found the end of the line | write the status that the Lead takes: `convert to \"STATUS\" {`",
                ],
            ),
        ],
    );
}

#[test]
fn lines_of_a_convert() {
    check(
        "mapping m {\n  convert to \"X\" {\n    %s\n  }\n}\n",
        &[
            ("account", &["3:12 E0101 expected a value or `create`, found the end of the line | "]),
            (
                "account: create",
                &[
                    "3:12 E0101 expected a value or `create`, found `:` | the value stands behind the word: `account create`",
                ],
            ),
            (
                "account x otherwise keep",
                &["3:25 E0101 expected `create`, `park` or `wait`, found `keep` | "],
            ),
            (
                "owner x otherwise create",
                &["3:23 E0101 expected `keep`, `park` or `wait`, found `create` | "],
            ),
            (
                "contact create",
                &[
                    "3:5 E0101 `contact` does not begin a statement of a `convert` | its statements begin with `account`, `opportunity` or `owner`",
                ],
            ),
        ],
    );
}

#[test]
fn rules() {
    check(
        "mapping m {\n  fields {\n    %s\n  }\n}\n",
        &[
            (
                "Email = mail",
                &[
                    "3:11 E0101 a rule is written with `<-`: the field of the target stands on the left, not `=` | write `Email <- mail`",
                ],
            ),
            (
                "Name: mail",
                &[
                    "3:9 E0101 a rule is written with `<-`: the field of the target stands on the left, not `:` | write `Name <- mail`",
                ],
            ),
            ("City => city", &["3:10 E0101 `=>` is not an arrow | write `<-`"]),
            (
                "City -> city",
                &[
                    "3:10 E0101 a rule is written with `<-`: the field of the target stands on the left, not `->` | write `city <- City`",
                ],
            ),
            (
                "City <-> city",
                &[
                    "3:10 E0101 a rule is written with `<-`: the field of the target stands on the left, not `<->` | write `City <- city`",
                ],
            ),
            (
                "City <= city",
                &[
                    "3:10 E0101 a rule is written with `<-`: the field of the target stands on the left, not `<=` | write `City <- city`",
                ],
            ),
            (
                "City",
                &["3:9 E0101 expected `<-`, found the end of the line | a rule is written `City <- VALUE`"],
            ),
            (
                "in <- x",
                &[
                    "3:5 E0105 `in` is a reserved word, and a rule such as `Email <- email` was expected | if it is a name, put it in back-quotes",
                ],
            ),
            (
                "A <- where",
                &[
                    "3:10 E0105 `where` is a reserved word, and a value was expected | if it is a name, put it in back-quotes",
                ],
            ),
            (
                "A <-",
                &[
                    "3:9 E0101 expected a value, found the end of the line | a statement ends with its line; it goes on when the next line begins with `|`",
                ],
            ),
            (
                "A <- b on craete",
                &[
                    "3:15 E0101 expected `blank`, `create` or `update`, found `craete` | did you mean `create`?",
                ],
            ),
            (
                "A <- b on",
                &["3:14 E0101 expected `blank`, `create` or `update`, found the end of the line | "],
            ),
            (
                "A <- b otherwize keep",
                &[
                    "3:12 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `otherwize` | did you mean `otherwise`?",
                ],
            ),
            (
                "A <- b otherwise",
                &[
                    r#"3:21 E0101 expected a literal such as `"text"`, `12`, `true` or `nothing`, `keep`, `park` or `wait`, found the end of the line | "#,
                ],
            ),
            (
                r#"A <- b otherwise "x {y}""#,
                &[
                    r"3:25 E0101 a value cannot stand in this text | this text is always the same; a brace that is only text is written `\{`",
                ],
            ),
            ("A <- b once true stays false", &["3:28 E0101 expected `true`, found `false` | "]),
            ("A <- b advance only", &["3:24 E0101 expected `along`, found the end of the line | "]),
            (
                "A <- b hubspot fills only",
                &[
                    "3:12 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `hubspot` | each statement stands on a line of its own",
                ],
            ),
            (
                "A <- b |",
                &[
                    "3:13 E0101 expected a function or picklist, found the end of the line | a statement ends with its line; it goes on when the next line begins with `|`",
                ],
            ),
            ("A <- b | trim(", &["3:18 E0101 this `(` has no `)` | write `)` where it ends"]),
            (
                "A <- b c",
                &[
                    "3:12 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `c` | each statement stands on a line of its own",
                ],
            ),
            (
                "A <- (b + c))",
                &["3:17 E0101 this `)` closes nothing | delete it, or write the bracket that it closes"],
            ),
            ("A <- f(a,,b)", &["3:14 E0101 expected a value or `)`, found `,` | "]),
            ("A <- [a, b", &["3:10 E0101 this `[` has no `]` | write `]` where it ends"]),
            (
                "A <- a +",
                &[
                    "3:13 E0101 expected a value, found the end of the line | a statement ends with its line; it goes on when the next line begins with `|`",
                ],
            ),
            (
                "A <- if a = 1 then 2",
                &[
                    "3:25 E0101 expected `else`, `|` or an operator, found the end of the line | every `if` has an `else`; write `else nothing` for no value",
                ],
            ),
            ("A <- if a then", &["3:19 E0101 expected a value, found the end of the line | "]),
            (
                "A <- lookup salesforce.User where x = 1",
                &[
                    "3:17 E0101 expected a field of an object such as `salesforce.Lead.Status`, found `salesforce.User` | name a field of it, as in `salesforce.User.Id`",
                ],
            ),
            (
                "A <- lookup salesforce.User.Id",
                &[
                    "3:35 E0101 expected `where`, found the end of the line | write by what it is found: `lookup salesforce.User.Id where FIELD = VALUE`",
                ],
            ),
            ("A <- linked salesforce.Account", &["3:35 E0101 expected `of`, found the end of the line | "]),
            (
                "A <- 3.4.5",
                &[
                    "3:13 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `.` | ",
                ],
            ),
            (
                "A <- a = b",
                &[
                    "3:12 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `=` | a condition stands after `if`, after `only if` or in parentheses",
                ],
            ),
            ("use 3", &["3:9 E0101 expected the name of shared `fields` or `<-`, found `3` | "]),
            (
                "use",
                &["3:8 E0101 expected the name of shared `fields` or `<-`, found the end of the line | "],
            ),
            (
                "A <- b {\n}",
                &[
                    "3:12 E0101 expected `|`, a policy such as `on create`, an operator or the end of the line, found `{` | ",
                ],
            ),
        ],
    );
}

#[test]
fn rungs() {
    check(
        "mapping m {\n  match {\n    %s\n  }\n}\n",
        &[
            ("or Email = mail", &["3:5 E0101 the first rung begins without `or` | delete the `or`"]),
            ("key A", &["3:10 E0101 expected `=`, found the end of the line | "]),
            ("key A == b", &["3:11 E0101 `==` is not an operator | write `=`"]),
            (
                "key A = b\n    Foo = b",
                &["4:5 E0101 expected `or` | every rung but the first begins with `or`"],
            ),
            ("find A = b", &["3:10 E0101 expected `=`, found `A` | "]),
            ("salesforce.Contact", &["3:23 E0101 expected `where`, found the end of the line | "]),
            (
                "key A = b or B = c",
                &[
                    "3:15 E0101 expected `|`, an operator or the end of the line, found `or` | each rung stands on a line of its own",
                ],
            ),
        ],
    );
}

#[test]
fn statements_of_a_sync() {
    check(
        "sync s {\n  %s\n}\n",
        &[
            ("between hubspot.company, salesforce.Account", &["2:26 E0101 expected `and`, found `,` | "]),
            (
                "from hubspot.company",
                &[
                    "2:3 E0101 `from` stands in a `mapping`; a `sync` has two equal ends | write `between hubspot.OBJECT and salesforce.OBJECT`",
                ],
            ),
        ],
    );
}

#[test]
fn two_way_rules() {
    check(
        "sync s {\n  fields {\n    %s\n  }\n}\n",
        &[
            (
                "name = Name",
                &[
                    "3:10 E0101 a two-way rule is written with `<->`, `->` or `<-`, not `=` | write `name <-> Name`",
                ],
            ),
            (
                "name <-> Name on conflict",
                &[
                    "3:30 E0101 expected `hubspot`, `salesforce` or `latest`, found the end of the line | write `on conflict hubspot`, `on conflict salesforce` or `on conflict latest otherwise salesforce`",
                ],
            ),
            (
                "name <-> Name on conflict newest",
                &[
                    "3:31 E0101 expected `hubspot`, `salesforce` or `latest`, found `newest` | write `on conflict hubspot`, `on conflict salesforce` or `on conflict latest otherwise salesforce`",
                ],
            ),
            (
                "name <-> Name via",
                &["3:22 E0101 expected a function or picklist, found the end of the line | "],
            ),
            ("name <->", &["3:13 E0101 expected a field name, found the end of the line | "]),
            (
                "use x",
                &[
                    "3:9 E0101 a `sync` takes no shared fields: each of its rules has a direction | write the rules here, with `->`, `<-` or `<->`",
                ],
            ),
            ("name | trim <- Name", &["3:17 E0101 expected `(`, `->` or `|`, found `<-` | "]),
        ],
    );
}

#[test]
fn lines_of_a_picklist() {
    check(
        "picklist p {\n  %s\n}\n",
        &[
            (
                "from hubspot.contact",
                &[
                    "2:8 E0101 expected a field of an object such as `salesforce.Lead.Status`, found `hubspot.contact` | name a field of it, as in `hubspot.contact.Id`",
                ],
            ),
            (r#""A" => "B""#, &["2:7 E0101 `=>` is not an arrow | write `->`"]),
            (
                r#""A" = "B""#,
                &[r#"2:7 E0101 a translation is written with `->`, not `=` | write `"A" -> "B"`"#],
            ),
            (
                r#"A -> "B""#,
                &[r#"2:3 E0101 `A` is not in quotes | a text stands in double quotes: write `"A"`"#],
            ),
            (
                r#""A" -> B"#,
                &[r#"2:10 E0101 `B` is not in quotes | a text stands in double quotes: write `"B"`"#],
            ),
            (r#"otherwise "x""#, &[r#"2:13 E0101 expected `->`, found `"x"` | write `otherwise -> "x"`"#]),
            (r#""A" "B""#, &[r#"2:7 E0101 expected `->` or `<->`, found `"B"` | "#]),
            (
                r#""{a}" -> "B""#,
                &[
                    r"2:4 E0101 a value cannot stand in this text | this text is always the same; a brace that is only text is written `\{`",
                ],
            ),
            (
                "fro hubspot.a.b",
                &["2:3 E0101 `fro` does not begin a statement of a `picklist` | did you mean `from`?"],
            ),
        ],
    );
}

#[test]
fn lines_of_a_test() {
    check(
        "test \"t\" {\n  %s\n}\n",
        &[
            (
                "given contact { a: 1 }",
                &[
                    "2:9 E0101 expected `hubspot`, `salesforce`, `associated`, `link` or `primary`, found `contact` | name its CRM, as in `hubspot.contact`",
                ],
            ),
            (
                "given hubspot.contact changed",
                &[
                    "2:25 E0101 expected a text in double quotes, `at`, `blocks duplicates`, `warns of duplicates`, `rejects` or `{`, found `changed` | ",
                ],
            ),
            (
                "expect not",
                &["2:13 E0101 expected `associated` or `triggered`, found the end of the line | "],
            ),
            (
                "given salesforce.Lead rejects",
                &[
                    "2:32 E0101 expected a field name or a text in double quotes, found the end of the line | ",
                ],
            ),
            (
                "given salesforce.Lead blocks duplicates",
                &["2:42 E0101 expected `by`, found the end of the line | "],
            ),
            (
                "when email is present",
                &[
                    "2:14 E0101 `when` names an event, and this is a condition | write `only if email is present`, and an event such as `email changes` after `when`",
                ],
            ),
            (
                "given hubspot.contact { a = 1 }",
                &["2:29 E0101 a field and its value are written with `:`, not `=` | write `:`"],
            ),
            (
                "given hubspot.contact { a: b }",
                &[r#"2:30 E0101 `b` is not in quotes | a text stands in double quotes: write `"b"`"#],
            ),
            (
                "given hubspot.contact",
                &[
                    "2:24 E0101 expected a text in double quotes, `at`, `blocks duplicates`, `warns of duplicates`, `rejects` or `{`, found the end of the line | ",
                ],
            ),
            (
                "expect craete salesforce.Lead { }",
                &[
                    "2:10 E0101 expected `associated`, `converted`, `create`, `update`, `follow`, `not`, `nothing`, `park`, `skip`, `then`, `unlink` or `wait`, found `craete` | did you mean `create`?",
                ],
            ),
            (
                "expext skip",
                &["2:3 E0101 `expext` does not begin a statement of a `test` | did you mean `expect`?"],
            ),
            (
                "given hubspot.contact { a: 1 b: 2 }",
                &["2:32 E0101 expected `,` or `}`, found `b` | the fields of a record are parted by commas"],
            ),
            (
                "given hubspot.contact { a: 1",
                &[
                    "1:10 E0103 this `{` has no `}` | write `}` on a line of its own after the last statement of the block",
                ],
            ),
        ],
    );
}

#[test]
fn lines_of_an_order() {
    check(
        "order o of salesforce.Lead.Status {\n  %s\n}\n",
        &[
            (
                r#"New then "x""#,
                &[r#"2:3 E0101 `New` is not in quotes | a text stands in double quotes: write `"New"`"#],
            ),
            (r#""a" "b""#, &[r#"2:7 E0101 expected `then` or the end of the line, found `"b"` | "#]),
            (r#""a" then"#, &["2:11 E0101 expected a text in double quotes, found the end of the line | "]),
        ],
    );
}

#[test]
fn items_and_blocks() {
    check(
        "%s\n",
        &[
            ("mappping m {\n}", &["1:1 E0106 `mappping` does not begin an item | did you mean `mapping`?"]),
            (
                "hello\nworld",
                &[
                    "1:1 E0106 `hello` does not begin an item | a file holds `mapping`, `sync`, `fields`, `picklist`, `order` and `test`",
                ],
            ),
            ("mapping {\n}", &["1:8 E0101 expected a name, found `{` | "]),
            (
                "mapping m\n  from hubspot.contact\n}",
                &["1:10 E0103 expected `{` | write `mapping m {` and close it with `}`"],
            ),
            ("mapping m", &["1:10 E0103 expected `{` | write `mapping m {` and close it with `}`"]),
            (
                "mapping and {\n}",
                &[
                    "1:9 E0105 `and` is a reserved word, and a name was expected | if it is a name, put it in back-quotes",
                ],
            ),
            (
                "mapping a-b {\n}",
                &[
                    "1:10 E0101 expected `{`, found `-` | a name holds letters, digits and `_`; anything else goes in back-quotes",
                ],
            ),
            ("fields f {\n}", &["1:9 E0101 expected `from`, found `{` | "]),
            ("order o {\n}", &["1:8 E0101 expected `of`, found `{` | "]),
            ("test t {\n}", &["1:6 E0101 expected a text in double quotes, found `t` | "]),
            ("picklist p x {\n}", &["1:12 E0101 expected `{`, found `x` | "]),
            (
                "}",
                &[
                    "1:1 E0103 this `}` closes nothing | delete it, or look for a block above that it closes too early",
                ],
            ),
            (
                "mapping m {",
                &[
                    "1:11 E0103 this `{` has no `}` | write `}` on a line of its own after the last statement of the block",
                ],
            ),
            (
                "mapping m {\n  fields {\n    A <- b\n}\n",
                &[
                    "2:10 E0103 this `{` has no `}` | write `}` on a line of its own after the last statement of the block",
                ],
            ),
            (
                "mapping m {\n  match {\n    key A = b\n  on none create\n}",
                &[
                    "2:9 E0103 this `{` has no `}` | write `}` on a line of its own after the last statement of the block",
                ],
            ),
            (
                "mapping m {\n  on none create\n\nmapping n {\n}",
                &[
                    "1:11 E0103 this `{` has no `}` | write `}` on a line of its own after the last statement of the block",
                ],
            ),
            (
                r#""text""#,
                &[
                    r#"1:1 E0106 `"text"` does not begin an item | a file holds `mapping`, `sync`, `fields`, `picklist`, `order` and `test`"#,
                ],
            ),
            ("fields {\n}", &["1:7 E0101 expected a name, found `{` | "]),
        ],
    );
}

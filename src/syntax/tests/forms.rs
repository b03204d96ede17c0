//! Every form of the language lowers into the tree that it means; and recovery.

use crate::source::Side;
use crate::syntax::ast::{
    AccountOtherwise, Action, ArithmeticOp, AssignmentRule, AssociateKind, Body, CompareOp, ConditionKind,
    ConvertKind, EntryValue, ExpectKind, FieldsEntry, GuardOtherwise, Item, Literal, Mapping, Otherwise,
    PicklistElse, PolicyKind, Presence, Rule, RungKind, Situation, Sync, SyncRuleKind, TemplatePart, TestOp,
    TriggerKind, Value, ValueKind, WithSource, WriteOption,
};

use super::{names, shown, tree};

fn mapping(statements: &str) -> Mapping {
    match tree(&format!("mapping m {{\n{statements}\n}}\n")).items.pop() {
        Some(Item::Mapping(mapping)) => mapping,
        other => panic!("{other:?}"),
    }
}

fn body(statement: &str) -> Body {
    mapping(statement).body
}

fn sync(statements: &str) -> Sync {
    match tree(&format!("sync s {{\n{statements}\n}}\n")).items.pop() {
        Some(Item::Sync(sync)) => sync,
        other => panic!("{other:?}"),
    }
}

fn value(text: &str) -> Value {
    body(&format!("let x = {text}")).lets.remove(0).value
}

fn condition(text: &str) -> ConditionKind {
    body(&format!("only if {text}")).guards.remove(0).condition.kind
}

fn rule(text: &str) -> Rule {
    match mapping(&format!("fields {{\n{text}\n}}")).fields.remove(0) {
        FieldsEntry::Rule(rule) => rule,
        other @ FieldsEntry::Use(..) => panic!("{other:?}"),
    }
}

fn policies(text: &str) -> Vec<PolicyKind> {
    rule(&format!("A <- b {text}")).policies.into_iter().map(|policy| policy.kind).collect()
}

/// A value with parentheses around every operation, to see what binds to what.
fn grouped(value: &Value) -> String {
    let all = |values: &[Value]| values.iter().map(grouped).collect::<Vec<_>>().join(", ");
    match &value.kind {
        ValueKind::Literal(Literal::Text(text)) => format!("{text:?}"),
        ValueKind::Literal(Literal::Number(number)) => number.to_string(),
        ValueKind::Literal(Literal::Boolean(boolean)) => boolean.to_string(),
        ValueKind::Literal(Literal::Nothing) => "nothing".to_owned(),
        ValueKind::Path(path) => path.text(),
        ValueKind::Call(call) => format!("{}({})", call.name.value, all(&call.args)),
        ValueKind::Pipe(piped, step) => {
            let args = step.args.as_ref().map_or(String::new(), |args| format!("({})", all(args)));
            format!("({} | {}{args})", grouped(piped), step.name.value)
        }
        ValueKind::Arithmetic(left, operator, right) => {
            let symbol = match operator.value {
                ArithmeticOp::Add => "+",
                ArithmeticOp::Sub => "-",
                ArithmeticOp::Mul => "*",
                ArithmeticOp::Div => "/",
            };
            format!("({} {symbol} {})", grouped(left), grouped(right))
        }
        ValueKind::If(condition, then, otherwise) => {
            let condition = grouped_condition(&condition.kind);
            format!("if {condition} then {} else {}", grouped(then), grouped(otherwise))
        }
        ValueKind::List(values) => format!("[{}]", all(values)),
        ValueKind::Lookup(field, tests) => {
            format!("lookup {}.{} with {}", field.object.name.value, field.field.value, tests.len())
        }
        ValueKind::Linked(object, of) => format!("linked {} of {}", object.name.value, of.text()),
        ValueKind::Condition(condition) => format!("({})", grouped_condition(&condition.kind)),
        ValueKind::Template(parts) => {
            let part = |part: &TemplatePart| match part {
                TemplatePart::Text(text) => text.clone(),
                TemplatePart::Hole(value) => format!("{{{}}}", grouped(value)),
            };
            format!("\"{}\"", parts.iter().map(part).collect::<String>())
        }
        ValueKind::Error => "error".to_owned(),
    }
}

fn grouped_condition(condition: &ConditionKind) -> String {
    let all = |parts: &[crate::syntax::ast::Condition], word: &str| {
        let parts: Vec<_> = parts.iter().map(|part| grouped_condition(&part.kind)).collect();
        format!("({})", parts.join(word))
    };
    match condition {
        ConditionKind::Or(parts) => all(parts, " or "),
        ConditionKind::And(parts) => all(parts, " and "),
        ConditionKind::Not(part) => format!("(not {})", grouped_condition(&part.kind)),
        ConditionKind::Compare(left, operator, right) => {
            let symbol = match operator.value {
                CompareOp::Eq => "=",
                CompareOp::Ne => "!=",
                CompareOp::Lt => "<",
                CompareOp::Le => "<=",
                CompareOp::Gt => ">",
                CompareOp::Ge => ">=",
            };
            format!("({} {symbol} {})", grouped(left), grouped(right))
        }
        ConditionKind::In { value, list, negated } => {
            let word = if *negated { "not in" } else { "in" };
            format!("({} {word} {})", grouped(value), grouped(list))
        }
        ConditionKind::Presence(value, Presence::Present) => format!("({} is present)", grouped(value)),
        ConditionKind::Presence(value, Presence::Blank) => format!("({} is blank)", grouped(value)),
        ConditionKind::Value(value) => grouped(value),
    }
}

#[test]
fn values_bind_as_written() {
    for (text, expected) in [
        ("a + b * c - d", "((a + (b * c)) - d)"),
        ("(a + b) * c", "((a + b) * c)"),
        ("a + b | round(2) | text", "(((a + b) | round(2)) | text)"),
        ("a + (b | f)", "(a + (b | f))"),
        ("a - -1", "(a - -1)"),
        ("a -1", "(a - 1)"),
        ("a / 2 / 3", "((a / 2) / 3)"),
        ("if a then b else c | f", "if a then b else (c | f)"),
        ("(if a then b else c) | f", "(if a then b else c | f)"),
        ("if a then if b then 1 else 2 else 3", "if a then if b then 1 else 2 else 3"),
        ("if a = 1 and b then \"x\" else nothing", "if ((a = 1) and b) then \"x\" else nothing"),
        ("(a = 1)", "((a = 1))"),
        ("((a))", "a"),
        ("f()", "f()"),
        ("f(a, g(b), [1, 2.50,],)", "f(a, g(b), [1, 2.50])"),
        ("a.b.`c d`.in", "a.b.c d.in"),
        ("a | `in`", "(a | in)"),
        ("linked salesforce.Account of a.b | f", "(linked Account of a.b | f)"),
        ("lookup salesforce.User.Id where Email = x and A in [1] and B is blank", "lookup User.Id with 3"),
        (
            "a * (lookup salesforce.C.Rate where Iso = b) | round(2)",
            "((a * lookup C.Rate with 1) | round(2))",
        ),
        ("\"{a} and {b | default(\"{c}?\")}!\"", "\"{a} and {(b | default(\"{c}?\"))}!\""),
        ("\"a\\n\\\"\\\\\\{x\\}\"", "\"a\\n\\\"\\\\{x}\""),
        ("\"\"", "\"\""),
        ("type", "type"),
        ("notable", "notable"),
        ("true", "true"),
    ] {
        assert_eq!(grouped(&value(text)), expected, "{text}");
    }
}

#[test]
fn conditions_bind_as_written() {
    for (text, expected) in [
        ("a or b and not c", "(a or (b and (not c)))"),
        ("(a or b) and c", "((a or b) and c)"),
        ("not not a = 1", "(not (not (a = 1)))"),
        ("a not in [1, 2] and b in c | f", "((a not in [1, 2]) and (b in (c | f)))"),
        ("a + 1 >= b | g", "((a + 1) >= (b | g))"),
        ("a | f is present", "((a | f) is present)"),
        ("a is blank", "(a is blank)"),
        ("a != b and a < 1 and a > 2 and a <= 3", "((a != b) and (a < 1) and (a > 2) and (a <= 3))"),
        ("(if a then 1 else 2) = 1", "(if a then 1 else 2 = 1)"),
        ("a\n    and b\n    or c", "((a and b) or c)"),
    ] {
        assert_eq!(grouped_condition(&condition(text)), expected, "{text}");
    }
}

#[test]
fn parentheses_belong_to_the_span_of_their_value() {
    let text = "mapping m {\n  let x = (a) * 2\n}";
    let Some(Item::Mapping(mapping)) = tree(text).items.pop() else { panic!() };
    let ValueKind::Arithmetic(left, operator, _) = &mapping.body.lets[0].value.kind else { panic!() };
    assert_eq!(&text[left.span.range()], "(a)");
    assert_eq!(&text[operator.span.range()], "*");
    assert_eq!(&text[mapping.body.lets[0].span.range()], "let x = (a) * 2");
    assert_eq!(&text[mapping.span.range()], text);
}

#[test]
fn triggers() {
    let kind = |text: &str| body(text).whens.remove(0).kind;
    assert_eq!(kind("when created"), TriggerKind::Created);
    assert!(
        matches!(kind("when created changes"), TriggerKind::Changes(paths) if paths[0].text() == "created")
    );
    assert!(
        matches!(kind("when any of (a,\n b.c) changes"), TriggerKind::Changes(paths) if paths.len() == 2)
    );
    assert!(matches!(kind("when any changes"), TriggerKind::Changes(paths) if paths[0].text() == "any"));
    assert!(matches!(kind("when s becomes \"x\""), TriggerKind::Becomes(path, values)
        if path.text() == "s" && values[0].value == Literal::Text("x".to_owned())));
    assert!(matches!(kind("when s becomes [1, true]"), TriggerKind::Becomes(_, values) if values.len() == 2));
    assert!(matches!(kind("when primary hubspot.company changes"), TriggerKind::PrimaryChanges(_)));
    assert!(matches!(kind("when \"Parent\" hubspot.company changes"), TriggerKind::LabelledChanges(..)));
}

#[test]
fn withs_guards_and_options() {
    let source = |text: &str| body(text).withs.remove(0).source;
    assert!(matches!(source("with a = primary hubspot.company"), WithSource::Primary(object)
        if object.side == Side::Hubspot && object.name.value == "company"));
    assert!(
        matches!(source("with a = \"Label\" hubspot.company"), WithSource::Labelled(label, _) if label.value == "Label")
    );
    assert!(
        matches!(source("with each a = salesforce.Role where B = c"), WithSource::Each(_, tests) if tests.len() == 1)
    );

    let otherwise = |text: &str| body(text).guards.remove(0).otherwise.map(|otherwise| otherwise.value);
    assert_eq!(otherwise("only if a"), None);
    assert_eq!(otherwise("only if a otherwise skip"), Some(GuardOtherwise::Skip));
    assert_eq!(otherwise("only if a\n    otherwise wait"), Some(GuardOtherwise::Wait));
    assert_eq!(otherwise("only if a otherwise park"), Some(GuardOtherwise::Park(None)));
    assert_eq!(otherwise("only if a otherwise park \"w\""), Some(GuardOtherwise::Park(Some("w".to_owned()))));
    assert!(
        matches!(otherwise("only if a otherwise then other"), Some(GuardOtherwise::Then(name)) if name.value == "other")
    );

    let option = |text: &str| body(text).options.remove(0);
    assert!(matches!(option("assignment rule on"), WriteOption::AssignmentRule(AssignmentRule::On, _)));
    assert!(matches!(option("assignment rule off"), WriteOption::AssignmentRule(AssignmentRule::Off, _)));
    assert!(
        matches!(option("assignment rule \"01Q\""), WriteOption::AssignmentRule(AssignmentRule::Id(id), _) if id == "01Q")
    );
    assert!(matches!(option("record type if a then \"B\" else \"C\""), WriteOption::RecordType(..)));

    let convert = body(
        "convert to \"Done\" {\n account create\n account none otherwise park \"whose?\"\n opportunity none\n \
         opportunity `none`\n owner x\n   otherwise wait\n }",
    );
    let convert = &convert.converts[0];
    assert_eq!(convert.status.as_ref().map(|status| status.value.as_str()), Some("Done"));
    let kinds: Vec<&ConvertKind> = convert.lines.iter().map(|line| &line.kind).collect();
    assert_eq!(*kinds[0], ConvertKind::Account(None, None));
    let ConvertKind::Account(Some(_), Some(otherwise)) = kinds[1] else { panic!("{:?}", kinds[1]) };
    assert_eq!(otherwise.value, AccountOtherwise::Park(Some("whose?".to_owned())));
    assert_eq!(*kinds[2], ConvertKind::Opportunity(None));
    assert!(matches!(kinds[3], ConvertKind::Opportunity(Some(_))), "a property of this name");
    let ConvertKind::Owner(_, Some(otherwise)) = kinds[4] else { panic!("{:?}", kinds[4]) };
    assert_eq!(otherwise.value, Otherwise::Wait);

    let associate = |text: &str| body(text).associates.remove(0);
    let plain = associate("associate linked salesforce.Account of employer");
    assert!(!plain.exactly && plain.kind == AssociateKind::Plain && plain.of.text() == "employer");
    let full = associate("associate exactly \"Parent\" linked hubspot.company of ParentId otherwise wait");
    assert!(full.exactly && matches!(full.kind, AssociateKind::Labelled(label) if label.value == "Parent"));
    assert_eq!(full.otherwise.map(|otherwise| otherwise.value), Some(GuardOtherwise::Wait));
    assert_eq!(associate("associate primary linked hubspot.company of a").kind, AssociateKind::Primary);
}

#[test]
fn outcomes() {
    let outcome = |text: &str| {
        let outcome = body(text).outcomes.remove(0);
        (outcome.situation.value, outcome.action.value)
    };
    assert_eq!(outcome("on none create"), (Situation::None, Action::Create));
    assert_eq!(outcome("on none in hubspot skip"), (Situation::None, Action::Skip));
    assert_eq!(outcome("on deleted in salesforce unlink"), (Situation::Deleted, Action::Unlink));
    assert_eq!(outcome("on merged follow"), (Situation::Merged, Action::Follow));
    assert_eq!(outcome("on many newest"), (Situation::Many, Action::Newest));
    assert_eq!(outcome("on many oldest"), (Situation::Many, Action::Oldest));
    assert_eq!(outcome("on many park \"x\""), (Situation::Many, Action::Park(Some("x".to_owned()))));
    assert_eq!(outcome("on taken adopt"), (Situation::Taken, Action::Adopt));
    assert!(
        matches!(outcome("on converted then other"), (Situation::Converted, Action::Then(name)) if name.value == "other")
    );
    assert_eq!(outcome("on duplicate allow"), (Situation::Duplicate, Action::Allow));
    assert_eq!(outcome("on rejected drop field"), (Situation::Rejected, Action::DropField));
    assert_eq!(outcome("on source deleted unlink"), (Situation::SourceDeleted, Action::Unlink));
    assert_eq!(outcome("on source merged follow"), (Situation::SourceMerged, Action::Follow));
    assert_eq!(outcome("on target deleted park"), (Situation::TargetDeleted, Action::Park(None)));
    assert_eq!(outcome("on target merged skip"), (Situation::TargetMerged, Action::Skip));
}

#[test]
fn the_ladder() {
    let rungs = body(
        "match {\n  key K__c = id | trim\n  # by e-mail\n  or Email = mail where A = false and B in [1]\n  or salesforce.Contact where Email = mail\n    then other\n  or key = k\n}",
    )
    .matches
    .remove(0)
    .rungs;
    let kinds: Vec<_> = rungs.into_iter().map(|rung| rung.kind).collect();
    assert!(matches!(&kinds[0], RungKind::Key { object: None, field, .. } if field.value == "K__c"));
    assert!(matches!(&kinds[1], RungKind::Field { tests, .. }
        if matches!(tests[0].test, TestOp::Compare(..)) && matches!(tests[1].test, TestOp::In(_))));
    assert!(matches!(&kinds[2], RungKind::Object { then: Some(then), .. } if then.value == "other"));
    assert!(matches!(&kinds[3], RungKind::Field { field, .. } if field.value == "key"));
    let rungs = sync("match {\n key hubspot.company.sf_id = Id\n}").body.matches.remove(0).rungs;
    assert!(
        matches!(&rungs[0].kind, RungKind::Key { object: Some(object), .. } if object.name.value == "company")
    );
}

#[test]
fn policies_of_a_rule() {
    assert_eq!(policies(""), []);
    assert_eq!(policies("on create"), [PolicyKind::OnCreate]);
    assert_eq!(
        policies("on update otherwise keep"),
        [PolicyKind::OnUpdate, PolicyKind::Otherwise(Otherwise::Keep)]
    );
    assert_eq!(policies("if target is blank"), [PolicyKind::IfTargetIsBlank]);
    assert!(
        matches!(policies("advance only along f").as_slice(), [PolicyKind::AdvanceOnly(name)] if name.value == "f")
    );
    assert_eq!(policies("once true stays true"), [PolicyKind::Sticky(true)]);
    assert_eq!(policies("once false stays false"), [PolicyKind::Sticky(false)]);
    assert_eq!(policies("on blank clear"), [PolicyKind::OnBlankClear]);
    assert_eq!(policies("otherwise wait"), [PolicyKind::Otherwise(Otherwise::Wait)]);
    assert_eq!(policies("otherwise park"), [PolicyKind::Otherwise(Otherwise::Park(None))]);
    assert_eq!(policies("otherwise nothing"), [PolicyKind::Otherwise(Otherwise::Literal(Literal::Nothing))]);
    assert_eq!(
        policies("otherwise \"x\""),
        [PolicyKind::Otherwise(Otherwise::Literal(Literal::Text("x".to_owned())))]
    );
    let spread = "\n | trim # step\n # between\n\n | f(\n 1)\n if target is blank\n otherwise keep";
    assert_eq!(policies(spread), [PolicyKind::IfTargetIsBlank, PolicyKind::Otherwise(Otherwise::Keep)]);
}

#[test]
fn words_are_only_reserved_where_they_must_be() {
    let mapping = mapping(
        "fields {\n use <- on\n on <- use on create\n otherwise <- key\n from <- hubspot\n `or` <- `and`\n use person\n}",
    );
    let targets: Vec<_> = mapping
        .fields
        .iter()
        .map(|entry| match entry {
            FieldsEntry::Rule(rule) => rule.target.value.as_str(),
            FieldsEntry::Use(name, _) => name.value.as_str(),
        })
        .collect();
    assert_eq!(targets, ["use", "on", "otherwise", "from", "or", "person"]);
    assert!(matches!(mapping.fields[5], FieldsEntry::Use(..)));
}

#[test]
fn two_way_rules() {
    let rules = sync(
        "between hubspot.company and salesforce.Account\nfields {\n a <-> B on conflict latest otherwise salesforce\n c <-> D via p | q(1)\n   hubspot fills only\n e | round(0) -> F on create\n g <- H | trim otherwise keep\n i <-> J on conflict hubspot once true stays true\n}",
    );
    assert_eq!(rules.between.len(), 1);
    let kinds: Vec<_> = rules.fields.iter().map(|rule| &rule.kind).collect();
    assert!(
        matches!(kinds[0], SyncRuleKind::Both(left, right, via) if left.value == "a" && right.value == "B" && via.is_empty())
    );
    assert!(matches!(kinds[1], SyncRuleKind::Both(_, _, via) if via.len() == 2));
    assert!(
        matches!(kinds[2], SyncRuleKind::ToSalesforce(value, field) if grouped(value) == "(e | round(0))" && field.value == "F")
    );
    assert!(
        matches!(kinds[3], SyncRuleKind::ToHubspot(field, value) if field.value == "g" && grouped(value) == "(H | trim)")
    );
    assert_eq!(rules.fields[0].policies[0].kind, PolicyKind::ConflictLatest(Side::Salesforce));
    assert_eq!(rules.fields[1].policies[0].kind, PolicyKind::FillsOnly(Side::Hubspot));
    assert_eq!(rules.fields[4].policies[0].kind, PolicyKind::ConflictSide(Side::Hubspot));
    assert_eq!(rules.fields[4].policies[1].kind, PolicyKind::Sticky(true));
}

#[test]
fn picklists_orders_and_tests() {
    let mut file = tree(
        "picklist p {\n from hubspot.deal.dealstage\n to salesforce.Opportunity.StageName\n \"1\" <-> \"One\"\n \"2\" -> nothing\n otherwise -> park \"who\"\n}\norder o of salesforce.Lead.Status {\n \"New\" then \"Open\"\n  then \"Done\"\n}\ntest \"t\" {\n mapping m\n given hubspot.contact { id: \"1\", # the id\n  `x`: -2.5, gone: nothing }\n expect create salesforce.Lead { A: absent, B: kept, }\n expect update salesforce.Lead {\n }\n expect skip\n expect park \"w\"\n expect then n\n}\n",
    );
    let Some(Item::Test(test)) = file.items.pop() else { panic!() };
    assert_eq!((test.name.value.as_str(), test.subjects[0].value.as_str()), ("t", "m"));
    assert_eq!(test.given[0].entries.len(), 3);
    let kinds: Vec<_> = test.expect.iter().map(|expect| &expect.kind).collect();
    assert!(matches!(kinds[0], ExpectKind::Create(_, entries)
        if entries[0].value.value == EntryValue::Absent && entries[1].value.value == EntryValue::Kept));
    assert!(matches!(kinds[1], ExpectKind::Update(_, entries) if entries.is_empty()));
    assert_eq!(kinds[2], &ExpectKind::Skip);
    assert_eq!(kinds[3], &ExpectKind::Park(Some("w".to_owned())));
    assert!(matches!(kinds[4], ExpectKind::Then(name) if name.value == "n"));
    let Some(Item::Order(order)) = file.items.pop() else { panic!() };
    assert_eq!(
        order.stages.iter().map(|stage| stage.value.as_str()).collect::<Vec<_>>(),
        ["New", "Open", "Done"]
    );
    let Some(Item::Picklist(picklist)) = file.items.pop() else { panic!() };
    assert!(picklist.lines[0].both && picklist.lines[1].to.value.is_none());
    assert_eq!(picklist.otherwise[0].to.value, PicklistElse::Park(Some("who".to_owned())));
    assert_eq!((picklist.from.len(), picklist.to.len()), (1, 1));
}

#[test]
fn comments_directly_above_are_documentation() {
    let file = tree(
        "# apart\n\n# First.\n#  Second.\nmapping m { # not this\n  # above a rule\n  # two lines\n  fields {\n    # the mail\n    Email <- mail # beside\n    A <- b\n    # far\n\n    B <- c\n  }\n}\n",
    );
    let Item::Mapping(mapping) = &file.items[0] else { panic!() };
    assert_eq!(mapping.doc.as_deref(), Some("First.\n Second."));
    let docs: Vec<_> = mapping
        .fields
        .iter()
        .map(|entry| match entry {
            FieldsEntry::Rule(rule) => rule.doc.as_deref(),
            FieldsEntry::Use(..) => None,
        })
        .collect();
    assert_eq!(docs, [Some("the mail"), None, None]);
    let inside = tree("fields f from hubspot.contact {\n  A <- b\n  # inside\n  | f\n  B <- c\n}");
    assert!(matches!(&inside.items[0], Item::Fields(fields) if fields.rules[1].doc.is_none()));
    assert_eq!(file.comments.len(), 9);
    assert_eq!(file.comments[3].value, " not this");
}

#[test]
fn blocks_may_open_and_close_on_one_line() {
    let mapping = mapping("match { key A = b }\nfields { use p }\nfields\n{\n A <- b\n}");
    assert_eq!((mapping.body.matches.len(), mapping.fields.len()), (1, 2));
}

#[test]
fn a_broken_item_hides_nothing_in_the_others() {
    let text = "mapping a {\n  from hubspot.contact\n}\nmapping {\n  form x\n}\npicklist b {\n}\norder c of salesforce.Lead.Status {\n  \"x\" \"y\"\nfields d from hubspot.contact {\n  A <- (b\n  B <- c\n}\ntest \"e\" {\n}\n";
    let (file, _) = crate::syntax::parse(crate::source::FileId(0), text);
    assert_eq!(names(&file), ["a", "b", "c", "d", "e"]);
    assert_eq!(
        shown(text).iter().map(|line| line.split(" | ").next().unwrap_or("")).collect::<Vec<_>>(),
        [
            "4:8 E0101 expected a name, found `{`",
            "5:3 E0101 `form` does not begin a statement of a `mapping`",
            "9:35 E0103 this `{` has no `}`",
            "10:7 E0101 expected `then` or the end of the line, found `\"y\"`",
            "12:8 E0101 this `(` has no `)`",
        ]
    );
}

#[test]
fn a_broken_rule_keeps_its_target() {
    let text = "mapping m {\n  fields {\n    A = b\n    `B c` <- (\n    C <- c\n  }\n  on none craete\n  on many park\n}\n";
    let (mut file, findings) = crate::syntax::parse(crate::source::FileId(0), text);
    assert_eq!(findings.len(), 3);
    let Some(Item::Mapping(mapping)) = file.items.pop() else { panic!() };
    let rules: Vec<_> = mapping
        .fields
        .iter()
        .filter_map(|entry| match entry {
            FieldsEntry::Rule(rule) => {
                Some((rule.target.value.as_str(), rule.value.kind == ValueKind::Error))
            }
            FieldsEntry::Use(..) => None,
        })
        .collect();
    assert_eq!(rules, [("A", true), ("B c", true), ("C", false)]);
    assert_eq!(mapping.body.outcomes.len(), 1);
}

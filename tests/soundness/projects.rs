//! Generated projects: a mapping in either direction, or a sync, with rules that have a chance.

use mapwright::schema::{Field, FieldType, Schemas};

use super::Dice;
use super::world::{HUBSPOT, SALESFORCE};

/// What a project is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    There,
    Back,
    Sync,
}

/// A rule, and the items that it uses.
#[derive(Clone)]
pub(super) struct Rule {
    pub(super) target: String,
    pub(super) text: String,
    pub(super) items: String,
}

/// A project while it is put together.
#[derive(Clone)]
pub(super) struct Draft {
    pub(super) shape: Shape,
    /// Statements before the rules.
    pub(super) head: String,
    /// Rules for required fields, where no other rule writes them.
    pub(super) needed: Vec<Rule>,
    pub(super) rules: Vec<Rule>,
    /// How many of the rules stand in shared `fields`.
    pub(super) shared: usize,
}

impl Draft {
    /// The project's text.
    pub(super) fn text(&self) -> String {
        let needed = self.needed.iter().filter(|rule| self.rules.iter().all(|own| own.target != rule.target));
        let all: Vec<&Rule> = needed.chain(&self.rules).collect();
        let items: String = all.iter().map(|rule| rule.items.as_str()).collect();
        let lines: Vec<&str> = all.iter().map(|rule| rule.text.as_str()).collect();
        let split = lines.len().saturating_sub(self.shared);
        let (own, shared) = lines.split_at(split);
        let from = if self.shape == Shape::Back {
            format!("salesforce.{SALESFORCE}")
        } else {
            format!("hubspot.{HUBSPOT}")
        };
        let used = if shared.is_empty() { "" } else { "\n    use shared" };
        let mut text = format!("{}\n  fields {{{used}\n    {}\n  }}\n}}\n", self.head, own.join("\n    "));
        if !shared.is_empty() {
            text = format!("{text}\nfields shared from {from} {{\n  {}\n}}\n", shared.join("\n  "));
        }
        text + &items
    }
}

/// A project without rules but those that required fields need.
pub(super) fn draft(dice: &mut Dice, shape: Shape, schemas: &Schemas) -> Draft {
    let with_record_types = !schemas.salesforce.objects[SALESFORCE].record_types.is_empty();
    let record_type = match dice.roll(3) {
        _ if !with_record_types || shape == Shape::Back => "",
        0 => "\n  record type \"Customer\"",
        1 if shape == Shape::There => "\n  record type if name is present then \"Customer\" else \"Partner\"",
        _ => "",
    };
    let associate = match dice.roll(3) {
        0 => format!("\n  associate linked hubspot.{HUBSPOT} of ParentId otherwise skip"),
        _ => String::new(),
    };
    let head = match shape {
        Shape::There => format!(
            "mapping it {{\n  from hubspot.{HUBSPOT}\n  to salesforce.{SALESFORCE}\n  when created\n  \
             match {{ key HubSpot_Company_ID__c = id }}\n  on none create\n  on duplicate allow\n  on rejected park{record_type}"
        ),
        Shape::Back => format!(
            "mapping it {{\n  from salesforce.{SALESFORCE}\n  to hubspot.{HUBSPOT}\n  when created\n  \
             match {{ key salesforce_account_id = Id }}\n  on none create\n  on rejected park"
        ),
        Shape::Sync => format!(
            "sync it {{\n  between hubspot.{HUBSPOT} and salesforce.{SALESFORCE}\n  \
             match {{ key hubspot.{HUBSPOT}.salesforce_account_id = Id }}\n  on none in hubspot create\n  \
             on none in salesforce create\n  on duplicate allow\n  on rejected park{record_type}"
        ),
    };
    let head = if shape == Shape::Back { head + &associate } else { head };
    let needed = if shape == Shape::Back { Vec::new() } else { needed(dice, shape, schemas) };
    Draft { shape, head, needed, rules: Vec::new(), shared: 0 }
}

/// Constants for the required fields; now and then one is forgotten, which the checker must say.
fn needed(dice: &mut Dice, shape: Shape, schemas: &Schemas) -> Vec<Rule> {
    let fields = schemas.salesforce.objects[SALESFORCE].fields.values();
    let required = fields.filter(|field| field.required_on_create());
    let rule = |field: &Field| {
        let value = match &field.kind {
            FieldType::Text { .. } | FieldType::Phone { .. } | FieldType::Url { .. } => "\"A\"".to_owned(),
            FieldType::Integer { .. } | FieldType::Decimal { .. } => "0".to_owned(),
            FieldType::Date => "\"2024-02-29\" | date".to_owned(),
            FieldType::DateTime => "\"2024-02-29T00:00:00Z\" | datetime".to_owned(),
            _ => field
                .options
                .first()
                .map_or_else(|| "true".to_owned(), |option| format!("\"{}\"", option.value)),
        };
        Rule { target: field.name.clone(), text: arrow(shape, &field.name, &value, ""), items: String::new() }
    };
    let kept: Vec<&Field> = required.filter(|_| dice.roll(25) > 0).collect();
    kept.into_iter().map(rule).collect()
}

fn arrow(shape: Shape, target: &str, value: &str, policy: &str) -> String {
    match shape {
        Shape::Sync => format!("{value} -> {target} {policy}"),
        Shape::There | Shape::Back => format!("{target} <- {value} {policy}"),
    }
}

/// Fields that a mapping may read or write; the keys are the ladder's.
pub(super) fn fields(schemas: &Schemas, of_salesforce: bool) -> Vec<&Field> {
    let object = if of_salesforce {
        &schemas.salesforce.objects[SALESFORCE]
    } else {
        &schemas.hubspot.objects[HUBSPOT]
    };
    let usable = |field: &&Field| {
        let key = ["HubSpot_Company_ID__c", "salesforce_account_id"].contains(&field.name.as_str());
        !key && !matches!(field.kind, FieldType::Id | FieldType::Reference { .. } | FieldType::Other(_))
    };
    object.fields.values().filter(usable).collect()
}

/// A rule that has a chance.
pub(super) fn rule(dice: &mut Dice, shape: Shape, schemas: &Schemas, number: usize) -> Rule {
    let (hubspot, salesforce) = (fields(schemas, false), fields(schemas, true));
    match (shape, dice.roll(5)) {
        (Shape::Back, _) => one_way(dice, shape, &hubspot, &salesforce, "salesforce", number),
        (Shape::There, _) | (Shape::Sync, 0) => {
            one_way(dice, shape, &salesforce, &hubspot, "hubspot", number)
        }
        (Shape::Sync, 1) => one_way(dice, Shape::Back, &hubspot, &salesforce, "salesforce", number),
        (Shape::Sync, _) => two_way(dice, &hubspot, &salesforce, number),
    }
}

/// One field into another; `from` is the side of the sources.
fn one_way(
    dice: &mut Dice,
    shape: Shape,
    targets: &[&Field],
    sources: &[&Field],
    from: &str,
    number: usize,
) -> Rule {
    let required: Vec<&&Field> = targets.iter().filter(|field| field.required_on_create()).collect();
    let target =
        if required.is_empty() || dice.roll(5) > 0 { *dice.pick(targets) } else { **dice.pick(&required) };
    let is_list = |field: &&&Field| !field.options.is_empty();
    let lists: Vec<&&Field> = sources.iter().filter(is_list).collect();
    if !target.options.is_empty() && !lists.is_empty() && dice.roll(3) > 0 {
        let source = **dice.pick(&lists);
        let items = picklist(dice, source, target, from, number, "->");
        let policy = *dice.pick(&["", "", "otherwise keep", "on blank clear", "otherwise nothing"]);
        let value = format!("{} | p{number}", source.name);
        let text = arrow(shape, &target.name, &value, policy);
        return Rule { target: target.name.clone(), text, items };
    }
    let policy = *dice.pick(super::POLICIES);
    if target.required_on_create() && matches!(target.kind, FieldType::Text { .. }) && dice.roll(2) == 0 {
        let (one, max) = (dice.pick(sources).name.clone(), super::max(target));
        let tidy = *dice.pick(&["", " | trim"]);
        let value = format!("first_present({one}{tidy}, \"Unknown\") | truncate({max})");
        return Rule {
            target: target.name.clone(),
            text: arrow(shape, &target.name, &value, ""),
            items: String::new(),
        };
    }
    let mut value = super::value(dice, target, sources);
    for _ in 0..dice.roll(3) {
        value = format!("{value} | {}", super::step(dice, target));
    }
    Rule {
        target: target.name.clone(),
        text: arrow(shape, &target.name, &value, policy),
        items: String::new(),
    }
}

/// A picklist from one field to another, with mistakes now and then.
fn picklist(
    dice: &mut Dice,
    source: &Field,
    target: &Field,
    from: &str,
    number: usize,
    arrow: &str,
) -> String {
    let (object, other) = match from {
        "hubspot" => (format!("hubspot.{HUBSPOT}"), format!("salesforce.{SALESFORCE}")),
        _ => (format!("salesforce.{SALESFORCE}"), format!("hubspot.{HUBSPOT}")),
    };
    let mut text =
        format!("\npicklist p{number} {{\n  from {object}.{}\n  to   {other}.{}\n", source.name, target.name);
    let offset = dice.roll(target.options.len());
    for (at, option) in source.options.iter().enumerate() {
        if (!option.active && dice.roll(2) == 0) || dice.roll(12) == 0 {
            continue;
        }
        let to = &target.options[(at + offset) % target.options.len()];
        let to = match dice.roll(12) {
            0 if arrow == "->" => "nothing".to_owned(),
            _ => format!("\"{}\"", to.value),
        };
        text = format!("{text}  \"{}\" {arrow} {to}\n", option.value);
    }
    let otherwise = match dice.roll(4) {
        _ if arrow == "<->" => "  otherwise -> park\n".to_owned(),
        0 => format!("  otherwise -> \"{}\"\n", dice.pick(&target.options).value),
        1 => "  otherwise -> park\n".to_owned(),
        2 => "  otherwise -> nothing\n".to_owned(),
        _ => String::new(),
    };
    format!("{text}{otherwise}}}\n")
}

const NORMALISERS: &[&str] = &[
    "",
    "",
    "trim",
    "lowercase",
    "uppercase",
    "registrable_domain",
    "digits",
    "e164(\"US\")",
    "round(0)",
    "round(2)",
    "trim | lowercase",
    "normalize_url",
    "title_case",
    "number",
    "date(\"UTC\")",
];

fn two_way(dice: &mut Dice, hubspot: &[&Field], salesforce: &[&Field], number: usize) -> Rule {
    let right = *dice.pick(salesforce);
    let alike: Vec<&&Field> = hubspot
        .iter()
        .filter(|left| std::mem::discriminant(&left.kind) == std::mem::discriminant(&right.kind))
        .collect();
    let left = if alike.is_empty() || dice.roll(4) == 0 { *dice.pick(hubspot) } else { **dice.pick(&alike) };
    let policy = *dice.pick(&[
        "on conflict hubspot",
        "on conflict salesforce",
        "on conflict latest otherwise salesforce",
        "on conflict latest otherwise hubspot",
        "hubspot fills only",
        "salesforce fills only",
        "on conflict hubspot otherwise keep",
    ]);
    let both_lists = !left.options.is_empty() && !right.options.is_empty();
    let (via, items) = if both_lists && dice.roll(3) > 0 {
        (format!(" via p{number}"), picklist(dice, left, right, "hubspot", number, "<->"))
    } else {
        let mut steps: Vec<String> = Vec::new();
        if dice.roll(2) == 0 {
            steps.push(format!("truncate({})", super::max(right)));
        }
        steps.push((*dice.pick(NORMALISERS)).to_owned());
        if dice.roll(3) == 0 {
            steps.push(super::step(dice, right));
        }
        steps.retain(|step| !step.is_empty());
        let via = if steps.is_empty() { String::new() } else { format!(" via {}", steps.join(" | ")) };
        (via, String::new())
    };
    let text = format!("{} <-> {}{via} {policy}", left.name, right.name);
    Rule { target: right.name.clone(), text, items }
}

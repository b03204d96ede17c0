//! Owners that a mapping names: by id in an owner field, by address or name in a look-up.
//!
//! Judged only where the snapshot lists owners. Who owns what changes with the people, so an owner who has left is a finding of
//! its own: the CRM refuses new records for them.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::{Field, FieldType, Owner, Who};
use crate::source::{ObjectName, Side, Span};
use crate::types::Value;

use super::builtin::OWNER_NAME;
use super::mend;
use super::scope::Scope;
use super::typed::{CompareOp, Expr, ExprKind, FieldTest, TestOp};
use super::words;
use super::world::{Obj, World};

/// The objects of Salesforce whose records own others.
const USER: &str = "User";
const GROUP: &str = "Group";
/// What their ids begin with (Salesforce's object reference).
const PREFIXES: [&str; 2] = ["005", "00G"];
/// The type of a group that can own records.
const QUEUE: &str = "Queue";

/// By what a look-up names an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Id,
    Email,
    Username,
    QueueName,
    DeveloperName,
}

impl By {
    /// What a field of an object that holds owners is; `None` for fields that a snapshot does not list.
    fn of(object: &ObjectName, field: &str) -> Option<Self> {
        Some(match (object.side, object.name.as_str(), field) {
            (Side::Hubspot, OWNER_NAME, "id") | (Side::Salesforce, USER | GROUP, "Id") => Self::Id,
            (Side::Hubspot, OWNER_NAME, "email") | (Side::Salesforce, USER, "Email") => Self::Email,
            (Side::Salesforce, USER, "Username") => Self::Username,
            (Side::Salesforce, GROUP, "Name") => Self::QueueName,
            (Side::Salesforce, GROUP, "DeveloperName") => Self::DeveloperName,
            _ => return None,
        })
    }

    /// What an owner is called so.
    fn name(self, owner: &Owner) -> Option<&str> {
        match (&owner.is.who, self) {
            (_, Self::Id) => Some(&owner.is.id),
            (Who::Person { email, .. }, Self::Email) => email.as_deref(),
            (Who::Person { username, .. }, Self::Username) => username.as_deref(),
            (Who::Queue { name, .. }, Self::QueueName) => Some(name),
            (Who::Queue { developer_name, .. }, Self::DeveloperName) => Some(developer_name),
            _ => None,
        }
    }

    /// Whether an owner is meant; neither CRM minds capital letters but in ids.
    fn fits(self, side: Side, owner: &Owner, text: &str) -> bool {
        match self {
            Self::Id => owner.is.has_id(side, text),
            _ => self.name(owner).is_some_and(|name| name.eq_ignore_ascii_case(text)),
        }
    }
}

impl<'a> Scope<'a> {
    /// Reports literal ids in an owner field that no owner has, or only one who has left.
    pub(super) fn check_owner_value(&self, value: &Expr, object: &Obj<'a>, field: &Field) {
        if !field.owner || owners(self.world, object.name.side).is_none() {
            return;
        }
        for leaf in self.leaves(value) {
            if self.world.is_full() {
                return;
            }
            if let ExprKind::Literal(Value::Text(id)) = &leaf.kind {
                check_id(self.world, object, field, id, leaf.span);
            }
        }
    }

    /// Reports look-ups of an owner by a literal that no owner has, or only one who has left.
    pub(super) fn check_owner_look_up(&self, object: &Obj<'a>, tests: &[FieldTest]) {
        let name = &object.name;
        let Some(owners) = owners(self.world, name.side).filter(|_| holds_owners(name)) else { return };
        if tests.iter().any(|test| looks_for_others(name, test)) {
            return;
        }
        let left = tests.iter().any(|test| test.field == "IsActive" && !asks(test, &Value::Boolean(true)));
        for test in tests {
            let Some(by) = By::of(name, &test.field) else { continue };
            let values = match &test.op {
                TestOp::Compare(CompareOp::Eq, value) => std::slice::from_ref(value),
                TestOp::In(values) => values.as_slice(),
                _ => continue,
            };
            for leaf in values.iter().flat_map(|value| self.leaves(value)) {
                if let ExprKind::Literal(Value::Text(text)) = &leaf.kind {
                    check_name(self.world, object, owners, (by, text), left, leaf.span);
                }
            }
        }
    }
}

fn owners<'a>(world: &World<'a>, side: Side) -> Option<&'a [Owner]> {
    world.schemas.side(side).owners.as_deref()
}

fn holds_owners(object: &ObjectName) -> bool {
    match object.side {
        Side::Hubspot => object.name == OWNER_NAME,
        Side::Salesforce => [USER, GROUP].contains(&object.name.as_str()),
    }
}

/// Whether a test asks for users or groups that a snapshot does not list: of a portal for customers, or public groups.
fn looks_for_others(object: &ObjectName, test: &FieldTest) -> bool {
    match (object.name.as_str(), test.field.as_str()) {
        (USER, "UserType") => true,
        (GROUP, "Type") => !asks(test, &Value::Text(QUEUE.into())),
        _ => false,
    }
}

/// Whether a test asks for this value.
fn asks(test: &FieldTest, wanted: &Value) -> bool {
    matches!(&test.op, TestOp::Compare(CompareOp::Eq, value) if matches!(&value.kind, ExprKind::Literal(is) if is == wanted))
}

/// Reports an id in an owner field that no owner has, or only one who has left.
pub(super) fn check_id(world: &World<'_>, object: &Obj<'_>, field: &Field, id: &str, span: Span) {
    let side = object.name.side;
    let Some(owners) = owners(world, side).filter(|_| names_owner(field, id)) else { return };
    let name = format!("`{}` of `{}`", field.name, object.name);
    match owners.iter().find(|owner| owner.is.has_id(side, id)) {
        Some(owner) if !owner.is.active => world.report(gone(owner, owners.iter(), side, span)),
        Some(owner) if is_queue(owner) && !takes_queues(field) => {
            let message = format!("{name} holds a user, and `{}` is a queue", owner.is.in_words());
            let finding = Diagnostic::error(Code::OWNER_UNKNOWN, span, message);
            world.report(finding.and(owner.span, "listed here").help("write the id of a user"));
        }
        Some(_) => {}
        None => {
            let message = format!("{name} holds an owner, and {} has none with the id `{id}`", side.label());
            let finding = Diagnostic::error(Code::OWNER_UNKNOWN, span, message).label("no owner");
            world.report(meant(world, finding, owners, id, span));
        }
    }
}

/// Whether a text in an owner field is to be judged as the id of an owner: what has another form, or is the id of a record of
/// another object that the field takes, is not.
fn names_owner(field: &Field, id: &str) -> bool {
    let FieldType::Reference { to } = &field.kind else { return true };
    let has_form = matches!(id.len(), 15 | 18) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let only_owners = to.iter().all(|to| [USER, GROUP].contains(&to.as_str()));
    has_form && (only_owners || PREFIXES.iter().any(|prefix| id.starts_with(prefix)))
}

fn is_queue(owner: &Owner) -> bool {
    matches!(owner.is.who, Who::Queue { .. })
}

fn takes_queues(field: &Field) -> bool {
    matches!(&field.kind, FieldType::Reference { to } if to.iter().any(|to| to == GROUP))
}

/// Adds whom an id could mean that no owner has: the owner with that address, or one with a similar one.
fn meant(world: &World<'_>, finding: Diagnostic, owners: &[Owner], id: &str, span: Span) -> Diagnostic {
    let known = |owner: &&Owner| owner.is.active && owner.is.known_by().is_some();
    let exact = owners
        .iter()
        .filter(known)
        .find(|owner| owner.is.known_by().is_some_and(|name| name.eq_ignore_ascii_case(id)));
    if let Some(owner) = exact {
        let help = format!("an owner is written by its id: `\"{}\"`", owner.is.id);
        return mend::replace_text(finding.help(help), id, span, &owner.is.id);
    }
    let names = || owners.iter().filter(known).filter_map(|owner| owner.is.known_by());
    if id.contains('@')
        && let Some(help) = world.guesses.did_you_mean(id, names())
    {
        return finding.help(format!("{help} an owner is written by its id"));
    }
    finding.help(others(owners.iter()))
}

fn others<'o>(owners: impl Iterator<Item = &'o Owner>) -> String {
    let active: Vec<String> =
        owners.filter(|owner| owner.is.active).map(|owner| owner.is.in_words()).collect();
    if active.is_empty() {
        return "no owner is active".to_owned();
    }
    format!(
        "the owners are {}; `mapwright schema pull` takes new ones into the snapshot",
        words::some(&active)
    )
}

/// The finding of an owner who has left.
fn gone<'o>(owner: &Owner, owners: impl Iterator<Item = &'o Owner>, side: Side, span: Span) -> Diagnostic {
    let how = match side {
        Side::Hubspot => "archived",
        Side::Salesforce => "not active",
    };
    let message = format!("the owner `{}` has left and can own no new record", owner.is.in_words());
    Diagnostic::error(Code::OWNER_LEFT, span, message)
        .and(owner.span, format!("{how} here"))
        .help(others(owners))
}

/// Judges the name by which a look-up finds an owner.
fn check_name(
    world: &World<'_>,
    object: &Obj<'_>,
    owners: &[Owner],
    (by, text): (By, &str),
    left: bool,
    span: Span,
) {
    let side = object.name.side;
    let queues = object.name.name == GROUP;
    let of_kind = |owner: &&Owner| is_queue(owner) == queues;
    let fits: Vec<&Owner> =
        owners.iter().filter(of_kind).filter(|owner| by.fits(side, owner, text)).collect();
    match fits.as_slice() {
        [] => {}
        [first, ..] if !left && !fits.iter().any(|owner| owner.is.active) => {
            return world.report(gone(first, owners.iter().filter(of_kind), side, span));
        }
        _ => return,
    }
    let who = match (side, queues) {
        (Side::Hubspot, _) => "owner",
        (_, true) => "queue",
        (_, false) => "user",
    };
    let message = format!("{} has no {who} `{text}`, so this finds nobody", side.label());
    let finding = Diagnostic::error(Code::OWNER_UNKNOWN, span, message).label(format!("no {who}"));
    let names = || {
        let active = owners.iter().filter(of_kind).filter(|owner| owner.is.active);
        active.filter_map(|owner| by.name(owner))
    };
    let near = world.guesses.did_you_mean(text, names()).filter(|_| by != By::Id);
    let help = near.unwrap_or_else(|| others(owners.iter().filter(of_kind)));
    let finding = finding.help(help);
    world.report(if by == By::Id {
        finding
    } else {
        mend::reword(&world.guesses, finding, text, span, names())
    });
}

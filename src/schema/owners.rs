//! Who can own records, as a snapshot lists them: the section `owners`.
//!
//! HubSpot's are people by id and address. Salesforce's are users and queues. People's names are left out: what is checked
//! in should hold no more about people than a mapping can be checked by.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Side, Span, Spanned};
use crate::yaml::{Keys, Node, Problems};

use super::compare::{Change, Weight, What};
use super::render::scalar;

/// The key of the section.
pub(super) const SECTION: &str = "owners";

/// Characters of a Salesforce id that tell records apart; the three behind them only say which letters are capitals.
const SALESFORCE_ID: usize = 15;

/// Somebody who can own records, as a CRM says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribedOwner {
    /// The id, as an owner field holds it.
    pub id: String,
    /// A person or a queue.
    pub who: Who,
    /// Whether new records may get this owner.
    pub active: bool,
}

/// A person or a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A user.
    Person {
        /// The address, where there is one.
        email: Option<String>,
        /// Salesforce: the name to log in with.
        username: Option<String>,
    },
    /// Salesforce: a queue.
    Queue {
        /// The API name.
        developer_name: String,
        /// What people see.
        name: String,
    },
}

/// An owner of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// What the CRM says.
    pub is: DescribedOwner,
    /// Its id in the snapshot.
    pub span: Span,
}

impl DescribedOwner {
    /// Whether an id is this owner's; Salesforce's may have 15 or 18 characters.
    pub fn has_id(&self, side: Side, id: &str) -> bool {
        key(side, &self.id) == key(side, id)
    }

    /// What people know the owner by, and the id: `11 (robin@sales.example)`.
    pub fn in_words(&self) -> String {
        match self.known_by() {
            Some(name) => format!("{} ({name})", self.id),
            None => self.id.clone(),
        }
    }

    /// The address of a person, the API name of a queue.
    pub fn known_by(&self) -> Option<&str> {
        match &self.who {
            Who::Person { email, username } => email.as_deref().or(username.as_deref()),
            Who::Queue { developer_name, .. } => Some(developer_name),
        }
    }

    /// The owner's line, behind its indentation and `- `.
    pub(super) fn text(&self, side: Side) -> String {
        let mut text = format!("{{ id: {}", scalar(&self.id));
        let mut add = |key: &str, value: &str| {
            let _ = write!(text, ", {key}: {}", scalar(value));
        };
        match &self.who {
            Who::Person { email, username } => {
                if let Some(username) = username {
                    add("username", username);
                }
                // Most people log in with their address.
                if let Some(email) = email.as_ref().filter(|email| username.as_ref() != Some(email)) {
                    add("email", email);
                }
            }
            Who::Queue { developer_name, name } => {
                add("queue", developer_name);
                if name != developer_name {
                    add("name", name);
                }
            }
        }
        text.push_str(match (self.active, side) {
            (true, _) => " }",
            (false, Side::Hubspot) => ", archived: true }",
            (false, Side::Salesforce) => ", active: false }",
        });
        text
    }
}

/// What tells the ids of two owners apart.
fn key(side: Side, id: &str) -> &str {
    match side {
        Side::Hubspot => id,
        Side::Salesforce => id.get(..SALESFORCE_ID).unwrap_or(id),
    }
}

/// The order of owners: HubSpot's ids are numbers, Salesforce's are told apart by their letters.
pub(super) fn by_id(side: Side, a: &str, b: &str) -> Ordering {
    match side {
        Side::Hubspot => (a.len(), a).cmp(&(b.len(), b)),
        Side::Salesforce => a.cmp(b),
    }
}

/// The whole section in the canonical form.
pub(super) fn section(side: Side, owners: &[DescribedOwner]) -> String {
    let mut owners: Vec<&DescribedOwner> = owners.iter().collect();
    owners.sort_by(|a, b| by_id(side, &a.id, &b.id));
    let mut text = format!("{SECTION}:{}\n", if owners.is_empty() { " []" } else { "" });
    for owner in owners {
        let _ = writeln!(text, "  - {}", owner.text(side));
    }
    text
}

/// Reads the section; an owner with a mistake is left out and reported.
pub(super) fn read(node: &Node, side: Side, problems: &Problems) -> Vec<Owner> {
    let items = node.list(SECTION, problems).unwrap_or_default();
    let mut owners: IndexMap<String, Owner> = IndexMap::new();
    for owner in items.iter().filter_map(|item| read_owner(item, side, problems)) {
        let id = key(side, &owner.is.id).to_owned();
        if let Some(first) = owners.get(&id) {
            let message = format!("the owner `{}` is listed twice", owner.is.id);
            let finding = Diagnostic::error(Code::YAML_BAD_VALUE, owner.span, message).label("listed again");
            problems.report(finding.and(first.span, "first listed here").help("keep one of the two"));
        } else {
            owners.insert(id, owner);
        }
    }
    owners.into_values().collect()
}

fn read_owner(node: &Node, side: Side, problems: &Problems) -> Option<Owner> {
    let mut keys = Keys::of(node, "an owner", node.span, problems)?;
    let id = keys.need_text("id");
    let (who, active) = match side {
        Side::Hubspot => {
            let email = keys.text("email").map(|email| email.value);
            let archived = keys.flag("archived").unwrap_or(false);
            (Some(Who::Person { email, username: None }), !archived)
        }
        Side::Salesforce => {
            let active = keys.flag("active").unwrap_or(true);
            (read_user_or_queue(&mut keys), active)
        }
    };
    keys.finish();
    let Spanned { value: id, span } = id?;
    Some(Owner { is: DescribedOwner { id, who: who?, active }, span })
}

fn read_user_or_queue(keys: &mut Keys<'_>) -> Option<Who> {
    let mut text = |key| keys.text(key);
    let (username, email) = (text("username"), text("email"));
    let (queue, name) = (text("queue"), text("name"));
    let value = |text: Spanned<String>| text.value;
    match (username, queue) {
        (Some(username), None) => {
            let email = email.map_or_else(|| username.value.clone(), value);
            Some(Who::Person { email: Some(email), username: Some(username.value) })
        }
        (None, Some(queue)) => {
            let name = name.map_or_else(|| queue.value.clone(), value);
            Some(Who::Queue { developer_name: queue.value, name })
        }
        _ => {
            let message = "an owner is a user or a queue";
            let finding = Diagnostic::error(Code::YAML_BAD_VALUE, keys.at(), message);
            keys.problems().report(
                finding.help("write `username: …` for a user, `queue: …` (its developer name) for a queue"),
            );
            None
        }
    }
}

/// What changed among the owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnersChange {
    /// The snapshot lists them now, so many.
    Taken(usize),
    /// The snapshot does not list them any more.
    LeftOut,
    /// There is a new one.
    Added(String),
    /// One is archived or inactive now.
    Left(String),
    /// One who had left is back.
    Back(String),
    /// One does not exist any more.
    Removed(String),
    /// One is known by another address or name.
    Renamed {
        /// As known before.
        from: String,
        /// As known now.
        to: String,
    },
}

impl OwnersChange {
    pub(super) fn weight(&self) -> Weight {
        match self {
            Self::Taken(_) | Self::Added(_) => Weight::Added,
            Self::LeftOut | Self::Removed(_) => Weight::Removed,
            Self::Left(_) => Weight::Narrowed,
            Self::Back(_) | Self::Renamed { .. } => Weight::Other,
        }
    }
}

impl fmt::Display for OwnersChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken(count) => write!(f, "are in the snapshot now: {count}"),
            Self::LeftOut => f.write_str("are left out of the snapshot now"),
            Self::Added(owner) => write!(f, "have a new one: {owner}"),
            Self::Left(owner) => write!(f, "have one who has left: {owner}"),
            Self::Back(owner) => write!(f, "have one who is back: {owner}"),
            Self::Removed(owner) => write!(f, "have one less: {owner}"),
            Self::Renamed { from, to } => write!(f, "have one who was {from} and is {to}"),
        }
    }
}

/// What changed among the owners of two snapshots of one CRM.
pub(super) fn compare(
    side: Side,
    old: Option<&[Owner]>,
    new: Option<&[Owner]>,
    section: Span,
    found: &mut Vec<Change>,
) {
    let mut push = |at: Span, change: OwnersChange| {
        let (object, what) = (SECTION.to_owned(), What::Owners(change));
        found.push(Change { object, field: None, what, at: Some(at) });
    };
    let (old, new) = match (old, new) {
        (None, None) => return,
        (None, Some(new)) => return push(section, OwnersChange::Taken(new.len())),
        (Some(_), None) => return push(section, OwnersChange::LeftOut),
        (Some(old), Some(new)) => (old, new),
    };
    let keyed = |owners: &[Owner]| -> IndexMap<String, Owner> {
        owners.iter().map(|owner| (key(side, &owner.is.id).to_owned(), owner.clone())).collect()
    };
    let (was, is) = (keyed(old), keyed(new));
    for (id, owner) in &was {
        let words = owner.is.in_words();
        match is.get(id) {
            None => push(owner.span, OwnersChange::Removed(words)),
            Some(now) if owner.is.active && !now.is.active => push(owner.span, OwnersChange::Left(words)),
            Some(now) if !owner.is.active && now.is.active => push(owner.span, OwnersChange::Back(words)),
            Some(now) if now.is.who != owner.is.who => {
                push(owner.span, OwnersChange::Renamed { from: words, to: now.is.in_words() });
            }
            Some(_) => {}
        }
    }
    for owner in is.iter().filter(|(id, _)| !was.contains_key(*id)).map(|(_, owner)| owner) {
        push(section, OwnersChange::Added(owner.is.in_words()));
    }
}

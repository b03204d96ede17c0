//! The labels of associations, as a snapshot of HubSpot lists them under the object from which they lead.
//!
//! ```yaml
//! associations:
//!   company: [Primary, Billing contact]
//! ```
//!
//! Only their texts: the ids differ between a portal and its sandbox, and a mapping names the text. A pair of objects that is
//! not listed is not known; an empty list says that there are no labels.

use std::fmt::{self, Write as _};

use indexmap::IndexMap;

use crate::source::{Span, Spanned};
use crate::yaml::{Entry, Problems};

use super::Object;
use super::compare::{Change, Weight, What};
use super::render::{scalar, wrapped};

/// The key of an object's labels.
pub(super) const KEY: &str = "associations";

/// The labels of the associations from one object to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// Their texts, in file order.
    pub texts: Vec<Spanned<String>>,
    /// The name of the other object in the snapshot.
    pub span: Span,
}

impl Labels {
    /// Whether there is a label; HubSpot's client does not mind capital letters either.
    pub fn has(&self, label: &str) -> bool {
        self.texts.iter().any(|text| text.value.eq_ignore_ascii_case(label))
    }

    /// The texts, in order.
    fn sorted(&self) -> Vec<&str> {
        let mut texts: Vec<&str> = self.texts.iter().map(|text| text.value.as_str()).collect();
        texts.sort_unstable();
        texts
    }
}

/// Whether two objects have the same labels, in whatever order.
pub(super) fn same(a: &IndexMap<String, Labels>, b: &IndexMap<String, Labels>) -> bool {
    a.len() == b.len() && a.iter().all(|(to, labels)| same_pair(Some(labels), b.get(to)))
}

/// Whether a pair of objects has the same labels in two snapshots.
pub(super) fn same_pair(a: Option<&Labels>, b: Option<&Labels>) -> bool {
    a.map(Labels::sorted) == b.map(Labels::sorted)
}

pub(super) fn read(entry: &Entry, problems: &Problems) -> IndexMap<String, Labels> {
    let entries = entry.value.entries(KEY, problems).unwrap_or_default();
    let labels = entries.iter().filter_map(|Entry { key, value }| {
        let items = value.list(&key.value, problems)?;
        let texts = items.iter().filter_map(|item| item.text(&key.value, problems)).collect();
        Some((key.value.clone(), Labels { texts, span: key.span }))
    });
    labels.collect()
}

/// The labels that an object has in the end: those of the pairs that were asked for, and of the others as they were.
pub(super) fn merged(old: Option<&Object>, asked: &[(String, Vec<String>)]) -> Vec<(String, Vec<String>)> {
    let known = old.into_iter().flat_map(|old| &old.associations);
    let mut all: Vec<(String, Vec<String>)> = known
        .map(|(to, labels)| (to.clone(), labels.texts.iter().map(|text| text.value.clone()).collect()))
        .collect();
    for (to, labels) in asked {
        match all.iter_mut().find(|(known, _)| known == to) {
            Some((_, known)) => known.clone_from(labels),
            None => all.push((to.clone(), labels.clone())),
        }
    }
    all
}

/// The list of one pair, behind its key at an indentation.
pub(super) fn list(labels: &[String], indent: usize) -> String {
    let mut labels: Vec<String> = labels.iter().map(|label| scalar(label)).collect();
    labels.sort_unstable();
    wrapped(&labels, indent)
}

/// One pair on a line of its own.
pub(super) fn line(to: &str, labels: &[String], indent: usize) -> String {
    let to = scalar(to);
    format!("{:indent$}{to}: {}\n", "", list(labels, indent + to.chars().count() + 2))
}

/// The whole section at an indentation; empty where no pair is known.
pub(super) fn section(pairs: &[(String, Vec<String>)], indent: usize) -> String {
    let mut pairs: Vec<&(String, Vec<String>)> = pairs.iter().collect();
    pairs.sort();
    let mut text = String::new();
    if !pairs.is_empty() {
        let _ = writeln!(text, "{:indent$}{KEY}:", "");
    }
    for (to, labels) in pairs {
        text.push_str(&line(to, labels, indent + 2));
    }
    text
}

/// What changed among the labels of the associations with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelsChange {
    /// The other object.
    pub to: String,
    /// What is different.
    pub what: LabelChange,
}

/// What is different about labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelChange {
    /// The snapshot lists them now.
    Taken(Vec<String>),
    /// There is a new one.
    Added(String),
    /// One does not exist any more.
    Removed(String),
}

impl LabelsChange {
    pub(super) fn weight(&self) -> Weight {
        match self.what {
            LabelChange::Taken(_) | LabelChange::Added(_) => Weight::Added,
            LabelChange::Removed(_) => Weight::Removed,
        }
    }
}

impl fmt::Display for LabelsChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = &self.to;
        match &self.what {
            LabelChange::Taken(labels) if labels.is_empty() => {
                write!(f, "does not label its associations with `{to}`")
            }
            LabelChange::Taken(labels) => {
                write!(f, "labels its associations with `{to}`: {}", labels.join(", "))
            }
            LabelChange::Added(label) => write!(f, "has a new label `{label}` of associations with `{to}`"),
            LabelChange::Removed(label) => {
                write!(f, "has no label `{label}` of associations with `{to}` any more")
            }
        }
    }
}

/// What changed among the labels of an object. A pair that is not listed any more is only not known.
pub(super) fn compare(old: &Object, new: &Object, found: &mut Vec<Change>) {
    let mut push = |at: Span, to: &str, what: LabelChange| {
        let what = What::Labels(LabelsChange { to: to.to_owned(), what });
        found.push(Change { object: old.name.clone(), field: None, what, at: Some(at) });
    };
    for (to, now) in &new.associations {
        let Some(was) = old.associations.get(to) else {
            let labels = now.sorted().into_iter().map(str::to_owned).collect();
            push(old.span, to, LabelChange::Taken(labels));
            continue;
        };
        for label in was.texts.iter().filter(|label| !now.has(&label.value)) {
            push(label.span, to, LabelChange::Removed(label.value.clone()));
        }
        for label in now.texts.iter().filter(|label| !was.has(&label.value)) {
            push(was.span, to, LabelChange::Added(label.value.clone()));
        }
    }
}

//! Typed reading of nodes, which reports every mistake and goes on.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::DeserializeOwned;

use crate::diagnostic::{Code, Diagnostic, did_you_mean, nearest};
use crate::source::{Span, Spanned};

use super::{Entry, Kind, Node};

/// Collects the findings of a reading.
#[derive(Debug, Default)]
pub(crate) struct Problems(RefCell<Vec<Diagnostic>>);

impl Problems {
    /// Adds a finding.
    pub(crate) fn report(&self, finding: Diagnostic) {
        self.0.borrow_mut().push(finding);
    }

    /// All findings, in the order in which they were made.
    pub(crate) fn into_findings(self) -> Vec<Diagnostic> {
        self.0.into_inner()
    }

    /// Reports a text that is none of the few words that a key takes.
    pub(crate) fn bad_word(&self, word: &Spanned<String>, key: &str, words: &[&str]) {
        let message = format!("`{}` is no value of `{key}`", word.value);
        let help = did_you_mean(&word.value, words.iter().copied())
            .unwrap_or_else(|| format!("the values are {}", list_words(words)));
        let finding =
            Diagnostic::error(Code::YAML_BAD_VALUE, word.span, message).label("not one of the values");
        self.report(finding.help(help));
    }

    /// Reports a value of the wrong kind.
    fn wrong_kind(&self, node: &Node, subject: &str, wanted: &str) {
        let Some(found) = node.found() else { return };
        let message = format!("{subject} must be {wanted}, but this is {found}");
        let mut finding =
            Diagnostic::error(Code::YAML_BAD_VALUE, node.span, message).label(format!("{wanted} is needed"));
        if let Kind::Scalar { text, plain: true } = &node.kind
            && wanted == TEXT
            && !text.is_empty()
        {
            let quoted = format!("{text:?}");
            finding = finding.help(format!("put it in quotes: `{quoted}`")).fix(node.span, quoted);
        }
        self.report(finding);
    }
}

const TEXT: &str = "text";
const LIST: &str = "a list";
const MAPPING: &str = "a mapping of keys to values";

/// What a scalar holds, by YAML's rules.
#[derive(Debug, PartialEq, Eq)]
enum Scalar {
    Nothing,
    Truth,
    Number,
    Text,
}

impl Node {
    /// The text of a scalar that is text; reports anything else.
    pub(crate) fn text(&self, key: &str, problems: &Problems) -> Option<Spanned<String>> {
        match &self.kind {
            Kind::Scalar { text, plain } if scalar(text, *plain) == Scalar::Text => {
                Some(Spanned::new(text.clone(), self.span))
            }
            _ => {
                problems.wrong_kind(self, &format!("`{key}`"), TEXT);
                None
            }
        }
    }

    /// A scalar as a Rust number or truth value; reports anything else as not being `wanted`.
    pub(crate) fn plain<T: DeserializeOwned>(
        &self,
        key: &str,
        wanted: &str,
        problems: &Problems,
    ) -> Option<T> {
        if let Kind::Scalar { text, plain: true } = &self.kind
            && let Ok(value) = serde_yaml::from_str(text)
        {
            return Some(value);
        }
        problems.wrong_kind(self, &format!("`{key}`"), wanted);
        None
    }

    /// The items of a list; reports anything else.
    pub(crate) fn list(&self, key: &str, problems: &Problems) -> Option<&[Node]> {
        if let Kind::List(items) = &self.kind {
            return Some(items);
        }
        problems.wrong_kind(self, &format!("`{key}`"), LIST);
        None
    }

    /// The entries of a mapping whose keys are the author's own; reports anything else.
    pub(crate) fn entries(&self, key: &str, problems: &Problems) -> Option<&[Entry]> {
        if let Kind::Map(entries) = &self.kind {
            return Some(entries);
        }
        problems.wrong_kind(self, &format!("`{key}`"), MAPPING);
        None
    }

    /// What stands here, in the author's words; `None` where it was already reported.
    fn found(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Scalar { text, plain } => Some(match scalar(text, *plain) {
                Scalar::Nothing => "empty",
                Scalar::Truth => "true or false",
                Scalar::Number => "a number",
                Scalar::Text => "text",
            }),
            Kind::List(_) => Some("a list"),
            Kind::Map(_) => Some("a mapping"),
            Kind::Broken => None,
        }
    }
}

fn scalar(text: &str, plain: bool) -> Scalar {
    if !plain {
        return Scalar::Text;
    }
    // Most scalars are words; only these beginnings can be anything but text.
    if !text.is_empty()
        && !text.starts_with(['~', '.', '+', '-', 't', 'T', 'f', 'F', 'n', 'N'])
        && !text.starts_with(|c: char| c.is_ascii_digit())
    {
        return Scalar::Text;
    }
    match serde_yaml::from_str(text) {
        Ok(serde_yaml::Value::Null) => Scalar::Nothing,
        Ok(serde_yaml::Value::Bool(_)) => Scalar::Truth,
        Ok(serde_yaml::Value::Number(_)) => Scalar::Number,
        _ => Scalar::Text,
    }
}

/// Reads a mapping whose keys are known. Every key asked for becomes a known one; [`Keys::finish`] reports the rest.
pub(crate) struct Keys<'n> {
    entries: &'n [Entry],
    /// What the mapping is, for messages: "a field".
    what: &'static str,
    /// Where a missing key is reported: the mapping's name rather than all of its body.
    at: Span,
    known: Vec<&'static str>,
    problems: &'n Problems,
}

impl<'n> Keys<'n> {
    /// Starts reading a node; reports one that is no mapping.
    pub(crate) fn of(node: &'n Node, what: &'static str, at: Span, problems: &'n Problems) -> Option<Self> {
        let Kind::Map(entries) = &node.kind else {
            problems.wrong_kind(node, what, MAPPING);
            return None;
        };
        Some(Self { entries, what, at, known: Vec::new(), problems })
    }

    /// The entry of a key.
    pub(crate) fn entry(&mut self, key: &'static str) -> Option<&'n Entry> {
        self.known.push(key);
        self.entries.iter().find(|entry| entry.key.value == key)
    }

    /// The entry of a key; reports its absence.
    pub(crate) fn need(&mut self, key: &'static str) -> Option<&'n Entry> {
        let entry = self.entry(key);
        if entry.is_none() {
            let message = format!("{} needs the key `{key}`", self.what);
            self.problems.report(
                Diagnostic::error(Code::YAML_MISSING_KEY, self.at, message)
                    .label(format!("has no `{key}`"))
                    .help(format!("add `{key}: …`")),
            );
        }
        entry
    }

    /// The text of a key.
    pub(crate) fn text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.entry(key)?.value.text(key, self.problems)
    }

    /// The text of a key; reports its absence.
    pub(crate) fn need_text(&mut self, key: &'static str) -> Option<Spanned<String>> {
        self.need(key)?.value.text(key, self.problems)
    }

    /// The truth value of a key.
    pub(crate) fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.entry(key)?.value.plain(key, "`true` or `false`", self.problems)
    }

    /// The whole number of a key.
    pub(crate) fn number<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.entry(key)?.value.plain(key, "a whole number", self.problems)
    }

    /// The whole number of a key; reports its absence.
    pub(crate) fn need_number<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.need(key)?.value.plain(key, "a whole number", self.problems)
    }

    /// The texts of a list.
    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<Spanned<String>>> {
        let items = self.entry(key)?.value.list(key, self.problems)?;
        Some(items.iter().filter_map(|item| item.text(key, self.problems)).collect())
    }

    /// Whether a key is there.
    pub(crate) fn has(&mut self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    /// Makes keys known without reading them.
    pub(crate) fn know(&mut self, keys: &[&'static str]) {
        self.known.extend_from_slice(keys);
    }

    /// Where a missing key is reported.
    pub(crate) fn at(&self) -> Span {
        self.at
    }

    /// Where the findings go.
    pub(crate) fn problems(&self) -> &'n Problems {
        self.problems
    }

    /// Reports every key that nobody asked for.
    pub(crate) fn finish(mut self) {
        let mut seen = HashSet::new();
        self.known.retain(|key| seen.insert(*key));
        for Entry { key, .. } in self.entries {
            if self.known.contains(&key.value.as_str()) {
                continue;
            }
            let message = format!("{} has no key `{}`", self.what, key.value);
            let mut finding =
                Diagnostic::error(Code::YAML_UNKNOWN_KEY, key.span, message).label("unknown key");
            finding = match nearest(&key.value, self.known.iter().copied()) {
                Some(near) => finding.help(format!("did you mean `{near}`?")).fix(key.span, near),
                None => finding.help(format!("the keys are {}", list_words(&self.known))),
            };
            self.problems.report(finding);
        }
    }
}

/// `a`, `b` and `c`, in back-quotes.
fn list_words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

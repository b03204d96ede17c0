//! What an author probably meant in a trigger, an outcome, a ladder or a look-up.

use crate::diagnostic::{Diagnostic, did_you_mean, unambiguous};

use super::explain::{Here, first_token};
use super::grammar::Rule;
use super::layout::BlockKind;
use super::shape;

/// Each situation with the actions that it takes, as they are written.
const ACTIONS: &[(&str, &[&str])] = &[
    ("none", &["create", "skip", "park"]),
    ("many", &["park", "newest", "oldest"]),
    ("taken", &["park", "skip", "adopt"]),
    ("converted", &["then", "skip", "park"]),
    ("duplicate", &["adopt", "allow", "park"]),
    ("rejected", &["park", "drop"]),
    ("deleted", &["skip", "park", "unlink"]),
    ("merged", &["follow", "park"]),
];

impl Here<'_, '_> {
    fn advise(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
        self.error(message).help(help)
    }

    /// A statement of a `sync` in a `mapping`, and the other way round.
    pub(super) fn other_item(&self) -> Option<Diagnostic> {
        let first = shape::first_word(self.statement.text);
        match (first, self.statement.kind) {
            _ if self.at > 0 => None,
            ("where" | "filter", BlockKind::Mapping | BlockKind::Sync) if self.is_short() => {
                let condition = self.statement.text[first.len()..].trim();
                Some(self.advise(
                    format!("`{first}` does not begin a statement of a `mapping`"),
                    format!("a condition for the whole mapping is written `only if {condition}`"),
                ))
            }
            ("between", BlockKind::Mapping) => Some(self.advise(
                "`between` stands in a `sync`, which keeps two records the same",
                "write `sync NAME {` above, or `from OBJECT` and `to OBJECT` here",
            )),
            ("from" | "to", BlockKind::Sync) => Some(self.advise(
                format!("`{first}` stands in a `mapping`; a `sync` has two equal ends"),
                "write `between hubspot.OBJECT and salesforce.OBJECT`",
            )),
            _ => None,
        }
    }

    /// Whether the statement fits into a sentence.
    fn is_short(&self) -> bool {
        let text = self.statement.text;
        !text.contains('\n') && text.len() < 100
    }

    /// `when deleted`, `when city is changed`, `when created or city changes`
    pub(super) fn in_trigger(&self) -> Option<Diagnostic> {
        let text = self.statement.text;
        let event = text.strip_prefix("when")?.trim();
        if !event.starts_with(|c: char| c.is_alphanumeric() || c == '`') || event.contains('\n') {
            return None;
        }
        let words: Vec<&str> = event.split_whitespace().collect();
        match (words.as_slice(), self.found) {
            (["deleted" | "merged"], "") => {
                let end = words[0];
                let action = if end == "merged" { "follow" } else { "skip" };
                let help =
                    format!("what happens then is an outcome: write `on source {end} {action}`, or `park`");
                Some(self.advise(format!("`{end}` is no event of `when`"), help))
            }
            (["updated" | "modified" | "changed" | "saved" | "edited"], "") => Some(self.advise(
                format!("`{}` does not say which field", words[0]),
                "write `when FIELD changes`, or `when any of (A, B) changes`",
            )),
            ([field, "is" | "was" | "has", "changed" | "updated" | "modified"], _)
                if self.found == words[1] =>
            {
                Some(
                    self.advise(
                        "an event is written with `changes`",
                        format!("write `when {field} changes`"),
                    ),
                )
            }
            // A value may follow `or`; then one `becomes` was meant to take several.
            (_, "or" | ",") if !(event.contains("becomes") && self.after_found().starts_with('"')) => {
                self.several(event)
            }
            (["any", ..], "(") => Some(
                self.advise(self.message(), format!("write `when any of {}`", event["any".len()..].trim())),
            ),
            _ => None,
        }
    }

    /// Several events on one line.
    fn several(&self, event: &str) -> Option<Diagnostic> {
        let parts: Vec<&str> = event.split(',').flat_map(|part| part.split(" or ")).map(str::trim).collect();
        let fields: Option<Vec<&str>> = parts.iter().map(|part| part.strip_suffix(" changes")).collect();
        let help = match fields {
            Some(fields) => format!("write `when any of ({}) changes`", fields.join(", ")),
            None if parts.iter().all(|part| !part.is_empty()) => {
                let lines: Vec<_> = parts.iter().map(|part| format!("`when {part}`")).collect();
                format!("write a line for each: {}", lines.join(" and "))
            }
            None => return None,
        };
        Some(self.advise("`when` names one event", help))
    }

    /// An action that is none.
    pub(super) fn in_outcome(&self) -> Option<Diagnostic> {
        if !self.expects(&[Rule::action]) || matches!(self.found, ":" | "because" | "in") {
            return None;
        }
        let before = self.before();
        let situation = before
            .split_whitespace()
            .rev()
            .find_map(|word| ACTIONS.iter().find(|(name, _)| *name == word))?;
        let actions: Vec<String> = situation
            .1
            .iter()
            .map(|action| match *action {
                "then" => "`then MAPPING`".to_owned(),
                "drop" => "`drop field`".to_owned(),
                action => format!("`{action}`"),
            })
            .collect();
        let (last, first) = actions.split_last()?;
        let offered = format!("{} or {last}", first.join(", "));
        let found = if self.found.is_empty() {
            "the end of the line".to_owned()
        } else {
            format!("`{}`", self.found)
        };
        let message = format!("expected {offered}, found {found}");
        let help = match self.found {
            "upsert" | "insert" | "add" | "new" => {
                Some("write `create`: with a key, that is an upsert".to_owned())
            }
            "error" | "fail" | "stop" | "abort" => {
                Some("write `park`: the record waits for a person".to_owned())
            }
            "first" | "pick" | "any" if situation.0 == "many" => Some("write `oldest`".to_owned()),
            "last" | "latest" if situation.0 == "many" => Some("write `newest`".to_owned()),
            "ignore" | "nothing" | "none" if situation.1.contains(&"skip") => Some("write `skip`".to_owned()),
            "" => Some(format!("write `{before} park`, or another action")),
            word => did_you_mean(word, situation.1.iter().copied()),
        };
        let finding = match help {
            Some(help) => self.advise(message, help),
            None => self.error(message),
        };
        Some(match unambiguous(self.found, situation.1.iter().copied()) {
            Some(near) => finding.fix(self.span, near),
            None => finding,
        })
    }

    /// `or` and other words in a `where`.
    pub(super) fn in_ladder(&self) -> Option<Diagnostic> {
        let text = self.statement.text;
        if self.found == "or" && self.expects(&[Rule::EOI]) && self.before().contains("where") {
            let help = if self.statement.kind == BlockKind::Match {
                "write another rung: `or FIELD = VALUE where …`"
            } else {
                "write `FIELD in [A, B]` for several values, or `first_present` of two look-ups"
            };
            return Some(self.advise("the tests of a `where` are joined by `and` alone", help));
        }
        let object = first_token(&text[self.at..]);
        let name = shape::first_word(object);
        if self.expects(&[Rule::object_field, Rule::side])
            && object.contains('.')
            && !name.is_empty()
            && !matches!(name, "hubspot" | "salesforce")
        {
            // Salesforce's API names begin with a capital letter, HubSpot's do not.
            let side =
                if name.starts_with(|c: char| c.is_ascii_uppercase()) { "salesforce" } else { "hubspot" };
            let is_near = did_you_mean(name, ["hubspot", "salesforce"]).is_some();
            return (!is_near)
                .then(|| self.advise(self.message(), format!("name its CRM, as in `{side}.{object}`")));
        }
        None
    }

    /// A look-up without its `where`.
    pub(super) fn in_lookup(&self) -> Option<Diagnostic> {
        let before = self.before();
        let object = before.rsplit(' ').next().unwrap_or(before);
        let looks_up = before.strip_suffix(object)?.trim_end().ends_with("lookup");
        (looks_up && self.expects(&[Rule::kw_where])).then(|| {
            self.advise(
                self.message(),
                format!("write by what it is found: `lookup {object} where FIELD = VALUE`"),
            )
        })
    }
}

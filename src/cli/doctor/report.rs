//! What was found, a line each.

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::super::Exit;
use super::super::output::Output;
use crate::types::{CrmError, CrmErrorKind};

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth a look; work goes on.
    Warning,
    /// Something will not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    level: Level,
    pair: Option<String>,
    check: &'static str,
    message: String,
    help: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Report {
    pair: Option<String>,
    lines: Vec<Line>,
    unreachable: bool,
    /// Whether the mappings have errors, so that nobody knows what they need.
    planless: bool,
}

impl Report {
    /// What follows is about this pair.
    pub(super) fn of(&mut self, pair: &str) {
        self.pair = Some(pair.to_owned());
    }

    pub(super) fn ok(&mut self, check: &'static str, message: String) {
        self.add(Level::Ok, check, message, None);
    }

    pub(super) fn warning(&mut self, check: &'static str, message: String, help: impl Into<String>) {
        self.add(Level::Warning, check, message, Some(help.into()));
    }

    pub(super) fn problem(&mut self, check: &'static str, message: String, help: impl Into<String>) {
        self.add(Level::Problem, check, message, Some(help.into()));
    }

    /// A call that failed; whether the CRM could be reached at all counts for the exit code.
    pub(super) fn failed(&mut self, check: &'static str, what: &str, error: &CrmError) {
        let label = error.side.label();
        let help = match error.kind {
            CrmErrorKind::Unauthorised if error.without_login() => {
                "look at `mapwright auth status`, and log in or mend the configuration".to_owned()
            }
            CrmErrorKind::Unauthorised => {
                format!(
                    "{label} refuses the token: renew it in the configuration, or by `mapwright auth login`"
                )
            }
            CrmErrorKind::Forbidden => format!("a scope or permission is missing: grant it in {label}"),
            CrmErrorKind::Window => {
                format!("the limit is used up: {label} answers again when its window opens")
            }
            CrmErrorKind::Retry => {
                format!("try again; if it stays so, look at the address and at {label}'s status")
            }
            CrmErrorKind::Refused | CrmErrorKind::Garbled | CrmErrorKind::Version => {
                "look at the address and the API version".to_owned()
            }
        };
        self.unreachable |= error.status.is_none() && error.kind == CrmErrorKind::Retry;
        self.problem(check, format!("{what}: {error}"), help);
    }

    /// The store could not be reached.
    pub(super) fn store_failed(&mut self, message: String, help: &str) {
        self.unreachable = true;
        self.problem("store", message, help);
    }

    fn add(&mut self, level: Level, check: &'static str, message: String, help: Option<String>) {
        self.lines.push(Line { level, pair: self.pair.clone(), check, message, help });
    }

    /// For people: the level, what was looked at, what was found, and below it what to do.
    pub(super) fn tell(&self) {
        let width = self.lines.iter().map(|line| line.check.chars().count()).max().unwrap_or(0);
        let mut pair: Option<&str> = Some("");
        for line in &self.lines {
            if line.pair.as_deref() != pair {
                pair = line.pair.as_deref();
                Output::result(
                    &pair.map_or_else(|| "this machine:".to_owned(), |pair| format!("pair `{pair}`:")),
                );
            }
            let level = match line.level {
                Level::Ok => "ok     ",
                Level::Warning => "warning",
                Level::Problem => "PROBLEM",
            };
            Output::result(&format!("{level}  {:width$}  {}", line.check, line.message));
            if let Some(help) = &line.help {
                for help in help.lines() {
                    Output::result(&format!("         {:width$}  → {help}", ""));
                }
            }
        }
        let count = |level: Level| self.lines.iter().filter(|line| line.level == level).count();
        Output::result(&format!(
            "{} ok, {} warnings, {} problems",
            count(Level::Ok),
            count(Level::Warning),
            count(Level::Problem)
        ));
    }

    /// The mappings have errors; what needs their plan is left out from now on.
    pub(super) fn without_plan(&mut self, message: String, help: &str) {
        self.planless = true;
        self.problem("configuration", message, help);
    }

    /// Whether it is known what the mappings need.
    pub(super) fn has_plan(&self) -> bool {
        !self.planless
    }

    /// What follows is about no pair.
    pub(super) fn of_all(&mut self) {
        self.pair = None;
    }

    pub(super) fn json(&self) -> Json {
        let count = |level: Level| self.lines.iter().filter(|line| line.level == level).count();
        json!({"checks": self.lines, "warnings": count(Level::Warning), "problems": count(Level::Problem)})
    }

    pub(super) fn exit(&self) -> Exit {
        if self.unreachable {
            Exit::Remote
        } else if self.lines.iter().any(|line| line.level == Level::Problem) {
            Exit::Findings
        } else {
            Exit::Fine
        }
    }
}

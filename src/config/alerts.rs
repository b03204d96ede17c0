//! Who is told of pauses and parked records.

use std::time::Duration;

use crate::yaml::Entry;

use super::model::{AlertWebhook, Alerts};
use super::reading::{Reading, is_loopback, optional};

/// As long as a chat service's own servers wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An alert that takes longer holds up those behind it.
const LONGEST: Duration = Duration::from_mins(2);

impl Reading<'_> {
    /// Without the key nobody is told.
    #[expect(clippy::option_option, reason = "the outer is whether it could be read, the inner its presence")]
    pub(super) fn alerts(&self, entry: Option<&Entry>) -> Option<Option<Alerts>> {
        let Some(entry) = entry else { return Some(None) };
        let mut keys = self.keys(entry, "`alerts`")?;
        let webhook = keys.entry("webhook").map(|entry| self.alert_webhook(entry));
        let command = keys.entry("command").map(|entry| self.argv(entry));
        let timeout = keys.entry("timeout").map_or(Some(TIMEOUT), |entry| self.at_least_a_second(entry));
        let timeout_span = keys.entry("timeout").map(|entry| entry.value.span);
        let personal_data = keys.flag("personal_data").unwrap_or(false);
        keys.finish();
        if webhook.is_none() && command.is_none() {
            self.bad(entry.key.span, "`alerts` names nobody to tell", "add `webhook:` or `command:`");
            return None;
        }
        let timeout = timeout?;
        if timeout > LONGEST {
            let span = timeout_span.unwrap_or(entry.key.span);
            self.bad(span, "`timeout` is longer than two minutes", "write at most `2m`");
            return None;
        }
        let (webhook, command) = (optional(webhook)?, optional(command)?);
        Some(Some(Alerts { webhook, command, timeout, personal_data }))
    }

    fn alert_webhook(&self, entry: &Entry) -> Option<AlertWebhook> {
        let mut keys = self.keys(entry, "`webhook`")?;
        let url = keys.need("url").and_then(|entry| self.hook_url(entry));
        let local = url.as_ref().is_some_and(is_loopback);
        let secret = keys.entry("secret").map(|entry| self.secret_of(entry, local));
        let headers = keys.entry("headers").map(|entry| entry.value.entries("headers", &self.problems));
        keys.finish();
        let headers = match headers {
            None => Vec::new(),
            Some(entries) => entries?
                .iter()
                .map(|entry| Some((self.header_name(entry)?, self.secret_of(entry, local)?)))
                .collect::<Option<_>>()?,
        };
        Some(AlertWebhook { url: url?, secret: optional(secret)?, headers })
    }

    /// The name of a header: a token of HTTP (RFC 9110, 5.6.2).
    fn header_name(&self, entry: &Entry) -> Option<String> {
        let name = &entry.key.value;
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(is_token) {
            let help = "write a name such as `Authorization` or `X-Token`: letters, digits and `-`";
            self.bad(entry.key.span, format!("`{name}` cannot name a header"), help);
            return None;
        }
        Some(name.clone())
    }

    /// A program and its arguments.
    fn argv(&self, entry: &Entry) -> Option<Vec<String>> {
        let items = entry.value.list("command", &self.problems)?;
        let argv: Option<Vec<String>> =
            items.iter().map(|item| Some(item.text("command", &self.problems)?.value.clone())).collect();
        let argv = argv?;
        if argv.first().is_none_or(String::is_empty) {
            let help = "write a list: `[\"./alert.sh\", \"--urgent\"]`; no shell reads it";
            self.bad(entry.value.span, "`command` names no program", help);
            return None;
        }
        Some(argv)
    }
}

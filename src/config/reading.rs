//! Reads single values: text with references, secrets, numbers, addresses.

use std::net::SocketAddr;
use std::str::FromStr;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::yaml::{Entry, Keys, Kind, Node, Problems};

use super::expand::{Environment, expand, has_reference};

/// One reading of the file. Without an environment, a value that depends on one is left out and nothing is said; with
/// one, every value that is left out was reported.
pub(super) struct Reading<'c> {
    pub(super) file: FileId,
    text: &'c str,
    environment: Option<Environment<'c>>,
    /// The pair that is read; all of them without one.
    pub(super) only: Option<&'c str>,
    pub(super) problems: Problems,
}

impl<'c> Reading<'c> {
    pub(super) fn new(file: FileId, text: &'c str, environment: Option<Environment<'c>>) -> Self {
        Self { file, text, environment, only: None, problems: Problems::default() }
    }

    pub(super) fn findings(self) -> Vec<Diagnostic> {
        let mut findings = self.problems.into_findings();
        findings.sort_by_key(|finding| finding.span().start);
        findings
    }

    pub(super) fn keys<'n>(&'n self, entry: &'n Entry, what: &'static str) -> Option<Keys<'n>> {
        Keys::of(&entry.value, what, entry.key.span, &self.problems)
    }

    pub(super) fn bad(&self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.report(Diagnostic::error(Code::YAML_BAD_VALUE, span, message).help(help));
    }

    /// A text with its references replaced.
    pub(super) fn text(&self, entry: &Entry) -> Option<String> {
        self.expanded(&entry.value, &entry.key.value)
    }

    fn expanded(&self, node: &Node, key: &str) -> Option<String> {
        let text = node.text(key, &self.problems)?;
        if text.value.is_empty() {
            self.bad(node.span, format!("`{key}` is empty"), "write a value, or remove the key");
            return None;
        }
        expand(&text.value, node, self.text, self.environment, &self.problems)
    }

    pub(super) fn secret_of(&self, entry: &Entry, local: bool) -> Option<SecretString> {
        self.secret(&entry.value, &entry.key.value, local)
    }

    /// A secret, which must come from the environment unless it is for a server on this machine (the sandbox).
    pub(super) fn secret(&self, node: &Node, key: &str, local: bool) -> Option<SecretString> {
        let value = self.expanded(node, key);
        if let Kind::Scalar { text, .. } = &node.kind
            && !local
            && value.is_some()
            && !has_reference(text)
        {
            let message = format!("`{key}` is a secret and stands here in the clear");
            let name = key.to_uppercase();
            self.problems.report(
                Diagnostic::error(Code::SECRET_IN_CLEAR, node.span, message)
                    .label("everyone who can read the file has it")
                    .help(format!("write `${{{name}}}`, set that variable, and replace the secret")),
            );
        }
        value.map(SecretString::from)
    }

    /// A number, in the clear or from the environment.
    pub(super) fn number<T: DeserializeOwned + FromStr>(&self, entry: &Entry) -> Option<T> {
        let key = &entry.key.value;
        match &entry.value.kind {
            Kind::Scalar { text, .. } if text.contains("${") => {
                let text = self.text(entry)?;
                let number = text.trim().parse().ok();
                if number.is_none() {
                    let message =
                        format!("`{key}` must be a whole number, but the environment gives other text");
                    self.bad(entry.value.span, message, "look at the variable's value");
                }
                number
            }
            _ => entry.value.plain(key, "a whole number", &self.problems),
        }
    }

    pub(super) fn positive<T: DeserializeOwned + FromStr + PartialEq + Default>(
        &self,
        entry: &Entry,
    ) -> Option<T> {
        let number: T = self.number(entry)?;
        if number == T::default() {
            self.bad(
                entry.value.span,
                format!("`{}` must be at least 1", entry.key.value),
                "write a larger number",
            );
            return None;
        }
        Some(number)
    }

    /// A version in a URL path, of the vendor's form.
    pub(super) fn version(
        &self,
        entry: Option<&Entry>,
        default: &str,
        has_form: fn(&str) -> bool,
    ) -> Option<String> {
        let Some(entry) = entry else { return Some(default.to_owned()) };
        let version = self.text(entry)?;
        if !has_form(&version) {
            let message = format!("`{version}` is no version");
            self.bad(entry.value.span, message, format!("a version looks like `{default}`"));
            return None;
        }
        Some(version)
    }

    pub(super) fn address(&self, entry: &Entry) -> Option<SocketAddr> {
        let text = self.text(entry)?;
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("`{text}` is no address to listen on");
            self.bad(entry.value.span, message, "write an IP address and a port: `127.0.0.1:8080`");
        }
        address
    }

    /// The address of a hook, whose path or query may be what lets one in.
    pub(super) fn hook_url(&self, entry: &Entry) -> Option<Url> {
        let text = self.text(entry)?;
        let (span, key) = (entry.value.span, &entry.key.value);
        let Some(url) =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            self.bad(span, format!("`{key}` is no web address"), "write it in full: `https://host/path`");
            return None;
        };
        if url.scheme() == "http" && !is_loopback(&url) {
            self.bad(span, format!("`{key}` would be sent unencrypted"), "write `https://`");
            return None;
        }
        Some(url)
    }

    /// The address of a server: `https`, or `http` on this machine.
    pub(super) fn url(&self, entry: Option<&Entry>, default: &str) -> Option<Url> {
        let Some(entry) = entry else { return Url::parse(default).ok() };
        let text = self.text(entry)?;
        // The value itself may hold a password: the messages name the key, and the report shows the line as written.
        let (span, refuse) = (entry.value.span, |why: &str| format!("`{}` {why}", entry.key.value));
        let Some(url) =
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        else {
            self.bad(span, refuse("is no web address"), "write it in full: `https://host`");
            return None;
        };
        if url.scheme() == "http" && !is_loopback(&url) {
            self.bad(span, refuse("would carry secrets unencrypted"), "write `https://`");
            return None;
        }
        if !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some()
        {
            self.bad(span, refuse("holds more than an address"), "remove the user, password, `?…` and `#…`");
            return None;
        }
        Some(url)
    }
}

/// Whether a URL leads to this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Turns "absent" into a value, and "there, but left out" into `None`.
#[expect(clippy::option_option, reason = "the outer is the key's presence, the inner its value's")]
pub(super) fn optional<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(value) => value.map(Some),
    }
}

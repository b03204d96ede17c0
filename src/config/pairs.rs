//! The pairs: which files each takes, its accounts, and what it has of its own.

use indexmap::IndexMap;
use url::Url;

use crate::source::{Side, Span, Spanned};
use crate::yaml::{Entry, Kind, Node};

use super::expand::has_reference;
use super::model::{Limits, Pair, Poll, SalesforceAuth};
use super::reading::Reading;

/// The folder of the snapshots where a pair does not say otherwise.
pub const SCHEMA: &str = "schema";

/// Hosts at which every org logs in, so that they do not say which org it is.
const SHARED_LOGINS: [&str; 2] = ["login.salesforce.com", "test.salesforce.com"];

/// Which files of the project a pair takes. Known without any variable, since checking needs none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    /// The pair's name.
    pub name: Spanned<String>,
    /// The folders and files with its mappings, relative to the project; all of the project without them.
    pub mappings: Option<Vec<Spanned<String>>>,
    /// The folder with its snapshots, relative to the project.
    pub schema: String,
}

impl PairFiles {
    /// The pairs of a configuration, as far as it can be read.
    pub(super) fn of(root: &Node) -> Vec<Self> {
        let entries = at(root, &["pairs"]).map_or(&[][..], entries);
        entries.iter().map(Self::of_pair).collect()
    }

    fn of_pair(entry: &Entry) -> Self {
        let place = |node: &Node| match &node.kind {
            Kind::Scalar { text, .. } => within(text).map(|text| Spanned::new(text, node.span)),
            _ => None,
        };
        let mappings = match at(&entry.value, &["mappings"]).map(|node| &node.kind) {
            Some(Kind::List(items)) => Some(items.iter().filter_map(place).collect()),
            _ => None,
        };
        let schema = at(&entry.value, &["schema"]).and_then(place);
        let schema = schema.map_or_else(|| SCHEMA.to_owned(), |schema| schema.value);
        Self { name: entry.key.clone(), mappings, schema }
    }

    /// Whether the pair takes a `.map` file of the project.
    pub fn takes(&self, file: &str) -> bool {
        self.mappings.as_ref().is_none_or(|places| places.iter().any(|place| holds(&place.value, file)))
    }
}

/// Whether a place, a folder or a file, holds a file.
pub fn holds(place: &str, file: &str) -> bool {
    file.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The mappings and syncs that `poll` names, for all pairs or for one.
pub(super) fn polled(root: &Node) -> Vec<Spanned<String>> {
    let of = |node: &Node| {
        let named = at(node, &["poll", "mappings"]).map_or(&[][..], entries);
        named.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>()
    };
    let pairs = at(root, &["pairs"]).map_or(&[][..], entries);
    of(root).into_iter().chain(pairs.iter().flat_map(|pair| of(&pair.value))).collect()
}

/// Whether the snapshots list owners: yes, unless `snapshots` says otherwise.
pub(super) fn owners(root: &Node) -> bool {
    !matches!(at(root, &["snapshots", "owners"]).map(|node| &node.kind), Some(Kind::Scalar { text, .. }) if text == "false")
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Map(entries) => entries,
        _ => &[],
    }
}

/// The value at a path of keys.
fn at<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    match path {
        [] => Some(node),
        [key, rest @ ..] => at(&entries(node).iter().find(|entry| entry.key.value == *key)?.value, rest),
    }
}

/// A path inside the project, in its plain form; `None` for any other.
fn within(text: &str) -> Option<String> {
    if text.starts_with('/') || text.contains(['\\', ':']) || has_reference(text) {
        return None;
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.is_empty() && !parts.contains(&"..")).then(|| parts.join("/"))
}

impl Reading<'_> {
    /// A pair; `poll` and `limits` are the project's.
    pub(super) fn pair(&self, entry: &Entry, poll: Option<&Poll>, limits: Option<&Limits>) -> Option<Pair> {
        let name = &entry.key;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.value.is_empty() || !name.value.chars().all(plain) {
            let message = format!("`{}` cannot name a pair", name.value);
            self.bad(name.span, message, "use letters, digits, `_` and `-`");
        }
        let mut keys = self.keys(entry, "a pair")?;
        let places = keys.entry("mappings").and_then(|entry| entry.value.list("mappings", &self.problems));
        for place in places.unwrap_or_default() {
            self.place(place, "mappings");
        }
        if let Some(schema) = keys.entry("schema") {
            self.place(&schema.value, "schema");
        }
        let hubspot = keys.need("hubspot").and_then(|entry| self.hubspot(entry));
        let salesforce = keys.need("salesforce").and_then(|entry| self.salesforce(entry));
        let poll = self.poll(keys.entry("poll"), poll.cloned().unwrap_or_default());
        let limits = self.limits(keys.entry("limits"), limits.cloned().unwrap_or_default());
        keys.finish();
        Some(Pair {
            name: name.value.clone(),
            limits: limits?,
            poll: poll?,
            hubspot: hubspot?,
            salesforce: salesforce?,
        })
    }

    /// Reports what is no path inside the project.
    fn place(&self, node: &Node, key: &str) {
        let Some(text) = node.text(key, &self.problems) else { return };
        if within(&text.value).is_some() {
            return;
        }
        let message = format!("`{}` is no folder or file of the project", text.value);
        let help = if has_reference(&text.value) {
            "write the path itself: mappings are checked without any variable"
        } else {
            "write a path from the project's folder, with `/` and without `..`"
        };
        self.bad(node.span, message, help);
    }

    /// Two pairs of one portal or org would write the same records twice, and nobody could tell whose an event is.
    pub(super) fn apart(&self, entries: &[Entry], pairs: &IndexMap<String, Pair>) {
        let portal = |entry: &Entry| {
            let node = at(&entry.value, &["hubspot", "portal"])?;
            let known = pairs.get(&entry.key.value).map(|pair| pair.hubspot.portal.to_string());
            Some((known.or_else(|| literal(node))?, node.span))
        };
        let org = |entry: &Entry| {
            let node = at(&entry.value, &["salesforce", "login_url"])?;
            let known = match pairs.get(&entry.key.value) {
                Some(pair) => org_of(&pair.salesforce.login_url, Some(&pair.salesforce.auth)),
                None => org_of(&Url::parse(&literal(node)?).ok()?, None),
            };
            Some((known?, node.span))
        };
        self.unique(entries, "the portal", portal);
        self.unique(entries, "the org", org);
    }

    /// Reports logins without a key to seal their tokens with.
    pub(super) fn unsealed(&self, entries: &[Entry]) {
        let wanted = entries.iter().filter(|entry| self.only.is_none_or(|only| entry.key.value == only));
        for (entry, side) in wanted.flat_map(|entry| Side::ALL.map(|side| (entry, side))) {
            if let Some(oauth) = at(&entry.value, &[side.word(), "auth", "oauth"]) {
                let (pair, label) = (&entry.key.value, side.label());
                let message = format!(
                    "pair `{pair}` logs in to {label}, so its token is kept sealed, and there is no key"
                );
                let help =
                    "write `keys: [\"${MAPWRIGHT_KEY}\"]` under `store:` (`mapwright auth key` prints a key)";
                self.bad(oauth.span, message, help);
            }
        }
    }

    fn unique(&self, entries: &[Entry], what: &str, of: impl Fn(&Entry) -> Option<(String, Span)>) {
        let mut seen: Vec<(String, &str)> = Vec::new();
        for entry in entries {
            let Some((account, span)) = of(entry) else { continue };
            let name = entry.key.value.as_str();
            match seen.iter().find(|(known, _)| *known == account) {
                Some((_, first)) => {
                    let message = format!("the pair `{name}` has {what} of the pair `{first}`");
                    let help = "a portal and an org belong to one pair; put the mappings of both into one";
                    self.bad(span, message, help);
                }
                None => seen.push((account, name)),
            }
        }
    }
}

/// A scalar that needs no variable.
fn literal(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar { text, .. } if !has_reference(text) => Some(text.clone()),
        _ => None,
    }
}

/// What tells an org from another, where the configuration says it: its own domain, or the user who logs in.
fn org_of(login: &Url, auth: Option<&SalesforceAuth>) -> Option<String> {
    if !login.host_str().is_some_and(|host| SHARED_LOGINS.contains(&host)) {
        return Some(login.origin().ascii_serialization());
    }
    match auth? {
        SalesforceAuth::JwtBearer { username, .. } => Some(username.to_lowercase()),
        SalesforceAuth::ClientCredentials { client_id, .. } => Some(client_id.clone()),
        // Whose tokens these are is known once somebody has logged in.
        SalesforceAuth::OAuth { .. } | SalesforceAuth::RefreshToken { .. } => None,
    }
}

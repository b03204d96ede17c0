//! How a pair proves who it is, and the keys that seal what logins give.

use secrecy::SecretString;

use crate::diagnostic::{Code, Diagnostic};
use crate::yaml::Entry;

use super::model::{HubspotAuth, KeySource, PrivateKey, SalesforceAuth};
use super::reading::{Reading, optional};

/// What the shipped mappings need of HubSpot.
const HUBSPOT_SCOPES: [&str; 12] = [
    "oauth",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.contacts.read",
    "crm.schemas.companies.read",
    "crm.schemas.deals.read",
    "timeline",
];

/// What every call to Salesforce needs, and a refresh token.
const SALESFORCE_SCOPES: [&str; 2] = ["api", "refresh_token"];

impl Reading<'_> {
    /// A private app's `token`, or `auth: oauth:`.
    pub(super) fn hubspot_auth(
        &self,
        hubspot: &Entry,
        token: Option<&Entry>,
        auth: Option<&Entry>,
        local: bool,
    ) -> Option<HubspotAuth> {
        match (token, auth) {
            (Some(token), None) => self.secret(&token.value, "token", local).map(HubspotAuth::Token),
            (None, Some(auth)) => self.hubspot_oauth(auth, local),
            (Some(_), Some(auth)) => {
                self.bad(auth.key.span, "`token` and `auth` exclude each other", "keep one of them");
                None
            }
            (None, None) => {
                let message = "`hubspot` needs the key `token`";
                self.problems.report(
                    Diagnostic::error(Code::YAML_MISSING_KEY, hubspot.key.span, message)
                        .label("has no `token`")
                        .help("add `token: …` for a private app, or `auth: { oauth: … }` for an OAuth app"),
                );
                None
            }
        }
    }

    fn hubspot_oauth(&self, entry: &Entry, local: bool) -> Option<HubspotAuth> {
        let mut keys = self.keys(entry, "`auth`")?;
        let oauth = keys.need("oauth");
        keys.finish();
        let entry = oauth?;
        let mut keys = self.keys(entry, "`oauth`")?;
        let client_id = keys.need("client_id").and_then(|entry| self.text(entry));
        let client_secret = keys.need("client_secret").and_then(|entry| self.secret_of(entry, local));
        let scopes = self.scopes(keys.entry("scopes"), &HUBSPOT_SCOPES);
        keys.finish();
        Some(HubspotAuth::OAuth { client_id: client_id?, client_secret: client_secret?, scopes: scopes? })
    }

    fn salesforce_oauth(&self, entry: &Entry, local: bool) -> Option<SalesforceAuth> {
        let mut keys = self.keys(entry, "`oauth`")?;
        let client_id = keys.need("client_id").and_then(|entry| self.text(entry));
        let client_secret = keys.entry("client_secret").map(|entry| self.secret_of(entry, local));
        let scopes = self.scopes(keys.entry("scopes"), &SALESFORCE_SCOPES);
        keys.finish();
        let client_secret = optional(client_secret)?;
        Some(SalesforceAuth::OAuth { client_id: client_id?, client_secret, scopes: scopes? })
    }

    fn scopes(&self, entry: Option<&Entry>, default: &[&str]) -> Option<Vec<String>> {
        let Some(entry) = entry else {
            return Some(default.iter().map(|scope| (*scope).to_owned()).collect());
        };
        let items = entry.value.list("scopes", &self.problems)?;
        let mut scopes = Vec::with_capacity(items.len());
        for item in items {
            let scope = item.text("scopes", &self.problems)?.value;
            if scope.is_empty() || scope.contains(char::is_whitespace) {
                let message = format!("`{scope}` is no scope");
                self.bad(item.span, message, "write one scope an item, as the vendor spells it");
                return None;
            }
            scopes.push(scope);
        }
        if scopes.is_empty() {
            self.bad(entry.value.span, "`scopes` is empty", "list the scopes, or remove the key");
            return None;
        }
        Some(scopes)
    }

    /// The keys of `store:`, of which there may be none.
    #[expect(clippy::option_option, reason = "the outer is whether it could be read, the inner its value")]
    pub(super) fn seals(&self, store: &Entry) -> Option<Option<KeySource>> {
        // What else is wrong with `store` is reported where it is read as a whole.
        let find = |name: &str| match &store.value.kind {
            crate::yaml::Kind::Map(entries) => entries.iter().find(|entry| entry.key.value == name),
            _ => None,
        };
        match (find("keys"), find("key_file")) {
            (None, None) => Some(None),
            (None, Some(file)) => self.text(file).map(KeySource::File).map(Some),
            (Some(_), Some(file)) => {
                self.bad(file.key.span, "`keys` and `key_file` exclude each other", "keep one of them");
                None
            }
            (Some(keys), None) => {
                let items = keys.value.list("keys", &self.problems)?;
                if items.is_empty() {
                    self.bad(
                        keys.value.span,
                        "`keys` is empty",
                        "list the newest key first, then those before it",
                    );
                    return None;
                }
                let keys: Option<Vec<SecretString>> =
                    items.iter().map(|item| self.secret(item, "keys", false)).collect();
                keys.map(KeySource::Given).map(Some)
            }
        }
    }

    pub(super) fn auth(&self, entry: &Entry, local: bool) -> Option<SalesforceAuth> {
        let mut keys = self.keys(entry, "`auth`")?;
        let flows =
            ["client_credentials", "jwt_bearer", "refresh_token", "oauth"].map(|flow| keys.entry(flow));
        keys.finish();
        let [client_credentials, jwt_bearer, refresh_token, oauth] = flows;
        match flows.iter().flatten().count() {
            1 => {}
            0 => {
                let message = "`auth` names no way to log in";
                let help = "write one of `client_credentials`, `jwt_bearer`, `oauth` and `refresh_token`";
                self.problems
                    .report(Diagnostic::error(Code::YAML_MISSING_KEY, entry.key.span, message).help(help));
            }
            _ => self.bad(entry.key.span, "`auth` names several ways to log in", "keep one of them"),
        }
        let credentials = client_credentials.map(|entry| self.client_credentials(entry, local));
        let jwt = jwt_bearer.map(|entry| self.jwt_bearer(entry, local));
        let refresh = refresh_token.map(|entry| self.refresh_token(entry, local));
        let oauth = oauth.map(|entry| self.salesforce_oauth(entry, local));
        credentials.or(jwt).or(refresh).or(oauth).flatten()
    }

    fn client_credentials(&self, entry: &Entry, local: bool) -> Option<SalesforceAuth> {
        let mut keys = self.keys(entry, "`client_credentials`")?;
        let client_id = keys.need("client_id").and_then(|entry| self.text(entry));
        let client_secret = keys.need("client_secret").and_then(|entry| self.secret_of(entry, local));
        keys.finish();
        Some(SalesforceAuth::ClientCredentials { client_id: client_id?, client_secret: client_secret? })
    }

    fn jwt_bearer(&self, entry: &Entry, local: bool) -> Option<SalesforceAuth> {
        let mut keys = self.keys(entry, "`jwt_bearer`")?;
        let client_id = keys.need("client_id").and_then(|entry| self.text(entry));
        let username = keys.need("username").and_then(|entry| self.text(entry));
        let pem = keys.entry("private_key");
        let file = keys.entry("private_key_file");
        let audience = keys.entry("audience").map(|entry| self.text(entry));
        keys.finish();
        let private_key = match (pem, file) {
            (Some(pem), None) => self.secret_of(pem, local).map(PrivateKey::Pem),
            (None, Some(file)) => self.text(file).map(PrivateKey::File),
            (Some(_), Some(file)) => {
                self.bad(
                    file.key.span,
                    "`private_key` and `private_key_file` exclude each other",
                    "keep one of them",
                );
                None
            }
            (None, None) => {
                let message = "`jwt_bearer` needs the key `private_key_file` or `private_key`";
                self.problems.report(Diagnostic::error(Code::YAML_MISSING_KEY, entry.key.span, message));
                None
            }
        };
        let audience = optional(audience)?;
        Some(SalesforceAuth::JwtBearer {
            client_id: client_id?,
            username: username?,
            private_key: private_key?,
            audience,
        })
    }

    fn refresh_token(&self, entry: &Entry, local: bool) -> Option<SalesforceAuth> {
        let mut keys = self.keys(entry, "`refresh_token`")?;
        let client_id = keys.need("client_id").and_then(|entry| self.text(entry));
        let client_secret = keys.entry("client_secret").map(|entry| self.secret_of(entry, local));
        let refresh_token = keys.need("refresh_token").and_then(|entry| self.secret_of(entry, local));
        keys.finish();
        let client_secret = optional(client_secret)?;
        Some(SalesforceAuth::RefreshToken {
            client_id: client_id?,
            client_secret,
            refresh_token: refresh_token?,
        })
    }
}

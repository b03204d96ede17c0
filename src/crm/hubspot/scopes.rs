//! The scopes of an app, by what a project does (HubSpot's "Scopes" page and the requirements of each endpoint).

use std::collections::BTreeMap;

use crate::schema::Schema;
use crate::source::Side;
use crate::types::{Access, ObjectAccess};

use super::OWNER;

/// The scope of HubSpot's owners.
pub const OWNERS: &str = "crm.objects.owners.read";

/// The scopes that older apps have for everything about some objects, the properties too. Newer apps are offered the same in
/// parts.
const WHOLE: [(&str, &str); 2] = [("tickets", "tickets"), ("products", "e-commerce")];

/// Whether what was granted covers a scope.
pub fn covered(scope: &str, granted: impl Fn(&str) -> bool) -> bool {
    let whole = || {
        let objects = scope.strip_prefix("crm.objects.")?.split('.').next()?;
        WHOLE.iter().find(|(of, _)| *of == objects).map(|(_, whole)| *whole)
    };
    granted(scope) || whole().is_some_and(granted)
}

/// The scopes that a project needs, each with what it is for.
pub fn scopes(access: &Access, schema: &Schema) -> BTreeMap<String, String> {
    let mut scopes: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |scope: String, what: String| {
        let reason = scopes.entry(scope).or_default();
        if !reason.is_empty() {
            reason.push_str(", ");
        }
        reason.push_str(&what);
    };
    for (object, rights) in access.objects.iter().filter(|(object, _)| object.side == Side::Hubspot) {
        let name = object.name.as_str();
        let known = schema.objects.get(name);
        if known.is_some_and(|known| known.timeline.is_some()) {
            add("timeline".to_owned(), format!("writes {name}"));
        } else if name == OWNER {
            add(OWNERS.to_owned(), "reads owners".to_owned());
        } else {
            let api_name = known.map_or(name, |known| known.api_name.as_str());
            of_object(api_name, name, rights, &mut add);
        }
    }
    scopes
}

fn of_object(api_name: &str, name: &str, rights: &ObjectAccess, add: &mut impl FnMut(String, String)) {
    let plural = match api_name {
        // Activities belong to the contacts that they are with.
        "contact" | "call" | "email" | "meeting" | "note" | "task" => "contacts",
        "company" => "companies",
        "deal" => "deals",
        "ticket" => "tickets",
        "product" => "products",
        "line_item" => "line_items",
        "quote" => "quotes",
        "lead" => "leads",
        _ => "custom",
    };
    add(format!("crm.objects.{plural}.read"), format!("reads {name}"));
    if rights.edit || rights.create {
        add(format!("crm.objects.{plural}.write"), format!("writes {name}"));
    }
    if !WHOLE.iter().any(|(objects, _)| *objects == plural) {
        add(format!("crm.schemas.{plural}.read"), format!("`schema pull` and `drift` of {name}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_apps_have_whole_objects() {
        let granted = |scopes: &'static [&str]| move |scope: &str| scopes.contains(&scope);
        assert!(covered("crm.objects.tickets.write", granted(&["tickets"])));
        assert!(covered("crm.objects.products.read", granted(&["e-commerce"])));
        assert!(covered("crm.objects.tickets.read", granted(&["crm.objects.tickets.read"])));
        assert!(!covered("crm.objects.tickets.write", granted(&["crm.objects.tickets.read", "e-commerce"])));
        assert!(!covered("crm.objects.contacts.read", granted(&["contacts", "tickets"])));
    }
}

//! The permission set of the integration's user, as the Metadata API deploys it (Salesforce's Metadata API guide:
//! `PermissionSet`).

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde_json::Value as Json;

use crate::schema::{Field, FieldType, Object, Schema};
use crate::source::Side;
use crate::types::{Access, CrmError};

use super::SalesforceClient;
use super::describe::NOT_FOUND;

/// The parts of a compound address: field-level security is that of the whole.
const ADDRESS_PARTS: &[&str] = &[
    "Street",
    "City",
    "State",
    "StateCode",
    "PostalCode",
    "Country",
    "CountryCode",
    "Latitude",
    "Longitude",
    "GeocodeAccuracy",
];

/// Standard fields that may be blank and that everybody sees all the same (the `permissionable` of their `describe`).
const SEEN_BY_ALL: &[&str] = &[
    "FirstName",
    "Salutation",
    "MiddleName",
    "Suffix",
    "RecordTypeId",
    "EmailBouncedReason",
    "EmailBouncedDate",
    "IndividualId",
    "ForecastCategoryName",
    "Pricebook2Id",
    "ContactId",
];

/// Standard checkboxes that a profile can take away, though no checkbox is ever blank (the same).
const CHECKBOXES: &[&str] = &["HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", "IsPrivate"];

/// Standard objects whose fields have no field-level security of their own, or are set up for users by other rights.
const WITHOUT: &[&str] = &[
    "User",
    "Group",
    "RecordType",
    "OpportunityContactRole",
    "CampaignMember",
    "LeadStatus",
    "Organization",
    "Profile",
];

/// The permissions on one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectPermissions {
    /// Whether records are made.
    pub create: bool,
    /// Whether records are changed.
    pub edit: bool,
    /// Fields with field-level security; true where one is edited.
    pub fields: BTreeMap<String, bool>,
}

/// What the integration's user must be allowed to do, by object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The objects whose permissions a permission set gives.
    pub objects: BTreeMap<String, ObjectPermissions>,
    /// Whether it converts Leads.
    pub convert: bool,
}

/// A permission that the integration's user does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The object, as Salesforce names it.
    pub object: String,
    /// The field; `None` where it is the object itself.
    pub field: Option<String>,
    /// What may not be done: `read`, `create`, `edit`, `read and edit`.
    pub right: &'static str,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{}.{field}: {}", self.object, self.right),
            None => write!(f, "{}: {}", self.object, self.right),
        }
    }
}

/// The permissions that a project needs.
pub fn permissions(access: &Access, schema: &Schema) -> Permissions {
    let mut needed = Permissions::default();
    for (name, rights) in access.objects.iter().filter(|(name, _)| name.side == Side::Salesforce) {
        let Some(object) = schema.objects.get(&name.name) else { continue };
        needed.convert |= rights.convert;
        // What everybody who may log in reads has no object permissions.
        if WITHOUT.contains(&object.api_name.as_str()) {
            continue;
        }
        let mut permissions =
            ObjectPermissions { create: rights.create, edit: rights.edit, fields: BTreeMap::new() };
        for (field, edit) in &rights.fields {
            let Some(field) = security_of(object, field) else { continue };
            // A compound address is written by its parts, but its permission says so.
            *permissions.fields.entry(field.to_owned()).or_default() |= *edit;
        }
        needed.objects.insert(object.api_name.clone(), permissions);
    }
    needed
}

/// The field whose field-level security counts for one of an object; `None` where everybody sees it.
pub fn security_of<'o>(object: &'o Object, field: &str) -> Option<&'o str> {
    object.field(field).and_then(|field| secured(object, field))
}

/// The field whose field-level security counts; `None` where everybody sees the field.
fn secured<'o>(object: &'o Object, field: &'o Field) -> Option<&'o str> {
    if field.name.ends_with("__c") {
        // A required field of one's own cannot be taken away; a checkbox is never blank and can.
        let securable = field.nillable || field.kind == FieldType::Boolean;
        return securable.then_some(field.name.as_str());
    }
    for part in ADDRESS_PARTS {
        let whole = field.name.strip_suffix(part).map(|prefix| format!("{prefix}Address"));
        if let Some(address) = whole.and_then(|whole| object.field(&whole)) {
            return Some(&address.name);
        }
    }
    let address = field.kind == FieldType::Other("address".to_owned());
    let open = SEEN_BY_ALL.contains(&field.name.as_str());
    let kept = (field.nillable && !field.read_only() && !open) || CHECKBOXES.contains(&field.name.as_str());
    (address || kept).then_some(field.name.as_str())
}

impl SalesforceClient {
    /// What of the permissions the integration's user does not have, by what `describe` shows that user.
    ///
    /// Fields that nobody can be kept from, as `describe` tells of this organisation, are taken out of `needed`.
    pub async fn ungranted(&self, needed: &mut Permissions) -> Result<Vec<Lack>, CrmError> {
        let mut missing = Vec::new();
        let lack = |object: &str, field: Option<&str>, right| Lack {
            object: object.to_owned(),
            field: field.map(str::to_owned),
            right,
        };
        for (object, permissions) in &mut needed.objects {
            let answer = match self.describe(object).await {
                Err(error) if error.status == Some(NOT_FOUND) => {
                    missing.push(lack(object, None, "read"));
                    continue;
                }
                other => other?,
            };
            let flag = |json: &Json, key: &str| json.get(key).and_then(Json::as_bool).unwrap_or(false);
            for (wanted, key, word) in
                [(permissions.create, "createable", "create"), (permissions.edit, "updateable", "edit")]
            {
                if wanted && !flag(&answer, key) {
                    missing.push(lack(object, None, word));
                }
            }
            let fields = answer.get("fields").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
            permissions.fields.retain(|name, edit| {
                let named = |field: &&Json| field.get("name").and_then(Json::as_str) == Some(name);
                let Some(field) = fields.iter().find(named) else {
                    missing.push(lack(object, Some(name), if *edit { "read and edit" } else { "read" }));
                    return true;
                };
                // A compound address is never written whole; its parts say what may be written, and they are alike.
                let whole = field.get("type").and_then(Json::as_str) == Some("address");
                let writable = whole || flag(field, "createable") || flag(field, "updateable");
                if *edit && !writable {
                    missing.push(lack(object, Some(name), "edit"));
                }
                flag(field, "permissionable") || *edit && !writable
            });
        }
        Ok(missing)
    }
}

/// The permission set as the file `Mapwright.permissionset-meta.xml`.
pub fn permission_set(needed: &Permissions) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PermissionSet xmlns=\"http://soap.sforce.com/2006/04/metadata\">\n    \
         <description>What the mappings between HubSpot and Salesforce read and write.</description>\n",
    );
    for (object, permissions) in &needed.objects {
        for (field, edit) in &permissions.fields {
            let _ = write!(
                xml,
                "    <fieldPermissions>\n        <editable>{edit}</editable>\n        <field>{object}.{field}</field>\n        \
                 <readable>true</readable>\n    </fieldPermissions>\n"
            );
        }
    }
    xml.push_str("    <hasActivationRequired>false</hasActivationRequired>\n    <label>Mapwright</label>\n");
    for (object, ObjectPermissions { create, edit, .. }) in &needed.objects {
        let _ = write!(
            xml,
            "    <objectPermissions>\n        <allowCreate>{create}</allowCreate>\n        <allowDelete>false</allowDelete>\n        \
             <allowEdit>{edit}</allowEdit>\n        <allowRead>true</allowRead>\n        \
             <modifyAllRecords>false</modifyAllRecords>\n        <object>{object}</object>\n        \
             <viewAllRecords>false</viewAllRecords>\n    </objectPermissions>\n"
        );
    }
    for right in std::iter::once("ApiEnabled").chain(needed.convert.then_some("ConvertLeads")) {
        let _ = write!(
            xml,
            "    <userPermissions>\n        <enabled>true</enabled>\n        <name>{right}</name>\n    </userPermissions>\n"
        );
    }
    xml.push_str("</PermissionSet>\n");
    xml
}

//! What Salesforce says about its objects: `describe`, the statuses of converted Leads, and what each record type allows.
//!
//! `describe` lists all options of a picklist, whatever the record type; the UI API's `picklist-values` says what one
//! record type allows ("Get Values for All Picklist Fields of a Record Type" in Salesforce's UI API guide).

use async_trait::async_trait;
use serde_json::Value as Json;

use crate::crm::describe::Describe;
use crate::schema::{
    DescribedField, DescribedObject, DescribedOption, DescribedOwner, DescribedRecordType, Who,
};
use crate::source::Side;
use crate::types::{CrmError, CrmErrorKind, Filter, FilterOp, Value};

use super::SalesforceClient;
use super::records::Scope;
use super::soql::SelectBuilder;

/// HTTP: there is no such object, or the user may not see it.
pub(super) const NOT_FOUND: u16 = 404;

/// The standard fields in which a person says no (Salesforce's object reference of Lead and Contact).
const CONSENT: &[&str] = &["HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall"];

/// The object whose records a conversion ends.
const LEAD: &str = "Lead";

/// The users of the organisation itself, and the groups that can own records (Salesforce's object reference of `User` and
/// `Group`).
const STANDARD: &str = "Standard";
const QUEUE: &str = "Queue";

/// Salesforce's word for an object that is not there, or not for this user.
const INVALID_TYPE: &str = "INVALID_TYPE";

#[async_trait]
impl Describe for SalesforceClient {
    fn side(&self) -> Side {
        Side::Salesforce
    }

    fn api_version(&self) -> &str {
        &self.version
    }

    async fn object_names(&self) -> Result<Vec<String>, CrmError> {
        let answer = self.describe_global().await?;
        let objects = answer.get("sobjects").and_then(Json::as_array).into_iter().flatten();
        // What cannot be queried cannot be read by a mapping, and what has no layout is Salesforce's own bookkeeping.
        let usable = objects.filter(|object| {
            flag(object, "queryable") && flag(object, "layoutable") && !flag(object, "deprecatedAndHidden")
        });
        Ok(usable.filter_map(|object| text(object, "name")).collect())
    }

    async fn describe_object(&self, api_name: &str) -> Result<Option<DescribedObject>, CrmError> {
        let answer = match self.describe(api_name).await {
            Err(error) if error.status == Some(NOT_FOUND) => return Ok(None),
            other => other?,
        };
        let mut object =
            object(&answer).ok_or_else(|| self.not_understood("it has no `name` or `fields`"))?;
        if object.name == LEAD {
            self.mark_converted(&mut object).await?;
        }
        let types: Vec<(usize, String)> = answer
            .get("recordTypeInfos")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter(|info| !flag(info, "master"))
            .enumerate()
            .filter_map(|(at, info)| Some((at, text(info, "recordTypeId").filter(|_| flag(info, "active"))?)))
            .collect();
        for (at, id) in types {
            let allowed = self.allowed(&object, &id).await?;
            object.record_types[at].picklists = allowed;
        }
        Ok(Some(object))
    }

    /// Associations are HubSpot's; here records refer to one another by fields.
    async fn association_labels(
        &self,
        _from: &DescribedObject,
        _to: &DescribedObject,
    ) -> Result<Option<Vec<String>>, CrmError> {
        Ok(None)
    }

    async fn owners(&self) -> Result<Vec<DescribedOwner>, CrmError> {
        let users = self.all("User", &["Username", "Email", "IsActive"], ("UserType", STANDARD)).await?;
        let queues = self.all("Group", &["DeveloperName", "Name"], ("Type", QUEUE)).await?;
        let user = |row: &Json| {
            let who = Who::Person { email: text(row, "Email"), username: Some(text(row, "Username")?) };
            Some(DescribedOwner { id: text(row, "Id")?, who, active: flag(row, "IsActive") })
        };
        let queue = |row: &Json| {
            let name = text(row, "Name")?;
            let developer_name = text(row, "DeveloperName").unwrap_or_else(|| name.clone());
            Some(DescribedOwner {
                id: text(row, "Id")?,
                who: Who::Queue { developer_name, name },
                active: true,
            })
        };
        let owners: Option<Vec<_>> = users.iter().map(user).chain(queues.iter().map(queue)).collect();
        owners.ok_or_else(|| self.not_understood("an owner has no `Id`, `Username` or `Name`"))
    }
}

impl SalesforceClient {
    fn not_understood(&self, what: &str) -> CrmError {
        self.http.error(CrmErrorKind::Garbled, format!("the answer is not understood: {what}"))
    }

    /// All records of a kind, by id.
    async fn all(
        &self,
        object: &str,
        fields: &[&str],
        (kind, is): (&str, &str),
    ) -> Result<Vec<Json>, CrmError> {
        let test = Filter { field: kind.to_owned(), op: FilterOp::Eq(Value::Text(is.into())) };
        let select = SelectBuilder::from(object);
        let select =
            fields.iter().fold(select, |select, field| select.and_then(|select| select.field(field)));
        let soql = select
            .and_then(|select| select.filter(&test))
            .and_then(|select| select.by_id(None))
            .and_then(SelectBuilder::build)
            .map_err(|error| self.refused(error.to_string()))?;
        match self.query_dated(&soql, Scope::Live).await {
            // So Salesforce answers a user who may not see the object.
            Err(error) if error.code.as_deref() == Some(INVALID_TYPE) => {
                Err(CrmError { kind: CrmErrorKind::Forbidden, ..error })
            }
            other => Ok(other?.rows),
        }
    }

    /// Marks the statuses that stand for converted Leads, which only records of `LeadStatus` tell.
    async fn mark_converted(&self, lead: &mut DescribedObject) -> Result<(), CrmError> {
        let select = SelectBuilder::from("LeadStatus")
            .and_then(|select| select.field("ApiName"))
            .and_then(|select| select.field("IsConverted"));
        let soql = select.and_then(SelectBuilder::build).map_err(|error| self.refused(error.to_string()))?;
        let rows = self.query_dated(&soql, Scope::Live).await?.rows;
        let converted: Vec<String> = rows
            .iter()
            .filter(|row| flag(row, "IsConverted"))
            .filter_map(|row| text(row, "ApiName"))
            .collect();
        let status = lead.fields.iter_mut().find(|field| field.name == "Status");
        for option in status.into_iter().flat_map(|status| &mut status.options) {
            option.converted = converted.contains(&option.value);
        }
        Ok(())
    }

    /// The options that a record type allows, for the picklists of which it does not allow all.
    async fn allowed(
        &self,
        object: &DescribedObject,
        record_type: &str,
    ) -> Result<Vec<(String, Vec<String>)>, CrmError> {
        let path = ["ui-api", "object-info", &object.api_name, "picklist-values", record_type];
        let answer = self.get(&path).await?;
        let lists = answer.get("picklistFieldValues").and_then(Json::as_object);
        let lists = lists.ok_or_else(|| self.not_understood("it has no `picklistFieldValues`"))?;
        let mut restricted = Vec::new();
        for field in &object.fields {
            let Some(values) = lists.get(&field.name).and_then(|list| list.get("values")?.as_array()) else {
                continue;
            };
            let values: Vec<String> = values.iter().filter_map(|value| text(value, "value")).collect();
            let mut all = field.options.iter().filter(|option| option.active);
            if !all.all(|option| values.contains(&option.value)) {
                // Only what `describe` knows: a list of countries and states has values of its own here.
                let known = field.options.iter().map(|option| &option.value);
                let allowed = known.filter(|value| values.contains(value)).cloned().collect();
                restricted.push((field.name.clone(), allowed));
            }
        }
        Ok(restricted)
    }
}

fn object(answer: &Json) -> Option<DescribedObject> {
    let name = text(answer, "name")?;
    let fields = answer.get("fields")?.as_array()?;
    let fields: Vec<DescribedField> = fields.iter().filter_map(field).collect();
    let infos = answer.get("recordTypeInfos").and_then(Json::as_array).into_iter().flatten();
    let record_types = infos.filter(|info| !flag(info, "master")).filter_map(record_type).collect();
    Some(DescribedObject {
        api_name: name.clone(),
        label: text(answer, "label").unwrap_or_else(|| name.clone()),
        plural: None,
        type_id: None,
        key_prefix: text(answer, "keyPrefix"),
        convertible: name == LEAD,
        fields,
        record_types,
        name,
        associations: Vec::new(),
    })
}

fn record_type(info: &Json) -> Option<DescribedRecordType> {
    let developer_name = text(info, "developerName")?;
    Some(DescribedRecordType {
        name: text(info, "name").unwrap_or_else(|| developer_name.clone()),
        developer_name,
        // One that the integration's user may not choose is as good as none.
        active: flag(info, "active") && flag(info, "available"),
        default: flag(info, "defaultRecordTypeMapping"),
        picklists: Vec::new(),
    })
}

fn field(facts: &Json) -> Option<DescribedField> {
    let name = text(facts, "name")?;
    let given = text(facts, "type")?;
    let kind = kind(&given);
    let number =
        |key: &str| facts.get(key).and_then(Json::as_u64).and_then(|number| u32::try_from(number).ok());
    let has_length = matches!(
        kind,
        "string" | "textarea" | "encryptedstring" | "picklist" | "combobox" | "email" | "phone" | "url"
    );
    let has_precision = matches!(kind, "double" | "currency" | "percent");
    // What the type says alone: an id and a checkbox are never blank, and Salesforce fills them.
    let filled = matches!(kind, "id" | "boolean");
    let is_list = matches!(kind, "picklist" | "multipicklist" | "combobox");
    Some(DescribedField {
        label: text(facts, "label").unwrap_or_else(|| name.clone()),
        length: number("length").filter(|_| has_length),
        digits: number("digits").filter(|_| kind == "int"),
        precision: number("precision").zip(number("scale")).filter(|_| has_precision),
        required: !flag(facts, "nillable") && !filled,
        defaulted_on_create: flag(facts, "defaultedOnCreate") && !filled,
        createable: flag(facts, "createable"),
        updateable: flag(facts, "updateable"),
        calculated: flag(facts, "calculated"),
        external_id: flag(facts, "externalId"),
        unique: flag(facts, "unique"),
        consent: CONSENT.contains(&name.as_str()),
        restricted: flag(facts, "restrictedPicklist") && matches!(kind, "picklist" | "multipicklist"),
        references: texts(facts, "referenceTo"),
        relationship: text(facts, "relationshipName"),
        options: if is_list { options(facts) } else { Vec::new() },
        kind: kind.to_owned(),
        name,
        ..DescribedField::default()
    })
}

/// The type as a snapshot writes it. What is none of its types is something that a mapping cannot read or write.
fn kind(given: &str) -> &str {
    match given {
        "string" | "textarea" | "encryptedstring" | "picklist" | "multipicklist" | "combobox" | "double"
        | "currency" | "percent" | "int" | "boolean" | "date" | "datetime" | "time" | "email" | "phone"
        | "url" | "reference" | "id" | "address" | "location" | "base64" => given,
        _ => "anyType",
    }
}

fn options(facts: &Json) -> Vec<DescribedOption> {
    let mut options: Vec<DescribedOption> = Vec::new();
    for option in facts.get("picklistValues").and_then(Json::as_array).into_iter().flatten() {
        let Some(value) = text(option, "value") else { continue };
        if options.iter().any(|known| known.value == value) {
            continue;
        }
        let label = text(option, "label").unwrap_or_else(|| value.clone());
        options.push(DescribedOption { value, label, active: flag(option, "active"), converted: false });
    }
    options
}

fn text(json: &Json, key: &str) -> Option<String> {
    json.get(key)?.as_str().map(str::to_owned)
}

fn texts(json: &Json, key: &str) -> Vec<String> {
    let list = json.get(key).and_then(Json::as_array).into_iter().flatten();
    list.filter_map(Json::as_str).map(str::to_owned).collect()
}

fn flag(json: &Json, key: &str) -> bool {
    json.get(key).and_then(Json::as_bool).unwrap_or(false)
}

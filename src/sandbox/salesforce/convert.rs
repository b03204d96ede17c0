//! The conversion of a Lead into an Account, a Contact and, unless it is declined, an Opportunity.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value};

use super::derived::CONVERTED_STATUS;
use super::error::ApiError;
use super::org::{Caller, Org};
use super::store::Record;
use super::xml::Element;
use super::{faults, ids, records};

/// What becomes of a Lead's fields on the Contact.
const TO_CONTACT: [(&str, &str); 17] = [
    ("FirstName", "FirstName"),
    ("LastName", "LastName"),
    ("Salutation", "Salutation"),
    ("Title", "Title"),
    ("Email", "Email"),
    ("Phone", "Phone"),
    ("MobilePhone", "MobilePhone"),
    ("Fax", "Fax"),
    ("LeadSource", "LeadSource"),
    ("Description", "Description"),
    ("Street", "MailingStreet"),
    ("City", "MailingCity"),
    ("State", "MailingState"),
    ("PostalCode", "MailingPostalCode"),
    ("Country", "MailingCountry"),
    ("HasOptedOutOfEmail", "HasOptedOutOfEmail"),
    ("DoNotCall", "DoNotCall"),
];

/// What becomes of a Lead's fields on a new Account.
const TO_ACCOUNT: [(&str, &str); 12] = [
    ("Company", "Name"),
    ("Phone", "Phone"),
    ("Fax", "Fax"),
    ("Website", "Website"),
    ("Industry", "Industry"),
    ("AnnualRevenue", "AnnualRevenue"),
    ("NumberOfEmployees", "NumberOfEmployees"),
    ("Street", "BillingStreet"),
    ("City", "BillingCity"),
    ("State", "BillingState"),
    ("PostalCode", "BillingPostalCode"),
    ("Country", "BillingCountry"),
];

/// One `leadConverts` element.
#[derive(Debug, Default)]
pub(super) struct Conversion {
    pub(super) lead_id: String,
    status: String,
    account_id: Option<String>,
    contact_id: Option<String>,
    opportunity_id: Option<String>,
    opportunity_name: Option<String>,
    owner_id: Option<String>,
    no_opportunity: bool,
    overwrite_lead_source: bool,
}

/// The ids of what a Lead was converted into.
#[derive(Debug, Clone)]
pub struct ConvertedLead {
    /// The Account.
    pub account: String,
    /// The Contact.
    pub contact: String,
    /// The Opportunity, unless it was declined.
    pub opportunity: Option<String>,
}

impl Conversion {
    /// The conversion of this Lead with nothing said about the rest.
    pub(super) fn of(lead_id: &str) -> Self {
        Self { lead_id: lead_id.to_owned(), status: CONVERTED_STATUS.to_owned(), ..Self::default() }
    }

    /// The conversion of this Lead as a person's form has it, under the names of the SOAP element.
    pub(super) fn form(lead_id: &str, form: &Value) -> Self {
        let text = |name: &str| form[name].as_str().map(str::to_owned);
        let blank = Self::of(lead_id);
        Self {
            status: text("convertedStatus").unwrap_or_else(|| blank.status.clone()),
            account_id: text("accountId"),
            contact_id: text("contactId"),
            opportunity_id: text("opportunityId"),
            opportunity_name: text("opportunityName"),
            owner_id: text("ownerId"),
            no_opportunity: form["doNotCreateOpportunity"] == Value::Bool(true),
            overwrite_lead_source: form["overwriteLeadSource"] == Value::Bool(true),
            ..blank
        }
    }

    pub(super) fn read(element: &Element) -> Self {
        let text = |name: &str| element.value(name).map(str::to_owned);
        let flag = |name: &str| element.value(name) == Some("true");
        Self {
            lead_id: text("leadId").unwrap_or_default(),
            status: text("convertedStatus").unwrap_or_default(),
            account_id: text("accountId"),
            contact_id: text("contactId"),
            opportunity_id: text("opportunityId"),
            opportunity_name: text("opportunityName"),
            owner_id: text("ownerId"),
            no_opportunity: flag("doNotCreateOpportunity"),
            overwrite_lead_source: flag("overwriteLeadSource"),
        }
    }
}

/// Converts a Lead, or leaves everything as it was.
pub(super) fn whole(
    org: &mut Org,
    caller: &Caller,
    conversion: &Conversion,
) -> Result<ConvertedLead, Vec<ApiError>> {
    let mark = org.store.mark();
    let done = convert(org, caller, conversion);
    if done.is_err() {
        org.store.rollback(mark);
    }
    done
}

fn convert(org: &mut Org, caller: &Caller, conversion: &Conversion) -> Result<ConvertedLead, Vec<ApiError>> {
    let schema = Arc::clone(&org.schema);
    let error = |code, message: &str| vec![ApiError::on_fields(code, message, &[])];
    // INVARIANT: `Lead` is built in, and the seed can only add objects.
    let facts = schema.object("Lead").expect("Lead is built in");
    let lead_id = ids::normalize(&conversion.lead_id)
        .ok_or_else(|| error("MALFORMED_ID", &format!("bad id {}", conversion.lead_id)))?;
    let lead = org
        .store
        .get("Lead", &lead_id)
        .cloned()
        .ok_or_else(|| error("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"))?;
    if lead.deleted {
        return Err(error("ENTITY_IS_DELETED", "entity is deleted"));
    }
    let written = Map::from_iter([("Id".to_owned(), lead_id.clone().into())]);
    if let Some(struck) = faults::for_record(org, caller, "Lead", &written) {
        return Err(vec![struck]);
    }
    if lead.get("IsConverted") == &Value::Bool(true) {
        return Err(error("CANNOT_UPDATE_CONVERTED_LEAD", "Lead is already converted"));
    }
    if conversion.status != CONVERTED_STATUS && !is_converted_status(org, &conversion.status) {
        return Err(error("INVALID_STATUS", &format!("invalid convertedStatus: {}", conversion.status)));
    }
    let owner = owner(org, caller, conversion, &lead)?;
    let account_id = account(org, caller, conversion, &lead, &owner)?;
    let contact_id = contact(org, caller, conversion, &lead, &owner, &account_id)?;
    let opportunity_id = opportunity(org, caller, conversion, &lead, &owner, &account_id, &contact_id)?;
    let mut converted = lead;
    for (field, value) in [
        ("Status", Value::from(conversion.status.clone())),
        ("IsConverted", true.into()),
        ("ConvertedDate", org.now().format("%Y-%m-%d").to_string().into()),
        ("ConvertedAccountId", account_id.clone().into()),
        ("ConvertedContactId", contact_id.clone().into()),
        ("ConvertedOpportunityId", opportunity_id.clone().map_or(Value::Null, Value::from)),
    ] {
        converted.set(field, value);
    }
    records::touch(facts, &mut converted, &caller.user_id, org.now());
    org.store.put(converted);
    Ok(ConvertedLead { account: account_id, contact: contact_id, opportunity: opportunity_id })
}

fn is_converted_status(org: &Org, status: &str) -> bool {
    org.store
        .records("LeadStatus")
        .any(|known| known.text("ApiName") == Some(status) && known.get("IsConverted") == &Value::Bool(true))
}

/// Who will own what is new: the one who is asked for, or the Lead's owner, or the caller.
fn owner(
    org: &Org,
    caller: &Caller,
    conversion: &Conversion,
    lead: &Record,
) -> Result<String, Vec<ApiError>> {
    let Some(asked) = &conversion.owner_id else {
        return Ok(user_owner(lead).unwrap_or_else(|| caller.user_id.clone()));
    };
    let owner = existing(org, "User", asked)?;
    let active =
        org.store.live("User", &owner).is_some_and(|user| user.get("IsActive") == &Value::Bool(true));
    if active {
        return Ok(owner);
    }
    let message = format!("operation performed with inactive user [{owner}]");
    Err(vec![ApiError::on_fields("INACTIVE_OWNER_OR_USER", message, &["ownerId"])])
}

/// The owner, unless it is a queue: queues own no accounts.
fn user_owner(lead: &Record) -> Option<String> {
    lead.text("OwnerId").filter(|owner| owner.starts_with("005")).map(str::to_owned)
}

fn mapped(lead: &Record, pairs: &[(&str, &str)]) -> Map<String, Value> {
    pairs
        .iter()
        .filter(|(from, _)| !lead.get(from).is_null())
        .map(|(from, to)| ((*to).to_owned(), lead.get(from).clone()))
        .collect()
}

/// Custom fields pass to fields of the same name, as an organisation's lead field mapping usually has it.
fn custom_fields(org: &Org, lead: &Record, target: &str) -> Map<String, Value> {
    let Some(object) = org.schema.object(target) else { return Map::new() };
    object
        .fields
        .iter()
        .filter(|field| field.is_custom() && field.createable() && !lead.get(&field.name).is_null())
        .map(|field| (field.name.clone(), lead.get(&field.name).clone()))
        .collect()
}

fn account(
    org: &mut Org,
    caller: &Caller,
    conversion: &Conversion,
    lead: &Record,
    owner: &str,
) -> Result<String, Vec<ApiError>> {
    if let Some(id) = &conversion.account_id {
        return existing(org, "Account", id);
    }
    if let Some(id) = &conversion.contact_id {
        let contact = existing(org, "Contact", id)?;
        let account = org.store.live("Contact", &contact).and_then(|contact| contact.text("AccountId"));
        if let Some(account) = account {
            return Ok(account.to_owned());
        }
    }
    let mut fields = mapped(lead, &TO_ACCOUNT);
    fields.extend(custom_fields(org, lead, "Account"));
    fields.insert("OwnerId".into(), owner.into());
    records::create(org, caller, "Account", &fields, "")
}

fn contact(
    org: &mut Org,
    caller: &Caller,
    conversion: &Conversion,
    lead: &Record,
    owner: &str,
    account_id: &str,
) -> Result<String, Vec<ApiError>> {
    let mut fields = mapped(lead, &TO_CONTACT);
    fields.extend(custom_fields(org, lead, "Contact"));
    if let Some(id) = &conversion.contact_id {
        let id = existing(org, "Contact", id)?;
        // INVARIANT: `existing` has just found it, and the organisation is locked.
        let contact = org.store.live("Contact", &id).cloned().expect("the contact exists");
        if contact.text("AccountId").is_some_and(|account| account != account_id) {
            let message = "the contact does not belong to the account";
            return Err(vec![ApiError::on_fields("INVALID_CROSS_REFERENCE_KEY", message, &["contactId"])]);
        }
        // A merge into an existing contact fills its blanks and leaves the rest alone.
        fields.retain(|name, _| {
            contact.get(name).is_null() || (name == "LeadSource" && conversion.overwrite_lead_source)
        });
        records::update(org, caller, "Contact", &id, &fields, "")?;
        return Ok(id);
    }
    fields.insert("OwnerId".into(), owner.into());
    fields.insert("AccountId".into(), account_id.into());
    records::create(org, caller, "Contact", &fields, "")
}

fn opportunity(
    org: &mut Org,
    caller: &Caller,
    conversion: &Conversion,
    lead: &Record,
    owner: &str,
    account_id: &str,
    contact_id: &str,
) -> Result<Option<String>, Vec<ApiError>> {
    if conversion.no_opportunity {
        return Ok(None);
    }
    let id = if let Some(id) = &conversion.opportunity_id {
        existing(org, "Opportunity", id)?
    } else {
        let name = conversion.opportunity_name.clone().unwrap_or_else(|| {
            format!("{}-", lead.text("Company").or_else(|| lead.text("Name")).unwrap_or_default())
        });
        let stage = org.store.records("OpportunityStage").next().and_then(|stage| stage.text("ApiName"));
        let mut fields = Map::new();
        fields.insert("StageName".into(), stage.unwrap_or("Prospecting").into());
        fields.insert("Name".into(), name.into());
        fields.insert("AccountId".into(), account_id.into());
        fields.insert("OwnerId".into(), owner.into());
        fields.insert("CloseDate".into(), quarter_end(org.now().date_naive()).to_string().into());
        if !lead.get("LeadSource").is_null() {
            fields.insert("LeadSource".into(), lead.get("LeadSource").clone());
        }
        records::create(org, caller, "Opportunity", &fields, "")?
    };
    let mut role = Map::new();
    role.insert("OpportunityId".into(), id.clone().into());
    role.insert("ContactId".into(), contact_id.into());
    role.insert("IsPrimary".into(), true.into());
    records::create(org, caller, "OpportunityContactRole", &role, "")?;
    Ok(Some(id))
}

/// The last day of the quarter, which a converted Lead's opportunity closes on.
fn quarter_end(date: NaiveDate) -> NaiveDate {
    let (year, month) =
        if date.month() > 9 { (date.year() + 1, 1) } else { (date.year(), (date.month0() / 3 + 1) * 3 + 1) };
    NaiveDate::from_ymd_opt(year, month, 1).and_then(|next| next.pred_opt()).unwrap_or(date)
}

fn existing(org: &Org, object: &str, id: &str) -> Result<String, Vec<ApiError>> {
    let found = ids::normalize(id).filter(|id| org.store.live(object, id).is_some());
    found.ok_or_else(|| {
        vec![ApiError::on_fields("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", &[])]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_opportunity_closes_with_the_quarter() {
        for (day, end) in [
            ("2024-01-01", "2024-03-31"),
            ("2024-06-30", "2024-06-30"),
            ("2024-09-30", "2024-09-30"),
            ("2024-12-31", "2024-12-31"),
        ] {
            assert_eq!(quarter_end(day.parse().unwrap()).to_string(), end);
        }
    }
}

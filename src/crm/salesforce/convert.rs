//! The conversion of Leads: the SOAP call `convertLead`.
//!
//! A conversion cannot be undone and cannot be sent twice, so one whose answer was lost is looked for: a Lead that is
//! converted has been converted by it, since it was not when the run looked a moment before. What is not converted then
//! has failed, and its record begins anew.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::Value as Json;

use crate::crm::http::{Answer, Body, Call, join};
use crate::crm::waves::waves;
use crate::source::Side;
use crate::types::{
    ConvertAnswer, ConvertRequest, ConvertedInto, CrmError, CrmErrorKind, FieldError, ReadRequest, Record,
};

use super::soap::{self, Element};
use super::{SalesforceClient, answers, is_id};

/// Leads in one call (Salesforce's SOAP guide: `convertLead()`). An organisation that takes fewer says so, and the call
/// is halved.
pub(super) const LEADS: usize = 200;

/// What a converted Lead says of itself (Salesforce's object reference: Lead).
const CONVERTED: [&str; 4] =
    ["IsConverted", "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId"];

impl SalesforceClient {
    /// Converts Leads; one answer for each request, in order.
    pub(super) async fn convert_leads(&self, requests: &[ConvertRequest]) -> Vec<ConvertAnswer> {
        let mut answers: Vec<Option<ConvertAnswer>> = requests.iter().map(refuse).collect();
        let sound: Vec<usize> = (0..requests.len()).filter(|index| answers[*index].is_none()).collect();
        for ((), members) in waves(&sound, LEADS, |index| ((), Some(requests[*index].id.clone()))) {
            let group: Vec<usize> = members.into_iter().map(|member| sound[member]).collect();
            self.convert_group(requests, group, &mut answers).await;
        }
        // INVARIANT: every sound request is in exactly one group, and a group answers all its members.
        let unsent = || ConvertAnswer::Failed(self.refused("the conversion was not sent"));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unsent)).collect()
    }

    async fn convert_group(
        &self,
        requests: &[ConvertRequest],
        group: Vec<usize>,
        answers: &mut [Option<ConvertAnswer>],
    ) {
        // Groups that are still to be sent; a refused whole is halved until the Lead at fault stands alone.
        let mut pending = vec![group];
        while let Some(group) = pending.pop() {
            let leads: Vec<&ConvertRequest> = group.iter().map(|index| &requests[*index]).collect();
            match self.convert_call(&leads).await {
                Ok(converted) => {
                    for (index, answer) in group.into_iter().zip(converted) {
                        answers[index] = Some(answer);
                    }
                }
                Err(error) if error.kind == CrmErrorKind::Refused && group.len() > 1 => {
                    let (left, right) = group.split_at(group.len() / 2);
                    pending.extend([right.to_vec(), left.to_vec()]);
                }
                Err(error) if error.kind == CrmErrorKind::Refused => {
                    answers[group[0]] = Some(refused_call(&error));
                }
                Err(error) if error.maybe_applied => {
                    let found = self.look_for(&leads).await;
                    for index in group {
                        let into = found.get(&requests[index].id).cloned();
                        let failed = || ConvertAnswer::Failed(error.clone());
                        answers[index] = Some(into.map_or_else(failed, ConvertAnswer::Converted));
                    }
                }
                Err(error) => {
                    for index in group {
                        answers[index] = Some(ConvertAnswer::Failed(error.clone()));
                    }
                }
            }
        }
    }

    /// Makes one call; the results in order.
    async fn convert_call(&self, leads: &[&ConvertRequest]) -> Result<Vec<ConvertAnswer>, CrmError> {
        let body = format!(
            "<convertLead>{}</convertLead>",
            leads.iter().map(|lead| lead_convert(lead)).collect::<String>()
        );
        let session = self.sessions.current(&self.http).await?;
        let mut sent = self.http.send(&self.soap_call(&session, &body), None).await;
        if sent.as_ref().is_err_and(|error| error.kind == CrmErrorKind::Unauthorised) {
            // Nothing was converted, so it goes again with a new session.
            let session = self.sessions.renew(&self.http, &session).await?;
            sent = self.http.send(&self.soap_call(&session, &body), None).await;
        }
        let answer = sent?;
        if !answer.success() {
            return Err(self.http.explain(&answer, false));
        }
        let response = soap::body(&answer.body).filter(|body| body.name == "convertLeadResponse");
        let results: Vec<ConvertAnswer> = response
            .iter()
            .flat_map(|response| response.all("result"))
            .map(|result| self.converted(result, &answer))
            .collect();
        if results.len() == leads.len() { Ok(results) } else { Err(self.http.garbled(&answer, false)) }
    }

    fn soap_call(&self, session: &super::auth::Session, body: &str) -> Call {
        let url = join(&session.instance, &["services", "Soap", "u", &self.version]);
        let envelope = soap::envelope(&session.token, body);
        // The SOAP 1.1 binding demands the header; Salesforce does not read it.
        let headers = vec![("SOAPAction", "\"\"".to_owned())];
        Call { method: Method::POST, url, headers, body: Body::Xml(envelope), safe: false }
    }

    fn converted(&self, result: &Element, answer: &Answer) -> ConvertAnswer {
        if result.value("success") != Some("true") {
            return refused(result, answer);
        }
        let id = |name: &str| result.value(name).map(ToOwned::to_owned);
        match (id("accountId"), id("contactId")) {
            (Some(account), Some(contact)) => {
                ConvertAnswer::Converted(ConvertedInto { account, contact, opportunity: id("opportunityId") })
            }
            _ => ConvertAnswer::Failed(self.http.garbled(answer, false)),
        }
    }

    /// The Leads that are converted, by id as asked for; none where that cannot be found out.
    async fn look_for(&self, leads: &[&ConvertRequest]) -> HashMap<String, ConvertedInto> {
        let Some(first) = leads.first() else { return HashMap::new() };
        let request = ReadRequest {
            object: first.object.clone(),
            ids: leads.iter().map(|lead| lead.id.clone()).collect(),
            fields: CONVERTED.iter().map(|field| (*field).to_owned()).collect(),
        };
        let records = self.read_records(&request).await.unwrap_or_default();
        let converted = leads.iter().filter_map(|lead| {
            let record = records.iter().find(|record| same_id(&record.id, &lead.id))?;
            Some((lead.id.clone(), became(record)?))
        });
        converted.collect()
    }
}

/// What a Lead says that it became; `None` where it is not converted.
fn became(record: &Record) -> Option<ConvertedInto> {
    let text = |field: &str| record.values.get(field).and_then(Json::as_str).map(ToOwned::to_owned);
    let converted = record.values.get("IsConverted").and_then(Json::as_bool) == Some(true);
    let (account, contact) = (text("ConvertedAccountId")?, text("ConvertedContactId")?);
    converted.then(|| ConvertedInto { account, contact, opportunity: text("ConvertedOpportunityId") })
}

/// An id of 15 characters is answered with 18.
fn same_id(one: &str, other: &str) -> bool {
    one.get(..15).is_some_and(|start| other.get(..15) == Some(start))
}

/// What no call could carry is answered here, so that it does not fail its neighbours.
fn refuse(request: &ConvertRequest) -> Option<ConvertAnswer> {
    let error = |code: &str, message: String| {
        let errors = vec![FieldError { code: code.to_owned(), message, fields: Vec::new() }];
        Some(ConvertAnswer::Rejected { errors })
    };
    if !is_id(&request.id) {
        return Some(ConvertAnswer::Gone { message: format!("`{}` is not a Salesforce id", request.id) });
    }
    for (what, id) in [("account", &request.account), ("owner", &request.owner)] {
        if let Some(id) = id.as_ref().filter(|id| !is_id(id)) {
            return error("MALFORMED_ID", format!("the {what} `{id}` is not a Salesforce id"));
        }
    }
    let texts = [Some(&request.status), request.opportunity.as_ref()];
    if texts.into_iter().flatten().any(|text| !soap::is_xml(text)) {
        let message = "the name holds a control character, which XML cannot carry";
        return error("INVALID_CHARACTER", message.to_owned());
    }
    None
}

/// One Lead of the call. The elements stand in the order of the API's schema.
fn lead_convert(lead: &ConvertRequest) -> String {
    let optional =
        |name: &str, text: Option<&String>| text.map_or_else(String::new, |text| soap::element(name, text));
    let without = lead.opportunity.is_none();
    [
        "<leadConverts>".to_owned(),
        optional("accountId", lead.account.as_ref()),
        soap::element("convertedStatus", &lead.status),
        soap::element("doNotCreateOpportunity", if without { "true" } else { "false" }),
        soap::element("leadId", &lead.id),
        optional("opportunityName", lead.opportunity.as_ref()),
        soap::element("overwriteLeadSource", "false"),
        optional("ownerId", lead.owner.as_ref()),
        soap::element("sendNotificationEmail", "false"),
        "</leadConverts>".to_owned(),
    ]
    .concat()
}

/// What the refusal of one Lead means.
fn refused(result: &Element, answer: &Answer) -> ConvertAnswer {
    let errors: Vec<FieldError> = result
        .all("errors")
        .map(|error| FieldError {
            code: error.value("statusCode").unwrap_or("UNKNOWN").to_owned(),
            message: error.value("message").unwrap_or_default().to_owned(),
            fields: error.all("fields").map(|field| field.text.trim().to_owned()).collect(),
        })
        .collect();
    if errors.is_empty() {
        let message = format!("refused without a reason: {}", answer.excerpt());
        let errors = vec![FieldError { code: "UNKNOWN".to_owned(), message, fields: Vec::new() }];
        return ConvertAnswer::Rejected { errors };
    }
    answers::conversion(errors)
}

/// A call that was refused for the one Lead in it.
fn refused_call(error: &CrmError) -> ConvertAnswer {
    debug_assert_eq!(error.side, Side::Salesforce);
    let code = error.code.clone().unwrap_or_else(|| "REFUSED".to_owned());
    answers::conversion(vec![FieldError { code, message: error.message.clone(), fields: Vec::new() }])
}

//! The partner SOAP API, as far as nothing else does its work: sign-in, lead conversion, and who one is.

use super::auth;
use super::convert::{self, Conversion};
use super::error::ApiError;
use super::http::{Answer, Request};
use super::org::{Caller, Org};
use super::xml::{Element, escape, parse};

/// Leads in one call (Salesforce's SOAP guide: convertLead, API version 59 and later take 200).
const MAX_CONVERSIONS: usize = 200;

/// A refused call: its code and message.
struct Fault {
    code: String,
    message: String,
}

impl Fault {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }
}

/// Answers `POST /services/Soap/u/{version}`.
pub(super) fn route(org: &mut Org, request: &Request, path: &[&str]) -> Answer {
    let version = path.first().and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    let answer = match version {
        _ if request.method != "POST" => Err(Fault::new("UNKNOWN_EXCEPTION", "SOAP is sent with POST")),
        Some(version) => call(org, request, version),
        None => Err(Fault::new("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL")),
    };
    match answer {
        Ok(body) => Answer::text(200, "text/xml; charset=utf-8", envelope(&body)),
        Err(fault) => refused(&fault.code, &fault.message),
    }
}

/// A fault: status 500.
pub(super) fn refused(code: &str, message: &str) -> Answer {
    let fault = Fault::new(code, message);
    Answer::text(500, "text/xml; charset=utf-8", envelope(&fault_body(&fault)))
}

fn call(org: &mut Org, request: &Request, version: u32) -> Result<String, Fault> {
    let document = parse(&request.body).map_err(|error| Fault::new("soapenv:Client", error))?;
    let envelope = document.child("Envelope").ok_or_else(|| Fault::new("soapenv:Client", "no Envelope"))?;
    let operation = envelope.child("Body").and_then(|body| body.children.first());
    let operation = operation.ok_or_else(|| Fault::new("soapenv:Client", "the Body is empty"))?;
    if operation.name == "login" {
        return login(org, operation, version);
    }
    let header = envelope.child("Header");
    let token =
        header.and_then(|header| header.find("sessionId")).map(|session| session.text.trim().to_owned());
    let user_id = token.and_then(|token| org.sessions.user_of(&token).map(str::to_owned)).ok_or_else(|| {
        Fault::new(
            "INVALID_SESSION_ID",
            "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session key",
        )
    })?;
    if org.api_requests >= org.config.daily_api_requests {
        return Err(Fault::new("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    }
    org.api_requests += 1;
    let allow_save = header
        .and_then(|header| header.find("DuplicateRuleHeader"))
        .is_some_and(|header| header.value("allowSave") == Some("true"));
    let caller = Caller { allow_save, ..Caller::new(user_id, version) };
    match operation.name.as_str() {
        "convertLead" => convert_leads(org, &caller, operation),
        "getUserInfo" => Ok(format!(
            "<getUserInfoResponse><result>{}</result></getUserInfoResponse>",
            user_info(org, &caller.user_id)
        )),
        "getServerTimestamp" => Ok(format!(
            "<getServerTimestampResponse><result><timestamp>{}</timestamp></result></getServerTimestampResponse>",
            org.now().format("%Y-%m-%dT%H:%M:%S.000Z")
        )),
        "logout" => Ok("<logoutResponse/>".to_owned()),
        other => {
            Err(Fault::new("INVALID_OPERATION", format!("The sandbox does not know the operation {other}")))
        }
    }
}

fn login(org: &mut Org, operation: &Element, version: u32) -> Result<String, Fault> {
    let username = operation.value("username").unwrap_or_default();
    let password = operation.value("password").unwrap_or_default();
    let user_id = auth::sign_in(org, username, password).ok_or_else(|| {
        Fault::new("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    })?;
    let organization = org.organization_id.clone();
    let token = org.sessions.open(&organization, &user_id);
    let base = &org.base_url;
    Ok(format!(
        "<loginResponse><result><metadataServerUrl>{base}/services/Soap/m/{version}.0/{organization}</metadataServerUrl>\
         <passwordExpired>false</passwordExpired><sandbox>true</sandbox>\
         <serverUrl>{base}/services/Soap/u/{version}.0/{organization}</serverUrl>\
         <sessionId>{}</sessionId><userId>{user_id}</userId><userInfo>{}</userInfo></result></loginResponse>",
        escape(&token),
        user_info(org, &user_id),
    ))
}

fn user_info(org: &Org, user_id: &str) -> String {
    let field = |name: &str| {
        org.store.live("User", user_id).and_then(|user| user.text(name)).map(escape).unwrap_or_default()
    };
    format!(
        "<currencySymbol>$</currencySymbol><organizationId>{}</organizationId><organizationName>Sandbox</organizationName>\
         <sessionSecondsValid>7200</sessionSecondsValid><userEmail>{}</userEmail><userFullName>{}</userFullName>\
         <userId>{user_id}</userId><userLanguage>en_US</userLanguage><userLocale>en_US</userLocale>\
         <userName>{}</userName><userTimeZone>America/Los_Angeles</userTimeZone><userType>Standard</userType>",
        org.organization_id,
        field("Email"),
        field("Name"),
        field("Username"),
    )
}

fn convert_leads(org: &mut Org, caller: &Caller, operation: &Element) -> Result<String, Fault> {
    let wanted: Vec<&Element> =
        operation.children.iter().filter(|child| child.name == "leadConverts").collect();
    if wanted.len() > MAX_CONVERSIONS {
        let message =
            format!("Too many lead conversions in one call: {} (max {MAX_CONVERSIONS})", wanted.len());
        return Err(Fault::new("EXCEEDED_ID_LIMIT", message));
    }
    let mut body = String::from("<convertLeadResponse>");
    for element in wanted {
        let conversion = Conversion::read(element);
        let done = convert::whole(org, caller, &conversion);
        body.push_str(&convert_result(&conversion, &done));
    }
    body.push_str("</convertLeadResponse>");
    Ok(body)
}

fn convert_result(conversion: &Conversion, done: &Result<convert::ConvertedLead, Vec<ApiError>>) -> String {
    let id = |name: &str, id: Option<&str>| match id {
        Some(id) => format!("<{name}>{id}</{name}>"),
        None => format!("<{name} xsi:nil=\"true\"/>"),
    };
    let converted = done.as_ref().ok();
    let mut errors = String::new();
    for error in done.as_ref().err().into_iter().flatten() {
        errors.push_str("<errors><message>");
        errors.push_str(&escape(&error.message));
        errors.push_str("</message><statusCode>");
        errors.push_str(&error.code);
        errors.push_str("</statusCode></errors>");
    }
    format!(
        "<result>{}{}{errors}{}{}{}<success>{}</success></result>",
        id("accountId", converted.map(|converted| converted.account.as_str())),
        id("contactId", converted.map(|converted| converted.contact.as_str())),
        id("leadId", Some(&escape(&conversion.lead_id))),
        id("opportunityId", converted.and_then(|converted| converted.opportunity.as_deref())),
        id("relatedPersonAccountId", None),
        converted.is_some(),
    )
}

fn envelope(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><soapenv:Envelope \
         xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns=\"urn:partner.soap.sforce.com\" \
         xmlns:sf=\"urn:fault.partner.soap.sforce.com\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <soapenv:Header><LimitInfoHeader/></soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    )
}

fn fault_body(fault: &Fault) -> String {
    let code = if fault.code.contains(':') { fault.code.clone() } else { format!("sf:{}", fault.code) };
    let plain = fault.code.rsplit(':').next().unwrap_or_default();
    let kind = match plain {
        "INVALID_LOGIN" => "LoginFault",
        _ => "UnexpectedErrorFault",
    };
    let message = escape(&fault.message);
    format!(
        "<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{plain}: {message}</faultstring><detail>\
         <sf:{kind} xsi:type=\"sf:{kind}\"><sf:exceptionCode>{plain}</sf:exceptionCode>\
         <sf:exceptionMessage>{message}</sf:exceptionMessage></sf:{kind}></detail></soapenv:Fault>"
    )
}

//! As much of Salesforce's partner SOAP API as the conversion of Leads needs: REST has no call for it.
//!
//! The session's token stands in the envelope, so an envelope is a secret as a whole.

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;
use quick_xml::name::QName;
use secrecy::{ExposeSecret, SecretString};

/// Elements inside one another before an answer counts as garbled; Salesforce's have eight.
const MAX_DEPTH: usize = 32;

/// An element with its local name; attributes and prefixes are left out.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) children: Vec<Element>,
}

impl Element {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of this name.
    pub(super) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child; `None` where it is missing or blank.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }
}

/// A refused call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The code without its prefix.
    pub(super) code: String,
    /// What Salesforce said.
    pub(super) message: String,
}

/// The envelope of a call. `body` is XML.
pub(super) fn envelope(token: &SecretString, body: &str) -> SecretString {
    let session = escape(token.expose_secret());
    SecretString::from(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns=\"urn:partner.soap.sforce.com\"><soapenv:Header>\
         <SessionHeader><sessionId>{session}</sessionId></SessionHeader>\
         <CallOptions><client>mapwright</client></CallOptions></soapenv:Header>\
         <soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
    ))
}

/// An element that holds a text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// Whether a text can stand in XML 1.0 (its production `Char`).
pub(super) fn is_xml(text: &str) -> bool {
    text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}'))
        && !text.contains(['\u{fffe}', '\u{ffff}'])
}

/// What stands in the body of an answer; `None` where it is no such answer.
pub(super) fn body(answer: &[u8]) -> Option<Element> {
    let root = parse(answer)?;
    root.child("Body")?.children.first().cloned()
}

/// The fault that an answer is; `None` where it is none.
pub(super) fn fault(answer: &[u8]) -> Option<Fault> {
    let fault = body(answer).filter(|body| body.name == "Fault")?;
    let detail = fault.child("detail").and_then(|detail| detail.children.first());
    let said = |name: &str| detail.and_then(|detail| detail.value(name));
    let code = said("exceptionCode").or_else(|| fault.value("faultcode")?.rsplit(':').next())?;
    let message = said("exceptionMessage").or_else(|| fault.value("faultstring")).unwrap_or_default();
    Some(Fault { code: code.to_owned(), message: message.to_owned() })
}

/// Reads a document; anything that is not well-formed, a document type included, is `None`.
fn parse(text: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_reader(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) if open.len() < MAX_DEPTH => open.push(named(start.name())?),
            Event::Empty(start) => open.last_mut()?.children.push(named(start.name())?),
            Event::End(_) => {
                let element = open.pop()?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    // What may follow the root is white space and comments, in which nothing is said.
                    None => return Some(element),
                }
            }
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.decode().ok()?);
                }
            }
            Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(entity) => {
                let character = match entity.resolve_char_ref().ok()? {
                    Some(character) => character,
                    None => predefined(&entity.decode().ok()?)?,
                };
                open.last_mut()?.text.push(character);
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Start(_) | Event::DocType(_) | Event::Eof => return None,
        }
    }
}

fn named(name: QName<'_>) -> Option<Element> {
    let name = std::str::from_utf8(name.local_name().into_inner()).ok()?.to_owned();
    Some(Element { name, ..Element::default() })
}

/// The entities that XML itself has; without a document type there are no others.
fn predefined(entity: &str) -> Option<char> {
    Some(match entity {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_by_local_names_with_its_entities() {
        let text = br#"<?xml version="1.0" encoding="UTF-8"?><!-- x --><s:Envelope xmlns:s="e" xmlns:x="i"><s:Body>
            <convertLeadResponse><result><contactId>003</contactId><opportunityId x:nil="true"/>
            <errors><message>R&amp;D &lt;b&gt; &#x41;<![CDATA[<]]></message></errors></result></convertLeadResponse></s:Body></s:Envelope>"#;
        let body = body(text).expect("an answer");
        let result = body.child("result").expect("a result");
        assert_eq!((result.value("contactId"), result.value("opportunityId")), (Some("003"), None));
        assert_eq!(result.child("errors").and_then(|errors| errors.value("message")), Some("R&D <b> A<"));
        assert_eq!(fault(text), None);
    }

    #[test]
    fn a_fault_says_its_code_without_the_prefix() {
        let text = br#"<e:Envelope xmlns:e="e"><e:Body><e:Fault><faultcode>sf:INVALID_SESSION_ID</faultcode>
            <faultstring>INVALID_SESSION_ID: Invalid Session ID</faultstring></e:Fault></e:Body></e:Envelope>"#;
        let said = fault(text).expect("a fault");
        assert_eq!(said.code, "INVALID_SESSION_ID");
        assert_eq!(said.message, "INVALID_SESSION_ID: Invalid Session ID");
    }

    #[test]
    fn what_is_not_well_formed_is_no_answer() {
        let deep = format!("{}{}", "<a>".repeat(64), "</a>".repeat(64));
        for text in [
            "",
            "{}",
            "<a>",
            "<a></b>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
            "<a>&nope;</a>",
            "<Envelope/>",
            deep.as_str(),
        ] {
            assert!(body(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn nothing_that_is_sent_can_end_its_element() {
        let token = SecretString::from("00D!a<b>&\"c");
        let body = element("opportunityName", "</opportunityName><leadId>x");
        let envelope = envelope(&token, &body);
        let read = parse(envelope.expose_secret().as_bytes()).expect("well-formed");
        let header = read.child("Header").and_then(|header| header.child("SessionHeader"));
        assert_eq!(header.and_then(|header| header.value("sessionId")), Some("00D!a<b>&\"c"));
        let body = read.child("Body").expect("a body");
        assert_eq!(body.children.len(), 1);
        assert_eq!(body.value("opportunityName"), Some("</opportunityName><leadId>x"));
        assert!(!is_xml("a\u{0}b") && !is_xml("\u{b}") && is_xml("Zoë\n👩‍👩‍👧"));
    }
}

//! Web addresses, domains and e-mail addresses.

use url::{Host, Url};

use crate::types::{Borrowed, Failure, Type, Value, quoted};

use super::arguments::{text, wants_text};
use super::{Argument, BASE, Example, Family, Function, Problem, Signature};

/// The longest name of a host (RFC 1035, section 2.3.4, without the final dot).
const DOMAIN_MAX: u32 = 253;
/// The longest e-mail address that can be delivered to (RFC 5321, section 4.5.3.1.3: a path of 256 with its brackets).
const EMAIL_MAX: u32 = 254;
/// The longest text that is looked at as an address: Salesforce's URL fields hold 255, HubSpot's far fewer than this.
const ADDRESS_MAX: usize = 8_192;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "domain_of",
        signature: "domain_of(text) -> text",
        check: check_domain,
        call: |values, _| Ok(domain_of(text(values, 0)?).map_or(Value::Blank, Value::text)),
        idempotent: true,
        doc: "The domain of an e-mail or web address, in small letters; with `www.` if it stands there. Letters outside \
              ASCII are written as the domain name system does (`xn--…`). Blank where there is no domain with a dot in it.",
        examples: &[
            Example { expression: r#""Jane@Acme.test" | domain_of"#, result: r#""acme.test""# },
            Example {
                expression: r#""https://www.acme.test/about" | domain_of"#,
                result: r#""www.acme.test""#,
            },
            Example { expression: r#""not an address" | domain_of"#, result: "nothing" },
        ],
        ..WEB
    },
    Function {
        name: "registrable_domain",
        signature: "registrable_domain(text) -> text",
        check: check_domain,
        call: |values, _| Ok(registrable_domain(text(values, 0)?).map_or(Value::Blank, Value::text)),
        idempotent: true,
        doc: "The part of an address's domain that an organisation registers, by the Public Suffix List: what HubSpot \
              keeps as a company's domain. Blank where there is none.",
        examples: &[
            Example {
                expression: r#""https://www.shop.acme.co.uk/x" | registrable_domain"#,
                result: r#""acme.co.uk""#,
            },
            Example { expression: r#""jane@mail.acme.test" | registrable_domain"#, result: r#""acme.test""# },
        ],
        ..WEB
    },
    Function {
        name: "normalize_url",
        signature: "normalize_url(text) -> url",
        check: check_url,
        call: |values, _| normalize_url(text(values, 0)?),
        failure: Some("the text is not a web address"),
        idempotent: true,
        doc: "Writes a web address in one form: with `https://` where no protocol stands, the host in small letters, without \
              the part after `#`, the protocol's own port, and a lone final `/`.",
        examples: &[
            Example { expression: r#""Acme.test/" | normalize_url"#, result: r#""https://acme.test""# },
            Example {
                expression: r#""HTTP://Acme.test:80/a#b" | normalize_url"#,
                result: r#""http://acme.test/a""#,
            },
            Example { expression: r#""Acme Inc" | normalize_url"#, result: "failure" },
        ],
        ..WEB
    },
    Function {
        name: "email",
        signature: "email(text) -> email",
        check: check_email,
        call: |values, _| email(text(values, 0)?),
        failure: Some("the text does not have the form of an e-mail address"),
        idempotent: true,
        doc: "Lets text pass that has the form of an e-mail address, unchanged. It does not ask whether somebody reads it. \
              Only the unquoted form in ASCII is taken, as both CRMs do.",
        examples: &[
            Example { expression: r#""jane@acme.test" | email"#, result: r#""jane@acme.test""# },
            Example { expression: r#""jane at acme" | email"#, result: "failure" },
        ],
        ..WEB
    },
];

const WEB: Function = Function { family: Family::Web, ..BASE };

fn check_domain(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    // An address in other letters than ASCII gets longer, so the argument's length says nothing.
    Ok(Signature::of(arguments, Type::Text(Some(DOMAIN_MAX)), false).or_blank())
}

fn domain_of(address: &str) -> Option<String> {
    let address = address.trim();
    if address.len() > ADDRESS_MAX {
        return None;
    }
    let address = address.strip_prefix("mailto:").unwrap_or(address);
    let host = match address.rsplit_once('@') {
        Some((name, host)) if !name.contains(['/', '?', '#']) => {
            host.split(['?', '>', ' ']).next().unwrap_or_default()
        }
        _ => address,
    };
    host_of(&web_address(host)?)
}

fn registrable_domain(address: &str) -> Option<String> {
    psl::domain_str(&domain_of(address)?).map(str::to_owned)
}

/// The address as a URL of the web, with `https` where no protocol is written.
fn web_address(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = if text.contains("://") { Url::parse(text) } else { Url::parse(&format!("https://{text}")) };
    url.ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

/// The host's name, where it is one with a dot and not a number.
fn host_of(url: &Url) -> Option<String> {
    let Some(Host::Domain(name)) = url.host() else { return None };
    let name = name.strip_suffix('.').unwrap_or(name);
    let labels = name.split('.').all(|label| (1..=63).contains(&label.len()));
    let fits = u32::try_from(name.len()).is_ok_and(|length| length <= DOMAIN_MAX);
    (labels && fits && name.contains('.')).then(|| name.to_owned())
}

fn check_url(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    wants_text(arguments, 0)?;
    Ok(Signature::of(arguments, Type::Url(None), true))
}

fn normalize_url<'a>(address: &str) -> Result<Borrowed<'a>, Failure> {
    let not_one = || Failure::new(format!("{} is not a web address", quoted(address)));
    if address.len() > ADDRESS_MAX {
        return Err(not_one());
    }
    let mut url = web_address(address).filter(|url| host_of(url).is_some()).ok_or_else(not_one)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::new(format!("{} carries a user name", quoted(address))));
    }
    url.set_fragment(None);
    let lone = url.path() == "/" && url.query().is_none();
    let text = url.as_str();
    Ok(Value::text(if lone { text.trim_end_matches('/') } else { text }.to_owned()))
}

fn check_email(arguments: &[Argument<'_>]) -> Result<Signature, Problem> {
    let max = wants_text(arguments, 0)?.map_or(EMAIL_MAX, |max| max.min(EMAIL_MAX));
    let fine = matches!(arguments[0].literal, Some(Value::Text(text)) if email(text).is_ok());
    Ok(Signature::of(arguments, Type::Email(Some(max)), !fine))
}

fn email<'a>(text: &str) -> Result<Borrowed<'a>, Failure> {
    let shape = text.len() <= EMAIL_MAX as usize
        && text.rsplit_once('@').is_some_and(|(name, host)| mailbox(name) && domain(host));
    if shape {
        return Ok(Value::text(text.to_owned()));
    }
    Err(Failure::new(format!("{} is not an e-mail address", quoted(text))))
}

/// The part before the `@`: runs of these characters with single dots between (RFC 5322, dot-atom), at most 64.
fn mailbox(name: &str) -> bool {
    let atom = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    name.len() <= 64 && name.split('.').all(atom)
}

fn domain(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // A top-level domain is never a number, so that `1.2.3.4` is none.
    let top = host.rsplit('.').next().is_some_and(|top| !top.bytes().all(|byte| byte.is_ascii_digit()));
    host.contains('.') && top && host.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use crate::functions::tests::{call, check_typed, text};
    use crate::types::{Type, Typed, Value};

    fn of(name: &str, value: &str) -> Value {
        call(name, &[text(value)]).unwrap()
    }

    #[test]
    fn domains_come_from_addresses_of_every_kind() {
        for (address, domain) in [
            ("Jane@ACME.test", "acme.test"),
            ("mailto:jane@acme.test?subject=hi", "acme.test"),
            ("Jane Doe <jane@acme.test>", "acme.test"),
            ("\"a@b\"@acme.test", "acme.test"),
            ("www.acme.test/a?b=@c", "www.acme.test"),
            ("https://jane:x@shop.acme.test:8443/", "shop.acme.test"),
            (" acme.test. ", "acme.test"),
            ("jane@münchen.test", "xn--mnchen-3ya.test"),
        ] {
            assert_eq!(of("domain_of", address), text(domain), "{address}");
        }
    }

    #[test]
    fn what_has_no_domain_is_blank() {
        for address in [
            "Acme Inc",
            "localhost",
            "jane@localhost",
            "10.0.0.1",
            "http://[::1]/",
            "jane@",
            "@",
            "ftp://a.test",
            "a..test",
        ] {
            assert_eq!(of("domain_of", address), Value::Blank, "{address}");
            assert_eq!(of("registrable_domain", address), Value::Blank, "{address}");
        }
        assert_eq!(of("domain_of", &"a.".repeat(10_000)), Value::Blank);
        assert_eq!(call("domain_of", &[Value::Blank]), Ok(Value::Blank));
    }

    #[test]
    fn the_registrable_domain_follows_the_public_suffix_list() {
        for (address, domain) in [
            ("https://www.acme.test", text("acme.test")),
            ("jane@sales.acme.com.au", text("acme.com.au")),
            ("www.acme.de", text("acme.de")),
            ("co.uk", Value::Blank),
        ] {
            assert_eq!(of("registrable_domain", address), domain, "{address}");
        }
    }

    #[test]
    fn urls_are_written_in_one_form() {
        for (address, url) in [
            ("acme.test", "https://acme.test"),
            ("HTTPS://ACME.test:443/Path/?q=1#top", "https://acme.test/Path/?q=1"),
            ("http://acme.test?x", "http://acme.test/?x"),
            ("acme.test/a b", "https://acme.test/a%20b"),
        ] {
            assert_eq!(of("normalize_url", address), text(url), "{address}");
        }
        for address in
            ["Acme", "mailto:jane@acme.test", "javascript:alert(1)", "https://", "https://jane:pw@acme.test"]
        {
            let failure = call("normalize_url", &[text(address)]).unwrap_err();
            assert!(failure.message.contains(&format!("`{address}`")), "{failure}");
        }
    }

    #[test]
    fn the_form_of_an_email_is_checked() {
        for good in ["jane@acme.test", "j.o'neil+x@mail.acme.co.uk", "a@1.de"] {
            assert_eq!(of("email", good), text(good));
        }
        for bad in [
            "jane",
            "jane@acme",
            "@acme.test",
            "jane@",
            "jane doe@acme.test",
            "jane@-acme.test",
            "jane..doe@acme.test",
            "jane@1.2.3.4",
            ".jane@acme.test",
            "\"jane\\\"\"@acme.test",
            "jane@acme.test ",
            "jané@acme.test",
            "a@b@c.test",
        ] {
            assert!(call("email", &[text(bad)]).is_err(), "{bad}");
        }
        let long = format!("{}@acme.test", "a".repeat(65));
        assert!(call("email", &[text(&long)]).is_err());
        let signature = check_typed("email", &Typed::maybe(Type::Text(Some(80))), &[]).unwrap();
        assert_eq!(signature.result, Typed::maybe(Type::Email(Some(80))));
        assert!(signature.can_fail);
    }
}

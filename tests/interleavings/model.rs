//! What a pair must come to: the rules of the sync, told once more and independently.

use mapwright::source::Side;

pub(crate) const SYNC: &str = r"
sync accounts {
  between hubspot.company and salesforce.Account
  match { key hubspot.company.salesforce_account_id = Id }
  on none in hubspot     create
  on none in salesforce  skip
  on rejected            park
  fields {
    name    <-> Name via truncate(255) | trim          on conflict latest otherwise salesforce
    phone   <-> Phone via truncate(40) | trim          on conflict hubspot
    city    <-> BillingCity via truncate(40) | trim    on conflict salesforce
    state   <-> BillingState via truncate(80) | trim   hubspot fills only
    country | truncate(80) -> BillingCountry
    zip     <-  BillingPostalCode
  }
}
";

/// How a field is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// `<->`; HubSpot decides, Salesforce decides, or either of them by the clock.
    Decides(Option<Side>),
    /// `<->`; HubSpot gives a value only where Salesforce has none.
    HubspotFills,
    /// `->` or `<-`; this side's value is written to the other.
    From(Side),
}

pub(crate) struct Field {
    pub(crate) hubspot: &'static str,
    pub(crate) salesforce: &'static str,
    pub(crate) rule: Rule,
    /// Whether somebody may clear it.
    pub(crate) clearable: bool,
}

impl Field {
    pub(crate) fn on(&self, side: Side) -> &'static str {
        match side {
            Side::Hubspot => self.hubspot,
            Side::Salesforce => self.salesforce,
        }
    }
}

const fn field(hubspot: &'static str, salesforce: &'static str, rule: Rule, clearable: bool) -> Field {
    Field { hubspot, salesforce, rule, clearable }
}

pub(crate) const FIELDS: [Field; 6] = [
    field("name", "Name", Rule::Decides(None), false),
    field("phone", "Phone", Rule::Decides(Some(Side::Hubspot)), true),
    field("city", "BillingCity", Rule::Decides(Some(Side::Salesforce)), true),
    field("state", "BillingState", Rule::HubspotFills, true),
    field("country", "BillingCountry", Rule::From(Side::Hubspot), false),
    field("zip", "BillingPostalCode", Rule::From(Side::Salesforce), false),
];

/// What a field may come to on both sides, from the value on which both agreed and what people left on each.
pub(crate) fn settled(rule: Rule, base: &str, hubspot: &str, salesforce: &str) -> Vec<String> {
    let both = || vec![hubspot.to_owned(), salesforce.to_owned()];
    let one = |value: &str| vec![value.to_owned()];
    match rule {
        Rule::From(Side::Hubspot) => one(hubspot),
        Rule::From(Side::Salesforce) => one(salesforce),
        _ if hubspot == salesforce => one(hubspot),
        Rule::HubspotFills if salesforce.is_empty() && base.is_empty() => one(hubspot),
        Rule::Decides(_) if hubspot == base => one(salesforce),
        Rule::Decides(_) if salesforce == base => one(hubspot),
        Rule::Decides(Some(Side::Hubspot)) => one(hubspot),
        Rule::HubspotFills | Rule::Decides(Some(Side::Salesforce)) => one(salesforce),
        Rule::Decides(None) => both(),
    }
}

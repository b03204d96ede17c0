//! An amount of money says nothing without its currency.

use crate::diagnostic::{Code, Diagnostic};
use crate::schema::Field;
use crate::source::Side;

use super::scope::Scope;
use super::typed::{Rule, WhenWritten};
use super::world::{Obj, field_word};

/// The fields that name the currency of a record's amounts. Salesforce has its field on every object of an org with
/// several currencies and on none of another; HubSpot has its properties on deals and on line items and quotes.
/// Sources: Salesforce's object reference, "Currency Field Type" (`CurrencyIsoCode`); HubSpot's default deal properties
/// ("Currency", `deal_currency_code`) and line item properties (`hs_line_item_currency_code`).
const SALESFORCE_CODES: &[&str] = &["CurrencyIsoCode"];
const HUBSPOT_CODES: &[&str] = &["deal_currency_code", "hs_line_item_currency_code", "hs_currency_code"];

/// HubSpot declares no type for money; this is the one property that is money on every object that has it.
const HUBSPOT_AMOUNT: &str = "amount";

/// Warns about rules that write an amount where no rule writes its currency whenever they do.
pub(super) fn check(scope: &Scope<'_>, object: &Obj<'_>, rules: &[Rule]) {
    let Some(code) = code_field(object) else { return };
    let writes_code = |amount: &Rule| {
        let with_it = |rule: &&Rule| rule.target == code.name;
        let always = |rule: &Rule| matches!(rule.when, WhenWritten::Always) || rule.when == amount.when;
        rules.iter().filter(with_it).any(always)
    };
    for rule in rules {
        let is_amount = object.field(&rule.target).is_some_and(|field| is_amount(object, field));
        if !is_amount || writes_code(rule) {
            continue;
        }
        let message = format!(
            "`{}` of `{}` is an amount, and no rule writes its currency `{}` with it",
            rule.target, object.name, code.name
        );
        let finding = Diagnostic::warning(Code::AMOUNT_CURRENCY, rule.span, message);
        let finding =
            finding.and(code.span, format!("this {} is its currency", field_word(object.name.side)));
        scope.report(finding.help(format!("write `{} <- …` beside it", code.name)));
    }
}

/// The field that names the currency, where a mapping can write it.
fn code_field<'a>(object: &Obj<'a>) -> Option<&'a Field> {
    let names = match object.name.side {
        Side::Salesforce => SALESFORCE_CODES,
        Side::Hubspot => HUBSPOT_CODES,
    };
    names.iter().find_map(|name| object.field(name)).filter(|field| !field.read_only())
}

fn is_amount(object: &Obj<'_>, field: &Field) -> bool {
    field.currency || object.name.side == Side::Hubspot && field.name == HUBSPOT_AMOUNT
}

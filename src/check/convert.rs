//! `convert to "STATUS" { … }`: that there is a Lead to convert, to a status of converted Leads, and that everything that
//! Salesforce would otherwise decide by itself is said.

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::source::{ObjectName, Side, Span, Spanned};
use crate::syntax::ast::{self, ConvertKind, EntryValue, Literal};
use crate::types::{Type, Value};

use super::assign::Into;
use super::ladder::report_fallible;
use super::scope::Scope;
use super::test_items::check_repeated;
use super::typed::{AccountElse, Convert, ExpectedField, ExpectedValue, Expr, ExprKind, Part, RuleElse};
use super::words;
use super::world::{Obj, World};

/// The field that a conversion sets (Salesforce's SOAP guide: `convertedStatus`).
const STATUS: &str = "Status";

/// The object of those who can own what a conversion makes, and what the ids of the others, queues, begin with
/// (Salesforce's object reference).
const USER: &str = "User";
const QUEUE_PREFIX: &str = "00G";

/// Checks what a mapping does with its Lead; `None` where it converts none, or where that was reported.
pub(super) fn check<'a>(
    scope: &mut Scope<'a>,
    target: Option<&Obj<'a>>,
    mapping: &'a ast::Mapping,
) -> Option<Convert> {
    let written = mapping.body.converts.first()?;
    if let Some(second) = mapping.body.converts.get(1) {
        let finding = Diagnostic::error(Code::REPEATED, second.span, "`convert` is written twice");
        scope.report(finding.and(written.span, "first here").help("keep one of them"));
    }
    let lead = target.filter(|target| is_lead(scope, target, written.span));
    let status = written.status.as_ref();
    let known = lead.zip(status).is_some_and(|(lead, status)| check_status(scope, lead, status));
    let said = lines(scope, lead, written);
    check_complete(scope, mapping, written, &said);
    let Said { account, opportunity, owner } = said;
    let status = status.filter(|_| known)?.value.clone();
    Some(Convert {
        status,
        account: account?.into_value(),
        opportunity: opportunity?.into_value(),
        owner: owner.and_then(Line::into_value),
        span: written.span,
    })
}

/// Reports a `convert` of a sync: a converted Lead ends its pair, and a sync keeps pairs.
pub(super) fn refuse(world: &World<'_>, converts: &[ast::Convert]) {
    for convert in converts {
        let message = "a sync keeps two records the same, and a conversion ends the life of one";
        let finding = Diagnostic::error(Code::CONVERT_PLACE, convert.span, message);
        world.report(finding.help("convert in a `mapping` to `salesforce.Lead`"));
    }
}

/// Whether a conversion can take place: of a Lead, in an org whose snapshot has what it becomes.
fn is_lead(scope: &Scope<'_>, target: &Obj<'_>, at: Span) -> bool {
    if !target.object.convertible {
        let message = format!("Salesforce converts Leads, and the mapping writes `{}`", target.name);
        let finding = Diagnostic::error(Code::CONVERT_PLACE, at, message);
        scope.report(finding.help("remove it, or write it in a mapping to `salesforce.Lead`"));
        return false;
    }
    let absent = |name: &&str| scope.world.object_named(Side::Salesforce, name).is_none();
    let absent: Vec<String> = ["Account", "Contact"]
        .iter()
        .filter(|name| absent(name))
        .map(|name| format!("`salesforce.{name}`"))
        .collect();
    if !absent.is_empty() {
        let file = scope.world.sources.file(scope.world.schemas.salesforce.file).name();
        let message =
            format!("a Lead becomes an Account and a Contact, and `{file}` has no {}", absent.join(" and "));
        let finding = Diagnostic::error(Code::CONVERT_PLACE, at, message);
        scope.report(finding.help(format!("add the objects to `{file}`")));
        return false;
    }
    true
}

/// Whether the Lead can be converted to a status; reported where not.
fn check_status<'a>(scope: &Scope<'a>, lead: &Obj<'a>, status: &Spanned<String>) -> bool {
    let options = lead.field(STATUS).map_or(&[][..], |field| field.options.as_slice());
    let converted: Vec<String> = options
        .iter()
        .filter(|option| option.converted && option.active)
        .map(|option| option.value.clone())
        .collect();
    if converted.contains(&status.value) {
        return true;
    }
    let named = options.iter().find(|option| option.value == status.value);
    if let (None, Some(field), false) = (named, lead.field(STATUS), options.is_empty()) {
        scope.check_option(&status.value, status.span, lead, field);
        return false;
    }
    let file = scope.world.sources.file(scope.world.schemas.salesforce.file).name();
    let message = format!("`{}` is no status of converted Leads", status.value);
    let finding = Diagnostic::error(Code::CONVERT_STATUS, status.span, message);
    let finding = match named {
        Some(option) => finding.and(option.span, "a status of Leads that are not converted"),
        None => finding,
    };
    scope.report(finding.help(if converted.is_empty() {
        format!(
            "`{file}` marks none; write `converted: true` beside the status that Setup > Lead Status marks as converted"
        )
    } else {
        format!("write {}", words::some(&converted))
    }));
    false
}

/// A line that is there; the default or its value.
enum Line<T> {
    /// `create`, `none`
    Default,
    /// A value.
    Value(T),
}

impl<T> Line<T> {
    fn into_value(self) -> Option<T> {
        match self {
            Line::Default => None,
            Line::Value(value) => Some(value),
        }
    }
}

/// What the lines say.
#[derive(Default)]
struct Said {
    account: Option<Line<(Part, Option<AccountElse>)>>,
    opportunity: Option<Line<Part>>,
    owner: Option<Line<(Part, Option<RuleElse>)>>,
}

fn lines<'a>(scope: &mut Scope<'a>, lead: Option<&Obj<'a>>, convert: &'a ast::Convert) -> Said {
    let mut said = Said::default();
    let mut first: [Option<Span>; 3] = [None; 3];
    for line in &convert.lines {
        let (place, word) = match &line.kind {
            ConvertKind::Account(..) => (0, "account"),
            ConvertKind::Opportunity(_) => (1, "opportunity"),
            ConvertKind::Owner(..) => (2, "owner"),
        };
        if let Some(earlier) = first[place] {
            let finding = Diagnostic::error(Code::REPEATED, line.span, format!("`{word}` is written twice"));
            scope.report(finding.and(earlier, "first here").help("keep one of them"));
            continue;
        }
        first[place] = Some(line.span);
        match &line.kind {
            ConvertKind::Account(None, _) => said.account = Some(Line::Default),
            ConvertKind::Account(Some(value), otherwise) => {
                let value = scope.value(value);
                said.account = Some(Line::Value(account(scope, value, otherwise.as_ref(), line.span)));
            }
            ConvertKind::Opportunity(None) => said.opportunity = Some(Line::Default),
            ConvertKind::Opportunity(Some(value)) => {
                let value = scope.value(value);
                said.opportunity = Some(Line::Value(opportunity(scope, value, line.span)));
            }
            ConvertKind::Owner(value, otherwise) => {
                let value = scope.value(value);
                said.owner = Some(Line::Value(owner(scope, lead, value, otherwise.as_ref(), line.span)));
            }
        }
    }
    said
}

/// An account is asked for by its id; where there is none, the author says what happens. A failure parks the record: a
/// second account would not be undone.
fn account(
    scope: &Scope<'_>,
    value: Expr,
    otherwise: Option<&Spanned<ast::AccountOtherwise>>,
    span: Span,
) -> (Part, Option<AccountElse>) {
    let fits = check_into(scope, &value, "Contact", "AccountId");
    let sure = !value.typed.blank && value.typed.ty != Type::Error;
    let action = match otherwise.map(|otherwise| &otherwise.value) {
        Some(ast::AccountOtherwise::Create) => Some(AccountElse::Create),
        Some(ast::AccountOtherwise::Wait) => Some(AccountElse::Wait),
        Some(ast::AccountOtherwise::Park(reason)) => Some(AccountElse::Park(reason.clone())),
        None => {
            if !sure && value.typed.ty != Type::Error {
                let why = scope.why_blank(&value);
                let message = format!("{why}, and `convert` does not say what happens then");
                let finding = Diagnostic::error(Code::CONVERT_INCOMPLETE, value.span, message);
                let at_end = Span { start: span.end, ..span };
                let help = "write `otherwise create` (Salesforce makes an Account), `otherwise wait` or `otherwise park`";
                scope.report(finding.label("can be blank").help(help).fix(at_end, "  otherwise park"));
            }
            None
        }
    };
    if let Some(otherwise) = otherwise.filter(|_| sure && fits) {
        let why = ("there is always an account", "there is always an account");
        scope.report_unneeded(&value, otherwise.span, why, "remove it");
    }
    (Part { value, span }, action)
}

/// An opportunity needs a name, and a failure would have nowhere to go.
fn opportunity(scope: &Scope<'_>, value: Expr, span: Span) -> Part {
    check_into(scope, &value, "Opportunity", "Name");
    if value.can_fail {
        report_fallible(scope, &value, "`convert`");
    } else if value.typed.blank && value.typed.ty != Type::Error {
        let why = scope.why_blank(&value);
        let message = format!("an Opportunity needs a name, and {why}");
        let finding = Diagnostic::error(Code::REQUIRED_BLANK, value.span, message).label("can be blank");
        let text = scope.world.sources.slice(value.span);
        scope.report(finding.help(format!("give a value for a blank: `first_present({text}, \"Unknown\")`")));
    } else if let Some(white) = scope.white_space(&value, Side::Salesforce) {
        let message = "an Opportunity needs a name, and Salesforce drops white space";
        let finding = Diagnostic::error(Code::REQUIRED_BLANK, white, message).label("white space alone");
        scope.report(finding.help("write a name, or `opportunity none`"));
    }
    Part { value, span }
}

/// The owner is a rule like another: a blank leaves the Lead's owner, and a failure needs an answer.
fn owner<'a>(
    scope: &Scope<'a>,
    lead: Option<&Obj<'a>>,
    value: Expr,
    otherwise: Option<&Spanned<ast::Otherwise>>,
    span: Span,
) -> (Part, Option<RuleElse>) {
    let fits = !is_queue(scope, &value)
        && lead.is_none_or(|lead| check_into(scope, &value, &lead.name.name, "OwnerId"));
    match otherwise {
        None if value.can_fail => {
            let failing = scope.why_fails(&value);
            let message = format!("{} can fail, and `owner` does not say what happens then", failing.step);
            let finding =
                Diagnostic::error(Code::OTHERWISE_MISSING, failing.span, message).label(failing.why);
            scope.report(
                finding.help("add `otherwise keep` (the Lead's owner), `otherwise wait` or `otherwise park`"),
            );
        }
        Some(otherwise) if fits && !value.can_fail && value.typed.ty != Type::Error => {
            let why = ("nothing here can fail", "nothing here fails");
            let remove = "remove it; a blank leaves the Lead's owner";
            scope.report_unneeded(&value, otherwise.span, why, remove);
        }
        _ => {}
    }
    let otherwise = otherwise.map(|otherwise| match &otherwise.value {
        ast::Otherwise::Park(reason) => RuleElse::Park(reason.clone()),
        ast::Otherwise::Wait => RuleElse::Wait,
        _ => RuleElse::Keep,
    });
    (Part { value, span }, otherwise)
}

/// Whether a value is a queue's id, which a Lead's owner may be, and an Account's may not; reported where it is.
fn is_queue(scope: &Scope<'_>, value: &Expr) -> bool {
    let is_user = |object: &ObjectName| object.side == Side::Salesforce && object.name == USER;
    let mut found = false;
    for leaf in scope.leaves(value) {
        let is = match (&leaf.kind, &leaf.typed.ty) {
            (ExprKind::Literal(Value::Text(id)), _) if id.starts_with(QUEUE_PREFIX) => {
                "the id of a queue".to_owned()
            }
            (_, ty @ Type::Reference(objects)) if !objects.is_empty() && !objects.iter().any(is_user) => {
                words::kind_of(ty)
            }
            _ => continue,
        };
        let message = format!("a conversion gives the records to a user, and this is {is}");
        let finding = Diagnostic::error(Code::TYPE_MISMATCH, leaf.span, message).label(is);
        scope.report(
            finding.help("write `lookup salesforce.User.Id where …`: no queue owns an Account or a Contact"),
        );
        found = true;
    }
    found
}

/// Whether a value goes into the field that the conversion fills; an object that the snapshot lacks asks for nothing.
fn check_into(scope: &Scope<'_>, value: &Expr, object: &str, field: &str) -> bool {
    let Some(object) = scope.world.object_named(Side::Salesforce, object) else { return true };
    let Some(field) = object.field(field) else { return true };
    let typed = Type::of(field, &object.name);
    typed.is_none_or(|typed| scope.check_assign(value, &Into { object: &object, field, typed: &typed }))
}

fn check_complete(scope: &Scope<'_>, mapping: &ast::Mapping, convert: &ast::Convert, said: &Said) {
    let written = |word: &str| scope.world.is_written(mapping.span, &[word]);
    let open = [
        (said.account.is_none() && !written("account"), "account", "account create"),
        (said.opportunity.is_none() && !written("opportunity"), "opportunity", "opportunity none"),
    ];
    let missing: Vec<_> = open.iter().filter(|(missing, ..)| *missing).collect();
    if missing.is_empty() {
        return;
    }
    let list: Vec<String> = missing.iter().map(|(_, word, _)| format!("`{word}`")).collect();
    let verb = if list.len() == 1 { "is" } else { "are" };
    let message =
        format!("`convert` does not say what becomes of the Lead: {} {verb} missing", list.join(" and "));
    let lines: Vec<String> = missing.iter().map(|(.., line)| format!("`{line}`")).collect();
    let help = format!("write {}, or a value", lines.join(" and "));
    scope.report(Diagnostic::error(Code::CONVERT_INCOMPLETE, convert.span, message).help(help));
}

/// What a test can say of a conversion.
const EXPECTED: [&str; 4] = ["status", "account", "opportunity", "owner"];

/// What a test expects of a conversion: a text, or `absent` where nothing is said to Salesforce.
pub(super) fn expected(world: &World<'_>, entries: &[ast::Entry]) -> Vec<ExpectedField> {
    check_repeated(world, entries);
    let mut fields = Vec::with_capacity(entries.len());
    for entry in entries {
        let name = &entry.name;
        if !EXPECTED.contains(&name.value.as_str()) {
            let message = format!("a conversion has no `{}`", name.value);
            let help = did_you_mean(&name.value, EXPECTED)
                .unwrap_or_else(|| "it has `status`, `account`, `opportunity` and `owner`".to_owned());
            world.report(Diagnostic::error(Code::UNKNOWN_FIELD, name.span, message).help(help));
            continue;
        }
        let value = match &entry.value.value {
            EntryValue::Absent => ExpectedValue::Absent,
            EntryValue::Literal(Literal::Text(text)) => ExpectedValue::Value(Value::text(text)),
            _ => {
                let message = format!("`{}` of a conversion is a text, or `absent`", name.value);
                world.report(Diagnostic::error(Code::TYPE_MISMATCH, entry.value.span, message));
                continue;
            }
        };
        fields.push(ExpectedField { field: name.value.clone(), value, span: name.span });
    }
    fields
}

//! Evaluates compiled expressions.

use std::cell::OnceCell;

use rust_decimal::Decimal;

use crate::plan::{Call, Condition, Expr, Mapping, Part, Picklist, PicklistElse, Plan, Slot};
use crate::syntax::ast::{ArithmeticOp, CompareOp, Presence};
use crate::types::{self, Borrowed, Failure, Raw, Value};

use super::trace::{Point, Trace};

/// What the expressions of one mapping see of one record.
#[derive(Debug)]
pub struct Frame<'f> {
    /// The plan, for picklists.
    pub plan: &'f Plan,
    /// The mapping.
    pub mapping: &'f Mapping,
    /// The raw values, by slot.
    pub slots: &'f [Raw<'f>],
    /// The look-ups made so far; one that was not made is blank.
    pub lookups: &'f [Option<Result<Value, Failure>>],
    /// What is exercised, where anybody wants to know.
    pub trace: Option<&'f Trace>,
    /// What was made once for this record.
    pub kept: Kept,
}

/// Named values that were made, by index; none before the first.
#[derive(Debug, Default)]
pub struct Kept(OnceCell<Box<[Made]>>);

/// One value, once it is made.
type Made = OnceCell<Result<Value, Failure>>;

impl Frame<'_> {
    /// The value of an expression, with text of its own.
    pub fn value(&self, expr: &Expr) -> Result<Value, Failure> {
        self.borrowed(expr).map(Value::into_owned)
    }

    /// The value of an expression, with text of the record or the plan where it passes through unchanged.
    #[inline]
    pub fn borrowed<'e>(&'e self, expr: &'e Expr) -> Result<Borrowed<'e>, Failure> {
        // What stands at every end of an expression costs no call of its own.
        match expr {
            Expr::Literal(value) => Ok(value.borrowed()),
            Expr::Slot(index) => self.slot(*index),
            Expr::Call(call) => self.call(call),
            _ => self.composed(expr),
        }
    }

    fn composed<'e>(&'e self, expr: &'e Expr) -> Result<Borrowed<'e>, Failure> {
        match expr {
            Expr::Literal(_) | Expr::Slot(_) | Expr::Call(_) => self.borrowed(expr),
            Expr::Let(index) if self.mapping.kept[*index] => self.kept_let(*index),
            Expr::Let(index) => self.borrowed(&self.mapping.lets[*index]),
            Expr::Lookup(index) => match self.lookups.get(*index) {
                Some(Some(Ok(value))) => Ok(value.borrowed()),
                Some(Some(Err(failure))) => Err(failure.clone()),
                Some(None) | None => Ok(Value::Blank),
            },
            Expr::Translate { picklist, back, value, .. } => {
                let (picklist, value) = (&self.plan.picklists[*picklist], self.borrowed(value)?);
                if let Some(trace) = self.trace {
                    trace_options(trace, picklist, *back, &value);
                }
                translate(picklist, *back, &value)
            }
            Expr::Template(parts) => self.template(parts),
            Expr::Arithmetic(left, op, right) => {
                arithmetic(&self.borrowed(left)?, *op, &self.borrowed(right)?)
            }
            Expr::If(condition, then, otherwise, at) => {
                let holds = self.holds(condition)?;
                if let Some(trace) = self.trace {
                    trace.hit(at, if holds { Point::Then } else { Point::Else });
                }
                self.borrowed(if holds { then } else { otherwise })
            }
            Expr::List(items) => {
                Ok(Value::List(items.iter().map(|item| self.borrowed(item)).collect::<Result<_, _>>()?))
            }
            Expr::Condition(condition) => self.holds(condition).map(Value::Boolean),
        }
    }

    /// A named value that is made once.
    fn kept_let(&self, index: usize) -> Result<Borrowed<'_>, Failure> {
        let lets = &self.mapping.lets;
        let kept = self.kept.0.get_or_init(|| lets.iter().map(|_| OnceCell::new()).collect());
        match kept[index].get_or_init(|| self.value(&lets[index])) {
            Ok(value) => Ok(value.borrowed()),
            Err(failure) => Err(failure.clone()),
        }
    }

    /// Whether a condition holds. A comparison with a blank does not; `!=` is exactly `not =`.
    pub fn holds(&self, condition: &Condition) -> Result<bool, Failure> {
        match condition {
            Condition::Or(all) => {
                for one in all {
                    if self.holds(one)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::And(all) => {
                for one in all {
                    if !self.holds(one)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Not(one) => Ok(!self.holds(one)?),
            Condition::Compare(left, op, right) => {
                Ok(compare(&self.borrowed(left)?, *op, &self.borrowed(right)?))
            }
            Condition::In(value, list) => Ok(member(&self.borrowed(value)?, &self.borrowed(list)?)),
            Condition::Presence(value, presence) => {
                Ok(self.borrowed(value)?.is_blank() == (*presence == Presence::Blank))
            }
            Condition::Value(value) => Ok(self.borrowed(value)? == Value::Boolean(true)),
        }
    }

    fn slot(&self, index: usize) -> Result<Borrowed<'_>, Failure> {
        let slot = &self.mapping.slots[index];
        types::read_borrowed(&self.slots[index], &slot.ty).map_err(|failure| unreadable(slot, failure))
    }

    fn call<'e>(&'e self, call: &'e Call) -> Result<Borrowed<'e>, Failure> {
        if call.function.lazy {
            for arg in &call.args {
                let value = self.borrowed(arg)?;
                if !value.is_blank() {
                    return Ok(value);
                }
            }
            return Ok(Value::Blank);
        }
        // Most calls have one or two arguments, which need no allocation.
        match call.args.as_slice() {
            [] => self.perform(call, &mut []),
            [_] => self.perform(call, &mut [Value::Blank]),
            [_, _] => self.perform(call, &mut [Value::Blank, Value::Blank]),
            more => self.perform(call, &mut vec![Value::Blank; more.len()]),
        }
    }

    /// Evaluates the arguments into their places and calls.
    fn perform<'e>(&'e self, call: &'e Call, args: &mut [Borrowed<'e>]) -> Result<Borrowed<'e>, Failure> {
        for (index, arg) in call.args.iter().enumerate() {
            args[index] = self.borrowed(arg)?;
            if index == 0 && args[0].is_blank() && !call.function.takes_blank {
                return Ok(Value::Blank);
            }
        }
        (call.function.call)(args, &call.prepared)
    }

    fn template(&self, parts: &[Part]) -> Result<Borrowed<'_>, Failure> {
        /// Enough for most values, so that the text seldom grows.
        const HOLE: usize = 24;
        let length = |part: &Part| if let Part::Text(piece) = part { piece.len() } else { HOLE };
        let mut text = String::with_capacity(parts.iter().map(length).sum());
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Hole(value) => match self.borrowed(value)? {
                    Value::Blank => return Ok(Value::Blank),
                    value => text.push_str(&types::displayed(&value)),
                },
            }
            types::within_limit(text.len())?;
        }
        Ok(Value::text(text))
    }
}

#[cold]
fn unreadable(slot: &Slot, failure: Failure) -> Failure {
    Failure { message: format!("`{}` cannot be read: {}", slot.field, failure.message), ..failure }
}

fn compare(left: &Borrowed<'_>, op: CompareOp, right: &Borrowed<'_>) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let blank = left.is_blank() || right.is_blank();
    let order = || if blank { None } else { types::order(left, right) };
    match op {
        CompareOp::Eq => !blank && types::same(left, right),
        CompareOp::Ne => blank || !types::same(left, right),
        CompareOp::Lt => order() == Some(Less),
        CompareOp::Le => matches!(order(), Some(Less | Equal)),
        CompareOp::Gt => order() == Some(Greater),
        CompareOp::Ge => matches!(order(), Some(Greater | Equal)),
    }
}

fn member(value: &Borrowed<'_>, list: &Borrowed<'_>) -> bool {
    match (value, list) {
        (Value::Blank, _) => false,
        (value, Value::List(items)) => items.iter().any(|item| types::same(value, item)),
        (value, one) => !one.is_blank() && types::same(value, one),
    }
}

/// Exact; blank when a side is blank; an overflow or a division by zero is a failure.
fn arithmetic<'v>(
    left: &Borrowed<'_>,
    op: ArithmeticOp,
    right: &Borrowed<'_>,
) -> Result<Borrowed<'v>, Failure> {
    let (left, right) = match (left, right) {
        (Value::Blank, _) | (_, Value::Blank) => return Ok(Value::Blank),
        (Value::Number(left), Value::Number(right)) => (*left, *right),
        _ => return Err(Failure::new("arithmetic needs numbers on both sides")),
    };
    let (word, result) = match op {
        ArithmeticOp::Add => ("+", left.checked_add(right)),
        ArithmeticOp::Sub => ("-", left.checked_sub(right)),
        ArithmeticOp::Mul => ("*", left.checked_mul(right)),
        ArithmeticOp::Div if right == Decimal::ZERO => {
            return Err(Failure::new(format!("`{left} / 0`: nothing can be divided by zero")));
        }
        ArithmeticOp::Div => ("/", left.checked_div(right)),
    };
    result.map(Value::Number).ok_or_else(|| {
        Failure::new(format!("`{left} {word} {right}` has more digits than a number can have"))
    })
}

fn translate<'p>(picklist: &'p Picklist, back: bool, value: &Borrowed<'_>) -> Result<Borrowed<'p>, Failure> {
    match value {
        Value::Blank => Ok(Value::Blank),
        Value::List(options) => {
            let mut translated: Vec<Borrowed<'p>> = Vec::with_capacity(options.len());
            for option in options {
                let option = translate(picklist, back, option)?;
                if !option.is_blank() && !translated.contains(&option) {
                    translated.push(option);
                }
            }
            Ok(if translated.is_empty() { Value::Blank } else { Value::List(translated) })
        }
        option => translate_one(picklist, back, &types::displayed(option)),
    }
}

/// Records the lines by which a picklist translates.
fn trace_options(trace: &Trace, picklist: &Picklist, back: bool, value: &Borrowed<'_>) {
    match value {
        Value::Blank => {}
        Value::List(options) => {
            for option in options {
                trace_options(trace, picklist, back, option);
            }
        }
        option => {
            let option = types::displayed(option);
            let line = if back {
                picklist.back.get(option.as_ref())
            } else {
                picklist.forth.get_key_value(option.as_ref()).map(|(from, _)| from)
            };
            trace.hit(&picklist.at, line.cloned().map_or(Point::Untranslated, Point::Line));
        }
    }
}

fn translate_one<'p>(picklist: &'p Picklist, back: bool, option: &str) -> Result<Borrowed<'p>, Failure> {
    let known = if back {
        picklist.back.get(option).map(|option| Some(option.as_str()))
    } else {
        picklist.forth.get(option).map(|option| option.as_deref())
    };
    let arrow = if back { "<->" } else { "->" };
    let missing = |message: String| {
        Failure::new(message).mend(
            picklist.at.clone(),
            format!("add the line `\"{option}\" {arrow} \"…\"` to `picklist {}`", picklist.name),
        )
    };
    if let Some(known) = known {
        return Ok(known.map_or(Value::Blank, Value::text));
    }
    let untranslated = || format!("{} has no translation in `{}`", types::quoted(option), picklist.name);
    match &picklist.otherwise {
        Some(PicklistElse::Option(option)) if !back => Ok(Value::text(option.as_str())),
        Some(PicklistElse::Nothing) if !back => Ok(Value::Blank),
        Some(PicklistElse::Park(Some(reason))) if !back => {
            Err(missing(format!("{reason}: {}", untranslated())))
        }
        _ => Err(missing(untranslated())),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::{Value as Json, json};

    use super::*;
    use crate::plan::testing::{LEAD, Lead};

    const PICKLISTS: &str = "picklist sources {\n from hubspot.contact.source\n to salesforce.Lead.LeadSource\n \"SEARCH\" -> \"Web\"\n \
                             \"OFFLINE\" -> nothing\n \"SOCIAL\" -> \"Web\"\n}";

    /// The value of `Description <- EXPRESSION` (given with its policy) for a record.
    fn value(fields: &'static str, record: &Json) -> Result<Value, Failure> {
        let plan =
            Lead { fields, beside: if fields.contains("sources") { PICKLISTS } else { "" }, ..LEAD }.plan();
        let mapping = &plan.mappings[0];
        let slots: Vec<Raw<'_>> =
            mapping.slots.iter().map(|slot| Raw::from(record.get(&slot.field))).collect();
        Frame { plan: &plan, mapping, slots: &slots, lookups: &[], trace: None, kept: Kept::default() }
            .value(&mapping.rules.last().expect("a rule").value)
    }

    fn holds(head: &'static str, record: &Json) -> bool {
        let plan = Lead { head, ..LEAD }.plan();
        let mapping = &plan.mappings[0];
        let slots: Vec<Raw<'_>> =
            mapping.slots.iter().map(|slot| Raw::from(record.get(&slot.field))).collect();
        Frame { plan: &plan, mapping, slots: &slots, lookups: &[], trace: None, kept: Kept::default() }
            .holds(&mapping.guards[0].condition)
            .expect("no failure")
    }

    /// A chain of names that doubled its work with each of them would not end.
    #[test]
    fn a_name_that_is_read_twice_is_made_once() {
        let chain = |step: fn(usize) -> String| -> &'static str {
            let lets: Vec<String> = (1..100).map(|n| format!(" let v{n} = {}\n", step(n - 1))).collect();
            format!("let v0 = firstname\n{} only if v99 is present", lets.concat()).leak()
        };
        let chosen = chain(|n| format!("if v{n} is blank then v{n} else v{n} | trim"));
        assert!(holds(chosen, &json!({"firstname": " a "})));
        assert!(!holds(chosen, &json!({"firstname": null})));
        let plan = Lead { head: chain(|n| format!("\"{{v{n}}}{{v{n}}}\"")), ..LEAD }.plan();
        let mapping = &plan.mappings[0];
        assert!(!mapping.kept[0] && mapping.kept[1..99].iter().all(|kept| *kept));
        let text = json!("ab");
        let slots: Vec<Raw<'_>> = mapping.slots.iter().map(|_| Raw::from(Some(&text))).collect();
        let frame =
            Frame { plan: &plan, mapping, slots: &slots, lookups: &[], trace: None, kept: Kept::default() };
        let failure = frame.holds(&mapping.guards[0].condition).expect_err("2^100 letters");
        assert!(failure.message.contains("more than 1048576 bytes"), "{failure:?}");
    }

    #[test]
    fn a_template_with_a_blank_hole_is_blank() {
        let fields = "Title <- \"{firstname} of {nickname}\" | truncate(128)";
        assert_eq!(
            value(fields, &json!({"firstname": "Jane", "nickname": "J"})),
            Ok(Value::text("Jane of J"))
        );
        assert_eq!(value(fields, &json!({"firstname": "Jane", "nickname": ""})), Ok(Value::Blank));
        assert_eq!(value(fields, &json!({"firstname": "Jane", "nickname": null})), Ok(Value::Blank));
    }

    #[test]
    fn comparisons_with_a_blank_do_not_hold_and_unequal_is_not_equal() {
        assert!(!holds("only if nickname = \"a\" otherwise skip", &json!({})));
        assert!(holds("only if nickname != \"a\" otherwise skip", &json!({})));
        assert!(holds("only if not nickname = \"a\" otherwise skip", &json!({})));
        assert!(!holds("only if hubscore < 5 otherwise skip", &json!({"hubscore": ""})));
        assert!(!holds("only if hubscore >= 5 otherwise skip", &json!({"hubscore": null})));
        assert!(
            holds("only if hubscore >= 87 otherwise skip", &json!({"hubscore": "87.0"})),
            "numbers, not texts"
        );
        assert!(!holds("only if hubscore < 9 otherwise skip", &json!({"hubscore": "10"})));
    }

    #[test]
    fn membership() {
        let of_list = "only if source in [\"SEARCH\", \"SOCIAL\"] otherwise skip";
        assert!(holds(of_list, &json!({"source": "SOCIAL"})));
        assert!(!holds(of_list, &json!({"source": "OFFLINE"})));
        assert!(!holds(of_list, &json!({})));
        let of_set = "only if \"Price\" in topics otherwise skip";
        assert!(holds(of_set, &json!({"topics": "Support;Price"})));
        assert!(!holds(of_set, &json!({"topics": "Support"})));
        assert!(!holds(of_set, &json!({})));
    }

    #[test]
    fn both_sides_of_and_and_or_only_as_far_as_needed() {
        // `seats` cannot be read, and is not.
        let guard = "only if hubscore is blank or seats > 1 otherwise skip";
        assert!(holds(guard, &json!({"seats": "x"})));
        assert!(!holds(
            "only if hubscore > 1 and seats > 1 otherwise skip",
            &json!({"hubscore": "1", "seats": "x"})
        ));
        assert!(!holds("only if newsletter otherwise skip", &json!({})), "a blank boolean does not hold");
        assert!(holds("only if newsletter otherwise skip", &json!({"newsletter": "true"})));
    }

    #[test]
    fn arithmetic_is_exact_and_fails_aloud() {
        let number = |text: &str| Ok(Value::Number(text.parse().expect("a number")));
        let third = "Score__c <- hubscore / seats | max(-9999) | min(9999) | round(2) otherwise keep";
        assert_eq!(value(third, &json!({"hubscore": "10", "seats": "4"})), number("2.5"));
        assert_eq!(value(third, &json!({"hubscore": "10", "seats": ""})), Ok(Value::Blank));
        let failure = value(third, &json!({"hubscore": "10", "seats": "0"})).expect_err("a failure");
        assert_eq!(failure.message, "`10 / 0`: nothing can be divided by zero");
        let sum = "Description <- \"{revenue + 0.1}\" | truncate(99)";
        assert_eq!(value(sum, &json!({"revenue": "0.2"})), Ok(Value::text("0.3")));
        let product = "Description <- \"{revenue * revenue}\" | truncate(99)";
        let failure = value(product, &json!({"revenue": "9999999999999999"})).expect_err("a failure");
        assert!(failure.message.contains("more digits than a number can have"), "{failure:?}");
    }

    #[test]
    fn what_does_not_parse_is_a_failure_and_never_a_blank() {
        let failure = value("Score__c <- hubscore", &json!({"hubscore": "12,5"})).expect_err("a failure");
        assert!(failure.message.starts_with("`hubscore` cannot be read: "), "{failure:?}");
        let fields = "Title <- first_present(\"{hubscore}\", \"none\") | truncate(128)";
        assert!(value(fields, &json!({"hubscore": "x"})).is_err());
    }

    #[test]
    fn first_present_goes_no_further_than_it_must() {
        let fields =
            "Title <- first_present(nickname, \"{10 / hubscore}\", \"none\") | truncate(128) otherwise keep";
        assert_eq!(value(fields, &json!({"nickname": "J", "hubscore": "0"})), Ok(Value::text("J")));
        assert!(value(fields, &json!({"hubscore": "0"})).is_err());
        assert_eq!(value(fields, &json!({})), Ok(Value::text("none")));
    }

    #[test]
    fn a_translation_knows_the_line_to_mend() {
        let fields = "LeadSource <- source | sources";
        assert_eq!(value(fields, &json!({"source": "SEARCH"})), Ok(Value::text("Web")));
        assert_eq!(value(fields, &json!({"source": "OFFLINE"})), Ok(Value::Blank));
        assert_eq!(value(fields, &json!({"source": ""})), Ok(Value::Blank));
        let failure = value(fields, &json!({"source": "NEW_ONE"})).expect_err("a failure");
        assert!(failure.message.contains("`NEW_ONE` has no translation in `sources`"), "{failure:?}");
        assert_eq!(
            failure.help.as_deref(),
            Some("add the line `\"NEW_ONE\" -> \"…\"` to `picklist sources`")
        );
        assert!(failure.at.is_some());
    }

    #[test]
    fn a_set_is_translated_option_by_option() {
        let picklist = Picklist {
            name: "topics".to_owned(),
            forth: [("a", Some("X")), ("b", Some("X")), ("c", None)]
                .map(|(from, to)| (from.to_owned(), to.map(ToOwned::to_owned)))
                .into(),
            back: [("X".to_owned(), "a".to_owned())].into(),
            otherwise: Some(PicklistElse::Nothing),
            at: crate::source::Location { file: "a.map".to_owned(), line: 1, column: 1 },
        };
        let list =
            |items: &[&'static str]| Value::List(items.iter().map(|item| Value::text(*item)).collect());
        assert_eq!(translate(&picklist, false, &list(&["b", "a", "c"])), Ok(list(&["X"])), "each once");
        assert_eq!(translate(&picklist, false, &list(&["c", "unknown"])), Ok(Value::Blank));
        assert_eq!(translate(&picklist, true, &list(&["X"])), Ok(list(&["a"])));
        assert!(translate(&picklist, true, &list(&["Y"])).is_err(), "`otherwise` is for the way forth alone");
    }

    #[test]
    fn a_condition_is_a_boolean_and_an_if_takes_one_branch() {
        let fields = "Title <- if hubscore > 50 then \"hot\" else nickname";
        assert_eq!(value(fields, &json!({"hubscore": "51", "nickname": "J"})), Ok(Value::text("hot")));
        assert_eq!(value(fields, &json!({"hubscore": "", "nickname": "J"})), Ok(Value::text("J")));
        assert_eq!(Raw::Text(Cow::Borrowed("a")), Raw::from(Some(&json!("a"))));
    }
}

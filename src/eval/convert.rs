//! The conversion of the Lead written: what it takes is evaluated with the rules, and it follows the write.
//!
//! A Lead that is converted is over: what is remembered of its pair goes over to the Contact that it became, whoever
//! converted it. A later run is handed that Contact by the mapping's `on converted`.

use crate::plan::{AccountElse, Mapping, OutcomeAction, Rule, RuleElse, Situation};
use crate::types::{
    ConvertAnswer, ConvertRequest, ConvertedInto, Failure, FieldError, LinkChange, LinkFate, Value, display,
};

use super::effect::{Conversion, ConversionEnd, Effect, Park, PlannedConversion, Verdict};
use super::ladder::target_read;
use super::rules::Instead;
use super::run::{Run, State};
use super::trace::Point;
use crate::source::{Location, ObjectName};

/// The object that a Lead's life goes on as (Salesforce's object reference: `ConvertedContactId`).
const CONTACT: &str = "Contact";

/// What a mapping says of a conversion, for one record.
#[derive(Debug, Clone, Default)]
pub(super) struct Parts {
    account: Option<String>,
    opportunity: Option<String>,
    owner: Option<String>,
}

/// A conversion under way, and how the write before it ended.
#[derive(Debug)]
pub(super) struct Converting {
    verdict: Verdict,
    request: ConvertRequest,
}

impl Run {
    /// Evaluates what the conversion takes; nothing where the mapping converts nothing.
    pub(super) fn conversion_parts(&mut self, mapping: &Mapping) -> Result<Option<Parts>, Box<Effect>> {
        let Some(convert) = &mapping.convert else { return Ok(None) };
        let account = match &convert.account {
            None => None,
            Some((rule, otherwise)) => self.account(mapping, rule, otherwise.as_ref())?,
        };
        let opportunity = match &convert.opportunity {
            None => None,
            Some(rule) => match self.part(mapping, rule)? {
                Value::Blank => {
                    let failure = Failure::new("the name of the opportunity is blank");
                    return Err(Box::new(self.park_failure(failure, None, rule.at.clone())));
                }
                name => Some(display(&name)),
            },
        };
        let owner = match &convert.owner {
            None => None,
            Some(rule) => self.owner(mapping, rule)?,
        };
        Ok(Some(Parts { account, opportunity, owner }))
    }

    /// A value of the conversion; one that fails parks the record, since a conversion cannot be undone.
    fn part(&mut self, mapping: &Mapping, rule: &Rule) -> Result<Value, Box<Effect>> {
        match self.with_frame(mapping, |frame| frame.value(&rule.value)) {
            Ok(value) => {
                if !value.is_blank() {
                    self.hit(&rule.at, Point::Value);
                }
                Ok(value)
            }
            Err(failure) => Err(Box::new(self.park_failure(failure, None, rule.at.clone()))),
        }
    }

    fn account(
        &mut self,
        mapping: &Mapping,
        rule: &Rule,
        otherwise: Option<&AccountElse>,
    ) -> Result<Option<String>, Box<Effect>> {
        let value = self.part(mapping, rule)?;
        if !value.is_blank() {
            return Ok(Some(display(&value)));
        }
        self.hit(&rule.at, Point::Otherwise);
        let reason = "there is no account for the Lead to go to";
        Err(Box::new(match otherwise {
            Some(AccountElse::Create) => return Ok(None),
            Some(AccountElse::Wait) => match self.waits_for_pair(mapping, rule) {
                Some(verdict) => self.finish(verdict),
                None => self.wait(mapping, rule, reason.to_owned()),
            },
            Some(AccountElse::Park(_)) | None => {
                let said = match otherwise {
                    Some(AccountElse::Park(said)) => said.clone(),
                    _ => None,
                };
                let reason = said.unwrap_or_else(|| reason.to_owned());
                self.park(Park { at: Some(rule.at.clone()), ..Park::because(reason) })
            }
        }))
    }

    /// A blank, and a failure that is to keep it, leave the Lead's own owner.
    fn owner(&mut self, mapping: &Mapping, rule: &Rule) -> Result<Option<String>, Box<Effect>> {
        let value = match self.given(mapping, rule)? {
            Instead::Value(value) => value,
            Instead::Keep(_) => return Ok(None),
        };
        if value.is_blank()
            && rule.otherwise == Some(RuleElse::Wait)
            && let Some(verdict) = self.waits_for_pair(mapping, rule)
        {
            return Err(Box::new(self.finish(verdict)));
        }
        Ok((!value.is_blank()).then(|| display(&value)))
    }

    /// Goes on after the record was written or needed no write: to its conversion, or to its associations.
    pub(super) fn after_write(
        &mut self,
        mapping: &Mapping,
        verdict: Verdict,
        id: String,
        created: bool,
    ) -> Effect {
        let (Some(convert), Some(parts)) = (&mapping.convert, self.parts.take()) else {
            return self.associate(mapping, verdict, id, created);
        };
        let Parts { account, opportunity, owner } = parts;
        let (object, status) = (mapping.target.clone(), convert.status.clone());
        let request = ConvertRequest { object, id, status, account, opportunity, owner };
        self.state = State::Convert(Box::new(Converting { verdict, request: request.clone() }));
        Effect::Convert(PlannedConversion { mapping: mapping.name.clone(), request, at: convert.at.clone() })
    }

    /// Goes on after the conversion was answered.
    pub(super) fn conversion_answered(
        &mut self,
        mapping: &Mapping,
        work: Converting,
        answer: ConvertAnswer,
    ) -> Effect {
        match answer {
            ConvertAnswer::Converted(into) => {
                if let Some(convert) = &mapping.convert {
                    self.hit(&convert.at, Point::Converted);
                }
                self.follows(mapping, &work.request.id, &into.contact);
                self.end_conversion(mapping, work, ConversionEnd::Converted(into))
            }
            ConvertAnswer::Already { message } => {
                if self.look_again() {
                    // Read again: only the Lead itself names its Contact.
                    self.state = State::Adopt;
                    return Effect::Read(target_read(mapping, work.request.id));
                }
                let reason = format!("the {} is converted", mapping.target.name);
                self.park(Park { answer: Some(message), ..Park::because(reason) })
            }
            ConvertAnswer::Gone { message } => {
                self.again(mapping, format!("the {} is gone", mapping.target.name), message)
            }
            ConvertAnswer::Rejected { errors } => {
                let park = self.conversion_refused(mapping, &errors);
                self.end_conversion(mapping, work, ConversionEnd::Refused(park))
            }
            ConvertAnswer::Failed(error) => self.park(Park {
                answer: Some(error.to_string()),
                ..Park::because(format!("{} could not be converted", mapping.target))
            }),
        }
    }

    fn end_conversion(&mut self, mapping: &Mapping, work: Converting, end: ConversionEnd) -> Effect {
        let at = mapping.convert.as_ref().map_or_else(|| mapping.at.clone(), |convert| convert.at.clone());
        let effect = self.finish(work.verdict);
        match effect {
            Effect::Finish(mut finished) => {
                finished.conversion = Some(Conversion { request: work.request, end, at });
                Effect::Finish(finished)
            }
            other => other,
        }
    }

    fn conversion_refused(&self, mapping: &Mapping, errors: &[FieldError]) -> Park {
        let outcome = self.outcome(mapping, Situation::Rejected);
        let reason = match outcome.map(|outcome| &outcome.action) {
            Some(OutcomeAction::Park(Some(said))) => said.clone(),
            _ => format!("{} refused to convert the {}", mapping.target.side.label(), mapping.target.name),
        };
        let answer: Vec<String> =
            errors.iter().map(|error| format!("{}: {}", error.code, error.message)).collect();
        let at = mapping.convert.as_ref().map(|convert| convert.at.clone());
        let help = "the record itself is written; mend what it says, then retry";
        Park { answer: Some(answer.join("; ")), help: Some(help.to_owned()), at, ..Park::because(reason) }
    }

    /// Lets the pairs with a Lead go over to the Contact that it became: those of every mapping that pairs these objects.
    pub(super) fn follows(&mut self, mapping: &Mapping, lead: &str, contact: &str) {
        let same = |other: &&Mapping| {
            !other.is_leg && other.source == mapping.source && other.target == mapping.target
        };
        let changes = self.plan.mappings.iter().filter(same).map(|other| LinkChange {
            by: other.name.clone(),
            fate: LinkFate::Became {
                from: lead.to_owned(),
                object: ObjectName::new(mapping.target.side, CONTACT),
                id: contact.to_owned(),
            },
        });
        let changes: Vec<LinkChange> = changes.collect();
        self.links.extend(changes);
    }

    /// The Lead of a pair was converted by somebody: its pair follows, and the next change of the source record goes by the
    /// mapping's `on converted`.
    pub(super) fn target_converted(&mut self, mapping: &Mapping, lead: &str, contact: &str) -> Effect {
        self.follows(mapping, lead, contact);
        let at: Option<Location> = mapping.outcome(Situation::Converted).map(|outcome| outcome.at.clone());
        let reason = format!(
            "{} {lead} was converted into {CONTACT} {contact}, to which {} {} belongs from now on",
            mapping.target, mapping.source, self.record
        );
        self.finish(Verdict::Relinked { reason, forgotten: false, at })
    }
}

/// Stands in for the records that a Lead becomes in a preview.
pub fn would_become(request: &ConvertRequest, new: &str) -> ConvertedInto {
    ConvertedInto {
        account: request.account.clone().unwrap_or_else(|| new.to_owned()),
        contact: new.to_owned(),
        opportunity: request.opportunity.as_ref().map(|_| new.to_owned()),
    }
}

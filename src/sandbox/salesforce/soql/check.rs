//! A parsed query against the schema: names become fields, literals become values of the field's type.

use super::super::clock;
use super::super::error::ApiError;
use super::super::ids;
use super::super::org::Org;
use super::super::schema::{FieldFacts, FieldType, ObjectFacts, Schema};
use super::lex::plain;
use super::parse::{Condition, Expression, Item, Literal, Name, Operator, Query};
use super::{dates, eval, located};

/// The longest text in a condition (Salesforce's SOQL reference: limits).
const MAX_TEXT: usize = 4_000;

/// Relationships that one path may follow.
const MAX_STEPS: usize = 5;

pub(in super::super) struct Plan<'s> {
    pub(super) object: &'s ObjectFacts,
    pub(super) columns: Vec<Column<'s>>,
    pub(super) filter: Option<Test<'s>>,
    pub(super) group: Vec<Operand<'s>>,
    pub(super) having: Option<Test<'s>>,
    pub(super) order: Vec<Sort<'s>>,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    pub(super) all_rows: bool,
    /// `SELECT COUNT()`: only the number is answered.
    pub(super) counts_rows: bool,
}

impl Plan<'_> {
    pub(super) fn aggregates(&self) -> bool {
        !self.group.is_empty()
            || self
                .columns
                .iter()
                .any(|column| matches!(column, Column::Value { operand: Operand::Aggregate(..), .. }))
    }
}

pub(super) enum Column<'s> {
    Value { operand: Operand<'s>, name: String },
    Children { name: String, link: &'s FieldFacts, plan: Box<Plan<'s>> },
}

/// What a column, condition or order reads.
#[derive(Clone)]
pub(super) enum Operand<'s> {
    Path(Path<'s>),
    Aggregate(Aggregate, Option<Path<'s>>),
    DatePart(DatePart, Path<'s>),
}

impl Operand<'_> {
    pub(super) fn kind(&self) -> FieldType {
        match self {
            Self::Path(path) | Self::Aggregate(Aggregate::Min | Aggregate::Max, Some(path)) => {
                path.field.kind
            }
            Self::Aggregate(..) => FieldType::Double,
            Self::DatePart(DatePart::Day, _) => FieldType::Date,
            Self::DatePart(..) => FieldType::Int,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Average,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DatePart {
    Year,
    Quarter,
    Month,
    Day,
}

/// A field, behind the references that lead to its record.
#[derive(Clone)]
pub(super) struct Path<'s> {
    pub(super) steps: Vec<&'s FieldFacts>,
    /// The field; behind a reference to several objects, that of the first one that has it.
    pub(super) field: &'s FieldFacts,
}

pub(super) struct Sort<'s> {
    pub(super) by: Operand<'s>,
    pub(super) descending: bool,
    pub(super) nulls_last: bool,
}

pub(super) enum Test<'s> {
    And(Vec<Test<'s>>),
    Or(Vec<Test<'s>>),
    Not(Box<Test<'s>>),
    Compare { left: Operand<'s>, operator: Operator, right: Bound },
    In { left: Operand<'s>, negated: bool, values: Vec<Bound> },
    Includes { left: Operand<'s>, negated: bool, sets: Vec<Vec<String>> },
}

/// A value to compare with, in the form of the field's type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    Null,
    Boolean(bool),
    Number(f64),
    /// Folded to lower case.
    Text(String),
    Id(String),
    /// A pattern of LIKE, folded.
    Pattern(String),
    /// From one instant up to another, in milliseconds; a single instant where both are the same.
    Time(i64, i64),
}

/// Checks a query.
pub(in super::super) fn check<'s>(org: &'s Org, soql: &str, query: &Query) -> Result<Plan<'s>, ApiError> {
    let name = &query.from;
    let object = org.schema.object(&name.text).ok_or_else(|| {
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the \
             '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            name.text
        );
        located("INVALID_TYPE", soql, name.at, &message)
    })?;
    Checker { org, schema: &org.schema, soql, object, alias: query.alias.as_deref() }.plan(query)
}

struct Checker<'s, 'q> {
    org: &'s Org,
    schema: &'s Schema,
    soql: &'q str,
    object: &'s ObjectFacts,
    alias: Option<&'q str>,
}

impl<'s> Checker<'s, '_> {
    fn plan(&self, query: &Query) -> Result<Plan<'s>, ApiError> {
        let mut plan = Plan {
            object: self.object,
            columns: Vec::new(),
            filter: query.filter.as_ref().map(|filter| self.test(filter)).transpose()?,
            group: query.group.iter().map(|group| self.operand(group)).collect::<Result<_, _>>()?,
            having: query.having.as_ref().map(|having| self.test(having)).transpose()?,
            order: Vec::new(),
            limit: query.limit,
            offset: query.offset,
            all_rows: query.all_rows,
            counts_rows: false,
        };
        self.columns(query, &mut plan)?;
        self.check_grouping(query, &plan)?;
        for order in &query.order {
            let by = match &order.by {
                // An aggregate's alias may be ordered by.
                Expression::Path(name) if plan.aggregates() => {
                    aliased(&plan, name).map_or_else(|| self.operand(&order.by), Ok)?
                }
                by => self.operand(by)?,
            };
            plan.order.push(Sort { by, descending: order.descending, nulls_last: order.nulls_last });
        }
        Ok(plan)
    }

    fn columns(&self, query: &Query, plan: &mut Plan<'s>) -> Result<(), ApiError> {
        let mut unnamed = 0;
        for item in &query.items {
            match item {
                Item::Children(children) => plan.columns.push(self.children(children)?),
                Item::Fields(which) => self.all_fields(query, which, plan)?,
                Item::Expression { expression, alias } => {
                    if is_row_count(expression) {
                        if query.items.len() > 1 || alias.is_some() {
                            return Err(self.error(
                                "MALFORMED_QUERY",
                                expression.at(),
                                "COUNT() must be the only element in the select list",
                            ));
                        }
                        plan.counts_rows = true;
                        return Ok(());
                    }
                    let operand = self.operand(expression)?;
                    let name = match (alias, &operand) {
                        (Some(alias), _) => alias.clone(),
                        (None, Operand::Path(path)) if query.group.is_empty() => path_name(path),
                        (None, Operand::Path(path)) => path.field.name.clone(),
                        (None, _) => {
                            unnamed += 1;
                            format!("expr{}", unnamed - 1)
                        }
                    };
                    self.add_column(plan, operand, name, expression.at())?;
                }
            }
        }
        Ok(())
    }

    fn add_column(
        &self,
        plan: &mut Plan<'s>,
        operand: Operand<'s>,
        name: String,
        at: usize,
    ) -> Result<(), ApiError> {
        let known = plan
            .columns
            .iter()
            .any(|column| matches!(column, Column::Value { name: known, .. } if *known == name));
        if known {
            return Err(self.error("INVALID_FIELD", at, &format!("duplicate field selected: {name}")));
        }
        plan.columns.push(Column::Value { operand, name });
        Ok(())
    }

    fn all_fields(&self, query: &Query, which: &Name, plan: &mut Plan<'s>) -> Result<(), ApiError> {
        let wanted = which.text.to_ascii_uppercase();
        if !["ALL", "STANDARD", "CUSTOM"].contains(&wanted.as_str()) {
            return Err(self.error(
                "MALFORMED_QUERY",
                which.at,
                &format!("unexpected token: '{}'", which.text),
            ));
        }
        // The custom fields of an organisation are not bounded, so the real API asks for a small limit.
        if wanted != "STANDARD" && query.limit.is_none_or(|limit| limit > 200) {
            let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
            return Err(self.error("MALFORMED_QUERY", which.at, message));
        }
        for field in &self.object.fields {
            let selected = match wanted.as_str() {
                "ALL" => true,
                "CUSTOM" => field.is_custom(),
                _ => !field.is_custom(),
            };
            let known = plan
                .columns
                .iter()
                .any(|column| matches!(column, Column::Value { name, .. } if *name == field.name));
            if selected && !known {
                let operand = Operand::Path(Path { steps: Vec::new(), field });
                plan.columns.push(Column::Value { operand, name: field.name.clone() });
            }
        }
        Ok(())
    }

    fn children(&self, query: &Query) -> Result<Column<'s>, ApiError> {
        let found = self.schema.children_of(self.object).find(|(_, field)| {
            child_name(field).is_some_and(|name| name.eq_ignore_ascii_case(&query.from.text))
        });
        let Some((object, link)) = found else {
            let message = format!(
                "Didn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom \
                 relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL \
                 or the describe call for the appropriate names.",
                query.from.text
            );
            return Err(self.error("INVALID_TYPE", query.from.at, &message));
        };
        let checker = Checker { object, alias: query.alias.as_deref(), ..*self };
        let name = child_name(link).unwrap_or_default();
        Ok(Column::Children { name, link, plan: Box::new(checker.plan(query)?) })
    }

    fn check_grouping(&self, query: &Query, plan: &Plan<'s>) -> Result<(), ApiError> {
        if !plan.aggregates() {
            return Ok(());
        }
        let grouped: Vec<String> = plan.group.iter().map(operand_key).collect();
        for item in &query.items {
            let Item::Expression { expression, .. } = item else { continue };
            let operand = self.operand(expression)?;
            if !matches!(operand, Operand::Aggregate(..)) && !grouped.contains(&operand_key(&operand)) {
                let shown = match expression {
                    Expression::Path(name) | Expression::Call { function: name, .. } => &name.text,
                };
                let message = format!("Field must be grouped or aggregated: {shown}");
                return Err(self.error("MALFORMED_QUERY", expression.at(), &message));
            }
        }
        Ok(())
    }

    fn operand(&self, expression: &Expression) -> Result<Operand<'s>, ApiError> {
        let (function, argument) = match expression {
            Expression::Path(name) => return Ok(Operand::Path(self.path(name)?)),
            Expression::Call { function, argument } => (function, argument.as_ref()),
        };
        let path = argument.map(|argument| self.path(argument)).transpose()?;
        let aggregate = match function.text.to_ascii_uppercase().as_str() {
            "COUNT" => Aggregate::Count,
            "COUNT_DISTINCT" => Aggregate::CountDistinct,
            "SUM" => Aggregate::Sum,
            "AVG" => Aggregate::Average,
            "MIN" => Aggregate::Min,
            "MAX" => Aggregate::Max,
            name => {
                let part = match name {
                    "CALENDAR_YEAR" | "FISCAL_YEAR" => DatePart::Year,
                    "CALENDAR_QUARTER" | "FISCAL_QUARTER" => DatePart::Quarter,
                    "CALENDAR_MONTH" | "FISCAL_MONTH" => DatePart::Month,
                    "DAY_ONLY" => DatePart::Day,
                    // The label of an option and a formatted value are the value here.
                    "TOLABEL" | "FORMAT" | "CONVERTCURRENCY" | "CONVERTTIMEZONE" => {
                        return path.map(Operand::Path).ok_or_else(|| self.unexpected(function));
                    }
                    _ => return Err(self.unexpected(function)),
                };
                return path
                    .map(|path| Operand::DatePart(part, path))
                    .ok_or_else(|| self.unexpected(function));
            }
        };
        if path.is_none() && aggregate != Aggregate::Count {
            return Err(self.unexpected(function));
        }
        let adds = matches!(aggregate, Aggregate::Sum | Aggregate::Average);
        if let Some(path) = path.as_ref().filter(|path| adds && !path.field.kind.is_number()) {
            let name = function.text.to_ascii_uppercase();
            let message = format!("field {} does not support aggregate operator {name}", path.field.name);
            return Err(self.error("MALFORMED_QUERY", function.at, &message));
        }
        Ok(Operand::Aggregate(aggregate, path))
    }

    fn unexpected(&self, function: &Name) -> ApiError {
        self.error("MALFORMED_QUERY", function.at, &format!("unexpected token: '{}'", function.text))
    }

    fn path(&self, name: &Name) -> Result<Path<'s>, ApiError> {
        let mut parts: Vec<&str> = name.text.split('.').collect();
        let prefixed = parts.len() > 1
            && (self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(parts[0]))
                || (parts[0].eq_ignore_ascii_case(&self.object.name)
                    && self.object.relationship(parts[0]).is_none()));
        if prefixed {
            parts.remove(0);
        }
        let last = parts.pop().unwrap_or_default();
        if parts.len() > MAX_STEPS {
            let message = format!("SOQL relationship path must not exceed {MAX_STEPS} levels");
            return Err(self.error("MALFORMED_QUERY", name.at, &message));
        }
        let mut objects = vec![self.object];
        let mut steps = Vec::new();
        for part in parts {
            let field = objects.iter().find_map(|object| object.relationship(part)).ok_or_else(|| {
                let message = format!(
                    "Didn't understand relationship '{part}' in field path. If you are attempting to use a custom \
                     relationship, be sure to append the '__r' after the custom relationship name. Please reference your \
                     WSDL or the describe call for the appropriate names."
                );
                self.error("INVALID_FIELD", name.at, &message)
            })?;
            objects = field.reference_to.iter().filter_map(|target| self.schema.object(target)).collect();
            steps.push(field);
        }
        let field = objects.iter().find_map(|object| object.field(last)).ok_or_else(|| {
            let entity = objects.first().map_or("Name", |object| object.name.as_str());
            let message = format!(
                "No such column '{last}' on entity '{entity}'. If you are attempting to use a custom field, be sure to \
                 append the '__c' after the custom field name. Please reference your WSDL or the describe call for the \
                 appropriate names."
            );
            self.error("INVALID_FIELD", name.at, &message)
        })?;
        Ok(Path { steps, field })
    }

    fn test(&self, condition: &Condition) -> Result<Test<'s>, ApiError> {
        let all = |conditions: &[Condition]| {
            conditions.iter().map(|inner| self.test(inner)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match condition {
            Condition::And(conditions) => Test::And(all(conditions)?),
            Condition::Or(conditions) => Test::Or(all(conditions)?),
            Condition::Not(inner) => Test::Not(Box::new(self.test(inner)?)),
            Condition::Compare { left, operator, right, at } => {
                let left = self.filterable(left)?;
                if *operator == Operator::Like {
                    let right = self.pattern(&left, right, *at)?;
                    return Ok(Test::Compare { left, operator: *operator, right });
                }
                let right = self.bound(&left, right, *at)?;
                Test::Compare { left, operator: *operator, right }
            }
            Condition::In { left, negated, list } => {
                let left = self.filterable(left)?;
                let values = list
                    .iter()
                    .map(|(literal, at)| self.bound(&left, literal, *at))
                    .collect::<Result<_, _>>()?;
                Test::In { left, negated: *negated, values }
            }
            Condition::InQuery { left, negated, query } => {
                let left = self.filterable(left)?;
                Test::In { values: self.semi_join(&left, query)?, left, negated: *negated }
            }
            Condition::Includes { left, negated, list } => {
                let operand = self.filterable(left)?;
                if operand.kind() != FieldType::Multipicklist {
                    let message = "includes or excludes operator only valid on multipicklist field";
                    return Err(self.error("INVALID_QUERY_FILTER_OPERATOR", left.at(), message));
                }
                let sets = list.iter().map(|set| set.split(';').map(str::to_lowercase).collect()).collect();
                Test::Includes { left: operand, negated: *negated, sets }
            }
        })
    }

    fn filterable(&self, expression: &Expression) -> Result<Operand<'s>, ApiError> {
        let operand = self.operand(expression)?;
        if let Operand::Path(path) = &operand
            && (!path.field.filterable() || path.field.kind == FieldType::Address)
        {
            let message = format!("field '{}' can not be filtered in a query call", path.field.name);
            return Err(self.error("INVALID_FIELD", expression.at(), &message));
        }
        Ok(operand)
    }

    fn semi_join(&self, left: &Operand<'s>, query: &Query) -> Result<Vec<Bound>, ApiError> {
        let plan = check(self.org, self.soql, query)?;
        if !left.kind().is_id() || plan.columns.len() != 1 || plan.counts_rows {
            let message = "semi join sub-selects must query exactly one id or reference field, and be compared with one";
            return Err(self.error("MALFORMED_QUERY", query.from.at, message));
        }
        Ok(eval::single_column(self.org, &plan)
            .into_iter()
            .filter_map(|value| value.as_str().and_then(ids::normalize).map(Bound::Id))
            .collect())
    }

    fn pattern(&self, left: &Operand<'s>, literal: &Literal, at: usize) -> Result<Bound, ApiError> {
        let kind = left.kind();
        if kind.is_id()
            || kind.is_number()
            || matches!(kind, FieldType::Boolean | FieldType::Date | FieldType::Datetime)
        {
            let message = format!("invalid operator on {} field", kind.name());
            return Err(self.error("INVALID_QUERY_FILTER_OPERATOR", at, &message));
        }
        match literal {
            Literal::Text(text) => Ok(Bound::Pattern(text.to_lowercase())),
            _ => Err(self.wrong_type(left, at)),
        }
    }

    fn bound(&self, left: &Operand<'s>, literal: &Literal, at: usize) -> Result<Bound, ApiError> {
        let kind = left.kind();
        let bound = match (kind, literal) {
            (_, Literal::Null) => Bound::Null,
            (FieldType::Boolean, Literal::Boolean(value)) => Bound::Boolean(*value),
            (kind, Literal::Number(number)) if kind.is_number() => Bound::Number(*number),
            (FieldType::Date, Literal::Date(date)) => {
                let at = clock::parse_date(date).map_or(0, day_start);
                Bound::Time(at, at)
            }
            (FieldType::Datetime, Literal::DateTime(instant)) => {
                let at = clock::parse_instant(instant).map_or(0, |instant| instant.timestamp_millis());
                Bound::Time(at, at)
            }
            (FieldType::Date | FieldType::Datetime, Literal::Relative(name, number)) => {
                let (start, end) = dates::range(name, *number, self.org.now()).ok_or_else(|| {
                    self.error("MALFORMED_QUERY", at, &format!("value out of range: {name}"))
                })?;
                Bound::Time(day_start(start), day_start(end))
            }
            (FieldType::Id | FieldType::Reference, Literal::Text(text)) => {
                let id = plain(text);
                if id.is_empty() {
                    return Ok(Bound::Null);
                }
                Bound::Id(ids::normalize(&id).ok_or_else(|| {
                    self.error("INVALID_QUERY_FILTER_OPERATOR", at, &format!("invalid ID field: {id}"))
                })?)
            }
            (kind, Literal::Text(text)) if is_text(kind) => {
                if text.chars().count() > MAX_TEXT {
                    let message = format!("maximum length of a filter string is {MAX_TEXT} characters");
                    return Err(self.error("INVALID_QUERY_FILTER_OPERATOR", at, &message));
                }
                let text = plain(text);
                if text.is_empty() { Bound::Null } else { Bound::Text(text.to_lowercase()) }
            }
            _ => return Err(self.wrong_type(left, at)),
        };
        Ok(bound)
    }

    fn wrong_type(&self, left: &Operand<'s>, at: usize) -> ApiError {
        let kind = left.kind();
        let name = match left {
            Operand::Path(path) | Operand::DatePart(_, path) | Operand::Aggregate(_, Some(path)) => {
                path.field.name.clone()
            }
            Operand::Aggregate(_, None) => "COUNT".to_owned(),
        };
        let (kind, quotes) = match kind {
            FieldType::Datetime => ("dateTime", "should not"),
            kind if is_text(kind) => ("string", "should"),
            kind => (kind.name(), "should not"),
        };
        let message = format!(
            "value of filter criterion for field '{name}' must be of type {kind} and {quotes} be enclosed in quotes"
        );
        self.error("INVALID_FIELD", at, &message)
    }

    fn error(&self, code: &'static str, at: usize, message: &str) -> ApiError {
        located(code, self.soql, at, message)
    }
}

fn aliased<'s>(plan: &Plan<'s>, wanted: &Name) -> Option<Operand<'s>> {
    plan.columns.iter().find_map(|column| match column {
        Column::Value { operand, name } if name.eq_ignore_ascii_case(&wanted.text) => Some(operand.clone()),
        _ => None,
    })
}

/// The name under which a parent's query finds these children; custom ones end in `__r`.
fn child_name(field: &FieldFacts) -> Option<String> {
    let name = field.children.as_ref()?;
    Some(if field.is_custom() && !name.ends_with("__r") { format!("{name}__r") } else { name.clone() })
}

fn is_row_count(expression: &Expression) -> bool {
    matches!(expression, Expression::Call { function, argument: None } if function.text.eq_ignore_ascii_case("COUNT"))
}

fn is_text(kind: FieldType) -> bool {
    !(kind.is_number()
        || kind.is_id()
        || matches!(kind, FieldType::Boolean | FieldType::Date | FieldType::Datetime | FieldType::Address))
}

fn day_start(date: chrono::NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

fn path_name(path: &Path<'_>) -> String {
    let mut name = String::new();
    for step in &path.steps {
        name.push_str(step.relationship_name.as_deref().unwrap_or(&step.name));
        name.push('.');
    }
    name + &path.field.name
}

/// What tells two operands apart.
fn operand_key(operand: &Operand<'_>) -> String {
    match operand {
        Operand::Path(path) => path_name(path),
        Operand::DatePart(part, path) => format!("{part:?}({})", path_name(path)),
        Operand::Aggregate(aggregate, path) => {
            format!("{aggregate:?}({})", path.as_ref().map(path_name).unwrap_or_default())
        }
    }
}

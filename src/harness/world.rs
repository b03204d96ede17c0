//! Both CRMs, as a list of records.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::check::typed::{GivenEnd, GivenLink, GivenRecord, Refusal, RefusalKind, Test};
use crate::eval::Answer;
use crate::plan::{Plan, WithKind};
use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, AssociationKind, ChangedRequest, ConvertAnswer, ConvertRequest,
    ConvertedInto, FieldError, Filter, FilterOp, FindRequest, LinkRequest, LinkedPair, MatchedRecord,
    ReadRequest, Record, Value, WriteAnswer, WriteRequest, WriteTarget, as_sent, display, order, same,
};

/// A path over more relationships than SOQL allows (five) leads nowhere.
const MAX_HOPS: usize = 5;

/// Both CRMs.
#[derive(Debug)]
pub(super) struct World {
    /// All records, the source record first, then in order of creation.
    records: Vec<Stored>,
    /// What the CRMs refuse to write.
    refusals: Vec<Refusal>,
    /// What was written, in order.
    written: Vec<Written>,
    /// The pairs that the test gives.
    links: Vec<GivenLink>,
    /// The records that are no longer there.
    ends: Vec<GivenEnd>,
    /// The record that runs, where the test gives it.
    runs: Option<(ObjectName, String)>,
    /// The associations of the records that are written, those that the test gives first.
    pub(super) associations: Vec<AssociateRequest>,
}

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) object: ObjectName,
    pub(super) id: String,
    /// What somebody set.
    pub(super) values: IndexMap<String, Value>,
    /// What the CRM holds where nobody set anything.
    unset: IndexMap<String, Value>,
    relationships: IndexMap<String, String>,
    /// When its fields took their values, where the test says it.
    changed_at: Option<DateTime<Utc>>,
    /// The one association that leads to it; `None` is every one.
    association: Option<AssociationKind>,
}

/// What a run wrote.
#[derive(Debug)]
pub(super) struct Written {
    object: ObjectName,
    id: String,
    /// The record before; `None` when it is new.
    pub(super) before: Option<Stored>,
    /// The fields sent, and the key.
    pub(super) fields: HashMap<String, Value>,
}

impl Stored {
    /// The value of a field; the id under its name.
    pub(super) fn value(&self, field: &str) -> Option<Value> {
        match self.values.get(field).or_else(|| self.unset.get(field)) {
            None if field == "id" || field == "Id" => Some(Value::text(&self.id)),
            value => value.cloned(),
        }
    }
}

impl World {
    /// The records that a test gives.
    pub(super) fn of(plan: &Plan, test: &Test) -> Self {
        let mut ids = Ids::of(&test.given);
        let mut records: Vec<Stored> = test
            .given
            .iter()
            .map(|given| Stored {
                object: given.object.clone(),
                id: given.id.clone().unwrap_or_default(),
                values: given.values.clone(),
                unset: given.unset.clone(),
                relationships: given.relationships.clone(),
                changed_at: given.changed_at,
                association: given.association.clone(),
            })
            .collect();
        point_at_references(plan, &mut records);
        for record in records.iter_mut().filter(|record| record.id.is_empty()) {
            record.id = ids.next(&record.object);
        }
        fill_references(plan, &mut records);
        let associations = test.associations.iter().filter_map(|given| {
            let place = test.given.iter().position(|record| record.span == given.of)?;
            Some(AssociateRequest {
                from: records[place].object.clone(),
                from_id: records[place].id.clone(),
                to: given.to.name.clone(),
                to_id: given.id.clone(),
                kind: given.kind.clone(),
            })
        });
        let associations = associations.collect();
        let sources: Vec<&ObjectName> = plan
            .mappings
            .iter()
            .filter(|mapping| mapping.name == test.mapping)
            .map(|mapping| &mapping.source)
            .collect();
        let runs = records.first().filter(|record| sources.contains(&&record.object));
        Self {
            runs: runs.map(|record| (record.object.clone(), record.id.clone())),
            records,
            refusals: test.refusals.clone(),
            written: Vec::new(),
            links: test.links.clone(),
            ends: test.ends.clone(),
            associations,
        }
    }

    /// The id of the record that runs.
    pub(super) fn source(&self) -> Option<&str> {
        self.records.first().map(|record| record.id.as_str())
    }

    /// A record by id.
    pub(super) fn record(&self, object: &ObjectName, id: &str) -> Option<&Stored> {
        self.place(object, id).map(|index| &self.records[index])
    }

    /// The last write of a record.
    pub(super) fn written(&self, object: &ObjectName, id: &str) -> Option<&Written> {
        self.written.iter().rev().find(|written| written.object == *object && written.id == id)
    }

    /// The source record.
    pub(super) fn source_record(&self) -> Option<&Stored> {
        self.records.first()
    }

    fn place(&self, object: &ObjectName, id: &str) -> Option<usize> {
        self.records.iter().position(|record| record.object == *object && record.id == id)
    }

    pub(super) fn read(&self, request: &ReadRequest) -> Answer {
        let found = request.ids.iter().filter_map(|id| self.record(&request.object, id));
        Answer::Records(found.map(|record| self.sent(record, &request.fields)).collect())
    }

    pub(super) fn associated(&self, request: &AssociatedRequest) -> Answer {
        let other = ObjectName::new(request.from.side, &request.to);
        if self.records.first().is_none_or(|source| source.object != request.from) {
            return Answer::Associated(self.associated_targets(request));
        }
        let all: Vec<String> = self
            .records
            .iter()
            .filter(|record| record.object == other)
            .filter(|record| record.association.as_ref().is_none_or(|kind| *kind == request.kind))
            .map(|record| record.id.clone())
            .collect();
        let mut found = self.associated_targets(request);
        for id in &request.ids {
            let own = found.entry(id.clone()).or_default();
            own.extend(all.iter().filter(|other| !own.contains(other)).cloned().collect::<Vec<_>>());
        }
        Answer::Associated(found)
    }

    /// Whether some record is associated with this one. Without a kind, any association will do.
    pub(super) fn is_associated(&self, kind: &AssociationKind, object: &ObjectName, id: &str) -> bool {
        self.associations.iter().any(|held| {
            held.from.side == object.side
                && held.to == object.name
                && held.to_id == id
                && (*kind == AssociationKind::Plain || held.kind == *kind)
        })
    }

    /// What records of the target are associated with, before the run and by it.
    fn associated_targets(&self, request: &AssociatedRequest) -> HashMap<String, Vec<String>> {
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        for made in &self.associations {
            let asked =
                made.from == request.from && made.to == request.to && request.ids.contains(&made.from_id);
            if asked && (request.kind == AssociationKind::Plain || made.kind == request.kind) {
                found.entry(made.from_id.clone()).or_default().push(made.to_id.clone());
            }
        }
        found
    }

    /// The pairs that a test gives.
    pub(super) fn links(&self, request: &LinkRequest) -> Answer {
        let mut pairs = Vec::new();
        for link in &self.links {
            let (near, far) = match request.of.side {
                Side::Hubspot => (&link.hubspot, &link.salesforce),
                Side::Salesforce => (&link.salesforce, &link.hubspot),
            };
            // A record that runs has what was merged into it; the end that starts a run is told of its own pair.
            let heir = self.merged(&near.0, &near.1).filter(|into| {
                self.runs.as_ref().is_some_and(|(object, id)| *object == near.0 && *id == **into)
            });
            let id = heir.unwrap_or(&near.1);
            if near.0 == request.of && far.0 == request.to && request.ids.contains(id) {
                pairs.push(LinkedPair {
                    id: id.clone(),
                    to: far.1.clone(),
                    // Only of the run's own pair is it known: the counterparts of others need not be given.
                    gone: (heir.is_some() || self.is_own(near)) && self.record(&far.0, &far.1).is_none(),
                    merged_into: self.merged(&far.0, &far.1).cloned(),
                    became: None,
                    inherited: heir.is_some(),
                    synced: link.synced.clone().into_iter().collect(),
                });
            }
        }
        Answer::Links(pairs)
    }

    /// Whether a record is the one that runs, or may be, since the test gives none.
    fn is_own(&self, record: &(ObjectName, String)) -> bool {
        self.runs.as_ref().is_none_or(|runs| runs == record)
    }

    /// Into which record another was merged, as the test says.
    pub(super) fn survivor(&self, object: &ObjectName, id: &str) -> Answer {
        Answer::Survivor(self.merged(object, id).cloned())
    }

    fn merged(&self, object: &ObjectName, id: &str) -> Option<&String> {
        self.ends.iter().find(|end| end.object == *object && end.id == id)?.into.as_ref()
    }

    /// When fields took their values: nobody knows, unless the test says it.
    pub(super) fn changed(&self, request: &ChangedRequest) -> Answer {
        let record = self.record(&request.object, &request.id);
        let at = record.and_then(|record| record.changed_at);
        Answer::Changed(at.map_or_else(BTreeMap::new, |at| {
            request.fields.iter().map(|field| (field.clone(), at)).collect()
        }))
    }

    /// Takes associations down; the world of a test holds every record, so none is refused.
    pub(super) fn associate(&mut self, add: &[AssociateRequest], remove: &[AssociateRequest]) -> Answer {
        self.associations.retain(|held| !remove.contains(held));
        for wanted in add {
            if wanted.kind == AssociationKind::Primary {
                // A new primary record takes the other one's place, which stays associated.
                let same = |held: &&mut AssociateRequest| {
                    (&held.from, &held.from_id, &held.to) == (&wanted.from, &wanted.from_id, &wanted.to)
                };
                for held in self.associations.iter_mut().filter(same) {
                    if held.kind == AssociationKind::Primary && held.to_id != wanted.to_id {
                        held.kind = AssociationKind::Plain;
                    }
                }
            }
            if !self.associations.contains(wanted) {
                self.associations.push(wanted.clone());
            }
        }
        Answer::Associations(vec![None; add.len() + remove.len()])
    }

    pub(super) fn find(&self, requests: &[FindRequest]) -> Answer {
        let found = |request: &FindRequest| {
            if let Some(record_type) = record_type(request) {
                return vec![record_type];
            }
            self.records
                .iter()
                .filter(|record| record.object == request.object)
                .filter(|record| request.filters.iter().all(|filter| self.holds(record, filter)))
                .take(request.limit as usize)
                .map(|record| self.sent(record, &request.fields))
                .collect()
        };
        Answer::Found(requests.iter().map(found).collect())
    }

    pub(super) fn write(&mut self, request: &WriteRequest) -> Answer {
        let mut fields: HashMap<String, Value> = request.fields.iter().cloned().collect();
        let place = match &request.target {
            WriteTarget::Create => None,
            WriteTarget::Update { id } => match self.place(&request.object, id) {
                Some(place) => Some(place),
                None => return Answer::Written(WriteAnswer::Gone { message: format!("no {id}") }),
            },
            WriteTarget::Upsert { key, value } => {
                fields.insert(key.clone(), Value::text(value));
                let filter = Filter { field: key.clone(), op: FilterOp::Eq(Value::text(value)) };
                self.records
                    .iter()
                    .position(|record| record.object == request.object && self.holds(record, &filter))
            }
        };
        if let Some(refused) = self.refused(request, &fields, place.is_none()) {
            return Answer::Written(refused);
        }
        let before = place.map(|place| self.records[place].clone());
        let place = place.unwrap_or_else(|| self.add(&request.object));
        let record = &mut self.records[place];
        record.values.extend(fields.clone());
        let (object, id, created) = (request.object.clone(), record.id.clone(), before.is_none());
        self.written.push(Written { object, id: id.clone(), before, fields });
        Answer::Written(WriteAnswer::Written { id, created })
    }

    /// Converts a Lead; what it becomes are records that hold nothing but their ids.
    pub(super) fn convert(&mut self, request: &ConvertRequest) -> Answer {
        let Some(place) = self.place(&request.object, &request.id) else {
            return Answer::Converted(ConvertAnswer::Gone { message: format!("no {}", request.id) });
        };
        let errors = self.conversion_refusals(&request.object);
        if !errors.is_empty() {
            return Answer::Converted(ConvertAnswer::Rejected { errors });
        }
        let mut made = |name: &str| {
            let place = self.add(&ObjectName::new(request.object.side, name));
            self.records[place].id.clone()
        };
        let into = ConvertedInto {
            account: request.account.clone().unwrap_or_else(|| made("Account")),
            contact: made("Contact"),
            opportunity: request.opportunity.as_ref().map(|_| made("Opportunity")),
        };
        self.records[place].values.extend([
            ("IsConverted".to_owned(), Value::Boolean(true)),
            ("Status".to_owned(), Value::text(&request.status)),
            ("ConvertedContactId".to_owned(), Value::text(&into.contact)),
        ]);
        Answer::Converted(ConvertAnswer::Converted(into))
    }

    /// What refuses every write of an object refuses its conversion too.
    fn conversion_refusals(&self, object: &ObjectName) -> Vec<FieldError> {
        let of_object = self.refusals.iter().filter(|refusal| refusal.object == *object);
        let refused = of_object.filter_map(|refusal| match &refusal.kind {
            RefusalKind::Rejects { field: None, message } => {
                Some(FieldError { code: "REFUSED".to_owned(), message: message.clone(), fields: Vec::new() })
            }
            _ => None,
        });
        refused.collect()
    }

    /// Makes a record that holds nothing.
    fn add(&mut self, object: &ObjectName) -> usize {
        let taken = self.records.iter().map(|record| record.id.clone());
        let id = Ids::beside(taken).next(object);
        self.records.push(Stored {
            object: object.clone(),
            id,
            values: IndexMap::new(),
            unset: IndexMap::new(),
            relationships: IndexMap::new(),
            association: None,
            changed_at: None,
        });
        self.records.len() - 1
    }

    /// What the CRM says instead of writing.
    fn refused(
        &self,
        request: &WriteRequest,
        fields: &HashMap<String, Value>,
        creates: bool,
    ) -> Option<WriteAnswer> {
        let mut errors = Vec::new();
        for refusal in self.refusals.iter().filter(|refusal| refusal.object == request.object) {
            match &refusal.kind {
                RefusalKind::Rejects { field, message }
                    if field.as_ref().is_none_or(|field| fields.contains_key(field)) =>
                {
                    errors.push(FieldError {
                        code: "REFUSED".to_owned(),
                        message: message.clone(),
                        fields: field.iter().cloned().collect(),
                    });
                }
                RefusalKind::Duplicates { field, of, allow_save }
                    if creates && !(*allow_save && request.allow_duplicates) =>
                {
                    let matches = self.duplicates(of, field, fields.get(field));
                    if !matches.is_empty() {
                        let rule = format!("duplicates by {field}");
                        let message = format!("a {} with this {field} exists", of.name);
                        return Some(WriteAnswer::Duplicate {
                            rule,
                            message,
                            matches,
                            allow_save: *allow_save,
                        });
                    }
                }
                _ => {}
            }
        }
        (!errors.is_empty()).then_some(WriteAnswer::Rejected { errors })
    }

    /// The records that hold a value.
    fn duplicates(&self, of: &ObjectName, field: &str, value: Option<&Value>) -> Vec<MatchedRecord> {
        let Some(value) = value.filter(|value| !value.is_blank()) else { return Vec::new() };
        let filter = Filter { field: field.to_owned(), op: FilterOp::Eq(value.clone()) };
        self.records
            .iter()
            .filter(|record| record.object == *of && self.holds(record, &filter))
            .map(|record| MatchedRecord { object: record.object.clone(), id: record.id.clone() })
            .collect()
    }

    /// A record as its CRM sends it.
    fn sent(&self, record: &Stored, fields: &[String]) -> Record {
        let values = fields
            .iter()
            .filter_map(|field| {
                Some((field.clone(), as_sent(record.object.side, &self.value(record, field)?)))
            })
            .collect();
        Record { object: record.object.clone(), id: record.id.clone(), values }
    }

    /// The value of a field, or at the end of a path over relationships.
    fn value(&self, record: &Stored, path: &str) -> Option<Value> {
        let (mut record, mut rest) = (record, path);
        for _ in 0..MAX_HOPS {
            let Some((relationship, further)) = rest.split_once('.') else { break };
            let field = record.relationships.get(relationship)?;
            let id = display(record.values.get(field)?);
            // Ids of one CRM tell their object, so the id alone finds the record.
            record = self
                .records
                .iter()
                .find(|other| other.object.side == record.object.side && other.id == id)?;
            rest = further;
        }
        record.value(rest)
    }

    fn holds(&self, record: &Stored, filter: &Filter) -> bool {
        let value = self.value(record, &filter.field).map_or(Value::Blank, |value| folded(&value));
        let compared = |wanted: &Value| order(&value, &folded(wanted));
        let equal = |wanted: &Value| {
            let wanted = folded(wanted);
            // A key is compared as it is sent, and an upsert sends text.
            same(&value, &wanted) || !value.is_blank() && display(&value) == display(&wanted)
        };
        match &filter.op {
            FilterOp::Eq(wanted) => equal(wanted),
            FilterOp::Ne(wanted) => !equal(wanted),
            FilterOp::Lt(wanted) => compared(wanted) == Some(Ordering::Less),
            FilterOp::Le(wanted) => compared(wanted).is_some_and(Ordering::is_le),
            FilterOp::Gt(wanted) => compared(wanted) == Some(Ordering::Greater),
            FilterOp::Ge(wanted) => compared(wanted).is_some_and(Ordering::is_ge),
            FilterOp::In(wanted) => wanted.iter().any(equal),
            FilterOp::Present => !value.is_blank(),
            FilterOp::Blank => value.is_blank(),
        }
    }
}

/// A record given without an id that the source record points at has the id that stands there.
fn point_at_references(plan: &Plan, records: &mut [Stored]) {
    for (field, object) in references(plan, records) {
        let Some(id) = records[0].value(&field).filter(|id| !id.is_blank()).map(|id| display(&id)) else {
            continue;
        };
        let mut of_object = records.iter_mut().skip(1).filter(|record| record.object == object);
        if let (Some(only), None) = (of_object.next(), of_object.next())
            && only.id.is_empty()
        {
            only.id = id;
        }
    }
}

/// A source record that points nowhere points at the record given.
fn fill_references(plan: &Plan, records: &mut [Stored]) {
    for (field, object) in references(plan, records) {
        let given = records.iter().skip(1).find(|record| record.object == object);
        if let Some(id) = given.map(|record| record.id.clone()) {
            records[0].values.entry(field).or_insert_with(|| Value::text(id));
        }
    }
}

/// The fields of the source record that mappings follow to another record, with its object.
fn references(plan: &Plan, records: &[Stored]) -> Vec<(String, ObjectName)> {
    let Some(source) = records.first() else { return Vec::new() };
    let of_source = plan.mappings.iter().filter(|mapping| mapping.source == source.object);
    of_source
        .flat_map(|mapping| &mapping.related)
        .filter_map(|related| match &related.kind {
            WithKind::Reference { field } => Some((field.clone(), related.object.clone())),
            WithKind::Association(_) => None,
        })
        .collect()
}

/// The record type that a look-up asks for. The checker knows that there is one; in a test its id is its developer name.
fn record_type(request: &FindRequest) -> Option<Record> {
    let is_asked = request.object == ObjectName::new(Side::Salesforce, "RecordType");
    let name = request.filters.iter().filter(|_| is_asked).find(|filter| filter.field == "DeveloperName")?;
    let FilterOp::Eq(name) = &name.op else { return None };
    Some(Record { object: request.object.clone(), id: display(name), values: serde_json::Map::new() })
}

/// Ids for records that have none.
struct Ids {
    taken: HashSet<String>,
    /// The last number tried, by object.
    last: HashMap<ObjectName, u32>,
}

impl Ids {
    fn of(given: &[GivenRecord]) -> Self {
        Self::beside(given.iter().filter_map(|given| given.id.clone()))
    }

    fn beside(taken: impl Iterator<Item = String>) -> Self {
        Self { taken: taken.collect(), last: HashMap::new() }
    }

    /// HubSpot's ids are numbers; Salesforce's are named after the object, so that a difference can be read.
    fn next(&mut self, object: &ObjectName) -> String {
        let last = self.last.entry(object.clone()).or_default();
        loop {
            *last += 1;
            let id = match object.side {
                Side::Hubspot => last.to_string(),
                Side::Salesforce => format!("{}-{last}", object.name),
            };
            if self.taken.insert(id.clone()) {
                return id;
            }
        }
    }
}

/// A value with its text in lower case.
fn folded(value: &Value) -> Value {
    match value {
        Value::Text(text) => Value::Text(text.to_lowercase()),
        Value::List(values) => Value::List(values.iter().map(folded).collect()),
        other => other.clone(),
    }
}

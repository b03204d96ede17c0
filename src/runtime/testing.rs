//! Scripted CRMs and mappings for the tests of the driver and the worker.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::crm::Crm;
use crate::eval::{Answer, Effect, FieldChange, Finished, PlannedWrite, Verdict};
use crate::source::{Location, ObjectName, Side};
use crate::store::{Incoming, NewEvent};
use crate::types::{
    AssociateRequest, AssociatedRequest, Cause, ChangeEvent, ChangeKind, ChangedRequest, CrmError,
    CrmErrorKind, Filter, FilterOp, FindRequest, ReadRequest, Record, Value, WriteAnswer, WriteRequest,
    WriteTarget,
};

use super::Crms;
use super::engine::{Engine, Job, Task};

/// A CRM whose records are a map from upsert key to fields, and which fails as it is told.
#[derive(Debug)]
pub(crate) struct FakeCrm {
    side: Side,
    pub(crate) records: Mutex<HashMap<String, Vec<(String, Value)>>>,
    /// Failures of the next calls, in order.
    pub(crate) failures: Mutex<VecDeque<CrmError>>,
    /// Upsert keys whose writes fail, each time.
    pub(crate) bad: Mutex<HashMap<String, CrmError>>,
    /// Every call: what it was, and how many rows it had.
    pub(crate) calls: Mutex<Vec<(&'static str, usize)>>,
    /// Calls wait here while it is held.
    pub(crate) gate: tokio::sync::Semaphore,
    /// Whether somebody has logged in anew.
    pub(crate) anew: AtomicBool,
    count: AtomicU64,
}

impl FakeCrm {
    pub(crate) fn new(side: Side) -> Arc<Self> {
        Arc::new(Self {
            side,
            records: Mutex::default(),
            failures: Mutex::default(),
            bad: Mutex::default(),
            calls: Mutex::default(),
            gate: tokio::sync::Semaphore::new(1000),
            anew: AtomicBool::new(false),
            count: AtomicU64::new(0),
        })
    }

    pub(crate) fn error(&self, kind: CrmErrorKind) -> CrmError {
        CrmError {
            side: self.side,
            kind,
            status: Some(500),
            code: None,
            message: "as scripted".to_owned(),
            retry_after: None,
            maybe_applied: false,
        }
    }

    pub(crate) fn fail_next(&self, kind: CrmErrorKind) {
        self.failures.lock().unwrap().push_back(self.error(kind));
    }

    pub(crate) fn rows(&self, call: &str) -> Vec<usize> {
        self.calls.lock().unwrap().iter().filter(|(name, _)| *name == call).map(|(_, rows)| *rows).collect()
    }

    /// Associations with a record whose id is `bad` are refused.
    async fn changed(&self, call: &'static str, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        let called = self.called(call, requests.len()).await;
        let one = |request: &AssociateRequest| match &called {
            Err(error) => Err(error.clone()),
            Ok(()) if request.to_id == "bad" => Err(self.error(CrmErrorKind::Refused)),
            Ok(()) => Ok(()),
        };
        requests.iter().map(one).collect()
    }

    async fn called(&self, call: &'static str, rows: usize) -> Result<(), CrmError> {
        drop(self.gate.acquire().await);
        self.calls.lock().unwrap().push((call, rows));
        self.count.fetch_add(1, Ordering::Relaxed);
        self.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

#[async_trait]
impl Crm for FakeCrm {
    fn side(&self) -> Side {
        self.side
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        self.called("read", request.ids.len()).await?;
        let record = |id: &String| Record {
            object: request.object.clone(),
            id: id.clone(),
            values: serde_json::Map::from_iter([("city".to_owned(), "Tempe".into())]),
        };
        Ok(request.ids.iter().filter(|id| *id != "gone").map(record).collect())
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        if let Err(error) = self.called("find", requests.len()).await {
            return requests.iter().map(|_| Err(error.clone())).collect();
        }
        let records = self.records.lock().unwrap();
        let found = |request: &FindRequest| {
            let FilterOp::Eq(Value::Text(key)) = &request.filters[0].op else { panic!("a key") };
            let record = |key: &String| Record {
                object: request.object.clone(),
                id: format!("id-{key}"),
                values: serde_json::Map::default(),
            };
            records.contains_key(key).then(|| record(key)).into_iter().collect()
        };
        requests.iter().map(|request| Ok(found(request))).collect()
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        if let Err(error) = self.called("write", requests.len()).await {
            return requests.iter().map(|_| WriteAnswer::Failed(error.clone())).collect();
        }
        let mut seen = HashSet::new();
        requests
            .iter()
            .map(|request| {
                let WriteTarget::Upsert { value, .. } = &request.target else { panic!("an upsert") };
                assert!(seen.insert(value.clone()), "`{value}` is twice in one call");
                if let Some(error) = self.bad.lock().unwrap().get(value) {
                    return WriteAnswer::Failed(error.clone());
                }
                let mut records = self.records.lock().unwrap();
                let created = records.insert(value.clone(), request.fields.clone()).is_none();
                WriteAnswer::Written { id: format!("id-{value}"), created }
            })
            .collect()
    }

    async fn associated(&self, _: &AssociatedRequest) -> Result<HashMap<String, Vec<String>>, CrmError> {
        Ok(HashMap::new())
    }

    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.changed("associate", requests).await
    }

    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.changed("dissociate", requests).await
    }

    async fn changed(&self, _: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        self.called("changed", 1).await?;
        Ok(BTreeMap::new())
    }

    async fn survivor(&self, _: &ObjectName, _: &str) -> Result<Option<String>, CrmError> {
        self.called("survivor", 1).await?;
        Ok(None)
    }

    async fn logged_in_anew(&self) -> bool {
        self.anew.swap(false, Ordering::Relaxed)
    }

    fn calls(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Both CRMs, to look into and to hand over.
pub(crate) fn crms() -> (Arc<FakeCrm>, Arc<FakeCrm>, Crms) {
    let (hubspot, salesforce) = (FakeCrm::new(Side::Hubspot), FakeCrm::new(Side::Salesforce));
    let both = Crms { hubspot: hubspot.clone(), salesforce: salesforce.clone() };
    (hubspot, salesforce, both)
}

/// Mappings that read, look up and upsert every contact, by name:
/// `copy` writes under the contact's id, `shared` writes all contacts under one key, `panics` breaks on record `13`,
/// `waits` waits for `email`.
#[derive(Debug)]
pub(crate) struct ScriptedEngine(pub(super) Vec<&'static str>);

impl Engine for ScriptedEngine {
    fn paired_with(&self, _mapping: &str, _object: &ObjectName) -> Option<ObjectName> {
        None
    }

    fn triggered(&self, events: &[ChangeEvent]) -> Vec<Task> {
        let starts = events.iter().any(|event| match &event.kind {
            ChangeKind::FieldChanged { field, .. } => field == "lifecyclestage",
            _ => false,
        });
        let task = |mapping: &&str| Task {
            mapping: (*mapping).to_owned(),
            if_became: false,
            if_paired: false,
            cause: None,
        };
        if starts { self.0.iter().map(task).collect() } else { Vec::new() }
    }

    fn relays(&self, _: &[ChangeEvent]) -> Vec<(String, Cause)> {
        Vec::new()
    }

    fn cause(&self, _: &str, _: &[ChangeEvent]) -> Option<Cause> {
        None
    }

    fn start(&self, task: &Task, _: &ObjectName, record: &str) -> Option<Box<dyn Job>> {
        let mapping = *self.0.iter().find(|mapping| **mapping == task.mapping)?;
        Some(Box::new(ScriptedJob { mapping, record: record.to_owned() }))
    }
}

/// One run of a scripted mapping.
pub(super) struct ScriptedJob {
    pub(super) mapping: &'static str,
    pub(super) record: String,
}

impl ScriptedJob {
    fn key(&self) -> String {
        if self.mapping == "shared" { "shared".to_owned() } else { self.record.clone() }
    }

    fn finish(&self, verdict: Verdict) -> Effect {
        Effect::Finish(Finished {
            conversion: None,
            mapping: self.mapping.to_owned(),
            verdict,
            path: Vec::new(),
            links: Vec::new(),
            dropped: Vec::new(),
            associations: Vec::new(),
        })
    }

    fn lead() -> ObjectName {
        ObjectName::new(Side::Salesforce, "Lead")
    }

    fn change(&self) -> FieldChange {
        FieldChange {
            field: "City".to_owned(),
            old: None,
            new: Some(Value::Text(self.record.clone())),
            kept: None,
            at: Location { file: "copy.map".to_owned(), line: 4, column: 1 },
        }
    }
}

impl Job for ScriptedJob {
    fn next(&mut self, answer: Option<Answer>) -> Effect {
        match answer {
            None => Effect::Read(ReadRequest {
                object: ObjectName::new(Side::Hubspot, "contact"),
                ids: vec![self.record.clone()],
                fields: vec!["city".to_owned()],
            }),
            Some(Answer::Records(records)) => match records.as_slice() {
                [] => self.finish(Verdict::SourceGone),
                [record] => {
                    assert_eq!(record.id, self.record, "each run gets its own record");
                    let fields = vec!["email".to_owned()];
                    match (self.mapping, self.record.as_str()) {
                        ("panics", "13") => panic!("a scripted panic"),
                        ("waits", _) => {
                            let (reason, pairs) = ("no e-mail".to_owned(), Vec::new());
                            self.finish(Verdict::Waiting { reason, fields, pairs, at: None })
                        }
                        _ => self.look_up(),
                    }
                }
                more => panic!("{} records for one id", more.len()),
            },
            Some(Answer::Found(found)) => {
                assert_eq!(found.len(), 2);
                if let [record] = found[0].as_slice() {
                    assert_eq!(record.id, format!("id-{}", self.key()));
                }
                Effect::Write(PlannedWrite {
                    relies_on: Vec::new(),
                    mapping: self.mapping.to_owned(),
                    request: WriteRequest {
                        object: Self::lead(),
                        target: WriteTarget::Upsert { key: "Key__c".to_owned(), value: self.key() },
                        fields: vec![("City".to_owned(), Value::Text(self.record.clone()))],
                        allow_duplicates: false,
                        assignment_rule: None,
                    },
                    changes: vec![self.change()],
                })
            }
            Some(Answer::Written(WriteAnswer::Written { id, created })) => {
                let changes = vec![self.change()];
                self.finish(Verdict::Written { object: Self::lead(), id, created, changes })
            }
            Some(Answer::LookAgain) => self.look_up(),
            Some(other) => panic!("{other:?}"),
        }
    }
}

impl ScriptedJob {
    /// One look-up in each CRM, the target's first.
    fn look_up(&self) -> Effect {
        let find = |object: ObjectName, key: String| FindRequest {
            object,
            filters: vec![Filter { field: "Key__c".to_owned(), op: FilterOp::Eq(Value::Text(key)) }],
            ids: Vec::new(),
            fields: Vec::new(),
            limit: 2,
        };
        let company = ObjectName::new(Side::Hubspot, "company");
        Effect::Find(vec![find(Self::lead(), self.key()), find(company, "none".to_owned())])
    }
}

/// A change of a contact's lifecycle stage; `n` tells events of one record apart.
pub(crate) fn event(record: &str, n: u32, now: DateTime<Utc>) -> NewEvent {
    change(record, n, now, ChangeKind::FieldChanged { field: "lifecyclestage".to_owned(), value: None })
}

/// Any change of a contact.
pub(crate) fn change(record: &str, n: u32, now: DateTime<Utc>, kind: ChangeKind) -> NewEvent {
    let object = ObjectName::new(Side::Hubspot, "contact");
    NewEvent {
        pair: "main".to_owned(),
        dedupe: format!("{record}/{n}/{kind:?}"),
        raw: "{}".to_owned(),
        received_at: now,
        incoming: Incoming::Change(ChangeEvent { object, record: record.to_owned(), kind, occurred_at: now }),
    }
}

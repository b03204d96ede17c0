//! CRMs as a load sees them: records that its walk has read already are not read again, and a dry run writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::crm::Crm;
use crate::eval::would_become;
use crate::source::{ObjectName, Side};
use crate::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, ConvertAnswer, ConvertRequest, CrmError,
    FindRequest, ReadRequest, Record, WriteAnswer, WriteRequest, WriteTarget,
};

use super::super::Crms;
use super::Load;
use super::jobs::Jobs;

/// Stands for the id of a record that a dry run would make; no CRM has such an id.
const NEW: &str = "(new)";

/// Rows of one write: HubSpot's batches, and Salesforce's collections.
const ROWS: [(Side, usize); 2] = [(Side::Hubspot, 100), (Side::Salesforce, 200)];

/// Calls of one job: it is opened, filled and started, looked at three times or more, and its two results are read.
const JOB_CALLS: usize = 8;

/// The calls of a load.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls to HubSpot that were made.
    pub hubspot: u64,
    /// Calls to Salesforce that were made.
    pub salesforce: u64,
    /// Calls to HubSpot that the writes would take.
    pub hubspot_writes: u64,
    /// Calls to Salesforce that the writes would take.
    pub salesforce_writes: u64,
}

impl Calls {
    pub(super) fn made(crms: &Crms) -> Self {
        Self { hubspot: crms.hubspot.calls(), salesforce: crms.salesforce.calls(), ..Self::default() }
    }

    pub(super) fn since(self, before: Self) -> Self {
        let (hubspot, salesforce) = (self.hubspot - before.hubspot, self.salesforce - before.salesforce);
        Self { hubspot, salesforce, ..self }
    }

    pub(super) fn with_writes(self, imagined: &Imagined) -> Self {
        let calls = locked(&imagined.calls);
        let of = |side| calls.get(&side).copied().unwrap_or_default();
        Self { hubspot_writes: of(Side::Hubspot), salesforce_writes: of(Side::Salesforce), ..self }
    }
}

/// What a dry run would have written.
#[derive(Debug, Default)]
pub(super) struct Imagined {
    /// Calls, by side.
    pub(super) calls: Mutex<BTreeMap<Side, u64>>,
    /// From so many rows on, Salesforce gets jobs.
    pub(super) bulk_from: Option<usize>,
}

impl Imagined {
    /// Counts the calls of these rows, which share one where they are alike.
    fn rows<K: Ord>(&self, side: Side, bulk_from: Option<usize>, kinds: impl Iterator<Item = K>) {
        let mut groups: BTreeMap<K, usize> = BTreeMap::new();
        for kind in kinds {
            *groups.entry(kind).or_default() += 1;
        }
        let rows = ROWS.iter().find(|(of, _)| *of == side).map_or(1, |(_, rows)| *rows);
        let bulk_from = bulk_from.filter(|_| side == Side::Salesforce).unwrap_or(usize::MAX);
        let of = |count: &usize| if *count >= bulk_from { JOB_CALLS } else { count.div_ceil(rows) };
        let calls: usize = groups.values().map(of).sum();
        *locked(&self.calls).entry(side).or_default() += u64::try_from(calls).unwrap_or(u64::MAX);
    }
}

/// A pair's CRMs, and what is known of the source records.
pub(super) struct Lens {
    crms: Crms,
    walked: Arc<Walked>,
}

/// Records that the walk has read. Each is used once: whoever looks again wants to know how it is then.
struct Walked {
    object: ObjectName,
    fields: Vec<String>,
    records: Mutex<HashMap<String, Record>>,
}

impl Lens {
    /// CRMs that need not be asked for these records.
    pub(super) fn walked(crms: &Crms, load: &Load, records: Vec<Record>, jobs: Option<&Arc<Jobs>>) -> Self {
        Self::of(crms, load, records, None, jobs)
    }

    /// The same, and nothing is written.
    pub(super) fn imagining(
        crms: &Crms,
        load: &Load,
        records: Vec<Record>,
        imagined: &Arc<Imagined>,
    ) -> Crms {
        Self::of(crms, load, records, Some(imagined), None).crms()
    }

    fn of(
        crms: &Crms,
        load: &Load,
        records: Vec<Record>,
        imagined: Option<&Arc<Imagined>>,
        jobs: Option<&Arc<Jobs>>,
    ) -> Self {
        let records = records.into_iter().map(|record| (record.id.clone(), record)).collect();
        let walked = Arc::new(Walked {
            object: load.object.clone(),
            fields: load.fields.clone(),
            records: Mutex::new(records),
        });
        let seen = |inner: &Arc<dyn Crm>| -> Arc<dyn Crm> {
            let (inner, walked, imagined) = (Arc::clone(inner), Arc::clone(&walked), imagined.cloned());
            // Of the two only Salesforce takes jobs.
            let jobs = jobs.filter(|_| inner.side() == Side::Salesforce).cloned();
            Arc::new(Seen { inner, walked, imagined, jobs })
        };
        let crms = Crms { hubspot: seen(&crms.hubspot), salesforce: seen(&crms.salesforce) };
        Self { crms, walked }
    }

    pub(super) fn crms(&self) -> Crms {
        self.crms.clone()
    }

    /// Reads these again when they are wanted.
    pub(super) fn forget(&self, records: &[String]) {
        let mut known = locked(&self.walked.records);
        for record in records {
            known.remove(record);
        }
    }
}

struct Seen {
    inner: Arc<dyn Crm>,
    walked: Arc<Walked>,
    imagined: Option<Arc<Imagined>>,
    jobs: Option<Arc<Jobs>>,
}

impl Seen {
    /// Writes, many rows of a kind in jobs.
    async fn really_write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let Some(jobs) = &self.jobs else { return self.inner.write(requests).await };
        let inner = Arc::clone(&self.inner);
        jobs.write(requests, |rest| async move { inner.write(&rest).await }).await
    }
}

#[async_trait]
impl Crm for Seen {
    fn side(&self) -> Side {
        self.inner.side()
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        let same = request.object == self.walked.object
            && request.fields.iter().all(|field| self.walked.fields.contains(field));
        let mut found = Vec::with_capacity(request.ids.len());
        let mut ids: Vec<String> = request.ids.iter().filter(|id| *id != NEW).cloned().collect();
        if same {
            let mut known = locked(&self.walked.records);
            ids.retain(|id| match known.remove(id) {
                Some(record) => {
                    found.push(record);
                    false
                }
                None => true,
            });
        }
        if !ids.is_empty() {
            let request = ReadRequest { ids, ..request.clone() };
            found.extend(self.inner.read(&request).await?);
        }
        Ok(found)
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        self.inner.find(requests).await
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let Some(imagined) = &self.imagined else { return self.really_write(requests).await };
        let kind = |request: &WriteRequest| {
            let verb = match &request.target {
                WriteTarget::Create => String::new(),
                WriteTarget::Update { .. } => "id".to_owned(),
                WriteTarget::Upsert { key, .. } => format!("key {key}"),
            };
            (request.object.name.clone(), verb)
        };
        imagined.rows(self.side(), imagined.bulk_from, requests.iter().map(kind));
        let answer = |request: &WriteRequest| match &request.target {
            WriteTarget::Update { id } => WriteAnswer::Written { id: id.clone(), created: false },
            _ => WriteAnswer::Written { id: NEW.to_owned(), created: true },
        };
        requests.iter().map(answer).collect()
    }

    async fn convert(&self, requests: &[ConvertRequest]) -> Vec<ConvertAnswer> {
        let Some(imagined) = &self.imagined else { return self.inner.convert(requests).await };
        imagined.rows(self.side(), None, requests.iter().map(|_| ()));
        requests.iter().map(|request| ConvertAnswer::Converted(would_become(request, NEW))).collect()
    }

    async fn associated(
        &self,
        request: &AssociatedRequest,
    ) -> Result<HashMap<String, Vec<String>>, CrmError> {
        let ids: Vec<String> = request.ids.iter().filter(|id| *id != NEW).cloned().collect();
        if ids.is_empty() {
            // A record that is not there yet is associated with nothing.
            return Ok(HashMap::new());
        }
        self.inner.associated(&AssociatedRequest { ids, ..request.clone() }).await
    }

    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        let Some(imagined) = &self.imagined else { return self.inner.associate(requests).await };
        imagined.rows(self.side(), None, requests.iter().map(|request| request.from.name.clone()));
        requests.iter().map(|_| Ok(())).collect()
    }

    async fn changed(&self, request: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        self.inner.changed(request).await
    }

    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError> {
        self.inner.survivor(object, gone).await
    }

    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        let Some(imagined) = &self.imagined else { return self.inner.dissociate(requests).await };
        imagined.rows(self.side(), None, requests.iter().map(|request| request.from.name.clone()));
        requests.iter().map(|_| Ok(())).collect()
    }

    fn calls(&self) -> u64 {
        self.inner.calls()
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

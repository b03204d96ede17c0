//! A client that counts what it writes to each record.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mapwright::crm::Crm;
use mapwright::source::{ObjectName, Side};
use mapwright::types::{
    AssociateRequest, AssociatedRequest, ChangedRequest, CrmError, FindRequest, ReadRequest, Record,
    WriteAnswer, WriteRequest,
};

/// How many writes each record has got, by its id.
pub(crate) type Writes = Arc<Mutex<HashMap<String, usize>>>;

/// A client with a counter.
pub(crate) struct Counting {
    pub(crate) client: Arc<dyn Crm>,
    pub(crate) writes: Writes,
}

#[async_trait]
impl Crm for Counting {
    fn side(&self) -> Side {
        self.client.side()
    }

    async fn read(&self, request: &ReadRequest) -> Result<Vec<Record>, CrmError> {
        self.client.read(request).await
    }

    async fn find(&self, requests: &[FindRequest]) -> Vec<Result<Vec<Record>, CrmError>> {
        self.client.find(requests).await
    }

    async fn write(&self, requests: &[WriteRequest]) -> Vec<WriteAnswer> {
        let answers = self.client.write(requests).await;
        let mut writes = self.writes.lock().expect("no panic while it is held");
        for answer in &answers {
            match answer {
                WriteAnswer::Written { id, .. } => *writes.entry(id.clone()).or_default() += 1,
                other => panic!("a write failed: {other:?}"),
            }
        }
        answers
    }

    async fn associated(
        &self,
        request: &AssociatedRequest,
    ) -> Result<HashMap<String, Vec<String>>, CrmError> {
        self.client.associated(request).await
    }

    async fn associate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.client.associate(requests).await
    }

    async fn changed(&self, request: &ChangedRequest) -> Result<BTreeMap<String, DateTime<Utc>>, CrmError> {
        self.client.changed(request).await
    }

    async fn survivor(&self, object: &ObjectName, gone: &str) -> Result<Option<String>, CrmError> {
        self.client.survivor(object, gone).await
    }

    async fn dissociate(&self, requests: &[AssociateRequest]) -> Vec<Result<(), CrmError>> {
        self.client.dissociate(requests).await
    }

    fn calls(&self) -> u64 {
        self.client.calls()
    }
}

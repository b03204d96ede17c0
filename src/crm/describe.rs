//! What a CRM says about its own objects.

use async_trait::async_trait;

use crate::schema::{DescribedObject, DescribedOwner};
use crate::source::Side;
use crate::types::CrmError;

/// A CRM that describes its objects.
///
/// Nothing is written, so a call that is dropped leaves nothing behind.
#[async_trait]
pub trait Describe: Send + Sync {
    /// Which CRM.
    fn side(&self) -> Side;

    /// The API version that is asked, as it stands in a snapshot.
    fn api_version(&self) -> &str;

    /// The vendor's names of all objects that a mapping could be about.
    async fn object_names(&self) -> Result<Vec<String>, CrmError>;

    /// An object by the vendor's name; `None` where the CRM has no such object, or does not show it.
    async fn describe_object(&self, api_name: &str) -> Result<Option<DescribedObject>, CrmError>;

    /// The labels of the associations from one object to another; `None` where there can be none.
    async fn association_labels(
        &self,
        from: &DescribedObject,
        to: &DescribedObject,
    ) -> Result<Option<Vec<String>>, CrmError>;

    /// Everybody who can own records, or could.
    async fn owners(&self) -> Result<Vec<DescribedOwner>, CrmError>;
}

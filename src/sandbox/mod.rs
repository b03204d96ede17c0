//! Both CRMs as local servers.

pub mod salesforce;

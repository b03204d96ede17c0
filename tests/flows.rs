//! The flows that ship, end to end over HTTP: HubSpot's webhooks into the real listener, Salesforce polled by the real
//! feed, the shipped mappings, both clients against both sandboxes.

#[path = "flows/activities.rs"]
mod activities;
#[path = "flows/companies.rs"]
mod companies;
#[path = "flows/deals.rs"]
mod deals;
#[path = "flows/ends.rs"]
mod ends;
#[path = "flows/leads.rs"]
mod leads;
#[path = "sandboxes/listener.rs"]
mod listener;
#[path = "flows/stage.rs"]
mod stage;

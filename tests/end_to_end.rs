//! End to end: the real binary as several processes on loopback, with the sandbox in the place of both CRMs.

#[path = "end_to_end/accounts.rs"]
mod accounts;
#[path = "end_to_end/alerts.rs"]
mod alerts;
#[path = "end_to_end/backfill.rs"]
mod backfill;
#[path = "end_to_end/crash.rs"]
mod crash;
#[path = "end_to_end/demo.rs"]
mod demo;
#[path = "end_to_end/doctor.rs"]
mod doctor;
#[path = "end_to_end/feed.rs"]
mod feed;
#[path = "end_to_end/http.rs"]
mod http;
#[path = "end_to_end/once.rs"]
mod once;
#[path = "end_to_end/operator.rs"]
mod operator;
#[path = "end_to_end/owners.rs"]
mod owners;
#[path = "end_to_end/pairs.rs"]
mod pairs;
#[path = "end_to_end/parked.rs"]
mod parked;
#[path = "end_to_end/permissions.rs"]
mod permissions;
#[path = "end_to_end/schema.rs"]
mod schema;
#[path = "end_to_end/schema_changes.rs"]
mod schema_changes;
#[path = "end_to_end/serve.rs"]
mod serve;
#[path = "end_to_end/stage.rs"]
mod stage;
#[path = "end_to_end/walk.rs"]
mod walk;
#[path = "end_to_end/why.rs"]
mod why;
#[path = "cli/world.rs"]
mod world;

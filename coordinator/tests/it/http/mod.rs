//! Stories over HTTP.

mod strangers;
mod support;

mod access;
mod agents;
mod api;
mod approvals;
mod audit;
mod blobs;
mod builds;
mod commands;
mod deliveries;
mod events;
mod failure_report;
mod flow;
mod full_disk;
mod id_tokens;
mod logs;
mod order;
mod outbox;
mod pages;
mod polling;
mod repositories;
mod restart;
mod sessions;
mod shared;
mod signatures;
mod stacks;
mod test_reports;
mod trust;

//! The examples: the code of the small ones in this process, the receiver and `send` as processes
//! of their own.

#[path = "../support/mod.rs"]
mod support;

mod github;
mod grpc;
mod hyper;
mod queue;
mod receiver;
mod receiver_page;
mod standard_webhooks;
mod tenants;

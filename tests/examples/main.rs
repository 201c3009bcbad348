//! The examples: the code of the small ones in this process, the receiver and `send` as processes
//! of their own.
#![allow(
    clippy::duplicate_mod,
    reason = "examples share modules, and each example is a module here"
)]

#[path = "../support/mod.rs"]
mod support;

mod github;
mod grpc;
mod hyper;
mod life;
mod queue;
mod receiver;
mod receiver_page;
mod standard_webhooks;
mod tenants;

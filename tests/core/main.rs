//! The layer, its parts and the crate as a whole, without a provider of its own.

#[path = "../support/mod.rs"]
mod support;

mod budget;
mod delivery_id;
mod docs;
mod handler;
mod layer;
mod manifest;
mod public_dependencies;
mod sources;
mod tenants;

//! The layer in axum, and among the middleware of tower and tower-http.

#[path = "../support/mod.rs"]
mod support;

mod axum;
mod middleware;

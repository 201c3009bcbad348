//! The layer in axum, and among the middleware of tower and tower-http.

mod axum;
mod mounts;

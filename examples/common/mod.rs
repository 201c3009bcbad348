//! What the examples share.
#![allow(dead_code, reason = "each example uses its own share")]

pub mod ended;
pub mod run;
pub mod secret;
pub mod serve;
pub mod vars;

//! The variables that the receiver and the sender share, with the demo values that serve while none is set.

use std::env;

/// A provider's variables, each with its demo value; `None` where the demo does without.
pub type Names = &'static [(&'static str, Option<&'static str>)];

/// One provider's variables as they are set.
pub struct Vars {
    names: Names,
    /// None of the variables is set.
    pub demo: bool,
}

impl Vars {
    pub fn new(names: Names) -> Self {
        Self { names, demo: names.iter().all(|(name, _)| env::var_os(name).is_none()) }
    }

    /// The variable, or its demo value if the demo is on.
    pub fn get(&self, name: &str) -> Option<String> {
        let (_, demo) = self.names.iter().find(|(known, _)| *known == name)?;
        if self.demo { demo.map(str::to_owned) } else { env::var(name).ok() }
    }
}

pub const RECEIVER_ADDR: &str = "127.0.0.1:3000";

pub const ZEGOCLOUD: Names = &[("ZEGOCLOUD_CALLBACK_SECRET", Some("demo-zegocloud-callback-secret"))];

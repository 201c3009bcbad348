//! The variables that the receiver and the sender share, with the demo values that serve while none is set.

use std::env;

/// One provider's variables.
pub struct Vars {
    names: &'static [(&'static str, Option<&'static str>)],
    /// None of the variables is set.
    pub demo: bool,
}

impl Vars {
    /// `names` with the demo value of each; `None` where the demo does without.
    pub fn new(names: &'static [(&'static str, Option<&'static str>)]) -> Self {
        Self { names, demo: names.iter().all(|(name, _)| env::var_os(name).is_none()) }
    }

    /// The variable, or its demo value if the demo is on.
    pub fn get(&self, name: &str) -> Option<String> {
        let (_, demo) = self.names.iter().find(|(known, _)| *known == name)?;
        if self.demo { demo.map(str::to_owned) } else { env::var(name).ok() }
    }
}

pub const RECEIVER_ADDR: &str = "127.0.0.1:3000";

pub const ZEGOCLOUD: &[(&str, Option<&str>)] = &[("ZEGOCLOUD_CALLBACK_SECRET", Some("demo-zegocloud-callback-secret"))];

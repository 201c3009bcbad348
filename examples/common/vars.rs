//! The variables that the receiver and the sender share, and their demo values, which are used
//! while none is set.

use std::env::{self, VarError};

/// The variable's value; `None` if it is not set. What is not UTF-8 is an error: whoever set it
/// does not want the default.
pub fn variable(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(value) => Ok(Some(value)),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => Err(format!("{name}: not UTF-8")),
    }
}

/// A provider's variables, each with its demo value; `None` where the demo needs none.
pub type Names = &'static [(&'static str, Option<&'static str>)];

/// One provider's variables, read from the environment.
pub struct Vars {
    values: Vec<(&'static str, Option<String>)>,
    /// None of the variables is set.
    #[allow(dead_code, reason = "the receiver warns, the sender does not")]
    pub demo: bool,
}

impl Vars {
    pub fn new(names: Names) -> Result<Self, String> {
        let mut values = Vec::with_capacity(names.len());
        for (name, _) in names {
            values.push((*name, variable(name)?));
        }
        let demo = values.iter().all(|(_, value)| value.is_none());
        for ((name, value), (_, default)) in values.iter_mut().zip(names) {
            // The public URL always has a default.
            if value.is_none() && (demo || *name == "VOBIZ_PUBLIC_URL") {
                *value = default.map(str::to_owned);
            }
        }
        Ok(Self { values, demo })
    }

    /// The variable, or in the demo its demo value.
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.iter().find(|(known, _)| *known == name)?.1.clone()
    }
}

/// Follows the provider's name.
#[allow(dead_code, reason = "the sender does not warn")]
pub const DEMO_WARNING: &str =
    "no variable is set, so the published demo values are used: anybody can forge events";

pub const RECEIVER_ADDR: &str = "127.0.0.1:3000";

pub const ZEGOCLOUD: Names =
    &[("ZEGOCLOUD_CALLBACK_SECRET", Some("demo-zegocloud-callback-secret"))];

pub const GEELARK: Names = &[
    ("GEELARK_APP_ID", Some("DEMOAPPID000000000000001")),
    ("GEELARK_APP_KEY", Some("demo-geelark-app-key")),
    ("GEELARK_TOKEN", Some("demo-geelark-token")),
];

pub const STARDUST: Names = &[
    ("STARDUST_ACCESS_KEY", Some("demo-stardust-access-key")),
    ("STARDUST_SECRET_KEY", Some("demo-stardust-secret-key")),
];

pub const VOBIZ: Names = &[
    ("VOBIZ_AUTH_TOKEN", Some("demo-vobiz-auth-token")),
    ("VOBIZ_PARENT_AUTH_TOKEN", Some("demo-vobiz-parent-auth-token")),
    ("VOBIZ_PUBLIC_URL", Some(VOBIZ_PUBLIC_URL)),
    ("VOBIZ_NDNC_SECRET", Some("demo-vobiz-ndnc-secret-of-32-characters")),
    ("VOBIZ_TRUNK_SECRET", Some("demo-vobiz-trunk-secret")),
    ("VOBIZ_WHATSAPP_SECRET", Some("demo-vobiz-whatsapp-secret")),
];

const VOBIZ_PUBLIC_URL: &str = "http://127.0.0.1:3000";

//! The variables that the receiver and the sender share, and their demo values, which are used
//! while none is set.

use std::env;

/// A provider's variables, each with its demo value; `None` where the demo needs none.
pub type Names = &'static [(&'static str, Option<&'static str>)];

/// One provider's variables, read from the environment.
pub struct Vars {
    names: Names,
    /// None of the variables is set.
    pub demo: bool,
}

impl Vars {
    pub fn new(names: Names) -> Self {
        Self { names, demo: names.iter().all(|(name, _)| env::var_os(name).is_none()) }
    }

    /// The variable, or in the demo its demo value. The public URL always has a default.
    pub fn get(&self, name: &str) -> Option<String> {
        let (_, demo) = self.names.iter().find(|(known, _)| *known == name)?;
        let demo = demo.map(str::to_owned);
        if self.demo {
            demo
        } else {
            env::var(name).ok().or(demo.filter(|_| name == "VOBIZ_PUBLIC_URL"))
        }
    }
}

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

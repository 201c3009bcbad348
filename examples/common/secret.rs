//! The callback secret of the examples that need no other variable of a provider.

use super::vars::{DEMO_WARNING, Vars, ZEGOCLOUD};

/// `ZEGOCLOUD_CALLBACK_SECRET`, or the receiver's demo value, with a warning, if it is not set.
pub fn callback_secret() -> Result<String, String> {
    let vars = Vars::new(ZEGOCLOUD)?;
    if vars.demo {
        eprintln!("warning: zegocloud: {DEMO_WARNING}");
    }
    Ok(vars.get("ZEGOCLOUD_CALLBACK_SECRET").unwrap_or_default())
}

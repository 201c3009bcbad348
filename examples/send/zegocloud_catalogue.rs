//! One example of every ZEGOCLOUD event with every documented field: its kind and its JSON body,
//! without the members that the signer adds.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::LazyLock;

pub fn events() -> &'static [(&'static str, &'static str)] {
    #[derive(Deserialize)]
    struct Payload {
        kind: &'static str,
        #[serde(borrow)]
        body: &'static RawValue,
    }

    static EVENTS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
        let payloads: Vec<Payload> =
            serde_json::from_str(include_str!("../../tests/payloads/zegocloud.json")).unwrap();
        payloads.into_iter().map(|payload| (payload.kind, payload.body.get())).collect()
    });

    &EVENTS
}

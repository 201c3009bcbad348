//! JSON that the provider puts inside a string.

use crate::Json;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// JSON text inside a string, parsed on demand only: what it holds never decides whether an event is accepted.
///
/// ```
/// use tower_webhooks::zegocloud::{JsonText, StreamAttr, VideoCodec};
///
/// let attr: JsonText = serde_json::from_str(r#""{\"cid\":3}""#)?;
/// assert_eq!(attr.get(), r#"{"cid":3}"#);
/// assert_eq!(attr.parse::<StreamAttr>()?.cid, Some(VideoCodec::H265));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JsonText(Form);

// Some tables type as an array or object what the same page's example prints as a string.
#[derive(Clone, Debug, PartialEq)]
enum Form {
    Quoted(String),
    Bare(Json),
}

impl JsonText {
    /// The text, whether it is JSON or not.
    pub fn get(&self) -> &str {
        match &self.0 {
            Form::Quoted(text) => text,
            Form::Bare(json) => json.get(),
        }
    }

    /// Parses it. The text is not percent-decoded.
    ///
    /// # Errors
    ///
    /// serde's, if the text is no JSON or of another shape.
    pub fn parse<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.get())
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Form::Quoted(text) => text.serialize(serializer),
            Form::Bare(json) => json.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        // Only a string parses as one.
        Ok(Self(json.parse().map_or_else(|_| Form::Bare(json), Form::Quoted)))
    }
}

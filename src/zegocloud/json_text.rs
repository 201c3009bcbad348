//! JSON that the provider puts inside a string.

use crate::{
    Json,
    payload::{FromValue, Reader, Value},
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

/// JSON text inside a string, parsed on demand.
///
/// ```
/// use tower_webhooks::zegocloud::{
///     JsonText,
///     stream::{StreamAttr, VideoCodec},
/// };
///
/// let attr: JsonText = serde_json::from_str(r#""{\"cid\":3}""#)?;
/// assert_eq!(attr.get(), r#"{"cid":3}"#);
/// assert_eq!(attr.parse::<StreamAttr>()?.cid, Some(VideoCodec::H265));
///
/// let attr = JsonText::from("%7B%22cid%22%3A3%7D".to_owned());
/// assert_eq!(attr.parse::<StreamAttr>()?.cid, Some(VideoCodec::H265));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct JsonText(Form);

// Some tables say array or object where the same page's example prints a string.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
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

    /// Deserializes the text into `T`. Text that is not JSON is percent-decoded, once and as a
    /// whole.
    ///
    /// # Errors
    ///
    /// serde_json's error if the text is not JSON in either form, or not of the shape of `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.get()).or_else(|error| {
            match percent_decode_str(self.get()).decode_utf8() {
                Ok(decoded) if !error.is_data() => serde_json::from_str(&decoded),
                _ => Err(error),
            }
        })
    }
}

impl From<String> for JsonText {
    fn from(text: String) -> Self {
        Self(Form::Quoted(text))
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        // Only a JSON string parses into a `String`.
        Ok(Self(json.parse().map_or_else(|_| Form::Bare(json), Form::Quoted)))
    }
}

impl FromValue for JsonText {
    const EXPECTED: &'static str = "text or JSON";

    fn from_value(value: Value<'_>, _: &mut Reader<'_>) -> Option<Self> {
        Some(Self(match value.is_string() {
            true => Form::Quoted(value.scalar()?.into_owned()),
            false => Form::Bare(value.json()),
        }))
    }

    fn is_absent(value: Value<'_>) -> bool {
        String::is_absent(value)
    }
}

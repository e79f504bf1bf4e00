use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use super::shape::TextMap;

/// The annotations of a manifest: a JSON object whose values are strings.
///
/// They are kept as text, since a map of many small entries takes many times the memory,
/// and what they are needed for most is to be written out again.
#[derive(Clone)]
pub struct Annotations(Box<RawValue>);

impl Annotations {
    /// The JSON object as it was written.
    pub fn as_json(&self) -> &str {
        self.0.get()
    }

    /// The annotations by name.
    #[expect(clippy::missing_panics_doc, reason = "it cannot")]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        // Null is what an empty text of Go may be written as.
        let entries: BTreeMap<String, Option<String>> =
            serde_json::from_str(self.0.get()).expect("checked when it was made");
        entries
            .into_iter()
            .map(|(name, value)| (name, value.unwrap_or_default()))
            .collect()
    }

    /// Takes what is an object of strings.
    pub(super) fn from_raw(raw: &RawValue) -> Result<Self, serde_json::Error> {
        let TextMap = serde_json::from_str(raw.get())?;
        Ok(Self(raw.to_owned()))
    }
}

impl fmt::Debug for Annotations {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.get())
    }
}

impl PartialEq for Annotations {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Annotations {}

impl Serialize for Annotations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Annotations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_raw(&raw).map_err(de::Error::custom)
    }
}

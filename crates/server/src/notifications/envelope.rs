//! Distribution's envelope of events, field by field.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The type of what is sent.
pub(super) const MEDIA_TYPE: &str = "application/vnd.docker.distribution.events.v2+json";

/// What is sent: one event, though its form has room for more.
#[derive(Debug, Serialize)]
pub(super) struct Envelope<'a> {
    pub(super) events: [Event<'a>; 1],
}

/// What happened, to what, and by whom.
#[derive(Debug, Serialize)]
pub(super) struct Event<'a> {
    pub(super) id: String,
    pub(super) timestamp: String,
    pub(super) action: &'static str,
    pub(super) target: Target<'a>,
    pub(super) request: &'a Request,
    pub(super) actor: &'a Actor,
    pub(super) source: &'a Source,
}

/// What it happened to. The fields of a descriptor are there also where they are empty.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target<'a> {
    pub(super) media_type: &'a str,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) length: u64,
    pub(super) repository: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_repository: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tag: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Descriptor>,
}

/// The request by which it happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Request {
    pub(crate) id: String,
    pub(crate) addr: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    pub(crate) method: String,
    pub(crate) useragent: String,
}

/// Who sent it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Actor {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Which registry tells of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Source {
    pub(crate) addr: String,
    #[serde(rename = "instanceID")]
    pub(crate) instance_id: String,
}

/// What a manifest says of something that it names.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    #[serde(default)]
    media_type: String,
    #[serde(default)]
    digest: String,
    #[serde(default)]
    size: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact_type: Option<String>,
}

/// Of a manifest, what names other things.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct References {
    config: Option<Descriptor>,
    layers: Vec<Descriptor>,
    manifests: Vec<Descriptor>,
}

/// The descriptors of what a manifest names, in its own order; none of a manifest that has another form.
pub(super) fn references(payload: &[u8]) -> Vec<Descriptor> {
    let References {
        config,
        layers,
        manifests,
    } = serde_json::from_slice(payload).unwrap_or_default();
    let all = config.into_iter().chain(layers).chain(manifests);
    all.collect()
}

impl Envelope<'_> {
    /// The text that is sent, with the indents and escapes of Go's encoder.
    pub(super) fn text(&self) -> String {
        let mut text = Vec::new();
        let form = serde_json::ser::PrettyFormatter::with_indent(b"   ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, form);
        self.serialize(&mut serializer)
            .expect("its maps have texts for keys, and memory takes everything");
        let text = String::from_utf8(text).expect("JSON is text");
        escape(&text)
    }
}

/// What browsers would take for markup is only ever inside of strings.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '<' => escaped.push_str("\\u003c"),
            '>' => escaped.push_str("\\u003e"),
            '&' => escaped.push_str("\\u0026"),
            '\u{2028}' => escaped.push_str("\\u2028"),
            '\u{2029}' => escaped.push_str("\\u2029"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

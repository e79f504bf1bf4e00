use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::ManifestError;
use super::shape::{Base64, Object, Text, TextList, TextMap};
use crate::Digest;

/// A field of a manifest that says something to the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    SchemaVersion,
    MediaType,
    ArtifactType,
    Config,
    Layers,
    Manifests,
    Subject,
    Annotations,
    FsLayers,
    Signatures,
}

impl Field {
    pub(super) const ALL: [Self; 10] = [
        Self::SchemaVersion,
        Self::MediaType,
        Self::ArtifactType,
        Self::Config,
        Self::Layers,
        Self::Manifests,
        Self::Subject,
        Self::Annotations,
        Self::FsLayers,
        Self::Signatures,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SchemaVersion => "schemaVersion",
            Self::MediaType => "mediaType",
            Self::ArtifactType => "artifactType",
            Self::Config => "config",
            Self::Layers => "layers",
            Self::Manifests => "manifests",
            Self::Subject => "subject",
            Self::Annotations => "annotations",
            Self::FsLayers => "fsLayers",
            Self::Signatures => "signatures",
        }
    }
}

/// The fields of a manifest, not yet looked into. One that is null counts as absent, as it does in Go.
#[derive(Default)]
pub(super) struct Document<'a> {
    values: [Option<&'a RawValue>; Field::ALL.len()],
    duplicate: Option<Field>,
}

impl<'a> Document<'a> {
    pub(super) fn has(&self, field: Field) -> bool {
        self.values[field as usize].is_some()
    }

    /// The name of a field that is there twice; the last one counts then.
    pub(super) fn duplicate(&self) -> Option<&'static str> {
        self.duplicate.map(Field::name)
    }

    /// The field as it is written.
    pub(super) fn raw(&self, field: Field) -> Option<&'a RawValue> {
        self.values[field as usize]
    }

    /// The field as a `T`, if it is there.
    pub(super) fn get<T: Deserialize<'a>>(&self, field: Field) -> Result<Option<T>, ManifestError> {
        self.read(field, PhantomData)
    }

    fn read<T: DeserializeSeed<'a>>(
        &self,
        field: Field,
        seed: T,
    ) -> Result<Option<T::Value>, ManifestError> {
        let Some(raw) = self.raw(field) else {
            return Ok(None);
        };
        let value = seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
        let invalid = |source| ManifestError::InvalidField {
            field: field.name(),
            source,
        };
        value.map(Some).map_err(invalid)
    }

    /// The field as a text; an empty one says nothing.
    pub(super) fn text(&self, field: Field) -> Result<Option<Cow<'a, str>>, ManifestError> {
        let text = self.get::<Text<'a>>(field)?;
        Ok(text.map(|Text(text)| text).filter(|text| !text.is_empty()))
    }

    /// The field as a descriptor, if it is there.
    pub(super) fn descriptor(&self, field: Field) -> Result<Option<Descriptor<'a>>, ManifestError> {
        Ok(self.get(field)?.map(|Object(descriptor)| descriptor))
    }

    /// Calls `visit` with each descriptor of the field, which is a list if it is there.
    pub(super) fn each_descriptor(
        &self,
        field: Field,
        visit: impl FnMut(Descriptor<'a>),
    ) -> Result<(), ManifestError> {
        self.read(field, DescriptorList(visit))
            .map(Option::unwrap_or_default)
    }

    pub(super) fn media_type(&self) -> Result<Option<Cow<'a, str>>, ManifestError> {
        self.text(Field::MediaType)
    }

    pub(super) fn schema_version(&self) -> Result<Option<i64>, ManifestError> {
        self.get(Field::SchemaVersion)
    }
}

impl<'de> Deserialize<'de> for Document<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DocumentVisitor)
    }
}

struct DocumentVisitor;

impl<'de> Visitor<'de> for DocumentVisitor {
    type Value = Document<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a manifest")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document<'de>, A::Error> {
        let mut document = Document::default();
        let mut seen = [false; Field::ALL.len()];
        while let Some(Text(name)) = map.next_key()? {
            let Some(field) = Field::ALL.into_iter().find(|field| field.name() == name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            document.values[field as usize] = map.next_value()?;
            if std::mem::replace(&mut seen[field as usize], true) {
                document.duplicate = Some(field);
            }
        }
        Ok(document)
    }
}

/// How a manifest refers to content. What has no use here is checked, so that other readers accept it too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor<'a> {
    #[serde(borrow)]
    media_type: Option<Text<'a>>,
    pub(super) digest: Digest,
    size: Option<Size>,
    #[serde(default)]
    urls: Option<TextList>,
    #[serde(rename = "annotations")]
    _annotations: Option<TextMap>,
    #[serde(rename = "artifactType", borrow)]
    _artifact_type: Option<Text<'a>>,
    #[serde(rename = "data")]
    _data: Option<Base64>,
    #[serde(rename = "platform", borrow)]
    _platform: Option<Object<Platform<'a>>>,
}

impl Descriptor<'_> {
    /// The names of its fields.
    pub(super) const FIELDS: [&'static str; 8] = [
        "mediaType",
        "digest",
        "size",
        "urls",
        "annotations",
        "artifactType",
        "data",
        "platform",
    ];

    /// The content's type; an empty one says nothing.
    pub(super) fn media_type(&self) -> Option<&str> {
        self.media_type
            .as_ref()
            .map(|Text(text)| &**text)
            .filter(|text| !text.is_empty())
    }

    pub(super) fn size(&self) -> Option<u64> {
        self.size.as_ref().map(|Size(size)| *size)
    }

    /// Whether the content can be fetched from elsewhere.
    pub(super) fn has_urls(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| urls.len > 0)
    }
}

/// A list of descriptors that are looked at one by one, since all of them at once take several times the payload.
struct DescriptorList<F>(F);

impl<'de, F: FnMut(Descriptor<'de>)> DeserializeSeed<'de> for DescriptorList<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(Descriptor<'de>)> Visitor<'de> for DescriptorList<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of descriptors")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(Object(descriptor)) = list.next_element()? {
            (self.0)(descriptor);
        }
        Ok(())
    }
}

/// A number of bytes that every reader can hold.
#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct Size(u64);

impl TryFrom<i64> for Size {
    type Error = &'static str;

    fn try_from(size: i64) -> Result<Self, &'static str> {
        u64::try_from(size)
            .map(Self)
            .map_err(|_| "a size is not negative")
    }
}

/// Where an image runs.
#[derive(Deserialize)]
struct Platform<'a> {
    #[serde(rename = "architecture", borrow)]
    _architecture: Option<Text<'a>>,
    #[serde(rename = "os", borrow)]
    _os: Option<Text<'a>>,
    #[serde(rename = "os.version", borrow)]
    _os_version: Option<Text<'a>>,
    #[serde(rename = "os.features")]
    _os_features: Option<TextList>,
    #[serde(rename = "variant", borrow)]
    _variant: Option<Text<'a>>,
    #[serde(rename = "features")]
    _features: Option<TextList>,
}

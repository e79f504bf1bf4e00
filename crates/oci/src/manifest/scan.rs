use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::document::{Descriptor, Field};
use super::{MAX_DEPTH, ManifestError};
use crate::Digest;
use crate::digest::excerpt;

/// What one walk over the whole of a document finds, whatever its type.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Every text that is a digest and is called `digest` or `blobSum`.
    pub(super) digests: Vec<Digest>,
    /// A field that only some readers would take for a known one, and that one.
    pub(super) misspelt: Option<(String, &'static str)>,
    is_object: bool,
    is_too_deep: bool,
}

impl Scan {
    /// Walks over `payload`, which must be one JSON object in UTF-8 that does not nest too deep.
    pub(super) fn of(payload: &[u8]) -> Result<Self, ManifestError> {
        let mut scan = Self::default();
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let walk = Walk {
            scan: &mut scan,
            place: Place::Document,
            depth: 0,
        };
        let walked = walk
            .deserialize(&mut deserializer)
            .and_then(|()| deserializer.end());
        match walked {
            Err(_) if scan.is_too_deep => Err(ManifestError::TooDeep),
            Err(error) => Err(ManifestError::Json(error)),
            Ok(()) if !scan.is_object => Err(ManifestError::NotAnObject),
            Ok(()) => Ok(scan),
        }
    }
}

/// What a value is, judged by the names above it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Document,
    Descriptor,
    Descriptors,
    Digest,
    Anything,
}

impl Place {
    /// The place of the value called `name` in this one.
    fn of_value(self, name: &str) -> Self {
        if ["digest", "blobSum"]
            .iter()
            .any(|known| folds_to(name, known))
        {
            return Self::Digest;
        }
        match (self, name) {
            (Self::Document, "config" | "subject") => Self::Descriptor,
            (Self::Document, "layers" | "manifests") => Self::Descriptors,
            _ => Self::Anything,
        }
    }

    /// The place of an element of this one.
    fn of_element(self) -> Self {
        if self == Self::Descriptors {
            Self::Descriptor
        } else {
            Self::Anything
        }
    }

    /// The known field that `name` is a misspelling of.
    fn misspelt(self, name: &str) -> Option<&'static str> {
        let misspells = |known: &&'static str| *known != name && folds_to(name, known);
        match self {
            Self::Document => Field::ALL.into_iter().map(Field::name).find(misspells),
            Self::Descriptor => Descriptor::FIELDS.into_iter().find(misspells),
            _ => None,
        }
    }
}

/// Compares names as Go's JSON does: without case, and with the two letters that fold into ASCII.
fn folds_to(name: &str, known: &str) -> bool {
    let folded = name.chars().map(|letter| match letter {
        'ſ' => 's',
        '\u{212A}' => 'k',
        letter => letter.to_ascii_lowercase(),
    });
    folded.eq(known.chars().map(|letter| letter.to_ascii_lowercase()))
}

/// The walk at one value.
struct Walk<'a> {
    scan: &'a mut Scan,
    place: Place,
    depth: usize,
}

impl Walk<'_> {
    fn descend<E: de::Error>(&mut self) -> Result<(), E> {
        if self.depth == MAX_DEPTH {
            self.scan.is_too_deep = true;
            return Err(E::custom("too deep"));
        }
        self.depth += 1;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        if self.place == Place::Digest
            && let Ok(digest) = text.parse()
        {
            self.scan.digests.push(digest);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.descend()?;
        let place = self.place.of_element();
        while list
            .next_element_seed(Walk {
                scan: self.scan,
                place,
                depth: self.depth,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.scan.is_object |= self.depth == 0;
        self.descend()?;
        while let Some(place) = map.next_key_seed(Name {
            scan: self.scan,
            parent: self.place,
        })? {
            map.next_value_seed(Walk {
                scan: self.scan,
                place,
                depth: self.depth,
            })?;
        }
        Ok(())
    }
}

/// The walk at the name of a value: decides the value's place.
struct Name<'a> {
    scan: &'a mut Scan,
    parent: Place,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Place;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Place, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Place;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Place, E> {
        if let Some(known) = self.parent.misspelt(name) {
            self.scan
                .misspelt
                .get_or_insert_with(|| (excerpt(name), known));
        }
        Ok(self.parent.of_value(name))
    }
}

use std::collections::HashMap;

use crate::Digest;

/// What a manifest references something as. The numbers are stored and never reassigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EdgeKind {
    /// A blob: the config of an image.
    Config = 1,
    /// A blob: content.
    Layer = 2,
    /// A manifest of an index.
    Child = 3,
    /// The manifest that this one is about. It may be absent, and the reference does not keep it.
    Subject = 4,
    /// A manifest or a blob; the document does not tell.
    Unknown = 5,
}

impl EdgeKind {
    /// The stored form.
    pub fn as_u8(self) -> u8 {
        self as u8
    }

    /// Reads the stored form.
    pub fn from_u8(stored: u8) -> Option<Self> {
        [
            Self::Config,
            Self::Layer,
            Self::Child,
            Self::Subject,
            Self::Unknown,
        ]
        .into_iter()
        .find(|kind| kind.as_u8() == stored)
    }
}

/// One reference of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What it is referenced as.
    pub kind: EdgeKind,
    /// What is referenced.
    pub digest: Digest,
    /// How many bytes it has, as far as the manifest says.
    pub size: Option<u64>,
    /// Whether the repository may accept the manifest without holding what is referenced:
    /// a layer that is fetched from elsewhere, a subject, or a digest that only looks like a reference.
    pub optional: bool,
}

/// Edges in the making: each digest once per kind.
#[derive(Debug, Default)]
pub(super) struct Edges {
    edges: Vec<Edge>,
    positions: HashMap<(EdgeKind, Digest), usize>,
}

impl Edges {
    /// Adds `edge`. Of two for the same content, what either demands is demanded.
    pub(super) fn add(&mut self, edge: Edge) {
        let position = *self
            .positions
            .entry((edge.kind, edge.digest))
            .or_insert(self.edges.len());
        match self.edges.get_mut(position) {
            Some(known) => {
                known.optional &= edge.optional;
                known.size = known.size.or(edge.size);
            }
            None => self.edges.push(edge),
        }
    }

    pub(super) fn into_vec(self) -> Vec<Edge> {
        self.edges
    }
}

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

/// Edges in the making.
#[derive(Debug, Default)]
pub(super) struct Edges(Vec<Edge>);

impl Edges {
    pub(super) fn add(&mut self, edge: Edge) {
        self.0.push(edge);
    }

    /// The edges in their order, each digest once per kind.
    ///
    /// Of two for the same content, what either demands is demanded.
    /// Sorted positions take a fraction of the memory of a map by digest.
    pub(super) fn distinct(self) -> Vec<Edge> {
        let Self(mut edges) = self;
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_unstable_by_key(|position| (edges[*position].key(), *position));
        let mut keep = vec![false; edges.len()];
        let mut first = 0;
        for position in order {
            let edge = edges[position];
            if keep[first] && edges[first].key() == edge.key() {
                edges[first].optional &= edge.optional;
                edges[first].size = edges[first].size.or(edge.size);
            } else {
                first = position;
                keep[first] = true;
            }
        }
        let mut keep = keep.into_iter();
        edges.retain(|_| keep.next().unwrap_or_default());
        edges.shrink_to_fit();
        edges
    }
}

impl Edge {
    fn key(&self) -> (EdgeKind, Digest) {
        (self.kind, self.digest)
    }
}

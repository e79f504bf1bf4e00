use super::document::{Descriptor, Document, Field};
use super::edge::{Edge, EdgeKind, Edges};
use super::scan::Scan;
use super::{Annotations, Kind, ManifestError};
use crate::MediaType;
use crate::media_type::{DOCKER_CONFIG, DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_EMPTY};

/// What a manifest says, apart from its type.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) edges: Vec<Edge>,
    pub(super) artifact_type: Option<Box<str>>,
    pub(super) annotations: Option<Annotations>,
}

impl View {
    /// Reads an image manifest.
    pub(super) fn image(
        media_type: &MediaType,
        scan: &Scan,
        document: &Document<'_>,
    ) -> Result<Self, ManifestError> {
        check_type(
            media_type,
            scan,
            document,
            &[Field::Manifests, Field::FsLayers],
        )?;
        let config: Descriptor<'_> =
            document
                .descriptor(Field::Config)?
                .ok_or_else(|| ManifestError::Missing {
                    media_type: media_type.clone(),
                    field: Field::Config.name(),
                })?;
        let mut edges = Edges::default();
        edges.add(config.edge(EdgeKind::Config));
        document.each_descriptor(Field::Layers, |layer| {
            edges.add(layer.edge(EdgeKind::Layer));
        })?;
        Self::with_common_fields(edges, config.media_type(), document)
    }

    /// Reads an index or a manifest list.
    pub(super) fn index(
        media_type: &MediaType,
        scan: &Scan,
        document: &Document<'_>,
    ) -> Result<Self, ManifestError> {
        check_type(
            media_type,
            scan,
            document,
            &[Field::Config, Field::Layers, Field::FsLayers],
        )?;
        let mut edges = Edges::default();
        document.each_descriptor(Field::Manifests, |child| {
            edges.add(child.edge(child.kind_in_index()));
        })?;
        Self::with_common_fields(edges, None, document)
    }

    /// Takes from a document what can be recognized, and fails at nothing.
    pub(super) fn other(scan: &Scan, document: &Document<'_>) -> Self {
        let subject = document.descriptor(Field::Subject).ok().flatten();
        let mut edges = Edges::default();
        for digest in scan.digests.iter().copied() {
            if subject
                .as_ref()
                .is_none_or(|subject| subject.digest != digest)
            {
                edges.add(Edge {
                    kind: EdgeKind::Unknown,
                    digest,
                    size: None,
                    optional: true,
                });
            }
        }
        if let Some(subject) = subject {
            edges.add(subject.edge(EdgeKind::Subject));
        }
        Self {
            edges: edges.distinct(),
            artifact_type: document
                .text(Field::ArtifactType)
                .ok()
                .flatten()
                .map(Box::from),
            annotations: document
                .raw(Field::Annotations)
                .and_then(|raw| Annotations::from_raw(raw).ok()),
        }
    }

    fn with_common_fields(
        mut edges: Edges,
        config_type: Option<&str>,
        document: &Document<'_>,
    ) -> Result<Self, ManifestError> {
        if let Some(subject) = document.descriptor(Field::Subject)? {
            edges.add(subject.edge(EdgeKind::Subject));
        }
        let artifact_type = document.text(Field::ArtifactType)?.map(Box::from);
        Ok(Self {
            edges: edges.distinct(),
            artifact_type: artifact_type.or_else(|| config_type.map(Box::from)),
            annotations: document.get(Field::Annotations)?,
        })
    }
}

/// Refuses what two readers could take for two different manifests, and what is of no known schema.
fn check_type(
    media_type: &MediaType,
    scan: &Scan,
    document: &Document<'_>,
    foreign: &[Field],
) -> Result<(), ManifestError> {
    if let Some((found, expected)) = scan.misspelt.clone() {
        return Err(ManifestError::Misspelt { found, expected });
    }
    if let Some(field) = foreign.iter().find(|field| document.has(**field)) {
        return Err(ManifestError::Ambiguous {
            media_type: media_type.clone(),
            field: field.name(),
        });
    }
    let missing = |field: Field| ManifestError::Missing {
        media_type: media_type.clone(),
        field: field.name(),
    };
    let declared = document.media_type()?;
    // Docker's types have to name themselves, unlike OCI's.
    if [DOCKER_MANIFEST, DOCKER_LIST].contains(&media_type.as_str()) && declared.is_none() {
        return Err(missing(Field::MediaType));
    }
    match document.schema_version()? {
        Some(2) => Ok(()),
        Some(found) => Err(ManifestError::SchemaVersion { found }),
        None => Err(missing(Field::SchemaVersion)),
    }
}

impl Descriptor<'_> {
    fn edge(&self, kind: EdgeKind) -> Edge {
        let optional = match kind {
            EdgeKind::Subject => true,
            EdgeKind::Layer => self.has_urls() || self.media_type().is_some_and(is_kept_elsewhere),
            EdgeKind::Config | EdgeKind::Child | EdgeKind::Unknown => false,
        };
        Edge {
            kind,
            digest: self.digest,
            size: self.size(),
            optional,
        }
    }

    /// An index lists manifests, but build caches list blobs in one.
    fn kind_in_index(&self) -> EdgeKind {
        let Some(text) = self.media_type() else {
            return EdgeKind::Child;
        };
        match MediaType::parse(text) {
            Ok(known) if Kind::of(&known) != Kind::Other => EdgeKind::Child,
            _ if is_layer(text) => EdgeKind::Layer,
            _ if [OCI_CONFIG, OCI_EMPTY, DOCKER_CONFIG].contains(&text) => EdgeKind::Config,
            _ => EdgeKind::Unknown,
        }
    }
}

fn is_layer(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
}

/// Layers whose licence forbids to distribute them, so that clients do not push them.
fn is_kept_elsewhere(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
}

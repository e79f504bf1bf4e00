//! Pushing manifests and moving tags.

use std::sync::Arc;

use boxyard_auth::{Permit, Push};
use boxyard_meta::{Commit, CommitManifest, Event};
use boxyard_oci::{
    Algorithm, Digest, Edge, EdgeKind, Manifest, ManifestError, MediaType, Reference, RepoName, Tag,
};
use bytes::Bytes;

use crate::Registry;
use crate::error::{During, Internal};
use crate::events::{Happening, Teller};
use crate::rules::RuleError;

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
pub enum PushManifestError {
    /// The payload is no manifest that can be taken.
    #[error(transparent)]
    Invalid(#[from] ManifestError),
    /// The payload is not what the reference says.
    #[error("the manifest has digest {actual}, but the request names {expected}")]
    DigestMismatch {
        /// The digest that the request names.
        expected: Digest,
        /// The digest of what came.
        actual: Digest,
    },
    /// The manifest is against the administrator's rules.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// The manifest names what the repository does not hold.
    #[error("the manifest names {} blob(s) or manifest(s) that the repository does not hold", .digests.len())]
    UnknownBlobs {
        /// All that is missing.
        digests: Vec<Digest>,
    },
    /// A descriptor's size is not that of the blob.
    #[error("the manifest says that {digest} has {declared} bytes, but the blob has {actual}")]
    SizeMismatch {
        /// The blob.
        digest: Digest,
        /// Bytes by the descriptor.
        declared: u64,
        /// Bytes of the blob.
        actual: u64,
    },
    /// The payload is larger than the registry takes.
    #[error("the manifest has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The disk has no room left beyond the reserve.
    #[error("the registry's storage is full: ask its administrator to make room")]
    NoSpace,
    /// The registry failed.
    #[error(transparent)]
    Internal(Internal),
}

impl From<Internal> for PushManifestError {
    fn from(error: Internal) -> Self {
        if error.is_no_space() {
            Self::NoSpace
        } else {
            Self::Internal(error)
        }
    }
}

/// What a push of a manifest did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: Digest,
    /// The subject, by which the referrers API now lists the manifest.
    pub subject: Option<Digest>,
    /// The tags that now name the manifest.
    pub tags: Vec<Tag>,
}

impl Registry {
    /// Stores the manifest and moves its tags to it, end-7a and end-7b.
    ///
    /// `tags` are those asked for beside a digest; a tag as `reference` is one more.
    pub async fn push_manifest(
        self: &Arc<Self>,
        permit: &Permit<Push>,
        reference: &Reference,
        media_type: Option<&MediaType>,
        payload: Bytes,
        tags: Vec<Tag>,
        teller: &Arc<dyn Teller>,
    ) -> Result<Pushed, PushManifestError> {
        let limit = self.settings.manifest_bytes;
        if payload.len() > limit {
            return Err(PushManifestError::TooLarge { limit });
        }
        let manifest = parse(reference, media_type, payload)?;
        self.settings.rules.check(&manifest, permit)?;
        let mut tags = tags;
        if let Reference::Tag(tag) = reference {
            tags.push(tag.clone());
        }
        let repo = permit.repo().clone();
        let events = told(teller.as_ref(), &repo, &manifest, &tags);
        let push = CommitManifest {
            repo,
            may_lack: self.settings.rules.may_lack(&manifest),
            manifest,
            tags,
            sparse: self.settings.sparse,
            events,
        };
        let registry = Arc::clone(self);
        self.change(async move { registry.commit(push).await })
            .await
    }

    async fn commit(self: &Arc<Self>, push: CommitManifest) -> Result<Pushed, PushManifestError> {
        let CommitManifest {
            repo,
            manifest,
            tags,
            ..
        } = &push;
        self.require_room(manifest.size()).await?;
        self.projector.room(self.settings.backlog).await;
        self.check_named(repo, manifest).await?;
        let pushed = Pushed {
            digest: manifest.digest(),
            subject: manifest.subject(),
            tags: tags.clone(),
        };
        self.promises.promise(repo, &pushed.digest).await;
        let outcome = self.meta.commit_manifest(push).await;
        self.projector.wake();
        self.told.wake();
        match outcome.during("commit a manifest")? {
            Commit::Done => Ok(pushed),
            Commit::UnknownBlobs(digests) => Err(PushManifestError::UnknownBlobs { digests }),
        }
    }

    async fn require_room(self: &Arc<Self>, size: u64) -> Result<(), PushManifestError> {
        if self.has_room_for(size).await? {
            Ok(())
        } else {
            Err(PushManifestError::NoSpace)
        }
    }

    /// Looks at the files behind the names: a missing or damaged one counts as not held when the commit asks the database.
    async fn check_named(
        &self,
        repo: &RepoName,
        manifest: &Manifest,
    ) -> Result<(), PushManifestError> {
        let mut blobs = Vec::new();
        for edge in manifest.edges() {
            match edge.kind {
                EdgeKind::Config | EdgeKind::Layer => blobs.push(edge),
                EdgeKind::Child => self.refresh_manifest(repo, &edge.digest).await?,
                EdgeKind::Subject | EdgeKind::Unknown => {}
            }
        }
        let digests: Vec<Digest> = blobs.iter().map(|edge| edge.digest).collect();
        let sizes = self.sizes(repo, &digests).await?;
        for (edge, size) in blobs.into_iter().zip(sizes) {
            check_size(edge, size)?;
        }
        Ok(())
    }
}

fn check_size(edge: &Edge, size: Option<u64>) -> Result<(), PushManifestError> {
    match (size, edge.size) {
        (Some(actual), Some(declared)) if actual != declared => {
            Err(PushManifestError::SizeMismatch {
                digest: edge.digest,
                declared,
                actual,
            })
        }
        _ => Ok(()),
    }
}

/// One event for each tag, as nothing but a tag tells them apart; one without where there is none.
fn told(teller: &dyn Teller, repo: &RepoName, manifest: &Manifest, tags: &[Tag]) -> Vec<Event> {
    let tell = |tag| teller.tell(repo, Happening::ManifestPushed(manifest, tag));
    if tags.is_empty() {
        tell(None)
    } else {
        tags.iter().flat_map(|tag| tell(Some(tag))).collect()
    }
}

fn parse(
    reference: &Reference,
    media_type: Option<&MediaType>,
    payload: Bytes,
) -> Result<Manifest, PushManifestError> {
    let algorithm = match reference {
        Reference::Digest(digest) => digest.algorithm(),
        Reference::Tag(_) => Algorithm::Sha256,
    };
    if let Reference::Digest(expected) = reference {
        let actual = algorithm.digest(&payload);
        if actual != *expected {
            let expected = *expected;
            return Err(PushManifestError::DigestMismatch { expected, actual });
        }
    }
    Ok(Manifest::parse(payload, media_type, algorithm)?)
}

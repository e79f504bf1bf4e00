//! Who refers to a manifest by its `subject`.

use std::collections::BTreeMap;

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{
    Digest, Manifest, MediaType, Reference, ReferrerDescriptor, RepoName, fallback_tag, referrer,
};
use bytes::Bytes;

use crate::Registry;
use crate::error::{During, Internal};
use crate::pull::PullError;

/// One page of referrers, ordered by digest.
#[derive(Clone, Debug)]
pub struct Referrers {
    /// The descriptors of the page.
    pub descriptors: Vec<ReferrerDescriptor>,
    /// Where the next page begins, if one follows: after this digest.
    pub next: Option<Digest>,
}

impl Registry {
    /// The manifests whose subject is `subject`, end-12a and end-12b.
    ///
    /// An absent repository or subject has no referrers, which the specification wants answered as an empty list.
    /// What older clients recorded under the fallback tag is merged in.
    pub async fn referrers(
        &self,
        permit: &Permit<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Referrers, PullError> {
        let repo = permit.repo();
        self.index_now(repo).await?;
        let asked = limit.saturating_add(1);
        let rows = self
            .meta
            .referrers(repo, subject, artifact_type, after, asked)
            .await;
        let mut found: BTreeMap<Digest, ReferrerDescriptor> = BTreeMap::new();
        for row in rows.during("list referrers")? {
            let descriptor = describe(row.digest, &row.media_type, row.payload);
            found.extend(descriptor.map(|descriptor| (row.digest, descriptor)));
        }
        for descriptor in self.fallback(permit, subject).await? {
            let wanted = artifact_type
                .is_none_or(|wanted| descriptor.artifact_type.as_deref() == Some(wanted));
            if wanted && after.is_none_or(|after| descriptor.digest > *after) {
                found.entry(descriptor.digest).or_insert(descriptor);
            }
        }
        let mut descriptors: Vec<_> = found.into_values().collect();
        let more = descriptors.len() > limit;
        descriptors.truncate(limit);
        let next = descriptors.last().map(|last| last.digest).filter(|_| more);
        Ok(Referrers { descriptors, next })
    }

    /// What the fallback tag lists and the repository still has, described from the manifests themselves.
    async fn fallback(
        &self,
        permit: &Permit<Pull>,
        subject: &Digest,
    ) -> Result<Vec<ReferrerDescriptor>, PullError> {
        let reference = Reference::Tag(fallback_tag(subject));
        let index = match self.manifest(permit, &reference).await {
            Ok(index) => index,
            Err(PullError::Internal(error)) => return Err(error.into()),
            Err(_) => return Ok(Vec::new()),
        };
        let mut descriptors = Vec::new();
        for listed in referrer::from_fallback_index(&index.payload) {
            descriptors.extend(self.descriptor(permit.repo(), &listed.digest).await?);
        }
        Ok(descriptors)
    }

    async fn descriptor(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<ReferrerDescriptor>, Internal> {
        let stored = self.manifest_by_digest(repo, digest).await?;
        Ok(stored.and_then(|stored| describe(stored.digest, &stored.media_type, stored.payload)))
    }
}

fn describe(digest: Digest, media_type: &MediaType, payload: Bytes) -> Option<ReferrerDescriptor> {
    let manifest = Manifest::adopt(payload, Some(media_type), digest).ok()?;
    Some(ReferrerDescriptor::from(&manifest))
}

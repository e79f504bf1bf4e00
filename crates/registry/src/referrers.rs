//! Who refers to a manifest by its `subject`.

use std::collections::BTreeSet;

use boxyard_auth::{Permit, Pull};
use boxyard_oci::{
    Digest, Manifest, MediaType, Reference, ReferrerDescriptor, RepoName, fallback_tag, referrer,
};
use bytes::Bytes;

use crate::Registry;
use crate::error::{During, Internal};
use crate::pull::PullError;

/// Rows read in one go: each brings its payload, which may have some mebibytes.
const ROWS: usize = 16;
/// How long the descriptors of a page are at most, written as JSON; clients take an index of 4 MiB.
const PAGE_BYTES: usize = 3 << 20;

/// One page of referrers, ordered by digest.
#[derive(Clone, Debug)]
pub struct Referrers {
    /// The descriptors of the page.
    pub descriptors: Vec<ReferrerDescriptor>,
    /// Where the next page begins, if one follows: after this one, which need not be the last by its digest.
    pub next: Option<Digest>,
}

impl Registry {
    /// The manifests whose subject is `subject`, end-12a and end-12b.
    ///
    /// An absent repository or subject has no referrers, which the specification wants answered as an empty list.
    /// What older clients recorded under the fallback tag is merged in: it comes after all that have the subject.
    pub async fn referrers(
        &self,
        permit: &Permit<Pull>,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Referrers, PullError> {
        self.index_now(permit.repo()).await?;
        let listed = self.fallback(permit, subject).await?;
        let search = Search {
            repo: permit.repo(),
            subject,
            artifact_type,
        };
        let mut page = Page::of(limit);
        let begun = match after {
            Some(after) if listed.contains(after) => self.only_listed(&search, after).await?,
            _ => None,
        };
        if begun.is_some() || self.add_rows(&search, after.copied(), &mut page).await? {
            let rest = listed.into_iter().filter(|digest| begun < Some(*digest));
            self.add_listed(&search, rest, &mut page).await?;
        }
        Ok(page.end())
    }

    /// Adds the manifests that have the subject; answers whether the page has room for all of them.
    async fn add_rows(
        &self,
        search: &Search<'_>,
        mut after: Option<Digest>,
        page: &mut Page,
    ) -> Result<bool, Internal> {
        loop {
            let Search {
                repo,
                subject,
                artifact_type,
            } = *search;
            let rows = self
                .meta
                .referrers(repo, subject, artifact_type, after.as_ref(), ROWS)
                .await
                .during("list referrers")?;
            let is_last = rows.len() < ROWS;
            for row in rows {
                after = Some(row.digest);
                let manifest = read(row.digest, &row.media_type, row.payload);
                if manifest.is_some_and(|manifest| !page.take((&manifest).into())) {
                    return Ok(false);
                }
            }
            if is_last {
                return Ok(true);
            }
        }
    }

    /// Adds what only the fallback tag lists, as far as the repository still has it and the page has room.
    async fn add_listed(
        &self,
        search: &Search<'_>,
        listed: impl Iterator<Item = Digest>,
        page: &mut Page,
    ) -> Result<(), Internal> {
        for digest in listed {
            let manifest = self.read_manifest(search.repo, &digest).await?;
            let wanted = manifest.filter(|manifest| search.finds_listed(manifest));
            if wanted.is_some_and(|manifest| !page.take((&manifest).into())) {
                break;
            }
        }
        Ok(())
    }

    /// The digest again, if only the fallback tag makes it a referrer.
    async fn only_listed(
        &self,
        search: &Search<'_>,
        digest: &Digest,
    ) -> Result<Option<Digest>, Internal> {
        let manifest = self.read_manifest(search.repo, digest).await?;
        let only = manifest.is_some_and(|manifest| manifest.subject() != Some(*search.subject));
        Ok(only.then_some(*digest))
    }

    /// The digests that the fallback tag lists.
    async fn fallback(
        &self,
        permit: &Permit<Pull>,
        subject: &Digest,
    ) -> Result<BTreeSet<Digest>, PullError> {
        let reference = Reference::Tag(fallback_tag(subject));
        let index = match self.manifest(permit, &reference).await {
            Ok(index) => index,
            Err(PullError::Internal(error)) => return Err(error.into()),
            Err(_) => return Ok(BTreeSet::new()),
        };
        let listed = referrer::from_fallback_index(&index.payload).into_iter();
        Ok(listed.map(|descriptor| descriptor.digest).collect())
    }

    async fn read_manifest(
        &self,
        repo: &RepoName,
        digest: &Digest,
    ) -> Result<Option<Manifest>, Internal> {
        let stored = self.manifest_by_digest(repo, digest).await?;
        Ok(stored.and_then(|stored| read(stored.digest, &stored.media_type, stored.payload)))
    }
}

fn read(digest: Digest, media_type: &MediaType, payload: Bytes) -> Option<Manifest> {
    Manifest::adopt(payload, Some(media_type), digest).ok()
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Search<'a> {
    repo: &'a RepoName,
    subject: &'a Digest,
    artifact_type: Option<&'a str>,
}

impl Search<'_> {
    /// Whether a manifest that the fallback tag lists is asked for, and is not found by its subject already.
    fn finds_listed(&self, manifest: &Manifest) -> bool {
        manifest.subject() != Some(*self.subject)
            && (self.artifact_type.is_none() || self.artifact_type == manifest.artifact_type())
    }
}

/// A page in the making.
struct Page {
    descriptors: Vec<ReferrerDescriptor>,
    bytes: usize,
    limit: usize,
    is_cut: bool,
}

impl Page {
    fn of(limit: usize) -> Self {
        Self {
            descriptors: Vec::new(),
            bytes: 0,
            limit,
            is_cut: false,
        }
    }

    /// Takes a descriptor if there is room for it; the first one always fits, however long it is.
    fn take(&mut self, descriptor: ReferrerDescriptor) -> bool {
        let annotations = descriptor.annotations.as_ref();
        let length = annotations.map_or(0, |annotations| annotations.as_json().len())
            + descriptor.artifact_type.as_ref().map_or(0, String::len);
        let is_first = self.descriptors.is_empty();
        if self.descriptors.len() >= self.limit || (!is_first && self.bytes + length > PAGE_BYTES) {
            self.is_cut = true;
            return false;
        }
        self.bytes += length;
        self.descriptors.push(descriptor);
        true
    }

    fn end(self) -> Referrers {
        let mut descriptors = self.descriptors;
        let next = descriptors.last().map(|last| last.digest);
        descriptors.sort_unstable_by_key(|descriptor| descriptor.digest);
        Referrers {
            descriptors,
            next: next.filter(|_| self.is_cut),
        }
    }
}

#[cfg(test)]
mod tests {
    use boxyard_oci::{Algorithm, media_type};

    use super::*;

    fn descriptor(content: &[u8], artifact_type: &str) -> ReferrerDescriptor {
        ReferrerDescriptor {
            media_type: MediaType::parse(media_type::OCI_MANIFEST).unwrap(),
            digest: Algorithm::Sha256.digest(content),
            size: 1,
            artifact_type: Some(artifact_type.to_owned()),
            annotations: None,
        }
    }

    #[test]
    fn a_page_with_room_has_no_next_one() {
        let mut page = Page::of(2);

        assert!(page.take(descriptor(b"a", "x/y")));
        assert!(page.take(descriptor(b"b", "x/y")));

        assert_eq!(page.end().next, None);
    }

    #[test]
    fn a_page_that_is_cut_goes_on_after_the_last_that_came() {
        let mut page = Page::of(2);
        let [first, second] = [b"a", b"b"].map(|content| descriptor(content, "x/y"));
        assert!(second.digest < first.digest);
        let last = first.digest;

        assert!(page.take(second));
        assert!(page.take(first));
        assert!(!page.take(descriptor(b"c", "x/y")));

        assert_eq!(page.end().next, Some(last));
    }

    #[test]
    fn long_descriptors_go_to_the_next_page() {
        let mut page = Page::of(10);
        let long = "x".repeat(PAGE_BYTES);

        assert!(page.take(descriptor(b"a", &long)));
        assert!(!page.take(descriptor(b"b", &long)));

        assert_eq!(page.end().next, Some(Algorithm::Sha256.digest(b"a")));
    }
}

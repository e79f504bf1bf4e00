//! What a client may believe of one repository that nobody else writes to.

use std::collections::{BTreeMap, BTreeSet};

/// Whether something is there, as far as the server has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was acknowledged.
    Held,
    /// Its deletion was acknowledged.
    Gone,
    /// The last request about it was not answered.
    Open,
}

/// A manifest, and what it names.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) state: Known,
    pub(crate) blobs: Vec<String>,
}

/// The books of one repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) blobs: BTreeMap<String, Known>,
    pub(crate) manifests: BTreeMap<String, Named>,
    /// What each tag may name; `None` where it may be gone.
    pub(crate) tags: BTreeMap<String, BTreeSet<Option<String>>>,
}

impl Ledger {
    /// Whether a manifest that may be there names the blob.
    pub(crate) fn is_named(&self, blob: &str) -> bool {
        self.manifests
            .values()
            .any(|named| named.state != Known::Gone && named.blobs.iter().any(|own| own == blob))
    }

    /// The manifest was pushed under the tag, as its blobs were before.
    pub(crate) fn pushed(&mut self, digest: &str, blobs: Vec<String>, tag: &str) {
        let state = Known::Held;
        let named = Named { state, blobs };
        self.manifests.insert(digest.to_owned(), named);
        let only = BTreeSet::from([Some(digest.to_owned())]);
        self.tags.insert(tag.to_owned(), only);
    }

    /// The push was not answered: each of its effects may have come about.
    pub(crate) fn maybe_pushed(&mut self, digest: &str, blobs: Vec<String>, tag: &str) {
        match self.manifests.get_mut(digest) {
            Some(named) if named.state == Known::Held => {}
            _ => {
                let state = Known::Open;
                let named = Named { state, blobs };
                self.manifests.insert(digest.to_owned(), named);
            }
        }
        let absent = || BTreeSet::from([None]);
        let targets = self.tags.entry(tag.to_owned()).or_insert_with(absent);
        targets.insert(Some(digest.to_owned()));
    }

    /// The manifest was deleted, and with it the tags that named it.
    pub(crate) fn deleted(&mut self, digest: &str, state: Known) {
        if let Some(named) = self.manifests.get_mut(digest) {
            named.state = state;
        }
        let target = Some(digest.to_owned());
        for targets in self.tags.values_mut() {
            if targets.contains(&target) {
                targets.insert(None);
                if state == Known::Gone {
                    targets.remove(&target);
                }
            }
        }
    }

    /// The digests of everything that has to be there.
    pub(crate) fn held(&self) -> impl Iterator<Item = &String> {
        let blobs = self.blobs.iter();
        let blobs = blobs.filter(|(_, state)| **state == Known::Held);
        let manifests = self.manifests.iter();
        let manifests = manifests.filter(|(_, named)| named.state == Known::Held);
        let blobs = blobs.map(|(digest, _)| digest);
        blobs.chain(manifests.map(|(digest, _)| digest))
    }
}

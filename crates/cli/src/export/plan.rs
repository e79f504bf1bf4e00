//! Everything that goes into an archive.

use std::collections::HashSet;

use anyhow::{Context, bail};
use boxyard_client::{Client, ManifestContent};
use boxyard_oci::{Digest, Edge, EdgeKind, Manifest, MediaType, RepoName};

use super::select::Image;

/// Everything that goes into an archive.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) images: Vec<Image>,
    /// What refers to the images, and is in no index.
    pub(super) referrers: Vec<Listed>,
    pub(super) entries: Vec<Entry>,
    /// How many layers clients fetch from somewhere else.
    pub(super) elsewhere: usize,
}

/// A manifest that `index.json` lists.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: u64,
}

/// A blob or a manifest, and a repository that holds it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) repo: RepoName,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) is_manifest: bool,
}

impl Plan {
    /// Finds everything that the images need, and perhaps what refers to them.
    pub(super) async fn make(
        client: &Client,
        images: Vec<Image>,
        referrers: bool,
    ) -> anyhow::Result<Self> {
        let mut walk = Walk {
            client,
            referrers,
            done: HashSet::new(),
            elsewhere: HashSet::new(),
            entries: Vec::new(),
            listed: Vec::new(),
        };
        for image in &images {
            walk.all(&image.repo, image.manifest.clone()).await?;
        }
        let tops: HashSet<Digest> = images.iter().map(|image| image.manifest.digest).collect();
        walk.listed.retain(|listed| !tops.contains(&listed.digest));
        Ok(Self {
            referrers: walk.listed,
            entries: walk.entries,
            elsewhere: walk.elsewhere.len(),
            images,
        })
    }

    pub(super) fn manifests(&self) -> usize {
        let manifests = self.entries.iter();
        manifests.filter(|entry| entry.is_manifest).count()
    }

    pub(super) fn blobs(&self) -> usize {
        self.entries.len() - self.manifests()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }
}

struct Walk<'a> {
    client: &'a Client,
    referrers: bool,
    done: HashSet<Digest>,
    elsewhere: HashSet<Digest>,
    entries: Vec<Entry>,
    listed: Vec<Listed>,
}

impl Walk<'_> {
    async fn all(&mut self, repo: &RepoName, top: ManifestContent) -> anyhow::Result<()> {
        let mut stack = vec![top];
        while let Some(content) = stack.pop() {
            if !self.done.insert(content.digest) {
                continue;
            }
            self.entries.push(Entry {
                repo: repo.clone(),
                digest: content.digest,
                size: content.payload.len() as u64,
                is_manifest: true,
            });
            let children = self.needs(repo, &content).await?;
            stack.extend(children);
            if self.referrers {
                let found = self.refer_to(repo, &content.digest).await?;
                stack.extend(found);
            }
        }
        Ok(())
    }

    /// Notes the blobs of a manifest, and answers the manifests that it names.
    async fn needs(
        &mut self,
        repo: &RepoName,
        content: &ManifestContent,
    ) -> anyhow::Result<Vec<ManifestContent>> {
        let media_type: Option<MediaType> = content.media_type.parse().ok();
        let payload = content.payload.clone();
        let manifest = Manifest::adopt(payload, media_type.as_ref(), content.digest)
            .with_context(|| format!("read the manifest {}", content.digest))?;
        let mut children = Vec::new();
        for edge in manifest.edges() {
            let may_be_manifest = !matches!(edge.kind, EdgeKind::Config | EdgeKind::Layer);
            if edge.kind == EdgeKind::Subject || self.done.contains(&edge.digest) {
                continue;
            }
            if may_be_manifest
                && let Some(child) = self.client.manifest(repo, &edge.digest.into()).await?
            {
                children.push(child);
                continue;
            }
            self.blob(repo, edge, content).await?;
        }
        Ok(children)
    }

    async fn blob(
        &mut self,
        repo: &RepoName,
        edge: &Edge,
        content: &ManifestContent,
    ) -> anyhow::Result<()> {
        if let Some(size) = self.client.blob_size(repo, &edge.digest).await? {
            self.done.insert(edge.digest);
            self.entries.push(Entry {
                repo: repo.clone(),
                digest: edge.digest,
                size,
                is_manifest: false,
            });
        } else if !edge.optional {
            bail!(
                "`{repo}` holds no {}, which the manifest {} names; \
                 `boxyard findings` says whether it was damaged",
                edge.digest,
                content.digest
            );
        } else if edge.kind == EdgeKind::Layer {
            self.elsewhere.insert(edge.digest);
        }
        Ok(())
    }

    async fn refer_to(
        &mut self,
        repo: &RepoName,
        subject: &Digest,
    ) -> anyhow::Result<Vec<ManifestContent>> {
        let mut found = Vec::new();
        for digest in self.client.referrers(repo, subject).await? {
            if self.done.contains(&digest) {
                continue;
            }
            let Some(content) = self.client.manifest(repo, &digest.into()).await? else {
                continue;
            };
            self.listed.push(Listed {
                digest,
                media_type: content.media_type.clone(),
                size: content.payload.len() as u64,
            });
            found.push(content);
        }
        Ok(found)
    }
}

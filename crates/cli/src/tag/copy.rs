//! `boxyard tag cp`: an image under another name, without a transfer.

use std::collections::HashSet;
use std::str::FromStr;

use anyhow::{Context, bail};
use boxyard_client::{Client, ManifestContent};
use boxyard_oci::{Digest, EdgeKind, Manifest, MediaType, Reference, RepoName, Tag};

use crate::output::say;

/// `REPO:TAG` or `REPO@DIGEST`.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) repo: RepoName,
    pub(crate) reference: Reference,
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((repo, digest)) = text.split_once('@') {
            let digest: Digest = digest.parse()?;
            // A tag beside a digest says nothing.
            let repo = repo.split_once(':').map_or(repo, |(repo, _)| repo);
            return Ok(Self {
                repo: repo.parse()?,
                reference: digest.into(),
            });
        }
        let (repo, tag) = text
            .rsplit_once(':')
            .with_context(|| format!("`{text}` names no image: expected `REPO:TAG`"))?;
        Ok(Self {
            repo: repo.parse()?,
            reference: tag.parse::<Tag>()?.into(),
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let separator = match self.reference {
            Reference::Digest(_) => '@',
            Reference::Tag(_) => ':',
        };
        write!(formatter, "{}{separator}{}", self.repo, self.reference)
    }
}

/// Makes the image `from` one of `to` too, with everything that it needs.
pub(crate) async fn copy(
    client: &Client,
    from: &Source,
    to: &Source,
    referrers: bool,
) -> anyhow::Result<()> {
    let found = client.manifest(&from.repo, &from.reference).await?;
    let manifest = found.with_context(|| format!("there is no image `{from}`"))?;
    if let Reference::Digest(digest) = &to.reference
        && *digest != manifest.digest
    {
        bail!(
            "`{from}` has the digest {}, so it cannot become `{to}`",
            manifest.digest
        );
    }
    let mut copy = Copy {
        client,
        from: &from.repo,
        to: &to.repo,
        done: HashSet::new(),
    };
    if from.repo != to.repo {
        copy.all(manifest.clone(), referrers).await?;
    }
    let (kind, payload) = (&manifest.media_type, manifest.payload.clone());
    client
        .put_manifest(&to.repo, &to.reference, kind, payload)
        .await?;
    say(&format!("{to}\t{}", manifest.digest))
}

struct Copy<'a> {
    client: &'a Client,
    from: &'a RepoName,
    to: &'a RepoName,
    done: HashSet<Digest>,
}

impl Copy<'_> {
    /// Copies manifests with all that they need, each after what it names.
    async fn all(&mut self, top: ManifestContent, referrers: bool) -> anyhow::Result<()> {
        // A stack instead of a recursion; what has been opened is closed when it comes up again.
        let mut stack = vec![(top, false)];
        while let Some((manifest, is_open)) = stack.pop() {
            if self.done.contains(&manifest.digest) {
                continue;
            }
            if is_open {
                let reference = manifest.digest.into();
                let (kind, payload) = (&manifest.media_type, manifest.payload);
                self.client
                    .put_manifest(self.to, &reference, kind, payload)
                    .await?;
                self.done.insert(manifest.digest);
                if referrers {
                    for digest in self.client.referrers(self.from, &manifest.digest).await? {
                        let referrer = self.client.manifest(self.from, &digest.into()).await?;
                        stack.extend(referrer.map(|referrer| (referrer, false)));
                    }
                }
                continue;
            }
            let children = self.needs(&manifest).await?;
            stack.push((manifest, true));
            stack.extend(children.into_iter().map(|child| (child, false)));
        }
        Ok(())
    }

    /// Mounts the blobs of a manifest, and answers the manifests that it names.
    async fn needs(&self, content: &ManifestContent) -> anyhow::Result<Vec<ManifestContent>> {
        let media_type: Option<MediaType> = content.media_type.parse().ok();
        let manifest =
            Manifest::adopt(content.payload.clone(), media_type.as_ref(), content.digest)
                .with_context(|| format!("read the manifest {}", content.digest))?;
        let mut children = Vec::new();
        for edge in manifest.edges() {
            let may_be_manifest = !matches!(edge.kind, EdgeKind::Config | EdgeKind::Layer);
            if edge.kind == EdgeKind::Subject || self.done.contains(&edge.digest) {
                continue;
            }
            if may_be_manifest
                && let Some(child) = self.client.manifest(self.from, &edge.digest.into()).await?
            {
                children.push(child);
                continue;
            }
            let mounted = self
                .client
                .mount(self.to, &edge.digest, Some(self.from))
                .await?;
            if !mounted && !edge.optional {
                bail!(
                    "`{}` holds no {}, which the manifest {} needs",
                    self.from,
                    edge.digest,
                    content.digest
                );
            }
        }
        Ok(children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_named_by_tag_or_digest() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let show = |text: &str| text.parse::<Source>().unwrap().to_string();

        assert_eq!(show("team/app:v1"), "team/app:v1");
        assert_eq!(show(&format!("a:v1@{digest}")), format!("a@{digest}"));
        for text in ["a", "a:", "A:v1", "a@sha256:1"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}

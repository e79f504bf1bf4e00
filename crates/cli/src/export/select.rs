//! Which images of the registry are meant.

use anyhow::{Context, ensure};
use boxyard_client::{Client, ManifestContent};
use boxyard_oci::{Reference, RepoName, Tag};

use super::{Wanted, manifest};
use crate::listing::{Repositories, Tags};
use crate::pattern::Pattern;
use crate::platform::{self, Platform};
use crate::tag::copy::Source;

/// An image that is to be exported.
#[derive(Clone, Debug)]
pub(super) struct Image {
    pub(super) repo: RepoName,
    pub(super) tag: Option<Tag>,
    pub(super) manifest: ManifestContent,
}

/// Finds every image that is wanted, each once.
pub(super) async fn select(
    client: &Client,
    wanted: &[Wanted],
    platform: Option<&Platform>,
) -> anyhow::Result<Vec<Image>> {
    let mut names = Vec::new();
    for wanted in wanted {
        let before = names.len();
        match wanted {
            Wanted::Digest(source) => names.push((source.repo.clone(), source.reference.clone())),
            Wanted::Tags(pattern) => {
                tags(client, pattern.repositories(), pattern.tags(), &mut names).await?;
            }
            Wanted::All(repositories) => {
                let all = Pattern::everything();
                tags(client, repositories, &all, &mut names).await?;
            }
        }
        ensure!(names.len() > before, "no tag matches `{}`", text(wanted));
    }
    let mut images: Vec<Image> = Vec::new();
    for (repo, reference) in names {
        let tag = reference.tag().cloned();
        let is_known = |image: &Image| {
            image.repo == repo
                && image.tag == tag
                && (tag.is_some() || digest_is(image, &reference))
        };
        if images.iter().any(is_known) {
            continue;
        }
        let manifest = manifest_for(client, &repo, &reference, platform).await?;
        images.push(Image {
            repo,
            tag,
            manifest,
        });
    }
    Ok(images)
}

fn digest_is(image: &Image, reference: &Reference) -> bool {
    reference.digest() == Some(&image.manifest.digest)
}

fn text(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Digest(source) => source.to_string(),
        Wanted::Tags(tags) => format!("{}:{}", tags.repositories().text(), tags.tags().text()),
        Wanted::All(repositories) => repositories.text().to_owned(),
    }
}

async fn tags(
    client: &Client,
    repositories: &Pattern,
    pattern: &Pattern,
    names: &mut Vec<(RepoName, Reference)>,
) -> anyhow::Result<()> {
    let mut pages = Repositories::new(client, repositories);
    while let Some(page) = pages.next().await? {
        for repo in page {
            if let Some(Ok(tag)) = pattern.name().map(str::parse::<Tag>) {
                // That it is not there is said when it is read, unless one of many has it.
                if repositories.name().is_some() || client.has_tag(&repo, &tag).await? {
                    names.push((repo, tag.into()));
                }
                continue;
            }
            let mut tags = Tags::new(client, &repo, pattern);
            while let Some(page) = tags.next().await? {
                let page = page.into_iter().map(|tag| (repo.clone(), tag.into()));
                names.extend(page);
            }
        }
    }
    Ok(())
}

/// The manifest, or of an index the one for the platform.
async fn manifest_for(
    client: &Client,
    repo: &RepoName,
    reference: &Reference,
    wanted: Option<&Platform>,
) -> anyhow::Result<ManifestContent> {
    let found = manifest(client, repo, reference).await?;
    let images = platform::images(&found.payload);
    let (Some(wanted), false) = (wanted, images.is_empty()) else {
        return Ok(found);
    };
    let chosen = platform::choose(&images, wanted).with_context(|| {
        let names = platform::names(&images);
        let source = Source {
            repo: repo.clone(),
            reference: reference.clone(),
        };
        format!("`{source}` has no image for {wanted}, but for {names}")
    })?;
    manifest(client, repo, &chosen.into()).await
}

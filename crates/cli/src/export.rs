//! `boxyard export`: images into a file or a folder.

mod docker;
mod folder;
mod index;
mod output;
mod plan;
mod select;
mod tar;
mod write;

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, ensure};
use boxyard_oci::{Reference, RepoName, Tag};
use clap::ValueEnum;

use crate::administration::{self, Administration, Place};
use crate::output::plural;
use crate::pattern::Pattern;
use crate::platform::Platform;
use crate::size::show;
use crate::tag::copy::Source;
use crate::tag::remove::TagPattern;
use output::Output;
use plan::Plan;

pub(crate) const HELP: &str = "\
Writes images with everything they need into a folder that is an OCI layout, or into a tar file
where PATH ends in `.tar` or is `-`, standard output. An image of several platforms is written
whole, or as the one for --platform. Manifests are written byte for byte, so digests and
signatures stay, and every blob is compared with its digest on the way.

--format docker writes a tar file that is an OCI layout and what `docker load` of any age reads;
of an image of several platforms, an old engine sees the one for this machine, or for --platform.
`boxyard import`, podman, skopeo, crane and oras read both.

A folder that is a layout already gets what it does not have yet. A file is replaced when the new
one is whole; what is interrupted leaves the former one.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard export team/app:v1 -o app.tar
  boxyard export team/app:v1 --format docker -o - | ssh host docker load
  boxyard export team/app:v1 --format docker --host registry.lan:5000 -o app.tar
                                     docker load names it registry.lan:5000/team/app:v1
  boxyard export 'team/app:v1.*' team/db:stable -o ./layout --referrers
  boxyard export team/app --all-tags --platform linux/arm64 -o - | gzip > app.tar.gz";

/// What is to be exported.
#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    /// An image, or a pattern of tags; with --all-tags a repository
    #[arg(value_name = "REPO:TAG|REPO@DIGEST", required = true)]
    images: Vec<Wanted>,

    /// The folder or the tar file to write; `-` is standard output
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,

    /// What to write: an OCI layout, or one that `docker load` of any age reads too
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Oci)]
    format: Format,

    /// Of images of several platforms, write this one alone
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Write all tags of the named repositories
    #[arg(long)]
    all_tags: bool,

    /// Write signatures and whatever else refers to the images too
    #[arg(long)]
    referrers: bool,

    /// The registry's host, to put before the names that `docker load` gives
    #[arg(long, value_name = "HOST[:PORT]")]
    host: Option<Host>,

    #[command(flatten)]
    place: Place,
}

/// Which images.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// The one that has this digest.
    Digest(Source),
    /// Those with these tags.
    Tags(TagPattern),
    /// Every tag of these repositories.
    All(Pattern),
}

/// The form of what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Oci,
    Docker,
}

/// A host as it stands before the name of an image.
#[derive(Clone, Debug)]
pub(super) struct Host(String);

/// What images are called in an archive.
#[derive(Clone, Debug)]
pub(super) struct Names {
    host: Option<Host>,
}

/// Exports images.
pub(crate) fn run(arguments: &ExportArguments) -> anyhow::Result<()> {
    for wanted in &arguments.images {
        wanted.check(arguments.all_tags)?;
    }
    output::check(&arguments.output, arguments.format)?;
    administration::run(arguments.place.file(), async |administration| {
        export(administration, arguments).await
    })
}

async fn export(
    administration: &Administration,
    arguments: &ExportArguments,
) -> anyhow::Result<()> {
    let client = &administration.client;
    let images = select::select(client, &arguments.images, arguments.platform.as_ref()).await?;
    let plan = Plan::make(client, images, arguments.referrers).await?;
    let names = Names {
        host: arguments.host.clone(),
    };
    let legacy = match arguments.format {
        Format::Oci => None,
        Format::Docker => Some(docker::files(client, &plan, &names).await?),
    };
    let mut output = Output::open(&arguments.output)?;
    let written = write::write(client, &plan, &names, legacy, &mut output).await?;
    output.finish().await?;
    if plan.elsewhere > 0 {
        let count = plan.elsewhere;
        eprintln!("{count} layers are fetched from elsewhere and are not in the archive");
    }
    eprintln!(
        "exported {} with {} and {}: {} written",
        plural(plan.images.len(), "image"),
        plural(plan.manifests(), "manifest"),
        plural(plan.blobs(), "blob"),
        show(written)
    );
    Ok(())
}

impl Wanted {
    fn check(&self, all_tags: bool) -> anyhow::Result<()> {
        match (self, all_tags) {
            (Self::All(pattern), false) => {
                let repo = pattern.text();
                anyhow::bail!("`{repo}` names no tag: say `{repo}:TAG`, or --all-tags")
            }
            (Self::Digest(_) | Self::Tags(_), true) => {
                anyhow::bail!("--all-tags takes repositories, without a tag or a digest")
            }
            _ => Ok(()),
        }
    }
}

impl FromStr for Wanted {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('@') {
            return Ok(Self::Digest(text.parse()?));
        }
        if text.contains(':') {
            return Ok(Self::Tags(text.parse()?));
        }
        let pattern: Pattern = text.parse()?;
        if let Some(name) = pattern.name() {
            name.parse::<RepoName>()?;
        }
        Ok(Self::All(pattern))
    }
}

impl FromStr for Host {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        let is_host = text == "localhost" || text.contains(['.', ':']);
        ensure!(
            is_host && text.bytes().all(allowed),
            "`{text}` is no host that clients take for one: expected such as `registry.lan:5000`"
        );
        Ok(Self(text.to_owned()))
    }
}

impl Names {
    /// What Docker calls an image.
    fn familiar(&self, repo: &RepoName, tag: &Tag) -> String {
        match &self.host {
            Some(Host(host)) => format!("{host}/{repo}:{tag}"),
            None => format!("{repo}:{tag}"),
        }
    }

    /// The same as containerd keeps it, with a host in every case.
    fn whole(&self, repo: &RepoName, tag: &Tag) -> String {
        match &self.host {
            Some(_) => self.familiar(repo, tag),
            None if repo.as_str().contains('/') => format!("docker.io/{repo}:{tag}"),
            None => format!("docker.io/library/{repo}:{tag}"),
        }
    }
}

/// The manifest that a reference names, which must be there.
async fn manifest(
    client: &boxyard_client::Client,
    repo: &RepoName,
    reference: &Reference,
) -> anyhow::Result<boxyard_client::ManifestContent> {
    let found = client.manifest(repo, reference).await?;
    let source = Source {
        repo: repo.clone(),
        reference: reference.clone(),
    };
    found.with_context(|| format!("there is no image `{source}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_named_by_tags_digests_and_patterns() {
        let digest = format!("app@sha256:{}", "0".repeat(64));

        assert!(matches!(digest.parse().unwrap(), Wanted::Digest(_)));
        assert!(matches!("team/*:v1".parse().unwrap(), Wanted::Tags(_)));
        let all: Wanted = "team/app".parse().unwrap();
        assert!(all.check(true).is_ok());
        assert!(
            all.check(false)
                .unwrap_err()
                .to_string()
                .contains("--all-tags")
        );
        for text in ["", "App", "app@sha256:1", "app:"] {
            assert!(text.parse::<Wanted>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_have_the_host_that_was_said() {
        let (repo, tag) = ("app".parse().unwrap(), "v1".parse().unwrap());
        let plain = Names { host: None };
        let host = "registry.lan:5000".parse().ok();
        let hosted = Names { host };

        assert_eq!(plain.familiar(&repo, &tag), "app:v1");
        assert_eq!(plain.whole(&repo, &tag), "docker.io/library/app:v1");
        assert_eq!(hosted.familiar(&repo, &tag), "registry.lan:5000/app:v1");
        assert_eq!(hosted.whole(&repo, &tag), "registry.lan:5000/app:v1");
        for text in ["", "registry", "a.b/c"] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }
}

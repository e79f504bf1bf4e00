//! `boxyard import`: images from a file or a folder.

mod docker;
mod layout;
mod names;
mod plan;
mod push;
mod stock;

use std::path::PathBuf;

use anyhow::Context;

use crate::administration::{self, Place};
use crate::archive::Archive;
use crate::image_name::Target;
use crate::output::{plural, say};
use crate::platform::Platform;
use crate::size::show;
use plan::Plan;
use push::Done;
use stock::Stock;

pub(crate) const HELP: &str = "\
Takes images from an OCI layout, as a folder or a tar file, or from an archive of `docker save`,
`podman save`, `skopeo copy` or `crane pull`, also packed by gzip or from standard input (`-`).
Nothing but the registry is needed: no daemon and no login, while it serves or without a server.

An image is called here what the archive calls it, without the host: `registry.lan:5000/team/app:v1`
becomes `team/app:v1`. REPOSITORY puts all of them there under their tags, and REPOSITORY:TAG names
the only one. What is here already is not sent again. Everything is compared with its digest, and
tags are set last: whatever goes wrong before leaves every tag as it was.

From OCI layouts, manifests come byte for byte, so digests and signatures stay. An archive without
a layout (Docker before 25, `podman save`) has no manifest: one is made, with the layers as they are, or
packed where --gzip is given.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  boxyard import app.tar
  boxyard import app.tar team/app:v2
  docker save app:v1 | boxyard import - team/app --gzip
  ssh build cat images.tar.gz | boxyard import -
  boxyard import ./layout team/app --platform linux/arm64";

/// What is to be imported.
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArguments {
    /// The archive: a folder, a tar file, or `-` for standard input
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,

    /// What the images are to be called, instead of what the archive calls them
    #[arg(value_name = "REPOSITORY[:TAG]")]
    target: Option<Target>,

    /// Of images of several platforms, import this one alone
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,

    /// Pack layers by gzip where a manifest is made for them, as `docker push` does
    #[arg(long)]
    gzip: bool,

    #[command(flatten)]
    place: Place,
}

/// Imports what the archive holds.
pub(crate) fn run(arguments: &ImportArguments) -> anyhow::Result<()> {
    // Before the registry is asked: an archive that is none disturbs nobody.
    let archive = Archive::open(&arguments.archive)?;
    let name = archive.name().to_owned();
    let plan = plan(archive, arguments).with_context(|| format!("read {name}"))?;
    for note in &plan.notes {
        eprintln!("{note}");
    }
    administration::run(arguments.place.file(), async |administration| {
        let done = push::push(&administration.client, &plan).await?;
        for (repo, tag, digest) in plan.tags() {
            say(&format!("{repo}:{tag}\t{digest}"))?;
        }
        eprintln!("{}", summary(&plan, done));
        Ok(())
    })
}

fn plan(archive: Archive, arguments: &ImportArguments) -> anyhow::Result<Plan> {
    let stock = Stock::read(archive, arguments.gzip)?;
    let target = arguments.target.as_ref();
    Plan::make(stock, target, arguments.platform.as_ref())
}

fn summary(plan: &Plan, done: Done) -> String {
    format!(
        "imported {} with {}: {} sent ({}), {} here already",
        plural(plan.tags().count(), "tag"),
        plural(done.manifests, "manifest"),
        plural(done.sent, "blob"),
        show(done.bytes),
        done.kept
    )
}

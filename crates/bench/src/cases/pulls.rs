//! Requests for what is small.

use anyhow::{Context, Result};

use super::content::Small;
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::measure::Measured;
use crate::peer::Server;

fn load(short: bool) -> Load {
    Load {
        clients: 32,
        units: if short { 2_000 } else { 40_000 },
        worth: 1.0,
    }
}

/// A repository with an image, and how to ask for something of it again and again.
fn ask(
    server: &Server,
    short: bool,
    method: &str,
    status: u16,
    target: impl Fn(&Small) -> String,
) -> Result<Measured> {
    let image = Small::of(1);
    let mut connection = Connection::open(server.address).context("connect")?;
    image.push(&mut connection, "team/app", "latest")?;
    let target = target(&image);
    load::run(server, load(short), |connection, _, _| {
        connection
            .expect(
                status,
                (method, &target),
                "Accept: application/vnd.oci.image.manifest.v1+json\r\n",
                b"",
            )
            .map(drop)
    })
}

pub(crate) fn manifest_get(server: &Server, short: bool) -> Result<Measured> {
    ask(server, short, "GET", 200, |_| {
        "/v2/team/app/manifests/latest".to_owned()
    })
}

pub(crate) fn manifest_head(server: &Server, short: bool) -> Result<Measured> {
    ask(server, short, "HEAD", 200, |_| {
        "/v2/team/app/manifests/latest".to_owned()
    })
}

pub(crate) fn blob_get(server: &Server, short: bool) -> Result<Measured> {
    ask(server, short, "GET", 200, |image| {
        format!("/v2/team/app/blobs/{}", image.blobs[1].digest)
    })
}

pub(crate) fn blob_missing(server: &Server, short: bool) -> Result<Measured> {
    ask(server, short, "HEAD", 404, |_| {
        format!("/v2/team/app/blobs/sha256:{}", "0".repeat(64))
    })
}

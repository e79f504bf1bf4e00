//! Pushes of what is small.

use anyhow::{Context, Result};

use super::content::{Content, Small, push_blob, put_manifest};
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::measure::Measured;
use crate::peer::Server;

/// Images of a config and two layers of 4 KiB, each client into a repository of its own.
pub(crate) fn images(server: &Server, short: bool) -> Result<Measured> {
    let units = if short { 200 } else { 2_000 };
    let images: Vec<Small> = (0..units).map(|seed| Small::of(seed.into())).collect();
    let load = Load {
        clients: 16,
        units,
        worth: 1.0,
    };
    load::run(server, load, |connection, client, unit| {
        let image = &images[unit as usize];
        image.push(
            connection,
            &format!("team/app-{client}"),
            &format!("tag-{unit}"),
        )
    })
}

/// Tags of one image, all in one repository.
pub(crate) fn tags(server: &Server, short: bool) -> Result<Measured> {
    let image = Small::of(1);
    let mut connection = Connection::open(server.address).context("connect")?;
    image.push(&mut connection, "team/app", "latest")?;
    let load = Load {
        clients: 16,
        units: if short { 500 } else { 5_000 },
        worth: 1.0,
    };
    load::run(server, load, |connection, _, unit| {
        put_manifest(
            connection,
            "team/app",
            &format!("tag-{unit}"),
            &image.manifest,
        )
    })
}

/// Mounts of one blob into repository after repository.
pub(crate) fn mount(server: &Server, short: bool) -> Result<Measured> {
    let blob = Content::noise(7, 4096);
    let mut connection = Connection::open(server.address).context("connect")?;
    push_blob(&mut connection, "team/from", &blob)?;
    let load = Load {
        clients: 16,
        units: if short { 500 } else { 5_000 },
        worth: 1.0,
    };
    load::run(server, load, |connection, _, unit| {
        let target = format!(
            "/v2/team/to-{unit}/blobs/uploads/?mount={}&from=team/from",
            blob.digest
        );
        connection.expect(201, ("POST", &target), "", b"").map(drop)
    })
}

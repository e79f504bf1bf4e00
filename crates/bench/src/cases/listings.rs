//! Pages of long lists.

use anyhow::{Context, Result};

use super::content::{Small, put_manifest};
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::measure::Measured;
use crate::peer::Server;

fn pages(server: &Server, short: bool, target: &str) -> Result<Measured> {
    let load = Load {
        clients: 16,
        units: if short { 200 } else { 4_000 },
        worth: 1.0,
    };
    load::run(server, load, |connection, _, _| {
        connection.expect(200, ("GET", target), "", b"").map(drop)
    })
}

/// A page in the middle of the tags of one repository.
pub(crate) fn tags(server: &Server, short: bool) -> Result<Measured> {
    let image = Small::of(1);
    let mut connection = Connection::open(server.address).context("connect")?;
    image.push(&mut connection, "team/app", "tag-0000")?;
    for number in 1..if short { 500 } else { 3_000 } {
        put_manifest(
            &mut connection,
            "team/app",
            &format!("tag-{number:04}"),
            &image.manifest,
        )?;
    }
    pages(server, short, "/v2/team/app/tags/list?n=100&last=tag-0250")
}

/// A page in the middle of all repositories.
pub(crate) fn catalog(server: &Server, short: bool) -> Result<Measured> {
    let image = Small::of(1);
    let mut connection = Connection::open(server.address).context("connect")?;
    for number in 0..if short { 200 } else { 500 } {
        image.push(&mut connection, &format!("team/app-{number:04}"), "latest")?;
    }
    pages(server, short, "/v2/_catalog?n=100&last=team/app-0050")
}

//! Layers that are large.

use std::io;

use anyhow::{Context, Result};

use super::content::{Content, begin, ended, place, push_blob};
use crate::connection::Connection;
use crate::load::{self, Load};
use crate::measure::Measured;
use crate::peer::Server;

const LAYER: usize = 64 << 20;
/// How much of a GiB that is.
const WORTH: f64 = 1.0 / 16.0;

/// Layers one after the other on two connections, as Docker sends them: begin, send, end.
pub(crate) fn push(server: &Server, short: bool) -> Result<Measured> {
    let units = if short { 4 } else { 16 };
    let layers: Vec<Content> = (0..units)
        .map(|seed| Content::noise(u64::from(seed) + 1, LAYER))
        .collect();
    let load = Load {
        clients: 2,
        units,
        worth: WORTH,
    };
    load::run(server, load, |connection, _, unit| {
        send(connection, &layers[unit as usize])
    })
}

fn send(connection: &mut Connection, layer: &Content) -> io::Result<()> {
    let begun = begin(connection, "team/app")?;
    let kind = "Content-Type: application/octet-stream\r\n";
    let sent = connection.expect(202, ("PATCH", &begun), kind, &layer.bytes)?;
    let end = ended(&place(sent.location)?, &layer.digest);
    connection.expect(201, ("PUT", &end), "", b"").map(drop)
}

pub(crate) fn pull(server: &Server, short: bool) -> Result<Measured> {
    pull_by(server, 4, if short { 16 } else { 64 })
}

pub(crate) fn pull_by_many(server: &Server, short: bool) -> Result<Measured> {
    pull_by(
        server,
        if short { 50 } else { 200 },
        if short { 50 } else { 400 },
    )
}

fn pull_by(server: &Server, clients: u32, units: u32) -> Result<Measured> {
    let layer = Content::noise(1, LAYER);
    let mut connection = Connection::open(server.address).context("connect")?;
    push_blob(&mut connection, "team/app", &layer)?;
    let target = format!("/v2/team/app/blobs/{}", layer.digest);
    let load = Load {
        clients,
        units,
        worth: WORTH,
    };
    load::run(server, load, |connection, _, _| {
        connection.expect(200, ("GET", &target), "", b"").map(drop)
    })
}

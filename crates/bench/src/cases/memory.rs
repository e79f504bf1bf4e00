//! What the server holds in memory; pulls by many are among the large layers.

use anyhow::{Context, Result};
use boxyard_testkit::{Noise, sha256};
use bytes::Bytes;

use super::Case;
use super::content::{begin, ended, place};
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::goal::{MIB, at_most};
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::process;

const CLIENTS: u32 = 200;
const REPO: &str = "team/app";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "idle",
        unit: "server",
        others: &[Contender::Distribution3],
        goals: &[at_most(Figure::Memory, 30.0 * MIB)],
        is_in_short: true,
        run: idle,
    },
    Case {
        name: "push of large layers, 200 connections",
        unit: "GiB",
        others: &[Contender::Distribution3],
        goals: &[at_most(Figure::Memory, 128.0 * MIB)],
        is_in_short: true,
        run: |bout| pushes(bout, Protocol::Plain),
    },
    Case {
        name: "push of large layers, TLS, 200 connections",
        unit: "GiB",
        others: &[Contender::Distribution3],
        goals: &[at_most(Figure::Memory, 128.0 * MIB)],
        is_in_short: false,
        run: |bout| pushes(bout, Protocol::Tls),
    },
];

#[expect(clippy::cast_precision_loss, reason = "no memory is so large")]
fn idle(bout: &Bout) -> Result<Measured> {
    let (_site, server) = bout.serve(Protocol::Plain)?;
    server.settle()?;
    let memory = process::anonymous_memory(server.pid())?;
    Ok(Measured::default().with(Figure::Memory, memory as f64))
}

/// Each client sends a layer of its own, all at the same time.
fn pushes(bout: &Bout, protocol: Protocol) -> Result<Measured> {
    let size = bout.choose(4 << 20, 16 << 20);
    // They differ in their first bytes only, or the bench itself would need gigabytes.
    let rest = Bytes::from(Noise::new(1).draw(size));
    let layers: Vec<(Bytes, String)> = (0..CLIENTS)
        .map(|number| {
            let first = number.to_le_bytes();
            let digest = sha256([&first[..], &rest].concat());
            (Bytes::copy_from_slice(&first), digest)
        })
        .collect();
    let (_site, server) = bout.serve(protocol)?;
    let load = Load {
        clients: CLIENTS,
        tokens: vec![server.token_for(&[REPO])],
        time: load::FOREVER,
        most: CLIENTS,
        worth: f64::from(u32::try_from(size).context("measure a layer")?) / (1024.0 * MIB),
    };
    load::run(&server, &load, |connection, _, unit| {
        let (first, digest) = &layers[unit as usize];
        let kind = "Content-Type: application/octet-stream\r\n";
        let mut at = begin(connection, REPO)?;
        for piece in [first, &rest] {
            let sent = connection.expect(202, ("PATCH", &at), kind, piece)?;
            at = place(sent.location)?;
        }
        let end = ended(&at, digest);
        connection
            .expect(201, ("PUT", &end), "", &Bytes::new())
            .map(drop)
    })
}

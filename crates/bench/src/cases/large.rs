//! Layers that are large, plain and over TLS.

use std::fs;
use std::io;
use std::sync::OnceLock;

use anyhow::{Context, Result};
use bytes::Bytes;

use super::content::{Content, begin, ended, place, push_blob};
use super::{Case, PEERS};
use crate::bout::Bout;
use crate::connection::{Connection, Protocol};
use crate::contender::Contender;
use crate::floor::disk;
use crate::goal::{Bound, Goal, MIB, Than, at_most, goal, least, most};
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::site::{Server, Site};

const LAYER: usize = 64 << 20;
/// How much of a GiB that is.
const WORTH: f64 = 1.0 / 16.0;
const REPO: &str = "team/app";

const BESIDE_DISK: &[Contender] = &[
    Contender::Distribution3,
    Contender::Distribution2,
    Contender::Disk,
];
const BESIDE_NGINX: &[Contender] = &[
    Contender::Distribution3,
    Contender::Distribution2,
    Contender::Nginx,
];
const PULLS: &[Goal] = &[
    most(Figure::Cpu, 0.7),
    least(Figure::Rate, 1.2),
    goal(
        Figure::Cpu,
        Bound::AtMost(1.0),
        Than::Contender(Contender::Nginx),
    ),
    goal(
        Figure::Rate,
        Bound::AtLeast(1.0),
        Than::Contender(Contender::Nginx),
    ),
];
const ENCRYPTED: &[Goal] = &[most(Figure::Cpu, 0.8)];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "push of large layers",
        unit: "GiB",
        others: BESIDE_DISK,
        goals: &[
            most(Figure::Cpu, 0.7).or_near_floor(),
            least(Figure::Rate, 1.5).or_near_floor(),
        ],
        is_in_short: true,
        run: |bout| push(bout, Protocol::Plain),
    },
    Case {
        name: "pull of large layers, 4 connections",
        unit: "GiB",
        others: BESIDE_NGINX,
        goals: PULLS,
        is_in_short: true,
        run: |bout| pull(bout, Protocol::Plain, 4),
    },
    Case {
        name: "pull of large layers, 200 connections",
        unit: "GiB",
        others: BESIDE_NGINX,
        goals: &[
            PULLS[0],
            PULLS[1],
            PULLS[2],
            PULLS[3],
            at_most(Figure::Memory, 64.0 * MIB),
        ],
        is_in_short: true,
        run: |bout| pull(bout, Protocol::Plain, 200),
    },
    Case {
        name: "push of large layers, TLS, HTTP/1.1",
        unit: "GiB",
        others: PEERS,
        goals: ENCRYPTED,
        is_in_short: true,
        run: |bout| push(bout, Protocol::Tls),
    },
    Case {
        name: "push of large layers, TLS, HTTP/2",
        unit: "GiB",
        others: PEERS,
        goals: &[
            most(Figure::Cpu, 0.8),
            like("push of large layers, TLS, HTTP/1.1"),
        ],
        is_in_short: true,
        run: |bout| push(bout, Protocol::Http2),
    },
    Case {
        name: "pull of large layers, TLS, HTTP/1.1",
        unit: "GiB",
        others: PEERS,
        goals: ENCRYPTED,
        is_in_short: true,
        run: |bout| pull(bout, Protocol::Tls, 4),
    },
    Case {
        name: "pull of large layers, TLS, HTTP/2",
        unit: "GiB",
        others: PEERS,
        goals: &[
            most(Figure::Cpu, 0.8),
            like("pull of large layers, TLS, HTTP/1.1"),
        ],
        is_in_short: true,
        run: |bout| pull(bout, Protocol::Http2, 4),
    },
];

/// Within a tenth of the CPU time of other work.
const fn like(work: &'static str) -> Goal {
    goal(Figure::Cpu, Bound::AtMost(1.1), Than::Work(work))
}

/// Layers for all pushes, since making them takes longer than pushing them.
fn layers(count: usize) -> &'static [Content] {
    static LAYERS: OnceLock<Vec<Content>> = OnceLock::new();
    let make = || {
        (0..16)
            .map(|seed| Content::noise(seed + 1, LAYER))
            .collect()
    };
    &LAYERS.get_or_init(make)[..count]
}

/// Layers one after the other on two connections, as Docker sends them: begin, send, end.
fn push(bout: &Bout, protocol: Protocol) -> Result<Measured> {
    let layers = layers(bout.choose(8, 16));
    if bout.contender == Contender::Disk {
        let site = Site::new(bout.contender)?;
        let files: Vec<Bytes> = layers.iter().map(|layer| layer.bytes.clone()).collect();
        return disk::keep(&site.root(), &files, 2, WORTH);
    }
    let (_site, server) = bout.serve(protocol)?;
    let load = Load {
        clients: 2,
        tokens: vec![server.token_for(&[REPO])],
        time: load::FOREVER,
        most: u32::try_from(layers.len())?,
        worth: WORTH,
    };
    load::run(&server, &load, |connection, _, unit| {
        send(connection, &layers[unit as usize])
    })
}

fn send(connection: &mut Connection, layer: &Content) -> io::Result<()> {
    let begun = begin(connection, REPO)?;
    let kind = "Content-Type: application/octet-stream\r\n";
    let sent = connection.expect(202, ("PATCH", &begun), kind, &layer.bytes)?;
    let end = ended(&place(sent.location)?, &layer.digest);
    connection
        .expect(201, ("PUT", &end), "", &Bytes::new())
        .map(drop)
}

fn pull(bout: &Bout, protocol: Protocol, clients: u32) -> Result<Measured> {
    let layer = &layers(1)[0];
    let (site, server) = bout.serve(protocol)?;
    let token = server.token_for(&[REPO]);
    let target = format!("/v2/{REPO}/blobs/{}", layer.digest);
    keep(&site, &server, &token, layer)?;
    let load = Load {
        clients,
        tokens: vec![token],
        time: bout.time(),
        most: u32::MAX,
        worth: WORTH,
    };
    load::run(&server, &load, |connection, _, _| {
        connection
            .expect(200, ("GET", &target), "", &Bytes::new())
            .map(drop)
    })
}

/// Brings a layer to the server; nginx serves the file that lies at its path.
fn keep(site: &Site, server: &Server, token: &str, layer: &Content) -> Result<()> {
    if site.contender == Contender::Nginx {
        let folder = site.root().join("v2").join(REPO).join("blobs");
        fs::create_dir_all(&folder).context("make a folder for nginx")?;
        return fs::write(folder.join(&layer.digest), &layer.bytes)
            .context("write a file for nginx");
    }
    push_blob(&mut server.connect(token)?, REPO, layer).context("push a layer")
}

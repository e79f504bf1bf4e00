//! Requests for what is small.

use anyhow::Result;
use bytes::Bytes;

use super::Case;
use super::content::Small;
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::goal::{Goal, most};
use crate::load::Load;
use crate::measure::{Figure, Measured};

const REPO: &str = "team/app";

const BESIDE_EMPTY: &[Contender] = &[
    Contender::Distribution3,
    Contender::Distribution2,
    Contender::Empty,
];
const MANIFESTS: &[Goal] = &[most(Figure::Cpu, 0.10), most(Figure::PacedP99, 0.3)];

pub(super) const CASES: &[Case] = &[
    Case {
        name: "GET of a manifest by tag",
        unit: "request",
        others: BESIDE_EMPTY,
        goals: MANIFESTS,
        is_in_short: true,
        run: |bout| manifest(bout, "GET", Protocol::Plain),
    },
    Case {
        name: "HEAD of a manifest by tag",
        unit: "request",
        others: BESIDE_EMPTY,
        goals: MANIFESTS,
        is_in_short: true,
        run: |bout| manifest(bout, "HEAD", Protocol::Plain),
    },
    Case {
        name: "GET of a blob of 4 KiB",
        unit: "request",
        others: BESIDE_EMPTY,
        goals: &[most(Figure::Cpu, 0.015), most(Figure::PacedP99, 0.3)],
        is_in_short: true,
        run: |bout| {
            ask(bout, Protocol::Plain, ("GET", 200), |image| {
                format!("/v2/{REPO}/blobs/{}", image.blobs[1].digest)
            })
        },
    },
    Case {
        name: "HEAD of a blob that is not there",
        unit: "request",
        others: BESIDE_EMPTY,
        goals: &[most(Figure::Cpu, 0.12), most(Figure::PacedP99, 0.3)],
        is_in_short: true,
        run: |bout| {
            ask(bout, Protocol::Plain, ("HEAD", 404), |_| {
                format!("/v2/{REPO}/blobs/sha256:{}", "0".repeat(64))
            })
        },
    },
    Case {
        name: "GET of a manifest by tag, TLS, HTTP/1.1",
        unit: "request",
        others: &[Contender::Distribution3],
        goals: &[],
        is_in_short: false,
        run: |bout| manifest(bout, "GET", Protocol::Tls),
    },
    Case {
        name: "GET of a manifest by tag, TLS, HTTP/2",
        unit: "request",
        others: &[Contender::Distribution3],
        goals: &[],
        is_in_short: false,
        run: |bout| manifest(bout, "GET", Protocol::Http2),
    },
];

fn manifest(bout: &Bout, method: &str, protocol: Protocol) -> Result<Measured> {
    ask(bout, protocol, (method, 200), |_| {
        format!("/v2/{REPO}/manifests/latest")
    })
}

/// Thirty-two clients ask for something of an image again and again.
fn ask(
    bout: &Bout,
    protocol: Protocol,
    (method, status): (&str, u16),
    target: impl Fn(&Small) -> String,
) -> Result<Measured> {
    let image = Small::of(1);
    let (_site, server) = bout.serve(protocol)?;
    let token = server.token_for(&[REPO]);
    if bout.contender.is_registry() {
        image.push(&mut server.connect(&token)?, REPO, "latest")?;
    }
    let target = target(&image);
    let load = Load {
        clients: 32,
        tokens: vec![token],
        time: bout.time(),
        most: u32::MAX,
        worth: 1.0,
    };
    bout.measure_paced(&server, &load, |connection, _, _| {
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
        connection
            .expect(status, (method, &target), accept, &Bytes::new())
            .map(drop)
    })
}

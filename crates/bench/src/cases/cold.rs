//! Large blobs that are read from the disk while others ask for what is small.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use rustix::fs::{Advice, fadvise};

use super::Case;
use super::content::{Content, Small, push_blob};
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::goal::at_most;
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::site::{Server, Site};

const REPO: &str = "team/app";
const LAYER: usize = 64 << 20;
/// Manifests a second.
const RATE: f64 = 1_000.0;

pub(super) const CASES: &[Case] = &[Case {
    name: "GET of a manifest beside cold reads",
    unit: "request",
    others: &[Contender::Distribution3],
    goals: &[at_most(Figure::Strain, 2.0)],
    is_in_short: true,
    run: manifests,
}];

/// Two clients read large blobs all the time, first from the page cache, then from the disk.
fn manifests(bout: &Bout) -> Result<Measured> {
    let (site, server) = bout.serve(Protocol::Plain)?;
    let token = server.token_for(&[REPO]);
    let mut connection = server.connect(&token)?;
    Small::of(1).push(&mut connection, REPO, "latest")?;
    let layers: Vec<Content> = (0..bout.choose(4, 8))
        .map(|seed| Content::noise(seed + 1, LAYER))
        .collect();
    for layer in &layers {
        push_blob(&mut connection, REPO, layer)?;
    }
    server.settle()?;
    let warm = beside(bout, &server, &layers, |_| Ok(()))?;
    let cold = beside(bout, &server, &layers, |layer| forget(&site, layer))?;
    Ok(Measured::default()
        .with(Figure::P99, cold)
        .with(Figure::Strain, cold / warm))
}

fn beside<P>(bout: &Bout, server: &Server, layers: &[Content], prepare: P) -> Result<f64>
where
    P: Fn(&Content) -> Result<()> + Sync,
{
    let done = AtomicBool::new(false);
    let token = server.token_for(&[REPO]);
    thread::scope(|scope| {
        let readers = [0, 1].map(|reader| {
            let (done, token, prepare) = (&done, &token, &prepare);
            scope.spawn(move || {
                let mut connection = server.connect(token)?;
                for layer in layers.iter().skip(reader).cycle().step_by(2) {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    prepare(layer)?;
                    let target = format!("/v2/{REPO}/blobs/{}", layer.digest);
                    connection.expect(200, ("GET", &target), "", &Bytes::new())?;
                }
                Ok::<_, anyhow::Error>(())
            })
        });
        let p99 = ask(bout, server, &token);
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader
                .join()
                .map_err(|_| anyhow!("a reader has panicked"))??;
        }
        p99
    })
}

fn ask(bout: &Bout, server: &Server, token: &str) -> Result<f64> {
    let load = Load {
        clients: 32,
        tokens: vec![token.to_owned()],
        time: bout.time(),
        most: u32::MAX,
        worth: 1.0,
    };
    load::paced_p99(server, &load, RATE, 0, |connection, _, _| {
        let target = format!("/v2/{REPO}/manifests/latest");
        // Without this, distribution does not know the manifest.
        let accept = "Accept: application/vnd.oci.image.manifest.v1+json\r\n";
        let answer = connection.expect(200, ("GET", &target), accept, &Bytes::new());
        answer.map(drop)
    })
}

/// Takes the file of a layer out of the page cache.
fn forget(site: &Site, layer: &Content) -> Result<()> {
    let (_, hex) = layer.digest.split_once(':').context("read a digest")?;
    let path = site.root().join("docker/registry/v2/blobs/sha256");
    let path = path.join(&hex[..2]).join(hex).join("data");
    let file = File::open(path).context("open a layer")?;
    fadvise(&file, 0, None, Advice::DontNeed)
        .map_err(io::Error::from)
        .context("take a layer out of the page cache")
}

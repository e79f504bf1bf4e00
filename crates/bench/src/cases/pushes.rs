//! Pushes of what is small.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use bytes::Bytes;

use super::content::{Content, Small, push_blob, put_manifest};
use super::{Case, PEERS};
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::floor::disk;
use crate::goal::{least, most};
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::site::{Server, Site};

const CLIENTS: u32 = 16;
/// The repository whose blobs are mounted.
const FROM: &str = "team/from";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "push of small images, 16 clients",
        unit: "image",
        others: &[
            Contender::Distribution3,
            Contender::Distribution2,
            Contender::Disk,
        ],
        goals: &[least(Figure::Rate, 12.0)],
        is_in_short: true,
        run: images,
    },
    Case {
        name: "new tags in one repository, 16 clients",
        unit: "tag",
        others: PEERS,
        goals: &[least(Figure::Rate, 4.0)],
        is_in_short: true,
        run: tags,
    },
    Case {
        name: "mount of a blob",
        unit: "request",
        others: &[
            Contender::Distribution3,
            Contender::Distribution2,
            Contender::Record,
        ],
        goals: &[most(Figure::Cpu, 0.15), most(Figure::PacedP99, 0.3)],
        is_in_short: true,
        run: mounts,
    },
];

/// Images of a config and two layers of 4 KiB, each client into a repository of its own.
fn images(bout: &Bout) -> Result<Measured> {
    if bout.contender == Contender::Disk {
        return images_on_disk(bout);
    }
    let (_site, server) = bout.serve(Protocol::Plain)?;
    let repos: Vec<String> = (0..CLIENTS)
        .map(|client| format!("team/app-{client}"))
        .collect();
    let load = Load {
        clients: CLIENTS,
        tokens: repos.iter().map(|repo| server.token_for(&[repo])).collect(),
        time: bout.time(),
        most: u32::MAX,
        worth: 1.0,
    };
    load::run(&server, &load, |connection, client, unit| {
        let image = Small::of(unit.into());
        image.push(connection, &repos[client as usize], &format!("tag-{unit}"))
    })
}

/// The four files of each image.
fn images_on_disk(bout: &Bout) -> Result<Measured> {
    let site = Site::new(bout.contender)?;
    let files: Vec<Bytes> = (0..bout.choose(200, 2_000))
        .flat_map(|seed| {
            let image = Small::of(seed);
            let [config, one, two] = image.blobs;
            [config, one, two, image.manifest].map(|content| content.bytes)
        })
        .collect();
    disk::keep(&site.root(), &files, CLIENTS as usize, 0.25)
}

/// Tags of one image, all in one repository.
fn tags(bout: &Bout) -> Result<Measured> {
    let image = Small::of(1);
    let (_site, server) = bout.serve(Protocol::Plain)?;
    let token = server.token_for(&["team/app"]);
    image.push(&mut server.connect(&token)?, "team/app", "latest")?;
    let load = Load {
        clients: CLIENTS,
        tokens: vec![token],
        time: bout.time(),
        most: u32::MAX,
        worth: 1.0,
    };
    load::run(&server, &load, |connection, _, unit| {
        let tag = format!("tag-{unit}");
        put_manifest(connection, "team/app", &tag, &image.manifest)
    })
}

/// Each blob of one repository once into each of those that hold other things already.
fn mounts(bout: &Bout) -> Result<Measured> {
    let (_site, server) = bout.serve(Protocol::Plain)?;
    let blobs = bout.choose(256, 1024);
    let targets: Vec<Targets> = (0..CLIENTS).map(Targets::of).collect();
    if bout.contender.is_registry() {
        fill(&server, blobs, &targets)?;
    }
    let digests: Vec<String> = (0..blobs).map(|number| blob(number).digest).collect();
    let load = Load {
        clients: CLIENTS,
        tokens: targets
            .iter()
            .map(|targets| targets.token(&server))
            .collect(),
        time: bout.time(),
        most: blobs * CLIENTS * 2,
        worth: 1.0,
    };
    bout.measure_paced(&server, &load, |connection, client, _| {
        let (target, digest) = targets[client as usize].next(&digests)?;
        let target = format!("/v2/{target}/blobs/uploads/?mount={digest}&from={FROM}");
        connection
            .expect(201, ("POST", &target), "", &Bytes::new())
            .map(drop)
    })
}

/// Pushes what is mounted, and something else to where it is mounted.
fn fill(server: &Server, blobs: u32, targets: &[Targets]) -> Result<()> {
    push_blobs(server, blobs)?;
    for target in targets.iter().flat_map(|targets| &targets.repos) {
        let mut connection = server.connect(&server.token_for(&[target]))?;
        Small::of(1).push(&mut connection, target, "latest")?;
    }
    Ok(())
}

/// The repositories that one client mounts into, and how many mounts it has done.
struct Targets {
    repos: [String; 4],
    done: AtomicUsize,
}

impl Targets {
    fn of(client: u32) -> Self {
        Self {
            repos: [0, 1, 2, 3].map(|number| format!("team/to-{client}-{number}")),
            done: AtomicUsize::new(0),
        }
    }

    fn token(&self, server: &Server) -> String {
        let [one, two, three, four] = &self.repos;
        server.token_for(&[one, two, three, four, FROM])
    }

    /// A repository and a blob that it does not have.
    fn next<'a>(&'a self, digests: &'a [String]) -> io::Result<(&'a str, &'a str)> {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        let repo = self.repos.get(number / digests.len());
        let repo = repo.ok_or_else(|| io::Error::other("every blob is mounted everywhere"))?;
        Ok((repo, &digests[number % digests.len()]))
    }
}

fn blob(number: u32) -> Content {
    Content::noise(u64::from(number) + 1_000_000, 4096)
}

fn push_blobs(server: &Server, count: u32) -> Result<()> {
    let load = Load {
        clients: CLIENTS,
        tokens: vec![server.token_for(&[FROM])],
        time: load::FOREVER,
        most: count,
        worth: 1.0,
    };
    load::run(server, &load, |connection, _, unit| {
        push_blob(connection, FROM, &blob(unit))
    })
    .map(drop)
}

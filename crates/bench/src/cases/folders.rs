//! Large folders: the start, the adoption, and the collection of what nothing uses.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::Case;
use super::content::Small;
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::goal::{Bound, Than, at_most, goal, most};
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::seed::{rows, tree};
use crate::site::{Server, Site};

const REPO: &str = "team/app";
/// How many manifests a repository of the collected folder has.
///
/// With all of them in one, distribution would read each tag for each manifest: a collection of days.
const MANIFESTS: u32 = 100;
const WHOLE: &str = "collection, 1 % of the manifests is garbage";

pub(super) const CASES: &[Case] = &[
    Case {
        name: "start over many tags",
        unit: "start",
        others: &[],
        goals: &[at_most(Figure::Time, 0.1)],
        is_in_short: true,
        run: start,
    },
    Case {
        name: "adoption",
        unit: "tag",
        others: &[],
        goals: &[goal(Figure::Rate, Bound::AtLeast(20_000.0), Than::Itself)],
        is_in_short: true,
        run: adoption,
    },
    Case {
        name: WHOLE,
        unit: "collection",
        others: &[Contender::Distribution3],
        goals: &[most(Figure::Time, 0.02), at_most(Figure::Strain, 2.0)],
        is_in_short: true,
        run: |bout| collection(bout, 100),
    },
    Case {
        name: "collection, 0.5 % of the manifests is garbage",
        unit: "collection",
        others: &[],
        goals: &[goal(Figure::Time, Bound::AtMost(0.75), Than::Work(WHOLE))],
        is_in_short: false,
        run: |bout| collection(bout, 200),
    },
];

/// A million tags in the database, and a hundred thousand that only the tree has.
fn start(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    let server = site.serve(Protocol::Plain)?;
    let token = server.token_for(&[REPO]);
    Small::of(1).push(&mut server.connect(&token)?, REPO, "latest")?;
    server.settle()?;
    rows::tags(&site.database(), bout.choose(100_000, 1_000_000))?;
    drop(server);
    tree::tags(&site.root(), "team/other", bout.choose(3_000, 100_000), 10)?;
    let server = site.serve(Protocol::Plain)?;
    Ok(Measured::default().with(Figure::Time, server.first_answer.as_secs_f64()))
}

/// From the start until the database has all that the tree has; the files were just written, so they are warm.
fn adoption(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    let tags = bout.choose(10_000, 100_000);
    tree::tags(&site.root(), REPO, tags, tags / 100)?;
    let begun = Instant::now();
    let server = site.serve(Protocol::Plain)?;
    site.wait_for_log(AGREE)?;
    let elapsed = begun.elapsed();
    let cpu = server.cpu()?;
    Ok(Measured::default()
        .with(Figure::Rate, f64::from(tags) / elapsed.as_secs_f64())
        .with(Figure::Cpu, cpu.as_secs_f64() / f64::from(tags)))
}

/// What the server says when the whole folder is known.
pub(super) const AGREE: &str = "the database and the folder agree";

/// One of so many manifests has no tag; ours is collected while it serves, distribution's while it is stopped.
fn collection(bout: &Bout, one_of: u32) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    let manifests = bout.choose(2_000, 100_000);
    let tree = tree::Tree::of(&site.root());
    for number in 0..manifests {
        let image = Small::sharing_layers(number.into());
        let repo = format!("{REPO}-{}", number / MANIFESTS);
        tree.image(&repo, &image)?;
        if number % one_of != 0 {
            tree.tag(&repo, &format!("tag-{number:06}"), &image)?;
        }
    }
    let first = tree.data(&Small::sharing_layers(0).manifest)?;
    let last = tree.data(&Small::sharing_layers((manifests - one_of).into()).manifest)?;
    let garbage = [first, last];
    let server = site.serve(Protocol::Plain)?;
    if bout.contender != Contender::Boxyard {
        drop(server);
        let time = collect(&site)?;
        ensure_gone(&garbage)?;
        return Ok(Measured::default().with(Figure::Time, time.as_secs_f64()));
    }
    site.wait_for_log(AGREE)?;
    server.settle()?;
    let quiet = pushes(&server, 0)?;
    let (time, busy) = thread::scope(|scope| {
        let collecting = scope.spawn(|| collect(&site));
        let busy = pushes(&server, 1_000_000);
        let time = collecting.join();
        let time = time.map_err(|_| anyhow!("the collection has panicked"))??;
        Ok::<_, anyhow::Error>((time, busy?))
    })?;
    ensure_gone(&garbage)?;
    Ok(Measured::default()
        .with(Figure::Time, time.as_secs_f64())
        .with(Figure::P99, busy)
        .with(Figure::Strain, busy / quiet))
}

fn ensure_gone(files: &[PathBuf]) -> Result<()> {
    for file in files {
        ensure!(!file.exists(), "{} was not collected", file.display());
    }
    Ok(())
}

/// The 99th percentile of images that come fifty a second into another repository.
fn pushes(server: &Server, first: u32) -> Result<f64> {
    let load = Load {
        clients: 8,
        tokens: vec![server.token_for(&["team/busy"])],
        time: Duration::from_secs(4),
        most: u32::MAX,
        worth: 1.0,
    };
    load::paced_p99(server, &load, 50.0, first, |connection, _, unit| {
        let tag = format!("tag-{unit}");
        Small::of(u64::from(unit) + 10_000_000).push(connection, "team/busy", &tag)
    })
}

fn collect(site: &Site) -> Result<Duration> {
    let mut command = Command::new(site.contender.program()?);
    command.args(["garbage-collect", "-m"]);
    if site.contender == Contender::Boxyard {
        command.arg("-q");
    }
    let begun = Instant::now();
    let status = command
        .arg(site.folder().join("config.yml"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("run the collection")?;
    ensure!(status.success(), "the collection has ended with {status}");
    Ok(begun.elapsed())
}

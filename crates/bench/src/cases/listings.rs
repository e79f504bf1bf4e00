//! Pages of long lists.

use anyhow::Result;
use bytes::Bytes;

use super::folders::AGREE;
use super::{Case, PEERS};
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::contender::Contender;
use crate::goal::{Bound, Than, goal, most};
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::seed::{rows, tree};
use crate::site::{Server, Site};

pub(super) const TAGS: &str = "page of 100 out of 3,000 tags";
pub(super) const CATALOG: &str = "page of 100 out of 500 repositories";

pub(super) const CASES: &[Case] = &[
    Case {
        name: TAGS,
        unit: "request",
        others: PEERS,
        goals: &[most(Figure::Cpu, 0.02)],
        is_in_short: true,
        run: tags,
    },
    Case {
        name: CATALOG,
        unit: "request",
        others: PEERS,
        goals: &[most(Figure::Cpu, 0.02)],
        is_in_short: true,
        run: catalog,
    },
    Case {
        name: "page of 100 out of 1,000,000 tags",
        unit: "request",
        others: &[],
        goals: &[goal(Figure::Cpu, Bound::AtMost(2.0), Than::Work(TAGS))],
        is_in_short: true,
        run: seeded_tags,
    },
    Case {
        name: "page of 100 out of 100,000 repositories",
        unit: "request",
        others: &[],
        goals: &[goal(Figure::Cpu, Bound::AtMost(2.0), Than::Work(CATALOG))],
        is_in_short: true,
        run: seeded_catalog,
    },
];

/// Sixteen clients ask for a page.
pub(super) fn pages(bout: &Bout, server: &Server, token: String, target: &str) -> Result<Measured> {
    let load = Load {
        clients: 16,
        tokens: vec![token],
        time: bout.time(),
        most: u32::MAX,
        worth: 1.0,
    };
    load::run(server, &load, |connection, _, _| {
        connection
            .expect(200, ("GET", target), "", &Bytes::new())
            .map(drop)
    })
}

/// A page in the middle of the tags of one repository.
fn tags(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    tree::tags(&site.root(), "team/app", 3_000, 1)?;
    let server = serve(&site)?;
    let token = server.token_for(&["team/app"]);
    let target = "/v2/team/app/tags/list?n=100&last=tag-001500";
    pages(bout, &server, token, target)
}

/// A page in the middle of all repositories.
fn catalog(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    for number in 0..500 {
        let repo = format!("team/app-{number:04}");
        tree::tags(&site.root(), &repo, 1, 1)?;
    }
    let server = serve(&site)?;
    pages_of_catalog(bout, &server, "team/app-0250")
}

fn pages_of_catalog(bout: &Bout, server: &Server, last: &str) -> Result<Measured> {
    let token = server.token(&[("registry", "catalog", &["*"])]);
    let target = format!("/v2/_catalog?n=100&last={last}");
    pages(bout, server, token, &target)
}

/// The same page out of far more, which come straight into the database.
fn seeded_tags(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    tree::tags(&site.root(), "team/app", 1, 1)?;
    let server = serve(&site)?;
    rows::tags(&site.database(), 1_000_000)?;
    let token = server.token_for(&["team/app"]);
    let target = "/v2/team/app/tags/list?n=100&last=seeded-0500000";
    pages(bout, &server, token, target)
}

fn seeded_catalog(bout: &Bout) -> Result<Measured> {
    let site = Site::of_many_files(bout.contender)?;
    tree::tags(&site.root(), "team/app", 1, 1)?;
    let server = serve(&site)?;
    rows::repositories(&site.database(), 100_000)?;
    pages_of_catalog(bout, &server, "seeded/app-050000")
}

/// A server that knows the folder; distribution looks at it with each request anyway.
fn serve(site: &Site) -> Result<Server> {
    let server = site.serve(Protocol::Plain)?;
    if site.contender == Contender::Boxyard {
        site.wait_for_log(AGREE)?;
    }
    Ok(server)
}

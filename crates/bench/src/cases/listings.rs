//! Pages of long lists.

use anyhow::Result;
use bytes::Bytes;

use super::content::{Small, put_manifest};
use super::{Case, PEERS};
use crate::bout::Bout;
use crate::connection::Protocol;
use crate::goal::most;
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::site::Server;

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
    let image = Small::of(1);
    let (_site, server) = bout.serve(Protocol::Plain)?;
    let token = server.token_for(&["team/app"]);
    image.push(&mut server.connect(&token)?, "team/app", "latest")?;
    push(&server, &token, 3_000, |connection, number| {
        let tag = format!("tag-{number:04}");
        put_manifest(connection, "team/app", &tag, &image.manifest)
    })?;
    pages(
        bout,
        &server,
        token,
        "/v2/team/app/tags/list?n=100&last=tag-0250",
    )
}

/// A page in the middle of all repositories.
fn catalog(bout: &Bout) -> Result<Measured> {
    let image = Small::of(1);
    let (_site, server) = bout.serve(Protocol::Plain)?;
    let repos: Vec<String> = (0..500)
        .map(|number| format!("team/app-{number:04}"))
        .collect();
    let names: Vec<&str> = repos.iter().map(String::as_str).collect();
    for names in names.chunks(50) {
        let token = server.token_for(names);
        push(&server, &token, 50, |connection, number| {
            image.push(connection, names[number as usize], "latest")
        })?;
    }
    let token = server.token(&[("registry", "catalog", &["*"])]);
    pages(
        bout,
        &server,
        token,
        "/v2/_catalog?n=100&last=team/app-0050",
    )
}

/// Does something so many times, to have something to list.
fn push<W>(server: &Server, token: &str, count: u32, work: W) -> Result<()>
where
    W: Fn(&mut crate::connection::Connection, u32) -> std::io::Result<()> + Sync,
{
    let load = Load {
        clients: 16,
        tokens: vec![token.to_owned()],
        time: load::FOREVER,
        most: count,
        worth: 1.0,
    };
    load::run(server, &load, |connection, _, unit| work(connection, unit)).map(drop)
}

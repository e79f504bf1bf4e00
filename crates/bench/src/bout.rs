//! One contender at one kind of work.

use std::io;
use std::time::Duration;

use anyhow::Result;

use crate::connection::{Connection, Protocol};
use crate::contender::Contender;
use crate::load::{self, Load};
use crate::measure::{Figure, Measured};
use crate::site::{Server, Site};

/// Who works now, and how much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bout {
    pub(crate) contender: Contender,
    /// Little of everything.
    pub(crate) short: bool,
    /// What distribution 3.1.1 did of the same in this run, in units a second.
    pub(crate) peer_rate: Option<f64>,
}

/// One contender at one work in one run, by which what was found is known again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    /// From 0.
    pub(crate) run: usize,
    /// The name of the case.
    pub(crate) work: String,
    pub(crate) by: Contender,
}

impl Bout {
    /// One of two, by how much is done.
    pub(crate) fn choose<T>(&self, short: T, long: T) -> T {
        if self.short { short } else { long }
    }

    /// A server of this contender over an empty folder.
    pub(crate) fn serve(&self, protocol: Protocol) -> Result<(Site, Server)> {
        let site = Site::new(self.contender)?;
        let server = site.serve(protocol)?;
        Ok((site, server))
    }

    /// How long requests are sent for one figure.
    pub(crate) fn time(&self) -> Duration {
        self.choose(Duration::from_millis(1500), Duration::from_secs(3))
    }

    /// Does the work with every client asking again at once, then with arrivals at half of what distribution 3.1.1 did.
    ///
    /// Half of the units are left for the second.
    pub(crate) fn measure_paced<W>(&self, server: &Server, load: &Load, work: W) -> Result<Measured>
    where
        W: Fn(&mut Connection, u32, u32) -> io::Result<()> + Sync,
    {
        let half = Load {
            most: load.most / 2,
            ..load.clone()
        };
        let measured = load::run(server, &half, &work)?;
        let peer_rate = match self.contender {
            Contender::Distribution3 => measured.get(Figure::Rate),
            _ => self.peer_rate,
        };
        let Some(rate) = peer_rate else {
            return Ok(measured);
        };
        let p99 = load::paced_p99(server, load, rate / 2.0, half.most, work)?;
        Ok(measured.with(Figure::PacedP99, p99))
    }
}

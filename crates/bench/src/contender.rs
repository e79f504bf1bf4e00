//! Who is measured: this registry, its peers, and the bare floors beneath the work.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// One of them, in the order in which they are measured: the peer sets the pace for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Contender {
    Distribution3,
    Distribution2,
    Boxyard,
    /// nginx sends the same files by `sendfile`.
    Nginx,
    /// A handler that answers the same without looking at anything.
    Empty,
    /// The same bytes are hashed, written and synced, and nothing else.
    Disk,
    /// A handler that syncs a record before it answers, and nothing else.
    Record,
}

impl Contender {
    pub(crate) const ALL: [Self; 7] = [
        Self::Distribution3,
        Self::Distribution2,
        Self::Boxyard,
        Self::Nginx,
        Self::Empty,
        Self::Disk,
        Self::Record,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boxyard => "boxyard",
            Self::Distribution3 => "distribution 3.1.1",
            Self::Distribution2 => "distribution 2.8.2",
            Self::Nginx => "nginx, sendfile",
            Self::Empty => "an empty handler",
            Self::Disk => "SHA-256, write, fdatasync",
            Self::Record => "a handler that syncs a record",
        }
    }

    pub(crate) fn is_registry(self) -> bool {
        matches!(
            self,
            Self::Boxyard | Self::Distribution3 | Self::Distribution2
        )
    }

    /// What is run.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let variable = |name| env::var_os(name).map(PathBuf::from);
        Ok(match self {
            Self::Boxyard => {
                variable("BOXYARD_BIN").unwrap_or_else(|| "target/release/boxyard".into())
            }
            Self::Distribution3 => variable("BOXYARD_TOOLS")
                .or_else(|| Some(variable("HOME")?.join(".cache/boxyard/tools")))
                .context("the environment has a HOME")?
                .join("bin/registry-3.1.1"),
            Self::Distribution2 => "/usr/bin/docker-registry".into(),
            Self::Nginx => "/usr/sbin/nginx".into(),
            Self::Empty | Self::Disk | Self::Record => {
                env::current_exe().context("find the bench itself")?
            }
        })
    }
}

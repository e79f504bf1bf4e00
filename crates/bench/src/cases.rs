//! What is measured, and what is asked of it.

mod content;
mod large;
mod listings;
mod pulls;
mod pushes;

use anyhow::Result;

use crate::measure::Measured;
use crate::peer::Server;

/// One kind of work.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What one unit is.
    pub(crate) unit: &'static str,
    pub(crate) goal: Goal,
    pub(crate) run: fn(&Server, bool) -> Result<Measured>,
}

/// What is asked for, as a ratio to distribution 3.1.1 in the same run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// CPU time for a unit, at most.
    Cpu(f64),
    /// Units a second, at least.
    Rate(f64),
    /// CPU time at most, and units a second at least.
    Both { cpu: f64, rate: f64 },
}

/// All, in the order of the table.
pub(crate) const ALL: &[Case] = &[
    case(
        "push of large layers",
        "GiB",
        Goal::Both {
            cpu: 0.7,
            rate: 1.5,
        },
        large::push,
    ),
    case(
        "pull of large layers, 4 connections",
        "GiB",
        Goal::Both {
            cpu: 0.7,
            rate: 1.2,
        },
        large::pull,
    ),
    case(
        "pull of large layers, 200 connections",
        "GiB",
        Goal::Both {
            cpu: 0.7,
            rate: 1.2,
        },
        large::pull_by_many,
    ),
    case(
        "push of small images, 16 clients",
        "image",
        Goal::Rate(12.0),
        pushes::images,
    ),
    case(
        "new tags in one repository, 16 clients",
        "tag",
        Goal::Rate(4.0),
        pushes::tags,
    ),
    case(
        "GET of a manifest by tag",
        "request",
        Goal::Cpu(0.10),
        pulls::manifest_get,
    ),
    case(
        "HEAD of a manifest by tag",
        "request",
        Goal::Cpu(0.10),
        pulls::manifest_head,
    ),
    case(
        "GET of a blob of 4 KiB",
        "request",
        Goal::Cpu(0.015),
        pulls::blob_get,
    ),
    case(
        "HEAD of a blob that is not there",
        "request",
        Goal::Cpu(0.12),
        pulls::blob_missing,
    ),
    case("mount of a blob", "request", Goal::Cpu(0.15), pushes::mount),
    case(
        "page of 100 out of 3,000 tags",
        "request",
        Goal::Cpu(0.02),
        listings::tags,
    ),
    case(
        "page of 100 out of 500 repositories",
        "request",
        Goal::Cpu(0.02),
        listings::catalog,
    ),
];

const fn case(
    name: &'static str,
    unit: &'static str,
    goal: Goal,
    run: fn(&Server, bool) -> Result<Measured>,
) -> Case {
    Case {
        name,
        unit,
        goal,
        run,
    }
}

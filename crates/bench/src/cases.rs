//! What is measured, and what is asked of it.

mod cold;
pub(crate) mod content;
mod folders;
mod large;
mod listings;
mod memory;
mod pulls;
mod pushes;

use anyhow::Result;

use crate::bout::Bout;
use crate::contender::Contender;
use crate::goal::Goal;
use crate::measure::Measured;

/// One kind of work.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// What one unit is.
    pub(crate) unit: &'static str,
    /// Who does it beside this registry, in a long run.
    pub(crate) others: &'static [Contender],
    pub(crate) goals: &'static [Goal],
    /// Whether a short run has it.
    pub(crate) is_in_short: bool,
    pub(crate) run: fn(&Bout) -> Result<Measured>,
}

/// The registries of others.
const PEERS: &[Contender] = &[Contender::Distribution3, Contender::Distribution2];

/// All, in the order of the table.
pub(crate) fn all() -> Vec<&'static Case> {
    [
        large::CASES,
        pushes::CASES,
        pulls::CASES,
        listings::CASES,
        memory::CASES,
        folders::CASES,
        cold::CASES,
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Case {
    /// Who takes part, in the order of the measurements.
    pub(crate) fn contenders(&self, short: bool) -> impl Iterator<Item = Contender> {
        let takes_part = move |contender: &Contender| match contender {
            Contender::Boxyard => true,
            Contender::Distribution2 if short => false,
            contender => self.others.contains(contender),
        };
        Contender::ALL.into_iter().filter(takes_part)
    }
}

//! The least that the work can cost: what is measured beside the registries.

pub(crate) mod disk;
pub(crate) mod empty;
mod handler;
pub(crate) mod nginx;
pub(crate) mod record;

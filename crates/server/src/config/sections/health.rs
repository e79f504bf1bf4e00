//! `health`: what must be well for the registry to serve.

use crate::config::key::{Key, idle};

pub(in crate::config) const KEYS: &[Key] = &[idle(
    "health",
    "`/v2/` answers as soon as the registry serves; there are no further checks yet",
)];

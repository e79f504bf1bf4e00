//! `http.debug`: what only administrators ask for.

use crate::config::key::{Key, idle};

pub(in crate::config) const KEYS: &[Key] = &[idle(
    "http.debug",
    "there is no debug listener and there are no metrics yet",
)];

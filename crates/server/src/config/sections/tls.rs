//! `http.tls`: certificates, and what is asked of connections.

use crate::config::key::{Key, refused, said};

pub(in crate::config) const KEYS: &[Key] = &[refused("http.tls", "TLS is not there yet", said)];

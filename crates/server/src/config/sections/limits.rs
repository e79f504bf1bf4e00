//! `boxyard.uploads` and `boxyard.connections`: what bounds clients.

use std::time::Duration;

use crate::body::Pace;
use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "boxyard.uploads.window",
        "`60s`",
        "How long the server waits for `minimum` more bytes of a body.",
    )
    .form(Form::Duration),
    works(
        "boxyard.uploads.minimum",
        "`16KiB`",
        "How many bytes must come within `window`; a client that sends less is answered 408. Only time spent waiting for the client counts.",
    )
    .form(Form::Size),
    works(
        "boxyard.connections.limit",
        "`4096`",
        "How many connections there may be. One more takes the place of one that rests, of the address that has the most of those, or waits.",
    )
    .form(Form::Number),
    works(
        "boxyard.connections.peraddress",
        "`1024`",
        "How many connections one address may have (of IPv6, one network of 64 bits), unless it is one of `boxyard.trustedproxies`.",
    )
    .form(Form::Number),
    works(
        "boxyard.connections.idletimeout",
        "`2m`",
        "How long a connection may rest between two requests.",
    )
    .form(Form::Duration),
];

/// What bounds clients.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How fast a body must come.
    pub pace: Pace,
    /// How many connections there may be.
    pub connections: usize,
    /// How many of them one address may have.
    pub per_address: usize,
    /// How long a connection may rest between two requests.
    pub idle: Duration,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Limits {
    let pace = Pace::default();
    Limits {
        pace: Pace {
            window: values
                .duration("boxyard.uploads.window")
                .unwrap_or(pace.window),
            bytes: values.size("boxyard.uploads.minimum").unwrap_or(pace.bytes),
        },
        connections: values
            .number("boxyard.connections.limit")
            .unwrap_or(4_096)
            .max(1),
        per_address: values
            .number("boxyard.connections.peraddress")
            .unwrap_or(1_024)
            .max(1),
        idle: values
            .duration("boxyard.connections.idletimeout")
            .unwrap_or(Duration::from_mins(2)),
    }
}

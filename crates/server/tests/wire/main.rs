//! What clients see on the wire: requests that no library would send, and answers to the byte.
#![expect(clippy::unwrap_used, reason = "what a test cannot do, fails it")]

mod access;
mod body;
mod framing;
mod h2;
mod listing;
mod pull;
mod stop;
mod support;

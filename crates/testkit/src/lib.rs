//! What the tests of every crate share: a running server, a client, images, and a disk that loses power.
//!
//! - [`TestServer`] runs the built binary, [`Client`] speaks the distribution API to it, and [`http`] is the layer
//!   below, for requests that no well-behaved client sends.
//! - [`Image`] and [`Index`] are deterministic, and real enough for a daemon to run.
//! - [`Disk`] is a mounted filesystem that forgets what was not synced.
//!
//! Digests and names are strings here, made without the code under test, so that a test can send a wrong one and so
//! that a mistake in that code cannot hide itself.

mod forgetful;
mod noise;

pub use forgetful::{Disk, Loss};
pub use noise::Noise;

//! What the tests of every crate share: a running server, a client, images, and a disk that loses power.
//!
//! - [`TestServer`] runs the built binary, [`Client`] speaks the distribution API to it, and [`http`] is the layer
//!   below, for requests that no well-behaved client sends.
//! - [`Image`] and [`Index`] are deterministic, and real enough for a daemon to run.
//! - [`token`] has keys, certificates and tokens, and a server that grants them.
//! - [`Disk`] is a mounted filesystem that forgets what was not synced.
//!
//! Digests and names are strings here, made without the code under test, so that a test can send a wrong one and so
//! that a mistake in that code cannot hide itself.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here fails its test by a panic"
)]

mod actor;
mod digest;
mod forgetful;
pub mod http;
mod image;
mod noise;
mod patience;
mod server;
pub mod token;

pub use actor::{Client, Pulled, Reply, Upload, Way};
pub use digest::{sha256, sha256_of, sha512};
pub use forgetful::{Disk, Loss};
pub use image::{Blob, Image, Index, Tar, hello_program, media_type};
pub use noise::Noise;
pub use patience::eventually;
pub use server::{Refusal, Setup, TestServer, binary};

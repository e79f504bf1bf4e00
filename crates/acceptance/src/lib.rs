//! What the tests through the built binary share: real daemons in sandboxes, real clients, images on disk.
//!
//! - [`Sandbox`] holds the namespaces in which daemons and clients run, so that they leave nothing on the machine;
//!   it needs root.
//! - [`Tool`] is a program that a test calls, with the options and the environment of every call.
//! - [`Docker`], [`Containerd`] and [`Podman`] are engines, each with folders of its own.
//! - [`Qemu`] has the kernel run programs for arm64.
//! - [`Pebble`] is a machine with an ACME server and a registry.
//! - [`Machine`] is one that systemd runs, with our units.
//! - [`Remote`] is a registry on another machine than its clients, as far as these can tell.
//! - [`browse`] has Chromium look at pages.
//! - [`go_program`] builds a client from the sources beside this crate's.
//! - [`Boxyard`] is the built binary as a command beside a server, and [`Terminal`] is one with a person at it.
//! - [`Authority`] makes certificates of servers and clients.
//! - [`Victim`] is a server that a test attacks, and knows what must be as before afterwards.
//! - [`Layout`] is an image on disk as clients read it, and [`big_image`] one with a layer of more than a gigabyte.

#![expect(
    clippy::missing_panics_doc,
    reason = "everything here fails its test by a panic"
)]

mod authority;
mod big;
mod browser;
mod command;
mod containerd;
mod docker;
mod go;
mod layout;
mod machine;
mod pebble;
mod podman;
mod qemu;
mod receiver;
mod remote;
mod sandbox;
mod terminal;
mod tool;
mod victim;

pub use authority::{Authority, Pair};
pub use big::{BIG_LAYER, BigImage, big_image};
pub use browser::browse;
pub use command::{Boxyard, Ran};
pub use containerd::Containerd;
pub use docker::Docker;
pub use go::go_program;
pub use layout::Layout;
pub use machine::Machine;
pub use pebble::Pebble;
pub use podman::Podman;
pub use qemu::Qemu;
pub use receiver::{Answer, Heard, Receiver};
pub use remote::Remote;
pub use sandbox::{Network, Sandbox};
pub use terminal::Terminal;
pub use tool::Tool;
pub use victim::{Victim, expect_refusal, is_refusal, nowhere};

use std::path::{Path, PathBuf};
use std::time::Duration;

use boxyard_testkit::{Image, Index, Tar};

/// The architectures of [`platforms`].
pub const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// Images of several platforms, each with two layers and a file `architecture` that says which it is.
pub fn platforms() -> Index {
    let image = |architecture: &str| {
        let common = Tar::new().file("common", 0o644, b"for all");
        let own = Tar::new().file("architecture", 0o644, architecture.as_bytes());
        let layers = vec![common.finish(), own.finish()];
        Image::of(architecture, layers, &["/none"])
    };
    Index::of(PLATFORMS.map(image).into())
}

/// How long it may take to build what is tested.
pub const BUILD: Duration = Duration::from_mins(30);

/// The checkout that is tested.
pub fn checkout() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .ancestors()
        .nth(2)
        .expect("the package lies in crates/")
}

/// Finds the folder that cargo builds the tests in.
pub fn target() -> PathBuf {
    let test = std::env::current_exe().expect("find the test's own file");
    let target = test.ancestors().nth(3);
    target.expect("tests lie in target/PROFILE/deps").to_owned()
}

/// Finds the tools that `scripts/tools` installs beside Debian's.
pub fn tools() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("BOXYARD_TOOLS")
        .or_else(|| Some(variable("HOME")?.join(".cache/boxyard/tools")))
        .expect("the environment has a HOME")
}

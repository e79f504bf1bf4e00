//! Podman, Buildah and Skopeo: one family, which keeps images in one kind of store and needs no daemon.

use crate::{Network, Sandbox, Tool};

/// A store with the programs that work on it.
#[derive(Debug)]
pub struct Podman {
    sandbox: Sandbox,
}

impl Podman {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::within(Sandbox::new(Network::Machine))
    }

    /// Makes an empty store in a sandbox.
    pub fn within(sandbox: Sandbox) -> Self {
        Self { sandbox }
    }

    /// `podman` with this store.
    pub fn podman(&self) -> Tool {
        let options = format!(
            "{} --cgroup-manager cgroupfs --events-backend file",
            self.store()
        );
        self.tool("podman", &options)
    }

    /// `buildah` with this store.
    pub fn buildah(&self) -> Tool {
        self.tool("buildah", &self.store())
    }

    /// `skopeo`, which copies from place to place.
    pub fn skopeo(&self) -> Tool {
        self.tool("skopeo", "")
    }

    /// The sandbox that they run in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    fn tool(&self, name: &str, options: &str) -> Tool {
        self.sandbox.tool(&format!("{name} {options}"))
    }

    fn store(&self) -> String {
        let home = self.sandbox.home().display();
        format!("--root {home}/store --runroot {home}/running --storage-driver vfs")
    }
}

impl Default for Podman {
    fn default() -> Self {
        Self::new()
    }
}

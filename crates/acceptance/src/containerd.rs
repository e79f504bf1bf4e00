//! containerd and its `ctr`.

use std::fs;

use crate::{Network, Sandbox, Tool, tools};

/// A containerd with folders of its own.
#[derive(Debug)]
pub struct Containerd {
    sandbox: Sandbox,
    client: Tool,
}

impl Containerd {
    /// Starts Debian's containerd.
    #[track_caller]
    pub fn debian() -> Self {
        Self::debian_in(Sandbox::new(Network::Machine))
    }

    /// Starts Debian's containerd in a sandbox.
    #[track_caller]
    pub fn debian_in(sandbox: Sandbox) -> Self {
        let path = "/usr/sbin:/usr/bin:/sbin:/bin";
        let config = "version = 2\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n";
        Self::start(sandbox, path, config)
    }

    /// Starts the newest containerd.
    #[track_caller]
    pub fn newest() -> Self {
        Self::newest_in(Sandbox::new(Network::Machine))
    }

    /// Starts the newest containerd in a sandbox.
    #[track_caller]
    pub fn newest_in(sandbox: Sandbox) -> Self {
        let engine = tools().join("engine");
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", engine.display());
        let config = "version = 3\ndisabled_plugins = [\"io.containerd.cri.v1.images\", \
                      \"io.containerd.cri.v1.runtime\", \"io.containerd.grpc.v1.cri\"]\n";
        Self::start(sandbox, &path, config)
    }

    #[track_caller]
    fn start(mut sandbox: Sandbox, path: &str, config: &str) -> Self {
        let home = sandbox.home().display().to_string();
        let config = format!(
            "{config}root = \"{home}/root\"\nstate = \"{home}/state\"\n\
             [grpc]\naddress = \"{home}/containerd.sock\"\n\
             [ttrpc]\naddress = \"{home}/containerd.sock.ttrpc\"\n"
        );
        let file = format!("{home}/containerd.toml");
        fs::write(&file, config).expect("write containerd's configuration");
        let daemon = sandbox.tool("containerd").env("PATH", path);
        let client = sandbox
            .tool(&format!("ctr --address {home}/containerd.sock"))
            .env("PATH", path);
        let probe = client.clone();
        sandbox.start("containerd", &daemon, &format!("--config {file}"), || {
            probe.succeeds("version")
        });
        Self { sandbox, client }
    }

    /// The client, for more than a line.
    pub fn client(&self) -> &Tool {
        &self.client
    }

    /// Runs a line of `ctr`, which must succeed.
    #[track_caller]
    pub fn run(&self, words: impl AsRef<str>) -> String {
        self.client.run(words)
    }

    /// The sandbox that it runs in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }
}

//! Docker's engine: the oldest that matters and the newest.

use std::fs;
use std::path::Path;

use boxyard_testkit::Image;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{BUILD, Layout, Network, Sandbox, Tool, checkout, tools};

/// An engine with folders of its own, and its client.
#[derive(Debug)]
pub struct Docker {
    sandbox: Sandbox,
    client: Tool,
}

impl Docker {
    /// Starts Debian's engine, which keeps images as layers of its own making and pushes Docker's manifests.
    #[track_caller]
    pub fn debian(network: Network) -> Self {
        Self::debian_in(Sandbox::new(network), &json!({}))
    }

    /// Starts Debian's engine in a sandbox, with this configuration.
    #[track_caller]
    pub fn debian_in(sandbox: Sandbox, config: &Value) -> Self {
        let daemon = sandbox.tool("dockerd");
        let debian = Path::new("/usr/bin/docker");
        let client = if debian.exists() {
            "/usr/bin/docker"
        } else {
            "docker"
        };
        Self::start(sandbox, &daemon, client, config)
    }

    /// Starts the newest engine, which keeps images as they are and pushes whole indexes.
    #[track_caller]
    pub fn newest(network: Network) -> Self {
        Self::newest_in(Sandbox::new(network), &json!({}))
    }

    /// Starts the newest engine in a sandbox, with this configuration.
    #[track_caller]
    pub fn newest_in(sandbox: Sandbox, config: &Value) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", tools().join("engine").display());
        let daemon = sandbox.tool("dockerd").env("PATH", &path);
        let mut config = config.clone();
        config["features"] = json!({ "containerd-snapshotter": true });
        Self::start(sandbox, &daemon, "docker", &config)
    }

    #[track_caller]
    fn start(mut sandbox: Sandbox, daemon: &Tool, client: &str, config: &Value) -> Self {
        let home = sandbox.home().to_owned();
        let at = |name: &str| home.join(name).display().to_string();
        let file = at("daemon.json");
        fs::write(&file, config.to_string()).expect("write the engine's configuration");
        let mut words = format!(
            "--config-file {file} --data-root {} --exec-root {} --pidfile {} --host unix://{} \
             --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent {}",
            at("data"),
            at("exec"),
            at("pid"),
            at("docker.sock"),
            sandbox.cgroup(),
        );
        if sandbox.network() == Network::Machine {
            words += " --bridge none --iptables=false --ip6tables=false --ip-forward=false";
        }
        let client = sandbox
            .tool(client)
            .env("DOCKER_HOST", &format!("unix://{}", at("docker.sock")));
        let probe = client.clone();
        sandbox.start("dockerd", daemon, &words, || probe.succeeds("version"));
        Self { sandbox, client }
    }

    /// The client, for more than a line.
    pub fn client(&self) -> &Tool {
        &self.client
    }

    /// The sandbox that the engine runs in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The sandbox, to start something beside the engine.
    pub fn sandbox_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }

    /// Builds our image and loads it under a name, as people do.
    #[track_caller]
    pub fn load_our_image(&self, name: &str) {
        let home = self.sandbox.home();
        let host = format!("unix://{}/docker.sock", home.display());
        Tool::new(home, "scripts/image")
            .within(checkout())
            .with_compilers()
            .env("DOCKER_HOST", &host)
            .limit(BUILD)
            .run(name);
    }

    /// Loads an image under a name, which has a tag.
    #[track_caller]
    pub fn load(&self, image: &Image, name: &str) {
        let folder = TempDir::new_in(self.sandbox.home()).expect("make a folder for the image");
        let layout = Layout::of_image(&folder.path().join("image"), image, name);
        self.run(format!("image load --input {}", layout.archive().display()));
    }

    /// Runs a line of the client, which must succeed.
    #[track_caller]
    pub fn run(&self, words: impl AsRef<str>) -> String {
        self.client.run(words)
    }

    /// What the engine knows of a local image.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> Value {
        self.client.json(format!("image inspect {name}"))[0].take()
    }
}

//! A registry on another machine.

use std::fs;

use boxyard_testkit::binary;
use serde_json::{Value, json};

use crate::{Network, Sandbox, Tool};

/// Where it is, and where its client is.
const ADDRESSES: [&str; 2] = ["192.0.2.1", "192.0.2.2"];

/// A registry in a sandbox whose network is connected with that of one other, where its clients are.
///
/// To those it is not on their localhost, for which clients make exceptions.
#[derive(Debug)]
pub struct Remote {
    sandbox: Sandbox,
}

impl Remote {
    /// Its name.
    pub const NAME: &str = "registry.example.com";

    /// What images in it are called before the slash.
    pub const AUTHORITY: &str = "registry.example.com:5000";

    /// Makes its machine and that of its clients, which finds it by its name; nothing runs on either.
    #[track_caller]
    pub fn new() -> (Self, Sandbox) {
        let sandbox = Sandbox::new(Network::Private);
        let clients = Sandbox::new(Network::Private);
        let [own, others] = ADDRESSES.map(|address| format!("{address}/24"));
        sandbox.connect(&own, &clients, &others);
        clients.resolve(Self::NAME, ADDRESSES[0]);
        (Self { sandbox }, clients)
    }

    /// Its machine.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// `boxyard` on its machine.
    pub fn boxyard(&self) -> Tool {
        self.sandbox.tool(&binary().display().to_string())
    }

    /// Starts it on port 5000 with these lines of `config.yml`, which are below `http`, and waits until it listens.
    #[track_caller]
    pub fn serve(&mut self, http: &Value) {
        let home = self.sandbox.home();
        let mut config = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": home.join("registry") } },
            "http": http,
        });
        config["http"]["addr"] = json!(":5000");
        // JSON is YAML.
        let file = home.join("config.yml");
        fs::write(&file, format!("{config:#}\n")).expect("write the configuration");
        self.serve_by("config.yml");
    }

    /// Starts it by a configuration in its home, which says to listen on port 5000.
    #[track_caller]
    pub fn serve_by(&mut self, config: &str) {
        let boxyard = self.boxyard();
        let listeners = self
            .sandbox
            .tool("ss --no-header --listening --tcp sport = 5000");
        let ready = || !listeners.run("").is_empty();
        self.sandbox
            .start("boxyard", &boxyard, &format!("serve {config}"), ready);
    }
}

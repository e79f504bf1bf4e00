//! Pebble, an ACME server for tests, on a machine with a registry.

use std::fs;

use boxyard_testkit::{binary, eventually};
use serde_json::{Value, json};

use crate::{Network, Sandbox, Tool};

/// A machine with Pebble, a server of names that answers everything with this machine, and a registry.
///
/// Pebble looks for proofs on port 5000, where the registry listens.
#[derive(Debug)]
pub struct Pebble {
    sandbox: Sandbox,
}

impl Pebble {
    /// Where the directory is.
    pub const DIRECTORY: &str = "https://127.0.0.1:14000/dir";

    /// Makes the machine, on which only the server of names runs.
    #[track_caller]
    pub fn new() -> Self {
        let mut sandbox = Sandbox::new(Network::Private);
        let names = sandbox.tool("pebble-challtestsrv");
        let words = "-defaultIPv4 127.0.0.1 -defaultIPv6= -dnsserver 127.0.0.1:8053 -http01= -https01= \
                     -tlsalpn01= -doh= -management 127.0.0.1:8055";
        let listeners = sandbox.tool("ss --no-header --listening --udp sport = 8053");
        sandbox.start("names", &names, words, || !listeners.run("").is_empty());
        let pebble = Self { sandbox };
        pebble.boxyard().run("certificate 127.0.0.1 --out pebble");
        pebble
    }

    /// Starts Pebble with this in its configuration and this in its environment.
    #[track_caller]
    pub fn start(&mut self, more: &Value, environment: &[(&str, &str)]) {
        let mut config = json!({
            "listenAddress": "127.0.0.1:14000",
            "managementListenAddress": "127.0.0.1:15000",
            "certificate": "pebble/127.0.0.1.crt",
            "privateKey": "pebble/127.0.0.1.key",
            "httpPort": 5002,
            "tlsPort": 5000,
            "retryAfter": { "authz": 1, "order": 1 },
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        let file = self.sandbox.home().join("pebble.json");
        let config = json!({ "pebble": config }).to_string();
        fs::write(file, config).expect("write Pebble's configuration");
        let mut program = self.sandbox.tool("pebble").env("PEBBLE_VA_NOSLEEP", "1");
        for (name, value) in environment {
            program = program.env(name, value);
        }
        let listeners = self
            .sandbox
            .tool("ss --no-header --listening --tcp sport = 14000");
        let ready = || !listeners.run("").is_empty();
        let words = "-config pebble.json -dnsserver 127.0.0.1:8053";
        self.sandbox.start("pebble", &program, words, ready);
    }

    /// Ends Pebble, and what it knows.
    #[track_caller]
    pub fn end(&self) {
        self.end_program("pebble");
    }

    /// Starts the registry with this below `http.tls.letsencrypt`, and waits until it listens.
    #[track_caller]
    pub fn serve(&mut self, hosts: &[&str]) {
        let config = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": "registry" } },
            "http": { "addr": ":5000", "tls": { "letsencrypt": {
                "cachefile": "cache",
                "email": "somebody@example.com",
                "hosts": hosts,
                "directoryurl": Self::DIRECTORY,
            } } },
            "boxyard": { "letsencrypt": { "authorities": "pebble/ca.crt" } },
        });
        // JSON is YAML.
        let file = self.sandbox.home().join("config.yml");
        fs::write(file, format!("{config:#}\n")).expect("write the configuration");
        let boxyard = self.boxyard();
        self.serve_by(&boxyard);
    }

    /// Starts the registry again with the configuration that it had.
    #[track_caller]
    pub fn serve_by(&mut self, boxyard: &Tool) {
        let listeners = self
            .sandbox
            .tool("ss --no-header --listening --tcp sport = 5000");
        let ready = || !listeners.run("").is_empty();
        self.sandbox
            .start("boxyard", boxyard, "serve config.yml", ready);
    }

    /// Stops the registry in order.
    #[track_caller]
    pub fn stop(&self) {
        self.end_program("boxyard");
    }

    /// `boxyard` on the machine.
    pub fn boxyard(&self) -> Tool {
        self.sandbox.tool(&binary().display().to_string())
    }

    /// The machine.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// What the registry serves a name with, as `openssl x509` prints it, if it can be connected to.
    pub fn served(&self, name: &str) -> Option<String> {
        let line = format!(
            "openssl s_client -connect 127.0.0.1:5000 -servername {name} </dev/null 2>/dev/null \
             | openssl x509 -noout -serial -issuer -ext subjectAltName 2>/dev/null || true"
        );
        Some(self.sandbox.bash(&line)).filter(|said| !said.is_empty())
    }

    /// Waits until the registry serves a name with a certificate of its own, unlike `before`.
    #[track_caller]
    pub fn served_anew(&self, name: &str, before: &str) -> String {
        eventually("a certificate", || {
            let served = self.served(name)?;
            (served.contains(&format!("DNS:{name}")) && served != before).then_some(served)
        })
    }

    /// Programs of this name are ended on this machine alone, which knows no others.
    #[track_caller]
    fn end_program(&self, name: &str) {
        self.sandbox.bash(&format!("pkill -TERM -x {name}"));
        let look = self.sandbox.tool(&format!("pgrep -x {name}"));
        eventually("the end of a program", || {
            (!look.succeeds("")).then_some(())
        });
    }
}

impl Default for Pebble {
    fn default() -> Self {
        Self::new()
    }
}

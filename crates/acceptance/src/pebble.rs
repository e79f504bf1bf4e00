//! Pebble, an ACME server for tests, on a machine with a registry.

use std::fs;

use boxyard_testkit::{binary, eventually};
use serde_json::{Value, json};

use crate::{Network, Sandbox, Tool, go_program};

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
    /// Where our registry answers administrators.
    const DEBUG: &str = "127.0.0.1:5101";

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

    /// Starts the registry with certificates for these hosts, and waits until it listens.
    #[track_caller]
    pub fn serve(&mut self, hosts: &[&str]) {
        self.configure(hosts, Self::DIRECTORY, &json!({}));
        let boxyard = self.boxyard();
        self.serve_by(&boxyard);
    }

    /// Writes the configuration of a registry, with this below `http.tls` as well.
    ///
    /// It is one for distribution too, but for the section of our own.
    #[track_caller]
    pub fn configure(&self, hosts: &[&str], directory: &str, tls: &Value) {
        let mut config = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": "registry" } },
            "http": { "addr": ":5000", "tls": { "letsencrypt": {
                "cachefile": "cache",
                "email": "somebody@example.com",
                "hosts": hosts,
                "directoryurl": directory,
            } } },
        });
        for (key, value) in tls.as_object().into_iter().flatten() {
            config["http"]["tls"][key] = value.clone();
        }
        self.write("theirs.yml", &config);
        let metrics = json!({ "enabled": true });
        config["http"]["debug"] = json!({ "addr": Self::DEBUG, "prometheus": metrics });
        config["boxyard"] = json!({ "letsencrypt": { "authorities": "pebble/ca.crt" } });
        self.write("config.yml", &config);
    }

    fn write(&self, name: &str, config: &Value) {
        // JSON is YAML.
        let file = self.sandbox.home().join(name);
        fs::write(&file, format!("{config:#}\n")).expect("write the configuration");
    }

    /// Starts a registry that knows no section of ours and trusts Pebble by its environment.
    #[track_caller]
    pub fn serve_plainly_by(&mut self, program: &str) {
        let tool = self
            .sandbox
            .tool(program)
            .env("SSL_CERT_FILE", "pebble/ca.crt");
        self.start_registry(&tool, "serve theirs.yml");
    }

    /// Starts the registry again with the configuration that it had.
    #[track_caller]
    pub fn serve_by(&mut self, boxyard: &Tool) {
        self.start_registry(boxyard, "serve config.yml");
    }

    fn start_registry(&mut self, tool: &Tool, words: &str) {
        let listeners = self
            .sandbox
            .tool("ss --no-header --listening --tcp sport = 5000");
        let ready = || !listeners.run("").is_empty();
        self.sandbox.start("boxyard", tool, words, ready);
    }

    /// When the certificate of a host ends, as the metrics of our registry say.
    #[track_caller]
    pub fn expiry(&self, host: &str) -> u64 {
        let metrics = self.sandbox.tool("curl --silent --fail");
        let metrics = metrics.run(format!("http://{}/metrics", Self::DEBUG));
        let name = "boxyard_tls_certificate_expiry_timestamp_seconds";
        let begin = format!("{name}{{host=\"{host}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&begin));
        let value = value.and_then(|value| value.parse().ok());
        value.expect("the metrics name the host")
    }

    /// Stops the registry in order.
    #[track_caller]
    pub fn stop(&self) {
        self.end_program("boxyard");
    }

    /// Stops a registry by the name of its program.
    #[track_caller]
    pub fn stop_program(&self, name: &str) {
        self.end_program(name);
    }

    /// A program that does to Pebble what Pebble itself does not offer.
    pub fn trouble(&self) -> Tool {
        let program = go_program("acme").display().to_string();
        self.sandbox
            .tool(&program)
            .env("SSL_CERT_FILE", "pebble/ca.crt")
    }

    /// Starts what passes requests on to Pebble, and perhaps limits orders; its directory.
    #[track_caller]
    pub fn behind_proxy(&mut self, seconds: Option<u64>) -> String {
        let listeners = self
            .sandbox
            .tool("ss --no-header --listening --tcp sport = 14001");
        let ready = || !listeners.run("").is_empty();
        let seconds = seconds.map_or_else(String::new, |seconds| seconds.to_string());
        let words = format!(
            "proxy 127.0.0.1:14001 https://127.0.0.1:14000 \
             pebble/127.0.0.1.crt pebble/127.0.0.1.key {seconds}"
        );
        let trouble = self.trouble();
        self.sandbox.start("proxy", &trouble, &words, ready);
        "https://127.0.0.1:14001/dir".to_owned()
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

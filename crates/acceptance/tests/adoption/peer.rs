//! The registries that people come from, and may go back to.

use std::path::{Path, PathBuf};

use boxyard_acceptance::Tool;
use boxyard_testkit::{Client, Setup, TestServer, binary};
use serde_json::json;

use crate::served::{Served, served};

/// Another registry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    /// Its version.
    pub(crate) version: &'static str,
    program: &'static str,
    /// Whether it deletes a tag and nothing else.
    pub(crate) deletes_tags: bool,
}

/// Both of them.
pub(crate) const PEERS: [Peer; 2] = [
    Peer {
        version: "2.8.2",
        program: "docker-registry",
        deletes_tags: false,
    },
    Peer {
        version: "3.1.1",
        program: "registry-3.1.1",
        deletes_tags: true,
    },
];

impl Peer {
    /// Serves the folder.
    #[track_caller]
    pub(crate) fn serve(self, root: &Path) -> TestServer {
        Setup::new()
            .program(self.path())
            .root(root)
            .config(&json!({ "log": { "accesslog": { "disabled": true }, "level": "warn" } }))
            .env("OTEL_TRACES_EXPORTER", "none")
            .start()
    }

    /// Serves the folder while `visit` looks at it, and stops.
    #[track_caller]
    pub(crate) fn visit<T>(self, root: &Path, visit: impl FnOnce(&Client) -> T) -> T {
        let mut server = self.serve(root);
        let seen = visit(&Client::of(&server));
        server.stop();
        seen
    }

    /// Collects what no tag leads to; answers what it says.
    #[track_caller]
    pub(crate) fn collect(self, root: &Path) -> String {
        let mut server = self.serve(root);
        server.stop();
        let config = server.config().display().to_string();
        let program = self.path().display().to_string();
        Tool::new(root, &program)
            .env("OTEL_TRACES_EXPORTER", "none")
            .run_aloud(format!("garbage-collect --delete-untagged=true {config}"))
    }

    fn path(self) -> PathBuf {
        let variable = |name| std::env::var_os(name).map(PathBuf::from);
        let tools = variable("BOXYARD_TOOLS")
            .or_else(|| Some(variable("HOME")?.join(".cache/boxyard/tools")))
            .expect("the environment has a HOME");
        let installed = tools.join("bin").join(self.program);
        if installed.exists() {
            return installed;
        }
        let system = Path::new("/usr/bin").join(self.program);
        assert!(
            system.exists(),
            "there is no `{}`; scripts/tools installs it",
            self.program
        );
        system
    }
}

/// Serves the folder with the program under test while `visit` looks at it, and stops in order.
#[track_caller]
pub(crate) fn visit<T>(root: &Path, visit: impl FnOnce(&Client) -> T) -> T {
    let mut server = Setup::new().root(root).start();
    let seen = visit(&Client::of(&server));
    server.stop();
    seen
}

/// The same for a visit that changes something; answers what is served afterwards.
///
/// The folder follows behind the answers while the server runs, so it is looked at after a stop.
#[track_caller]
pub(crate) fn after(root: &Path, change: impl FnOnce(&Client)) -> Served {
    visit(root, change);
    visit(root, |client| served(client, root))
}

/// Runs a command of the program under test over the folder of a stopped server; answers what it says.
#[track_caller]
pub(crate) fn command(server: &TestServer, name: &str) -> String {
    let program = binary().display().to_string();
    let config = server.config().display().to_string();
    Tool::new(server.root(), &program).run_aloud(format!("{name} {config}"))
}

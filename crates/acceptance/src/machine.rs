//! A machine that systemd runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use boxyard_testkit::{binary, eventually};

use crate::{Network, Sandbox, Tool, checkout};

/// A machine with systemd as its first process, in a sandbox.
///
/// It has the files of this one, and `boxyard` with its units where administrators put them; nothing runs that was not started.
#[derive(Debug)]
pub struct Machine {
    sandbox: Sandbox,
    /// The first process, as the sandbox sees it.
    first: String,
}

impl Machine {
    /// Boots it with this configuration of the registry.
    #[track_caller]
    pub fn boot(config: &str) -> Self {
        let mut sandbox = Sandbox::new(Network::Private);
        let root = sandbox.home().join("root");
        install(&root, config);
        let script = sandbox.home().join("machine.sh");
        fs::write(&script, include_str!("machine.sh")).expect("write a script");
        let words = format!("{} {}", script.display(), sandbox.home().display());
        let shell = sandbox.tool("bash");
        let look = sandbox.tool("pgrep -o -x systemd");
        sandbox.start("machine", &shell, &words, || look.succeeds(""));
        let first = look.run("");
        let machine = Self { sandbox, first };
        eventually("systemd to have started", || {
            let state = machine.tool("systemctl is-system-running");
            matches!(state.said("").as_str(), "running" | "degraded").then_some(())
        });
        machine
    }

    /// A program on it.
    pub fn tool(&self, words: &str) -> Tool {
        let home = self.home().display();
        self.sandbox.tool(&format!(
            "nsenter --target {} --all env --chdir={home} {words}",
            self.first
        ))
    }

    /// Runs lines of a shell on it, as root pastes them, and returns what they say; each must succeed.
    #[track_caller]
    pub fn bash(&self, lines: &str) -> String {
        self.tool("bash").run_words(&["-euc", lines])
    }

    /// A property of a unit.
    #[track_caller]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.tool("systemctl show --value --property")
            .run(format!("{name} {unit}"))
    }

    /// A folder that both see.
    pub fn home(&self) -> &Path {
        self.sandbox.home()
    }
}

fn install(root: &Path, config: &str) {
    let put = |path: &str, bytes: &[u8], mode: u32| {
        let file = root.join(path);
        let folder = file.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).expect("make a folder");
        fs::write(&file, bytes).expect("write a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("set a mode");
    };
    let program = fs::read(binary()).expect("read the program");
    put("usr/local/bin/boxyard", &program, 0o755);
    put("etc/boxyard/config.yml", config.as_bytes(), 0o644);
    for unit in ["boxyard.service", "boxyard.socket"] {
        let text = fs::read(checkout().join("deploy").join(unit)).expect("read a unit");
        put(&format!("etc/systemd/system/{unit}"), &text, 0o644);
    }
}

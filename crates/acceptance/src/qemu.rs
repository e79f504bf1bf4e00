//! Running programs of another architecture, as the kernel does with QEMU's help.

use std::fs;
use std::path::Path;

use crate::Tool;

/// Where the kernel keeps which program runs which kind of file.
const REGISTRY: &str = "/proc/sys/fs/binfmt_misc";
/// What Debian's package says of programs for arm64.
const ARM64: &str = "/usr/lib/binfmt.d/qemu-aarch64.conf";

/// The kernel's knowledge of how to run programs for arm64.
///
/// It is the whole machine's: where nobody had told the kernel, it forgets when this is dropped.
#[derive(Debug)]
pub struct Qemu {
    is_ours: bool,
}

impl Qemu {
    /// Tells the kernel, unless it knows.
    #[track_caller]
    pub fn for_arm64() -> Self {
        if !Path::new(REGISTRY).join("register").exists() {
            Tool::new(Path::new("/"), "mount -t binfmt_misc binfmt_misc").run(REGISTRY);
        }
        let is_ours = !rule().exists();
        if is_ours {
            let line = fs::read_to_string(ARM64).expect("read the rule of QEMU's package");
            let line = line.lines().find(|line| line.starts_with(':'));
            let line = line.expect("the package has a rule");
            fs::write(Path::new(REGISTRY).join("register"), line).expect("tell the kernel");
        }
        Self { is_ours }
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        if self.is_ours {
            // A second panic would hide the first.
            let _ = fs::write(rule(), "-1");
        }
    }
}

fn rule() -> std::path::PathBuf {
    Path::new(REGISTRY).join("qemu-aarch64")
}

//! Scripts that drive a real Chromium.

use super::{Tool, checkout, target, tools};

/// Runs a script of `crates/acceptance/browser` on one of its scenarios; it must find all as it should be.
///
/// Its screenshots are in `target/browser` afterwards.
#[track_caller]
pub fn browse(script: &str, scenario: &str, url: &str) {
    let home = tempfile::tempdir().expect("make a folder for the browser");
    let screenshots = target().join("browser");
    std::fs::create_dir_all(&screenshots).expect("make a folder for screenshots");
    let script = checkout().join("crates/acceptance/browser").join(script);
    let packages = tools().join("browser/node_modules");
    let [script, packages, screenshots] =
        [&script, &packages, &screenshots].map(|path| path.display().to_string());
    Tool::new(home.path(), "node")
        .env("NODE_PATH", &packages)
        .run_words(&[&script, scenario, url, &screenshots]);
}

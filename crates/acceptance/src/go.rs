//! Small programs in Go, whose HTTP client is the one of most tools for containers.

use std::path::PathBuf;
use std::process::Command;

use super::{checkout, target, tools};

/// Builds a program of `crates/acceptance/go` and returns its path; it needs no network.
#[track_caller]
pub fn go_program(name: &str) -> PathBuf {
    let program = target().join("go").join(name);
    let cache = tools().join("go/build");
    let status = Command::new(go())
        .args(["build", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(checkout().join("crates/acceptance/go").join(name))
        // The flags of `scripts/tools`, so that Go's own library is built once for both.
        .env("GOFLAGS", "-trimpath -buildvcs=false")
        .env("GOCACHE", cache)
        .env("CGO_ENABLED", "0")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off")
        .status()
        .expect("run `go`");
    assert!(status.success(), "go build ends with {status}");
    program
}

/// The toolchain that `scripts/tools` has fetched where the machine's own is too old, or that one.
fn go() -> PathBuf {
    let fetched = std::fs::read_dir(tools()).into_iter().flatten().flatten();
    fetched
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("toolchain-")
        })
        .map(|entry| entry.path().join("bin/go"))
        .find(|go| go.exists())
        .unwrap_or_else(|| PathBuf::from("go"))
}

//! `kill -9` at any moment loses nothing that was acknowledged, and brings back nothing that was deleted.

use std::env;
use std::path::PathBuf;

use boxyard_testkit::{Noise, Setup};

mod durability;

use durability::{Crowd, Verdict};

/// How often the server dies over one folder.
const ROUNDS: u64 = 60;

#[test]
fn sixteen_pushers_find_all_that_was_acknowledged_after_each_of_many_kills() {
    let mut noise = Noise::new(1);
    // In memory: what a kill leaves does not depend on what a disk has synced, and more rounds fit in.
    let root = tempfile::tempdir_in("/dev/shm").expect("make a folder in memory");
    let mut server = Setup::new().root(root.path()).start();
    let mut crowd = Crowd::new(1);
    for _ in 0..ROUNDS {
        let working = crowd.work(&server, Verdict::Wrong);
        working.acknowledged(20 + noise.below(300));
        server.kill();
        crowd = working.stop();
        server.start_again();
        crowd.verify(&server);
    }

    server.restart();
    crowd.verify(&server);
    let held = crowd.find_nothing_else(root.path());
    assert!(held > 500, "only {held} things were held");
    server.stop();

    for program in [tool("registry-3.1.1"), "/usr/bin/docker-registry".into()] {
        let other = Setup::new().program(program).root(root.path());
        crowd.verify(&other.env("OTEL_TRACES_EXPORTER", "none").start());
    }
    server.start_again();
    crowd.verify(&server);
}

/// Finds what `scripts/tools` installs.
fn tool(name: &str) -> PathBuf {
    let variable = |name| env::var_os(name).map(PathBuf::from);
    let cached = || Some(variable("HOME")?.join(".cache/boxyard/tools"));
    let tools = variable("BOXYARD_TOOLS").or_else(cached);
    tools.expect("there is a HOME").join("bin").join(name)
}

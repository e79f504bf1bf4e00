//! A power cut at any moment loses nothing that was acknowledged, on a disk that forgets all that was not synced.

use boxyard_testkit::{Disk, Loss, Noise, Setup, eventually};

mod durability;

use durability::{Crowd, Verdict};

/// How often the power fails over one folder.
const ROUNDS: u64 = 80;

#[test]
fn sixteen_pushers_find_all_that_was_acknowledged_on_a_disk_that_forgets_everything_else() {
    lose_power(1, |_| Loss::Everything);
}

#[test]
fn sixteen_pushers_find_all_that_was_acknowledged_on_a_disk_that_keeps_the_rest_by_chance() {
    lose_power(2, |seed| Loss::Random { seed });
}

/// Cuts the power again and again, and in between also kills the server alone, so that a later cut takes what that one left unsynced.
fn lose_power(seed: u64, loss: impl Fn(u64) -> Loss) {
    let mut noise = Noise::new(seed);
    let mut disk = Disk::new();
    // A server without a disk has every right to complain.
    let mut server = Setup::new()
        .root(disk.path().join("registry"))
        .allow_error("")
        .start();
    let mut crowd = Crowd::new(seed);
    for round in 0..ROUNDS {
        if noise.below(3) == 0 {
            let working = crowd.work(&server, Verdict::Wrong);
            working.acknowledged(20 + noise.below(100));
            server.kill();
            crowd = working.stop();
            server.start_again();
            crowd.verify(&server);
            continue;
        }
        let working = crowd.work(&server, Verdict::Dead);
        disk.power_lasts(100 + noise.below(3_000));
        eventually("the power to fail", || disk.is_dead().then_some(()));
        server.kill();
        crowd = working.stop();
        disk.cut_power(loss(seed ^ (round + 1)));
        server.start_again();
        crowd.verify(&server);
    }

    let held = crowd.find_nothing_else(server.root());
    assert!(held > 200, "only {held} things were held");
    server.stop();
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

//! A database on the disk that forgets: what it promises to sync survives, and only that.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::path::Path;

use boxyard_testkit::{Disk, Loss};
use rusqlite::Connection;

fn open(folder: &Path, synchronous: &str) -> Connection {
    let connection = Connection::open(folder.join("test.db")).unwrap();
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal", "the -shm file can be mapped");
    connection
        .pragma_update(None, "synchronous", synchronous)
        .unwrap();
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, filler BLOB)")
        .unwrap();
    connection
}

fn insert(connection: &Connection, count: u32) {
    for _ in 0..count {
        connection
            .execute("INSERT INTO t (filler) VALUES (randomblob(900))", [])
            .unwrap();
    }
}

fn count(folder: &Path) -> u32 {
    let connection = open(folder, "FULL");
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sound, "ok");
    connection
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap()
}

#[test]
fn every_commit_with_full_synchronization_survives() {
    let disk = Disk::new();
    let connection = open(disk.path(), "FULL");

    for rows in 1..=40 {
        insert(&connection, 1);
        let left = disk.after_power_loss(Loss::Everything);
        assert_eq!(count(left.path()), rows);
    }
}

#[test]
fn a_random_loss_leaves_a_sound_database_with_every_commit() {
    let disk = Disk::new();
    let connection = open(disk.path(), "FULL");

    for seed in 1..=40 {
        insert(&connection, 1);
        if seed % 10 == 0 {
            connection
                .execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
                .unwrap();
        }
        let left = disk.after_power_loss(Loss::Random {
            seed: u64::from(seed),
        });
        assert_eq!(count(left.path()), seed);
    }
}

#[test]
fn commits_that_were_not_synced_are_forgotten() {
    let disk = Disk::new();
    let connection = open(disk.path(), "FULL");
    insert(&connection, 5);
    connection
        .pragma_update(None, "synchronous", "OFF")
        .unwrap();
    insert(&connection, 5);

    let left = disk.after_power_loss(Loss::Everything);

    assert_eq!(count(disk.path()), 10);
    assert_eq!(count(left.path()), 5);
}

#[test]
fn two_connections_share_memory_and_locks() {
    let disk = Disk::new();
    let one = open(disk.path(), "FULL");
    let other = open(disk.path(), "FULL");
    other.busy_timeout(std::time::Duration::ZERO).unwrap();

    one.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = other.execute_batch("BEGIN IMMEDIATE");
    insert(&one, 3);
    one.execute_batch("COMMIT").unwrap();

    assert!(refused.is_err(), "one of them holds the write lock");
    let seen: u32 = other
        .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
        .unwrap();
    assert_eq!(seen, 3);
}

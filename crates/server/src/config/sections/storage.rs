//! `storage` and `database`: where things are kept, and what may be done to them.

use std::path::PathBuf;

use crate::config::key::{Key, always, idle, is_enabled, refused, works};
use crate::config::node::Node;
use crate::config::values::Values;

const OTHER_STORE: &str = "only `filesystem` is served yet";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "storage.filesystem.rootdirectory",
        "`/var/lib/registry`",
        "The folder that holds `docker/registry/v2`.",
    ),
    works(
        "storage.filesystem.maxthreads",
        "`100`",
        "How many threads may wait for the disk; at least 25.",
    ),
    refused("storage.inmemory", OTHER_STORE, always),
    refused("storage.s3", OTHER_STORE, always),
    refused("storage.s3aws", OTHER_STORE, always),
    refused("storage.azure", OTHER_STORE, always),
    refused("storage.gcs", OTHER_STORE, always),
    refused("storage.swift", OTHER_STORE, always),
    refused("storage.oss", OTHER_STORE, always),
    refused("storage.rados", OTHER_STORE, always),
    works(
        "storage.delete.enabled",
        "`false`",
        "Whether tags, manifests and blobs may be deleted.",
    ),
    idle(
        "storage.redirect",
        "blobs on a filesystem are served by the registry itself",
    ),
    idle("storage.cache", "the database needs none"),
    idle("storage.tag", "the database knows the tags of a digest"),
    idle(
        "storage.maintenance.uploadpurging",
        "abandoned uploads are not purged yet",
    ),
    refused(
        "storage.maintenance.readonly",
        "a read-only registry is not there yet",
        is_enabled,
    ),
    works(
        "database.path",
        "`boxyard.db` in the folder",
        "Puts the database elsewhere, when the folder's filesystem cannot share memory or lock files.",
    ),
];

/// Where things are kept, and what may be done to them.
#[derive(Clone, Debug)]
pub struct Storage {
    /// The folder that holds `docker/registry/v2`.
    pub root: PathBuf,
    /// The database, if it does not lie in the folder.
    pub database: Option<PathBuf>,
    /// How many threads may wait for the disk.
    pub threads: usize,
    /// Whether tags, manifests and blobs may be deleted.
    pub delete: bool,
}

pub(in crate::config) fn read(values: &mut Values<'_>) -> Storage {
    const ROOT: &str = "/var/lib/registry";
    const LEAST_THREADS: usize = 25;
    if names_no_driver(values.node("storage")) {
        values.wrong(
            "storage",
            "no storage driver is named: expected `filesystem`",
        );
    }
    let root = values
        .text("storage.filesystem.rootdirectory")
        .unwrap_or(ROOT);
    let threads = values
        .number("storage.filesystem.maxthreads")
        .unwrap_or(100);
    Storage {
        root: PathBuf::from(root),
        database: values.text("database.path").map(PathBuf::from),
        threads: threads.max(LEAST_THREADS),
        delete: values.boolean("storage.delete.enabled").unwrap_or(false),
    }
}

/// Whether `storage` has only the keys that say nothing about where; a driver of a wrong name has its own error.
fn names_no_driver(storage: Option<&Node>) -> bool {
    const OTHERS: [&str; 5] = ["cache", "delete", "maintenance", "redirect", "tag"];
    let names = storage.into_iter().flat_map(Node::entries);
    names
        .into_iter()
        .all(|(name, _)| OTHERS.contains(&name.as_str()))
}

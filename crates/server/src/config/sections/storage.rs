//! `storage` and `database`: where things are kept, and what may be done to them.

use std::path::PathBuf;

use crate::config::key::{Form, Key, Known, always, idle, is_enabled, part, refused, works};
use crate::config::node::Node;
use crate::config::values::Values;

const OTHER_STORE: &str = "only `filesystem` is served yet";

pub(in crate::config) const KEYS: &[Key] = &[
    works(
        "storage.filesystem.rootdirectory",
        "`/var/lib/registry`",
        "The folder that holds `docker/registry/v2`.",
    )
    .form(Form::Folder),
    works(
        "storage.filesystem.maxthreads",
        "`100`",
        "How many threads may wait for the disk; at least 25.",
    )
    .form(Form::Number),
    refused("storage.inmemory", OTHER_STORE, always),
    refused("storage.s3", OTHER_STORE, always),
    refused("storage.s3aws", OTHER_STORE, always),
    refused("storage.azure", OTHER_STORE, always),
    refused("storage.gcs", OTHER_STORE, always),
    refused("storage.swift", OTHER_STORE, always).known(Known::Two),
    refused("storage.oss", OTHER_STORE, always).known(Known::Two),
    refused("storage.rados", OTHER_STORE, always).known(Known::Two),
    works(
        "storage.delete.enabled",
        "`false`",
        "Whether tags, manifests and blobs may be deleted. Without a configuration they may.",
    )
    .form(Form::Boolean),
    idle(
        "storage.redirect",
        "blobs on a filesystem are served by the registry itself",
    ),
    part("storage.redirect.disable").form(Form::Boolean),
    idle("storage.cache", "the database needs none"),
    part("storage.cache.blobdescriptor").form(Form::Text),
    part("storage.cache.blobdescriptorsize")
        .form(Form::Number)
        .known(Known::Three),
    part("storage.cache.layerinfo").form(Form::Text),
    idle("storage.tag", "the database knows the tags of a digest").known(Known::Three),
    part("storage.tag.concurrencylimit")
        .form(Form::Number)
        .known(Known::Three),
    idle(
        "storage.maintenance.uploadpurging",
        "abandoned uploads are not purged yet",
    ),
    part("storage.maintenance.uploadpurging.enabled").form(Form::Boolean),
    part("storage.maintenance.uploadpurging.age").form(Form::Duration),
    part("storage.maintenance.uploadpurging.interval").form(Form::Duration),
    part("storage.maintenance.uploadpurging.dryrun").form(Form::Boolean),
    refused(
        "storage.maintenance.readonly",
        "a read-only registry is not there yet",
        is_enabled,
    ),
    part("storage.maintenance.readonly.enabled").form(Form::Boolean),
    works(
        "database.path",
        "`boxyard.db` in the folder",
        "Puts the database elsewhere, when the folder's filesystem cannot share memory or lock files. The folder of the file must be there.",
    )
    .form(Form::Text)
    .example("/fast/boxyard.db"),
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
    check_driver(values);
    let root = values
        .text("storage.filesystem.rootdirectory")
        .unwrap_or(ROOT);
    let threads = values
        .number("storage.filesystem.maxthreads")
        .unwrap_or(100);
    Storage {
        root: PathBuf::from(root),
        database: read_database(values),
        threads: threads.max(LEAST_THREADS),
        delete: values.boolean("storage.delete.enabled").unwrap_or(false),
    }
}

/// The database makes the file, but not its folder.
fn read_database(values: &mut Values<'_>) -> Option<PathBuf> {
    let path = PathBuf::from(values.text("database.path")?);
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| values.serves() && !folder.is_dir()) {
        let message = format!("there is no folder `{}`", folder.display());
        values.wrong("database.path", &message);
    }
    Some(path)
}

/// The stores that `storage` names.
pub(in crate::config) fn drivers(storage: &Node) -> Vec<&str> {
    const OTHERS: [&str; 5] = ["cache", "delete", "maintenance", "redirect", "tag"];
    let names = storage.entries().iter().map(|(name, _)| name.as_str());
    names.filter(|name| !OTHERS.contains(name)).collect()
}

fn check_driver(values: &mut Values<'_>) {
    let storage = values.node("storage");
    match storage.map(drivers).unwrap_or_default().as_slice() {
        // A driver of a wrong name has its own error.
        [_] => {}
        [] => values.wrong(
            "storage",
            "no storage driver is named: expected `filesystem`",
        ),
        many => {
            let many = many.join("`, `");
            values.wrong("storage", &format!("names `{many}`: expected only one"));
        }
    }
}

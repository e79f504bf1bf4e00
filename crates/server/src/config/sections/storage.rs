//! `storage` and `database`: where things are kept, and what may be done to them.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use boxyard_registry::Purging;

use crate::config::key::{Form, Key, Known, idle, part, works};
use crate::config::node::Node;
use crate::config::values::Values;

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
    works(
        "storage.inmemory",
        "",
        "Keeps everything in a private folder that goes when the server stops, in memory where the machine has a filesystem there. It takes no parameters, and nothing is kept.",
    ),
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
    works(
        "storage.maintenance.uploadpurging.enabled",
        "`true`",
        "Whether uploads that nobody has finished are removed. One that got bytes within the last hour stays.",
    )
    .form(Form::Boolean),
    works(
        "storage.maintenance.uploadpurging.age",
        "`168h`",
        "How old such an upload must be.",
    )
    .form(Form::Duration),
    works(
        "storage.maintenance.uploadpurging.interval",
        "`24h`",
        "How long to wait between two looks at the uploads.",
    )
    .form(Form::Duration),
    works(
        "storage.maintenance.uploadpurging.dryrun",
        "`false`",
        "Only logs what would go.",
    )
    .form(Form::Boolean),
    works(
        "storage.maintenance.uploadpurging.jitter",
        "`1h`",
        "The first look comes after a random part of this time.",
    )
    .form(Form::Duration)
    .known(Known::Here),
    works(
        "storage.maintenance.readonly.enabled",
        "`false`",
        "Answers 405 to whoever wants to push or delete, and collects nothing; pulls go on.",
    )
    .form(Form::Boolean),
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
    /// Whether nothing is kept: the folder is yet to be made, and goes at the end.
    pub in_memory: bool,
    /// Whether nobody may write.
    pub read_only: bool,
    /// How abandoned uploads go.
    pub purging: Option<Purging>,
}

impl Storage {
    /// The name of what keeps things, as the configuration has it.
    pub(crate) fn driver(&self) -> &'static str {
        if self.in_memory {
            "inmemory"
        } else {
            "filesystem"
        }
    }
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
        in_memory: values.node("storage.inmemory").is_some(),
        read_only: values
            .boolean("storage.maintenance.readonly.enabled")
            .unwrap_or(false),
        purging: read_purging(values),
    }
}

/// When abandoned uploads are looked for; distribution's defaults hold for what is not said.
fn read_purging(values: &mut Values<'_>) -> Option<Purging> {
    let mut duration = |name: &str, usual: Duration| {
        let path = format!("storage.maintenance.uploadpurging.{name}");
        values.duration(&path).unwrap_or(usual)
    };
    let age = duration("age", Duration::from_hours(168));
    let interval = duration("interval", Duration::from_hours(24));
    let jitter = duration("jitter", Duration::from_hours(1));
    let mut boolean = |name: &str| {
        let path = format!("storage.maintenance.uploadpurging.{name}");
        values.boolean(&path)
    };
    let dry_run = boolean("dryrun").unwrap_or(false);
    let enabled = boolean("enabled").unwrap_or(true);
    enabled.then(|| Purging {
        age,
        interval,
        first: part_of(jitter),
        dry_run,
    })
}

/// A part of this time that no two servers of one start share: the clock is random enough for that.
fn part_of(whole: Duration) -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanos = since.unwrap_or_default().subsec_nanos();
    whole.mul_f64(f64::from(nanos) / 1e9)
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

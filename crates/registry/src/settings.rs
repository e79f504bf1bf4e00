//! The registry's own settings, parsed by whoever starts it.

use crate::collector::Collecting;
use crate::purge::Purging;
use crate::rules::Rules;

/// Bounds and switches of a registry.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The largest manifest taken, in bytes; the specification asks for at least 4 MiB.
    pub manifest_bytes: usize,
    /// Whether manifests, tags and blobs may be deleted.
    pub delete: bool,
    /// Whether an index may name children, and an image blobs, that its repository does not hold.
    pub sparse: bool,
    /// Which manifests are taken.
    pub rules: Rules,
    /// Whether nothing is collected; that nobody writes is for the caller to see to.
    pub read_only: bool,
    /// How abandoned uploads go; they stay without.
    pub purging: Option<Purging>,
    /// When what nothing uses any more is collected.
    pub collecting: Collecting,
    /// Bytes kept free for the database, deletes and collection; uploads stop before.
    pub reserve_bytes: u64,
    /// File nodes kept free for the same.
    pub reserve_inodes: u64,
    /// How many paths may wait for the tree before a push waits with them.
    pub backlog: u64,
    /// Blobs up to this size are made durable by the database and written to the folder behind it, in bytes.
    pub small_blob_bytes: u64,
    /// What is remembered of the database and of small blobs at most, in bytes.
    pub cache_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            delete: true,
            sparse: false,
            rules: Rules::default(),
            read_only: false,
            purging: None,
            collecting: Collecting::default(),
            reserve_bytes: 64 << 20,
            reserve_inodes: 256,
            backlog: 20_000,
            small_blob_bytes: 32 << 10,
            cache_bytes: boxyard_meta::CACHE_BYTES,
        }
    }
}

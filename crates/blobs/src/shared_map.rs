//! One map of a file for all who send it.
//!
//! Pages of a map have to be found by the kernel once, which takes a third of the time that it takes to send them; so does the question whether they are in memory.
//! Who pulls what others pull finds both done.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::map::Map;

/// The maps in use, by device and inode: as long as a map keeps its file, nothing else has the same.
static MAPS: LazyLock<Mutex<Maps>> = LazyLock::new(Mutex::default);

type Maps = HashMap<(u64, u64), Weak<Map>>;

/// Somebody's share in the map of a file.
#[derive(Debug)]
pub struct SharedMap(Arc<Map>);

impl SharedMap {
    /// A share in the map of the first `length` bytes of a file.
    pub fn of(file: &Arc<File>, length: u64) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let key = (metadata.dev(), metadata.ino());
        let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = maps.get(&key).and_then(Weak::upgrade);
        if let Some(map) = known.filter(|map| map.len() == length) {
            map.shares().fetch_add(1, Ordering::Relaxed);
            return Ok(Self(map));
        }
        maps.retain(|_, map| map.strong_count() > 0);
        let map = Arc::new(Map::of(Arc::clone(file), length)?);
        maps.insert(key, Arc::downgrade(&map));
        map.shares().fetch_add(1, Ordering::Relaxed);
        Ok(Self(map))
    }

    /// The map itself.
    pub fn map(&self) -> &Arc<Map> {
        &self.0
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        self.0.shares().fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Arc::new(file)
    }

    #[test]
    fn a_file_has_one_map_as_long_as_somebody_uses_it() {
        let (one, other) = (file(b"12345"), file(b"12345"));
        let again = Arc::new(one.try_clone().unwrap());

        let share = SharedMap::of(&one, 5).unwrap();

        let is_same = |file, length| {
            let another = SharedMap::of(file, length).unwrap();
            Arc::ptr_eq(share.map(), another.map())
        };
        assert!(is_same(&again, 5));
        assert!(!is_same(&one, 4));
        assert!(!is_same(&other, 5));
    }

    #[test]
    fn a_map_knows_whether_it_is_shared() {
        let file = file(b"12345");
        let share = SharedMap::of(&file, 5).unwrap();
        assert!(!share.map().is_shared());

        let other = SharedMap::of(&file, 5).unwrap();
        assert!(share.map().is_shared());

        drop(other);
        assert!(!share.map().is_shared());
    }
}

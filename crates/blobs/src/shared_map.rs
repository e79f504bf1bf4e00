//! One map of a file for all who send it.
//!
//! The question whether its pages are in memory takes a third of the time that it takes to send them.
//! Who pulls what others pull finds it answered.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use crate::map::Map;

/// The maps in use, by device and inode: as long as a map keeps its file, nothing else has the same.
static MAPS: LazyLock<Mutex<Maps>> = LazyLock::new(Mutex::default);

type Maps = HashMap<(u64, u64), Weak<Map>>;

/// The map of the first `length` bytes of a file.
pub fn shared_map(file: &Arc<File>, length: u64) -> io::Result<Arc<Map>> {
    let metadata = file.metadata()?;
    let key = (metadata.dev(), metadata.ino());
    let mut maps = MAPS.lock().unwrap_or_else(PoisonError::into_inner);
    let known = maps.get(&key).and_then(Weak::upgrade);
    if let Some(map) = known.filter(|map| map.len() == length) {
        return Ok(map);
    }
    maps.retain(|_, map| map.strong_count() > 0);
    let map = Arc::new(Map::of(Arc::clone(file), length)?);
    maps.insert(key, Arc::downgrade(&map));
    Ok(map)
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

        let map = shared_map(&one, 5).unwrap();

        let is_same = |file, length| Arc::ptr_eq(&map, &shared_map(file, length).unwrap());
        assert!(is_same(&again, 5));
        assert!(!is_same(&one, 4));
        assert!(!is_same(&other, 5));
    }
}

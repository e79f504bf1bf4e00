//! Reading what is in memory, without waiting for a disk.

use std::fs::File;
use std::io::{self, IoSliceMut};

use rustix::io::{Errno, ReadWriteFlags, preadv2};

/// Reads as much of a file from `at` on as is in memory, at most `buffer`; none if a disk would have to be waited for.
///
/// Zero bytes are the end of the file.
pub fn read_resident(file: &File, buffer: &mut [u8], at: u64) -> io::Result<Option<usize>> {
    let mut into = [IoSliceMut::new(buffer)];
    match preadv2(file, &mut into, at, ReadWriteFlags::NOWAIT) {
        Ok(read) => Ok(Some(read)),
        // Not every filesystem can tell.
        Err(Errno::AGAIN | Errno::INTR | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_just_written_is_read_at_once_up_to_its_end() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let mut buffer = [0; 8];

        let read = read_resident(&file, &mut buffer, 4).unwrap();

        // A filesystem that cannot tell is waited for elsewhere.
        assert!(read.is_none_or(|read| buffer[..read] == *b"456789"));
        assert!(matches!(
            read_resident(&file, &mut buffer, 10).unwrap(),
            None | Some(0)
        ));
    }
}

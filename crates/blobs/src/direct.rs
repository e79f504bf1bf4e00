//! Writing large uploads past the page cache.
//!
//! To write to the page cache, the system finds memory, copies the bytes there, and brings them to the disk later; that costs about as much as hashing them.
//! What it buys is that the blob can be read again from memory, at the price of something else that was read more often.
//! Half of all layers are smaller than [`CACHED`], and those are written that way.
//! What comes behind that goes to the disk at once, from memory that the disk can read: the sync at the end then waits for nearly nothing, and a push of gigabytes drives nothing out.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use rustix::fs::OFlags;

/// How much of each upload is written to the page cache.
const CACHED: u64 = 4 << 20;
/// What the disk takes in one piece; places in the file and in memory are multiples of it.
pub(crate) const BLOCK: usize = 4 << 10;
/// So many write this way at once, each from memory of its own; who comes beside them writes through the page cache.
///
/// That keeps a disk busy, and two hundred pushes from having as many copies in memory.
const AT_ONCE: usize = 8;
/// No more memory than this is kept between two writes by each.
const KEPT: usize = 2 << 20;
/// The magic numbers of ext2 to ext4 and XFS, as `statfs(2)` tells them: elsewhere such writes are emulated, or slower.
const SUITED: [u64; 2] = [0xEF53, 0x5846_5342];

static MEMORY: [Mutex<Vec<u8>>; AT_ONCE] = [const { Mutex::new(Vec::new()) }; AT_ONCE];

/// How many of `more` bytes at `offset` should be written together: those up to the end of a block, which is otherwise written twice.
///
/// All of them, where they do not reach the end of one.
pub(crate) fn whole(offset: u64, more: u64) -> u64 {
    let end = offset + more;
    let last = end - end % BLOCK as u64;
    if end < CACHED || last <= offset {
        more
    } else {
        last - offset
    }
}

/// Writes the pieces one behind the other at `offset`.
pub(crate) fn write(file: &File, pieces: &[impl AsRef<[u8]>], offset: u64) -> io::Result<()> {
    let len: usize = pieces.iter().map(|piece| piece.as_ref().len()).sum();
    let place = Place::of(offset, len);
    if offset >= CACHED
        && place.blocks > 0
        && is_suited(file)
        && let Some(mut memory) = MEMORY.iter().find_map(|memory| memory.try_lock().ok())
    {
        return write_past(file, place, pieces, offset, &mut memory);
    }
    let mut at = offset;
    pieces.iter().map(AsRef::as_ref).try_for_each(|piece| {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
        Ok(())
    })
}

/// The same with the whole blocks past the page cache, from a copy in `memory` unless they lie as the disk wants them.
fn write_past(
    file: &File,
    place: Place,
    pieces: &[impl AsRef<[u8]>],
    offset: u64,
    memory: &mut Vec<u8>,
) -> io::Result<()> {
    let bytes = match pieces {
        [piece] if place.suits(piece.as_ref()) => piece.as_ref(),
        _ => place.fill(memory, pieces),
    };
    let (before, rest) = bytes.split_at(place.before);
    let (blocks, after) = rest.split_at(place.blocks);
    let at = offset + before.len() as u64;
    file.write_all_at(before, offset)?;
    write_blocks(file, blocks, at)?;
    file.write_all_at(after, at + blocks.len() as u64)?;
    if memory.len() > KEPT {
        *memory = Vec::new();
    }
    Ok(())
}

/// How some bytes lie on the disk's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// How many end a block that others have begun.
    before: usize,
    /// How many are in blocks of their own.
    blocks: usize,
    /// All of them.
    len: usize,
}

impl Place {
    fn of(offset: u64, len: usize) -> Self {
        let begun = usize::try_from(offset % BLOCK as u64).unwrap_or(0);
        let before = ((BLOCK - begun) % BLOCK).min(len);
        let blocks = (len - before) / BLOCK * BLOCK;
        Self {
            before,
            blocks,
            len,
        }
    }

    /// Whether the first whole block of `bytes` begins at a multiple of its size, as in a [`Buffer`](crate::Buffer).
    fn suits(self, bytes: &[u8]) -> bool {
        bytes[self.before..].as_ptr().align_offset(BLOCK) == 0
    }

    /// Copies the pieces to where the first whole block begins at a multiple of its size.
    fn fill<'a>(self, memory: &'a mut Vec<u8>, pieces: &[impl AsRef<[u8]>]) -> &'a [u8] {
        let needed = self.len + 2 * BLOCK;
        if memory.len() < needed || memory.len() > 4 * needed {
            *memory = vec![0; needed];
        }
        let begin = memory.as_ptr().align_offset(BLOCK) + (BLOCK - self.before) % BLOCK;
        let bytes = &mut memory[begin..begin + self.len];
        let mut rest = &mut *bytes;
        for piece in pieces.iter().map(AsRef::as_ref) {
            let (place, behind) = rest.split_at_mut(piece.len());
            place.copy_from_slice(piece);
            rest = behind;
        }
        bytes
    }
}

/// Writes whole blocks past the page cache, or through it where the disk wants other blocks than these, or none.
fn write_blocks(file: &File, blocks: &[u8], offset: u64) -> io::Result<()> {
    match write_direct(file, blocks, offset) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            file.write_all_at(blocks, offset)
        }
        written => written,
    }
}

fn write_direct(file: &File, blocks: &[u8], offset: u64) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(file)?;
    rustix::fs::fcntl_setfl(file, flags | OFlags::DIRECT)?;
    let written = file.write_all_at(blocks, offset);
    // Whoever reads the file again has no such memory.
    rustix::fs::fcntl_setfl(file, flags)?;
    written
}

fn is_suited(file: &File) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|filesystem| filesystem.f_type);
    kind.is_ok_and(|kind| u64::try_from(kind).is_ok_and(|kind| SUITED.contains(&kind)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rustix::fs::MemfdFlags;

    use super::*;
    use crate::Buffer;

    fn noise(len: usize) -> Vec<u8> {
        let numbers = (0..).map(|number: u32| number.wrapping_mul(2_654_435_761));
        numbers.flat_map(u32::to_le_bytes).take(len).collect()
    }

    #[test]
    fn what_is_written_in_odd_pieces_is_read_again() {
        let bytes = noise(usize::try_from(CACHED).unwrap() + 3_000_017);
        let file = tempfile::tempfile().unwrap();
        let mut offset = 0;

        for batch in bytes.chunks(777_777) {
            let pieces: Vec<&[u8]> = batch.chunks(65_531).collect();
            write(&file, &pieces, offset).unwrap();
            offset += batch.len() as u64;
        }

        let mut read = vec![0; bytes.len()];
        file.read_exact_at(&mut read, 0).unwrap();
        assert!(read == bytes);
        assert_eq!(file.metadata().unwrap().len(), bytes.len() as u64);
    }

    /// What `write_blocks` leaves in the file, which must be a write like any other.
    fn blocks_of(file: &File, blocks: &[u8]) -> Vec<u8> {
        write_blocks(file, blocks, 0).unwrap();
        let flags = rustix::fs::fcntl_getfl(file).unwrap();
        assert!(!flags.contains(OFlags::DIRECT));
        let mut read = vec![0; blocks.len()];
        file.read_exact_at(&mut read, 0).unwrap();
        read
    }

    #[test]
    fn a_file_that_is_nowhere_but_in_the_page_cache_is_written_there() {
        let memory = rustix::fs::memfd_create("blob", MemfdFlags::CLOEXEC).unwrap();
        let file = File::from(memory);
        let blocks = noise(2 * BLOCK);
        let refused = write_direct(&file, &blocks, 0).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);

        assert!(blocks_of(&file, &blocks) == blocks);
    }

    #[test]
    fn what_the_disk_refuses_to_take_directly_is_written_through_the_page_cache() {
        let file = tempfile::tempfile().unwrap();
        let bytes = noise(3 * BLOCK);
        // No disk takes bytes from an odd address, as another takes no blocks of this size.
        let odd = bytes.as_ptr().align_offset(BLOCK) + 1;
        let blocks = &bytes[odd..odd + BLOCK];
        if is_suited(&file) {
            let refused = write_direct(&file, blocks, 0).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        }

        assert!(blocks_of(&file, blocks) == blocks);
    }

    #[test]
    fn bytes_that_lie_as_on_the_disk_are_written_from_where_they_are() {
        let offset = CACHED + 5;
        let bytes = noise(1_000_000);
        let mut buffer = Buffer::take(bytes.len(), offset);
        buffer.fill(&mut Bytes::from(bytes.clone()));
        let piece = buffer.freeze();
        let file = tempfile::tempfile().unwrap();

        assert!(Place::of(offset, piece.len()).suits(&piece));
        write(&file, &[piece], offset).unwrap();

        let mut read = vec![0; bytes.len()];
        file.read_exact_at(&mut read, offset).unwrap();
        assert!(read == bytes);
    }

    #[test]
    fn bytes_are_placed_on_blocks() {
        let place = |before, blocks, len| Place {
            before,
            blocks,
            len,
        };

        assert_eq!(Place::of(0, 10_000), place(0, 8_192, 10_000));
        assert_eq!(Place::of(4_095, 10_000), place(1, 8_192, 10_000));
        assert_eq!(Place::of(4_097, 4_095), place(4_095, 0, 4_095));
        assert_eq!(Place::of(1, 5), place(5, 0, 5));
    }

    #[test]
    fn what_ends_in_a_block_waits_for_the_rest_of_it() {
        assert_eq!(whole(0, 10_000), 10_000);
        assert_eq!(whole(CACHED, 10_000), 8_192);
        assert_eq!(whole(CACHED - 1, 10_000), 8_193);
        assert_eq!(whole(CACHED, 4_095), 4_095);
        assert_eq!(whole(CACHED, 0), 0);
    }
}

//! A file as addresses, by which its parts are handed on until the kernel sends them.
//!
//! HTTP is made of bytes that lie somewhere in memory, and so are the parts of a mapped file.
//! There are two ways from there into a socket, and nobody but the kernel reads the bytes on either:
//!
//! - Whoever writes finds by the addresses which part of the file they are, and has the kernel send that ([`Map::send`]).
//!   No page of the map is looked for, and nothing is copied.
//! - `writev` copies from the map, whose pages the kernel must find first.
//!   That is for filesystems which have no `sendfile`.
//!
//! This is the only module with `unsafe` code.
//! Why it is sound:
//!
//! - The mapping is shared and read-only, so nothing is ever written through it.
//! - Files of blobs do not change: they get their bytes under another name, and whatever replaces one is renamed over it, while the map keeps the file that it was made of.
//! - An address is handed out for nothing but `sendfile` and `writev`: [`Slice`] is a [`Buf`] whose bytes no code of ours looks at, and only HTTP/1 without TLS gets one, where hyper queues what it is given and hands the addresses on.
//!   HTTP/2 and TLS copy in user space, and get bytes that were read.
//! - If somebody else cuts the file, or its disk has a bad sector, the kernel finds no page behind the address.
//!   A touch in user space would be a SIGBUS; `sendfile` ends where the file does, and `writev` with EFAULT, after which only the connection is lost.
#![expect(
    unsafe_code,
    reason = "there is no safe way to map a file, nor to ask which of its pages are in memory"
)]

use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Buf;
use rustix::fs::sendfile;
use rustix::io::{Errno, retry_on_intr};
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// How much is read at once where the kernel cannot be asked to fill a map.
const PIECE: usize = 64 << 10;
/// Of how large parts it is remembered when they were in memory.
const PART: usize = 1 << 20;
/// How long that is believed: to ask for each of its pages takes a third of the time that sending them takes, and many pull the same.
const BELIEVED: Duration = Duration::from_secs(1);

/// A mapped file.
#[derive(Debug)]
pub struct Map {
    file: Arc<File>,
    start: NonNull<u8>,
    length: usize,
    /// When each part was in memory.
    seen: Mutex<Vec<Option<Instant>>>,
}

// SAFETY: the mapping belongs to the process and not to a thread, and nothing writes to it.
unsafe impl Send for Map {}
// SAFETY: the same; nobody gets more than addresses from it.
unsafe impl Sync for Map {}

impl Map {
    /// Maps the first `length` bytes of a file.
    pub fn of(file: Arc<File>, length: u64) -> io::Result<Self> {
        let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the kernel chooses where the new mapping lies, so it replaces no other.
        let start = unsafe {
            let (anywhere, begin) = (ptr::null_mut(), 0);
            rustix::mm::mmap(
                anywhere,
                length,
                ProtFlags::READ,
                MapFlags::SHARED,
                &file,
                begin,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self {
            file,
            start,
            length,
            seen: Mutex::default(),
        })
    }

    /// How many bytes are mapped.
    pub(crate) fn len(&self) -> u64 {
        self.length as u64
    }

    /// The part of the file that `range` says, which must lie within the map.
    pub fn slice(self: &Arc<Self>, range: Range<usize>) -> Slice {
        self.check(&range);
        Slice {
            map: Arc::clone(self),
            range,
        }
    }

    /// Which part of the file these bytes are, if they lie within the map; nobody looks at them.
    pub fn range_of(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let start = self.start.addr().get();
        let begin = bytes.as_ptr().addr().checked_sub(start)?;
        let end = begin.checked_add(bytes.len())?;
        (!bytes.is_empty() && end <= self.length).then_some(begin..end)
    }

    /// Sends as much of `range` as the socket takes now; of a file that ends before, this is an `UnexpectedEof`.
    ///
    /// Where the filesystem has no `sendfile`, this writes from the map, and the error is then one of `write(2)`.
    pub fn send(&self, socket: impl AsFd, range: &Range<usize>) -> io::Result<usize> {
        self.check(range);
        let mut at = range.start as u64;
        loop {
            match sendfile(&socket, &self.file, Some(&mut at), range.len()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(sent) => return Ok(sent),
                Err(Errno::INTR) => {}
                Err(Errno::INVAL) => return self.write(socket, range),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    fn write(&self, socket: impl AsFd, range: &Range<usize>) -> io::Result<usize> {
        let written = retry_on_intr(|| rustix::io::write(&socket, self.bytes(range)));
        Ok(written?)
    }

    /// Addresses for the kernel: whoever looks at what is there may end the process.
    fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.check(range);
        // SAFETY: the range lies within the mapping; that its bytes are there and stay is said above.
        unsafe {
            let start = self.start.add(range.start);
            slice::from_raw_parts(start.as_ptr(), range.len())
        }
    }

    /// Whether all pages of `range` are in memory, so that sending them waits for no disk.
    ///
    /// The kernel says yes to whoever may not write the file, whatever the truth: then a disk may be waited for.
    pub fn is_resident(&self, range: &Range<usize>) -> bool {
        let (start, length) = self.pages(range);
        let mut pages = vec![0_u8; length.div_ceil(rustix::param::page_size())];
        // SAFETY: the range lies within the mapping, and there is a byte for each of its pages.
        let asked = unsafe { libc::mincore(start, length, pages.as_mut_ptr()) };
        asked == 0 && pages.iter().all(|page| page & 1 == 1)
    }

    /// The same within one part of the file, or that it was so a moment ago.
    pub fn was_resident(&self, range: &Range<usize>) -> bool {
        let part = range.start / PART;
        if self
            .seen(part)
            .is_some_and(|seen| seen.elapsed() < BELIEVED)
        {
            return true;
        }
        let whole = part * PART..self.length.min((part + 1) * PART);
        if !self.is_resident(&whole) {
            return self.is_resident(range);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() <= part {
            seen.resize(part + 1, None);
        }
        seen[part] = Some(Instant::now());
        true
    }

    fn seen(&self, part: usize) -> Option<Instant> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(part).copied().flatten()
    }

    /// Waits until the pages of `range` are in memory; of a file that ends before, this is an `UnexpectedEof`.
    pub fn bring_in(&self, range: &Range<usize>) -> io::Result<()> {
        let (start, length) = self.pages(range);
        loop {
            // SAFETY: the range lies within the mapping, and filling it changes none of its bytes.
            let filled = unsafe { rustix::mm::madvise(start, length, Advice::LinuxPopulateRead) };
            match filled {
                Ok(()) => return Ok(()),
                Err(Errno::INTR | Errno::AGAIN) => {}
                // A kernel before 5.14, or a page that is not to be had: reading tells which.
                Err(_) => return self.read_through(range),
            }
        }
    }

    /// Whether the file still has the bytes of `range`.
    pub fn is_there(&self, range: &Range<usize>) -> io::Result<bool> {
        Ok(self.file.metadata()?.len() >= range.end as u64)
    }

    /// Reads the range and forgets it, which leaves it in the page cache.
    fn read_through(&self, range: &Range<usize>) -> io::Result<()> {
        let mut piece = vec![0; PIECE.min(range.len())];
        for at in range.clone().step_by(PIECE) {
            let length = PIECE.min(range.end - at);
            self.file.read_exact_at(&mut piece[..length], at as u64)?;
        }
        Ok(())
    }

    /// Where the pages begin that hold `range`, and how long they are together.
    fn pages(&self, range: &Range<usize>) -> (*mut c_void, usize) {
        self.check(range);
        let begin = range.start - range.start % rustix::param::page_size();
        // SAFETY: the range lies within the mapping.
        let start = unsafe { self.start.add(begin) };
        (start.as_ptr().cast(), range.end - begin)
    }

    fn check(&self, range: &Range<usize>) {
        assert!(
            range.start <= range.end && range.end <= self.length,
            "{range:?} lies within the {} bytes that are mapped",
            self.length
        );
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: every slice keeps the map, so nobody has an address in it any more.
        let unmapped = unsafe { rustix::mm::munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "a mapping that was made can be undone");
    }
}

/// A part of a mapped file, to be sent by the kernel; reading it may end the process.
#[derive(Debug)]
pub struct Slice {
    map: Arc<Map>,
    /// What is not sent yet.
    range: Range<usize>,
}

impl Slice {
    /// The map that it is a part of.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// What of the file is not sent yet.
    pub fn range(&self) -> &Range<usize> {
        &self.range
    }
}

impl Buf for Slice {
    fn remaining(&self) -> usize {
        self.range.len()
    }

    fn chunk(&self) -> &[u8] {
        self.map.bytes(&self.range)
    }

    fn advance(&mut self, count: usize) {
        assert!(count <= self.range.len(), "no more is sent than there is");
        self.range.start += count;
    }
}

#[cfg(test)]
mod tests {
    use std::io::{IoSlice, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

    use super::*;

    const MIB: usize = 1 << 20;

    fn noise(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| u8::try_from(at * at / 251 % 256).unwrap())
            .collect()
    }

    fn mapped(bytes: &[u8]) -> (File, Arc<Map>) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let kept = Arc::new(file.try_clone().unwrap());
        let map = Map::of(kept, bytes.len() as u64).unwrap();
        (file, Arc::new(map))
    }

    /// How the bytes of a slice get into a socket.
    type Sending = fn(&mut UnixStream, &Slice) -> io::Result<usize>;

    const WAYS: [Sending; 2] = [
        |socket, slice| socket.write_vectored(&[IoSlice::new(slice.chunk())]),
        |socket, slice| {
            let range = slice.map().range_of(slice.chunk()).unwrap();
            slice.map().send(socket, &range)
        },
    ];

    /// Sends as the server does, and answers what has come with how it ended.
    fn send(mut slice: Slice, how: Sending) -> (Vec<u8>, io::Result<()>) {
        let (mut from, mut to) = UnixStream::pair().unwrap();
        let reader = thread::spawn(move || {
            let mut came = Vec::new();
            io::Read::read_to_end(&mut to, &mut came).map(|_| came)
        });
        let mut ended = Ok(());
        while slice.has_remaining() && ended.is_ok() {
            ended = how(&mut from, &slice).map(|sent| slice.advance(sent));
        }
        drop(from);
        (reader.join().unwrap().unwrap(), ended)
    }

    #[test]
    fn what_is_sent_is_what_is_in_the_file() {
        let bytes = noise(3 * MIB + 5);
        let (_file, map) = mapped(&bytes);

        for way in WAYS {
            let (came, ended) = send(map.slice(4_097..3 * MIB + 5), way);

            ended.unwrap();
            assert!(came == bytes[4_097..]);
        }
    }

    #[test]
    fn what_cannot_be_sent_by_sendfile_is_written_from_the_map() {
        let bytes = noise(MIB);
        let (_file, map) = mapped(&bytes);
        let (from, mut to) = UnixStream::pair().unwrap();
        // The kernel answers EINVAL to a `sendfile` into what is appended to, and to a `write` it makes no difference.
        let flags = fcntl_getfl(&from).unwrap();
        fcntl_setfl(&from, flags | OFlags::APPEND).unwrap();
        let refused = sendfile(&from, &map.file, Some(&mut 0), 1);
        assert_eq!(refused.unwrap_err(), Errno::INVAL);

        let sent = map.send(&from, &(5..5_005)).unwrap();

        let mut came = vec![0; sent];
        io::Read::read_exact(&mut to, &mut came).unwrap();
        assert!(sent > 0 && came == bytes[5..5 + sent]);
    }

    #[test]
    fn bytes_that_lie_elsewhere_are_no_part_of_the_file() {
        let (_file, map) = mapped(&noise(MIB));
        let (_other, other) = mapped(&noise(MIB));
        let slice = map.slice(5..MIB);

        assert_eq!(map.range_of(slice.chunk()), Some(5..MIB));
        assert_eq!(map.range_of(&slice.chunk()[..0]), None);
        assert_eq!(map.range_of(&[1, 2, 3]), None);
        assert_eq!(other.range_of(slice.chunk()), None);
    }

    #[test]
    fn a_file_that_was_cut_ends_the_sending_and_not_the_process() {
        let bytes = noise(2 * MIB);
        let (file, map) = mapped(&bytes);
        file.set_len(MIB as u64).unwrap();

        for way in WAYS {
            let (came, ended) = send(map.slice(0..2 * MIB), way);

            let error = ended.unwrap_err();
            let is_fault = error.raw_os_error() == Some(Errno::FAULT.raw_os_error());
            assert!(is_fault || error.kind() == io::ErrorKind::UnexpectedEof);
            assert!(came == bytes[..came.len()]);
            assert!(came.len() <= MIB);
        }
        assert!(!map.is_there(&(0..MIB + 5)).unwrap());
    }

    #[test]
    fn pages_of_a_file_that_was_cut_cannot_be_brought_in() {
        let (file, map) = mapped(&noise(2 * MIB));
        file.set_len(MIB as u64).unwrap();

        map.bring_in(&(0..MIB)).unwrap();
        let error = map.bring_in(&(MIB / 2..MIB + 5)).unwrap_err();

        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn pages_that_nobody_has_read_yet_are_not_there_until_they_are_brought_in() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * MIB as u64).unwrap();
        let map = Map::of(Arc::new(file), 2 * MIB as u64).unwrap();

        assert!(!map.is_resident(&(0..MIB)));
        map.bring_in(&(0..MIB)).unwrap();

        assert!(map.is_resident(&(0..MIB)));
    }

    #[test]
    fn what_was_in_memory_a_moment_ago_is_not_asked_for_again() {
        let (file, map) = mapped(&noise(2 * MIB));

        assert!(map.was_resident(&(5..MIB)));
        file.set_len(0).unwrap();

        assert!(map.was_resident(&(0..7)));
        assert!(!map.is_resident(&(0..7)));
        assert!(!map.was_resident(&(MIB..2 * MIB)));
    }

    #[test]
    fn a_map_ends_with_its_last_slice() {
        let (_file, map) = mapped(&noise(MIB));
        let weak = Arc::downgrade(&map);
        let slice = map.slice(0..5);

        drop(map);

        assert!(weak.upgrade().is_some());
        drop(slice);
        assert!(weak.upgrade().is_none());
    }
}

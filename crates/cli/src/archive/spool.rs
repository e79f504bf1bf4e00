//! Files in which one can go back and forth: what comes from a pipe or is packed goes to a temporary one first.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, Write};
use std::os::fd::AsFd;
use std::rc::Rc;

use anyhow::{Context, bail, ensure};
use flate2::read::MultiGzDecoder;

use super::fill;
use crate::progress;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const XZ: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z'];
const BZIP: &[u8] = b"BZh";

/// Below this size nothing is too much.
const HARMLESS: u64 = 256 << 20;
/// How many times its size something may unpack to; images come to ten times, and gzip to a thousand.
const RATIO: u64 = 200;

/// What comes from standard input.
pub(super) fn standard_input() -> anyhow::Result<File> {
    let input = io::stdin();
    ensure!(
        !io::IsTerminal::is_terminal(&input),
        "standard input is a terminal: expected an archive"
    );
    let owned = input.as_fd().try_clone_to_owned();
    let file = File::from(owned.context("open standard input")?);
    seekable(file).context("read standard input")
}

/// The file, or what it holds in another one where it is packed or cannot be read twice.
pub(super) fn seekable(mut file: File) -> anyhow::Result<File> {
    let mut head = [0; 8];
    let length = fill(&mut file, &mut head)?;
    let head = &head[..length];
    for (magic, name) in [(ZSTD, "zstd"), (XZ, "xz"), (BZIP, "bzip2")] {
        if head.starts_with(magic) {
            bail!(
                "it is packed by {name}: unpack it first, as by `{name} -dc FILE | boxyard import -`"
            );
        }
    }
    let is_packed = head.starts_with(GZIP);
    if !is_packed && file.rewind().is_ok() {
        return Ok(file);
    }
    let begun = head.to_vec();
    let all = Cursor::new(begun).chain(file);
    if is_packed {
        let packed = Rc::new(Cell::new(0));
        let counted = Counted(all, Rc::clone(&packed));
        return copy(MultiGzDecoder::new(counted), |size| {
            check(size, packed.get())
        });
    }
    copy(all, |_| Ok(()))
}

/// Fails where little unpacks to too much.
pub(crate) fn check(unpacked: u64, packed: u64) -> anyhow::Result<()> {
    ensure!(
        unpacked < HARMLESS || unpacked / RATIO < packed,
        "it unpacks to more than {RATIO} times its size, as what is made to fill disks does; \
         if you trust it, unpack it first: `gunzip -c FILE | boxyard import -`"
    );
    Ok(())
}

fn copy(mut from: impl Read, check: impl Fn(u64) -> anyhow::Result<()>) -> anyhow::Result<File> {
    let room = || {
        format!(
            "write a temporary file in `{}`; `TMPDIR` names another place",
            std::env::temp_dir().display()
        )
    };
    let mut file = tempfile::tempfile().with_context(room)?;
    let mut buffer = vec![0; 1 << 20];
    let mut size = 0;
    let bar = progress::counter("reading the archive")?;
    loop {
        let read = fill(&mut from, &mut buffer).context("unpack it: it is damaged or cut short")?;
        bar.inc(read as u64);
        if read == 0 {
            break;
        }
        size += read as u64;
        check(size)?;
        file.write_all(&buffer[..read]).with_context(room)?;
    }
    bar.finish_and_clear();
    file.rewind().with_context(room)?;
    Ok(file)
}

/// Counts what is read.
pub(crate) struct Counted<R>(pub(crate) R, pub(crate) Rc<Cell<u64>>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.set(self.1.get() + read as u64);
        Ok(read)
    }
}

//! The entries of a tar file: where each begins, and how long it is.
//!
//! Headers are read here rather than by a library, which would read names of any length into memory.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use anyhow::{Context, bail, ensure};
use tar::{EntryType, Header, PaxExtensions};

use super::path;

const BLOCK: u64 = 512;
/// The longest text that belongs to an entry: a long name, or what pax says of it.
const LONGEST: u64 = 64 << 10;
/// How much memory the names of all entries may take.
const NAMES: usize = 64 << 20;

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Member {
    File {
        offset: u64,
        size: u64,
    },
    /// Another name of what is at this path.
    Link(String),
    /// A link that leads out of the archive.
    Strayed(String),
    /// A folder or a device.
    Other,
}

/// What comes before an entry and is said of it.
#[derive(Debug, Default)]
struct Said {
    path: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// Lists the entries of a tar file.
pub(super) fn list(file: &File) -> anyhow::Result<HashMap<String, Member>> {
    let end = file.metadata().context("look at the file")?.len();
    let mut listing = Listing {
        file,
        end,
        at: 0,
        names: 0,
        members: HashMap::new(),
    };
    let mut said = Said::default();
    while let Some(header) = listing.header()? {
        said = listing.entry(&header, said)?;
    }
    ensure!(!listing.members.is_empty(), "it is an empty archive");
    Ok(listing.members)
}

struct Listing<'a> {
    file: &'a File,
    end: u64,
    at: u64,
    names: usize,
    members: HashMap<String, Member>,
}

impl Listing<'_> {
    /// The next header; none at the end.
    fn header(&mut self) -> anyhow::Result<Option<Header>> {
        if self.at == self.end {
            return Ok(None);
        }
        let mut header = Header::new_old();
        self.read(self.at, header.as_mut_bytes())?;
        self.at += BLOCK;
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        ensure!(
            header.cksum().ok() == Some(sum(header.as_bytes())),
            "it is no tar file, or a damaged one: the header at byte {} is none",
            self.at - BLOCK
        );
        Ok(Some(header))
    }

    /// Takes what a header begins, and answers what it says of the next entry.
    fn entry(&mut self, header: &Header, said: Said) -> anyhow::Result<Said> {
        let size = match said.size {
            Some(size) => size,
            None => header.entry_size().context("read the size of an entry")?,
        };
        let begin = self.at;
        let padded = size.checked_next_multiple_of(BLOCK);
        let next = padded.and_then(|padded| begin.checked_add(padded));
        let next = next.filter(|_| size <= self.end - begin);
        self.at = next.with_context(|| {
            format!(
                "it is cut short: an entry of {size} bytes begins at byte {begin} of {}",
                self.end
            )
        })?;
        // The last entry may lack its padding.
        self.at = self.at.min(self.end);
        match header.entry_type() {
            EntryType::GNULongName => Ok(Said {
                path: Some(self.text(begin, size)?),
                ..said
            }),
            EntryType::GNULongLink => Ok(Said {
                link: Some(self.text(begin, size)?),
                ..said
            }),
            EntryType::XHeader => self.extensions(begin, size, said),
            EntryType::XGlobalHeader => Ok(said),
            kind => {
                self.member(header, kind, begin, size, said)?;
                Ok(Said::default())
            }
        }
    }

    fn member(
        &mut self,
        header: &Header,
        kind: EntryType,
        offset: u64,
        size: u64,
        said: Said,
    ) -> anyhow::Result<()> {
        let name = match said.path {
            Some(path) => path,
            None => text(&header.path_bytes())?,
        };
        let path = path::inside(&name)?;
        let link = || match said.link {
            Some(link) => Ok(link),
            None => text(&header.link_name_bytes().unwrap_or_default()),
        };
        let member = match kind {
            EntryType::Regular | EntryType::Continuous => Member::File { offset, size },
            EntryType::Symlink => {
                let target = link()?;
                path::linked(&path, &target).map_or(Member::Strayed(target), Member::Link)
            }
            EntryType::Link => {
                let target = link()?;
                path::inside(&target).map_or(Member::Strayed(target), Member::Link)
            }
            EntryType::GNUSparse => {
                bail!("`{path}` is a file with holes, which images do not have")
            }
            _ => Member::Other,
        };
        self.names += path.len() + size_of::<Member>();
        ensure!(self.names <= NAMES, "it has too many entries");
        // A reader that takes the first and one that takes the last would see two archives.
        match self.members.insert(path.clone(), member.clone()) {
            Some(before) if before != Member::Other || member != Member::Other => {
                bail!("it has `{path}` twice")
            }
            _ => Ok(()),
        }
    }

    fn extensions(&self, begin: u64, size: u64, mut said: Said) -> anyhow::Result<Said> {
        let bytes = self.bytes(begin, size)?;
        for extension in PaxExtensions::new(&bytes) {
            let extension = extension.context("read what pax says of an entry")?;
            let value = || text(extension.value_bytes());
            match extension.key_bytes() {
                b"path" => said.path = Some(value()?),
                b"linkpath" => said.link = Some(value()?),
                b"size" => {
                    let size = value()?.parse();
                    said.size = Some(size.context("read the size of an entry")?);
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    bail!("it has a file with holes, which images do not have")
                }
                _ => {}
            }
        }
        Ok(said)
    }

    fn text(&self, begin: u64, size: u64) -> anyhow::Result<String> {
        let bytes = self.bytes(begin, size)?;
        let end = bytes.iter().position(|byte| *byte == 0);
        text(&bytes[..end.unwrap_or(bytes.len())])
    }

    fn bytes(&self, begin: u64, size: u64) -> anyhow::Result<Vec<u8>> {
        ensure!(size <= LONGEST, "the name of an entry has {size} bytes");
        let mut bytes = vec![0; usize::try_from(size)?];
        self.read(begin, &mut bytes)?;
        Ok(bytes)
    }

    fn read(&self, at: u64, bytes: &mut [u8]) -> anyhow::Result<()> {
        match self.file.read_exact_at(bytes, at) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                bail!("it is no tar file, or cut short at byte {}", self.end)
            }
            read => read.context("read the file"),
        }
    }
}

fn text(bytes: &[u8]) -> anyhow::Result<String> {
    let text = std::str::from_utf8(bytes);
    Ok(text
        .context("the name of an entry is not UTF-8")?
        .to_owned())
}

/// The sum of a header, in which the sum itself counts as spaces.
fn sum(header: &[u8]) -> u32 {
    let without = header[..148].iter().chain(&header[156..]);
    without.copied().map(u32::from).sum::<u32>() + 8 * u32::from(b' ')
}

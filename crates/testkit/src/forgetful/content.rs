//! The bytes of a file, in pages that its states share.

use std::sync::Arc;

use crate::Noise;

const PAGE: usize = 16 * 1024;
/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The bytes of a file.
///
/// A clone costs a reference count per page until one side writes, so remembering what was synced is cheap.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// `None` is a hole of zeros. Past the size a page holds zeros, so growing needs no cleaning.
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
    size: usize,
}

impl Content {
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Reads up to `length` bytes, fewer at the end of the file.
    pub(super) fn read(&self, offset: usize, length: usize) -> Vec<u8> {
        let end = self.size.min(offset.saturating_add(length));
        let mut bytes = Vec::with_capacity(end.saturating_sub(offset));
        let mut at = offset;
        while at < end {
            let (index, start) = (at / PAGE, at % PAGE);
            let count = (PAGE - start).min(end - at);
            match &self.pages[index] {
                Some(page) => bytes.extend_from_slice(&page[start..start + count]),
                None => bytes.resize(bytes.len() + count, 0),
            }
            at += count;
        }
        bytes
    }

    /// Writes `bytes`, and grows the file when they reach past its end.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if end > self.size {
            self.resize(end);
        }
        let mut at = offset;
        while at < end {
            let (index, start) = (at / PAGE, at % PAGE);
            let count = (PAGE - start).min(end - at);
            let source = &bytes[at - offset..][..count];
            self.page(index)[start..start + count].copy_from_slice(source);
            at += count;
        }
    }

    /// Cuts the file short or grows it by a hole.
    pub(super) fn resize(&mut self, size: usize) {
        self.pages.resize(size.div_ceil(PAGE), None);
        if size < self.size && !size.is_multiple_of(PAGE) {
            let index = size / PAGE;
            if self.pages[index].is_some() {
                self.page(index)[size % PAGE..].fill(0);
            }
        }
        self.size = size;
    }

    /// What a disk may hold that was told to write `self` over `durable` and never to sync: either size, and of
    /// every sector either version.
    pub(super) fn torn(&self, durable: &Self, keep: Keep, noise: &mut Noise) -> Self {
        let mut torn = durable.clone();
        torn.resize(if keep.chance(noise) {
            self.size
        } else {
            durable.size
        });
        for (index, page) in self.pages.iter().enumerate().take(torn.pages.len()) {
            if shared(page.as_ref(), torn.pages[index].as_ref()) {
                continue;
            }
            for start in (0..PAGE).step_by(SECTOR) {
                let at = index * PAGE + start;
                if at < torn.size && keep.chance(noise) {
                    let sector = self.read(at, SECTOR.min(torn.size - at));
                    torn.write(at, &sector);
                }
            }
        }
        torn
    }

    fn page(&mut self, index: usize) -> &mut [u8; PAGE] {
        Arc::make_mut(self.pages[index].get_or_insert_with(|| Arc::new([0; PAGE])))
    }
}

fn shared(one: Option<&Arc<[u8; PAGE]>>, other: Option<&Arc<[u8; PAGE]>>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

/// How much of what was not synced a power loss leaves, in eighths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep(u64);

impl Keep {
    pub(super) fn choose(noise: &mut Noise) -> Self {
        Self([1, 4, 7][usize::try_from(noise.below(3)).expect("three choices fit")])
    }

    pub(super) fn chance(self, noise: &mut Noise) -> bool {
        noise.below(8) < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_across_pages_read_back_and_holes_are_zeros() {
        let mut content = Content::default();
        content.write(PAGE - 2, b"four");

        assert_eq!(content.size(), PAGE + 2);
        assert_eq!(content.read(PAGE - 4, 100), b"\0\0four");
        assert_eq!(content.read(PAGE + 2, 1), b"");
    }

    #[test]
    fn what_was_cut_off_does_not_come_back_when_the_file_grows() {
        let mut content = Content::default();
        content.write(0, b"secret");
        content.resize(2);
        content.resize(6);

        assert_eq!(content.read(0, 6), b"se\0\0\0\0");
    }

    #[test]
    fn a_torn_file_has_of_every_sector_one_of_its_two_versions() {
        let mut durable = Content::default();
        durable.write(0, &[1; 8 * SECTOR]);
        let mut written = durable.clone();
        written.write(0, &[2; 8 * SECTOR]);

        let torn = written.torn(&durable, Keep(4), &mut Noise::new(3));

        let bytes = torn.read(0, 8 * SECTOR);
        let versions: Vec<u8> = bytes.chunks(SECTOR).map(|sector| sector[0]).collect();
        assert!(bytes.chunks(SECTOR).all(|s| s.iter().all(|b| *b == s[0])));
        assert!(
            versions.contains(&1) && versions.contains(&2),
            "{versions:?}"
        );
    }
}

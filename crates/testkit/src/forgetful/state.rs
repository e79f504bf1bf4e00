//! The two states of the disk, and what moves from one to the other.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use fuser::{Errno, FileType};

use super::Loss;
use super::content::{Content, Keep};
use crate::Noise;

/// The inode of the root folder, as the kernel wants it.
pub(super) const ROOT: u64 = 1;

/// Inodes, each as it is now and as it would be after a power loss.
#[derive(Clone, Debug)]
pub(super) struct State {
    nodes: HashMap<u64, Node>,
    next: u64,
    /// Changes of folders that no sync has reached yet, in order.
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Node {
    now: Face,
    durable: Face,
    links: u32,
}

/// One of the two states of an inode.
#[derive(Clone, Debug)]
pub(super) struct Face {
    pub(super) attributes: Attributes,
    pub(super) body: Body,
}

/// What `stat` tells beside size and kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) accessed: SystemTime,
    pub(super) modified: SystemTime,
    pub(super) changed: SystemTime,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    File(Content),
    Folder(BTreeMap<OsString, u64>),
    /// A socket or a pipe: its name is all that the disk keeps.
    Special(FileType),
}

/// A place for a name.
type Slot = (u64, OsString);

#[derive(Clone, Debug)]
enum Change {
    Link {
        at: Slot,
        inode: u64,
    },
    Unlink {
        at: Slot,
    },
    /// One change, as on every journalling filesystem: a name is never in both places, nor in neither.
    Move {
        from: Slot,
        to: Slot,
        inode: u64,
    },
}

impl State {
    pub(super) fn new(attributes: Attributes) -> Self {
        let root = Node::new(attributes, Body::Folder(BTreeMap::new()));
        Self {
            nodes: HashMap::from([(ROOT, root)]),
            next: ROOT + 1,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn face(&self, inode: u64) -> Result<&Face, Errno> {
        Ok(&self.node(inode)?.now)
    }

    pub(super) fn links(&self, inode: u64) -> Result<u32, Errno> {
        Ok(self.node(inode)?.links)
    }

    pub(super) fn lookup(&self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        self.entries(folder)?
            .get(name)
            .copied()
            .ok_or(Errno::ENOENT)
    }

    pub(super) fn entries(&self, folder: u64) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.face(folder)?.body {
            Body::Folder(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub(super) fn content(&self, inode: u64) -> Result<&Content, Errno> {
        match &self.face(inode)?.body {
            Body::File(content) => Ok(content),
            Body::Folder(_) => Err(Errno::EISDIR),
            Body::Special(_) => Err(Errno::EINVAL),
        }
    }

    /// Makes an inode and gives it a name.
    pub(super) fn create(
        &mut self,
        folder: u64,
        name: &OsStr,
        attributes: Attributes,
        body: Body,
    ) -> Result<u64, Errno> {
        if self.entries(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let inode = self.next;
        self.next += 1;
        self.nodes.insert(inode, Node::new(attributes, body));
        self.change(Change::Link {
            at: (folder, name.to_owned()),
            inode,
        });
        Ok(inode)
    }

    /// Gives an inode one more name.
    pub(super) fn link(&mut self, inode: u64, folder: u64, name: &OsStr) -> Result<(), Errno> {
        if self.entries(folder)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.change(Change::Link {
            at: (folder, name.to_owned()),
            inode,
        });
        Ok(())
    }

    pub(super) fn unlink(&mut self, folder: u64, name: &OsStr) -> Result<(), Errno> {
        let inode = self.lookup(folder, name)?;
        if self.entries(inode).is_ok_and(|inside| !inside.is_empty()) {
            return Err(Errno::ENOTEMPTY);
        }
        self.change(Change::Unlink {
            at: (folder, name.to_owned()),
        });
        Ok(())
    }

    pub(super) fn rename(&mut self, from: (u64, &OsStr), to: (u64, &OsStr)) -> Result<(), Errno> {
        let inode = self.lookup(from.0, from.1)?;
        if let Ok(replaced) = self.lookup(to.0, to.1) {
            if replaced == inode {
                return Ok(());
            }
            if self
                .entries(replaced)
                .is_ok_and(|inside| !inside.is_empty())
            {
                return Err(Errno::ENOTEMPTY);
            }
        }
        self.change(Change::Move {
            from: (from.0, from.1.to_owned()),
            to: (to.0, to.1.to_owned()),
            inode,
        });
        Ok(())
    }

    pub(super) fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        self.content_mut(inode)?.write(offset, bytes);
        self.touch(inode);
        Ok(())
    }

    pub(super) fn resize(&mut self, inode: u64, size: usize) -> Result<(), Errno> {
        self.content_mut(inode)?.resize(size);
        self.touch(inode);
        Ok(())
    }

    pub(super) fn attributes_mut(&mut self, inode: u64) -> Result<&mut Attributes, Errno> {
        let node = self.nodes.get_mut(&inode).ok_or(Errno::ESTALE)?;
        Ok(&mut node.now.attributes)
    }

    /// Makes a file's bytes durable, and none of its names.
    pub(super) fn sync_file(&mut self, inode: u64) -> Result<(), Errno> {
        let node = self.nodes.get_mut(&inode).ok_or(Errno::ESTALE)?;
        node.durable = node.now.clone();
        Ok(())
    }

    /// Makes a folder's names durable, and neither what they name nor the folder's own name.
    ///
    /// A move belongs to the folder it moves to. What happened before to the same names goes along, whichever folder
    /// it belongs to, because no filesystem could do the later change alone.
    pub(super) fn sync_folder(&mut self, folder: u64) -> Result<(), Errno> {
        self.entries(folder)?;
        let mut reached: HashSet<Slot> = HashSet::new();
        let (mut due, mut rest) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut self.unsynced).into_iter().rev() {
            if change.belongs_to() == folder || change.slots().any(|slot| reached.contains(slot)) {
                reached.extend(change.slots().cloned());
                due.push(change);
            } else {
                rest.push(change);
            }
        }
        rest.reverse();
        self.unsynced = rest;
        for change in due.iter().rev() {
            self.apply(change, |node| &mut node.durable);
        }
        let node = self.nodes.get_mut(&folder).ok_or(Errno::ESTALE)?;
        node.durable.attributes = node.now.attributes;
        Ok(())
    }

    /// The disk as a power loss at this moment leaves it.
    pub(super) fn after_power_loss(&self, loss: Loss) -> Self {
        let mut left = self.clone();
        if let Loss::Random { seed } = loss {
            left.keep_some(&mut Noise::new(seed));
        }
        left.unsynced.clear();
        for node in left.nodes.values_mut() {
            node.now = node.durable.clone();
        }
        left.drop_unreachable();
        left
    }

    fn keep_some(&mut self, noise: &mut Noise) {
        let keep = Keep::choose(noise);
        for change in std::mem::take(&mut self.unsynced) {
            if keep.chance(noise) {
                self.apply(&change, |node| &mut node.durable);
            }
        }
        // In order of number, so that a seed means the same in every run.
        for inode in 1..self.next {
            if let Some(node) = self.nodes.get_mut(&inode) {
                node.keep_some(keep, noise);
            }
        }
    }

    fn drop_unreachable(&mut self) {
        let mut links: HashMap<u64, u32> = HashMap::from([(ROOT, 1)]);
        let mut queue = vec![ROOT];
        while let Some(folder) = queue.pop() {
            let Ok(entries) = self.entries(folder) else {
                continue;
            };
            for inode in entries.values() {
                let count = links.entry(*inode).or_default();
                *count += 1;
                if *count == 1 {
                    queue.push(*inode);
                }
            }
        }
        self.nodes.retain(|inode, node| {
            node.links = links.get(inode).copied().unwrap_or_default();
            node.links > 0
        });
    }

    fn node(&self, inode: u64) -> Result<&Node, Errno> {
        self.nodes.get(&inode).ok_or(Errno::ESTALE)
    }

    fn content_mut(&mut self, inode: u64) -> Result<&mut Content, Errno> {
        let node = self.nodes.get_mut(&inode).ok_or(Errno::ESTALE)?;
        match &mut node.now.body {
            Body::File(content) => Ok(content),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Does a change now and remembers it for a sync.
    fn change(&mut self, change: Change) {
        for (folder, name) in change.slots() {
            if let Ok(inode) = self.lookup(*folder, name) {
                self.count(inode, u32::wrapping_sub);
            }
        }
        self.apply(&change, |node| &mut node.now);
        if let Change::Link { inode, .. } | Change::Move { inode, .. } = &change {
            self.count(*inode, u32::wrapping_add);
        }
        for (folder, _) in change.slots() {
            self.touch(*folder);
        }
        self.unsynced.push(change);
    }

    fn count(&mut self, inode: u64, by_one: fn(u32, u32) -> u32) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.links = by_one(node.links, 1);
        }
    }

    fn apply(&mut self, change: &Change, face: fn(&mut Node) -> &mut Face) {
        let mut names = |folder: &u64, edit: &mut dyn FnMut(&mut BTreeMap<OsString, u64>)| {
            if let Some(node) = self.nodes.get_mut(folder)
                && let Body::Folder(entries) = &mut face(node).body
            {
                edit(entries);
            }
        };
        match change {
            Change::Link { at, inode } => names(&at.0, &mut |entries| {
                entries.insert(at.1.clone(), *inode);
            }),
            Change::Unlink { at } => names(&at.0, &mut |entries| {
                entries.remove(&at.1);
            }),
            Change::Move { from, to, inode } => {
                names(&from.0, &mut |entries| {
                    if entries.get(&from.1) == Some(inode) {
                        entries.remove(&from.1);
                    }
                });
                names(&to.0, &mut |entries| {
                    entries.insert(to.1.clone(), *inode);
                });
            }
        }
    }

    fn touch(&mut self, inode: u64) {
        if let Ok(attributes) = self.attributes_mut(inode) {
            let now = SystemTime::now();
            attributes.modified = now;
            attributes.changed = now;
        }
    }
}

impl Node {
    fn new(attributes: Attributes, body: Body) -> Self {
        let now = Face { attributes, body };
        Self {
            durable: now.clone(),
            now,
            links: 0,
        }
    }

    fn keep_some(&mut self, keep: Keep, noise: &mut Noise) {
        if let (Body::File(now), Body::File(durable)) = (&self.now.body, &mut self.durable.body) {
            *durable = now.torn(durable, keep, noise);
        }
        if keep.chance(noise) {
            self.durable.attributes = self.now.attributes;
        }
    }
}

impl Change {
    fn belongs_to(&self) -> u64 {
        match self {
            Self::Link { at, .. } | Self::Unlink { at } => at.0,
            Self::Move { to, .. } => to.0,
        }
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let (one, other) = match self {
            Self::Link { at, .. } | Self::Unlink { at } => (at, None),
            Self::Move { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }
}

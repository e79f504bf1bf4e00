//! The disk as the kernel calls it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use fuser::{
    BackgroundSession, BsdFileFlags, Config, Errno, FileAttr, FileHandle, FileType, Filesystem,
    FopenFlags, Generation, INodeNo, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr,
    ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, TimeOrNow, WriteFlags,
};

use super::Power;
use super::answer::{
    BELIEVE, BLOCK, attributes, empty, entry, kind, permissions, stat, time, to_usize,
};
use super::content::Content;
use super::state::{Attributes, Body};

/// The kernel keeps its pages, which shared mappings need, and a close waits for nobody: files that outlive the
/// disk's thread must not hang the process.
const OPENED: FopenFlags = FopenFlags::FOPEN_KEEP_CACHE.union(FopenFlags::FOPEN_NOFLUSH);

/// Mounts the disk and serves it from a thread of its own.
pub(super) fn mount(path: &Path, power: Arc<Mutex<Power>>) -> io::Result<BackgroundSession> {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::FSName("boxyard-disk".to_owned()),
        MountOption::DefaultPermissions,
    ];
    let kernel = Kernel {
        power,
        listings: Mutex::default(),
    };
    fuser::spawn_mount(kernel, path, &config)
}

struct Kernel {
    power: Arc<Mutex<Power>>,
    listings: Mutex<Listings>,
}

/// What open folders held when they were opened, so that removing files while listing them skips none.
#[derive(Default)]
struct Listings {
    open: HashMap<u64, Vec<(u64, FileType, OsString)>>,
    last: u64,
}

impl Kernel {
    fn power(&self) -> MutexGuard<'_, Power> {
        self.power.lock().expect("no call panics")
    }

    fn listings(&self) -> MutexGuard<'_, Listings> {
        self.listings.lock().expect("no call panics")
    }

    fn make(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        body: Body,
    ) -> Result<FileAttr, Errno> {
        let now = SystemTime::now();
        let attributes = Attributes {
            mode: permissions(mode),
            uid: request.uid(),
            gid: request.gid(),
            accessed: now,
            modified: now,
            changed: now,
        };
        let mut power = self.power();
        let state = power.change()?;
        let inode = state.create(folder.0, name, attributes, body)?;
        stat(state, inode)
    }

    fn remove(&self, folder: INodeNo, name: &OsStr) -> Result<(), Errno> {
        self.power().change()?.unlink(folder.0, name)
    }

    fn list(&self, folder: u64) -> Result<FileHandle, Errno> {
        let power = self.power();
        let state = power.look()?;
        let mut listing = vec![
            (folder, FileType::Directory, OsString::from(".")),
            (folder, FileType::Directory, OsString::from("..")),
        ];
        for (name, inode) in state.entries(folder)? {
            listing.push((*inode, kind(&state.face(*inode)?.body), name.clone()));
        }
        let mut listings = self.listings();
        listings.last += 1;
        let handle = listings.last;
        listings.open.insert(handle, listing);
        Ok(FileHandle(handle))
    }
}

impl Filesystem for Kernel {
    fn lookup(&self, _request: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let power = self.power();
        let found = power
            .look()
            .and_then(|state| stat(state, state.lookup(folder.0, name)?));
        entry(reply, found);
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        let power = self.power();
        attributes(reply, power.look().and_then(|state| stat(state, inode.0)));
    }

    fn setattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _changed: Option<SystemTime>,
        _handle: Option<FileHandle>,
        _created: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let mut power = self.power();
        let done = power.change().and_then(|state| {
            if let Some(size) = size {
                state.resize(inode.0, to_usize(size)?)?;
            }
            let attributes = state.attributes_mut(inode.0)?;
            attributes.mode = mode.map_or(attributes.mode, permissions);
            attributes.uid = uid.unwrap_or(attributes.uid);
            attributes.gid = gid.unwrap_or(attributes.gid);
            attributes.accessed = accessed.map_or(attributes.accessed, time);
            attributes.modified = modified.map_or(attributes.modified, time);
            attributes.changed = SystemTime::now();
            stat(state, inode.0)
        });
        attributes(reply, done);
    }

    fn mknod(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _device: u32,
        reply: ReplyEntry,
    ) {
        let body = match mode & 0o170_000 {
            0o140_000 => Body::Special(FileType::Socket),
            0o010_000 => Body::Special(FileType::NamedPipe),
            _ => Body::File(Content::default()),
        };
        entry(reply, self.make(request, folder, name, mode, body));
    }

    fn mkdir(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        reply: ReplyEntry,
    ) {
        let body = Body::Folder(BTreeMap::new());
        entry(reply, self.make(request, folder, name, mode, body));
    }

    fn create(
        &self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        mode: u32,
        _umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let body = Body::File(Content::default());
        match self.make(request, folder, name, mode, body) {
            Ok(attributes) => {
                reply.created(&BELIEVE, &attributes, Generation(0), FileHandle(0), OPENED);
            }
            Err(error) => reply.error(error),
        }
    }

    fn link(
        &self,
        _request: &Request,
        inode: INodeNo,
        folder: INodeNo,
        name: &OsStr,
        reply: ReplyEntry,
    ) {
        let mut power = self.power();
        let done = power.change().and_then(|state| {
            state.link(inode.0, folder.0, name)?;
            stat(state, inode.0)
        });
        entry(reply, done);
    }

    fn unlink(&self, _request: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(folder, name));
    }

    fn rmdir(&self, _request: &Request, folder: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.remove(folder, name));
    }

    fn rename(
        &self,
        _request: &Request,
        from: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let mut power = self.power();
        let done = power.change().and_then(|state| {
            if !RenameFlags::RENAME_NOREPLACE.contains(flags) {
                return Err(Errno::EINVAL);
            }
            if !flags.is_empty() && state.lookup(to.0, new_name).is_ok() {
                return Err(Errno::EEXIST);
            }
            state.rename((from.0, name), (to.0, new_name))
        });
        empty(reply, done);
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.power().look() {
            Ok(_) => reply.opened(FileHandle(0), OPENED),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let power = self.power();
        let bytes = power.look().and_then(|state| {
            let size = to_usize(u64::from(size))?;
            Ok(state.content(inode.0)?.read(to_usize(offset)?, size))
        });
        match bytes {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut power = self.power();
        let done = power
            .change()
            .and_then(|state| state.write(inode.0, to_usize(offset)?, data));
        match done {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("a request is small")),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        _only_data: bool,
        reply: ReplyEmpty,
    ) {
        let mut power = self.power();
        let done = power.change().and_then(|state| state.sync_file(inode.0));
        empty(reply, done);
    }

    fn opendir(&self, _request: &Request, folder: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        match self.list(folder.0) {
            Ok(handle) => reply.opened(handle, FopenFlags::empty()),
            Err(error) => reply.error(error),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        _folder: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let listings = self.listings();
        let listing = listings.open.get(&handle.0).into_iter().flatten();
        for (next, (inode, kind, name)) in (1..).zip(listing) {
            if next > offset && reply.add(INodeNo(*inode), next, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(
        &self,
        _request: &Request,
        _folder: INodeNo,
        handle: FileHandle,
        _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.listings().open.remove(&handle.0);
        reply.ok();
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        folder: INodeNo,
        _handle: FileHandle,
        _only_data: bool,
        reply: ReplyEmpty,
    ) {
        let mut power = self.power();
        let done = power.change().and_then(|state| state.sync_folder(folder.0));
        empty(reply, done);
    }

    fn statfs(&self, _request: &Request, _inode: INodeNo, reply: ReplyStatfs) {
        let (blocks, files) = (1 << 22, 1 << 20);
        reply.statfs(blocks, blocks, blocks, files, files, BLOCK, 255, BLOCK);
    }
}

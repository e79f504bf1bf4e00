//! What the disk tells the kernel, in the kernel's terms.

use std::time::{Duration, SystemTime};

use fuser::{
    Errno, FileAttr, FileType, Generation, INodeNo, ReplyAttr, ReplyEmpty, ReplyEntry, TimeOrNow,
};

use super::state::{Body, State};

/// Nobody but the kernel changes the disk, so it may believe what it has heard.
pub(super) const BELIEVE: Duration = Duration::from_hours(1);

pub(super) const BLOCK: u32 = 4096;

pub(super) fn stat(state: &State, inode: u64) -> Result<FileAttr, Errno> {
    let face = state.face(inode)?;
    let size = match &face.body {
        Body::File(content) => content.size() as u64,
        _ => 0,
    };
    Ok(FileAttr {
        ino: INodeNo(inode),
        size,
        blocks: size.div_ceil(512),
        atime: face.attributes.accessed,
        mtime: face.attributes.modified,
        ctime: face.attributes.changed,
        crtime: SystemTime::UNIX_EPOCH,
        kind: kind(&face.body),
        perm: face.attributes.mode,
        nlink: state.links(inode)?,
        uid: face.attributes.uid,
        gid: face.attributes.gid,
        rdev: 0,
        blksize: BLOCK,
        flags: 0,
    })
}

pub(super) fn kind(body: &Body) -> FileType {
    match body {
        Body::File(_) => FileType::RegularFile,
        Body::Folder(_) => FileType::Directory,
        Body::Special(kind) => *kind,
    }
}

pub(super) fn permissions(mode: u32) -> u16 {
    u16::try_from(mode & 0o7777).expect("masked to twelve bits")
}

pub(super) fn to_usize(number: u64) -> Result<usize, Errno> {
    usize::try_from(number).map_err(|_| Errno::EFBIG)
}

pub(super) fn time(time: TimeOrNow) -> SystemTime {
    match time {
        TimeOrNow::SpecificTime(time) => time,
        TimeOrNow::Now => SystemTime::now(),
    }
}

pub(super) fn entry(reply: ReplyEntry, outcome: Result<FileAttr, Errno>) {
    match outcome {
        Ok(attributes) => reply.entry(&BELIEVE, &attributes, Generation(0)),
        Err(error) => reply.error(error),
    }
}

pub(super) fn attributes(reply: ReplyAttr, outcome: Result<FileAttr, Errno>) {
    match outcome {
        Ok(attributes) => reply.attr(&BELIEVE, &attributes),
        Err(error) => reply.error(error),
    }
}

pub(super) fn empty(reply: ReplyEmpty, outcome: Result<(), Errno>) {
    match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

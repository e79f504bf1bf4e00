//! Reading the files that make up a configuration, within bounds.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// The largest configuration, in bytes; Kubernetes takes no larger one either.
pub(super) const CONFIG_BYTES: u64 = 1 << 20;
/// The largest file that holds a value, in bytes.
const VALUE_BYTES: u64 = 64 << 10;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read; the reason is no source, which would be said a second time.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// It is no file.
    #[error("it is {0}, not a file")]
    Kind(&'static str),
    /// It is larger than any sensible one.
    #[error("it is larger than {limit} KiB")]
    TooLarge {
        /// The limit in KiB.
        limit: u64,
    },
    /// It holds something that is not text.
    #[error("it is no text in UTF-8: line {line} holds other bytes")]
    NotText {
        /// The line, counted from one.
        line: usize,
    },
}

/// How the file of a value is read.
pub type ReadValue = fn(&Path) -> Result<String, FileError>;

/// Reads a value from its file; the line break at its end is no part of it.
pub(super) fn value(path: &Path) -> Result<String, FileError> {
    let mut text = text(path, VALUE_BYTES)?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// Reads a whole file of text with at most `limit` bytes.
pub(super) fn text(path: &Path, limit: u64) -> Result<String, FileError> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(FileError::Unreadable)?;
    checked(bytes, limit)
}

/// The text that `bytes` are, if they are at most `limit`.
pub(super) fn checked(bytes: Vec<u8>, limit: u64) -> Result<String, FileError> {
    if bytes.len() as u64 > limit {
        let limit = limit >> 10;
        return Err(FileError::TooLarge { limit });
    }
    as_text(bytes)
}

/// Opens a file without waiting for whoever may write into a pipe one day.
fn open(path: &Path) -> Result<File, FileError> {
    let mut options = File::options();
    options.read(true);
    if !is_inherited(path) {
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path).map_err(FileError::Unreadable)?;
    let kind = file.metadata().map_err(FileError::Unreadable)?.file_type();
    match irregular(kind) {
        Some(kind) if !(is_inherited(path) && kind != "a folder") => Err(FileError::Kind(kind)),
        _ => Ok(file),
    }
}

/// Whether whoever started the program has put the file there, as `serve /dev/stdin` and `serve <(…)` do: then there is somebody who writes.
fn is_inherited(path: &Path) -> bool {
    path == Path::new("/dev/stdin") || path.starts_with("/dev/fd") || path.starts_with("/proc/self")
}

fn irregular(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a folder")
    } else if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// The text in `bytes`, without the mark that some editors put before it.
fn as_text(mut bytes: Vec<u8>) -> Result<String, FileError> {
    const MARK: &[u8] = "\u{feff}".as_bytes();
    if bytes.starts_with(MARK) {
        bytes.drain(..MARK.len());
    }
    let bad = match std::str::from_utf8(&bytes) {
        Ok(text) => text.find('\0'),
        Err(error) => Some(error.valid_up_to()),
    };
    if let Some(end) = bad {
        let line = bytes[..end].split(|byte| *byte == b'\n').count();
        return Err(FileError::NotText { line });
    }
    Ok(String::from_utf8(bytes).expect("it was looked at just now"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(content: &[u8]) -> Result<String, FileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        fs::write(&path, content).unwrap();
        value(&path)
    }

    #[test]
    fn only_the_last_line_break_is_cut_off() {
        assert_eq!(read(b"a b\n").unwrap(), "a b");
        assert_eq!(read(b"a\r\n").unwrap(), "a");
        assert_eq!(read(b"a\nb\n\n").unwrap(), "a\nb\n");
        assert_eq!(read("\u{feff}a".as_bytes()).unwrap(), "a");
    }

    #[test]
    fn what_is_no_text_names_its_line() {
        for content in [&b"a\nb\0"[..], b"a\n\xff"] {
            let error = read(content).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }

    #[test]
    fn files_have_bounds() {
        let limit = usize::try_from(VALUE_BYTES).unwrap();

        assert!(read(&vec![b'a'; limit]).is_ok());
        assert!(matches!(
            read(&vec![b'a'; limit + 1]),
            Err(FileError::TooLarge { .. })
        ));
    }

    #[test]
    fn folders_pipes_devices_and_absent_files_say_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();

        let say = |path: &Path| value(path).unwrap_err().to_string();

        assert_eq!(say(folder.path()), "it is a folder, not a file");
        assert_eq!(say(&pipe), "it is a pipe, not a file");
        assert_eq!(say(Path::new("/dev/zero")), "it is a device, not a file");
        assert!(say(&folder.path().join("no")).contains("No such file"));
    }
}

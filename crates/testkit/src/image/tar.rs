//! Tar archives of the oldest form that everything reads.

const BLOCK: usize = 512;

/// An archive in the making.
#[derive(Clone, Debug, Default)]
pub struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a folder; the path has no slash at its end.
    #[must_use]
    pub fn folder(mut self, path: &str) -> Self {
        self.push(&format!("{path}/"), 0o755, b'5', "", &[]);
        self
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symbolic_link(mut self, path: &str, target: &str) -> Self {
        self.push(path, 0o777, b'2', target, &[]);
        self
    }

    /// Adds another name of a file, which need not be in the archive.
    #[must_use]
    pub fn hard_link(mut self, path: &str, target: &str) -> Self {
        self.push(path, 0o644, b'1', target, &[]);
        self
    }

    /// Adds a file of root's, last changed in 2026.
    #[must_use]
    pub fn file(mut self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.push(path, mode, b'0', "", content);
        self
    }

    /// Ends the archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 2 * BLOCK]);
        self.bytes
    }

    fn push(&mut self, path: &str, mode: u32, kind: u8, target: &str, content: &[u8]) {
        for text in [path, target] {
            assert!(text.len() < 100, "`{text}` is too long for a plain archive");
        }
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &str| {
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        put(0, path);
        put(100, &format!("{mode:07o}"));
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{:011o}", content.len()));
        put(136, &format!("{:011o}", 1_767_225_600));
        put(157, target);
        put(257, "ustar\x0000");
        header[156] = kind;
        header[148..156].copy_from_slice(&[b' '; 8]);
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        let padded = self.bytes.len().next_multiple_of(BLOCK);
        self.bytes.resize(padded, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::process::Command;

    #[test]
    fn tar_unpacks_it() {
        let place = tempfile::tempdir().unwrap();
        let archive = Tar::new()
            .folder("etc")
            .file("etc/name", 0o640, b"content")
            .file("empty", 0o755, b"")
            .symbolic_link("link", "etc/name")
            .hard_link("other", "etc/name");
        fs::write(place.path().join("archive"), archive.finish()).unwrap();

        let unpacked = Command::new("tar")
            .args(["--extract", "--file", "archive"])
            .current_dir(place.path())
            .status()
            .unwrap();

        assert!(unpacked.success());
        let content = fs::read(place.path().join("etc/name")).unwrap();
        assert_eq!(content, b"content");
        assert!(place.path().join("empty").is_file());
        for name in ["link", "other"] {
            assert_eq!(fs::read(place.path().join(name)).unwrap(), b"content");
        }
    }
}

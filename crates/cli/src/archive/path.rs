//! Paths inside of an archive.

use anyhow::{bail, ensure};

/// The longest path of an entry.
const LONGEST: usize = 4_096;

/// The path without what says nothing; it must not lead out of the archive.
pub(super) fn inside(path: &str) -> anyhow::Result<String> {
    ensure!(
        path.len() <= LONGEST && !path.contains('\0'),
        "the path of an entry is too long, or no path"
    );
    ensure!(
        !path.starts_with('/'),
        "`{path}` leads out of the archive: the path begins with `/`"
    );
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => bail!("`{path}` leads out of the archive: the path has `..`"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Where a symbolic link at `path` leads; none where that is outside.
pub(super) fn linked(path: &str, target: &str) -> Option<String> {
    if target.starts_with('/') || target.len() > LONGEST {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        assert_eq!(inside("./blobs//sha256/a").unwrap(), "blobs/sha256/a");
        for path in ["/etc/passwd", "../a", "a/../../b", "a/..", "a\0"] {
            assert!(inside(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_link_is_relative_to_its_folder() {
        assert_eq!(
            linked("a/layer.tar", "../b/layer.tar").unwrap(),
            "b/layer.tar"
        );
        assert_eq!(linked("a", "b").unwrap(), "b");
        for target in ["../../etc/passwd", "/etc/passwd"] {
            assert!(linked("a/b", target).is_none(), "{target}");
        }
    }
}

//! How long the work of a folder takes, for whoever watches it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::folder::Folder;

/// A kind of work, by the name that distribution's drivers have for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// A small file is read whole: a link, or a manifest.
    GetContent,
    /// Small files are written durably: a manifest, or the links of one round.
    PutContent,
    /// A file is looked at without being read.
    Stat,
    /// The names in a folder are read.
    List,
    /// An upload is synced and takes its place among the blobs.
    Move,
    /// A file is removed durably.
    Delete,
}

impl Action {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::GetContent,
        Self::PutContent,
        Self::Stat,
        Self::List,
        Self::Move,
        Self::Delete,
    ];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetContent => "GetContent",
            Self::PutContent => "PutContent",
            Self::Stat => "Stat",
            Self::List => "List",
            Self::Move => "Move",
            Self::Delete => "Delete",
        }
    }
}

/// Who is told how long things take, whether or not they went well; it must not wait.
pub trait Stopwatch: Send + Sync + fmt::Debug {
    /// Something has ended that took this long.
    fn took(&self, action: Action, time: Duration);
}

impl Folder {
    /// Tells `stopwatch` of everything from now on; only the first one that is given counts.
    pub fn watch(&self, stopwatch: Arc<dyn Stopwatch>) {
        let _first = self.inner.stopwatch.set(stopwatch);
    }

    /// Does something, and tells how long it took.
    pub(crate) fn timed<T>(&self, action: Action, act: impl FnOnce() -> T) -> T {
        let Some(stopwatch) = self.inner.stopwatch.get() else {
            return act();
        };
        let began = Instant::now();
        let done = act();
        stopwatch.took(action, began.elapsed());
        done
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::SystemTime;

    use boxyard_oci::Algorithm;
    use tempfile::TempDir;

    use super::*;
    use crate::disk::NoFaults;
    use crate::layout::Tree;
    use crate::link::Link;
    use crate::session::{Sidecar, UploadId};

    #[derive(Debug, Default)]
    struct Seen(Mutex<Vec<Action>>);

    impl Stopwatch for Seen {
        fn took(&self, action: Action, _time: Duration) {
            self.0.lock().unwrap().push(action);
        }
    }

    #[test]
    fn each_kind_of_work_is_told_once() {
        let root = TempDir::new().unwrap();
        let folder = Folder::open(root.path(), Arc::new(NoFaults)).unwrap();
        let seen = Arc::<Seen>::default();
        folder.watch(Arc::<Seen>::clone(&seen));
        let repo = "a/b".parse().unwrap();
        let digest = Algorithm::Sha256.digest(b"x");
        let (id, sidecar) = (UploadId::random(), Sidecar::default());
        let begun = folder.begin_upload(&repo, &id, &sidecar, SystemTime::now());
        let mut upload = begun.unwrap();
        upload.append(b"x").unwrap();

        folder.promote(upload, &repo, &digest).unwrap();
        folder.blob_size(&digest).unwrap();
        folder.read_blob(&digest, 10).unwrap();
        let mut batch = folder.batch();
        let link = Link::Layer {
            repo: &repo,
            digest: &digest,
        };
        batch.write_link(Tree::Distribution, &link, &digest);
        batch.finish().unwrap();
        folder.layers(&repo).unwrap();
        folder.remove_blobs(&[digest]).unwrap();

        let expected = [
            Action::Move,
            Action::Stat,
            Action::GetContent,
            Action::PutContent,
            Action::List,
            Action::Delete,
        ];
        assert_eq!(*seen.0.lock().unwrap(), expected);
    }

    #[test]
    fn the_numbers_are_those_of_the_list() {
        for (number, action) in Action::ALL.into_iter().enumerate() {
            assert_eq!(action as usize, number);
        }
    }
}

//! Failures that are nobody's request's fault, and how blocking work is run.

use std::io;

use boxyard_meta::MetaError;

/// The registry itself failed: storage or database.
///
/// Each variant says what was being done; the source says what went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Internal {
    /// The folder failed.
    #[error("{action}")]
    Folder {
        /// What was being done, in the present tense.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error("{action}")]
    Database {
        /// What was being done, in the present tense.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: MetaError,
    },
}

impl Internal {
    /// Whether the disk, a quota or the reserve is exhausted.
    pub fn is_no_space(&self) -> bool {
        match self {
            Self::Folder { source, .. } => is_no_space(source),
            Self::Database { source, .. } => source.is_full(),
        }
    }
}

/// Whether `error` says that nothing more fits.
pub(crate) fn is_no_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Names what was being done when the folder or the database failed.
pub(crate) trait During<T> {
    /// Wraps the failure with `action`, in the present tense.
    fn during(self, action: &'static str) -> Result<T, Internal>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, action: &'static str) -> Result<T, Internal> {
        self.map_err(|source| Internal::Folder { action, source })
    }
}

impl<T> During<T> for Result<T, MetaError> {
    fn during(self, action: &'static str) -> Result<T, Internal> {
        self.map_err(|source| Internal::Database { action, source })
    }
}

/// Runs `work` where it may block, and passes a panic on.
pub(crate) async fn blocking<T, F>(work: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// The same for work whose only failure is the folder's.
pub(crate) async fn on_disk<T, F>(work: F) -> io::Result<T>
where
    F: FnOnce() -> io::Result<T> + Send + 'static,
    T: Send + 'static,
{
    blocking(work).await
}

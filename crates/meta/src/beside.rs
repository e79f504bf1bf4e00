//! Reading beside a running server.

use std::path::Path;

use crate::connection::{self, Purpose};
use crate::error::OpenError;
use crate::findings::{self, StoredFinding};

/// All findings in the database at `path`, whether or not a server has it open.
///
/// Blocks. It reads one committed state and changes nothing.
pub fn findings_beside(path: &Path) -> Result<Vec<StoredFinding>, OpenError> {
    connection::open(path, Purpose::Read)
        .and_then(|db| findings::all(&db))
        .map_err(|source| OpenError::of(path, source))
}

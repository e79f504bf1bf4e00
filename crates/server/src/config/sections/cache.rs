//! `boxyard.cache`: how much memory what was read lately may take.

use crate::config::key::{Form, Key, works};
use crate::config::values::Values;

pub(in crate::config) const KEYS: &[Key] = &[works(
    "boxyard.cache.size",
    "`8MiB`",
    "How much memory manifests, tags, pages of lists and small blobs may take, so that they are answered without the database and the folder; `0` keeps nothing.",
)
.form(Form::Size)];

/// The bound in bytes; nothing where the default holds.
pub(in crate::config) fn read(values: &mut Values<'_>) -> Option<usize> {
    let bytes = values.size("boxyard.cache.size")?;
    Some(usize::try_from(bytes).unwrap_or(usize::MAX))
}

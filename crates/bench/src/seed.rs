//! Folders and databases that are full before anything is measured.

pub(crate) mod rows;
pub(crate) mod tree;

//! Who may do what.
//!
//! A [`Permit`] is the proof that a caller may act on a repository.
//! Only a [`Gate`] makes one, and every function of the registry that reads or changes a repository demands one, so that an unchecked path does not compile.

mod gate;
mod permit;

pub use gate::{Denied, Gate, Identity};
pub use permit::{Action, Delete, List, Permit, Pull, Push};

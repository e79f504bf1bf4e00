//! Who may do what.
//!
//! A [`Permit`] is the proof that a caller may act on a repository.
//! Only a [`Gate`] makes one, from an [`Identity`] and the access rules, and every function of the registry that reads or changes a repository demands one, so that an unchecked path does not compile.

mod gate;
mod identity;
mod permit;
mod rules;

pub use gate::{Denied, Gate, Reason};
pub use identity::{Grant, Holder, Identity, TicketIdentity, TokenIdentity};
pub use permit::{Action, Delete, List, Permit, Pull, Push};
pub use rules::{ActionError, Actions, Pattern, PatternError, Rule, Who, WhoError};

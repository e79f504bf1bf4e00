//! Who may do what.
//!
//! A [`Permit`] is the proof that a caller may act on a repository.
//! Only a [`Gate`] makes one, from an [`Identity`] and the access rules, and every function of the registry that reads or changes a repository demands one, so that an unchecked path does not compile.

mod certificate;
mod gate;
pub mod htpasswd;
mod identity;
mod keys;
mod permit;
mod remembered;
mod rules;
pub mod scope;
mod throttle;
mod ticket;
pub mod token;

pub use certificate::NameSource;
pub use gate::{Denied, Gate, Reason};
pub use identity::{Grant, Holder, Identity, TicketIdentity, TokenIdentity};
pub use keys::Key;
pub use permit::{Action, Delete, List, Permit, Pull, Push};
pub use rules::{ActionError, Actions, Pattern, PatternError, Rule, Who, WhoError};
pub use throttle::{Attempt, Throttle, Throttled};
pub use ticket::{LIFETIME, Ticket, TicketError, Tickets};

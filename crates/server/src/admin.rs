//! The administration: a Unix socket in the registry's own folder, for commands on this machine.
//!
//! Whoever may open the socket may do everything: the filesystem decides who that is.
//! It serves the distribution API, and beside it `/admin/…`, where a command that works for long says how far it is, one JSON object a line.

mod arguments;
mod collect;
mod events;
mod folder;
mod repositories;
mod route;
mod scrub;
mod serve;
mod socket;
mod standalone;
mod tags;
mod usage;

pub(crate) use serve::Attendant;
pub(crate) use socket::AdminSocket;
pub use socket::SocketError;
pub use standalone::Standalone;

//! A client of the registry: over the socket by which a server on this machine is administered.

mod connection;

pub use connection::{Answer, ClientError, Connection};

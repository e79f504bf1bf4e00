//! HTTP in, HTTP out.
//!
//! A request becomes a [`Route`](v2::route::Route), the gate makes the permit that it needs, and one handler calls the registry; no handler decides anything.
//! Configuration and logs are here as well, because only a server has them.

mod access;
mod acme;
mod activity;
mod admin;
mod app;
mod body;
mod conditional;
pub mod config;
mod debug;
mod error;
mod external;
mod health;
mod host;
mod linger;
mod links;
mod listen;
pub mod log;
mod metrics;
mod notifications;
mod outgoing;
mod page;
mod peer;
mod percent;
mod query;
mod received;
mod request_id;
mod response;
mod sd_notify;
mod seen;
mod server;
mod service;
mod tls;
mod traces;
pub mod v2;

pub use admin::{SocketError, Standalone};
pub use body::Pace;
pub use config::{Config, ConfigError, Sources};
pub use debug::DebugBindError;
pub use external::Proxies;
pub use listen::{BindError, PathError, Place};
pub use log::{Logs, LogsError};
pub use notifications::NotificationsError;
pub use percent::DecodeError;
pub use server::{Server, ServerError, registry_options};
pub use tls::probe;
pub use tls::{ClientAuth, ClientCasError, FileError, TlsError};
pub use traces::TracesError;

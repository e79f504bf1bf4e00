//! Folders that this registry and CNCF distribution take turns on.
//!
//! Debian's `docker-registry` 2.8.2 and distribution 3.1.1 fill a folder, find one that was filled here, and collect on it.
//! What they serve, name by name and byte by byte, is what has to be served here, and the other way round.

mod back;
mod content;
mod crash;
mod peer;
mod quirks;
mod served;
mod taken;
mod turns;
mod uploads;

//! Tests through the built binary with real daemons and clients.

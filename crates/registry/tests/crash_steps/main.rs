//! A crash after every single step of what changes the registry.
//!
//! Each test runs a story again and again, dies one step later each time, opens the folder anew and asks what the story had been told.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod harness;
mod push;
mod release;
mod upload;
mod waiting;

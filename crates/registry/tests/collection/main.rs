//! Collection while everything goes on: what is tagged stays whole, and what nothing uses goes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod crash;
mod failing;
#[path = "../crash_steps/harness.rs"]
mod harness;
mod whole;

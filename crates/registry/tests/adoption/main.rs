//! Folders that another registry has filled, and what they become under this one.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod cost;
mod crash;
mod database;
mod deletes;
mod listings;
mod quirks;
mod races;
mod returning;
mod served;
mod serving;
mod site;
mod speed;
mod tree;
mod uploads;

//! The `boxyard` command.

fn main() {}

//! What commands print.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anyhow::Context;

/// So many things of a kind, whose name takes an `s` or, like `repository`, an `ies`.
pub(crate) fn plural<N>(count: N, name: &str) -> String
where
    N: Copy + Display + PartialEq + From<u8>,
{
    match name.strip_suffix('y') {
        _ if count == N::from(1) => format!("1 {name}"),
        Some(stem) => format!("{count} {stem}ies"),
        None => format!("{count} {name}s"),
    }
}

/// Prints a line; a reader that has gone away is no failure on a terminal, and one in a pipe.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout();
    let printed = writeln!(out, "{text}");
    if out.is_terminal() {
        return Ok(());
    }
    printed.context("print the result")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_not_many() {
        assert_eq!(plural(0_u64, "tag"), "0 tags");
        assert_eq!(plural(1_usize, "tag"), "1 tag");
        assert_eq!(plural(2_u64, "layer link"), "2 layer links");
        assert_eq!(plural(1_u64, "repository"), "1 repository");
        assert_eq!(plural(2_u64, "repository"), "2 repositories");
    }
}
